//! The fields of an object as services write them: lenient scalars and times, and everything unknown kept.
//!
//! The rule enforced here: what a service is known to vary (a number in quotes, `1` for `true`, `null` for absent) is read in every
//! form; what is not of the expected shape at all is an error that names the field, never an empty value; what nobody asked for is left
//! over and kept.
//!
//! A field's value is a [`Token`]: a [`serde_json::Value`], or the text itself as [`RawValue`], which keeps a number digit for digit
//! and is the one to take where there are amounts.
//!
//! ```
//! use integration_core::body::fields::Fields;
//! use serde_json::value::RawValue;
//!
//! let text = r#"{"id":"17","price":19.90,"paid":1,"shade":"green"}"#;
//! let mut fields: Fields<Box<RawValue>> = Fields::parse(text.as_bytes()).unwrap();
//! assert_eq!(fields.integer("id"), Some(17));
//! assert_eq!(fields.decimal("price").unwrap().unwrap().to_string(), "19.90");
//! assert_eq!(fields.boolean("paid"), Some(true));
//! assert_eq!(fields.rest().keys().collect::<Vec<_>>(), ["shade"]);
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::wire::parse_number_token;
use crate::tax::money::{Grammar, parse_with};

/// A field that is not of the expected shape. It names the field and repeats nothing of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("`{field}` is not {expected}")]
pub struct Unreadable {
    /// The field's name, or the path to it.
    pub field: String,
    /// What it should have been.
    pub expected: &'static str,
}

impl Unreadable {
    /// The field and what it should have been, such as "a text".
    pub fn new(field: impl Into<String>, expected: &'static str) -> Self {
        Self { field: field.into(), expected }
    }

    /// The same within an element or object: its name stands before the field's.
    #[must_use]
    pub fn within(self, outer: impl fmt::Display) -> Self {
        Self { field: format!("{outer}.{}", self.field), ..self }
    }
}

/// A time of an answer: read where it can be, kept as it came where it cannot.
///
/// ```
/// use integration_core::body::fields::When;
///
/// assert_eq!(When::read("2021-10-19 16:05:44").timestamp().unwrap().to_string(), "2021-10-19T16:05:44Z");
/// assert_eq!(When::read("yesterday"), When::Unreadable("yesterday".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum When {
    /// An instant; a time without a zone is UTC.
    At(Timestamp),
    /// A text that is no time in a known form.
    Unreadable(String),
}

impl When {
    /// Reads ISO-8601 with up to nine decimals, or `YYYY-MM-DD HH:MM:SS` in UTC.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let trimmed = text.trim();
        let civil = || trimmed.parse::<DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
        match trimmed.parse::<Timestamp>().ok().or_else(|| civil().map(|zoned| zoned.timestamp())) {
            Some(at) => Self::At(at),
            None => Self::Unreadable(text.to_owned()),
        }
    }

    /// The instant, if it could be read.
    #[must_use]
    pub const fn timestamp(&self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(*at),
            Self::Unreadable(_) => None,
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Unreadable(text) => f.write_str(text),
        }
    }
}

/// What a JSON value is, with the texts of scalars.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scalar<'v> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is written.
    Number(Cow<'v, str>),
    /// A text.
    Text(Cow<'v, str>),
    /// A list or an object.
    Compound,
}

impl Scalar<'_> {
    /// A text, or another scalar as text; nothing for `null`, lists and objects.
    #[must_use]
    pub fn text(self) -> Option<String> {
        match self {
            Self::Number(text) | Self::Text(text) => Some(text.into_owned()),
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Null | Self::Compound => None,
        }
    }

    /// Whether it says nothing: `null`, or a text of blanks.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// A whole number of 64 bits, or one in quotes; decimals that are all zero do no harm.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        let whole =
            |value: Decimal| value.fract().is_zero().then(|| i64::try_from(value.trunc()).ok()).flatten();
        match self {
            Self::Number(text) => text.parse().ok().or_else(|| whole(self.decimal()?)),
            Self::Text(text) => text.trim().parse().ok().or_else(|| whole(self.decimal()?)),
            _ => None,
        }
    }

    /// The id of a record: a positive whole number of 64 bits, as digits, in quotes or not.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        let digits = match self {
            Self::Number(text) | Self::Text(text) => text.trim(),
            _ => "",
        };
        let read = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        read.filter(|id| *id > 0)
    }

    /// `true`, `1`, and in quotes also `yes`; and their opposites.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Number(text) => truth(text),
            Self::Text(text) => truth(&text.trim().to_ascii_lowercase()),
            _ => None,
        }
    }

    /// A decimal, exactly, or one in quotes; there a comma is the point if it is the only separator.
    #[must_use]
    pub fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Number(text) => parse_number_token(text).ok(),
            Self::Text(text) => quoted_decimal(text.trim()),
            _ => None,
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

