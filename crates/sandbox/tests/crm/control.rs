//! The control API over HTTP, and the seeds.

use std::collections::BTreeSet;

use integration_sandbox::Sandbox;
use integration_sandbox::{bitfactura, sugester};
use serde_json::{Value, json};

use crate::raw::with;
use crate::support::*;

async fn order(sandbox: &Sandbox, method: &str, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(sandbox.control_url(), method, &format!("/_sandbox/{path}"), "", body.as_bytes()).await
}

#[tokio::test]
async fn both_seeds_make_the_same_people() {
    let sandbox = start().await;
    let (sugester, bitfactura) = (sandbox.sugester(), sandbox.bitfactura());
    order(&sandbox, "POST", "sugester/seed", json!({ "clients": 30, "seed": 5 })).await;
    order(&sandbox, "POST", "bitfactura/seed", json!({ "clients": 30, "invoices": 40, "seed": 5 })).await;
    let (ours, theirs) =
        (sugester.records(sugester::Table::Clients), bitfactura.records(bitfactura::Table::Clients));
    let tax_numbers =
        |records: &[Value]| records.iter().map(|one| one["tax_no"].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(tax_numbers(&ours), tax_numbers(&theirs));
    assert_eq!(tax_numbers(&ours).len(), 30);
    assert!(ours.iter().zip(&theirs).all(|(one, other)| one["name"] == other["name"]));
    assert_eq!(bitfactura.created(bitfactura::Table::Invoices), 40);
    let invoice = &bitfactura.records(bitfactura::Table::Invoices)[0];
    assert!(theirs.iter().any(|client| client["id"] == invoice["client_id"]));
    assert_eq!(invoice["price_gross"], invoice["positions"][0]["total_price_gross"]);
}

#[tokio::test]
async fn a_large_account_is_paged_to_its_end() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    bitfactura.seed(10_000, 30_000, 1);
    let mut seen = BTreeSet::new();
    for page in 1..=101 {
        let path = format!("/clients.json?per_page=100&page={page}&order=updated_at.desc");
        seen.extend(ids(&bill(bitfactura, "GET", &path, Value::Null).await));
    }
    assert_eq!(seen.len(), 10_000);
    let last = bill(bitfactura, "GET", "/invoices.json?period=all&per_page=100&page=300", Value::Null).await;
    assert_eq!(ids(&last).len(), 100);
    let one = bitfactura.records(bitfactura::Table::Clients)[9_000]["tax_no"].as_str().unwrap().to_owned();
    assert_eq!(
        ids(&bill(bitfactura, "GET", &format!("/clients.json?tax_no={one}"), Value::Null).await).len(),
        1
    );
}

#[tokio::test]
async fn records_are_edited_by_hand() {
    let sandbox = start().await;
    for (service, table) in [("sugester", "clients"), ("bitfactura", "clients")] {
        let at = |rest: &str| format!("{service}/records/{table}{rest}");
        let added = order(&sandbox, "POST", &at(""), json!({ "name": "A" })).await.json();
        let id = added["id"].to_string();
        let edited = order(&sandbox, "PATCH", &at(&format!("/{id}")), json!({ "city": "Lima" })).await.json();
        assert_eq!(edited["record"]["city"], "Lima");
        assert!(edited["record"]["updated_at"].as_str() > added["record"]["updated_at"].as_str());
        assert_eq!(order(&sandbox, "GET", &at(""), Value::Null).await.json()[0]["name"], "A");
        assert_eq!(order(&sandbox, "DELETE", &at(&format!("/{id}")), Value::Null).await.status, 200);
        assert_eq!(order(&sandbox, "DELETE", &at(&format!("/{id}")), Value::Null).await.status, 409);
        let state = order(&sandbox, "GET", &format!("{service}/state"), Value::Null).await.json();
        assert_eq!((&state["records"]["clients"], &state["created"]["clients"]), (&json!([]), &json!(1)));
    }
    assert_eq!(order(&sandbox, "POST", "bitfactura/records/clients", json!({})).await.status, 409);
}

