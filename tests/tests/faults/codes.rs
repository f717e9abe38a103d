//! The codes of section 5: provoked at the sandbox where the crate lets such a document out at all, scripted elsewhere.

use fiscal_printer::{
    CodeTable, Document, DocumentBuilder, Endpoint as At, Error, ErrorKind, Line, Meaning, Outcome, Refusal,
};
use integration_sandbox::fiscal::{Endpoint, Fiscal, Issuer, Spelling};
use integration_sandbox::{Fault, Sandbox, Scripted};

use crate::support::{
    RIF, builder, builder_for, buyer, check_text, client, filled, invoice, invoice_of, sandbox,
};

/// Both columns of section 5 for `/facturacion`, written down a second time.
const TABLE: [(i64, Option<Meaning>, Option<Meaning>); 18] = [
    (1, Some(Meaning::TokenInvalid), Some(Meaning::TokenInvalid)),
    (2, Some(Meaning::FieldInvalid), Some(Meaning::BuyerMissing)),
    (3, Some(Meaning::RifMismatch), Some(Meaning::RifMismatch)),
    (4, Some(Meaning::TaxWrong), Some(Meaning::AmountWrong)),
    (5, Some(Meaning::FieldMissing), Some(Meaning::RelatedMissing)),
    (7, None, Some(Meaning::NumberEmpty)),
    (8, None, Some(Meaning::NumberTaken)),
    (9, None, Some(Meaning::NumberNotNext)),
    (10, None, Some(Meaning::ItemsMissing)),
    (11, None, Some(Meaning::RelatedUnknown)),
    (12, None, Some(Meaning::NoControlNumbersLeft)),
    (13, None, Some(Meaning::PaymentMissing)),
    (14, None, Some(Meaning::PaymentFormEmpty)),
    (20, None, Some(Meaning::RemarkMissing)),
    (21, None, Some(Meaning::AddressMissing)),
    (22, None, Some(Meaning::PhoneMissing)),
    (23, None, Some(Meaning::ExchangeRateInvalid)),
    (24, None, Some(Meaning::CurrencyInvalid)),
];

#[tokio::test]
async fn every_code_has_both_its_meanings() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    for table in [CodeTable::Documented, CodeTable::Observed] {
        let client = builder(fiscal).code_table(table).build().unwrap();
        for (code, documented, observed) in TABLE {
            let body =
                format!(r#"{{"success":false,"error":{{"code":{code},"message":"el ultimo es 41"}}}}"#);
            fiscal.inject(Endpoint::Issue, Fault::Answer(Scripted::new(202).body(body)));
            let error = client.issue(&invoice(1)).await.unwrap_err();
            let refusal = Refusal::of(&error).unwrap();
            assert_eq!((refusal.endpoint(), refusal.raw_code()), (At::Issue, code.to_string().as_str()));
            assert_eq!((refusal.documented(), refusal.observed()), (documented, observed), "code {code}");
            let first = if table == CodeTable::Documented {
                documented.or(observed)
            } else {
                observed.or(documented)
            };
            assert_eq!(refusal.meaning(), first, "code {code}");
            assert_eq!(error.hint(), first.unwrap().advice());
            assert_eq!(refusal.current_maximum(), (code == 9).then_some(41));
            check_text(&error, "issue", Some(202));
        }
    }
}

/// Sends a document that the sandbox refuses, and checks the refusal.
async fn refused(fiscal: &Fiscal, document: Document, code: &str) -> Error {
    let before = fiscal.documents().len();
    let error = client(fiscal).issue(&document).await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some(code)), "{error}");
    check_text(&error, "issue", Some(202));
    assert_eq!(fiscal.documents().len(), before, "code {code}");
    error
}

#[tokio::test]
async fn code_1_is_a_token_whose_signature_is_wrong() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let (signed, _) = fiscal.token().rsplit_once('.').unwrap();
    let client = builder_for(fiscal).token(format!("{signed}.AAAA")).build().unwrap();
    let error = client.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Authentication, Outcome::Refused));
    assert_eq!(error.service_code(), Some("1"));
    check_text(&error, "issue", Some(202));
}

#[tokio::test]
async fn code_3_is_an_issuer_that_the_service_does_not_know() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let rif = "G-12345678-7";
    let token = fiscal.add_issuer(Issuer::new(rif));
    fiscal.reset();
    let client = builder_for(fiscal).token(token).build().unwrap();
    let error = client.issue(&invoice_of(rif, 1)).await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("3")), "{error}");
}

#[tokio::test]
async fn codes_8_and_9_tell_about_the_series() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    // The first number of a series is free.
    client(fiscal).issue(&invoice(41)).await.unwrap();
    let taken = refused(fiscal, invoice(41), "8").await;
    assert_eq!(Refusal::of(&taken).unwrap().current_maximum(), None);
    for number in [43, 40, 99] {
        let error = refused(fiscal, invoice(number), "9").await;
        assert_eq!(Refusal::of(&error).unwrap().current_maximum(), Some(41));
    }
    // Exact text is what is taken: the same number padded otherwise is not taken, only not next.
    let padded = fiscal_printer::InternalNumber::with_width(41, 10).unwrap();
    let document = filled(Document::invoice(RIF, padded)).build().unwrap();
    refused(fiscal, document, "9").await;
    client(fiscal).issue(&invoice(42)).await.unwrap();
    assert_eq!(fiscal.documents().len(), 2);
}

