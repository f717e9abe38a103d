//! Posts callbacks for real, over HTTP, to receivers on this machine, and writes down what they answer.
//!
//! One after the other in the order of the events, so that a test without faults sees an order it can rely on;
//! only what a fault makes late or holds back is overtaken.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Uri};
use ring::hmac;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Shared;
use super::letters::Letter;
use super::records::{Attempt, CallbackFault};
use super::settings::{KeyPlace, Settings};
use crate::answer::JSON;
use crate::blob::hex;
use crate::clock::{self, Moment};
use crate::payload::{Payload, Streamed};
use crate::post::{self, connect, text};

/// A letter, its place in the log, and what spoils it.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) epoch: u64,
    pub(super) index: usize,
    pub(super) letter: Letter,
    pub(super) fault: Option<CallbackFault>,
}

/// Posts what comes until the sandbox is gone.
pub(super) async fn run(shared: Arc<Shared>, mut errands: mpsc::UnboundedReceiver<Errand>) {
    let mut aside = JoinSet::new();
    loop {
        tokio::select! {
            errand = errands.recv() => match errand {
                None => return,
                Some(errand) => take(&shared, errand, &mut aside).await,
            },
            Some(_) = aside.join_next() => {}
        }
    }
}

async fn take(shared: &Arc<Shared>, errand: Errand, aside: &mut JoinSet<()>) {
    match errand.fault.clone() {
        Some(CallbackFault::Lost) => shared.finish_callback(&errand),
        Some(CallbackFault::Late { delay }) => {
            let shared = Arc::clone(shared);
            aside.spawn(async move {
                clock::sleep(delay).await;
                deliver(&shared, errand).await;
            });
        }
        Some(CallbackFault::Hold) => {
            let shared = Arc::clone(shared);
            let mut releases = shared.releases.subscribe();
            aside.spawn(async move {
                // The sender is part of what this task holds.
                releases.changed().await.unwrap_or_default();
                deliver(&shared, errand).await;
            });
        }
        _ => deliver(shared, errand).await,
    }
}

/// One posting of a letter.
struct Posting {
    url: String,
    body: Payload,
    key: Option<String>,
    /// When the relay saw it, and whether it signs with the right secret; none for a forger.
    stamped: Option<Moment>,
    /// What the relay signed, if that differs from the body.
    signed_body: Option<Payload>,
    genuine: bool,
}

async fn deliver(shared: &Shared, errand: Errand) {
    let settings = shared.settings_now();
    if let Some(posting) = before(&errand, shared.now()) {
        send_and_log(shared, &errand, posting, &settings).await;
    }
    if errand.fault != Some(CallbackFault::ForgedInstead) {
        genuine(shared, &errand, &settings).await;
    }
    shared.finish_callback(&errand);
}

/// What comes ahead of the true callback.
fn before(errand: &Errand, now: Moment) -> Option<Posting> {
    let letter = &errand.letter;
    match errand.fault {
        Some(CallbackFault::ForgedTwin | CallbackFault::ForgedInstead) => Some(Posting {
            url: letter.url.clone(),
            body: letter.forged(),
            key: None,
            stamped: None,
            signed_body: None,
            genuine: false,
        }),
        Some(CallbackFault::WrongUrlTwin) => Some(Posting {
            url: other_end(&letter.url),
            body: letter.body(None, &Settings::default()),
            key: letter.key.clone(),
            stamped: Some(now),
            signed_body: None,
            genuine: false,
        }),
        _ => None,
    }
}

/// The URL with another last character: a secret at its end is wrong then.
fn other_end(url: &str) -> String {
    let mut text = url.to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    text
}

/// Tries until it is accepted or the attempts are used up; duplicates follow whatever was answered.
async fn genuine(shared: &Shared, errand: &Errand, settings: &Settings) {
    for attempt in 0..settings.callback_attempts {
        if attempt > 0 {
            clock::sleep(Duration::from_millis(settings.callback_pause_ms)).await;
        }
        if send_and_log(shared, errand, posting(errand, shared.now(), settings), settings).await {
            break;
        }
    }
    if let Some(CallbackFault::Duplicate { copies }) = errand.fault {
        for _ in 0..copies {
            send_and_log(shared, errand, posting(errand, shared.now(), settings), settings).await;
        }
    }
}

