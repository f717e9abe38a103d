//! One opaque error for every client: what happened, whether it took effect, and what to do next.
//!
//! The error is a box around private parts, so that adding knowledge to it is never a breaking change. Its one-line
//! `Display` carries operation, cause, status, service code, message, request id, outcome and advice; the causes stand
//! behind `source()`, and [`Error::report`] prints everything on several lines.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::call::Answer;
use crate::fault::{Fault, Severity, one_line};
use crate::outcome::Outcome;
use crate::secret::Secrets;

/// How many faults the one-line text names before it only counts the rest.
const FAULTS_IN_LINE: usize = 5;
const MESSAGE_LIMIT: usize = 300;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client is set up wrongly: base URL, environment variable, option. Mend the program's settings.
    Configuration,
    /// The input breaks rules known locally; [`Error::faults`] lists all of them. Mend the input.
    Validation,
    /// No credentials could be had from the provider that the program gave.
    Credentials,
    /// No connection could be made: name not found, refused, unreachable, no answer to the connect.
    Connect,
    /// The connection could not be secured: certificate, host name, protocol.
    Tls,
    /// A time limit passed.
    Timeout,
    /// The connection broke before the answer was complete.
    Interrupted,
    /// The service understood and refused; see [`Error::service_code`].
    Refused,
    /// The service does not accept the credentials.
    Authentication,
    /// Too many calls; see [`Error::retry_after`].
    RateLimited,
    /// The service answered with a status that does not say what happened.
    UnexpectedStatus,
    /// The service answered with something that is not what the contract describes.
    UnexpectedAnswer,
    /// The answer was larger than the client's limit.
    TooLarge,
    /// The service knows the caller and does not let it do this; other credentials or rights are needed.
    Forbidden,
    /// What the call names does not exist at the service, or not for this caller.
    NotFound,
    /// The call contradicts the present state at the service: read it again, then decide.
    Conflict,
    /// A local store, journal or file failed; see the cause.
    Store,
    /// The call is held back until something else is answered, such as an earlier call whose outcome is unknown.
    Blocked,
}

impl ErrorKind {
    const fn outcome_unless_said(self) -> Outcome {
        match self {
            Self::Configuration
            | Self::Validation
            | Self::Credentials
            | Self::Connect
            | Self::Tls
            | Self::Blocked => Outcome::NotSent,
            _ => Outcome::Unknown,
        }
    }

    const fn phrase(self) -> &'static str {
        match self {
            Self::Configuration => "the client is set up wrongly",
            Self::Validation => "the input is not valid",
            Self::Credentials => "no credentials",
            Self::Connect => "no connection",
            Self::Tls => "no secure connection",
            Self::Timeout => "a time limit passed",
            Self::Interrupted => "the connection broke",
            Self::Refused => "refused by the service",
            Self::Authentication => "the service does not accept the credentials",
            Self::RateLimited => "too many calls",
            Self::UnexpectedStatus => "unexpected status",
            Self::UnexpectedAnswer => "unexpected answer",
            Self::TooLarge => "the answer is too large",
            Self::Forbidden => "not allowed by the service",
            Self::NotFound => "not found at the service",
            Self::Conflict => "in conflict with the state at the service",
            Self::Store => "a local store failed",
            Self::Blocked => "held back",
        }
    }
}

