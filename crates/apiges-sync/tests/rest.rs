//! What goes over the wire of layer A and what is made of what comes back: contract 2.1, 3.1 to 3.5, traps 1 to 7, 27 and 28, group
//! "rest" of section 7.
//!
//! Every answer here is written by hand from the contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

#[path = "rest/answers.rs"]
mod answers;
#[path = "rest/check.rs"]
mod check;
#[path = "rest/login.rs"]
mod login;
#[path = "rest/routes.rs"]
mod routes;
#[path = "rest/support.rs"]
mod support;
