//! What a run tells, while it runs and at its end.
//!
//! The rules enforced here: every record ends as one [`Done`]; every conflict is told with both values; a report stays small however
//! many records there are.

use std::collections::BTreeMap;
use std::fmt;

use super::conflict::Conflict;
use super::deal::NotCarried;
use super::identity::Ambiguity;
use super::mapping::Side;

/// A record that the synchronisation deals with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordRef {
    /// A client of BitFactura.
    BitFacturaClient(u64),
    /// A client of Sugester.
    SugesterClient(u64),
    /// An invoice of BitFactura, and its deal.
    Invoice(u64),
}

impl RecordRef {
    /// A client of a side.
    #[must_use]
    pub const fn client(side: Side, id: u64) -> Self {
        match side {
            Side::BitFactura => Self::BitFacturaClient(id),
            Side::Sugester => Self::SugesterClient(id),
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(self) -> u64 {
        match self {
            Self::BitFacturaClient(id) | Self::SugesterClient(id) | Self::Invoice(id) => id,
        }
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BitFacturaClient(id) => write!(f, "BitFactura client {id}"),
            Self::SugesterClient(id) => write!(f, "Sugester client {id}"),
            Self::Invoice(id) => write!(f, "invoice {id}"),
        }
    }
}

/// Why nothing was done for a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Skip {
    /// It is not there any more, and was never linked.
    #[error("it is not there any more")]
    Gone,
    /// It, or its partner, was deleted; what is left is not touched.
    #[error("it was deleted in {0:?}, and is not created again there")]
    Tombstoned(Side),
    /// Who it is on the other side cannot be told.
    #[error("several records may be the same: {0:?}")]
    Ambiguous(Ambiguity),
    /// The answer to an earlier write was lost, and it may still take effect. The next run goes on.
    #[error("the outcome of an earlier write is not settled yet")]
    Settling,
    /// The list of the other side changed so often while it was read that nobody can say that a record is not in it.
    #[error("the other side's list could not be read without change")]
    Unstable,
    /// Nothing links the client of this invoice yet.
    #[error("its client is not linked yet")]
    ClientNotLinked,
    /// It gets no deal.
    #[error("{0}")]
    NotCarried(NotCarried),
    /// It waits for the normal run: a first run goes from BitFactura to Sugester alone.
    #[error("it is left to the normal run")]
    NormalRun,
}

/// How a record ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Done {
    /// It was created on the other side, or its deal was; the id is 0 in a dry run.
    Created(u64),
    /// These fields were written.
    Updated {
        /// Wire names of what BitFactura was written.
        bitfactura: Vec<String>,
        /// Wire names of what Sugester was written.
        sugester: Vec<String>,
    },
    /// It was found on the other side, linked, and says the same there.
    Linked(u64),
    /// Both say the same.
    Unchanged,
    /// Nothing was done.
    Skipped(Skip),
    /// It was written too often in a short time, and is left alone until that has passed (contract 4.3).
    Paused {
        /// How often.
        writes: usize,
    },
    /// It is gone on this side, and this was noted.
    Tombstoned(Side),
    /// It failed; it is tried again in the next run.
    Failed {
        /// Why, on one line and without secrets.
        reason: String,
        /// Whether it may have been applied nevertheless. That is found out before anything is written to it again.
        is_outcome_unknown: bool,
    },
}

/// What a run tells while it runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A page of a list was read: how many records so far.
    Listed {
        /// Which list, such as `Sugester clients`.
        list: &'static str,
        /// How many so far in this pass.
        records: u64,
        /// Which pass; lists that decide what is missing are read until two passes agree.
        pass: u32,
    },
    /// Both sides say different things of one field. Told before anything is written, and kept in the store.
    Conflict {
        /// The client in BitFactura.
        bitfactura: u64,
        /// The client in Sugester.
        sugester: u64,
        /// Both values, and whose is kept.
        conflict: Box<Conflict>,
    },
    /// A write whose answer had been lost was found out about.
    Resolved {
        /// Its key in the journal.
        key: String,
        /// Whether it had taken effect.
        was_applied: bool,
    },
    /// A record has come to its end.
    Settled {
        /// Which.
        record: RecordRef,
        /// How.
        done: Done,
    },
}

/// Hears what happens. Called within the run: it should return soon.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn hear(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn hear(&self, event: &Event) {
        self(event);
    }
}

/// How a run ended: numbers, and the first events of each kind that a person should see.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Whether it was a dry run.
    pub is_dry: bool,
    /// Records made on the other side, deals included.
    pub created: u64,
    /// Records of which fields were written.
    pub updated: u64,
    /// Records that were found on the other side.
    pub linked: u64,
    /// Records that were looked at and say the same.
    pub unchanged: u64,
    /// Records left alone.
    pub skipped: u64,
    /// The same by reason.
    pub skipped_because: BTreeMap<String, u64>,
    /// Fields in conflict.
    pub conflicts: u64,
    /// Records that failed.
    pub failed: u64,
    /// Records that are paused.
    pub paused: u64,
    /// Records found deleted.
    pub tombstones: u64,
    /// Lost answers that were found out about.
    pub resolved: u64,
    /// What a person should see: conflicts, failures, pauses, tombstones, ambiguities; at most [`Report::MOST`] of them. All of them
    /// go to the [`Observer`], and conflicts are kept in the store as well.
    pub notable: Vec<Event>,
    /// The last BitFactura client that a first run has finished.
    pub last_finished: Option<u64>,
}

impl Report {
    /// How many events are kept at most.
    pub const MOST: usize = 1_000;

    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::Listed { .. } => return,
            Event::Conflict { .. } => self.conflicts += 1,
            Event::Resolved { .. } => self.resolved += 1,
            Event::Settled { done, .. } => self.count_done(done),
        }
        if is_notable(event) && self.notable.len() < Self::MOST {
            self.notable.push(event.clone());
        }
    }

    fn count_done(&mut self, done: &Done) {
        match done {
            Done::Created(_) => self.created += 1,
            Done::Updated { .. } => self.updated += 1,
            Done::Linked(_) => self.linked += 1,
            Done::Unchanged => self.unchanged += 1,
            Done::Skipped(skip) => {
                self.skipped += 1;
                *self.skipped_because.entry(reason(skip)).or_default() += 1;
            }
            Done::Paused { .. } => self.paused += 1,
            Done::Tombstoned(_) => self.tombstones += 1,
            Done::Failed { .. } => self.failed += 1,
        }
    }
}

/// One text for all records that were skipped alike: without their ids.
fn reason(skip: &Skip) -> String {
    match skip {
        Skip::Ambiguous(_) => "several records may be the same".to_owned(),
        other => other.to_string(),
    }
}

const fn is_notable(event: &Event) -> bool {
    match event {
        Event::Listed { .. } => false,
        Event::Conflict { .. } | Event::Resolved { .. } => true,
        Event::Settled { done, .. } => matches!(
            done,
            Done::Failed { .. }
                | Done::Paused { .. }
                | Done::Tombstoned(_)
                | Done::Skipped(Skip::Ambiguous(_) | Skip::Settling | Skip::Unstable | Skip::ClientNotLinked)
        ),
    }
}
