//! Documents through the annotations book (contract 4.8, group "documents" of section 7, traps 20 to 22), against a portal that is played
//! from memory; whole flows against the simulators stand in `documents_sandbox.rs`.
#![cfg(feature = "store")]
// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use apiges_sync::documents::{
    Annotations, Book, BookDocument, BookEntry, Documents, ExternalDocuments, HiddenFlag, NewDocument, Owner,
    Settings,
};
use apiges_sync::web::*;
use apiges_sync::{Body, Error, ErrorClass, ErrorExt, Problem};
use bytes::Bytes;
use integration_store::Store;
use support::{Lost, Portal, dropped_after, key};

const CASE: u64 = 3992;

/// Books as they are read one after the other; the last one stays.
#[derive(Debug)]
struct Books {
    books: Mutex<VecDeque<Book>>,
    reads: AtomicUsize,
    /// What the document holds each time it is opened; the last one stays.
    contents: Arc<Mutex<VecDeque<Bytes>>>,
    opened: Arc<AtomicUsize>,
    announced: Mutex<bool>,
}

impl Annotations for Books {
    fn book(&self, case: u64) -> Pending<'_, Book> {
        assert_eq!(case, CASE);
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut books = self.books.lock().unwrap();
        let book = if books.len() > 1 { books.pop_front() } else { books.front().cloned() };
        Box::pin(std::future::ready(Ok(book.unwrap())))
    }

    fn content<'a>(&'a self, _: &'a DocumentPlace) -> Pending<'a, Body> {
        let length = self.contents.lock().unwrap()[0].len() as u64;
        let (contents, opened) = (self.contents.clone(), self.opened.clone());
        let length = self.announced.lock().unwrap().then_some(length);
        let body = Body::stream(length, move || {
            opened.fetch_add(1, Ordering::Relaxed);
            let mut contents = contents.lock().unwrap();
            let bytes = if contents.len() > 1 { contents.pop_front() } else { contents.front().cloned() };
            std::future::ready(Ok::<_, std::io::Error>(Pieces(bytes.unwrap())))
        });
        Box::pin(std::future::ready(Ok(body)))
    }
}

/// Bytes in pieces of seven.
struct Pieces(Bytes);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let at = self.0.len().min(7);
        let piece = self.0.split_to(at);
        std::task::Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

fn document(hidden: HiddenFlag, external: bool) -> BookDocument {
    BookDocument {
        id: "7".into(),
        hidden,
        external,
        file_name: Some(r"C:\canario\Carta 1.PDF".into()),
        media_type: Some("Application/PDF".into()),
        bytes: None,
    }
}

fn book_of(documents: Vec<BookDocument>) -> Book {
    let date = Some("02/03/2026".parse().unwrap());
    Book { entries: vec![BookEntry { id: "5".into(), date, documents }], complete: true }
}

fn shown() -> Book {
    book_of(vec![document(HiddenFlag::Shown, false)])
}

fn hidden() -> Book {
    book_of(vec![document(HiddenFlag::Hidden, false)])
}

struct Firm {
    portal: Arc<Portal>,
    books: Arc<Books>,
    store: Store,
}

impl Firm {
    async fn new(books: impl IntoIterator<Item = Book>) -> Self {
        let books = Arc::new(Books {
            books: Mutex::new(books.into_iter().collect()),
            reads: AtomicUsize::new(0),
            contents: Arc::new(Mutex::new([Bytes::from("%PDF a letter")].into())),
            opened: Arc::default(),
            announced: Mutex::new(true),
        });
        Self { portal: Portal::new(), books, store: Store::open("memory:").await.unwrap() }
    }

    /// As a program that has just started.
    fn documents(&self) -> Documents {
        self.documents_with(Settings::default())
    }

    fn documents_with(&self, settings: Settings) -> Documents {
        Documents::new(self.portal.clone(), &self.store, self.books.clone(), settings).unwrap()
    }

    fn reads(&self, books: impl IntoIterator<Item = Book>) {
        *self.books.books.lock().unwrap() = books.into_iter().collect();
    }

