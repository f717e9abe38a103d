//! Section 3.9: faults and twists of both, the log, the clock in `Date`, the control API.

use std::time::Duration;

use integration_sandbox::apiges::{Endpoint, Twist};
use integration_sandbox::websync::Row;
use integration_sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn a_lost_answer_has_taken_effect_and_is_given_again_under_its_key() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    let body = push(7, 1, &[("C/1", json!({}))], &[]);
    let put = async || web.call("PUT", "/cases/7", &key("k"), &body).await;
    web.portal.inject(Row::W30, Fault::ResetBeforeActing);
    assert_eq!((put().await.status, web.sees("C/1").await), (0, vec![]), "cut before");
    web.portal.inject(Row::W30, Fault::ActThenReset);
    assert_eq!((put().await.status, web.sees("C/1").await), (0, vec![7]), "cut after");
    let again = put().await;
    assert_eq!(again.header("idempotent-replay").as_deref(), Some("true"));
    assert_eq!(again.data()["outcome"], "applied");
    assert_eq!(web.portal.executions()["k"], 1);
    web.portal.inject(Row::W30, Fault::Html);
    assert!(put().await.body.starts_with(b"<!doctype html>"));
    web.portal.inject(Row::W30, Fault::act_then_late(Duration::from_millis(1)));
    assert_eq!(put().await.status, 200);
}

#[tokio::test]
async fn a_session_ends_in_the_middle_and_the_credential_does_not() {
    let sandbox = Sandbox::start().await.unwrap();
    let (firm, web) = (Firm::of(&sandbox).await, Web::of(&sandbox));
    firm.apiges.inject(Endpoint::Catalogue, Fault::RevokeCredential);
    assert_eq!((firm.get("/paises").await.status, firm.get("/paises").await.status), (401, 401));
    assert_eq!(Firm::of(&sandbox).await.get("/paises").await.status, 200);
    web.portal.inject(Row::W01, Fault::RevokeCredential);
    assert_eq!((web.get("/health").await.status, web.get("/health").await.status), (401, 200));
}

#[tokio::test]
async fn twists_bend_answers_and_the_order_of_acting() {
    let sandbox = Sandbox::start().await.unwrap();
    let (firm, web) = (Firm::of(&sandbox).await, Web::of(&sandbox));
    let twisted = async |twist: Twist| {
        firm.apiges.twist(Endpoint::Catalogue, twist);
        firm.get("/estados").await
    };
    let honest = firm.get("/estados").await.data();
    let inner = twisted(Twist::InnerStatus { status: 500 }).await;
    assert_eq!((inner.status, &inner.json()["statusCode"]), (200, &json!(500)));
    assert_eq!(twisted(Twist::NullData).await.json()["data"], Value::Null);
    assert_eq!(twisted(Twist::NoEnvelope).await.json(), honest);
    assert_eq!(twisted(Twist::OtherShape).await.json()["data"], honest[0]);
    assert_eq!(twisted(Twist::ReverseItems).await.json()["data"], json!([honest[1], honest[0]]));
    assert_eq!(twisted(Twist::DuplicateItems).await.json()["data"].as_array().unwrap().len(), 4);
    assert_eq!(twisted(Twist::DropItem { at: 0 }).await.json()["data"], json!([honest[1]]));
    assert_eq!(twisted(Twist::SlowUpload { delay: Duration::from_millis(1) }).await.data(), honest);
    assert_eq!(firm.get("/estados").await.data(), honest);

    web.grant("C/1", 1, &json!({})).await.data();
    web.portal.twist(Row::W30, Twist::ActTwice);
    let twice = web.push(&push(7, 1, &[("C/1", json!({}))], &[])).await;
    assert_eq!(twice.header("idempotent-replay").as_deref(), Some("true"));
    assert!(web.portal.executions().values().all(|count| *count == 1));
    web.portal.twist(Row::W30, Twist::ActThenInnerStatus { status: 503 });
    let inner = web.push(&push(7, 2, &[("C/1", json!({}))], &[])).await;
    assert_eq!((inner.status, &inner.json()["statusCode"]), (200, &json!(503)));
    assert_eq!(web.get("/cases/7").await.data()["version"], 2);
}

#[tokio::test]
async fn a_held_request_arrives_after_a_later_one_even_if_its_sender_is_gone() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    web.portal.twist(Row::W30, Twist::HoldBeforeActing);
    let token = web.portal.token();
    let headers = format!("Authorization: Bearer {token}\r\nX-Websync-Protocol: 1\r\n{}", key("old"));
    let old = push(7, 1, &[("C/1", json!({ "numero": "old" }))], &[]).to_string();
    let sent =
        connect(web.portal.base_url(), "PUT", "/websync/v1/demo/cases/7", &headers, old.as_bytes()).await;
    web.portal.wait_for_requests(2).await;
    drop(sent);
    web.push(&push(7, 2, &[("C/1", json!({ "numero": "new" }))], &[])).await.data();
    web.portal.release_held();
    web.portal.wait_for_requests(3).await;
    while !web.portal.executions().contains_key("old") {
        tokio::task::yield_now().await;
    }
    let view = web.get("/view?grant=C/1").await.data();
    assert_eq!(view["cases"][0]["view"]["numero"], "new");
}

