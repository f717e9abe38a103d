//! Initial load and single push: everything of all contacts, or of one (contract 4.4, section 6).
//!
//! The rules enforced here: streamed in batches, of which only ids and digests are kept; a broken load goes on behind the last batch that
//! was accepted, under its name; what a batch carries is in the ledger as "may be held" before it leaves; nothing becomes visible that was
//! judged by a grant or a group that has changed since; only a provably complete reading withdraws, behind the guard (Y4); a load that
//! nobody goes on with leaves no doubt behind: the files that it had sent and not committed are pushed.

use std::collections::{BTreeMap, BTreeSet};

use integration_core::{Error, ErrorKind, Outcome};

use super::engine::{Engine, WebSync};
use super::ledger::{BatchRow, Book, Hold, LoadRow, LoadedCase, key_of};
use super::ports::{CaseList, SyncEvent};
use super::push::{Judge, Moving, Seen, no_form};
use super::queue::Job;
use crate::visible::{Grants, Membership};
use crate::web::{
    Batch, BatchItem, Commit, CommitTotals, ContactRef, DigestLine, Grant, GrantState, IdempotencyKey, Load,
    LoadId, LoadScope, OpenLoad, OpenSingleLoad, Reason, Refusal, RefusalCode, Scope, Sha256, canonical,
    digest,
};

/// How a load is to be done.
///
/// ```
/// use apiges_sync::sync::LoadOptions;
/// use apiges_sync::web::ContactRef;
///
/// // A person looked at the 21 files that the guard held back, and agrees.
/// let options = LoadOptions::new().allow_withdrawals(ContactRef::client("4879")?, 21);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct LoadOptions {
    allowed: BTreeMap<ContactRef, u64>,
}

impl LoadOptions {
    /// Nothing is withdrawn beyond what the guard lets pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a contact's commit withdraw exactly so many files.
    pub fn allow_withdrawals(mut self, contact: ContactRef, exactly: u64) -> Self {
        self.allowed.insert(contact, exactly);
        self
    }
}

/// What a load did, from its beginning: also what was committed before it was interrupted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Contacts that are committed.
    pub contacts: u64,
    /// Files that were sent for them.
    pub sent: u64,
    /// What the portal did with them.
    pub totals: CommitTotals,
}

impl WebSync {
    /// Sends everything of all contacts whose grant is active (S8). Interrupted, it goes on where it was when called again.
    ///
    /// May be dropped at any moment. Progress is told to the [`Observer`](super::Observer).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) (contract 4.4).
    ///
    /// # Errors
    /// What the calls met; [`Refusal::would_withdraw`] if the guard held a commit back: look, then call again with
    /// [`LoadOptions::allow_withdrawals`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// use apiges_sync::sync::LoadOptions;
    ///
    /// let report = sync.initial_load(&LoadOptions::new()).await?;
    /// println!("{} sent", report.sent);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "carga inicial")]
    pub async fn initial_load(&self, options: &LoadOptions) -> Result<LoadReport, Error> {
        let book = self.0.ledger.look(&[]).await?;
        let active = book.grants.values().filter_map(|row| row.grant.as_ref());
        let active = active.filter(|grant| grant.state == GrantState::Active);
        let contacts = active.map(|grant| grant.contact.clone()).collect();
        self.0.load(Kind::All, contacts, options).await
    }

    /// Sends everything of one contact (S8): the single push. As [`initial_load`](Self::initial_load).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) (contract 4.4).
    ///
    /// # Errors
    /// As [`initial_load`](Self::initial_load).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// use apiges_sync::sync::LoadOptions;
    ///
    /// let report = sync.push_contact(&contact, &LoadOptions::new()).await?;
    /// println!("{} sent", report.sent);
    /// # Ok(()) });
    /// ```
    pub async fn push_contact(
        &self,
        contact: &ContactRef,
        options: &LoadOptions,
    ) -> Result<LoadReport, Error> {
        self.0.load(Kind::One(contact.clone()), vec![contact.clone()], options).await
    }
}

