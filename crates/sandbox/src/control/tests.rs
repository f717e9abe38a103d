//! The control API without sockets: what is understood, and how mistakes are answered.

use super::*;
use crate::server;

/// The handle works for state without its service; only the door needs one.
async fn control() -> (Control, Vec<server::Running>) {
    let (fiscal, running) = Fiscal::serve(server::bind(0).await.unwrap());
    let (legale, [service, postman]) = Legale::serve(server::bind(0).await.unwrap());
    let (sugester, crm) = Sugester::serve(server::bind(0).await.unwrap());
    let (bitfactura, [invoicing, other]) = BitFactura::serve(server::bind(0).await.unwrap());
    let (geosite, geosite_running) = GeoSite::serve(server::bind(0).await.unwrap());
    let port = server::bind(0).await.unwrap();
    let (hubsoft, hubsoft_running) = HubSoft::serve(port, geosite.clone());
    let (apiges, apiges_running) = Apiges::serve(server::bind(0).await.unwrap());
    let (websync, websync_running) = WebSync::serve(server::bind(0).await.unwrap());
    let mut running =
        vec![running, service, postman, crm, invoicing, other, geosite_running, hubsoft_running];
    running.extend([apiges_running, websync_running]);
    let (tape, url) = (Arc::default(), String::new());
    (Control { fiscal, legale, sugester, bitfactura, geosite, hubsoft, apiges, websync, tape, url }, running)
}

async fn call(control: &Control, method: Method, path: &str, body: Value) -> Outcomes {
    control.dispatch(&method, path, &Bytes::from(body.to_string())).await
}

#[tokio::test]
async fn a_fault_is_planned_and_cleared() {
    let (control, _running) = control().await;
    let fault = json!({ "endpoint": "issue", "fault": "act_then_status", "status": 503, "times": 2 });
    call(&control, Method::POST, "/_sandbox/fiscal/faults", fault).await.unwrap();
    let state = call(&control, Method::GET, "/_sandbox/fiscal/state", json!(null)).await.unwrap();
    assert_eq!(
        state["faults"],
        json!([{ "endpoint": "issue", "fault": "act_then_status", "status": 503, "html": false,
            "when": { "times": 2 } }])
    );
    call(&control, Method::DELETE, "/_sandbox/fiscal/faults", json!(null)).await.unwrap();
    assert_eq!(control.fiscal.snapshot()["faults"], json!([]));
}

#[tokio::test]
async fn mistakes_are_answered_with_what_is_allowed() {
    let (control, _running) = control().await;
    for (path, body, named) in [
        ("fiscal/faults", json!([]), "not a JSON object"),
        ("fiscal/faults", json!({ "fault": "hang" }), "endpoint"),
        ("fiscal/faults", json!({ "endpoint": "print", "fault": "hang" }), "print"),
        ("fiscal/faults", json!({ "endpoint": "issue" }), "fault"),
        ("fiscal/faults", json!({ "endpoint": "issue", "fault": "burn" }), "burn"),
        ("fiscal/faults", json!({ "endpoint": "issue", "fault": "hang", "delay": 3 }), "delay"),
        ("fiscal/faults", json!({ "endpoint": "issue", "fault": "hang", "times": -1 }), "when"),
        ("fiscal/faults", json!({ "endpoint": "issue", "fault": "hang", "probability": 2 }), "when"),
        (
            "fiscal/faults",
            json!({ "endpoint": "issue", "fault": "hang", "times": 1, "always": true }),
            "when",
        ),
        ("fiscal/issuers", json!({}), "rif"),
        ("fiscal/settings", json!({ "speling": "both" }), "speling"),
        ("fiscal/settings", json!({ "control_numbers_left": { "X": 1 } }), "no such issuer"),
        ("fiscal/settings", json!({ "control_numbers_left": { "J-12345678-4": -1 } }), "whole number"),
    ] {
        let refused = call(&control, Method::POST, &format!("/_sandbox/{path}"), body).await.unwrap_err();
        assert!(refused.status == 400 && refused.error.contains(named), "{named}: {}", refused.error);
        assert!(!refused.allowed.is_null());
    }
    assert_eq!(call(&control, Method::GET, "/nowhere", json!(null)).await.unwrap_err().status, 404);
}

#[tokio::test]
async fn settings_are_merged_and_reset() {
    let (control, _running) = control().await;
    let change = json!({ "spelling": "both", "control_numbers_left": { "J-12345678-4": 0 } });
    call(&control, Method::POST, "/_sandbox/fiscal/settings", change).await.unwrap();
    call(&control, Method::POST, "/_sandbox/fiscal/settings", json!({ "probes": true })).await.unwrap();
    let state = control.fiscal.snapshot();
    assert_eq!(
        (&state["settings"]["spelling"], &state["settings"]["probes"]),
        (&json!("both"), &json!(true))
    );
    assert_eq!(state["issuers"][0]["control_numbers_left"], 0);
    call(&control, Method::POST, "/_sandbox/reset", json!({})).await.unwrap();
    assert_eq!(control.fiscal.settings(), Settings::default());
    assert!(control.fiscal.snapshot()["issuers"][0]["control_numbers_left"].is_null());
}

#[tokio::test]
async fn every_fault_of_the_help_is_accepted() {
    let (control, _running) = control().await;
    for mut fault in help()["faults"].as_array().unwrap().clone() {
        fault["endpoint"] = json!("email");
        fault["always"] = json!(true);
        call(&control, Method::POST, "/_sandbox/fiscal/faults", fault).await.unwrap();
    }
}

#[tokio::test]
async fn an_issuer_gets_its_token() {
    let (control, _running) = control().await;
    let body = json!({ "rif": "V-12345678-1", "validar_interno": 0 });
    let answer = call(&control, Method::POST, "/_sandbox/fiscal/issuers", body).await.unwrap();
    assert_eq!(answer["token"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(answer["issuer"]["mail"], true);
}
