//! The control API of the simulated portal, below `/_sandbox/websync/`.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::apiges::{ClockOrder, clock_help, clock_order};
use super::{
    Outcomes, Wrong, failed, object, read_fault, read_known, take_name, take_when, when_help, wrong,
};
use crate::apiges::Apiges;
use crate::fault::Fault;
use crate::websync::{ContactRef, ReceiptEvent, Row, Settings, Twist, WebSync};

/// Serves one call; `path` begins with `/_sandbox/websync/`.
pub(super) async fn dispatch(
    portal: &WebSync,
    apiges: &Apiges,
    method: &str,
    path: &str,
    body: &Bytes,
) -> Outcomes {
    let segments: Vec<&str> = path.trim_matches('/').split('/').skip(2).collect();
    match (method, segments.as_slice()) {
        ("GET", [] | [""]) => Ok(help()),
        ("GET", ["state"]) => Ok(portal.snapshot()),
        ("GET", ["view", kind, code]) => shown(portal.view(&contact(kind, code))),
        ("GET", ["view", tag]) => shown(portal.view_of_union(tag)),
        ("GET", ["allowed", kind, code]) => Ok(json!(portal.allowed(apiges, &contact(kind, code)))),
        ("GET", ["differences"]) => Ok(json!({ "differences": portal.differences(apiges) })),
        ("GET", ["withdrawals"]) => Ok(json!(portal.withdrawals())),
        ("POST", ["groups", group]) => set_group(portal, group, &object(body)?),
        ("POST", ["messages"]) => write_message(portal, &object(body)?),
        ("POST", ["receipts"]) => make_receipt(portal, object(body)?),
        ("POST", ["hidden"]) => mark_hidden(portal, &object(body)?),
        ("POST", ["recorded"]) => {
            Ok(json!({ "contains": portal.recorded_contains(text(&object(body)?, "text")?) }))
        }
        ("POST", ["holds"]) => Ok(json!({ "contains": portal.holds(text(&object(body)?, "text")?) })),
        ("POST", ["faults"]) => add_fault(portal, object(body)?).await,
        ("POST", ["twists"]) => add_twist(portal, object(body)?),
        ("DELETE", ["faults"]) => clear_faults(portal).await,
        ("POST", ["release"]) => {
            portal.release_held();
            done()
        }
        ("POST", ["settings"]) => change_settings(portal, object(body)?),
        ("POST", ["clock"]) => set_clock(portal, &object(body)?),
        ("POST", ["token"]) => {
            portal.set_token(text(&object(body)?, "token")?);
            done()
        }
        _ => Err(Wrong { status: 404, error: format!("there is no {method} {path}"), allowed: routes() }),
    }
}

fn done() -> Outcomes {
    Ok(json!({ "ok": true }))
}

fn contact(kind: &str, code: &str) -> ContactRef {
    ContactRef::new(&crate::legale::decoded(kind), &crate::legale::decoded(code))
}

fn absent(what: &str) -> Wrong {
    Wrong { status: 404, error: format!("there is no such {what}"), allowed: routes() }
}

fn shown(view: Option<Value>) -> Outcomes {
    view.ok_or_else(|| absent("viewer"))
}

fn text<'a>(input: &'a Map<String, Value>, key: &str) -> Result<&'a str, Wrong> {
    input.get(key).and_then(Value::as_str).ok_or_else(|| wrong(format!("{key}: a text is needed"), routes()))
}

fn case(input: &Map<String, Value>) -> Result<i64, Wrong> {
    input.get("case").and_then(Value::as_i64).ok_or_else(|| wrong("case: a number is needed", routes()))
}

fn viewer(input: &Map<String, Value>) -> Result<ContactRef, Wrong> {
    let named = ContactRef::named(text(input, "viewer")?);
    named.ok_or_else(|| wrong("viewer: such as C/4879", routes()))
}

fn set_group(portal: &WebSync, group: &str, input: &Map<String, Value>) -> Outcomes {
    let members = input.get("members").and_then(Value::as_array).ok_or_else(|| wrong("members", routes()))?;
    let members: Option<Vec<ContactRef>> =
        members.iter().map(|member| ContactRef::named(member.as_str()?)).collect();
    portal.set_group(group, &members.ok_or_else(|| wrong("members: such as C/4879", routes()))?);
    done()
}

fn write_message(portal: &WebSync, input: &Map<String, Value>) -> Outcomes {
    let id = portal.viewer_writes(case(input)?, &viewer(input)?, text(input, "body")?);
    Ok(json!({ "messageId": id.ok_or_else(|| absent("case for this viewer"))? }))
}

