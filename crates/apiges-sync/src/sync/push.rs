//! Bringing one file in step with the portal (contract 4.3, 4.5, 4.6).
//!
//! The rules enforced here: what is sent replaces everything, so whoever has the file and no longer sees it is named (O2); who **may** have
//! it is in the ledger before the push leaves; after a lost answer the very same push goes out under the very same key, or a newer one,
//! never an older; a file that did not change is not sent; every picture that a view names is at the portal before it (O9). Nothing is
//! held up by the reading of a file: grants may change meanwhile, and then it is judged again.

use std::collections::{BTreeMap, BTreeSet};

use integration_core::{Error, ErrorKind, Outcome};

use super::engine::Engine;
use super::ledger::{Book, CaseRow, Hold, OpenPush};
use super::ports::SyncEvent;
use crate::grant::Rules;
use crate::language::Lang;
use crate::visible::{CaseFacts, Denial, Grants, Membership, project};
use crate::web::{
    CasePush, Cause, ContactRef, DigestLine, Grant, GrantState, IdempotencyKey, Instant, Projection,
    PushOutcome, Reason, Refusal, RefusalCode, Sha256, Withdrawal, canonical,
};

/// How often one turn looks again before it leaves the file to a later one.
const ROUNDS: usize = 6;

/// A projection with what the ledger keeps of it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) projection: Projection,
    pub(crate) holder_id: u64,
    pub(crate) view: Sha256,
}

impl Seen {
    fn hold(&self, version: u64, sequence: u64, sure: bool) -> Hold {
        let (holder, holder_id, view) = (self.projection.holder.clone(), self.holder_id, self.view);
        Hold { holder, holder_id, version, sequence, view, sure }
    }

    pub(crate) fn is_held_as(&self, hold: &Hold) -> bool {
        hold.sure
            && hold.view == self.view
            && hold.holder_id == self.holder_id
            && hold.holder == self.projection.holder
    }
}

/// A file as it was read, in every language that somebody reads it in; nothing if there is no such file.
pub(crate) type Facts = Option<BTreeMap<Lang, CaseFacts>>;

/// What everybody is to see of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    seen: Vec<Seen>,
    lost: Vec<(ContactRef, Reason)>,
}

impl Verdict {
    pub(crate) fn is_held_already(&self, row: &CaseRow) -> bool {
        let held =
            |seen: &Seen| row.holds.get(&seen.projection.grant).is_some_and(|hold| seen.is_held_as(hold));
        row.open.is_none() && self.lost.is_empty() && self.seen.iter().all(held)
    }

    /// Whom a push concerns: who sees the file or has it, and whose it is.
    fn whom(&self, row: &CaseRow, grants: &Grants) -> BTreeSet<u64> {
        let seen = self.seen.iter().flat_map(|seen| {
            let own = grants.get(&seen.projection.grant).map(|grant| grant.contact_id);
            own.into_iter().chain([seen.holder_id])
        });
        let held = row.holds.iter().flat_map(|(contact, hold)| {
            let own = grants.get(contact).map(|grant| grant.contact_id);
            own.into_iter().chain([hold.holder_id])
        });
        seen.chain(held).filter(|id| *id != 0).collect()
    }

    fn names(&self, contact: &ContactRef) -> bool {
        let lost = self.lost.iter().any(|(own, _)| own == contact);
        lost || self.seen.iter().any(|seen| seen.projection.grant == *contact)
    }

    /// The pictures that somebody is to see.
    fn pictures(&self) -> BTreeSet<Sha256> {
        let views = self.seen.iter().map(|seen| &seen.projection.view);
        views.filter_map(|view| view.grafico.as_ref()).map(|picture| picture.sha256).collect()
    }

    fn cause(&self, causes: &[Cause]) -> Cause {
        let lost = |reason| self.lost.iter().any(|(_, own)| *own == reason);
        if lost(Reason::CaseMoved) {
            return Cause::Moved;
        }
        if lost(Reason::CaseClosed) {
            return Cause::Closed;
        }
        let order = [Cause::Saved, Cause::Graphic, Cause::Grant, Cause::Load];
        order.into_iter().find(|cause| causes.contains(cause)).unwrap_or(Cause::Saved)
    }
}

/// What is to be done about a file.
enum Plan {
    Nothing,
    LookAgain,
    /// Somebody's grant is to be shut, and the portal has not heard of it yet.
    ChangeFirst,
    Push(Box<CasePush>),
}

