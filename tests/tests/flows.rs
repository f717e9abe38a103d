//! What a back office does in a day: issue, mail, annul, correct, in order and at once.
//!
//! What happened is read back from the sandbox, never taken from the client's word.

use std::collections::BTreeSet;

use fiscal_printer::{
    Client, ControlNumber, Currency, Decimal, Document, DocumentBuilder, DocumentType, ErrorKind, IssueLanes,
    Line, Mail, Meaning, Outcome, Payment, Refusal, Severity, SwappableToken, WireProfile,
};
use integration_sandbox::fiscal::{DocumentState, Endpoint, Fiscal, Issuer, Spelling};
use integration_sandbox::{Fault, Scripted};
use serde_json::{Value, json};

use crate::support::{
    RIF, base64url, builder, builder_for, buyer, client, client_with, filled, invoice, invoice_of, sandbox,
};

/// The body of the n-th document as the sandbox stored it.
fn stored(fiscal: &Fiscal, index: usize) -> Value {
    serde_json::from_slice(&fiscal.documents()[index].body).expect("the sandbox takes JSON only")
}

#[tokio::test]
async fn a_document_is_issued_mailed_annulled_and_another_one_credited() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);

    let first = client.issue(&invoice(1)).await.unwrap();
    let first_number = first.control_number().unwrap();
    assert_eq!(first_number.to_string(), "00-00000001");
    assert_eq!(first.correlative(), Some("00000001"));
    assert!(first.registered_at().is_some() && first.pdf_url().is_some() && first.legal_footer().is_some());
    assert!(first.warnings().iter().all(|warning| warning.rule() == "I14"), "unpaid is all there is to say");

    let mail = Mail::new(first_number.clone(), "compras@example.com").and("archivo@example.com");
    assert!(client.mail(&mail).await.unwrap().message().is_some());
    client.annul(&first_number, "Error de precio").await.unwrap();

    let second = client.issue(&invoice(2)).await.unwrap().control_number().unwrap();
    let note = filled(Document::credit_note(RIF, 1, second.clone())).remark("Devolución").build().unwrap();
    client.issue(&note).await.unwrap();

    let documents = fiscal.documents();
    let rows: Vec<_> = documents
        .iter()
        .map(|document| {
            (
                document.document_type,
                document.internal_number.as_str(),
                document.state,
                document.total.as_str(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (1, "00000001", DocumentState::Annulled, "23.20"),
            (1, "00000002", DocumentState::Issued, "23.20"),
            (3, "00000001", DocumentState::Issued, "23.20"),
        ]
    );
    assert_eq!(documents[0].remark, "Error de precio");
    assert_eq!(stored(fiscal, 2)["relacionado"], "00-00000002");
    let mails = fiscal.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].recipients, ["compras@example.com", "archivo@example.com"]);
    assert_eq!((mails[0].control_number.as_str(), mails[0].sent_by), ("00-00000001", Endpoint::Email));
    assert_eq!(fiscal.requests().len(), 5, "one request for each step");
}

/// A document of each type, the notes on `related`.
fn of_type(kind: DocumentType, number: u32, related: &ControlNumber) -> DocumentBuilder {
    match kind {
        DocumentType::DebitNote => Document::debit_note(RIF, number, related.clone()).remark("Ajuste"),
        DocumentType::CreditNote => Document::credit_note(RIF, number, related.clone()).remark("Devolución"),
        DocumentType::DispatchGuide => Document::dispatch_guide(RIF, number),
        DocumentType::DeliveryNote => Document::delivery_note(RIF, number),
        _ => Document::invoice(RIF, number),
    }
}

