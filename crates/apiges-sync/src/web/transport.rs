//! What carries the web synchronisation to the portal: one operation per row of the mapping (contract 3.7, 3.9).
//!
//! **The mapping is ours** and not the vendor's protocol, which is not public: whoever learns more writes another transport, and
//! everything above it stays as it is. The rules of the mapping that every transport keeps: an unexpected answer is an error and never
//! empty; a refusal carries a [`Refusal`](super::Refusal); a write is repeated under the same [`IdempotencyKey`] only.

use std::fmt;
use std::sync::Arc;

use integration_core::call::Body;
use integration_core::{BoxFuture, Error};

use super::{
    Batch, BatchAccepted, CaseBatch, CaseBatchAnswer, CasePush, Commit, CommitTotals, ContactRef,
    DocumentLink, EventPage, Grant, GrantDigest, GrantPage, Health, IdempotencyKey, LinkAnswer,
    LinkedDocuments, Load, LoadId, Message, MessageId, MessagePage, MessageStored, OpenLoad, OpenSingleLoad,
    PushAnswer, Reason, Receipt, ReceiptStored, Receipts, Rename, Sha256, StoredCase, UnionPreview,
    UnionRequest, UnlinkAnswer, ViewerFiles, WithdrawalBatch, WithdrawalBatchAnswer, WithdrawalPage,
    Withdrawn,
};
use crate::evidence::Chain;
use crate::grant::PairTag;

/// What every operation of a [`WebSyncTransport`] gives.
pub type Pending<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// What a change of a grant presumes (W12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// That there is none yet: `If-None-Match: *`.
    Absent,
    /// That it stands at this version: `If-Match`.
    Version(u64),
}

/// Who looks (W33): by a contact's own access, or as the administrator of a union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// The contact itself.
    Contact(ContactRef),
    /// Whoever enters with an administrator pair.
    Union(PairTag),
}

/// Where a document is: an entry of the annotations book of a case file, and the document in it (4.8 B1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentPlace {
    /// The case file.
    pub case: u64,
    /// The entry of its annotations book.
    pub annotation: String,
    /// The document.
    pub document: String,
}

impl fmt::Display for DocumentPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "document {} of annotation {} of case {}", self.document, self.annotation, self.case)
    }
}

/// Which part of a long list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// What `next` of the part before said; nothing for the first.
    pub after: Option<String>,
    /// How many at most; the portal's own choice if nothing is said.
    pub limit: Option<u32>,
}

impl Part {
    /// The part after `next`.
    #[must_use]
    pub fn after(next: impl Into<String>) -> Self {
        Self { after: Some(next.into()), limit: None }
    }

    /// At most so many.
    #[must_use]
    pub fn limit(self, most: u32) -> Self {
        Self { limit: Some(most), ..self }
    }
}

/// The bytes of a document or a graphic, on their way up (W51).
#[derive(Debug, Clone)]
pub struct Blob {
    /// Their SHA-256, under which they are stored.
    pub sha256: Sha256,
    /// How many.
    pub bytes: u64,
    /// What they are.
    pub media_type: String,
    /// They, opened anew for every attempt.
    pub body: Body,
}

impl Blob {
    /// Bytes that are in memory.
    ///
    /// ```
    /// use apiges_sync::web::Blob;
    ///
    /// let blob = Blob::bytes("image/png", "…");
    /// assert_eq!(blob.bytes, 3);
    /// ```
    pub fn bytes(media_type: impl Into<String>, bytes: impl Into<bytes::Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            sha256: Sha256::of(&bytes),
            bytes: bytes.len() as u64,
            media_type: media_type.into(),
            body: Body::bytes(bytes),
        }
    }
}