/// Any failure of any operation.
///
/// Decide by the predicates: [`is_outcome_unknown`](Self::is_outcome_unknown) first, then
/// [`is_safe_to_repeat`](Self::is_safe_to_repeat). The error is one pointer wide, `Send`, `Sync` and `'static`, and can
/// be cloned: callers that waited for the same login share its failure.
///
/// ```
/// use integration_core::{Error, ErrorKind, Outcome};
///
/// let error = Error::new(ErrorKind::Timeout, "issue")
///     .with_outcome(Outcome::Unknown)
///     .with_hint("look the document up before issuing it again");
/// assert!(error.is_outcome_unknown() && !error.is_safe_to_repeat());
/// assert_eq!(
///     error.to_string(),
///     "issue: a time limit passed; OUTCOME UNKNOWN: it may have been applied. \
///      What to do: look the document up before issuing it again",
/// );
/// ```
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    outcome: Outcome,
    repeat_is_harmless: bool,
    status: Option<StatusCode>,
    code: Option<String>,
    message: Option<String>,
    hint: Cow<'static, str>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    attempts: u32,
    stopped_because: Option<&'static str>,
    faults: Vec<Fault>,
    answer: Option<Answer>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of an operation. Until [`with_outcome`](Self::with_outcome) says otherwise, kinds that arise before anything
    /// leaves (configuration, validation, credentials, connect, TLS) are [`Outcome::NotSent`] and all others are
    /// [`Outcome::Unknown`]: whoever forgets to say it errs on the side that does nothing twice.
    ///
    /// Public so that tests and fakes can build every error that a client may return.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            kind,
            operation: operation.into(),
            outcome: kind.outcome_unless_said(),
            repeat_is_harmless: false,
            status: None,
            code: None,
            message: None,
            hint: Cow::Borrowed(""),
            request_id: None,
            retry_after: None,
            attempts: 0,
            stopped_because: None,
            faults: Vec::new(),
            answer: None,
            source: None,
        }))
    }

    /// An error that lists what is wrong with the input.
    #[must_use]
    pub fn validation(operation: impl Into<Cow<'static, str>>, faults: Vec<Fault>) -> Self {
        let mut error = Self::new(ErrorKind::Validation, operation);
        error.0.faults = faults;
        error
    }

    /// An error of the client's settings, with advice.
    #[must_use]
    pub fn configuration(message: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Configuration, "configure").with_message(message).with_hint(hint)
    }

    /// Says whether the call took effect.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Adds the service's own code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Adds a message, the service's or ours; it is printed on one line and shortened.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// Adds how long the service asks to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Adds the answer that led to the error, with its status and request id.
    #[must_use]
    pub fn with_answer(mut self, answer: Answer) -> Self {
        self.0.status = Some(answer.status());
        self.0.request_id = answer.request_id().map(str::to_owned);
        self.0.answer = Some(answer);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// The same error in which none of `secrets` can be found, in its answer neither.
    pub(crate) fn masked(mut self, secrets: &Secrets) -> Self {
        self.0.answer = self.0.answer.take().map(|answer| answer.masked(secrets));
        self.without(secrets)
    }

    /// The same error in which none of `secrets` can be found: masked in its texts, and a cause that repeats one is
    /// withheld.
    ///
    /// The answer itself was masked before; this catches what only decoding brings to light, and what a transport or a
    /// judge put into the chain of causes.
    #[must_use]
    pub(crate) fn without(mut self, secrets: &Secrets) -> Self {
        let parts = &mut *self.0;
        for text in [&mut parts.code, &mut parts.message, &mut parts.request_id].into_iter().flatten() {
            *text = secrets.redact(text);
        }
        parts.hint = secrets.redact(&parts.hint).into();
        parts.operation = secrets.redact(&parts.operation).into();
        let faults = std::mem::take(&mut parts.faults);
        parts.faults = faults.into_iter().map(|fault| fault.masked(|text| secrets.redact(text))).collect();
        if parts.source.as_deref().is_some_and(|source| chain_shows(source, secrets)) {
            parts.source = Some(Arc::new(Withheld));
        }
        self
    }

    /// Says that the operation may be repeated whatever became of it.
    pub(crate) fn with_harmless_repeat(mut self, harmless: bool) -> Self {
        self.0.repeat_is_harmless = harmless;
        self
    }

    /// Says how often it was tried and why not once more.
    #[must_use]
    pub(crate) fn with_attempts(mut self, attempts: u32, stopped_because: Option<&'static str>) -> Self {
        self.0.attempts = attempts;
        self.0.stopped_because = stopped_because;
        self
    }

    /// Names the operation, where it was not known when the error arose.
    #[must_use]
    pub fn with_operation(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
        self.0.operation = operation.into();
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, for example `issue`.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// Whether the call took effect.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The call may have been applied.
    ///
    /// What to do: do not repeat it. Ask the service (portal, look-up, journal) what became of it.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.0.outcome == Outcome::Unknown
    }

    /// Nothing left this machine.
    ///
    /// What to do: mend what [`kind`](Self::kind) says (input, settings, network) and repeat.
    #[must_use]
    pub fn is_not_sent(&self) -> bool {
        self.0.outcome == Outcome::NotSent
    }

    /// The service answered that it did not act.
    ///
    /// What to do: read [`service_code`](Self::service_code) and the message, correct, repeat.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.0.outcome == Outcome::Refused
    }

    /// Sending the identical request again cannot apply it twice: nothing happened, or the operation is one whose repeat
    /// changes nothing more, even if the outcome is unknown. It may still fail for the same reason.
    #[must_use]
    pub fn is_safe_to_repeat(&self) -> bool {
        self.0.repeat_is_harmless || self.0.outcome.is_safe_to_repeat()
    }

    /// The input was at fault; [`faults`](Self::faults) says where.
    #[must_use]
    pub fn is_validation(&self) -> bool {
        self.0.kind == ErrorKind::Validation
    }

    /// What the call names is not there: HTTP 404, or a code of the service that means the same.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound || self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// A time limit passed. What to do: look at [`outcome`](Self::outcome) first.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Every broken rule, errors and warnings alike; empty unless the input was at fault.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// The HTTP status, if an answer came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The service's own code as it stood in the answer.
    #[must_use]
    pub fn service_code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The message of the service, or ours where it gave none.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.0.hint
    }

    /// The id under which the service knows the request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the service asks to wait before the next call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How many requests were made; 0 when the call never got so far.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Why it was not tried once more, where trying again was possible in principle.
    #[must_use]
    pub fn stopped_because(&self) -> Option<&str> {
        self.0.stopped_because
    }

    /// The raw answer, secrets masked, for support cases and journals.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        self.0.answer.as_ref()
    }

    /// Several lines for a vendor's support, one for each thing that is known: what clients show as `support_summary`. Each adds the
    /// `request` (method and path template, without values) and as much of the `answer` as may be shown: no more of it stands here.
    ///
    /// ```
    /// use integration_core::{Error, ErrorKind, Outcome};
    ///
    /// let error = Error::new(ErrorKind::Refused, "rename").with_outcome(Outcome::Refused).with_code("E7");
    /// assert_eq!(
    ///     error.case_for_support(Some("PUT /clients/{id}".into()), None),
    ///     "operation: rename\nrequest: PUT /clients/{id}\ncode: E7\noutcome: Refused\nrequests made: 0",
    /// );
    /// ```
    #[must_use]
    pub fn case_for_support(&self, request: Option<String>, answer: Option<String>) -> String {
        let rows = [
            ("operation", Some(self.operation().to_owned())),
            ("request", request),
            ("status", self.status().map(|status| status.as_u16().to_string())),
            ("code", self.service_code().map(str::to_owned)),
            ("message", self.message().map(str::to_owned)),
            ("request id", self.request_id().map(str::to_owned)),
            ("retry after", self.retry_after().map(|wait| format!("{} s", wait.as_secs()))),
            ("outcome", Some(format!("{:?}", self.outcome()))),
            ("requests made", Some(self.attempts().to_string())),
            ("answer", answer),
        ];
        let line = |(name, value): (&str, Option<String>)| value.map(|value| format!("{name}: {value}"));
        rows.into_iter().filter_map(line).collect::<Vec<_>>().join("\n")
    }

    /// The first cause of type `T` behind this error: how a client finds its own typed refusal.
    #[must_use]
    pub fn find_source<T: StdError + 'static>(&self) -> Option<&T> {
        let mut cause = self.source();
        while let Some(current) = cause {
            if let Some(found) = current.downcast_ref::<T>() {
                return Some(found);
            }
            cause = current.source();
        }
        None
    }

    /// Everything on several lines: the one-line text, every fault, every cause.
    ///
    /// ```
    /// use integration_core::{Error, Fault};
    ///
    /// let faults = vec![Fault::error("R3", "nombrecliente").with_hint("name the buyer")];
    /// let report = Error::validation("issue", faults).report().to_string();
    /// assert!(report.lines().any(|line| line == "  - error: nombrecliente [R3]: name the buyer"));
    /// ```
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        Report(self)
    }

    fn details(&self) -> Vec<String> {
        let parts = &self.0;
        let status = parts.status.map(|status| format!("HTTP {}", status.as_u16()));
        let code = parts.code.as_deref().map(|code| format!("code {}", one_line(code, 40)));
        let message = parts.message.as_deref().map(|text| format!("\"{}\"", one_line(text, MESSAGE_LIMIT)));
        let request_id = parts.request_id.as_deref().map(|id| format!("request id {}", one_line(id, 80)));
        let attempts = (parts.attempts > 1).then(|| format!("{} attempts", parts.attempts));
        let stopped = parts.stopped_because.map(str::to_owned);
        let wait = parts.retry_after.map(|wait| format!("asks to wait {} s", wait.as_secs()));
        [status, code, message, request_id, attempts, stopped, wait].into_iter().flatten().collect()
    }

    /// The faults that stopped the call; warnings are only counted, the report lists them.
    fn write_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = &self.0.faults;
        let errors = || all.iter().filter(|fault| fault.severity() == Severity::Error);
        let count = errors().count();
        write!(f, "{count} {}", if count == 1 { "fault" } else { "faults" })?;
        for (index, fault) in errors().take(FAULTS_IN_LINE).enumerate() {
            write!(f, "{} {fault}", if index == 0 { ":" } else { " |" })?;
        }
        if let Some(more) = count.checked_sub(FAULTS_IN_LINE).filter(|more| *more > 0) {
            write!(f, " | and {more} more")?;
        }
        match all.len().saturating_sub(count) {
            0 => Ok(()),
            warnings => write!(f, " ({warnings} more as warnings)"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &self.0;
        write!(f, "{}: {}", parts.operation, parts.kind.phrase())?;
        let details = self.details();
        if !details.is_empty() {
            write!(f, " ({})", details.join(", "))?;
        }
        if !parts.faults.is_empty() {
            f.write_str(", ")?;
            self.write_faults(f)?;
        }
        write!(f, "; {}", parts.outcome.sentence())?;
        if parts.hint.is_empty() { Ok(()) } else { write!(f, ". What to do: {}", parts.hint) }
    }
}

