//! A short step in two statements: a look, and one text that writes everything. Each statement is a message to the driver's
//! thread and back, which costs more than what SQLite does with it.

use super::short::{self, Next, Plan};
use super::sql::{Request, get, locked, seal_entry};
use super::{Connection, Moment, failed};
use crate::backend::key_is_there;
use crate::backend::row::state_code;
use crate::entry::{Entry, Lease};
use crate::error::StoreError;

type Outcome = Option<(Lease, Vec<Entry>)>;

/// The step, inside the writer's transaction: between look and write nobody else writes.
pub(super) async fn step(
    connection: &mut Connection,
    time: Moment,
    request: Request,
) -> Result<Outcome, StoreError> {
    if !short::is_short(&request.step) {
        return locked(connection, time, request).await;
    }
    match short::plan(connection, time, &request).await? {
        Next::MakeLane => locked(connection, time, request).await,
        Next::Refuse => Ok(None),
        Next::Write(plan) => plan.carry_out(connection).await.map(Some),
    }
}

impl Plan {
    async fn carry_out(
        mut self: Box<Self>,
        connection: &mut Connection,
    ) -> Result<(Lease, Vec<Entry>), StoreError> {
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
        Ok((self.lease, self.append.into_iter().chain(self.change).collect()))
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
