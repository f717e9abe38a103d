//! The flow from file to signed file on the simulator, which reads the same contract on its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use integration_sandbox::legale::Endpoint;
use integration_sandbox::{Fault, Sandbox};
use legale::flow::{Flow, SignMethod, Signer};
use legale::{Client, Credential, Environment, ManualClock, Sending, Source, Upload};

fn client(sandbox: &Sandbox) -> Client {
    let service = sandbox.legale();
    Client::builder()
        .environment(Environment::root(service.base_url()).unwrap())
        .credential(Credential::password(service.email(), service.password()))
        .clock(ManualClock::new())
        .build()
        .unwrap()
}

fn send(reference: &str) -> Sending {
    let flow = Flow::sequential()
        .signer(Signer::outsider(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas").skip_email())
        .build()
        .unwrap();
    let upload = Upload::new("Contrato_X_2025.pdf", "Contrato", Source::bytes("%PDF-1.7 sandbox"))
        .folder("Contratos/X");
    Sending::new(upload, flow).reference(reference)
}

#[tokio::test]
async fn from_file_to_signed_file_and_gone() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox);
    let sent = client.send(&send("order-0001")).await.unwrap();
    assert_eq!(sent.started.unwrap().links.len(), 1);
    let guid = sent.guid;
    sandbox.legale().sign(guid.as_str(), 1).unwrap();
    assert_eq!(client.sign_status(&guid).await.unwrap().code(), 1);
    let mut file = Vec::new();
    client.download(&guid).to_writer(&mut file).await.unwrap();
    assert_eq!(file, sandbox.legale().signed_file(guid.as_str()).unwrap());
    assert!(client.folders().await.unwrap().iter().any(|folder| folder.title.is_some()));
    client.delete(&guid).await.unwrap();
    assert!(client.detail(&guid).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_session_revoked_between_create_and_start_loses_no_step() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.legale().inject(Endpoint::Start, Fault::RevokeCredential);
    client(&sandbox).send(&send("order-0002")).await.unwrap();
    assert_eq!(sandbox.legale().logins().len(), 2);
    assert_eq!(sandbox.legale().documents().len(), 1);
}

#[tokio::test]
async fn whatever_is_done_and_not_answered_is_done_once() {
    for fault in [
        Fault::ActThenReset,
        Fault::ActThenClose,
        Fault::ActThenEmpty,
        Fault::ActThenCutBody,
        Fault::act_then_html(502),
    ] {
        let sandbox = Sandbox::start().await.unwrap();
        sandbox.legale().inject(Endpoint::Create, fault.clone());
        sandbox.legale().inject(Endpoint::Start, fault.clone());
        client(&sandbox).send(&send("order-0003")).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(sandbox.legale().documents().len(), 1, "{fault:?}");
    }
}
