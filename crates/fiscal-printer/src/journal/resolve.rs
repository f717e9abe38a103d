//! Answering an open question: did the lost request issue the document? (contract 9.3, step by step)
//!
//! In order: what a late answer said; the probes; the one identical resend; a person. "It exists" counts at once. "It does not
//! exist" counts only after the settling delay, since the lost request may act until then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use integration_core::clock::Clock;
use integration_core::{Error, Outcome};
use integration_store::{Change, Entry, Event, Lease, Query, State, Step};
use jiff::Timestamp;

use super::begin::{Begun, Job, Wanted};
use super::desk::Turn;
use super::entry::{DocumentState, JournalEntry, testimonies};
use super::judge::Attempt;
use super::probe::{Finding, Question};
use super::record::{Decision, Evidence, Issuance, Note, Record, Testimony, Told};
use super::series::Series;
use super::{Journal, trouble};
use crate::number::{ControlNumber, InternalNumber};

/// How often one call of [`Journal::resolve`] starts over after a resend was lost as well.
const ROUNDS: usize = 8;

/// What came of trying to answer an open question.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Resolution {
    /// It is answered: the document is issued, or it is not.
    Settled(Box<JournalEntry>),
    /// It is still open.
    Open(Box<Open>),
}

/// An open question.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Open {
    /// The document.
    pub entry: JournalEntry,
    /// What it waits for.
    pub because: Because,
}

/// What an open question waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// The lost request may still act for this long.
    Settling(Duration),
    /// [`Journal::resolve`] has not been called since, or could not reach anybody; it can still find out.
    Unasked,
    /// Nothing that a program may do can answer it: look it up in the portal, then [`Journal::resolve_manually`].
    NeedsPerson,
    /// It is covered by a paper document, so it is never resent; a person settles it.
    OnPaper,
}

/// What a person found out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ruling {
    /// The document exists; its control number, if it was found too.
    Issued(Option<ControlNumber>),
    /// It does not exist.
    NotIssued,
}

/// When this process first saw a question open, by the monotonic clock.
///
/// Of a request that this process lost itself, the monotonic clock alone tells how long ago that was: no setting of the wall
/// clock shortens the delay. Of any other, the delay is over when either clock says so: the store's own, by which its times are
/// told whichever machine wrote them, survives restarts; the monotonic one survives a store's clock that was set back.
#[derive(Debug, Default)]
pub(super) struct Sightings(Mutex<HashMap<(i64, i64), Sighting>>);

#[derive(Debug, Clone, Copy)]
struct Sighting {
    at: Duration,
    /// Whether the request was lost then, and not before.
    own: bool,
}

impl Sightings {
    /// `store`: the store's clock now, if it could be asked.
    fn remaining(
        &self,
        entry: &Entry,
        delay: Duration,
        clock: &dyn Clock,
        store: Option<Timestamp>,
    ) -> Duration {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.elapsed();
        let first = *seen.entry((entry.id, entry.version)).or_insert(Sighting { at: now, own: false });
        let since_seen = now.saturating_sub(first.at);
        if first.own {
            return delay.saturating_sub(since_seen);
        }
        let since_lost = store.map(|now| now.duration_since(entry.changed));
        let since_lost = since_lost.and_then(|since| Duration::try_from(since).ok()).unwrap_or_default();
        delay.saturating_sub(since_seen.max(since_lost))
    }

    fn lost(&self, entry: &Entry, now: Duration) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((entry.id, entry.version), Sighting { at: now, own: true });
    }

    fn forget(&self, entry: &Entry) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|(id, _), _| *id != entry.id);
    }
}

/// An open question while its lane is held.
struct Case {
    /// Keeps other tasks of this process out; the lease keeps other workers out.
    _turn: Option<Turn>,
    lease: Lease,
    entry: Entry,
    record: Record,
    history: Vec<Event>,
    series: Series,
}

/// What to do about it.
enum Step3 {
    Write(State, Box<Record>),
    Resend(Attempt),
    Leave(Because),
}

