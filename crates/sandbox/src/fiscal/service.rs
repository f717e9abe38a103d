//! One request from socket to answer: route, fault, action, log, and whatever the fault makes of the answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::house::{Call, Done};
use super::records::Request;
use super::reply::Reply;
use super::settings::Endpoint;
use super::{Shared, State};
use crate::answer::{Answer, Outcome, spoil};
use crate::clock::{self, Moment};
use crate::fault::{Ending, Fault};
use crate::json::Json;
use crate::server::{self, Handler};
use crate::tape::{self, Tapped};

/// Where the log entry of a request is.
#[derive(Debug, Clone, Copy)]
struct Place {
    epoch: u64,
    index: usize,
}

impl Handler for Shared {
    fn resets_connection(&self) -> bool {
        let mut state = self.state();
        state.connections += 1;
        state.faults.resets_connection()
    }

    async fn handle(self: Arc<Self>, request: server::Request) -> Outcome {
        let (head, body) = request.into_parts();
        let Some((endpoint, fault)) = self.route(&head) else {
            let outcome = Outcome::Answer(not_found(&head));
            self.log(&head, Bytes::new(), None, None, outcome.status());
            return outcome;
        };
        tape::struck(&head, fault.as_ref().map(Fault::name), None);
        if fault == Some(Fault::ResetBeforeBody) {
            self.log(&head, Bytes::new(), fault.as_ref(), None, None);
            return Outcome::reset();
        }
        match self.read(body).await {
            Ok(body) => self.serve(&head, body, endpoint, fault).await,
            Err(outcome) => {
                self.log(&head, Bytes::new(), fault.as_ref(), None, outcome.status());
                outcome
            }
        }
    }
}

impl Shared {
    /// The endpoint, and the fault that strikes this request.
    fn route(&self, head: &Parts) -> Option<(Endpoint, Option<Fault>)> {
        let mut state = self.state();
        let probes = state.house.settings.probes;
        let endpoint = Endpoint::routed(&head.method, head.uri.path(), probes)?;
        Some((endpoint, state.faults.take(&endpoint)))
    }

    async fn read(&self, body: Tapped) -> Result<Bytes, Outcome> {
        let limit = self.state().house.settings.body_limit;
        match Limited::new(body, limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(Outcome::Answer(Answer::text(413, "Payload Too Large")))
            }
            // The client went away or broke the framing: there is nobody to answer.
            Err(_) => Err(Outcome::reset()),
        }
    }

    async fn serve(&self, head: &Parts, body: Bytes, endpoint: Endpoint, fault: Option<Fault>) -> Outcome {
        // Subscribed before the request is logged: a test that saw it there may release it at once.
        let mut releases = self.releases.subscribe();
        let acts = fault.as_ref().is_none_or(Fault::acts);
        let (place, honest) = self.act_and_log(head, body, endpoint, fault.as_ref(), acts);
        let ending = fault.map_or(Ending::Honest, Fault::ending);
        match &ending {
            Ending::Late(delay) => clock::sleep(*delay).await,
            // The sender is part of `self`, which outlives this call.
            Ending::Held => releases.changed().await.unwrap_or_default(),
            _ => {}
        }
        let outcome = conclude(ending, honest);
        self.set_status(place, outcome.status());
        outcome
    }

    /// Acts (unless a fault forbids it) and logs under one lock, so that no reader sees one without the other.
    fn act_and_log(
        &self,
        head: &Parts,
        body: Bytes,
        endpoint: Endpoint,
        fault: Option<&Fault>,
        acts: bool,
    ) -> (Place, Option<Answer>) {
        let mut state = self.state();
        let moment = clock::now();
        let done = acts.then(|| self.act(&mut state, head, &body, endpoint, moment));
        let honest = match &done {
            Some(done) => done.reply.answer(),
            None => Some(Answer::text(200, "")),
        };
        (self.push(&mut state, entry(head, body, fault, done.as_ref(), moment)), honest)
    }

    fn act(&self, state: &mut State, head: &Parts, body: &Bytes, endpoint: Endpoint, moment: Moment) -> Done {
        let Some(json) = read_json(head, body) else {
            return Reply::Exception("the body is not JSON").into();
        };
        let authorization = head.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or("?"));
        let call = Call { endpoint, authorization, json, body, base_url: &self.base_url, moment };
        state.house.act(&call)
    }

    fn log(
        &self,
        head: &Parts,
        body: Bytes,
        fault: Option<&Fault>,
        done: Option<&Done>,
        status: Option<u16>,
    ) {
        let entry = Request { status, ..entry(head, body, fault, done, clock::now()) };
        self.push(&mut self.state(), entry);
    }

    fn push(&self, state: &mut State, entry: Request) -> Place {
        tracing::debug!(path = entry.path, code = entry.code, fault = entry.fault, acted = entry.acted);
        state.requests.push(entry);
        self.received.send_replace(state.requests.len());
        Place { epoch: state.epoch, index: state.requests.len().saturating_sub(1) }
    }

    fn set_status(&self, place: Place, status: Option<u16>) {
        let mut state = self.state();
        if state.epoch == place.epoch
            && let Some(entry) = state.requests.get_mut(place.index)
        {
            entry.status = status;
        }
    }
}

/// An exception that nobody catches breaks the connection, unless the fault writes an answer of its own.
fn conclude(ending: Ending, honest: Option<Answer>) -> Outcome {
    match (ending, honest) {
        (ending, Some(honest)) => spoil(ending, honest),
        (ending @ (Ending::Scripted(_) | Ending::Hang | Ending::Close), None) => {
            spoil(ending, Answer::text(500, ""))
        }
        (_, None) => Outcome::reset(),
    }
}

/// Without the right content type the body reads as empty; `None` if it is announced as JSON and is none.
fn read_json(head: &Parts, body: &Bytes) -> Option<Json> {
    let announced = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = announced.split(';').next().unwrap_or("").trim();
    if body.is_empty() || !media_type.eq_ignore_ascii_case("application/json") {
        return Some(Json::empty());
    }
    Json::parse(body).ok().filter(|json| matches!(json, Json::Object(_) | Json::Array(_)))
}

fn entry(head: &Parts, body: Bytes, fault: Option<&Fault>, done: Option<&Done>, moment: Moment) -> Request {
    Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        status: None,
        code: done.and_then(|done| done.reply.code()),
        fault: fault.map(|fault| fault.name().to_owned()),
        acted: done.is_some_and(|done| done.acted),
        body,
        received_at: moment.date_time(),
    }
}

/// Answered before any handler runs, so without an envelope.
fn not_found(head: &Parts) -> Answer {
    Answer::text(404, format!("Cannot {} {}", head.method, head.uri.path()))
}
