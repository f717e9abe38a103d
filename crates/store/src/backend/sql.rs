//! The operations in SQL, written once and compiled for both engines: `sqlite` and `postgres` each include this file and bring
//! their connection type, their clock, and the words in which they differ (`LOCK`, `NEXT_TURN`, …).
//!
//! Every operation that writes runs inside one transaction that the engine opens and commits. The rule for concurrency: whoever
//! changes anything of a lane first locks the lane's row **in a statement of its own**, so that every later statement sees what
//! the holder before committed; whoever appends first locks the outbox, so that ids become visible in ascending order and a
//! reader that pages through them misses none. Locks are always taken in this order (outbox, then lanes by name), which leaves
//! no cycle to deadlock in. SQLite has one writer at a time and needs no locks of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use integration_core::BoxFuture;
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _};

use super::{
    Connection, Database, Engine, LOCK, LOCK_FREE, Moment, NEXT_TURN, NOW, Row, check_whole, failed,
    lock_outbox, moment_of, now, wait_for_lane,
};
use crate::backend::row::{
    after_prefix, ceil_micros, check, corrupt, moment, seal, state_code, state_of, ttl_micros,
};
use crate::backend::{
    Backend, Pending, check_names, check_no_flight, check_step, check_ticket, key_is_there, lease_lost,
    moved_on, no_such_entry,
};
use crate::chain::{Digest, Tip};
use crate::checkpoint::{Checkpoint, Commit, Record};
use crate::entry::{
    Change, Entry, Event, LaneChoice, LaneView, Lease, Line, NewEntry, Order, Query, Standing, State, Step,
};
use crate::error::StoreError;
use crate::inbox::{Claim, Ticket};

type Done<T> = Result<T, StoreError>;

pub(super) const ENTRY: &str = "id, lane, key, state, body, data, version, created, changed, checksum";
const EVENT: &str = "v.id, v.entry, v.at, v.worker, v.state, v.testimony, v.data, v.body, v.line, v.link";

/// How many lines of history go into one statement.
const LINES_AT_ONCE: usize = 100;

/// A lane that is being changed: its row, locked until the transaction ends, and what the operation adds to its history. Both
/// are written by [`close`](Self::close), so that an operation costs few statements however much it does.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) outbox: String,
    pub(super) name: String,
    pub(super) fence: i64,
    pub(super) worker: Option<String>,
    pub(super) granted: i64,
    pub(super) ttl: i64,
    pub(super) queued: bool,
    pub(super) tip: Tip,
    /// The moment at which the row was read, by the backend's clock.
    pub(super) now: i64,
    pub(super) turn: Turn,
    pub(super) lines: Vec<Event>,
}

/// What becomes of a lane's place in the queue of ready lanes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    Stays,
    GoesToTheEnd,
    Leaves,
    /// To be found out from the lane's entries.
    Open,
    /// It is ready: at the end of the queue, if it was not in there.
    Joins,
}

impl Lane {
    pub(super) fn read(outbox: &str, name: &str, time: Moment, row: &Row) -> Done<Self> {
        Ok(Self {
            outbox: outbox.to_owned(),
            name: name.to_owned(),
            fence: get(row, 0)?,
            worker: get(row, 1)?,
            granted: get(row, 2)?,
            ttl: get(row, 3)?,
            queued: get::<Option<i64>>(row, 4)?.is_some(),
            tip: Tip::new(get(row, 5)?, digest(row, 6)?),
            now: moment_of(time, get(row, 7)?),
            turn: Turn::Stays,
            lines: Vec::new(),
        })
    }

    /// Whose lease runs. See [`hold_on`] for a clock that was set back.
    fn holder(&self) -> Option<&String> {
        self.worker.as_ref().filter(|_| self.now.saturating_sub(self.granted) < self.ttl)
    }

    /// Whether somebody else than `worker` may still be at work.
    pub(super) fn is_held_against(&self, worker: &str) -> bool {
        self.holder().is_some_and(|holder| holder != worker)
    }

    pub(super) fn is_held_by(&self, lease: &Lease) -> bool {
        self.worker.as_ref() == Some(&lease.worker) && self.fence == lease.fence
    }

    pub(super) fn at(&self) -> Done<Timestamp> {
        moment(self.now)
    }

    pub(super) fn grant(&mut self, worker: &str, ttl: Duration) -> Lease {
        self.fence = self.fence.saturating_add(1);
        self.worker = Some(worker.to_owned());
        self.granted = self.now;
        self.ttl = ttl_micros(ttl);
        self.turn = if self.queued { Turn::GoesToTheEnd } else { Turn::Stays };
        Lease::new(&self.outbox, &self.name, worker, self.fence)
    }

    /// Adds a line to the lane's history, to be written by [`close`](Self::close).
    fn add(&mut self, key: &str, mut event: Event) {
        self.tip.chain(&self.outbox, &self.name, key, &mut event);
        self.lines.push(event);
    }

