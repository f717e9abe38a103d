//! How an answer becomes a verdict, and what errors of both services tell beyond [`Error`] (contract 3.7 and 3.9).
//!
//! The rules enforced here: a refusal inside a 2xx is a refusal; `null`, HTML and nothing where a record is due are in doubt, never a
//! success; what a service repeats of a secret is in no text; a wait is at most two minutes.

use std::fmt;
use std::time::Duration;

use http::Method;
use integration_core::body::fields::Unreadable;
use integration_core::call::verdict;
use integration_core::call::{Operation, Verdict};
use integration_core::clock::Clock;
use integration_core::{Answer, Error, ErrorKind};
use memchr::memmem;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::refusal::{FieldError, Refusal, is_multipass_failure, redacted_excerpt};
use crate::value::Fields;
use crate::wire::{self, Record};

/// The longest `Retry-After` that is obeyed; longer ones count as this (assumed, contract 2.4).
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// What a refusal means, where the contract knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Fields are at fault; [`Refused::fields`] says which.
    Validation,
    /// An invoice with this `oid` exists, or did: any 422 that names `oid` (assumed, contract 4.9). A look-up tells which.
    DuplicateOid,
    /// The switch between both systems failed, mostly because the logins differ; see [`check_multipass`](crate::check_multipass).
    MultipassFailed,
    /// The PDF is still being made; ask again in a moment.
    NotReady,
    /// There is no such account: the sub-domain is wrong (observed; its text is assumed to say "account").
    NoAccount,
    /// Anything else.
    Other,
}

/// A refusal of either service as it was judged, behind an [`Error`]; see [`ErrorExt::refused`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The HTTP status; refusals come inside 2xx too.
    pub status: u16,
    /// What it means.
    pub reason: Reason,
    /// What the service says.
    pub said: Refusal,
    /// The method of the request.
    pub method: Method,
    /// The template of its path, without query and without values.
    pub path: &'static str,
    /// How long the service asks to wait, at most 120 s.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, redacted, at most 4 KiB.
    pub body: String,
}

impl Refused {
    /// What the service says field by field.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        self.said.fields()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: HTTP {}, {:?}: {}", self.method, self.path, self.status, self.reason, self.said)
    }
}

impl std::error::Error for Refused {}

/// What the errors of both services tell beyond [`Error`].
pub trait ErrorExt {
    /// The refusal of the service, if it is one.
    fn refused(&self) -> Option<&Refused>;

    /// What the refusal means, if it is one.
    fn reason(&self) -> Option<Reason> {
        self.refused().map(|refused| refused.reason)
    }

    /// What the service says field by field; empty if it is no refusal of fields.
    fn field_errors(&self) -> &[FieldError] {
        self.refused().map(Refused::fields).unwrap_or_default()
    }

    /// An invoice with this `oid` exists, or did.
    fn is_duplicate_oid(&self) -> bool {
        self.reason() == Some(Reason::DuplicateOid)
    }

    /// The PDF is still being made.
    fn is_not_ready(&self) -> bool {
        self.reason() == Some(Reason::NotReady)
    }

    /// Several lines for the vendors' support, without secrets: operation, method, path, status, code, message, request id, outcome,
    /// and at most 4 KiB of what the service answered (contract 3.7).
    fn support_summary(&self) -> String;
}

impl ErrorExt for Error {
    fn refused(&self) -> Option<&Refused> {
        self.find_source()
    }

    fn support_summary(&self) -> String {
        let refused = self.refused();
        let request = refused.map(|refused| format!("{} {}", refused.method, refused.path));
        self.case_for_support(request, refused.map(|refused| refused.body.clone()))
    }
}

/// What is judged: the operation, and what its answer may look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'j> {
    pub(crate) operation: &'j Operation,
    pub(crate) clock: &'j dyn Clock,
    /// Nothing, `null` and `"ok"` are successes: for deletes and actions, whose answers bring nothing.
    pub(crate) may_be_empty: bool,
}

