//! Callbacks, really posted by the sandbox to a receiver behind axum: what was not proven is not believed, nothing is handled twice
//! (contract 4.6).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use integration_sandbox::legale::{
    CallbackFault, CallbackKind as Sent, KeyPlace as SandboxKey, Relay as SandboxRelay,
};
use legale::status::SignStatus;
use legale::webhook::{
    CallbackKind, CallbackToken, Delivery, Disposition, FolderSink, Handler, KeyPlace, MemorySecrets,
    Receiver, ReceiverBuilder, Refusal, Relay, Route, SecretPlace, router,
};
use legale::{BoxFuture, Client, DocumentId, Error, ErrorKind, Sending};
use serde_json::json;
use tempfile::TempDir;

use super::{Bench, two, upload};

const KEY: &str = "a-key-of-the-callbacks";
const RELAY: &str = "a-secret-of-the-relay-0123456789";

#[derive(Default)]
pub(super) struct Kept {
    pub(super) deliveries: Mutex<Vec<Delivery>>,
    pub(super) again: Mutex<Vec<DocumentId>>,
    pub(super) fails: AtomicBool,
}

impl Handler for Kept {
    fn handle(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if self.fails.load(Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Store, "handle"));
            }
            tokio::task::yield_now().await;
            self.deliveries.lock().unwrap().push(delivery);
            Ok(())
        })
    }

    fn poll_again(&self, document: DocumentId) -> BoxFuture<'_, ()> {
        self.again.lock().unwrap().push(document);
        Box::pin(std::future::ready(()))
    }
}

impl Kept {
    fn kinds(&self) -> Vec<CallbackKind> {
        self.deliveries.lock().unwrap().iter().map(|delivery| delivery.callback.kind).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.deliveries.lock().unwrap().len()
    }
}

/// The service, and a receiver on a port of its own.
pub(super) struct House {
    pub(super) bench: Bench,
    pub(super) client: Client,
    pub(super) kept: Arc<Kept>,
    token: CallbackToken,
    receiver: Receiver,
    pub(super) root: String,
    folder: TempDir,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl House {
    /// The default of the contract, a with c.
    pub(super) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(super) async fn with(more: impl FnOnce(ReceiverBuilder) -> ReceiverBuilder) -> Self {
        let bench = Bench::new().await;
        let (client, kept, folder) =
            (bench.client(), Arc::new(Kept::default()), tempfile::tempdir().unwrap());
        let (secrets, token) = (Arc::new(MemorySecrets::new()), CallbackToken::generate("order-1").unwrap());
        secrets.insert(&token);
        let builder = Receiver::builder()
            .handler(kept.clone())
            .sink(Arc::new(FolderSink::new(folder.path())))
            .url_secrets(secrets, SecretPlace::Path)
            .refetch(Arc::new(client.clone()));
        let receiver = more(builder).build().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().nest("/legale", router(receiver.clone()));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { bench, client, kept, token, receiver, root, folder, server }
    }

    pub(super) fn url(&self, route: &str) -> String {
        let url = format!("{}/legale/{route}", self.root).parse().unwrap();
        self.token.put_into(url, &SecretPlace::Path).to_string()
    }

    /// A running flow that reports to the receiver.
    pub(super) async fn send(&self) -> DocumentId {
        let upload =
            upload().callback_url(self.url("document")).callback_key(KEY).note("n").document_type("t");
        self.client.send(&Sending::new(upload, two(legale::flow::Flow::parallel()))).await.unwrap().guid
    }

    pub(super) fn finish(&self, guid: &DocumentId) {
        self.bench.legale().sign(guid.as_str(), 1).unwrap();
        self.bench.legale().sign(guid.as_str(), 2).unwrap();
    }

    /// What the receiver answered to callback `number`, from 1.
    async fn answers(&self, number: usize) -> Vec<u16> {
        self.bench.legale().wait_for_callbacks(number).await;
        let callbacks = self.bench.legale().callbacks();
        callbacks[number - 1].attempts.iter().map(|attempt| attempt.status.unwrap_or(0)).collect()
    }

    pub(super) fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }

    pub(super) async fn post(&self, body: impl Into<bytes::Bytes>) -> u16 {
        let parts = http::Request::post(self.url("document")).body(()).unwrap().into_parts().0;
        self.receiver.receive_bytes(Route::Document, &parts, body.into()).await.status().as_u16()
    }
}

