//! What stands between the socket and one of the two services: tokens, clock, faults, log, and the lock around all.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::refusal::{Refusal, not_found};
use super::rows::{Fields, Row, Rows};
use super::{Query, Request, Wire, write};
use crate::answer::Answer;
use crate::chance;
use crate::clock::{Moment, Timeline};
use crate::error::Error;
use crate::fault::{Fault, Listed, Plan, When};
use crate::kept;
use crate::server::{Bound, Door, Running};

/// The account that both services know.
pub(crate) const ACCOUNT: &str = "acme";

/// An operation and what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target<E> {
    pub(crate) endpoint: E,
    /// 0 if the path names none.
    pub(crate) id: u64,
    /// A token or the name of a resource.
    pub(crate) name: String,
}

impl<E> Target<E> {
    pub(crate) fn plain(endpoint: E) -> Option<Self> {
        Some(Self { endpoint, id: 0, name: String::new() })
    }

    /// With the id in a segment such as `17.json`.
    pub(crate) fn with_id(endpoint: E, segment: &str, suffix: &str) -> Option<Self> {
        let digits = segment.strip_suffix(suffix)?;
        let id = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        Some(Self { endpoint, id, name: String::new() })
    }

    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }
}

/// One request as a service sees it.
#[derive(Debug)]
pub(crate) struct Call<'a, E> {
    pub(crate) target: &'a Target<E>,
    pub(crate) query: &'a Query,
    /// The JSON body; `null` if there is none.
    pub(crate) body: &'a Value,
    pub(crate) raw: &'a Bytes,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) now: Moment,
}

impl<E> Call<'_, E> {
    /// The record under its wrapper.
    pub(crate) fn fields(&self, wrapper: &'static str) -> Result<Fields, Refusal> {
        let missing = || super::refusal::invalid("wrapper", wrapper, "is missing");
        self.body.get(wrapper).and_then(Value::as_object).cloned().ok_or_else(missing)
    }
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) answer: Answer,
    pub(crate) acted: bool,
    pub(crate) ignored: Vec<String>,
}

impl Done {
    pub(crate) fn read(answer: Answer) -> Self {
        Self { answer, acted: false, ignored: Vec::new() }
    }

    pub(crate) fn wrote(answer: Answer) -> Self {
        Self { answer, acted: true, ignored: Vec::new() }
    }
}

/// Something to be posted, and by whom it was caused.
#[derive(Debug)]
pub(crate) struct Errand<L> {
    pub(crate) epoch: u64,
    pub(crate) letter: L,
}

