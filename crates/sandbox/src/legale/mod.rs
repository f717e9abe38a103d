//! Legale.io certified e-signature: its simulator, and the handle through which a test drives it.
//!
//! The simulator follows the contract: sessions that live five hours, documents of any size, the 15 allowed pairs
//! of flow and method, signers that walk through in order, callbacks that are really posted. Where the contract
//! permits several shapes or leaves something open, [`Settings`] chooses.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), integration_sandbox::Error> {
//! use integration_sandbox::legale::{Endpoint, StepRefused};
//! use integration_sandbox::{Fault, Sandbox};
//!
//! let sandbox = Sandbox::start().await?;
//! let legale = sandbox.legale();
//! println!("LEGALE_BASE_URL={}", legale.base_url());
//! println!("LEGALE_API_KEY={}", legale.api_key());
//!
//! // The next document is created, and nobody hears of it.
//! legale.inject(Endpoint::Create, Fault::ActThenReset);
//! // … run the program under test, let its signers act, and count what really happened:
//! assert_eq!(legale.sign("no-such-guid", 1), Err(StepRefused::NoDocument));
//! assert!(legale.documents().is_empty() && legale.callbacks().is_empty());
//! # Ok(()) }
//! ```
//!
//! The control API does the same over HTTP, below `/_sandbox/legale/`. Signers count from 1. The clock can be stopped and put forward, so that sessions and links expire without
//! waiting.

mod accounts;
mod flow;
mod folders;
mod legacy;
mod letters;
mod office;
mod papers;
mod pdf;
mod people;
mod postman;
mod records;
mod refusal;
mod reply;
mod route;
mod rules;
mod rut;
mod service;
mod settings;
mod templates;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::blob::Content;
use crate::clock::{Moment, Timeline};
use crate::error::Error;
use crate::fault::{Fault, Plan, When};
use crate::kept::{self, Kept, Placing};
use crate::server::{Bound, Door, Running};

pub use accounts::Account;
use letters::Letter;
use office::Office;
use papers::{NewPaper, Paper};
pub(crate) use pdf::small as small_pdf;
use postman::Errand;
pub use records::{
    Attempt, Callback, CallbackFault, CallbackKind, Contact, Document, FileRecord, FlowState, Login, Mail,
    Origin, Request, Signer, SignerState, Step, StepRefused,
};
pub(crate) use route::decoded;
pub use settings::{
    Bools, DocumentUrl, Endpoint, Envelope, ErrorShape, GuidStyle, KeyPlace, LinksShape, ListShape,
    LoginAnswer, NextLink, Numbers, Order, PastEnd, Relay, Settings, Times,
};

/// Handle of the simulated Legale; clones drive the same one.
///
/// It works as long as the [`Sandbox`](crate::Sandbox) it came from is alive.
#[derive(Debug, Clone)]
pub struct Legale(Arc<Shared>);

/// What the handle, the service and the postman share.
#[derive(Debug)]
struct Shared {
    base_url: String,
    account: Account,
    door: Door,
    state: Mutex<State>,
    /// Counts releases of held answers and callbacks.
    releases: watch::Sender<u64>,
    /// How many requests have been read since the last reset.
    received: watch::Sender<usize>,
    /// How many callbacks are finished since the last reset.
    finished: watch::Sender<usize>,
    errands: mpsc::UnboundedSender<Errand>,
}

#[derive(Debug)]
struct State {
    office: Office,
    timeline: Timeline,
    requests: Vec<Request>,
    callbacks: Vec<Callback>,
    faults: Plan<Endpoint>,
    callback_faults: Plan<CallbackKind, CallbackFault>,
    /// Connections accepted, reset ones included.
    connections: usize,
    /// Counts resets: what was begun before one must not write into the log after it.
    epoch: u64,
}

