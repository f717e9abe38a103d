//! A file in a field of a JSON answer, decoded to a writer while the answer arrives.

use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::decode::{Decoder, NotBase64};
use super::sieve::{Names, Overflow, Sieve};
use crate::call::{Answer, AnswerStream, Intake};
use crate::{Error, ErrorKind};

const KEPT_LIMIT: usize = 1024 * 1024;

/// Finds one field of an answer and writes the file that it holds in base64 to a writer, while the answer arrives: memory
/// does not grow with the file.
///
/// What stands around the file is kept and can be read afterwards: [`Taken::rest`] is the same JSON, with `true` in place of every
/// text that was taken out.
///
/// ```no_run
/// use integration_core::body::base64::FieldToWriter;
/// use integration_core::call::{Call, Caller, Intake, Operation, Verdict};
///
/// const DETAIL: Operation = Operation::get("read a document", "/documents/{id}");
///
/// # async fn run(caller: Caller, mut file: Vec<u8>) -> Result<(), integration_core::Error> {
/// let call = Call::new(DETAIL).param("id", 7);
/// let (_, head, body) = caller.open(&call, u64::MAX, Verdict::<()>::success).await?.into_parts();
/// let mut intake = Intake::new(&mut file, 100 << 20).beginning_with(b"%PDF-");
/// let taken = FieldToWriter::new("content").below("data").take(&head, body, &mut intake).await?;
/// let detail: serde_json::Value = taken.rest.json()?;
/// if taken.is_found {
///     println!("{} bytes", intake.length());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct FieldToWriter {
    names: Names,
    kept_limit: usize,
}

/// What is left of an answer whose file was taken out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Taken {
    /// The answer without the texts that were taken out, yet to be judged.
    pub rest: Answer,
    /// Whether there was a text in the field; an empty one, which stays in the rest, is none.
    pub is_found: bool,
}

impl FieldToWriter {
    /// The file in the field `name` at the top of the answer. Texts of that name elsewhere are left out.
    pub fn new(name: &'static str) -> Self {
        let names = Names { wanted: name, parents: Vec::new(), left_out: Vec::new() };
        Self { names, kept_limit: KEPT_LIMIT }
    }

    /// The field may as well stand in the object `parent` at the top.
    pub fn below(mut self, parent: &'static str) -> Self {
        self.names.parents.push(parent);
        self
    }

    /// Leaves out texts under `name` too, wherever they are: other files that nobody asked for.
    pub fn leaving_out(mut self, name: &'static str) -> Self {
        self.names.left_out.push(name);
        self
    }

    /// How many bytes of the rest are kept at most; 1 MiB unless it is said.
    pub fn keeping(mut self, limit: usize) -> Self {
        self.kept_limit = limit;
        self
    }

    /// Reads the whole answer; its file goes to `intake`.
    ///
    /// # Errors
    /// As [`AnswerStream::chunk`] and [`AnswerStream::pour`];
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) if the rest is larger than its limit;
    /// [`ErrorKind::UnexpectedAnswer`](crate::ErrorKind::UnexpectedAnswer), with [`NotBase64`] as its source, if the text is no base64.
    /// Part of the file may have been written then.
    pub async fn take<W>(
        &self,
        head: &Answer,
        mut body: AnswerStream,
        intake: &mut Intake<'_, W>,
    ) -> Result<Taken, Error>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        let mut sieve = Sieve::new(self.names.clone(), self.kept_limit);
        let (mut decoder, mut bytes) = (Decoder::default(), Vec::new());
        while let Some(chunk) = body.chunk().await? {
            let mut decoded = Ok(());
            let mut decode = |text: &[u8]| {
                if decoded.is_ok() {
                    decoded = decoder.read(text, &mut bytes);
                }
            };
            sieve.read(&chunk, &mut decode).map_err(|overflow| body.overflown(overflow))?;
            decoded.map_err(|cause| body.not_base64(cause))?;
            // The memory of the answer can be used again while what was in it is hashed.
            drop(chunk);
            body.put(&mut bytes, intake).await?;
        }
        decoder.finish(&mut bytes).map_err(|cause| body.not_base64(cause))?;
        body.put(&mut bytes, intake).await?;
        let is_found = sieve.handed_on > 0;
        if is_found {
            intake.settle().map_err(|cause| body.not_taken(cause))?;
        }
        Ok(taken(head, sieve, is_found))
    }

    /// Reads the whole answer and leaves its file out.
    ///
    /// # Errors
    /// As [`take`](Self::take), but the text need be no base64.
    pub async fn skip(&self, head: &Answer, mut body: AnswerStream) -> Result<Taken, Error> {
        let mut sieve = Sieve::new(self.names.clone(), self.kept_limit);
        while let Some(chunk) = body.chunk().await? {
            sieve.read(&chunk, &mut |_| ()).map_err(|overflow| body.overflown(overflow))?;
        }
        let is_found = sieve.handed_on > 0;
        Ok(taken(head, sieve, is_found))
    }
}

fn taken(head: &Answer, sieve: Sieve, is_found: bool) -> Taken {
    Taken { rest: Answer::new(head.status(), head.headers().clone(), sieve.into_kept()), is_found }
}

impl AnswerStream {
    /// Gives what was decoded to the intake. Exclusive, since a shared reference across the wait would keep the call from being sent to
    /// another thread.
    async fn put<W>(&mut self, bytes: &mut Vec<u8>, intake: &mut Intake<'_, W>) -> Result<(), Error>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        let bytes = Bytes::from(std::mem::take(bytes));
        intake.push(bytes).await.map_err(|cause| self.not_taken(cause))
    }

    fn overflown(&self, cause: Overflow) -> Error {
        self.broken_rule(ErrorKind::TooLarge, cause)
    }

    fn not_base64(&self, cause: NotBase64) -> Error {
        self.broken_rule(ErrorKind::UnexpectedAnswer, cause)
    }
}