/// One of the two services.
pub(crate) trait System: Debug + Send + Sized + Serialize + DeserializeOwned + 'static {
    type Endpoint: Copy + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    type Table: Copy + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    type Settings: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static;
    type Letter: Debug + Send + 'static;

    const ENDPOINTS: &'static [Self::Endpoint];
    const TABLES: &'static [Self::Table];

    fn new(base_url: &str) -> Self;
    fn route(method: &str, path: &str) -> Option<Target<Self::Endpoint>>;
    /// Whether it is served without a token.
    fn is_public(endpoint: Self::Endpoint) -> bool;
    fn act(&mut self, call: &Call<'_, Self::Endpoint>) -> Result<Done, Refusal>;
    fn settings(&mut self) -> &mut Self::Settings;
    fn wire(&self) -> &Wire;
    fn rows(&self, table: Self::Table) -> &Rows;
    fn add(&mut self, table: Self::Table, fields: &Fields, now: Moment) -> Result<u64, Refusal>;
    fn edit(&mut self, table: Self::Table, id: u64, fields: &Fields, now: Moment) -> Result<(), Refusal>;
    fn remove(&mut self, table: Self::Table, id: u64, now: Moment) -> Result<(), Refusal>;
    /// Takes what is to be posted.
    fn letters(&mut self) -> Vec<Self::Letter>;
    /// A state that was read back, with the indexes and the address of a fresh one.
    fn like(self, fresh: Self) -> Self;
    fn clear_faults(&mut self);
    /// Shows the plans that only this service has.
    fn plans(&mut self, show: &mut dyn FnMut(&'static str, &mut dyn Listed));
    /// What it has beyond its tables.
    fn more(&self) -> Value;
}

/// What handle, service and postman share.
#[derive(Debug)]
pub(crate) struct Desk<S: System> {
    pub(crate) base_url: String,
    pub(crate) token: String,
    door: Door,
    state: Mutex<State<S>>,
    pub(crate) releases: watch::Sender<u64>,
    received: watch::Sender<usize>,
    /// How many letters are finished since the last reset.
    pub(crate) finished: watch::Sender<usize>,
    errands: mpsc::UnboundedSender<Errand<S::Letter>>,
    in_flight: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct State<S: System> {
    pub(crate) system: S,
    pub(crate) tokens: Vec<String>,
    pub(crate) timeline: Timeline,
    pub(crate) requests: Vec<Request>,
    pub(crate) faults: Plan<S::Endpoint>,
    pub(crate) connections: usize,
    pub(crate) peak: usize,
    /// When the calls of the last minute were served.
    pub(crate) served: VecDeque<Moment>,
    /// Counts resets: what was begun before one must not write into the log after it.
    pub(crate) epoch: u64,
}

impl<S: System> State<S> {
    fn new(base_url: &str, token: &str) -> Self {
        Self {
            system: S::new(base_url),
            tokens: vec![token.to_owned()],
            timeline: Timeline::default(),
            requests: Vec::new(),
            faults: Plan::default(),
            connections: 0,
            peak: 0,
            served: VecDeque::new(),
            epoch: 0,
        }
    }
}

/// Counts a request as long as it is being served.
pub(crate) struct Serving<'a>(&'a AtomicUsize);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<S: System> Desk<S> {
    /// Serves until the guard is dropped; what the service writes comes out of the channel.
    pub(crate) fn serve(bound: Bound) -> (Arc<Self>, Running, mpsc::UnboundedReceiver<Errand<S::Letter>>) {
        let (errands, inbox) = mpsc::unbounded_channel();
        let (base_url, token) = (bound.url(), format!("{}/{ACCOUNT}", chance::hex(16)));
        let desk = Arc::new(Self {
            state: Mutex::new(State::new(&base_url, &token)),
            door: bound.door(),
            releases: watch::Sender::new(0),
            received: watch::Sender::new(0),
            finished: watch::Sender::new(0),
            in_flight: AtomicUsize::new(0),
            base_url,
            token,
            errands,
        });
        (Arc::clone(&desk), bound.serve(desk), inbox)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<S>> {
        // A panic elsewhere must not take the simulator down with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the request in; answers how many are served now.
    pub(crate) fn enter(&self) -> (Serving<'_>, usize) {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let mut state = self.state();
        state.peak = state.peak.max(now);
        (Serving(&self.in_flight), now)
    }

    pub(crate) fn log(&self, state: &mut State<S>, entry: Request) -> usize {
        tracing::debug!(path = entry.path, rule = entry.rule, fault = entry.fault, acted = entry.acted);
        state.requests.push(entry);
        self.received.send_replace(state.requests.len());
        state.requests.len().saturating_sub(1)
    }

    /// Hands what the service wrote to the postman.
    pub(crate) fn post_letters(&self, state: &mut State<S>) {
        let epoch = state.epoch;
        for letter in state.system.letters() {
            // The postman lives as long as the sandbox; after that nobody is to be told.
            let _ = self.errands.send(Errand { epoch, letter });
        }
    }

    /// Does something as a person in the web page would.
    pub(crate) fn by_hand<T>(&self, work: impl FnOnce(&mut S, Moment) -> T) -> T {
        let mut state = self.state();
        let now = state.timeline.now();
        let done = work(&mut state.system, now);
        self.post_letters(&mut state);
        done
    }

    pub(crate) fn record(&self, table: S::Table, id: u64) -> Option<Value> {
        let state = self.state();
        state.system.rows(table).get(id).map(|row| shown(row, state.system.wire()))
    }

    pub(crate) fn records(&self, table: S::Table) -> Vec<Value> {
        let state = self.state();
        state.system.rows(table).iter().map(|row| shown(row, state.system.wire())).collect()
    }

    pub(crate) fn plan(&self, endpoint: S::Endpoint, fault: Fault, when: When) {
        self.state().faults.add(endpoint, fault, when);
    }

    pub(crate) fn release_held(&self) {
        self.releases.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn clear_faults(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.system.clear_faults();
        drop(state);
        self.release_held();
    }

    pub(crate) fn export(&self) -> Result<Value, String> {
        let state = self.state();
        Ok(json!({
            "system": kept::part(&state.system)?,
            "tokens": kept::part(&state.tokens)?,
            "timeline": kept::part(&state.timeline)?,
            "faults": kept::part(&state.faults)?,
        }))
    }

    pub(crate) fn import(&self, mut state: Value) -> Result<kept::Placing<'_>, String> {
        let system: S = kept::take(&mut state, "system")?;
        let system = system.like(S::new(&self.base_url));
        let mut tokens: Vec<String> = kept::take(&mut state, "tokens")?;
        let (timeline, faults) = (kept::take(&mut state, "timeline")?, kept::take(&mut state, "faults")?);
        // Tokens differ from one sandbox to the next, and the one that this one hands out has to work.
        if !tokens.contains(&self.token) {
            tokens.push(self.token.clone());
        }
        Ok(Box::new(move || {
            self.reset();
            let mut state = self.state();
            (state.system, state.tokens, state.timeline, state.faults) = (system, tokens, timeline, faults);
        }))
    }

    pub(crate) fn plans(&self, show: &mut dyn FnMut(&'static str, &mut dyn Listed)) {
        let mut state = self.state();
        show("faults", &mut state.faults);
        state.system.plans(show);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.door.is_open()
    }

    pub(crate) async fn set_open(&self, open: bool) -> Result<(), Error> {
        self.door.set_open(open).await
    }

    pub(crate) async fn wait_for_requests(&self, count: usize) {
        // The sender is part of `self`, so the channel cannot end before this does.
        let _ = self.received.subscribe().wait_for(|received| *received >= count).await;
    }

    pub(crate) async fn wait_for_letters(&self, count: usize) {
        let _ = self.finished.subscribe().wait_for(|finished| *finished >= count).await;
    }

    pub(crate) fn reset(&self) {
        let mut state = self.state();
        let epoch = state.epoch.wrapping_add(1);
        *state = State { epoch, ..State::new(&self.base_url, &self.token) };
        self.received.send_replace(0);
        self.finished.send_replace(0);
        drop(state);
        self.release_held();
    }

    /// Everything that can be read back.
    pub(crate) fn snapshot(&self) -> Value {
        let tables: serde_json::Map<String, Value> =
            S::TABLES.iter().map(|table| (name_of(table), json!(self.records(*table)))).collect();
        let mut state = self.state();
        let created: serde_json::Map<String, Value> = S::TABLES
            .iter()
            .map(|table| (name_of(table), json!(state.system.rows(*table).created())))
            .collect();
        json!({
            "base_url": self.base_url,
            "account": ACCOUNT,
            "now": state.timeline.now().iso_micros(),
            "records": tables,
            "created": created,
            "more": state.system.more(),
            "requests": state.requests,
            "connections": state.connections,
            "peak_in_flight": state.peak,
            "faults": state.faults,
            "settings": state.system.settings(),
        })
    }

    pub(crate) fn advance_clock(&self, by: Duration) {
        self.state().timeline.advance(by);
    }
}

/// The name of a unit variant in JSON.
pub(crate) fn name_of(variant: &impl Serialize) -> String {
    json!(variant).as_str().unwrap_or_default().to_owned()
}

fn shown(row: &Row, wire: &Wire) -> Value {
    let plain = Wire { scalars_as_text: false, omits_nulls: false, ..wire.clone() };
    serde_json::from_str(&write::record(row, &[], &[], &plain)).unwrap_or_default()
}

/// What a service without webhooks posts.
#[derive(Debug)]
pub(crate) enum Nothing {}

/// Splits what was sent into what can be written and the names of the rest.
pub(crate) fn sift(given: &Fields, writable: impl Fn(&str) -> bool, wire: &Wire) -> (Fields, Vec<String>) {
    let mut kept = given.clone();
    let ignored: Vec<String> = given.keys().filter(|name| !writable(name)).cloned().collect();
    if wire.unknown_fields == super::UnknownFields::Dropped {
        kept.retain(|name, _| writable(name));
    }
    for own in ["id", "created_at", "updated_at"] {
        kept.remove(own);
    }
    (kept, ignored)
}

/// Overwrites what is given; null takes the value away.
pub(crate) fn overwrite(fields: &mut Fields, given: Fields) {
    for (name, value) in given {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
}

/// The record, or 404.
pub(crate) fn found(rows: &Rows, id: u64) -> Result<&Row, Refusal> {
    rows.get(id).ok_or_else(not_found)
}
