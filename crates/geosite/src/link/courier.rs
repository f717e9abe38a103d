//! Takes what is due to GeoSite (contract 3.6, 4.5).
//!
//! The rule enforced here: create-or-get by (document, contract). GeoSite is asked (L1) before each write, and a write whose outcome
//! is unknown is never repeated before it has been asked again, after a delay that outlasts any call on its way; for a repeated
//! call makes a second customer there.
//!
//! One lane per contract: two machines never write the same customer at once. A link on a port that another link has left waits
//! until GeoSite has been told of that, or has refused to hear it.

use std::time::Duration;

use integration_core::{Error, ErrorKind, Outcome};
use integration_store::{
    Change, Entry, LaneChoice, Lease, NewEntry, Outbox, Query, State, Store, StoreError, StoreErrorKind,
    worker_is_gone, worker_name,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::error::LinkError;
use super::ledger::{Ledger, Task, Writes};
use super::port::{DetachPolicy, Link};
use super::write_back::{
    Confirmed, Found, PortLinkReader, PortLinkWriter, Released, Told, WriteBackError, attach_key, detach_key,
    has_arrived, outbox_key,
};

/// Outlasts L1 with its retries (60 s in all) and a write (30 s).
const LEASE: Duration = Duration::from_secs(300);
/// Outlasts a write that is still on its way when its caller has given up.
const SETTLING: SignedDuration = SignedDuration::from_secs(60);

/// What became of one write-back in a round.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Delivered {
    /// The link.
    pub link: Link,
    /// Whether it was to be undone.
    pub detaching: bool,
    /// How far GeoSite has been told.
    pub state: Told,
}

/// What a round would do, had it been made now.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Planned {
    /// The link.
    pub link: Link,
    /// What would be done.
    pub step: Step,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// A new customer would be made (L2).
    Create,
    /// The customer would be changed (L2).
    Update {
        /// As GeoSite has it.
        now: Found,
    },
    /// The customer would be taken off the port (L3).
    Detach {
        /// As GeoSite has it.
        now: Found,
    },
    /// GeoSite has it so already.
    Nothing,
    /// It waits for another write-back, or for the end of a call whose outcome is unknown.
    Wait,
    /// GeoSite could not be asked, or a person must look.
    Unclear {
        /// Why.
        reason: String,
    },
}

/// What is remembered of an entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Note {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fid: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default)]
    dropped: bool,
}

impl Note {
    fn fid(fid: Option<u64>) -> Self {
        Self { fid, ..Self::default() }
    }

    fn reason(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }

    fn dropped() -> Self {
        Self { dropped: true, ..Self::default() }
    }
}

/// Takes confirmed links to GeoSite, from any number of machines.
#[derive(Debug, Clone)]
pub struct Courier {
    ledger: Ledger,
    outbox: Outbox,
    settling: SignedDuration,
}

/// One lane, claimed.
struct Round<'r> {
    courier: &'r Courier,
    lease: &'r Lease,
    writer: &'r dyn PortLinkWriter,
}

impl Courier {
    pub(super) fn new(store: &Store, integration: &str) -> Self {
        let outbox = store.outbox(format!("geosite/write-back/{integration}"));
        Self { ledger: Ledger::new(store, integration), outbox, settling: SETTLING }
    }

    /// How long a write whose outcome is unknown rests before it is asked about; 60 seconds unless set. It must outlast a call
    /// that is still on its way.
    #[must_use]
    pub fn with_settling(mut self, settling: SignedDuration) -> Self {
        self.settling = settling;
        self
    }

    /// One round: everything that is due is looked up, and sent if it differs. Call it after each confirmation, and every minute
    /// or so; each call tries what had failed once more.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by document and contract: what GeoSite holds is looked up before anything is sent
    /// (contract 3.6, 4.5).
    ///
    /// # Errors
    ///
    /// The store's. What GeoSite says stands in the report.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (client, house) = (kit.client.clone(), kit.house().await);
    /// # let (links, link) = (house.links.clone(), house.linked().await);
    /// use geosite::link::HttpLinkWriter;
    ///
    /// links.courier().deliver(&HttpLinkWriter::new(&client)?).await?;
    /// println!("{:?}", links.write_back(&link).await?);
    /// # Ok(()) });
    /// ```
    pub async fn deliver(&self, writer: &dyn PortLinkWriter) -> Result<Vec<Delivered>, LinkError> {
        self.dispatch().await?;
        let mut report = Vec::new();
        for lane in self.outbox.lanes([State::Prepared, State::InFlight, State::Unknown]).await? {
            let Some(lease) = self.claim(&lane).await? else { continue };
            let round = Round { courier: self, lease: &lease, writer };
            let done = round.lane(&mut report).await;
            self.give_back(&lease).await;
            done?;
        }
        Ok(report)
    }

