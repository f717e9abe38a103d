//! Refusals, and how they look on the wire (contract section 3.7).

use serde_json::{Value, json};

use super::{ErrorBody, ErrorInside, Wire};
use crate::answer::{Answer, HTML};

/// Why a call was not done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    status: u16,
    /// Name for the log.
    pub(crate) rule: &'static str,
    message: Value,
}

/// 422 about one field.
pub(crate) fn invalid(rule: &'static str, field: &str, text: &str) -> Refusal {
    Refusal { status: 422, rule, message: json!({ field: [format!("- {text}")] }) }
}

pub(crate) fn not_found() -> Refusal {
    Refusal { status: 404, rule: "not_found", message: json!("Not found") }
}

/// The action failed, which is told inside 200.
pub(crate) fn failed(rule: &'static str, message: &str) -> Refusal {
    Refusal { status: 200, rule, message: json!(message) }
}

pub(crate) fn refused(status: u16, rule: &'static str, message: &str) -> Refusal {
    Refusal { status, rule, message: json!(message) }
}

impl Refusal {
    pub(crate) fn answer(&self, wire: &Wire) -> Answer {
        if self.status == 200 {
            return Answer::json(200, &inside(&self.message, wire));
        }
        match wire.error_body {
            ErrorBody::Family => {
                Answer::json(self.status, &json!({ "code": "error", "message": self.message }))
            }
            ErrorBody::Html => {
                let body = format!("<!doctype html><html><body>{}</body></html>", self.message);
                Answer::new(self.status, HTML, body)
            }
            ErrorBody::Null => Answer::json(self.status, &Value::Null),
        }
    }

    /// What is wrong, for the Rust and control APIs.
    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.rule, self.message)
    }
}

/// An error inside 200.
pub(crate) fn inside(message: &Value, wire: &Wire) -> Value {
    match wire.error_inside {
        ErrorInside::Code => json!({ "code": "error", "message": message }),
        ErrorInside::Status => json!({ "status": "error", "message": message }),
    }
}
