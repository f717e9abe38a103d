//! The store beside the bare database, through the same driver: `cargo bench -p integration-benches --bench store`.
//!
//! One call is what a journalled call costs: two durable commits, `claim_and_apply` (claim, write down, into flight) and `apply`
//! (done, give the lane back). The floor is one INSERT and one UPDATE of the same payload, each its own commit. PostgreSQL is
//! measured if `INTEGRATION_TEST_POSTGRES_URL` is set (`.ci/with-postgres cargo bench …`).
//!
//! To enqueue is to append one entry durably; its floor is the least that can be durable at all, the same bytes at the end of a file
//! and `fdatasync`. Lanes: the same calls by one lane and by 64 at once. Recovery: a store is opened, and what is open in it found and
//! read. With `-- recovery` that alone.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod floor;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use floor::Payload;
use integration_benches::{Rounds, is_asked_for, median, time};
use integration_store::{Change, DEFAULT_LEASE, NewEntry, Outbox, Query, Sqlite, State, Step, Store};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

const ROUNDS: usize = 21;
const CALLS: usize = 100;
const LANES: usize = 16;
/// At once, to see what they gain by sharing commits.
const MANY_LANES: usize = 64;
const EACH: usize = 8;
const BODY: [u8; 1_000] = [b'x'; 1_000];
const DATA: [u8; 100] = [b'd'; 100];
const PAYLOAD: Payload = Payload { body: &BODY, data: &DATA };

static NUMBER: AtomicUsize = AtomicUsize::new(0);

fn main() {
    if !is_asked_for() {
        return;
    }
    // Beside the sources, not in /tmp: that may be memory.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-figures");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        if !std::env::args().any(|argument| argument == "recovery") {
            commits(&folder).await;
        }
        println!("\n| recovery on SQLite: what is open, 10 entries | median, ms |\n|---|---|");
        for old in [1_000, 100_000, 1_000_000] {
            recovery(&folder, old).await;
        }
        println!("\n| recovery on SQLite | its lanes found, ms | all of it read, ms |\n|---|---|---|");
        for open in [10_000, 100_000] {
            recovery_of_open(&folder, open).await;
        }
    });
    let _ = std::fs::remove_dir_all(&folder);
}

async fn commits(folder: &Path) {
    println!("one fdatasync of a block here: {:.0} µs (median of 200)\n", sync_cost(folder).await);
    println!("| calls of two durable commits | calls/s | floor, calls/s | ratio |\n|---|---|---|---|");
    sqlite(folder).await;
    postgres().await;
    println!("\n| one durable entry, p50 | µs | append and fdatasync, µs | ratio |\n|---|---|---|---|");
    enqueue(folder).await;
    println!("\n| lanes | calls/s, 64 lanes | calls/s, one lane | ratio |\n|---|---|---|---|");
    lanes(folder).await;
}

/// What the disk asks for a commit, in microseconds.
async fn sync_cost(folder: &Path) -> f64 {
    use std::io::Write as _;
    let mut file = std::fs::File::create(folder.join("sync")).unwrap();
    let mut costs = Vec::new();
    for _ in 0..200 {
        let write = async {
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
        };
        costs.push(time(write).await.0.as_secs_f64() * 1e6);
    }
    median(costs)
}