impl State {
    fn new(base_url: &str) -> Self {
        Self {
            office: Office::new(base_url.to_owned()),
            timeline: Timeline::default(),
            requests: Vec::new(),
            callbacks: Vec::new(),
            faults: Plan::default(),
            callback_faults: Plan::default(),
            connections: 0,
            epoch: 0,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the simulator down with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        self.state().timeline.now()
    }

    /// Hands what the office wrote to the postman.
    fn post_letters(&self, state: &mut State) {
        for letter in std::mem::take(&mut state.office.outbox) {
            let fault = state.callback_faults.next(&letter.kind);
            let index = state.callbacks.len();
            state.callbacks.push(Callback {
                number: index.saturating_add(1),
                kind: letter.kind,
                guid: letter.guid.clone(),
                url: letter.url.clone(),
                body: letter.shown(),
                fault: fault.as_ref().map(|fault| fault.name().to_owned()),
                attempts: Vec::new(),
                finished: false,
            });
            // The postman lives as long as the sandbox; after that nobody is to be told.
            let _ = self.errands.send(Errand { epoch: state.epoch, index, letter, fault });
        }
    }

    fn log_attempt(&self, errand: &Errand, attempt: Attempt) {
        let mut state = self.state();
        if state.epoch == errand.epoch
            && let Some(callback) = state.callbacks.get_mut(errand.index)
        {
            callback.attempts.push(attempt);
        }
    }

    /// A document that is to go after its final callback goes once that was accepted.
    fn finish_callback(&self, errand: &Errand) {
        let mut state = self.state();
        if state.epoch != errand.epoch {
            return;
        }
        let Some(callback) = state.callbacks.get_mut(errand.index) else { return };
        callback.finished = true;
        let accepted = callback.kind == CallbackKind::Sign && callback.accepted();
        let place = state.office.by_guid.get(&errand.letter.guid).copied().filter(|_| accepted);
        let goes = |paper: &Paper| paper.record.delete_after_callback;
        if let Some(place) = place.filter(|place| state.office.papers.get(*place).is_some_and(goes)) {
            state.office.remove(place);
        }
        self.finished.send_modify(|count| *count = count.saturating_add(1));
    }
}

impl Legale {
    /// Serves Legale on a bound port until the guards are dropped.
    pub(crate) fn serve(bound: Bound) -> (Self, [Running; 2]) {
        let (errands, inbox) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            base_url: bound.url(),
            account: Account::first(),
            door: bound.door(),
            state: Mutex::new(State::new(&bound.url())),
            releases: watch::Sender::new(0),
            received: watch::Sender::new(0),
            finished: watch::Sender::new(0),
            errands,
        });
        let postman = Running::beside(postman::run(Arc::clone(&shared), inbox));
        (Self(Arc::clone(&shared)), [bound.serve(shared), postman])
    }

    /// Host root, such as `http://127.0.0.1:7802`: V1 is below `/api`, V2 below `/api/v2`, files below `/media`, and
    /// the older API has its own paths below the same root.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// API key of the account that is there from the start; goes into `Legale-Api-Key`.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.0.account.api_key
    }

    /// E-mail of the account that is there from the start.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.0.account.email
    }

    /// Password of the account that is there from the start.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.0.account.password
    }

    /// Bearer token of the older API.
    #[must_use]
    pub fn legacy_token(&self) -> &'static str {
        accounts::LEGACY_TOKEN
    }

    /// Adds an account, whose documents belong to somebody else (`NOT_OWNER`).
    #[expect(
        clippy::must_use_candidate,
        reason = "adding is the effect; the credentials may be of no interest"
    )]
    pub fn add_account(&self, email: &str, password: &str) -> Account {
        let api_key = crate::chance::hex(20);
        let account = Account { email: email.to_owned(), password: password.to_owned(), api_key };
        self.0.state().office.accounts.accounts.push(account.clone());
        account
    }

    /// Adds a document as the web app does: listed, but its detail is refused (`NOT_API_DOCUMENT`). Returns its GUID.
    #[expect(clippy::must_use_candidate, reason = "adding is the effect; the GUID may be of no interest")]
    pub fn upload_in_web_app(&self, file_name: &str, file: &[u8]) -> String {
        let mut state = self.0.state();
        let content = Content::from_bytes(file.to_vec());
        let new =
            NewPaper::plain(Origin::WebApp, self.email(), file_name, "Subido en la aplicacion", content);
        let moment = state.timeline.now();
        let place = state.office.add(new, moment);
        state.office.papers.get(place).map(|paper| paper.record.guid.clone()).unwrap_or_default()
    }

    /// Adds a smart document with these variables, numbered from 1. Returns its id.
    #[expect(clippy::must_use_candidate, reason = "adding is the effect; the id may be of no interest")]
    pub fn add_smart_document(&self, name: &str, variables: &[&str]) -> u64 {
        let mut state = self.0.state();
        let id = state.office.next_id();
        let variables = variables.iter().map(|name| (*name).to_owned()).collect();
        state.office.templates.push(templates::Template { id, name: name.to_owned(), variables });
        id
    }

    /// Every document that exists or existed, in the order in which they came in.
    #[must_use]
    pub fn documents(&self) -> Vec<Document> {
        let state = self.0.state();
        let now = state.timeline.now();
        state.office.papers.iter().map(|paper| paper.shown(now)).collect()
    }

    /// One document.
    #[must_use]
    pub fn document(&self, guid: &str) -> Option<Document> {
        let state = self.0.state();
        state.office.paper(guid).map(|paper| paper.shown(state.timeline.now()))
    }

    /// How many documents were created with this description: more than one is a duplicate.
    #[must_use]
    pub fn count(&self, description: &str) -> usize {
        self.count_where(|document| document.description == description)
    }

    /// How many documents were created from a file with this SHA-256, in lower-case hexadecimal.
    #[must_use]
    pub fn count_of(&self, sha256: &str) -> usize {
        self.count_where(|document| document.file.sha256 == sha256)
    }

    fn count_where(&self, wanted: impl Fn(&Document) -> bool) -> usize {
        self.0.state().office.papers.iter().filter(|paper| wanted(&paper.record)).count()
    }

    /// The file as it came in, wholly in memory.
    #[must_use]
    pub fn file(&self, guid: &str) -> Option<Vec<u8>> {
        let content = self.0.state().office.paper(guid)?.original.clone();
        content.to_vec().ok()
    }

    /// The signed file, wholly in memory; none before the last signature.
    #[must_use]
    pub fn signed_file(&self, guid: &str) -> Option<Vec<u8>> {
        let content = self.0.state().office.paper(guid)?.signed.clone()?;
        content.to_vec().ok()
    }

    /// Every attempt to log in.
    #[must_use]
    pub fn logins(&self) -> Vec<Login> {
        self.0.state().office.logins.clone()
    }

    /// Every contact.
    #[must_use]
    pub fn contacts(&self) -> Vec<Contact> {
        self.0.state().office.contacts.clone()
    }

    /// Every mail that Legale sent.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.0.state().office.mails.clone()
    }

    /// Every folder as a path.
    #[must_use]
    pub fn folders(&self) -> Vec<String> {
        self.0.state().office.folder_paths()
    }

    /// Every callback, with what its receiver answered.
    #[must_use]
    pub fn callbacks(&self) -> Vec<Callback> {
        self.0.state().callbacks.clone()
    }

    /// Every request that was read, in order.
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
    pub async fn wait_for_requests(&self, count: usize) {
        // The sender is part of `self`, so the channel cannot end before this does.
        let _ = self.0.received.subscribe().wait_for(|received| *received >= count).await;
    }

    /// Waits until nothing more will be tried for this many callbacks since the last reset.
    pub async fn wait_for_callbacks(&self, count: usize) {
        let _ = self.0.finished.subscribe().wait_for(|finished| *finished >= count).await;
    }

    /// Signer `number`, counted from 1, looks at the document.
    ///
    /// # Errors
    ///
    /// [`StepRefused`] says why he cannot: not his turn, expired links, …
    pub fn open(&self, guid: &str, number: usize) -> Result<(), StepRefused> {
        self.step(guid, number, Step::Open, "")
    }

    /// Signer `number`, counted from 1, signs or approves.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn sign(&self, guid: &str, number: usize) -> Result<(), StepRefused> {
        self.step(guid, number, Step::Sign, "")
    }

    /// Signer `number`, counted from 1, rejects, which ends the flow.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn reject(&self, guid: &str, number: usize, comment: &str) -> Result<(), StepRefused> {
        self.step(guid, number, Step::Reject, comment)
    }

    pub(crate) fn step(
        &self,
        guid: &str,
        number: usize,
        step: Step,
        comment: &str,
    ) -> Result<(), StepRefused> {
        let mut state = self.0.state();
        let moment = state.timeline.now();
        let outcome = state.office.walk(guid, number, step, comment, moment);
        self.0.post_letters(&mut state);
        outcome
    }

    /// Pauses or resumes a flow, as an administrator does in the web app. Tells whether there is the document.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn pause(&self, guid: &str, paused: bool) -> bool {
        self.0.state().office.administer(guid, |paper| paper.paused = paused)
    }

    /// Ends a flow for good, as in the web app. Tells whether there is the document.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn terminate(&self, guid: &str) -> bool {
        self.0.state().office.administer(guid, |paper| paper.terminated = true)
    }

    /// Gives the links this many days more, as in the web app. Tells whether there is the document.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn extend(&self, guid: &str, days: u64) -> bool {
        self.0.state().office.administer(guid, |paper| {
            paper.record.expiration_days = paper.record.expiration_days.map(|old| old.saturating_add(days));
        })
    }

    /// Deletes a document, as in the web app. Tells whether there is the document.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn delete(&self, guid: &str) -> bool {
        self.0.state().office.administer(guid, |paper| paper.deleted = true)
    }

    /// Whether the document is deleted once its final callback was accepted. Tells whether there is the document.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn delete_after_callback(&self, guid: &str, deleted: bool) -> bool {
        self.0.state().office.administer(guid, |paper| paper.record.delete_after_callback = deleted)
    }

    /// Posts a callback that no event caused: a replay, a forgery, a body of an unknown kind.
    pub fn post_callback(&self, url: &str, headers: &[(&str, &str)], body: Value) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut state = self.0.state();
        let guid = body.get("GUID").and_then(Value::as_str).unwrap_or_default().to_owned();
        state.office.outbox.push(Letter::custom(&guid, url, headers, body));
        self.0.post_letters(&mut state);
    }

    /// Ends every session: the next request of each gets 401.
    pub fn revoke_sessions(&self) {
        self.0.state().office.accounts.revoke_sessions();
    }

    /// Revokes an API key for good.
    pub fn revoke_api_key(&self, key: &str) {
        self.0.state().office.accounts.revoke_key(key);
    }

    /// Puts the simulated clock forward: sessions, links and file URLs age.
    pub fn advance_clock(&self, by: Duration) {
        self.0.state().timeline.advance(by);
    }

    /// Stops the simulated clock, so that only [`advance_clock`](Self::advance_clock) moves it.
    pub fn stop_clock(&self) {
        self.0.state().timeline.stop();
    }

    /// Lets the simulated clock run again.
    pub fn run_clock(&self) {
        self.0.state().timeline.run();
    }

    /// Lets every answer and callback go that a fault holds back.
    pub fn release_held(&self) {
        self.0.releases.send_modify(|count| *count = count.wrapping_add(1));
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

    /// Spoils the next callback of this kind.
    pub fn inject_callback(&self, kind: CallbackKind, fault: CallbackFault) {
        self.plan_callback(kind, fault, When::Times(1));
    }

    pub(crate) fn plan_callback(&self, kind: CallbackKind, fault: CallbackFault, when: When) {
        self.0.state().callback_faults.add(kind, fault, when);
    }

    /// Forgets every injected fault and releases what is held.
    ///
    /// A port that refuses connections stays so until [`accept_connections`](Self::accept_connections).
    pub fn clear_faults(&self) {
        let mut state = self.0.state();
        state.faults.clear();
        state.callback_faults.clear();
        drop(state);
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

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.settings_now()
    }

    /// Changes settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.state().office.settings);
    }

    /// Back to the beginning: no documents, contacts, sessions, callbacks, requests, faults or added accounts,
    /// default settings, the present time. A port that refuses connections stays so.
    pub fn reset(&self) {
        let mut state = self.0.state();
        let epoch = state.epoch.wrapping_add(1);
        *state = State { epoch, ..State::new(&self.0.base_url) };
        self.0.received.send_replace(0);
        self.0.finished.send_replace(0);
        drop(state);
        self.release_held();
    }

    /// Everything that can be read back, as JSON for the control API.
    pub(crate) fn snapshot(&self) -> Value {
        let documents = self.documents();
        let state = self.0.state();
        let office = &state.office;
        json!({
            "base_url": self.0.base_url,
            "accounts": office.accounts.accounts,
            "now": state.timeline.now().iso_micros(),
            "documents": documents,
            "folders": office.folder_paths(),
            "contacts": office.contacts,
            "smart_documents": office.templates.iter().map(|template| {
                json!({ "id": template.id, "name": template.name, "variables": template.variables })
            }).collect::<Value>(),
            "logins": office.logins,
            "live_sessions": office.accounts.live(state.timeline.now()),
            "mails": office.mails,
            "callbacks": state.callbacks,
            "requests": state.requests,
            "connections": state.connections,
            "faults": state.faults,
            "callback_faults": state.callback_faults,
            "settings": office.settings,
        })
    }
}

