//! A server that answers as told, and a client whose token must be seen nowhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sugester::{BaseUrl, Client, ClientBuilder, ManualClock};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// Slashes inside: the prefix is what follows the last one (trap 8).
pub(crate) const TOKEN: &str = "planted/Sec+ret/acme";
/// As it stands in a query.
pub(crate) const ENCODED: &str = "planted%2FSec%2Bret%2Facme";

pub(crate) fn builder(server: &MockServer) -> ClientBuilder {
    Client::builder()
        .base_url(BaseUrl::parse(&server.uri()).unwrap())
        .token(TOKEN.parse().unwrap())
        .clock(ManualClock::new())
}

pub(crate) fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

pub(crate) fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

pub(crate) fn text(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(body)
}

pub(crate) async fn on(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

pub(crate) async fn served(verb: &str, at: &str, answer: ResponseTemplate) -> (MockServer, Client) {
    let server = MockServer::start().await;
    on(&server, verb, at, answer).await;
    let client = client(&server);
    (server, client)
}

/// Answers in order; the last one stays.
pub(crate) struct Script(AtomicUsize, Vec<ResponseTemplate>);

impl Respond for Script {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let at = self.0.fetch_add(1, Ordering::SeqCst).min(self.1.len() - 1);
        self.1[at].clone()
    }
}

pub(crate) async fn script(server: &MockServer, verb: &str, at: &str, answers: Vec<ResponseTemplate>) {
    let script = Script(AtomicUsize::new(0), answers);
    Mock::given(method(verb)).and(path(at)).respond_with(script).mount(server).await;
}

pub(crate) async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
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

/// Every printed form of an error, none of which may show the token or its part.
pub(crate) fn shown(error: &sugester::Error) -> String {
    use sugester::ErrorExt;
    let refused = error.refused().map(|refused| format!("{refused} {refused:?}")).unwrap_or_default();
    let all =
        format!("{error} {error:?} {error:#?} {} {} {refused}", error.report(), error.support_summary());
    for part in ["planted", "Sec+ret", "Sec%2Bret"] {
        assert!(!all.contains(part), "{part} in {all}");
    }
    all
}
