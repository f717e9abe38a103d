//! The simulated Sugester and BitFactura as a client's socket meets them: every endpoint, rules, quirks, real webhooks.
//!
//! The client is the raw HTTP/1.1 of the tests of legale, one connection per request.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may panic")]

#[path = "crm/bitfactura.rs"]
mod bitfactura;
#[path = "crm/control.rs"]
mod control;
#[path = "crm/faults.rs"]
mod faults;
#[path = "legale/support.rs"]
#[allow(dead_code, reason = "half of it is about legale")]
mod raw;
#[path = "crm/sugester.rs"]
mod sugester;
#[path = "crm/support.rs"]
mod support;
#[path = "crm/webhooks.rs"]
mod webhooks;