impl Engine {
    /// Brings a file in step. Whatever it met is safe to be repeated.
    pub(crate) async fn push_case(&self, id: u64, causes: &[Cause], saved_at: Instant) -> Result<(), Error> {
        let mut read: Option<(u64, Facts)> = None;
        let mut contradicted = false;
        for _ in 0..ROUNDS {
            let looked = self.ledger.look(&[id]).await?;
            let row = looked.cases.get(&id).cloned().unwrap_or_default();
            let (grants, groups) = (looked.effective_grants(), self.groups.membership().await?);
            // Who judged it meanwhile may have read it later: the order of versions is that of the readings.
            let known =
                read.take().filter(|(at, facts)| *at == row.version && self.is_read(facts, &grants, &groups));
            let facts = match known {
                Some((_, facts)) => facts,
                None => self.facts(id, &grants, &groups).await?,
            };
            let verdict = self.verdict(&row, facts.as_ref(), &grants, &groups, causes)?;
            let pictures = self.pictures_stored(id, &row, &verdict).await?;
            let _passing = self.passing(verdict.whom(&row, &grants)).await?;
            match self.decided(id, &looked, &verdict, causes, saved_at).await? {
                Plan::Nothing => return Ok(()),
                Plan::ChangeFirst => return Err(change_first()),
                Plan::LookAgain => read = Some((row.version, facts)),
                Plan::Push(push) => {
                    if self.sent(&push, &verdict, pictures).await? {
                        return Ok(());
                    }
                    contradicted = true;
                }
            }
        }
        Err(unsettled(id, contradicted))
    }

    /// The file in every language that somebody reads it in; nothing if there is no such file.
    pub(crate) async fn facts(&self, id: u64, grants: &Grants, groups: &Membership) -> Result<Facts, Error> {
        let first = grants.iter().next().map(|grant| grant.lang).unwrap_or_default();
        let Some(facts) = self.cases.case(id, first).await? else { return Ok(None) };
        let langs = self.langs(&facts, grants, groups);
        let mut all = BTreeMap::from([(first, facts)]);
        for lang in langs.into_iter().filter(|lang| *lang != first) {
            let Some(facts) = self.cases.case(id, lang).await? else { return Ok(None) };
            all.insert(lang, facts);
        }
        Ok(Some(all))
    }

    /// In which languages a file is read.
    fn langs(&self, facts: &CaseFacts, grants: &Grants, groups: &Membership) -> BTreeSet<Lang> {
        let rules = &self.settings.rules;
        let reaching = grants.reaching(facts, groups);
        let reaching = reaching.filter(|grant| project(&active(grant), facts, grants, groups, rules).is_ok());
        reaching.map(|grant| grant.lang).collect()
    }

    /// Whether it was read in all of them.
    fn is_read(&self, facts: &Facts, grants: &Grants, groups: &Membership) -> bool {
        facts.as_ref().is_none_or(|all| {
            let langs = all.values().flat_map(|facts| self.langs(facts, grants, groups));
            langs.into_iter().all(|lang| all.contains_key(&lang))
        })
    }

    pub(crate) fn verdict(
        &self,
        row: &CaseRow,
        facts: Option<&BTreeMap<Lang, CaseFacts>>,
        grants: &Grants,
        groups: &Membership,
        causes: &[Cause],
    ) -> Result<Verdict, Error> {
        let mut verdict = Verdict::default();
        let Some(facts) = facts else {
            verdict.lost = row.holds.keys().map(|grant| (grant.clone(), Reason::CaseRemoved)).collect();
            return Ok(verdict);
        };
        // Nobody else reaches it, whatever it says.
        let reaching = facts.values().flat_map(|facts| grants.reaching(facts, groups));
        let holding = row.holds.keys().filter_map(|contact| grants.get(contact));
        let concerned: BTreeMap<&ContactRef, &Grant> =
            reaching.chain(holding).map(|grant| (&grant.contact, grant)).collect();
        for grant in concerned.into_values() {
            let hold = row.holds.get(&grant.contact);
            let judge = Judge { grants, groups, rules: &self.settings.rules };
            match (judge.seen(grant, facts)?, hold) {
                (Ok(seen), _) if grant.state == GrantState::Active => verdict.seen.push(seen),
                // It keeps its unseen, older projection (O2), unless a grant's change may have made it show too much: resuming would
                // open it.
                (Ok(seen), Some(hold)) if !seen.is_held_as(hold) && causes.contains(&Cause::Grant) => {
                    verdict.lost.push((grant.contact.clone(), Reason::ScopeNarrowed));
                }
                (Ok(_), _) | (Err(_), None) => {}
                (Err(denial), Some(hold)) => {
                    verdict.lost.push((grant.contact.clone(), judge.reason(grant, hold, &denial, facts)));
                }
            }
        }
        let revoked = row.holds.keys().filter(|contact| grants.get(contact).is_none());
        verdict.lost.extend(revoked.map(|contact| (contact.clone(), Reason::GrantRevoked)));
        Ok(verdict)
    }

