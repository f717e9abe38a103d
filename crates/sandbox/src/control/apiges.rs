//! The control API of the simulated case-management program, below `/_sandbox/apiges/`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{
    Outcomes, Wrong, failed, object, read_fault, read_known, take_name, take_when, when_help, wrong,
};
use crate::apiges::{Apiges, Document, Endpoint, Lang, Refused, Role, Seed, Settings, Twist};
use crate::fault::Fault;

/// Serves one call; `path` begins with `/_sandbox/apiges/`.
pub(super) async fn dispatch(apiges: &Apiges, method: &str, path: &str, body: &Bytes) -> Outcomes {
    let segments: Vec<&str> = path.trim_matches('/').split('/').skip(2).collect();
    match (method, segments.as_slice()) {
        ("GET", [] | [""]) => Ok(help()),
        ("GET", ["state"]) => Ok(apiges.snapshot()),
        ("POST", ["seed"]) => seed(apiges, object(body)?),
        ("GET", ["contacts"]) => Ok(contacts(apiges)),
        ("POST", ["contacts"]) => added(apiges.add_contact(&object(body)?.into())),
        (_, ["contacts", id, rest @ ..]) => one_contact(apiges, method, number(id)?, rest, body),
        ("GET", ["files"]) => Ok(json!({ "ids": apiges.file_ids() })),
        ("POST", ["files"]) => added(apiges.add_file(&object(body)?.into())),
        (_, ["files", id, rest @ ..]) => one_file(apiges, method, number(id)?, rest, body),
        ("POST", ["recorded"]) => {
            Ok(json!({ "contains": apiges.recorded_contains(text(&object(body)?, "text")?) }))
        }
        ("POST", ["faults"]) => add_fault(apiges, object(body)?).await,
        ("POST", ["twists"]) => add_twist(apiges, object(body)?),
        ("DELETE", ["faults"]) => clear_faults(apiges).await,
        ("POST", ["release"]) => {
            apiges.release_held();
            done()
        }
        ("POST", ["settings"]) => change_settings(apiges, object(body)?),
        ("POST", ["clock"]) => set_clock(apiges, &object(body)?),
        ("POST", ["accounts"]) => add_account(apiges, &object(body)?),
        ("POST", ["tokens", "revoke"]) => {
            apiges.revoke_tokens();
            done()
        }
        _ => Err(Wrong { status: 404, error: format!("there is no {method} {path}"), allowed: routes() }),
    }
}

fn done() -> Outcomes {
    Ok(json!({ "ok": true }))
}

fn refusal(refused: &Refused) -> Wrong {
    let status = match refused {
        Refused::Absent(_) => 404,
        Refused::Taken(_) => 409,
        Refused::Value(_) => 400,
    };
    Wrong { status, error: refused.to_string(), allowed: routes() }
}

fn settled(outcome: Result<(), Refused>) -> Outcomes {
    outcome.map_err(|refused| refusal(&refused)).and_then(|()| done())
}

fn added<T: Into<Value>>(outcome: Result<T, Refused>) -> Outcomes {
    let id: Value = outcome.map_err(|refused| refusal(&refused))?.into();
    Ok(json!({ "ok": true, "id": id }))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|_| wrong(format!("{text}: a number is needed"), routes()))
}

fn text<'a>(input: &'a Map<String, Value>, key: &str) -> Result<&'a str, Wrong> {
    input.get(key).and_then(Value::as_str).ok_or_else(|| wrong(format!("{key}: a text is needed"), routes()))
}

fn seed(apiges: &Apiges, input: Map<String, Value>) -> Outcomes {
    let example = json!(Seed::new(500, 20_000));
    let seed: Seed =
        serde_json::from_value(input.into()).map_err(|error| wrong(error.to_string(), example))?;
    apiges.seed(seed);
    Ok(json!({ "ok": true, "seed": seed }))
}

fn contacts(apiges: &Apiges) -> Value {
    let rows = apiges.contacts().into_iter();
    rows.map(|(id, kind, code)| json!({ "id": id, "kind": kind, "code": code })).collect()
}

fn one_contact(apiges: &Apiges, method: &str, id: i64, rest: &[&str], body: &Bytes) -> Outcomes {
    match (method, rest) {
        ("GET", []) => apiges.contact(id).ok_or_else(|| refusal(&Refused::Absent(id))),
        ("POST", []) => settled(apiges.edit_contact(id, &object(body)?.into())),
        ("POST", ["rename"]) => settled(apiges.rename_contact(id, text(&object(body)?, "code")?)),
        _ => Err(Wrong { status: 404, error: format!("there is no {method} of that"), allowed: routes() }),
    }
}

