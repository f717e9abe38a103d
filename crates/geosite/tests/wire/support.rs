//! A server that answers as a test says, and a client of it whose clock stands still.

use geosite::{Client, ClientBuilder, Environment, ManualClock};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

pub(crate) const PASSWORD: &str = "sentinel-senha";

pub(crate) struct House {
    pub(crate) server: MockServer,
    pub(crate) clock: ManualClock,
    pub(crate) client: Client,
}

/// Logs in with `token-1`, and describes every feature with these columns.
pub(crate) async fn house() -> House {
    let house = bare(|builder| builder).await;
    house.log_in(json!({"token": "token-1", "refreshToken": "refresh-1"})).await;
    for feature in geosite::Feature::ALL {
        let columns = json!({"columns": ["fid", "Nome", "latitude", "longitude", "obs", "OBS"]});
        house.get(&format!("/{feature}/desc"), 200, columns).await;
    }
    house
}

/// Without any answer.
pub(crate) async fn bare(change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> House {
    let (server, clock) = (MockServer::start().await, ManualClock::new());
    let builder = Client::builder()
        .environment(Environment::at(&format!("{}/api/", server.uri())).unwrap())
        .credentials("ana", PASSWORD)
        .clock(clock.clone());
    let client = change(builder).build().unwrap();
    House { server, clock, client }
}

impl House {
    pub(crate) async fn log_in(&self, answer: Value) {
        let login = Mock::given(method("POST")).and(path("/api/auth/generatetoken"));
        login.respond_with(ResponseTemplate::new(200).set_body_json(answer)).mount(&self.server).await;
    }

    pub(crate) async fn get(&self, at: &str, status: u16, body: Value) {
        self.respond("GET", at, ResponseTemplate::new(status).set_body_json(body)).await;
    }

    pub(crate) async fn raw(&self, at: &str, status: u16, body: &str, content_type: &str) {
        let template = ResponseTemplate::new(status).set_body_raw(body.to_owned(), content_type);
        self.respond("GET", at, template).await;
    }

    pub(crate) async fn respond(&self, verb: &str, at: &str, template: ResponseTemplate) {
        let mock = Mock::given(method(verb)).and(path(format!("/api{at}")));
        // The last word counts.
        mock.respond_with(template).with_priority(1).mount(&self.server).await;
    }

    pub(crate) async fn once(&self, verb: &str, at: &str, template: ResponseTemplate) {
        let mock = Mock::given(method(verb)).and(path(format!("/api{at}")));
        mock.respond_with(template).up_to_n_times(1).with_priority(1).mount(&self.server).await;
    }

    /// Requests to a path, in order.
    pub(crate) async fn requests(&self, at: &str) -> Vec<Request> {
        let all = self.server.received_requests().await.unwrap();
        all.into_iter().filter(|request| request.url.path() == format!("/api{at}")).collect()
    }

    /// The `Authorization` of every request to a path.
    pub(crate) async fn authorizations(&self, at: &str) -> Vec<String> {
        let header = |request: &Request| {
            String::from_utf8(request.headers.get("authorization").unwrap().as_bytes().to_vec()).unwrap()
        };
        self.requests(at).await.iter().map(header).collect()
    }
}

pub(crate) fn parameter(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
