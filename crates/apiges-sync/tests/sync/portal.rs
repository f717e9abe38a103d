//! A portal in memory, written from the contract (3.7, 4.2 to 4.6) and not from the engine: what it shows is what it was given.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use apiges_sync::evidence::Chain;
use apiges_sync::web::*;
use apiges_sync::{Error, ErrorKind, Outcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use tokio::sync::Notify;

use super::fuse::Fuse;

pub(crate) const TENANT: &str = "demo";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing happens, and no answer comes.
    Unreached,
    /// It takes effect, and no answer comes.
    LostAnswer,
    /// 503.
    Down,
    /// 401.
    Unauthorized,
    /// 422 for good.
    Refused,
    /// None: the next of this row is met by the next fault.
    Passes,
}

#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) version: u64,
    pub(crate) sequence: u64,
    pub(crate) holder: ContactRef,
    /// Nothing: a tombstone.
    pub(crate) view: Option<View>,
    pub(crate) reason: Option<Reason>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) version: u64,
    pub(crate) pushed: Option<(u64, u64, String)>,
    pub(crate) held: BTreeMap<ContactRef, Held>,
}

#[derive(Debug, Default)]
struct Part {
    batches: Vec<Sha256>,
    items: BTreeMap<u64, BatchItem>,
    committed: Option<CommitTotals>,
}

