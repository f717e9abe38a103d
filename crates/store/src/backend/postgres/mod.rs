//! Several workers on several machines: what is distributed is PostgreSQL, not us.
//!
//! One operation, one transaction, at READ COMMITTED with explicit row locks. The server's clock dates entries and ends leases,
//! so the workers' clocks may differ. `synchronous_commit` is raised to `on` where it is off: an answered operation is durable.

mod connections;
mod error;
mod schema;
// One text for two engines: each compiles it for its own connection.
#[allow(clippy::duplicate_mod)]
#[path = "../short.rs"]
mod short;
#[allow(clippy::duplicate_mod)]
#[path = "../sql.rs"]
mod sql;
mod step;

use std::future::poll_fn;
use std::str::FromStr as _;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use integration_core::BoxFuture;
use integration_core::clock::{Clock, SystemClock};
use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;

use crate::entry::{Entry, Order, Query};
use crate::error::{StoreError, StoreErrorKind};
use crate::store::configuration;
use connections::Connections;
use error::failed;

type Connection = sqlx::PgConnection;
type Database = sqlx::Postgres;
type Row = sqlx::postgres::PgRow;
use Postgres as Engine;

/// The server tells the time.
type Moment = ();

const LOCK: &str = " FOR UPDATE";
const LOCK_FREE: &str = " FOR UPDATE SKIP LOCKED";
const NEXT_TURN: &str = "nextval('integration_turns')";
const NOW: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";

/// How long an operation may take altogether: a network that swallows everything must not hold a worker for ever.
const LIMIT: Duration = Duration::from_secs(60);

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A store in a PostgreSQL database (11 or newer). Clones share a pool of connections.
///
/// The tables begin with `integration_` and lie in the first schema of the `search_path`; for another schema write
/// `postgres://…/database?options=-csearch_path%3Dname`. Over anything but a trusted network add `sslmode=verify-full`.
///
/// ```no_run
/// # async fn open() -> Result<(), integration_store::StoreError> {
/// use integration_store::{Postgres, Store};
///
/// let store = Store::from_backend(Postgres::open("postgres://worker:secret@db.example/journal").await?);
/// assert_eq!(store.url(), "postgres://worker@db.example:5432/journal");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Postgres {
    connections: Arc<Connections>,
    clock: Arc<dyn Clock>,
    shown: Arc<str>,
    notes: Arc<step::Notes>,
}

impl Postgres {
    /// Connects to the database of a URL, and creates or migrates the tables.
    ///
    /// # Errors
    ///
    /// As [`Store::open`](crate::Store::open).
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with_clock(url, Arc::new(SystemClock::new())).await
    }

    /// As [`Postgres::open`], on a clock of your own. It only limits how long an operation may take: everything that is stored
    /// and decided goes by the server's clock.
    ///
    /// # Errors
    ///
    /// As [`Postgres::open`].
    pub async fn open_with_clock(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        // The parser's own message is left out: it may repeat what stands where a port is expected, which may be a password.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| configuration("the URL is not postgres://user:password@host:port/database"))?;
        let shown = shown_url(&options).into();
        let backend = Self {
            connections: Arc::new(Connections::of(options, Arc::clone(&clock))),
            clock,
            shown,
            notes: Arc::default(),
        };
        let current = backend.look(|connection, ()| Box::pin(schema::is_current(connection))).await?;
        if !current {
            // Without a limit: every line of an old history is read and chained.
            backend.in_transaction(|connection, ()| Box::pin(schema::migrate(connection))).await?;
        }
        Ok(backend)
    }

    fn shown_url(&self) -> String {
        self.shown.to_string()
    }

    async fn transact<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send,
        F: for<'c> FnOnce(&'c mut Connection, Moment) -> BoxFuture<'c, Result<T, StoreError>> + Send,
    {
        self.limited(self.in_transaction(work)).await
    }

    async fn in_transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send,
        F: for<'c> FnOnce(&'c mut Connection, Moment) -> BoxFuture<'c, Result<T, StoreError>> + Send,
    {
        let mut connection = self.connections.take().await?;
        let mut transaction = connection.begin_with(BEGIN).await.map_err(failed)?;
        // Dropped with an error, the transaction is rolled back.
        let done = work(&mut transaction, ()).await?;
        transaction.commit().await.map_err(failed)?;
        self.connections.keep(connection);
        Ok(done)
    }

    async fn look<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut Connection, Moment) -> BoxFuture<'c, Result<T, StoreError>> + Send,
    {
        self.limited(async {
            let mut connection = self.connections.take().await?;
            let done = work(&mut connection, ()).await?;
            self.connections.keep(connection);
            Ok(done)
        })
        .await
    }

    /// A page in the order of ids misses nothing: see [`lock_outbox`]. In one lane they are in order anyway, for they are given
    /// under the lane's own lock.
    async fn page(&self, outbox: String, query: Query) -> Result<Vec<Entry>, StoreError> {
        if query.order != Order::Written || query.lane.is_some() {
            return self
                .look(|connection, ()| Box::pin(async move { sql::list(connection, &outbox, query).await }))
                .await;
        }
        self.transact(|connection, ()| {
            Box::pin(async move {
                let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1229870151))";
                sqlx::query(lock).bind(&outbox).execute(&mut *connection).await.map_err(failed)?;
                sql::list(connection, &outbox, query).await
            })
        })
        .await
    }

    async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let mut work = Box::pin(work);
        let mut timer = self.clock.timer(LIMIT);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => timer.as_mut().poll(context).map(|()| Err(too_slow())),
        })
        .await
    }
}

fn too_slow() -> StoreError {
    let message = format!("the server gave no answer in {} s: look at it and the network", LIMIT.as_secs());
    StoreError::new(StoreErrorKind::Unavailable, message)
}

fn shown_url(options: &PgConnectOptions) -> String {
    let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
    format!("postgres://{user}@{host}:{port}/{}", options.get_database().unwrap_or(user))
}

/// What the server said.
fn moment_of((): Moment, now: i64) -> i64 {
    now
}

async fn now(connection: &mut Connection, (): Moment) -> Result<i64, StoreError> {
    let sql = format!("SELECT {NOW}");
    sqlx::query_scalar(&sql).fetch_one(connection).await.map_err(failed)
}

/// Appends to one outbox go on side by side, and a reader of pages waits until those under way are committed: no id can
/// become visible behind one that it has seen.
async fn lock_outbox(connection: &mut Connection, outbox: &str) -> Result<(), StoreError> {
    let sql = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 1229870151))";
    sqlx::query(sql).bind(outbox).execute(connection).await.map_err(failed)?;
    Ok(())
}

/// The server checks its own pages, and has tools of its own for its indexes.
async fn check_whole(_: &mut Connection) -> Result<(), StoreError> {
    Ok(())
}

/// Waits until nobody is changing the lane, and keeps no lock: with one, two that wait for each other's would deadlock.
async fn wait_for_lane(connection: &mut Connection, outbox: &str, lane: &str) -> Result<(), StoreError> {
    run(connection, "SAVEPOINT waiting").await?;
    let sql = "SELECT 1 FROM integration_lanes WHERE outbox = $1 AND lane = $2 FOR UPDATE";
    sqlx::query(sql).bind(outbox).bind(lane).execute(&mut *connection).await.map_err(failed)?;
    run(connection, "ROLLBACK TO SAVEPOINT waiting").await
}

async fn run(connection: &mut Connection, sql: &str) -> Result<(), StoreError> {
    sqlx::Executor::execute(connection, sql).await.map_err(failed)?;
    Ok(())
}
