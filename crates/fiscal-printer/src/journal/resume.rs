//! Going on after a start: abandoned requests become open questions, questions are answered where a program may, and what was
//! only written down is sent. The work is proportional to what is open, not to what the journal holds.

use std::collections::HashSet;
use std::time::Duration;

use integration_core::Error;
use integration_store::{Entry, Query, State};

use super::begin::{Job, Start, Wanted};
use super::entry::{DocumentState, JournalEntry};
use super::record::{Record, hash};
use super::resolve::{Because, Open, Resolution};
use super::series::Series;
use super::{Journal, trouble};

/// How often [`Journal::settle`] waits for the delay.
const ROUNDS: usize = 8;

/// One step of [`Journal::resume`], as it happens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Progress {
    /// Work on a series begins.
    Series(Series),
    /// Another worker has the series; it is left to it.
    Busy(Series),
    /// An open question was answered.
    Settled(Box<JournalEntry>),
    /// A question stays open; the rest of its series waits.
    Open(Box<Open>),
    /// A prepared document was issued.
    Issued(Box<JournalEntry>),
    /// A prepared document was not issued; the rest of its series waits.
    NotIssued(Box<JournalEntry>),
    /// Waiting for the settling delay.
    Waiting(Duration),
}

/// What [`Journal::resume`] did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Resumed {
    /// Questions that were answered.
    pub settled: Vec<JournalEntry>,
    /// Prepared documents that were issued.
    pub issued: Vec<JournalEntry>,
    /// Questions that stay open.
    pub open: Vec<Open>,
    /// Prepared documents that were tried and not issued, each with the reason.
    pub failed: Vec<(JournalEntry, Error)>,
    /// Series that another worker has.
    pub busy: Vec<Series>,
}

impl Resumed {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.open.is_empty() && self.failed.is_empty() && self.busy.is_empty()
    }

    /// Adds what an earlier run did. What failed in it is kept unless it was tried again: a document that was refused then is
    /// not found now.
    fn follow(&mut self, before: Self) {
        let tried = self.issued.iter().chain(self.failed.iter().map(|(entry, _)| entry));
        let again: HashSet<i64> = tried.map(|entry| entry.entry.id).collect();
        let failed = before.failed.into_iter().filter(|(entry, _)| !again.contains(&entry.entry.id));
        self.failed.splice(0..0, failed.collect::<Vec<_>>());
        self.settled.splice(0..0, before.settled);
        self.issued.splice(0..0, before.issued);
    }

    /// How long the question that settles last still has to wait.
    fn settling(&self) -> Option<Duration> {
        let waits = self.open.iter().filter_map(|open| match open.because {
            Because::Settling(remaining) => Some(remaining),
            _ => None,
        });
        waits.max()
    }
}

