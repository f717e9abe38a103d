//! Refusals of section 3.8.

use serde_json::{Value, json};

/// A refusal: status, code, details.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) details: Value,
}

impl Refusal {
    fn new(status: u16, code: &'static str, details: Value) -> Self {
        Self { status, code, details }
    }

    /// 400: what cannot be read, and where.
    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Self::new(400, "invalid", json!({ "what": what.into() }))
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "not-found", Value::Null)
    }

    pub(super) fn conflict(code: &'static str, details: Value) -> Self {
        Self::new(409, code, details)
    }

    pub(super) fn unprocessable(code: &'static str, details: Value) -> Self {
        Self::new(422, code, details)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(413, "too-large", json!({ "limit": limit }))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "unauthorized", Value::Null)
    }

    pub(super) fn forbidden() -> Self {
        Self::new(403, "forbidden", Value::Null)
    }

    pub(super) fn error(&self) -> Value {
        json!({ "code": self.code, "details": self.details })
    }
}
