//! The control API of the simulated Sugester and BitFactura, below `/_sandbox/sugester/` and `/_sandbox/bitfactura/`.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{
    Outcomes, Wrong, failed, object, read_fault, read_known, take_name, take_when, when_help, wrong,
};
use crate::bitfactura::{BitFactura, WebhookFault};
use crate::crm::desk::{Desk, System, name_of};
use crate::fault::Fault;
use crate::sugester::Sugester;

/// Serves one call about Sugester.
pub(super) async fn sugester(handle: &Sugester, method: &str, path: &str, body: &Bytes) -> Outcomes {
    match (method, segments(path).as_slice()) {
        ("POST", ["seed"]) => {
            let input = object(body)?;
            handle.seed(number(&input, "clients"), number(&input, "seed"));
            done()
        }
        _ => dispatch(&handle.0, method, path, body).await,
    }
}

/// Serves one call about BitFactura.
pub(super) async fn bitfactura(handle: &BitFactura, method: &str, path: &str, body: &Bytes) -> Outcomes {
    match (method, segments(path).as_slice()) {
        ("POST", ["seed"]) => {
            let input = object(body)?;
            handle.seed(number(&input, "clients"), number(&input, "invoices"), number(&input, "seed"));
            done()
        }
        ("POST", ["webhook-faults"]) => add_webhook_fault(handle, object(body)?),
        ("POST", ["webhooks", row, "sync"]) => {
            let row = row.parse().map_err(|_| wrong("the id of a row is needed", routes()))?;
            Ok(json!({ "ok": true, "posted": handle.fire_sync(row) }))
        }
        _ => dispatch(&handle.0, method, path, body).await,
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.trim_matches('/').split('/').skip(2).collect()
}

async fn dispatch<S: System>(desk: &Desk<S>, method: &str, path: &str, body: &Bytes) -> Outcomes {
    match (method, segments(path).as_slice()) {
        ("GET", [] | [""]) => Ok(help::<S>()),
        ("GET", ["state"]) => Ok(desk.snapshot()),
        ("GET", ["records", table]) => Ok(json!(desk.records(named::<S>(table)?))),
        ("POST", ["records", table]) => add(desk, named::<S>(table)?, &object(body)?),
        ("PATCH" | "PUT", ["records", table, id]) => {
            edit(desk, named::<S>(table)?, parsed(id)?, &object(body)?)
        }
        ("DELETE", ["records", table, id]) => remove(desk, named::<S>(table)?, parsed(id)?),
        ("POST", ["faults"]) => add_fault(desk, object(body)?).await,
        ("DELETE", ["faults"]) => clear_faults(desk).await,
        ("POST", ["release"]) => {
            desk.release_held();
            done()
        }
        ("POST", ["settings"]) => change_settings(desk, object(body)?),
        ("POST", ["clock"]) => set_clock(desk, &object(body)?),
        ("POST", ["tokens"]) => add_token(desk, &object(body)?),
        _ => Err(Wrong { status: 404, error: format!("there is no {method} {path}"), allowed: routes() }),
    }
}

fn done() -> Outcomes {
    Ok(json!({ "ok": true }))
}

fn number(input: &Map<String, Value>, key: &str) -> u64 {
    input.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn parsed(id: &str) -> Result<u64, Wrong> {
    id.parse().map_err(|_| wrong(format!("{id} is no id"), routes()))
}

fn named<S: System>(table: &str) -> Result<S::Table, Wrong> {
    let missing = || wrong(format!("{table} is no table"), json!(S::TABLES));
    serde_json::from_value(json!(table)).map_err(|_| missing())
}

fn add<S: System>(desk: &Desk<S>, table: S::Table, fields: &Map<String, Value>) -> Outcomes {
    let added = desk.by_hand(|system, now| system.add(table, fields, now));
    let id = added.map_err(|refusal| refused(refusal.text()))?;
    Ok(json!({ "ok": true, "id": id, "record": desk.record(table, id) }))
}

fn edit<S: System>(desk: &Desk<S>, table: S::Table, id: u64, fields: &Map<String, Value>) -> Outcomes {
    let edited = desk.by_hand(|system, now| system.edit(table, id, fields, now));
    edited.map_err(|refusal| refused(refusal.text()))?;
    Ok(json!({ "ok": true, "record": desk.record(table, id) }))
}

fn remove<S: System>(desk: &Desk<S>, table: S::Table, id: u64) -> Outcomes {
    desk.by_hand(|system, now| system.remove(table, id, now)).map_err(|refusal| refused(refusal.text()))?;
    done()
}

/// 409: the service's own rules are against it.
fn refused(text: String) -> Wrong {
    Wrong { status: 409, error: text, allowed: Value::Null }
}

async fn add_fault<S: System>(desk: &Desk<S>, mut input: Map<String, Value>) -> Outcomes {
    if input.get("fault").and_then(Value::as_str) == Some("refuse_connections") {
        desk.set_open(false).await.map_err(|error| failed(&error))?;
        return Ok(json!({ "ok": true, "until": "DELETE …/faults" }));
    }
    let endpoint: S::Endpoint = take_name(&mut input, "endpoint", json!(S::ENDPOINTS))?;
    let when = take_when(&mut input)?;
    let fault = read_fault(&input)?;
    desk.plan(endpoint, fault.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": endpoint, "fault": fault, "when": when }))
}

pub(super) async fn clear_faults<S: System>(desk: &Desk<S>) -> Outcomes {
    desk.clear_faults();
    desk.set_open(true).await.map_err(|error| failed(&error))?;
    done()
}

/// Without `kind`, for every kind.
fn add_webhook_fault(handle: &BitFactura, mut input: Map<String, Value>) -> Outcomes {
    let kind = input.remove("kind").and_then(|kind| kind.as_str().map(ToOwned::to_owned));
    let when = take_when(&mut input)?;
    let fault: WebhookFault = read_known("fault", &input, &json!(WebhookFault::examples()))?;
    handle.plan_webhook(kind.as_deref(), fault.clone(), when.clone());
    Ok(json!({ "ok": true, "kind": kind, "fault": fault, "when": when }))
}

/// What is given is changed, inside `wire`, too.
fn change_settings<S: System>(desk: &Desk<S>, mut input: Map<String, Value>) -> Outcomes {
    let mut merged = json!(desk.state().system.settings());
    if let (Some(Value::Object(wire)), Some(known)) = (input.remove("wire"), merged.get_mut("wire")) {
        known.as_object_mut().into_iter().for_each(|known| known.extend(wire.clone()));
    }
    if let Value::Object(fields) = &mut merged {
        fields.extend(input);
    }
    let settings: S::Settings = serde_json::from_value(merged)
        .map_err(|error| wrong(error.to_string(), json!(S::Settings::default())))?;
    *desk.state().system.settings() = settings.clone();
    Ok(json!({ "ok": true, "settings": settings }))
}

/// `{"advance_seconds": N}`, `{"stop": true}`, `{"run": true}`
fn set_clock<S: System>(desk: &Desk<S>, input: &Map<String, Value>) -> Outcomes {
    let mut understood = false;
    if input.get("stop") == Some(&json!(true)) {
        desk.state().timeline.stop();
        understood = true;
    }
    if let Some(seconds) = input.get("advance_seconds").and_then(Value::as_u64) {
        desk.advance_clock(Duration::from_secs(seconds));
        understood = true;
    }
    if input.get("run") == Some(&json!(true)) {
        desk.state().timeline.run();
        understood = true;
    }
    if understood { done() } else { Err(wrong("clock: cannot be read", clock_help())) }
}

fn add_token<S: System>(desk: &Desk<S>, input: &Map<String, Value>) -> Outcomes {
    let token = input.get("api_token").and_then(Value::as_str);
    let token = token.ok_or_else(|| wrong("api_token: a text is needed", routes()))?;
    desk.state().tokens.push(token.to_owned());
    done()
}

fn clock_help() -> Value {
    json!([{ "advance_seconds": 3600 }, { "stop": true }, { "run": true }])
}

fn routes() -> Value {
    json!({
        "GET …/": "this page",
        "GET …/state": "records, counts of creations, webhooks, mails, requests, faults, settings",
        "POST …/seed": { "clients": 10_000, "invoices": 30_000, "seed": 7 },
        "GET …/records/{table}": "all records of a table",
        "POST …/records/{table}": "adds a record, as a person in the web page would",
        "PATCH …/records/{table}/{id}": "changes the fields that are given, as a person would",
        "DELETE …/records/{table}/{id}": "deletes a record, as a person would",
        "POST …/faults": "an endpoint, a fault with its parameters, and when it strikes",
        "DELETE …/faults": "forgets all faults, releases what is held, accepts connections",
        "POST …/webhook-faults": "BitFactura: a kind (or none), a fault with its parameters, and when it strikes",
        "POST …/webhooks/{id}/sync": "BitFactura: posts every client to this row",
        "POST …/release": "lets go what is held",
        "POST …/clock": clock_help(),
        "POST …/tokens": "adds {api_token}",
        "POST …/settings": "changes the settings that are given",
    })
}

fn help<S: System>() -> Value {
    json!({
        "routes": routes(),
        "endpoints": S::ENDPOINTS,
        "tables": S::TABLES.iter().map(name_of).collect::<Vec<_>>(),
        "faults": Fault::examples(),
        "fault_without_endpoint": { "fault": "refuse_connections" },
        "webhook_faults": WebhookFault::examples(),
        "when": when_help(),
        "settings": S::Settings::default(),
        "example": { "endpoint": name_of(&S::ENDPOINTS.first()), "fault": "act_then_reset", "times": 2 },
    })
}
