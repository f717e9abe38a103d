//! Deals with hints, for users without the synchronisation: reads each record again, leaves duplicates out, hands the rest on once
//! (contract 4.6, row "Work").
//!
//! The order of the steps is the point of this file: the record is read **after** its hints were seen, so one reading answers them all;
//! a change is claimed, handled, marked as done, and only then are its hints forgotten. Killed anywhere in between, it finds its hints
//! waiting; what was marked is not handled again.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use integration_core::body::webhook::{Duplicates, Entered, Guard, MemoryDuplicates};
use integration_core::clock::{Clock, SystemClock};
use integration_core::{BoxFuture, Error};

use super::hint::{Heard, Hint, Subject, Unknown, digest_of};
use super::queue::{HintQueue, Waiting};
use super::reread::Reread;
use crate::bitfactura::{ClientRecord, Invoice};

/// How many hints are looked at together.
const PAGE: usize = 200;
/// How long a worker waits that nobody wakes: hints of other processes, and those that failed.
const PAUSE: Duration = Duration::from_secs(30);

/// What is true now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A client as BitFactura shows it now.
    Client(Box<ClientRecord>),
    /// An invoice as BitFactura shows it now.
    Invoice(Box<Invoice>),
    /// A record that is not there any more, or says of itself that it was deleted. Delete nothing for it elsewhere (contract 4.2).
    Gone(Subject, u64),
    /// A body that does not fit its route. There is nothing to read again: it is what somebody who knows the secret has sent.
    Unknown(Unknown),
}

/// A change that was confirmed by reading the record again, as a [`Handler`] gets it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Confirmed {
    /// What is true now.
    pub event: Event,
    /// A webhook said that the record was deleted, and it was read alive: the reading is believed, unless you know better.
    pub claims_deleted: bool,
    /// Kind, id and digest of the record: equal for what is handled twice because the process was killed after the last effect. Let the
    /// effect be keyed by it where that matters.
    pub key: String,
}

/// What the caller does with confirmed changes.
pub trait Handler: Send + Sync {
    /// Handles one. Called once for each state of a record that was read, unless it fails, is dropped half way, or its process
    /// dies: then again, at the latest when the claim has run out. States in between may never be seen, and older ones never come
    /// after newer ones of one worker.
    ///
    /// # Errors
    /// Whatever kept it from being handled: it is tried again with each round.
    fn handle(&self, confirmed: Confirmed) -> BoxFuture<'_, Result<(), Error>>;

    /// Something could not be read again or handled now; it goes on waiting. Does nothing unless it is overridden.
    fn failed(&self, heard: &Heard, error: &Error) {
        let _ = (heard, error);
    }

    /// A change was handled, but the guard could not write that down: should it come again, it is handled again. Does nothing unless it is
    /// overridden.
    fn unrecorded(&self, key: &str, error: &Error) {
        let _ = (key, error);
    }
}

/// What one round through the queue came to, counted in records, not in webhooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// Handed on and handled.
    pub handled: usize,
    /// Handled before.
    pub duplicates: usize,
    /// Being handled by another worker: they go on waiting.
    pub in_progress: usize,
    /// Not read again or not handled: they go on waiting.
    pub failed: usize,
}

/// Deals with what waits. Clones share queue, guard and handler; one at a time keeps the order of a record's states.
#[derive(Clone)]
pub struct Worker {
    queue: Arc<dyn HintQueue>,
    reread: Arc<dyn Reread>,
    handler: Arc<dyn Handler>,
    guard: Guard,
    clock: Arc<dyn Clock>,
    pause: Duration,
}

impl Worker {
    /// Over these hints, reading again from `reread`, for `handler`. What was handled is remembered in memory, 100 000 states.
    #[must_use]
    pub fn new(queue: Arc<dyn HintQueue>, reread: Arc<dyn Reread>, handler: Arc<dyn Handler>) -> Self {
        let guard = Guard::new(Arc::new(MemoryDuplicates::default()));
        Self { queue, reread, handler, guard, clock: Arc::new(SystemClock::new()), pause: PAUSE }
    }

    /// Where it is remembered what is being handled and what was: with `StoredDuplicates` (feature `store`) over restarts, and for
    /// several workers.
    #[must_use]
    pub fn duplicates(self, duplicates: Arc<dyn Duplicates>) -> Self {
        Self { guard: Guard::new(duplicates).clock(Arc::clone(&self.clock)), ..self }
    }

