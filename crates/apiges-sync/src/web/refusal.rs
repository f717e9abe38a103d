//! How the portal says no, and how one of its answers becomes a verdict (contract 3.5 R1-R3, 3.8).
//!
//! The rules enforced here: 200 with an inner failure is a failure; anything but the envelope is an error and never empty; 500 may
//! pass as 502 to 504 do, since every write has its key; nothing of what was sent is repeated in an error.

use http::StatusCode;
use integration_core::call::Verdict;
use integration_core::call::verdict::kind_of;
use integration_core::{Answer, Error, ErrorKind, Outcome};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ContactRef, GuardDetails};

integration_core::open_enum! {
    /// Why the portal refused (contract 3.7, 3.8).
    RefusalCode {
        /// The request is not as agreed.
        Invalid = "invalid",
        /// There is none.
        NotFound = "not-found",
        /// A grant stands at another version.
        VersionConflict = "version-conflict",
        /// The union was not shown before.
        PreviewMissing = "preview-missing",
        /// Another load is open.
        LoadOpen = "load-open",
        /// A batch before this one is missing.
        BatchGap = "batch-gap",
        /// The load is over.
        LoadClosed = "load-closed",
        /// What came is not what was announced.
        Digest = "digest",
        /// More or fewer came than were announced.
        Count = "count",
        /// More would be withdrawn than was allowed: [`Refusal::would_withdraw`].
        Guard = "guard",
        /// The version was used for something else.
        VersionReuse = "version-reuse",
        /// Somebody holds the case and was not named: [`Refusal::unnamed_holders`].
        ImplicitWithdrawal = "implicit-withdrawal",
        /// The bytes of the document are not stored.
        BlobMissing = "blob-missing",
        /// The portal does not know the case.
        CaseUnknown = "case-unknown",
        /// A hidden document never goes up.
        Hidden = "hidden",
        /// A message of this id says something else.
        MessageExists = "message-exists",
        /// The key was used for something else.
        IdempotencyMismatch = "idempotency-mismatch",
        /// More bytes than are taken.
        TooLarge = "too-large",
        /// Refused.
        Refused = "refused",
    }
}

/// How the portal said no: the cause of an [`Error`], got by [`Refusal::of`].
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("the portal refused: {code}")]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    details: Option<Value>,
}

// Details may repeat what was sent.
impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal").field("code", &self.code).finish_non_exhaustive()
    }
}

impl Refusal {
    /// A refusal as the portal would state it: for transports of one's own.
    #[must_use]
    pub const fn new(code: RefusalCode, details: Option<Value>) -> Self {
        Self { code, details }
    }

    /// The refusal behind an error.
    ///
    /// ```
    /// use apiges_sync::web::{Refusal, RefusalCode};
    /// use apiges_sync::{Error, ErrorKind};
    ///
    /// fn is_taken(error: &Error) -> bool {
    ///     Refusal::of(error).is_some_and(|refusal| refusal.code == RefusalCode::VersionConflict)
    /// }
    /// assert!(!is_taken(&Error::new(ErrorKind::Timeout, "change a grant")));
    /// ```
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        error.find_source()
    }

    /// How many files a commit would withdraw, if [`RefusalCode::Guard`] says that it is too many.
    #[must_use]
    pub fn would_withdraw(&self) -> Option<u64> {
        let details = self.details.as_ref().filter(|_| self.code == RefusalCode::Guard)?;
        GuardDetails::deserialize(details).ok().map(|details| details.would_withdraw)
    }

    /// Who holds the case and was in neither list of a push, if that is what [`RefusalCode::ImplicitWithdrawal`] says.
    #[must_use]
    pub fn unnamed_holders(&self) -> Option<Vec<ContactRef>> {
        #[derive(Deserialize)]
        struct Details {
            grants: Vec<ContactRef>,
        }
        let details = self.details.as_ref().filter(|_| self.code == RefusalCode::ImplicitWithdrawal)?;
        Details::deserialize(details).ok().map(|details| details.grants)
    }

    /// The error of a call that was refused so.
    pub(crate) fn into_error(self, kind: ErrorKind, operation: &'static str) -> Error {
        let hint = advice(&self.code, kind);
        let error = Error::new(kind, operation).with_code(self.code.as_str()).with_outcome(Outcome::Refused);
        error.with_message(self.to_string()).with_hint(hint).with_source(self)
    }
}

fn advice(code: &RefusalCode, kind: ErrorKind) -> &'static str {
    match code {
        RefusalCode::VersionConflict => "read the grant again, then decide",
        RefusalCode::PreviewMissing => {
            "show the union's members first, and confirm with the id of that preview"
        }
        RefusalCode::Guard => "look at what would be withdrawn; if it is right, allow exactly that number",
        RefusalCode::LoadOpen => "resume or abort the load that is open",
        RefusalCode::Hidden => "a hidden document is not shown; take the mark away first if that is meant",
        RefusalCode::BlobMissing => "store the bytes first, then link",
        RefusalCode::IdempotencyMismatch => "a new write needs a new key",
        _ => match kind {
            ErrorKind::Authentication => {
                "check the credential of the synchronisation: the portal does not accept it"
            }
            ErrorKind::Forbidden => "ask for the right to do this, or use another credential",
            ErrorKind::RateLimited => "wait, then repeat",
            ErrorKind::UnexpectedStatus => "repeat later under the same key: nothing is done twice",
            _ => "read the code, correct, repeat",
        },
    }
}

