//! What goes to BitFactura over the wire and what comes back: the rows of contract 2, 3.4 to 3.9, 4.7, 4.9 and the traps of 6. Expected
//! values are the contract's. No test waits: pauses go by a manual clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use integration_core::BoxFuture;
use integration_core::call::{Body, BodyStream, Transport, TransportError};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sugester::bitfactura::{
    AccountAction, Buyer, Client, ClientBuilder, ClientFields, ClientOrder, ClientQuery, Income,
    InvoiceChange, InvoiceFields, InvoiceOrder, InvoiceQuery, Keyed, Login, Mail, NewAccount, NewClient,
    NewInvoice, NewWebhook, Period, PositionChange, PositionFields, PrintOption, Resource, SearchDate,
    WebhookFields,
};
use sugester::kinds::{InvoiceKind, InvoiceStatus, WebhookKind};
use sugester::value::{Extra, Patch};
use sugester::{AuthMode, BaseUrl, ErrorExt, ErrorKind, LinkTokenError, ManualClock, Outcome, Reason};
use support::*;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn builder(url: &str) -> ClientBuilder {
    let clock = ManualClock::new();
    Client::builder().base_url(BaseUrl::parse(url).unwrap()).token(TOKEN.parse().unwrap()).clock(clock)
}

fn client(server: &MockServer) -> Client {
    builder(&server.uri()).build().unwrap()
}

async fn served(verb: &str, at: &str, answer: ResponseTemplate) -> (MockServer, Client) {
    let server = MockServer::start().await;
    on(&server, verb, at, answer).await;
    let client = client(&server);
    (server, client)
}

fn position() -> PositionFields {
    PositionFields { product_id: 5.into(), quantity: Decimal::new(20, 1).into(), ..PositionFields::default() }
}

fn invoice() -> NewInvoice {
    let fields = InvoiceFields { payment_to_kind: "14".into(), ..InvoiceFields::default() };
    NewInvoice::new(Buyer::Existing(17)).fields(fields).position(position())
}

fn ids(from: u64, to: u64) -> ResponseTemplate {
    ok((from..=to).map(|id| json!({"id": id})).collect())
}

// ---- 2: token, hosts, transport ----------------------------------------------------------------------------------

#[tokio::test]
async fn the_token_is_in_the_query_of_what_has_no_body_and_in_the_body_of_the_rest() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(ok(json!({"id": 7}))).mount(&server).await;
    let client = client(&server);
    let encoded = "api_token=pl4nted%2Fs3cret%2Facme";
    client.client(7).await.unwrap();
    assert_eq!(last(&server).await, (format!("GET /clients/7.json?{encoded}"), Value::Null));
    client.delete_client(7).await.unwrap();
    assert_eq!(last(&server).await, (format!("DELETE /clients/7.json?{encoded}"), Value::Null));
    client.change_invoice_status(7, &InvoiceStatus::Paid).await.unwrap();
    let at = format!("POST /invoices/7/change_status.json?status=paid&{encoded}");
    assert_eq!(last(&server).await, (at, Value::Null));
    let change = ClientFields { phone: "1".into(), fax: Patch::Clear, ..ClientFields::default() };
    client.update_client(7, &change).await.unwrap();
    let body = json!({"api_token": TOKEN, "client": {"phone": "1", "fax": null}});
    assert_eq!(last(&server).await, ("PUT /clients/7.json".into(), body));
    let request = requests(&server).await.pop().unwrap();
    assert_eq!(
        (&request.headers["accept"], &request.headers["content-type"]),
        (&"application/json".parse().unwrap(), &"application/json".parse().unwrap())
    );
    assert!(request.headers.get("authorization").is_none());
}

#[tokio::test]
async fn a_bearer_token_is_in_the_header_alone() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(ok(json!({"id": 7}))).mount(&server).await;
    let client = builder(&server.uri()).auth_mode(AuthMode::Bearer).build().unwrap();
    client.client(7).await.unwrap();
    client.create_client(&NewClient::company("Acme")).await.unwrap();
    let sent = requests(&server).await;
    assert!(
        sent.iter().all(|request| request.headers["authorization"] == format!("Bearer {TOKEN}").as_str())
    );
    assert!(sent.iter().all(|request| request.url.query().is_none()));
    assert_eq!(last(&server).await.1, json!({"client": {"name": "Acme", "company": true}}));
}

/// Trap 7.
#[tokio::test]
async fn a_401_that_repeats_the_address_shows_no_token_anywhere() {
    let server = MockServer::start().await;
    let repeat = |request: &Request| {
        let said = format!("unauthorised: {} {}", request.url, String::from_utf8_lossy(&request.body));
        ResponseTemplate::new(401)
            .set_body_json(json!({"code": "error", "message": said, "api_token": TOKEN}))
    };
    Mock::given(wiremock::matchers::any()).respond_with(repeat).mount(&server).await;
    let traces = Traces::default();
    let guard = traces.listening();
    let client = client(&server);
    let errors = [
        client.client(7).await.map(drop).unwrap_err(),
        client.create_invoice(&invoice()).await.map(drop).unwrap_err(),
        client.delete_client(7).await.unwrap_err(),
        client.invoice_pdf(7).write_to(&mut Vec::new()).await.map(drop).unwrap_err(),
    ];
    drop(guard);
    for error in &errors {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Authentication, Outcome::Refused));
        assert_eq!((error.refused().unwrap().status, error.service_code()), (401, Some("error")));
        clean(&printed(error));
    }
    clean(&format!("{client:?} {client:#?} {:?}", client.token()));
    assert!(traces.text().contains("/clients/{id}.json"), "something was traced");
    clean(&traces.text());
    assert_eq!(requests(&server).await.len(), 4, "a refused token is not tried again");
}

