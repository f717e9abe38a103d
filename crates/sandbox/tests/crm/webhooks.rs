//! Webhooks of BitFactura: sections 3.6 and 4.6 of the contract.

use std::time::Duration;

use integration_sandbox::BitFactura;
use integration_sandbox::bitfactura::{Table, Webhook, WebhookFault, WebhookShape};
use serde_json::{Value, json};

use crate::support::*;

async fn register(bitfactura: &BitFactura, kind: &str, url: &str) -> u64 {
    let row = json!({ "webhook": { "kind": kind, "url": url, "api_token": "typed", "active": true } });
    let made = bill(bitfactura, "POST", "/webhooks.json", row).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_u64().unwrap()
}

fn names(receiver: &Receiver) -> Vec<String> {
    receiver
        .posted()
        .iter()
        .map(|posted| posted.json()["client"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn rows_are_kept() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let id = register(bitfactura, "client:create", "http://127.0.0.1:1/hook").await;
    let row = bill(bitfactura, "GET", &format!("/webhooks/{id}.json"), Value::Null).await.json();
    for name in ["id", "kind", "account_id", "url", "api_token", "created_at", "updated_at", "active"] {
        assert!(!row[name].is_null(), "{name}");
    }
    let path = format!("/webhooks/{id}.json");
    bill(bitfactura, "PUT", &path, json!({ "webhook": { "active": false } })).await;
    assert_eq!(bill(bitfactura, "GET", "/webhooks.json", Value::Null).await.json()[0]["active"], false);
    bitfactura.add(Table::Clients, &json!({ "name": "A" })).unwrap();
    assert!(bitfactura.webhooks().is_empty());
    assert_eq!(bill(bitfactura, "DELETE", &path, Value::Null).await.json(), "ok");
    let urlless = json!({ "webhook": { "kind": "client:create" } });
    assert_eq!(bill(bitfactura, "POST", "/webhooks.json", urlless).await.status, 422);
}

#[tokio::test]
async fn client_events_have_the_captured_shape() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let bitfactura = sandbox.bitfactura();
    for kind in ["client:create", "client:update", "client:destroy"] {
        register(bitfactura, kind, &receiver.url).await;
    }
    let made =
        bill(bitfactura, "POST", "/clients.json", json!({ "client": { "name": "A", "tax_no": "1" } })).await;
    let id = made.json()["id"].as_u64().unwrap();
    bitfactura.edit(Table::Clients, id, &json!({ "name": "B" })).unwrap();
    bill(bitfactura, "DELETE", &format!("/clients/{id}.json"), Value::Null).await;
    bitfactura.wait_for_webhooks(3).await;
    assert_eq!(names(&receiver), ["A", "B", "B"]);
    let first = receiver.posted()[0].json();
    assert_eq!(
        (&first["app_name"], &first["api_token"], &first["locale"]),
        (&json!("bitfactura"), &json!("typed"), &json!("es"))
    );
    assert_eq!(first["client"]["external_ids"], json!({ "bitfactura": id }));
    assert_eq!((&first["client"]["id"], &first["client"]["skip_webhooks"]), (&json!(id), &json!(true)));
    assert!(first["client"]["buyer"].is_object() && first["client"]["deleted"] == false);
    assert!(first.get("event").is_none() && first.get("kind").is_none());
    assert_eq!(receiver.posted()[2].json()["client"]["deleted"], true);
    bitfactura.configure(|settings| settings.webhook_shape = WebhookShape::HelpPage);
    let id = bitfactura.add(Table::Clients, &json!({ "name": "C" })).unwrap();
    bitfactura.wait_for_webhooks(4).await;
    let help = receiver.posted()[3].json();
    assert_eq!((&help["app_name"], &help["client_id"]), (&json!("BitFactura"), &json!(id)));
}

#[tokio::test]
async fn invoice_events_carry_a_deal_and_costs_nothing() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let bitfactura = sandbox.bitfactura();
    register(bitfactura, "invoice:create", &receiver.url).await;
    let client = bitfactura.add(Table::Clients, &json!({ "name": "A", "email": "a@b.c" })).unwrap();
    let line = json!([{ "name": "Servicio", "price_net": "100", "tax": "21" }]);
    let new =
        |income: &str| json!({ "client_id": client, "income": income, "positions": line, "currency": "EUR" });
    bitfactura.add(Table::Invoices, &new("0")).unwrap();
    let id = bitfactura.add(Table::Invoices, &new("1")).unwrap();
    bitfactura.wait_for_webhooks(1).await;
    let event = receiver.posted()[0].json();
    let deal = &event["deal"];
    assert_eq!((&event["id"], event.get("invoice")), (&json!(id), None));
    assert_eq!(
        (&deal["name"], &deal["price"], &deal["paid"]),
        (&json!("Servicio"), &json!("121.00"), &json!(false))
    );
    assert_eq!(deal["external_ids"], json!({ "bitfactura": id }));
    assert_eq!(deal["client"]["external_ids"], json!({ "bitfactura": client }));
    assert!(deal["client"].get("email").is_none() && deal["url"].is_string());
    assert_eq!(
        (&deal["status"], &deal["currency"], &deal["skip_webhooks"]),
        (&json!("issued"), &json!("EUR"), &json!(true))
    );
    bitfactura.configure(|settings| settings.webhook_shape = WebhookShape::Older);
    bitfactura.add(Table::Invoices, &new("1")).unwrap();
    bitfactura.wait_for_webhooks(2).await;
    let older = receiver.posted()[1].json();
    assert!(older.get("id").is_none() && older["deal"].get("status").is_none());
}

