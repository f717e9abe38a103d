//! Parts a callback while it arrives: files in base64 go their own way in pieces, everything else is kept as small JSON in which
//! each file is an empty text. So a file of 100 MiB is never held, and never twice.
//!
//! The sieve looks only as closely as it must to know where it is; whether the rest is JSON is judged afterwards by the JSON
//! parser, on the rest.

use bytes::Bytes;

use super::decode::Decoder;

const DEPTH_LIMIT: usize = 64;
/// Longer keys are none of those looked for.
const KEY_LIMIT: usize = 24;

/// Which file of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slot {
    /// The document itself, `base64`.
    Document,
    /// An attachment by its index in `attached_files`.
    Attachment(usize),
}

/// What comes out of the sieve.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Open(Slot),
    Bytes(Bytes),
    Close,
}

/// Why a body cannot be a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    TooLarge,
    Malformed(&'static str),
}

#[derive(Debug)]
struct Frame {
    is_object: bool,
    /// Whether its elements are attachments.
    holds_attachments: bool,
    index: usize,
    expects_key: bool,
    key: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    Unicode { digits: u8, value: u32 },
}

#[derive(Debug)]
enum Place {
    Between,
    Key { is_escaped: bool },
    Text { is_escaped: bool },
    File { decoder: Decoder, escape: Escape },
}

/// See the page of this file.
#[derive(Debug)]
pub(super) struct Sieve {
    place: Place,
    frames: Vec<Frame>,
    rest: Vec<u8>,
    rest_limit: usize,
    has_document: bool,
}

impl Sieve {
    pub(super) const fn new(rest_limit: usize) -> Self {
        Self { place: Place::Between, frames: Vec::new(), rest: Vec::new(), rest_limit, has_document: false }
    }

