//! Handles each callback once: claimed before it is handled, marked as done afterwards, freed if it comes to nothing.
//!
//! The claim has a lease where it outlives the process. So a receiver that is killed half way loses nothing, the next delivery
//! is handled once the lease is over, and one that had finished is not handled again. What no guard can give is an answer to "did
//! the handler's own effects take place" for one that is killed between its last effect and the mark: such a callback is
//! handled again, so effects should bear that, or be committed by what the handler writes.

use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, SystemClock, within};
use crate::{BoxFuture, Error, ErrorKind, Outcome};

/// The right to handle one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimTicket {
    /// The callback's key.
    pub key: String,
    /// By which one claim is told from every other of the same key.
    pub token: i64,
}

impl ClaimTicket {
    /// A ticket for a key.
    pub fn new(key: impl Into<String>, token: i64) -> Self {
        Self { key: key.into(), token }
    }
}

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// It is yours to handle.
    New(ClaimTicket),
    /// Somebody is handling it.
    InProgress,
    /// It was handled.
    Handled,
}

/// Remembers which callbacks are being handled and which were. In memory: [`MemoryDuplicates`](super::MemoryDuplicates); over
/// restarts and for several receivers: `StoredDuplicates` of `integration-store`.
pub trait Duplicates: Debug + Send + Sync {
    /// Claims a key. Of any number of concurrent calls with one key, exactly one gets [`Claim::New`].
    ///
    /// # Errors
    /// A failure of the memory: the callback is then not handled, and answered with 500.
    fn claim<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Claim, Error>>;

    /// Marks a key as handled, whoever has claimed it meanwhile.
    ///
    /// # Errors
    /// A failure of the memory: the callback would be handled again.
    fn done<'a>(&'a self, ticket: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>>;

    /// Frees a claim whose callback was not handled after all; not one that was lost.
    ///
    /// # Errors
    /// A failure of the memory.
    fn release<'a>(&'a self, ticket: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>>;

    /// Makes a claim last its full time from now.
    ///
    /// # Errors
    /// A failure of the memory.
    fn renew<'a>(&'a self, ticket: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
        let _ = ticket;
        Box::pin(std::future::ready(Ok(())))
    }

    /// How often a claim has to be renewed while its callback is being handled; nothing if claims do not run out.
    fn renew_every(&self) -> Option<Duration> {
        None
    }

    /// Frees a claim at once and without waiting, if that can be done: asked when a receiver is dropped half way.
    fn abandon(&self, ticket: &ClaimTicket) -> bool {
        let _ = ticket;
        false
    }
}

/// Lets each callback through once. Clones are the same guard.
///
/// In one guard an equal callback waits for the end of the one being handled: then it is a duplicate, or its turn has come. It waits
/// 30 s at most, which [`longest_wait`](Self::longest_wait) sets; after that, and where another process handles it and there is no such
/// end to wait for, the answer is [`Entered::InProgress`].
#[derive(Clone)]
pub struct Guard {
    duplicates: Arc<dyn Duplicates>,
    clock: Arc<dyn Clock>,
    in_flight: Arc<InFlight>,
    longest_wait: Duration,
}

/// How long a request is held for another one's sake: no longer than senders commonly wait for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What a callback meets at a [`Guard`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Entered {
    /// To be handled, by nobody else.
    New(Handling),
    /// Being handled, by another receiver or for longer than one waits: answer so that the sender tries again.
    InProgress,
    /// Handled before.
    Handled,
}

impl Guard {
    /// A guard on the machine's clock, which needs a tokio runtime with time as soon as one callback waits for another.
    #[must_use]
    pub fn new(duplicates: Arc<dyn Duplicates>) -> Self {
        let (clock, in_flight) = (Arc::new(SystemClock::new()), Arc::default());
        Self { duplicates, clock, in_flight, longest_wait: LONGEST_WAIT }
    }

