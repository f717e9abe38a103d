//! What can go wrong beyond the core's error, as typed causes (contract 3.8), and how an answer becomes a verdict (2.3, 3.7).
//!
//! The rules enforced here: an unexpected shape is an error and never an empty result; a refusal inside a 2xx is a refusal; an error
//! names route, status and top-level keys, and repeats no value of an answer that succeeded.

use std::fmt;

use integration_core::call::Verdict;
use integration_core::call::verdict::kind_of;
use integration_core::clock::Clock;
use integration_core::{Answer, Error, ErrorKind, Outcome};
use serde_json::Value;

use crate::wire::{self, Refused};

/// How many top-level keys an error names, and how much of each.
const KEYS: usize = 20;
const KEY_LENGTH: usize = 40;

/// Why rows moved while they were read (contract 4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drift {
    /// The total is not what the first page said.
    Total {
        /// What follows from the first page.
        expected: u64,
        /// What was said.
        found: u64,
    },
    /// More rows came than there are.
    TooMany {
        /// How many there are.
        total: u64,
        /// How many came.
        collected: u64,
    },
    /// A `fid` came that is not greater than the one before it.
    NotRising {
        /// The one before.
        after: u64,
        /// The one that came.
        found: u64,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total { expected, found } => write!(f, "the total is {found} instead of {expected}"),
            Self::TooMany { total, collected } => write!(f, "{collected} rows came of {total}"),
            Self::NotRising { after, found } => write!(f, "fid {found} came after {after}"),
        }
    }
}

/// The cause behind an [`Error`], where the core's kind does not say enough: see [`ErrorExt::problem`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The login was answered with 200 and without a token.
    #[error("the login was answered without a token")]
    LoginShape,
    /// A status that is no success and no refusal in words.
    #[error("{route}: HTTP {status}")]
    Http {
        /// Method and path.
        route: String,
        /// The status.
        status: u16,
    },
    /// A success that is no JSON, a login page most likely.
    #[error("{route}: the answer is not JSON ({})", content_type.as_deref().unwrap_or("no content type"))]
    UnexpectedContentType {
        /// Method and path.
        route: String,
        /// What the answer calls itself.
        content_type: Option<String>,
    },
    /// JSON of another shape.
    #[error("{route}: {reason}; top-level keys: {}", shown(keys))]
    UnexpectedShape {
        /// Method and path.
        route: String,
        /// The top-level keys, not the values.
        keys: Vec<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// The service says no, be it with 200.
    #[error("{route}: refused with HTTP {status}{}: {message}", code.as_ref().map(|code| format!(", {code}")).unwrap_or_default())]
    ApiRefused {
        /// Method and path.
        route: String,
        /// The HTTP status.
        status: u16,
        /// The service's code, if it gave one.
        code: Option<String>,
        /// The service's text.
        message: String,
    },
    /// Columns that the feature does not have.
    #[error("{route}: {}", unknown(columns))]
    ColumnUnknown {
        /// Method and path.
        route: String,
        /// The names as they were given; none if no column was asked for.
        columns: Vec<String>,
    },
    /// Two columns, or two keys of a row, that differ in case at most.
    #[error("{route}: `{column}` is there twice")]
    AmbiguousColumn {
        /// Method and path.
        route: String,
        /// The name.
        column: String,
    },
    /// A filter that cannot be sent.
    #[error("the filter cannot be sent: {reason}")]
    FilterInvalid {
        /// Why.
        reason: String,
    },
    /// `get` brought another element than the one asked for.
    #[error("{route}: fid {asked} was asked for and {found} came")]
    WrongRecord {
        /// Method and path.
        route: String,
        /// The one asked for.
        asked: u64,
        /// The one that came.
        found: u64,
    },
    /// A single row that cannot be read, where it is all there is.
    #[error("{route}: {row}")]
    RowUnreadable {
        /// Method and path.
        route: String,
        /// What is wrong with it.
        row: crate::record::RowError,
    },
    /// Rows went on moving while they were read, after as many restarts.
    #[error("{route}: rows moved while they were read, after {restarts} restarts too: {drift}")]
    PageDrift {
        /// Method and path.
        route: String,
        /// How often reading was begun again.
        restarts: u32,
        /// The last breach.
        drift: Drift,
    },
    /// A list that ended before all of its rows had come.
    #[error("{route}: the list ended after {collected} of {total} rows")]
    Incomplete {
        /// Method and path.
        route: String,
        /// How many came.
        collected: u64,
        /// How many there are.
        total: u64,
    },
    /// A document that is not valid where a valid one is needed.
    #[error("the document is not valid: {0}")]
    Document(integration_core::tax::id::IdError),
}

