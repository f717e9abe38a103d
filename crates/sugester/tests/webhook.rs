//! Webhooks as a user meets them: every shape, forged, huge, broken, late, doubled, out of order, and a process killed while it handles
//! one. Expected values are the contract's (4.6 and traps 2 to 4, 25). The sandbox posts for real and reads the contract on its own.
#![cfg(all(feature = "axum", feature = "store"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "webhook/kill.rs"]
mod kill;
#[path = "webhook/posted.rs"]
mod posted;
#[path = "webhook/refusals.rs"]
mod refusals;
#[path = "webhook/secrets.rs"]
mod secrets;
#[path = "webhook/support.rs"]
mod support;
#[path = "webhook/work.rs"]
mod work;
