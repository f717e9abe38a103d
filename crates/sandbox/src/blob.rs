//! File contents as a service keeps them: in memory while small, in a temporary file otherwise, with their digest.
//!
//! The rule: what a simulator holds in memory does not grow with the files that are sent to it, because the
//! program that measures its client's memory often runs the sandbox in the same process.

use std::fmt;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::digest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tempfile::NamedTempFile;

/// Contents above this many bytes go to disk.
const MEMORY_LIMIT: usize = 256 * 1024;

/// Reads one content from its beginning.
pub(crate) type Reader = Box<dyn Read + Send>;

enum Blob {
    Memory(Bytes),
    // Named, because every reader needs a cursor of its own; deleted when the last content that uses it goes.
    Disk(NamedTempFile),
}

impl Blob {
    fn open(&self) -> io::Result<Reader> {
        Ok(match self {
            Self::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            Self::Disk(file) => Box::new(file.reopen()?),
        })
    }

    /// The last `count` bytes, or all of them.
    fn tail(&self, count: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => {
                Ok(bytes.get(bytes.len().saturating_sub(count)..).unwrap_or_default().to_vec())
            }
            Self::Disk(file) => {
                let mut file = file.reopen()?;
                let back = i64::try_from(count).unwrap_or(i64::MAX);
                // A disk blob is longer than any tail that is asked for; a shorter one is read from its start.
                let _ = file.seek(SeekFrom::End(-back));
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// The bytes of a file; clones share them.
#[derive(Clone)]
pub(crate) struct Content {
    parts: Vec<Arc<Blob>>,
    len: u64,
    head: Bytes,
    // Kept so that more can follow; boxed because it is large.
    hash: Box<digest::Context>,
}

impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Content({} bytes, sha256 {})", self.len, self.sha256())
    }
}

impl Content {
    /// A small content.
    pub(crate) fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(&bytes);
        let head = bytes.slice(..bytes.len().min(HEAD));
        Self {
            len: bytes.len() as u64,
            head,
            parts: vec![Arc::new(Blob::Memory(bytes))],
            hash: Box::new(hash),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// SHA-256 in lower-case hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        hex((*self.hash).clone().finish().as_ref())
    }

    pub(crate) fn starts_with(&self, prefix: &[u8]) -> bool {
        self.head.starts_with(prefix)
    }

    /// This content followed by a few more bytes; the original is shared, not copied.
    pub(crate) fn followed_by(&self, bytes: Vec<u8>) -> Self {
        let mut whole = self.clone();
        whole.hash.update(&bytes);
        whole.len = whole.len.saturating_add(bytes.len() as u64);
        whole.parts.push(Arc::new(Blob::Memory(bytes.into())));
        whole
    }

    pub(crate) fn open(&self) -> io::Result<Reader> {
        let empty: Reader = Box::new(io::empty());
        self.parts.iter().try_fold(empty, |before, part| -> io::Result<Reader> {
            Ok(Box::new(before.chain(part.open()?)))
        })
    }

    pub(crate) fn tail(&self, count: usize) -> io::Result<Vec<u8>> {
        self.parts.last().map_or(Ok(Vec::new()), |part| part.tail(count))
    }

    /// Everything, in memory: only for a test that asks for it.
    pub(crate) fn to_vec(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Base64 of everything, in memory: for the file that a state is kept in.
impl Serialize for Content {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let bytes = self.to_vec().map_err(serde::ser::Error::custom)?;
        out.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(input)?).map_err(D::Error::custom)?;
        let mut writer = Writer::new();
        writer.write(&bytes).map_err(D::Error::custom)?;
        writer.finish().map_err(D::Error::custom)
    }
}

/// How many first bytes are kept for telling the type.
const HEAD: usize = 16;

/// Takes bytes as they come.
pub(crate) struct Writer {
    memory: Vec<u8>,
    disk: Option<NamedTempFile>,
    len: u64,
    head: Vec<u8>,
    hash: digest::Context,
}

impl fmt::Debug for Writer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Writer({} bytes)", self.len)
    }
}

impl Writer {
    pub(crate) fn new() -> Self {
        let hash = digest::Context::new(&digest::SHA256);
        Self { memory: Vec::new(), disk: None, len: 0, head: Vec::new(), hash }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let missing = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(bytes.get(..missing).unwrap_or_default());
        self.hash.update(bytes);
        self.len = self.len.saturating_add(bytes.len() as u64);
        if let Some(file) = &mut self.disk {
            return file.write_all(bytes);
        }
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > MEMORY_LIMIT { self.move_to_disk() } else { Ok(()) }
    }

    fn move_to_disk(&mut self) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix("integration-sandbox-").tempfile()?;
        file.write_all(&self.memory)?;
        self.memory = Vec::new();
        self.disk = Some(file);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<Content> {
        let blob = match self.disk.take() {
            Some(mut file) => {
                file.flush()?;
                Blob::Disk(file)
            }
            None => Blob::Memory(std::mem::take(&mut self.memory).into()),
        };
        Ok(Content {
            parts: vec![Arc::new(blob)],
            len: self.len,
            head: self.head.into(),
            hash: Box::new(self.hash),
        })
    }
}

/// SHA-256 of bytes at hand, in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(total: usize) -> Content {
        let mut writer = Writer::new();
        let bytes: Vec<u8> = (0..total).map(|at| (at % 251) as u8).collect();
        bytes.chunks(1000).for_each(|chunk| writer.write(chunk).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn small_and_large_contents_read_back_the_same_with_their_digest() {
        for total in [0, 10, MEMORY_LIMIT, MEMORY_LIMIT + 1, MEMORY_LIMIT * 3] {
            let content = written(total);
            let bytes = content.to_vec().unwrap();
            assert_eq!((bytes.len(), content.len()), (total, total as u64));
            assert_eq!(content.sha256(), sha256(&bytes));
            assert_eq!(content.tail(7).unwrap(), bytes[total.saturating_sub(7)..]);
        }
    }

    #[test]
    fn what_follows_is_read_after_the_shared_original() {
        let original = written(MEMORY_LIMIT * 2);
        let whole = original.followed_by(b"end".to_vec());
        let bytes = whole.to_vec().unwrap();
        assert!(bytes.ends_with(b"end") && bytes.starts_with(&original.to_vec().unwrap()));
        assert_eq!(whole.sha256(), sha256(&bytes));
        assert_eq!(whole.len(), original.len() + 3);
    }

    #[test]
    fn a_digest_is_the_published_one() {
        // FIPS 180-2, "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Content::from_bytes("abc").sha256(), expected);
    }

    #[test]
    fn a_temporary_file_goes_with_its_last_content() {
        let content = written(MEMORY_LIMIT + 1);
        let Blob::Disk(file) = content.parts[0].as_ref() else { panic!("not on disk") };
        let path = file.path().to_owned();
        let copy = content.clone();
        drop(content);
        assert!(path.exists());
        drop(copy);
        assert!(!path.exists());
    }
}
