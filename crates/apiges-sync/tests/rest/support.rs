//! An installation that answers as a test says, and a client of it whose clock stands still.

use apiges_sync::{Client, ClientBuilder, Environment, ManualClock};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

pub(crate) const USER: &str = "web-user";
pub(crate) const PASSWORD: &str = "sentinel-contraseña";

pub(crate) struct House {
    pub(crate) server: MockServer,
    pub(crate) clock: ManualClock,
    pub(crate) client: Client,
}

/// The envelope of P1.
#[allow(clippy::needless_pass_by_value)] // Written at each use as a literal.
pub(crate) fn whole(data: Value) -> Value {
    json!({"statusCode": 200, "message": "OK", "data": data})
}

pub(crate) fn failed(code: i64, message: &str) -> Value {
    json!({"statusCode": code, "message": message, "data": null})
}

/// Logs in with `token-1`.
pub(crate) async fn house() -> House {
    let house = bare(|builder| builder).await;
    house.answer("GET", "/login", 200, whole(json!({"token": "token-1"}))).await;
    house
}

/// Without any answer.
pub(crate) async fn bare(change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> House {
    let (server, clock) = (MockServer::start().await, ManualClock::new());
    let builder = Client::builder()
        .environment(Environment::at(&server.uri()).unwrap())
        .credentials(USER, PASSWORD)
        .clock(clock.clone());
    let client = change(builder).build().unwrap();
    House { server, clock, client }
}

impl House {
    pub(crate) async fn answer(&self, verb: &str, at: &str, status: u16, body: Value) {
        self.respond(verb, at, ResponseTemplate::new(status).set_body_json(body)).await;
    }

    pub(crate) async fn respond(&self, verb: &str, at: &str, template: ResponseTemplate) {
        Mock::given(method(verb)).and(path(at)).respond_with(template).mount(&self.server).await;
    }

    /// Goes before every other answer, once.
    pub(crate) async fn once(&self, verb: &str, at: &str, template: ResponseTemplate) {
        let mock = Mock::given(method(verb)).and(path(at));
        mock.respond_with(template).up_to_n_times(1).with_priority(1).mount(&self.server).await;
    }

    pub(crate) async fn all(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    pub(crate) async fn requests(&self, at: &str) -> Vec<Request> {
        self.all().await.into_iter().filter(|request| request.url.path() == at).collect()
    }

    pub(crate) async fn logins(&self) -> usize {
        self.requests("/login").await.len()
    }

    /// The last request that is no login.
    pub(crate) async fn last(&self) -> Request {
        self.all().await.into_iter().rfind(|request| request.url.path() != "/login").unwrap()
    }
}

pub(crate) fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}
