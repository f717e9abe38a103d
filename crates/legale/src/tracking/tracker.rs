//! Merges what is observed about documents. The rules: a state is told once; a final state is left only on the word of a fresh
//! look; what is older than what is known is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use integration_core::Error;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{Event, EventKind, Listed, Observation, Source};
use crate::flow::Order;
use crate::id::DocumentId;
use crate::seen::{Detail, Seen};
use crate::status::{Facts, SignStatus, Status};

/// Takes every event, for example into the caller's own system (contract 4.13). Its errors are noted and block nothing.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    ///
    /// # Errors
    /// Whatever kept it from being taken; it is logged and not offered again.
    fn event(&self, event: &Event) -> Result<(), Error>;
}

/// Follows documents. Shared by reference or in an `Arc`; see the [module's page](super).
#[derive(Default)]
pub struct Tracker {
    documents: Mutex<BTreeMap<DocumentId, Tracked>>,
    sinks: Vec<Arc<dyn EventSink>>,
}

/// A document that has not ended, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// Which one.
    pub document: DocumentId,
    /// Where it stands.
    pub status: Status,
    /// How long since the start of its flow, or else since its upload, if either is known.
    pub age: Option<SignedDuration>,
    /// Who is to sign: one in a sequence, all who are not known to be done otherwise.
    pub next_signers: Vec<String>,
    /// When the links run out, if known.
    pub deadline: Option<Timestamp>,
}

#[derive(Default)]
struct Tracked {
    sign_status: Option<SignStatus>,
    comment: Option<String>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    is_started: bool,
    started_at: Option<Timestamp>,
    expiration_days: Option<u32>,
    order: Option<Order>,
    signers: Vec<String>,
    done: BTreeSet<String>,
    is_gone: bool,
    is_terminated: bool,
    is_list_only: bool,
    status: Option<Status>,
    told: BTreeSet<&'static str>,
    timeline: Vec<Event>,
    listeners: Vec<mpsc::UnboundedSender<Event>>,
}

impl Tracker {
    /// Follows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends every event to a sink, too.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Follows a document of which nothing is known yet, so that [`poll`](super::poll) asks for it.
    pub fn watch(&self, document: &DocumentId) {
        self.lock().entry(document.clone()).or_default();
    }

    /// Takes a piece of news, and tells which events it makes: none if nothing is new.
    pub fn observe(
        &self,
        document: &DocumentId,
        at: Timestamp,
        source: Source,
        observation: Observation,
    ) -> Vec<Event> {
        let mut documents = self.lock();
        let tracked = documents.entry(document.clone()).or_default();
        let mut news = News { document, at, source, events: Vec::new() };
        tracked.take(observation, &mut news);
        tracked.settle(&mut news);
        let events = news.events;
        tracked.publish(&events);
        drop(documents);
        self.hand_on(&events);
        events
    }

    /// The events of a document from its first on; never ends by itself.
    pub fn subscribe(&self, document: &DocumentId) -> Events {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut documents = self.lock();
        let tracked = documents.entry(document.clone()).or_default();
        for event in &tracked.timeline {
            // The receiver is right here.
            let _ = sender.send(event.clone());
        }
        tracked.listeners.push(sender);
        Events(receiver)
    }

    /// Everything that happened to a document, in the order in which it was noticed.
    #[must_use]
    pub fn timeline(&self, document: &DocumentId) -> Vec<Event> {
        self.lock().get(document).map(|tracked| tracked.timeline.clone()).unwrap_or_default()
    }

    /// Where a document stands at `now`; nothing if it is not followed or nothing was heard of it.
    #[must_use]
    pub fn status(&self, document: &DocumentId, now: Timestamp) -> Option<Status> {
        self.lock().get(document)?.status_at(now)
    }

    /// Forgets a document.
    pub fn forget(&self, document: &DocumentId) {
        self.lock().remove(document);
    }

    /// All that have not ended, the oldest first.
    #[must_use]
    pub fn pending(&self, now: Timestamp) -> Vec<Pending> {
        let documents = self.lock();
        let mut pending: Vec<Pending> =
            documents.iter().filter_map(|(document, tracked)| tracked.pending(document, now)).collect();
        pending.sort_by_key(|pending| std::cmp::Reverse(pending.age));
        pending
    }

