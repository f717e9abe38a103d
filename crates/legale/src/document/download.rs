//! Fetching a file: to any writer or to a file on disk, verified (contract 3.4, 4.12; 3.1 rows 6 and 8).
//!
//! The rules enforced here: nothing is written before the first bytes are those of a PDF (unless any type is wanted); credentials go
//! only to the host of the API; a file on disk appears under its name only when it is whole, and nothing is left of one that is not.

use std::path::{Path, PathBuf};

use integration_core::call::{AnswerStream, Link, Operation, Verdict};
use integration_core::{Answer, Error, ErrorKind, Outcome};
use ring::digest::{self, SHA256};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::DETAIL;
use super::base64::{Decoder, NotBase64};
use super::detail::{Detail, KEPT_LIMIT, too_large};
use super::sieve::{Overflow, Sieve};
use crate::client::{Api, Ask, Client};
use crate::error::Judge;
use crate::id::DocumentId;

const FETCH: Operation = Operation::get("fetch a file", "");
pub(crate) const MEDIA: Operation = Operation::get("fetch a file", "/{GUID}");

const PDF: &[u8] = b"%PDF-";
const PDF_END: &[u8] = b"%%EOF";

/// How much of a file's end is looked at.
const TAIL: usize = 64;

/// Where a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchedFrom {
    /// At the address in the field `document`.
    Document,
    /// At `{media}/{GUID}` (observed).
    Media,
    /// In the `base64` of the detail.
    Detail,
    /// At the path of signed files (assumed).
    SignDownload,
}

/// A fetched file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// How many bytes were written.
    pub length: u64,
    /// Their SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Whether it ends in `%%EOF`, blanks after that aside, as a whole PDF should. If not, the service may have given half a file in
    /// an answer that was whole: no length gives that away.
    pub ends_as_pdf: bool,
    /// Where the file was found.
    pub from: FetchedFrom,
    /// Where it was saved, if it was saved to disk.
    pub path: Option<PathBuf>,
}

/// A download that is being put together; see [`Client::download`].
#[derive(Debug, Clone)]
#[must_use = "nothing is fetched until it is written somewhere"]
pub struct Download {
    client: Client,
    guid: DocumentId,
    any_type: bool,
    signed_page: bool,
    overwrite: bool,
}

impl Client {
    /// Fetches a document's file: from the address in its detail, else from `{media}/{GUID}`, else from the detail's own base64
    /// (contract 3.1 row 6).
    ///
    /// ```
    /// # use legale::{Client, Credential, Environment, Source, Upload};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = integration_sandbox::Sandbox::start().await?;
    /// # let (url, key) = (sandbox.legale().base_url().to_owned(), sandbox.legale().api_key().to_owned());
    /// # let client = Client::builder().environment(Environment::root(&url)?).credential(Credential::api_key(key)).build()?;
    /// # let file = Source::bytes("%PDF-1.7 ...");
    /// # let created = client.create(&Upload::new("Contrato_ClienteX_2025.pdf", "Contrato de arriendo", file)).await?;
    /// let mut file = Vec::new();
    /// let fetched = client.download(&created.document.guid).to_writer(&mut file).await?;
    /// assert_eq!(fetched.length, file.len() as u64);
    /// # Ok(())
    /// # }
    /// ```
    pub fn download(&self, guid: &DocumentId) -> Download {
        let (any_type, signed_page, overwrite) = (false, false, false);
        Download { client: self.clone(), guid: guid.clone(), any_type, signed_page, overwrite }
    }

    /// Makes the call and hands on its body as it comes, after redirects and a judged head.
    pub(super) async fn open(&self, ask: Ask, limit: u64) -> Result<Opened, Error> {
        let caller = self.caller(Api::V1);
        let clock = caller.clock().clone();
        let judge = Judge { operation: &ask.operation, clock: &*clock, may_be_empty: false };
        let call = self.dressed(&ask, ask.call.clone());
        let streamed = caller.open(&call, limit, |answer| head(judge, answer)).await?;
        let ((), head, body) = streamed.into_parts();
        Ok(Opened { head, body })
    }

    /// The address of a document's file (assumed, contract 3.4): absolute as it is; from the root at the host of the API; else below
    /// the media base.
    fn file_link(&self, text: &str) -> Result<Link, Error> {
        let text = text.trim();
        if text.starts_with("https://") || text.starts_with("http://") {
            return Link::parse(text);
        }
        let base = self.media();
        let url = base.join("/").join(text).map_err(|_| unusable("the document's address cannot be read"))?;
        let link = Link::of(&url)?;
        // `//host` is another host in disguise.
        if link.base().has_origin_of(base) {
            Ok(link)
        } else {
            Err(unusable("the document's address leads elsewhere"))
        }
    }
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::UnexpectedAnswer, FETCH.name).with_outcome(Outcome::ReadOnly).with_message(message)
}

