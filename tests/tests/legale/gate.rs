//! The client behind the permission gate (contract 4.9, gates of 3.1): refused is refused before any request.

use std::sync::{Arc, Mutex};

use integration_store::{Memory, Store};
use legale::flow::{Flow, SignMethod, Signer};
use legale::naming::Folder;
use legale::permission::{Action, Audit, AuditRecord, Gate, Grant, SharedGate};
use legale::{
    Clock, ContactPatch, DocumentId, Error, ErrorKind, GatedClient, Journal, Migration, NewContact, Outcome,
    Reference, SendError, Sending, Sent, Source, SystemClock, TemplateItem, TemplateSigner, Workflow,
};

use super::{Bench, FILE, outsider, two, upload};

const ADMIN: &str = "admin@example.com";
const USER: &str = "Ana@Example.com ";

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<AuditRecord>>>);

impl Audit for Book {
    fn record(&self, record: &AuditRecord) {
        self.0.lock().unwrap().push(record.clone());
    }
}

impl Book {
    fn last(&self) -> AuditRecord {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

fn gated(bench: &Bench, grants: &[Grant]) -> (GatedClient, Book) {
    let clock = legale::ManualClock::new();
    let client = bench.builder().clock(clock.clone()).build().unwrap();
    let now = clock.wall();
    let mut gate = Gate::with_administrator(ADMIN, now).unwrap();
    assert!(gate.add_user(ADMIN, USER, now).is_allowed);
    for grant in grants {
        assert!(gate.grant(ADMIN, USER, grant.clone(), now).is_allowed);
    }
    let book = Book::default();
    (GatedClient::new(client, Arc::new(SharedGate::new(gate, book.clone())), USER), book)
}

fn everywhere(actions: &[Action]) -> Vec<Grant> {
    actions.iter().map(|action| Grant::new(*action)).collect()
}

fn folder(path: &str) -> Folder {
    Folder::new(path).unwrap()
}

fn me() -> Flow {
    Flow::sequential().signer(Signer::me(SignMethod::NoSms, "me@example.com")).build().unwrap()
}

/// Every method, with what it takes (contract 3.1, column "Gate"), and what it came to.
async fn all(client: &GatedClient) -> Vec<(&'static str, Vec<Action>, Result<(), Error>)> {
    use Action::{Delete, Edit, Read, Sign};
    let guid: DocumentId = "no-such-guid".parse().unwrap();
    let other = two(Flow::sequential());
    let migration = Migration::new("A_B_2025.pdf", "d", Source::bytes(FILE));
    let contact = NewContact::new("bea@example.com", "Bea", "Soto");
    let signer =
        TemplateSigner::new(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas").anchor("Firma");
    let item = TemplateItem::new().signer(signer.clone());
    let workflow = Workflow::new().signer(signer);
    let id = "7".parse().unwrap();
    let sending = |flow: &Flow| Sending::new(upload(), flow.clone());
    let journal = Journal::new(&Store::from_backend(Memory::default()), "ana");
    let reference = Reference::Token("order-2025-0042".into());
    let plain = |result: Result<(), Error>| result;
    vec![
        ("documents", vec![Read], client.documents().map(drop)),
        ("detail", vec![Read], client.detail(&guid).await.map(drop)),
        ("create", vec![Edit], client.create(&upload()).await.map(drop)),
        ("delete", vec![Delete], plain(client.delete(&guid).await)),
        ("download", vec![Read], client.download(&guid).await.map(drop)),
        ("start", vec![Edit], client.start(&guid, &other).await.map(drop)),
        ("start me", vec![Edit, Sign], client.start(&guid, &me()).await.map(drop)),
        ("send", vec![Edit], client.send(&sending(&other)).await.map(drop).map_err(Error::from)),
        ("send me", vec![Edit, Sign], client.send(&sending(&me())).await.map(drop).map_err(Error::from)),
        (
            "send_observed",
            vec![Edit],
            client.send_observed(&sending(&other), |_| ()).await.map(drop).map_err(Error::from),
        ),
        ("send_all", vec![Edit], only(client.send_all([sending(&other)]).await)),
        ("send_all me", vec![Edit, Sign], only(client.send_all_at(2, [sending(&me())]).await)),
        (
            "send_recorded",
            vec![Edit],
            client.send_recorded(&journal, "a", &sending(&other)).await.map(drop).map_err(Error::from),
        ),
        (
            "send_recorded me",
            vec![Edit, Sign],
            client.send_recorded(&journal, "b", &sending(&me())).await.map(drop).map_err(Error::from),
        ),
        ("resolve", vec![Read], client.resolve(&journal).await.map(drop)),
        ("find_created", vec![Read], client.find_created(&reference).await.map(drop)),
        ("find_started", vec![Read], client.find_started(&guid, &[]).await.map(drop)),
        ("sign_status", vec![Read], client.sign_status(&guid).await.map(drop)),
        ("approve", vec![Sign], client.approve("http://127.0.0.1:1/sentinel-of-approval").await),
        ("folders", vec![Read], client.folders().await.map(drop)),
        ("delete_folder", vec![Delete], client.delete_folder(&"7".parse().unwrap()).await),
        ("start_batch", vec![Edit], client.start_batch(&id, &[item]).await.map(drop)),
        ("start_workflow", vec![Edit], client.start_workflow(&id, &workflow).await.map(drop)),
        ("smart_documents", vec![Read], client.smart_documents().map(drop)),
        ("migrate", vec![Edit], client.migrate(&migration).await.map(drop)),
        ("contacts", vec![Read], client.contacts().map(drop)),
        ("create_contact", vec![Edit], client.create_contact(&contact).await.map(drop)),
        (
            "update_contact",
            vec![Edit],
            client.update_contact(&"7".parse().unwrap(), &ContactPatch::default()).await.map(drop),
        ),
        ("ensure_contact", vec![Read, Edit], client.ensure_contact(&contact).await.map(drop)),
        ("contact", vec![Read], client.contact(&"7".parse().unwrap()).await.map(drop)),
        ("delete_contact", vec![Delete], client.delete_contact(&"7".parse().unwrap()).await),
    ]
}

fn only(results: Vec<Result<Sent, SendError>>) -> Result<(), Error> {
    assert_eq!(results.len(), 1);
    results.into_iter().try_for_each(|result| result.map(drop).map_err(Error::from))
}

fn is_denied(result: &Result<(), Error>) -> bool {
    result.as_ref().is_err_and(|error| {
        error.kind() == ErrorKind::Forbidden
            && error.outcome() == Outcome::NotSent
            && error.operation() == "ask the permission gate"
    })
}

#[tokio::test]
async fn nothing_leaves_without_a_grant() {
    let bench = Bench::new().await;
    let (client, book) = gated(&bench, &[]);
    for client in [client.clone(), client.in_folder(folder("Contratos"))] {
        for (name, _, result) in all(&client).await {
            assert!(is_denied(&result), "{name}: {result:?}");
        }
    }
    assert_eq!(bench.legale().connections(), 0);
    let records = book.0.lock().unwrap();
    assert!(records.len() >= 31 && records.iter().all(|record| !record.is_allowed));
    assert!(records.iter().all(|record| record.user == "ana@example.com"));
    assert!(!format!("{records:?}").contains("sentinel"), "an approval URL is a secret");
}

#[tokio::test]
async fn each_call_takes_exactly_the_rights_of_the_contract() {
    let actions = [Action::Read, Action::Edit, Action::Sign, Action::Delete];
    for missing in actions {
        let bench = Bench::new().await;
        let others: Vec<Action> = actions.into_iter().filter(|action| *action != missing).collect();
        let (client, _) = gated(&bench, &everywhere(&others));
        for (name, needed, result) in all(&client).await {
            assert_eq!(
                is_denied(&result),
                needed.contains(&missing),
                "{name} without {missing:?}: {result:?}"
            );
        }
    }
    for only in actions {
        let bench = Bench::new().await;
        let (client, _) = gated(&bench, &everywhere(&[only]));
        for (name, needed, result) in all(&client).await {
            assert_eq!(is_denied(&result), needed != [only], "{name} with {only:?} alone: {result:?}");
        }
    }
}

#[tokio::test]
async fn strangers_and_those_who_left_may_nothing() {
    let bench = Bench::new().await;
    let now = SystemClock::new().wall();
    let mut gate = Gate::with_administrator(ADMIN, now).unwrap();
    assert!(gate.add_user(ADMIN, USER, now).is_allowed);
    assert!(gate.grant(ADMIN, USER, Grant::new(Action::Read), now).is_allowed);
    assert!(gate.mark_left(ADMIN, USER, now).is_allowed);
    let gate = Arc::new(SharedGate::new(gate, Book::default()));
    for user in [USER, "nobody@example.com", "", ADMIN] {
        let client = GatedClient::new(bench.client(), gate.clone(), user);
        assert_eq!(client.folders().await.unwrap_err().kind(), ErrorKind::Forbidden, "{user}");
    }
    assert_eq!(bench.legale().connections(), 0);
}

fn within(path: &str) -> Vec<Grant> {
    [Action::Read, Action::Edit, Action::Sign, Action::Delete]
        .map(|action| Grant::new(action).within(folder(path)))
        .to_vec()
}

#[tokio::test]
async fn a_grant_for_a_folder_is_good_there_and_nowhere_else() {
    let bench = Bench::new().await;
    let (client, _) = gated(&bench, &within("Legal"));
    for path in
        ["LegalOps", "Personal", "legal", "Legal/../Personal", "Personal/Legal", "root/root/Legal", ""]
    {
        let error = client.create(&upload().folder(path)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{path}");
        let sending = Sending::new(upload().folder(path), two(Flow::sequential()));
        assert_eq!(client.send(&sending).await.unwrap_err().error().kind(), ErrorKind::Forbidden, "{path}");
    }
    assert!(client.documents().is_err() && client.folders().await.is_err());
    let reference = Reference::Token("order-2025-0042".into());
    for client in [client.clone(), client.in_folder(folder("Legal"))] {
        assert_eq!(client.find_created(&reference).await.unwrap_err().kind(), ErrorKind::Forbidden);
    }
    assert_eq!(bench.legale().connections(), 0);
    let inside = client.create(&upload().folder("Legal/A")).await.unwrap().document.guid;
    // The folder has to be named: without it nothing is known of where the document lies.
    assert!(client.detail(&inside).await.is_err());
    for path in ["Legal", "Legal/A"] {
        assert!(client.in_folder(folder(path)).detail(&inside).await.is_ok(), "{path}");
    }
    assert!(client.in_folder(folder("Personal")).detail(&inside).await.is_err());
}

/// What is refused stops nothing else and leaves nothing in the journal.
#[tokio::test]
async fn many_are_decided_one_by_one() {
    let bench = Bench::new().await;
    let (client, _) = gated(&bench, &within("Legal"));
    let sending = |path: &str| Sending::new(upload().folder(path), two(Flow::sequential()));
    let results = client.send_all(["Legal", "Personal", "Legal/A"].map(sending)).await;
    let refused: Vec<bool> = results
        .iter()
        .map(|result| result.as_ref().is_err_and(|error| error.error().kind() == ErrorKind::Forbidden))
        .collect();
    assert_eq!(refused, [false, true, false]);
    assert!(results[0].is_ok() && results[2].is_ok());
    let store = Store::from_backend(Memory::default());
    let journal = Journal::new(&store, "ana");
    client.send_recorded(&journal, "order-1", &sending("Personal")).await.unwrap_err();
    assert_eq!(store.outbox("legale").find("order-1/create").await.unwrap(), None);
    client.send_recorded(&journal, "order-1", &sending("Legal")).await.unwrap();
    assert_eq!(bench.done(), (3, 3));
}

/// Who names a folder is not believed: the detail says where the document lies.
#[tokio::test]
async fn where_a_document_lies_is_verified() {
    let bench = Bench::new().await;
    let plain = bench.client();
    let mut strangers = Vec::new();
    for path in ["Personal", "LegalOps/A", "Personal/Legal"] {
        strangers.push(plain.create(&upload().folder(path)).await.unwrap().document.guid);
    }
    strangers.push(
        plain
            .create(&legale::Upload::new("A_B_2025.pdf", "d", Source::bytes(FILE)))
            .await
            .unwrap()
            .document
            .guid,
    );
    let (client, book) = gated(&bench, &within("Legal"));
    let client = client.in_folder(folder("Legal"));
    let forbidden = |error: Error| assert_eq!(error.kind(), ErrorKind::Forbidden);
    for guid in &strangers {
        forbidden(client.detail(guid).await.unwrap_err());
        forbidden(client.delete(guid).await.unwrap_err());
        forbidden(client.download(guid).await.unwrap_err());
        forbidden(client.start(guid, &two(Flow::sequential())).await.unwrap_err());
        forbidden(client.sign_status(guid).await.unwrap_err());
        forbidden(client.find_started(guid, &[]).await.unwrap_err());
        let last = book.last();
        assert!(!last.is_allowed && last.target == guid.as_str(), "the refusal is in the audit: {last:?}");
    }
    assert_eq!(bench.done(), (4, 0));
    assert!(bench.legale().documents().iter().all(|document| document.downloads == 0));
    let inside = client.create(&upload().folder("Legal/A")).await.unwrap().document.guid;
    client.start(&inside, &two(Flow::sequential())).await.unwrap();
    client.download(&inside).await.unwrap().to_writer(&mut Vec::new()).await.unwrap();
    client.delete(&inside).await.unwrap();
}

/// To replace a document is to change that document, wherever the new one is to lie.
#[tokio::test]
async fn replacing_takes_the_right_to_the_replaced_document() {
    let bench = Bench::new().await;
    let plain = bench.client();
    let stranger = plain.create(&upload().folder("Personal")).await.unwrap().document.guid;
    let own = plain.create(&upload().folder("Legal")).await.unwrap().document.guid;
    let clock = legale::ManualClock::new();
    let now = clock.wall();
    let mut gate = Gate::with_administrator(ADMIN, now).unwrap();
    assert!(gate.add_user(ADMIN, USER, now).is_allowed);
    for grant in within("Legal") {
        assert!(gate.grant(ADMIN, USER, grant, now).is_allowed);
    }
    let gate = Arc::new(SharedGate::new(gate, Book::default()));
    let client = bench.builder().clock(clock).allow_replacing(true).build().unwrap();
    let client = GatedClient::new(client, gate, USER);
    let replacing = |guid: &DocumentId| upload().folder("Legal").replacing(guid.clone());
    for client in [client.clone(), client.in_folder(folder("Legal"))] {
        assert_eq!(client.create(&replacing(&stranger)).await.unwrap_err().kind(), ErrorKind::Forbidden);
        let sending = Sending::new(replacing(&stranger), two(Flow::sequential()));
        assert_eq!(client.send(&sending).await.unwrap_err().error().kind(), ErrorKind::Forbidden);
    }
    assert_eq!(bench.document(&stranger).replacements, 0);
    client.in_folder(folder("Legal")).create(&replacing(&own)).await.unwrap();
    assert_eq!(bench.document(&own).replacements, 1);
}

#[test]
fn signers_of_these_tests_sign_outside() {
    assert_eq!(outsider("a@b").sign_flow().as_str(), "other");
}