    /// Notes in the ledger what is about to be sent.
    async fn decided(
        &self,
        id: u64,
        looked: &Book,
        verdict: &Verdict,
        causes: &[Cause],
        saved_at: Instant,
    ) -> Result<Plan, Error> {
        let seen_version = looked.cases.get(&id).map_or(0, |row| row.version);
        let plan = |book: &mut Book| {
            let version = book.cases.get(&id).map_or(0, |row| row.version);
            if version != seen_version || book.grants != looked.grants {
                return Ok(Plan::LookAgain);
            }
            planned(book, id, verdict, verdict.cause(causes), saved_at)
        };
        self.ledger.change(&[id], plan).await
    }

    /// Sends it; `false` if the portal knows better and another version is needed.
    async fn sent(&self, push: &CasePush, verdict: &Verdict, picture: Option<Sha256>) -> Result<bool, Error> {
        let key = IdempotencyKey::case(&self.tenant, push.case_id, push.version);
        self.counts.change(|counts| counts.pushed += 1);
        match self.transport.push(push, &key).await {
            Ok(answer) if matches!(answer.outcome, PushOutcome::Applied | PushOutcome::Duplicate) => {
                if answer.outcome == PushOutcome::Duplicate {
                    self.counts.change(|counts| counts.duplicates += 1);
                }
                self.settled(push, verdict, picture).await.map(|()| true)
            }
            // Something of this file that is ours or not is newer, and may not say all of this: again, with a version above it (O5).
            Ok(answer) => {
                self.counts.change(|counts| counts.stale += 1);
                self.raised(push.case_id, answer.stored_version).await.map(|()| false)
            }
            Err(error) => self.contradicted(push.case_id, error).await.map(|()| false),
        }
    }

    async fn settled(
        &self,
        push: &CasePush,
        verdict: &Verdict,
        picture: Option<Sha256>,
    ) -> Result<(), Error> {
        let id = push.case_id;
        let settle = |book: &mut Book| {
            let row = book.case(id);
            row.open = row.open.take().filter(|open| open.version != push.version);
            // Of a picture that no view names the portal drops the bytes after a day: it is not known to be there any more.
            row.graphic = picture;
            for seen in &verdict.seen {
                let contact = &seen.projection.grant;
                if row.holds.get(contact).is_none_or(|hold| hold.version <= push.version) {
                    row.holds.insert(contact.clone(), seen.hold(push.version, push.sequence, true));
                }
            }
            for withdrawal in &push.withdrawals {
                if row.holds.get(&withdrawal.grant).is_some_and(|hold| hold.version <= push.version) {
                    row.holds.remove(&withdrawal.grant);
                }
            }
            Ok(())
        };
        self.ledger.change(&[id], settle).await?;
        self.acknowledged(push.saved_at);
        self.tell(&SyncEvent::Pushed { case: id, version: push.version });
        for Withdrawal { grant, reason } in &push.withdrawals {
            self.withdrew(id, grant, reason);
        }
        Ok(())
    }

    pub(crate) fn withdrew(&self, case: u64, grant: &ContactRef, reason: &Reason) {
        self.counts.change(|counts| counts.withdrawals += 1);
        self.tell(&SyncEvent::Withdrawn { case, grant: grant.clone(), reason: reason.clone() });
    }

    /// The version is spent: the next one is above what the portal has.
    pub(crate) async fn raised(&self, id: u64, stored: u64) -> Result<(), Error> {
        let raise = |book: &mut Book| {
            let row = book.case(id);
            row.version = row.version.max(stored);
            row.open = None;
            row.holds.values_mut().for_each(|hold| hold.sure = false);
            Ok(())
        };
        self.ledger.change(&[id], raise).await
    }

