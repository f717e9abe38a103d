//! What is answered, and who is told why: the sender gets a status and not a word, the owner of the receiver gets the reason.

use std::fmt;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::Error;

/// Why a request was refused.
///
/// | refusal | status | the sender |
/// |---|---|---|
/// | [`Malformed`](Self::Malformed), [`TooSlow`](Self::TooSlow) | 400 | is not to send that again |
/// | [`Unauthorized`](Self::Unauthorized) | 401 | is not who it should be |
/// | [`TooLarge`](Self::TooLarge) | 413 | |
/// | [`InProgress`](Self::InProgress), [`Failed`](Self::Failed) | 500 | is to try again |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Refusal {
    /// A secret, key or signature is missing or wrong; which one is in the text.
    Unauthorized(&'static str),
    /// More than the limit that is named.
    TooLarge(&'static str),
    /// No webhook of this service.
    Malformed(&'static str),
    /// The body did not arrive within the time limit.
    TooSlow,
    /// An equal one is being handled elsewhere, and nobody knows yet with what success.
    InProgress,
    /// An own failure: nothing was handled.
    Failed(Error),
}

impl Refusal {
    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) | Self::TooSlow => StatusCode::BAD_REQUEST,
            Self::InProgress | Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer to send: the status and no body, so that nothing is told to whoever tries.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        with(self.status())
    }
}

/// The answer to what was accepted, known before, or put off: 200 and no body.
#[must_use]
pub fn accepted() -> Response<Bytes> {
    with(StatusCode::OK)
}

fn with(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// One line, without secrets and without anything that the sender has written.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status().as_u16();
        match self {
            Self::Unauthorized(why) | Self::TooLarge(why) | Self::Malformed(why) => {
                write!(f, "{status}: {why}")
            }
            Self::TooSlow => write!(f, "{status}: the body did not arrive in time"),
            Self::InProgress => write!(f, "{status}: an equal one is being handled elsewhere"),
            Self::Failed(error) => write!(f, "{status}: {error}"),
        }
    }
}

/// A refused request, as an [`Observer`] is told of it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Refused<'r> {
    /// The route it came to, in the receiver's own words.
    pub route: &'r str,
    /// The caller's reference for the URL it came to, where URLs have references and the secret of this one was right.
    pub reference: Option<&'r str>,
    /// Why it was refused.
    pub refusal: &'r Refusal,
}

impl<'r> Refused<'r> {
    /// A request to `route` that was refused.
    #[must_use]
    pub const fn new(route: &'r str, reference: Option<&'r str>, refusal: &'r Refusal) -> Self {
        Self { route, reference, refusal }
    }
}

/// One line: the route, the reference if it is known, and the reason.
impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reference {
            Some(reference) => write!(f, "{} of {reference}: {}", self.route, self.refusal),
            None => write!(f, "{}: {}", self.route, self.refusal),
        }
    }
}

/// Is told what a receiver's answers do not say: why a request was refused, to count it, log it, or find a wrong setting.
///
/// Called while the sender waits: be quick, and do not block. Closures are observers.
///
/// ```
/// use integration_core::body::webhook::{Observer, Refusal, Refused};
///
/// let log = |refused: &Refused<'_>| eprintln!("refused {refused}");
/// let refusal = Refusal::Unauthorized("the secret of the URL is wrong");
/// log.refused(&Refused::new("client", None, &refusal)); // refused client: 401: the secret of the URL is wrong
/// ```
pub trait Observer: Send + Sync {
    /// A request was refused.
    fn refused(&self, refused: &Refused<'_>);

    /// A callback was handled and answered with 200, but the guard could not write that down: should it come again, it is
    /// handled again. `key` is the guard's. Does nothing unless it is overridden.
    fn unrecorded(&self, key: &str, error: &Error) {
        let _ = (key, error);
    }
}

impl<F: Fn(&Refused<'_>) + Send + Sync> Observer for F {
    fn refused(&self, refused: &Refused<'_>) {
        self(refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// Contracts legale 4.6 and sugester 4.6: 200, 400, 401, 413, 500 and nothing else.
    #[test]
    fn every_refusal_has_its_status_and_no_body() {
        let failed = Error::new(ErrorKind::Store, "remember");
        for (refusal, status) in [
            (Refusal::Unauthorized("x"), 401),
            (Refusal::TooLarge("x"), 413),
            (Refusal::Malformed("x"), 400),
            (Refusal::TooSlow, 400),
            (Refusal::InProgress, 500),
            (Refusal::Failed(failed), 500),
        ] {
            let response = refusal.to_response();
            assert_eq!((response.status().as_u16(), response.body().len()), (status, 0), "{refusal}");
            assert!(refusal.to_string().starts_with(&format!("{status}: ")));
        }
        assert_eq!(accepted().status(), 200);
    }

    #[test]
    fn a_refused_request_is_one_line() {
        let refusal = Refusal::Malformed("the body is no JSON");
        let line = |reference| Refused::new("document", reference, &refusal).to_string();
        assert_eq!(line(None), "document: 400: the body is no JSON");
        assert_eq!(line(Some("r-1")), "document of r-1: 400: the body is no JSON");
    }
}