impl Judge<'_> {
    /// Judges a whole answer; `read` sees the JSON of a success.
    pub(crate) fn whole<T>(
        self,
        answer: &Answer,
        read: impl Fn(Box<RawValue>) -> Result<T, Unreadable>,
    ) -> Verdict<T> {
        if !answer.status().is_success() {
            return self.by_status(answer);
        }
        if !answer.is_complete() {
            return self.doubt(ErrorKind::TooLarge, answer, "the answer is larger than the client's limit");
        }
        if self.may_be_empty && answer.body().iter().all(u8::is_ascii_whitespace) {
            return self.read(RawValue::NULL.to_owned(), answer, read);
        }
        match serde_json::from_slice::<Box<RawValue>>(answer.body()) {
            Ok(token) => self.success(token, answer, read),
            Err(_) => self.not_json(answer),
        }
    }

    /// As [`whole`](Self::whole), of a call that answers with a record.
    pub(crate) fn record<T: Record>(self, answer: &Answer) -> Verdict<T> {
        match bare_record(answer) {
            Some(read) => read.map_or_else(|cause| self.unread(answer, cause), Verdict::Accept),
            None => self.whole(answer, wire::read_record),
        }
    }

    fn success<T>(
        self,
        token: Box<RawValue>,
        answer: &Answer,
        read: impl Fn(Box<RawValue>) -> Result<T, Unreadable>,
    ) -> Verdict<T> {
        // Lists are records, which say what people wrote.
        let may_refuse = token.get().starts_with(['{', '"']) && may_refuse(token.get().as_bytes());
        let said = may_refuse.then(|| serde_json::from_str::<Value>(token.get()).ok());
        match said.flatten().as_ref().and_then(refused_in) {
            Some(said) => Verdict::Refuse(self.refusal(answer, said)),
            None => self.read(token, answer, read),
        }
    }

    fn not_json<T>(self, answer: &Answer) -> Verdict<T> {
        if is_multipass_failure(&answer.text()) {
            return Verdict::Refuse(self.refusal(answer, Refusal::default()));
        }
        // The content type without its parameters, which are free text.
        let kind = answer.content_type().and_then(|kind| kind.split(';').next()).unwrap_or("no content type");
        self.doubt(ErrorKind::UnexpectedAnswer, answer, format!("the answer is not JSON ({kind})"))
    }

    fn read<T>(
        self,
        token: Box<RawValue>,
        answer: &Answer,
        read: impl Fn(Box<RawValue>) -> Result<T, Unreadable>,
    ) -> Verdict<T> {
        read(token).map_or_else(|cause| self.unread(answer, cause), Verdict::Accept)
    }

    /// Neither what was asked for nor a refusal by its shape; one that is known by its words is one (contract 3.7).
    fn unread<T>(self, answer: &Answer, cause: Unreadable) -> Verdict<T> {
        if is_multipass_failure(&answer.text()) {
            let said = answer.json::<Value>().map(|value| Refusal::read(&value)).unwrap_or_default();
            return Verdict::Refuse(self.refusal(answer, said));
        }
        let error = self.error(ErrorKind::UnexpectedAnswer, answer);
        let error = error.with_message(cause.to_string()).with_source(cause);
        Verdict::Doubt { error, transient: false }
    }

    fn doubt<T>(self, kind: ErrorKind, answer: &Answer, message: impl Into<String>) -> Verdict<T> {
        let error = self.error(kind, answer).with_message(message);
        Verdict::Doubt { error, transient: false }
    }

    /// The table of contract 2.4 and 3.7: only 429, 502, 503 and 504 may pass.
    pub(crate) fn by_status<T>(self, answer: &Answer) -> Verdict<T> {
        let status = answer.status();
        if status.is_redirection() {
            // The core follows it or says why not.
            return self.doubt(ErrorKind::UnexpectedStatus, answer, "a redirect");
        }
        let said = answer.json::<Value>().map(|value| Refusal::read(&value)).unwrap_or_default();
        let error = self.refusal(answer, said);
        Verdict::by_strict_status(status, error)
    }

    /// A refusal whose meaning follows from its status and words.
    pub(crate) fn refusal(self, answer: &Answer, said: Refusal) -> Error {
        let reason = reason_of(answer, &said);
        self.refused(answer, said, reason)
    }

    /// A refusal that means `reason`.
    pub(crate) fn refused(self, answer: &Answer, said: Refusal, reason: Reason) -> Error {
        let kind = kind_of(answer, reason);
        let error = self.error(kind, answer);
        let message = match said.to_string() {
            text if text.is_empty() => {
                answer.status().canonical_reason().unwrap_or("no reason given").to_owned()
            }
            text => text,
        };
        let error = match said.code() {
            Some(code) => error.with_code(code),
            None => error,
        };
        let refused = Refused {
            status: answer.status().as_u16(),
            reason,
            said,
            method: self.operation.method.clone(),
            path: self.operation.path,
            retry_after: error.retry_after(),
            body: redacted_excerpt(&answer.text()),
        };
        error.with_message(message).with_hint(advice(kind, reason)).with_source(refused)
    }

    fn error(self, kind: ErrorKind, answer: &Answer) -> Error {
        let wait = answer.retry_after(self.clock.wall());
        Error::new(kind, self.operation.name)
            .with_hint(advice(kind, Reason::Other))
            .with_retry_after(wait.map(|wait| wait.min(LONGEST_WAIT)))
    }
}

