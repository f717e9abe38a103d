//! The frame that the two simulators of case files share: one request from socket to answer, faults, twists, the log.
//!
//! The rule: everything that was read is kept and can be searched, credentials excepted, so that a test can prove
//! that a value was never sent.

mod record;
mod twist;

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE};
use http::request::Parts;
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::answer::{self, Answer, Outcome, spoil};
use crate::clock::{self, Moment, Timeline};
use crate::fault::{Ending, Fault, Plan};
use crate::kept;
use crate::server::{self, Door, Handler};
use crate::tape::{self, Tapped};

pub use record::Recorded;
pub(crate) use record::inside;
pub use twist::Twist;

/// What a simulated service does with a request that reached it.
pub(crate) trait Office: Send + Debug + Serialize + DeserializeOwned + 'static {
    /// An operation, which faults are planned for.
    type Spot: Copy + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The operation of a request.
    fn route(&self, method: &str, path: &str) -> Option<Self::Spot>;

    /// Does what is asked, and tells whether it did.
    fn act(&mut self, call: &Call<'_, Self::Spot>) -> Acted;

    /// The credential of this request ends; `false` if there are no sessions that could.
    fn revoke(&mut self, authorization: Option<&str>) -> bool;

    /// The service's own "not authorised".
    fn unauthorized(&self) -> Answer;

    /// The service's own "not found", for what is no operation.
    fn unknown(&self) -> Answer;

    /// The service's own "too large".
    fn too_large(&self, spot: Self::Spot) -> Answer;

    /// Largest body that an operation reads.
    fn body_limit(&self, spot: Self::Spot) -> usize;

    /// Seconds that the `Date` header is ahead of the simulator's clock.
    fn date_offset(&self) -> i64;

    /// Whether body and query of this operation hold a credential.
    fn is_secret(&self, spot: Self::Spot) -> bool;
}

/// A request as an [`Office`] sees it.
#[derive(Debug)]
pub(crate) struct Call<'a, S> {
    pub(crate) spot: S,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
    pub(crate) now: Moment,
}

impl<S> Call<'_, S> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An answer, and whether the service did what was asked.
#[derive(Debug)]
pub(crate) struct Acted {
    pub(crate) answer: Answer,
    pub(crate) acted: bool,
}

/// What a handle and its service share.
#[derive(Debug)]
pub(crate) struct Stage<O: Office> {
    pub(crate) base_url: String,
    pub(crate) door: Door,
    state: Mutex<State<O>>,
    /// Counts releases of what is held.
    releases: watch::Sender<u64>,
    /// How many requests have been acted upon since the last reset.
    received: watch::Sender<usize>,
}

#[derive(Debug)]
pub(crate) struct State<O: Office> {
    pub(crate) office: O,
    pub(crate) timeline: Timeline,
    pub(crate) requests: Vec<Recorded>,
    pub(crate) faults: Plan<O::Spot>,
    pub(crate) twists: Plan<O::Spot, Twist>,
    /// Connections accepted, reset ones included.
    pub(crate) connections: usize,
    /// Counts resets: a request that was read before one must not write into the log after it.
    epoch: u64,
}

impl<O: Office> State<O> {
    fn new(office: O) -> Self {
        Self {
            office,
            timeline: Timeline::default(),
            requests: Vec::new(),
            faults: Plan::default(),
            twists: Plan::default(),
            connections: 0,
            epoch: 0,
        }
    }
}

/// Where the log entry of a request is.
#[derive(Debug, Clone, Copy)]
struct Place {
    epoch: u64,
    index: usize,
}

/// An operation with what is to go wrong with it.
#[derive(Debug)]
struct Struck<S> {
    spot: S,
    fault: Option<Fault>,
    twist: Option<Twist>,
}

/// Why a body was not read.
enum Unread {
    TooLarge,
    /// The client went away or broke the framing: there is nobody to answer.
    Gone,
}

impl<O: Office> Handler for Stage<O> {
    fn resets_connection(&self) -> bool {
        let mut state = self.state();
        state.connections += 1;
        state.faults.resets_connection()
    }

    async fn handle(self: Arc<Self>, request: server::Request) -> Outcome {
        let (head, body) = request.into_parts();
        let Some(struck) = self.route(&head) else {
            let unknown = self.state().office.unknown();
            return self.turn_away(&head, None, Outcome::Answer(unknown));
        };
        tape::struck(&head, struck.fault.as_ref().map(Fault::name), struck.twist.as_ref().map(Twist::name));
        if struck.fault == Some(Fault::ResetBeforeBody) {
            return self.turn_away(&head, Some(&struck), Outcome::reset());
        }
        match self.read(body, &struck).await {
            Ok(body) if struck.twist == Some(Twist::HoldBeforeActing) => {
                self.outlive(head, body, struck).await
            }
            Ok(body) => self.serve(&head, &body, struck).await,
            Err(Unread::Gone) => self.turn_away(&head, Some(&struck), Outcome::reset()),
            Err(Unread::TooLarge) => {
                let refusal = self.state().office.too_large(struck.spot);
                self.turn_away(&head, Some(&struck), Outcome::Answer(refusal))
            }
        }
    }
}