#[derive(Debug, Clone)]
enum Kind {
    All,
    One(ContactRef),
}

impl Kind {
    fn key(&self) -> String {
        match self {
            Self::All => ALL.to_owned(),
            Self::One(contact) => format!("one/{}", key_of(contact)),
        }
    }
}

/// Where one contact's part of a load stands.
struct Part<'a> {
    row: &'a LoadRow,
    grant: Grant,
    /// By what it is judged: if it changes before the commit, the load is begun anew.
    judged: Sha256,
    /// Whose grants decide about it.
    whom: BTreeSet<u64>,
    ids: CaseList,
    lines: Vec<LoadedCase>,
    batches: u64,
    looked_at: BTreeSet<u64>,
}

/// What a load comes to.
enum Ended<T> {
    Well(T),
    /// What it was judged by has changed: it is aborted and begun anew.
    Outdated,
}

impl Engine {
    /// The single push that a mark asks for; of a grant that is not active there is nothing to push.
    pub(crate) async fn single_push(&self, contact: &ContactRef) -> Result<(), Error> {
        let (kind, options) = (Kind::One(contact.clone()), LoadOptions::new());
        match self.load(kind, vec![contact.clone()], &options).await {
            Err(error) if is_guarded(&error) => {
                self.absent_judged(contact).await?;
                Err(guarded(error))
            }
            ended => ended.map(drop),
        }
    }

    /// What a list does not name is not gone for that: each of these files is read and judged by itself, which needs no guard.
    async fn absent_judged(&self, contact: &ContactRef) -> Result<(), Error> {
        let book = self.ledger.look(&[]).await?;
        let Some(grant) = book.effective_grants().get(contact).cloned() else { return Ok(()) };
        let listed = self.files_of(&grant, &*self.groups.membership().await?).await?;
        let listed: BTreeSet<u64> = listed.ids.into_iter().collect();
        let held = self.ledger.held(contact).await?.into_iter().map(|(id, _)| id);
        self.restricted(held.filter(|id| !listed.contains(id))).await
    }

    async fn load(
        &self,
        kind: Kind,
        contacts: Vec<ContactRef>,
        options: &LoadOptions,
    ) -> Result<LoadReport, Error> {
        let _one = self.loading.lock().await;
        self.helm.kept(Box::pin(self.load_rounds(&kind, &contacts, options))).await
    }

    async fn load_rounds(
        &self,
        kind: &Kind,
        contacts: &[ContactRef],
        options: &LoadOptions,
    ) -> Result<LoadReport, Error> {
        for _ in 0..ROUNDS {
            let Some(row) = self.load_row(kind, contacts).await? else { return Ok(LoadReport::default()) };
            match self.load_carried(kind, &row, options).await {
                Ok(Ended::Well(report)) => return Ok(report),
                Ok(Ended::Outdated) => self.load_aborted(kind, &row).await?,
                Err(error) if is_lost(&error) => self.load_aborted(kind, &row).await?,
                Err(error) => return Err(error),
            }
        }
        let error = Error::new(ErrorKind::Interrupted, "load").with_outcome(Outcome::NotSent);
        let error = error.with_message("grants, groups or files keep changing").with_hint("call it again");
        Err(error.with_source(Moving))
    }

    /// Sees to the loads that broke off and that nobody has taken up again.
    pub(crate) async fn loads_left(&self) -> Result<(), Error> {
        let Ok(_none_runs) = self.loading.try_lock() else { return Ok(()) };
        for (key, row) in self.ledger.loads().await?.into_iter().filter(|(_, row)| !row.left) {
            // A single push that is tried again goes on with it.
            let is_due = match row.contacts.first().filter(|_| key != ALL) {
                Some(contact) => self.queue.has_open(&Job::Load(contact.clone())).await?,
                None => false,
            };
            if !is_due {
                self.load_left(&key, row).await?;
            }
        }
        Ok(())
    }

