//! A portal of a few lines, played from memory: it keeps the rules of W50 to W75 that these tests are about, can fail before or after it
//! acted, and stops for a moment before and after each row, so that a test can drop a call there.

#![allow(dead_code)]

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use apiges_sync::evidence::Chain;
use apiges_sync::web::*;
use apiges_sync::{Body, Error, ErrorKind, Outcome};
use bytes::Bytes;

/// Where an answer gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    BeforeActing,
    AfterActing,
}

pub(crate) type Place = (u64, String, String);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) calls: Vec<String>,
    pub(crate) blob_bytes: u64,
    pub(crate) blobs: BTreeMap<Sha256, Bytes>,
    pub(crate) links: BTreeMap<Place, DocumentLink>,
    pub(crate) tombstones: BTreeMap<Place, u64>,
    pub(crate) hidden: bool,
    /// So many blobs are dropped right before a link.
    pub(crate) drops: usize,
    pub(crate) lost: VecDeque<(&'static str, Lost)>,
    pub(crate) keys: Vec<String>,
    pub(crate) messages: BTreeMap<String, (u64, Message, MessageStored)>,
    pub(crate) receipts: BTreeMap<String, (Receipt, ReceiptStored)>,
    pub(crate) chains: BTreeMap<u64, Chain>,
    pub(crate) events: Vec<Event>,
    /// What W75 answers instead.
    pub(crate) evidence: Option<Chain>,
}

#[derive(Debug, Default)]
pub(crate) struct Portal(Mutex<State>);

impl Portal {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { blob_bytes: 1000, ..State::default() })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn lose(&self, row: &'static str, lost: Lost) {
        self.state().lost.push_back((row, lost));
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    /// One row: a moment, the deed, a moment.
    fn row<'a, T: Send + 'a>(
        &'a self,
        row: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Error> + Send + 'a,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            moment().await;
            let done = {
                let mut state = self.state();
                state.calls.push(row.to_owned());
                let lost = match state.lost.front() {
                    Some((next, lost)) if *next == row => Some(*lost),
                    _ => None,
                };
                if lost.is_some() {
                    state.lost.pop_front();
                }
                match lost {
                    Some(Lost::BeforeActing) => Err(interrupted(row)),
                    Some(Lost::AfterActing) => act(&mut state).and(Err(interrupted(row))),
                    None => act(&mut state),
                }
            };
            moment().await;
            done
        })
    }
}

fn interrupted(row: &'static str) -> Error {
    Error::new(ErrorKind::Interrupted, row).with_outcome(Outcome::Unknown)
}

pub(crate) fn refusal(code: RefusalCode, kind: ErrorKind) -> Error {
    Error::new(kind, "scripted").with_outcome(Outcome::Refused).with_source(Refusal::new(code, None))
}

/// Pending once.
fn moment() -> impl Future<Output = ()> {
    let mut waited = false;
    poll_fn(move |context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Polls a call so often and drops it then; whether it was at its end.
pub(crate) fn dropped_after<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..polls {
        let polled: Poll<T> = Pin::as_mut(&mut call).poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(done) = polled {
            return Some(done);
        }
    }
    None
}

async fn read(body: &Body) -> Bytes {
    let mut stream = body.open().await.unwrap();
    let mut read = Vec::new();
    while let Some(piece) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        read.extend_from_slice(&piece.unwrap());
    }
    read.into()
}

fn place_of(place: &DocumentPlace) -> Place {
    (place.case, place.annotation.clone(), place.document.clone())
}

