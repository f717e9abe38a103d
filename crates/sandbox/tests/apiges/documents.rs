//! Documents, messages, receipts, evidence: W50 to W75, sections 4.8 and 4.9.

use std::time::Duration;

use integration_sandbox::Sandbox;
use integration_sandbox::websync::{ContactRef, ReceiptEvent};
use serde_json::{Value, json};

use crate::support::*;

const PDF: &str = "Content-Type: application/pdf\r\n";

fn link(version: u64, bytes: &[u8]) -> Value {
    json!({
        "version": version, "sha256": sha256(bytes), "bytes": bytes.len(), "mediaType": "application/pdf",
        "fileName": "carta.pdf", "title": "Carta", "date": "20/06/2025",
    })
}

async fn portal(sandbox: &Sandbox) -> Web {
    let web = Web::of(sandbox);
    for code in ["C/1", "C/2"] {
        web.grant(code, 1, &json!({})).await.data();
    }
    let view = json!({ "numero": "1" });
    web.push(&push(3992, 1, &[("C/1", view.clone()), ("C/2", view)], &[])).await.data();
    web
}

#[tokio::test]
async fn a_blob_is_what_its_digest_says() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    let path = format!("/blobs/{}", sha256(b"%PDF"));
    let head = async || web.call("HEAD", &path, "", &Value::Null).await;
    assert_eq!((head().await.status, head().await.body.len()), (404, 0));
    assert_eq!(web.bytes("PUT", &path, PDF, b"%PDX").await.refusal(), (422, "digest".into()));
    assert_eq!(web.bytes("PUT", &path, "", b"%PDF").await.status, 400);
    assert_eq!(web.bytes("PUT", &path, PDF, b"%PDF").await.status, 201);
    assert_eq!(web.bytes("PUT", &path, PDF, b"%PDF").await.status, 200);
    assert_eq!(head().await.status, 200);
    web.portal.configure(|settings| settings.blob_bytes = 3);
    assert_eq!(web.bytes("PUT", &path, PDF, b"%PDF").await.refusal(), (413, "too-large".into()));
}

#[tokio::test]
async fn a_blob_that_nobody_links_goes_after_a_day() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = portal(&sandbox).await;
    web.portal.stop_clock();
    for bytes in [b"linked".as_slice(), b"alone", b"picture"] {
        web.bytes("PUT", &format!("/blobs/{}", sha256(bytes)), PDF, bytes).await.data();
    }
    let path = "/cases/3992/annotations/1/documents/1";
    web.write("PUT", path, &link(1, b"linked")).await.data();
    let picture =
        json!({ "grafico": { "sha256": sha256(b"picture"), "mediaType": "image/png", "bytes": 7 } });
    let pictures = [("C/1", picture.clone()), ("C/2", picture)];
    web.push(&push(3992, 2, &pictures, &[])).await.data();
    web.portal.advance_clock(Duration::from_secs(24 * 60 * 60));
    web.get("/health").await.data();
    web.write("POST", "/unions/preview", &json!({ "pairTag": sha256(b"x"), "joining": contact("C/1") }))
        .await
        .data();
    let stored =
        [b"linked".as_slice(), b"alone", b"picture"].map(|bytes| web.portal.blob(&sha256(bytes)).is_some());
    assert_eq!(stored, [true, false, true]);
    assert!(web.portal.missing_pictures().is_empty());
}

