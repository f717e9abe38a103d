//! Withdrawals, confirmed and kept for audit (contract 4.6, W40, W41).

use std::cmp::Ordering;

use super::super::{
    Instant, Part, Reason, RefusalCode, WithdrawalAnswer, WithdrawalBatch, WithdrawalBatchAnswer,
    WithdrawalItem, WithdrawalOutcome, WithdrawalPage,
};
use super::denial::Denial;
use super::portal::{Portal, place};

impl Portal {
    /// W40
    pub(super) fn withdraw(
        &mut self,
        batch: &WithdrawalBatch,
        at: Instant,
    ) -> Result<WithdrawalBatchAnswer, Denial> {
        let good = |item: &WithdrawalItem| item.version > 0 && Reason::LISTED.contains(&item.reason);
        if !batch.items.iter().all(good) {
            return Err(Denial::invalid("items"));
        }
        let outcomes = batch.items.iter().map(|item| self.withdraw_one(item, at));
        let items = outcomes.map(|outcome| WithdrawalAnswer { outcome }).collect();
        Ok(WithdrawalBatchAnswer { items })
    }

    /// By the version that the grant has of the case (O5). What is not there gets a tombstone: a later, older push stays away.
    fn withdraw_one(&mut self, item: &WithdrawalItem, at: Instant) -> WithdrawalOutcome {
        let WithdrawalItem { case_id, version, grant, reason } = item;
        let held = self.held(grant, *case_id);
        let is_visible = held.is_some_and(|held| held.view().is_some());
        match version.cmp(&held.map_or(0, |held| held.version)) {
            Ordering::Less => WithdrawalOutcome::Stale,
            Ordering::Equal if is_visible => WithdrawalOutcome::from_wire(RefusalCode::VersionReuse.as_str()),
            Ordering::Equal => WithdrawalOutcome::Already,
            Ordering::Greater if self.take_away(grant, *case_id, *version, reason, at) => {
                WithdrawalOutcome::Withdrawn
            }
            Ordering::Greater => WithdrawalOutcome::Already,
        }
    }

    /// W41
    pub(super) fn list_withdrawals(&self, part: &Part) -> Result<WithdrawalPage, Denial> {
        let after = place(part)?;
        let all = (1u64..).zip(&self.withdrawals).filter(|(number, _)| *number > after);
        let rest = all.map(|(number, record)| (number.to_string(), record.clone()));
        let (items, next) = self.page(part, rest)?;
        Ok(WithdrawalPage { items, next })
    }
}
