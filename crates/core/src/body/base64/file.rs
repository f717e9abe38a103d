//! JSON bodies that carry a file in base64, encoded while they are sent.
//!
//! The rules enforced here: the file is never held in memory (a few pieces of 48 KiB, hashed beside the sending and used again); `Content-Length` is exact where the
//! file's length is known; a file that turns out longer or shorter is an error before the closing part of the body goes out, so
//! that a service never sees a whole body with half a file; the bytes that went out are the ones whose SHA-256 is told.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use base64::Engine;
use base64::engine::general_purpose::PAD;
use bytes::{BufMut, Bytes, BytesMut};
use futures_core::Stream;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Standard, standard};
use crate::body::hashing::{Hashing, hex};
use crate::call::Body;
use crate::{BoxFuture, Error, ErrorKind};

/// A multiple of three, so that no piece but the last is padded.
const PIECE: usize = 48 * 1024;

/// So many pieces may wait to be hashed while the next ones are encoded and sent.
const AHEAD: usize = 4;

/// More than are ever on their way at once.
const LENT: usize = 32;

static ENGINE: LazyLock<Standard> = LazyLock::new(|| standard(PAD));

type Reader = Pin<Box<dyn AsyncRead + Send>>;
type OpenReader = dyn Fn() -> BoxFuture<'static, io::Result<Reader>> + Send + Sync;

/// A file that goes out in base64 (standard alphabet, padded, no line breaks) between two parts of a JSON body.
///
/// ```
/// use integration_core::body::base64::Base64File;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// #[derive(serde::Serialize)]
/// struct Upload { name: &'static str }
///
/// let file = Base64File::from_bytes("%PDF-1.7 ...");
/// let digest = file.digest();
/// let body = file.into_field(&Upload { name: "contract" }, "file")?; // {"name":"contract","file":"JVBERi0xLjcgLi4u"}
/// assert_eq!(body.length(), Some(45));
/// assert_eq!(digest.get(), None); // known once the body was sent
/// # Ok::<(), integration_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
#[must_use]
pub struct Base64File {
    length: Option<u64>,
    open: Arc<OpenReader>,
    digest: Sha256,
}

impl Base64File {
    /// A file that `open` opens anew for every attempt. With its `length` in bytes the request carries an exact
    /// `Content-Length`; without one it goes out in chunks, which some services do not take.
    pub fn new<O, F, R>(length: Option<u64>, open: O) -> Self
    where
        O: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<R>> + Send + 'static,
        R: AsyncRead + Send + 'static,
    {
        let open = move || -> BoxFuture<'static, io::Result<Reader>> {
            let opening = open();
            Box::pin(async move { Ok(Box::pin(opening.await?) as Reader) })
        };
        Self { length, open: Arc::new(open), digest: Sha256::default() }
    }

    /// A file that is in memory anyway.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes: Bytes = bytes.into();
        Self::new(Some(bytes.len() as u64), move || std::future::ready(Ok(io::Cursor::new(bytes.clone()))))
    }

    /// Where the digest of the file can be read after it was sent.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.digest.clone()
    }

    /// The body that consists of `prefix`, the encoded file and `suffix`.
    #[must_use]
    pub fn into_body(self, prefix: impl Into<Bytes>, suffix: impl Into<Bytes>) -> Body {
        let (prefix, suffix) = (prefix.into(), suffix.into());
        let around = (prefix.len() as u64).saturating_add(suffix.len() as u64);
        let length = self.length.map(|length| encoded_length(length).saturating_add(around));
        Body::stream(length, move || {
            let (prefix, suffix, expected) = (prefix.clone(), suffix.clone(), self.length);
            let (opening, digest) = ((self.open)(), self.digest.clone());
            async move {
                digest.set(None);
                Ok::<_, io::Error>(Encoder::new(opening.await?, prefix, suffix, expected, digest))
            }
        })
    }

    /// The JSON object `fields` with the encoded file as its last field, `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] if `fields` is no JSON object.
    pub fn into_field(self, fields: &impl Serialize, name: &str) -> Result<Body, Error> {
        let json = serde_json::to_string(fields).map_err(|_| no_object())?;
        let open = json.strip_suffix('}').filter(|_| json.starts_with('{')).ok_or_else(no_object)?;
        let comma = if open == "{" { "" } else { "," };
        let name = serde_json::Value::from(name);
        Ok(self.into_body(format!("{open}{comma}{name}:\""), "\"}"))
    }
}

fn no_object() -> Error {
    Error::new(ErrorKind::Validation, "prepare the upload")
        .with_message("the fields beside the file are no JSON object")
}

/// Four characters for every three bytes begun.
fn encoded_length(length: u64) -> u64 {
    length.div_ceil(3).saturating_mul(4)
}

