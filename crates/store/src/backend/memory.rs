//! The backend for tests and trials: everything in this process, behind one lock. It keeps every promise but durability.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use integration_core::clock::{Clock, SystemClock};
use jiff::Timestamp;

use super::{Backend, Pending, check_names, lease_lost, moved_on, no_such_entry};
use crate::checkpoint::{Checkpoint, Commit, Record};
use crate::entry::{Change, Entry, Event, LaneChoice, Lease, NewEntry, Query, State};
use crate::error::StoreError;

/// A store in memory: gone with the process. Clones of the [`Store`](crate::Store) around it share it.
///
/// ```
/// use std::sync::Arc;
/// use integration_core::clock::ManualClock;
/// use integration_store::{Memory, Store};
///
/// let clock = ManualClock::new();
/// let store = Store::from_backend(Memory::with_clock(Arc::new(clock.clone())));
/// assert_eq!(store.url(), "memory:");
/// ```
#[derive(Debug)]
pub struct Memory {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    outboxes: HashMap<String, Outbox>,
    inboxes: HashMap<String, HashMap<String, Duration>>,
    checkpoints: HashMap<String, Cursor>,
}

#[derive(Debug, Default)]
struct Outbox {
    entries: BTreeMap<i64, Entry>,
    keys: HashMap<String, i64>,
    history: HashMap<i64, Vec<Event>>,
    lanes: HashMap<String, Lane>,
    events: i64,
    turns: u64,
}

#[derive(Debug, Default)]
struct Lane {
    fence: i64,
    holder: Option<Holder>,
    open: HashMap<State, BTreeSet<i64>>,
    /// Its place in the queue of ready lanes, while it is in there.
    turn: Option<u64>,
}

#[derive(Debug)]
struct Holder {
    worker: String,
    until: Duration,
}

#[derive(Debug)]
struct Cursor {
    checkpoint: Checkpoint,
    records: BTreeMap<(String, String), Bytes>,
}

impl Memory {
    /// An empty one on the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock::new()))
    }

    /// An empty one on a clock of your own.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tables: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // Nothing is changed before everything that can fail has been checked, so a poisoned table is a whole one.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_outbox<T>(&self, name: &str, work: impl FnOnce(&mut Outbox) -> T) -> T {
        work(self.lock().outboxes.entry(name.to_owned()).or_default())
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    fn append(&mut self, worker: &str, new: NewEntry, at: Timestamp) -> (Entry, bool) {
        if let Some(entry) = self.keys.get(&new.key).and_then(|id| self.entries.get(id)) {
            return (entry.clone(), false);
        }
        let id = self.entries.last_key_value().map_or(1, |(last, _)| last + 1);
        let entry = Entry::prepared(id, new, at);
        self.keys.insert(entry.key.clone(), id);
        self.put(worker, entry.clone());
        (entry, true)
    }

    /// Stores an entry as it is now, with its line of history and its lane's place in the queue.
    fn put(&mut self, worker: &str, entry: Entry) {
        self.events += 1;
        let event = Event::of(self.events, &entry, worker);
        self.history.entry(entry.id).or_default().push(event);
        self.lanes.entry(entry.lane.clone()).or_default().file(entry.id, entry.state);
        let name = entry.lane.clone();
        self.entries.insert(entry.id, entry);
        self.queue(&name);
    }

    /// Puts a lane that became ready at the end of the queue, and takes one that is no longer ready out of it.
    fn queue(&mut self, name: &str) {
        let Some(lane) = self.lanes.get_mut(name) else { return };
        if !lane.is_ready() {
            lane.turn = None;
        } else if lane.turn.is_none() {
            self.turns += 1;
            lane.turn = Some(self.turns);
        }
    }

    fn longest_waiting(&self, now: Duration) -> Option<String> {
        let free = self.lanes.iter().filter(|(_, lane)| lane.holder_at(now).is_none());
        let ready = free.filter_map(|(name, lane)| lane.turn.map(|turn| (turn, name)));
        ready.min().map(|(_, name)| name.clone())
    }

    fn claim(
        &mut self,
        name: &str,
        worker: &str,
        now: Duration,
        until: Duration,
        at: Timestamp,
    ) -> Option<i64> {
        let lane = self.lanes.entry(name.to_owned()).or_default();
        if lane.holder_at(now).is_some_and(|holder| holder.worker != worker) {
            return None;
        }
        lane.fence += 1;
        lane.holder = Some(Holder { worker: worker.to_owned(), until });
        let (fence, turn) = (lane.fence, lane.turn.take());
        self.give_up_in_flight(name, worker, at);
        if turn.is_some() {
            self.queue(name);
        }
        Some(fence)
    }

    fn give_up_in_flight(&mut self, lane: &str, worker: &str, at: Timestamp) {
        let ids = self.lanes.get(lane).and_then(|lane| lane.open.get(&State::InFlight)).into_iter().flatten();
        let abandoned: Vec<Entry> = ids.filter_map(|id| self.entries.get(id)).cloned().collect();
        for entry in abandoned {
            let version = entry.version + 1;
            self.put(worker, Entry { state: State::Unknown, version, changed: at, ..entry });
        }
    }

    fn held(&mut self, lease: &Lease) -> Result<&mut Lane, StoreError> {
        let lane = self.lanes.get_mut(&lease.lane).ok_or_else(|| lease_lost(lease))?;
        let holds = lane.holder.as_ref().is_some_and(|holder| holder.worker == lease.worker);
        if holds && lane.fence == lease.fence { Ok(lane) } else { Err(lease_lost(lease)) }
    }

    fn write(&mut self, lease: &Lease, changes: &[Change], at: Timestamp) -> Result<Vec<Entry>, StoreError> {
        self.held(lease)?;
        let mut staged: HashMap<i64, Entry> = HashMap::new();
        let mut written = Vec::with_capacity(changes.len());
        for change in changes {
            let entry = staged.get(&change.entry).or_else(|| self.entries.get(&change.entry));
            let entry = entry.ok_or_else(|| no_such_entry(&lease.outbox, change.entry))?;
            let entry = entry.changed(&lease.lane, change, at)?;
            staged.insert(entry.id, entry.clone());
            written.push(entry);
        }
        written.iter().for_each(|entry| self.put(&lease.worker, entry.clone()));
        Ok(written)
    }

    fn testify(
        &mut self,
        outbox: &str,
        worker: &str,
        entry: i64,
        data: Bytes,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let known = self.entries.get(&entry).ok_or_else(|| no_such_entry(outbox, entry))?;
        self.events += 1;
        let event = Event { testimony: true, data, at, ..Event::of(self.events, known, worker) };
        self.history.entry(entry).or_default().push(event);
        Ok(())
    }

    fn list(&self, query: &Query) -> Vec<Entry> {
        let after = self.entries.range(query.after.saturating_add(1)..).map(|(_, entry)| entry);
        after.filter(|entry| query.matches(entry)).take(query.page_size()).cloned().collect()
    }
}

