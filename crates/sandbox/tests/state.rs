//! The state file: what is put back answers as what was taken out, in the same sandbox and in another one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

#[path = "page/support.rs"]
mod support;

use integration_sandbox::geosite::Feature;
use integration_sandbox::{Fault, Sandbox};
use serde_json::{Value, json};
use support::*;

const SERVICES: [&str; 8] =
    ["fiscal", "legale", "sugester", "bitfactura", "geosite", "hubsoft", "apiges", "websync"];

async fn order(sandbox: &Sandbox, path: &str, body: Value) {
    let answer = post(sandbox.control_url(), &format!("/_sandbox/{path}"), "", &body.to_string()).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
}

/// A sandbox in which every service has something that it did not have at the start.
async fn lived_in() -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    issue(&sandbox, &invoice(&sandbox, "00000001")).await;
    issue(&sandbox, &invoice(&sandbox, "00000002")).await;
    order(&sandbox, "fiscal/settings", json!({ "probes": true })).await;
    sandbox.fiscal().inject_always(integration_sandbox::fiscal::Endpoint::Email, Fault::act_then_html(502));

    let legale = sandbox.legale();
    order(&sandbox, "legale/clock", json!({ "stop": true })).await;
    let key = format!("Legale-Api-Key: {}\r\n", legale.api_key());
    let paper = json!({ "file_name": "Contrato.pdf", "description": "Contrato",
        "file": "JVBERi0xLjQKMSAwIG9iago8PD4+CmVuZG9iagpzdGFydHhyZWYKOQolJUVPRgo=" });
    let created = post(legale.base_url(), "/api/document/create", &key, &paper.to_string()).await;
    assert_eq!(legale.documents().len(), 1, "{}", created.body);

    let client =
        json!({ "api_token": sandbox.sugester().token(), "client": { "name": "Ana", "tax_no": "123-456" } });
    post(sandbox.sugester().base_url(), "/app/clients.json", "", &client.to_string()).await;
    order(&sandbox, "bitfactura/seed", json!({ "clients": 5, "invoices": 9, "seed": 7 })).await;
    order(&sandbox, "geosite/network", json!({ "elements": 300, "seed": 3 })).await;
    order(&sandbox, "hubsoft/statuses", json!({ "contrato": 100_000, "status": "suspenso_debito" })).await;
    order(&sandbox, "apiges/files/100001", json!({ "referencia": "R-7" })).await;
    order(&sandbox, "apiges/settings", json!({ "body_limit": 1_000_000 })).await;
    order(&sandbox, "websync/groups/firm", json!({ "members": ["C/4879", "C/4880"] })).await;
    for fault in ["hang", "act_then_late"] {
        let delay = if fault == "hang" { json!({}) } else { json!({ "delay_ms": 40 }) };
        let mut body = json!({ "endpoint": "W30", "fault": fault, "probability": 0.5, "seed": 9 });
        body.as_object_mut().unwrap().extend(delay.as_object().unwrap().clone());
        order(&sandbox, "websync/faults", body).await;
    }
    sandbox
}

/// What the control API shows of a service, without what only tests count and without addresses.
async fn shown(sandbox: &Sandbox, service: &str) -> Value {
    let answer = get(sandbox.control_url(), &format!("/_sandbox/{service}/state")).await;
    let own = ["fiscal", "legale", "sugester", "bitfactura", "geosite", "hubsoft", "apiges", "websync"];
    assert!(own.contains(&service) && answer.status == 200);
    let mut state: Value = serde_json::from_str(&answer.body).unwrap();
    for key in ["requests", "connections", "peak_in_flight", "now", "base_url", "token", "urls"] {
        state.as_object_mut().unwrap().remove(key);
    }
    state
}

/// Answers that clients get, read only.
async fn answers(sandbox: &Sandbox, sugester_token: &str, bitfactura_token: &str) -> Vec<String> {
    let fiscal = format!("Authorization: Bearer {}\r\n", sandbox.fiscal().token());
    let key = format!("Legale-Api-Key: {}\r\n", sandbox.legale().api_key());
    let escaped = |token: &str| token.replace('/', "%2F");
    let asked = json!({ "rif": sandbox.fiscal().rif(), "tipo": 1, "numerointerno": "00000002" }).to_string();
    let all = [
        post(sandbox.fiscal().base_url(), "/facturacion/status", &fiscal, &asked).await,
        ask(sandbox.legale().base_url(), "GET", "/api/documents/", &format!("Host: localhost\r\n{key}"), "")
            .await,
        get(
            sandbox.sugester().base_url(),
            &format!("/app/clients.json?api_token={}", escaped(sugester_token)),
        )
        .await,
        get(
            sandbox.bitfactura().base_url(),
            &format!("/invoices.json?api_token={}", escaped(bitfactura_token)),
        )
        .await,
    ];
    let place = |answer: &Answer, url: &str| answer.body.replace(url, "");
    let urls = [
        sandbox.fiscal().base_url(),
        sandbox.legale().base_url(),
        sandbox.sugester().base_url(),
        sandbox.bitfactura().base_url(),
    ];
    all.iter().zip(urls).map(|(answer, url)| format!("{} {}", answer.status, place(answer, url))).collect()
}

