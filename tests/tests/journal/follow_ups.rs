//! Contract 9.5 and section 10, rows 15 to 17 and 31: mail, annulment and notes of journalled documents.

use fiscal_printer::Mail;
use fiscal_printer::journal::{FollowUpState, Ruling};

use super::*;

fn mail_to(control: &str, addresses: &str) -> Mail {
    Mail::new(control.parse().unwrap(), addresses)
}

#[tokio::test]
async fn a_mail_is_sent_once_for_each_list_of_addresses() {
    let bench = bench().await;
    let entry = bench.journal.issue(&invoice(1)).await.unwrap();
    for _ in 0..3 {
        let sent = bench.journal.mail(&mail_to("00-00000001", "a@example.com")).await.unwrap();
        assert_eq!((sent.state(), sent.text()), (FollowUpState::Done, "a@example.com"));
    }
    // Even one that may be repeated is not repeated when it is known to be accepted.
    bench.another().mail(&mail_to("00-1", "a@example.com").repeatable()).await.unwrap();
    bench.journal.mail(&mail_to("00-00000001", "b@example.com")).await.unwrap();
    let recipients: Vec<_> = bench.fiscal().mails().into_iter().map(|mail| mail.recipients).collect();
    assert_eq!(recipients, [["a@example.com"], ["b@example.com"]]);
    assert_eq!(bench.journal.mails(&entry).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_mail_failure_never_changes_the_issue() {
    let bench = bench().await;
    let entry = bench.journal.issue(&invoice(1)).await.unwrap();
    let history = bench.history(1).await.len();
    let mail = mail_to("00-00000001", "a@example.com");
    for (fault, outcome, state) in [
        (Fault::Answer(refusal(1, "sin correo")), Outcome::Refused, FollowUpState::Refused),
        (Fault::ResetBeforeActing, Outcome::Unknown, FollowUpState::Unknown),
    ] {
        bench.fiscal().inject(Endpoint::Email, fault);
        assert_eq!(bench.journal.mail(&mail).await.unwrap_err().outcome(), outcome);
        assert_eq!(bench.journal.mails(&entry).await.unwrap()[0].state(), state);
    }
    assert_eq!((bench.state(1).await, bench.history(1).await.len()), (DocumentState::Issued, history));
    // What may have been mailed is not mailed again unless the caller accepts two.
    let error = bench.journal.mail(&mail).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Blocked, Outcome::Unknown));
    assert_eq!(bench.fiscal().mails().len(), 0);
    bench.journal.mail(&mail.clone().repeatable()).await.unwrap();
    assert_eq!(bench.fiscal().mails().len(), 1);
    assert_eq!(bench.journal.mails(&entry).await.unwrap()[0].state(), FollowUpState::Done);
}

#[tokio::test]
async fn a_mail_that_was_not_sent_is_sent_by_the_next_call() {
    let bench = bench().await;
    bench.journal.issue(&invoice(1)).await.unwrap();
    let mail = mail_to("00-00000001", "a@example.com");
    bench.fiscal().refuse_connections().await.unwrap();
    assert!(bench.journal.mail(&mail).await.unwrap_err().is_not_sent());
    bench.fiscal().accept_connections().await.unwrap();
    bench.journal.mail(&mail).await.unwrap();
    assert_eq!(bench.fiscal().mails().len(), 1);
}

#[tokio::test]
async fn a_dropped_mail_is_in_doubt() {
    let bench = bench().await;
    bench.journal.issue(&invoice(1)).await.unwrap();
    let mail = mail_to("00-00000001", "a@example.com");
    bench.fiscal().inject(Endpoint::Email, Fault::ActThenHang);
    drop_once_sent(bench.fiscal(), 2, bench.journal.mail(&mail)).await;
    let error = bench.journal.mail(&mail).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(bench.fiscal().mails().len(), 1);
}

#[tokio::test]
async fn notes_are_built_from_a_stored_invoice() {
    let bench = bench().await;
    let stored = bench.journal.issue(&invoice(7)).await.unwrap();
    for (kind, builder) in [(3, stored.credit_note(1).unwrap()), (2, stored.debit_note(1).unwrap())] {
        let note = builder.line(fiscal_printer::Line::new("A2", "Dos", "20.00", 1)).remark("Devolución");
        let entry = bench.journal.issue(&note.build().unwrap()).await.unwrap();
        assert_eq!(entry.related(), Some("00-00000001"), "the control number, not the internal one");
        let body: serde_json::Value = serde_json::from_slice(entry.body()).unwrap();
        assert_eq!((&body["idtipodocumento"], &body["relacionado"]), (&kind.into(), &"00-00000001".into()));
        assert_eq!(body["nombrecliente"], support::BUYER);
        assert!(body["total"].as_f64().unwrap() > 0.0, "positive; the type carries the sense");
    }
    assert_eq!(bench.fiscal().documents().len(), 3);
}

#[tokio::test]
async fn nothing_follows_what_is_not_issued_with_a_known_control_number() {
    let bench = bench().await;
    bench.refuse(2, "");
    bench.journal.issue(&invoice(1)).await.unwrap_err();
    let rejected = bench.entry(1).await;
    bench.journal.prepare(&invoice(2)).await.unwrap();
    let prepared = bench.entry(2).await;
    bench.lose_acted(3).await;
    let unknown = bench.entry(3).await;
    let ruling = Ruling::Issued(None);
    bench.journal.resolve_manually(&bench.series(), &number(3), ruling, "Ana", "portal").await.unwrap();
    let unnumbered = bench.entry(3).await;
    assert_eq!(unnumbered.state(), DocumentState::Issued);
    for entry in [rejected, prepared, unknown, unnumbered] {
        assert!(entry.credit_note(1).unwrap_err().is_validation());
        assert!(entry.debit_note(1).unwrap_err().is_validation());
        let error = bench.journal.annul(&entry, "Error").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotSent));
    }
    assert!(requests(bench.fiscal(), "/anulacion").is_empty());
}

#[tokio::test]
async fn an_annulment_needs_a_reason_and_happens_once() {
    let bench = bench().await;
    let entry = bench.journal.issue(&invoice(1)).await.unwrap();
    let error = bench.journal.annul(&entry, " ").await.unwrap_err();
    assert!(error.is_validation() && error.is_not_sent(), "{error}");
    assert!(!bench.entry(1).await.is_annulled());
    bench.fiscal().inject_always(Endpoint::Annul, Fault::ResetBeforeActing);
    assert_eq!(bench.journal.annul(&entry, "Error").await.unwrap_err().outcome(), Outcome::Unknown);
    assert!(!bench.entry(1).await.is_annulled());
    bench.fiscal().clear_faults();
    let sent = requests(bench.fiscal(), "/anulacion").len();
    bench.journal.annul(&entry, "Error").await.unwrap();
    bench.journal.annul(&entry, "Otro").await.unwrap();
    assert_eq!(requests(bench.fiscal(), "/anulacion").len(), sent + 1);
    assert_eq!(bench.fiscal().documents()[0].remark, "Error");
    let annulled = bench.entry(1).await;
    assert!(annulled.is_annulled() && annulled.state() == DocumentState::Issued);
    assert!(requests(bench.fiscal(), "/anulacion").iter().all(|request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        body["numerodocumento"] == "00-00000001"
    }));
}
