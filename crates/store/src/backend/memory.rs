//! The backend for tests and trials: everything in this process, behind one lock. It keeps every promise but durability.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use integration_core::clock::{Clock, SystemClock};
use jiff::Timestamp;

use super::{
    Backend, Pending, check_names, check_no_flight, check_step, check_ticket, key_is_there, lease_lost,
    moved_on, no_such_entry,
};
use crate::chain::Tip;
use crate::checkpoint::{Checkpoint, Commit, Record};
use crate::entry::{
    Change, Entry, Event, LaneChoice, LaneView, Lease, Line, NewEntry, Order, Query, Standing, State, Step,
};
use crate::error::StoreError;
use crate::inbox::{Claim, Ticket};

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
pub struct Memory {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
}

// What is stored may hold what nobody should read in a log.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Tables {
    outboxes: HashMap<String, Outbox>,
    inboxes: HashMap<String, HashMap<String, Kept>>,
    checkpoints: HashMap<String, Cursor>,
}

#[derive(Debug, Default)]
struct Outbox {
    name: String,
    entries: BTreeMap<i64, Entry>,
    keys: HashMap<String, i64>,
    /// Every line, in order.
    lines: Vec<Event>,
    /// Which of them are of an entry.
    history: HashMap<i64, Vec<usize>>,
    lanes: BTreeMap<String, Lane>,
    turns: u64,
}

#[derive(Debug, Default)]
struct Lane {
    fence: i64,
    holder: Option<Holder>,
    open: HashMap<State, BTreeSet<i64>>,
    /// Its place in the queue of ready lanes, while it is in there.
    turn: Option<u64>,
    tip: Tip,
}

#[derive(Debug)]
struct Holder {
    worker: String,
    until: Duration,
}

/// A key of an inbox: claimed with a ticket, or handled.
#[derive(Debug)]
struct Kept {
    until: Duration,
    claim: Option<Ticket>,
}

