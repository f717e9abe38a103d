//! Every write to a far side, written down before its first byte leaves (DESIGN section 3, promise 1).
//!
//! The rules enforced here: one runner at a time, by the lane's lease; a write whose answer was lost stays `Unknown` until somebody has
//! looked what became of it; what was done once under a key is not done again under it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use integration_core::clock::Clock;
use integration_core::{Error, ErrorKind, Outcome};
use integration_store::{
    Change, Entry, LaneChoice, Lease, NewEntry, Outbox, Query, State, Step, worker_is_gone,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::book::{failed, pad};
use super::ports::{Asked, Content};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    /// A new client in Sugester; the id is that of the BitFactura client.
    CreateInSugester,
    /// A new client in BitFactura; the id is that of the Sugester client.
    CreateInBitFactura,
    /// A new deal; the id is that of the invoice.
    CreateDeal,
    /// A client posted to the receiver; the id is that of the BitFactura client.
    Push,
    /// The row `client:sync`; the id is 0.
    RegisterWebhook,
    /// Fields of a client of BitFactura; the id is its own.
    EditBitFactura,
    /// Fields of a client of Sugester; the id is its own.
    EditSugester,
    /// Fields of a deal; the id is that of the invoice.
    EditDeal,
}

impl Deed {
    const fn word(self) -> &'static str {
        match self {
            Self::CreateInSugester => "create/sugester",
            Self::CreateInBitFactura => "create/bitfactura",
            Self::CreateDeal => "create/deal",
            Self::Push => "push",
            Self::RegisterWebhook => "webhook",
            Self::EditBitFactura => "edit/bitfactura",
            Self::EditSugester => "edit/sugester",
            Self::EditDeal => "edit/deal",
        }
    }

    /// Whether the same record may be written again under another key.
    const fn is_edit(self) -> bool {
        matches!(self, Self::EditBitFactura | Self::EditSugester | Self::EditDeal)
    }

    /// The key of this deed for a record: creations have one for ever, edits one each.
    pub(super) fn key(self, id: u64, turn: &str) -> String {
        let word = self.word();
        if self.is_edit() { format!("{word}/{}/{turn}", pad(id)) } else { format!("{word}/{}", pad(id)) }
    }
}

/// What is remembered beside the bytes of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) deed: Deed,
    /// Of the record that the deed is named by.
    pub(super) id: u64,
    /// When it went out, by the store's clock.
    pub(super) sent_at: Timestamp,
    /// `updated_at` of the record as it was read before.
    #[serde(default)]
    pub(super) seen: Option<Timestamp>,
    /// What it came to: the new record's id, or why it was refused.
    pub(super) said: String,
}

/// What is to be written, before its bytes.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    deed: Deed,
    id: u64,
    turn: String,
    seen: Option<Timestamp>,
}

impl Intent {
    pub(super) const fn new(deed: Deed, id: u64) -> Self {
        Self { deed, id, turn: String::new(), seen: None }
    }

    /// Tells one edit of a record from the next.
    pub(super) fn turn(self, turn: String) -> Self {
        Self { turn, ..self }
    }

    /// `updated_at` of the record that the edit was decided on.
    pub(super) fn seen(self, seen: Option<Timestamp>) -> Self {
        Self { seen, ..self }
    }
}

/// What a write came to.
#[derive(Debug)]
pub(super) enum Sent<T> {
    /// The service acted. The entry is to be closed once what it brought is remembered.
    Now(T, Box<Open>),
    /// It was done in an earlier run under the same key: with what it came to.
    Before(String),
    /// The answer to an earlier attempt was lost, and nobody has found out yet.
    Unsettled,
    /// It failed now.
    Failed(Error),
}

/// An entry that is in flight.
#[derive(Debug)]
pub(super) struct Open {
    entry: Entry,
    note: Note,
}

