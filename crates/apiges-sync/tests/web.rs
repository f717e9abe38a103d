//! The HTTP mapping as it leaves and as it comes back (contract 2.2, 3.5, 3.7, 3.8), against a scripted server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

use std::time::Duration;

use apiges_sync::grant::PairTag;
use apiges_sync::web::*;
use apiges_sync::{Error, ErrorClass, ErrorExt, ErrorKind, Outcome};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const KEY: &str = "5f0c2b52-1111-4222-8333-444455556666";
const SENTINEL: &str = "s3ntinel-credential";

async fn portal(answer: ResponseTemplate) -> (MockServer, HttpTransport) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let transport = HttpTransport::builder()
        .base_url(&server.uri())
        .and_then(|builder| {
            builder.tenant("demo").credential(SENTINEL).timeout(Duration::from_secs(5)).build()
        })
        .unwrap();
    (server, transport)
}

fn success(data: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"statusCode": 200, "message": "", "data": data}))
}

fn refusal(status: u16, code: &str, details: Value) -> ResponseTemplate {
    let error = json!({"code": code, "details": details});
    let body = json!({"statusCode": status, "message": "no", "data": null, "error": error});
    ResponseTemplate::new(status).set_body_json(body)
}

/// Method, path with query, and body of the last request.
async fn last(server: &MockServer) -> (String, String, Value, Request) {
    let request = server.received_requests().await.unwrap().pop().unwrap();
    let url = &request.url;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    (request.method.to_string(), format!("{}{query}", url.path()), body, request)
}

fn contact() -> ContactRef {
    ContactRef::client("48/79").unwrap()
}

fn key() -> IdempotencyKey {
    IdempotencyKey::stored(KEY)
}

fn place() -> DocumentPlace {
    DocumentPlace { case: 3992, annotation: "5".into(), document: "d 1".into() }
}

fn tag() -> PairTag {
    PairTag::from_hex(&"ab".repeat(32)).unwrap()
}

