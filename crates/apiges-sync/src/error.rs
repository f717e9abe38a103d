//! What can go wrong beyond the core's error (contract R5), and how an answer of layer A becomes a verdict (2.1, R1 to R3).
//!
//! The rules enforced here: a refusal inside a success is a refusal; HTTP decides the kind when both codes fail, and both are kept;
//! an unexpected shape is an error and never an empty result; the server's text is told (R1), and no error repeats a credential, a value
//! of an answer, or what was in the request (R5, [`Sent`]).

use std::fmt;

use http::StatusCode;
use integration_core::call::verdict::kind_of;
use integration_core::call::{Call, Operation, Verdict};
use integration_core::{Answer, Error, ErrorKind, Outcome};

use crate::evidence::Integrity;
use crate::record::FieldError;
use crate::scrub::Sent;
use crate::web::{Refusal, RefusalCode};
use crate::wire::{Envelope, Received};

/// How many top-level keys an error names, and how much of each.
const KEYS: usize = 20;
const KEY_LENGTH: usize = 40;

/// What a failing answer said: both codes and the service's text (P1, R3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Said {
    /// Method and path template.
    pub route: String,
    /// The HTTP status.
    pub status: u16,
    /// `statusCode` of the envelope, if there is one.
    #[doc(alias = "statusCode")]
    pub inner: Option<i64>,
    /// `message` of the envelope, if there is one: on one line, without what it repeats of the request, and at most 400 characters.
    pub message: Option<String>,
}

impl Said {
    fn without(self, sent: &Sent) -> Self {
        Self { message: self.message.map(|text| sent.scrub(&text)), ..self }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: HTTP {}", self.route, self.status)?;
        if let Some(inner) = self.inner {
            write!(f, ", statusCode {inner}")?;
        }
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthProblem {
    /// 401, from the login or from a call that was repeated once after a new login.
    Rejected(Said),
    /// The login succeeded and brought no token where the contract expects one.
    Shape,
}

impl fmt::Display for AuthProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(said) => write!(f, "not authorised: {said}"),
            Self::Shape => f.write_str("the login brought no token where one is expected"),
        }
    }
}

/// The cause behind an [`Error`] where the core's kind does not say enough; see [`ErrorExt::problem`].
///
/// The last six are of layer B, the web synchronisation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The service does not accept who calls.
    #[error("{0}")]
    Auth(AuthProblem),
    /// 403: no permission. Never followed by a login.
    #[error("no permission: {0}")]
    Forbidden(Said),
    /// 429.
    #[error("{0}")]
    RateLimited(Said),
    /// A status that failed, without an envelope.
    #[error("{0}")]
    Http(Said),
    /// The service says no in its envelope, be it within HTTP 200 (R1).
    #[error("{0}")]
    Api(Said),
    /// A success without `data` where data is due (R1).
    #[error("success without data: {0}")]
    NoData(Said),
    /// No JSON; a page for people, most likely.
    #[error("{route}: the answer is not JSON ({})", content_type.as_deref().unwrap_or("no content type"))]
    UnexpectedContentType {
        /// Method and path template.
        route: String,
        /// What the answer calls itself, without parameters.
        content_type: Option<String>,
    },
    /// JSON of another shape (R2).
    #[error("{route}: {reason}; top-level keys: {}", shown(keys))]
    UnexpectedShape {
        /// Method and path template.
        route: String,
        /// The top-level keys, not the values.
        keys: Vec<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// A date that is not `dd/mm/yyyy`, or no day that exists.
    #[error("{route}: `{field}` is not a date of the form dd/mm/yyyy")]
    Date {
        /// Method and path template.
        route: String,
        /// The field, or the path to it.
        field: String,
    },
    /// The call contradicts what is stored.
    #[error("in conflict: {code}")]
    Conflict {
        /// The code of contract 3.7, such as `version-conflict`.
        code: String,
    },
    /// A rule of this crate refuses it; nothing was sent.
    #[error("refused: {reason}")]
    Refused {
        /// Why, such as `empty-pair`.
        reason: String,
    },
    /// What was sent is older than what is stored.
    #[error("older than what is stored")]
    Stale,
    /// More would be withdrawn than the guard lets pass.
    #[error("the guard holds back {would_withdraw} withdrawals")]
    GuardBlocked {
        /// How many.
        would_withdraw: u64,
    },
    /// Evidence, digest or chain do not add up.
    #[error("integrity: {reason}")]
    Integrity {
        /// What does not.
        reason: String,
    },
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// The kinds of contract R5, of either layer; see [`ErrorExt::class`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Settings or input are wrong; nothing was sent.
    Config,
    /// Not authorised, even after one new login.
    AuthRejected,
    /// A login without a token.
    AuthShape,
    /// No permission.
    Forbidden,
    /// No connection, no TLS, or it broke.
    Transport,
    /// A time limit passed.
    Timeout,
    /// Too many calls.
    RateLimited,
    /// A failing status without an envelope.
    Http,
    /// The service says no in its envelope.
    Api,
    /// No JSON.
    UnexpectedContentType,
    /// Other JSON than the contract describes.
    UnexpectedShape,
    /// A date that is none.
    Date,
    /// In conflict with what is stored.
    Conflict,
    /// Refused by a rule of this crate, or by the portal with `refused` or `hidden`.
    Refused,
    /// Larger than a limit.
    TooLarge,
    /// Older than what is stored.
    Stale,
    /// Held back by a guard.
    GuardBlocked,
    /// Evidence or digests do not add up.
    Integrity,
    /// The local store failed.
    Store,
    /// Cancelled.
    Cancelled,
}

