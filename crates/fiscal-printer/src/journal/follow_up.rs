//! What follows an issue: mail and annulment, each with its own line in the journal (contract 9.5). Whatever becomes of them, the
//! issue's state stays as it is.

use integration_core::{Error, ErrorKind, Outcome};
use integration_store::{Change, Entry, Lease, NewEntry, Query, State, Step, StoreError};
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::entry::{DocumentState, JournalEntry};
use super::record::{Note, hash, place};
use super::series::Series;
use super::{Journal, trouble};
use crate::follow_up::{ANNUL, MAIL, Mail, Receipt};

/// The operation of those who only read the journal.
const READ: &str = "read journal";

/// Characters of a text's hash in a key: enough to tell the mails of one document apart.
const HASH_IN_KEY: usize = 16;

/// Where a mail or an annulment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FollowUpState {
    /// Written down, not sent.
    Prepared,
    /// Under way, or left behind by a program that ended.
    InFlight,
    /// Accepted by the service. A mail is accepted, not delivered.
    Done,
    /// Refused by the service.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// A mail or an annulment of the journal.
#[derive(Debug, Clone)]
pub struct FollowUp {
    entry: Entry,
    record: Line,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    control: String,
    /// The addresses, or the reason.
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Note>,
}

impl FollowUp {
    fn read(entry: Entry) -> Result<Self, Error> {
        let record = serde_json::from_slice(&entry.data).map_err(|cause| {
            Error::new(ErrorKind::Store, READ)
                .with_message(format!("what is stored of {} cannot be read ({})", entry.key, place(&cause)))
                .with_hint("the journal was changed by something else; restore it from a copy")
        })?;
        Ok(Self { entry, record })
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> FollowUpState {
        match self.entry.state {
            State::Prepared => FollowUpState::Prepared,
            State::InFlight => FollowUpState::InFlight,
            State::Done => FollowUpState::Done,
            State::Refused | State::Dead => FollowUpState::Refused,
            _ => FollowUpState::Unknown,
        }
    }

    /// The control number of its document.
    #[must_use]
    pub fn control_text(&self) -> &str {
        &self.record.control
    }

    /// The addresses of a mail, or the reason of an annulment.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.record.text
    }

    /// What the service or the network said last.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.record.note.as_ref().map(|note| note.text.as_str())
    }
}

/// One follow-up to be done.
struct Errand {
    key: String,
    line: Line,
    /// Whether it may be done again when nobody knows whether it was done.
    repeatable: bool,
}

impl Journal {
    /// Mails an issued document, once for each list of addresses: a mail that the journal knows to be accepted is not sent again.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 4.2); what the journal knows to be accepted is not sent again.
    ///
    /// # Errors
    /// As [`Client::mail`](crate::Client::mail), and the store's failures. After an unknown outcome it is sent again only if the mail
    /// is [`repeatable`](Mail::repeatable).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(1), kit.journal().await);
    /// # let control = journal.issue(&invoice).await?.control_text().ok_or("no number")?.parse()?;
    /// use fiscal_printer::Mail;
    ///
    /// let mail = Mail::new(control, "compras@example.com");
    /// journal.mail(&mail).await?;
    /// journal.mail(&mail).await?; // no second request
    /// # Ok(()) });
    /// ```
    pub async fn mail(&self, mail: &Mail) -> Result<FollowUp, Error> {
        let control = mail.control_number.to_string();
        let text = mail.addresses().join("|");
        let key = self.follow_up_key(&control, Some(&text)).await?;
        let line = Line { control: mail.control_number.as_received().to_owned(), text, note: None };
        let errand = Errand { key, line, repeatable: mail.is_repeatable() };
        self.run(&self.0.mails, errand, Box::pin(self.0.client.mail(mail))).await
    }

    /// Annuls an issued document. Its reason is written down; a second annulment does nothing (and keeps the first reason).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by the control number (contract 4.2); a second annulment sends nothing.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) unless the document is issued and its control number known; otherwise as
    /// [`Client::annul`](crate::Client::annul), and the store's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(1), kit.journal().await);
    /// let entry = journal.issue(&invoice).await?;
    /// journal.annul(&entry, "Precio equivocado").await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias("anulacion", "anulación"))]
    pub async fn annul(&self, entry: &JournalEntry, reason: &str) -> Result<FollowUp, Error> {
        let control = entry.control_number().filter(|_| entry.state() == DocumentState::Issued);
        let Some(number) = control else {
            return Err(trouble::wrong_state(ANNUL.name, entry, "issued with a known control number"));
        };
        let key = self.follow_up_key(&number.to_string(), None).await?;
        let line = Line { control: number.as_received().to_owned(), text: reason.to_owned(), note: None };
        let errand = Errand { key, line, repeatable: true };
        self.run(&self.0.annulments, errand, Box::pin(self.0.client.annul(&number, reason))).await
    }

