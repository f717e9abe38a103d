//! What a run did, as it is returned, kept and shown (contract 4.11).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cursor::StampSource;
use super::doubt::{Doubtful, UnreadRow};
use super::guard::Verdict;
use super::kind::{Kind, Shelf, named};
use crate::feature::Feature;

named! {
    /// Why a run was started.
    Trigger {
        /// By the schedule.
        Scheduled = "scheduled",
        /// By somebody.
        Manual = "manual",
        /// For one box.
        Single = "single",
        /// After a change of the selection: said by whoever starts the run that follows `apply_selection`, by
        /// [`Request::by`](super::Request::by).
        Selection = "selection",
    }
}

named! {
    /// How a run reads (contract 4.7).
    Mode {
        /// What has changed since the last one.
        Incremental = "incremental",
        /// Everything, compared with what is stored.
        Full = "full",
        /// One box.
        Single = "single",
    }
}

named! {
    /// How a run ended.
    Outcome {
        /// Everything was read and stored.
        Ok = "ok",
        /// Some kinds were, others not.
        Partial = "partial",
        /// None was.
        Failed = "failed",
        /// The guard held deletions back; everything else was stored.
        Blocked = "blocked",
        /// It was told to stop.
        Cancelled = "cancelled",
    }
}

/// What two sides say differently, and nobody but a person may settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Conflict {
    /// A service splitter with linked customers is something else now; row and links stay, flagged (contract 4.4).
    RoleChanged {
        /// The splitter.
        fid: i64,
        /// What it is now.
        role: Option<String>,
    },
    /// A contract came with another document than the stored one; the stored row stays (contract C3).
    Identity {
        /// The customer element that came.
        fid: i64,
        /// Its contract.
        contract: String,
        /// The element that holds the contract with another document.
        held_by: i64,
    },
}

/// What a run did with one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct KindReport {
    /// Rows received.
    pub read: u64,
    /// New in the register.
    pub added: u64,
    /// Stored with another content.
    pub changed: u64,
    /// Received as they are stored; nothing was written.
    pub unchanged: u64,
    /// Deleted from the register, or to be deleted in a dry run.
    pub removed: u64,
    /// Deleted earlier, and here again.
    pub restored: u64,
    /// What was stored and lacked in the snapshot, deleted or not.
    pub missing: u64,
    /// What was stored when the run met it.
    pub stored: u64,
    /// Received without change by an incremental reading.
    pub overlap_hits: u64,
    /// Changes that a full reading found although they are older than what incremental runs had covered.
    pub drift: u64,
    /// Received, only designed and not built, and therefore not stored (`existing_only`).
    pub designed: u64,
    /// Received and stored without a place.
    pub without_place: u64,
    /// Doubts about what was received; [`Run::doubts`] names the first of them.
    pub doubtful: u64,
    /// What the guard said.
    pub guard: Verdict,
}

/// What a run read of one feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FeatureReport {
    /// Which.
    pub feature: Feature,
    /// Whether the whole list was read.
    pub whole: bool,
    /// Rows received.
    pub read: u64,
    /// Pages received.
    pub pages: u64,
    /// How often the list was begun again because it changed under the reader.
    pub restarts: u64,
    /// Rows that could not be read.
    pub failed: u64,
    /// The first hundred of them.
    #[serde(default)]
    pub unread: Vec<UnreadRow>,
    /// Whether it was provably read to its end.
    pub complete: bool,
    /// Why not.
    pub error: Option<String>,
    /// The cursor before the run.
    pub cursor_before: Option<Timestamp>,
    /// The cursor after it.
    pub cursor_after: Option<Timestamp>,
}

/// One run: what is returned, and what the history keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Run {
    /// Counts up within an integration; 0 of a dry run.
    pub run_id: i64,
    /// Why it was started.
    pub trigger: Trigger,
    /// How it reads.
    pub mode: Mode,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// When it was started, by our clock.
    pub started_at: Timestamp,
    /// When it ended; nothing while it runs, or if it was killed.
    pub finished_at: Option<Timestamp>,
    /// The moment that its cursors go to.
    pub stamp: Timestamp,
    /// Whose clock that is.
    pub stamp_source: StampSource,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Whether it went on where a killed one had stopped.
    pub resumed: bool,
    /// By kind.
    pub kinds: BTreeMap<Kind, KindReport>,
    /// By feature.
    pub features: Vec<FeatureReport>,
    /// At most 1,000 of them are named.
    pub conflicts: Vec<Conflict>,
    /// What is doubtful about elements that were stored as they came; at most a hundred of each shelf are named, and all are
    /// counted in [`KindReport::doubtful`].
    #[serde(default)]
    pub doubts: Vec<Doubtful>,
    /// Anything else that somebody should know; at most 1,000 lines.
    pub warnings: Vec<String>,
}

/// How many conflicts and warnings a report names.
pub(crate) const NAMED: usize = 1_000;

impl Run {
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        if self.warnings.len() < NAMED {
            self.warnings.push(text.into());
        }
    }

    /// The sum of one figure over all kinds.
    #[must_use]
    pub fn sum(&self, figure: impl Fn(&KindReport) -> u64) -> u64 {
        self.kinds.values().map(figure).fold(0, u64::saturating_add)
    }

    /// The kinds whose deletions the guard held back.
    #[must_use]
    pub fn blocked(&self) -> Vec<Kind> {
        self.kinds.iter().filter(|(_, report)| report.guard.is_blocked()).map(|(kind, _)| *kind).collect()
    }
}

/// How well an integration keeps up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Per feature, how long ago the moment is up to which it was read completely; nothing if it never was.
    pub lag: BTreeMap<Feature, Option<Duration>>,
    /// Rows that the last finished run received again without change.
    pub overlap_hits: u64,
    /// Changes that incremental runs had missed, as the last full run found.
    pub drift: u64,
    /// How the last finished run ended.
    pub last_outcome: Option<Outcome>,
}

/// What happens in a run, told while it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It begins, or goes on.
    Started {
        /// Which.
        run: i64,
        /// How it reads.
        mode: Mode,
        /// Whether it goes on where a killed one had stopped.
        resumed: bool,
        /// What it reads; several of them at the same time.
        shelves: Vec<Shelf>,
    },
    /// A page was stored.
    Page {
        /// Of which elements.
        shelf: Shelf,
        /// Rows received so far.
        read: u64,
        /// How many there are, if the plant said so.
        total: Option<u64>,
    },
    /// A list is begun again because it changed under the reader.
    Restarted {
        /// Of which elements.
        shelf: Shelf,
    },
    /// A list was read to its end.
    Finished {
        /// Of which elements.
        shelf: Shelf,
        /// Whether provably whole.
        complete: bool,
    },
    /// The guard held deletions back.
    Blocked {
        /// Of which kind.
        kind: Kind,
        /// How many.
        count: u64,
    },
    /// The run ended.
    Ended {
        /// How.
        outcome: Outcome,
    },
}

/// Receives the events of runs, in order and without delay: whatever takes time belongs into a channel.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn notice(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn notice(&self, event: &Event) {
        self(event);
    }
}