    /// What [`deliver`](Courier::deliver) would do now; it only reads.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.6, 4.5).
    ///
    /// # Errors
    ///
    /// The store's. What GeoSite says stands in the plan.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (client, house) = (kit.client.clone(), kit.house().await);
    /// # let (links, link) = (house.links.clone(), house.linked().await);
    /// use geosite::link::HttpLinkReader;
    ///
    /// for planned in links.courier().plan(&HttpLinkReader::new(&client)).await? {
    ///     println!("{}: {:?}", planned.link.port, planned.step);
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn plan(&self, reader: &dyn PortLinkReader) -> Result<Vec<Planned>, LinkError> {
        let mut plan = Vec::new();
        let mut pages = self.outbox.pages(Query::open());
        while let Some(page) = pages.next_page().await? {
            for entry in &page {
                plan.push(self.planned(task(entry)?, Some(entry), reader).await?);
            }
        }
        for (_, task) in self.ledger.due().await? {
            if self.outbox.find(&outbox_key(&task)).await?.is_none() {
                plan.push(self.planned(task, None, reader).await?);
            }
        }
        Ok(plan)
    }

    /// Lets what was rejected be tried again, after a person has looked. `false` if nothing of this link was.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, link) = (house.links.clone(), house.linked().await);
    /// if links.courier().retry(&link).await? {
    ///     println!("it is sent again with the next round");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn retry(&self, link: &Link) -> Result<bool, LinkError> {
        for key in [detach_key(link.id), attach_key(link.id)] {
            let Some(entry) = self.outbox.find(&key).await? else { continue };
            if matches!(entry.state, State::Refused | State::Dead) && !note(&entry).dropped {
                return self.prepare_again(&entry).await;
            }
        }
        Ok(false)
    }

    async fn prepare_again(&self, entry: &Entry) -> Result<bool, LinkError> {
        let Some(lease) = self.claim(&entry.lane).await? else { return Ok(false) };
        let replayed = self.outbox.replay(&lease, entry, "").await;
        self.give_back(&lease).await;
        replayed?;
        Ok(true)
    }

    /// How far GeoSite has been told of a link.
    pub(super) async fn standing(&self, link: &Link) -> Result<Told, LinkError> {
        let entry = self.outbox.find(&attach_key(link.id)).await?;
        Ok(entry.as_ref().map_or(Told::Queued, standing))
    }

    /// Puts what is due into the outbox, in the order in which it became so. Twice is no harm: the keys are the same.
    async fn dispatch(&self) -> Result<(), LinkError> {
        let worker = worker_name("geosite");
        loop {
            let due = self.ledger.due().await?;
            if due.is_empty() {
                return Ok(());
            }
            for (_, task) in &due {
                self.outbox.append(&worker, vec![entry_of(task)?]).await?;
            }
            let strike =
                |_, writes: &mut Writes| due.iter().try_for_each(|(serial, _)| writes.due(*serial, None));
            self.ledger.change((None, None), strike).await?;
        }
    }

    /// Each claim under a name of its own, so that two rounds of one process exclude each other too.
    async fn claim(&self, lane: &str) -> Result<Option<Lease>, LinkError> {
        let view = self.outbox.lane(lane).await?;
        if let Some(gone) = view.held_by.filter(|holder| worker_is_gone(holder)) {
            self.outbox.release(&Lease::new(self.outbox.name(), lane, gone, view.fence)).await?;
        }
        Ok(self.outbox.claim(LaneChoice::Named(lane), &worker_name("geosite"), LEASE).await?)
    }

    async fn give_back(&self, lease: &Lease) {
        if let Err(error) = self.outbox.release(lease).await {
            tracing::debug!(%error, "a lane was not given back; its lease runs out");
        }
    }

    async fn planned(
        &self,
        task: Task,
        entry: Option<&Entry>,
        reader: &dyn PortLinkReader,
    ) -> Result<Planned, LinkError> {
        let waits = match entry {
            Some(entry) => !self.is_settled(entry).await? || self.waits(&task).await?,
            None => self.waits(&task).await?,
        };
        let step = if waits { Step::Wait } else { self.step(&task, reader).await? };
        Ok(Planned { link: task.link().clone(), step })
    }

    async fn step(&self, task: &Task, reader: &dyn PortLinkReader) -> Result<Step, LinkError> {
        let key = &task.link().customer.key;
        Ok(match (task, reader.find(key).await) {
            (_, Err(error)) => Step::Unclear { reason: error.to_string() },
            (Task::Attach(link), _) if self.is_undone(link).await? => Step::Nothing,
            (Task::Attach(link), Ok(Some(now))) if has_arrived(link, &now) => Step::Nothing,
            (Task::Attach(_), Ok(Some(now))) => Step::Update { now },
            (Task::Attach(_), Ok(None)) => Step::Create,
            (Task::Detach { link, .. }, Ok(Some(now)))
                if now.on == Some(link.port) && self.was_told(link).await? =>
            {
                Step::Detach { now }
            }
            (Task::Detach { .. }, Ok(_)) => Step::Nothing,
        })
    }

    /// Whether a call that may be under way has certainly ended.
    async fn is_settled(&self, entry: &Entry) -> Result<bool, LinkError> {
        match entry.state {
            State::InFlight => Ok(false),
            State::Unknown => Ok(self.outbox.now().await?.duration_since(entry.changed) >= self.settling),
            _ => Ok(true),
        }
    }

    /// Whether the port has to be cleared at GeoSite first, or the link's own attaching is still open.
    async fn waits(&self, task: &Task) -> Result<bool, LinkError> {
        let before = match task {
            Task::Attach(link) => link.after.map(detach_key),
            Task::Detach { link, .. } => Some(attach_key(link.id)),
        };
        let Some(before) = before else { return Ok(false) };
        Ok(self.outbox.find(&before).await?.is_some_and(|entry| entry.state.is_open()))
    }

    async fn is_undone(&self, link: &Link) -> Result<bool, LinkError> {
        Ok(self.outbox.find(&detach_key(link.id)).await?.is_some())
    }

    async fn was_told(&self, link: &Link) -> Result<bool, LinkError> {
        let entry = self.outbox.find(&attach_key(link.id)).await?;
        Ok(entry.is_some_and(|entry| entry.state == State::Done))
    }
}

