//! The firm's business zone: for display and for schedules, and for nothing that travels (contract 5, instants).
//!
//! The rule enforced here: a zone is a name of the IANA database and never a constant offset, so that rules which changed, such as Brazil's
//! summer time until 2019, hold for their years. Calendar dates have no zone and never meet this one.

use integration_core::{Error, Fault};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::date::CalendarDate;

/// The zone in which the firm works: `Europe/Madrid` unless set (assumed).
///
/// ```
/// use apiges_sync::{BusinessZone, Timestamp};
///
/// let office = BusinessZone::named("America/Sao_Paulo")?;
/// let saved: Timestamp = "2026-03-02T02:30:00Z".parse()?;
/// assert_eq!(office.at(saved).to_string(), "2026-03-01T23:30:00-03:00[America/Sao_Paulo]");
/// assert_eq!(office.day(saved)?.to_string(), "01/03/2026");
/// assert_eq!(BusinessZone::madrid()?.day(saved)?.to_string(), "02/03/2026");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessZone(TimeZone);

impl BusinessZone {
    /// The name of the contract's default.
    pub const DEFAULT: &'static str = "Europe/Madrid";

    /// The contract's default.
    ///
    /// # Errors
    /// As [`named`](Self::named): if this machine has no time zone database.
    pub fn madrid() -> Result<Self, Error> {
        Self::named(Self::DEFAULT)
    }

    /// A zone by its name in the IANA database, such as `America/Sao_Paulo`.
    ///
    /// # Errors
    /// A validation error for a name that the machine's time zone database does not have, and for a constant offset.
    pub fn named(name: &str) -> Result<Self, Error> {
        let zone = TimeZone::get(name).ok().filter(|_| name.contains('/') && !name.starts_with("Etc/"));
        zone.map(Self).ok_or_else(|| {
            let fault =
                Fault::error("ZONE", "zone").with_expected("a place of the IANA database").with_actual(name);
            let hint =
                "write it as `Europe/Madrid`; the machine needs its time zone database (package tzdata)";
            Error::validation("configure the zone", vec![fault.with_hint(hint)])
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or_default()
    }

    /// An instant as the firm's clocks show it.
    #[must_use]
    pub fn at(&self, instant: Timestamp) -> Zoned {
        instant.to_zoned(self.0.clone())
    }

    /// The day on which an instant falls for the firm.
    ///
    /// # Errors
    /// A validation error before the year 1.
    pub fn day(&self, instant: Timestamp) -> Result<CalendarDate, Error> {
        CalendarDate::try_from(self.at(instant).date()).map_err(|bad| {
            Error::validation(
                "find the day",
                vec![Fault::error("5", "instant").with_expected(bad.to_string())],
            )
        })
    }

    /// The instant of a time that the firm's clocks show, for schedules. One that they skip in spring counts as later by the gap, of one
    /// that comes twice in autumn the first is meant.
    ///
    /// # Errors
    /// A validation error for a time outside the years 1 to 9999.
    pub fn instant(&self, shown: DateTime) -> Result<Timestamp, Error> {
        let zoned = self.0.to_ambiguous_zoned(shown).compatible();
        zoned.map(|zoned| zoned.timestamp()).map_err(|_| {
            let fault = Fault::error("5", "time").with_expected("a time of the years 1 to 9999");
            Error::validation("find the instant", vec![fault])
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// Contract 5: 04:00 Brasília is 07:00Z now, and −02:00 held in earlier summers.
    #[test]
    fn brazils_rules_are_those_of_their_years() {
        let brazil = BusinessZone::named("America/Sao_Paulo").unwrap();
        for (shown, instant) in [
            (date(2026, 3, 2).at(4, 0, 0, 0), "2026-03-02T07:00:00Z"),
            (date(2026, 12, 15).at(4, 0, 0, 0), "2026-12-15T07:00:00Z"),
            (date(2018, 12, 15).at(4, 0, 0, 0), "2018-12-15T06:00:00Z"),
            (date(2018, 7, 15).at(4, 0, 0, 0), "2018-07-15T07:00:00Z"),
        ] {
            let expected: Timestamp = instant.parse().unwrap();
            assert_eq!(brazil.instant(shown).unwrap(), expected);
            assert_eq!(brazil.at(expected).datetime(), shown);
        }
    }

    #[test]
    fn madrid_is_the_default_and_has_summers() {
        let madrid = BusinessZone::madrid().unwrap();
        assert_eq!(madrid.name(), "Europe/Madrid");
        let day = |instant: &str| madrid.day(instant.parse().unwrap()).unwrap().to_string();
        assert_eq!([day("2026-07-01T21:59:59Z"), day("2026-07-01T22:00:00Z")], ["01/07/2026", "02/07/2026"]);
        assert_eq!([day("2026-01-01T22:59:59Z"), day("2026-01-01T23:00:00Z")], ["01/01/2026", "02/01/2026"]);
        // The hour that spring skips.
        let skipped = madrid.instant(date(2026, 3, 29).at(2, 30, 0, 0)).unwrap();
        assert_eq!(skipped.to_string(), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn a_constant_is_no_zone() {
        for bad in ["-03:00", "UTC-3", "Etc/GMT+3", "UTC", "", "Madrid", "Europe/Nowhere"] {
            assert!(BusinessZone::named(bad).unwrap_err().is_validation(), "{bad}");
        }
    }
}
