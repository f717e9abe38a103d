//! Files of an invoice: its PDF and its attachments, streamed to a writer or to a file on disk (contract 3.5 and 3.7, trap 18).
//!
//! The rules enforced here: nothing is written before the first bytes are those of the wanted kind; redirects are followed within the
//! host alone; a document that is still being made is "not ready", whatever the service says instead; a file on disk appears under its name
//! only when it is whole.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use http::header;
use integration_core::call::{AnswerStream, Operation, PartFile, Verdict};
use integration_core::{Answer, Error, ErrorKind, Outcome};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::Client;
use crate::desk::Ask;
use crate::error::{Judge, Reason, reason_of};
use crate::refusal::Refusal;

pub(super) const PDF: Operation = Operation::get("fetch the PDF of an invoice", "/invoices/{id}.pdf");
pub(super) const ZIP: Operation =
    Operation::get("fetch the attachments of an invoice", "/invoices/{id}/attachments_zip.json");

/// So many bytes are looked through for the beginning of a page that came in place of a file.
const BLANKS: usize = 1024;
const MOST_REDIRECTS: u32 = 3;
const LARGEST: u64 = 100 * 1024 * 1024;

/// Which print of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrintOption {
    /// `original`
    Original,
    /// `copy`
    Copy,
    /// `original_and_copy`
    OriginalAndCopy,
    /// `duplicate`
    Duplicate,
}

impl PrintOption {
    const fn wire(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Copy => "copy",
            Self::OriginalAndCopy => "original_and_copy",
            Self::Duplicate => "duplicate",
        }
    }
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// How many bytes were written.
    pub length: u64,
    /// Where, if it was saved to disk.
    pub path: Option<PathBuf>,
}

/// A file that is about to be fetched; at most 100 MiB unless set.
///
/// ```no_run
/// # async fn run(client: sugester::bitfactura::Client) -> Result<(), sugester::Error> {
/// use sugester::ErrorExt;
/// use sugester::bitfactura::PrintOption;
///
/// match client.invoice_pdf(881).print_option(PrintOption::Copy).save_to("881.pdf").await {
///     Ok(fetched) => println!("{} bytes", fetched.length),
///     Err(error) if error.is_not_ready() => println!("in a moment"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is fetched until it is written somewhere"]
pub struct File {
    client: Client,
    operation: Operation,
    ask: Ask,
    magic: &'static [u8],
    limit: u64,
}

impl File {
    fn new(client: &Client, operation: Operation, id: u64, magic: &'static [u8]) -> Self {
        let ask = Ask::new(operation.clone()).id(id);
        Self { client: client.clone(), operation, ask, magic, limit: LARGEST }
    }

    /// Which print; the service's default unless set. For PDFs alone.
    pub fn print_option(mut self, option: PrintOption) -> Self {
        self.ask = self.ask.query("print_option", option.wire());
        self
    }

    /// The largest file in bytes.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Writes it to `writer` as it arrives, and flushes.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe), but not repeated once `writer` has taken a byte (contract 3.5).
    ///
    /// # Errors
    /// [`is_not_ready`](crate::ErrorExt::is_not_ready) while the service is still making it;
    /// [`ErrorKind::UnexpectedAnswer`](integration_core::ErrorKind::UnexpectedAnswer) if it is of another kind, and
    /// [`ErrorKind::TooLarge`](integration_core::ErrorKind::TooLarge) beyond the limit; if the way there broke **bytes may have been
    /// written**; [`ErrorKind::Store`](integration_core::ErrorKind::Store) if the writer fails.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// let mut pdf = Vec::new();
    /// billing.invoice_pdf(id).write_to(&mut pdf).await?;
    /// assert!(pdf.starts_with(b"%PDF"));
    /// # Ok(()) });
    /// ```
    pub async fn write_to(&self, writer: &mut (impl AsyncWrite + Unpin + ?Sized)) -> Result<Fetched, Error> {
        let (first, mut body) = self.opened().await?;
        writer.write_all(&first).await.map_err(|cause| self.unsaved(cause))?;
        while let Some(chunk) = body.chunk().await? {
            writer.write_all(&chunk).await.map_err(|cause| self.unsaved(cause))?;
        }
        writer.flush().await.map_err(|cause| self.unsaved(cause))?;
        Ok(Fetched { length: body.length(), path: None })
    }

    /// Saves it under `path`, where it appears when it is whole. A file that is there is replaced.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5).
    ///
    /// # Errors
    /// As [`write_to`](Self::write_to); nothing is left behind.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing, folder) = (kit.invoice().await, kit.billing, tempfile::tempdir()?);
    /// let path = folder.path().join("invoice.pdf");
    /// billing.invoice_pdf(id).save_to(&path).await?;
    /// assert!(path.is_file());
    /// # Ok(()) });
    /// ```
    pub async fn save_to(&self, path: impl AsRef<Path>) -> Result<Fetched, Error> {
        let path = path.as_ref();
        let begun = PartFile::beside(path, &**self.client.clock()).await;
        let mut part = begun.map_err(|cause| self.unsaved(cause))?;
        let fetched = self.write_to(part.file()).await?;
        part.replace(path).await.map_err(|cause| self.unsaved(cause))?;
        Ok(Fetched { path: Some(path.to_owned()), ..fetched })
    }

