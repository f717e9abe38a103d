//! Answers that are streamed, bodies that are streamed, and limits of single calls.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use integration_core::body::stream::Elements;
use integration_core::call::{
    Answer, Bearer, Body, Call, Caller, Idempotency, Lane, Operation, RetryPolicy, Timeouts, Verdict,
};
use integration_core::clock::{Clock, ManualClock};
use integration_core::{Error, ErrorKind, Outcome, Secret};
use support::{Fake, Pieces, broken, builder, printed, response, streamed};
use tokio::io::AsyncWrite;

const FILE: Operation = Operation::get("fetch a file", "/files/{id}");
const UPLOAD: Operation = Operation::post("upload", "/files", Idempotency::Once);

fn file() -> Call {
    Call::new(FILE).param("id", 7)
}

fn piece(text: &'static str) -> Result<Bytes, integration_core::call::TransportError> {
    Ok(Bytes::from_static(text.as_bytes()))
}

/// A file is a PDF; a 200 with JSON is this service's way to refuse.
fn pdf(answer: &Answer) -> Verdict<&'static str> {
    match answer.content_type() {
        Some("application/pdf") if answer.status().is_success() => Verdict::Accept("pdf"),
        Some("application/json") if answer.status().is_success() => {
            Verdict::Refuse(Error::new(ErrorKind::Refused, "").with_message(answer.text()))
        }
        _ => Verdict::by_status(answer, |error| error.with_message(answer.text())),
    }
}

const PDF: &[(&str, &str)] = &[("content-type", "application/pdf")];

fn caller_of(body: impl Fn() -> Pieces + Send + Sync + 'static, clock: &ManualClock) -> Caller {
    let fake = Fake::new(move |_, _| Ok(streamed(200, PDF, body())));
    builder(&fake).clock(Arc::new(clock.clone())).build().unwrap()
}

async fn failed(caller: &Caller, call: &Call, limit: u64) -> (Error, String) {
    let mut written = Vec::new();
    let error = caller.download(call, limit, pdf, &mut written).await.unwrap_err();
    (error, String::from_utf8(written).unwrap())
}

#[tokio::test]
async fn a_file_is_written_as_it_arrives_with_its_length_and_head() {
    let clock = ManualClock::new();
    let caller = caller_of(|| Pieces::of([piece("%PDF"), piece(""), piece("-1.7")]), &clock);
    let mut written = Vec::new();
    let done = caller.download(&file(), 8, pdf, &mut written).await.unwrap();
    assert_eq!((done.length, done.value, written.as_slice()), (8, "pdf", b"%PDF-1.7".as_slice()));
    assert_eq!(done.head.content_type(), Some("application/pdf"));
    assert!(done.head.is_head());
}