    /// Whoever calls again may go on with it; until then a push settles what its batches left in doubt.
    async fn load_left(&self, key: &str, row: LoadRow) -> Result<(), Error> {
        self.restricted(self.in_doubt(&row).await?).await?;
        let row = LoadRow { left: true, ..row };
        self.ledger.change(&[], |book| book.put_load(key, Some(&row))).await
    }

    /// The files that a load has sent, or was about to send, and not committed.
    async fn in_doubt(&self, row: &LoadRow) -> Result<BTreeSet<u64>, Error> {
        let mut cases = BTreeSet::new();
        for contact in row.contacts.iter().filter(|contact| !row.done.contains(contact)) {
            let batches = self.ledger.batches(&row.load, contact).await?;
            cases.extend(batches.into_iter().flat_map(|(_, batch)| batch.items).map(|item| item.case));
        }
        Ok(cases)
    }

    /// Ends a load that can no more become visible; what it sent may be held until a push says otherwise.
    async fn load_aborted(&self, kind: &Kind, row: &LoadRow) -> Result<(), Error> {
        match self.transport.abort_load(&row.load, &IdempotencyKey::generate()?).await {
            Err(error) if !is_lost(&error) && !error.is_not_found() => return Err(error),
            _ => {}
        }
        self.restricted(self.in_doubt(row).await?).await?;
        self.load_dropped(kind, row).await
    }

    /// The load under way, or a new one; nothing if nobody's files are to be sent.
    async fn load_row(&self, kind: &Kind, contacts: &[ContactRef]) -> Result<Option<LoadRow>, Error> {
        let key = kind.key();
        if let Some(row) = self.ledger.load(&key).await? {
            return self.load_resumed(&key, row).await.map(Some);
        }
        let book = self.ledger.look(&[]).await?;
        let grants = book.effective_grants();
        let is_active = |contact: &&ContactRef| {
            grants.get(contact).is_some_and(|grant| grant.state == GrantState::Active)
        };
        let contacts: Vec<ContactRef> = contacts.iter().filter(is_active).cloned().collect();
        if contacts.is_empty() {
            return Ok(None);
        }
        let (load, close_key) = (LoadId::generate()?, IdempotencyKey::generate()?);
        let begin = |book: &mut Book| {
            let (load, contacts, close_key) = (load.clone(), contacts.clone(), close_key.clone());
            let row = LoadRow {
                load,
                base: book.head.sequence,
                contacts,
                complete: vec![],
                done: vec![],
                sent: 0,
                left: false,
                close_key,
            };
            book.put_load(&key, Some(&row)).map(|()| row)
        };
        self.ledger.change(&[], begin).await.map(Some)
    }

    async fn load_resumed(&self, key: &str, row: LoadRow) -> Result<LoadRow, Error> {
        if !row.left {
            return Ok(row);
        }
        let row = LoadRow { left: false, ..row };
        self.ledger.change(&[], |book| book.put_load(key, Some(&row))).await?;
        Ok(row)
    }

    async fn load_carried(
        &self,
        kind: &Kind,
        row: &LoadRow,
        options: &LoadOptions,
    ) -> Result<Ended<LoadReport>, Error> {
        let Ended::Well(state) = self.load_opened(kind, row).await? else { return Ok(Ended::Outdated) };
        let mut row = row.clone();
        for contact in row.contacts.clone() {
            if row.done.contains(&contact) {
                continue;
            }
            let Some(own) = state.contacts.iter().find(|own| own.contact == contact) else {
                return Ok(Ended::Outdated);
            };
            let allowed = options.allowed.get(&contact).copied().unwrap_or(0);
            let (lines, totals, by) = if own.committed {
                // Its answer was lost, or we were: what was sent is known.
                let batches = self.ledger.batches(&row.load, &contact).await?;
                (batches.into_iter().flat_map(|(_, batch)| batch.items).collect(), CommitTotals::default(), 0)
            } else {
                let part = self.part(&row, &contact, own.last_batch).await?;
                let Some(mut part) = part else { return Ok(Ended::Outdated) };
                match self.part_carried(kind, &mut part, allowed).await? {
                    Ended::Well(totals) => (part.lines, totals, part.grant.version),
                    Ended::Outdated => return Ok(Ended::Outdated),
                }
            };
            row = self.part_settled(kind, &contact, &lines, by).await?;
            let (sent, withdrawn) = (lines.len() as u64, totals.withdrawn);
            self.tell(&SyncEvent::Committed { contact, sent, withdrawn });
        }
        let totals = self.transport.close_load(&row.load, &row.close_key).await?;
        self.load_dropped(kind, &row).await?;
        Ok(Ended::Well(LoadReport { contacts: row.done.len() as u64, sent: row.sent, totals }))
    }