impl Journal {
    /// Answers an open question as far as a program may: reads late answers, asks the probes, resends the identical bytes once,
    /// waiting for the settling delay where it must. A document that is no open question is returned as it stands.
    ///
    /// May be dropped and called again at any time.
    ///
    /// Idempotency: each call that it makes by its own class: probes are repeated, the identical bytes go out once more at most (contract
    /// 9.3).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the journal does not know the number; the store's failures; a token that
    /// cannot be had or is another issuer's. A service that does not answer is no error: the question stays open.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(1), kit.journal().await);
    /// # journal.issue(&invoice).await?;
    /// use fiscal_printer::DocumentType;
    ///
    /// let invoices = journal.own_series(DocumentType::Invoice).await?;
    /// println!("{:?}", journal.resolve(&invoices, &1.into()).await?);
    /// # Ok(()) });
    /// ```
    pub async fn resolve(&self, series: &Series, number: &InternalNumber) -> Result<Resolution, Error> {
        let mut resolution = self.resolve_once(series, &series.key(number)).await?;
        for _ in 1..ROUNDS {
            let Resolution::Open(open) = &resolution else { break };
            let Because::Settling(remaining) = open.because else { break };
            self.0.documents.clock().sleep(remaining).await;
            resolution = self.resolve_once(series, &series.key(number)).await?;
        }
        Ok(resolution)
    }

