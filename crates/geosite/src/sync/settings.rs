//! How an integration is synchronised: what the contract leaves to us, with its defaults (section 2.5, all assumed).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::guard::Guard;
use super::report::{Mode, Trigger};
use crate::assumptions::Assumptions;

/// Settings of a synchronisation. Every default is the contract's, and our assumption.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The integration's name: what a register tells several by.
    pub integration: String,
    /// This worker's name. A worker of the same name may go on at once with a run that was killed; others wait for its lease.
    pub worker: String,
    /// How far before the cursor an incremental run asks; 15 minutes.
    pub overlap: Duration,
    /// How wrong our own clock may be, where the server shows none; 2 minutes.
    pub clock_skew: Duration,
    /// How many rows are stored at once; 500.
    pub page_size: usize,
    /// How many shelves (splitters, boxes, customers…) are read at the same time, each with one call under way; 4, which is the
    /// contract's limit of calls in flight (2.3). What is stored does not depend on it.
    pub at_once: usize,
    /// When deletions are held back.
    pub guard: Guard,
    /// How often a list is begun again because it changed under the reader; 3.
    pub restarts: u64,
    /// How long a lease lasts from each stored page on; 5 minutes. Longer than the plant may take for one page.
    pub lease: Duration,
    /// Up to which age a killed run is gone on with; 24 hours. An older one is given up, and begun anew.
    pub resume_within: Duration,
    /// How long gravestones are kept; 180 days.
    pub keep_tombstones: Duration,
    /// How long the history is kept; 400 days.
    pub keep_history: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Settings {
    /// The contract's defaults.
    #[must_use]
    pub fn new(integration: impl Into<String>, worker: impl Into<String>) -> Self {
        Self {
            integration: integration.into(),
            worker: worker.into(),
            overlap: Duration::from_secs(15 * 60),
            clock_skew: Duration::from_secs(120),
            page_size: 500,
            at_once: 4,
            guard: Guard::default(),
            restarts: 3,
            lease: Duration::from_secs(300),
            resume_within: DAY,
            keep_tombstones: DAY * 180,
            keep_history: DAY * 400,
        }
    }

    /// As the client's assumptions say: overlap, allowance for our clock, guard and size of a page.
    #[must_use]
    pub fn assuming(mut self, assumptions: &Assumptions) -> Self {
        (self.overlap, self.clock_skew) = (assumptions.overlap, assumptions.clock_skew);
        self.page_size = usize::try_from(assumptions.page_size).unwrap_or(self.page_size);
        let limits = &assumptions.guard;
        let (items, percent, percent_from) = (limits.items, u64::from(limits.percent), limits.percent_from);
        self.guard = Guard { items, percent, percent_from };
        self
    }
}

/// What is asked of a run.
///
/// ```
/// use geosite::sync::{Request, Trigger};
///
/// let nightly = Request::incremental().by(Trigger::Scheduled);
/// let trial = Request::full().dry();
/// # let _ = (nightly, trial);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    pub(crate) mode: Mode,
    pub(crate) trigger: Trigger,
    pub(crate) dry_run: bool,
    pub(crate) cancel: Cancel,
}

impl Request {
    /// What has changed since the last run; whole where no cursor says since when.
    #[must_use]
    pub fn incremental() -> Self {
        Self { mode: Mode::Incremental, trigger: Trigger::Manual, dry_run: false, cancel: Cancel::default() }
    }

    /// Everything, compared with what is stored.
    #[must_use]
    pub fn full() -> Self {
        Self { mode: Mode::Full, ..Self::incremental() }
    }

    /// Says why it is started; manual if nothing is said.
    #[must_use]
    pub fn by(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }

    /// Reads and compares, and writes nothing at all.
    #[must_use]
    pub fn dry(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Lets somebody stop it.
    #[must_use]
    pub fn stopped_by(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }
}

/// Stops a run between two pages; what was stored stays, and is whole. Dropping the run's future is as safe, but leaves a run
/// that the next one goes on with.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A switch that is off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the runs that listen to it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
