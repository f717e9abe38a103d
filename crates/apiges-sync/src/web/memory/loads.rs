//! Loads: batches in order, nothing visible before the commit, nothing withdrawn without proof and a guard (contract 4.4, W20 to W25).

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Batch, BatchAccepted, BatchItem, Commit, CommitTotals, ContactRef, DigestLine, Instant, Load,
    LoadContact, LoadId, LoadScope, OpenLoad, OpenSingleLoad, Reason, RefusalCode, Sha256, digest,
};
use super::denial::Denial;
use super::portal::{Held, Portal, Shown};

/// More withdrawals than this need the exact number.
const GUARD_MOST: u64 = 20;
/// From so many cases up, so does more than a tenth of them.
const GUARD_SHARE_FROM: u64 = 20;

/// A load under way, or over.
#[derive(Debug)]
pub(super) struct Loading {
    base_sequence: u64,
    single: bool,
    /// Whether it was closed, if it is over; otherwise it was aborted.
    closed: Option<bool>,
    contacts: BTreeMap<ContactRef, Staged>,
}

#[derive(Debug, Default)]
struct Staged {
    batches: Vec<(Sha256, BatchAccepted)>,
    items: BTreeMap<u64, BatchItem>,
    committed: Option<CommitTotals>,
}

/// What a commit would do.
#[derive(Default)]
struct Plan {
    applied: Vec<BatchItem>,
    unchanged: u64,
    stale: u64,
    absent: Vec<(u64, u64)>,
}

impl Loading {
    pub(super) fn rename(&mut self, from: &ContactRef, to: &ContactRef) {
        if let Some(mut staged) = self.contacts.remove(from) {
            let holders = staged.items.values_mut().map(|item| &mut item.holder);
            holders.filter(|holder| *holder == from).for_each(|holder| to.clone_into(holder));
            self.contacts.insert(to.clone(), staged);
        }
    }

    const fn is_over(&self) -> bool {
        self.closed.is_some()
    }

    fn state(&self, id: &LoadId) -> Load {
        let contacts = self.contacts.iter().map(|(contact, staged)| LoadContact {
            contact: contact.clone(),
            last_batch: staged.batches.len() as u64,
            committed: staged.committed.is_some(),
        });
        Load { load_id: id.clone(), contacts: contacts.collect() }
    }

    fn totals(&self) -> CommitTotals {
        let committed = self.contacts.values().filter_map(|staged| staged.committed);
        committed.fold(CommitTotals::default(), |sum, one| CommitTotals {
            applied: sum.applied + one.applied,
            unchanged: sum.unchanged + one.unchanged,
            stale: sum.stale + one.stale,
            withdrawn: sum.withdrawn + one.withdrawn,
        })
    }
}

impl Portal {
    /// W20
    pub(super) fn open_load(&mut self, load: &OpenLoad) -> Result<Load, Denial> {
        if !LoadScope::LISTED.contains(&load.scope) {
            return Err(Denial::invalid("scope"));
        }
        let contacts: BTreeSet<ContactRef> = load.contacts.iter().cloned().collect();
        self.open(&load.load_id, load.base_sequence, contacts, false)
    }

    /// W21
    pub(super) fn open_single_load(
        &mut self,
        contact: &ContactRef,
        load: &OpenSingleLoad,
    ) -> Result<Load, Denial> {
        self.open(&load.load_id, load.base_sequence, BTreeSet::from([contact.clone()]), true)
    }

    fn open(
        &mut self,
        id: &LoadId,
        base_sequence: u64,
        contacts: BTreeSet<ContactRef>,
        single: bool,
    ) -> Result<Load, Denial> {
        if let Some(known) = self.loads.get(id) {
            let same = known.single == single && known.base_sequence == base_sequence;
            let goes_on = same && !known.is_over() && known.contacts.keys().eq(&contacts);
            return goes_on.then(|| known.state(id)).ok_or_else(|| Denial::conflict(RefusalCode::LoadOpen));
        }
        if !contacts.iter().all(|contact| self.grants.contains_key(contact)) {
            return Err(Denial::refused("grant-unknown"));
        }
        // Two of a kind are in each other's way; a single one runs beside a load of all (Y6).
        let rival = |load: &Loading| {
            !load.is_over() && load.single == single && (!single || load.contacts.keys().eq(&contacts))
        };
        if self.loads.values().any(rival) {
            return Err(Denial::conflict(RefusalCode::LoadOpen));
        }
        let contacts = contacts.into_iter().map(|contact| (contact, Staged::default())).collect();
        let load = Loading { base_sequence, single, closed: None, contacts };
        let state = load.state(id);
        self.loads.insert(id.clone(), load);
        Ok(state)
    }

