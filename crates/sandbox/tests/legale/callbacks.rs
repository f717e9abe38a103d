//! Callbacks: really posted, in each form of authentication, and spoiled by each fault.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration_sandbox::Sandbox;
use integration_sandbox::legale::{CallbackFault, CallbackKind, FlowState, KeyPlace, Legale, Relay};
use ring::hmac;
use serde_json::{Value, json};

use crate::support::*;

/// A flow of two whose final callback goes to the receiver, signed by both.
async fn signed(legale: &Legale, receiver: &Receiver) -> String {
    let document = json!({
        "callback_url": receiver.url, "callback_key": "clave", "document_type": "Contrato", "folder": "A/B",
        "attached_file": [{ "file_name": "x.txt", "file": STANDARD.encode("x") }],
    });
    let guid = started(legale, document, json!({})).await;
    legale.sign(&guid, 1).unwrap();
    legale.sign(&guid, 2).unwrap();
    guid
}

/// Plays one fault against a final callback; returns what the receiver saw.
async fn play(fault: CallbackFault) -> (Sandbox, Receiver) {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let legale = sandbox.legale();
    let name = fault.name();
    legale.configure(|settings| {
        settings.callback_key_place = KeyPlace::Header("X-Key".into());
        settings.relay = Some(Relay::new("geheim"));
    });
    legale.inject_callback(CallbackKind::Sign, fault);
    signed(legale, &receiver).await;
    legale.wait_for_callbacks(1).await;
    assert_eq!(legale.callbacks()[0].fault.as_deref(), Some(name));
    (sandbox, receiver)
}

fn is_rightly_signed(posted: &Posted) -> bool {
    let stamp = posted.header("X-Relay-Timestamp").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"geheim");
    let expected = hmac::sign(&key, &[stamp.as_bytes(), b".", &posted.body].concat());
    let hex: String = expected.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    posted.header("X-Relay-Signature").unwrap() == hex
}

#[tokio::test]
async fn the_final_callback_carries_the_signed_file() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let legale = sandbox.legale();
    let guid = signed(legale, &receiver).await;
    legale.wait_for_callbacks(1).await;
    let posted = receiver.posted();
    assert_eq!(posted.len(), 1);
    assert!(posted[0].head.starts_with("POST /hook/secret0 HTTP/1.1\r\n"));
    let body = posted[0].json();
    assert_eq!(
        (&body["GUID"], &body["sign_status"], &body["folder"]),
        (&json!(guid), &json!(1), &json!("A/B"))
    );
    assert_eq!(body["meta_data"]["document_type"], "Contrato");
    assert_eq!(body["attached_files"][0], json!({ "file_name": "x.txt", "base64": STANDARD.encode("x") }));
    let file = STANDARD.decode(body["base64"].as_str().unwrap()).unwrap();
    assert_eq!(file, legale.signed_file(&guid).unwrap());
    assert!(body.get("callback_key").is_none() && posted[0].header("x-relay-signature").is_none());
    let callback = legale.callbacks().remove(0);
    assert!(callback.accepted() && callback.finished);
    assert_eq!((callback.kind, callback.attempts[0].answer.as_str()), (CallbackKind::Sign, "ok"));
}

