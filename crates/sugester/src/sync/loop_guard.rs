//! A bound on writes (contract 4.3): whatever goes wrong between two servers, one record is not written in circles.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How often one record may be written in a span of time: 5 times in 10 minutes unless set (assumed).
///
/// ```
/// use sugester::sync::{LoopGuard, Turn};
///
/// let now = "2024-11-08T10:00:00Z".parse()?;
/// assert_eq!(LoopGuard::default().judge([now; 4], now), Turn::Write);
/// assert_eq!(LoopGuard::default().judge([now; 5], now), Turn::Pause { writes: 5 });
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopGuard {
    most: usize,
    span: Duration,
}

impl Default for LoopGuard {
    fn default() -> Self {
        Self::new(5, Duration::from_secs(600))
    }
}

/// What to do with the next write of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Write.
    Write,
    /// Do not: pause the record and report it.
    Pause {
        /// How many writes the span already holds.
        writes: usize,
    },
}

impl LoopGuard {
    /// At most so many writes of one record within a span.
    #[must_use]
    pub const fn new(most: usize, span: Duration) -> Self {
        Self { most, span }
    }

    /// Whether one more write keeps the bound, given when the record was written before. Times to come, which a clock that was put
    /// back leaves behind, count.
    #[must_use]
    pub fn judge(&self, written: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> Turn {
        let span = SignedDuration::try_from(self.span).unwrap_or(SignedDuration::MAX);
        let writes = written.into_iter().filter(|at| now.duration_since(*at) < span).count();
        if writes < self.most { Turn::Write } else { Turn::Pause { writes } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_sixth_write_in_ten_minutes_is_not_made() {
        let judge = |written: &[i64]| LoopGuard::default().judge(written.iter().copied().map(at), at(0));
        assert_eq!(judge(&[]), Turn::Write);
        assert_eq!(judge(&[-599, -300, -200, -100]), Turn::Write);
        assert_eq!(judge(&[-599, -300, -200, -100, -1]), Turn::Pause { writes: 5 });
        assert_eq!(judge(&[-600, -300, -200, -100, -1]), Turn::Write);
        assert_eq!(judge(&[10, 20, 30, 40, 50]), Turn::Pause { writes: 5 });
    }

    proptest! {
        #[test]
        fn a_record_that_is_always_due_is_never_written_more_often(gaps in prop::collection::vec(0_i64..400, 1..60)) {
            let mut written: Vec<i64> = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                if LoopGuard::default().judge(written.iter().copied().map(at), at(now)) == Turn::Write {
                    written.push(now);
                }
            }
            for start in &written {
                prop_assert!(written.iter().filter(|at| (*start..start + 600).contains(at)).count() <= 5);
            }
        }
    }
}
