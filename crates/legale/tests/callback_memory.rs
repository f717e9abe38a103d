//! A callback with a file of 300 MiB arrives without memory growing with it (contract 4.6 "File", 4.12): it is decoded piece by piece
//! into the sink, here a folder. The program holds one test, so that nobody else's memory counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_core::Stream;
use legale::webhook::{Delivery, FolderSink, Handler, KeyPlace, ReceivedFile, Receiver, Route};
use legale::{BoxFuture, Error};

/// A multiple of 3 bytes, so that its base64 can be repeated.
const PIECE: usize = 48 * 1024;
const PIECES: usize = 300 * 1024 * 1024 / PIECE;
const SIZE: u64 = (PIECE * PIECES) as u64;

/// The body, made as it is read, in chunks of 64 KiB.
struct Made {
    begin: Option<Bytes>,
    first: Option<Bytes>,
    piece: Bytes,
    left: usize,
    end: Option<Bytes>,
}

impl Made {
    fn new(pieces: usize) -> Self {
        let mut first = vec![7; PIECE];
        first[..5].copy_from_slice(b"%PDF-");
        Self {
            begin: Some(Bytes::from_static(br#"{"key": "k", "sign_status": 1, "GUID": "g", "base64": ""#)),
            first: Some(STANDARD.encode(first).into()),
            piece: STANDARD.encode(vec![7; PIECE]).into(),
            left: pieces - 1,
            end: Some(Bytes::from_static(br#"", "file_name": "a.pdf"}"#)),
        }
    }
}

impl Stream for Made {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.begin.take().or_else(|| self.first.take()).or_else(|| {
            self.left = self.left.checked_sub(1)?;
            // A copy, as a socket gives one: what is kept would count.
            Some(Bytes::copy_from_slice(&self.piece))
        });
        Poll::Ready(next.or_else(|| self.end.take()).map(Ok))
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<ReceivedFile>>);

impl Handler for Kept {
    fn handle(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Error>> {
        self.0.lock().unwrap().extend(delivery.file);
        Box::pin(std::future::ready(Ok(())))
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
async fn memory_does_not_grow_with_the_file_of_a_callback() {
    let (kept, folder) = (Arc::new(Kept::default()), tempfile::tempdir().unwrap());
    let receiver = Receiver::builder()
        .key("k", KeyPlace::Body("key".into()))
        .sink(Arc::new(FolderSink::new(folder.path())))
        .handler(kept.clone())
        .body_limit(500 * 1024 * 1024)
        .build()
        .unwrap();
    let parts = http::Request::post("/").body(()).unwrap().into_parts().0;
    // Warm: threads and buffers are there before it is measured.
    assert_eq!(receiver.receive(Route::Document, &parts, Made::new(2)).await.status(), 200);

    let before = peak();
    assert_eq!(receiver.receive(Route::Document, &parts, Made::new(PIECES)).await.status(), 200);
    // The kernel counts pages of threads in lumps, so that even the most there ever was may be told a little lower later.
    let extra = peak().saturating_sub(before);
    let file = kept.0.lock().unwrap().pop().unwrap();
    assert_eq!((file.length, file.is_pdf), (SIZE, true));
    let location = file.location.unwrap();
    assert_eq!(std::fs::metadata(&location).unwrap().len(), SIZE);
    assert!(std::path::Path::new(&location).starts_with(folder.path()));
    eprintln!("extra memory for a callback of 300 MiB: {extra} KiB");
    assert!(extra < 8 * 1024, "{extra} KiB");
}