    async fn load_opened(&self, kind: &Kind, row: &LoadRow) -> Result<Ended<Load>, Error> {
        if let Some(load) = self.transport.load(&row.load).await? {
            return Ok(Ended::Well(load));
        }
        // The portal refuses a load of somebody who has lost the grant meanwhile.
        let known = self.ledger.look(&[]).await?.effective_grants();
        let whom = row.contacts.iter().filter_map(|contact| known.get(contact)).map(|grant| grant.contact_id);
        let _passing = self.passing(whom.collect()).await?;
        let grants = self.ledger.look(&[]).await?.effective_grants();
        let is_active =
            |contact: &ContactRef| grants.get(contact).is_some_and(|grant| grant.state == GrantState::Active);
        if !row.contacts.iter().all(is_active) {
            return Ok(Ended::Outdated);
        }
        let (key, load_id, base_sequence) =
            (IdempotencyKey::load(&self.tenant, &row.load), row.load.clone(), row.base);
        match kind {
            Kind::All => {
                let (scope, contacts) = (LoadScope::All, row.contacts.clone());
                let load = OpenLoad { load_id, scope, contacts, base_sequence };
                self.transport.open_load(&load, &key).await.map(Ended::Well)
            }
            Kind::One(contact) => {
                let load = OpenSingleLoad { load_id, base_sequence };
                self.transport.open_single_load(contact, &load, &key).await.map(Ended::Well)
            }
        }
    }

