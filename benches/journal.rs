//! The journal beside the bare database: `cargo bench -p integration-benches --bench journal`.
//!
//! One call is one document, issued through the journal against a transport that answers at once, so that what is measured is the
//! journal and its two durable commits. The floor is one INSERT and one UPDATE of the same payload on the bare database, each its
//! own commit. "Without a store" is the same call without the journal: what serialising, checking and judging cost.
//! PostgreSQL is measured if `INTEGRATION_TEST_POSTGRES_URL` is set (`.ci/with-postgres cargo bench …`).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod floor;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use fiscal_printer::journal::Journal;
use fiscal_printer::{BoxFuture, Buyer, Client, Document, Environment, Line, Transport};
use floor::Payload;
use integration_benches::{Rounds, is_asked_for, median, time};
use integration_core::call::{Body, BodyStream, TransportError};
use integration_store::Store;

const ROUNDS: usize = 21;
const CALLS: usize = 100;
const SERIES: usize = 16;
/// What the journal stores of such a document: request and record.
const PAYLOAD: Payload = Payload { body: &[b'x'; 1_100], data: &[b'd'; 350] };

static NUMBER: AtomicU32 = AtomicU32::new(1);

fn main() {
    if !is_asked_for() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("journal-figures");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("| documents through the journal | issued/s | floor, calls/s | ratio |\n|---|---|---|---|");
        Box::pin(sqlite(&folder)).await;
        Box::pin(postgres()).await;
        without_store().await;
    });
    let _ = std::fs::remove_dir_all(&folder);
}

/// Answers every document at once with a control number.
#[derive(Debug)]
struct Instant;

impl Transport for Instant {
    fn send(
        &self,
        _: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>> {
        let answer = r#"{"success":true,"data":{"numerodocumento":"00-00000001","mensaje":"ok"}}"#;
        let body: BodyStream = Box::pin(Once(Some(Bytes::from_static(answer.as_bytes()))));
        Box::pin(std::future::ready(Ok(http::Response::new(body))))
    }
}

struct Once(Option<Bytes>);

impl futures_core::Stream for Once {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Ok))
    }
}

fn rif(series: usize) -> String {
    format!("V-{:08}-0", 10_000_000 + series)
}

fn client(series: usize) -> Client {
    let environment = Environment::custom("http://127.0.0.1:1").unwrap();
    Client::builder()
        .environment(environment)
        .transport(Instant)
        .token("token")
        .rif(rif(series))
        .build()
        .unwrap()
}

fn document(series: usize) -> Document {
    let buyer = Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567");
    let line = Line::new("A2", "Dos", "20.00", 1);
    Document::invoice(rif(series), NUMBER.fetch_add(1, Ordering::Relaxed))
        .buyer(buyer)
        .line(line)
        .build()
        .unwrap()
}

async fn issue(journal: Journal, series: usize, count: usize) {
    for _ in 0..count {
        journal.issue(&document(series)).await.unwrap();
    }
}

async fn issue_in_all(journals: &[Journal], each: usize) {
    let start = |(series, journal): (usize, &Journal)| tokio::spawn(issue(journal.clone(), series, each));
    let tasks: Vec<_> = journals.iter().enumerate().map(start).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn journals(store: &Store) -> Vec<Journal> {
    (0..SERIES).map(|series| Journal::builder(client(series), store).build().unwrap()).collect()
}

async fn sqlite(folder: &Path) {
    let mut bare = floor::sqlite(folder).await;
    let store = Store::open(&format!("sqlite:{}", folder.join("journal.db").display())).await.unwrap();
    let journals = journals(&store);
    let (mut one, mut many) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let floor = time(floor::sqlite_calls(&mut bare, PAYLOAD, CALLS)).await.0;
        one.note(CALLS, floor, time(issue(journals[0].clone(), 0, CALLS)).await.0);
        let floor = time(floor::sqlite_calls(&mut bare, PAYLOAD, CALLS)).await.0;
        many.note(
            CALLS,
            floor,
            time(issue_in_all(&journals, CALLS / SERIES)).await.0.mul_f64(floor::rest(CALLS, SERIES)),
        );
    }
    println!("{}", one.line("SQLite, 1 series"));
    println!("{}", many.line("SQLite, 16 series at once"));
}

async fn postgres() {
    let Some((url, mut bare)) = floor::postgres("journal_figures").await else { return };
    let store = Store::open(&url).await.unwrap();
    let journals = journals(&store);
    let mut one = Rounds::default();
    for _ in 0..ROUNDS {
        let floor = time(floor::postgres_calls(&mut bare, PAYLOAD, CALLS)).await.0;
        one.note(CALLS, floor, time(issue(journals[0].clone(), 0, CALLS)).await.0);
    }
    println!("{}", one.line("PostgreSQL, 1 series"));
}

/// The journal's own work is in the figures above; this is what it stands on.
async fn without_store() {
    let client = client(0);
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let calls = async {
            for _ in 0..CALLS {
                client.issue(&document(0)).await.unwrap();
            }
        };
        rates.push(CALLS as f64 / time(calls).await.0.as_secs_f64());
    }
    println!("\nwithout a store: {:.0} documents/s", median(rates));
}
