//! One request from socket to answer: route, fault, body, action, log.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http_body_util::{BodyExt, Limited};

use super::office::Call;
use super::{Endpoint, Request, Shared};
use crate::answer::{Answer, Outcome, spoil};
use crate::clock;
use crate::fault::{Ending, Fault};
use crate::geosite::parameters;
use crate::server::{self, Handler};
use crate::tape;

const BODY_LIMIT: usize = 64 * 1024;

fn route(method: &str, path: &str) -> Option<Endpoint> {
    match (method, path) {
        ("POST", "/oauth/token") => Some(Endpoint::Token),
        ("GET", "/api/v1/integracao/cliente") => Some(Endpoint::Customer),
        ("GET", "/api/v1/integracao/cliente/todos") => Some(Endpoint::Customers),
        ("GET", "/api/v1/integracao/rede/caixa_optica") => Some(Endpoint::Boxes),
        _ => None,
    }
}

impl Handler for Shared {
    fn resets_connection(&self) -> bool {
        self.state().faults.resets_connection()
    }

    async fn handle(self: Arc<Self>, request: server::Request) -> Outcome {
        let (head, body) = request.into_parts();
        let endpoint = route(head.method.as_str(), head.uri.path());
        let fault = endpoint.and_then(|endpoint| self.state().faults.take(&endpoint));
        tape::struck(&head, fault.as_ref().map(Fault::name), None);
        let entry = Request {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or("").to_owned(),
            endpoint,
            status: None,
            fault: fault.as_ref().map(|fault| fault.name().to_owned()),
        };
        let Some(endpoint) = endpoint else {
            return self.log(entry, Outcome::Answer(Answer::text(404, "Not Found")));
        };
        if fault == Some(Fault::ResetBeforeBody) {
            return self.log(entry, Outcome::reset());
        }
        let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
            return self.log(entry, Outcome::reset());
        };
        let call = Call {
            endpoint,
            parameters: parameters(&entry.query),
            authorization: head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()),
            body: &body.to_bytes(),
        };
        let honest = self.act(&call, fault.as_ref());
        let ending = match fault {
            None | Some(Fault::RevokeCredential) => Ending::Honest,
            Some(fault) => fault.ending(),
        };
        if let Ending::Late(delay) = &ending {
            clock::sleep(*delay).await;
        }
        self.log(entry, spoil(ending, honest))
    }
}

impl Shared {
    fn act(&self, call: &Call<'_>, fault: Option<&Fault>) -> Answer {
        let mut state = self.state();
        let revoked = fault == Some(&Fault::RevokeCredential);
        if revoked {
            state.tokens.clear();
        }
        let acts = revoked || fault.is_none_or(Fault::acts);
        if acts { state.act(call, &self.geosite) } else { Answer::text(200, "") }
    }

    fn log(&self, entry: Request, outcome: Outcome) -> Outcome {
        self.state().requests.push(Request { status: outcome.status(), ..entry });
        outcome
    }
}