    /// Where a contact's part stands: what was accepted, and what there is to send; nothing if it may not be sent as it was begun.
    async fn part<'a>(
        &self,
        row: &'a LoadRow,
        contact: &ContactRef,
        last_batch: u64,
    ) -> Result<Option<Part<'a>>, Error> {
        let book = self.ledger.look(&[]).await?;
        let grants = book.effective_grants();
        let active = grants.get(contact).filter(|grant| grant.state == GrantState::Active);
        let Some(grant) = active.cloned() else { return Ok(None) };
        let groups = self.groups.membership().await?;
        let judged = judged_by(&grant, &grants, &groups)?;
        let accepted = self.ledger.batches(&row.load, contact).await?;
        let accepted: Vec<_> = accepted.into_iter().filter(|(number, _)| *number <= last_batch).collect();
        if accepted.iter().any(|(_, batch)| batch.judged != judged) || accepted.len() as u64 != last_batch {
            return Ok(None);
        }
        let lines: Vec<LoadedCase> = accepted.into_iter().flat_map(|(_, batch)| batch.items).collect();
        let looked_at = lines.iter().map(|line| line.case).collect();
        let ids = self.files_of(&grant, &groups).await?;
        let whom = whom(&grant, &groups);
        Ok(Some(Part { row, grant, judged, whom, ids, lines, batches: last_batch, looked_at }))
    }

    /// The files of everybody whom a grant's scope holds now.
    pub(crate) async fn files_of(&self, grant: &Grant, groups: &Membership) -> Result<CaseList, Error> {
        let Some(role) = self.settings.rules.role(grant.contact.kind()) else {
            return Ok(CaseList::default());
        };
        let mut holders = BTreeSet::from([grant.contact_id]);
        if let Scope::Group { group } = &grant.scope
            && groups.contains(grant.contact_id, group)
        {
            holders.extend(groups.of_group(group));
        }
        let (mut ids, mut complete) = (BTreeSet::new(), true);
        for holder in holders {
            let list = self.cases.held_by(role, holder).await?;
            complete &= list.complete;
            ids.extend(list.ids);
        }
        Ok(CaseList { ids: ids.into_iter().collect(), complete })
    }

    async fn part_carried(
        &self,
        kind: &Kind,
        part: &mut Part<'_>,
        allowed: u64,
    ) -> Result<Ended<CommitTotals>, Error> {
        let todo: Vec<u64> = part.ids.ids.iter().copied().filter(|id| !part.looked_at.contains(id)).collect();
        for ids in todo.chunks(self.settings.batch_items) {
            if let Ended::Outdated = self.batch_sent(part, ids).await? {
                return Ok(Ended::Outdated);
            }
        }
        self.committed(kind, part, allowed).await
    }

    /// Reads, judges and sends some files as one batch; none of them visible: no batch.
    async fn batch_sent(&self, part: &mut Part<'_>, ids: &[u64]) -> Result<Ended<()>, Error> {
        for _ in 0..ROUNDS {
            let looked = self.ledger.look(ids).await?;
            let (grants, groups) = (looked.effective_grants(), self.groups.membership().await?);
            if !self.is_still(part, &grants, &groups)? {
                return Ok(Ended::Outdated);
            }
            let seen = self.seen_of(part, ids, &grants, &groups).await?;
            self.pictures_of(&seen).await?;
            let _passing = self.passing(part.whom.clone()).await?;
            let groups = self.groups.membership().await?;
            let Some(items) = self.batch_noted(part, &looked, &seen, &groups).await? else { continue };
            let unseen = ids.iter().filter(|id| !seen.contains_key(id));
            let held = unseen.filter(|id| has(&looked, **id, &part.grant.contact)).copied();
            self.restricted(held.collect::<Vec<_>>()).await?;
            part.looked_at.extend(ids);
            if !items.is_empty() {
                self.batch_put(part, items).await?;
            }
            return Ok(Ended::Well(()));
        }
        Ok(Ended::Outdated)
    }

    fn is_still(&self, part: &Part<'_>, grants: &Grants, groups: &Membership) -> Result<bool, Error> {
        let Some(grant) = grants.get(&part.grant.contact) else { return Ok(false) };
        Ok(*grant == part.grant && judged_by(grant, grants, groups)? == part.judged)
    }

    async fn seen_of(
        &self,
        part: &Part<'_>,
        ids: &[u64],
        grants: &Grants,
        groups: &Membership,
    ) -> Result<BTreeMap<u64, Seen>, Error> {
        let judge = Judge { grants, groups, rules: &self.settings.rules };
        let mut all = BTreeMap::new();
        for id in ids {
            let Some(facts) = self.cases.case(*id, part.grant.lang).await? else { continue };
            let facts = BTreeMap::from([(part.grant.lang, facts)]);
            if let Ok(seen) = judge.seen(&part.grant, &facts)? {
                all.insert(*id, seen);
            }
        }
        Ok(all)
    }

    /// Issues the versions of a batch and notes it. `None`: a file was judged by another meanwhile, or what it is judged by changed, so
    /// that everything is looked at again.
    async fn batch_noted(
        &self,
        part: &Part<'_>,
        looked: &Book,
        seen: &BTreeMap<u64, Seen>,
        groups: &Membership,
    ) -> Result<Option<Vec<BatchItem>>, Error> {
        let ids: Vec<u64> = seen.keys().copied().collect();
        let note = |book: &mut Book| {
            let version = |book: &Book, id: &u64| book.cases.get(id).map_or(0, |row| row.version);
            let is_newer = ids.iter().any(|id| version(book, id) != version(looked, id));
            if is_newer || !self.is_still(part, &book.effective_grants(), groups)? {
                return Ok(None);
            }
            let items: Vec<BatchItem> = seen.iter().map(|(id, seen)| item(book, part, *id, seen)).collect();
            let lines = items.iter().zip(seen.values());
            let lines = lines.map(|(item, seen)| LoadedCase {
                case: item.case_id,
                version: item.version,
                view: seen.view,
            });
            let batch = BatchRow { items: lines.collect(), judged: part.judged };
            if !items.is_empty() {
                book.put_batch(
                    &part.row.load,
                    &part.grant.contact,
                    part.batches.saturating_add(1),
                    Some(&batch),
                )?;
            }
            Ok(Some(items))
        };
        self.ledger.change(&ids, note).await
    }

    /// The portal is asked for each: what the ledger knows of a picture is of the file's last push, which may be long ago.
    async fn pictures_of(&self, seen: &BTreeMap<u64, Seen>) -> Result<(), Error> {
        for (id, seen) in seen {
            if let Some(picture) = &seen.projection.view.grafico {
                self.graphic_stored(*id, picture.sha256).await?;
            }
        }
        Ok(())
    }

    async fn batch_put(&self, part: &mut Part<'_>, items: Vec<BatchItem>) -> Result<(), Error> {
        let lines: Result<Vec<DigestLine>, _> = items.iter().map(DigestLine::of_item).collect();
        let lines = lines.map_err(|_| no_form())?;
        let number = part.batches.saturating_add(1);
        let (load, contact) = (&part.row.load, &part.grant.contact);
        let key = IdempotencyKey::batch(&self.tenant, load, contact, number);
        let kept = items.iter().zip(&lines).map(|(item, line)| LoadedCase {
            case: item.case_id,
            version: item.version,
            view: line.view(),
        });
        let kept: Vec<LoadedCase> = kept.collect();
        let batch = Batch { items, digest: digest(lines) };
        if let Err(error) = self.transport.put_batch(load, contact, number, &batch, &key).await {
            return Err(self.batch_refused(&kept, error).await?);
        }
        part.batches = number;
        part.lines.extend(kept);
        let (sent, looked_at) = (part.lines.len() as u64, part.looked_at.len() as u64);
        let (contact, of) = (contact.clone(), part.ids.ids.len() as u64);
        self.tell(&SyncEvent::Batch { contact, number, sent, looked_at, of });
        Ok(())
    }

    /// A version that was used before: the ledger learns what the portal has, and the load is begun anew.
    async fn batch_refused(&self, items: &[LoadedCase], error: Error) -> Result<Error, Error> {
        if Refusal::of(&error).is_some_and(|refusal| refusal.code == RefusalCode::VersionReuse) {
            self.counts.change(|counts| counts.reused += 1);
            for item in items {
                let stored = self.transport.case(item.case).await?.map_or(0, |case| case.version);
                self.raised(item.case, stored).await?;
            }
        }
        Ok(error)
    }

    async fn committed(
        &self,
        kind: &Kind,
        part: &Part<'_>,
        allowed: u64,
    ) -> Result<Ended<CommitTotals>, Error> {
        let _passing = self.passing(part.whom.clone()).await?;
        let book = self.ledger.look(&[]).await?;
        let groups = self.groups.membership().await?;
        if !self.is_still(part, &book.effective_grants(), &groups)? {
            return Ok(Ended::Outdated);
        }
        let contact = &part.grant.contact;
        if part.ids.complete {
            self.load_noted(kind, |row| row.complete.push(contact.clone())).await?;
        }
        let lines = part.lines.iter().map(|line| DigestLine::known(line.case, line.version, line.view));
        let commit = Commit {
            batches: part.batches,
            count: part.lines.len() as u64,
            digest: digest(lines),
            complete: part.ids.complete,
            allow_withdrawals: allowed,
        };
        let key = IdempotencyKey::commit(&self.tenant, &part.row.load, contact);
        self.transport.commit(&part.row.load, contact, &commit, &key).await.map(Ended::Well)
    }

    /// The commit took effect: what was sent is held, and what a complete load did not bring is not.
    async fn part_settled(
        &self,
        kind: &Kind,
        contact: &ContactRef,
        lines: &[LoadedCase],
        by: u64,
    ) -> Result<LoadRow, Error> {
        let key = kind.key();
        let row = self.ledger.load(&key).await?.ok_or_else(gone)?;
        for lines in lines.chunks(SETTLED_AT_ONCE) {
            let ids: Vec<u64> = lines.iter().map(|line| line.case).collect();
            let settle = |book: &mut Book| {
                let lines = lines.iter();
                Ok(lines
                    .filter(|line| !is_settled(book, contact, line, row.base))
                    .map(|line| line.case)
                    .collect())
            };
            let overtaken: Vec<u64> = self.ledger.change(&ids, settle).await?;
            self.restricted(overtaken).await?;
        }
        if row.complete.contains(contact) {
            self.absent_forgotten(contact, &row, lines).await?;
        }
        let numbers: Vec<u64> =
            self.ledger.batches(&row.load, contact).await?.into_iter().map(|(n, _)| n).collect();
        let done = |book: &mut Book| {
            let mut row = row.clone();
            row.done.push(contact.clone());
            row.sent = row.sent.saturating_add(lines.len() as u64);
            let grant = book.grant_row(contact);
            grant.loaded = grant.loaded.max(by);
            for number in &numbers {
                book.put_batch(&row.load, contact, *number, None)?;
            }
            book.put_load(&key, Some(&row)).map(|()| row)
        };
        self.ledger.change(&[], done).await
    }

    async fn absent_forgotten(
        &self,
        contact: &ContactRef,
        row: &LoadRow,
        lines: &[LoadedCase],
    ) -> Result<(), Error> {
        let sent: BTreeSet<u64> = lines.iter().map(|line| line.case).collect();
        let held = self.ledger.held(contact).await?.into_iter();
        let absent =
            held.filter(|(id, hold)| !sent.contains(id) && hold.sequence <= row.base).map(|(id, _)| id);
        let absent: Vec<u64> = absent.collect();
        let base = row.base;
        for ids in absent.chunks(SETTLED_AT_ONCE) {
            let forget = |book: &mut Book| {
                for row in book.cases.values_mut() {
                    if row.holds.get(contact).is_some_and(|hold| hold.sequence <= base) {
                        row.forget(contact);
                    }
                }
                Ok(())
            };
            self.ledger.change(ids, forget).await?;
            ids.iter().for_each(|id| self.withdrew(*id, contact, &Reason::AbsentFromLoad));
        }
        Ok(())
    }

    async fn load_noted(&self, kind: &Kind, note: impl Fn(&mut LoadRow)) -> Result<(), Error> {
        let key = kind.key();
        let mut row = self.ledger.load(&key).await?.ok_or_else(gone)?;
        note(&mut row);
        self.ledger.change(&[], |book| book.put_load(&key, Some(&row))).await
    }

    async fn load_dropped(&self, kind: &Kind, row: &LoadRow) -> Result<(), Error> {
        let mut batches = Vec::new();
        for contact in &row.contacts {
            let own = self.ledger.batches(&row.load, contact).await?;
            batches.extend(own.into_iter().map(|(number, _)| (contact, number)));
        }
        let drop = |book: &mut Book| {
            for (contact, number) in &batches {
                book.put_batch(&row.load, contact, *number, None)?;
            }
            book.put_load(&kind.key(), None)
        };
        self.ledger.change(&[], drop).await
    }
}

