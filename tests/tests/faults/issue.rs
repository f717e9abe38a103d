//! `issue` against every fault: one request at most, and an error that says what is known.

use std::time::Duration;

use fiscal_printer::{ErrorKind, Outcome};
use integration_sandbox::Fault;
use integration_sandbox::fiscal::Endpoint;

use super::{meet, rows, timeless};
use crate::support::{builder, check_text, client, invoice, sandbox};

#[tokio::test]
async fn each_fault_ends_in_its_class_after_one_request() {
    for row in rows() {
        let sandbox = sandbox().await;
        let fiscal = sandbox.fiscal();
        let (client, clock) = timeless(fiscal);
        let name = format!("{:?}", row.fault);
        fiscal.inject_always(Endpoint::Issue, row.fault.clone());
        let error = meet(fiscal, &clock, &row.fault, client.issue(&invoice(1))).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (row.kind, row.outcome), "{name}: {error}");
        check_text(&error, "issue", row.status);
        assert!(!error.is_safe_to_repeat(), "{name}");
        assert_eq!(error.attempts(), 1, "{name}");
        assert_eq!(fiscal.requests().len(), 1, "{name}: sent once, whatever came back");
        assert_eq!(fiscal.count("00000001"), usize::from(row.fault.acts()), "{name}");
        assert!(clock.slept().is_empty(), "{name}");
    }
}

/// The lane is free again after every fault, and the number is taken exactly if the service acted.
#[tokio::test]
async fn after_each_fault_the_client_works_on() {
    for row in rows() {
        let sandbox = sandbox().await;
        let fiscal = sandbox.fiscal();
        let (client, clock) = timeless(fiscal);
        fiscal.inject(Endpoint::Issue, row.fault.clone());
        meet(fiscal, &clock, &row.fault, client.issue(&invoice(1))).await.unwrap_err();
        let next = if row.fault.acts() { 2 } else { 1 };
        client.issue(&invoice(next)).await.unwrap_or_else(|error| panic!("{:?}: {error}", row.fault));
        if row.fault.acts() {
            let error = client.issue(&invoice(1)).await.unwrap_err();
            assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("8")));
        }
        assert_eq!(fiscal.count("00000001"), 1, "{:?}", row.fault);
    }
}

/// A reset on accept may strike before or after the first byte: either it is proven that nothing left, and the client tries
/// again, or the outcome is unknown. Never twice, never lost.
#[tokio::test]
async fn a_reset_on_accept_never_issues_twice() {
    for _ in 0..20 {
        let sandbox = sandbox().await;
        let fiscal = sandbox.fiscal();
        let (client, _) = timeless(fiscal);
        fiscal.inject(Endpoint::Issue, Fault::ResetOnAccept);
        match client.issue(&invoice(1)).await {
            Ok(_) => assert_eq!((fiscal.count("00000001"), fiscal.requests().len()), (1, 1)),
            Err(error) => {
                assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
                check_text(&error, "issue", None);
                assert_eq!((fiscal.count("00000001"), fiscal.requests().len()), (0, 0));
                client.issue(&invoice(1)).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_reset_on_every_accept_ends() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let (client, _) = timeless(fiscal);
    fiscal.inject_always(Endpoint::Issue, Fault::ResetOnAccept);
    let error = client.issue(&invoice(1)).await.unwrap_err();
    assert!(error.attempts() <= 3 && fiscal.connections() <= 3, "{error}");
    assert_eq!(fiscal.requests().len(), 0);
}

/// The one test here that waits for real: the client's own clock ends a call whose answer is late.
#[tokio::test]
async fn a_late_answer_is_a_timeout_whose_document_exists() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = builder(fiscal).timeout(Duration::from_millis(150)).build().unwrap();
    let late = Fault::act_then_late(Duration::from_secs(3600));
    fiscal.inject_always(Endpoint::Issue, late);
    let error = loop {
        let error = client.issue(&invoice(1)).await.unwrap_err();
        // A machine too busy to send anything within the limit proves nothing; try again.
        if !error.is_not_sent() {
            break error;
        }
    };
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown));
    assert!(error.to_string().contains("within 0.1"), "the limit is named: {error}");
    check_text(&error, "issue", None);
    fiscal.wait_for_requests(1).await;
    assert_eq!((fiscal.requests().len(), fiscal.count("00000001")), (1, 1));
}

#[tokio::test]
async fn a_late_answer_within_the_limit_is_an_issued_document() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    fiscal.inject(Endpoint::Issue, Fault::ActThenHold);
    let client = client(fiscal);
    let document = invoice(1);
    let release = async {
        fiscal.wait_for_requests(1).await;
        fiscal.release_held();
    };
    let (issued, ()) = tokio::join!(client.issue(&document), release);
    assert_eq!(issued.unwrap().control_text(), "00-00000001");
}

/// Row "future dropped": unknown. The caller hears nothing, so a trace must say so, and the lane must be free again.
#[tokio::test]
async fn a_dropped_call_leaves_a_trace_and_frees_its_lane() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let (client, _) = timeless(fiscal);
    fiscal.inject(Endpoint::Issue, Fault::ActThenHold);
    let (log, _guard) = crate::leaks::capture();
    let task = tokio::spawn({
        let client = client.clone();
        async move { client.issue(&invoice(1)).await.map(drop) }
    });
    fiscal.wait_for_requests(1).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(log.text().contains("its outcome is unknown"), "{}", log.text());
    assert_eq!(fiscal.count("00000001"), 1);
    client.issue(&invoice(2)).await.unwrap();
}

/// Whoever waits behind a lost call gets its turn when that call ends.
#[tokio::test]
async fn a_call_behind_a_lost_one_gets_its_turn() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let (client, clock) = timeless(fiscal);
    fiscal.inject(Endpoint::Issue, Fault::ActThenHang);
    let issue = |number| {
        let client = client.clone();
        tokio::spawn(async move { client.issue(&invoice(number)).await.map(drop) })
    };
    let first = issue(1);
    fiscal.wait_for_requests(1).await;
    // Half of the limit later a second call queues up; its own limit strikes later than the first's.
    clock.advance(Duration::from_secs(30));
    let second = issue(2);
    tokio::task::yield_now().await;
    clock.advance(Duration::from_secs(31));
    assert!(first.await.unwrap().unwrap_err().is_outcome_unknown());
    second.await.unwrap().unwrap();
    assert_eq!(fiscal.documents().len(), 2);
}
