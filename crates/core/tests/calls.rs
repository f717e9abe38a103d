//! The call loop against a scripted transport and a clock that the test moves: how often each failure is repeated, what
//! the final error says about the outcome, and what every attempt carries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response, header};
use integration_core::call::auth::{Authorization, Bearer, Credentials};
use integration_core::call::transport::{
    BodyStream, SendMark, Transport, TransportError, TransportErrorKind,
};
use integration_core::call::{
    Answer, BaseUrl, Body, Call, Caller, CallerBuilder, Idempotency, Lane, Operation, RetryPolicy, Timeouts,
    Verdict,
};
use integration_core::clock::{Clock, ManualClock};
use integration_core::{BoxFuture, Error, ErrorKind, Outcome, Secret};
use tokio::sync::Semaphore;

// ---------------------------------------------------------------------------------------------------------- the script

/// What one attempt meets.
#[derive(Debug, Clone)]
enum Step {
    Answer(u16, Vec<(&'static str, Vec<u8>)>, Vec<&'static str>),
    /// The head and a first chunk, then the connection breaks.
    HalfBody,
    Fail(TransportErrorKind, Mark),
    /// Never answers, while a second passes at every poll.
    Hang(Mark),
    /// Answers once the test has added a permit.
    Gate(Mark),
    /// A body that never ends.
    Flood,
}

/// What the transport says about bytes that left.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mark {
    Untracked,
    Waiting,
    Left,
}

fn answer(status: u16, body: &'static str) -> Step {
    Step::Answer(status, Vec::new(), vec![body])
}

fn answer_with(status: u16, name: &'static str, value: &str) -> Step {
    Step::Answer(status, vec![(name, value.as_bytes().to_vec())], vec!["{}"])
}

#[derive(Debug)]
struct Scripted {
    clock: ManualClock,
    script: Mutex<VecDeque<Step>>,
    /// Once the script is used up.
    always: Step,
    seen: Mutex<Vec<Request<Body>>>,
    gate: Semaphore,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    chunks_read: Arc<AtomicUsize>,
}

impl Scripted {
    fn next(&self) -> Step {
        self.script.lock().unwrap().pop_front().unwrap_or_else(|| self.always.clone())
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The header `name` of every request, in order.
    fn headers(&self, name: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|request| request.headers()[name].to_str().unwrap().to_owned()).collect()
    }

    async fn play(&self, step: Step, mark: &SendMark) -> Result<Response<BodyStream>, TransportError> {
        match step {
            Step::Answer(status, headers, chunks) => Ok(response(status, headers, chunks)),
            Step::HalfBody => Ok(broken_body()),
            Step::Fail(kind, how) => {
                note(mark, how);
                // Gives way, as a socket would, so that concurrent calls interleave.
                tokio::task::yield_now().await;
                Err(TransportError::new(kind, "scripted"))
            }
            Step::Hang(how) => {
                note(mark, how);
                tick_for_ever(&self.clock).await
            }
            Step::Gate(how) => {
                note(mark, how);
                self.gate.acquire().await.unwrap().forget();
                Ok(response(200, Vec::new(), vec!["{}"]))
            }
            Step::Flood => {
                let body: BodyStream = Box::pin(Flood(self.chunks_read.clone()));
                Ok(Response::new(body))
            }
        }
    }
}

fn note(mark: &SendMark, how: Mark) {
    if how != Mark::Untracked {
        mark.tracks();
    }
    if how == Mark::Left {
        mark.left();
    }
}

async fn tick_for_ever<T>(clock: &ManualClock) -> T {
    loop {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
}

fn response(
    status: u16,
    headers: Vec<(&'static str, Vec<u8>)>,
    chunks: Vec<&'static str>,
) -> Response<BodyStream> {
    let chunks = chunks.into_iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
    let body: BodyStream = Box::pin(Chunks(chunks));
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap()
}

fn broken_body() -> Response<BodyStream> {
    let chunks = [
        Ok(Bytes::from_static(b"{\"half\":")),
        Err(TransportError::new(TransportErrorKind::Interrupted, "cut")),
    ];
    let body: BodyStream = Box::pin(Chunks(chunks.into_iter().collect()));
    Response::new(body)
}

struct Chunks(VecDeque<Result<Bytes, TransportError>>);

impl Stream for Chunks {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front())
    }
}

struct Flood(Arc<AtomicUsize>);

impl Stream for Flood {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Bytes::from_static(&[b' '; 1024]))))
    }
}

