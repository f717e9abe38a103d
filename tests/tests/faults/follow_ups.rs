//! `annul` is `Keyed`: a lost call is repeated and recovers. `mail` is `Once` unless the caller accepts a second mail.

use fiscal_printer::{Client, ControlNumber, Error, ErrorKind, Mail, Outcome, Receipt};
use integration_sandbox::fiscal::{DocumentState, Endpoint, Fiscal};
use integration_sandbox::{Fault, Sandbox, Scripted};

use super::{Row, keeps_silent, meet, rows, timeless};
use crate::support::{check_text, client, invoice, requests, sandbox};

/// A sandbox with one issued document.
async fn with_document() -> (Sandbox, ControlNumber) {
    let sandbox = sandbox().await;
    let issued = client(sandbox.fiscal()).issue(&invoice(1)).await.unwrap();
    let number = issued.control_number().unwrap();
    (sandbox, number)
}

/// Whether the cause of a fault may pass, so that a call which may be repeated is.
///
/// A cut connection, 400, 408, 429 and 5xx may pass; an answer that is odd in itself, and a call that used up its whole time, do
/// not get better by asking again.
fn may_pass(row: &Row) -> bool {
    match row.status {
        None => row.kind == ErrorKind::Interrupted,
        Some(status) => matches!(status, 400 | 408 | 429 | 500..),
    }
}

fn annulled(fiscal: &Fiscal) -> bool {
    fiscal.documents()[0].state == DocumentState::Annulled
}

#[tokio::test]
async fn annulling_recovers_from_a_fault_that_passes() {
    for row in rows() {
        let (sandbox, number) = with_document().await;
        let fiscal = sandbox.fiscal();
        let (client, clock) = timeless(fiscal);
        fiscal.inject(Endpoint::Annul, row.fault.clone());
        let result = meet(fiscal, &clock, &row.fault, client.annul(&number, "Prueba")).await;
        let sent = requests(fiscal, "/anulacion").len();
        if may_pass(&row) {
            result.unwrap_or_else(|error| panic!("{:?}: {error}", row.fault));
            assert_eq!((sent, annulled(fiscal)), (2, true), "{:?}", row.fault);
            continue;
        }
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (row.kind, row.outcome), "{:?}: {error}", row.fault);
        check_text(&error, "annul", row.status);
        assert_eq!((sent, annulled(fiscal)), (1, row.fault.acts()), "{:?}", row.fault);
        // The advice holds: the identical call does no harm and succeeds.
        client.annul(&number, "Prueba").await.unwrap();
    }
}

#[tokio::test]
async fn annulling_gives_up_after_three_requests() {
    for row in rows().into_iter().filter(|row| !keeps_silent(&row.fault)) {
        let (sandbox, number) = with_document().await;
        let fiscal = sandbox.fiscal();
        let (client, _) = timeless(fiscal);
        fiscal.inject_always(Endpoint::Annul, row.fault.clone());
        let error = client.annul(&number, "Prueba").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (row.kind, row.outcome), "{:?}: {error}", row.fault);
        check_text(&error, "annul", row.status);
        let expected = if may_pass(&row) { 3 } else { 1 };
        assert_eq!(requests(fiscal, "/anulacion").len(), expected, "{:?}", row.fault);
        assert_eq!(error.attempts() as usize, expected);
    }
}

/// The first call may have annulled; a later refusal for another reason does not take that back.
#[tokio::test]
async fn a_refusal_after_a_lost_attempt_stays_unknown() {
    let (sandbox, number) = with_document().await;
    let fiscal = sandbox.fiscal();
    let (client, _) = timeless(fiscal);
    fiscal.inject(Endpoint::Annul, Fault::ActThenReset);
    fiscal.inject(Endpoint::Annul, Fault::Answer(Scripted::new(401).body("\"no\"")));
    let error = client.annul(&number, "Prueba").await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    check_text(&error, "annul", Some(401));
    assert!(annulled(fiscal));
}

fn letter(number: &ControlNumber) -> Mail {
    Mail::new(number.clone(), "compras@example.com")
}

async fn mailed(fiscal: &Fiscal, row: &Row, mail: &Mail) -> Result<Receipt, Error> {
    let (client, clock): (Client, _) = timeless(fiscal);
    fiscal.inject(Endpoint::Email, row.fault.clone());
    meet(fiscal, &clock, &row.fault, client.mail(mail)).await
}

