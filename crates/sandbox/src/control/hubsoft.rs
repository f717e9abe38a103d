//! The control API of the simulated HubSoft, below `/_sandbox/hubsoft/`.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Outcomes, Wrong, failed, object, read_fault, take_name, take_when, when_help, wrong};
use crate::fault::Fault;
use crate::hubsoft::{Endpoint, HubSoft, Settings};

/// Serves one call; `path` begins with `/_sandbox/hubsoft/`.
pub(super) async fn dispatch(hubsoft: &HubSoft, method: &str, path: &str, body: &Bytes) -> Outcomes {
    let segments: Vec<&str> = path.trim_matches('/').split('/').skip(2).collect();
    match (method, segments.as_slice()) {
        ("GET", [] | [""]) => Ok(help()),
        ("GET", ["state"]) => Ok(hubsoft.snapshot()),
        ("POST", ["faults"]) => add_fault(hubsoft, object(body)?).await,
        ("DELETE", ["faults"]) => clear_faults(hubsoft).await,
        ("POST", ["settings"]) => change_settings(hubsoft, object(body)?),
        ("POST", ["statuses"]) => set_status(hubsoft, &object(body)?),
        ("POST", ["tokens", "revoke"]) => {
            hubsoft.revoke_tokens();
            done()
        }
        _ => Err(Wrong { status: 404, error: format!("there is no {method} {path}"), allowed: routes() }),
    }
}

fn done() -> Outcomes {
    Ok(json!({ "ok": true }))
}

async fn add_fault(hubsoft: &HubSoft, mut input: Map<String, Value>) -> Outcomes {
    if input.get("fault").and_then(Value::as_str) == Some("refuse_connections") {
        hubsoft.set_open(false).await.map_err(|error| failed(&error))?;
        return Ok(json!({ "ok": true, "until": "DELETE /_sandbox/hubsoft/faults" }));
    }
    let endpoint: Endpoint = take_name(&mut input, "endpoint", json!(Endpoint::ALL))?;
    let when = take_when(&mut input)?;
    let fault = read_fault(&input)?;
    hubsoft.plan(endpoint, fault.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": endpoint, "fault": fault, "when": when }))
}

pub(super) async fn clear_faults(hubsoft: &HubSoft) -> Outcomes {
    hubsoft.clear_faults();
    hubsoft.set_open(true).await.map_err(|error| failed(&error))?;
    done()
}

fn change_settings(hubsoft: &HubSoft, input: Map<String, Value>) -> Outcomes {
    let mut merged = json!(hubsoft.settings());
    if let Value::Object(fields) = &mut merged {
        fields.extend(input);
    }
    let settings: Settings = serde_json::from_value(merged)
        .map_err(|error| wrong(error.to_string(), json!(Settings::default())))?;
    hubsoft.configure(|current| *current = settings.clone());
    Ok(json!({ "ok": true, "settings": settings }))
}

/// `{"contrato": 100000, "status": "suspenso_debito"}`
fn set_status(hubsoft: &HubSoft, input: &Map<String, Value>) -> Outcomes {
    let contract = input.get("contrato").and_then(Value::as_u64).and_then(|one| u32::try_from(one).ok());
    let status = input.get("status").and_then(Value::as_str);
    let (contract, status) =
        contract.zip(status).ok_or_else(|| wrong("contrato: a number, status: a text", routes()))?;
    hubsoft.set_status(contract, status);
    done()
}

fn routes() -> Value {
    json!({
        "GET /_sandbox/hubsoft/": "this page",
        "GET /_sandbox/hubsoft/state": "credentials, logins, requests, faults, settings",
        "POST /_sandbox/hubsoft/faults": "an endpoint, a fault with its parameters, and when it strikes",
        "DELETE /_sandbox/hubsoft/faults": "forgets faults and accepts connections",
        "POST /_sandbox/hubsoft/statuses": { "contrato": 100_000, "status": "suspenso_debito" },
        "POST /_sandbox/hubsoft/tokens/revoke": "ends every token",
        "POST /_sandbox/hubsoft/settings": "changes the settings that are given",
    })
}

fn help() -> Value {
    json!({
        "routes": routes(),
        "endpoints": Endpoint::ALL,
        "faults": Fault::examples(),
        "fault_without_endpoint": { "fault": "refuse_connections" },
        "when": when_help(),
        "settings": Settings::default(),
    })
}
