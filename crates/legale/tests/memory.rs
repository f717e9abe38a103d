//! A document of 300 MiB goes up and comes down without memory growing with it (contract 4.12). The peer is a bare socket that counts,
//! so that what is measured is this crate and not a server; the program holds one test, so that nobody else's memory counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use legale::{Client, Credential, Environment, Source, Upload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SIZE: u64 = 300 * 1024 * 1024;
const DETAIL: &str =
    r#"{"data":{"GUID":"g","sign_status":1,"document":"/media/x.pdf"},"code":null,"message":""}"#;

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn drain(stream: &mut TcpStream, mut left: u64) {
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let room = usize::try_from(left.min(buffer.len() as u64)).unwrap();
        let count = stream.read(&mut buffer[..room]).await.unwrap();
        assert!(count > 0, "the body is shorter than announced");
        left -= count as u64;
    }
}

async fn file(stream: &mut TcpStream) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\ncontent-length: {SIZE}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut piece = vec![b'x'; 64 * 1024];
    piece[..5].copy_from_slice(b"%PDF-");
    for _ in 0..SIZE / piece.len() as u64 {
        stream.write_all(&piece).await.unwrap();
        piece[..5].fill(b'x');
    }
}

async fn serve(mut stream: TcpStream) {
    while let Some(head) = head(&mut stream).await {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        drain(&mut stream, length.unwrap_or(0)).await;
        if head.starts_with("GET /media/") {
            file(&mut stream).await;
            continue;
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{DETAIL}",
            DETAIL.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// The most memory that this process has ever held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
async fn memory_does_not_grow_with_the_file() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let client = Client::builder()
        .environment(Environment::root(&root).unwrap())
        .credential(Credential::api_key("key"))
        .document_limit(SIZE)
        .build()
        .unwrap();
    // Warm: connections, threads and buffers are there before it is measured.
    let small = Source::bytes("%PDF-1.7");
    client.create(&Upload::new("a.pdf", "d", small)).await.unwrap();

    let before = peak();
    let source = Source::opener(SIZE, || async {
        Ok(std::io::Cursor::new(b"%PDF-").chain(tokio::io::repeat(7)).take(SIZE))
    });
    let sent = client.create(&Upload::new("a.pdf", "d", source)).await.unwrap();
    let up = peak() - before;
    assert_eq!((sent.length, sent.sha256.len()), (SIZE, 64));

    let fetched = client.download(&"g".parse().unwrap()).to_writer(&mut tokio::io::sink()).await.unwrap();
    let down = peak() - before - up;
    assert_eq!(fetched.length, SIZE);
    eprintln!("extra memory at 300 MiB: {up} KiB up, {down} KiB down");
    assert!(up + down < 8 * 1024, "{up} KiB up, {down} KiB down");
}
