//! What is kept of messages: a log per case file, what is on its way, what waits for its message, and the last head (contract X1 to X4,
//! X7).
//!
//! The rules enforced here: a log only grows; what is there is never replaced; what the feed brought and its cursor are one commit.

use std::collections::BTreeMap;

use bytes::Bytes;
use integration_core::Error;
use integration_store::Store;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TAKE_IN;
use crate::evidence::Head;
use crate::shelf::{Look, Shelf, Writes, wide};
use crate::thread::{Added, Received, Thread};
use crate::web::{Event, Message, MessageId, MessageStored, Receipt, ReceiptId, Sha256};

const OUTGOING: &str = "outgoing";
const PARKED: &str = "parked";
const INBOUND: &str = "inbound";
const ASIDE: &str = "aside";
const HEAD: &str = "head";

/// A line of a case file's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Item {
    Message(Message),
    Receipt(Receipt),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    /// What the portal answered, for what was posted from here.
    stored: Option<MessageStored>,
    item: Item,
}

/// What was written down and not yet answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outgoing {
    pub(super) case: u64,
    pub(super) item: Item,
}

impl Outgoing {
    pub(super) fn key(&self) -> String {
        match &self.item {
            Item::Message(message) => format!("message/{}", message.message_id),
            Item::Receipt(receipt) => format!("receipt/{}", receipt.receipt_id),
        }
    }
}

/// A receipt that waits for its message (X3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Parked {
    /// The case file.
    pub case: u64,
    /// The receipt.
    pub receipt: ReceiptId,
    /// The message that is missing.
    pub message: MessageId,
    /// Since when.
    pub since: Timestamp,
}

/// The log of one case file, replayed.
#[derive(Debug, Default)]
pub(super) struct Log {
    case: u64,
    lines: Vec<Line>,
    pub(super) thread: Thread,
}

impl Log {
    fn replayed(case: u64, lines: Vec<Line>) -> Self {
        let mut thread = Thread::new();
        for line in &lines {
            match &line.item {
                Item::Message(message) => drop(thread.add(message)),
                Item::Receipt(receipt) => drop(thread.receive(receipt, line.at)),
            }
        }
        Self { case, lines, thread }
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.lines.iter().filter_map(|line| match &line.item {
            Item::Message(message) => Some(message),
            Item::Receipt(_) => None,
        })
    }

    /// What became of an item of this name that is there already, and whether it is this one.
    pub(super) fn same(&self, item: &Item) -> Option<(bool, Option<MessageStored>)> {
        let own = self.lines.iter().find(|line| match (&line.item, item) {
            (Item::Message(own), Item::Message(new)) => own.message_id == new.message_id,
            (Item::Receipt(own), Item::Receipt(new)) => own.receipt_id == new.receipt_id,
            _ => false,
        })?;
        Some((own.item == *item, own.stored))
    }

    fn push(&mut self, line: Line, writes: &mut Writes) -> Result<(), Error> {
        let number = self.lines.len() as u64 + 1;
        writes.put(log_of(self.case), wide(number), &line)?;
        self.lines.push(line);
        Ok(())
    }

    /// Adds a message, and says what became of it; the receipts that waited for it wait no longer.
    pub(super) fn add(
        &mut self,
        (message, stored): (&Message, Option<MessageStored>),
        now: Timestamp,
        parked: &BTreeMap<String, Parked>,
        writes: &mut Writes,
    ) -> Result<Added, Error> {
        let added = self.thread.add(message);
        if added == Added::New {
            self.push(Line { at: now, stored, item: Item::Message(message.clone()) }, writes)?;
            let due = |waiting: &&Parked| waiting.case == self.case && waiting.message == message.message_id;
            parked.values().filter(due).for_each(|waiting| writes.delete(PARKED, waiting.receipt.as_str()));
        }
        Ok(added)
    }

