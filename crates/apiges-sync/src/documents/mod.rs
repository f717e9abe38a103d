//! Documents of case files, through the annotations book (contract 4.8, B1 to B5; our own design, not the vendor's protocol).
//!
//! | rule | what is done |
//! |---|---|
//! | B1 | a document is named by case file, entry and id; one of a contact is refused |
//! | B2 | hidden never goes up: a flag that is missing or cannot be read hides; the book is read again right before the link |
//! | B3 | the bytes are stored under their digest first, then linked; whatever breaks in between is healed by publishing again |
//! | B4 | at most as many bytes as the portal takes, checked before the first is read; the base name; listed media types only |
//! | B5 | what is hidden or removed later is withdrawn: [`Documents::recheck`], to be called whenever a file was saved |
//!
//! **Why there is a ledger and not just a repeat.** Storing a blob is repeated blindly: its name is its digest. A link is not: its
//! version must rise with each change and each withdrawal, its idempotency key holds the version, and the portal does not tell the
//! version of what was withdrawn. So the version is written into the store before the link leaves (checkpoint
//! `apiges/{tenant}/documents`), and the same content goes out under the same version and key until it has arrived. Of the document
//! itself only a digest is written down.
//!
//! No title, file name or content of a document is in any log, error or `Debug` of this module.

mod book;
mod content;
mod ledger;
mod name;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use integration_core::{Error, ErrorKind, Fault, Faults, Outcome};
use integration_store::Store;
use tokio::sync::OnceCell;

pub use book::{Annotations, Book, BookDocument, BookEntry, BookFields, HiddenFlag, RestAnnotations};

use book::Found;
use ledger::{Ledger, Standing};

use crate::web::{
    Blob, ContactRef, DocumentLink, DocumentPlace, IdempotencyKey, LinkOutcome, Reason, Refusal, RefusalCode,
    Sha256, UnlinkOutcome, WebSyncTransport, canonical,
};
use crate::{CalendarDate, Problem};

const PUBLISH: &str = "publish a document";
const WITHDRAW: &str = "withdraw a document";

/// Media types that go up unless [`Settings::media_types`] says otherwise. None of them runs in a browser.
pub const MEDIA_TYPES: [&str; 9] = [
    "application/pdf",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "text/plain",
];

/// What is to be done with documents in outside folders, which cannot be marked hidden (B2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExternalDocuments {
    /// They do not go up.
    #[default]
    Refuse,
    /// They go up, unless a flag says hidden all the same.
    Allow,
}

/// The settings of [`Documents`]; all of them are assumed (contract 4.8).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What becomes of documents in outside folders: refused.
    pub external_documents: ExternalDocuments,
    /// What may go up: [`MEDIA_TYPES`]. Compared and sent in lower case and without parameters.
    pub media_types: BTreeSet<String>,
    /// The most bytes, if that is to be less than what the portal takes.
    pub largest: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            external_documents: ExternalDocuments::Refuse,
            media_types: MEDIA_TYPES.map(str::to_owned).into(),
            largest: None,
        }
    }
}

/// In whose annotations book a document is filed (S12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A case file.
    Case(u64),
    /// A client or an intermediary. Such a document is refused (B1).
    Contact(ContactRef),
}

/// A document to be published. `Debug` shows neither title nor file name.
///
/// What is not given is taken from the book: file name and media type from the document, the day from its entry. The title is the file
/// name then: the subject of an entry is the firm's own note, and does not go up by itself.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDocument {
    /// In whose book.
    pub owner: Owner,
    /// Which entry of it.
    pub annotation: String,
    /// Which document of the entry.
    pub document: String,
    /// What it is, for people.
    pub title: Option<String>,
    /// Under which name it is offered; reduced to its last part.
    pub file_name: Option<String>,
    /// What it is.
    pub media_type: Option<String>,
    /// Its day.
    pub date: Option<CalendarDate>,
    /// The grants that see it; nothing: all who hold the case.
    pub grants: Option<Vec<ContactRef>>,
}