fn grant_json() -> Value {
    json!({"contact": {"kind": "C", "code": "48/79"}, "contactId": 1, "state": "active", "version": 3,
        "scope": {"type": "own"}, "show": ["clave"], "excludedModalities": [], "admin": null,
        "closedCases": "withdraw", "lang": "es"})
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Each read: what is asked, what is answered.
#[tokio::test]
async fn reads_go_to_their_rows() {
    let contact = contact();
    let message = MessageId::new("m-1");
    let viewer = Viewer::Contact(contact.clone());
    let item = json!({"items": [], "next": null});
    let digest = json!({"count": 2, "digest": "ab".repeat(32)});
    let load = LoadId::new("l-1");
    macro_rules! row {
        ($expected:literal, $data:expr, |$portal:ident| $call:expr) => {{
            let (server, $portal) = portal(success($data)).await;
            $call.await.unwrap();
            let (method, path, _, request) = last(&server).await;
            assert_eq!(format!("{method} {path}"), concat!("GET /websync/v1/demo", $expected));
            assert_eq!(request.headers["authorization"], format!("Bearer {SENTINEL}"));
            assert_eq!(request.headers["x-websync-protocol"], "1");
            assert!(!request.headers.contains_key("idempotency-key"));
        }};
    }
    let limits = json!({"blobBytes": 1, "batchItems": 100, "bodyBytes": 9});
    row!("/health", json!({"protocol": 1, "tenant": "demo", "limits": limits}), |portal| portal.health());
    row!("/grants?after=x&limit=7", item.clone(), |portal| portal.grants(Part::after("x").limit(7)));
    row!("/grants/C/48%2F79", grant_json(), |portal| portal.grant(&contact));
    row!("/grants/C/48%2F79/digest", digest, |portal| portal.digest(&contact));
    row!("/loads/l-1", json!({"loadId": "l-1", "contacts": []}), |portal| portal.load(&load));
    row!("/cases/3992", json!({"version": 1, "grants": [], "withdrawn": []}), |portal| portal.case(3992));
    row!("/view?grant=C%2F48%2F79", item.clone(), |portal| portal.view(&viewer));
    let union = Viewer::Union(tag());
    row!(
        "/view?pairTag=abababababababababababababababababababababababababababababababab",
        item.clone(),
        |portal| portal.view(&union)
    );
    row!("/withdrawals", item.clone(), |portal| portal.withdrawals(Part::default()));
    row!("/cases/3992/annotations/5/documents", item.clone(), |portal| portal.links(3992, "5"));
    row!("/cases/3992/messages?after=4", item.clone(), |portal| portal.messages(3992, Part::after("4")));
    row!("/messages/m-1/receipts", item.clone(), |portal| portal.receipts(&message));
    row!("/events", item, |portal| portal.events(Part::default()));
}

/// Each write: method, path, key and the body as the contract has it.
#[tokio::test]
async fn writes_go_to_their_rows_with_their_key() {
    let contact = contact();
    let (key, place) = (key(), place());
    let load = LoadId::new("l-1");
    let opened = json!({"loadId": "l-1", "contacts": []});
    let batch: Batch = read(json!({"items": [], "digest": "ab".repeat(32)}));
    let commit: Commit = read(
        json!({"batches": 1, "count": 2, "digest": "ab".repeat(32), "complete": true, "allowWithdrawals": 0}),
    );
    let push: CasePush =
        read(json!({"caseId": 3992, "version": 42, "sequence": 1, "savedAt": "2026-03-02T10:15:04.120Z",
        "cause": "saved", "projections": [], "withdrawals": []}));
    let link: DocumentLink =
        read(json!({"version": 1, "sha256": "ab".repeat(32), "bytes": 1, "mediaType": "application/pdf",
        "fileName": "a.pdf", "title": "A", "date": "20/06/2025"}));
    let message: Message = read(json!({"messageId": "m-1", "author": {"role": "firm", "ref": "u1"},
        "sentAt": "2026-03-02T10:15:04.120Z", "lang": "es", "body": "Hola", "attachments": []}));
    let receipt: Receipt = read(json!({"receiptId": "r-1", "messageId": "m-1", "event": "read",
        "at": "2026-03-02T10:15:09.000Z", "actor": "viewer:C/4879"}));
    let grant: Grant = read(grant_json());
    macro_rules! row {
        ($expected:literal, $data:expr, $body:expr, |$portal:ident| $call:expr) => {{
            let (server, $portal) = portal(success($data)).await;
            $call.await.unwrap();
            let (method, path, body, request) = last(&server).await;
            assert_eq!(format!("{method} {path}"), $expected.replace("{ws}", "/websync/v1/demo"));
            assert_eq!(request.headers["idempotency-key"], KEY);
            assert_eq!(request.headers["x-websync-protocol"], "1");
            assert_eq!(body, $body);
            request
        }};
    }
    let wire = |value: &dyn erased::Json| value.json();
    let put = row!("PUT {ws}/grants/C/48%2F79", grant_json(), grant_json(), |portal| {
        portal.put_grant(&grant, Expected::Absent, &key)
    });
    assert_eq!(put.headers["if-none-match"], "*");
    let put = row!("PUT {ws}/grants/C/48%2F79", grant_json(), grant_json(), |portal| {
        portal.put_grant(&grant, Expected::Version(3), &key)
    });
    assert_eq!(put.headers["if-match"], "\"3\"");
    row!("POST {ws}/grants/C/48%2F79/suspend", grant_json(), json!({"version": 3}), |portal| {
        portal.suspend(&contact, 3, &key)
    });
    row!("POST {ws}/grants/C/48%2F79/resume", grant_json(), json!({"version": 3}), |portal| {
        portal.resume(&contact, 3, &key)
    });
    row!("DELETE {ws}/grants/C/48%2F79?version=3", json!({"withdrawn": 7}), Value::Null, |portal| {
        portal.revoke(&contact, 3, &key)
    });
    let rename = Rename { new_code: "9".into(), contact_id: 1 };
    row!(
        "POST {ws}/grants/C/48%2F79/rename",
        grant_json(),
        json!({"newCode": "9", "contactId": 1}),
        |portal| { portal.rename(&contact, &rename, &key) }
    );
    let union = UnionRequest { pair_tag: tag(), joining: contact.clone() };
    row!("POST {ws}/unions/preview", json!({"members": [], "previewId": "p"}), wire(&union), |portal| {
        portal.preview_union(&union, &key)
    });
    let all: OpenLoad = read(json!({"loadId": "l-1", "scope": "all", "contacts": [], "baseSequence": 4}));
    row!("POST {ws}/loads", opened.clone(), wire(&all), |portal| portal.open_load(&all, &key));
    let one = OpenSingleLoad { load_id: load.clone(), base_sequence: 4 };
    row!(
        "POST {ws}/contacts/C/48%2F79/loads",
        opened,
        json!({"loadId": "l-1", "baseSequence": 4}),
        |portal| { portal.open_single_load(&contact, &one, &key) }
    );
    row!("PUT {ws}/loads/l-1/contacts/C/48%2F79/batches/2", json!({"accepted": 0}), wire(&batch), |portal| {
        portal.put_batch(&load, &contact, 2, &batch, &key)
    });
    let totals = json!({"applied": 1, "unchanged": 0, "stale": 0, "withdrawn": 0});
    row!("POST {ws}/loads/l-1/contacts/C/48%2F79/commit", totals.clone(), wire(&commit), |portal| {
        portal.commit(&load, &contact, &commit, &key)
    });
    row!("POST {ws}/loads/l-1/close", totals.clone(), json!({}), |portal| portal.close_load(&load, &key));
    row!("POST {ws}/loads/l-1/abort", totals, json!({}), |portal| portal.abort_load(&load, &key));
    row!("PUT {ws}/cases/3992", json!({"outcome": "applied", "storedVersion": 42}), wire(&push), |portal| {
        portal.push(&push, &key)
    });
    let batch = CaseBatch { items: vec![push] };
    row!("POST {ws}/cases/batch", json!({"items": []}), wire(&batch), |portal| portal
        .push_batch(&batch, &key));
    let away: WithdrawalBatch = read(json!({"batchId": "b-1", "items": [
        {"caseId": 1, "version": 2, "grant": {"kind": "C", "code": "1"}, "reason": "case-closed"}]}));
    row!("POST {ws}/withdrawals", json!({"items": [{"outcome": "already"}]}), wire(&away), |portal| {
        portal.withdraw(&away, &key)
    });
    row!(
        "PUT {ws}/cases/3992/annotations/5/documents/d%201",
        json!({"outcome": "linked"}),
        wire(&link),
        |portal| { portal.link(&place, &link, &key) }
    );
    row!(
        "DELETE {ws}/cases/3992/annotations/5/documents/d%201?version=2&reason=document-hidden",
        json!({"outcome": "already"}),
        Value::Null,
        |portal| portal.unlink(&place, 2, &Reason::DocumentHidden, &key)
    );
    let stored = json!({"seq": 1, "hash": "ab".repeat(32)});
    row!("POST {ws}/cases/3992/messages", stored, wire(&message), |portal| {
        portal.post_message(3992, &message, &key)
    });
    let stored = json!({"state": "read", "seq": 2, "hash": "ab".repeat(32)});
    row!("POST {ws}/messages/m-1/receipts", stored, wire(&receipt), |portal| {
        portal.post_receipt(&receipt, &key)
    });
}

mod erased {
    pub(super) trait Json {
        fn json(&self) -> serde_json::Value;
    }
    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

#[tokio::test]
async fn a_blob_is_asked_for_and_stored_under_its_digest() {
    let (server, portal_) = portal(success(Value::Null)).await;
    let blob = Blob::bytes("image/png", "Hola");
    assert!(portal_.has_blob(blob.sha256).await.unwrap());
    let at = "/websync/v1/demo/blobs/e633f4fc79badea1dc5db970cf397c8248bac47cc3acf9915ba60b5d76b0e88f";
    let (method, path, ..) = last(&server).await;
    assert_eq!((method.as_str(), path.as_str()), ("HEAD", at));
    portal_.put_blob(&blob).await.unwrap();
    let (method, path, _, request) = last(&server).await;
    assert_eq!((method.as_str(), path.as_str(), request.body.as_slice()), ("PUT", at, b"Hola".as_slice()));
    assert_eq!(
        (&request.headers["content-type"], &request.headers["content-length"]),
        (&"image/png".parse().unwrap(), &"4".parse().unwrap())
    );
    assert!(!request.headers.contains_key("idempotency-key"));
    let (_server, portal_) = portal(ResponseTemplate::new(404)).await;
    assert!(!portal_.has_blob(blob.sha256).await.unwrap());
    let (_server, portal_) = portal(ResponseTemplate::new(403)).await;
    assert_eq!(portal_.has_blob(blob.sha256).await.unwrap_err().kind(), ErrorKind::Forbidden);
}

/// R1, R2: what answers must say that it took the bytes.
#[tokio::test]
async fn a_page_for_people_stores_nothing() {
    let inner = json!({"statusCode": 422, "message": "no", "data": null, "error": {"code": "digest"}});
    for (answer, kind) in [
        (ResponseTemplate::new(200).set_body_raw("<html>log in", "text/html"), ErrorKind::UnexpectedAnswer),
        (ResponseTemplate::new(201), ErrorKind::UnexpectedAnswer),
        (ResponseTemplate::new(200).set_body_json(inner), ErrorKind::Refused),
    ] {
        let (_server, portal) = portal(answer).await;
        let error = portal.put_blob(&Blob::bytes("image/png", "Hola")).await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

/// R5: no client data in an error, be the answer unreadable.
#[tokio::test]
async fn an_error_keeps_nothing_of_what_was_answered() {
    let view = json!({"statusCode": 200, "message": "", "data": {"items": "canary"}});
    let (_server, portal) = portal(ResponseTemplate::new(200).set_body_json(view)).await;
    let error = portal.view(&Viewer::Contact(contact())).await.unwrap_err();
    let kept = error.answer().map(|answer| answer.text().into_owned()).unwrap_or_default();
    let shown = format!("{error} {error:?} {} {kept}", error.report());
    assert!(error.kind() == ErrorKind::UnexpectedAnswer && !shown.contains("canary"), "{shown}");
}

/// R1 to R3, R5: both codes and the portal's own words, whether it states a code or not.
#[tokio::test]
async fn a_refusal_tells_both_codes_and_the_text() {
    let stated = |code: &str| json!({"code": code, "details": null});
    for (status, inner, error, class) in [
        (200, 400, Value::Null, ErrorClass::Api),
        (409, 422, stated("version-conflict"), ErrorClass::Conflict),
        (422, 422, stated("refused"), ErrorClass::Refused),
        (422, 422, stated("hidden"), ErrorClass::Refused),
        (422, 422, stated("digest"), ErrorClass::Integrity),
        (413, 413, stated("too-large"), ErrorClass::TooLarge),
        (403, 401, Value::Null, ErrorClass::Forbidden),
        (404, 404, Value::Null, ErrorClass::Api),
    ] {
        let body =
            json!({"statusCode": inner.to_string(), "message": "ocupado", "data": null, "error": error});
        let (_server, portal) = portal(ResponseTemplate::new(status).set_body_json(body)).await;
        let error = portal.suspend(&contact(), 3, &key()).await.unwrap_err();
        let said =
            Refusal::of(&error).map_or_else(|| error.problem().unwrap().said(), Refusal::said).unwrap();
        assert_eq!((said.status, said.inner), (status, Some(i64::from(inner))), "{error}");
        assert_eq!((error.class(), error.service_message()), (class, Some("ocupado")), "{error}");
        assert!(error.to_string().contains("ocupado"), "{error}");
    }
}

/// R2: a page for people is not JSON of another shape, and a status without an envelope is not a word of the portal.
#[tokio::test]
async fn pages_are_told_from_other_json() {
    let page =
        |status| ResponseTemplate::new(status).set_body_raw("<html>log in</html>", "text/html; charset=x");
    for (answer, class) in [
        (page(200), ErrorClass::UnexpectedContentType),
        (page(409), ErrorClass::Http),
        (ResponseTemplate::new(200), ErrorClass::UnexpectedShape),
        (ResponseTemplate::new(200).set_body_json(json!([])), ErrorClass::UnexpectedShape),
        (
            ResponseTemplate::new(200).set_body_raw("{\"statusCode\":20", "application/json"),
            ErrorClass::UnexpectedShape,
        ),
        (success(json!({"withdrawn": 1})), ErrorClass::UnexpectedShape),
    ] {
        let shown = format!("{answer:?}");
        let (_server, portal) = portal(answer).await;
        let error = portal.suspend(&contact(), 3, &key()).await.unwrap_err();
        assert_eq!(error.class(), class, "{shown}");
    }
}

async fn fails(answer: ResponseTemplate) -> (Error, usize) {
    let (server, portal) = portal(answer).await;
    let error = portal.digest(&contact()).await.unwrap_err();
    (error, server.received_requests().await.unwrap().len())
}

#[tokio::test]
async fn nothing_but_the_envelope_is_an_answer() {
    let html = ResponseTemplate::new(200).set_body_raw("<html>log in</html>", "text/html");
    let bodies = [
        html,
        ResponseTemplate::new(200),
        ResponseTemplate::new(200).set_body_json(json!([])),
        ResponseTemplate::new(200).set_body_json(json!({"count": 0, "digest": "ab".repeat(32)})),
        success(Value::Null),
        success(json!([])),
        success(json!({"count": 1})),
        ResponseTemplate::new(200).set_body_json(json!({"statusCode": 200, "message": ""})),
    ];
    for body in bodies {
        let shown = format!("{body:?}");
        let (error, requests) = fails(body).await;
        assert_eq!((error.kind(), requests), (ErrorKind::UnexpectedAnswer, 1), "{shown}");
    }
}

#[tokio::test]
async fn an_inner_failure_is_one() {
    let inner = |status: u16| {
        ResponseTemplate::new(200).set_body_json(json!({"statusCode": status, "message": "x", "data": null}))
    };
    for (status, kind) in [
        (401, ErrorKind::Authentication),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (422, ErrorKind::Refused),
    ] {
        let (error, requests) = fails(inner(status)).await;
        assert_eq!((error.kind(), requests), (kind, 1), "{status}");
    }
}

#[tokio::test]
async fn absence_is_believed_in_the_portals_own_words_only() {
    let (_server, there) = portal(refusal(404, "not-found", Value::Null)).await;
    assert_eq!(there.case(7).await.unwrap(), None);
    assert_eq!(there.grant(&contact()).await.unwrap(), None);
    for other in [
        ResponseTemplate::new(404),
        ResponseTemplate::new(404).set_body_string("<html>"),
        refusal(404, "invalid", Value::Null),
    ] {
        let (_server, portal) = portal(other).await;
        assert!(portal.case(7).await.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn a_refusal_tells_its_code_and_what_goes_with_it() {
    let (error, requests) = fails(refusal(409, "guard", json!({"wouldWithdraw": 21}))).await;
    assert_eq!((error.kind(), error.outcome(), requests), (ErrorKind::Conflict, Outcome::Refused, 1));
    let said = Refusal::of(&error).unwrap();
    assert_eq!(
        (said.code.clone(), said.would_withdraw(), error.service_code()),
        (RefusalCode::Guard, Some(21), Some("guard"))
    );
    let named = json!({"grants": [{"kind": "C", "code": "9"}]});
    let (error, _) = fails(refusal(409, "implicit-withdrawal", named)).await;
    let holders = Refusal::of(&error).unwrap().unnamed_holders().unwrap();
    assert_eq!(holders, [ContactRef::client("9").unwrap()]);
    let (error, _) = fails(refusal(422, "from-the-future", Value::Null)).await;
    assert_eq!(Refusal::of(&error).unwrap().code.as_str(), "from-the-future");
}

#[tokio::test]
async fn what_may_pass_is_repeated_under_one_key() {
    for status in [429, 500, 502, 503, 504] {
        let server = MockServer::start().await;
        let broken = ResponseTemplate::new(status).insert_header("retry-after", "0");
        Mock::given(any()).respond_with(broken).up_to_n_times(1).mount(&server).await;
        let fine = success(json!({"withdrawn": 1}));
        Mock::given(any()).respond_with(fine).mount(&server).await;
        let portal = HttpTransport::builder().base_url(&server.uri()).unwrap().tenant("demo").credential("x");
        let portal = portal.clock(apiges_sync::ManualClock::default()).build().unwrap();
        let gone = portal.revoke(&contact(), 3, &key()).await.unwrap();
        assert_eq!(gone.withdrawn, 1);
        let requests = server.received_requests().await.unwrap();
        let keys: Vec<_> =
            requests.iter().map(|request| request.headers["idempotency-key"].clone()).collect();
        assert_eq!(keys, [KEY, KEY], "{status}");
    }
    for status in [400, 401, 403, 409, 413, 422, 501] {
        assert_eq!(fails(refusal(status, "invalid", Value::Null)).await.1, 1, "{status}");
    }
}

#[tokio::test]
async fn what_is_missing_is_told_at_once_and_no_secret_is_shown() {
    let error = HttpTransport::builder().build().unwrap_err();
    let paths: Vec<_> = error.faults().iter().map(|fault| fault.path().to_owned()).collect();
    assert_eq!(paths, ["base_url", "tenant", "credential"]);
    assert!(HttpTransport::builder().base_url("http://portal.example").is_err());
    let error = HttpTransport::builder_from_lookup(|_| None).unwrap_err();
    assert_eq!(error.faults().len(), 3, "{error}");
    let (server, portal) = portal(refusal(401, "unauthorized", json!({"echo": SENTINEL}))).await;
    let error = portal.digest(&contact()).await.unwrap_err();
    let shown = format!("{portal:?} {error} {error:?} {}", error.report());
    assert!(error.kind() == ErrorKind::Authentication && !shown.contains(SENTINEL), "{shown}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}
