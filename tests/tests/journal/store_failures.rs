//! A store that fails before, between and after (contract 9.1: "a journal write that fails before sending stops the call; after
//! sending it yields `Unknown` to the caller together with the raw answer"), and a lease that is lost meanwhile.

use fiscal_printer::journal::{Evidence, Ruling};
use integration_store::StoreErrorKind;

use super::faulty::{Faulty, How};
use super::states::steal;
use super::*;

async fn faulty() -> (Bench, Faulty) {
    let bench = bench().await;
    let backend = Faulty::new(bench.clock.clone());
    let store = Store::from_backend(backend.clone());
    let client = client_on(bench.fiscal(), bench.fiscal().token(), &bench.clock);
    let journal = Journal::builder(client, &store).build().unwrap();
    (Bench { store, journal, ..bench }, backend)
}

const FATAL: [StoreErrorKind; 4] = [
    StoreErrorKind::NotWritable,
    StoreErrorKind::Corrupt,
    StoreErrorKind::Schema,
    StoreErrorKind::Configuration,
];

#[tokio::test]
async fn a_store_that_fails_before_sending_stops_the_call() {
    for operation in ["lane", "find", "list", "claim_and_apply"] {
        for kind in FATAL {
            let (bench, backend) = faulty().await;
            backend.fail(operation, How::Before(kind), 1);
            let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.outcome()),
                (ErrorKind::Store, Outcome::NotSent),
                "{operation}: {error}"
            );
            support::check_text(&error, "issue", None);
            assert_eq!(bench.fiscal().connections(), 0, "{operation} {kind:?}");
            backend.mend();
            bench.journal.issue(&invoice(1)).await.unwrap();
            assert_eq!(bench.issues().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_for_long_stops_the_call_too() {
    for operation in ["lane", "find", "list", "claim_and_apply"] {
        let (bench, backend) = faulty().await;
        backend.fail(operation, How::Before(StoreErrorKind::Unavailable), 100_000);
        let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent, "{operation}: {error}");
        assert_eq!(bench.fiscal().connections(), 0, "{operation}");
        backend.mend();
        bench.journal.issue(&invoice(1)).await.unwrap();
        assert_eq!(bench.fiscal().documents().len(), 1);
    }
}

/// "Applied although Unavailable was returned": each commit's answer is lost in turn, and the document is issued once.
#[tokio::test]
async fn lost_answers_of_commits_double_nothing() {
    for operation in ["claim_and_apply", "apply"] {
        for times in 1..=3 {
            let (bench, backend) = faulty().await;
            backend.fail(operation, How::AnswerLost, times);
            let entry =
                bench.journal.issue(&invoice(1)).await.unwrap_or_else(|error| panic!("{operation}: {error}"));
            assert_eq!(entry.control_text(), Some("00-00000001"), "{operation}");
            assert_eq!((bench.issues().len(), bench.fiscal().documents().len()), (1, 1), "{operation}");
            assert_eq!(bench.path(1).await, [State::Prepared, State::InFlight, State::Done], "{operation}");
        }
    }
}

#[tokio::test]
async fn lost_answers_while_a_text_is_corrected_double_nothing() {
    for (operation, times) in
        [("claim_and_apply", 1), ("claim_and_apply", 2), ("apply", 1), ("apply", 2), ("apply", 3)]
    {
        for draft in [false, true] {
            let (bench, backend) = faulty().await;
            if draft {
                bench.journal.prepare(&invoice(1)).await.unwrap();
            } else {
                bench.refuse(2, "");
                bench.journal.issue(&invoice(1)).await.unwrap_err();
            }
            let before = bench.issues().len();
            backend.fail(operation, How::AnswerLost, times);
            let entry = bench
                .journal
                .issue(&corrected(1))
                .await
                .unwrap_or_else(|error| panic!("{operation}: {error}"));
            assert_eq!(entry.total(), "11.60");
            assert_eq!((bench.issues().len(), bench.fiscal().documents().len()), (before + 1, 1));
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_after_sending_is_unknown_with_the_raw_answer() {
    for kind in [StoreErrorKind::NotWritable, StoreErrorKind::Corrupt, StoreErrorKind::Unavailable] {
        let (bench, backend) = faulty().await;
        backend.fail("apply", How::Before(kind), 1_000);
        let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Store, Outcome::Unknown), "{error}");
        assert!(error.to_string().contains("00-00000001"), "names the control number: {error}");
        assert!(error.answer().unwrap().text().contains("00-00000001"), "the raw answer");
        backend.mend();
        let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(bench.issues().len(), 1);
        let entry = bench.resolve_settled(1).await;
        assert_eq!(entry.state(), DocumentState::Issued);
        assert_eq!(bench.fiscal().documents().len(), 1);
    }
}

/// A mail and an annulment are called what they are, wherever their journal fails.
#[tokio::test]
async fn follow_ups_whose_store_fails_are_named() {
    let broken = How::Before(StoreErrorKind::NotWritable);
    let mail = fiscal_printer::Mail::new("00-00000001".parse().unwrap(), "a@example.com");
    for (failing, fine, outcome) in [
        ("append", 0, Outcome::NotSent),
        ("claim", 0, Outcome::NotSent),
        ("find", 0, Outcome::NotSent),
        ("apply", 0, Outcome::NotSent),
        ("apply", 1, Outcome::Unknown),
    ] {
        let (bench, backend) = faulty().await;
        let entry = bench.journal.issue(&invoice(1)).await.unwrap();
        for operation in ["mail", "annul"] {
            backend.fail(failing, How::Fine, fine);
            backend.fail(failing, broken, 1);
            let error = match operation {
                "mail" => bench.journal.mail(&mail).await.unwrap_err(),
                _ => bench.journal.annul(&entry, "Error").await.unwrap_err(),
            };
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Store, outcome), "{failing}: {error}");
            support::check_text(&error, operation, None);
            if outcome == Outcome::Unknown {
                let message = error.message().unwrap();
                assert!(
                    message.contains(&format!("the {operation} of 00-00000001 was accepted")),
                    "{message}"
                );
            }
        }
    }
}

