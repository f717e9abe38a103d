//! Starting flows and walking through them.

use std::time::Duration;

use integration_sandbox::legale::{FlowState, LinksShape, SignerState, StepRefused};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn every_pair_starts_or_is_refused_by_name() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let ready =
        json!({ "email": "a@example.com", "firstname": "A", "lastname1": "B", "rut": "12.345.678-5" });
    assert_eq!(post(legale, "/api/v2/contacts/", ready).await.status, 201);
    let flows = ["me", "other", "legale", "approve", "tablet", "signing_portal"];
    let methods = [
        "certification",
        "local_certificate",
        "sms",
        "no_sms",
        "fea",
        "no_certification",
        "approve",
        "approve_legale",
        "approve_api",
        "tablet_sign",
        "signing_portal",
    ];
    let mut good = 0;
    for flow in flows {
        for method in methods {
            let guid = create(legale, json!({})).await;
            let signer = json!({
                "sign_flow": flow, "sign_method": method, "email": "A@example.com", "phone": "+56912345678",
                "device_id": "d", "is_fingerprint": false, "is_NID": false,
            });
            let answer =
                post(legale, &format!("/api/sign/start/{guid}"), json!({ "signer_list": [signer] })).await;
            let rule = legale.requests().pop().unwrap().rule;
            match answer.status {
                200 => good += 1,
                _ => assert_eq!((answer.status, rule.as_deref()), (400, Some("pair")), "{flow} {method}"),
            }
            let begun = legale.document(&guid).unwrap().starts;
            assert_eq!(begun, u32::from(answer.status == 200));
        }
    }
    assert_eq!(good, 15);
}

#[tokio::test]
async fn what_a_start_needs() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let guid = create(legale, json!({})).await;
    let good = signer("a@example.com");
    for (body, rule) in [
        (json!({}), "signers"),
        (json!({ "signer_list": [] }), "signers"),
        (json!({ "flow_type": "x", "signer_list": [good] }), "flow_type"),
        (json!({ "expiration": 0, "signer_list": [good] }), "expiration"),
        (json!({ "shared_list": ["a@b"], "signer_list": [good] }), "shared_list"),
        (json!({ "signer_list": [with(good.clone(), json!({ "sign_method": "sms" }))] }), "phone"),
        (json!({ "signer_list": [with(good.clone(), json!({ "sign_method": "fea" }))] }), "fea"),
        (json!({ "signer_list": [good, { "sign_flow": "approve", "sign_method": "approve_api" }] }), "email"),
    ] {
        let answer = post(legale, &format!("/api/sign/start/{guid}"), body).await;
        assert_eq!(answer.code(), "ERROR_INVALID_DATA");
        assert_eq!(legale.requests().pop().unwrap().rule.as_deref(), Some(rule), "{}", answer.text());
    }
    let unknown = post(legale, "/api/sign/start/x", json!({ "signer_list": [good] })).await;
    assert_eq!(unknown.code(), "DOCUMENT_NOT_FOUND");
    assert_eq!(legale.document(&guid).unwrap().starts, 0);
    let body = json!({ "signer_list": [good], "shared_list": [] });
    assert_eq!(post(legale, &format!("/api/sign/start/{guid}"), body.clone()).await.status, 200);
    assert_eq!(post(legale, &format!("/api/sign/start/{guid}"), body).await.status, 400);
    assert_eq!(legale.document(&guid).unwrap().starts, 1);
}

#[tokio::test]
async fn in_order_only_the_next_one_signs_and_the_last_makes_the_file() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let guid = started(
        legale,
        json!({}),
        json!({ "flow_type": "priority",
        "shared_list": [{ "email": "c@example.com", "name": "C" }] }),
    )
    .await;
    assert_eq!(legale.sign(&guid, 2), Err(StepRefused::NotHisTurn));
    assert_eq!(legale.open(&guid, 2), Err(StepRefused::NotHisTurn));
    assert_eq!(legale.sign(&guid, 3), Err(StepRefused::NoSigner));
    assert_eq!(legale.sign(&guid, 0), Err(StepRefused::NoSigner));
    legale.open(&guid, 1).unwrap();
    assert_eq!(legale.document(&guid).unwrap().signers[0].state, SignerState::Opened);
    legale.sign(&guid, 1).unwrap();
    assert_eq!(legale.sign(&guid, 1), Err(StepRefused::AlreadyActed));
    assert_eq!(legale.document(&guid).unwrap().state, FlowState::InProgress);
    let detail = get(legale, &format!("/api/document/get/{guid}")).await.data();
    assert_eq!(detail["sign_list"].as_array().unwrap().len(), 2);
    assert!(detail["sign_list"][0].get("sign_status").is_none(), "there is no per-signer status");
    assert_eq!(get(legale, &format!("/api/sign/download/{guid}")).await.status, 404);
    legale.sign(&guid, 2).unwrap();

    let document = legale.document(&guid).unwrap();
    assert_eq!((document.state, document.sign_status), (FlowState::Signed, 1));
    let signed = legale.signed_file(&guid).unwrap();
    assert!(signed.starts_with(PDF) && signed.len() > PDF.len());
    assert_eq!(document.signed_file.unwrap().bytes, signed.len() as u64);
    assert_eq!(get(legale, &format!("/media/{guid}")).await.body, signed);
    assert_eq!(get(legale, &format!("/api/sign/download/{guid}")).await.body, signed);
    assert_eq!(get(legale, &format!("/api/sign/status/{guid}")).await.data()["sign_status"], 1);
    assert_eq!(legale.sign(&guid, 2), Err(StepRefused::Ended));
    assert!(legale.mails().iter().any(|mail| mail.to == "c@example.com" && mail.reason == "signed_copy"));
    legale.configure(|settings| settings.sign_pages = false);
    assert_eq!(get(legale, &format!("/api/sign/status/{guid}")).await.status, 404);
}

