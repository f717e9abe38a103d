//! A transport that answers from the input, and a judge of what a client made of it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response};
use integration_core::call::{Body, BodyStream, Transport, TransportError, TransportErrorKind};
use integration_core::{BoxFuture, Error};
use serde_json::value::RawValue;

use super::input::{Input, pieces};

/// Stands in every credential: nothing that a program can print of an error may hold it.
pub const SENTINEL: &str = "s3ntinel-s3cret-0123456789";

/// Between answers.
const NEXT: u8 = 0x1E;

const STATUSES: &[u16] =
    &[200, 400, 401, 404, 500, 201, 202, 204, 403, 409, 422, 429, 503, 302, 206, 304, 502, 100, 408, 418];
const TYPES: &[Option<&[u8]>] = &[
    Some(b"application/json"),
    None,
    Some(b"text/html; charset=utf-8"),
    Some(b"application/pdf"),
    Some(b"application/json; charset=iso-8859-1"),
    Some(b"\xff\xfe"),
    Some(b"application/octet-stream"),
];
const HINTS: &[Option<&[u8]>] = &[
    None,
    Some(b"1"),
    Some(b"99999999999999999999999"),
    Some(b"Sun, 22 Nov 2026 08:00:30 GMT"),
    Some(b"\xe9"),
];

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub kind: Option<&'static [u8]>,
    pub hint: Option<&'static [u8]>,
    pub body: Vec<u8>,
    pub split: u8,
}