#[tokio::test]
async fn a_document_is_linked_once_and_withdrawn_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = portal(&sandbox).await;
    let path = "/cases/3992/annotations/12/documents/34";
    let put = async |body: &Value| web.write("PUT", path, body).await;
    assert_eq!(put(&link(1, b"one")).await.refusal(), (409, "blob-missing".into()));
    for bytes in [b"one".as_slice(), b"two"] {
        web.bytes("PUT", &format!("/blobs/{}", sha256(bytes)), PDF, bytes).await.data();
    }
    let mut folder = link(1, b"one");
    folder["fileName"] = json!("../carta.pdf");
    assert_eq!(put(&folder).await.status, 400);
    let elsewhere = web.write("PUT", "/cases/1/annotations/12/documents/34", &link(1, b"one")).await;
    assert_eq!(elsewhere.refusal(), (409, "case-unknown".into()));
    web.portal.mark_hidden(3992, "12", "34", true);
    assert_eq!(put(&link(1, b"one")).await.refusal(), (422, "hidden".into()));
    web.portal.mark_hidden(3992, "12", "34", false);
    assert_eq!(put(&link(2, b"one")).await.data()["outcome"], "linked");
    assert_eq!(put(&link(2, b"one")).await.data()["outcome"], "duplicate");
    assert_eq!(put(&link(2, b"two")).await.refusal(), (409, "version-reuse".into()));
    assert_eq!(put(&link(1, b"two")).await.data()["outcome"], "stale");
    let mut one = link(3, b"two");
    one["grants"] = json!([contact("C/1")]);
    assert_eq!(put(&one).await.data()["outcome"], "linked");
    let listed = web.get("/cases/3992/annotations/12/documents").await.data();
    assert_eq!(
        (listed["items"].as_array().unwrap().len(), &listed["items"][0]["documentId"]),
        (1, &json!(34))
    );
    let documents = async |code: &str| {
        let view = web.get(&format!("/view?grant={code}")).await.data();
        view["cases"][0]["documents"].as_array().unwrap().len()
    };
    assert_eq!((documents("C/1").await, documents("C/2").await), (1, 0));
    let gone = async |version: u64| {
        let path = format!("{path}?version={version}&reason=document-hidden");
        web.write("DELETE", &path, &Value::Null).await.data()["outcome"].clone()
    };
    assert_eq!(
        (gone(2).await, gone(4).await, gone(5).await),
        (json!("stale"), json!("withdrawn"), json!("already"))
    );
    assert_eq!(documents("C/1").await, 0);
    assert_eq!(put(&link(5, b"two")).await.data()["outcome"], "stale");
    assert_eq!(put(&link(6, b"two")).await.data()["outcome"], "linked");
    // A withdrawn case takes its documents along.
    web.push(&push(3992, 9, &[("C/2", json!({}))], &[("C/1", "case-moved")])).await.data();
    assert_eq!(web.get("/view?grant=C/1").await.data()["cases"], json!([]));
    assert_eq!(documents("C/2").await, 1);
}

fn message(id: &str, body: &str) -> Value {
    json!({
        "messageId": id, "author": { "role": "firm", "ref": "u1" }, "sentAt": "2026-03-02T10:15:04.120Z",
        "lang": "es", "body": body, "attachments": [],
    })
}

fn receipt(id: &str, message: &str, event: &str) -> Value {
    json!({
        "receiptId": id, "messageId": message, "event": event, "at": "2026-03-02T10:15:09.000Z",
        "actor": "viewer:C/4879",
    })
}

#[tokio::test]
async fn the_evidence_is_the_chain_of_the_contract() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = portal(&sandbox).await;
    let evidence = async || web.get("/cases/3992/evidence").await.data();
    assert_eq!(evidence().await["head"], "fce0b75df40e20baa06d9118090359a2c432f59bf2ac4a0f0caa861fe4db1e14");
    let posted = web.write("POST", "/cases/3992/messages", &message("m-1", "Hola")).await.data();
    let h1 = "b52b5abf7d8d2f21f3a4901740793113e67ff322c6aacd232f16dc02121a3c13";
    assert_eq!(posted, json!({ "seq": 1, "hash": h1 }));
    let read = web.write("POST", "/messages/m-1/receipts", &receipt("r-1", "m-1", "read")).await.data();
    let h2 = "0b8afc951c3bc584370233f787b5ad827a0cc05c7b313481c6911bad85f1e8f3";
    assert_eq!(read, json!({ "state": "read", "seq": 2, "hash": h2 }));
    let export = evidence().await;
    assert_eq!((&export["head"], &export["records"][0]["hash"]), (&json!(h2), &json!(h1)));
    assert_eq!(export["records"][1]["actor"], "viewer:C/4879");
}

