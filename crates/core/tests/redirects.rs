//! Redirects that a call asked for: what goes along, and how long all of them may take.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use integration_core::call::auth::Authorization;
use integration_core::call::{
    Call, Idempotency, Operation, RetryPolicy, Timeouts, TransportError, TransportErrorKind,
    UnexpectedRedirect, Verdict,
};
use integration_core::clock::ManualClock;
use integration_core::{ErrorKind, Outcome, Secret};
use support::{Fake, Pieces, builder, printed, response, streamed};

const FILE: Operation = Operation::get("fetch a file", "/files/{id}");

fn file() -> Call {
    Call::new(FILE).param("id", 7).follow_redirects(10)
}

#[tokio::test]
async fn the_limit_of_a_call_is_one_for_all_its_redirects() {
    let clock = ManualClock::new();
    let second = clock.clone();
    let moved = move |_, _: &_| {
        let late = Pieces::of([]).dripping(&second, Duration::from_secs(4));
        Ok(streamed(302, &[("location", "/api/elsewhere")], late))
    };
    let transport = Fake::new(move |number, request| moved(number, request));
    let limits = Timeouts::new(Duration::from_secs(1), Duration::from_secs(10));
    let caller = builder(&transport).clock(Arc::new(clock)).timeouts(limits).build().unwrap();
    let error = caller.call(&file(), Verdict::success).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(transport.count(), 3);
}

#[tokio::test]
async fn a_token_in_the_query_goes_along_once_and_unmasked() {
    let transport = Fake::new(|number, _| {
        let location = "/api/moved/?page=2&api_token=sentinel-value";
        Ok(response(if number == 0 { 301 } else { 404 }, &[("location", location)], ""))
    });
    let caller = builder(&transport).build().unwrap();
    let token = Authorization::in_query("api_token", Secret::new("sentinel-value")).unwrap();
    let error = caller.call(&file().authorized(token), Verdict::success).await.unwrap_err();
    assert_eq!(
        transport.uris(),
        [
            "https://service.example.com/api/files/7?api_token=sentinel-value",
            "https://service.example.com/api/moved/?page=2&api_token=sentinel-value",
        ]
    );
    assert!(!printed(&error).contains("sentinel"), "{}", printed(&error));
}

#[tokio::test]
async fn a_get_that_may_have_acted_is_not_led_on() {
    const SEND: Operation = Operation::new("send by mail", http::Method::GET, "/mail", Idempotency::Once);
    let transport = Fake::new(|_, _| Ok(response(302, &[("location", "/api/done")], "")));
    let caller = builder(&transport).build().unwrap();
    let error = caller.call(&Call::new(SEND).follow_redirects(3), Verdict::success).await.unwrap_err();
    assert_eq!((error.outcome(), transport.count()), (Outcome::Unknown, 1));
    assert!(error.find_source::<UnexpectedRedirect>().is_some());
}

/// Where a redirect leads is the service's to know, and may be a secret of its own.
#[tokio::test]
async fn a_failure_at_the_target_of_a_redirect_names_its_host_alone() {
    let transport = Fake::new(|number, _| match number {
        0 => Ok(response(302, &[("location", "/media/sentinel/7")], "")),
        _ => Err(TransportError::new(TransportErrorKind::Interrupted, "reset")),
    });
    let caller = builder(&transport).retry(RetryPolicy::never()).build().unwrap();
    let error = caller.call(&file(), Verdict::success).await.unwrap_err();
    assert_eq!(transport.uris()[1], "https://service.example.com/media/sentinel/7");
    let said = printed(&error);
    assert!(said.contains("https://service.example.com") && !said.contains("sentinel"), "{said}");
}
