//! Calendar dates as both layers write them: strict `dd/mm/yyyy`, without a zone, never shifted (contract P3, section 5).

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A day, written `dd/mm/yyyy`: two, two and four digits, and a day that exists.
///
/// ```
/// use apiges_sync::CalendarDate;
///
/// let expiry: CalendarDate = "20/06/2025".parse()?;
/// assert_eq!(expiry.date(), apiges_sync::jiff::civil::date(2025, 6, 20));
/// for bad in ["31/02/2025", "1/2/2025", "2025-02-01", "20/06/2025 "] {
///     assert!(bad.parse::<CalendarDate>().is_err());
/// }
/// # Ok::<(), apiges_sync::BadDate>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarDate(Date);

/// A text that is not a date of the form `dd/mm/yyyy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date of the form dd/mm/yyyy")]
pub struct BadDate;

impl CalendarDate {
    /// The day as a value to calculate with.
    #[must_use]
    pub const fn date(self) -> Date {
        self.0
    }
}

impl TryFrom<Date> for CalendarDate {
    type Error = BadDate;

    /// Refused before the year 1, which four digits cannot write.
    fn try_from(date: Date) -> Result<Self, BadDate> {
        if date.year() < 1 { Err(BadDate) } else { Ok(Self(date)) }
    }
}

impl FromStr for CalendarDate {
    type Err = BadDate;

    fn from_str(text: &str) -> Result<Self, BadDate> {
        let [d1, d2, b'/', m1, m2, b'/', y1, y2, y3, y4] = *text.as_bytes() else { return Err(BadDate) };
        let (day, month, year) = (number(&[d1, d2])?, number(&[m1, m2])?, number(&[y1, y2, y3, y4])?);
        let narrow = |number: i16| i8::try_from(number).map_err(|_| BadDate);
        Date::new(year, narrow(month)?, narrow(day)?).map_err(|_| BadDate)?.try_into()
    }
}

fn number(digits: &[u8]) -> Result<i16, BadDate> {
    digits.iter().try_fold(0i16, |sum, digit| match digit {
        b'0'..=b'9' => Ok(sum * 10 + i16::from(digit - b'0')),
        _ => Err(BadDate),
    })
}

impl fmt::Display for CalendarDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}/{:02}/{:04}", self.0.day(), self.0.month(), self.0.year())
    }
}

impl Serialize for CalendarDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CalendarDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// `null` and the empty text are no date (contract 5).
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CalendarDate>, D::Error> {
    let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_not_strictly_that_form() {
        for bad in [
            "31/02/2025",
            "29/02/2025",
            "1/2/2025",
            "2025-02-01",
            "01/13/2025",
            "00/01/2025",
            "+1/02/2025",
            "",
        ] {
            assert_eq!(bad.parse::<CalendarDate>(), Err(BadDate), "{bad}");
        }
        assert_eq!("29/02/2024".parse::<CalendarDate>().unwrap().to_string(), "29/02/2024");
        assert_eq!("01/01/0000".parse::<CalendarDate>(), Err(BadDate));
    }

    proptest! {
        #[test]
        fn never_panics_and_writes_what_it_read(text in "\\PC{0,12}|[0-9]{2}/[0-9]{2}/[0-9]{4}") {
            if let Ok(date) = text.parse::<CalendarDate>() {
                prop_assert_eq!(date.to_string(), text);
            }
        }
    }
}
