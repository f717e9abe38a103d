//! Reads JSON bodies of any size as they arrive: long texts are decoded from base64 into files, the rest is kept.
//!
//! The rule: one pass, each byte looked at once, and memory bounded by what is not a file. A text of more than
//! [`LONG`] characters leaves the JSON and is replaced by a mark that only the sandbox can write.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::blob::{Content, Writer};
use crate::chance;
use crate::json::Json;

/// Texts above this many bytes leave the JSON.
const LONG: usize = 4096;
/// Largest JSON without its long texts.
const KEPT_LIMIT: usize = 16 * 1024 * 1024;

/// Why a body cannot be taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Too much JSON that is not file.
    TooLarge,
    /// No room for a file.
    Disk(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// A long text that left the JSON.
#[derive(Debug, Clone)]
pub(crate) enum Long {
    /// Base64 in the standard alphabet, padded, without breaks.
    File(Content),
    /// Anything else; its bytes are gone.
    Other,
}

enum Place {
    Outside,
    /// In a text that began at this place of what is kept.
    Inside {
        start: usize,
        escaped: bool,
    },
    /// In a text that left.
    Leaving(Box<Decoder>),
}

/// Takes a body as it comes.
pub(crate) struct Sieve {
    nonce: String,
    kept: Vec<u8>,
    place: Place,
    longs: Vec<Long>,
    total: u64,
}

impl Sieve {
    pub(crate) fn new() -> Self {
        let nonce = chance::hex(16);
        Self { nonce, kept: Vec::new(), place: Place::Outside, longs: Vec::new(), total: 0 }
    }

    /// How many bytes came in.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.step(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        if self.kept.len() > KEPT_LIMIT { Err(Refused::TooLarge) } else { Ok(()) }
    }

    /// Takes the next stretch; returns its length, which is never 0.
    fn step(&mut self, rest: &[u8]) -> Result<usize, Refused> {
        match &mut self.place {
            Place::Outside => Ok(self.outside(rest)),
            Place::Inside { start, escaped } => {
                let (start, escaped) = (*start, *escaped);
                if escaped { self.after_escape(rest, start) } else { self.inside(rest, start) }
            }
            Place::Leaving(decoder) => {
                let (taken, ended) = decoder.take(rest)?;
                if ended { self.close().map(|()| taken) } else { Ok(taken) }
            }
        }
    }

    fn outside(&mut self, rest: &[u8]) -> usize {
        let (taken, found) = upto(rest, |byte| byte == b'"');
        self.keep(rest, taken);
        if found {
            self.place = Place::Inside { start: self.kept.len(), escaped: false };
        }
        taken
    }

    fn after_escape(&mut self, rest: &[u8], start: usize) -> Result<usize, Refused> {
        self.keep(rest, 1);
        self.place = Place::Inside { start, escaped: false };
        self.leave_if_long(start)?;
        Ok(1)
    }

    fn inside(&mut self, rest: &[u8], start: usize) -> Result<usize, Refused> {
        // Only as much as still fits a short text: the rest of a long one must never be copied here.
        let room = LONG.saturating_add(1).saturating_sub(self.kept.len().saturating_sub(start)).max(1);
        let near = rest.get(..room.min(rest.len())).unwrap_or(rest);
        let (taken, found) = upto(near, |byte| byte == b'"' || byte == b'\\');
        self.keep(near, taken);
        match self.kept.last().filter(|_| found) {
            Some(b'"') => self.place = Place::Outside,
            Some(_) => self.place = Place::Inside { start, escaped: true },
            None => self.leave_if_long(start)?,
        }
        Ok(taken)
    }

    fn leave_if_long(&mut self, start: usize) -> Result<(), Refused> {
        if self.kept.len().saturating_sub(start) <= LONG {
            return Ok(());
        }
        let mut decoder = Decoder::new();
        let mut begun = self.kept.get(start..).unwrap_or_default();
        while !begun.is_empty() {
            let (taken, _) = decoder.take(begun)?;
            begun = begun.get(taken..).unwrap_or_default();
        }
        self.kept.truncate(start);
        self.place = Place::Leaving(Box::new(decoder));
        Ok(())
    }

    /// The long text ended: its mark stays in its place.
    fn close(&mut self) -> Result<(), Refused> {
        if let Place::Leaving(decoder) = std::mem::replace(&mut self.place, Place::Outside) {
            self.kept.extend_from_slice(format!("{}{}\"", self.nonce, self.longs.len()).as_bytes());
            self.longs.push(decoder.finish()?);
        }
        Ok(())
    }

    fn keep(&mut self, rest: &[u8], count: usize) {
        self.kept.extend_from_slice(rest.get(..count).unwrap_or_default());
    }

    pub(crate) fn finish(self) -> Sieved {
        // A text that never ended is no JSON: what is kept is cut off in its middle and will not parse.
        Sieved { nonce: self.nonce, kept: self.kept.into(), longs: self.longs, total: self.total }
    }
}

