//! What goes over the wire and what is made of what comes back: contract 2.2, 2.3, 3.2 to 3.7 and the traps of section 7.
//!
//! Every answer here is written by hand from the contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

#[path = "wire/auth.rs"]
mod auth;
#[path = "wire/feasibility.rs"]
mod feasibility;
#[cfg(feature = "hubsoft")]
#[path = "wire/hubsoft.rs"]
mod hubsoft;
#[path = "wire/lists.rs"]
mod lists;
#[path = "wire/support.rs"]
mod support;
