//! What follows from a changed grant or membership: which files have to be looked at again (contract 4.2 N5, 4.6, O7).
//!
//! The rules enforced here: what a grant has and may lose comes first, found in the ledger, so that it needs nothing from the firm's
//! system; what it may gain comes through a single push; a holder's own grant restricts the group grants over its files, so these are
//! looked at too (steps 4 and 5 of 4.3).

use std::collections::BTreeSet;

use integration_core::Error;

use super::engine::Engine;
use super::ledger::{Book, Hold, Spread};
use super::queue::{Job, Mark, Rank};
use crate::visible::Membership;
use crate::web::{
    BatchId, Cause, ClosedCases, ContactRef, FieldBox, Grant, GrantState, IdempotencyKey, Reason, Scope,
    WithdrawalBatch, WithdrawalItem, WithdrawalOutcome,
};

impl Engine {
    /// Draws the consequences of every change of a grant that the portal has taken.
    pub(crate) async fn spread(&self, contact: &ContactRef) -> Result<(), Error> {
        let book = self.ledger.look(&[]).await?;
        let Some(row) = book.grants.get(contact) else { return Ok(()) };
        for Spread { before, after } in &row.spread {
            self.spread_own(contact, before.as_ref(), after.as_ref(), row.loaded).await?;
            self.spread_over_others(contact, before.as_ref(), after.as_ref(), &book).await?;
        }
        let done = row.spread.len();
        let clear = |book: &mut Book| {
            let row = book.grant_row(contact);
            row.spread.drain(..done.min(row.spread.len()));
            Ok(())
        };
        self.ledger.change(&[], clear).await
    }

    async fn spread_own(
        &self,
        contact: &ContactRef,
        before: Option<&Grant>,
        after: Option<&Grant>,
        loaded: u64,
    ) -> Result<(), Error> {
        let Some(after) = after else { return self.forgotten(contact).await };
        let reads_anew = before.is_some_and(|before| narrows(before, after) || resumes(before, after));
        if reads_anew {
            self.left_scope(after).await?;
            let held = self.ledger.held(contact).await?;
            self.restricted(held.into_iter().map(|(id, _)| id)).await?;
        }
        let opens = before.is_none_or(|before| widens(before, after) || resumes(before, after));
        // A load that somebody asked for meanwhile, such as the initial one, has sent it all.
        if opens && after.state == GrantState::Active && loaded < after.version {
            self.queue.add([self.load_mark(contact)]).await?;
        }
        Ok(())
    }

    /// The portal dropped everything of a revoked grant (W14).
    async fn forgotten(&self, contact: &ContactRef) -> Result<(), Error> {
        loop {
            let page = self.ledger.held_page(contact, None).await?;
            if page.is_empty() {
                return Ok(());
            }
            let ids: Vec<u64> = page.iter().map(|(id, _)| *id).collect();
            let forget = |book: &mut Book| {
                // Opened again meanwhile: then these are not the revoked grant's.
                let is_gone = book.grants.get(contact).is_none_or(|row| row.grant.is_none());
                book.cases.values_mut().filter(|_| is_gone).for_each(|row| row.forget(contact));
                Ok(is_gone)
            };
            if !self.ledger.change(&ids, forget).await? {
                return self.doubted(&ids, contact).await;
            }
            for id in ids {
                self.withdrew(id, contact, &Reason::GrantRevoked);
            }
        }
    }

    /// What the ledger says that a grant has, it may not have any more.
    async fn doubted(&self, ids: &[u64], contact: &ContactRef) -> Result<(), Error> {
        let doubt = |book: &mut Book| {
            let holds = book.cases.values_mut().filter_map(|row| row.holds.get_mut(contact));
            holds.for_each(|hold| hold.sure = false);
            Ok(())
        };
        self.ledger.change(ids, doubt).await?;
        self.restricted(ids.iter().copied()).await
    }

