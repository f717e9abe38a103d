//! The simulated GeoSite as a client's socket meets it: tokens, columns, filters, pages, drift, feasibility, writes.
//!
//! The client is raw HTTP/1.1 by hand, one connection per request, as in the tests of the fiscal printer. Expected
//! values come from the contract.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may panic")]

#[path = "geosite/auth.rs"]
mod auth;
#[path = "geosite/control.rs"]
mod control;
#[path = "geosite/faults.rs"]
mod faults;
#[path = "geosite/feasibility.rs"]
mod feasibility;
#[path = "geosite/lists.rs"]
mod lists;
#[path = "geosite/saves.rs"]
mod saves;
#[path = "geosite/scale.rs"]
mod scale;
#[path = "geosite/shapes.rs"]
mod shapes;
#[path = "geosite/support.rs"]
mod support;