fn head(judge: Judge<'_>, answer: &Answer) -> Verdict<()> {
    if answer.status().is_success() {
        return Verdict::Accept(());
    }
    judge.whole(answer, |_| Ok(()))
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) head: Answer,
    pub(super) body: AnswerStream,
}

impl Download {
    /// Takes files of any type. Otherwise one that does not begin with `%PDF-` is an error, since a signed file is a PDF and a page
    /// that asks to log in is none.
    pub fn any_type(mut self) -> Self {
        self.any_type = true;
        self
    }

    /// Asks first at the path of signed files, which is assumed to exist; a 404 falls back to the others (contract 3.1 row 8).
    pub fn from_sign_download(mut self) -> Self {
        self.signed_page = true;
        self
    }

    /// Replaces a file that is there. Otherwise [`to_file`](Self::to_file) and [`to_folder`](Self::to_folder) leave it alone and fail.
    pub fn overwrite(mut self) -> Self {
        self.overwrite = true;
        self
    }

    /// Writes the file to `writer` as it arrives and flushes it. After an error part of it may have been written.
    ///
    /// # Errors
    /// As every call; [`ErrorKind::UnexpectedAnswer`] if it is no PDF, and then nothing was written;
    /// [`ErrorKind::TooLarge`] beyond the client's limit; [`ErrorKind::Store`] if the writer fails.
    pub async fn to_writer(
        &self,
        writer: &mut (impl AsyncWrite + Unpin + Send + ?Sized),
    ) -> Result<Fetched, Error> {
        let mut sink = Sink::new(writer, !self.any_type, self.client.rules().document_limit);
        let from = Box::pin(self.fetch(&mut sink)).await?;
        let ends_as_pdf = sink.ends_as_pdf();
        let (length, sha256) = sink.finish().await?;
        Ok(Fetched { length, sha256, ends_as_pdf, from, path: None })
    }

    /// Saves the file under `path`. It is written under a temporary name beside it and moved there when it is whole; after a
    /// failure nothing is left.
    ///
    /// # Errors
    /// As [`to_writer`](Self::to_writer); [`ErrorKind::Store`] if there is such a file already.
    pub async fn to_file(&self, path: impl AsRef<Path>) -> Result<Fetched, Error> {
        let path = path.as_ref();
        if !self.overwrite && tokio::fs::try_exists(path).await.map_err(unsaved)? {
            return Err(unsaved(std::io::ErrorKind::AlreadyExists.into()));
        }
        let (part, mut file) = self.part(path).await?;
        let fetched = self.to_writer(&mut file).await?;
        file.sync_all().await.map_err(unsaved)?;
        drop(file);
        part.move_to(path, self.overwrite).map_err(unsaved)?;
        Ok(Fetched { path: Some(path.to_owned()), ..fetched })
    }

    /// Saves the file in `folder` as `{GUID}_{file_name}`, so that no two documents have one name.
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    pub async fn to_folder(&self, folder: impl AsRef<Path>) -> Result<Fetched, Error> {
        let detail = self.client.detail(&self.guid).await?;
        let name = detail.document.file_name.unwrap_or_default();
        self.to_file(folder.as_ref().join(safe_name(self.guid.as_str(), &name))).await
    }