/// The portal, as the synchronisation sees it. [`HttpTransport`](super::HttpTransport) speaks our HTTP mapping.
///
/// Each operation names its row (contract 3.7). Errors: [`Forbidden`](integration_core::ErrorKind::Forbidden) and
/// [`Authentication`](integration_core::ErrorKind::Authentication) for the credential; a
/// [`Refusal`](super::Refusal) as cause where the portal refused with a code; [`Error::outcome`] tells whether a write may have taken
/// effect, and the same write under the same key is safe at any time.
///
/// An `Arc` of one is one, for what takes it by value:
///
/// ```
/// use std::sync::Arc;
/// use apiges_sync::web::{MemoryTransport, WebSyncTransport};
///
/// fn takes(portal: impl WebSyncTransport) -> String {
///     portal.tenant().to_owned()
/// }
/// let portal: Arc<dyn WebSyncTransport> = Arc::new(MemoryTransport::new("demo"));
/// assert_eq!(takes(Arc::clone(&portal)), portal.tenant());
/// ```
pub trait WebSyncTransport: fmt::Debug + Send + Sync + 'static {
    /// The tenant that it writes for: part of every key.
    fn tenant(&self) -> &str;

    /// W01: protocol, tenant and limits.
    fn health(&self) -> Pending<'_, Health>;

    /// W10: a part of the grants.
    fn grants(&self, part: Part) -> Pending<'_, GrantPage>;

    /// W11: a grant; nothing if the contact has none.
    fn grant<'a>(&'a self, contact: &'a ContactRef) -> Pending<'a, Option<Grant>>;

    /// W12: creates or changes a grant. The portal gives the version; the one in `grant` is not looked at.
    fn put_grant<'a>(
        &'a self,
        grant: &'a Grant,
        expected: Expected,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant>;

    /// W13: closes the portal to the contact; the data stays.
    fn suspend<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant>;

    /// W13: opens it again.
    fn resume<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant>;

    /// W14: takes the grant and everything it opened away; the portal denies at once.
    fn revoke<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Withdrawn>;

    /// W15: the contact's code is another from now on.
    fn rename<'a>(
        &'a self,
        contact: &'a ContactRef,
        rename: &'a Rename,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant>;

    /// W16: who would be in a union.
    fn preview_union<'a>(
        &'a self,
        request: &'a UnionRequest,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, UnionPreview>;

    /// W17: what the portal holds for a grant.
    fn digest<'a>(&'a self, contact: &'a ContactRef) -> Pending<'a, GrantDigest>;

    /// W20: opens a load of many contacts.
    fn open_load<'a>(&'a self, load: &'a OpenLoad, key: &'a IdempotencyKey) -> Pending<'a, Load>;

    /// W21: opens a load of one contact.
    fn open_single_load<'a>(
        &'a self,
        contact: &'a ContactRef,
        load: &'a OpenSingleLoad,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Load>;

    /// W22: a batch, `n` from 1.
    fn put_batch<'a>(
        &'a self,
        load: &'a LoadId,
        contact: &'a ContactRef,
        n: u64,
        batch: &'a Batch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, BatchAccepted>;

    /// W23: makes a contact's load visible.
    fn commit<'a>(
        &'a self,
        load: &'a LoadId,
        contact: &'a ContactRef,
        commit: &'a Commit,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, CommitTotals>;

    /// W24: how far a load has come.
    fn load<'a>(&'a self, load: &'a LoadId) -> Pending<'a, Option<Load>>;

    /// W25: ends a load of which every contact is committed.
    fn close_load<'a>(&'a self, load: &'a LoadId, key: &'a IdempotencyKey) -> Pending<'a, CommitTotals>;

    /// W25: ends a load as it stands; what is not committed is dropped.
    fn abort_load<'a>(&'a self, load: &'a LoadId, key: &'a IdempotencyKey) -> Pending<'a, CommitTotals>;

    /// W30: everything that anyone sees of a case file from now on.
    fn push<'a>(&'a self, push: &'a CasePush, key: &'a IdempotencyKey) -> Pending<'a, PushAnswer>;

    /// W31: several at once; each has its own answer.
    fn push_batch<'a>(
        &'a self,
        batch: &'a CaseBatch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, CaseBatchAnswer>;

    /// W32: how a case file stands at the portal; nothing if it was never there.
    fn case(&self, case: u64) -> Pending<'_, Option<StoredCase>>;

    /// W33: what a viewer sees now.
    fn view<'a>(&'a self, viewer: &'a Viewer) -> Pending<'a, ViewerFiles>;

    /// W40: takes files away from grants.
    fn withdraw<'a>(
        &'a self,
        batch: &'a WithdrawalBatch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, WithdrawalBatchAnswer>;

    /// W41: what was withdrawn.
    fn withdrawals(&self, part: Part) -> Pending<'_, WithdrawalPage>;

    /// W50: whether the bytes are stored already.
    fn has_blob(&self, sha256: Sha256) -> Pending<'_, bool>;

    /// W51: stores bytes under their digest; a repeat changes nothing.
    fn put_blob<'a>(&'a self, blob: &'a Blob) -> Pending<'a, ()>;

    /// W60: shows a stored blob as a document.
    fn link<'a>(
        &'a self,
        place: &'a DocumentPlace,
        link: &'a DocumentLink,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, LinkAnswer>;

    /// W61: the documents of an entry.
    fn links<'a>(&'a self, case: u64, annotation: &'a str) -> Pending<'a, LinkedDocuments>;

    /// W62: takes a document away.
    fn unlink<'a>(
        &'a self,
        place: &'a DocumentPlace,
        version: u64,
        reason: &'a Reason,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, UnlinkAnswer>;

    /// W70: adds a message to a case file's thread.
    fn post_message<'a>(
        &'a self,
        case: u64,
        message: &'a Message,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, MessageStored>;

    /// W71: the messages of a case file in their order; `after` is a `seq`.
    fn messages(&self, case: u64, part: Part) -> Pending<'_, MessagePage>;

    /// W72: reports what became of a message.
    fn post_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, ReceiptStored>;

    /// W73: what became of a message.
    fn receipts<'a>(&'a self, message: &'a MessageId) -> Pending<'a, Receipts>;

    /// W74: messages and receipts made on the portal, after a cursor.
    fn events(&self, part: Part) -> Pending<'_, EventPage>;

    /// W75: the evidence of a case file's thread. It is as the portal tells it: check it before believing it.
    fn evidence(&self, case: u64) -> Pending<'_, Chain>;
}

