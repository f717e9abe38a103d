//! What is due, as a pure function: no clock, no memory, the same answer for the same question.
//!
//! Everything rests on one function, [`next`]: the earliest instant from `now` on at which a signer gets a message, and which.
//! What it says for now is due, what it says for later is the next wake; so the two can never disagree.

use jiff::Timestamp;

use super::quiet::{day_start, first_free, is_quiet, next_send_hour, utc_day};
use super::{Action, ActionKind, FlowState, Plan, Policy, SignerState, later};
use crate::flow::Order;
use crate::status::Status;

const DAY: i64 = 86_400;

/// What to send now, and when to look again. See the [module's page](super) and contract 4.8.
///
/// | sent to | in a parallel flow every signer not known to be done, in a sequential one (and in one of unknown order) the first |
/// |---|---|
/// | never | final, paused, not started, links expired or past the deadline, reminders of the service on |
/// | at most | one message a signer and UTC day, a warning before a regular one; missed ones collapse into one |
#[must_use]
pub fn plan(now: Timestamp, policy: &Policy, flow: &FlowState) -> Plan {
    if !may_remind(policy, flow, flow.started_at.map_or(now, |start| start.max(now))) {
        return Plan::default();
    }
    if let Some(start) = flow.started_at.filter(|start| *start > now) {
        // The service's clock is a little ahead, or the start was said beforehand: look again then, do not give the flow up.
        return Plan { next_wake: Some(start), ..Plan::default() };
    }
    let mut plan = Plan::default();
    for (index, signer) in waiting(flow) {
        let case = Case { policy, flow, signer };
        let Some(first) = case.next(now) else { continue };
        if first.at > now {
            plan.next_wake = earlier(plan.next_wake, Some(first.at));
            continue;
        }
        let action = action(index, signer, &first);
        let mut after = signer.clone();
        after.record(&action, now);
        let then = Case { policy, flow, signer: &after }.next(now).map(|next| next.at);
        plan.next_wake = earlier(plan.next_wake, then);
        plan.actions.push(action);
    }
    plan
}

fn earlier(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Timestamp> {
    left.into_iter().chain(right).min()
}

fn may_remind(policy: &Policy, flow: &FlowState, now: Timestamp) -> bool {
    let is_open = !flow.status.is_final() && !matches!(flow.status, Status::Uploaded | Status::LinkExpired);
    let is_in_time = flow.deadline().is_none_or(|deadline| now < deadline);
    is_open && is_in_time && flow.started_at.is_some() && !flow.is_paused && !policy.vendor_reminders_on
}

/// Whose turn it is, as far as is known.
fn waiting(flow: &FlowState) -> impl Iterator<Item = (usize, &SignerState)> {
    let count = if flow.order == Order::Parallel { usize::MAX } else { 1 };
    flow.signers.iter().enumerate().filter(|(_, signer)| !signer.is_done).take(count)
}

fn action(index: usize, signer: &SignerState, next: &Next) -> Action {
    Action {
        signer: signer.email.clone(),
        index,
        kind: next.kind,
        attempt: signer.sent_count.saturating_add(1),
        due_at: next.due,
        link: signer.link.clone(),
    }
}

/// A message to come: due since `due`, going out at `at`.
#[derive(Debug, Clone, Copy)]
struct Next {
    due: Timestamp,
    at: Timestamp,
    kind: ActionKind,
}

/// One signer of a flow under a policy.
struct Case<'a> {
    policy: &'a Policy,
    flow: &'a FlowState,
    signer: &'a SignerState,
}

impl Case<'_> {
    /// The earliest message from `now` on.
    fn next(&self, now: Timestamp) -> Option<Next> {
        let warnings: Vec<Next> = self.warnings(now).collect();
        let regular = self.regular(now).filter(|regular| {
            // One a day, and a warning beats a regular one: it waits for the warning of its day.
            !warnings.iter().any(|warning| utc_day(warning.at) == utc_day(regular.at))
        });
        // The first in time; at one instant the most urgent, which stands for those before it, too.
        warnings.into_iter().chain(regular).min_by_key(|next| (next.at, urgency(next.kind)))
    }

    fn regular(&self, now: Timestamp) -> Option<Next> {
        if self.signer.sent_count >= self.policy.max_per_signer {
            return None;
        }
        let days = |days: u32| i64::from(days.max(1)) * DAY;
        let due = match self.signer.last_sent_at {
            Some(last) => later(last, days(self.policy.every_days)),
            None => {
                later(self.signer.turn_began.or(self.flow.started_at)?, days(self.policy.first_after_days))
            }
        };
        let kind = if self.signer.sent_count == 0 { ActionKind::First } else { ActionKind::Repeat };
        self.placed(due, now, kind)
    }

    fn warnings(&self, now: Timestamp) -> impl Iterator<Item = Next> {
        let marks = self.policy.expiry_warn_days.iter().copied();
        // A warning closer to the deadline makes those before it needless.
        let closest = self.signer.warned.first().copied().unwrap_or(u32::MAX);
        marks.filter(move |mark| *mark < closest).filter_map(move |mark| self.warning(mark, now))
    }

    fn warning(&self, mark: u32, now: Timestamp) -> Option<Next> {
        let (start, deadline) = (self.flow.started_at?, self.flow.deadline()?);
        let due = later(deadline, -i64::from(mark.max(1)) * DAY);
        if due < start {
            return None;
        }
        self.placed(due, now, ActionKind::ExpiryWarning { days: mark })
    }

    /// Moves a due instant to where it may go out: the send hour, a day on which nothing was sent, a free minute. Nothing if that
    /// is at or past the deadline.
    fn placed(&self, due: Timestamp, now: Timestamp, kind: ActionKind) -> Option<Next> {
        let mut due = first_free(next_send_hour(due, self.policy), self.policy)?;
        let last_day = self.signer.last_sent_at.map(utc_day);
        if let Some(last) = last_day.filter(|last| utc_day(due) <= *last) {
            due = first_free(next_send_hour(day_start(last + 1), self.policy), self.policy)?;
        }
        let at = if now <= due { due } else { self.free_from(now)? };
        let is_in_time = self.flow.deadline().is_none_or(|deadline| at < deadline);
        is_in_time.then_some(Next { due, at, kind })
    }

    fn free_from(&self, now: Timestamp) -> Option<Timestamp> {
        if is_quiet(now, self.policy) { first_free(now, self.policy) } else { Some(now) }
    }
}

const fn urgency(kind: ActionKind) -> u32 {
    match kind {
        ActionKind::ExpiryWarning { days } => days,
        ActionKind::First | ActionKind::Repeat => u32::MAX,
    }
}
