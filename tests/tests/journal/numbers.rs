//! Contract 9.5: series that wait, and numbers without gaps.

use fiscal_printer::journal::JournalSequence;

use super::*;

#[tokio::test]
async fn an_open_question_blocks_its_series_only() {
    let bench = bench().await;
    let first = bench.journal.issue(&invoice(1)).await.unwrap();
    bench.lose_unacted(2).await;
    for later in [3, 1000] {
        let error = bench.journal.issue(&invoice(later)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Blocked, Outcome::NotSent), "{error}");
    }
    let error = bench.journal.issue_next(DocumentType::Invoice, next_invoice).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Blocked, Outcome::NotSent), "{error}");
    assert_eq!(bench.issues().len(), 2);
    bench.journal.issue(&debit_note(1, "00-00000001")).await.unwrap();
    let mail = fiscal_printer::Mail::new(first.control_number().unwrap(), "compras@example.com");
    bench.journal.mail(&mail).await.unwrap();
    bench.journal.annul(&first, "Error").await.unwrap();
    assert!(bench.entry(1).await.is_annulled());
    bench.resolve_settled(2).await;
    bench.journal.issue(&invoice(3)).await.unwrap();
}

fn next_invoice(number: InternalNumber) -> Result<Document, Error> {
    filled(Document::invoice(RIF, number)).build()
}

/// Among a thousand refused numbers and more the open question is still found.
#[tokio::test]
async fn an_open_question_is_seen_behind_any_number_of_refusals() {
    let bench = bench().await;
    let lane = format!("{}|{RIF}|01", bench.journal.environment());
    let refused = |value: u32| {
        let record = format!(r#"{{"version":1,"number":"{value:08}","total":"1","hash":"x"}}"#);
        integration_store::NewEntry::new(&lane, format!("{lane}|{value:010}"), "{}", record).with_in_flight()
    };
    let outbox = bench.outbox();
    let choice = integration_store::LaneChoice::Named(&lane);
    let lease = outbox.claim(choice, "w", Duration::from_secs(10)).await.unwrap().unwrap();
    let mut step = integration_store::Step::new();
    for value in 1..=1100 {
        step = step.with_append(refused(value));
    }
    let entries = outbox.apply(&lease, step).await.unwrap();
    let mut step = integration_store::Step::new().with_release();
    for entry in &entries {
        step = step.with_change(integration_store::Change::new(entry, State::Refused, entry.data.clone()));
    }
    outbox.apply(&lease, step).await.unwrap();
    bench.lose_unacted(2001).await;
    let error = bench.journal.issue(&invoice(2002)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Blocked, "{error}");
    assert!(bench.clock.slept().is_empty(), "decided at once");
}

#[tokio::test]
async fn a_refused_number_is_used_again_first() {
    let bench = bench().await;
    let next = || bench.journal.issue_next(DocumentType::Invoice, next_invoice);
    assert_eq!(next().await.unwrap().number(), "00000001");
    bench.refuse(21, "");
    assert_eq!(next().await.unwrap_err().outcome(), Outcome::Refused);
    assert_eq!(bench.state(2).await, DocumentState::Rejected);
    assert_eq!(next().await.unwrap().number(), "00000002");
    assert_eq!(next().await.unwrap().number(), "00000003");
    let numbers: Vec<_> = bench.fiscal().documents().into_iter().map(|found| found.internal_number).collect();
    assert_eq!(numbers, ["00000001", "00000002", "00000003"]);
}

/// "Not sent: nothing happened": whoever repeats the call makes one document of the sale, not two.
#[tokio::test]
async fn issue_next_that_was_not_sent_leaves_nothing_to_be_sent_later() {
    let bench = bench().await;
    let next = || bench.journal.issue_next(DocumentType::Invoice, next_invoice);
    bench.fiscal().refuse_connections().await.unwrap();
    let error = next().await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(!error.to_string().contains("resume"), "{error}");
    bench.fiscal().accept_connections().await.unwrap();
    assert!(bench.journal.resume().await.unwrap().issued.is_empty());
    assert_eq!(next().await.unwrap().number(), "00000001", "the number is released");
    assert!(bench.journal.resume().await.unwrap().issued.is_empty());
    assert_eq!((bench.issues().len(), bench.fiscal().documents().len()), (1, 1));
}

/// A number that was far off, or that the service has passed, does not hold up the series for ever.
#[tokio::test]
async fn numbers_that_can_never_be_used_are_not_offered_again() {
    let bench = bench().await;
    bench.journal.issue(&invoice(1)).await.unwrap();
    assert_eq!(bench.journal.issue(&invoice(99_999)).await.unwrap_err().service_code(), Some("9"));
    let next = || bench.journal.issue_next(DocumentType::Invoice, next_invoice);
    assert_eq!(next().await.unwrap().number(), "00000002");
    // Another writer advances the series past ours: with another padding, so it is code 9 and not 8.
    let client = support::client(bench.fiscal());
    let odd = InternalNumber::with_width(3, 9).unwrap();
    client.issue(&filled(Document::invoice(RIF, odd)).build().unwrap()).await.unwrap();
    assert_eq!(next().await.unwrap_err().service_code(), Some("9"));
    assert_eq!(next().await.unwrap().number(), "00000004");
}

#[tokio::test]
async fn a_number_that_somebody_else_has_is_not_offered_again() {
    let bench = bench().await;
    support::client(bench.fiscal()).issue(&corrected(1)).await.unwrap();
    let next = || bench.journal.issue_next(DocumentType::Invoice, next_invoice);
    assert_eq!(next().await.unwrap_err().service_code(), Some("8"));
    assert_eq!(next().await.unwrap().number(), "00000002");
}

#[tokio::test]
async fn a_series_starts_where_the_caller_says_and_keeps_its_padding() {
    let first = InternalNumber::with_width(41, 6).unwrap();
    let bench = bench_with(|builder| builder.allocator(JournalSequence::starting_at(first))).await;
    let next = || bench.journal.issue_next(DocumentType::Invoice, next_invoice);
    for expected in ["000041", "000042", "000043"] {
        assert_eq!(next().await.unwrap().number(), expected);
    }
}

#[tokio::test]
async fn a_document_of_another_number_or_issuer_than_allocated_is_refused() {
    let bench = bench().await;
    for wrong in [invoice(7), debit_note(1, "00-00000001")] {
        let built = bench.journal.issue_next(DocumentType::Invoice, |_| Ok(wrong.clone())).await;
        assert!(built.unwrap_err().is_validation());
    }
    assert_eq!(bench.fiscal().connections(), 0);
}

/// An answer that is a refusal gives the series back at once: the lease does not have to run out.
#[tokio::test]
async fn the_lane_is_given_back_after_every_end() {
    for fault in [None, Some(Fault::Answer(refusal(2, ""))), Some(Fault::ResetBeforeActing)] {
        let bench = bench().await;
        let lost = matches!(fault, Some(Fault::ResetBeforeActing));
        fault.into_iter().for_each(|fault| bench.play(fault));
        let _ = bench.journal.issue(&invoice(1)).await;
        let lane = format!("{}|{RIF}|01", bench.journal.environment());
        assert!(!bench.outbox().lane(&lane).await.unwrap().is_held());
        if lost {
            bench.resolve_settled(1).await;
            assert!(!bench.outbox().lane(&lane).await.unwrap().is_held());
        }
    }
}