impl Lane {
    /// Moves an entry to the list of its state: open ones are found without looking at old ones.
    fn file(&mut self, entry: i64, state: State) {
        self.open.values_mut().for_each(|entries| {
            entries.remove(&entry);
        });
        if state.is_open() {
            self.open.entry(state).or_default().insert(entry);
        }
    }

    fn is_ready(&self) -> bool {
        let any = |state: State| self.open.get(&state).is_some_and(|entries| !entries.is_empty());
        !any(State::Unknown) && (any(State::Prepared) || any(State::InFlight))
    }

    fn holder_at(&self, now: Duration) -> Option<&Holder> {
        self.holder.as_ref().filter(|holder| now < holder.until)
    }
}

impl Cursor {
    fn apply(&mut self, commit: Commit) -> Checkpoint {
        for Record { collection, key, value } in commit.records {
            match value {
                Some(value) => self.records.insert((collection, key), value),
                None => self.records.remove(&(collection, key)),
            };
        }
        self.checkpoint = Checkpoint::new(commit.cursor, commit.version + 1);
        self.checkpoint.clone()
    }
}

impl Tables {
    fn commit(&mut self, name: &str, commit: Commit) -> Result<Checkpoint, StoreError> {
        let stands = self.checkpoints.get(name).map_or(0, |cursor| cursor.checkpoint.version);
        if stands != commit.version {
            return Err(moved_on(name, commit.version, stands));
        }
        let fresh = || Cursor { checkpoint: Checkpoint::new(Bytes::new(), 0), records: BTreeMap::new() };
        Ok(self.checkpoints.entry(name.to_owned()).or_insert_with(fresh).apply(commit))
    }

    fn remember(&mut self, inbox: &str, key: &str, now: Duration, until: Duration) -> bool {
        let keys = self.inboxes.entry(inbox.to_owned()).or_default();
        if keys.get(key).is_some_and(|until| now < *until) {
            return false;
        }
        keys.insert(key.to_owned(), until);
        true
    }
}

impl Backend for Memory {
    fn url(&self) -> String {
        "memory:".to_owned()
    }

