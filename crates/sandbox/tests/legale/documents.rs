//! Sessions, documents, lists, files.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration_sandbox::legale::{
    DocumentUrl, Envelope, ErrorShape, FlowState, GuidStyle, Legale, ListShape, LoginAnswer, Order, PastEnd,
    Times,
};
use serde_json::{Value, json};

use crate::support::*;

async fn log_in(legale: &Legale, password: &str) -> Answer {
    let body = json!({ "email": legale.email(), "password": password }).to_string();
    send(legale.base_url(), "POST", "/api/token", "Content-Type: application/json\r\n", body.as_bytes()).await
}

async fn list_with(legale: &Legale, headers: &str) -> Answer {
    send(legale.base_url(), "GET", "/api/documents/?page=1&page_size=1", headers, b"").await
}

#[tokio::test]
async fn a_session_lives_five_hours_to_the_second() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    legale.stop_clock();
    let answer = log_in(legale, legale.password()).await;
    assert_eq!(answer.status, 200);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.split('.').count(), 3);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(list_with(legale, &bearer).await.status, 200);
    legale.advance_clock(Duration::from_secs(5 * 3600 - 1));
    assert_eq!(list_with(legale, &bearer).await.status, 200);
    legale.advance_clock(Duration::from_secs(1));
    assert_eq!(list_with(legale, &bearer).await.status, 401);
    assert_eq!(legale.logins().len(), 1);
    assert!(legale.logins()[0].accepted);
    // A password stands in no log.
    assert!(legale.requests().iter().all(|request| !request.body.contains(legale.password())));
}

#[tokio::test]
async fn failed_logins_and_odd_ones() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let answer = log_in(legale, "wrong").await;
    assert_eq!((answer.status, answer.code()), (400, json!("ERROR_WRONG_PASSWORD")));
    for status in [401, 403] {
        legale.configure(|settings| settings.login_failure_status = status);
        assert_eq!(log_in(legale, "wrong").await.status, status);
    }
    for (shape, token) in [(LoginAnswer::EmptyToken, json!("")), (LoginAnswer::NoToken, Value::Null)] {
        legale.configure(|settings| settings.login_answer = shape);
        let answer = log_in(legale, legale.password()).await;
        assert_eq!((answer.status, answer.json()["token"].clone()), (200, token));
    }
    legale.configure(|settings| settings.login_answer = LoginAnswer::Older);
    assert_eq!(log_in(legale, legale.password()).await.json()["message"], "");
    assert_eq!(legale.logins().iter().filter(|login| login.accepted).count(), 3);
}

#[tokio::test]
async fn credentials_in_every_form() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let key = key(legale);
    assert_eq!(list_with(legale, &key).await.status, 200);
    for bad in ["", "Legale-Api-Key: x\r\n", "Authorization: Bearer x\r\n", "Authorization: Basic eA==\r\n"] {
        let answer = list_with(legale, bad).await;
        assert_eq!(answer.status, 401, "{bad}");
        assert!(answer.json()["detail"].is_string());
    }
    let both = format!("{key}Authorization: Bearer x\r\n");
    assert_eq!(list_with(legale, &both).await.status, 401);
    legale.configure(|settings| settings.accept_both_credentials = true);
    assert_eq!(list_with(legale, &both).await.status, 200);
    legale.revoke_api_key(legale.api_key());
    assert_eq!(list_with(legale, &key).await.status, 401);
    assert_eq!(legale.requests().last().unwrap().rule.as_deref(), Some("credentials"));
}

#[tokio::test]
async fn the_language_of_the_texts() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    for (language, text) in [("en", "Document not found"), ("pt", "Documento nao"), ("es", "no encontrado")] {
        let headers = format!("{}Accept-Language: {language}\r\n", key(legale));
        let answer = send(legale.base_url(), "GET", "/api/document/get/x", &headers, b"").await;
        assert!(answer.json()["message"].as_str().unwrap().contains(text), "{language}");
    }
}

