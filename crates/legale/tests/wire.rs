//! What goes over the wire and what comes back: the rows of contract 2, 3 and 4.5 and the traps of 6, against a server that answers as
//! told. Expected values are the contract's. No test waits: pauses go by a manual clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::needless_pass_by_value
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use legale::flow::{Flow, SignMethod, Signer};
use legale::{
    BatchOutcome, Client, ClientBuilder, Code, ContactPatch, Credential, DocumentId, Environment, ErrorExt,
    ErrorKind, FetchedFrom, ManualClock, Migration, NewContact, Outcome, Patch, Reference, Rut, Sending,
    Source, Step, TemplateItem, TemplateSigner, UnexpectedRedirect, Upload, Workflow,
};
use serde_json::{Value, json};
use wiremock::matchers::{any, body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

const PDF: &str = "%PDF-1.7 test";

fn builder(server: &MockServer) -> ClientBuilder {
    Client::builder()
        .environment(Environment::root(&server.uri()).unwrap())
        .credential(Credential::api_key("sentinel-key"))
        .clock(ManualClock::new())
}

fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn status(code: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(code).set_body_json(body)
}

fn id(text: &str) -> DocumentId {
    text.parse().unwrap()
}

async fn on(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

async fn served(verb: &str, at: &str, answer: ResponseTemplate) -> (MockServer, Client) {
    let server = MockServer::start().await;
    on(&server, verb, at, answer).await;
    let client = client(&server);
    (server, client)
}

fn upload() -> Upload {
    Upload::new("Contrato_X_2025.pdf", "Contrato", Source::bytes(PDF))
}

fn flow() -> Flow {
    Flow::sequential()
        .signer(Signer::outsider(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas"))
        .build()
        .unwrap()
}

fn made(guid: &str) -> ResponseTemplate {
    ok(json!({"data": {"GUID": guid, "sign_status": 0}, "code": null, "message": ""}))
}

async fn requests(server: &MockServer, verb: &str, at: &str) -> Vec<Request> {
    let all = server.received_requests().await.unwrap();
    all.into_iter().filter(|request| request.method.as_str() == verb && request.url.path() == at).collect()
}

/// Answers in order; the last one stays.
struct Script(AtomicUsize, Vec<ResponseTemplate>);

impl Respond for Script {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let at = self.0.fetch_add(1, Ordering::SeqCst).min(self.1.len() - 1);
        self.1[at].clone()
    }
}

async fn script(server: &MockServer, verb: &str, at: &str, answers: Vec<ResponseTemplate>) {
    Mock::given(method(verb))
        .and(path(at))
        .respond_with(Script(AtomicUsize::new(0), answers))
        .mount(server)
        .await;
}

// ---- 2: headers, credentials, transport ---------------------------------------------------------------------------

#[tokio::test]
async fn exactly_one_credential_header_and_the_language_go_out() {
    let (server, client) = served("GET", "/api/documents/", ok(json!([]))).await;
    client.check_credentials().await.unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.headers["legale-api-key"], "sentinel-key");
    assert!(request.headers.get("authorization").is_none());
    assert_eq!(request.headers["accept-language"], "es");
    assert_eq!(request.url.query(), Some("page=1&page_size=1"));

    let token = builder(&server).credential(Credential::token("jwt.jwt.jwt")).build().unwrap();
    token.check_credentials().await.unwrap();
    let request = &server.received_requests().await.unwrap()[1];
    assert_eq!(request.headers["authorization"], "Bearer jwt.jwt.jwt");
    assert!(request.headers.get("legale-api-key").is_none());
}

async fn with_password(server: &MockServer, clock: &ManualClock) -> Client {
    Mock::given(method("POST"))
        .and(path("/api/token"))
        .and(body_json(json!({"email": "ana@example.com", "password": "sentinel-password"})))
        .respond_with(Script(
            AtomicUsize::new(0),
            (1..20)
                .map(|n| ok(json!({"token": format!("token-{n}"), "code": null, "message": ""})))
                .collect(),
        ))
        .mount(server)
        .await;
    let credential = Credential::password("ana@example.com", "sentinel-password");
    builder(server).credential(credential).clock(clock.clone()).build().unwrap()
}

#[tokio::test]
async fn a_token_is_renewed_at_four_hours_forty_five_and_not_before() {
    let (server, clock) = (MockServer::start().await, ManualClock::new());
    on(&server, "GET", "/api/documents/", ok(json!([]))).await;
    let client = with_password(&server, &clock).await;
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    for (step, logins) in [(0, 1), (284, 1), (1, 2), (284, 2), (1, 3)] {
        clock.advance(minutes(step));
        client.check_credentials().await.unwrap();
        assert_eq!(requests(&server, "POST", "/api/token").await.len(), logins, "{step}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_and_one_expired_token_are_one_login() {
    let (server, clock) = (MockServer::start().await, ManualClock::new());
    on(&server, "GET", "/api/documents/", ok(json!([]))).await;
    let client = with_password(&server, &clock).await;
    client.check_credentials().await.unwrap();
    clock.advance(Duration::from_secs(5 * 3600));
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.check_credentials().await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(requests(&server, "POST", "/api/token").await.len(), 2);
}

#[tokio::test]
async fn a_token_revoked_in_mid_flow_is_one_renewal_and_one_replay() {
    let (server, clock) = (MockServer::start().await, ManualClock::new());
    on(&server, "GET", "/api/documents/", ok(json!([]))).await;
    let client = with_password(&server, &clock).await;
    client.check_credentials().await.unwrap();
    Mock::given(method("POST"))
        .and(path("/api/document/create"))
        .and(header("authorization", "Bearer token-2"))
        .respond_with(made("g1"))
        .mount(&server)
        .await;
    on(&server, "POST", "/api/document/create", status(401, json!({}))).await;
    assert_eq!(client.create(&upload()).await.unwrap().document.guid, id("g1"));
    assert_eq!(requests(&server, "POST", "/api/token").await.len(), 2);
    let sent = requests(&server, "POST", "/api/document/create").await;
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].body, sent[1].body);
}

#[tokio::test]
async fn a_second_401_is_final_and_403_never_logs_in() {
    let (server, clock) = (MockServer::start().await, ManualClock::new());
    let client = with_password(&server, &clock).await;
    script(
        &server,
        "GET",
        "/api/documents/",
        vec![status(401, json!({})), status(401, json!({})), status(403, json!({}))],
    )
    .await;
    assert_eq!(client.check_credentials().await.unwrap_err().kind(), ErrorKind::Authentication);
    assert_eq!(requests(&server, "POST", "/api/token").await.len(), 2);
    assert_eq!(client.check_credentials().await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(requests(&server, "GET", "/api/documents/").await.len(), 3);
    // The second 401 made that ticket worthless too; the third call may have logged in once more before it was sent.
    assert!(requests(&server, "POST", "/api/token").await.len() <= 3);
}

#[tokio::test]
async fn a_fixed_credential_is_not_replayed() {
    let (server, client) = served("GET", "/api/documents/", status(401, json!({"detail": "no"}))).await;
    assert_eq!(client.check_credentials().await.unwrap_err().kind(), ErrorKind::Authentication);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_login_is_an_authentication_error_without_the_password() {
    for answer in [
        status(400, json!({"code": "ERROR_WRONG_PASSWORD", "message": "sentinel-password"})),
        status(401, json!({})),
        status(403, json!({})),
        ok(json!({"token": "", "code": null, "message": ""})),
        ok(json!({"code": null, "message": ""})),
    ] {
        let (server, _) = served("POST", "/api/token", answer).await;
        let client =
            builder(&server).credential(Credential::password("a@b", "sentinel-password")).build().unwrap();
        let error = client.check_credentials().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Forbidden), "{error}");
        assert!(error.is_not_sent(), "{error}");
        let shown = format!("{error} {error:?} {} {}", error.report(), error.support_summary());
        assert!(!shown.contains("sentinel"), "{shown}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn only_gets_are_repeated_and_only_after_what_may_pass() {
    for (code, requests) in [(429, 3), (502, 3), (503, 3), (504, 3), (500, 1), (501, 1), (400, 1), (404, 1)] {
        let (server, client) = served("GET", "/api/documents/", status(code, json!({}))).await;
        assert!(client.check_credentials().await.is_err());
        assert_eq!(server.received_requests().await.unwrap().len(), requests, "GET {code}");
    }
    for code in [429, 502, 503, 504, 500] {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(status(code, json!({}))).mount(&server).await;
        let client = client(&server);
        let outcome = if code == 429 { Outcome::Refused } else { Outcome::Unknown };
        let results = [
            client.create(&upload()).await.err(),
            client.start(&id("g"), &flow()).await.err(),
            client.delete(&id("g")).await.err(),
            client.update_contact(&1.into(), &ContactPatch::default()).await.err(),
            client.start_batch(&1.into(), &[item()]).await.err(),
        ];
        assert_eq!(server.received_requests().await.unwrap().len(), 5, "{code}");
        for error in results {
            assert_eq!(error.unwrap().outcome(), outcome, "{code}");
        }
    }
}

#[tokio::test]
async fn a_hint_to_wait_is_obeyed_up_to_two_minutes() {
    let (server, clock) = (MockServer::start().await, ManualClock::new());
    let wait = |text: &str| status(429, json!({})).insert_header("retry-after", text);
    script(&server, "GET", "/api/documents/", vec![wait("7"), wait("900"), ok(json!([]))]).await;
    builder(&server).clock(clock.clone()).build().unwrap().check_credentials().await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(7), Duration::from_secs(120)]);
}

#[tokio::test]
async fn a_get_follows_three_redirects_within_its_host_and_no_more() {
    let server = MockServer::start().await;
    let to = |at: &str| ResponseTemplate::new(302).insert_header("location", at);
    on(&server, "GET", "/api/folder", to("/a/")).await;
    on(&server, "GET", "/a/", to(&format!("{}/b?x=1", server.uri()))).await;
    on(&server, "GET", "/b", to("c/d?y=2")).await;
    on(&server, "GET", "/c/d", ok(json!([{"id": 1}]))).await;
    assert_eq!(client(&server).folders().await.unwrap().len(), 1);
    assert_eq!(server.received_requests().await.unwrap()[3].url.query(), Some("y=2"));
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.headers["legale-api-key"], "sentinel-key");
    }
    server.reset().await;
    on(&server, "GET", "/api/folder", to("/api/folder")).await;
    let error = client(&server).folders().await.unwrap_err();
    assert!(error.find_source::<UnexpectedRedirect>().is_some(), "{error}");
    assert_eq!(server.received_requests().await.unwrap().len(), 4);
}

