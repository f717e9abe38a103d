//! What an answer means, as a service's judge sees it, and the tables that services share.

use http::StatusCode;
use serde::de::DeserializeOwned;

use super::answer::Answer;
use crate::{Error, ErrorKind};

/// What an answer means.
///
/// A judge sees the answer as it came. Unless it accepts, the answer is masked and judged once more, so that nothing in the
/// error of the call shows a secret; the verdict's class is that of the first time. A judge therefore has no side effects.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict<T> {
    /// Done as asked; this is what came back.
    Accept(T),
    /// The service did not act, for good.
    Refuse(Error),
    /// The service did not act because of the credentials: they are renewed once, if they can be.
    Unauthorized(Error),
    /// The service did not act and may be asked again.
    NotApplied(Error),
    /// The service may have acted. `transient`: the cause may pass.
    Doubt {
        /// What the caller is told.
        error: Error,
        /// Whether the cause may pass.
        transient: bool,
    },
}

impl<T> Verdict<T> {
    /// The table from statuses to verdicts, for an answer that is no usable success.
    ///
    /// | status | verdict | kind |
    /// |---|---|---|
    /// | 401 | `Unauthorized` | `Authentication` |
    /// | 403 | `Refuse` | `Forbidden` |
    /// | 404, 410 | `Refuse` | `NotFound` |
    /// | 409, 412 | `Refuse` | `Conflict` |
    /// | 429 | `NotApplied` | `RateLimited` |
    /// | other 4xx | `Refuse` | `Refused` |
    /// | 408, 5xx | `Doubt`, may pass | `UnexpectedStatus` |
    /// | 1xx, 3xx | `Doubt` | `UnexpectedStatus` |
    /// | 2xx | `Doubt` | `UnexpectedAnswer`, `TooLarge` |
    ///
    /// A service with other rows matches them first. `describe` adds what the service says: code, message, a typed cause.
    ///
    /// ```
    /// use integration_core::Answer;
    /// use integration_core::call::Verdict;
    ///
    /// fn judge(answer: &Answer) -> Verdict<String> {
    ///     match answer.status().as_u16() {
    ///         200 => Verdict::Accept(answer.text().into_owned()),
    ///         _ => Verdict::by_status(answer, |error| error.with_message(answer.text())),
    ///     }
    /// }
    /// # let gone = Answer::new(http::StatusCode::GONE, http::HeaderMap::new(), "gone");
    /// # assert!(matches!(judge(&gone), Verdict::Refuse(error) if error.message() == Some("gone")));
    /// ```
    pub fn by_status(answer: &Answer, describe: impl FnOnce(Error) -> Error) -> Self {
        let status = answer.status();
        let kind = if status.is_success() { unusable(answer) } else { kind_of(status) };
        let error = describe(error(kind, answer));
        match status.as_u16() {
            408 | 500.. => Self::Doubt { error, transient: true },
            _ => Self::by_strict_status(status, error),
        }
    }

    /// The stricter table, for services of which only 429, 502, 503 and 504 are known to pass. `error` is what the judge has
    /// made of the answer, with its kind by [`kind_of`] or by what the service says.
    ///
    /// | status | verdict |
    /// |---|---|
    /// | 401 | `Unauthorized` |
    /// | 429 | `NotApplied` |
    /// | 502, 503, 504 | `Doubt`, may pass |
    /// | 408, other 5xx | `Doubt` |
    /// | other 4xx | `Refuse` |
    /// | 1xx, 2xx, 3xx | `Doubt` |
    ///
    /// ```
    /// use integration_core::call::{Verdict, verdict::kind_of};
    /// use integration_core::{Answer, Error};
    ///
    /// fn judge(answer: &Answer) -> Verdict<String> {
    ///     if answer.status().is_success() {
    ///         return Verdict::Accept(answer.text().into_owned());
    ///     }
    ///     let error = Error::new(kind_of(answer.status()), "read").with_message(answer.text());
    ///     Verdict::by_strict_status(answer.status(), error)
    /// }
    /// # let broken = Answer::new(http::StatusCode::INTERNAL_SERVER_ERROR, http::HeaderMap::new(), "");
    /// # assert!(matches!(judge(&broken), Verdict::Doubt { transient: false, .. }));
    /// ```
    #[must_use]
    pub fn by_strict_status(status: StatusCode, error: Error) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized(error),
            429 => Self::NotApplied(error),
            502..=504 => Self::Doubt { error, transient: true },
            408 | 500.. | ..=399 => Self::Doubt { error, transient: false },
            _ => Self::Refuse(error),
        }
    }

    /// A 2xx is decoded as JSON, everything else goes by [`by_status`](Self::by_status): for services without an envelope. A
    /// success that cannot be read is in doubt, since the service has acted.
    pub fn from_json(answer: &Answer, describe: impl FnOnce(Error) -> Error) -> Self
    where
        T: DeserializeOwned,
    {
        if !answer.status().is_success() {
            return Self::by_status(answer, describe);
        }
        match answer.json() {
            Ok(value) => Self::Accept(value),
            Err(error) => Self::Doubt { error: describe(error), transient: false },
        }
    }

    /// The error of a verdict that is not [`Accept`](Self::Accept).
    pub(crate) fn into_error(self) -> Option<Error> {
        match self {
            Self::Accept(_) => None,
            Self::Refuse(error) | Self::Unauthorized(error) | Self::NotApplied(error) => Some(error),
            Self::Doubt { error, .. } => Some(error),
        }
    }
}