fn quoted_decimal(text: &str) -> Option<Decimal> {
    let comma = text.matches(',').count() == 1 && !text.contains('.');
    let text = if comma { Cow::Owned(text.replace(',', ".")) } else { Cow::Borrowed(text) };
    parse_with(&text, Grammar::QUOTED).ok()
}

/// A JSON value in one of the two forms in which fields are read.
pub trait Token: Sized + for<'de> Deserialize<'de> {
    /// What it is.
    fn scalar(&self) -> Scalar<'_>;

    /// Whether it is `null`.
    fn is_null(&self) -> bool {
        self.scalar() == Scalar::Null
    }

    /// As [`Scalar::text`].
    fn into_text(self) -> Option<String> {
        self.scalar().text()
    }

    /// Its elements, if it is a list.
    fn into_list(self) -> Option<Vec<Self>>;

    /// Its fields, if it is an object.
    fn into_fields(self) -> Option<Fields<Self>>;
}

impl Token for Value {
    fn scalar(&self) -> Scalar<'_> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(truth) => Scalar::Bool(*truth),
            Self::Number(number) => Scalar::Number(Cow::Owned(number.to_string())),
            Self::String(text) => Scalar::Text(Cow::Borrowed(text)),
            Self::Array(_) | Self::Object(_) => Scalar::Compound,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    fn into_text(self) -> Option<String> {
        match self {
            Self::String(text) => Some(text),
            other => other.scalar().text(),
        }
    }

    fn into_list(self) -> Option<Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    fn into_fields(self) -> Option<Fields<Self>> {
        match self {
            Self::Object(fields) => Some(Fields(fields.into_iter().collect())),
            _ => None,
        }
    }
}

impl Token for Box<RawValue> {
    fn scalar(&self) -> Scalar<'_> {
        let text = self.get();
        match text.as_bytes().first() {
            Some(b'n') => Scalar::Null,
            Some(b't') => Scalar::Bool(true),
            Some(b'f') => Scalar::Bool(false),
            Some(b'"') => Scalar::Text(unquoted(text)),
            Some(b'{' | b'[') => Scalar::Compound,
            _ => Scalar::Number(Cow::Borrowed(text)),
        }
    }

    fn is_null(&self) -> bool {
        self.get().starts_with('n')
    }

    /// The token's own memory becomes the text.
    fn into_text(self) -> Option<String> {
        let mut text = match self.get().as_bytes().first() {
            Some(b'n' | b'{' | b'[') => return None,
            _ => String::from(Box::<str>::from(self)),
        };
        if text.len() > 1 && text.starts_with('"') {
            if memchr::memchr(b'\\', text.as_bytes()).is_some() {
                return Some(serde_json::from_str(&text).unwrap_or_default());
            }
            text.pop();
            text.remove(0);
        }
        Some(text)
    }

    fn into_list(self) -> Option<Vec<Self>> {
        serde_json::from_str(self.get()).ok()
    }

    fn into_fields(self) -> Option<Fields<Self>> {
        serde_json::from_str(self.get()).ok()
    }
}

/// The text between the quotes, borrowed unless something in it is escaped.
fn unquoted(text: &str) -> Cow<'_, str> {
    // The token has been read before: without a backslash it is what stands between its quotes.
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(plain) if memchr::memchr(b'\\', plain.as_bytes()).is_none() => Cow::Borrowed(plain),
        _ => Cow::Owned(serde_json::from_str(text).unwrap_or_default()),
    }
}

/// The fields of one object, taken one by one; what nobody takes is the [`rest`](Self::rest).
///
/// A name that stands twice counts once, with its last value.
#[derive(Debug, Clone)]
pub struct Fields<V = Value>(BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Fields<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self)
    }
}

impl<V: Token> Fields<V> {
    /// The fields of an object; `what` names it in the error.
    ///
    /// # Errors
    /// If it is no object.
    pub fn of(value: V, what: &'static str) -> Result<Self, Unreadable> {
        value.into_fields().ok_or_else(|| Unreadable::new(what, "an object"))
    }

