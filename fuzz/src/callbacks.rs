//! Callbacks and webhooks: whoever knows the address can post. Nothing unproven is handled, and pieces make no difference.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use integration_core::{BoxFuture, Error};
use legale::DocumentId;
use legale::status::SignStatus;
use legale::webhook::{
    CallbackToken, Delivery, Detail, FolderSink, Handler, KeyPlace, MemorySecrets, Refetch, SecretPlace, Seen,
};

use super::input::{Input, pieces};
use super::scripted::{SENTINEL, block_on};

/// A body in pieces, as a server hands it on.
struct Arriving(std::vec::IntoIter<Bytes>);

impl futures_core::Stream for Arriving {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

fn arriving(body: &[u8], split: u8) -> Arriving {
    Arriving(pieces(body, split).into_iter())
}

fn parts(uri: &str, headers: HeaderMap) -> Parts {
    let (mut parts, ()) = Request::post("/").body(()).unwrap().into_parts();
    parts.uri = uri.parse().unwrap_or_default();
    parts.headers = headers;
    parts
}

/// One header line to each line: a name, a colon and bytes; what can be none is left out.
fn headers(mut lines: Input<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    while !lines.0.is_empty() {
        let mut line = Input(lines.until(b'\n'));
        let name = HeaderName::from_bytes(line.until(b':'));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line.0)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The service knows one document, which is signed.
#[derive(Debug)]
struct Service;

impl Refetch for Service {
    fn look<'a>(&'a self, document: &'a DocumentId) -> BoxFuture<'a, Result<Seen, Error>> {
        let known = document.as_str() == "d41d8cd98f";
        let seen = if known { Seen::Found(Detail::new(SignStatus::Signed)) } else { Seen::NotFound };
        Box::pin(std::future::ready(Ok(seen)))
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl Handler for Kept {
    fn handle(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Error>> {
        // A provisional file has a name by chance.
        let files: Vec<_> = delivery.file.iter().chain(&delivery.attachments).collect();
        let files: Vec<_> =
            files.iter().map(|file| format!("{:?}{}{}", file.slot, file.length, file.sha256)).collect();
        let Delivery { callback, is_confirmed, is_late, body_sha256, .. } = &delivery;
        let text = format!("{callback:?}{is_confirmed}{is_late}{body_sha256}{files:?}");
        self.0.lock().unwrap().push(text);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// How the receiver proves a callback: by the URL, by a key in the body or in a header, by asking, by all.
fn legale_receiver(how: u8, kept: &Arc<Kept>, folder: Option<&std::path::Path>) -> legale::webhook::Receiver {
    let secrets = MemorySecrets::new();
    secrets.insert(&CallbackToken::from_parts("c-1", SENTINEL).unwrap());
    let builder = legale::webhook::Receiver::builder().handler(kept.clone()).rest_limit(4096);
    let builder = match folder {
        Some(folder) => builder.sink(Arc::new(FolderSink::new(folder))),
        None => builder,
    };
    let by_url = |builder: legale::webhook::ReceiverBuilder| {
        builder.url_secrets(Arc::new(secrets), SecretPlace::Path).refetch(Arc::new(Service))
    };
    match how % 4 {
        0 => by_url(builder),
        1 => builder.key(SENTINEL, KeyPlace::Body("callback_key".into())),
        2 => builder.key(SENTINEL, KeyPlace::Header(HeaderName::from_static("x-key"))),
        _ => builder.refetch(Arc::new(Service)),
    }
    .build()
    .unwrap()
}

/// Whether the secret stands where it belongs and nowhere else. Whoever has it can write it anywhere: that is their affair.
fn is_told_once(body: &[u8], name: &str) -> bool {
    let text = String::from_utf8_lossy(body);
    text.matches(SENTINEL).count() == 1 && text.contains(&format!("\"{name}\":\"{SENTINEL}\""))
}

/// Strategy, route, pieces; a line with the end of the path; header lines up to an empty byte; the body.
pub fn legale(data: &[u8]) {
    let mut input = Input(data);
    let (how, route, split) = (input.byte(), input.byte(), input.byte());
    let path = String::from_utf8_lossy(input.until(b'\n')).replace('$', SENTINEL);
    let headers = headers(Input(input.until(0)));
    let route =
        if route % 2 == 0 { legale::webhook::Route::Document } else { legale::webhook::Route::Signer };
    let head = parts(&format!("/hooks/{path}"), headers);
    // The key is not for the fuzzer to find.
    let body = String::from_utf8_lossy(input.0)
        .contains("$KEY")
        .then(|| String::from_utf8_lossy(input.0).replace("$KEY", SENTINEL).into_bytes());
    let body = body.as_deref().unwrap_or(input.0);
    let is_proven_by_secret = path.contains(SENTINEL)
        || head.headers.get("x-key").is_some_and(|value| value == SENTINEL)
        || String::from_utf8_lossy(body).contains(SENTINEL)
        // An escape spells it as well.
        || body.contains(&b'\\');
    let folder = body.len().is_multiple_of(8).then(|| tempfile::tempdir().unwrap());
    let is_told_once = is_told_once(body, "callback_key");
    let played = |split| {
        let kept = Arc::new(Kept::default());
        let receiver = legale_receiver(how, &kept, folder.as_ref().map(tempfile::TempDir::path));
        let reply = block_on(receiver.receive(route, &head, arriving(body, split)));
        let text = format!("{:?}", reply.disposition());
        assert!(!text.contains(SENTINEL) || !is_told_once, "a secret is printed: {text}");
        let kept = std::mem::take(&mut *kept.0.lock().unwrap());
        assert!(kept.is_empty() || reply.status() == 200, "handled, and answered {}", reply.status());
        assert!(kept.is_empty() || how % 4 == 3 || is_proven_by_secret, "handled without proof: {kept:?}");
        let is_handed_on = kept.iter().any(|text| text.contains(SENTINEL));
        assert!(!is_handed_on || !is_told_once, "a secret is handed on: {kept:?}");
        (reply.status(), text, kept)
    };
    assert_eq!(played(0), played(split.max(1)), "the pieces of a body make a difference");
    if let Some(folder) = folder {
        let parts = std::fs::read_dir(folder.path()).unwrap().flatten();
        let left = parts.filter(|file| file.file_name().to_string_lossy().contains(".part")).count();
        assert_eq!(left, 0, "a provisional file is left behind");
    }
}

/// Route, pieces; a line with the end of the path; header lines up to an empty byte; the body.
pub fn sugester(data: &[u8]) {
    use sugester::webhook::{Disposition, HintQueue, MemoryHints, Receiver, Route};

    let mut input = Input(data);
    let (route, with_path, split) = (*input.choose(&Route::ALL), input.byte(), input.byte());
    let path = String::from_utf8_lossy(input.until(b'\n')).replace('$', SENTINEL);
    let headers = headers(Input(input.until(0)));
    let head = parts(&format!("/hooks/{path}"), headers);
    let text = String::from_utf8_lossy(input.0);
    let body =
        if text.contains("$KEY") { text.replace("$KEY", SENTINEL).into_bytes() } else { input.0.to_vec() };
    let knows = String::from_utf8_lossy(&body).contains(SENTINEL) || body.contains(&b'\\');
    let is_told_once = is_told_once(&body, "api_token");
    let played = |split| {
        let hints = Arc::new(MemoryHints::default());
        let builder = Receiver::builder().every_route(SENTINEL).sink(hints.clone());
        let builder = if with_path % 2 == 1 { builder.path_secret(SENTINEL) } else { builder };
        let receiver = builder.build().unwrap();
        let reply = block_on(receiver.receive(route, &head, arriving(&body, split)));
        let text = format!("{:?}", reply.disposition());
        assert!(!text.contains(SENTINEL) || !is_told_once, "a secret is printed: {text}");
        let is_refused = matches!(reply.disposition(), Disposition::Refused(_));
        assert!(is_refused || knows, "accepted without the secret: {text}");
        let waiting = block_on(hints.waiting(0, 10)).unwrap();
        assert!(waiting.is_empty() || reply.status() == 200, "kept, and answered {}", reply.status());
        assert!(is_refused || !waiting.is_empty(), "accepted, and kept nothing: {text}");
        (reply.status(), text)
    };
    assert_eq!(played(0), played(split.max(1)), "the pieces of a body make a difference");
}