    pub(super) fn add_change(&mut self, worker: &str, entry: &Entry) {
        self.add(&entry.key, Event::of(0, entry, worker));
    }

    /// Writes the lines and the row.
    async fn close(mut self, connection: &mut Connection) -> Done<()> {
        let lines = std::mem::take(&mut self.lines);
        for some in lines.chunks(LINES_AT_ONCE) {
            insert_lines(connection, some).await?;
        }
        let sql = format!(
            "UPDATE integration_lanes SET fence = $3, worker = $4, granted = $5, ttl = $6, lines = $7, tip = $8, turn = {}
             WHERE outbox = $1 AND lane = $2",
            self.turn.sql()
        );
        sqlx::query(&sql)
            .bind(&self.outbox)
            .bind(&self.name)
            .bind(self.fence)
            .bind(&self.worker)
            .bind(self.granted)
            .bind(self.ttl)
            .bind(self.tip.lines)
            .bind(self.tip.link.as_bytes().as_slice())
            .execute(connection)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

impl Turn {
    pub(super) fn sql(self) -> String {
        match self {
            Self::Stays => "turn".to_owned(),
            Self::GoesToTheEnd => NEXT_TURN.to_owned(),
            Self::Leaves => "NULL".to_owned(),
            Self::Joins => format!("COALESCE(turn, {NEXT_TURN})"),
            Self::Open => {
                let ready = any_of(&[State::Prepared, State::InFlight]);
                let unknown = any_of(&[State::Unknown]);
                format!("CASE WHEN {ready} AND NOT {unknown} THEN COALESCE(turn, {NEXT_TURN}) END")
            }
        }
    }
}

/// Whether the lane `$2` of outbox `$1` holds an entry in one of these states.
fn any_of(states: &[State]) -> String {
    let codes: Vec<String> = states.iter().map(|state| state_code(*state).to_string()).collect();
    let codes = codes.join(", ");
    format!(
        "EXISTS (SELECT 1 FROM integration_entries WHERE outbox = $1 AND lane = $2 AND state IN ({codes}))"
    )
}

async fn insert_lines(connection: &mut Connection, lines: &[Event]) -> Done<()> {
    let mut sql = QueryBuilder::<Database>::new(
        "INSERT INTO integration_events (entry, at, worker, state, testimony, data, body, line, link) ",
    );
    sql.push_values(lines, |mut row, event| {
        row.push_bind(event.entry)
            .push_bind(event.at.as_microsecond())
            .push_bind(&event.worker)
            .push_bind(state_code(event.state))
            .push_bind(event.testimony)
            .push_bind(event.data.as_ref())
            .push_bind(event.body.as_bytes().as_slice())
            .push_bind(event.line)
            .push_bind(event.link.as_bytes().as_slice());
    });
    sql.build().execute(connection).await.map_err(failed)?;
    Ok(())
}

fn digest(row: &Row, column: usize) -> Done<Digest> {
    Digest::from_slice(&get::<Vec<u8>>(row, column)?)
        .ok_or_else(|| corrupt("a hash is not 32 bytes long".to_owned()))
}

pub(super) fn get<'r, T>(row: &'r Row, column: usize) -> Done<T>
where
    T: sqlx::Decode<'r, Database> + sqlx::Type<Database>,
{
    row.try_get(column).map_err(failed)
}

fn entry_of(row: &Row) -> Done<Entry> {
    entry_at(row, 0)
}

/// The entry whose columns begin at `first`.
pub(super) fn entry_at(row: &Row, first: usize) -> Done<Entry> {
    let entry = unchecked_entry(row, first)?;
    check(seal_entry(&entry), get(row, first + 9)?, || format!("entry {} ({:?})", entry.id, entry.key))?;
    Ok(entry)
}

fn unchecked_entry(row: &Row, first: usize) -> Done<Entry> {
    Ok(Entry {
        id: get(row, first)?,
        lane: get(row, first + 1)?,
        key: get(row, first + 2)?,
        state: state_of(get(row, first + 3)?)?,
        body: get::<Vec<u8>>(row, first + 4)?.into(),
        data: get::<Vec<u8>>(row, first + 5)?.into(),
        version: get(row, first + 6)?,
        created: moment(get(row, first + 7)?)?,
        changed: moment(get(row, first + 8)?)?,
    })
}

/// What the checksum covers: everything but the id, which is the engine's to give.
pub(super) fn seal_entry(entry: &Entry) -> i64 {
    let numbers = [
        state_code(entry.state),
        entry.version,
        entry.created.as_microsecond(),
        entry.changed.as_microsecond(),
    ];
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    seal(&[&numbers, entry.lane.as_bytes(), entry.key.as_bytes(), &entry.body, &entry.data])
}

async fn lane_row(
    connection: &mut Connection,
    time: Moment,
    outbox: &str,
    lane: &str,
    lock: &str,
) -> Done<Option<Lane>> {
    let sql = format!(
        "SELECT fence, worker, granted, ttl, turn, lines, tip, {NOW} FROM integration_lanes
         WHERE outbox = $1 AND lane = $2{lock}"
    );
    let row = sqlx::query(&sql).bind(outbox).bind(lane).fetch_optional(connection).await.map_err(failed)?;
    row.as_ref().map(|row| Lane::read(outbox, lane, time, row)).transpose()
}

/// The lane, made if it is not there yet.
async fn lock_lane(connection: &mut Connection, time: Moment, outbox: &str, lane: &str) -> Done<Lane> {
    loop {
        if let Some(row) = lane_row(connection, time, outbox, lane, LOCK).await? {
            return Ok(row);
        }
        let sql = "INSERT INTO integration_lanes (outbox, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(outbox).bind(lane).execute(&mut *connection).await.map_err(failed)?;
    }
}

/// The lane if the lease is still the newest: checked under the lock under which the change is made.
async fn lock_held(connection: &mut Connection, time: Moment, lease: &Lease) -> Done<Lane> {
    let lane = lane_row(connection, time, &lease.outbox, &lease.lane, LOCK).await?;
    lane.filter(|lane| lane.is_held_by(lease)).ok_or_else(|| lease_lost(lease))
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

/// Stores an entry as it is now. The bytes are written again only if they changed.
async fn update(connection: &mut Connection, entry: &Entry, body: Option<&Bytes>) -> Done<()> {
    let plain = "UPDATE integration_entries SET state = $2, data = $3, version = $4, changed = $5, checksum = $6 WHERE id = $1";
    let revised = "UPDATE integration_entries SET state = $2, data = $3, version = $4, changed = $5, checksum = $6, body = $7 WHERE id = $1";
    let query = sqlx::query(if body.is_some() { revised } else { plain })
        .bind(entry.id)
        .bind(state_code(entry.state))
        .bind(entry.data.as_ref())
        .bind(entry.version)
        .bind(entry.changed.as_microsecond())
        .bind(seal_entry(entry));
    let query = match body {
        Some(body) => query.bind(body.as_ref()),
        None => query,
    };
    query.execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn append(
    connection: &mut Connection,
    time: Moment,
    outbox: &str,
    worker: &str,
    entries: Vec<NewEntry>,
) -> Done<Vec<(Entry, bool)>> {
    lock_outbox(connection, outbox).await?;
    let mut lanes: BTreeMap<String, Lane> = BTreeMap::new();
    for name in entries.iter().map(|new| new.lane.clone()).collect::<BTreeSet<_>>() {
        let lane = lock_lane(connection, time, outbox, &name).await?;
        lanes.insert(name, lane);
    }
    let mut appended = Vec::with_capacity(entries.len());
    for new in entries {
        if let Some(lane) = lanes.get_mut(&new.lane) {
            appended.push(append_one(connection, lane, worker, new).await?);
        }
    }
    for (_, lane) in lanes.into_iter().filter(|(_, lane)| !lane.lines.is_empty()) {
        lane.close(connection).await?;
    }
    Ok(appended)
}

async fn append_one(
    connection: &mut Connection,
    lane: &mut Lane,
    worker: &str,
    new: NewEntry,
) -> Done<(Entry, bool)> {
    let mut entry = Entry::prepared(0, new, lane.at()?);
    if let Some(id) = insert(connection, &lane.outbox, &entry).await? {
        entry.id = id;
        lane.add_change(worker, &entry);
        if !lane.queued {
            lane.turn = Turn::Open;
        }
        return Ok((entry, true));
    }
    let known = entry_with_key(connection, &lane.outbox, &entry.key).await?;
    Ok((known.ok_or_else(|| no_such_entry(&lane.outbox, 0))?, false))
}

async fn claim(
    connection: &mut Connection,
    time: Moment,
    outbox: &str,
    name: &str,
    worker: &str,
    ttl: Duration,
) -> Done<Option<Lease>> {
    let mut lane = lock_lane(connection, time, outbox, name).await?;
    if lane.is_held_against(worker) {
        hold_on(connection, outbox, lane.now).await?;
        return Ok(None);
    }
    let lease = lane.grant(worker, ttl);
    give_up_in_flight(connection, &mut lane, worker).await?;
    lane.close(connection).await?;
    Ok(Some(lease))
}

async fn give_up_in_flight(connection: &mut Connection, lane: &mut Lane, worker: &str) -> Done<()> {
    let in_flight = state_code(State::InFlight);
    let sql = format!(
        "SELECT {ENTRY} FROM integration_entries WHERE outbox = $1 AND lane = $2 AND state = {in_flight} ORDER BY id"
    );
    let in_flight = sqlx::query(&sql).bind(&lane.outbox).bind(&lane.name);
    for row in &in_flight.fetch_all(&mut *connection).await.map_err(failed)? {
        let given_up = entry_of(row)?.given_up(lane.at()?);
        update(connection, &given_up, None).await?;
        lane.add_change(worker, &given_up);
        lane.turn = Turn::Leaves;
    }
    Ok(())
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
    let lane = lock_held(connection, time, lease).await?;
    let sql = "UPDATE integration_lanes SET granted = $3, ttl = $4 WHERE outbox = $1 AND lane = $2";
    let grant = sqlx::query(sql).bind(&lease.outbox).bind(&lease.lane).bind(lane.now).bind(ttl_micros(ttl));
    grant.execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn release(connection: &mut Connection, lease: &Lease) -> Done<()> {
    let sql = "UPDATE integration_lanes SET worker = NULL WHERE outbox = $1 AND lane = $2 AND worker = $3 AND fence = $4";
    let lane = sqlx::query(sql).bind(&lease.outbox).bind(&lease.lane).bind(&lease.worker).bind(lease.fence);
    lane.execute(connection).await.map_err(failed)?;
    Ok(())
}

/// A step in a lane: with the lease that is held, or with one to be claimed if the lane stands as it was seen.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The lease; of a lane to be claimed, what was seen of it.
    pub(super) lease: Lease,
    /// For how long the lane is to be claimed.
    pub(super) claim: Option<Duration>,
    pub(super) step: Step,
}

/// Makes the step under the lane's lock. `None` only if a lane to be claimed does not stand as it was seen.
pub(super) async fn locked(
    connection: &mut Connection,
    time: Moment,
    request: Request,
) -> Done<Option<(Lease, Vec<Entry>)>> {
    let Request { lease, claim, step } = request;
    if !step.append.is_empty() {
        lock_outbox(connection, &lease.outbox).await?;
    }
    let Some(ttl) = claim else {
        let lane = lock_held(connection, time, &lease).await?;
        let entries = make(connection, lane, &lease.worker, step).await?;
        return Ok(Some((lease, entries)));
    };
    let mut lane = lock_lane(connection, time, &lease.outbox, &lease.lane).await?;
    let stands = !lane.is_held_against(&lease.worker) && lane.fence == lease.fence;
    if !stands || is_unsettled(connection, &lane).await? {
        return Ok(None);
    }
    let lease = lane.grant(&lease.worker, ttl);
    let entries = make(connection, lane, &lease.worker, step).await?;
    Ok(Some((lease, entries)))
}

/// Whether something of the lane is, or may be, under way.
async fn is_unsettled(connection: &mut Connection, lane: &Lane) -> Done<bool> {
    let sql = format!("SELECT {}", any_of(&[State::InFlight, State::Unknown]));
    let row = sqlx::query(&sql).bind(&lane.outbox).bind(&lane.name).fetch_one(connection).await;
    get(&row.map_err(failed)?, 0)
}

/// A step in a lane that is locked for its worker.
async fn make(connection: &mut Connection, mut lane: Lane, worker: &str, step: Step) -> Done<Vec<Entry>> {
    let mut outcome = Vec::with_capacity(step.append.len() + step.changes.len());
    for new in step.append {
        outcome.push(append_new(connection, &mut lane, worker, new).await?);
    }
    for change in step.changes {
        outcome.push(change_one(connection, &mut lane, worker, &change).await?);
    }
    if step.release {
        lane.worker = None;
    }
    lane.close(connection).await?;
    Ok(outcome)
}

async fn append_new(
    connection: &mut Connection,
    lane: &mut Lane,
    worker: &str,
    new: NewEntry,
) -> Done<Entry> {
    let in_flight = new.in_flight;
    let mut prepared = Entry::prepared(0, new, lane.at()?);
    let mut stands = if in_flight { prepared.sent_at_once() } else { prepared.clone() };
    let id = insert(connection, &lane.outbox, &stands).await?.ok_or_else(|| key_is_there(&stands.key))?;
    (prepared.id, stands.id) = (id, id);
    lane.add_change(worker, &prepared);
    if in_flight {
        lane.add_change(worker, &stands);
    }
    if !lane.queued {
        lane.turn = Turn::Open;
    }
    Ok(stands)
}

async fn change_one(
    connection: &mut Connection,
    lane: &mut Lane,
    worker: &str,
    change: &Change,
) -> Done<Entry> {
    let entry = entry_with_id(connection, &lane.outbox, change.entry).await?;
    let changed = entry.changed(&lane.name, change, lane.at()?)?;
    update(connection, &changed, change.body.as_ref()).await?;
    lane.add_change(worker, &changed);
    if moves_queue(entry.state, changed.state) {
        lane.turn = Turn::Open;
    }
    Ok(changed)
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
    let name = entry_with_id(connection, outbox, entry).await?.lane;
    let mut lane = lock_lane(connection, time, outbox, &name).await?;
    // Read anew under the lane's lock: the line says in which state it found the entry.
    let entry = entry_with_id(connection, outbox, entry).await?;
    lane.add(&entry.key, Event::of_testimony(0, &entry, worker, lane.at()?, data));
    lane.close(connection).await
}

async fn lane_view(
    connection: &mut Connection,
    time: Moment,
    outbox: &str,
    name: &str,
) -> Done<(LaneView, bool)> {
    let Some(lane) = lane_row(connection, time, outbox, name, "").await? else {
        return Ok((LaneView::default(), false));
    };
    let held_by = lane.holder().cloned();
    let clock_went_back = held_by.is_some() && lane.granted > lane.now;
    Ok((LaneView::new(lane.fence, held_by, lane.tip), clock_went_back))
}

async fn lanes(connection: &mut Connection, outbox: &str, states: Vec<State>) -> Done<Vec<String>> {
    let sql = lanes_sql(&states);
    // Sorted here: asked for in order, SQLite would rather walk through all entries of an index that is in that order.
    let rows = sqlx::query(&sql).bind(outbox).fetch_all(connection).await.map_err(failed)?;
    let lanes: BTreeSet<String> = rows.iter().map(|row| get(row, 0)).collect::<Done<_>>()?;
    Ok(lanes.into_iter().collect())
}

/// What is done is most of all there is: it is asked for lane by lane. Of the rest there is an index, which SQLite only takes if
/// the id is spoken of as well.
pub(super) fn lanes_sql(states: &[State]) -> String {
    let any = |state: State| {
        let code = state_code(state);
        if state == State::Done {
            format!(
                "SELECT lane FROM integration_lanes l WHERE outbox = $1 AND EXISTS
                 (SELECT 1 FROM integration_entries e WHERE e.outbox = $1 AND e.lane = l.lane AND e.state = {code})"
            )
        } else {
            format!(
                "SELECT lane FROM integration_entries
                 WHERE outbox = $1 AND state = {code} AND state <> 2 AND id > 0"
            )
        }
    };
    let all = if states.is_empty() { &State::ALL } else { states };
    distinct(all).map(any).collect::<Vec<_>>().join(" UNION ALL ")
}

async fn tips(
    connection: &mut Connection,
    outbox: &str,
    after: Option<&str>,
    limit: usize,
) -> Done<Vec<(String, Tip)>> {
    let from = if after.is_some() { ">" } else { ">=" };
    let sql = format!(
        "SELECT lane, lines, tip FROM integration_lanes
         WHERE outbox = $1 AND lane {from} $2 AND lines > 0 ORDER BY lane LIMIT $3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sqlx::query(&sql).bind(outbox).bind(after.unwrap_or_default()).bind(limit);
    let rows = rows.fetch_all(connection).await.map_err(failed)?;
    rows.iter().map(|row| Ok((get(row, 0)?, Tip::new(get(row, 1)?, digest(row, 2)?)))).collect()
}

async fn lines(connection: &mut Connection, outbox: &str, after: i64, limit: usize) -> Done<Vec<Line>> {
    let sql = format!(
        "SELECT {EVENT}, e.lane, e.key FROM integration_events v JOIN integration_entries e ON e.id = v.entry
         WHERE e.outbox = $1 AND v.id > $2 ORDER BY v.id LIMIT $3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sqlx::query(&sql).bind(outbox).bind(after).bind(limit);
    let rows = rows.fetch_all(connection).await.map_err(failed)?;
    rows.iter()
        .map(|row| Ok(Line { event: event_of(row, 0)?, lane: get(row, 10)?, key: get(row, 11)? }))
        .collect()
}

async fn standings(
    connection: &mut Connection,
    outbox: &str,
    after: i64,
    limit: usize,
) -> Done<Vec<Standing>> {
    let sql = format!(
        "SELECT e.*, {EVENT}, (SELECT COUNT(*) FROM integration_events c WHERE c.entry = e.id AND NOT c.testimony)
         FROM (SELECT {ENTRY} FROM integration_entries WHERE outbox = $1 AND id > $2 ORDER BY id LIMIT $3) e
         LEFT JOIN integration_events v
           ON v.id = (SELECT MAX(m.id) FROM integration_events m WHERE m.entry = e.id AND NOT m.testimony)
         ORDER BY e.id"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sqlx::query(&sql).bind(outbox).bind(after).bind(limit);
    rows.fetch_all(connection).await.map_err(failed)?.iter().map(standing_of).collect()
}

fn standing_of(row: &Row) -> Done<Standing> {
    let last = get::<Option<i64>>(row, 10)?.map(|_| event_of(row, 10)).transpose()?;
    Ok(Standing { entry: unchecked_entry(row, 0)?, last, changes: get(row, 20)? })
}

/// Chains the lines that were written before there was a chain, page by page; the caller's transaction makes it all or none.
pub(super) async fn link_old_lines(connection: &mut Connection) -> Done<()> {
    const PAGE: i64 = 500;
    let sql = format!(
        "SELECT {EVENT}, e.outbox, e.lane, e.key, e.body FROM integration_events v
         JOIN integration_entries e ON e.id = v.entry WHERE v.id > $1 ORDER BY v.id LIMIT {PAGE}"
    );
    let mut tips: BTreeMap<(String, String), Tip> = BTreeMap::new();
    let mut after = 0_i64;
    loop {
        let rows = sqlx::query(&sql).bind(after).fetch_all(&mut *connection).await.map_err(failed)?;
        let Some(last) = rows.last() else { break };
        after = get(last, 0)?;
        for row in &rows {
            link_old_line(connection, &mut tips, row).await?;
        }
    }
    for ((outbox, lane), tip) in tips {
        let sql = "UPDATE integration_lanes SET lines = $3, tip = $4 WHERE outbox = $1 AND lane = $2";
        let query = sqlx::query(sql).bind(outbox).bind(lane).bind(tip.lines);
        query.bind(tip.link.as_bytes().as_slice()).execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}

/// The bytes that an old line was about were not kept: it is chained with those that its entry has now.
async fn link_old_line(
    connection: &mut Connection,
    tips: &mut BTreeMap<(String, String), Tip>,
    row: &Row,
) -> Done<()> {
    let (outbox, lane, key): (String, String, String) = (get(row, 10)?, get(row, 11)?, get(row, 12)?);
    let mut event = bare_event(row, 0, Digest::of(&get::<Vec<u8>>(row, 13)?))?;
    let tip = tips.entry((outbox.clone(), lane.clone())).or_default();
    tip.chain(&outbox, &lane, &key, &mut event);
    let sql = "UPDATE integration_events SET body = $2, line = $3, link = $4 WHERE id = $1";
    sqlx::query(sql)
        .bind(event.id)
        .bind(event.body.as_bytes().as_slice())
        .bind(event.line)
        .bind(event.link.as_bytes().as_slice())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

pub(super) async fn list(connection: &mut Connection, outbox: &str, query: Query) -> Done<Vec<Entry>> {
    if [&query.key_prefix, &query.key_before].into_iter().flatten().any(|text| text.contains('\0')) {
        return Ok(Vec::new());
    }
    let rows = list_sql(outbox, &query).build().fetch_all(connection).await.map_err(failed)?;
    rows.iter().map(entry_of).collect()
}

pub(super) fn list_sql(outbox: &str, query: &Query) -> QueryBuilder<'static, Database> {
    let mut sql = QueryBuilder::<Database>::new("");
    let states: Vec<Option<State>> =
        if query.states.is_empty() { vec![None] } else { distinct(&query.states).map(Some).collect() };
    // One branch a state, each in index order and cut to a page: a page costs what it holds, however old the outbox is.
    for (position, state) in states.into_iter().enumerate() {
        sql.push(if position == 0 { "" } else { " UNION ALL " });
        push_branch(&mut sql, outbox, query, state);
    }
    sql.push(format!(" ORDER BY {} LIMIT {}", order(query), query.page_size()));
    sql
}

fn distinct(states: &[State]) -> impl Iterator<Item = State> {
    State::ALL.into_iter().filter(|state| states.contains(state))
}

fn push_branch(sql: &mut QueryBuilder<'_, Database>, outbox: &str, query: &Query, state: Option<State>) {
    sql.push(format!("SELECT * FROM (SELECT {ENTRY} FROM integration_entries WHERE id > "));
    sql.push_bind(query.after).push(" AND outbox = ").push_bind(outbox.to_owned());
    if let Some(state) = state {
        // Literal numbers, and the index's own condition spelled out: that is how the engines recognise a partial index.
        // What is done is most of a lane: its highest key is found by walking down the keys, which the plus makes sure of.
        let walk = state == State::Done && query.order == Order::NewestKeysFirst;
        sql.push(format!(" AND {}state = {}", if walk { "+" } else { "" }, state_code(state)));
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
    if let Some(before) = &query.key_before {
        sql.push(" AND key < ").push_bind(before.clone());
    }
    if let Some(from) = query.created_from {
        sql.push(" AND created >= ").push_bind(ceil_micros(from));
    }
    if let Some(before) = query.created_before {
        sql.push(" AND created < ").push_bind(ceil_micros(before));
    }
    sql.push(format!(" ORDER BY {} LIMIT {}) AS branch", order(query), query.page_size()));
}

fn order(query: &Query) -> &'static str {
    match query.order {
        Order::Written => "id",
        Order::NewestKeysFirst => "key DESC",
    }
}

async fn history(connection: &mut Connection, outbox: &str, entry: i64) -> Done<Vec<Event>> {
    let sql = format!(
        "SELECT {EVENT} FROM integration_events v JOIN integration_entries e ON e.id = v.entry
         WHERE e.outbox = $1 AND v.entry = $2 ORDER BY v.id"
    );
    let rows = sqlx::query(&sql).bind(outbox).bind(entry).fetch_all(connection).await.map_err(failed)?;
    // Every entry has at least the line with which it was written down.
    if rows.is_empty() {
        Err(no_such_entry(outbox, entry))
    } else {
        rows.iter().map(|row| event_of(row, 0)).collect()
    }
}

/// The line whose columns begin at `first`.
fn event_of(row: &Row, first: usize) -> Done<Event> {
    let body = digest(row, first + 7)?;
    let event = bare_event(row, first, body)?;
    Ok(Event { line: get(row, first + 8)?, link: digest(row, first + 9)?, ..event })
}

fn bare_event(row: &Row, first: usize, body: Digest) -> Done<Event> {
    Ok(Event {
        id: get(row, first)?,
        entry: get(row, first + 1)?,
        at: moment(get(row, first + 2)?)?,
        worker: get(row, first + 3)?,
        state: state_of(get(row, first + 4)?)?,
        testimony: get(row, first + 5)?,
        data: get::<Vec<u8>>(row, first + 6)?.into(),
        body,
        line: 0,
        link: Digest::default(),
    })
}

async fn claim_key(
    connection: &mut Connection,
    time: Moment,
    ticket: &Ticket,
    lease: Duration,
) -> Done<Claim> {
    let now = now(connection, time).await?;
    loop {
        if take_key(connection, ticket, now, ttl_micros(lease)).await? {
            return Ok(Claim::New(ticket.clone()));
        }
        // On PostgreSQL the statement has locked the row that it met, so it is still there; a loop costs nothing to be sure.
        if let Some(standing) = key_standing(connection, ticket, now).await? {
            return Ok(standing);
        }
    }
}

/// One statement: of any number at once, one inserts or takes over the row, and the others meet it held.
async fn take_key(connection: &mut Connection, ticket: &Ticket, now: i64, lease: i64) -> Done<bool> {
    let sql = "INSERT INTO integration_inbox (inbox, key, until, holder, token, granted) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (inbox, key) DO UPDATE SET until = excluded.until, holder = excluded.holder,
                   token = excluded.token, granted = excluded.granted
               WHERE integration_inbox.until <= $6
                   OR (integration_inbox.holder IS NOT NULL AND integration_inbox.token = $5)";
    let insert = sqlx::query(sql)
        .bind(&ticket.inbox)
        .bind(&ticket.key)
        .bind(now.saturating_add(lease))
        .bind(&ticket.holder)
        .bind(ticket.token)
        .bind(now);
    Ok(insert.execute(connection).await.map_err(failed)?.rows_affected() > 0)
}

async fn key_standing(connection: &mut Connection, ticket: &Ticket, now: i64) -> Done<Option<Claim>> {
    let sql = "SELECT holder, token, granted, until FROM integration_inbox WHERE inbox = $1 AND key = $2";
    let row = sqlx::query(sql).bind(&ticket.inbox).bind(&ticket.key);
    let Some(row) = row.fetch_optional(&mut *connection).await.map_err(failed)? else { return Ok(None) };
    let Some(holder) = get::<Option<String>>(&row, 0)? else { return Ok(Some(Claim::Handled)) };
    let by = Ticket::known(&*ticket.inbox, &*ticket.key, holder, get(&row, 1)?);
    let (granted, mut until): (i64, i64) = (get(&row, 2)?, get(&row, 3)?);
    if granted > now {
        // The clock was set back: as a lane's lease (see `hold_on`), the claim lasts its own length from here.
        until = until.saturating_sub(granted).saturating_add(now);
        date_claim(connection, &by, now, until).await?;
    }
    // A lease for ever ends after the calendar does.
    Ok(Some(Claim::InProgress { by, until: moment(until).unwrap_or(Timestamp::MAX) }))
}

async fn date_claim(connection: &mut Connection, by: &Ticket, now: i64, until: i64) -> Done<()> {
    let sql = "UPDATE integration_inbox SET granted = $4, until = $5
               WHERE inbox = $1 AND key = $2 AND holder IS NOT NULL AND token = $3";
    let date = sqlx::query(sql).bind(&by.inbox).bind(&by.key).bind(by.token).bind(now).bind(until);
    date.execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn done_key(connection: &mut Connection, time: Moment, ticket: &Ticket, keep: Duration) -> Done<bool> {
    let until = now(connection, time).await?.saturating_add(ttl_micros(keep));
    let held = "UPDATE integration_inbox SET until = $4, holder = NULL, token = 0, granted = 0
                WHERE inbox = $1 AND key = $2 AND holder IS NOT NULL AND token = $3";
    let held = sqlx::query(held).bind(&ticket.inbox).bind(&ticket.key).bind(ticket.token).bind(until);
    if held.execute(&mut *connection).await.map_err(failed)?.rows_affected() > 0 {
        return Ok(true);
    }
    let lost = "INSERT INTO integration_inbox (inbox, key, until) VALUES ($1, $2, $3)
                ON CONFLICT (inbox, key) DO UPDATE SET until = excluded.until, holder = NULL, token = 0, granted = 0
                WHERE integration_inbox.holder IS NOT NULL OR integration_inbox.until < excluded.until";
    let lost = sqlx::query(lost).bind(&ticket.inbox).bind(&ticket.key).bind(until);
    lost.execute(connection).await.map_err(failed)?;
    Ok(false)
}

async fn release_key(connection: &mut Connection, ticket: &Ticket) -> Done<()> {
    let sql = "DELETE FROM integration_inbox
               WHERE inbox = $1 AND key = $2 AND holder IS NOT NULL AND token = $3";
    let free = sqlx::query(sql).bind(&ticket.inbox).bind(&ticket.key).bind(ticket.token);
    free.execute(connection).await.map_err(failed)?;
    Ok(())
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
               ON CONFLICT (inbox, key) DO UPDATE SET until = excluded.until, holder = NULL, token = 0, granted = 0
               WHERE integration_inbox.until <= $4";
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
            check_no_flight(&entries)?;
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

    fn apply<'a>(&'a self, lease: &'a Lease, step: Step) -> Pending<'a, Vec<Entry>> {
        Box::pin(async move {
            check_step(&lease.lane, &step)?;
            let request = Request { lease: lease.clone(), claim: None, step };
            let outcome = self.step(request).await?;
            outcome.map(|(_, entries)| entries).ok_or_else(|| lease_lost(lease))
        })
    }

    fn claim_and_apply<'a>(
        &'a self,
        outbox: &'a str,
        lane: &'a str,
        worker: &'a str,
        ttl: Duration,
        seen_fence: i64,
        step: Step,
    ) -> Pending<'a, Option<(Lease, Vec<Entry>)>> {
        Box::pin(async move {
            check_names([outbox, lane, worker])?;
            check_step(lane, &step)?;
            let lease = Lease::new(outbox, lane, worker, seen_fence);
            self.step(Request { lease, claim: Some(ttl), step }).await
        })
    }

    fn lane<'a>(&'a self, outbox: &'a str, lane: &'a str) -> Pending<'a, LaneView> {
        Box::pin(async move {
            let (name, of) = (lane.to_owned(), outbox.to_owned());
            let look = work(move |c, time| Box::pin(async move { lane_view(c, time, &of, &name).await }));
            let (view, clock_went_back) = self.look(look).await?;
            if clock_went_back {
                let outbox = outbox.to_owned();
                self.transact(work(move |c, time| {
                    Box::pin(async move {
                        let now = now(c, time).await?;
                        hold_on(c, &outbox, now).await
                    })
                }))
                .await?;
            }
            Ok(view)
        })
    }

    fn now(&self) -> Pending<'_, Timestamp> {
        Box::pin(self.look(work(move |c, time| Box::pin(async move { moment(super::now(c, time).await?) }))))
    }

    fn lanes<'a>(&'a self, outbox: &'a str, states: Vec<State>) -> Pending<'a, Vec<String>> {
        let outbox = outbox.to_owned();
        Box::pin(self.look(work(move |c, _| Box::pin(async move { lanes(c, &outbox, states).await }))))
    }

    fn check(&self) -> Pending<'_, ()> {
        Box::pin(self.look(work(move |c, _| Box::pin(check_whole(c)))))
    }

    fn tips<'a>(
        &'a self,
        outbox: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Tip)>> {
        let (outbox, after) = (outbox.to_owned(), after.map(str::to_owned));
        Box::pin(
            self.look(work(move |c, _| {
                Box::pin(async move { tips(c, &outbox, after.as_deref(), limit).await })
            })),
        )
    }

    fn lines<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Line>> {
        let outbox = outbox.to_owned();
        Box::pin(self.look(work(move |c, _| Box::pin(async move { lines(c, &outbox, after, limit).await }))))
    }

    fn standings<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Standing>> {
        let outbox = outbox.to_owned();
        Box::pin(
            self.look(work(move |c, _| Box::pin(async move { standings(c, &outbox, after, limit).await }))),
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
        Box::pin(async move { self.page(outbox, query).await })
    }

    fn history<'a>(&'a self, outbox: &'a str, entry: i64) -> Pending<'a, Vec<Event>> {
        let outbox = outbox.to_owned();
        Box::pin(self.look(work(move |c, _| Box::pin(async move { history(c, &outbox, entry).await }))))
    }

    fn claim_key<'a>(&'a self, ticket: &'a Ticket, lease: Duration) -> Pending<'a, Claim> {
        Box::pin(async move {
            check_ticket(ticket)?;
            let ticket = ticket.clone();
            self.transact(work(move |c, time| {
                Box::pin(async move { claim_key(c, time, &ticket, lease).await })
            }))
            .await
        })
    }

    fn done_key<'a>(&'a self, ticket: &'a Ticket, keep: Duration) -> Pending<'a, bool> {
        Box::pin(async move {
            check_ticket(ticket)?;
            let ticket = ticket.clone();
            self.transact(work(move |c, time| {
                Box::pin(async move { done_key(c, time, &ticket, keep).await })
            }))
            .await
        })
    }

    fn release_key<'a>(&'a self, ticket: &'a Ticket) -> Pending<'a, ()> {
        let ticket = ticket.clone();
        Box::pin(self.transact(work(move |c, _| Box::pin(async move { release_key(c, &ticket).await }))))
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
