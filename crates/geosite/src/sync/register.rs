//! The sink of the synchronisation: the register itself, with what makes runs resumable (contract 4.9).
//!
//! The rules enforced here: each writing call is all or nothing; the cursor is written in the transaction of its list's last page;
//! a row that somebody refreshed after the run began is neither overwritten nor deleted by that run; a worker that lost its
//! lease writes nothing.

use std::collections::BTreeMap;

use integration_core::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::element::{Digest, Element};
use super::error::SyncError;
use super::kind::{Kind, Shelf, named};
use super::selection::Integration;
use crate::feature::Feature;

/// What a register answers.
pub type Done<'a, T> = BoxFuture<'a, Result<T, SyncError>>;

named! {
    /// Why an element was deleted.
    Reason {
        /// A complete snapshot lacked it.
        Missing = "missing",
        /// Its kind was deselected.
        Deselected = "deselected",
        /// The plant said that there is no such element.
        NotFound = "not_found",
    }
}

/// A deleted element's gravestone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tombstone {
    /// When it was deleted.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

impl Tombstone {
    /// For registers.
    #[must_use]
    pub fn new(at: Timestamp, reason: Reason) -> Self {
        Self { at, reason }
    }
}

/// An element as it stands in a register.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Its content.
    pub element: Element,
    /// The run that wrote or refreshed it last.
    pub run: i64,
    /// Whether it was deleted.
    pub tombstone: Option<Tombstone>,
}

impl Stored {
    /// For registers.
    #[must_use]
    pub fn new(element: Element, run: i64, tombstone: Option<Tombstone>) -> Self {
        Self { element, run, tombstone }
    }
}

/// As much of a stored element as a comparison needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Known {
    /// Its number.
    pub fid: i64,
    /// What it is.
    pub kind: Kind,
    /// What its content comes to.
    pub digest: Digest,
    /// Whether it was not deleted.
    pub live: bool,
    /// Whether it is flagged.
    pub flagged: bool,
}

impl Known {
    /// For registers.
    #[must_use]
    pub fn new(fid: i64, kind: Kind, digest: Digest, live: bool, flagged: bool) -> Self {
        Self { fid, kind, digest, live, flagged }
    }
}

/// Who writes: a run, and the lease under which it does. A single-box run has none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ticket {
    /// Which integration.
    pub integration: String,
    /// Which run.
    pub run: i64,
    /// The lease's fence; nothing for a run that needs no lease.
    pub fence: Option<i64>,
}

impl Ticket {
    /// For tests of registers.
    #[must_use]
    pub fn new(integration: impl Into<String>, run: i64, fence: Option<i64>) -> Self {
        Self { integration: integration.into(), run, fence }
    }
}

/// A stored element that a snapshot lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Candidate {
    /// Its number.
    pub fid: i64,
    /// What it was before the run.
    pub kind: Kind,
    /// Why it would be deleted.
    pub reason: Reason,
}

impl Candidate {
    /// For registers.
    #[must_use]
    pub fn new(fid: i64, kind: Kind, reason: Reason) -> Self {
        Self { fid, kind, reason }
    }
}

/// What one page changes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page {
    /// Where its elements stand.
    pub shelf: Shelf,
    /// Elements to be written.
    pub upserts: Vec<(Element, Digest)>,
    /// What the snapshot lacks so far, to be remembered until its end.
    pub candidates: Vec<Candidate>,
    /// Whether candidates of this shelf that were remembered before are void: the list was begun again.
    pub begin: bool,
    /// Opaque to the register: how far the run has come.
    pub checkpoint: String,
}

impl Page {
    /// A page that changes nothing yet.
    #[must_use]
    pub fn new(shelf: Shelf) -> Self {
        Self { shelf, upserts: Vec::new(), candidates: Vec::new(), begin: false, checkpoint: String::new() }
    }

