//! The JSON of the service as it is met: envelopes and error texts.
//!
//! The rule enforced here (contract 3.9): what may vary is read in every permitted form; what is not of the expected shape at all
//! is an error that names the field, never an empty value.

use integration_core::body::fields::Token;
pub(crate) use integration_core::body::fields::{Fields, Unreadable, When};
use serde_json::{Map, Value};

use crate::id::DocumentId;

/// `GUID`, which some answers write in lower case.
pub(crate) fn guid(fields: &mut Fields) -> Result<DocumentId, Unreadable> {
    let upper = fields.text("GUID")?;
    let lower = fields.text("guid")?;
    let text = upper.or(lower).unwrap_or_default();
    text.parse().map_err(|_| Unreadable::new("GUID", "a GUID"))
}

/// A whole number, or one in quotes.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    value.scalar().integer()
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
    if is_failure(&fields) {
        return Opened::Failure { code: code_of(&fields) };
    }
    let is_envelope =
        fields.contains_key("data") && (fields.contains_key("code") || fields.contains_key("message"));
    if is_envelope {
        return Opened::Data(fields.remove("data").unwrap_or_default());
    }
    Opened::Data(Value::Object(fields))
}

/// Whether the service says no inside a success.
pub(crate) fn is_failure(fields: &Map<String, Value>) -> bool {
    let has_data = fields.get("data").is_some_and(|data| !data.is_null());
    fields.get("success").and_then(|success| success.scalar().boolean()) == Some(false)
        || (!has_data && code_of(fields).is_some())
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
    fn a_guid_may_be_in_lower_case_and_must_be_there() {
        assert_eq!(guid(&mut fields(json!({"guid": 12}))).unwrap().as_str(), "12");
        assert!(guid(&mut fields(json!({"GUID": ""}))).is_err());
        assert!(guid(&mut fields(json!({}))).is_err());
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