#[tokio::test]
async fn a_success_that_cannot_be_read_shows_no_token_either() {
    let text = format!("<html>{TOKEN} PASSWORD</html>");
    let (_server, client) =
        served("GET", "/clients/7.json", ResponseTemplate::new(200).set_body_string(text)).await;
    let error = client.client(7).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedAnswer);
    clean(&printed(&error));
}

#[tokio::test]
async fn nobody_there_is_not_sent_and_a_reset_after_the_body_is_unknown_and_sent_once() {
    let dead = builder("http://127.0.0.1:1").build().unwrap();
    let error = dead.create_invoice(&invoice()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Connect, Outcome::NotSent, 1));
    clean(&printed(&error));
    let (url, count) = resetting().await;
    let client = builder(&url).build().unwrap();
    let error = client.create_invoice(&invoice()).await.unwrap_err();
    assert_eq!((error.outcome(), count.load(Ordering::SeqCst)), (Outcome::Unknown, 1));
    clean(&printed(&error));
    let error = client.client(7).await.unwrap_err();
    assert_eq!(
        (error.outcome(), count.load(Ordering::SeqCst)),
        (Outcome::ReadOnly, 4),
        "a GET is tried three times"
    );
}

#[tokio::test]
async fn only_a_get_is_tried_again_and_only_after_what_may_pass() {
    for (code, requests_made) in
        [(429, 3), (502, 3), (503, 3), (504, 3), (500, 1), (501, 1), (404, 1), (422, 1)]
    {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::any()).respond_with(status(code, json!({}))).mount(&server).await;
        let client = client(&server);
        client.client(7).await.unwrap_err();
        assert_eq!(requests(&server).await.len(), requests_made, "GET {code}");
        client.create_invoice(&invoice()).await.unwrap_err();
        client
            .update_client(7, &ClientFields { name: "x".into(), ..ClientFields::default() })
            .await
            .unwrap_err();
        client.delete_client(7).await.unwrap_err();
        assert_eq!(requests(&server).await.len(), requests_made + 3, "the others {code}");
    }
}

#[tokio::test]
async fn a_wait_is_obeyed_up_to_two_minutes() {
    let clock = ManualClock::new();
    let server = MockServer::start().await;
    let busy = || status(429, json!({}));
    let answers =
        vec![busy().insert_header("retry-after", "7"), busy().insert_header("retry-after", "900"), ids(1, 1)];
    script(&server, "GET", "/clients.json", answers).await;
    let client = builder(&server.uri()).clock(clock.clone()).build().unwrap();
    assert_eq!(client.clients(&ClientQuery::new()).unwrap().all().await.unwrap().len(), 1);
    assert_eq!(clock.slept(), [7, 120].map(Duration::from_secs));
}

#[tokio::test]
async fn calls_keep_their_distance() {
    let (server, _) = served("GET", "/clients/7.json", ok(json!({"id": 7}))).await;
    let clock = ManualClock::new();
    let client =
        builder(&server.uri()).clock(clock.clone()).minimum_gap(Duration::from_secs(2)).build().unwrap();
    for _ in 0..3 {
        client.client(7).await.unwrap();
    }
    assert_eq!(clock.slept(), [Duration::from_secs(2); 2]);
}