/// The record that nearly every answer to such a call is: bare, and without a word of a refusal. It is read once.
fn bare_record<T: Record>(answer: &Answer) -> Option<Result<T, Unreadable>> {
    if !answer.status().is_success() || !answer.is_complete() || may_refuse(answer.body()) {
        return None;
    }
    let fields = Fields::parse(answer.body()).filter(|fields| !fields.names().eq([T::WRAPPER]))?;
    Some(T::read(fields))
}

/// Whether it is worth looking for a refusal in this JSON: each says `error` or has a `message`, and a text that is all of an answer its
/// words, unless escapes hide them. Most records say none of it, and are read once.
fn may_refuse(json: &[u8]) -> bool {
    let says = |word: &[u8]| memmem::find(json, word).is_some();
    json.first() == Some(&b'"') || says(b"error") || says(b"message") || says(br"\u")
}

/// The refusal in an answer with a 2xx status: by its shape, or, where no record is, by its words.
fn refused_in(answer: &Value) -> Option<Refusal> {
    let by_words = || {
        let is_record = answer.get("id").is_some_and(|id| !id.is_null());
        Some(Refusal::read(answer)).filter(|said| !is_record && said.is_multipass_failure())
    };
    Refusal::in_success(answer).or_else(by_words)
}

/// What a refusal means, by its status and its words.
pub(crate) fn reason_of(answer: &Answer, said: &Refusal) -> Reason {
    let is_422 = answer.status().as_u16() == 422;
    // Elsewhere an object tells why, and no field is at fault.
    let is_about_fields = matches!(answer.status().as_u16(), 200..=299 | 400 | 409 | 422);
    if said.is_multipass_failure() || is_multipass_failure(&answer.text()) {
        return Reason::MultipassFailed;
    }
    match said {
        said if is_422 && said.names("oid") => Reason::DuplicateOid,
        said if is_about_fields && !said.fields().is_empty() => Reason::Validation,
        said if is_422 && names_no_account(said, answer) => Reason::NoAccount,
        _ => Reason::Other,
    }
}

fn names_no_account(said: &Refusal, answer: &Answer) -> bool {
    let text = if said.messages().is_empty() { answer.text().into_owned() } else { said.to_string() };
    // A bank account that is wrong is a field's fault.
    text.to_lowercase().replace(['_', '-'], " ").replace("bank account", "").contains("account")
}

/// A wrong sub-domain is no "not found", which a caller could take for a record that is gone.
fn kind_of(answer: &Answer, reason: Reason) -> ErrorKind {
    match reason {
        Reason::DuplicateOid => ErrorKind::Conflict,
        Reason::NoAccount => ErrorKind::Configuration,
        Reason::NotReady => ErrorKind::Refused,
        _ => verdict::kind_of(answer.status()),
    }
}

