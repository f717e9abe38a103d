//! One file: the suite, two handles on it as two processes would have, reopening, group commit, and files that are not ours.
#![cfg(feature = "sqlite")]
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
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_core::BoxFuture;
use integration_core::clock::{Clock, SystemClock};
use integration_store::{
    Backend, Change, LaneChoice, NewEntry, Query, Sqlite, State, Store, StoreErrorKind, conformance,
};
use jiff::{SignedDuration, Timestamp};

const HOUR: Duration = Duration::from_secs(3_600);

/// A folder that goes away with the test.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("integration-store-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.file().display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn new(lane: &str, key: &str) -> NewEntry {
    NewEntry::new(lane, key, format!("body of {key}"), "")
}

async fn conforms(make: impl Fn() -> BoxFuture<'static, Arc<dyn Backend>>) {
    let begun = SystemClock::new();
    let report = conformance::run(make).await;
    println!("{} checks passed in {:.1?}", report.passed.len(), begun.elapsed());
    report.into_result().unwrap_or_else(|broken| panic!("{broken}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_conforms() {
    let folder = Folder::new();
    let backend: Arc<dyn Backend> = Arc::new(Sqlite::open(&folder.url()).await.unwrap());
    conforms(move || Box::pin(std::future::ready(Arc::clone(&backend)))).await;
}

/// Every operation goes to the other of two handles, which share nothing but the file.
#[derive(Debug)]
struct Alternating(Vec<Sqlite>, AtomicUsize);

impl Alternating {
    fn next(&self) -> &Sqlite {
        &self.0[self.1.fetch_add(1, Ordering::Relaxed) % self.0.len()]
    }
}

mod alternating {
    use super::Alternating;
    use bytes::Bytes;
    use integration_store::*;
    use std::time::Duration;

    impl Backend for Alternating {
        fn append<'a>(&'a self, o: &'a str, w: &'a str, e: Vec<NewEntry>) -> Pending<'a, Vec<(Entry, bool)>> {
            self.next().append(o, w, e)
        }
        fn claim<'a>(
            &'a self,
            o: &'a str,
            l: LaneChoice<'a>,
            w: &'a str,
            t: Duration,
        ) -> Pending<'a, Option<Lease>> {
            self.next().claim(o, l, w, t)
        }
        fn renew<'a>(&'a self, l: &'a Lease, t: Duration) -> Pending<'a, ()> {
            self.next().renew(l, t)
        }
        fn release<'a>(&'a self, l: &'a Lease) -> Pending<'a, ()> {
            self.next().release(l)
        }
        fn apply<'a>(&'a self, l: &'a Lease, s: Step) -> Pending<'a, Vec<Entry>> {
            self.next().apply(l, s)
        }
        fn claim_and_apply<'a>(
            &'a self,
            o: &'a str,
            l: &'a str,
            w: &'a str,
            t: Duration,
            f: i64,
            s: Step,
        ) -> Pending<'a, Option<(Lease, Vec<Entry>)>> {
            self.next().claim_and_apply(o, l, w, t, f, s)
        }
        fn lane<'a>(&'a self, o: &'a str, l: &'a str) -> Pending<'a, LaneView> {
            self.next().lane(o, l)
        }
        fn lanes<'a>(&'a self, o: &'a str, s: Vec<State>) -> Pending<'a, Vec<String>> {
            self.next().lanes(o, s)
        }
        fn tips<'a>(&'a self, o: &'a str, a: Option<&'a str>, l: usize) -> Pending<'a, Vec<(String, Tip)>> {
            self.next().tips(o, a, l)
        }
        fn lines<'a>(&'a self, o: &'a str, a: i64, l: usize) -> Pending<'a, Vec<Line>> {
            self.next().lines(o, a, l)
        }
        fn standings<'a>(&'a self, o: &'a str, a: i64, l: usize) -> Pending<'a, Vec<Standing>> {
            self.next().standings(o, a, l)
        }
        fn testify<'a>(&'a self, o: &'a str, w: &'a str, e: i64, d: Bytes) -> Pending<'a, ()> {
            self.next().testify(o, w, e, d)
        }
        fn find<'a>(&'a self, o: &'a str, k: &'a str) -> Pending<'a, Option<Entry>> {
            self.next().find(o, k)
        }
        fn list<'a>(&'a self, o: &'a str, q: Query) -> Pending<'a, Vec<Entry>> {
            self.next().list(o, q)
        }
        fn history<'a>(&'a self, o: &'a str, e: i64) -> Pending<'a, Vec<Event>> {
            self.next().history(o, e)
        }
        fn remember<'a>(&'a self, i: &'a str, k: &'a str, t: Duration) -> Pending<'a, bool> {
            self.next().remember(i, k, t)
        }
        fn forget<'a>(&'a self, i: &'a str, k: &'a str) -> Pending<'a, ()> {
            self.next().forget(i, k)
        }
        fn purge<'a>(&'a self, i: &'a str) -> Pending<'a, u64> {
            self.next().purge(i)
        }
        fn checkpoint<'a>(&'a self, n: &'a str) -> Pending<'a, Option<Checkpoint>> {
            self.next().checkpoint(n)
        }
        fn commit<'a>(&'a self, n: &'a str, c: Commit) -> Pending<'a, Checkpoint> {
            self.next().commit(n, c)
        }
        fn records<'a>(
            &'a self,
            n: &'a str,
            c: &'a str,
            a: Option<&'a str>,
            l: usize,
        ) -> Pending<'a, Vec<(String, Bytes)>> {
            self.next().records(n, c, a, l)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_handles_on_one_file_conform() {
    let folder = Folder::new();
    let (one, two) = tokio::join!(open(&folder), open(&folder));
    let backend: Arc<dyn Backend> = Arc::new(Alternating(vec![one, two], AtomicUsize::new(0)));
    conforms(move || Box::pin(std::future::ready(Arc::clone(&backend)))).await;
}

