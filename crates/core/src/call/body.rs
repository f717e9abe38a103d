//! What a request carries: bytes, or a stream that is opened anew for every attempt.
//!
//! The rule enforced here: an announced length is exact. A stream that brings less or more is an error before its last byte
//! is handed on, so that no service ever sees a body that looks whole and is not what the caller meant.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use super::transport::{BodyStream, SendMark, TransportError, TransportErrorKind};
use crate::BoxFuture;

/// Any cause, as streams of other crates bring it.
type Cause = Box<dyn StdError + Send + Sync>;

type Open = dyn Fn() -> BoxFuture<'static, Result<BodyStream, Cause>> + Send + Sync;

/// The body of a request. Cheap to clone; its `Debug` shows no content.
///
/// ```
/// use integration_core::call::Body;
///
/// let body = Body::bytes("{}");
/// assert_eq!(body.length(), Some(2));
/// assert_eq!(format!("{body:?}"), "Body { length: Some(2), streamed: false }");
/// ```
#[derive(Clone)]
pub struct Body {
    content: Content,
    /// Of the request that carries it.
    mark: Option<SendMark>,
}

#[derive(Clone)]
enum Content {
    Bytes(Bytes),
    Stream { length: Option<u64>, open: Arc<Open> },
}

impl Body {
    const fn of(content: Content) -> Self {
        Self { content, mark: None }
    }

    /// The body as it goes with one request.
    pub(crate) fn marked(&self, mark: &SendMark) -> Self {
        Self { content: self.content.clone(), mark: Some(mark.clone()) }
    }

    /// Where a transport notes whether the request that carries the body has left.
    #[must_use]
    pub fn mark(&self) -> SendMark {
        self.mark.clone().unwrap_or_default()
    }

    /// These bytes, the same for every attempt.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::of(Content::Bytes(bytes.into()))
    }

    /// A stream that `open` begins anew for every attempt; nothing of it is kept in memory.
    ///
    /// With a `length` the request carries that `Content-Length`, and a stream of another length is an error; without one
    /// it goes out in chunks. A stream that cannot be opened means that nothing was sent; one that fails later has begun
    /// the request.
    pub fn stream<O, F, S, E, R>(length: Option<u64>, open: O) -> Self
    where
        O: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<S, E>> + Send + 'static,
        S: Stream<Item = Result<Bytes, R>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
        R: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        let open = move || -> BoxFuture<'static, Result<BodyStream, Cause>> {
            let opening = open();
            Box::pin(async move {
                let stream = opening.await.map_err(Into::into)?;
                Ok(Box::pin(Translated(Box::pin(stream))) as BodyStream)
            })
        };
        Self::of(Content::Stream { length, open: Arc::new(open) })
    }

    /// How many bytes it has, if that is known before it is read.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes.len() as u64),
            Content::Stream { length, .. } => *length,
        }
    }

    /// The bytes, unless it is a stream.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Stream { .. } => None,
        }
    }

    /// The bytes as a stream, checked against the announced length. Transports call it once per request.
    ///
    /// # Errors
    /// [`TransportErrorKind::Body`] if it cannot be opened; nothing has left then.
    pub async fn open(&self) -> Result<BodyStream, TransportError> {
        let (length, open) = match &self.content {
            Content::Bytes(bytes) => return Ok(Box::pin(Once(Some(bytes.clone())))),
            Content::Stream { length, open } => (*length, open),
        };
        let opened = open().await.map_err(|cause| {
            TransportError::unopened("the body of the request cannot be opened").with_source(cause)
        })?;
        let Some(length) = length else { return Ok(opened) };
        let mut exact: BodyStream = Box::pin(Exact::new(opened, length));
        if length == 0 {
            // Nobody polls a body of no bytes, so it is checked here.
            poll_fn(|context| exact.as_mut().poll_next(context)).await.transpose().map_err(too_long)?;
        }
        Ok(exact)
    }
}

fn too_long(cause: TransportError) -> TransportError {
    TransportError::unopened("the body of the request is not as announced").with_source(cause)
}

impl Default for Body {
    fn default() -> Self {
        Self::bytes(Bytes::new())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("length", &self.length())
            .field("streamed", &self.as_bytes().is_none())
            .finish()
    }
}

/// Bytes that are there already.
struct Once(Option<Bytes>);

impl Stream for Once {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().filter(|bytes| !bytes.is_empty()).map(Ok))
    }
}

/// A caller's stream whose errors say that the body failed, and not the network.
struct Translated<S>(Pin<Box<S>>);

impl<S, R> Stream for Translated<S>
where
    S: Stream<Item = Result<Bytes, R>>,
    R: Into<Cause>,
{
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.0.as_mut().poll_next(context)) {
                // In a body sent in chunks, a chunk of nothing is how the end is written.
                Some(Ok(piece)) if piece.is_empty() => {}
                next => return Poll::Ready(next.map(|item| item.map_err(unreadable))),
            }
        }
    }
}

fn unreadable(cause: impl Into<Cause>) -> TransportError {
    TransportError::new(TransportErrorKind::Body, "the body of the request cannot be read").with_source(cause)
}

