//! What the outbox keeps: entries, their states, and who may change them.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::chain::{Digest, Tip};
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

    /// The name under which it is printed, and which the hash chain covers: never to be changed.
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
///
/// ```
/// use integration_store::NewEntry;
///
/// let call = NewEntry::new("J-1/01", "J-1/01/00000007", r#"{"number":7}"#, "").with_in_flight();
/// assert!(call.in_flight);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewEntry {
    /// Ordering key: entries of one lane happen one after another, lanes are independent.
    pub lane: String,
    /// Natural key, unique in the outbox: writing it down twice gives the first entry back.
    pub key: String,
    /// The exact bytes to be sent. They never change while an entry is open; a refused or dead entry may be revised.
    pub body: Bytes,
    /// What the client wants to remember; opaque to the store.
    pub data: Bytes,
    /// Whether it goes straight on to `InFlight`, in the same commit and with both lines of history. Only in a [`Step`]: who
    /// holds no lease may not send.
    pub in_flight: bool,
}

impl NewEntry {
    /// A call that is written down as `Prepared`.
    pub fn new(
        lane: impl Into<String>,
        key: impl Into<String>,
        body: impl Into<Bytes>,
        data: impl Into<Bytes>,
    ) -> Self {
        let (lane, key, body, data) = (lane.into(), key.into(), body.into(), data.into());
        Self { lane, key, body, data, in_flight: false }
    }

    /// Takes it straight on to `InFlight`.
    #[must_use]
    pub fn with_in_flight(mut self) -> Self {
        self.in_flight = true;
        self
    }
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
        let NewEntry { lane, key, body, data, in_flight: _ } = new;
        Self { id, lane, key, state: State::Prepared, body, data, version: 1, created: at, changed: at }
    }

    /// A `Prepared` entry on its way, as [`NewEntry::in_flight`] asks. For backends.
    #[must_use]
    pub fn sent_at_once(&self) -> Self {
        Self { state: State::InFlight, version: self.version.saturating_add(1), ..self.clone() }
    }

    /// This entry given up by whoever had it in flight. For backends.
    #[must_use]
    pub fn given_up(&self, at: Timestamp) -> Self {
        Self { state: State::Unknown, version: self.version.saturating_add(1), changed: at, ..self.clone() }
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
    /// The hash of the entry's bytes to be sent, as they were then.
    pub body: Digest,
    /// Its position in the history of its lane, from 1.
    pub line: i64,
    /// The hash of this line and of all before it in the lane: see [`Outbox::verify`](crate::Outbox::verify).
    pub link: Digest,
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
            body: Digest::of(&entry.body),
            line: 0,
            link: Digest::default(),
        }
    }

    /// The line of a worker that had lost its lease. For backends.
    #[must_use]
    pub fn of_testimony(
        id: i64,
        entry: &Entry,
        worker: impl Into<String>,
        at: Timestamp,
        data: Bytes,
    ) -> Self {
        Self { testimony: true, at, data, ..Self::of(id, entry, worker) }
    }
}

/// A line of history as [`Backend::lines`](crate::Backend::lines) gives it: with what it says of its entry. For backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The entry's lane.
    pub lane: String,
    /// The entry's key.
    pub key: String,
    /// The line.
    pub event: Event,
}

/// An entry beside the last line of its history. For backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The entry as it is stored, whatever its checksum says.
    pub entry: Entry,
    /// The last line that is not testimony.
    pub last: Option<Event>,
    /// How many lines it has that are not testimony.
    pub changes: i64,
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

impl Change {
    /// Takes `entry`, as it was read, to `state`.
    pub fn new(entry: &Entry, state: State, data: impl Into<Bytes>) -> Self {
        Self { entry: entry.id, version: entry.version, state, data: data.into(), body: None }
    }

    /// Puts other bytes in the place of those that were refused or set aside.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }
}