/// Counts down even if the future that sends is dropped.
struct InFlight<'t>(&'t Scripted);

impl<'t> InFlight<'t> {
    fn enter(transport: &'t Scripted) -> Self {
        let now = transport.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        transport.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Self(transport)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<BodyStream>, TransportError>> {
        let mark = request.body().mark();
        self.seen.lock().unwrap().push(request);
        let step = self.next();
        Box::pin(async move {
            let _in_flight = InFlight::enter(self);
            self.play(step, &mark).await
        })
    }
}

// ----------------------------------------------------------------------------------------------------------- the bench

struct Bench {
    caller: Caller,
    transport: Arc<Scripted>,
    clock: ManualClock,
}

const TIMEOUTS: Timeouts = Timeouts::new(Duration::from_secs(5), Duration::from_secs(60));

impl Bench {
    /// Plays `script`, then its last step for ever.
    fn new(script: Vec<Step>) -> Self {
        Self::with(script, ManualClock::new(), |builder| builder)
    }

    fn with(
        script: Vec<Step>,
        clock: ManualClock,
        set_up: impl FnOnce(CallerBuilder) -> CallerBuilder,
    ) -> Self {
        let transport = Arc::new(Scripted {
            clock: clock.clone(),
            always: script.last().unwrap().clone(),
            script: Mutex::new(script.into()),
            seen: Mutex::default(),
            gate: Semaphore::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            chunks_read: Arc::default(),
        });
        let base = BaseUrl::parse("https://service.example.com/prefix/v2/").unwrap();
        let timeouts = TIMEOUTS.with_attempt(Duration::from_secs(10));
        let builder = Caller::builder(base)
            .transport(transport.clone())
            .clock(Arc::new(clock.clone()))
            .timeouts(timeouts);
        Self { caller: set_up(builder).build().unwrap(), transport, clock }
    }

    async fn call(&self, idempotency: Idempotency) -> Result<Answer, Error> {
        self.caller.call(&call(idempotency), judge).await.map(|answered| answered.answer)
    }

