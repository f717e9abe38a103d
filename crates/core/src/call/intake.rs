//! What a file must be to be written: no larger than a limit, and beginning as such files do.
//!
//! The rules enforced here: nothing is written before the first bytes are the right ones, so that a page that asks to log in never
//! lies where a PDF should; and the digest that is told is the one of the bytes that were written.

use std::fmt;
use std::future::poll_fn;
use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::body::hashing::{Hashing, hex};

/// How much of a file's end is remembered.
const TAIL: usize = 64;

/// Takes a file in pieces and writes it: limited, measured, hashed, and only once its beginning is known to be right.
///
/// It may be filled from one place after another as long as it is [untouched](Self::is_untouched).
///
/// ```
/// use integration_core::call::{Intake, NotTaken};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let mut file = Vec::new();
/// let mut intake = Intake::new(&mut file, 1 << 20).beginning_with(b"%PDF-");
/// assert!(matches!(intake.push("<html>log in</html>").await, Err(NotTaken::Beginning)));
/// assert!(intake.is_untouched());
/// intake.push("%P").await?; // too short to tell
/// intake.push("DF-1.7 ...").await?;
/// intake.settle()?;
/// assert_eq!(intake.length(), 12);
/// assert_eq!(intake.finish().await?.len(), 64);
/// assert_eq!(file, b"%PDF-1.7 ...");
/// # Ok::<(), NotTaken>(())
/// # }).unwrap();
/// ```
#[must_use]
pub struct Intake<'w, W: ?Sized> {
    writer: &'w mut W,
    limit: u64,
    beginning: &'static [u8],
    /// The first bytes, while they are still too few to tell.
    held: Vec<u8>,
    length: u64,
    hashing: Hashing,
    tail: Vec<u8>,
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// It is larger than the limit; as much as that was written.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// It begins with other bytes than such files do; nothing was written.
    #[error("the file does not begin as it should; nothing was written")]
    Beginning,
    /// The writer failed.
    #[error("what came could not be written")]
    Writer(#[source] io::Error),
}

impl<'w, W: AsyncWrite + Unpin + ?Sized> Intake<'w, W> {
    /// Writes at most `limit` bytes to `writer`.
    pub fn new(writer: &'w mut W, limit: u64) -> Self {
        let (held, tail, hashing) = (Vec::new(), Vec::new(), Hashing::new());
        Self { writer, limit, beginning: b"", held, length: 0, hashing, tail }
    }

    /// Takes only a file that begins with these bytes, such as `%PDF-`.
    pub fn beginning_with(mut self, bytes: &'static [u8]) -> Self {
        self.beginning = bytes;
        self
    }

    /// Takes the next bytes of the file. After an error about its beginning, another file can be tried.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn push(&mut self, bytes: impl Into<Bytes>) -> Result<(), NotTaken> {
        let bytes = bytes.into();
        if self.length > 0 || self.beginning.is_empty() {
            return self.write(bytes).await;
        }
        self.held.extend_from_slice(&bytes);
        if self.held.len() < self.beginning.len() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        if held.starts_with(self.beginning) {
            self.write(held.into()).await
        } else {
            Err(NotTaken::Beginning)
        }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), NotTaken> {
        if bytes.is_empty() {
            return Ok(());
        }
        let length = self.length.saturating_add(bytes.len() as u64);
        if length > self.limit {
            return Err(NotTaken::TooLarge(self.limit));
        }
        self.length = length;
        self.remember_tail(&bytes);
        self.hashing.push(bytes.clone());
        self.writer.write_all(&bytes).await.map_err(NotTaken::Writer)?;
        drop(bytes);
        // One piece is hashed while the next one comes, and no more of them are kept.
        poll_fn(|context| self.hashing.poll_room(0, context)).await;
        Ok(())
    }

    fn remember_tail(&mut self, bytes: &[u8]) {
        let last = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
        let surplus = self.tail.len().saturating_add(last.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(last);
    }

    /// The end of one place's file: what was too short to tell does not begin as it should.
    ///
    /// # Errors
    /// [`NotTaken::Beginning`].
    pub fn settle(&mut self) -> Result<(), NotTaken> {
        self.held.clear();
        if self.length < self.beginning.len() as u64 { Err(NotTaken::Beginning) } else { Ok(()) }
    }

    /// Flushes the writer, without shutting it down; the SHA-256 of all that was written, in lower-case hexadecimal.
    ///
    /// # Errors
    /// [`NotTaken::Writer`].
    pub async fn finish(mut self) -> Result<String, NotTaken> {
        self.writer.flush().await.map_err(NotTaken::Writer)?;
        let digest = poll_fn(|context| self.hashing.poll_digest(context)).await;
        Ok(hex(&digest.map_err(NotTaken::Writer)?))
    }
}

impl<W: ?Sized> Intake<'_, W> {
    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.length == 0
    }

    /// How many bytes were written.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The last bytes that were written, 64 at most: where a PDF says that it is whole.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }
}

impl<W: ?Sized> fmt::Debug for Intake<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake")
            .field("length", &self.length)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};

    use super::*;

    async fn taken(pieces: &[&'static [u8]], limit: u64) -> (Result<(), NotTaken>, Vec<u8>) {
        let mut out = Vec::new();
        let mut intake = Intake::new(&mut out, limit).beginning_with(b"%PDF-");
        let mut result = Ok(());
        for piece in pieces {
            if result.is_ok() {
                result = intake.push(*piece).await;
            }
        }
        let result = result.and_then(|()| intake.settle());
        (result, out)
    }

    #[tokio::test]
    async fn nothing_is_written_before_the_beginning_is_right() {
        let (result, out) = taken(&[b"%P", b"DF", b"-1", b"x"], 99).await;
        assert!(result.is_ok());
        assert_eq!(out, b"%PDF-1x");
        for bad in [&[&b"<html>"[..]][..], &[b"%PD"], &[], &[b"%", b"XXXXXX"]] {
            let (result, out) = taken(bad, 99).await;
            assert!(matches!(result, Err(NotTaken::Beginning)), "{result:?}");
            assert!(out.is_empty());
        }
        let (result, out) = taken(&[b"%PDF-1", b"234"], 8).await;
        assert!(matches!(result, Err(NotTaken::TooLarge(8))));
        assert_eq!(out, b"%PDF-1");
    }

    #[tokio::test]
    async fn a_file_is_measured_and_hashed_and_its_end_remembered() {
        let mut out = Vec::new();
        let mut intake = Intake::new(&mut out, 1 << 30);
        for index in 0..40_u8 {
            intake.push(vec![index; 30_000]).await.unwrap();
        }
        intake.push("%%EOF\n").await.unwrap();
        assert_eq!((intake.length(), intake.is_untouched()), (1_200_006, false));
        assert_eq!(intake.tail().len(), TAIL);
        assert!(intake.tail().ends_with(b"\x27%%EOF\n"));
        let told = intake.finish().await.unwrap();
        assert_eq!(told, hex(digest(&SHA256, &out).as_ref()));
        assert_eq!(out.len(), 1_200_006);
    }

    #[tokio::test]
    async fn after_a_wrong_beginning_another_file_can_be_tried() {
        let mut out = Vec::new();
        let mut intake = Intake::new(&mut out, 99).beginning_with(b"%PDF-");
        assert!(intake.push("%PD").await.is_ok());
        assert!(intake.settle().is_err());
        assert!(intake.push("F-1.7").await.is_err(), "what came before belongs to another file");
        intake.push("%PDF-2").await.unwrap();
        intake.settle().unwrap();
        assert_eq!(out, b"%PDF-2");
    }
}
