//! The floor that the store and the journal are measured against: one INSERT and one UPDATE of the same payload on the bare
//! database, through the same driver, each its own durable commit.
//!
//! A module of both figures and not of the library, whose dependents need no database.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

/// What one call writes.
#[derive(Clone, Copy)]
pub(crate) struct Payload {
    /// Written by the INSERT.
    pub(crate) body: &'static [u8],
    /// Written by both.
    pub(crate) data: &'static [u8],
}

/// Both engines read this text alike.
const TABLE: &str =
    "CREATE TABLE bare (id BIGINT PRIMARY KEY, lane TEXT, state BIGINT, body BLOB, data BLOB)";
const INSERT: &str = "INSERT INTO bare (id, lane, state, body, data) VALUES ($1, $2, 1, $3, $4)";
const UPDATE: &str = "UPDATE bare SET state = 2, data = $2 WHERE id = $1";

static ROW: AtomicI64 = AtomicI64::new(0);

macro_rules! calls {
    ($name:ident, $insert:ident, $connection:ty) => {
        /// So many calls, each two commits.
        pub(crate) async fn $name(connection: &mut $connection, payload: Payload, count: usize) {
            for _ in 0..count {
                let id = $insert(connection, payload).await;
                let update = sqlx::query(UPDATE).bind(id).bind(payload.data);
                update.execute(&mut *connection).await.unwrap();
            }
        }

        /// One INSERT, its own commit.
        pub(crate) async fn $insert(connection: &mut $connection, Payload { body, data }: Payload) -> i64 {
            let id = ROW.fetch_add(1, Ordering::Relaxed);
            let insert = sqlx::query(INSERT).bind(id).bind("lane").bind(body).bind(data);
            insert.execute(&mut *connection).await.unwrap();
            id
        }
    };
}
calls!(sqlite_calls, sqlite_insert, SqliteConnection);
calls!(postgres_calls, postgres_insert, PgConnection);

/// A new file with the bare table, as durable as the store's.
pub(crate) async fn sqlite(folder: &Path) -> SqliteConnection {
    sqlite_in(folder, "bare.db").await
}

/// As [`sqlite`], under a name of its own.
pub(crate) async fn sqlite_in(folder: &Path, name: &str) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join(name)).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut bare = options.connect().await.unwrap();
    sqlx::raw_sql(TABLE).execute(&mut bare).await.unwrap();
    bare
}

/// A new schema with the bare table: its URL and a connection. Nothing if no server is named, which is said.
pub(crate) async fn postgres(schema: &str) -> Option<(String, PgConnection)> {
    let Ok(url) = std::env::var("INTEGRATION_TEST_POSTGRES_URL") else {
        println!("(PostgreSQL: INTEGRATION_TEST_POSTGRES_URL is not set)");
        return None;
    };
    let mut bare = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(&format!("CREATE SCHEMA {schema}")).execute(&mut bare).await.unwrap();
    let url = format!("{url}?options=-csearch_path%3D{schema}");
    let mut bare = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(&TABLE.replace("BLOB", "BYTEA")).execute(&mut bare).await.unwrap();
    Some((url, bare))
}

/// What `calls` leave over when they are dealt out to so many `lanes`.
pub(crate) fn rest(calls: usize, lanes: usize) -> f64 {
    calls as f64 / (calls / lanes * lanes) as f64
}
