//! Issuing exactly once: every document is written down before it is sent, and what became of it afterwards (feature
//! `journal`; contract section 9).
//!
//! ```no_run
//! use fiscal_printer::{Buyer, Client, Document, Line, journal::Journal};
//! use integration_store::Store;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let journal = Journal::builder(Client::from_env()?, &Store::from_env().await?).build()?;
//! journal.resume().await?; // finishes what an earlier run left behind
//! let invoice = Document::invoice("J-12345678-4", 42)
//!     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
//!     .line(Line::new("A2", "Dos", "20.00", 1))
//!     .build()?;
//! let entry = journal.issue(&invoice).await?; // may be called again after any crash: it is issued once
//! println!("{} {}", entry.number(), entry.control_text().unwrap_or("(control number not known)"));
//! # Ok(())
//! # }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | issue a document | [`Journal::issue`], [`Journal::issue_next`] (allocates the number) |
//! | write one down without sending it, or set it aside | [`Journal::prepare`], [`Journal::discard`] |
//! | go on after a start | [`Journal::resume`], [`Journal::settle`] |
//! | answer an open question | [`Journal::open_questions`], [`Journal::resolve`], [`Journal::resolve_manually`] |
//! | mail and annul | [`Journal::mail`], [`Journal::annul`] |
//! | correct an invoice | [`JournalEntry::credit_note`], [`JournalEntry::debit_note`] |
//! | look things up and export them | [`Journal::find`], [`Journal::search`], [`Journal::export_csv`], [`Journal::export_json`] |
//! | prove that nobody edited it | [`Journal::verify`] |
//!
//! # What it promises
//!
//! * Nothing is sent that is not on disk: the exact bytes, their hash, the number. A store that cannot write stops the call
//!   before it is sent, as an error of kind [`ErrorKind::Store`](crate::ErrorKind::Store).
//! * What may have been issued is never sent again blindly. It becomes an [`Unknown`](DocumentState::Unknown) that blocks its
//!   series until a probe, the one identical resend that the contract allows, or a person has answered it.
//! * Several programs on several machines may share one journal (PostgreSQL): one request per series is under way at a time, and
//!   a worker that was paused past its lease cannot write over its successor.
//!
//! Where the service does not enforce internal numbers and offers no probe, only a person can answer an open question
//! (9.3 step 4); the journal then says so and waits.

mod allocate;
mod begin;
mod chain;
mod desk;
mod entry;
mod export;
mod follow_up;
mod issue;
mod judge;
mod probe;
mod record;
mod resolve;
mod resume;
mod search;
mod series;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use integration_core::{Error, Fault};
use integration_store::Store;

use crate::client::Client;
use crate::follow_up::{ANNUL, MAIL};
use crate::issue::ISSUE;

pub use allocate::{JournalSequence, Known, SequenceAllocator};
pub use chain::ChainReport;
pub use entry::{DocumentState, JournalEntry};
pub use follow_up::{FollowUp, FollowUpState};
pub(crate) use probe::PROBES;
pub use probe::{Finding, NextNumberProbe, OutcomeProbe, Question, StatusProbe};
pub use record::{Decision, Evidence};
pub use resolve::{Because, Open, Resolution, Ruling};
pub use resume::{Progress, Resumed};
pub use search::{Found, Search};
pub use series::Series;

use desk::Desk;

const DOCUMENTS: &str = "fiscal-documents";
const MAILS: &str = "fiscal-mails";
const ANNULMENTS: &str = "fiscal-annulments";

/// The variable that [`JournalBuilder::settings_from_env`] reads.
const SETTLING_DELAY: &str = "FISCAL_PRINTER_SETTLING_DELAY";

/// How long a lease lasts unless it is renewed; it is renewed while a request is under way.
const LEASE: Duration = Duration::from_secs(10);
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Issues documents of one issuer through a store. Cheap to clone; clones are one worker.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    client: Client,
    environment: String,
    documents: Desk,
    mails: Desk,
    annulments: Desk,
    settling_delay: Duration,
    probes: Vec<Arc<dyn OutcomeProbe>>,
    allocator: Arc<dyn SequenceAllocator>,
    sightings: resolve::Sightings,
}

/// Sets a [`Journal`] up.
#[derive(Debug)]
#[must_use]
pub struct JournalBuilder {
    client: Client,
    store: Store,
    environment: Option<String>,
    worker: String,
    settling_delay: Option<Duration>,
    lease: Duration,
    probes: Vec<Arc<dyn OutcomeProbe>>,
    allocator: Arc<dyn SequenceAllocator>,
}

impl JournalBuilder {
    /// Names the service in the journal instead of its base URL, for a service that is reached under changing addresses.
    ///
    /// The name is part of each document's natural key: **changing it makes the journal forget what was issued under the old
    /// one.**
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Names this worker in the journal's history; its process is added.
    pub fn worker(mut self, name: impl Into<String>) -> Self {
        self.worker = name.into();
        self
    }

