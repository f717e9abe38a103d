//! Durable memory for calls that must not be lost or doubled: outbox, inbox and checkpoints.

mod backend;
mod checkpoint;
mod entry;
mod error;

pub use backend::{Backend, Pending};
pub use checkpoint::{Checkpoint, Commit, Record};
pub use entry::{Change, DEFAULT_LEASE, Entry, Event, LaneChoice, Lease, NewEntry, Query, State};
pub use error::{StoreError, StoreErrorKind};
