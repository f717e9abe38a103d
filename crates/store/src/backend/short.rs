//! The steps of which a call is made, with all that they need read by one statement and decided before anything is written:
//! at most one entry written down, at most one changed, which keeps its bytes. What differs between the engines is how the plan
//! is then carried out. Compiled for each of them, as `sql.rs` is.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::Row as _;

use super::sql::{ENTRY, Lane, Request, Turn, entry_at, get, seal_entry};
use super::{Connection, Moment, NOW, failed};
use crate::backend::row::state_code;
use crate::backend::{lease_lost, no_such_entry};
use crate::chain::Tip;
use crate::entry::{Entry, Lease, NewEntry, State, Step};
use crate::error::StoreError;

/// The steps of which a call is made: at most one entry written down, at most one changed, which keeps its bytes.
pub(super) fn is_short(step: &Step) -> bool {
    step.append.len() <= 1
        && step.changes.len() <= 1
        && step.changes.iter().all(|change| change.body.is_none())
}

/// What the look found.
struct Look {
    lane: Lane,
    /// The entry to be changed, if one is.
    entry: Option<Entry>,
    /// Whether the lane holds, beside it, entries that are prepared, in flight, unknown.
    others: [bool; 3],
}

async fn look(
    connection: &mut Connection,
    time: Moment,
    request: &Request,
) -> Result<Option<Look>, StoreError> {
    let other = |state: State| {
        let code = state_code(state);
        format!(
            "EXISTS (SELECT 1 FROM integration_entries o
             WHERE o.outbox = $1 AND o.lane = $2 AND o.state = {code} AND o.id <> $3)"
        )
    };
    let others = [State::Prepared, State::InFlight, State::Unknown].map(other).join(", ");
    let columns = ENTRY.split(", ").map(|column| format!("e.{column}")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT l.fence, l.worker, l.granted, l.ttl, l.turn, l.lines, l.tip, {NOW}, {others}, {columns}
         FROM integration_lanes l LEFT JOIN integration_entries e ON e.outbox = $1 AND e.id = $3
         WHERE l.outbox = $1 AND l.lane = $2"
    );
    let Lease { outbox, lane, .. } = &request.lease;
    let change = request.step.changes.first();
    let query = sqlx::query(&sql).bind(outbox).bind(lane).bind(change.map_or(0, |change| change.entry));
    let row = query.fetch_optional(connection).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let found = row.try_get::<Option<i64>, _>(11).map_err(failed)?.is_some();
    Ok(Some(Look {
        lane: Lane::read(outbox, lane, time, &row)?,
        entry: if found { Some(entry_at(&row, 11)?) } else { None },
        others: [get(&row, 8)?, get(&row, 9)?, get(&row, 10)?],
    }))
}

impl Look {
    fn may_be_claimed(&self, seen: &Lease) -> bool {
        let [_, in_flight, unknown] = self.others;
        let entry = self.entry.as_ref().map(|entry| entry.state);
        let unsettled = in_flight || unknown || matches!(entry, Some(State::InFlight | State::Unknown));
        !unsettled && !self.lane.is_held_against(&seen.worker) && self.lane.fence == seen.fence
    }
}

/// Everything that the statement will write.
pub(super) struct Plan {
    /// Fence, holder and tip at the look.
    pub(super) seen: (i64, Option<String>, Tip),
    pub(super) lane: Lane,
    pub(super) lease: Lease,
    pub(super) append: Option<Entry>,
    pub(super) change: Option<Entry>,
    /// State, version and checksum of the entry to be changed, at the look.
    pub(super) changes_from: Option<(State, i64, i64)>,
    /// Whether it rests on what is remembered rather than on a look: then everything that it rests on must be guarded.
    #[allow(dead_code, reason = "SQLite has a statement of its own for it")]
    pub(super) remembered: bool,
    /// Whether the lane holds, beside the entry to be changed, entries that are prepared, in flight, unknown.
    others: [bool; 3],
}

impl Plan {
    fn new(look: Look, request: &Request) -> Result<Self, StoreError> {
        let Look { mut lane, entry, others } = look;
        let seen = (lane.fence, lane.worker.clone(), lane.tip);
        let lease = match request.claim {
            Some(ttl) => lane.grant(&request.lease.worker, ttl),
            None => request.lease.clone(),
        };
        let append = request.step.append.first().map(|new| plan_append(&mut lane, &lease, new.clone()));
        let append = append.transpose()?;
        let mut change = None;
        if let Some(wanted) = request.step.changes.first() {
            let entry = entry.as_ref().ok_or_else(|| no_such_entry(&lease.outbox, wanted.entry))?;
            let changed = entry.changed(&lane.name, wanted, lane.at()?)?;
            lane.add_change(&lease.worker, &changed);
            change = Some(changed);
        }
        let standing = [append.as_ref(), change.as_ref(), entry.as_ref().filter(|_| change.is_none())];
        lane.turn = turn_after(&lane, others, standing.into_iter().flatten());
        if request.step.release {
            lane.worker = None;
        }
        let changes_from = entry.filter(|_| change.is_some()).map(|e| (e.state, e.version, seal_entry(&e)));
        Ok(Self { seen, lane, lease, append, change, changes_from, remembered: false, others })
    }

