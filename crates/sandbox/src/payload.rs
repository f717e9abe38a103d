//! Bodies that are written piece by piece: text around files that nobody has to hold in memory.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;

use crate::blob::{Content, Reader};
use crate::chance;

/// Bytes read from a file at once: a multiple of 3, so that base64 can be made chunk by chunk.
const CHUNK: usize = 48 * 1024;

/// A body of known length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payload {
    pieces: Vec<Piece>,
    /// Set when only the first bytes are to be sent.
    limit: Option<u64>,
    /// Set when reading is to fail, which ends the connection, with this many bytes still to come.
    fails_with: Option<u64>,
}

#[derive(Debug, Clone)]
enum Piece {
    Bytes(Bytes),
    Raw(Content),
    Base64(Content),
    Spaces(u64),
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Raw(content) => content.len(),
            Self::Base64(content) => content.len().div_ceil(3).saturating_mul(4),
            Self::Spaces(count) => *count,
        }
    }
}

impl<T: Into<Bytes>> From<T> for Payload {
    fn from(bytes: T) -> Self {
        Self { pieces: vec![Piece::Bytes(bytes.into())], limit: None, fails_with: None }
    }
}

impl Payload {
    /// The bytes of a file.
    pub(crate) fn file(content: Content) -> Self {
        Self { pieces: vec![Piece::Raw(content)], limit: None, fails_with: None }
    }

    pub(crate) fn len(&self) -> u64 {
        let whole = self.pieces.iter().map(Piece::len).fold(0, u64::saturating_add);
        self.limit.map_or(whole, |limit| limit.min(whole))
    }

    pub(crate) fn first_half(&self) -> Self {
        Self { limit: Some(self.len() / 2), ..self.clone() }
    }

    /// Spaces up to this length: still the same JSON.
    pub(crate) fn padded_to(mut self, length: u64) -> Self {
        self.pieces.push(Piece::Spaces(length.saturating_sub(self.len())));
        self
    }

    /// The whole length announced, and a connection that ends half way.
    pub(crate) fn cut(self) -> Self {
        Self { fails_with: Some(self.len().div_ceil(2).max(1)), ..self }
    }

    /// With one byte near the end changed; the length stays.
    pub(crate) fn changed(mut self) -> Self {
        if let Some(Piece::Bytes(last)) = self.pieces.last_mut() {
            let mut bytes = last.to_vec();
            // The last letter or digit, so that the text stays JSON and means something else.
            if let Some(byte) = bytes.iter_mut().rev().find(|byte| byte.is_ascii_alphanumeric()) {
                *byte = if *byte == b'1' { b'2' } else { b'1' };
            }
            *last = bytes.into();
        }
        self
    }

    /// The first bytes for people to look at, with a note in the place of a file.
    pub(crate) fn opening(&self, limit: usize) -> Vec<u8> {
        let mut opening = Vec::new();
        for piece in &self.pieces {
            let room = limit.saturating_sub(opening.len());
            match piece {
                _ if room == 0 => break,
                Piece::Bytes(bytes) => opening.extend_from_slice(bytes.get(..room).unwrap_or(bytes)),
                Piece::Raw(content) | Piece::Base64(content) => {
                    opening.extend_from_slice(format!("<a file of {} bytes>", content.len()).as_bytes());
                }
                Piece::Spaces(_) => {}
            }
        }
        opening
    }

    pub(crate) fn chunks(self) -> Chunks {
        Chunks { left: self.len(), fails_with: self.fails_with, pieces: self.pieces.into(), open: None }
    }

    /// Everything, in memory: only for small bodies.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.clone().chunks().map_while(Result::ok).flatten().collect()
    }
}

/// The chunks of a payload, in order.
pub(crate) struct Chunks {
    pieces: VecDeque<Piece>,
    /// The file being read, and whether its bytes go out as base64.
    open: Option<(Reader, bool)>,
    left: u64,
    fails_with: Option<u64>,
}

impl Chunks {
    fn read(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some((reader, as_base64)) = &mut self.open {
                let mut raw = Vec::with_capacity(CHUNK);
                reader.take(CHUNK as u64).read_to_end(&mut raw)?;
                let encoded = *as_base64;
                if !raw.is_empty() {
                    return Ok(Some(if encoded { STANDARD.encode(raw).into() } else { raw.into() }));
                }
                self.open = None;
            }
            match self.pieces.pop_front() {
                None => return Ok(None),
                Some(Piece::Bytes(bytes)) => return Ok(Some(bytes)),
                Some(Piece::Spaces(count)) => {
                    let now = count.min(CHUNK as u64);
                    let rest = count.saturating_sub(now);
                    if rest > 0 {
                        self.pieces.push_front(Piece::Spaces(rest));
                    }
                    return Ok(Some(vec![b' '; usize::try_from(now).unwrap_or(CHUNK)].into()));
                }
                Some(Piece::Raw(content)) => self.open = Some((content.open()?, false)),
                Some(Piece::Base64(content)) => self.open = Some((content.open()?, true)),
            }
        }
    }
}