fn unknown(columns: &[String]) -> String {
    if columns.is_empty() {
        return "no columns were asked for".to_owned();
    }
    format!("there is no column {}", columns.join(", "))
}

fn shown(keys: &[String]) -> String {
    if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
}

/// What this service's errors tell beyond [`Error`].
///
/// ```
/// use geosite::{Error, ErrorExt, ErrorKind, Problem};
///
/// fn is_gone_for_good(error: &Error) -> bool {
///     matches!(error.problem(), Some(Problem::ColumnUnknown { .. } | Problem::ApiRefused { .. }))
/// }
/// # assert!(!is_gone_for_good(&Error::new(ErrorKind::Timeout, "list")));
/// ```
pub trait ErrorExt {
    /// The typed cause, if there is one.
    fn problem(&self) -> Option<&Problem>;

    /// Whether the same call may well succeed later, without anybody changing anything.
    fn retry_may_help(&self) -> bool;
}

impl ErrorExt for Error {
    fn problem(&self) -> Option<&Problem> {
        self.find_source()
    }

    fn retry_may_help(&self) -> bool {
        match self.problem() {
            Some(Problem::PageDrift { .. } | Problem::Incomplete { .. }) => true,
            Some(Problem::Http { status, .. }) => matches!(status, 408 | 429 | 500..),
            Some(_) => false,
            None => matches!(
                self.kind(),
                ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Interrupted | ErrorKind::RateLimited
            ),
        }
    }
}

impl Problem {
    pub(crate) const fn kind(&self) -> ErrorKind {
        match self {
            Self::LoginShape => ErrorKind::Authentication,
            Self::Http { .. } => ErrorKind::UnexpectedStatus,
            Self::ApiRefused { .. } => ErrorKind::Refused,
            Self::ColumnUnknown { .. } | Self::FilterInvalid { .. } | Self::Document(_) => {
                ErrorKind::Validation
            }
            _ => ErrorKind::UnexpectedAnswer,
        }
    }

    const fn advice(&self) -> &'static str {
        match self {
            Self::LoginShape => "check the address: a login there brings no token",
            Self::Http { status: 401 | 403, .. } => {
                "check user name and password, and what this account may do"
            }
            Self::Http { status: 404 | 405, .. } => {
                "check the base URL: it is the `api_url` as it was handed out, with its path and nothing after it"
            }
            Self::Http { status: 300..=399, .. } => {
                "check the base URL: the service sends elsewhere, which is not followed"
            }
            Self::Http { status: 408 | 429 | 500.., .. } => {
                "repeat it later; if it stays, ask whoever runs the service"
            }
            Self::Http { .. } => "look at the status, correct, repeat",
            Self::UnexpectedContentType { .. } => {
                "check the address: a page for people answered, a login page most likely"
            }
            Self::UnexpectedShape { .. } | Self::WrongRecord { .. } | Self::RowUnreadable { .. } => {
                "compare with the contract; nothing was taken for empty"
            }
            Self::ApiRefused { .. } => "read the service's text, correct, repeat",
            Self::ColumnUnknown { .. } => "see `schema` for the columns that there are",
            Self::AmbiguousColumn { .. } => "ask for other columns, or have the installation mended",
            Self::FilterInvalid { .. } => "correct the filter; nothing was sent",
            Self::PageDrift { .. } => "read it again when fewer people work on the network",
            Self::Incomplete { .. } => "read it again; nothing may be deleted after this",
            Self::Document(_) => "correct the number; nothing was sent",
        }
    }

    /// The error of an operation that reads.
    pub(crate) fn error(self, operation: &'static str) -> Error {
        let outcome = match self.kind() {
            ErrorKind::Validation => Outcome::NotSent,
            ErrorKind::Refused | ErrorKind::Authentication => Outcome::Refused,
            _ => Outcome::ReadOnly,
        };
        let error = Error::new(self.kind(), operation).with_outcome(outcome).with_hint(self.advice());
        let error = match &self {
            Self::ApiRefused { code: Some(code), .. } => error.with_code(code),
            _ => error,
        };
        error.with_message(self.to_string()).with_source(self)
    }
}

/// The top-level keys of an answer, as many as an error names.
pub(crate) fn keys<'k>(names: impl Iterator<Item = &'k str>) -> Vec<String> {
    names.take(KEYS).map(|name| name.chars().take(KEY_LENGTH).collect()).collect()
}

