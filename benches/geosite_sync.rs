//! The synchronisation of a million elements: a full compare beside its floor (the same keys sorted and merged in memory), an
//! incremental run with 100 changes, and the most memory that either needed beyond the plant and the register.
//!
//! `cargo bench -p integration-benches --bench geosite_sync`, under `.ci/with-postgres` for PostgreSQL as well. The plant is made up row by row and holds nothing; the register is a
//! file, so that what the process holds is the engine's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use geosite::Feature;
use geosite::sync::{
    Digest, Element, From, Kind, Lookup, Piece, Plant, PlantError, PlantSync, PostgresRegister, Project,
    Register, Request, Rows, Selection, Settings, Shelf, SqliteRegister,
};
use integration_benches::{is_asked_for, median, time};
use integration_core::BoxFuture;
use jiff::{SignedDuration, Timestamp};

const ELEMENTS: i64 = 1_000_000;
const CHANGES: i64 = 100;
const ROUNDS: usize = 7;
/// What the engine asks for at a time.
const PAGE: usize = 8_192;
const NAME: &str = "norte";

/// Boxes 1..=1,000,000, of which a hundred may be told to have changed.
#[derive(Debug, Default)]
struct Made {
    changed: AtomicBool,
    sent: AtomicU64,
}

impl Made {
    fn element(&self, fid: i64) -> Element {
        let mut element = Element::new(Kind::Cto, fid);
        let changed = self.changed.load(Ordering::Relaxed) && fid % (ELEMENTS / CHANGES) == 0;
        element.code = Some(format!("CTO-{fid:07}"));
        element.name =
            Some(if changed { "renamed".to_owned() } else { format!("Rua {fid}, poste {}", fid % 97) });
        (element.latitude_e7, element.longitude_e7) = (Some(-227_000_000 + fid), Some(-470_000_000 - fid));
        element.ports = Some(16);
        element.extra = format!("{{\"bairro\":\"Centro {}\",\"modelo\":\"16P\"}}", fid % 1_000);
        element
    }

    fn rows(&self, fids: impl Iterator<Item = i64> + Send + 'static, total: i64) -> Rows<'_> {
        let rows = fids.map(|fid| {
            self.sent.fetch_add(1, Ordering::Relaxed);
            Piece::Row(Box::new(self.element(fid)))
        });
        let total = Piece::Total(u64::try_from(total).unwrap_or_default());
        Box::pin(Ready(Box::new([total].into_iter().chain(rows).chain([Piece::End { complete: true }]))))
    }
}

struct Ready<'p>(Box<dyn Iterator<Item = Piece> + Send + 'p>);

impl futures_core::Stream for Ready<'_> {
    type Item = Result<Piece, PlantError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

impl Plant for Made {
    fn whole(&self, feature: Feature, _: From) -> Rows<'_> {
        let count = if feature == Feature::Cto { ELEMENTS } else { 0 };
        self.rows(1..=count, count)
    }

    fn changed(&self, feature: Feature, _: Timestamp, _: From) -> Rows<'_> {
        let count = if feature == Feature::Cto { CHANGES } else { 0 };
        self.rows((1..=count).map(|nth| nth * (ELEMENTS / CHANGES)), count)
    }

    fn tells_changes(&self, _: Feature) -> bool {
        true
    }

    fn one(&self, _: Feature, _: i64) -> BoxFuture<'_, Result<Lookup, PlantError>> {
        Box::pin(async { Ok(Lookup::NotFound) })
    }

    fn splitters_of(&self, _: i64) -> BoxFuture<'_, Result<Vec<Element>, PlantError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn server_time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, PlantError>> {
        let now = Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_hours(500_000)).ok();
        Box::pin(async move { Ok(now) })
    }
}