impl Round<'_> {
    /// The lane's entries in their order, until one of them stays open.
    async fn lane(&self, report: &mut Vec<Delivered>) -> Result<(), LinkError> {
        let open = Query::open().with_lane(&self.lease.lane);
        for entry in self.courier.outbox.list(open).await? {
            self.courier.outbox.renew(self.lease, LEASE).await?;
            let task = task(&entry)?;
            let state = self.task(&entry, &task).await?;
            let detaching = matches!(task, Task::Detach { .. });
            report.push(Delivered { link: task.link().clone(), detaching, state });
            if self.is_open(&entry.key).await? {
                break;
            }
        }
        Ok(())
    }

    async fn is_open(&self, key: &str) -> Result<bool, LinkError> {
        Ok(self.courier.outbox.find(key).await?.is_none_or(|entry| entry.state.is_open()))
    }

    async fn task(&self, entry: &Entry, task: &Task) -> Result<Told, LinkError> {
        if !self.courier.is_settled(entry).await? || self.courier.waits(task).await? {
            return Ok(standing(entry));
        }
        match task {
            Task::Attach(link) => self.attach(entry, link).await,
            Task::Detach { link, policy, .. } => self.detach(entry, link, *policy).await,
        }
    }

    async fn attach(&self, entry: &Entry, link: &Link) -> Result<Told, LinkError> {
        let undone = self.courier.is_undone(link).await?;
        if undone && entry.state == State::Prepared {
            return self.moved(entry, State::Dead, Note::dropped()).await;
        }
        match self.writer.find(&link.customer.key).await {
            Err(error) => self.unasked(entry, &error).await,
            Ok(Some(found)) if has_arrived(link, &found) => self.done(entry, Some(found.fid)).await,
            Ok(_) if undone => self.moved(entry, State::Refused, Note::dropped()).await,
            Ok(found) => {
                let entry = self.sending(entry).await?;
                let confirmed = Confirmed::new(link.clone(), found.map(|found| found.fid));
                self.judged(&entry, self.writer.save(&confirmed).await.map(Some)).await
            }
        }
    }

    async fn detach(&self, entry: &Entry, link: &Link, policy: DetachPolicy) -> Result<Told, LinkError> {
        if !self.courier.was_told(link).await? {
            return self.done(entry, None).await;
        }
        match self.writer.find(&link.customer.key).await {
            Err(error) => self.unasked(entry, &error).await,
            Ok(Some(found)) if found.on == Some(link.port) => {
                let entry = self.sending(entry).await?;
                let released = Released::new(link.clone(), &found);
                let removed = self.writer.remove(&released, policy).await;
                self.judged(&entry, removed.map(|()| Some(found.fid))).await
            }
            Ok(found) => self.done(entry, found.map(|found| found.fid)).await,
        }
    }

    /// GeoSite could not be asked: nothing was sent, so all stays as it is, unless only a person can go on.
    async fn unasked(&self, entry: &Entry, error: &WriteBackError) -> Result<Told, LinkError> {
        match (error, entry.state) {
            (WriteBackError::Call(cause), _) => Ok(Told::Failed { reason: cause.to_string() }),
            (_, State::Prepared) => self.moved(entry, State::Dead, Note::reason(error.to_string())).await,
            _ => self.moved(entry, State::Refused, Note::reason(error.to_string())).await,
        }
    }

    /// Durable before the first byte leaves; refused if another worker has taken the lane meanwhile.
    async fn sending(&self, entry: &Entry) -> Result<Entry, LinkError> {
        self.written(entry, State::InFlight, &note(entry)).await
    }

    async fn judged(
        &self,
        entry: &Entry,
        answer: Result<Option<u64>, WriteBackError>,
    ) -> Result<Told, LinkError> {
        let (state, note) = match answer {
            Ok(fid) => (State::Done, Note::fid(fid)),
            Err(WriteBackError::Call(cause)) => (after_failure(&cause), Note::reason(cause.to_string())),
            Err(refused) => (State::Refused, Note::reason(refused.to_string())),
        };
        self.moved(entry, state, note).await
    }

    async fn done(&self, entry: &Entry, fid: Option<u64>) -> Result<Told, LinkError> {
        // The store knows no way from prepared to done but through flight.
        let entry = if entry.state == State::Prepared { self.sending(entry).await? } else { entry.clone() };
        self.moved(&entry, State::Done, Note::fid(fid)).await
    }

    async fn moved(&self, entry: &Entry, state: State, note: Note) -> Result<Told, LinkError> {
        Ok(standing(&self.written(entry, state, &note).await?))
    }

    async fn written(&self, entry: &Entry, state: State, note: &Note) -> Result<Entry, LinkError> {
        let data = serde_json::to_vec(note).map_err(|_| damaged(&entry.key))?;
        let written = self.courier.outbox.write(self.lease, vec![Change::new(entry, state, data)]).await?;
        written.into_iter().next().ok_or_else(|| damaged(&entry.key))
    }
}