#[tokio::test]
async fn no_redirect_leaves_the_host_and_none_is_followed_by_a_post() {
    let other = MockServer::start().await;
    Mock::given(any()).respond_with(ok(json!([]))).expect(0).mount(&other).await;
    let away = ResponseTemplate::new(307).insert_header("location", format!("{}/x", other.uri()));
    let (_keep, reader) = served("GET", "/api/folder", away.clone()).await;
    assert!(reader.folders().await.unwrap_err().find_source::<UnexpectedRedirect>().is_some());
    let here = ResponseTemplate::new(301).insert_header("location", "/api/document/create/");
    let (server, writer) = served("POST", "/api/document/create", here).await;
    let error = writer.create(&upload()).await.unwrap_err();
    assert!(error.find_source::<UnexpectedRedirect>().is_some() && error.is_outcome_unknown());
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

// ---- 2.3: time for the files that are sent ----------------------------------------------------------------------------

/// Until `client` has nothing more to do but wait for time to pass.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// The writer of a pipe that is kept open and gives no byte: the first bytes are looked at before anything is sent, and that, too,
/// has the time of the call and no more.
#[tokio::test]
async fn a_file_that_does_not_come_ends_in_time_and_nothing_was_sent() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(made("g")).expect(0).mount(&server).await;
    let limit = Duration::from_millis(120);
    let silent = |length| {
        let (reader, writer) = tokio::io::duplex(64);
        // Kept open for as long as the program runs.
        std::mem::forget(writer);
        Source::reader(length, reader)
    };
    let never = || Source::opener(9, std::future::pending::<std::io::Result<std::io::Cursor<Vec<u8>>>>);
    let named = |source| Upload::new("Contrato_X_2025.pdf", "Contrato", source);
    for upload in [named(silent(1_000_000)), named(never()), upload().attach("Anexo.pdf", silent(5))] {
        let clock = ManualClock::new();
        let client = builder(&server).clock(clock.clone()).timeout(limit).build().unwrap();
        let task = tokio::spawn(async move { client.create(&upload).await });
        settle().await;
        clock.advance(limit - Duration::from_millis(1));
        settle().await;
        assert!(!task.is_finished());
        clock.advance(Duration::from_millis(1));
        let error = soon(task).await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent), "{error}");
    }
    let clock = ManualClock::new();
    let client = builder(&server).clock(clock.clone()).document_timeout(limit).build().unwrap();
    let task = tokio::spawn(async move { client.migrate(&Migration::new("a.pdf", "d", silent(9))).await });
    settle().await;
    clock.advance(limit);
    let error = soon(task).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent), "{error}");
}

