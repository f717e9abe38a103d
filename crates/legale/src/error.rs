//! What the service refuses, as open codes, and how an answer becomes a verdict (contract 2.3, 3.8 and 3.9).
//!
//! The rule enforced here: a refusal is decided by its `code` and not by its status, since "not found" comes as HTTP 400; a refusal
//! inside a 2xx is still a refusal; an answer that cannot be read is in doubt, never a success.

use std::fmt;
use std::time::Duration;

use http::Method;
use integration_core::call::verdict::kind_of;
use integration_core::call::{Operation, Verdict};
use integration_core::clock::Clock;
use integration_core::{Answer, Error, ErrorKind, open_enum};
use serde_json::Value;

use crate::wire::{Opened, Unreadable, code_of, is_failure, message_of, open};

/// The longest `Retry-After` that is obeyed; longer ones count as this (assumed, contract 2.3).
const LONGEST_WAIT: Duration = Duration::from_secs(120);

const BODY_PREFIX: usize = 4096;

open_enum! {
    /// A code of the service (contract 3.8). Codes that are not listed are kept.
    guarded Code {
        /// `ERROR_WRONG_PASSWORD`: e-mail and password do not belong together.
        #[doc(alias = "ERROR_WRONG_PASSWORD")]
        WrongPassword = "ERROR_WRONG_PASSWORD",
        /// `DOCUMENT_NOT_FOUND`, sent with HTTP 400. Normal in the sandbox, whose data may vanish (trap 26).
        DocumentNotFound = "DOCUMENT_NOT_FOUND",
        /// `NOT_OWNER`: the document is another account's.
        NotOwner = "NOT_OWNER",
        /// `NOT_API_DOCUMENT`: it was uploaded in the web application; the list shows it, its detail is refused.
        NotApiDocument = "NOT_API_DOCUMENT",
        /// `ERROR_CONTACT_DUPLICATED`: a contact with this e-mail exists.
        #[doc(alias = "ERROR_CONTACT_DUPLICATED")]
        ContactDuplicated = "ERROR_CONTACT_DUPLICATED",
        /// `ERROR_NO_PRODUCT_NUMBER`: no viewer licence is left.
        #[doc(alias = "ERROR_NO_PRODUCT_NUMBER")]
        NoProductNumber = "ERROR_NO_PRODUCT_NUMBER",
    }
}

impl Code {
    const fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::WrongPassword => Some(ErrorKind::Authentication),
            Self::DocumentNotFound => Some(ErrorKind::NotFound),
            Self::NotOwner | Self::NotApiDocument => Some(ErrorKind::Forbidden),
            Self::ContactDuplicated => Some(ErrorKind::Conflict),
            Self::NoProductNumber | Self::Other(_) => None,
        }
    }
}

/// A refusal of the service, behind an [`Error`]: see [`ErrorExt::refusal`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status; refusals come inside 2xx too.
    pub status: u16,
    /// The service's code, if it gave one.
    pub code: Option<Code>,
    /// What it says; the beginning of the body where it says nothing in a known place.
    pub message: String,
    /// The method of the request.
    pub method: Method,
    /// The template of its path, without query and without values.
    pub path: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.as_ref().map_or("no code", Code::as_str);
        write!(f, "{} {}: HTTP {}, {code}: {}", self.method, self.path, self.status, self.message)
    }
}

impl std::error::Error for Refusal {}

/// What this service's errors tell beyond [`Error`].
///
/// ```
/// use legale::{Code, Error, ErrorExt, ErrorKind};
///
/// let error = Error::new(ErrorKind::NotFound, "read a document").with_code("DOCUMENT_NOT_FOUND");
/// assert_eq!(error.code(), Some(Code::DocumentNotFound));
/// ```
pub trait ErrorExt {
    /// The refusal of the service, if it is one.
    fn refusal(&self) -> Option<&Refusal>;

    /// The service's code, if it gave one.
    fn code(&self) -> Option<Code>;

