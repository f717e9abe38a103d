use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_core::Stream;
use http::request::Parts;
use legale::status::SignStatus;
use legale::tracking::{EventKind, Observation, Source, Tracker};
use legale::webhook::{
    CallbackKind, CallbackToken, Detail, Disposition, FolderSink, KeyPlace, MemorySecrets, Receiver,
    ReceiverBuilder, Refusal, Relay, Route, SecretPlace, Seen,
};
use legale::{Clock, ManualClock};
use proptest::prelude::*;

use crate::support::{Kept, Service, found};

const KEY: &str = "sentinel-key-of-the-callback";

struct House {
    service: Arc<Service>,
    kept: Arc<Kept>,
    secrets: Arc<MemorySecrets>,
    token: CallbackToken,
}

impl House {
    fn new() -> Self {
        let (secrets, token) = (Arc::new(MemorySecrets::new()), CallbackToken::generate("ref-1").unwrap());
        secrets.insert(&token);
        Self { service: Arc::default(), kept: Arc::default(), secrets, token }
    }

    fn open(&self) -> ReceiverBuilder {
        Receiver::builder().handler(self.kept.clone())
    }

    /// The default of the contract: a with c.
    fn receiver(&self) -> Receiver {
        self.open()
            .url_secrets(self.secrets.clone(), SecretPlace::Path)
            .refetch(self.service.clone())
            .build()
            .unwrap()
    }

    fn url(&self) -> String {
        self.token
            .put_into("https://me.example/legale/document".parse().unwrap(), &SecretPlace::Path)
            .path()
            .to_owned()
    }
}

fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let request =
        headers.iter().fold(http::Request::post(uri), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

async fn post(receiver: &Receiver, uri: &str, body: impl Into<Bytes>) -> (u16, Disposition) {
    let reply = receiver.receive_bytes(Route::Document, &parts(uri, &[]), body.into()).await;
    (reply.status().as_u16(), reply.disposition().clone())
}

fn sign(status: i64) -> String {
    format!(
        r#"{{"GUID": "g-1", "sign_status": {status}, "comment": "from the body", "folder": "root/Legal"}}"#
    )
}

/// A body that makes itself as it is read: `count` times `chunk` between a beginning and an end.
struct Made {
    begin: Option<Bytes>,
    chunk: Bytes,
    count: usize,
    end: Option<Bytes>,
    read: Arc<std::sync::atomic::AtomicUsize>,
}

impl Stream for Made {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match self.begin.take() {
            Some(begin) => Some(begin),
            None if self.count > 0 => {
                self.count -= 1;
                Some(self.chunk.clone())
            }
            None => self.end.take(),
        };
        self.read.fetch_add(next.as_ref().map_or(0, Bytes::len), Ordering::SeqCst);
        Poll::Ready(next.map(Ok))
    }
}

#[test]
fn a_receiver_that_proves_nothing_cannot_be_built() {
    let house = House::new();
    assert!(house.open().build().is_err());
    assert!(house.open().key("", KeyPlace::Body("callback_key".into())).build().is_err());
    assert!(Receiver::builder().refetch(house.service.clone()).build().is_err(), "no handler");
    for open in [
        house.open().url_secrets(house.secrets.clone(), SecretPlace::Path),
        house.open().key(KEY, KeyPlace::Body("callback_key".into())),
        house.open().refetch(house.service.clone()),
        house.open().relay(Relay::new("x".repeat(22)).unwrap()),
    ] {
        assert!(open.build().is_ok());
    }
}

#[tokio::test]
async fn forged_callbacks_are_refused_before_anything_is_read() {
    let house = House::new();
    let receiver = house.receiver();
    house.service.says("g-1", found(Detail::new(SignStatus::Signed)));
    let other = CallbackToken::generate("ref-1").unwrap();
    let forged = other.put_into("https://h/x".parse().unwrap(), &SecretPlace::Path);
    let unknown = CallbackToken::generate("ref-2")
        .unwrap()
        .put_into("https://h/x".parse().unwrap(), &SecretPlace::Path);
    for uri in ["/x", "/x/ref-1.", "/x/ref-1", "/x/.", forged.path(), unknown.path()] {
        let (status, disposition) = post(&receiver, uri, sign(1)).await;
        assert!(
            status == 401 && matches!(disposition, Disposition::Refused(Refusal::Unauthorized(_))),
            "{uri}"
        );
    }
    let read = Arc::default();
    let endless = Made {
        begin: None,
        chunk: Bytes::from_static(b"x"),
        count: usize::MAX,
        end: None,
        read: Arc::clone(&read),
    };
    assert_eq!(receiver.receive(Route::Document, &parts("/x", &[]), endless).await.status(), 401);
    assert_eq!((read.load(Ordering::SeqCst), house.service.looks(), house.kept.count()), (0, 0, 0));
}