#[tokio::test]
async fn a_mail_is_not_repeated() {
    for row in rows() {
        let (sandbox, number) = with_document().await;
        let fiscal = sandbox.fiscal();
        let error = mailed(fiscal, &row, &letter(&number)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (row.kind, row.outcome), "{:?}: {error}", row.fault);
        check_text(&error, "mail", row.status);
        assert_eq!(requests(fiscal, "/email").len(), 1, "{:?}", row.fault);
        assert_eq!(fiscal.mails().len(), usize::from(row.fault.acts()), "{:?}", row.fault);
    }
}

#[tokio::test]
async fn a_repeatable_mail_is_repeated_and_may_arrive_twice() {
    for row in rows() {
        let (sandbox, number) = with_document().await;
        let fiscal = sandbox.fiscal();
        let result = mailed(fiscal, &row, &letter(&number).repeatable()).await;
        assert_eq!(result.is_ok(), may_pass(&row), "{:?}: {result:?}", row.fault);
        let repeats = usize::from(may_pass(&row));
        assert_eq!(requests(fiscal, "/email").len(), 1 + repeats, "{:?}", row.fault);
        assert_eq!(fiscal.mails().len(), repeats + usize::from(row.fault.acts()), "{:?}", row.fault);
    }
}

/// Contract 4.2: an unknown number is an uncaught exception of `/email`.
#[tokio::test]
async fn mailing_an_unknown_document_is_unknown() {
    let (sandbox, _) = with_document().await;
    let (client, _) = timeless(sandbox.fiscal());
    let nowhere: ControlNumber = "00-99999999".parse().unwrap();
    let error = client.mail(&letter(&nowhere)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Interrupted, Outcome::Unknown));
    check_text(&error, "mail", None);
}

/// Codes are keyed by endpoint: what `/facturacion` lists is unknown to the others.
#[tokio::test]
async fn codes_count_by_endpoint() {
    let (sandbox, number) = with_document().await;
    let fiscal = sandbox.fiscal();
    let (client, _) = timeless(fiscal);
    for code in 0..=25 {
        let body = format!(r#"{{"success":false,"error":{{"code":{code},"message":"m"}}}}"#);
        for endpoint in [Endpoint::Annul, Endpoint::Email] {
            fiscal.inject(endpoint, Fault::Answer(Scripted::new(202).body(body.as_str())));
        }
        let annul = client.annul(&number, "Prueba").await.unwrap_err();
        let mail = client.mail(&letter(&number)).await.unwrap_err();
        let expected = |listed| if listed { Outcome::Refused } else { Outcome::Unknown };
        assert_eq!(annul.outcome(), expected((1..=5).contains(&code)), "{annul}");
        assert_eq!(mail.outcome(), expected(code == 1), "{mail}");
        check_text(&annul, "annul", Some(202));
        check_text(&mail, "mail", Some(202));
    }
}

#[tokio::test]
async fn a_document_of_nobody_cannot_be_annulled() {
    let (sandbox, _) = with_document().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    let nowhere: ControlNumber = "00-99999999".parse().unwrap();
    let error = client.annul(&nowhere, "Prueba").await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("3")));
    // Shorter than 11 characters, though the same number by value: the service compares texts.
    let short: ControlNumber = "00-1".parse().unwrap();
    let error = client.annul(&short, "Prueba").await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("2")));
}

#[tokio::test]
async fn what_is_wrong_with_a_reason_or_an_address_is_said_before_sending() {
    let (sandbox, number) = with_document().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    let sent = fiscal.requests().len();
    for reason in ["", "  ", "line\nbreak", "x".repeat(201).as_str()] {
        let error = client.annul(&number, reason).await.unwrap_err();
        assert!(error.is_validation() && error.faults()[0].path() == "observacion", "{error}");
        check_text(&error, "annul", None);
    }
    for mail in [Mail::new(number.clone(), ""), letter(&number).and(" ")] {
        let error = client.mail(&mail).await.unwrap_err();
        assert!(
            error.is_validation() && error.faults().iter().any(|fault| fault.path() == "email"),
            "{error}"
        );
        check_text(&error, "mail", None);
    }
    assert_eq!(fiscal.requests().len(), sent);
}