/// Where a failed write leaves its entry.
fn after_failure(cause: &Error) -> State {
    match (cause.outcome(), cause.kind()) {
        (Outcome::Unknown, _) => State::Unknown,
        (Outcome::NotSent, _) => State::Prepared,
        (_, ErrorKind::RateLimited | ErrorKind::Authentication | ErrorKind::Credentials) => State::Prepared,
        _ => State::Refused,
    }
}

fn standing(entry: &Entry) -> Told {
    let note = note(entry);
    let reason = note.reason.clone();
    match entry.state {
        State::Prepared => reason.map_or(Told::Queued, |reason| Told::Failed { reason }),
        State::Done => Told::Acknowledged { fid: note.fid },
        State::Refused | State::Dead if note.dropped => Told::Dropped,
        State::Refused | State::Dead => Told::Rejected { reason: reason.unwrap_or_default() },
        _ => Told::Sent,
    }
}

fn entry_of(task: &Task) -> Result<NewEntry, LinkError> {
    let key = outbox_key(task);
    let body = serde_json::to_vec(task).map_err(|_| damaged(&key))?;
    Ok(NewEntry::new(format!("{:020}", contract(task.link())), key, body, ""))
}

fn contract(link: &Link) -> u64 {
    link.customer.key.contract
}

fn task(entry: &Entry) -> Result<Task, LinkError> {
    serde_json::from_slice(&entry.body).map_err(|_| damaged(&entry.key))
}

fn note(entry: &Entry) -> Note {
    serde_json::from_slice(&entry.data).unwrap_or_default()
}

fn damaged(key: &str) -> LinkError {
    StoreError::new(StoreErrorKind::Corrupt, format!("the write-back {key:?} cannot be read")).into()
}