fn one_file(apiges: &Apiges, method: &str, id: i64, rest: &[&str], body: &Bytes) -> Outcomes {
    match (method, rest) {
        ("GET", []) => apiges.file(id, Lang::Es).ok_or_else(|| refusal(&Refused::Absent(id))),
        ("POST", []) => settled(apiges.edit_file(id, &object(body)?.into())),
        ("DELETE", []) => settled(apiges.remove_file(id)),
        ("POST", ["close"]) => settled(apiges.close_file(id)),
        ("POST", ["reopen"]) => settled(apiges.reopen_file(id)),
        ("POST", ["move"]) => move_file(apiges, id, object(body)?),
        ("POST", ["graphic"]) => set_graphic(apiges, id, &object(body)?),
        ("POST", ["annotations"]) => added(apiges.add_annotation(id, text(&object(body)?, "asunto")?)),
        ("DELETE", ["annotations", note]) => settled(apiges.remove_annotation(id, number(note)?)),
        ("POST", ["annotations", note, "documents"]) => {
            added(apiges.add_document(id, number(note)?, document(&object(body)?)?))
        }
        ("DELETE", ["annotations", note, "documents", document]) => {
            settled(apiges.remove_document(id, number(note)?, number(document)?))
        }
        ("POST", ["annotations", note, "documents", document, "hide"]) => {
            let hidden = object(body)?.get("hidden").and_then(Value::as_bool);
            settled(apiges.hide_document(id, number(note)?, number(document)?, hidden))
        }
        _ => Err(Wrong { status: 404, error: format!("there is no {method} of that"), allowed: routes() }),
    }
}

fn move_file(apiges: &Apiges, id: i64, mut input: Map<String, Value>) -> Outcomes {
    let roles = json!([Role::Client, Role::Intermediary, Role::Agent]);
    let role: Role = take_name(&mut input, "role", roles)?;
    let contact = input.get("contact").and_then(Value::as_i64);
    settled(apiges.move_file(id, role, contact))
}

fn bytes(input: &Map<String, Value>) -> Result<Vec<u8>, Wrong> {
    let encoded = input.get("base64").and_then(Value::as_str).unwrap_or_default();
    STANDARD.decode(encoded).map_err(|_| wrong("base64: cannot be decoded", routes()))
}

fn set_graphic(apiges: &Apiges, id: i64, input: &Map<String, Value>) -> Outcomes {
    let bytes = bytes(input)?;
    let media_type = if bytes.is_empty() { "" } else { text(input, "mediaType")? };
    settled(apiges.set_graphic(id, media_type, &bytes))
}

/// `hidden` left out is false, null is a missing flag.
fn document(input: &Map<String, Value>) -> Result<Document, Wrong> {
    let document = Document::new(text(input, "name")?, text(input, "mediaType")?, bytes(input)?);
    let hidden = input.get("hidden").map_or(Some(false), Value::as_bool);
    let document = document.hidden(hidden);
    Ok(if input.get("external") == Some(&json!(true)) { document.external() } else { document })
}

fn add_account(apiges: &Apiges, input: &Map<String, Value>) -> Outcomes {
    apiges.add_account(text(input, "username")?, text(input, "password")?);
    done()
}

