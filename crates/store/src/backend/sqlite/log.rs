//! The log of changes beside the file, written out once more before anything is added to it.
//!
//! After a sync that failed the system may read back what never reached the disk, and no later sync writes it: whatever was acknowledged
//! behind such a hole would be gone with the power. Who opens the file cannot tell, so the log goes out again, as it reads. What another
//! process, which still has the file open, adds between the failure and this opening is not helped by it.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::{Connection, failed};
use crate::error::{StoreError, StoreErrorKind};

const PIECE: usize = 1024 * 1024;

/// Waits for whoever writes, and keeps others from writing or beginning the log anew meanwhile.
pub(super) async fn write_again(connection: &mut Connection, file: &Path) -> Result<(), StoreError> {
    run(connection, "BEGIN IMMEDIATE").await?;
    let log = log_of(file);
    let written = tokio::task::spawn_blocking(move || rewrite(&log)).await;
    run(connection, "ROLLBACK").await?;
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(not_written(error)),
        Err(error) => Err(not_written(std::io::Error::other(error))),
    }
}

fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn rewrite(log: &Path) -> std::io::Result<()> {
    let mut log = match File::options().read(true).write(true).open(log) {
        Ok(log) => log,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let (mut at, mut piece) = (0, vec![0; PIECE]);
    loop {
        log.seek(SeekFrom::Start(at))?;
        let length = log.read(&mut piece)?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else { break };
        log.seek(SeekFrom::Start(at))?;
        log.write_all(read)?;
        at += length as u64;
    }
    if at == 0 { Ok(()) } else { log.sync_all() }
}

async fn run(connection: &mut Connection, sql: &str) -> Result<(), StoreError> {
    sqlx::Executor::execute(connection, sql).await.map_err(failed)?;
    Ok(())
}

fn not_written(error: std::io::Error) -> StoreError {
    let (kind, message) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            (StoreErrorKind::NotWritable, "the disk is full: free some space, then repeat")
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => (
            StoreErrorKind::NotWritable,
            "the log beside the file (-wal) cannot be written: let this user write it",
        ),
        _ => (
            StoreErrorKind::Unavailable,
            "the log beside the file could not be written out: check the disk before going on",
        ),
    };
    StoreError::new(kind, message).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_reads_the_same_afterwards_and_none_is_made() {
        let file = std::env::temp_dir().join(format!("integration-store-unit-log-{}", std::process::id()));
        let log = log_of(&file);
        rewrite(&log).unwrap();
        assert!(!log.exists());
        let bytes: Vec<u8> = (0..PIECE * 2 + 77).map(|at| (at % 251) as u8).collect();
        std::fs::write(&log, &bytes).unwrap();
        rewrite(&log).unwrap();
        let after = std::fs::read(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert!(after == bytes);
    }
}
