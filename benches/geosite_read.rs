//! A whole network read over HTTP: the client in this process, the simulator that serves a generated network in another one. Beside
//! it bare reqwest asking for the same pages, which either throws the bytes away or decodes each page with `serde_json::from_slice`
//! into a `Vec`: `cargo bench -p integration-benches --bench geosite_read`, with `-- sync` the synchronisation
//! alone.
//!
//! Two figures of memory, both beyond what the process held before the first page: the most bytes that were allocated at a time, and
//! the growth of the process itself (resident, so with the allocator's own and the code's pages; where the system tells). Of time, the
//! processor's in this process (where the system tells) and the clock's, in which the simulator has its part.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use geosite::sync::{
    From, Kind, Piece, Plant as _, PlantSync, Project, Request, Selection, Settings, SqliteRegister,
};
use geosite::{Assumptions, Client, Environment, Feature, Read};
use integration_benches::{is_asked_for, time};
use integration_sandbox::Sandbox;
use integration_sandbox::geosite::Network;
use peak_alloc::PeakAlloc;
use serde::Deserialize;
use serde_json::{Map, Value};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The argument by which this program serves instead.
const SERVE: &str = "--serve";

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Changed before an incremental run.
const CHANGES: usize = 100;
const PAGE: u32 = 500;
const PAGES: [u32; 2] = [8_192, 1_000_000];

/// The simulator in a process of its own; it ends with its input.
struct Served {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    base: String,
    username: String,
    password: String,
}