impl State {
    fn linked(&mut self, place: Place, link: &DocumentLink) -> Result<LinkOutcome, Error> {
        if self.drops > 0 {
            self.drops -= 1;
            self.blobs.clear();
        }
        if self.tombstones.get(&place).is_some_and(|version| *version >= link.version) {
            return Ok(LinkOutcome::Stale);
        }
        match self.links.get(&place) {
            Some(there) if there.version > link.version => return Ok(LinkOutcome::Stale),
            Some(there) if there == link => return Ok(LinkOutcome::Duplicate),
            Some(there) if there.version == link.version => {
                return Err(refusal(RefusalCode::VersionReuse, ErrorKind::Conflict));
            }
            _ => {}
        }
        if self.hidden {
            return Err(refusal(RefusalCode::Hidden, ErrorKind::Refused));
        }
        if !self.blobs.contains_key(&link.sha256) {
            return Err(refusal(RefusalCode::BlobMissing, ErrorKind::Conflict));
        }
        self.links.insert(place, link.clone());
        Ok(LinkOutcome::Linked)
    }

    fn unlinked(&mut self, place: Place, version: u64) -> Result<UnlinkOutcome, Error> {
        match self.links.get(&place).map(|link| link.version) {
            Some(there) if there > version => return Ok(UnlinkOutcome::from_wire("stale")),
            Some(there) if there == version => {
                return Err(refusal(RefusalCode::VersionReuse, ErrorKind::Conflict));
            }
            _ => {}
        }
        let there = self.links.remove(&place).is_some();
        self.tombstones.insert(place, version);
        Ok(if there { UnlinkOutcome::Withdrawn } else { UnlinkOutcome::Already })
    }

    fn chain(&mut self, case: u64) -> &mut Chain {
        self.chains.entry(case).or_insert_with(|| Chain::new("demo", case))
    }

    fn posted(&mut self, case: u64, message: &Message) -> Result<MessageStored, Error> {
        if let Some((own, there, stored)) = self.messages.get(message.message_id.as_str()) {
            return if *own == case && there == message {
                Ok(*stored)
            } else {
                Err(refusal(RefusalCode::MessageExists, ErrorKind::Conflict))
            };
        }
        let head = self.chain(case).add_message(message, &[]).unwrap();
        let stored = MessageStored { seq: head.seq, hash: head.hash };
        self.messages.insert(message.message_id.to_string(), (case, message.clone(), stored));
        Ok(stored)
    }

    pub(crate) fn posted_elsewhere(&mut self, case: u64, message: &Message) {
        self.posted(case, message).unwrap();
    }

    fn received(&mut self, receipt: &Receipt) -> Result<ReceiptStored, Error> {
        if let Some((_, stored)) = self.receipts.get(receipt.receipt_id.as_str()) {
            return Ok(stored.clone());
        }
        let Some((case, ..)) = self.messages.get(receipt.message_id.as_str()) else {
            return Err(refusal(RefusalCode::NotFound, ErrorKind::NotFound));
        };
        let case = *case;
        let head = self.chain(case).add_receipt(receipt).unwrap();
        let stored = ReceiptStored { state: ThreadState::Read, seq: head.seq, hash: head.hash };
        self.receipts.insert(receipt.receipt_id.to_string(), (receipt.clone(), stored.clone()));
        Ok(stored)
    }
}

macro_rules! unused {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        $(fn $name<'a>(&'a self, $($argument: $type),*) -> Pending<'a, $answer> {
            $(let _ = $argument;)*
            panic!("these tests do not ask for {}", stringify!($name))
        })+
    };
}

impl WebSyncTransport for Portal {
    fn tenant(&self) -> &str {
        "demo"
    }