    /// Files of others, where the grant reaches its own contact's only by now: withdrawn at once, without asking for the files.
    async fn left_scope(&self, grant: &Grant) -> Result<(), Error> {
        if grant.scope != Scope::Own {
            return Ok(());
        }
        let held = self.ledger.held(&grant.contact).await?;
        let others = held.into_iter().filter(|(_, hold)| is_of_another(hold, grant.contact_id));
        self.withdrawn(&grant.contact, others.map(|(id, _)| id).collect()).await
    }

    /// W40, in batches: each with versions that were issued for it.
    async fn withdrawn(&self, contact: &ContactRef, ids: Vec<u64>) -> Result<(), Error> {
        let book = self.ledger.look(&[]).await?;
        let grant = book.grants.get(contact).and_then(|row| row.grant.as_ref());
        let whose: BTreeSet<u64> = grant.map(|grant| grant.contact_id).into_iter().collect();
        for ids in ids.chunks(self.settings.batch_items) {
            let _passing = self.passing(whose.clone()).await?;
            let issue = |book: &mut Book| {
                let mut items = Vec::new();
                for id in ids {
                    let row = book.case(*id);
                    let Some(hold) = row.holds.get_mut(contact) else { continue };
                    row.version = row.version.saturating_add(1);
                    hold.sure = false;
                    let (grant, reason) = (contact.clone(), Reason::ScopeNarrowed);
                    items.push(WithdrawalItem { case_id: *id, version: row.version, grant, reason });
                }
                Ok(items)
            };
            let items = self.ledger.change(ids, issue).await?;
            if items.is_empty() {
                continue;
            }
            let batch = WithdrawalBatch { batch_id: BatchId::generate()?, items };
            let key = IdempotencyKey::withdrawals(&self.tenant, &batch.batch_id);
            let answer = self.transport.withdraw(&batch, &key).await?;
            let gone = batch.items.iter().zip(&answer.items).filter(|(_, answer)| {
                matches!(answer.outcome, WithdrawalOutcome::Withdrawn | WithdrawalOutcome::Already)
            });
            let gone: Vec<&WithdrawalItem> = gone.map(|(item, _)| item).collect();
            self.withdrawals_settled(contact, &gone).await?;
        }
        Ok(())
    }

    async fn withdrawals_settled(&self, contact: &ContactRef, gone: &[&WithdrawalItem]) -> Result<(), Error> {
        let ids: Vec<u64> = gone.iter().map(|item| item.case_id).collect();
        let settle = |book: &mut Book| {
            for item in gone {
                let row = book.case(item.case_id);
                if row.holds.get(contact).is_some_and(|hold| hold.version <= item.version) {
                    row.forget(contact);
                }
            }
            Ok(())
        };
        self.ledger.change(&ids, settle).await?;
        gone.iter().for_each(|item| self.withdrew(item.case_id, contact, &item.reason));
        Ok(())
    }

    /// A holder's own grant restricts, and frees, the group grants over its files.
    async fn spread_over_others(
        &self,
        contact: &ContactRef,
        before: Option<&Grant>,
        after: Option<&Grant>,
        book: &Book,
    ) -> Result<(), Error> {
        let Some(id) = after.or(before).map(|grant| grant.contact_id) else { return Ok(()) };
        if before.map(restrictions) == after.map(restrictions) {
            return Ok(());
        }
        self.restricted(self.held_of(contact, id, book).await?).await?;
        let groups = self.groups.membership().await?;
        if reaches(book, &groups, contact, id) {
            self.regained(contact, id, Rank::Ordinary).await?;
        }
        Ok(())
    }

    /// N5: all files of a member are looked at again, and, with a group grant of its own, those of the others.
    pub(crate) async fn member_worked(&self, contact: &ContactRef, id: u64) -> Result<(), Error> {
        let book = self.ledger.look(&[]).await?;
        let groups = self.groups.membership().await?;
        let own =
            book.grants.values().filter_map(|row| row.grant.as_ref()).filter(|grant| grant.contact_id == id);
        let own: Vec<&Grant> = own.filter(|grant| grant.scope != Scope::Own).collect();
        let mut held: BTreeSet<u64> = self.held_of(contact, id, &book).await?.into_iter().collect();
        for grant in &own {
            let theirs = self.ledger.held(&grant.contact).await?.into_iter();
            held.extend(theirs.filter(|(_, hold)| is_of_another(hold, id)).map(|(case, _)| case));
        }
        self.restricted(held).await?;
        if reaches(&book, &groups, contact, id) {
            self.regained(contact, id, Rank::Ordinary).await?;
        }
        let active = own.iter().filter(|grant| grant.state == GrantState::Active);
        self.queue.add(active.map(|grant| self.load_mark(&grant.contact))).await
    }

