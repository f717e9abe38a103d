//! What the synchronisation remembers, on the checkpoints of a store (contract 4.9: links, snapshots, digests, tombstones).
//!
//! The rules enforced here: everything is found by id and read page by page, so that memory does not grow with the number of records;
//! what belongs together is committed together; a second writer is noticed and stopped.

use bytes::Bytes;
use integration_core::{Error, ErrorKind, Outcome};
use integration_store::{Checkpoints, Commit, Record, Store, StoreError, StoreErrorKind};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::carried::Digest;
use super::mapping::Side;
use super::plan::Snapshot;

/// Two clients that are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Link {
    /// The id in BitFactura.
    pub bitfactura: u64,
    /// The id in Sugester.
    pub sugester: u64,
    /// What both said when they were last in step.
    pub snapshot: Option<Snapshot>,
    /// What BitFactura said when it was last dealt with.
    pub bitfactura_digest: Option<Digest>,
    /// What Sugester said when it was last dealt with.
    pub sugester_digest: Option<Digest>,
    /// Where it was deleted.
    pub tombstone: Option<Side>,
    /// The last writes to BitFactura.
    pub bitfactura_written: Vec<Timestamp>,
    /// The last writes to Sugester.
    pub sugester_written: Vec<Timestamp>,
}

impl Link {
    pub(super) const fn new(bitfactura: u64, sugester: u64) -> Self {
        Self {
            bitfactura,
            sugester,
            snapshot: None,
            bitfactura_digest: None,
            sugester_digest: None,
            tombstone: None,
            bitfactura_written: Vec::new(),
            sugester_written: Vec::new(),
        }
    }

    pub(super) const fn id_in(&self, side: Side) -> u64 {
        match side {
            Side::BitFactura => self.bitfactura,
            Side::Sugester => self.sugester,
        }
    }

    pub(super) const fn digest_of(&self, side: Side) -> Option<Digest> {
        match side {
            Side::BitFactura => self.bitfactura_digest,
            Side::Sugester => self.sugester_digest,
        }
    }

    pub(super) const fn set_digest(&mut self, side: Side, digest: Option<Digest>) {
        match side {
            Side::BitFactura => self.bitfactura_digest = digest,
            Side::Sugester => self.sugester_digest = digest,
        }
    }

    pub(super) const fn written_mut(&mut self, side: Side) -> &mut Vec<Timestamp> {
        match side {
            Side::BitFactura => &mut self.bitfactura_written,
            Side::Sugester => &mut self.sugester_written,
        }
    }
}

/// An invoice and its deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DealLinkRecord {
    /// The invoice.
    pub invoice: u64,
    /// The deal.
    pub deal: u64,
    /// What the invoice said when it was last dealt with.
    pub digest: Option<String>,
    /// Where it was deleted.
    pub tombstone: Option<Side>,
    /// The last writes.
    pub written: Vec<Timestamp>,
}

/// Of equal length, so that the order of the texts is that of the numbers.
pub(super) fn pad(id: u64) -> String {
    format!("{id:020}")
}

pub(super) fn unpad(key: &str) -> Option<u64> {
    key.parse().ok()
}

/// Changes to be made in one commit.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<Record>);

impl Batch {
    pub(super) fn put(&mut self, collection: &str, key: impl Into<String>, value: &impl Serialize) {
        let value = serde_json::to_vec(value).unwrap_or_default();
        self.0.push(Record { collection: collection.to_owned(), key: key.into(), value: Some(value.into()) });
    }