    /// The first bytes, which are those of the wanted kind, and the rest.
    async fn opened(&self) -> Result<(BytesMut, AnswerStream), Error> {
        let desk = &self.client.desk;
        let ask =
            self.ask.clone().map(|call| call.follow_redirects(MOST_REDIRECTS).header(header::ACCEPT, "*/*"));
        let call = desk.dressed(&ask)?;
        let judge = desk.judge(&self.operation, false);
        // Harmless to note twice, as a judge may be asked twice.
        let redirected = AtomicBool::new(false);
        let judged = |answer: &Answer| {
            redirected.fetch_or(answer.status().is_redirection(), Ordering::Relaxed);
            self.judge(judge, answer)
        };
        let opened = desk.caller().open(&call, self.limit, judged).await;
        let (_, head, mut body) =
            opened.map_err(|error| self.not_ready_if(redirected.into_inner(), error))?.into_parts();
        let mut first = BytesMut::new();
        while first.len() < self.magic.len() {
            let Some(chunk) = body.chunk().await? else { break };
            first.extend_from_slice(&chunk);
        }
        if first.starts_with(self.magic) {
            return Ok((first, body));
        }
        // A page may begin with blanks, and in whatever pieces the network makes of them.
        while first.len() < BLANKS && first.trim_ascii().is_empty() {
            let Some(chunk) = body.chunk().await? else { break };
            first.extend_from_slice(&chunk);
        }
        first.truncate(BLANKS);
        Err(self.another_kind(&first, head))
    }

    /// Of a success the head alone; HTML or JSON in its place is read and judged.
    fn judge(&self, judge: Judge<'_>, answer: &Answer) -> Verdict<()> {
        let is_page =
            answer.content_type().is_some_and(|kind| kind.contains("html") || kind.contains("json"));
        match answer.status().as_u16() {
            200..=299 if answer.is_head() && !is_page => Verdict::Accept(()),
            // Not a verdict yet: the body is still to be read.
            200..=299 if answer.is_head() => judge.by_status(answer),
            200..=299 => match judge.whole(answer, |_| Err::<(), _>(not_a_file())) {
                Verdict::Doubt { .. } if !answer.text().trim_start().starts_with(['{', '[']) => {
                    self.not_ready(judge, answer)
                }
                verdict => verdict,
            },
            422 => self.unprocessable(judge, answer),
            _ => judge.by_status(answer),
        }
    }

    /// In the making, unless it says what will not pass: asking again would go on for ever.
    fn unprocessable(&self, judge: Judge<'_>, answer: &Answer) -> Verdict<()> {
        let said = answer.json().map(|value| Refusal::read(&value)).unwrap_or_default();
        match reason_of(answer, &said) {
            reason @ (Reason::NoAccount | Reason::MultipassFailed) => {
                Verdict::Refuse(judge.refused(answer, said, reason))
            }
            _ => self.not_ready(judge, answer),
        }
    }

    fn not_ready(&self, judge: Judge<'_>, answer: &Answer) -> Verdict<()> {
        let said = answer.json().map(|value| Refusal::read(&value)).unwrap_or_default();
        Verdict::Refuse(judge.refused(answer, said, Reason::NotReady))
    }

    /// A redirect that leads away, or to a page that is not there, leads to whatever stands for the file until it is made.
    fn not_ready_if(&self, redirected: bool, error: Error) -> Error {
        let is_lost = |answer: &&Answer| answer.status().is_redirection() || answer.status().as_u16() == 404;
        let Some(answer) = error.answer().filter(is_lost).filter(|_| redirected).cloned() else {
            return error;
        };
        let judge = self.client.desk.judge(&self.operation, false);
        let message = error.message().unwrap_or_default().to_owned();
        judge
            .refused(&answer, Refusal::default(), Reason::NotReady)
            .with_message(message)
            .with_outcome(error.outcome())
            .with_answer(answer)
    }

    fn another_kind(&self, first: &[u8], head: Answer) -> Error {
        if first.trim_ascii_start().starts_with(b"<") {
            let judge = self.client.desk.judge(&self.operation, false);
            let error = judge.refused(&head, Refusal::default(), Reason::NotReady);
            return error.with_outcome(Outcome::ReadOnly).with_answer(head);
        }
        Error::new(ErrorKind::UnexpectedAnswer, self.operation.name)
            .with_outcome(Outcome::ReadOnly)
            .with_message("the answer does not begin as the wanted file does")
            .with_hint("nothing was written; look at the invoice in the service")
            .with_answer(head)
    }

    fn unsaved(&self, cause: std::io::Error) -> Error {
        Error::new(ErrorKind::Store, self.operation.name)
            .with_outcome(Outcome::ReadOnly)
            .with_message("the file could not be written")
            .with_hint("look at the cause: the service did its part")
            .with_source(cause)
    }
}

fn not_a_file() -> integration_core::body::fields::Unreadable {
    integration_core::body::fields::Unreadable::new("answer", "a file")
}

impl Client {
    /// The PDF of an invoice.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5); nothing is sent before one of its functions is awaited.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// let mut pdf = Vec::new();
    /// billing.invoice_pdf(id).write_to(&mut pdf).await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias = "factura en pdf")]
    pub fn invoice_pdf(&self, id: u64) -> File {
        File::new(self, PDF, id, b"%PDF-")
    }

    /// All attachments of an invoice as one ZIP.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5); nothing is sent before one of its functions is awaited.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// # billing.attach_to_invoice(id, "Orden_0042.pdf", b"%PDF-1.7 ...").await?;
    /// let mut zip = Vec::new();
    /// billing.invoice_attachments(id).write_to(&mut zip).await?;
    /// # Ok(()) });
    /// ```
    pub fn invoice_attachments(&self, id: u64) -> File {
        File::new(self, ZIP, id, b"PK")
    }
}