/// What this crate's errors tell beyond [`Error`].
///
/// ```
/// use apiges_sync::{Error, ErrorClass, ErrorExt, ErrorKind};
///
/// let error = Error::new(ErrorKind::Timeout, "read a case file");
/// assert_eq!(error.class(), ErrorClass::Timeout);
/// assert!(error.problem().is_none());
/// ```
pub trait ErrorExt {
    /// The typed cause, if there is one.
    fn problem(&self) -> Option<&Problem>;

    /// The kind of contract R5.
    fn class(&self) -> ErrorClass;

    /// `message` of the envelope: the service's words, without what they repeat of the request ([`Said::message`]).
    fn service_message(&self) -> Option<&str>;
}

impl ErrorExt for Error {
    fn problem(&self) -> Option<&Problem> {
        self.find_source()
    }

    fn class(&self) -> ErrorClass {
        match self.problem() {
            Some(problem) => problem.class(),
            None if self.find_source::<Integrity>().is_some() => ErrorClass::Integrity,
            None => Refusal::of(self)
                .and_then(|refusal| class_of_code(&refusal.code))
                .unwrap_or_else(|| class_of(self.kind())),
        }
    }

    fn service_message(&self) -> Option<&str> {
        let said = self.problem().and_then(Problem::said).or_else(|| Refusal::of(self)?.said());
        said?.message.as_deref()
    }
}

/// Codes of the portal that say more than the status.
const fn class_of_code(code: &RefusalCode) -> Option<ErrorClass> {
    match code {
        RefusalCode::Guard => Some(ErrorClass::GuardBlocked),
        RefusalCode::Digest => Some(ErrorClass::Integrity),
        RefusalCode::TooLarge => Some(ErrorClass::TooLarge),
        RefusalCode::Hidden | RefusalCode::Refused => Some(ErrorClass::Refused),
        _ => None,
    }
}

const fn class_of(kind: ErrorKind) -> ErrorClass {
    match kind {
        ErrorKind::Connect | ErrorKind::Tls | ErrorKind::Interrupted => ErrorClass::Transport,
        ErrorKind::Timeout => ErrorClass::Timeout,
        ErrorKind::RateLimited => ErrorClass::RateLimited,
        ErrorKind::Authentication => ErrorClass::AuthRejected,
        ErrorKind::Forbidden => ErrorClass::Forbidden,
        ErrorKind::Refused | ErrorKind::NotFound => ErrorClass::Api,
        ErrorKind::Conflict => ErrorClass::Conflict,
        ErrorKind::UnexpectedStatus => ErrorClass::Http,
        ErrorKind::UnexpectedAnswer => ErrorClass::UnexpectedShape,
        ErrorKind::TooLarge => ErrorClass::TooLarge,
        ErrorKind::Store => ErrorClass::Store,
        ErrorKind::Blocked => ErrorClass::GuardBlocked,
        _ => ErrorClass::Config,
    }
}