#[tokio::test]
async fn a_write_that_asks_for_silence_gets_it_unless_that_is_off() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let bitfactura = sandbox.bitfactura();
    register(bitfactura, "client:create", &receiver.url).await;
    let quiet = json!({ "client": { "name": "A", "skip_webhooks": true } });
    bill(bitfactura, "POST", "/clients.json", quiet.clone()).await;
    assert!(bitfactura.webhooks().is_empty());
    bitfactura.configure(|settings| settings.honours_skip_webhooks = false);
    bill(bitfactura, "POST", "/clients.json", quiet).await;
    assert_eq!(bitfactura.webhooks().len(), 1);
}

#[tokio::test]
async fn webhooks_come_twice_out_of_order_late_or_not_at_all() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let bitfactura = sandbox.bitfactura();
    register(bitfactura, "client:create", &receiver.url).await;
    let kind = Some("client:create");
    bitfactura.inject_webhook(kind, WebhookFault::Overtaken);
    bitfactura.inject_webhook(None, WebhookFault::Duplicate { copies: 1 });
    let add = |name: &str| bitfactura.add(Table::Clients, &json!({ "name": name })).unwrap();
    add("overtaken");
    add("twice");
    bitfactura.wait_for_webhooks(2).await;
    assert_eq!(names(&receiver), ["twice", "twice", "overtaken"]);
    for (fault, name) in [
        (WebhookFault::Lost, "lost"),
        (WebhookFault::Hold, "held"),
        (WebhookFault::Late { delay: Duration::from_millis(1) }, "late"),
    ] {
        bitfactura.inject_webhook(kind, fault);
        add(name);
    }
    bitfactura.wait_for_webhooks(4).await;
    assert_eq!(names(&receiver)[3..], ["late"]);
    bitfactura.release_held();
    bitfactura.wait_for_webhooks(5).await;
    assert_eq!(names(&receiver)[4..], ["held"]);
    bitfactura.inject_webhook(kind, WebhookFault::WrongToken);
    bitfactura.inject_webhook(kind, WebhookFault::NotJson);
    add("forged");
    add("page");
    bitfactura.wait_for_webhooks(7).await;
    assert_eq!(receiver.posted()[5].json()["api_token"], "typedx");
    assert!(receiver.posted()[6].body.starts_with(b"<html>"));
}

#[tokio::test]
async fn a_share_of_webhooks_is_lost_the_same_way_in_every_run() {
    let lost = async || {
        let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
        let bitfactura = sandbox.bitfactura();
        register(bitfactura, "client:create", &receiver.url).await;
        bitfactura.inject_webhook_random(None, WebhookFault::Lost, 0.5, 9);
        for number in 0..40 {
            bitfactura.add(Table::Clients, &json!({ "name": number.to_string() })).unwrap();
        }
        bitfactura.wait_for_webhooks(40).await;
        names(&receiver)
    };
    let first = lost().await;
    assert!((8..32).contains(&first.len()), "{}", first.len());
    assert_eq!(first, lost().await);
}

#[tokio::test]
async fn a_row_is_switched_off_after_failures_in_a_row() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[500, 200, 500]).await);
    let bitfactura = sandbox.bitfactura();
    bitfactura.configure(|settings| settings.switches_off_after = Some(2));
    let row = register(bitfactura, "client:create", &receiver.url).await;
    let active = || bitfactura.record(Table::Webhooks, row).unwrap()["active"] == true;
    for (number, still) in [(1, true), (2, true), (3, true), (4, false)] {
        bitfactura.add(Table::Clients, &json!({ "name": number.to_string() })).unwrap();
        bitfactura.wait_for_webhooks(number).await;
        assert_eq!(active(), still, "{number}");
    }
    bitfactura.add(Table::Clients, &json!({ "name": "5" })).unwrap();
    assert_eq!(bitfactura.webhooks().len(), 4);
}

#[tokio::test]
async fn client_sync_posts_every_client() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let bitfactura = sandbox.bitfactura();
    bitfactura.seed(12, 0, 4);
    let row = register(bitfactura, "client:sync", &receiver.url).await;
    bitfactura.wait_for_webhooks(12).await;
    let posted: Vec<_> =
        receiver.posted().iter().map(|posted| posted.json()["client"]["id"].clone()).collect();
    let stored: Vec<_> =
        bitfactura.records(Table::Clients).iter().map(|client| client["id"].clone()).collect();
    assert_eq!(posted, stored);
    assert_eq!(bitfactura.fire_sync(row), 12);
    bitfactura.wait_for_webhooks(24).await;
    assert_eq!(receiver.posted().len(), 24);
}

#[tokio::test]
async fn a_sync_row_fills_the_receiver_of_the_other_system() {
    let sandbox = start().await;
    let (sugester, bitfactura) = (sandbox.sugester(), sandbox.bitfactura());
    bitfactura.seed(5, 0, 4);
    let url = format!("{}/app/clients/external_update.json", sugester.base_url());
    let row = json!({ "webhook": { "kind": "client:sync", "url": url, "api_token": sugester.token(), "active": true } });
    let id = bill(bitfactura, "POST", "/webhooks.json", row).await.json()["id"].as_u64().unwrap();
    bitfactura.wait_for_webhooks(5).await;
    bitfactura.fire_sync(id);
    bitfactura.wait_for_webhooks(10).await;
    assert!(bitfactura.webhooks().iter().all(Webhook::accepted), "{:?}", bitfactura.webhooks());
    assert_eq!(sugester.created(integration_sandbox::sugester::Table::Clients), 5);
}
