//! Contract 9.1, row by row.

use super::*;

#[tokio::test]
async fn everything_is_written_down_before_the_first_byte_goes_out() {
    let bench = bench().await;
    bench.play(Fault::ActThenHold);
    let document = invoice(1);
    let look = async {
        bench.fiscal().wait_for_requests(1).await;
        let stored = bench.stored(1).await;
        assert_eq!(stored.state, State::InFlight);
        assert_eq!(stored.body, bench.issues()[0].body, "the exact bytes of the request");
        let hash: String = ring::digest::digest(&ring::digest::SHA256, &stored.body)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let entry = bench.entry(1).await;
        assert_eq!((entry.hash(), entry.body()), (hash.as_str(), &stored.body));
        assert_eq!((entry.series(), entry.number()), (&bench.series(), "00000001"));
        assert!(bench.fiscal().base_url().starts_with(entry.series().environment().trim_end_matches('/')));
        assert_eq!(bench.path(1).await, [State::Prepared, State::InFlight]);
        bench.fiscal().release_held();
    };
    let (issued, ()) = tokio::join!(bench.journal.issue(&document), look);
    let issued = issued.unwrap();
    assert_eq!((issued.state(), issued.control_text()), (DocumentState::Issued, Some("00-00000001")));
    assert_eq!(bench.path(1).await, [State::Prepared, State::InFlight, State::Done]);
}

#[tokio::test]
async fn an_issued_document_comes_back_without_a_request_and_another_text_is_refused() {
    let bench = bench().await;
    let first = bench.journal.issue(&invoice(1)).await.unwrap();
    let again = bench.journal.issue(&invoice(1)).await.unwrap();
    assert_eq!((again.control_text(), again.hash()), (first.control_text(), first.hash()));
    assert_eq!(bench.another().issue(&invoice(1)).await.unwrap().control_text(), first.control_text());
    let error = bench.journal.issue(&corrected(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotSent), "{error}");
    assert!(error.to_string().contains("00-00000001"), "names what it was issued as: {error}");
    assert_eq!((bench.issues().len(), bench.fiscal().documents().len()), (1, 1));
}

#[tokio::test]
async fn a_dropped_future_is_an_open_question() {
    let bench = bench().await;
    bench.play(Fault::ActThenHold);
    drop_once_sent(bench.fiscal(), 1, bench.journal.issue(&invoice(1))).await;
    bench.fiscal().release_held();
    let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Blocked, Outcome::Unknown), "{error}");
    assert_eq!(bench.state(1).await, DocumentState::Unknown);
    assert_eq!(bench.issues().len(), 1);
    // Code 8 on the identical bytes tells that the lost one was issued.
    let entry = bench.resolve_settled(1).await;
    assert_eq!((entry.state(), entry.control_text()), (DocumentState::Issued, None));
    assert_eq!(bench.fiscal().documents().len(), 1);
}

#[tokio::test]
async fn what_a_dead_worker_had_in_flight_is_an_open_question_for_the_next() {
    let bench = bench().await;
    bench.play(Fault::ActThenHold);
    drop_once_sent(bench.fiscal(), 1, bench.journal.issue(&invoice(1))).await;
    let next = bench.another();
    let busy = next.resume().await.unwrap();
    assert_eq!((busy.busy.as_slice(), busy.open.len()), ([bench.series()].as_slice(), 0), "its lease runs");
    assert_eq!(bench.state(1).await, DocumentState::InFlight);
    bench.clock.advance(Duration::from_secs(11));
    let resumed = next.resume().await.unwrap();
    assert_eq!((resumed.open.len(), resumed.issued.len()), (1, 0));
    assert!(matches!(resumed.open[0].because, Because::Settling(_)));
    assert_eq!(bench.state(1).await, DocumentState::Unknown);
    assert_eq!(bench.issues().len(), 1, "never resent blindly");
}

#[tokio::test]
async fn a_rejected_document_is_corrected_under_its_number() {
    let bench = bench().await;
    bench.refuse(2, "campo");
    let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("2")));
    let rejected = bench.entry(1).await;
    assert_eq!((rejected.state(), rejected.code()), (DocumentState::Rejected, Some("2")));
    let issued = bench.journal.issue(&corrected(1)).await.unwrap();
    assert_eq!((issued.number(), issued.total()), ("00000001", "11.60"));
    use State::{Done, InFlight, Prepared, Refused};
    assert_eq!(bench.path(1).await, [Prepared, InFlight, Refused, Prepared, InFlight, Done]);
    assert_eq!(bench.fiscal().documents()[0].body, *issued.body());
}

#[tokio::test]
async fn what_was_not_sent_is_prepared_again() {
    let bench = bench().await;
    bench.fiscal().refuse_connections().await.unwrap();
    let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent));
    assert_eq!(bench.path(1).await, [State::Prepared, State::InFlight, State::Prepared]);
    assert_eq!(bench.entry(1).await.tries(), 0);
    bench.fiscal().accept_connections().await.unwrap();
    bench.journal.issue(&invoice(1)).await.unwrap();
    assert_eq!(bench.issues().len(), 1);
}