/// Takes its time, and counts the requests that are under way.
#[derive(Debug, Clone, Default)]
struct Crowd {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Transport for Crowd {
    fn send(
        &self,
        _: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>> {
        Box::pin(async move {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            self.now.fetch_sub(1, Ordering::SeqCst);
            let body = Body::bytes(r#"{"id":7}"#).open().await?;
            Ok(http::Response::new(body))
        })
    }
}

#[tokio::test]
async fn no_more_calls_are_under_way_at_once_than_two_or_what_was_set() {
    for (set, expected) in [(None, 2), (Some(5), 5)] {
        let crowd = Crowd::default();
        let builder = builder("http://127.0.0.1:1").transport(crowd.clone());
        let builder = set.into_iter().fold(builder, ClientBuilder::calls_at_once);
        let client = builder.build().unwrap();
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.client(7).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().id, 7);
        }
        assert_eq!(crowd.most.load(Ordering::SeqCst), expected);
    }
}

/// Never answers.
#[derive(Debug)]
struct Silence;

impl Transport for Silence {
    fn send(
        &self,
        _: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_limit_is_set_for_a_clone_and_an_attempt_has_thirty_seconds() {
    let wait = async |limit: Option<u64>, advance: u64| {
        let clock = ManualClock::new();
        let client = builder("http://127.0.0.1:1").transport(Silence).clock(clock.clone()).build().unwrap();
        let client = limit.map_or(client.clone(), |limit| client.with_timeout(Duration::from_secs(limit)));
        let call = tokio::spawn(async move { client.create_invoice(&invoice()).await });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(advance));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        call.is_finished()
    };
    assert!(!wait(None, 29).await && wait(None, 30).await);
    assert!(!wait(Some(45), 44).await && wait(Some(45), 45).await);
}

#[test]
fn a_client_goes_to_the_host_of_its_token() {
    let at = |url: &str, token: &str| {
        Client::builder().base_url(BaseUrl::parse(url).unwrap()).token(token.parse().unwrap()).build()
    };
    assert!(at("https://acme.bitfactura.com", "s/ACME").is_ok());
    assert!(at("https://acme.bitfactura.com", "s").is_ok());
    assert!(at("http://127.0.0.1:1", "s/acme").is_ok());
    let error = at("https://acme.bitfactura.com", "s/other").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(matches!(error.find_source(), Some(LinkTokenError::TokenPrefixMismatch { .. })));
    let of = |account: &str| Client::builder().account(account.parse().unwrap()).token("s".parse().unwrap());
    assert_eq!(of("acme").build().unwrap().base_url().to_string(), "https://acme.bitfactura.com");
    let sister = of("acme").domain("vosfactures.fr").build().unwrap();
    assert_eq!(sister.base_url().to_string(), "https://acme.vosfactures.fr");
    assert!(of("acme").domain("evil.example.com/x").build().is_err());
    assert!(of("acme").per_page(101).build().is_err() && of("acme").per_page(0).build().is_err());
    assert!(Client::builder().token("s".parse().unwrap()).build().is_err());
    assert!(Client::builder().account("acme".parse().unwrap()).build().is_err());
}

#[test]
fn the_environment_tells_all_faults_at_once() {
    let faulty = |variables: &[(&str, &str)]| {
        let lookup =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        let error = Client::from_lookup(lookup).err();
        error.map(|error| error.faults().iter().map(|fault| fault.path().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(faulty(&[]).unwrap(), ["BITFACTURA_BASE_URL", "BITFACTURA_API_TOKEN"]);
    let bad = [("BITFACTURA_BASE_URL", "http://example.com"), ("BITFACTURA_API_TOKEN", "pl4nted/")];
    assert_eq!(faulty(&bad).unwrap(), ["BITFACTURA_BASE_URL", "BITFACTURA_API_TOKEN"]);
    let good = [("BITFACTURA_BASE_URL", "http://127.0.0.1:1"), ("BITFACTURA_API_TOKEN", "a/b")];
    assert_eq!(faulty(&good), None);
}

#[tokio::test]
async fn a_login_sends_three_fields_and_shows_none_of_them() {
    let server = MockServer::start().await;
    let told = json!({"login": "ana", "email": "a@x", "prefix": "acme", "url": "u", "api_token": TOKEN, "first_name": "Ana"});
    script(
        &server,
        "POST",
        "/login.json",
        vec![ok(told), status(401, json!({"message": "pl4nted"})), ok(json!([]))],
    )
    .await;
    let login = || {
        let login = Login::new("ana", "pl4nted").integration_token("s3cret-partner");
        login.host(BaseUrl::parse(&server.uri()).unwrap())
    };
    let account = login().send().await.unwrap();
    assert_eq!(
        (account.prefix.as_deref(), account.api_token.as_ref().unwrap().matches(TOKEN)),
        (Some("acme"), true)
    );
    clean(&format!("{account:?} {:?}", login()));
    let sent = last(&server).await;
    let body = json!({"login": "ana", "password": "pl4nted", "integration_token": "s3cret-partner"});
    assert_eq!(sent, ("POST /login.json".to_owned(), body));
    for _ in 0..2 {
        clean(&printed(&login().send().await.unwrap_err()));
    }
}

// ---- 3.7 and 3.9: answers ----------------------------------------------------------------------------------------

/// Traps 5 and 6.
#[tokio::test]
async fn a_record_is_told_from_a_refusal_by_its_id() {
    let table = [
        (200, json!({"id": 7, "status": "error"}), None),
        (200, json!({"client": {"id": 7}}), None),
        (201, json!({"id": "7", "code": "error"}), None),
        (200, json!({"code": "error", "message": "no"}), Some((ErrorKind::Refused, Outcome::Refused))),
        (200, json!({"status": "error", "message": "no"}), Some((ErrorKind::Refused, Outcome::Refused))),
        (201, json!({"error": ["no"]}), Some((ErrorKind::Refused, Outcome::Refused))),
        (
            200,
            json!({"code": "success", "message": "ok"}),
            Some((ErrorKind::UnexpectedAnswer, Outcome::Unknown)),
        ),
        (200, Value::Null, Some((ErrorKind::UnexpectedAnswer, Outcome::Unknown))),
        (200, json!([]), Some((ErrorKind::UnexpectedAnswer, Outcome::Unknown))),
        (200, json!("ok"), Some((ErrorKind::UnexpectedAnswer, Outcome::Unknown))),
        (403, json!({}), Some((ErrorKind::Forbidden, Outcome::Refused))),
        (
            404,
            json!({"code": "error", "message": "Not found"}),
            Some((ErrorKind::NotFound, Outcome::Refused)),
        ),
        (422, json!({"message": "no such account"}), Some((ErrorKind::Configuration, Outcome::Refused))),
        (500, json!({}), Some((ErrorKind::UnexpectedStatus, Outcome::Unknown))),
        (302, json!({}), Some((ErrorKind::UnexpectedStatus, Outcome::Unknown))),
    ];
    for (code, body, expected) in table {
        let (_server, client) = served("POST", "/clients.json", status(code, body.clone())).await;
        let made = client.create_client(&NewClient::company("Acme")).await;
        let found =
            made.map(|client| assert_eq!(client.id, 7)).err().map(|error| (error.kind(), error.outcome()));
        assert_eq!(found, expected, "{code} {body}");
    }
    let (_server, client) = served("POST", "/clients.json", html(200)).await;
    let error = client.create_client(&NewClient::company("Acme")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::UnexpectedAnswer, Outcome::Unknown));
}

#[tokio::test]
async fn a_refusal_tells_every_field_without_its_dash() {
    let said = json!({"code": "error", "message": {"tax_no": ["- is invalid", "- is taken"], "name": ["- is short"]}});
    let (_server, client) = served("POST", "/clients.json", status(422, said)).await;
    let error = client.create_client(&NewClient::person("Rojas")).await.unwrap_err();
    let fields: Vec<_> =
        error.field_errors().iter().map(|f| (f.field.as_str(), f.messages.join("|"))).collect();
    assert_eq!(fields, [("name", "is short".to_owned()), ("tax_no", "is invalid|is taken".to_owned())]);
    let refused = error.refused().unwrap();
    assert_eq!((refused.status, refused.reason, refused.path), (422, Reason::Validation, "/clients.json"));
}

#[tokio::test]
async fn a_delete_may_answer_anything_but_an_error() {
    let empty = ResponseTemplate::new(200);
    for (answer, good) in [
        (empty, true),
        (ok(json!("ok")), true),
        (ok(Value::Null), true),
        (ok(json!({"id": 7})), true),
        (ResponseTemplate::new(204), true),
        (ok(json!({"code": "error"})), false),
        (html(200), false),
        (ok(json!("error")), false),
    ] {
        let (_server, client) = served("DELETE", "/clients/7.json", answer).await;
        assert_eq!(client.delete_client(7).await.is_ok(), good);
    }
}

#[tokio::test]
async fn the_multipass_failure_is_known() {
    let said = json!({"error": "Multipass Login Failed"});
    let (_server, client) = served("GET", "/clients/7.json", ok(said)).await;
    assert_eq!(client.client(7).await.unwrap_err().reason(), Some(Reason::MultipassFailed));
}

#[tokio::test]
async fn scalars_come_in_every_spelling_and_password_digests_do_not() {
    let told = json!({"id": "7", "company": "1", "kind": "both", "balance": "59,00", "updated_at": "2024-11-08T10:00:00.123+01:00",
        "token": "pl4nted", "password_hash": "pl4nted", "password_salt": "pl4nted", "new_field": {"a": 1}, "discount": 5});
    let (_server, client) = served("GET", "/clients/7.json", ok(told)).await;
    let read = client.client(7).await.unwrap();
    assert_eq!((read.id, read.company, read.balance), (7, Some(true), Some(Decimal::new(5900, 2))));
    assert_eq!(
        read.updated_at.as_ref().unwrap().timestamp().unwrap().to_string(),
        "2024-11-08T09:00:00.123Z"
    );
    assert_eq!((read.extra.get("new_field"), read.extra.len()), (Some(r#"{"a":1}"#), 1));
    clean(&format!("{read:?}"));
}

// ---- 3.4: clients ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_new_client_says_whether_it_is_a_company() {
    let (server, client) = served("POST", "/clients.json", status(201, json!({"id": 7}))).await;
    client.create_client(&NewClient::company("Acme")).await.unwrap();
    assert_eq!(last(&server).await.1["client"], json!({"name": "Acme", "company": true}));
    let fields = ClientFields {
        discount: Decimal::new(550, 2).into(),
        company: true.into(),
        ..ClientFields::default()
    };
    client.create_client(&NewClient::person("Rojas").fields(fields)).await.unwrap();
    let sent = last(&server).await.1["client"].clone();
    assert_eq!(sent, json!({"last_name": "Rojas", "company": false, "discount": "5.50"}));
    let error = client.create_client(&NewClient::person(" ")).await.unwrap_err();
    assert_eq!((error.is_not_sent(), error.faults()[0].path()), (true, "client.last_name"));
    let error = client.update_client(7, &ClientFields::default()).await.unwrap_err();
    assert!(error.is_not_sent() && requests(&server).await.len() == 2);
}

/// Trap 12.
#[tokio::test]
async fn a_look_up_by_external_id_takes_exactly_one() {
    for (list, expected) in [
        (json!([]), Ok(None)),
        (json!([{"id": 1, "external_id": "X"}]), Ok(Some(1))),
        (json!([{"id": 1, "external_id": "X2"}, {"id": 2, "external_id": "X"}]), Ok(Some(2))),
        (json!([{"id": 1, "external_id": "X"}, {"id": 2, "external_id": "X"}]), Err(ErrorKind::Conflict)),
        (json!({"code": "error"}), Err(ErrorKind::Refused)),
        (json!({}), Err(ErrorKind::UnexpectedAnswer)),
    ] {
        let (server, client) = served("GET", "/clients.json", ok(list.clone())).await;
        let found = client.client_by_external_id("X").await;
        assert_eq!(found.map(|c| c.map(|c| c.id)).map_err(|e| e.kind()), expected, "{list}");
        assert_eq!(query(&requests(&server).await[0], "external_id").as_deref(), Some("X"));
    }
}

#[tokio::test]
async fn the_filters_of_clients_are_those_of_the_contract() {
    let (server, client) = served("GET", "/clients.json", ids(1, 1)).await;
    let asked = ClientQuery::new().name("a b").email("e").shortcut("s").tax_no("t").with_tags();
    let asked = asked.order(ClientOrder::UpdatedAtDescending).additional_fields(&["x", "y"]).per_page(40);
    client.clients(&asked).unwrap().all().await.unwrap();
    let sent = last(&server).await.0;
    let expected = "GET /clients.json?name=a%20b&email=e&shortcut=s&tax_no=t&with_tags=true&order=updated_at.desc\
        &additional_fields%5Bclient%5D=x%2Cy&page=1&per_page=40&api_token=pl4nted%2Fs3cret%2Facme";
    assert_eq!(sent, expected);
}

// ---- 4.7: pages --------------------------------------------------------------------------------------------------

async fn listed(pages: Vec<ResponseTemplate>) -> (usize, usize) {
    let server = MockServer::start().await;
    script(&server, "GET", "/clients.json", pages).await;
    let all = client(&server).clients(&ClientQuery::new()).unwrap().all().await.unwrap();
    (all.len(), requests(&server).await.len())
}

/// Trap 11.
#[tokio::test]
async fn a_list_stops_by_its_four_rules() {
    assert_eq!(listed(vec![ids(1, 100), ids(101, 200), ids(1, 0)]).await, (200, 3), "an empty page");
    assert_eq!(listed(vec![ids(1, 100), ids(1, 100)]).await, (100, 2), "a page without news");
    assert_eq!(listed(vec![ids(1, 100), ids(101, 130)]).await, (130, 2), "a short page");
    assert_eq!(listed(vec![ids(1, 25), ids(26, 50), ids(51, 60)]).await, (60, 3), "25 is no short page");
    assert_eq!(listed(vec![ids(1, 50), ids(51, 60)]).await, (60, 2), "nor is 50");
    assert_eq!(listed(vec![ids(1, 100), ids(100, 150)]).await, (150, 2), "an id twice is one record");
    assert_eq!(listed(vec![ok(Value::Null)]).await, (0, 1));
    assert_eq!(listed(vec![ok(json!({"clients": [{"id": 1}]}))]).await, (1, 1));
}

#[tokio::test]
async fn a_list_without_end_is_an_error_that_keeps_what_was_read() {
    let server = MockServer::start().await;
    let endless = |request: &Request| {
        let page: u64 = query(request, "page").unwrap().parse().unwrap();
        ids(page * 25, page * 25 + 24)
    };
    Mock::given(method("GET")).and(path("/clients.json")).respond_with(endless).mount(&server).await;
    let mut pages = client(&server).clients(&ClientQuery::new()).unwrap();
    let mut read = Vec::new();
    let error = pages.read_into(&mut read).await.unwrap_err();
    assert_eq!((error.kind(), read.len()), (ErrorKind::TooLarge, 25_000));
    assert_eq!(requests(&server).await.len(), 1000);
}

/// Trap 1.
#[tokio::test]
async fn invoices_are_listed_for_a_period_that_is_always_sent() {
    let (server, client) = served("GET", "/invoices.json", ids(1, 1)).await;
    let first = jiff::civil::date(2024, 1, 1);
    for (query, expected) in [
        (InvoiceQuery::new(), "period=all"),
        (InvoiceQuery::new().period(Period::Last12Months), "period=last_12_months"),
        (InvoiceQuery::new().period(Period::ThisMonth), "period=this_month"),
        (InvoiceQuery::new().period(Period::Last30Days), "period=last_30_days"),
        (InvoiceQuery::new().period(Period::LastMonth), "period=last_month"),
        (InvoiceQuery::new().period(Period::ThisYear), "period=this_year"),
        (InvoiceQuery::new().period(Period::LastYear), "period=last_year"),
        (
            InvoiceQuery::new().period(Period::Between(first, first)),
            "period=more&date_from=2024-01-01&date_to=2024-01-01",
        ),
        (
            InvoiceQuery::new().income(Income::Cost).client(17).with_positions(),
            "period=all&income=no&client_id=17&include_positions=true",
        ),
        (
            InvoiceQuery::new()
                .search_date(SearchDate::Paid)
                .number("1/2")
                .kind(&InvoiceKind::Vat)
                .ids([1, 2]),
            "period=all&search_date_type=paid_date&number=1%2F2&kind=vat&invoice_ids=1%2C2",
        ),
        (
            InvoiceQuery::new()
                .kinds([&InvoiceKind::Vat, &InvoiceKind::Bill])
                .made_from(3)
                .oid("o")
                .department(4),
            "period=all&kinds%5B%5D=vat&kinds%5B%5D=bill&from_invoice_id=3&oid=o&department_id=4",
        ),
        (
            InvoiceQuery::new()
                .additional_fields(&["a"])
                .only_fields(&["number"])
                .descending(InvoiceOrder::UpdatedAt),
            "period=all&additional_fields%5Binvoice%5D=a&fields%5Binvoice%5D=id%2Cnumber&order=updated_at.desc",
        ),
        (InvoiceQuery::new().ascending(InvoiceOrder::BuyerTaxNo), "period=all&order=buyer_tax_no"),
    ] {
        client.invoices(&query).unwrap().next_page().await.unwrap();
        let sent = last(&server).await.0;
        assert_eq!(
            sent,
            format!("GET /invoices.json?{expected}&page=1&per_page=100&api_token=pl4nted%2Fs3cret%2Facme")
        );
    }
    let backwards = Period::Between(first, jiff::civil::date(2023, 1, 1));
    let error = client.invoices(&InvoiceQuery::new().period(backwards).per_page(101)).unwrap_err();
    let paths: Vec<_> = error.faults().iter().map(|fault| fault.path().to_owned()).collect();
    assert_eq!(paths, ["date_from", "per_page"]);
}

// ---- 3.5 and 4.9: invoices ---------------------------------------------------------------------------------------

/// Traps 14, 15 and 16.
#[tokio::test]
async fn an_invoice_says_whom_it_is_for_and_its_amounts_are_text() {
    let (server, client) = served("POST", "/invoices.json", status(201, json!({"id": 7}))).await;
    client.create_invoice(&invoice().oid("o-1")).await.unwrap();
    let expected = json!({"client_id": 17, "payment_to_kind": "14", "oid": "o-1", "oid_unique": "yes",
        "positions": [{"product_id": 5, "quantity": "2.0"}]});
    assert_eq!(last(&server).await.1["invoice"], expected);
    let fields = InvoiceFields {
        buyer_name: "Acme".into(),
        income: Income::Cost.into(),
        paid: Decimal::new(1990, 2).into(),
        ..InvoiceFields::default()
    };
    for (buyer, client_id) in
        [(Buyer::New { company: true }, json!(-1)), (Buyer::Match { company: true }, Value::Null)]
    {
        client
            .create_invoice(&NewInvoice::new(buyer).fields(fields.clone()).position(position()))
            .await
            .unwrap();
        let sent = last(&server).await.1["invoice"].clone();
        assert_eq!((&sent["client_id"], &sent["buyer_company"]), (&client_id, &json!(true)));
        assert_eq!((&sent["income"], &sent["paid"]), (&json!("0"), &json!("19.90")));
        assert_eq!(sent.get("client_id").is_some(), client_id != Value::Null);
    }
    let bad = NewInvoice::new(Buyer::New { company: false }).position(PositionFields::default()).oid(" ");
    let error = client.create_invoice(&bad).await.unwrap_err();
    let paths: Vec<_> = error.faults().iter().map(|fault| fault.path().to_owned()).collect();
    assert_eq!(paths, ["invoice.buyer_name", "invoice.positions[0].name", "invoice.oid"]);
    assert!(error.is_not_sent() && requests(&server).await.len() == 3);
}

#[tokio::test]
async fn an_update_sends_what_changed_and_nothing_else() {
    let (server, client) =
        served("PUT", "/invoices/7.json", ok(json!({"id": 7, "view_url": "pl4nted"}))).await;
    let fields = InvoiceFields { description: Patch::Clear, ..InvoiceFields::default() };
    let price = PositionFields { price_net: Decimal::new(150, 2).into(), ..PositionFields::default() };
    let change = InvoiceChange::new(fields)
        .position(PositionChange::Add(position()))
        .position(PositionChange::Edit(9, price))
        .position(PositionChange::Remove(10));
    let updated = client.update_invoice(7, &change).await.unwrap();
    let expected = json!({"description": null, "positions": [{"product_id": 5, "quantity": "2.0"},
        {"id": 9, "price_net": "1.50"}, {"id": 10, "_destroy": 1}]});
    assert_eq!(last(&server).await.1["invoice"], expected);
    clean(&format!("{updated:?}"));
}

fn taken() -> ResponseTemplate {
    status(422, json!({"code": "error", "message": {"oid": ["- has already been taken"]}}))
}

#[tokio::test]
async fn a_keyed_creation_looks_for_its_key_where_the_answer_does_not_tell() {
    let mine = json!({"id": 7, "oid": "o-1"});
    let other = json!({"id": 8, "oid": "o-10"});
    for (posted, list, expected) in [
        (ok(mine.clone()), json!([]), Ok((false, 7, 1))),
        (status(502, json!({})), json!([other, mine]), Ok((true, 7, 2))),
        (html(200), json!([mine]), Ok((true, 7, 2))),
        (taken(), json!([mine]), Ok((true, 7, 2))),
        (taken(), json!([other]), Err((ErrorKind::Conflict, Outcome::Refused, 2))),
        (status(500, json!({})), json!([other]), Err((ErrorKind::UnexpectedStatus, Outcome::Unknown, 2))),
        (status(500, json!({})), json!({}), Err((ErrorKind::UnexpectedStatus, Outcome::Unknown, 2))),
        (
            status(500, json!({})),
            json!([mine, {"id": 9, "oid": "o-1"}]),
            Err((ErrorKind::Conflict, Outcome::Unknown, 2)),
        ),
        (
            status(422, json!({"message": {"name": ["x"]}})),
            json!([mine]),
            Err((ErrorKind::Refused, Outcome::Refused, 1)),
        ),
    ] {
        let (server, client) = served("POST", "/invoices.json", posted).await;
        on(&server, "GET", "/invoices.json", ok(list.clone())).await;
        let made = client.create_invoice_keyed(&invoice().oid("o-1")).await;
        let sent = requests(&server).await;
        let found = match made {
            Ok(made) => Ok((matches!(made, Keyed::Found(_)), made.into_inner().id, sent.len())),
            Err(error) => Err((error.kind(), error.outcome(), sent.len())),
        };
        assert_eq!(found, expected, "{list}");
        assert_eq!(sent.iter().filter(|request| request.method.as_str() == "POST").count(), 1);
        if let Some(look_up) = sent.get(1) {
            assert_eq!(
                (query(look_up, "oid").as_deref(), query(look_up, "period").as_deref()),
                (Some("o-1"), Some("all"))
            );
        }
    }
    let (server, client) = served("POST", "/invoices.json", taken()).await;
    assert!(client.create_invoice(&invoice().oid("o-1")).await.unwrap_err().is_duplicate_oid());
    assert!(client.create_invoice_keyed(&invoice()).await.unwrap_err().is_validation());
    assert_eq!(requests(&server).await.len(), 1);
}

#[tokio::test]
async fn mail_and_cancellation() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(ok(json!({"code": "success"}))).mount(&server).await;
    let client = client(&server);
    let mail = Mail::new().to("a@x.cl").to("b@x.cl").copy("c@x.cl").with_pdf().updating_buyer();
    client.mail_invoice(7, &mail).await.unwrap();
    let expected = "POST /invoices/7/send_by_email.json?email_to=a%40x.cl%2Cb%40x.cl&email_cc=c%40x.cl&email_pdf=true\
        &update_buyer_email=true&api_token=pl4nted%2Fs3cret%2Facme";
    assert_eq!(last(&server).await.0, expected);
    client.cancel_invoice(7, Some("twice")).await.unwrap();
    let body = json!({"api_token": TOKEN, "cancel_invoice_id": 7, "cancel_reason": "twice"});
    assert_eq!(last(&server).await, ("POST /invoices/cancel.json".to_owned(), body));
    let many = (0..6).fold(Mail::new(), |mail, n| mail.to(format!("{n}@x.cl"))).copy("a b@x");
    let error = client.mail_invoice(7, &many).await.unwrap_err();
    assert_eq!((error.is_not_sent(), error.faults().len()), (true, 2));
}

// ---- files -------------------------------------------------------------------------------------------------------

fn pdf() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw("%PDF-1.7 x", "application/pdf")
}

#[tokio::test]
async fn a_pdf_is_written_when_it_is_one() {
    let (server, client) = served("GET", "/invoices/7.pdf", pdf()).await;
    let mut written = Vec::new();
    let fetched = client
        .invoice_pdf(7)
        .print_option(PrintOption::OriginalAndCopy)
        .write_to(&mut written)
        .await
        .unwrap();
    assert_eq!((fetched.length, written.as_slice()), (10, b"%PDF-1.7 x".as_slice()));
    assert_eq!(query(&requests(&server).await[0], "print_option").as_deref(), Some("original_and_copy"));
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("7.pdf");
    client.invoice_pdf(7).save_to(&at).await.unwrap();
    assert_eq!(std::fs::read(&at).unwrap(), b"%PDF-1.7 x");
    assert_eq!(client.invoice_pdf(7).limit(9).save_to(&at).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

/// Trap 18.
#[tokio::test]
async fn a_pdf_in_the_making_is_not_ready() {
    let redirect = |to: &str| ResponseTemplate::new(302).insert_header("location", to);
    let raw = |text: &str, kind: &str| ResponseTemplate::new(200).set_body_raw(text, kind);
    for (answer, reason, kind) in [
        (status(422, json!({})), Some(Reason::NotReady), ErrorKind::Refused),
        (html(200), Some(Reason::NotReady), ErrorKind::Refused),
        (raw("<html>", "application/pdf"), Some(Reason::NotReady), ErrorKind::Refused),
        (redirect("https://other.example.com/x"), Some(Reason::NotReady), ErrorKind::Refused),
        (ResponseTemplate::new(302), Some(Reason::NotReady), ErrorKind::Refused),
        (redirect("/login"), Some(Reason::NotReady), ErrorKind::Refused),
        (redirect("/nowhere"), Some(Reason::NotReady), ErrorKind::Refused),
        (raw("GIF89a", "application/pdf"), None, ErrorKind::UnexpectedAnswer),
        (raw("", "application/pdf"), None, ErrorKind::UnexpectedAnswer),
        (ok(json!({"code": "error", "message": "no"})), Some(Reason::Other), ErrorKind::Refused),
        (status(404, json!({})), Some(Reason::Other), ErrorKind::NotFound),
    ] {
        let (server, client) = served("GET", "/invoices/7.pdf", answer).await;
        on(&server, "GET", "/login", html(200)).await;
        let mut written = Vec::new();
        let error = client.invoice_pdf(7).write_to(&mut written).await.unwrap_err();
        assert_eq!((error.reason(), error.kind(), written.len()), (reason, kind, 0), "{error}");
        clean(&printed(&error));
    }
    let (server, client) = served("GET", "/invoices/7.pdf", redirect("/files/7")).await;
    on(&server, "GET", "/files/7", pdf()).await;
    assert_eq!(client.invoice_pdf(7).write_to(&mut Vec::new()).await.unwrap().length, 10);
}

#[tokio::test]
async fn attachments_go_up_in_three_steps_and_come_down_as_one_zip() {
    let (server, client) = served(
        "GET",
        "/invoices/7/attachments_zip.json",
        ResponseTemplate::new(200).set_body_raw("PK x", "application/zip"),
    )
    .await;
    let mut written = Vec::new();
    client.invoice_attachments(7).write_to(&mut written).await.unwrap();
    assert_eq!(written, b"PK x");
    let form =
        json!({"url": format!("{}/bucket", server.uri()), "key": "k/${filename}", "policy": "s3cret-policy"});
    on(&server, "GET", "/invoices/7/get_new_attachment_credentials.json", ok(form)).await;
    on(&server, "POST", "/bucket", ResponseTemplate::new(201)).await;
    on(&server, "POST", "/invoices/7/add_attachment.json", ok(json!({"code": "success"}))).await;
    client.attach_to_invoice(7, "a b.txt", b"hello").await.unwrap();
    let sent = requests(&server).await;
    let upload = String::from_utf8(sent[2].body.clone()).unwrap();
    assert!(
        upload.contains("name=\"policy\"\r\n\r\ns3cret-policy\r\n") && upload.contains("\r\n\r\nhello\r\n")
    );
    assert!(sent[2].url.query().is_none() && !upload.contains("pl4nted"), "the token stays with the account");
    assert_eq!(query(&sent[3], "file_name").as_deref(), Some("a b.txt"));
}

// ---- 3.6: webhooks, account, raw records -------------------------------------------------------------------------

/// Trap 25.
#[tokio::test]
async fn webhooks_are_managed_and_switched_off_ones_reported() {
    let server = MockServer::start().await;
    let rows = json!([{"id": 1, "kind": "client:create", "active": true, "api_token": "pl4nted"},
        {"id": 2, "kind": "new:kind", "active": "0", "url": "u"}, {"id": 3}]);
    on(&server, "GET", "/webhooks.json", ok(rows)).await;
    on(&server, "POST", "/webhooks.json", status(201, json!({"id": 4, "api_token": "pl4nted-inner"}))).await;
    on(&server, "PUT", "/webhooks/2.json", ok(json!({"id": 2}))).await;
    let client = client(&server);
    let off = client.inactive_webhooks().await.unwrap();
    assert_eq!(off.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
    assert_eq!(off[0].kind.as_ref().unwrap().as_str(), "new:kind");
    let made = client
        .create_webhook(&NewWebhook::new(WebhookKind::ClientSync, "https://h/x", "pl4nted-inner"))
        .await
        .unwrap();
    let expected = json!({"api_token": TOKEN,
        "webhook": {"kind": "client:sync", "url": "https://h/x", "api_token": "pl4nted-inner", "active": true}});
    assert_eq!(last(&server).await.1, expected);
    clean(&format!("{made:?} {:?}", client.webhooks().all().await.unwrap()));
    client
        .update_webhook(2, &WebhookFields { active: true.into(), ..WebhookFields::default() })
        .await
        .unwrap();
    assert_eq!(last(&server).await.1["webhook"], json!({"active": true}));
}

#[tokio::test]
async fn other_records_are_json_with_the_same_errors() {
    let server = MockServer::start().await;
    on(
        &server,
        "GET",
        "/products.json",
        ok(json!([{"id": 1, "name": "p", "code": "error", "price_net": "1.50"}])),
    )
    .await;
    on(&server, "PATCH", "/banking/payments/7.json", ok(json!({"banking_payment": {"id": 7}}))).await;
    on(&server, "GET", "/departments/7.json", ok(json!({"error": "no"}))).await;
    let client = client(&server);
    let products = client.records(Resource::PRODUCTS, &[("date_from", "x")]).all().await.unwrap();
    assert_eq!(products[0].extra.get("price_net"), Some(r#""1.50""#));
    let change = Extra::parse(r#"{"price": 1.10}"#).unwrap();
    assert_eq!(client.update_record(Resource::PAYMENTS, 7, &change).await.unwrap().id, 7);
    let sent = requests(&server).await.pop().unwrap();
    assert!(
        String::from_utf8(sent.body).unwrap().contains(r#""banking_payment":{"price":1.10}"#),
        "digit for digit"
    );
    assert_eq!(client.record(Resource::DEPARTMENTS, 7).await.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_partner_makes_an_account() {
    let told = json!({"prefix": "acme2", "api_token": TOKEN, "url": "u", "login": "ana", "email": "a@x"});
    let (server, client) = served("POST", "/account.json", ok(told)).await;
    let wish = NewAccount::new("acme".parse().unwrap(), "ana", "a@x", "s3cret-password", "s3cret-partner");
    let made = client.create_account(&wish.clone().account_field("lang", &json!("es"))).await.unwrap();
    assert_eq!(made.prefix.as_deref(), Some("acme2"));
    clean(&format!("{made:?} {wish:?}"));
    let expected = json!({"api_token": TOKEN, "integration_token": "s3cret-partner", "account": {"prefix": "acme", "lang": "es"},
        "user": {"login": "ana", "email": "a@x", "password": "s3cret-password"}});
    assert_eq!(last(&server).await.1, expected);
    on(&server, "POST", "/account/add_user.json", ok(json!({"code": "success"}))).await;
    let user = Extra::parse(r#"{"user":{"login":"bea"}}"#).unwrap();
    client.change_account(AccountAction::AddUser, &user).await.unwrap();
    let sent =
        ("POST /account/add_user.json".to_owned(), json!({"api_token": TOKEN, "user": {"login": "bea"}}));
    assert_eq!(last(&server).await, sent);
    let error = client
        .create_account(&NewAccount::new("acme".parse().unwrap(), "", " ", "p", "t"))
        .await
        .unwrap_err();
    assert_eq!((error.is_not_sent(), error.faults().len()), (true, 2));
}