/// A mail that another worker has is named in the error of the one that gave up waiting.
#[tokio::test]
async fn a_mail_that_another_worker_has_is_named() {
    let bench = bench().await;
    bench.journal.issue(&invoice(1)).await.unwrap();
    let mail = fiscal_printer::Mail::new("00-00000001".parse().unwrap(), "a@example.com");
    bench.fiscal().refuse_connections().await.unwrap();
    bench.journal.mail(&mail).await.unwrap_err();
    let outbox = bench.store.outbox("fiscal-mails");
    let forever = Duration::from_secs(1_000_000);
    outbox.claim(integration_store::LaneChoice::AnyReady, "other", forever).await.unwrap().expect("its lane");
    let error = bench.journal.mail(&mail).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent), "{error}");
    support::check_text(&error, "mail", None);
}

/// A refusal that could not be written down is unknown as well: the journal would say otherwise.
#[tokio::test]
async fn a_refusal_that_cannot_be_written_down_is_unknown_with_the_raw_answer() {
    let (bench, backend) = faulty().await;
    bench.refuse(2, "campo");
    backend.fail("apply", How::Before(StoreErrorKind::NotWritable), 1);
    let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Store, Outcome::Unknown));
    assert!(error.answer().unwrap().text().contains("campo"));
}

#[tokio::test]
async fn an_issue_whose_series_was_taken_meanwhile_is_resolved_by_what_it_heard() {
    let bench = bench().await;
    bench.play(Fault::ActThenHold);
    let document = invoice(1);
    let meanwhile = async {
        bench.fiscal().wait_for_requests(1).await;
        let lease = steal(&bench).await;
        assert_eq!(bench.state(1).await, DocumentState::Unknown);
        bench.outbox().release(&lease).await.unwrap();
        bench.fiscal().release_held();
    };
    let (told, ()) = tokio::join!(bench.journal.issue(&document), meanwhile);
    assert_eq!(told.unwrap().control_text(), Some("00-00000001"));
    let entry = bench.entry(1).await;
    assert_eq!((entry.state(), entry.evidence()), (DocumentState::Issued, Some(Evidence::Answer)));
    assert!(bench.history(1).await.iter().any(|event| event.testimony));
    assert_eq!(bench.issues().len(), 1);
}

/// The thief keeps the series: the answer stands beside the entry, and whoever resolves it finds it there.
#[tokio::test]
async fn an_answer_beside_the_entry_is_found_by_whoever_resolves_it() {
    let bench = bench().await;
    bench.play(Fault::ActThenHold);
    let document = invoice(1);
    let thief = async {
        bench.fiscal().wait_for_requests(1).await;
        let lease = steal(&bench).await;
        bench.outbox().renew(&lease, Duration::from_secs(10_000)).await.unwrap();
        bench.fiscal().release_held();
        lease
    };
    let (told, lease) = tokio::join!(bench.journal.issue(&document), thief);
    let error = told.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Store, Outcome::Unknown), "{error}");
    assert!(error.answer().unwrap().text().contains("00-00000001"));
    bench.outbox().release(&lease).await.unwrap();
    let resumed = bench.another().resume().await.unwrap();
    assert_eq!(resumed.settled[0].control_text(), Some("00-00000001"));
    assert_eq!(bench.issues().len(), 1, "nothing was asked and nothing resent");
}

