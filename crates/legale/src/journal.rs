//! Sendings that survive the program: written down before they leave, settled by asking after a restart (contract 4.5; DESIGN 3.1).
//!
//! The rule enforced here: what was in flight when a program ended is unknown, and unknown is resolved by the probe only. The journal
//! keeps the reference that the document went out with, so that a later run looks for that one and no other.

use std::time::Duration;

use integration_core::{BoxFuture, Error, ErrorKind, Outcome, Secret};
use integration_store::{
    Change, Entry, LaneChoice, Lease, NewEntry, Outbox, Query, State, Store, StoreError,
};
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::content::{self, Content};
use crate::document::Created;
use crate::id::DocumentId;
use crate::send::{Reference, SendError, Sending, Sent, unresolved};
use crate::sign::Started;

/// Longer than any call that carries a document.
const LEASE: Duration = Duration::from_secs(15 * 60);

/// Where sendings are written down. Holds callback URLs, which are secrets: keep the store as you keep those.
#[derive(Debug, Clone)]
pub struct Journal {
    outbox: Outbox,
    worker: String,
}

impl Journal {
    /// The journal in `store`; `worker` names this program or machine in it.
    pub fn new(store: &Store, worker: impl Into<String>) -> Self {
        Self { outbox: store.outbox("legale"), worker: worker.into() }
    }

    /// Writes a call down, or finds it as it was written down.
    async fn entry(&self, lane: &str, key: &str, body: String) -> Result<Entry, StoreError> {
        let new = NewEntry::new(lane, key, body, "");
        let written = self.outbox.append(&self.worker, vec![new]).await?;
        match written.into_iter().next() {
            Some((entry, _)) => Ok(entry),
            None => self.found(key).await,
        }
    }

    async fn found(&self, key: &str) -> Result<Entry, StoreError> {
        let missing =
            || StoreError::new(integration_store::StoreErrorKind::NotFound, "the entry is not there");
        self.outbox.find(key).await?.ok_or_else(missing)
    }

    async fn moved(
        &self,
        lease: &Lease,
        entry: &Entry,
        state: State,
        data: &str,
    ) -> Result<Entry, StoreError> {
        let (id, version) = (entry.id, entry.version);
        let change = Change { entry: id, version, state, data: data.to_owned().into(), body: None };
        match self.outbox.write(lease, vec![change]).await?.into_iter().next() {
            Some(entry) => Ok(entry),
            None => self.found(&entry.key).await,
        }
    }
}

/// Of a store's failure: nothing was sent, unless the caller says otherwise.
fn stored(cause: StoreError) -> Error {
    Error::new(ErrorKind::Store, "keep the journal")
        .with_outcome(Outcome::NotSent)
        .with_message(cause.to_string())
        .with_hint("mend the store, then send with the same key again")
        .with_source(cause)
}

fn held() -> Error {
    Error::new(ErrorKind::Blocked, "send")
        .with_message("another worker is sending this, or it was set aside")
        .with_hint("wait for it; the same key never sends twice")
}

/// The lane of a sending is its key.
fn reused(key: &str) -> Error {
    Error::new(ErrorKind::Conflict, "send")
        .with_outcome(Outcome::NotSent)
        .with_message(format!("the key {key:?} is written down for another file or flow"))
        .with_hint("give every document a key of its own; to go on with this one pass what was passed first")
}

/// How an unknown outcome is asked about, and how the call is made; both see the body that was written down.
struct Work<'w, T> {
    look: &'w (dyn Fn(String) -> BoxFuture<'w, Result<Option<String>, Error>> + Send + Sync),
    act: &'w (dyn Fn(String) -> BoxFuture<'w, Result<(String, T), Error>> + Send + Sync),
}

impl Journal {
    /// Does the work once, whatever happened before; gives what it left (a GUID) and, if it was done now, its result.
    async fn settled<T>(
        &self,
        (lane, key): (&str, &str),
        body: String,
        work: Work<'_, T>,
    ) -> Result<(String, Option<T>), Error> {
        let entry = self.entry(lane, key, body.clone()).await.map_err(stored)?;
        if content::differs(&entry.body, body.as_bytes()) {
            return Err(reused(lane));
        }
        let lease = self.outbox.claim(LaneChoice::Named(lane), &self.worker, LEASE).await.map_err(stored)?;
        let lease = lease.ok_or_else(held)?;
        let result = self.settled_in(&lease, key, work).await;
        // A lease that cannot be given back runs out by itself.
        if self.outbox.release(&lease).await.is_err() {
            tracing::warn!(key, "the lane could not be given back; it comes free when its lease runs out");
        }
        result
    }

