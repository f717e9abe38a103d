use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use legale::flow::Order;
use legale::status::{SignStatus, Status};
use legale::tracking::{EventKind, Listed, Observation, Source, Tracker, WaitLimits, poll, wait_until_final};
use legale::webhook::{Detail, Seen};
use legale::{DocumentId, Error, ErrorKind, ManualClock};

use crate::support::{Service, found};

fn id(text: &str) -> DocumentId {
    text.parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + seconds).unwrap()
}

fn kinds(tracker: &Tracker, document: &DocumentId) -> Vec<EventKind> {
    tracker.timeline(document).into_iter().map(|event| event.kind).collect()
}

fn item(guid: &str, status: SignStatus, updated: i64) -> Listed {
    Listed::new(id(guid), status).with_times(Some(at(0)), Some(at(updated)))
}

fn detail(status: SignStatus, updated: i64) -> Detail {
    Detail::new(status).with_times(Some(at(0)), Some(at(updated)))
}

#[tokio::test]
async fn polling_and_callbacks_make_one_stream_without_doubles() {
    let (tracker, g) = (Tracker::new(), id("g"));
    let mut events = tracker.subscribe(&g);
    tracker.observe(&g, at(0), Source::Caller, Observation::Created);
    tracker.observe(
        &g,
        at(1),
        Source::Caller,
        Observation::started(Order::Sequential, Some(1), ["a@b", "c@d"]),
    );
    let report = tracker.pending(at(3601));
    assert_eq!(report[0].next_signers, ["a@b"]);
    assert_eq!((report[0].deadline, report[0].age.unwrap().as_secs()), (Some(at(86_401)), 3600));
    tracker.observe(&g, at(2), Source::Callback, Observation::SignerDone("A@b".into()));
    tracker.observe(&g, at(2), Source::Poll, Observation::SignerDone("a@b".into()));
    assert_eq!(tracker.pending(at(3))[0].next_signers, ["c@d"]);
    tracker.observe(&g, at(3), Source::Callback, Observation::Launched);
    tracker.observe(&g, at(3), Source::Callback, Observation::Launched);
    tracker.observe(&g, at(4), Source::Caller, Observation::Reminded("c@d".into()));
    tracker.observe(&g, at(90_000), Source::Caller, Observation::Tick);
    tracker.observe(&g, at(90_001), Source::Caller, Observation::Tick);
    for source in [Source::Callback, Source::Poll, Source::Callback] {
        tracker.observe(&g, at(90_002), source, Observation::Seen(found(detail(SignStatus::Signed, 9))));
    }
    use EventKind::*;
    let expected = [Created, Started, SignerDone, Launched, Reminded, Expired, Signed];
    assert_eq!(kinds(&tracker, &g), expected);
    for kind in &expected {
        assert_eq!(events.next().await.unwrap().kind, *kind);
    }
    assert_eq!(tracker.subscribe(&g).next().await.unwrap().kind, Created, "late listeners hear all of it");
    assert_eq!(tracker.pending(at(90_003)), []);
}

#[test]
fn a_final_state_is_left_only_on_a_fresh_word() {
    let (tracker, g) = (Tracker::new(), id("g"));
    let see = |status, updated, at_second| {
        tracker.observe(&g, at(at_second), Source::Poll, Observation::Seen(found(detail(status, updated))))
    };
    see(SignStatus::Signed, 10, 10);
    // A stale list, an unproven callback, a launch that comes late, a detail older than what is known.
    tracker.observe(&g, at(11), Source::Poll, Observation::Listed(item("g", SignStatus::NotSigned, 12)));
    let told = Observation::Told { sign_status: SignStatus::Rejected, comment: None };
    tracker.observe(&g, at(12), Source::Callback, told);
    tracker.observe(&g, at(13), Source::Callback, Observation::Launched);
    see(SignStatus::NotSigned, 9, 14);
    assert_eq!(tracker.status(&g, at(15)), Some(Status::Signed));
    see(SignStatus::NotSigned, 20, 16);
    assert_eq!(tracker.status(&g, at(16)), Some(Status::InProgress));
    use EventKind::*;
    assert_eq!(kinds(&tracker, &g), [Created, Signed, Launched, Reopened]);
}

#[test]
fn what_was_never_known_cannot_be_deleted_and_what_was_terminated_stays_so() {
    let (tracker, g) = (Tracker::new(), id("g"));
    let gone = || Observation::Seen(Seen::NotFound);
    assert!(tracker.observe(&g, at(0), Source::Poll, gone()).is_empty());
    assert_eq!(tracker.status(&g, at(0)), None);
    tracker.observe(&g, at(1), Source::Caller, Observation::Created);
    tracker.observe(&g, at(2), Source::Poll, gone());
    tracker.observe(&g, at(3), Source::Poll, gone());
    assert_eq!(kinds(&tracker, &g), [EventKind::Created, EventKind::Deleted]);
    let h = id("h");
    tracker.observe(&h, at(1), Source::Caller, Observation::Created);
    tracker.observe(&h, at(2), Source::Caller, Observation::Terminated);
    assert_eq!(tracker.status(&h, at(3)), Some(Status::Terminated));
}

