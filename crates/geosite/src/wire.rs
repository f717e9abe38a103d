//! The JSON of the service as it is met: rows, scalars and refusals (contract 3.7).
//!
//! The rule enforced here: numbers may come as text, an empty text and `null` are absent, anything else that is not what it should
//! be is told and never read as zero.

use std::fmt;

use integration_core::body::beside::Beside;
use integration_core::body::fields::{Scalar, Token};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::geometry;

/// What a refusal says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
}

const CODES: [&str; 3] = ["codigo", "code", "statusCode"];
const MESSAGES: [&str; 6] = ["mensagem", "message", "msg", "erro", "error", "descricao"];

/// Reads a refusal that is one by its status.
pub(crate) fn refusal(fields: &Map<String, Value>) -> Refused {
    refusal_of(&|name| fields.get(name).map_or(Scalar::Null, Token::scalar))
}

fn refusal_of<'v>(field: &dyn Fn(&str) -> Scalar<'v>) -> Refused {
    let first = |names: &[&str]| {
        let text = |name: &&str| match field(name) {
            Scalar::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Scalar::Number(text) => Some(text.into_owned()),
            _ => None,
        };
        names.iter().find_map(text)
    };
    Refused { code: first(&CODES), message: first(&MESSAGES) }
}

/// R3: whether an answer with 2xx is a refusal, and what it says.
pub(crate) fn inner_refusal(fields: &Map<String, Value>) -> Option<Refused> {
    let set = |name: &str| fields.get(name).is_some_and(is_filled);
    refused_by(&|name| fields.get(name).map_or(Scalar::Null, Token::scalar), &set)
}

/// The same of what stands beside a list. A sign of failure whose text was too long to be kept is one all the same.
pub(crate) fn refusal_beside(beside: &Beside) -> Option<Refused> {
    let told = |name: &str| beside.names().any(|known| known == name);
    let read = |raw: &RawValue| serde_json::from_str(raw.get()).is_ok_and(|value| is_filled(&value));
    let set = |name: &str| beside.get(name).map_or_else(|| told(name), read);
    refused_by(&|name| beside.scalar(name), &set)
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(inner) => !inner.is_empty(),
        _ => false,
    }
}

fn refused_by<'v>(field: &dyn Fn(&str) -> Scalar<'v>, is_filled: &dyn Fn(&str) -> bool) -> Option<Refused> {
    let failed = field("success").boolean() == Some(false);
    let status = |name: &&str| field(name).integer().is_some_and(|status| status >= 400);
    let stated = ["status", "statusCode", "code"].iter().any(status);
    let set = |name: &&str| match field(name) {
        Scalar::Bool(false) => false,
        Scalar::Text(text) => !matches!(text.trim(), "" | "false" | "0"),
        Scalar::Number(number) => number != "0",
        Scalar::Null | Scalar::Compound => is_filled(name),
        _ => true,
    };
    (failed || stated || ["error", "erro"].iter().any(set)).then(|| refusal_of(field))
}

/// One row as it came: every key, in order, doubled ones included.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Row(pub(crate) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Row, A::Error> {
        let mut row = Vec::with_capacity(fields.size_hint().unwrap_or(16).min(64));
        while let Some(pair) = fields.next_entry()? {
            row.push(pair);
        }
        Ok(Row(row))
    }
}

impl Row {
    pub(crate) fn of(fields: Map<String, Value>) -> Self {
        Self(fields.into_iter().collect())
    }

    /// Its fields by name, of doubled ones the last.
    pub(crate) fn into_fields(self) -> Map<String, Value> {
        self.0.into_iter().collect()
    }

    /// A key that is there twice when case does not count.
    pub(crate) fn doubled(&self) -> Option<&str> {
        let names = || self.0.iter().map(|(name, _)| name.as_str());
        let again = |place: usize, name: &str| names().take(place).any(|other| same(other, name));
        names().enumerate().find(|(place, name)| again(*place, name)).map(|(_, name)| name)
    }
}

