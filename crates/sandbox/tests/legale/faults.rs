//! Each fault of the machinery, seen from a client's socket, and what Legale has done by then.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration_sandbox::legale::{Endpoint, Legale};
use integration_sandbox::{Fault, Sandbox, Scripted};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::*;

/// Plays one fault against one create; returns what the client saw and whether the document exists.
async fn play(fault: Fault) -> (Answer, bool) {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let name = fault.name();
    legale.inject(Endpoint::Create, fault);
    let answer = post(legale, "/api/document/create", new_document()).await;
    let acted = legale.count("Contrato") == 1;
    let request = legale.requests().remove(0);
    assert_eq!((request.fault.as_deref(), request.acted), (Some(name), acted));
    assert_eq!(request.status.unwrap_or(0), answer.status, "{name}");
    // Once means once.
    if name != "revoke_credential" {
        create(legale, json!({})).await;
    }
    (answer, acted)
}

fn announced(answer: &Answer) -> usize {
    let lower = answer.head.to_lowercase();
    let (_, rest) = lower.split_once("content-length: ").unwrap();
    rest.split("\r\n").next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn connections_that_end_before_and_after_acting() {
    for (fault, reset, expected) in [
        (Fault::ResetBeforeBody, true, false),
        (Fault::ResetBeforeActing, true, false),
        (Fault::CloseBeforeActing, false, false),
        (Fault::ActThenReset, true, true),
        (Fault::ActThenClose, false, true),
    ] {
        let (answer, acted) = play(fault.clone()).await;
        assert_eq!((answer.status, answer.reset, acted), (0, reset, expected), "{fault:?}");
    }
}

#[tokio::test]
async fn answers_that_lie_about_their_length_or_end_early() {
    let (answer, acted) = play(Fault::ActThenCutBody).await;
    assert!(acted && answer.status == 200 && answer.body.len() < announced(&answer));
    let (answer, acted) = play(Fault::ActThenShortLength).await;
    assert!(acted && answer.status == 200 && answer.body.len() > announced(&answer));
    let (answer, acted) = play(Fault::ActThenTruncated).await;
    assert!(acted && answer.status == 200 && answer.body.len() == announced(&answer));
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
    let (answer, acted) = play(Fault::ActThenCutChunked).await;
    assert!(acted && answer.head.contains("chunked") && !answer.text().ends_with("0\r\n\r\n"));
    let (answer, acted) = play(Fault::ActThenOversized { bytes: 100_000 }).await;
    assert!(acted && answer.body.len() == 100_000 && answer.data()["GUID"].is_string());
}

#[tokio::test]
async fn refusals_pages_and_errors_instead_of_the_answer() {
    for (fault, status, text, expected) in [
        (Fault::Html, 200, "<form>", false),
        (Fault::Empty, 200, "", false),
        (Fault::NoSuccess, 200, "{}", false),
        (Fault::ErrorInside { code: "E".into() }, 200, r#""code":"E""#, false),
        (Fault::ActThenErrorInside { code: "E".into() }, 200, r#""data":null"#, true),
        (Fault::ActThenEmpty, 200, "", true),
        (Fault::ActThenErrorText, 400, "Error", true),
        (Fault::act_then_status(500), 500, "upstream", true),
        (Fault::act_then_html(502), 502, "<h1>", true),
        (Fault::too_many_requests("2"), 429, "later", false),
        (Fault::unavailable("-5"), 503, "later", false),
        (Fault::redirect("http://127.0.0.1:1/x"), 307, "moved", false),
        (Fault::Answer(Scripted::new(418).body("odd")), 418, "odd", false),
        (Fault::ActThenAnswer(Scripted::new(299).body("odd")), 299, "odd", true),
    ] {
        let (answer, acted) = play(fault.clone()).await;
        assert_eq!((answer.status, acted), (status, expected), "{fault:?}");
        assert!(answer.text().contains(text), "{fault:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_credential_revoked_in_mid_flow() {
    let (answer, acted) = play(Fault::RevokeCredential).await;
    assert_eq!((answer.status, acted), (401, false));

    let sandbox = start().await;
    let legale = sandbox.legale();
    let log_in = async || {
        let body = json!({ "email": legale.email(), "password": legale.password() }).to_string();
        let headers = "Content-Type: application/json\r\n";
        let answer = send(legale.base_url(), "POST", "/api/token", headers, body.as_bytes()).await;
        format!("Authorization: Bearer {}\r\n", answer.json()["token"].as_str().unwrap())
    };
    let list =
        async |bearer: &str| send(legale.base_url(), "GET", "/api/documents/", bearer, b"").await.status;
    let (first, second) = (log_in().await, log_in().await);
    legale.inject(Endpoint::List, Fault::RevokeCredential);
    assert_eq!(list(&first).await, 401);
    assert_eq!(list(&first).await, 401, "for good");
    assert_eq!(list(&second).await, 200, "the other session lives");
    legale.revoke_sessions();
    assert_eq!(list(&second).await, 401);
    assert_eq!(list(&log_in().await).await, 200);
    assert_eq!(legale.logins().len(), 3);
}

async fn with_file() -> (Sandbox, String) {
    let sandbox = start().await;
    let mut file = PDF.to_vec();
    file.resize(600_000, 7);
    let guid = create(sandbox.legale(), json!({ "file": STANDARD.encode(&file) })).await;
    (sandbox, guid)
}

async fn download(legale: &Legale, guid: &str, fault: Fault) -> Answer {
    legale.inject(Endpoint::Media, fault);
    get(legale, &format!("/media/{guid}")).await
}

#[tokio::test]
async fn spoiled_downloads() {
    let (sandbox, guid) = with_file().await;
    let legale = sandbox.legale();
    let truncated = download(legale, &guid, Fault::ActThenTruncated).await;
    assert_eq!((truncated.body.len(), announced(&truncated)), (300_000, 300_000));
    assert!(truncated.body.starts_with(b"%PDF-"));
    let html = download(legale, &guid, Fault::Html).await;
    assert_eq!(html.status, 200);
    assert!(html.text().contains("<html>"));
    let cut = download(legale, &guid, Fault::ActThenCutBody).await;
    assert_eq!((cut.body.len(), announced(&cut)), (300_000, 600_000));
    let short = download(legale, &guid, Fault::ActThenShortLength).await;
    assert_eq!((short.body.len(), announced(&short)), (600_000, 300_000));
    let whole = get(legale, &format!("/media/{guid}")).await;
    assert_eq!(whole.body.len(), 600_000);
}

#[tokio::test]
async fn held_late_hanging_and_stalled_answers() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    legale.inject(Endpoint::Create, Fault::ActThenHold);
    let held = tokio::spawn({
        let legale = legale.clone();
        async move { post(&legale, "/api/document/create", new_document()).await }
    });
    legale.wait_for_requests(1).await;
    assert_eq!(legale.documents().len(), 1);
    assert!(!held.is_finished());
    legale.release_held();
    assert_eq!(held.await.unwrap().status, 200);
    legale.inject(Endpoint::Create, Fault::act_then_late(std::time::Duration::from_millis(20)));
    create(legale, json!({})).await;

    for (fault, acts) in [(Fault::Hang, 0), (Fault::ActThenHang, 1), (Fault::ActThenStall, 1)] {
        legale.reset();
        legale.inject(Endpoint::Create, fault);
        let mut stream = TcpStream::connect(address(legale.base_url())).await.unwrap();
        let body = new_document().to_string();
        let head = format!(
            "POST /api/document/create HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            key(legale),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        legale.wait_for_requests(1).await;
        assert_eq!(legale.documents().len(), acts);
    }
}

#[tokio::test]
async fn resets_on_accept_refused_connections_and_random_faults() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    legale.inject(Endpoint::List, Fault::ResetOnAccept);
    let stream = TcpStream::connect(address(legale.base_url())).await.unwrap();
    assert!(read(stream).await.reset);
    assert_eq!((legale.connections(), legale.requests().len()), (1, 0));
    legale.refuse_connections().await.unwrap();
    assert!(TcpStream::connect(address(legale.base_url())).await.is_err());
    legale.accept_connections().await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..2 {
        legale.reset();
        legale.inject_random(Endpoint::List, Fault::Empty, 0.5, 11);
        let mut run = Vec::new();
        for _ in 0..10 {
            run.push(get(legale, "/api/documents/").await.body.is_empty());
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    legale.inject_always(Endpoint::List, Fault::Html);
    legale.clear_faults();
    assert!(get(legale, "/api/documents/").await.json()["results"].is_array());
}
