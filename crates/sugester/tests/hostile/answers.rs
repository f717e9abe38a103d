//! The table of errors, for every call.

use serde_json::{Value, json};
use sugester::{Error, ErrorExt, ErrorKind, Outcome, Reason};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::calls::{Due, ROWS, Rig};
use crate::support::{TOKEN, Traces, clean, html, ok, printed, requests, status};

/// What a call came to, nothing for a success: the kind, whether it may have been applied, and the reason.
type Came = Option<(ErrorKind, bool, Option<Reason>)>;

/// Compares every call with what the contract says for its kind; `times` is how often a `GET` is sent.
async fn every(
    what: &str,
    times: usize,
    answer: impl Respond + 'static,
    expected: impl Fn(Due, bool) -> Came,
) -> Vec<Error> {
    let (mut wrong, mut errors) = (Vec::new(), Vec::new());
    let (server, mut rig) = rig(answer).await;
    for (name, due, is_get, call) in ROWS {
        if times > 1 {
            // A budget of repetitions of its own.
            rig = Rig::of(&server);
        }
        let before = requests(&server).await.len();
        let error = call(&rig).await.err();
        let came =
            error.as_ref().map(|error| (error.kind(), error.outcome() == Outcome::Unknown, error.reason()));
        let expected = expected(*due, *is_get);
        if came != expected {
            wrong.push(format!("{name}: {came:?} instead of {expected:?}"));
        }
        let sent = requests(&server).await.len() - before;
        if sent != if *is_get { times } else { 1 } && came == expected && came.is_some() {
            wrong.push(format!("{name}: sent {sent} times"));
        }
        if let Some(error) = error {
            clean(&printed(&error));
            errors.push(error);
        }
    }
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
    errors
}

fn refused(kind: ErrorKind, reason: Reason) -> impl Fn(Due, bool) -> Came {
    move |_, _| Some((kind, false, Some(reason)))
}

fn raw(code: u16, body: &str, kind: &str) -> ResponseTemplate {
    ResponseTemplate::new(code).set_body_raw(body, kind)
}

#[tokio::test]
async fn a_422_names_its_fields_or_the_account() {
    let of_fields = json!({"code": "error", "message": {"name": ["- can't be blank"]}});
    let errors = every("422 of fields", 1, status(422, of_fields), |due, _| match due {
        Due::Pdf => Some((ErrorKind::Refused, false, Some(Reason::NotReady))),
        _ => Some((ErrorKind::Refused, false, Some(Reason::Validation))),
    });
    assert!(errors.await.iter().all(|error| error.field_errors()[0].messages == ["can't be blank"]));
    for answer in [
        status(422, json!({"code": "error", "message": "There is no account xyz"})),
        raw(422, "No such account", "text/plain"),
        raw(422, "<h1>Account not found</h1>", "text/html"),
    ] {
        every("422 of an account", 1, answer, refused(ErrorKind::Configuration, Reason::NoAccount)).await;
    }
    // A bank account is none of ours.
    let of_a_bank = json!({"code": "error", "message": "Bank account is invalid"});
    every("422 of a bank account", 1, status(422, of_a_bank), |due, _| match due {
        Due::Pdf => Some((ErrorKind::Refused, false, Some(Reason::NotReady))),
        _ => Some((ErrorKind::Refused, false, Some(Reason::Other))),
    })
    .await;
}

#[tokio::test]
async fn statuses_mean_what_the_table_says() {
    for (code, body, kind) in [
        (401, json!({"code": "error", "message": "Unauthorized"}), ErrorKind::Authentication),
        (403, json!({"error": {"base": ["no"]}}), ErrorKind::Forbidden),
        (404, json!({"code": "error", "message": "Not found"}), ErrorKind::NotFound),
        (404, json!({"errors": {"code": "x"}}), ErrorKind::NotFound),
    ] {
        every("status", 1, status(code, body), refused(kind, Reason::Other)).await;
    }
    let paced = ResponseTemplate::new(429).insert_header("retry-after", "7");
    let errors = every("429", 3, paced, refused(ErrorKind::RateLimited, Reason::Other)).await;
    assert!(errors.iter().all(|error| error.refused().unwrap().retry_after.unwrap().as_secs() == 7));
}

#[tokio::test]
async fn failures_of_the_service_leave_writes_in_doubt() {
    let failed = |_, is_get: bool| Some((ErrorKind::UnexpectedStatus, !is_get, Some(Reason::Other)));
    every("500", 1, raw(500, "<html>", "text/html"), failed).await;
    every("502", 3, html(502), failed).await;
}

#[tokio::test]
async fn errors_within_a_success_are_errors() {
    for body in [
        json!({"code": "error", "message": "no"}),
        json!({"code": "error"}),
        json!({"status": "error", "message": ["no"]}),
        json!({"error": "no"}),
        json!({"id": null, "error": ["no"]}),
    ] {
        for code in [200, 201] {
            let what = format!("{code} {body}");
            every(&what, 1, status(code, body.clone()), refused(ErrorKind::Refused, Reason::Other)).await;
        }
    }
    let fields = json!({"errors": {"name": ["- no"]}});
    every("errors", 1, ok(fields), refused(ErrorKind::Refused, Reason::Validation)).await;
}

