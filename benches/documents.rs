//! Large documents to and from the signature service, beside the bare transport that moves as many bytes:
//! `cargo bench -p integration-benches --bench documents`.
//!
//! The peer is a thread of its own on a bare socket, which throws away what it reads and sends zeroes. Up: a document is read,
//! hashed, encoded in base64 and sent; the floor is core's call with a body of as many ready bytes. Down: a document is read,
//! checked, hashed and written to a sink; the floor is core's download of as many bytes to the same sink.
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
use std::time::Duration;

use bytes::Bytes;
use integration_benches::{Rounds, is_asked_for, time};
use integration_core::call::{
    BaseUrl, Body, Call, Caller, Idempotency, Operation, Timeouts, TransportError, Verdict,
};
use legale::{Client, Credential, DocumentId, Environment, Source, Upload};
use tokio::io::AsyncReadExt as _;

const ROUNDS: usize = 5;
const PIECE: usize = 64 * 1024;
const CREATED: &str = r#"{"data":{"GUID":"g","document":"/media/x.pdf"},"code":null,"message":""}"#;
const SEND: Operation = Operation::new("send", http::Method::POST, "/raw", Idempotency::Once);
const FETCH: Operation = Operation::get("fetch", "/media/x.pdf");

fn main() {
    if !is_asked_for() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("| documents | per s | bare transport, per s | ratio of times |\n|---|---|---|---|");
    for mib in [10, 300] {
        runtime.block_on(Box::pin(figures(mib * 1024 * 1024)));
    }
}

async fn figures(size: u64) {
    let base = serve(size);
    let client = client(&base);
    let timeouts = Timeouts::new(Duration::from_secs(5), Duration::from_secs(300));
    let caller = Caller::builder(BaseUrl::parse(&base).unwrap()).timeouts(timeouts).build().unwrap();
    let (mut up, mut down) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let floor = time(Box::pin(send_raw(&caller, encoded(size)))).await.0;
        up.note(1, floor, time(Box::pin(create(&client, size))).await.0);
        let floor = time(Box::pin(fetch_raw(&caller, size))).await.0;
        down.note(1, floor, time(Box::pin(fetch(&client, size))).await.0);
    }
    let mib = size / 1024 / 1024;
    println!("{}", inverse(&up.line(&format!("up, {mib} MiB"))));
    println!("{}", inverse(&down.line(&format!("down, {mib} MiB"))));
}

/// The table's ratio is one of speeds; here one of times is asked for.
fn inverse(line: &str) -> String {
    let ratio: f64 = line.trim_end_matches(" |").rsplit(' ').next().unwrap().parse().unwrap();
    format!("{} {:.2} |", line.trim_end_matches(" |").rsplit_once(' ').unwrap().0, 1.0 / ratio)
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

async fn send_raw(caller: &Caller, length: u64) {
    let body = Body::stream(Some(length), move || async move { Ok::<_, TransportError>(Pieces(length)) });
    let call = Call::new(SEND).body("application/json", body);
    caller.call(&call, Verdict::<()>::success).await.unwrap();
}

/// Ready bytes of a length.
struct Pieces(u64);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        static PIECES: [u8; PIECE] = [b'x'; PIECE];
        let count = self.0.min(PIECE as u64);
        self.0 -= count;
        let piece = PIECES.get(..count as usize).filter(|piece| !piece.is_empty());
        std::task::Poll::Ready(piece.map(|piece| Ok(Bytes::from_static(piece))))
    }
}

async fn fetch(client: &Client, size: u64) {
    let guid: DocumentId = "g".parse().unwrap();
    let fetched = client.download(&guid).to_writer(&mut tokio::io::sink()).await.unwrap();
    assert_eq!(fetched.length, size);
}

async fn fetch_raw(caller: &Caller, size: u64) {
    let sink = &mut tokio::io::sink();
    let fetched = caller.download(&Call::new(FETCH), 1 << 30, Verdict::<()>::success, sink).await.unwrap();
    assert_eq!(fetched.length, size);
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
    std::io::copy(&mut stream.take(length.unwrap_or(0)), &mut std::io::sink()).ok()?;
    if head.starts_with("GET /media/") { file(stream, size) } else { json(stream) }
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
    let piece = [b'x'; PIECE];
    while left > 0 {
        let count = left.min(PIECE as u64);
        stream.write_all(&piece[..count as usize]).ok()?;
        left -= count;
    }
    Some(())
}