    fn holds(&self, bytes: &'static str) {
        *self.books.contents.lock().unwrap() = [Bytes::from(bytes)].into();
    }

    fn opened(&self) -> usize {
        self.books.opened.load(Ordering::Relaxed)
    }

    fn linked(&self) -> Vec<DocumentLink> {
        self.portal.state().links.values().cloned().collect()
    }

    /// What the store holds about the case, as it is written.
    async fn dump(&self) -> String {
        let own = self.store.checkpoints("apiges/demo/documents");
        let records = own.records("case/3992", None, 100).await.unwrap();
        records
            .into_iter()
            .map(|(key, value)| format!("{key} {}\n", String::from_utf8_lossy(&value)))
            .collect()
    }
}

fn place() -> DocumentPlace {
    DocumentPlace { case: CASE, annotation: "5".into(), document: "7".into() }
}

fn letter() -> NewDocument {
    NewDocument::new(CASE, "5", "7").title("Canario title")
}

fn reason(error: &Error) -> &str {
    match error.problem() {
        Some(Problem::Refused { reason }) => reason,
        other => panic!("{other:?} {error}"),
    }
}

#[tokio::test]
async fn a_document_goes_up_in_two_steps() {
    let firm = Firm::new([shown()]).await;
    let published = firm.documents().publish(&letter()).await.unwrap();
    assert_eq!(firm.portal.calls(), ["W01", "W61", "W50", "W51", "W60"]);
    assert_eq!(
        (published.version, published.bytes, published.uploaded, published.was_there),
        (1, 13, true, false)
    );
    let expected = serde_json::json!({
        "version": 1, "sha256": Sha256::of(b"%PDF a letter"), "bytes": 13, "mediaType": "application/pdf",
        "fileName": "Carta 1.PDF", "title": "Canario title", "date": "02/03/2026",
    });
    assert_eq!(serde_json::to_value(&firm.linked()[0]).unwrap(), expected);
    assert_eq!(firm.portal.state().keys, [key("document", "3992/5/7", 1)]);
    assert_eq!(firm.portal.state().blobs[&published.sha256], "%PDF a letter");
}

#[tokio::test]
async fn the_same_is_repeated_and_the_changed_gets_the_next_version() {
    let firm = Firm::new([shown()]).await;
    let first = firm.documents().publish(&letter()).await.unwrap();
    firm.portal.calls();
    let again = firm.documents().publish(&letter()).await.unwrap();
    assert_eq!((again.version, again.uploaded, again.was_there), (1, false, true));
    assert_eq!(firm.portal.calls(), ["W01", "W50", "W60"]);
    let retitled = firm.documents().publish(&letter().title("Another")).await.unwrap();
    assert_eq!((retitled.version, retitled.uploaded, retitled.sha256), (2, false, first.sha256));
    firm.holds("%PDF another letter");
    let changed = firm.documents().publish(&letter()).await.unwrap();
    assert_eq!((changed.version, changed.uploaded, firm.linked().len()), (3, true, 1));
    let only = [ContactRef::client("2").unwrap(), ContactRef::client("1").unwrap()];
    let some = letter().for_grants(only.clone().into_iter().chain(only));
    assert_eq!(firm.documents().publish(&some).await.unwrap().version, 4);
    let grants: Vec<String> = firm.linked()[0].grants.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(grants, ["C/1", "C/2"]);
}

/// Trap 20: dropped at every point where it waits, and published again by a program that knows only the store.
#[tokio::test]
async fn a_crash_anywhere_ends_in_one_document() {
    let mut points = 0;
    loop {
        let firm = Firm::new([shown()]).await;
        let finished = dropped_after(points, firm.documents().publish(&letter()));
        let again = firm.documents().publish(&letter()).await.unwrap();
        assert_eq!(
            (again.version, firm.linked().len(), firm.portal.state().blobs.len()),
            (1, 1, 1),
            "{points}"
        );
        let keys = firm.portal.state().keys.clone();
        assert!(keys.iter().all(|own| *own == key("document", "3992/5/7", 1)), "{points} {keys:?}");
        assert!(firm.documents().recheck(CASE).await.unwrap().unfinished.is_empty());
        if finished.is_some() {
            break;
        }
        points += 1;
    }
    assert_eq!(points, 11, "five rows, before and after each, and the start");
}

