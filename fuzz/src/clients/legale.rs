//! Legale: bare answers and answers in an envelope, refusals with 200 and 400 (contract 2.6, 3, 4.5).

use legale::flow::{Flow, SignMethod, Signer};
use legale::legacy::{Family, LegacyClient, LegacyDocument};
use legale::{
    Client, ClientBuilder, ContactId, ContactPatch, Credential, DocumentId, Environment, ManualClock,
    NewContact, Patch, Reference, RetryPolicy, Source, TemplateItem, TemplateSigner, Upload, Workflow,
};

use super::super::scripted::{Due, Made, SENTINEL, Script, block_on};
use super::{Call, NONE, call, calls, gathered};

fn builder(script: Script) -> ClientBuilder {
    let environment = Environment::root("https://legale.example.com").unwrap();
    let builder = Client::builder().environment(environment).transport(script).clock(ManualClock::new());
    builder.retry(RetryPolicy::never()).allow_contact_by_id(true)
}

fn client(script: Script) -> Client {
    builder(script).credential(Credential::api_key(SENTINEL)).build().unwrap()
}

fn guid() -> DocumentId {
    "d41d8cd98f".parse().unwrap()
}

fn contact() -> ContactId {
    "7".parse().unwrap()
}

fn upload() -> Upload {
    Upload::new("Contrato_X_2025.pdf", "Contrato", Source::bytes("%PDF-1.7 test"))
}

fn flow() -> Flow {
    let ana = Signer::outsider(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas");
    Flow::sequential().signer(ana).build().unwrap()
}

fn legacy(script: Script) -> LegacyClient {
    let settings = LegacyClient::settings().transport(std::sync::Arc::new(script));
    let settings = settings.clock(std::sync::Arc::new(ManualClock::new())).retry(RetryPolicy::never());
    LegacyClient::with(settings, "https://old.example.com", SENTINEL).unwrap()
}

fn inbox() -> LegacyDocument {
    let document = LegacyDocument::new(Family::Inbox, Source::bytes("%PDF-1.7 test"));
    let names = ["subject", "description", "ID", "user", "FileName"];
    names.into_iter().fold(document, |document, name| document.text(name, "x"))
}

pub const LOGIN: Call = (Due::Nothing, |script| {
    let client =
        builder(script).credential(Credential::password("ana@example.com", SENTINEL)).build().unwrap();
    block_on(async { Made::of(client.check_credentials().await, |()| 0) })
});

const CALLS: &[Call] = calls! {
    client;
    List |client| gathered(Ok(client.documents())).await, Vec::len;
    Object |client| client.detail(&guid()).await, |detail| {
        assert!(detail.document.guid.as_str().eq_ignore_ascii_case(guid().as_str()), "the detail of another document");
        1
    };
    Object |client| client.create(&upload()).await, |_| 1;
    Nothing |client| client.delete(&guid()).await, |()| 0;
    Nothing |client| client.download(&guid()).to_writer(&mut Vec::new()).await, |_| 1;
    Nothing |client| client.download(&guid()).any_type().from_sign_download().to_writer(&mut Vec::new()).await, |_| 1;
    Json |client| client.start(&guid(), &flow()).await, |_| 1;
    Json |client| client.sign_status(&guid()).await, |_| 1;
    Nothing |client| client.approve("https://legale.example.com/api/approve/7").await, |()| 0;
    List |client| client.folders().await, Vec::len;
    Nothing |client| client.delete_folder(&"7".parse().unwrap()).await, |()| 0;
    Json |client| {
        let item = TemplateItem::new().signer(TemplateSigner::new(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas"));
        client.start_batch(&"7".parse().unwrap(), &[item]).await
    }, |_| 1;
    Json |client| {
        let signer = TemplateSigner::new(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas");
        client.start_workflow(&"7".parse().unwrap(), &Workflow::new().signer(signer)).await
    }, |_| 1;
    List |client| gathered(Ok(client.smart_documents())).await, Vec::len;
    List |client| gathered(Ok(client.contacts())).await, Vec::len;
    Json |client| client.create_contact(&NewContact::new("ana@example.com", "Ana", "Rojas")).await, |_| 1;
    Json |client| {
        let patch = ContactPatch { phone: Patch::Set("+56911111111".into()), ..ContactPatch::default() };
        client.update_contact(&contact(), &patch).await
    }, |_| 1;
    Json |client| client.ensure_contact(&NewContact::new("ana@example.com", "Ana", "Rojas")).await, |_| 1;
    Json |client| client.contact(&contact()).await, |_| 1;
    List |client| client.find_created(&Reference::Token("t-1".into())).await, |found| usize::from(found.is_some());
    Json |client| client.find_started(&guid(), &["ana@example.com"]).await, |_| 1;
    Nothing |client| client.check_credentials().await, |()| 0;
};

const LEGACY: &[Call] = calls! {
    legacy;
    Object |client| client.send(&inbox()).await, |_| 1;
    Object |client| client.status(Family::Inbox, &guid()).await, |_| 1;
    Object |client| client.status(Family::EmailPin, &guid()).await, |_| 1;
};

pub fn answers(data: &[u8]) {
    let calls: Vec<Call> = CALLS.iter().chain(LEGACY).copied().collect();
    call(data, &calls, NONE);
}
