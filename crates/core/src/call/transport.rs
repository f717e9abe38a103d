//! The seam to the HTTP library: a small trait over `http` types, so that no library type reaches a public signature.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use futures_core::Stream;

use super::body::Body;
use crate::{BoxFuture, ErrorKind};

/// Bytes as they arrive: of an answer from a service, or of a request's body from where it is kept.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Sends one request and returns the head of the answer and its body as a stream.
///
/// An implementation follows no redirect, repeats nothing, decodes no content encoding and sets no time limit of its
/// own beyond the connect: those are decided above it. It takes the body by [`Body::as_bytes`], or calls [`Body::open`] once
/// per request, before anything leaves, and passes its error on as it is. If it can tell when the first byte of a request
/// leaves, it reports that through [`Body::mark`]; without that, every failure that is not a connect failure counts as "may
/// have left". If it keeps connections, it sends a request that is marked with [`OwnConnection`] on a new one.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends `request`.
    fn send(
        &self,
        request: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>>;
}

/// Marks a request, among its [`extensions`](http::Request::extensions), that must go out on a connection of its own: every one
/// whose operation may not be repeated ([`Idempotency::Once`](crate::call::Idempotency::Once)).
///
/// A kept connection may be closing just as a request is written to it, and then nobody knows whether it arrived. What may be
/// repeated is; of what may not, the outcome would be unknown for no better reason than an idle connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnConnection;

/// What kind of failure a transport met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made. No byte of the request left.
    Connect,
    /// The connection could not be secured. No byte of the request left.
    Tls,
    /// A limit of the transport's own passed.
    Timeout,
    /// The connection broke before the answer was complete.
    Interrupted,
    /// The request's own body could not be supplied: it could not be opened or read, or is not as long as announced.
    Body,
}

impl TransportErrorKind {
    /// How the error of the call names it.
    pub(crate) const fn error_kind(self) -> ErrorKind {
        match self {
            Self::Connect => ErrorKind::Connect,
            Self::Tls => ErrorKind::Tls,
            Self::Timeout => ErrorKind::Timeout,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Body => ErrorKind::Store,
        }
    }
}

/// Why no complete answer came.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    kind: TransportErrorKind,
    message: String,
    unopened: bool,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// A failure of this kind.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), unopened: false, source: None }
    }

    /// A body that could not be opened, which is tried before anything leaves.
    pub(crate) fn unopened(message: impl Into<String>) -> Self {
        Self { unopened: true, ..Self::new(TransportErrorKind::Body, message) }
    }

    /// Adds the cause. A cause that shows a credential of the call is withheld from the error of the call.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Whether the failure came before any byte of the request could leave.
    #[must_use]
    pub fn is_before_sending(&self) -> bool {
        self.unopened || matches!(self.kind, TransportErrorKind::Connect | TransportErrorKind::Tls)
    }
}

const UNTRACKED: u8 = 0;
const WAITING: u8 = 1;
const LEFT: u8 = 2;
const BARRED: u8 = 3;

/// Remembers whether the first byte of a request may have left, even when the future that sends it is dropped.
///
/// The call loop puts one into the body of every request ([`Body::mark`]). Only a transport that called [`tracks`](Self::tracks)
/// can prove that nothing left.
#[derive(Debug, Clone, Default)]
pub struct SendMark(Arc<AtomicU8>);

impl SendMark {
    /// Says that this transport will call [`left`](Self::left) before the first byte goes out.
    pub fn tracks(&self) {
        let _ = self.0.compare_exchange(UNTRACKED, WAITING, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Says that from now on bytes may leave.
    ///
    /// A transport that can still hold the request back asks [`leave`](Self::leave) instead.
    pub fn left(&self) {
        self.0.store(LEFT, Ordering::SeqCst);
    }

    /// Asks to let the first byte out. `true`: from now on the request counts as left. `false`: the call has been given
    /// up and was reported as not sent, so not one byte may leave.
    #[must_use]
    pub fn leave(&self) -> bool {
        let moved =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| (now != BARRED).then_some(LEFT));
        moved.is_ok()
    }

    /// Gives the request up; `true` if it is proven that nothing left, and from now on nothing will.
    ///
    /// Question and bar are one step: a connection's own task may be about to write the request while the call that
    /// made it times out.
    pub(crate) fn bar(&self) -> bool {
        self.0.compare_exchange(WAITING, BARRED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            || self.nothing_left()
    }

    /// Whether it is proven that nothing left.
    #[must_use]
    pub fn nothing_left(&self) -> bool {
        matches!(self.0.load(Ordering::SeqCst), WAITING | BARRED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tracking_transport_can_prove_that_nothing_left() {
        let mark = SendMark::default();
        assert!(!mark.nothing_left());
        mark.tracks();
        assert!(mark.nothing_left());
        mark.left();
        mark.tracks();
        assert!(!mark.nothing_left());
    }

    #[test]
    fn what_is_given_up_before_it_left_cannot_leave() {
        let mark = SendMark::default();
        assert!(!mark.bar(), "an untracked request proves nothing");
        mark.tracks();
        assert!(mark.bar() && mark.bar() && mark.nothing_left());
        assert!(!mark.leave() && mark.nothing_left());
    }

    #[test]
    fn what_left_cannot_be_given_up() {
        let mark = SendMark::default();
        mark.tracks();
        assert!(mark.leave() && mark.leave());
        assert!(!mark.bar() && !mark.nothing_left());
    }
}
