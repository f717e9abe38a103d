//! A sending over a restart: written down, lost, found again, never doubled (contract 4.5).
#![cfg(feature = "store")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use integration_sandbox::legale::Endpoint;
use integration_sandbox::{Fault, Sandbox};
use integration_store::{Memory, Store};
use legale::flow::{Flow, SignMethod, Signer};
use legale::{Client, Credential, Environment, Journal, ManualClock, Sending, Source, Upload};

fn client(sandbox: &Sandbox) -> Client {
    let service = sandbox.legale();
    Client::builder()
        .environment(Environment::root(service.base_url()).unwrap())
        .credential(Credential::api_key(service.api_key()))
        .clock(ManualClock::new())
        .build()
        .unwrap()
}

fn send() -> Sending {
    let flow = Flow::sequential()
        .signer(Signer::outsider(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas"))
        .build()
        .unwrap();
    let upload = Upload::new("Contrato_X_2025.pdf", "Contrato", Source::bytes("%PDF-1.7 journal"));
    Sending::new(upload, flow)
}

#[tokio::test]
async fn a_lost_create_and_a_lost_start_are_found_and_nothing_is_doubled() {
    let sandbox = Sandbox::start().await.unwrap();
    let store = Store::from_backend(Memory::default());
    let journal = Journal::new(&store, "one");
    sandbox.legale().inject(Endpoint::Create, Fault::ActThenReset);
    sandbox.legale().inject(Endpoint::Start, Fault::ActThenReset);
    let sent = client(&sandbox).send_recorded(&journal, "order-1", &send()).await.unwrap();
    assert!(sent.created.is_none() && sent.started.is_none());
    let again = client(&sandbox).send_recorded(&journal, "order-1", &send()).await.unwrap();
    assert_eq!(again.guid, sent.guid);
    assert_eq!(sandbox.legale().documents().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_about_stays_unknown_until_it_can() {
    let sandbox = Sandbox::start().await.unwrap();
    let store = Store::from_backend(Memory::default());
    let journal = Journal::new(&store, "one");
    sandbox.legale().inject(Endpoint::Create, Fault::ActThenReset);
    sandbox.legale().inject_always(Endpoint::List, Fault::act_then_status(500));
    let error = client(&sandbox).send_recorded(&journal, "order-1", &send()).await.unwrap_err();
    assert!(error.error().is_outcome_unknown(), "{error}");
    sandbox.legale().clear_faults();
    // The program ends; the next one asks first, by the reference that was written down.
    let next = Journal::new(&store, "two");
    let resolved = client(&sandbox).resolve(&next).await.unwrap();
    assert_eq!(resolved[0].0, "order-1");
    assert!(resolved[0].1.is_some());
    client(&sandbox).send_recorded(&next, "order-1", &send()).await.unwrap();
    assert_eq!(sandbox.legale().documents().len(), 1);
}

#[tokio::test]
async fn a_refused_create_may_be_sent_again() {
    let sandbox = Sandbox::start().await.unwrap();
    let journal = Journal::new(&Store::from_backend(Memory::default()), "one");
    sandbox.legale().inject(Endpoint::Create, Fault::too_many_requests("1"));
    assert!(client(&sandbox).send_recorded(&journal, "k", &send()).await.unwrap_err().error().is_refused());
    client(&sandbox).send_recorded(&journal, "k", &send()).await.unwrap();
    assert_eq!(sandbox.legale().documents().len(), 1);
}