    /// The fields of an object as text; nothing if it is none.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        // Texts that nobody reads are not looked at, and what is no UTF-8 is no JSON.
        serde_json::from_str(std::str::from_utf8(text).ok()?).ok()
    }

    /// What a field holds, without taking it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        self.0.get(key)
    }

    /// Takes a field; `null` is the same as absent.
    pub fn take(&mut self, key: &str) -> Option<V> {
        self.0.remove(key).filter(|value| !value.is_null())
    }

    /// Takes a text, or another scalar as text.
    ///
    /// # Errors
    /// If it is a list or an object.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, Unreadable> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.into_text().map(Some).ok_or_else(|| Unreadable::new(key, "a text")),
        }
    }

    /// Takes a text that has to be there.
    ///
    /// # Errors
    /// If it is absent, a list or an object.
    pub fn required(&mut self, key: &str) -> Result<String, Unreadable> {
        self.text(key)?.ok_or_else(|| Unreadable::new(key, "there"))
    }

    /// Takes a whole number, or one in quotes. Anything else is left where it is.
    pub fn integer(&mut self, key: &str) -> Option<i64> {
        let found = self.0.get(key)?.scalar().integer();
        self.taken(key, found)
    }

    /// Takes the id of a record, see [`Scalar::id`]. Anything else is left where it is.
    pub fn id(&mut self, key: &str) -> Option<u64> {
        let found = self.0.get(key)?.scalar().id();
        self.taken(key, found)
    }

    /// Takes a truth: `true`, `1`, `"true"`, `"1"`, `"yes"` and their opposites. Anything else is left where it is.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        let found = self.0.get(key)?.scalar().boolean();
        self.taken(key, found)
    }

    fn taken<T>(&mut self, key: &str, found: Option<T>) -> Option<T> {
        if found.is_some() {
            self.0.remove(key);
        }
        found
    }

    /// Takes a decimal, or one in quotes. Empty texts are absent.
    ///
    /// # Errors
    /// If it is no decimal that can be held exactly.
    pub fn decimal(&mut self, key: &str) -> Result<Option<Decimal>, Unreadable> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.scalar() {
            scalar if scalar.is_blank() => Ok(None),
            scalar => scalar.decimal().map(Some).ok_or_else(|| Unreadable::new(key, "a decimal")),
        }
    }

    /// Takes a time; a text that is none is kept as it came.
    ///
    /// # Errors
    /// If it is a list or an object.
    pub fn time(&mut self, key: &str) -> Result<Option<When>, Unreadable> {
        Ok(self.text(key)?.map(|text| When::read(&text)))
    }

    /// Takes a list; absent and `null` are empty.
    ///
    /// # Errors
    /// If it is something else.
    pub fn list(&mut self, key: &str) -> Result<Vec<V>, Unreadable> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(value) => value.into_list().ok_or_else(|| Unreadable::new(key, "a list")),
        }
    }

    /// Takes an object.
    ///
    /// # Errors
    /// If it is something else.
    pub fn object(&mut self, key: &str) -> Result<Option<Self>, Unreadable> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.into_fields().map(Some).ok_or_else(|| Unreadable::new(key, "an object")),
        }
    }

    /// The names of what nobody took, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What nobody took, by name.
    #[must_use]
    pub fn rest(self) -> BTreeMap<String, V> {
        self.0
    }
}