impl Journal {
    /// Finishes what earlier runs left behind, once through and without waiting for the settling delay: to be called after a
    /// start, and whenever questions are open. Series of other issuers than this client's are left alone.
    ///
    /// Idempotency: each call that it makes by its own class: documents are issued once (contract 9.3).
    ///
    /// # Errors
    /// The store's failures and a token that cannot be had: the first of them, after every series was tried. What single
    /// documents meet is in the result.
    ///
    /// ```
    /// # use fiscal_printer::{Client, Environment, journal::Journal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Client::builder().environment(Environment::custom("http://127.0.0.1:1")?).token("t").rif("J-12345678-4").build()?;
    /// let store = integration_store::Store::open("memory:").await?;
    /// let journal = Journal::builder(client, &store).build()?;
    /// assert!(journal.resume().await?.is_complete());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn resume(&self) -> Result<Resumed, Error> {
        self.resume_with(|_| {}).await
    }

    /// As [`resume`](Self::resume), telling `observer` each step. Dropping the future stops in good order: what was under way is an
    /// open question for the next run.
    ///
    /// Idempotency: each call that it makes by its own class: documents are issued once (contract 9.3).
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(1), kit.journal().await);
    /// # journal.prepare(&invoice).await?;
    /// let resumed = journal.resume_with(|step| println!("{step:?}")).await?;
    /// assert!(resumed.is_complete());
    /// # Ok(()) });
    /// ```
    pub async fn resume_with(&self, mut observer: impl FnMut(Progress) + Send) -> Result<Resumed, Error> {
        let mut resumed = Resumed::default();
        let mut failure = None;
        for series in self.open_series().await? {
            observer(Progress::Series(series.clone()));
            // One series that cannot be worked on keeps no other waiting.
            let worked = self.resume_series(&series, &mut resumed, &mut observer).await;
            failure = failure.or(worked.err());
        }
        failure.map_or(Ok(resumed), Err)
    }

    /// As [`resume_with`](Self::resume_with), again and again until no question waits for the settling delay any more.
    ///
    /// Idempotency: each call that it makes by its own class: documents are issued once (contract 9.3).
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// let resumed = journal.settle(|step| println!("{step:?}")).await?;
    /// assert!(resumed.is_complete());
    /// # Ok(()) });
    /// ```
    pub async fn settle(&self, mut observer: impl FnMut(Progress) + Send) -> Result<Resumed, Error> {
        let mut resumed = self.resume_with(&mut observer).await?;
        for _ in 1..ROUNDS {
            let Some(remaining) = resumed.settling() else { break };
            observer(Progress::Waiting(remaining));
            self.0.documents.clock().sleep(remaining).await;
            let before = resumed;
            resumed = self.resume_with(&mut observer).await?;
            resumed.follow(before);
        }
        Ok(resumed)
    }

    async fn open_series(&self) -> Result<Vec<Series>, Error> {
        let open = [State::Prepared, State::InFlight, State::Unknown];
        let lanes = self.0.documents.outbox.lanes(&open).await.map_err(trouble::before)?;
        if lanes.is_empty() {
            return Ok(Vec::new());
        }
        let issuer = self.0.client.issuer().await?.to_string();
        let series = lanes.iter().filter_map(|lane| Series::from_lane(lane));
        Ok(series
            .filter(|series| series.environment() == self.environment() && series.issuer() == issuer)
            .collect())
    }

    async fn resume_series(
        &self,
        series: &Series,
        resumed: &mut Resumed,
        observer: &mut (impl FnMut(Progress) + Send),
    ) -> Result<(), Error> {
        if !self.take_over(series).await? {
            observer(Progress::Busy(series.clone()));
            resumed.busy.push(series.clone());
            return Ok(());
        }
        let mut blocked = false;
        for entry in self.in_state(series, State::Unknown).await? {
            match self.resolve_once(series, &entry.key).await? {
                Resolution::Settled(entry) => {
                    observer(Progress::Settled(entry.clone()));
                    resumed.settled.push(*entry);
                }
                Resolution::Open(open) => {
                    blocked = true;
                    observer(Progress::Open(open.clone()));
                    resumed.open.push(*open);
                }
            }
        }
        if blocked { Ok(()) } else { self.send_prepared(series, resumed, observer).await }
    }

    /// Turns what a worker that is gone had in flight into open questions; `false` if the series is in another worker's hands.
    async fn take_over(&self, series: &Series) -> Result<bool, Error> {
        let desk = &self.0.documents;
        let lane = series.lane();
        let _turn = desk.turn(&lane).await;
        if self.in_state(series, State::InFlight).await?.is_empty() {
            return Ok(true);
        }
        let view = desk.outbox.lane(&lane).await.map_err(trouble::before)?;
        desk.bury(&lane, view.held_by.as_deref(), view.fence).await?;
        let claimed = desk.claim_now(&lane).await?;
        if let Some(lease) = &claimed {
            desk.give_back(lease).await;
        }
        Ok(claimed.is_some())
    }

    async fn send_prepared(
        &self,
        series: &Series,
        resumed: &mut Resumed,
        observer: &mut (impl FnMut(Progress) + Send),
    ) -> Result<(), Error> {
        for entry in self.in_state(series, State::Prepared).await? {
            match self.send_one(series, &entry).await {
                // Somebody else issued it, corrected it or set it aside since it was listed.
                Ok(None) => {}
                Ok(Some(entry)) => {
                    observer(Progress::Issued(Box::new(entry.clone())));
                    resumed.issued.push(entry);
                }
                // Later numbers would be refused, or leave a gap.
                Err(error) => return self.stop_series(&entry, error, resumed, observer).await,
            }
        }
        Ok(())
    }

    async fn send_one(&self, series: &Series, entry: &Entry) -> Result<Option<JournalEntry>, Error> {
        let (authorization, _) = self.0.client.authorization_for(series.issuer()).await?;
        let (lane, key) = (entry.lane.clone(), entry.key.clone());
        let record = Record::read(entry)?;
        if hash(&entry.body) != record.hash {
            return Err(trouble::altered(&record.number));
        }
        let job = Job { lane, key, body: entry.body.clone(), record, wanted: Wanted::Draft };
        let _turn = self.0.documents.turn(&job.lane).await;
        let _place = match series.kind() {
            Some(kind) => Some(self.0.client.issue_lane(kind).enter().await),
            None => None,
        };
        match Box::pin(self.begin(&job)).await? {
            Start::Begun(begun) => self.send(*begun, authorization).await.map(Some),
            Start::Stored(_) | Start::Taken => Ok(None),
        }
    }

    async fn stop_series(
        &self,
        entry: &Entry,
        error: Error,
        resumed: &mut Resumed,
        observer: &mut (impl FnMut(Progress) + Send),
    ) -> Result<(), Error> {
        let found = self.0.documents.outbox.find(&entry.key).await.map_err(trouble::before)?;
        let entry = JournalEntry::read(found.unwrap_or_else(|| entry.clone()))?;
        if entry.state() == DocumentState::Unknown {
            let remaining = self.remaining(&entry.entry).await;
            let open = Open { entry, because: Because::Settling(remaining) };
            observer(Progress::Open(Box::new(open.clone())));
            resumed.open.push(open);
        } else {
            observer(Progress::NotIssued(Box::new(entry.clone())));
            resumed.failed.push((entry, error));
        }
        Ok(())
    }

    /// The entries of a series in one state, in the order of numbers.
    async fn in_state(&self, series: &Series, state: State) -> Result<Vec<Entry>, Error> {
        let mut query = Query::in_states([state]);
        query.lane = Some(series.lane());
        let mut found = Vec::new();
        let mut pages = self.0.documents.outbox.pages(query);
        while let Some(page) = pages.next_page().await.map_err(trouble::before)? {
            found.extend(page);
        }
        found.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(found)
    }
}
