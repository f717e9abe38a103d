//! A whole step in one statement, which costs one message to the driver's thread and is its own transaction.
//!
//! It is an INSERT into a view of this connection's own, whose trigger does the work: first the lane's row, **if** fence, holder
//! and tip are still the ones that the plan rests on, then the entry, then the lines. A guard that fails raises an error, and
//! SQLite takes back all that the statement did. Outside a transaction the statement is one, committed and synced before the
//! driver answers.

use std::fmt::Write as _;

use sqlx::sqlite::SqliteArguments;

use super::short::Plan;
use super::sql::{Turn, seal_entry};
use super::{Connection, NEXT_TURN, failed};
use crate::backend::key_is_there;
use crate::backend::row::state_code;
use crate::entry::{Entry, Event, Lease};
use crate::error::StoreError;

const LANE: &str =
    "outbox, lane, fence, worker, lines, tip, granted, ttl, turn, seen_fence, seen_worker, seen_tip, actor";
const ENTRY: &str = "id, state, data, version, changed, checksum";
const NEW: &str = "key, body, created";
const SEEN: &str = "seen_state, seen_version, seen_checksum";
const LINE: &str = "at, state, data, body, line, link";

/// What a failing guard says; only this program reads it.
const MOVED_ON: &str = "integration: moved on";

/// Results of SQLite: a key of the table, a unique index, a trigger that raised.
const ID_IS_THERE: &str = "1555";
const KEY_IS_THERE: &str = "2067";
const RAISED: &str = "1811";

/// The three kinds of step, each with its view.
#[derive(Clone, Copy)]
enum Kind {
    Append,
    /// Both lines of an entry that goes straight into flight.
    Send,
    Change,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Append, Self::Send, Self::Change];

    fn of(plan: &Plan) -> Self {
        match (&plan.append, plan.lane.lines.len()) {
            (None, _) => Self::Change,
            (Some(_), 1) => Self::Append,
            (Some(_), _) => Self::Send,
        }
    }

    const fn view(self) -> &'static str {
        match self {
            Self::Append => "integration_append",
            Self::Send => "integration_send",
            Self::Change => "integration_change",
        }
    }

    const fn statement(self) -> &'static str {
        // As many places as the view has columns; see the test.
        match self {
            Self::Append => {
                "INSERT INTO integration_append VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            }
            Self::Send => {
                "INSERT INTO integration_send VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            }
            Self::Change => {
                "INSERT INTO integration_change VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            }
        }
    }

    const fn lines(self) -> usize {
        if matches!(self, Self::Send) { 2 } else { 1 }
    }

    fn columns(self) -> Vec<String> {
        let mut columns: Vec<String> = LANE.split(", ").map(str::to_owned).collect();
        columns.extend(ENTRY.split(", ").map(str::to_owned));
        let own = if matches!(self, Self::Change) { SEEN } else { NEW };
        columns.extend(own.split(", ").map(str::to_owned));
        for line in 0..self.lines() {
            columns.extend(LINE.split(", ").map(|column| format!("{column}_{line}")));
        }
        columns
    }

    fn entry_sql(self) -> &'static str {
        if matches!(self, Self::Change) {
            "UPDATE integration_entries SET state = NEW.state, data = NEW.data, version = NEW.version, changed = NEW.changed,
             checksum = NEW.checksum
             WHERE id = NEW.id AND state = NEW.seen_state AND version = NEW.seen_version AND checksum = NEW.seen_checksum;"
        } else {
            "INSERT INTO integration_entries (id, outbox, lane, key, state, body, data, version, created, changed, checksum)
             VALUES (NEW.id, NEW.outbox, NEW.lane, NEW.key, NEW.state, NEW.body, NEW.data, NEW.version, NEW.created,
             NEW.changed, NEW.checksum);"
        }
    }

    fn definition(self) -> String {
        let view = self.view();
        let columns = self.columns();
        let nulls = vec!["NULL"; columns.len()].join(", ");
        let next_turn = NEXT_TURN.replace("$1", "NEW.outbox");
        let guard = format!("SELECT RAISE(ABORT, '{MOVED_ON}') WHERE changes() = 0;");
        let mut sql = format!(
            "CREATE TEMP VIEW {view} ({}) AS SELECT {nulls};
             CREATE TEMP TRIGGER {view}_made INSTEAD OF INSERT ON {view} BEGIN
             UPDATE integration_lanes SET fence = NEW.fence, worker = NEW.worker, lines = NEW.lines, tip = NEW.tip,
             granted = COALESCE(NEW.granted, granted), ttl = COALESCE(NEW.ttl, ttl),
             turn = CASE NEW.turn WHEN 0 THEN NULL WHEN 1 THEN COALESCE(turn, {next_turn}) WHEN 2 THEN {next_turn} ELSE turn END
             WHERE outbox = NEW.outbox AND lane = NEW.lane AND fence = NEW.seen_fence AND worker IS NEW.seen_worker
             AND tip = NEW.seen_tip;
             {guard} {} {guard} ",
            columns.join(", "),
            self.entry_sql()
        );
        for line in 0..self.lines() {
            let values: Vec<String> = LINE.split(", ").map(|column| format!("NEW.{column}_{line}")).collect();
            let _ = write!(
                sql,
                "INSERT INTO integration_events (entry, worker, testimony, {LINE}) VALUES (NEW.id, NEW.actor, 0, {}); ",
                values.join(", ")
            );
        }
        sql + "END;"
    }
}

