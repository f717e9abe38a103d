//! How the portal says no, and how one of its answers becomes a verdict (contract 3.5 R1-R3, 3.8).
//!
//! The rules enforced here: 200 with an inner failure is a failure; anything but the envelope is an error and never empty; 500 may
//! pass as 502 to 504 do, since every write has its key; nothing of what was sent is repeated in an error.

use http::StatusCode;
use integration_core::call::verdict::kind_of;
use integration_core::call::{Call, Verdict};
use integration_core::{Answer, Error, ErrorKind, Outcome};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ContactRef, GuardDetails, number};
use crate::error::{Problem, Route, Said};
use crate::scrub::Sent;

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
///
/// Of what came with the code it keeps the two details that somebody acts on, and the portal's text without what it repeats of the
/// request (R5).
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("the portal refused: {code}{}", told(said.as_ref(), code))]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    said: Option<Said>,
    would_withdraw: Option<u64>,
    unnamed_holders: Option<Vec<ContactRef>>,
}

/// The portal's text, where it says more than the code.
fn told(said: Option<&Said>, code: &RefusalCode) -> String {
    let text = said.and_then(|said| said.message.as_deref()).filter(|text| *text != code.as_str());
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

// Whose grants they are is nobody's to read in a log.
impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal").field("code", &self.code).field("said", &self.said).finish_non_exhaustive()
    }
}

impl Refusal {
    /// A refusal as the portal would state it: for transports of one's own. `details` are those of contract 3.7.
    #[must_use]
    pub fn new(code: RefusalCode, details: Option<&Value>) -> Self {
        #[derive(Deserialize)]
        struct Holders {
            grants: Vec<ContactRef>,
        }
        let guard = details.filter(|_| code == RefusalCode::Guard);
        let would_withdraw = guard.and_then(|details| GuardDetails::deserialize(details).ok());
        let implicit = details.filter(|_| code == RefusalCode::ImplicitWithdrawal);
        let holders = implicit.and_then(|details| Holders::deserialize(details).ok());
        Self {
            said: None,
            would_withdraw: would_withdraw.map(|details| details.would_withdraw),
            unnamed_holders: holders.map(|holders| holders.grants),
            code,
        }
    }

    fn heard(self, said: Said) -> Self {
        Self { said: Some(said), ..self }
    }

