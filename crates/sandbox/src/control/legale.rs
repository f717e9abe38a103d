//! The control API of the simulated Legale, below `/_sandbox/legale/`.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{
    Outcomes, Wrong, failed, object, read_fault, read_known, take_name, take_when, when_help, wrong,
};
use crate::fault::Fault;
use crate::legale::{CallbackFault, CallbackKind, Endpoint, Legale, Settings, Step, StepRefused};

/// Serves one call; `path` begins with `/_sandbox/legale/`.
pub(super) async fn dispatch(legale: &Legale, method: &str, path: &str, body: &Bytes) -> Outcomes {
    let segments: Vec<&str> = path.trim_matches('/').split('/').skip(2).collect();
    match (method, segments.as_slice()) {
        ("GET", [] | [""]) => Ok(help()),
        ("GET", ["state"]) => Ok(legale.snapshot()),
        ("POST", ["faults"]) => add_fault(legale, object(body)?).await,
        ("DELETE", ["faults"]) => clear_faults(legale).await,
        ("POST", ["callback-faults"]) => add_callback_fault(legale, object(body)?),
        ("POST", ["release"]) => {
            legale.release_held();
            done()
        }
        ("POST", ["settings"]) => change_settings(legale, object(body)?),
        ("POST", ["clock"]) => set_clock(legale, &object(body)?),
        ("POST", ["accounts"]) => add_account(legale, &object(body)?),
        ("POST", ["sessions", "revoke"]) => {
            legale.revoke_sessions();
            done()
        }
        ("POST", ["keys", "revoke"]) => {
            legale.revoke_api_key(text(&object(body)?, "api_key")?);
            done()
        }
        ("POST", ["web-uploads"]) => upload(legale, &object(body)?),
        ("POST", ["callbacks"]) => post_callback(legale, &object(body)?),
        ("POST", ["documents", guid, action]) => administer(legale, &decoded(guid), action, body),
        ("POST", ["documents", guid, "signers", number, step]) => {
            walk(legale, &decoded(guid), number, step, body)
        }
        _ => Err(Wrong { status: 404, error: format!("there is no {method} {path}"), allowed: routes() }),
    }
}

fn done() -> Outcomes {
    Ok(json!({ "ok": true }))
}

async fn add_fault(legale: &Legale, mut input: Map<String, Value>) -> Outcomes {
    if input.get("fault").and_then(Value::as_str) == Some("refuse_connections") {
        legale.refuse_connections().await.map_err(|error| failed(&error))?;
        return Ok(json!({ "ok": true, "until": "DELETE /_sandbox/legale/faults" }));
    }
    let endpoint: Endpoint = take_name(&mut input, "endpoint", json!(Endpoint::ALL))?;
    let when = take_when(&mut input)?;
    let fault = read_fault(&input)?;
    legale.plan(endpoint, fault.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": endpoint, "fault": fault, "when": when }))
}

pub(super) async fn clear_faults(legale: &Legale) -> Outcomes {
    legale.clear_faults();
    legale.accept_connections().await.map_err(|error| failed(&error))?;
    done()
}

fn add_callback_fault(legale: &Legale, mut input: Map<String, Value>) -> Outcomes {
    let kind: CallbackKind = take_name(&mut input, "kind", json!(CallbackKind::ALL))?;
    let when = take_when(&mut input)?;
    let fault: CallbackFault = read_known("fault", &input, &json!(CallbackFault::examples()))?;
    legale.plan_callback(kind, fault.clone(), when.clone());
    Ok(json!({ "ok": true, "kind": kind, "fault": fault, "when": when }))
}

fn change_settings(legale: &Legale, input: Map<String, Value>) -> Outcomes {
    let mut merged = json!(legale.settings());
    if let Value::Object(fields) = &mut merged {
        fields.extend(input);
    }
    let settings: Settings = serde_json::from_value(merged)
        .map_err(|error| wrong(error.to_string(), json!(Settings::default())))?;
    legale.configure(|current| *current = settings.clone());
    Ok(json!({ "ok": true, "settings": settings }))
}

/// `{"advance_seconds": N}`, `{"stop": true}`, `{"run": true}`
fn set_clock(legale: &Legale, input: &Map<String, Value>) -> Outcomes {
    let mut understood = false;
    if input.get("stop") == Some(&json!(true)) {
        legale.stop_clock();
        understood = true;
    }
    if let Some(seconds) = input.get("advance_seconds").and_then(Value::as_u64) {
        legale.advance_clock(Duration::from_secs(seconds));
        understood = true;
    }
    if input.get("run") == Some(&json!(true)) {
        legale.run_clock();
        understood = true;
    }
    if understood { done() } else { Err(wrong("clock: cannot be read", clock_help())) }
}

fn text<'a>(input: &'a Map<String, Value>, key: &str) -> Result<&'a str, Wrong> {
    input.get(key).and_then(Value::as_str).ok_or_else(|| wrong(format!("{key}: a text is needed"), routes()))
}