/// Makes the views. They are temporary: no other connection sees them, and the file knows nothing of them.
pub(super) async fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    let sql: String = Kind::ALL.into_iter().map(Kind::definition).collect();
    sqlx::Executor::execute(connection, sql.as_str()).await.map_err(failed)?;
    Ok(())
}

/// What became of the statement.
pub(super) enum Tried {
    Made(Lease, Vec<Entry>),
    /// Nothing was changed: somebody else was in the lane, or the id is taken.
    MovedOn,
    /// The error, and whether it may come from the sync.
    Failed(StoreError, bool),
}

/// Carries a plan out. An entry to be written down gets `id`.
pub(super) async fn make(connection: &mut Connection, plan: &mut Plan, id: i64) -> Tried {
    if let Some(entry) = &mut plan.append {
        entry.id = id;
    }
    let Some(entry) = plan.append.as_ref().or(plan.change.as_ref()) else { return Tried::MovedOn };
    let mut query = bind_entry(bind_lane(sqlx::query(Kind::of(plan).statement()), plan), entry);
    query = match plan.changes_from {
        Some((state, version, checksum)) => query.bind(state_code(state)).bind(version).bind(checksum),
        None => query.bind(&entry.key).bind(entry.body.as_ref()).bind(entry.created.as_microsecond()),
    };
    for line in &plan.lane.lines {
        query = bind_line(query, line);
    }
    match query.execute(connection).await {
        Ok(_) => Tried::Made(plan.lease.clone(), vec![entry.clone()]),
        Err(error) => refused(error, &entry.key),
    }
}

type Statement<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments<'q>>;

fn bind_lane<'q>(query: Statement<'q>, plan: &'q Plan) -> Statement<'q> {
    let lane = &plan.lane;
    let (fence, worker, tip) = &plan.seen;
    // Somebody may have renewed the lease since: only a claim grants anew.
    let claims = lane.fence != *fence;
    query
        .bind(&lane.outbox)
        .bind(&lane.name)
        .bind(lane.fence)
        .bind(&lane.worker)
        .bind(lane.tip.lines)
        .bind(lane.tip.link.as_bytes().as_slice())
        .bind(claims.then_some(lane.granted))
        .bind(claims.then_some(lane.ttl))
        .bind(turn_code(lane.turn))
        .bind(fence)
        .bind(worker)
        .bind(tip.link.as_bytes().as_slice())
        .bind(&plan.lease.worker)
}

fn turn_code(turn: Turn) -> Option<i64> {
    match turn {
        Turn::Leaves => Some(0),
        Turn::Joins => Some(1),
        Turn::GoesToTheEnd => Some(2),
        Turn::Stays | Turn::Open => None,
    }
}

fn bind_entry<'q>(query: Statement<'q>, entry: &'q Entry) -> Statement<'q> {
    query
        .bind(entry.id)
        .bind(state_code(entry.state))
        .bind(entry.data.as_ref())
        .bind(entry.version)
        .bind(entry.changed.as_microsecond())
        .bind(seal_entry(entry))
}

fn bind_line<'q>(query: Statement<'q>, line: &'q Event) -> Statement<'q> {
    query
        .bind(line.at.as_microsecond())
        .bind(state_code(line.state))
        .bind(line.data.as_ref())
        .bind(line.body.as_bytes().as_slice())
        .bind(line.line)
        .bind(line.link.as_bytes().as_slice())
}

fn refused(error: sqlx::Error, key: &str) -> Tried {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .map(std::borrow::Cow::into_owned);
    match code.as_deref() {
        Some(RAISED | ID_IS_THERE) => Tried::MovedOn,
        Some(KEY_IS_THERE) => Tried::Failed(key_is_there(key), false),
        // Waiting for another process's lock comes before anything is written.
        Some("5" | "6" | "261" | "517") => Tried::Failed(failed(error), false),
        _ => Tried::Failed(failed(error), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_has_a_place_for_every_column() {
        for kind in Kind::ALL {
            assert_eq!(kind.statement().matches('?').count(), kind.columns().len(), "{}", kind.view());
        }
    }
}
