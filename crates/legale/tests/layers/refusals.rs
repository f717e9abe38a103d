//! The sender of a refused callback gets a status and not a word; the owner of the receiver is told why, and no secret with it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::request::Parts;
use legale::status::SignStatus;
use legale::webhook::{
    CallbackToken, Detail, Expected, KeyPlace, MemorySecrets, Observer, Receiver, Refused, Relay, Route,
    SecretPlace,
};
use legale::{Clock, Error, ManualClock};

use crate::support::{Kept, Service, found};

const KEY: &str = "sentinel-key-of-the-callback";
const RELAY: &str = "sentinel-of-the-relay-0123456789";
const BODY: &str = r#"{"GUID": "g-1", "sign_status": 1}"#;

/// What it was told, a line each.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn refused(&self, refused: &Refused<'_>) {
        self.0.lock().unwrap().push(refused.to_string());
    }

    fn unrecorded(&self, key: &str, error: &Error) {
        self.0.lock().unwrap().push(format!("{key}: {error}"));
    }
}

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct House {
    told: Arc<Told>,
    service: Arc<Service>,
    kept: Arc<Kept>,
    secrets: Arc<MemorySecrets>,
    clock: ManualClock,
    token: CallbackToken,
    receiver: Receiver,
}

impl House {
    /// All four strategies at once.
    fn new() -> Self {
        let (told, service, kept): (Arc<Told>, Arc<Service>, Arc<Kept>) = Default::default();
        let (secrets, token) = (Arc::new(MemorySecrets::new()), CallbackToken::generate("ref-1").unwrap());
        secrets.insert(&token);
        let clock = ManualClock::new();
        clock.advance(Duration::from_secs(1_772_000_000));
        let receiver = Receiver::builder()
            .url_secrets(secrets.clone(), SecretPlace::Path)
            .key(KEY, KeyPlace::Header(http::HeaderName::from_static("x-key")))
            .relay(Relay::new(RELAY).unwrap())
            .refetch(service.clone())
            .handler(kept.clone())
            .observer(told.clone())
            .clock(Arc::new(clock.clone()))
            .body_limit(1_000)
            .body_time(Duration::from_secs(20))
            .build()
            .unwrap();
        service.says("g-1", found(Detail::new(SignStatus::Signed)));
        Self { told, service, kept, secrets, clock, token, receiver }
    }

    fn uri(&self) -> String {
        let url = "https://me.example/legale/document".parse().unwrap();
        self.token.put_into(url, &SecretPlace::Path).path().to_owned()
    }

    /// A head with which `body` is believed.
    fn head(&self, body: &str) -> Parts {
        let now = self.clock.wall().as_second();
        let signature = Relay::new(RELAY).unwrap().sign(now, body.as_bytes());
        let request = http::Request::post(self.uri())
            .header("x-key", KEY)
            .header("x-relay-timestamp", now)
            .header("x-relay-signature", signature);
        request.body(()).unwrap().into_parts().0
    }

    async fn post(&self, head: &Parts, body: &str) -> (u16, Vec<String>) {
        let reply = self.receiver.receive_bytes(Route::Document, head, body.to_owned().into()).await;
        let response = reply.into_response();
        assert!(response.body().is_empty() && response.headers().is_empty());
        (response.status().as_u16(), self.told.take())
    }
}

#[tokio::test]
async fn the_observer_is_told_why() {
    let house = House::new();
    let mut heads = Vec::new();
    let mut bad = |why: &'static str, change: fn(&mut Parts)| {
        let mut head = house.head(BODY);
        change(&mut head);
        heads.push((head, why));
    };
    bad("document: 401: the URL has no secret", |head| head.uri = "/legale/document".parse().unwrap());
    bad("document: 401: the secret of the URL is wrong, or the URL is unknown", |head| {
        head.uri = format!("/ref-1.{}", "x".repeat(43)).parse().unwrap();
    });
    bad("document: 401: the secret of the URL is wrong, or the URL is unknown", |head| {
        head.uri = "/ref-2.".parse().unwrap();
    });
    bad("document of ref-1: 401: the callback key is missing in the header, or wrong", |head| {
        head.headers.insert("x-key", "a guess".parse().unwrap());
    });
    bad(
        "document of ref-1: 401: the relay's time stamp or signature is missing, unreadable or too old",
        |head| {
            head.headers.remove("x-relay-timestamp");
        },
    );
    bad("document of ref-1: 401: the relay's signature is wrong", |head| {
        head.headers.insert("x-relay-signature", "0".repeat(64).parse().unwrap());
    });
    bad("document of ref-1: 413: more is announced than a body may have", |head| {
        head.headers.insert("content-length", 1_001.into());
    });
    for (head, why) in heads {
        let (status, told) = house.post(&head, BODY).await;
        assert_eq!(told, [why]);
        assert!(why.contains(&status.to_string()), "{status} for {why}");
    }
    for (body, why) in [
        ("[]", "document of ref-1: 400: the body is no JSON object"),
        ("{", "document of ref-1: 400: the body is no JSON"),
        (r#"{"sign_status": 1}"#, "document of ref-1: 400: no GUID"),
        (&"x".repeat(1_001), "document of ref-1: 413: the body is larger than one may be"),
    ] {
        assert_eq!(house.post(&house.head(body), body).await.1, [why]);
    }
    house.secrets.bind("ref-1", "g-2".parse().unwrap());
    let told = house.post(&house.head(BODY), BODY).await;
    assert_eq!(told, (401, vec!["document of ref-1: 401: the URL was made for another document".to_owned()]));
    house.secrets.bind("ref-1", "g-1".parse().unwrap());

    house.kept.fails.store(true, std::sync::atomic::Ordering::SeqCst);
    let (status, told) = house.post(&house.head(BODY), BODY).await;
    assert!(status == 500 && told[0].starts_with("document of ref-1: 500: handle"), "{told:?}");
    house.kept.fails.store(false, std::sync::atomic::Ordering::SeqCst);

    assert_eq!(house.post(&house.head(BODY), BODY).await, (200, vec![]));
    assert_eq!(house.post(&house.head(BODY), BODY).await, (200, vec![]), "a duplicate is no refusal");
    assert_eq!((house.kept.count(), house.service.looks()), (1, 2));
}

#[tokio::test]
async fn nothing_that_is_told_holds_a_secret() {
    let house = House::new();
    let secret = house.token.secret().reveal().to_owned();
    let mut said = format!("{:?}{:?}", house.receiver, Expected::new(KEY).unwrap());
    for body in ["", "[]", BODY, KEY, r#"{"GUID": 1, "sign_status": "sentinel"}"#] {
        for strip in ["x-key", "x-relay-signature", "x-relay-timestamp", "none"] {
            let mut head = house.head(body);
            head.headers.remove(strip);
            said += &format!("{:?}", house.post(&head, body).await);
        }
    }
    assert!(!said.contains(&secret) && !said.contains("sentinel"), "{said}");
    assert!(Expected::new("").is_err() && Expected::new("  ").is_err(), "no secret is no secret");
}

/// Sends nothing, for ever.
struct Silent;

impl Stream for Silent {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_sender_who_falls_silent_is_not_waited_for() {
    let house = House::new();
    let (receiver, head, clock) = (house.receiver.clone(), house.head(BODY), house.clock.clone());
    let task = tokio::spawn(async move { receiver.receive(Route::Signer, &head, Silent).await.status() });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(19));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!task.is_finished());
    clock.advance(Duration::from_secs(1));
    assert_eq!(task.await.unwrap(), 400);
    assert_eq!(house.told.take(), ["signer of ref-1: 400: the body did not arrive in time"]);
}
