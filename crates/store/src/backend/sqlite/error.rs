//! What SQLite's result codes mean for whoever runs the program.

use crate::error::{StoreError, StoreErrorKind};

pub(super) fn failed(error: sqlx::Error) -> StoreError {
    let code = primary_code(&error);
    let (kind, advice) = meaning(&error, code);
    let code = code.map_or_else(String::new, |code| format!(" (SQLite code {code})"));
    StoreError::new(kind, format!("{advice}{code}")).with_source(error)
}

/// The last eight bits of the extended code.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xFF)
}

fn meaning(error: &sqlx::Error, code: Option<u32>) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Corrupt, NotWritable, Schema, Unavailable};
    match code {
        Some(3 | 23) => (NotWritable, "no permission: let this user write the file and its folder"),
        Some(5 | 6) => {
            (Unavailable, "another process held the file's lock for too long: find it, then repeat")
        }
        Some(8) => (NotWritable, "the file or its folder is read-only: let this user write both"),
        Some(10) => (Unavailable, "the disk failed to read or write: check it before going on"),
        Some(11) => (Corrupt, "the file is damaged: restore it from a copy before anything is sent"),
        Some(13) => (NotWritable, "the disk is full: free some space, then repeat"),
        Some(14) => (
            NotWritable,
            "the file cannot be opened: its folder must exist and this user must be able to write it",
        ),
        Some(26) => {
            (Schema, "the file is not an SQLite database: name another file, or restore it from a copy")
        }
        Some(1) if error.to_string().contains("no such") => {
            (Schema, "the file does not have this store's tables")
        }
        _ if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
            (Corrupt, "a stored value is not what was written: restore the file from a copy")
        }
        _ => (Unavailable, "the file could not be used"),
    }
}
