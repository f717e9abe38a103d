//! Where a file comes from, and what is checked before it goes anywhere (contract 4.12).
//!
//! The rules enforced here: the length is known before sending; the first bytes fit the type that the name claims, and come within the
//! time of the call; a reader that can be read once is sent once.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use integration_core::body::base64::Base64File;
use integration_core::clock::{Clock, within};
use integration_core::{BoxFuture, Error, ErrorKind, Fault, Faults, Outcome};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

const HEAD: usize = 8;

/// Read ahead from disk, so that not every piece is a round to the thread that reads.
const BUFFER: usize = 256 * 1024;

type Reader = Pin<Box<dyn AsyncRead + Send>>;
type Open = dyn Fn() -> BoxFuture<'static, io::Result<Reader>> + Send + Sync;

/// A file to be sent: bytes, a path, or any reader of known length. Nothing is read until it is sent, and it is never held in memory
/// as a whole unless it was given so.
///
/// ```
/// use legale::Source;
///
/// let known = Source::bytes("%PDF-1.7 ...");
/// let on_disk = Source::path("contract.pdf");
/// let once = Source::reader(12, std::io::Cursor::new("%PDF-1.7 ..."));
/// ```
#[derive(Clone)]
pub struct Source(Kind);

#[derive(Clone)]
enum Kind {
    Bytes(Bytes),
    Path(PathBuf),
    Open { length: u64, open: Arc<Open> },
    Once { length: u64, reader: Arc<Mutex<Option<Reader>>> },
}

impl Source {
    /// Bytes that are in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// A file on disk; opened when it is sent.
    pub fn path(path: impl AsRef<Path>) -> Self {
        Self(Kind::Path(path.as_ref().to_owned()))
    }

    /// `length` bytes from a reader that `open` opens anew whenever they are needed.
    pub fn opener<O, F, R>(length: u64, open: O) -> Self
    where
        O: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<R>> + Send + 'static,
        R: AsyncRead + Send + 'static,
    {
        let open = move || -> BoxFuture<'static, io::Result<Reader>> {
            let opening = open();
            Box::pin(async move { Ok(Box::pin(opening.await?) as Reader) })
        };
        Self(Kind::Open { length, open: Arc::new(open) })
    }

    /// `length` bytes from a reader that can be read once. A login that has run out is then found out **before** sending, by a
    /// small call, since the file could not be sent again.
    pub fn reader(length: u64, reader: impl AsyncRead + Send + 'static) -> Self {
        let reader: Reader = Box::pin(reader);
        Self(Kind::Once { length, reader: Arc::new(Mutex::new(Some(reader))) })
    }

    #[cfg(feature = "store")]
    pub(crate) fn is_once(&self) -> bool {
        matches!(self.0, Kind::Once { .. })
    }

    /// Reads the first bytes and the length, and checks both.
    pub(crate) async fn prepare(
        &self,
        (field, file_name): (&str, &str),
        bounds: Bounds<'_>,
        faults: &mut Faults,
    ) -> Result<Prepared, Error> {
        let prepared = bounds.within(self.prepared()).await?;
        let mut prepared = prepared.map_err(|cause| unreadable(&cause.to_string(), cause))?;
        prepared.check(field, file_name, bounds.size, faults);
        prepared.head.clear();
        Ok(prepared)
    }

    async fn prepared(&self) -> io::Result<Prepared> {
        match &self.0 {
            Kind::Bytes(bytes) => {
                let head = bytes.get(..HEAD.min(bytes.len())).unwrap_or_default().to_vec();
                let file = Base64File::from_bytes(bytes.clone());
                Ok(Prepared { length: bytes.len() as u64, head, file, is_once: false })
            }
            Kind::Path(path) => {
                let mut reader = tokio::fs::File::open(path).await?;
                let length = reader.metadata().await?.len();
                let head = head(&mut reader).await?;
                let path = path.clone();
                let open = move || {
                    let path = path.clone();
                    async move { Ok(BufReader::with_capacity(BUFFER, tokio::fs::File::open(path).await?)) }
                };
                Ok(Prepared { length, head, file: Base64File::new(Some(length), open), is_once: false })
            }
            Kind::Open { length, open } => {
                let head = head(&mut open().await?).await?;
                let open = open.clone();
                let file = Base64File::new(Some(*length), move || open());
                Ok(Prepared { length: *length, head, file, is_once: false })
            }
            Kind::Once { length, reader } => once(*length, reader).await,
        }
    }
}

async fn once(length: u64, reader: &Mutex<Option<Reader>>) -> io::Result<Prepared> {
    let taken = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut taken = taken.ok_or_else(spent)?;
    let head = head(&mut taken).await?;
    let whole: Reader = Box::pin(io::Cursor::new(head.clone()).chain(taken));
    let left = Arc::new(Mutex::new(Some(whole)));
    let open = move || {
        let reader = left.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(reader.ok_or_else(spent))
    };
    Ok(Prepared { length, head, file: Base64File::new(Some(length), open), is_once: true })
}

fn spent() -> io::Error {
    io::Error::other("this reader was read already; use `Source::opener` for one that can be opened again")
}

async fn head(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    reader.take(HEAD as u64).read_to_end(&mut head).await?;
    Ok(head)
}

/// How large a file may be, and until when a call waits for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<'c> {
    size: u64,
    clock: &'c dyn Clock,
    deadline: Duration,
}

