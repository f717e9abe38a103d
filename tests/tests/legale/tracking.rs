//! Polling and callbacks of one document as one stream (contract 4.7, 4.11).

use legale::flow::Flow;
use legale::status::Status;
use legale::tracking::{EventKind, Observation, Source, Tracker, poll};
use legale::webhook::{Refetch, Seen};
use legale::{Clock, DocumentId, ManualClock, Timestamp};

use super::{ANA, BEA, Bench, sending, two, upload};

fn kinds(tracker: &Tracker, guid: &DocumentId) -> Vec<EventKind> {
    tracker.timeline(guid).into_iter().map(|event| event.kind).collect()
}

fn now() -> Timestamp {
    ManualClock::new().wall()
}

#[tokio::test]
async fn what_polling_and_callbacks_both_tell_is_told_once() {
    let bench = Bench::new().await;
    let client = bench.builder().page_size(2).build().unwrap();
    let tracker = Tracker::new();
    let guid = client.send(&sending()).await.unwrap().guid;
    for _ in 0..4 {
        client.create(&upload()).await.unwrap();
    }
    tracker.observe(&guid, now(), Source::Caller, Observation::Created);
    let started = Observation::started(two(Flow::sequential()).order().clone(), None, [ANA, BEA]);
    tracker.observe(&guid, now(), Source::Caller, started);
    for _ in 0..2 {
        let report = poll(&tracker, &client, now()).await.unwrap();
        assert!(report.failed.is_empty());
    }
    bench.legale().sign(guid.as_str(), 1).unwrap();
    bench.legale().sign(guid.as_str(), 2).unwrap();
    let seen = || async { Observation::Seen(client.look(&guid).await.unwrap()) };
    tracker.observe(&guid, now(), Source::Callback, seen().await);
    poll(&tracker, &client, now()).await.unwrap();
    tracker.observe(&guid, now(), Source::Callback, seen().await);
    tracker.observe(&guid, now(), Source::Callback, Observation::Launched);
    poll(&tracker, &client, now()).await.unwrap();
    let signed = kinds(&tracker, &guid).into_iter().filter(|kind| *kind == EventKind::Signed).count();
    let ended = kinds(&tracker, &guid).contains(&EventKind::Reopened);
    assert_eq!((signed, ended), (1, false), "{:?}", kinds(&tracker, &guid));
    assert_eq!(tracker.status(&guid, now()), Some(Status::Signed));
    client.delete(&guid).await.unwrap();
    for _ in 0..2 {
        poll(&tracker, &client, now()).await.unwrap();
    }
    // A final state stays; that the document is gone is known to whoever asks.
    assert_eq!(client.look(&guid).await.unwrap(), Seen::NotFound);
}

#[tokio::test]
async fn a_document_of_the_web_application_is_followed_by_the_list_alone() {
    let bench = Bench::new().await;
    let client = bench.client();
    let guid: DocumentId = bench.legale().upload_in_web_app("Web.pdf", super::FILE).parse().unwrap();
    let tracker = Tracker::new();
    tracker.watch(&guid);
    let report = poll(&tracker, &client, now()).await.unwrap();
    assert!(report.failed.is_empty());
    assert!(matches!(client.look(&guid).await.unwrap(), Seen::Denied { .. }));
    assert_eq!(poll(&tracker, &client, now()).await.unwrap().details, 0);
    assert_eq!(tracker.status(&guid, now()), Some(Status::Uploaded));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_deletes_nothing() {
    use integration_sandbox::legale::Endpoint;
    use integration_sandbox::{Fault, Scripted};
    let bench = Bench::new().await;
    let client = bench.client();
    let guid = client.send(&sending()).await.unwrap().guid;
    let tracker = Tracker::new();
    tracker.observe(&guid, now(), Source::Caller, Observation::Created);
    for fault in [
        Fault::Html,
        Fault::Empty,
        Fault::ActThenTruncated,
        Fault::act_then_status(500),
        Fault::Answer(Scripted::new(200).header("content-type", "application/json").body("null")),
    ] {
        bench.legale().inject_always(Endpoint::List, fault.clone());
        assert!(poll(&tracker, &client, now()).await.is_err(), "{fault:?}");
        bench.legale().clear_faults();
        assert!(!kinds(&tracker, &guid).contains(&EventKind::Deleted), "{fault:?}");
    }
}
