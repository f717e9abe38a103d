//! The journal (contract section 9) against the sandbox: what is written down, what is sent, and what really happened there.
//!
//! Expected values come from the contract's tables. Time stands still except where a test moves it: pauses pass at once.

mod codes;
pub(crate) mod faulty;
mod files;
mod follow_ups;
mod lookup;
mod numbers;
mod outcomes;
mod races;
mod resolving;
mod secrets;
mod sockets;
mod states;
mod store_failures;

use std::sync::Arc;
use std::time::Duration;

use fiscal_printer::journal::{
    Because, DocumentState, Journal, JournalBuilder, JournalEntry, Open, Resolution, Series,
};
use fiscal_printer::{
    Client, Document, DocumentType, Error, ErrorKind, InternalNumber, ManualClock, Outcome,
};
use integration_sandbox::fiscal::{Endpoint, Fiscal, Issuer, Request};
use integration_sandbox::{Fault, Sandbox, Scripted};
use integration_store::{Entry, Event, Memory, Outbox, State, Store};

use crate::support::{self, RIF, buyer, filled, invoice, requests};

/// Twice the client's total timeout of 60 s (contract 9.3).
const DELAY: Duration = Duration::from_secs(120);

/// The service, a store in memory, and a journal of the sandbox's issuer, all on one clock that stands still.
struct Bench {
    sandbox: Sandbox,
    clock: ManualClock,
    store: Store,
    journal: Journal,
}

async fn bench() -> Bench {
    bench_with(|builder| builder).await
}

async fn bench_with(settings: impl FnOnce(JournalBuilder) -> JournalBuilder) -> Bench {
    let sandbox = support::sandbox().await;
    let token = sandbox.fiscal().token().to_owned();
    bench_for(sandbox, &token, settings)
}

/// An issuer whose numbers the service does not enforce.
async fn lax_bench(settings: impl FnOnce(JournalBuilder) -> JournalBuilder) -> Bench {
    let sandbox = support::sandbox().await;
    let token = sandbox.fiscal().add_issuer(Issuer::new(RIF).validar_interno(0));
    bench_for(sandbox, &token, settings)
}

fn bench_for(
    sandbox: Sandbox,
    token: &str,
    settings: impl FnOnce(JournalBuilder) -> JournalBuilder,
) -> Bench {
    let clock = ManualClock::new();
    let store = Store::from_backend(Memory::with_clock(Arc::new(clock.clone())));
    let client = client_on(sandbox.fiscal(), token, &clock);
    let journal = settings(Journal::builder(client, &store)).build().expect("the settings are right");
    Bench { sandbox, clock, store, journal }
}

fn client_on(fiscal: &Fiscal, token: &str, clock: &ManualClock) -> Client {
    let builder = support::builder_for(fiscal).token(token).rif(RIF).clock(clock.clone());
    builder.build().expect("the client has all it needs")
}

impl Bench {
    fn fiscal(&self) -> &Fiscal {
        self.sandbox.fiscal()
    }

    fn series(&self) -> Series {
        self.series_of(DocumentType::Invoice)
    }

    fn series_of(&self, kind: DocumentType) -> Series {
        Series::new(self.journal.environment(), &RIF.parse().unwrap(), kind)
    }

    /// Another worker on the same store.
    fn another(&self) -> Journal {
        let client = client_on(self.fiscal(), self.fiscal().token(), &self.clock);
        Journal::builder(client, &self.store).worker("another").build().unwrap()
    }

    async fn entry(&self, number: u32) -> JournalEntry {
        let found = self.journal.find(&self.series(), &InternalNumber::from(number)).await.unwrap();
        found.unwrap_or_else(|| panic!("number {number} is in the journal"))
    }

    async fn state(&self, number: u32) -> DocumentState {
        self.entry(number).await.state()
    }

    fn outbox(&self) -> Outbox {
        self.store.outbox("fiscal-documents")
    }

    /// What the store itself has of an invoice.
    async fn stored(&self, number: u32) -> Entry {
        let key = format!("{}|{RIF}|01|{number:010}", self.journal.environment());
        self.outbox().find(&key).await.unwrap().expect("it is stored")
    }

