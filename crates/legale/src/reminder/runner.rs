//! Sends what the planner says. The book claims a message before it is sent, so that a process which dies in between loses one
//! reminder and never sends one twice.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use integration_core::clock::{Clock, SystemClock};
use integration_core::{BoxFuture, Error};
use jiff::Timestamp;

use super::{Action, Flows, Policy, plan};
use crate::id::DocumentId;

/// How a message reaches a signer: mail, chat, telephone. The caller's.
pub trait Notifier: Send + Sync {
    /// Sends one message.
    ///
    /// # Errors
    /// Whatever kept it from being sent: it is then due again.
    fn notify<'a>(&'a self, document: &'a DocumentId, action: &'a Action)
    -> BoxFuture<'a, Result<(), Error>>;
}

/// What is known of the flows, and what was sent. The caller's; in earnest a database.
pub trait Book: Send + Sync {
    /// The flows to remind for, as they stand now.
    ///
    /// # Errors
    /// A failure to read them.
    fn flows(&self) -> BoxFuture<'_, Result<Flows, Error>>;

    /// Writes down that `action` goes out now (see [`FlowState::record`](super::FlowState::record)); `false` if another worker has
    /// claimed it.
    ///
    /// # Errors
    /// A failure to write: nothing is sent then.
    fn claim<'a>(
        &'a self,
        document: &'a DocumentId,
        action: &'a Action,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, Error>>;

    /// Takes a claim back, since the message could not be sent.
    ///
    /// # Errors
    /// A failure to write.
    fn release<'a>(
        &'a self,
        document: &'a DocumentId,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<(), Error>>;
}

/// Is told what happens. Nothing that it does changes the run.
pub trait Observer: Send + Sync {
    /// A message went out.
    fn sent(&self, document: &DocumentId, action: &Action) {
        let _ = (document, action);
    }

    /// A message, or the book, failed; it is tried again at the next look.
    fn failed(&self, document: Option<&DocumentId>, error: &Error) {
        let _ = (document, error);
    }
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Runs the planner over a book of flows.
#[derive(Clone)]
#[doc(alias("recordatorio", "recordatorios"))]
pub struct Runner {
    policy: Policy,
    book: Arc<dyn Book>,
    notifier: Arc<dyn Notifier>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    longest_pause: Duration,
}

impl Runner {
    /// With the machine's clock and no observer; it looks at the book at least once an hour.
    ///
    /// # Errors
    /// A validation error for a policy that makes no sense.
    pub fn new(policy: Policy, book: Arc<dyn Book>, notifier: Arc<dyn Notifier>) -> Result<Self, Error> {
        policy.check()?;
        let (observer, clock) = (Arc::new(Silent), Arc::new(SystemClock::new()));
        Ok(Self { policy, book, notifier, observer, clock, longest_pause: Duration::from_secs(3600) })
    }

    /// Who is told what happens.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How long it sleeps at most before it looks at the book again, which is when new flows and signatures are noticed.
    #[must_use]
    pub const fn longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause;
        self
    }

    /// Sends what is due now, and tells when something will be due next.
    ///
    /// Idempotency: no call to the service; a message is claimed in the book before it goes out (contract 4.8).
    ///
    /// # Errors
    /// The flows could not be read. A message that fails stops nothing: the observer is told.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # struct Office;
    /// # impl legale::reminder::Book for Office {
    /// #     fn flows(&self) -> legale::BoxFuture<'_, Result<legale::reminder::Flows, legale::Error>> { Box::pin(async { Ok(Default::default()) }) }
    /// #     fn claim<'a>(&'a self, _: &'a legale::DocumentId, _: &'a legale::reminder::Action, _: legale::Timestamp) -> legale::BoxFuture<'a, Result<bool, legale::Error>> { Box::pin(async { Ok(true) }) }
    /// #     fn release<'a>(&'a self, _: &'a legale::DocumentId, _: &'a legale::reminder::Action) -> legale::BoxFuture<'a, Result<(), legale::Error>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # impl legale::reminder::Notifier for Office {
    /// #     fn notify<'a>(&'a self, _: &'a legale::DocumentId, _: &'a legale::reminder::Action) -> legale::BoxFuture<'a, Result<(), legale::Error>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # let (book, notifier) = (std::sync::Arc::new(Office), std::sync::Arc::new(Office));
    /// use legale::reminder::{Policy, Runner};
    ///
    /// let runner = Runner::new(Policy::default(), book, notifier)?; // your `Book` and your `Notifier`
    /// match runner.step().await? {
    ///     Some(wake) => println!("next at {wake}"),
    ///     None => println!("nothing will be due any more"),
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn step(&self) -> Result<Option<Timestamp>, Error> {
        let mut next = None;
        for (document, flow) in self.book.flows().await? {
            let now = self.clock.wall();
            let plan = plan(now, &self.policy, &flow);
            for action in &plan.actions {
                if let Err(error) = self.send(&document, action, now).await {
                    self.observer.failed(Some(&document), &error);
                    // The plan supposes that it went out.
                    next = next.into_iter().chain(Some(self.next_look(now))).min();
                }
            }
            next = next.into_iter().chain(plan.next_wake).min();
        }
        Ok(next)
    }

    /// Runs until nothing will be due any more in any flow of the book. Ends when it is dropped, losing no more than one message
    /// that was claimed.
    ///
    /// Idempotency: no call to the service; a message is claimed in the book before it goes out (contract 4.8).
    ///
    /// # Errors
    /// The flows could not be read.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # struct Office;
    /// # impl legale::reminder::Book for Office {
    /// #     fn flows(&self) -> legale::BoxFuture<'_, Result<legale::reminder::Flows, legale::Error>> { Box::pin(async { Ok(Default::default()) }) }
    /// #     fn claim<'a>(&'a self, _: &'a legale::DocumentId, _: &'a legale::reminder::Action, _: legale::Timestamp) -> legale::BoxFuture<'a, Result<bool, legale::Error>> { Box::pin(async { Ok(true) }) }
    /// #     fn release<'a>(&'a self, _: &'a legale::DocumentId, _: &'a legale::reminder::Action) -> legale::BoxFuture<'a, Result<(), legale::Error>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # impl legale::reminder::Notifier for Office {
    /// #     fn notify<'a>(&'a self, _: &'a legale::DocumentId, _: &'a legale::reminder::Action) -> legale::BoxFuture<'a, Result<(), legale::Error>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # let (book, notifier) = (std::sync::Arc::new(Office), std::sync::Arc::new(Office));
    /// use legale::reminder::{Policy, Runner};
    ///
    /// Runner::new(Policy::default(), book, notifier)?.run().await?; // your `Book` and your `Notifier`
    /// # Ok(()) });
    /// ```
    pub async fn run(&self) -> Result<(), Error> {
        while let Some(next) = self.step().await? {
            let wait = next.duration_since(self.clock.wall());
            let wait = Duration::try_from(wait).unwrap_or_default().min(self.longest_pause);
            // Never a loop without a pause, whatever book and clock say.
            self.clock.sleep(wait.max(Duration::from_secs(1))).await;
        }
        Ok(())
    }

    fn next_look(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.longest_pause).unwrap_or(Timestamp::MAX)
    }

    async fn send(&self, document: &DocumentId, action: &Action, now: Timestamp) -> Result<(), Error> {
        if !self.book.claim(document, action, now).await? {
            return Ok(());
        }
        if let Err(error) = self.notifier.notify(document, action).await {
            self.book.release(document, action).await?;
            return Err(error);
        }
        self.observer.sent(document, action);
        Ok(())
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("policy", &self.policy).finish_non_exhaustive()
    }
}
