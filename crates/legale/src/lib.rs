//! Typed client for the Legale e-signature service: send documents to be signed, follow, remind, fetch the signed file.

mod digest;
mod id;
mod open;
mod seen;

pub mod flow;
pub mod naming;
pub mod permission;
pub mod reminder;
pub mod status;
pub mod tracking;
pub mod webhook;

pub use id::DocumentId;
pub use integration_core::clock::{Clock, ManualClock, SystemClock};
pub use integration_core::{BoxFuture, Error, ErrorKind, Fault, Faults, Outcome, Secret, Severity};
pub use jiff::Timestamp;
pub use open::Unlisted;