    async fn error(&self, idempotency: Idempotency) -> Error {
        self.call(idempotency).await.unwrap_err()
    }
}

fn call(idempotency: Idempotency) -> Call {
    Call::new(Operation::post("act", "/act", idempotency)).json(r#"{"amount":1.10}"#)
}

fn judge(answer: &Answer) -> Verdict<()> {
    let of_kind =
        |kind| Error::new(kind, "").with_message(message(answer)).with_hint("the service's own hint");
    match answer.status().as_u16() {
        _ if !answer.is_complete() => {
            Verdict::Doubt { error: of_kind(ErrorKind::TooLarge), transient: false }
        }
        200 => Verdict::Accept(()),
        401 => Verdict::Unauthorized(of_kind(ErrorKind::Authentication)),
        404 => Verdict::Refuse(of_kind(ErrorKind::Refused)),
        429 => Verdict::NotApplied(of_kind(ErrorKind::RateLimited)),
        503 => Verdict::Doubt { error: of_kind(ErrorKind::UnexpectedStatus), transient: true },
        _ => Verdict::Doubt { error: of_kind(ErrorKind::UnexpectedStatus), transient: false },
    }
}

/// Decoded, as a real judge would do it: escapes in the body are gone in it.
fn message(answer: &Answer) -> String {
    let decoded: Result<serde_json::Value, _> = serde_json::from_slice(answer.body());
    let text = decoded.ok().and_then(|value| Some(value.get("message")?.as_str()?.to_owned()));
    text.unwrap_or_default()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

// ---------------------------------------------------------------------------------------- how often, and what became of it

#[tokio::test]
async fn every_failure_is_repeated_as_often_as_its_operation_allows() {
    use Idempotency::{Keyed, Once, Safe};
    use Outcome::{NotSent, ReadOnly, Refused, Unknown};
    // What each of the three ends in: requests made, outcome.
    let unsent = [(3, NotSent), (3, NotSent), (3, NotSent)];
    let lost = [(3, ReadOnly), (3, Unknown), (1, Unknown)];
    let for_good = [(1, ReadOnly), (1, Unknown), (1, Unknown)];
    let table = [
        (Step::Fail(TransportErrorKind::Connect, Mark::Untracked), ErrorKind::Connect, unsent),
        (Step::Fail(TransportErrorKind::Connect, Mark::Waiting), ErrorKind::Connect, unsent),
        (Step::Fail(TransportErrorKind::Tls, Mark::Untracked), ErrorKind::Tls, [(1, NotSent); 3]),
        (Step::Fail(TransportErrorKind::Interrupted, Mark::Untracked), ErrorKind::Interrupted, lost),
        (Step::Fail(TransportErrorKind::Interrupted, Mark::Waiting), ErrorKind::Interrupted, unsent),
        (Step::Fail(TransportErrorKind::Interrupted, Mark::Left), ErrorKind::Interrupted, lost),
        (Step::Fail(TransportErrorKind::Timeout, Mark::Untracked), ErrorKind::Timeout, lost),
        (Step::Fail(TransportErrorKind::Timeout, Mark::Waiting), ErrorKind::Timeout, unsent),
        (Step::HalfBody, ErrorKind::Interrupted, lost),
        (Step::Hang(Mark::Untracked), ErrorKind::Timeout, lost),
        (Step::Hang(Mark::Waiting), ErrorKind::Timeout, unsent),
        (Step::Hang(Mark::Left), ErrorKind::Timeout, lost),
        (answer(503, "{}"), ErrorKind::UnexpectedStatus, lost),
        (answer(302, "{}"), ErrorKind::UnexpectedStatus, for_good),
        (answer(404, "{}"), ErrorKind::Refused, [(1, Refused); 3]),
        (answer(429, "{}"), ErrorKind::RateLimited, [(3, Refused); 3]),
        (answer(401, "{}"), ErrorKind::Authentication, [(1, Refused); 3]),
    ];
    for (step, kind, ends) in table {
        for (idempotency, (requests, outcome)) in [Safe, Keyed, Once].into_iter().zip(ends) {
            let bench = Bench::new(vec![step.clone()]);
            let error = bench.error(idempotency).await;
            let said = (bench.transport.count(), error.attempts() as usize, error.outcome(), error.kind());
            assert_eq!(said, (requests, requests, outcome, kind), "{step:?} {idempotency:?}: {error}");
            assert_eq!(error.operation(), "act");
            assert_eq!(error.is_safe_to_repeat(), outcome != Unknown || idempotency != Once);
        }
    }
}

#[tokio::test]
async fn every_passing_failure_is_recovered_from() {
    let passing = [
        Step::Fail(TransportErrorKind::Connect, Mark::Untracked),
        Step::Fail(TransportErrorKind::Interrupted, Mark::Left),
        Step::HalfBody,
        Step::Hang(Mark::Left),
        answer(503, "{}"),
        answer(429, "{}"),
    ];
    for step in passing {
        let bench = Bench::new(vec![step, answer(200, "{}")]);
        assert!(bench.call(Idempotency::Keyed).await.is_ok());
        assert_eq!(bench.transport.count(), 2);
    }
}

#[tokio::test]
async fn a_lost_attempt_is_not_taken_back_by_what_comes_later() {
    let lost = Step::Fail(TransportErrorKind::Interrupted, Mark::Left);
    let later = [
        (answer(404, "{}"), ErrorKind::Refused),
        (answer(429, "{}"), ErrorKind::RateLimited),
        (Step::Fail(TransportErrorKind::Connect, Mark::Untracked), ErrorKind::Connect),
        (Step::Fail(TransportErrorKind::Tls, Mark::Untracked), ErrorKind::Tls),
        (Step::Hang(Mark::Waiting), ErrorKind::Timeout),
        (answer(401, "{}"), ErrorKind::Authentication),
    ];
    for (step, kind) in later {
        let bench = Bench::new(vec![lost.clone(), step]);
        let error = bench.error(Idempotency::Keyed).await;
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Unknown), "{error}");
        assert!(error.hint().contains("an earlier attempt was lost"), "{error}");
        assert!(!error.is_refused() && !error.is_not_sent());
        // Keyed: nobody knows what became of it, but the identical call does no harm.
        assert!(error.is_safe_to_repeat());
    }
}

#[tokio::test]
async fn credentials_that_fail_after_a_lost_attempt_leave_it_unknown() {
    let credentials = Arc::new(Tokens { fail_from: 1, ..Tokens::default() });
    let bench = Bench::with(vec![Step::HalfBody], ManualClock::new(), |b| b.credentials(credentials.clone()));
    let error = bench.error(Idempotency::Keyed).await;
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Credentials, Outcome::Unknown));
    assert_eq!(bench.transport.count(), 1);
}

#[tokio::test]
async fn a_read_ends_in_what_its_last_attempt_met() {
    let bench = Bench::new(vec![Step::HalfBody, answer(404, "{}")]);
    let error = bench.error(Idempotency::Safe).await;
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Refused, Outcome::Refused));
    assert_eq!(error.hint(), "the service's own hint");
}