#[tokio::test]
async fn threads_are_append_only_and_receipts_only_move_forward() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = portal(&sandbox).await;
    let post = async |body: &Value| web.write("POST", "/cases/3992/messages", body).await;
    let first = post(&message("m-1", "Hola")).await.data();
    assert_eq!(post(&message("m-1", "Hola")).await.data(), first);
    assert_eq!(post(&message("m-1", "Adiós")).await.refusal(), (409, "message-exists".into()));
    let mut correction = message("m-2", "Adiós");
    correction["replaces"] = json!("m-0");
    assert_eq!(post(&correction).await.status, 422);
    correction["replaces"] = json!("m-1");
    post(&correction).await.data();
    let mut attached = message("m-3", "x");
    attached["attachments"] = json!([34]);
    assert_eq!(post(&attached).await.status, 422);
    web.bytes("PUT", &format!("/blobs/{}", sha256(b"one")), PDF, b"one").await.data();
    web.write("PUT", "/cases/3992/annotations/12/documents/34", &link(1, b"one")).await.data();
    post(&attached).await.data();
    let records = web.get("/cases/3992/evidence").await.data()["records"].clone();
    assert_eq!(
        (&records[1]["replaces"], &records[2]["attachments"]),
        (&json!("m-1"), &json!([sha256(b"one")]))
    );
    let page = web.get("/cases/3992/messages?after=1&limit=1").await.data();
    assert_eq!((&page["items"][0]["messageId"], &page["next"]), (&json!("m-2"), &json!("2")));

    let receive = async |id: &str, event: &str| {
        web.write("POST", "/messages/m-1/receipts", &receipt(id, "m-1", event)).await.data()["state"].clone()
    };
    assert_eq!(receive("a", "acknowledged").await, "acknowledged");
    assert_eq!(receive("b", "delivered").await, "acknowledged");
    assert_eq!(receive("b", "delivered").await, "acknowledged");
    assert_eq!(web.get("/messages/m-1/receipts").await.data()["items"].as_array().unwrap().len(), 2);
    let unknown = web.write("POST", "/messages/m-9/receipts", &receipt("z", "m-9", "read")).await;
    assert_eq!(unknown.refusal(), (404, "not-found".into()));
}

#[tokio::test]
async fn the_feed_tells_what_viewers_did() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = portal(&sandbox).await;
    let viewer = ContactRef::new("C", "1");
    web.write("POST", "/cases/3992/messages", &message("m-1", "Hola")).await.data();
    assert_eq!(web.get("/events").await.data(), json!({ "items": [], "next": null }));
    assert!(web.portal.viewer_writes(1, &viewer, "x").is_none(), "he does not see that case");
    assert!(web.portal.viewer_writes(3992, &ContactRef::new("C", "9"), "x").is_none());
    let own = web.portal.viewer_writes(3992, &viewer, "Gracias").unwrap();
    let read = web.portal.viewer_receives("m-1", &viewer, ReceiptEvent::Read).unwrap();
    assert_eq!(web.portal.message_state("m-1"), Some("read"));
    let page = web.get("/events?limit=1").await.data();
    assert_eq!(
        (&page["items"][0]["type"], &page["items"][0]["payload"]["messageId"]),
        (&json!("message"), &json!(own))
    );
    assert_eq!(page["items"][0]["payload"]["author"], json!({ "role": "viewer", "ref": "C/1" }));
    let next = page["next"].as_str().unwrap();
    let rest = web.get(&format!("/events?after={next}")).await.data();
    assert_eq!((&rest["items"][0]["payload"]["receiptId"], &rest["next"]), (&json!(read), &Value::Null));
    assert_eq!(rest["items"][0]["payload"]["actor"], "viewer:C/1");
    assert_eq!(web.get("/cases/3992/evidence").await.data()["records"].as_array().unwrap().len(), 3);
}