fn make_receipt(portal: &WebSync, mut input: Map<String, Value>) -> Outcomes {
    let events = json!([ReceiptEvent::Delivered, ReceiptEvent::Read, ReceiptEvent::Acknowledged]);
    let event: ReceiptEvent = take_name(&mut input, "event", events)?;
    let id = portal.viewer_receives(text(&input, "message")?, &viewer(&input)?, event);
    Ok(json!({ "receiptId": id.ok_or_else(|| absent("message for this viewer"))? }))
}

fn mark_hidden(portal: &WebSync, input: &Map<String, Value>) -> Outcomes {
    let hidden = input.get("hidden") != Some(&json!(false));
    portal.mark_hidden(case(input)?, text(input, "annotation")?, text(input, "document")?, hidden);
    done()
}

async fn add_fault(portal: &WebSync, mut input: Map<String, Value>) -> Outcomes {
    if input.get("fault").and_then(Value::as_str) == Some("refuse_connections") {
        portal.refuse_connections().await.map_err(|error| failed(&error))?;
        return Ok(json!({ "ok": true, "until": "DELETE /_sandbox/websync/faults" }));
    }
    let row: Row = take_name(&mut input, "endpoint", json!(Row::ALL))?;
    let when = take_when(&mut input)?;
    let fault = read_fault(&input)?;
    portal.plan(row, fault.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": row, "fault": fault, "when": when }))
}

fn add_twist(portal: &WebSync, mut input: Map<String, Value>) -> Outcomes {
    let row: Row = take_name(&mut input, "endpoint", json!(Row::ALL))?;
    let when = take_when(&mut input)?;
    let twist: Twist = read_known("twist", &input, &json!(Twist::examples()))?;
    portal.plan_twist(row, twist.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": row, "twist": twist, "when": when }))
}

pub(super) async fn clear_faults(portal: &WebSync) -> Outcomes {
    portal.clear_faults();
    portal.accept_connections().await.map_err(|error| failed(&error))?;
    done()
}

fn change_settings(portal: &WebSync, input: Map<String, Value>) -> Outcomes {
    let mut merged = json!(portal.settings());
    if let Value::Object(fields) = &mut merged {
        fields.extend(input);
    }
    let settings: Settings = serde_json::from_value(merged)
        .map_err(|error| wrong(error.to_string(), json!(Settings::default())))?;
    portal.configure(|current| *current = settings.clone());
    Ok(json!({ "ok": true, "settings": settings }))
}

fn set_clock(portal: &WebSync, input: &Map<String, Value>) -> Outcomes {
    match clock_order(input)? {
        ClockOrder::Set(seconds) => portal.set_clock(seconds),
        ClockOrder::Advance(by) => portal.advance_clock(by),
        ClockOrder::Stop => portal.stop_clock(),
        ClockOrder::Run => portal.run_clock(),
    }
    done()
}

fn routes() -> Value {
    json!({
        "GET /_sandbox/websync/": "this page",
        "GET /_sandbox/websync/state": "grants, counts, executions, requests, faults, twists, settings",
        "GET /_sandbox/websync/view/{kind}/{code}": "what this contact sees",
        "GET /_sandbox/websync/view/{pairTag}": "what the administrator of a union sees",
        "GET /_sandbox/websync/allowed/{kind}/{code}": "what he may see by section 4.3",
        "GET /_sandbox/websync/differences": "where the portal shows something else than it may",
        "GET /_sandbox/websync/withdrawals": "what was withdrawn",
        "POST /_sandbox/websync/groups/{group}": { "members": ["C/4879", "C/4880"] },
        "POST /_sandbox/websync/messages": { "case": 3992, "viewer": "C/4879", "body": "Hola" },
        "POST /_sandbox/websync/receipts": { "message": "id", "viewer": "C/4879", "event": "read" },
        "POST /_sandbox/websync/hidden": { "case": 3992, "annotation": "1", "document": "1", "hidden": true },
        "POST /_sandbox/websync/recorded": { "text": "is it anywhere in what was sent?" },
        "POST /_sandbox/websync/holds": { "text": "is it anywhere in what the portal holds?" },
        "POST /_sandbox/websync/faults": "a row, a fault with its parameters, and when it strikes",
        "POST /_sandbox/websync/twists": "a row, a twist with its parameters, and when it strikes",
        "DELETE /_sandbox/websync/faults": "forgets faults and twists, releases what is held, accepts connections",
        "POST /_sandbox/websync/release": "lets go what is held",
        "POST /_sandbox/websync/clock": clock_help(),
        "POST /_sandbox/websync/token": "makes {token} the only good credential",
        "POST /_sandbox/websync/settings": "changes the settings that are given",
    })
}

fn help() -> Value {
    json!({
        "routes": routes(),
        "endpoints": Row::ALL,
        "faults": Fault::examples(),
        "fault_without_endpoint": { "fault": "refuse_connections" },
        "twists": Twist::examples(),
        "when": when_help(),
        "settings": Settings::default(),
        "example": { "endpoint": "W30", "fault": "act_then_reset", "times": 2 },
    })
}