impl Problem {
    /// The kind of contract R5.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Auth(AuthProblem::Rejected(_)) => ErrorClass::AuthRejected,
            Self::Auth(AuthProblem::Shape) => ErrorClass::AuthShape,
            Self::Forbidden(_) => ErrorClass::Forbidden,
            Self::RateLimited(_) => ErrorClass::RateLimited,
            Self::Http(_) => ErrorClass::Http,
            Self::Api(_) | Self::NoData(_) => ErrorClass::Api,
            Self::UnexpectedContentType { .. } => ErrorClass::UnexpectedContentType,
            Self::UnexpectedShape { .. } => ErrorClass::UnexpectedShape,
            Self::Date { .. } => ErrorClass::Date,
            Self::Conflict { .. } => ErrorClass::Conflict,
            Self::Refused { .. } => ErrorClass::Refused,
            Self::Stale => ErrorClass::Stale,
            Self::GuardBlocked { .. } => ErrorClass::GuardBlocked,
            Self::Integrity { .. } => ErrorClass::Integrity,
            Self::Cancelled => ErrorClass::Cancelled,
        }
    }

    /// What the service said, if it is a refusal of its own.
    #[must_use]
    pub const fn said(&self) -> Option<&Said> {
        match self {
            Self::Auth(AuthProblem::Rejected(said))
            | Self::Forbidden(said)
            | Self::RateLimited(said)
            | Self::Http(said)
            | Self::Api(said)
            | Self::NoData(said) => Some(said),
            _ => None,
        }
    }

    /// The refusal that a status stands for.
    pub(crate) fn of(status: StatusCode, said: Said) -> Self {
        match status.as_u16() {
            401 => Self::Auth(AuthProblem::Rejected(said)),
            403 => Self::Forbidden(said),
            429 => Self::RateLimited(said),
            _ if said.inner.is_some() => Self::Api(said),
            _ => Self::Http(said),
        }
    }

    /// The same without what it repeats of a request (R5).
    pub(crate) fn without(self, sent: &Sent) -> Self {
        match self {
            Self::Auth(AuthProblem::Rejected(said)) => Self::Auth(AuthProblem::Rejected(said.without(sent))),
            Self::Forbidden(said) => Self::Forbidden(said.without(sent)),
            Self::RateLimited(said) => Self::RateLimited(said.without(sent)),
            Self::Http(said) => Self::Http(said.without(sent)),
            Self::Api(said) => Self::Api(said.without(sent)),
            Self::NoData(said) => Self::NoData(said.without(sent)),
            Self::UnexpectedContentType { route, content_type } => {
                let content_type = content_type.map(|text| sent.media_type(&text));
                Self::UnexpectedContentType { route, content_type }
            }
            Self::UnexpectedShape { route, keys, reason } => {
                let keys = keys.iter().map(|key| sent.name(key)).collect();
                Self::UnexpectedShape { route, keys, reason }
            }
            other => other,
        }
    }

    const fn advice(&self) -> &'static str {
        match self {
            Self::Auth(AuthProblem::Rejected(_)) => {
                "check user and password, and the login style of the installation"
            }
            Self::Auth(AuthProblem::Shape) => {
                "check the base URL: what answers there is no login of the contract"
            }
            Self::Forbidden(_) => {
                "ask for the permission, or use another user; logging in again does not help"
            }
            Self::RateLimited(_) => "wait, then repeat",
            Self::Http(_) => "look at the status; repeat it later if it may pass",
            Self::Api(_) => "read the service's text, correct, repeat",
            Self::NoData(_) => "read the service's text; nothing was taken for empty",
            Self::UnexpectedContentType { .. } => {
                "check the base URL: a page for people answered, most likely"
            }
            Self::UnexpectedShape { .. } => "compare with the contract; nothing was taken for empty",
            Self::Date { .. } => "correct the date in the case-management program; none was guessed",
            Self::Conflict { .. } | Self::Stale => "read the present state again, then decide",
            Self::Refused { .. } => "correct the call; nothing was sent",
            Self::GuardBlocked { .. } => "look at what would be withdrawn, then allow exactly that number",
            Self::Integrity { .. } => "do not rely on it; compare with what was exported before",
            Self::Cancelled => "start it again when it is wanted",
        }
    }

    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Auth(_) => ErrorKind::Authentication,
            Self::Forbidden(_) => ErrorKind::Forbidden,
            Self::RateLimited(_) => ErrorKind::RateLimited,
            Self::Http(_) => ErrorKind::UnexpectedStatus,
            Self::Api(_) => ErrorKind::Refused,
            Self::Refused { .. } => ErrorKind::Validation,
            Self::Conflict { .. } | Self::Stale => ErrorKind::Conflict,
            Self::GuardBlocked { .. } | Self::Cancelled => ErrorKind::Blocked,
            _ => ErrorKind::UnexpectedAnswer,
        }
    }

    /// The error of an operation; what it means for the outcome of a call is the core's to say.
    pub(crate) fn error(self, operation: &'static str) -> Error {
        let kind = self.kind();
        self.error_of(kind, operation)
    }

    pub(crate) fn error_of(self, kind: ErrorKind, operation: &'static str) -> Error {
        let error = Error::new(kind, operation).with_hint(self.advice());
        let error = if kind == ErrorKind::Validation { error.with_outcome(Outcome::NotSent) } else { error };
        let error = match self.said().and_then(|said| said.inner) {
            Some(inner) => error.with_code(inner.to_string()),
            None => error,
        };
        error.with_message(self.to_string()).with_source(self)
    }
}

