//! A JSON list decoded as it arrives, beside `serde_json::from_slice` of the same bytes into a `Vec`:
//! `cargo bench -p integration-benches --bench elements`.
//!
//! Times are medians of rounds taken in turns; the vector's freeing counts, since every element of the stream is freed too. The peak is
//! what the process grew by (its high-water mark, so `/proc` is needed) while a list was decoded whose bytes nobody held.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods
)]

use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use integration_benches::{is_asked_for, median, time};
use integration_core::Error;
use integration_core::body::stream::Elements;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const PIECE: usize = 64 * 1024;
const ROUNDS: usize = 9;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Terminal {
    fid: u64,
    codigo: String,
    nome: String,
    latitude: f64,
    longitude: f64,
    data_alteracao: String,
    fid_tipo_caixa_emenda: u32,
    capacidade: u32,
    geometry: String,
}

#[derive(Debug, Deserialize)]
struct List<T> {
    records: Vec<T>,
}

fn row(number: usize, out: &mut String) {
    let (latitude, longitude) = (number % 9000, number % 7000);
    write!(
        out,
        r#"{{"fid":{fid},"codigo":"CTO-{number:06}","nome":"CTO da praça {number}","latitude":-22.{latitude:04},"longitude":-47.{longitude:04},"dataAlteracao":"2026-11-20 04:00:{second:02}","fidTipoCaixaEmenda":2,"capacidade":16,"geometry":"POINT (-47.{longitude:04} -22.{latitude:04})"}}"#,
        fid = 1_000_000 + number,
        second = number % 60,
    )
    .unwrap();
}

/// The list, made piece by piece.
struct Made {
    next: usize,
    count: usize,
    text: String,
    ready: BytesMut,
}

impl Made {
    fn new(count: usize) -> Self {
        Self { next: 0, count, text: String::new(), ready: BytesMut::new() }
    }

    fn piece(&mut self) -> Option<Bytes> {
        self.text.clear();
        if self.next == 0 {
            write!(self.text, r#"{{"total":{},"records":["#, self.count).unwrap();
        }
        while self.next < self.count && self.ready.len() + self.text.len() < PIECE {
            if self.next > 0 {
                self.text.push(',');
            }
            row(self.next, &mut self.text);
            self.next += 1;
            if self.next == self.count {
                self.text.push_str("]}");
            }
        }
        self.ready.extend_from_slice(self.text.as_bytes());
        let length = self.ready.len().min(PIECE);
        (length > 0).then(|| self.ready.split_to(length).freeze())
    }
}

impl Stream for Made {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.piece().map(Ok))
    }
}

/// Bytes that are there, in pieces as a connection brings them.
struct Held(Bytes);

impl Stream for Held {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let length = self.0.len().min(PIECE);
        Poll::Ready((length > 0).then(|| Ok(self.0.split_to(length))))
    }
}

async fn count<T: DeserializeOwned>(source: impl Stream<Item = Result<Bytes, Error>> + Unpin) -> usize {
    let mut elements = Elements::<T, _>::new(source, "records").keep_beside(4096);
    let mut count = 0;
    while let Some(element) = elements.next().await {
        element.unwrap();
        count += 1;
    }
    assert_eq!(elements.beside().scalar("total").integer(), i64::try_from(count).ok());
    count
}

fn high_water_kib() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

fn main() {
    if !is_asked_for() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    println!("| elements | peak growth, KiB |\n|---|---|");
    runtime.block_on(count::<Terminal>(Made::new(2_000)));
    for elements in [10_000, 100_000, 1_000_000] {
        let before = high_water_kib();
        assert_eq!(runtime.block_on(count::<Terminal>(Made::new(elements))), elements);
        let grown = before.zip(high_water_kib()).map(|(before, after)| after - before);
        println!("| {elements} | {} |", grown.map_or("unknown".into(), |kib| kib.to_string()));
    }
    println!("\n| elements | ns per element | from_slice, ns | ratio of times |\n|---|---|---|---|");
    for elements in [10_000, 100_000, 1_000_000] {
        let mut made = Made::new(elements);
        let text: Bytes = std::iter::from_fn(|| made.piece()).flatten().collect();
        runtime.block_on(Box::pin(figure::<Terminal>("typed", &text, elements)));
        if elements < 1_000_000 {
            runtime.block_on(Box::pin(figure::<Value>("values", &text, elements)));
        }
    }
}

async fn figure<T: DeserializeOwned>(name: &str, text: &Bytes, elements: usize) {
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let whole = async { serde_json::from_slice::<List<T>>(text).unwrap().records.len() };
        floor.push(per(time(whole).await.0, elements));
        ours.push(per(time(count::<T>(Held(text.clone()))).await.0, elements));
    }
    let ratio = median(ours.iter().zip(&floor).map(|(ours, floor)| ours / floor).collect());
    println!("| {elements} {name} | {:.0} | {:.0} | {ratio:.2} |", median(ours), median(floor));
}

fn per(took: Duration, elements: usize) -> f64 {
    took.as_secs_f64() * 1e9 / elements as f64
}