#[tokio::test]
async fn a_lost_answer_is_repeated_under_the_same_version_and_key() {
    for (row, lost) in ["W01", "W61", "W50", "W51", "W60"]
        .into_iter()
        .flat_map(|row| [(row, Lost::BeforeActing), (row, Lost::AfterActing)])
    {
        let firm = Firm::new([shown()]).await;
        firm.portal.lose(row, lost);
        assert_eq!(firm.documents().publish(&letter()).await.unwrap_err().class(), ErrorClass::Transport);
        let rechecked = firm.documents().recheck(CASE).await.unwrap();
        assert_eq!(rechecked.unfinished.len(), usize::from(row == "W60"), "{row}");
        let again = firm.documents().publish(&letter()).await.unwrap();
        assert_eq!((again.version, again.was_there), (1, row == "W60" && lost == Lost::AfterActing), "{row}");
        assert_eq!(firm.linked().len(), 1);
    }
}

/// Trap 21, B2: nothing leaves.
#[tokio::test]
async fn what_is_hidden_or_may_be_hidden_never_goes_up() {
    use HiddenFlag::{Hidden, Missing, Shown, Unreadable};
    let allow = || {
        let mut settings = Settings::default();
        settings.external_documents = ExternalDocuments::Allow;
        settings
    };
    for (flag, external, settings, refused) in [
        (Hidden, false, Settings::default(), Some("hidden")),
        (Missing, false, Settings::default(), Some("hidden")),
        (Unreadable, false, Settings::default(), Some("hidden")),
        (Missing, false, allow(), Some("hidden")),
        (Shown, true, Settings::default(), Some("external-document")),
        (Missing, true, Settings::default(), Some("external-document")),
        (Hidden, true, allow(), Some("hidden")),
        (Unreadable, true, allow(), Some("hidden")),
        (Missing, true, allow(), None),
        (Shown, true, allow(), None),
        (Shown, false, Settings::default(), None),
    ] {
        let firm = Firm::new([book_of(vec![document(flag, external)])]).await;
        let done = firm.documents_with(settings).publish(&letter()).await;
        match refused {
            Some(code) => {
                let error = done.unwrap_err();
                assert_eq!((reason(&error), error.is_not_sent()), (code, true), "{flag:?} {external}");
                assert_eq!(error.class(), ErrorClass::Refused);
                assert!(firm.portal.calls().is_empty() && firm.opened() == 0);
            }
            None => assert_eq!(done.unwrap().version, 1, "{flag:?} {external}"),
        }
    }
}

#[tokio::test]
async fn what_is_hidden_while_its_bytes_go_up_is_not_linked() {
    let firm = Firm::new([shown(), hidden()]).await;
    let error = firm.documents().publish(&letter()).await.unwrap_err();
    assert_eq!((reason(&error), error.outcome()), ("hidden", apiges_sync::Outcome::Refused));
    assert_eq!(firm.portal.calls(), ["W01", "W61", "W50", "W51"]);
    assert!(firm.linked().is_empty() && firm.dump().await.is_empty());
}

/// The blob was dropped meanwhile, the document hidden during the second upload.
#[tokio::test]
async fn the_flag_is_looked_at_before_every_link() {
    let firm = Firm::new([shown(), shown(), hidden()]).await;
    firm.portal.state().drops = 1;
    assert_eq!(reason(&firm.documents().publish(&letter()).await.unwrap_err()), "hidden");
    assert!(firm.linked().is_empty());
    assert_eq!(firm.portal.calls().iter().filter(|call| *call == "W60").count(), 1);
}

