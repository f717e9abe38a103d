//! What a backend promises. Its own promises are these sentences and the conformance suite; nothing else is relied upon.
//!
//! Common to all: an operation that returned `Ok` is **durable** (it survives `kill -9` and loss of power) and was applied
//! **once and whole**; one that returned an error changed nothing, except that an error of kind
//! [`Unavailable`](crate::StoreErrorKind::Unavailable) leaves open whether it was applied. Concurrent operations behave as if
//! they happened one after another. Times are the backend's own clock (the database server's for PostgreSQL).

pub(crate) mod memory;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod row;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use integration_core::BoxFuture;
use jiff::Timestamp;

use crate::chain::Tip;
use crate::checkpoint::{Checkpoint, Commit};
use crate::entry::{
    Change, Entry, Event, LaneChoice, LaneView, Lease, Line, NewEntry, Query, Standing, State, Step,
};
use crate::error::{StoreError, StoreErrorKind};
use crate::inbox::{Claim, Ticket};

/// Names, lanes and keys are text that every database can hold; a NUL is refused with `Conflict` before anything is touched.
pub(crate) fn check_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<(), StoreError> {
    match names.into_iter().find(|name| name.contains('\0')) {
        Some(name) => Err(StoreError::new(
            StoreErrorKind::Conflict,
            format!("{name:?} contains a NUL, which no key or name may"),
        )),
        None => Ok(()),
    }
}

pub(crate) fn check_ticket(ticket: &Ticket) -> Result<(), StoreError> {
    check_names([ticket.inbox.as_str(), ticket.key.as_str(), ticket.holder.as_str()])
}

pub(crate) fn key_is_there(key: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Conflict, format!("there is an entry of key {key:?} already"))
}

/// What can be said about a step before the store is asked.
pub(crate) fn check_step(lane: &str, step: &Step) -> Result<(), StoreError> {
    check_names(step.append.iter().map(|new| new.key.as_str()))?;
    step.check(lane)
}

/// Without a lease nothing goes into flight: a successor would not know of it.
pub(crate) fn check_no_flight(entries: &[NewEntry]) -> Result<(), StoreError> {
    match entries.iter().find(|new| new.in_flight) {
        Some(new) => Err(StoreError::new(
            StoreErrorKind::Conflict,
            format!("{:?} may only go in flight in a step of the lane's lease", new.key),
        )),
        None => Ok(()),
    }
}

pub(crate) fn no_such_entry(outbox: &str, entry: i64) -> StoreError {
    StoreError::new(StoreErrorKind::NotFound, format!("outbox {outbox:?} has no entry {entry}"))
}

pub(crate) fn lease_lost(lease: &Lease) -> StoreError {
    let Lease { outbox, lane, worker, fence } = lease;
    let message = format!(
        "worker {worker:?} held lane {lane:?} of outbox {outbox:?} with fence {fence}, which is no longer valid"
    );
    StoreError::new(StoreErrorKind::LeaseLost, message)
}

pub(crate) fn moved_on(name: &str, decided: i64, stands: i64) -> StoreError {
    let message = format!("checkpoint {name:?} stands at version {stands}, the page was pulled on {decided}");
    StoreError::new(StoreErrorKind::Conflict, message)
}