    /// Every open question of this service, oldest first, with what each waits for. Nothing is sent.
    ///
    /// Idempotency: no call to the service (contract 9.3).
    ///
    /// # Errors
    /// The store's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// for open in journal.open_questions().await? {
    ///     println!("{open:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn open_questions(&self) -> Result<Vec<Open>, Error> {
        let mut found = Vec::new();
        let prefix = Series::lane_prefix(self.environment(), None);
        let mut query = Query::in_states([State::Unknown]);
        query.key_prefix = Some(prefix);
        let mut pages = self.0.documents.outbox.pages(query);
        while let Some(page) = pages.next_page().await.map_err(trouble::before)? {
            for entry in page {
                found.push(self.open(entry).await?);
            }
        }
        Ok(found)
    }

    async fn open(&self, entry: Entry) -> Result<Open, Error> {
        let remaining = self.remaining(&entry).await;
        let entry = self.complete(JournalEntry::read(entry)?).await?;
        let can_resend = !entry.record.resent;
        let because = match () {
            () if entry.paper().is_some() => Because::OnPaper,
            () if !remaining.is_zero() => Because::Settling(remaining),
            () if !self.0.probes.is_empty() || can_resend => Because::Unasked,
            () => Because::NeedsPerson,
        };
        Ok(Open { entry, because })
    }

    /// Writes down what a person found out about an open question: who, why, and now.
    ///
    /// Idempotency: no call to the service (contract 9.3).
    ///
    /// # Errors
    /// A validation error without `who` or `why`; [`Conflict`](crate::ErrorKind::Conflict) if it is no open question (any more);
    /// [`Blocked`](crate::ErrorKind::Blocked) if it is said not to be issued while the lost request may still act.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// # let number = fiscal_printer::InternalNumber::from(7);
    /// use fiscal_printer::DocumentType;
    /// use fiscal_printer::journal::Ruling;
    ///
    /// let invoices = journal.own_series(DocumentType::Invoice).await?;
    /// let control = "00-00000042".parse()?;
    /// journal.resolve_manually(&invoices, &number, Ruling::Issued(Some(control)), "ana", "seen in the portal").await?;
    /// # Ok(()) });
    /// ```
    pub async fn resolve_manually(
        &self,
        series: &Series,
        number: &InternalNumber,
        ruling: Ruling,
        who: &str,
        why: &str,
    ) -> Result<JournalEntry, Error> {
        let decision = self.decision("resolve", who, why)?;
        let case = self.open_case(series, &series.key(number)).await?;
        let result = self.rule(&case, ruling, decision).await;
        self.0.documents.give_back(&case.lease).await;
        result
    }

    async fn rule(&self, case: &Case, ruling: Ruling, decision: Decision) -> Result<JournalEntry, Error> {
        let entry = JournalEntry::read(case.entry.clone())?;
        if entry.state() != DocumentState::Unknown {
            return Err(trouble::wrong_state("resolve", &entry, "an open question"));
        }
        let remaining = self.remaining(&case.entry).await;
        let mut record = case.record.clone();
        record.decision = Some(decision);
        let state = match ruling {
            Ruling::NotIssued if !remaining.is_zero() => return Err(trouble::too_early(&entry, remaining)),
            Ruling::NotIssued => {
                record.refusal = Some(Note::text("a person found that it was not issued"));
                State::Refused
            }
            Ruling::Issued(control) => {
                let control = control.map(|number| number.as_received().to_owned());
                record.issued = Some(Issuance::known_by(Evidence::Person, control));
                State::Done
            }
        };
        self.settle_case(case, state, &record).await
    }

    /// Adds the control number of a document that is known to be issued without it (9.4).
    ///
    /// Idempotency: no call to the service (contract 9.4).
    ///
    /// # Errors
    /// As [`resolve_manually`](Self::resolve_manually); `Conflict` unless the document is issued and lacks its control number.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// # let number = fiscal_printer::InternalNumber::from(7);
    /// use fiscal_printer::DocumentType;
    ///
    /// let invoices = journal.own_series(DocumentType::Invoice).await?;
    /// journal.add_control_number(&invoices, &number, &"00-00000042".parse()?, "ana", "seen in the portal").await?;
    /// # Ok(()) });
    /// ```
    pub async fn add_control_number(
        &self,
        series: &Series,
        number: &InternalNumber,
        control: &ControlNumber,
        who: &str,
        why: &str,
    ) -> Result<JournalEntry, Error> {
        let decision = self.decision("add control number", who, why)?;
        let entry = self
            .find(series, number)
            .await?
            .ok_or_else(|| trouble::not_found("add control number", number.as_str()))?;
        if entry.state() != DocumentState::Issued || entry.control_text().is_some() {
            return Err(trouble::wrong_state(
                "add control number",
                &entry,
                "issued without a control number",
            ));
        }
        let control = control.as_received().to_owned();
        self.add_testimony(&entry, &Testimony::Control { control, decision }).await
    }

    /// Marks a document that is prepared or an open question as covered by a paper one (contract 9.5, contingency). A prepared
    /// one is set aside; an open question stays open, and is never resent by a program.
    ///
    /// Idempotency: no call to the service (contract 9.5).
    ///
    /// # Errors
    /// As [`resolve_manually`](Self::resolve_manually); `Conflict` in any other state.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(7), kit.journal().await);
    /// # journal.prepare(&invoice).await?;
    /// # let number = fiscal_printer::InternalNumber::from(7);
    /// use fiscal_printer::DocumentType;
    ///
    /// let invoices = journal.own_series(DocumentType::Invoice).await?;
    /// journal.cover_by_paper(&invoices, &number, "00-0001234", "ana", "no network all day").await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias = "contingencia")]
    pub async fn cover_by_paper(
        &self,
        series: &Series,
        number: &InternalNumber,
        paper_number: &str,
        who: &str,
        why: &str,
    ) -> Result<JournalEntry, Error> {
        let decision = self.decision("cover by paper", who, why)?;
        let case = self.open_case(series, &series.key(number)).await?;
        let result = self.cover(&case, paper_number, decision).await;
        self.0.documents.give_back(&case.lease).await;
        result
    }

    async fn cover(
        &self,
        case: &Case,
        paper_number: &str,
        decision: Decision,
    ) -> Result<JournalEntry, Error> {
        let entry = JournalEntry::read(case.entry.clone())?;
        let entry = match entry.state() {
            // First of all, so that a program that ends here leaves nothing that could be both sent and on paper.
            DocumentState::Prepared => self.settle_case(case, State::Dead, &case.record).await?,
            // Also one set aside: by this very call, when it broke off halfway.
            DocumentState::Unknown | DocumentState::Discarded => entry,
            _ => return Err(trouble::wrong_state("cover by paper", &entry, "prepared or an open question")),
        };
        let paper = Testimony::Paper { number: paper_number.to_owned(), decision };
        self.add_testimony(&entry, &paper).await
    }

    /// Puts another draft in the place of one, or of what was refused or set aside.
    pub(super) async fn draft_again(&self, job: &Job) -> Result<JournalEntry, Error> {
        let Some(series) = Series::from_lane(&job.lane) else {
            return Err(trouble::not_found("prepare", &job.record.number));
        };
        let case = self.open_case(&series, &job.key).await?;
        let result = self.redraft(&case, job).await;
        self.0.documents.give_back(&case.lease).await;
        result
    }

    async fn redraft(&self, case: &Case, job: &Job) -> Result<JournalEntry, Error> {
        let entry = JournalEntry::read(case.entry.clone())?.with_history(&case.history);
        let record = job.record.clone().succeeds(&case.record);
        let again = Change::new(&case.entry, State::Prepared, record.write()).with_body(job.body.clone());
        let step = match case.entry.state {
            State::Refused | State::Dead if case.entry.body == job.body && entry.paper().is_some() => {
                let paper = entry.paper().map_or("?", |(paper, _)| paper);
                return Err(trouble::on_paper(&entry, paper));
            }
            State::Refused | State::Dead => Step::new().with_change(again),
            // Only what is set aside may get other bytes.
            State::Prepared => {
                let aside = Change::new(&case.entry, State::Dead, case.entry.data.clone());
                let again = Change { version: again.version.saturating_add(1), ..again };
                Step::new().with_change(aside).with_change(again)
            }
            _ => return Err(trouble::wrong_state("prepare", &entry, "prepared or rejected")),
        };
        let written = self.0.documents.persist(&case.lease, &job.key, step.with_release()).await;
        JournalEntry::read(written.map_err(trouble::before)?)
    }

    /// Sets a prepared document aside: it is not sent, and its number is free again.
    ///
    /// Idempotency: no call to the service (contract 9.1).
    ///
    /// # Errors
    /// As [`resolve_manually`](Self::resolve_manually); `Conflict` unless it is prepared.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(7), kit.journal().await);
    /// # journal.prepare(&invoice).await?;
    /// # let number = fiscal_printer::InternalNumber::from(7);
    /// use fiscal_printer::DocumentType;
    ///
    /// let invoices = journal.own_series(DocumentType::Invoice).await?;
    /// journal.discard(&invoices, &number, "ana", "the sale fell through").await?;
    /// # Ok(()) });
    /// ```
    pub async fn discard(
        &self,
        series: &Series,
        number: &InternalNumber,
        who: &str,
        why: &str,
    ) -> Result<JournalEntry, Error> {
        let decision = self.decision("discard", who, why)?;
        let case = self.open_case(series, &series.key(number)).await?;
        let entry = JournalEntry::read(case.entry.clone())?;
        let result = if entry.state() == DocumentState::Prepared {
            let record = Record { decision: Some(decision), ..case.record.clone() };
            self.settle_case(&case, State::Dead, &record).await
        } else {
            Err(trouble::wrong_state("discard", &entry, "prepared"))
        };
        self.0.documents.give_back(&case.lease).await;
        result
    }

    fn decision(&self, operation: &'static str, who: &str, why: &str) -> Result<Decision, Error> {
        match trouble::unsigned(operation, who, why) {
            Some(error) => Err(error),
            None => {
                let when = self.0.documents.clock().wall();
                Ok(Decision { who: who.trim().to_owned(), when, why: why.trim().to_owned() })
            }
        }
    }

    async fn add_testimony(
        &self,
        entry: &JournalEntry,
        testimony: &Testimony,
    ) -> Result<JournalEntry, Error> {
        let desk = &self.0.documents;
        let added = desk.outbox.testify(desk.worker(), entry.entry.id, testimony.write()).await;
        added.map_err(trouble::before)?;
        self.complete(JournalEntry::read(entry.entry.clone())?).await
    }

    /// Notes when a request of this process was lost.
    pub(super) fn saw_lost(&self, entry: &Entry) {
        if entry.state == State::Unknown {
            self.0.sightings.lost(entry, self.0.documents.clock().elapsed());
        }
    }

    pub(super) async fn remaining(&self, entry: &Entry) -> Duration {
        let desk = &self.0.documents;
        let store = desk.outbox.now().await.ok();
        self.0.sightings.remaining(entry, self.0.settling_delay, desk.clock(), store)
    }

    /// One try, without waiting for the delay.
    pub(super) async fn resolve_once(&self, series: &Series, key: &str) -> Result<Resolution, Error> {
        let _turn = self.0.documents.turn(&series.lane()).await;
        // Before the lease, as issuing does: two workers that each hold a lease and wait for the other's place would both wait
        // until their leases ran out.
        let _place = match series.kind() {
            Some(kind) => Some(self.0.client.issue_lane(kind).enter().await),
            None => None,
        };
        let case = self.open_case_in_turn(series, key).await?;
        let result = self.treat(&case).await;
        self.0.documents.give_back(&case.lease).await;
        result
    }

    async fn open_case(&self, series: &Series, key: &str) -> Result<Case, Error> {
        let turn = self.0.documents.turn(&series.lane()).await;
        let case = self.open_case_in_turn(series, key).await?;
        Ok(Case { _turn: Some(turn), ..case })
    }

    async fn open_case_in_turn(&self, series: &Series, key: &str) -> Result<Case, Error> {
        let desk = &self.0.documents;
        if desk.outbox.find(key).await.map_err(trouble::before)?.is_none() {
            return Err(trouble::not_found("resolve", key));
        }
        let lease = desk.take(&series.lane()).await?;
        match self.read_case(series, key, &lease).await {
            Ok(case) => Ok(case),
            Err(error) => {
                desk.give_back(&lease).await;
                Err(error)
            }
        }
    }

    async fn read_case(&self, series: &Series, key: &str, lease: &Lease) -> Result<Case, Error> {
        let outbox = &self.0.documents.outbox;
        let found = outbox.find(key).await.map_err(trouble::before)?;
        let entry = found.ok_or_else(|| trouble::not_found("resolve", key))?;
        let history = outbox.history(entry.id).await.map_err(trouble::before)?;
        let mut record = Record::read(&entry)?;
        if entry.state == State::Unknown {
            // A worker that died left no mark of the doubt; whatever happens next must know of it.
            record.doubted.insert(record.hash.clone());
        }
        Ok(Case { _turn: None, lease: lease.clone(), entry, record, history, series: series.clone() })
    }

    async fn treat(&self, case: &Case) -> Result<Resolution, Error> {
        if case.entry.state != State::Unknown {
            let entry = self.complete(JournalEntry::read(case.entry.clone())?).await?;
            return Ok(Resolution::Settled(Box::new(entry)));
        }
        match self.next_step(case).await? {
            Step3::Write(state, record) => {
                let entry = self.settle_case(case, state, &record).await?;
                Ok(Resolution::Settled(Box::new(entry)))
            }
            Step3::Resend(attempt) => self.resend(case, attempt).await,
            Step3::Leave(because) => {
                let entry = JournalEntry::read(case.entry.clone())?.with_history(&case.history);
                Ok(Resolution::Open(Box::new(Open { entry, because })))
            }
        }
    }

    async fn next_step(&self, case: &Case) -> Result<Step3, Error> {
        if let Some((state, record)) = by_testimony(&case.record, &case.history) {
            return Ok(Step3::Write(state, Box::new(record)));
        }
        // Read before asking: a reading counts only if it was taken after the delay.
        let remaining = self.remaining(&case.entry).await;
        let on_paper = testimonies(&case.history).any(|told| matches!(told, Testimony::Paper { .. }));
        match self.ask_probes(case).await {
            Some(Finding::Issued(control)) => {
                let control = control.map(|number| number.as_received().to_owned());
                let record = case.record.clone().issued(Issuance::known_by(Evidence::Probe, control));
                Ok(Step3::Write(State::Done, Box::new(record)))
            }
            Some(_) if !remaining.is_zero() => Ok(Step3::Leave(Because::Settling(remaining))),
            Some(Finding::Gap { highest }) => Ok(Step3::Write(State::Refused, Box::new(gap(case, highest)))),
            _ if on_paper => Ok(Step3::Leave(Because::OnPaper)),
            Some(Finding::NotIssued) => Ok(Step3::Resend(Attempt::AfterAbsence)),
            _ => self.without_probe(case, remaining).await,
        }
    }

    /// Step 3 of 9.3, or step 4.
    async fn without_probe(&self, case: &Case, remaining: Duration) -> Result<Step3, Error> {
        if case.record.resent {
            return Ok(Step3::Leave(Because::NeedsPerson));
        }
        let (_, enforced) = self.0.client.authorization_for(case.series.issuer()).await?;
        Ok(match enforced {
            Some(true) if remaining.is_zero() => Step3::Resend(Attempt::Resend),
            Some(true) => Step3::Leave(Because::Settling(remaining)),
            _ => Step3::Leave(Because::NeedsPerson),
        })
    }

    /// The first probe that answers the question.
    async fn ask_probes(&self, case: &Case) -> Option<Finding> {
        let question = Question { series: case.series.clone(), number: case.record.number()? };
        for probe in &self.0.probes {
            let asked = self.0.documents.holding(&case.lease, probe.ask(&self.0.client, &question)).await;
            match asked {
                Ok(Finding::Unavailable(why)) => {
                    tracing::info!(probe = probe.name(), why, "probe unavailable");
                }
                Ok(finding) => return Some(finding),
                Err(error) => tracing::info!(probe = probe.name(), %error, "probe unavailable"),
            }
        }
        None
    }

    /// Sends the identical bytes.
    async fn resend(&self, case: &Case, attempt: Attempt) -> Result<Resolution, Error> {
        let desk = &self.0.documents;
        let (authorization, _) = self.0.client.authorization_for(case.series.issuer()).await?;
        if super::record::hash(&case.entry.body) != case.record.hash {
            return Err(trouble::altered(&case.record.number));
        }
        let since = desk.clock().elapsed();
        let record = case.record.clone().sent(attempt);
        let change = Change::new(&case.entry, State::InFlight, record.write());
        let written = desk.persist(&case.lease, &case.entry.key, Step::new().with_change(change)).await;
        let entry = written.map_err(trouble::before)?;
        self.0.sightings.forget(&entry);
        let (lease, wanted) = (case.lease.clone(), Wanted::Named);
        let begun = Begun { lease, entry, record, attempt, wanted, since, gaps: true };
        match self.send(begun, authorization).await {
            Ok(entry) => Ok(Resolution::Settled(Box::new(entry))),
            Err(error) => self.after_resend(case, error).await,
        }
    }

    /// The error is written down in the entry; what counts now is where that stands.
    async fn after_resend(&self, case: &Case, error: Error) -> Result<Resolution, Error> {
        tracing::info!(%error, number = case.record.number, "the identical resend did not succeed");
        // A store that does not answer now must not hide what the service said.
        let Ok(Some(entry)) = self.0.documents.outbox.find(&case.entry.key).await else {
            return Err(error.with_outcome(Outcome::Unknown));
        };
        match entry.state {
            State::Unknown => Ok(Resolution::Open(Box::new(self.open(entry).await?))),
            State::Done | State::Refused => {
                let entry = self.complete(JournalEntry::read(entry)?).await?;
                Ok(Resolution::Settled(Box::new(entry)))
            }
            _ => Err(error.with_outcome(Outcome::Unknown)),
        }
    }

    async fn settle_case(&self, case: &Case, state: State, record: &Record) -> Result<JournalEntry, Error> {
        let change = Change::new(&case.entry, state, record.write());
        let step = Step::new().with_change(change).with_release();
        let written = self.0.documents.persist(&case.lease, &case.entry.key, step).await;
        let entry = written.map_err(trouble::before)?;
        self.0.sightings.forget(&entry);
        self.complete(JournalEntry::read(entry)?).await
    }

    /// Settles an entry by what a late answer said, if one did; needs the lane's turn. `None` if it is still open.
    pub(super) async fn by_testimony(&self, lane: &str, key: &str) -> Result<Option<JournalEntry>, Error> {
        let Some(series) = Series::from_lane(lane) else { return Ok(None) };
        let case = self.open_case_in_turn(&series, key).await?;
        let settled = match by_testimony(&case.record, &case.history) {
            Some((state, record)) if case.entry.state == State::Unknown => {
                self.settle_case(&case, state, &record).await.map(Some)
            }
            _ => self.complete(JournalEntry::read(case.entry.clone())?).await.map(Some),
        };
        self.0.documents.give_back(&case.lease).await;
        Ok(settled?.filter(|entry| entry.state() != DocumentState::Unknown))
    }
}