/// After every refusal of the sandbox the corrected document goes out under the same number (contract 9.1, last row).
async fn corrected(sandbox: &Sandbox, document: DocumentBuilder) {
    let issued = client(sandbox.fiscal()).issue(&document.build().unwrap()).await;
    issued.unwrap_or_else(|error| panic!("the same number is free: {error}"));
}

#[tokio::test]
async fn code_4_is_a_cent_of_the_services_doubles() {
    let sandbox = sandbox().await;
    // Contract 6.2: 0.29 x 0.5 is 0.14 there and 0.15 by half-up.
    let draft =
        Document::invoice(RIF, 1).buyer(buyer()).line(Line::new("A", "Cable", "0.29", "0.5").exempt());
    let document = draft.clone().build().unwrap();
    assert!(document.warnings().iter().any(|warning| warning.rule() == "S4"));
    refused(sandbox.fiscal(), document, "4").await;
    corrected(&sandbox, draft.rounding(fiscal_printer::RoundingPolicy::ServerCompatible)).await;
}

#[tokio::test]
async fn code_4_is_a_guide_without_amounts() {
    let sandbox = sandbox().await;
    let free = Document::dispatch_guide(RIF, 1).buyer(buyer()).line(Line::new("A", "Caja", 0, 1).exempt());
    let document = free.clone().build().unwrap();
    assert!(
        document.warnings().iter().any(|warning| (warning.rule(), warning.path()) == ("I13", "subtotal"))
    );
    refused(sandbox.fiscal(), document, "4").await;
    corrected(&sandbox, free.line(Line::new("B", "Caja", 1, 1).exempt())).await;
}

#[tokio::test]
async fn code_10_is_a_document_without_items() {
    use fiscal_printer::HeaderAmount::{Exempt, Subtotal, Total};
    let sandbox = sandbox().await;
    let draft = Document::invoice(RIF, 1).buyer(buyer());
    let empty =
        draft.clone().claim(Exempt, "10.00").claim(Subtotal, "10.00").claim(Total, "10.00").build().unwrap();
    assert!(empty.warnings().iter().any(|warning| warning.rule() == "R31"));
    refused(sandbox.fiscal(), empty, "10").await;
    corrected(&sandbox, filled(draft)).await;
}

#[tokio::test]
async fn code_11_is_a_note_on_a_document_of_nobody() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let number = client(fiscal).issue(&invoice(1)).await.unwrap().control_number().unwrap();
    let note = |on| filled(Document::credit_note(RIF, 1, on)).remark("Devolución");
    refused(fiscal, note("00-99999999".parse().unwrap()).build().unwrap(), "11").await;
    // The look-up is by exact text: another spelling of the same number is not found.
    refused(fiscal, note("00-1".parse().unwrap()).build().unwrap(), "11").await;
    corrected(&sandbox, note(number)).await;
}

#[tokio::test]
async fn code_12_is_an_issuer_without_control_numbers() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    fiscal.set_control_numbers_left(RIF, 1);
    client(fiscal).issue(&invoice(1)).await.unwrap();
    let error = refused(fiscal, invoice(2), "12").await;
    assert_eq!(Refusal::of(&error).unwrap().meaning(), Some(Meaning::NoControlNumbersLeft));
    fiscal.set_control_numbers_left(RIF, 5);
    corrected(&sandbox, filled(Document::invoice(RIF, 2))).await;
}

#[tokio::test]
async fn code_23_is_a_spelling_that_is_not_deployed() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    fiscal.configure(|settings| settings.spelling = Spelling::Documented);
    let profile = fiscal_printer::WireProfile::default().spelling(fiscal_printer::Spelling::Observed);
    let client = builder(fiscal).profile(profile).build().unwrap();
    let document = filled(Document::invoice(RIF, 1)).currency(fiscal_printer::Currency::Euro, "50");
    let error = client.issue(&document.build().unwrap()).await.unwrap_err();
    assert_eq!((error.outcome(), error.service_code()), (Outcome::Refused, Some("23")));
}

/// Codes 8 and 9 are not enforced where the token says so, and then a number may be used twice.
#[tokio::test]
async fn without_enforcement_a_number_is_no_protection() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let rif = "G-12345678-7";
    let token = fiscal.add_issuer(Issuer::new(rif).validar_interno(0));
    let client = builder_for(fiscal).token(token).build().unwrap();
    for _ in 0..2 {
        client.issue(&invoice_of(rif, 7)).await.unwrap();
    }
    assert_eq!(fiscal.count_of(rif, 1, "00000007"), 2);
}