impl NewDocument {
    /// A document of a case file, as the book has it.
    pub fn new(case: u64, annotation: impl Into<String>, document: impl Into<String>) -> Self {
        Self::filed(Owner::Case(case), annotation, document)
    }

    /// A document in anybody's book.
    pub fn filed(owner: Owner, annotation: impl Into<String>, document: impl Into<String>) -> Self {
        let (annotation, document) = (annotation.into(), document.into());
        let (title, file_name, media_type, date, grants) = (None, None, None, None, None);
        Self { owner, annotation, document, title, file_name, media_type, date, grants }
    }

    /// With a title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// For these grants only.
    #[must_use]
    pub fn for_grants(mut self, grants: impl IntoIterator<Item = ContactRef>) -> Self {
        self.grants = Some(grants.into_iter().collect());
        self
    }

    /// Its place, if it is a case file's.
    fn place(&self) -> Option<DocumentPlace> {
        let Owner::Case(case) = self.owner else { return None };
        Some(DocumentPlace { case, annotation: self.annotation.clone(), document: self.document.clone() })
    }
}

impl fmt::Debug for NewDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewDocument")
            .field("owner", &self.owner)
            .field("annotation", &self.annotation)
            .field("document", &self.document)
            .field("media_type", &self.media_type)
            .field("date", &self.date)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

/// A document that is at the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Where.
    pub place: DocumentPlace,
    /// The version of its link.
    pub version: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether its bytes went up now; not if the portal had them.
    pub uploaded: bool,
    /// Whether the portal showed it in the same form before.
    pub was_there: bool,
}

/// What [`Documents::recheck`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rechecked {
    /// What was withdrawn, and why.
    pub withdrawn: Vec<(DocumentPlace, Reason)>,
    /// What broke off on its way up and may be seen: publish it again.
    pub unfinished: Vec<DocumentPlace>,
    /// What is not in the book any more, and was left since the book could not be read whole.
    pub doubtful: Vec<DocumentPlace>,
}

/// Why a document does not go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Withheld {
    NoEntry,
    NoDocument,
    Hidden,
    External,
}

impl Withheld {
    const fn code(self) -> &'static str {
        match self {
            Self::NoEntry => "annotation-unknown",
            Self::NoDocument => "document-unknown",
            Self::Hidden => "hidden",
            Self::External => "external-document",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::NoEntry => "name an entry of this case file's own annotations book",
            Self::NoDocument => "name a document that is filed with this entry",
            Self::Hidden => {
                "a flag that is missing or cannot be read counts as hidden; look at the name of the field too"
            }
            Self::External => {
                "file it in the database, or allow documents of outside folders, which cannot be hidden"
            }
        }
    }

    const fn reason(self) -> Reason {
        match self {
            Self::NoEntry | Self::NoDocument => Reason::DocumentRemoved,
            Self::Hidden | Self::External => Reason::DocumentHidden,
        }
    }

    const fn is_absence(self) -> bool {
        matches!(self, Self::NoEntry | Self::NoDocument)
    }

    fn error(self, outcome: Outcome) -> Error {
        let refused = Problem::Refused { reason: self.code().to_owned() };
        refused.error(PUBLISH).with_outcome(outcome).with_hint(self.hint())
    }
}

/// What the book says of a document that may go up.
#[derive(Debug)]
struct Allowed {
    document: BookDocument,
    date: Option<CalendarDate>,
}

/// Documents on their way to the portal and back.
///
/// ```no_run
/// use std::sync::Arc;
/// use apiges_sync::documents::{Annotations, Documents, NewDocument, Settings};
/// use apiges_sync::web::HttpTransport;
///
/// # async fn run(annotations: Arc<dyn Annotations>) -> Result<(), Box<dyn std::error::Error>> {
/// let store = integration_store::Store::from_env().await?;
/// let portal = Arc::new(HttpTransport::from_env()?);
/// let documents = Documents::new(portal, &store, annotations, Settings::default())?;
/// let published = documents.publish(&NewDocument::new(3992, "5", "7").title("Registration certificate")).await?;
/// println!("{} bytes, link version {}", published.bytes, published.version);
/// // Whenever the file was saved:
/// println!("{} withdrawn", documents.recheck(3992).await?.withdrawn.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "documentos")]
pub struct Documents {
    portal: Arc<dyn WebSyncTransport>,
    annotations: Arc<dyn Annotations>,
    ledger: Ledger,
    settings: Settings,
    most: Arc<OnceCell<u64>>,
}

