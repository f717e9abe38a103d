//! A sending over a restart: written down, lost, found again, never doubled (contract 4.5).
#![cfg(feature = "store")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use integration_sandbox::legale::Endpoint;
use integration_sandbox::{Fault, Sandbox};
use integration_store::{Memory, Store};
use legale::flow::{Flow, SignMethod, Signer};
use legale::{Client, Credential, Environment, ErrorKind, Journal, ManualClock, Sending, Source, Upload};

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
    Sending::new(upload("%PDF-1.7 journal"), flow(ana()))
}

fn ana() -> Signer {
    Signer::outsider(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas")
}

fn flow(signer: Signer) -> Flow {
    Flow::sequential().signer(signer).build().unwrap()
}

fn upload(file: &'static str) -> Upload {
    Upload::new("Contrato_X_2025.pdf", "Contrato", Source::bytes(file))
}

/// Whatever has become of the first sending, its key is not for another content.
#[tokio::test]
async fn a_key_that_comes_again_with_other_content_is_refused_by_name() {
    for fault in [None, Some(Fault::too_many_requests("1")), Some(Fault::ActThenReset)] {
        let sandbox = Sandbox::start().await.unwrap();
        let journal = Journal::new(&Store::from_backend(Memory::default()), "one");
        if let Some(fault) = fault {
            sandbox.legale().inject(Endpoint::Create, fault);
        }
        let _ = client(&sandbox).send_recorded(&journal, "order-1", &send()).await;
        let connections = sandbox.legale().connections();
        let luis = Signer::outsider(SignMethod::NoSms, "luis@example.com").name("Luis", "Soto");
        for other in [
            Sending::new(upload("%PDF-1.7 JOURNAL"), flow(ana())),
            Sending::new(upload("%PDF-1.7 journal"), flow(luis)),
            Sending::new(upload("%PDF-1.7 journal").folder("Legal"), flow(ana())),
        ] {
            let error = client(&sandbox).send_recorded(&journal, "order-1", &other).await.unwrap_err();
            let error = error.error();
            assert_eq!((error.kind(), error.is_not_sent()), (ErrorKind::Conflict, true), "{error}");
            assert!(error.to_string().contains("\"order-1\""), "{error}");
        }
        assert_eq!(sandbox.legale().connections(), connections, "nothing is asked or sent");
        client(&sandbox).send_recorded(&journal, "order-1", &send()).await.unwrap();
        assert_eq!(sandbox.legale().documents().len(), 1);
    }
}

/// Every field that is sent counts, and every attachment with its name and its bytes.
#[tokio::test]
async fn every_field_and_attachment_belongs_to_the_content_of_a_key() {
    let sandbox = Sandbox::start().await.unwrap();
    let journal = Journal::new(&Store::from_backend(Memory::default()), "one");
    let annex = |name: &str, file: &'static str| full().attach(name, Source::bytes(file));
    let first = annex("Anexo.pdf", "%PDF-1.7 annex");
    client(&sandbox).send_recorded(&journal, "k", &Sending::new(first, flow(ana()))).await.unwrap();
    let connections = sandbox.legale().connections();
    let same = || annex("Anexo.pdf", "%PDF-1.7 annex");
    for (what, other) in [
        ("subject", same().subject("other")),
        ("document_type", same().document_type("other")),
        ("note", same().note("other")),
        ("date", same().date("other")),
        ("one more attachment", same().attach("B.pdf", Source::bytes("%PDF-1.7 annex"))),
        ("no attachment", full()),
        ("the name of an attachment", annex("Otro.pdf", "%PDF-1.7 annex")),
        ("the bytes of an attachment", annex("Anexo.pdf", "%PDF-1.7 ANNEX")),
        ("a field left out", upload("%PDF-1.7 journal").attach("Anexo.pdf", Source::bytes("%PDF-1.7 annex"))),
    ] {
        let result = client(&sandbox).send_recorded(&journal, "k", &Sending::new(other, flow(ana()))).await;
        let error = result.expect_err(what);
        assert_eq!(
            (error.error().kind(), error.error().is_not_sent()),
            (ErrorKind::Conflict, true),
            "{what}"
        );
    }
    assert_eq!(sandbox.legale().connections(), connections, "nothing is asked or sent");
    // An attachment that can be read only once tells nothing of its bytes; secrets may be new.
    let reader = Source::reader(14, &b"%PDF-1.7 annex"[..]);
    for again in [full().attach("Anexo.pdf", reader), same().callback_key("another")] {
        client(&sandbox).send_recorded(&journal, "k", &Sending::new(again, flow(ana()))).await.unwrap();
    }
    assert_eq!(sandbox.legale().documents().len(), 1);
}

fn full() -> Upload {
    upload("%PDF-1.7 journal").subject("s").document_type("t").note("n").date("d").callback_key("key")
}

/// What hears no limit fails its test.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    let limit = std::time::Duration::from_secs(60);
    integration_core::clock::within(&integration_core::clock::SystemClock::new(), limit, work)
        .await
        .expect("it ends")
}

/// A file that stops coming while its digest is made: nothing was sent, and the call ends in its time.
#[tokio::test]
async fn a_file_that_stops_while_it_is_compared_ends_in_time() {
    let (sandbox, clock) = (Sandbox::start().await.unwrap(), ManualClock::new());
    let journal = Journal::new(&Store::from_backend(Memory::default()), "one");
    let source = Source::opener(1000, || async {
        let (reader, mut writer) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut writer, b"%PDF-1.7 journal").await?;
        std::mem::forget(writer);
        Ok(reader)
    });
    let upload = Upload::new("Contrato_X_2025.pdf", "Contrato", source);
    let client = Client::builder()
        .environment(Environment::root(sandbox.legale().base_url()).unwrap())
        .credential(Credential::api_key(sandbox.legale().api_key()))
        .clock(clock.clone())
        .build()
        .unwrap();
    let task = tokio::spawn(async move {
        client.send_recorded(&journal, "k", &Sending::new(upload, flow(ana()))).await.map(drop)
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    // Contract 2.3: 300 s for what carries a document.
    clock.advance(std::time::Duration::from_secs(300));
    let error = soon(task).await.unwrap().unwrap_err();
    assert_eq!((error.error().kind(), error.error().is_not_sent()), (ErrorKind::Timeout, true), "{error}");
    assert!(sandbox.legale().documents().is_empty());
}

/// Addresses for callbacks and references may be made anew each time; a reader that is spent tells nothing.
#[tokio::test]
async fn the_same_content_goes_on_whatever_its_secrets_and_its_reader() {
    let sandbox = Sandbox::start().await.unwrap();
    let journal = Journal::new(&Store::from_backend(Memory::default()), "one");
    let path = |secret: &str| format!("https://me.example/{secret}");
    let same = |secret: &str, file: Source| {
        let upload = Upload::new("Contrato_X_2025.pdf", "Contrato", file).callback_url(path(secret));
        Sending::new(upload, flow(ana().status_callback(path(&format!("signer/{secret}")))))
    };
    let reader = || Source::reader(16, &b"%PDF-1.7 journal"[..]);
    let bytes = || Source::bytes("%PDF-1.7 journal");
    let first = client(&sandbox).send_recorded(&journal, "k", &same("one", bytes())).await.unwrap();
    for next in [same("two", bytes()), same("three", reader()), same("four", bytes()).reference("order-42")] {
        assert_eq!(client(&sandbox).send_recorded(&journal, "k", &next).await.unwrap().guid, first.guid);
    }
    assert_eq!(sandbox.legale().documents().len(), 1);
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
