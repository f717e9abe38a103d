//! The simulated Legale as a client's socket meets it: every endpoint, each refusal, each fault, real callbacks.
//!
//! The client is raw HTTP/1.1 by hand, one connection per request, as in the tests of the fiscal printer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may panic")]

#[path = "legale/callbacks.rs"]
mod callbacks;
#[path = "legale/control.rs"]
mod control;
#[path = "legale/documents.rs"]
mod documents;
#[path = "legale/faults.rs"]
mod faults;
#[path = "legale/flows.rs"]
mod flows;
#[path = "legale/others.rs"]
mod others;
#[path = "legale/support.rs"]
mod support;