#[tokio::test]
async fn a_document_is_created_listed_shown_downloaded_and_deleted() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let guid = create(
        legale,
        json!({
            "subject": "Asunto", "folder": "Contract/Company1", "callback_url": "http://127.0.0.1:9/cb",
            "callback_key": "k", "document_type": "Contrato", "note": "n", "date": "2025-01-01",
            "attached_file": [{ "file_name": "anexo.txt", "file": STANDARD.encode("anexo") }],
        }),
    )
    .await;
    let detail = get(legale, &format!("/api/document/get/{guid}")).await.data();
    assert_eq!(detail["GUID"], guid);
    assert_eq!(detail["folder"], "root/Contract/Company1");
    assert_eq!(detail["base64"], STANDARD.encode(PDF));
    assert_eq!(detail["attached_file_list"][0]["base64"], STANDARD.encode("anexo"));
    assert!(detail["doc_id"].is_string() && detail["sign_status"] == 0 && detail["owner"]["role"].is_i64());
    // `note`, `document_type` and `date` are in no answer.
    assert!(detail.get("note").is_none() && detail.get("document_type").is_none());

    let item = get(legale, "/api/documents/?page=1&page_size=50").await.json()["results"][0].clone();
    assert_eq!(
        (&item["callback_key"], &item["callback_url"]),
        (&json!("k"), &json!("http://127.0.0.1:9/cb"))
    );
    let path = item["document"].as_str().unwrap().strip_prefix(legale.base_url()).unwrap().to_owned();
    for path in [path, format!("/media/{guid}")] {
        let file = get(legale, &path).await;
        assert_eq!((file.status, file.body.as_slice()), (200, PDF), "{path}");
        assert!(file.head.contains("application/pdf"));
    }
    assert_eq!(legale.folders(), ["Contract", "Contract/Company1"]);
    let known = legale.document(&guid).unwrap();
    assert_eq!((known.state, known.downloads, known.note.as_deref()), (FlowState::Uploaded, 2, Some("n")));
    assert_eq!(legale.count_of(&known.file.sha256), 1);
    assert_eq!(legale.file(&guid).unwrap(), PDF);

    assert_eq!(
        call(legale, "DELETE", &format!("/api/document/delete/{guid}"), Value::Null).await.status,
        200
    );
    let gone = get(legale, &format!("/api/document/get/{guid}")).await;
    assert_eq!((gone.status, gone.code()), (400, json!("DOCUMENT_NOT_FOUND")));
    assert_eq!(legale.document(&guid).unwrap().state, FlowState::Deleted);
    assert_eq!(get(legale, &format!("/media/{guid}")).await.status, 404);
}

#[tokio::test]
async fn bad_creates_are_refused_description_first() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    for (more, rule) in [
        (json!({ "description": "ñ".repeat(1024), "file_name": "" }), "description"),
        (json!({ "description": "x".repeat(9000) }), "description"),
        (json!({ "file_name": "" }), "required"),
        (json!({ "file_name": null }), "required"),
        (json!({ "description": "" }), "required"),
        (json!({ "file": "" }), "required"),
        (json!({ "file": "JVBERi0" }), "base64"),
        (json!({ "file": "data:application/pdf;base64,JVBERi0xLjQK" }), "base64"),
        (json!({ "file": "JVBE\nRi0x" }), "base64"),
        (json!({ "file": format!("{}\n{}", "QUJD".repeat(2000), "QUJD") }), "base64"),
        (json!({ "attached_file": [{ "file": "QUJD" }] }), "required"),
        (json!({ "GUID": "unknown" }), "document"),
    ] {
        let answer = post(legale, "/api/document/create", with(new_document(), more)).await;
        assert_eq!(answer.status, 400);
        assert_eq!(legale.requests().last().unwrap().rule.as_deref(), Some(rule), "{}", answer.text());
    }
    let allowed = json!({ "description": "ñ".repeat(1023) });
    create(legale, allowed).await;
    assert_eq!(legale.documents().len(), 1);

    let text = send(legale.base_url(), "POST", "/api/document/create", &key(legale), b"{}").await;
    assert_eq!(text.status, 415);
    let json = format!("{}Content-Type: application/json; charset=utf-8\r\n", key(legale));
    for bad in ["", "[1]", "{", "no"] {
        assert_eq!(
            send(legale.base_url(), "POST", "/api/document/create", &json, bad.as_bytes()).await.status,
            400
        );
    }
    legale.configure(|settings| settings.body_limit = 10);
    assert_eq!(send(legale.base_url(), "POST", "/api/document/create", &json, &[b' '; 11]).await.status, 413);
}

