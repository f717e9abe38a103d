//! Times as the service writes them: without an offset, in a zone and a form that are settings (contract 2.5 and 5.3).
//!
//! The rules enforced here: a time that does not exist is the first instant after the gap, one that exists twice is the earlier; the
//! offset is the zone's at that time, never a constant.

use integration_core::Fault;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Reads and writes the service's times.
#[derive(Debug, Clone)]
pub(crate) struct LocalTimes {
    zone: TimeZone,
    format: String,
}

impl LocalTimes {
    /// # Errors
    /// A fault for the zone, and one for the form.
    pub(crate) fn new(zone: &str, pattern: &str) -> Result<Self, Vec<Fault>> {
        let found = TimeZone::get(zone).map_err(|_| {
            let hint = "a name of the IANA database, such as America/Sao_Paulo";
            Fault::error("ASSUMPTION", "change_zone")
                .with_expected("a known zone")
                .with_actual(zone)
                .with_hint(hint)
        });
        let format = translated(pattern).ok_or_else(|| {
            let hint = "yyyy, MM, dd, HH, mm and ss, each once; other letters in single quotes";
            let fault = Fault::error("ASSUMPTION", "change_literal_format").with_actual(pattern);
            fault.with_expected("a form of date and time").with_hint(hint)
        });
        match (found, format) {
            (Ok(zone), Ok(format)) => Ok(Self { zone, format }),
            (zone, format) => Err(zone.err().into_iter().chain(format.err()).collect()),
        }
    }

    /// The local time at an instant.
    pub(crate) fn write(&self, at: Timestamp) -> String {
        let zoned: Zoned = at.to_zoned(self.zone.clone());
        strtime::format(&self.format, &zoned).unwrap_or_else(|_| zoned.datetime().to_string())
    }

    /// The instant of a local time; an offset in the text wins over the zone. Nothing if it cannot be read.
    pub(crate) fn read(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(at);
        }
        let local = strtime::parse(&self.format, text).and_then(|parsed| parsed.to_datetime());
        // A date alone is none: nobody knows at what time of day.
        let iso = || text.contains(':').then(|| text.parse::<DateTime>().ok()).flatten();
        self.instant(local.ok().or_else(iso)?)
    }

    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let is_gap = ambiguous.offset().is_gap();
        let earlier = ambiguous.earlier().ok()?;
        if !is_gap {
            return Some(earlier);
        }
        self.zone.following(earlier).next().map(|transition| transition.timestamp())
    }
}

trait Gap {
    fn is_gap(&self) -> bool;
}

impl Gap for jiff::tz::AmbiguousOffset {
    fn is_gap(&self) -> bool {
        matches!(self, Self::Gap { .. })
    }
}

/// From the letters of the setting to those of `strftime`.
fn translated(pattern: &str) -> Option<String> {
    let letters = [("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S")];
    let mut missing: Vec<_> = letters.into_iter().collect();
    let (mut format, mut rest) = (String::new(), pattern);
    while let Some(c) = rest.chars().next() {
        if let Some(place) = missing.iter().position(|(letter, _)| rest.starts_with(letter)) {
            let (letter, directive) = missing.remove(place);
            format.push_str(directive);
            rest = rest.strip_prefix(letter)?;
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            let (text, after) = quoted.split_once('\'')?;
            format.push_str(&text.replace('%', "%%"));
            rest = after;
        } else if c.is_alphabetic() || c.is_control() {
            return None;
        } else {
            format.push_str(if c == '%' { "%%" } else { rest.get(..c.len_utf8())? });
            rest = rest.get(c.len_utf8()..)?;
        }
    }
    missing.is_empty().then_some(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brasilia() -> LocalTimes {
        LocalTimes::new("America/Sao_Paulo", "yyyy-MM-dd HH:mm:ss").unwrap()
    }

    /// Contract 5.3.
    #[test]
    fn local_times_of_the_contract() {
        for (local, utc) in [
            ("2026-11-22 04:00:00", "2026-11-22T07:00:00Z"),
            ("2019-01-15 04:00:00", "2019-01-15T06:00:00Z"),
            ("2018-11-04 00:30:00", "2018-11-04T03:00:00Z"),
            ("2019-02-16 23:30:00", "2019-02-17T01:30:00Z"),
            ("2026-11-20 23:30:00", "2026-11-21T02:30:00Z"),
        ] {
            assert_eq!(brasilia().read(local).unwrap().to_string(), utc, "{local}");
        }
    }

    /// Contract 4.7.
    #[test]
    fn an_instant_is_written_in_the_zone() {
        let at: Timestamp = "2023-11-20T03:45:00Z".parse().unwrap();
        assert_eq!(brasilia().write(at), "2023-11-20 00:45:00");
        let other = LocalTimes::new("America/Manaus", "dd/MM/yyyy'T'HH:mm:ss").unwrap();
        assert_eq!(other.write(at), "19/11/2023T23:45:00");
        assert_eq!(other.read("19/11/2023T23:45:00"), Some(at));
    }

    #[test]
    fn texts_that_are_no_times_are_nothing() {
        for text in ["", "ontem", "2026-13-01 00:00:00", "2026-02-30 00:00:00", "20261122"] {
            assert_eq!(brasilia().read(text), None, "{text}");
        }
        assert_eq!(brasilia().read("2026-11-22T04:00:00-03:00"), brasilia().read("2026-11-22 04:00:00"));
        assert_eq!(brasilia().read("2026-11-22T04:00:00"), brasilia().read("2026-11-22 04:00:00"));
    }

    #[test]
    fn settings_that_cannot_work_are_named_together() {
        let faults = LocalTimes::new("Mars/Phobos", "yyyy-MM-dd").unwrap_err();
        let paths: Vec<_> = faults.iter().map(Fault::path).collect();
        assert_eq!(paths, ["change_zone", "change_literal_format"]);
        for bad in ["", "yyyy-MM-dd HH:mm:ssZ", "yyyy-MM-dd HH:mm:ss dd", "'yyyy-MM-dd HH:mm:ss", "%Y"] {
            assert!(translated(bad).is_none(), "{bad}");
        }
    }
}
