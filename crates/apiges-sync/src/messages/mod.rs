//! Messages, receipts and their evidence (contract 4.9, X1 to X7; our own design, not the vendor's protocol).
//!
//! | rule | what is done |
//! |---|---|
//! | X1 | a thread only grows: there is no function that edits or deletes; a correction is a new message that [`replaces`](Message::replaces) another |
//! | X2, X3 | receipts only move a message forward; a known one is a no-op; one without its message waits 24 hours and is then [reported](Messages::overdue) |
//! | X4 | what viewers did is taken in with the feed's cursor in one transaction, and stays [readable](Messages::inbound) until it has been handled |
//! | X7 | an [export](Messages::export) is verified whole, and must go on from the last head that was kept |
//! | Y8 | what is posted is written down first, so that a lost answer is repeated with the same id and key |
//!
//! All of it lives in the checkpoint `apiges/{tenant}/messages` of the store, bodies included: guard the store as the messages
//! themselves. No body is in any log, error or `Debug` of this module.

mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use integration_core::clock::Clock;
use integration_core::{Error, ErrorKind, Fault, Faults, Outcome};
use integration_store::Store;

pub use log::Parked;

use log::{Item, Log, Logs, Outgoing};

use crate::evidence::{Chain, Evidence, Head};
use crate::shelf::{Look, TRIES, Writes};
use crate::thread::{Added, PARKED_FOR, Received, Thread};
use crate::web::{
    Author, AuthorRole, Event, EventPage, IdempotencyKey, Instant, Message, MessageId, MessageStored, Part,
    Receipt, ReceiptEvent, ReceiptId, ReceiptStored, Refusal, RefusalCode, ThreadState, WebSyncTransport,
};

const POST: &str = "post a message";
const REPORT: &str = "post a receipt";
const TAKE_IN: &str = "take in messages";
const EXPORT: &str = "export evidence";

/// What became of something that was on its way when the program ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resumed {
    /// The case file.
    pub case: u64,
    /// The message, or the receipt.
    pub what: Sent,
    /// Its place in the evidence, or why it did not arrive. What may still arrive stays and is repeated next time.
    pub result: Result<MessageStored, Error>,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A message.
    Message(MessageId),
    /// A receipt.
    Receipt(ReceiptId),
}

/// Something that a viewer did on the portal. Its `Debug` shows no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Wrote a message.
    Wrote(Message),
    /// Raised the state of a message, or not.
    Received(Receipt, Received),
}

/// Why an event was put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Aside {
    /// It cannot be read as what it says it is.
    Unreadable,
    /// This crate does not know its type.
    Unknown,
    /// A message of its id says something else; that one stays (X1).
    Contradicts,
}

/// What one page of the feed brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TakenIn {
    /// What is new, with its case file, in the order of the feed.
    pub new: Vec<(u64, Done)>,
    /// How many events were known already.
    pub known: usize,
    /// The cursors of events that were put aside, see [`Messages::aside`].
    pub aside: Vec<(String, Aside)>,
    /// Whether there is more at once.
    pub more: bool,
}

/// Messages between the firm and the viewers of its case files.
///
/// ```no_run
/// use std::sync::Arc;
/// use apiges_sync::SystemClock;
/// use apiges_sync::messages::Messages;
/// use apiges_sync::web::HttpTransport;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = integration_store::Store::from_env().await?;
/// let portal = Arc::new(HttpTransport::from_env()?);
/// let messages = Messages::new(portal, &store, Arc::new(SystemClock::new()));
/// messages.resume().await?; // what was on its way when the program ended
///
/// let message = messages.compose("u1", "es", "Su marca ha sido concedida.")?;
/// messages.post(3992, &message).await?;
/// while messages.take_in(None).await?.more {}
/// println!("{:?}", messages.state(3992, &message.message_id).await?);
/// println!("{} records", messages.export(3992).await?.chain.seq());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[doc(alias = "mensajes")]
pub struct Messages {
    portal: Arc<dyn WebSyncTransport>,
    logs: Logs,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("portal", &self.portal)
            .field("logs", &self.logs)
            .finish_non_exhaustive()
    }
}

