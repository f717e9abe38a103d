//! The SMART digital fiscal printing house: its simulator, and the handle through which a test drives it.
//!
//! The simulator follows the contract's sections 4 to 6: control numbers, the order of checks, amounts in binary
//! doubles, and answers that prove nothing because the document is committed before they are written.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), integration_sandbox::Error> {
//! use integration_sandbox::fiscal::Endpoint;
//! use integration_sandbox::{Fault, Sandbox};
//!
//! let sandbox = Sandbox::start().await?;
//! let fiscal = sandbox.fiscal();
//! // The next document is committed, and nobody hears of it.
//! fiscal.inject(Endpoint::Issue, Fault::ActThenReset);
//! assert!(fiscal.base_url().starts_with("http://127.0.0.1:"));
//! assert_eq!(fiscal.count("00000042"), 0);
//! # Ok(()) }
//! ```

mod arithmetic;
mod checks;
mod house;
mod ledger;
mod records;
mod reply;
mod service;
mod settings;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock;
use crate::error::Error;
use crate::fault::{Fault, Plan, When};
use crate::kept::{self, Kept, Placing};
use crate::server::{Bound, Door, Running};

use house::House;
pub use records::{Document, DocumentState, Mail, Request};
pub use settings::{Endpoint, Issuer, Settings, Spelling};

/// RIF of the issuer that is there from the start.
const DEFAULT_RIF: &str = "J-12345678-4";

/// Handle of the simulated printing house; clones drive the same one.
///
/// It works as long as the [`Sandbox`](crate::Sandbox) it came from is alive.
#[derive(Debug, Clone)]
pub struct Fiscal(Arc<Shared>);

/// Numbers of one issuer.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) rif: String,
    /// The control number that is drawn next.
    pub(crate) next_control: String,
    /// How many control numbers are left; none if there is no end.
    pub(crate) left: Option<u64>,
    /// Types of documents with their next internal number.
    pub(crate) next_internal: Vec<(u32, u64)>,
}

/// What the handle and the service share.
#[derive(Debug)]
struct Shared {
    base_url: String,
    token: String,
    door: Door,
    state: Mutex<State>,
    /// Counts releases of held answers.
    releases: watch::Sender<u64>,
    /// How many requests have been read since the last reset.
    received: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    house: House,
    requests: Vec<Request>,
    faults: Plan<Endpoint>,
    /// Connections accepted, reset ones included.
    connections: usize,
    /// Counts resets: a request that was read before one must not write into the log after it.
    epoch: u64,
}

impl State {
    fn new() -> Self {
        let mut state = Self::default();
        state.house.add_issuer(Issuer::new(DEFAULT_RIF));
        state
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the simulator down with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fiscal {
    /// Serves the printing house on a bound port until the guard is dropped.
    pub(crate) fn serve(bound: Bound) -> (Self, Running) {
        let shared = Arc::new(Shared {
            base_url: bound.url(),
            token: token::sign(&Issuer::new(DEFAULT_RIF), clock::now().epoch()),
            door: bound.door(),
            state: Mutex::new(State::new()),
            releases: watch::Sender::new(0),
            received: watch::Sender::new(0),
        });
        (Self(Arc::clone(&shared)), bound.serve(shared))
    }

    /// Base URL, such as `http://127.0.0.1:7801`, without a path and without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// Token of the default issuer, `J-12345678-4`, whose internal numbers are enforced.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.0.token
    }

    /// RIF of the default issuer.
    #[must_use]
    pub fn rif(&self) -> &str {
        DEFAULT_RIF
    }

    /// Adds an issuer, or replaces the one of the same RIF by a fresh one, and returns its token.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), integration_sandbox::Error> {
    /// use integration_sandbox::{Sandbox, fiscal::Issuer};
    ///
    /// let sandbox = Sandbox::start().await?;
    /// let token = sandbox.fiscal().add_issuer(Issuer::new("V-12345678-1").validar_interno(0));
    /// assert_ne!(token, sandbox.fiscal().token());
    /// # Ok(()) }
    /// ```
    #[expect(clippy::must_use_candidate, reason = "adding is the effect; the token may be of no interest")]
    pub fn add_issuer(&self, issuer: Issuer) -> String {
        let token = token::sign(&issuer, clock::now().epoch());
        self.0.state().house.add_issuer(issuer);
        token
    }

    /// Every document that exists, in the order of issue.
    #[must_use]
    pub fn documents(&self) -> Vec<Document> {
        self.0.state().house.documents.clone()
    }

    /// How many documents bear this internal number, whatever their issuer and type.
    #[must_use]
    pub fn count(&self, internal_number: &str) -> usize {
        self.count_where(|document| document.internal_number == internal_number)
    }

    /// How many documents bear this natural key: 0, 1, or more where nothing enforces it.
    #[must_use]
    pub fn count_of(&self, rif: &str, document_type: u32, internal_number: &str) -> usize {
        self.count_where(|document| {
            document.rif == rif
                && document.document_type == document_type
                && document.internal_number == internal_number
        })
    }

    fn count_where(&self, wanted: impl Fn(&Document) -> bool) -> usize {
        self.0.state().house.documents.iter().filter(|document| wanted(document)).count()
    }

    /// The numbers that come next, by issuer.
    pub(crate) fn series(&self) -> Vec<Series> {
        let series = |ledger: &ledger::Ledger| Series {
            rif: ledger.issuer.rif.clone(),
            next_control: ledger.next_control(),
            left: ledger.issuer.control_numbers_left,
            next_internal: ledger.next_internals(),
        };
        self.0.state().house.ledgers.values().map(series).collect()
    }

    /// Every mail that was accepted for sending.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.0.state().house.mails.clone()
    }

