//! Sessions over HTTP, as the clients will build them: a login by password, a refresh token of its own form, a header that is no
//! bearer, and a service that counts what it was asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::header;
use integration_core::call::{
    Answer, Authorization, BaseUrl, Call, Caller, CallerBuilder, Idempotency, Login, Operation, Session,
    Ticket, Verdict,
};
use integration_core::clock::ManualClock;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome, Secret};
use serde::Deserialize;
use support::printed;
use wiremock::matchers::{body_string_contains, header as has_header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const LOG_IN: Operation = Operation::post("log in", "/auth/generatetoken", Idempotency::Keyed);
const REFRESH: Operation = Operation::post("refresh", "/auth/refresh", Idempotency::Keyed);
const READ: Operation = Operation::get("read", "/item/{id}");

const HALF_HOUR: Duration = Duration::from_secs(30 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    token: String,
    refresh_token: Option<String>,
}

#[derive(Debug)]
struct GeositeLike {
    caller: Caller,
    user: String,
    password: Secret,
}

fn authorization(token: &str) -> Result<Authorization, Error> {
    let value = format!("Digicade-Rest-API:{token}");
    Authorization::in_header(header::AUTHORIZATION, &value, Secret::new(token))
}

impl GeositeLike {
    fn call(&self, previous: Option<&Ticket>) -> Result<Call, Error> {
        let Some(refresh) = previous.and_then(Ticket::refresh) else {
            let body = serde_json::json!({"username": self.user, "password": self.password.reveal()});
            let call = Call::new(LOG_IN).json(body.to_string()).with_secret(self.password.clone());
            return Ok(call.with_secret_answer());
        };
        Ok(Call::new(REFRESH).authorized(authorization(refresh.reveal())?).with_secret_answer())
    }

    async fn ticket(&self, previous: Option<&Ticket>) -> Result<Ticket, Error> {
        let call = self.call(previous)?;
        let judge = |answer: &Answer| -> Verdict<Tokens> {
            if answer.status().is_success() {
                return Verdict::from_json(answer, |error| error);
            }
            Verdict::by_status(answer, |error| error.with_message(answer.text()))
        };
        let tokens = self.caller.call(&call, judge).await?.value;
        let ticket = Ticket::new(authorization(&tokens.token)?, HALF_HOUR);
        Ok(match tokens.refresh_token {
            Some(refresh) => ticket.with_refresh(Secret::new(refresh), MONTH),
            None => ticket,
        })
    }
}

impl Login for GeositeLike {
    fn log_in<'a>(&'a self, previous: Option<&'a Ticket>) -> BoxFuture<'a, Result<Ticket, Error>> {
        Box::pin(self.ticket(previous))
    }
}

fn client(service: &MockServer) -> (Caller, ManualClock) {
    let clock = ManualClock::new();
    let base = BaseUrl::parse(&service.uri()).unwrap();
    let caller = CallerBuilder::default().base(base).clock(Arc::new(clock.clone())).build().unwrap();
    let login =
        GeositeLike { caller: caller.anonymous(), user: "ana".into(), password: Secret::new("s3ntinel pw") };
    let session = Session::new(login, caller.clock().clone(), Duration::from_secs(5 * 60));
    (caller.with_credentials(Arc::new(session)), clock)
}

async fn read(caller: &Caller) -> Result<String, Error> {
    let call = Call::new(READ).param("id", "a/b");
    let judge = |answer: &Answer| match answer.status().is_success() {
        true => Verdict::Accept(answer.text().into_owned()),
        false => Verdict::by_status(answer, |error| error),
    };
    caller.call(&call, judge).await.map(|answered| answered.value)
}

async fn log_ins(service: &MockServer, body: &str, times: u64) {
    let answer = ResponseTemplate::new(200).set_body_string(body);
    let asked = Mock::given(method("POST")).and(path("/auth/generatetoken"));
    asked.and(body_string_contains("s3ntinel pw")).respond_with(answer).expect(times).mount(service).await;
}

async fn refreshes(service: &MockServer, with: &str, answer: ResponseTemplate, times: u64) {
    let asked = Mock::given(method("POST")).and(path("/auth/refresh"));
    let with = format!("Digicade-Rest-API:{with}");
    asked
        .and(has_header("authorization", with.as_str()))
        .respond_with(answer)
        .expect(times)
        .mount(service)
        .await;
}

async fn items(service: &MockServer, token: &str, status: u16) {
    let asked = Mock::given(method("GET")).and(path("/item/a%2Fb"));
    let with = format!("Digicade-Rest-API:{token}");
    let answer = ResponseTemplate::new(status).set_body_string(token);
    asked.and(has_header("authorization", with.as_str())).respond_with(answer).mount(service).await;
}

fn json(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(body)
}

#[tokio::test]
async fn a_session_logs_in_refreshes_early_and_keeps_the_refresh_token_it_has() {
    let service = MockServer::start().await;
    log_ins(&service, r#"{"token":"t-1","refreshToken":"r-1"}"#, 1).await;
    refreshes(&service, "r-1", json(r#"{"token":"t-2"}"#), 2).await;
    for token in ["t-1", "t-2"] {
        items(&service, token, 200).await;
    }
    let (caller, clock) = client(&service);
    assert_eq!(read(&caller).await.unwrap(), "t-1");
    clock.advance(Duration::from_secs(24 * 60));
    assert_eq!(read(&caller).await.unwrap(), "t-1");
    for _ in 0..2 {
        clock.advance(Duration::from_secs(25 * 60));
        assert_eq!(read(&caller).await.unwrap(), "t-2");
    }
}

#[tokio::test]
async fn a_refused_ticket_is_refreshed_and_a_refused_refresh_is_logged_in_for() {
    let service = MockServer::start().await;
    let first = r#"{"token":"t-1","refreshToken":"r-1"}"#;
    let asked = Mock::given(path("/auth/generatetoken"));
    asked.respond_with(json(first)).up_to_n_times(1).expect(1).mount(&service).await;
    log_ins(&service, r#"{"token":"t-3","refreshToken":"r-3"}"#, 1).await;
    refreshes(&service, "r-1", ResponseTemplate::new(401), 1).await;
    items(&service, "t-1", 401).await;
    items(&service, "t-3", 200).await;
    let (caller, _) = client(&service);
    assert_eq!(read(&caller).await.unwrap(), "t-3");
}

#[tokio::test]
async fn a_thousand_calls_with_a_wrong_password_make_one_login() {
    let service = MockServer::start().await;
    let refusal = ResponseTemplate::new(400).set_body_string(r#"{"message":"wrong: s3ntinel pw"}"#);
    let asked = Mock::given(path("/auth/generatetoken"));
    asked.respond_with(refusal).expect(1).mount(&service).await;
    let (caller, _) = client(&service);
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move { read(&caller).await.unwrap_err() })
        })
        .collect();
    for call in calls {
        let error = call.await.unwrap();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Refused, Outcome::NotSent), "{error}");
        assert_eq!(error.status().unwrap().as_u16(), 400);
        assert!(!printed(&error).contains("s3ntinel"), "{error:?}");
    }
}

#[tokio::test]
async fn a_login_without_a_token_says_which_field_is_missing() {
    let service = MockServer::start().await;
    log_ins(&service, r#"{"acces":"s3ntinel-token"}"#, 1).await;
    let (caller, _) = client(&service);
    let error = read(&caller).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::UnexpectedAnswer, Outcome::NotSent));
    assert_eq!(error.operation(), "read");
    assert!(error.message().unwrap().contains("lacks the field `token`"), "{error}");
    assert!(!printed(&error).contains("s3ntinel"), "{error:?}");
}