/// One journalled call.
async fn call(outbox: &Outbox, lane: &str) {
    let key = format!("{lane}/{:010}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let seen = outbox.lane(lane).await.unwrap();
    let new = NewEntry::new(lane, key, &BODY[..], &DATA[..]).with_in_flight();
    let step = Step::new().with_append(new);
    let claimed = outbox.claim_and_apply(lane, "ann", DEFAULT_LEASE, seen.fence, step).await.unwrap();
    let (lease, entries) = claimed.expect("nobody else is at it");
    let entry = &entries[0];
    let done = Change {
        entry: entry.id,
        version: entry.version,
        state: State::Done,
        data: DATA[..].into(),
        body: None,
    };
    outbox.apply(&lease, Step::new().with_change(done).with_release()).await.unwrap();
}

async fn calls(outbox: Outbox, lane: String, count: usize) {
    for _ in 0..count {
        call(&outbox, &lane).await;
    }
}

async fn many_lanes(outbox: &Outbox, each: usize) {
    let start = |lane| tokio::spawn(calls(outbox.clone(), format!("lane {lane}"), each));
    let tasks: Vec<_> = (0..LANES).map(start).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn sqlite(folder: &Path) {
    let mut bare = floor::sqlite(folder).await;
    let backend = Sqlite::open(&format!("sqlite:{}", folder.join("store.db").display())).await.unwrap();
    let outbox = Store::from_backend(backend.clone()).outbox("o");
    let (mut one, mut many, mut commits) = (Rounds::default(), Rounds::default(), Vec::new());
    for _ in 0..ROUNDS {
        let floor = time(floor::sqlite_calls(&mut bare, PAYLOAD, CALLS)).await.0;
        one.note(CALLS, floor, time(calls(outbox.clone(), "lane".into(), CALLS)).await.0);
        let floor = time(floor::sqlite_calls(&mut bare, PAYLOAD, CALLS)).await.0;
        let before = backend.commits();
        // As many calls as the floor makes alone: both in one file with one writer.
        many.note(
            CALLS,
            floor,
            time(many_lanes(&outbox, CALLS / LANES)).await.0.mul_f64(floor::rest(CALLS, LANES)),
        );
        commits.push((backend.commits() - before) as f64 / (CALLS / LANES * LANES * 2) as f64);
    }
    println!("{}", one.line("SQLite, 1 lane"));
    println!("{}", many.line("SQLite, 16 lanes"));
    println!("(16 lanes: {:.2} commits a step)", median(commits));
}

async fn postgres() {
    let Some((url, mut bare)) = floor::postgres("figures").await else { return };
    let outbox = Store::open(&url).await.unwrap().outbox("o");
    let mut pool = Vec::new();
    for _ in 0..LANES {
        pool.push(PgConnection::connect(&url).await.unwrap());
    }
    let (mut one, mut many) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let floor = time(floor::postgres_calls(&mut bare, PAYLOAD, CALLS)).await.0;
        one.note(CALLS, floor, time(calls(outbox.clone(), "lane".into(), CALLS)).await.0);
        let (floor, back) = time(many_connections(pool, CALLS / LANES)).await;
        pool = back;
        many.note(CALLS / LANES * LANES, floor, time(many_lanes(&outbox, CALLS / LANES)).await.0);
    }
    println!("{}", one.line("PostgreSQL, 1 lane"));
    println!("{}", many.line("PostgreSQL, 16 lanes on 16 connections"));
}

/// One entry after another, each durable before the next, beside as many bytes appended to a file and synced.
async fn enqueue(folder: &Path) {
    use std::io::Write as _;
    let mut bare = floor::sqlite_in(folder, "enqueue-bare.db").await;
    let url = format!("sqlite:{}", folder.join("enqueue.db").display());
    let outbox = Store::open(&url).await.unwrap().outbox("o");
    let mut file = std::fs::File::create(folder.join("appended")).unwrap();
    let line = [&BODY[..], &DATA[..]].concat();
    let (mut appended, mut inserted, mut enqueued) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ratios, mut inserts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut round: [Vec<f64>; 3] = Default::default();
        for _ in 0..CALLS {
            let append = async {
                file.write_all(&line).unwrap();
                file.sync_data().unwrap();
            };
            round[0].push(micros(append).await);
            round[1].push(micros(floor::sqlite_insert(&mut bare, PAYLOAD)).await);
            round[2].push(micros(enqueue_one(&outbox, "lane")).await);
        }
        let [append, insert, ours] = round.map(median);
        ratios.push(ours / append);
        inserts.push(insert / append);
        appended.push(append);
        inserted.push(insert);
        enqueued.push(ours);
    }
    let append = median(appended);
    println!("| SQLite, an entry | {:.0} | {append:.0} | {:.2} |", median(enqueued), median(ratios));
    println!(
        "| bare SQLite, the same payload | {:.0} | {append:.0} | {:.2} |",
        median(inserted),
        median(inserts)
    );
}

async fn micros<T>(work: impl Future<Output = T>) -> f64 {
    time(Box::pin(work)).await.0.as_secs_f64() * 1e6
}

async fn enqueue_one(outbox: &Outbox, lane: &str) {
    let key = format!("{lane}/{:010}", NUMBER.fetch_add(1, Ordering::Relaxed));
    outbox.append("ann", vec![NewEntry::new(lane, key, &BODY[..], &DATA[..])]).await.unwrap();
}

async fn enqueue_many(outbox: Outbox, lane: String, count: usize) {
    for _ in 0..count {
        enqueue_one(&outbox, &lane).await;
    }
}

/// What 64 lanes do at once, beside one of them alone.
async fn lanes(folder: &Path) {
    let backend = Sqlite::open(&format!("sqlite:{}", folder.join("lanes.db").display())).await.unwrap();
    let commits = || backend.commits();
    let outbox = Store::from_backend(backend.clone()).outbox("o");
    group("SQLite, calls", &outbox, &commits, calls).await;
    group("SQLite, entries", &outbox, &commits, enqueue_many).await;
    let Some((url, _)) = floor::postgres("lanes").await else { return };
    let outbox = Store::open(&url).await.unwrap().outbox("o");
    group("PostgreSQL, calls", &outbox, &|| 0, calls).await;
    group("PostgreSQL, entries", &outbox, &|| 0, enqueue_many).await;
}

