//! One JSON scalar in every spelling that contract 3.9 permits.

use std::borrow::Cow;

use integration_core::body::wire::parse_number_token;
use integration_core::tax::money::parse_decimal;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Day, Moment};

/// A value that is not of the expected shape. It names the field and repeats nothing of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is not {expected}")]
pub struct Unreadable {
    field: Cow<'static, str>,
    expected: &'static str,
}

impl Unreadable {
    pub(crate) const fn new(expected: &'static str) -> Self {
        Self { field: Cow::Borrowed("value"), expected }
    }

    /// The same about the field of this name.
    #[must_use]
    pub fn at(self, field: impl Into<String>) -> Self {
        Self { field: Cow::Owned(field.into()), ..self }
    }

    /// The field, in wire names.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What it should be.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        self.expected
    }
}

/// One JSON value that should be a scalar.
///
/// `null`, and a text of blanks where something else than text is asked for, read as `None`.
///
/// ```
/// use rust_decimal::Decimal;
/// use sugester::value::Scalar;
///
/// assert_eq!(Scalar::from_token(r#""59,00""#).decimal()?, Some(Decimal::new(59, 0)));
/// assert_eq!(Scalar::from_token("1234567890123456.78").decimal()?.unwrap().to_string(), "1234567890123456.78");
/// assert_eq!(Scalar::from_token(r#""yes""#).boolean()?, Some(true));
/// assert!(Scalar::from_token(r#""1.234,56""#).decimal().is_err());
/// # Ok::<(), sugester::value::Unreadable>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scalar {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its token.
    Number(String),
    /// A text.
    Text(String),
    /// A list or an object, which is no scalar.
    Nested,
}

impl Scalar {
    /// Reads the JSON token of a value, numbers digit for digit; what is no JSON counts as [`Scalar::Nested`].
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        let token = token.trim();
        match token.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Self::Number(token.to_owned()),
            Some(b'[' | b'{') => Self::Nested,
            _ => serde_json::from_str::<Value>(token).map_or(Self::Nested, |value| Self::from(&value)),
        }
    }

    /// Whether it says nothing: `null` or a text of blanks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// A text as it came; other scalars as JSON writes them.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for lists and objects.
    pub fn text(&self) -> Result<Option<String>, Unreadable> {
        match self {
            Self::Null => Ok(None),
            Self::Bool(truth) => Ok(Some(truth.to_string())),
            Self::Number(text) | Self::Text(text) => Ok(Some(text.clone())),
            Self::Nested => Err(Unreadable::new("a text")),
        }
    }

    /// An exact decimal: a number, or a text that holds one. A comma is read as the point when it is the only separator.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for everything else, also for thousands' separators and for more digits than a [`Decimal`] holds.
    pub fn decimal(&self) -> Result<Option<Decimal>, Unreadable> {
        let read = match self {
            _ if self.is_empty() => return Ok(None),
            Self::Number(token) => parse_number_token(token).ok(),
            Self::Text(text) => parse_decimal(&with_point(text.trim())).ok(),
            _ => None,
        };
        read.map(Some).ok_or(Unreadable::new("an exact decimal"))
    }

    /// A whole number of 64 bits, or a text that holds one.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for everything else.
    pub fn integer(&self) -> Result<Option<i64>, Unreadable> {
        let whole =
            |value: Decimal| value.fract().is_zero().then(|| i64::try_from(value.trunc()).ok()).flatten();
        let expected = || Unreadable::new("a whole number");
        match self.decimal().map_err(|_| expected())? {
            None => Ok(None),
            Some(value) => whole(value).map(Some).ok_or_else(expected),
        }
    }

    /// The id of a record: a positive whole number of 64 bits, as number or as text of digits.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for everything else.
    pub fn id(&self) -> Result<Option<u64>, Unreadable> {
        let digits = match self {
            _ if self.is_empty() => return Ok(None),
            Self::Number(text) | Self::Text(text) => text.trim(),
            _ => "",
        };
        let read = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        read.filter(|id| *id > 0).map(Some).ok_or(Unreadable::new("a record id"))
    }

    /// `true`, `1`, `"1"`, `"true"`, `"yes"` and their opposites, in any case.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for everything else.
    pub fn boolean(&self) -> Result<Option<bool>, Unreadable> {
        let word = match self {
            _ if self.is_empty() => return Ok(None),
            Self::Bool(truth) => return Ok(Some(*truth)),
            Self::Number(text) | Self::Text(text) => text.trim().to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "1" | "true" | "yes" => Ok(Some(true)),
            "0" | "false" | "no" => Ok(Some(false)),
            _ => Err(Unreadable::new("yes or no")),
        }
    }

    /// A date, with what came; a text that is no full date (`2024-05`) is kept.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for lists and objects.
    pub fn day(&self) -> Result<Option<Day>, Unreadable> {
        Ok(self.text()?.filter(|text| !text.trim().is_empty()).map(Day::read))
    }

    /// A time, with what came; a text that is no time with an offset is kept.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for lists and objects.
    pub fn moment(&self) -> Result<Option<Moment>, Unreadable> {
        Ok(self.text()?.filter(|text| !text.trim().is_empty()).map(Moment::read))
    }
}

/// `59,00` is `59.00`; with a point or a second comma in it, nobody knows what a comma parts.
fn with_point(text: &str) -> Cow<'_, str> {
    let is_point = text.matches(',').count() == 1 && !text.contains('.');
    if is_point { Cow::Owned(text.replace(',', ".")) } else { Cow::Borrowed(text) }
}

