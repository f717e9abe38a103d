//! What only the inside can provoke or see: a full disk, a stopped writer, and the plans of the queries that must not walk
//! through old entries.

use super::*;
use crate::backend::Backend;
use crate::entry::{LaneChoice, NewEntry, State};
use crate::error::StoreErrorKind;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("integration-store-unit-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    async fn open(&self) -> Sqlite {
        Sqlite::open(&format!("sqlite:{}/store.db", self.0.display())).await.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn new(key: &str, size: usize) -> Vec<NewEntry> {
    vec![NewEntry::new("a", key, vec![7; size], "")]
}

async fn pragma(store: &Sqlite, sql: &'static str) {
    store.transact(move |connection, _| Box::pin(execute(connection, sql))).await.unwrap();
}

async fn execute(connection: &mut Connection, sql: &str) -> Result<(), StoreError> {
    sqlx::Executor::execute(connection, sql).await.map_err(failed)?;
    Ok(())
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_says_so() {
    let folder = Folder::new("full");
    let store = folder.open().await;
    store.append("o", "ann", new("before", 10)).await.unwrap();
    // SQLite reports this limit with the same code as a full disk.
    pragma(&store, "PRAGMA max_page_count = 40").await;
    let (large, small) =
        tokio::join!(store.append("o", "ann", new("large", 1_000_000)), store.forget("i", "k"));
    let error = large.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{error}");
    assert!(error.to_string().contains("disk is full"), "{error}");
    // Whoever shared the commit was either told the same or is in the file; nobody was told a falsehood.
    assert!(small.is_ok() || small.is_err_and(|error| error.kind() == StoreErrorKind::NotWritable));
    assert!(store.find("o", "large").await.unwrap().is_none());
    pragma(&store, "PRAGMA max_page_count = 1000000").await;
    store.append("o", "ann", new("large", 1_000_000)).await.unwrap();
    assert!(store.find("o", "before").await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_cannot_be_written_says_so() {
    let folder = Folder::new("read-only");
    let store = folder.open().await;
    // SQLite answers with the code of a read-only file; the file itself cannot be made so for root.
    pragma(&store, "PRAGMA query_only = 1").await;
    let error = store.append("o", "ann", new("k", 10)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{error}");
    assert!(error.to_string().contains("read-only"), "{error}");
    assert!(store.find("o", "k").await.unwrap().is_none());
}

async fn plan(store: &Sqlite, sql: &'static str) -> String {
    let mut connection = store.readers.acquire().await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut *connection).await.unwrap();
    rows.iter().map(|row| sqlx::Row::get::<String, _>(row, 3) + "\n").collect()
}

#[tokio::test]
async fn what_is_open_is_found_without_looking_at_what_is_old() {
    let folder = Folder::new("plans");
    let store = folder.open().await;
    let queries = [
        (
            "EXPLAIN QUERY PLAN SELECT * FROM integration_entries WHERE id > 0 AND outbox = 'o' AND state = 4 AND state <> 2 ORDER BY id LIMIT 9",
            "integration_entries_state (outbox=? AND state=? AND id>?)",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT * FROM integration_entries WHERE outbox = 'o' AND lane = 'a' AND state = 1 ORDER BY id",
            "integration_entries_lane (outbox=? AND lane=? AND state=?)",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT lane FROM integration_lanes WHERE outbox = 'o' AND turn IS NOT NULL AND worker IS NULL ORDER BY turn LIMIT 1",
            "integration_lanes_queue (outbox=?",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT * FROM integration_entries WHERE outbox = 'o' AND key = 'k'",
            "(outbox=? AND key=?)",
        ),
    ];
    for (sql, index) in queries {
        let plan = plan(&store, sql).await;
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

#[tokio::test]
async fn an_operation_that_nobody_waits_for_is_not_begun() {
    let folder = Folder::new("dropped");
    let store = folder.open().await;
    let mut claim = store.claim("o", LaneChoice::Named("a"), "ann", BUSY);
    poll_fn_once(&mut claim).await;
    drop(claim);
    let commits = store.commits();
    store.forget("i", "k").await.unwrap();
    assert_eq!(store.commits(), commits + 1);
    assert!(store.claim("o", LaneChoice::Named("a"), "ben", BUSY).await.unwrap().is_some());
}

/// Lets a future begin, and no more.
async fn poll_fn_once<T>(future: &mut BoxFuture<'_, T>) {
    std::future::poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
}

/// The very texts that are run.
#[tokio::test]
async fn lists_of_what_is_open_go_by_an_index_of_it() {
    let folder = Folder::new("plans-of-lists");
    let store = folder.open().await;
    let open = [State::Prepared, State::InFlight, State::Unknown];
    let lane = || Query::of_lane("a");
    let newest = || lane().newest_keys_first().with_limit(1);
    let by_state = "integration_entries_state (outbox=? AND state=?";
    let by_lane = "integration_entries_lane (outbox=? AND lane=? AND state=?";
    let by_key = "integration_entries_keys (outbox=? AND lane=?";
    let plans = [
        (sql::lanes_sql(&open), by_state),
        (sql::list_sql("o", &Query::open()).sql().to_owned(), by_state),
        (sql::list_sql("o", &lane().with_states(open)).sql().to_owned(), by_lane),
        (sql::list_sql("o", &newest()).sql().to_owned(), by_key),
        (sql::list_sql("o", &newest().with_states([State::Done])).sql().to_owned(), by_key),
    ];
    for (sql, index) in plans {
        let text: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
        let plan = plan(&store, text).await;
        let searches: Vec<&str> = plan.lines().filter(|line| line.contains("integration_entries")).collect();
        assert!(!searches.is_empty() && searches.iter().all(|line| line.contains(index)), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN integration_entries"), "{sql}\n{plan}");
    }
}

async fn claim_and_append(store: &Sqlite, fence: i64, key: &str) -> Option<crate::entry::Lease> {
    let step = crate::entry::Step::new().with_append(NewEntry::new("a", key, "x", "")).with_release();
    store.claim_and_apply("o", "a", "ann", BUSY, fence, step).await.unwrap().map(|(lease, _)| lease)
}

/// What one handle remembers of a lane is not believed once another handle was there.
#[tokio::test]
async fn what_is_remembered_is_refused_once_another_handle_was_in_the_lane() {
    let folder = Folder::new("remembered");
    let (one, other) = (folder.open().await, folder.open().await);
    assert!(claim_and_append(&one, 0, "k1").await.is_some());
    assert!(claim_and_append(&other, 1, "k2").await.is_some());
    assert!(claim_and_append(&one, 1, "k3").await.is_none(), "the fence moved on");
    assert!(claim_and_append(&one, 2, "k3").await.is_some());
    // Appends move the lane's history but not its fence, and take the id that the first handle would have given.
    other.append("o", "ben", new("k4", 10)).await.unwrap();
    assert!(claim_and_append(&one, 3, "k5").await.is_some());
    let entries = one.list("o", Query::of_lane("a")).await.unwrap();
    let found: Vec<_> = entries.iter().map(|entry| (entry.id, entry.key.as_str())).collect();
    assert_eq!(found, [(1, "k1"), (2, "k2"), (3, "k3"), (4, "k4"), (5, "k5")]);
}
