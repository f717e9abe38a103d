//! Pushes of case files: full replacements, by version (contract O2, O5, W30 to W32).

use std::cmp::Ordering;

use super::super::{
    CaseBatch, CaseBatchAnswer, CasePush, Cause, ContactRef, Instant, ItemAnswer, PushAnswer, PushOutcome,
    Reason, StoredCase, StoredWithdrawal,
};
use super::denial::Denial;
use super::portal::{Case, Content, Held, Portal, Shown};

impl Portal {
    /// W30
    pub(super) fn push(&mut self, push: &CasePush, at: Instant) -> Result<PushAnswer, Denial> {
        let content = content(push)?;
        let case = self.cases.get(&push.case_id);
        let stored = case.map_or(0, |case| case.version);
        let outcome = match push.version.cmp(&stored) {
            Ordering::Less => PushOutcome::Stale,
            Ordering::Equal if case.is_some_and(|case| case.says(push.version, &content)) => {
                PushOutcome::Duplicate
            }
            Ordering::Equal => return Err(Denial::version_reuse(stored)),
            Ordering::Greater => {
                self.names_everybody(push.case_id, &content)?;
                self.replace(push, content, at);
                PushOutcome::Applied
            }
        };
        Ok(PushAnswer { outcome, stored_version: stored.max(push.version) })
    }

    /// No projection for nobody, and nobody loses a file without being named, unless suspended (O2).
    fn names_everybody(&self, case: u64, content: &Content) -> Result<(), Denial> {
        let nobody = |(grant, shown): (&ContactRef, &Shown)| {
            matches!(shown, Shown::Visible { .. }) && !self.grants.contains_key(grant)
        };
        if content.iter().any(nobody) {
            return Err(Denial::refused("grant-unknown"));
        }
        let held = self.cases.get(&case).into_iter().flat_map(|case| &case.held);
        let forgotten: Vec<&ContactRef> = held
            .filter(|(grant, held)| held.view().is_some() && self.is_active(grant))
            .map(|(grant, _)| grant)
            .filter(|grant| !content.contains_key(grant))
            .collect();
        if forgotten.is_empty() { Ok(()) } else { Err(Denial::implicit_withdrawal(&forgotten)) }
    }

    fn replace(&mut self, push: &CasePush, content: Content, at: Instant) {
        let CasePush { case_id, version, sequence, .. } = *push;
        for (grant, shown) in &content {
            match shown {
                Shown::Visible { .. } => {
                    self.hold(grant, case_id, Held { version, sequence, shown: shown.clone() });
                }
                Shown::Gone(reason) => {
                    self.take_away(grant, case_id, version, reason, at);
                }
            }
        }
        let case = self.cases.entry(case_id).or_default();
        // What is taken away by a push is as late as the push: no load that began earlier brings it back (4.4).
        let named = case.held.iter_mut().filter(|(grant, _)| content.contains_key(grant));
        named.for_each(|(_, held)| held.sequence = sequence);
        case.version = version;
        case.sequence = case.sequence.max(sequence);
        case.pushed = Some((version, content));
    }

    /// W31: one bad item does not stop the others.
    pub(super) fn push_batch(&mut self, batch: &CaseBatch, at: Instant) -> Result<CaseBatchAnswer, Denial> {
        let limit = self.limits.batch_items;
        if batch.items.len() as u64 > limit {
            return Err(Denial::too_large(limit));
        }
        Ok(CaseBatchAnswer { items: batch.items.iter().map(|push| self.push_item(push, at)).collect() })
    }

    fn push_item(&mut self, push: &CasePush, at: Instant) -> ItemAnswer {
        let mut item = ItemAnswer {
            case_id: Some(push.case_id),
            status_code: 200,
            outcome: None,
            stored_version: None,
            error: None,
        };
        match self.push(push, at) {
            Ok(PushAnswer { outcome, stored_version }) => {
                (item.outcome, item.stored_version) = (Some(outcome), Some(stored_version));
            }
            Err(denial) => {
                item.status_code = denial.status();
                item.error = Some(denial.into_item());
            }
        }
        item
    }

    /// W32
    pub(super) fn case(&self, case: u64) -> Option<StoredCase> {
        let case = self.cases.get(&case)?;
        let (mut grants, mut withdrawn) = (Vec::new(), Vec::new());
        for (grant, held) in &case.held {
            match &held.shown {
                Shown::Visible { .. } => grants.push(grant.clone()),
                Shown::Gone(reason) => withdrawn.push(StoredWithdrawal {
                    grant: grant.clone(),
                    version: Some(held.version),
                    reason: reason.clone(),
                }),
            }
        }
        Some(StoredCase { version: case.version, grants, withdrawn })
    }
}

impl Case {
    /// Whether the stored version says this. A version that came by a load or a withdrawal has no push to compare with: what is held
    /// decides then.
    fn says(&self, version: u64, content: &Content) -> bool {
        match &self.pushed {
            Some((pushed, own)) if *pushed == version => own == content,
            _ => content.iter().all(|(grant, shown)| match self.held.get(grant) {
                Some(held) => held.version == version && held.shown == *shown,
                None => false,
            }),
        }
    }
}

/// What a push says, if it can be read.
fn content(push: &CasePush) -> Result<Content, Denial> {
    let words = Cause::LISTED.contains(&push.cause)
        && push.withdrawals.iter().all(|one| Reason::LISTED.contains(&one.reason));
    if push.version == 0 || !words {
        return Err(Denial::invalid("version, cause and reasons"));
    }
    let projections = push.projections.iter().map(|one| {
        (one.grant.clone(), Shown::Visible { holder: one.holder.clone(), view: Box::new(one.view.clone()) })
    });
    let withdrawals = push.withdrawals.iter().map(|one| (one.grant.clone(), Shown::Gone(one.reason.clone())));
    let content: Content = projections.chain(withdrawals).collect();
    let named = push.projections.len() + push.withdrawals.len();
    if content.len() == named { Ok(content) } else { Err(Denial::invalid("a grant is named twice")) }
}