impl Reply {
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, kind: TYPES[0], hint: None, body: body.into(), split: 0 }
    }

    /// Status, content type and `Retry-After`, then the body.
    fn read(mut input: Input<'_>, split: u8) -> Self {
        let (status, kind) = (*input.choose(STATUSES), input.byte());
        let hint = HINTS[usize::from(kind) / TYPES.len() % HINTS.len()];
        Self { status, kind: TYPES[usize::from(kind) % TYPES.len()], hint, body: input.0.to_vec(), split }
    }

    fn response(&self) -> Response<BodyStream> {
        let mut response = Response::new(Box::pin(Pieces::of(&self.body, self.split)) as BodyStream);
        *response.status_mut() = http::StatusCode::from_u16(self.status).unwrap();
        for (name, value) in [(CONTENT_TYPE, self.kind), (RETRY_AFTER, self.hint)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// The answers that the input holds, cut into pieces.
pub fn replies(mut input: Input<'_>, split: u8) -> Vec<Reply> {
    let mut replies = Vec::new();
    loop {
        let is_last = !input.0.contains(&NEXT);
        replies.push(Reply::read(Input(input.until(NEXT)), split));
        if is_last || replies.len() == 8 {
            return replies;
        }
    }
}

/// A body in pieces that are there at once.
pub struct Pieces(VecDeque<Bytes>);

impl Pieces {
    pub fn of(bytes: &[u8], split: u8) -> Self {
        Self(pieces(bytes, split).into())
    }
}

macro_rules! stream_of {
    ($($error:ty),*) => {$(
        impl From<Pieces> for Pin<Box<dyn Stream<Item = Result<Bytes, $error>> + Send>> {
            fn from(pieces: Pieces) -> Self {
                Box::pin(Typed(pieces, std::marker::PhantomData::<fn() -> $error>))
            }
        }
    )*};
}
stream_of!(Error);

struct Typed<E>(Pieces, std::marker::PhantomData<fn() -> E>);

impl<E> Stream for Typed<E> {
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.0.pop_front().map(Ok))
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// Answers to requests that are not what is tested, such as logins.
pub type Aside = fn(&Request<Body>) -> Option<Reply>;

/// Answers by the script; once it is over, nothing can be connected to.
#[derive(Clone)]
pub struct Script(Arc<Parts>);

struct Parts {
    replies: Mutex<VecDeque<Reply>>,
    given: Mutex<Vec<Reply>>,
    asked: Mutex<Vec<http::Uri>>,
    aside: Aside,
}

impl Script {
    pub fn new(replies: Vec<Reply>, aside: Aside) -> Self {
        Self(Arc::new(Parts {
            replies: Mutex::new(replies.into()),
            given: Mutex::default(),
            asked: Mutex::default(),
            aside,
        }))
    }

    /// What was answered by the script.
    pub fn given(&self) -> Vec<Reply> {
        self.0.given.lock().unwrap().clone()
    }

    /// What was asked for beside asides.
    pub fn asked(&self) -> Vec<http::Uri> {
        self.0.asked.lock().unwrap().clone()
    }

    fn answer(&self, request: &Request<Body>) -> Result<Response<BodyStream>, TransportError> {
        if let Some(reply) = (self.0.aside)(request) {
            return Ok(reply.response());
        }
        self.0.asked.lock().unwrap().push(request.uri().clone());
        let Some(reply) = self.0.replies.lock().unwrap().pop_front() else {
            return Err(TransportError::new(TransportErrorKind::Connect, "the script is over"));
        };
        let response = reply.response();
        self.0.given.lock().unwrap().push(reply);
        Ok(response)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl Transport for Script {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<BodyStream>, TransportError>> {
        let answer = self.answer(&request);
        Box::pin(async move {
            let mut body = request.body().open().await?;
            while let Some(piece) = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await {
                piece?;
            }
            answer
        })
    }
}

/// Runs to the end on this thread.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// What a success has to rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Every answer is JSON with a list in it.
    List,
    /// An object, or an object in a list.
    Object,
    /// JSON.
    Json,
    /// Nothing but the status.
    Nothing,
}

/// What a client made of the answers: what can be printed of it, and how many items it gave.
pub struct Made {
    pub printed: String,
    pub items: Option<usize>,
    pub is_ok: bool,
}

impl Made {
    pub fn of<T: fmt::Debug>(result: Result<T, Error>, items: impl FnOnce(&T) -> usize) -> Self {
        match result {
            Ok(value) => Self { printed: format!("{value:?}"), items: Some(items(&value)), is_ok: true },
            Err(error) => Self { printed: print(&error), items: None, is_ok: false },
        }
    }
}

/// Everything that a program can print of an error; the credentials must not be in it.
pub fn print(error: &Error) -> String {
    let mut printed = format!("{error}\n{error:?}\n{}\n{:?}", error.report(), error.faults());
    if let Some(answer) = error.answer() {
        printed.push_str(&format!("\n{answer:?}\n{}", answer.text()));
    }
    assert!(!printed.contains(SENTINEL), "a credential is printed: {printed}");
    assert!(printed.len() < 1 << 20, "an error of {} bytes", printed.len());
    printed
}

/// A success rests on answers that the contracts allow.
pub fn judge(due: Due, made: &Made, given: &[Reply]) {
    if !made.is_ok {
        return;
    }
    let Some(last) = given.last() else { panic!("a success without an answer: {}", made.printed) };
    let is_empty = made.items.is_none_or(|items| items == 0);
    // "Not there" may be an answer, if nothing is made of it.
    assert!(
        (200..300).contains(&last.status)
            || (matches!(last.status, 400 | 404) && (is_empty || given.len() > 1))
            // Who was refused logs in again, and then the script is over: the end of what a list gave before.
            || (last.status == 401 && due == Due::List && given.len() > 1),
        "a success from status {}: {}",
        last.status,
        made.printed
    );
    // What a record rests on came last: some calls ask elsewhere if the first answer is of no use.
    let begin = if due == Due::List { 0 } else { given.len() - 1 };
    let read = given.iter().skip(begin).filter(|reply| (200..300).contains(&reply.status));
    if due == Due::Nothing {
        return;
    }
    let mut items = 0;
    for reply in read {
        let text = text(&reply.body);
        assert!(is_json(text), "a success from what is no JSON: {text:?} gave {}", made.printed);
        let lists = lists(text, 0);
        items += lists.iter().sum::<usize>();
        let is_fit = match due {
            Due::List => !lists.is_empty(),
            Due::Object => text.trim_start().starts_with(['{', '[']),
            _ => true,
        };
        assert!(is_fit, "a success from {text:?}, which is no {due:?}: {}", made.printed);
    }
    if due == Due::List {
        assert!(made.items.unwrap_or(0) <= items, "{:?} items of {items}: {}", made.items, made.printed);
    }
}

/// A byte order mark before JSON is let pass; what is no UTF-8 is nothing that anybody wrote.
fn text(body: &[u8]) -> &str {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body).unwrap_or("no UTF-8")
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// How long the lists are that stand in it, not below two objects.
fn lists(text: &str, depth: usize) -> Vec<usize> {
    if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(text) {
        return vec![list.len()];
    }
    let Ok(object) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else { return Vec::new() };
    if depth == 3 {
        return Vec::new();
    }
    object.values().flat_map(|value| lists(value.get(), depth + 1)).collect()
}
