//! One request from socket to answer: route, fault, twist, body, action, log, and what becomes of the answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::office::{Answered, Call};
use super::records::Request;
use super::route::route;
use super::settings::{Endpoint, Spot};
use super::twist::Twist;
use super::{Shared, State};
use crate::answer::{self, Answer, Outcome, spoil};
use crate::clock;
use crate::fault::{Ending, Fault};
use crate::server::{self, Handler};
use crate::tape::{self, Tapped};

/// Where the log entry of a request is.
#[derive(Debug, Clone, Copy)]
struct Place {
    epoch: u64,
    index: usize,
}

/// A request with what is to go wrong with it.
struct Struck {
    spot: Spot,
    fault: Option<Fault>,
    twist: Option<Twist>,
}

impl Handler for Shared {
    fn resets_connection(&self) -> bool {
        let mut state = self.state();
        state.connections += 1;
        state.faults.resets_connection()
    }

    async fn handle(self: Arc<Self>, request: server::Request) -> Outcome {
        let (head, body) = request.into_parts();
        let Some(struck) = self.route(&head) else {
            return self.turn_away(&head, None, Outcome::Answer(Answer::text(404, "Not Found")));
        };
        tape::struck(&head, struck.fault.as_ref().map(Fault::name), struck.twist.as_ref().map(Twist::name));
        if struck.fault == Some(Fault::ResetBeforeBody) {
            return self.turn_away(&head, Some(&struck), Outcome::reset());
        }
        match self.read(body).await {
            Ok(body) => self.serve(&head, &body, struck).await,
            Err(outcome) => self.turn_away(&head, Some(&struck), outcome),
        }
    }
}

impl Shared {
    /// The operation, and what is to go wrong with it: first what was planned for its feature.
    fn route(&self, head: &Parts) -> Option<Struck> {
        let mut state = self.state();
        let legacy = state.office.settings.legacy_auth;
        let spot = route(head.method.as_str(), head.uri.path(), legacy)?;
        let any = Spot { feature: None, ..spot };
        let own = spot.feature.and_then(|_| state.faults.take(&spot));
        let fault = own.or_else(|| state.faults.take(&any));
        let own = spot.feature.and_then(|_| state.twists.next(&spot));
        let twist = own.or_else(|| state.twists.next(&any));
        Some(Struck { spot, fault, twist })
    }

    /// Logs a request that no operation saw.
    fn turn_away(&self, head: &Parts, struck: Option<&Struck>, outcome: Outcome) -> Outcome {
        let mut state = self.state();
        let mut entry = entry(&state, head, &Bytes::new(), struck);
        entry.status = outcome.status();
        self.push(&mut state, entry);
        outcome
    }

    async fn read(&self, body: Tapped) -> Result<Bytes, Outcome> {
        let limit = self.state().office.settings.body_limit;
        match Limited::new(body, limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(Outcome::Answer(Answer::text(413, "Payload Too Large")))
            }
            // The client went away or broke the framing: there is nobody to answer.
            Err(_) => Err(Outcome::reset()),
        }
    }

    async fn serve(&self, head: &Parts, body: &Bytes, struck: Struck) -> Outcome {
        // Subscribed before the request is logged: a test that saw it there may release it at once.
        let mut releases = self.releases.subscribe();
        let (place, honest) = self.act_and_log(head, body, &struck);
        let ending = match struck.fault {
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
        let stalls = struck.twist == Some(Twist::Stall) && ending == Ending::Honest;
        let outcome = if stalls { answer::stalled_head(&honest) } else { spoil(ending, honest) };
        self.set_status(place, outcome.status());
        outcome
    }

    /// Acts (unless a fault forbids it) and logs under one lock, so that no reader sees one without the other.
    fn act_and_log(&self, head: &Parts, body: &Bytes, struck: &Struck) -> (Place, Answer) {
        let mut state = self.state();
        let authorization = text(head, &AUTHORIZATION);
        let revoked = struck.fault == Some(Fault::RevokeCredential);
        if revoked {
            state.office.desk.revoke(authorization);
        }
        let acts = revoked || struck.fault.as_ref().is_none_or(Fault::acts);
        let call = Call {
            spot: struck.spot,
            query: head.uri.query().unwrap_or(""),
            authorization,
            body,
            twist: struck.twist.as_ref(),
            now: state.timeline.now(),
        };
        let answered = if acts { Some(state.office.act(&call)) } else { None };
        let mut entry = entry(&state, head, body, Some(struck));
        entry.acted = matches!(answered, Some(Ok(_)));
        let place = self.push(&mut state, entry);
        let offset = state.office.settings.date_offset;
        let honest = answered.map_or_else(|| Answer::text(200, ""), |answered| written(answered, struck));
        (place, honest.with_header(http::header::DATE, call.now.shifted(offset).http_date()))
    }

    fn push(&self, state: &mut State, entry: Request) -> Place {
        tracing::debug!(path = entry.path, fault = entry.fault, twist = entry.twist, acted = entry.acted);
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

/// A refusal stays what it is; a success may be replaced.
fn written(answered: Answered, struck: &Struck) -> Answer {
    match answered {
        Ok(body) => match struck.twist.as_ref().and_then(Twist::replacement) {
            Some(twisted) => Answer::json(200, &twisted),
            None => Answer::new(200, answer::JSON, body),
        },
        Err(failure) => Answer::json(failure.status, &failure.body),
    }
}

fn text<'a>(head: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

fn entry(state: &State, head: &Parts, body: &Bytes, struck: Option<&Struck>) -> Request {
    let endpoint = struck.map(|struck| struck.spot.endpoint);
    let query = head.uri.query().unwrap_or("").to_owned();
    let header = |name: &HeaderName| text(head, name).map(str::to_owned);
    Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        // A password has no place in a log that a page shows; nor has one in the URL of a route that is off.
        query: if head.uri.path().ends_with("/auth/token") { "…".to_owned() } else { query },
        spot: struck.map(|struck| struck.spot),
        status: None,
        fault: struck.and_then(|struck| Some(struck.fault.as_ref()?.name().to_owned())),
        twist: struck.and_then(|struck| Some(struck.twist.as_ref()?.name().to_owned())),
        acted: false,
        user_agent: header(&USER_AGENT),
        accept: header(&ACCEPT),
        content_type: header(&CONTENT_TYPE),
        body: if endpoint == Some(Endpoint::Login) {
            String::new()
        } else {
            String::from_utf8_lossy(body).into_owned()
        },
        at: state.timeline.now().epoch(),
    }
}
