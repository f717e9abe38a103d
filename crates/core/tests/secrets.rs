//! Promise 5 at the seam: no secret of a call gets into its error, be it in a header, the query, the body or a Basic pair, and
//! whatever the service, the transport or a judge does with it. What a service says to a call that it accepted is not touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::sync::{Arc, Mutex};

use integration_core::call::{
    Answer, Authorization, BaseUrl, Bearer, Call, Idempotency, Operation, RetryPolicy, TransportError,
    TransportErrorKind, Verdict,
};
use integration_core::{Error, ErrorKind, Secret};
use support::{Fake, builder, printed, response};

const ACT: Operation = Operation::post("act", "/act/{id}", Idempotency::Once);
const READ: Operation = Operation::get("read", "/read");

/// A refusal as a service client types it.
#[derive(Debug, thiserror::Error)]
#[error("refused: {0}")]
struct Refusal(String);

/// Takes everything it can from an answer into its error.
fn greedy(answer: &Answer) -> Verdict<String> {
    if answer.status().is_success() {
        return Verdict::Accept(answer.text().into_owned());
    }
    let decoded: Result<serde_json::Value, _> = serde_json::from_slice(answer.body());
    let text = decoded.map_or_else(|_| answer.text().into_owned(), |value| value["message"].to_string());
    Verdict::by_status(answer, |error| {
        error
            .with_code(text.as_str())
            .with_message(text.as_str())
            .with_hint(text.clone())
            .with_source(Refusal(text.clone()))
    })
}

const PASSWORD: &str = "s3ntinel pass/word+1";
/// `ana:` and the password.
const PAIR: &str = "YW5hOnMzbnRpbmVsIHBhc3Mvd29yZCsx";

/// The forms in which a service may repeat it.
fn echoes() -> Vec<String> {
    vec![
        PASSWORD.to_owned(),
        PAIR.to_owned(),
        format!("Basic {PAIR}"),
        "s3ntinel%20pass%2Fword%2B1".to_owned(),
        "s3ntinel+pass%2Fword%2B1".to_owned(),
        "s3ntinel%20pass%2fword%2b1".to_owned(),
        r"s3ntinel pass\/word+1".to_owned(),
        r"\u00733ntinel pass\/word\u002b1".to_owned(),
    ]
}

fn clean(what: &str, shown: &str) {
    assert!(!shown.contains("3ntinel") && !shown.contains(PAIR), "{what}: {shown}");
}