/// A late "issued" holds whatever came after it; a late "not issued" only if it answered the last try.
fn by_testimony(record: &Record, history: &[Event]) -> Option<(State, Record)> {
    let told: Vec<(u32, Told)> = testimonies(history)
        .filter_map(|testimony| match testimony {
            Testimony::Answer { attempt, hash, fate } if record.is_of(hash.as_deref()) => {
                Some((attempt, fate))
            }
            _ => None,
        })
        .collect();
    let issued = told.iter().find_map(|(_, fate)| match fate {
        Told::Issued(issuance) => Some((State::Done, record.clone().issued(issuance.clone()))),
        _ => None,
    });
    issued.or_else(|| {
        // With one try, nothing else can have acted.
        let only = record.tries <= 1;
        told.into_iter().find_map(|(attempt, fate)| match fate {
            Told::Rejected(note) | Told::NotSent(note) if only && attempt == record.tries => {
                Some((State::Refused, record.clone().refused_with(note)))
            }
            _ => None,
        })
    })
}

fn gap(case: &Case, highest: u64) -> Record {
    let text = format!(
        "a probe found that it was not issued, and that number {} is missing",
        highest.saturating_add(1)
    );
    Record { gap_after: Some(highest), refusal: Some(Note::text(text)), ..case.record.clone() }
}