/// Names are matched without case (contract 3.3).
#[inline]
pub(crate) fn same(one: &str, other: &str) -> bool {
    // Rows are compared with every known name: nearly all differ in their first letter.
    if let ([first, ..], [second, ..]) = (one.as_bytes(), other.as_bytes())
        && (first | second).is_ascii()
        && !first.eq_ignore_ascii_case(second)
    {
        return false;
    }
    is_same_text(one, other)
}

fn is_same_text(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!(one.is_ascii() && other.is_ascii()) && one.to_lowercase() == other.to_lowercase())
}

/// A scalar that could not be read as what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unparsable(pub(crate) &'static str);

/// A whole number, also as text; absent is nothing.
pub(crate) fn integer(value: &Value) -> Result<Option<i64>, Unparsable> {
    // As most are written, and no text has to be made of it.
    if let Some(number) = value.as_i64() {
        return Ok(Some(number));
    }
    let scalar = value.scalar();
    if is_absent(&scalar) {
        return Ok(None);
    }
    scalar.integer().map(Some).ok_or(Unparsable("a whole number"))
}

/// A number that is measured: metres, degrees.
pub(crate) fn real(value: &Value) -> Result<Option<f64>, Unparsable> {
    if let Some(number) = value.as_f64().filter(|number| number.is_finite()) {
        return Ok(Some(number));
    }
    match value.scalar() {
        scalar if is_absent(&scalar) => Ok(None),
        Scalar::Number(text) => geometry::number(&text).map(Some).ok_or(Unparsable("a number")),
        Scalar::Text(text) => geometry::number(text.trim()).map(Some).ok_or(Unparsable("a number")),
        _ => Err(Unparsable("a number")),
    }
}

/// A text, or another scalar as text; an empty one is absent.
pub(crate) fn text(value: &Value) -> Result<Option<String>, Unparsable> {
    match value.scalar() {
        Scalar::Compound => Err(Unparsable("a text")),
        scalar => Ok(scalar.text().filter(|text| !text.trim().is_empty())),
    }
}

fn is_absent(scalar: &Scalar<'_>) -> bool {
    match scalar {
        Scalar::Null => true,
        Scalar::Text(text) => text.trim().is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_may_be_texts_and_absent_is_not_zero() {
        assert_eq!(integer(&json!("12")), Ok(Some(12)));
        assert_eq!(integer(&json!(-3)), Ok(Some(-3)));
        for absent in [json!(null), json!(""), json!("  ")] {
            assert_eq!((integer(&absent), real(&absent), text(&absent)), (Ok(None), Ok(None), Ok(None)));
        }
        for bad in [json!("12a"), json!(1.5), json!(true), json!([]), json!({})] {
            assert!(integer(&bad).is_err(), "{bad}");
        }
        assert_eq!(real(&json!("-22.5")), Ok(Some(-22.5)));
        for bad in [json!("-22,5"), json!("NaN"), json!("inf"), json!(true)] {
            assert!(real(&bad).is_err(), "{bad}");
        }
        assert_eq!(text(&json!(7)), Ok(Some("7".into())));
    }

    #[test]
    fn names_are_the_same_without_case_also_beyond_ascii() {
        let table = [
            ("fid", "FID", true),
            ("fid", "fad", false),
            ("fid", "gid", false),
            ("CÓDIGO", "código", true),
            ("ÓRGÃO", "órgão", true),
            ("órgão", "orgao", false),
            // The Kelvin sign, whose lower case is the ASCII letter.
            ("\u{212A}m", "KM", true),
            ("", "", true),
            ("", "a", false),
        ];
        for (one, other, expected) in table {
            assert_eq!((same(one, other), same(other, one)), (expected, expected), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_key_that_differs_in_case_is_doubled() {
        let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        assert_eq!(row(r#"{"fid":1,"nome":"a","FID":2}"#).doubled(), Some("FID"));
        assert_eq!(row(r#"{"a":1,"a":2}"#).doubled(), Some("a"));
        assert_eq!(row(r#"{"CÓDIGO":1,"código":2}"#).doubled(), Some("código"));
        assert_eq!(row(r#"{"fid":1,"fid2":2}"#).doubled(), None);
        assert!(serde_json::from_str::<Row>("[1]").is_err() && serde_json::from_str::<Row>("null").is_err());
    }
}
