//! Answers that are read as they arrive: to a writer, or piece by piece.
//!
//! The rules enforced here: memory does not grow with the body, a body has a limit in bytes, and it is bounded in time twice,
//! by a limit for every pause between two pieces (a stalled server) and by the deadline of the call (one that drips). Both are the
//! server's time: while whoever reads is busy with what came, they stand still.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::header;
use tokio::io::AsyncWrite;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::Answer;
use super::client::Caller;
use super::intake::{Intake, NotTaken};
use super::operation::Call;
use super::run::{Done, lost, lost_hint};
use super::transport::{BodyStream, TransportError};
use crate::clock::Clock;
use crate::secret::Secrets;
use crate::{BoxFuture, Error, ErrorKind, Outcome};

const IDLE: Duration = Duration::from_secs(30);

/// An accepted answer whose body is still to be read.
#[derive(Debug)]
#[must_use = "the body is still to be read"]
pub struct Streamed<T> {
    value: T,
    head: Answer,
    body: AnswerStream,
}

/// What a download brought.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Downloaded<T> {
    /// What the judge made of the head.
    pub value: T,
    /// Status and headers.
    pub head: Answer,
    /// How many bytes were written.
    pub length: u64,
    /// Their SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl<T> Streamed<T> {
    pub(crate) fn of(caller: &Caller, call: &Call, limit: u64, done: Done<T>) -> Result<Self, Error> {
        let about = About { operation: call.name(), outcome: lost(call), hint: lost_hint(call) };
        if announced(&done.answer).is_some_and(|length| length > limit) {
            return Err(about.too_large(limit).with_answer(done.answer.masked(&done.secrets)));
        }
        let Some(body) = done.body else {
            return Err(about.error(ErrorKind::UnexpectedAnswer, "the answer has no body to stream"));
        };
        let body = AnswerStream {
            body,
            clock: caller.clock().clone(),
            limit,
            read: 0,
            idle: call.limits.idle.unwrap_or(IDLE),
            deadline: done.deadline,
            waiting: None,
            away_since: Some(caller.clock().elapsed()),
            about,
            secrets: done.secrets,
            permit: done.permit,
            ended: false,
        };
        Ok(Self { value: done.value, head: done.answer, body })
    }

    /// Status and headers.
    #[must_use]
    pub fn head(&self) -> &Answer {
        &self.head
    }

    /// What the judge made of the head.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Judgement, head and body.
    pub fn into_parts(self) -> (T, Answer, AnswerStream) {
        (self.value, self.head, self.body)
    }

    /// Writes the whole body to `writer`, and flushes it.
    ///
    /// # Errors
    /// As [`AnswerStream::pour`].
    pub async fn write_to(
        self,
        writer: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Result<Downloaded<T>, Error> {
        let limit = self.body.limit;
        self.take_into(Intake::new(writer, limit)).await
    }

    /// Writes the whole body by way of `intake`, which may ask for a beginning such as `%PDF-`, and flushes it.
    ///
    /// # Errors
    /// As [`AnswerStream::pour`].
    pub async fn take_into<W>(mut self, mut intake: Intake<'_, W>) -> Result<Downloaded<T>, Error>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        self.body.pour(&mut intake).await?;
        let length = intake.length();
        let sha256 = intake.finish().await.map_err(|cause| self.body.not_taken(cause))?;
        Ok(Downloaded { value: self.value, head: self.head, length, sha256 })
    }
}