    /// Every request that was read, in order. Connections reset on accept carry none: see
    /// [`connections`](Self::connections).
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.0.state().requests.clone()
    }

    /// How many connections were accepted, those reset at once included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.state().connections
    }

    /// Waits until this many requests have been read, and acted upon where they are, since the last reset.
    ///
    /// With [`Fault::ActThenHold`] and [`release_held`](Self::release_held), this makes a late answer without a
    /// clock.
    pub async fn wait_for_requests(&self, count: usize) {
        // The sender is part of `self`, so the channel cannot end before this does.
        let _ = self.0.received.subscribe().wait_for(|received| *received >= count).await;
    }

    /// Lets every answer go that [`Fault::ActThenHold`] holds back.
    pub fn release_held(&self) {
        self.0.releases.send_modify(|count| *count += 1);
    }

    /// Plays a fault once.
    pub fn inject(&self, endpoint: Endpoint, fault: Fault) {
        self.inject_times(endpoint, fault, 1);
    }

    /// Plays a fault for the next `times` requests.
    pub fn inject_times(&self, endpoint: Endpoint, fault: Fault, times: u32) {
        self.plan(endpoint, fault, When::Times(times));
    }

    /// Plays a fault until [`clear_faults`](Self::clear_faults).
    pub fn inject_always(&self, endpoint: Endpoint, fault: Fault) {
        self.plan(endpoint, fault, When::Always);
    }

    /// Plays a fault with this probability (0 to 1); the same seed gives the same run of hits.
    pub fn inject_random(&self, endpoint: Endpoint, fault: Fault, probability: f64, seed: u64) {
        self.plan(endpoint, fault, When::Random { probability, seed });
    }

    pub(crate) fn plan(&self, endpoint: Endpoint, fault: Fault, when: When) {
        self.0.state().faults.add(endpoint, fault, when);
    }

    /// Forgets every injected fault and releases held answers.
    ///
    /// A port that refuses connections stays so until [`accept_connections`](Self::accept_connections).
    pub fn clear_faults(&self) {
        self.0.state().faults.clear();
        self.release_held();
    }

    /// Has new connections refused (the client's connect fails) and ends idle ones. Returns once it is so.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] if the sandbox is gone, [`Error::Socket`] if the system does not give the port back.
    pub async fn refuse_connections(&self) -> Result<(), Error> {
        self.0.door.set_open(false).await
    }

    /// Lets connections in again, on the same port. Returns once it is so.
    ///
    /// # Errors
    ///
    /// As [`refuse_connections`](Self::refuse_connections).
    pub async fn accept_connections(&self) -> Result<(), Error> {
        self.0.door.set_open(true).await
    }

    /// How many control numbers this issuer may still draw; at 0, issuing is rejected with code 12.
    ///
    /// An unknown RIF changes nothing.
    pub fn set_control_numbers_left(&self, rif: &str, left: u64) {
        self.set_left(rif, Some(left));
    }

    /// Whether there is such an issuer.
    pub(crate) fn set_left(&self, rif: &str, left: Option<u64>) -> bool {
        let mut state = self.0.state();
        let ledger = state.house.ledgers.get_mut(rif);
        ledger.map(|ledger| ledger.issuer.control_numbers_left = left).is_some()
    }

    /// Whether the probes `/facturacion/numerointerno` and `/facturacion/status` are deployed.
    pub fn enable_probes(&self, enabled: bool) {
        self.configure(|settings| settings.probes = enabled);
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.state().house.settings.clone()
    }

    /// Changes settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.state().house.settings);
    }

    /// Back to the beginning: no documents, mails, requests, faults or added issuers, default settings.
    ///
    /// The default issuer's token stays valid. A port that refuses connections stays so.
    pub fn reset(&self) {
        let mut state = self.0.state();
        let epoch = state.epoch.wrapping_add(1);
        *state = State { epoch, ..State::new() };
        self.0.received.send_replace(0);
        drop(state);
        self.release_held();
    }

    /// Everything that can be read back, as JSON for the control API.
    pub(crate) fn snapshot(&self) -> Value {
        let state = self.0.state();
        json!({
            "base_url": self.0.base_url,
            "issuers": state.house.ledgers.values().map(|ledger| &ledger.issuer).collect::<Vec<_>>(),
            "documents": state.house.documents,
            "mails": state.house.mails,
            "requests": state.requests,
            "connections": state.connections,
            "faults": state.faults,
            "settings": state.house.settings,
        })
    }
}

impl Kept for Fiscal {
    fn export(&self) -> Result<Value, String> {
        let state = self.0.state();
        Ok(json!({ "house": kept::part(&state.house)?, "faults": kept::part(&state.faults)? }))
    }

    fn import(&self, mut state: Value) -> Result<Placing<'_>, String> {
        let (house, faults) = (kept::take(&mut state, "house")?, kept::take(&mut state, "faults")?);
        Ok(Box::new(move || {
            self.reset();
            let mut state = self.0.state();
            (state.house, state.faults) = (house, faults);
        }))
    }
}

impl crate::fault::Troubled for Fiscal {
    fn plans(&self, show: &mut dyn FnMut(&'static str, &mut dyn crate::fault::Listed)) {
        let mut state = self.0.state();
        show("faults", &mut state.faults);
    }

    fn is_open(&self) -> bool {
        self.0.door.is_open()
    }
}
