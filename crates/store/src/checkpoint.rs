//! Cursors that move with their data (DESIGN section 3, promise 2).

use std::sync::Arc;

use bytes::Bytes;

use crate::backend::Backend;
use crate::error::StoreError;

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

/// One checkpoint of a [`Store`](crate::Store), with the records that moved with it.
///
/// ```
/// # use integration_store::{Commit, Record, Store};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let clients = Store::open("memory:").await?.checkpoints("clients");
/// let version = clients.get().await?.map_or(0, |checkpoint| checkpoint.version);
/// let ann = Record { collection: "client".into(), key: "7".into(), value: Some("Ann".into()) };
/// clients.commit(Commit { version, cursor: "page-2".into(), records: vec![ann] }).await?;
/// assert_eq!(clients.records("client", None, 100).await?.len(), 1);
/// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Checkpoints {
    backend: Arc<dyn Backend>,
    name: Arc<str>,
}

impl Checkpoints {
    pub(crate) fn new(backend: Arc<dyn Backend>, name: String) -> Self {
        Self { backend, name: name.into() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cursor that was committed last.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn get(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.backend.checkpoint(&self.name).await
    }

    /// Moves the cursor together with the records of its page, all or none. See [`Backend::commit`].
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::StoreErrorKind::Conflict) if somebody else moved it meanwhile, and the store's own failures.
    pub async fn commit(&self, commit: Commit) -> Result<Checkpoint, StoreError> {
        self.backend.commit(&self.name, commit).await
    }

    /// Records of a collection in ascending order of key, after `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn records(
        &self,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Bytes)>, StoreError> {
        self.backend.records(&self.name, collection, after, limit).await
    }
}
