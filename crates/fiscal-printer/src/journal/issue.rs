//! Issuing through the journal: begin, send, write down (contract 9.1).

use std::time::Duration;

use integration_core::call::Authorization;
use integration_core::{Error, ErrorKind, Fault, Outcome};
use integration_store::{Change, State, Step, StoreErrorKind};

use super::begin::{Begun, Job, Start, Wanted};
use super::entry::{DocumentState, JournalEntry};
use super::judge::{Fate, fate};
use super::record::{Evidence, Issuance, Note, Record, Testimony, Told};
use super::series::Series;
use super::{Journal, trouble};
use crate::document::{Document, DocumentType};
use crate::issue::{ISSUE, Issued};
use crate::number::InternalNumber;

/// Between tries of which nothing has left.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

impl Journal {
    /// Issues a document exactly once. After a crash, a timeout or any other failure it may be called again with the same
    /// document: one that is issued already comes back from the journal, without a request.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) at the service, and exactly once over crashes (contract 9.1).
    ///
    /// # Errors
    /// Decide by [`Error::outcome`](crate::Error::outcome):
    /// * **not sent**: nothing happened. The input, the token, the network, or the store ([`ErrorKind::Store`]); or the series
    ///   waits for another document ([`ErrorKind::Blocked`]); or the number is issued with another text
    ///   ([`ErrorKind::Conflict`]).
    /// * **refused**: not issued; correct the document and issue it with the **same** number.
    /// * **unknown**: written down as an open question; call [`resolve`](Self::resolve) or [`resume`](Self::resume).
    ///
    /// A document that asks to be mailed when it is issued is refused (`JOURNAL`): mail is a step of its own here,
    /// [`mail`](Self::mail).
    ///
    /// ```
    /// use fiscal_printer::{Buyer, Client, Document, Environment, Line, journal::Journal};
    /// use integration_store::Store;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let service = wiremock::MockServer::start().await;
    /// # let body = r#"{"success":true,"data":{"numerodocumento":"00-00000001","mensaje":"ok"}}"#;
    /// # let answer = wiremock::ResponseTemplate::new(200).set_body_string(body);
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).expect(1).mount(&service).await;
    /// # let client = Client::builder()
    /// #     .environment(Environment::custom(&service.uri())?).token("the-issuers-token").rif("J-12345678-4").build()?;
    /// let journal = Journal::builder(client, &Store::open("memory:").await?).build()?;
    /// let invoice = Document::invoice("J-12345678-4", 42)
    ///     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
    ///     .line(Line::new("A2", "Dos", "20.00", 1))
    ///     .build()?;
    /// assert_eq!(journal.issue(&invoice).await?.control_text(), Some("00-00000001"));
    /// journal.issue(&invoice).await?; // no second request
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("facturacion", "facturación"))]
    pub async fn issue(&self, document: &Document) -> Result<JournalEntry, Error> {
        let (job, authorization) = self.job(document, Wanted::Named).await?;
        let _turn = self.0.documents.turn(&job.lane).await;
        let _place = self.0.client.issue_lane(document.kind()).enter().await;
        match Box::pin(self.begin(&job)).await? {
            Start::Stored(entry) => self.complete(*entry).await,
            Start::Begun(begun) => self.send(*begun, authorization).await,
            // Only a document with an allocated number can find it taken.
            Start::Taken => Err(Error::new(ErrorKind::Conflict, ISSUE.name).with_outcome(Outcome::NotSent)),
        }
    }

    /// Issues a document with the next number of its series, without gaps: the number of a document that was refused or set
    /// aside first, else the one after the highest. `build` makes the document for a number, and may be called again if
    /// another worker was faster.
    ///
    /// **Not repeatable as [`issue`](Self::issue) is**: a second call is a second document. After an unknown outcome, resolve it;
    /// do not call this again for the same sale. After one that was not sent, do: nothing is kept of it, and its number is free.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) at the service (contract 9.5).
    ///
    /// # Errors
    /// What `build` returns, and as [`issue`](Self::issue).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// use fiscal_printer::{Buyer, Document, DocumentType, Line};
    ///
    /// let buyer = Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567");
    /// let entry = journal.issue_next(DocumentType::Invoice, |number| {
    ///     let line = Line::new("A2", "Dos", "20.00", 1);
    ///     Document::invoice("J-12345678-4", number).buyer(buyer.clone()).line(line).build()
    /// });
    /// println!("{:?}", entry.await?.control_text());
    /// # Ok(()) });
    /// ```
    pub async fn issue_next(
        &self,
        kind: DocumentType,
        mut build: impl FnMut(InternalNumber) -> Result<Document, Error>,
    ) -> Result<JournalEntry, Error> {
        let series = self.own_series(kind).await?;
        let lane = series.lane();
        let _turn = self.0.documents.turn(&lane).await;
        let _place = self.0.client.issue_lane(kind).enter().await;
        let mut patience = self.0.documents.patience();
        loop {
            let number = self.next_number(&series).await?;
            let document = build(number.clone())?;
            check_built(&document, &series, &number)?;
            let (job, authorization) = self.job(&document, Wanted::Fresh).await?;
            match Box::pin(self.begin(&job)).await? {
                Start::Begun(begun) => return self.send(*begun, authorization).await,
                Start::Stored(_) | Start::Taken => patience.wait(&lane, "a faster one").await?,
            }
        }
    }

    /// Writes a document down without sending it: a draft, or one for later. [`resume`](Self::resume) sends it, in the order of
    /// numbers, and so does [`issue`](Self::issue) with the same document. It takes the place of another draft of the number, and
    /// of a document that was refused or set aside.
    ///
    /// Idempotency: no call to the service (contract 9.1).
    ///
    /// # Errors
    /// As [`issue`](Self::issue) before sending.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(1), kit.journal().await);
    /// journal.prepare(&invoice).await?;
    /// journal.resume().await?; // sends it
    /// # Ok(()) });
    /// ```
    pub async fn prepare(&self, document: &Document) -> Result<JournalEntry, Error> {
        let (job, _) = self.job(document, Wanted::Named).await?;
        let new = integration_store::NewEntry::new(&job.lane, &job.key, job.body.clone(), job.record.write());
        let desk = &self.0.documents;
        let appended = desk.outbox.append(desk.worker(), vec![new]).await.map_err(trouble::before)?;
        let Some((entry, is_new)) = appended.into_iter().next() else {
            return Err(trouble::not_found("prepare", job.record.number.as_str()));
        };
        let stored = JournalEntry::read(entry)?;
        let same = stored.hash() == job.record.hash;
        match stored.state() {
            _ if is_new => Ok(stored),
            DocumentState::Prepared if same => self.complete(stored).await,
            DocumentState::Prepared | DocumentState::Rejected | DocumentState::Discarded => {
                self.draft_again(&job).await
            }
            _ if same => self.complete(stored).await,
            DocumentState::Issued => Err(trouble::another_text(&stored)),
            DocumentState::InFlight | DocumentState::Unknown => Err(trouble::blocked(&stored)),
        }
    }

    async fn job(&self, document: &Document, wanted: Wanted) -> Result<(Job, Authorization), Error> {
        check_mail(document)?;
        let series = Series::of(&self.0.environment, document);
        let (bytes, authorization) = self.0.client.stored_request(document).await?;
        let record = Record::new(document, &bytes);
        let job =
            Job { lane: series.lane(), key: series.key(document.number()), body: bytes, record, wanted };
        Ok((job, authorization))
    }

    /// Sends what is in flight and writes down what became of it.
    pub(super) async fn send(
        &self,
        begun: Begun,
        authorization: Authorization,
    ) -> Result<JournalEntry, Error> {
        // On the heap: a call's state is large, and this future is part of those of our callers.
        let sending = Box::pin(self.send_while_unsent(&begun, &authorization));
        let told = self.0.documents.holding(&begun.lease, sending).await;
        Box::pin(self.record_end(begun, told)).await
    }

    /// Tries again while nothing has left, as the client itself would, but looks each time whether this program was held up.
    async fn send_while_unsent(&self, begun: &Begun, authorization: &Authorization) -> Result<Issued, Error> {
        let desk = &self.0.documents;
        let mut since = begun.since;
        for pause in PAUSES.iter().map(Some).chain([None]) {
            if desk.clock().elapsed().saturating_sub(since) > desk.lease() / 2 {
                return Err(held_up(desk.lease()));
            }
            let told = self.0.client.send_stored(begun.entry.body.clone(), authorization.clone()).await;
            let unsent =
                told.as_ref().is_err_and(|error| error.is_not_sent() && error.kind() == ErrorKind::Connect);
            let Some(pause) = pause.filter(|_| unsent) else { return told };
            since = desk.clock().elapsed();
            desk.clock().sleep(*pause).await;
        }
        Err(held_up(desk.lease()))
    }

    async fn record_end(&self, begun: Begun, told: Result<Issued, Error>) -> Result<JournalEntry, Error> {
        let (state, record, fate) = end_of(&begun, &told);
        let step = last_step(&begun, state, &record).with_release();
        let written = self.0.documents.persist(&begun.lease, &begun.entry.key, step).await;
        let entry = match written {
            Ok(entry) => {
                self.saw_lost(&entry);
                JournalEntry::read(entry)?
            }
            Err(error) if matches!(error.kind(), StoreErrorKind::LeaseLost | StoreErrorKind::Conflict) => {
                return self.testify(&begun, told, fate).await;
            }
            Err(error) => return Err(unwritten(error, told)),
        };
        let in_order = matches!(entry.state(), DocumentState::Issued | DocumentState::Rejected);
        if in_order && !begun.gaps && entry.record.gap_after.is_none() {
            self.0.documents.left_in_order(&begun.lease);
        }
        match (told, fate) {
            (Ok(_), _) | (Err(_), Some(Fate::AlreadyIssued)) => Ok(entry),
            (Err(error), fate) => {
                let fate = fate.unwrap_or(Fate::Unknown);
                Err(explained(error, fate, begun.wanted, &entry))
            }
        }
    }

    /// The series passed to another worker while the answer was on its way. What it said is kept beside the entry, where the
    /// resolution of what is now an open question finds it.
    async fn testify(
        &self,
        begun: &Begun,
        told: Result<Issued, Error>,
        fate: Option<Fate>,
    ) -> Result<JournalEntry, Error> {
        let desk = &self.0.documents;
        let fate = match (&told, fate) {
            (Ok(issued), _) => Told::Issued(Issuance::from(issued)),
            (Err(_), Some(Fate::AlreadyIssued)) => {
                Told::Issued(Issuance::known_by(Evidence::AlreadyIssued, None))
            }
            (Err(error), Some(Fate::Rejected)) => Told::Rejected(Note::of(error)),
            (Err(error), Some(Fate::NotSent)) => Told::NotSent(Note::of(error)),
            (Err(_), _) => return Err(into_unknown(told)),
        };
        let hash = Some(begun.record.hash.clone());
        let testimony = Testimony::Answer { attempt: begun.record.tries, hash, fate };
        if let Err(error) = desk.outbox.testify(desk.worker(), begun.entry.id, testimony.write()).await {
            return Err(unwritten(error, told));
        }
        let settled = self.by_testimony(&begun.lease.lane, &begun.entry.key).await;
        match (told, settled) {
            (Ok(_), Ok(Some(entry))) => Ok(entry),
            (Ok(issued), _) => {
                Err(trouble::beside(issued.control_text()).with_answer(issued.answer().clone()))
            }
            (Err(error), Ok(Some(_))) => Err(error),
            (Err(error), _) => Err(error.with_outcome(Outcome::Unknown)),
        }
    }
}

