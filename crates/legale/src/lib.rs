//! Typed client for the Legale e-signature service: send documents to be signed, follow, remind, fetch the signed file.
//!
//! The layers on the client's side, each of them usable without the network:
//!
//! | to | start at |
//! |---|---|
//! | say who signs, how, in which order | [`flow::Flow`], [`flow::Signer`], [`flow::Groups`] |
//! | know where a document stands | [`status::Status`], [`status::Facts`] |
//! | receive callbacks | [`webhook::Receiver`] |
//! | follow documents, wait, keep evidence | [`tracking::Tracker`], [`tracking::wait_until_final`], [`tracking::EvidenceLog`] |
//! | remind who has not signed | [`reminder::plan`], [`reminder::Runner`] |
//! | let people do only what they may | [`permission::Gate`], [`permission::SharedGate`] |
//! | name files and folders, pack metadata | [`naming::FileName`], [`naming::Folder`], [`naming::Metadata`] |

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
pub use jiff;
pub use jiff::Timestamp;
pub use open::Unlisted;
