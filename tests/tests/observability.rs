//! What a program can see of its calls: names and fields of the spans and events, and what an observer is told. Whoever builds
//! dashboards relies on them, so a change of any stands in the changelog (`docs/observability.md`).

use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use integration_core::call::{
    BaseUrl, Call, CallObserver, Caller, Idempotency, Lane, Observation, Operation, RetryPolicy, Verdict,
};
use integration_core::clock::ManualClock;
use integration_core::{ErrorKind, Outcome};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::leaks::capture;
use crate::leaks::echo::{Echo, Shape};

const READ: Operation = Operation::get("read a thing", "/things/{id}");
const MAKE: Operation = Operation::post("make a thing", "/things", Idempotency::Once);

/// Names of spans and events with the names of their fields, and the values that were recorded.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, kind: &str, metadata: &Metadata<'_>) {
        let fields: Vec<&str> = metadata.fields().iter().map(|field| field.name()).collect();
        let name = if kind == "span" { metadata.name() } else { "" };
        self.0.lock().unwrap().push(format!("{kind} {} {name} {}", metadata.level(), fields.join(" ")));
    }

    fn values(&self, kind: &str, record: impl FnOnce(&mut Values)) {
        let mut values = Values(Vec::new());
        record(&mut values);
        let values = values.0.into_iter().map(|value| format!("{kind} {value}"));
        self.0.lock().unwrap().extend(values);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Values(Vec<String>);

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push(format!("{}={value:?}", field.name()));
    }
}

impl Subscriber for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("integration_core")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note("span", span.metadata());
        self.values("value", |values| span.record(values));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, record: &Record<'_>) {
        self.values("later", |values| record.record(values));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note("event", event.metadata());
        self.values("value", |values| event.record(values));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl CallObserver for Told {
    fn observe(&self, call: &Observation<'_>) {
        let line = format!(
            "{} {:?} {} {:?} {:?} {:?} dropped={} attempts={} waiting={:?} duration={:?}",
            call.operation,
            call.idempotency,
            call.host,
            call.status,
            call.error,
            call.outcome,
            call.dropped,
            call.attempts,
            call.waiting,
            call.duration
        );
        self.0.lock().unwrap().push(line);
    }
}

fn caller(echo: &Echo, told: &Arc<Told>, clock: &ManualClock) -> Caller {
    let builder = Caller::builder(BaseUrl::parse(&echo.url).unwrap());
    let builder = builder.observer(told.clone()).clock(Arc::new(clock.clone()));
    builder.retry(RetryPolicy::new().with_max_attempts(2)).build().unwrap()
}

#[tokio::test]
async fn names_and_fields_of_spans_and_events_are_these() {
    // With a single subscriber a callsite that another thread met first would stay silent: this one keeps all of them asked.
    drop(capture());
    let seen = Seen::default();
    let _guard = tracing::subscriber::set_default(seen.clone());
    let echo = Echo::start(503, Shape::Text, None).await;
    let (told, clock) = (Arc::new(Told::default()), ManualClock::new());
    let call = Call::new(READ).param("id", "private").query("key", "private");
    caller(&echo, &told, &clock).call(&call, Verdict::success).await.unwrap_err();
    let port = echo.url.rsplit(':').next().unwrap();
    let expected = [
        "span INFO call otel.name otel.kind http.request.method url.template server.address server.port http.response.status_code http.request.resend_count error.type otel.status_code".to_owned(),
        "value otel.name=\"read a thing\"".to_owned(),
        "value otel.kind=\"client\"".to_owned(),
        "value http.request.method=\"GET\"".to_owned(),
        "value url.template=\"/things/{id}\"".to_owned(),
        "value server.address=\"127.0.0.1\"".to_owned(),
        format!("value server.port={port}"),
        "event INFO  message attempt wait_ms".to_owned(),
        "value message=trying again".to_owned(),
        "value attempt=1".to_owned(),
        "value wait_ms=0".to_owned(),
        "later http.response.status_code=503".to_owned(),
        "later http.request.resend_count=1".to_owned(),
        "later error.type=UnexpectedStatus".to_owned(),
        "later otel.status_code=\"ERROR\"".to_owned(),
    ];
    assert_eq!(seen.lines(), expected);
}

#[tokio::test]
async fn an_observer_is_told_of_every_call_once() {
    let (told, clock) = (Arc::new(Told::default()), ManualClock::new().with_random(0.5));
    let lines = || std::mem::take(&mut *told.0.lock().unwrap());

    let well = Echo::start(200, Shape::Text, None).await;
    caller(&well, &told, &clock).call(&Call::new(READ).param("id", 7), Verdict::success).await.unwrap();
    let end = "waiting=0ns duration=0ns";
    assert_eq!(
        lines(),
        [format!("read a thing Safe 127.0.0.1 Some(200) None None dropped=false attempts=1 {end}")]
    );

    let ill = Echo::start(503, Shape::Text, None).await;
    let error = caller(&ill, &told, &clock).call(&Call::new(READ).param("id", 7), Verdict::success).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::UnexpectedStatus);
    let [line] = lines().try_into().unwrap();
    let pause = clock.slept()[0];
    assert_eq!(
        line,
        format!(
            "read a thing Safe 127.0.0.1 Some(503) Some(UnexpectedStatus) Some(ReadOnly) dropped=false attempts=2 waiting={pause:?} duration={pause:?}"
        )
    );
    assert!(pause <= Duration::from_secs(1), "what it says of waiting is what was waited: {pause:?}");

    // Nothing is sent, and that is told too.
    let error = caller(&well, &told, &clock).call(&Call::new(READ).param("id", ""), Verdict::success).await;
    assert_eq!(error.unwrap_err().outcome(), Outcome::NotSent);
    let line = format!(
        "read a thing Safe 127.0.0.1 None Some(Validation) Some(NotSent) dropped=false attempts=0 {end}"
    );
    assert_eq!(lines(), [line]);
}

#[tokio::test]
async fn an_observer_is_told_of_a_call_that_is_dropped() {
    let (told, clock) = (Arc::new(Told::default()), ManualClock::new());
    let echo = Echo::start(200, Shape::Text, None).await;
    let lane = Lane::new(1);
    let place = lane.enter().await;
    let caller = caller(&echo, &told, &clock);
    let call = Call::new(MAKE).json("{}").in_lane(&lane);
    let mut waiting = Box::pin(caller.call(&call, Verdict::success));
    let begun = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
    assert!(begun, "it waits in its lane");
    drop((waiting, place));
    let lines = told.0.lock().unwrap().clone();
    let line = "make a thing Once 127.0.0.1 None None Some(NotSent) dropped=true attempts=0 waiting=0ns duration=0ns";
    assert_eq!(lines, [line]);
}
