//! A client whose token must be seen nowhere, and what it sends.

use serde_json::{Value, json};
use sugester::{BaseUrl, Client, ClientBuilder, ManualClock};
use wiremock::{MockServer, Request, ResponseTemplate};

use crate::support::{TOKEN, clean, on, printed, requests};

/// As it stands in a query (trap 8).
pub(crate) const ENCODED: &str = "pl4nted%2Fs3cret%2Facme";

pub(crate) fn builder(server: &MockServer) -> ClientBuilder {
    Client::builder()
        .base_url(BaseUrl::parse(&server.uri()).unwrap())
        .token(TOKEN.parse().unwrap())
        .clock(ManualClock::new())
}

pub(crate) fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

pub(crate) fn text(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(body)
}

pub(crate) async fn served(verb: &str, at: &str, answer: ResponseTemplate) -> (MockServer, Client) {
    let server = MockServer::start().await;
    on(&server, verb, at, answer).await;
    let client = client(&server);
    (server, client)
}

/// Method, path and query of every request, without the token, which has to be in it where `GET` and `DELETE` have it.
pub(crate) async fn lines(server: &MockServer) -> Vec<String> {
    let line = |request: &Request| {
        let query = request.url.query().unwrap_or_default();
        let in_query = query.contains(&format!("api_token={ENCODED}"));
        assert_eq!(in_query, matches!(request.method.as_str(), "GET" | "DELETE"), "{query}");
        let shown: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("api_token=")).collect();
        format!("{} {} {}", request.method, request.url.path(), shown.join("&")).trim_end().to_owned()
    };
    requests(server).await.iter().map(line).collect()
}

/// The body of the last request; the token has to be in it.
pub(crate) async fn sent(server: &MockServer) -> Value {
    let mut body: Value = serde_json::from_slice(&requests(server).await.last().unwrap().body).unwrap();
    assert_eq!(body.as_object_mut().unwrap().remove("api_token"), Some(json!(TOKEN)));
    body
}

/// The same as text, digit for digit.
pub(crate) async fn sent_text(server: &MockServer) -> String {
    String::from_utf8(requests(server).await.last().unwrap().body.clone()).unwrap()
}

/// Every printed form of an error, none of which may show the token or a part of it.
pub(crate) fn shown(error: &sugester::Error) -> String {
    let all = printed(error);
    clean(&all);
    all
}