    /// Several lines for the vendor's support, without secrets: operation, method, path, status, code, message, request id,
    /// outcome, and at most 4 KiB of what the service answered (contract 3.8, 4.13).
    fn support_summary(&self) -> String;
}

impl ErrorExt for Error {
    fn refusal(&self) -> Option<&Refusal> {
        self.find_source()
    }

    fn code(&self) -> Option<Code> {
        self.service_code().map(Code::from_wire)
    }

    fn support_summary(&self) -> String {
        let request = self.refusal().map(|refusal| format!("{} {}", refusal.method, refusal.path));
        self.case_for_support(request, self.answer().map(shown_body))
    }
}

/// Fields whose values open something, or are a whole file.
const CLOSED: [&str; 12] = [
    "token",
    "password",
    "callback_key",
    "callback_url",
    "sign_url",
    "sign_urls",
    "url",
    "link",
    "base64",
    "file",
    "signature_key",
    "sign_status_callback_url",
];

fn shown_body(answer: &Answer) -> String {
    let text = match serde_json::from_slice::<Value>(answer.body()) {
        Ok(mut value) => {
            close(&mut value);
            value.to_string()
        }
        // Part of a good answer may hold half a secret, which nothing can find.
        Err(_) if answer.status().is_success() => format!("{} bytes that are not JSON", answer.body().len()),
        Err(_) => answer.text().into_owned(),
    };
    let cut =
        text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= BODY_PREFIX).last();
    text.get(..cut.unwrap_or_default()).unwrap_or_default().to_owned()
}

fn close(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(fields) => {
            for (key, value) in fields {
                if CLOSED.contains(&key.as_str()) {
                    *value = "[redacted]".into();
                } else {
                    close(value);
                }
            }
        }
        _ => {}
    }
}

/// What is judged: the operation, and what its answer may look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'j> {
    pub(crate) operation: &'j Operation,
    pub(crate) clock: &'j dyn Clock,
    /// An empty 2xx is a success: for deleting and approving only.
    pub(crate) may_be_empty: bool,
}

impl Judge<'_> {
    /// Judges a whole answer; `read` sees the data without its envelope.
    pub(crate) fn whole<T>(
        self,
        answer: &Answer,
        read: impl Fn(Value) -> Result<T, Unreadable>,
    ) -> Verdict<T> {
        if !answer.status().is_success() {
            return self.refused(answer);
        }
        if !answer.is_complete() {
            let error = self.error(ErrorKind::TooLarge, answer);
            return doubt(error.with_message("the answer is larger than the client's limit"));
        }
        if self.may_be_empty && answer.body().iter().all(u8::is_ascii_whitespace) {
            return self.read(Value::Null, answer, read);
        }
        let Ok(value) = answer.json::<Value>() else {
            let kind = answer.content_type().unwrap_or("no content type");
            let error = self.error(ErrorKind::UnexpectedAnswer, answer);
            return doubt(error.with_message(format!("the answer is not JSON ({kind})")));
        };
        self.value(value, answer, read)
    }

    /// Judges the JSON of a 2xx.
    pub(crate) fn value<T>(
        self,
        value: Value,
        answer: &Answer,
        read: impl Fn(Value) -> Result<T, Unreadable>,
    ) -> Verdict<T> {
        // Of a success nobody asks what it says.
        let said = value.as_object().filter(|fields| is_failure(fields)).and_then(message_of);
        match open(value) {
            Opened::Data(data) => self.read(data, answer, read),
            Opened::Failure { code } => Verdict::Refuse(self.refusal(answer, code, said)),
        }
    }

    fn read<T>(
        self,
        data: Value,
        answer: &Answer,
        read: impl Fn(Value) -> Result<T, Unreadable>,
    ) -> Verdict<T> {
        read(data).map_or_else(
            |cause| {
                let error = self.error(ErrorKind::UnexpectedAnswer, answer);
                doubt(error.with_message(cause.to_string()).with_source(cause))
            },
            Verdict::Accept,
        )
    }

    /// The table of contract 2.3 and 3.8: only 429, 502, 503 and 504 may pass.
    fn refused<T>(self, answer: &Answer) -> Verdict<T> {
        let status = answer.status();
        if status.is_redirection() {
            // The core follows it or says why not.
            return doubt(self.error(ErrorKind::UnexpectedStatus, answer));
        }
        let fields = answer.json::<Value>().ok().filter(Value::is_object);
        let fields = fields.as_ref().and_then(Value::as_object);
        let error = self.refusal(answer, fields.and_then(code_of), fields.and_then(message_of));
        Verdict::by_strict_status(status, error)
    }

    fn refusal(self, answer: &Answer, code: Option<String>, said: Option<String>) -> Error {
        let code = code.map(|code| Code::from_wire(&code));
        let kind = code.as_ref().and_then(Code::kind).unwrap_or_else(|| kind_of(answer.status()));
        let message = said.unwrap_or_else(|| excerpt(answer));
        let error = self.error(kind, answer).with_message(message.clone());
        let error = match &code {
            Some(code) => error.with_code(code.as_str()),
            None => error,
        };
        let status = answer.status().as_u16();
        let (method, path) = (self.operation.method.clone(), self.operation.path);
        error.with_source(Refusal { status, code, message, method, path })
    }

    pub(crate) fn error(self, kind: ErrorKind, answer: &Answer) -> Error {
        let wait = answer.retry_after(self.clock.wall());
        Error::new(kind, self.operation.name)
            .with_hint(advice(kind))
            .with_retry_after(wait.map(|wait| wait.min(LONGEST_WAIT)))
    }
}

