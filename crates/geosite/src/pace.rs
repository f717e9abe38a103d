//! A rate limiter: calls start evenly spread (contract 2.3; off unless asked for, since the vendor publishes no limit).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use integration_core::clock::Clock;

/// How far apart calls start; clones share the queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    apart: Duration,
    /// When the next one may start, on the client's clock.
    next: Arc<Mutex<Duration>>,
}

impl Pace {
    pub(crate) fn new(calls: u32, per: Duration) -> Self {
        Self { apart: per.checked_div(calls).unwrap_or(Duration::ZERO), next: Arc::default() }
    }

    /// Takes the next place in the queue, and waits for it.
    pub(crate) async fn wait(&self, clock: &dyn Clock) {
        let wait = self.take(clock.elapsed());
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
    }

    fn take(&self, now: Duration) -> Duration {
        if self.apart.is_zero() {
            return Duration::ZERO;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = now.max(*next);
        *next = start.saturating_add(self.apart);
        start.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_start_evenly_spread() {
        let pace = Pace::new(4, Duration::from_secs(1));
        let at = Duration::from_millis;
        assert_eq!(pace.take(at(0)), at(0));
        assert_eq!(pace.clone().take(at(0)), at(250));
        assert_eq!(pace.take(at(100)), at(400));
        assert_eq!(pace.take(at(5000)), at(0));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        for pace in [Pace::default(), Pace::new(0, Duration::from_secs(1))] {
            assert_eq!(
                (pace.take(Duration::ZERO), pace.take(Duration::ZERO)),
                (Duration::ZERO, Duration::ZERO)
            );
        }
    }
}