async fn group<F>(
    name: &str,
    outbox: &Outbox,
    commits: &dyn Fn() -> u64,
    work: fn(Outbox, String, usize) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (mut rounds, mut shared) = (Rounds::default(), Vec::new());
    let all = MANY_LANES * EACH;
    for _ in 0..ROUNDS {
        let alone = time(Box::pin(work(outbox.clone(), "lane".into(), EACH * 8)))
            .await
            .0
            .mul_f64(MANY_LANES as f64 / 8.0);
        let before = commits();
        let start = |lane| tokio::spawn(work(outbox.clone(), format!("lane {lane}"), EACH));
        let together = async {
            let tasks: Vec<_> = (0..MANY_LANES).map(start).collect();
            for task in tasks {
                task.await.unwrap();
            }
        };
        rounds.note(all, alone, time(together).await.0);
        shared.push(all as f64 / (commits() - before) as f64);
    }
    println!("{}", rounds.line(name));
    if commits() > 0 {
        println!("| {name}: a commit was shared by | {:.1} | | |", median(shared));
    }
}

async fn many_connections(pool: Vec<PgConnection>, each: usize) -> Vec<PgConnection> {
    let start = |mut connection: PgConnection| {
        tokio::spawn(async move {
            floor::postgres_calls(&mut connection, PAYLOAD, each).await;
            connection
        })
    };
    let tasks: Vec<_> = pool.into_iter().map(start).collect();
    let mut back = Vec::new();
    for task in tasks {
        back.push(task.await.unwrap());
    }
    back
}

/// Opens the outbox and finds what is open beside `old` entries that are done.
async fn recovery(folder: &Path, old: usize) {
    let file = folder.join(format!("old-{old}.db"));
    let url = fill(&file, old).await;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let look = async {
            let outbox = Store::open(&url).await.unwrap().outbox("o");
            assert_eq!(
                outbox.lanes([State::Prepared, State::InFlight, State::Unknown]).await.unwrap().len(),
                10
            );
            assert_eq!(outbox.list(Query::open()).await.unwrap().len(), 10);
            let newest = Query::of_lane("old").newest_keys_first().with_limit(1);
            // Written by hand, without a checksum: only how long it takes to be found is of interest.
            let _ = outbox.list(newest).await;
        };
        took.push(time(look).await.0.as_secs_f64() * 1e3);
    }
    println!("| beside {old} that are done | {:.2} |", median(took));
    let _ = std::fs::remove_file(file);
}

/// Opens a store with so many open entries and reads them all.
async fn recovery_of_open(folder: &Path, open: usize) {
    let file = folder.join(format!("open-{open}.db"));
    let url = format!("sqlite:{}", file.display());
    let outbox = Store::open(&url).await.unwrap().outbox("o");
    for thousand in 0..open / 1_000 {
        let entries = (0..1_000).map(|number| {
            let lane = format!("lane {}", number % MANY_LANES);
            NewEntry::new(lane, format!("{thousand:06}/{number:03}"), &BODY[..], &DATA[..])
        });
        outbox.append("ann", entries.collect()).await.unwrap();
    }
    let (mut found, mut read) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let find = async {
            let outbox = Store::open(&url).await.unwrap().outbox("o");
            let lanes = outbox.lanes([State::Prepared, State::InFlight, State::Unknown]).await.unwrap();
            assert_eq!(lanes.len(), MANY_LANES);
        };
        found.push(micros(find).await / 1e3);
        let look = async {
            let outbox = Store::open(&url).await.unwrap().outbox("o");
            let mut pages = outbox.pages(Query::open());
            let mut count = 0;
            while let Some(page) = pages.next_page().await.unwrap() {
                count += page.len();
            }
            assert_eq!(count, open);
        };
        read.push(micros(look).await / 1e3);
    }
    let (found, read) = (median(found), median(read));
    println!("| {open} open entries of {} bytes | {found:.1} | {read:.1} |", BODY.len() + DATA.len());
    let _ = std::fs::remove_file(file);
}

async fn fill(file: &PathBuf, old: usize) -> String {
    let url = format!("sqlite:{}", file.display());
    let outbox = Store::open(&url).await.unwrap().outbox("o");
    let open =
        (0..10).map(|number| NewEntry::new(format!("open {number}"), format!("open/{number}"), "x", ""));
    outbox.append("ann", open.collect()).await.unwrap();
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let fill = format!(
        "INSERT INTO integration_lanes (outbox, lane) VALUES ('o', 'old');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {old})
         INSERT INTO integration_entries (outbox, lane, key, state, body, data, version, created, changed, checksum)
         SELECT 'o', 'old', printf('old/%010d', i), 2, x'00', x'', 3, i, i, 0 FROM n"
    );
    sqlx::raw_sql(&fill).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    url
}
