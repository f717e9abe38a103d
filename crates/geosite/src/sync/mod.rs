//! Keeps a register equal to the plant: what is new comes in, what has changed is changed, what is provably gone is deleted,
//! and nothing else is (contract sections 4 and 6).
//!
//! | part | is |
//! |---|---|
//! | [`Plant`] | what is read: the port that the client implements |
//! | [`Register`] | where it is kept: [`MemoryRegister`], or tables in SQLite and PostgreSQL for the firm's own SQL |
//! | [`PlantSync`] | the runs: incremental, full, one box; selection, guard, history, health |
//! | [`Links`] | the hook of whoever links customers to ports |
//!
//! What is promised: at least once and convergent, not exactly once (Y1). A deletion needs a snapshot that proved itself whole,
//! and passes the [`Guard`] or somebody's exact number.

mod abreast;
mod cursor;
mod doubt;
mod element;
mod engine;
mod error;
mod from_client;
mod guard;
mod kind;
mod links;
mod memory;
mod merge;
mod pass;
mod plant;
mod register;
mod report;
mod run;
mod selection;
mod settings;
mod single;
mod sink;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
mod watch;

pub use cursor::StampSource;
pub use doubt::{Doubt, Doubtful, UnreadRow};
pub use element::{Digest, Element};
pub use engine::{PlantSync, PlantSyncBuilder};
pub use error::{SelectionFault, SyncError, SyncErrorKind};
pub use guard::{Guard, Verdict};
pub use kind::{Kind, Shelf, shelf_of};
pub use links::{Examine, Links, NoLinks, Notice};
pub use memory::MemoryRegister;
pub use plant::{From, Lookup, Piece, Plant, PlantError, PlantErrorKind, Rows};
pub use register::{
    Candidate, Claim, Count, Done, Finish, Known, Page, Reason, Register, RunRow, Stored, Term, Ticket,
    Tombstone,
};
pub use report::{Conflict, Event, FeatureReport, Health, KindReport, Mode, Observer, Outcome, Run, Trigger};
pub use selection::{Integration, PlannedKind, Project, Selection, SelectionPlan};
pub use settings::{Cancel, Request, Settings};
#[cfg(feature = "postgres")]
pub use sql::postgres::PostgresRegister;
#[cfg(feature = "sqlite")]
pub use sql::sqlite::SqliteRegister;
pub use watch::{Running, Tally};
