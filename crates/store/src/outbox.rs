//! One outbox, as clients use it: the backend's operations with the outbox's name filled in, and the operator's steps.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::backend::Backend;
use crate::chain::Tip;
use crate::entry::{Change, Entry, Event, LaneChoice, LaneView, Lease, NewEntry, Query, State, Step};
use crate::error::StoreError;
use crate::verify::{self, Chain, VerifyError};

/// One outbox of a [`Store`](crate::Store).
///
/// ```
/// use integration_store::{Change, DEFAULT_LEASE, LaneChoice, NewEntry, State, Store};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let outbox = Store::open("memory:").await?.outbox("documents");
/// let call = NewEntry::new("J-1/01", "J-1/01/7", "{}", "");
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

    /// Makes a step in the lane, all or none, in one commit. See [`Backend::apply`].
    ///
    /// # Errors
    ///
    /// [`LeaseLost`](crate::StoreErrorKind::LeaseLost), [`Conflict`](crate::StoreErrorKind::Conflict),
    /// [`NotFound`](crate::StoreErrorKind::NotFound), and the store's own failures.
    pub async fn apply(&self, lease: &Lease, step: Step) -> Result<Vec<Entry>, StoreError> {
        self.backend.apply(lease, step).await
    }

    /// Claims a lane and makes a step in it, in one commit, if it still stands as it was [seen](Outbox::lane). Look, decide,
    /// then this: an optimistic transaction. `None`: look again. See [`Backend::claim_and_apply`].
    ///
    /// ```
    /// use integration_store::{Change, DEFAULT_LEASE, NewEntry, State, Step, Store};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let outbox = Store::open("memory:").await?.outbox("documents");
    /// let seen = outbox.lane("J-1/01").await?;
    /// let call = NewEntry::new("J-1/01", "J-1/01/00000007", "{}", "").with_in_flight();
    /// let step = Step::new().with_append(call);
    /// let taken = outbox.claim_and_apply("J-1/01", "worker-1", DEFAULT_LEASE, seen.fence, step).await?;
    /// let (lease, entries) = taken.expect("nobody else is at it");
    /// // … send entries[0].body here, then write down what became of it and give the lane back …
    /// let done = Change {
    ///     entry: entries[0].id,
    ///     version: entries[0].version,
    ///     state: State::Done,
    ///     data: "".into(),
    ///     body: None,
    /// };
    /// outbox.apply(&lease, Step::new().with_change(done).with_release()).await?;
    /// assert!(!outbox.lane("J-1/01").await?.is_held());
    /// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::StoreErrorKind::Conflict), [`NotFound`](crate::StoreErrorKind::NotFound), and the store's own
    /// failures.
    pub async fn claim_and_apply(
        &self,
        lane: &str,
        worker: &str,
        ttl: Duration,
        seen_fence: i64,
        step: Step,
    ) -> Result<Option<(Lease, Vec<Entry>)>, StoreError> {
        self.backend.claim_and_apply(&self.name, lane, worker, ttl, seen_fence, step).await
    }

    /// How a lane stands, without claiming it. See [`Backend::lane`].
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn lane(&self, lane: &str) -> Result<LaneView, StoreError> {
        self.backend.lane(&self.name, lane).await
    }

    /// The store's own clock now, by which all its times are told. See [`Backend::now`].
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn now(&self) -> Result<jiff::Timestamp, StoreError> {
        self.backend.now().await
    }

    /// The lanes that hold an entry in one of these states; all lanes with entries if there are none. See [`Backend::lanes`].
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn lanes(&self, states: impl Into<Vec<State>>) -> Result<Vec<String>, StoreError> {
        self.backend.lanes(&self.name, states.into()).await
    }

    /// The newest link of a lane's history, to be noted where nobody who writes this database can reach it.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn tip(&self, lane: &str) -> Result<Tip, StoreError> {
        Ok(self.lane(lane).await?.tip)
    }

    /// Recomputes the hash chain of every lane, and compares each entry with its last line.
    ///
    /// It proves that the histories are as they were written: no line altered, missing, moved or cut off, no entry changed
    /// beside its history. It does not prove who wrote them: whoever can write the database can compute all links anew. Against
    /// that, note [`tip`](Outbox::tip)s outside, and compare them with [`Chain::tips`].
    ///
    /// Others may go on writing meanwhile; what they add is not looked at. Reads page by page: what it holds at once grows with
    /// the number of lanes, not of lines.
    ///
    /// ```
    /// # use integration_store::{NewEntry, Store};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let outbox = Store::open("memory:").await?.outbox("documents");
    /// outbox.append("worker-1", vec![NewEntry::new("a", "a/1", "{}", "")]).await?;
    /// let chain = outbox.verify().await.expect("nobody touched it");
    /// assert_eq!((chain.lanes, chain.lines), (1, 1));
    /// assert_eq!(chain.tips["a"], outbox.tip("a").await?);
    /// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The first broken line or entry, or the store's own failures.
    pub async fn verify(&self) -> Result<Chain, VerifyError> {
        self.verify_observed(|_| {}).await
    }

    /// As [`Outbox::verify`], telling after each page how many lines were verified.
    ///
    /// # Errors
    ///
    /// As [`Outbox::verify`].
    pub async fn verify_observed(&self, progress: impl FnMut(u64) + Send) -> Result<Chain, VerifyError> {
        verify::verify(self.backend.as_ref(), &self.name, progress).await
    }

    /// Changes entries of the lane, all or none: a [step](Outbox::apply) that only changes. See [`Backend::write`].
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