impl Documents {
    /// Documents of the portal's tenant, with their versions in `store`.
    ///
    /// # Errors
    /// A validation error naming every setting that cannot be used.
    pub fn new(
        portal: Arc<dyn WebSyncTransport>,
        store: &Store,
        annotations: Arc<dyn Annotations>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let Settings { external_documents, media_types, largest } = settings;
        let settings = Settings { external_documents, media_types: known_types(&media_types)?, largest };
        let ledger = Ledger::new(store, portal.tenant());
        Ok(Self { portal, annotations, ledger, settings, most: Arc::default() })
    }

    /// Publishes a document of a case file: its bytes if the portal does not have them, then the link (W50, W51, W60).
    ///
    /// May be repeated at any time and after any crash: the same document goes out under the same version and key. One that has been
    /// hidden or removed is refused, and withdrawn if it is at the portal.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed): repeated, it goes out under the same version and key (contract 3.7, 4.8).
    ///
    /// # Errors
    /// * A validation error with all faults of `new` at once; nothing was asked or sent.
    /// * [`Problem::Refused`] with `hidden`, `external-document`, `annotation-unknown` or `document-unknown`: it is not shown, or not any
    ///   more.
    /// * [`ErrorKind::TooLarge`] beyond what the portal takes (`limits.blobBytes`, in bytes; 50 MiB if it does not say).
    /// * [`Problem::Stale`] if the portal has a later version that the store knows nothing of.
    /// * A [`Refusal`] of the portal, such as `case-unknown`, or `digest` if the document changed while it was read.
    /// * What the book, the store or the portal met. Repeat then.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, documents) = (office.seen().await, office.documents);
    /// # let firm = office.kit.sandbox.apiges();
    /// # let note = firm.add_annotation(case.try_into()?, "Certificate")?;
    /// # let pdf = integration_sandbox::apiges::Document::new("C:\\letters\\certificate.pdf", "application/pdf", "%PDF-1.7 ...");
    /// # let document = firm.add_document(case.try_into()?, note, pdf)?;
    /// # let (annotation, document) = (note.to_string(), document.to_string());
    /// use apiges_sync::documents::NewDocument;
    ///
    /// let new = NewDocument::new(case, annotation, document).title("Certificate of registration");
    /// let published = documents.publish(&new).await?;
    /// assert!(documents.publish(&new).await?.was_there); // repeated, it is there once
    /// println!("{} bytes at {}", published.bytes, published.place);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "publicar")]
    pub async fn publish(&self, new: &NewDocument) -> Result<Published, Error> {
        let place = self.checked(new)?;
        let allowed = self.allowed_or_gone(&place, Outcome::NotSent).await?;
        let most = self.most().await?;
        let link = self.draft(new, &allowed, most)?;
        let blob = self.measured(&place, &allowed, link.media_type.clone(), most).await?;
        let link = DocumentLink { sha256: blob.sha256, bytes: blob.bytes, ..link };
        let shown = self.version_if_new(&place).await?;
        let uploaded = self.store(&blob, false).await?;
        self.arrived(&place, &link, &blob, (shown, uploaded)).await
    }