#[tokio::test]
async fn the_services_word_counts_and_not_the_bodys() {
    let house = House::new();
    let receiver = house.receiver();
    // Signed, says the body; not yet, says the service: nothing is done, it is to be polled again.
    house.service.says("g-1", found(Detail::new(SignStatus::NotSigned)));
    let (status, disposition) = post(&receiver, &house.url(), sign(1)).await;
    assert!(status == 200 && matches!(disposition, Disposition::Unconfirmed(Some(_))));
    assert_eq!((house.kept.count(), house.kept.again.lock().unwrap().len()), (0, 1));
    // The very same callback counts as new once the service says so, too.
    house
        .service
        .says("g-1", found(Detail::new(SignStatus::Signed).with_comment(Some("from the service".into()))));
    assert!(matches!(post(&receiver, &house.url(), sign(1)).await.1, Disposition::Handled));
    let deliveries = house.kept.deliveries.lock().unwrap();
    assert!(deliveries[0].is_confirmed && deliveries[0].needs_download());
    assert_eq!(deliveries[0].callback.comment.as_deref(), Some("from the service"));
    assert_eq!(deliveries[0].reference.as_deref(), Some("ref-1"));
}

#[tokio::test]
async fn a_callback_is_handled_once_however_often_it_comes() {
    let house = House::new();
    let receiver = house.receiver();
    house.service.says("g-1", found(Detail::new(SignStatus::Signed)));
    let (uri, mut tasks) = (house.url(), Vec::new());
    for _ in 0..50 {
        let (receiver, uri) = (receiver.clone(), uri.clone());
        tasks.push(tokio::spawn(async move { post(&receiver, &uri, sign(1)).await }));
    }
    let mut handled = 0;
    for task in tasks {
        let (status, disposition) = task.await.unwrap();
        assert_eq!(status, 200);
        handled += usize::from(matches!(disposition, Disposition::Handled));
    }
    assert_eq!((handled, house.kept.count(), house.service.looks()), (1, 1, 1));
    // Another body is another callback.
    house.service.says("g-1", found(Detail::new(SignStatus::Rejected)));
    assert!(matches!(post(&receiver, &uri, sign(2)).await.1, Disposition::Handled));
}

#[tokio::test]
async fn what_could_not_be_handled_counts_as_new() {
    let house = House::new();
    let receiver = house.receiver();
    house.service.says("g-1", found(Detail::new(SignStatus::Signed)));
    house.kept.fails.store(true, Ordering::SeqCst);
    assert_eq!(post(&receiver, &house.url(), sign(1)).await.0, 500);
    house.kept.fails.store(false, Ordering::SeqCst);
    house.service.is_down.store(true, Ordering::SeqCst);
    assert_eq!(post(&receiver, &house.url(), sign(1)).await.0, 500);
    house.service.is_down.store(false, Ordering::SeqCst);
    // Dropped while it is being handled, as when the peer hangs up.
    house.kept.hangs.store(true, Ordering::SeqCst);
    let (clone, uri) = (receiver.clone(), house.url());
    let hanging = tokio::spawn(async move { post(&clone, &uri, sign(1)).await.0 });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    // The same again while the first is under way: it waits, and is no duplicate of what came to nothing.
    let (clone, uri) = (receiver.clone(), house.url());
    let second = tokio::spawn(async move { post(&clone, &uri, sign(1)).await.1 });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!second.is_finished());
    house.kept.hangs.store(false, Ordering::SeqCst);
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    assert!(matches!(second.await.unwrap(), Disposition::Handled));
    assert_eq!(house.kept.count(), 1);
}