    /// What polling has to know of a document: whether it has ended, whether its detail is refused, when it was last changed.
    pub(super) fn known(&self, document: &DocumentId) -> Option<Known> {
        let documents = self.lock();
        let tracked = documents.get(document)?;
        Some(Known {
            is_final: tracked.status.as_ref().is_some_and(Status::is_final),
            is_list_only: tracked.is_list_only,
            sign_status: tracked.sign_status,
            updated_at: tracked.updated_at,
        })
    }

    pub(super) fn followed(&self) -> Vec<DocumentId> {
        self.lock().keys().cloned().collect()
    }

    fn hand_on(&self, events: &[Event]) {
        for (sink, event) in self.sinks.iter().flat_map(|sink| events.iter().map(move |event| (sink, event)))
        {
            if let Err(error) = sink.event(event) {
                tracing::warn!(document = %event.document, event = event.kind.name(), %error, "an event sink failed");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DocumentId, Tracked>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("documents", &self.lock().len()).finish_non_exhaustive()
    }
}

/// See [`Tracker::known`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) is_final: bool,
    pub(super) is_list_only: bool,
    pub(super) sign_status: Option<SignStatus>,
    pub(super) updated_at: Option<Timestamp>,
}

/// Events under way.
struct News<'a> {
    document: &'a DocumentId,
    at: Timestamp,
    source: Source,
    events: Vec<Event>,
}

impl News<'_> {
    fn tell(&mut self, kind: EventKind, at: Timestamp, actor: Option<String>) {
        self.events.push(Event { document: self.document.clone(), at, kind, source: self.source, actor });
    }
}

impl Tracked {
    fn take(&mut self, observation: Observation, news: &mut News<'_>) {
        match observation {
            Observation::Created => self.created(news.at, news),
            Observation::Started { order, expiration_days, signers } => {
                (self.order, self.expiration_days, self.signers) = (Some(order), expiration_days, signers);
                self.is_started = true;
                self.started_at = Some(news.at);
                self.once(EventKind::Started, news.at, news);
            }
            Observation::Launched => {
                self.is_started = true;
                self.started_at.get_or_insert(news.at);
                self.once(EventKind::Launched, news.at, news);
            }
            Observation::Reminded(signer) => news.tell(EventKind::Reminded, news.at, Some(signer)),
            Observation::SignerDone(signer) => {
                if self.done.insert(signer.trim().to_lowercase()) {
                    news.tell(EventKind::SignerDone, news.at, Some(signer));
                }
            }
            Observation::Seen(seen) => self.seen(seen, news),
            Observation::Listed(listed) => self.listed(listed, news),
            Observation::Told { sign_status, comment } => self.judge(sign_status, comment, false, news),
            Observation::Downloaded { sha256 } => news.tell(EventKind::Downloaded { sha256 }, news.at, None),
            Observation::Terminated => self.is_terminated = true,
            Observation::Tick => {}
        }
    }

    fn once(&mut self, kind: EventKind, at: Timestamp, news: &mut News<'_>) {
        if self.told.insert(kind.name()) {
            news.tell(kind, at, None);
        }
    }

    fn created(&mut self, at: Timestamp, news: &mut News<'_>) {
        self.created_at.get_or_insert(at);
        self.sign_status.get_or_insert(SignStatus::NotSigned);
        self.once(EventKind::Created, at, news);
    }

    fn seen(&mut self, seen: Seen, news: &mut News<'_>) {
        match seen {
            Seen::Found(detail) => self.found(detail, news),
            // Only what was known before can be gone.
            Seen::NotFound => self.is_gone |= self.status.is_some() || self.sign_status.is_some(),
            Seen::Denied { code } => {
                self.is_list_only = true;
                self.once(EventKind::Denied { code }, news.at, news);
            }
        }
    }

    fn found(&mut self, detail: Detail, news: &mut News<'_>) {
        if self.is_older(detail.updated_at) {
            return;
        }
        self.updated_at = detail.updated_at.or(self.updated_at);
        if let Some(at) = detail.created_at {
            self.created(at, news);
        }
        self.is_started |= detail.has_signers;
        self.is_gone = false;
        self.judge(detail.sign_status, detail.comment, true, news);
    }

    fn listed(&mut self, listed: Listed, news: &mut News<'_>) {
        if self.is_older(listed.updated_at) {
            return;
        }
        if let Some(at) = listed.created_at {
            self.created(at, news);
        }
        // The time of change is noted by a look at the detail only, unless there can be none.
        if self.is_list_only {
            self.updated_at = listed.updated_at.or(self.updated_at);
        }
        self.judge(listed.sign_status, listed.comment, self.is_list_only, news);
    }