impl Kept for Legale {
    fn export(&self) -> Result<Value, String> {
        let state = self.0.state();
        Ok(json!({
            "office": kept::part(&state.office)?,
            "timeline": kept::part(&state.timeline)?,
            "callbacks": kept::part(&state.callbacks)?,
            "faults": kept::part(&state.faults)?,
            "callback_faults": kept::part(&state.callback_faults)?,
        }))
    }

    fn import(&self, mut state: Value) -> Result<Placing<'_>, String> {
        let mut office: Office = kept::take(&mut state, "office")?;
        office.base_url.clone_from(&self.0.base_url);
        let timeline = kept::take(&mut state, "timeline")?;
        let callbacks = kept::take(&mut state, "callbacks")?;
        let faults = kept::take(&mut state, "faults")?;
        let callback_faults = kept::take(&mut state, "callback_faults")?;
        Ok(Box::new(move || {
            self.reset();
            let mut state = self.0.state();
            (state.office, state.timeline, state.callbacks) = (office, timeline, callbacks);
            (state.faults, state.callback_faults) = (faults, callback_faults);
        }))
    }
}

impl crate::fault::Troubled for Legale {
    fn plans(&self, show: &mut dyn FnMut(&'static str, &mut dyn crate::fault::Listed)) {
        let mut state = self.0.state();
        show("faults", &mut state.faults);
        show("callback-faults", &mut state.callback_faults);
    }

    fn is_open(&self) -> bool {
        self.0.door.is_open()
    }
}