#[tokio::test]
async fn a_create_with_a_guid_replaces_when_that_is_allowed() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let guid = create(legale, json!({})).await;
    create(legale, json!({ "GUID": guid, "description": "Otra" })).await;
    let documents = legale.documents();
    assert_eq!((documents.len(), documents[0].replacements), (1, 1));
    legale.configure(|settings| settings.guid_replaces = false);
    create(legale, json!({ "GUID": guid })).await;
    assert_eq!(legale.documents().len(), 2);
}

#[tokio::test]
async fn a_large_file_goes_to_disk_and_comes_back_the_same() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let mut file = PDF.to_vec();
    file.resize(24 * 1024 * 1024 + 1, 0xA5);
    let body =
        format!(r#"{{"file_name":"a.pdf","file":"{}","description":"grande"}}"#, STANDARD.encode(&file));
    let headers = format!("{}Content-Type: application/json\r\n", key(legale));
    let answer = send(legale.base_url(), "POST", "/api/document/create", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 200);
    let request = legale.requests().pop().unwrap();
    assert_eq!(request.body_bytes, body.len() as u64);
    assert!(request.body.len() < 300, "{}", request.body);
    let guid = answer.data()["GUID"].as_str().unwrap().to_owned();
    assert!(get(legale, &format!("/media/{guid}")).await.body == file);
    let detail = get(legale, &format!("/api/document/get/{guid}")).await.data();
    assert!(STANDARD.decode(detail["base64"].as_str().unwrap()).unwrap() == file);
    assert_eq!(legale.document(&guid).unwrap().file.bytes, file.len() as u64);
}

