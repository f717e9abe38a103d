//! Fetching a file: to any writer or to a file on disk, verified (contract 3.4, 4.12; 3.1 rows 6 and 8).
//!
//! The rules enforced here: nothing is written before the first bytes are those of a PDF (unless any type is wanted); credentials go
//! only to the host of the API; a file on disk appears under its name only when it is whole, and nothing is left of one that is not.

use std::path::{Path, PathBuf};

use integration_core::body::base64::NotBase64;
use integration_core::call::{AnswerStream, Intake, Link, NotTaken, Operation, PartFile, Verdict};
use integration_core::{Answer, Error, ErrorKind, Outcome};
use tokio::io::AsyncWrite;

use super::DETAIL;
use super::detail::{Detail, file_field};
use crate::client::{Api, Ask, Client};
use crate::error::Judge;
use crate::id::DocumentId;

const FETCH: Operation = Operation::get("fetch a file", "");
pub(crate) const MEDIA: Operation = Operation::get("fetch a file", "/{GUID}");

const PDF: &[u8] = b"%PDF-";
const PDF_END: &[u8] = b"%%EOF";

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
    /// Idempotency: [`Safe`](crate::Idempotency::Safe), nothing is sent before one of its `to_…` functions is awaited.
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
    #[doc(alias("descargar", "documento firmado"))]
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

    /// The address of a document's file (assumed, contract 3.4): absolute as it is; `/media/...` at the host of files; else below the
    /// media base.
    fn file_link(&self, text: &str) -> Result<Link, Error> {
        if is_absolute(text) {
            return Link::parse(text);
        }
        let base = self.media().join("/");
        let (below, relative) = match text.starts_with(FROM_ROOT) {
            true => (FROM_ROOT, text.to_owned()),
            // With a dot before it, so that neither a colon nor a second slash makes it anything but a path.
            false => (base.path(), format!("./{}", text.trim_start_matches('/'))),
        };
        let url = base.join(&relative).map_err(|_| unusable("it cannot be read"))?;
        if url.origin() == base.origin() && url.path().starts_with(below) {
            Link::of(&url)
        } else {
            Err(unusable("it leads elsewhere"))
        }
    }
}

const FROM_ROOT: &str = "/media/";