impl Iterator for Chunks {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        if self.fails_with.is_some_and(|left| self.left <= left) {
            return Some(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let outcome = self.read().map(|chunk| {
            chunk.map(|mut chunk| {
                let wanted = self.left.saturating_sub(self.fails_with.unwrap_or(0));
                let fits = usize::try_from(wanted).unwrap_or(usize::MAX);
                chunk.truncate(fits);
                self.left = self.left.saturating_sub(chunk.len() as u64);
                chunk
            })
        });
        outcome.transpose()
    }
}

/// A body as hyper writes it.
pub(crate) enum Streamed {
    Payload(Chunks),
    /// A page, or events that have no end.
    Live(axum::body::Body),
}

impl From<Payload> for Streamed {
    fn from(payload: Payload) -> Self {
        Self::Payload(payload.chunks())
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    /// Reads from the page cache at most a chunk at a time, which takes no longer than handling it.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Payload(chunks) => Poll::Ready(chunks.next().map(|chunk| chunk.map(Frame::data))),
            Self::Live(body) => Pin::new(body).poll_frame(context).map_err(io::Error::other),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Payload(chunks) => chunks.left == 0,
            Self::Live(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Payload(chunks) => SizeHint::with_exact(chunks.left),
            Self::Live(body) => body.size_hint(),
        }
    }
}

/// Builds a JSON text that holds whole files as base64: marks stand in the value, files take their places.
#[derive(Debug, Clone)]
pub(crate) struct Inline {
    /// Unguessable, so that no text that a client sent can pass for a mark.
    nonce: String,
    contents: Vec<Content>,
}

impl Inline {
    pub(crate) fn new() -> Self {
        Self { nonce: chance::hex(16), contents: Vec::new() }
    }

    /// What stands for the file's base64 in the value.
    pub(crate) fn mark(&mut self, content: &Content) -> Value {
        let number = self.contents.len();
        self.contents.push(content.clone());
        Value::String(format!("{}{number:0DIGITS$}", self.nonce))
    }

    /// The text of `value`. Marks are numbered, since keys come out in another order than they were made in.
    pub(crate) fn render(self, value: &Value) -> Payload {
        self.split(value.to_string())
    }

    /// The text of `value` for people: a note in the place of every file.
    pub(crate) fn shown(&self, value: &Value) -> String {
        let mut text = value.to_string();
        for (number, content) in self.contents.iter().enumerate() {
            let note = format!("<{} bytes in base64, sha256 {}>", content.len(), content.sha256());
            text = text.replace(&format!("{}{number:0DIGITS$}", self.nonce), &note);
        }
        text
    }

    fn split(self, text: String) -> Payload {
        if self.contents.is_empty() {
            return text.into();
        }
        let mut parts = text.split(&self.nonce);
        let mut pieces = vec![copied(parts.next().unwrap_or_default())];
        for part in parts {
            let (number, rest) = part.split_at_checked(DIGITS).unwrap_or((part, ""));
            let content = number.parse().ok().and_then(|number: usize| self.contents.get(number));
            pieces.extend(content.map(|content| Piece::Base64(content.clone())));
            pieces.push(copied(rest));
        }
        Payload { pieces, limit: None, fails_with: None }
    }
}

/// Width of the number in a mark.
const DIGITS: usize = 6;

fn copied(text: &str) -> Piece {
    Piece::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_take_the_places_of_their_marks() {
        let mut inline = Inline::new();
        let value = json!({ "c": [inline.mark(&Content::from_bytes(vec![7; 200_000]))], "b": "x",
            "a": inline.mark(&Content::from_bytes("first")) });
        let payload = inline.render(&value);
        let bytes = payload.to_vec();
        assert_eq!(bytes.len() as u64, payload.len());
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read["a"], STANDARD.encode("first"));
        assert_eq!(read["c"][0], STANDARD.encode(vec![7; 200_000]));
    }

    #[test]
    fn a_cut_payload_announces_all_and_fails_half_way() {
        let cut = Payload::file(Content::from_bytes(vec![1; 200_001])).cut();
        assert_eq!(cut.len(), 200_001);
        let mut sent = 0;
        let ended = cut.chunks().try_for_each(|chunk| chunk.map(|chunk| sent += chunk.len()));
        assert!(ended.is_err());
        assert_eq!(sent, 100_000);
    }

    #[test]
    fn half_of_a_payload_is_half_of_its_bytes() {
        let whole = Payload::file(Content::from_bytes(vec![1; 100_001]));
        assert_eq!(whole.first_half().to_vec().len(), 50_000);
        assert_eq!(whole.first_half().len(), 50_000);
        assert_eq!(Payload::from("").to_vec(), b"");
    }
}
