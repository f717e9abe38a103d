//! Figures, each beside its floor: `cargo test -p integration-store --release --all-features --test figures -- --ignored --nocapture`.
#![cfg(feature = "sqlite")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::time::Duration;

use integration_core::clock::{Clock, SystemClock};
use integration_store::{
    Change, DEFAULT_LEASE, Entry, LaneChoice, Lease, NewEntry, Query, Sqlite, State, Store,
};
use sqlx::ConnectOptions as _;

fn new(lane: &str, key: &str) -> NewEntry {
    NewEntry::new(lane, key, vec![b'x'; 1_000], "")
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

async fn go(store: &Store, lease: &Lease, entry: &Entry, state: State) -> Entry {
    let change = Change { entry: entry.id, version: entry.version, state, data: "".into(), body: None };
    store.outbox("o").write(lease, vec![change]).await.unwrap().remove(0)
}

/// Append, into flight, done: three durable steps a document.
async fn issue(store: Store, lane: String, count: usize) {
    let outbox = store.outbox("o");
    let lease = outbox.claim(LaneChoice::Named(&lane), "ann", DEFAULT_LEASE).await.unwrap().unwrap();
    for number in 0..count {
        let entry =
            outbox.append("ann", vec![new(&lane, &format!("{lane}/{number}"))]).await.unwrap().remove(0).0;
        let entry = go(&store, &lease, &entry, State::InFlight).await;
        go(&store, &lease, &entry, State::Done).await;
    }
}

async fn issue_on(store: &Store, prefix: &str, lanes: usize, each: usize) -> Duration {
    let begun = SystemClock::new();
    let start = |lane| tokio::spawn(issue(store.clone(), format!("{prefix}{lane}"), each));
    let tasks: Vec<_> = (0..lanes).map(start).collect();
    for task in tasks {
        task.await.unwrap();
    }
    begun.elapsed()
}

async fn bare_sqlite(file: &std::path::Path, count: usize) -> Duration {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
        .execute(&mut connection)
        .await
        .unwrap();
    let begun = SystemClock::new();
    for _ in 0..count {
        sqlx::query("INSERT INTO t (body) VALUES (?)")
            .bind(vec![7_u8; 1_000])
            .execute(&mut connection)
            .await
            .unwrap();
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn sqlite_figures() {
    // Beside the sources, not in /tmp: that may be memory.
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let floor = rate(2_000, bare_sqlite(&folder.join("bare.db"), 2_000).await);
    println!("bare SQLite, one row a commit:      {floor:8.0} commits/s");
    let backend = Sqlite::open(&format!("sqlite:{}/store.db", folder.display())).await.unwrap();
    let store = Store::from_backend(backend.clone());
    for (lanes, each) in [(1, 500), (8, 200), (64, 100)] {
        let before = backend.commits();
        let took = issue_on(&store, &format!("{lanes}-"), lanes, each).await;
        let (steps, commits) = (3 * lanes * each, backend.commits() - before);
        println!(
            "{lanes:3} lanes: {:8.0} durable steps/s in {:6.0} commits/s, {:6.0} documents/s",
            rate(steps, took),
            rate(commits as usize, took),
            rate(lanes * each, took)
        );
    }
    recovery(&folder).await;
    let _ = std::fs::remove_dir_all(&folder);
}

async fn recovery(folder: &std::path::Path) {
    const OLD: i64 = 1_000_000;
    let url = format!("sqlite:{}/old.db", folder.display());
    Store::open(&url).await.unwrap().outbox("o").append("ann", vec![new("old", "first")]).await.unwrap();
    let mut connection =
        sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("old.db")).connect().await.unwrap();
    // Old lines as the store would have left them; their checksums are not asked for, which is the point.
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {OLD})
         INSERT INTO integration_entries (outbox, lane, key, state, body, data, version, created, changed, checksum)
         SELECT 'o', 'old', 'old/' || i, 2, x'00', x'', 3, i, i, 0 FROM n;
         UPDATE integration_entries SET state = 2 WHERE key = 'first'; UPDATE integration_lanes SET turn = NULL"
    );
    sqlx::raw_sql(&fill).execute(&mut connection).await.unwrap();
    drop(connection);
    let begun = SystemClock::new();
    let outbox = Store::open(&url).await.unwrap().outbox("o");
    assert!(outbox.list(Query::open()).await.unwrap().is_empty());
    assert!(outbox.claim(LaneChoice::AnyReady, "ann", DEFAULT_LEASE).await.unwrap().is_none());
    println!("open, list what is open, claim any lane: {:.1?} beside {OLD} old entries", begun.elapsed());
    let begun = SystemClock::new();
    outbox.append("ann", vec![new("old", "next")]).await.unwrap();
    let lease = outbox.claim(LaneChoice::AnyReady, "ann", DEFAULT_LEASE).await.unwrap();
    assert!(lease.is_some() && outbox.find("next").await.unwrap().is_some());
    println!("append and claim in the old lane:        {:.1?}", begun.elapsed());
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn postgres_figures() {
    let Ok(url) = std::env::var("INTEGRATION_TEST_POSTGRES_URL") else {
        println!("SKIPPED: INTEGRATION_TEST_POSTGRES_URL is not set");
        return;
    };
    let mut connection = sqlx::Connection::connect(&url).await.map(|c: sqlx::PgConnection| c).unwrap();
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS t (id BIGSERIAL PRIMARY KEY, body BYTEA)")
        .execute(&mut connection)
        .await
        .unwrap();
    let begun = SystemClock::new();
    for _ in 0..1_000 {
        sqlx::query("INSERT INTO t (body) VALUES ($1)")
            .bind(vec![7_u8; 1_000])
            .execute(&mut connection)
            .await
            .unwrap();
    }
    println!("bare PostgreSQL, one row a commit:  {:8.0} commits/s", rate(1_000, begun.elapsed()));
    let store = Store::open(&url).await.unwrap();
    for (lanes, each) in [(1, 300), (8, 100), (64, 30)] {
        let took = issue_on(&store, &format!("{lanes}-"), lanes, each).await;
        println!(
            "{lanes:3} lanes: {:8.0} durable steps/s, {:6.0} documents/s",
            rate(3 * lanes * each, took),
            rate(lanes * each, took)
        );
    }
}