impl Verdict<()> {
    /// Every 2xx will do, whatever is in it: for operations that bring nothing back, and for the heads of downloads.
    pub fn success(answer: &Answer) -> Self {
        if answer.status().is_success() {
            return Self::Accept(());
        }
        Self::by_status(answer, |error| error)
    }
}

/// The kind of a refusal with this status, where what the service says tells nothing better. A refusal inside a 2xx is
/// [`Refused`](ErrorKind::Refused) as most are; [`by_status`](Verdict::by_status) lists the others.
#[must_use]
pub fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::Authentication,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        429 => ErrorKind::RateLimited,
        200..=299 | 400..=407 | 411..=499 => ErrorKind::Refused,
        _ => ErrorKind::UnexpectedStatus,
    }
}

fn unusable(answer: &Answer) -> ErrorKind {
    if answer.is_complete() { ErrorKind::UnexpectedAnswer } else { ErrorKind::TooLarge }
}

fn error(kind: ErrorKind, answer: &Answer) -> Error {
    Error::new(kind, "judge the answer").with_message(reason(answer.status())).with_hint(advice(kind))
}

fn reason(status: StatusCode) -> &'static str {
    if status.is_redirection() {
        return "a redirect that was not followed";
    }
    status.canonical_reason().unwrap_or("an unusual status")
}

const fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Authentication => "check the credentials: the service does not accept them",
        ErrorKind::Forbidden => "ask for the right to do this, or use other credentials",
        ErrorKind::NotFound => "check the identifier and the base URL",
        ErrorKind::Conflict => "read the present state again, then decide",
        ErrorKind::RateLimited => "wait, then repeat",
        ErrorKind::Refused => "read the service's message, correct, repeat",
        _ => "look at the service before repeating a call that changes something",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn class(verdict: &Verdict<u8>) -> (&'static str, Option<ErrorKind>) {
        match verdict {
            Verdict::Accept(_) => ("accept", None),
            Verdict::Refuse(error) => ("refuse", Some(error.kind())),
            Verdict::Unauthorized(error) => ("unauthorized", Some(error.kind())),
            Verdict::NotApplied(error) => ("not applied", Some(error.kind())),
            Verdict::Doubt { error, transient: true } => ("may pass", Some(error.kind())),
            Verdict::Doubt { error, .. } => ("doubt", Some(error.kind())),
        }
    }

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body)
    }

    #[test]
    fn every_status_has_its_row() {
        use ErrorKind::*;
        for status in 100..=999 {
            let expected = match status {
                401 => ("unauthorized", Authentication),
                403 => ("refuse", Forbidden),
                404 | 410 => ("refuse", NotFound),
                409 | 412 => ("refuse", Conflict),
                429 => ("not applied", RateLimited),
                408 => ("may pass", UnexpectedStatus),
                200..=299 => ("doubt", UnexpectedAnswer),
                100..=399 => ("doubt", UnexpectedStatus),
                400..=499 => ("refuse", Refused),
                _ => ("may pass", UnexpectedStatus),
            };
            let verdict = Verdict::by_status(&answer(status, ""), |error| error);
            assert_eq!(class(&verdict), (expected.0, Some(expected.1)), "{status}");
        }
    }

    /// As the contracts `legale` 2.3, `sugester` 2.4 and `geosite` 2.3 have it.
    #[test]
    fn by_the_stricter_table_four_statuses_may_pass() {
        for status in 100..=999 {
            let expected = match status {
                401 => "unauthorized",
                429 => "not applied",
                502 | 503 | 504 => "may pass",
                408 => "doubt",
                400..=499 => "refuse",
                _ => "doubt",
            };
            let status = StatusCode::from_u16(status).unwrap();
            let verdict = Verdict::by_strict_status(status, Error::new(kind_of(status), "read"));
            assert_eq!(class(&verdict).0, expected, "{status}");
        }
    }

    #[test]
    fn a_refusal_inside_a_success_is_one() {
        assert_eq!(kind_of(StatusCode::OK), ErrorKind::Refused);
        assert_eq!(kind_of(StatusCode::FOUND), ErrorKind::UnexpectedStatus);
        assert_eq!(kind_of(StatusCode::SWITCHING_PROTOCOLS), ErrorKind::UnexpectedStatus);
    }

    #[test]
    fn a_success_that_cannot_be_read_is_in_doubt() {
        let judge = |status, body| class(&Verdict::from_json(&answer(status, body), |error| error));
        assert_eq!(judge(200, "7"), ("accept", None));
        assert_eq!(judge(200, "<html>"), ("doubt", Some(ErrorKind::UnexpectedAnswer)));
        assert_eq!(judge(204, ""), ("doubt", Some(ErrorKind::UnexpectedAnswer)));
        assert_eq!(judge(404, "7"), ("refuse", Some(ErrorKind::NotFound)));
    }
}
