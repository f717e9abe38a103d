//! The file's schema: steps that are only ever added to, and the look at a file before anything of it is touched.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::{connect_options, failed, sql};
use crate::error::{StoreError, StoreErrorKind};

/// `INTG`: what the header of every file of ours says.
const APPLICATION: i64 = 0x494E_5447;

/// One step a version. A step that was released is never changed.
const STEPS: &[&str] =
    &[include_str!("v1.sql"), include_str!("v2.sql"), include_str!("v3.sql"), include_str!("v4.sql")];

/// The version from which on the lines of history are chained.
const CHAINED: usize = 3;

/// The smallest page there is: SQLite takes what is shorter for a new file, and a journal that was cut off would be an empty one.
const SHORTEST: u64 = 512;

/// What is in a file.
enum Found {
    Nothing,
    Version(usize),
}

/// Looks at a file without changing it: one that is not ours, or newer than we are, must stay as it is.
pub(super) async fn inspect(file: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(file).map_or(0, |metadata| metadata.len()) {
        0 => return Ok(()),
        1..SHORTEST => return Err(cut_off()),
        _ => {}
    }
    match look_into(connect_options(file).read_only(true)).await {
        // A crash left something that SQLite has to bring in order first, and a reader may not.
        Err(error) if error.kind() == StoreErrorKind::NotWritable => look_into(connect_options(file)).await,
        looked => looked,
    }
}

async fn look_into(options: SqliteConnectOptions) -> Result<(), StoreError> {
    let mut connection = options.connect().await.map_err(failed)?;
    let found = look(&mut connection).await.map(drop);
    // The look's own failure says more than a failure to close.
    let _ = connection.close().await;
    found
}

/// Brings the file to the newest version. Another process may be at it too: whoever comes second finds it done.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    run(connection, "BEGIN IMMEDIATE").await?;
    match steps(connection).await {
        Ok(()) => run(connection, "COMMIT").await,
        Err(error) => {
            // The connection is dropped with the error, which rolls back as well.
            let _ = run(connection, "ROLLBACK").await;
            Err(error)
        }
    }
}

async fn steps(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let done = match look(connection).await? {
        Found::Version(version) if version == STEPS.len() => return Ok(()),
        Found::Version(version) => version,
        Found::Nothing => 0,
    };
    for step in STEPS.iter().skip(done) {
        run(connection, step).await?;
    }
    if (1..CHAINED).contains(&done) {
        sql::link_old_lines(connection).await?;
    }
    let version = STEPS.len();
    run(connection, &format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}")).await
}

async fn look(connection: &mut SqliteConnection) -> Result<Found, StoreError> {
    let application = number(connection, "PRAGMA application_id").await?;
    let version = number(connection, "PRAGMA user_version").await?;
    let tables = number(connection, "SELECT COUNT(*) FROM sqlite_master").await?;
    match usize::try_from(version) {
        Ok(version) if application == APPLICATION && (1..=STEPS.len()).contains(&version) => {
            Ok(Found::Version(version))
        }
        _ if application == APPLICATION => Err(newer(version)),
        _ if application == 0 && tables == 0 => Ok(Found::Nothing),
        _ => Err(foreign()),
    }
}

async fn number(connection: &mut SqliteConnection, sql: &str) -> Result<i64, StoreError> {
    sqlx::query_scalar(sql).fetch_one(connection).await.map_err(failed)
}

async fn run(connection: &mut SqliteConnection, sql: &str) -> Result<(), StoreError> {
    sqlx::Executor::execute(connection, sql).await.map_err(failed)?;
    Ok(())
}

fn newer(version: i64) -> StoreError {
    let known = STEPS.len();
    let message = format!(
        "the file has schema version {version}, this program knows up to {known}: use a newer program"
    );
    StoreError::new(StoreErrorKind::Schema, message)
}

fn cut_off() -> StoreError {
    let message = "the file is too short for a database: it was cut off, or is none; bring it back, or name another file";
    StoreError::new(StoreErrorKind::Corrupt, message)
}

fn foreign() -> StoreError {
    let message = "the file is a database of another program: name another file";
    StoreError::new(StoreErrorKind::Schema, message)
}