/// Lines of 20.00 general, 10.00 reduced, 100.00 luxury and 5.00 exempt, half of it paid in foreign currency.
///
/// By hand: 135.00 + 3.20 + 0.80 + 31.00 = 170.00; IGTF 3 % of 85.00 = 2.55; total 172.55.
fn rich(builder: DocumentBuilder) -> DocumentBuilder {
    builder
        .buyer(buyer())
        .luxury_rate()
        .line(Line::new("A1", "Uno", "20.00", 1))
        .line(Line::new("A2", "Dos", "5.00", 2).reduced())
        .line(Line::new("A3", "Tres", "100.00", 1).luxury())
        .line(Line::new("A4", "Cuatro", "2.50", 2).exempt())
        .igtf_base("85.00")
        .payment(Payment::new("Mixto", "172.55"))
}

#[tokio::test]
async fn every_type_in_every_currency_with_luxury_and_igtf_is_issued() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    let related = client.issue(&invoice(1)).await.unwrap().control_number().unwrap();
    let mut expected = 1;
    for kind in DocumentType::ALL {
        for (step, currency) in [Currency::Bolivar, Currency::Dollar, Currency::Euro].into_iter().enumerate()
        {
            let number = u32::try_from(step).unwrap() + 2;
            let builder = rich(of_type(kind, number, &related));
            let builder = match currency {
                Currency::Bolivar => builder,
                _ => builder.currency(currency, "243.1234"),
            };
            let document = builder.build().unwrap();
            client.issue(&document).await.unwrap_or_else(|error| panic!("{kind:?} {currency:?}: {error}"));
            let body = stored(fiscal, expected);
            assert_eq!(body["idtipodocumento"], kind.code());
            assert_eq!(body["tipomoneda"], currency.code());
            let rate = if currency == Currency::Bolivar { json!(0.0) } else { json!(243.1234) };
            assert_eq!(body["tasacambio"].as_f64(), rate.as_f64());
            for (key, amount) in [
                ("subtotal", "135.00"),
                ("exento", "5.00"),
                ("impuestog", "3.20"),
                ("impuestor", "0.80"),
                ("tasaa", "31.00"),
                ("basea", "100.00"),
                ("impuestoa", "31.00"),
                ("baseigtf", "85.00"),
                ("impuestoigtf", "2.55"),
                ("total", "172.55"),
            ] {
                assert_eq!(
                    token(&fiscal.documents()[expected].body, key),
                    amount,
                    "{kind:?} {currency:?} {key}"
                );
            }
            expected += 1;
        }
    }
    assert_eq!(fiscal.documents().len(), 16);
}

/// The number token of a header key exactly as it was sent: comparing parsed values would hide a lost scale.
fn token(body: &[u8], key: &str) -> String {
    let body = std::str::from_utf8(body).unwrap();
    let (_, rest) = body.split_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} was sent"));
    rest.split([',', '}']).next().unwrap().to_owned()
}

/// Contract 6.3, sample 1, and the JSON of section 3.5, to which the body must parse.
#[tokio::test]
async fn the_vendors_sample_arrives_to_the_cent() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let document = Document::invoice(RIF, 42)
        .buyer(buyer())
        .line(Line::new("A1", "Uno", "10.00", 1).reduced())
        .line(Line::new("A2", "Dos", "20.00", 1))
        .line(Line::new("A3", "Tres", "5.00", 2).exempt())
        .payment(Payment::in_foreign_currency("Efectivo USD", "44.00"))
        .payment(Payment::new("Efectivo", "1.32"))
        .build()
        .unwrap();
    client(fiscal).issue(&document).await.unwrap();
    let example = json!({
        "rif": "J-12345678-4", "nombrecliente": "Comercial Ejemplo", "rifcedulacliente": "V-12345678",
        "idtipocedulacliente": 1, "emailcliente": "compras@example.com", "direccioncliente": "Calle 1",
        "telefonocliente": "584121234567", "idtipodocumento": 1, "numerointerno": "00000042",
        "tasadecambio": 0, "tasacambio": 0, "tipomoneda": 1, "subtotal": 40.0, "exento": 10.0,
        "tasag": 16.0, "baseg": 20.0, "impuestog": 3.2, "tasar": 8.0, "baser": 10.0, "impuestor": 0.8,
        "tasaigtf": 3.0, "baseigft": 44.0, "baseigtf": 44.0, "impuestoigtf": 1.32, "total": 45.32, "sendmail": 0,
        "cuerpofactura": [
            {"codigo": "A1", "descripcion": "Uno", "comentario": "", "precio": 10.0, "cantidad": 1, "tasa": 8,
             "impuesto": 0.8, "descuento": 0.0, "exento": false, "monto": 10.0},
            {"codigo": "A2", "descripcion": "Dos", "comentario": "", "precio": 20.0, "cantidad": 1, "tasa": 16,
             "impuesto": 3.2, "descuento": 0.0, "exento": false, "monto": 20.0},
            {"codigo": "A3", "descripcion": "Tres", "comentario": "", "precio": 5.0, "cantidad": 2, "tasa": 0,
             "impuesto": 0.0, "descuento": 0.0, "exento": true, "monto": 10.0}],
        "formasdepago": [{"forma": "Efectivo USD", "valor": 44.0}, {"forma": "Efectivo", "valor": 1.32}],
    });
    assert_eq!(as_floats(stored(fiscal, 0)), as_floats(example));
    assert_eq!(fiscal.documents()[0].total, "45.32");
    assert_eq!(token(&fiscal.documents()[0].body, "impuestoigtf"), "1.32");
}