    /// How long a reading of "not issued" is not believed after a request was lost: twice the client's total timeout unless set,
    /// never less than that timeout (contract 9.3).
    pub fn settling_delay(mut self, delay: Duration) -> Self {
        self.settling_delay = Some(delay);
        self
    }

    /// How long a series stays with a worker that no longer answers: 10 s unless set. It is renewed while a request is under way.
    ///
    /// A worker whose process has ended on **this** machine frees its series at once.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Asks this probe what became of lost requests, after those that were added before it.
    pub fn probe(mut self, probe: impl OutcomeProbe) -> Self {
        self.probes.push(Arc::new(probe));
        self
    }

    /// Takes numbers for [`Journal::issue_next`] from here; [`JournalSequence`] from 1 unless set.
    pub fn allocator(mut self, allocator: impl SequenceAllocator) -> Self {
        self.allocator = Arc::new(allocator);
        self
    }

    /// Takes the settling delay from `FISCAL_PRINTER_SETTLING_DELAY` (seconds, decimals allowed), if it is set.
    ///
    /// # Errors
    /// A validation error if it is no number of seconds above 0.
    pub fn settings_from_env(self) -> Result<Self, Error> {
        self.settings_from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`settings_from_env`](Self::settings_from_env), with the variable taken from `lookup`.
    ///
    /// # Errors
    /// As [`settings_from_env`](Self::settings_from_env).
    pub fn settings_from_lookup(self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let Some(text) = lookup(SETTLING_DELAY).filter(|text| !text.trim().is_empty()) else {
            return Ok(self);
        };
        let seconds =
            text.trim().parse::<f64>().ok().and_then(|value| Duration::try_from_secs_f64(value).ok());
        match seconds.filter(|delay| !delay.is_zero()) {
            Some(delay) => Ok(self.settling_delay(delay)),
            None => {
                let fault =
                    Fault::error("ENV", SETTLING_DELAY).with_expected("seconds above 0").with_actual(text);
                Err(Error::validation("read the environment", vec![fault]))
            }
        }
    }

    /// Builds the journal; nothing is sent and nothing is written.
    ///
    /// # Errors
    /// A validation error that names every setting that cannot be used: a settling delay below the client's total timeout, a
    /// lease below a second, a name that is empty or holds `|`.
    pub fn build(self) -> Result<Journal, Error> {
        let total = self.client.total_timeout();
        let settling_delay = self.settling_delay.unwrap_or(total.saturating_mul(2));
        let environment = self.environment.unwrap_or_else(|| self.client.base_text());
        let faults = wrong_settings(&environment, settling_delay, total, self.lease);
        if !faults.is_empty() {
            return Err(Error::validation("configure the journal", faults));
        }
        let clock = Arc::clone(self.client.clock());
        let worker = integration_store::worker_name(&self.worker);
        let desk = |operation, name| {
            let outbox = self.store.outbox(name);
            Desk::new(operation, outbox, worker.clone(), self.lease, total, Arc::clone(&clock))
        };
        Ok(Journal(Arc::new(Parts {
            documents: desk(ISSUE.name, DOCUMENTS),
            mails: desk(MAIL.name, MAILS),
            annulments: desk(ANNUL.name, ANNULMENTS),
            client: self.client,
            environment,
            settling_delay,
            probes: self.probes,
            allocator: self.allocator,
            sightings: resolve::Sightings::default(),
        })))
    }
}

fn wrong_settings(environment: &str, delay: Duration, total: Duration, lease: Duration) -> Vec<Fault> {
    let mut faults = Vec::new();
    if environment.trim().is_empty() || environment.contains(['|', '\0']) {
        faults.push(
            Fault::error("JOURNAL", "environment")
                .with_expected("a name without `|`")
                .with_actual(environment),
        );
    }
    if delay < total {
        let fault = Fault::error("JOURNAL", "settling_delay")
            .with_expected(format!("at least {} s", total.as_secs_f64()));
        let hint = "a lost request may act as long as the client's total timeout; lower that timeout or lengthen the delay";
        faults.push(fault.with_actual(format!("{} s", delay.as_secs_f64())).with_hint(hint));
    }
    if lease < SHORTEST_LEASE {
        let fault = Fault::error("JOURNAL", "lease").with_expected("at least 1 s");
        faults.push(fault.with_actual(format!("{} s", lease.as_secs_f64())));
    }
    faults
}

impl Journal {
    /// Starts setting up a journal of `client`'s documents in `store`.
    pub fn builder(client: Client, store: &Store) -> JournalBuilder {
        JournalBuilder {
            client,
            store: store.clone(),
            environment: None,
            worker: "worker".to_owned(),
            settling_delay: None,
            lease: LEASE,
            probes: Vec::new(),
            allocator: Arc::new(JournalSequence::default()),
        }
    }

    /// The client that sends.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The name under which the service stands in the journal.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.0.environment
    }

    /// The settling delay in force.
    #[must_use]
    pub fn settling_delay(&self) -> Duration {
        self.0.settling_delay
    }

    /// This worker's name in the journal's history.
    #[must_use]
    pub fn worker(&self) -> &str {
        self.0.documents.worker()
    }
}