impl fmt::Debug for Base64File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base64File").field("length", &self.length).finish_non_exhaustive()
    }
}

/// The SHA-256 of a file that is being sent; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Sha256(Arc<Mutex<Option<[u8; 32]>>>);

impl Sha256 {
    /// The digest of the raw bytes; nothing until the last attempt has read the whole file.
    #[must_use]
    pub fn get(&self) -> Option<[u8; 32]> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same in hexadecimal, lower case.
    #[must_use]
    pub fn hex(&self) -> Option<String> {
        self.get().map(|digest| hex(&digest))
    }

    fn set(&self, digest: Option<[u8; 32]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = digest;
    }
}

/// Where an encoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Prefix,
    File,
    /// Everything was read, but not everything hashed.
    Digest,
    Suffix,
    End,
}

/// Memory that is lent out and, once given back, used again: to ask the allocator for each piece costs more than to encode it.
#[derive(Default)]
struct Lent(VecDeque<Bytes>);

impl Lent {
    /// Room with whatever is in it.
    fn room(&mut self) -> Option<BytesMut> {
        let is_free = self.0.front().is_some_and(Bytes::is_unique);
        if is_free { self.0.pop_front()?.try_into_mut().ok() } else { None }
    }

    fn lend(&mut self, filled: BytesMut) -> Bytes {
        let filled = filled.freeze();
        // Whoever keeps a piece for good must not make all later ones be kept.
        if self.0.len() >= LENT {
            self.0.pop_front();
        }
        self.0.push_back(filled.clone());
        filled
    }
}

/// Reads a piece, has it hashed, encodes it, and hands it on.
struct Encoder {
    reader: Reader,
    part: Part,
    prefix: Bytes,
    suffix: Bytes,
    expected: Option<u64>,
    read: u64,
    /// What is being read.
    piece: BytesMut,
    pieces: Lent,
    texts: Lent,
    hashing: Hashing,
    digest: Sha256,
}

impl Encoder {
    fn new(reader: Reader, prefix: Bytes, suffix: Bytes, expected: Option<u64>, digest: Sha256) -> Self {
        let (pieces, texts) = (Lent::default(), Lent::default());
        let (part, piece, hashing) = (Part::Prefix, BytesMut::new(), Hashing::new());
        Self { reader, part, prefix, suffix, expected, read: 0, piece, pieces, texts, hashing, digest }
    }

