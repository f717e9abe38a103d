//! Durable memory for calls that must not be lost or doubled: outbox, inbox and checkpoints.

mod backend;
mod checkpoint;
#[cfg(feature = "conformance")]
pub mod conformance;
mod entry;
mod error;
mod inbox;
mod outbox;
mod store;

pub use backend::memory::Memory;
#[cfg(feature = "postgres")]
pub use backend::postgres::Postgres;
#[cfg(feature = "sqlite")]
pub use backend::sqlite::Sqlite;
pub use backend::{Backend, Pending};
pub use checkpoint::{Checkpoint, Checkpoints, Commit, Record};
pub use entry::{Change, DEFAULT_LEASE, Entry, Event, LaneChoice, Lease, NewEntry, Query, State};
pub use error::{StoreError, StoreErrorKind};
pub use inbox::Inbox;
pub use outbox::{Outbox, Pages};
pub use store::{DEFAULT_URL, Store, URL_VARIABLE};