    /// The portal knows of something that the ledger does not: the ledger learns it. Every other error is given back.
    async fn contradicted(&self, id: u64, error: Error) -> Result<(), Error> {
        let Some(refusal) = Refusal::of(&error) else { return Err(error) };
        match refusal.code {
            RefusalCode::VersionReuse | RefusalCode::IdempotencyMismatch => {
                let stored = self.transport.case(id).await?.map_or(0, |case| case.version);
                self.counts.change(|counts| counts.reused += 1);
                self.raised(id, stored).await
            }
            RefusalCode::ImplicitWithdrawal => {
                let holders = refusal.unnamed_holders().filter(|holders| !holders.is_empty());
                let Some(holders) = holders else { return Err(error) };
                self.counts.change(|counts| counts.implicit += 1);
                self.remembered(id, &holders).await
            }
            _ => Err(error),
        }
    }

    /// Whoever is named may have the file in a form that nobody knows.
    pub(crate) async fn remembered(&self, id: u64, holders: &[ContactRef]) -> Result<(), Error> {
        let remember = |book: &mut Book| {
            let row = book.case(id);
            row.open = None;
            for contact in holders {
                let hold = row.holds.entry(contact.clone()).or_insert_with(|| unknown_hold(contact));
                hold.sure = false;
            }
            Ok(())
        };
        self.ledger.change(&[id], remember).await
    }

    /// O9: the bytes go up before what refers to them, and only if they are others than last time. Tells which they are; a file that
    /// was read in two languages while its picture changed names two, of which at most one can be had: it is read again then.
    async fn pictures_stored(
        &self,
        id: u64,
        row: &CaseRow,
        verdict: &Verdict,
    ) -> Result<Option<Sha256>, Error> {
        let pictures = verdict.pictures();
        if !verdict.is_held_already(row) {
            for sha256 in pictures.iter().filter(|sha256| row.graphic != Some(**sha256)) {
                self.graphic_stored(id, *sha256).await?;
            }
        }
        Ok(pictures.into_iter().next())
    }

    pub(crate) async fn graphic_stored(&self, id: u64, sha256: Sha256) -> Result<(), Error> {
        if self.transport.has_blob(sha256).await? {
            return Ok(());
        }
        match self.cases.graphic(id).await? {
            Some(blob) if blob.sha256 == sha256 => self.transport.put_blob(&blob).await,
            _ => Err(changing(id)),
        }
    }
}

/// What is needed to judge a grant.
pub(crate) struct Judge<'a> {
    pub(crate) grants: &'a Grants,
    pub(crate) groups: &'a Membership,
    pub(crate) rules: &'a Rules,
}

impl Judge<'_> {
    /// What a grant shows of a file if it is not suspended.
    pub(crate) fn seen(
        &self,
        grant: &Grant,
        facts: &BTreeMap<Lang, CaseFacts>,
    ) -> Result<Result<Seen, Denial>, Error> {
        let Some(facts) = facts.get(&grant.lang).or_else(|| facts.values().next()) else {
            return Ok(Err(Denial::NotHolder));
        };
        let projection = match project(&active(grant), facts, self.grants, self.groups, self.rules) {
            Ok(projection) => projection,
            Err(denial) => return Ok(Err(denial)),
        };
        let view = DigestLine::new(0, 0, &projection.view).map_err(|_| no_form())?.view();
        let holder_id = self.holder(grant, facts).unwrap_or_default();
        Ok(Ok(Seen { projection, holder_id, view }))
    }

    fn holder(&self, grant: &Grant, facts: &CaseFacts) -> Option<u64> {
        facts.holder(self.rules.role(grant.contact.kind())?)
    }

    fn reason(
        &self,
        grant: &Grant,
        hold: &Hold,
        denial: &Denial,
        facts: &BTreeMap<Lang, CaseFacts>,
    ) -> Reason {
        let now = facts.values().next().and_then(|facts| self.holder(grant, facts));
        let moved = hold.holder_id != 0 && now != Some(hold.holder_id);
        if moved { Reason::CaseMoved } else { denial.reason() }
    }
}

/// As it would be if it were not suspended.
pub(crate) fn active(grant: &Grant) -> Grant {
    Grant { state: GrantState::Active, ..grant.clone() }
}

fn unknown_hold(contact: &ContactRef) -> Hold {
    let nothing = Sha256::from_bytes([0; 32]);
    Hold { holder: contact.clone(), holder_id: 0, version: 0, sequence: 0, view: nothing, sure: false }
}

