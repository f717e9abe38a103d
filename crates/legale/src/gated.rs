//! The client behind the permission gate (contract 4.9): every call asks first whether this user may make it.
//!
//! A grant that is limited to a folder counts only for calls that name the folder. For a document that exists already the name is
//! not believed: its detail must say that it lies there.

use std::sync::Arc;

use integration_core::body::page::Pages;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};

use crate::client::Client;
use crate::contact::{Contact, ContactPatch, NewContact};
use crate::document::{Created, Detail, Document, Download, Upload};
use crate::flow::Flow;
use crate::folder::Folder as FolderRecord;
use crate::id::{ContactId, DocumentId, FolderId, TemplateId};
#[cfg(feature = "store")]
use crate::journal::Journal;
use crate::migrate::{Migrated, Migration};
use crate::naming::Folder;
use crate::permission::{ApiCall, SharedGate, Target};
use crate::send::{CONCURRENCY, Reference, SendError, Sending, Sent, Step, all};
use crate::sign::Started;
use crate::status::SignStatus;
use crate::template::{BatchStarted, SmartDocument, TemplateItem, Workflow};

/// A [`Client`] in the hands of one user. Cheap to clone.
///
/// Refused calls are errors of kind [`ErrorKind::Forbidden`], before anything is sent; every decision goes to the gate's audit.
///
/// ```
/// use legale::permission::{Action, Audit, AuditRecord, Gate, Grant, SharedGate};
/// use legale::{Clock, GatedClient, SystemClock};
///
/// struct Silent;
/// impl Audit for Silent {
///     fn record(&self, _: &AuditRecord) {}
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), legale::Error> {
/// # let client = legale::Client::from_lookup(|name| match name {
/// #     "LEGALE_BASE_URL" => Some("http://127.0.0.1:1".into()),
/// #     "LEGALE_API_KEY" => Some("key".into()),
/// #     _ => None,
/// # })?;
/// let now = SystemClock::new().wall();
/// let gate = Gate::with_administrator("admin@example.com", now)?;
/// let gate = std::sync::Arc::new(SharedGate::new(gate, Silent));
/// let ana = GatedClient::new(client, gate, "ana@example.com");
/// let error = ana.folders().await.unwrap_err(); // nobody granted her anything
/// assert_eq!(error.kind(), legale::ErrorKind::Forbidden);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "permisos")]
pub struct GatedClient {
    client: Client,
    gate: Arc<SharedGate>,
    user: String,
    folder: Option<Folder>,
}

impl GatedClient {
    /// The client for `user`, by e-mail.
    pub fn new(client: Client, gate: Arc<SharedGate>, user: impl Into<String>) -> Self {
        Self { client, gate, user: user.into(), folder: None }
    }

    /// For documents of one folder: grants that are limited to it, or to a folder above it, count then.
    #[must_use]
    pub fn in_folder(&self, folder: Folder) -> Self {
        Self { folder: Some(folder), ..self.clone() }
    }

    fn allow(&self, call: ApiCall, name: &str, folder: Option<&str>) -> Result<(), Error> {
        let target = Target::new(name);
        let target = match folder {
            Some(folder) => target.in_folder(folder),
            None => target,
        };
        let now = self.client.clock().wall();
        self.gate.check(&self.user, call, &target, now)?;
        self.gate.seen(&self.user, now);
        Ok(())
    }

    /// For a call that concerns no document.
    fn allow_plain(&self, call: ApiCall, name: &str) -> Result<(), Error> {
        self.allow(call, name, self.folder.as_ref().map(Folder::as_str))
    }

    /// For a document that exists: what is said of its folder is looked up before it counts.
    async fn allow_document(&self, call: ApiCall, guid: &DocumentId) -> Result<(), Error> {
        self.allow_plain(call, guid.as_str())?;
        match &self.folder {
            Some(folder) => self.lies_in(folder, call, guid, &self.client.detail(guid).await?),
            None => Ok(()),
        }
    }

    /// To create in a folder; to replace a document is to change that one, wherever it lies.
    async fn allow_upload(&self, call: ApiCall, upload: &Upload) -> Result<(), Error> {
        self.allow(call, upload.file_name(), upload.folder_path())?;
        match upload.replaced() {
            Some(guid) => self.allow_document(call, guid).await,
            None => Ok(()),
        }
    }

    /// To create a document and to start its flow.
    async fn allow_sending(&self, sending: &Sending) -> Result<(), Error> {
        let (upload, flow) = (sending.upload(), sending.flow());
        let start = ApiCall::Start { signs_itself: flow.signs_itself() };
        self.allow(start, upload.file_name(), upload.folder_path())?;
        self.allow_upload(ApiCall::Create, upload).await
    }

    /// What the detail says of the folder; a refusal goes to the audit as any other.
    fn lies_in(
        &self,
        folder: &Folder,
        call: ApiCall,
        guid: &DocumentId,
        detail: &Detail,
    ) -> Result<(), Error> {
        if detail.folder.as_deref().is_some_and(|path| folder.covers(path)) {
            return Ok(());
        }
        let now = self.client.clock().wall();
        self.gate.refuse(
            &self.user,
            call,
            &Target::new(guid.as_str()),
            "it does not lie in this folder",
            now,
        );
        Err(Error::new(ErrorKind::Forbidden, "check the folder")
            .with_outcome(Outcome::NotSent)
            .with_message(format!("the document does not lie in {}", folder.as_str()))
            .with_hint(
                "name the folder in which it lies, or ask an administrator for a grant without a folder",
            ))
    }

    /// [`Client::documents`]. With [`in_folder`](Self::in_folder) it is refused: the list holds all folders.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// let mut pages = gated.documents()?;
    /// while let Some(page) = pages.next_page().await? {
    ///     println!("{} documents", page.items.len());
    /// }
    /// # Ok(()) });
    /// ```
    pub fn documents(&self) -> Result<Pages<Document>, Error> {
        self.allow(ApiCall::List, "all documents", None)?;
        Ok(self.client.documents())
    }

    /// [`Client::detail`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, gated) = (kit.guid().await, kit.gated());
    /// let detail = gated.detail(&guid).await?;
    /// println!("{} signers", detail.sign_list.len());
    /// # Ok(()) });
    /// ```
    pub async fn detail(&self, guid: &DocumentId) -> Result<Detail, Error> {
        self.allow_plain(ApiCall::Detail, guid.as_str())?;
        let detail = self.client.detail(guid).await?;
        match &self.folder {
            Some(folder) => self.lies_in(folder, ApiCall::Detail, guid, &detail).map(|()| detail),
            None => Ok(detail),
        }
    }

    /// [`Client::create`], in the upload's folder. One that replaces a document takes the right to edit that one, too.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (upload, gated) = (kit.upload(), kit.gated());
    /// let created = gated.create(&upload).await?;
    /// println!("{}", created.document.guid);
    /// # Ok(()) });
    /// ```
    pub async fn create(&self, upload: &Upload) -> Result<Created, Error> {
        self.allow_upload(ApiCall::Create, upload).await?;
        self.client.create(upload).await
    }

    /// [`Client::delete`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, gated) = (kit.guid().await, kit.gated());
    /// gated.delete(&guid).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete(&self, guid: &DocumentId) -> Result<(), Error> {
        self.allow_document(ApiCall::Delete, guid).await?;
        self.client.delete(guid).await
    }

    /// [`Client::download`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and what looking the folder up met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, gated) = (kit.guid().await, kit.gated());
    /// let mut file = Vec::new();
    /// gated.download(&guid).await?.to_writer(&mut file).await?;
    /// # Ok(()) });
    /// ```
    pub async fn download(&self, guid: &DocumentId) -> Result<Download, Error> {
        self.allow_document(ApiCall::Download, guid).await?;
        Ok(self.client.download(guid))
    }

    /// [`Client::start`]; a flow in which the account itself signs takes the right to sign as well.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, flow, gated) = (kit.guid().await, kit.flow(), kit.gated());
    /// let started = gated.start(&guid, &flow).await?;
    /// println!("{} links", started.links.len());
    /// # Ok(()) });
    /// ```
    pub async fn start(&self, guid: &DocumentId, flow: &Flow) -> Result<Started, Error> {
        self.allow_document(ApiCall::Start { signs_itself: flow.signs_itself() }, guid).await?;
        self.client.start(guid, flow).await
    }

    /// [`Client::send`]: takes what creating and starting take.
    ///
    /// Idempotency: each call that it makes by its own class, and a lost answer is looked into.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, gated) = (kit.sending(), kit.gated());
    /// let sent = gated.send(&sending).await?;
    /// println!("{}", sent.guid);
    /// # Ok(()) });
    /// ```
    pub async fn send(&self, sending: &Sending) -> Result<Sent, SendError> {
        self.allow_sending(sending).await?;
        self.client.send(sending).await
    }

    /// [`Client::send_observed`]: takes what [`send`](Self::send) takes.
    ///
    /// Idempotency: each call that it makes by its own class, and a lost answer is looked into.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, gated) = (kit.sending(), kit.gated());
    /// gated.send_observed(&sending, |step| println!("{step:?}")).await?;
    /// # Ok(()) });
    /// ```
    pub async fn send_observed(
        &self,
        sending: &Sending,
        observe: impl Fn(&Step) + Send + Sync,
    ) -> Result<Sent, SendError> {
        self.allow_sending(sending).await?;
        self.client.send_observed(sending, observe).await
    }

    /// [`Client::send_all`]: each item takes what [`send`](Self::send) takes, and one that is refused stops no other.
    ///
    /// Idempotency: each call that it makes by its own class, and a lost answer is looked into.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, gated) = (kit.sending(), kit.gated());
    /// for result in gated.send_all([sending]).await {
    ///     println!("{}", result?.guid);
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn send_all(&self, items: impl IntoIterator<Item = Sending>) -> Vec<Result<Sent, SendError>> {
        self.send_all_at(CONCURRENCY, items).await
    }

    /// As [`send_all`](Self::send_all), with at most `concurrency` at once.
    ///
    /// Idempotency: each call that it makes by its own class, and a lost answer is looked into (contract 4.5).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, gated) = (kit.sending(), kit.gated());
    /// let results = gated.send_all_at(2, [sending]).await;
    /// assert!(results.iter().all(Result::is_ok));
    /// # Ok(()) });
    /// ```
    pub async fn send_all_at(
        &self,
        concurrency: usize,
        items: impl IntoIterator<Item = Sending>,
    ) -> Vec<Result<Sent, SendError>> {
        let works = items.into_iter().map(|item| {
            let client = self.clone();
            Box::pin(async move { client.send(&item).await }) as BoxFuture<'static, _>
        });
        all(works.collect(), concurrency.max(1)).await
    }

    /// [`Client::send_recorded`]: takes what [`send`](Self::send) takes, also where the journal has it done already.
    ///
    /// Idempotency: each call that it makes by its own class; under one key nothing is sent twice.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and then nothing is written down; else as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, gated) = (kit.sending(), kit.gated());
    /// use integration_store::Store;
    /// use legale::Journal;
    ///
    /// let journal = Journal::new(&Store::open("memory:").await?, "worker-1");
    /// gated.send_recorded(&journal, "order-2025-0042", &sending).await?;
    /// # Ok(()) });
    /// ```
    #[cfg(feature = "store")]
    pub async fn send_recorded(
        &self,
        journal: &Journal,
        key: &str,
        sending: &Sending,
    ) -> Result<Sent, SendError> {
        self.allow_sending(sending).await?;
        self.client.send_recorded(journal, key, sending).await
    }

    /// [`Client::resolve`]: reads the list, as [`find_created`](Self::find_created) does.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// use integration_store::Store;
    /// use legale::Journal;
    ///
    /// let journal = Journal::new(&Store::open("memory:").await?, "worker-1");
    /// assert!(gated.resolve(&journal).await?.is_empty());
    /// # Ok(()) });
    /// ```
    #[cfg(feature = "store")]
    pub async fn resolve(&self, journal: &Journal) -> Result<Vec<(String, Option<DocumentId>)>, Error> {
        self.allow(ApiCall::List, "all documents", None)?;
        self.client.resolve(journal).await
    }

    /// [`Client::find_started`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, flow, gated) = (kit.guid().await, kit.flow(), kit.gated());
    /// # gated.start(&guid, &flow).await?;
    /// assert!(gated.find_started(&guid, &["ana@example.com"]).await?);
    /// # Ok(()) });
    /// ```
    pub async fn find_started(&self, guid: &DocumentId, emails: &[&str]) -> Result<bool, Error> {
        self.allow_document(ApiCall::Detail, guid).await?;
        self.client.find_started(guid, emails).await
    }

    /// [`Client::find_created`]: reads the list, which holds all folders, so a grant for a folder does not do.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// let lost = legale::Reference::Token("order-2025-0042".into());
    /// assert_eq!(gated.find_created(&lost).await?, None);
    /// # Ok(()) });
    /// ```
    pub async fn find_created(&self, reference: &Reference) -> Result<Option<DocumentId>, Error> {
        self.allow(ApiCall::List, "all documents", None)?;
        self.client.find_created(reference).await
    }

    /// [`Client::sign_status`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, gated) = (kit.guid().await, kit.gated());
    /// println!("{}", gated.sign_status(&guid).await?);
    /// # Ok(()) });
    /// ```
    pub async fn sign_status(&self, guid: &DocumentId) -> Result<SignStatus, Error> {
        self.allow_document(ApiCall::Status, guid).await?;
        self.client.sign_status(guid).await
    }

    /// [`Client::approve`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// gated.approve("https://app.example.com/approve/0a1b2c").await?; // as the start of the flow gave it
    /// # Ok(()) });
    /// ```
    pub async fn approve(&self, url: &str) -> Result<(), Error> {
        // The URL is a secret of its own: the audit does not get it.
        self.allow(ApiCall::Approve, "an approval URL", None)?;
        self.client.approve(url).await
    }

    /// [`Client::folders`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// println!("{} folders", gated.folders().await?.len());
    /// # Ok(()) });
    /// ```
    pub async fn folders(&self) -> Result<Vec<FolderRecord>, Error> {
        self.allow(ApiCall::Folders, "all folders", None)?;
        self.client.folders().await
    }

    /// [`Client::delete_folder`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// # gated.create(&legale::Upload::new("a.pdf", "A", legale::Source::bytes("%PDF-1.7 ...")).folder("Contratos")).await?;
    /// # let id = gated.folders().await?.remove(0).id;
    /// gated.delete_folder(&id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_folder(&self, id: &FolderId) -> Result<(), Error> {
        self.allow(ApiCall::DeleteFolder, id.as_str(), None)?;
        self.client.delete_folder(id).await
    }

    /// [`Client::start_batch`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, items, gated) = (legale::TemplateId::from(1), Vec::new(), kit.gated());
    /// let batch = gated.start_batch(&id, &items).await?;
    /// println!("{}", batch.raw);
    /// # Ok(()) });
    /// ```
    pub async fn start_batch(&self, id: &TemplateId, items: &[TemplateItem]) -> Result<BatchStarted, Error> {
        self.allow(ApiCall::StartBatch, id.as_str(), None)?;
        self.client.start_batch(id, items).await
    }

    /// [`Client::start_workflow`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, workflow, gated) = (legale::TemplateId::from(1), legale::Workflow::new(), kit.gated());
    /// let started = gated.start_workflow(&id, &workflow).await?;
    /// println!("{} links", started.links.len());
    /// # Ok(()) });
    /// ```
    pub async fn start_workflow(&self, id: &TemplateId, workflow: &Workflow) -> Result<Started, Error> {
        self.allow(ApiCall::StartWorkflow, id.as_str(), None)?;
        self.client.start_workflow(id, workflow).await
    }

    /// [`Client::smart_documents`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// let first = gated.smart_documents()?.next_page().await?;
    /// println!("{}", first.map_or(0, |page| page.items.len()));
    /// # Ok(()) });
    /// ```
    pub fn smart_documents(&self) -> Result<Pages<SmartDocument>, Error> {
        self.allow(ApiCall::SmartDocuments, "all smart documents", None)?;
        Ok(self.client.smart_documents())
    }

    /// [`Client::migrate`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// use legale::{Migration, Source};
    ///
    /// let scan = Migration::new("Contrato_1998.pdf", "Contrato de 1998", Source::bytes("%PDF-1.4 ..."));
    /// println!("{}", gated.migrate(&scan).await?.guid);
    /// # Ok(()) });
    /// ```
    pub async fn migrate(&self, migration: &Migration) -> Result<Migrated, Error> {
        self.allow(ApiCall::Migrate, "a finished document", None)?;
        self.client.migrate(migration).await
    }

    /// [`Client::contacts`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// let first = gated.contacts()?.next_page().await?;
    /// println!("{}", first.map_or(0, |page| page.items.len()));
    /// # Ok(()) });
    /// ```
    pub fn contacts(&self) -> Result<Pages<Contact>, Error> {
        self.allow(ApiCall::Contacts, "all contacts", None)?;
        Ok(self.client.contacts())
    }

    /// [`Client::create_contact`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// let contact = gated.create_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?;
    /// println!("{}", contact.id);
    /// # Ok(()) });
    /// ```
    pub async fn create_contact(&self, contact: &NewContact) -> Result<Contact, Error> {
        self.allow(ApiCall::SaveContact, "a new contact", None)?;
        self.client.create_contact(contact).await
    }

    /// [`Client::update_contact`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// # let id = gated.create_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?.id;
    /// use legale::{ContactPatch, Patch};
    ///
    /// let patch = ContactPatch { phone: Patch::Clear, ..ContactPatch::default() };
    /// gated.update_contact(&id, &patch).await?;
    /// # Ok(()) });
    /// ```
    pub async fn update_contact(&self, id: &ContactId, patch: &ContactPatch) -> Result<Contact, Error> {
        self.allow(ApiCall::SaveContact, id.as_str(), None)?;
        self.client.update_contact(id, patch).await
    }

    /// [`Client::ensure_contact`]: reads the contacts, and saves one.
    ///
    /// Idempotency: each call that it makes by its own class.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// let contact = gated.ensure_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?;
    /// println!("{}", contact.id);
    /// # Ok(()) });
    /// ```
    pub async fn ensure_contact(&self, wanted: &NewContact) -> Result<Contact, Error> {
        self.allow(ApiCall::Contacts, "all contacts", None)?;
        self.allow(ApiCall::SaveContact, "a contact", None)?;
        self.client.ensure_contact(wanted).await
    }

    /// [`Client::contact`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// # let id = gated.create_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?.id;
    /// println!("{:?}", gated.contact(&id).await?.email);
    /// # Ok(()) });
    /// ```
    pub async fn contact(&self, id: &ContactId) -> Result<Contact, Error> {
        self.allow(ApiCall::Contacts, id.as_str(), None)?;
        self.client.contact(id).await
    }

    /// [`Client::delete_contact`].
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], and as the call itself.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let gated = kit.gated();
    /// # let id = gated.create_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?.id;
    /// gated.delete_contact(&id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_contact(&self, id: &ContactId) -> Result<(), Error> {
        self.allow(ApiCall::DeleteContact, id.as_str(), None)?;
        self.client.delete_contact(id).await
    }
}