/// What hears no limit fails its test.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    integration_core::clock::within(&integration_core::clock::SystemClock::new(), limit, work)
        .await
        .expect("it ends")
}

/// What the file took, the service has no longer: one limit is for the whole call.
#[tokio::test]
async fn the_time_that_a_file_took_is_taken_from_the_call() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let (clock, (reader, mut writer)) = (ManualClock::new(), tokio::io::duplex(64));
    let client = Client::builder().environment(Environment::root(&root).unwrap());
    let client = client.credential(Credential::api_key("k")).clock(clock.clone());
    let client = client.timeout(Duration::from_secs(100)).build().unwrap();
    let source = Source::opener(9, {
        let reader = Arc::new(std::sync::Mutex::new(Some(reader)));
        move || {
            let slow = reader.lock().unwrap().take();
            async move {
                let Some(mut slow) = slow else { return Ok(std::io::Cursor::new(b"%PDF-1.7 ".to_vec())) };
                let mut all = Vec::new();
                tokio::io::AsyncReadExt::read_to_end(&mut slow, &mut all).await?;
                Ok(std::io::Cursor::new(all))
            }
        }
    });
    let upload = Upload::new("Contrato_X_2025.pdf", "Contrato", source);
    let task = tokio::spawn(async move { client.create(&upload).await });
    settle().await;
    clock.advance(Duration::from_secs(70));
    tokio::io::AsyncWriteExt::write_all(&mut writer, b"%PDF-1.7 ").await.unwrap();
    drop(writer);
    let (mut socket, _) = soon(listener.accept()).await.unwrap();
    tokio::io::AsyncReadExt::read_u8(&mut socket).await.unwrap();
    clock.advance(Duration::from_secs(30));
    let error = soon(task).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown), "{error}");
}

// ---- 3.3: create ----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_create_has_the_contracts_fields_and_an_exact_length() {
    let (server, _) = served("POST", "/api/document/create", made("g1")).await;
    let client = builder(&server).allow_replacing(true).build().unwrap();
    let upload = upload()
        .subject("S")
        .folder("Contract/Company1")
        .callback_url("https://h/cb")
        .callback_key("K")
        .document_type("T")
        .note("N")
        .date("D")
        .replacing(id("old"))
        .attach("Anexo.pdf", Source::bytes(PDF));
    let created = client.create(&upload).await.unwrap();
    // printf '%%PDF-1.7 test' | sha256sum
    assert_eq!(created.sha256.len(), 64);
    assert_eq!(created.length, 13);
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["content-length"], request.body.len().to_string().as_str());
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let file = "JVBERi0xLjcgdGVzdA==";
    assert_eq!(
        body,
        json!({"file_name": "Contrato_X_2025.pdf", "description": "Contrato", "file": file, "subject": "S",
            "folder": "Contract/Company1", "callback_url": "https://h/cb", "callback_key": "K", "document_type": "T",
            "note": "N", "date": "D", "GUID": "old", "attached_file": [{"file_name": "Anexo.pdf", "file": file}]})
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_at_once_and_nothing_is_sent() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(made("g")).expect(0).mount(&server).await;
    let client = builder(&server).document_limit(20).build().unwrap();
    let bad = Upload::new("a.pdf", "x".repeat(1024), Source::bytes("PK\x03\x04 this is no PDF, and long"))
        .replacing(id("g"))
        .attach("noextension", Source::bytes(""));
    let error = client.create(&bad).await.unwrap_err();
    let rules: Vec<_> = error.faults().iter().map(|fault| (fault.rule(), fault.path().to_owned())).collect();
    let expect = |rule: &'static str, path: &str| {
        assert!(rules.contains(&(rule, path.to_owned())), "{rule} {path}: {rules:?}");
    };
    expect("LENGTH", "description");
    expect("REPLACE", "GUID");
    expect("SIZE", "file");
    expect("TYPE", "file");
    expect("ATTACHMENT", "attached_file[0].file_name");
    expect("FILE", "attached_file[0].file");
    assert!(error.is_not_sent());
    let missing = client.create(&Upload::path("/no/such/file.pdf", "d")).await.unwrap_err();
    assert_eq!((missing.kind(), missing.is_not_sent()), (ErrorKind::Store, true));
    assert!(client.create(&Upload::new("a.pdf", " ", Source::bytes(PDF))).await.unwrap_err().is_validation());
    assert!("".parse::<DocumentId>().is_err());
    assert!(client.approve("not a url").await.unwrap_err().is_not_sent());
    assert!(client.approve("http://example.com/x").await.unwrap_err().is_not_sent());
}

