//! Exact money on the wire: amounts as JSON number tokens, digit for digit.
//!
//! The rule enforced here (promise 4 of the design; "numeric" in the contract `fiscal-printer`, section 3): an amount
//! goes out as a JSON number with its scale kept, never as a string, never with an exponent, and never passes through
//! a float in either direction. `serde_json` alone does neither: it writes a `Decimal` as a string and reads
//! `1234567890123456.78` as a double (measured in `model-codebases` 1.2). So the token itself is carried, as
//! `serde_json::value::RawValue`, which does not show in any signature.
//!
//! | module | reads | writes |
//! |---|---|---|
//! | [`exact`], [`exact_opt`] | numbers | numbers |
//! | [`exact_lenient`], [`exact_lenient_opt`] | numbers, and strings that hold one | numbers |
//!
//! ```
//! use integration_core::body::wire;
//! use rust_decimal::Decimal;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Line {
//!     #[serde(with = "wire::exact")]
//!     monto: Decimal,
//! }
//!
//! let line: Line = serde_json::from_str(r#"{"monto":1234567890123456.70}"#)?;
//! assert_eq!(serde_json::to_string(&line)?, r#"{"monto":1234567890123456.70}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! Limits, which come from `serde` and not from the service:
//!
//! * Writing is exact everywhere, also inside `flatten` and tagged enums. **Reading** inside `flatten`, untagged or
//!   internally tagged types fails with an error, because `serde` has turned the token into a double by then; read
//!   such a struct without `flatten`.
//! * Nothing here can help once a body went through `serde_json::Value`: that holds doubles. Decode from text.
//! * Only `serde_json` is supported; another format would see a private struct.

use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::tax::money::{Grammar, MoneyError, MoneyRule, parse_with};

/// The amount as a JSON number: digits, scale kept, no exponent. A negative zero is written without its sign.
///
/// ```
/// use integration_core::body::wire::number_token;
/// use rust_decimal::Decimal;
///
/// assert_eq!(number_token(Decimal::new(10_010, 2)), "100.10");
/// assert_eq!(number_token(Decimal::new(1, 28)), "0.0000000000000000000000000001");
/// ```
#[must_use]
pub fn number_token(value: Decimal) -> String {
    // `Decimal` can hold a signed zero, and "-0.00" on a fiscal document is no amount.
    if value.is_zero() { value.abs().to_string() } else { value.to_string() }
}

/// Reads the JSON number token `text` exactly, scale kept. An exponent is resolved (`1.5e3` is `1500`, `15e-1` is
/// `1.5`) if the value can be held exactly.
///
/// # Errors
///
/// [`MoneyError`] if `text` is not a number by the grammar of JSON (RFC 8259: no plus sign, no leading zeros, no
/// blanks, digits on both sides of the point), or needs more digits or decimals than a [`Decimal`] holds (28
/// decimals; 28 significant digits, or 29 up to 79228162514264337593543950335).
///
/// ```
/// use integration_core::body::wire::parse_number_token;
///
/// assert_eq!(parse_number_token("1234567890123456.78")?.to_string(), "1234567890123456.78");
/// assert_eq!(parse_number_token("1.5e3")?.to_string(), "1500");
/// assert!(parse_number_token("007").is_err());
/// # Ok::<(), integration_core::tax::money::MoneyError>(())
/// ```
#[inline]
pub fn parse_number_token(text: &str) -> Result<Decimal, MoneyError> {
    parse_with(text, Grammar::JSON)
}

/// The token of a JSON value as a number; strings and everything else are told apart from misspelt numbers.
fn read_exact(token: &str) -> Result<Decimal, MoneyError> {
    match token.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => parse_number_token(token),
        Some(b'"') => Err(MoneyError::new(MoneyRule::QuotedNumber, token)),
        _ => Err(MoneyError::new(MoneyRule::NotANumber, token)),
    }
}

/// As [`read_exact`], and strings are opened. Inside a string leading zeros are allowed too; blanks are not.
fn read_lenient(token: &str) -> Result<Decimal, MoneyError> {
    if !token.starts_with('"') {
        return read_exact(token);
    }
    let text: String =
        serde_json::from_str(token).map_err(|_| MoneyError::new(MoneyRule::NotANumber, token))?;
    parse_with(&text, Grammar::QUOTED)
}

fn write<S: Serializer>(value: Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    RawValue::from_string(number_token(value)).map_err(S::Error::custom)?.serialize(serializer)
}

fn write_opt<S: Serializer>(value: Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => write(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// Owned, because a body that arrives as a stream of bytes has nothing to borrow from.
fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<RawValue>, D::Error> {
    Box::deserialize(deserializer)
}

fn token_opt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Option::deserialize(deserializer)
}

/// `#[serde(with = "integration_core::body::wire::exact")]` for a [`Decimal`]: number tokens only.
pub mod exact {
    use super::{Decimal, Deserializer, Serializer, read_exact, token, write};
    use serde::de::Error as _;

    /// Writes the amount as [`number_token`](super::number_token) does.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        write(*value, serializer)
    }

    /// Reads a number token as [`parse_number_token`](super::parse_number_token) does.
    ///
    /// # Errors
    ///
    /// Strings, `null`, other values, and numbers that cannot be held exactly.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        read_exact(token(deserializer)?.get()).map_err(D::Error::custom)
    }
}