pub(crate) fn keys_of(value: &Value) -> Vec<String> {
    keys(value.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str)))
}

/// What is judged: method and path, and whose clock.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) operation: &'static str,
    /// Method and path, without the query.
    pub(crate) text: String,
}

impl Route {
    pub(crate) fn shape(&self, keys: Vec<String>, reason: impl Into<String>) -> Problem {
        Problem::UnexpectedShape { route: self.text.clone(), keys, reason: reason.into() }
    }

    pub(crate) fn error(&self, problem: Problem) -> Error {
        problem.error(self.operation)
    }

    /// Judges a whole answer; `read` sees JSON that is no refusal.
    pub(crate) fn whole<T>(
        &self,
        answer: &Answer,
        clock: &dyn Clock,
        read: impl Fn(Value) -> Result<T, Problem>,
    ) -> Verdict<T> {
        if !answer.status().is_success() {
            return self.refused(answer, clock);
        }
        match self.json(answer).and_then(|value| self.accepted(value, answer)).and_then(read) {
            Ok(value) => Verdict::Accept(value),
            Err(problem @ Problem::ApiRefused { .. }) => Verdict::Refuse(self.error(problem)),
            Err(problem) => self.doubt(problem),
        }
    }

    pub(crate) fn doubt<T>(&self, problem: Problem) -> Verdict<T> {
        Verdict::Doubt { error: self.error(problem), transient: false }
    }

    /// R2: what a 2xx holds.
    pub(crate) fn json(&self, answer: &Answer) -> Result<Value, Problem> {
        if !answer.is_complete() {
            return Err(self.shape(Vec::new(), "the answer is larger than the client's limit"));
        }
        match answer.json::<Value>() {
            Ok(Value::Null) => Err(self.shape(Vec::new(), "the answer is `null`")),
            Ok(value) => Ok(value),
            Err(_) => Err(self.unread(answer)),
        }
    }

    pub(crate) fn unread(&self, answer: &Answer) -> Problem {
        let first = answer.body().iter().find(|byte| !byte.is_ascii_whitespace());
        match first {
            None => self.shape(Vec::new(), "the answer is empty"),
            Some(b'{' | b'[' | b'"') => self.shape(Vec::new(), "the answer is broken JSON, or half of it"),
            Some(_) => self.content_type(answer),
        }
    }

    pub(crate) fn content_type(&self, answer: &Answer) -> Problem {
        let content_type = answer.content_type().and_then(|text| text.split(';').next()).map(str::to_owned);
        Problem::UnexpectedContentType { route: self.text.clone(), content_type }
    }

    /// R3: a refusal inside a success.
    fn accepted(&self, value: Value, answer: &Answer) -> Result<Value, Problem> {
        match value.as_object().and_then(wire::inner_refusal) {
            Some(refused) => Err(self.api_refused(answer, refused)),
            None => Ok(value),
        }
    }

    pub(crate) fn api_refused(&self, answer: &Answer, refused: Refused) -> Problem {
        let status = answer.status().as_u16();
        let Refused { code, message } = refused;
        let message = message.unwrap_or_else(|| "no reason given".to_owned());
        Problem::ApiRefused { route: self.text.clone(), status, code, message }
    }

    /// Contract 2.3: 429, 502, 503 and 504 may pass.
    pub(crate) fn refused<T>(&self, answer: &Answer, clock: &dyn Clock) -> Verdict<T> {
        Verdict::by_strict_status(answer.status(), self.refusal(answer, clock))
    }

    fn refusal(&self, answer: &Answer, clock: &dyn Clock) -> Error {
        let status = answer.status();
        let fields = answer.json::<Value>().ok();
        let said = fields.as_ref().and_then(Value::as_object).map(wire::refusal);
        let problem = match said {
            Some(refused) if status.is_client_error() => self.api_refused(answer, refused),
            _ => Problem::Http { route: self.text.clone(), status: status.as_u16() },
        };
        let error = Error::new(kind_of(status), self.operation);
        let error = error.with_message(problem.to_string()).with_hint(problem.advice());
        let error = match &problem {
            Problem::ApiRefused { code: Some(code), .. } => error.with_code(code),
            _ => error,
        };
        error.with_retry_after(answer.retry_after(clock.wall())).with_source(problem)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use integration_core::clock::ManualClock;

    use super::*;

    fn judged(status: u16, body: &str) -> Verdict<Value> {
        let route = Route { operation: "read", text: "GET /x".into() };
        let answer = Answer::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.to_owned());
        route.whole(&answer, &ManualClock::new(), Ok)
    }