    /// The clock by which claims are renewed and waiting is limited.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// How long a callback waits for an equal one that is being handled here; 30 s unless set.
    #[must_use]
    pub fn longest_wait(self, longest_wait: Duration) -> Self {
        Self { longest_wait, ..self }
    }

    /// Asks for the right to handle a callback.
    ///
    /// # Errors
    /// A failure of the memory: answer with 500.
    pub async fn enter(&self, key: &str) -> Result<Entered, Error> {
        let Some(turn) = self.turn(key).await else { return Ok(Entered::InProgress) };
        Ok(match self.duplicates.claim(key).await? {
            Claim::New(ticket) => Entered::New(Handling {
                duplicates: Arc::clone(&self.duplicates),
                clock: Arc::clone(&self.clock),
                ticket: Some(ticket),
                turn: Some(turn),
            }),
            Claim::InProgress => Entered::InProgress,
            Claim::Handled => Entered::Handled,
        })
    }

    async fn turn(&self, key: &str) -> Option<Turn> {
        match self.in_flight.take(key) {
            // Without a timer, which the machine's clock has only within a runtime that keeps time.
            Some(turn) => Some(turn),
            None => within(&*self.clock, self.longest_wait, self.in_flight.turn(key)).await,
        }
    }
}

impl Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("duplicates", &self.duplicates).finish_non_exhaustive()
    }
}

/// The right to handle a callback. Dropped before [`done`](Self::done), it is given back, in the background and as far as there is
/// a tokio runtime; without one the claim's lease has to run out.
#[must_use = "dropped, the right is given back"]
pub struct Handling {
    duplicates: Arc<dyn Duplicates>,
    clock: Arc<dyn Clock>,
    ticket: Option<ClaimTicket>,
    /// An equal callback that waits comes next only once the claim is settled, or it would be taken for a duplicate.
    turn: Option<Turn>,
}

/// Pauses before the further attempts to write down that a callback was handled.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

impl Handling {
    /// Does the work, and keeps the claim alive for as long as it takes.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let (Some(every), Some(ticket)) = (self.duplicates.renew_every(), &self.ticket) else {
            return work.await;
        };
        loop {
            let renewal = async {
                self.clock.timer(every).await;
                // A failure now may be none at the next attempt, and the work is not stopped half way for it.
                let _ = self.duplicates.renew(ticket).await;
            };
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = renewal => {}
            }
        }
    }

    /// The callback was handled: it will not be again. Tried three times, and also to its end if the request is dropped meanwhile.
    ///
    /// # Errors
    /// A failure of the memory. The claim is left to run out, so the callback is not handled again before that.
    pub async fn done(mut self) -> Result<(), Error> {
        // Whatever happens from here on, it is not given back.
        let Some(ticket) = self.ticket.take() else { return Ok(()) };
        let (duplicates, clock) = (Arc::clone(&self.duplicates), Arc::clone(&self.clock));
        let turn = self.turn.take();
        let mark = async move {
            let marked = mark(duplicates.as_ref(), clock.as_ref(), &ticket).await;
            drop(turn);
            marked
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.spawn(mark).await.unwrap_or_else(|_| Err(broken_off())),
            Err(_) => mark.await,
        }
    }

    /// The callback was not handled: it counts as new.
    ///
    /// # Errors
    /// A failure of the memory. The callback counts as new once the claim has run out.
    pub async fn release(mut self) -> Result<(), Error> {
        let Some(ticket) = self.ticket.clone() else { return Ok(()) };
        let released = self.duplicates.release(&ticket).await;
        // Only now: dropped while it waited, it would be given back in the background.
        self.ticket = None;
        released
    }

    /// The callback's key.
    #[must_use]
    pub fn key(&self) -> &str {
        self.ticket.as_ref().map_or("", |ticket| &ticket.key)
    }
}