/// A [`Value`] holds numbers beyond 64 bits and with decimals as doubles: what has up to 15 digits comes out as it went in.
/// Read longer amounts from the text, by [`Scalar::from_token`] or [`Deserialize`].
impl From<&Value> for Scalar {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => Self::Nested,
        }
    }
}

/// Exact from a text. Inside `flatten`, untagged and internally tagged types it is an error, since the token is gone there.
impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|token| Self::from_token(token.get()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn decimal(token: &str) -> Option<String> {
        Scalar::from_token(token).decimal().ok().flatten().map(|value| value.to_string())
    }

    #[test]
    fn decimals_keep_their_digits_and_know_one_comma() {
        for (token, read) in [
            ("339.99", "339.99"),
            (r#""339.99""#, "339.99"),
            (r#""59,00""#, "59.00"),
            (r#"" -0,50 ""#, "-0.50"),
            ("1.5e2", "150"),
            ("1234567890123456.78", "1234567890123456.78"),
            ("0", "0"),
        ] {
            assert_eq!(decimal(token).as_deref(), Some(read), "{token}");
        }
        for token in
            [r#""1.234,56""#, r#""1,234,567""#, r#""1 000""#, r#""12 EUR""#, "true", "[1]", "{}", r#"",""#]
        {
            assert!(Scalar::from_token(token).decimal().is_err(), "{token}");
        }
        for token in ["null", r#""""#, r#""  ""#] {
            assert_eq!(Scalar::from_token(token).decimal(), Ok(None), "{token}");
        }
    }

    #[test]
    fn trailing_zeros_do_not_make_a_difference() {
        let read = |token| Scalar::from_token(token).decimal().unwrap().unwrap();
        assert_eq!(read("59"), read(r#""59,00""#));
    }

    #[test]
    fn booleans_of_every_spelling() {
        for token in ["true", "1", r#""1""#, r#""true""#, r#""Yes""#] {
            assert_eq!(Scalar::from_token(token).boolean(), Ok(Some(true)), "{token}");
        }
        for token in ["false", "0", r#""0""#, r#""false""#, r#""no""#] {
            assert_eq!(Scalar::from_token(token).boolean(), Ok(Some(false)), "{token}");
        }
        assert_eq!(Scalar::from_token(r#""""#).boolean(), Ok(None));
        for token in ["2", r#""maybe""#, "[]"] {
            assert!(Scalar::from_token(token).boolean().is_err(), "{token}");
        }
    }

    #[test]
    fn integers_and_ids() {
        let integer = |token| Scalar::from_token(token).integer();
        assert_eq!(
            (integer("7"), integer(r#""-7""#), integer("7.0")),
            (Ok(Some(7)), Ok(Some(-7)), Ok(Some(7)))
        );
        assert_eq!(integer("9223372036854775807"), Ok(Some(i64::MAX)));
        assert!(
            integer("9223372036854775808").is_err() && integer("7.5").is_err() && integer("true").is_err()
        );
        let id = |token| Scalar::from_token(token).id();
        assert_eq!((id("17"), id(r#"" 17 ""#), id("null")), (Ok(Some(17)), Ok(Some(17)), Ok(None)));
        for token in ["0", "-1", "1.0", r#""+1""#, r#""1/2""#, "true", "18446744073709551616"] {
            assert!(id(token).is_err(), "{token}");
        }
    }

    #[test]
    fn errors_name_the_field_and_nothing_of_the_value() {
        let error = Scalar::from(&json!("secret")).integer().unwrap_err().at("integer1");
        assert_eq!(error.to_string(), "`integer1` is not a whole number");
        assert_eq!((error.field(), error.expected()), ("integer1", "a whole number"));
    }

    #[test]
    fn a_record_decodes_exactly_from_text() {
        #[derive(Deserialize)]
        struct Line {
            price: Scalar,
        }
        let line: Line = serde_json::from_str(r#"{"price": 1234567890123456.78}"#).unwrap();
        assert_eq!(line.price, Scalar::Number("1234567890123456.78".to_owned()));
        let line: Line = serde_json::from_value(json!({"price": "a\"b"})).unwrap();
        assert_eq!(line.price.text(), Ok(Some("a\"b".to_owned())));
    }

    proptest! {
        #[test]
        fn any_token_is_read_or_refused(token in any::<String>()) {
            let scalar = Scalar::from_token(&token);
            let text = Scalar::Text(token);
            for scalar in [scalar, text] {
                let _ = (scalar.text(), scalar.decimal(), scalar.integer(), scalar.id());
                let _ = (scalar.boolean(), scalar.day(), scalar.moment(), scalar.is_empty());
            }
        }

        #[test]
        fn a_comma_is_as_good_as_a_point(whole in 0_u64.., cents in 0_u8..100) {
            let read = |sign: char| Scalar::Text(format!("{whole}{sign}{cents:02}")).decimal();
            prop_assert_eq!(read(','), read('.'));
            prop_assert_eq!(read('.'), Ok(Some(Decimal::from(whole) + Decimal::new(cents.into(), 2))));
        }

        #[test]
        fn values_of_fifteen_digits_survive_a_double(mantissa in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u32..6) {
            let exact = Decimal::new(mantissa, scale);
            let value: Value = serde_json::from_str(&exact.to_string()).unwrap();
            prop_assert_eq!(Scalar::from(&value).decimal(), Ok(Some(exact)));
        }
    }
}