#[tokio::test]
async fn faults_settings_clock_and_the_rest() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    for service in ["sugester", "bitfactura"] {
        let help = order(&sandbox, "GET", &format!("{service}/"), Value::Null).await.json();
        for fault in help["faults"].as_array().unwrap() {
            let body = with(fault.clone(), json!({ "endpoint": "delete_client", "always": true }));
            assert_eq!(
                order(&sandbox, "POST", &format!("{service}/faults"), body).await.status,
                200,
                "{fault}"
            );
        }
        for (path, body) in [
            ("faults", json!({ "endpoint": "print", "fault": "hang" })),
            ("faults", json!({ "endpoint": "clients", "fault": "hang", "delay": 1 })),
            ("settings", json!({ "wires": {} })),
            ("settings", json!({ "wire": { "bearers": true } })),
            ("clock", json!({ "tomorrow": true })),
            ("tokens", json!({})),
            ("records/nothing", json!({})),
        ] {
            let answer = order(&sandbox, "POST", &format!("{service}/{path}"), body).await;
            assert!(answer.status == 400 && !answer.json()["allowed"].is_null(), "{path}");
        }
        let changed = json!({ "wire": { "ignores_page": true } });
        let settings = order(&sandbox, "POST", &format!("{service}/settings"), changed).await.json();
        assert_eq!(settings["settings"]["wire"]["time_fraction_digits"], 3);
        order(&sandbox, "POST", &format!("{service}/clock"), json!({ "stop": true })).await;
        let now = async || {
            order(&sandbox, "GET", &format!("{service}/state"), Value::Null).await.json()["now"].clone()
        };
        let before = now().await;
        order(&sandbox, "POST", &format!("{service}/clock"), json!({ "advance_seconds": 60 })).await;
        assert_ne!(now().await, before);
        order(&sandbox, "POST", &format!("{service}/clock"), json!({ "run": true })).await;
        order(&sandbox, "POST", &format!("{service}/tokens"), json!({ "api_token": "t" })).await;
        order(&sandbox, "POST", &format!("{service}/release"), Value::Null).await;
        order(&sandbox, "POST", &format!("{service}/faults"), json!({ "fault": "refuse_connections" })).await;
        assert_eq!(order(&sandbox, "GET", &format!("{service}/nowhere"), Value::Null).await.status, 404);
    }
    assert_eq!(order(&sandbox, "POST", "reset", Value::Null).await.status, 200);
    assert!(!sandbox.sugester().settings().wire.ignores_page);
    assert_eq!(crm(sandbox.sugester(), "GET", "/app/clients.json", Value::Null).await.json(), json!([]));

    let bitfactura = sandbox.bitfactura();
    let row = json!({ "kind": "client:sync", "url": receiver.url, "api_token": "t" });
    let row = order(&sandbox, "POST", "bitfactura/records/webhooks", row).await.json()["id"].clone();
    order(&sandbox, "POST", "bitfactura/records/clients", json!({ "name": "A" })).await;
    let lost = json!({ "kind": "client:sync", "fault": "lost", "times": 1 });
    assert_eq!(order(&sandbox, "POST", "bitfactura/webhook-faults", lost).await.status, 200);
    let eaten = json!({ "fault": "eaten" });
    assert_eq!(order(&sandbox, "POST", "bitfactura/webhook-faults", eaten).await.status, 400);
    let posted =
        order(&sandbox, "POST", &format!("bitfactura/webhooks/{row}/sync"), Value::Null).await.json();
    bitfactura.wait_for_webhooks(1).await;
    assert_eq!((&posted["posted"], receiver.posted().len()), (&json!(1), 0));
    let state = order(&sandbox, "GET", "bitfactura/state", Value::Null).await.json();
    assert_eq!(state["more"]["webhooks"][0]["fault"], "lost");
}