#[tokio::test]
async fn what_is_no_record_is_no_success() {
    let unexpected = |is_get: bool| Some((ErrorKind::UnexpectedAnswer, !is_get, None));
    let not_ready = Some((ErrorKind::Refused, false, Some(Reason::NotReady)));
    every("success", 1, ok(json!({"code": "success", "message": "done"})), |due, is_get| match due {
        Due::Nothing | Due::Anything => None,
        _ => unexpected(is_get),
    })
    .await;
    every("null", 1, ok(Value::Null), |due, is_get| match due {
        Due::Nothing | Due::Anything | Due::List => None,
        Due::Pdf => not_ready,
        _ => unexpected(is_get),
    })
    .await;
    every("empty", 1, ResponseTemplate::new(200), |due, is_get| match due {
        Due::Nothing | Due::Anything => None,
        _ => unexpected(is_get),
    })
    .await;
    every("html", 1, html(200), |due, is_get| match due {
        Due::Pdf => not_ready,
        _ => unexpected(is_get),
    })
    .await;
    every("ok", 1, ok(json!("ok")), |due, is_get| match due {
        Due::Nothing | Due::Anything => None,
        Due::Pdf => not_ready,
        _ => unexpected(is_get),
    })
    .await;
    every("object", 1, ok(json!({})), |due, is_get| match due {
        Due::Nothing | Due::Anything => None,
        _ => unexpected(is_get),
    })
    .await;
}

#[tokio::test]
async fn the_multipass_failure_is_known_in_any_answer() {
    let failed = |kind: ErrorKind| move |_: Due, _: bool| Some((kind, false, Some(Reason::MultipassFailed)));
    for answer in [
        ok(json!({"error": "Multipass login failed"})),
        ok(json!({"message": "MULTIPASS login failed for ana"})),
        ok(json!("Multipass login failed")),
        raw(200, "<h1>multipass LOGIN failed</h1>", "text/html"),
        raw(422, "Multipass login failed", "text/html"),
        status(422, json!({"message": {"base": ["- Multipass login failed"]}})),
    ] {
        let what = format!("{answer:?}");
        every(&what, 1, answer, failed(ErrorKind::Refused)).await;
    }
    every("list", 1, ok(json!(["Multipass login failed"])), |due, _| match due {
        Due::Anything => None,
        _ => Some((ErrorKind::Refused, false, Some(Reason::MultipassFailed))),
    })
    .await;
    // Of what says that it is no page, a PDF's first bytes alone are looked at.
    every("text", 1, raw(200, "Multipass login failed", "text/plain"), |due, _| match due {
        Due::Pdf => Some((ErrorKind::UnexpectedAnswer, false, None)),
        _ => Some((ErrorKind::Refused, false, Some(Reason::MultipassFailed))),
    })
    .await;
    every("401", 1, raw(401, "Multipass login failed", "text/html"), failed(ErrorKind::Authentication)).await;
    // What a person wrote is no failure.
    let noted = json!({"id": 7, "prefix": "acme", "note": "Multipass login failed"});
    let (server, rig) = rig(ok(noted)).await;
    assert!(rig.billing.client(7).await.is_ok() && rig.crm.client(7).await.is_ok());
    assert!(rig.billing.delete_client(7).await.is_ok() && rig.crm.delete_client(7).await.is_ok());
    drop(server);
}

async fn rig(answer: impl Respond + 'static) -> (MockServer, Rig) {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    let rig = Rig::of(&server);
    (server, rig)
}

/// Every spelling in which a service may repeat a secret, under no name that gives it away.
fn spellings() -> Vec<String> {
    [TOKEN, "pl4nted/s3cret", "pl4nted-password", "pl4nted-partner", "pl4nted-hook"]
        .iter()
        .flat_map(|secret| {
            [
                (*secret).to_owned(),
                secret.replace('/', "%2F"),
                secret.replace('/', "%2f"),
                secret.replace('/', "\\/"),
                secret.replace('/', "\\u002F"),
                secret.replace('/', "\\u002f"),
            ]
        })
        .collect()
}

/// Only what the call itself sent may be expected to be known by it.
fn known(request: &Request) -> Vec<String> {
    let sent = format!("{} {}", request.url, String::from_utf8_lossy(&request.body)).replace("%2F", "/");
    let is_sent = |spelling: &String| {
        let plain = spelling.replace("%2F", "/").replace("%2f", "/").replace("\\/", "/").to_lowercase();
        sent.to_lowercase().contains(&plain.replace("\\u002f", "/"))
    };
    spellings().into_iter().filter(is_sent).collect()
}

#[tokio::test]
async fn no_error_no_trace_and_no_report_shows_a_secret_in_any_spelling() {
    let traces = Traces::default();
    let guard = traces.listening();
    for code in [200_u16, 401, 403, 404, 422, 429, 500, 503] {
        for dress in 0..3 {
            let echo = move |request: &Request| {
                let said = known(request).join(" | ");
                match dress {
                    // As it is written: the escapes are those of JSON.
                    0 => raw(
                        code,
                        &format!(r#"{{"code":"error","message":"{said}","x":["{said}"]}}"#),
                        "application/json",
                    ),
                    1 => raw(
                        code,
                        &format!(
                            r#"{{"code":"error","message":{{"{}":["{said}"]}}}}"#,
                            said.replace(' ', "")
                        ),
                        "application/json",
                    ),
                    _ => raw(code, &format!("<html>{said}</html>"), "text/html"),
                }
            };
            let (_server, rig) = rig(echo).await;
            for (name, _, _, call) in ROWS {
                let error = call(&rig).await.expect_err(name);
                let all = printed(&error);
                assert!(!all.contains("pl4nted") && !all.contains("s3cret"), "{name} {code} {dress}: {all}");
            }
            clean(&format!("{:?} {:?}", rig.crm, rig.billing));
        }
    }
    drop(guard);
    clean(&traces.text());
}