/// The true callback, spoiled as the fault says.
fn posting(errand: &Errand, now: Moment, settings: &Settings) -> Posting {
    let letter = &errand.letter;
    let wrong = errand.fault == Some(CallbackFault::WrongKey);
    let key = letter.key.clone().map(|key| if wrong { format!("{key}x") } else { key });
    let honest = letter.body(key.as_deref(), settings);
    let mut stamped = now;
    let mut signed_body = None;
    let body = match &errand.fault {
        Some(CallbackFault::Changed) => {
            signed_body = Some(honest.clone());
            honest.changed()
        }
        Some(CallbackFault::NotJson) => "<html>this is no JSON".into(),
        Some(CallbackFault::Oversized { bytes }) => honest.padded_to(*bytes),
        Some(CallbackFault::Cut) => honest.cut(),
        Some(CallbackFault::Stale { seconds }) => {
            stamped = now.minus(Duration::from_secs(*seconds));
            honest
        }
        _ => honest,
    };
    Posting { url: letter.url.clone(), body, key, stamped: Some(stamped), signed_body, genuine: true }
}

async fn send_and_log(shared: &Shared, errand: &Errand, posting: Posting, settings: &Settings) -> bool {
    let genuine = posting.genuine;
    let limit = Duration::from_millis(settings.callback_timeout_ms);
    let mut answered = Err("no answer in time".to_owned());
    clock::within(limit, async { answered = send(posting, &errand.letter, settings).await }).await;
    let at = shared.now().iso_micros();
    let attempt = match answered {
        Ok((status, answer)) => Attempt { at, genuine, status: Some(status), answer, error: None },
        Err(error) => Attempt { at, genuine, status: None, answer: String::new(), error: Some(error) },
    };
    let accepted = attempt.is_accepted();
    shared.log_attempt(errand, attempt);
    accepted
}

async fn send(posting: Posting, letter: &Letter, settings: &Settings) -> Result<(u16, String), String> {
    let uri = Uri::try_from(posting.url.as_str()).map_err(text)?;
    let stream = connect(&uri).await?;
    post::exchange(stream, request(posting, letter, &uri, settings)?).await
}

fn request(
    posting: Posting,
    letter: &Letter,
    uri: &Uri,
    settings: &Settings,
) -> Result<http::Request<Streamed>, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let mut request = http::Request::post(path).header(HOST, authority).header(CONTENT_TYPE, JSON);
    for (name, value) in &letter.headers {
        request = request.header(name, value);
    }
    if let (KeyPlace::Header(name), Some(key)) = (&settings.callback_key_place, &posting.key) {
        request = request.header(name, HeaderValue::from_str(key).map_err(text)?);
    }
    if let Some(relay) = &settings.relay {
        // A forger has no secret but knows how a signature looks.
        let secret = if posting.stamped.is_some() { relay.secret.as_str() } else { "forged" };
        let stamp = posting.stamped.unwrap_or_else(clock::now).epoch().to_string();
        let signature = signature(secret, &stamp, posting.signed_body.as_ref().unwrap_or(&posting.body))?;
        request = request.header(&relay.timestamp_header, stamp).header(&relay.signature_header, signature);
    }
    request.body(Streamed::from(posting.body)).map_err(text)
}

/// HMAC-SHA256 over `timestamp.body`.
fn signature(secret: &str, stamp: &str, body: &Payload) -> Result<String, String> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    context.update(stamp.as_bytes());
    context.update(b".");
    // A cut body cannot be read to its end; the relay signed what it could.
    for chunk in body.clone().chunks() {
        match chunk {
            Ok(chunk) => context.update(&chunk),
            Err(_) => break,
        }
    }
    Ok(hex(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_stamp_and_body() {
        // RFC 4231's key and data cannot be split by a dot; this is HMAC("key", "1.{}") computed by hand with
        // the definition: two nested digests.
        let block = |pad: u8| -> Vec<u8> {
            let mut key = b"key".to_vec();
            key.resize(64, 0);
            key.iter().map(|byte| byte ^ pad).collect()
        };
        let digest = |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec();
        let inner = digest(&[block(0x36), b"1.{}".to_vec()].concat());
        let expected = hex(&digest(&[block(0x5c), inner].concat()));
        assert_eq!(signature("key", "1", &"{}".into()).unwrap(), expected);
    }

    #[test]
    fn another_end_is_another_secret() {
        assert_eq!(other_end("http://h/secret0"), "http://h/secret1");
        assert_eq!(other_end("http://h/?k=ab"), "http://h/?k=a0");
    }
}
