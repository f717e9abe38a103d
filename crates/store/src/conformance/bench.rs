//! What the checks work with: a backend under names of their own, and short words for the usual steps.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use integration_core::clock::{Clock, SystemClock};

use crate::backend::{Backend, Pending};
use crate::entry::{Change, Entry, LaneChoice, Lease, NewEntry, Query, State};
use crate::error::{StoreError, StoreErrorKind};

/// Does not run out during a check.
pub(super) const LONG: Duration = Duration::from_secs(3_600);
/// Runs out when [`Bench::outlast`] says so. Nothing may rely on its still running.
pub(super) const SHORT: Duration = Duration::from_millis(50);
/// How many tasks race.
pub(super) const RACERS: usize = 16;

/// What was seen instead of what is promised.
#[derive(Debug)]
pub(super) struct Seen(pub(super) String);

pub(super) type Outcome<T = ()> = Result<T, Seen>;

impl From<StoreError> for Seen {
    fn from(error: StoreError) -> Self {
        Self(format!("an unexpected error: {error}"))
    }
}

/// Ends a check with what was seen.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err($crate::conformance::bench::Seen(format!($($seen)+)));
        }
    };
}
pub(super) use ensure;

/// A table of checks: `name "guarantee"` for each function of the file.
macro_rules! checks {
    ($($name:ident $guarantee:literal)+) => {
        pub(super) const CHECKS: &[$crate::conformance::Check] = &[$($crate::conformance::Check {
            name: stringify!($name),
            guarantee: $guarantee,
            run: |bench| Box::pin($name(bench)),
        }),+];
    };
}
pub(super) use checks;

/// A backend, an outbox of this check's own, and the time.
#[derive(Debug, Clone)]
pub(super) struct Bench {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) name: String,
}

pub(super) fn new(lane: &str, key: &str) -> NewEntry {
    let text = |what: &str| Bytes::from(format!("{what} of {key}"));
    NewEntry::new(lane, key, text("body"), text("data"))
}

pub(super) fn change(entry: &Entry, state: State) -> Change {
    Change { entry: entry.id, version: entry.version, state, data: entry.data.clone(), body: None }
}

impl Bench {
    pub(super) fn new(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>, check: &str) -> Self {
        // Chance of its own, so that a second run on one database meets nothing of the first.
        let chance = SystemClock::new().random();
        Self { backend, clock, name: format!("conformance {check} {chance}") }
    }

    /// Another name of this check's own.
    pub(super) fn other(&self, what: &str) -> Self {
        Self { name: format!("{} {what}", self.name), ..self.clone() }
    }

    /// Until everything that lasts [`SHORT`] has run out.
    pub(super) async fn outlast(&self) {
        self.clock.sleep(SHORT * 2).await;
    }

    pub(super) async fn append(&self, lane: &str, key: &str) -> Outcome<Entry> {
        let appended = self.backend.append(&self.name, "writer", vec![new(lane, key)]).await?;
        let first = appended.into_iter().next().map(|(entry, _)| entry);
        first.ok_or_else(|| Seen("append gave nothing back".to_owned()))
    }

    pub(super) async fn try_claim(&self, lane: &str, worker: &str, ttl: Duration) -> Outcome<Option<Lease>> {
        Ok(self.backend.claim(&self.name, LaneChoice::Named(lane), worker, ttl).await?)
    }

    pub(super) async fn claim(&self, lane: &str, worker: &str, ttl: Duration) -> Outcome<Lease> {
        let lease = self.try_claim(lane, worker, ttl).await?;
        lease.ok_or_else(|| Seen(format!("lane {lane:?} was free, and {worker} did not get it")))
    }

    pub(super) async fn claim_any(&self, worker: &str) -> Outcome<Option<Lease>> {
        Ok(self.backend.claim(&self.name, LaneChoice::AnyReady, worker, LONG).await?)
    }

    pub(super) async fn go(&self, lease: &Lease, entry: &Entry, state: State) -> Outcome<Entry> {
        let written = self.backend.write(lease, vec![change(entry, state)]).await?;
        written.into_iter().next().ok_or_else(|| Seen("write gave nothing back".to_owned()))
    }

    /// A new entry, led to a state over allowed steps.
    pub(super) async fn entry_in(&self, lease: &Lease, key: &str, state: State) -> Outcome<Entry> {
        let mut entry = self.append(&lease.lane, key).await?;
        let way: &[State] = match state {
            State::Prepared => &[],
            State::InFlight => &[State::InFlight],
            State::Dead => &[State::Dead],
            _ => &[State::InFlight, state],
        };
        for step in way {
            entry = self.go(lease, &entry, *step).await?;
        }
        Ok(entry)
    }

    pub(super) async fn find(&self, key: &str) -> Outcome<Entry> {
        let found = self.backend.find(&self.name, key).await?;
        found.ok_or_else(|| Seen(format!("the entry of key {key:?} is not found")))
    }

    /// An entry stands as it stood, and so does its history.
    pub(super) async fn unchanged(&self, entry: &Entry, lines: usize) -> Outcome {
        let now = self.find(&entry.key).await?;
        ensure!(now == *entry, "{entry:?} became {now:?}");
        let history = self.backend.history(&self.name, entry.id).await?;
        ensure!(history.len() == lines, "its history has {} lines instead of {lines}", history.len());
        Ok(())
    }

    pub(super) async fn keys(&self, query: Query) -> Outcome<Vec<String>> {
        Ok(self.backend.list(&self.name, query).await?.into_iter().map(|entry| entry.key).collect())
    }

    /// Starts one task a racer and gathers what each got.
    pub(super) async fn race<T, F>(&self, racer: impl Fn(Self, String) -> F) -> Outcome<Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let start = |number| tokio::spawn(racer(self.clone(), format!("racer {number}")));
        let tasks: Vec<_> = (0..RACERS).map(start).collect();
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(task.await.map_err(|error| Seen(format!("a racing task ended badly: {error}")))?);
        }
        Ok(results)
    }
}

/// An operation must fail, and say why.
pub(super) async fn refused<T>(operation: Pending<'_, T>, kind: StoreErrorKind, what: &str) -> Outcome {
    match operation.await {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => {
            Err(Seen(format!("{what} was refused with {:?} instead of {kind:?}: {error}", error.kind())))
        }
        Ok(_) => Err(Seen(format!("{what} was not refused"))),
    }
}