/// The key of the load of all contacts.
const ALL: &str = "all";
/// How often a load is begun anew, and a batch read again, before it is left to a later call.
const ROUNDS: usize = 4;
const SETTLED_AT_ONCE: usize = 500;

/// A file of a batch: under the version that the portal has it with if it has exactly this, else under a new one (O5).
fn item(book: &mut Book, part: &Part<'_>, id: u64, seen: &Seen) -> BatchItem {
    let contact = &part.grant.contact;
    let row = book.case(id);
    let known = row.holds.get(contact).filter(|hold| seen.is_held_as(hold)).map(|hold| hold.version);
    let version = known.unwrap_or_else(|| {
        row.version = row.version.saturating_add(1);
        row.version
    });
    if known.is_none() {
        let (holder, holder_id, view) = (seen.projection.holder.clone(), seen.holder_id, seen.view);
        let hold = Hold { holder, holder_id, version, sequence: part.row.base, view, sure: false };
        row.latest = row.latest.max(part.row.base);
        row.holds.insert(contact.clone(), hold);
    }
    let (holder, view) = (seen.projection.holder.clone(), seen.projection.view.clone());
    BatchItem { case_id: id, version, holder, view }
}

/// Whether it is known what the portal has of a file now. Not if something was sent of it since the load began, by a push or by another
/// load: the later sequence keeps what this one brings away (4.4), even where it read the file after that. Then a push has to say it.
fn is_settled(book: &mut Book, contact: &ContactRef, line: &LoadedCase, base: u64) -> bool {
    let row = book.case(line.case);
    let overtaken = row.latest > base;
    let hold = row.holds.get_mut(contact);
    let Some(hold) = hold.filter(|hold| hold.version == line.version && hold.view == line.view) else {
        return true;
    };
    hold.sure |= !overtaken;
    hold.sure
}