/// What is done to a lane in one commit: all of it or nothing.
///
/// ```
/// use integration_store::{NewEntry, Step};
///
/// let step = Step::new().with_append(NewEntry::new("a", "a/1", "body", "").with_in_flight()).with_release();
/// assert!(step.release && step.changes.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Step {
    /// Entries to be written down, of this lane. A key that is there already is a
    /// [conflict](crate::StoreErrorKind::Conflict).
    pub append: Vec<NewEntry>,
    /// Changes of entries of this lane, made after that.
    pub changes: Vec<Change>,
    /// Whether the lane is given back.
    pub release: bool,
}

impl Step {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes one more entry down.
    #[must_use]
    pub fn with_append(mut self, new: NewEntry) -> Self {
        self.append.push(new);
        self
    }

    /// Makes one more change.
    #[must_use]
    pub fn with_change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// Makes these changes, after those that are there.
    #[must_use]
    pub fn with_changes(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// Gives the lane back.
    #[must_use]
    pub fn with_release(mut self) -> Self {
        self.release = true;
        self
    }

    /// Whether everything that is written down belongs to the lane, each key once. For backends.
    ///
    /// # Errors
    ///
    /// [`Conflict`](StoreErrorKind::Conflict) if not.
    pub fn check(&self, lane: &str) -> Result<(), StoreError> {
        if let Some(new) = self.append.iter().find(|new| new.lane != lane) {
            let message = format!("{:?} is of lane {:?}, and the lease of lane {lane:?}", new.key, new.lane);
            return Err(StoreError::new(StoreErrorKind::Conflict, message));
        }
        let mut keys = std::collections::HashSet::new();
        match self.append.iter().find(|new| !keys.insert(&new.key)) {
            Some(twice) => Err(crate::backend::key_is_there(&twice.key)),
            None => Ok(()),
        }
    }
}

/// A lane as it stands, read without claiming it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LaneView {
    /// How often it was claimed; 0 for a lane that nobody knows.
    pub fence: i64,
    /// Whose lease runs, by the backend's clock.
    pub held_by: Option<String>,
    /// The newest line of its history.
    pub tip: Tip,
}

impl LaneView {
    /// For backends.
    #[must_use]
    pub fn new(fence: i64, held_by: Option<String>, tip: Tip) -> Self {
        Self { fence, held_by, tip }
    }

    /// Whether somebody's lease runs.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held_by.is_some()
    }
}

/// In what order entries are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Order {
    /// Ascending by id: as they were first written down.
    #[default]
    Written,
    /// Descending by key, bytewise. Keys that end in a number must be padded with zeros for the highest to come first.
    NewestKeysFirst,
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
    /// Only entries after this id: the last one of the page before, in the order of ids.
    pub after: i64,
    /// Only keys before this one: the last one of the page before, in the descending order of keys.
    pub key_before: Option<String>,
    /// In what order.
    pub order: Order,
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

    /// Only entries in these states.
    #[must_use]
    pub fn with_states(mut self, states: impl Into<Vec<State>>) -> Self {
        self.states = states.into();
        self
    }

    /// Only entries of this lane.
    #[must_use]
    pub fn with_lane(mut self, lane: impl Into<String>) -> Self {
        self.lane = Some(lane.into());
        self
    }

    /// Only entries whose key starts with this.
    #[must_use]
    pub fn with_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.key_prefix = Some(prefix.into());
        self
    }

    /// At most this many on a page.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Descending by key instead of ascending by id. With a lane and a limit of 1: the lane's highest key, found through an
    /// index.
    #[must_use]
    pub fn newest_keys_first(mut self) -> Self {
        self.order = Order::NewestKeysFirst;
        self
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
            && self.key_before.as_ref().is_none_or(|before| entry.key < *before)
            && self.created_from.is_none_or(|from| entry.created >= from)
            && self.created_before.is_none_or(|before| entry.created < before)
    }

    /// The question for the page after this one; `None` if this one was the last.
    #[must_use]
    pub fn next(mut self, page: &[Entry]) -> Option<Self> {
        let last = page.last().filter(|_| page.len() >= self.page_size())?;
        match self.order {
            Order::Written => self.after = last.id,
            Order::NewestKeysFirst => self.key_before = Some(last.key.clone()),
        }
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
