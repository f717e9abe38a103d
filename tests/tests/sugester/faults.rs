//! The fault matrix for both services (contract 2.4, 3.7, 3.9 and 4.9): reads, keyed and unkeyed writes, pages, a file.
//!
//! Counted at the service: a `GET` is tried three times at most and only where the cause may pass, everything else is sent once; nothing
//! is made twice; nothing that did not arrive is reported as there, or as not there.

use std::time::Duration;

use integration_sandbox::bitfactura::{Endpoint as Billing, Table as Books};
use integration_sandbox::sugester::{Endpoint as Crm, Table};
use integration_sandbox::{Fault, Scripted};
use rust_decimal::Decimal;
use sugester::bitfactura::{Buyer, InvoiceFields, NewInvoice, PositionFields};
use sugester::crm::{ClientFields, ListQuery, NewClient};
use sugester::value::AppKey;
use sugester::{Error, ErrorExt, ErrorKind, Outcome};

use super::Bench;

/// Longer than three attempts of 30 s each, and than the whole of a call.
const AGES: Duration = Duration::from_secs(331);

struct Row {
    fault: Fault,
    kind: ErrorKind,
    /// Of a write.
    outcome: Outcome,
    status: Option<u16>,
    /// Contract 2.4: connection and reset, 429, 502 to 504.
    may_pass: bool,
}

