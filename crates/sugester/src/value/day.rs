//! Dates and times of an answer, each with the text it came as (contract 3.9).

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Serialize, Serializer};

/// A date: `YYYY-MM-DD` where it is one, any other text as it came (`sell_date` may be a month, `2024-05`).
///
/// ```
/// use sugester::value::Day;
///
/// assert_eq!(Day::read("2024-05-31").date(), Some(jiff::civil::date(2024, 5, 31)));
/// assert_eq!((Day::read("2024-05").date(), Day::read("2024-05").as_str()), (None, "2024-05"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Day {
    raw: String,
    date: Option<Date>,
}

impl Day {
    /// Reads a text.
    pub fn read(text: impl Into<String>) -> Self {
        let raw = text.into();
        let date = is_iso_date(raw.trim()).then(|| raw.trim().parse().ok()).flatten();
        Self { raw, date }
    }

    /// The date, if the text is a full one.
    #[must_use]
    pub const fn date(&self) -> Option<Date> {
        self.date
    }

    /// The text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Self { raw: date.to_string(), date: Some(date) }
    }
}

/// `jiff` reads more forms than the services write; a text in one of those is no date of theirs.
fn is_iso_date(text: &str) -> bool {
    let fits = |(place, byte): (usize, u8)| {
        if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
    };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

/// A time: ISO-8601 with an offset where it is one, any other text as it came. A time without an offset is no instant.
///
/// ```
/// use sugester::value::Moment;
///
/// let at = Moment::read("2024-11-08T10:00:00.000+01:00").timestamp().unwrap();
/// assert_eq!(at.to_string(), "2024-11-08T09:00:00Z");
/// assert_eq!(Moment::read("2024-11-08 10:00").timestamp(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Moment {
    raw: String,
    at: Option<Timestamp>,
}

impl Moment {
    /// Reads a text.
    pub fn read(text: impl Into<String>) -> Self {
        let raw = text.into();
        let at = raw.trim().parse().ok();
        Self { raw, at }
    }

    /// The instant, if the text names one.
    #[must_use]
    pub const fn timestamp(&self) -> Option<Timestamp> {
        self.at
    }

    /// The text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self { raw: at.to_string(), at: Some(at) }
    }
}

/// Both print and send the text as it came.
macro_rules! as_it_came {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.raw)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.raw)
            }
        }
    )+};
}

as_it_came!(Day, Moment);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_full_iso_dates_are_dates() {
        for text in [
            "2024-05",
            "",
            "2024-13-01",
            "2024-02-30",
            "20240531",
            "2024-05-31T10:00:00Z",
            "31-05-2024",
            "-02024-05-31",
        ] {
            assert_eq!((Day::read(text).date(), Day::read(text).as_str()), (None, text));
        }
        assert_eq!(Day::read(" 2024-02-29 ").date(), Some(jiff::civil::date(2024, 2, 29)));
    }

    #[test]
    fn times_have_an_offset_and_up_to_nine_decimals() {
        let read = |text| Moment::read(text).timestamp().map(|at| at.to_string());
        assert_eq!(read("2021-10-19T16:05:44Z").as_deref(), Some("2021-10-19T16:05:44Z"));
        assert_eq!(
            read("2021-10-19T16:05:44.123456789-03:00").as_deref(),
            Some("2021-10-19T19:05:44.123456789Z")
        );
        assert_eq!((read("2021-10-19T16:05:44"), read("soon")), (None, None));
    }

    proptest! {
        #[test]
        fn every_date_is_read_and_sent_as_written(year in 1000_i16..9999, month in 1_i8..=12, day in 1_i8..=28) {
            let date = jiff::civil::date(year, month, day);
            prop_assert_eq!(Day::read(date.to_string()), Day::from(date));
        }

        #[test]
        fn any_text_is_sent_as_it_came(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(serde_json::to_string(&Day::read(text.clone())).unwrap(), quoted.clone());
            prop_assert_eq!(serde_json::to_string(&Moment::read(text)).unwrap(), quoted);
        }
    }
}
