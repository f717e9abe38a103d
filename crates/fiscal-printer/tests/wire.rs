//! What goes over the wire and what comes back: exact requests, every slip of the answers (contract 4, 4.1, 5), and the
//! checks that send nothing. No test waits: pauses go by a manual clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fiscal_printer::{
    Buyer, Client, ClientBuilder, ControlNumber, Document, Endpoint, Environment, Error, ErrorKind,
    IssueLanes, Issued, Line, Mail, Meaning, Outcome, Refusal, Severity, Spelling, SwappableToken,
    WireProfile,
};
use integration_core::clock::ManualClock;
use wiremock::matchers::{body_string, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const RIF: &str = "J-12345678-4";
const ISSUED: &str = r#"{"success":true,"data":{"numerodocumento":"00-00000001","identificador":"00","corelativo":"00000001","datatime":"2026-11-22 13:05:09","fecha":"20261122","hora":"13:05:09","piedepagina":"<p>pie</p>","urlpdf":"https://pdf.example.com/a.pdf"},"error":null}"#;

/// A token as the vendor makes them, of this issuer; the signature is nobody's.
fn token_of(rif: &str) -> String {
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    let payload = format!(r#"{{"user":{{"id":"1","rif":"{rif}","validarinterno":"1"}},"iat":1764000000}}"#);
    format!("{}.{}.c2ln", part(r#"{"alg":"HS256","typ":"JWT"}"#.into()), part(payload))
}

fn builder(server: &MockServer) -> ClientBuilder {
    Client::builder()
        .environment(Environment::custom(&server.uri()).unwrap())
        .token(token_of(RIF))
        .clock(ManualClock::new())
}

fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

fn invoice_of(rif: &str) -> Document {
    Document::invoice(rif, 42)
        .buyer(
            Buyer::new("Comercial Ejemplo", "V-12345678")
                .email("a@example.com")
                .address("Calle 1")
                .phone("584121234567"),
        )
        .line(Line::new("A2", "Dos", "20.00", 1))
        .build()
        .unwrap()
}

fn invoice() -> Document {
    invoice_of(RIF)
}

fn number(text: &str) -> ControlNumber {
    text.parse().unwrap()
}

fn json(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json; charset=utf-8")
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(template).mount(&server).await;
    server
}

/// A server that must not be asked.
async fn silent() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(json(200, ISSUED)).expect(0).mount(&server).await;
    server
}

async fn issue(template: ResponseTemplate) -> Result<Issued, Error> {
    client(&answering(template).await).issue(&invoice()).await
}

async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn issued_with(data: &str) -> ResponseTemplate {
    json(200, &format!(r#"{{"success":true,"data":{data},"error":null}}"#))
}

fn rules(faults: &[fiscal_printer::Fault]) -> Vec<(&str, &str)> {
    faults.iter().map(|fault| (fault.rule(), fault.path())).collect()
}

// ---- Requests ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_request_is_exactly_what_the_dry_run_shows() {
    let server = answering(json(200, ISSUED)).await;
    let client = client(&server);
    let dry = client.dry_run(&invoice()).await.unwrap();
    let issued = client.issue(&invoice()).await.unwrap();
    let request = only_request(&server).await;
    assert_eq!(request.url.path(), "/facturacion");
    assert_eq!(request.body, dry.json().as_bytes());
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("authorization"), Some(format!("Bearer {}", token_of(RIF))));
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    assert_eq!(header("accept").as_deref(), Some("application/json"));
    assert_eq!(header("cookie"), None);
    assert_eq!(issued.warnings(), dry.warnings());
}

#[tokio::test]
async fn a_path_prefix_is_kept_and_slashes_do_not_double() {
    let server = MockServer::start().await;
    Mock::given(path("/gateway/smart/facturacion"))
        .respond_with(json(200, ISSUED))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/gateway/smart/anulacion"))
        .respond_with(issued_with(r#"{"mensaje":"x"}"#))
        .expect(1)
        .mount(&server)
        .await;
    let base = format!("{}/gateway/smart/", server.uri());
    let client = builder(&server).environment(Environment::custom(&base).unwrap()).build().unwrap();
    client.issue(&invoice()).await.unwrap();
    client.annul(&number("00-00000001"), "error").await.unwrap();
}

#[tokio::test]
async fn a_client_from_the_environment_talks_to_its_address() {
    let server = answering(json(200, ISSUED)).await;
    let client = Client::from_lookup(|name| match name {
        "FISCAL_PRINTER_BASE_URL" => Some(format!("{}/x", server.uri())),
        "FISCAL_PRINTER_TOKEN" => Some(format!(" {}\n", token_of(RIF))),
        _ => None,
    });
    client.unwrap().issue(&invoice()).await.unwrap();
    assert_eq!(only_request(&server).await.url.path(), "/x/facturacion");
}

#[tokio::test]
async fn the_profile_goes_out_and_may_not_take_a_fields_name() {
    let server = answering(json(200, ISSUED)).await;
    let profile = WireProfile::default().spelling(Spelling::Observed).payments_key("pagos");
    builder(&server).profile(profile).build().unwrap().issue(&invoice()).await.unwrap();
    let body = String::from_utf8(only_request(&server).await.body).unwrap();
    assert!(body.contains("tasacambio") && !body.contains("tasadecambio") && body.contains(r#""pagos":[]"#));
    for key in ["", "total", "cuerpofactura"] {
        let server = silent().await;
        let profile = WireProfile::default().payments_key(key);
        let error = builder(&server).profile(profile).build().unwrap().issue(&invoice()).await.unwrap_err();
        assert!(error.is_not_sent() && rules(error.faults()).contains(&("R42", "formasdepago")), "{error}");
    }
}

#[tokio::test]
async fn annulment_and_mail_send_their_three_fields() {
    let server = MockServer::start().await;
    let expected =
        format!(r#"{{"numerodocumento":"00-42","observacion":"Error de \"precio\"","rif":"{RIF}"}}"#);
    Mock::given(path("/anulacion"))
        .and(body_string(expected))
        .respond_with(issued_with(r#"{"mensaje":"Correo enviado"}"#))
        .expect(1)
        .mount(&server)
        .await;
    let expected =
        format!(r#"{{"email":"a@example.com|b@example.com","numerodocumento":"00-42","rif":"{RIF}"}}"#);
    Mock::given(path("/email"))
        .and(body_string(expected))
        .respond_with(issued_with(r#"{"message":"ok"}"#))
        .expect(1)
        .mount(&server)
        .await;
    let client = client(&server);
    // The text of the number goes out as it was received, not padded.
    let annulled = client.annul(&number("00-42"), "Error de \"precio\"").await.unwrap();
    assert_eq!(annulled.message(), Some("Correo enviado"));
    let mail = Mail::new(number("00-42"), "a@example.com").and("b@example.com");
    let mailed = client.mail(&mail).await.unwrap();
    assert_eq!((mailed.message(), mailed.warnings().len()), (Some("ok"), 0));
}

#[tokio::test]
async fn a_swapped_token_is_used_from_the_next_call_on() {
    let server = answering(json(200, ISSUED)).await;
    let token = SwappableToken::new("not-a-jwt");
    let client = builder(&server).token_provider(token.clone()).build().unwrap();
    let first = client.issue(&invoice()).await.unwrap();
    assert!(rules(first.warnings()).contains(&("T1", "rif")));
    token.swap(token_of(RIF));
    let second = client.issue(&invoice()).await.unwrap();
    assert!(!rules(second.warnings()).contains(&("T1", "rif")));
    let sent = server.received_requests().await.unwrap();
    assert_eq!(sent[0].headers["authorization"], "Bearer not-a-jwt");
    assert_eq!(sent[1].headers["authorization"].to_str().unwrap(), format!("Bearer {}", token_of(RIF)));
}

#[tokio::test]
async fn a_large_request_is_sent_with_a_warning() {
    let server = answering(json(200, ISSUED)).await;
    let lines = (0..900).map(|_| Line::new("A2", "Dos", "20.00", 1));
    let document = Document::invoice(RIF, 42)
        .buyer(Buyer::new("x", "V-12345678").address("Calle 1").phone("584121234567"))
        .lines(lines)
        .build()
        .unwrap();
    let issued = client(&server).issue(&document).await.unwrap();
    assert!(rules(issued.warnings()).contains(&("SIZE", "$")));
}

#[tokio::test]
async fn types_have_lanes_of_their_own_if_asked() {
    let server = answering(json(200, ISSUED)).await;
    let client = builder(&server).issue_lanes(IssueLanes::PerType).build().unwrap();
    client.issue(&invoice()).await.unwrap();
}

// ---- Checks that send nothing --------------------------------------------------------------------------------------

#[tokio::test]
async fn a_token_of_another_issuer_sends_nothing() {
    let server = silent().await;
    for (claim, hint) in [("J-50375790-6", "another issuer"), ("J123456784", "byte for byte")] {
        let client = builder(&server).token(token_of(claim)).build().unwrap();
        let error = client.issue(&invoice()).await.unwrap_err();
        assert!(error.is_not_sent() && error.is_validation(), "{error}");
        let fault = error.faults().iter().find(|fault| fault.rule() == "T1").unwrap();
        assert_eq!((fault.path(), fault.severity(), fault.expected()), ("rif", Severity::Error, claim));
        assert!(fault.hint().contains(hint), "{fault}");
    }
}

#[tokio::test]
async fn the_tokens_spelling_is_sent_if_the_document_has_it_too() {
    let server = answering(json(200, ISSUED)).await;
    let client = builder(&server).token(token_of("J123456784")).build().unwrap();
    let issued = client.issue(&invoice_of("J123456784")).await.unwrap();
    assert!(rules(issued.warnings()).contains(&("T1", "rif")));
    let body = String::from_utf8(only_request(&server).await.body).unwrap();
    assert!(body.starts_with(r#"{"rif":"J123456784","#), "{body}");
}

#[tokio::test]
async fn without_a_readable_token_the_named_issuer_counts() {
    let server = silent().await;
    let unreadable = || builder(&server).token("opaque-token");
    let error = unreadable().rif("J-50375790-6").build().unwrap().issue(&invoice()).await.unwrap_err();
    assert!(rules(error.faults()).contains(&("T1", "rif")) && error.is_not_sent());
    for result in [
        unreadable().build().unwrap().annul(&number("00-00000001"), "x").await,
        unreadable().build().unwrap().mail(&Mail::new(number("00-00000001"), "a@example.com")).await,
        builder(&server).rif("J-50375790-6").build().unwrap().annul(&number("00-00000001"), "x").await,
    ] {
        assert_eq!(rules(result.unwrap_err().faults()), [("T1", "rif")]);
    }
    let server = answering(issued_with("{}")).await;
    let named = builder(&server).token("opaque-token").rif(RIF).build().unwrap();
    named.annul(&number("00-00000001"), "x").await.unwrap();
    assert!(only_request(&server).await.body.ends_with(format!(r#""rif":"{RIF}"}}"#).as_bytes()));
}

#[tokio::test]
async fn reasons_and_addresses_are_checked_first() {
    let server = silent().await;
    let client = client(&server);
    let number = number("00-00000001");
    for reason in ["", "  ", "a\nb", &"x".repeat(201)] {
        let error = client.annul(&number, reason).await.unwrap_err();
        assert!(error.is_not_sent());
        assert_eq!(rules(error.faults()), [("R30", "observacion")], "{reason:?}");
    }
    for mail in [
        Mail::new(number.clone(), ""),
        Mail::new(number.clone(), " "),
        Mail::new(number.clone(), "a@example.com").and(""),
        Mail::new(number.clone(), "a@example.com\r\n"),
    ] {
        let error = client.mail(&mail).await.unwrap_err();
        let errors = error.faults().iter().filter(|fault| fault.severity() == Severity::Error);
        assert_eq!(errors.map(|fault| (fault.rule(), fault.path())).collect::<Vec<_>>(), [("MAIL", "email")]);
    }
}

#[tokio::test]
async fn a_doubtful_address_is_mailed_to_with_a_warning() {
    let server = answering(issued_with("{}")).await;
    let many = (0..20).fold(Mail::new(number("00-00000001"), "nobody"), |mail, _| mail.and("a@example.com"));
    let receipt = client(&server).mail(&many).await.unwrap();
    assert!(!receipt.warnings().is_empty());
}

#[tokio::test]
async fn an_unusable_token_is_not_sent() {
    let server = silent().await;
    for token in ["", "two words", "line\nbreak", "ñandú"] {
        let error = builder(&server).token(token).build().unwrap().issue(&invoice()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Credentials, Outcome::NotSent), "{token:?}");
        assert!(token.is_empty() || !error.to_string().contains(token));
    }
}

/// Section 7: the severity of a wrong check digit.
#[tokio::test]
async fn check_digits_are_strict_in_production_unless_lowered() {
    let (quiet, server) = (silent().await, answering(json(200, ISSUED)).await);
    let wrong = invoice_of("J-12345678-9");
    let of = |server: &MockServer| builder(server).token(token_of("J-12345678-9"));
    let refuses = |error: Error| {
        assert!(error.is_not_sent() && rules(error.faults()).contains(&("CHECK-DIGIT", "rif")), "{error}");
    };
    refuses(of(&quiet).as_production().build().unwrap().issue(&wrong).await.unwrap_err());
    refuses(of(&quiet).check_digit(Severity::Error).build().unwrap().issue(&wrong).await.unwrap_err());
    let lowered = of(&server).as_production().check_digit(Severity::Warning);
    for client in [of(&server), lowered] {
        let issued = client.build().unwrap().issue(&wrong).await.unwrap();
        assert!(rules(issued.warnings()).contains(&("CHECK-DIGIT", "rif")));
    }
}

/// However the production host is written, its rules apply; a dry run asks nobody.
#[tokio::test]
async fn the_production_host_is_production_under_any_spelling() {
    for url in [
        "https://bck.factura-smart.com",
        "https://BCK.factura-smart.com:443/",
        "https://bck.factura-smart.com/v2",
    ] {
        for environment in [
            Environment::custom(url).unwrap(),
            Environment::Custom(fiscal_printer::BaseUrl::parse(url).unwrap()),
        ] {
            let builder = Client::builder().environment(environment).token(token_of("J-12345678-9"));
            let error = builder.build().unwrap().dry_run(&invoice_of("J-12345678-9")).await.unwrap_err();
            assert!(rules(error.faults()).contains(&("CHECK-DIGIT", "rif")), "{url}");
        }
    }
}

// ---- Answers -------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_whole_answer_is_read_whole() {
    let issued = issue(json(200, ISSUED)).await.unwrap();
    assert_eq!(issued.control_number(), Some(number("00-00000001")));
    assert_eq!((issued.identifier(), issued.correlative()), (Some("00"), Some("00000001")));
    assert_eq!(issued.registered_text(), Some("2026-11-22 13:05:09"));
    assert_eq!(issued.registered_at().unwrap().to_string(), "2026-11-22T13:05:09");
    assert_eq!(issued.registered_instant().unwrap().to_string(), "2026-11-22T17:05:09Z");
    assert_eq!(issued.legal_footer(), Some("<p>pie</p>"));
    assert_eq!(issued.pdf_url(), Some("https://pdf.example.com/a.pdf"));
    assert_eq!(issued.answer().content_type(), Some("application/json; charset=utf-8"));
    assert_eq!(issued.answer().status().as_u16(), 200);
}

#[tokio::test]
async fn slips_of_the_answer_never_lose_an_issued_document() {
    let with = |fields: &str| issued_with(&format!(r#"{{"numerodocumento":"00-00000001"{fields}}}"#));
    let slips = |issued: &Issued| issued.warnings().iter().filter(|fault| fault.rule() == "ANSWER").count();
    for (fields, correlative, registered, warnings) in [
        ("", None, None, 0),
        (r#","correlativo":"7","datetime":"2026-11-22 13:05:09""#, Some("7"), Some("2026-11-22 13:05:09"), 0),
        (r#","corelativo":"7","correlativo":"8""#, Some("7"), None, 1),
        (r#","datatime":"2026-11-22 13:05:09","datetime":"x""#, None, Some("2026-11-22 13:05:09"), 1),
        (r#","fecha":"20261122","hora":"13:05:09""#, None, Some("20261122 13:05:09"), 0),
        (r#","datatime":"22/11/2026 1 p.m.""#, None, Some("22/11/2026 1 p.m."), 1),
        (r#","fecha":"20261122","hora":"1 p.m.""#, None, Some("20261122 1 p.m."), 1),
        (r#","corelativo":7,"datatime":null,"urlpdf":[],"nuevo":{"x":1}"#, None, None, 0),
    ] {
        let issued = issue(with(fields)).await.unwrap();
        assert_eq!(issued.correlative(), correlative, "{fields}");
        assert_eq!(issued.registered_text(), registered, "{fields}");
        assert_eq!(slips(&issued), warnings, "{fields}: {:?}", issued.warnings());
        assert!(issued.answer().text().contains(fields), "the raw answer is kept");
    }
    for text in ["12345", "00-123456789", "SERIE A 1"] {
        let issued = issue(issued_with(&format!(r#"{{"numerodocumento":"{text}"}}"#))).await.unwrap();
        assert_eq!((issued.control_number(), issued.control_text()), (None, text));
        assert_eq!(slips(&issued), 1);
    }
    let short = issue(issued_with(r#"{"numerodocumento":"00-42"}"#)).await.unwrap();
    assert_eq!(short.control_number().unwrap().as_received(), "00-42");
}

#[tokio::test]
async fn refusals_are_typed_by_endpoint_and_code() {
    let refusal =
        |code: &str| format!(r#"{{"success":false,"data":null,"error":{{"code":{code},"message":"no"}}}}"#);
    for (status, code, meaning, kind) in [
        (202, "1", Meaning::TokenInvalid, ErrorKind::Authentication),
        (202, "3", Meaning::RifMismatch, ErrorKind::Refused),
        (202, "4", Meaning::TaxWrong, ErrorKind::Refused),
        (200, "\"4\"", Meaning::TaxWrong, ErrorKind::Refused),
        (400, "21", Meaning::AddressMissing, ErrorKind::Refused),
        (500, "8", Meaning::NumberTaken, ErrorKind::Refused),
    ] {
        let error = issue(json(status, &refusal(code))).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Refused), "{status} {code}");
        let found = Refusal::of(&error).unwrap();
        assert_eq!(
            (found.endpoint(), found.meaning(), found.message()),
            (Endpoint::Issue, Some(meaning), "no")
        );
        assert_eq!(error.service_code(), Some(code.trim_matches('"')));
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert!(!error.hint().is_empty() && error.answer().is_some());
    }
    let server = answering(json(202, &refusal("3"))).await;
    let error = client(&server).annul(&number("00-00000001"), "x").await.unwrap_err();
    let found = Refusal::of(&error).unwrap();
    assert_eq!((found.endpoint(), found.meaning()), (Endpoint::Annul, Some(Meaning::DocumentTypeInvalid)));
    assert_eq!(found.observed(), Some(Meaning::RifMismatchOrNotFound));
    let server = answering(json(202, &refusal("1"))).await;
    let error = client(&server).mail(&Mail::new(number("00-00000001"), "a@example.com")).await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().meaning(), Some(Meaning::BuyerHasNoMail));
    let body = r#"{"success":false,"error":{"code":9,"mensaje":"el ultimo numero es 41"}}"#;
    let error = issue(json(202, body)).await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().current_maximum(), Some(41));
}

#[tokio::test]
async fn an_unlisted_code_is_unknown_unless_the_client_says_otherwise() {
    let body = r#"{"success":false,"error":{"code":77,"message":"no"}}"#;
    assert!(issue(json(202, body)).await.unwrap_err().is_outcome_unknown());
    let server = answering(json(202, body)).await;
    let client = builder(&server).unlisted_codes_refuse(true).build().unwrap();
    assert!(client.issue(&invoice()).await.unwrap_err().is_refused());
}

#[tokio::test]
async fn answers_that_do_not_say_what_happened_are_unknown_and_not_repeated() {
    let html = ResponseTemplate::new(200).set_body_raw("<html>login</html>", "text/html");
    let oversized = format!(
        r#"{{"success":true,"data":{{"numerodocumento":"00-1","x":"{}"}}}}"#,
        "x".repeat(1024 * 1024)
    );
    for (template, kind) in [
        (html, ErrorKind::UnexpectedAnswer),
        (json(200, &oversized), ErrorKind::TooLarge),
        (json(200, ""), ErrorKind::UnexpectedAnswer),
        (json(200, r#"{"success":true,"data":{}}"#), ErrorKind::UnexpectedAnswer),
        (json(200, r#"{"success":"true"}"#), ErrorKind::UnexpectedAnswer),
        (json(500, ISSUED), ErrorKind::UnexpectedAnswer),
        (ResponseTemplate::new(400).set_body_string("Error: null"), ErrorKind::UnexpectedStatus),
        (ResponseTemplate::new(503), ErrorKind::UnexpectedStatus),
        (ResponseTemplate::new(429), ErrorKind::RateLimited),
        (ResponseTemplate::new(204), ErrorKind::UnexpectedAnswer),
    ] {
        let server = answering(template).await;
        let error = client(&server).issue(&invoice()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Unknown), "{error}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1, "never repeated");
    }
}

#[tokio::test]
async fn a_body_limit_may_be_set() {
    let server = answering(json(200, ISSUED)).await;
    let client = builder(&server).body_limit(64).build().unwrap();
    let error = client.issue(&invoice()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Outcome::Unknown));
    assert_eq!(error.answer().unwrap().body().len(), 64);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = MockServer::start().await;
    let elsewhere = format!("{}/elsewhere", server.uri());
    for status in [301, 302, 307, 308] {
        server.reset().await;
        let moved = ResponseTemplate::new(status).insert_header("location", elsewhere.as_str());
        Mock::given(path("/facturacion")).respond_with(moved).expect(1).mount(&server).await;
        Mock::given(path("/elsewhere")).respond_with(json(200, ISSUED)).expect(0).mount(&server).await;
        let error = client(&server).issue(&invoice()).await.unwrap_err();
        assert!(error.is_outcome_unknown() && error.to_string().contains("redirect"), "{error}");
        server.verify().await;
    }
}

#[tokio::test]
async fn a_refused_token_and_a_wrong_address_are_told_apart() {
    let missing = issue(json(401, "\"Falta el token\"")).await.unwrap_err();
    assert_eq!((missing.kind(), missing.outcome()), (ErrorKind::Authentication, Outcome::Refused));
    for status in [404, 405, 413, 415] {
        let error = issue(ResponseTemplate::new(status)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::UnexpectedStatus, Outcome::Refused));
        assert!(error.hint().contains("base URL"));
    }
}

#[tokio::test]
async fn a_token_in_an_answer_is_masked() {
    let echo = format!(r#"{{"success":false,"error":{{"code":1,"message":"bad token {}"}}}}"#, token_of(RIF));
    let error = issue(json(202, &echo)).await.unwrap_err();
    let everything = format!("{error} {error:?} {} {}", error.report(), error.answer().unwrap().text());
    assert!(!everything.contains(&token_of(RIF)) && everything.contains("[redacted]"));
}

#[tokio::test]
async fn annulments_are_repeated_and_mails_only_if_allowed() {
    let fails_once = || async {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(503))
            .up_to_n_times(1)
            .with_priority(1)
            .mount(&server)
            .await;
        Mock::given(method("POST")).respond_with(issued_with(r#"{"mensaje":"ok"}"#)).mount(&server).await;
        server
    };
    let server = fails_once().await;
    client(&server).annul(&number("00-00000001"), "x").await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 2);

    let mail = Mail::new(number("00-00000001"), "a@example.com");
    let server = fails_once().await;
    assert!(client(&server).mail(&mail).await.unwrap_err().is_outcome_unknown());
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    let server = fails_once().await;
    client(&server).mail(&mail.clone().repeatable()).await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}
