//! Scripted answers: every status without an envelope, and every kind of envelope under every kind of status.

use fiscal_printer::{ClientBuilder, ErrorKind, Outcome, Refusal};
use integration_sandbox::fiscal::{Endpoint, Fiscal};
use integration_sandbox::{Fault, Sandbox, Scripted};

use crate::support::{builder, check_text, client, invoice, sandbox};

fn json(status: u16, body: impl Into<String>) -> Fault {
    Fault::Answer(Scripted::new(status).header("content-type", "application/json").body(body))
}

fn plain(status: u16) -> Fault {
    Fault::Answer(Scripted::new(status).header("content-type", "text/plain").body("Error: something"))
}

/// Table 9.2 for answers that are no envelope, written down a second time.
fn class_of(status: u16) -> (Outcome, ErrorKind) {
    match status {
        401 => (Outcome::Refused, ErrorKind::Authentication),
        404 | 405 | 413 | 415 => (Outcome::Refused, ErrorKind::UnexpectedStatus),
        429 => (Outcome::Unknown, ErrorKind::RateLimited),
        200..=299 => (Outcome::Unknown, ErrorKind::UnexpectedAnswer),
        _ => (Outcome::Unknown, ErrorKind::UnexpectedStatus),
    }
}

#[tokio::test]
async fn every_status_without_an_envelope_ends_in_its_class() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    for status in 200..=599 {
        fiscal.inject(Endpoint::Issue, plain(status));
        let error = client.issue(&invoice(1)).await.unwrap_err();
        assert_eq!((error.outcome(), error.kind()), class_of(status), "{status}: {error}");
        check_text(&error, "issue", Some(status));
    }
    assert_eq!((fiscal.requests().len(), fiscal.documents().len()), (400, 0));
}

/// 1xx announces an answer that then never comes.
#[tokio::test]
async fn an_informational_status_alone_is_no_answer() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    for status in [100, 101, 102, 103] {
        fiscal.inject(Endpoint::Issue, Fault::Answer(Scripted::new(status)));
        let error = client.issue(&invoice(1)).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{status}: {error}");
        check_text(&error, "issue", None);
    }
    assert_eq!(fiscal.requests().len(), 4);
}

const STATUSES: [u16; 16] = [200, 201, 202, 206, 299, 302, 307, 400, 401, 403, 404, 409, 413, 429, 500, 503];

#[tokio::test]
async fn success_counts_under_a_status_of_success_only() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    for status in STATUSES {
        fiscal.inject(
            Endpoint::Issue,
            json(status, r#"{"success":true,"data":{"numerodocumento":"00-00000001"},"error":null}"#),
        );
        let result = client.issue(&invoice(1)).await;
        if (200..300).contains(&status) {
            assert_eq!(result.unwrap().control_text(), "00-00000001", "{status}");
            continue;
        }
        let error = result.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{status}: {error}");
        check_text(&error, "issue", Some(status));
        assert!(error.hint().contains("probably issued"), "{status}: {error}");
    }
}

