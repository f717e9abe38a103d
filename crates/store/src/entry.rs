//! What the outbox keeps: entries, their states, and who may change them.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::error::{StoreError, StoreErrorKind};

/// Where a call that must happen exactly once stands (contract `fiscal-printer` 9.1, DESIGN section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Written down, nothing sent.
    Prepared,
    /// Written before the first byte goes out.
    InFlight,
    /// The service acted.
    Done,
    /// The service did not act.
    Refused,
    /// Nobody knows; to be found out before anything else happens in the lane.
    Unknown,
    /// Set aside by a person or by a rule; blocks nobody, may be replayed by an operator.
    Dead,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Prepared, Self::InFlight, Self::Done, Self::Refused, Self::Unknown, Self::Dead];

    /// Whether an entry may go from this state to `next`. Every backend enforces exactly this table.
    ///
    /// `Unknown` never goes back to `Prepared`: what may have been applied must not look as if it had never been sent.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Prepared, Self::InFlight | Self::Dead)
                | (Self::InFlight, Self::Prepared | Self::Done | Self::Refused | Self::Unknown)
                | (Self::Unknown, Self::InFlight | Self::Done | Self::Refused)
                | (Self::Refused, Self::Prepared | Self::Dead)
                | (Self::Dead, Self::Prepared)
        )
    }

    /// The name under which it is stored and printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::InFlight => "in_flight",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
        }
    }

    /// Whether something is still to be done or found out.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Prepared | Self::InFlight | Self::Unknown)
    }
}

/// A call to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Ordering key: entries of one lane happen one after another, lanes are independent.
    pub lane: String,
    /// Natural key, unique in the outbox: writing it down twice gives the first entry back.
    pub key: String,
    /// The exact bytes to be sent. They never change while an entry is open; a refused or dead entry may be revised.
    pub body: Bytes,
    /// What the client wants to remember; opaque to the store.
    pub data: Bytes,
}

/// A call as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Position in the outbox: ascending in the order in which entries were first written down.
    pub id: i64,
    /// Ordering key.
    pub lane: String,
    /// Natural key.
    pub key: String,
    /// Where it stands.
    pub state: State,
    /// The exact bytes to be sent.
    pub body: Bytes,
    /// What the client remembers.
    pub data: Bytes,
    /// Counts every change; a change names the version that it was decided on.
    pub version: i64,
    /// When it was first written down.
    pub created: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
}

impl Entry {
    /// An entry as it is first written down: `Prepared`, version 1. For backends.
    #[must_use]
    pub fn prepared(id: i64, new: NewEntry, at: Timestamp) -> Self {
        let NewEntry { lane, key, body, data } = new;
        Self { id, lane, key, state: State::Prepared, body, data, version: 1, created: at, changed: at }
    }

    /// This entry after a change, if [`Backend::write`](crate::Backend::write) allows it. For backends, so that none has to
    /// write the rules down again.
    ///
    /// # Errors
    ///
    /// [`Conflict`](StoreErrorKind::Conflict) if the entry is of another lane than `lane`, if the change was decided on another
    /// version or is not in [`State::may_become`], or if a body comes where none may.
    pub fn changed(&self, lane: &str, change: &Change, at: Timestamp) -> Result<Self, StoreError> {
        self.check(lane, change)?;
        let body = change.body.as_ref().unwrap_or(&self.body).clone();
        Ok(Self {
            state: change.state,
            body,
            data: change.data.clone(),
            version: self.version.saturating_add(1),
            changed: at,
            ..self.clone()
        })
    }

    fn check(&self, lane: &str, change: &Change) -> Result<(), StoreError> {
        if self.lane != lane {
            return Err(self.conflict(&format!("is of lane {:?}, and the lease of lane {lane:?}", self.lane)));
        }
        if self.version != change.version {
            let (stands, decided) = (self.version, change.version);
            return Err(
                self.conflict(&format!("stands at version {stands}, the change was decided on {decided}"))
            );
        }
        if !self.state.may_become(change.state) {
            let (from, to) = (self.state.name(), change.state.name());
            return Err(self.conflict(&format!("is {from} and may not become {to}")));
        }
        if change.body.is_some() && !self.may_be_revised(change.state) {
            return Err(self.conflict(
                "keeps its bytes: only a refused or dead entry that becomes prepared may be revised",
            ));
        }
        Ok(())
    }

    /// What may have left this machine keeps its bytes: an open entry is resent as it is or not at all.
    fn may_be_revised(&self, next: State) -> bool {
        matches!(self.state, State::Refused | State::Dead) && next == State::Prepared
    }

    fn conflict(&self, why: &str) -> StoreError {
        StoreError::new(StoreErrorKind::Conflict, format!("entry {} {why}", self.id))
    }
}