#[tokio::test]
async fn a_policy_of_never_makes_one_request() {
    for step in
        [Step::Fail(TransportErrorKind::Connect, Mark::Untracked), answer(429, "{}"), answer(503, "{}")]
    {
        let bench = Bench::with(vec![step], ManualClock::new(), |b| b.retry(RetryPolicy::never()));
        let error = bench.error(Idempotency::Safe).await;
        assert_eq!((bench.transport.count(), error.stopped_because()), (1, Some("no attempts left")));
    }
}

// ------------------------------------------------------------------------------------------------------------------ time

#[tokio::test]
async fn the_deadline_holds_across_attempts_and_pauses() {
    let endless = RetryPolicy::new().with_max_attempts(1000);
    for random in [0.0, 0.999] {
        let clock = ManualClock::new().with_random(random);
        let bench = Bench::with(vec![Step::Hang(Mark::Left)], clock, |b| b.retry(endless.clone()));
        let error = bench.error(Idempotency::Keyed).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown));
        let elapsed = bench.clock.elapsed();
        assert!(elapsed <= seconds(61), "{elapsed:?}");
        assert!(bench.transport.count() <= 6);
    }
}

#[tokio::test]
async fn no_pause_goes_beyond_the_deadline() {
    let bench = Bench::new(vec![answer_with(503, "retry-after", "30")]);
    let error = bench.error(Idempotency::Keyed).await;
    assert_eq!(bench.clock.slept(), [seconds(30)]);
    assert_eq!(error.stopped_because(), Some("the deadline comes before the next attempt"));
    assert_eq!((error.attempts(), error.retry_after()), (2, Some(seconds(30))));
}

#[tokio::test]
async fn retry_after_is_obeyed_in_every_form() {
    let milliseconds = |list: &[u64]| list.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
    let own = milliseconds(&[125, 250]);
    let table = [
        ("2", 0.0, milliseconds(&[2000, 2000])),
        ("2", 0.5, milliseconds(&[2125, 2250])),
        ("0", 0.0, milliseconds(&[0, 0])),
        // The manual wall clock starts at the epoch; after the first pause the date has come.
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0.0, milliseconds(&[5000, 0])),
        ("soon", 0.5, own.clone()),
        ("-5", 0.5, own.clone()),
        ("1.5", 0.5, own.clone()),
        ("\u{e9}", 0.5, own),
        ("99999", 0.0, Vec::new()),
        ("99999999999999999999999999", 0.0, Vec::new()),
    ];
    for (value, random, pauses) in table {
        let clock = ManualClock::new().with_random(random);
        let bench = Bench::with(vec![answer_with(429, "retry-after", value)], clock, |b| b);
        let error = bench.error(Idempotency::Once).await;
        assert_eq!(bench.clock.slept(), pauses, "{value}");
        assert_eq!(bench.transport.count(), pauses.len() + 1, "{value}");
        assert!(pauses.len() == 2 || error.retry_after() >= Some(seconds(99_999)), "{error}");
    }
}

#[tokio::test]
async fn a_wait_that_the_judge_read_wins_over_the_header() {
    for header in ["", "1"] {
        let bench = Bench::new(vec![answer_with(429, "retry-after", header)]);
        let judge = |_: &Answer| {
            Verdict::<()>::NotApplied(
                Error::new(ErrorKind::RateLimited, "").with_retry_after(Some(seconds(7))),
            )
        };
        let error = bench.caller.call(&call(Idempotency::Once), judge).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(seconds(7)));
        assert_eq!(bench.clock.slept(), [seconds(7), seconds(7)]);
    }
}

#[tokio::test]
async fn a_thousand_calls_against_a_dead_service_make_few_more_requests() {
    for step in [
        Step::Fail(TransportErrorKind::Connect, Mark::Untracked),
        Step::Fail(TransportErrorKind::Interrupted, Mark::Left),
    ] {
        let bench = Bench::new(vec![step]);
        let calls: Vec<_> = (0..1000)
            .map(|_| {
                let caller = bench.caller.clone();
                tokio::spawn(async move { caller.call(&call(Idempotency::Keyed), judge).await.unwrap_err() })
            })
            .collect();
        let mut starved = 0;
        for task in calls {
            let error = task.await.unwrap();
            starved +=
                usize::from(error.stopped_because().is_some_and(|because| because.contains("too many")));
        }
        let requests = bench.transport.count();
        assert!((1001..=1200).contains(&requests), "{requests}");
        assert!(bench.transport.most_in_flight.load(Ordering::SeqCst) > 500, "the calls did not overlap");
        assert!(starved > 800, "{starved}");
    }
}