    /// The files of a contact that other grants have, by the ledger.
    async fn held_of(&self, contact: &ContactRef, id: u64, book: &Book) -> Result<Vec<u64>, Error> {
        let mut cases = BTreeSet::new();
        for other in book.grants.keys().filter(|other| *other != contact) {
            let held = self.ledger.held(other).await?.into_iter();
            cases.extend(held.filter(|(_, hold)| hold.holder_id == id).map(|(case, _)| case));
        }
        Ok(cases.into_iter().collect())
    }

    /// Files that others may see from now on: found in the firm's system.
    async fn regained(&self, contact: &ContactRef, id: u64, rank: Rank) -> Result<(), Error> {
        let Some(role) = self.settings.rules.role(contact.kind()) else { return Ok(()) };
        let list = self.cases.held_by(role, id).await?;
        self.queue.add(list.ids.into_iter().map(|case| self.grant_case(case, rank))).await
    }

    pub(crate) async fn restricted(&self, cases: impl IntoIterator<Item = u64>) -> Result<(), Error> {
        self.queue.add(cases.into_iter().map(|case| self.grant_case(case, Rank::Restriction))).await
    }

    fn grant_case(&self, case: u64, rank: Rank) -> Mark {
        Mark { job: Job::Case(case), rank, cause: Cause::Grant, saved_at: self.now() }
    }

    pub(crate) fn load_mark(&self, contact: &ContactRef) -> Mark {
        Mark {
            job: Job::Load(contact.clone()),
            rank: Rank::Ordinary,
            cause: Cause::Load,
            saved_at: self.now(),
        }
    }
}

/// Whether a hold is of somebody else's file; of one that nobody knows, it may not be.
fn is_of_another(hold: &Hold, contact_id: u64) -> bool {
    hold.holder_id != contact_id && hold.holder_id != 0
}

/// What a contact's own grant takes from others.
fn restrictions(grant: &Grant) -> (u64, &BTreeSet<FieldBox>, &BTreeSet<String>) {
    (grant.contact_id, &grant.show, &grant.excluded_modalities)
}

/// Whether somebody else's active group grant reaches a contact's files.
fn reaches(book: &Book, groups: &Membership, contact: &ContactRef, id: u64) -> bool {
    book.grants.values().filter_map(|row| row.grant.as_ref()).any(|grant| match &grant.scope {
        Scope::Group { group } => grant.contact != *contact && groups.contains(id, group),
        Scope::Own => false,
    })
}

/// Whether some file or field that was open is no longer, or reads otherwise.
fn narrows(before: &Grant, after: &Grant) -> bool {
    let scope = before.scope != after.scope && before.scope != Scope::Own;
    let closed = before.closed_cases == ClosedCases::Keep && after.closed_cases != ClosedCases::Keep;
    scope
        || closed
        || !before.show.is_subset(&after.show)
        || !after.excluded_modalities.is_subset(&before.excluded_modalities)
        || before.lang != after.lang
        || before.contact_id != after.contact_id
}

fn widens(before: &Grant, after: &Grant) -> bool {
    let scope = before.scope != after.scope && after.scope != Scope::Own;
    let closed = before.closed_cases != ClosedCases::Keep && after.closed_cases == ClosedCases::Keep;
    scope
        || closed
        || !after.show.is_subset(&before.show)
        || !before.excluded_modalities.is_subset(&after.excluded_modalities)
        || before.contact_id != after.contact_id
}

fn resumes(before: &Grant, after: &Grant) -> bool {
    before.state != GrantState::Active && after.state == GrantState::Active
}