#[tokio::test]
async fn the_attachments_key_is_a_setting() {
    let (server, _) = served("POST", "/api/document/create", made("g")).await;
    let client = builder(&server).attachments_key("attach_file_list").build().unwrap();
    client.create(&upload().attach("a.pdf", Source::bytes(PDF))).await.unwrap();
    let body: Value = serde_json::from_slice(&server.received_requests().await.unwrap()[0].body).unwrap();
    assert!(body["attach_file_list"].is_array() && body.get("attached_file").is_none());
}

#[tokio::test]
async fn a_file_of_another_length_than_announced_is_not_sent_whole() {
    let (server, client) = served("POST", "/api/document/create", made("g")).await;
    for announced in [12, 14] {
        let source = Source::opener(announced, || async { Ok(std::io::Cursor::new(PDF)) });
        let error = client.create(&Upload::new("a.pdf", "d", source)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reader_that_can_be_read_once_is_preceded_by_a_small_call() {
    let (server, client) = served("POST", "/api/document/create", made("g")).await;
    on(&server, "GET", "/api/documents/", status(401, json!({}))).await;
    let once = || Upload::new("a.pdf", "d", Source::reader(13, std::io::Cursor::new(PDF)));
    assert!(client.create(&once()).await.unwrap_err().is_not_sent());
    assert!(requests(&server, "POST", "/api/document/create").await.is_empty());
    server.reset().await;
    on(&server, "GET", "/api/documents/", ok(json!([]))).await;
    on(&server, "POST", "/api/document/create", made("g")).await;
    client.create(&once()).await.unwrap();
}

// ---- 3.4, 3.8, 3.9: reading -----------------------------------------------------------------------------------------

#[tokio::test]
async fn detail_is_read_wrapped_and_bare_and_not_found_is_a_400() {
    let document = json!({"guid": "not-a-uuid", "sign_status": "1", "doc_id": 77, "created_at": "2021-10-19T16:05:44.158662Z", "new": 1});
    for body in [document.clone(), json!({"data": document, "code": null, "message": ""})] {
        let (_server, client) = served("GET", "/api/document/get/not-a-uuid", ok(body)).await;
        let detail = client.detail(&id("not-a-uuid")).await.unwrap();
        assert_eq!(detail.document.doc_id.as_deref(), Some("77"));
        assert_eq!(detail.document.sign_status.code(), 1);
        assert_eq!(detail.document.created_at.unwrap().to_string(), "2021-10-19T16:05:44.158662Z");
        assert_eq!(detail.extra["new"], 1);
    }
    for answer in [
        status(400, json!({"code": "DOCUMENT_NOT_FOUND", "message": "x"})),
        ok(json!({"code": "DOCUMENT_NOT_FOUND", "data": null})),
        status(404, json!("no")),
    ] {
        let (_server, client) = served("GET", "/api/document/get/g", answer).await;
        assert!(client.detail(&id("g")).await.unwrap_err().is_not_found());
    }
    for (code, expected) in [("NOT_OWNER", Code::NotOwner), ("NOT_API_DOCUMENT", Code::NotApiDocument)] {
        let (_server, client) =
            served("GET", "/api/document/get/g", status(400, json!({"code": code}))).await;
        assert_eq!(client.detail(&id("g")).await.unwrap_err().code(), Some(expected));
    }
}

#[tokio::test]
async fn ids_are_one_segment() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(json!({"GUID": "a/b?c"}))).mount(&server).await;
    client(&server).detail(&id("a/b?c")).await.unwrap();
    assert_eq!(server.received_requests().await.unwrap()[0].url.path(), "/api/document/get/a%2Fb%3Fc");
    assert!(client(&server).detail(&id("..")).await.unwrap_err().is_not_sent());
}

#[tokio::test]
async fn html_is_an_error_and_never_a_panic() {
    let html = |code| ResponseTemplate::new(code).set_body_raw("<html>\u{0}\u{ffff}", "text/html");
    for code in [200, 400, 500, 502] {
        let (_server, client) = served("GET", "/api/folder", html(code)).await;
        let error = client.folders().await.unwrap_err();
        assert!(!error.support_summary().is_empty());
    }
}

async fn listed(pages: Vec<Value>) -> (Result<Vec<String>, legale::Error>, usize) {
    let server = MockServer::start().await;
    script(&server, "GET", "/api/documents/", pages.into_iter().map(ok).collect()).await;
    let found = client(&server).documents().all().await;
    let asked = server.received_requests().await.unwrap();
    for (at, request) in asked.iter().enumerate() {
        assert_eq!(request.url.query(), Some(format!("page={}&page_size=50", at + 1).as_str()));
    }
    (found.map(|all| all.into_iter().map(|item| item.guid.to_string()).collect()), asked.len())
}

fn page(next: Value, guids: &[&str]) -> Value {
    let results: Vec<Value> = guids.iter().map(|guid| json!({"GUID": guid, "sign_status": 0})).collect();
    json!({"count": 9, "next": next, "previous": null, "results": results})
}

#[tokio::test]
async fn a_list_ends_by_each_of_its_rules() {
    // `next` is never followed, whatever it says.
    let next = || json!("https://evil.example.com/?page=77");
    same(listed(vec![page(next(), &["a"]), page(json!(null), &["b"])]).await, &["a", "b"], 2);
    same(listed(vec![page(next(), &["a"]), page(next(), &[])]).await, &["a"], 2);
    same(listed(vec![page(next(), &["a", "b"]), page(next(), &["b", "a"])]).await, &["a", "b"], 2);
    same(listed(vec![page(next(), &["a", "b"]), page(json!(null), &["b", "c"])]).await, &["a", "b", "c"], 2);
    same(listed(vec![json!([{"GUID": "a", "sign_status": 0}])]).await, &["a"], 1);
    same(listed(vec![json!({"results": null, "next": null})]).await, &[], 1);
    let wrapped = json!({"data": page(json!(null), &["a"]), "code": null, "message": ""});
    same(listed(vec![wrapped]).await, &["a"], 1);
    for unreadable in [json!({"items": []}), json!({"results": {}}), json!("x"), json!([{"no": 1}])] {
        assert_eq!(listed(vec![unreadable]).await.0.unwrap_err().kind(), ErrorKind::UnexpectedAnswer);
    }
}

fn same((found, asked): (Result<Vec<String>, legale::Error>, usize), guids: &[&str], expected: usize) {
    assert_eq!(found.unwrap(), guids);
    assert_eq!(asked, expected);
}

// ---- 3.1 row 6, 3.4, 4.12: download ---------------------------------------------------------------------------------

fn pdf() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(PDF, "application/pdf")
}

