//! The client-side layers as a user meets them: callbacks forged, replayed, reordered, doubled, huge and broken; tracking and
//! evidence. Expected values come from the contract (4.6 to 4.11) and its traps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "layers/callbacks.rs"]
mod callbacks;
#[path = "layers/evidence.rs"]
mod evidence;
#[path = "layers/refusals.rs"]
mod refusals;
#[path = "layers/reminders.rs"]
mod reminders;
#[cfg(feature = "axum")]
#[path = "layers/router.rs"]
mod router;
#[cfg(feature = "store")]
#[path = "layers/several.rs"]
mod several;
#[path = "layers/support.rs"]
mod support;
#[path = "layers/tracking.rs"]
mod tracking;