    async fn settled_in<T>(
        &self,
        lease: &Lease,
        key: &str,
        work: Work<'_, T>,
    ) -> Result<(String, Option<T>), Error> {
        // Read after the claim: only now does what a predecessor had in flight stand as unknown.
        let mut entry = self.found(key).await.map_err(stored)?;
        let body = String::from_utf8_lossy(&entry.body).into_owned();
        match entry.state {
            State::Done => return Ok((String::from_utf8_lossy(&entry.data).into_owned(), None)),
            State::Unknown => match (work.look)(body.clone()).await {
                Ok(Some(found)) => {
                    self.moved(lease, &entry, State::Done, &found).await.map_err(stored)?;
                    return Ok((found, None));
                }
                Ok(None) => {}
                Err(cause) => return Err(unresolved(&Error::new(ErrorKind::Interrupted, "send"), cause)),
            },
            State::Refused => entry = self.moved(lease, &entry, State::Prepared, "").await.map_err(stored)?,
            State::Prepared => {}
            _ => return Err(held()),
        }
        let entry = self.moved(lease, &entry, State::InFlight, "").await.map_err(stored)?;
        self.acted(lease, &entry, body, work).await
    }

    async fn acted<T>(
        &self,
        lease: &Lease,
        entry: &Entry,
        body: String,
        work: Work<'_, T>,
    ) -> Result<(String, Option<T>), Error> {
        let error = match (work.act)(body.clone()).await {
            Ok((left, result)) => {
                // What was done cannot be undone by a journal that fails: the next run asks and finds it.
                let written = self.moved(lease, entry, State::Done, &left).await;
                written.map_err(|cause| stored(cause).with_outcome(Outcome::Unknown))?;
                return Ok((left, Some(result)));
            }
            Err(error) => error,
        };
        let state = match error.outcome() {
            Outcome::NotSent => State::Prepared,
            Outcome::Refused => State::Refused,
            _ => State::Unknown,
        };
        let written = self.moved(lease, entry, state, "").await;
        if state != State::Unknown {
            return Err(error);
        }
        let entry = written.map_err(|cause| stored(cause).with_outcome(Outcome::Unknown))?;
        match (work.look)(body).await {
            Ok(Some(found)) => {
                let written = self.moved(lease, &entry, State::Done, &found).await;
                written.map_err(|cause| stored(cause).with_outcome(Outcome::Unknown))?;
                Ok((found, None))
            }
            Ok(None) => Err(error),
            Err(cause) => Err(unresolved(&error, cause)),
        }
    }
}

fn written(reference: &Reference, content: &Content) -> String {
    let (name, value) = match reference {
        Reference::CallbackUrl(url) => ("callback_url", url.reveal()),
        Reference::Token(token) => ("token", token.as_str()),
    };
    let mut body = Map::from_iter([(name.to_owned(), value.into())]);
    content.write(&mut body);
    Value::Object(body).to_string()
}

fn read(body: &str) -> Option<Reference> {
    let value: Value = serde_json::from_str(body).ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    text("token")
        .map(Reference::Token)
        .or_else(|| Some(Reference::CallbackUrl(Secret::new(text("callback_url")?))))
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Store, "keep the journal")
        .with_outcome(Outcome::NotSent)
        .with_message("an entry cannot be read")
}

fn guid(text: &str) -> Result<DocumentId, Error> {
    text.parse().map_err(|_| unreadable())
}

impl Client {
    /// As [`send`](Self::send), written down under `key` before anything leaves: with the same key nothing is sent twice, whatever
    /// happened to the program in between. A second call with a key that is done gives the document and sends nothing.
    ///
    /// The key stands for one content: the bytes of the file and of its attachments (unless one is a
    /// [`Source::reader`](crate::Source::reader)), their names, every other field of the upload but `callback_url` and
    /// `callback_key`, and the flow without its callbacks. Their digests are written down as well, for which the files are read once
    /// more.
    ///
    /// Idempotency: each call that it makes by its own class; under one key nothing is sent twice (contract 4.5).
    ///
    /// # Errors
    /// As [`send`](Self::send); [`ErrorKind::Conflict`], not sent, if the key is written down for another content; [`ErrorKind::Store`] if the journal fails, [`ErrorKind::Blocked`] while another worker is at it. After
    /// an unknown outcome call it again: it asks first.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, client) = (kit.sending(), kit.client);
    /// use integration_store::Store;
    /// use legale::Journal;
    ///
    /// let journal = Journal::new(&Store::open("memory:").await?, "worker-1"); // in earnest `sqlite:journal.db`
    /// let sent = client.send_recorded(&journal, "order-2025-0042", &sending).await?;
    /// let again = client.send_recorded(&journal, "order-2025-0042", &sending).await?; // sends nothing
    /// assert_eq!(again.guid, sent.guid);
    /// assert_eq!(kit.sandbox.legale().documents().len(), 1);
    /// # Ok(()) });
    /// ```
    pub async fn send_recorded(
        &self,
        journal: &Journal,
        key: &str,
        send: &Sending,
    ) -> Result<Sent, SendError> {
        let (guid, created) = Box::pin(self.create_recorded(journal, key, send))
            .await
            .map_err(|error| SendError::new(None, error))?;
        let started = Box::pin(self.start_recorded(journal, key, &guid, send)).await;
        let started = started.map_err(|error| SendError::new(Some(guid.clone()), error))?;
        Ok(Sent { guid, created, started })
    }