const fn advice(kind: ErrorKind, reason: Reason) -> &'static str {
    match (reason, kind) {
        (Reason::DuplicateOid, _) => "look the invoice up by its oid before creating another one",
        (Reason::MultipassFailed, _) => "make the logins of both systems equal; see `check_multipass`",
        (Reason::NotReady, _) => "ask again in a moment: the document is still being made",
        (Reason::NoAccount, _) => "check the account's name in the base URL",
        (_, ErrorKind::Authentication) => {
            "check the token: a refused one stays refused until a new one is made"
        }
        (_, ErrorKind::Forbidden) => "use the token of a user with the right to do this",
        (_, ErrorKind::NotFound) => "check the id and the account",
        (_, ErrorKind::Conflict) => "read the present state again, then decide",
        (_, ErrorKind::RateLimited) => "wait, then repeat",
        (_, ErrorKind::Refused) => "read the service's message, correct, repeat",
        _ => "look at the service before repeating a call that changes something",
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode, header};
    use integration_core::clock::ManualClock;

    use super::*;

    const READ: Operation = Operation::get("read", "/x/{id}");

    fn judged(status: u16, body: &str, may_be_empty: bool) -> Verdict<String> {
        let answer = Answer::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.to_owned());
        let clock = ManualClock::new();
        let judge = Judge { operation: &READ, clock: &clock, may_be_empty };
        judge.whole(&answer, |token| Ok(token.get().to_owned()))
    }

    fn class(verdict: &Verdict<String>) -> (&'static str, Option<ErrorKind>, Option<Reason>) {
        let (word, error) = match verdict {
            Verdict::Accept(_) => return ("accept", None, None),
            Verdict::Refuse(error) => ("refuse", error),
            Verdict::Unauthorized(error) => ("unauthorized", error),
            Verdict::NotApplied(error) => ("again", error),
            Verdict::Doubt { error, transient: true } => ("may pass", error),
            Verdict::Doubt { error, .. } => ("doubt", error),
            _ => return ("new", None, None),
        };
        (word, Some(error.kind()), error.reason())
    }

    /// Contract 2.4, 3.7 and 3.9, row by row.
    #[test]
    fn every_answer_is_classified() {
        use ErrorKind::*;
        use Reason::{DuplicateOid, MultipassFailed, NoAccount, Other};
        let table = [
            (200, r#"{"id":1,"status":"error"}"#, ("accept", None, None)),
            (200, r#"{"code":"success","message":"sent"}"#, ("accept", None, None)),
            (200, r#"{"code":"error","message":"no"}"#, ("refuse", Some(Refused), Some(Other))),
            (201, r#"{"status":"error","message":"no"}"#, ("refuse", Some(Refused), Some(Other))),
            (200, r#"{"errors":{"name":["x"]}}"#, ("refuse", Some(Refused), Some(Reason::Validation))),
            (200, "", ("doubt", Some(UnexpectedAnswer), None)),
            (200, "<html>", ("doubt", Some(UnexpectedAnswer), None)),
            (200, "<h1>Multipass login FAILED", ("refuse", Some(Refused), Some(MultipassFailed))),
            (302, "", ("doubt", Some(UnexpectedStatus), None)),
            (400, "<html>\u{fffd}", ("refuse", Some(Refused), Some(Other))),
            (401, "", ("unauthorized", Some(Authentication), Some(Other))),
            (403, "[]", ("refuse", Some(Forbidden), Some(Other))),
            (404, r#"{"code":"error","message":"Not found"}"#, ("refuse", Some(NotFound), Some(Other))),
            (408, "", ("doubt", Some(UnexpectedStatus), Some(Other))),
            (422, r#"{"message":{"name":["- x"]}}"#, ("refuse", Some(Refused), Some(Reason::Validation))),
            (422, r#"{"message":{"oid":["- x"]}}"#, ("refuse", Some(Conflict), Some(DuplicateOid))),
            (422, "No such account", ("refuse", Some(Configuration), Some(NoAccount))),
            (422, "Bank account is invalid", ("refuse", Some(Refused), Some(Other))),
            (403, r#"{"error":{"base":["no"]}}"#, ("refuse", Some(Forbidden), Some(Other))),
            (
                200,
                r#"{"message":"Multipass login failed"}"#,
                ("refuse", Some(Refused), Some(MultipassFailed)),
            ),
            (200, r#"{"id":1,"message":"Multipass login failed"}"#, ("accept", None, None)),
            (422, "null", ("refuse", Some(Refused), Some(Other))),
            (429, "", ("again", Some(RateLimited), Some(Other))),
            (500, "", ("doubt", Some(UnexpectedStatus), Some(Other))),
            (502, "<html>", ("may pass", Some(UnexpectedStatus), Some(Other))),
            (503, "", ("may pass", Some(UnexpectedStatus), Some(Other))),
            (504, "", ("may pass", Some(UnexpectedStatus), Some(Other))),
            (505, "", ("doubt", Some(UnexpectedStatus), Some(Other))),
        ];
        for (status, body, expected) in table {
            assert_eq!(class(&judged(status, body, false)), expected, "{status} {body}");
        }
    }

    #[test]
    fn nothing_is_a_success_only_where_it_may_be() {
        assert_eq!(class(&judged(200, " \n", true)).0, "accept");
        assert_eq!(class(&judged(200, " \n", false)).0, "doubt");
        assert_eq!(class(&judged(200, "<html>", true)).0, "doubt");
    }

    #[test]
    fn a_wait_is_capped_at_two_minutes() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "900".parse().unwrap());
        let answer = Answer::new(StatusCode::TOO_MANY_REQUESTS, headers, "");
        let clock = ManualClock::new();
        let judge = Judge { operation: &READ, clock: &clock, may_be_empty: false };
        let Verdict::<()>::NotApplied(error) = judge.whole(&answer, |_| Ok(())) else { panic!() };
        assert_eq!(error.refused().unwrap().retry_after, Some(LONGEST_WAIT));
    }

    #[test]
    fn a_refusal_keeps_little_and_nothing_secret() {
        let body = format!(r#"{{"message":"see /x?api_token=planted","z":"{}"}}"#, "x".repeat(9000));
        let Verdict::Refuse(error) = judged(422, &body, false) else { panic!() };
        let refused = error.refused().unwrap();
        assert_eq!((refused.status, refused.path, refused.body.len()), (422, "/x/{id}", 4096));
        let shown = format!("{error} {error:?} {} {refused}", error.report());
        assert!(!shown.contains("planted") && !error.support_summary().contains("planted"), "{shown}");
    }
}