/// B3.
#[tokio::test]
async fn a_blob_that_was_dropped_goes_up_once_more() {
    let firm = Firm::new([shown()]).await;
    firm.portal.state().drops = 1;
    let published = firm.documents().publish(&letter()).await.unwrap();
    assert_eq!((published.version, published.uploaded), (1, true));
    assert_eq!(firm.portal.calls(), ["W01", "W61", "W50", "W51", "W60", "W51", "W60"]);
    let firm = Firm::new([shown()]).await;
    firm.portal.state().drops = 2;
    let error = firm.documents().publish(&letter()).await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().code, RefusalCode::BlobMissing);
    assert_eq!(firm.portal.calls().iter().filter(|call| *call == "W51").count(), 2);
}

/// B5.
#[tokio::test]
async fn what_is_hidden_or_removed_later_is_withdrawn() {
    let no_entry = Book { entries: Vec::new(), complete: true };
    let outside = book_of(vec![document(HiddenFlag::Shown, true)]);
    for (book, why) in [
        (hidden(), "document-hidden"),
        (book_of(vec![document(HiddenFlag::Missing, false)]), "document-hidden"),
        (outside, "document-hidden"),
        (book_of(Vec::new()), "document-removed"),
        (no_entry, "document-removed"),
    ] {
        let firm = Firm::new([shown()]).await;
        firm.documents().publish(&letter()).await.unwrap();
        assert_eq!(firm.documents().recheck(CASE).await.unwrap(), Default::default());
        firm.portal.calls();
        firm.reads([book]);
        let done = firm.documents().recheck(CASE).await.unwrap();
        assert_eq!(done.withdrawn, [(place(), Reason::from_wire(why))]);
        assert_eq!(firm.portal.calls(), ["W62", &format!("{why}/2")]);
        assert_eq!(firm.portal.state().keys.last(), Some(&key("document", "3992/5/7", 2)));
        assert!(firm.linked().is_empty());
        assert_eq!(firm.documents().recheck(CASE).await.unwrap(), Default::default());
        assert!(firm.portal.calls().is_empty());
        // Shown again: above the withdrawal.
        firm.reads([shown()]);
        assert_eq!(firm.documents().publish(&letter()).await.unwrap().version, 3);
        assert_eq!(firm.documents().cases(None, 10).await.unwrap(), [CASE]);
    }
}

#[tokio::test]
async fn an_incomplete_book_proves_no_absence_but_hides() {
    let firm = Firm::new([shown()]).await;
    firm.documents().publish(&letter()).await.unwrap();
    firm.reads([Book { complete: false, ..book_of(Vec::new()) }]);
    assert_eq!(firm.documents().recheck(CASE).await.unwrap().doubtful, [place()]);
    assert_eq!(reason(&firm.documents().publish(&letter()).await.unwrap_err()), "document-unknown");
    assert_eq!(firm.linked().len(), 1);
    firm.reads([Book { complete: false, ..hidden() }]);
    assert_eq!(firm.documents().recheck(CASE).await.unwrap().withdrawn.len(), 1);
    assert!(firm.linked().is_empty());
}

#[tokio::test]
async fn a_crash_of_a_withdrawal_is_healed_too() {
    for points in 0.. {
        let firm = Firm::new([shown()]).await;
        firm.documents().publish(&letter()).await.unwrap();
        firm.reads([hidden()]);
        let finished = dropped_after(points, firm.documents().recheck(CASE));
        firm.documents().recheck(CASE).await.unwrap();
        assert!(firm.linked().is_empty());
        assert_eq!(firm.portal.state().tombstones.values().copied().collect::<Vec<_>>(), [2], "{points}");
        if finished.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn publishing_what_was_hidden_meanwhile_withdraws_it() {
    let firm = Firm::new([shown()]).await;
    firm.documents().publish(&letter()).await.unwrap();
    firm.reads([hidden()]);
    assert_eq!(reason(&firm.documents().publish(&letter()).await.unwrap_err()), "hidden");
    assert!(firm.linked().is_empty());
    // The portal may know better than the book: what it showed before goes too.
    let firm = Firm::new([shown()]).await;
    firm.documents().publish(&letter()).await.unwrap();
    firm.portal.state().hidden = true;
    let error = firm.documents().publish(&letter().title("x")).await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().code, RefusalCode::Hidden);
    assert!(firm.linked().is_empty());
}

/// B4: as the book says, as the body says, and by counting where neither does.
#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let sized = |bytes| book_of(vec![BookDocument { bytes, ..document(HiddenFlag::Shown, false) }]);
    for (book, announced, opened) in [
        (sized(Some(13)), true, 0),
        (sized(None), true, 0),
        (sized(Some(1)), false, 1),
        (sized(None), false, 1),
    ] {
        let firm = Firm::new([book]).await;
        *firm.books.announced.lock().unwrap() = announced;
        firm.portal.state().blob_bytes = 12;
        let error = firm.documents().publish(&letter()).await.unwrap_err();
        assert_eq!((error.class(), error.is_not_sent(), firm.opened()), (ErrorClass::TooLarge, true, opened));
        assert!(!firm.portal.calls().contains(&"W51".to_owned()));
        firm.portal.state().blob_bytes = 13;
        if announced {
            firm.documents().publish(&letter()).await.unwrap();
        }
    }
    let firm = Firm::new([shown()]).await;
    let mut settings = Settings::default();
    settings.largest = Some(12);
    let error = firm.documents_with(settings).publish(&letter()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::TooLarge);
}