impl Messages {
    /// Messages of the portal's tenant, kept in `store`.
    #[must_use]
    pub fn new(portal: Arc<dyn WebSyncTransport>, store: &Store, clock: Arc<dyn Clock>) -> Self {
        let logs = Logs::new(store, portal.tenant());
        Self { portal, logs, clock }
    }

    /// A message of a user of the firm, with a new id and the present time. Attachments and what it replaces are fields of it.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub fn compose(&self, user: &str, lang: &str, body: &str) -> Result<Message, Error> {
        Ok(Message {
            message_id: MessageId::generate()?,
            author: Author { role: AuthorRole::Firm, reference: user.to_owned() },
            sent_at: Instant::from(self.clock.wall()),
            lang: lang.to_owned(),
            body: body.to_owned(),
            attachments: Vec::new(),
            replaces: None,
        })
    }

    /// Posts a message to a case file's thread (W70). It is written down first: repeat it, or [`resume`](Self::resume), after a lost
    /// answer or a crash, and it is there once.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by the id of the message (contract 4.9).
    ///
    /// # Errors
    /// * A validation error with all faults at once; nothing was sent.
    /// * A [`Refusal`] `message-exists` if a message of this id says something else, here or at the portal: what is written stays, a
    ///   correction is a new message that replaces it.
    /// * Another refusal of the portal, such as `not-found` for a case file that it does not have; it is not repeated.
    /// * What the store or the portal met. Repeat then.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// let message = messages.compose("u1", "es", "Su marca ha sido concedida.")?;
    /// let stored = messages.post(case, &message).await?;
    /// messages.post(case, &message).await?; // repeated, it is there once
    /// println!("record {} of the evidence", stored.seq);
    /// # Ok(()) });
    /// ```
    pub async fn post(&self, case: u64, message: &Message) -> Result<MessageStored, Error> {
        message_faults(message).into_result(POST)?;
        self.sent(Outgoing { case, item: Item::Message(message.clone()) }).await
    }

    /// Tells what became of a viewer's message at the firm (W72).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by the id of the receipt (contract 4.9).
    ///
    /// # Errors
    /// As [`post`](Self::post).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// # let answer = messages.compose("u1", "es", "Hola")?;
    /// # messages.post(case, &answer).await?;
    /// # let answer = answer.message_id;
    /// use apiges_sync::web::ReceiptEvent;
    ///
    /// let read = messages.receipt("u1", &answer, ReceiptEvent::Read)?;
    /// messages.report(case, &read).await?;
    /// # Ok(()) });
    /// ```
    pub async fn report(&self, case: u64, receipt: &Receipt) -> Result<ReceiptStored, Error> {
        receipt_faults(receipt).into_result(REPORT)?;
        let MessageStored { seq, hash } =
            self.sent(Outgoing { case, item: Item::Receipt(receipt.clone()) }).await?;
        let state = self.state(case, &receipt.message_id).await?.unwrap_or(ThreadState::Sent);
        Ok(ReceiptStored { state, seq, hash })
    }

    /// A receipt of a user of the firm, with a new id and the present time.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub fn receipt(&self, user: &str, message: &MessageId, event: ReceiptEvent) -> Result<Receipt, Error> {
        Ok(Receipt {
            receipt_id: ReceiptId::generate()?,
            message_id: message.clone(),
            event,
            at: Instant::from(self.clock.wall()),
            actor: format!("firm:{user}"),
        })
    }

    /// Sends again what was written down and not answered, under the same ids and keys.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed): under the ids that were written down (contract 4.9).
    ///
    /// # Errors
    /// What the store met. What the portal met is in the result of each.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// for resumed in messages.resume().await? {
    ///     println!("{resumed:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn resume(&self) -> Result<Vec<Resumed>, Error> {
        let mut resumed = Vec::new();
        for outgoing in self.logs.outgoing().await?.into_values() {
            let what = match &outgoing.item {
                Item::Message(message) => Sent::Message(message.message_id.clone()),
                Item::Receipt(receipt) => Sent::Receipt(receipt.receipt_id.clone()),
            };
            let (case, result) = (outgoing.case, self.deliver(&outgoing).await);
            resumed.push(Resumed { case, what, result });
        }
        Ok(resumed)
    }

    /// Takes in the next page of what viewers did (W74), `limit` events at most. Its events and the cursor behind them are one commit:
    /// killed at any moment, the page comes again or was taken in whole.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at the portal; the page and its cursor are one commit (contract 4.9).
    ///
    /// # Errors
    /// What the store or the portal met; a page that does not move the cursor is [`ErrorKind::UnexpectedAnswer`]. Repeat then.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// loop {
    ///     let page = messages.take_in(Some(100)).await?;
    ///     println!("{} new", page.new.len());
    ///     if !page.more {
    ///         break;
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn take_in(&self, limit: Option<u32>) -> Result<TakenIn, Error> {
        for _ in 0..TRIES {
            let look = self.logs.look().await?;
            let cursor = cursor_of(&look)?;
            let page = self.portal.events(Part { after: cursor.clone(), limit }).await?;
            let Some(behind) = end_of(&page, cursor.as_deref())? else { return Ok(TakenIn::default()) };
            let (taken, writes) = self.sorted(&look, &page).await?;
            if self.logs.commit_at(&look, &behind, writes).await? {
                return Ok(TakenIn { more: page.next.is_some(), ..taken });
            }
        }
        Err(self.logs.contended())
    }

    async fn sorted(&self, look: &Look, page: &EventPage) -> Result<(TakenIn, Writes), Error> {
        let cases: BTreeSet<u64> = page.items.iter().map(|event| event.case_id).collect();
        let mut intake = Intake { parked: self.logs.parked().await?, ..Intake::default() };
        for case in cases {
            intake.logs.insert(case, self.logs.of(case).await?);
        }
        for (at, event) in page.items.iter().enumerate() {
            intake.take(look, at, event, self.clock.wall())?;
        }
        Ok((intake.taken, intake.writes))
    }

    /// Receipts that have waited for their message for 24 hours or longer (X3). Each is told until its message comes.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    /// What the store met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// assert!(messages.overdue().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub async fn overdue(&self) -> Result<Vec<Parked>, Error> {
        let (now, long) = (self.clock.wall(), PARKED_FOR.as_nanos());
        let late = |parked: &Parked| {
            let waited = now.as_nanosecond() - parked.since.as_nanosecond();
            u128::try_from(waited).is_ok_and(|waited| waited >= long)
        };
        Ok(self.logs.parked().await?.into_values().filter(late).collect())
    }

    /// What viewers did, new to whoever remembers the last key that was handled: events in their order, after that key.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    /// What the store met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// for (key, event) in messages.inbound(None, 100).await? {
    ///     println!("{key}: {event:?}"); // handle it, then remember the key
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn inbound(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Event)>, Error> {
        self.logs.inbound(after, limit).await
    }

    /// Events that could not be taken in, as they came, after a key.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    /// What the store met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// for (key, event) in messages.aside(None, 100).await? {
    ///     println!("{key}: {event:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn aside(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Event)>, Error> {
        self.logs.aside(after, limit).await
    }

    /// The messages of a case file that are known here, in the order in which they became known.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    /// What the store met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// for message in messages.messages(case).await? {
    ///     println!("{}: {}", message.author, message.body);
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn messages(&self, case: u64) -> Result<Vec<Message>, Error> {
        Ok(self.logs.of(case).await?.messages().cloned().collect())
    }

    /// The thread of a case file: states and receipts of its messages.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    /// What the store met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// println!("{:?}", messages.thread(case).await?);
    /// # Ok(()) });
    /// ```
    pub async fn thread(&self, case: u64) -> Result<Thread, Error> {
        Ok(self.logs.of(case).await?.thread)
    }

    /// How far a message is; nothing if it is not known here.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    /// What the store met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// let message = messages.compose("u1", "es", "Su marca ha sido concedida.")?;
    /// assert!(messages.state(case, &message.message_id).await?.is_none()); // not posted yet
    /// # Ok(()) });
    /// ```
    pub async fn state(&self, case: u64, message: &MessageId) -> Result<Option<ThreadState>, Error> {
        Ok(self.thread(case).await?.state(message).cloned())
    }

    /// The last head of a case file's evidence: of the last export, or of what was posted since.
    ///
    /// Idempotency: no call to the service (contract 4.9).
    ///
    /// # Errors
    /// What the store met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// let head = messages.head(case).await?;
    /// println!("{head:?}");
    /// # Ok(()) });
    /// ```
    pub async fn head(&self, case: u64) -> Result<Option<Head>, Error> {
        self.logs.head(case).await
    }

    /// The evidence of a case file (W75, with the bodies of W71), verified whole and against the last head that was kept; its own head
    /// is kept then.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.7, 4.9).
    ///
    /// # Errors
    /// [`Integrity`](crate::evidence::Integrity) as cause, and the class [`Integrity`](crate::ErrorClass::Integrity), if it does not
    /// hold: the head that was kept stays. What the store or the portal met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, messages) = (office.seen().await, office.messages);
    /// # let message = messages.compose("u1", "es", "Su marca ha sido concedida.")?;
    /// # messages.post(case, &message).await?;
    /// let evidence = messages.export(case).await?;
    /// println!("{}", serde_json::to_string(&evidence)?);
    /// # Ok(()) });
    /// ```
    pub async fn export(&self, case: u64) -> Result<Evidence, Error> {
        let kept = self.logs.head(case).await?;
        let chain = self.portal.evidence(case).await?;
        let bodies = self.bodies(case, &chain).await?;
        let at = Instant::from(self.clock.wall());
        let evidence = Evidence::new(self.portal.tenant(), case, at, bodies, chain);
        let head = evidence.verify(kept.as_ref())?;
        self.logs.keep_head(case, head).await?;
        Ok(evidence)
    }

    /// Bodies up to the chain's end: a message that came after the chain was read belongs to the next export.
    async fn bodies(&self, case: u64, chain: &Chain) -> Result<BTreeMap<String, String>, Error> {
        let (mut bodies, mut part, mut reached) = (BTreeMap::new(), Part::default(), None);
        loop {
            let page = self.portal.messages(case, part).await?;
            let last = page.items.iter().map(|one| one.seq).max();
            let own = page.items.into_iter().filter(|one| one.seq <= chain.seq());
            bodies.extend(own.map(|one| (one.message.message_id.to_string(), one.message.body)));
            let Some(next) = page.next else { return Ok(bodies) };
            if last <= reached {
                return Err(stuck(EXPORT));
            }
            reached = last;
            part = Part::after(next);
        }
    }

    async fn sent(&self, outgoing: Outgoing) -> Result<MessageStored, Error> {
        match self.written(&outgoing).await? {
            Some(stored) => Ok(stored),
            None => self.deliver(&outgoing).await,
        }
    }

    /// Writes down what is to be sent. What was answered before is given back; what contradicts something known is refused.
    async fn written(&self, outgoing: &Outgoing) -> Result<Option<MessageStored>, Error> {
        for _ in 0..TRIES {
            let look = self.logs.look().await?;
            match self.logs.of(outgoing.case).await?.same(&outgoing.item) {
                Some((true, Some(stored))) => return Ok(Some(stored)),
                Some((false, _)) => return Err(exists(outgoing, Outcome::NotSent)),
                _ => {}
            }
            match self.logs.outgoing().await?.get(&outgoing.key()) {
                Some(own) if own == outgoing => return Ok(None),
                Some(_) => return Err(exists(outgoing, Outcome::NotSent)),
                None => {}
            }
            let mut writes = Writes::default();
            log::write_outgoing(outgoing, &mut writes)?;
            if self.logs.commit(&look, writes).await? {
                return Ok(None);
            }
        }
        Err(self.logs.contended())
    }

    /// Sends what is written down, and writes down what became of it.
    async fn deliver(&self, outgoing: &Outgoing) -> Result<MessageStored, Error> {
        match self.answer(outgoing).await {
            Ok(stored) => {
                let written = self.logs.answered(outgoing, stored, self.clock.wall()).await;
                written.map_err(|error| error.with_outcome(Outcome::Unknown))?;
                Ok(stored)
            }
            Err(error) if is_final(&error) => {
                self.forgotten(outgoing).await?;
                Err(if contradicts(&error) { exists(outgoing, Outcome::Refused) } else { error })
            }
            Err(error) => Err(error),
        }
    }

    async fn answer(&self, outgoing: &Outgoing) -> Result<MessageStored, Error> {
        let tenant = self.portal.tenant();
        match &outgoing.item {
            Item::Message(message) => {
                let key = IdempotencyKey::message(tenant, &message.message_id);
                self.portal.post_message(outgoing.case, message, &key).await
            }
            Item::Receipt(receipt) => {
                let key = IdempotencyKey::receipt(tenant, &receipt.receipt_id);
                let answer = self.portal.post_receipt(receipt, &key).await?;
                Ok(log::stored(answer.seq, answer.hash))
            }
        }
    }

    async fn forgotten(&self, outgoing: &Outgoing) -> Result<(), Error> {
        for _ in 0..TRIES {
            let (look, mut writes) = (self.logs.look().await?, Writes::default());
            log::forget_outgoing(outgoing, &mut writes);
            if self.logs.commit(&look, writes).await? {
                return Ok(());
            }
        }
        Err(self.logs.contended())
    }
}

