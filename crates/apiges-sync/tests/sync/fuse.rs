//! A program that is killed at a chosen step: every write of the store and every call of the portal counts two, before and after.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use integration_store::*;
use tokio::sync::Semaphore;

#[derive(Debug, Clone)]
pub(crate) struct Fuse(Arc<(AtomicI64, AtomicBool)>);

impl Default for Fuse {
    /// One that never blows.
    fn default() -> Self {
        Self::after(i64::MAX)
    }
}

impl Fuse {
    pub(crate) fn after(steps: i64) -> Self {
        Self(Arc::new((AtomicI64::new(steps), AtomicBool::new(false))))
    }

    /// As if it were killed now, on another machine.
    pub(crate) fn blow(&self) {
        self.0.0.store(0, Ordering::SeqCst);
        self.0.1.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_blown(&self) -> bool {
        self.0.1.load(Ordering::SeqCst)
    }

    /// Never comes back when the fuse blows.
    pub(crate) async fn step(&self) {
        if self.0.0.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.0.1.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }

    /// Does the work until it is over or the fuse blows; then nothing of it goes on.
    pub(crate) async fn watch<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            let polled = Pin::as_mut(&mut work).poll(context);
            match polled {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if self.is_blown() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// A store that dies with the fuse.
#[derive(Debug)]
pub(crate) struct Fused {
    pub(crate) inner: Arc<dyn Backend>,
    pub(crate) fuse: Fuse,
    /// Whoever asks waits for it in turn.
    pub(crate) connection: Option<Semaphore>,
}

impl Fused {
    pub(crate) fn new(inner: &Arc<dyn Backend>, fuse: &Fuse) -> Self {
        Self { inner: Arc::clone(inner), fuse: fuse.clone(), connection: None }
    }

    fn in_turn<'a, T: Send + 'a>(&'a self, work: Pending<'a, T>) -> Pending<'a, T> {
        let Some(connection) = &self.connection else { return work };
        Box::pin(async move {
            let _turn = connection.acquire().await.unwrap();
            tokio::task::yield_now().await;
            work.await
        })
    }

    fn wrapped<'a, T: Send + 'a>(&'a self, work: Pending<'a, T>) -> Pending<'a, T> {
        let work = self.in_turn(work);
        Box::pin(async move {
            self.fuse.step().await;
            let done = work.await;
            self.fuse.step().await;
            done
        })
    }
}

impl Backend for Fused {
    fn append<'a>(
        &'a self,
        outbox: &'a str,
        worker: &'a str,
        entries: Vec<NewEntry>,
    ) -> Pending<'a, Vec<(Entry, bool)>> {
        self.wrapped(self.inner.append(outbox, worker, entries))
    }
    fn claim<'a>(
        &'a self,
        outbox: &'a str,
        lane: LaneChoice<'a>,
        worker: &'a str,
        ttl: Duration,
    ) -> Pending<'a, Option<Lease>> {
        self.wrapped(self.inner.claim(outbox, lane, worker, ttl))
    }
    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Pending<'a, ()> {
        self.inner.renew(lease, ttl)
    }
    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        self.wrapped(self.inner.release(lease))
    }
    fn apply<'a>(&'a self, lease: &'a Lease, step: Step) -> Pending<'a, Vec<Entry>> {
        self.wrapped(self.inner.apply(lease, step))
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
        self.wrapped(self.inner.claim_and_apply(outbox, lane, worker, ttl, seen_fence, step))
    }
    fn lane<'a>(&'a self, outbox: &'a str, lane: &'a str) -> Pending<'a, LaneView> {
        self.inner.lane(outbox, lane)
    }
    fn now(&self) -> Pending<'_, apiges_sync::Timestamp> {
        self.inner.now()
    }
    fn lanes<'a>(&'a self, outbox: &'a str, states: Vec<State>) -> Pending<'a, Vec<String>> {
        self.inner.lanes(outbox, states)
    }
    fn tips<'a>(
        &'a self,
        outbox: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Tip)>> {
        self.inner.tips(outbox, after, limit)
    }
    fn lines<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Line>> {
        self.inner.lines(outbox, after, limit)
    }
    fn standings<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Standing>> {
        self.inner.standings(outbox, after, limit)
    }
    fn testify<'a>(&'a self, outbox: &'a str, worker: &'a str, entry: i64, data: Bytes) -> Pending<'a, ()> {
        self.inner.testify(outbox, worker, entry, data)
    }
    fn find<'a>(&'a self, outbox: &'a str, key: &'a str) -> Pending<'a, Option<Entry>> {
        self.inner.find(outbox, key)
    }
    fn list<'a>(&'a self, outbox: &'a str, query: Query) -> Pending<'a, Vec<Entry>> {
        self.in_turn(self.inner.list(outbox, query))
    }
    fn history<'a>(&'a self, outbox: &'a str, entry: i64) -> Pending<'a, Vec<Event>> {
        self.inner.history(outbox, entry)
    }
    fn claim_key<'a>(&'a self, ticket: &'a Ticket, lease: Duration) -> Pending<'a, Claim> {
        if self.fuse.is_blown() {
            return Box::pin(std::future::pending());
        }
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
        self.in_turn(self.inner.checkpoint(name))
    }
    fn commit<'a>(&'a self, name: &'a str, commit: Commit) -> Pending<'a, Checkpoint> {
        self.wrapped(self.inner.commit(name, commit))
    }
    fn records<'a>(
        &'a self,
        name: &'a str,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Bytes)>> {
        self.in_turn(self.inner.records(name, collection, after, limit))
    }
}