    /// Whether it only tells how far the run has come: a run that forgets it reads the same page again.
    #[must_use]
    pub fn is_checkpoint_only(&self) -> bool {
        self.upserts.is_empty() && self.candidates.is_empty() && !self.begin
    }
}

/// How a list ends.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finish {
    /// The last page.
    pub page: Page,
    /// The kinds whose candidates are to be deleted.
    pub remove: Vec<Kind>,
    /// The kinds whose candidates are kept for whoever decides; those of all others are void.
    pub keep: Vec<Kind>,
    /// Where cursors go.
    pub cursors: Vec<(Feature, Timestamp)>,
}

impl Finish {
    /// An end that deletes nothing and moves no cursor.
    #[must_use]
    pub fn new(page: Page) -> Self {
        Self { page, remove: Vec::new(), keep: Vec::new(), cursors: Vec::new() }
    }
}

/// A run as a register keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunRow {
    /// Counts up within the integration; given by the register.
    pub run: i64,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why it was started.
    pub trigger: String,
    /// How it reads.
    pub mode: String,
    /// The report, a JSON object.
    pub report: String,
    /// What is needed to go on after a kill; opaque to the register.
    pub plan: String,
}

impl RunRow {
    /// A run that was never stored.
    #[must_use]
    pub fn new(started_at: Timestamp, trigger: &str, mode: &str) -> Self {
        Self {
            run: 0,
            started_at,
            finished_at: None,
            outcome: None,
            trigger: trigger.to_owned(),
            mode: mode.to_owned(),
            report: String::new(),
            plan: String::new(),
        }
    }
}

/// What became of asking for the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Somebody else holds it.
    Held {
        /// Their name.
        by: String,
    },
    /// It is ours, under this fence.
    Granted {
        /// Higher than any before.
        fence: i64,
        /// A run that was begun under an earlier lease and never ended.
        unfinished: Option<Box<RunRow>>,
    },
}

/// How many elements of a kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// In the register.
    pub live: u64,
    /// Deleted, and kept for a while.
    pub tombstones: u64,
}

/// How long a lease lasts from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Term {
    /// Now, by the worker's clock. Correctness does not hang on it: the fence decides who may write.
    pub now: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Term {
    /// A lease from one moment to another.
    #[must_use]
    pub fn new(now: Timestamp, until: Timestamp) -> Self {
        Self { now, until }
    }
}