fn has(book: &Book, id: u64, contact: &ContactRef) -> bool {
    book.cases.get(&id).is_some_and(|row| row.holds.contains_key(contact))
}

/// Everything but the files that decides what a grant sees: itself, who is in its group, and what their own grants hide.
fn judged_by(grant: &Grant, grants: &Grants, groups: &Membership) -> Result<Sha256, Error> {
    let members: Vec<u64> = match &grant.scope {
        Scope::Group { group } => groups.of_group(group).collect(),
        Scope::Own => vec![],
    };
    let concerned = |own: &&Grant| own.contact == grant.contact || members.contains(&own.contact_id);
    let grants: Vec<Grant> =
        grants.iter().filter(concerned).map(|own| Grant { version: 0, ..own.clone() }).collect();
    canonical(&(grants, &members)).map(|text| Sha256::of(text.as_bytes())).map_err(|_| no_form())
}

/// Everybody whose grant decides what a grant sees.
fn whom(grant: &Grant, groups: &Membership) -> BTreeSet<u64> {
    let mut whom = BTreeSet::from([grant.contact_id]);
    if let Scope::Group { group } = &grant.scope {
        whom.extend(groups.of_group(group));
    }
    whom
}

fn is_guarded(error: &Error) -> bool {
    Refusal::of(error).is_some_and(|refusal| refusal.code == RefusalCode::Guard)
}

/// Not for good: what is absent is looked at by then. If it is there all the same, list and files contradict each other, and after so
/// many tries a person has to look (O6).
fn guarded(error: Error) -> Error {
    Error::new(ErrorKind::Interrupted, "load")
        .with_outcome(Outcome::Refused)
        .with_message("the guard held the commit back")
        .with_hint("the files that are absent from the list are looked at one by one, then it is tried again")
        .with_source(error)
}

/// Whether the portal and the ledger do not speak of the same load any more.
fn is_lost(error: &Error) -> bool {
    let code = Refusal::of(error).map(|refusal| &refusal.code);
    matches!(
        code,
        Some(
            RefusalCode::BatchGap
                | RefusalCode::LoadClosed
                | RefusalCode::Digest
                | RefusalCode::Count
                | RefusalCode::NotFound
                | RefusalCode::VersionReuse
                | RefusalCode::IdempotencyMismatch
        )
    )
}

fn gone() -> Error {
    Error::new(ErrorKind::Blocked, "load")
        .with_outcome(Outcome::NotSent)
        .with_message("another program ended this load")
        .with_hint("call it again")
}