    /// The mails of a document that the journal knows of, oldest first.
    ///
    /// Idempotency: no call to the service (contract 9.5).
    ///
    /// # Errors
    /// The store's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(1), kit.journal().await);
    /// # let entry = journal.issue(&invoice).await?;
    /// for mail in journal.mails(&entry).await? {
    ///     println!("{mail:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn mails(&self, entry: &JournalEntry) -> Result<Vec<FollowUp>, Error> {
        let Some(control) = entry.control_number() else { return Ok(Vec::new()) };
        let mut query = Query::default();
        query.key_prefix =
            Some(format!("{}|", key_of(self.environment(), entry.series().issuer(), &control.to_string())));
        let found = self.0.mails.outbox.list(query).await.map_err(unread)?;
        found.into_iter().map(FollowUp::read).collect()
    }

    pub(super) async fn is_annulled(&self, entry: &JournalEntry) -> Result<bool, Error> {
        let Some(control) = entry.control_number().filter(|_| entry.state() == DocumentState::Issued) else {
            return Ok(false);
        };
        let key = key_of(self.environment(), entry.series().issuer(), &control.to_string());
        let found = self.0.annulments.outbox.find(&key).await.map_err(unread)?;
        Ok(found.is_some_and(|entry| entry.state == State::Done))
    }

    async fn follow_up_key(&self, control: &str, text: Option<&str>) -> Result<String, Error> {
        let issuer = self.0.client.issuer().await?.to_string();
        let key = key_of(self.environment(), &issuer, control);
        Ok(match text {
            Some(text) => {
                format!("{key}|{}", hash(text.as_bytes()).chars().take(HASH_IN_KEY).collect::<String>())
            }
            None => key,
        })
    }

    /// Each follow-up is its own lane: none waits for another.
    async fn run(
        &self,
        desk: &Desk,
        errand: Errand,
        sending: impl Future<Output = Result<Receipt, Error>>,
    ) -> Result<FollowUp, Error> {
        let _turn = desk.turn(&errand.key).await;
        let new = NewEntry::new(&errand.key, &errand.key, errand.line.text.clone(), errand.line.write());
        desk.outbox.append(desk.worker(), vec![new]).await.map_err(|error| desk.trouble(error))?;
        let lease = desk.take(&errand.key).await?;
        let result = run_under(desk, &lease, errand, sending).await;
        desk.give_back(&lease).await;
        result
    }
}

async fn run_under(
    desk: &Desk,
    lease: &Lease,
    errand: Errand,
    sending: impl Future<Output = Result<Receipt, Error>>,
) -> Result<FollowUp, Error> {
    let found = desk.outbox.find(&errand.key).await.map_err(|error| desk.trouble(error))?;
    let Some(mut entry) = found else { return Err(trouble::not_found(desk.operation, &errand.key)) };
    match entry.state {
        State::Done => return FollowUp::read(entry),
        State::Unknown if !errand.repeatable => return Err(doubtful(&errand.line)),
        State::Refused | State::Dead => {
            let again =
                Change::new(&entry, State::Prepared, errand.line.write()).with_body(errand.line.text.clone());
            entry = desk
                .persist(lease, &errand.key, Step::new().with_change(again))
                .await
                .map_err(|error| desk.trouble(error))?;
        }
        _ => {}
    }
    let before = entry.state;
    let change = Change::new(&entry, State::InFlight, errand.line.write());
    let written = desk.persist(lease, &errand.key, Step::new().with_change(change)).await;
    let entry = written.map_err(|error| desk.trouble(error))?;
    let told = desk.holding(lease, sending).await;
    let (state, line) = end(before, errand.line, &told);
    let change = Change::new(&entry, state, line.write());
    let written = desk.persist(lease, &errand.key, Step::new().with_change(change)).await;
    match (written, told) {
        (Ok(entry), Ok(_)) => FollowUp::read(entry),
        (_, Err(error)) => Err(error),
        (Err(error), Ok(_)) => Err(trouble::after_follow_up(desk.operation, &line.control, error)),
    }
}

/// A repeat of something doubtful that was not sent leaves the doubt.
fn end(before: State, line: Line, told: &Result<Receipt, Error>) -> (State, Line) {
    let Err(error) = told else { return (State::Done, Line { note: None, ..line }) };
    let state = match error.outcome() {
        Outcome::NotSent if before == State::Unknown => State::Unknown,
        Outcome::NotSent => State::Prepared,
        Outcome::Refused => State::Refused,
        _ => State::Unknown,
    };
    (state, Line { note: Some(Note::of(error)), ..line })
}

impl Line {
    fn write(&self) -> bytes::Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

fn unread(error: StoreError) -> Error {
    trouble::before_of(READ, error)
}

fn doubtful(line: &Line) -> Error {
    Error::new(ErrorKind::Blocked, MAIL.name)
        .with_outcome(Outcome::Unknown)
        .with_message(format!("an earlier try to mail {} may have been sent", line.control))
        .with_hint("ask the buyer, or make the mail `repeatable` and accept that two may arrive")
}

fn key_of(environment: &str, issuer: &str, control: &str) -> String {
    format!("{}{control}", Series::lane_prefix(environment, Some(issuer)))
}