    /// Links what is stored. What the portal dropped meanwhile goes up once more (B3), and so does a link that another store overtook.
    async fn arrived(
        &self,
        place: &DocumentPlace,
        link: &DocumentLink,
        blob: &Blob,
        (shown, mut uploaded): (u64, bool),
    ) -> Result<Published, Error> {
        let (mut floor, mut dropped, mut overtaken) = (0, false, false);
        loop {
            self.allowed_or_gone(place, Outcome::Refused).await?;
            match self.link(place, link, (shown, floor)).await {
                Ok((version, Linked::There { was_there })) => {
                    let (place, sha256, bytes) = (place.clone(), blob.sha256, blob.bytes);
                    return Ok(Published { place, version, sha256, bytes, uploaded, was_there });
                }
                Ok((_, Linked::Overtaken)) if !overtaken => {
                    overtaken = true;
                    floor = self.version_there(place).await?.ok_or_else(stale)?;
                }
                Ok((_, Linked::Overtaken)) => return Err(stale()),
                Err(error) if is(&error, &RefusalCode::BlobMissing) && !dropped => {
                    dropped = true;
                    uploaded = self.store(blob, true).await?;
                }
                Err(error) if is(&error, &RefusalCode::Hidden) => {
                    self.gone(place, &Reason::DocumentHidden).await?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a document away from the portal (W62); nothing is done if it is not there.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed): repeated, it goes out under the same version and key (contract 4.8).
    ///
    /// # Errors
    /// What the store or the portal met. Repeat then: it goes out under the same version and key.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, documents) = (office.seen().await, office.documents);
    /// # let firm = office.kit.sandbox.apiges();
    /// # let note = firm.add_annotation(case.try_into()?, "Certificate")?;
    /// # let pdf = integration_sandbox::apiges::Document::new("C:\\letters\\certificate.pdf", "application/pdf", "%PDF-1.7 ...");
    /// # let document = firm.add_document(case.try_into()?, note, pdf)?;
    /// # let (annotation, document) = (note.to_string(), document.to_string());
    /// # let new = apiges_sync::documents::NewDocument::new(case, annotation, document);
    /// use apiges_sync::web::Reason;
    ///
    /// let place = documents.publish(&new).await?.place;
    /// assert!(documents.withdraw(&place, &Reason::DocumentRemoved).await?);
    /// # Ok(()) });
    /// ```
    pub async fn withdraw(&self, place: &DocumentPlace, reason: &Reason) -> Result<bool, Error> {
        self.gone(place, reason).await
    }

    /// Reads the annotations book of a case file again, and withdraws what was hidden or removed since (B5).
    ///
    /// What is absent is withdrawn only if the book was read whole. What another store published is not known here:
    /// [`adopt`](Self::adopt) it.
    ///
    /// Idempotency: each call that it makes by its own class (contract 4.8).
    ///
    /// # Errors
    /// What the book, the store or the portal met; a book that cannot be had withdraws nothing. Repeat then.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, documents) = (office.seen().await, office.documents);
    /// # let firm = office.kit.sandbox.apiges();
    /// # let note = firm.add_annotation(case.try_into()?, "Certificate")?;
    /// # let pdf = integration_sandbox::apiges::Document::new("C:\\letters\\certificate.pdf", "application/pdf", "%PDF-1.7 ...");
    /// # let document = firm.add_document(case.try_into()?, note, pdf)?;
    /// # let (annotation, document) = (note.to_string(), document.to_string());
    /// for (place, reason) in documents.recheck(case).await?.withdrawn {
    ///     println!("{place}: {reason}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn recheck(&self, case: u64) -> Result<Rechecked, Error> {
        let mut done = Rechecked::default();
        let known = self.ledger.of_case(case).await?;
        if !known.values().any(ledger::Known::may_be_seen) {
            return Ok(done);
        }
        let book = self.annotations.book(case).await?;
        for known in known.values().filter(|known| known.may_be_seen()) {
            let place = known.place(case);
            match (self.judged(&book, &place), &known.standing) {
                (Err(why), _) if why.is_absence() && !book.complete => done.doubtful.push(place),
                (Err(why), _) => {
                    self.gone(&place, &why.reason()).await?;
                    done.withdrawn.push((place, why.reason()));
                }
                // It was to go, and is shown again: whoever wants it there says so.
                (Ok(_), Standing::Withdrawing(reason)) => {
                    self.gone(&place, reason).await?;
                    done.withdrawn.push((place, reason.clone()));
                }
                (Ok(_), Standing::Linking) => done.unfinished.push(place),
                (Ok(_), _) => {}
            }
        }
        Ok(done)
    }

    /// Takes over what the portal shows of a case file and the store does not know, so that [`recheck`](Self::recheck) watches it too: for
    /// a store that was lost, or that is new. Gives what was taken over.
    ///
    /// The portal tells documents by entry (W61), so those of an entry that is neither in the book nor in the store are not found.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at the portal (contract 4.8).
    ///
    /// # Errors
    /// What the book, the store or the portal met. Repeat then.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, documents) = (office.seen().await, office.documents);
    /// # let firm = office.kit.sandbox.apiges();
    /// # let note = firm.add_annotation(case.try_into()?, "Certificate")?;
    /// # let pdf = integration_sandbox::apiges::Document::new("C:\\letters\\certificate.pdf", "application/pdf", "%PDF-1.7 ...");
    /// # let document = firm.add_document(case.try_into()?, note, pdf)?;
    /// # let (annotation, document) = (note.to_string(), document.to_string());
    /// for place in documents.adopt(case).await? {
    ///     println!("watched from now on: {place}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn adopt(&self, case: u64) -> Result<Vec<DocumentPlace>, Error> {
        let mut adopted = Vec::new();
        for annotation in self.entries(case).await? {
            for linked in self.portal.links(case, &annotation).await?.items {
                let place =
                    DocumentPlace { case, annotation: annotation.clone(), document: linked.document_id };
                if self.ledger.adopt(&place, linked.link.version).await? {
                    adopted.push(place);
                }
            }
        }
        Ok(adopted)
    }

    /// Entries of a case file's book, and those of which something was published.
    async fn entries(&self, case: u64) -> Result<BTreeSet<String>, Error> {
        let known = self.ledger.of_case(case).await?;
        let mut entries: BTreeSet<String> =
            known.values().map(|known| known.place(case).annotation).collect();
        entries.extend(self.annotations.book(case).await?.entries.into_iter().map(|entry| entry.id));
        Ok(entries)
    }

    /// Case files of which something was published, in order, after one of them: for a recheck of all of them from time to time.
    ///
    /// Idempotency: no call to the service (contract 4.8).
    ///
    /// # Errors
    /// What the store met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, documents) = (office.seen().await, office.documents);
    /// # let firm = office.kit.sandbox.apiges();
    /// # let note = firm.add_annotation(case.try_into()?, "Certificate")?;
    /// # let pdf = integration_sandbox::apiges::Document::new("C:\\letters\\certificate.pdf", "application/pdf", "%PDF-1.7 ...");
    /// # let document = firm.add_document(case.try_into()?, note, pdf)?;
    /// # let (annotation, document) = (note.to_string(), document.to_string());
    /// for case in documents.cases(None, 100).await? {
    ///     documents.recheck(case).await?;
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn cases(&self, after: Option<u64>, limit: usize) -> Result<Vec<u64>, Error> {
        self.ledger.cases(after, limit).await
    }

    /// Everything that is wrong with what was given, before anything is asked.
    fn checked(&self, new: &NewDocument) -> Result<DocumentPlace, Error> {
        let mut faults = Faults::new();
        self.faults(new).into_iter().for_each(|fault| faults.push(fault));
        match new.place() {
            Some(place) => faults.into_result(PUBLISH).map(|_| place),
            None => Err(of_a_contact(faults.into_vec())),
        }
    }

    fn faults(&self, new: &NewDocument) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (path, id) in [("annotation", &new.annotation), ("document", &new.document)] {
            if !is_id(id) {
                // A slash would make two places share one idempotency key (O4).
                faults
                    .push(Fault::error("B1", path).with_expected("an id without `/` or control characters"));
            }
        }
        if new.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
            let fault = Fault::error("B4", "title").with_expected("a title that is not blank");
            faults.push(fault.with_hint("leave it out, and the file name stands in its place"));
        }
        if new.grants.as_ref().is_some_and(Vec::is_empty) {
            let fault = Fault::error("B4", "grants").with_expected("at least one grant");
            faults.push(fault.with_hint("leave the list out for all who hold the case"));
        }
        let given = |text: &Option<String>, fault: fn(&Self, &str) -> Option<Fault>| {
            text.as_deref().and_then(|text| fault(self, text))
        };
        faults.extend(given(&new.file_name, |_, name| file_name_fault(name)));
        faults.extend(given(&new.media_type, Self::media_type_fault));
        faults
    }

    fn media_type_fault(&self, media_type: &str) -> Option<Fault> {
        if name::essence(media_type).is_some_and(|essence| self.settings.media_types.contains(&essence)) {
            return None;
        }
        let fault = Fault::error("B4", "media_type").with_expected("a media type of the allow-list");
        Some(fault.with_actual(media_type).with_hint("see `Settings::media_types`"))
    }

    /// The link as far as it is known before the document was read, or everything that is missing for one.
    fn draft(&self, new: &NewDocument, allowed: &Allowed, most: u64) -> Result<DocumentLink, Error> {
        let Allowed { document, date } = allowed;
        let media_type = new.media_type.as_ref().or(document.media_type.as_ref());
        let name = new.file_name.as_ref().or(document.file_name.as_ref());
        let (media_type, name) = (media_type.map_or("", String::as_str), name.map_or("", String::as_str));
        let date = new.date.or(*date);
        let mut faults = Faults::new();
        let dateless = Fault::error("B4", "date").with_expected("the day of the document");
        let dateless = dateless.with_hint("its entry has none that can be read: give one");
        let missing = [file_name_fault(name), self.media_type_fault(media_type)];
        let missing = missing.into_iter().chain([date.is_none().then_some(dateless)]);
        missing.flatten().for_each(|fault| faults.push(fault));
        let size = document.bytes.filter(|bytes| *bytes > most);
        match (size, date, name::base_name(name), name::essence(media_type)) {
            (Some(bytes), ..) if !faults.has_errors() => Err(content::too_large(Some(bytes), most)),
            (None, Some(date), Some(name), Some(media_type)) if !faults.has_errors() => {
                Ok(linked_as(new, date, name, media_type))
            }
            (size, ..) => {
                size.into_iter().for_each(|bytes| faults.push(size_fault(bytes, most)));
                Err(Error::validation(PUBLISH, faults.into_vec()).with_hint("correct the fields named above"))
            }
        }
    }

    /// The document as the book has it now, if it may be seen.
    fn judged(&self, book: &Book, place: &DocumentPlace) -> Result<Allowed, Withheld> {
        let (entry, document) = match book.find(place) {
            Found::There(entry, document) => (entry, document),
            Found::NoDocument => return Err(Withheld::NoDocument),
            Found::NoEntry => return Err(Withheld::NoEntry),
        };
        let external = document.external;
        match (document.hidden, self.settings.external_documents) {
            (_, ExternalDocuments::Refuse) if external => Err(Withheld::External),
            (HiddenFlag::Shown, _) => Ok(Allowed { document: document.clone(), date: entry.date }),
            // No flag can be set there, so none is missed.
            (HiddenFlag::Missing, ExternalDocuments::Allow) if external => {
                Ok(Allowed { document: document.clone(), date: entry.date })
            }
            _ => Err(Withheld::Hidden),
        }
    }

    /// Reads the book. What must not be seen is withdrawn if it may be at the portal, and is refused.
    async fn allowed_or_gone(&self, place: &DocumentPlace, outcome: Outcome) -> Result<Allowed, Error> {
        let book = self.annotations.book(place.case).await?;
        match self.judged(&book, place) {
            Ok(allowed) => Ok(allowed),
            Err(why) if why.is_absence() && !book.complete => Err(why.error(outcome)),
            Err(why) => {
                self.gone(place, &why.reason()).await?;
                Err(why.error(outcome))
            }
        }
    }

    /// The most bytes that go up (W01), asked once.
    async fn most(&self) -> Result<u64, Error> {
        let ask = || async { Ok::<_, Error>(self.portal.health().await?.limits.blob_bytes) };
        let portal = *self.most.get_or_try_init(ask).await?;
        Ok(self.settings.largest.map_or(portal, |own| own.min(portal)))
    }

    async fn measured(
        &self,
        place: &DocumentPlace,
        allowed: &Allowed,
        media_type: String,
        most: u64,
    ) -> Result<Blob, Error> {
        let body = self.annotations.content(place).await?;
        match body.length().or(allowed.document.bytes).filter(|bytes| *bytes > most) {
            Some(bytes) => Err(content::too_large(Some(bytes), most)),
            None => content::measured(body, media_type, most).await,
        }
    }

    /// A store that knows nothing of the document may have been lost: the portal tells which version it shows.
    async fn version_if_new(&self, place: &DocumentPlace) -> Result<u64, Error> {
        match self.ledger.known(place).await? {
            Some(_) => Ok(0),
            None => Ok(self.version_there(place).await?.unwrap_or(0)),
        }
    }

    async fn version_there(&self, place: &DocumentPlace) -> Result<Option<u64>, Error> {
        let there = self.portal.links(place.case, &place.annotation).await?;
        let own = there.items.into_iter().find(|linked| linked.document_id == place.document);
        Ok(own.map(|linked| linked.link.version))
    }

    /// Whether the bytes went up now.
    async fn store(&self, blob: &Blob, missing: bool) -> Result<bool, Error> {
        if !missing && self.portal.has_blob(blob.sha256).await? {
            return Ok(false);
        }
        self.portal.put_blob(blob).await?;
        Ok(true)
    }

    async fn link(
        &self,
        place: &DocumentPlace,
        link: &DocumentLink,
        above: (u64, u64),
    ) -> Result<(u64, Linked), Error> {
        let before = self.ledger.known(place).await?;
        let version = self.ledger.linking(place, fingerprint(link)?, above).await?;
        // A repeat under its key gets the first answer again, so the portal's own word is not enough.
        let is_linked =
            before.is_some_and(|known| known.version == version && known.standing == Standing::Linked);
        let (link, key) = (DocumentLink { version, ..link.clone() }, self.key(place, version));
        let was_there = match self.portal.link(place, &link, &key).await {
            Ok(answer) if answer.outcome == LinkOutcome::Linked => is_linked,
            Ok(answer) if answer.outcome == LinkOutcome::Duplicate => true,
            Ok(answer) if answer.outcome == LinkOutcome::Stale => return Ok((version, Linked::Overtaken)),
            Ok(_) => return Err(unexpected(PUBLISH)),
            Err(error) if is(&error, &RefusalCode::VersionReuse) => return Ok((version, Linked::Overtaken)),
            Err(error) => return Err(error),
        };
        let settled = self.ledger.settle(place, version, Standing::Linked).await;
        settled.map_err(|error| error.with_outcome(Outcome::Unknown))?;
        Ok((version, Linked::There { was_there }))
    }

    fn key(&self, place: &DocumentPlace, version: u64) -> IdempotencyKey {
        let tenant = self.portal.tenant();
        IdempotencyKey::document(tenant, place.case, &place.annotation, &place.document, version)
    }

    /// Withdraws the document if it may be at the portal, and tells whether it may have been.
    async fn gone(&self, place: &DocumentPlace, reason: &Reason) -> Result<bool, Error> {
        if !self.ledger.known(place).await?.is_some_and(|known| known.may_be_seen()) {
            return Ok(false);
        }
        let version = self.ledger.withdrawing(place, reason, 0).await?;
        let version = match self.unlink(place, version, reason).await? {
            Unlinked::Gone => version,
            Unlinked::Overtaken => match self.version_there(place).await? {
                None => version,
                Some(there) => self.unlinked_above(place, there, reason).await?,
            },
        };
        let settled = self.ledger.settle(place, version, Standing::Withdrawn).await;
        settled.map_err(|error| error.with_outcome(Outcome::Unknown).with_operation(WITHDRAW))?;
        Ok(true)
    }

    /// Once more, above the version that the portal shows.
    async fn unlinked_above(&self, place: &DocumentPlace, there: u64, reason: &Reason) -> Result<u64, Error> {
        let version = self.ledger.withdrawing(place, reason, there).await?;
        match self.unlink(place, version, reason).await? {
            Unlinked::Gone => Ok(version),
            Unlinked::Overtaken => Err(stale().with_operation(WITHDRAW)),
        }
    }

    async fn unlink(&self, place: &DocumentPlace, version: u64, reason: &Reason) -> Result<Unlinked, Error> {
        match self.portal.unlink(place, version, reason, &self.key(place, version)).await {
            Ok(answer) => match answer.outcome {
                UnlinkOutcome::Withdrawn | UnlinkOutcome::Already => Ok(Unlinked::Gone),
                UnlinkOutcome::Other(word) if word.as_str() == "stale" => Ok(Unlinked::Overtaken),
                UnlinkOutcome::Other(_) => Err(unexpected(WITHDRAW)),
            },
            Err(error) if is(&error, &RefusalCode::VersionReuse) => Ok(Unlinked::Overtaken),
            Err(error) => Err(error),
        }
    }
}

