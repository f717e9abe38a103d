//! The register in PostgreSQL, for several machines.

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
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool, Postgres};

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

type Connection = sqlx::PgConnection;
type Database = Postgres;
type Row = sqlx::postgres::PgRow;

const LOCK: &str = " FOR UPDATE";
const CONNECTIONS: u32 = 8;
const CONNECT: Duration = Duration::from_secs(10);
/// A worker that hangs inside a transaction loses it. An answered commit is durable.
const SESSION: &str = "SELECT set_config('lock_timeout', '30s', false),
    set_config('idle_in_transaction_session_timeout', '60s', false),
    CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END";
/// `GEOS`: one process at a time brings the tables up to date.
const MIGRATION: i64 = 0x4745_4F53;

/// A register in a PostgreSQL database (11 or newer). Its tables begin with `geosite_`, in the first schema of the
/// `search_path`.
///
/// ```no_run
/// # async fn open() -> Result<(), geosite::sync::SyncError> {
/// use geosite::sync::PostgresRegister;
///
/// let register = PostgresRegister::open("postgres://worker:secret@db.example/plant").await?;
/// # drop(register); Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresRegister {
    pool: PgPool,
}

impl fmt::Debug for PostgresRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresRegister")
    }
}

impl PostgresRegister {
    /// Connects to the database of a URL, and brings its tables up to date. Other tables are left alone.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    ///
    /// [`Config`](SyncErrorKind::Config) for a URL that is none, or tables that a newer version wrote;
    /// [`Store`](SyncErrorKind::Store) if it cannot be used.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// use geosite::sync::PostgresRegister;
    ///
    /// let register = PostgresRegister::open("postgres://plant@db.internal/plant").await?;
    /// # Ok(()) });
    /// ```
    pub async fn open(url: &str) -> Result<Self, SyncError> {
        // The parser's own message may repeat a password.
        let wrong = "the URL is not postgres://user:password@host:port/database";
        let options =
            PgConnectOptions::from_str(url).map_err(|_| SyncError::new(SyncErrorKind::Config, wrong))?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT);
        let pool = pool.after_connect(|connection, _| {
            Box::pin(async move { sqlx::query(SESSION).execute(connection).await.map(drop) })
        });
        let register = Self { pool: pool.connect_lazy_with(options.disable_statement_logging()) };
        register.migrate().await?;
        Ok(register)
    }

    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<Postgres>, SyncError> {
        self.pool.acquire().await.map_err(failed)
    }

    async fn begin(&self) -> Result<Writing, SyncError> {
        let connection = self.pool.acquire().await.map_err(failed)?;
        Writing::begin(connection, "BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    /// For what may be forgotten if the server itself fails: how far a run has come that has changed nothing since.
    async fn begin_lightly(&self) -> Result<Writing, SyncError> {
        let connection = self.pool.acquire().await.map_err(failed)?;
        let sql = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off";
        Writing::begin(connection, sql).await
    }

    async fn migrate(&self) -> Result<(), SyncError> {
        let mut writing = self.begin().await?;
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION);
        lock.execute(writing.connection()?).await.map_err(failed)?;
        operations::migrate(writing.connection()?, str::to_owned).await?;
        writing.commit().await
    }
}

register!(PostgresRegister);

fn failed(error: sqlx::Error) -> SyncError {
    SyncError::new(SyncErrorKind::Store, "the register's database could not be used").with_source(error)
}