fn authorizations() -> [(&'static str, Authorization); 4] {
    let secret = || Secret::new(PASSWORD);
    let header = http::HeaderName::from_static("x-password");
    let encoded = || Secret::new(PAIR);
    [
        ("basic", Authorization::basic("ana", secret()).unwrap()),
        ("query", Authorization::in_query("password", secret()).unwrap().with_secret(encoded())),
        ("header", Authorization::in_header(header, PASSWORD, secret()).unwrap().with_secret(encoded())),
        (
            "two",
            Authorization::in_query("token", encoded())
                .unwrap()
                .and(Authorization::in_query("password", secret()).unwrap()),
        ),
    ]
}

#[tokio::test]
async fn nothing_that_a_service_repeats_gets_into_the_error() {
    for (what, authorization) in authorizations() {
        for echo in echoes() {
            for status in [301, 400, 401, 403, 404, 409, 429, 500] {
                for body in [format!(r#"{{"message":"bad {echo}","{echo}":1}}"#), echo.clone()] {
                    let headers = format!("id {}", if echo.contains('\\') { PASSWORD } else { &echo });
                    let fake = Fake::new(move |_, _| {
                        Ok(response(status, &[("x-request-id", &headers), ("location", &headers)], &body))
                    });
                    let caller = builder(&fake).retry(RetryPolicy::never()).build().unwrap();
                    let call = Call::new(ACT).param("id", 1).authorized(authorization.clone());
                    let error = caller.call(&call, greedy).await.unwrap_err();
                    clean(what, &printed(&error));
                    // The typed cause is kept, without the secret.
                    assert!(error.find_source::<Refusal>().is_some(), "{what} {echo} {error:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_class_of_a_verdict_is_that_of_the_answer_as_it_came() {
    // Masking turns the code `1234` into a text that this judge does not know.
    let fake = Fake::always(400, r#"{"code":"1234"}"#);
    let caller = builder(&fake).build().unwrap();
    let judge = |answer: &Answer| -> Verdict<()> {
        let error = Error::new(ErrorKind::Refused, "");
        if answer.text().contains("1234") {
            return Verdict::Refuse(error);
        }
        Verdict::Doubt { error, transient: true }
    };
    let call = Call::new(ACT).param("id", 1).with_secret(Secret::new("1234"));
    let error = caller.call(&call, judge).await.unwrap_err();
    assert!(error.is_refused() && error.attempts() == 1, "{error}");
}

#[tokio::test]
async fn a_judge_that_will_not_let_go_of_a_secret_loses_its_cause() {
    let fake = Fake::always(404, "{}");
    let caller = builder(&fake).credentials(Arc::new(Bearer::new("s3ntinel-token"))).build().unwrap();
    let judge = |_: &Answer| -> Verdict<()> {
        let error = Error::new(ErrorKind::Refused, "s3ntinel-token").with_message("s3ntinel-token");
        Verdict::Refuse(error.with_source(Refusal("about s3ntinel-token".to_owned())))
    };
    let error = caller.call(&Call::new(READ), judge).await.unwrap_err();
    clean("judge", &printed(&error));
    assert!(error.report().to_string().contains("was withheld"));
}

#[tokio::test]
async fn a_secret_in_the_query_travels_and_shows_nowhere_else() {
    let spans = Arc::new(Mutex::new(String::new()));
    // With a single subscriber, a callsite that another thread meets first asks that thread's default, which is none, and stays
    // silent for good; with two, every subscriber is asked.
    let _second = tracing::Dispatch::new(Spans(spans.clone()));
    let _guard = tracing::subscriber::set_default(Spans(spans.clone()));
    let fake = Fake::new(|_, request| {
        let url = request.uri().to_string();
        let kind = TransportErrorKind::Interrupted;
        Err(TransportError::new(kind, format!("cut at {url}")).with_source(Refusal(url)))
    });
    let caller = builder(&fake).build().unwrap();
    let secret = Authorization::in_query("api_token", Secret::new(PASSWORD)).unwrap();
    let call = Call::new(READ).query("page", 2).authorized(secret);
    let error = caller.call(&call, greedy).await.unwrap_err();
    let sent = "https://service.example.com/api/read?page=2&api_token=s3ntinel%20pass%2Fword%2B1";
    assert_eq!(fake.uris(), [sent; 3]);
    clean("error", &printed(&error));
    clean("call", &format!("{call:?} {caller:?}"));
    let spans = spans.lock().unwrap();
    assert!(spans.contains("/read"), "something was traced");
    clean("spans", &spans);
}

#[tokio::test]
async fn a_secret_of_the_body_is_named_by_the_call() {
    let fake = Fake::always(401, r#"{"message":"wrong: s3ntinel pass/word+1"}"#);
    let call = Call::new(READ).json("{}").with_secret(Secret::new(PASSWORD));
    let error = builder(&fake).build().unwrap().call(&call, greedy).await.unwrap_err();
    clean("body", &printed(&error));
}

#[tokio::test]
async fn an_accepted_answer_is_not_altered() {
    let body = r#"{"note":"s3ntinel pass/word+1"}"#;
    let fake = Fake::new(move |_, _| Ok(response(200, &[("x-note", PASSWORD)], body)));
    let caller = builder(&fake).build().unwrap();
    for (_, authorization) in authorizations() {
        let call = Call::new(READ).authorized(authorization);
        let answered = caller.call(&call, greedy).await.unwrap();
        assert_eq!((answered.value.as_str(), &*answered.answer.text()), (body, body));
        assert_eq!(answered.answer.headers()["x-note"], PASSWORD);
    }
}

#[tokio::test]
async fn credentials_go_to_their_own_origin_and_elsewhere_only_by_name() {
    let fake = Fake::always(200, "{}");
    let caller = builder(&fake).credentials(Arc::new(Bearer::new("own-token"))).build().unwrap();
    let base = |url: &str| BaseUrl::parse(url).unwrap();
    let other = || base("https://elsewhere.example.com");
    let given = Authorization::bearer(Secret::new("given-token")).unwrap();
    let call = || Call::new(READ);
    let calls = [
        (call(), "Bearer own-token"),
        (call().to(base("https://service.example.com/v2")), "Bearer own-token"),
        (call().to(base("https://service.example.com:8443")), ""),
        (call().to(other()), ""),
        (call().to(other()).authorized(given), "Bearer given-token"),
    ];
    for (call, _) in &calls {
        caller.call(call, Verdict::success).await.unwrap();
    }
    assert_eq!(fake.headers("authorization"), calls.map(|(_, expected)| expected));
    assert_eq!(fake.uris()[3], "https://elsewhere.example.com/read");
}

#[tokio::test]
async fn related_callers_share_the_way_and_not_the_credentials() {
    let fake = Fake::always(200, "{}");
    let caller = builder(&fake).credentials(Arc::new(Bearer::new("first-token"))).build().unwrap();
    let elsewhere = BaseUrl::parse("https://v2.example.com/x").unwrap();
    let others = [
        caller.anonymous(),
        caller.with_credentials(Arc::new(Bearer::new("second-token"))),
        caller.at(elsewhere),
    ];
    for other in &others {
        other.call(&Call::new(READ), Verdict::success).await.unwrap();
    }
    assert_eq!(fake.headers("authorization"), ["", "Bearer second-token", "Bearer first-token"]);
    assert_eq!(fake.uris()[2], "https://v2.example.com/x/read");

    // One retry budget: what one of them uses up the others lack.
    let dead = Fake::always(503, "{}");
    let caller = builder(&dead).build().unwrap();
    for _ in 0..200 {
        let _ = caller.anonymous().call(&Call::new(READ), greedy).await;
    }
    let error = caller.call(&Call::new(READ), greedy).await.unwrap_err();
    assert!(error.stopped_because().unwrap().contains("too many"), "{error}");
}

#[tokio::test]
async fn a_call_that_cannot_be_addressed_asks_nobody() {
    let fake = Fake::always(200, "{}");
    let caller = builder(&fake).build().unwrap();
    for call in [
        Call::new(ACT),
        Call::new(ACT).param("id", ".."),
        Call::new(ACT).param("id", 1).param("other", 1),
        Call::new(READ).header(http::header::ACCEPT, "a\nb"),
    ] {
        let error = caller.call(&call, Verdict::success).await.unwrap_err();
        assert!(error.is_validation() && error.is_not_sent() && !error.faults().is_empty(), "{error}");
    }
    assert_eq!(fake.count(), 0);
}

/// The fields of every span and event, as text.
struct Spans(Arc<Mutex<String>>);

impl tracing::field::Visit for Spans {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{}={value:?} ", field.name()));
    }
}

impl tracing::Subscriber for Spans {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut Spans(self.0.clone()));
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut Spans(self.0.clone()));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Spans(self.0.clone()));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