/// What a late refusal behind the insert says about later codes 8 holds as if it had come in time (9.4, row 2).
#[tokio::test]
async fn a_late_refusal_counts_like_one_in_time() {
    let bench = bench().await;
    bench.fiscal().configure(|settings| settings.leaky_rollback = true);
    bench.play(Fault::ActThenHold);
    let leaking = leaking_document();
    let meanwhile = async {
        bench.fiscal().wait_for_requests(1).await;
        let lease = steal(&bench).await;
        bench.outbox().release(&lease).await.unwrap();
        bench.fiscal().release_held();
    };
    let (told, ()) = tokio::join!(bench.journal.issue(&leaking), meanwhile);
    assert_eq!(told.unwrap_err().outcome(), Outcome::Refused);
    assert_eq!((bench.state(1).await, bench.entry(1).await.code()), (DocumentState::Rejected, Some("4")));
    assert_eq!(bench.fiscal().count("00000001"), 1, "the rollback leaked");
    let error = bench.journal.issue(&corrected(1)).await.unwrap_err();
    assert_eq!((error.service_code(), error.outcome()), (Some("8"), Outcome::Unknown), "{error}");
}

/// Contract 6.2: 0.29 x 0.5 is 0.14 at the service and 0.15 by half-up: code 4, after the insert.
fn leaking_document() -> Document {
    let line = fiscal_printer::Line::new("A", "Cable", "0.29", "0.5").exempt();
    Document::invoice(RIF, 1).buyer(buyer()).line(line).build().unwrap()
}

/// A late answer belongs to the text that was sent then, not to the one that took its place.
#[tokio::test]
async fn a_late_answer_is_not_taken_for_a_later_text() {
    let bench = bench().await;
    bench.play(Fault::ActThenHold);
    let document = invoice(1);
    let meanwhile = async {
        bench.fiscal().wait_for_requests(1).await;
        let lease = steal(&bench).await;
        bench.outbox().release(&lease).await.unwrap();
        let other = bench.another();
        bench.clock.advance(Duration::from_secs(45));
        let ruling = Ruling::Issued(None);
        // Somebody errs, and calls it settled in another way, while the answer is on its way.
        other.resolve_manually(&bench.series(), &number(1), ruling, "Ana", "portal").await.unwrap();
        bench.fiscal().release_held();
    };
    let (told, ()) = tokio::join!(bench.journal.issue(&document), meanwhile);
    // The late answer adds what a person did not know.
    assert_eq!(told.unwrap().control_text(), Some("00-00000001"));
    assert_eq!(bench.entry(1).await.control_text(), Some("00-00000001"));
}

#[tokio::test]
async fn a_lease_that_is_lost_stops_no_resolution_of_others() {
    let (bench, backend) = faulty().await;
    bench.lose_unacted(1).await;
    bench.clock.advance(DELAY);
    backend.fail("history", How::Before(StoreErrorKind::Unavailable), 1);
    assert_eq!(bench.journal.resume().await.unwrap_err().kind(), ErrorKind::Store);
    let lane = format!("{}|{RIF}|01", bench.journal.environment());
    assert!(!bench.outbox().lane(&lane).await.unwrap().is_held(), "given back on errors");
    assert_eq!(bench.issues().len(), 1);
    assert_eq!(bench.journal.resume().await.unwrap().settled.len(), 1);
}

/// Setting aside for paper is done before it is written down that paper covers it: never both sent and on paper.
#[tokio::test]
async fn a_draft_is_set_aside_before_paper_covers_it() {
    for operation in ["testify", "apply"] {
        let (bench, backend) = faulty().await;
        bench.journal.prepare(&invoice(1)).await.unwrap();
        backend.fail(operation, How::Before(StoreErrorKind::NotWritable), 1);
        let series = bench.series();
        let result = bench.journal.cover_by_paper(&series, &number(1), "00-777", "Ana", "outage").await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Store, "{operation}");
        let on_paper = bench.history(1).await.iter().any(|event| event.testimony);
        assert!(!on_paper || bench.state(1).await == DocumentState::Discarded, "{operation}");
        let covered =
            bench.journal.cover_by_paper(&series, &number(1), "00-777", "Ana", "outage").await.unwrap();
        assert_eq!((covered.state(), covered.paper().unwrap().0), (DocumentState::Discarded, "00-777"));
        assert!(bench.journal.resume().await.unwrap().issued.is_empty());
    }
}

