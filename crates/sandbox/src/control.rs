//! The control API under `/_sandbox/`: the same switches as the Rust API, for programs in any language.
//!
//! Whoever sends something wrong is told what, and what would have been right.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Outcome};
use crate::apiges::Apiges;
use crate::bitfactura::BitFactura;
use crate::fault::{Fault, Troubled, When};
use crate::fiscal::{Endpoint, Fiscal, Issuer, Settings};
use crate::geosite::GeoSite;
use crate::hubsoft::HubSoft;
use crate::kept::{self, Kept};
use crate::legale::Legale;
use crate::server::{Handler, Request};
use crate::sugester::Sugester;
use crate::tape::Tape;
use crate::veil::Veil;
use crate::websync::WebSync;

mod apiges;
mod crm;
mod geosite;
mod hubsoft;
mod legale;
mod openapi;
mod websync;

/// Largest body that the control API reads.
const BODY_LIMIT: usize = 1024 * 1024;

/// Largest state that can be put back.
pub(crate) const STATE_LIMIT: usize = 256 * 1024 * 1024;

/// The control API of one sandbox.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) fiscal: Fiscal,
    pub(crate) legale: Legale,
    pub(crate) sugester: Sugester,
    pub(crate) bitfactura: BitFactura,
    pub(crate) geosite: GeoSite,
    pub(crate) hubsoft: HubSoft,
    pub(crate) apiges: Apiges,
    pub(crate) websync: WebSync,
    /// Requests to all of them.
    pub(crate) tape: Arc<Tape>,
    /// Where this is served.
    pub(crate) url: String,
}

/// A refusal: what is wrong, and what is allowed.
#[derive(Debug)]
struct Wrong {
    status: u16,
    error: String,
    allowed: Value,
}

fn wrong(error: impl Into<String>, allowed: Value) -> Wrong {
    Wrong { status: 400, error: error.into(), allowed }
}

type Outcomes = Result<Value, Wrong>;

impl Handler for Control {
    async fn handle(self: Arc<Self>, request: Request) -> Outcome {
        let (head, body) = request.into_parts();
        if let Some(document) = openapi::answer(&self, &head.method, head.uri.path()) {
            return Outcome::Answer(document);
        }
        let limit = if head.uri.path() == "/_sandbox/state" { STATE_LIMIT } else { BODY_LIMIT };
        let outcome = match Limited::new(body, limit).collect().await {
            Ok(body) => self.dispatch(&head.method, head.uri.path(), &body.to_bytes()).await,
            Err(error) => Err(wrong(format!("the body cannot be read: {error}"), json!(null))),
        };
        Outcome::Answer(outcome.map_or_else(|wrong| refusal(&wrong), |value| Answer::json(200, &value)))
    }
}

fn refusal(wrong: &Wrong) -> Answer {
    Answer::json(wrong.status, &json!({ "error": wrong.error, "allowed": wrong.allowed }))
}

impl Control {
    /// Does something with what hides the credentials of all services.
    pub(crate) fn veiled<T>(&self, work: impl FnOnce(&Veil) -> T) -> T {
        let tokens =
            [self.fiscal.token(), self.sugester.token(), self.bitfactura.token(), self.websync.token()];
        let legale = [self.legale.api_key(), self.legale.password(), self.legale.legacy_token()];
        let passwords = [self.geosite.password(), self.hubsoft.password(), self.apiges.password()];
        let hubsoft = [self.hubsoft.client_secret(), self.hubsoft.clear_text_password()];
        work(&Veil::new(tokens.into_iter().chain(legale).chain(passwords).chain(hubsoft)))
    }

    /// Does what a call of the control API would do; an error says what is wrong, in words.
    pub(crate) async fn order(&self, method: &Method, path: &str, body: &Value) -> Result<Value, String> {
        let body = Bytes::from(body.to_string());
        self.dispatch(method, path, &body).await.map_err(|wrong| wrong.error)
    }