// ----------------------------------------------------------------------------------------------------------- credentials

/// Numbered tokens: `token-<renewals>-<how often asked>`.
#[derive(Debug)]
struct Tokens {
    asked: AtomicUsize,
    renewals: AtomicUsize,
    renewable: bool,
    fail_from: usize,
    rejected: Mutex<Vec<String>>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            asked: AtomicUsize::new(0),
            renewals: AtomicUsize::new(0),
            renewable: true,
            fail_from: usize::MAX,
            rejected: Mutex::default(),
        }
    }
}

impl Credentials for Tokens {
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>> {
        Box::pin(async move {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            if asked >= self.fail_from {
                return Err(Error::new(ErrorKind::Credentials, "log in").with_outcome(Outcome::Unknown));
            }
            let renewals = self.renewals.load(Ordering::SeqCst);
            Authorization::bearer(Secret::new(format!("token-{renewals}-{asked}")))
        })
    }

    fn renew(&self, rejected: &Authorization) -> BoxFuture<'_, bool> {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        self.rejected.lock().unwrap().push(rejected.secret().reveal().to_owned());
        Box::pin(std::future::ready(self.renewable))
    }
}

fn with_tokens(script: Vec<Step>, tokens: Tokens) -> (Bench, Arc<Tokens>) {
    let tokens = Arc::new(tokens);
    let given = tokens.clone();
    (Bench::with(script, ManualClock::new(), |builder| builder.credentials(given)), tokens)
}

#[tokio::test]
async fn a_refused_credential_is_renewed_once_and_the_call_repeated_with_the_new_one() {
    for idempotency in [Idempotency::Safe, Idempotency::Keyed, Idempotency::Once] {
        let (bench, tokens) = with_tokens(vec![answer(401, "{}"), answer(200, "{}")], Tokens::default());
        bench.call(idempotency).await.unwrap();
        assert_eq!(bench.transport.headers("authorization"), ["Bearer token-0-0", "Bearer token-1-1"]);
        assert_eq!(*tokens.rejected.lock().unwrap(), ["token-0-0"]);
        assert!(bench.clock.slept().is_empty());
    }
}

#[tokio::test]
async fn a_second_refusal_of_the_credentials_is_final() {
    let (bench, tokens) = with_tokens(vec![answer_with(401, "retry-after", "9")], Tokens::default());
    let error = bench.error(Idempotency::Once).await;
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Authentication, Outcome::Refused));
    assert_eq!((bench.transport.count(), error.attempts()), (2, 2));
    assert_eq!((tokens.renewals.load(Ordering::SeqCst), error.retry_after()), (1, Some(seconds(9))));
}

#[tokio::test]
async fn credentials_that_cannot_be_renewed_are_not_repeated() {
    let (bench, _) = with_tokens(vec![answer(401, "{}")], Tokens { renewable: false, ..Tokens::default() });
    assert_eq!(bench.error(Idempotency::Safe).await.kind(), ErrorKind::Authentication);
    assert_eq!(bench.transport.count(), 1);

    let fixed = Arc::new(Bearer::new("fixed-token"));
    let bench = Bench::with(vec![answer(401, "{}")], ManualClock::new(), |b| b.credentials(fixed));
    assert_eq!(bench.error(Idempotency::Safe).await.kind(), ErrorKind::Authentication);
    assert_eq!(bench.transport.count(), 1);
}

#[tokio::test]
async fn only_one_renewal_per_call_even_with_other_failures_between() {
    let script = vec![answer(401, "{}"), answer(503, "{}"), answer(401, "{}")];
    let (bench, tokens) = with_tokens(script, Tokens::default());
    let error = bench.error(Idempotency::Keyed).await;
    assert_eq!((bench.transport.count(), tokens.renewals.load(Ordering::SeqCst)), (3, 1));
    assert_eq!(error.outcome(), Outcome::Unknown, "the 503 between may have acted");
}

