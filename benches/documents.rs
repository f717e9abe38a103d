//! Large documents to and from the signature service, beside the bare transport that moves as many bytes, and beside what one writes
//! at first: `cargo bench -p integration-benches --bench documents`.
//!
//! The peer is a thread of its own on a bare socket, which throws away what it reads and sends what it has ready.
//!
//! | way | ours | bare transport | naive |
//! |---|---|---|---|
//! | up | a document is read, hashed, encoded in base64 and sent | bare reqwest, a streamed body of as many ready bytes | all of it read, encoded to a `String`, written to JSON, sent by bare reqwest |
//! | down | a document is read, checked, hashed and written to a sink | bare reqwest that reads as many bytes and drops them | all of it read by bare reqwest, then written to a sink |
//! | down in base64 | as it arrives: the field is found, decoded, hashed and written to a sink | as down, of as many encoded bytes | all of it read, `serde_json` into a struct with a `String`, decoded, written to a sink |
//!
//! Ours tells the SHA-256 of the document, which the naive way does not. So there is one more floor: the same bare transport while
//! another thread hashes as many bytes from memory. Each block of SHA-256 waits for the one before, so no number of processors makes
//! the digest faster, and no call that tells it can take less. Below the table stand what the digest alone takes, and the most heap that
//! a call held beyond what the program held before.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use integration_benches::{is_asked_for, median, time};
use integration_core::body::base64::FieldToWriter;
use integration_core::call::{BaseUrl, Call, Caller, Intake, Operation, Verdict};
use legale::{Client, Credential, DocumentId, Environment, Source, Upload};
use peak_alloc::PeakAlloc;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const ROUNDS: usize = 5;
const PIECE: usize = 64 * 1024;
static PIECES: [u8; PIECE] = [b'x'; PIECE];
/// Base64 of as many `x`.
static ENCODED: [u8; PIECE] = encoded_piece();
const DETAIL: Operation = Operation::get("read a document", "/detail");
const BEFORE: &str = r#"{"data":{"GUID":"g","base64":""#;
const AFTER: &str = r#""},"code":null,"message":""}"#;
const CREATED: &str = r#"{"data":{"GUID":"g","document":"/media/x.pdf"},"code":null,"message":""}"#;

