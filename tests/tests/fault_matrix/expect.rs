//! What a cell must end in, from `fault-matrix.md` and the contract's rules of the operation; the contract wins. Nothing here looks at
//! a client or at core.

use std::ops::RangeInclusive;
use std::time::Duration;

use integration_core::call::Idempotency;
use integration_core::{ErrorKind, Outcome};

use super::fault::{Effect, Fault, Hint, Times};
use super::subject::{Column, Op, Rules};

/// How a call ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With exactly the value that the operation brings.
    Success,
    /// With one of these errors.
    Error(Vec<(ErrorKind, Outcome)>),
    /// Either: the one or the other is up to the machine.
    Either(Vec<(ErrorKind, Outcome)>),
}

#[derive(Debug, Clone)]
pub struct Expected {
    pub requests: RangeInclusive<usize>,
    pub executed: RangeInclusive<usize>,
    /// Attempts, told by the pauses between them, where the server cannot count them.
    pub attempts: Option<u32>,
    pub end: End,
    /// A pause within these bounds, where the service asked for one.
    pub wait: Option<(Duration, Duration)>,
    /// What the error carries of a wait that was too long.
    pub carries: Option<Duration>,
}

/// No pause of our own choice is longer: 250 ms, then 500 ms, twice as long each time (contract of geosite 2.3; the others leave it
/// open).
pub fn own_pauses(rules: &Rules) -> impl Iterator<Item = Duration> {
    let pauses = rules.tries.max(rules.connects as usize).max(3) - 1;
    (0..pauses).cycle().map(|pause| Duration::from_millis(250 << pause))
}

pub fn expect(op: &Op, fault: &Fault) -> Expected {
    let rules = &op.rules;
    let lost = |kind| vec![(kind, rules.lost)];
    let plain = match fault.effect {
        Effect::NobodyListens => return nobody_listens(op),
        Effect::ResetOnAccept => return reset_on_accept(op, fault),
        Effect::Harmless => return harmless(op),
        Effect::Lost { in_body } => ended(op, fault, streams(op, in_body), lost(ErrorKind::Interrupted)),
        Effect::Silence { in_body } => silence(op, fault, in_body),
        // Bytes come, so that nothing stalls, until all the time is used up.
        Effect::Drip if op.rules.stall.is_some() => ended(op, fault, true, lost(ErrorKind::Timeout)),
        Effect::Drip => silence(op, fault, true),
        Effect::Status(status, hint) => return by_status(op, fault, status, hint),
        Effect::Unreadable => ended(op, fault, true, lost(ErrorKind::UnexpectedAnswer)),
        Effect::TooLarge => ended(op, fault, true, lost(ErrorKind::TooLarge)),
        Effect::Redirect => ended(op, fault, true, lost(ErrorKind::UnexpectedStatus)),
        Effect::Unauthorized => return unauthorized(op, fault),
    };
    excepted(op, fault, plain)
}

/// A body that is handed on as it comes cannot be asked for again by the call: what was handed on is out of its hands.
fn streams(op: &Op, in_body: bool) -> bool {
    op.column == Column::Download && in_body
}

/// The end of a fault after which a call is tried again, unless `is_final`.
fn ended(op: &Op, fault: &Fault, is_final: bool, errors: Vec<(ErrorKind, Outcome)>) -> Expected {
    let tries = if is_final { 1 } else { op.rules.tries };
    let acts = usize::from(fault.acts);
    if tries > 1 && fault.times == Times::Once {
        return of(op.healthy + 1, op.healthy + acts, End::Success);
    }
    of(op.after + tries, op.after + tries * acts, End::Error(errors))
}

fn of(requests: usize, executed: usize, end: End) -> Expected {
    Expected {
        requests: requests..=requests,
        executed: executed..=executed,
        attempts: None,
        end,
        wait: None,
        carries: None,
    }
}

/// Row 1: nothing left, so that every column may be repeated, where the contract does not forbid it.
fn nobody_listens(op: &Op) -> Expected {
    let error = vec![(ErrorKind::Connect, Outcome::NotSent)];
    Expected { attempts: Some(op.rules.connects), ..of(0, 0, End::Error(error)) }
}

