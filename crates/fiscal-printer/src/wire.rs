//! The service's answers exactly as it writes them, with all their slips (contract section 4).

use integration_core::{Answer, Fault};
use serde_json::{Map, Value};

/// `{ "success": bool, "data": object or null, "error": null or { "code", "message" } }`.
///
/// Answers hold no amounts, so `Value` loses nothing here.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) success: bool,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) data: Value,
}

impl Envelope {
    /// Reads an answer; `None` if it is no envelope, which is when `success` is not there as a boolean.
    pub(crate) fn read(answer: &Answer) -> Option<Self> {
        if !answer.is_complete() {
            return None;
        }
        let Ok(Value::Object(mut object)) = serde_json::from_slice(answer.body()) else { return None };
        let success = object.get("success")?.as_bool()?;
        let error = object.remove("error").unwrap_or_default();
        let data = object.remove("data").unwrap_or_default();
        Some(Self {
            success,
            code: error.get("code").and_then(code),
            message: message(&error, &object),
            data,
        })
    }

    /// A text of `data` that is not empty.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// A text under its name or its alias; if both are there and differ, the name wins and a warning tells.
    pub(crate) fn text_or(&self, name: &str, alias: &str, warnings: &mut Vec<Fault>) -> Option<&str> {
        let (first, second) = (self.text(name), self.text(alias));
        if let (Some(first), Some(second)) = (first, second)
            && first != second
        {
            let fault = Fault::warning("ANSWER", format!("data.{name}")).with_actual(first);
            warnings.push(fault.with_hint(format!("{alias} says otherwise; {name} is used")));
        }
        first.or(second)
    }
}

/// An integer, or one in quotes; anything else as it stands, for the record.
fn code(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.trim().to_owned()),
        other => Some(other.to_string()),
    }
}

fn message(error: &Value, object: &Map<String, Value>) -> Option<String> {
    let candidates =
        [error.get("message"), error.get("mensaje"), object.get("message"), object.get("mensaje")];
    let found = candidates.into_iter().flatten().find_map(Value::as_str).or_else(|| error.as_str());
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn envelope(body: &'static str) -> Option<Envelope> {
        Envelope::read(&Answer::new(StatusCode::OK, HeaderMap::new(), body))
    }

    #[test]
    fn messages_are_found_wherever_they_stand() {
        for body in [
            r#"{"success":false,"error":{"code":4,"message":"m"}}"#,
            r#"{"success":false,"message":"m"}"#,
            r#"{"success":false,"mensaje":"m","error":null}"#,
            r#"{"success":false,"error":"m"}"#,
        ] {
            assert_eq!(envelope(body).unwrap().message.as_deref(), Some("m"), "{body}");
        }
    }

    #[test]
    fn aliases_are_read_and_a_contradiction_is_told() {
        let both = envelope(r#"{"success":true,"data":{"corelativo":"1","correlativo":"2"}}"#).unwrap();
        let mut warnings = Vec::new();
        assert_eq!(both.text_or("corelativo", "correlativo", &mut warnings), Some("1"));
        assert_eq!(warnings.len(), 1);
        let alias = envelope(r#"{"success":true,"data":{"correlativo":"2"}}"#).unwrap();
        assert_eq!(alias.text_or("corelativo", "correlativo", &mut warnings), Some("2"));
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        let answer =
            Answer::new(StatusCode::OK, HeaderMap::new(), format!("{{\"success\":true,\"data\":{deep}"));
        assert!(Envelope::read(&answer).is_none());
    }
}
