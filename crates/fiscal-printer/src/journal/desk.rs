//! How one worker handles one outbox: its turn in a lane, the lease, and writing through a store that may falter.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use integration_core::call::{Lane, Place};
use integration_core::clock::Clock;
use integration_core::{Error, Outcome};
use integration_store::{Entry, LaneChoice, Lease, Outbox, Step, StoreError, StoreErrorKind};

use super::trouble;

/// Pauses while another worker has the lane.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How often a write is tried on a store that cannot be reached.
const WRITES: u32 = 8;

#[derive(Debug)]
pub(super) struct Desk {
    /// What is done here, for errors.
    pub(super) operation: &'static str,
    pub(super) outbox: Outbox,
    worker: String,
    lease: Duration,
    total: Duration,
    clock: Arc<dyn Clock>,
    /// One task of this process at a time in each lane: the worker's lease does not tell its tasks apart.
    turns: Mutex<HashMap<String, Arc<Lane>>>,
    /// Lanes that this worker left in order, each with the fence that they had then.
    left_in_order: Mutex<HashMap<String, i64>>,
}

/// A task's turn in a lane, until it is dropped.
#[derive(Debug)]
#[must_use = "the turn is over when this is dropped"]
pub(super) struct Turn {
    _place: Place,
    /// Keeps the lane in the list while somebody is in it or waits for it.
    _lane: Arc<Lane>,
}

/// Above this many lanes, those in which nobody is are forgotten: every mail has one of its own.
const LANES_KEPT: usize = 1024;

