//! Where the files of callbacks go while they arrive. Nothing is known of a file before its whole body was judged, so a sink
//! writes it provisionally and drops it unless it is told to keep it.

use std::fmt::Debug;
use std::path::PathBuf;

use bytes::Bytes;
use integration_core::call::PartFile;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use ring::digest::{Context, SHA256};
use tokio::io::AsyncWriteExt;

use super::sieve::Slot;
use crate::digest;
use crate::id::DocumentId;

const MAGIC: &[u8] = b"%PDF-";

/// A file that came in a callback and was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedFile {
    /// Which file of the callback.
    pub slot: Slot,
    /// Its name as the callback told it. Never used as a path.
    pub file_name: Option<String>,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its bytes, in lower case hexadecimal.
    pub sha256: String,
    /// Whether it begins with `%PDF-`.
    pub is_pdf: bool,
    /// Where the sink has put it, in the sink's own words: a path, an object key.
    pub location: Option<String>,
}

/// Takes files provisionally.
pub trait FileSink: Debug + Send + Sync {
    /// Begins a file of which nothing is known but which one it is.
    ///
    /// # Errors
    /// A failure of the sink, which is answered with 500.
    fn begin(&self, slot: Slot) -> BoxFuture<'_, Result<Box<dyn FileWriter>, Error>>;

    /// Takes a kept file away again, because its callback could not be handled.
    fn remove<'a>(&'a self, file: &'a ReceivedFile) -> BoxFuture<'a, ()>;
}

/// One provisional file. Dropped without [`keep`](Self::keep), it leaves nothing behind.
pub trait FileWriter: Send + Sync {
    /// Adds bytes.
    ///
    /// # Errors
    /// A failure of the sink.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>>;

    /// Keeps the file, and tells where it is.
    ///
    /// # Errors
    /// A failure of the sink; nothing is left behind then.
    fn keep<'a>(
        self: Box<Self>,
        document: Option<&'a DocumentId>,
        file: &'a ReceivedFile,
    ) -> BoxFuture<'a, Result<Option<String>, Error>>
    where
        Self: 'a;
}

/// Files in a folder, each `GUID-digest-chance.pdf` (attachments `….bin`), written under a temporary name and renamed when kept.
///
/// The name is made of the GUID's letters, digits, `-` and `_` alone, of the digest and of chance, so that no callback can choose a
/// path, and two files never have one name: what is removed for a callback that failed is never the file of another one.
#[derive(Debug, Clone)]
pub struct FolderSink {
    folder: PathBuf,
}

impl FolderSink {
    /// Files into a folder that exists.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl FileSink for FolderSink {
    fn begin(&self, _: Slot) -> BoxFuture<'_, Result<Box<dyn FileWriter>, Error>> {
        Box::pin(async {
            let temporary = self.folder.join(format!(".legale-{}.part", random_name()?));
            let part = PartFile::create(temporary).await.map_err(disk)?;
            Ok(Box::new(FolderFile { folder: self.folder.clone(), part }) as Box<dyn FileWriter>)
        })
    }

    fn remove<'a>(&'a self, file: &'a ReceivedFile) -> BoxFuture<'a, ()> {
        Box::pin(async {
            if let Some(location) = &file.location {
                // Gone already is as good.
                let _ = tokio::fs::remove_file(location).await;
            }
        })
    }
}

fn random_name() -> Result<String, Error> {
    let mut bits = [0u8; 16];
    let random = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bits);
    random
        .map_err(|_| Error::configuration("the machine gives no random numbers", "see its random source"))?;
    Ok(digest::hex(&bits))
}

fn disk(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Store, "write a received file")
        .with_outcome(Outcome::NotSent)
        .with_hint("see the folder for received files: space, rights")
        .with_source(error)
}

struct FolderFile {
    folder: PathBuf,
    part: PartFile,
}

impl FileWriter for FolderFile {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move { self.part.file().write_all(&bytes).await.map_err(disk) })
    }

    fn keep<'a>(
        self: Box<Self>,
        document: Option<&'a DocumentId>,
        file: &'a ReceivedFile,
    ) -> BoxFuture<'a, Result<Option<String>, Error>>
    where
        Self: 'a,
    {
        Box::pin(async move {
            let target = self.folder.join(name_of(document, file, &random_name()?));
            self.part.replace(&target).await.map_err(disk)?;
            Ok(Some(target.to_string_lossy().into_owned()))
        })
    }
}

fn name_of(document: Option<&DocumentId>, file: &ReceivedFile, chance: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let id: String = document.map_or("", DocumentId::as_str).chars().filter(plain).take(80).collect();
    let start: String = file.sha256.chars().take(16).collect();
    let (slot, extension) = match file.slot {
        Slot::Document => (String::new(), "pdf"),
        Slot::Attachment(index) => (format!("-attachment{index}"), "bin"),
    };
    let chance: String = chance.chars().take(16).collect();
    format!("{}{slot}-{start}-{chance}.{extension}", if id.is_empty() { "document" } else { &id })
}

/// A file on its way: measured, hashed and handed on.
pub(super) struct Incoming {
    pub(super) slot: Slot,
    length: u64,
    hash: Context,
    start: Vec<u8>,
    writer: Option<Box<dyn FileWriter>>,
}

impl Incoming {
    pub(super) fn new(slot: Slot, writer: Option<Box<dyn FileWriter>>) -> Self {
        Self { slot, length: 0, hash: Context::new(&SHA256), start: Vec::new(), writer }
    }

    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        self.hash.update(&bytes);
        let missing = MAGIC.len().saturating_sub(self.start.len());
        self.start.extend(bytes.iter().take(missing));
        match &mut self.writer {
            Some(writer) => writer.write(bytes).await,
            None => Ok(()),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn is_pdf(&self) -> bool {
        self.start == MAGIC
    }

    /// Keeps the file, if there is a sink for it.
    pub(super) async fn keep(
        self,
        document: Option<&DocumentId>,
        file_name: Option<String>,
    ) -> Result<Option<ReceivedFile>, Error> {
        let mut file = ReceivedFile {
            slot: self.slot,
            file_name,
            length: self.length,
            is_pdf: self.is_pdf(),
            sha256: digest::hex(&digest::array(&self.hash.finish())),
            location: None,
        };
        let Some(writer) = self.writer else { return Ok(None) };
        file.location = writer.keep(document, &file).await?;
        Ok(Some(file))
    }
}