    /// Fills the piece up; `true` at the end of the file.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.make_room();
        loop {
            let missing = PIECE.saturating_sub(self.piece.len());
            if missing == 0 {
                return Poll::Ready(Ok(false));
            }
            let mut room = (&mut self.piece).limit(missing);
            let count = ready!(pin!(self.reader.read_buf(&mut room)).poll(context))?;
            if count == 0 {
                return Poll::Ready(Ok(true));
            }
            self.read = self.read.saturating_add(count as u64);
            self.check(false)?;
        }
    }

    fn make_room(&mut self) {
        if self.piece.capacity() == 0 {
            self.piece = self.pieces.room().unwrap_or_else(|| BytesMut::with_capacity(PIECE));
            self.piece.clear();
        }
    }

    /// A file longer than announced is found out as it is read, a shorter one at its end.
    fn check(&self, ended: bool) -> io::Result<()> {
        let Some(expected) = self.expected else { return Ok(()) };
        let read = self.read;
        if read > expected || (ended && read < expected) {
            let more = if ended { "" } else { " or more" };
            let message = format!("the file was announced with {expected} bytes and has {read}{more}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(())
    }

    /// The encoded piece, which is then empty again.
    fn encoded(&mut self) -> io::Result<Bytes> {
        let piece = self.pieces.lend(std::mem::take(&mut self.piece));
        let mut text = self.texts.room().unwrap_or_default();
        text.resize(piece.len().div_ceil(3).saturating_mul(4), 0);
        ENGINE.encode_slice(&piece, &mut text).map_err(io::Error::other)?;
        self.hashing.push(piece);
        Ok(self.texts.lend(text))
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let digest = ready!(self.hashing.poll_digest(context))?;
        self.digest.set(Some(digest));
        Poll::Ready(Ok(()))
    }

    fn poll_file(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        ready!(self.hashing.poll_room(AHEAD, context));
        let ended = ready!(self.poll_fill(context))?;
        if ended {
            self.check(true)?;
            self.part = Part::Digest;
        }
        Poll::Ready(self.encoded())
    }
}

impl Stream for Encoder {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.part {
            Part::Prefix => {
                self.part = Part::File;
                Poll::Ready(Some(Ok(self.prefix.clone())))
            }
            Part::File => {
                let file = ready!(self.poll_file(context));
                if file.is_err() {
                    self.part = Part::End;
                }
                Poll::Ready(Some(file))
            }
            Part::Digest => {
                let hashed = ready!(self.poll_finish(context));
                self.part = if hashed.is_ok() { Part::Suffix } else { Part::End };
                // Nothing of the body; what reads it goes on.
                Poll::Ready(Some(hashed.map(|()| Bytes::new())))
            }
            Part::Suffix => {
                self.part = Part::End;
                Poll::Ready(Some(Ok(self.suffix.clone())))
            }
            Part::End => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use base64::engine::general_purpose::STANDARD;
    use ring::digest::{self, SHA256};
    use tokio::io::ReadBuf;

    use super::*;

    /// Gives what it holds in reads of odd sizes, pending in between.
    struct Crumbs(VecDeque<u8>, usize);

    impl AsyncRead for Crumbs {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let count = (self.1 * 7919 % 20_011).min(buffer.remaining()).min(self.0.len());
            let crumb: Vec<u8> = self.0.drain(..count).collect();
            buffer.put_slice(&crumb);
            Poll::Ready(Ok(()))
        }
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index * 31 % 251) as u8).collect()
    }

    fn crumbs(announced: Option<u64>, length: usize) -> Base64File {
        Base64File::new(announced, move || async move { Ok(Crumbs(content(length).into(), 0)) })
    }

    async fn drained(body: &Body) -> Result<Vec<u8>, (Vec<u8>, String)> {
        let mut read = Vec::new();
        let mut stream = body.open().await.map_err(|error| (Vec::new(), error.to_string()))?;
        while let Some(piece) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            match piece {
                Ok(piece) => read.extend_from_slice(&piece),
                Err(error) => return Err((read, format!("{error:?}"))),
            }
        }
        Ok(read)
    }

    #[tokio::test]
    async fn every_length_around_the_pieces_is_encoded_whole_with_its_length_and_digest() {
        for length in [0, 1, 2, 3, 4, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 2] {
            for announced in [Some(length as u64), None] {
                let file = crumbs(announced, length);
                let digest = file.digest();
                let body = file.into_body("{\"file\":\"", "\"}");
                // Twice: every attempt reads it anew.
                for _ in 0..2 {
                    let sent = drained(&body).await.unwrap();
                    let expected = format!("{{\"file\":\"{}\"}}", STANDARD.encode(content(length)));
                    assert!(sent == expected.as_bytes(), "{length}");
                    assert!(body.length().is_none_or(|told| told == sent.len() as u64), "{length}");
                    let hash = digest::digest(&SHA256, &content(length));
                    assert_eq!(digest.get().unwrap().as_slice(), hash.as_ref());
                }
            }
        }
    }

    #[tokio::test]
    async fn a_wrong_length_is_an_error_even_within_one_group_of_base64() {
        // 4 and 5 bytes encode to the same number of characters.
        for (announced, length) in
            [(4, 5), (5, 4), (0, 1), (1, 0), (PIECE as u64, PIECE + 1), (10, PIECE * 2)]
        {
            let file = crumbs(Some(announced), length);
            let digest = file.digest();
            let (sent, error) = drained(&file.into_body("<", ">")).await.unwrap_err();
            assert!(error.contains("announced with"), "{announced} {length}: {error}");
            assert!(!sent.contains(&b'>'), "the body must not look whole");
            assert_eq!(digest.get(), None);
        }
    }

    #[tokio::test]
    async fn a_file_becomes_the_last_field_of_an_object() {
        let file = || Base64File::from_bytes("foobar");
        let table = [
            (serde_json::json!({}), r#"{"file":"Zm9vYmFy"}"#),
            (serde_json::json!({"a": 1}), r#"{"a":1,"file":"Zm9vYmFy"}"#),
        ];
        for (fields, expected) in table {
            let body = file().into_field(&fields, "file").unwrap();
            assert_eq!(drained(&body).await.unwrap(), expected.as_bytes());
        }
        let odd = file().into_field(&serde_json::json!({}), "a\"b").unwrap();
        let value: serde_json::Value = serde_json::from_slice(&drained(&odd).await.unwrap()).unwrap();
        assert_eq!(value["a\"b"], "Zm9vYmFy");
        assert!(file().into_field(&[1], "file").unwrap_err().is_validation());
    }

    /// FIPS 180-4, the example "abc".
    #[tokio::test]
    async fn the_digest_is_told_in_hexadecimal() {
        let file = Base64File::from_bytes("abc");
        let digest = file.digest();
        assert_eq!(digest.hex(), None);
        drained(&file.into_body("", "")).await.unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.hex().as_deref(), Some(expected));
    }
}
