//! Reads a body that a stranger sends: no more than so many bytes, in no more than so much time.
//!
//! A body is any stream of chunks, such as axum's `Body::into_data_stream`, or [`Whole`] for one that is in memory anyway.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;

use super::answer::Refusal;
use crate::BoxFuture;
use crate::clock::Clock;

/// How much of a body is read, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    bytes: u64,
    time: Duration,
}

impl Limits {
    /// Up to `bytes`, within 60 seconds.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self { bytes, time: Duration::from_secs(60) }
    }

    /// Within another time, counted from the first wait for the sender to the end of the body.
    #[must_use]
    pub const fn within(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// The most bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The longest time.
    #[must_use]
    pub const fn time(&self) -> Duration {
        self.time
    }
}

/// A body, chunk by chunk, within its limits.
pub struct Chunks<'c, S> {
    body: Pin<Box<S>>,
    left: u64,
    time: Duration,
    clock: &'c dyn Clock,
    /// Set once the sender has to be waited for: a body that is there already needs no timer.
    timer: Option<BoxFuture<'static, ()>>,
}

impl<S> std::fmt::Debug for Chunks<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("left", &self.left).field("time", &self.time).finish_non_exhaustive()
    }
}

impl<'c, S, E> Chunks<'c, S>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    /// Begins to read.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] if the head announces more than the limit: nothing is read then.
    pub fn new(headers: &HeaderMap, body: S, limits: Limits, clock: &'c dyn Clock) -> Result<Self, Refusal> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > limits.bytes) {
            return Err(Refusal::TooLarge("more is announced than a body may have"));
        }
        Ok(Self { body: Box::pin(body), left: limits.bytes, time: limits.time, clock, timer: None })
    }

    /// The next chunk; nothing at the end.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] with the chunk that goes beyond the limit, [`Refusal::TooSlow`], or [`Refusal::Malformed`] if the
    /// body breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        match poll_fn(|context| self.poll(context)).await? {
            None => Ok(None),
            Some(Err(_)) => Err(Refusal::Malformed("the body broke off")),
            Some(Ok(chunk)) => {
                let left = self.left.checked_sub(chunk.len() as u64);
                self.left = left.ok_or(Refusal::TooLarge("the body is larger than one may be"))?;
                Ok(Some(chunk))
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<S::Item>, Refusal>> {
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(context).is_ready()
        {
            // First: a sender who drips a byte now and then is always ready.
            return Poll::Ready(Err(Refusal::TooSlow));
        }
        if let Poll::Ready(chunk) = self.body.as_mut().poll_next(context) {
            return Poll::Ready(Ok(chunk));
        }
        if self.timer.is_none() {
            let mut timer = self.clock.timer(self.time);
            if timer.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Refusal::TooSlow));
            }
            self.timer = Some(timer);
        }
        Poll::Pending
    }
}

/// A whole body, for those that are small.
///
/// # Errors
/// As [`Chunks`].
pub async fn read<S, E>(
    headers: &HeaderMap,
    body: S,
    limits: Limits,
    clock: &dyn Clock,
) -> Result<Bytes, Refusal>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let mut chunks = Chunks::new(headers, body, limits, clock)?;
    let Some(first) = chunks.next().await? else { return Ok(Bytes::new()) };
    let Some(second) = chunks.next().await? else { return Ok(first) };
    let mut whole = BytesMut::from(first.as_ref());
    whole.extend_from_slice(&second);
    while let Some(chunk) = chunks.next().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// A body that is in memory, as a stream of one chunk.
#[derive(Debug)]
pub struct Whole(Option<Bytes>);

impl Whole {
    /// A body of these bytes.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self(Some(body.into()))
    }
}

impl Stream for Whole {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::ManualClock;

    /// `chunks` chunks of ten bytes, then an end, a break, or nothing any more.
    struct Made {
        chunks: usize,
        then: Option<Result<(), ()>>,
        read: Arc<AtomicUsize>,
    }

