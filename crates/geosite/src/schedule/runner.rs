//! One run at a time, on one machine at a time (contract 4.6, T4 and T5).
//!
//! The rule enforced here: nobody runs without the integration's lease, and what a run was begun for is written down before it
//! begins, so that of any number of machines exactly one runs each date, and a run whose machine goes down is made up for.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use integration_core::clock::Clock;
use integration_store::{
    Checkpoints, Commit, DEFAULT_LEASE, LaneChoice, Lease, Outbox, Store, StoreError, StoreErrorKind,
    worker_is_gone, worker_name,
};
use jiff::Timestamp;

use super::{History, Next, Order, Schedule};

/// How long at most before the clock is looked at again: it may have been set, or the machine have slept.
const LOOK: Duration = Duration::from_secs(60);
/// How often a run that waits for another one asks whether that has ended.
const POLL: Duration = Duration::from_secs(5);

/// How a run ended, as its caller judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// All of it was read and stored; `full` tells whether everything was compared, whatever was asked for.
    Succeeded {
        /// Whether it was a full compare.
        full: bool,
    },
    /// It failed, was blocked by the guard, was cancelled, or did a part. It is not repeated before the next date.
    Failed,
}

/// What [`Runner::tick`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tick {
    /// It ran.
    Ran(Order, Ending),
    /// A run is due, and waits for one that is under way, here or on another machine.
    Busy,
    /// Nothing is due before this moment.
    Waiting {
        /// When the next run is planned.
        until: Timestamp,
    },
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// Another run of this integration is under way.
    #[error("a run is in progress, by {by}; wait for it to end")]
    RunInProgress {
        /// Who runs.
        by: String,
    },
    /// The store failed; a run that was under way was stopped if it had lost its lease.
    #[error("the schedule's store failed: {0}")]
    Store(#[from] StoreError),
}

impl ScheduleError {
    /// Whether the same may succeed later as it is.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::RunInProgress { .. } => true,
            Self::Store(error) => {
                matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::LeaseLost)
            }
        }
    }
}

/// Runs an integration by its schedule; any number of machines may have one each over the same store.
///
/// ```
/// # use std::sync::Arc;
/// use geosite::schedule::{Ending, Runner, Schedule};
/// use integration_core::clock::ManualClock;
/// use integration_store::Store;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = Store::open("memory:").await?;
/// let runner = Runner::new(&store, "provider-1", Schedule::brasilia().unwrap(), Arc::new(ManualClock::new()));
/// let ending = runner.run_now(async { Ending::Succeeded { full: true } }).await?;
/// assert_eq!(ending, Ending::Succeeded { full: true });
/// # Ok::<(), geosite::schedule::ScheduleError>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Runner {
    memory: Checkpoints,
    lanes: Outbox,
    integration: String,
    schedule: Schedule,
    clock: Arc<dyn Clock>,
    lease: Duration,
    watching: Timestamp,
}

impl Runner {
    /// A runner that watches from now on; `integration` names the connection whose runs exclude each other.
    #[must_use]
    pub fn new(
        store: &Store,
        integration: impl Into<String>,
        schedule: Schedule,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let integration = integration.into();
        let memory = store.checkpoints(format!("geosite/schedule/{integration}"));
        let (lanes, watching) = (store.outbox("geosite/runs"), clock.wall());
        Self { memory, lanes, integration, schedule, clock, lease: DEFAULT_LEASE, watching }
    }

    /// Another length of the lease, which is renewed while a run lasts: after this time a machine that went down is replaced.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// What the schedule remembers; `None` before the first tick.
    ///
    /// Idempotency: no call to the service (contract 4.6).
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// use std::sync::Arc;
    ///
    /// use geosite::SystemClock;
    /// use geosite::schedule::{Ending, Runner, Schedule};
    /// use integration_store::Store;
    ///
    /// let store = Store::open("memory:").await?; // in earnest one that outlives the process
    /// let runner = Runner::new(&store, "provider-1", Schedule::brasilia()?, Arc::new(SystemClock::new()));
    /// assert!(runner.history().await?.is_none()); // before the first tick
    /// # Ok(()) });
    /// ```
    pub async fn history(&self) -> Result<Option<History>, ScheduleError> {
        Ok(self.remembered().await?.map(|(history, _)| history))
    }