/// Media types in the form in which they are compared.
fn known_types(media_types: &BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
    let mut faults = Faults::new();
    let mut known = BTreeSet::new();
    for media_type in media_types {
        match name::essence(media_type) {
            Some(essence) => drop(known.insert(essence)),
            None => faults.push(
                Fault::error("B4", "settings.media_types")
                    .with_expected("media types")
                    .with_actual(media_type)
                    .with_hint("write them as `application/pdf`"),
            ),
        }
    }
    faults.into_result("set up documents").map(|_| known)
}

/// What became of a link.
#[derive(Debug)]
enum Linked {
    There { was_there: bool },
    Overtaken,
}

/// What became of a withdrawal.
#[derive(Debug)]
enum Unlinked {
    Gone,
    Overtaken,
}

fn linked_as(new: &NewDocument, date: CalendarDate, name: String, media_type: String) -> DocumentLink {
    let grants = new.grants.as_ref().map(|grants| BTreeSet::from_iter(grants.clone()).into_iter().collect());
    let title = new.title.clone().unwrap_or_else(|| name.clone());
    let sha256 = Sha256::from_bytes([0; 32]);
    DocumentLink { version: 0, sha256, bytes: 0, media_type, file_name: name, title, date, grants }
}

/// Digest of what a link says, whatever its version.
fn fingerprint(link: &DocumentLink) -> Result<Sha256, Error> {
    let text = canonical(&DocumentLink { version: 0, ..link.clone() });
    let text = text.map_err(|cause| {
        Error::configuration("the link cannot be written as JSON", "report this as a defect")
            .with_source(cause)
    })?;
    Ok(Sha256::of(text.as_bytes()))
}

