//! A transport whose answers a closure gives, streams that a test scripts, and everything that can be printed of an error.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::VecDeque;
use std::error::Error as _;
use std::fmt::{self, Write as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};
use integration_core::call::{
    BaseUrl, Body, BodyStream, CallerBuilder, Transport, TransportError, TransportErrorKind,
};
use integration_core::clock::ManualClock;
use integration_core::{BoxFuture, Error};

pub type Outcome = Result<Response<BodyStream>, TransportError>;

type Script = dyn Fn(usize, &Request<Body>) -> Outcome + Send + Sync;

/// Answers by a closure that sees the request and its number.
pub struct Fake {
    answer: Box<Script>,
    pub seen: Mutex<Vec<Request<Body>>>,
}

impl Fake {
    pub fn new(answer: impl Fn(usize, &Request<Body>) -> Outcome + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), seen: Mutex::default() })
    }

    /// One answer for all requests.
    pub fn always(status: u16, body: &'static str) -> Arc<Self> {
        Self::new(move |_, _| Ok(response(status, &[], body)))
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn uris(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|request| request.uri().to_string()).collect()
    }

    /// The header `name` of every request, empty where it is not there.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let text = |request: &Request<Body>| {
            request.headers().get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        };
        self.seen.lock().unwrap().iter().map(text).collect()
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

impl Transport for Fake {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Outcome> {
        let mut seen = self.seen.lock().unwrap();
        let outcome = (self.answer)(seen.len(), &request);
        let body = request.body().clone();
        seen.push(request);
        Box::pin(async move {
            drop(body.open().await?);
            outcome
        })
    }
}

pub fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response<BodyStream> {
    streamed(status, headers, Pieces::of([Ok(Bytes::copy_from_slice(body.as_bytes()))]))
}

pub fn streamed(
    status: u16,
    headers: &[(&str, &str)],
    body: impl Stream<Item = Result<Bytes, TransportError>> + Send + 'static,
) -> Response<BodyStream> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Box::pin(body) as BodyStream).unwrap()
}

pub fn broken() -> TransportError {
    TransportError::new(TransportErrorKind::Interrupted, "cut")
}

/// Pieces that are there at once, then the end or, with a clock, silence while a second passes at every poll.
pub struct Pieces {
    pieces: VecDeque<Result<Bytes, TransportError>>,
    silence: Option<ManualClock>,
    /// How much time every piece takes.
    drip: Option<(ManualClock, Duration)>,
}

impl Pieces {
    pub fn of(pieces: impl IntoIterator<Item = Result<Bytes, TransportError>>) -> Self {
        Self { pieces: pieces.into_iter().collect(), silence: None, drip: None }
    }

    pub fn then_silence(mut self, clock: &ManualClock) -> Self {
        self.silence = Some(clock.clone());
        self
    }

    pub fn dripping(mut self, clock: &ManualClock, every: Duration) -> Self {
        self.drip = Some((clock.clone(), every));
        self
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some((clock, every)) = &self.drip {
            clock.advance(*every);
        }
        match (self.pieces.pop_front(), &self.silence) {
            (None, Some(clock)) => {
                clock.advance(Duration::from_secs(1));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (piece, _) => Poll::Ready(piece),
        }
    }
}

pub fn builder(transport: &Arc<Fake>) -> CallerBuilder {
    let base = BaseUrl::parse("https://service.example.com/api").unwrap();
    CallerBuilder::default().base(base).transport(transport.clone()).clock(Arc::new(ManualClock::new()))
}

/// Everything that a program can print of an error.
pub fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {}", error.report());
    write!(text, "{:?}{:?}{:?}", error.service_code(), error.request_id(), error.faults()).unwrap();
    if let Some(answer) = error.answer() {
        write!(text, "{answer:?} {} {:?}", answer.text(), answer.headers()).unwrap();
    }
    let mut cause = error.source();
    while let Some(current) = cause {
        write!(text, "{current} {current:?} {current:#?}").unwrap();
        cause = current.source();
    }
    text
}