    /// How the lane stands once this is committed; `None` if that is not worth its memory.
    fn memo(&self) -> Option<Memo> {
        let entry = match (&self.append, &self.change) {
            (Some(_), Some(_)) => return None,
            (entry, None) | (None, entry) => entry.clone(),
        };
        let entry = entry.filter(counts);
        if entry.as_ref().is_some_and(|entry| entry.body.len() + entry.data.len() > WORTH_KEEPING) {
            return None;
        }
        let queued = match self.lane.turn {
            Turn::Leaves => false,
            Turn::GoesToTheEnd | Turn::Joins => true,
            Turn::Stays | Turn::Open => return None,
        };
        let lane = Lane { lines: Vec::new(), turn: Turn::Stays, queued, ..self.lane.clone() };
        Some(Memo { lane, entry, others: self.others })
    }
}

/// Whether an entry is one of those by which a lane is ready or unsettled.
fn counts(entry: &Entry) -> bool {
    matches!(entry.state, State::Prepared | State::InFlight | State::Unknown)
}

/// How many lanes are remembered.
const LANES: usize = 1_024;
/// Larger entries are read anew.
const WORTH_KEEPING: usize = 65_536;

/// How a lane stood after a step of ours.
#[derive(Debug)]
struct Memo {
    lane: Lane,
    /// The step's entry, while it counts.
    entry: Option<Entry>,
    /// Beside it.
    others: [bool; 3],
}

impl Memo {
    /// What a look would find if nobody has been in the lane since. `None` if only a look can tell.
    fn look(self, request: &Request, now: i64) -> Option<Look> {
        let Self { mut lane, entry, mut others } = self;
        if lane.worker.as_ref().is_some_and(|worker| *worker != request.lease.worker) {
            return None;
        }
        lane.now = now.max(lane.now);
        let entry = match (request.step.changes.first(), entry) {
            (Some(change), Some(entry)) if change.entry == entry.id => Some(entry),
            (Some(_), _) => return None,
            (None, entry) => {
                let state = entry.map(|entry| entry.state);
                let counted = [State::Prepared, State::InFlight, State::Unknown];
                for (other, counted) in others.iter_mut().zip(counted) {
                    *other |= state == Some(counted);
                }
                None
            }
        };
        Some(Look { lane, entry, others })
    }
}

/// How lanes stood after this handle's last step in each: saves the look before the next. Nothing is believed: the write that
/// rests on it demands fence, holder and tip as remembered, and whatever changes a lane or an entry of it moves one of them.
#[derive(Debug, Default)]
pub(super) struct Memos(Mutex<HashMap<(String, String), Memo>>);

impl Memos {
    /// The plan of a step that needs no look. Any doubt, and any reason to refuse it, is for a look to settle.
    pub(super) fn plan(&self, request: &Request, now: impl FnOnce() -> Option<i64>) -> Option<Box<Plan>> {
        if !is_short(&request.step) || request.step.append.len() + request.step.changes.len() != 1 {
            return None;
        }
        let Lease { outbox, lane, .. } = &request.lease;
        let memo = self.lock().remove(&(outbox.clone(), lane.clone()))?;
        let look = memo.look(request, now()?)?;
        let stands = match request.claim {
            Some(_) => look.may_be_claimed(&request.lease),
            None => look.lane.is_held_by(&request.lease),
        };
        let plan = Plan::new(look, request).ok().filter(|_| stands)?;
        Some(Box::new(Plan { remembered: true, ..plan }))
    }

    /// To be called once the plan is written, with the id of what was written down.
    pub(super) fn remember(&self, plan: &Plan) {
        let Some(memo) = plan.memo() else { return };
        let mut memos = self.lock();
        if memos.len() >= LANES {
            memos.clear();
        }
        memos.insert((plan.lane.outbox.clone(), plan.lane.name.clone()), memo);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Memo>> {
        // A memo that a panic left behind is guarded like any other.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be done about a request, as far as a look tells.
pub(super) enum Next {
    /// The lane is not there yet: it must be made.
    MakeLane,
    /// A lane to be claimed does not stand as it was seen.
    Refuse,
    Write(Box<Plan>),
}

/// Looks, and decides.
pub(super) async fn plan(
    connection: &mut Connection,
    time: Moment,
    request: &Request,
) -> Result<Next, StoreError> {
    let Some(look) = look(connection, time, request).await? else { return Ok(Next::MakeLane) };
    let lease = &request.lease;
    if request.claim.is_some() && !look.may_be_claimed(lease) {
        return Ok(Next::Refuse);
    }
    if request.claim.is_none() && !look.lane.is_held_by(lease) {
        return Err(lease_lost(lease));
    }
    Ok(Next::Write(Box::new(Plan::new(look, request)?)))
}

/// The entry as it will stand, with its lines added to the lane. Its id is the server's to give.
fn plan_append(lane: &mut Lane, lease: &Lease, new: NewEntry) -> Result<Entry, StoreError> {
    let in_flight = new.in_flight;
    let prepared = Entry::prepared(0, new, lane.at()?);
    lane.add_change(&lease.worker, &prepared);
    if !in_flight {
        return Ok(prepared);
    }
    let sent = prepared.sent_at_once();
    lane.add_change(&lease.worker, &sent);
    Ok(sent)
}

/// A lane is ready if something is prepared or in flight and nothing unknown.
fn turn_after<'e>(lane: &Lane, others: [bool; 3], standing: impl Iterator<Item = &'e Entry>) -> Turn {
    let [prepared, in_flight, mut unknown] = others;
    let mut ready = prepared || in_flight;
    for entry in standing.filter(|entry| entry.lane == lane.name) {
        ready |= matches!(entry.state, State::Prepared | State::InFlight);
        unknown |= entry.state == State::Unknown;
    }
    match (ready && !unknown, lane.turn) {
        (false, _) => Turn::Leaves,
        (true, Turn::GoesToTheEnd) => Turn::GoesToTheEnd,
        (true, _) => Turn::Joins,
    }
}
