//! How the portal says no, in the form in which the HTTP transport tells it (contract 3.8).

use http::{HeaderMap, StatusCode};
use integration_core::call::verdict::kind_of;
use integration_core::{Answer, Error, Outcome};
use serde_json::{Value, json};

use super::super::{ContactRef, GuardDetails, Refusal, RefusalCode};
use super::Called;

/// Status, code and details.
#[derive(Debug, Clone)]
pub(super) struct Denial {
    status: StatusCode,
    code: RefusalCode,
    details: Option<Value>,
}

impl Denial {
    /// A status that is none is 500.
    pub(super) fn new(status: u16, code: RefusalCode) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, details: None }
    }

    fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    pub(super) fn invalid(what: &str) -> Self {
        Self::new(400, RefusalCode::Invalid).with(json!({ "what": what }))
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, RefusalCode::NotFound)
    }

    pub(super) fn conflict(code: RefusalCode) -> Self {
        Self::new(409, code)
    }

    pub(super) fn version_conflict(current: Option<u64>) -> Self {
        Self::conflict(RefusalCode::VersionConflict).with(json!({ "version": current }))
    }

    pub(super) fn version_reuse(stored: u64) -> Self {
        Self::conflict(RefusalCode::VersionReuse).with(json!({ "storedVersion": stored }))
    }

    pub(super) fn implicit_withdrawal(grants: &[&ContactRef]) -> Self {
        Self::conflict(RefusalCode::ImplicitWithdrawal).with(json!({ "grants": grants }))
    }

    pub(super) fn guard(would_withdraw: u64) -> Self {
        Self::conflict(RefusalCode::Guard).with(json!(GuardDetails { would_withdraw }))
    }

    pub(super) fn too_large(limit: u64) -> Self {
        Self::new(413, RefusalCode::TooLarge).with(json!({ "limit": limit }))
    }

    pub(super) fn unprocessable(code: RefusalCode) -> Self {
        Self::new(422, code)
    }

    pub(super) fn refused(reason: &str) -> Self {
        Self::unprocessable(RefusalCode::Refused).with(json!({ "reason": reason }))
    }

    pub(super) fn status(&self) -> u64 {
        self.status.as_u16().into()
    }

    /// Code and details, as an item of a batch tells them.
    pub(super) fn into_item(self) -> super::super::ItemError {
        super::super::ItemError { code: self.code.as_str().to_owned(), details: self.details }
    }

    pub(super) fn into_error(self, called: &Called) -> Error {
        let outcome = match (called.writes, self.status.is_server_error()) {
            (false, _) => Outcome::ReadOnly,
            (true, true) => Outcome::Unknown,
            (true, false) => Outcome::Refused,
        };
        let error =
            Refusal::new(self.code, self.details.as_ref()).into_error(kind_of(self.status), called.operation);
        error.with_outcome(outcome).with_answer(Answer::new(self.status, HeaderMap::new(), ""))
    }
}