#[tokio::test]
async fn everything_is_recorded_but_credentials() {
    let sandbox = Sandbox::start().await.unwrap();
    let (firm, web) = (Firm::of(&sandbox).await, Web::of(&sandbox));
    let search = json!({ "filtros": [{ "campo": "referencia", "filtro": "EQ", "valores": ["CANARY-1"] }] });
    firm.call("POST", "/expedientes/search", "accept-language: pt\r\n", &search).await.data();
    assert!(firm.apiges.recorded_contains("CANARY-1") && !firm.apiges.recorded_contains("CANARY-2"));
    assert!(
        !firm.apiges.recorded_contains(&firm.token) && !firm.apiges.recorded_contains(firm.apiges.password())
    );
    let request = firm.apiges.requests().last().unwrap().clone();
    assert_eq!(
        (request.spot.as_deref(), request.header("Accept-Language")),
        (Some("search_files"), Some("pt"))
    );
    assert_eq!((request.json(), request.status, request.acted), (Some(search), Some(200), true));
    web.get("/grants/C/CANARY%2D3").await;
    assert!(web.portal.recorded_contains("CANARY-3"));
    web.portal.forget_requests();
    assert!(!web.portal.recorded_contains("CANARY-3"));
}

#[tokio::test]
async fn the_date_is_the_simulators_and_may_be_off() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.portal.set_clock(784_111_777); // RFC 9110's example
    assert_eq!(web.get("/health").await.header("date").unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
    web.portal.configure(|settings| settings.date_offset = -37);
    assert_eq!(web.get("/health").await.header("date").unwrap(), "Sun, 06 Nov 1994 08:49:00 GMT");
}

#[tokio::test]
async fn the_control_api_does_the_same() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    let control = sandbox.control_url().to_owned();
    let call = async |method: &str, path: &str, body: Value| {
        let answer =
            send(&control, method, &format!("/_sandbox{path}"), "", body.to_string().as_bytes()).await;
        (answer.status, answer.json())
    };
    let post = async |path: &str, body: Value| {
        let (status, json) = call("POST", path, body).await;
        assert_eq!(status, 200, "{path} {json}");
        json
    };
    let client = post("/apiges/contacts", json!({ "tipo": "C", "codigo": "4879" })).await["id"].clone();
    let file = post("/apiges/files", json!({ "denominacion": "SOL" })).await["id"].clone();
    post(&format!("/apiges/files/{file}"), json!({ "referencia": "R" })).await;
    post(&format!("/apiges/files/{file}/move"), json!({ "role": "idCliente", "contact": client })).await;
    post(&format!("/apiges/files/{file}/close"), json!({})).await;
    post(&format!("/apiges/files/{file}/reopen"), json!({})).await;
    post(&format!("/apiges/files/{file}/graphic"), json!({ "mediaType": "image/png", "base64": "AA==" }))
        .await;
    let note =
        post(&format!("/apiges/files/{file}/annotations"), json!({ "asunto": "Carta" })).await["id"].clone();
    let body = json!({ "name": "a.pdf", "mediaType": "application/pdf", "base64": "AA==" });
    let document =
        post(&format!("/apiges/files/{file}/annotations/{note}/documents"), body).await["id"].clone();
    let hide = format!("/apiges/files/{file}/annotations/{note}/documents/{document}/hide");
    post(&hide, json!({ "hidden": true })).await;
    post(&format!("/apiges/contacts/{client}/rename"), json!({ "code": "4880" })).await;
    let (_, read) = call("GET", &format!("/apiges/files/{file}"), Value::Null).await;
    assert_eq!((&read["idCliente"], &read["referencia"]), (&client, &json!("R")));

    web.grant("C/4880", client.as_i64().unwrap(), &json!({})).await.data();
    let (_, found) = call("GET", "/websync/differences", Value::Null).await;
    assert_eq!(found["differences"][0]["field"], "case");
    let (_, allowed) = call("GET", "/websync/allowed/C/4880", Value::Null).await;
    assert_eq!(allowed[file.to_string()]["denominacion"], "SOL");
    post("/websync/groups/G7", json!({ "members": ["C/4880"] })).await;
    post("/websync/faults", json!({ "endpoint": "W01", "fault": "html" })).await;
    post("/websync/twists", json!({ "endpoint": "W10", "twist": "reverse_items", "times": 2 })).await;
    assert!(web.get("/health").await.body.starts_with(b"<!doctype"));
    assert_eq!(post("/websync/recorded", json!({ "text": "4880" })).await["contains"], true);
    assert_eq!(call("POST", "/websync/faults", json!({ "endpoint": "W99", "fault": "html" })).await.0, 400);
    assert_eq!(call("POST", "/apiges/files/1/close", json!({})).await.0, 404);
    assert_eq!(call("GET", "/websync/view/C/9", Value::Null).await.0, 404);
    let (_, help) = call("GET", "/apiges/", Value::Null).await;
    assert!(help["routes"].is_object());
    post("/reset", json!({})).await;
    assert!(web.portal.grants().is_empty());
}