#[tokio::test]
async fn not_a_byte_of_a_refused_answer_is_written() {
    let table: [(u16, &str, &str, ErrorKind, Outcome); 4] = [
        (200, "application/json", r#"{"code":"NOT_OWNER"}"#, ErrorKind::Refused, Outcome::Refused),
        (200, "text/html", "<html>log in</html>", ErrorKind::UnexpectedAnswer, Outcome::ReadOnly),
        (404, "application/pdf", "%PDF-no", ErrorKind::NotFound, Outcome::Refused),
        (302, "application/pdf", "%PDF-no", ErrorKind::UnexpectedStatus, Outcome::ReadOnly),
    ];
    for (status, kind, body, expected, outcome) in table {
        let fake = Fake::new(move |_, _| Ok(response(status, &[("content-type", kind)], body)));
        let caller = builder(&fake).build().unwrap();
        let (error, written) = failed(&caller, &file(), 100).await;
        assert_eq!((error.kind(), error.outcome(), written.as_str()), (expected, outcome, ""), "{error}");
        assert_eq!(error.message(), Some(body), "the refusal is read and judged whole");
        assert_eq!(error.answer().unwrap().text(), body);
    }
}

#[tokio::test]
async fn a_judge_that_takes_a_refusal_for_a_file_is_not_believed() {
    let fake = Fake::new(|_, _| Ok(response(404, &[], "no")));
    let caller = builder(&fake).build().unwrap();
    let mut written = Vec::new();
    let judge = |_: &Answer| Verdict::Accept(());
    let error = caller.download(&file(), 100, judge, &mut written).await.unwrap_err();
    assert_eq!((error.kind(), written.len()), (ErrorKind::UnexpectedAnswer, 0));
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_an_error_at_once_if_it_is_announced() {
    let clock = ManualClock::new();
    let caller = caller_of(|| Pieces::of([piece("%PDF"), piece("-1.7")]), &clock);
    let (error, written) = failed(&caller, &file(), 7).await;
    assert_eq!((error.kind(), written.as_str()), (ErrorKind::TooLarge, "%PDF"));

    let fake = Fake::new(|_, _| {
        let headers = [("content-type", "application/pdf"), ("content-length", "8")];
        Ok(streamed(200, &headers, Pieces::of([piece("%PDF"), piece("-1.7")])))
    });
    let (error, written) = failed(&builder(&fake).build().unwrap(), &file(), 7).await;
    assert_eq!((error.kind(), written.as_str()), (ErrorKind::TooLarge, ""));
}

#[tokio::test]
async fn a_stalled_server_is_noticed_and_a_dripping_one_ends_at_the_deadline() {
    let clock = ManualClock::new();
    let (stalled, dripping) = (clock.clone(), clock.clone());
    let caller = caller_of(move || Pieces::of([piece("%PDF")]).then_silence(&stalled), &clock);
    let (error, written) = failed(&caller, &file().idle_timeout(Duration::from_secs(5)), 100).await;
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::ReadOnly));
    assert_eq!((error.message(), written.as_str()), (Some("nothing came for 5 s"), "%PDF"));
    assert!(clock.elapsed() <= Duration::from_secs(7), "{:?}", clock.elapsed());

    let every = Duration::from_secs(4);
    let drops = || (0..1000).map(|_| piece("x"));
    let caller = caller_of(move || Pieces::of(drops()).dripping(&dripping, every), &clock);
    let call = file().idle_timeout(Duration::from_secs(5)).total_timeout(Duration::from_secs(40));
    let (error, written) = failed(&caller, &call, 10_000).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.message().unwrap().contains("the time of the call was over"), "{error}");
    assert!((8..=10).contains(&written.len()), "{}", written.len());
}

/// The time of a call is the server's: whoever takes two minutes for a row loses nothing by it, and gains nothing either.
#[tokio::test]
async fn what_a_reader_takes_for_itself_does_not_count() {
    let clock = ManualClock::new();
    let dripping = clock.clone();
    let drops = || (0..1000).map(|_| piece("x"));
    let caller = caller_of(move || Pieces::of(drops()).dripping(&dripping, Duration::from_secs(4)), &clock);
    let call = file().idle_timeout(Duration::from_secs(5)).total_timeout(Duration::from_secs(40));
    let mut body = caller.open(&call, 10_000, pdf).await.unwrap().into_parts().2;
    let mut pieces = 0;
    let error = loop {
        clock.advance(Duration::from_secs(120));
        match body.chunk().await {
            Ok(piece) => pieces += piece.map_or(0, |_| 1),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!((8..=10).contains(&pieces), "{pieces}");
}

#[tokio::test]
async fn a_file_that_breaks_off_is_never_taken_for_whole() {
    let clock = ManualClock::new();
    let caller = caller_of(|| Pieces::of([piece("%PDF"), Err(broken())]), &clock);
    let (error, written) = failed(&caller, &file(), 100).await;
    assert_eq!((error.kind(), written.as_str()), (ErrorKind::Interrupted, "%PDF"));
    assert_eq!((error.operation(), error.outcome()), ("fetch a file", Outcome::ReadOnly));

    let mut opened = caller.open(&file(), 100, pdf).await.unwrap().into_parts().2;
    assert_eq!(opened.chunk().await.unwrap().unwrap(), "%PDF");
    assert!(opened.chunk().await.is_err());
    assert!(opened.chunk().await.unwrap().is_none(), "and nothing after the error");
}

/// A disk that is full.
struct Full;

impl AsyncWrite for Full {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::Error::new(io::ErrorKind::StorageFull, "no space left")))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_writer_that_fails_is_told_apart_from_the_service() {
    let clock = ManualClock::new();
    let caller = caller_of(|| Pieces::of([piece("%PDF")]), &clock);
    let error = caller.download(&file(), 100, pdf, &mut Full).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Store, Outcome::ReadOnly));
    assert!(error.find_source::<io::Error>().is_some());
}