macro_rules! shared {
    ($($call:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        /// So that one portal serves an engine, documents and messages alike.
        impl<T: WebSyncTransport + ?Sized> WebSyncTransport for Arc<T> {
            fn tenant(&self) -> &str {
                (**self).tenant()
            }

            $(fn $call<'a>(&'a self, $($argument: $type),*) -> Pending<'a, $answer> {
                (**self).$call($($argument),*)
            })+
        }
    };
}

shared! {
    health() -> Health;
    grants(part: Part) -> GrantPage;
    grant(contact: &'a ContactRef) -> Option<Grant>;
    put_grant(grant: &'a Grant, expected: Expected, key: &'a IdempotencyKey) -> Grant;
    suspend(contact: &'a ContactRef, version: u64, key: &'a IdempotencyKey) -> Grant;
    resume(contact: &'a ContactRef, version: u64, key: &'a IdempotencyKey) -> Grant;
    revoke(contact: &'a ContactRef, version: u64, key: &'a IdempotencyKey) -> Withdrawn;
    rename(contact: &'a ContactRef, rename: &'a Rename, key: &'a IdempotencyKey) -> Grant;
    preview_union(request: &'a UnionRequest, key: &'a IdempotencyKey) -> UnionPreview;
    digest(contact: &'a ContactRef) -> GrantDigest;
    open_load(load: &'a OpenLoad, key: &'a IdempotencyKey) -> Load;
    open_single_load(contact: &'a ContactRef, load: &'a OpenSingleLoad, key: &'a IdempotencyKey) -> Load;
    put_batch(load: &'a LoadId, contact: &'a ContactRef, n: u64, batch: &'a Batch, key: &'a IdempotencyKey) -> BatchAccepted;
    commit(load: &'a LoadId, contact: &'a ContactRef, commit: &'a Commit, key: &'a IdempotencyKey) -> CommitTotals;
    load(load: &'a LoadId) -> Option<Load>;
    close_load(load: &'a LoadId, key: &'a IdempotencyKey) -> CommitTotals;
    abort_load(load: &'a LoadId, key: &'a IdempotencyKey) -> CommitTotals;
    push(push: &'a CasePush, key: &'a IdempotencyKey) -> PushAnswer;
    push_batch(batch: &'a CaseBatch, key: &'a IdempotencyKey) -> CaseBatchAnswer;
    case(case: u64) -> Option<StoredCase>;
    view(viewer: &'a Viewer) -> ViewerFiles;
    withdraw(batch: &'a WithdrawalBatch, key: &'a IdempotencyKey) -> WithdrawalBatchAnswer;
    withdrawals(part: Part) -> WithdrawalPage;
    has_blob(sha256: Sha256) -> bool;
    put_blob(blob: &'a Blob) -> ();
    link(place: &'a DocumentPlace, link: &'a DocumentLink, key: &'a IdempotencyKey) -> LinkAnswer;
    links(case: u64, annotation: &'a str) -> LinkedDocuments;
    unlink(place: &'a DocumentPlace, version: u64, reason: &'a Reason, key: &'a IdempotencyKey) -> UnlinkAnswer;
    post_message(case: u64, message: &'a Message, key: &'a IdempotencyKey) -> MessageStored;
    messages(case: u64, part: Part) -> MessagePage;
    post_receipt(receipt: &'a Receipt, key: &'a IdempotencyKey) -> ReceiptStored;
    receipts(message: &'a MessageId) -> Receipts;
    events(part: Part) -> EventPage;
    evidence(case: u64) -> Chain;
}