#[tokio::test]
async fn a_given_authorization_is_used_and_never_sent_again_after_its_refusal() {
    let (bench, tokens) = with_tokens(vec![answer(401, "{}")], Tokens::default());
    let given = Authorization::bearer(Secret::new("given-token")).unwrap();
    let call = call(Idempotency::Once).authorized(given);
    let error = bench.caller.call(&call, judge).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(bench.transport.headers("authorization"), ["Bearer given-token"]);
    assert_eq!(*tokens.rejected.lock().unwrap(), ["given-token"], "the credentials were not told");
    assert_eq!(tokens.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nothing_is_sent_without_credentials() {
    let (bench, tokens) = with_tokens(vec![answer(200, "{}")], Tokens { fail_from: 0, ..Tokens::default() });
    for idempotency in [Idempotency::Safe, Idempotency::Keyed, Idempotency::Once] {
        let error = bench.error(idempotency).await;
        assert_eq!(
            (error.kind(), error.outcome(), error.attempts()),
            (ErrorKind::Credentials, Outcome::NotSent, 0)
        );
        assert_eq!(error.operation(), "act");
    }
    assert!(bench.caller.authorize(&*tokens).await.unwrap_err().is_not_sent());
    assert_eq!(bench.transport.count(), 0);
}

/// Credentials that take time: `answers` after the deadline, or never.
#[derive(Debug)]
struct Slow(ManualClock, bool);

impl Credentials for Slow {
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>> {
        Box::pin(async move {
            if !self.1 {
                return tick_for_ever(&self.0).await;
            }
            self.0.advance(seconds(60));
            Authorization::bearer(Secret::new("late-token"))
        })
    }
}

#[tokio::test]
async fn credentials_that_come_too_late_send_nothing() {
    for (answers, kind) in [(false, ErrorKind::Credentials), (true, ErrorKind::Timeout)] {
        let clock = ManualClock::new();
        let slow = Arc::new(Slow(clock.clone(), answers));
        let bench = Bench::with(vec![answer(200, "{}")], clock, |builder| builder.credentials(slow));
        let error = bench.error(Idempotency::Once).await;
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotSent), "{error}");
        assert_eq!(bench.transport.count(), 0);
    }
}

// -------------------------------------------------------------------------------------------------- what travels, and back