pub(super) struct Journal {
    outbox: Outbox,
    lease: Lease,
    span: Duration,
    clock: Arc<dyn Clock>,
    renewed: Duration,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl Journal {
    /// Claims the lane; what was in flight in it becomes unknown.
    pub(super) async fn open(
        outbox: Outbox,
        worker: &str,
        span: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let lane = outbox.name().to_owned();
        let renewed = clock.elapsed();
        for _ in 0..2 {
            let claimed = outbox.claim(LaneChoice::Named(&lane), worker, span).await.map_err(failed)?;
            if let Some(lease) = claimed {
                return Ok(Self { outbox, lease, span, clock, renewed });
            }
            bury(&outbox, &lane).await?;
        }
        Err(Error::new(ErrorKind::Blocked, "synchronise")
            .with_outcome(Outcome::NotSent)
            .with_message("another run is under way")
            .with_hint("one run at a time: wait for its end"))
    }

    /// Gives the lane back; one that cannot be given back runs out.
    pub(super) async fn close(self) {
        if let Err(error) = self.outbox.release(&self.lease).await {
            tracing::debug!(%error, "the lease was not given back");
        }
    }

    /// Holds the lease on, when a third of it has passed.
    pub(super) async fn keep(&mut self) -> Result<(), Error> {
        let now = self.clock.elapsed();
        if now.saturating_sub(self.renewed) > self.span / 3 {
            self.outbox.renew(&self.lease, self.span).await.map_err(failed)?;
            self.renewed = now;
        }
        Ok(())
    }

    /// The store's clock now.
    pub(super) async fn now(&self) -> Result<Timestamp, Error> {
        self.outbox.now().await.map_err(failed)
    }

    /// Writes down, sends, and writes down what became of it unless the service acted: then the caller remembers first what it brought,
    /// and [`done`](Self::done) closes the entry.
    pub(super) async fn send<'a, T>(
        &mut self,
        intent: Intent,
        body: &Content,
        call: impl FnOnce(Content) -> Asked<'a, T>,
    ) -> Result<Sent<T>, Error> {
        self.keep().await?;
        let Intent { deed, id, turn, seen } = intent;
        let note = Note { deed, id, sent_at: self.now().await?, seen, said: String::new() };
        let entry = match self.take_off(&deed.key(id, &turn), body, &note).await? {
            Start::Go(entry) => entry,
            Start::Before(said) => return Ok(Sent::Before(said)),
            Start::Unsettled => return Ok(Sent::Unsettled),
        };
        match call(body.clone()).await {
            Ok(brought) => Ok(Sent::Now(brought, Box::new(Open { entry, note }))),
            Err(error) => {
                let state = if error.is_safe_to_repeat() { State::Refused } else { State::Unknown };
                self.change(&entry, state, &Note { said: error.to_string(), ..note }).await?;
                Ok(Sent::Failed(error))
            }
        }
    }

    /// The service acted, and what it brought is remembered.
    pub(super) async fn done(&mut self, open: Box<Open>, said: impl ToString) -> Result<(), Error> {
        let note = Note { said: said.to_string(), ..open.note };
        self.change(&open.entry, State::Done, &note).await.map(drop)
    }

    async fn take_off(&self, key: &str, body: &RawValue, note: &Note) -> Result<Start, Error> {
        let Some(mut entry) = self.outbox.find(key).await.map_err(failed)? else {
            let new = NewEntry::new(&*self.lease.lane, key, body.get().to_owned(), encoded(note));
            let step = Step::new().with_append(new.with_in_flight());
            let made = self.outbox.apply(&self.lease, step).await.map_err(failed)?;
            return made.into_iter().next().map(Start::Go).ok_or_else(nothing_written);
        };
        match entry.state {
            State::Done => {
                return Ok(Start::Before(note_of(&entry).map(|note| note.said).unwrap_or_default()));
            }
            State::Unknown | State::InFlight => return Ok(Start::Unsettled),
            // Killed between being prepared again and going out: its bytes may be old.
            State::Prepared => entry = self.change(&entry, State::Dead, note).await?,
            _ => {}
        }
        let again = self.outbox.revise(&self.lease, &entry, body.get().to_owned(), encoded(note));
        let prepared = again.await.map_err(failed)?;
        self.change(&prepared, State::InFlight, note).await.map(Start::Go)
    }

    async fn change(&self, entry: &Entry, state: State, note: &Note) -> Result<Entry, Error> {
        let change = Change::new(entry, state, encoded(note));
        let written = self.outbox.write(&self.lease, vec![change]).await.map_err(failed)?;
        written.into_iter().next().ok_or_else(nothing_written)
    }

    /// Writes whose outcome nobody knows, the oldest first, after an id.
    pub(super) async fn unknown(&self, after: i64) -> Result<Vec<(Entry, Note)>, Error> {
        let mut query = Query::of_lane(&*self.lease.lane).with_states([State::Unknown]).with_limit(100);
        query.after = after;
        let found = self.outbox.list(query).await.map_err(failed)?;
        Ok(found.into_iter().filter_map(|entry| note_of(&entry).map(|note| (entry, note))).collect())
    }

    /// Somebody has looked what became of it.
    pub(super) async fn resolve(
        &self,
        entry: &Entry,
        note: &Note,
        applied: bool,
        said: impl ToString,
    ) -> Result<(), Error> {
        let state = if applied { State::Done } else { State::Refused };
        self.change(entry, state, &Note { said: said.to_string(), ..note.clone() }).await.map(drop)
    }
}

enum Start {
    Go(Entry),
    Before(String),
    Unsettled,
}

fn encoded(note: &Note) -> Vec<u8> {
    serde_json::to_vec(note).unwrap_or_default()
}

fn note_of(entry: &Entry) -> Option<Note> {
    serde_json::from_slice(&entry.data).ok()
}

fn nothing_written() -> Error {
    Error::new(ErrorKind::Store, "synchronise")
        .with_outcome(Outcome::NotSent)
        .with_message("the store changed nothing and gave no reason")
}

/// Ends the lease of a worker whose process is certainly gone. Safe even if it were not: its writes are fenced off.
async fn bury(outbox: &Outbox, lane: &str) -> Result<(), Error> {
    let view = outbox.lane(lane).await.map_err(failed)?;
    let Some(holder) = view.held_by.filter(|holder| worker_is_gone(holder)) else { return Ok(()) };
    tracing::info!(lane, worker = holder, "its process has ended: the lane is taken over");
    let lease = Lease::new(outbox.name(), lane, holder, view.fence);
    outbox.release(&lease).await.map_err(failed)
}