#[tokio::test]
async fn a_signed_document_arrives_with_its_file() {
    let house = House::new().await;
    let guid = house.send().await;
    house.finish(&guid);
    assert_eq!(house.answers(1).await, [200]);
    let delivery = house.kept.deliveries.lock().unwrap().pop().unwrap();
    assert_eq!(delivery.callback.kind, CallbackKind::Sign);
    assert_eq!(delivery.callback.document.as_ref(), Some(&guid));
    assert_eq!(delivery.callback.sign_status, Some(SignStatus::Signed));
    assert_eq!(delivery.callback.meta_data.note.as_deref(), Some("n"));
    assert!(delivery.is_confirmed && !delivery.is_late && !delivery.needs_download());
    let file = delivery.file.unwrap();
    let there = house.bench.legale().signed_file(guid.as_str()).unwrap();
    assert_eq!(std::fs::read(file.location.unwrap()).unwrap(), there);
    assert_eq!(file.sha256, house.bench.document(&guid).signed_file.unwrap().sha256);
}

#[tokio::test]
async fn a_rejection_arrives_with_its_reason_and_without_a_file() {
    let house = House::new().await;
    let guid = house.send().await;
    house.bench.legale().reject(guid.as_str(), 2, "falta el anexo").unwrap();
    assert_eq!(house.answers(1).await, [200]);
    let delivery = house.kept.deliveries.lock().unwrap().pop().unwrap();
    assert_eq!(delivery.callback.sign_status, Some(SignStatus::Rejected));
    assert_eq!(delivery.callback.comment.as_deref(), Some("falta el anexo"));
    assert!(delivery.file.is_none() && !delivery.needs_download());
    assert_eq!(house.files(), 0);
}

/// Each spoiling, what is answered to it, and how many callbacks are handled.
#[tokio::test]
async fn spoiled_callbacks_are_refused_or_handled_once() {
    let table: Vec<(CallbackFault, &[u16], usize)> = vec![
        (CallbackFault::Duplicate { copies: 3 }, &[200, 200, 200, 200], 1),
        (CallbackFault::ForgedTwin, &[200, 200], 1),
        (CallbackFault::ForgedInstead, &[200], 0),
        (CallbackFault::WrongUrlTwin, &[401, 200], 1),
        (CallbackFault::NotJson, &[400], 0),
        (CallbackFault::Cut, &[400], 0),
        (CallbackFault::Lost, &[], 0),
    ];
    for (fault, answers, handled) in table {
        let house = House::new().await;
        let guid = house.send().await;
        house.bench.legale().inject_callback(Sent::Sign, fault.clone());
        house.finish(&guid);
        let got = house.answers(1).await;
        let cut = fault == CallbackFault::Cut && got == [0];
        assert!(got == answers || cut, "{fault:?}: {got:?}");
        assert_eq!((house.kept.count(), house.files()), (handled, handled), "{fault:?}");
        for delivery in house.kept.deliveries.lock().unwrap().iter() {
            assert_eq!(delivery.callback.sign_status, Some(SignStatus::Signed), "{fault:?}");
            assert_ne!(delivery.callback.comment.as_deref(), Some("forged"));
        }
        let forged = matches!(fault, CallbackFault::ForgedTwin | CallbackFault::ForgedInstead);
        assert_eq!(house.kept.again.lock().unwrap().len(), usize::from(forged), "{fault:?}");
    }
}

#[tokio::test]
async fn two_hundred_megabytes_are_refused_at_the_head() {
    let house = House::new().await;
    let guid = house.send().await;
    house.bench.legale().inject_callback(Sent::Sign, CallbackFault::Oversized { bytes: 200_000_000 });
    house.finish(&guid);
    let got = house.answers(1).await;
    assert!(got == [413] || got == [0], "{got:?}");
    assert_eq!((house.kept.count(), house.files()), (0, 0));
}

