//! One request from socket to answer: route, fault, body, limits, token, action, log, and what the fault makes of it.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};

use super::desk::{Call, Desk, Done, State, System, Target, name_of};
use super::refusal::{Refusal, inside, refused};
use super::token::{self, Shown};
use super::{Query, Request, Wire};
use crate::answer::{Answer, Outcome, spoil};
use crate::clock;
use crate::fault::{Ending, Fault, Scripted};
use crate::server::{self, Handler};
use crate::tape::{self, Tapped};

/// Most of a body that the log keeps.
const SHOWN: usize = 4096;

/// A request that was read.
struct Read<'a> {
    head: &'a Parts,
    query: Query,
    raw: Bytes,
    body: Value,
    token: Option<Shown>,
    /// How many are served with it.
    at_once: usize,
}

impl<S: System> Handler for Desk<S> {
    fn resets_connection(&self) -> bool {
        let mut state = self.state();
        state.connections += 1;
        state.faults.resets_connection()
    }

    async fn handle(self: Arc<Self>, request: server::Request) -> Outcome {
        let (_serving, at_once) = self.enter();
        let (head, body) = request.into_parts();
        let target = S::route(head.method.as_str(), head.uri.path());
        let fault = target.as_ref().and_then(|target| self.state().faults.take(&target.endpoint));
        tape::struck(&head, fault.as_ref().map(Fault::name), None);
        let mut read = Read::head(&head, at_once);
        if fault == Some(Fault::ResetBeforeBody) {
            return self.turn_away(&read, target.as_ref(), fault.as_ref(), Outcome::reset());
        }
        match self.body(body).await {
            Ok(raw) => read.take(raw),
            Err(outcome) => return self.turn_away(&read, target.as_ref(), fault.as_ref(), outcome),
        }
        let Some(target) = target else {
            let answer = super::refusal::not_found().answer(self.state().system.wire());
            return self.turn_away(&read, None, None, Outcome::Answer(answer));
        };
        self.answer(&read, &target, fault).await
    }
}

impl<'a> Read<'a> {
    fn head(head: &'a Parts, at_once: usize) -> Self {
        let query = Query::read(head.uri.query().unwrap_or(""));
        let token = token::shown(&head.headers, &Value::Null, &query);
        Self { head, query, raw: Bytes::new(), body: Value::Null, token, at_once }
    }

    /// A body that is not announced as JSON is not read as JSON.
    fn take(&mut self, raw: Bytes) {
        let kind = self.head.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("application/json")) {
            self.body = serde_json::from_slice(&raw).unwrap_or_default();
        }
        self.token = token::shown(&self.head.headers, &self.body, &self.query);
        self.raw = raw;
    }

    fn belongs_in_body(&self) -> bool {
        matches!(self.head.method.as_str(), "POST" | "PUT" | "PATCH") && !self.raw.is_empty()
    }

    /// 401, with the URL and the token in it (contract section 6, trap 7).
    fn unauthorised(&self, base_url: &str, rule: &'static str) -> Refusal {
        let shown = self.token.as_ref().map(|token| token.text.replace('/', "%2F")).unwrap_or_default();
        let url = format!("{base_url}{}?api_token={shown}", self.head.uri.path());
        refused(401, rule, &format!("You must be logged in to access this page: {url}"))
    }
}