    /// Adds a receipt, and says what became of it.
    pub(super) fn receive(
        &mut self,
        (receipt, stored): (&Receipt, Option<MessageStored>),
        now: Timestamp,
        writes: &mut Writes,
    ) -> Result<Received, Error> {
        let received = self.thread.receive(receipt, now);
        if received == Received::Known {
            return Ok(received);
        }
        self.push(Line { at: now, stored, item: Item::Receipt(receipt.clone()) }, writes)?;
        if received == Received::Parked {
            let (receipt, message) = (receipt.receipt_id.clone(), receipt.message_id.clone());
            let waiting = Parked { case: self.case, receipt, message, since: now };
            writes.put(PARKED, waiting.receipt.as_str(), &waiting)?;
        }
        Ok(received)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Logs(Shelf);

impl Logs {
    pub(super) fn new(store: &Store, tenant: &str) -> Self {
        Self(Shelf::new(store, format!("apiges/{tenant}/messages"), TAKE_IN))
    }

    pub(super) async fn look(&self) -> Result<Look, Error> {
        self.0.look().await
    }

    pub(super) async fn of(&self, case: u64) -> Result<Log, Error> {
        let lines = self.0.all(&log_of(case)).await?;
        Ok(Log::replayed(case, lines.into_values().collect()))
    }

    pub(super) async fn outgoing(&self) -> Result<BTreeMap<String, Outgoing>, Error> {
        self.0.all(OUTGOING).await
    }

    pub(super) async fn parked(&self) -> Result<BTreeMap<String, Parked>, Error> {
        self.0.all(PARKED).await
    }

    pub(super) async fn inbound(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Event)>, Error> {
        self.0.some(INBOUND, after, limit).await
    }

    pub(super) async fn aside(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Event)>, Error> {
        self.0.some(ASIDE, after, limit).await
    }

    pub(super) async fn head(&self, case: u64) -> Result<Option<Head>, Error> {
        Ok(self.0.all(&head_of(case)).await?.remove(HEAD))
    }

    /// Keeps a head unless one that is as far is kept.
    pub(super) async fn keep_head(&self, case: u64, head: Head) -> Result<(), Error> {
        let decide = |kept: &BTreeMap<String, Head>, writes: &mut Writes| raise(case, kept, head, writes);
        self.0.change(&head_of(case), decide).await
    }

    /// Commits under the cursor that stands; whether nobody came between.
    pub(super) async fn commit(&self, look: &Look, writes: Writes) -> Result<bool, Error> {
        self.0.commit(look, look.cursor.clone(), writes).await
    }

    /// Commits what the feed brought together with the cursor behind it (X4).
    pub(super) async fn commit_at(&self, look: &Look, cursor: &str, writes: Writes) -> Result<bool, Error> {
        self.0.commit(look, Bytes::copy_from_slice(cursor.as_bytes()), writes).await
    }

    pub(super) fn contended(&self) -> Error {
        self.0.contended()
    }

    /// Writes down what was answered: out of what is on its way, into the log, with the head that the portal told.
    pub(super) async fn answered(
        &self,
        outgoing: &Outgoing,
        stored: MessageStored,
        now: Timestamp,
    ) -> Result<(), Error> {
        for _ in 0..crate::shelf::TRIES {
            let look = self.look().await?;
            let (mut log, mut writes) = (self.of(outgoing.case).await?, Writes::default());
            writes.delete(OUTGOING, outgoing.key());
            match &outgoing.item {
                Item::Message(message) => {
                    let parked = self.parked().await?;
                    log.add((message, Some(stored)), now, &parked, &mut writes)?;
                }
                Item::Receipt(receipt) => drop(log.receive((receipt, Some(stored)), now, &mut writes)?),
            }
            let kept = self.0.all(&head_of(outgoing.case)).await?;
            let head = Head { seq: stored.seq, hash: stored.hash };
            raise(outgoing.case, &kept, head, &mut writes)?;
            if self.commit(&look, writes).await? {
                return Ok(());
            }
        }
        Err(self.contended())
    }
}

/// The older head is the one to trust, so one that says otherwise of the same place does not replace it.
fn raise(case: u64, kept: &BTreeMap<String, Head>, head: Head, writes: &mut Writes) -> Result<(), Error> {
    match kept.get(HEAD) {
        Some(kept) if kept.seq >= head.seq => Ok(()),
        _ => writes.put(head_of(case), HEAD, &head),
    }
}

pub(super) fn write_outgoing(outgoing: &Outgoing, writes: &mut Writes) -> Result<(), Error> {
    writes.put(OUTGOING, outgoing.key(), outgoing)
}

pub(super) fn forget_outgoing(outgoing: &Outgoing, writes: &mut Writes) {
    writes.delete(OUTGOING, outgoing.key());
}

/// Keeps an event for whoever handles what viewers did. `at` is its place in its page.
pub(super) fn write_inbound(look: &Look, at: usize, event: &Event, writes: &mut Writes) -> Result<(), Error> {
    writes.put(INBOUND, place(look, at), event)
}

/// Keeps an event that could not be taken in.
pub(super) fn write_aside(look: &Look, at: usize, event: &Event, writes: &mut Writes) -> Result<(), Error> {
    writes.put(ASIDE, place(look, at), event)
}

/// Rises with every page and event.
fn place(look: &Look, at: usize) -> String {
    format!("{:020}/{at:010}", look.serial())
}

pub(super) fn log_of(case: u64) -> String {
    format!("log/{case}")
}

fn head_of(case: u64) -> String {
    format!("head/{case}")
}

/// A head without a place: nobody keeps it.
pub(super) const fn stored(seq: u64, hash: Sha256) -> MessageStored {
    MessageStored { seq, hash }
}