/// Contract 4.11: all pages, details of changed own documents only; what is refused is list-only, what is missing is asked for.
#[tokio::test]
async fn a_look_reads_all_pages_and_asks_only_for_what_changed() {
    let (service, tracker) = (Arc::new(Service::default()), Tracker::new());
    for guid in ["a", "b", "c", "d"] {
        tracker.watch(&id(guid));
    }
    service.says("a", found(detail(SignStatus::NotSigned, 1)));
    service.says("b", found(detail(SignStatus::Signed, 1)));
    service.says("c", Seen::Denied { code: "NOT_API_DOCUMENT".into() });
    service.says("d", found(detail(SignStatus::NotSigned, 1)));
    let pages = |a, c| {
        vec![
            vec![item("x", SignStatus::Signed, 1), item("a", a, 1)],
            vec![item("b", SignStatus::Signed, 1)],
            vec![item("c", c, 1), item("d", SignStatus::NotSigned, 1)],
        ]
    };
    *service.pages.lock().unwrap() = pages(SignStatus::NotSigned, SignStatus::NotSigned);
    let first = poll(&tracker, &*service, at(5)).await.unwrap();
    assert_eq!((first.details, first.failed.len()), (4, 0), "not x, which nobody follows");
    let again = poll(&tracker, &*service, at(6)).await.unwrap();
    assert_eq!((again.details, again.events.len()), (0, 0));
    // c is signed, which only the list tells.
    *service.pages.lock().unwrap() = pages(SignStatus::NotSigned, SignStatus::Signed);
    let told = poll(&tracker, &*service, at(7)).await.unwrap();
    assert_eq!((told.details, told.events.len()), (0, 1));
    assert_eq!(tracker.status(&id("c"), at(7)), Some(Status::Signed));
    // d and a are on no page; a is there nevertheless, d is gone, b has ended and is left alone.
    *service.pages.lock().unwrap() = vec![vec![item("c", SignStatus::Signed, 1)]];
    service.says("d", Seen::NotFound);
    let missing = poll(&tracker, &*service, at(8)).await.unwrap();
    assert_eq!(missing.details, 2);
    assert_eq!(tracker.status(&id("d"), at(8)), Some(Status::Deleted));
    assert_eq!(tracker.status(&id("a"), at(8)), Some(Status::Uploaded));
    // Could not ask is not gone.
    service.is_down.store(true, Ordering::SeqCst);
    let failed = poll(&tracker, &*service, at(9)).await.unwrap();
    assert_eq!((failed.failed.len(), failed.events.len()), (1, 0));
}

#[tokio::test]
async fn waiting_ends_with_the_flow_or_with_the_limit() {
    let (service, clock, g) = (Arc::new(Service::default()), ManualClock::new(), id("g"));
    let limits =
        WaitLimits::new(Duration::from_secs(60)).pauses(Duration::from_secs(5), Duration::from_secs(20));
    service.says("g", found(Detail::new(SignStatus::NotSigned)));
    let error = wait_until_final(&*service, &g, limits, &clock).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_outcome_unknown());
    assert_eq!(clock.slept(), [5, 10, 20, 20].map(Duration::from_secs));

    // Taken from the end: trouble that passes, a request to wait, not yet, and then it is rejected.
    let busy = Error::new(ErrorKind::RateLimited, "detail").with_retry_after(Some(Duration::from_secs(30)));
    let rejected = Detail::new(SignStatus::Rejected).with_comment(Some("no".into()));
    *service.script.lock().unwrap() = vec![
        Ok(found(rejected)),
        Ok(found(Detail::new(SignStatus::NotSigned))),
        Err(busy),
        Err(Error::new(ErrorKind::Connect, "detail")),
    ];
    let clock = ManualClock::new();
    let status = wait_until_final(&*service, &g, limits, &clock).await.unwrap();
    assert_eq!(status, Status::Rejected { comment: Some("no".into()) });
    assert_eq!(clock.slept(), [5, 30, 20].map(Duration::from_secs));

    *service.script.lock().unwrap() = vec![Ok(Seen::NotFound), Ok(found(Detail::new(SignStatus::NotSigned)))];
    assert_eq!(wait_until_final(&*service, &g, limits, &ManualClock::new()).await.unwrap(), Status::Deleted);
    for (answer, kind) in [
        (Ok(Seen::NotFound), ErrorKind::NotFound),
        (Ok(Seen::Denied { code: "NOT_OWNER".into() }), ErrorKind::Forbidden),
        (Err(Error::new(ErrorKind::Authentication, "detail")), ErrorKind::Authentication),
    ] {
        *service.script.lock().unwrap() = vec![answer];
        assert_eq!(
            wait_until_final(&*service, &g, limits, &ManualClock::new()).await.unwrap_err().kind(),
            kind
        );
    }
}
