//! The register's operations in SQL, written once and compiled for both engines: `sqlite` and `postgres` each include this file
//! and bring their connection type and the words in which they differ.
//!
//! The rule enforced here: whoever writes under a lease first locks the lease's row in the same transaction, so a worker that was
//! overtaken writes nothing, and numbers of runs are given one after the other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::{QueryBuilder, Row as _};

use super::{Connection, Database, LOCK, Row, STEPS, failed, packing};
use crate::feature::Feature;
use crate::sync::element::{Digest, Element};
use crate::sync::error::{SyncError, SyncErrorKind};
use crate::sync::kind::{Kind, Shelf, feature_named};
use crate::sync::register::{
    Candidate, Claim, Count, Finish, Known, Page, Reason, RunRow, Stored, Term, Ticket, Tombstone,
};
use crate::sync::report::Mode;
use crate::sync::run::{from_json, to_json};
use crate::sync::selection::Integration;
use crate::sync::sql::tables::table;

pub(super) type Done<T> = Result<T, SyncError>;

/// Rows in one statement: both engines limit the values of a statement (SQLite 32,766, PostgreSQL 65,535).
const AT_ONCE: usize = 500;

const STAMP: usize = 6;

/// Fixed in width, so that its order is that of time.
fn text(moment: Timestamp) -> String {
    format!("{moment:.STAMP$}")
}

fn moment(text: &str) -> Done<Timestamp> {
    text.parse().map_err(|_| corrupt(&format!("{text:?} is not a moment")))
}

pub(super) fn corrupt(what: &str) -> SyncError {
    SyncError::new(SyncErrorKind::Store, format!("the register is damaged: {what}"))
}