    fn health(&self) -> Pending<'_, Health> {
        self.row("W01", |state| {
            let limits = Limits { blob_bytes: state.blob_bytes, batch_items: 100, body_bytes: 1 << 20 };
            Ok(Health { protocol: 1, tenant: "demo".into(), limits })
        })
    }

    fn has_blob(&self, sha256: Sha256) -> Pending<'_, bool> {
        self.row("W50", move |state| Ok(state.blobs.contains_key(&sha256)))
    }

    fn put_blob<'a>(&'a self, blob: &'a Blob) -> Pending<'a, ()> {
        Box::pin(async move {
            let bytes = read(&blob.body).await;
            self.row("W51", move |state| {
                if Sha256::of(&bytes) != blob.sha256 {
                    return Err(refusal(RefusalCode::Digest, ErrorKind::Refused));
                }
                state.blobs.insert(blob.sha256, bytes);
                Ok(())
            })
            .await
        })
    }

    fn link<'a>(
        &'a self,
        place: &'a DocumentPlace,
        link: &'a DocumentLink,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, LinkAnswer> {
        self.row("W60", move |state| {
            state.keys.push(key.to_string());
            Ok(LinkAnswer { outcome: state.linked(place_of(place), link)? })
        })
    }

    fn links<'a>(&'a self, case: u64, annotation: &'a str) -> Pending<'a, LinkedDocuments> {
        self.row("W61", move |state| {
            let own = state.links.iter().filter(|(place, _)| place.0 == case && place.1 == annotation);
            let linked = |(place, link): (&Place, &DocumentLink)| LinkedDocument {
                document_id: place.2.clone(),
                link: link.clone(),
            };
            Ok(LinkedDocuments { items: own.map(linked).collect() })
        })
    }

    fn unlink<'a>(
        &'a self,
        place: &'a DocumentPlace,
        version: u64,
        reason: &'a Reason,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, UnlinkAnswer> {
        self.row("W62", move |state| {
            state.keys.push(key.to_string());
            state.calls.push(format!("{reason}/{version}"));
            Ok(UnlinkAnswer { outcome: state.unlinked(place_of(place), version)? })
        })
    }

    fn post_message<'a>(
        &'a self,
        case: u64,
        message: &'a Message,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, MessageStored> {
        self.row("W70", move |state| {
            state.keys.push(key.to_string());
            state.posted(case, message)
        })
    }

    fn messages(&self, case: u64, part: Part) -> Pending<'_, MessagePage> {
        self.row("W71", move |state| {
            let after: u64 = part.after.as_deref().unwrap_or("0").parse().unwrap();
            let mut own: Vec<StoredMessage> = state
                .messages
                .values()
                .filter(|(of, _, stored)| *of == case && stored.seq > after)
                .map(|(_, message, stored)| StoredMessage { seq: stored.seq, message: message.clone() })
                .collect();
            own.sort_by_key(|one| one.seq);
            let next = own.get(1).filter(|_| own.len() > 2).map(|one| one.seq.to_string());
            own.truncate(2);
            Ok(MessagePage { items: own, next })
        })
    }

    fn post_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, ReceiptStored> {
        self.row("W72", move |state| {
            state.keys.push(key.to_string());
            state.received(receipt)
        })
    }

    fn events(&self, part: Part) -> Pending<'_, EventPage> {
        self.row("W74", move |state| {
            let cursors: Vec<&str> = state.events.iter().map(|event| event.cursor.as_str()).collect();
            let at = part.after.map_or(0, |after| cursors.iter().position(|own| *own == after).unwrap() + 1);
            let limit = part.limit.map_or(usize::MAX, |limit| limit as usize);
            let items: Vec<Event> = state.events.iter().skip(at).take(limit).cloned().collect();
            let more = at + items.len() < state.events.len();
            let next = items.last().filter(|_| more).map(|event| event.cursor.clone());
            Ok(EventPage { items, next })
        })
    }

    fn evidence(&self, case: u64) -> Pending<'_, Chain> {
        self.row("W75", move |state| match state.evidence.clone() {
            Some(chain) => Ok(chain),
            None => Ok(state.chain(case).clone()),
        })
    }

    unused! {
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
        receipts(message: &'a MessageId) -> Receipts;
    }
}

/// O4, computed apart from the crate.
pub(crate) fn key(what: &str, id: &str, version: u64) -> String {
    let text = format!("demo\0{what}\0{id}\0{version}");
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