/// Without a length, the cap is counted while it is read.
#[tokio::test]
async fn a_body_beyond_the_cap_leaves_nothing() {
    let house = House::with(|builder| builder.body_limit(10_000)).await;
    let guid = house.send().await;
    house.finish(&guid);
    house.bench.legale().wait_for_callbacks(1).await;
    let before = (house.kept.count(), house.files());
    let file = "QUJD".repeat(5_000);
    assert_eq!(house.post(format!(r#"{{"GUID":"{guid}","sign_status":1,"base64":"{file}"}}"#)).await, 413);
    assert_eq!((house.kept.count(), house.files()), before);
}

#[tokio::test]
async fn a_wrong_key_a_changed_body_and_an_old_signature_are_refused() {
    let key = |place: KeyPlace, at: SandboxKey| async move {
        for (fault, answer) in [(None, 200), (Some(CallbackFault::WrongKey), 401)] {
            let house = House::with(|builder| builder.key(KEY, place.clone())).await;
            house.bench.legale().configure(|settings| settings.callback_key_place = at.clone());
            let guid = house.send().await;
            fault.into_iter().for_each(|fault| house.bench.legale().inject_callback(Sent::Sign, fault));
            house.finish(&guid);
            assert_eq!(house.answers(1).await, [answer], "{place:?}");
            assert_eq!(house.kept.count(), usize::from(answer == 200));
        }
    };
    key(KeyPlace::Header("x-callback-key".parse().unwrap()), SandboxKey::Header("x-callback-key".into()))
        .await;
    key(KeyPlace::Body("callback_key".into()), SandboxKey::Body("callback_key".into())).await;
    for (fault, answers) in [
        (None, &[200][..]),
        (Some(CallbackFault::Changed), &[401]),
        (Some(CallbackFault::Stale { seconds: 301 }), &[401]),
        (Some(CallbackFault::ForgedTwin), &[401, 200]),
    ] {
        let house = House::with(|builder| builder.relay(Relay::new(RELAY).unwrap())).await;
        house.bench.legale().configure(|settings| settings.relay = Some(SandboxRelay::new(RELAY)));
        let guid = house.send().await;
        fault.clone().into_iter().for_each(|fault| house.bench.legale().inject_callback(Sent::Sign, fault));
        house.finish(&guid);
        assert_eq!(house.answers(1).await, answers, "{fault:?}");
        let handled = usize::from(answers.contains(&200));
        assert_eq!((house.kept.count(), house.files()), (handled, handled), "{fault:?}");
    }
}

#[tokio::test]
async fn a_replay_is_acknowledged_and_not_handled() {
    let house = House::new().await;
    house.bench.legale().configure(|settings| settings.inline_files = false);
    let guid = house.send().await;
    house.finish(&guid);
    assert_eq!(house.answers(1).await, [200]);
    let body: serde_json::Value = serde_json::from_str(&house.bench.legale().callbacks()[0].body).unwrap();
    for number in 2..5 {
        house.bench.legale().post_callback(&house.url("document"), &[], body.clone());
        assert_eq!(house.answers(number).await, [200]);
    }
    assert_eq!(house.kept.count(), 1);
    // The other result, for which the service does not stand: not believed, to be polled.
    let mut other = body.clone();
    other["sign_status"] = json!(2);
    house.bench.legale().post_callback(&house.url("document"), &[], other);
    assert_eq!(house.answers(5).await, [200]);
    assert_eq!((house.kept.count(), house.kept.again.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_launch_that_comes_after_the_end_is_late_and_reopens_nothing() {
    let house = House::new().await;
    house.bench.legale().configure(|settings| settings.launch_callback_url = Some(house.url("document")));
    house.bench.legale().inject_callback(Sent::Launch, CallbackFault::Hold);
    let guid = house.send().await;
    house.finish(&guid);
    house.bench.legale().wait_for_callbacks(1).await;
    assert_eq!(house.kept.kinds(), [CallbackKind::Sign]);
    house.bench.legale().release_held();
    house.bench.legale().wait_for_callbacks(2).await;
    assert_eq!(house.kept.kinds(), [CallbackKind::Sign, CallbackKind::Launch]);
    let deliveries = house.kept.deliveries.lock().unwrap();
    assert!(!deliveries[0].is_late && deliveries[1].is_late);
    let tracker = legale::tracking::Tracker::new();
    for delivery in deliveries.iter() {
        let seen = legale::tracking::Observation::of(delivery).unwrap();
        tracker.observe(&guid, legale::Timestamp::UNIX_EPOCH, legale::tracking::Source::Callback, seen);
    }
    assert_eq!(tracker.status(&guid, legale::Timestamp::UNIX_EPOCH), Some(legale::status::Status::Signed));
}

#[tokio::test]
async fn signers_report_to_their_own_route() {
    let house = House::new().await;
    let signer = super::outsider(super::ANA).status_callback(house.url("signer"));
    let flow = legale::flow::Flow::sequential().signer(signer).build().unwrap();
    let guid = house.client.send(&Sending::new(upload(), flow)).await.unwrap().guid;
    house.bench.legale().open(guid.as_str(), 1).unwrap();
    assert_eq!(house.answers(1).await, [200]);
    assert_eq!(house.kept.kinds(), [CallbackKind::SignerStatus]);
}

/// Posted by anybody who guesses the route: nothing is read of it.
#[tokio::test]
async fn without_the_secret_of_the_url_nothing_is_handled() {
    let house = House::new().await;
    let guid = house.send().await;
    let body = json!({"GUID": guid.as_str(), "sign_status": 1});
    let bare = format!("{}/legale/document", house.root);
    let other = CallbackToken::generate("order-1").unwrap();
    let guessed = other.put_into(bare.parse().unwrap(), &SecretPlace::Path).to_string();
    for (number, url) in
        [bare.clone(), format!("{bare}/order-1."), format!("{bare}/order-1.x"), guessed].iter().enumerate()
    {
        house.bench.legale().post_callback(url, &[], body.clone());
        assert_eq!(house.answers(number + 1).await, [401], "{url}");
    }
    assert_eq!((house.kept.count(), house.kept.again.lock().unwrap().len()), (0, 0));
}

/// What is no callback, over plain `http` types.
#[tokio::test]
async fn what_is_no_callback_is_malformed() {
    let house = House::new().await;
    for body in
        ["", "null", "[]", "1", "\"x\"", "{", "{\"GUID\":", "<html>", "{\"sign_status\":1}", "\u{feff}{}"]
    {
        assert_eq!(house.post(body.to_owned()).await, 400, "{body}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(house.post(deep).await, 400);
    assert_eq!(house.post(format!(r#"{{"GUID":"g","x":"{}"}}"#, "y".repeat(2_000_000))).await, 413);
    let bad = house.post(r#"{"GUID":"g","sign_status":1,"base64":"PGh0bWw+"}"#).await;
    assert_eq!((bad, house.kept.count(), house.files()), (400, 0, 0));
}

/// The answer is 200 only once the handler is done; until then the sender may come again.
#[tokio::test]
async fn what_could_not_be_handled_is_answered_500_and_comes_again() {
    let house = House::new().await;
    house.bench.legale().configure(|settings| {
        settings.callback_attempts = 2;
        settings.callback_pause_ms = 1;
    });
    let guid = house.send().await;
    house.kept.fails.store(true, Ordering::SeqCst);
    house.finish(&guid);
    assert_eq!(house.answers(1).await, [500, 500]);
    assert_eq!((house.kept.count(), house.files()), (0, 0));
    house.kept.fails.store(false, Ordering::SeqCst);
    assert_eq!(house.post(format!(r#"{{"GUID":"{guid}","sign_status":1}}"#)).await, 200);
    assert_eq!(house.kept.count(), 1);
}

/// The same file in two callbacks: one that fails takes nothing away from one that was handled.
#[tokio::test]
async fn a_failure_does_not_take_the_file_of_another_callback() {
    let house = House::new().await;
    let guid = house.send().await;
    house.finish(&guid);
    assert_eq!(house.answers(1).await, [200]);
    let location = house.kept.deliveries.lock().unwrap()[0].file.clone().unwrap().location.unwrap();
    let whole = std::fs::read(&location).unwrap();
    house.kept.fails.store(true, Ordering::SeqCst);
    // As the first, with one blank more: another body, and so another callback.
    house.bench.legale().configure(|settings| settings.callback_attempts = 1);
    let base64 = house.client.detail(&guid).await.unwrap().base64.unwrap().as_str().to_owned();
    let body = format!(r#"{{"GUID": "{guid}", "sign_status": 1, "base64": "{base64}"}}"#);
    assert_eq!(house.post(body).await, 500);
    assert_eq!(std::fs::read(&location).unwrap(), whole);
    assert_eq!(house.files(), 1);
}

#[tokio::test]
async fn a_reply_tells_why() {
    let house = House::new().await;
    let parts = http::Request::post(house.url("document")).body(()).unwrap().into_parts().0;
    let reply = house.receiver.receive_bytes(Route::Document, &parts, "{".into()).await;
    assert!(matches!(reply.disposition(), Disposition::Refused(Refusal::Malformed(_))));
    assert!(reply.into_response().body().is_empty(), "nothing is told to whoever tries");
}