#[tokio::test]
async fn whose_document_it_is_and_how_it_came_in() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let web = legale.upload_in_web_app("a.pdf", PDF);
    let answer = get(legale, &format!("/api/document/get/{web}")).await;
    assert_eq!((answer.status, answer.code()), (400, json!("NOT_API_DOCUMENT")));
    let guid = create(legale, json!({})).await;
    let other = legale.add_account("otra@example.com", "pw");
    let headers = format!("Legale-Api-Key: {}\r\nContent-Type: application/json\r\n", other.api_key);
    for (method, path) in [("GET", "document/get"), ("DELETE", "document/delete"), ("POST", "sign/start")] {
        let answer = send(legale.base_url(), method, &format!("/api/{path}/{guid}"), &headers, b"{}").await;
        assert_eq!((answer.status, answer.code()), (400, json!("NOT_OWNER")));
    }
    let listed = send(legale.base_url(), "GET", "/api/documents/", &headers, b"").await.json();
    assert_eq!(listed["results"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn pages_and_their_quirks() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    for number in 0..5 {
        create(legale, json!({ "description": number.to_string() })).await;
    }
    let page = async |query: &str| get(legale, &format!("/api/documents/{query}")).await;
    let first = page("?page=1&page_size=2").await.json();
    assert_eq!(first["count"], 5);
    assert_eq!(first["next"], format!("{}/api/documents/?page=2&page_size=2", legale.base_url()));
    assert_eq!(first["results"][0]["description"], "4");
    legale.configure(|settings| settings.order = Order::Oldest);
    assert_eq!(page("?page=3&page_size=2").await.json()["results"][0]["description"], "4");
    assert_eq!(page("").await.json()["results"].as_array().unwrap().len(), 5);
    assert_eq!(page("?page=9&page_size=2").await.json()["results"], json!([]));
    legale.configure(|settings| settings.past_end = PastEnd::NotFound);
    assert_eq!(page("?page=9&page_size=2").await.status, 404);
    legale.configure(|settings| settings.list_shape = ListShape::Array);
    assert!(page("?page=1&page_size=2").await.json().is_array());
}

#[tokio::test]
async fn shapes_of_answers_and_errors() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let guid = create(legale, json!({})).await;
    let path = format!("/api/document/get/{guid}");
    legale.configure(|settings| {
        settings.envelope = Envelope::Bare;
        settings.lower_case_guid = true;
        settings.times = Times::Spaced;
        settings.document_url = DocumentUrl::Rooted;
        settings.inline_files = false;
        settings.unknown_keys = true;
    });
    let detail = get(legale, &path).await.json();
    assert_eq!(detail["guid"], guid);
    assert_eq!(detail["created_at"].as_str().unwrap().len(), 19);
    assert!(detail["document"].as_str().unwrap().starts_with("/media/documents/"));
    assert!(detail["base64"].is_null() && detail["x_added_later"].is_object());
    for shape in [ErrorShape::Inside200, ErrorShape::SuccessFalse, ErrorShape::Html, ErrorShape::Errors] {
        legale.configure(|settings| settings.error_shape = shape);
        let answer = get(legale, "/api/document/get/x").await;
        let inside = matches!(shape, ErrorShape::Inside200 | ErrorShape::SuccessFalse);
        assert_eq!(answer.status, if inside { 200 } else { 400 });
        assert!(answer.text().contains("ocumento no encontrado"), "{}", answer.text());
    }
    legale.reset();
    legale.configure(|settings| settings.empty_success = true);
    let guid = create(legale, json!({})).await;
    let deleted = call(legale, "DELETE", &format!("/api/document/delete/{guid}"), Value::Null).await;
    assert_eq!((deleted.status, deleted.body.len()), (200, 0));
}

#[tokio::test]
async fn guids_are_opaque_and_file_urls_can_expire() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    legale.configure(|settings| settings.guid_style = GuidStyle::Hostile);
    let guid = create(legale, json!({})).await;
    assert!(guid.contains('/') && guid.contains(' '));
    let escaped = guid.replace(' ', "%20").replace('/', "%2F");
    assert_eq!(get(legale, &format!("/api/document/get/{escaped}")).await.data()["GUID"], guid);
    assert_eq!(get(legale, &format!("/media/{escaped}")).await.body, PDF);

    legale.stop_clock();
    legale.configure(|settings| {
        settings.guid_style = GuidStyle::Short;
        settings.media_life_seconds = 60;
    });
    let guid = create(legale, json!({})).await;
    let url = get(legale, &format!("/api/document/get/{guid}")).await.data()["document"].clone();
    let path = url.as_str().unwrap().strip_prefix(legale.base_url()).unwrap().to_owned();
    assert_eq!(get(legale, &path).await.status, 200);
    legale.advance_clock(Duration::from_secs(60));
    assert_eq!(get(legale, &path).await.status, 403);
    legale.configure(|settings| (settings.media_life_seconds, settings.media_needs_credentials) = (0, true));
    assert_eq!(send(legale.base_url(), "GET", &path, "", b"").await.status, 401);
}

#[tokio::test]
async fn slashes_methods_and_unknown_paths() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let moved = post(legale, "/api/v2/contacts", json!({ "email": "a@b" })).await;
    assert_eq!(moved.status, 301);
    assert!(moved.head.contains(&format!("location: {}/api/v2/contacts/\r\n", legale.base_url())));
    assert!(legale.contacts().is_empty());
    assert_eq!(get(legale, "/api/document/create").await.status, 405);
    for unknown in ["/api/v1/document/all", "/api/custom/x", "/api/document/get/", "/"] {
        assert_eq!(get(legale, unknown).await.status, 404, "{unknown}");
    }
    assert_eq!(get(legale, "/api/document/get/a/b").await.status, 404);
}
