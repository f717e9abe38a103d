//! Contract 2: hosts, tokens, where the token goes, and what is repeated.

use std::time::Duration;

use integration_core::BoxFuture;
use integration_core::call::{Body, BodyStream, Transport, TransportError};
use serde_json::json;
use sugester::crm::{ClientFields, ListQuery, NewClient};
use sugester::{AuthMode, BaseUrl, Client, ErrorKind, LinkTokenError, ManualClock};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::rig::*;
use crate::support::{TOKEN, Traces, clean, ok, on, requests, script};

fn lookup<'v>(pairs: &'v [(&'v str, &'v str)]) -> impl Fn(&str) -> Option<String> + 'v {
    |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

#[test]
fn hosts_are_made_of_the_account_and_nothing_can_lead_elsewhere() {
    let built = |account: &str, domain: Option<&str>, token: &str| {
        let builder = Client::builder().account(account.parse().unwrap()).token(token.parse().unwrap());
        domain.into_iter().fold(builder, sugester::ClientBuilder::domain).build()
    };
    assert_eq!(built("Acme", None, "x/aCME").unwrap().base_url().to_string(), "https://acme.sugester.pl");
    assert_eq!(
        built("acme", Some("sugester.com"), "x").unwrap().base_url().to_string(),
        "https://acme.sugester.com"
    );
    for domain in ["evil.example/x", "a@evil.example", "evil.example:1", ""] {
        assert!(built("acme", Some(domain), "x").unwrap_err().is_not_sent());
    }
    for account in ["a/b", "a.b", "a:b", "a@b", ""] {
        assert!(account.parse::<sugester::AccountName>().is_err());
    }
    let error = built("acme", None, "pl4nted/s3cret/other").unwrap_err();
    assert!(
        matches!(error.find_source(), Some(LinkTokenError::TokenPrefixMismatch { .. }))
            && error.is_not_sent()
    );
    shown(&error);
}

#[test]
fn the_environment_names_root_and_token_and_every_fault_is_told_at_once() {
    let good = [
        ("SUGESTER_BASE_URL", "https://acme.sugester.pl/"),
        ("SUGESTER_API_TOKEN", TOKEN),
        ("SUGESTER_TIMEOUT", "2.5"),
    ];
    let client = Client::from_lookup(lookup(&good)).unwrap();
    assert_eq!((client.account().unwrap().as_str(), client.token().secret().reveal()), ("acme", TOKEN));
    assert_eq!(client.receiver_url(), "https://acme.sugester.pl/app/clients/external_update.json");
    clean(&format!("{client:?} {client:#?}"));
    let error = Client::from_lookup(lookup(&[("SUGESTER_TIMEOUT", "soon")])).unwrap_err();
    let mut paths: Vec<_> = error.faults().iter().map(sugester::Fault::path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["SUGESTER_API_TOKEN", "SUGESTER_BASE_URL", "SUGESTER_TIMEOUT"]);
    let bad = [("SUGESTER_BASE_URL", "https://acme.sugester.pl"), ("SUGESTER_API_TOKEN", "pl4nted /acme")];
    shown(&Client::from_lookup(lookup(&bad)).unwrap_err());
    for url in
        ["http://acme.sugester.pl", "https://acme.sugester.pl/app", "https://other.sugester.pl", "ftp://x"]
    {
        let pairs = [("SUGESTER_BASE_URL", url), ("SUGESTER_API_TOKEN", TOKEN)];
        assert!(Client::from_lookup(lookup(&pairs)).unwrap_err().is_not_sent(), "{url}");
    }
}

