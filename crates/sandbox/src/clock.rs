//! The sandbox's only clock: the wall time that answers carry, and the only sleep.
//!
//! Everything else takes a [`Moment`] as a parameter, so that texts built from time can be tested.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// An instant, as the simulated services see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(Timestamp);

impl Moment {
    #[cfg(test)]
    pub(crate) fn from_epoch(seconds: i64) -> Self {
        Self(Timestamp::from_second(seconds).unwrap())
    }

    /// Seconds since the epoch (`iat` of a token).
    pub(crate) fn epoch(self) -> i64 {
        self.0.as_second()
    }

    /// Wall time in Caracas: no zone is written by the service, UTC-4 is the contract's reading.
    fn local(self) -> DateTime {
        Offset::constant(-4).to_datetime(self.0)
    }

    /// `YYYY-MM-DD HH:mm:ss`
    pub(crate) fn date_time(self) -> String {
        self.local().strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `YYYYMMDD`
    pub(crate) fn date(self) -> String {
        self.local().strftime("%Y%m%d").to_string()
    }

    /// `HH:mm:ss`
    pub(crate) fn time(self) -> String {
        self.local().strftime("%H:%M:%S").to_string()
    }

    /// `YYYY-MM`, the folder in which the service files its PDFs.
    pub(crate) fn month(self) -> String {
        self.local().strftime("%Y-%m").to_string()
    }
}

/// The present moment.
pub(crate) fn now() -> Moment {
    Moment(Timestamp::now())
}

/// Waits for real: only for answers that a fault made late.
pub(crate) async fn sleep(delay: Duration) {
    tokio::time::sleep(delay).await;
}

/// Waits for `work` at most `limit`; tells whether it ended.
pub(crate) async fn within(limit: Duration, work: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(limit, work).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn wall_time_is_four_hours_behind_utc() {
        let moment = Moment::from_epoch(1_736_902_805); // 2025-01-15T01:00:05Z
        assert_eq!(moment.date_time(), "2025-01-14 21:00:05");
        assert_eq!(moment.date(), "20250114");
        assert_eq!(moment.time(), "21:00:05");
        assert_eq!(moment.month(), "2025-01");
    }
}