    fn class(verdict: &Verdict<Value>) -> (&'static str, &'static str) {
        let name = |error: &Error| match error.problem() {
            Some(Problem::Http { .. }) => "http",
            Some(Problem::UnexpectedContentType { .. }) => "content type",
            Some(Problem::UnexpectedShape { .. }) => "shape",
            Some(Problem::ApiRefused { .. }) => "refused",
            _ => "other",
        };
        match verdict {
            Verdict::Accept(_) => ("accept", ""),
            Verdict::Refuse(error) => ("refuse", name(error)),
            Verdict::Unauthorized(error) => ("unauthorized", name(error)),
            Verdict::NotApplied(error) => ("again", name(error)),
            Verdict::Doubt { error, transient: true } => ("may pass", name(error)),
            Verdict::Doubt { error, .. } => ("doubt", name(error)),
            _ => ("new", ""),
        }
    }

    #[test]
    fn a_status_says_what_to_do() {
        let hint = |status: u16| match judged(status, "") {
            Verdict::Refuse(error) | Verdict::Unauthorized(error) | Verdict::Doubt { error, .. } => {
                error.hint().to_owned()
            }
            _ => panic!("{status}"),
        };
        for (status, word) in
            [(401, "password"), (403, "account"), (404, "api_url"), (302, "elsewhere"), (500, "later")]
        {
            assert!(hint(status).contains(word), "{status}: {}", hint(status));
        }
    }

    /// Contract 2.3, R1 to R3.
    #[test]
    fn every_answer_is_classified() {
        for (status, body, expected) in [
            (200, r#"{"success":"true","a":1}"#, ("accept", "")),
            (200, r#"{"success":true,"error":null,"erro":"","status":200}"#, ("accept", "")),
            (200, r#"{"success":1,"error":false}"#, ("accept", "")),
            (200, "[]", ("accept", "")),
            (200, "", ("doubt", "shape")),
            (200, " \n", ("doubt", "shape")),
            (200, "null", ("doubt", "shape")),
            (200, r#"{"a":[1,"#, ("doubt", "shape")),
            (200, "<html><form>", ("doubt", "content type")),
            (200, "Sessão expirada", ("doubt", "content type")),
            (200, r#"{"success":false}"#, ("refuse", "refused")),
            (200, r#"{"success":"false","records":[]}"#, ("refuse", "refused")),
            (200, r#"{"success":0}"#, ("refuse", "refused")),
            (200, r#"{"success":"0"}"#, ("refuse", "refused")),
            (200, r#"{"status":500}"#, ("refuse", "refused")),
            (200, r#"{"statusCode":"404"}"#, ("refuse", "refused")),
            (200, r#"{"code":400}"#, ("refuse", "refused")),
            (200, r#"{"error":"x"}"#, ("refuse", "refused")),
            (200, r#"{"erro":true}"#, ("refuse", "refused")),
            (400, r#"{"codigo":"X"}"#, ("refuse", "refused")),
            (400, "<html>", ("refuse", "http")),
            (401, "", ("unauthorized", "http")),
            (403, "", ("refuse", "http")),
            (404, "", ("refuse", "http")),
            (408, "", ("doubt", "http")),
            (422, "{}", ("refuse", "refused")),
            (429, "", ("again", "http")),
            (500, "{}", ("doubt", "http")),
            (502, "", ("may pass", "http")),
            (503, "", ("may pass", "http")),
            (504, "", ("may pass", "http")),
            (302, "", ("doubt", "http")),
        ] {
            assert_eq!(class(&judged(status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn errors_name_route_and_keys_and_no_value() {
        let route = Route { operation: "read", text: "GET /cto/list".into() };
        let value = serde_json::json!({"rows": ["sentinel"], "x": "sentinel"});
        let error = route.error(route.shape(keys_of(&value), "there is no list at `records`"));
        let text = format!("{error} {error:?} {}", error.report());
        assert!(text.contains("GET /cto/list") && text.contains("rows, x"), "{text}");
        assert!(!text.contains("sentinel"));
    }

    #[test]
    fn the_text_of_a_refusal_is_told() {
        let Verdict::Refuse(error) = judged(200, r#"{"success":"false","mensagem":"não","codigo":"N1"}"#)
        else {
            panic!()
        };
        assert_eq!(error.service_code(), Some("N1"));
        assert!(error.to_string().contains("não"), "{error}");
        assert!(!error.retry_may_help());
    }
}