/// Whole numbers and floats of the same value as one.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(as_floats).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, as_floats(value))).collect(),
        other => other,
    }
}

/// Contract 6.3, sample 2: a partial IGTF base.
#[tokio::test]
async fn the_public_sample_arrives_to_the_cent() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let document = Document::invoice(RIF, 1)
        .buyer(buyer())
        .line(Line::new("A1", "Exento", "6650.10", 1).exempt())
        .line(Line::new("A2", "Gravado", "328.40", 1))
        .igtf_base("123.15")
        .build()
        .unwrap();
    client(fiscal).issue(&document).await.unwrap();
    let body = &fiscal.documents()[0].body;
    for (key, amount) in [
        ("subtotal", "6978.50"),
        ("exento", "6650.10"),
        ("baseg", "328.40"),
        ("impuestog", "52.54"),
        ("baser", "0.00"),
        ("impuestor", "0.00"),
        ("baseigft", "123.15"),
        ("baseigtf", "123.15"),
        ("impuestoigtf", "3.69"),
        ("total", "7034.73"),
    ] {
        assert_eq!(token(body, key), amount, "{key}");
    }
}

/// Contract section 10, rows 1 and 2: both spellings go out, so that it does not matter which one is deployed.
#[tokio::test]
async fn the_default_spelling_suits_every_deployment() {
    use fiscal_printer::Spelling as Sent;
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let mut number = 0;
    for deployed in [Spelling::Observed, Spelling::Documented, Spelling::Both] {
        fiscal.configure(|settings| settings.spelling = deployed);
        for sent in [Sent::Both, Sent::Documented, Sent::Observed] {
            let client = builder(fiscal).profile(WireProfile::default().spelling(sent)).build().unwrap();
            let document = rich(Document::invoice(RIF, number + 1)).currency(Currency::Dollar, "40.5");
            let result = client.issue(&document.build().unwrap()).await;
            let understood = !matches!(
                (deployed, sent),
                (Spelling::Observed, Sent::Documented) | (Spelling::Documented, Sent::Observed)
            );
            match result {
                Ok(_) => {
                    assert!(understood, "{deployed:?} {sent:?}");
                    number += 1;
                }
                Err(error) => {
                    assert!(!understood, "{deployed:?} {sent:?}: {error}");
                    let refusal = Refusal::of(&error).unwrap();
                    assert_eq!(refusal.meaning(), Some(Meaning::ExchangeRateInvalid));
                    assert!(error.hint().contains("spelling"), "{error}");
                }
            }
        }
    }
}

