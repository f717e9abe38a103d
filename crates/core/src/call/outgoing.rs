//! The body of a request as hyper asks for it, and the causes behind an error of hyper's: what both built-in transports share.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::body::Body;
use super::transport::{BodyStream, SendMark, TransportError};

/// What makes hyper drop the connection in the middle of a request, be its head still in the queue or gone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("the call was given up before anything was sent")]
    GivenUp,
    #[error("{0}")]
    Body(#[source] Arc<TransportError>),
}

/// A body that notes when it is first asked for: hyper asks after queueing the head and before writing any of it.
pub(crate) struct Outgoing {
    content: Content,
    /// How many bytes are still to come, if that is known.
    left: Option<u64>,
    /// Nothing where the connection itself notes it.
    mark: Option<SendMark>,
}

enum Content {
    /// Empty once it has been handed on.
    Bytes(Bytes),
    /// Never locked: it only makes the stream fit for a library that asks for `Sync`.
    Stream(Mutex<BodyStream>),
}

impl Outgoing {
    /// `body`, opened; nothing leaves if it cannot be.
    pub(crate) async fn of(body: &Body) -> Result<Self, TransportError> {
        let content = match body.as_bytes() {
            Some(bytes) => Content::Bytes(bytes.clone()),
            None => Content::Stream(Mutex::new(body.open().await?)),
        };
        Ok(Self { content, left: body.length(), mark: None })
    }

    /// The same, noting in `mark` when it is asked for.
    #[cfg(feature = "reqwest")]
    pub(crate) fn noting(self, mark: SendMark) -> Self {
        Self { mark: Some(mark), ..self }
    }
}

impl Content {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        match self {
            Self::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Self::Stream(stream) => {
                stream.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(context)
            }
        }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.mark.as_ref().is_some_and(|mark| !mark.leave()) {
            return Poll::Ready(Some(Err(Stopped::GivenUp)));
        }
        match std::task::ready!(self.content.poll_next(context)) {
            None => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(Stopped::Body(Arc::new(error))))),
            Some(Ok(bytes)) => {
                self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The first cause of type `T` behind an error of a library.
pub(crate) fn find<'e, T: StdError + 'static>(cause: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(cause);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        next = inner(current);
    }
    None
}

/// What an error wraps. `source()` of an `io::Error` skips the error inside it, and connectors nest several of them.
fn inner<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    match error.downcast_ref::<std::io::Error>() {
        Some(wrapper) => wrapper.get_ref().map(|wrapped| wrapped as &(dyn StdError + 'static)),
        None => error.source(),
    }
}