    async fn part(&self, path: &Path) -> Result<(Part, tokio::fs::File), Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let chance = self.client.caller(Api::V1).clock().random().to_bits();
        let part = path.with_file_name(format!(".{name}.{chance:x}.part"));
        let options = tokio::fs::OpenOptions::new().write(true).create_new(true).open(&part).await;
        // Only what was made here is taken away again: another download may be writing under this name.
        let file = options.map_err(unsaved)?;
        Ok((Part(part), file))
    }

    /// Tries one place after another while the service says that it is not there, and nothing was written.
    async fn fetch<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        sink: &mut Sink<'_, W>,
    ) -> Result<FetchedFrom, Error> {
        let client = &self.client;
        if self.signed_page {
            let path = client.rules().download_path;
            let ask = Ask::v1(Operation::get("fetch a signed file", path)).param("GUID", &self.guid);
            match self.stream(ask, sink).await {
                Err(error) if error.is_not_found() => {}
                result => return result.map(|()| FetchedFrom::SignDownload),
            }
        }
        let detail = client.detail(&self.guid).await?;
        if let Some(link) =
            detail.document.document.as_deref().map(|text| client.file_link(text)).transpose()?
        {
            match self.stream(Ask::at(FETCH, &link), sink).await {
                Err(error) if is_elsewhere(&error) && sink.is_untouched() => {}
                result => return result.map(|()| FetchedFrom::Document),
            }
        }
        let ask = Ask::v1(MEDIA).param("GUID", &self.guid).to(client.media());
        match self.stream(ask, sink).await {
            Err(error) if is_elsewhere(&error) && sink.is_untouched() => {
                self.inline(&detail, sink, error).await
            }
            result => result.map(|()| FetchedFrom::Media),
        }
    }

    async fn stream<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        ask: Ask,
        sink: &mut Sink<'_, W>,
    ) -> Result<(), Error> {
        let accept = |call: integration_core::call::Call| call.header(http::header::ACCEPT, "*/*");
        let mut opened = self.client.open(ask.carries_document().map(accept), sink.limit).await?;
        while let Some(chunk) = opened.body.chunk().await? {
            sink.push(&chunk).await?;
        }
        sink.settle()
    }

    /// The file from the detail: from the answer that is there, or streamed.
    async fn inline<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        detail: &Detail,
        sink: &mut Sink<'_, W>,
        missing: Error,
    ) -> Result<FetchedFrom, Error> {
        if let Some(inline) = &detail.base64 {
            sink.push(&inline.decode()?).await?;
            sink.settle()?;
            return Ok(FetchedFrom::Detail);
        }
        if !detail.files_left_out {
            return Err(missing);
        }
        self.sieved(sink).await?;
        Ok(FetchedFrom::Detail)
    }

    async fn sieved<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        sink: &mut Sink<'_, W>,
    ) -> Result<(), Error> {
        let ask = Ask::v1(DETAIL).param("GUID", &self.guid).carries_document();
        let mut opened = self.client.open(ask, u64::MAX).await?;
        let (mut sieve, mut decoder) = (Sieve::new(KEPT_LIMIT), Decoder::default());
        let (mut text, mut bytes) = (Vec::new(), Vec::new());
        while let Some(chunk) = opened.body.chunk().await? {
            text.clear();
            bytes.clear();
            sieve.read(&chunk, &mut text).map_err(|Overflow| too_large(DETAIL.name))?;
            decoder.read(&text, &mut bytes).map_err(not_base64)?;
            sink.push(&bytes).await?;
        }
        bytes.clear();
        decoder.finish(&mut bytes).map_err(not_base64)?;
        sink.push(&bytes).await?;
        let found = sieve.handed_on > 0;
        self.client.judged(&opened.head, sieve)?;
        if found { sink.settle() } else { Err(unusable("the document has no file")) }
    }
}

fn not_base64(cause: NotBase64) -> Error {
    unusable("the document's file is not in base64").with_source(cause)
}

/// Not there, or not for us there: another place may have it.
fn is_elsewhere(error: &Error) -> bool {
    error.is_not_found()
        || error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 403 | 410))
        || error.find_source::<NotPdf>().is_some()
}

/// What was fetched is no PDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file does not begin with %PDF-")]
pub(crate) struct NotPdf;

fn not_pdf() -> Error {
    unusable("the file does not begin with %PDF-; nothing was written")
        .with_hint("use `any_type` for files that are no PDF")
        .with_source(NotPdf)
}

/// Writes what comes, once its beginning is what it should be.
struct Sink<'w, W: ?Sized> {
    writer: &'w mut W,
    hash: digest::Context,
    length: u64,
    limit: u64,
    /// The first bytes, while they are still too few to tell.
    held: Option<Vec<u8>>,
    /// The last bytes that were written.
    tail: Vec<u8>,
}

impl<'w, W: AsyncWrite + Unpin + Send + ?Sized> Sink<'w, W> {
    fn new(writer: &'w mut W, expects_pdf: bool, limit: u64) -> Self {
        let held = expects_pdf.then(Vec::new);
        Self { writer, hash: digest::Context::new(&SHA256), length: 0, limit, held, tail: Vec::new() }
    }

    fn is_untouched(&self) -> bool {
        self.length == 0
    }

