//! `sugester` against the sandbox, which reads the same contract independently: what befalls a call, and what must be seen nowhere.
//!
//! Expected values come from the contract. Nothing waits for real: the clients' clock is moved by its own pauses and by the tests.

mod faults;
mod leaks;

use integration_sandbox::Sandbox;
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