    /// Takes the next bytes of the body and adds what they yield to `out`.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Unfit> {
        let mut bytes = bytes;
        while let Some((first, after)) = bytes.split_first() {
            bytes = match &mut self.place {
                Place::File { .. } => self.file(bytes, out)?,
                _ => {
                    self.step(*first, out)?;
                    after
                }
            };
        }
        Ok(())
    }

    /// The JSON without its files.
    pub(super) fn finish(self) -> Result<Vec<u8>, Unfit> {
        match self.place {
            Place::Between => Ok(self.rest),
            _ => Err(Unfit::Malformed("the body ends within a text")),
        }
    }

    fn keep(&mut self, byte: u8) -> Result<(), Unfit> {
        if self.rest.len() >= self.rest_limit {
            return Err(Unfit::TooLarge);
        }
        self.rest.push(byte);
        Ok(())
    }

    fn step(&mut self, byte: u8, out: &mut Vec<Piece>) -> Result<(), Unfit> {
        self.keep(byte)?;
        match &mut self.place {
            Place::Key { is_escaped } | Place::Text { is_escaped } if *is_escaped => *is_escaped = false,
            Place::Key { is_escaped } | Place::Text { is_escaped } if byte == b'\\' => {
                *is_escaped = true;
                self.remember(byte);
            }
            Place::Key { .. } | Place::Text { .. } if byte == b'"' => self.place = Place::Between,
            Place::Key { .. } => self.remember(byte),
            Place::Text { .. } | Place::File { .. } => {}
            Place::Between => return self.between(byte, out),
        }
        Ok(())
    }

    /// A byte of a key; a key with escapes is none of those looked for.
    fn remember(&mut self, byte: u8) {
        if let (Place::Key { .. }, Some(frame)) = (&self.place, self.frames.last_mut())
            && frame.key.len() <= KEY_LIMIT
        {
            frame.key.push(byte);
        }
    }

    fn between(&mut self, byte: u8, out: &mut Vec<Piece>) -> Result<(), Unfit> {
        match byte {
            b'{' | b'[' => return self.enter(byte == b'{'),
            b'}' | b']' => drop(self.frames.pop()),
            b'"' => return self.text(out),
            b',' => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.expects_key = frame.is_object;
                    frame.index = frame.index.saturating_add(1);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, is_object: bool) -> Result<(), Unfit> {
        if self.frames.len() >= DEPTH_LIMIT {
            return Err(Unfit::Malformed("nested too deeply"));
        }
        let holds_attachments = !is_object
            && matches!(self.frames.as_slice(), [top] if top.is_object && is_attachments(&top.key));
        self.frames.push(Frame {
            is_object,
            holds_attachments,
            index: 0,
            expects_key: is_object,
            key: Vec::new(),
        });
        Ok(())
    }

    /// A text begins.
    fn text(&mut self, out: &mut Vec<Piece>) -> Result<(), Unfit> {
        if let Some(frame) = self.frames.last_mut().filter(|frame| frame.expects_key) {
            frame.expects_key = false;
            frame.key.clear();
            self.place = Place::Key { is_escaped: false };
            return Ok(());
        }
        let Some(slot) = self.slot() else {
            self.place = Place::Text { is_escaped: false };
            return Ok(());
        };
        if slot == Slot::Document && std::mem::replace(&mut self.has_document, true) {
            return Err(Unfit::Malformed("base64 stands there twice"));
        }
        out.push(Piece::Open(slot));
        self.place = Place::File { decoder: Decoder::new(), escape: Escape::None };
        Ok(())
    }

    /// Which file the text that begins here is, if it is one.
    fn slot(&self) -> Option<Slot> {
        match self.frames.as_slice() {
            [top] if top.is_object && top.key == b"base64" => Some(Slot::Document),
            [_, list, item]
                if list.holds_attachments
                    && item.is_object
                    && matches!(item.key.as_slice(), b"base64" | b"file") =>
            {
                Some(Slot::Attachment(list.index))
            }
            _ => None,
        }
    }

    /// Bytes of a file, up to its closing quote; returns what comes after them.
    fn file<'b>(&mut self, bytes: &'b [u8], out: &mut Vec<Piece>) -> Result<&'b [u8], Unfit> {
        let Place::File { decoder, escape } = &mut self.place else { return Ok(bytes) };
        if *escape != Escape::None {
            let Some((first, after)) = bytes.split_first() else { return Ok(bytes) };
            if let Some(meant) = unescape(escape, *first)? {
                decode(decoder, &[meant], out)?;
            }
            return Ok(after);
        }
        let plain = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len());
        let (text, rest) = bytes.split_at(plain);
        decode(decoder, text, out)?;
        let Some((mark, after)) = rest.split_first() else { return Ok(rest) };
        if *mark == b'\\' {
            *escape = Escape::Begun;
            return Ok(after);
        }
        self.close(out)?;
        Ok(after)
    }

    fn close(&mut self, out: &mut Vec<Piece>) -> Result<(), Unfit> {
        if let Place::File { decoder, .. } = std::mem::replace(&mut self.place, Place::Between) {
            hand_on(decoder.finish().map_err(|_| NOT_BASE64)?, out);
            out.push(Piece::Close);
        }
        self.keep(b'"')
    }
}

const NOT_BASE64: Unfit = Unfit::Malformed("a file is not base64");

fn is_attachments(key: &[u8]) -> bool {
    matches!(key, b"attached_files" | b"attached_file" | b"attached_file_list" | b"attach_file_list")
}

fn decode(decoder: &mut Decoder, text: &[u8], out: &mut Vec<Piece>) -> Result<(), Unfit> {
    hand_on(decoder.feed(text).map_err(|_| NOT_BASE64)?, out);
    Ok(())
}

fn hand_on(bytes: Vec<u8>, out: &mut Vec<Piece>) {
    if !bytes.is_empty() {
        out.push(Piece::Bytes(bytes.into()));
    }
}