    async fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(held) = &mut self.held else { return self.write(bytes).await };
        held.extend_from_slice(bytes);
        if held.len() < PDF.len() {
            return Ok(());
        }
        if !held.starts_with(PDF) {
            held.clear();
            return Err(not_pdf());
        }
        let held = self.held.take().unwrap_or_default();
        self.write(&held).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length > self.limit {
            let error = Error::new(ErrorKind::TooLarge, FETCH.name).with_outcome(Outcome::ReadOnly);
            return Err(error.with_message(format!("the file is larger than {} bytes", self.limit)));
        }
        self.hash.update(bytes);
        self.remember_tail(bytes);
        self.writer.write_all(bytes).await.map_err(unsaved)
    }

    fn remember_tail(&mut self, bytes: &[u8]) {
        let last = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
        let surplus = self.tail.len().saturating_add(last.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(last);
    }

    fn ends_as_pdf(&self) -> bool {
        self.tail.trim_ascii_end().ends_with(PDF_END)
    }

    /// The end of one place's file: what was too short to tell is no PDF.
    fn settle(&mut self) -> Result<(), Error> {
        match &mut self.held {
            None => Ok(()),
            Some(held) => {
                held.clear();
                Err(not_pdf())
            }
        }
    }

    async fn finish(self) -> Result<(u64, String), Error> {
        self.writer.flush().await.map_err(unsaved)?;
        let digest = self.hash.finish();
        Ok((self.length, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

fn unsaved(cause: std::io::Error) -> Error {
    let message = match cause.kind() {
        std::io::ErrorKind::AlreadyExists => "there is such a file already; `overwrite` replaces it",
        _ => "the file could not be written",
    };
    Error::new(ErrorKind::Store, FETCH.name)
        .with_outcome(Outcome::ReadOnly)
        .with_message(message)
        .with_hint("look at the cause: the service did its part")
        .with_source(cause)
}

/// A file under its temporary name, removed unless it is moved.
#[derive(Debug)]
struct Part(PathBuf);

impl Part {
    /// A hard link is the one way to a name that must not be taken; where there is none, a look and a rename have to do.
    fn move_to(self, path: &Path, overwrite: bool) -> std::io::Result<()> {
        if !overwrite {
            match std::fs::hard_link(&self.0, path) {
                Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => return Err(cause),
                Err(_) if path.exists() => return Err(std::io::ErrorKind::AlreadyExists.into()),
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
        }
        std::fs::rename(&self.0, path)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already if it was renamed.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `{GUID}_{file_name}` with nothing that leads out of a folder, of at most 200 bytes.
fn safe_name(guid: &str, name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '-' } else { c };
    let whole: String = format!("{guid}_{name}").trim_end_matches('_').chars().map(safe).collect();
    let mut cut = whole.len();
    while cut > 200 || !whole.is_char_boundary(cut) {
        cut = cut.saturating_sub(1);
    }
    let short = whole.get(..cut).unwrap_or_default();
    if short.trim_matches('.').is_empty() {
        "document".to_owned()
    } else {
        short.trim_start_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_the_guid_and_lead_nowhere() {
        assert_eq!(safe_name("g1", "Contrato.pdf"), "g1_Contrato.pdf");
        assert_eq!(safe_name("../../g", "../../etc/passwd"), "-..-g_passwd");
        assert_eq!(safe_name("..", ""), "document");
        assert_eq!(safe_name("g", ""), "g");
        assert!(safe_name("g", &"ñ".repeat(300)).len() <= 200);
    }

    async fn sunk(pieces: &[&[u8]], pdf: bool, limit: u64) -> (Result<(), ErrorKind>, Vec<u8>) {
        let mut out = Vec::new();
        let mut sink = Sink::new(&mut out, pdf, limit);
        let mut result = Ok(());
        for piece in pieces {
            if result.is_ok() {
                result = sink.push(piece).await.map_err(|error| error.kind());
            }
        }
        let result = result.and_then(|()| sink.settle().map_err(|error| error.kind()));
        (result, out)
    }

    #[tokio::test]
    async fn nothing_is_written_before_it_is_known_to_be_a_pdf() {
        assert_eq!(sunk(&[b"%P", b"DF", b"-1", b"x"], true, 99).await, (Ok(()), b"%PDF-1x".to_vec()));
        for bad in [&[&b"<html>"[..]][..], &[b"%PD"], &[], &[b"%", b"XXXXXX"]] {
            assert_eq!(sunk(bad, true, 99).await, (Err(ErrorKind::UnexpectedAnswer), Vec::new()));
        }
        assert_eq!(sunk(&[b"<html>"], false, 99).await, (Ok(()), b"<html>".to_vec()));
        assert_eq!(sunk(&[b"%PDF-1", b"234"], true, 8).await.0, Err(ErrorKind::TooLarge));
    }
}