    async fn history(&self, number: u32) -> Vec<Event> {
        self.outbox().history(self.stored(number).await.id).await.unwrap()
    }

    /// The states that an invoice went through.
    async fn path(&self, number: u32) -> Vec<State> {
        let history = self.history(number).await;
        history.iter().filter(|event| !event.testimony).map(|event| event.state).collect()
    }

    fn issues(&self) -> Vec<Request> {
        requests(self.fiscal(), "/facturacion")
    }

    fn play(&self, fault: Fault) {
        self.fiscal().inject(Endpoint::Issue, fault);
    }

    /// The service refuses the next document with this code, without acting.
    fn refuse(&self, code: i64, message: &str) {
        self.play(Fault::Answer(refusal(code, message)));
    }

    /// Issues an invoice whose answer is lost.
    async fn lose(&self, number: u32, fault: Fault) -> Error {
        self.play(fault);
        let error = self.journal.issue(&invoice(number)).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert_eq!(self.state(number).await, DocumentState::Unknown);
        error
    }

    /// An invoice that was lost before the service had acted.
    async fn lose_unacted(&self, number: u32) {
        self.lose(number, Fault::ResetBeforeActing).await;
        assert_eq!(self.fiscal().count(&padded(number)), 0);
    }

    /// An invoice that was lost after the service had acted.
    async fn lose_acted(&self, number: u32) {
        self.lose(number, Fault::ActThenReset).await;
        assert_eq!(self.fiscal().count(&padded(number)), 1);
    }

    async fn resolve(&self, number: u32) -> Resolution {
        self.journal.resolve(&self.series(), &InternalNumber::from(number)).await.unwrap()
    }

    async fn resolve_settled(&self, number: u32) -> JournalEntry {
        settled(self.resolve(number).await)
    }

    async fn resolve_open(&self, number: u32) -> Open {
        match self.resolve(number).await {
            Resolution::Open(open) => *open,
            other => panic!("number {number} stays open: {other:?}"),
        }
    }

    /// Whatever is asked or repeated, nothing more is sent for this number and it stays open.
    async fn stays_open_for_a_person(&self, number: u32) {
        let sent = self.issues().len();
        for _ in 0..3 {
            assert_eq!(self.resolve_open(number).await.because, Because::NeedsPerson);
            self.journal.resume().await.unwrap();
            let error = self.journal.issue(&invoice(number)).await.unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Blocked, Outcome::Unknown), "{error}");
            self.clock.advance(DELAY);
        }
        assert_eq!(self.issues().len(), sent, "nothing is sent again");
        assert_eq!(self.state(number).await, DocumentState::Unknown);
    }
}

fn settled(resolution: Resolution) -> JournalEntry {
    match resolution {
        Resolution::Settled(entry) => *entry,
        other => panic!("it is answered: {other:?}"),
    }
}

fn padded(number: u32) -> String {
    format!("{number:08}")
}

fn refusal(code: i64, message: &str) -> Scripted {
    let body = format!(
        r#"{{"success":false,"data":null,"error":{{"code":{code},"message":{}}}}}"#,
        serde_json::Value::from(message)
    );
    Scripted::new(202).header("content-type", "application/json").body(body)
}

/// The same number with another content: total 11.60 instead of 23.20.
fn corrected(number: u32) -> Document {
    let line = fiscal_printer::Line::new("A1", "Uno", "10.00", 1);
    Document::invoice(RIF, number).buyer(buyer()).line(line).build().unwrap()
}

fn number(value: u32) -> InternalNumber {
    InternalNumber::from(value)
}

/// A future is started, and dropped once the service has read `requests` requests.
async fn drop_once_sent<T>(fiscal: &Fiscal, count: usize, work: impl Future<Output = T>) {
    tokio::select! {
        biased;
        () = fiscal.wait_for_requests(count) => {}
        _ = work => panic!("it was to be dropped before it ended"),
    }
}

fn debit_note(number: u32, control: &str) -> Document {
    filled(Document::debit_note(RIF, number, control.parse::<fiscal_printer::ControlNumber>().unwrap()))
        .remark("Ajuste")
        .build()
        .unwrap()
}
