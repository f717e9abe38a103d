//! The sandbox's only clock: the wall time that answers carry, and the only sleep.
//!
//! Everything else takes a [`Moment`] as a parameter, so that texts built from time can be tested.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, as the simulated services see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Timestamp);

/// The clock of one service, which a test can stop and put forward.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Timeline {
    stopped_at: Option<Moment>,
    ahead: Duration,
}

impl Timeline {
    pub(crate) fn now(&self) -> Moment {
        self.stopped_at.unwrap_or_else(|| now().plus(self.ahead))
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.ahead = self.ahead.saturating_add(by);
        self.stopped_at = self.stopped_at.map(|moment| moment.plus(by));
    }

    /// Time stands still at this moment, before or after the one it was, until [`run`](Self::run).
    pub(crate) fn set(&mut self, moment: Moment) {
        self.stopped_at = Some(moment);
    }

    /// Time stands still until [`run`](Self::run).
    pub(crate) fn stop(&mut self) {
        self.stopped_at = Some(self.now());
    }

    pub(crate) fn run(&mut self) {
        self.stopped_at = None;
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        crate::kept::parsed(input).map(Self)
    }
}

impl Moment {
    #[cfg(test)]
    pub(crate) fn from_epoch(seconds: i64) -> Self {
        Self(Timestamp::from_second(seconds).unwrap())
    }

    /// This many seconds after the epoch, or as near to it as time goes.
    pub(crate) fn at(seconds: i64) -> Self {
        let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Self(Timestamp::from_second(seconds).unwrap_or(nearest))
    }

    /// Later by this many seconds; earlier if they are negative.
    pub(crate) fn shifted(self, seconds: i64) -> Self {
        let by = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { self.minus(by) } else { self.plus(by) }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, as the `Date` header has it.
    pub(crate) fn http_date(self) -> String {
        self.utc("%a, %d %b %Y %H:%M:%S GMT")
    }

    /// Seconds since the epoch (`iat` of a token).
    pub(crate) fn epoch(self) -> i64 {
        self.0.as_second()
    }

    /// Later by this much, or the end of time.
    pub(crate) fn plus(self, by: Duration) -> Self {
        let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
        Self(self.0.checked_add(by).unwrap_or(Timestamp::MAX))
    }

    /// Earlier by this much, or the beginning of time.
    pub(crate) fn minus(self, by: Duration) -> Self {
        let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
        Self(self.0.checked_sub(by).unwrap_or(Timestamp::MIN))
    }

    /// `2021-10-19T16:05:44.158662Z`
    pub(crate) fn iso_micros(self) -> String {
        self.utc("%Y-%m-%dT%H:%M:%S%.6fZ")
    }

    /// The day in the zone this many hours east of Greenwich.
    pub(crate) fn day(self, hours: i8) -> jiff::civil::Date {
        zone(hours).to_datetime(self.0).date()
    }

    /// `2024-11-08T12:34:56.123+01:00`, with this many digits of fraction (0 to 9).
    pub(crate) fn zoned(self, hours: i8, digits: u8) -> String {
        let fraction = if digits == 0 { String::new() } else { format!("%.{}f", digits.min(9)) };
        let text =
            zone(hours).to_datetime(self.0).strftime(&format!("%Y-%m-%dT%H:%M:%S{fraction}")).to_string();
        format!("{text}{hours:+03}:00")
    }

    /// UTC in a format of `strftime`.
    pub(crate) fn utc(self, format: &str) -> String {
        Offset::UTC.to_datetime(self.0).strftime(format).to_string()
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

/// A zone without a name; hours that no zone has are UTC.
fn zone(hours: i8) -> Offset {
    Offset::from_hours(hours).unwrap_or(Offset::UTC)
}

/// Measures how long something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
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
    use std::time::Duration;

    use super::{Moment, Timeline};

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_put_forward() {
        let mut timeline = Timeline::default();
        timeline.stop();
        let before = timeline.now();
        timeline.advance(Duration::from_secs(5));
        assert_eq!(timeline.now(), before.plus(Duration::from_secs(5)));
        timeline.run();
        assert!(timeline.now() >= before.plus(Duration::from_secs(5)));
    }

    #[test]
    fn a_clock_can_be_set_back_and_dates_are_those_of_http() {
        let mut timeline = Timeline::default();
        timeline.set(Moment::at(784_111_777));
        assert_eq!(timeline.now().http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(timeline.now().shifted(-97).shifted(60).http_date(), "Sun, 06 Nov 1994 08:49:00 GMT");
    }

    #[test]
    fn utc_texts_have_six_digits_of_fraction() {
        assert_eq!(Moment::from_epoch(1_736_902_805).iso_micros(), "2025-01-15T01:00:05.000000Z");
    }

    #[test]
    fn zones_and_fractions_are_chosen() {
        let moment = Moment::from_epoch(1_736_902_805);
        assert_eq!(moment.zoned(1, 3), "2025-01-15T02:00:05.000+01:00");
        assert_eq!(moment.zoned(-3, 0), "2025-01-14T22:00:05-03:00");
        assert_eq!(moment.day(-3).to_string(), "2025-01-14");
    }

    #[test]
    fn wall_time_is_four_hours_behind_utc() {
        let moment = Moment::from_epoch(1_736_902_805); // 2025-01-15T01:00:05Z
        assert_eq!(moment.date_time(), "2025-01-14 21:00:05");
        assert_eq!(moment.date(), "20250114");
        assert_eq!(moment.time(), "21:00:05");
        assert_eq!(moment.month(), "2025-01");
    }
}