fn announced(head: &Answer) -> Option<u64> {
    head.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body of an accepted answer as it arrives: a `Stream`, also usable by [`chunk`](Self::chunk) alone.
///
/// It ends in an error if the body breaks off, stalls, or goes beyond a limit; only an end without an error is an end. What the
/// reader takes for itself between two pieces does not count into the time of the call. The
/// place of the call in its lane is given back when it has ended or is dropped, whichever comes first.
#[must_use = "the body is still to be read"]
pub struct AnswerStream {
    body: BodyStream,
    clock: Arc<dyn Clock>,
    limit: u64,
    read: u64,
    idle: Duration,
    deadline: Duration,
    /// Runs while a piece is awaited.
    waiting: Option<BoxFuture<'static, ()>>,
    /// Since when nobody asks for the next piece: the deadline is put off by that.
    away_since: Option<Duration>,
    about: About,
    secrets: Secrets,
    permit: Option<OwnedSemaphorePermit>,
    ended: bool,
}

impl AnswerStream {
    /// The next bytes, never none of them; `None` at the end.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when nothing came for too long or the call's time is over, [`ErrorKind::TooLarge`] beyond
    /// the limit, [`ErrorKind::Interrupted`] when the connection broke.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|context| self.poll_chunk(context)).await.transpose()
    }

    /// Reads the body to its end, into `intake`; to flush that is up to its owner.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk); [`ErrorKind::Store`] if the writer fails; with [`NotTaken`] as their source
    /// [`ErrorKind::TooLarge`], and [`ErrorKind::UnexpectedAnswer`] if the file does not begin as it should.
    pub async fn pour<W>(&mut self, intake: &mut Intake<'_, W>) -> Result<(), Error>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        while let Some(chunk) = self.chunk().await? {
            intake.push(chunk).await.map_err(|cause| self.not_taken(cause))?;
        }
        intake.settle().map_err(|cause| self.not_taken(cause))
    }

    pub(crate) fn not_taken(&self, cause: NotTaken) -> Error {
        match cause {
            NotTaken::Writer(cause) => self.about.unwritten(cause),
            NotTaken::TooLarge(_) => self.broken_rule(ErrorKind::TooLarge, cause),
            NotTaken::Beginning => self.broken_rule(ErrorKind::UnexpectedAnswer, cause),
        }
    }

    /// What came is not what it should be, in the words of the cause.
    pub(crate) fn broken_rule(&self, kind: ErrorKind, cause: impl StdError + Send + Sync + 'static) -> Error {
        self.about.error(kind, cause.to_string()).with_source(cause)
    }

    /// How many bytes were read so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.read
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.come_back();
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            match self.body.as_mut().poll_next(context) {
                // A piece of no bytes is no progress: the limit goes on running.
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                Poll::Ready(next) => return Poll::Ready(self.received(next)),
                Poll::Pending => return self.poll_limit(context),
            }
        }
    }

    fn come_back(&mut self) {
        if let Some(since) = self.away_since.take() {
            self.deadline += self.clock.elapsed().saturating_sub(since);
        }
    }

    fn received(&mut self, next: Option<Result<Bytes, TransportError>>) -> Option<Result<Bytes, Error>> {
        self.waiting = None;
        let chunk = match next {
            None => {
                self.end();
                return None;
            }
            Some(Err(cause)) => return Some(Err(self.fail(self.about.broken(cause)))),
            Some(Ok(chunk)) => chunk,
        };
        let read = self.read.saturating_add(chunk.len() as u64);
        if read > self.limit {
            return Some(Err(self.fail(self.about.too_large(self.limit))));
        }
        if self.clock.elapsed() >= self.deadline {
            return Some(Err(self.fail(self.about.late())));
        }
        self.read = read;
        self.away_since = Some(self.clock.elapsed());
        Some(Ok(chunk))
    }

    fn poll_limit(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let remaining = self.deadline.saturating_sub(self.clock.elapsed());
        let (clock, limit) = (&self.clock, self.idle.min(remaining));
        let waiting = self.waiting.get_or_insert_with(|| clock.timer(limit));
        std::task::ready!(waiting.as_mut().poll(context));
        let stalled = remaining > Duration::ZERO;
        let error = if stalled { self.about.stalled(self.idle) } else { self.about.late() };
        Poll::Ready(Some(Err(self.fail(error))))
    }

    fn fail(&mut self, error: Error) -> Error {
        self.end();
        self.without_secrets(error)
    }

    /// Whoever keeps what was read, and calls again, does not wait for a place of its own.
    fn end(&mut self) {
        self.ended = true;
        self.permit = None;
    }

    /// The error with the secrets of the call masked, as in those that a call itself ends in: for what a client finds in a body
    /// that it reads piece by piece, where services repeat tokens as well.
    #[must_use]
    pub fn without_secrets(&self, error: Error) -> Error {
        error.masked(&self.secrets)
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

impl Stream for AnswerStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(context)
    }
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStream")
            .field("read", &self.read)
            .field("limit", &self.limit)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// What errors of a body tell about its call.
#[derive(Debug, Clone, Copy)]
struct About {
    operation: &'static str,
    outcome: Outcome,
    hint: &'static str,
}

impl About {
    fn error(self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.operation).with_outcome(self.outcome).with_message(message).with_hint(self.hint)
    }

    fn too_large(self, limit: u64) -> Error {
        self.error(ErrorKind::TooLarge, format!("the body is larger than {limit} bytes"))
    }

    fn broken(self, cause: TransportError) -> Error {
        self.error(cause.kind().error_kind(), cause.to_string()).with_source(cause)
    }

    fn stalled(self, idle: Duration) -> Error {
        self.error(ErrorKind::Timeout, format!("nothing came for {} s", idle.as_secs_f64()))
    }

    fn late(self) -> Error {
        self.error(ErrorKind::Timeout, "the time of the call was over before the whole body had come")
    }

    fn unwritten(self, cause: std::io::Error) -> Error {
        let error = self.error(ErrorKind::Store, "what came could not be written");
        error.with_hint("look at the cause: the service did its part").with_source(cause)
    }
}