/// The report, since this is what a `main` that returns the error prints; `{:#?}` shows the parts.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return write!(f, "{}", self.report());
        }
        let parts = &self.0;
        f.debug_struct("Error")
            .field("kind", &parts.kind)
            .field("outcome", &parts.outcome)
            .field("text", &format_args!("{self}"))
            .field("faults", &parts.faults)
            .field("answer", &parts.answer)
            .field("source", &parts.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Stands for a cause that repeats a credential.
#[derive(Debug, thiserror::Error)]
#[error("a cause that repeats a credential of the call was withheld")]
struct Withheld;

/// Whether anything that can be printed of a chain of causes holds a secret.
fn chain_shows(source: &(dyn StdError + 'static), secrets: &Secrets) -> bool {
    let mut next = Some(source);
    while let Some(cause) = next {
        if secrets.any_in(&format!("{cause} {cause:?}")) {
            return true;
        }
        // `{:?}` escapes what it quotes; an error of ours holds its parts behind `Display`.
        if let Some(error) = cause.downcast_ref::<Error>()
            && error.answer().is_some_and(|answer| answer.shows(secrets))
        {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The several-line form of an [`Error`], from [`Error::report`].
#[derive(Debug)]
pub struct Report<'e>(&'e Error);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        for fault in self.0.faults() {
            let severity = if fault.severity() == Severity::Error { "error" } else { "warning" };
            write!(f, "\n  - {severity}: {fault}")?;
        }
        let mut cause = self.0.source();
        while let Some(current) = cause {
            write!(f, "\n  caused by: {}", one_line(&current.to_string(), MESSAGE_LIMIT))?;
            cause = current.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[test]
    fn is_one_pointer_wide_and_crosses_threads() {
        fn crosses<T: Send + Sync + 'static>() {}
        crosses::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn text_stays_on_one_line_whatever_the_service_says() {
        let error = Error::new(ErrorKind::Refused, "issue")
            .with_message("line one\nline two\u{1b}[31m".repeat(1000))
            .with_code("8\r\n");
        assert!(!error.to_string().contains(['\n', '\r', '\u{1b}']));
        assert!(error.to_string().len() < 800);
    }

    #[test]
    fn many_faults_are_counted_in_the_line_and_listed_in_the_report() {
        let faults = (0..8).map(|n| Fault::error("R1", format!("field{n}"))).collect();
        let error = Error::validation("issue", faults);
        assert!(error.to_string().contains("8 faults") && error.to_string().contains("and 3 more"));
        assert_eq!(error.report().to_string().lines().filter(|line| line.contains("- error")).count(), 8);
    }

    #[test]
    fn typed_causes_can_be_found() {
        let error = Error::new(ErrorKind::Refused, "issue").with_source(Inner);
        assert!(error.find_source::<Inner>().is_some());
        assert!(error.find_source::<fmt::Error>().is_none());
        assert!(error.report().to_string().contains("caused by: inner"));
    }
}
