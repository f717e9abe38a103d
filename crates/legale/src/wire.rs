//! The JSON of the service as it is met: envelopes, lenient scalars and times, and everything unknown kept.
//!
//! The rule enforced here (contract 3.9): what may vary is read in every permitted form; what is not of the expected shape at all
//! is an error that names the field, never an empty value.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Map, Value};

use crate::id::DocumentId;

/// A field that is not of the expected shape. It names the field and repeats nothing of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is not {expected}")]
pub(crate) struct Unreadable {
    pub(crate) field: String,
    pub(crate) expected: &'static str,
}

impl Unreadable {
    pub(crate) fn new(field: impl Into<String>, expected: &'static str) -> Self {
        Self { field: field.into(), expected }
    }
}

/// A time of an answer: read where it can be, kept as it came where it cannot (contract 3.9).
///
/// ```
/// use legale::When;
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

/// The fields of one object; what nobody takes is left as `extra`.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn of(value: Value, what: &'static str) -> Result<Self, Unreadable> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(Unreadable::new(what, "an object")),
        }
    }

    /// Takes a field; `null` is the same as absent.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key).filter(|value| !value.is_null())
    }

    /// Text, or a scalar as text.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Unreadable> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => scalar(&value).map(Some).ok_or_else(|| Unreadable::new(key, "a text")),
        }
    }

    /// A whole number, or one in quotes. Others stay among the unknown fields.
    pub(crate) fn integer(&mut self, key: &str) -> Option<i64> {
        let found = self.0.get(key).and_then(integer);
        if found.is_some() {
            self.0.remove(key);
        }
        found
    }

    /// `true`, `1`, `"true"`, `"1"` and their opposites. Others stay among the unknown fields.
    pub(crate) fn boolean(&mut self, key: &str) -> Option<bool> {
        let found = self.0.get(key).and_then(boolean);
        if found.is_some() {
            self.0.remove(key);
        }
        found
    }

    pub(crate) fn time(&mut self, key: &str) -> Result<Option<When>, Unreadable> {
        Ok(self.text(key)?.map(|text| When::read(&text)))
    }

    /// A list; absent and `null` are empty.
    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<Value>, Unreadable> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(Unreadable::new(key, "a list")),
        }
    }

    /// `GUID`, which some answers write in lower case.
    pub(crate) fn guid(&mut self) -> Result<DocumentId, Unreadable> {
        let upper = self.text("GUID")?;
        let lower = self.text("guid")?;
        let text = upper.or(lower).unwrap_or_default();
        text.parse().map_err(|_| Unreadable::new("GUID", "a GUID"))
    }

    pub(crate) fn required(&mut self, key: &str) -> Result<String, Unreadable> {
        self.text(key)?.ok_or_else(|| Unreadable::new(key, "there"))
    }

    /// What nobody took.
    pub(crate) fn extra(self) -> Map<String, Value> {
        self.0
    }
}

/// A scalar as text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

pub(crate) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// What a 2xx body holds once the envelope is off.
#[derive(Debug, PartialEq)]
pub(crate) enum Opened {
    Data(Value),
    /// The service says no inside a success.
    Failure {
        code: Option<String>,
    },
}

/// Takes the envelope off: an object with `data` and `code` or `message`; anything else is the data itself.
pub(crate) fn open(value: Value) -> Opened {
    let Value::Object(mut fields) = value else { return Opened::Data(value) };
    let code = code_of(&fields);
    let has_data = fields.get("data").is_some_and(|data| !data.is_null());
    if fields.get("success").and_then(boolean) == Some(false) || (code.is_some() && !has_data) {
        return Opened::Failure { code };
    }
    let is_envelope =
        fields.contains_key("data") && (fields.contains_key("code") || fields.contains_key("message"));
    if is_envelope {
        return Opened::Data(fields.remove("data").unwrap_or_default());
    }
    Opened::Data(Value::Object(fields))
}

/// The service's code, if it is a text that is not empty.
pub(crate) fn code_of(fields: &Map<String, Value>) -> Option<String> {
    fields.get("code")?.as_str().map(str::trim).filter(|code| !code.is_empty()).map(str::to_owned)
}