#[tokio::test]
async fn heads_are_retried_and_renewed_for_and_bodies_are_not() {
    let fake = Fake::new(|number, _| match number {
        0 => Ok(response(503, &[], "{}")),
        1 => Err(broken()),
        _ => Ok(streamed(200, PDF, Pieces::of([piece("%PDF"), Err(broken())]))),
    });
    let (error, written) = failed(&builder(&fake).build().unwrap(), &file(), 100).await;
    assert_eq!((fake.count(), error.kind(), written.as_str()), (3, ErrorKind::Interrupted, "%PDF"));
}

#[tokio::test]
async fn a_streamed_answer_gives_its_place_back_when_it_has_ended() {
    let lane = Lane::new(1);
    for (body, limit) in [("whole", 100), ("too long", 3)] {
        let fake = Fake::new(move |_, _| Ok(response(200, PDF, body)));
        let caller = builder(&fake).build().unwrap();
        let opened = caller.open(&file().in_lane(&lane), limit, pdf).await.unwrap();
        let (_, _, mut kept) = opened.into_parts();
        assert_eq!(lane.free(), 0);
        while let Ok(Some(_)) = kept.chunk().await {}
        assert_eq!(lane.free(), 1, "{body}");
        assert_eq!(kept.chunk().await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_a_client_finds_in_a_body_is_told_without_secrets() {
    let fake = Fake::new(|_, _| Ok(response(200, PDF, "no such token: sentinel-value")));
    let caller = builder(&fake).credentials(Arc::new(Bearer::new("sentinel-value"))).build().unwrap();
    let (_, _, mut body) = caller.open(&file(), 100, pdf).await.unwrap().into_parts();
    let said = String::from_utf8(body.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    let answer = Answer::new(http::StatusCode::OK, http::HeaderMap::new(), said.clone());
    let error = Error::new(ErrorKind::Refused, "fetch a file").with_message(said).with_answer(answer);
    let error = body.without_secrets(error);
    assert_eq!(error.message(), Some("no such token: [redacted]"));
    assert!(!printed(&error).contains("sentinel"));
}

#[tokio::test]
async fn a_streamed_answer_keeps_its_place_in_the_lane_until_it_is_dropped() {
    let clock = ManualClock::new();
    let caller = caller_of(|| Pieces::of([piece("%PDF")]), &clock);
    let lane = Lane::new(1);
    let opened = caller.open(&file().in_lane(&lane), 100, pdf).await.unwrap();
    assert_eq!(lane.free(), 0);
    drop(opened);
    assert_eq!(lane.free(), 1);
}

#[tokio::test]
async fn a_long_list_is_decoded_as_it_arrives() {
    let clock = ManualClock::new();
    let caller = caller_of(|| Pieces::of([piece(r#"{"data":[1,2"#), piece("3,4"), Err(broken())]), &clock);
    let body = caller.open(&file(), 100, pdf).await.unwrap().into_parts().2;
    let mut numbers = Elements::<u32>::new(body, "data").of_operation("list", Outcome::ReadOnly);
    for expected in [1, 23] {
        assert_eq!(numbers.next().await.unwrap().unwrap(), expected);
    }
    // The 4 might have become 45: only what is certain to be whole was given out.
    assert_eq!(numbers.next().await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(numbers.next().await.is_none());
}

#[tokio::test]
async fn errors_of_a_streamed_body_show_no_secret() {
    let fake = Fake::new(|_, _| {
        let cause = io::Error::other("at https://h/?token=s3ntinel-token");
        Ok(streamed(200, PDF, Pieces::of([Err(broken().with_source(cause))])))
    });
    let caller = builder(&fake).credentials(Arc::new(Bearer::new("s3ntinel-token"))).build().unwrap();
    let (error, _) = failed(&caller, &file(), 100).await;
    assert!(!printed(&error).contains("s3ntinel"), "{error:?}");
}

// ------------------------------------------------------------------------------------------------------- streamed requests

fn upload(open: impl Fn(usize) -> io::Result<Pieces> + Send + Sync + 'static) -> (Call, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let (count, open) = (opened.clone(), Arc::new(open));
    let body = Body::stream(Some(4), move || {
        let pieces = open(count.fetch_add(1, Ordering::SeqCst));
        async move { pieces }
    });
    (Call::new(UPLOAD).body("application/json", body), opened)
}

#[tokio::test]
async fn a_body_is_opened_once_for_every_attempt() {
    let fake = Fake::new(|number, _| {
        Ok(if number == 0 { response(429, &[], "{}") } else { response(200, &[], "{}") })
    });
    let (call, opened) = upload(|_| Ok(Pieces::of([piece("1234")])));
    builder(&fake).build().unwrap().call(&call, Verdict::success).await.unwrap();
    assert_eq!((fake.count(), opened.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn a_body_that_cannot_be_opened_is_not_sent_with_its_cause_and_not_tried_again() {
    // The transport of this test tracks nothing: the proof is that opening comes first.
    let fake = Fake::always(200, "{}");
    let (call, opened) = upload(|_| Err(io::Error::new(io::ErrorKind::NotFound, "no such file")));
    let error = builder(&fake).build().unwrap().call(&call, Verdict::success).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Store, Outcome::NotSent));
    assert_eq!(error.find_source::<io::Error>().unwrap().kind(), io::ErrorKind::NotFound);
    assert_eq!(opened.load(Ordering::SeqCst), 1);
}

// ------------------------------------------------------------------------------------------------------- limits of one call

#[tokio::test]
async fn a_call_may_set_its_own_limits() {
    let fake = Fake::always(503, "12345678");
    let caller = builder(&fake).build().unwrap();
    let judge = |answer: &Answer| -> Verdict<()> {
        let complete = answer.is_complete();
        Verdict::by_status(answer, |error| error.with_message(if complete { "whole" } else { "cut" }))
    };
    let error = |call: Call| {
        let caller = caller.clone();
        async move { caller.call(&call, judge).await.unwrap_err() }
    };
    assert_eq!(error(file()).await.attempts(), 3);
    let patient = RetryPolicy::new().with_max_attempts(5);
    assert_eq!(error(file().retry(patient)).await.attempts(), 5);
    assert_eq!(error(file().retry(RetryPolicy::never())).await.attempts(), 1);
    assert_eq!(error(file()).await.message(), Some("whole"));
    assert_eq!(error(file().body_limit(7)).await.message(), Some("cut"));
}

#[tokio::test]
async fn a_call_may_set_its_own_times() {
    let clock = ManualClock::new();
    let ticking = clock.clone();
    let fake = Fake::new(move |_, _| Ok(streamed(200, &[], Pieces::of([piece("{")]).then_silence(&ticking))));
    let caller = builder(&fake).clock(Arc::new(clock.clone())).retry(RetryPolicy::never()).build().unwrap();
    let timeouts = |total| Timeouts::new(Duration::from_secs(1), Duration::from_secs(total));
    for (call, seconds) in [
        (file(), 60),
        (file().total_timeout(Duration::from_secs(300)), 300),
        (file().timeouts(timeouts(7)), 7),
        (file().timeouts(timeouts(90).with_attempt(Duration::from_secs(20))), 20),
        (
            file()
                .timeouts(timeouts(90).with_attempt(Duration::from_secs(20)))
                .total_timeout(Duration::from_secs(9)),
            9,
        ),
    ] {
        let before = clock.elapsed();
        let error = caller.call(&call, Verdict::success).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        let took = (clock.elapsed() - before).as_secs();
        assert!((seconds..=seconds + 2).contains(&took), "{seconds} {took}");
    }
}

#[tokio::test]
async fn headers_of_the_call_win_over_the_usual_ones() {
    let fake = Fake::always(200, "{}");
    let caller = builder(&fake).build().unwrap();
    let key = http::HeaderName::from_static("idempotency-key");
    let call = file().header(http::header::ACCEPT, "application/pdf").header(key, "k-1");
    caller.call(&call.with_secret(Secret::new("unused")), Verdict::success).await.unwrap();
    assert_eq!(fake.headers("accept"), ["application/pdf"]);
    assert_eq!(fake.headers("idempotency-key"), ["k-1"]);
}