/// Contract 6.2: 100.50 at 3 % is an exact tie, where the service's doubles give 3.01 and half-up 3.02.
#[tokio::test]
async fn a_predicted_refusal_happens_and_the_servers_rounding_avoids_it() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    let draft = Document::invoice(RIF, 1)
        .buyer(buyer())
        .line(Line::new("A1", "Exento", "100.50", 1).exempt())
        .igtf_base("100.50");

    let fiscal_rounding = draft.clone().build().unwrap();
    assert_eq!(fiscal_rounding.totals().igtf.tax, Decimal::new(302, 2));
    let predicted = fiscal_rounding.server_disagreements();
    assert_eq!((predicted.len(), predicted[0].step, predicted[0].path.as_str()), (1, "S1", "impuestoigtf"));
    assert_eq!(predicted[0].server, Some(Decimal::new(301, 2)));
    let error = client.issue(&fiscal_rounding).await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("4")));

    let servers = draft.rounding(fiscal_printer::RoundingPolicy::ServerCompatible).build().unwrap();
    assert_eq!(servers.totals().igtf.tax, Decimal::new(301, 2));
    assert!(servers.warnings().iter().any(|warning| warning.rule() == "S1"), "the cent is reported");
    client.issue(&servers).await.expect("the same number, the service's cent");
    assert_eq!(fiscal.documents()[0].total, "103.51");
}

#[tokio::test]
async fn three_hundred_documents_are_issued_in_order() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let mut batch = client(fiscal).issue_all((1..=300).map(invoice));
    let mut seen = Vec::new();
    while let Some(item) = batch.next().await {
        let issued = item.result.unwrap();
        assert_eq!((item.index, item.total), (seen.len(), 300));
        seen.push((item.document.number().to_string(), issued.control_text().to_owned()));
    }
    let expected: Vec<_> = (1..=300).map(|n| (format!("{n:08}"), format!("00-{n:08}"))).collect();
    assert_eq!(seen, expected);
    let documents = fiscal.documents();
    let stored: Vec<_> =
        documents.into_iter().map(|document| (document.internal_number, document.control_number)).collect();
    assert_eq!(stored, expected);
    assert_eq!(fiscal.requests().len(), 300);
}

#[tokio::test]
async fn a_batch_stops_at_the_first_unknown_outcome_whatever_it_was_told() {
    for past_refusals in [false, true] {
        let sandbox = sandbox().await;
        let fiscal = sandbox.fiscal();
        let mut batch = client(fiscal).issue_all((1..=10).map(invoice));
        if past_refusals {
            batch = batch.continue_past_refusals();
        }
        for _ in 0..3 {
            batch.next().await.unwrap().result.unwrap();
        }
        fiscal.inject(Endpoint::Issue, Fault::ActThenReset);
        let lost = batch.next().await.unwrap();
        assert_eq!(lost.index, 3);
        assert!(lost.result.unwrap_err().is_outcome_unknown());
        assert!(batch.next().await.is_none());
        assert_eq!(batch.remaining(), 6);
        let left: Vec<_> = batch.into_remaining().iter().map(|document| document.number().value()).collect();
        assert_eq!(left, [5, 6, 7, 8, 9, 10]);
        // The fourth exists although nobody heard of it; the others were never sent.
        assert_eq!((fiscal.documents().len(), fiscal.requests().len()), (4, 4));
    }
}

/// Invoices around a note on an invoice that does not exist (code 11) and a number that skips one (code 9).
fn with_refusals() -> Vec<Document> {
    let nowhere = "00-99999999".parse().unwrap();
    let note = filled(Document::credit_note(RIF, 1, nowhere)).remark("Devolución").build().unwrap();
    let gap = filled(Document::dispatch_guide(RIF, 3)).build().unwrap();
    let first_guide = filled(Document::dispatch_guide(RIF, 1)).build().unwrap();
    vec![invoice(1), note, first_guide, gap, invoice(2)]
}

