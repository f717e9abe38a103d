//! `sugester` against the sandbox, which reads the same contract independently: what befalls a call, and what must be seen nowhere.
//!
//! Expected values come from the contract. Nothing waits for real: the clients' clock is moved by its own pauses and by the tests.

mod faults;
mod leaks;

use integration_sandbox::Sandbox;
use sugester::sync::{FirstMode, RecordRef, Settings, Synchroniser};
use sugester::{BaseUrl, Client, ManualClock, bitfactura};

/// Both systems, and clients of them whose pauses pass at once.
struct Bench {
    sandbox: Sandbox,
    clock: ManualClock,
}

impl Bench {
    async fn new() -> Self {
        Self { sandbox: Sandbox::start().await.unwrap(), clock: ManualClock::new() }
    }

    fn crm(&self) -> Client {
        let service = self.sandbox.sugester();
        Client::builder()
            .base_url(BaseUrl::parse(service.base_url()).unwrap())
            .account(service.account().parse().unwrap())
            .token(service.token().parse().unwrap())
            .clock(self.clock.clone())
            .build()
            .unwrap()
    }

    fn billing(&self) -> bitfactura::Client {
        let service = self.sandbox.bitfactura();
        bitfactura::Client::builder()
            .base_url(BaseUrl::parse(service.base_url()).unwrap())
            .account(service.account().parse().unwrap())
            .token(service.token().parse().unwrap())
            .clock(self.clock.clone())
            .build()
            .unwrap()
    }
}

/// A program runs the synchronisation beside other work: its calls can be sent to another thread.
#[tokio::test]
async fn what_synchronises_can_run_on_any_thread() {
    fn spawned(call: impl Future<Output: Send> + Send + 'static) {
        drop(call);
    }
    let bench = Bench::new().await;
    let store = integration_store::Store::open("memory:").await.unwrap();
    let step =
        Synchroniser::builder(Settings::new("x"), bench.billing(), bench.crm(), &store).build().unwrap();
    let each = || step.clone();
    let (one, two, three, four, five) = (each(), each(), each(), each(), each());
    spawned(async move { one.run().await });
    spawned(async move { two.dry_run().await });
    spawned(async move { three.follow_hints().await });
    spawned(async move { four.first_run(FirstMode::PushRecords).await });
    spawned(async move { five.hint(RecordRef::Invoice(7)).await });
}