/// Whether a scheme stands before it. A colon alone is none: it may be part of a name.
fn is_absolute(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once("://") else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn unusable(message: impl Into<String>) -> Error {
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
    /// Idempotency: [`Safe`](crate::Idempotency::Safe), but not repeated once `writer` has taken a byte (contract 3.1 row 6).
    ///
    /// # Errors
    /// As every call; [`ErrorKind::UnexpectedAnswer`] if it is no PDF, and then nothing was written;
    /// [`ErrorKind::TooLarge`] beyond the client's limit; [`ErrorKind::Store`] if the writer fails.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, client) = (kit.guid().await, kit.client);
    /// let mut file = Vec::new();
    /// let fetched = client.download(&guid).to_writer(&mut file).await?;
    /// assert_eq!(fetched.length, file.len() as u64);
    /// # Ok(()) });
    /// ```
    pub async fn to_writer(
        &self,
        writer: &mut (impl AsyncWrite + Unpin + Send + ?Sized),
    ) -> Result<Fetched, Error> {
        let beginning = if self.any_type { b"" } else { PDF };
        let mut intake = Intake::new(writer, self.client.rules().document_limit).beginning_with(beginning);
        let from = Box::pin(self.fetch(&mut intake)).await?;
        let (length, ends_as_pdf) = (intake.length(), intake.tail().trim_ascii_end().ends_with(PDF_END));
        let sha256 = intake.finish().await.map_err(not_taken)?;
        Ok(Fetched { length, sha256, ends_as_pdf, from, path: None })
    }

    /// Saves the file under `path`. It is written under a temporary name beside it and moved there when it is whole; after a
    /// failure nothing is left.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1 row 6).
    ///
    /// # Errors
    /// As [`to_writer`](Self::to_writer); [`ErrorKind::Store`] if there is such a file already.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, client, folder) = (kit.guid().await, kit.client, tempfile::tempdir()?);
    /// let path = folder.path().join("signed.pdf");
    /// let fetched = client.download(&guid).to_file(&path).await?;
    /// assert_eq!(std::fs::metadata(&path)?.len(), fetched.length);
    /// # Ok(()) });
    /// ```
    pub async fn to_file(&self, path: impl AsRef<Path>) -> Result<Fetched, Error> {
        let path = path.as_ref();
        if !self.overwrite && tokio::fs::try_exists(path).await.map_err(unsaved)? {
            return Err(unsaved(std::io::ErrorKind::AlreadyExists.into()));
        }
        let clock = self.client.caller(Api::V1).clock().clone();
        let mut part = PartFile::beside(path, &*clock).await.map_err(unsaved)?;
        let fetched = self.to_writer(part.file()).await?;
        let saved = if self.overwrite { part.replace(path).await } else { part.keep_new(path).await };
        saved.map_err(unsaved)?;
        Ok(Fetched { path: Some(path.to_owned()), ..fetched })
    }

    /// Saves the file in `folder` as `{GUID}_{file_name}`, so that no two documents have one name.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1 row 6).
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, client, folder) = (kit.guid().await, kit.client, tempfile::tempdir()?);
    /// client.download(&guid).to_folder(folder.path()).await?;
    /// assert!(folder.path().join(format!("{guid}_Contrato_ClienteX_2025.pdf")).is_file());
    /// # Ok(()) });
    /// ```
    pub async fn to_folder(&self, folder: impl AsRef<Path>) -> Result<Fetched, Error> {
        let detail = self.client.detail(&self.guid).await?;
        let name = detail.document.file_name.unwrap_or_default();
        self.to_file(folder.as_ref().join(safe_name(self.guid.as_str(), &name))).await
    }

    /// Tries one place after another while the service says that it is not there, and nothing was written.
    async fn fetch<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        intake: &mut Intake<'_, W>,
    ) -> Result<FetchedFrom, Error> {
        let client = &self.client;
        if self.signed_page {
            let path = client.rules().download_path;
            let ask = Ask::v1(Operation::get("fetch a signed file", path)).param("GUID", &self.guid);
            match self.stream(ask, intake).await {
                Err(error) if error.is_not_found() => {}
                result => return result.map(|()| FetchedFrom::SignDownload),
            }
        }
        let detail = client.detail(&self.guid).await?;
        let address = detail.document.document.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let mut misfit = None;
        match address.map(|text| client.file_link(text)) {
            None => {}
            Some(Err(error)) => misfit = Some(error),
            Some(Ok(link)) => match self.stream(Ask::at(FETCH, &link), intake).await {
                Err(error) if is_elsewhere(&error) && intake.is_untouched() => {}
                result => return result.map(|()| FetchedFrom::Document),
            },
        }
        let ask = Ask::v1(MEDIA).param("GUID", &self.guid).to(client.media());
        match self.stream(ask, intake).await {
            Err(error) if is_elsewhere(&error) && intake.is_untouched() => {
                self.inline(&detail, intake, nowhere(misfit, error)).await
            }
            result => result.map(|()| FetchedFrom::Media),
        }
    }

    async fn stream<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        ask: Ask,
        intake: &mut Intake<'_, W>,
    ) -> Result<(), Error> {
        let accept = |call: integration_core::call::Call| call.header(http::header::ACCEPT, "*/*");
        let limit = self.client.rules().document_limit;
        let mut opened = self.client.open(ask.carries_document().map(accept), limit).await?;
        opened.body.pour(intake).await.map_err(unfetched)
    }

    /// The file from the detail: from the answer that is there, or streamed.
    async fn inline<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        detail: &Detail,
        intake: &mut Intake<'_, W>,
        missing: Error,
    ) -> Result<FetchedFrom, Error> {
        if let Some(inline) = &detail.base64 {
            intake.push(inline.decode()?).await.map_err(not_taken)?;
            intake.settle().map_err(not_taken)?;
            return Ok(FetchedFrom::Detail);
        }
        if detail.files_left_out && self.sieved(intake).await? {
            return Ok(FetchedFrom::Detail);
        }
        Err(missing)
    }

    /// Whether the detail, asked for once more, has the file.
    async fn sieved<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        intake: &mut Intake<'_, W>,
    ) -> Result<bool, Error> {
        let ask = Ask::v1(DETAIL).param("GUID", &self.guid).carries_document();
        let opened = self.client.open(ask, u64::MAX).await?;
        let taken = file_field().take(&opened.head, opened.body, intake).await.map_err(unfetched)?;
        self.client.judged(&taken.rest, &self.guid).map_err(|error| taken.without_secrets(error))?;
        Ok(taken.is_found)
    }
}

/// What core says of a body that is not the file, in the words of this operation.
fn unfetched(error: Error) -> Error {
    match error.find_source::<NotTaken>() {
        Some(NotTaken::Beginning) => not_pdf(),
        Some(NotTaken::TooLarge(limit)) => not_taken(NotTaken::TooLarge(*limit)),
        _ if error.kind() == ErrorKind::Store => error.with_operation(FETCH.name).with_message(UNSAVED),
        _ if error.find_source::<NotBase64>().is_some() => {
            unusable("the document's file is not in base64").with_source(NotBase64)
        }
        _ => error,
    }
}

fn not_taken(cause: NotTaken) -> Error {
    match cause {
        NotTaken::Beginning => not_pdf(),
        NotTaken::Writer(cause) => unsaved(cause),
        other => {
            let error = Error::new(ErrorKind::TooLarge, FETCH.name).with_outcome(Outcome::ReadOnly);
            error.with_message(other.to_string()).with_source(other)
        }
    }
}

/// An address that could not be asked is not a file that is not there, and whoever reads the error must know.
fn nowhere(misfit: Option<Error>, missing: Error) -> Error {
    let Some(misfit) = misfit else { return missing };
    let why = misfit.message().unwrap_or("it cannot be read");
    unusable(format!("the document's address was not used ({why}), and its file is in no other place"))
        .with_hint("look at the field `document` of its detail; nothing was written")
        .with_source(missing)
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

const UNSAVED: &str = "the file could not be written";

fn unsaved(cause: std::io::Error) -> Error {
    let message = match cause.kind() {
        std::io::ErrorKind::AlreadyExists => "there is such a file already; `overwrite` replaces it",
        _ => UNSAVED,
    };
    Error::new(ErrorKind::Store, FETCH.name)
        .with_outcome(Outcome::ReadOnly)
        .with_message(message)
        .with_hint("look at the cause: the service did its part")
        .with_source(cause)
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
}