    /// Every service under its name, as one whose state can be kept.
    pub(crate) fn kept(&self) -> [(&'static str, &dyn Kept); 8] {
        [
            ("fiscal", &self.fiscal),
            ("legale", &self.legale),
            ("sugester", &self.sugester),
            ("bitfactura", &self.bitfactura),
            ("geosite", &self.geosite),
            ("hubsoft", &self.hubsoft),
            ("apiges", &self.apiges),
            ("websync", &self.websync),
        ]
    }

    /// The states of all services as one value.
    pub(crate) fn export(&self) -> Result<Value, String> {
        kept::export(&self.kept())
    }

    /// Puts back what [`export`](Self::export) gave, wholly or not at all.
    pub(crate) fn import(&self, state: Value) -> Result<(), String> {
        kept::import(&self.kept(), state)
    }

    /// Every service under its name, as one that can be told to misbehave.
    pub(crate) fn troubled(&self) -> [(&'static str, &dyn Troubled); 8] {
        [
            ("fiscal", &self.fiscal),
            ("legale", &self.legale),
            ("sugester", &self.sugester),
            ("bitfactura", &self.bitfactura),
            ("geosite", &self.geosite),
            ("hubsoft", &self.hubsoft),
            ("apiges", &self.apiges),
            ("websync", &self.websync),
        ]
    }

    async fn dispatch(&self, method: &Method, path: &str, body: &Bytes) -> Outcomes {
        match (method.as_str(), path) {
            ("GET", "/_sandbox" | "/_sandbox/") => Ok(help()),
            ("GET", "/_sandbox/fiscal/") => Ok(help()),
            ("GET", "/_sandbox/fiscal/state") => Ok(self.fiscal.snapshot()),
            ("POST", "/_sandbox/fiscal/faults") => self.add_fault(object(body)?).await,
            ("DELETE", "/_sandbox/fiscal/faults") => self.clear_faults().await,
            ("POST", "/_sandbox/fiscal/release") => self.release(),
            ("POST", "/_sandbox/fiscal/issuers") => self.add_issuer(object(body)?),
            ("POST", "/_sandbox/fiscal/settings") => self.change_settings(object(body)?),
            ("POST", "/_sandbox/reset") => self.reset().await,
            ("GET", "/_sandbox/state") => {
                self.export().map_err(|what| Wrong { status: 500, ..wrong(what, json!(null)) })
            }
            ("POST", "/_sandbox/state") => {
                let state = serde_json::from_slice(body)
                    .map_err(|error| wrong(format!("not JSON: {error}"), json!(null)))?;
                self.import(state).map_err(|what| wrong(what, json!(null)))?;
                Ok(json!({ "ok": true }))
            }
            ("DELETE", "/_sandbox/faults") => self.clear_all_faults().await,
            (method, path) if path.starts_with("/_sandbox/legale/") => {
                legale::dispatch(&self.legale, method, path, body).await
            }
            (method, path) if path.starts_with("/_sandbox/sugester/") => {
                crm::sugester(&self.sugester, method, path, body).await
            }
            (method, path) if path.starts_with("/_sandbox/bitfactura/") => {
                crm::bitfactura(&self.bitfactura, method, path, body).await
            }
            (method, path) if path.starts_with("/_sandbox/geosite/") => {
                geosite::dispatch(&self.geosite, method, path, body).await
            }
            (method, path) if path.starts_with("/_sandbox/hubsoft/") => {
                hubsoft::dispatch(&self.hubsoft, method, path, body).await
            }
            (method, path) if path.starts_with("/_sandbox/apiges/") => {
                apiges::dispatch(&self.apiges, method, path, body).await
            }
            (method, path) if path.starts_with("/_sandbox/websync/") => {
                websync::dispatch(&self.websync, &self.apiges, method, path, body).await
            }
            _ => Err(Wrong { status: 404, error: format!("there is no {method} {path}"), allowed: routes() }),
        }
    }

    async fn add_fault(&self, mut input: Map<String, Value>) -> Outcomes {
        if input.get("fault").and_then(Value::as_str) == Some("refuse_connections") {
            self.fiscal.refuse_connections().await.map_err(|error| failed(&error))?;
            return Ok(json!({ "ok": true, "until": "DELETE /_sandbox/fiscal/faults" }));
        }
        let endpoint = take_endpoint(&mut input)?;
        let when = take_when(&mut input)?;
        let fault = read_fault(&input)?;
        self.fiscal.plan(endpoint, fault.clone(), when.clone());
        Ok(json!({ "ok": true, "endpoint": endpoint, "fault": fault, "when": when }))
    }

    async fn clear_faults(&self) -> Outcomes {
        self.fiscal.clear_faults();
        self.fiscal.accept_connections().await.map_err(|error| failed(&error))?;
        Ok(json!({ "ok": true }))
    }

    fn release(&self) -> Outcomes {
        self.fiscal.release_held();
        Ok(json!({ "ok": true }))
    }

    fn add_issuer(&self, input: Map<String, Value>) -> Outcomes {
        let allowed = json!(Issuer::new("V-12345678-1"));
        let issuer: Issuer =
            serde_json::from_value(input.into()).map_err(|error| wrong(error.to_string(), allowed))?;
        Ok(json!({ "issuer": issuer.clone(), "token": self.fiscal.add_issuer(issuer) }))
    }

    fn change_settings(&self, mut input: Map<String, Value>) -> Outcomes {
        let left = input.remove("control_numbers_left");
        let mut merged = json!(self.fiscal.settings());
        if let Value::Object(fields) = &mut merged {
            fields.extend(input);
        }
        let settings: Settings =
            serde_json::from_value(merged).map_err(|error| wrong(error.to_string(), settings_help()))?;
        left.map_or(Ok(()), |left| self.set_left(&left))?;
        self.fiscal.configure(|current| *current = settings.clone());
        Ok(json!({ "ok": true, "settings": settings }))
    }

    /// `{"RIF": number or null}`
    fn set_left(&self, input: &Value) -> Result<(), Wrong> {
        let bad = |what: &str| wrong(format!("control_numbers_left: {what}"), settings_help());
        for (rif, left) in input.as_object().ok_or_else(|| bad("not an object"))? {
            if !(left.is_null() || left.is_u64()) {
                return Err(bad("neither a whole number nor null"));
            }
            self.fiscal.set_left(rif, left.as_u64()).then_some(()).ok_or_else(|| bad("no such issuer"))?;
        }
        Ok(())
    }

    async fn reset(&self) -> Outcomes {
        self.fiscal.reset();
        self.legale.reset();
        self.sugester.reset();
        self.bitfactura.reset();
        self.geosite.reset();
        self.hubsoft.reset();
        self.apiges.reset();
        self.websync.reset();
        self.clear_all_faults().await
    }

    /// Forgets the faults of every service, and accepts connections everywhere.
    async fn clear_all_faults(&self) -> Outcomes {
        legale::clear_faults(&self.legale).await?;
        crm::clear_faults(&self.sugester.0).await?;
        crm::clear_faults(&self.bitfactura.0).await?;
        geosite::clear_faults(&self.geosite).await?;
        hubsoft::clear_faults(&self.hubsoft).await?;
        apiges::clear_faults(&self.apiges).await?;
        websync::clear_faults(&self.websync).await?;
        self.clear_faults().await
    }
}

fn failed(error: &crate::error::Error) -> Wrong {
    Wrong { status: 500, error: error.to_string(), allowed: json!(null) }
}

fn object(body: &Bytes) -> Result<Map<String, Value>, Wrong> {
    serde_json::from_slice(body).map_err(|error| wrong(format!("not a JSON object: {error}"), help()))
}

fn take_endpoint(input: &mut Map<String, Value>) -> Result<Endpoint, Wrong> {
    take_name(input, "endpoint", json!(Endpoint::ALL))
}

/// Takes the value under `key`, which is one of `allowed`.
fn take_name<T: DeserializeOwned>(
    input: &mut Map<String, Value>,
    key: &str,
    allowed: Value,
) -> Result<T, Wrong> {
    let named = input.remove(key).unwrap_or_default();
    serde_json::from_value(named.clone()).map_err(|_| wrong(format!("{key}: {named} is not one"), allowed))
}

/// One of `times`, `always` and `probability` with `seed`; once if none is given.
fn take_when(input: &mut Map<String, Value>) -> Result<When, Wrong> {
    let keys = ["times", "always", "probability", "seed"];
    let given = keys.map(|key| input.remove(key));
    match &given {
        [None, None, None, None] => Some(When::Times(1)),
        [Some(times), None, None, None] => times_of(times),
        [None, Some(Value::Bool(true)), None, None] => Some(When::Always),
        [None, None, Some(probability), seed] => random(probability, seed.as_ref()),
        _ => None,
    }
    .ok_or_else(|| wrong("when: cannot be read", when_help()))
}

fn times_of(times: &Value) -> Option<When> {
    times.as_u64().and_then(|times| u32::try_from(times).ok()).map(When::Times)
}

fn random(probability: &Value, seed: Option<&Value>) -> Option<When> {
    let probability = probability.as_f64().filter(|share| (0.0..=1.0).contains(share))?;
    let seed = seed.map_or(Some(0), Value::as_u64)?;
    Some(When::Random { probability, seed })
}

fn read_fault(input: &Map<String, Value>) -> Result<Fault, Wrong> {
    read_known("fault", input, &json!(Fault::examples()))
}

/// Reads an object, and refuses keys that it does not have: a misspelt one would silently do nothing.
fn read_known<T: DeserializeOwned + Serialize>(
    what: &str,
    input: &Map<String, Value>,
    allowed: &Value,
) -> Result<T, Wrong> {
    let read: T = serde_json::from_value(Value::Object(input.clone()))
        .map_err(|error| wrong(format!("{what}: {error}"), allowed.clone()))?;
    let known = json!(read);
    match input.keys().find(|key| known.get(key).is_none()) {
        Some(unknown) => Err(wrong(format!("{what}: it has no {unknown}"), allowed.clone())),
        None => Ok(read),
    }
}

fn when_help() -> Value {
    json!([{}, { "times": 3 }, { "always": true }, { "probability": 0.2, "seed": 7 }])
}

fn settings_help() -> Value {
    json!({
        "spelling": ["observed", "documented", "both"],
        "burn_numbers": [true, false],
        "leaky_rollback": [false, true],
        "probes": [false, true],
        "body_limit": "bytes",
        "control_numbers_left": { "J-12345678-4": "whole number, or null for no end" },
    })
}

fn routes() -> Value {
    json!({
        "GET /_sandbox/": "this page",
        "GET /_sandbox/openapi/": "the OpenAPI documents, by service",
        "GET /_sandbox/openapi/{service}.json": "one of them, with this sandbox as its server",
        "GET /_sandbox/fiscal/state": "issuers, documents, mails, requests, pending faults, settings",
        "POST /_sandbox/fiscal/faults": "an endpoint, a fault with its parameters, and when it strikes",
        "DELETE /_sandbox/fiscal/faults": "forgets all faults, releases held answers, accepts connections",
        "POST /_sandbox/fiscal/release": "lets answers go that act_then_hold holds back",
        "POST /_sandbox/fiscal/issuers": "adds an issuer and answers its token",
        "POST /_sandbox/fiscal/settings": "changes the settings that are given",
        "GET /_sandbox/legale/": "the same help for legale",
        "GET /_sandbox/sugester/": "the same help for Sugester",
        "GET /_sandbox/bitfactura/": "the same help for BitFactura",
        "GET /_sandbox/geosite/": "the same help for geosite",
        "GET /_sandbox/hubsoft/": "the same help for hubsoft",
        "GET /_sandbox/apiges/": "the same help for the case-management program",
        "GET /_sandbox/websync/": "the same help for its portal",
        "DELETE /_sandbox/faults": "forgets the faults of all services, and accepts connections everywhere",
        "GET /_sandbox/state": "the state of all services, to be kept",
        "POST /_sandbox/state": "puts such a state back, wholly or not at all",
        "POST /_sandbox/reset": "everything back to the beginning",
    })
}

fn help() -> Value {
    json!({
        "routes": routes(),
        "endpoints": Endpoint::ALL,
        "faults": Fault::examples(),
        "fault_without_endpoint": { "fault": "refuse_connections" },
        "when": when_help(),
        "issuer": Issuer::new("V-12345678-1"),
        "settings": settings_help(),
        "example": { "endpoint": "issue", "fault": "act_then_reset", "times": 2 },
    })
}

#[cfg(test)]
mod tests;
