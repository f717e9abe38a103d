//! The embedded default: one SQLite file, written ahead and synced before an operation is answered.
//!
//! Several processes may share a file on one machine: each write transaction begins by taking the file's write lock, and
//! nothing of the file is remembered between two operations. Not on a network file system, whose locks do not hold.

mod error;
mod log;
mod schema;
// One text for two engines: each compiles it for its own connection.
#[allow(clippy::duplicate_mod)]
#[path = "../short.rs"]
mod short;
#[allow(clippy::duplicate_mod)]
#[path = "../sql.rs"]
mod sql;
mod step;
mod whole;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use integration_core::BoxFuture;
use integration_core::clock::{Clock, SystemClock};
use sqlx::ConnectOptions as _;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::backend::row::corrupt;
use crate::entry::{Entry, Lease, Query};
use crate::error::{StoreError, StoreErrorKind};
use crate::store::configuration;
use error::failed;
use whole::Tried;
use writer::Writer;

type Connection = sqlx::SqliteConnection;
type Database = sqlx::Sqlite;
type Row = sqlx::sqlite::SqliteRow;
use Sqlite as Engine;

/// The injected clock's wall time in microseconds, read when the operation's turn has come.
type Moment = i64;

const LOCK: &str = "";
const LOCK_FREE: &str = "";
/// Later than every lane in the queue, which is all that the order needs.
const NEXT_TURN: &str = "(SELECT COALESCE(MAX(q.turn), 0) + 1 FROM integration_lanes q WHERE q.outbox = $1 AND q.turn IS NOT NULL)";
/// The time comes with the operation.
const NOW: &str = "0";

/// How long a writer waits for one of another process before it says `Unavailable`.
const BUSY: Duration = Duration::from_secs(30);
const READERS: u32 = 4;
/// After how many pages of 4 KiB the log is written back: a step writes some ten of them, so SQLite's own 1,000 would pay the
/// syncs of a checkpoint every hundred steps. The log grows to some 32 MB.
const CHECKPOINT: &str = "8000";
/// Of a file that is made anew. A step changes a little on many pages, and each goes to the log whole.
const PAGE: u32 = 2_048;

/// A store in one SQLite file. Clones share one connection to it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = std::env::temp_dir().join(format!("integration-store-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// use integration_store::{Sqlite, Store};
///
/// let backend = Sqlite::open(&format!("sqlite:{}/store.db", folder.display())).await?;
/// let store = Store::from_backend(backend.clone());
/// store.inbox("callbacks").forget("event-1").await?;
/// assert_eq!(backend.commits(), 1);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Sqlite {
    file: Arc<Path>,
    writer: Writer,
    readers: SqlitePool,
    commits: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    notes: Arc<step::Notes>,
}