/// One line of an entry's history, which is append-only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Position in the outbox's history, ascending.
    pub id: i64,
    /// The entry it belongs to.
    pub entry: i64,
    /// When.
    pub at: Timestamp,
    /// Who: the worker's name.
    pub worker: String,
    /// The state after it; for testimony the state at that time.
    pub state: State,
    /// Whether it is testimony: knowledge of a worker that had lost its lease, which changed nothing by itself.
    pub testimony: bool,
    /// What the client remembers of it.
    pub data: Bytes,
}

impl Event {
    /// The line that tells how an entry stands after a change. For backends.
    #[must_use]
    pub fn of(id: i64, entry: &Entry, worker: impl Into<String>) -> Self {
        Self {
            id,
            entry: entry.id,
            at: entry.changed,
            worker: worker.into(),
            state: entry.state,
            testimony: false,
            data: entry.data.clone(),
        }
    }
}

/// The right to change the entries of one lane, until it runs out or is taken away.
///
/// The fence grows with every claim of the lane. A backend refuses each change that carries an older one, in the same
/// transaction as the change, so a worker that was paused for an hour cannot write over its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The outbox.
    pub outbox: String,
    /// The lane.
    pub lane: String,
    /// Who holds it.
    pub worker: String,
    /// Grows with every claim.
    pub fence: i64,
}

impl Lease {
    /// For backends.
    #[must_use]
    pub fn new(
        outbox: impl Into<String>,
        lane: impl Into<String>,
        worker: impl Into<String>,
        fence: i64,
    ) -> Self {
        Self { outbox: outbox.into(), lane: lane.into(), worker: worker.into(), fence }
    }
}

/// A change of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which entry.
    pub entry: i64,
    /// The version it was decided on; another one is a [conflict](crate::StoreErrorKind::Conflict).
    pub version: i64,
    /// The state to go to.
    pub state: State,
    /// What the client remembers from now on.
    pub data: Bytes,
    /// New bytes to be sent: only together with going to `Prepared` from `Refused` or `Dead`.
    pub body: Option<Bytes>,
}

/// Which lane to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaneChoice<'l> {
    /// This one.
    Named(&'l str),
    /// Any lane that has a `Prepared` or `InFlight` entry, holds no `Unknown` one, and is nobody's; the one that waited longest
    /// since it was last claimed or, if that was later, since it became so. A lane whose first entry fails again and again thus
    /// goes to the end of the queue each time.
    AnyReady,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Query {
    /// Only entries in one of these states; all if empty.
    pub states: Vec<State>,
    /// Only this lane.
    pub lane: Option<String>,
    /// Only keys that start with this.
    pub key_prefix: Option<String>,
    /// Only entries created at or after this moment.
    pub created_from: Option<Timestamp>,
    /// Only entries created before this moment.
    pub created_before: Option<Timestamp>,
    /// Only entries after this id: the last one of the page before.
    pub after: i64,
    /// At most this many; 0 stands for 1,000, which is also the most.
    pub limit: usize,
}

/// How many entries [`Query::limit`] may ask for at most.
pub(crate) const MOST_LISTED: usize = 1_000;

impl Query {
    /// Entries in these states.
    #[must_use]
    pub fn in_states(states: impl Into<Vec<State>>) -> Self {
        Self { states: states.into(), ..Self::default() }
    }

    /// Entries with which something is still to be done or found out.
    #[must_use]
    pub fn open() -> Self {
        Self::in_states(State::ALL.into_iter().filter(|state| state.is_open()).collect::<Vec<_>>())
    }

    /// Entries of one lane.
    #[must_use]
    pub fn of_lane(lane: impl Into<String>) -> Self {
        Self { lane: Some(lane.into()), ..Self::default() }
    }

    /// How many entries a page holds at most, with the meaning of 0 applied. For backends.
    #[must_use]
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { MOST_LISTED } else { self.limit.min(MOST_LISTED) }
    }

    /// Whether an entry is asked for, the limit aside. For backends.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        entry.id > self.after
            && (self.states.is_empty() || self.states.contains(&entry.state))
            && self.lane.as_ref().is_none_or(|lane| *lane == entry.lane)
            && self.key_prefix.as_ref().is_none_or(|prefix| entry.key.starts_with(prefix))
            && self.created_from.is_none_or(|from| entry.created >= from)
            && self.created_before.is_none_or(|before| entry.created < before)
    }

    /// The question for the page after this one; `None` if this one was the last.
    #[must_use]
    pub fn next(mut self, page: &[Entry]) -> Option<Self> {
        let last = page.last().filter(|_| page.len() >= self.page_size())?;
        self.after = last.id;
        Some(self)
    }
}

/// How long a lease lasts unless it is renewed.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_applied_never_looks_unsent() {
        assert!(!State::Unknown.may_become(State::Prepared));
        assert!(!State::Unknown.may_become(State::Dead));
        assert!(State::ALL.iter().all(|state| !State::Done.may_become(*state)));
        assert!(State::ALL.iter().all(|state| !state.may_become(*state)));
    }
}