async fn mark(duplicates: &dyn Duplicates, clock: &dyn Clock, ticket: &ClaimTicket) -> Result<(), Error> {
    let mut outcome = duplicates.done(ticket).await;
    for pause in PAUSES {
        if outcome.is_ok() {
            break;
        }
        clock.sleep(pause).await;
        outcome = duplicates.done(ticket).await;
    }
    outcome
}

fn broken_off() -> Error {
    Error::new(ErrorKind::Store, "mark a callback as handled").with_outcome(Outcome::Unknown).with_hint(
        "the runtime was shut down, or the memory of duplicates panicked: the callback may be handled again",
    )
}

impl Drop for Handling {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        if self.duplicates.abandon(&ticket) {
            return;
        }
        let (duplicates, turn) = (Arc::clone(&self.duplicates), self.turn.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = duplicates.release(&ticket).await;
                drop(turn);
            });
        }
    }
}

impl Debug for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handling").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

/// The keys being handled by one guard: two equal callbacks at once must not both be answered before one of them is handled, or
/// the failure of the first would lose both.
#[derive(Default)]
struct InFlight {
    keys: Mutex<HashSet<String>>,
    freed: Notify,
}

impl InFlight {
    async fn turn(self: &Arc<Self>, key: &str) -> Turn {
        loop {
            let mut freed = pin!(self.freed.notified());
            // Registered before the look, so that a turn that ends in between is not missed.
            freed.as_mut().enable();
            if let Some(turn) = self.take(key) {
                return turn;
            }
            freed.await;
        }
    }

