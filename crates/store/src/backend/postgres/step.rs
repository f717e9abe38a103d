//! A step without a transaction of several round trips: a look, and one guarded statement that commits by itself.
//!
//! The look reads the lane and the entry to be changed as of one moment, and everything is decided and computed here. The
//! statement then first changes the lane's row, **if** its fence, its holder and its tip are still the ones that were seen, and
//! everything else hangs on that row. Whatever changes an entry of a lane adds a line to its history and so moves the tip:
//! an unmoved tip says that the look still holds. (Whoever comes second waits for the row, and then meets the other's.)
//! A guard that fails costs a new look; after a few of them, or for a step of another shape, the locked way is taken.

use sqlx::Row as _;

use super::sql::{ENTRY, Lane, Request, Turn, entry_at, get, seal_entry};
use super::{Connection, NOW, Postgres, failed};
use crate::backend::row::state_code;
use crate::backend::{key_is_there, lease_lost, no_such_entry};
use crate::chain::Tip;
use crate::entry::{Entry, Lease, State, Step};
use crate::error::StoreError;

type Outcome = Option<(Lease, Vec<Entry>)>;

/// How often the lane may have moved on between look and statement before it is locked.
const TRIES: usize = 3;

impl Postgres {
    pub(super) async fn step(&self, request: Request) -> Result<Outcome, StoreError> {
        if is_short(&request.step) {
            for _ in 0..TRIES {
                let looked = request.clone();
                let tried = self.look(|connection, ()| Box::pin(attempt(connection, looked))).await?;
                if let Attempt::Settled(outcome) = tried {
                    return Ok(outcome);
                }
            }
        }
        self.transact(|connection, ()| Box::pin(super::sql::locked(connection, (), request))).await
    }
}

/// The steps of which a call is made: at most one entry written down, at most one changed, which keeps its bytes.
fn is_short(step: &Step) -> bool {
    step.append.len() <= 1
        && step.changes.len() <= 1
        && step.changes.iter().all(|change| change.body.is_none())
}

enum Attempt {
    /// The lane is not there yet, or moved on.
    Again,
    Settled(Outcome),
}

/// What the look found.
struct Look {
    lane: Lane,
    /// The entry to be changed, if one is.
    entry: Option<Entry>,
    /// Whether the lane holds, beside it, entries that are prepared, in flight, unknown.
    others: [bool; 3],
}

async fn attempt(connection: &mut Connection, request: Request) -> Result<Attempt, StoreError> {
    let Some(look) = look(connection, &request).await? else { return Ok(Attempt::Again) };
    let lease = &request.lease;
    if request.claim.is_some() && !look.may_be_claimed(lease) {
        return Ok(Attempt::Settled(None));
    }
    if request.claim.is_none() && !look.lane.is_held_by(lease) {
        return Err(lease_lost(lease));
    }
    Plan::new(look, &request)?.carry_out(connection).await
}