    /// Both codes and the portal's text (R1, R3); nothing if it does not come from an answer.
    #[must_use]
    pub const fn said(&self) -> Option<&Said> {
        self.said.as_ref()
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
    pub const fn would_withdraw(&self) -> Option<u64> {
        self.would_withdraw
    }

    /// Who holds the case and was in neither list of a push, if that is what [`RefusalCode::ImplicitWithdrawal`] says. It is given to
    /// whoever asks for it, and not printed.
    #[must_use]
    pub fn unnamed_holders(&self) -> Option<Vec<ContactRef>> {
        self.unnamed_holders.clone()
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
            ErrorKind::NotFound => {
                "the portal has none of it: check what was named, the tenant and the base URL"
            }
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
    #[serde(deserialize_with = "number::read")]
    status_code: u64,
    #[serde(default)]
    message: Option<Value>,
    error: Option<super::ItemError>,
}

impl Envelope {
    fn inner(&self) -> Option<StatusCode> {
        u16::try_from(self.status_code).ok().and_then(|status| StatusCode::from_u16(status).ok())
    }
}

#[derive(Deserialize)]
struct Whole<T> {
    data: T,
}

/// Judges answers that bring data.
pub(crate) fn judge<T: DeserializeOwned>(call: &Call, answer: &Answer) -> Verdict<T> {
    if let Err(verdict) = success(call, answer) {
        return verdict;
    }
    match answer.json::<Whole<T>>() {
        Ok(whole) => Verdict::Accept(whole.data),
        Err(error) => doubt(call, &error),
    }
}

/// As [`judge`], where "there is none" is an answer.
pub(crate) fn judge_option<T: DeserializeOwned>(call: &Call, answer: &Answer) -> Verdict<Option<T>> {
    match judge(call, answer) {
        Verdict::Accept(value) => Verdict::Accept(Some(value)),
        Verdict::Refuse(error) if is_absence(&error) => Verdict::Accept(None),
        Verdict::Refuse(error) => Verdict::Refuse(error),
        Verdict::Unauthorized(error) => Verdict::Unauthorized(error),
        Verdict::NotApplied(error) => Verdict::NotApplied(error),
        Verdict::Doubt { error, transient } => Verdict::Doubt { error, transient },
        _ => unexpected(call, "a verdict that this version does not know"),
    }
}

/// A 404 in the portal's own words. One of a proxy, or of a wrong address, says nothing about what was asked for.
fn is_absence(error: &Error) -> bool {
    error.is_not_found() && Refusal::of(error).is_some_and(|refusal| refusal.code == RefusalCode::NotFound)
}

/// Judges an answer whose envelope says everything (W51): a page for people is not "stored".
pub(crate) fn judge_envelope(call: &Call, answer: &Answer) -> Verdict<()> {
    success(call, answer).map_or_else(|verdict| verdict, Verdict::Accept)
}

/// Judges an answer without a body (W50).
pub(crate) fn judge_status(call: &Call, answer: &Answer) -> Verdict<()> {
    if answer.status().is_success() {
        return Verdict::Accept(());
    }
    // A refusal says why, where it has a body.
    success(call, answer).map_or_else(|verdict| verdict, Verdict::Accept)
}

/// Whether the answer is an envelope that says success inside and outside.
fn success<T>(call: &Call, answer: &Answer) -> Result<(), Verdict<T>> {
    let status = answer.status();
    match answer.json::<Envelope>() {
        Ok(envelope) if status.is_success() => match envelope.inner() {
            Some(inner) if inner.is_success() => Ok(()),
            Some(inner) => Err(refused(call, inner, status, Some(envelope))),
            None => Err(unexpected(call, "`statusCode` is no status")),
        },
        Ok(envelope) => Err(refused(call, status, status, Some(envelope))),
        Err(error) if status.is_success() => Err(no_envelope(call, answer, &error)),
        Err(_) => Err(refused(call, status, status, None)),
    }
}

/// R2: a page for people is told from JSON of another shape.
fn no_envelope<T>(call: &Call, answer: &Answer, error: &Error) -> Verdict<T> {
    let route = Route::by(call);
    match route.envelope(answer) {
        Err(problem) if answer.is_complete() => {
            Verdict::Doubt { error: problem.without(&route.sent()).error(call.name()), transient: false }
        }
        _ => doubt(call, error),
    }
}

fn doubt<T>(call: &Call, error: &Error) -> Verdict<T> {
    let message = error.message().unwrap_or("the answer is not as expected").to_owned();
    let hint = "check the address of the portal, and that it speaks this version of the mapping";
    let error = Error::new(error.kind(), call.name()).with_message(message).with_hint(hint);
    Verdict::Doubt { error, transient: false }
}

fn unexpected<T>(call: &Call, message: impl Into<String>) -> Verdict<T> {
    let hint = "compare the portal's version with the mapping that this crate speaks";
    let error = Error::new(ErrorKind::UnexpectedAnswer, call.name()).with_message(message).with_hint(hint);
    Verdict::Doubt { error, transient: false }
}

/// `status` is what counts, `http` what the answer came with (R3).
fn refused<T>(call: &Call, status: StatusCode, http: StatusCode, stated: Option<Envelope>) -> Verdict<T> {
    let (kind, route) = (kind_of(status), Route::by(call));
    let sent = route.sent();
    let text = stated.as_ref().and_then(|envelope| envelope.message.as_ref()?.as_str());
    let said = Said {
        message: text.filter(|text| !text.trim().is_empty()).map(|text| sent.scrub(text)),
        inner: stated.as_ref().and_then(|envelope| i64::try_from(envelope.status_code).ok()),
        status: http.as_u16(),
        route: route.text,
    };
    let error = match stated.and_then(|envelope| envelope.error) {
        Some(stated) => Refusal::new(code(&stated.code, &sent), stated.details.as_ref())
            .heard(said)
            .into_error(kind, call.name()),
        None => Problem::of(status, said)
            .error_of(kind, call.name())
            .with_hint(advice(&RefusalCode::Refused, kind)),
    };
    match status.as_u16() {
        500 => Verdict::Doubt { error, transient: true },
        _ => Verdict::by_strict_status(status, error),
    }
}

/// The mapping's own codes are told as they are, others if they repeat nothing.
fn code(stated: &str, sent: &Sent) -> RefusalCode {
    let code = RefusalCode::from_wire(stated);
    if RefusalCode::LISTED.contains(&code) { code } else { RefusalCode::from_wire(&sent.name(stated)) }
}