#[tokio::test]
async fn a_url_made_for_one_document_says_nothing_about_another() {
    let house = House::new();
    let receiver = house.receiver();
    house.secrets.bind("ref-1", "g-2".parse().unwrap());
    house.service.says("g-1", found(Detail::new(SignStatus::Signed)));
    assert_eq!(post(&receiver, &house.url(), sign(1)).await.0, 401);
    house.secrets.bind("ref-1", "g-1".parse().unwrap());
    assert_eq!(post(&receiver, &house.url(), sign(1)).await.0, 200);
}

#[tokio::test]
async fn a_document_that_is_gone_is_believed_only_where_the_service_deletes_it() {
    let house = House::new();
    let receiver = house.receiver();
    assert!(matches!(post(&receiver, &house.url(), sign(1)).await.1, Disposition::Unconfirmed(_)));
    house.secrets.deleted_after_callback("ref-1");
    assert!(matches!(post(&receiver, &house.url(), sign(1)).await.1, Disposition::Handled));
    assert!(!house.kept.deliveries.lock().unwrap()[0].is_confirmed);
    let launch = r#"{"GUID": "g-1", "sign_url": "u"}"#;
    assert!(matches!(post(&receiver, &house.url(), launch).await.1, Disposition::Unconfirmed(_)));
    house.service.says("g-1", Seen::Denied { code: "NOT_OWNER".into() });
    assert!(matches!(post(&receiver, &house.url(), sign(2)).await.1, Disposition::Unconfirmed(_)));
}