/// The envelope of every answer (P1), as far as it is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    status_code: u16,
    error: Option<super::ItemError>,
}

#[derive(Deserialize)]
struct Whole<T> {
    data: T,
}

/// Judges answers that bring data.
pub(crate) fn judge<T: DeserializeOwned>(operation: &'static str, answer: &Answer) -> Verdict<T> {
    if let Err(verdict) = success(operation, answer) {
        return verdict;
    }
    match answer.json::<Whole<T>>() {
        Ok(whole) => Verdict::Accept(whole.data),
        Err(error) => Verdict::Doubt { error: renamed(&error, operation), transient: false },
    }
}

/// As [`judge`], where "there is none" is an answer.
pub(crate) fn judge_option<T: DeserializeOwned>(
    operation: &'static str,
    answer: &Answer,
) -> Verdict<Option<T>> {
    match judge(operation, answer) {
        Verdict::Accept(value) => Verdict::Accept(Some(value)),
        Verdict::Refuse(error) if is_absence(&error) => Verdict::Accept(None),
        Verdict::Refuse(error) => Verdict::Refuse(error),
        Verdict::Unauthorized(error) => Verdict::Unauthorized(error),
        Verdict::NotApplied(error) => Verdict::NotApplied(error),
        Verdict::Doubt { error, transient } => Verdict::Doubt { error, transient },
        _ => unexpected(operation, "a verdict that this version does not know"),
    }
}

/// A 404 in the portal's own words. One of a proxy, or of a wrong address, says nothing about what was asked for.
fn is_absence(error: &Error) -> bool {
    error.is_not_found() && Refusal::of(error).is_some_and(|refusal| refusal.code == RefusalCode::NotFound)
}

/// Judges an answer without a body (W50) or whose body says nothing more (W51).
pub(crate) fn judge_status(operation: &'static str, answer: &Answer) -> Verdict<()> {
    if answer.status().is_success() {
        return Verdict::Accept(());
    }
    refused(operation, answer.status(), None)
}

/// A write that answers nothing of use: nothing at all or an envelope that says success, and no foreign page (R2).
pub(crate) fn judge_done(operation: &'static str, answer: &Answer) -> Verdict<()> {
    if answer.body().is_empty() {
        return judge_status(operation, answer);
    }
    success(operation, answer).map_or_else(|refused| refused, Verdict::Accept)
}

/// Whether the answer is an envelope that says success inside and outside.
fn success<T>(operation: &'static str, answer: &Answer) -> Result<(), Verdict<T>> {
    let status = answer.status();
    match answer.json::<Envelope>() {
        Ok(envelope) if status.is_success() => match StatusCode::from_u16(envelope.status_code) {
            Ok(inner) if inner.is_success() => Ok(()),
            Ok(inner) => Err(refused(operation, inner, envelope.error)),
            Err(_) => Err(unexpected(operation, "`statusCode` is no status")),
        },
        Ok(envelope) => Err(refused(operation, status, envelope.error)),
        Err(error) if status.is_success() => {
            Err(Verdict::Doubt { error: renamed(&error, operation), transient: false })
        }
        Err(_) => Err(refused(operation, status, None)),
    }
}

fn renamed(error: &Error, operation: &'static str) -> Error {
    let message = error.message().unwrap_or("the answer is not as expected").to_owned();
    let hint = "check the address of the portal, and that it speaks this version of the mapping";
    Error::new(error.kind(), operation).with_message(message).with_hint(hint)
}

fn unexpected<T>(operation: &'static str, message: impl Into<String>) -> Verdict<T> {
    let hint = "compare the portal's version with the mapping that this crate speaks";
    let error = Error::new(ErrorKind::UnexpectedAnswer, operation).with_message(message).with_hint(hint);
    Verdict::Doubt { error, transient: false }
}

fn refused<T>(operation: &'static str, status: StatusCode, stated: Option<super::ItemError>) -> Verdict<T> {
    let kind = kind_of(status);
    let error = match stated {
        Some(stated) => {
            Refusal::new(RefusalCode::from_wire(&stated.code), stated.details).into_error(kind, operation)
        }
        None => {
            let reason = status.canonical_reason().unwrap_or("an unusual status");
            Error::new(kind, operation).with_message(reason).with_hint(advice(&RefusalCode::Refused, kind))
        }
    };
    match status.as_u16() {
        500 => Verdict::Doubt { error, transient: true },
        _ => Verdict::by_strict_status(status, error),
    }
}