    pub(super) fn delete(&mut self, collection: &str, key: impl Into<String>) {
        self.0.push(Record { collection: collection.to_owned(), key: key.into(), value: None });
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One checkpoint with its collections, of which this process is the only writer.
#[derive(Debug)]
pub(super) struct Book {
    checkpoints: Checkpoints,
    version: i64,
    cursor: Bytes,
    /// Takes no changes: for dry runs.
    is_frozen: bool,
}

/// How many records are read at once.
pub(super) const PAGE: usize = 200;

impl Book {
    pub(super) async fn open(store: &Store, name: String) -> Result<Self, Error> {
        let checkpoints = store.checkpoints(name);
        let found = checkpoints.get().await.map_err(failed)?;
        let (version, cursor) = found.map_or((0, Bytes::new()), |found| (found.version, found.cursor));
        Ok(Self { checkpoints, version, cursor, is_frozen: false })
    }

    pub(super) fn frozen(self) -> Self {
        Self { is_frozen: true, ..self }
    }

    /// What stands in the cursor.
    pub(super) fn cursor<T: DeserializeOwned + Default>(&self) -> Result<T, Error> {
        if self.cursor.is_empty() { Ok(T::default()) } else { decoded(&self.cursor) }
    }

    pub(super) fn set_cursor(&mut self, cursor: &impl Serialize) {
        self.cursor = serde_json::to_vec(cursor).unwrap_or_default().into();
    }

    /// Commits changes together with the cursor as it stands.
    pub(super) async fn commit(&mut self, batch: Batch) -> Result<(), Error> {
        if self.is_frozen {
            return Ok(());
        }
        let commit = Commit { version: self.version, cursor: self.cursor.clone(), records: batch.0 };
        self.version = self.checkpoints.commit(commit).await.map_err(failed)?.version;
        Ok(())
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        collection: &str,
        id: u64,
    ) -> Result<Option<T>, Error> {
        let key = pad(id);
        // The record after the key before: ids have one, so that no other way to read a point is needed.
        let before = id.checked_sub(1).map(pad);
        let found = self.checkpoints.records(collection, before.as_deref(), 1).await.map_err(failed)?;
        found.into_iter().find(|(found, _)| *found == key).map(|(_, value)| decoded(&value)).transpose()
    }

    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        collection: &str,
        after: Option<&str>,
    ) -> Result<Vec<(String, T)>, Error> {
        self.page_of(collection, after, PAGE).await
    }

    pub(super) async fn page_of<T: DeserializeOwned>(
        &self,
        collection: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<(String, T)>, Error> {
        let found = self.checkpoints.records(collection, after, most).await.map_err(failed)?;
        found.into_iter().map(|(key, value)| Ok((key, decoded(&value)?))).collect()
    }

    /// The ids that stand in keys `PREFIX/ID`, a few of them: more than one is already too many.
    pub(super) async fn ids_under(&self, collection: &str, prefix: &str) -> Result<Vec<u64>, Error> {
        let prefix = format!("{prefix}/");
        let found = self.checkpoints.records(collection, Some(&prefix), 16).await.map_err(failed)?;
        Ok(found.iter().filter_map(|(key, _)| unpad(key.strip_prefix(&prefix)?)).collect())
    }

    /// Empties collections, page by page.
    pub(super) async fn clear(&mut self, collections: &[&str]) -> Result<(), Error> {
        for collection in collections {
            loop {
                let found = self.checkpoints.records(collection, None, PAGE).await.map_err(failed)?;
                if found.is_empty() {
                    break;
                }
                let mut batch = Batch::default();
                found.iter().for_each(|(key, _)| batch.delete(collection, key.as_str()));
                self.commit(batch).await?;
            }
        }
        Ok(())
    }
}

fn decoded<T: DeserializeOwned>(value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|error| {
        Error::new(ErrorKind::Store, "synchronise")
            .with_outcome(Outcome::NotSent)
            .with_message("what was remembered cannot be read")
            .with_source(error)
    })
}

/// A failure of the store ends the run: what cannot be remembered must not be sent.
pub(super) fn failed(error: StoreError) -> Error {
    let kind = match error.kind() {
        StoreErrorKind::LeaseLost | StoreErrorKind::Conflict => ErrorKind::Blocked,
        _ => ErrorKind::Store,
    };
    let hint = match kind {
        ErrorKind::Blocked => "another run is under way: one at a time",
        _ => "mend the store; the next run goes on where this one ended",
    };
    Error::new(kind, "synchronise")
        .with_outcome(Outcome::NotSent)
        .with_message("the store refused")
        .with_hint(hint)
        .with_source(error)
}
