//! What documents and messages keep in the store: records as JSON, under a cursor that moves with them.
//!
//! The rule enforced here: a change is computed from records that were read at one version and is committed on that version only, so
//! of two who decide on the same records exactly one is heard and the other decides anew (contract X4, Y3).

use std::collections::BTreeMap;

use bytes::Bytes;
use integration_core::{Error, ErrorKind, Outcome};
use integration_store::{Checkpoints, Commit, Record, Store, StoreError, StoreErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

const PAGE: usize = 500;
/// Each lost comparison means that somebody else got on, so so many in a row are a sign of something wrong.
pub(crate) const TRIES: u32 = 256;

#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    checkpoints: Checkpoints,
    operation: &'static str,
}

/// The shelf as it stood at one version.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    version: i64,
    pub(crate) cursor: Bytes,
}

impl Look {
    /// A number that no look at an earlier state has.
    pub(crate) const fn serial(&self) -> i64 {
        self.version
    }
}

/// What a change writes.
#[derive(Debug, Default)]
pub(crate) struct Writes(Vec<Record>);

impl Writes {
    pub(crate) fn put<T: Serialize>(
        &mut self,
        collection: impl Into<String>,
        key: impl Into<String>,
        value: &T,
    ) -> Result<(), Error> {
        let value = serde_json::to_vec(value).map_err(|cause| broken("written", &cause))?;
        let (collection, key) = (collection.into(), key.into());
        self.0.push(Record { collection, key, value: Some(value.into()) });
        Ok(())
    }

    pub(crate) fn delete(&mut self, collection: impl Into<String>, key: impl Into<String>) {
        self.0.push(Record { collection: collection.into(), key: key.into(), value: None });
    }
}

impl Shelf {
    /// `operation` is what an error of the store is said to have hindered.
    pub(crate) fn new(store: &Store, name: String, operation: &'static str) -> Self {
        Self { checkpoints: store.checkpoints(name), operation }
    }

    fn failed(&self, error: StoreError) -> Error {
        store_error(self.operation, error)
    }

    pub(crate) async fn look(&self) -> Result<Look, Error> {
        let stands = self.checkpoints.get().await.map_err(|error| self.failed(error))?;
        let (version, cursor) = stands.map_or((0, Bytes::new()), |stands| (stands.version, stands.cursor));
        Ok(Look { version, cursor })
    }

    /// Every record of a collection, in the order of the keys.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        collection: &str,
    ) -> Result<BTreeMap<String, T>, Error> {
        let mut all = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.some(collection, after.as_deref(), PAGE).await?;
            let full = page.len() == PAGE;
            after = page.last().map(|(key, _)| key.clone());
            all.extend(page);
            if !full {
                return Ok(all);
            }
        }
    }

    /// Some records of a collection, after a key.
    pub(crate) async fn some<T: DeserializeOwned>(
        &self,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, T)>, Error> {
        let found = self.checkpoints.records(collection, after, limit).await;
        let found = found.map_err(|error| self.failed(error))?;
        let read = |(key, value): (String, Bytes)| {
            let value = serde_json::from_slice(&value).map_err(|cause| self.corrupt(&cause))?;
            Ok((key, value))
        };
        found.into_iter().map(read).collect()
    }

    /// The cause of a failed reading may quote what it read, so only its place is told.
    fn corrupt(&self, cause: &serde_json::Error) -> Error {
        broken("read", cause).with_operation(self.operation)
    }

    /// Whether the writes took place: not if somebody else wrote since `look`.
    pub(crate) async fn commit(&self, look: &Look, cursor: Bytes, writes: Writes) -> Result<bool, Error> {
        let commit = Commit { version: look.version, cursor, records: writes.0 };
        match self.checkpoints.commit(commit).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == StoreErrorKind::Conflict => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Reads a collection, decides and commits, again and again until nobody came between.
    pub(crate) async fn change<T: DeserializeOwned, R>(
        &self,
        collection: &str,
        decide: impl Fn(&BTreeMap<String, T>, &mut Writes) -> Result<R, Error>,
    ) -> Result<R, Error> {
        for _ in 0..TRIES {
            let look = self.look().await?;
            let mut writes = Writes::default();
            let decided = decide(&self.all(collection).await?, &mut writes)?;
            if writes.0.is_empty() || self.commit(&look, look.cursor.clone(), writes).await? {
                return Ok(decided);
            }
        }
        Err(self.contended())
    }

    pub(crate) fn contended(&self) -> Error {
        let error = Error::new(ErrorKind::Store, self.operation).with_outcome(Outcome::NotSent);
        error
            .with_message(format!("others changed the same records {TRIES} times meanwhile"))
            .with_hint("repeat")
    }
}

fn store_error(operation: &'static str, error: StoreError) -> Error {
    Error::new(ErrorKind::Store, operation)
        .with_outcome(Outcome::NotSent)
        .with_message(error.to_string())
        .with_hint("mend the store and repeat: nothing is done twice")
        .with_source(error)
}

fn broken(done: &str, cause: &serde_json::Error) -> Error {
    let (line, column) = (cause.line(), cause.column());
    let message = format!("a record cannot be {done} at line {line}, column {column}");
    store_error("use the store", StoreError::new(StoreErrorKind::Corrupt, message))
}

/// Keys in the order of their numbers.
pub(crate) fn wide(number: u64) -> String {
    format!("{number:020}")
}