#[tokio::test]
async fn what_is_put_back_answers_as_what_was_taken_out() {
    let sandbox = lived_in().await;
    let tokens = (sandbox.sugester().token().to_owned(), sandbox.bitfactura().token().to_owned());
    let mut before = Vec::new();
    for service in SERVICES {
        before.push(shown(&sandbox, service).await);
    }
    let answered = answers(&sandbox, &tokens.0, &tokens.1).await;
    assert!(answered.iter().all(|answer| answer.starts_with("200 ")), "{answered:#?}");
    assert!(answered[0].contains("00-00000002") && answered[2].contains("Ana"));
    let file = get(sandbox.control_url(), "/_sandbox/state").await;
    assert_eq!(file.status, 200, "{}", file.body);

    assert_eq!(post(sandbox.control_url(), "/_sandbox/reset", "", "").await.status, 200);
    for (service, before) in SERVICES.iter().zip(&before) {
        assert_ne!(shown(&sandbox, service).await, *before, "the reset left {service} as it was");
    }
    // In the same sandbox, and in one that is new.
    for sandbox in [sandbox, Sandbox::start().await.unwrap()] {
        let put = post(sandbox.control_url(), "/_sandbox/state", "", &file.body).await;
        assert_eq!(put.status, 200, "{}", put.body);
        for (service, before) in SERVICES.iter().zip(&before) {
            assert_eq!(shown(&sandbox, service).await, *before, "{service}");
        }
        assert_eq!(answers(&sandbox, &tokens.0, &tokens.1).await, answered);
        // The numbers go on where they were.
        assert_eq!(issue(&sandbox, &invoice(&sandbox, "00000002")).await.status, 202);
        assert!(
            issue(&sandbox, &invoice(&sandbox, "00000003")).await.body.contains("\"numerointerno\"")
                || sandbox.fiscal().documents().len() == 3
        );
        assert_eq!(sandbox.geosite().count(Feature::Cliente), before_count(&before[4]));
        // Its own credentials work as well.
        let own = answers(&sandbox, sandbox.sugester().token(), sandbox.bitfactura().token()).await;
        assert!(own.iter().all(|answer| answer.starts_with("200 ")), "{own:#?}");
    }
}

fn before_count(geosite: &Value) -> usize {
    let elements = geosite["elements"].as_array().or_else(|| geosite["inventory"].as_array()).unwrap();
    let customers = elements.iter().find(|one| one["feature"] == "cliente").unwrap();
    usize::try_from(customers["count"].as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_says_where_it_is_wrong() {
    let sandbox = Sandbox::start().await.unwrap();
    issue(&sandbox, &invoice(&sandbox, "00000001")).await;
    let control = sandbox.control_url();
    let mut file: Value = serde_json::from_str(&get(control, "/_sandbox/state").await.body).unwrap();
    assert_eq!(post(control, "/_sandbox/state", "", "{}").await.status, 400);
    assert_eq!(post(control, "/_sandbox/state", "", "no JSON").await.status, 400);
    file["services"]["fiscal"]["house"]["documents"] = json!([]);
    file["services"]["websync"]["timeline"] = json!("noon");
    let refused = post(control, "/_sandbox/state", "", &file.to_string()).await;
    assert!(refused.status == 400 && refused.body.contains("services.websync.timeline"), "{}", refused.body);
    assert_eq!(sandbox.fiscal().documents().len(), 1);
}

#[tokio::test]
async fn the_form_takes_the_file_that_the_link_gives() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = sandbox.control_url();
    issue(&sandbox, &invoice(&sandbox, "00000001")).await;
    let file = get(control, "/state/export").await;
    assert!(file.header("content-disposition").unwrap().contains("sandbox-state.json"));
    assert_eq!(submit(control, "/state/reset", "").await.status, 303);
    assert!(sandbox.fiscal().documents().is_empty());
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"s.json\"\r\n\r\n{}\r\n--x--\r\n",
        file.body
    );
    let headers = format!(
        "Host: {}\r\nOrigin: {control}\r\nContent-Type: multipart/form-data; boundary=x\r\n",
        host_of(control)
    );
    let put = ask(control, "POST", "/state/import", &headers, &body).await;
    assert_eq!(put.status, 303, "{}", put.body);
    assert_eq!(sandbox.fiscal().documents().len(), 1);
    let empty = "--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n\r\n--x--\r\n";
    assert_eq!(ask(control, "POST", "/state/import", &headers, empty).await.status, 400);
}
