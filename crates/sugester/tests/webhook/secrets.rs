//! Promise 5: no secret is printed. Planted in rows, path, records and bodies, and looked for in whatever can be printed, is answered,
//! told or written down.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use integration_store::{Store, StoredDuplicates};
use serde_json::json;
use sugester::bitfactura::ClientRecord;
use sugester::webhook::{Disposition, HintQueue, Receiver, Refused, Route, StoredHints, Worker};

use crate::support::{IN_PATH, Kept, SECRET, Service};

const PLANTED: &str = "pl4nted";

fn hidden(what: &str, value: &dyn Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!text.contains(PLANTED), "{what}: {text}");
    }
}

/// A token that opens a public page must not be printed with its record.
#[test]
fn records_hide_their_tokens() {
    let mut record = ClientRecord::default();
    record.token = Some(sugester::Secret::new("pl4nted"));
    hidden("record", &record);
}

#[tokio::test]
async fn no_secret_is_printed_told_or_written_down() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&told);
    let store = Store::open("memory:").await.unwrap();
    let hints = Arc::new(StoredHints::new(store.checkpoints("hints")));
    let builder = Receiver::builder().every_route(SECRET).path_secret(IN_PATH).sink(hints.clone()).observer(
        Arc::new(move |refused: &Refused<'_>| note.lock().unwrap().push(format!("{refused} {refused:?}"))),
    );
    hidden("builder", &builder);
    let receiver = builder.build().unwrap();
    hidden("receiver", &receiver);

    let right = format!("/client/{IN_PATH}");
    let url = "https://x.example/f/1/pl4nted";
    let bodies = [
        json!({"api_token": SECRET, "client": {"id": 17}}),
        json!({"api_token": SECRET, "deal": {"url": url, "external_ids": {"bitfactura": 21}}}),
        json!({"api_token": SECRET, "product": {"note": PLANTED}}),
        json!({"api_token": format!("{SECRET}x"), "client": {"id": 17}}),
        json!([SECRET]),
    ];
    for route in Route::ALL {
        for (path, body) in [right.as_str(), "/client/pl4nted"]
            .iter()
            .flat_map(|path| bodies.iter().map(move |body| (path, body)))
        {
            let (parts, ()) = http::Request::post(*path).body(()).unwrap().into_parts();
            let reply = receiver.receive_bytes(route, &parts, body.to_string().into()).await;
            hidden("reply", &reply);
            if let Disposition::Refused(refusal) = reply.disposition() {
                assert!(!refusal.to_string().contains(PLANTED));
            }
            let response = reply.into_response();
            assert!(response.body().is_empty() && response.headers().is_empty());
        }
    }
    hidden("observer", &*told.lock().unwrap());
    assert!(!told.lock().unwrap().is_empty());

    let waiting = hints.waiting(0, 99).await.unwrap();
    hidden("waiting", &waiting);
    for (_, value) in store.checkpoints("hints").records("hints", None, 99).await.unwrap() {
        let value = String::from_utf8(value.to_vec()).unwrap();
        assert!(
            !value.contains(SECRET) && !value.contains(IN_PATH) && !value.contains("api_token"),
            "{value}"
        );
    }

    let kept = Arc::new(Kept::default());
    let duplicates = Arc::new(StoredDuplicates::new(store.inbox("handled")));
    let worker = Worker::new(hints, Arc::new(Service::default()), kept.clone()).duplicates(duplicates);
    hidden("worker", &worker);
    worker.round().await.unwrap();
    let confirmed = kept.confirmed.lock().unwrap();
    assert!(confirmed.len() > 3);
    hidden("confirmed", &*confirmed);
}