async fn fetched(server: &MockServer) -> Result<(FetchedFrom, String), legale::Error> {
    let mut out = Vec::new();
    let fetched = client(server).download(&id("g")).to_writer(&mut out).await?;
    assert_eq!(fetched.length, out.len() as u64);
    Ok((fetched.from, String::from_utf8(out).unwrap()))
}

#[tokio::test]
async fn a_file_is_found_in_each_of_its_places() {
    fn goes_to_any_thread<T: Send>(_: &T) {}
    let builder = Client::builder().environment(Environment::Sandbox).credential(Credential::api_key("k"));
    let nowhere = builder.build().unwrap();
    goes_to_any_thread(&nowhere.download(&id("g")).to_writer(&mut tokio::io::sink()));

    for (document, at) in [
        ("/media/x.pdf", "/media/x.pdf"),
        ("x.pdf", "/media/x.pdf"),
        ("sub/x.pdf", "/media/sub/x.pdf"),
        ("/2021/10/1.pdf", "/media/2021/10/1.pdf"),
        ("/mediators/1.pdf", "/media/mediators/1.pdf"),
        ("a:b.pdf", "/media/a:b.pdf"),
        ("//other.example/x.pdf", "/media/other.example/x.pdf"),
        (" x.pdf\n", "/media/x.pdf"),
        ("2021/../x.pdf", "/media/x.pdf"),
    ] {
        let server = MockServer::start().await;
        on(
            &server,
            "GET",
            "/api/document/get/g",
            ok(json!({"GUID": "g", "sign_status": 1, "document": document})),
        )
        .await;
        on(&server, "GET", at, pdf()).await;
        assert_eq!(fetched(&server).await.unwrap(), (FetchedFrom::Document, PDF.to_owned()), "{document}");
    }
    let server = MockServer::start().await;
    on(
        &server,
        "GET",
        "/api/document/get/g",
        ok(json!({"GUID": "g", "sign_status": 1, "base64": "JVBERi0xLjcg dGVzdA"})),
    )
    .await;
    assert_eq!(fetched(&server).await.unwrap(), (FetchedFrom::Detail, PDF.to_owned()));
    on(&server, "GET", "/media/g", pdf()).await;
    assert_eq!(fetched(&server).await.unwrap(), (FetchedFrom::Media, PDF.to_owned()));
    on(&server, "GET", "/api/sign/download/g", pdf()).await;
    let mut out = Vec::new();
    let signed = client(&server).download(&id("g")).from_sign_download().to_writer(&mut out).await.unwrap();
    assert_eq!(signed.from, FetchedFrom::SignDownload);
}

/// What cannot be an address, or leads where no file of this service lies. No other place is left out for that, and if none has the
/// file, the error says why the first was not asked.
#[tokio::test]
async fn an_address_that_cannot_be_used_does_not_hide_the_other_places() {
    for (document, why) in [
        ("http://media.example.com/x.pdf", "plain http"),
        ("HTTP://media.example.com/x.pdf", "plain http"),
        ("ftp://media.example.com/x.pdf", "neither https nor http"),
        ("https://user:sentinel@media.example.com/x.pdf", "credentials"),
        ("https://", "no URL"),
        ("../api/token", "leads elsewhere"),
        ("/media/../api/token", "leads elsewhere"),
        ("/2021/../../api/token", "leads elsewhere"),
    ] {
        let server = MockServer::start().await;
        let detail = |base64: Option<&str>| {
            ok(json!({"GUID": "g", "sign_status": 1, "document": document, "base64": base64}))
        };
        on(&server, "GET", "/api/document/get/g", detail(None)).await;
        let error = fetched(&server).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("address was not used") && text.contains(why), "{document}: {text}");
        assert!(!text.contains("sentinel"), "{text}");
        // The address was not asked, so nobody knows that the file is not there.
        assert!(error.kind() == ErrorKind::UnexpectedAnswer && !error.is_not_found(), "{document}: {error}");
        let asked: Vec<_> = server.received_requests().await.unwrap();
        let asked: Vec<_> = asked.iter().map(|request| request.url.path().to_owned()).collect();
        assert_eq!(asked, ["/api/document/get/g", "/media/g"], "{document}");
        server.reset().await;
        on(&server, "GET", "/api/document/get/g", detail(Some("JVBERi0xLjcgdGVzdA"))).await;
        assert_eq!(fetched(&server).await.unwrap(), (FetchedFrom::Detail, PDF.to_owned()), "{document}");
        on(&server, "GET", "/media/g", pdf()).await;
        assert_eq!(fetched(&server).await.unwrap(), (FetchedFrom::Media, PDF.to_owned()), "{document}");
    }
}