#[test]
fn what_cannot_be_is_refused_when_the_client_is_built() {
    let builder = || Client::builder().account("acme".parse().unwrap()).token("x".parse().unwrap());
    assert!(builder().build().is_ok());
    assert_eq!(builder().per_page(0).build().unwrap_err().kind(), ErrorKind::Validation);
    assert_eq!(
        builder().receiver_path("//evil.example/x").build().unwrap_err().kind(),
        ErrorKind::Validation
    );
    assert_eq!(
        Client::builder().token("x".parse().unwrap()).build().unwrap_err().kind(),
        ErrorKind::Configuration
    );
    assert_eq!(
        Client::builder().account("acme".parse().unwrap()).build().unwrap_err().kind(),
        ErrorKind::Configuration
    );
    let twice = BaseUrl::parse("https://acme.sugester.pl/app").unwrap();
    assert_eq!(builder().base_url(twice).build().unwrap_err().kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn bearer_goes_into_the_header_and_nowhere_else() {
    let (server, _) = served("GET", "/app/clients/7.json", ok(json!({"id": 7}))).await;
    on(&server, "POST", "/app/clients.json", ok(json!({"id": 7}))).await;
    let client = builder(&server).auth_mode(AuthMode::Bearer).build().unwrap();
    client.client(7).await.unwrap();
    client.create_client(&NewClient::company("A")).await.unwrap();
    for request in requests(&server).await {
        assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
        assert!(request.url.query().is_none() && !String::from_utf8_lossy(&request.body).contains("s3cret"));
    }
}

async fn asked(answers: Vec<ResponseTemplate>) -> (MockServer, ManualClock, Client) {
    let (server, clock) = (MockServer::start().await, ManualClock::new());
    script(&server, "GET", "/app/clients/7.json", answers).await;
    let client = builder(&server).clock(clock.clone()).build().unwrap();
    (server, clock, client)
}

#[tokio::test]
async fn a_read_is_tried_three_times_and_a_write_once() {
    for status in [429, 502, 503, 504] {
        let (server, _, client) = asked(vec![text(status, ""), text(status, ""), ok(json!({"id": 7}))]).await;
        assert!(client.client(7).await.is_ok(), "{status}");
        assert_eq!(requests(&server).await.len(), 3);
        let (server, _, client) = asked(vec![text(status, "")]).await;
        assert!(client.client(7).await.is_err());
        assert_eq!(requests(&server).await.len(), 3);
    }
    for status in [400, 401, 403, 404, 422, 500, 501] {
        let (server, _, client) = asked(vec![text(status, "")]).await;
        assert!(client.client(7).await.is_err());
        assert_eq!(requests(&server).await.len(), 1, "{status}");
    }
    for status in [429, 500, 502, 503, 504] {
        let server = MockServer::start().await;
        for verb in ["POST", "PUT", "DELETE"] {
            Mock::given(method(verb)).respond_with(text(status, "")).mount(&server).await;
        }
        let client = client(&server);
        assert!(client.create_client(&NewClient::company("A")).await.is_err());
        let change = ClientFields { name: "B".into(), ..ClientFields::default() };
        let error = client.update_client(7, &change).await.unwrap_err();
        assert_eq!(error.is_outcome_unknown(), status != 429, "{status}");
        assert!(client.delete_client(7).await.is_err());
        assert_eq!(requests(&server).await.len(), 3, "{status}");
    }
}

#[tokio::test]
async fn a_hint_to_wait_is_followed_up_to_two_minutes() {
    let wait = |seconds: &str| text(429, "").insert_header("retry-after", seconds);
    let (_server, clock, client) = asked(vec![wait("7"), ok(json!({"id": 7}))]).await;
    client.client(7).await.unwrap();
    assert!((7..=8).contains(&clock.slept().iter().sum::<Duration>().as_secs()), "{:?}", clock.slept());
    let (server, _, client) = asked(vec![wait("99999")]).await;
    let error = client.client(7).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
    assert!(requests(&server).await.len() <= 3);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = MockServer::start().await;
    for status in [301, 302, 303, 307, 308] {
        let answer = text(status, "").insert_header("location", format!("{}/x", elsewhere.uri()));
        let (server, client) = served("GET", "/app/clients.json", answer).await;
        let error = client.clients(&ListQuery::new()).unwrap().next_page().await.unwrap_err();
        shown(&error);
        assert_eq!(requests(&server).await.len(), 1);
    }
    assert!(requests(&elsewhere).await.is_empty());
}

#[tokio::test]
async fn no_span_and_no_event_shows_the_token() {
    let echo = format!("/app/clients.json?api_token={ENCODED} {TOKEN}");
    let traces = Traces::default();
    let _listening = traces.listening();
    for status in [200, 401, 503] {
        let (_server, client) = served("GET", "/app/clients.json", text(status, &echo)).await;
        shown(&client.check_connection().await.unwrap_err());
        let (_server, client) = served("POST", "/app/clients.json", text(status, &echo)).await;
        shown(&client.create_client(&NewClient::company("A")).await.unwrap_err());
    }
    let text = traces.text();
    assert!(text.contains("create a client of Sugester"), "{text}");
    clean(&text);
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
async fn a_call_ends_after_thirty_seconds_or_when_its_clone_says() {
    let wait = async |limit: Option<u64>, advance: u64| {
        let clock = ManualClock::new();
        let root = BaseUrl::parse("http://127.0.0.1:1").unwrap();
        let builder = Client::builder().base_url(root).token(TOKEN.parse().unwrap());
        let client = builder.transport(Silence).clock(clock.clone()).build().unwrap();
        let client = limit.map_or(client.clone(), |limit| client.with_timeout(Duration::from_secs(limit)));
        let call = tokio::spawn(async move { client.delete_deal(7).await });
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