/// One row for each fault of the sandbox that ends in exactly one way. [`Fault::ResetOnAccept`] is left out: whether the reset comes
/// before or after the first byte left is the kernel's affair.
fn rows() -> Vec<Row> {
    use ErrorKind::{
        Authentication, Interrupted, RateLimited, Refused, Timeout, TooLarge, UnexpectedAnswer,
        UnexpectedStatus,
    };
    let row = |fault, kind, outcome, status, may_pass| Row { fault, kind, outcome, status, may_pass };
    let unknown = |fault, kind, status, may_pass| row(fault, kind, Outcome::Unknown, status, may_pass);
    let mut rows = vec![
        unknown(Fault::ResetBeforeBody, Interrupted, None, true),
        unknown(Fault::ResetBeforeActing, Interrupted, None, true),
        unknown(Fault::CloseBeforeActing, Interrupted, None, true),
        unknown(Fault::ActThenReset, Interrupted, None, true),
        unknown(Fault::ActThenClose, Interrupted, None, true),
        unknown(Fault::ActThenCutBody, Interrupted, None, true),
        unknown(Fault::ActThenCutChunked, Interrupted, None, true),
        unknown(Fault::Hang, Timeout, None, false),
        unknown(Fault::ActThenHang, Timeout, None, false),
        unknown(Fault::ActThenStall, Timeout, None, false),
        unknown(Fault::ActThenHold, Timeout, None, false),
        unknown(Fault::act_then_status(408), UnexpectedStatus, Some(408), false),
        unknown(Fault::act_then_status(500), UnexpectedStatus, Some(500), false),
        unknown(Fault::act_then_html(502), UnexpectedStatus, Some(502), true),
        unknown(Fault::act_then_html(503), UnexpectedStatus, Some(503), true),
        unknown(Fault::act_then_html(504), UnexpectedStatus, Some(504), true),
        unknown(Fault::unavailable("0"), UnexpectedStatus, Some(503), true),
        unknown(Fault::ActThenEmpty, UnexpectedAnswer, Some(200), false),
        unknown(Fault::ActThenTruncated, UnexpectedAnswer, Some(200), false),
        unknown(Fault::ActThenShortLength, UnexpectedAnswer, Some(200), false),
        unknown(Fault::ActThenOversized { bytes: 17 * 1024 * 1024 }, TooLarge, Some(200), false),
        unknown(Fault::Html, UnexpectedAnswer, Some(200), false),
        unknown(Fault::Empty, UnexpectedAnswer, Some(200), false),
        unknown(scripted(200, "null"), UnexpectedAnswer, Some(200), false),
        unknown(scripted(200, "{}"), UnexpectedAnswer, Some(200), false),
        // The service said that it did not act.
        row(Fault::too_many_requests("0"), RateLimited, Outcome::Refused, Some(429), true),
        row(scripted(401, "null"), Authentication, Outcome::Refused, Some(401), false),
        row(scripted(200, r#"{"code":"error","message":"no"}"#), Refused, Outcome::Refused, Some(200), false),
        row(
            scripted(200, r#"{"status":"error","message":"no"}"#),
            Refused,
            Outcome::Refused,
            Some(200),
            false,
        ),
        row(
            scripted(422, r#"{"code":"error","message":{"name":["- no"]}}"#),
            Refused,
            Outcome::Refused,
            Some(422),
            false,
        ),
    ];
    rows.extend([301, 302, 303, 307, 308].map(|status| {
        let location = "http://127.0.0.1:1/app/clients.json".to_owned();
        unknown(Fault::Redirect { status, location }, UnexpectedStatus, Some(status), false)
    }));
    rows
}

fn scripted(status: u16, body: &str) -> Fault {
    Fault::Answer(Scripted::new(status).header("content-type", "application/json").body(body))
}

fn keeps_silent(fault: &Fault) -> bool {
    matches!(fault, Fault::Hang | Fault::ActThenHang | Fault::ActThenStall | Fault::ActThenHold)
}

/// Runs a call that meets `fault`; where the fault keeps silent, lets the limit strike once the service has read the request.
async fn meet<T>(
    bench: &Bench,
    fault: &Fault,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let (crm, billing) = (bench.sandbox.sugester(), bench.sandbox.bitfactura());
    let (already, there) = (crm.requests().len(), billing.requests().len());
    let strike = async {
        if keeps_silent(fault) {
            tokio::select! {
                () = crm.wait_for_requests(already + 1) => {}
                () = billing.wait_for_requests(there + 1) => {}
            }
            bench.clock.advance(AGES);
        }
    };
    tokio::join!(call, strike).0
}

fn check(row: &Row, error: &Error, outcome: Outcome) {
    let what = format!("{:?}: {error}", row.fault);
    assert_eq!((error.kind(), error.outcome()), (row.kind, outcome), "{what}");
    match (error.status(), row.status) {
        // A creation answers 201.
        (Some(status), Some(200)) => assert!(status.is_success(), "{what}"),
        (status, expected) => assert_eq!(status.map(|status| status.as_u16()), expected, "{what}"),
    }
    // One line, with the operation, what is known, and what to do.
    assert!(error.to_string().contains(error.operation()) && !error.to_string().contains('\n'), "{what}");
    assert!(!error.hint().is_empty(), "{what}");
    assert_eq!(error.to_string().contains("OUTCOME UNKNOWN"), outcome == Outcome::Unknown, "{what}");
}

/// Nothing to apply; or the service says that it did nothing.
fn of_a_read(row: &Row) -> Outcome {
    if row.outcome == Outcome::Refused { Outcome::Refused } else { Outcome::ReadOnly }
}

#[tokio::test]
async fn a_write_without_a_key_is_sent_once_whatever_befalls_it() {
    for row in rows() {
        let bench = Bench::new().await;
        let (client, service) = (bench.crm(), bench.sandbox.sugester());
        service.inject_always(Crm::CreateClient, row.fault.clone());
        let wanted = NewClient::company("Acme SpA");
        let call = client.create_client(&wanted);
        let error = meet(&bench, &row.fault, call).await.unwrap_err();
        check(&row, &error, row.outcome);
        assert_eq!((service.requests().len(), error.attempts()), (1, 1), "{:?}", row.fault);
        assert_eq!(service.created(Table::Clients), usize::from(row.fault.acts()), "{:?}", row.fault);
    }
}

#[tokio::test]
async fn a_read_recovers_from_what_passes_and_gives_up_after_three() {
    for row in rows().into_iter().filter(|row| !keeps_silent(&row.fault)) {
        let bench = Bench::new().await;
        let (client, service) = (bench.crm(), bench.sandbox.sugester());
        let id = service.add(Table::Clients, &serde_json::json!({"name": "Acme SpA"})).unwrap();
        service.inject(Crm::Client, row.fault.clone());
        let once = client.client(id).await;
        assert_eq!(once.is_ok(), row.may_pass, "{:?}: {once:?}", row.fault);
        assert_eq!(service.requests().len(), if row.may_pass { 2 } else { 1 }, "{:?}", row.fault);
        assert!(once.is_err() || once.unwrap().name.as_deref() == Some("Acme SpA"));

        let already = service.requests().len();
        service.inject_always(Crm::Client, row.fault.clone());
        let error = bench.crm().client(id).await.unwrap_err();
        check(&row, &error, of_a_read(&row));
        let sent = service.requests().len() - already;
        assert_eq!(sent, if row.may_pass { 3 } else { 1 }, "{:?}", row.fault);
        assert!(!error.is_not_found(), "could not ask is not: not there");
    }
}

#[tokio::test]
async fn a_read_that_is_never_answered_ends() {
    for row in rows().into_iter().filter(|row| keeps_silent(&row.fault)) {
        let bench = Bench::new().await;
        let service = bench.sandbox.sugester();
        let id = service.add(Table::Clients, &serde_json::json!({"name": "Acme SpA"})).unwrap();
        service.inject_always(Crm::Client, row.fault.clone());
        let client = bench.crm();
        let error = meet(&bench, &row.fault, client.client(id)).await.unwrap_err();
        check(&row, &error, of_a_read(&row));
        assert!(service.requests().len() <= 3);
    }
}

fn invoice(buyer: u64) -> NewInvoice {
    let position = PositionFields {
        name: "Consulting".into(),
        tax: "19".into(),
        quantity: Decimal::TWO.into(),
        price_net: Decimal::new(50_000, 2).into(),
        ..PositionFields::default()
    };
    NewInvoice::new(Buyer::Existing(buyer)).position(position).fields(InvoiceFields::default()).oid("o-1")
}

/// Contract 4.9: sent once, looked up where the answer does not tell; called again, it is there once.
#[tokio::test]
async fn an_invoice_with_a_key_is_made_once_whatever_befalls_it() {
    for row in rows() {
        let bench = Bench::new().await;
        let (client, service) = (bench.billing(), bench.sandbox.bitfactura());
        let buyer = service.add(Books::Clients, &serde_json::json!({"name": "Acme SpA"})).unwrap();
        service.inject(Billing::CreateInvoice, row.fault.clone());
        let wanted = invoice(buyer);
        let first = meet(&bench, &row.fault, client.create_invoice_keyed(&wanted)).await;
        let made = service.created(Books::Invoices);
        assert_eq!(made, usize::from(row.fault.acts()), "{:?}", row.fault);
        match &first {
            Ok(found) => assert!(found.was_found() && made == 1, "{:?}", row.fault),
            Err(error) => check(&row, error, row.outcome),
        }
        assert_eq!(first.is_ok(), made == 1, "{:?}: what was made is found", row.fault);

        let again = client.create_invoice_keyed(&wanted).await.unwrap();
        assert_eq!(again.was_found(), made == 1, "{:?}", row.fault);
        assert_eq!(service.created(Books::Invoices), 1, "{:?}", row.fault);
    }
}

/// The look-up fails too: then nobody knows, and it says so.
#[tokio::test]
async fn what_could_not_be_looked_up_stays_unknown() {
    for looking in [Fault::Html, Fault::act_then_status(500), scripted(200, r#"{"code":"error"}"#)] {
        let bench = Bench::new().await;
        let (client, service) = (bench.billing(), bench.sandbox.bitfactura());
        let buyer = service.add(Books::Clients, &serde_json::json!({"name": "Acme SpA"})).unwrap();
        service.inject(Billing::CreateInvoice, Fault::ActThenReset);
        service.inject_always(Billing::Invoices, looking.clone());
        let error = client.create_invoice_keyed(&invoice(buyer)).await.unwrap_err();
        assert!(error.is_outcome_unknown(), "{looking:?}: {error}");
        service.clear_faults();
        assert!(client.create_invoice_keyed(&invoice(buyer)).await.unwrap().was_found());
        assert_eq!(service.created(Books::Invoices), 1);
    }
}

#[tokio::test]
async fn a_client_with_a_key_is_made_once_whatever_befalls_it() {
    let shop: AppKey = "shop".parse().unwrap();
    for row in rows() {
        let bench = Bench::new().await;
        let (client, service) = (bench.crm(), bench.sandbox.sugester());
        let wanted = NewClient::company("Acme SpA");
        service.inject(Crm::CreateClient, row.fault.clone());
        // The look-up comes first, so the silence is met by the second request.
        let call = client.create_client_keyed(&shop, 17, &wanted);
        let strike = async {
            if keeps_silent(&row.fault) {
                service.wait_for_requests(2).await;
                bench.clock.advance(AGES);
            }
        };
        let first = tokio::join!(call, strike).0;
        let made = service.created(Table::Clients);
        assert_eq!((made, first.is_ok()), (usize::from(row.fault.acts()), made == 1), "{:?}", row.fault);
        if let Err(error) = &first {
            check(&row, error, row.outcome);
        }
        let again = client.create_client_keyed(&shop, 17, &wanted).await.unwrap();
        assert_eq!((again.was_found(), service.created(Table::Clients)), (made == 1, 1), "{:?}", row.fault);
    }
}

/// Row 20 of the matrix: a page that fails is an error and never the end; asked again, the list goes on where it was.
#[tokio::test]
async fn a_page_that_fails_is_not_the_end_of_the_list() {
    for row in rows().into_iter().filter(|row| !keeps_silent(&row.fault)) {
        // A list may be `null`, which is empty (contract 3.9).
        if row.fault == scripted(200, "null") {
            continue;
        }
        let bench = Bench::new().await;
        let (client, service) = (bench.crm(), bench.sandbox.sugester());
        service.seed(25, 7);
        let mut pages = client.clients(&ListQuery::new().per_page(10)).unwrap();
        let mut seen: Vec<u64> = Vec::new();
        seen.extend(pages.next_page().await.unwrap().unwrap().items.iter().map(|record| record.id));
        service.inject_always(Crm::Clients, row.fault.clone());
        let error = pages.next_page().await.unwrap_err();
        check(&row, &error, of_a_read(&row));
        service.clear_faults();
        // A client of its own, so that no retry budget runs out on the way.
        let mut pages = bench.crm().clients(&ListQuery::new().per_page(10).starting_at(2)).unwrap();
        while let Some(page) = pages.next_page().await.unwrap() {
            seen.extend(page.items.iter().map(|record| record.id));
        }
        seen.sort_unstable();
        let there = service.records(Table::Clients);
        let there: Vec<u64> = there.iter().filter_map(|record| record["id"].as_u64()).collect();
        assert_eq!((seen.len(), seen), (25, there), "{:?}: each once", row.fault);
    }
}

/// A file that came whole is saved; of any other nothing is left.
#[tokio::test]
async fn a_pdf_is_whole_or_not_there() {
    for fault in [
        Fault::ResetBeforeActing,
        Fault::ActThenReset,
        Fault::ActThenCutBody,
        Fault::ActThenCutChunked,
        Fault::Html,
        Fault::Empty,
        Fault::act_then_html(502),
        Fault::redirect("http://127.0.0.1:1/x.pdf"),
        scripted(422, r#"{"code":"error","message":"not yet"}"#),
        scripted(200, r#"{"code":"error","message":"no"}"#),
    ] {
        let bench = Bench::new().await;
        let (client, service) = (bench.billing(), bench.sandbox.bitfactura());
        service.seed(1, 1, 7);
        let id = service.records(Books::Invoices)[0]["id"].as_u64().unwrap();
        service.inject_always(Billing::Pdf, fault.clone());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("881.pdf");
        let error = client.invoice_pdf(id).save_to(&path).await.unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{fault:?}: {error}");
        service.clear_faults();
        let fetched = bench.billing().invoice_pdf(id).save_to(&path).await.unwrap();
        let file = std::fs::read(&path).unwrap();
        assert!(file.starts_with(b"%PDF-") && file.len() as u64 == fetched.length, "{fault:?}");
    }
}

/// Contract 3.7: wrong token, wrong right, wrong account, nobody there: each is told apart, and was not applied.
#[tokio::test]
async fn what_a_person_has_to_mend_is_told_apart() {
    let bench = Bench::new().await;
    let (client, service) = (bench.crm(), bench.sandbox.sugester());
    let wanted = NewClient::company("Acme SpA");
    service.inject(Crm::CreateClient, scripted(403, "null"));
    assert_eq!(client.create_client(&wanted).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert!(client.client(404).await.unwrap_err().is_not_found());
    let change = ClientFields { city: "Temuco".into(), ..ClientFields::default() };
    assert!(client.update_client(404, &change).await.unwrap_err().is_not_found());
    service.configure(|settings| settings.wire.no_account = true);
    let error = client.create_client(&wanted).await.unwrap_err();
    assert_eq!((error.reason(), error.outcome()), (Some(sugester::Reason::NoAccount), Outcome::Refused));
    service.configure(|settings| settings.wire.no_account = false);
    service.revoke_token(service.token());
    let error = client.create_client(&wanted).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Authentication, Outcome::Refused));
    service.refuse_connections().await.unwrap();
    let error = client.create_client(&wanted).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent));
    assert_eq!(service.created(Table::Clients), 0);
}
