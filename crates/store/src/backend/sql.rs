//! The operations in SQL, written once and compiled for both engines: `sqlite` and `postgres` each include this file and bring
//! their connection type, their clock, and the words in which they differ (`LOCK`, `NEXT_TURN`, …).
//!
//! Every operation that writes runs inside one transaction that the engine opens and commits. The rule for concurrency: whoever
//! changes anything of a lane first locks the lane's row **in a statement of its own**, so that every later statement sees what
//! the holder before committed; whoever appends first locks the outbox, so that ids become visible in ascending order and a
//! reader that pages through them misses none. Locks are always taken in this order (outbox, then lanes by name), which leaves
//! no cycle to deadlock in. SQLite has one writer at a time and needs no locks of ours.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use integration_core::BoxFuture;
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _};

use super::{
    Connection, Database, Engine, LOCK, LOCK_FREE, Moment, NEXT_TURN, Row, failed, lock_outbox, now,
    wait_for_lane,
};
use crate::backend::row::{after_prefix, ceil_micros, check, moment, seal, state_code, state_of, ttl_micros};
use crate::backend::{Backend, Pending, check_names, lease_lost, moved_on, no_such_entry};
use crate::checkpoint::{Checkpoint, Commit, Record};
use crate::entry::{Change, Entry, Event, LaneChoice, Lease, NewEntry, Query, State};
use crate::error::StoreError;

type Done<T> = Result<T, StoreError>;

const ENTRY: &str = "id, lane, key, state, body, data, version, created, changed, checksum";

/// A lane's row, locked until the transaction ends.
struct Lane {
    fence: i64,
    worker: Option<String>,
    granted: i64,
    ttl: i64,
    queued: bool,
}

impl Lane {
    fn read(row: &Row) -> Done<Self> {
        Ok(Self {
            fence: get(row, 0)?,
            worker: get(row, 1)?,
            granted: get(row, 2)?,
            ttl: get(row, 3)?,
            queued: get::<Option<i64>>(row, 4)?.is_some(),
        })
    }

    /// Whether somebody else than `worker` may still be at work. See [`hold_on`] for a clock that was set back.
    fn is_held_against(&self, worker: &str, now: i64) -> bool {
        self.worker.as_ref().is_some_and(|holder| holder != worker)
            && now.saturating_sub(self.granted) < self.ttl
    }

    fn is_held_by(&self, lease: &Lease) -> bool {
        self.worker.as_ref() == Some(&lease.worker) && self.fence == lease.fence
    }
}

fn get<'r, T>(row: &'r Row, column: usize) -> Done<T>
where
    T: sqlx::Decode<'r, Database> + sqlx::Type<Database>,
{
    row.try_get(column).map_err(failed)
}

fn entry_of(row: &Row) -> Done<Entry> {
    let entry = Entry {
        id: get(row, 0)?,
        lane: get(row, 1)?,
        key: get(row, 2)?,
        state: state_of(get(row, 3)?)?,
        body: get::<Vec<u8>>(row, 4)?.into(),
        data: get::<Vec<u8>>(row, 5)?.into(),
        version: get(row, 6)?,
        created: moment(get(row, 7)?)?,
        changed: moment(get(row, 8)?)?,
    };
    check(seal_entry(&entry), get(row, 9)?, || format!("entry {} ({:?})", entry.id, entry.key))?;
    Ok(entry)
}

/// What the checksum covers: everything but the id, which is the engine's to give.
fn seal_entry(entry: &Entry) -> i64 {
    let numbers = [
        state_code(entry.state),
        entry.version,
        entry.created.as_microsecond(),
        entry.changed.as_microsecond(),
    ];
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    seal(&[&numbers, entry.lane.as_bytes(), entry.key.as_bytes(), &entry.body, &entry.data])
}