impl Kept {
    fn is_claimed_with(&self, ticket: &Ticket) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.token == ticket.token)
    }
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
        work(self.lock().outbox(name))
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
        let entry = Entry::prepared(self.next_id(), new, at);
        self.put(worker, entry.clone());
        (entry, true)
    }

    fn next_id(&self) -> i64 {
        self.entries.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    /// Stores an entry as it is now, with its line of history and its lane's place in the queue.
    fn put(&mut self, worker: &str, entry: Entry) {
        self.add_line(&entry, Event::of(self.next_line(), &entry, worker));
        self.lanes.entry(entry.lane.clone()).or_default().file(entry.id, entry.state);
        let name = entry.lane.clone();
        self.keys.insert(entry.key.clone(), entry.id);
        self.entries.insert(entry.id, entry);
        self.queue(&name);
    }

    fn next_line(&self) -> i64 {
        i64::try_from(self.lines.len()).unwrap_or(i64::MAX).saturating_add(1)
    }

    fn add_line(&mut self, entry: &Entry, mut event: Event) {
        let lane = self.lanes.entry(entry.lane.clone()).or_default();
        lane.tip.chain(&self.name, &entry.lane, &entry.key, &mut event);
        self.history.entry(entry.id).or_default().push(self.lines.len());
        self.lines.push(event);
    }

    fn history(&self, entry: i64) -> Option<Vec<Event>> {
        let lines = self.history.get(&entry)?;
        Some(lines.iter().filter_map(|line| self.lines.get(*line)).cloned().collect())
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
            self.put(worker, entry.given_up(at));
        }
    }

    fn held(&mut self, lease: &Lease) -> Result<&mut Lane, StoreError> {
        let lane = self.lanes.get_mut(&lease.lane).ok_or_else(|| lease_lost(lease))?;
        let holds = lane.holder.as_ref().is_some_and(|holder| holder.worker == lease.worker);
        if holds && lane.fence == lease.fence { Ok(lane) } else { Err(lease_lost(lease)) }
    }

    fn apply(&mut self, lease: &Lease, step: Step, at: Timestamp) -> Result<Vec<Entry>, StoreError> {
        self.held(lease)?;
        let staged = self.stage(lease, step.append, &step.changes, at)?;
        Ok(self.make(lease, staged, step.release))
    }

    /// Everything that a step writes, in order, or why it may not: nothing is changed yet. Of an entry that goes straight into
    /// flight both states are in it.
    fn stage(
        &self,
        lease: &Lease,
        append: Vec<NewEntry>,
        changes: &[Change],
        at: Timestamp,
    ) -> Result<Staged, StoreError> {
        let mut staged = Staged::default();
        for (id, new) in (self.next_id()..).zip(append) {
            if self.keys.contains_key(&new.key) {
                return Err(key_is_there(&new.key));
            }
            let in_flight = new.in_flight;
            let entry = Entry::prepared(id, new, at);
            let sent = in_flight.then(|| entry.sent_at_once());
            staged.outcome.push(sent.as_ref().unwrap_or(&entry).clone());
            staged.writes.extend([Some(entry), sent].into_iter().flatten());
        }
        let mut changed: HashMap<i64, Entry> = HashMap::new();
        for change in changes {
            let entry = changed.get(&change.entry).or_else(|| self.entries.get(&change.entry));
            let entry = entry.ok_or_else(|| no_such_entry(&lease.outbox, change.entry))?;
            let entry = entry.changed(&lease.lane, change, at)?;
            changed.insert(entry.id, entry.clone());
            staged.outcome.push(entry.clone());
            staged.writes.push(entry);
        }
        Ok(staged)
    }

    fn make(&mut self, lease: &Lease, staged: Staged, release: bool) -> Vec<Entry> {
        staged.writes.into_iter().for_each(|entry| self.put(&lease.worker, entry));
        if let Some(lane) = self.lanes.get_mut(&lease.lane).filter(|_| release) {
            lane.holder = None;
        }
        staged.outcome
    }

    fn claim_and_apply(
        &mut self,
        request: Lease,
        times: Times,
        step: Step,
    ) -> Result<Option<(Lease, Vec<Entry>)>, StoreError> {
        let unknown = Lane::default();
        let lane = self.lanes.get(&request.lane).unwrap_or(&unknown);
        let held = lane.holder_at(times.now).is_some_and(|holder| holder.worker != request.worker);
        if held || lane.fence != request.fence || lane.has(State::InFlight) || lane.has(State::Unknown) {
            return Ok(None);
        }
        let staged = self.stage(&request, step.append, &step.changes, times.at)?;
        let fence = self.claim(&request.lane, &request.worker, times.now, times.until, times.at);
        let Some(fence) = fence else { return Ok(None) };
        let lease = Lease { fence, ..request };
        let entries = self.make(&lease, staged, step.release);
        Ok(Some((lease, entries)))
    }

    fn lane(&self, lane: &str, now: Duration) -> LaneView {
        self.lanes.get(lane).map_or_else(LaneView::default, |lane| {
            let held_by = lane.holder_at(now).map(|holder| holder.worker.clone());
            LaneView::new(lane.fence, held_by, lane.tip)
        })
    }

    fn lanes(&self, states: &[State]) -> Vec<String> {
        let wanted = |entry: &&Entry| states.is_empty() || states.contains(&entry.state);
        let lanes: BTreeSet<String> =
            self.entries.values().filter(wanted).map(|entry| entry.lane.clone()).collect();
        lanes.into_iter().collect()
    }

    fn tips(&self, after: Option<&str>, limit: usize) -> Vec<(String, Tip)> {
        let rest = self.lanes.iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after));
        let known = rest.filter(|(_, lane)| lane.tip.lines > 0);
        known.take(limit).map(|(name, lane)| (name.clone(), lane.tip)).collect()
    }

    fn lines(&self, after: i64, limit: usize) -> Vec<Line> {
        // A line's id is its position, from 1.
        let rest = self.lines.iter().skip(usize::try_from(after).unwrap_or(0));
        let of_entries = rest.filter_map(|event| Some((event, self.entries.get(&event.entry)?)));
        let line = |(event, entry): (&Event, &Entry)| Line {
            lane: entry.lane.clone(),
            key: entry.key.clone(),
            event: event.clone(),
        };
        of_entries.take(limit).map(line).collect()
    }

    fn standings(&self, after: i64, limit: usize) -> Vec<Standing> {
        let rest = self.entries.range(after.saturating_add(1)..).take(limit);
        rest.map(|(id, entry)| {
            let mut lines = self.history(*id).unwrap_or_default();
            lines.retain(|event| !event.testimony);
            let changes = i64::try_from(lines.len()).unwrap_or(i64::MAX);
            Standing { entry: entry.clone(), last: lines.pop(), changes }
        })
        .collect()
    }

    fn testify(
        &mut self,
        outbox: &str,
        worker: &str,
        entry: i64,
        data: Bytes,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let known = self.entries.get(&entry).ok_or_else(|| no_such_entry(outbox, entry))?.clone();
        self.add_line(&known, Event::of_testimony(self.next_line(), &known, worker, at, data));
        Ok(())
    }

    fn list(&self, query: &Query) -> Vec<Entry> {
        if query.order == Order::NewestKeysFirst {
            let mut found: Vec<&Entry> = self.entries.values().filter(|entry| query.matches(entry)).collect();
            found.sort_by(|one, other| other.key.cmp(&one.key));
            return found.into_iter().take(query.page_size()).cloned().collect();
        }
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
        !self.has(State::Unknown) && (self.has(State::Prepared) || self.has(State::InFlight))
    }

    fn has(&self, open: State) -> bool {
        self.open.get(&open).is_some_and(|entries| !entries.is_empty())
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

/// What a step will write.
#[derive(Debug, Default)]
struct Staged {
    writes: Vec<Entry>,
    outcome: Vec<Entry>,
}

/// The moment of an operation and the end of the lease that it grants, by the clock that never goes back; and the wall clock.
#[derive(Debug, Clone, Copy)]
struct Times {
    now: Duration,
    until: Duration,
    at: Timestamp,
}

impl Tables {
    fn outbox(&mut self, name: &str) -> &mut Outbox {
        let fresh = || Outbox { name: name.to_owned(), ..Outbox::default() };
        self.outboxes.entry(name.to_owned()).or_insert_with(fresh)
    }

    fn commit(&mut self, name: &str, commit: Commit) -> Result<Checkpoint, StoreError> {
        let stands = self.checkpoints.get(name).map_or(0, |cursor| cursor.checkpoint.version);
        if stands != commit.version {
            return Err(moved_on(name, commit.version, stands));
        }
        let fresh = || Cursor { checkpoint: Checkpoint::new(Bytes::new(), 0), records: BTreeMap::new() };
        Ok(self.checkpoints.entry(name.to_owned()).or_insert_with(fresh).apply(commit))
    }

    fn inbox(&mut self, name: &str) -> &mut HashMap<String, Kept> {
        self.inboxes.entry(name.to_owned()).or_default()
    }

    fn remember(&mut self, inbox: &str, key: &str, now: Duration, until: Duration) -> bool {
        let keys = self.inbox(inbox);
        if keys.get(key).is_some_and(|kept| now < kept.until) {
            return false;
        }
        keys.insert(key.to_owned(), Kept { until, claim: None });
        true
    }

    fn claim_key(&mut self, ticket: &Ticket, times: Times) -> Claim {
        let keys = self.inbox(&ticket.inbox);
        let kept = keys.get(&ticket.key).filter(|kept| times.now < kept.until);
        match kept.map(|kept| (kept, &kept.claim)) {
            Some((_, None)) => Claim::Handled,
            Some((kept, Some(by))) if !kept.is_claimed_with(ticket) => {
                let left =
                    jiff::SignedDuration::try_from(kept.until.saturating_sub(times.now)).unwrap_or_default();
                let until = times.at.saturating_add(left).unwrap_or(times.at);
                Claim::InProgress { by: by.clone(), until }
            }
            _ => {
                keys.insert(ticket.key.clone(), Kept { until: times.until, claim: Some(ticket.clone()) });
                Claim::New(ticket.clone())
            }
        }
    }

    fn done_key(&mut self, ticket: &Ticket, until: Duration) -> bool {
        let keys = self.inbox(&ticket.inbox);
        let kept = keys.get(&ticket.key);
        let held = kept.is_some_and(|kept| kept.is_claimed_with(ticket));
        let marked = kept.filter(|kept| kept.claim.is_none()).map_or(Duration::ZERO, |kept| kept.until);
        keys.insert(ticket.key.clone(), Kept { until: until.max(marked), claim: None });
        held
    }

    fn release_key(&mut self, ticket: &Ticket) {
        let keys = self.inbox(&ticket.inbox);
        if keys.get(&ticket.key).is_some_and(|kept| kept.is_claimed_with(ticket)) {
            keys.remove(&ticket.key);
        }
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
            check_no_flight(&entries)?;
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
            let table = tables.outbox(outbox);
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

    fn apply<'a>(&'a self, lease: &'a Lease, step: Step) -> Pending<'a, Vec<Entry>> {
        Box::pin(async move {
            check_step(&lease.lane, &step)?;
            let at = self.clock.wall();
            self.with_outbox(&lease.outbox, |table| table.apply(lease, step, at))
        })
    }

    fn claim_and_apply<'a>(
        &'a self,
        outbox: &'a str,
        lane: &'a str,
        worker: &'a str,
        ttl: Duration,
        seen_fence: i64,
        step: Step,
    ) -> Pending<'a, Option<(Lease, Vec<Entry>)>> {
        Box::pin(async move {
            check_names([outbox, lane, worker])?;
            check_step(lane, &step)?;
            let now = self.clock.elapsed();
            let times = Times { now, until: now.saturating_add(ttl), at: self.clock.wall() };
            let request = Lease::new(outbox, lane, worker, seen_fence);
            self.with_outbox(outbox, |table| table.claim_and_apply(request, times, step))
        })
    }

    fn lane<'a>(&'a self, outbox: &'a str, lane: &'a str) -> Pending<'a, LaneView> {
        Box::pin(async move {
            let now = self.clock.elapsed();
            Ok(self.with_outbox(outbox, |table| table.lane(lane, now)))
        })
    }

    fn now(&self) -> Pending<'_, Timestamp> {
        Box::pin(std::future::ready(Ok(self.clock.wall())))
    }

    fn lanes<'a>(&'a self, outbox: &'a str, states: Vec<State>) -> Pending<'a, Vec<String>> {
        Box::pin(async move { Ok(self.with_outbox(outbox, |table| table.lanes(&states))) })
    }

    fn tips<'a>(
        &'a self,
        outbox: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Tip)>> {
        Box::pin(async move { Ok(self.with_outbox(outbox, |table| table.tips(after, limit))) })
    }

    fn lines<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Line>> {
        Box::pin(async move { Ok(self.with_outbox(outbox, |table| table.lines(after, limit))) })
    }

    fn standings<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Standing>> {
        Box::pin(async move { Ok(self.with_outbox(outbox, |table| table.standings(after, limit))) })
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
            let history = self.with_outbox(outbox, |table| table.history(entry));
            history.ok_or_else(|| no_such_entry(outbox, entry))
        })
    }

    fn claim_key<'a>(&'a self, ticket: &'a Ticket, lease: Duration) -> Pending<'a, Claim> {
        Box::pin(async move {
            check_ticket(ticket)?;
            let now = self.clock.elapsed();
            let times = Times { now, until: now.saturating_add(lease), at: self.clock.wall() };
            Ok(self.lock().claim_key(ticket, times))
        })
    }

    fn done_key<'a>(&'a self, ticket: &'a Ticket, keep: Duration) -> Pending<'a, bool> {
        Box::pin(async move {
            check_ticket(ticket)?;
            let until = self.clock.elapsed().saturating_add(keep);
            Ok(self.lock().done_key(ticket, until))
        })
    }

    fn release_key<'a>(&'a self, ticket: &'a Ticket) -> Pending<'a, ()> {
        Box::pin(async move {
            self.lock().release_key(ticket);
            Ok(())
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
            keys.retain(|_, kept| now < kept.until);
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
