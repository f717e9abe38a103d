//! Contract 9.4, row by row: the journal tells codes 8 and 9 apart.

use fiscal_printer::Refusal;
use fiscal_printer::journal::{Evidence, Ruling};

use super::*;

#[tokio::test]
async fn code_8_on_the_text_that_was_in_doubt_is_already_issued() {
    let bench = bench().await;
    bench.lose_acted(1).await;
    let entry = bench.resolve_settled(1).await;
    assert_eq!((entry.state(), entry.evidence()), (DocumentState::Issued, Some(Evidence::AlreadyIssued)));
    assert_eq!(entry.control_text(), None, "not known until portal, PDF or status gives it");
    let codes: Vec<_> = bench.issues().iter().map(|request| request.code).collect();
    assert_eq!(codes, [None, Some(8)]);
    let known = bench
        .journal
        .add_control_number(&bench.series(), &number(1), &"00-00000001".parse().unwrap(), "Ana", "portal")
        .await
        .unwrap();
    assert_eq!(known.control_text(), Some("00-00000001"));
    assert_eq!(bench.journal.issue(&invoice(1)).await.unwrap().control_text(), Some("00-00000001"));
    assert_eq!(bench.issues().len(), 2);
}

#[tokio::test]
async fn code_8_after_a_refusal_behind_the_insert_is_unknown() {
    for code in [4, 14] {
        for document in [corrected(1), invoice(1)] {
            let bench = bench().await;
            bench.refuse(code, "");
            bench.journal.issue(&invoice(1)).await.unwrap_err();
            bench.refuse(8, "");
            let error = bench.journal.issue(&document).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::Unknown, "{code}: {error}");
            assert_eq!(bench.state(1).await, DocumentState::Unknown, "{code}");
        }
    }
}

/// The rollback may have leaked the first text: that the second one is there is not proven by code 8.
#[tokio::test]
async fn code_8_is_not_taken_for_the_corrected_text_after_a_refusal_behind_the_insert() {
    let bench = bench().await;
    bench.fiscal().configure(|settings| settings.leaky_rollback = true);
    bench.refuse(14, "");
    bench.journal.issue(&invoice(1)).await.unwrap_err();
    bench.play(Fault::ResetBeforeActing);
    bench.journal.issue(&corrected(1)).await.unwrap_err();
    bench.refuse(8, "");
    assert_eq!(bench.resolve_open(1).await.because, Because::NeedsPerson);
    assert_eq!(bench.state(1).await, DocumentState::Unknown);
}

#[tokio::test]
async fn code_8_on_a_number_that_the_journal_does_not_know_is_a_rejection() {
    let bench = bench().await;
    support::client(bench.fiscal()).issue(&corrected(1)).await.unwrap();
    let error = bench.journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("8")));
    let entry = bench.entry(1).await;
    assert_eq!((entry.state(), entry.evidence()), (DocumentState::Rejected, None));
}

#[tokio::test]
async fn code_8_on_a_corrected_text_is_never_already_issued() {
    let bench = bench().await;
    bench.lose_acted(1).await;
    bench.clock.advance(DELAY);
    // A person errs: the document exists.
    let ruling = Ruling::NotIssued;
    bench.journal.resolve_manually(&bench.series(), &number(1), ruling, "Ana", "not seen").await.unwrap();
    let error = bench.journal.issue(&corrected(1)).await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("8")));
    assert_eq!(bench.state(1).await, DocumentState::Rejected);
    // The text that was in doubt is what the service has.
    let entry = bench.journal.issue(&invoice(1)).await.unwrap();
    assert_eq!((entry.state(), entry.evidence()), (DocumentState::Issued, Some(Evidence::AlreadyIssued)));
    assert_eq!(bench.fiscal().documents().len(), 1);
    assert_eq!(bench.fiscal().documents()[0].body, *entry.body());
}

#[tokio::test]
async fn code_9_on_a_number_that_the_journal_does_not_know_is_a_rejection_with_the_maximum() {
    let bench = bench().await;
    bench.journal.issue(&invoice(1)).await.unwrap();
    let error = bench.journal.issue(&invoice(5)).await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("9")));
    assert_eq!(Refusal::of(&error).unwrap().current_maximum(), Some(1));
    assert_eq!(bench.state(5).await, DocumentState::Rejected);
    bench.journal.issue(&invoice(2)).await.unwrap();
}

#[tokio::test]
async fn code_9_with_a_maximum_of_ours_or_above_or_contradicting_stays_unknown() {
    for message in ["el ultimo es 42", "el ultimo es 43", "el ultimo es 900", "el ultimo es 41", "no se", ""]
    {
        let bench = bench().await;
        bench.lose_unacted(42).await;
        bench.refuse(9, message);
        assert_eq!(bench.resolve_open(42).await.because, Because::NeedsPerson, "{message}");
        assert_eq!(bench.issues().len(), 2, "{message}");
        assert_eq!(bench.state(42).await, DocumentState::Unknown, "{message}");
        bench.stays_open_for_a_person(42).await;
    }
}

#[tokio::test]
async fn code_9_with_a_maximum_below_the_one_before_ours_stops_the_series() {
    let bench = bench().await;
    bench.journal.issue(&invoice(39)).await.unwrap();
    bench.lose_unacted(42).await;
    let entry = bench.resolve_settled(42).await;
    assert_eq!((entry.state(), entry.code()), (DocumentState::Rejected, Some("9")));
    let sent = bench.issues().len();
    for later in [41, 43] {
        let error = bench.journal.issue(&invoice(later)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Blocked, Outcome::NotSent),
            "{later}: {error}"
        );
        assert!(error.to_string().contains("number 40 is missing"), "{error}");
    }
    assert_eq!(bench.issues().len(), sent);
    // It goes on with what is missing, in order and to the end.
    for missing in 40..=44 {
        bench.journal.issue(&invoice(missing)).await.unwrap_or_else(|error| panic!("{missing}: {error}"));
    }
    assert_eq!(bench.fiscal().documents().len(), 6);
}
