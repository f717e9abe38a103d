//! A server that answers as told, what it was sent, and everything that a program can print of an error.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;
use sugester::{Error, ErrorExt};
use tokio::io::AsyncReadExt;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// Planted in every token: nothing that a program can print may hold it.
pub const PLANTED: &str = "pl4nted/s3cret";
pub const TOKEN: &str = "pl4nted/s3cret/acme";

pub fn ok(body: Value) -> ResponseTemplate {
    status(200, body)
}

pub fn status(code: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(code).set_body_json(body)
}

pub fn html(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code).set_body_raw("<html>wait</html>", "text/html")
}

pub async fn on(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

/// Answers in order; the last one stays.
pub struct Script(pub AtomicUsize, pub Vec<ResponseTemplate>);

impl Respond for Script {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let at = self.0.fetch_add(1, Ordering::SeqCst).min(self.1.len() - 1);
        self.1[at].clone()
    }
}

pub async fn script(server: &MockServer, verb: &str, at: &str, answers: Vec<ResponseTemplate>) {
    let script = Script(AtomicUsize::new(0), answers);
    Mock::given(method(verb)).and(path(at)).respond_with(script).mount(server).await;
}

pub async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

/// Method, path and query of the last request, and its body as JSON.
pub async fn last(server: &MockServer) -> (String, Value) {
    let request = requests(server).await.pop().unwrap();
    let query = request.url.query().map_or(String::new(), |query| format!("?{query}"));
    let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    (format!("{} {}{query}", request.method, request.url.path()), body)
}

pub fn query(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Everything that a program can print of an error.
pub fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {} {}", error.report(), error.support_summary());
    write!(text, "{:?}{:?}{:?}", error.service_code(), error.faults(), error.refused()).unwrap();
    if let Some(answer) = error.answer() {
        write!(text, "{answer:?} {} {:?}", answer.text(), answer.headers()).unwrap();
    }
    let mut cause = error.source();
    while let Some(current) = cause {
        write!(text, "{current} {current:?}").unwrap();
        cause = current.source();
    }
    text
}

pub fn clean(text: &str) {
    for secret in ["pl4nted", "s3cret"] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// A listener that reads a whole request and resets the connection; how many requests it saw.
pub async fn resetting() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut read = Vec::new();
            let mut buffer = [0; 4096];
            // The tests' bodies end in this, and a GET's head in an empty line.
            while let Ok(length @ 1..) = socket.read(&mut buffer).await {
                read.extend_from_slice(&buffer[..length]);
                if read.ends_with(b"}}") || (read.starts_with(b"GET") && read.ends_with(b"\r\n\r\n")) {
                    seen.fetch_add(1, Ordering::SeqCst);
                    break;
                }
            }
            socket.set_zero_linger().unwrap();
        }
    });
    (url, count)
}

/// The fields of every span and event, as text, while it is there.
#[derive(Clone, Default)]
pub struct Traces(pub Arc<Mutex<String>>);

impl Traces {
    pub fn listening(&self) -> tracing::subscriber::DefaultGuard {
        // With a single subscriber, a callsite that another thread meets first stays silent for good.
        static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| tracing::Dispatch::new(Traces::default()));
        tracing::subscriber::set_default(self.clone())
    }

    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl tracing::field::Visit for Traces {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        write!(self.0.lock().unwrap(), "{}={value:?} ", field.name()).unwrap();
    }
}

impl tracing::Subscriber for Traces {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