pub(super) fn get<'r, T>(row: &'r Row, column: usize) -> Done<T>
where
    T: sqlx::Decode<'r, Database> + sqlx::Type<Database>,
{
    row.try_get(column).map_err(failed)
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn kind(name: &str) -> Done<Kind> {
    Kind::named(name).ok_or_else(|| corrupt(&format!("{name:?} is no kind")))
}

fn shelf(name: &str) -> Done<Shelf> {
    Shelf::named(name).ok_or_else(|| corrupt(&format!("{name:?} is no shelf")))
}

fn reason(name: &str) -> Done<Reason> {
    Reason::named(name).ok_or_else(|| corrupt(&format!("{name:?} is no reason")))
}

/// A transaction. One that is dropped before its commit takes its connection with it: whoever was dropped in the midst of a
/// statement leaves a connection of which nobody knows whether its transaction is open.
pub(super) struct Writing(Option<PoolConnection<Database>>);

impl Writing {
    pub(super) async fn begin(connection: PoolConnection<Database>, sql: &str) -> Done<Self> {
        let mut writing = Self(Some(connection));
        run(writing.connection()?, sql).await?;
        Ok(writing)
    }

    pub(super) fn connection(&mut self) -> Done<&mut Connection> {
        self.0.as_deref_mut().ok_or_else(|| corrupt("a transaction was used after its end"))
    }

    pub(super) async fn commit(mut self) -> Done<()> {
        run(self.connection()?, "COMMIT").await?;
        drop(self.0.take());
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

// Integrations and cursors.

pub(super) async fn integration(connection: &mut Connection, name: &str) -> Done<Option<(Integration, i64)>> {
    let sql = "SELECT state, version FROM geosite_integrations WHERE name = $1";
    let row = sqlx::query(sql).bind(name).fetch_optional(connection).await.map_err(failed)?;
    row.map(|row| Ok((from_json(&get::<String>(&row, 0)?)?, get(&row, 1)?))).transpose()
}

pub(super) async fn keep_integration(
    connection: &mut Connection,
    name: &str,
    integration: &Integration,
    version: i64,
    forget: &[Feature],
) -> Done<Option<i64>> {
    let state = to_json(integration)?;
    let sql = if version == 0 {
        "INSERT INTO geosite_integrations (name, project, state, version) VALUES ($1, $2, $3, $4 + 1)
         ON CONFLICT (name) DO NOTHING"
    } else {
        "UPDATE geosite_integrations SET project = $2, state = $3, version = $4 + 1 WHERE name = $1 AND version = $4"
    };
    let query = sqlx::query(sql).bind(name).bind(&integration.project).bind(state).bind(version);
    let done = query.execute(&mut *connection).await.map_err(failed)?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    forget_cursors(connection, name, forget).await?;
    Ok(Some(version + 1))
}

async fn forget_cursors(connection: &mut Connection, name: &str, features: &[Feature]) -> Done<()> {
    for feature in features {
        let sql = "DELETE FROM geosite_cursors WHERE integration = $1 AND feature = $2";
        sqlx::query(sql)
            .bind(name)
            .bind(feature.segment())
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

pub(super) async fn cursors(connection: &mut Connection, name: &str) -> Done<BTreeMap<Feature, Timestamp>> {
    let sql = "SELECT feature, changed_since FROM geosite_cursors WHERE integration = $1";
    let found = sqlx::query(sql).bind(name).fetch_all(connection).await.map_err(failed)?;
    let cursor = |row: &Row| {
        let segment: String = get(row, 0)?;
        let feature =
            feature_named(&segment).ok_or_else(|| corrupt(&format!("{segment:?} is no feature")))?;
        Ok((feature, moment(&get::<String>(row, 1)?)?))
    };
    found.iter().map(cursor).collect()
}

// Leases and runs.

/// The lease's row, locked until the transaction ends: worker, until, fence, number of the last run.
async fn lock_lease(connection: &mut Connection, name: &str) -> Done<(Option<String>, String, i64, i64)> {
    let sql = "INSERT INTO geosite_leases (integration, until, fence, newest_run) VALUES ($1, '', 0, 0)
               ON CONFLICT (integration) DO NOTHING";
    sqlx::query(sql).bind(name).execute(&mut *connection).await.map_err(failed)?;
    let sql =
        format!("SELECT worker, until, fence, newest_run FROM geosite_leases WHERE integration = $1{LOCK}");
    let row = sqlx::query(&sql).bind(name).fetch_one(connection).await.map_err(failed)?;
    Ok((get(&row, 0)?, get(&row, 1)?, get(&row, 2)?, get(&row, 3)?))
}

async fn check_fence(connection: &mut Connection, name: &str, fence: Option<i64>) -> Done<i64> {
    let (worker, _, newest, last) = lock_lease(connection, name).await?;
    match fence {
        Some(fence) if fence != newest || worker.is_none() => Err(SyncError::lease_lost()),
        _ => Ok(last),
    }
}

/// Refuses a worker that was overtaken, and prolongs its lease otherwise. One statement locks, compares and writes: a run that has
/// nothing to store does this once a page.
async fn admit(connection: &mut Connection, ticket: &Ticket, term: Term) -> Done<()> {
    let Some(fence) = ticket.fence else {
        return lock_lease(connection, &ticket.integration).await.map(drop);
    };
    let sql =
        "UPDATE geosite_leases SET until = $2 WHERE integration = $1 AND fence = $3 AND worker IS NOT NULL";
    let query = sqlx::query(sql).bind(&ticket.integration).bind(text(term.until)).bind(fence);
    match query.execute(connection).await.map_err(failed)?.rows_affected() {
        0 => Err(SyncError::lease_lost()),
        _ => Ok(()),
    }
}

pub(super) async fn claim(connection: &mut Connection, name: &str, worker: &str, term: Term) -> Done<Claim> {
    let (holder, until, fence, _) = lock_lease(connection, name).await?;
    if let Some(by) = holder.filter(|by| by != worker && until > text(term.now)) {
        return Ok(Claim::Held { by });
    }
    let fence = fence + 1;
    let sql = "UPDATE geosite_leases SET worker = $2, until = $3, fence = $4 WHERE integration = $1";
    let query = sqlx::query(sql).bind(name).bind(worker).bind(text(term.until)).bind(fence);
    query.execute(&mut *connection).await.map_err(failed)?;
    let sql = format!(
        "SELECT {RUN} FROM geosite_runs WHERE integration = $1 AND finished_at IS NULL AND mode <> 'single'
         ORDER BY run DESC LIMIT 1"
    );
    let row = sqlx::query(&sql).bind(name).fetch_optional(connection).await.map_err(failed)?;
    let unfinished = row.as_ref().map(run_of).transpose()?.map(Box::new);
    Ok(Claim::Granted { fence, unfinished })
}

pub(super) async fn release(connection: &mut Connection, name: &str, fence: i64) -> Done<()> {
    let sql = "UPDATE geosite_leases SET worker = NULL WHERE integration = $1 AND fence = $2";
    sqlx::query(sql).bind(name).bind(fence).execute(connection).await.map_err(failed)?;
    Ok(())
}

const RUN: &str = "run, started_at, finished_at, outcome, run_trigger, mode, report, plan";

fn run_of(row: &Row) -> Done<RunRow> {
    let mut run =
        RunRow::new(moment(&get::<String>(row, 1)?)?, &get::<String>(row, 4)?, &get::<String>(row, 5)?);
    run.run = get(row, 0)?;
    run.finished_at = get::<Option<String>>(row, 2)?.map(|at| moment(&at)).transpose()?;
    run.outcome = get(row, 3)?;
    run.report = get(row, 6)?;
    run.plan = get(row, 7)?;
    Ok(run)
}

pub(super) async fn open_run(
    connection: &mut Connection,
    name: &str,
    fence: Option<i64>,
    run: RunRow,
) -> Done<i64> {
    let number = check_fence(connection, name, fence).await? + 1;
    if run.mode == Mode::Full.name() {
        packing::repair(connection, name).await?;
    }
    let sql = "UPDATE geosite_leases SET newest_run = $2 WHERE integration = $1";
    sqlx::query(sql).bind(name).bind(number).execute(&mut *connection).await.map_err(failed)?;
    let sql =
        format!("INSERT INTO geosite_runs (integration, {RUN}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    let query = sqlx::query(&sql).bind(name).bind(number).bind(text(run.started_at));
    let query = query.bind(run.finished_at.map(text)).bind(run.outcome).bind(run.trigger).bind(run.mode);
    query.bind(run.report).bind(run.plan).execute(connection).await.map_err(failed)?;
    Ok(number)
}

pub(super) async fn close_run(connection: &mut Connection, ticket: &Ticket, run: RunRow) -> Done<()> {
    check_fence(connection, &ticket.integration, ticket.fence).await?;
    let blocked = run.outcome.as_deref() == Some("blocked");
    let sql = "UPDATE geosite_runs SET finished_at = $3, outcome = $4, report = $5, plan = '' WHERE integration = $1 AND run = $2";
    let query = sqlx::query(sql).bind(&ticket.integration).bind(ticket.run).bind(run.finished_at.map(text));
    query.bind(run.outcome).bind(run.report).execute(&mut *connection).await.map_err(failed)?;
    forget_of_run(connection, "geosite_checkpoints", ticket).await?;
    if !blocked {
        forget_of_run(connection, "geosite_candidates", ticket).await?;
    }
    match ticket.fence {
        Some(fence) => release(connection, &ticket.integration, fence).await,
        None => Ok(()),
    }
}

async fn forget_of_run(connection: &mut Connection, from: &str, ticket: &Ticket) -> Done<()> {
    let sql = format!("DELETE FROM {from} WHERE integration = $1 AND run = $2");
    let query = sqlx::query(&sql).bind(&ticket.integration).bind(ticket.run);
    query.execute(connection).await.map_err(failed)?;
    Ok(())
}

pub(super) async fn history(
    connection: &mut Connection,
    name: &str,
    before: Option<i64>,
    limit: usize,
) -> Done<Vec<RunRow>> {
    let sql = format!(
        "SELECT {RUN} FROM geosite_runs WHERE integration = $1 AND run < $2 ORDER BY run DESC LIMIT $3"
    );
    let query = sqlx::query(&sql).bind(name).bind(before.unwrap_or(i64::MAX)).bind(rows(limit));
    query.fetch_all(connection).await.map_err(failed)?.iter().map(run_of).collect()
}

pub(super) async fn purge(
    connection: &mut Connection,
    name: &str,
    tombstones: Timestamp,
    history: Timestamp,
) -> Done<()> {
    lock_lease(connection, name).await?;
    for on in Shelf::ALL.iter().copied() {
        purge_stones(connection, name, on, tombstones).await?;
    }
    let sql = "DELETE FROM geosite_runs WHERE integration = $1 AND finished_at < $2";
    let old =
        sqlx::query(sql).bind(name).bind(text(history)).execute(&mut *connection).await.map_err(failed)?;
    if old.rows_affected() > 0 {
        let sql = "DELETE FROM geosite_candidates WHERE integration = $1 AND run NOT IN
                   (SELECT run FROM geosite_runs WHERE integration = $1)";
        sqlx::query(sql).bind(name).execute(connection).await.map_err(failed)?;
    }
    Ok(())
}

async fn purge_stones(connection: &mut Connection, name: &str, on: Shelf, before: Timestamp) -> Done<()> {
    let table = table(on);
    let old = format!("FROM {} WHERE integration = $1{} AND tombstoned_at < $2", table.name, table.only(on));
    let sql = format!("SELECT fid {old} LIMIT {}", packing::MANY + 1);
    let found = sqlx::query(&sql).bind(name).bind(text(before)).fetch_all(&mut *connection).await;
    let found = found.map_err(failed)?;
    if found.is_empty() {
        return Ok(());
    }
    let sql = format!("DELETE {old}");
    sqlx::query(&sql).bind(name).bind(text(before)).execute(&mut *connection).await.map_err(failed)?;
    if found.len() > packing::MANY {
        return packing::forget(connection, name, on).await;
    }
    let gone = found.iter().map(|row| Ok((get(row, 0)?, None))).collect::<Done<_>>()?;
    packing::note(connection, name, on, gone).await
}

// Pages.

pub(super) async fn commit_page(
    connection: &mut Connection,
    ticket: &Ticket,
    term: Term,
    page: Page,
) -> Done<()> {
    admit(connection, ticket, term).await?;
    write_page(connection, ticket, page).await
}

async fn write_page(connection: &mut Connection, ticket: &Ticket, page: Page) -> Done<()> {
    if page.begin {
        void_candidates(connection, ticket, page.shelf, &[]).await?;
    }
    for some in page.upserts.chunks(AT_ONCE) {
        upsert(connection, ticket, page.shelf, some).await?;
    }
    for some in page.candidates.chunks(AT_ONCE) {
        add_candidates(connection, ticket, page.shelf, some).await?;
    }
    let sql = "INSERT INTO geosite_checkpoints (integration, run, shelf, checkpoint) VALUES ($1, $2, $3, $4)
               ON CONFLICT (integration, run, shelf) DO UPDATE SET checkpoint = excluded.checkpoint";
    let query = sqlx::query(sql).bind(&ticket.integration).bind(ticket.run).bind(page.shelf.name());
    query.bind(page.checkpoint).execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn upsert(
    connection: &mut Connection,
    ticket: &Ticket,
    on: Shelf,
    elements: &[(Element, Digest)],
) -> Done<()> {
    let table = table(on);
    let own: Vec<&str> = table.own.iter().copied().flatten().collect();
    let mut columns = vec!["kind", "code", "name", "latitude_e7", "longitude_e7"];
    columns.extend(&own);
    columns.extend(["changed_at", "extra", "flag", "digest", "run", "tombstoned_at", "tombstone_reason"]);
    let list = columns.join(", ");
    let mut sql =
        QueryBuilder::<Database>::new(format!("INSERT INTO {} (integration, fid, {list}) ", table.name));
    sql.push_values(elements, |mut row, (element, digest)| {
        row.push_bind(&ticket.integration).push_bind(element.fid).push_bind(element.kind.name());
        row.push_bind(&element.code).push_bind(&element.name);
        row.push_bind(element.latitude_e7).push_bind(element.longitude_e7);
        let [parent, role, ports, free, document, contract, port] = table.own.map(|column| column.is_some());
        if parent {
            row.push_bind(element.parent);
        }
        if role {
            row.push_bind(&element.role);
        }
        if ports {
            row.push_bind(element.ports);
        }
        if free {
            row.push_bind(element.free_ports);
        }
        if document {
            row.push_bind(&element.document);
        }
        if contract {
            row.push_bind(&element.contract);
        }
        if port {
            row.push_bind(element.port);
        }
        row.push_bind(element.changed_at.map(text)).push_bind(&element.extra).push_bind(&element.flag);
        row.push_bind(digest.to_vec()).push_bind(ticket.run).push("NULL").push("NULL");
    });
    let set: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    // What somebody refreshed after the run began is newer than what the run has read.
    sql.push(format!(
        " ON CONFLICT ({}) DO UPDATE SET {} WHERE {}.run <= excluded.run",
        table.key(),
        set.join(", "),
        table.name
    ));
    let written = sql.build().execute(&mut *connection).await.map_err(failed)?.rows_affected();
    note_upserts(connection, &ticket.integration, on, elements, written).await
}

/// All were written, as is usual, or what stands there has to be looked at.
async fn note_upserts(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    elements: &[(Element, Digest)],
    written: u64,
) -> Done<()> {
    if usize::try_from(written) != Ok(elements.len()) {
        let fids: Vec<i64> = elements.iter().map(|(element, _)| element.fid).collect();
        return packing::note_written(connection, name, on, &fids).await;
    }
    let known = |(element, digest): &(Element, Digest)| {
        let known = Known::new(element.fid, element.kind, *digest, true, element.flag.is_some());
        (element.fid, Some(known))
    };
    packing::note(connection, name, on, elements.iter().map(known).collect()).await
}

async fn add_candidates(
    connection: &mut Connection,
    ticket: &Ticket,
    on: Shelf,
    candidates: &[Candidate],
) -> Done<()> {
    let mut sql = QueryBuilder::<Database>::new(
        "INSERT INTO geosite_candidates (integration, run, shelf, fid, kind, reason) ",
    );
    sql.push_values(candidates, |mut row, candidate| {
        row.push_bind(&ticket.integration).push_bind(ticket.run).push_bind(on.name());
        row.push_bind(candidate.fid).push_bind(candidate.kind.name()).push_bind(candidate.reason.name());
    });
    sql.push(" ON CONFLICT (integration, run, shelf, fid) DO UPDATE SET kind = excluded.kind, reason = excluded.reason");
    sql.build().execute(connection).await.map_err(failed)?;
    Ok(())
}

/// Names of kinds as a list in SQL; they are ours, and hold no quotes.
fn listed<'k>(kinds: impl IntoIterator<Item = &'k Kind>) -> String {
    let names: Vec<String> = kinds.into_iter().map(|kind| format!("'{}'", kind.name())).collect();
    if names.is_empty() { "''".to_owned() } else { names.join(", ") }
}

async fn void_candidates(connection: &mut Connection, ticket: &Ticket, on: Shelf, keep: &[Kind]) -> Done<()> {
    let keep = listed(keep);
    let sql = format!(
        "DELETE FROM geosite_candidates WHERE integration = $1 AND run = $2 AND shelf = $3 AND kind NOT IN ({keep})"
    );
    let query = sqlx::query(&sql).bind(&ticket.integration).bind(ticket.run).bind(on.name());
    query.execute(connection).await.map_err(failed)?;
    Ok(())
}

pub(super) async fn finish_kind(
    connection: &mut Connection,
    ticket: &Ticket,
    term: Term,
    finish: Finish,
) -> Done<Vec<Candidate>> {
    admit(connection, ticket, term).await?;
    let on = finish.page.shelf;
    write_page(connection, ticket, finish.page).await?;
    let removed = bury(connection, ticket, on, term.now, &finish.remove).await?;
    void_candidates(connection, ticket, on, &finish.keep).await?;
    for (feature, cursor) in finish.cursors {
        let sql = "INSERT INTO geosite_cursors (integration, feature, changed_since) VALUES ($1, $2, $3)
                   ON CONFLICT (integration, feature) DO UPDATE SET changed_since = excluded.changed_since";
        let query = sqlx::query(sql).bind(&ticket.integration).bind(feature.segment()).bind(text(cursor));
        query.execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(removed)
}

/// Not what somebody refreshed after the run began.
async fn bury(
    connection: &mut Connection,
    ticket: &Ticket,
    on: Shelf,
    now: Timestamp,
    remove: &[Kind],
) -> Done<Vec<Candidate>> {
    let table = table(on);
    let due = format!(
        "SELECT c.fid, c.kind, c.reason FROM geosite_candidates c JOIN {name} e
         ON e.integration = c.integration AND e.fid = c.fid{own_kind}
         WHERE c.integration = $1 AND c.run = $2 AND c.shelf = $3 AND c.kind IN ({kinds})
           AND e.run <= $2 AND e.tombstoned_at IS NULL ORDER BY c.fid",
        name = table.name,
        own_kind = if table.by_kind { " AND e.kind = c.shelf" } else { "" },
        kinds = listed(remove),
    );
    let query = sqlx::query(&due).bind(&ticket.integration).bind(ticket.run).bind(on.name());
    let found = query.fetch_all(&mut *connection).await.map_err(failed)?;
    let found = found.iter().map(|row| candidate_of(row, 0)).collect::<Done<Vec<_>>>()?;
    let sql = format!(
        "UPDATE {name} SET tombstoned_at = $4, run = $2, tombstone_reason =
           (SELECT c.reason FROM geosite_candidates c
            WHERE c.integration = $1 AND c.run = $2 AND c.shelf = $3 AND c.fid = {name}.fid)
         WHERE integration = $1{only} AND run <= $2 AND tombstoned_at IS NULL AND fid IN
           (SELECT c.fid FROM geosite_candidates c
            WHERE c.integration = $1 AND c.run = $2 AND c.shelf = $3 AND c.kind IN ({kinds}))",
        name = table.name,
        only = table.only(on),
        kinds = listed(remove),
    );
    let query = sqlx::query(&sql).bind(&ticket.integration).bind(ticket.run).bind(on.name()).bind(text(now));
    query.execute(&mut *connection).await.map_err(failed)?;
    let fids: Vec<i64> = found.iter().map(|candidate| candidate.fid).collect();
    packing::note_written(connection, &ticket.integration, on, &fids).await?;
    Ok(found)
}

fn candidate_of(row: &Row, first: usize) -> Done<Candidate> {
    let (named, why) = (get::<String>(row, first + 1)?, get::<String>(row, first + 2)?);
    Ok(Candidate::new(get(row, first)?, kind(&named)?, reason(&why)?))
}

pub(super) async fn deselect(
    connection: &mut Connection,
    ticket: &Ticket,
    term: Term,
    planned: &BTreeMap<Kind, u64>,
    forget: &[Feature],
) -> Done<Option<BTreeMap<Kind, u64>>> {
    admit(connection, ticket, term).await?;
    let counts = counts(connection, &ticket.integration).await?;
    let live = |kind: &Kind| counts.get(kind).map_or(0, |count| count.live);
    if planned.iter().any(|(kind, most)| live(kind) > *most) {
        return Ok(None);
    }
    for kind in planned.keys() {
        let sql = format!(
            "UPDATE {} SET tombstoned_at = $2, tombstone_reason = 'deselected', run = $3
             WHERE integration = $1 AND kind = $4 AND tombstoned_at IS NULL",
            table(kind.shelf()).name
        );
        let query = sqlx::query(&sql).bind(&ticket.integration).bind(text(term.now)).bind(ticket.run);
        query.bind(kind.name()).execute(&mut *connection).await.map_err(failed)?;
        packing::forget(connection, &ticket.integration, kind.shelf()).await?;
    }
    if let Some((mut kept, version)) = integration(connection, &ticket.integration).await? {
        kept.to_delete.clear();
        keep_integration(connection, &ticket.integration, &kept, version, forget).await?;
    }
    Ok(Some(planned.keys().map(|kind| (*kind, live(kind))).collect()))
}

pub(super) async fn refresh(
    connection: &mut Connection,
    ticket: &Ticket,
    now: Timestamp,
    elements: Vec<(Element, Digest)>,
    gone: Vec<(Shelf, i64)>,
) -> Done<()> {
    check_fence(connection, &ticket.integration, ticket.fence).await?;
    for one in &elements {
        upsert(connection, ticket, one.0.kind.shelf(), std::slice::from_ref(one)).await?;
    }
    for (on, fid) in gone {
        let table = table(on);
        let sql = format!(
            "UPDATE {} SET tombstoned_at = $3, tombstone_reason = 'not_found', run = $4
             WHERE integration = $1 AND fid = $2{} AND run <= $4 AND tombstoned_at IS NULL",
            table.name,
            table.only(on)
        );
        let query = sqlx::query(&sql).bind(&ticket.integration).bind(fid).bind(text(now)).bind(ticket.run);
        query.execute(&mut *connection).await.map_err(failed)?;
        packing::note_written(connection, &ticket.integration, on, &[fid]).await?;
    }
    Ok(())
}

// Reading.

pub(super) async fn checkpoints(
    connection: &mut Connection,
    name: &str,
    run: i64,
) -> Done<BTreeMap<Shelf, String>> {
    let sql = "SELECT shelf, checkpoint FROM geosite_checkpoints WHERE integration = $1 AND run = $2";
    let found = sqlx::query(sql).bind(name).bind(run).fetch_all(connection).await.map_err(failed)?;
    found.iter().map(|row| Ok((shelf(&get::<String>(row, 0)?)?, get(row, 1)?))).collect()
}

pub(super) async fn candidates(
    connection: &mut Connection,
    name: &str,
    run: i64,
    after: Option<(Shelf, i64)>,
    limit: usize,
) -> Done<Vec<Candidate>> {
    let mut all = Vec::new();
    // By shelf in the order of reports, which is not that of their names.
    for on in Shelf::ALL.iter().copied().filter(|on| after.is_none_or(|(shelf, _)| *on >= shelf)) {
        let above = after.filter(|(shelf, _)| *shelf == on).map_or(i64::MIN, |(_, fid)| fid);
        let sql = "SELECT fid, kind, reason FROM geosite_candidates
                   WHERE integration = $1 AND run = $2 AND shelf = $3 AND fid > $4 ORDER BY fid LIMIT $5";
        let query = sqlx::query(sql).bind(name).bind(run).bind(on.name()).bind(above);
        let left = rows(limit.saturating_sub(all.len()));
        for row in &query.bind(left).fetch_all(&mut *connection).await.map_err(failed)? {
            all.push(candidate_of(row, 0)?);
        }
    }
    Ok(all)
}

const KNOWN: &str = "fid, kind, digest, tombstoned_at IS NULL, flag IS NOT NULL";

fn known_row(row: &Row) -> Done<Known> {
    let digest = Digest::try_from(get::<Vec<u8>>(row, 2)?).map_err(|_| corrupt("a digest is too short"))?;
    Ok(Known::new(get(row, 0)?, kind(&get::<String>(row, 1)?)?, digest, get(row, 3)?, get(row, 4)?))
}

pub(super) async fn known(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    after: Option<i64>,
    limit: usize,
) -> Done<Vec<Known>> {
    match packing::known(connection, name, on, after, limit).await? {
        Some(known) => Ok(known),
        None => known_rows(connection, name, on, after, limit).await,
    }
}

/// The same from the rows themselves.
pub(super) async fn known_rows(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    after: Option<i64>,
    limit: usize,
) -> Done<Vec<Known>> {
    let table = table(on);
    let sql = format!(
        "SELECT {KNOWN} FROM {} WHERE integration = $1{} AND fid > $2 ORDER BY fid LIMIT $3",
        table.name,
        table.only(on)
    );
    let query = sqlx::query(&sql).bind(name).bind(after.unwrap_or(i64::MIN)).bind(rows(limit));
    query.fetch_all(connection).await.map_err(failed)?.iter().map(known_row).collect()
}

pub(super) async fn known_of(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    fids: &[i64],
) -> Done<Vec<Known>> {
    let table = table(on);
    let mut all = Vec::with_capacity(fids.len());
    for some in fids.chunks(AT_ONCE) {
        let head = format!("SELECT {KNOWN} FROM {} WHERE integration = ", table.name);
        let mut sql = QueryBuilder::<Database>::new(head);
        sql.push_bind(name).push(table.only(on)).push(" AND fid IN (");
        let mut list = sql.separated(", ");
        for fid in some {
            list.push_bind(*fid);
        }
        sql.push(") ORDER BY fid");
        for row in &sql.build().fetch_all(&mut *connection).await.map_err(failed)? {
            all.push(known_row(row)?);
        }
    }
    Ok(all)
}

/// Not in any order: for one by `fid`, SQLite walks along the key through all customers.
pub(super) const HOLDERS: &str =
    "SELECT contract, document, fid FROM geosite_customers WHERE tombstoned_at IS NULL AND integration = ";

pub(super) async fn holders(
    connection: &mut Connection,
    name: &str,
    contracts: &[String],
) -> Done<Vec<(String, Option<String>, i64)>> {
    let mut all = Vec::new();
    for some in contracts.chunks(AT_ONCE) {
        let mut sql = QueryBuilder::<Database>::new(HOLDERS);
        sql.push_bind(name).push(" AND contract IN (");
        let mut list = sql.separated(", ");
        for contract in some {
            list.push_bind(contract);
        }
        sql.push(")");
        for row in &sql.build().fetch_all(&mut *connection).await.map_err(failed)? {
            all.push((get(row, 0)?, get(row, 1)?, get(row, 2)?));
        }
    }
    all.sort_by_key(|(_, _, fid)| *fid);
    Ok(all)
}

fn stored_of(row: &Row) -> Done<Stored> {
    let mut element = Element::new(kind(&get::<String>(row, 1)?)?, get(row, 0)?);
    (element.code, element.name) = (get(row, 2)?, get(row, 3)?);
    (element.latitude_e7, element.longitude_e7) = (get(row, 4)?, get(row, 5)?);
    (element.parent, element.role) = (get(row, 6)?, get(row, 7)?);
    (element.ports, element.free_ports) = (get(row, 8)?, get(row, 9)?);
    (element.document, element.contract, element.port) = (get(row, 10)?, get(row, 11)?, get(row, 12)?);
    element.changed_at = get::<Option<String>>(row, 13)?.map(|at| moment(&at)).transpose()?;
    (element.extra, element.flag) = (get(row, 14)?, get(row, 15)?);
    let at = get::<Option<String>>(row, 17)?.map(|at| moment(&at)).transpose()?;
    let why = get::<Option<String>>(row, 18)?.map(|why| reason(&why)).transpose()?;
    Ok(Stored::new(element, get(row, 16)?, at.zip(why).map(|(at, why)| Tombstone::new(at, why))))
}

pub(super) async fn one(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    fid: i64,
) -> Done<Option<Stored>> {
    let table = table(on);
    let (columns, only) = (table.columns(), table.only(on));
    let sql = format!("SELECT {columns} FROM {} WHERE integration = $1{only} AND fid = $2", table.name);
    let row = sqlx::query(&sql).bind(name).bind(fid).fetch_optional(connection).await.map_err(failed)?;
    row.as_ref().map(stored_of).transpose()
}

pub(super) async fn list(
    connection: &mut Connection,
    name: &str,
    of: Kind,
    after: Option<i64>,
    limit: usize,
) -> Done<Vec<Stored>> {
    let table = table(of.shelf());
    let sql = format!(
        "SELECT {} FROM {} WHERE integration = $1 AND kind = $2 AND fid > $3 ORDER BY fid LIMIT $4",
        table.columns(),
        table.name
    );
    let query =
        sqlx::query(&sql).bind(name).bind(of.name()).bind(after.unwrap_or(i64::MIN)).bind(rows(limit));
    query.fetch_all(connection).await.map_err(failed)?.iter().map(stored_of).collect()
}

/// As with [`HOLDERS`], not in any order.
pub(super) fn children_sql(on: Shelf) -> Option<String> {
    let table = table(on);
    let [Some(column), ..] = table.own else { return None };
    let (columns, name) = (table.columns(), table.name);
    Some(format!(
        "SELECT {columns} FROM {name} WHERE integration = $1 AND {column} = $2 AND tombstoned_at IS NULL"
    ))
}

pub(super) async fn children(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    parent: i64,
) -> Done<Vec<Stored>> {
    let Some(sql) = children_sql(on) else { return Ok(Vec::new()) };
    let found = sqlx::query(&sql).bind(name).bind(parent).fetch_all(connection).await.map_err(failed)?;
    let mut all = found.iter().map(stored_of).collect::<Done<Vec<Stored>>>()?;
    all.sort_by_key(|stored| stored.element.fid);
    Ok(all)
}

pub(super) async fn counts(connection: &mut Connection, name: &str) -> Done<BTreeMap<Kind, Count>> {
    let mut counts: BTreeMap<Kind, Count> = BTreeMap::new();
    for from in ["geosite_splitters", "geosite_boxes", "geosite_customers", "geosite_elements"] {
        let sql = format!(
            "SELECT kind, COUNT(*), COUNT(tombstoned_at) FROM {from} WHERE integration = $1 GROUP BY kind"
        );
        for row in &sqlx::query(&sql).bind(name).fetch_all(&mut *connection).await.map_err(failed)? {
            let (all, dead): (i64, i64) = (get(row, 1)?, get(row, 2)?);
            let one = counts.entry(kind(&get::<String>(row, 0)?)?).or_default();
            (one.live, one.tombstones) = (count(all - dead), count(dead));
        }
    }
    Ok(counts)
}

pub(super) async fn customers_below(connection: &mut Connection, name: &str, of: Kind) -> Done<u64> {
    let sql = "SELECT COUNT(*) FROM geosite_customers c
         JOIN geosite_splitters s ON s.integration = c.integration AND s.fid = c.splitter_fid AND s.tombstoned_at IS NULL
         LEFT JOIN geosite_boxes b ON b.integration = s.integration AND b.fid = s.box_fid AND b.tombstoned_at IS NULL
         WHERE c.integration = $1 AND c.tombstoned_at IS NULL AND (s.kind = $2 OR b.kind = $2)";
    let row = sqlx::query(sql).bind(name).bind(of.name()).fetch_one(connection).await.map_err(failed)?;
    Ok(count(get(&row, 0)?))
}

// The schema.

/// Brings the tables to the newest version, inside the caller's transaction, which no other process makes at the same time.
pub(super) async fn migrate(connection: &mut Connection, dialect: impl Fn(&str) -> String) -> Done<()> {
    run(connection, "CREATE TABLE IF NOT EXISTS geosite_schema (version BIGINT NOT NULL)").await?;
    let found = sqlx::query("SELECT version FROM geosite_schema").fetch_optional(&mut *connection).await;
    let found: i64 = found.map_err(failed)?.map_or(Ok(0), |row| get(&row, 0))?;
    let newest = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > newest {
        let message = format!(
            "the register has version {found}, this program knows up to {newest}: use a newer program"
        );
        return Err(SyncError::new(SyncErrorKind::Config, message));
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        run(connection, &dialect(step)).await?;
    }
    if found < newest {
        run(connection, &format!("DELETE FROM geosite_schema; INSERT INTO geosite_schema VALUES ({newest})"))
            .await?;
    }
    Ok(())
}

async fn run(connection: &mut Connection, sql: &str) -> Done<()> {
    sqlx::Executor::execute(connection, sql).await.map_err(failed)?;
    Ok(())
}