#[test]
fn fifty_mib_unless_the_portal_says() {
    let limits: Limits = serde_json::from_str(r#"{"batchItems":100,"bodyBytes":1}"#).unwrap();
    assert_eq!(limits.blob_bytes, 52_428_800);
}

#[tokio::test]
async fn a_body_without_a_length_goes_up_with_one() {
    let firm = Firm::new([shown()]).await;
    *firm.books.announced.lock().unwrap() = false;
    assert_eq!(firm.documents().publish(&letter()).await.unwrap().bytes, 13);
    assert_eq!(firm.opened(), 2, "once for the digest, once on its way");
}

#[tokio::test]
async fn a_document_that_changes_while_it_is_read_is_not_linked() {
    let firm = Firm::new([shown()]).await;
    *firm.books.contents.lock().unwrap() = ["%PDF a letter", "%PDF a lettex"].map(Bytes::from).into();
    let error = firm.documents().publish(&letter()).await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().code, RefusalCode::Digest);
    assert!(firm.linked().is_empty() && firm.portal.state().blobs.is_empty());
    assert_eq!(firm.documents().publish(&letter()).await.unwrap().version, 1);
}

/// Trap 22, with everything else that is wrong.
#[tokio::test]
async fn a_document_of_a_contact_is_refused_with_all_faults() {
    let firm = Firm::new([shown()]).await;
    let owner = Owner::Contact(ContactRef::client("4879").unwrap());
    let mut new = NewDocument::filed(owner, "5/7", " ").title(" ").for_grants([]);
    new.file_name = Some("canario/".into());
    new.media_type = Some("text/html".into());
    let error = firm.documents().publish(&new).await.unwrap_err();
    let paths: Vec<&str> = error.faults().iter().map(apiges_sync::Fault::path).collect();
    assert_eq!(paths, ["owner", "annotation", "document", "title", "grants", "file_name", "media_type"]);
    assert_eq!((reason(&error), error.class()), ("contact-document", ErrorClass::Refused));
    assert_eq!((firm.portal.calls().len(), firm.books.reads.load(Ordering::Relaxed)), (0, 0));
    assert!(!format!("{error} {error:?} {new:?}").to_lowercase().contains("canario"));
}

#[tokio::test]
async fn an_entry_of_another_file_is_none() {
    let firm = Firm::new([shown()]).await;
    let publish = async |annotation: &str, document: &str| {
        let error =
            firm.documents().publish(&NewDocument::new(CASE, annotation, document)).await.unwrap_err();
        reason(&error).to_owned()
    };
    assert_eq!(publish("6", "7").await, "annotation-unknown");
    assert_eq!(publish("5", "8").await, "document-unknown");
    assert!(firm.portal.calls().is_empty());
}