async fn lane_row(connection: &mut Connection, outbox: &str, lane: &str) -> Done<Option<Lane>> {
    let sql = format!(
        "SELECT fence, worker, granted, ttl, turn FROM integration_lanes WHERE outbox = $1 AND lane = $2{LOCK}"
    );
    let row = sqlx::query(&sql).bind(outbox).bind(lane).fetch_optional(connection).await.map_err(failed)?;
    row.as_ref().map(Lane::read).transpose()
}

/// The lane's row, made if it is not there yet.
async fn lock_lane(connection: &mut Connection, outbox: &str, lane: &str) -> Done<Lane> {
    loop {
        if let Some(row) = lane_row(connection, outbox, lane).await? {
            return Ok(row);
        }
        let sql = "INSERT INTO integration_lanes (outbox, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(outbox).bind(lane).execute(&mut *connection).await.map_err(failed)?;
    }
}

/// The lane's row if the lease is still the newest: checked under the lock under which the change is made.
async fn lock_held(connection: &mut Connection, lease: &Lease) -> Done<Lane> {
    let lane = lane_row(connection, &lease.outbox, &lease.lane).await?;
    lane.filter(|lane| lane.is_held_by(lease)).ok_or_else(|| lease_lost(lease))
}

/// Puts a lane that became ready at the end of the queue, and takes one that is no longer ready out of it.
async fn queue(connection: &mut Connection, outbox: &str, lane: &str) -> Done<()> {
    let (prepared, in_flight) = (state_code(State::Prepared), state_code(State::InFlight));
    let any = |states: &str| {
        format!(
            "EXISTS (SELECT 1 FROM integration_entries WHERE outbox = $1 AND lane = $2 AND state {states})"
        )
    };
    let ready = any(&format!("IN ({prepared}, {in_flight})"));
    let unknown = any(&format!("= {}", state_code(State::Unknown)));
    let sql = format!(
        "UPDATE integration_lanes SET turn = CASE WHEN {ready} AND NOT {unknown} THEN COALESCE(turn, {NEXT_TURN}) END
         WHERE outbox = $1 AND lane = $2"
    );
    sqlx::query(&sql).bind(outbox).bind(lane).execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn add_event(connection: &mut Connection, event: &Event) -> Done<()> {
    let sql = "INSERT INTO integration_events (entry, at, worker, state, testimony, data) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(event.entry)
        .bind(event.at.as_microsecond())
        .bind(&event.worker)
        .bind(state_code(event.state))
        .bind(event.testimony)
        .bind(event.data.as_ref())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn entry_with_key(connection: &mut Connection, outbox: &str, key: &str) -> Done<Option<Entry>> {
    let sql = format!("SELECT {ENTRY} FROM integration_entries WHERE outbox = $1 AND key = $2");
    let row = sqlx::query(&sql).bind(outbox).bind(key).fetch_optional(connection).await.map_err(failed)?;
    row.as_ref().map(entry_of).transpose()
}

async fn entry_with_id(connection: &mut Connection, outbox: &str, id: i64) -> Done<Entry> {
    let sql = format!("SELECT {ENTRY} FROM integration_entries WHERE outbox = $1 AND id = $2");
    let row = sqlx::query(&sql).bind(outbox).bind(id).fetch_optional(connection).await.map_err(failed)?;
    row.as_ref().map(entry_of).transpose()?.ok_or_else(|| no_such_entry(outbox, id))
}

/// The id of the new row, or `None` if the key is there already.
async fn insert(connection: &mut Connection, outbox: &str, entry: &Entry) -> Done<Option<i64>> {
    let sql = "INSERT INTO integration_entries (outbox, lane, key, state, body, data, version, created, changed, checksum)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (outbox, key) DO NOTHING RETURNING id";
    let row = sqlx::query(sql)
        .bind(outbox)
        .bind(&entry.lane)
        .bind(&entry.key)
        .bind(state_code(entry.state))
        .bind(entry.body.as_ref())
        .bind(entry.data.as_ref())
        .bind(entry.version)
        .bind(entry.created.as_microsecond())
        .bind(entry.changed.as_microsecond())
        .bind(seal_entry(entry))
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    row.as_ref().map(|row| get(row, 0)).transpose()
}

/// Stores an entry as it is now, with its line of history. The bytes are written again only if they changed.
async fn update(connection: &mut Connection, worker: &str, entry: &Entry, body: Option<&Bytes>) -> Done<()> {
    let sql = "UPDATE integration_entries SET state = $2, data = $3, version = $4, changed = $5, checksum = $6 WHERE id = $1";
    sqlx::query(sql)
        .bind(entry.id)
        .bind(state_code(entry.state))
        .bind(entry.data.as_ref())
        .bind(entry.version)
        .bind(entry.changed.as_microsecond())
        .bind(seal_entry(entry))
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    if let Some(body) = body {
        let sql = "UPDATE integration_entries SET body = $2 WHERE id = $1";
        sqlx::query(sql)
            .bind(entry.id)
            .bind(body.as_ref())
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    add_event(connection, &Event::of(0, entry, worker)).await
}

async fn append(
    connection: &mut Connection,
    time: Moment,
    outbox: &str,
    worker: &str,
    entries: Vec<NewEntry>,
) -> Done<Vec<(Entry, bool)>> {
    lock_outbox(connection, outbox).await?;
    let lanes: BTreeSet<String> = entries.iter().map(|new| new.lane.clone()).collect();
    let mut idle = Vec::new();
    for lane in lanes {
        if !lock_lane(connection, outbox, &lane).await?.queued {
            idle.push(lane);
        }
    }
    let at = moment(now(connection, time).await?)?;
    let mut appended = Vec::with_capacity(entries.len());
    for new in entries {
        appended.push(append_one(connection, outbox, worker, new, at).await?);
    }
    for lane in idle {
        queue(connection, outbox, &lane).await?;
    }
    Ok(appended)
}

async fn append_one(
    connection: &mut Connection,
    outbox: &str,
    worker: &str,
    new: NewEntry,
    at: Timestamp,
) -> Done<(Entry, bool)> {
    let mut entry = Entry::prepared(0, new, at);
    if let Some(id) = insert(connection, outbox, &entry).await? {
        entry.id = id;
        add_event(connection, &Event::of(0, &entry, worker)).await?;
        return Ok((entry, true));
    }
    let known = entry_with_key(connection, outbox, &entry.key).await?;
    Ok((known.ok_or_else(|| no_such_entry(outbox, 0))?, false))
}

async fn claim(
    connection: &mut Connection,
    time: Moment,
    outbox: &str,
    lane: &str,
    worker: &str,
    ttl: Duration,
) -> Done<Option<Lease>> {
    let row = lock_lane(connection, outbox, lane).await?;
    let now = now(connection, time).await?;
    if row.is_held_against(worker, now) {
        hold_on(connection, outbox, now).await?;
        return Ok(None);
    }
    let turn = if row.queued { NEXT_TURN } else { "NULL" };
    let sql = format!(
        "UPDATE integration_lanes SET fence = fence + 1, worker = $3, granted = $4, ttl = $5, turn = {turn}
         WHERE outbox = $1 AND lane = $2"
    );
    let grant = sqlx::query(&sql).bind(outbox).bind(lane).bind(worker).bind(now).bind(ttl_micros(ttl));
    grant.execute(&mut *connection).await.map_err(failed)?;
    give_up_in_flight(connection, outbox, lane, worker, moment(now)?).await?;
    Ok(Some(Lease::new(outbox, lane, worker, row.fence.saturating_add(1))))
}

/// What to do about a wall clock that was set back: leases granted in what is now the future are dated to this moment.
///
/// Correctness never hangs on the clock: whoever claims raises the fence, and the fence is compared inside the transaction of
/// each change, so two workers can hold "valid" leases by two clocks and still only the newest writes. What hangs on the clock
/// is how long a dead worker's lane stays shut. A lease is kept as (granted, length) rather than as an end, so that a clock set
/// back by an hour is visible as `now < granted`. Such a lease is not cut short, or a call in flight would be declared unknown
/// although its worker is well; nor may it last an hour longer. It is dated anew by whoever first meets it, and so lasts at most
/// its own length from then. A clock set back by less than the lease's age lengthens it by that step, which is less than its
/// length. A clock set forward ends leases early: the lane goes to the next claimer, what was in flight becomes `Unknown`, and
/// the old worker is refused by the fence. Nothing is doubled either way.
async fn hold_on(connection: &mut Connection, outbox: &str, now: i64) -> Done<()> {
    let sql =
        "UPDATE integration_lanes SET granted = $2 WHERE outbox = $1 AND worker IS NOT NULL AND granted > $2";
    sqlx::query(sql).bind(outbox).bind(now).execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn give_up_in_flight(
    connection: &mut Connection,
    outbox: &str,
    lane: &str,
    worker: &str,
    at: Timestamp,
) -> Done<()> {
    let in_flight = state_code(State::InFlight);
    let sql = format!(
        "SELECT {ENTRY} FROM integration_entries WHERE outbox = $1 AND lane = $2 AND state = {in_flight} ORDER BY id"
    );
    let rows = sqlx::query(&sql).bind(outbox).bind(lane).fetch_all(&mut *connection).await.map_err(failed)?;
    for row in &rows {
        let entry = entry_of(row)?;
        let version = entry.version.saturating_add(1);
        let given_up = Entry { state: State::Unknown, version, changed: at, ..entry };
        update(connection, worker, &given_up, None).await?;
    }
    if rows.is_empty() { Ok(()) } else { queue(connection, outbox, lane).await }
}

async fn claim_any(
    connection: &mut Connection,
    time: Moment,
    outbox: &str,
    worker: &str,
    ttl: Duration,
) -> Done<Option<Lease>> {
    loop {
        let now = now(connection, time).await?;
        if let Some(lane) = longest_waiting(connection, outbox, now, LOCK_FREE).await? {
            return claim(connection, time, outbox, &lane, worker, ttl).await;
        }
        // Nothing that is both ready and not being changed by somebody at this moment. What is being changed is waited for:
        // it may be ready afterwards, and "no lane is ready" must be true when it is said.
        match longest_waiting(connection, outbox, now, "").await? {
            Some(lane) => wait_for_lane(connection, outbox, &lane).await?,
            None => {
                hold_on(connection, outbox, now).await?;
                return Ok(None);
            }
        }
    }
}

async fn longest_waiting(
    connection: &mut Connection,
    outbox: &str,
    now: i64,
    lock: &str,
) -> Done<Option<String>> {
    let sql = format!(
        "SELECT lane FROM integration_lanes
         WHERE outbox = $1 AND turn IS NOT NULL AND (worker IS NULL OR $2 - granted >= ttl) ORDER BY turn LIMIT 1{lock}"
    );
    let row = sqlx::query(&sql).bind(outbox).bind(now).fetch_optional(connection).await.map_err(failed)?;
    row.as_ref().map(|row| get(row, 0)).transpose()
}

async fn renew(connection: &mut Connection, time: Moment, lease: &Lease, ttl: Duration) -> Done<()> {
    lock_held(connection, lease).await?;
    let now = now(connection, time).await?;
    let sql = "UPDATE integration_lanes SET granted = $3, ttl = $4 WHERE outbox = $1 AND lane = $2";
    let grant = sqlx::query(sql).bind(&lease.outbox).bind(&lease.lane).bind(now).bind(ttl_micros(ttl));
    grant.execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn release(connection: &mut Connection, lease: &Lease) -> Done<()> {
    let sql = "UPDATE integration_lanes SET worker = NULL WHERE outbox = $1 AND lane = $2 AND worker = $3 AND fence = $4";
    let lane = sqlx::query(sql).bind(&lease.outbox).bind(&lease.lane).bind(&lease.worker).bind(lease.fence);
    lane.execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn write(
    connection: &mut Connection,
    time: Moment,
    lease: &Lease,
    changes: Vec<Change>,
) -> Done<Vec<Entry>> {
    lock_held(connection, lease).await?;
    let at = moment(now(connection, time).await?)?;
    let mut written = Vec::with_capacity(changes.len());
    let mut queue_moves = false;
    for change in changes {
        let entry = entry_with_id(connection, &lease.outbox, change.entry).await?;
        let changed = entry.changed(&lease.lane, &change, at)?;
        update(connection, &lease.worker, &changed, change.body.as_ref()).await?;
        queue_moves |= moves_queue(entry.state, changed.state);
        written.push(changed);
    }
    if queue_moves {
        queue(connection, &lease.outbox, &lease.lane).await?;
    }
    Ok(written)
}

/// `Prepared` and `InFlight` count alike for the queue: the commonest change needs no look at it.
fn moves_queue(from: State, to: State) -> bool {
    let counts = |state: State| matches!(state, State::Prepared | State::InFlight);
    !(counts(from) && counts(to))
}

async fn testify(
    connection: &mut Connection,
    time: Moment,
    outbox: &str,
    worker: &str,
    entry: i64,
    data: Bytes,
) -> Done<()> {
    let entry = entry_with_id(connection, outbox, entry).await?;
    let at = moment(now(connection, time).await?)?;
    let event = Event { testimony: true, data, at, ..Event::of(0, &entry, worker) };
    add_event(connection, &event).await
}

async fn list(connection: &mut Connection, outbox: &str, query: Query) -> Done<Vec<Entry>> {
    if query.key_prefix.as_ref().is_some_and(|prefix| prefix.contains('\0')) {
        return Ok(Vec::new());
    }
    let mut sql = QueryBuilder::<Database>::new("");
    let states: Vec<Option<State>> =
        if query.states.is_empty() { vec![None] } else { distinct(&query.states).map(Some).collect() };
    // One branch a state, each in index order and cut to a page: a page costs what it holds, however old the outbox is.
    for (position, state) in states.into_iter().enumerate() {
        sql.push(if position == 0 { "" } else { " UNION ALL " });
        push_branch(&mut sql, outbox, &query, state);
    }
    sql.push(format!(" ORDER BY id LIMIT {}", query.page_size()));
    let rows = sql.build().fetch_all(connection).await.map_err(failed)?;
    rows.iter().map(entry_of).collect()
}

fn distinct(states: &[State]) -> impl Iterator<Item = State> {
    State::ALL.into_iter().filter(|state| states.contains(state))
}

fn push_branch(sql: &mut QueryBuilder<'_, Database>, outbox: &str, query: &Query, state: Option<State>) {
    sql.push(format!("SELECT * FROM (SELECT {ENTRY} FROM integration_entries WHERE id > "));
    sql.push_bind(query.after).push(" AND outbox = ").push_bind(outbox.to_owned());
    if let Some(state) = state {
        // Literal numbers, and the index's own condition spelled out: that is how the engines recognise a partial index.
        sql.push(format!(" AND state = {}", state_code(state)));
        sql.push(if state == State::Done { "" } else { " AND state <> 2" });
    }
    if let Some(lane) = &query.lane {
        sql.push(" AND lane = ").push_bind(lane.clone());
    }
    if let Some(prefix) = &query.key_prefix {
        sql.push(" AND key >= ").push_bind(prefix.clone());
        if let Some(end) = after_prefix(prefix) {
            sql.push(" AND key < ").push_bind(end);
        }
    }
    if let Some(from) = query.created_from {
        sql.push(" AND created >= ").push_bind(ceil_micros(from));
    }
    if let Some(before) = query.created_before {
        sql.push(" AND created < ").push_bind(ceil_micros(before));
    }
    sql.push(format!(" ORDER BY id LIMIT {}) AS branch", query.page_size()));
}

async fn history(connection: &mut Connection, outbox: &str, entry: i64) -> Done<Vec<Event>> {
    let sql = "SELECT v.id, v.at, v.worker, v.state, v.testimony, v.data
               FROM integration_events v JOIN integration_entries e ON e.id = v.entry
               WHERE e.outbox = $1 AND v.entry = $2 ORDER BY v.id";
    let rows = sqlx::query(sql).bind(outbox).bind(entry).fetch_all(connection).await.map_err(failed)?;
    // Every entry has at least the line with which it was written down.
    if rows.is_empty() {
        Err(no_such_entry(outbox, entry))
    } else {
        rows.iter().map(|row| event_of(entry, row)).collect()
    }
}

fn event_of(entry: i64, row: &Row) -> Done<Event> {
    Ok(Event {
        id: get(row, 0)?,
        entry,
        at: moment(get(row, 1)?)?,
        worker: get(row, 2)?,
        state: state_of(get(row, 3)?)?,
        testimony: get(row, 4)?,
        data: get::<Vec<u8>>(row, 5)?.into(),
    })
}

async fn remember(
    connection: &mut Connection,
    time: Moment,
    inbox: &str,
    key: &str,
    ttl: Duration,
) -> Done<bool> {
    let now = now(connection, time).await?;
    // One statement: of any number at once, one inserts or revives the row, and the others meet it alive.
    let sql = "INSERT INTO integration_inbox (inbox, key, until) VALUES ($1, $2, $3)
               ON CONFLICT (inbox, key) DO UPDATE SET until = excluded.until WHERE integration_inbox.until <= $4";
    let until = now.saturating_add(ttl_micros(ttl));
    let insert = sqlx::query(sql).bind(inbox).bind(key).bind(until).bind(now);
    Ok(insert.execute(connection).await.map_err(failed)?.rows_affected() > 0)
}

async fn forget(connection: &mut Connection, inbox: &str, key: &str) -> Done<()> {
    let sql = "DELETE FROM integration_inbox WHERE inbox = $1 AND key = $2";
    sqlx::query(sql).bind(inbox).bind(key).execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn purge(connection: &mut Connection, time: Moment, inbox: &str) -> Done<u64> {
    let now = now(connection, time).await?;
    let sql = "DELETE FROM integration_inbox WHERE inbox = $1 AND until <= $2";
    Ok(sqlx::query(sql).bind(inbox).bind(now).execute(connection).await.map_err(failed)?.rows_affected())
}

async fn checkpoint(connection: &mut Connection, name: &str) -> Done<Option<Checkpoint>> {
    let sql = "SELECT cursor, version, checksum FROM integration_checkpoints WHERE name = $1";
    let row = sqlx::query(sql).bind(name).fetch_optional(connection).await.map_err(failed)?;
    row.as_ref().map(|row| checkpoint_of(name, row)).transpose()
}

fn checkpoint_of(name: &str, row: &Row) -> Done<Checkpoint> {
    let found = Checkpoint::new(get::<Vec<u8>>(row, 0)?, get(row, 1)?);
    check(seal_checkpoint(&found), get(row, 2)?, || format!("checkpoint {name:?}"))?;
    Ok(found)
}

fn seal_checkpoint(checkpoint: &Checkpoint) -> i64 {
    seal(&[&checkpoint.version.to_le_bytes(), &checkpoint.cursor])
}

async fn commit(connection: &mut Connection, name: &str, commit: Commit) -> Done<Checkpoint> {
    let next = Checkpoint::new(commit.cursor, commit.version.saturating_add(1));
    if !move_cursor(connection, name, commit.version, &next).await? {
        let stands = checkpoint(connection, name).await?.map_or(0, |checkpoint| checkpoint.version);
        return Err(moved_on(name, commit.version, stands));
    }
    for record in commit.records {
        put_record(connection, name, record).await?;
    }
    Ok(next)
}

/// Whether the cursor stood at `version`. The row is locked by it, so whoever comes second waits, and then meets a newer one.
async fn move_cursor(connection: &mut Connection, name: &str, version: i64, next: &Checkpoint) -> Done<bool> {
    let first =
        "INSERT INTO integration_checkpoints (name, cursor, version, checksum) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING";
    let later = "UPDATE integration_checkpoints SET cursor = $2, version = $3, checksum = $4
                 WHERE name = $1 AND version = $3 - 1";
    let sql = if version == 0 { first } else { later };
    let row =
        sqlx::query(sql).bind(name).bind(next.cursor.as_ref()).bind(next.version).bind(seal_checkpoint(next));
    Ok(row.execute(connection).await.map_err(failed)?.rows_affected() > 0)
}

async fn put_record(connection: &mut Connection, name: &str, record: Record) -> Done<()> {
    let Record { collection, key, value } = record;
    let put = "INSERT INTO integration_records (name, collection, key, value, checksum) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (name, collection, key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum";
    let delete = "DELETE FROM integration_records WHERE name = $1 AND collection = $2 AND key = $3";
    let query =
        sqlx::query(if value.is_some() { put } else { delete }).bind(name).bind(&collection).bind(&key);
    let query = match &value {
        Some(value) => query.bind(value.as_ref()).bind(seal(&[key.as_bytes(), value])),
        None => query,
    };
    query.execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn records(
    connection: &mut Connection,
    name: &str,
    collection: &str,
    after: Option<&str>,
    limit: usize,
) -> Done<Vec<(String, Bytes)>> {
    let from = if after.is_some() { ">" } else { ">=" };
    let sql = format!(
        "SELECT key, value, checksum FROM integration_records
         WHERE name = $1 AND collection = $2 AND key {from} $3 ORDER BY key LIMIT $4"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sqlx::query(&sql).bind(name).bind(collection).bind(after.unwrap_or_default()).bind(limit);
    rows.fetch_all(connection).await.map_err(failed)?.iter().map(record_of).collect()
}

fn record_of(row: &Row) -> Done<(String, Bytes)> {
    let (key, value): (String, Bytes) = (get(row, 0)?, get::<Vec<u8>>(row, 1)?.into());
    check(seal(&[key.as_bytes(), &value]), get(row, 2)?, || format!("record {key:?}"))?;
    Ok((key, value))
}

/// An operation in a box, for the engine to run inside a transaction.
fn work<T, F>(work: F) -> F
where
    F: for<'c> FnOnce(&'c mut Connection, Moment) -> BoxFuture<'c, Done<T>>,
{
    work
}

impl Backend for Engine {
    fn url(&self) -> String {
        self.shown_url()
    }

    fn append<'a>(
        &'a self,
        outbox: &'a str,
        worker: &'a str,
        entries: Vec<NewEntry>,
    ) -> Pending<'a, Vec<(Entry, bool)>> {
        Box::pin(async move {
            check_names([outbox, worker])?;
            check_names(entries.iter().flat_map(|new| [new.lane.as_str(), new.key.as_str()]))?;
            let (outbox, worker) = (outbox.to_owned(), worker.to_owned());
            self.transact(work(move |c, time| {
                Box::pin(async move { append(c, time, &outbox, &worker, entries).await })
            }))
            .await
        })
    }

    fn claim<'a>(
        &'a self,
        outbox: &'a str,
        lane: LaneChoice<'a>,
        worker: &'a str,
        ttl: Duration,
    ) -> Pending<'a, Option<Lease>> {
        Box::pin(async move {
            check_names([outbox, worker])?;
            let (outbox, worker) = (outbox.to_owned(), worker.to_owned());
            let LaneChoice::Named(lane) = lane else {
                let any = work(move |c, time| {
                    Box::pin(async move { claim_any(c, time, &outbox, &worker, ttl).await })
                });
                return self.transact(any).await;
            };
            check_names([lane])?;
            let lane = lane.to_owned();
            self.transact(work(move |c, time| {
                Box::pin(async move { claim(c, time, &outbox, &lane, &worker, ttl).await })
            }))
            .await
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Pending<'a, ()> {
        let lease = lease.clone();
        Box::pin(
            self.transact(work(move |c, time| Box::pin(async move { renew(c, time, &lease, ttl).await }))),
        )
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        let lease = lease.clone();
        Box::pin(self.transact(work(move |c, _| Box::pin(async move { release(c, &lease).await }))))
    }

    fn write<'a>(&'a self, lease: &'a Lease, changes: Vec<Change>) -> Pending<'a, Vec<Entry>> {
        let lease = lease.clone();
        Box::pin(
            self.transact(work(move |c, time| {
                Box::pin(async move { write(c, time, &lease, changes).await })
            })),
        )
    }

    fn testify<'a>(&'a self, outbox: &'a str, worker: &'a str, entry: i64, data: Bytes) -> Pending<'a, ()> {
        Box::pin(async move {
            check_names([outbox, worker])?;
            let (outbox, worker) = (outbox.to_owned(), worker.to_owned());
            let testify = work(move |c, time| {
                Box::pin(async move { testify(c, time, &outbox, &worker, entry, data).await })
            });
            self.transact(testify).await
        })
    }

    fn find<'a>(&'a self, outbox: &'a str, key: &'a str) -> Pending<'a, Option<Entry>> {
        let (outbox, key) = (outbox.to_owned(), key.to_owned());
        Box::pin(self.look(work(move |c, _| Box::pin(async move { entry_with_key(c, &outbox, &key).await }))))
    }

    fn list<'a>(&'a self, outbox: &'a str, query: Query) -> Pending<'a, Vec<Entry>> {
        let outbox = outbox.to_owned();
        Box::pin(self.look(work(move |c, _| Box::pin(async move { list(c, &outbox, query).await }))))
    }

    fn history<'a>(&'a self, outbox: &'a str, entry: i64) -> Pending<'a, Vec<Event>> {
        let outbox = outbox.to_owned();
        Box::pin(self.look(work(move |c, _| Box::pin(async move { history(c, &outbox, entry).await }))))
    }

    fn remember<'a>(&'a self, inbox: &'a str, key: &'a str, ttl: Duration) -> Pending<'a, bool> {
        Box::pin(async move {
            check_names([inbox, key])?;
            let (inbox, key) = (inbox.to_owned(), key.to_owned());
            self.transact(work(move |c, time| {
                Box::pin(async move { remember(c, time, &inbox, &key, ttl).await })
            }))
            .await
        })
    }

    fn forget<'a>(&'a self, inbox: &'a str, key: &'a str) -> Pending<'a, ()> {
        let (inbox, key) = (inbox.to_owned(), key.to_owned());
        Box::pin(self.transact(work(move |c, _| Box::pin(async move { forget(c, &inbox, &key).await }))))
    }

    fn purge<'a>(&'a self, inbox: &'a str) -> Pending<'a, u64> {
        let inbox = inbox.to_owned();
        Box::pin(self.transact(work(move |c, time| Box::pin(async move { purge(c, time, &inbox).await }))))
    }

    fn checkpoint<'a>(&'a self, name: &'a str) -> Pending<'a, Option<Checkpoint>> {
        let name = name.to_owned();
        Box::pin(self.look(work(move |c, _| Box::pin(async move { checkpoint(c, &name).await }))))
    }

    fn commit<'a>(&'a self, name: &'a str, page: Commit) -> Pending<'a, Checkpoint> {
        Box::pin(async move {
            check_names([name])?;
            check_names(
                page.records.iter().flat_map(|record| [record.collection.as_str(), record.key.as_str()]),
            )?;
            let name = name.to_owned();
            self.transact(work(move |c, _| Box::pin(async move { commit(c, &name, page).await }))).await
        })
    }

    fn records<'a>(
        &'a self,
        name: &'a str,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Bytes)>> {
        let (name, collection) = (name.to_owned(), collection.to_owned());
        let after = after.map(str::to_owned);
        let records = work(move |c, _| {
            Box::pin(async move { records(c, &name, &collection, after.as_deref(), limit).await })
        });
        Box::pin(self.look(records))
    }
}