/// Length up to and with the first byte that is wanted, and whether there is one.
fn upto(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> (usize, bool) {
    match bytes.iter().position(|byte| wanted(*byte)) {
        Some(at) => (at.saturating_add(1), true),
        None => (bytes.len(), false),
    }
}

/// Decodes the inside of one JSON text as base64 into a file.
struct Decoder {
    writer: Writer,
    /// Up to three characters that wait for their group of four.
    carry: Vec<u8>,
    buffer: Vec<u8>,
    escaped: bool,
    /// The padding has come: nothing may follow.
    padded: bool,
    broken: bool,
}

impl Decoder {
    fn new() -> Self {
        let (carry, buffer) = (Vec::new(), Vec::new());
        Self { writer: Writer::new(), carry, buffer, escaped: false, padded: false, broken: false }
    }

    /// Takes bytes up to the end of the text; tells how many, and whether the text ended.
    fn take(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        if self.escaped {
            self.escaped = false;
            // Some encoders write `/` as `\/`; any other escape is not in base64's alphabet.
            self.push(bytes.get(..1).filter(|byte| *byte == b"/").unwrap_or(b"\\"))?;
            return Ok((1, false));
        }
        let (taken, found) = upto(bytes, |byte| byte == b'"' || byte == b'\\');
        let run = if found { taken.saturating_sub(1) } else { taken };
        self.push(bytes.get(..run).unwrap_or_default())?;
        let ended = found && bytes.get(run) == Some(&b'"');
        self.escaped = found && !ended;
        Ok((taken, ended))
    }

    fn push(&mut self, mut run: &[u8]) -> io::Result<()> {
        if !self.carry.is_empty() {
            let missing = 4_usize.saturating_sub(self.carry.len()).min(run.len());
            let (first, rest) = run.split_at_checked(missing).unwrap_or((run, &[]));
            self.carry.extend_from_slice(first);
            run = rest;
            if self.carry.len() < 4 {
                return Ok(());
            }
            let group = std::mem::take(&mut self.carry);
            self.decode(&group)?;
        }
        let whole = run.len() / 4 * 4;
        let (groups, rest) = run.split_at_checked(whole).unwrap_or((run, &[]));
        self.carry.extend_from_slice(rest);
        self.decode(groups)
    }

    fn decode(&mut self, groups: &[u8]) -> io::Result<()> {
        if groups.is_empty() || self.broken {
            return Ok(());
        }
        self.buffer.clear();
        self.broken = self.padded || STANDARD.decode_vec(groups, &mut self.buffer).is_err();
        self.padded = groups.ends_with(b"=");
        if self.broken { Ok(()) } else { self.writer.write(&self.buffer) }
    }

    fn finish(self) -> io::Result<Long> {
        let whole = !self.broken && !self.escaped && self.carry.is_empty();
        if whole { self.writer.finish().map(Long::File) } else { Ok(Long::Other) }
    }
}

/// A body that came in wholly.
#[derive(Debug, Clone)]
pub(crate) struct Sieved {
    nonce: String,
    kept: Bytes,
    longs: Vec<Long>,
    total: u64,
}

impl Sieved {
    pub(crate) fn nothing() -> Self {
        Sieve::new().finish()
    }

    /// How many bytes came in.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn json(&self) -> Result<Json, serde_json::Error> {
        Json::parse(&self.kept)
    }

    /// What stands behind a text that left the JSON.
    pub(crate) fn long(&self, text: &str) -> Option<&Long> {
        self.longs.get(text.strip_prefix(&self.nonce)?.parse::<usize>().ok()?)
    }

    /// A file sent as base64 under this value: short or long.
    pub(crate) fn file(&self, value: &Json) -> Option<Content> {
        let text = value.as_text()?;
        match self.long(text) {
            Some(Long::File(content)) => Some(content.clone()),
            Some(Long::Other) => None,
            None => STANDARD.decode(text).ok().map(Content::from_bytes),
        }
    }

    /// The body for a log: what was kept, with a note in the place of every long text.
    pub(crate) fn shown(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.kept).into_owned();
        // Backwards, so that the mark of 1 does not hit that of 10.
        for (number, long) in self.longs.iter().enumerate().rev() {
            let note = match long {
                Long::File(content) => {
                    format!("<{} bytes in base64, sha256 {}>", content.len(), content.sha256())
                }
                Long::Other => "<a long text that is not base64>".to_owned(),
            };
            text = text.replace(&format!("{}{number}", self.nonce), &note);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sieved(body: &str, step: usize) -> Sieved {
        let mut sieve = Sieve::new();
        body.as_bytes().chunks(step).for_each(|chunk| sieve.feed(chunk).unwrap());
        sieve.finish()
    }

    #[test]
    fn long_and_short_files_are_read_whatever_the_chunks() {
        let (long, short) = (vec![0xff; 100_000], b"small".to_vec());
        let escaped = STANDARD.encode(&long).replace('/', "\\/");
        for encoded in [STANDARD.encode(&long), escaped] {
            let body = format!(
                r#"{{"a":"x\"y","file":"{encoded}","list":[{{"file":"{}"}}],"z":1}}"#,
                STANDARD.encode(&short)
            );
            for step in [1, 3, 7, 4096, 1_000_000] {
                let sieved = sieved(&body, step);
                let json = sieved.json().unwrap();
                assert_eq!(sieved.file(json.get("file")).unwrap().to_vec().unwrap(), long);
                let inner = json.get("list").items()[0].get("file");
                assert_eq!(sieved.file(inner).unwrap().to_vec().unwrap(), short);
                assert_eq!((json.get("a").as_text(), json.get("z").num()), (Some("x\"y"), 1.0));
                assert_eq!(sieved.total(), body.len() as u64);
                assert!(sieved.shown().len() < 300 && sieved.shown().contains("100000 bytes"));
            }
        }
    }

    #[test]
    fn what_is_not_strict_base64_is_no_file() {
        let good = STANDARD.encode(vec![1; 6001]);
        assert!(good.ends_with("=="));
        for bad in [
            good.trim_end_matches('=').to_owned(),
            format!("{good}AAAA"),
            format!("data:application/pdf;base64,{good}"),
            good.replacen('A', "\\n", 1),
            good.replacen('A', "-", 1),
            "ñ".repeat(5000),
        ] {
            let sieved = sieved(&format!(r#"{{"file":"{bad}"}}"#), 1000);
            let json = sieved.json().unwrap();
            assert!(sieved.file(json.get("file")).is_none());
            assert!(matches!(sieved.long(json.get("file").as_text().unwrap()), Some(Long::Other)));
        }
        let short = sieved(r#"{"file":"QUJD\n"}"#, 5);
        assert!(short.file(short.json().unwrap().get("file")).is_none());
    }

    #[test]
    fn a_body_cut_in_a_file_is_no_json() {
        let body = format!(r#"{{"file":"{}"#, "QUJD".repeat(5000));
        assert!(sieved(&body, 100).json().is_err());
    }

    #[test]
    fn json_that_is_not_file_is_bounded() {
        let mut sieve = Sieve::new();
        let block = "1,".repeat(500_000);
        let refused = (0..20).find_map(|_| sieve.feed(block.as_bytes()).err());
        assert!(matches!(refused, Some(Refused::TooLarge)));
    }

    #[test]
    fn nobody_can_write_a_mark() {
        let sieved = sieved(r#"{"file":"0"}"#, 4);
        assert!(sieved.long("0").is_none());
    }
}
