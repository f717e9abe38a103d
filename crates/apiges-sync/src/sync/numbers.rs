//! The engine in numbers (contract O8, Y9).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many of the newest delays are remembered.
const SAMPLES: usize = 4096;

/// What was counted since this engine was built, and what waits in the store now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Numbers {
    /// Pushes that were sent, repeats included.
    pub pushed: u64,
    /// Pushes of which the portal said that it had them already.
    pub duplicates: u64,
    /// Pushes and withdrawals that were older than what the portal had.
    pub stale: u64,
    /// Files that grants lost.
    pub withdrawals: u64,
    /// Refusals because somebody who has a file was not named.
    pub implicit: u64,
    /// Refusals because a version was used before.
    pub reused: u64,
    /// Grants whose digest at the portal was another (4.6).
    pub mismatches: u64,
    /// Failures that are tried again.
    pub put_off: u64,
    /// Marks that wait.
    pub pending: usize,
    /// Marks that were set aside.
    pub dead: usize,
    /// Whether more wait than [`Settings::alarm`](super::Settings::alarm).
    pub alarm: bool,
    /// Of the newest changes, the delay from their saving to the portal's answer that half of them kept.
    pub p50: Option<Duration>,
    /// The delay that 99 of 100 kept.
    pub p99: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<(Numbers, VecDeque<Duration>)>);

impl Counts {
    pub(crate) fn change(&self, change: impl FnOnce(&mut Numbers)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0);
    }

    pub(crate) fn delay(&self, delay: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.1.len() >= SAMPLES {
            counts.1.pop_front();
        }
        counts.1.push_back(delay);
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut delays: Vec<Duration> = counts.1.iter().copied().collect();
        delays.sort_unstable();
        Numbers { p50: percentile(&delays, 50), p99: percentile(&delays, 99), ..counts.0.clone() }
    }
}

/// The smallest value that so many of a hundred do not exceed.
fn percentile(sorted: &[Duration], of_hundred: usize) -> Option<Duration> {
    let rank = (sorted.len() * of_hundred).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let delays: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let at = |of| percentile(&delays, of).unwrap().as_millis();
        assert_eq!((at(50), at(99), at(100)), (100, 198, 200));
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&delays[..1], 99), Some(Duration::from_millis(1)));
    }
}