    /// The clock by which claims are renewed and pauses are measured.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { guard: self.guard.clock(Arc::clone(&clock)), clock, ..self }
    }

    /// How long to wait between rounds that nothing in this process calls for; 30 seconds unless set.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Deals with hints until `stop` is ready. A round that is under way is dropped then, which loses nothing.
    ///
    /// A failure of the queue does not end it: it is traced as a warning, and tried again after the pause.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.6): records are read again; what your handler does is by its own class.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # struct Log;
    /// # impl sugester::webhook::Handler for Log {
    /// #     fn handle(&self, _: sugester::webhook::Confirmed) -> sugester::BoxFuture<'_, Result<(), sugester::Error>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # let (billing, handler) = (kit.billing, std::sync::Arc::new(Log));
    /// use std::sync::Arc;
    ///
    /// use sugester::webhook::{MemoryHints, Worker};
    ///
    /// let hints = Arc::new(MemoryHints::default()); // the sink of your `Receiver`
    /// let worker = Worker::new(hints, Arc::new(billing), handler); // your `Handler`
    /// let stop = std::future::ready(()); // in earnest a signal
    /// worker.run(stop).await;
    /// # Ok(()) });
    /// ```
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        first(stop, async {
            loop {
                if let Err(error) = self.round().await {
                    tracing::warn!(%error, "the hints of webhooks cannot be read or finished");
                }
                first(self.queue.arrival(), self.clock.timer(self.pause)).await;
            }
        })
        .await;
    }

    /// Goes once through everything that waits.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.6): records are read again; what your handler does is by its own class.
    ///
    /// # Errors
    /// A failure of the queue. What fails for one record is counted, told to [`Handler::failed`], and stops nothing.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # struct Log;
    /// # impl sugester::webhook::Handler for Log {
    /// #     fn handle(&self, _: sugester::webhook::Confirmed) -> sugester::BoxFuture<'_, Result<(), sugester::Error>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # let (billing, handler) = (kit.billing, std::sync::Arc::new(Log));
    /// use std::sync::Arc;
    ///
    /// use sugester::webhook::{MemoryHints, Worker};
    ///
    /// let hints = Arc::new(MemoryHints::default()); // the sink of your `Receiver`
    /// let worker = Worker::new(hints, Arc::new(billing), handler); // your `Handler`
    /// let round = worker.round().await?;
    /// println!("{} failed, to be tried again", round.failed);
    /// # Ok(()) });
    /// ```
    pub async fn round(&self) -> Result<Round, Error> {
        let (mut round, mut after) = (Round::default(), 0);
        loop {
            let page = self.queue.waiting(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(round) };
            after = last.number;
            for matter in matters(page) {
                self.deal_with(matter, &mut round).await?;
            }
        }
    }

    async fn deal_with(&self, matter: Matter, round: &mut Round) -> Result<(), Error> {
        match self.settle(&matter).await {
            Ok(Settled::InProgress) => {
                round.in_progress += 1;
                return Ok(());
            }
            Ok(Settled::Handled) => round.handled += 1,
            Ok(Settled::Duplicate) => round.duplicates += 1,
            Err(error) => {
                round.failed += 1;
                self.handler.failed(&matter.heard, &error);
                return Ok(());
            }
        }
        self.queue.finish(matter.numbers).await
    }

    async fn settle(&self, matter: &Matter) -> Result<Settled, Error> {
        let confirmed = match &matter.heard {
            Heard::Hint(hint) => self.confirm(hint).await?,
            Heard::Unknown(unknown) => reported(unknown, matter.first()),
        };
        let handling = match self.guard.enter(&confirmed.key).await? {
            Entered::New(handling) => handling,
            Entered::Handled => return Ok(Settled::Duplicate),
            _ => return Ok(Settled::InProgress),
        };
        if let Err(error) = handling.during(self.handler.handle(confirmed)).await {
            // Why it was not handled says more than that the claim has to run out.
            let _ = handling.release().await;
            return Err(error);
        }
        let key = handling.key().to_owned();
        if let Err(error) = handling.done().await {
            self.handler.unrecorded(&key, &error);
        }
        Ok(Settled::Handled)
    }

    /// The body is a hint: what the service says now is what is true.
    async fn confirm(&self, hint: &Hint) -> Result<Confirmed, Error> {
        match hint.subject {
            Subject::Client => {
                let client = self.reread.client(hint.id).await?;
                let marked = client.as_ref().and_then(|client| client.deleted);
                Ok(confirmed(hint, client, marked, |client| Event::Client(Box::new(client))))
            }
            Subject::Invoice => {
                let invoice = self.reread.invoice(hint.id).await?;
                let marked = invoice.as_ref().and_then(|invoice| invoice.deleted);
                Ok(confirmed(hint, invoice, marked, |invoice| Event::Invoice(Box::new(invoice))))
            }
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("queue", &self.queue)
            .field("reread", &self.reread)
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Settled {
    Handled,
    Duplicate,
    InProgress,
}

/// One thing to settle, with the numbers of all that was heard of it.
#[derive(Debug, PartialEq)]
struct Matter {
    heard: Heard,
    numbers: Vec<u64>,
}

impl Matter {
    fn first(&self) -> u64 {
        self.numbers.first().copied().unwrap_or_default()
    }
}

/// One matter for each record, in the order in which they were first heard of, and one for each unknown body.
fn matters(page: Vec<Waiting>) -> Vec<Matter> {
    let mut places: BTreeMap<(Subject, u64), usize> = BTreeMap::new();
    let mut matters: Vec<Matter> = Vec::new();
    for Waiting { number, heard } in page {
        let known = match &heard {
            Heard::Hint(hint) => Some(*places.entry((hint.subject, hint.id)).or_insert(matters.len())),
            Heard::Unknown(_) => None,
        };
        match known.and_then(|place| matters.get_mut(place)) {
            Some(matter) => matter.add(number, &heard),
            None => matters.push(Matter { heard, numbers: vec![number] }),
        }
    }
    matters
}

impl Matter {
    fn add(&mut self, number: u64, heard: &Heard) {
        self.numbers.push(number);
        if let (Heard::Hint(known), Heard::Hint(more)) = (&mut self.heard, heard) {
            known.is_deleted |= more.is_deleted;
        }
    }
}

fn confirmed<T: serde::Serialize>(
    hint: &Hint,
    record: Option<T>,
    marked: Option<bool>,
    event: impl Fn(T) -> Event,
) -> Confirmed {
    let Hint { subject, id, .. } = hint;
    let gone = Event::Gone(*subject, *id);
    let Some(record) = record else {
        return Confirmed { event: gone, claims_deleted: false, key: format!("{subject}/{id}/gone") };
    };
    let digest = digest_of(&record);
    if marked == Some(true) {
        return Confirmed {
            event: gone,
            claims_deleted: false,
            key: format!("{subject}/{id}/gone/{digest}"),
        };
    }
    // A state that was handled before is not one of which anybody said that it was deleted.
    let claim = if hint.is_deleted { "/claimed" } else { "" };
    let key = format!("{subject}/{id}/{digest}{claim}");
    Confirmed { event: event(record), claims_deleted: hint.is_deleted, key }
}

/// Each is handed on, also one that came before: nobody can say whether something has changed in between.
fn reported(unknown: &Unknown, number: u64) -> Confirmed {
    let Unknown { route, digest, .. } = unknown;
    let key = format!("unknown/{route}/{number}/{digest}");
    Confirmed { event: Event::Unknown(unknown.clone()), claims_deleted: false, key }
}

/// Ready when either is.
async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| {
        if one.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        other.as_mut().poll(context)
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(number: u64, id: u64, is_deleted: bool) -> Waiting {
        Waiting::new(number, Heard::Hint(Hint { is_deleted, ..Hint::new(Subject::Client, id) }))
    }

    #[test]
    fn hints_of_one_record_are_one_matter() {
        let page = vec![hint(1, 7, false), hint(2, 8, false), hint(3, 7, true), hint(4, 7, false)];
        let matters = matters(page);
        assert_eq!(matters.iter().map(|matter| &*matter.numbers).collect::<Vec<_>>(), [&[1, 3, 4][..], &[2]]);
        assert_eq!(matters[0].heard, hint(0, 7, true).heard);
    }

    #[test]
    fn a_state_has_a_key_of_its_own() {
        let key = |hint: &Hint, record: Option<&str>, marked| {
            let confirmed = confirmed(hint, record, marked, |_| Event::Gone(Subject::Invoice, 0));
            (confirmed.key, confirmed.claims_deleted)
        };
        let hint = Hint::new(Subject::Client, 7);
        let claim = Hint { is_deleted: true, ..hint.clone() };
        let keys = [
            key(&hint, Some("a"), None),
            key(&hint, Some("b"), Some(false)),
            key(&claim, Some("a"), None),
            key(&claim, None, None),
            key(&claim, Some("a"), Some(true)),
            key(&Hint::new(Subject::Client, 8), Some("a"), None),
            key(&Hint::new(Subject::Invoice, 7), Some("a"), None),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().map(|(key, _)| key).collect();
        assert_eq!(different.len(), keys.len(), "{keys:?}");
        assert_eq!(key(&hint, Some("a"), None), keys[0]);
        assert_eq!(keys.map(|(_, claims)| claims), [false, false, true, false, false, false, false]);
    }
}
