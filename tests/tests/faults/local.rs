//! What ends before a byte leaves: `NotSent`, and the same call works once the cause is gone.

use fiscal_printer::{
    BoxFuture, Environment, Error, ErrorKind, Mail, Outcome, RetryPolicy, Secret, TokenProvider,
};
use integration_sandbox::fiscal::Endpoint;
use integration_sandbox::{Fault, Scripted};

use super::timeless;
use crate::support::{builder, builder_for, check_text, client, filled, invoice, sandbox};

#[tokio::test]
async fn a_refused_connection_was_not_sent_and_works_once_it_is_open() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let (client, clock) = timeless(fiscal);
    fiscal.refuse_connections().await.unwrap();
    let number = "00-00000001".parse().unwrap();
    let mail = Mail::new("00-00000001".parse().unwrap(), "compras@example.com");
    let errors = [
        (client.issue(&invoice(1)).await.map(drop), "issue"),
        (client.annul(&number, "Prueba").await.map(drop), "annul"),
        (client.mail(&mail).await.map(drop), "mail"),
    ];
    for (result, operation) in errors {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent), "{error}");
        assert_eq!((error.attempts(), error.is_safe_to_repeat()), (3, true), "NotSent is retried freely");
        check_text(&error, operation, None);
    }
    assert_eq!(clock.slept().len(), 6, "two pauses for each call");
    assert_eq!((fiscal.requests().len(), fiscal.connections()), (0, 0));

    fiscal.accept_connections().await.unwrap();
    client.issue(&invoice(1)).await.unwrap();
    client.mail(&mail).await.unwrap();
    client.annul(&number, "Prueba").await.unwrap();
    assert_eq!(fiscal.requests().len(), 3);
}

#[tokio::test]
async fn retries_can_be_switched_off() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    fiscal.refuse_connections().await.unwrap();
    let client = builder(fiscal).retry(RetryPolicy::never()).build().unwrap();
    let error = client.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.attempts(), error.outcome()), (1, Outcome::NotSent));
}

#[tokio::test]
async fn a_failed_handshake_was_not_sent() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let url = fiscal.base_url().replace("http://", "https://");
    let client = builder(fiscal).environment(Environment::custom(&url).unwrap()).build().unwrap();
    let error = client.issue(&invoice(1)).await.unwrap_err();
    // The sandbox hangs up on the handshake, which may look like a bad certificate or like a bad network.
    assert!(matches!(error.kind(), ErrorKind::Tls | ErrorKind::Connect), "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    check_text(&error, "issue", None);
    assert_eq!(fiscal.requests().len(), 0);
}

#[derive(Debug)]
struct Vault(fn() -> Error);

impl TokenProvider for Vault {
    fn token(&self) -> BoxFuture<'_, Result<Secret, Error>> {
        let error = (self.0)();
        Box::pin(async move { Err(error) })
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let vault = Vault(|| Error::new(ErrorKind::Credentials, "vault").with_hint("open the vault first"));
    let client = builder_for(fiscal).token_provider(vault).build().unwrap();
    let error = client.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Credentials, Outcome::NotSent));
    assert!(error.to_string().contains("open the vault first"));
    for bad in ["", "two words", "line\nbreak", "ñ"] {
        let client = builder_for(fiscal).token(bad).build().unwrap();
        let error = client.issue(&invoice(1)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Credentials, Outcome::NotSent));
        assert!(!error.to_string().chars().any(char::is_control) && !error.hint().is_empty(), "{error}");
    }
    assert_eq!(fiscal.connections(), 0);
}

#[tokio::test]
async fn a_client_without_a_token_is_not_built() {
    let error = fiscal_printer::Client::builder().build().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Configuration, Outcome::NotSent));
    assert!(error.to_string().contains("FISCAL_PRINTER_TOKEN"));
}

/// Section 7: a wrong check digit stops a document in production only, before anything is sent.
#[tokio::test]
async fn production_refuses_a_wrong_check_digit_before_sending() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let buyer = fiscal_printer::Buyer::new("x", "J-12345678-9").address("Calle 1").phone("584121234567");
    let document = filled(fiscal_printer::Document::invoice(fiscal.rif(), 1)).buyer(buyer).build().unwrap();
    let strict = builder(fiscal).as_production().build().unwrap();
    let error = strict.issue(&document).await.unwrap_err();
    assert!(error.is_validation() && error.is_not_sent(), "{error}");
    assert!(
        error
            .faults()
            .iter()
            .any(|fault| (fault.rule(), fault.path()) == ("CHECK-DIGIT", "rifcedulacliente"))
    );
    check_text(&error, "issue", None);
    assert_eq!(fiscal.connections(), 0);
    client(fiscal).issue(&document).await.unwrap();
}

/// A path that does not exist there: refused, and said to be a matter of the address.
#[tokio::test]
async fn a_wrong_path_prefix_is_a_refusal_that_points_at_the_base_url() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let url = format!("{}/api/v9", fiscal.base_url());
    let client = builder(fiscal).environment(Environment::custom(&url).unwrap()).build().unwrap();
    let error = client.issue(&invoice(1)).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Refused);
    check_text(&error, "issue", Some(404));
    assert!(error.hint().contains("base URL"), "{error}");
    assert_eq!(fiscal.requests()[0].path, "/api/v9/facturacion");
}

/// The service's own limit on bodies, and the client's on answers.
#[tokio::test]
async fn sizes_are_limited_on_both_sides() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    fiscal.configure(|settings| settings.body_limit = 500);
    let error = client(fiscal).issue(&invoice(1)).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Refused, "{error}");
    check_text(&error, "issue", Some(413));
    fiscal.reset();
    let small = builder(fiscal).body_limit(20).build().unwrap();
    let error = small.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Outcome::Unknown));
    assert_eq!((error.answer().unwrap().body().len(), fiscal.count("00000001")), (20, 1));
}

/// A redirect is not followed: the other host sees no connection at all.
#[tokio::test]
async fn a_redirect_reaches_nobody() {
    let (here, there) = (sandbox().await, sandbox().await);
    let location = format!("{}/facturacion", there.fiscal().base_url());
    let odd = Scripted::new(308).header("location", location.as_str());
    for fault in [Fault::redirect(location), Fault::Answer(odd)] {
        here.fiscal().inject(Endpoint::Issue, fault);
        let error = client(here.fiscal()).issue(&invoice(1)).await.unwrap_err();
        assert!(error.is_outcome_unknown(), "{error}");
    }
    assert_eq!(there.fiscal().connections(), 0);
}