fn is_id(id: &str) -> bool {
    !id.trim().is_empty()
        && !matches!(id, "." | "..")
        && !id.contains('/')
        && !id.chars().any(char::is_control)
}

/// The name itself is not repeated.
fn file_name_fault(name: &str) -> Option<Fault> {
    let fault =
        Fault::error("B4", "file_name").with_expected("a file name that is not empty without its folders");
    name::base_name(name).is_none().then(|| fault.with_hint("give one"))
}

fn size_fault(bytes: u64, most: u64) -> Fault {
    let fault = Fault::error("B4", "bytes").with_expected(format!("at most {most} bytes"));
    fault.with_actual(bytes.to_string()).with_hint("make it smaller, or have the limit raised")
}

/// Trap 22.
fn of_a_contact(mut faults: Vec<Fault>) -> Error {
    let fault = Fault::error("B1", "owner").with_expected("a case file");
    faults.insert(0, fault.with_hint("file the document with an entry of a case file's annotations book"));
    let refused = Problem::Refused { reason: "contact-document".to_owned() };
    Error::validation(PUBLISH, faults).with_hint("correct the fields named above").with_source(refused)
}

fn is(error: &Error, code: &RefusalCode) -> bool {
    Refusal::of(error).is_some_and(|refusal| refusal.code == *code)
}

fn stale() -> Error {
    let hint = "the portal has a later version of this document than the store knows: use the store that published it";
    Problem::Stale.error(PUBLISH).with_outcome(Outcome::Refused).with_hint(hint)
}

fn unexpected(operation: &'static str) -> Error {
    Error::new(ErrorKind::UnexpectedAnswer, operation)
        .with_message("the portal answered with an outcome that the mapping does not have")
        .with_hint("compare the portal's version with the mapping that this crate speaks, then repeat")
}