fn planned(
    book: &mut Book,
    id: u64,
    verdict: &Verdict,
    cause: Cause,
    saved_at: Instant,
) -> Result<Plan, Error> {
    let row = book.cases.get(&id).cloned().unwrap_or_default();
    if verdict.is_held_already(&row) {
        return Ok(Plan::Nothing);
    }
    // The portal takes it for active still, and would miss it among those that are named (O2).
    if row.holds.keys().any(|contact| !verdict.names(contact) && book.is_being_shut(contact)) {
        return Ok(Plan::ChangeFirst);
    }
    if let Some(push) = again(&row, id, verdict)? {
        return Ok(Plan::Push(Box::new(push)));
    }
    let (version, sequence) = (row.version.saturating_add(1), book.next_sequence());
    let push = push_of(id, version, sequence, saved_at, cause, verdict, &verdict.lost);
    let row = book.case(id);
    (row.version, row.latest) = (version, sequence);
    row.open = Some(OpenPush {
        version,
        sequence,
        saved_at,
        cause: push.cause.clone(),
        content: content(&push)?,
        reasons: verdict.lost.clone(),
    });
    // Whoever loses it may have it until the answer says otherwise.
    for (grant, _) in &verdict.lost {
        row.holds.entry(grant.clone()).and_modify(|hold| hold.sure = false);
    }
    for seen in &verdict.seen {
        row.holds.insert(seen.projection.grant.clone(), seen.hold(version, sequence, false));
    }
    Ok(Plan::Push(Box::new(push)))
}

/// The push that may have been lost, if it would still say the same.
fn again(row: &CaseRow, id: u64, verdict: &Verdict) -> Result<Option<CasePush>, Error> {
    let Some(open) = row.open.as_ref().filter(|open| open.version == row.version) else { return Ok(None) };
    let (was, is): (BTreeSet<_>, BTreeSet<_>) = (
        open.reasons.iter().map(|(grant, _)| grant).collect(),
        verdict.lost.iter().map(|(grant, _)| grant).collect(),
    );
    if was != is {
        return Ok(None);
    }
    let cause = open.cause.clone();
    let push = push_of(id, open.version, open.sequence, open.saved_at, cause, verdict, &open.reasons);
    Ok((content(&push)? == open.content).then_some(push))
}

fn push_of(
    case_id: u64,
    version: u64,
    sequence: u64,
    saved_at: Instant,
    cause: Cause,
    verdict: &Verdict,
    lost: &[(ContactRef, Reason)],
) -> CasePush {
    let projections = verdict.seen.iter().map(|seen| seen.projection.clone()).collect();
    let withdrawals = lost
        .iter()
        .map(|(grant, reason)| Withdrawal { grant: grant.clone(), reason: reason.clone() })
        .collect();
    CasePush { case_id, version, sequence, saved_at, cause, projections, withdrawals }
}

fn content(push: &CasePush) -> Result<Sha256, Error> {
    canonical(push).map(|text| Sha256::of(text.as_bytes())).map_err(|_| no_form())
}

pub(crate) fn no_form() -> Error {
    Error::new(ErrorKind::Validation, "push a case")
        .with_outcome(Outcome::NotSent)
        .with_message("what is seen of it has no canonical form")
        .with_hint("numbers in a view are whole")
}

fn changing(id: u64) -> Error {
    Error::new(ErrorKind::Interrupted, "send a graphic")
        .with_outcome(Outcome::NotSent)
        .with_source(Moving)
        .with_message(format!("the graphic of case {id} changed while it was read"))
        .with_hint("it is tried again by itself")
}

/// What it was judged by changes faster than it can be sent. That is nobody's fault, and counts as no try (O6).
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("what it depends on keeps changing")]
pub(crate) struct Moving;

fn unsettled(id: u64, contradicted: bool) -> Error {
    let error = Error::new(ErrorKind::Interrupted, "push a case").with_hint("it is tried again by itself");
    if contradicted {
        return error.with_message(format!("the portal and the ledger do not agree on case {id}"));
    }
    let error = error.with_outcome(Outcome::NotSent).with_source(Moving);
    error.with_message(format!("case {id}, or a grant that concerns it, keeps changing"))
}

fn change_first() -> Error {
    Error::new(ErrorKind::Blocked, "push a case")
        .with_outcome(Outcome::NotSent)
        .with_message("a change of the grant of somebody who has the case goes first")
        .with_hint("it is tried again by itself")
}