fn end_of(begun: &Begun, told: &Result<Issued, Error>) -> (State, Record, Option<Fate>) {
    match told {
        Ok(issued) => (State::Done, begun.record.clone().issued(Issuance::from(issued)), None),
        Err(error) => {
            let fate = fate(begun.record.before(begun.attempt), error);
            let (state, record) = begun.record.clone().after(begun.attempt, fate, error);
            (state, record, Some(fate))
        }
    }
}

/// Of a document whose number was allocated for it nothing is kept if nothing was sent: whoever asks again makes a new one, and
/// `resume` would send this one as well.
fn last_step(begun: &Begun, state: State, record: &Record) -> Step {
    let change = Change::new(&begun.entry, state, record.write());
    let aside = Change { version: change.version.saturating_add(1), state: State::Dead, ..change.clone() };
    let step = Step::new().with_change(change);
    match (begun.wanted, state) {
        (Wanted::Fresh, State::Prepared) => step.with_change(aside),
        _ => step,
    }
}

/// The error as the client gave it, with what the journal made of it.
fn explained(error: Error, fate: Fate, wanted: Wanted, entry: &JournalEntry) -> Error {
    match fate {
        Fate::Unknown => error.with_outcome(Outcome::Unknown).with_hint(
            "written down as an open question: call `resolve` or `resume`; do not issue it in another way",
        ),
        Fate::NotSent if wanted == Wanted::Fresh => error,
        Fate::NotSent => {
            // What the client advises comes first: until that is done, issuing it again would end here once more.
            let hint = format!(
                "{}; number {} is written down as prepared: issue it again, call `resume`, or `discard` it",
                error.hint(),
                entry.number()
            );
            error.with_hint(hint)
        }
        Fate::Gap(highest) => trouble::gap(entry, highest).with_outcome(Outcome::Refused).with_source(error),
        Fate::Rejected | Fate::AlreadyIssued => error,
    }
}

