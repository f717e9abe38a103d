//! Cursors that move with their data (DESIGN section 3, promise 2).

use bytes::Bytes;

/// How far a pull has come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Opaque to the store.
    pub cursor: Bytes,
    /// Counts every commit, from 1.
    pub version: i64,
}

impl Checkpoint {
    /// For backends.
    #[must_use]
    pub fn new(cursor: impl Into<Bytes>, version: i64) -> Self {
        Self { cursor: cursor.into(), version }
    }
}

/// A page to be committed with its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// The version that the page was pulled on; 0 for the first.
    pub version: i64,
    /// The cursor after the page.
    pub cursor: Bytes,
    /// What the page changes.
    pub records: Vec<Record>,
}

/// One record of a page: put, or deleted if there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which collection.
    pub collection: String,
    /// Its key.
    pub key: String,
    /// Its value; `None` deletes it.
    pub value: Option<Bytes>,
}
