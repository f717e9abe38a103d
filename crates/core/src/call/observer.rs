//! Metrics: what became of each call, told once, when it is over.
//!
//! Without an observer nothing is counted and no clock is asked. Nothing that is told holds an address, a value or a body.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use super::client::Shared;
use super::operation::{Call, Idempotency};
use super::settings::BaseUrl;
use crate::clock::Clock;
use crate::{Error, ErrorKind, Outcome};

/// What became of one call. A login on the way is a call of its own, and so is a redirect that is followed; of a body that is
/// streamed it tells until the head was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation<'c> {
    /// The operation's name, one of a few dozen.
    pub operation: &'static str,
    /// Whether it may be repeated.
    pub idempotency: Idempotency,
    /// The host that was asked.
    pub host: &'c str,
    /// The HTTP status of the last answer, if there was one.
    pub status: Option<u16>,
    /// What it failed of; nothing if it ended well or was dropped.
    pub error: Option<ErrorKind>,
    /// Whether it took effect, of a call that failed or was dropped; nothing if it ended well.
    pub outcome: Option<Outcome>,
    /// Whether its future was dropped before it was over.
    pub dropped: bool,
    /// How many requests were made.
    pub attempts: u32,
    /// Time in its lane and in pauses between attempts, of the client's clock.
    pub waiting: Duration,
    /// Time from its beginning to its end, waiting included, of the client's clock.
    pub duration: Duration,
}

/// Is told what became of each call of a client: for counters and histograms.
///
/// It is called on the task that makes the call, and must not block.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use integration_core::call::{BaseUrl, CallObserver, Caller, Observation};
///
/// #[derive(Debug, Default)]
/// struct Failures(AtomicU32);
///
/// impl CallObserver for Failures {
///     fn observe(&self, call: &Observation<'_>) {
///         if call.error.is_some() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let failures = std::sync::Arc::new(Failures::default());
/// let base = BaseUrl::parse("https://service.example.com")?;
/// let caller = Caller::builder(base).observer(failures.clone()).build()?;
/// # Ok::<(), integration_core::Error>(())
/// ```
pub trait CallObserver: Debug + Send + Sync + 'static {
    /// One call is over.
    fn observe(&self, call: &Observation<'_>);
}

/// One observer for several clients.
impl<T: CallObserver + ?Sized> CallObserver for Arc<T> {
    fn observe(&self, call: &Observation<'_>) {
        (**self).observe(call);
    }
}

/// Counts for the observer of one call; does nothing without one.
pub(crate) struct Watch<'c>(Option<Watched<'c>>);

struct Watched<'c> {
    observer: &'c dyn CallObserver,
    clock: &'c dyn Clock,
    started: Duration,
    waiting: Duration,
}

impl<'c> Watch<'c> {
    pub(crate) fn of(shared: &'c Shared) -> Self {
        let clock = &*shared.clock;
        Self(shared.observer.as_deref().map(|observer| Watched {
            observer,
            clock,
            started: clock.elapsed(),
            waiting: Duration::ZERO,
        }))
    }

    /// When a wait begins that [`waited`](Self::waited) ends.
    pub(crate) fn now(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |watched| watched.clock.elapsed())
    }

    pub(crate) fn waited(&mut self, since: Duration) {
        let now = self.now();
        if let Some(watched) = &mut self.0 {
            watched.waiting = watched.waiting.saturating_add(now.saturating_sub(since));
        }
    }

    pub(crate) fn over(&mut self, call: &Call, base: &BaseUrl, attempts: u32, end: &End<'_>) {
        let Some(watched) = self.0.take() else { return };
        let (error, outcome) = match end {
            End::Well(_) => (None, None),
            End::Badly(error) => (Some(error.kind()), Some(error.outcome())),
            End::Dropped(outcome) => (None, Some(*outcome)),
        };
        watched.observer.observe(&Observation {
            operation: call.operation.name,
            idempotency: call.operation.idempotency,
            host: base.host(),
            status: end.status(),
            error,
            outcome,
            dropped: matches!(end, End::Dropped(_)),
            attempts,
            waiting: watched.waiting,
            duration: watched.clock.elapsed().saturating_sub(watched.started),
        });
    }
}

/// How a call ended.
pub(crate) enum End<'e> {
    Well(u16),
    Badly(&'e Error),
    Dropped(Outcome),
}

impl End<'_> {
    /// The HTTP status of the last answer, if there was one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Well(status) => Some(*status),
            Self::Badly(error) => error.status().map(|status| status.as_u16()),
            Self::Dropped(_) => None,
        }
    }
}