#[derive(Debug)]
struct OpenedLoad {
    base: u64,
    single: Option<ContactRef>,
    open: bool,
    parts: BTreeMap<ContactRef, Part>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) grants: BTreeMap<ContactRef, Grant>,
    last_versions: BTreeMap<ContactRef, u64>,
    previews: HashMap<String, (String, ContactRef, Vec<ContactRef>)>,
    pub(crate) cases: BTreeMap<u64, Case>,
    loads: BTreeMap<String, OpenedLoad>,
    pub(crate) blobs: BTreeSet<Sha256>,
    pub(crate) blob_bytes: u64,
    answers: HashMap<String, (String, Value)>,
    pub(crate) faults: VecDeque<(&'static str, Fault)>,
    /// Every write: row and body.
    pub(crate) log: Vec<(&'static str, Value)>,
    /// Pushes that showed more than their grant allowed when they came.
    pub(crate) excesses: Vec<String>,
    /// How many pushes were on their way at once at most, and for one case.
    pub(crate) replayed: usize,
    pub(crate) under_way: BTreeMap<u64, usize>,
    pub(crate) most_under_way: usize,
    /// A row of which no request is acted upon, or answered, until this is told.
    pub(crate) before: Option<(&'static str, Arc<Notify>)>,
    pub(crate) after: Option<(&'static str, Arc<Notify>)>,
    pub(crate) case_overlaps: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Portal {
    state: Arc<Mutex<State>>,
    fuse: Fuse,
}

fn refuse(kind: ErrorKind, code: RefusalCode, details: Value) -> Error {
    Error::new(kind, "portal")
        .with_code(code.as_str().to_owned())
        .with_outcome(Outcome::Refused)
        .with_source(Refusal::new(code, Some(&details)))
}

fn conflict(code: RefusalCode, details: Value) -> Error {
    refuse(ErrorKind::Conflict, code, details)
}

fn not_found() -> Error {
    refuse(ErrorKind::NotFound, RefusalCode::NotFound, Value::Null)
}

impl Portal {
    /// The same portal, for an engine after a crash.
    pub(crate) fn with_fuse(&self, fuse: &Fuse) -> Self {
        Self { state: Arc::clone(&self.state), fuse: fuse.clone() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn fail(&self, row: &'static str, fault: Fault) {
        self.state().faults.push_back((row, fault));
    }

    pub(crate) fn fail_times(&self, row: &'static str, fault: Fault, times: usize) {
        (0..times).for_each(|_| self.fail(row, fault));
    }

    /// The rows of the writes so far.
    pub(crate) fn rows(&self) -> Vec<&'static str> {
        self.state().log.iter().map(|(row, _)| *row).collect()
    }

    pub(crate) fn bodies(&self, row: &str) -> Vec<Value> {
        self.state().log.iter().filter(|(own, _)| *own == row).map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn forget_log(&self) {
        self.state().log.clear();
    }

    /// What a contact sees.
    pub(crate) fn sees(&self, contact: &ContactRef) -> BTreeMap<u64, Value> {
        let state = self.state();
        let active = state.grants.get(contact).is_some_and(|grant| grant.state == GrantState::Active);
        let held = state.cases.iter().filter(|_| active).filter_map(|(id, case)| {
            let view = case.held.get(contact)?.view.as_ref()?;
            Some((*id, serde_json::to_value(view).unwrap()))
        });
        held.collect()
    }

    /// What an administrator sees: fields that all of the union's grants show.
    pub(crate) fn union_sees(&self, tag: &str) -> BTreeMap<u64, Value> {
        let members: Vec<ContactRef> = {
            let state = self.state();
            let of_union =
                |grant: &&Grant| grant.admin.as_ref().is_some_and(|own| own.pair_tag.to_hex() == tag);
            state.grants.values().filter(of_union).map(|grant| grant.contact.clone()).collect()
        };
        let mut all: BTreeMap<u64, Value> = BTreeMap::new();
        for (id, view) in members.iter().flat_map(|member| self.sees(member)) {
            match all.get_mut(&id) {
                None => drop(all.insert(id, view)),
                Some(own) => {
                    let boxed = ["referencia", "referencia2", "referencia3", "clave"];
                    let hidden = boxed.iter().filter(|field| view.get(**field).is_none());
                    hidden.for_each(|field| drop(own.as_object_mut().unwrap().remove(*field)));
                }
            }
        }
        all
    }

    fn call<'a, T: Serialize + DeserializeOwned + Send + 'a>(
        &'a self,
        row: &'static str,
        key: Option<&IdempotencyKey>,
        body: Value,
        act: impl FnOnce(&mut State) -> Result<T, Error> + Send + 'a,
    ) -> Pending<'a, T> {
        let key = key.map(ToString::to_string);
        Box::pin(async move {
            self.fuse.step().await;
            let fault = {
                let mut state = self.state();
                let place = state.faults.iter().position(|(own, _)| *own == row);
                place.and_then(|place| state.faults.remove(place)).map(|(_, fault)| fault)
            };
            match fault {
                Some(Fault::Unreached) => return Err(Error::new(ErrorKind::Timeout, row)),
                Some(Fault::Down) => return Err(Error::new(ErrorKind::UnexpectedStatus, row)),
                Some(Fault::Unauthorized) => {
                    return Err(Error::new(ErrorKind::Authentication, row).with_outcome(Outcome::Refused));
                }
                Some(Fault::Refused) => {
                    return Err(refuse(ErrorKind::Refused, RefusalCode::Refused, Value::Null));
                }
                _ => {}
            }
            self.held_back(row, |state| state.before.clone()).await;
            let done = self.once(row, key, body, act);
            self.held_back(row, |state| state.after.clone()).await;
            tokio::task::yield_now().await;
            self.fuse.step().await;
            if fault == Some(Fault::LostAnswer) {
                return Err(Error::new(ErrorKind::Timeout, row));
            }
            done
        })
    }

    async fn held_back(&self, row: &'static str, at: impl Fn(&State) -> Option<(&'static str, Arc<Notify>)>) {
        let held = at(&self.state());
        if let Some((_, told)) = held.filter(|(own, _)| *own == row) {
            told.notified().await;
        }
    }

    fn once<T: Serialize + DeserializeOwned>(
        &self,
        row: &'static str,
        key: Option<String>,
        body: Value,
        act: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.state();
        let print = format!("{row} {body}");
        let Some(key) = key else { return act(&mut state) };
        state.log.push((row, body));
        match state.answers.get(&key).cloned() {
            Some((own, answer)) if own == print => {
                state.replayed += 1;
                Ok(serde_json::from_value(answer).unwrap())
            }
            Some(_) => Err(conflict(RefusalCode::IdempotencyMismatch, Value::Null)),
            None => {
                let done = act(&mut state)?;
                state.answers.insert(key, (print, serde_json::to_value(&done).unwrap()));
                Ok(done)
            }
        }
    }
}

impl State {
    fn hold(&mut self, id: u64, grant: &ContactRef, held: Held) {
        let case = self.cases.entry(id).or_default();
        case.version = case.version.max(held.version);
        case.held.insert(grant.clone(), held);
    }

    fn withdraw(&mut self, id: u64, grant: &ContactRef, version: u64, reason: &Reason) -> bool {
        let before = self.cases.get(&id).and_then(|case| case.held.get(grant)).cloned();
        let seen = before.as_ref().is_some_and(|held| held.view.is_some());
        let (sequence, holder) = before.map_or((0, grant.clone()), |held| (held.sequence, held.holder));
        self.hold(id, grant, Held { version, sequence, holder, view: None, reason: Some(reason.clone()) });
        seen
    }

    fn grant_at(&mut self, contact: &ContactRef, version: u64) -> Result<&mut Grant, Error> {
        let grant = self.grants.get_mut(contact).ok_or_else(not_found)?;
        if grant.version != version {
            return Err(conflict(RefusalCode::VersionConflict, json!({ "version": grant.version })));
        }
        Ok(grant)
    }

    fn put_grant(&mut self, mut grant: Grant, expected: Expected) -> Result<Grant, Error> {
        let contact = grant.contact.clone();
        let current = self.grants.get(&contact).cloned();
        let stands = current.as_ref().map(|grant| grant.version);
        let wants = match expected {
            Expected::Absent => None,
            Expected::Version(version) => Some(version),
        };
        if stands != wants {
            return Err(conflict(RefusalCode::VersionConflict, json!({ "version": stands })));
        }
        let tag = |grant: &Grant| grant.admin.as_ref().map(|admin| admin.pair_tag.to_hex());
        if let Some(admin) = &grant.admin
            && current.as_ref().and_then(tag) != Some(admin.pair_tag.to_hex())
        {
            let missing = || refuse(ErrorKind::Refused, RefusalCode::PreviewMissing, Value::Null);
            let (own, joining, _) = self.previews.remove(admin.preview_id.as_str()).ok_or_else(missing)?;
            if own != admin.pair_tag.to_hex() || joining != contact {
                return Err(missing());
            }
        }
        grant.version =
            self.last_versions.get(&contact).copied().or(stands).unwrap_or(0).max(stands.unwrap_or(0)) + 1;
        self.last_versions.insert(contact.clone(), grant.version);
        self.grants.insert(contact, grant.clone());
        Ok(grant)
    }

    fn set_state(&mut self, contact: &ContactRef, version: u64, to: GrantState) -> Result<Grant, Error> {
        let grant = self.grant_at(contact, version)?;
        grant.state = to;
        grant.version += 1;
        let grant = grant.clone();
        self.last_versions.insert(contact.clone(), grant.version);
        Ok(grant)
    }

    fn revoke(&mut self, contact: &ContactRef, version: u64) -> Result<Withdrawn, Error> {
        let version = self.grant_at(contact, version)?.version + 1;
        self.grants.remove(contact);
        self.last_versions.insert(contact.clone(), version);
        let mut withdrawn = 0;
        for (id, case) in self.cases.clone() {
            if let Some(held) = case.held.get(contact)
                && self.withdraw(id, contact, held.version, &Reason::GrantRevoked)
            {
                withdrawn += 1;
            }
        }
        Ok(Withdrawn { withdrawn })
    }

    fn rename(&mut self, contact: &ContactRef, rename: &Rename) -> Result<Grant, Error> {
        let new = ContactRef::new(contact.kind().clone(), rename.new_code.clone()).unwrap();
        if self.grants.get(contact).ok_or_else(not_found)?.contact_id != rename.contact_id {
            return Err(refuse(ErrorKind::Refused, RefusalCode::Refused, Value::Null));
        }
        if self.grants.contains_key(&new) {
            return Err(conflict(RefusalCode::from_wire("code-taken"), Value::Null));
        }
        let mut grant = self.grants.remove(contact).unwrap();
        grant.contact = new.clone();
        grant.version += 1;
        self.last_versions.insert(contact.clone(), grant.version);
        self.last_versions.insert(new.clone(), grant.version);
        self.grants.insert(new.clone(), grant.clone());
        for case in self.cases.values_mut() {
            case.held.remove(&new);
            if let Some(held) = case.held.remove(contact) {
                case.held.insert(new.clone(), held);
            }
            for held in case.held.values_mut().filter(|held| held.holder == *contact) {
                held.holder = new.clone();
            }
        }
        Ok(grant)
    }

    fn note_excess(&mut self, id: u64, grant: &ContactRef, view: &View) {
        let Some(own) = self.grants.get(grant) else { return };
        let boxes = [
            ("referencia1", view.referencia.is_some()),
            ("referencia2", view.referencia2.is_some()),
            ("referencia3", view.referencia3.is_some()),
            ("clave", view.clave.is_some()),
        ];
        let over = boxes.iter().any(|(name, there)| *there && !own.show.contains(&FieldBox::from_wire(name)));
        let excluded = view
            .modalidad
            .as_ref()
            .is_some_and(|modality| own.excluded_modalities.contains(&modality.codigo));
        if over || excluded {
            self.excesses.push(format!("{grant} {id}"));
        }
    }

    fn push(&mut self, push: &CasePush) -> Result<PushAnswer, Error> {
        let stored = self.cases.get(&push.case_id).map_or(0, |case| case.version);
        let answer = |outcome, stored_version| Ok(PushAnswer { outcome, stored_version });
        let content = canonical(&(&push.projections, &push.withdrawals)).unwrap();
        if push.version < stored {
            return answer(PushOutcome::Stale, stored);
        }
        if push.version == stored {
            let pushed = self.cases.get(&push.case_id).and_then(|case| case.pushed.clone());
            return match pushed {
                Some((version, _, own)) if version == stored && own == content => {
                    answer(PushOutcome::Duplicate, stored)
                }
                _ => Err(conflict(RefusalCode::VersionReuse, json!({ "storedVersion": stored }))),
            };
        }
        if push.projections.iter().any(|one| !self.grants.contains_key(&one.grant)) {
            return Err(refuse(
                ErrorKind::Refused,
                RefusalCode::Refused,
                json!({ "reason": "grant-unknown" }),
            ));
        }
        let named: BTreeSet<&ContactRef> = push
            .projections
            .iter()
            .map(|one| &one.grant)
            .chain(push.withdrawals.iter().map(|one| &one.grant))
            .collect();
        let held = self.cases.get(&push.case_id).into_iter().flat_map(|case| &case.held);
        let active = |grant: &ContactRef| {
            self.grants.get(grant).is_some_and(|grant| grant.state == GrantState::Active)
        };
        let forgotten: Vec<&ContactRef> = held
            .filter(|(grant, held)| held.view.is_some() && active(grant) && !named.contains(grant))
            .map(|(grant, _)| grant)
            .collect();
        if !forgotten.is_empty() {
            return Err(conflict(RefusalCode::ImplicitWithdrawal, json!({ "grants": forgotten })));
        }
        for Projection { grant, holder, view } in &push.projections {
            self.note_excess(push.case_id, grant, view);
            assert!(view.grafico.as_ref().is_none_or(|graphic| self.blobs.contains(&graphic.sha256)), "O9");
            let held = Held {
                version: push.version,
                sequence: push.sequence,
                holder: holder.clone(),
                view: Some(view.clone()),
                reason: None,
            };
            self.hold(push.case_id, grant, held);
        }
        for one in &push.withdrawals {
            self.withdraw(push.case_id, &one.grant, push.version, &one.reason);
        }
        let case = self.cases.entry(push.case_id).or_default();
        case.version = push.version;
        case.pushed = Some((push.version, push.sequence, content));
        answer(PushOutcome::Applied, push.version)
    }

    fn open_load(
        &mut self,
        id: &LoadId,
        base: u64,
        single: Option<ContactRef>,
        contacts: &[ContactRef],
    ) -> Result<Load, Error> {
        let clash =
            |(own, load): (&String, &OpenedLoad)| load.open && load.single == single && own != id.as_str();
        if self.loads.iter().any(clash) || self.loads.get(id.as_str()).is_some_and(|load| !load.open) {
            return Err(conflict(RefusalCode::LoadOpen, Value::Null));
        }
        if contacts.iter().any(|contact| !self.grants.contains_key(contact)) {
            return Err(refuse(ErrorKind::Refused, RefusalCode::Refused, Value::Null));
        }
        let parts = contacts.iter().map(|contact| (contact.clone(), Part::default())).collect();
        self.loads.entry(id.to_string()).or_insert(OpenedLoad { base, single, open: true, parts });
        Ok(self.load_state(id).unwrap())
    }

    fn load_state(&self, id: &LoadId) -> Option<Load> {
        let load = self.loads.get(id.as_str())?;
        let contacts = load.parts.iter().map(|(contact, part)| LoadContact {
            contact: contact.clone(),
            last_batch: part.batches.len() as u64,
            committed: part.committed.is_some(),
        });
        Some(Load { load_id: id.clone(), contacts: contacts.collect() })
    }

    fn put_batch(
        &mut self,
        id: &LoadId,
        contact: &ContactRef,
        n: u64,
        batch: &Batch,
    ) -> Result<BatchAccepted, Error> {
        let lines = batch.items.iter().map(|item| DigestLine::of_item(item).unwrap());
        let right = digest(lines) == batch.digest;
        let reused = batch.items.iter().any(|item| {
            let held = self.cases.get(&item.case_id).and_then(|case| case.held.get(contact));
            held.is_some_and(|held| {
                held.version == item.version && held.view.as_ref().is_some_and(|view| *view != item.view)
            })
        });
        for item in &batch.items {
            self.note_excess(item.case_id, contact, &item.view);
            assert!(
                item.view.grafico.as_ref().is_none_or(|graphic| self.blobs.contains(&graphic.sha256)),
                "O9"
            );
        }
        let load = self.loads.get_mut(id.as_str()).ok_or_else(not_found)?;
        let part = load.parts.get_mut(contact).ok_or_else(not_found)?;
        let last = part.batches.len() as u64;
        if n >= 1 && n <= last {
            let same = part.batches[usize::try_from(n).unwrap() - 1] == batch.digest;
            let accepted = batch.items.len() as u64;
            return if same {
                Ok(BatchAccepted { accepted })
            } else {
                Err(refuse(ErrorKind::Refused, RefusalCode::Digest, Value::Null))
            };
        }
        if !load.open || part.committed.is_some() {
            return Err(conflict(RefusalCode::LoadClosed, Value::Null));
        }
        if n != last + 1 {
            return Err(conflict(RefusalCode::BatchGap, Value::Null));
        }
        if !right {
            return Err(refuse(ErrorKind::Refused, RefusalCode::Digest, Value::Null));
        }
        if reused {
            return Err(conflict(RefusalCode::VersionReuse, Value::Null));
        }
        part.batches.push(batch.digest);
        part.items.extend(batch.items.iter().map(|item| (item.case_id, item.clone())));
        Ok(BatchAccepted { accepted: batch.items.len() as u64 })
    }

    fn commit(&mut self, id: &LoadId, contact: &ContactRef, commit: &Commit) -> Result<CommitTotals, Error> {
        let load = self.loads.get(id.as_str()).ok_or_else(not_found)?;
        let part = load.parts.get(contact).ok_or_else(not_found)?;
        if let Some(totals) = part.committed {
            return Ok(totals);
        }
        if !load.open {
            return Err(conflict(RefusalCode::LoadClosed, Value::Null));
        }
        let (base, items) = (load.base, part.items.clone());
        if commit.batches != part.batches.len() as u64 || commit.count != items.len() as u64 {
            return Err(conflict(RefusalCode::Count, Value::Null));
        }
        if digest(items.values().map(|item| DigestLine::of_item(item).unwrap())) != commit.digest {
            return Err(conflict(RefusalCode::Digest, Value::Null));
        }
        let held: Vec<(u64, Held)> = self
            .cases
            .iter()
            .filter_map(|(id, case)| Some((*id, case.held.get(contact)?.clone())))
            .filter(|(_, held)| held.view.is_some())
            .collect();
        let absent: Vec<&(u64, Held)> = held
            .iter()
            .filter(|(id, held)| commit.complete && !items.contains_key(id) && held.sequence <= base)
            .collect();
        let many = absent.len() > 20 || (held.len() >= 20 && absent.len() * 10 > held.len());
        if many && commit.allow_withdrawals != absent.len() as u64 {
            return Err(conflict(RefusalCode::Guard, json!({ "wouldWithdraw": absent.len() })));
        }
        let mut totals = CommitTotals { withdrawn: absent.len() as u64, ..CommitTotals::default() };
        let gone: Vec<(u64, u64)> = absent.iter().map(|(id, held)| (*id, held.version)).collect();
        for item in items.into_values() {
            self.settle(contact, base, item, &mut totals);
        }
        for (id, version) in gone {
            self.withdraw(id, contact, version, &Reason::AbsentFromLoad);
        }
        let part = self.loads.get_mut(id.as_str()).unwrap().parts.get_mut(contact).unwrap();
        part.committed = Some(totals);
        Ok(totals)
    }

    fn settle(&mut self, contact: &ContactRef, base: u64, item: BatchItem, totals: &mut CommitTotals) {
        let case = self.cases.get(&item.case_id);
        let held = case.and_then(|case| case.held.get(contact));
        let pushed = case.and_then(|case| case.pushed.as_ref());
        let later = held.is_some_and(|held| held.sequence > base || held.version > item.version)
            || (held.is_none()
                && pushed.is_some_and(|(version, sequence, _)| *sequence > base && *version > item.version));
        if later {
            totals.stale += 1;
        } else if held.is_some_and(|held| held.version == item.version) {
            if held.is_some_and(|held| held.view.as_ref() == Some(&item.view)) {
                totals.unchanged += 1;
            } else {
                totals.stale += 1;
            }
        } else {
            totals.applied += 1;
            let BatchItem { case_id, version, holder, view } = item;
            self.hold(
                case_id,
                contact,
                Held { version, sequence: base, holder, view: Some(view), reason: None },
            );
        }
    }

    fn end_load(&mut self, id: &LoadId, close: bool) -> Result<CommitTotals, Error> {
        let load = self.loads.get_mut(id.as_str()).ok_or_else(not_found)?;
        if close && load.parts.values().any(|part| part.committed.is_none()) {
            return Err(conflict(RefusalCode::from_wire("uncommitted"), Value::Null));
        }
        load.open = false;
        let committed = load.parts.values().filter_map(|part| part.committed);
        Ok(committed.fold(CommitTotals::default(), |sum, one| CommitTotals {
            applied: sum.applied + one.applied,
            unchanged: sum.unchanged + one.unchanged,
            stale: sum.stale + one.stale,
            withdrawn: sum.withdrawn + one.withdrawn,
        }))
    }

    fn withdraw_item(&mut self, item: &WithdrawalItem) -> WithdrawalAnswer {
        let held = self.cases.get(&item.case_id).and_then(|case| case.held.get(&item.grant));
        let outcome = match held {
            Some(held) if item.version < held.version => WithdrawalOutcome::Stale,
            Some(held) if held.view.is_some() => WithdrawalOutcome::Withdrawn,
            _ => WithdrawalOutcome::Already,
        };
        if outcome != WithdrawalOutcome::Stale {
            self.withdraw(item.case_id, &item.grant, item.version, &item.reason);
        }
        WithdrawalAnswer { outcome }
    }
}

fn value(body: &impl Serialize) -> Value {
    serde_json::to_value(body).unwrap()
}

fn unused<'a, T>() -> Pending<'a, T> {
    Box::pin(async { Err(Error::new(ErrorKind::Configuration, "not in this portal")) })
}

impl WebSyncTransport for Portal {
    fn tenant(&self) -> &str {
        TENANT
    }

    fn health(&self) -> Pending<'_, Health> {
        unused()
    }

    fn grants(&self, _: Part_) -> Pending<'_, GrantPage> {
        unused()
    }

    fn grant<'a>(&'a self, contact: &'a ContactRef) -> Pending<'a, Option<Grant>> {
        self.call("W11", None, Value::Null, |state| Ok(state.grants.get(contact).cloned()))
    }

    fn put_grant<'a>(
        &'a self,
        grant: &'a Grant,
        expected: Expected,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        let body = json!([grant, format!("{expected:?}")]);
        self.call("W12", Some(key), body, move |state| state.put_grant(grant.clone(), expected))
    }

    fn suspend<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        let body = json!(["suspend", contact, version]);
        self.call("W13", Some(key), body, move |state| {
            state.set_state(contact, version, GrantState::Suspended)
        })
    }

    fn resume<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        let body = json!(["resume", contact, version]);
        self.call("W13", Some(key), body, move |state| state.set_state(contact, version, GrantState::Active))
    }

    fn revoke<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Withdrawn> {
        self.call("W14", Some(key), json!([contact, version]), move |state| state.revoke(contact, version))
    }

    fn rename<'a>(
        &'a self,
        contact: &'a ContactRef,
        rename: &'a Rename,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        self.call("W15", Some(key), json!([contact, rename]), move |state| state.rename(contact, rename))
    }

    fn preview_union<'a>(
        &'a self,
        request: &'a UnionRequest,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, UnionPreview> {
        self.call("W16", Some(key), value(request), move |state| {
            let tag = request.pair_tag.to_hex();
            let of_union =
                |grant: &&Grant| grant.admin.as_ref().is_some_and(|own| own.pair_tag.to_hex() == tag);
            let mut members: Vec<ContactRef> =
                state.grants.values().filter(of_union).map(|grant| grant.contact.clone()).collect();
            members.push(request.joining.clone());
            let id = format!("p-{}", state.previews.len() + state.log.len());
            state.previews.insert(id.clone(), (tag, request.joining.clone(), members.clone()));
            Ok(UnionPreview { members, preview_id: PreviewId::new(id) })
        })
    }

    fn digest<'a>(&'a self, contact: &'a ContactRef) -> Pending<'a, GrantDigest> {
        self.call("W17", None, Value::Null, |state| {
            state.grants.get(contact).ok_or_else(not_found)?;
            let held = state.cases.iter().filter_map(|(id, case)| {
                let held = case.held.get(contact)?;
                Some(DigestLine::new(*id, held.version, held.view.as_ref()?).unwrap())
            });
            let lines: Vec<DigestLine> = held.collect();
            Ok(GrantDigest { count: lines.len() as u64, digest: digest(lines) })
        })
    }

    fn open_load<'a>(&'a self, load: &'a OpenLoad, key: &'a IdempotencyKey) -> Pending<'a, Load> {
        self.call("W20", Some(key), value(load), move |state| {
            state.open_load(&load.load_id, load.base_sequence, None, &load.contacts)
        })
    }

    fn open_single_load<'a>(
        &'a self,
        contact: &'a ContactRef,
        load: &'a OpenSingleLoad,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Load> {
        self.call("W21", Some(key), json!([contact, load]), move |state| {
            let single = Some(contact.clone());
            state.open_load(&load.load_id, load.base_sequence, single, std::slice::from_ref(contact))
        })
    }

    fn put_batch<'a>(
        &'a self,
        load: &'a LoadId,
        contact: &'a ContactRef,
        n: u64,
        batch: &'a Batch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, BatchAccepted> {
        let body = json!([load, contact, n, batch]);
        self.call("W22", Some(key), body, move |state| state.put_batch(load, contact, n, batch))
    }

    fn commit<'a>(
        &'a self,
        load: &'a LoadId,
        contact: &'a ContactRef,
        commit: &'a Commit,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, CommitTotals> {
        self.call("W23", Some(key), json!([load, contact, commit]), move |state| {
            state.commit(load, contact, commit)
        })
    }

    fn load<'a>(&'a self, load: &'a LoadId) -> Pending<'a, Option<Load>> {
        self.call("W24", None, Value::Null, |state| Ok(state.load_state(load)))
    }

    fn close_load<'a>(&'a self, load: &'a LoadId, key: &'a IdempotencyKey) -> Pending<'a, CommitTotals> {
        self.call("W25", Some(key), json!(["close", load]), move |state| state.end_load(load, true))
    }

    fn abort_load<'a>(&'a self, load: &'a LoadId, key: &'a IdempotencyKey) -> Pending<'a, CommitTotals> {
        self.call("W25", Some(key), json!(["abort", load]), move |state| state.end_load(load, false))
    }

    fn push<'a>(&'a self, push: &'a CasePush, key: &'a IdempotencyKey) -> Pending<'a, PushAnswer> {
        assert_eq!(*key, IdempotencyKey::case(TENANT, push.case_id, push.version), "O4");
        let call = self.call("W30", Some(key), value(push), move |state| state.push(push));
        Box::pin(async move {
            let flight = Flight::new(self, push.case_id);
            let answer = call.await;
            drop(flight);
            answer
        })
    }

    fn push_batch<'a>(&'a self, _: &'a CaseBatch, _: &'a IdempotencyKey) -> Pending<'a, CaseBatchAnswer> {
        unused()
    }

    fn case(&self, case: u64) -> Pending<'_, Option<StoredCase>> {
        self.call("W32", None, Value::Null, move |state| {
            Ok(state.cases.get(&case).map(|case| StoredCase {
                version: case.version,
                grants: case
                    .held
                    .iter()
                    .filter(|(_, held)| held.view.is_some())
                    .map(|(grant, _)| grant.clone())
                    .collect(),
                withdrawn: vec![],
            }))
        })
    }

    fn view<'a>(&'a self, viewer: &'a Viewer) -> Pending<'a, ViewerFiles> {
        let Viewer::Contact(contact) = viewer else { return unused() };
        let seen = self.sees(contact);
        let version = None;
        let items = seen.into_iter().map(|(case_id, view)| ViewerFile {
            case_id,
            version,
            holder: None,
            view: serde_json::from_value(view).unwrap(),
            grants: vec![],
            documents: vec![],
        });
        let files = ViewerFiles { items: items.collect() };
        self.call("W33", None, Value::Null, move |_| Ok(files))
    }

    fn withdraw<'a>(
        &'a self,
        batch: &'a WithdrawalBatch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, WithdrawalBatchAnswer> {
        self.call("W40", Some(key), value(batch), move |state| {
            Ok(WithdrawalBatchAnswer {
                items: batch.items.iter().map(|item| state.withdraw_item(item)).collect(),
            })
        })
    }

    fn withdrawals(&self, _: Part_) -> Pending<'_, WithdrawalPage> {
        unused()
    }

    fn has_blob(&self, sha256: Sha256) -> Pending<'_, bool> {
        self.call("W50", None, Value::Null, move |state| Ok(state.blobs.contains(&sha256)))
    }

    fn put_blob<'a>(&'a self, blob: &'a Blob) -> Pending<'a, ()> {
        self.call("W51", None, Value::Null, move |state| {
            state.log.push(("W51", json!(blob.sha256)));
            state.blobs.insert(blob.sha256);
            state.blob_bytes += blob.bytes;
            Ok(())
        })
    }

    fn link<'a>(
        &'a self,
        _: &'a DocumentPlace,
        _: &'a DocumentLink,
        _: &'a IdempotencyKey,
    ) -> Pending<'a, LinkAnswer> {
        unused()
    }

    fn links<'a>(&'a self, _: u64, _: &'a str) -> Pending<'a, LinkedDocuments> {
        unused()
    }

    fn unlink<'a>(
        &'a self,
        _: &'a DocumentPlace,
        _: u64,
        _: &'a Reason,
        _: &'a IdempotencyKey,
    ) -> Pending<'a, UnlinkAnswer> {
        unused()
    }

    fn post_message<'a>(
        &'a self,
        _: u64,
        _: &'a Message,
        _: &'a IdempotencyKey,
    ) -> Pending<'a, MessageStored> {
        unused()
    }

    fn messages(&self, _: u64, _: Part_) -> Pending<'_, MessagePage> {
        unused()
    }

    fn post_receipt<'a>(&'a self, _: &'a Receipt, _: &'a IdempotencyKey) -> Pending<'a, ReceiptStored> {
        unused()
    }

    fn receipts<'a>(&'a self, _: &'a MessageId) -> Pending<'a, Receipts> {
        unused()
    }

    fn events(&self, _: Part_) -> Pending<'_, EventPage> {
        unused()
    }

    fn evidence(&self, _: u64) -> Pending<'_, Chain> {
        unused()
    }
}

type Part_ = apiges_sync::web::Part;

/// A push on its way.
struct Flight<'p>(&'p Portal, u64);

impl<'p> Flight<'p> {
    fn new(portal: &'p Portal, case: u64) -> Self {
        let mut state = portal.state();
        let own = state.under_way.entry(case).or_default();
        *own += 1;
        let overlap = usize::from(*own > 1);
        state.case_overlaps += overlap;
        state.most_under_way = state.most_under_way.max(state.under_way.len());
        drop(state);
        Self(portal, case)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.state().under_way.remove(&self.1);
    }
}