    /// A contact's part of a load, and whether nothing more can come: the load is over, or the part committed.
    fn staged(&mut self, id: &LoadId, contact: &ContactRef) -> Result<(&mut Staged, bool), Denial> {
        let load = self.loads.get_mut(id).ok_or_else(Denial::not_found)?;
        let staged = load.contacts.get_mut(contact).ok_or_else(Denial::not_found)?;
        let over = load.closed.is_some() || staged.committed.is_some();
        Ok((staged, over))
    }

    /// W22
    pub(super) fn put_batch(
        &mut self,
        id: &LoadId,
        contact: &ContactRef,
        n: u64,
        batch: &Batch,
    ) -> Result<BatchAccepted, Denial> {
        whole(batch, n)?;
        let reused = batch.items.iter().find_map(|item| self.reused(contact, item));
        let (staged, over) = self.staged(id, contact)?;
        let last = staged.batches.len() as u64;
        if n <= last {
            let index = usize::try_from(n - 1).unwrap_or(usize::MAX);
            let same = staged.batches.get(index).filter(|(accepted, _)| *accepted == batch.digest);
            return same.map(|(_, answer)| *answer).ok_or_else(|| Denial::unprocessable(RefusalCode::Digest));
        }
        if over {
            return Err(Denial::conflict(RefusalCode::LoadClosed));
        }
        if n > last + 1 {
            return Err(Denial::conflict(RefusalCode::BatchGap));
        }
        reused.map_or(Ok(()), |stored| Err(Denial::version_reuse(stored)))?;
        staged.take(batch)
    }

    /// The version, if the grant has it of this case with another content (O5).
    fn reused(&self, contact: &ContactRef, item: &BatchItem) -> Option<u64> {
        let held = self.held(contact, item.case_id).filter(|held| held.version == item.version)?;
        (held.shown != shown(item)).then_some(held.version)
    }

    /// W23
    pub(super) fn commit(
        &mut self,
        id: &LoadId,
        contact: &ContactRef,
        commit: &Commit,
        at: Instant,
    ) -> Result<CommitTotals, Denial> {
        let (staged, over) = self.staged(id, contact)?;
        if let Some(totals) = staged.committed {
            return Ok(totals);
        }
        if over {
            return Err(Denial::conflict(RefusalCode::LoadClosed));
        }
        staged.is_as_announced(commit)?;
        let plan = self.plan(id, contact, commit.complete);
        let total = self.visible(contact).count() as u64;
        let gone = plan.absent.len() as u64;
        let guarded = gone > GUARD_MOST || (total >= GUARD_SHARE_FROM && gone * 10 > total);
        if guarded && commit.allow_withdrawals != gone {
            return Err(Denial::guard(gone));
        }
        let totals = CommitTotals {
            applied: plan.applied.len() as u64,
            unchanged: plan.unchanged,
            stale: plan.stale,
            withdrawn: gone,
        };
        self.carry_out(id, contact, plan, at);
        self.staged(id, contact)?.0.committed = Some(totals);
        Ok(totals)
    }

    fn plan(&self, id: &LoadId, contact: &ContactRef, complete: bool) -> Plan {
        let Some(load) = self.loads.get(id) else { return Plan::default() };
        let Some(staged) = load.contacts.get(contact) else { return Plan::default() };
        let mut plan = Plan::default();
        for item in staged.items.values() {
            match self.held(contact, item.case_id) {
                Some(held) if held.version == item.version && held.shown == shown(item) => {
                    plan.unchanged += 1;
                }
                _ if self.is_overtaken(contact, item, load.base_sequence) => plan.stale += 1,
                _ => plan.applied.push(item.clone()),
            }
        }
        let held = self.visible(contact).filter(|(case, held)| {
            complete && !staged.items.contains_key(case) && held.sequence <= load.base_sequence
        });
        plan.absent = held.map(|(case, held)| (case, held.version)).collect();
        plan
    }

