//! The backend in memory keeps every promise but durability, on the machine's clock and on one that is told the time.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::sync::Arc;

use integration_core::clock::ManualClock;
use integration_store::{Backend, Memory, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    let report = conformance::run(|| Box::pin(async { Arc::new(Memory::new()) as Arc<dyn Backend> })).await;
    report.into_result().unwrap_or_else(|broken| panic!("{broken}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms_on_a_manual_clock() {
    let clock = Arc::new(ManualClock::new());
    let shared = Arc::clone(&clock);
    let make = move || {
        let clock = Arc::clone(&shared);
        Box::pin(async move { Arc::new(Memory::with_clock(clock)) as Arc<dyn Backend> })
            as integration_core::BoxFuture<'static, _>
    };
    let report = conformance::run_on_clock(make, clock).await;
    report.into_result().unwrap_or_else(|broken| panic!("{broken}"));
}

#[tokio::test]
async fn what_is_stored_is_not_printed() {
    let store = integration_store::Store::from_backend(Memory::new());
    let entry = integration_store::NewEntry::new("lane", "key", "sentinel-of-a-body", "");
    store.outbox("calls").append("worker", vec![entry]).await.unwrap();
    let shown = format!("{store:?} {:?} {:?}", store.outbox("calls"), store.inbox("callbacks"));
    assert!(!shown.contains("sentinel"), "{shown}");
}