/// 9.1 holds for a resend too: the raw answer reaches the caller, and the question stays open for the right reason.
#[tokio::test]
async fn a_store_that_fails_after_a_resend_hides_no_answer() {
    let (bench, backend) = faulty().await;
    bench.lose_unacted(1).await;
    bench.clock.advance(DELAY);
    let broken = How::Before(StoreErrorKind::NotWritable);
    backend.fail("apply", How::Fine, 1);
    backend.fail("apply", broken, 1);
    backend.fail("find", How::Fine, 2);
    backend.fail("find", broken, 1);
    let error = bench.journal.resolve(&bench.series(), &number(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Store, Outcome::Unknown), "{error}");
    assert!(error.answer().unwrap().text().contains("00-00000001"), "{error}");
    assert_eq!(bench.issues().len(), 2);
    // The one resend is used, and nothing else is sent: a person reads the control number in the error.
    assert_eq!(bench.resolve_open(1).await.because, Because::NeedsPerson);
    assert_eq!((bench.issues().len(), bench.fiscal().documents().len()), (2, 1));
}

/// One series that cannot be worked on keeps no other waiting.
#[tokio::test]
async fn a_failure_in_one_series_keeps_no_other_waiting() {
    let (bench, backend) = faulty().await;
    bench.journal.issue(&invoice(1)).await.unwrap();
    bench.lose_unacted(2).await;
    bench.journal.prepare(&debit_note(1, "00-00000001")).await.unwrap();
    backend.fail("history", How::Before(StoreErrorKind::Corrupt), 1);
    let error = bench.journal.resume().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    let note = bench.series_of(DocumentType::DebitNote);
    let entry = bench.journal.find(&note, &number(1)).await.unwrap().unwrap();
    assert_eq!(entry.state(), DocumentState::Issued);
}

/// A program that stood still between writing down and sending may have lost its series: it does not send any more.
#[tokio::test]
async fn a_program_that_was_held_up_before_sending_sends_nothing() {
    for (pause, sent) in [(Duration::from_secs(4), 1), (Duration::from_secs(6), 0)] {
        let (bench, backend) = faulty().await;
        backend.fail("claim_and_apply", How::Slow(pause), 1);
        let told = bench.journal.issue(&invoice(1)).await;
        assert_eq!(bench.issues().len(), sent);
        if sent == 0 {
            let error = told.unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent), "{error}");
            assert_eq!(bench.state(1).await, DocumentState::Prepared);
            bench.journal.issue(&invoice(1)).await.unwrap();
        }
        assert_eq!(bench.fiscal().documents().len(), 1);
    }
}

#[tokio::test]
async fn the_series_stays_with_its_worker_while_a_request_is_under_way() {
    let bench = bench().await;
    bench.play(Fault::ActThenHold);
    let document = invoice(1);
    let meanwhile = async {
        bench.fiscal().wait_for_requests(1).await;
        for _ in 0..5 {
            bench.clock.advance(Duration::from_secs(4));
            // Lets the renewal run.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        let lane = format!("{}|{RIF}|01", bench.journal.environment());
        let view = bench.outbox().lane(&lane).await.unwrap();
        assert_eq!(view.held_by.as_deref(), Some(bench.journal.worker()));
        bench.fiscal().release_held();
    };
    let (told, ()) = tokio::join!(bench.journal.issue(&document), meanwhile);
    assert_eq!(told.unwrap().state(), DocumentState::Issued);
    assert!(bench.history(1).await.iter().all(|event| !event.testimony));
}

/// The other worker wrote a correction of its own while a late refusal and a late success were on their way: neither is taken
/// for the correction's.
#[tokio::test]
async fn a_late_answer_to_another_text_settles_nothing() {
    let bench = bench().await;
    bench.play(Fault::Hang);
    let document = invoice(1);
    drop_once_sent(bench.fiscal(), 1, bench.journal.issue(&document)).await;
    let lease = steal(&bench).await;
    bench.outbox().release(&lease).await.unwrap();
    let hash = bench.entry(1).await.hash().to_owned();
    bench.clock.advance(DELAY);
    let (series, journal) = (bench.series(), &bench.journal);
    let ruling = Ruling::NotIssued;
    journal.resolve_manually(&series, &number(1), ruling, "Ana", "portal").await.unwrap();
    bench.play(Fault::ResetBeforeActing);
    journal.issue(&corrected(1)).await.unwrap_err();
    let late = format!(
        r#"{{"testimony":"answer","attempt":1,"hash":"{hash}","fate":{{"issued":{{"evidence":"answer","control":"00-00000099"}}}}}}"#
    );
    bench.outbox().testify("late", bench.stored(1).await.id, late).await.unwrap();
    let resumed = journal.resume().await.unwrap();
    assert_eq!((resumed.settled.len(), resumed.open.len()), (0, 1));
    assert_eq!(bench.state(1).await, DocumentState::Unknown);
}