/// The next byte of an escape; the character it means once it is complete. PHP escapes the slash, others the plus sign.
fn unescape(escape: &mut Escape, byte: u8) -> Result<Option<u8>, Unfit> {
    let (digits, value) = match (*escape, byte) {
        (Escape::Unicode { digits, value }, _) => (digits, value),
        (_, b'u') => {
            *escape = Escape::Unicode { digits: 0, value: 0 };
            return Ok(None);
        }
        (_, _) => {
            *escape = Escape::None;
            return match byte {
                b'/' => Ok(Some(b'/')),
                b'n' | b'r' | b't' => Ok(None),
                _ => Err(NOT_BASE64),
            };
        }
    };
    let digit = char::from(byte).to_digit(16).ok_or(NOT_BASE64)?;
    let (digits, value) = (digits.saturating_add(1), value << 4 | digit);
    if digits < 4 {
        *escape = Escape::Unicode { digits, value };
        return Ok(None);
    }
    *escape = Escape::None;
    u8::try_from(value).ok().filter(u8::is_ascii).map(Some).ok_or(NOT_BASE64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parted = (Vec<(Slot, Vec<u8>)>, String);

    fn sifted(body: &[u8], size: usize) -> Result<Parted, Unfit> {
        let mut sieve = Sieve::new(10_000);
        let mut pieces = Vec::new();
        for chunk in body.chunks(size.max(1)) {
            sieve.feed(chunk, &mut pieces)?;
        }
        let mut files: Vec<(Slot, Vec<u8>)> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Open(slot) => files.push((slot, Vec::new())),
                Piece::Bytes(bytes) => files.last_mut().unwrap().1.extend(bytes),
                Piece::Close => {}
            }
        }
        Ok((files, String::from_utf8_lossy(&sieve.finish()?).into_owned()))
    }

    #[test]
    fn files_go_their_own_way_however_the_body_is_cut() {
        let body = r#"{"a\"}": ["{", {"base64": "x"}], "base64": "JVBERi0x\/\u002bA=",
            "attached_files": [{"file_name": "a]", "base64": "Zm8="}, {"file": "Zm9v", "x": {"file": "no"}}]}"#;
        let rest = r#"{"a\"}": ["{", {"base64": "x"}], "base64": "",
            "attached_files": [{"file_name": "a]", "base64": ""}, {"file": "", "x": {"file": "no"}}]}"#;
        let files = vec![
            (Slot::Document, b"%PDF-1\xff\xe0".to_vec()),
            (Slot::Attachment(0), b"fo".to_vec()),
            (Slot::Attachment(1), b"foo".to_vec()),
        ];
        for size in 1..body.len() {
            let (found, kept) = sifted(body.as_bytes(), size).unwrap();
            assert_eq!(kept, rest);
            assert_eq!(found, files);
        }
    }

    #[test]
    fn what_is_no_callback_is_found_out() {
        let malformed = |body: &str| matches!(sifted(body.as_bytes(), 7), Err(Unfit::Malformed(_)));
        assert!(malformed(r#"{"base64": "Zm9v"#));
        assert!(malformed(r#"{"base64": "Z"}"#));
        assert!(malformed(r#"{"base64": "Zm\"9v"}"#));
        assert!(malformed(r#"{"base64": "Zm\u12349v"}"#));
        assert!(malformed(r#"{"base64": "", "base64": ""}"#));
        assert!(malformed(&"[".repeat(65)));
        assert_eq!(sifted("x".repeat(10_001).as_bytes(), 100), Err(Unfit::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_sifted_without_a_panic_and_the_same_in_any_pieces(
            body in proptest::collection::vec(prop_oneof![
                any::<u8>(), Just(b'"'), Just(b'{'), Just(b'}'), Just(b'['), Just(b','), Just(b':'), Just(b'\\'),
            ], 0..200),
            size in 1usize..40,
        ) {
            prop_assert_eq!(sifted(&body, size), sifted(&body, body.len()));
        }

        #[test]
        fn json_without_files_comes_through_unchanged(texts in proptest::collection::vec(any::<String>(), 0..8)) {
            let body = serde_json::json!({"x": texts, "y": {"base64": texts}}).to_string();
            prop_assert_eq!(sifted(body.as_bytes(), 3), Ok((Vec::new(), body)));
        }
    }
}