    async fn create_recorded(
        &self,
        journal: &Journal,
        key: &str,
        send: &Sending,
    ) -> Result<(DocumentId, Option<Created>), Error> {
        let (upload, reference) = send.referenced(self)?;
        // What is wrong locally is told before anything is written down.
        drop(if send.is_repeatable() { Some(self.prepare_upload(&upload).await?) } else { None });
        let body = written(&reference, &Content::of(self, send).await?);
        let look = |body: String| self.probe(body);
        let act = |body: String| -> BoxFuture<'_, Result<(String, Created), Error>> {
            Box::pin(async move {
                let upload = send.with_reference(&read(&body).ok_or_else(unreadable)?);
                let created = self.create(&upload).await?;
                Ok((created.document.guid.to_string(), created))
            })
        };
        let work = Work { look: &look, act: &act };
        let (left, created) = journal.settled((key, &format!("{key}/create")), body, work).await?;
        Ok((guid(&left)?, created))
    }

    async fn start_recorded(
        &self,
        journal: &Journal,
        key: &str,
        guid: &DocumentId,
        send: &Sending,
    ) -> Result<Option<Started>, Error> {
        let emails = send.signers();
        let emails = &emails;
        let look = |_: String| -> BoxFuture<'_, Result<Option<String>, Error>> {
            Box::pin(async move {
                let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
                Ok(self.look_for_started(guid, &emails).await?.then(|| guid.to_string()))
            })
        };
        let act = |_: String| -> BoxFuture<'_, Result<(String, Started), Error>> {
            Box::pin(async move { Ok((guid.to_string(), self.start(guid, &send.flow).await?)) })
        };
        let body = json!({ "GUID": guid.as_str(), "signers": emails }).to_string();
        let work = Work { look: &look, act: &act };
        Ok(journal.settled((key, &format!("{key}/start")), body, work).await?.1)
    }

    fn probe(&self, body: String) -> BoxFuture<'_, Result<Option<String>, Error>> {
        Box::pin(async move {
            let reference = read(&body).ok_or_else(unreadable)?;
            Ok(self.look_for_created(&reference).await?.map(|guid| guid.to_string()))
        })
    }

    /// Asks the service about every creation that is not known to have ended, for instance at the start of a program, and writes down what
    /// it finds. What is not there stays open: [`send_recorded`](Self::send_recorded) with its key sends it, since only that has
    /// the file. Gives the keys with the documents that were found.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.5): it only asks.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if the journal fails; else what asking met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use integration_store::Store;
    /// use legale::Journal;
    ///
    /// let journal = Journal::new(&Store::open("memory:").await?, "worker-1");
    /// for (key, found) in client.resolve(&journal).await? {
    ///     println!("{key}: {found:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn resolve(&self, journal: &Journal) -> Result<Vec<(String, Option<DocumentId>)>, Error> {
        let open = Query::in_states([State::InFlight, State::Unknown]);
        let mut resolved = Vec::new();
        for entry in journal.outbox.list(open).await.map_err(stored)? {
            let Some(key) = entry.key.strip_suffix("/create") else { continue };
            let claimed = journal.outbox.claim(LaneChoice::Named(&entry.lane), &journal.worker, LEASE).await;
            let Some(lease) = claimed.map_err(stored)? else { continue };
            let found = self.resolved(journal, &lease, &entry.key).await;
            journal.outbox.release(&lease).await.map_err(stored)?;
            resolved.push((key.to_owned(), found?));
        }
        Ok(resolved)
    }

    async fn resolved(
        &self,
        journal: &Journal,
        lease: &Lease,
        key: &str,
    ) -> Result<Option<DocumentId>, Error> {
        let entry = journal.found(key).await.map_err(stored)?;
        if entry.state != State::Unknown {
            return Ok(None);
        }
        let Some(found) = self.probe(String::from_utf8_lossy(&entry.body).into_owned()).await? else {
            return Ok(None);
        };
        journal.moved(lease, &entry, State::Done, &found).await.map_err(stored)?;
        guid(&found).map(Some)
    }
}
