//! A number as a caller gives it: already a decimal, or text that is read when the document is checked.
//!
//! Reading late means that a wrong amount is one fault in the list of all faults, not an early return. There is no way
//! in from `f32` or `f64`: an amount that went through a float has already lost its cents.

use integration_core::body::wire::parse_number_token;
use integration_core::tax::money::parse_decimal;
use rust_decimal::Decimal;

use super::json::text_of;

/// An amount, price, quantity or rate, from text, a [`Decimal`] or an integer.
///
/// Text is digits with an optional minus and an optional point and decimals (`1234.50`): no thousands separators, no comma,
/// no exponent, no blanks, at most 28 digits. What cannot be read becomes a fault when the document is built. Amounts may
/// have two decimals and be at most 90071992547409 (2^53 cents); prices, quantities and rates may have more decimals.
///
/// ```
/// use fiscal_printer::{Decimal, Numeric};
///
/// let same: [Numeric; 3] = ["19.90".into(), Decimal::new(1990, 2).into(), Decimal::new(1990, 2).into()];
/// assert_eq!(same[0], same[1]);
/// let whole: Numeric = 3.into();
/// ```
///
/// Floats do not get in:
///
/// ```compile_fail
/// let lossy: fiscal_printer::Numeric = 19.90_f64.into();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numeric(pub(crate) Result<Decimal, Unreadable>);

/// What is no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Its reader has reported it; nothing more is to be said of it.
    Reported,
    /// A text: what stood there, and what is wrong with it.
    Text { found: String, complaint: String },
}

impl Unreadable {
    fn text(found: &str, complaint: &dyn std::error::Error) -> Self {
        Self::Text { found: found.to_owned(), complaint: complaint.to_string() }
    }
}

impl Numeric {
    /// From a JSON value as it stands in the file: a number, or a number in quotes.
    #[inline]
    pub(crate) fn from_json(token: &str) -> Self {
        match text_of(token) {
            Some(text) => Self::from(text),
            None => Self(parse_number_token(token).map_err(|error| Unreadable::text(token, &error))),
        }
    }

    /// A number whose absence or form was reported already.
    pub(crate) fn reported() -> Self {
        Self(Err(Unreadable::Reported))
    }
}

impl From<Decimal> for Numeric {
    fn from(value: Decimal) -> Self {
        Self(Ok(value))
    }
}

impl From<&str> for Numeric {
    fn from(text: &str) -> Self {
        Self(parse_decimal(text).map_err(|error| Unreadable::text(text, &error)))
    }
}

impl From<String> for Numeric {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Numeric {
            fn from(value: $integer) -> Self {
                Self(Ok(Decimal::from(value)))
            }
        }
    )*};
}

from_integers!(i32, u32, i64, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_numbers_and_quoted_numbers_are_read_exactly() {
        assert_eq!(Numeric::from_json("100.10").0.unwrap().to_string(), "100.10");
        assert_eq!(Numeric::from_json("\"100.10\"").0.unwrap().to_string(), "100.10");
        assert_eq!(Numeric::from_json("1234567890123456.78").0.unwrap().to_string(), "1234567890123456.78");
    }

    #[test]
    fn anything_else_is_a_complaint() {
        for bad in [
            "null",
            "true",
            "[]",
            "{}",
            "\"NaN\"",
            "\"\"",
            "\"1,5\"",
            "\"1e3\"",
            "12345678901234567890123456789.5",
        ] {
            assert!(Numeric::from_json(bad).0.is_err(), "{bad}");
        }
    }
}
