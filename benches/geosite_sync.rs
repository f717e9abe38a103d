//! The synchronisation of a million elements: a full compare beside its floor (one walk through both sides that only compares
//! digests), an incremental run with 100 changes, and the most memory that either needed beyond the plant and the register.
//!
//! `cargo bench -p integration-benches --bench geosite_sync`. The plant is made up row by row and holds nothing; the register is a
//! file, so that what the process holds is the engine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use geosite::Feature;
use geosite::sync::{
    Element, From, Kind, Lookup, Piece, Plant, PlantError, PlantSync, Project, Register, Request, Rows,
    Selection, Settings, Shelf, SqliteRegister,
};
use integration_benches::{is_asked_for, time};
use integration_core::BoxFuture;
use jiff::{SignedDuration, Timestamp};

const ELEMENTS: i64 = 1_000_000;
const CHANGES: i64 = 100;
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

/// The process's peak in KiB since it was reset, and what it holds now.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
}

/// Runs something and tells how much the process grew at most, in MiB.
async fn peak<T>(work: impl Future<Output = T>) -> (f64, T) {
    // Forgets the peak so far; where that is not allowed, the figure is an upper bound.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS:");
    let done = work.await;
    let grown = memory("VmHWM:").saturating_sub(before);
    (f64::from(u32::try_from(grown).unwrap_or(u32::MAX)) / 1024.0, done)
}

/// What cannot be left out: each row made and its digest taken, each stored digest read, one comparison each.
async fn floor(plant: &Made, register: &dyn Register) -> u64 {
    let (mut after, mut equal) = (None, 0);
    loop {
        let known = register.known(NAME, Shelf::Box, after, 2_000).await.expect("readable");
        let Some(last) = known.last() else { return equal };
        after = Some(last.fid);
        equal +=
            known.iter().filter(|known| plant.element(known.fid).digest() == known.digest).count() as u64;
    }
}

async fn measure() {
    let folder = std::env::temp_dir().join(format!("geosite-sync-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    let url = format!("sqlite:{}/register.db", folder.display());
    let register = Arc::new(SqliteRegister::open(&url).await.expect("opened"));
    let plant = Arc::new(Made::default());
    let selection = Selection::of([Kind::Cto]).expect("a box kind");
    let builder = PlantSync::builder(plant.clone(), register.clone(), Settings::new(NAME, "bench"));
    let sync = builder.open(&Project::create("Rede"), &selection).await.expect("opened");

    println!(
        "| {ELEMENTS} elements in SQLite | seconds | rows received | rows written | grown by at most, MiB |"
    );
    println!("|---|---|---|---|---|");
    for (name, request, changed) in [
        ("first run: everything is new", Request::full(), false),
        ("full compare, nothing changed", Request::full(), false),
        ("incremental, 100 changes", Request::incremental(), true),
        ("full compare, nothing changed", Request::full(), true),
    ] {
        plant.changed.store(changed, Ordering::Relaxed);
        plant.sent.store(0, Ordering::Relaxed);
        let (grown, (took, run)) = peak(time(sync.run(request))).await;
        let run = run.expect("a run");
        let written = run.sum(|report| report.added + report.changed + report.restored + report.removed);
        let sent = plant.sent.load(Ordering::Relaxed);
        println!("| {name} | {:.2} | {sent} | {written} | {grown:.1} |", took.as_secs_f64());
    }
    let (took, equal) = time(floor(&plant, &*register)).await;
    println!(
        "| floor of a compare: {equal} digests made, read and compared | {:.2} | | | |",
        took.as_secs_f64()
    );
    let _ = std::fs::remove_dir_all(&folder);
}

fn main() {
    if is_asked_for() {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(measure());
    }
}