/// A page on its way into the logs.
#[derive(Debug, Default)]
struct Intake {
    logs: BTreeMap<u64, Log>,
    parked: BTreeMap<String, Parked>,
    taken: TakenIn,
    writes: Writes,
}

impl Intake {
    fn take(&mut self, look: &Look, at: usize, event: &Event, now: jiff::Timestamp) -> Result<(), Error> {
        let done = match (event.message(), event.receipt()) {
            (Ok(Some(message)), _) => self.message(event.case_id, message, now)?,
            (_, Ok(Some(receipt))) => self.receipt(event.case_id, receipt, now)?,
            (Ok(None), Ok(None)) => Err(Aside::Unknown),
            _ => Err(Aside::Unreadable),
        };
        match done {
            Ok(Some(done)) => {
                self.taken.new.push((event.case_id, done));
                log::write_inbound(look, at, event, &mut self.writes)
            }
            Ok(None) => {
                self.taken.known += 1;
                Ok(())
            }
            Err(why) => {
                self.taken.aside.push((event.cursor.clone(), why));
                log::write_aside(look, at, event, &mut self.writes)
            }
        }
    }

    fn message(
        &mut self,
        case: u64,
        message: Message,
        now: jiff::Timestamp,
    ) -> Result<Result<Option<Done>, Aside>, Error> {
        let Some(log) = self.logs.get_mut(&case) else { return Ok(Ok(None)) };
        Ok(match log.add((&message, None), now, &self.parked, &mut self.writes)? {
            Added::New => {
                self.parked.retain(|_, parked| parked.case != case || parked.message != message.message_id);
                Ok(Some(Done::Wrote(message)))
            }
            Added::Known => Ok(None),
            Added::Refused => Err(Aside::Contradicts),
        })
    }

