//! A number as a caller gives it: already a decimal, or text that is read when the document is checked.
//!
//! Reading late means that a wrong amount is one fault in the list of all faults, not an early return. There is no way
//! in from `f32` or `f64`: an amount that went through a float has already lost its cents.

use integration_core::body::wire::parse_number_token;
use integration_core::fault::excerpt;
use integration_core::tax::money::parse_decimal;
use rust_decimal::Decimal;

/// An amount, price, quantity or rate.
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

/// A text that is no number: what stood there, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) found: String,
    pub(crate) complaint: String,
}

impl Numeric {
    /// From a JSON value as it stands in the file: a number, or a number in quotes.
    pub(crate) fn from_json(token: &str) -> Self {
        let read = match serde_json::from_str::<String>(token) {
            Ok(text) => return Self::from(text),
            Err(_) => parse_number_token(token),
        };
        Self(read.map_err(|error| Unreadable { found: excerpt(token), complaint: error.to_string() }))
    }
}

impl From<Decimal> for Numeric {
    fn from(value: Decimal) -> Self {
        Self(Ok(value))
    }
}

impl From<&str> for Numeric {
    fn from(text: &str) -> Self {
        let complaint =
            |error: &dyn std::error::Error| Unreadable { found: excerpt(text), complaint: error.to_string() };
        Self(parse_decimal(text).map_err(|error| complaint(&error)))
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