impl Fields<Value> {
    /// What nobody took, as the object that it is part of.
    #[must_use]
    pub fn extra(self) -> Map<String, Value> {
        self.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    type Raw = Fields<Box<RawValue>>;

    fn fields(value: Value) -> Fields {
        Fields::of(value, "it").unwrap()
    }

    fn raw(text: &str) -> Raw {
        Fields::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn scalars_are_read_in_every_permitted_form() {
        let object = json!({
            "a": 7, "b": "7", "c": 1, "d": "false", "e": true, "f": null, "g": 12, "h": "x", "i": 5, "j": "yes"
        });
        let mut read = fields(object.clone());
        assert_eq!((read.integer("a"), read.integer("b"), read.integer("h")), (Some(7), Some(7), None));
        let truths = ["c", "d", "e", "i", "j"].map(|key| read.boolean(key));
        assert_eq!(truths, [Some(true), Some(false), Some(true), None, Some(true)]);
        assert_eq!((read.text("f").unwrap(), read.text("g").unwrap()), (None, Some("12".to_owned())));
        assert_eq!(Value::from(read.extra()), json!({"h": "x", "i": 5}));
        let mut read = raw(&object.to_string());
        assert_eq!((read.integer("a"), read.integer("b"), read.integer("h")), (Some(7), Some(7), None));
        assert_eq!(["c", "d", "e", "i", "j"].map(|key| read.boolean(key)), truths);
        assert_eq!((read.text("f").unwrap(), read.text("g").unwrap()), (None, Some("12".to_owned())));
        assert_eq!(read.rest().into_keys().collect::<Vec<_>>(), ["h", "i"]);
    }

    #[test]
    fn what_is_of_another_shape_is_an_error_that_names_the_field() {
        for text in [r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#] {
            assert_eq!(raw(text).text("a"), Err(Unreadable::new("a", "a text")));
            assert_eq!(raw(text).decimal("a"), Err(Unreadable::new("a", "a decimal")));
        }
        assert!(raw(r#"{"a":"x"}"#).list("a").is_err());
        assert!(raw(r#"{"a":[]}"#).object("a").is_err());
        assert!(raw("{}").required("a").is_err());
        assert!(Fields::of(json!([1]), "it").is_err());
        assert!(Raw::parse(b"[1]").is_none() && Raw::parse(b"{\"a\":1").is_none());
        assert_eq!(Unreadable::new("id", "a number").within("results[3]").field, "results[3].id");
    }

    #[test]
    fn whole_numbers_and_ids() {
        let scalar = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let integer = |text| scalar(text).scalar().integer();
        assert_eq!((integer("7.0"), integer("\"-7\""), integer("\" 7,00 \"")), (Some(7), Some(-7), Some(7)));
        assert_eq!((integer("9223372036854775807"), integer("9223372036854775808")), (Some(i64::MAX), None));
        assert_eq!((integer("7.5"), integer("true"), integer("\"\"")), (None, None, None));
        let id = |text| scalar(text).scalar().id();
        assert_eq!(
            (id("17"), id("\" 17 \""), id("18446744073709551615")),
            (Some(17), Some(17), Some(u64::MAX))
        );
        for text in
            ["0", "-1", "1.0", "\"+1\"", "\"1/2\"", "true", "18446744073709551616", "null", "\"\"", "[]"]
        {
            assert_eq!(id(text), None, "{text}");
        }
        let mut read = raw(r#"{"a":"x","b":5}"#);
        assert_eq!((read.id("a"), read.id("b")), (None, Some(5)));
        assert_eq!(read.names().collect::<Vec<_>>(), ["a"]);
        assert!(
            Scalar::Null.is_blank() && Scalar::Text(" ".into()).is_blank() && !Scalar::Bool(false).is_blank()
        );
    }

    #[test]
    fn decimals_keep_their_digits() {
        let read = |text: &str| {
            raw(&format!("{{\"a\":{text}}}")).decimal("a").map(|found| found.map(|d| d.to_string()))
        };
        for (text, digits) in [
            ("339.99", "339.99"),
            ("\"339.90\"", "339.90"),
            ("\"59,00\"", "59.00"),
            ("1234567890123456.78", "1234567890123456.78"),
            ("\" 7 \"", "7"),
        ] {
            assert_eq!(read(text), Ok(Some(digits.to_owned())), "{text}");
        }
        for none in ["null", "\"\"", "\" \""] {
            assert_eq!(read(none), Ok(None), "{none}");
        }
        for bad in ["\"1.234,50\"", "\"1,234,5\"", "\"x\"", "true", "\"1,2.3\""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_are_unescaped_and_nested_values_opened() {
        let mut read = raw(r#"{"a":"x\"\u00e9","b":[1,"2"],"c":{"d":3}}"#);
        assert_eq!(read.text("a").unwrap().as_deref(), Some("x\"é"));
        assert_eq!(read.list("b").unwrap().len(), 2);
        assert_eq!(read.object("c").unwrap().unwrap().integer("d"), Some(3));
    }

    #[test]
    fn times_of_every_form() {
        let read = |text| When::read(text).to_string();
        assert_eq!(read("2021-10-19T16:05:44.158662Z"), "2021-10-19T16:05:44.158662Z");
        assert_eq!(read("2021-10-19T16:05:44"), "2021-10-19T16:05:44Z");
        assert_eq!(read("2021-10-19T16:05:44.123456789+00:00"), "2021-10-19T16:05:44.123456789Z");
        assert_eq!(read("soon"), "soon");
    }

    proptest! {
        #[test]
        fn both_forms_read_the_same(text in ".*", number: i64, truth: bool) {
            let object = json!({"t": text, "n": number, "b": truth});
            let (mut value, mut token) = (fields(object.clone()), raw(&object.to_string()));
            prop_assert_eq!(value.text("t"), token.text("t"));
            prop_assert_eq!(value.integer("n"), token.integer("n"));
            prop_assert_eq!(value.boolean("b"), token.boolean("b"));
        }

        #[test]
        fn a_decimal_in_quotes_is_the_decimal(mantissa: i64, scale in 0_u32..=18) {
            let decimal = Decimal::new(mantissa, scale);
            let read = |text: String| raw(&format!("{{\"a\":{text}}}")).decimal("a").unwrap().unwrap().to_string();
            prop_assert_eq!(read(decimal.to_string()), decimal.to_string());
            prop_assert_eq!(read(format!("\"{decimal}\"")), decimal.to_string());
        }
    }
}
