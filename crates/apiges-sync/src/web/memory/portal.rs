//! What the portal holds. A withdrawn projection loses its view at once; its version stays as a tombstone (contract O5, Y5).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::{
    ContactRef, DocumentPlace, Event, Grant, Health, Instant, Limits, LoadId, MessageId, Part, PreviewId,
    Reason, ReceiptId, Sha256, View, WithdrawalRecord,
};
use super::blobs::{Document, StoredBlob};
use super::denial::Denial;
use super::grants::Preview;
use super::loads::Loading;
use super::remembered::Remembered;
use super::threads::{CaseThread, Recorded};

/// Now, for spans and for people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) elapsed: Duration,
    pub(super) now: Instant,
}

/// What one grant has of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    Visible { holder: ContactRef, view: Box<View> },
    Gone(Reason),
}

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) version: u64,
    pub(super) sequence: u64,
    pub(super) shown: Shown,
}

impl Held {
    pub(super) fn view(&self) -> Option<&View> {
        match &self.shown {
            Shown::Visible { view, .. } => Some(view),
            Shown::Gone(_) => None,
        }
    }
}

/// What a push says of each grant that it names.
pub(super) type Content = BTreeMap<ContactRef, Shown>;

#[derive(Debug, Default)]
pub(super) struct Case {
    /// The highest version that was seen, of a push, a load or a withdrawal.
    pub(super) version: u64,
    /// The sequence of the last push.
    pub(super) sequence: u64,
    /// Version and content of the last push.
    pub(super) pushed: Option<(u64, Content)>,
    pub(super) held: BTreeMap<ContactRef, Held>,
}

/// The portal of one tenant.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) tenant: String,
    pub(super) limits: Limits,
    page: u32,
    pub(super) remembered: Remembered,
    pub(super) grants: BTreeMap<ContactRef, Grant>,
    /// The last version of each grant that was revoked: no version is given twice.
    pub(super) revoked: BTreeMap<ContactRef, u64>,
    pub(super) previews: BTreeMap<PreviewId, Preview>,
    pub(super) cases: BTreeMap<u64, Case>,
    pub(super) withdrawals: Vec<WithdrawalRecord>,
    pub(super) loads: BTreeMap<LoadId, Loading>,
    pub(super) blobs: BTreeMap<Sha256, StoredBlob>,
    pub(super) documents: BTreeMap<DocumentPlace, Document>,
    pub(super) hidden: BTreeSet<DocumentPlace>,
    pub(super) threads: BTreeMap<u64, CaseThread>,
    /// The case of each message.
    pub(super) messages: BTreeMap<MessageId, u64>,
    pub(super) receipts: BTreeMap<ReceiptId, Recorded>,
    pub(super) events: Vec<Event>,
    issued: u64,
}

impl Portal {
    pub(super) fn new(tenant: &str, limits: Limits, page: u32) -> Self {
        Self {
            tenant: tenant.to_owned(),
            limits,
            page,
            remembered: Remembered::default(),
            grants: BTreeMap::new(),
            revoked: BTreeMap::new(),
            previews: BTreeMap::new(),
            cases: BTreeMap::new(),
            withdrawals: Vec::new(),
            loads: BTreeMap::new(),
            blobs: BTreeMap::new(),
            documents: BTreeMap::new(),
            hidden: BTreeSet::new(),
            threads: BTreeMap::new(),
            messages: BTreeMap::new(),
            receipts: BTreeMap::new(),
            events: Vec::new(),
            issued: 0,
        }
    }

    /// W01
    pub(super) fn health(&self) -> Health {
        Health { protocol: 1, tenant: self.tenant.clone(), limits: self.limits }
    }

    /// An id in the form of a UUID that this portal has not given yet; the same in every run.
    pub(super) fn issue(&mut self) -> String {
        self.issued += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.issued)
    }

    pub(super) fn held(&self, grant: &ContactRef, case: u64) -> Option<&Held> {
        self.cases.get(&case)?.held.get(grant)
    }

    /// The cases that a grant holds and has not lost.
    pub(super) fn visible<'p>(&'p self, grant: &'p ContactRef) -> impl Iterator<Item = (u64, &'p Held)> {
        let held = self.cases.iter().filter_map(move |(case, own)| Some((*case, own.held.get(grant)?)));
        held.filter(|(_, held)| held.view().is_some())
    }

    pub(super) fn hold(&mut self, grant: &ContactRef, case: u64, held: Held) {
        let own = self.cases.entry(case).or_default();
        own.version = own.version.max(held.version);
        own.held.insert(grant.clone(), held);
    }

    /// Leaves a tombstone; tells whether something was taken away.
    pub(super) fn take_away(
        &mut self,
        grant: &ContactRef,
        case: u64,
        version: u64,
        reason: &Reason,
        at: Instant,
    ) -> bool {
        let before = self.held(grant, case);
        let sequence = before.map_or(0, |held| held.sequence);
        let was_visible = before.is_some_and(|held| held.view().is_some());
        // The first reason is the one that took the view away.
        let shown = before.map(|held| held.shown.clone()).filter(|shown| matches!(shown, Shown::Gone(_)));
        let shown = shown.unwrap_or_else(|| Shown::Gone(reason.clone()));
        self.hold(grant, case, Held { version, sequence, shown });
        if was_visible {
            let (grant, reason) = (grant.clone(), reason.clone());
            self.withdrawals.push(WithdrawalRecord { case_id: case, version, grant, reason, at: Some(at) });
        }
        was_visible
    }

    /// A part of a list: what comes after the cursor, and the cursor of its last one if more follows.
    pub(super) fn page<T>(
        &self,
        part: &Part,
        rest: impl Iterator<Item = (String, T)>,
    ) -> Result<(Vec<T>, Option<String>), Denial> {
        let limit = part.limit.unwrap_or(self.page);
        if limit == 0 {
            return Err(Denial::invalid("limit"));
        }
        let mut rest = rest.peekable();
        let (mut items, mut last) = (Vec::new(), None);
        for (cursor, item) in rest.by_ref().take(limit as usize) {
            items.push(item);
            last = Some(cursor);
        }
        let more = rest.peek().is_some();
        Ok((items, last.filter(|_| more)))
    }
}

/// The place after which a part begins, in a list that is counted from 1.
pub(super) fn place(part: &Part) -> Result<u64, Denial> {
    part.after.as_deref().map_or(Ok(0), |text| text.parse().map_err(|_| Denial::invalid("after")))
}
