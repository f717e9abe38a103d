//! The engine's numbers (contract O3, O6, O8, 4.4, 4.7). All of them are **assumed**; the defaults are the contract's.

use std::time::Duration;

use integration_core::{Error, Fault, Faults};

use crate::grant::Rules;

/// How the engine works.
///
/// ```
/// use apiges_sync::sync::Settings;
///
/// let settings = Settings { parallel: 4, ..Settings::default() };
/// assert!(settings.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many cases are under way at once; 8 (O3).
    pub parallel: usize,
    /// How long a case, and the right to send at all, is another program's; 30 s (O6).
    pub lease: Duration,
    /// How long one case may take, from reading it to the portal's answer, before it is put off; 2 min.
    pub turn: Duration,
    /// The first pause after a failure, before jitter; 1 s (O6).
    pub first_pause: Duration,
    /// The longest pause; 5 min (O6).
    pub longest_pause: Duration,
    /// After how many tries an entry is dead; 12 (O6).
    pub tries: u32,
    /// How many items a batch holds; 100 (W31).
    pub batch_items: usize,
    /// From how many waiting entries on the numbers raise an alarm; 10,000 (O8).
    pub alarm: usize,
    /// How often [`WebSync::run`](super::WebSync::run) looks for entries of other programs; 1 s.
    pub look_again: Duration,
    /// Boxes, holders, closed states.
    pub rules: Rules,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parallel: 8,
            lease: Duration::from_secs(30),
            turn: Duration::from_secs(120),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
            tries: 12,
            batch_items: 100,
            alarm: 10_000,
            look_again: Duration::from_secs(1),
            rules: Rules::default(),
        }
    }
}

impl Settings {
    /// Checks them.
    ///
    /// # Errors
    /// A validation error with every setting that cannot work.
    pub fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        let mut fault = |broken: bool, rule, path: &str, hint: &'static str| {
            if broken {
                faults.push(Fault::error(rule, path).with_hint(hint));
            }
        };
        fault(self.parallel == 0, "O3", "parallel", "at least one");
        fault(self.lease.is_zero(), "O6", "lease", "some seconds");
        fault(self.turn.is_zero(), "O6", "turn", "some seconds");
        fault(self.tries == 0, "O6", "tries", "at least one");
        fault(self.batch_items == 0, "W22", "batchItems", "at least one");
        fault(self.look_again.is_zero(), "4.7", "lookAgain", "a second or so");
        fault(self.first_pause.is_zero(), "O6", "firstPause", "a second or so");
        fault(self.longest_pause < self.first_pause, "O6", "longestPause", "no shorter than the first");
        if let Err(error) = self.rules.check() {
            faults.extend(error.faults().iter().cloned());
        }
        faults.into_result("set up the synchronisation").map(drop)
    }

    /// How long to wait after the n-th failure: full jitter over a doubling span.
    pub(crate) fn pause(&self, tries: u32, random: f64) -> Duration {
        let doubled =
            self.first_pause.saturating_mul(1u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
        doubled.min(self.longest_pause).mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_with_full_jitter() {
        let pause = |tries, random| Settings::default().pause(tries, random).as_secs();
        assert_eq!([1, 2, 3, 9, 10, 40].map(|tries| pause(tries, 1.0)), [1, 2, 4, 256, 300, 300]);
        assert_eq!((pause(9, 0.5), pause(9, 0.0)), (128, 0));
    }

    #[test]
    fn all_faults_come_at_once() {
        let zero = Duration::ZERO;
        let wrong = Settings {
            parallel: 0,
            tries: 0,
            batch_items: 0,
            lease: zero,
            turn: zero,
            look_again: zero,
            longest_pause: Duration::from_millis(1),
            ..Settings::default()
        };
        assert_eq!(wrong.check().unwrap_err().faults().len(), 7);
    }
}