#[tokio::test]
async fn without_an_address_a_file_that_is_nowhere_is_not_found() {
    for document in [Value::Null, json!(""), json!(" ")] {
        let server = MockServer::start().await;
        on(
            &server,
            "GET",
            "/api/document/get/g",
            ok(json!({"GUID": "g", "sign_status": 1, "document": document})),
        )
        .await;
        let error = fetched(&server).await.unwrap_err();
        assert!(error.is_not_found() && !error.to_string().contains("address"), "{error}");
    }
}

#[tokio::test]
async fn a_large_detail_is_read_without_its_file_and_its_file_is_streamed() {
    let server = MockServer::start().await;
    // 3 bytes each, so that repeating the text repeats the bytes.
    let text = format!("JVBERi0x{}", "QUJD".repeat(1_000_000));
    let body = json!({"data": {"GUID": "g", "sign_status": 1, "base64": text, "attached_files": [{"file_name": "a", "base64": "QUJD"}]}, "code": null});
    on(&server, "GET", "/api/document/get/g", ok(body)).await;
    let detail = client(&server).detail(&id("g")).await.unwrap();
    assert!(detail.files_left_out && detail.base64.is_none() && detail.document.sign_status.code() == 1);
    let (from, file) = fetched(&server).await.unwrap();
    assert_eq!(from, FetchedFrom::Detail);
    assert_eq!(file.len(), 3_000_006);
    assert!(file.starts_with("%PDF-1ABC") && file.ends_with("ABC"));
}

