//! One request from socket to answer: route, fault, body, action, log, and whatever the fault makes of the answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, CONTENT_LENGTH};
use http::request::Parts;
use http_body_util::BodyExt;

use super::office::{Call, Done};
use super::records::Request;
use super::refusal::{Language, Reason, Refusal};
use super::route::{Route, Target, route};
use super::settings::{Endpoint, Settings};
use super::{Shared, State};
use crate::answer::{Answer, Outcome, spoil};
use crate::clock;
use crate::fault::{Ending, Fault};
use crate::server::{self, Handler};
use crate::sieve::{Refused, Sieve, Sieved};
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
        let (target, fault) = match self.route(&head) {
            Ok(found) => found,
            Err(answer) => return self.turn_away(&head, None, None, Outcome::Answer(answer)),
        };
        tape::struck(&head, fault.as_ref().map(Fault::name), None);
        if fault == Some(Fault::ResetBeforeBody) {
            return self.turn_away(&head, Some(target.endpoint), fault.as_ref(), Outcome::reset());
        }
        match self.read(&head, body).await {
            Ok(body) => self.serve(&head, &body, &target, fault).await,
            Err(outcome) => self.turn_away(&head, Some(target.endpoint), fault.as_ref(), outcome),
        }
    }
}

impl Shared {
    /// The operation and the fault that strikes it, or why there is none.
    fn route(&self, head: &Parts) -> Result<(Target, Option<Fault>), Answer> {
        let mut state = self.state();
        let settings = &state.office.settings;
        let refused = |reason: Reason| Refusal::from(reason).answer(settings, language(head));
        let query = head.uri.query().unwrap_or("");
        match route(head.method.as_str(), head.uri.path(), query, settings) {
            Route::Known(target) => {
                let fault = state.faults.take(&target.endpoint);
                Ok((target, fault))
            }
            Route::Slash(path) => Err(Answer::text(301, "moved")
                .with_header(http::header::LOCATION, format!("{}{path}", self.base_url))),
            Route::Method => Err(refused(Reason::Method)),
            Route::Unknown => Err(refused(Reason::Absent)),
        }
    }

    /// Logs a request that no operation saw.
    fn turn_away(
        &self,
        head: &Parts,
        endpoint: Option<Endpoint>,
        fault: Option<&Fault>,
        outcome: Outcome,
    ) -> Outcome {
        let mut state = self.state();
        let mut entry = entry(&state, head, &Sieved::nothing(), endpoint, fault, None);
        entry.status = outcome.status();
        self.push(&mut state, entry);
        outcome
    }

    /// Reads the body as it arrives; files go to disk on the way.
    async fn read(&self, head: &Parts, mut body: Tapped) -> Result<Sieved, Outcome> {
        let settings = self.settings_now();
        let too_large = || Outcome::Answer(Refusal::from(Reason::TooLarge).answer(&settings, language(head)));
        let announced =
            head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > settings.body_limit) {
            return Err(too_large());
        }
        let mut sieve = Sieve::new();
        while let Some(frame) = body.frame().await {
            // The client went away or broke the framing: there is nobody to answer.
            let frame = frame.map_err(|_| Outcome::reset())?;
            let data: Bytes = frame.into_data().unwrap_or_default();
            match sieve.feed(&data) {
                Ok(()) if sieve.total() <= settings.body_limit => {}
                Ok(()) | Err(Refused::TooLarge) => return Err(too_large()),
                Err(Refused::Disk(error)) => {
                    tracing::warn!(%error, "no room for a file");
                    let refusal = Refusal::from(Reason::Storage);
                    return Err(Outcome::Answer(refusal.answer(&settings, language(head))));
                }
            }
        }
        Ok(sieve.finish())
    }

    async fn serve(&self, head: &Parts, body: &Sieved, target: &Target, fault: Option<Fault>) -> Outcome {
        // Subscribed before the request is logged: a test that saw it there may release it at once.
        let mut releases = self.releases.subscribe();
        let (place, honest) = self.act_and_log(head, body, target, fault.as_ref());
        let ending = match fault {
            // The refusal that follows is the service's own.
            None | Some(Fault::RevokeCredential) => Ending::Honest,
            Some(fault) => fault.ending(),
        };
        match &ending {
            Ending::Late(delay) => clock::sleep(*delay).await,
            // The sender is part of `self`, which outlives this call.
            Ending::Held => releases.changed().await.unwrap_or_default(),
            _ => {}
        }
        let outcome = spoil(ending, honest);
        self.set_status(place, outcome.status());
        outcome
    }

    /// Acts (unless a fault forbids it) and logs under one lock, so that no reader sees one without the other.
    fn act_and_log(
        &self,
        head: &Parts,
        body: &Sieved,
        target: &Target,
        fault: Option<&Fault>,
    ) -> (Place, Answer) {
        let mut state = self.state();
        let revoked = fault == Some(&Fault::RevokeCredential);
        if revoked {
            state.office.accounts.revoke_shown(&head.headers);
        }
        let acts = revoked || fault.is_none_or(Fault::acts);
        let moment = state.timeline.now();
        let done = acts.then(|| state.office.act(&Call { target, headers: &head.headers, body, moment }));
        let entry = entry(&state, head, body, Some(target.endpoint), fault, done.as_ref());
        let settings = &state.office.settings;
        let honest = match done {
            Some(Ok(done)) => done.reply.answer(settings),
            Some(Err(refusal)) => refusal.answer(settings, language(head)),
            None => Answer::text(200, ""),
        };
        let place = self.push(&mut state, entry);
        self.post_letters(&mut state);
        (place, honest)
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

    pub(super) fn settings_now(&self) -> Settings {
        self.state().office.settings.clone()
    }
}

fn language(head: &Parts) -> Language {
    Language::accepted(head.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
}

fn entry(
    state: &State,
    head: &Parts,
    body: &Sieved,
    endpoint: Option<Endpoint>,
    fault: Option<&Fault>,
    done: Option<&Result<Done, Refusal>>,
) -> Request {
    let refusal = done.and_then(|done| done.as_ref().err());
    Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        endpoint,
        status: None,
        code: refusal.and_then(|refusal| refusal.code(&state.office.settings)),
        rule: refusal.map(|refusal| refusal.rule().to_owned()),
        fault: fault.map(|fault| fault.name().to_owned()),
        acted: done.is_some_and(|done| done.as_ref().is_ok_and(|done| done.acted)),
        // A password has no place in a log that a page shows.
        body: if endpoint == Some(Endpoint::Login) { String::new() } else { body.shown() },
        body_bytes: body.total(),
        received_at: state.timeline.now().iso_micros(),
    }
}
