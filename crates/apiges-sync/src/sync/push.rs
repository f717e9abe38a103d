//! Bringing one file in step with the portal (contract 4.3, 4.5, 4.6).
//!
//! The rules enforced here: what is sent replaces everything, so whoever has the file and no longer sees it is named (O2); who **may** have
//! it is in the ledger before the push leaves; after a lost answer the very same push goes out under the very same key, or a newer one,
//! never an older; a file that did not change is not sent.

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

/// What everybody is to see of a file.
#[derive(Debug, Clone, Default)]
struct Verdict {
    seen: Vec<Seen>,
    lost: Vec<(ContactRef, Reason)>,
}

impl Verdict {
    fn is_held_already(&self, row: &CaseRow) -> bool {
        let held =
            |seen: &Seen| row.holds.get(&seen.projection.grant).is_some_and(|hold| seen.is_held_as(hold));
        row.open.is_none() && self.lost.is_empty() && self.seen.iter().all(held)
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
    Push(Box<CasePush>),
}

impl Engine {
    /// Brings a file in step. Whatever it met is safe to be repeated.
    pub(crate) async fn push_case(&self, id: u64, causes: &[Cause], saved_at: Instant) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            // No grant changes between the judgement and the portal's answer.
            let _unchanged = self.changes.read().await;
            let looked = self.ledger.look(&[id]).await?;
            let row = looked.cases.get(&id).cloned().unwrap_or_default();
            let grants = looked.effective_grants();
            let groups = self.groups.membership().await?;
            let facts = self.facts(id, &grants, &groups).await?;
            let verdict = self.verdict(&row, facts.as_ref(), &grants, &groups, causes)?;
            if let Some(push) = self.decided(id, &looked, &verdict, causes, saved_at).await? {
                let Some(push) = push else { return Ok(()) };
                if self.sent(&push, &row, &verdict).await? {
                    return Ok(());
                }
            }
        }
        Err(unsettled(id))
    }

    /// The file in every language that somebody reads it in; nothing if there is no such file.
    pub(crate) async fn facts(
        &self,
        id: u64,
        grants: &Grants,
        groups: &Membership,
    ) -> Result<Option<BTreeMap<Lang, CaseFacts>>, Error> {
        let first = grants.iter().next().map(|grant| grant.lang).unwrap_or_default();
        let Some(facts) = self.cases.case(id, first).await? else { return Ok(None) };
        let rules = &self.settings.rules;
        let reaching =
            grants.iter().filter(|grant| project(&active(grant), &facts, grants, groups, rules).is_ok());
        let langs: BTreeSet<Lang> = reaching.map(|grant| grant.lang).filter(|lang| *lang != first).collect();
        let mut all = BTreeMap::from([(first, facts)]);
        for lang in langs {
            let Some(facts) = self.cases.case(id, lang).await? else { return Ok(None) };
            all.insert(lang, facts);
        }
        Ok(Some(all))
    }

    fn verdict(
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
        for grant in grants.iter() {
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

    /// Notes in the ledger what is about to be sent. `None`: look again; `Some(None)`: nothing is to be sent.
    async fn decided(
        &self,
        id: u64,
        looked: &Book,
        verdict: &Verdict,
        causes: &[Cause],
        saved_at: Instant,
    ) -> Result<Option<Option<Box<CasePush>>>, Error> {
        let seen_version = looked.cases.get(&id).map_or(0, |row| row.version);
        let plan = |book: &mut Book| {
            // Somebody judged it meanwhile, from what may be a later reading: the order of versions is that of the readings.
            let version = book.cases.get(&id).map_or(0, |row| row.version);
            if version != seen_version || book.grants != looked.grants {
                return Ok(Plan::LookAgain);
            }
            planned(book, id, verdict, verdict.cause(causes), saved_at)
        };
        Ok(match self.ledger.change(&[id], plan).await? {
            Plan::LookAgain => None,
            Plan::Nothing => Some(None),
            Plan::Push(push) => Some(Some(push)),
        })
    }

    /// Sends it; `false` if the portal knows better and another version is needed.
    async fn sent(&self, push: &CasePush, row: &CaseRow, verdict: &Verdict) -> Result<bool, Error> {
        let graphic = self.graphic_sent(push, row).await?;
        let key = IdempotencyKey::case(&self.tenant, push.case_id, push.version);
        self.counts.change(|counts| counts.pushed += 1);
        match self.transport.push(push, &key).await {
            Ok(answer) if matches!(answer.outcome, PushOutcome::Applied | PushOutcome::Duplicate) => {
                if answer.outcome == PushOutcome::Duplicate {
                    self.counts.change(|counts| counts.duplicates += 1);
                }
                self.settled(push, verdict, graphic).await.map(|()| true)
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
        graphic: Option<Sha256>,
    ) -> Result<(), Error> {
        let id = push.case_id;
        let settle = |book: &mut Book| {
            let row = book.case(id);
            row.open = row.open.take().filter(|open| open.version != push.version);
            row.graphic = graphic.or(row.graphic);
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

    /// O9: the bytes go up before what refers to them, and only if they are others than last time.
    async fn graphic_sent(&self, push: &CasePush, row: &CaseRow) -> Result<Option<Sha256>, Error> {
        let named = push.projections.iter().find_map(|projection| projection.view.grafico.as_ref());
        let Some(sha256) = named.map(|graphic| graphic.sha256).filter(|sha256| row.graphic != Some(*sha256))
        else {
            return Ok(None);
        };
        self.graphic_stored(push.case_id, sha256).await.map(|()| Some(sha256))
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
    if let Some(push) = again(&row, id, verdict)? {
        return Ok(Plan::Push(Box::new(push)));
    }
    let (version, sequence) = (row.version.saturating_add(1), book.next_sequence());
    let push = push_of(id, version, sequence, saved_at, cause, verdict, &verdict.lost);
    let row = book.case(id);
    row.version = version;
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
        .with_message(format!("the graphic of case {id} changed while it was read"))
        .with_hint("it is tried again by itself")
}

fn unsettled(id: u64) -> Error {
    Error::new(ErrorKind::Interrupted, "push a case")
        .with_outcome(Outcome::NotSent)
        .with_message(format!("case {id} kept changing, or the portal and the ledger do not agree on it"))
        .with_hint("it is tried again by itself")
}