    fn take(self: &Arc<Self>, key: &str) -> Option<Turn> {
        let is_free = self.lock().insert(key.to_owned());
        is_free.then(|| Turn { book: Arc::clone(self), key: key.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Turn {
    book: Arc<InFlight>,
    key: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.book.lock().remove(&self.key);
        self.book.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::MemoryDuplicates;
    use super::*;
    use crate::clock::ManualClock;

    async fn new(guard: &Guard) -> Handling {
        match guard.enter("k").await.unwrap() {
            Entered::New(handling) => handling,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_is_done_is_done_and_what_is_not_is_new() {
        let guard = Guard::new(Arc::new(MemoryDuplicates::default()));
        new(&guard).await.release().await.unwrap();
        drop(new(&guard).await);
        let handling = new(&guard).await;
        assert_eq!(handling.key(), "k");
        handling.done().await.unwrap();
        assert!(matches!(guard.enter("k").await.unwrap(), Entered::Handled));
    }

    #[tokio::test]
    async fn an_equal_one_waits_for_the_end_of_the_first() {
        for succeeds in [true, false] {
            let guard = Guard::new(Arc::new(MemoryDuplicates::default()));
            let first = new(&guard).await;
            let second = tokio::spawn({
                let guard = guard.clone();
                async move { matches!(guard.enter("k").await.unwrap(), Entered::New(_)) }
            });
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            assert!(!second.is_finished());
            if succeeds {
                first.done().await.unwrap();
            } else {
                drop(first);
            }
            assert_eq!(second.await.unwrap(), !succeeds);
        }
    }

    #[tokio::test]
    async fn an_equal_one_waits_no_longer_than_it_may() {
        let clock = ManualClock::new();
        let guard = Guard::new(Arc::new(MemoryDuplicates::default())).clock(Arc::new(clock.clone()));
        let guard = guard.longest_wait(Duration::from_secs(5));
        let first = new(&guard).await;
        let second = tokio::spawn({
            let guard = guard.clone();
            async move { guard.enter("k").await.unwrap() }
        });
        let settle = || async {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
        };
        settle().await;
        clock.advance(Duration::from_millis(4_999));
        settle().await;
        assert!(!second.is_finished());
        clock.advance(Duration::from_millis(1));
        settle().await;
        assert!(second.is_finished(), "5 s are over");
        assert!(matches!(second.await.unwrap(), Entered::InProgress));
        drop(first);
        new(&guard).await.done().await.unwrap();
    }

    /// Two guards are two processes.
    #[tokio::test]
    async fn another_guard_is_told_that_it_is_in_progress() {
        let duplicates = Arc::new(MemoryDuplicates::default());
        let (one, other) = (Guard::new(duplicates.clone()), Guard::new(duplicates));
        let handling = new(&one).await;
        assert!(matches!(other.enter("k").await.unwrap(), Entered::InProgress));
        handling.done().await.unwrap();
        assert!(matches!(other.enter("k").await.unwrap(), Entered::Handled));
    }

    /// Leases of half a minute; counts renewals, and fails as often as it is told to.
    #[derive(Debug, Default)]
    struct Leased {
        renewed: AtomicUsize,
        failures: AtomicUsize,
        released: AtomicUsize,
    }

    impl Duplicates for Leased {
        fn claim<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Claim, Error>> {
            Box::pin(std::future::ready(Ok(Claim::New(ClaimTicket::new(key, 1)))))
        }
        fn done<'a>(&'a self, _: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
            let fails = self.failures.load(Ordering::SeqCst) > 0;
            self.failures.fetch_sub(usize::from(fails), Ordering::SeqCst);
            let outcome = if fails { Err(Error::new(ErrorKind::Store, "done")) } else { Ok(()) };
            Box::pin(std::future::ready(outcome))
        }
        fn release<'a>(&'a self, _: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
            self.released.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(Ok(())))
        }
        fn renew<'a>(&'a self, _: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
            self.renewed.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(Err(Error::new(ErrorKind::Store, "renew"))))
        }
        fn renew_every(&self) -> Option<Duration> {
            Some(Duration::from_secs(30))
        }
    }

    #[tokio::test]
    async fn a_claim_is_renewed_while_the_work_lasts() {
        let (duplicates, clock) = (Arc::new(Leased::default()), ManualClock::new());
        let guard = Guard::new(duplicates.clone()).clock(Arc::new(clock.clone()));
        let handling = new(&guard).await;
        let work = async {
            tokio::task::yield_now().await;
            for _ in 0..10 {
                clock.advance(Duration::from_secs(15));
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            }
            7
        };
        assert_eq!(handling.during(work).await, 7);
        assert_eq!(duplicates.renewed.load(Ordering::SeqCst), 5, "150 seconds of 30");
    }

    #[tokio::test]
    async fn done_is_tried_three_times_and_never_given_back() {
        for (failures, succeeds) in [(0, true), (2, true), (3, false)] {
            let (duplicates, clock) = (Arc::new(Leased::default()), ManualClock::new());
            let guard = Guard::new(duplicates.clone()).clock(Arc::new(clock));
            duplicates.failures.store(failures, Ordering::SeqCst);
            assert_eq!(new(&guard).await.done().await.is_ok(), succeeds, "{failures}");
            tokio::task::yield_now().await;
            assert_eq!(duplicates.released.load(Ordering::SeqCst), 0);
        }
    }

    #[tokio::test]
    async fn a_mark_is_made_although_the_request_is_dropped() {
        let (duplicates, clock) = (Arc::new(Leased::default()), ManualClock::new());
        let guard = Guard::new(duplicates.clone()).clock(Arc::new(clock));
        duplicates.failures.store(1, Ordering::SeqCst);
        let mut done = Box::pin(new(&guard).await.done());
        let polled =
            std::future::poll_fn(|context| std::task::Poll::Ready(done.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        drop(done);
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(duplicates.failures.load(Ordering::SeqCst), 0);
        assert_eq!(duplicates.released.load(Ordering::SeqCst), 0);
        new(&guard).await.done().await.unwrap();
    }

    #[tokio::test]
    async fn dropped_it_is_given_back_in_the_background() {
        let duplicates = Arc::new(Leased::default());
        drop(new(&Guard::new(duplicates.clone())).await);
        tokio::task::yield_now().await;
        assert_eq!(duplicates.released.load(Ordering::SeqCst), 1);
    }
}
