//! One outbox, as clients use it: the backend's operations with the outbox's name filled in, and the operator's steps.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::backend::Backend;
use crate::entry::{Change, Entry, Event, LaneChoice, Lease, NewEntry, Query, State};
use crate::error::StoreError;

/// One outbox of a [`Store`](crate::Store).
///
/// ```
/// use integration_store::{Change, DEFAULT_LEASE, LaneChoice, NewEntry, State, Store};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let outbox = Store::open("memory:").await?.outbox("documents");
/// let call = NewEntry { lane: "J-1/01".into(), key: "J-1/01/7".into(), body: "{}".into(), data: "".into() };
/// outbox.append("worker-1", vec![call]).await?;
///
/// let lease = outbox.claim(LaneChoice::AnyReady, "worker-1", DEFAULT_LEASE).await?.expect("a lane is ready");
/// let entry = outbox.find("J-1/01/7").await?.expect("written down above");
/// let sending = Change { entry: entry.id, version: entry.version, state: State::InFlight, data: "".into(), body: None };
/// let entries = outbox.write(&lease, vec![sending]).await?;
/// // … send entry.body here, then write down what became of it …
/// assert_eq!(entries[0].state, State::InFlight);
/// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Outbox {
    backend: Arc<dyn Backend>,
    name: Arc<str>,
}

impl Outbox {
    pub(crate) fn new(backend: Arc<dyn Backend>, name: String) -> Self {
        Self { backend, name: name.into() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes entries down as `Prepared`, all or none; the flag tells which were new. See [`Backend::append`].
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn append(
        &self,
        worker: &str,
        entries: Vec<NewEntry>,
    ) -> Result<Vec<(Entry, bool)>, StoreError> {
        self.backend.append(&self.name, worker, entries).await
    }

    /// Takes the right to change a lane. See [`Backend::claim`].
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn claim(
        &self,
        lane: LaneChoice<'_>,
        worker: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.backend.claim(&self.name, lane, worker, ttl).await
    }

    /// Makes a lease last `ttl` from now. See [`Backend::renew`].
    ///
    /// # Errors
    ///
    /// [`LeaseLost`](crate::StoreErrorKind::LeaseLost), and the store's own failures.
    pub async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<(), StoreError> {
        self.backend.renew(lease, ttl).await
    }

    /// Gives a lane back. See [`Backend::release`].
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.backend.release(lease).await
    }

    /// Changes entries of the lane, all or none. See [`Backend::write`].
    ///
    /// # Errors
    ///
    /// [`LeaseLost`](crate::StoreErrorKind::LeaseLost), [`Conflict`](crate::StoreErrorKind::Conflict),
    /// [`NotFound`](crate::StoreErrorKind::NotFound), and the store's own failures.
    pub async fn write(&self, lease: &Lease, changes: Vec<Change>) -> Result<Vec<Entry>, StoreError> {
        self.backend.write(lease, changes).await
    }

    /// Adds what a worker that lost its lease still knows to an entry's history. See [`Backend::testify`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::StoreErrorKind::NotFound), and the store's own failures.
    pub async fn testify(&self, worker: &str, entry: i64, data: impl Into<Bytes>) -> Result<(), StoreError> {
        self.backend.testify(&self.name, worker, entry, data.into()).await
    }

    /// The entry of a key.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn find(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.backend.find(&self.name, key).await
    }

    /// One page of entries in ascending order of id.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn list(&self, query: Query) -> Result<Vec<Entry>, StoreError> {
        self.backend.list(&self.name, query).await
    }

    /// The pages of a query, one after another.
    ///
    /// ```
    /// # use integration_store::{Query, Store};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let outbox = Store::open("memory:").await?.outbox("documents");
    /// let mut pages = outbox.pages(Query::open());
    /// while let Some(page) = pages.next_page().await? {
    ///     page.iter().for_each(|entry| println!("{} {}", entry.key, entry.state.name()));
    /// }
    /// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn pages(&self, query: Query) -> Pages {
        Pages { outbox: self.clone(), query: Some(query) }
    }

    /// An entry's history, oldest first.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::StoreErrorKind::NotFound), and the store's own failures.
    pub async fn history(&self, entry: i64) -> Result<Vec<Event>, StoreError> {
        self.backend.history(&self.name, entry).await
    }

    /// Makes a refused or dead entry `Prepared` again, as it is: the operator's replay.
    ///
    /// # Errors
    ///
    /// As [`Outbox::write`]; [`Conflict`](crate::StoreErrorKind::Conflict) if the entry is neither refused nor dead.
    pub async fn replay(
        &self,
        lease: &Lease,
        entry: &Entry,
        data: impl Into<Bytes>,
    ) -> Result<Entry, StoreError> {
        self.prepare_again(lease, entry, data.into(), None).await
    }

    /// Makes a refused or dead entry `Prepared` again with other bytes: the corrected call under the same key.
    ///
    /// # Errors
    ///
    /// As [`Outbox::replay`].
    pub async fn revise(
        &self,
        lease: &Lease,
        entry: &Entry,
        body: impl Into<Bytes>,
        data: impl Into<Bytes>,
    ) -> Result<Entry, StoreError> {
        self.prepare_again(lease, entry, data.into(), Some(body.into())).await
    }

    async fn prepare_again(
        &self,
        lease: &Lease,
        entry: &Entry,
        data: Bytes,
        body: Option<Bytes>,
    ) -> Result<Entry, StoreError> {
        let change = Change { entry: entry.id, version: entry.version, state: State::Prepared, data, body };
        let written = self.write(lease, vec![change]).await?;
        written.into_iter().next().ok_or_else(|| crate::backend::no_such_entry(&self.name, entry.id))
    }
}

/// The pages of a [`Query`], asked for one at a time.
#[derive(Debug)]
pub struct Pages {
    outbox: Outbox,
    query: Option<Query>,
}

impl Pages {
    /// The next page, never an empty one; `None` after the last. After an error the same page is asked for again.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Entry>>, StoreError> {
        let Some(query) = self.query.clone() else { return Ok(None) };
        let page = self.outbox.list(query.clone()).await?;
        self.query = query.next(&page);
        Ok(Some(page).filter(|page| !page.is_empty()))
    }
}
