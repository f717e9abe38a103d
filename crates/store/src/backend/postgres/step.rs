//! A step without a transaction of several round trips: a look, and one guarded statement that commits by itself.
//!
//! The look reads the lane and the entry to be changed as of one moment, and everything is decided and computed here. The
//! statement then first changes the lane's row, **if** its fence, its holder and its tip are still the ones that were seen, and
//! everything else hangs on that row. Whatever changes an entry of a lane adds a line to its history and so moves the tip:
//! an unmoved tip says that the look still holds. (Whoever comes second waits for the row, and then meets the other's.)
//! A guard that fails costs a new look; after a few of them, or for a step of another shape, the locked way is taken.

use super::short::{self, Next, Plan};
use super::sql::{Request, get, seal_entry};
use super::{Connection, Postgres, failed};
use crate::backend::key_is_there;
use crate::backend::row::state_code;
use crate::entry::{Entry, Lease};
use crate::error::StoreError;

type Outcome = Option<(Lease, Vec<Entry>)>;

/// How often the lane may have moved on between look and statement before it is locked.
const TRIES: usize = 3;

impl Postgres {
    pub(super) async fn step(&self, request: Request) -> Result<Outcome, StoreError> {
        if short::is_short(&request.step) {
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

enum Attempt {
    /// The lane is not there yet, or moved on.
    Again,
    Settled(Outcome),
}

async fn attempt(connection: &mut Connection, request: Request) -> Result<Attempt, StoreError> {
    match short::plan(connection, (), &request).await? {
        Next::MakeLane => Ok(Attempt::Again),
        Next::Refuse => Ok(Attempt::Settled(None)),
        Next::Write(plan) => plan.carry_out(connection).await,
    }
}

impl Plan {
    async fn carry_out(mut self: Box<Self>, connection: &mut Connection) -> Result<Attempt, StoreError> {
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
        let lease = if self.lane.fence != self.seen.0 { ", granted = $10, ttl = $11" } else { "" };
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
