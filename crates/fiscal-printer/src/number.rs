//! The two numbers of a fiscal document, which must never be confused (contract section 10, rows 15-18).
//!
//! [`ControlNumber`] is the printing house's: it comes back when a document is issued, and every later reference
//! (annulment, mail, notes) uses it. [`InternalNumber`] is the issuer's own: consecutive per (RIF, document type), and
//! the natural key of a document while the service enforces it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A number that is not of the right form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {found} is not {expected}")]
pub struct NumberError {
    what: &'static str,
    found: String,
    expected: &'static str,
}

impl NumberError {
    fn new(what: &'static str, found: &str, expected: &'static str) -> Self {
        Self { what, found: integration_core::fault::excerpt(found), expected }
    }

    /// The form that was asked for.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

/// The control number of an issued document: two digits, a hyphen, one to eight digits (contract section 4.1).
///
/// Two spellings of one number are equal; the original text is kept, because the service looks it up as text.
///
/// ```
/// use fiscal_printer::ControlNumber;
///
/// let number: ControlNumber = "00-42".parse()?;
/// assert_eq!(number.to_string(), "00-00000042");
/// assert_eq!(number.as_received(), "00-42");
/// assert_eq!(number, "00-00000042".parse()?);
/// # Ok::<(), fiscal_printer::NumberError>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias("numero de control", "número de control", "numerodocumento"))]
pub struct ControlNumber {
    original: String,
    identifier: u8,
    correlative: u32,
}

impl ControlNumber {
    /// The text as it was received, which is what requests send.
    #[must_use]
    pub fn as_received(&self) -> &str {
        &self.original
    }

    /// The two digits before the hyphen.
    #[must_use]
    pub fn identifier(&self) -> u8 {
        self.identifier
    }

    /// The number after the hyphen.
    #[must_use]
    pub fn correlative(&self) -> u32 {
        self.correlative
    }
}

const CONTROL_FORM: &str = "a control number (two digits, a hyphen, one to eight digits, like 00-00000042)";

impl FromStr for ControlNumber {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let error = || NumberError::new("the control number", text, CONTROL_FORM);
        let (left, right) = text.split_once('-').ok_or_else(error)?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if left.len() != 2 || right.is_empty() || right.len() > 8 || !digits(left) || !digits(right) {
            return Err(error());
        }
        let (identifier, correlative) = left.parse().ok().zip(right.parse().ok()).ok_or_else(error)?;
        Ok(Self { original: text.to_owned(), identifier, correlative })
    }
}

impl fmt::Display for ControlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:08}", self.identifier, self.correlative)
    }
}

impl PartialEq for ControlNumber {
    fn eq(&self, other: &Self) -> bool {
        (self.identifier, self.correlative) == (other.identifier, other.correlative)
    }
}

impl Eq for ControlNumber {}

impl Hash for ControlNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.identifier, self.correlative).hash(state);
    }
}

/// The issuer's own number of a document: digits only, at most ten (contract 3.1 row 10).
///
/// The service compares it as exact text for "already used", and as a number for "the next one", so the zero padding of
/// a series must stay constant: eight digits unless another width is chosen.
///
/// ```
/// use fiscal_printer::InternalNumber;
///
/// assert_eq!(InternalNumber::from(42).as_str(), "00000042");
/// assert_eq!(InternalNumber::with_width(42, 10)?.as_str(), "0000000042");
/// assert_eq!(InternalNumber::try_from(42_u64)?, InternalNumber::from(42)); // fails above ten digits
/// assert_eq!("00000042".parse::<InternalNumber>()?, InternalNumber::from(42));
/// assert!("A42".parse::<InternalNumber>().is_err());
/// # Ok::<(), fiscal_printer::NumberError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[doc(alias("numerointerno", "numero interno"))]
pub struct InternalNumber(String);

const INTERNAL_FORM: &str = "an internal number (one to ten digits)";
const WIDTH: usize = 8;
const MAX_WIDTH: usize = 10;

impl InternalNumber {
    /// `number` padded with zeros to `width` digits.
    ///
    /// # Errors
    /// If the number has more than ten digits, or `width` is not between 1 and 10.
    pub fn with_width(number: u64, width: usize) -> Result<Self, NumberError> {
        let text = format!("{number:0width$}", width = width.min(MAX_WIDTH + 1));
        if width == 0 {
            Err(NumberError::new("the internal number", &text, INTERNAL_FORM))
        } else {
            text.parse()
        }
    }

    /// The text as it goes out.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> u64 {
        // Ten digits always fit.
        self.0.parse().unwrap_or_default()
    }

    /// The number after this one, at the same width.
    ///
    /// # Errors
    /// After 9 999 999 999.
    pub fn next(&self) -> Result<Self, NumberError> {
        Self::with_width(self.value().saturating_add(1), self.0.len())
    }
}

impl From<u32> for InternalNumber {
    /// Padded to eight digits; numbers above 99 999 999 keep their nine or ten digits.
    fn from(number: u32) -> Self {
        Self(format!("{number:0WIDTH$}"))
    }
}

impl TryFrom<u64> for InternalNumber {
    type Error = NumberError;

    /// As `From<u32>`; numbers of more than ten digits do not fit the field (contract 3.1 row 10).
    fn try_from(number: u64) -> Result<Self, NumberError> {
        Self::with_width(number, WIDTH)
    }
}

impl FromStr for InternalNumber {
    type Err = NumberError;

    /// Keeps the padding of the text as it is.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let right =
            !text.is_empty() && text.len() <= MAX_WIDTH && text.bytes().all(|byte| byte.is_ascii_digit());
        let error = || NumberError::new("the internal number", text, INTERNAL_FORM);
        if right { Ok(Self(text.to_owned())) } else { Err(error()) }
    }
}

impl fmt::Display for InternalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_no_control_number() {
        for bad in [
            "",
            "-",
            "00-",
            "0-1",
            "000-1",
            "00-123456789",
            "00-1a",
            "00 1",
            "00-+1",
            "٠٠-1",
            "00-1\n",
            "00-1-1",
        ] {
            assert!(bad.parse::<ControlNumber>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_internal_number() {
        for bad in ["", "12345678901", "-1", "+1", "1.0", "1e3", " 1", "１"] {
            assert!(bad.parse::<InternalNumber>().is_err(), "{bad:?}");
        }
        assert!(InternalNumber::with_width(10_000_000_000, 8).is_err());
        assert!(InternalNumber::with_width(1, 11).is_err());
        assert!(InternalNumber::with_width(1, 0).is_err());
    }

    #[test]
    fn a_wide_integer_fits_up_to_ten_digits() {
        assert_eq!(InternalNumber::try_from(42_u64).unwrap(), InternalNumber::from(42));
        assert_eq!(InternalNumber::try_from(9_999_999_999_u64).unwrap().as_str(), "9999999999");
        for bad in [10_000_000_000, u64::MAX] {
            assert!(InternalNumber::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_next_number_keeps_the_width() {
        let number: InternalNumber = "099".parse().unwrap();
        assert_eq!(number.next().unwrap().as_str(), "100");
        assert!("9999999999".parse::<InternalNumber>().unwrap().next().is_err());
    }

    proptest! {
        #[test]
        fn control_numbers_round_trip(identifier in 0u8..100, correlative in 0u32..100_000_000) {
            let text = format!("{identifier:02}-{correlative:08}");
            let number: ControlNumber = text.parse().unwrap();
            prop_assert_eq!(number.to_string(), text);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<ControlNumber>();
            let _ = text.parse::<InternalNumber>();
        }
    }
}