#[tokio::test]
async fn what_the_book_lacks_is_told_at_once() {
    let bare = BookDocument {
        file_name: Some("canario/..".into()),
        media_type: Some("image/svg+xml".into()),
        bytes: Some(1001),
        ..document(HiddenFlag::Shown, false)
    };
    let mut book = book_of(vec![bare]);
    book.entries[0].date = None;
    let firm = Firm::new([book]).await;
    let error = firm.documents().publish(&NewDocument::new(CASE, "5", "7")).await.unwrap_err();
    let paths: Vec<&str> = error.faults().iter().map(apiges_sync::Fault::path).collect();
    assert_eq!(paths, ["file_name", "media_type", "date", "bytes"]);
    assert_eq!((firm.portal.calls(), firm.opened()), (vec!["W01".to_owned()], 0));
    assert!(!format!("{error} {error:?}").contains("canario"));
    let mut settings = Settings::default();
    settings.media_types.insert("pdf".into());
    let refused = Documents::new(firm.portal.clone(), &firm.store, firm.books.clone(), settings).unwrap_err();
    assert_eq!(refused.faults().len(), 1);
}

#[tokio::test]
async fn a_lost_store_goes_on_above_what_the_portal_shows() {
    let firm = Firm::new([shown()]).await;
    for title in ["a", "b", "c"] {
        firm.documents().publish(&letter().title(title)).await.unwrap();
    }
    let fresh = Firm { store: Store::open("memory:").await.unwrap(), ..firm };
    assert_eq!(fresh.documents().publish(&letter()).await.unwrap().version, 4);
    // Somebody else linked it meanwhile.
    let mut other = fresh.linked()[0].clone();
    other.version = 9;
    fresh.portal.state().links.values_mut().for_each(|link| *link = other.clone());
    assert_eq!(fresh.documents().publish(&letter()).await.unwrap().version, 10);
    fresh.portal.state().links.values_mut().for_each(|link| link.version = 20);
    fresh.reads([hidden()]);
    fresh.documents().recheck(CASE).await.unwrap();
    assert!(fresh.linked().is_empty());
    // And withdrew it, at a version that nobody tells: never a guess.
    fresh.reads([shown()]);
    fresh.portal.state().tombstones.values_mut().for_each(|version| *version = 40);
    assert_eq!(fresh.documents().publish(&letter()).await.unwrap_err().class(), ErrorClass::Stale);
}

/// What a lost store knew is watched again.
#[tokio::test]
async fn what_the_portal_shows_can_be_taken_over() {
    let firm = Firm::new([shown()]).await;
    firm.documents().publish(&letter()).await.unwrap();
    assert!(firm.documents().adopt(CASE).await.unwrap().is_empty());
    let fresh = Firm { store: Store::open("memory:").await.unwrap(), ..firm };
    fresh.reads([hidden()]);
    assert!(fresh.documents().recheck(CASE).await.unwrap().withdrawn.is_empty());
    assert_eq!(fresh.documents().adopt(CASE).await.unwrap(), [place()]);
    assert_eq!(fresh.documents().recheck(CASE).await.unwrap().withdrawn.len(), 1);
    assert!(fresh.linked().is_empty());
}

/// All of a tenant share one version of the store's records: whoever loses decides anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_each_arrive_once() {
    let many = (1..=40).map(|id| BookDocument { id: id.to_string(), ..document(HiddenFlag::Shown, false) });
    let firm = Firm::new([book_of(many.collect())]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for id in (1..=40).chain(1..=40) {
        let documents = firm.documents();
        tasks.spawn(async move { documents.publish(&NewDocument::new(CASE, "5", id.to_string())).await });
    }
    for published in tasks.join_all().await {
        assert_eq!(published.unwrap().version, 1);
    }
    assert_eq!(firm.linked().len(), 40);
}

#[tokio::test]
async fn neither_title_nor_name_is_written_down_or_printed() {
    let firm = Firm::new([shown()]).await;
    let documents = firm.documents();
    let published = documents.publish(&letter()).await.unwrap();
    let printed = format!("{documents:?} {published:?} {:?} {:?} {}", letter(), shown(), firm.dump().await);
    assert!(!printed.to_lowercase().contains("canario") && !printed.contains("Carta"), "{printed}");
}
