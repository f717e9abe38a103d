//! A step without a transaction of several round trips: a look, and one guarded statement that commits by itself.
//!
//! The look reads the lane and the entry to be changed as of one moment, and everything is decided and computed here. The
//! statement then first changes the lane's row, **if** its fence, its holder and its tip are still the ones that were seen, and
//! everything else hangs on that row. Whatever changes an entry of a lane adds a line to its history and so moves the tip:
//! an unmoved tip says that the look still holds. (Whoever comes second waits for the row, and then meets the other's.)
//! A guard that fails costs a new look; after a few of them, or for a step of another shape, the locked way is taken.
//!
//! A lane in which the last step was this handle's needs no look: what stands in it is remembered, and guarded by the same tip. The
//! server's time is then reckoned from its last answer; the statement demands that it is right to a second, and dates the lease by
//! the server's own clock. So a step is one round trip.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::short::{self, Memos, Next, Plan};
use super::sql::{Request, get, seal_entry};
use super::{Connection, NOW, Postgres, failed};
use crate::backend::key_is_there;
use crate::backend::row::state_code;
use crate::entry::{Entry, Lease};
use crate::error::StoreError;

type Outcome = Option<(Lease, Vec<Entry>)>;

/// How often the lane may have moved on between look and statement before it is locked.
const TRIES: usize = 3;

/// How far the reckoned time may be off, in microseconds.
const SLACK: i64 = 1_000_000;

/// What the steps of one handle remember. See [`Memos`] for why none of it needs to be true.
#[derive(Debug, Default)]
pub(super) struct Notes {
    memos: Memos,
    /// The server's time when it last told it, and this program's then.
    told: Mutex<Option<(i64, Duration)>>,
}

impl Notes {
    fn note_time(&self, server: i64, here: Duration) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((server, here));
    }

    fn time(&self, here: Duration) -> Option<i64> {
        let (server, then) = (*self.told.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = i64::try_from(here.saturating_sub(then).as_micros()).ok()?;
        Some(server.saturating_add(since))
    }
}

impl Postgres {
    pub(super) async fn step(&self, request: Request) -> Result<Outcome, StoreError> {
        if short::is_short(&request.step) {
            for _ in 0..TRIES {
                if let Attempt::Settled(outcome) = self.attempt(&request).await? {
                    return Ok(outcome);
                }
            }
        }
        self.transact(|connection, ()| Box::pin(super::sql::locked(connection, (), request))).await
    }

    /// What is remembered is used up by the first attempt.
    async fn attempt(&self, request: &Request) -> Result<Attempt, StoreError> {
        let remembered = self.notes.memos.plan(request, || self.notes.time(self.clock.elapsed()));
        self.limited(async {
            let mut connection = self.connections.take().await?;
            let attempt = self.attempt_on(&mut connection, request, remembered).await?;
            self.connections.keep(connection);
            Ok(attempt)
        })
        .await
    }

    async fn attempt_on(
        &self,
        connection: &mut Connection,
        request: &Request,
        remembered: Option<Box<Plan>>,
    ) -> Result<Attempt, StoreError> {
        let plan = match remembered {
            Some(plan) => plan,
            None => match short::plan(connection, (), request).await? {
                Next::MakeLane => return Ok(Attempt::Again),
                Next::Refuse => return Ok(Attempt::Settled(None)),
                Next::Write(plan) => plan,
            },
        };
        self.carry_out(connection, plan).await
    }

    async fn carry_out(
        &self,
        connection: &mut Connection,
        mut plan: Box<Plan>,
    ) -> Result<Attempt, StoreError> {
        let Some(now) = plan.carry_out(connection).await? else { return Ok(Attempt::Again) };
        self.notes.note_time(now, self.clock.elapsed());
        self.notes.memos.remember(&plan);
        let Plan { lease, append, change, .. } = *plan;
        Ok(Attempt::Settled(Some((lease, append.into_iter().chain(change).collect()))))
    }
}

enum Attempt {
    /// The lane is not there yet, or moved on.
    Again,
    Settled(Outcome),
}

impl Plan {
    /// The server's time then; `None` if the lane moved on, and nothing was changed.
    async fn carry_out(&mut self, connection: &mut Connection) -> Result<Option<i64>, StoreError> {
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
            .bind(lane.now)
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
        if let Some((state, version, checksum)) = self.changes_from {
            query = query.bind(state_code(state)).bind(version).bind(checksum);
        }
        let row = match query.fetch_one(connection).await {
            Ok(row) => row,
            Err(error) => return Err(self.refused(error)),
        };
        if get::<Option<i64>>(&row, 0)?.is_none() {
            return Ok(None);
        }
        if let Some(entry) = &mut self.append {
            entry.id = get(&row, 1)?;
        }
        get(&row, 2).map(Some)
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
        let mut guard =
            if self.remembered { format!(" AND abs({NOW} - $10) <= {SLACK}") } else { String::new() };
        if let Some([state, data, version, at, seal]) = changed {
            let [seen_state, seen_version, seen_seal] = [next + 1, next + 2, next + 3];
            guard += &format!(
                " AND EXISTS (SELECT 1 FROM integration_entries s WHERE s.id = ${next} AND s.state = ${seen_state}
                 AND s.version = ${seen_version} AND s.checksum = ${seen_seal})"
            );
            parts += &format!(
                ", u AS (UPDATE integration_entries SET state = {state}, data = {data}, version = {version},
                 changed = {at}, checksum = {seal} FROM l WHERE id = ${next})"
            );
        }
        let lease = if self.lane.fence != self.seen.0 {
            format!(", granted = {NOW}, ttl = $11")
        } else {
            String::new()
        };
        // Both are bound in every shape of the statement, so both are named in it.
        let unused = "$10::BIGINT IS NOT NULL AND $11::BIGINT IS NOT NULL";
        let turn = self.lane.turn.sql();
        format!(
            "WITH {lock}l AS (UPDATE integration_lanes
             SET fence = $3, worker = $4, lines = $5, tip = $6, turn = {turn}{lease} {from}
             WHERE outbox = $1 AND lane = $2 AND fence = $7 AND worker IS NOT DISTINCT FROM $8 AND tip = $9 AND {unused}{guard}
             RETURNING fence){parts},
             v AS (INSERT INTO integration_events (entry, worker, testimony, at, state, data, body, line, link)
             SELECT COALESCE(NULLIF(x.entry, 0), {ids}), $12, FALSE, x.at, x.state, x.data, x.body, x.line, x.link
             FROM l CROSS JOIN unnest($13::BIGINT[], $14::BIGINT[], $15::BIGINT[], $16::BYTEA[], $17::BYTEA[], $18::BIGINT[],
             $19::BYTEA[]) AS x (entry, at, state, data, body, line, link) ORDER BY x.line)
             SELECT (SELECT fence FROM l), {ids}, {NOW}"
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
