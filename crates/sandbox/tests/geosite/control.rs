//! The control API over HTTP: what the Rust API does, for programs in any language.

use integration_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::*;

async fn order(sandbox: &Sandbox, method: &str, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(sandbox.control_url(), method, &format!("/_sandbox/geosite/{path}"), "", &body).await
}

#[tokio::test]
async fn a_plant_is_built_and_changed_by_http() {
    let sandbox = start(50).await;
    let made = order(&sandbox, "POST", "network", json!({ "elements": 2_000, "seed": 3 })).await.json();
    let sum: u64 =
        made["inventory"].as_array().unwrap().iter().map(|one| one["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, 2_000);
    let fid = order(&sandbox, "POST", "elements/cto", json!({ "nome": "nova" })).await.json()["fid"].clone();
    let path = format!("elements/cto/{fid}");
    assert_eq!(
        order(&sandbox, "POST", &path, json!({ "nome": "outra", "_quietly": true })).await.status,
        200
    );
    assert_eq!(order(&sandbox, "GET", &path, Value::Null).await.json()["nome"], "outra");
    let fids = order(&sandbox, "GET", "elements/cto", Value::Null).await.json();
    assert_eq!(fids["fids"].as_array().unwrap().last(), Some(&fid));
    assert_eq!(order(&sandbox, "DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(order(&sandbox, "DELETE", &path, Value::Null).await.status, 404);
    assert_eq!(order(&sandbox, "GET", &path, Value::Null).await.status, 404);
    let churned =
        order(&sandbox, "POST", "churn/poste", json!({ "inserts": 1, "edits": 2, "deletes": 3 })).await;
    assert_eq!(churned.json()["deleted"].as_array().unwrap().len(), 3);
    assert_eq!(order(&sandbox, "POST", "count/hub", json!({ "count": 7 })).await.json()["count"], 7);
    let columns = order(&sandbox, "POST", "columns/cto/nome", json!({ "name": "DESCRICAO" })).await.json();
    assert_eq!(columns["columns"][2], "DESCRICAO");
    assert_eq!(
        order(&sandbox, "POST", "columns/cto", json!({ "name": "x", "source": "longitude" })).await.status,
        200
    );
    assert_eq!(order(&sandbox, "DELETE", "columns/cto/x", Value::Null).await.status, 200);
    assert_eq!(order(&sandbox, "DELETE", "columns/cto/x", Value::Null).await.status, 404);
    let address = json!({ "endereco": "13400-000", "latitude": -22.7, "longitude": -47.6 });
    assert_eq!(order(&sandbox, "POST", "addresses", address).await.status, 200);
    let state = order(&sandbox, "GET", "state", Value::Null).await.json();
    assert_eq!(state["addresses"]["13400000"], json!([-22.7, -47.6]));
    assert!(state["inventory"][0]["sha256"].is_string() && state["saves"].is_array());
}

#[tokio::test]
async fn faults_twists_drifts_settings_and_the_clock() {
    let sandbox = start(200).await;
    let client = Client::of(&sandbox).await;
    let help = order(&sandbox, "GET", "", Value::Null).await.json();
    for (kind, path) in [("faults", "faults"), ("twists", "twists")] {
        for example in help[kind].as_array().unwrap() {
            let mut body = example.clone();
            body["endpoint"] = json!("list/cah");
            assert_eq!(order(&sandbox, "POST", path, body).await.status, 200, "{example}");
        }
    }
    for drift in help["drifts"].as_array().unwrap() {
        assert_eq!(order(&sandbox, "POST", "drifts", drift.clone()).await.status, 200, "{drift}");
    }
    for column in help["columns"].as_array().unwrap() {
        assert_eq!(order(&sandbox, "POST", "columns/hub", column.clone()).await.status, 200, "{column}");
    }
    assert_eq!(order(&sandbox, "POST", "settings", help["settings"].clone()).await.status, 200);
    for (path, body) in [
        ("faults", json!({ "endpoint": "print", "fault": "hang" })),
        ("faults", json!({ "endpoint": "list/CTO", "fault": "hang" })),
        ("twists", json!({ "endpoint": "list", "twist": "curl" })),
        ("twists", json!({ "endpoint": "list", "twist": "null", "rows": 1 })),
        ("drifts", json!({ "feature": "cto", "after_pages": 1, "change": "burn" })),
        ("settings", json!({ "totl": "text" })),
        ("clock", json!({ "tomorrow": true })),
        ("network", json!({ "elements": -1 })),
        ("elements/cto", json!({ "cor": "azul" })),
        ("elements/cto/1", json!([])),
        ("elements/CTO", json!({})),
        ("count/cto", json!({ "count": "x" })),
        ("accounts", json!({})),
        ("addresses", json!({ "endereco": "x" })),
    ] {
        let answer = order(&sandbox, "POST", path, body).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(!answer.json()["allowed"].is_null(), "{path}");
    }
    assert_eq!(order(&sandbox, "POST", "elements/cto/1", json!({})).await.status, 404);
    assert_eq!(order(&sandbox, "GET", "nowhere", Value::Null).await.status, 404);
    assert_eq!(order(&sandbox, "DELETE", "faults", Value::Null).await.status, 200);
    let state = order(&sandbox, "GET", "state", Value::Null).await.json();
    assert_eq!((&state["faults"], &state["twists"]), (&json!([]), &json!([])));

    let totals = json!({ "total": "text", "record": "records" });
    assert_eq!(order(&sandbox, "POST", "settings", totals).await.json()["settings"]["total"], "text");
    order(&sandbox, "POST", "clock", json!({ "set": 1_700_452_800 })).await;
    order(&sandbox, "POST", "clock", json!({ "advance_seconds": 60 })).await;
    assert_eq!(client.geosite.now(), 1_700_452_860);
    order(&sandbox, "POST", "clock", json!({ "run": true })).await;
    order(&sandbox, "POST", "accounts", json!({ "username": "ana", "password": "p" })).await;
    assert_eq!(log_in(&client.geosite, "ana", "p").await.status, 200);
    order(&sandbox, "POST", "tokens/revoke", Value::Null).await;
    order(&sandbox, "POST", "refresh-tokens/revoke", Value::Null).await;
    order(&sandbox, "POST", "release", Value::Null).await;
    assert_eq!(client.get("/cto/desc").await.status, 401);
    order(&sandbox, "POST", "faults", json!({ "fault": "refuse_connections" })).await;
    assert!(tokio::net::TcpStream::connect(parts(client.geosite.base_url()).0).await.is_err());
    assert_eq!(send(sandbox.control_url(), "POST", "/_sandbox/reset", "", "").await.status, 200);
    assert!(client.geosite.requests().is_empty() && client.geosite.settings() == Default::default());
    assert_eq!(log_in(&client.geosite, "ana", "p").await.status, 401);
}