fn main() {
    if !is_asked_for() {
        return;
    }
    // Bare reqwest asks for one even where it speaks plain HTTP.
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!(
        "| documents | ms | bare transport, ms | ratio | bare transport and digest, ms | ratio | naive, ms | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut notes = Vec::new();
    for mib in [10, 300] {
        notes.push(runtime.block_on(Box::pin(figures(mib * 1024 * 1024))));
    }
    println!("\n{}", notes.join("\n"));
}

const fn encoded_piece() -> [u8; PIECE] {
    let mut piece = [0; PIECE];
    let mut at = 0;
    while at < PIECE {
        piece[at] = b"eHh4"[at % 4];
        at += 1;
    }
    piece
}

/// Milliseconds of each round: ours, of the bare transport, of that with the digest beside it, of the naive way.
#[derive(Default)]
struct Way([Vec<f64>; 4]);

impl Way {
    fn note(&mut self, took: [Duration; 4]) {
        for (figures, took) in self.0.iter_mut().zip(took) {
            figures.push(took.as_secs_f64() * 1000.0);
        }
    }

    /// Medians, and the medians of the rounds' own ratios.
    fn line(&self, name: &str) -> String {
        let Self([ours, bare, hashed, naive]) = self;
        let beside = |floor: &[f64]| {
            let ratio = median(ours.iter().zip(floor).map(|(ours, floor)| ours / floor).collect());
            format!("{:.1} | {ratio:.2}", median(floor.to_vec()))
        };
        let ours = median(ours.clone());
        format!("| {name} | {ours:.1} | {} | {} | {} |", beside(bare), beside(hashed), beside(naive))
    }
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    time(Box::pin(work)).await.0
}

/// Prints the table's lines of a size; gives what is to stand below the table.
async fn figures(size: u64) -> String {
    let base = serve(size);
    let (client, caller) = (client(&base), Caller::builder(BaseUrl::parse(&base).unwrap()).build().unwrap());
    let bare = reqwest::Client::builder().no_proxy().http1_only().build().unwrap();
    let (mut up, mut down, mut inline, mut digests) =
        (Way::default(), Way::default(), Way::default(), Vec::new());
    for _ in 0..ROUNDS {
        up.note([
            timed(create(&client, size)).await,
            timed(send_raw(&bare, &base, encoded(size))).await,
            timed(beside(size, send_raw(&bare, &base, encoded(size)))).await,
            timed(send_naive(&bare, &base, size)).await,
        ]);
        down.note([
            timed(fetch(&client, size)).await,
            timed(fetch_raw(&bare, &base, "media/x.pdf", size)).await,
            timed(beside(size, fetch_raw(&bare, &base, "media/x.pdf", size))).await,
            timed(fetch_naive(&bare, &base, size)).await,
        ]);
        let whole = encoded(size) + (BEFORE.len() + AFTER.len()) as u64;
        inline.note([
            timed(decode(&caller, size)).await,
            timed(fetch_raw(&bare, &base, "detail", whole)).await,
            timed(beside(size, fetch_raw(&bare, &base, "detail", whole))).await,
            timed(decode_naive(&bare, &base, size)).await,
        ]);
        digests.push(timed(async { digest(size) }).await.as_secs_f64() * 1000.0);
    }
    let mib = size / 1024 / 1024;
    println!("{}", up.line(&format!("up, {mib} MiB")));
    println!("{}", down.line(&format!("down, {mib} MiB")));
    println!("{}", inline.line(&format!("down in base64, {mib} MiB")));
    let whole = encoded(size) + (BEFORE.len() + AFTER.len()) as u64;
    let heaps = [
        ("up", heap(create(&client, size)).await, heap(send_raw(&bare, &base, encoded(size))).await),
        ("down", heap(fetch(&client, size)).await, heap(fetch_raw(&bare, &base, "media/x.pdf", size)).await),
        (
            "down in base64",
            heap(decode(&caller, size)).await,
            heap(fetch_raw(&bare, &base, "detail", whole)).await,
        ),
    ];
    let heaps = heaps.map(|(way, ours, bare)| format!("{way} {ours} KiB, bare transport {bare} KiB"));
    let naive = [
        heap(send_naive(&bare, &base, size)).await,
        heap(fetch_naive(&bare, &base, size)).await,
        heap(decode_naive(&bare, &base, size)).await,
    ];
    let naive = naive.map(|kib| format!("{} MiB", kib / 1024)).join(", ");
    let (digest, heaps) = (median(digests), heaps.join("; "));
    format!("{mib} MiB: SHA-256 alone {digest:.1} ms; most heap held {heaps}; the naive ways {naive}")
}

/// The work, while another thread hashes as many bytes; over when both are.
async fn beside(size: u64, work: impl Future<Output = ()>) {
    let hashing = tokio::task::spawn_blocking(move || digest(size));
    work.await;
    hashing.await.unwrap();
}

/// How much more was held on the heap at the highest point of the work than before it, in KiB.
async fn heap(work: impl Future<Output = ()>) -> usize {
    let work = Box::pin(work);
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    work.await;
    HEAP.peak_usage().saturating_sub(before) / 1024
}

fn encoded(size: u64) -> u64 {
    size.div_ceil(3) * 4
}

fn client(base: &str) -> Client {
    Client::builder()
        .environment(Environment::root(base).unwrap())
        .credential(Credential::api_key("key"))
        .document_limit(1 << 30)
        .build()
        .unwrap()
}

async fn create(client: &Client, size: u64) {
    let open = move || async move {
        let head: &[u8] = b"%PDF-";
        Ok(tokio::io::AsyncReadExt::chain(head, tokio::io::repeat(b'x')).take(size))
    };
    client.create(&Upload::new("Contrato_X_2025.pdf", "Contrato", Source::opener(size, open))).await.unwrap();
}

async fn send_raw(client: &reqwest::Client, base: &str, length: u64) {
    let request = client.post(format!("{base}/raw")).body(reqwest::Body::wrap(Pieces(length)));
    request.send().await.unwrap().bytes().await.unwrap();
}

/// What one writes at first: no piece of it is wrong, and all of it is in memory three times.
async fn send_naive(client: &reqwest::Client, base: &str, size: u64) {
    #[derive(Serialize)]
    struct Body {
        name: String,
        base64: String,
    }
    let mut document = Vec::new();
    tokio::io::repeat(b'x').take(size).read_to_end(&mut document).await.unwrap();
    let body = Body { name: "Contrato".into(), base64: STANDARD.encode(&document) };
    let request = client.post(format!("{base}/raw")).body(serde_json::to_string(&body).unwrap());
    request.send().await.unwrap().bytes().await.unwrap();
}

/// Ready bytes of a length.
struct Pieces(u64);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let count = self.0.min(PIECE as u64);
        self.0 -= count;
        let piece = PIECES.get(..count as usize).filter(|piece| !piece.is_empty());
        Poll::Ready(piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0 == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

async fn fetch(client: &Client, size: u64) {
    let guid: DocumentId = "g".parse().unwrap();
    let fetched = client.download(&guid).to_writer(&mut tokio::io::sink()).await.unwrap();
    assert_eq!(fetched.length, size);
}

async fn fetch_naive(client: &reqwest::Client, base: &str, size: u64) {
    let whole = client.get(format!("{base}/media/x.pdf")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(whole.len() as u64, size);
    tokio::io::sink().write_all(&whole).await.unwrap();
}

/// A document in a field of the answer.
async fn decode(caller: &Caller, size: u64) {
    let opened = caller.open(&Call::new(DETAIL), u64::MAX, Verdict::<()>::success).await.unwrap();
    let (_, head, body) = opened.into_parts();
    let mut sink = tokio::io::sink();
    let mut intake = Intake::new(&mut sink, 1 << 30);
    let taken = FieldToWriter::new("base64").below("data").take(&head, body, &mut intake).await.unwrap();
    assert!(taken.is_found);
    assert_eq!(intake.length(), size.div_ceil(3) * 3);
    intake.finish().await.unwrap();
}

async fn decode_naive(client: &reqwest::Client, base: &str, size: u64) {
    #[derive(Deserialize)]
    struct Enveloped {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        base64: String,
    }
    let whole = client.get(format!("{base}/detail")).send().await.unwrap().bytes().await.unwrap();
    let read: Enveloped = serde_json::from_slice(&whole).unwrap();
    let document = STANDARD.decode(read.data.base64).unwrap();
    assert_eq!(document.len() as u64, size.div_ceil(3) * 3);
    tokio::io::sink().write_all(&document).await.unwrap();
}

async fn fetch_raw(client: &reqwest::Client, base: &str, path: &str, size: u64) {
    let mut answer = client.get(format!("{base}/{path}")).send().await.unwrap();
    let mut length = 0;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        length += chunk.len() as u64;
    }
    assert_eq!(length, size);
}

fn digest(size: u64) {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    for _ in 0..size / PIECE as u64 {
        hash.update(&PIECES);
    }
    std::hint::black_box(hash.finish());
}

/// The peer; lives as long as the program.
fn serve(size: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || while answer(&stream, size).is_some() {});
        }
    });
    base
}