/// Row 2: whether a byte left before the reset came is up to the machine.
fn reset_on_accept(op: &Op, fault: &Fault) -> Expected {
    let rules = &op.rules;
    let kinds = [ErrorKind::Interrupted, ErrorKind::Connect];
    let errors = kinds.into_iter().flat_map(|kind| [(kind, rules.lost), (kind, Outcome::NotSent)]).collect();
    let repeated = rules.tries > 1;
    match (fault.times, repeated) {
        (Times::Once, true) => of(op.healthy, op.healthy, End::Success),
        (Times::Always, _) => of(op.after, op.after, End::Error(errors)),
        (Times::Once, false) if rules.connects == 1 => of(op.after, op.after, End::Error(errors)),
        (Times::Once, false) => {
            let counts = op.after..=op.healthy;
            Expected {
                requests: counts.clone(),
                executed: counts,
                ..of(0, 0, End::Either(vec![(ErrorKind::Interrupted, rules.lost)]))
            }
        }
    }
}

/// Rows 6 and 7: the time of an exchange is over, and perhaps there is time for another one.
fn silence(op: &Op, fault: &Fault, in_body: bool) -> Expected {
    let rules = &op.rules;
    let error = End::Error(vec![(ErrorKind::Timeout, rules.lost)]);
    let is_final = streams(op, in_body) || !rules.after_silence || rules.tries == 1;
    // As many as have begun before the deadline, pauses left out.
    let each = rules.stall.filter(|_| in_body).unwrap_or(rules.attempt);
    let fit = rules.deadline.as_millis().div_ceil(each.as_millis()) as usize;
    let most = if is_final { 1 } else { rules.tries.min(fit) };
    let acts = usize::from(fault.acts);
    of(op.after + most, op.after + most * acts, error)
}

/// Rows 8 and 9.
fn by_status(op: &Op, fault: &Fault, status: u16, hint: Option<Hint>) -> Expected {
    let rules = &op.rules;
    let (kind, outcome) = match status {
        429 => (ErrorKind::RateLimited, rules.too_many),
        _ => (ErrorKind::UnexpectedStatus, rules.lost),
    };
    let passes = rules.passing.contains(&status);
    let wait = match hint {
        Some(Hint::Wait(wait)) => Some(wait),
        _ => None,
    };
    let (longest, is_cut) = rules.longest_wait;
    let too_long = wait.is_some_and(|wait| wait > longest) && !is_cut;
    let plain = ended(op, fault, !passes || too_long, vec![(kind, outcome)]);
    let obeyed = wait.filter(|_| passes && rules.tries > 1 && !too_long).map(|wait| wait.min(longest));
    let wait_bounds = obeyed.map(|wait| (wait, wait + Duration::from_secs(1)));
    let is_error = !matches!(plain.end, End::Success);
    let carries = wait.filter(|_| is_error).map(|wait| if is_cut { wait.min(longest) } else { wait });
    excepted(op, fault, Expected { wait: wait_bounds, carries, ..plain })
}

/// Row 18: one renewal, then success, for a login that renews; else the refusal.
fn unauthorized(op: &Op, fault: &Fault) -> Expected {
    if op.rules.renews {
        return of(op.healthy + 1, op.healthy, End::Success);
    }
    let error = vec![(ErrorKind::Authentication, op.rules.refused)];
    excepted(op, fault, of(op.after + 1, op.after, End::Error(error)))
}

fn harmless(op: &Op) -> Expected {
    of(op.healthy, op.healthy, End::Success)
}

fn excepted(op: &Op, fault: &Fault, plain: Expected) -> Expected {
    let exception = op.exceptions.iter().find(|exception| fault.name.starts_with(exception.fault));
    match exception {
        Some(exception) if plain.end != End::Success => {
            Expected { end: End::Error(vec![(exception.kind, exception.outcome)]), ..plain }
        }
        _ => plain,
    }
}

/// Promise 1, whatever the cell expects otherwise.
pub fn most_executions(op: &Op) -> Option<usize> {
    (op.rules.class == Idempotency::Once).then_some(op.healthy)
}
