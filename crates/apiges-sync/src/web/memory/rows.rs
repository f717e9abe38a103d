//! The rows of the mapping over the portal in memory (contract 3.7).
//!
//! The rules enforced here: every write but W51 goes by its key; a body over the limit is refused; the portal is asked when the call is
//! awaited, as over a network, and not when it is made.

use std::fmt::Display;
use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use integration_core::call::TransportError;
use integration_core::{Error, ErrorKind, Outcome};
use serde::Serialize;

use super::super::{
    Batch, BatchAccepted, Blob, CaseBatch, CaseBatchAnswer, CasePush, Commit, CommitTotals, ContactRef,
    DocumentLink, DocumentPlace, EventPage, Expected, Grant, GrantDigest, GrantPage, GrantState,
    GrantVersion, Health, IdempotencyKey, LinkAnswer, LinkedDocuments, Load, LoadId, Message, MessageId,
    MessagePage, MessageStored, OpenLoad, OpenSingleLoad, Part, Pending, PushAnswer, Reason, Receipt,
    ReceiptStored, Receipts, Rename, Sha256, StoredCase, UnionPreview, UnionRequest, UnlinkAnswer, Viewer,
    ViewerFiles, WebSyncTransport, WithdrawalBatch, WithdrawalBatchAnswer, WithdrawalPage, Withdrawn,
    canonical,
};
use super::denial::Denial;
use super::portal::{Moment, Portal};
use super::{Called, MemoryTransport};
use crate::evidence::Chain;

fn reads(row: &'static str, operation: &'static str, target: impl Display) -> Called {
    Called { row, operation, target: target.to_string(), writes: false }
}

fn writes(row: &'static str, operation: &'static str, target: impl Display) -> Called {
    Called { row, operation, target: target.to_string(), writes: true }
}

impl MemoryTransport {
    fn read<'a, T: Send + 'a>(
        &'a self,
        called: Called,
        act: impl FnOnce(&mut Portal, Moment) -> Result<T, Denial> + Send + 'a,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            self.enter(&called)?;
            let moment = self.moment();
            let done = act(&mut self.portal(), moment);
            self.leave(&called, done)
        })
    }

    fn write<'a, T: Clone + Send + 'static>(
        &'a self,
        called: Called,
        body: &impl Serialize,
        key: &'a IdempotencyKey,
        act: impl FnOnce(&mut Portal, Moment) -> Result<T, Denial> + Send + 'a,
    ) -> Pending<'a, T> {
        let body = canonical(body).map_err(|_| Denial::invalid("body"));
        Box::pin(async move {
            self.enter(&called)?;
            let done = body.and_then(|body| self.once(&called, &body, key, act));
            self.leave(&called, done)
        })
    }

    /// Acts, unless the key was good already: then it is the first answer again.
    fn once<T: Clone + Send + 'static>(
        &self,
        called: &Called,
        body: &str,
        key: &IdempotencyKey,
        act: impl FnOnce(&mut Portal, Moment) -> Result<T, Denial>,
    ) -> Result<T, Denial> {
        let (moment, mut portal) = (self.moment(), self.portal());
        if key.as_str().is_empty() {
            return Err(Denial::invalid("Idempotency-Key"));
        }
        let limit = portal.limits.body_bytes;
        if body.len() as u64 > limit {
            return Err(Denial::too_large(limit));
        }
        let asked =
            Sha256::of(format!("{}\0{}\0{}\0{body}", called.row, called.operation, called.target).as_bytes());
        if let Some(answer) = portal.remembered.find(key, asked, moment.elapsed)? {
            return Ok(answer);
        }
        let answer = act(&mut portal, moment)?;
        portal.remembered.keep(key, asked, moment.elapsed, answer.clone());
        Ok(answer)
    }

    async fn store(&self, called: &Called, blob: &Blob) -> Result<(), Error> {
        self.enter(called)?;
        let announced = self.portal().takes(blob.bytes);
        announced.map_err(|denial| denial.into_error(called))?;
        let content = whole(blob).await.map_err(|cause| {
            let error = Error::new(ErrorKind::Store, called.operation).with_outcome(Outcome::NotSent);
            error.with_message("the body of the request cannot be read").with_source(cause)
        })?;
        let moment = self.moment();
        let done = self.portal().put_blob(blob, &content, moment.elapsed);
        self.leave(called, done)
    }
}

/// All bytes of a blob, which are at most as many as were announced: a body checks its own length.
async fn whole(blob: &Blob) -> Result<Bytes, TransportError> {
    let mut stream = blob.body.open().await?;
    let mut content = BytesMut::new();
    while let Some(part) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        content.extend_from_slice(&part?);
    }
    Ok(content.freeze())
}

