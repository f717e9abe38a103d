//! A file on disk that appears under its name only when it is whole.
//!
//! The rule enforced here: what is written goes to a part file of its own; only a file that is whole, and safe on disk, gets the name
//! it is meant for; whatever ends before that leaves nothing behind, and takes nothing away that another writer made.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

use crate::clock::Clock;

/// A file that is being written. Dropped before it has its name, it is removed.
///
/// ```
/// use integration_core::call::PartFile;
/// use integration_core::clock::SystemClock;
/// use tokio::io::AsyncWriteExt;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let folder = tempfile::tempdir()?;
/// # runtime.block_on(async {
/// let path = folder.path().join("signed.pdf");
/// let mut part = PartFile::beside(&path, &SystemClock::new()).await?;
/// part.file().write_all(b"%PDF-1.7").await?;
/// assert!(!path.exists());
/// part.replace(&path).await?;
/// assert!(path.exists());
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropped, the file is removed"]
pub struct PartFile {
    file: File,
    leftover: Leftover,
}

impl PartFile {
    /// Begins a file in the folder of `path`, which it is meant for: `.{name}.{chance}.part`, the chance drawn from `clock`.
    ///
    /// # Errors
    /// Those of the folder: it is not there, it may not be written to.
    pub async fn beside(path: &Path, clock: &dyn Clock) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let chance = clock.random().to_bits();
        Self::create(path.with_file_name(format!(".{name}.{chance:x}.part"))).await
    }

    /// Begins a file under a temporary name of the caller's choice, in the folder that it stays in.
    ///
    /// # Errors
    /// Those of the folder; [`io::ErrorKind::AlreadyExists`] if there is such a file, which is left alone.
    pub async fn create(part: impl Into<PathBuf>) -> io::Result<Self> {
        let part = part.into();
        // Only what was made here is taken away again: another writer may be at work under this name.
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&part).await?;
        Ok(Self { file, leftover: Leftover(Some(part)) })
    }

    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Brings it to disk and names it `path`; a file that is there is replaced.
    ///
    /// # Errors
    /// Those of the disk; then nothing is left behind, and what was at `path` is still there.
    pub async fn replace(self, path: &Path) -> io::Result<()> {
        self.settled().await?.rename(path).await
    }

    /// Brings it to disk and names it `path`, unless there is such a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is, and it is left alone; those of the disk. Nothing is left behind.
    pub async fn keep_new(self, path: &Path) -> io::Result<()> {
        let leftover = self.settled().await?;
        // A hard link is the one way to a name that must not be taken; where there is none, a look and a rename have to do.
        match leftover.link(path).await {
            Ok(()) => Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(cause),
            Err(_) if fs::try_exists(path).await? => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => leftover.rename(path).await,
        }
    }

    async fn settled(mut self) -> io::Result<Leftover> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        // Closed before it is renamed, which some systems ask for.
        Ok(self.leftover)
    }
}

/// The part file's name, which is taken away unless it has become another.
#[derive(Debug)]
struct Leftover(Option<PathBuf>);

impl Leftover {
    async fn link(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Some(part) => fs::hard_link(part, path).await,
            None => Ok(()),
        }
    }

    async fn rename(mut self, path: &Path) -> io::Result<()> {
        if let Some(part) = &self.0 {
            fs::rename(part, path).await?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if let Some(part) = self.0.take() {
            // Short, and the only thing that can be done when a future is dropped; there is nobody to tell if it fails.
            let _ = std::fs::remove_file(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tempfile::TempDir;

    use super::*;
    use crate::clock::ManualClock;

    async fn written(path: &Path, text: &str) -> PartFile {
        let mut part = PartFile::beside(path, &ManualClock::new()).await.unwrap();
        part.file().write_all(text.as_bytes()).await.unwrap();
        part
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_file_has_its_name_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pdf");
        let part = written(&path, "whole").await;
        let [name] = &names(&folder)[..] else { panic!() };
        assert!(name.starts_with(".a.pdf.") && name.ends_with(".part"), "{name}");
        part.keep_new(&path).await.unwrap();
        assert_eq!((names(&folder), std::fs::read(&path).unwrap()), (vec!["a.pdf".into()], b"whole".into()));
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_replaced_only_if_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pdf");
        std::fs::write(&path, "old").unwrap();
        let refused = written(&path, "new").await.keep_new(&path).await.unwrap_err();
        assert_eq!(
            (refused.kind(), std::fs::read(&path).unwrap()),
            (ErrorKind::AlreadyExists, b"old".into())
        );
        written(&path, "new").await.replace(&path).await.unwrap();
        assert_eq!((names(&folder), std::fs::read(&path).unwrap()), (vec!["a.pdf".into()], b"new".into()));
    }

    #[tokio::test]
    async fn what_is_not_finished_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pdf");
        drop(written(&path, "half").await);
        assert!(written(&path, "whole").await.replace(&folder.path().join("none/a.pdf")).await.is_err());
        assert!(PartFile::beside(&folder.path().join("none/a.pdf"), &ManualClock::new()).await.is_err());
        assert!(names(&folder).is_empty());
    }

    #[tokio::test]
    async fn a_part_file_of_another_writer_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join(".x.part");
        std::fs::write(&part, "theirs").unwrap();
        let refused = PartFile::create(&part).await.unwrap_err();
        assert_eq!(
            (refused.kind(), std::fs::read(&part).unwrap()),
            (ErrorKind::AlreadyExists, b"theirs".into())
        );
    }
}