    /// Runs what is due, if something is and nobody else is at it.
    ///
    /// Idempotency: no call to the service; of several machines one runs what is due (contract 4.6).
    ///
    /// # Errors
    ///
    /// The store's; `LeaseLost` if another machine took over, which stops the run.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// use std::sync::Arc;
    ///
    /// use geosite::SystemClock;
    /// use geosite::schedule::{Ending, Runner, Schedule};
    /// use integration_store::Store;
    ///
    /// let store = Store::open("memory:").await?; // in earnest one that outlives the process
    /// let runner = Runner::new(&store, "provider-1", Schedule::brasilia()?, Arc::new(SystemClock::new()));
    /// let tick = runner.tick(async |order| {
    ///     println!("{order:?}"); // run the synchronisation here
    ///     Ending::Succeeded { full: true }
    /// });
    /// println!("{:?}", tick.await?);
    /// # Ok(()) });
    /// ```
    pub async fn tick<F, Fut>(&self, run: F) -> Result<Tick, ScheduleError>
    where
        F: FnOnce(Order) -> Fut,
        Fut: Future<Output = Ending>,
    {
        if let Next::Wait { until } = self.next(&self.memory_now().await?.0) {
            return Ok(Tick::Waiting { until });
        }
        let Some(lease) = self.claim().await? else { return Ok(Tick::Busy) };
        let done = self.run_due(&lease, run).await;
        self.give_back(&lease).await;
        done
    }