fn add_account(legale: &Legale, input: &Map<String, Value>) -> Outcomes {
    Ok(json!(legale.add_account(text(input, "email")?, text(input, "password")?)))
}

fn upload(legale: &Legale, input: &Map<String, Value>) -> Outcomes {
    let guid = legale.upload_in_web_app(text(input, "file_name")?, text(input, "content")?.as_bytes());
    Ok(json!({ "ok": true, "GUID": guid }))
}

fn post_callback(legale: &Legale, input: &Map<String, Value>) -> Outcomes {
    let url = text(input, "url")?;
    let headers = input.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
    let headers: Vec<(&str, &str)> =
        headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    legale.post_callback(url, &headers, input.get("body").cloned().unwrap_or_default());
    done()
}

/// The body, which may be missing.
fn optional_object(body: &Bytes) -> Result<Map<String, Value>, Wrong> {
    if body.is_empty() { Ok(Map::new()) } else { object(body) }
}

fn walk(legale: &Legale, guid: &str, number: &str, step: &str, body: &Bytes) -> Outcomes {
    let input = optional_object(body)?;
    let comment = input.get("comment").and_then(Value::as_str).unwrap_or("");
    let step = match step {
        "open" => Step::Open,
        "sign" => Step::Sign,
        "reject" => Step::Reject,
        other => return Err(wrong(format!("{other} is no step"), json!(["open", "sign", "reject"]))),
    };
    let number = number.parse().map_err(|_| wrong("signers count from 1", json!(1)))?;
    match legale.step(guid, number, step, comment) {
        Ok(()) => Ok(json!({ "ok": true, "document": legale.document(guid) })),
        Err(refused) => Err(refusal(refused)),
    }
}

/// 404 for what is not there, 409 for what cannot be done now.
fn refusal(refused: StepRefused) -> Wrong {
    let absent = matches!(refused, StepRefused::NoDocument | StepRefused::NoSigner);
    Wrong { status: if absent { 404 } else { 409 }, error: refused.to_string(), allowed: json!(refused) }
}

fn administer(legale: &Legale, guid: &str, action: &str, body: &Bytes) -> Outcomes {
    let days = optional_object(body)?.get("days").and_then(Value::as_u64).unwrap_or(1);
    let known = match action {
        "pause" => legale.pause(guid, true),
        "resume" => legale.pause(guid, false),
        "terminate" => legale.terminate(guid),
        "extend" => legale.extend(guid, days),
        "delete" => legale.delete(guid),
        "delete-after-callback" => legale.delete_after_callback(guid, true),
        other => return Err(wrong(format!("{other} is no action"), json!(ACTIONS))),
    };
    if known { done() } else { Err(refusal(StepRefused::NoDocument)) }
}

const ACTIONS: [&str; 6] = ["pause", "resume", "terminate", "extend", "delete", "delete-after-callback"];

/// GUIDs are opaque, so they come escaped.
fn decoded(segment: &str) -> String {
    crate::legale::decoded(segment)
}

fn clock_help() -> Value {
    json!([{ "advance_seconds": 18_000 }, { "stop": true }, { "run": true }])
}

fn routes() -> Value {
    json!({
        "GET /_sandbox/legale/": "this page",
        "GET /_sandbox/legale/state": "documents with signers, contacts, logins, mails, callbacks, requests, faults, settings",
        "POST /_sandbox/legale/documents/{GUID}/signers/{n}/{open|sign|reject}": "signer n, from 1, acts; reject takes a comment",
        "POST /_sandbox/legale/documents/{GUID}/{action}": ACTIONS,
        "POST /_sandbox/legale/faults": "an endpoint, a fault with its parameters, and when it strikes",
        "DELETE /_sandbox/legale/faults": "forgets all faults, releases what is held, accepts connections",
        "POST /_sandbox/legale/callback-faults": "a kind, a fault with its parameters, and when it strikes",
        "POST /_sandbox/legale/callbacks": "posts {url, headers, body}: a replay or a forgery",
        "POST /_sandbox/legale/release": "lets go what is held",
        "POST /_sandbox/legale/clock": clock_help(),
        "POST /_sandbox/legale/sessions/revoke": "ends every session",
        "POST /_sandbox/legale/keys/revoke": "revokes {api_key}",
        "POST /_sandbox/legale/accounts": "adds {email, password} and answers its credentials",
        "POST /_sandbox/legale/web-uploads": "adds {file_name, content} as the web app does",
        "POST /_sandbox/legale/settings": "changes the settings that are given",
    })
}

fn help() -> Value {
    json!({
        "routes": routes(),
        "endpoints": Endpoint::ALL,
        "faults": Fault::examples(),
        "fault_without_endpoint": { "fault": "refuse_connections" },
        "callback_kinds": CallbackKind::ALL,
        "callback_faults": CallbackFault::examples(),
        "when": when_help(),
        "settings": Settings::default(),
        "example": { "endpoint": "create", "fault": "act_then_reset", "times": 2 },
    })
}