/// Shorthand for what every operation returns.
pub type Pending<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A durable memory: outbox, inbox and checkpoints.
pub trait Backend: Debug + Send + Sync + 'static {
    /// Where it is, without a password, for [`Store::url`](crate::Store::url).
    fn url(&self) -> String {
        "custom:".to_owned()
    }

    /// Writes entries down as `Prepared`, all or none, in order, each with the first line of its history. A key that is there
    /// already is left as it is and given back as it stands, whatever its state and body; the flag tells which were new.
    /// [`Conflict`](crate::StoreErrorKind::Conflict) if one asks for [`NewEntry::in_flight`]: that takes a lease.
    fn append<'a>(
        &'a self,
        outbox: &'a str,
        worker: &'a str,
        entries: Vec<NewEntry>,
    ) -> Pending<'a, Vec<(Entry, bool)>>;

    /// Takes the right to change a lane for `ttl`: if it is free, if its lease has run out, or if `worker` holds it already.
    /// `None` if somebody else holds it, or if no lane is ready.
    ///
    /// Every claim raises the fence. In the same step, entries of the lane that are `InFlight` become `Unknown`: whoever had
    /// them under way is gone, and nobody knows what became of them. Each gets a line in its history; its data stay.
    fn claim<'a>(
        &'a self,
        outbox: &'a str,
        lane: LaneChoice<'a>,
        worker: &'a str,
        ttl: Duration,
    ) -> Pending<'a, Option<Lease>>;

    /// Makes a lease last `ttl` from now. [`LeaseLost`](crate::StoreErrorKind::LeaseLost) if it ran out **and** was taken, or
    /// was taken away, or was given back; one that merely ran out is renewed.
    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Pending<'a, ()>;

    /// Gives a lane back. Nothing happens if the lease was lost.
    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()>;

    /// Makes a step in a lane: writes its entries down, changes others, gives the lane back, all or none, in **one** commit.
    /// Gives back the entries that were written down, then those that were changed.
    ///
    /// An entry with [`NewEntry::in_flight`] gets both lines of history and comes back as `InFlight`, version 2. A key that is
    /// there already, or twice in the step, is a [`Conflict`](crate::StoreErrorKind::Conflict), and so is one of another lane.
    ///
    /// [`LeaseLost`](crate::StoreErrorKind::LeaseLost) if the fence is not the lane's newest, or the lane was given back;
    /// [`NotFound`](crate::StoreErrorKind::NotFound) if there is no such entry; [`Conflict`](crate::StoreErrorKind::Conflict) if an
    /// entry is of another lane, its version is another, the change is not in [`State::may_become`](crate::State::may_become), or a
    /// body comes where none may. A lease that merely ran out may still write: as long as nobody took the lane, nobody is harmed.
    fn apply<'a>(&'a self, lease: &'a Lease, step: Step) -> Pending<'a, Vec<Entry>>;

    /// A step that only changes entries.
    fn write<'a>(&'a self, lease: &'a Lease, changes: Vec<Change>) -> Pending<'a, Vec<Entry>> {
        self.apply(lease, Step::new().with_changes(changes))
    }

    /// Claims a lane and makes a step in it, in **one** commit, if nothing that needs a lease can have happened to the lane
    /// since somebody [looked](Backend::lane): its fence is still `seen_fence`, nobody else's lease runs, and it holds neither an
    /// `InFlight` nor an `Unknown` entry. `None`, and nothing is changed, if not. Raises the fence as [`claim`](Backend::claim)
    /// does. Entries may have been appended since, which needs no lease.
    fn claim_and_apply<'a>(
        &'a self,
        outbox: &'a str,
        lane: &'a str,
        worker: &'a str,
        ttl: Duration,
        seen_fence: i64,
        step: Step,
    ) -> Pending<'a, Option<(Lease, Vec<Entry>)>>;

    /// How a lane stands, without claiming it and without a commit. One that nobody knows is free, with fence 0.
    ///
    /// (A lease that was granted in what is now the future, because the clock was set back, is dated anew, as by a claim.)
    fn lane<'a>(&'a self, outbox: &'a str, lane: &'a str) -> Pending<'a, LaneView>;

    /// The backend's own clock now: the one by which [`Entry::changed`] and all other times are told, so that whoever measures how
    /// long ago something was does not compare two machines' clocks.
    fn now(&self) -> Pending<'_, Timestamp>;

    /// The lanes that hold an entry in one of these states (of any state if there are none), each once, in ascending order.
    fn lanes<'a>(&'a self, outbox: &'a str, states: Vec<State>) -> Pending<'a, Vec<String>>;

    /// Whether what entries and lanes are found through agrees with them: with a damaged index, what was written down long ago would
    /// seem never to have been. Part of [`Outbox::verify`](crate::Outbox::verify).
    fn check(&self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The tips of lanes that have a history, in ascending order of lane, after `after`, at most `limit`.
    fn tips<'a>(
        &'a self,
        outbox: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Tip)>>;

    /// Lines of history of the whole outbox in ascending order of id, after `after`, at most `limit`. The lines of one lane are
    /// [chained](Tip::chain) in this order, in the transaction that writes them, together with the lane's tip.
    fn lines<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Line>>;

    /// Entries beside their last lines, in ascending order of id, after `after`, at most `limit`; each pair as of one moment.
    fn standings<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Standing>>;

    /// Adds a line to an entry's history and changes nothing else: what a worker that lost its lease still knows.
    /// [`NotFound`](crate::StoreErrorKind::NotFound) if there is no such entry.
    fn testify<'a>(&'a self, outbox: &'a str, worker: &'a str, entry: i64, data: Bytes) -> Pending<'a, ()>;

    /// The entry of a key.
    fn find<'a>(&'a self, outbox: &'a str, key: &'a str) -> Pending<'a, Option<Entry>>;

    /// Entries in the order asked for.
    fn list<'a>(&'a self, outbox: &'a str, query: Query) -> Pending<'a, Vec<Entry>>;

    /// An entry's history, oldest first. [`NotFound`](crate::StoreErrorKind::NotFound) if there is no such entry.
    fn history<'a>(&'a self, outbox: &'a str, entry: i64) -> Pending<'a, Vec<Event>>;

    /// Claims a key for a ticket, for `lease` from now. [`Claim::New`] if it is not there, if what stands there has run out, be it
    /// a claim or the memory of its handling, or if it is claimed with this very ticket: so a claim is renewed, and may be
    /// repeated after [`Unavailable`](crate::StoreErrorKind::Unavailable). Of any number of concurrent calls with tickets of
    /// their own, exactly one gets it; the others see its ticket, or that it was handled.
    fn claim_key<'a>(&'a self, ticket: &'a Ticket, lease: Duration) -> Pending<'a, Claim>;

    /// Marks a ticket's key as handled, for `keep` from now. `true` if the claim still stood. Otherwise, whoever has claimed it
    /// meanwhile, it is marked all the same, for that it was handled is true; a key that is marked already is not forgotten
    /// earlier for it.
    fn done_key<'a>(&'a self, ticket: &'a Ticket, keep: Duration) -> Pending<'a, bool>;

    /// Frees a key that is claimed with this very ticket. Nothing happens if it was handled or is somebody else's.
    fn release_key<'a>(&'a self, ticket: &'a Ticket) -> Pending<'a, ()>;

    /// Remembers a key as handled for `ttl`. `true` if it was not remembered, or its time had run out: only then may it be handled. Of any
    /// number of concurrent calls with one key, exactly one gets `true`. A `false` does not make the key last longer.
    fn remember<'a>(&'a self, inbox: &'a str, key: &'a str, ttl: Duration) -> Pending<'a, bool>;

    /// Forgets a key, remembered, claimed or done.
    fn forget<'a>(&'a self, inbox: &'a str, key: &'a str) -> Pending<'a, ()>;

    /// Forgets every key whose time has run out, and tells how many.
    fn purge<'a>(&'a self, inbox: &'a str) -> Pending<'a, u64>;

    /// The cursor that was committed last.
    fn checkpoint<'a>(&'a self, name: &'a str) -> Pending<'a, Option<Checkpoint>>;

    /// Moves a cursor together with the records of the page that it covers, all or none.
    /// [`Conflict`](crate::StoreErrorKind::Conflict) if the checkpoint's version is not the one named (0: there is none yet).
    fn commit<'a>(&'a self, name: &'a str, commit: Commit) -> Pending<'a, Checkpoint>;

    /// Records of a checkpoint's collection, in ascending order of key (bytewise), after `after`, at most `limit`.
    fn records<'a>(
        &'a self,
        name: &'a str,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Bytes)>>;
}