    fn receipt(
        &mut self,
        case: u64,
        receipt: Receipt,
        now: jiff::Timestamp,
    ) -> Result<Result<Option<Done>, Aside>, Error> {
        let Some(log) = self.logs.get_mut(&case) else { return Ok(Ok(None)) };
        let received = log.receive((&receipt, None), now, &mut self.writes)?;
        match received {
            Received::Known => return Ok(Ok(None)),
            Received::Parked => {
                let (id, message) = (receipt.receipt_id.clone(), receipt.message_id.clone());
                let parked = Parked { case, receipt: id, message, since: now };
                self.parked.insert(parked.receipt.to_string(), parked);
            }
            Received::Raised(_) | Received::Kept(_) => {}
        }
        Ok(Ok(Some(Done::Received(receipt, received))))
    }
}

fn cursor_of(look: &Look) -> Result<Option<String>, Error> {
    let cursor = std::str::from_utf8(&look.cursor).map_err(|cause| {
        Error::new(ErrorKind::Store, TAKE_IN)
            .with_outcome(Outcome::NotSent)
            .with_message("the cursor that is stored is damaged")
            .with_hint("restore the store")
            .with_source(cause)
    })?;
    Ok((!cursor.is_empty()).then(|| cursor.to_owned()))
}

/// The cursor behind a page; nothing if there was nothing new. A feed that does not move would be read for ever.
fn end_of(page: &EventPage, before: Option<&str>) -> Result<Option<String>, Error> {
    match page.items.last() {
        Some(last) if Some(last.cursor.as_str()) == before || last.cursor.is_empty() => Err(stuck(TAKE_IN)),
        Some(last) => Ok(Some(last.cursor.clone())),
        None if page.next.is_some() => Err(stuck(TAKE_IN)),
        None => Ok(None),
    }
}