/// The body of a request that has none.
const NOTHING: &str = "";

impl WebSyncTransport for MemoryTransport {
    fn tenant(&self) -> &str {
        &self.0.tenant
    }

    fn health(&self) -> Pending<'_, Health> {
        self.read(reads("W01", "ask the portal for its health", ""), |portal, _| Ok(portal.health()))
    }

    fn grants(&self, part: Part) -> Pending<'_, GrantPage> {
        self.read(reads("W10", "list grants", ""), move |portal, _| portal.list_grants(&part))
    }

    fn grant<'a>(&'a self, contact: &'a ContactRef) -> Pending<'a, Option<Grant>> {
        self.read(reads("W11", "read a grant", contact), |portal, _| Ok(portal.grant(contact).ok().cloned()))
    }

    fn put_grant<'a>(
        &'a self,
        grant: &'a Grant,
        expected: Expected,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        let called = writes("W12", "change a grant", &grant.contact);
        // What is presumed belongs to what is asked.
        let presumed = match expected {
            Expected::Absent => None,
            Expected::Version(version) => Some(version),
        };
        self.write(called, &(presumed, grant), key, move |portal, _| portal.put_grant(grant, expected))
    }

    fn suspend<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        self.write(
            writes("W13", "suspend a grant", contact),
            &GrantVersion { version },
            key,
            move |portal, _| portal.set_state(contact, version, GrantState::Suspended),
        )
    }

    fn resume<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        self.write(
            writes("W13", "resume a grant", contact),
            &GrantVersion { version },
            key,
            move |portal, _| portal.set_state(contact, version, GrantState::Active),
        )
    }

    fn revoke<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Withdrawn> {
        self.write(writes("W14", "revoke a grant", contact), &version, key, move |portal, moment| {
            portal.revoke(contact, version, moment.now)
        })
    }

    fn rename<'a>(
        &'a self,
        contact: &'a ContactRef,
        rename: &'a Rename,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        let called = writes("W15", "rename a contact's grant", contact);
        self.write(called, rename, key, |portal, _| portal.rename(contact, rename))
    }

    fn preview_union<'a>(
        &'a self,
        request: &'a UnionRequest,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, UnionPreview> {
        let called = writes("W16", "preview a union", &request.joining);
        self.write(called, request, key, |portal, _| Ok(portal.preview(request)))
    }

    fn digest<'a>(&'a self, contact: &'a ContactRef) -> Pending<'a, GrantDigest> {
        self.read(reads("W17", "ask for a grant's digest", contact), |portal, _| portal.digest(contact))
    }

    fn open_load<'a>(&'a self, load: &'a OpenLoad, key: &'a IdempotencyKey) -> Pending<'a, Load> {
        self.write(writes("W20", "open a load", &load.load_id), load, key, |portal, _| portal.open_load(load))
    }

    fn open_single_load<'a>(
        &'a self,
        contact: &'a ContactRef,
        load: &'a OpenSingleLoad,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Load> {
        let called = writes("W21", "open a load of one contact", contact);
        self.write(called, load, key, |portal, _| portal.open_single_load(contact, load))
    }

    fn put_batch<'a>(
        &'a self,
        load: &'a LoadId,
        contact: &'a ContactRef,
        n: u64,
        batch: &'a Batch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, BatchAccepted> {
        let called = writes("W22", "send a batch of a load", format_args!("{load}/{contact}/{n}"));
        self.write(called, batch, key, move |portal, _| portal.put_batch(load, contact, n, batch))
    }

    fn commit<'a>(
        &'a self,
        load: &'a LoadId,
        contact: &'a ContactRef,
        commit: &'a Commit,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, CommitTotals> {
        let called = writes("W23", "commit a contact's load", format_args!("{load}/{contact}"));
        self.write(called, commit, key, |portal, moment| portal.commit(load, contact, commit, moment.now))
    }

    fn load<'a>(&'a self, load: &'a LoadId) -> Pending<'a, Option<Load>> {
        self.read(reads("W24", "read a load", load), |portal, _| Ok(portal.load(load)))
    }

    fn close_load<'a>(&'a self, load: &'a LoadId, key: &'a IdempotencyKey) -> Pending<'a, CommitTotals> {
        self.write(writes("W25", "close a load", load), &NOTHING, key, |portal, _| {
            portal.end_load(load, true)
        })
    }

    fn abort_load<'a>(&'a self, load: &'a LoadId, key: &'a IdempotencyKey) -> Pending<'a, CommitTotals> {
        self.write(writes("W25", "abort a load", load), &NOTHING, key, |portal, _| {
            portal.end_load(load, false)
        })
    }

    fn push<'a>(&'a self, push: &'a CasePush, key: &'a IdempotencyKey) -> Pending<'a, PushAnswer> {
        let called = writes("W30", "push a case file", push.case_id);
        self.write(called, push, key, |portal, moment| portal.push(push, moment.now))
    }

    fn push_batch<'a>(
        &'a self,
        batch: &'a CaseBatch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, CaseBatchAnswer> {
        self.write(writes("W31", "push case files", ""), batch, key, |portal, moment| {
            portal.push_batch(batch, moment.now)
        })
    }

    fn case(&self, case: u64) -> Pending<'_, Option<StoredCase>> {
        let called = reads("W32", "read how a case file stands", case);
        self.read(called, move |portal, _| Ok(portal.case(case)))
    }

    fn view<'a>(&'a self, viewer: &'a Viewer) -> Pending<'a, ViewerFiles> {
        // A pair's tag opens a view: it is not written down.
        let called = match viewer {
            Viewer::Contact(contact) => reads("W33", "read what a viewer sees", contact),
            Viewer::Union(_) => reads("W33", "read what a viewer sees", "a union"),
        };
        self.read(called, |portal, _| portal.view(viewer))
    }

    fn withdraw<'a>(
        &'a self,
        batch: &'a WithdrawalBatch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, WithdrawalBatchAnswer> {
        let called = writes("W40", "withdraw case files", &batch.batch_id);
        self.write(called, batch, key, |portal, moment| portal.withdraw(batch, moment.now))
    }

    fn withdrawals(&self, part: Part) -> Pending<'_, WithdrawalPage> {
        self.read(reads("W41", "list withdrawals", ""), move |portal, _| portal.list_withdrawals(&part))
    }

    fn has_blob(&self, sha256: Sha256) -> Pending<'_, bool> {
        let called = reads("W50", "ask whether a blob is stored", sha256);
        self.read(called, move |portal, moment| Ok(portal.has_blob(sha256, moment.elapsed)))
    }

    fn put_blob<'a>(&'a self, blob: &'a Blob) -> Pending<'a, ()> {
        let called = writes("W51", "store a blob", blob.sha256);
        Box::pin(async move { self.store(&called, blob).await })
    }

    fn link<'a>(
        &'a self,
        place: &'a DocumentPlace,
        link: &'a DocumentLink,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, LinkAnswer> {
        self.write(writes("W60", "link a document", place), link, key, |portal, moment| {
            portal.link(place, link, moment.elapsed)
        })
    }

    fn links<'a>(&'a self, case: u64, annotation: &'a str) -> Pending<'a, LinkedDocuments> {
        let called = reads("W61", "list documents", format_args!("{case}/{annotation}"));
        self.read(called, move |portal, _| Ok(portal.links(case, annotation)))
    }

    fn unlink<'a>(
        &'a self,
        place: &'a DocumentPlace,
        version: u64,
        reason: &'a Reason,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, UnlinkAnswer> {
        let called = writes("W62", "withdraw a document", place);
        self.write(called, &(version, reason), key, move |portal, _| portal.unlink(place, version, reason))
    }

    fn post_message<'a>(
        &'a self,
        case: u64,
        message: &'a Message,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, MessageStored> {
        let called = writes("W70", "post a message", case);
        self.write(called, message, key, move |portal, _| portal.post_message(case, message))
    }

    fn messages(&self, case: u64, part: Part) -> Pending<'_, MessagePage> {
        self.read(reads("W71", "list messages", case), move |portal, _| portal.list_messages(case, &part))
    }

    fn post_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, ReceiptStored> {
        let called = writes("W72", "post a receipt", &receipt.message_id);
        self.write(called, receipt, key, |portal, _| portal.post_receipt(receipt))
    }

    fn receipts<'a>(&'a self, message: &'a MessageId) -> Pending<'a, Receipts> {
        self.read(reads("W73", "list receipts", message), |portal, _| portal.list_receipts(message))
    }

    fn events(&self, part: Part) -> Pending<'_, EventPage> {
        self.read(reads("W74", "follow events", ""), move |portal, _| portal.list_events(&part))
    }

    fn evidence(&self, case: u64) -> Pending<'_, Chain> {
        self.read(reads("W75", "export evidence", case), move |portal, _| portal.evidence(case))
    }
}