    /// Ticks until `stop` resolves. A run that is under way then is dropped, and made up for at the next start.
    ///
    /// A due run waits for one that is under way; there is never more than one waiting, since only the newest date is due.
    /// A store that fails is asked again; what went wrong is logged.
    ///
    /// Idempotency: no call to the service; of several machines one runs what is due (contract 4.6).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// use std::sync::Arc;
    ///
    /// use geosite::SystemClock;
    /// use geosite::schedule::{Ending, Runner, Schedule};
    /// use integration_store::Store;
    ///
    /// let store = Store::open("memory:").await?; // in earnest one that outlives the process
    /// let runner = Runner::new(&store, "provider-1", Schedule::brasilia()?, Arc::new(SystemClock::new()));
    /// let stop = std::future::ready(()); // in earnest a signal
    /// runner.run_until(async |_| Ending::Succeeded { full: true }, stop).await;
    /// # Ok(()) });
    /// ```
    pub async fn run_until<F, Fut>(&self, mut run: F, stop: impl Future<Output = ()>)
    where
        F: FnMut(Order) -> Fut,
        Fut: Future<Output = Ending>,
    {
        let mut stop = pin!(stop);
        loop {
            let mut step = pin!(self.step(&mut run));
            // Asked before each step, so that a clock whose pauses pass at once can be stopped too.
            let stopped = std::future::poll_fn(|context| match stop.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => step.as_mut().poll(context).map(|()| false),
            });
            if stopped.await {
                return;
            }
        }
    }

    /// One run, or one pause.
    async fn step<F, Fut>(&self, run: &mut F)
    where
        F: FnMut(Order) -> Fut,
        Fut: Future<Output = Ending>,
    {
        let pause = match self.tick(run).await {
            Ok(Tick::Ran(..)) => return,
            Ok(Tick::Busy) => POLL,
            Ok(Tick::Waiting { until }) => self.until(until).min(LOOK),
            Err(error) => {
                tracing::warn!(integration = self.integration, %error, "the schedule could not go on");
                LOOK
            }
        };
        self.clock.sleep(pause).await;
    }

    fn until(&self, moment: Timestamp) -> Duration {
        // A clock that counts whole seconds must still move.
        Duration::try_from(moment.duration_since(self.clock.wall()))
            .unwrap_or_default()
            .max(Duration::from_secs(1))
    }

    /// A run beside the schedule, at any time; it neither replaces nor cancels the scheduled one (T4).
    ///
    /// Idempotency: no call to the service (contract 4.6).
    ///
    /// # Errors
    ///
    /// [`RunInProgress`](ScheduleError::RunInProgress), and the store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// use std::sync::Arc;
    ///
    /// use geosite::SystemClock;
    /// use geosite::schedule::{Ending, Runner, Schedule};
    /// use integration_store::Store;
    ///
    /// let store = Store::open("memory:").await?; // in earnest one that outlives the process
    /// let runner = Runner::new(&store, "provider-1", Schedule::brasilia()?, Arc::new(SystemClock::new()));
    /// runner.run_now(async { Ending::Succeeded { full: true } }).await?;
    /// # Ok(()) });
    /// ```
    pub async fn run_now(&self, run: impl Future<Output = Ending>) -> Result<Ending, ScheduleError> {
        let Some(lease) = self.claim().await? else { return Err(self.in_progress().await?) };
        let began = self.clock.wall();
        let done = self.manual(&lease, began, run).await;
        self.give_back(&lease).await;
        done
    }

    async fn manual(
        &self,
        lease: &Lease,
        began: Timestamp,
        run: impl Future<Output = Ending>,
    ) -> Result<Ending, ScheduleError> {
        let ending = self.guarded(lease, run).await?;
        let (history, version) = self.memory_now().await?;
        self.remember(after(history, began, ending), version).await?;
        Ok(ending)
    }

    /// Judged again under the lease: another machine may have run it while this one was asking.
    async fn run_due<F, Fut>(&self, lease: &Lease, run: F) -> Result<Tick, ScheduleError>
    where
        F: FnOnce(Order) -> Fut,
        Fut: Future<Output = Ending>,
    {
        let (history, version) = self.memory_now().await?;
        let order = match self.next(&history) {
            Next::Run(order) => order,
            Next::Wait { until } => return Ok(Tick::Waiting { until }),
        };
        let (began, history) = (self.clock.wall(), history.begun(&order));
        let version = self.remember(history, version).await?;
        let ending = self.guarded(lease, run(order)).await?;
        self.remember(after(history.ended(), began, ending), version).await?;
        Ok(Tick::Ran(order, ending))
    }

    fn next(&self, history: &History) -> Next {
        self.schedule.next(history, self.watching, self.clock.wall())
    }

    /// Each claim under a name of its own, so that two runs of one process exclude each other too.
    async fn claim(&self) -> Result<Option<Lease>, ScheduleError> {
        let lane = self.lanes.lane(&self.integration).await?;
        if let Some(gone) = lane.held_by.filter(|holder| worker_is_gone(holder)) {
            // Safe even if it were not gone: its lease would be fenced off.
            self.lanes.release(&Lease::new(self.lanes.name(), &self.integration, gone, lane.fence)).await?;
        }
        let worker = worker_name("geosite");
        Ok(self.lanes.claim(LaneChoice::Named(&self.integration), &worker, self.lease).await?)
    }

    async fn in_progress(&self) -> Result<ScheduleError, ScheduleError> {
        let holder = self.lanes.lane(&self.integration).await?.held_by;
        Ok(ScheduleError::RunInProgress {
            by: holder.unwrap_or_else(|| "one that has just ended".to_owned()),
        })
    }

    /// Does the work while the lease is renewed beside it; the work is dropped if the lease is lost.
    async fn guarded<T>(&self, lease: &Lease, work: impl Future<Output = T>) -> Result<T, ScheduleError> {
        let mut work = pin!(work);
        loop {
            let mut timer = self.clock.timer(self.lease / 3);
            let done = std::future::poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending => timer.as_mut().poll(context).map(|()| None),
            });
            match done.await {
                Some(done) => return Ok(done),
                None => self.renew(lease).await?,
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), ScheduleError> {
        match self.lanes.renew(lease, self.lease).await {
            // Two more tries before it runs out.
            Err(error) if error.kind() == StoreErrorKind::Unavailable => Ok(()),
            renewed => Ok(renewed?),
        }
    }

    async fn give_back(&self, lease: &Lease) {
        if let Err(error) = self.lanes.release(lease).await {
            tracing::debug!(%error, lane = lease.lane, "the lease was not given back; it runs out");
        }
    }

    /// The history, begun now if there is none yet.
    async fn memory_now(&self) -> Result<(History, i64), ScheduleError> {
        if let Some(known) = self.remembered().await? {
            return Ok(known);
        }
        let history = History::starting(self.watching);
        match self.remember(history, 0).await {
            Ok(version) => Ok((history, version)),
            Err(ScheduleError::Store(error)) if error.kind() == StoreErrorKind::Conflict => {
                Ok(self.remembered().await?.unwrap_or((history, 0)))
            }
            Err(error) => Err(error),
        }
    }

    async fn remembered(&self) -> Result<Option<(History, i64)>, ScheduleError> {
        let Some(checkpoint) = self.memory.get().await? else { return Ok(None) };
        let history = serde_json::from_slice(&checkpoint.cursor).map_err(unreadable)?;
        Ok(Some((history, checkpoint.version)))
    }

    async fn remember(&self, history: History, version: i64) -> Result<i64, ScheduleError> {
        let cursor = serde_json::to_vec(&history).map_err(unreadable)?.into();
        Ok(self.memory.commit(Commit { version, cursor, records: Vec::new() }).await?.version)
    }
}

fn after(history: History, began: Timestamp, ending: Ending) -> History {
    match ending {
        Ending::Succeeded { full: true } => history.full_succeeded(began),
        _ => history,
    }
}

fn unreadable(cause: serde_json::Error) -> ScheduleError {
    StoreError::new(StoreErrorKind::Corrupt, "the schedule's history cannot be read")
        .with_source(cause)
        .into()
}

#[cfg(test)]
mod tests;