fn stuck(operation: &'static str) -> Error {
    Error::new(ErrorKind::UnexpectedAnswer, operation)
        .with_outcome(Outcome::ReadOnly)
        .with_message("the portal announces more and does not go on")
        .with_hint("ask who runs the portal; nothing was taken in")
}

fn message_faults(message: &Message) -> Faults {
    let mut faults = Faults::new();
    let mut check = |wrong: bool, path: &'static str, expected: &'static str, hint: &'static str| {
        if wrong {
            faults.push(Fault::error("X1", path).with_expected(expected).with_hint(hint));
        }
    };
    let unique: BTreeSet<&String> = message.attachments.iter().collect();
    let blank = |text: &str| text.trim().is_empty();
    check(
        !is_own_id(message.message_id.as_str()),
        "messageId",
        "an id of its own",
        "see `Messages::compose`",
    );
    check(message.author.role != AuthorRole::Firm, "author.role", "firm", "viewers write on the portal");
    check(blank(&message.author.reference), "author.ref", "a user of the firm", "say who writes");
    check(blank(&message.lang), "lang", "a language", "such as `es`");
    check(blank(&message.body), "body", "a text", "an empty message says nothing");
    check(message.attachments.iter().any(|id| blank(id)), "attachments", "ids of documents", "leave it out");
    check(unique.len() < message.attachments.len(), "attachments", "each document once", "leave it out");
    check(
        message.replaces.as_ref().is_some_and(|id| *id == message.message_id || blank(id.as_str())),
        "replaces",
        "the id of another message",
        "a correction is a message of its own",
    );
    faults
}

