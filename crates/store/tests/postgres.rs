//! A real PostgreSQL: the suite, several handles, a crash of the server in the middle. Run by
//! `.ci/with-postgres cargo test -p integration-store --all-features --test postgres`; skipped without it.
#![cfg(feature = "postgres")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use integration_core::clock::{Clock, SystemClock};
use integration_store::{
    Backend, Change, Claim, Fault, LaneChoice, NewEntry, Postgres, Query, State, Step, Store, StoreErrorKind,
    conformance,
};
use sqlx::{Connection as _, PgConnection};

const HOUR: Duration = Duration::from_secs(3_600);

/// The test server's URL, with a schema of the test's own.
struct Server {
    url: String,
    schema: String,
}

/// The tests share one server, and one of them crashes it: it has the server for itself.
static CRASH: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

impl Server {
    async fn find(test: &str) -> Option<Self> {
        let Ok(url) = std::env::var("INTEGRATION_TEST_POSTGRES_URL") else {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {test}: INTEGRATION_TEST_POSTGRES_URL is not set; run .ci/with-postgres cargo test …"
            );
            return None;
        };
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let server = Self { url, schema: format!("test_{}_{number}", std::process::id()) };
        server.raw(&format!("CREATE SCHEMA {}", server.schema)).await;
        Some(server)
    }

    fn url(&self) -> String {
        format!("{}?options=-csearch_path%3D{}", self.url, self.schema)
    }

    async fn raw(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
}