/// [`exact`](mod@exact) for an `Option<Decimal>`: `None` is `null`. Add `#[serde(default)]` where the field may be absent.
pub mod exact_opt {
    use super::{Decimal, Deserializer, Serializer, read_exact, token_opt, write_opt};
    use serde::de::Error as _;

    /// Writes the amount, or `null`.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        write_opt(*value, serializer)
    }

    /// Reads a number token, or `null`.
    ///
    /// # Errors
    ///
    /// Strings, other values, and numbers that cannot be held exactly.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        let read = |token: Box<super::RawValue>| read_exact(token.get()).map_err(D::Error::custom);
        token_opt(deserializer)?.map(read).transpose()
    }
}

/// [`exact`](mod@exact), for services that sometimes quote their numbers: reads `19.90` and `"19.90"`, writes numbers.
pub mod exact_lenient {
    use super::{Decimal, Deserializer, Serializer, read_lenient, token, write};
    use serde::de::Error as _;

    /// Writes the amount as a number, as [`exact::serialize`](super::exact::serialize).
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        write(*value, serializer)
    }

    /// Reads a number token or a string that holds one; in a string leading zeros are allowed, blanks are not.
    ///
    /// # Errors
    ///
    /// `null`, the empty string, other values, and numbers that cannot be held exactly.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        read_lenient(token(deserializer)?.get()).map_err(D::Error::custom)
    }
}

/// [`exact_lenient`](mod@exact_lenient) for an `Option<Decimal>`: `None` is `null`.
pub mod exact_lenient_opt {
    use super::{Decimal, Deserializer, Serializer, read_lenient, token_opt, write_opt};
    use serde::de::Error as _;