impl<S: System> Desk<S> {
    async fn body(&self, body: Tapped) -> Result<Bytes, Outcome> {
        let wire = self.state().system.wire().clone();
        let limit = usize::try_from(wire.body_limit).unwrap_or(usize::MAX);
        match Limited::new(body, limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Outcome::Answer(refused(413, "body_limit", "too large").answer(&wire)))
            }
            // The client went away or broke the framing: there is nobody to answer.
            Err(_) => Err(Outcome::reset()),
        }
    }

    /// Logs a request that no operation saw.
    fn turn_away(
        &self,
        read: &Read<'_>,
        target: Option<&Target<S::Endpoint>>,
        fault: Option<&Fault>,
        outcome: Outcome,
    ) -> Outcome {
        let mut state = self.state();
        let mut entry = entry(&state, read, target, fault, None);
        entry.status = outcome.status();
        self.log(&mut state, entry);
        outcome
    }

    async fn answer(&self, read: &Read<'_>, target: &Target<S::Endpoint>, fault: Option<Fault>) -> Outcome {
        // Subscribed before the request is logged: a test that saw it there may release it at once.
        let mut releases = self.releases.subscribe();
        let (epoch, place, honest, wire) = self.act_and_log(read, target, fault.as_ref());
        let ending = ending(fault, &wire);
        match &ending {
            Ending::Late(delay) => clock::sleep(*delay).await,
            // The sender is part of `self`, which outlives this call.
            Ending::Held => releases.changed().await.unwrap_or_default(),
            _ => {}
        }
        let outcome = spoil(ending, honest);
        let mut state = self.state();
        if state.epoch == epoch
            && let Some(entry) = state.requests.get_mut(place)
        {
            entry.status = outcome.status();
        }
        outcome
    }

    /// Acts (unless a fault forbids it) and logs under one lock, so that no reader sees one without the other.
    fn act_and_log(
        &self,
        read: &Read<'_>,
        target: &Target<S::Endpoint>,
        fault: Option<&Fault>,
    ) -> (u64, usize, Answer, Wire) {
        let mut state = self.state();
        let revoked = fault == Some(&Fault::RevokeCredential);
        if let Some(token) = read.token.as_ref().filter(|_| revoked) {
            state.tokens.retain(|good| *good != token.text);
        }
        let acts = revoked || fault.is_none_or(Fault::acts);
        let done = acts.then(|| self.act(&mut state, read, target));
        let entry = entry(&state, read, Some(target), fault, done.as_ref());
        let wire = state.system.wire().clone();
        let honest = match done {
            Some(Ok(done)) => done.answer,
            Some(Err(refusal)) => limited(refusal.answer(&wire), &wire),
            None => Answer::text(200, ""),
        };
        let place = self.log(&mut state, entry);
        self.post_letters(&mut state);
        (state.epoch, place, honest, wire)
    }

    fn act(
        &self,
        state: &mut State<S>,
        read: &Read<'_>,
        target: &Target<S::Endpoint>,
    ) -> Result<Done, Refusal> {
        let now = state.timeline.now();
        let wire = state.system.wire();
        if wire.no_account {
            return Err(refused(422, "no_account", "There is no account with this name"));
        }
        if wire.calls_at_once.is_some_and(|limit| read.at_once > limit) {
            return Err(refused(429, "calls_at_once", "too many calls at once"));
        }
        let minute = now.minus(std::time::Duration::from_secs(60));
        let limit = wire.calls_per_minute;
        state.served.retain(|served| *served > minute);
        if limit.is_some_and(|limit| state.served.len() >= limit) {
            return Err(refused(429, "calls_per_minute", "too many calls"));
        }
        if limit.is_some() {
            state.served.push_back(now);
        }
        if !S::is_public(target.endpoint) {
            let wire = state.system.wire();
            let rule = token::refused(read.token.as_ref(), &state.tokens, wire, read.belongs_in_body());
            rule.map_or(Ok(()), |rule| Err(read.unauthorised(&self.base_url, rule)))?;
        }
        let (query, body, raw, headers) = (&read.query, &read.body, &read.raw, &read.head.headers);
        state.system.act(&Call { target, query, body, raw, headers, now })
    }
}

/// With the hint when to come back, if it is a 429.
fn limited(answer: Answer, wire: &Wire) -> Answer {
    match answer.status {
        429 => answer.with_header(http::header::RETRY_AFTER, &wire.retry_after),
        _ => answer,
    }
}

/// The common fault of an error inside 200 in this family's own shape.
fn ending(fault: Option<Fault>, wire: &Wire) -> Ending {
    match fault {
        // The refusal that follows is the service's own.
        None | Some(Fault::RevokeCredential) => Ending::Honest,
        Some(Fault::ErrorInside { code } | Fault::ActThenErrorInside { code }) => {
            let body = inside(&json!(code), wire).to_string();
            Ending::Scripted(Scripted::new(200).header("content-type", "application/json").body(body))
        }
        Some(fault) => fault.ending(),
    }
}

fn entry<S: System>(
    state: &State<S>,
    read: &Read<'_>,
    target: Option<&Target<S::Endpoint>>,
    fault: Option<&Fault>,
    done: Option<&Result<Done, Refusal>>,
) -> Request {
    let masked = |text: &str| token::masked(text, read.token.as_ref());
    let shown = read.raw.get(..SHOWN).unwrap_or(&read.raw);
    let refusal = done.and_then(|done| done.as_ref().err());
    let done = done.and_then(|done| done.as_ref().ok());
    Request {
        method: read.head.method.to_string(),
        path: read.head.uri.path().to_owned(),
        query: masked(read.head.uri.query().unwrap_or("")),
        endpoint: target.map(|target| name_of(&target.endpoint)),
        status: None,
        rule: refusal.map(|refusal| refusal.rule.to_owned()),
        fault: fault.map(|fault| fault.name().to_owned()),
        acted: done.is_some_and(|done| done.acted),
        token_in: read.token.as_ref().map(|token| token.place),
        ignored: done.map(|done| done.ignored.clone()).unwrap_or_default(),
        body: masked(&String::from_utf8_lossy(shown)),
        received_at: state.timeline.now().iso_micros(),
    }
}