impl Sqlite {
    /// Opens or creates the file of a URL such as `sqlite:store.db` or `sqlite:///var/lib/app/store.db`. What follows
    /// `sqlite:` or `sqlite://` is the file's name as it is; there are no options.
    ///
    /// # Errors
    ///
    /// As [`Store::open`](crate::Store::open). Needs a tokio runtime, in which the writer then lives.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with_clock(url, Arc::new(SystemClock::new())).await
    }

    /// As [`Sqlite::open`], on a clock of your own: its wall time dates entries and ends leases.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::open`].
    pub async fn open_with_clock(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let file = file_of(url)?;
        check_folder(&file)?;
        schema::inspect(&file).await?;
        let options = connect_options(&file)
            .create_if_missing(true)
            .page_size(PAGE)
            .journal_mode(SqliteJournalMode::Wal);
        let mut connection = options.connect().await.map_err(failed)?;
        log::write_again(&mut connection, &file).await?;
        schema::migrate(&mut connection).await?;
        whole::prepare(&mut connection).await?;
        let commits = Arc::new(AtomicU64::new(0));
        let writer = Writer::start(connection, Arc::clone(&clock), Arc::clone(&commits));
        let notes = Arc::default();
        Ok(Self { readers: readers(&file), file: file.into(), writer, commits, clock, notes })
    }

    /// How many write transactions this handle and its clones have committed. Operations that wait together share one, so
    /// under load there are far fewer of them than operations.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn shown_url(&self) -> String {
        format!("sqlite:{}", self.file.display())
    }

    async fn transact<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection, Moment) -> BoxFuture<'c, Result<T, StoreError>>
            + Send
            + 'static,
    {
        self.writer.run(work).await
    }

    async fn step(&self, request: sql::Request) -> Result<Option<(Lease, Vec<Entry>)>, StoreError> {
        if let Some(outcome) = self.at_once(&request).await {
            return outcome.map(Some);
        }
        let notes = Arc::clone(&self.notes);
        self.transact(move |connection, time| {
            Box::pin(async move { notes.step(connection, time, request).await })
        })
        .await
    }

    /// The step in one statement by whoever wants it, if nobody else is writing and nobody else has been in the lane.
    async fn at_once(&self, request: &sql::Request) -> Option<Result<(Lease, Vec<Entry>), StoreError>> {
        let mut pen = self.writer.if_idle()?;
        if let Err(error) = pen.check() {
            return Some(Err(error));
        }
        let plan = self.notes.plan(request, self.clock.wall().as_microsecond())?;
        let (notes, commits) = (Arc::clone(&self.notes), Arc::clone(&self.commits));
        let work = async move {
            match notes.make(&mut pen.connection, plan).await {
                Tried::Made(lease, entries) => {
                    commits.fetch_add(1, Ordering::Relaxed);
                    Some(Ok((lease, entries)))
                }
                Tried::MovedOn => None,
                Tried::Failed(error, may_be_the_sync) => {
                    pen.failed(&error, may_be_the_sync);
                    Some(Err(error))
                }
            }
        };
        self.writer.to_its_end(work).await
    }

    async fn page(&self, outbox: String, query: Query) -> Result<Vec<Entry>, StoreError> {
        self.look(|connection, _| Box::pin(async move { sql::list(connection, &outbox, query).await })).await
    }

    async fn look<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut Connection, Moment) -> BoxFuture<'c, Result<T, StoreError>> + Send,
    {
        let mut connection = self.readers.acquire().await.map_err(failed)?;
        work(&mut connection, self.clock.wall().as_microsecond()).await
    }
}

fn file_of(url: &str) -> Result<PathBuf, StoreError> {
    let rest =
        url.strip_prefix("sqlite:").ok_or_else(|| configuration("an SQLite URL starts with sqlite:"))?;
    let file = rest.strip_prefix("//").unwrap_or(rest);
    match file {
        "" => Err(configuration("the URL names no file: sqlite:FILE")),
        ":memory:" => Err(configuration("for a store in memory the URL is memory:")),
        _ if file.contains(['?', '\0']) => Err(configuration("an SQLite URL takes no options: sqlite:FILE")),
        _ => Ok(PathBuf::from(file)),
    }
}

/// A folder that is missing is the commonest slip in a URL, and SQLite's own code for it names nothing.
fn check_folder(file: &Path) -> Result<(), StoreError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let what = match std::fs::metadata(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist: create it",
        Ok(found) if !found.is_dir() => "is no folder: remove what is there",
        // Whatever else is wrong, SQLite tells.
        _ => return Ok(()),
    };
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = file.file_name().unwrap_or_default().display();
    let message =
        format!("the folder {} for {name} {what}, or name another file in the URL", folder.display());
    Err(StoreError::new(StoreErrorKind::NotWritable, message))
}

/// What every connection has: commits are synced (also past the drive's own cache where the system can do that), and a lock
/// of another process is waited for.
fn connect_options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .synchronous(SqliteSynchronous::Full)
        .pragma("fullfsync", "1")
        .pragma("wal_autocheckpoint", CHECKPOINT)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .disable_statement_logging()
}

fn readers(file: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .connect_lazy_with(connect_options(file).pragma("query_only", "1"))
}

fn moment_of(time: Moment, _: i64) -> i64 {
    time
}

async fn now(_: &mut Connection, time: Moment) -> Result<i64, StoreError> {
    Ok(time)
}

/// A damaged index would say that something was never written down.
async fn check_whole(connection: &mut Connection) -> Result<(), StoreError> {
    let told: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(connection).await.map_err(failed)?;
    if told == "ok" {
        return Ok(());
    }
    Err(corrupt(format!("the file is damaged ({told}): restore it from a copy before anything is sent")))
}

async fn lock_outbox(_: &mut Connection, _: &str) -> Result<(), StoreError> {
    Ok(())
}

/// Never needed: while we write, nobody else does.
async fn wait_for_lane(_: &mut Connection, _: &str, _: &str) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
mod tests;
