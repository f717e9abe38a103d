//! Posts webhooks for real, over HTTP, to receivers on this machine, and writes down what they answer.
//!
//! One after the other in the order of the events, so that a test without faults sees an order it can rely on;
//! only what a fault makes late or holds back is overtaken.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::header::{CONTENT_TYPE, HOST};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::office::Office;
use super::settings::Settings;
use super::webhooks::{Attempt, Letter, WebhookFault};
use crate::answer::JSON;
use crate::clock;
use crate::crm::desk::{Desk, Errand, System as _};
use crate::payload::{Payload, Streamed};
use crate::post::{self, connect, text};

type Shared = Arc<Desk<Office>>;

/// Posts what comes until the sandbox is gone.
pub(super) async fn run(desk: Shared, mut errands: mpsc::UnboundedReceiver<Errand<Letter>>) {
    let mut aside = JoinSet::new();
    let mut releases = desk.releases.subscribe();
    let mut overtaken: Vec<Errand<Letter>> = Vec::new();
    loop {
        tokio::select! {
            biased;
            Ok(()) = releases.changed() => deliver_all(&desk, &mut overtaken).await,
            errand = errands.recv() => match errand {
                None => return,
                Some(errand) if errand.letter.fault == Some(WebhookFault::Overtaken) => overtaken.push(errand),
                Some(errand) => {
                    take(&desk, errand, &mut aside).await;
                    deliver_all(&desk, &mut overtaken).await;
                }
            },
            Some(_) = aside.join_next() => {}
        }
    }
}

async fn deliver_all(desk: &Shared, errands: &mut Vec<Errand<Letter>>) {
    for errand in errands.drain(..) {
        deliver(desk, errand).await;
    }
}

async fn take(desk: &Shared, errand: Errand<Letter>, aside: &mut JoinSet<()>) {
    match errand.letter.fault.clone() {
        Some(WebhookFault::Lost) => finish(desk, &errand),
        Some(WebhookFault::Late { delay }) => {
            let desk = Arc::clone(desk);
            aside.spawn(async move {
                clock::sleep(delay).await;
                deliver(&desk, errand).await;
            });
        }
        Some(WebhookFault::Hold) => {
            let desk = Arc::clone(desk);
            let mut releases = desk.releases.subscribe();
            aside.spawn(async move {
                // The sender is part of what this task holds.
                releases.changed().await.unwrap_or_default();
                deliver(&desk, errand).await;
            });
        }
        _ => deliver(desk, errand).await,
    }
}

/// Tries until it is accepted or the attempts are used up; duplicates follow whatever was answered.
async fn deliver(desk: &Shared, errand: Errand<Letter>) {
    let settings = desk.state().system.settings().clone();
    for attempt in 0..settings.webhook_attempts {
        if attempt > 0 {
            clock::sleep(Duration::from_millis(settings.webhook_pause_ms)).await;
        }
        if send_and_log(desk, &errand, &settings).await {
            break;
        }
    }
    if let Some(WebhookFault::Duplicate { copies }) = errand.letter.fault {
        for _ in 0..copies {
            send_and_log(desk, &errand, &settings).await;
        }
    }
    finish(desk, &errand);
}

async fn send_and_log(desk: &Shared, errand: &Errand<Letter>, settings: &Settings) -> bool {
    let limit = Duration::from_millis(settings.webhook_timeout_ms);
    let mut answered = Err("no answer in time".to_owned());
    clock::within(limit, async { answered = send(&errand.letter).await }).await;
    let mut state = desk.state();
    let attempt = Attempt::new(state.timeline.now(), answered);
    let accepted = attempt.is_accepted();
    if state.epoch == errand.epoch
        && let Some(sent) = state.system.sent.get_mut(errand.letter.index)
    {
        sent.attempts.push(attempt);
    }
    accepted
}

fn finish(desk: &Shared, errand: &Errand<Letter>) {
    let mut state = desk.state();
    if state.epoch != errand.epoch {
        return;
    }
    let now = state.timeline.now();
    state.system.finish_letter(&errand.letter, now);
    desk.finished.send_modify(|count| *count = count.saturating_add(1));
}

async fn send(letter: &Letter) -> Result<(u16, String), String> {
    let uri = Uri::try_from(letter.url.as_str()).map_err(text)?;
    let stream = connect(&uri).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let request = http::Request::post(path).header(HOST, authority).header(CONTENT_TYPE, JSON);
    post::exchange(stream, request.body(Streamed::from(body(letter))).map_err(text)?).await
}

/// The body, spoiled as the fault says.
fn body(letter: &Letter) -> Payload {
    match letter.fault {
        Some(WebhookFault::NotJson) => "<html>this is no JSON".into(),
        Some(WebhookFault::Oversized { bytes }) => Payload::from(letter.body.to_string()).padded_to(bytes),
        Some(WebhookFault::WrongToken) => {
            let mut body = letter.body.clone();
            let token = body.get("api_token").map(ToString::to_string).unwrap_or_default();
            if let Some(fields) = body.as_object_mut() {
                fields.insert("api_token".into(), json!(format!("{}x", token.trim_matches('"'))));
            }
            body.to_string().into()
        }
        _ => letter.body.to_string().into(),
    }
}