    /// Writes the amount as a number, or `null`.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        write_opt(*value, serializer)
    }

    /// Reads a number token, a string that holds one, or `null`. The empty string is an error, not `None`.
    ///
    /// # Errors
    ///
    /// Other values, and numbers that cannot be held exactly.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        let read = |token: Box<super::RawValue>| read_lenient(token.get()).map_err(D::Error::custom);
        token_opt(deserializer)?.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Strict {
        #[serde(with = "exact")]
        monto: Decimal,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Loose {
        #[serde(with = "exact_lenient")]
        monto: Decimal,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Optional {
        #[serde(with = "exact_opt", default, skip_serializing_if = "Option::is_none")]
        strict: Option<Decimal>,
        #[serde(with = "exact_lenient_opt", default)]
        loose: Option<Decimal>,
    }

    fn strict(token: &str) -> Result<Decimal, String> {
        let read: Result<Strict, _> = serde_json::from_str(&format!("{{\"monto\": {token} }}"));
        read.map(|read| read.monto).map_err(|error| error.to_string())
    }

    fn loose(token: &str) -> Result<Decimal, String> {
        let read: Result<Loose, _> = serde_json::from_str(&format!("{{\"monto\":{token}}}"));
        read.map(|read| read.monto).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_arrive_and_leave_digit_for_digit() {
        for token in
            ["19.99", "100.10", "1234567890123456.78", "0.00", "-3.20", "79228162514264337593543950335"]
        {
            let read = strict(token).unwrap();
            assert_eq!(read.to_string(), token);
            assert_eq!(
                serde_json::to_string(&Strict { monto: read }).unwrap(),
                format!("{{\"monto\":{token}}}")
            );
            assert_eq!(loose(token), Ok(read));
        }
    }

    #[test]
    fn strings_are_refused_unless_lenient() {
        assert!(strict("\"19.90\"").unwrap_err().contains("not a string"));
        assert_eq!(loose("\"19.90\"").unwrap().to_string(), "19.90");
        assert_eq!(loose("\"\\u0031\"").unwrap().to_string(), "1");
        assert_eq!(loose("\"0012.50\"").unwrap().to_string(), "12.50");
        for text in
            ["\"\"", "\" 1\"", "\"1,5\"", "\"NaN\"", "\"\\ud83d\\ude00\"", "null", "true", "[1]", "{}"]
        {
            assert!(loose(text).is_err(), "{text}");
            assert!(strict(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exponents_are_resolved_exactly_or_refused() {
        let read = |token| strict(token).unwrap().to_string();
        assert_eq!(read("1.50e1"), "15.0");
        assert_eq!(read("1E+3"), "1000");
        assert_eq!(read("15e-1"), "1.5");
        assert_eq!(read("-0e0"), "0");
        assert_eq!(read("0e99999999999999999999"), "0");
        assert_eq!(read("1000e-30"), "0.0000000000000000000000000010");
        for token in [
            "1e29",
            "1e-29",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "79228162514264337593543950336",
        ] {
            assert!(strict(token).is_err(), "{token}");
        }
    }

    #[test]
    fn options_know_null_and_absence() {
        let read: Optional = serde_json::from_str(r#"{"strict":1.10,"loose":"2.20"}"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"strict":1.10,"loose":2.20}"#);
        let none: Optional = serde_json::from_str(r#"{"strict":null}"#).unwrap();
        assert_eq!(none, Optional { strict: None, loose: None });
        assert_eq!(serde_json::to_string(&none).unwrap(), r#"{"loose":null}"#);
        assert!(serde_json::from_str::<Optional>(r#"{"strict":"1"}"#).is_err());
        assert!(serde_json::from_str::<Optional>(r#"{"loose":""}"#).is_err());
    }

    #[derive(Serialize, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        inner: Strict,
    }

    #[derive(Serialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Line(Strict),
    }

    #[test]
    fn writing_inside_flatten_and_tags_is_exact() {
        let inner = || Strict { monto: Decimal::new(123_456_789_012_345_670, 2) };
        assert_eq!(
            serde_json::to_string(&Outer { inner: inner() }).unwrap(),
            r#"{"monto":1234567890123456.70}"#
        );
        let tagged = serde_json::to_string(&Tagged::Line(inner())).unwrap();
        assert_eq!(tagged, r#"{"kind":"Line","monto":1234567890123456.70}"#);
    }

    #[test]
    fn reading_inside_flatten_is_an_error_and_not_a_loss() {
        assert!(serde_json::from_str::<Outer>(r#"{"monto":1234567890123456.78}"#).is_err());
    }

    #[test]
    fn a_stream_of_bytes_is_read_as_exactly_and_errors_know_their_path() {
        let read: Strict = serde_json::from_reader(&br#"{"monto":100.10}"#[..]).unwrap();
        assert_eq!(read.monto.to_string(), "100.10");
        let body = &mut serde_json::Deserializer::from_str(r#"[{"monto":1},{"monto":"x"}]"#);
        let error = serde_path_to_error::deserialize::<_, Vec<Strict>>(body).unwrap_err();
        assert_eq!(error.path().to_string(), "[1].monto");
    }

    #[test]
    fn the_grammar_is_that_of_json() {
        for text in [
            "", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1e1.5", "0x1", "1 ", "NaN", "1_0",
            "\u{661}",
        ] {
            assert!(parse_number_token(text).is_err(), "{text}");
        }
    }

    #[test]
    fn huge_tokens_end_in_a_short_error() {
        for token in ["9".repeat(10_000_000), format!("\"{}\"", "\u{1f600}".repeat(2_000_000))] {
            assert!(strict(&token).unwrap_err().len() < 250);
            assert!(loose(&token).unwrap_err().len() < 250);
        }
    }

    #[test]
    fn a_negative_zero_loses_its_sign() {
        let mut zero = Decimal::new(0, 2);
        zero.set_sign_negative(true);
        assert_eq!(number_token(zero), "0.00");
    }

    fn any_decimal() -> impl Strategy<Value = Decimal> {
        let limit = (1_i128 << 96) - 1;
        let mantissa = prop_oneof![-limit..=limit, -1_000_000_i128..=1_000_000];
        (mantissa, 0_u32..=28).prop_map(|(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale))
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_a_json_number_and_is_read_back(value in any_decimal()) {
            let token = number_token(value);
            prop_assert_eq!(&token, &value.to_string());
            prop_assert!(serde_json::from_str::<serde_json::Number>(&token).is_ok());
            prop_assert!(!token.contains(['e', 'E', '"']));
            let read = parse_number_token(&token).unwrap();
            prop_assert_eq!((read, read.scale()), (value, value.scale()));
            prop_assert_eq!(strict(&token).map(|read| read.to_string()), Ok(token));
        }

        #[test]
        fn exponent_forms_equal_their_plain_value(mantissa in -99_999_i64..=99_999, exponent in -20_i32..=20) {
            let read = parse_number_token(&format!("{mantissa}e{exponent}")).unwrap();
            let power = Decimal::from_i128_with_scale(10_i128.pow(exponent.unsigned_abs()), 0);
            let plain = Decimal::from(mantissa);
            prop_assert_eq!(if exponent < 0 { read * power } else { read }, if exponent < 0 { plain } else { plain * power });
        }

        #[test]
        fn a_token_is_accepted_only_if_json_accepts_it(text in "[-+]?[0-9]{0,3}\\.?[0-9]{0,3}([eE][-+]?[0-9]{0,2})?") {
            if parse_number_token(&text).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Number>(&text).is_ok(), "{}", text);
            }
        }

        #[test]
        fn no_body_panics(text in any::<String>()) {
            let _ = (strict(&text), loose(&text), parse_number_token(&text), read_lenient(&text));
        }
    }
}