async fn open(folder: &Folder) -> Sqlite {
    Sqlite::open(&folder.url()).await.unwrap()
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let folder = Folder::new();
    let lease = {
        let outbox = Store::open(&folder.url()).await.unwrap().outbox("o");
        outbox.append("ann", vec![new("a", "k1"), new("a", "k2")]).await.unwrap();
        let lease = outbox.claim(LaneChoice::AnyReady, "ann", HOUR).await.unwrap().unwrap();
        let entry = outbox.find("k1").await.unwrap().unwrap();
        let sending = Change {
            entry: entry.id,
            version: entry.version,
            state: State::InFlight,
            data: "1".into(),
            body: None,
        };
        outbox.write(&lease, vec![sending]).await.unwrap();
        lease
    };
    let outbox = Store::open(&folder.url()).await.unwrap().outbox("o");
    let states: Vec<State> =
        outbox.list(Query::open()).await.unwrap().iter().map(|entry| entry.state).collect();
    assert_eq!(states, [State::InFlight, State::Prepared]);
    assert_eq!(
        outbox.claim(LaneChoice::Named("a"), "ben", HOUR).await.unwrap(),
        None,
        "the lease outlives the process"
    );
    outbox.renew(&lease, HOUR).await.unwrap();
    let again = outbox.claim(LaneChoice::Named("a"), "ann", HOUR).await.unwrap().unwrap();
    assert!(again.fence > lease.fence);
    assert_eq!(outbox.find("k1").await.unwrap().unwrap().state, State::Unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_waits_together_is_committed_together() {
    const LANES: usize = 200;
    let folder = Folder::new();
    let backend = open(&folder).await;
    let store = Store::from_backend(backend.clone());
    let append = |number: usize| {
        let outbox = store.outbox("o");
        tokio::spawn(async move {
            outbox.append("ann", vec![new(&format!("lane {number}"), &format!("k{number}"))]).await
        })
    };
    let tasks: Vec<_> = (0..LANES).map(append).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let commits = backend.commits();
    println!("{LANES} appends in {commits} commits");
    assert!(commits <= LANES as u64 / 2, "{LANES} appends took {commits} commits");
    assert_eq!(store.outbox("o").list(Query::default()).await.unwrap().len(), LANES);
}

#[tokio::test]
async fn one_failure_in_a_batch_takes_nothing_of_the_others() {
    let folder = Folder::new();
    let backend = open(&folder).await;
    let store = Store::from_backend(backend.clone());
    let (clients, outbox) = (store.checkpoints("c"), store.outbox("o"));
    let wrong = integration_store::Commit { version: 7, ..Default::default() };
    let (refused, appended, again) = tokio::join!(
        clients.commit(wrong.clone()),
        outbox.append("ann", vec![new("a", "k")]),
        clients.commit(wrong),
    );
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Conflict);
    assert_eq!(again.unwrap_err().kind(), StoreErrorKind::Conflict);
    assert!(appended.unwrap()[0].1);
    assert!(outbox.find("k").await.unwrap().is_some());
}

async fn kind_of_open(url: &str) -> (StoreErrorKind, String) {
    let error = Store::open(url).await.unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    (error.kind(), text)
}

#[tokio::test]
async fn urls_that_name_no_store() {
    for url in [
        "",
        "store.db",
        "mysql://host/db",
        "sqlite",
        "sqlite:",
        "sqlite://",
        "sqlite::memory:",
        "sqlite:a?mode=ro",
    ] {
        let (kind, text) = kind_of_open(url).await;
        assert_eq!(kind, StoreErrorKind::Configuration, "{url}: {text}");
    }
}

async fn raw(file: &Path, sql: &str) {
    use sqlx::ConnectOptions as _;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

async fn untouched(folder: &Folder, kind: StoreErrorKind, word: &str) {
    let before = std::fs::read(folder.file()).unwrap();
    let (found, text) = kind_of_open(&folder.url()).await;
    assert_eq!(found, kind, "{text}");
    assert!(text.contains(word), "{text}");
    assert_eq!(std::fs::read(folder.file()).unwrap(), before, "the file was touched");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let folder = Folder::new();
    drop(open(&folder).await);
    raw(&folder.file(), "PRAGMA user_version = 99").await;
    untouched(&folder, StoreErrorKind::Schema, "version 99").await;
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let folder = Folder::new();
    raw(&folder.file(), "CREATE TABLE theirs (a)").await;
    untouched(&folder, StoreErrorKind::Schema, "another program").await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "not a database, but long enough to look like one might ".repeat(40))
        .unwrap();
    untouched(&folder, StoreErrorKind::Schema, "not an SQLite database").await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_not_writable() {
    let folder = Folder::new();
    let (kind, text) = kind_of_open(&format!("sqlite:{}/none/store.db", folder.0.display())).await;
    assert_eq!(kind, StoreErrorKind::NotWritable, "{text}");
    assert!(text.contains("folder must exist"), "{text}");
}

#[tokio::test]
async fn a_read_only_file_is_not_writable() {
    let folder = Folder::new();
    drop(Store::open(&folder.url()).await.unwrap());
    let mut permissions = std::fs::metadata(folder.file()).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(folder.file(), permissions).unwrap();
    if std::fs::OpenOptions::new().write(true).open(folder.file()).is_ok() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: this user (root?) may write read-only files; the code of a read-only file is tested in backend/sqlite/tests.rs"
        );
        return;
    }
    let error = match Store::open(&folder.url()).await {
        Ok(store) => store.inbox("i").remember("k", HOUR).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{error}");
}

#[tokio::test]
async fn a_flipped_bit_is_found() {
    let folder = Folder::new();
    let outbox = Store::open(&folder.url()).await.unwrap().outbox("o");
    outbox.append("ann", vec![new("a", "k")]).await.unwrap();
    for sql in ["body = CAST('bodY of k' AS BLOB)", "data = x'01'", "state = 2", "lane = 'b'", "version = 2"]
    {
        raw(&folder.file(), &format!("PRAGMA foreign_keys = OFF; CREATE TABLE kept AS SELECT * FROM integration_entries; UPDATE integration_entries SET {sql}")).await;
        for error in [outbox.find("k").await.unwrap_err(), outbox.list(Query::default()).await.unwrap_err()] {
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{sql}: {error}");
        }
        raw(&folder.file(), "PRAGMA foreign_keys = OFF; DELETE FROM integration_entries; INSERT INTO integration_entries SELECT * FROM kept; DROP TABLE kept").await;
        assert!(outbox.find("k").await.is_ok());
    }
}

/// The file that the first version wrote, as SQL text, with one entry in flight.
#[tokio::test]
async fn the_first_schema_is_brought_up_to_now() {
    let folder = Folder::new();
    raw(&folder.file(), include_str!("schema/sqlite-v1.sql")).await;
    let outbox = Store::open(&folder.url()).await.unwrap().outbox("documents");
    let lease = outbox.claim(LaneChoice::AnyReady, "now", HOUR).await.unwrap().unwrap();
    assert_eq!(lease.fence, 2);
    let entry = outbox.find("J-1/01/7").await.unwrap().unwrap();
    assert_eq!((entry.state, &entry.body[..]), (State::Unknown, &b"{\"n\":7}"[..]));
    assert_eq!(outbox.history(entry.id).await.unwrap().len(), 3);
    drop(outbox);
    Store::open(&folder.url()).await.expect("a second look finds it done");
}

/// Real waiting, and a wall clock that can be set.
#[derive(Debug)]
struct SetClock {
    system: SystemClock,
    offset: AtomicI64,
    lock: Mutex<()>,
}

impl SetClock {
    fn set(&self, seconds: i64) {
        let _guard = self.lock.lock().unwrap();
        self.offset.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn elapsed(&self) -> Duration {
        self.system.elapsed()
    }
    fn wall(&self) -> Timestamp {
        self.system.wall() + SignedDuration::from_secs(self.offset.load(Ordering::SeqCst))
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.system.sleep(duration)
    }
    fn timer(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.system.timer(duration)
    }
    fn random(&self) -> f64 {
        self.system.random()
    }
}

#[tokio::test]
async fn a_clock_set_back_neither_ends_a_lease_nor_keeps_it_for_ever() {
    const LEASE: Duration = Duration::from_secs(120);
    let folder = Folder::new();
    let clock =
        Arc::new(SetClock { system: SystemClock::new(), offset: AtomicI64::new(0), lock: Mutex::new(()) });
    let backend = Sqlite::open_with_clock(&folder.url(), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let outbox = Store::from_backend(backend).outbox("o");
    let entry = outbox.append("ann", vec![new("a", "k")]).await.unwrap().remove(0).0;
    let old = outbox.claim(LaneChoice::AnyReady, "ann", LEASE).await.unwrap().unwrap();
    let claim = |worker| outbox.claim(LaneChoice::AnyReady, worker, LEASE);

    clock.set(-3_600);
    assert_eq!(claim("ben").await.unwrap(), None, "the worker is well, its lease is not cut short");
    clock.set(-3_600 + 119);
    assert_eq!(claim("ben").await.unwrap(), None);
    clock.set(-3_600 + 121);
    let lease = claim("ben").await.unwrap().expect("an hour back does not shut the lane for an hour");

    let change = Change {
        entry: entry.id,
        version: entry.version,
        state: State::InFlight,
        data: "".into(),
        body: None,
    };
    let error = outbox.write(&old, vec![change.clone()]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::LeaseLost);
    outbox.write(&lease, vec![change]).await.unwrap();

    clock.set(3_600);
    let last = outbox.claim(LaneChoice::Named("a"), "eve", LEASE).await.unwrap();
    assert!(
        last.is_some_and(|last| last.fence > lease.fence),
        "a clock set forward ends leases; the fence decides"
    );
    assert_eq!(outbox.find("k").await.unwrap().unwrap().state, State::Unknown);
}