    fn append<'a>(
        &'a self,
        outbox: &'a str,
        worker: &'a str,
        entries: Vec<NewEntry>,
    ) -> Pending<'a, Vec<(Entry, bool)>> {
        Box::pin(async move {
            check_names([outbox, worker])?;
            check_names(entries.iter().flat_map(|new| [new.lane.as_str(), new.key.as_str()]))?;
            let at = self.clock.wall();
            let append =
                |table: &mut Outbox| entries.into_iter().map(|new| table.append(worker, new, at)).collect();
            Ok(self.with_outbox(outbox, append))
        })
    }

    fn claim<'a>(
        &'a self,
        outbox: &'a str,
        lane: LaneChoice<'a>,
        worker: &'a str,
        ttl: Duration,
    ) -> Pending<'a, Option<Lease>> {
        Box::pin(async move {
            check_names([outbox, worker])?;
            let (now, at) = (self.clock.elapsed(), self.clock.wall());
            let mut tables = self.lock();
            let table = tables.outboxes.entry(outbox.to_owned()).or_default();
            let lane = match lane {
                LaneChoice::Named(lane) => Some(lane.to_owned()),
                LaneChoice::AnyReady => table.longest_waiting(now),
            };
            let Some(lane) = lane else { return Ok(None) };
            check_names([lane.as_str()])?;
            let fence = table.claim(&lane, worker, now, now.saturating_add(ttl), at);
            Ok(fence.map(|fence| Lease::new(outbox, lane, worker, fence)))
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Pending<'a, ()> {
        Box::pin(async move {
            let until = self.clock.elapsed().saturating_add(ttl);
            self.with_outbox(&lease.outbox, |table| {
                table.held(lease)?.holder = Some(Holder { worker: lease.worker.clone(), until });
                Ok(())
            })
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        Box::pin(async move {
            self.with_outbox(&lease.outbox, |table| {
                if let Ok(lane) = table.held(lease) {
                    lane.holder = None;
                }
            });
            Ok(())
        })
    }

    fn write<'a>(&'a self, lease: &'a Lease, changes: Vec<Change>) -> Pending<'a, Vec<Entry>> {
        Box::pin(async move {
            let at = self.clock.wall();
            self.with_outbox(&lease.outbox, |table| table.write(lease, &changes, at))
        })
    }

    fn testify<'a>(&'a self, outbox: &'a str, worker: &'a str, entry: i64, data: Bytes) -> Pending<'a, ()> {
        Box::pin(async move {
            check_names([worker])?;
            let at = self.clock.wall();
            self.with_outbox(outbox, |table| table.testify(outbox, worker, entry, data, at))
        })
    }

    fn find<'a>(&'a self, outbox: &'a str, key: &'a str) -> Pending<'a, Option<Entry>> {
        Box::pin(async move {
            let find = |table: &mut Outbox| table.keys.get(key).and_then(|id| table.entries.get(id)).cloned();
            Ok(self.with_outbox(outbox, find))
        })
    }

    fn list<'a>(&'a self, outbox: &'a str, query: Query) -> Pending<'a, Vec<Entry>> {
        Box::pin(async move { Ok(self.with_outbox(outbox, |table| table.list(&query))) })
    }

    fn history<'a>(&'a self, outbox: &'a str, entry: i64) -> Pending<'a, Vec<Event>> {
        Box::pin(async move {
            let history = self.with_outbox(outbox, |table| table.history.get(&entry).cloned());
            history.ok_or_else(|| no_such_entry(outbox, entry))
        })
    }

    fn remember<'a>(&'a self, inbox: &'a str, key: &'a str, ttl: Duration) -> Pending<'a, bool> {
        Box::pin(async move {
            check_names([inbox, key])?;
            let now = self.clock.elapsed();
            Ok(self.lock().remember(inbox, key, now, now.saturating_add(ttl)))
        })
    }

    fn forget<'a>(&'a self, inbox: &'a str, key: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            self.lock().inboxes.get_mut(inbox).and_then(|keys| keys.remove(key));
            Ok(())
        })
    }

    fn purge<'a>(&'a self, inbox: &'a str) -> Pending<'a, u64> {
        Box::pin(async move {
            let now = self.clock.elapsed();
            let mut tables = self.lock();
            let Some(keys) = tables.inboxes.get_mut(inbox) else { return Ok(0) };
            let before = keys.len();
            keys.retain(|_, until| now < *until);
            Ok(u64::try_from(before - keys.len()).unwrap_or(u64::MAX))
        })
    }

    fn checkpoint<'a>(&'a self, name: &'a str) -> Pending<'a, Option<Checkpoint>> {
        Box::pin(async move { Ok(self.lock().checkpoints.get(name).map(|cursor| cursor.checkpoint.clone())) })
    }

    fn commit<'a>(&'a self, name: &'a str, commit: Commit) -> Pending<'a, Checkpoint> {
        Box::pin(async move {
            check_names([name])?;
            check_names(
                commit.records.iter().flat_map(|record| [record.collection.as_str(), record.key.as_str()]),
            )?;
            self.lock().commit(name, commit)
        })
    }

    fn records<'a>(
        &'a self,
        name: &'a str,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Bytes)>> {
        Box::pin(async move {
            let tables = self.lock();
            let Some(cursor) = tables.checkpoints.get(name) else { return Ok(Vec::new()) };
            let from = (collection.to_owned(), after.unwrap_or_default().to_owned());
            let rest = cursor.records.range(from..).take_while(|((other, _), _)| other == collection);
            let rest = rest.filter(|((_, key), _)| after.is_none_or(|after| key.as_str() > after));
            Ok(rest.take(limit).map(|((_, key), value)| (key.clone(), value.clone())).collect())
        })
    }
}