#[tokio::test]
async fn the_other_kinds() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let legale = sandbox.legale();
    legale.configure(|settings| {
        settings.launch_callback_url = Some(receiver.url.clone());
        settings.app_event_url = Some(receiver.url.clone());
        settings.data_to_api_url = Some(receiver.url.clone());
    });
    let status = json!({ "signer_list": [with(signer("a@example.com"),
        json!({ "sign_status_callback_url": receiver.url }))], "shared_list": [] });
    let guid = create(legale, json!({})).await;
    post(legale, &format!("/api/sign/start/{guid}"), status).await;
    legale.open(&guid, 1).unwrap();
    legale.reject(&guid, 1, "no").unwrap();
    legale.wait_for_callbacks(4).await;
    let kinds: Vec<CallbackKind> = legale.callbacks().iter().map(|callback| callback.kind).collect();
    use CallbackKind::{AppEvent, DataToApiLaunch, DataToApiSign, Launch, SignerStatus};
    assert_eq!(kinds, [Launch, SignerStatus, SignerStatus, AppEvent]);
    let bodies: Vec<Value> = receiver.posted().iter().map(Posted::json).collect();
    assert_eq!(bodies[0]["email"], legale.email(), "the sender's, not the signer's");
    assert!(bodies[0]["sign_url"].as_str().unwrap().contains("/session/"));
    assert_eq!((&bodies[1]["status"], &bodies[2]["status"]), (&json!("opened"), &json!("rejected")));
    assert!(bodies[3]["event"].is_string());

    let item =
        json!({ "variables": { "1": "Ana" }, "signers": [{ "sign_method": "no_sms", "email": "a@b" }] });
    assert_eq!(post(legale, "/api/template/1", json!({ "data": [item] })).await.status, 200);
    let guid = legale.documents().pop().unwrap().guid;
    legale.sign(&guid, 1).unwrap();
    legale.wait_for_callbacks(8).await;
    let callbacks = legale.callbacks();
    assert!(callbacks.iter().any(|callback| callback.kind == DataToApiLaunch));
    let done = callbacks.iter().find(|callback| callback.kind == DataToApiSign).unwrap();
    let body: Value = serde_json::from_str(&done.body).unwrap();
    assert_eq!((&body["data_to_api"]["1"], &body["sign_status"]), (&json!("Ana"), &json!(1)));
    assert!(body.get("base64").is_none());
}

#[tokio::test]
async fn keys_and_signatures() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let legale = sandbox.legale();
    legale.configure(|settings| {
        settings.callback_key_place = KeyPlace::Header("X-Key".into());
        settings.relay = Some(Relay::new("geheim"));
    });
    signed(legale, &receiver).await;
    legale.wait_for_callbacks(1).await;
    legale.configure(|settings| settings.callback_key_place = KeyPlace::Body("callback_key".into()));
    signed(legale, &receiver).await;
    legale.wait_for_callbacks(2).await;
    let posted = receiver.posted();
    assert_eq!(posted[0].header("x-key").as_deref(), Some("clave"));
    assert!(is_rightly_signed(&posted[0]) && is_rightly_signed(&posted[1]));
    assert_eq!(posted[1].json()["callback_key"], "clave");
}

#[tokio::test]
async fn a_refused_callback_is_not_repeated_unless_that_is_set() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[500, 500, 200]).await);
    let legale = sandbox.legale();
    signed(legale, &receiver).await;
    legale.wait_for_callbacks(1).await;
    assert_eq!(receiver.posted().len(), 1);
    assert!(!legale.callbacks()[0].accepted());
    legale.configure(|settings| (settings.callback_attempts, settings.callback_pause_ms) = (3, 1));
    signed(legale, &receiver).await;
    legale.wait_for_callbacks(2).await;
    let statuses: Vec<_> = legale.callbacks()[1].attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500), Some(200)]);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_written_down() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    for url in ["http://127.0.0.1:1/x", "https://example.com/x"] {
        legale.post_callback(url, &[], json!({}));
    }
    legale.wait_for_callbacks(2).await;
    assert!(legale.callbacks().iter().all(|callback| callback.attempts[0].error.is_some()));
    assert!(legale.callbacks()[1].attempts[0].error.as_ref().unwrap().contains("not posted"));
}

#[tokio::test]
async fn a_document_goes_after_its_callback_was_accepted() {
    let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
    let legale = sandbox.legale();
    let guid = started(legale, json!({ "callback_url": receiver.url }), json!({})).await;
    legale.delete_after_callback(&guid, true);
    legale.sign(&guid, 1).unwrap();
    legale.sign(&guid, 2).unwrap();
    legale.wait_for_callbacks(1).await;
    assert_eq!(legale.document(&guid).unwrap().state, FlowState::Deleted);
    assert_eq!(get(legale, &format!("/api/document/get/{guid}")).await.code(), "DOCUMENT_NOT_FOUND");
}

