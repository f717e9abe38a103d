//! Documents and messages against the simulated program and portal: whole flows over both layers, with faults of the wire (contract 3.9,
//! 4.8, 4.9).
#![cfg(feature = "store")]
// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use apiges_sync::documents::{BookFields, Documents, NewDocument, RestAnnotations, Settings};
use apiges_sync::evidence::Integrity;
use apiges_sync::messages::Messages;
use apiges_sync::web::*;
use apiges_sync::{Body, Client, ErrorClass, ErrorExt, Problem, SystemClock};
use integration_sandbox::apiges::{Document, Seed};
use integration_sandbox::websync::{ContactRef as SandboxContact, ReceiptEvent as Event, Row, Twist};
use integration_sandbox::{Fault, Sandbox};
use integration_store::Store;
use serde_json::{Value, json};

const LETTER: &[u8] = b"%PDF-1.4 canario bytes";

struct House {
    sandbox: Sandbox,
    portal: Arc<HttpTransport>,
    store: Store,
    /// Of the store's file.
    _folder: tempfile::TempDir,
    case: u64,
    note: u32,
    contact: SandboxContact,
}

impl House {
    async fn new() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        sandbox.apiges().seed(Seed::new(1, 3));
        let case = sandbox.apiges().file_ids()[0];
        let note = sandbox.apiges().add_annotation(case, "canario subject").unwrap();
        let web = sandbox.websync();
        let builder = HttpTransport::builder().base_url(web.base_url()).unwrap();
        let portal = builder.tenant(web.tenant()).credential(web.token()).build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        let store = Store::open(&url).await.unwrap();
        let contact = SandboxContact::new("C", "1");
        let case = u64::try_from(case).unwrap();
        let house = Self { sandbox, portal: Arc::new(portal), store, _folder: folder, case, note, contact };
        house.open().await;
        house
    }

    /// A grant, and the case at the portal.
    async fn open(&self) {
        let contact = json!({"kind": "C", "code": "1"});
        let grant: Grant =
            serde_json::from_value(json!({"contact": contact, "contactId": 1, "state": "active",
            "version": 0, "scope": {"type": "own"}, "show": [], "excludedModalities": [], "admin": null,
            "closedCases": "withdraw", "lang": "es"}))
            .unwrap();
        let key = IdempotencyKey::generate().unwrap();
        self.portal.put_grant(&grant, Expected::Absent, &key).await.unwrap();
        let push: CasePush = serde_json::from_value(json!({"caseId": self.case, "version": 1, "sequence": 1,
            "savedAt": "2026-03-02T10:15:04.120Z", "cause": "saved", "withdrawals": [],
            "projections": [{"grant": contact, "holder": contact, "view": {}}]}))
        .unwrap();
        self.portal.push(&push, &IdempotencyKey::case("demo", self.case, 1)).await.unwrap();
        self.sandbox.websync().forget_requests();
    }

    fn file(&self) -> i64 {
        i64::try_from(self.case).unwrap()
    }

    fn add(&self, document: Document) -> u32 {
        self.sandbox.apiges().add_document(self.file(), self.note, document).unwrap()
    }

    fn letter(&self) -> u32 {
        self.add(Document::new(r"C:\folder\carta.pdf", "application/pdf", LETTER))
    }

    fn documents(&self) -> Documents {
        let apiges = self.sandbox.apiges();
        let base = apiges.base_url().to_owned();
        let (user, password) = (apiges.username().to_owned(), apiges.password().to_owned());
        let client = Client::builder_from_lookup(move |name| match name {
            "APIGES_BASE_URL" => Some(base.clone()),
            "APIGES_USERNAME" => Some(user.clone()),
            "APIGES_PASSWORD" => Some(password.clone()),
            _ => None,
        });
        let annotations =
            RestAnnotations::new(client.unwrap().build().unwrap(), BookFields::default(), |_| {
                Box::pin(async { Ok(Body::bytes(LETTER)) })
            });
        Documents::new(self.portal.clone(), &self.store, Arc::new(annotations), Settings::default()).unwrap()
    }

    fn messages(&self) -> Messages {
        Messages::new(self.portal.clone(), &self.store, Arc::new(SystemClock::new()))
    }

    fn new_document(&self, document: u32) -> NewDocument {
        NewDocument::new(self.case, self.note.to_string(), document.to_string())
    }

    /// Documents that the viewer sees.
    fn seen(&self) -> Vec<Value> {
        let view = self.sandbox.websync().view(&self.contact).unwrap();
        view["cases"][0]["documents"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_document_is_seen_until_it_is_hidden_or_removed() {
    let house = House::new().await;
    let document = house.letter();
    let published = house.documents().publish(&house.new_document(document)).await.unwrap();
    let again = house.documents().publish(&house.new_document(document)).await.unwrap();
    assert_eq!((published.was_there, again.was_there, again.version), (false, true, 1));
    let seen = house.seen();
    assert_eq!(
        (seen.len(), &seen[0]["fileName"], &seen[0]["title"]),
        (1, &json!("carta.pdf"), &json!("carta.pdf"))
    );
    let (bytes, media_type) = house.sandbox.websync().blob(&published.sha256.to_string()).unwrap();
    assert_eq!((&bytes[..], media_type.as_str()), (LETTER, "application/pdf"));
    assert!(!house.sandbox.websync().recorded_contains("canario subject"));

    house.sandbox.apiges().hide_document(house.file(), house.note, document, Some(true)).unwrap();
    assert_eq!(house.documents().recheck(house.case).await.unwrap().withdrawn[0].1, Reason::DocumentHidden);
    assert!(house.seen().is_empty());
    house.sandbox.apiges().hide_document(house.file(), house.note, document, Some(false)).unwrap();
    assert_eq!(house.documents().publish(&house.new_document(document)).await.unwrap().version, 3);
    assert_eq!(house.seen().len(), 1);
    house.sandbox.apiges().remove_annotation(house.file(), house.note).unwrap();
    assert_eq!(house.documents().recheck(house.case).await.unwrap().withdrawn[0].1, Reason::DocumentRemoved);
    assert!(house.seen().is_empty());
    assert!(house.sandbox.websync().executions().values().all(|times| *times == 1));
}

#[tokio::test]
async fn nothing_hidden_reaches_the_portal() {
    let house = House::new().await;
    let letter = || Document::new("carta.pdf", "application/pdf", LETTER);
    for document in [letter().hidden(Some(true)), letter().hidden(None), letter().external()] {
        let id = house.add(document);
        let error = house.documents().publish(&house.new_document(id)).await.unwrap_err();
        assert!(matches!(error.problem(), Some(Problem::Refused { .. })), "{error}");
    }
    assert!(house.sandbox.websync().requests().is_empty());
}

#[tokio::test]
async fn lost_answers_leave_one_document() {
    for (row, fault) in [
        (Row::W51, Fault::ActThenReset),
        (Row::W60, Fault::ActThenReset),
        (Row::W51, Fault::ResetBeforeBody),
        (Row::W60, Fault::ResetBeforeBody),
    ] {
        let house = House::new().await;
        let document = house.letter();
        house.sandbox.websync().inject_times(row, fault.clone(), 6);
        for _ in 0..4 {
            if house.documents().publish(&house.new_document(document)).await.is_ok() {
                break;
            }
        }
        let seen = house.seen();
        assert_eq!((seen.len(), &seen[0]["version"]), (1, &json!(1)), "{row:?} {fault:?}");
        assert!(house.sandbox.websync().executions().values().all(|times| *times == 1));
    }
}

#[tokio::test]
async fn the_portals_own_cap_and_marks_are_kept() {
    let house = House::new().await;
    let document = house.letter();
    house.sandbox.websync().configure(|settings| settings.blob_bytes = LETTER.len() - 1);
    let error = house.documents().publish(&house.new_document(document)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::TooLarge);
    house.sandbox.websync().configure(|settings| settings.blob_bytes = LETTER.len());
    let place = (house.file(), house.note.to_string(), document.to_string());
    house.sandbox.websync().mark_hidden(place.0, &place.1, &place.2, true);
    let error = house.documents().publish(&house.new_document(document)).await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().code, RefusalCode::Hidden);
    assert!(house.seen().is_empty());
}

#[tokio::test]
async fn a_blob_that_nobody_linked_for_a_day_goes_up_again() {
    let house = House::new().await;
    let document = house.letter();
    house.sandbox.websync().mark_hidden(house.file(), &house.note.to_string(), &document.to_string(), true);
    house.documents().publish(&house.new_document(document)).await.unwrap_err();
    house.sandbox.websync().mark_hidden(house.file(), &house.note.to_string(), &document.to_string(), false);
    house.sandbox.websync().advance_clock(Duration::from_secs(25 * 3600));
    let published = house.documents().publish(&house.new_document(document)).await.unwrap();
    assert!(published.uploaded && house.seen().len() == 1);
}

#[tokio::test]
async fn a_thread_with_its_evidence() {
    let house = House::new().await;
    let (web, case) = (house.sandbox.websync(), house.case);
    let document = house.letter();
    house.documents().publish(&house.new_document(document)).await.unwrap();
    let messages = house.messages();
    let mut first = messages.compose("u1", "es", "Hola").unwrap();
    first.attachments = vec![document.to_string()];
    web.inject(Row::W70, Fault::ActThenReset);
    assert_eq!(messages.post(case, &first).await.unwrap().seq, 1);
    // Edited: refused here, and by the portal.
    let edited = Message { body: "Adiós".into(), ..first.clone() };
    assert_eq!(messages.post(case, &edited).await.unwrap_err().class(), ErrorClass::Conflict);
    let stranger = Messages::new(
        house.portal.clone(),
        &Store::open("memory:").await.unwrap(),
        Arc::new(SystemClock::new()),
    );
    let error = stranger.post(case, &edited).await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().code, RefusalCode::MessageExists);
    let mut correction = messages.compose("u1", "es", "Adiós").unwrap();
    correction.replaces = Some(first.message_id.clone());
    messages.post(case, &correction).await.unwrap();

    let id = first.message_id.as_str();
    for event in [Event::Read, Event::Delivered, Event::Acknowledged] {
        web.viewer_receives(id, &house.contact, event).unwrap();
    }
    let written = web.viewer_writes(house.file(), &house.contact, "Gracias").unwrap();
    web.twist(Row::W74, Twist::DuplicateItems);
    while house.messages().take_in(Some(2)).await.unwrap().more {}
    assert_eq!(messages.state(case, &first.message_id).await.unwrap(), Some(ThreadState::Acknowledged));
    assert_eq!(web.message_state(id), Some("acknowledged"));
    assert_eq!(messages.inbound(None, 100).await.unwrap().len(), 4);
    let read = messages.receipt("u1", &MessageId::new(written.as_str()), ReceiptEvent::Read).unwrap();
    messages.report(case, &read).await.unwrap();
    assert_eq!(web.message_state(&written), Some("read"));

    let evidence = messages.export(case).await.unwrap();
    assert_eq!((evidence.chain.seq(), evidence.bodies.len()), (7, 3));
    assert!(web.executions().values().all(|times| *times == 1));
    web.twist(Row::W75, Twist::DropItem { at: 0 });
    let error = messages.export(case).await.unwrap_err();
    assert_eq!((error.class(), error.find_source::<Integrity>().is_some()), (ErrorClass::Integrity, true));
    assert_eq!(messages.export(case).await.unwrap().chain, evidence.chain);
}
