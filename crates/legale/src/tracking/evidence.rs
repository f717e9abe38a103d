//! Evidence: one JSON object a line, each bound to the one before by SHA-256, so that a line changed, left out or put in later is
//! found. What it cannot show by itself is that lines at the end were cut off: keep the last hash elsewhere, too.

use std::io;
use std::path::Path;

use integration_core::{Error, ErrorKind, Outcome};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{Event, EventKind};
use crate::digest;

/// What the first line is bound to.
const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// `,"hash":"` and `"}` around 64 digits.
const SEAL: usize = 9 + 64 + 2;

/// What happened, for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Which document: its GUID.
    pub document: String,
    /// What happened, in one word.
    pub event: String,
    /// From where it is known.
    pub source: String,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// SHA-256 of the bytes sent or received, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Anything else worth keeping, such as why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Entry {
    /// Something that happened to a document.
    pub fn new(at: Timestamp, document: impl Into<String>, event: impl Into<String>) -> Self {
        Self {
            at,
            document: document.into(),
            event: event.into(),
            source: "caller".to_owned(),
            actor: None,
            sha256: None,
            note: None,
        }
    }

    /// With the digest of the bytes that were sent or received.
    #[must_use]
    pub fn sha256(mut self, hex: impl Into<String>) -> Self {
        self.sha256 = Some(hex.into());
        self
    }
}

impl From<&Event> for Entry {
    fn from(event: &Event) -> Self {
        let mut entry = Self::new(event.at, event.document.as_str(), event.kind.name());
        entry.source = event.source.to_string();
        entry.actor.clone_from(&event.actor);
        match &event.kind {
            EventKind::Rejected { comment } => entry.note.clone_from(comment),
            EventKind::Denied { code: text } | EventKind::Other(text) => entry.note = Some(text.clone()),
            EventKind::Downloaded { sha256 } => entry.sha256 = Some(sha256.clone()),
            _ => {}
        }
        entry
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    seq: u64,
    #[serde(flatten)]
    entry: Entry,
    prev: String,
}

/// A log whose every line is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// How many lines.
    pub lines: u64,
    /// The hash of the last one: what is worth keeping elsewhere.
    pub head: String,
    /// Bytes after the last line end: a line that was being written when the program died. They are not part of the log.
    pub torn: u64,
    length: u64,
}

/// A log that was tampered with, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("evidence is broken at line {line}: {reason}")]
#[non_exhaustive]
pub struct BrokenEvidence {
    /// The first line that is wrong, from 1.
    pub line: u64,
    /// How.
    pub reason: &'static str,
}

/// An evidence log. One writer at a time.
#[derive(Debug)]
pub struct EvidenceLog {
    file: File,
    verified: Verified,
    is_broken: bool,
}

impl EvidenceLog {
    /// Opens a log, or begins it. All of it is verified; a line that was being written when the program died is cut off.
    ///
    /// Idempotency: no call to the service (contract 4.11).
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if the file cannot be read or written, or with the cause [`BrokenEvidence`] if a line is wrong.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let folder = tempfile::tempdir()?;
    /// use legale::tracking::EvidenceLog;
    ///
    /// let log = EvidenceLog::open(folder.path().join("evidence.jsonl")).await?;
    /// assert_eq!(log.head().lines, 0);
    /// # Ok(()) });
    /// ```
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path.as_ref()).await.map_err(disk)?;
        let mut reader = BufReader::new(file);
        let verified = verify(&mut reader).await?;
        let file = reader.into_inner();
        if verified.torn > 0 {
            file.set_len(verified.length).await.map_err(disk)?;
        }
        Ok(Self { file, verified: Verified { torn: 0, ..verified }, is_broken: false })
    }

    /// Adds a line, and returns its hash once it is on the disk.
    ///
    /// Idempotency: no call to the service; a second call is a second line (contract 4.11).
    ///
    /// # Errors
    /// [`ErrorKind::Store`]; after a failure the log takes nothing more until it is opened again, since nobody knows what is on the
    /// disk.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let folder = tempfile::tempdir()?;
    /// use legale::tracking::{Entry, EvidenceLog};
    /// use legale::{Clock, SystemClock};
    ///
    /// let mut log = EvidenceLog::open(folder.path().join("evidence.jsonl")).await?;
    /// let hash = log.append(Entry::new(SystemClock::new().wall(), "d41d8cd98f", "signed")).await?;
    /// assert_eq!(hash.len(), 64);
    /// # Ok(()) });
    /// ```
    pub async fn append(&mut self, entry: Entry) -> Result<String, Error> {
        if self.is_broken {
            return Err(failure("an earlier line could not be written"));
        }
        let seq = self.verified.lines.saturating_add(1);
        let line = Line { seq, entry, prev: self.verified.head.clone() };
        let text = serde_json::to_string(&line).map_err(|error| failure("no JSON").with_source(error))?;
        let hash = seal_of(&text);
        let open = text.strip_suffix('}').unwrap_or(&text);
        let sealed = format!("{open},\"hash\":\"{hash}\"}}\n");
        // Until both steps are done, also if this future is dropped in between.
        self.is_broken = true;
        self.file.write_all(sealed.as_bytes()).await.map_err(disk)?;
        self.file.flush().await.map_err(disk)?;
        self.file.sync_data().await.map_err(disk)?;
        self.is_broken = false;
        let length = self.verified.length.saturating_add(sealed.len() as u64);
        self.verified = Verified { lines: seq, head: hash.clone(), torn: 0, length };
        Ok(hash)
    }

    /// How many lines there are, and the hash of the last.
    #[must_use]
    pub const fn head(&self) -> &Verified {
        &self.verified
    }
}

