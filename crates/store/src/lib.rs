//! Durable memory for calls that must not be lost or doubled.
//!
//! A program that sends something that may happen only once writes it down **before** it sends, and writes down what became of
//! it afterwards. Killed in between, it finds at its next start what it had under way, and asks before it sends again. This
//! crate is the place to write it down:
//!
//! | part | remembers |
//! |---|---|
//! | [`Outbox`] | calls and where they stand ([`State`]), in lanes that one worker at a time may change ([`Lease`]) |
//! | [`Inbox`] | callbacks that were handled already, and those that are being handled ([`Claim`]) |
//! | [`Checkpoints`] | how far a pull has come, together with what it brought |
//!
//! ```
//! use integration_store::{Change, DEFAULT_LEASE, LaneChoice, NewEntry, State, Store, StoreError};
//!
//! # fn send(_: &[u8]) -> Option<bool> { Some(true) }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = Store::open("memory:").await?; // or `sqlite:journal.db`, `postgres://…`, or Store::from_env()
//! let outbox = store.outbox("documents");
//!
//! // Writing it down twice is no harm: the key gives the first one back.
//! let call = NewEntry::new("J-1/01", "J-1/01/7", r#"{"number":7}"#, "");
//! outbox.append("worker-1", vec![call]).await?;
//!
//! // One lane, one worker. What its predecessor had in flight is Unknown from here on.
//! let Some(lease) = outbox.claim(LaneChoice::AnyReady, "worker-1", DEFAULT_LEASE).await? else { return Ok(()) };
//! let entry = outbox.find("J-1/01/7").await?.expect("written down above");
//! let to = |entry: &integration_store::Entry, state| {
//!     vec![Change { entry: entry.id, version: entry.version, state, data: "".into(), body: None }]
//! };
//!
//! // Durable before the first byte leaves; refused if another worker has taken the lane meanwhile.
//! let entry = outbox.write(&lease, to(&entry, State::InFlight)).await?.remove(0);
//! let state = match send(&entry.body) {
//!     Some(true) => State::Done,
//!     Some(false) => State::Refused,
//!     None => State::Unknown, // no answer: to be found out, never guessed
//! };
//! outbox.write(&lease, to(&entry, state)).await?;
//! outbox.release(&lease).await?;
//! # Ok::<(), StoreError>(()) }).unwrap();
//! ```
//!
//! Where calls are many, the same takes two commits instead of five: [`Outbox::lane`] looks, [`Outbox::claim_and_apply`] claims
//! the lane and takes the call into flight if it still stands as it was seen, and [`Outbox::apply`] writes down what became of it
//! and gives the lane back.
//!
//! # What the hash chain proves, and what it does not
//!
//! Each line of a lane's history carries the hash of the one before, and the lane the newest ([`Tip`]). [`Outbox::verify`]
//! recomputes them all: it names the first line that was altered, removed, moved or cut off, and the first entry that does not
//! stand as its history says. It does **not** prove who wrote the lines: whoever can write the database can compute every link
//! anew. Whoever must be convinced of more notes the [`tip`](Outbox::tip) of each lane from time to time in a place where such a
//! person cannot write, and compares. Lines older than schema version 3 were chained when the store was brought to it.
//!
//! # What each backend guarantees, and what it does not
//!
//! All of them keep every sentence of [`Backend`]'s page, and pass `conformance`, the suite behind the feature of that name.
//!
//! | | [`Memory`] | `Sqlite` (feature `sqlite`, default) | `Postgres` (feature `postgres`) |
//! |---|---|---|---|
//! | survives `kill -9` | no | yes | yes |
//! | survives loss of power | no | yes: WAL, synced at each commit, if the disk does not lie about syncs | as the server is set up; `synchronous_commit` is never left off |
//! | workers | tasks of one process | processes of one machine, on a local disk; not on a network file system | any number of machines |
//! | clock of leases | the process's, which never goes back | the machine's wall clock | the server's wall clock |
//! | many lanes at once | – | operations that wait together share one sync | each operation commits by itself, and the server syncs together what comes together |
//! | damage | – | entries, checkpoints and records carry checksums; a mismatch is `Corrupt`. A damaged index hides an entry from those who look it up: [`Outbox::verify`] finds that | checksums as beside; the server looks after its indexes |
//! | after a failed sync | – | writes nothing more until it is opened again | as the server does |
//!
//! No clock decides who may write: the fence does (see [`Lease`]). A clock set back never ends a lease and lengthens one by no
//! more than its own length from the moment it is noticed; one set forward ends leases early, which turns what was in flight
//! into `Unknown` but doubles nothing. The inbox goes by the same clock: set forward, it forgets a callback that much earlier, and
//! ends claims early, so that a callback may be handled beside a holder that is still at it. Set back, it lengthens a claim by no
//! more than the claim's own length from the moment it is noticed.
//!
//! Nothing is ever deleted from an outbox. Open entries, ready lanes and keys are found through indexes, without a
//! walk through what is done, so a start costs what is open, not what is old.
//!
//! The schema is brought up to date when a store is opened, forward only. A store that a newer version wrote, or that is not one
//! of ours, is refused with [`Schema`](StoreErrorKind::Schema) before anything is touched; so when programs are updated one
//! after another, stop the old ones first.

mod backend;
mod chain;
mod checkpoint;
#[cfg(feature = "conformance")]
pub mod conformance;
mod duplicates;
mod entry;
mod error;
mod inbox;
mod outbox;
mod store;
mod verify;
mod worker;

pub use backend::memory::Memory;
#[cfg(feature = "postgres")]
pub use backend::postgres::Postgres;
#[cfg(feature = "sqlite")]
pub use backend::sqlite::Sqlite;
pub use backend::{Backend, Pending};
pub use chain::{Digest, Tip};
pub use checkpoint::{Checkpoint, Checkpoints, Commit, Record};
pub use duplicates::StoredDuplicates;
pub use entry::{
    Change, DEFAULT_LEASE, Entry, Event, LaneChoice, LaneView, Lease, Line, NewEntry, Order, Query, Standing,
    State, Step,
};
pub use error::{StoreError, StoreErrorKind};
pub use inbox::{Claim, Inbox, Ticket};
pub use outbox::{Outbox, Pages};
pub use store::{DEFAULT_URL, Store, URL_VARIABLE};
pub use verify::{Broken, Chain, Fault, VerifyError};
pub use worker::{worker_is_gone, worker_name};
