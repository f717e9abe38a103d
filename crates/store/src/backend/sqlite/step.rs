//! A short step: in one statement where nobody has been in the lane since our last one, else in two, a look and one text that
//! writes everything. Each statement is a message to the driver's thread and back, which costs more than what SQLite does with it.

use std::sync::atomic::{AtomicI64, Ordering};

use super::short::{self, Memos, Next, Plan};
use super::sql::{Request, get, locked, seal_entry};
use super::whole::{self, Tried};
use super::{Connection, Moment, failed};
use crate::backend::key_is_there;
use crate::backend::row::state_code;
use crate::entry::{Entry, Lease};
use crate::error::StoreError;

type Outcome = Option<(Lease, Vec<Entry>)>;

/// What the steps of one handle remember. See [`Memos`] for why none of it needs to be true.
#[derive(Debug, Default)]
pub(super) struct Notes {
    memos: Memos,
    /// The newest entry of ours; 0 before the first. Another process may have written more since.
    newest: AtomicI64,
}

impl Notes {
    /// The plan of a step that can be made in one statement.
    pub(super) fn plan(&self, request: &Request, time: Moment) -> Option<Box<Plan>> {
        let id_is_known = self.newest.load(Ordering::Relaxed) > 0;
        self.memos.plan(request, || Some(time)).filter(|plan| plan.append.is_none() || id_is_known)
    }

    pub(super) async fn make(&self, connection: &mut Connection, mut plan: Box<Plan>) -> Tried {
        let id = self.newest.load(Ordering::Relaxed).saturating_add(1);
        let tried = whole::make(connection, &mut plan, id).await;
        if matches!(tried, Tried::Made(..)) {
            self.remember(&plan);
        }
        tried
    }

    fn remember(&self, plan: &Plan) {
        if let Some(entry) = &plan.append {
            self.newest.fetch_max(entry.id, Ordering::Relaxed);
        }
        self.memos.remember(plan);
    }

    /// The step, inside the writer's transaction: between look and write nobody else writes. If that transaction then fails, what
    /// is remembered of it is found to be false.
    pub(super) async fn step(
        &self,
        connection: &mut Connection,
        time: Moment,
        request: Request,
    ) -> Result<Outcome, StoreError> {
        if !short::is_short(&request.step) {
            return locked(connection, time, request).await;
        }
        if let Some(plan) = self.plan(&request, time) {
            match self.make(connection, plan).await {
                Tried::Made(lease, entries) => return Ok(Some((lease, entries))),
                Tried::Failed(error, _) => return Err(error),
                Tried::MovedOn => {}
            }
        }
        match short::plan(connection, time, &request).await? {
            Next::MakeLane => locked(connection, time, request).await,
            Next::Refuse => Ok(None),
            Next::Write(mut plan) => {
                plan.carry_out(connection).await?;
                self.remember(&plan);
                let Plan { lease, append, change, .. } = *plan;
                Ok(Some((lease, append.into_iter().chain(change).collect())))
            }
        }
    }
}

impl Plan {
    async fn carry_out(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        let sql = self.sql();
        let lane = &self.lane;
        let mut query = sqlx::query(&sql)
            .bind(&lane.outbox)
            .bind(&lane.name)
            .bind(lane.fence)
            .bind(&lane.worker)
            .bind(lane.tip.lines)
            .bind(lane.tip.link.as_bytes().as_slice())
            .bind(lane.granted)
            .bind(lane.ttl)
            .bind(&self.lease.worker);
        for line in &lane.lines {
            query = query
                .bind(line.entry)
                .bind(line.at.as_microsecond())
                .bind(state_code(line.state))
                .bind(line.data.as_ref())
                .bind(line.body.as_bytes().as_slice())
                .bind(line.line)
                .bind(line.link.as_bytes().as_slice());
        }
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
        let row = match query.fetch_optional(connection).await {
            Ok(row) => row,
            Err(error) => return Err(self.refused(error)),
        };
        if let (Some(entry), Some(row)) = (&mut self.append, &row) {
            entry.id = get(row, 0)?;
        }
        Ok(())
    }

    /// The only row comes last: the driver stops at the first.
    fn sql(&self) -> String {
        let mut next = 10;
        let mut numbers = |count: usize| {
            let first = next;
            next += count;
            (first..next).map(|number| format!("${number}")).collect::<Vec<_>>()
        };
        let lines: Vec<Vec<String>> = self.lane.lines.iter().map(|_| numbers(7)).collect();
        let appended = self.append.as_ref().map(|_| numbers(5));
        let changed = self.change.as_ref().map(|_| numbers(5));
        let (mut sql, mut id, mut last) = (String::new(), "NULL".to_owned(), String::new());
        if let Some(values) = appended.as_deref()
            && let ([state, data, version, at, seal], [key, body, created]) = (values, numbers(3).as_slice())
        {
            sql += &format!(
                "INSERT INTO integration_entries
                 (outbox, lane, key, state, body, data, version, created, changed, checksum)
                 VALUES ($1, $2, {key}, {state}, {body}, {data}, {version}, {created}, {at}, {seal}); "
            );
            last = format!("SELECT id FROM integration_entries WHERE outbox = $1 AND key = {key}");
            id = format!("({last})");
        }
        if let Some(values) = changed.as_deref()
            && let ([state, data, version, at, seal], [entry]) = (values, numbers(1).as_slice())
        {
            sql += &format!(
                "UPDATE integration_entries SET state = {state}, data = {data}, version = {version},
                 changed = {at}, checksum = {seal} WHERE id = {entry}; "
            );
        }
        let rows = lines.iter().filter_map(|values| {
            let (entry, rest) = values.split_first()?;
            Some(format!("(COALESCE(NULLIF({entry}, 0), {id}), $9, 0, {})", rest.join(", ")))
        });
        let rows: Vec<String> = rows.collect();
        if !rows.is_empty() {
            sql += &format!(
                "INSERT INTO integration_events (entry, worker, testimony, at, state, data, body, line, link) VALUES {}; ",
                rows.join(", ")
            );
        }
        sql + &format!(
            "UPDATE integration_lanes SET fence = $3, worker = $4, lines = $5, tip = $6, granted = $7, ttl = $8, turn = {}
             WHERE outbox = $1 AND lane = $2; {last}",
            self.lane.turn.sql()
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