impl<O: Office> Stage<O> {
    pub(crate) fn new(base_url: String, door: Door, office: O) -> Self {
        Self {
            base_url,
            door,
            state: Mutex::new(State::new(office)),
            releases: watch::Sender::new(0),
            received: watch::Sender::new(0),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<O>> {
        // A panic elsewhere must not take the simulator down with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another office in the place of this one, and forgets everything that happened.
    pub(crate) fn reset(&self, office: O) {
        let mut state = self.state();
        let epoch = state.epoch.wrapping_add(1);
        *state = State { epoch, ..State::new(office) };
        self.received.send_replace(0);
        drop(state);
        self.release_held();
    }

    pub(crate) fn export(&self) -> Result<Value, String> {
        let state = self.state();
        Ok(json!({
            "office": kept::part(&state.office)?,
            "timeline": kept::part(&state.timeline)?,
            "faults": kept::part(&state.faults)?,
            "twists": kept::part(&state.twists)?,
        }))
    }

    pub(crate) fn import(&self, mut state: Value) -> Result<kept::Placing<'_>, String> {
        let (office, timeline) = (kept::take(&mut state, "office")?, kept::take(&mut state, "timeline")?);
        let (faults, twists) = (kept::take(&mut state, "faults")?, kept::take(&mut state, "twists")?);
        Ok(Box::new(move || {
            self.reset(office);
            let mut state = self.state();
            (state.timeline, state.faults, state.twists) = (timeline, faults, twists);
        }))
    }

    pub(crate) fn release_held(&self) {
        self.releases.send_modify(|count| *count += 1);
    }

    pub(crate) async fn wait_for_requests(&self, count: usize) {
        // The sender is part of `self`, so the channel cannot end before this does.
        let _ = self.received.subscribe().wait_for(|received| *received >= count).await;
    }

    /// The operation, and what is to go wrong with it.
    fn route(&self, head: &Parts) -> Option<Struck<O::Spot>> {
        let mut state = self.state();
        let spot = state.office.route(head.method.as_str(), head.uri.path())?;
        let (fault, twist) = (state.faults.take(&spot), state.twists.next(&spot));
        Some(Struck { spot, fault, twist })
    }

    /// Reads the body, slowly if that is the twist.
    async fn read(&self, mut body: Tapped, struck: &Struck<O::Spot>) -> Result<Bytes, Unread> {
        let limit = self.state().office.body_limit(struck.spot);
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Gone)?.into_data() else { continue };
            if read.len().saturating_add(data.len()) > limit {
                return Err(Unread::TooLarge);
            }
            read.extend_from_slice(&data);
            if let Some(Twist::SlowUpload { delay }) = struck.twist {
                clock::sleep(delay).await;
            }
        }
        Ok(read.freeze())
    }

    async fn serve(&self, head: &Parts, body: &Bytes, struck: Struck<O::Spot>) -> Outcome {
        // Subscribed before the request is logged: a test that saw it there may release it at once.
        let mut releases = self.releases.subscribe();
        if struck.twist == Some(Twist::HoldBeforeActing) {
            self.received.send_modify(|received| *received += 1);
            releases.changed().await.unwrap_or_default();
        }
        let (place, honest) = self.act_and_log(head, body, &struck);
        let ending = match struck.fault {
            // The refusal that follows is the service's own.
            None | Some(Fault::RevokeCredential) => Ending::Honest,
            Some(fault) => fault.ending(),
        };
        match &ending {
            Ending::Late(delay) => clock::sleep(*delay).await,
            // The sender is part of `self`, which outlives this call.
            Ending::Held => releases.changed().await.unwrap_or_default(),
            _ => {}
        }
        let stalls = struck.twist == Some(Twist::Stall) && ending == Ending::Honest;
        let outcome = if stalls { answer::stalled_head(&honest) } else { spoil(ending, honest) };
        self.set_status(place, outcome.status());
        outcome
    }

    /// Serves even if the client goes away meanwhile: a request that the network held arrives all the same.
    async fn outlive(self: Arc<Self>, head: Parts, body: Bytes, struck: Struck<O::Spot>) -> Outcome {
        let serving = tokio::spawn(async move { self.serve(&head, &body, struck).await });
        serving.await.unwrap_or_else(|_| Outcome::reset())
    }