    fn is_older(&self, updated_at: Option<Timestamp>) -> bool {
        matches!((updated_at, self.updated_at), (Some(new), Some(known)) if new < known)
    }

    /// Takes a `sign_status`, unless it would lead out of a final state without a fresh look.
    fn judge(&mut self, sign_status: SignStatus, comment: Option<String>, is_fresh: bool, news: &News<'_>) {
        let facts = self.facts_with(sign_status).comment(comment.clone());
        let next = facts.status(news.at);
        let stays =
            self.status.as_ref().is_some_and(|status| status.clone().advance(next, is_fresh) == *status);
        if !stays || self.sign_status.is_none() {
            (self.sign_status, self.comment) = (Some(sign_status), comment);
            // A fresh look at an open document contradicts that it was terminated.
            self.is_terminated &= !is_fresh || sign_status.is_final();
        }
    }

    /// Compares the state with the one told last, and tells what changed.
    fn settle(&mut self, news: &mut News<'_>) {
        let Some(status) = self.status_at(news.at) else { return };
        let before = self.status.replace(status.clone());
        if before.as_ref() == Some(&status) {
            return;
        }
        let kind = match status {
            Status::Signed => EventKind::Signed,
            Status::Rejected { comment } => EventKind::Rejected { comment },
            Status::LinkExpired => EventKind::Expired,
            Status::Deleted => EventKind::Deleted,
            Status::Terminated => EventKind::Terminated,
            Status::Other(text) => EventKind::Other(text),
            Status::Uploaded | Status::InProgress => match before {
                Some(Status::Uploaded) | None => return,
                Some(_) => EventKind::Reopened,
            },
        };
        news.tell(kind, news.at, None);
    }

    fn facts_with(&self, sign_status: SignStatus) -> Facts {
        let mut facts = Facts::new(sign_status);
        if let Some(at) = self.started_at {
            facts = facts.started(at);
        } else if self.is_started {
            facts = facts.started_some_time();
        }
        if let Some(days) = self.expiration_days {
            facts = facts.expires_after_days(days);
        }
        if self.is_gone {
            facts = facts.gone();
        }
        if self.is_terminated { facts.terminated() } else { facts }
    }

    fn status_at(&self, now: Timestamp) -> Option<Status> {
        let is_heard_of = self.sign_status.is_some() || self.is_started || self.is_terminated;
        let sign_status = self.sign_status.unwrap_or(SignStatus::NotSigned);
        is_heard_of.then(|| self.facts_with(sign_status).comment(self.comment.clone()).status(now))
    }

    fn pending(&self, document: &DocumentId, now: Timestamp) -> Option<Pending> {
        let status = self.status_at(now).filter(|status| !status.is_final())?;
        let waiting = self.signers.iter().filter(|signer| !self.done.contains(&signer.trim().to_lowercase()));
        let count = if self.order == Some(Order::Parallel) { usize::MAX } else { 1 };
        Some(Pending {
            document: document.clone(),
            age: self.started_at.or(self.created_at).map(|since| now.duration_since(since)),
            next_signers: waiting.take(count).cloned().collect(),
            deadline: self.facts_with(SignStatus::NotSigned).deadline(),
            status,
        })
    }

    fn publish(&mut self, events: &[Event]) {
        self.timeline.extend_from_slice(events);
        for event in events {
            self.listeners.retain(|listener| listener.send(event.clone()).is_ok());
        }
    }
}

/// The events of one document, from its first on. A [`Stream`]; dropping it ends the subscription.
#[derive(Debug)]
pub struct Events(mpsc::UnboundedReceiver<Event>);

impl Events {
    /// The next event; nothing once the document is forgotten or the tracker is gone.
    ///
    /// Idempotency: no call to the service; dropping the future loses no event (contract 4.11).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let guid = kit.guid().await;
    /// use legale::flow::Order;
    /// use legale::tracking::{Observation, Source, Tracker};
    ///
    /// let tracker = Tracker::new();
    /// let mut events = tracker.subscribe(&guid);
    /// # let now = legale::Clock::wall(&legale::SystemClock::new());
    /// tracker.observe(&guid, now, Source::Caller, Observation::started(Order::Sequential, None, ["ana@example.com"]));
    /// println!("{:?}", events.next().await.map(|event| event.kind));
    /// # Ok(()) });
    /// ```
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(context)
    }
}