    /// Whether something later is known than an item of a load: of the grant, or of the case by a push that did not name the grant,
    /// since a push speaks for all (O2).
    fn is_overtaken(&self, contact: &ContactRef, item: &BatchItem, base: u64) -> bool {
        match self.held(contact, item.case_id) {
            Some(held) => held.version >= item.version || held.sequence > base,
            None => self.cases.get(&item.case_id).is_some_and(|case| {
                let version = case.pushed.as_ref().map_or(0, |(version, _)| *version);
                case.sequence > base && version > item.version
            }),
        }
    }

    fn carry_out(&mut self, id: &LoadId, contact: &ContactRef, plan: Plan, at: Instant) {
        let sequence = self.loads.get(id).map_or(0, |load| load.base_sequence);
        for item in plan.applied {
            let held = Held { version: item.version, sequence, shown: shown(&item) };
            self.hold(contact, item.case_id, held);
        }
        for (case, version) in plan.absent {
            self.take_away(contact, case, version, &Reason::AbsentFromLoad, at);
        }
    }

    /// W24
    pub(super) fn load(&self, id: &LoadId) -> Option<Load> {
        self.loads.get(id).map(|load| load.state(id))
    }

    /// W25: closed only if every contact is committed; aborted as it stands; ended again with the same answer.
    pub(super) fn end_load(&mut self, id: &LoadId, close: bool) -> Result<CommitTotals, Denial> {
        let load = self.loads.get_mut(id).ok_or_else(Denial::not_found)?;
        if load.closed.is_some_and(|closed| closed != close) {
            return Err(Denial::conflict(RefusalCode::LoadClosed));
        }
        if close && load.contacts.values().any(|staged| staged.committed.is_none()) {
            return Err(Denial::conflict(RefusalCode::from_wire("uncommitted")));
        }
        load.closed = Some(close);
        Ok(load.totals())
    }
}

impl Staged {
    fn take(&mut self, batch: &Batch) -> Result<BatchAccepted, Denial> {
        let distinct: BTreeSet<u64> = batch.items.iter().map(|item| item.case_id).collect();
        let known = distinct.iter().any(|case| self.items.contains_key(case));
        if known || distinct.len() != batch.items.len() {
            return Err(Denial::invalid("a case comes twice"));
        }
        self.items.extend(batch.items.iter().map(|item| (item.case_id, item.clone())));
        let accepted = BatchAccepted { accepted: batch.items.len() as u64 };
        self.batches.push((batch.digest, accepted));
        Ok(accepted)
    }

    fn is_as_announced(&self, commit: &Commit) -> Result<(), Denial> {
        let counted = (self.batches.len() as u64, self.items.len() as u64);
        if counted != (commit.batches, commit.count) {
            return Err(Denial::conflict(RefusalCode::Count));
        }
        if digest_of(self.items.values())? != commit.digest {
            return Err(Denial::conflict(RefusalCode::Digest));
        }
        Ok(())
    }
}

fn shown(item: &BatchItem) -> Shown {
    Shown::Visible { holder: item.holder.clone(), view: Box::new(item.view.clone()) }
}

fn digest_of<'i>(items: impl Iterator<Item = &'i BatchItem>) -> Result<Sha256, Denial> {
    let lines: Result<Vec<DigestLine>, _> = items.map(DigestLine::of_item).collect();
    lines.map(digest).map_err(|_| Denial::invalid("items"))
}

/// Whether a batch has a number, versions and its own digest.
fn whole(batch: &Batch, n: u64) -> Result<(), Denial> {
    if n == 0 || batch.items.iter().any(|item| item.version == 0) {
        return Err(Denial::invalid("numbers and versions begin at 1"));
    }
    let same = digest_of(batch.items.iter())? == batch.digest;
    if same { Ok(()) } else { Err(Denial::unprocessable(RefusalCode::Digest)) }
}