#[tokio::test]
async fn lost_and_duplicated() {
    let (sandbox, receiver) = play(CallbackFault::Lost).await;
    assert!(receiver.posted().is_empty() && !sandbox.legale().callbacks()[0].accepted());
    let (sandbox, receiver) = play(CallbackFault::Duplicate { copies: 2 }).await;
    let posted = receiver.posted();
    assert_eq!(posted.len(), 3);
    assert!(posted.iter().all(|one| one.body == posted[0].body));
    assert_eq!(sandbox.legale().callbacks()[0].attempts.len(), 3);
}

#[tokio::test]
async fn forgeries_claim_the_opposite_and_prove_nothing() {
    let (sandbox, receiver) = play(CallbackFault::ForgedTwin).await;
    let posted = receiver.posted();
    assert_eq!(posted.len(), 2);
    assert_eq!((&posted[0].json()["sign_status"], &posted[1].json()["sign_status"]), (&json!(2), &json!(1)));
    assert!(!is_rightly_signed(&posted[0]) && is_rightly_signed(&posted[1]));
    assert!(posted[0].header("x-key").is_none() && posted[1].header("x-key").is_some());
    let genuine: Vec<bool> = sandbox.legale().callbacks()[0].attempts.iter().map(|one| one.genuine).collect();
    assert_eq!(genuine, [false, true]);

    let (sandbox, receiver) = play(CallbackFault::ForgedInstead).await;
    assert_eq!(receiver.posted().len(), 1);
    assert!(!sandbox.legale().callbacks()[0].accepted());
    let (_sandbox, receiver) = play(CallbackFault::WrongUrlTwin).await;
    let posted = receiver.posted();
    assert!(posted[0].head.contains("/hook/secret1") && posted[1].head.contains("/hook/secret0"));
}

#[tokio::test]
async fn spoiled_bodies_keys_and_stamps() {
    let (_sandbox, receiver) = play(CallbackFault::Changed).await;
    let posted = receiver.posted().remove(0);
    assert!(!is_rightly_signed(&posted));
    serde_json::from_slice::<Value>(&posted.body).unwrap();
    let (_sandbox, receiver) = play(CallbackFault::WrongKey).await;
    assert_eq!(receiver.posted()[0].header("x-key").as_deref(), Some("clavex"));
    let (_sandbox, receiver) = play(CallbackFault::NotJson).await;
    assert!(serde_json::from_slice::<Value>(&receiver.posted()[0].body).is_err());
    let (_sandbox, receiver) = play(CallbackFault::Oversized { bytes: 300_000 }).await;
    assert_eq!(receiver.posted()[0].body.len(), 300_000);
    assert_eq!(receiver.posted()[0].json()["sign_status"], 1);
    let (sandbox, receiver) = play(CallbackFault::Cut).await;
    assert!(sandbox.legale().callbacks()[0].attempts[0].error.is_some());
    let _ = receiver.posted();
    let (_sandbox, fresh) = play(CallbackFault::Duplicate { copies: 0 }).await;
    let (_sandbox, stale) = play(CallbackFault::Stale { seconds: 3600 }).await;
    let stamp = |receiver: &Receiver| {
        receiver.posted()[0].header("x-relay-timestamp").unwrap().parse::<i64>().unwrap()
    };
    assert!(stamp(&fresh) - stamp(&stale) > 3500);
    assert!(is_rightly_signed(&stale.posted()[0]));
}

#[tokio::test]
async fn late_and_held_ones_are_overtaken() {
    for fault in [CallbackFault::Hold, CallbackFault::Late { delay: std::time::Duration::from_millis(60) }] {
        let (sandbox, receiver) = (start().await, Receiver::start(&[200]).await);
        let legale = sandbox.legale();
        legale.inject_callback(CallbackKind::Sign, fault);
        let first = signed(legale, &receiver).await;
        let second = signed(legale, &receiver).await;
        legale.wait_for_callbacks(1).await;
        assert_eq!(receiver.posted()[0].json()["GUID"], second);
        legale.release_held();
        legale.wait_for_callbacks(2).await;
        assert_eq!(receiver.posted()[1].json()["GUID"], first);
    }
}