#[tokio::test]
async fn at_once_anybody_signs_and_a_rejection_ends_it() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let guid = started(legale, json!({}), json!({ "flow_type": "simultaneously" })).await;
    legale.sign(&guid, 2).unwrap();
    legale.reject(&guid, 1, "falta un anexo").unwrap();
    let document = legale.document(&guid).unwrap();
    assert_eq!((document.state, document.sign_status), (FlowState::Rejected, 2));
    assert_eq!(document.comment.as_deref(), Some("falta un anexo"));
    assert!(legale.signed_file(&guid).is_none());
    assert_eq!(get(legale, &format!("/api/document/get/{guid}")).await.data()["comment"], "falta un anexo");
}

#[tokio::test]
async fn links_expire_by_the_clock_and_can_be_extended() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    legale.stop_clock();
    let guid = started(legale, json!({}), json!({ "expiration": 2 })).await;
    legale.advance_clock(Duration::from_secs(2 * 86_400 - 1));
    assert_eq!(legale.document(&guid).unwrap().state, FlowState::InProgress);
    legale.advance_clock(Duration::from_secs(1));
    assert_eq!(legale.document(&guid).unwrap().state, FlowState::LinkExpired);
    assert_eq!(legale.sign(&guid, 1), Err(StepRefused::Expired));
    assert!(legale.extend(&guid, 1));
    legale.sign(&guid, 1).unwrap();
    assert!(legale.pause(&guid, true));
    assert_eq!(legale.sign(&guid, 2), Err(StepRefused::Paused));
    legale.pause(&guid, false);
    legale.terminate(&guid);
    assert_eq!(legale.sign(&guid, 2), Err(StepRefused::Ended));
    let other = create(legale, json!({})).await;
    assert_eq!(legale.sign(&other, 1), Err(StepRefused::NotStarted));
}

#[tokio::test]
async fn links_are_told_to_those_who_get_no_mail() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let signers = json!([
        signer("a@example.com"),
        with(signer("b@example.com"), json!({ "skip_email": false })),
        { "sign_flow": "approve", "sign_method": "approve_api", "email": "c@example.com" },
        { "sign_flow": "legale", "sign_method": "certification", "email": "d@example.com", "skip_email": true },
    ]);
    let flow = json!({ "flow_type": "simultaneously", "signer_list": signers });
    let answers = async |shape: LinksShape| {
        legale.configure(|settings| settings.links_shape = shape);
        let guid = create(legale, json!({})).await;
        (post(legale, &format!("/api/sign/start/{guid}"), flow.clone()).await.data(), guid)
    };
    let (strings, guid) = answers(LinksShape::Strings).await;
    assert_eq!(strings.as_array().unwrap().len(), 2);
    let invited: Vec<String> = legale.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(invited, ["b@example.com", "c@example.com", "d@example.com"][..2].to_vec());

    let page = strings[0].as_str().unwrap().strip_prefix(legale.base_url()).unwrap().to_owned();
    assert!(get(legale, &page).await.text().contains("ready to sign"));
    assert_eq!(legale.document(&guid).unwrap().signers[0].state, SignerState::Opened);
    let approval = strings[1].as_str().unwrap().strip_prefix(legale.base_url()).unwrap().to_owned();
    let approve = async || send(legale.base_url(), "POST", &approval, "", b"").await.status;
    assert_eq!(approve().await, 200);
    assert_eq!(legale.document(&guid).unwrap().signers[2].state, SignerState::Signed);
    assert_eq!(approve().await, 400);
    assert_eq!(send(legale.base_url(), "POST", "/api/sign/approve/x", "", b"").await.status, 404);
    legale.configure(|settings| settings.approval_needs_credentials = true);
    assert_eq!(approve().await, 401);

    let (map, _) = answers(LinksShape::Map).await;
    assert!(map["a@example.com"].as_str().unwrap().contains("/session/"));
    let (objects, _) = answers(LinksShape::SignUrl).await;
    assert_eq!(objects[1]["email"], "c@example.com");
    assert_eq!(answers(LinksShape::Nothing).await.0, Value::Null);
    legale.configure(|settings| settings.links_need_skip_email = false);
    assert_eq!(answers(LinksShape::Strings).await.0.as_array().unwrap().len(), 3);
}