/// With c alone anybody may post: nothing of the body but the GUID is handed on.
#[tokio::test]
async fn the_guid_alone_brings_no_links_and_no_files() {
    let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
    let sink = Arc::new(FolderSink::new(folder.path()));
    let receiver = house.open().refetch(house.service.clone()).sink(sink).build().unwrap();
    let launch = r#"{"GUID": "g-1", "sign_url": "https://evil.example", "email": "a@b"}"#;
    house.service.says("g-1", found(Detail::new(SignStatus::NotSigned)));
    assert!(
        matches!(post(&receiver, "/x", launch).await.1, Disposition::Unconfirmed(_)),
        "no flow was started"
    );
    house.service.says("g-1", found(Detail::new(SignStatus::Signed).with_signers(true)));
    assert!(matches!(post(&receiver, "/x", launch).await.1, Disposition::Handled));
    let pdf = STANDARD.encode("%PDF-1.7 forged");
    let body =
        format!(r#"{{"GUID": "g-1", "sign_status": 1, "base64": "{pdf}", "file_name": "x", "more": 1}}"#);
    assert!(matches!(post(&receiver, "/x", body).await.1, Disposition::Handled));
    let deliveries = std::mem::take(&mut *house.kept.deliveries.lock().unwrap());
    let launched = &deliveries[0];
    assert!(launched.is_late && launched.callback.sign_url.is_none() && launched.callback.sender.is_none());
    let signed = &deliveries[1];
    assert!(signed.file.is_none() && signed.needs_download() && signed.callback.extra.is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    for body in [r#"{"event": "x"}"#, "{}"] {
        assert!(matches!(post(&receiver, "/x", body).await.1, Disposition::Unconfirmed(None)));
    }
}

#[tokio::test]
async fn a_key_comes_in_a_header_or_in_the_body_and_is_printed_nowhere() {
    let house = House::new();
    let header = KeyPlace::Header(http::HeaderName::from_static("x-key"));
    let receiver = house.open().key(KEY, header).build().unwrap();
    let at = |value: &str| parts("/x", &[("x-key", value)]);
    assert_eq!(receiver.receive_bytes(Route::Document, &at("wrong"), sign(1).into()).await.status(), 401);
    assert_eq!(
        receiver.receive_bytes(Route::Document, &parts("/x", &[]), sign(1).into()).await.status(),
        401
    );
    assert_eq!(receiver.receive_bytes(Route::Document, &at(KEY), sign(1).into()).await.status(), 200);

    let receiver = house.open().key(KEY, KeyPlace::Body("callback_key".into())).build().unwrap();
    let body = |key: &str| format!(r#"{{"GUID": "g", "sign_status": 2, "callback_key": {key}}}"#);
    for wrong in ["null", "1", "\"\"", "\"wrong\"", "{}", "[]"] {
        assert_eq!(post(&receiver, "/x", body(wrong)).await.0, 401, "{wrong}");
    }
    assert_eq!(post(&receiver, "/x", body(&format!("\"{KEY}\""))).await.0, 200);
    let shown = format!("{receiver:?}{:?}", house.kept.deliveries.lock().unwrap());
    assert!(!shown.contains("sentinel"));
}

/// Contract 4.6 d: HMAC-SHA256 over `timestamp.body`, five minutes.
#[tokio::test]
async fn a_relay_is_believed_within_its_window_and_to_the_byte() {
    let (house, clock) = (House::new(), ManualClock::new());
    clock.advance(std::time::Duration::from_secs(1_772_000_000));
    let relay = Relay::new("0123456789abcdef012345").unwrap();
    let receiver = house.open().relay(relay.clone()).clock(Arc::new(clock.clone())).build().unwrap();
    let send = async |age: i64, body: &str, signed: &str, tampered_time: i64| {
        let time = clock.wall().as_second() - age;
        let signature = relay.sign(time, signed.as_bytes());
        let stamp = (time + tampered_time).to_string();
        let parts = parts("/x", &[("x-relay-timestamp", &stamp), ("x-relay-signature", &signature)]);
        receiver.receive_bytes(Route::Document, &parts, body.to_owned().into()).await.status().as_u16()
    };
    let body = sign(1);
    assert_eq!(send(301, &body, &body, 0).await, 401);
    assert_eq!(send(-301, &body, &body, 0).await, 401);
    assert_eq!(send(0, &body, &sign(2), 0).await, 401);
    assert_eq!(send(0, &body, &body, 1).await, 401);
    assert_eq!(send(0, "not json", &body, 0).await, 401, "not parsed before it is proven");
    assert_eq!(house.kept.count(), 0);
    assert_eq!(send(300, &body, &body, 0).await, 200);
    assert_eq!(send(-300, &body, &body, 0).await, 200);
    assert_eq!(house.kept.count(), 1, "replayed within the window it is a duplicate");
}

/// The same time stamp, signature and body, again and again: a duplicate while the window is open, refused once it is over. With another
/// body, or beside another time stamp, the signature is worth nothing.
#[tokio::test]
async fn a_relays_signature_that_is_replayed_brings_nothing_more() {
    let (house, clock) = (House::new(), ManualClock::new());
    clock.advance(std::time::Duration::from_secs(1_772_000_000));
    let relay = Relay::new("0123456789abcdef012345").unwrap();
    let receiver = house.open().relay(relay.clone()).clock(Arc::new(clock.clone())).build().unwrap();
    let time = clock.wall().as_second();
    let (body, stamp, signature) = (sign(1), time.to_string(), relay.sign(time, sign(1).as_bytes()));
    let replay = async |stamp: &str, body: &str| {
        let head = parts("/x", &[("x-relay-timestamp", stamp), ("x-relay-signature", &signature)]);
        let reply = receiver.receive_bytes(Route::Document, &head, body.to_owned().into()).await;
        (reply.status().as_u16(), reply.disposition().clone())
    };
    assert!(matches!(replay(&stamp, &body).await, (200, Disposition::Handled)));
    for _ in 0..300 {
        clock.advance(std::time::Duration::from_secs(1));
        assert!(matches!(replay(&stamp, &body).await, (200, Disposition::Duplicate)));
    }
    assert_eq!(replay(&stamp, &sign(2)).await.0, 401);
    assert_eq!(replay(&(time + 300).to_string(), &body).await.0, 401);
    clock.advance(std::time::Duration::from_secs(1));
    let (status, disposition) = replay(&stamp, &body).await;
    assert!(status == 401 && matches!(disposition, Disposition::Refused(Refusal::Unauthorized(_))));
    assert_eq!(house.kept.count(), 1);
}

#[tokio::test]
async fn what_is_no_callback_is_malformed() {
    let house = House::new();
    let receiver = house.receiver();
    let bad_pdf =
        format!(r#"{{"GUID": "g-1", "sign_status": 1, "base64": "{}"}}"#, STANDARD.encode("<html>"));
    for body in [
        "",
        "not json",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{",
        r#"{"GUID": "g-1", "sign_status": }"#,
        "<html></html>",
        r#"{"sign_status": 1}"#,
        r#"{"GUID": "g-1", "sign_status": 1, "base64": "%%%"}"#,
        &bad_pdf,
        "{} {}",
    ] {
        let (status, disposition) = post(&receiver, &house.url(), body.to_owned()).await;
        assert!(
            status == 400 && matches!(disposition, Disposition::Refused(Refusal::Malformed(_))),
            "{body}"
        );
    }
    assert_eq!((house.kept.count(), house.service.looks()), (0, 0));
}

#[tokio::test]
async fn two_hundred_megabytes_are_refused_unread_or_unparsed() {
    let house = House::new();
    let receiver = house.receiver();
    let read: Arc<std::sync::atomic::AtomicUsize> = Arc::default();
    let made = |count| Made {
        begin: Some(Bytes::from_static(br#"{"GUID": "g-1", "sign_status": 1, "base64": ""#)),
        chunk: Bytes::from(vec![b'A'; 1 << 20]),
        count,
        end: Some(Bytes::from_static(b"\"}")),
        read: Arc::clone(&read),
    };
    let announced = parts(&house.url(), &[("content-length", "209715200")]);
    assert_eq!(receiver.receive(Route::Document, &announced, made(200)).await.status(), 413);
    assert_eq!(read.load(Ordering::SeqCst), 0);
    let small = house.open().refetch(house.service.clone()).body_limit(5 << 20).build().unwrap();
    assert_eq!(small.receive(Route::Document, &parts("/x", &[]), made(200)).await.status(), 413);
    assert!(read.load(Ordering::SeqCst) <= 6 << 20);
    let plain = format!(r#"{{"GUID": "g-1", "sign_status": 1, "x": "{}"}}"#, "x".repeat(2 << 20));
    assert_eq!(post(&receiver, &house.url(), plain).await.0, 413, "beside the files");
    assert_eq!(house.kept.count(), 0);
}

#[tokio::test]
async fn a_file_is_kept_as_it_was_sent_and_taken_away_if_handling_fails() {
    let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
    let receiver = house
        .open()
        .url_secrets(house.secrets.clone(), SecretPlace::Path)
        .refetch(house.service.clone())
        .sink(Arc::new(FolderSink::new(folder.path())))
        .build()
        .unwrap();
    house.service.says("../../etc/g", found(Detail::new(SignStatus::Signed)));
    let pdf: Vec<u8> =
        b"%PDF-1.7 ".iter().copied().chain((0..1_000_000u32).map(|n| (n % 251) as u8)).collect();
    // As PHP writes it, the file before the GUID, and an attachment.
    let text = STANDARD.encode(&pdf).replace('/', "\\/");
    let body = format!(
        r#"{{"base64": "{text}", "attached_files": [{{"file_name": "a.txt", "base64": "Zm9v"}}], "GUID": "../../etc/g",
            "sign_status": 1, "file_name": "/etc/passwd"}}"#
    );
    house.kept.fails.store(true, Ordering::SeqCst);
    assert_eq!(post(&receiver, &house.url(), body.clone()).await.0, 500);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left of what was not handled"
    );
    house.kept.fails.store(false, Ordering::SeqCst);
    assert_eq!(post(&receiver, &house.url(), body).await.0, 200);
    let deliveries = house.kept.deliveries.lock().unwrap();
    let file = deliveries[0].file.as_ref().unwrap();
    let location = std::path::PathBuf::from(file.location.as_deref().unwrap());
    assert_eq!(location.parent(), Some(folder.path()), "no callback chooses a path");
    assert_eq!(std::fs::read(&location).unwrap(), pdf);
    let digest = ring::digest::digest(&ring::digest::SHA256, &pdf);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((file.sha256.as_str(), file.length, file.is_pdf), (hex.as_str(), pdf.len() as u64, true));
    assert!(!deliveries[0].needs_download());
    assert_eq!(deliveries[0].attachments[0].file_name.as_deref(), Some("a.txt"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
    let sink = Arc::new(FolderSink::new(folder.path()));
    let receiver = house.open().refetch(house.service.clone()).sink(sink).build().unwrap();
    let begin = Bytes::from_static(br#"{"GUID": "g-1", "sign_status": 1, "base64": "JVBERi0x"#);
    let cut = Made { begin: Some(begin), chunk: Bytes::new(), count: 0, end: None, read: Arc::default() };
    assert_eq!(receiver.receive(Route::Document, &parts("/x", &[]), cut).await.status(), 400);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Contract 4.6 "Order": Sign may precede Launch; a late Launch never reopens a finished flow.
#[tokio::test]
async fn a_late_launch_reopens_nothing() {
    let house = House::new();
    let receiver = house.receiver();
    house.service.says("g-1", found(Detail::new(SignStatus::Signed)));
    let launch = r#"{"GUID": "g-1", "sign_url": "https://sign.legale.io/session/1", "email": "boss@b"}"#;
    assert!(matches!(post(&receiver, &house.url(), sign(1)).await.1, Disposition::Handled));
    assert!(matches!(post(&receiver, &house.url(), launch).await.1, Disposition::Handled));
    let (tracker, id) = (Tracker::new(), "g-1".parse().unwrap());
    let now = jiff::Timestamp::from_second(1_772_000_000).unwrap();
    for delivery in house.kept.deliveries.lock().unwrap().iter() {
        assert_eq!(delivery.is_late, delivery.callback.kind == CallbackKind::Launch);
        tracker.observe(&id, now, Source::Callback, Observation::of(delivery).unwrap());
    }
    assert_eq!(tracker.status(&id, now), Some(legale::status::Status::Signed));
    let kinds: Vec<_> = tracker.timeline(&id).into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Signed, EventKind::Launched]);
}

#[tokio::test]
async fn a_signer_route_is_about_a_signer_whatever_is_in_it() {
    let house = House::new();
    let receiver = house.receiver();
    house.service.says("g-1", found(Detail::new(SignStatus::NotSigned)));
    let body = Bytes::from_static(br#"{"GUID": "g-1", "step": "opened"}"#);
    let reply = receiver.receive_bytes(Route::Signer, &parts(&house.url(), &[]), body).await;
    assert_eq!(reply.status(), 200);
    let deliveries = house.kept.deliveries.lock().unwrap();
    assert_eq!(deliveries[0].callback.kind, CallbackKind::SignerStatus);
    assert_eq!(deliveries[0].callback.extra["step"], "opened");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_a_receiver_panic_or_believe(
        body in proptest::collection::vec(any::<u8>(), 0..300), uri in "/[ -~&&[^#<>\"`{}\\\\^|]]{0,40}", signer in any::<bool>(),
    ) {
        let house = House::new();
        let receiver = house.receiver();
        let uri: http::Uri = match uri.parse() { Ok(uri) => uri, Err(_) => return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let route = if signer { Route::Signer } else { Route::Document };
        let open = house.open().refetch(house.service.clone()).build().unwrap();
        let head = parts(&uri.to_string(), &[]);
        let status = runtime.block_on(receiver.receive_bytes(route, &head, body.clone().into())).status().as_u16();
        prop_assert_eq!(status, 401);
        let status = runtime.block_on(open.receive_bytes(route, &head, body.into())).status().as_u16();
        prop_assert!(matches!(status, 200 | 400));
        prop_assert_eq!(house.kept.count(), 0);
    }

    #[test]
    fn no_object_makes_a_receiver_panic(
        keys in proptest::collection::vec(prop_oneof![
            Just("GUID"), Just("sign_status"), Just("base64"), Just("attached_files"), Just("data_to_api"), Just("sign_url"),
            Just("meta_data"), Just("event"), Just("comment")], 0..8),
        values in proptest::collection::vec(prop_oneof![
            Just("1"), Just("null"), Just("\"\""), Just("\"g-1\""), Just("{}"), Just("[{}]"), Just("[1]"), Just("\"JVBERi0x\""),
            Just("true"), Just("{\"base64\": \"Zg==\"}"), Just("[{\"base64\": \"Zg\"}]"), Just("1e999"), Just("-5")], 8),
    ) {
        let house = House::new();
        house.service.says("g-1", found(Detail::new(SignStatus::Signed)));
        let receiver = house.receiver();
        let fields: Vec<_> = keys.iter().zip(values).map(|(key, value)| format!("\"{key}\": {value}")).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let status = runtime.block_on(post(&receiver, &house.url(), format!("{{{}}}", fields.join(",")))).0;
        prop_assert!(matches!(status, 200 | 400));
    }
}