fn doubt<T>(error: Error) -> Verdict<T> {
    Verdict::Doubt { error, transient: false }
}

const fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Authentication => "check key, token, or e-mail and password",
        ErrorKind::Forbidden => "use the account that owns the document, or ask for the right",
        ErrorKind::NotFound => "check the identifier and the environment; the sandbox forgets without notice",
        ErrorKind::Conflict => "read the present state again, then decide",
        ErrorKind::RateLimited => "wait, then repeat",
        ErrorKind::Refused => "read the service's message, correct, repeat",
        _ => "look at the service before repeating a call that changes something",
    }
}

/// The beginning of a body that says nothing in a known place. What came as a success may hold what a success brings: a token, links.
fn excerpt(answer: &Answer) -> String {
    if answer.status().is_success() {
        return "no reason given".to_owned();
    }
    let text: String = answer.text().trim().chars().take(256).collect();
    if text.is_empty() {
        return answer.status().canonical_reason().unwrap_or("no reason given").to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode, header};
    use integration_core::clock::ManualClock;

    use super::*;

    const READ: Operation = Operation::get("read", "/x/{id}");

    fn judged(status: u16, body: &str) -> Verdict<Value> {
        let answer = Answer::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.to_owned());
        let clock = ManualClock::new();
        Judge { operation: &READ, clock: &clock, may_be_empty: false }.whole(&answer, Ok)
    }

    fn class(verdict: &Verdict<Value>) -> (&'static str, Option<ErrorKind>) {
        match verdict {
            Verdict::Accept(_) => ("accept", None),
            Verdict::Refuse(error) => ("refuse", Some(error.kind())),
            Verdict::Unauthorized(error) => ("unauthorized", Some(error.kind())),
            Verdict::NotApplied(error) => ("again", Some(error.kind())),
            Verdict::Doubt { error, transient: true } => ("may pass", Some(error.kind())),
            Verdict::Doubt { error, .. } => ("doubt", Some(error.kind())),
            _ => ("new", None),
        }
    }

    /// Contract 2.3, 3.8, 3.9.
    #[test]
    fn every_answer_is_classified() {
        use ErrorKind::*;
        let table = [
            (200, r#"{"data":1,"code":null}"#, ("accept", None)),
            (201, "{}", ("accept", None)),
            (200, "", ("doubt", Some(UnexpectedAnswer))),
            (200, "<html>", ("doubt", Some(UnexpectedAnswer))),
            (200, r#"{"code":"DOCUMENT_NOT_FOUND","data":null}"#, ("refuse", Some(NotFound))),
            (200, r#"{"success":false,"debug":"Invalid GUID"}"#, ("refuse", Some(Refused))),
            (302, "", ("doubt", Some(UnexpectedStatus))),
            (400, r#"{"code":"DOCUMENT_NOT_FOUND"}"#, ("refuse", Some(NotFound))),
            (400, r#"{"code":"NOT_OWNER"}"#, ("refuse", Some(Forbidden))),
            (400, r#"{"code":"NOT_API_DOCUMENT"}"#, ("refuse", Some(Forbidden))),
            (400, r#"{"code":"ERROR_CONTACT_DUPLICATED"}"#, ("refuse", Some(Conflict))),
            (400, r#"{"code":"ERROR_NO_PRODUCT_NUMBER"}"#, ("refuse", Some(Refused))),
            (400, r#"{"code":"SOMETHING_NEW"}"#, ("refuse", Some(Refused))),
            (400, "<html>\u{fffd}", ("refuse", Some(Refused))),
            (401, "", ("unauthorized", Some(Authentication))),
            (403, "[]", ("refuse", Some(Forbidden))),
            (404, "<h1>no</h1>", ("refuse", Some(NotFound))),
            (408, "", ("doubt", Some(UnexpectedStatus))),
            (429, "", ("again", Some(RateLimited))),
            (500, "", ("doubt", Some(UnexpectedStatus))),
            (502, "<html>", ("may pass", Some(UnexpectedStatus))),
            (503, "", ("may pass", Some(UnexpectedStatus))),
            (504, "", ("may pass", Some(UnexpectedStatus))),
            (505, "", ("doubt", Some(UnexpectedStatus))),
        ];
        for (status, body, expected) in table {
            assert_eq!(class(&judged(status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_is_found_behind_its_error() {
        let Verdict::Refuse(error) = judged(400, r#"{"code":"NEW","detail":"no"}"#) else { panic!() };
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.status, refusal.message.as_str(), refusal.path), (400, "no", "/x/{id}"));
        assert_eq!(error.code().unwrap().as_str(), "NEW");
        assert!(!error.is_not_found());
    }

    #[test]
    fn the_summary_shows_no_link_no_key_and_at_most_4_kib() {
        let long = "x".repeat(9000);
        let body = format!(
            r#"{{"message":"no","data":null,"list":[{{"sign_url":"sentinel","callback_key":"sentinel"}}],"z":"{long}"}}"#
        );
        let answer = Answer::new(StatusCode::BAD_REQUEST, HeaderMap::new(), body);
        let summary = Error::new(ErrorKind::Refused, "read").with_answer(answer).support_summary();
        assert!(!summary.contains("sentinel") && summary.contains("400"), "{summary}");
        assert!(summary.len() < BODY_PREFIX + 200);
        let half = Answer::new(StatusCode::OK, HeaderMap::new(), r#"{"callback_key":"senti"#);
        let summary = Error::new(ErrorKind::UnexpectedAnswer, "read").with_answer(half).support_summary();
        assert!(!summary.contains("senti"), "{summary}");
    }

    #[test]
    fn a_wait_is_capped_at_two_minutes() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "900".parse().unwrap());
        let answer = Answer::new(StatusCode::TOO_MANY_REQUESTS, headers, "");
        let clock = ManualClock::new();
        let judge = Judge { operation: &READ, clock: &clock, may_be_empty: false };
        let Verdict::NotApplied(error) = judge.whole(&answer, Ok) else { panic!() };
        assert_eq!(error.retry_after(), Some(LONGEST_WAIT));
    }
}
