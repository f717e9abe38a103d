//! The register in one SQLite file, synced at each commit.

#[allow(clippy::duplicate_mod)]
#[path = "operations.rs"]
mod operations;
#[allow(clippy::duplicate_mod)]
#[path = "packing.rs"]
mod packing;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Sqlite, SqlitePool};

use operations::Writing;

use super::{STEPS, register};
use crate::feature::Feature;
use crate::sync::element::{Digest, Element};
use crate::sync::error::{SyncError, SyncErrorKind};
use crate::sync::kind::{Kind, Shelf};
use crate::sync::register::{
    Candidate, Claim, Count, Done, Finish, Known, Page, Register, RunRow, Stored, Term, Ticket,
};
use crate::sync::selection::Integration;

type Connection = sqlx::SqliteConnection;
type Database = Sqlite;
type Row = sqlx::sqlite::SqliteRow;

/// SQLite has one writer at a time, whose transaction begins by taking the file's write lock.
const LOCK: &str = "";
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(30);

/// A register in one SQLite file, for programs of one machine.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir().unwrap();
/// use geosite::sync::{Register, SqliteRegister};
///
/// let register = SqliteRegister::open(&format!("sqlite:{}/register.db", folder.path().display())).await?;
/// assert!(register.counts("norte").await?.is_empty());
/// # Ok::<(), geosite::sync::SyncError>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteRegister {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl fmt::Debug for SqliteRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteRegister")
    }
}

impl SqliteRegister {
    /// Opens or creates the file of a URL such as `sqlite:register.db`, and brings its tables up to date. Other tables in the
    /// file are left alone.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    ///
    /// [`Config`](SyncErrorKind::Config) for a URL that is none, or a file that a newer version wrote;
    /// [`Store`](SyncErrorKind::Store) if it cannot be used.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let folder = tempfile::tempdir()?;
    /// use geosite::sync::SqliteRegister;
    ///
    /// let url = format!("sqlite:{}", folder.path().join("register.db").display());
    /// let register = SqliteRegister::open(&url).await?;
    /// # Ok(()) });
    /// ```
    pub async fn open(url: &str) -> Result<Self, SyncError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|_| SyncError::new(SyncErrorKind::Config, "the URL is not sqlite:FILE"))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let pool =
            |most: u32| SqlitePoolOptions::new().max_connections(most).connect_lazy_with(options.clone());
        let register = Self { writer: pool(1), readers: pool(READERS) };
        register.migrate().await?;
        Ok(register)
    }

    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<Sqlite>, SyncError> {
        self.readers.acquire().await.map_err(failed)
    }

    async fn begin(&self) -> Result<Writing, SyncError> {
        let sql = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";
        Writing::begin(self.writer.acquire().await.map_err(failed)?, sql).await
    }

    /// For what may be forgotten if the machine itself fails: how far a run has come that has changed nothing since.
    async fn begin_lightly(&self) -> Result<Writing, SyncError> {
        let sql = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";
        Writing::begin(self.writer.acquire().await.map_err(failed)?, sql).await
    }

    async fn migrate(&self) -> Result<(), SyncError> {
        let mut writing = self.begin().await?;
        operations::migrate(writing.connection()?, |step| step.replace("BYTEA", "BLOB")).await?;
        writing.commit().await
    }
}

register!(SqliteRegister);

fn failed(error: sqlx::Error) -> SyncError {
    SyncError::new(SyncErrorKind::Store, "the register's file could not be used").with_source(error)
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    /// Where a query looks that must not walk through a whole table.
    async fn plan(register: &SqliteRegister, sql: &str) -> String {
        let mut connection = register.reader().await.unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let rows = sqlx::query(&sql).bind("norte").bind(7).fetch_all(&mut *connection).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn few_rows_are_found_without_a_walk_through_all() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/register.db", folder.path().display());
        let register = SqliteRegister::open(&url).await.unwrap();
        let children = |on| operations::children_sql(on).unwrap();
        let table = [
            (format!("{} $1 AND contract IN ($2, '8')", operations::HOLDERS), "contract=?"),
            (children(Shelf::Splitter), "box_fid=?"),
            (children(Shelf::Cliente), "splitter_fid=?"),
        ];
        for (sql, key) in table {
            let plan = plan(&register, &sql).await;
            assert!(plan.contains(&format!("(integration=? AND {key})")), "{sql}: {plan}");
        }
        let walked = plan(&register, &format!("{} ORDER BY fid", children(Shelf::Cliente))).await;
        assert!(!walked.contains("splitter_fid=?"), "the order may be had again: {walked}");
    }
}