    /// Acts (unless a fault forbids it) and logs under one lock, so that no reader sees one without the other.
    fn act_and_log(&self, head: &Parts, body: &Bytes, struck: &Struck<O::Spot>) -> (Place, Answer) {
        let mut state = self.state();
        let now = state.timeline.now();
        let call = Call {
            spot: struck.spot,
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or(""),
            headers: &head.headers,
            body,
            now,
        };
        let Acted { answer, acted } = acted(&mut state.office, &call, struck);
        let mut entry = entry(&state, head, body, Some(struck));
        entry.acted = acted;
        let place = self.push(&mut state, entry);
        let twisted = struck.twist.as_ref().map_or_else(|| answer.clone(), |twist| twist.turn(&answer));
        let date = now.shifted(state.office.date_offset()).http_date();
        (place, twisted.with_header(DATE, date))
    }

    /// Logs a request that no operation saw.
    fn turn_away(&self, head: &Parts, struck: Option<&Struck<O::Spot>>, outcome: Outcome) -> Outcome {
        let mut state = self.state();
        let mut entry = entry(&state, head, &Bytes::new(), struck);
        entry.status = outcome.status();
        self.push(&mut state, entry);
        outcome
    }

    fn push(&self, state: &mut State<O>, entry: Recorded) -> Place {
        tracing::debug!(path = entry.path, fault = entry.fault, twist = entry.twist, acted = entry.acted);
        let held = entry.twist.as_deref() == Some("hold_before_acting");
        state.requests.push(entry);
        if !held {
            self.received.send_modify(|received| *received += 1);
        }
        Place { epoch: state.epoch, index: state.requests.len().saturating_sub(1) }
    }

    fn set_status(&self, place: Place, status: Option<u16>) {
        let mut state = self.state();
        if state.epoch == place.epoch
            && let Some(entry) = state.requests.get_mut(place.index)
        {
            entry.status = status;
        }
    }
}

/// What becomes of a request: nothing, once, or twice as a network that repeats has it.
fn acted<O: Office>(office: &mut O, call: &Call<'_, O::Spot>, struck: &Struck<O::Spot>) -> Acted {
    let revoked = struck.fault == Some(Fault::RevokeCredential);
    if revoked {
        let authorization = call.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if !office.revoke(authorization) {
            return Acted { answer: office.unauthorized(), acted: false };
        }
    }
    let spoilt = struck.fault.as_ref().is_some_and(|fault| !revoked && !fault.acts());
    if spoilt || struck.twist.as_ref().is_some_and(Twist::forbids) {
        return Acted { answer: Answer::text(200, ""), acted: false };
    }
    let first = office.act(call);
    if struck.twist == Some(Twist::ActTwice) { office.act(call) } else { first }
}

fn entry<O: Office>(
    state: &State<O>,
    head: &Parts,
    body: &Bytes,
    struck: Option<&Struck<O::Spot>>,
) -> Recorded {
    let secret = struck.is_some_and(|struck| state.office.is_secret(struck.spot));
    let spot = struck.and_then(|struck| serde_json::to_value(struck.spot).ok());
    Recorded {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        // A password has no place in a log that a page shows.
        query: if secret { "…".to_owned() } else { head.uri.query().unwrap_or("").to_owned() },
        spot: spot.and_then(|spot| spot.as_str().map(str::to_owned)),
        headers: if secret { Vec::new() } else { record::open_headers(&head.headers) },
        body: if secret { Bytes::new() } else { body.clone() },
        status: None,
        fault: struck.and_then(|struck| Some(struck.fault.as_ref()?.name().to_owned())),
        twist: struck.and_then(|struck| Some(struck.twist.as_ref()?.name().to_owned())),
        acted: false,
        at: state.timeline.now().epoch(),
    }
}

