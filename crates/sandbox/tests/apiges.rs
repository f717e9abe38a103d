//! The simulated case-management program and its portal as a client's socket meets them.
//!
//! The client is raw HTTP/1.1 by hand, one connection per request. Expected values come from the contract of
//! `apiges-sync`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may panic")]

#[path = "apiges/documents.rs"]
mod documents;
#[path = "apiges/evaluation.rs"]
mod evaluation;
#[path = "apiges/faults.rs"]
mod faults;
#[path = "apiges/loads.rs"]
mod loads;
#[path = "apiges/pushes.rs"]
mod pushes;
#[path = "apiges/rest.rs"]
mod rest;
#[path = "apiges/support.rs"]
mod support;
