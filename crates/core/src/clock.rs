//! Time, waiting and chance as parameters.
//!
//! This is the only file of the libraries that touches the standard clocks (`clippy.toml` bans them elsewhere), so every
//! decision about time can be replayed and no test waits for real. Two kinds of waiting are kept apart: [`Clock::sleep`]
//! is a pause we choose, which a test may skip; [`Clock::timer`] limits somebody else's work, which a test must not skip,
//! or every call would time out at once.

#![allow(clippy::disallowed_methods)]

use std::fmt::Debug;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::BoxFuture;

/// The source of time and randomness of a client.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Time since a fixed but arbitrary moment; never goes back.
    fn elapsed(&self) -> Duration;

    /// The wall clock, for dates. It may jump; durations are never computed from it.
    fn wall(&self) -> Timestamp;

    /// A pause between two attempts.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Resolves when `duration` has passed, to limit work that somebody else does.
    fn timer(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// A number between 0 (included) and 1 (excluded), for spreading retries.
    fn random(&self) -> f64;
}

/// What `work` gives, or nothing if it takes longer than `limit`; it is dropped then. For work of somebody else's that a call waits
/// for, such as a caller's file.
///
/// ```
/// use std::time::Duration;
/// use integration_core::clock::{SystemClock, within};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// let (clock, limit) = (SystemClock::new(), Duration::from_millis(5));
/// assert_eq!(within(&clock, limit, std::future::ready(7)).await, Some(7));
/// assert_eq!(within(&clock, limit, std::future::pending::<()>()).await, None);
/// # });
/// ```
pub async fn within<T>(clock: &dyn Clock, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let began = clock.elapsed();
    let mut timer: Option<BoxFuture<'static, ()>> = None;
    let mut work = pin!(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            // Much of what is limited is done at once; the timer of what is not counts from the beginning all the same.
            let rest = || limit.saturating_sub(clock.elapsed().saturating_sub(began));
            let timer = timer.get_or_insert_with(|| clock.timer(rest()));
            timer.as_mut().poll(context).map(|()| None)
        }
    })
    .await
}

/// The machine's own clock; needs a tokio runtime with time enabled.
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] starts at zero now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn timer(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> f64 {
        // Each RandomState is keyed freshly: enough for spreading retries, and no further dependency.
        unit(RandomState::new().build_hasher().finish())
    }
}

/// The 53 bits that a double can hold exactly, as a fraction of one.
fn unit(bits: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let numerator = (bits >> 11) as f64;
    numerator / (1u64 << 53) as f64
}

/// A clock for tests: sleeps pass at once and are recorded, timers never fire on their own.
///
/// ```
/// use std::time::Duration;
/// use integration_core::clock::{Clock, ManualClock};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let clock = ManualClock::new();
/// clock.sleep(Duration::from_secs(3600)).await;
/// assert_eq!(clock.slept(), [Duration::from_secs(3600)]);
/// assert_eq!(clock.elapsed(), Duration::from_secs(3600));
/// # });
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
    advanced: Arc<tokio::sync::Notify>,
}

#[derive(Debug, Default)]
struct ManualState {
    elapsed: Duration,
    slept: Vec<Duration>,
    random: f64,
}

impl ManualClock {
    /// A clock at zero whose [`Clock::random`] is always 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fixes what [`Clock::random`] answers.
    #[must_use]
    pub fn with_random(self, value: f64) -> Self {
        self.lock().random = value;
        self
    }

    /// Moves time forward and fires the timers that are due.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.lock();
        state.elapsed = state.elapsed.saturating_add(duration);
        drop(state);
        self.advanced.notify_waiters();
    }

    /// Every pause that was asked for, in order.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        self.lock().slept.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    fn wall(&self) -> Timestamp {
        let seconds = i64::try_from(self.elapsed().as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.lock().slept.push(duration);
        self.advance(duration);
        Box::pin(std::future::ready(()))
    }

    fn timer(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        let due = self.elapsed().saturating_add(duration);
        Box::pin(async move {
            loop {
                // Registered before the check, so that an advance in between is not missed.
                let advanced = clock.advanced.notified();
                if clock.elapsed() >= due {
                    return;
                }
                advanced.await;
            }
        })
    }

    fn random(&self) -> f64 {
        self.lock().random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_randomness_stays_in_range_and_varies() {
        let clock = SystemClock::new();
        let drawn: Vec<f64> = (0..100).map(|_| clock.random()).collect();
        assert!(drawn.iter().all(|value| (0.0..1.0).contains(value)));
        assert!(drawn.iter().any(|value| *value != drawn[0]));
    }

    #[tokio::test]
    async fn a_manual_timer_fires_only_when_time_is_advanced() {
        let clock = ManualClock::new();
        let timer = tokio::spawn(clock.timer(Duration::from_secs(5)));
        tokio::task::yield_now().await;
        assert!(!timer.is_finished());
        clock.advance(Duration::from_secs(5));
        timer.await.unwrap();
    }
}