async fn look(connection: &mut Connection, request: &Request) -> Result<Option<Look>, StoreError> {
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
        lane: Lane::read(outbox, lane, (), &row)?,
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
struct Plan {
    seen: (i64, Option<String>, Tip),
    lane: Lane,
    lease: Lease,
    claims: bool,
    append: Option<Entry>,
    change: Option<Entry>,
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
        Ok(Self { seen, lane, lease, claims: request.claim.is_some(), append, change })
    }

    async fn carry_out(mut self, connection: &mut Connection) -> Result<Attempt, StoreError> {
        let sql = self.sql();
        let (fence, worker, tip) = &self.seen;
        let lane = &self.lane;
        let mut query = sqlx::query(&sql)
            .bind(&lane.outbox)
            .bind(&lane.name)
            .bind(lane.fence)
            .bind(&lane.worker)
            .bind(lane.tip.lines)
            .bind(lane.tip.link.as_bytes().as_slice())
            .bind(fence)
            .bind(worker)
            .bind(tip.link.as_bytes().as_slice())
            .bind(lane.granted)
            .bind(lane.ttl)
            .bind(&self.lease.worker);
        let lines = || lane.lines.iter();
        query = query
            .bind(lines().map(|line| line.entry).collect::<Vec<_>>())
            .bind(lines().map(|line| line.at.as_microsecond()).collect::<Vec<_>>())
            .bind(lines().map(|line| state_code(line.state)).collect::<Vec<_>>())
            .bind(lines().map(|line| line.data.to_vec()).collect::<Vec<_>>())
            .bind(lines().map(|line| line.body.as_bytes().to_vec()).collect::<Vec<_>>())
            .bind(lines().map(|line| line.line).collect::<Vec<_>>())
            .bind(lines().map(|line| line.link.as_bytes().to_vec()).collect::<Vec<_>>());
        for entry in self.append.iter().chain(&self.change) {
            query = query
                .bind(state_code(entry.state))
                .bind(entry.data.as_ref())
                .bind(entry.version)
                .bind(entry.changed.as_microsecond())
                .bind(seal_entry(entry));
        }
        if let Some(entry) = &self.append {
            query = query.bind(&entry.key).bind(entry.body.as_ref()).bind(entry.created.as_microsecond());
        }
        if let Some(entry) = &self.change {
            query = query.bind(entry.id);
        }
        let row = match query.fetch_one(connection).await {
            Ok(row) => row,
            Err(error) => return Err(self.refused(error)),
        };
        if get::<Option<i64>>(&row, 0)?.is_none() {
            return Ok(Attempt::Again);
        }
        if let Some(entry) = &mut self.append {
            entry.id = get(&row, 1)?;
        }
        let entries = self.append.into_iter().chain(self.change).collect();
        Ok(Attempt::Settled(Some((self.lease, entries))))
    }

    /// The lane's row first, everything else only with it; appends under the shared lock that lets a reader wait for them.
    fn sql(&self) -> String {
        let (mut lock, mut from, mut parts, mut ids) = ("", "", String::new(), "NULL::BIGINT");
        let mut next = 20;
        let mut five = || {
            let first = next;
            next += 5;
            [first, first + 1, first + 2, first + 3, first + 4].map(|number| format!("${number}"))
        };
        let appended = self.append.as_ref().map(|_| five());
        let changed = self.change.as_ref().map(|_| five());
        if let Some([state, data, version, at, seal]) = appended {
            lock =
                "k AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 1229870151))), ";
            from = "FROM k";
            ids = "(SELECT id FROM e)";
            let [key, body, created] = [next, next + 1, next + 2];
            next += 3;
            parts += &format!(
                ", e AS (INSERT INTO integration_entries
                 (outbox, lane, key, state, body, data, version, created, changed, checksum)
                 SELECT $1, $2, ${key}, {state}, ${body}, {data}, {version}, ${created}, {at}, {seal} FROM l RETURNING id)"
            );
        }
        if let Some([state, data, version, at, seal]) = changed {
            parts += &format!(
                ", u AS (UPDATE integration_entries SET state = {state}, data = {data}, version = {version},
                 changed = {at}, checksum = {seal} FROM l WHERE id = ${next})"
            );
        }
        let lease = if self.claims { ", granted = $10, ttl = $11" } else { "" };
        // Both are bound in every shape of the statement, so both are named in it.
        let unused = "$10::BIGINT IS NOT NULL AND $11::BIGINT IS NOT NULL";
        let turn = self.lane.turn.sql();
        format!(
            "WITH {lock}l AS (UPDATE integration_lanes
             SET fence = $3, worker = $4, lines = $5, tip = $6, turn = {turn}{lease} {from}
             WHERE outbox = $1 AND lane = $2 AND fence = $7 AND worker IS NOT DISTINCT FROM $8 AND tip = $9 AND {unused}
             RETURNING fence){parts},
             v AS (INSERT INTO integration_events (entry, worker, testimony, at, state, data, body, line, link)
             SELECT COALESCE(NULLIF(x.entry, 0), {ids}), $12, FALSE, x.at, x.state, x.data, x.body, x.line, x.link
             FROM l CROSS JOIN unnest($13::BIGINT[], $14::BIGINT[], $15::BIGINT[], $16::BYTEA[], $17::BYTEA[], $18::BIGINT[],
             $19::BYTEA[]) AS x (entry, at, state, data, body, line, link) ORDER BY x.line)
             SELECT (SELECT fence FROM l), {ids}"
        )
    }

    fn refused(&self, error: sqlx::Error) -> StoreError {
        let twice = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
        match self.append.as_ref().filter(|_| twice) {
            Some(entry) => key_is_there(&entry.key),
            None => failed(error),
        }
    }
}

/// The entry as it will stand, with its lines added to the lane. Its id is the server's to give.
fn plan_append(lane: &mut Lane, lease: &Lease, new: crate::entry::NewEntry) -> Result<Entry, StoreError> {
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
