//! Callbacks as a network delivers them: the same on many connections at once, without a length, without an end, in swapped order, and
//! again after the receiver was started anew (contract 4.6; fault matrix, row 21).

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_sandbox::legale::{CallbackFault, CallbackKind as Sent};
use integration_store::Store;
use legale::status::{SignStatus, Status};
use legale::tracking::{Observation, Source, Tracker};
use legale::webhook::{
    CallbackToken, Disposition, MemorySecrets, Receiver, Refetch, Refused, Route, SecretPlace,
    StoredDuplicates,
};
use legale::{DocumentId, ManualClock, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::callbacks::{House, Kept};
use super::stranger::base64::encode;

/// What hears no limit fails its test.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    integration_core::clock::within(&integration_core::clock::SystemClock::new(), limit, work)
        .await
        .expect("it ends")
}

/// A flow that has ended, of which the service's own callback was lost.
async fn ended(house: &House, rejects: bool) -> DocumentId {
    let guid = house.send().await;
    house.bench.legale().inject_callback(Sent::Sign, CallbackFault::Lost);
    if rejects {
        house.bench.legale().reject(guid.as_str(), 1, "falta el anexo").unwrap();
    } else {
        house.finish(&guid);
    }
    guid
}

fn body(guid: &DocumentId, status: i64, file: &str) -> String {
    format!(r#"{{"GUID":"{guid}","sign_status":{status},"base64":"{file}"}}"#)
}

/// A request whose head is on its way.
async fn posting(house: &House, about_body: &str) -> (OwnedReadHalf, OwnedWriteHalf) {
    let url = house.url("document");
    let path = url.strip_prefix(&house.root).unwrap();
    let (reader, mut writer) =
        TcpStream::connect(house.root.strip_prefix("http://").unwrap()).await.unwrap().into_split();
    let head = format!("POST {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{about_body}\r\n\r\n");
    writer.write_all(head.as_bytes()).await.unwrap();
    (reader, writer)
}

/// The status of the answer; 0 if the connection ended without one.
async fn status(mut reader: OwnedReadHalf) -> u16 {
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = reader.read(&mut piece).await {
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(answer).unwrap().split(' ').nth(1).map_or(0, |code| code.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_callback_on_many_connections_at_once_is_handled_once() {
    const CONNECTIONS: usize = 64;
    let house = House::new().await;
    let guid = ended(&house, false).await;
    let body = body(&guid, 1, &encode(&house.bench.legale().signed_file(guid.as_str()).unwrap()));
    let together = Arc::new(tokio::sync::Barrier::new(CONNECTIONS));
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (reader, mut writer) = posting(&house, &format!("content-length: {}", body.len())).await;
        let (body, together) = (body.clone(), together.clone());
        tasks.push(tokio::spawn(async move {
            let (most, last) = body.as_bytes().split_at(body.len() - 1);
            writer.write_all(most).await.unwrap();
            // All of them wait for their last byte, and get it at once.
            together.wait().await;
            writer.write_all(last).await.unwrap();
            status(reader).await
        }));
    }
    for task in tasks {
        assert_eq!(soon(task).await.unwrap(), 200);
    }
    assert_eq!((house.kept.count(), house.files()), (1, 1));
    assert!(house.kept.again.lock().unwrap().is_empty());
    let delivery = house.kept.deliveries.lock().unwrap().pop().unwrap();
    assert!(delivery.is_confirmed && delivery.file.is_some());
}

/// A receiver of a program, with the inbox in a file.
async fn started(
    house: &House,
    secrets: &Arc<MemorySecrets>,
    kept: &Arc<Kept>,
    file: &std::path::Path,
) -> Receiver {
    let store = Store::open(&format!("sqlite:{}", file.display())).await.unwrap();
    Receiver::builder()
        .url_secrets(secrets.clone(), SecretPlace::Path)
        .refetch(Arc::new(house.client.clone()))
        .duplicates(Arc::new(StoredDuplicates::new(store.inbox("legale"))))
        .handler(kept.clone())
        .build()
        .unwrap()
}

#[tokio::test]
async fn what_came_before_a_restart_is_a_duplicate_and_what_failed_is_new() {
    let (house, folder) = (House::new().await, tempfile::tempdir().unwrap());
    let (secrets, token) = (Arc::new(MemorySecrets::new()), CallbackToken::generate("order-7").unwrap());
    secrets.insert(&token);
    let url = token.put_into("https://me.example/document".parse().unwrap(), &SecretPlace::Path);
    let (handled, failed) = (ended(&house, false).await, ended(&house, true).await);
    let file = folder.path().join("inbox.db");
    let kept = Arc::new(Kept::default());
    let post = async |receiver: &Receiver, guid: &DocumentId, status| {
        let parts = http::Request::post(url.as_str()).body(()).unwrap().into_parts().0;
        let reply = receiver.receive_bytes(Route::Document, &parts, body(guid, status, "").into()).await;
        reply.disposition().clone()
    };
    let first = started(&house, &secrets, &kept, &file).await;
    assert!(matches!(post(&first, &handled, 1).await, Disposition::Handled));
    kept.fails.store(true, Ordering::SeqCst);
    assert!(matches!(post(&first, &failed, 2).await, Disposition::Refused(_)));
    kept.fails.store(false, Ordering::SeqCst);
    drop(first);
    for _ in 0..3 {
        let next = started(&house, &secrets, &kept, &file).await;
        assert!(matches!(post(&next, &handled, 1).await, Disposition::Duplicate));
    }
    assert_eq!(kept.count(), 1, "only before the first restart");
    let next = started(&house, &secrets, &kept, &file).await;
    assert!(matches!(post(&next, &failed, 2).await, Disposition::Handled), "it had failed");
    drop(next);
    let last = started(&house, &secrets, &kept, &file).await;
    assert!(matches!(post(&last, &failed, 2).await, Disposition::Duplicate));
    assert_eq!(kept.count(), 2);
    // The guard in memory knows nothing of them.
    assert_eq!(house.post(body(&handled, 1, "")).await, 200);
    assert_eq!(house.kept.count(), 1);
}

/// 200 MB in chunks, so that nobody knows beforehand: read up to the cap of 160 MiB, answered 413, and nothing of it stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_without_a_length_are_refused_at_the_cap() {
    const PIECE: usize = 1_000_000;
    let house = House::new().await;
    let guid = ended(&house, false).await;
    let (reader, mut writer) = posting(&house, "transfer-encoding: chunked").await;
    let answer = tokio::spawn(status(reader));
    let begin = format!(r#"{{"GUID":"{guid}","sign_status":1,"base64":"JVBERi0x"#);
    let begin = format!("{:x}\r\n{begin}\r\n", begin.len());
    let piece = format!("{PIECE:x}\r\n{}\r\n", "QUJD".repeat(PIECE / 4));
    let mut sent = 0;
    let mut is_open = writer.write_all(begin.as_bytes()).await.is_ok();
    while is_open && sent < 200 {
        is_open = writer.write_all(piece.as_bytes()).await.is_ok();
        sent += usize::from(is_open);
    }
    let _ = writer.write_all(b"2\r\n\"}\r\n0\r\n\r\n").await;
    assert_eq!(soon(answer).await.unwrap(), 413);
    // 160 MiB are 167.8 of these pieces; the rest is what sockets hold on the way.
    assert!((167..190).contains(&sent), "{sent} pieces");
    assert_eq!((house.kept.count(), house.files()), (0, 0));
    assert_eq!(house.post(body(&guid, 1, "")).await, 200, "and the next one is received");
}

/// A sender who gives a byte a second and never ends: refused when the time of a body is over (300 s), not before.
#[tokio::test]
async fn a_body_that_never_ends_is_given_up_in_its_time() {
    let (clock, why) = (ManualClock::new(), Arc::new(Mutex::new(Vec::new())));
    let told = why.clone();
    let observer = move |refused: &Refused<'_>| told.lock().unwrap().push(refused.to_string());
    let receivers_clock = Arc::new(clock.clone());
    let house = House::with(|builder| builder.clock(receivers_clock).observer(Arc::new(observer))).await;
    let guid = ended(&house, false).await;
    for is_chunked in [true, false] {
        let about = if is_chunked { "transfer-encoding: chunked" } else { "content-length: 1000000" };
        let (reader, mut writer) = posting(&house, about).await;
        let begin = format!(r#"{{"GUID":"{guid}","sign_status":1,"base64":"JVBERi0x"#);
        let begin = if is_chunked { format!("{:x}\r\n{begin}\r\n", begin.len()) } else { begin };
        writer.write_all(begin.as_bytes()).await.unwrap();
        let answer = tokio::spawn(status(reader));
        let drop = if is_chunked { "1\r\nA\r\n" } else { "A" };
        let mut seconds = 0;
        while !answer.is_finished() && seconds < 100_000 {
            clock.advance(Duration::from_secs(1));
            seconds += 1;
            // Gone once it was refused.
            let _ = writer.write_all(drop.as_bytes()).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(soon(answer).await.unwrap(), 400);
        assert!(seconds >= 300, "{seconds}");
        let told = why.lock().unwrap().pop().unwrap();
        assert!(told.contains("did not arrive in time"), "{told}");
        assert_eq!((house.kept.count(), house.files()), (0, 0));
    }
}

/// A rejection and a signature of one document, of which one is true: whichever comes first, only what the service says is handled,
/// and the other is to be polled.
#[tokio::test]
async fn reject_and_sign_in_either_order_end_in_what_the_service_says() {
    for (is_rejected, order) in [(true, [1, 2]), (true, [2, 1]), (false, [1, 2]), (false, [2, 1])] {
        let house = House::new().await;
        let guid = ended(&house, is_rejected).await;
        for status in order {
            assert_eq!(house.post(body(&guid, status, "")).await, 200, "{is_rejected} {order:?}");
        }
        let tracker = Tracker::new();
        let deliveries = house.kept.deliveries.lock().unwrap();
        assert_eq!((deliveries.len(), house.kept.again.lock().unwrap().len()), (1, 1), "{order:?}");
        for delivery in deliveries.iter() {
            let seen = Observation::of(delivery).unwrap();
            tracker.observe(&guid, Timestamp::UNIX_EPOCH, Source::Callback, seen);
        }
        let truth = if is_rejected { SignStatus::Rejected } else { SignStatus::Signed };
        assert_eq!(deliveries[0].callback.sign_status, Some(truth), "{order:?}");
        let comment = is_rejected.then(|| "falta el anexo".to_owned());
        assert_eq!(deliveries[0].callback.comment, comment, "the service's, for the body had none");
        assert_eq!(tracker.status(&guid, Timestamp::UNIX_EPOCH), Some(ended_as(is_rejected)), "{order:?}");
    }
}

/// Where nobody asks the service, both are handled; the first result stands until a fresh look says otherwise (contract 4.7).
#[tokio::test]
async fn without_asking_the_first_result_stands_until_a_fresh_look() {
    for order in [[1, 2], [2, 1]] {
        let house = House::new().await;
        let guid = ended(&house, true).await;
        let (secrets, token) = (Arc::new(MemorySecrets::new()), CallbackToken::generate("order-8").unwrap());
        secrets.insert(&token);
        let kept = Arc::new(Kept::default());
        let builder = Receiver::builder().url_secrets(secrets, SecretPlace::Path);
        let receiver = builder.handler(kept.clone()).build().unwrap();
        let url = token.put_into("https://me.example/document".parse().unwrap(), &SecretPlace::Path);
        for status in order {
            let parts = http::Request::post(url.as_str()).body(()).unwrap().into_parts().0;
            let body = format!(r#"{{"GUID":"{guid}","sign_status":{status},"comment":"falta el anexo"}}"#);
            assert_eq!(receiver.receive_bytes(Route::Document, &parts, body.into()).await.status(), 200);
        }
        let (tracker, now) = (Tracker::new(), Timestamp::UNIX_EPOCH);
        for delivery in kept.deliveries.lock().unwrap().iter() {
            tracker.observe(&guid, now, Source::Callback, Observation::of(delivery).unwrap());
        }
        assert_eq!(kept.count(), 2);
        assert_eq!(tracker.status(&guid, now), Some(ended_as(order[0] == 2)), "{order:?}");
        let seen = Observation::Seen(house.client.look(&guid).await.unwrap());
        tracker.observe(&guid, now, Source::Poll, seen);
        assert_eq!(tracker.status(&guid, now), Some(ended_as(true)), "{order:?}");
    }
}

fn ended_as(is_rejected: bool) -> Status {
    if is_rejected { Status::Rejected { comment: Some("falta el anexo".into()) } } else { Status::Signed }
}