/// The hash that seals a line, of its text without the seal. The line before is in it, as `prev`.
fn seal_of(text: &str) -> String {
    digest::hex(&digest::sha256(text.as_bytes()))
}

/// Checks every line of a log.
///
/// Idempotency: no call to the service (contract 4.11).
///
/// # Errors
/// [`ErrorKind::Store`]: the log cannot be read, or, with the cause [`BrokenEvidence`], its first wrong line.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let verified = legale::tracking::verify(&b""[..]).await?;
/// assert_eq!(verified.lines, 0);
/// let error = legale::tracking::verify(&b"{\"seq\":1}\n"[..]).await.unwrap_err();
/// let broken: &legale::tracking::BrokenEvidence = error.find_source().expect("the line");
/// assert_eq!(broken.line, 1);
/// # Ok::<(), legale::Error>(()) }).unwrap();
/// ```
pub async fn verify(reader: impl AsyncBufRead + Unpin) -> Result<Verified, Error> {
    let mut reader = reader;
    let mut verified = Verified { lines: 0, head: NO_LINE.to_owned(), torn: 0, length: 0 };
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text).await.map_err(disk)? as u64;
        let Some(line) = text.strip_suffix(b"\n") else {
            verified.torn = read;
            return Ok(verified);
        };
        let number = verified.lines.saturating_add(1);
        verified.head = check(line, number, &verified.head).map_err(|reason| broken(number, reason))?;
        verified.lines = number;
        verified.length = verified.length.saturating_add(read);
    }
}

/// The hash of a line that is right.
fn check(line: &[u8], number: u64, head: &str) -> Result<String, &'static str> {
    let line = std::str::from_utf8(line).map_err(|_| "not text")?;
    let cut = line.len().checked_sub(SEAL).filter(|cut| line.is_char_boundary(*cut)).ok_or("no hash")?;
    let (open, seal) = line.split_at(cut);
    let told =
        seal.strip_prefix(",\"hash\":\"").and_then(|rest| rest.strip_suffix("\"}")).ok_or("no hash")?;
    let text = format!("{open}}}");
    if seal_of(&text) != told {
        return Err("changed: its hash is not that of its text");
    }
    let parsed: Line = serde_json::from_str(&text).map_err(|_| "no entry")?;
    if parsed.prev != head {
        return Err("not bound to the line before it: a line was left out, put in or moved");
    }
    if parsed.seq != number {
        return Err("its number does not follow");
    }
    Ok(told.to_owned())
}

fn failure(message: &'static str) -> Error {
    Error::new(ErrorKind::Store, "keep evidence").with_outcome(Outcome::NotSent).with_message(message)
}

fn disk(error: io::Error) -> Error {
    failure("the evidence file cannot be read or written").with_source(error)
}

fn broken(line: u64, reason: &'static str) -> Error {
    let cause = BrokenEvidence { line, reason };
    let hint = "keep the file as it is and find out who changed it; begin another one";
    failure("the evidence was tampered with or damaged").with_hint(hint).with_source(cause)
}