impl Served {
    fn start(elements: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([SERVE, &elements.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || output.next().unwrap().unwrap();
        let (base, username, password) = (line(), line(), line());
        let input = child.stdin.take();
        Self { child, input, output, base, username, password }
    }

    /// Changes a hundred elements, and tells how many requests there were so far.
    fn change(&mut self) -> u64 {
        self.input.as_mut().unwrap().write_all(b"change\n").unwrap();
        self.output.next().unwrap().unwrap().parse().unwrap()
    }

    fn client(&self, page_size: u32) -> Client {
        let mut assumptions = Assumptions::default();
        assumptions.page_size = page_size;
        assumptions.change_column = Some("dataAlteracao".to_owned());
        let builder = Client::builder().environment(Environment::at(&self.base).unwrap());
        let builder = builder.credentials(self.username.as_str(), self.password.clone());
        builder.assumptions(assumptions).build().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

fn serve(elements: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::start().await.unwrap();
        let geosite = sandbox.geosite();
        geosite.generate(Network::new(elements));
        let lines = format!("{}\n{}\n{}\n", geosite.base_url(), geosite.username(), geosite.password());
        std::io::stdout().write_all(lines.as_bytes()).unwrap();
        // A line asks for changes, and is told how many requests there were before; the end of the input ends it.
        while tokio::task::spawn_blocking(asked).await.unwrap() {
            let requests = geosite.requests().len();
            let changed = geosite
                .churn(integration_sandbox::geosite::Feature::Cliente, requests as u64, 0, CHANGES, 0)
                .edited
                .len();
            assert_eq!(changed, CHANGES);
            std::io::stdout().write_all(format!("{requests}\n").as_bytes()).unwrap();
        }
    });
}

fn asked() -> bool {
    std::io::stdin().read_line(&mut String::new()).unwrap() > 0
}

/// What one way of reading took.
#[derive(Default)]
struct Took {
    rows: u64,
    bytes: u64,
    clock: Duration,
    processor: Option<Duration>,
    heap: u64,
    resident: Option<u64>,
}

fn status_kib(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Of the thread that reads; SQLite's own work in another one.
fn processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

async fn measured(work: impl Future<Output = (u64, u64)>) -> Took {
    // Forgets the peak so far; where that is not allowed, the figure is an upper bound.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    // Connections of the way before are closed by now, and what they held is given back.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let (resident, began) = (status_kib("VmRSS:"), processor());
    let heap = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let (clock, (rows, bytes)) = time(work).await;
    let heap = HEAP.peak_usage().saturating_sub(heap) as u64 / 1024;
    let spent = began.zip(processor()).map(|(began, ended)| ended.saturating_sub(began));
    let grown = resident.zip(status_kib("VmHWM:")).map(|(before, most)| most.saturating_sub(before));
    Took { rows, bytes, clock, processor: spent, heap, resident: grown }
}

/// The rows of every feature, one feature after the other.
async fn by_client(client: &Client) -> (u64, u64) {
    let mut rows = 0;
    for feature in Feature::ALL {
        let mut reading = client.read_all(feature).all_columns();
        while let Some(read) = reading.next().await {
            rows += u64::from(matches!(read.unwrap(), Read::Row(_)));
        }
        assert!(reading.summary().unwrap().complete, "{feature} was not read whole");
    }
    (rows, 0)
}

/// The same, several features at a time.
async fn by_client_at_once(client: &Client, at_once: usize) -> (u64, u64) {
    let mut reading = client.read_many(Feature::ALL, at_once);
    let mut rows = 0;
    while let Some((_, read)) = reading.next().await {
        rows += u64::from(matches!(read.unwrap(), Read::Row(_)));
    }
    assert!(reading.summaries().iter().all(|(_, summary)| summary.complete));
    (rows, 0)
}

/// The same as a synchronisation reads it.
async fn by_plant(client: &Client) -> (u64, u64) {
    let mut rows = 0;
    for feature in Feature::ALL {
        let mut list = client.whole(feature, From::default());
        while let Some(piece) = std::future::poll_fn(|context| list.as_mut().poll_next(context)).await {
            match piece.unwrap() {
                Piece::Row(_) => rows += 1,
                Piece::End { complete } => assert!(complete, "{feature} was not read whole"),
                _ => {}
            }
        }
    }
    (rows, 0)
}

/// The addresses of all pages, as the client asks for them.
async fn pages(client: &Client, base: &str) -> Vec<String> {
    let mut all = Vec::new();
    for feature in Feature::ALL {
        let schema = client.schema(feature).await.unwrap();
        let columns: Vec<&str> = schema.columns().iter().map(|column| column.name.as_str()).collect();
        let first = format!("{base}/{feature}/list?columns={}&sorter=fid", columns.join(","));
        let size = client.assumptions().page_size;
        all.push(format!("{first}&limit={size}"));
        let mut reading = client.read_all(feature).all_columns();
        while let Some(read) = reading.next().await {
            if let Read::Page(at) = read.unwrap()
                && at.total > Some(at.collected)
            {
                all.push(format!("{first}&limit={size}&filter=fid%20%3E%20{}", at.last.unwrap()));
            }
        }
    }
    all
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

async fn log_in(bare: &reqwest::Client, served: &Served) -> String {
    let Served { base, username, password, .. } = served;
    let body = format!(r#"{{"username":"{username}","password":"{password}"}}"#);
    let login = bare.post(format!("{base}/auth/generatetoken")).header("Content-Type", "application/json");
    let answer = login.body(body).send().await.unwrap().bytes().await.unwrap();
    format!("Digicade-Rest-API:{}", serde_json::from_slice::<Token>(&answer).unwrap().token)
}

/// Bare reqwest: the bytes come and go.
async fn thrown_away(bare: &reqwest::Client, token: &str, pages: &[String]) -> (u64, u64) {
    let mut bytes = 0;
    for page in pages {
        let mut answer = bare.get(page).header("Authorization", token).send().await.unwrap();
        assert!(answer.status().is_success());
        while let Some(piece) = answer.chunk().await.unwrap() {
            bytes += piece.len() as u64;
        }
    }
    (0, bytes)
}

#[derive(Deserialize)]
struct List {
    records: Vec<Map<String, Value>>,
}

/// Bare reqwest, and each page decoded from memory.
async fn collected(bare: &reqwest::Client, token: &str, pages: &[String]) -> (u64, u64) {
    let (mut rows, mut bytes) = (0, 0);
    for page in pages {
        let answer = bare.get(page).header("Authorization", token).send().await.unwrap();
        let text = answer.bytes().await.unwrap();
        bytes += text.len() as u64;
        rows += serde_json::from_slice::<List>(&text).unwrap().records.len() as u64;
    }
    (rows, bytes)
}

fn line(elements: usize, page: u32, way: &str, took: &Took, floor: Option<&Took>) {
    let kib = |kib: Option<u64>| kib.map_or("unknown".to_owned(), |kib| kib.to_string());
    let seconds = took.processor.map_or("unknown".to_owned(), |took| format!("{:.2}", took.as_secs_f64()));
    let ratio = floor.and_then(|floor| Some(took.processor?.as_secs_f64() / floor.processor?.as_secs_f64()));
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let mib = if took.bytes > 0 { format!("{:.0}", took.bytes as f64 / 1_048_576.0) } else { String::new() };
    println!(
        "| {elements} | {page} | {way} | {} | {mib} | {:.2} | {seconds} | {ratio} | {} | {} |",
        took.rows,
        took.clock.as_secs_f64(),
        took.heap,
        kib(took.resident)
    );
}

async fn figures(served: &Served, elements: usize, page: u32) {
    // Ours first: what the others leave behind in the process would hide its growth.
    let ours = measured(by_client(&served.client(page))).await;
    let at_once = measured(by_client_at_once(&served.client(page), 4)).await;
    let synced = measured(by_plant(&served.client(page))).await;
    let bare = reqwest::Client::builder().no_proxy().build().unwrap();
    let (token, pages) = (log_in(&bare, served).await, pages(&served.client(page), &served.base).await);
    let floor = measured(thrown_away(&bare, &token, &pages)).await;
    let vector = measured(collected(&bare, &token, &pages)).await;
    assert_eq!((ours.rows, synced.rows), (vector.rows, vector.rows));
    line(elements, page, "reqwest, thrown away", &floor, Some(&vector));
    line(elements, page, "reqwest, `from_slice` into a `Vec`", &vector, Some(&vector));
    line(elements, page, "`read_all`", &ours, Some(&vector));
    line(elements, page, "`read_many`, 4 at once", &at_once, Some(&vector));
    line(elements, page, "as a synchronisation reads", &synced, Some(&vector));
}

/// The network brought into a register in a file, compared with it, and brought up to date.
async fn synchronised(served: &mut Served, elements: usize) {
    let folder = std::env::temp_dir().join(format!("geosite-read-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let register = SqliteRegister::open(&format!("sqlite:{}/register.db", folder.display())).await.unwrap();
    let client = served.client(PAGE);
    let settings = Settings::new("norte", "bench").assuming(client.assumptions());
    let builder = PlantSync::builder(Arc::new(client), Arc::new(register), settings);
    let kinds = Kind::ALL.iter().copied().filter(|kind| *kind != Kind::SplitterUnknown);
    let sync = builder.open(&Project::create("Rede"), &Selection::of(kinds).unwrap()).await.unwrap();
    println!(
        "\n| synchronisation over HTTP into SQLite | requests | rows received | rows written | seconds | processor, s | heap peak, KiB | grown, KiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut requests = served.change();
    for (name, request) in [
        ("first run", Request::full()),
        ("full compare, 100 changes", Request::full()),
        ("incremental, 100 changes", Request::incremental()),
    ] {
        let mut written = 0;
        let took = measured(async {
            let run = sync.run(request).await.unwrap();
            written = run.sum(|report| report.added + report.changed + report.restored + report.removed);
            (run.features.iter().map(|feature| feature.read).sum(), 0)
        });
        let took = Box::pin(took).await;
        let before = std::mem::replace(&mut requests, served.change());
        let spent =
            took.processor.map_or("unknown".to_owned(), |spent| format!("{:.2}", spent.as_secs_f64()));
        println!(
            "| {elements}, {name} | {} | {} | {written} | {:.2} | {spent} | {} | {} |",
            requests - before,
            took.rows,
            took.clock.as_secs_f64(),
            took.heap,
            took.resident.map_or("unknown".to_owned(), |kib| kib.to_string())
        );
    }
    drop(sync);
    let _ = std::fs::remove_dir_all(&folder);
}

async fn measure() {
    let sizes = if std::env::args().any(|argument| argument == "sync") { &[] } else { SIZES.as_slice() };
    if !sizes.is_empty() {
        println!(
            "| elements | rows a page | way | rows | MiB | seconds | processor, s | of `from_slice` | heap peak, KiB | grown, KiB |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
    }
    for elements in sizes.iter().copied() {
        let served = Served::start(elements);
        if elements == SIZES[0] {
            // What is loaded once, such as code and the system's certificates, is not what a list costs.
            by_client(&served.client(PAGE)).await;
        }
        Box::pin(figures(&served, elements, PAGE)).await;
        for page in PAGES.into_iter().filter(|_| elements == SIZES[2]) {
            Box::pin(figures(&served, elements, page)).await;
        }
    }
    Box::pin(synchronised(&mut Served::start(SIZES[2]), SIZES[2])).await;
    println!("load of the machine: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == SERVE) {
        serve(arguments[place + 1].parse().unwrap());
    } else if is_asked_for() {
        // Bare reqwest asks for one even where it speaks plain HTTP.
        rustls::crypto::ring::default_provider().install_default().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Box::pin(measure()));
    }
}
