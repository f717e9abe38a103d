//! Several receivers over one store, and receivers that are killed half way: what was handled is not handled again, what was not
//! is (contract 4.6, answers and dedupe).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::request::Parts;
use integration_store::{Memory, Store};
use legale::ManualClock;
use legale::status::SignStatus;
use legale::webhook::{
    Claim, ClaimTicket, Detail, Disposition, Duplicates, Receiver, Refusal, Route, StoredDuplicates,
};
use legale::{BoxFuture, Error, ErrorKind};

use crate::support::{Kept, Service, found};

const LEASE: Duration = Duration::from_secs(120);
const BODY: &str = r#"{"GUID": "g-1", "sign_status": 1}"#;

struct House {
    service: Arc<Service>,
    kept: Arc<Kept>,
    clock: ManualClock,
    store: Store,
}

impl House {
    fn new() -> Self {
        let clock = ManualClock::new();
        let store = Store::from_backend(Memory::with_clock(Arc::new(clock.clone())));
        let (service, kept): (Arc<Service>, Arc<Kept>) = Default::default();
        service.says("g-1", found(Detail::new(SignStatus::Signed)));
        Self { service, kept, clock, store }
    }

    /// A receiver of a machine of its own: nobody here can tell whether it has ended.
    fn receiver(&self, machine: &str) -> Receiver {
        let duplicates = StoredDuplicates::new(self.store.inbox("legale")).holder(machine);
        self.with(Arc::new(duplicates))
    }

    fn with(&self, duplicates: Arc<dyn Duplicates>) -> Receiver {
        Receiver::builder()
            .refetch(self.service.clone())
            .handler(self.kept.clone())
            .duplicates(duplicates)
            .clock(Arc::new(self.clock.clone()))
            .build()
            .unwrap()
    }

    /// A receiver that begins to handle the callback and is then killed: nothing of it runs any more, not even what drops it.
    async fn killed(&self, machine: &str) {
        self.kept.hangs.store(true, Ordering::SeqCst);
        let receiver = self.receiver(machine);
        let mut request = Box::pin(async move { post(&receiver).await });
        for _ in 0..10 {
            let polled =
                std::future::poll_fn(|context| std::task::Poll::Ready(request.as_mut().poll(context))).await;
            assert!(polled.is_pending());
        }
        std::mem::forget(request);
        self.kept.hangs.store(false, Ordering::SeqCst);
    }
}

fn head() -> Parts {
    http::Request::post("/x").body(()).unwrap().into_parts().0
}

async fn post(receiver: &Receiver) -> (u16, Disposition) {
    let reply = receiver.receive_bytes(Route::Document, &head(), BODY.into()).await;
    (reply.status().as_u16(), reply.disposition().clone())
}

async fn is_in_progress(receiver: &Receiver) -> bool {
    matches!(post(receiver).await, (500, Disposition::Refused(Refusal::InProgress)))
}

#[tokio::test]
async fn killed_between_claim_and_done_the_callback_is_handled_when_it_comes_again() {
    let house = House::new();
    house.killed("one").await;
    let other = house.receiver("other");
    assert!(is_in_progress(&other).await, "the first may still be at it: the sender is to try again");
    house.clock.advance(LEASE - Duration::from_secs(1));
    assert!(is_in_progress(&other).await);
    house.clock.advance(Duration::from_secs(1));
    assert!(matches!(post(&other).await, (200, Disposition::Handled)));
    assert!(matches!(post(&house.receiver("third")).await, (200, Disposition::Duplicate)));
    assert_eq!(house.kept.count(), 1);
}

#[tokio::test]
async fn what_was_handled_is_a_duplicate_after_a_restart() {
    let house = House::new();
    assert!(matches!(post(&house.receiver("before")).await.1, Disposition::Handled));
    // However late, within what is kept: 30 days.
    for _ in 0..29 {
        house.clock.advance(Duration::from_secs(86_400));
        assert!(matches!(post(&house.receiver("after")).await, (200, Disposition::Duplicate)));
    }
    assert_eq!(house.kept.count(), 1);
}

#[tokio::test]
async fn what_failed_is_handled_again_at_once_by_any_receiver() {
    let house = House::new();
    house.kept.fails.store(true, Ordering::SeqCst);
    assert_eq!(post(&house.receiver("one")).await.0, 500);
    house.kept.fails.store(false, Ordering::SeqCst);
    assert!(matches!(post(&house.receiver("other")).await.1, Disposition::Handled));
    assert_eq!(house.kept.count(), 1);
}

#[tokio::test]
async fn what_was_dropped_half_way_is_handled_again_at_once() {
    let house = House::new();
    house.kept.hangs.store(true, Ordering::SeqCst);
    let receiver = house.receiver("one");
    let task = tokio::spawn(async move { post(&receiver).await });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let other = house.receiver("other");
    assert!(is_in_progress(&other).await);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    house.kept.hangs.store(false, Ordering::SeqCst);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(post(&other).await.1, Disposition::Handled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_receivers_race_and_one_handles() {
    let house = House::new();
    let receivers = [house.receiver("one"), house.receiver("other")];
    let mut tasks = Vec::new();
    for turn in 0..40 {
        let receiver = receivers[turn % 2].clone();
        tasks.push(tokio::spawn(async move { post(&receiver).await }));
    }
    let (mut handled, mut told_to_try_again) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            (200, Disposition::Handled) => handled += 1,
            (200, Disposition::Duplicate) => {}
            (500, Disposition::Refused(Refusal::InProgress)) => told_to_try_again += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((handled, house.kept.count()), (1, 1), "{told_to_try_again} were told to try again");
    for receiver in &receivers {
        assert!(matches!(post(receiver).await, (200, Disposition::Duplicate)));
    }
}

/// A handler that takes longer than the lease keeps its claim.
#[tokio::test]
async fn a_long_handler_is_not_overtaken() {
    let house = House::new();
    house.kept.hangs.store(true, Ordering::SeqCst);
    let receiver = house.receiver("one");
    let task = tokio::spawn(async move { post(&receiver).await });
    let other = house.receiver("other");
    for _ in 0..12 {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(is_in_progress(&other).await);
        house.clock.advance(LEASE / 3);
    }
    task.abort();
    assert_eq!(house.kept.count(), 0);
}

/// A store that cannot write down that a callback was handled.
#[derive(Debug)]
struct CannotMark(StoredDuplicates);

impl Duplicates for CannotMark {
    fn claim<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Claim, Error>> {
        self.0.claim(key)
    }
    fn done<'a>(&'a self, _: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(std::future::ready(Err(Error::new(ErrorKind::Store, "mark"))))
    }
    fn release<'a>(&'a self, ticket: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
        self.0.release(ticket)
    }
}

/// It was handled: an answer of 500 would only have it handled once more.
#[tokio::test]
async fn what_was_handled_but_not_marked_is_accepted() {
    let house = House::new();
    let broken = CannotMark(StoredDuplicates::new(house.store.inbox("legale")).holder("one"));
    assert!(matches!(post(&house.with(Arc::new(broken))).await, (200, Disposition::Handled)));
    assert!(is_in_progress(&house.receiver("other")).await, "not given back");
    assert_eq!(house.kept.count(), 1);
}