impl Desk {
    pub(super) fn new(
        operation: &'static str,
        outbox: Outbox,
        worker: String,
        lease: Duration,
        total: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            operation,
            outbox,
            worker,
            lease,
            total,
            clock,
            turns: Mutex::default(),
            left_in_order: Mutex::default(),
        }
    }

    pub(super) fn worker(&self) -> &str {
        &self.worker
    }

    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Waits until no other task of this process works in the lane.
    pub(super) async fn turn(&self, lane: &str) -> Turn {
        let lane = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= LANES_KEPT {
                turns.retain(|_, lane| Arc::strong_count(lane) > 1);
            }
            Arc::clone(turns.entry(lane.to_owned()).or_insert_with(|| Arc::new(Lane::new(1))))
        };
        Turn { _place: lane.enter().await, _lane: lane }
    }

    /// Notes that the lane was given back with nothing in flight, in doubt or missing in it. As long as its fence stays the same
    /// nobody has worked in it, so the next document needs no look at it.
    pub(super) fn left_in_order(&self, lease: &Lease) {
        self.orderly().insert(lease.lane.clone(), lease.fence);
    }

    /// The fence under which the lane was left in order, once: whoever takes it leaves it in order again, or looks.
    pub(super) fn take_order(&self, lane: &str) -> Option<i64> {
        self.orderly().remove(lane)
    }

    fn orderly(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.left_in_order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failure of the store while nothing was under way.
    pub(super) fn trouble(&self, error: StoreError) -> Error {
        trouble::before_of(self.operation, error)
    }

    /// How long to wait for another worker before giving up: it may have a whole call and its resolution before it.
    pub(super) fn patience(&self) -> Patience<'_> {
        let limit = self.lease.saturating_mul(3).max(self.total.saturating_mul(2));
        Patience {
            operation: self.operation,
            clock: &*self.clock,
            until: self.clock.elapsed().saturating_add(limit),
            pause: FIRST_PAUSE,
        }
    }

    /// Claims the lane, waiting for whoever has it. What was in flight in it becomes unknown.
    pub(super) async fn take(&self, lane: &str) -> Result<Lease, Error> {
        let mut patience = self.patience();
        loop {
            let claimed = self.outbox.claim(LaneChoice::Named(lane), &self.worker, self.lease).await;
            match claimed {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) => {}
                Err(error) if error.kind() == StoreErrorKind::Unavailable && !patience.is_over() => {}
                Err(error) => return Err(self.trouble(error)),
            }
            let view = self.outbox.lane(lane).await.map_err(|error| self.trouble(error))?;
            self.bury(lane, view.held_by.as_deref(), view.fence).await?;
            patience.wait(lane, view.held_by.as_deref().unwrap_or("?")).await?;
        }
    }

    /// Ends the lease of a worker whose process is certainly gone.
    ///
    /// Safe even if it were not: what it had in flight becomes unknown, and its writes are fenced off.
    pub(super) async fn bury(&self, lane: &str, holder: Option<&str>, fence: i64) -> Result<(), Error> {
        let Some(holder) = holder.filter(|holder| integration_store::worker_is_gone(holder)) else {
            return Ok(());
        };
        tracing::info!(lane, worker = holder, "its process has ended: the lane is taken over");
        let lease = Lease::new(self.outbox.name(), lane, holder, fence);
        self.outbox.release(&lease).await.map_err(|error| self.trouble(error))
    }

    /// Claims the lane if nobody has it now.
    pub(super) async fn claim_now(&self, lane: &str) -> Result<Option<Lease>, Error> {
        self.outbox
            .claim(LaneChoice::Named(lane), &self.worker, self.lease)
            .await
            .map_err(|error| self.trouble(error))
    }

    pub(super) async fn give_back(&self, lease: &Lease) {
        // A lease that cannot be given back runs out.
        if let Err(error) = self.outbox.release(lease).await {
            tracing::debug!(%error, lane = lease.lane, "the lease was not given back");
        }
    }

    /// Writes a step that changes the entry of `key` last, through a store that may falter: when the answer to a write was lost,
    /// the entry tells whether it took effect.
    pub(super) async fn persist(&self, lease: &Lease, key: &str, step: Step) -> Result<Entry, StoreError> {
        let Some(change) = step.changes.last().cloned() else { return Err(nothing_to_write(key)) };
        let mut pause = FIRST_PAUSE;
        let mut tries = 0u32;
        loop {
            tries = tries.saturating_add(1);
            let error = match self.write_once(lease, key, &step).await {
                Ok(entry) => return Ok(entry),
                Err(error) => error,
            };
            if error.kind() != StoreErrorKind::Unavailable || tries >= WRITES {
                return Err(error);
            }
            self.clock.sleep(pause).await;
            pause = pause.saturating_mul(4).min(Duration::from_secs(2));
            if let Ok(Some(entry)) = self.outbox.find(key).await
                && entry.version == change.version.saturating_add(1)
                && (entry.state, &entry.data) == (change.state, &change.data)
            {
                return Ok(entry);
            }
        }
    }

    async fn write_once(&self, lease: &Lease, key: &str, step: &Step) -> Result<Entry, StoreError> {
        let entries = self.outbox.apply(lease, step.clone()).await?;
        entries.into_iter().rfind(|entry| entry.key == key).ok_or_else(|| nothing_to_write(key))
    }

    /// Does `work` while keeping the lease alive.
    ///
    /// A lease that is lost meanwhile stops nothing: what has left cannot be called back, and the fence keeps the result out.
    pub(super) async fn holding<T>(&self, lease: &Lease, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut renewal = pin!(self.keep(lease));
        poll_fn(|context| {
            // The work first: what is ready at once needs no timer.
            let done = work.as_mut().poll(context);
            if done.is_pending() {
                let _ = renewal.as_mut().poll(context);
            }
            done
        })
        .await
    }

    /// Renews until the lease is lost, and then never ends.
    async fn keep(&self, lease: &Lease) {
        loop {
            self.clock.timer(self.lease / 3).await;
            match self.outbox.renew(lease, self.lease).await {
                Ok(()) => {}
                Err(error) if error.kind() == StoreErrorKind::Unavailable => {}
                Err(error) => {
                    tracing::warn!(%error, "the lease was lost while a request was under way");
                    return std::future::pending().await;
                }
            }
        }
    }
}

fn nothing_to_write(key: &str) -> StoreError {
    StoreError::new(StoreErrorKind::NotFound, format!("the step does not change {key}"))
}

/// Waiting for another worker, a little longer each time, within a limit.
pub(super) struct Patience<'d> {
    operation: &'static str,
    clock: &'d dyn Clock,
    until: Duration,
    pause: Duration,
}

impl Patience<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.clock.elapsed() >= self.until
    }

    pub(super) async fn wait(&mut self, lane: &str, holder: &str) -> Result<(), Error> {
        if self.is_over() {
            return Err(trouble::busy(self.operation, lane, holder).with_outcome(Outcome::NotSent));
        }
        // Spread, so that workers that wait for each other do not keep step.
        self.clock.sleep(self.pause.mul_f64(0.5 + self.clock.random())).await;
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        Ok(())
    }
}