#[tokio::test]
async fn every_attempt_carries_the_same_bytes_and_a_fresh_authorization() {
    let (bench, _) = with_tokens(vec![answer(503, "{}")], Tokens::default());
    bench.error(Idempotency::Keyed).await;
    let tokens = bench.transport.headers("authorization");
    assert_eq!(tokens, ["Bearer token-0-0", "Bearer token-0-1", "Bearer token-0-2"]);
    for request in bench.transport.seen.lock().unwrap().iter() {
        assert_eq!(request.uri(), "https://service.example.com/prefix/v2/act");
        assert_eq!(request.method(), "POST");
        assert_eq!(request.body().as_bytes().unwrap(), r#"{"amount":1.10}"#);
        assert_eq!(request.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(request.headers()[header::ACCEPT], "application/json");
        assert!(request.headers()[header::USER_AGENT].to_str().unwrap().starts_with("integration-sdk/"));
        assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
    }
}

#[tokio::test]
async fn a_user_agent_that_is_no_header_is_an_error_of_the_settings() {
    let base = BaseUrl::parse("https://service.example.com").unwrap();
    let error = Caller::builder(base).user_agent("two\nlines").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

const SENTINEL: &str = "sentinel/abc+def==";

/// Everything that a program can print of an error.
fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {} {:?} ", error.report(), error.service_code());
    if let Some(answer) = error.answer() {
        write!(text, "{answer:?} {} {:?}", answer.text(), answer.headers()).unwrap();
    }
    text
}

#[tokio::test]
async fn a_secret_that_the_service_repeats_is_masked() {
    let bodies = [
        r#"{"message":"bad token sentinel/abc+def=="}"#,
        r#"{"message":"bad token sentinel\/abc+def=="}"#,
        r#"{"message":"bad token sentinel/abc\u002Bdef=="}"#,
        r#"{"message":"bad token sentinel/abc+def=="} and then no JSON"#,
        "sentinel%2Fabc%2Bdef%3D%3D",
    ];
    let echo = format!("Bearer {SENTINEL}").into_bytes();
    let beside_other_bytes = [b"\xe9 ".as_slice(), SENTINEL.as_bytes()].concat();
    let headers = vec![("x-request-id", echo), ("www-authenticate", beside_other_bytes)];
    for body in bodies {
        for status in [401, 404, 429, 503] {
            let script = vec![Step::Answer(status, headers.clone(), vec![body])];
            let credentials = Arc::new(Bearer::new(SENTINEL));
            let bench = Bench::with(script, ManualClock::new(), |builder| builder.credentials(credentials));
            let shown = printed(&bench.error(Idempotency::Once).await);
            assert!(!shown.contains("sentinel"), "{status} {body}: {shown}");
            assert!(shown.contains("[redacted]"));
        }
    }
}

#[tokio::test]
async fn a_secret_that_only_decoding_brings_to_light_is_masked_in_the_message() {
    // The first letter escaped by number: nobody finds the secret in the raw body.
    let body = r#"{"message":"bad token \u0073entinel/abc+def=="}"#;
    let credentials = Arc::new(Bearer::new(SENTINEL));
    let script = vec![answer(404, body)];
    let bench = Bench::with(script, ManualClock::new(), |builder| builder.credentials(credentials));
    let error = bench.error(Idempotency::Once).await;
    assert_eq!(error.message(), Some("bad token [redacted]"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_cut_and_marked() {
    let table = [
        (vec!["1234", "5678"], "12345678", true),
        (vec!["12345678", ""], "12345678", true),
        (vec!["1234", "56789"], "12345678", false),
        (vec!["12345678", "9"], "12345678", false),
        (vec!["1234567890123"], "12345678", false),
        (vec![], "", true),
    ];
    for (chunks, body, complete) in table {
        let script = vec![Step::Answer(200, Vec::new(), chunks)];
        let bench = Bench::with(script, ManualClock::new(), |builder| builder.body_limit(8));
        let judge = |answer: &Answer| {
            assert_eq!((&*answer.text(), answer.is_complete()), (body, complete));
            Verdict::Accept(())
        };
        let result = bench.caller.call(&call(Idempotency::Once), judge).await;
        match result {
            Ok(_) => assert!(complete),
            // A judge that accepts half an answer is not believed.
            Err(error) => {
                let said = (complete, error.kind(), error.outcome());
                assert_eq!(said, (false, ErrorKind::TooLarge, Outcome::Unknown));
            }
        }
    }
}

#[tokio::test]
async fn an_endless_body_is_read_no_further_than_the_limit() {
    let bench = Bench::with(vec![Step::Flood], ManualClock::new(), |builder| builder.body_limit(10 * 1024));
    let error = bench.error(Idempotency::Once).await;
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Outcome::Unknown));
    assert_eq!(error.answer().unwrap().body().len(), 10 * 1024);
    assert_eq!(bench.transport.chunks_read.load(Ordering::SeqCst), 11);
}

// ------------------------------------------------------------------------------------------------------ lanes and dropping

fn one_at_a_time() -> Lane {
    Lane::new(1)
}

async fn let_others_run() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn spawn(bench: &Bench, call: Call) -> tokio::task::JoinHandle<Result<Answer, Error>> {
    let caller = bench.caller.clone();
    tokio::spawn(async move { caller.call(&call, judge).await.map(|answered| answered.answer) })
}

#[tokio::test]
async fn a_lane_lets_one_call_through_at_a_time() {
    let bench = Bench::new(vec![Step::Gate(Mark::Left)]);
    let lane = one_at_a_time();
    let calls: Vec<_> = (0..10).map(|_| spawn(&bench, call(Idempotency::Once).in_lane(&lane))).collect();
    let_others_run().await;
    assert_eq!(bench.transport.count(), 1);
    bench.transport.gate.add_permits(10);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(bench.transport.most_in_flight.load(Ordering::SeqCst), 1);
    assert_eq!((bench.transport.count(), lane.free()), (10, 1));
}

#[tokio::test]
async fn a_lane_is_held_through_the_retries_of_a_call() {
    let bench = Bench::new(vec![answer(429, "{}"), Step::Gate(Mark::Left), answer(200, "{}")]);
    let lane = one_at_a_time();
    let first = spawn(&bench, call(Idempotency::Once).in_lane(&lane));
    let second = spawn(&bench, call(Idempotency::Once).in_lane(&lane));
    let_others_run().await;
    assert_eq!(bench.transport.count(), 2, "both requests are the first call's");
    bench.transport.gate.add_permits(1);
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_call_whose_turn_does_not_come_in_time_was_not_sent() {
    // With and without the lane becoming free in the very instant of the deadline.
    for frees_at_the_deadline in [false, true] {
        let bench = Bench::new(vec![answer(200, "{}")]);
        let lane = one_at_a_time();
        let held = lane.enter().await;
        let waiting = spawn(&bench, call(Idempotency::Once).in_lane(&lane));
        let_others_run().await;
        bench.clock.advance(seconds(60));
        let held = (!frees_at_the_deadline).then_some(held);
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent));
        assert_eq!((bench.transport.count(), error.attempts()), (0, 0));
        drop(held);
        assert_eq!(lane.free(), 1);
    }
}

#[tokio::test]
async fn silence_is_met_with_another_try_only_where_the_policy_says_so() {
    let attempt = Duration::from_secs(5);
    for (repeats, attempts) in [(true, 3), (false, 1)] {
        let policy = RetryPolicy::new().with_repeat_after_timeout(repeats);
        let limits = Timeouts::new(attempt, attempt * 10).with_attempt(attempt);
        let script = vec![Step::Hang(Mark::Left); 3];
        let bench = Bench::with(script, ManualClock::new(), |builder| builder.retry(policy).timeouts(limits));
        let error = bench.call(Idempotency::Safe).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::ReadOnly));
        assert_eq!((error.attempts(), bench.transport.count()), (attempts, attempts as usize));
        // What never left is another matter.
        let script = vec![Step::Fail(TransportErrorKind::Connect, Mark::Waiting); 3];
        let policy = RetryPolicy::new().with_repeat_after_timeout(repeats);
        let bench = Bench::with(script, ManualClock::new(), |builder| builder.retry(policy));
        assert_eq!(bench.call(Idempotency::Once).await.unwrap_err().attempts(), 3);
    }
}