/// A register of elements. Everything is told apart by the integration's name.
///
/// Writing calls check the ticket's fence inside their transaction, and prolong its lease to the term given.
pub trait Register: Send + Sync + 'static {
    /// What is kept about an integration; `None` if it is new.
    fn integration<'a>(&'a self, name: &'a str) -> Done<'a, Option<(Integration, i64)>>;

    /// Keeps it if it is still at `version` (0: not there yet), forgets these cursors, and gives the new version; `None` if
    /// somebody else was quicker.
    fn keep_integration<'a>(
        &'a self,
        name: &'a str,
        integration: &'a Integration,
        version: i64,
        forget: &'a [Feature],
    ) -> Done<'a, Option<i64>>;

    /// Asks for the lease of an integration. The worker that holds it may take it again.
    fn claim<'a>(&'a self, integration: &'a str, worker: &'a str, term: Term) -> Done<'a, Claim>;

    /// Begins a run and gives its number.
    fn open_run<'a>(&'a self, integration: &'a str, fence: Option<i64>, run: RunRow) -> Done<'a, i64>;

    /// Ends a run, gives its lease back, and forgets its checkpoints; candidates are kept if it was blocked.
    fn close_run<'a>(&'a self, ticket: &'a Ticket, run: RunRow) -> Done<'a, ()>;

    /// Gives a lease back without ending a run.
    fn release<'a>(&'a self, integration: &'a str, fence: i64) -> Done<'a, ()>;

    /// Stores a page with its checkpoint.
    fn commit_page<'a>(&'a self, ticket: &'a Ticket, term: Term, page: Page) -> Done<'a, ()>;

    /// Stores the last page of a list, deletes what is to be deleted, and moves cursors. Gives what was deleted.
    fn finish_kind<'a>(&'a self, ticket: &'a Ticket, term: Term, finish: Finish) -> Done<'a, Vec<Candidate>>;

    /// Deletes every element of these kinds if there are no more of each than said, keeps the integration without them, and
    /// forgets their cursors. Gives how many were deleted, or `None` if there are more.
    fn deselect<'a>(
        &'a self,
        ticket: &'a Ticket,
        term: Term,
        planned: &'a BTreeMap<Kind, u64>,
        forget: &'a [Feature],
    ) -> Done<'a, Option<BTreeMap<Kind, u64>>>;

    /// Writes elements and gravestones that were asked for one by one.
    fn refresh<'a>(
        &'a self,
        ticket: &'a Ticket,
        now: Timestamp,
        elements: Vec<(Element, Digest)>,
        gone: Vec<(Shelf, i64)>,
    ) -> Done<'a, ()>;

    /// The checkpoints of a run, by shelf.
    fn checkpoints<'a>(&'a self, integration: &'a str, run: i64) -> Done<'a, BTreeMap<Shelf, String>>;

    /// What a run would delete, ascending by (shelf, fid), after one.
    fn candidates<'a>(
        &'a self,
        integration: &'a str,
        run: i64,
        after: Option<(Shelf, i64)>,
        limit: usize,
    ) -> Done<'a, Vec<Candidate>>;

    /// Elements of a shelf, deleted ones too, ascending by fid, after one.
    fn known<'a>(
        &'a self,
        integration: &'a str,
        shelf: Shelf,
        after: Option<i64>,
        limit: usize,
    ) -> Done<'a, Vec<Known>>;

    /// Those of these elements that there are, deleted ones too, ascending by fid.
    fn known_of<'a>(&'a self, integration: &'a str, shelf: Shelf, fids: &'a [i64]) -> Done<'a, Vec<Known>>;

    /// The customers that hold these contracts: contract, document, fid.
    fn holders<'a>(
        &'a self,
        integration: &'a str,
        contracts: &'a [String],
    ) -> Done<'a, Vec<(String, Option<String>, i64)>>;

    /// One element.
    fn get<'a>(&'a self, integration: &'a str, shelf: Shelf, fid: i64) -> Done<'a, Option<Stored>>;

    /// Elements of a kind, deleted ones too, ascending by fid, after one.
    fn list<'a>(
        &'a self,
        integration: &'a str,
        kind: Kind,
        after: Option<i64>,
        limit: usize,
    ) -> Done<'a, Vec<Stored>>;

    /// Elements of a shelf that stand below this one and were not deleted: splitters of a box, customers of a splitter.
    fn children<'a>(&'a self, integration: &'a str, shelf: Shelf, parent: i64) -> Done<'a, Vec<Stored>>;

    /// How many there are of each kind.
    fn counts<'a>(&'a self, integration: &'a str) -> Done<'a, BTreeMap<Kind, Count>>;

    /// How many customers sit below elements of a kind: on a splitter of the kind, or below a box of it.
    fn customers_below<'a>(&'a self, integration: &'a str, kind: Kind) -> Done<'a, u64>;

    /// The cursors.
    fn cursors<'a>(&'a self, integration: &'a str) -> Done<'a, BTreeMap<Feature, Timestamp>>;

    /// Runs, newest first, before one.
    fn history<'a>(
        &'a self,
        integration: &'a str,
        before: Option<i64>,
        limit: usize,
    ) -> Done<'a, Vec<RunRow>>;

    /// Forgets gravestones and ended runs from before these moments.
    fn purge<'a>(&'a self, integration: &'a str, tombstones: Timestamp, history: Timestamp) -> Done<'a, ()>;
}