#[tokio::test]
async fn what_is_no_pdf_leaves_nothing_behind() {
    let server = MockServer::start().await;
    let page = || ResponseTemplate::new(200).set_body_raw("<html>log in</html>", "text/html");
    on(
        &server,
        "GET",
        "/api/document/get/g",
        ok(json!({"GUID": "g", "sign_status": 1, "document": "/media/x", "file_name": "../a.pdf"})),
    )
    .await;
    on(&server, "GET", "/media/x", page()).await;
    on(&server, "GET", "/media/g", page()).await;
    let folder = tempfile::tempdir().unwrap();
    let download = client(&server).download(&id("g"));
    let error = download.to_folder(folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedAnswer, "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let saved = download.clone().any_type().to_folder(folder.path()).await.unwrap();
    assert_eq!(saved.path.unwrap().file_name().unwrap(), "g_a.pdf");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // A file that is there is left alone unless it is said.
    let error = download.clone().any_type().to_folder(folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    download.any_type().overwrite().to_folder(folder.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn credentials_stay_with_the_host_of_the_api() {
    let (server, other) = (MockServer::start().await, MockServer::start().await);
    on(&other, "GET", "/x.pdf", pdf()).await;
    let document = format!("{}/x.pdf?signature=a%2Fb", other.uri());
    on(
        &server,
        "GET",
        "/api/document/get/g",
        ok(json!({"GUID": "g", "sign_status": 1, "document": document})),
    )
    .await;
    fetched(&server).await.unwrap();
    let request = &other.received_requests().await.unwrap()[0];
    assert!(
        request.headers.get("legale-api-key").is_none() && request.headers.get("authorization").is_none()
    );
    assert_eq!(request.url.query_pairs().next().unwrap().1, "a/b");
    on(&other, "POST", "/approve", ResponseTemplate::new(200)).await;
    client(&server).approve(&format!("{}/approve", other.uri())).await.unwrap();
    assert!(other.received_requests().await.unwrap()[1].headers.get("legale-api-key").is_none());
}

// ---- 3.5: start, approve, status ------------------------------------------------------------------------------------

#[tokio::test]
async fn a_start_sends_the_flow_as_it_is_and_an_empty_answer_is_in_doubt() {
    let (server, client) = served(
        "POST",
        "/api/sign/start/g",
        ok(json!({"data": ["https://s/1"], "code": null, "message": ""})),
    )
    .await;
    let started = client.start(&id("g"), &flow()).await.unwrap();
    assert_eq!(started.links[0].url, "https://s/1");
    let body: Value = serde_json::from_slice(&server.received_requests().await.unwrap()[0].body).unwrap();
    assert_eq!(body["shared_list"], json!([]));
    let (_server, client) = served("POST", "/api/sign/start/g", ResponseTemplate::new(200)).await;
    assert!(client.start(&id("g"), &flow()).await.unwrap_err().is_outcome_unknown());
    let (_server, client) =
        served("POST", "/api/sign/start/g", ok(json!({"data": null, "code": null, "message": ""}))).await;
    assert!(client.start(&id("g"), &flow()).await.unwrap().links.is_empty());
}

#[tokio::test]
async fn approving_and_deleting_take_an_empty_answer() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    let client = client(&server);
    client.approve(&format!("{}/approve/abc/", server.uri())).await.unwrap();
    client.delete(&id("g")).await.unwrap();
    client.delete_folder(&7.into()).await.unwrap();
    let seen: Vec<_> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|r| format!("{} {}", r.method, r.url.path()))
        .collect();
    assert_eq!(seen, ["POST /approve/abc/", "DELETE /api/document/delete/g", "DELETE /api/folder/7"]);
    assert!(client.folders().await.unwrap_err().kind() == ErrorKind::UnexpectedAnswer);
}

#[tokio::test]
async fn a_status_falls_back_to_the_detail() {
    let (server, client) =
        served("GET", "/api/document/get/g", ok(json!({"GUID": "g", "sign_status": 2}))).await;
    assert_eq!(client.sign_status(&id("g")).await.unwrap().code(), 2);
    on(&server, "GET", "/api/sign/status/g", ok(json!({"data": {"sign_status": 1}, "message": ""}))).await;
    assert_eq!(client.sign_status(&id("g")).await.unwrap().code(), 1);
}

// ---- 3.6: templates, contacts, migration ----------------------------------------------------------------------------

fn item() -> TemplateItem {
    TemplateItem::new()
        .variable(1, "Ana")
        .signer(TemplateSigner::new(SignMethod::NoSms, "ana@example.com"))
        .share_with("c@d")
}

#[tokio::test]
async fn templates_start_in_both_versions() {
    let server = MockServer::start().await;
    on(
        &server,
        "POST",
        "/api/template/3",
        ok(json!({"data": [{"GUID": "a"}, {"code": "BAD", "message": "no"}], "code": null})),
    )
    .await;
    let batch = client(&server).start_batch(&3.into(), &[item(), item()]).await.unwrap();
    assert!(matches!(batch.items[..], [BatchOutcome::Started(_), BatchOutcome::Refused(_)]));
    let body: Value = serde_json::from_slice(&server.received_requests().await.unwrap()[0].body).unwrap();
    assert_eq!(body["data"][1]["shared_list"], json!([{"email": "c@d"}]));
    on(
        &server,
        "POST",
        "/api/v2/smart-document/3/workflow/",
        ok(json!([{"sign_url": "https://s/1", "email": "a@b"}])),
    )
    .await;
    let signer = TemplateSigner::new(SignMethod::NoSms, "a@b").name("A", "B").anchor("F");
    let started = client(&server)
        .start_workflow(&3.into(), &Workflow::new().signer(signer).share_with("c@d"))
        .await
        .unwrap();
    assert_eq!(started.links[0].email.as_deref(), Some("a@b"));
    let body: Value = serde_json::from_slice(&server.received_requests().await.unwrap()[1].body).unwrap();
    assert_eq!(body["shared_list"], json!(["c@d"]));
    on(
        &server,
        "GET",
        "/api/v2/smart-documents/",
        ok(json!([{"id": 3, "items": [{"item_number": "1", "type": "new"}]}])),
    )
    .await;
    let found = client(&server).smart_documents().all().await.unwrap();
    assert_eq!((found[0].id.as_str(), found[0].items[0].item_number), ("3", Some(1)));
}

#[tokio::test]
async fn contacts_have_their_own_paths_and_a_duplicate_is_looked_up() {
    let server = MockServer::start().await;
    let ana = json!({"id": 5, "email": "Ana@Example.com", "firstname": "Ana", "lastname1": "Soto", "rut": "11.222.333-k"});
    script(&server, "GET", "/api/v2/contacts/", vec![ok(json!([])), ok(json!([ana]))]).await;
    on(&server, "POST", "/api/v2/contacts/", status(400, json!({"code": "ERROR_CONTACT_DUPLICATED"}))).await;
    on(&server, "PUT", "/api/v2/contact/5/", ok(json!({"id": 5}))).await;
    let rut: Rut = "12.345.678-5".parse().unwrap();
    client(&server)
        .ensure_contact(&NewContact::new("ana@example.com", "Ana", "Rojas").rut(rut))
        .await
        .unwrap();
    let put = &requests(&server, "PUT", "/api/v2/contact/5/").await[0];
    assert_eq!(
        serde_json::from_slice::<Value>(&put.body).unwrap(),
        json!({"lastname1": "Rojas", "rut": "12345678-5"})
    );
    let patch = ContactPatch { phone: Patch::Clear, ..ContactPatch::default() };
    client(&server).update_contact(&5.into(), &patch).await.unwrap();
    let put = &requests(&server, "PUT", "/api/v2/contact/5/").await[1];
    assert_eq!(serde_json::from_slice::<Value>(&put.body).unwrap(), json!({"phone": null}));
}

#[tokio::test]
async fn calls_by_analogy_are_off_until_switched_on() {
    let (server, client) = served("GET", "/api/v2/contact/5/", ok(json!({"id": 5}))).await;
    assert_eq!(client.contact(&5.into()).await.unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(client.delete_contact(&5.into()).await.unwrap_err().kind(), ErrorKind::Configuration);
    assert!(server.received_requests().await.unwrap().is_empty());
    let on = builder(&server).allow_contact_by_id(true).build().unwrap();
    assert_eq!(on.contact(&5.into()).await.unwrap().id.as_str(), "5");
}

#[tokio::test]
async fn a_migration_streams_its_file() {
    let (server, client) =
        served("POST", "/api/migrate/document/", ok(json!({"data": {"GUID": "m"}, "code": null}))).await;
    let migrated = client.migrate(&Migration::new("a.pdf", "d", Source::bytes(PDF))).await.unwrap();
    assert_eq!((migrated.guid, migrated.length), (id("m"), 13));
    let body: Value = serde_json::from_slice(&server.received_requests().await.unwrap()[0].body).unwrap();
    assert_eq!(body["document"]["file"], "JVBERi0xLjcgdGVzdA==");
}

// ---- 4.5: send and recover ------------------------------------------------------------------------------------------

async fn steps(server: &MockServer, send: &Sending) -> (Result<legale::Sent, legale::SendError>, Vec<Step>) {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let note = seen.clone();
    let result =
        client(server).send_observed(send, move |step| note.lock().unwrap().push(step.clone())).await;
    let seen = seen.lock().unwrap().clone();
    (result, seen)
}

fn send() -> Sending {
    Sending::new(upload(), flow()).reference("order-42")
}

#[tokio::test]
async fn a_lost_create_is_found_and_not_repeated() {
    let server = MockServer::start().await;
    on(&server, "POST", "/api/document/create", status(500, json!({}))).await;
    let there = json!([{"GUID": "x", "sign_status": 0, "description": "Contrato"}, {"GUID": "g", "sign_status": 0, "description": "Contrato [ref:order-42]"}]);
    on(&server, "GET", "/api/documents/", ok(there)).await;
    on(&server, "POST", "/api/sign/start/g", ok(json!({"data": [], "message": ""}))).await;
    let (result, seen) = steps(&server, &send()).await;
    assert_eq!(result.unwrap().guid, id("g"));
    assert_eq!(seen, [Step::Checked, Step::CreateLost, Step::CreateFound(id("g")), Step::Started(id("g"))]);
    assert_eq!(requests(&server, "POST", "/api/document/create").await.len(), 1);
}

#[tokio::test]
async fn a_create_that_is_nowhere_is_made_again_once() {
    let server = MockServer::start().await;
    script(&server, "POST", "/api/document/create", vec![status(502, json!({})), made("g")]).await;
    on(&server, "GET", "/api/documents/", ok(json!([]))).await;
    on(&server, "POST", "/api/sign/start/g", ok(json!([]))).await;
    assert_eq!(steps(&server, &send()).await.0.unwrap().guid, id("g"));
    assert_eq!(requests(&server, "GET", "/api/documents/").await.len(), 3);
    server.reset().await;
    on(&server, "POST", "/api/document/create", status(502, json!({}))).await;
    on(&server, "GET", "/api/documents/", ok(json!([]))).await;
    assert!(steps(&server, &send()).await.0.unwrap_err().error().is_outcome_unknown());
    assert_eq!(requests(&server, "POST", "/api/document/create").await.len(), 2);
}

#[tokio::test]
async fn two_hits_or_a_failed_look_leave_the_outcome_unknown() {
    let two = json!([{"GUID": "a", "sign_status": 0, "description": "[ref:x] [ref:order-42]"}, {"GUID": "b", "sign_status": 0, "description": "x [ref:order-42]"}]);
    for answer in [ok(two), status(500, json!({}))] {
        let server = MockServer::start().await;
        on(&server, "POST", "/api/document/create", status(500, json!({}))).await;
        on(&server, "GET", "/api/documents/", answer).await;
        let error = steps(&server, &send()).await.0.unwrap_err();
        assert!(error.error().is_outcome_unknown() && error.document().is_none(), "{error}");
        assert_eq!(requests(&server, "POST", "/api/document/create").await.len(), 1);
    }
}

#[tokio::test]
async fn a_lost_start_is_settled_by_the_signers_and_a_refused_one_keeps_the_document() {
    for (signers, starts, good) in [
        (json!([{"signer_info": {"email": "ANA@example.com"}}]), 1, true),
        (json!([]), 2, false),
        (json!([{"signer_info": {"email": "other@example.com"}}]), 1, false),
    ] {
        let server = MockServer::start().await;
        on(&server, "POST", "/api/document/create", made("g")).await;
        on(&server, "POST", "/api/sign/start/g", status(500, json!({}))).await;
        on(
            &server,
            "GET",
            "/api/document/get/g",
            ok(json!({"GUID": "g", "sign_status": 0, "sign_list": signers})),
        )
        .await;
        let (result, _) = steps(&server, &send()).await;
        assert_eq!(result.is_ok(), good);
        assert_eq!(requests(&server, "POST", "/api/sign/start/g").await.len(), starts);
        if let Err(error) = result {
            assert_eq!(error.document(), Some(&id("g")));
        }
    }
    let server = MockServer::start().await;
    on(&server, "POST", "/api/document/create", made("g")).await;
    on(&server, "POST", "/api/sign/start/g", status(400, json!({"code": "NEW"}))).await;
    let error = steps(&server, &send()).await.0.unwrap_err();
    assert!(error.error().is_refused() && error.to_string().contains("document g"));
}

#[tokio::test]
async fn a_callback_url_of_its_own_is_the_reference() {
    let server = MockServer::start().await;
    let url = "https://h/legale/4f1c9c0e5a9f4b0b8f7d2f6a3c1e9b57";
    on(&server, "GET", "/api/documents/", ok(json!([{"GUID": "g", "callback_url": url}, {"GUID": "x"}])))
        .await;
    let client = client(&server);
    assert_eq!(client.find_created(&Reference::CallbackUrl(url.into())).await.unwrap(), Some(id("g")));
    assert_eq!(client.find_created(&Reference::CallbackUrl("https://h/other".into())).await.unwrap(), None);
}

#[tokio::test]
async fn a_failure_in_a_batch_stops_nothing() {
    let server = MockServer::start().await;
    on(&server, "POST", "/api/document/create", made("g")).await;
    on(&server, "POST", "/api/sign/start/g", ok(json!([]))).await;
    let bad = Sending::new(Upload::new("a.pdf", "d", Source::bytes("no pdf")), flow()).reference("order-43");
    let results = client(&server).send_all([send(), bad, send()]).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let echo = json!({"code": "NEW", "message": "sentinel-key sentinel-callback sentinel-cbkey"});
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(status(400, echo)).mount(&server).await;
    let upload = upload().callback_url("https://h/sentinel-callback").callback_key("sentinel-cbkey");
    let shown = format!("{upload:?} {:?} {:?}", client(&server), builder(&server));
    assert!(!shown.contains("sentinel"), "{shown}");
    let upload = Upload::new("a.pdf", "d", Source::bytes(PDF))
        .callback_url("sentinel-callback")
        .callback_key("sentinel-cbkey");
    let error = client(&server).create(&upload).await.unwrap_err();
    let shown = format!("{error} {error:?} {error:#?} {} {}", error.report(), error.support_summary());
    assert!(!shown.contains("sentinel"), "{shown}");
}

#[tokio::test]
async fn paging_goes_on_with_v2_addresses() {
    let server = MockServer::start().await;
    for (number, next) in [("1", json!("x")), ("2", json!(null))] {
        Mock::given(path("/api/v2/contacts/"))
            .and(query_param("page", number))
            .and(query_param("page_size", "2"))
            .respond_with(ok(json!({"results": [{"id": number}], "next": next})))
            .mount(&server)
            .await;
    }
    let client = builder(&server).page_size(2).build().unwrap();
    assert_eq!(client.contacts().all().await.unwrap().len(), 2);
}