#[tokio::test]
async fn a_batch_goes_past_refusals_only_on_request() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);

    let mut strict = client.issue_all(with_refusals());
    assert!(strict.next().await.unwrap().result.is_ok());
    assert!(strict.next().await.unwrap().result.unwrap_err().is_refused());
    assert!(strict.next().await.is_none());
    assert_eq!((strict.remaining(), fiscal.requests().len()), (3, 2));

    fiscal.reset();
    let mut patient = client.issue_all(with_refusals()).continue_past_refusals();
    let mut codes = Vec::new();
    while let Some(item) = patient.next().await {
        let error = item.result.err();
        codes.push(error.as_ref().and_then(|error| error.service_code().map(str::to_owned)));
    }
    let [eleven, nine] = ["11", "9"].map(|code| Some(code.to_owned()));
    assert_eq!(codes, [None, eleven, None, nine, None]);
    assert_eq!(fiscal.documents().len(), 3);
}

/// Lanes, proven at the service: every answer is held, so whatever could overlap would pile up there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_tasks_on_clones_of_one_client_never_overlap() {
    const TASKS: u32 = 50;
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    // Whichever task comes first: this issuer's numbers are not enforced.
    let rif = "G-12345678-7";
    let token = fiscal.add_issuer(Issuer::new(rif).validar_interno(0));
    fiscal.inject_always(Endpoint::Issue, Fault::ActThenHold);
    let client = client_with(fiscal, &token);
    let tasks: Vec<_> = (1..=TASKS)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.issue(&invoice_of(rif, number)).await })
        })
        .collect();
    for count in 1..=TASKS as usize {
        fiscal.wait_for_requests(count).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let seen = fiscal.requests();
        assert_eq!(seen.len(), count, "nothing else came while an answer was out");
        assert_eq!(seen.iter().filter(|request| request.status.is_none()).count(), 1);
        fiscal.release_held();
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let numbers: BTreeSet<_> =
        fiscal.documents().into_iter().map(|document| document.internal_number).collect();
    assert_eq!(numbers.len(), TASKS as usize);
}

#[tokio::test]
async fn a_lane_per_type_lets_types_overtake_each_other_but_not_documents_of_one_type() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    fiscal.inject_always(Endpoint::Issue, Fault::ActThenHold);
    let client = builder(fiscal).issue_lanes(IssueLanes::PerType).build().unwrap();
    let guide = filled(Document::dispatch_guide(RIF, 1)).build().unwrap();
    let tasks: Vec<_> = [invoice(1), guide, invoice(2)]
        .into_iter()
        .map(|document| {
            let client = client.clone();
            tokio::spawn(async move { client.issue(&document).await })
        })
        .collect();
    fiscal.wait_for_requests(2).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    let types: BTreeSet<_> = fiscal.documents().iter().map(|document| document.document_type).collect();
    assert_eq!(types, BTreeSet::from([1, 4]));
    fiscal.clear_faults();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(fiscal.documents().len(), 3);
}

#[tokio::test]
async fn a_swapped_token_serves_the_next_call() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let other = "G-12345678-7";
    let other_token = fiscal.add_issuer(Issuer::new(other));
    let token = SwappableToken::new(fiscal.token());
    let client: Client = builder_for(fiscal).token_provider(token.clone()).build().unwrap();
    let first = client.issue(&invoice(1)).await.unwrap().control_number().unwrap();

    token.swap(other_token);
    let error = client.issue(&invoice(2)).await.unwrap_err();
    assert!(error.is_validation() && error.is_not_sent());
    client.issue(&invoice_of(other, 1)).await.unwrap();
    // Annulling goes by the token's own RIF: the first document is another issuer's now.
    assert!(client.annul(&first, "Prueba").await.unwrap().message().is_some());
    let documents = fiscal.documents();
    let states: Vec<_> = documents.iter().map(|document| (document.rif.as_str(), document.state)).collect();
    assert_eq!(states, [(RIF, DocumentState::Issued), (other, DocumentState::Annulled)]);

    token.swap(fiscal.token());
    client.annul(&first, "Prueba").await.unwrap();
    assert_eq!(fiscal.documents()[0].state, DocumentState::Annulled);
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused_before_anything_is_sent() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let token = fiscal.add_issuer(Issuer::new("G-12345678-7"));
    let client = builder_for(fiscal).token(token).rif(RIF).build().unwrap();
    let number: ControlNumber = "00-00000001".parse().unwrap();
    let errors = [
        client.issue(&invoice(1)).await.unwrap_err(),
        client.annul(&number, "Prueba").await.unwrap_err(),
        client.mail(&Mail::new(number, "compras@example.com")).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Validation, Outcome::NotSent));
        let fault = error.faults().iter().find(|fault| fault.severity() == Severity::Error).unwrap();
        assert_eq!((fault.rule(), fault.path()), ("T1", "rif"), "{error}");
        assert!(error.to_string().contains("G-12345678-7") && error.to_string().contains(RIF), "{error}");
    }
    assert_eq!((fiscal.requests().len(), fiscal.connections()), (0, 0));
}