/// "`Prepared` serialises (drafts, offline)": written down in any order, sent in the order of numbers.
#[tokio::test]
async fn drafts_are_sent_by_resume_in_the_order_of_numbers() {
    let bench = bench().await;
    for value in [3, 1, 2] {
        let entry = bench.journal.prepare(&invoice(value)).await.unwrap();
        assert_eq!(entry.state(), DocumentState::Prepared);
    }
    assert_eq!(bench.fiscal().connections(), 0);
    let resumed = bench.another().resume().await.unwrap();
    assert!(resumed.is_complete());
    let order: Vec<_> = bench.fiscal().documents().into_iter().map(|found| found.internal_number).collect();
    assert_eq!(order, ["00000001", "00000002", "00000003"]);
    assert!(bench.journal.resume().await.unwrap().issued.is_empty());
    assert_eq!(bench.issues().len(), 3);
}

/// "`Rejected` to new `Prepared`: corrected document, same number".
#[tokio::test]
async fn a_corrected_draft_takes_the_place_of_what_was_rejected_or_only_prepared() {
    let bench = bench().await;
    bench.refuse(2, "campo");
    bench.journal.issue(&invoice(1)).await.unwrap_err();
    let draft = bench.journal.prepare(&corrected(1)).await.unwrap();
    assert_eq!((draft.state(), draft.total()), (DocumentState::Prepared, "11.60"));
    let draft = bench.journal.prepare(&invoice(1)).await.unwrap();
    assert_eq!((draft.state(), draft.total()), (DocumentState::Prepared, "23.20"));
    bench.journal.resume().await.unwrap();
    let documents = bench.fiscal().documents();
    assert_eq!((documents.len(), documents[0].total.as_str()), (1, "23.20"));
    let error = bench.journal.prepare(&corrected(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotSent));
}

#[tokio::test]
async fn a_draft_under_an_open_question_is_refused_without_saying_that_it_is_issued() {
    let bench = bench().await;
    bench.lose_unacted(1).await;
    let error = bench.journal.prepare(&corrected(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Blocked, "{error}");
    assert!(!error.to_string().contains("issued already"), "{error}");
}

#[tokio::test]
async fn a_draft_of_another_text_gives_way_to_what_is_issued() {
    let bench = bench().await;
    bench.journal.prepare(&invoice(1)).await.unwrap();
    let issued = bench.journal.issue(&corrected(1)).await.unwrap();
    assert_eq!((issued.total(), bench.issues().len()), ("11.60", 1));
    assert_eq!(bench.fiscal().documents()[0].total, "11.60");
}

/// Nothing that fails before sending leaves anything behind.
#[tokio::test]
async fn validation_and_a_missing_token_leave_nothing() {
    let bench = bench().await;
    let foreign = support::invoice_of("G-12345678-7", 1);
    let error = bench.journal.issue(&foreign).await.unwrap_err();
    assert!(error.is_validation() && error.is_not_sent(), "{error}");
    let mailing = filled(Document::invoice(RIF, 1)).mail_at_issue().build().unwrap();
    let error = bench.journal.issue(&mailing).await.unwrap_err();
    assert!(error.is_validation() && error.faults()[0].path() == "sendmail", "{error}");
    assert!(bench.outbox().list(integration_store::Query::default()).await.unwrap().is_empty());
    assert_eq!(bench.fiscal().connections(), 0);
}

/// A draft that somebody sets aside while `resume` works on the one before it is not sent.
#[tokio::test]
async fn a_draft_that_is_set_aside_while_others_are_sent_stays_aside() {
    let bench = bench().await;
    for value in 1..=3 {
        bench.journal.prepare(&invoice(value)).await.unwrap();
    }
    bench.play(Fault::ActThenHold);
    let other = bench.another();
    let meanwhile = async {
        bench.fiscal().wait_for_requests(1).await;
        // Without the lease, as only the store's own rules would allow: the other worker is dead for it.
        bench.clock.advance(Duration::from_millis(1));
        let stored = bench.stored(3).await;
        let change = integration_store::Change::new(&stored, State::Dead, stored.data.clone());
        let lease = steal(&bench).await;
        bench
            .outbox()
            .apply(&lease, integration_store::Step::new().with_change(change).with_release())
            .await
            .unwrap();
        bench.fiscal().release_held();
    };
    let (resumed, ()) = tokio::join!(other.resume(), meanwhile);
    let _ = resumed.unwrap();
    bench.clock.advance(DELAY);
    bench.journal.settle(|_| {}).await.unwrap();
    assert_eq!(bench.state(3).await, DocumentState::Discarded);
    assert_eq!(bench.fiscal().count("00000003"), 0);
    assert_eq!((bench.fiscal().count("00000001"), bench.fiscal().count("00000002")), (1, 1));
}

/// Takes the lane of invoices from whoever has it.
pub(super) async fn steal(bench: &Bench) -> integration_store::Lease {
    bench.clock.advance(Duration::from_secs(11));
    let lane = format!("{}|{RIF}|01", bench.journal.environment());
    let choice = integration_store::LaneChoice::Named(&lane);
    let claimed = bench.outbox().claim(choice, "thief", Duration::from_secs(10)).await.unwrap();
    claimed.expect("the lease ran out")
}
