//! Large documents to and from the signature service, beside the bare transport that moves as many bytes:
//! `cargo bench -p integration-benches --bench documents`.
//!
//! The peer is a thread of its own on a bare socket, which throws away what it reads and sends what it has ready. Up: a document is
//! read, hashed, encoded in base64 and sent; the floor is bare reqwest with a streamed body of as many ready bytes. Down: a document
//! is read, checked, hashed and written to a sink; the floor is bare reqwest that reads as many bytes and drops them.
//!
//! The client promises the SHA-256 of the document, so there is a second floor: the same bare transport while another thread hashes as
//! many bytes from memory. Each block of SHA-256 waits for the one before, so no number of processors makes the digest faster, and
//! no call that tells it can take less. Below the table stands what the digest alone takes, and the most memory that a call held beyond
//! what the program held before (resident, so with the allocator's own; where the system tells).
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

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use integration_benches::{is_asked_for, median, time};
use legale::{Client, Credential, DocumentId, Environment, Source, Upload};
use tokio::io::AsyncReadExt as _;

const ROUNDS: usize = 5;
const PIECE: usize = 64 * 1024;
static PIECES: [u8; PIECE] = [b'x'; PIECE];
const CREATED: &str = r#"{"data":{"GUID":"g","document":"/media/x.pdf"},"code":null,"message":""}"#;

fn main() {
    if !is_asked_for() {
        return;
    }
    // Bare reqwest asks for one even where it speaks plain HTTP.
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("| documents | ms | bare transport, ms | ratio | bare transport and digest, ms | ratio |");
    println!("|---|---|---|---|---|---|");
    let mut notes = Vec::new();
    for mib in [10, 300] {
        notes.push(runtime.block_on(Box::pin(figures(mib * 1024 * 1024))));
    }
    println!("\n{}", notes.join("\n"));
}

/// Milliseconds of each round: ours, of the bare transport, of that with the digest beside it.
#[derive(Default)]
struct Way([Vec<f64>; 3]);

impl Way {
    fn note(&mut self, ours: Duration, bare: Duration, hashed: Duration) {
        for (figures, took) in self.0.iter_mut().zip([ours, bare, hashed]) {
            figures.push(took.as_secs_f64() * 1000.0);
        }
    }

    /// Medians, and the medians of the rounds' own ratios.
    fn line(&self, name: &str) -> String {
        let Self([ours, bare, hashed]) = self;
        let ratio =
            |floor: &[f64]| median(ours.iter().zip(floor).map(|(ours, floor)| ours / floor).collect());
        let (by_bare, by_hashed) = (ratio(bare), ratio(hashed));
        let [ours, bare, hashed] = [ours, bare, hashed].map(|figures| median(figures.clone()));
        format!("| {name} | {ours:.1} | {bare:.1} | {by_bare:.2} | {hashed:.1} | {by_hashed:.2} |")
    }
}

/// Prints the table's lines of a size; gives what is to stand below the table.
async fn figures(size: u64) -> String {
    let base = serve(size);
    let client = client(&base);
    let bare = reqwest::Client::builder().no_proxy().http1_only().build().unwrap();
    let (mut up, mut down, mut digests) = (Way::default(), Way::default(), Vec::new());
    for _ in 0..ROUNDS {
        let raw = time(Box::pin(send_raw(&bare, &base, encoded(size)))).await.0;
        let hashed = time(Box::pin(beside(size, send_raw(&bare, &base, encoded(size))))).await.0;
        up.note(time(Box::pin(create(&client, size))).await.0, raw, hashed);
        let raw = time(Box::pin(fetch_raw(&bare, &base, size))).await.0;
        let hashed = time(Box::pin(beside(size, fetch_raw(&bare, &base, size)))).await.0;
        down.note(time(Box::pin(fetch(&client, size))).await.0, raw, hashed);
        digests.push(time(async { digest(size) }).await.0.as_secs_f64() * 1000.0);
    }
    let mib = size / 1024 / 1024;
    println!("{}", up.line(&format!("up, {mib} MiB")));
    println!("{}", down.line(&format!("down, {mib} MiB")));
    let memory = (peak(create(&client, size)).await, peak(fetch(&client, size)).await);
    let told = |kib: Option<u64>| kib.map_or("not told by this system".into(), |kib| format!("{kib} KiB"));
    let (up, down) = (told(memory.0), told(memory.1));
    format!("{mib} MiB: SHA-256 alone {:.1} ms; most memory held up {up}, down {down}", median(digests))
}

/// The work, while another thread hashes as many bytes; over when both are.
async fn beside(size: u64, work: impl Future<Output = ()>) {
    let hashing = tokio::task::spawn_blocking(move || digest(size));
    work.await;
    hashing.await.unwrap();
}

/// How much more was resident at the highest point of the work than before it, in KiB.
async fn peak(work: impl Future<Output = ()>) -> Option<u64> {
    // Sets the mark to what is resident now.
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    let before = mark()?;
    Box::pin(work).await;
    mark()?.checked_sub(before)
}

fn mark() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
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

async fn fetch_raw(client: &reqwest::Client, base: &str, size: u64) {
    let mut answer = client.get(format!("{base}/media/x.pdf")).send().await.unwrap();
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
    if head.starts_with("GET /media/") { file(stream, size) } else { json(stream) }
}

fn drain(mut stream: &TcpStream, mut left: u64) -> Option<()> {
    let mut piece = vec![0; PIECE];
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

fn file(mut stream: &TcpStream, size: u64) -> Option<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\ncontent-length: ";
    stream.write_all(format!("{head}{size}\r\n\r\n%PDF-").as_bytes()).ok()?;
    let mut left = size - 5;
    while left > 0 {
        let count = left.min(PIECE as u64);
        stream.write_all(&PIECES[..count as usize]).ok()?;
        left -= count;
    }
    Some(())
}