    impl Stream for Made {
        type Item = Result<Bytes, ()>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            if self.chunks > 0 {
                self.chunks -= 1;
                self.read.fetch_add(10, Ordering::SeqCst);
                return Poll::Ready(Some(Ok(Bytes::from_static(b"0123456789"))));
            }
            match self.then {
                Some(Ok(())) => Poll::Ready(None),
                Some(Err(())) => Poll::Ready(Some(Err(()))),
                None => Poll::Pending,
            }
        }
    }

    fn made(chunks: usize, then: Option<Result<(), ()>>) -> (Made, Arc<AtomicUsize>) {
        let read = Arc::default();
        (Made { chunks, then, read: Arc::clone(&read) }, read)
    }

    async fn read_all(chunks: usize, then: Option<Result<(), ()>>, limit: u64) -> Result<Bytes, Refusal> {
        read(&HeaderMap::new(), made(chunks, then).0, Limits::new(limit), &ManualClock::new()).await
    }

    #[tokio::test]
    async fn a_body_within_its_limit_is_whole() {
        for chunks in 0..4 {
            let whole = read_all(chunks, Some(Ok(())), 10 * chunks as u64).await.unwrap();
            assert_eq!(whole, "0123456789".repeat(chunks));
        }
        let whole = read(&HeaderMap::new(), Whole::new("abc"), Limits::new(3), &ManualClock::new()).await;
        assert_eq!(whole.unwrap(), "abc");
    }

    #[tokio::test]
    async fn a_body_beyond_its_limit_is_refused_at_the_first_byte_beyond() {
        for (chunks, limit) in [(1, 9), (3, 29), (1, 0)] {
            let refusal = read_all(chunks, Some(Ok(())), limit).await.unwrap_err();
            assert!(matches!(refusal, Refusal::TooLarge(_)), "{refusal}");
        }
        let (endless, count) = made(usize::MAX, None);
        let clock = ManualClock::new();
        let refusal = read(&HeaderMap::new(), endless, Limits::new(95), &clock).await.unwrap_err();
        assert_eq!((refusal.status().as_u16(), count.load(Ordering::SeqCst)), (413, 100));
    }

    #[tokio::test]
    async fn what_is_announced_too_large_is_not_read() {
        let (body, count) = made(10, Some(Ok(())));
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, 11.into());
        let refusal = read(&headers, body, Limits::new(10), &ManualClock::new()).await.unwrap_err();
        assert_eq!((refusal.status().as_u16(), count.load(Ordering::SeqCst)), (413, 0));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        assert!(matches!(read_all(2, Some(Err(())), 100).await, Err(Refusal::Malformed(_))));
    }

    #[tokio::test]
    async fn a_sender_who_stops_is_waited_for_no_longer_than_the_limit() {
        let clock = ManualClock::new();
        let task = tokio::spawn({
            let clock = clock.clone();
            async move {
                let limits = Limits::new(100).within(Duration::from_secs(5));
                read(&HeaderMap::new(), made(2, None).0, limits, &clock).await
            }
        });
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(4));
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        assert!(!task.is_finished());
        clock.advance(Duration::from_secs(1));
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        assert!(task.is_finished());
        assert!(matches!(task.await.unwrap(), Err(Refusal::TooSlow)));
    }

    /// One chunk at each second poll, for ever.
    struct Drip(bool);

    impl Stream for Drip {
        type Item = Result<Bytes, Infallible>;

        fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            context.waker().wake_by_ref();
            self.0 = !self.0;
            if self.0 { Poll::Pending } else { Poll::Ready(Some(Ok(Bytes::from_static(b"x")))) }
        }
    }

    #[tokio::test]
    async fn a_sender_who_drips_gets_no_longer() {
        let clock = ManualClock::new();
        let limits = Limits::new(u64::MAX).within(Duration::from_secs(5));
        let mut chunks = Chunks::new(&HeaderMap::new(), Drip(false), limits, &clock).unwrap();
        let mut seconds = 0;
        while seconds < 100 && chunks.next().await.is_ok() {
            clock.advance(Duration::from_secs(1));
            seconds += 1;
        }
        assert_eq!(seconds, 5);
    }
}