/// A line of a file about this process, as a number; 0 where there is none.
fn figure(file: &str, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// Runs something and tells how much the process grew at most, in MiB.
async fn peak<T>(work: impl Future<Output = T>) -> (f64, T) {
    // Forgets the peak so far; where that is not allowed, the figure is an upper bound.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = figure("status", "VmRSS:");
    let done = work.await;
    let grown = figure("status", "VmHWM:").saturating_sub(before);
    (mib(grown * 1024), done)
}

/// What no compare of a whole plant can leave out: each row made, and its digest taken.
fn digested(plant: &Made) -> Vec<(i64, Digest)> {
    (1..=ELEMENTS).map(|fid| (fid, plant.element(fid).digest())).collect()
}

/// Keys with digests in an order far from theirs.
fn shuffled(keys: &[(i64, Digest)]) -> Vec<(i64, Digest)> {
    // 611,953 and the count have no common divisor, so every key comes once, far from its neighbours.
    (0..keys.len()).map(|nth| keys[nth * 611_953 % keys.len()]).collect()
}

/// The floor: both sides' keys and digests in memory, the plant's in any order, sorted and merged.
fn sorted_and_merged(stored: &[(i64, Digest)], read: &mut [(i64, Digest)]) -> u64 {
    read.sort_unstable_by_key(|(fid, _)| *fid);
    let (mut stored, mut equal) = (stored.iter().peekable(), 0);
    for row in read.iter() {
        while stored.next_if(|stored| stored.0 < row.0).is_some() {}
        equal += u64::from(stored.next_if(|stored| *stored == row).is_some());
    }
    equal
}

/// The compare by itself: a snapshot's keys and digests, ascending as the plant sends them, against the register where it lies.
async fn compared(read: &[(i64, Digest)], register: &dyn Register) -> u64 {
    let (mut read, mut equal, mut after) = (read.iter().peekable(), 0, None);
    loop {
        let page = register.known(NAME, Shelf::Box, after, PAGE).await.expect("readable");
        for known in &page {
            while read.next_if(|(fid, _)| *fid < known.fid).is_some() {}
            equal += u64::from(read.next_if(|row| **row == (known.fid, known.digest)).is_some());
        }
        if page.len() < PAGE {
            return equal;
        }
        after = page.last().map(|known| known.fid);
    }
}

/// The runs, as a table; how long the last compare took.
async fn runs(engine: &str, plant: Arc<Made>, register: Arc<dyn Register>) -> f64 {
    let selection = Selection::of([Kind::Cto]).expect("a box kind");
    let builder = PlantSync::builder(plant.clone(), register, Settings::new(NAME, "bench"));
    let sync = builder.open(&Project::create("Rede"), &selection).await.expect("opened");
    println!(
        "\n| {ELEMENTS} elements in {engine} | seconds | rows received | rows written | MiB read | MiB written | grown by at most, MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut last = 0.0;
    for (name, request, changed) in [
        ("first run: everything is new", Request::full(), false),
        ("full compare, nothing changed", Request::full(), false),
        ("incremental, 100 changes", Request::incremental(), true),
        ("incremental, the same 100 once more", Request::incremental(), true),
        ("full compare, nothing changed", Request::full(), true),
    ] {
        plant.changed.store(changed, Ordering::Relaxed);
        plant.sent.store(0, Ordering::Relaxed);
        let (read, wrote) = (figure("io", "rchar:"), figure("io", "wchar:"));
        let (grown, (took, run)) = peak(time(sync.run(request))).await;
        let run = run.expect("a run");
        let written = run.sum(|report| report.added + report.changed + report.restored + report.removed);
        let sent = plant.sent.load(Ordering::Relaxed);
        let (read, wrote) = (figure("io", "rchar:") - read, figure("io", "wchar:") - wrote);
        last = took.as_secs_f64();
        println!(
            "| {name} | {last:.3} | {sent} | {written} | {:.1} | {:.1} | {grown:.1} |",
            mib(read),
            mib(wrote)
        );
    }
    last
}

/// The compare beside its floors, in turns.
async fn floors(engine: &str, plant: &Made, register: &dyn Register, whole_run: f64) {
    let (making, stored) = time(async { digested(plant) }).await;
    let (mut merge, mut ours, mut ours_with_sort) = (Vec::new(), Vec::new(), Vec::new());
    let mut grown_most: f64 = 0.0;
    for _ in 0..ROUNDS {
        let mut read = shuffled(&stored);
        let (took, equal) = time(async { sorted_and_merged(&stored, &mut read) }).await;
        assert_eq!(equal, ELEMENTS as u64);
        merge.push(took.as_secs_f64());
        let (grown, (took, equal)) = peak(time(compared(&stored, register))).await;
        assert_eq!(equal, ELEMENTS as u64);
        ours.push(took.as_secs_f64());
        grown_most = grown_most.max(grown);
        let mut read = shuffled(&stored);
        let sorting = async {
            read.sort_unstable_by_key(|(fid, _)| *fid);
            compared(&read, register).await
        };
        ours_with_sort.push(time(sorting).await.0.as_secs_f64());
    }
    let ratio = |ours: &[f64]| median(ours.iter().zip(&merge).map(|(ours, floor)| ours / floor).collect());
    let (alone, sorted) = (ratio(&ours), ratio(&ours_with_sort));
    let (floor, making) = (median(merge.clone()), making.as_secs_f64());
    println!(
        "\n| compare of {ELEMENTS} in {engine}, medians of {ROUNDS} rounds | seconds | times the floor |"
    );
    println!("|---|---|---|");
    println!("| floor: both sides' keys in memory, one of them sorted, merged | {floor:.3} | 1.00 |");
    println!("| the snapshot's keys, ascending, against the register | {:.3} | {alone:.2} |", median(ours));
    println!(
        "| the same with the snapshot's keys sorted first | {:.3} | {sorted:.2} |",
        median(ours_with_sort)
    );
    println!("| floor of a whole run: elements made and digested | {making:.3} | {:.2} |", making / floor);
    println!("| whole run, nothing changed | {whole_run:.3} | {:.2} |", whole_run / floor);
    println!(
        "whole run: {:.2} times its floor with the compare; compare grew by at most {grown_most:.1} MiB",
        whole_run / (making + floor)
    );
}

async fn measure(engine: &str, register: Arc<dyn Register>) {
    let plant = Arc::new(Made::default());
    let whole_run = runs(engine, plant.clone(), register.clone()).await;
    floors(engine, &plant, &*register, whole_run).await;
}

async fn measure_all() {
    let folder = std::env::temp_dir().join(format!("geosite-sync-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    let url = format!("sqlite:{}/register.db", folder.display());
    measure("SQLite", Arc::new(SqliteRegister::open(&url).await.expect("opened"))).await;
    let _ = std::fs::remove_dir_all(&folder);
    match std::env::var("INTEGRATION_TEST_POSTGRES_URL") {
        Ok(url) => measure("PostgreSQL", Arc::new(PostgresRegister::open(&url).await.expect("opened"))).await,
        Err(_) => println!("(PostgreSQL: INTEGRATION_TEST_POSTGRES_URL is not set)"),
    }
    println!("load of the machine: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
}

fn main() {
    if is_asked_for() {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(measure_all());
    }
}