fn shown(keys: &[String]) -> String {
    if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
}

/// The top-level keys of an answer, as many as an error names.
pub(crate) fn keys<'k>(names: impl Iterator<Item = &'k str>) -> Vec<String> {
    names.take(KEYS).map(|name| name.chars().take(KEY_LENGTH).collect()).collect()
}

/// What is judged: an operation, by name, method and path template.
#[derive(Clone)]
pub(crate) struct Route<'c> {
    pub(crate) operation: &'static str,
    /// Method and path template, without any value.
    pub(crate) text: String,
    /// What was asked, so that no error repeats it.
    call: Option<&'c Call>,
}

impl fmt::Debug for Route<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({})", self.text)
    }
}

impl<'c> Route<'c> {
    #[cfg(test)]
    fn of(operation: &Operation) -> Self {
        Self::named(operation, None)
    }

    pub(crate) fn by(call: &'c Call) -> Self {
        Self::named(call.operation(), Some(call))
    }

    fn named(operation: &Operation, call: Option<&'c Call>) -> Self {
        Self { operation: operation.name, text: format!("{} {}", operation.method, operation.path), call }
    }

    /// Without the call: what it says is made private when it is told.
    fn alone(&self) -> Route<'static> {
        Route { operation: self.operation, text: self.text.clone(), call: None }
    }

    pub(crate) fn sent(&self) -> Sent {
        self.call.map(Sent::by).unwrap_or_default()
    }

    pub(crate) fn shape(&self, keys: Vec<String>, reason: impl Into<String>) -> Problem {
        Problem::UnexpectedShape { route: self.text.clone(), keys, reason: reason.into() }
    }

    pub(crate) fn field(&self, error: &FieldError) -> Problem {
        if error.is_date() {
            return Problem::Date { route: self.text.clone(), field: error.field().to_owned() };
        }
        self.shape(Vec::new(), error.to_string())
    }

    /// Judges a whole answer; `read` sees an envelope that says success.
    pub(crate) fn judge<T>(
        &self,
        answer: &Answer,
        read: impl Fn(&Received) -> Result<T, Problem>,
    ) -> Verdict<T> {
        let envelope = self.envelope(answer);
        if !answer.status().is_success() {
            return self.refused(answer.status(), self.said(answer, envelope.as_ref().ok()));
        }
        if !answer.is_complete() {
            return self.too_large();
        }
        match envelope {
            Ok(envelope) if envelope.is_success() => self.success(answer, envelope, read),
            Ok(envelope) => self.refused(inner(&envelope), self.said(answer, Some(&envelope))),
            Err(problem) => self.doubt(problem),
        }
    }

    fn success<T>(
        &self,
        answer: &Answer,
        envelope: Envelope,
        read: impl Fn(&Received) -> Result<T, Problem>,
    ) -> Verdict<T> {
        let said = self.said(answer, Some(&envelope));
        read(&Received { route: self.alone(), said, data: envelope.data })
            .map_or_else(|problem| self.doubt(problem), Verdict::Accept)
    }

    fn doubt<T>(&self, problem: Problem) -> Verdict<T> {
        Verdict::Doubt { error: problem.without(&self.sent()).error(self.operation), transient: false }
    }

    fn too_large<T>(&self) -> Verdict<T> {
        let error = Error::new(ErrorKind::TooLarge, self.operation)
            .with_message("the answer is larger than the client's limit")
            .with_hint("ask for less, or raise `body_limit`");
        Verdict::Doubt { error, transient: false }
    }

    /// R2: what is no envelope.
    pub(crate) fn envelope(&self, answer: &Answer) -> Result<Envelope, Problem> {
        if let Some(found) = Envelope::read(answer.body()) {
            return found.map_err(|(keys, reason)| self.shape(keys, reason));
        }
        let first = answer.body().iter().find(|byte| !byte.is_ascii_whitespace());
        Err(match first {
            None => self.shape(Vec::new(), "the answer is empty"),
            Some(b'{') => self.shape(Vec::new(), "the answer is broken JSON, or half of it"),
            _ if serde_json::from_slice::<serde::de::IgnoredAny>(answer.body()).is_ok() => {
                self.shape(Vec::new(), "there is no envelope")
            }
            Some(_) => self.content_type(answer),
        })
    }

    fn content_type(&self, answer: &Answer) -> Problem {
        let content_type = answer.content_type().and_then(|text| text.split(';').next()).map(str::to_owned);
        Problem::UnexpectedContentType { route: self.text.clone(), content_type }
    }

    fn said(&self, answer: &Answer, envelope: Option<&Envelope>) -> Said {
        Said {
            route: self.text.clone(),
            status: answer.status().as_u16(),
            inner: envelope.map(|envelope| envelope.status),
            message: envelope.and_then(|envelope| envelope.message.clone()),
        }
    }

    fn refused<T>(&self, status: StatusCode, said: Said) -> Verdict<T> {
        let problem = Problem::of(status, said).without(&self.sent());
        // Contract 2.1: of all that failed, 429 and 502 to 504 may pass.
        Verdict::by_strict_status(status, problem.error_of(kind_of(status), self.operation))
    }
}

