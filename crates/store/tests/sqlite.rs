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
    Backend, Change, Claim, Fault, LaneChoice, NewEntry, Outbox, Query, Sqlite, State, Step, Store,
    StoreErrorKind, conformance, worker_name,
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
        fn now(&self) -> Pending<'_, jiff::Timestamp> {
            self.next().now()
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
        fn claim_key<'a>(&'a self, t: &'a Ticket, l: Duration) -> Pending<'a, Claim> {
            self.next().claim_key(t, l)
        }
        fn done_key<'a>(&'a self, t: &'a Ticket, k: Duration) -> Pending<'a, bool> {
            self.next().done_key(t, k)
        }
        fn release_key<'a>(&'a self, t: &'a Ticket) -> Pending<'a, ()> {
            self.next().release_key(t)
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

/// SQLite itself takes it for a new file.
#[tokio::test]
async fn a_file_that_was_cut_off_is_no_new_journal() {
    let folder = Folder::new();
    drop(open(&folder).await);
    let whole = std::fs::read(folder.file()).unwrap();
    for length in [1, 100, 511] {
        std::fs::write(folder.file(), &whole[..length]).unwrap();
        untouched(&folder, StoreErrorKind::Corrupt, "cut off").await;
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_not_writable() {
    let folder = Folder::new();
    let missing = folder.0.join("none/deeper");
    let (kind, text) = kind_of_open(&format!("sqlite:{}/store.db", missing.display())).await;
    assert_eq!(kind, StoreErrorKind::NotWritable, "{text}");
    let advice = format!("the folder {} for store.db does not exist: create it, or", missing.display());
    assert!(text.contains(&advice), "{text}");
    // A relative name is told in full: the reader may not know where the program runs.
    let (_, text) = kind_of_open("sqlite:no-such-folder/store.db").await;
    let full = std::env::current_dir().unwrap().join("no-such-folder");
    assert!(text.contains(&format!("the folder {} for store.db", full.display())), "{text}");
    std::fs::write(folder.0.join("file"), "").unwrap();
    let (kind, text) = kind_of_open(&format!("sqlite:{}/file/store.db", folder.0.display())).await;
    assert_eq!(kind, StoreErrorKind::NotWritable, "{text}");
    assert!(text.contains("is no folder"), "{text}");
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
/// A key that was remembered before there were claims.
const REMEMBERED: &str = "INSERT INTO integration_inbox VALUES ('callbacks', 'event-1', 9000000000000000)";

#[tokio::test]
async fn every_older_schema_is_brought_up_to_now() {
    for older in [
        include_str!("schema/sqlite-v1.sql"),
        include_str!("schema/sqlite-v2.sql"),
        include_str!("schema/sqlite-v3.sql"),
    ] {
        let folder = Folder::new();
        raw(&folder.file(), older).await;
        raw(&folder.file(), REMEMBERED).await;
        let store = Store::open(&folder.url()).await.unwrap();
        let outbox = store.outbox("documents");
        let lease = outbox.claim(LaneChoice::AnyReady, "now", HOUR).await.unwrap().unwrap();
        assert_eq!(lease.fence, 2);
        let entry = outbox.find("J-1/01/7").await.unwrap().unwrap();
        assert_eq!((entry.state, &entry.body[..]), (State::Unknown, &b"{\"n\":7}"[..]));
        assert_eq!(outbox.history(entry.id).await.unwrap().len(), 3);
        let chain = outbox.verify().await.expect("the old lines were linked");
        assert_eq!((chain.lanes, chain.lines), (1, 3));
        // What was remembered in one step counts as handled.
        let inbox = store.inbox("callbacks");
        assert_eq!(inbox.claim("event-1", "now", HOUR).await.unwrap(), Claim::Handled);
        assert!(matches!(inbox.claim("event-2", "now", HOUR).await.unwrap(), Claim::New(_)));
        drop((store, outbox, inbox));
        Store::open(&folder.url()).await.expect("a second look finds it done");
    }
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
    assert!(outbox.lane("a").await.unwrap().is_held());
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

/// A look alone ends what a clock that was set back would have made last for hours: nobody need try to claim.
/// As a lane's lease: not cut short, and no longer than its own length from the moment at which it is noticed.
#[tokio::test]
async fn a_clock_set_back_neither_ends_a_claim_nor_keeps_it_for_ever() {
    const LEASE: Duration = Duration::from_secs(120);
    let folder = Folder::new();
    let clock =
        Arc::new(SetClock { system: SystemClock::new(), offset: AtomicI64::new(0), lock: Mutex::new(()) });
    let backend = Sqlite::open_with_clock(&folder.url(), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let inbox = Store::from_backend(backend).inbox("i");
    let claim = |worker| inbox.claim("k", worker, LEASE);
    assert!(matches!(claim("ann").await.unwrap(), Claim::New(_)));
    clock.set(-3_600);
    assert!(matches!(claim("ben").await.unwrap(), Claim::InProgress { by, .. } if by.holder == "ann"));
    clock.set(-3_600 + 115);
    assert!(matches!(claim("ben").await.unwrap(), Claim::InProgress { .. }));
    clock.set(-3_600 + 121);
    assert!(
        matches!(claim("ben").await.unwrap(), Claim::New(_)),
        "an hour back does not keep it for an hour"
    );
}

#[tokio::test]
async fn claims_and_what_was_done_outlive_the_process() {
    let folder = Folder::new();
    let inbox = |store: &Sqlite| Store::from_backend(store.clone()).inbox("i");
    let store = open(&folder).await;
    let Claim::New(held) = inbox(&store).claim("held", "ann", HOUR).await.unwrap() else { panic!("held") };
    let Claim::New(done) = inbox(&store).claim("done", "ann", HOUR).await.unwrap() else { panic!("done") };
    assert!(inbox(&store).done(&done, HOUR).await.unwrap());
    drop(store);
    let store = open(&folder).await;
    let again = inbox(&store).claim("held", "ben", HOUR).await.unwrap();
    assert!(matches!(again, Claim::InProgress { by, .. } if by == held));
    assert_eq!(inbox(&store).claim("done", "ben", HOUR).await.unwrap(), Claim::Handled);
}

#[tokio::test]
async fn a_look_shortens_a_lease_of_the_future() {
    let folder = Folder::new();
    let clock =
        Arc::new(SetClock { system: SystemClock::new(), offset: AtomicI64::new(0), lock: Mutex::new(()) });
    let backend = Sqlite::open_with_clock(&folder.url(), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let outbox = Store::from_backend(backend).outbox("o");
    let old = outbox.claim(LaneChoice::Named("a"), "ann", Duration::from_secs(120)).await.unwrap().unwrap();
    clock.set(-3_600);
    let step = || Step::new().with_append(new("a", "k").with_in_flight());
    let taken = outbox.claim_and_apply("a", "ben", HOUR, old.fence, step()).await.unwrap();
    assert!(taken.is_none() && outbox.lane("a").await.unwrap().is_held(), "it is not cut short");
    clock.set(-3_600 + 121);
    assert!(!outbox.lane("a").await.unwrap().is_held(), "it lasts no longer than its own length");
    let taken = outbox.claim_and_apply("a", "ben", HOUR, old.fence, step()).await.unwrap();
    assert!(taken.is_some());
    let error = outbox.apply(&old, Step::new()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::LeaseLost);
}

/// What somebody does to the file behind the store's back, and what is said of it.
#[tokio::test]
async fn the_first_broken_line_is_named() {
    let tampering = [
        ("UPDATE integration_events SET data = x'01' WHERE id = 2", Fault::Altered, 2),
        ("UPDATE integration_events SET at = at + 1 WHERE id = 3", Fault::Altered, 3),
        ("UPDATE integration_events SET worker = 'eve' WHERE id = 1", Fault::Altered, 1),
        ("UPDATE integration_events SET testimony = 1 WHERE id = 2", Fault::Altered, 2),
        ("UPDATE integration_entries SET key = 'other' WHERE id = 1", Fault::Altered, 1),
        ("DELETE FROM integration_events WHERE id = 2", Fault::Missing, 2),
        ("DELETE FROM integration_events WHERE id = 6", Fault::Truncated, 6),
        ("DELETE FROM integration_events WHERE id > 3", Fault::Truncated, 4),
        (
            "UPDATE integration_events SET id = 99 WHERE id = 2; UPDATE integration_events SET id = 2 WHERE id = 3;
             UPDATE integration_events SET id = 3 WHERE id = 99",
            Fault::Reordered,
            2,
        ),
        ("UPDATE integration_lanes SET lines = 5", Fault::TipDiffers, 5),
        ("UPDATE integration_lanes SET tip = zeroblob(32)", Fault::TipDiffers, 6),
        ("UPDATE integration_lanes SET lines = 7", Fault::Truncated, 7),
        ("UPDATE integration_entries SET state = 3 WHERE id = 1", Fault::EntryState, 3),
        ("UPDATE integration_entries SET data = x'02' WHERE id = 2", Fault::EntryData, 6),
        ("UPDATE integration_entries SET body = x'02' WHERE id = 2", Fault::EntryBody, 6),
        ("UPDATE integration_entries SET changed = changed + 1 WHERE id = 2", Fault::EntryTime, 6),
    ];
    for (sql, fault, line) in tampering {
        let folder = Folder::new();
        let outbox = Store::open(&folder.url()).await.unwrap().outbox("o");
        for key in ["k1", "k2"] {
            issue(&outbox, "ann", key).await;
        }
        let chain = outbox.verify().await.unwrap();
        assert_eq!((chain.lanes, chain.lines), (1, 6));
        raw(&folder.file(), &format!("PRAGMA foreign_keys = OFF; {sql}")).await;
        let error = outbox.verify().await.unwrap_err();
        let broken = error.broken().unwrap_or_else(|| panic!("{sql}: {error}"));
        assert_eq!((broken.fault, broken.line), (fault, line), "{sql}: {error}");
        assert!(error.to_string().contains(&format!("line {line} of lane \"a\"")), "{error}");
    }
}

/// One journalled call in a lane of one's own.
async fn issue(outbox: &Outbox, worker: &str, key: &str) {
    let seen = outbox.lane("a").await.unwrap();
    let step = Step::new().with_append(new("a", key).with_in_flight());
    let (lease, entries) =
        outbox.claim_and_apply("a", worker, HOUR, seen.fence, step).await.unwrap().unwrap();
    let done = to(&entries[0], State::Done);
    outbox.apply(&lease, Step::new().with_change(done).with_release()).await.unwrap();
}

fn to(entry: &integration_store::Entry, state: State) -> Change {
    Change { entry: entry.id, version: entry.version, state, data: "".into(), body: None }
}

/// How long a killed process keeps the lane.
const SHORT_LEASE: Duration = Duration::from_millis(150);
const FILE: &str = "INTEGRATION_STORE_TEST_FILE";
const UP_TO: &str = "INTEGRATION_STORE_TEST_UP_TO";

/// Not a test of its own: what the child processes of the tests below do. Writes down, sends and finishes one number after
/// another, of one lane, as long as there are numbers; says so of each that is done.
#[tokio::test]
async fn child() {
    let (Ok(url), Ok(up_to)) = (std::env::var(FILE), std::env::var(UP_TO)) else { return };
    let outbox = Store::open(&url).await.unwrap().outbox("o");
    let (worker, clock) = (format!("process {}", std::process::id()), SystemClock::new());
    while let Some(next) = next_number(&outbox, up_to.parse().unwrap()).await {
        let Some(key) = advance(&outbox, &worker, next).await else {
            clock.sleep(Duration::from_millis(2)).await;
            continue;
        };
        println!("answered {key}");
    }
}

/// `None` when all numbers are done, with the fence that was seen before.
async fn next_number(outbox: &Outbox, up_to: u32) -> Option<(i64, u32)> {
    let seen = outbox.lane("a").await.unwrap();
    let newest = outbox.list(Query::of_lane("a").newest_keys_first().with_limit(1)).await.unwrap();
    let last = newest.first().map_or(0, |entry| entry.key.parse().unwrap());
    let open = outbox.list(Query::open().with_lane("a")).await.unwrap();
    (last < up_to || !open.is_empty()).then_some((seen.fence, last + 1))
}

/// Makes the next number, or finishes what a killed process left behind. `None` if somebody else is at it.
async fn advance(outbox: &Outbox, worker: &str, (fence, number): (i64, u32)) -> Option<String> {
    let step = Step::new().with_append(new("a", &format!("{number:06}")).with_in_flight());
    let up_to: u32 = std::env::var(UP_TO).unwrap().parse().unwrap();
    let taken = match number {
        number if number <= up_to => outbox.claim_and_apply("a", worker, SHORT_LEASE, fence, step).await,
        _ => Ok(None),
    };
    let (lease, entry) = match taken.unwrap() {
        Some((lease, entries)) => (lease, entries[0].clone()),
        None => left_behind(outbox, worker).await?,
    };
    let done = Step::new().with_change(to(&entry, State::Done)).with_release();
    match outbox.apply(&lease, done).await {
        Ok(_) => Some(entry.key),
        Err(error) => {
            assert_eq!(error.kind(), StoreErrorKind::LeaseLost, "{error}");
            None
        }
    }
}

async fn left_behind(
    outbox: &Outbox,
    worker: &str,
) -> Option<(integration_store::Lease, integration_store::Entry)> {
    if outbox.lane("a").await.unwrap().is_held()
        || outbox.list(Query::open().with_lane("a")).await.unwrap().is_empty()
    {
        return None;
    }
    let lease = outbox.claim(LaneChoice::Named("a"), worker, SHORT_LEASE).await.unwrap()?;
    let lost = outbox.list(Query::in_states([State::Unknown]).with_lane("a")).await.unwrap();
    match lost.into_iter().next() {
        Some(entry) => Some((lease, entry)),
        None => {
            outbox.release(&lease).await.unwrap();
            None
        }
    }
}

struct Process(std::process::Child);

impl Process {
    fn start(folder: &Folder, up_to: u32) -> Self {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "child", "--nocapture"])
            .env(FILE, folder.url())
            .env(UP_TO, up_to.to_string());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// What it answered, once it ended; whether by itself.
    fn end(self) -> (Vec<String>, bool) {
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // The harness may write the test's name before the first answer on the same line.
        let answers =
            text.lines().filter_map(|line| line.split_once("answered ").map(|(_, key)| key.to_owned()));
        (answers.collect(), output.status.success())
    }
}

/// Every number once, done, with nothing but what was allowed in its history, and everything that was answered.
async fn all_are_there_once(folder: &Folder, up_to: u32, answered: &[String]) -> usize {
    let outbox = Store::open(&folder.url()).await.unwrap().outbox("o");
    let entries = outbox.list(Query::default()).await.unwrap();
    let keys: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    let expected: Vec<String> = (1..=up_to).map(|number| format!("{number:06}")).collect();
    assert_eq!(keys, expected, "each once, in order");
    assert!(entries.iter().all(|entry| entry.state == State::Done));
    assert!(answered.iter().all(|key| keys.contains(key)));
    let mut once = answered.to_vec();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), answered.len(), "nothing was answered twice");
    let mut unknown = 0;
    for entry in &entries {
        let states: Vec<State> =
            outbox.history(entry.id).await.unwrap().iter().map(|line| line.state).collect();
        let lost = states == [State::Prepared, State::InFlight, State::Unknown, State::Done];
        assert!(lost || states == [State::Prepared, State::InFlight, State::Done], "{states:?}");
        unknown += usize::from(lost);
    }
    outbox.verify().await.unwrap();
    unknown
}

#[tokio::test]
async fn two_processes_share_one_file() {
    const UP_TO: u32 = 200;
    let folder = Folder::new();
    let processes = [Process::start(&folder, UP_TO), Process::start(&folder, UP_TO)];
    let mut answered = Vec::new();
    for process in processes {
        let (keys, well) = process.end();
        assert!(well);
        println!("a process made {} of {UP_TO}", keys.len());
        answered.extend(keys);
    }
    assert_eq!(answered.len(), UP_TO as usize);
    all_are_there_once(&folder, UP_TO, &answered).await;
}

#[tokio::test]
async fn a_process_that_is_killed_loses_nothing() {
    const UP_TO: u32 = 300;
    const KILLS: u32 = 10;
    let folder = Folder::new();
    let (mut answered, mut killed) = (Vec::new(), 0);
    loop {
        let mut process = Process::start(&folder, UP_TO);
        if killed < KILLS {
            let wait = 60.0 + 150.0 * SystemClock::new().random();
            SystemClock::new().sleep(Duration::from_secs_f64(wait / 1_000.0)).await;
            // SIGKILL on Unix.
            process.0.kill().unwrap();
        }
        let (keys, well) = process.end();
        answered.extend(keys);
        if well {
            break;
        }
        killed += 1;
    }
    let unknown = all_are_there_once(&folder, UP_TO, &answered).await;
    println!("{UP_TO} numbers, {killed} kills, {unknown} found unknown and finished");
}

const CLAIMS: &str = "INTEGRATION_STORE_TEST_CLAIMS";

/// Not a test of its own: handles one callback, begins with another, and is then killed.
#[tokio::test]
async fn claiming_child() {
    let Ok(url) = std::env::var(CLAIMS) else { return };
    let inbox = Store::open(&url).await.unwrap().inbox("i");
    let me = worker_name("receiver");
    let Claim::New(done) = inbox.claim("finished", &me, HOUR).await.unwrap() else { panic!("not new") };
    inbox.done(&done, HOUR).await.unwrap();
    assert!(matches!(inbox.claim("begun", &me, HOUR).await.unwrap(), Claim::New(_)));
    println!("claimed");
    SystemClock::new().sleep(HOUR).await;
}

/// `kill -9` between claim and done: the next receiver handles at once what was begun, and not again what was finished.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_killed_receiver_leaves_what_it_had_begun_and_nothing_else() {
    use std::io::BufRead as _;

    let folder = Folder::new();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "claiming_child", "--nocapture"]).env(CLAIMS, folder.url());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("claimed")), "the child ended early");
    let inbox = Store::open(&folder.url()).await.unwrap().inbox("i");
    let me = worker_name("receiver");
    assert!(matches!(inbox.claim("begun", &me, HOUR).await.unwrap(), Claim::InProgress { .. }));
    child.kill().unwrap();
    child.wait().unwrap();
    let claim = inbox.claim("begun", &me, HOUR).await.unwrap();
    assert!(matches!(claim, Claim::New(_)), "its lease of an hour is not waited for: {claim:?}");
    assert_eq!(inbox.claim("finished", &me, HOUR).await.unwrap(), Claim::Handled);
}
