//! What the worker makes of hints: read again, once, and never lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use integration_store::{Store, StoredDuplicates};
use sugester::webhook::{Event, Hint, HintQueue, HintSink, MemoryHints, Route, StoredHints, Subject, Worker};
use sugester::{Clock as _, ManualClock};

use crate::support::{Kept, SECRET, Service, receiver};

struct House {
    hints: Arc<MemoryHints>,
    service: Arc<Service>,
    kept: Arc<Kept>,
    worker: Worker,
}

fn house() -> House {
    let (hints, service, kept) =
        (Arc::new(MemoryHints::default()), Arc::new(Service::default()), Arc::new(Kept::default()));
    let worker = Worker::new(hints.clone(), service.clone(), kept.clone());
    House { hints, service, kept, worker }
}

impl House {
    async fn hint(&self, id: u64, is_deleted: bool) {
        let mut hint = Hint::new(Subject::Client, id);
        hint.is_deleted = is_deleted;
        self.hints.keep(hint).await.unwrap();
    }

    async fn waiting(&self) -> usize {
        self.hints.waiting(0, 1000).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_state_is_handled_once_however_often_it_is_hinted_at() {
    let house = house();
    house.service.says(7, "Lima");
    for _ in 0..3 {
        house.hint(7, false).await;
    }
    let round = house.worker.round().await.unwrap();
    assert_eq!((round.handled, round.duplicates, house.service.reads.load(Ordering::SeqCst)), (1, 0, 1));
    house.hint(7, false).await;
    let round = house.worker.round().await.unwrap();
    assert_eq!((round.handled, round.duplicates, house.waiting().await), (0, 1, 0));
    house.service.says(7, "Cuzco");
    house.hint(7, false).await;
    house.worker.round().await.unwrap();
    assert_eq!(house.kept.lines(), ["client 7 Lima", "client 7 Cuzco"]);
}

#[tokio::test]
async fn what_is_not_there_is_gone_and_what_cannot_be_asked_is_not() {
    let house = house();
    house.hint(7, false).await;
    house.service.is_down.store(true, Ordering::SeqCst);
    let round = house.worker.round().await.unwrap();
    assert_eq!((round.handled, round.failed, house.waiting().await), (0, 1, 1));
    assert_eq!(*house.kept.failures.lock().unwrap(), ["client 7"]);
    house.service.is_down.store(false, Ordering::SeqCst);
    house.worker.round().await.unwrap();
    house.hint(7, true).await;
    assert_eq!(house.worker.round().await.unwrap().duplicates, 1);
    assert_eq!(house.kept.lines(), ["client 7 is gone"]);
}

#[tokio::test]
async fn a_body_that_says_deleted_is_not_believed_against_the_service() {
    let house = house();
    house.service.says(7, "Lima");
    house.hint(7, false).await;
    house.worker.round().await.unwrap();
    house.hint(7, true).await;
    house.worker.round().await.unwrap();
    assert_eq!(house.kept.lines(), ["client 7 Lima", "client 7 Lima"]);
    let claims: Vec<_> = house.kept.confirmed.lock().unwrap().iter().map(|it| it.claims_deleted).collect();
    assert_eq!(claims, [false, true]);
}

#[tokio::test]
async fn what_fails_stays_and_holds_nobody_up() {
    let house = house();
    house.service.says(7, "Lima");
    house.hint(7, false).await;
    house.kept.fails.store(true, Ordering::SeqCst);
    assert_eq!(house.worker.round().await.unwrap().failed, 1);
    house.kept.fails.store(false, Ordering::SeqCst);
    // More than one page of others.
    for id in 1000..1450 {
        house.service.says(id, "Lima");
        house.hint(id, false).await;
    }
    let round = house.worker.round().await.unwrap();
    assert_eq!((round.handled, round.failed, house.waiting().await), (451, 0, 0));
}

#[tokio::test]
async fn unknown_bodies_are_handed_on_each() {
    let house = house();
    let receiver = receiver(house.hints.clone());
    let path = format!("/product/{}", crate::support::IN_PATH);
    let (head, ()) = http::Request::post(path).body(()).unwrap().into_parts();
    for _ in 0..2 {
        let body = format!(r#"{{"api_token":"{SECRET}","product":{{"id":5}}}}"#);
        assert_eq!(receiver.receive_bytes(Route::Product, &head, body.into()).await.status(), 200);
    }
    assert_eq!(house.worker.round().await.unwrap().handled, 2);
    assert_eq!(house.kept.lines(), ["unknown for product", "unknown for product"]);
    assert!(matches!(house.kept.confirmed.lock().unwrap()[0].event, Event::Unknown(_)));
}

#[tokio::test]
async fn an_edit_during_the_reading_is_not_lost() {
    let house = house();
    house.service.says(7, "Lima");
    house.hint(7, false).await;
    house.kept.hangs.store(true, Ordering::SeqCst);
    let round = tokio::spawn({
        let worker = house.worker.clone();
        async move { worker.round().await }
    });
    while house.service.reads.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // Read, being handled; the same webhook again, for a change that came after the reading.
    house.service.says(7, "Cuzco");
    house.hint(7, false).await;
    round.abort();
    let _ = round.await;
    house.kept.hangs.store(false, Ordering::SeqCst);
    assert_eq!(house.waiting().await, 2, "dropped half way, nothing is forgotten");
    house.worker.round().await.unwrap();
    assert_eq!(house.kept.lines(), ["client 7 Cuzco"]);
}

#[tokio::test]
async fn a_worker_runs_when_something_comes_and_ends_when_told() {
    let house = house();
    let clock = ManualClock::new();
    let worker = house.worker.clone().clock(Arc::new(clock.clone()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        worker
            .run(async {
                let _ = stopped.await;
            })
            .await;
    });
    for id in [7, 8] {
        house.service.says(id, "Lima");
        house.hint(id, false).await;
        while house.waiting().await > 0 {
            tokio::task::yield_now().await;
        }
    }
    // What failed is tried again after the pause, with nobody calling for it.
    house.kept.fails.store(true, Ordering::SeqCst);
    house.service.says(9, "Lima");
    house.hint(9, false).await;
    while house.kept.failures.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    house.kept.fails.store(false, Ordering::SeqCst);
    let started = clock.elapsed();
    while house.waiting().await > 0 {
        clock.advance(std::time::Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert!((clock.elapsed() - started).as_secs() >= 29);
    stop.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(house.kept.lines(), ["client 7 Lima", "client 8 Lima", "client 9 Lima"]);
}

#[tokio::test]
async fn of_two_workers_with_one_memory_each_state_is_handled_by_one() {
    let store = Store::open("memory:").await.unwrap();
    let (service, kept) = (Arc::new(Service::default()), Arc::new(Kept::default()));
    let worker = |name: &str| {
        let hints = Arc::new(StoredHints::new(store.checkpoints("hints")));
        let duplicates = StoredDuplicates::new(store.inbox("handled")).holder(name);
        Worker::new(hints, service.clone(), kept.clone()).duplicates(Arc::new(duplicates))
    };
    let hints = StoredHints::new(store.checkpoints("hints"));
    for id in 1..=50 {
        service.says(id, "Lima");
        hints.keep(Hint::new(Subject::Client, id)).await.unwrap();
    }
    let (one, other) = (worker("one"), worker("other"));
    let (first, second) = tokio::join!(one.round(), other.round());
    assert_eq!(first.unwrap().handled + second.unwrap().handled, 50);
    one.round().await.unwrap();
    assert!(hints.waiting(0, 99).await.unwrap().is_empty());
    let mut lines = kept.lines();
    lines.sort();
    lines.dedup();
    assert_eq!((lines.len(), kept.lines().len()), (50, 50));
}