/// A stream of an announced length.
struct Exact {
    stream: BodyStream,
    length: u64,
    read: u64,
    /// The piece that completes the length. It goes out only once the stream has proven to end there: HTTP would cut
    /// anything beyond and the service would take the beginning for the whole.
    last: Option<Bytes>,
    done: bool,
}

impl Exact {
    fn new(stream: BodyStream, length: u64) -> Self {
        Self { stream, length, read: 0, last: None, done: false }
    }

    fn mismatch(&mut self) -> TransportError {
        self.done = true;
        let (length, read) = (self.length, self.read);
        let more = if read > length { " or more" } else { "" };
        let message = format!("the body was announced with {length} bytes and has {read}{more}");
        TransportError::new(TransportErrorKind::Body, message)
    }

    /// What to hand on of a piece; `None` means to read on.
    fn take(&mut self, piece: Bytes) -> Option<Result<Bytes, TransportError>> {
        self.read = self.read.saturating_add(piece.len() as u64);
        if self.read > self.length {
            return Some(Err(self.mismatch()));
        }
        if piece.is_empty() {
            return None;
        }
        if self.read == self.length {
            self.last = Some(piece);
            return None;
        }
        Some(Ok(piece))
    }

    fn end(&mut self) -> Option<Result<Bytes, TransportError>> {
        if self.read != self.length {
            return Some(Err(self.mismatch()));
        }
        self.done = true;
        self.last.take().map(Ok)
    }
}

impl Stream for Exact {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.done {
                return Poll::Ready(None);
            }
            match ready!(self.stream.as_mut().poll_next(context)) {
                None => return Poll::Ready(self.end()),
                Some(Err(error)) => {
                    self.done = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(piece)) => {
                    if let Some(item) = self.take(piece) {
                        return Poll::Ready(Some(item));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use super::*;

    struct Pieces(VecDeque<io::Result<Bytes>>);

    impl Stream for Pieces {
        type Item = io::Result<Bytes>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn streamed(length: Option<u64>, pieces: &'static [&'static str]) -> Body {
        Body::stream(length, move || async move {
            let pieces = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
            Ok::<_, io::Error>(Pieces(pieces.collect()))
        })
    }

    /// What a transport gets of a body: everything, or what came before the error.
    async fn drained(body: &Body) -> (String, Option<String>) {
        let mut read = String::new();
        let mut stream = match body.open().await {
            Ok(stream) => stream,
            Err(error) => return (read, Some(error.to_string())),
        };
        while let Some(piece) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            match piece {
                Ok(piece) => read.push_str(std::str::from_utf8(&piece).unwrap()),
                Err(error) => return (read, Some(error.to_string())),
            }
        }
        (read, None)
    }

    #[tokio::test]
    async fn a_length_is_exact_or_an_error_before_the_last_byte() {
        type Row = (Option<u64>, &'static [&'static str], &'static str, Option<&'static str>);
        let table: [Row; 9] = [
            (Some(4), &["12", "34"], "1234", None),
            (Some(4), &["12", "", "34", ""], "1234", None),
            (None, &["12", "34"], "1234", None),
            (Some(0), &[], "", None),
            (Some(0), &["", ""], "", None),
            (Some(4), &["12"], "12", Some("announced with 4 bytes and has 2")),
            (Some(4), &["12", "34", "5"], "12", Some("announced with 4 bytes and has 5 or more")),
            (Some(4), &["12", "345"], "12", Some("announced with 4 bytes and has 5 or more")),
            (Some(0), &["1"], "", Some("not as announced")),
        ];
        for (length, pieces, read, complaint) in table {
            let body = streamed(length, pieces);
            // Twice: every attempt opens it anew.
            for _ in 0..2 {
                let (found, error) = drained(&body).await;
                assert_eq!(found, read, "{pieces:?}");
                assert_eq!(error.is_some(), complaint.is_some(), "{error:?}");
                assert!(error.unwrap_or_default().contains(complaint.unwrap_or_default()));
            }
        }
    }

    #[tokio::test]
    async fn a_body_that_cannot_be_opened_has_sent_nothing() {
        let body = Body::stream(None, || async { Err::<Pieces, _>(io::Error::other("no such file")) });
        let Err(error) = body.open().await else { panic!("it opened") };
        assert!(error.is_before_sending());
        assert_eq!(error.kind(), TransportErrorKind::Body);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no such file");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_names_its_cause() {
        let body = Body::stream(Some(10), || async {
            let pieces = [Ok(Bytes::from_static(b"12")), Err(io::Error::other("disk on fire"))];
            Ok::<_, io::Error>(Pieces(pieces.into_iter().collect()))
        });
        let mut stream = body.open().await.unwrap();
        poll_fn(|context| stream.as_mut().poll_next(context)).await.unwrap().unwrap();
        let error = poll_fn(|context| stream.as_mut().poll_next(context)).await.unwrap().unwrap_err();
        assert!(!error.is_before_sending());
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "disk on fire");
        assert!(poll_fn(|context| stream.as_mut().poll_next(context)).await.is_none());
    }
}