fn new(lane: &str, key: &str) -> NewEntry {
    NewEntry::new(lane, key, format!("body of {key}"), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_conforms() {
    let _guard = CRASH.read().await;
    let Some(server) = Server::find("postgres_conforms").await else { return };
    let backend: Arc<dyn Backend> = Arc::new(Postgres::open(&server.url()).await.unwrap());
    let begun = SystemClock::new();
    let report = conformance::run(move || Box::pin(std::future::ready(Arc::clone(&backend)))).await;
    println!("{} checks passed in {:.1?}", report.passed.len(), begun.elapsed());
    report.into_result().unwrap_or_else(|broken| panic!("{broken}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_an_empty_database_at_once() {
    let _guard = CRASH.read().await;
    let Some(server) = Server::find("many_may_open_an_empty_database_at_once").await else { return };
    let open = |_| {
        tokio::spawn({
            let url = server.url();
            async move { Store::open(&url).await }
        })
    };
    let tasks: Vec<_> = (0..8).map(open).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn urls_show_no_password_and_say_what_is_wrong() {
    let _guard = CRASH.read().await;
    let Some(server) = Server::find("urls_show_no_password_and_say_what_is_wrong").await else { return };
    let with_password = server.url().replace("test@", "test:hunter2@");
    let store = Store::open(&with_password).await.unwrap();
    assert!(store.url().starts_with("postgres://test@127.0.0.1:"), "{}", store.url());
    assert!(!format!("{store:?} {}", store.url()).contains("hunter2"));
    for (from, to, kind) in [
        ("/postgres?", "/nobody?", StoreErrorKind::Configuration),
        (server.schema.as_str(), "no_such_schema", StoreErrorKind::Configuration),
        ("postgres://", "postgres://:hunter2:x@", StoreErrorKind::Configuration),
    ] {
        let error = Store::open(&with_password.replacen(from, to, 1)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn a_foreign_or_newer_schema_is_left_alone() {
    let _guard = CRASH.read().await;
    let Some(server) = Server::find("a_foreign_or_newer_schema_is_left_alone").await else { return };
    Store::open(&server.url()).await.unwrap();
    server.raw("UPDATE integration_schema SET version = 99").await;
    let error = Store::open(&server.url()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema, "{error}");
    assert!(error.to_string().contains("version 99"), "{error}");

    let server = Server::find("foreign").await.unwrap();
    server.raw("CREATE TABLE integration_entries (theirs INT)").await;
    assert_eq!(Store::open(&server.url()).await.unwrap_err().kind(), StoreErrorKind::Schema);
}

#[tokio::test]
async fn every_older_schema_is_brought_up_to_now() {
    let _guard = CRASH.read().await;
    for older in [
        include_str!("schema/postgres-v1.sql"),
        include_str!("schema/postgres-v2.sql"),
        include_str!("schema/postgres-v3.sql"),
    ] {
        let Some(server) = Server::find("every_older_schema_is_brought_up_to_now").await else { return };
        server.raw(older).await;
        server.raw("INSERT INTO integration_inbox VALUES ('callbacks', 'event-1', 9000000000000000)").await;
        let store = Store::open(&server.url()).await.unwrap();
        let outbox = store.outbox("documents");
        let lease = outbox.claim(LaneChoice::AnyReady, "now", HOUR).await.unwrap().unwrap();
        assert_eq!(lease.fence, 2);
        let entry = outbox.find("J-1/01/7").await.unwrap().unwrap();
        assert_eq!((entry.state, &entry.body[..]), (State::Unknown, &b"{\"n\":7}"[..]));
        assert_eq!(outbox.history(entry.id).await.unwrap().len(), 3);
        let chain = outbox.verify().await.expect("the old lines were linked");
        assert_eq!((chain.lanes, chain.lines), (1, 3));
        let inbox = store.inbox("callbacks");
        assert_eq!(inbox.claim("event-1", "now", HOUR).await.unwrap(), Claim::Handled);
        assert!(matches!(inbox.claim("event-2", "now", HOUR).await.unwrap(), Claim::New(_)));
    }
}

/// The planner's own choice beside 20,000 entries that are done.
#[tokio::test]
async fn what_is_open_is_found_without_looking_at_what_is_old() {
    let _guard = CRASH.read().await;
    let Some(server) = Server::find("what_is_open_is_found").await else { return };
    let outbox = Store::open(&server.url()).await.unwrap().outbox("o");
    outbox.append("ann", vec![new("open", "open")]).await.unwrap();
    server
        .raw(
            "INSERT INTO integration_lanes (outbox, lane) VALUES ('o', 'old');
             INSERT INTO integration_entries (outbox, lane, key, state, body, data, version, created, changed, checksum)
             SELECT 'o', 'old', 'old/' || to_char(i, 'FM0000000000'), 2, '', '', 3, i, i, 0
             FROM generate_series(1, 20000) AS i;
             ANALYZE integration_entries; ANALYZE integration_lanes",
        )
        .await;
    assert_eq!(outbox.lanes([State::Prepared, State::Unknown]).await.unwrap(), ["open"]);
    assert_eq!(outbox.lanes([State::Done]).await.unwrap(), ["old"]);
    let cases = [
        (
            "lane FROM integration_entries WHERE outbox = 'o' AND state = 0 AND state <> 2 AND id > 0",
            "_state",
        ),
        (
            "* FROM integration_entries WHERE id > 0 AND outbox = 'o' AND state = 4 AND state <> 2 ORDER BY id LIMIT 1000",
            "_state",
        ),
        (
            "* FROM integration_entries WHERE id > 0 AND outbox = 'o' AND state = 1 AND state <> 2 AND lane = 'old' ORDER BY id LIMIT 1000",
            "_",
        ),
        (
            "* FROM integration_entries WHERE id > 0 AND outbox = 'o' AND lane = 'old' ORDER BY key DESC LIMIT 1",
            "_key",
        ),
        (
            "* FROM integration_entries WHERE id > 0 AND outbox = 'o' AND +state = 2 AND lane = 'old' ORDER BY key DESC LIMIT 1",
            "_key",
        ),
    ];
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    for (sql, index) in cases {
        let explain = format!("EXPLAIN (ANALYZE, TIMING OFF) SELECT {sql}");
        let plan: Vec<String> = sqlx::query_scalar(&explain).fetch_all(&mut connection).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(&format!("integration_entries{index}")), "{sql}\n{plan}");
        assert!(!plan.contains("Seq Scan") && !plan.contains("Rows Removed"), "{sql}\n{plan}");
    }
}

/// What somebody does to the tables behind the store's back is named, on the server as in a file.
#[tokio::test]
async fn the_first_broken_line_is_named() {
    let _guard = CRASH.read().await;
    for (sql, fault, line) in [
        ("UPDATE integration_events SET data = '\\x01' WHERE line = 2", Fault::Altered, 2),
        ("DELETE FROM integration_events WHERE line = 2", Fault::Missing, 2),
        ("DELETE FROM integration_events WHERE line = 3", Fault::Truncated, 3),
        ("UPDATE integration_entries SET body = '\\x02'", Fault::EntryBody, 3),
    ] {
        let Some(server) = Server::find("the_first_broken_line_is_named").await else { return };
        let outbox = Store::open(&server.url()).await.unwrap().outbox("o");
        let step = Step::new().with_append(new("a", "k").with_in_flight());
        let (lease, entries) = outbox.claim_and_apply("a", "ann", HOUR, 0, step).await.unwrap().unwrap();
        let done = Change {
            entry: entries[0].id,
            version: entries[0].version,
            state: State::Done,
            data: "".into(),
            body: None,
        };
        outbox.apply(&lease, Step::new().with_change(done).with_release()).await.unwrap();
        assert_eq!(outbox.verify().await.unwrap().lines, 3);
        server.raw(sql).await;
        let error = outbox.verify().await.unwrap_err();
        let broken = error.broken().unwrap_or_else(|| panic!("{sql}: {error}"));
        assert_eq!((broken.fault, broken.line), (fault, line), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_read_only_database_is_not_writable() {
    let _guard = CRASH.read().await;
    let Some(server) = Server::find("a_read_only_database_is_not_writable").await else { return };
    Store::open(&server.url()).await.unwrap();
    let store =
        Store::open(&format!("{}%20-cdefault_transaction_read_only%3Don", server.url())).await.unwrap();
    let error = store.inbox("i").remember("k", HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{error}");
}

/// Crashes and restarts the server while workers append and write. What was answered is there, what failed is `Unavailable`,
/// nothing is there twice, and the same handles work on afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crash_of_the_server_loses_nothing() {
    let _guard = CRASH.write().await;
    let Some(server) = Server::find("a_crash_of_the_server_loses_nothing").await else { return };
    let Ok(restart) = std::env::var("INTEGRATION_TEST_POSTGRES_RESTART") else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: INTEGRATION_TEST_POSTGRES_RESTART is not set");
        return;
    };
    let store = Store::open(&server.url()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> =
        (0..8).map(|worker| tokio::spawn(work(store.clone(), worker, Arc::clone(&stop)))).collect();
    for _ in 0..3 {
        SystemClock::new().sleep(Duration::from_millis(300)).await;
        let mut words = restart.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let status = tokio::task::spawn_blocking(move || command.status()).await.unwrap().unwrap();
        assert!(status.success());
    }
    SystemClock::new().sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    let (mut answered, mut failed) = (Vec::new(), 0);
    for worker in workers {
        let (keys, errors) = worker.await.unwrap();
        answered.extend(keys);
        failed += errors;
    }
    println!("{} entries done, {failed} operations Unavailable over three crashes", answered.len());
    assert!(failed > 0, "the crashes were not noticed");
    assert!(answered.len() > 20);
    for key in answered {
        let entry = store.outbox("o").find(&key).await.unwrap().expect("an answered entry is there");
        assert_eq!(entry.state, State::Done, "{key}");
    }
}

/// Appends, takes into flight and finishes entries of its own lane until told to stop, repeating what broke off.
async fn work(store: Store, worker: usize, stop: Arc<AtomicBool>) -> (Vec<String>, usize) {
    let name = format!("worker {worker}");
    let (mut done, mut failed, mut number) = (Vec::new(), 0, 0);
    while !stop.load(Ordering::SeqCst) {
        let key = format!("{name} {number}");
        match one(&store, &name, &key).await {
            Ok(()) => {
                done.push(key);
                number += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
                failed += 1;
            }
        }
    }
    (done, failed)
}

async fn one(store: &Store, name: &str, key: &str) -> Result<(), integration_store::StoreError> {
    let outbox = store.outbox("o");
    let mut entry = outbox.append(name, vec![new(name, key)]).await?.remove(0).0;
    let lease = outbox.claim(LaneChoice::Named(name), name, HOUR).await?.expect("a lane of its own");
    // What the claim or a lost answer left behind is read anew: the version tells.
    entry = outbox.find(key).await?.unwrap_or(entry);
    while entry.state != State::Done {
        let state = if entry.state == State::InFlight { State::Done } else { State::InFlight };
        let change = Change { entry: entry.id, version: entry.version, state, data: "".into(), body: None };
        entry = outbox.write(&lease, vec![change]).await?.remove(0);
    }
    let listed = outbox.list(Query::of_lane(name)).await?;
    assert!(listed.iter().filter(|entry| entry.key == key).count() <= 1, "{key} is there twice");
    Ok(())
}