fn receipt_faults(receipt: &Receipt) -> Faults {
    let mut faults = Faults::new();
    let own = |id: &str| is_own_id(id);
    for (wrong, path, expected) in [
        (!own(receipt.receipt_id.as_str()), "receiptId", "an id of its own"),
        (!own(receipt.message_id.as_str()), "messageId", "the id of a message"),
        (receipt.actor.trim().is_empty(), "actor", "who it happened to"),
        (matches!(receipt.event, ReceiptEvent::Other(_)), "event", "delivered, read or acknowledged"),
    ] {
        if wrong {
            faults
                .push(Fault::error("X2", path).with_expected(expected).with_hint("see `Messages::receipt`"));
        }
    }
    faults
}

fn is_own_id(id: &str) -> bool {
    !id.trim().is_empty() && !matches!(id, "." | "..") && !id.chars().any(char::is_control)
}

/// Whether it will not be otherwise next time: the portal said no to what was sent, and not to who sent it or when.
fn is_final(error: &Error) -> bool {
    let kind = matches!(error.kind(), ErrorKind::Refused | ErrorKind::Conflict | ErrorKind::NotFound);
    kind && error.is_refused() && Refusal::of(error).is_some()
}

/// The key of a message is made of its id alone, so that for a day another content is told as a key that was used for something else.
fn contradicts(error: &Error) -> bool {
    let code = Refusal::of(error).map(|refusal| &refusal.code);
    matches!(code, Some(RefusalCode::MessageExists | RefusalCode::IdempotencyMismatch))
}

/// Trap 23.
fn exists(outgoing: &Outgoing, outcome: Outcome) -> Error {
    let operation = if matches!(outgoing.item, Item::Message(_)) { POST } else { REPORT };
    Refusal::new(RefusalCode::MessageExists, None)
        .into_error(ErrorKind::Conflict, operation)
        .with_outcome(outcome)
        .with_hint(
            "what is written stays: a correction is a new message, with an id of its own, that replaces it",
        )
}
