//! The database's schema: steps that are only ever added to, and the look before anything is touched.
//!
//! The tables live in the first schema of the connection's `search_path` and all begin with `integration_`.

use sqlx::PgConnection;

use super::{failed, run, sql};
use crate::error::{StoreError, StoreErrorKind};

/// What `integration_schema` says in every store of ours.
const APPLICATION: &str = "integration-store";

/// `INTG`: one process at a time brings the schema up to date.
const LOCK: i64 = 0x494E_5447;

/// One step a version. A step that was released is never changed.
const STEPS: &[&str] =
    &[include_str!("v1.sql"), include_str!("v2.sql"), include_str!("v3.sql"), include_str!("v4.sql")];

/// The version from which on the lines of history are chained.
const CHAINED: usize = 3;

/// How many steps were made already.
pub(super) async fn look(connection: &mut PgConnection) -> Result<usize, StoreError> {
    if !exists(connection, "integration_schema").await? {
        let foreign = exists(connection, "integration_lanes").await?
            || exists(connection, "integration_entries").await?;
        return if foreign { Err(foreign_tables()) } else { Ok(0) };
    }
    let sql = "SELECT application, version FROM integration_schema";
    let found: Option<(String, i64)> =
        sqlx::query_as(sql).fetch_optional(connection).await.map_err(failed)?;
    match found {
        Some((application, version)) if application == APPLICATION => known(version),
        _ => Err(foreign_tables()),
    }
}

async fn exists(connection: &mut PgConnection, table: &str) -> Result<bool, StoreError> {
    let sql = "SELECT to_regclass($1) IS NOT NULL";
    sqlx::query_scalar(sql).bind(table).fetch_one(connection).await.map_err(failed)
}

/// Whether every step was made, for a first look that takes no lock.
pub(super) async fn is_current(connection: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(look(connection).await? == STEPS.len())
}

/// Brings the database to the newest version, inside the caller's transaction. Whoever comes second finds it done.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    // However long the one before us takes: it may have a large history to chain.
    run(connection, "SET LOCAL lock_timeout = 0").await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    // Without a new lock on a table the server would answer from what this connection last saw of its catalogue.
    run(connection, "SELECT FROM pg_catalog.pg_class LIMIT 0").await?;
    let done = look(connection).await?;
    for step in STEPS.iter().skip(done) {
        run(connection, step).await?;
    }
    if (1..CHAINED).contains(&done) {
        sql::link_old_lines(connection).await?;
    }
    let version = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let sql = "UPDATE integration_schema SET version = $1";
    sqlx::query(sql).bind(version).execute(connection).await.map_err(failed)?;
    Ok(())
}

fn known(version: i64) -> Result<usize, StoreError> {
    let known = STEPS.len();
    usize::try_from(version).ok().filter(|version| (1..=known).contains(version)).ok_or_else(|| {
        let message = format!(
            "the database has schema version {version}, this program knows up to {known}: use a newer program"
        );
        StoreError::new(StoreErrorKind::Schema, message)
    })
}

fn foreign_tables() -> StoreError {
    let message = "the database has tables of another program that begin with integration_: name another database, or \
                   another schema by `?options=-csearch_path%3Dname` in the URL";
    StoreError::new(StoreErrorKind::Schema, message)
}