impl<'c> Bounds<'c> {
    /// From now on, `time` long.
    pub(crate) fn new(size: u64, clock: &'c dyn Clock, time: Duration) -> Self {
        Self { size, clock, deadline: clock.elapsed().saturating_add(time) }
    }

    /// The end of the time, by the clock.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// What is left of the time.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_sub(self.clock.elapsed())
    }

    /// Waits for what is done with a file before anything is sent.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        within(self.clock, self.remaining(), work).await.ok_or_else(late)
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "read the file")
        .with_outcome(Outcome::NotSent)
        .with_message("the file to send did not come within the time of the call")
        .with_hint("nothing was sent; look at what the file is read from, or allow more time")
}

fn unreadable(message: &str, cause: io::Error) -> Error {
    Error::new(ErrorKind::Store, "read the file")
        .with_outcome(Outcome::NotSent)
        .with_message(format!("the file to send cannot be read: {message}"))
        .with_hint("nothing was sent; look at the cause")
        .with_source(cause)
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Bytes(bytes) => write!(f, "Source({} bytes)", bytes.len()),
            Kind::Path(path) => write!(f, "Source({})", path.display()),
            Kind::Open { length, .. } => write!(f, "Source({length} bytes, to be opened)"),
            Kind::Once { length, .. } => write!(f, "Source({length} bytes, once)"),
        }
    }
}

/// A file that was looked at and can be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) length: u64,
    head: Vec<u8>,
    pub(crate) file: Base64File,
    pub(crate) is_once: bool,
}

impl Prepared {
    fn check(&self, field: &str, file_name: &str, limit: u64, faults: &mut Faults) {
        if self.length == 0 {
            faults.push(Fault::error("FILE", field).with_expected("a file that is not empty"));
        }
        if self.length > limit {
            let fault = Fault::error("SIZE", field).with_expected(format!("at most {limit} bytes"));
            let hint = "the limit is a setting: `ClientBuilder::document_limit`";
            faults.push(fault.with_actual(self.length.to_string()).with_hint(hint));
        }
        check_type(&self.head, field, file_name, faults);
    }
}

const OLE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
const ZIP: &[u8] = b"PK";

/// What a file of a documented type begins with; `None` for a type that is not documented, nothing for one without a mark.
fn magic(extension: &str) -> Option<&'static [u8]> {
    match extension {
        "pdf" => Some(b"%PDF-"),
        "doc" | "xls" | "ppt" => Some(OLE),
        "docx" | "xlsx" | "zip" => Some(ZIP),
        "jpg" | "jpeg" => Some(&[0xff, 0xd8, 0xff]),
        "png" => Some(&[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a]),
        "csv" => Some(b""),
        _ => None,
    }
}

fn check_type(head: &[u8], field: &str, file_name: &str, faults: &mut Faults) {
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let Some(extension) = extension else {
        let hint = "add the extension: the service fails oddly without it";
        return faults.push(Fault::warning("TYPE", field).with_actual(file_name).with_hint(hint));
    };
    let Some(mark) = magic(&extension) else {
        let expected = "PDF, DOC, DOCX, XLS, XLSX, JPG, PNG, CSV, PPT or ZIP";
        return faults.push(Fault::warning("TYPE", field).with_expected(expected).with_actual(extension));
    };
    let is_text_with_nul = extension == "csv" && head.contains(&0);
    if !head.starts_with(mark) || is_text_with_nul {
        let fault =
            Fault::error("TYPE", field).with_expected(format!("the first bytes of a {extension} file"));
        faults.push(
            fault
                .with_actual(String::from_utf8_lossy(head))
                .with_hint("nothing was sent; is it the right file?"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(head: &[u8], name: &str) -> Vec<integration_core::Severity> {
        let mut faults = Faults::new();
        check_type(head, "file", name, &mut faults);
        faults.as_slice().iter().map(Fault::severity).collect()
    }

    #[test]
    fn the_first_bytes_must_fit_the_name() {
        use integration_core::Severity::{Error, Warning};
        for (head, name) in [
            (&b"%PDF-1.7"[..], "a.pdf"),
            (b"%PDF-1.7", "a.PDF"),
            (OLE, "a.doc"),
            (b"PK\x03\x04", "a.docx"),
            (b"\xff\xd8\xff\xe0", "a.jpg"),
            (b"\x89PNG\r\n\x1a\n", "a.png"),
            (b"a;b;c", "a.csv"),
        ] {
            assert!(checked(head, name).is_empty(), "{name}");
        }
        for (head, name) in [
            (&b"PK\x03\x04"[..], "a.pdf"),
            (b"%PD", "a.pdf"),
            (b"", "a.pdf"),
            (b"%PDF-1.7", "a.docx"),
            (b"a\0b", "a.csv"),
        ] {
            assert_eq!(checked(head, name), [Error], "{name}");
        }
        assert_eq!(checked(b"%PDF-1.7", "contract"), [Warning]);
        assert_eq!(checked(b"x", "a.odt"), [Warning]);
    }

    #[tokio::test]
    async fn a_reader_is_read_once_and_whole() {
        let source = Source::reader(12, io::Cursor::new("%PDF-1.7 abc"));
        let prepared = source.prepared().await.unwrap();
        assert_eq!(prepared.head, b"%PDF-1.7");
        assert!(source.prepared().await.is_err());
        let body = prepared.file.into_body("", "");
        assert_eq!(body.length(), Some(16));
        assert!(body.open().await.is_ok());
        assert!(body.open().await.is_err());
    }
}