fn answer(mut stream: &TcpStream, size: u64) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    drain(stream, length.unwrap_or(0))?;
    match head.split(' ').nth(1)? {
        path if path.starts_with("/media/") => file(stream, size),
        "/detail" => detail(stream, size),
        _ => json(stream),
    }
}

fn drain(mut stream: &TcpStream, mut left: u64) -> Option<()> {
    // Not on the heap, which is measured.
    let mut piece = [0; PIECE];
    while left > 0 {
        let room = left.min(PIECE as u64) as usize;
        left -= match stream.read(&mut piece[..room]).ok()? {
            0 => return None,
            count => count as u64,
        };
    }
    Some(())
}

fn json(mut stream: &TcpStream) -> Option<()> {
    let length = CREATED.len();
    // In one write: in several, the peer's system would wait for ours.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    stream.write_all(format!("{head}{length}\r\n\r\n{CREATED}").as_bytes()).ok()
}

fn file(stream: &TcpStream, size: u64) -> Option<()> {
    reply(stream, "application/pdf", "%PDF-", (&PIECES, size - 5), "")
}

fn detail(stream: &TcpStream, size: u64) -> Option<()> {
    reply(stream, "application/json", BEFORE, (&ENCODED, encoded(size)), AFTER)
}

/// Something, so many bytes of ready pieces, and something.
fn reply(
    mut stream: &TcpStream,
    kind: &str,
    before: &str,
    (piece, count): (&[u8], u64),
    after: &str,
) -> Option<()> {
    let length = count + (before.len() + after.len()) as u64;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{before}");
    stream.write_all(head.as_bytes()).ok()?;
    let mut left = count;
    while left > 0 {
        let count = left.min(piece.len() as u64);
        stream.write_all(&piece[..count as usize]).ok()?;
        left -= count;
    }
    stream.write_all(after.as_bytes()).ok()
}
