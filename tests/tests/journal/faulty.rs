//! A store that fails on command, operation by operation, or at which the program stands still to be killed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fiscal_printer::ManualClock;
use integration_store::{
    Backend, Checkpoint, Claim, Commit, Entry, Event, LaneChoice, LaneView, Lease, Line, Memory, NewEntry,
    Pending, Query, Standing, State, Step, StoreError, StoreErrorKind, Ticket, Tip,
};

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Not at all, this once.
    Fine,
    /// Nothing happened.
    Before(StoreErrorKind),
    /// It was applied, and the answer was lost.
    AnswerLost,
    /// It was applied, and then the program stood still for so long.
    Slow(Duration),
}

type Failures = Arc<Mutex<VecDeque<(&'static str, How)>>>;

/// A backend, and the failures that it is to have.
#[derive(Debug, Clone)]
pub struct Faulty {
    inner: Arc<dyn Backend>,
    clock: ManualClock,
    failures: Failures,
    /// So many halves of operations pass before the program stands still.
    halves: Option<Arc<AtomicUsize>>,
}

impl Faulty {
    pub fn new(clock: ManualClock) -> Self {
        let inner = Arc::new(Memory::with_clock(Arc::new(clock.clone())));
        Self { inner, clock, failures: Failures::default(), halves: None }
    }

    /// Stands still before the operation of number `half / 2`, or, if `half` is odd, after it; and says so.
    pub fn halting(inner: impl Backend, clock: ManualClock, half: usize) -> Self {
        let halves = Some(Arc::new(AtomicUsize::new(half)));
        Self { inner: Arc::new(inner), clock, failures: Failures::default(), halves }
    }

    /// The next `times` calls of `operation` fail.
    pub fn fail(&self, operation: &'static str, how: How, times: usize) {
        self.failures.lock().unwrap().extend(std::iter::repeat_n((operation, how), times));
    }

    pub fn mend(&self) {
        self.failures.lock().unwrap().clear();
    }

    fn next(&self, operation: &'static str) -> Option<How> {
        let mut failures = self.failures.lock().unwrap();
        let at = failures.iter().position(|(failing, _)| *failing == operation)?;
        failures.remove(at).map(|(_, how)| how)
    }

    fn run<'a, T: Send + 'a>(&self, operation: &'static str, work: Pending<'a, T>) -> Pending<'a, T> {
        let (how, clock) = (self.next(operation), self.clock.clone());
        if let Some(halves) = self.halves.clone() {
            return Box::pin(async move {
                pass(&halves, "before", operation);
                let done = work.await;
                pass(&halves, "after", operation);
                done
            });
        }
        Box::pin(async move {
            match how {
                None | Some(How::Fine) => work.await,
                Some(How::Before(kind)) => Err(StoreError::new(kind, "it was told to fail")),
                Some(How::AnswerLost) => {
                    work.await?;
                    Err(StoreError::new(StoreErrorKind::Unavailable, "its answer was lost"))
                }
                Some(How::Slow(pause)) => {
                    let done = work.await;
                    clock.advance(pause);
                    done
                }
            }
        })
    }
}

/// The end of the program, if its time has come: it is killed where it stands.
fn pass(halves: &AtomicUsize, side: &str, operation: &str) {
    if halves.fetch_sub(1, Ordering::SeqCst) == 0 {
        println!("halted {side} {operation}");
        loop {
            std::thread::park();
        }
    }
}

impl Backend for Faulty {
    fn append<'a>(
        &'a self,
        outbox: &'a str,
        worker: &'a str,
        entries: Vec<NewEntry>,
    ) -> Pending<'a, Vec<(Entry, bool)>> {
        self.run("append", self.inner.append(outbox, worker, entries))
    }

    fn claim<'a>(
        &'a self,
        outbox: &'a str,
        lane: LaneChoice<'a>,
        worker: &'a str,
        ttl: Duration,
    ) -> Pending<'a, Option<Lease>> {
        self.run("claim", self.inner.claim(outbox, lane, worker, ttl))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Pending<'a, ()> {
        self.run("renew", self.inner.renew(lease, ttl))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        self.run("release", self.inner.release(lease))
    }

    fn apply<'a>(&'a self, lease: &'a Lease, step: Step) -> Pending<'a, Vec<Entry>> {
        self.run("apply", self.inner.apply(lease, step))
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
        self.run("claim_and_apply", self.inner.claim_and_apply(outbox, lane, worker, ttl, seen_fence, step))
    }

    fn lane<'a>(&'a self, outbox: &'a str, lane: &'a str) -> Pending<'a, LaneView> {
        self.run("lane", self.inner.lane(outbox, lane))
    }

    fn now(&self) -> Pending<'_, jiff::Timestamp> {
        self.run("now", self.inner.now())
    }

    fn lanes<'a>(&'a self, outbox: &'a str, states: Vec<State>) -> Pending<'a, Vec<String>> {
        self.run("lanes", self.inner.lanes(outbox, states))
    }

    fn tips<'a>(
        &'a self,
        outbox: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Tip)>> {
        self.run("tips", self.inner.tips(outbox, after, limit))
    }

    fn lines<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Line>> {
        self.run("lines", self.inner.lines(outbox, after, limit))
    }

    fn standings<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Standing>> {
        self.run("standings", self.inner.standings(outbox, after, limit))
    }

    fn testify<'a>(&'a self, outbox: &'a str, worker: &'a str, entry: i64, data: Bytes) -> Pending<'a, ()> {
        self.run("testify", self.inner.testify(outbox, worker, entry, data))
    }

    fn find<'a>(&'a self, outbox: &'a str, key: &'a str) -> Pending<'a, Option<Entry>> {
        self.run("find", self.inner.find(outbox, key))
    }

    fn list<'a>(&'a self, outbox: &'a str, query: Query) -> Pending<'a, Vec<Entry>> {
        self.run("list", self.inner.list(outbox, query))
    }

    fn history<'a>(&'a self, outbox: &'a str, entry: i64) -> Pending<'a, Vec<Event>> {
        self.run("history", self.inner.history(outbox, entry))
    }

    fn claim_key<'a>(&'a self, ticket: &'a Ticket, lease: Duration) -> Pending<'a, Claim> {
        self.inner.claim_key(ticket, lease)
    }

    fn done_key<'a>(&'a self, ticket: &'a Ticket, keep: Duration) -> Pending<'a, bool> {
        self.inner.done_key(ticket, keep)
    }

    fn release_key<'a>(&'a self, ticket: &'a Ticket) -> Pending<'a, ()> {
        self.inner.release_key(ticket)
    }

    fn remember<'a>(&'a self, inbox: &'a str, key: &'a str, ttl: Duration) -> Pending<'a, bool> {
        self.inner.remember(inbox, key, ttl)
    }

    fn forget<'a>(&'a self, inbox: &'a str, key: &'a str) -> Pending<'a, ()> {
        self.inner.forget(inbox, key)
    }

    fn purge<'a>(&'a self, inbox: &'a str) -> Pending<'a, u64> {
        self.inner.purge(inbox)
    }

    fn checkpoint<'a>(&'a self, name: &'a str) -> Pending<'a, Option<Checkpoint>> {
        self.inner.checkpoint(name)
    }

    fn commit<'a>(&'a self, name: &'a str, commit: Commit) -> Pending<'a, Checkpoint> {
        self.inner.commit(name, commit)
    }

    fn records<'a>(
        &'a self,
        name: &'a str,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Bytes)>> {
        self.inner.records(name, collection, after, limit)
    }
}