/// Counts the warnings of one thread.
struct Warnings(Arc<AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// How many warnings a call leaves that is dropped once it waits; its lane must be free again.
async fn warnings_of_a_drop(bench: &Bench, idempotency: Idempotency) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    // With a single subscriber, a callsite that another thread meets first asks that thread's default, which is none, and stays
    // silent for good; with two, every subscriber is asked.
    let _second = tracing::Dispatch::new(Warnings(count.clone()));
    let _guard = tracing::subscriber::set_default(Warnings(count.clone()));
    let lane = one_at_a_time();
    let task = spawn(bench, call(idempotency).in_lane(&lane));
    let_others_run().await;
    assert_eq!(lane.free(), 0, "the call is under way");
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(lane.free(), 1);
    assert_eq!(bench.transport.in_flight.load(Ordering::SeqCst), 0);
    count.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_call_dropped_under_way_frees_its_lane_and_leaves_a_trace() {
    use Idempotency::{Keyed, Once, Safe};
    let table = [
        (Safe, Mark::Left, 0),
        (Keyed, Mark::Left, 1),
        (Once, Mark::Left, 1),
        (Once, Mark::Untracked, 1),
        (Once, Mark::Waiting, 0),
    ];
    for (idempotency, mark, warnings) in table {
        let bench = Bench::new(vec![Step::Gate(mark)]);
        assert_eq!(warnings_of_a_drop(&bench, idempotency).await, warnings, "{idempotency:?} {mark:?}");
    }
}

/// A clock whose pauses do not end.
#[derive(Debug)]
struct Asleep(ManualClock);

impl Clock for Asleep {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> jiff::Timestamp {
        self.0.wall()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn timer(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.timer(duration)
    }

    fn random(&self) -> f64 {
        0.0
    }
}

#[tokio::test]
async fn a_call_dropped_in_the_pause_after_a_lost_attempt_leaves_a_trace() {
    let lost = Step::Fail(TransportErrorKind::Interrupted, Mark::Left);
    let table = [
        (lost.clone(), Idempotency::Keyed, 1),
        (lost, Idempotency::Safe, 0),
        (answer(429, "{}"), Idempotency::Once, 0),
    ];
    for (step, idempotency, warnings) in table {
        let asleep = Arc::new(Asleep(ManualClock::new()));
        let bench = Bench::with(vec![step], ManualClock::new(), |builder| builder.clock(asleep));
        assert_eq!(warnings_of_a_drop(&bench, idempotency).await, warnings);
        assert_eq!(bench.transport.count(), 1);
    }
}

#[tokio::test]
async fn a_call_that_ends_leaves_no_trace_of_a_drop() {
    let count = Arc::new(AtomicUsize::new(0));
    // With a single subscriber, a callsite that another thread meets first asks that thread's default, which is none, and stays
    // silent for good; with two, every subscriber is asked.
    let _second = tracing::Dispatch::new(Warnings(count.clone()));
    let _guard = tracing::subscriber::set_default(Warnings(count.clone()));
    for step in
        [answer(200, "{}"), answer(503, "{}"), Step::Fail(TransportErrorKind::Interrupted, Mark::Left)]
    {
        let _ = Bench::new(vec![step]).call(Idempotency::Keyed).await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
