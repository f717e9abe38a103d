//! The control API over HTTP: what the Rust API does, for programs in any language.

use integration_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::*;

async fn order(sandbox: &Sandbox, method: &str, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(sandbox.control_url(), method, &format!("/_sandbox/legale/{path}"), "", body.as_bytes()).await
}

#[tokio::test]
async fn a_signing_walks_through_by_http() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let legale = sandbox.legale();
    let guid = started(legale, json!({ "callback_url": receiver.url }), json!({})).await;
    let step = async |number: &str, step: &str, body: Value| {
        order(&sandbox, "POST", &format!("documents/{guid}/signers/{number}/{step}"), body).await
    };
    let early = step("2", "sign", Value::Null).await;
    assert_eq!((early.status, &early.json()["allowed"]), (409, &json!("not_his_turn")));
    assert_eq!(step("3", "sign", Value::Null).await.status, 404);
    assert_eq!(step("x", "sign", Value::Null).await.status, 400);
    assert_eq!(step("1", "dance", Value::Null).await.status, 400);
    assert_eq!(order(&sandbox, "POST", "documents/x/signers/1/sign", Value::Null).await.status, 404);
    assert_eq!(step("1", "open", Value::Null).await.status, 200);
    assert_eq!(step("1", "sign", Value::Null).await.json()["document"]["signers"][0]["state"], "signed");
    assert_eq!(step("2", "reject", json!({ "comment": "no" })).await.status, 200);
    legale.wait_for_callbacks(1).await;

    let state = order(&sandbox, "GET", "state", Value::Null).await.json();
    assert_eq!(state["documents"][0]["state"], "rejected");
    assert_eq!(state["documents"][0]["comment"], "no");
    assert_eq!(state["callbacks"][0]["attempts"][0]["status"], 200);
    assert!(state["requests"].as_array().unwrap().len() == 2 && state["settings"].is_object());
}

#[tokio::test]
async fn faults_settings_clock_and_the_rest() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let help = order(&sandbox, "GET", "", Value::Null).await.json();
    for fault in help["faults"].as_array().unwrap() {
        let body = with(fault.clone(), json!({ "endpoint": "delete", "always": true }));
        assert_eq!(order(&sandbox, "POST", "faults", body).await.status, 200, "{fault}");
    }
    for fault in help["callback_faults"].as_array().unwrap() {
        let body = with(fault.clone(), json!({ "kind": "launch", "times": 3 }));
        assert_eq!(order(&sandbox, "POST", "callback-faults", body).await.status, 200, "{fault}");
    }
    for (path, body) in [
        ("faults", json!({ "endpoint": "print", "fault": "hang" })),
        ("faults", json!({ "endpoint": "create", "fault": "hang", "delay": 1 })),
        ("callback-faults", json!({ "kind": "letter", "fault": "lost" })),
        ("callback-faults", json!({ "kind": "sign", "fault": "lost", "times": -1 })),
        ("callback-faults", json!({ "kind": "sign", "fault": "eaten" })),
        ("settings", json!({ "envelop": "bare" })),
        ("clock", json!({ "tomorrow": true })),
        ("accounts", json!({})),
        ("documents/x/dance", json!({})),
    ] {
        let answer = order(&sandbox, "POST", path, body).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(!answer.json()["allowed"].is_null());
    }
    assert_eq!(order(&sandbox, "DELETE", "faults", Value::Null).await.status, 200);
    assert_eq!(order(&sandbox, "GET", "state", Value::Null).await.json()["faults"], json!([]));
    let changed =
        json!({ "envelope": "bare", "relay": { "secret": "s" }, "callback_key_place": { "header": "X" } });
    assert_eq!(order(&sandbox, "POST", "settings", changed).await.status, 200);
    assert_eq!(legale.settings().relay.unwrap().signature_header, "X-Relay-Signature");

    order(&sandbox, "POST", "clock", json!({ "stop": true })).await;
    let now = async || order(&sandbox, "GET", "state", Value::Null).await.json()["now"].clone();
    let before = now().await;
    order(&sandbox, "POST", "clock", json!({ "advance_seconds": 60 })).await;
    assert_ne!(now().await, before);
    order(&sandbox, "POST", "clock", json!({ "run": true })).await;
    let added = order(&sandbox, "POST", "accounts", json!({ "email": "b@b", "password": "p" })).await.json();
    assert!(added["api_key"].is_string());
    let web =
        order(&sandbox, "POST", "web-uploads", json!({ "file_name": "a.pdf", "content": "%PDF-" })).await;
    let guid = web.json()["GUID"].as_str().unwrap().to_owned();
    for action in ["pause", "resume", "extend", "delete-after-callback", "terminate", "delete"] {
        let path = format!("documents/{guid}/{action}");
        assert_eq!(order(&sandbox, "POST", &path, Value::Null).await.status, 200, "{action}");
    }
    assert_eq!(order(&sandbox, "POST", "documents/x/pause", Value::Null).await.status, 404);
    let sent = json!({ "url": "http://127.0.0.1:1/", "headers": { "X-A": "1" }, "body": { "GUID": "g" } });
    order(&sandbox, "POST", "callbacks", sent).await;
    legale.wait_for_callbacks(1).await;
    assert_eq!(legale.callbacks()[0].guid, "g");
    order(&sandbox, "POST", "release", Value::Null).await;
    order(&sandbox, "POST", "sessions/revoke", Value::Null).await;
    order(&sandbox, "POST", "keys/revoke", json!({ "api_key": legale.api_key() })).await;
    assert_eq!(get(legale, "/api/documents/").await.status, 401);
    order(&sandbox, "POST", "faults", json!({ "fault": "refuse_connections" })).await;
    assert!(tokio::net::TcpStream::connect(address(legale.base_url())).await.is_err());
    assert_eq!(send(sandbox.control_url(), "POST", "/_sandbox/reset", "", b"").await.status, 200);
    assert_eq!(get(legale, "/api/documents/").await.json()["count"], 0);
    assert_eq!(order(&sandbox, "GET", "nowhere", Value::Null).await.status, 404);
}