async fn add_fault(apiges: &Apiges, mut input: Map<String, Value>) -> Outcomes {
    if input.get("fault").and_then(Value::as_str) == Some("refuse_connections") {
        apiges.refuse_connections().await.map_err(|error| failed(&error))?;
        return Ok(json!({ "ok": true, "until": "DELETE /_sandbox/apiges/faults" }));
    }
    let endpoint: Endpoint = take_name(&mut input, "endpoint", json!(Endpoint::ALL))?;
    let when = take_when(&mut input)?;
    let fault = read_fault(&input)?;
    apiges.plan(endpoint, fault.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": endpoint, "fault": fault, "when": when }))
}

fn add_twist(apiges: &Apiges, mut input: Map<String, Value>) -> Outcomes {
    let endpoint: Endpoint = take_name(&mut input, "endpoint", json!(Endpoint::ALL))?;
    let when = take_when(&mut input)?;
    let twist: Twist = read_known("twist", &input, &json!(Twist::examples()))?;
    apiges.plan_twist(endpoint, twist.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": endpoint, "twist": twist, "when": when }))
}

pub(super) async fn clear_faults(apiges: &Apiges) -> Outcomes {
    apiges.clear_faults();
    apiges.accept_connections().await.map_err(|error| failed(&error))?;
    done()
}

fn change_settings(apiges: &Apiges, input: Map<String, Value>) -> Outcomes {
    let mut merged = json!(apiges.settings());
    if let Value::Object(fields) = &mut merged {
        fields.extend(input);
    }
    let settings: Settings = serde_json::from_value(merged)
        .map_err(|error| wrong(error.to_string(), json!(Settings::default())))?;
    apiges.configure(|current| *current = settings.clone());
    Ok(json!({ "ok": true, "settings": settings }))
}

fn set_clock(apiges: &Apiges, input: &Map<String, Value>) -> Outcomes {
    match clock_order(input)? {
        ClockOrder::Set(seconds) => apiges.set_clock(seconds),
        ClockOrder::Advance(by) => apiges.advance_clock(by),
        ClockOrder::Stop => apiges.stop_clock(),
        ClockOrder::Run => apiges.run_clock(),
    }
    done()
}

/// What to do with a clock.
pub(super) enum ClockOrder {
    Set(i64),
    Advance(Duration),
    Stop,
    Run,
}

pub(super) fn clock_help() -> Value {
    json!([{ "set": 1_700_452_800 }, { "advance_seconds": 86400 }, { "stop": true }, { "run": true }])
}

pub(super) fn clock_order(input: &Map<String, Value>) -> Result<ClockOrder, Wrong> {
    let yes = |key: &str| input.get(key) == Some(&json!(true));
    let set = input.get("set").and_then(Value::as_i64).map(ClockOrder::Set);
    let by = input.get("advance_seconds").and_then(Value::as_u64);
    let order = set.or_else(|| by.map(Duration::from_secs).map(ClockOrder::Advance));
    let order = order.or_else(|| yes("stop").then_some(ClockOrder::Stop));
    order
        .or_else(|| yes("run").then_some(ClockOrder::Run))
        .ok_or_else(|| wrong("clock: cannot be read", clock_help()))
}

fn routes() -> Value {
    json!({
        "GET /_sandbox/apiges/": "this page",
        "GET /_sandbox/apiges/state": "counts, logins, requests, faults, twists, settings",
        "POST /_sandbox/apiges/seed": "a made-up firm in the place of this one",
        "GET /_sandbox/apiges/contacts": "id, kind and code of every contact",
        "POST /_sandbox/apiges/contacts": "adds one, or answers the id of the one that is there",
        "GET /_sandbox/apiges/contacts/{id}": "the contact",
        "POST /_sandbox/apiges/contacts/{id}": "changes fields",
        "POST /_sandbox/apiges/contacts/{id}/rename": { "code": "4880" },
        "GET /_sandbox/apiges/files": "every id",
        "POST /_sandbox/apiges/files": { "idCliente": 1001, "denominacion": "SOL", "modalidad": "M", "clases": ["9"] },
        "GET /_sandbox/apiges/files/{id}": "the file",
        "POST /_sandbox/apiges/files/{id}": "changes fields",
        "DELETE /_sandbox/apiges/files/{id}": "takes it away",
        "POST /_sandbox/apiges/files/{id}/close": "state Baja",
        "POST /_sandbox/apiges/files/{id}/reopen": "state Alta",
        "POST /_sandbox/apiges/files/{id}/move": { "role": "idCliente", "contact": 1002 },
        "POST /_sandbox/apiges/files/{id}/graphic": { "mediaType": "image/png", "base64": "iVBORw==" },
        "POST /_sandbox/apiges/files/{id}/annotations": { "asunto": "Carta" },
        "DELETE /_sandbox/apiges/files/{id}/annotations/{id}": "takes a note away",
        "POST /_sandbox/apiges/files/{id}/annotations/{id}/documents":
            { "name": "a.pdf", "mediaType": "application/pdf", "base64": "JVBERi0=", "hidden": false, "external": false },
        "DELETE /_sandbox/apiges/files/{id}/annotations/{id}/documents/{id}": "takes a document away",
        "POST /_sandbox/apiges/files/{id}/annotations/{id}/documents/{id}/hide": { "hidden": true },
        "POST /_sandbox/apiges/recorded": { "text": "is it anywhere in what was sent?" },
        "POST /_sandbox/apiges/faults": "an endpoint, a fault with its parameters, and when it strikes",
        "POST /_sandbox/apiges/twists": "an endpoint, a twist with its parameters, and when it strikes",
        "DELETE /_sandbox/apiges/faults": "forgets faults and twists, releases what is held, accepts connections",
        "POST /_sandbox/apiges/release": "lets go what is held",
        "POST /_sandbox/apiges/clock": clock_help(),
        "POST /_sandbox/apiges/tokens/revoke": "ends every token",
        "POST /_sandbox/apiges/accounts": "adds {username, password}",
        "POST /_sandbox/apiges/settings": "changes the settings that are given",
    })
}

fn help() -> Value {
    json!({
        "routes": routes(),
        "endpoints": Endpoint::ALL,
        "faults": Fault::examples(),
        "fault_without_endpoint": { "fault": "refuse_connections" },
        "twists": Twist::examples(),
        "seed": Seed::new(500, 20_000),
        "when": when_help(),
        "settings": Settings::default(),
        "example": { "endpoint": "search_files", "fault": "revoke_credential", "times": 1 },
    })
}