/// R3: the inner code of an answer with HTTP 2xx, as the status that it stands for.
fn inner(envelope: &Envelope) -> StatusCode {
    let status = u16::try_from(envelope.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const READ: Operation = Operation::get("read", "/x/{id}");

    #[test]
    fn the_guard_is_told_from_other_conflicts() {
        let said =
            |code| Error::new(ErrorKind::Conflict, "commit").with_source(Refusal::new(code, None)).class();
        assert_eq!(said(RefusalCode::Guard), ErrorClass::GuardBlocked);
        assert_eq!(said(RefusalCode::LoadOpen), ErrorClass::Conflict);
    }

    fn judged(status: u16, body: &str) -> Verdict<()> {
        let answer = Answer::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.to_owned());
        Route::of(&READ).judge(&answer, |received| received.due().map(drop))
    }

    fn class(verdict: &Verdict<()>) -> (&'static str, Option<ErrorClass>) {
        match verdict {
            Verdict::Accept(()) => ("accept", None),
            Verdict::Refuse(error) => ("refuse", Some(error.class())),
            Verdict::Unauthorized(error) => ("unauthorized", Some(error.class())),
            Verdict::NotApplied(error) => ("again", Some(error.class())),
            Verdict::Doubt { error, transient: true } => ("may pass", Some(error.class())),
            Verdict::Doubt { error, .. } => ("doubt", Some(error.class())),
            _ => ("new", None),
        }
    }

    /// P1, R1 to R3; traps 1 and 2.
    #[test]
    fn every_answer_is_classified() {
        use ErrorClass::{
            Api, AuthRejected, Forbidden, Http, RateLimited, UnexpectedContentType, UnexpectedShape,
        };
        let whole = |code: &str| format!(r#"{{"statusCode":{code},"message":"m","data":null}}"#);
        for (status, body, expected) in [
            (200, r#"{"statusCode":200,"message":"OK","data":[]}"#, ("accept", None)),
            (200, r#"{"statusCode":"200","data":1}"#, ("accept", None)),
            (201, r#"{"statusCode":201,"message":null,"data":{},"more":1}"#, ("accept", None)),
            (200, &whole("200"), ("doubt", Some(Api))),
            (200, r#"{"statusCode":200,"message":"OK"}"#, ("doubt", Some(UnexpectedShape))),
            (200, r#"{"message":"OK","data":[]}"#, ("doubt", Some(UnexpectedShape))),
            (200, r#"{"statusCode":"two hundred","data":[]}"#, ("doubt", Some(UnexpectedShape))),
            (200, r#"[{"id":1}]"#, ("doubt", Some(UnexpectedShape))),
            (200, "null", ("doubt", Some(UnexpectedShape))),
            (200, "\"text\"", ("doubt", Some(UnexpectedShape))),
            (200, "", ("doubt", Some(UnexpectedShape))),
            (200, r#"{"statusCode":200,"data":[1,"#, ("doubt", Some(UnexpectedShape))),
            (200, "<html><form>", ("doubt", Some(UnexpectedContentType))),
            (200, "Not here", ("doubt", Some(UnexpectedContentType))),
            (200, &whole("500"), ("doubt", Some(Api))),
            (200, &whole("400"), ("refuse", Some(Api))),
            (200, &whole("404"), ("refuse", Some(Api))),
            (200, &whole("401"), ("unauthorized", Some(AuthRejected))),
            (200, &whole("403"), ("refuse", Some(Forbidden))),
            (200, &whole("0"), ("doubt", Some(Api))),
            (200, &whole("-1"), ("doubt", Some(Api))),
            (500, &whole("401"), ("doubt", Some(Api))),
            (401, &whole("500"), ("unauthorized", Some(AuthRejected))),
            (403, &whole("401"), ("refuse", Some(Forbidden))),
            (500, &whole("200"), ("doubt", Some(Api))),
            (401, "", ("unauthorized", Some(AuthRejected))),
            (403, "<html>", ("refuse", Some(Forbidden))),
            (404, "<html>", ("refuse", Some(Http))),
            (408, "", ("doubt", Some(Http))),
            (429, "", ("again", Some(RateLimited))),
            (500, "", ("doubt", Some(Http))),
            (502, "", ("may pass", Some(Http))),
            (503, &whole("503"), ("may pass", Some(Api))),
            (504, "", ("may pass", Some(Http))),
            (302, "", ("doubt", Some(Http))),
        ] {
            assert_eq!(class(&judged(status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn both_codes_and_the_text_are_kept() {
        let Verdict::Doubt { error, .. } =
            judged(500, r#"{"statusCode":404,"message":"No existe","data":null}"#)
        else {
            panic!()
        };
        let said = error.problem().unwrap().said().unwrap();
        assert_eq!((said.status, said.inner, said.route.as_str()), (500, Some(404), "GET /x/{id}"));
        assert_eq!(error.service_message(), Some("No existe"));
        assert!(error.to_string().contains("HTTP 500, statusCode 404: No existe"), "{error}");
    }

    #[test]
    fn keys_are_told_and_values_are_not() {
        let Verdict::Doubt { error, .. } = judged(200, r#"{"rows":["sentinel"],"x":"sentinel"}"#) else {
            panic!()
        };
        let text = format!("{error} {error:?} {error:#?}");
        assert!(text.contains("rows, x") && !text.contains("sentinel"), "{text}");
    }

    #[test]
    fn an_answer_that_was_cut_is_too_large() {
        let answer = Answer::new(StatusCode::OK, HeaderMap::new(), r#"{"statusCode":200,"da"#).cut_at_limit();
        let verdict = Route::of(&READ).judge(&answer, |received| received.due().map(drop));
        assert_eq!(class(&verdict), ("doubt", Some(ErrorClass::TooLarge)));
    }
}