/// The methods that both handles have.
macro_rules! staged {
    ($name:ident, $spot:ty) => {
        impl $crate::kept::Kept for $name {
            fn export(&self) -> Result<serde_json::Value, String> {
                self.0.export()
            }

            fn import(&self, state: serde_json::Value) -> Result<$crate::kept::Placing<'_>, String> {
                self.0.import(state)
            }
        }

        impl $crate::fault::Troubled for $name {
            fn plans(&self, show: &mut dyn FnMut(&'static str, &mut dyn $crate::fault::Listed)) {
                let mut state = self.0.state();
                show("faults", &mut state.faults);
                show("twists", &mut state.twists);
            }

            fn is_open(&self) -> bool {
                self.0.door.is_open()
            }
        }

        impl $name {
            /// Every request that was read, in the order in which it was acted upon, without credentials.
            #[must_use]
            pub fn requests(&self) -> Vec<$crate::stage::Recorded> {
                self.0.state().requests.clone()
            }

            /// Whether a text is anywhere in what was sent here: paths, queries, headers but credentials, bodies.
            ///
            /// Texts are looked for as they are, percent-decoded, and inside JSON whatever its escapes.
            #[must_use]
            pub fn recorded_contains(&self, text: &str) -> bool {
                self.0.state().requests.iter().any(|request| request.contains(text))
            }

            /// Forgets the requests that were read; everything else stays.
            pub fn forget_requests(&self) {
                self.0.state().requests.clear();
            }

            /// How many connections were accepted, those reset at once included.
            #[must_use]
            pub fn connections(&self) -> usize {
                self.0.state().connections
            }

            /// Waits until this many requests have been read since the last reset, and acted upon unless
            /// [`Twist::HoldBeforeActing`]($crate::stage::Twist::HoldBeforeActing) holds them.
            pub async fn wait_for_requests(&self, count: usize) {
                self.0.wait_for_requests(count).await;
            }

            /// Lets every request and answer go that is held back.
            pub fn release_held(&self) {
                self.0.release_held();
            }

            /// Plays a fault once.
            pub fn inject(&self, at: $spot, fault: $crate::Fault) {
                self.inject_times(at, fault, 1);
            }

            /// Plays a fault for the next `times` requests.
            pub fn inject_times(&self, at: $spot, fault: $crate::Fault, times: u32) {
                self.plan(at, fault, $crate::fault::When::Times(times));
            }

            /// Plays a fault until [`clear_faults`](Self::clear_faults).
            pub fn inject_always(&self, at: $spot, fault: $crate::Fault) {
                self.plan(at, fault, $crate::fault::When::Always);
            }

            /// Plays a fault with this probability (0 to 1); the same seed gives the same run of hits.
            pub fn inject_random(&self, at: $spot, fault: $crate::Fault, probability: f64, seed: u64) {
                self.plan(at, fault, $crate::fault::When::Random { probability, seed });
            }

            pub(crate) fn plan(&self, at: $spot, fault: $crate::Fault, when: $crate::fault::When) {
                self.0.state().faults.add(at, fault, when);
            }

            /// Twists what happens to the next request.
            pub fn twist(&self, at: $spot, twist: $crate::stage::Twist) {
                self.twist_times(at, twist, 1);
            }

            /// Twists what happens to the next `times` requests.
            pub fn twist_times(&self, at: $spot, twist: $crate::stage::Twist, times: u32) {
                self.plan_twist(at, twist, $crate::fault::When::Times(times));
            }

            /// Twists what happens until [`clear_faults`](Self::clear_faults).
            pub fn twist_always(&self, at: $spot, twist: $crate::stage::Twist) {
                self.plan_twist(at, twist, $crate::fault::When::Always);
            }

            /// Twists with this probability (0 to 1); the same seed gives the same run of hits.
            pub fn twist_random(&self, at: $spot, twist: $crate::stage::Twist, probability: f64, seed: u64) {
                self.plan_twist(at, twist, $crate::fault::When::Random { probability, seed });
            }

            pub(crate) fn plan_twist(
                &self,
                at: $spot,
                twist: $crate::stage::Twist,
                when: $crate::fault::When,
            ) {
                self.0.state().twists.add(at, twist, when);
            }

            /// Forgets every fault and twist, and releases what is held.
            ///
            /// A port that refuses connections stays so until [`accept_connections`](Self::accept_connections).
            pub fn clear_faults(&self) {
                let mut state = self.0.state();
                state.faults.clear();
                state.twists.clear();
                drop(state);
                self.release_held();
            }

            /// Has new connections refused and ends idle ones. Returns once it is so.
            ///
            /// # Errors
            ///
            /// [`Error::Stopped`]($crate::Error::Stopped) if the sandbox is gone,
            /// [`Error::Socket`]($crate::Error::Socket) if the system does not give the port back.
            pub async fn refuse_connections(&self) -> Result<(), $crate::Error> {
                self.0.door.set_open(false).await
            }

            /// Lets connections in again, on the same port. Returns once it is so.
            ///
            /// # Errors
            ///
            /// As [`refuse_connections`](Self::refuse_connections).
            pub async fn accept_connections(&self) -> Result<(), $crate::Error> {
                self.0.door.set_open(true).await
            }

            /// The simulator's time, seconds since the epoch.
            #[must_use]
            pub fn now(&self) -> i64 {
                self.0.state().timeline.now().epoch()
            }

            /// Stops the clock at this many seconds since the epoch, before or after where it was.
            pub fn set_clock(&self, seconds: i64) {
                self.0.state().timeline.set($crate::clock::Moment::at(seconds));
            }

            /// Puts the clock forward, whether it runs or is stopped.
            pub fn advance_clock(&self, by: std::time::Duration) {
                self.0.state().timeline.advance(by);
            }

            /// Stops the clock.
            pub fn stop_clock(&self) {
                self.0.state().timeline.stop();
            }

            /// Lets the clock run again, from the real time and what it was put forward by.
            pub fn run_clock(&self) {
                self.0.state().timeline.run();
            }
        }
    };
}

pub(crate) use staged;