/// The text of an error: `message`, `detail`, `details`, `error`, `errors`, whichever says something first.
pub(crate) fn message_of(fields: &Map<String, Value>) -> Option<String> {
    let texts = ["message", "detail", "details", "error", "errors", "debug"];
    texts.iter().find_map(|key| fields.get(*key).and_then(spoken))
}

/// A text, a list of them, or texts by field.
fn spoken(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().filter_map(spoken).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let by_field =
                |(key, value): (&String, &Value)| spoken(value).map(|text| format!("{key}: {text}"));
            fields.iter().filter_map(by_field).collect::<Vec<_>>().join("; ")
        }
        _ => String::new(),
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of(value, "it").unwrap()
    }

    #[test]
    fn an_envelope_is_data_with_a_code_or_a_message() {
        let data = |value| Opened::Data(value);
        assert_eq!(open(json!({"data": [1], "code": null, "message": ""})), data(json!([1])));
        assert_eq!(open(json!({"data": null, "message": ""})), data(Value::Null));
        assert_eq!(open(json!({"data": [1]})), data(json!({"data": [1]})));
        assert_eq!(open(json!([1])), data(json!([1])));
        assert_eq!(open(json!({"data": {"a": 1}, "code": "OK"})), data(json!({"a": 1})));
    }

    #[test]
    fn a_code_without_data_is_a_failure_and_so_is_success_false() {
        let failure = |code: &str| Opened::Failure { code: Some(code.to_owned()) };
        assert_eq!(open(json!({"code": "NOT_OWNER", "message": "no"})), failure("NOT_OWNER"));
        assert_eq!(open(json!({"data": null, "code": "X"})), failure("X"));
        assert_eq!(open(json!({"success": false, "GUID": "a"})), Opened::Failure { code: None });
        assert_eq!(open(json!({"success": "false"})), Opened::Failure { code: None });
        assert!(matches!(open(json!({"code": "", "a": 1})), Opened::Data(_)));
    }

    #[test]
    fn scalars_are_read_in_every_permitted_form() {
        let mut read = fields(json!({
            "a": 7, "b": "7", "c": 1, "d": "false", "e": true, "f": null, "g": 12, "h": "x", "i": 5
        }));
        assert_eq!((read.integer("a"), read.integer("b"), read.integer("h")), (Some(7), Some(7), None));
        assert_eq!(
            (read.boolean("c"), read.boolean("d"), read.boolean("e")),
            (Some(true), Some(false), Some(true))
        );
        assert_eq!(read.boolean("i"), None);
        assert_eq!((read.text("f").unwrap(), read.text("g").unwrap()), (None, Some("12".to_owned())));
        assert_eq!(Value::from(read.extra()), json!({"h": "x", "i": 5}));
        assert!(fields(json!({"a": {}})).text("a").is_err());
        assert!(fields(json!({"a": "x"})).list("a").is_err());
    }

    #[test]
    fn a_guid_may_be_in_lower_case_and_must_be_there() {
        assert_eq!(fields(json!({"guid": 12})).guid().unwrap().as_str(), "12");
        assert!(fields(json!({"GUID": ""})).guid().is_err());
        assert!(fields(json!({})).guid().is_err());
    }

    #[test]
    fn times_of_every_form() {
        let read = |text| When::read(text).to_string();
        assert_eq!(read("2021-10-19T16:05:44.158662Z"), "2021-10-19T16:05:44.158662Z");
        assert_eq!(read("2021-10-19T16:05:44"), "2021-10-19T16:05:44Z");
        assert_eq!(read("2021-10-19T16:05:44.123456789+00:00"), "2021-10-19T16:05:44.123456789Z");
        assert_eq!(read("soon"), "soon");
    }

    #[test]
    fn error_texts_are_found_under_every_name() {
        let said = |value: Value| message_of(value.as_object().unwrap());
        assert_eq!(said(json!({"message": "", "detail": "no"})).as_deref(), Some("no"));
        assert_eq!(
            said(json!({"errors": {"email": ["bad", "worse"]}})).as_deref(),
            Some("email: bad; worse")
        );
        assert_eq!(said(json!({"details": ["a"], "error": "b"})).as_deref(), Some("a"));
        assert_eq!(said(json!({"data": 1})), None);
    }
}