/// A journal write failed after the answer (9.1): unknown to the caller, together with the raw answer.
fn unwritten(error: integration_store::StoreError, told: Result<Issued, Error>) -> Error {
    match told {
        Ok(issued) => trouble::after(error, Some(issued.control_text())).with_answer(issued.answer().clone()),
        Err(told) => {
            let unknown = trouble::after(error, None);
            match told.answer().cloned() {
                Some(answer) => unknown.with_answer(answer),
                None => unknown,
            }
        }
    }
}

fn into_unknown(told: Result<Issued, Error>) -> Error {
    match told {
        Err(error) => error
            .with_outcome(Outcome::Unknown)
            .with_hint("it stands in the journal as an open question: call `resolve`"),
        Ok(_) => Error::new(ErrorKind::Store, ISSUE.name),
    }
}

/// This program was stopped for so long between writing down and sending that another worker may have taken over. Sending now
/// could reach the service after everybody has stopped waiting for it.
fn held_up(lease: Duration) -> Error {
    Error::new(ErrorKind::Timeout, ISSUE.name)
        .with_outcome(Outcome::NotSent)
        .with_message(format!(
            "the program was held up for more than {} s before it could send",
            lease.as_secs_f64()
        ))
        .with_hint("repeat it")
}

fn check_mail(document: &Document) -> Result<(), Error> {
    if !document.mails_at_issue() {
        return Ok(());
    }
    let hint = "build it without `mail_at_issue` and call `Journal::mail` after issuing: a mail failure must not touch the issue";
    let fault = Fault::error("JOURNAL", "sendmail").with_expected("0").with_actual("1").with_hint(hint);
    Err(Error::validation(ISSUE.name, vec![fault]).with_hint("correct the field named above"))
}

fn check_built(document: &Document, series: &Series, number: &InternalNumber) -> Result<(), Error> {
    let mut faults = Vec::new();
    if document.number() != number {
        let fault = Fault::error("JOURNAL", "numerointerno").with_expected(number.to_string());
        faults.push(
            fault
                .with_actual(document.number().to_string())
                .with_hint("build the document with the number given"),
        );
    }
    if Series::of(series.environment(), document) != *series {
        let fault = Fault::error("JOURNAL", "rif").with_expected(series.to_string());
        faults.push(fault.with_actual(Series::of(series.environment(), document).to_string()));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::validation(ISSUE.name, faults)) }
}