/// Contract section 2: "Undecodable token: warn, treat `validarinterno` as unknown, go on."
#[tokio::test]
async fn a_token_that_cannot_be_read_is_used_all_the_same() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let unreadable = [
        "opaque-token".to_owned(),
        format!("e30.{}.c2ln", base64url(b"no JSON")),
        format!("e30.{}.c2ln", base64url(b"{\"user\":7}")),
    ];
    for token in unreadable {
        fiscal.reset();
        let client = builder_for(fiscal).token(token.as_str()).build().unwrap();
        let done = r#"{"success":true,"data":{"numerodocumento":"00-00000007"}}"#;
        fiscal.inject(Endpoint::Issue, Fault::Answer(Scripted::new(200).body(done)));
        let issued = client.issue(&invoice(1)).await.unwrap();
        assert!(issued.warnings().iter().any(|warning| warning.rule() == "T1"), "{token}");
        assert_eq!(fiscal.requests().len(), 1);
        // The sandbox itself cannot verify it either.
        let error = client.issue(&invoice(1)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Authentication, Outcome::Refused));
        // Without a RIF in the token, somebody must name the issuer.
        let number: ControlNumber = "00-00000007".parse().unwrap();
        assert!(client.annul(&number, "Prueba").await.unwrap_err().is_validation());
        let named = builder_for(fiscal).token(token.as_str()).rif(RIF).build().unwrap();
        assert_eq!(named.annul(&number, "Prueba").await.unwrap_err().service_code(), Some("1"));
    }
}

/// Contract section 7: a body RIF that is not canonical but equals the token's text is sent as the token spells it.
#[tokio::test]
async fn the_tokens_spelling_of_the_rif_is_sent() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let spelt = "J123456784";
    let token = fiscal.add_issuer(Issuer::new(spelt));
    let client = client_with(fiscal, &token);
    let issued = client.issue(&invoice_of(spelt, 1)).await.unwrap();
    assert!(issued.warnings().iter().any(|warning| warning.rule() == "T1"));
    assert_eq!(fiscal.documents()[0].rif, spelt);
    let error = client.issue(&invoice(2)).await.unwrap_err();
    assert!(error.is_validation(), "as bytes the canonical text differs: {error}");
}

#[tokio::test]
async fn mailing_at_issue_is_asked_for_by_a_number_or_by_a_text() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    for (number, as_text) in [(1, false), (2, true)] {
        let client =
            builder(fiscal).profile(WireProfile::default().sendmail_as_text(as_text)).build().unwrap();
        let document = filled(Document::invoice(RIF, number)).mail_at_issue().build().unwrap();
        client.issue(&document).await.unwrap();
        assert_eq!(
            stored(fiscal, number as usize - 1)["sendmail"],
            if as_text { json!("1") } else { json!(1) }
        );
    }
    let mails = fiscal.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.sent_by == Endpoint::Issue));
}

#[tokio::test]
async fn a_dry_run_sends_nothing_and_shows_what_would_go_out() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    let shown = client.dry_run(&invoice(1)).await.unwrap();
    assert_eq!(fiscal.connections(), 0);
    client.issue(&invoice(1)).await.unwrap();
    assert_eq!(fiscal.documents()[0].body, shown.json());
}