#[tokio::test]
async fn success_without_a_control_number_is_probably_issued() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    for data in [
        "null",
        "{}",
        "[]",
        "\"00-00000001\"",
        r#"{"numerodocumento":""}"#,
        r#"{"numerodocumento":null}"#,
        r#"{"numerodocumento":1}"#,
        r#"{"numerodocumento":["00-00000001"]}"#,
        r#"{"corelativo":"00000001"}"#,
    ] {
        fiscal.inject(Endpoint::Issue, json(200, format!(r#"{{"success":true,"data":{data}}}"#)));
        let error = client.issue(&invoice(1)).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{data}: {error}");
        check_text(&error, "issue", Some(200));
        assert!(error.hint().contains("probably issued"), "{data}: {error}");
    }
    // A text of another form is issued all the same, with a warning.
    fiscal.inject(Endpoint::Issue, json(200, r#"{"success":true,"data":{"numerodocumento":"A-1"}}"#));
    let issued = client.issue(&invoice(1)).await.unwrap();
    assert_eq!((issued.control_text(), issued.control_number()), ("A-1", None));
    assert!(issued.warnings().iter().any(|warning| warning.path() == "data.numerodocumento"));
}

#[tokio::test]
async fn what_only_looks_like_an_envelope_is_unknown() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    let deep = format!(r#"{{"success":false,"error":{}"#, "[".repeat(10_000));
    let bodies = [
        r#"{"success":"true","data":{"numerodocumento":"00-00000001"}}"#,
        r#"{"success":1,"data":{"numerodocumento":"00-00000001"}}"#,
        r#"{"success":null,"error":{"code":4}}"#,
        r#"{"Success":true}"#,
        r#"[{"success":true}]"#,
        r#"{"success":false,"error":{"code":4}} trailing"#,
        r#"{"success":false,"error":{"code":4}"#,
        r#""success""#,
        "null",
        " ",
        "\u{feff}{}",
        deep.as_str(),
    ];
    for body in bodies {
        fiscal.inject(Endpoint::Issue, json(200, body));
        let error = client.issue(&invoice(1)).await.unwrap_err();
        assert_eq!(
            (error.outcome(), error.kind()),
            (Outcome::Unknown, ErrorKind::UnexpectedAnswer),
            "{body}"
        );
        check_text(&error, "issue", Some(200));
    }
    assert_eq!(fiscal.requests().len(), bodies.len());
}

/// Codes that section 5 lists for `/facturacion`.
const LISTED: [i64; 17] = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 20, 21, 22, 23];

fn rejection(code: &str) -> String {
    format!(r#"{{"success":false,"data":null,"error":{{"code":{code},"message":"mensaje del servicio"}}}}"#)
}

#[tokio::test]
async fn a_listed_code_refuses_under_any_status() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    for code in LISTED.into_iter().chain([24]) {
        for status in STATUSES {
            for spelt in [code.to_string(), format!("\"{code}\"")] {
                fiscal.inject(Endpoint::Issue, json(status, rejection(&spelt)));
                let error = client.issue(&invoice(1)).await.unwrap_err();
                let kind = if code == 1 { ErrorKind::Authentication } else { ErrorKind::Refused };
                assert_eq!(
                    (error.outcome(), error.kind()),
                    (Outcome::Refused, kind),
                    "{status} {spelt}: {error}"
                );
                check_text(&error, "issue", Some(status));
                assert!(error.to_string().contains(&format!("code {code}")), "{error}");
                assert!(error.to_string().contains("mensaje del servicio"), "{error}");
                assert_eq!(Refusal::of(&error).and_then(Refusal::code), Some(code));
            }
        }
    }
}

const UNLISTED: [&str; 14] = [
    "0",
    "6",
    "15",
    "19",
    "25",
    "-4",
    "4.0",
    "4.5",
    "99999999999999999999",
    "\"x\"",
    "\"\"",
    "null",
    "true",
    "[4]",
];

async fn unlisted(sandbox: &Sandbox, settings: impl Fn(ClientBuilder) -> ClientBuilder, expected: Outcome) {
    let fiscal: &Fiscal = sandbox.fiscal();
    let client = settings(builder(fiscal)).build().unwrap();
    for code in UNLISTED {
        for status in STATUSES {
            fiscal.inject(Endpoint::Issue, json(status, rejection(code)));
            let error = client.issue(&invoice(1)).await.unwrap_err();
            assert_eq!(error.outcome(), expected, "{status} {code}: {error}");
            check_text(&error, "issue", Some(status));
        }
    }
    for body in
        [r#"{"success":false}"#, r#"{"success":false,"error":null}"#, r#"{"success":false,"error":"no"}"#]
    {
        fiscal.inject(Endpoint::Issue, json(202, body));
        let error = client.issue(&invoice(1)).await.unwrap_err();
        assert_eq!(error.outcome(), expected, "{body}: {error}");
        check_text(&error, "issue", Some(202));
    }
}

#[tokio::test]
async fn an_unlisted_code_is_unknown() {
    unlisted(&sandbox().await, |builder| builder, Outcome::Unknown).await;
}

#[tokio::test]
async fn an_unlisted_code_refuses_if_the_client_is_told_so() {
    unlisted(&sandbox().await, |builder| builder.unlisted_codes_refuse(true), Outcome::Refused).await;
}

/// Contract section 4, "Tolerance": a message may stand at `error.message`, `message` or `mensaje`.
#[tokio::test]
async fn the_services_message_is_found_wherever_it_stands() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let client = client(fiscal);
    for body in [
        r#"{"success":false,"error":{"code":4,"message":"aquí"}}"#,
        r#"{"success":false,"error":{"code":4,"mensaje":"aquí"}}"#,
        r#"{"success":false,"error":{"code":4},"message":"aquí"}"#,
        r#"{"success":false,"error":{"code":"4"},"mensaje":"aquí","otro":{"a":[1]}}"#,
    ] {
        fiscal.inject(Endpoint::Issue, json(202, body));
        let error = client.issue(&invoice(1)).await.unwrap_err();
        assert_eq!((error.message(), error.service_code()), (Some("aquí"), Some("4")), "{body}");
        assert_eq!(
            error.answer().map(|answer| answer.text().into_owned()).as_deref(),
            Some(body),
            "kept raw"
        );
    }
}
