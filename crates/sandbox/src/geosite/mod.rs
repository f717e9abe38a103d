//! GeoSite Telecom, the FTTH map: its simulator, and the handle through which a test drives it.
//!
//! A generated network of any size stands behind the routes of the contract's section 3: elements with the
//! columns of section 3.9 (or those of the installation that a test sets up), filters, keyset and offset pages,
//! feasibility by distance, and the write-back of customers. Where the contract knows several shapes or assumes
//! one, [`Settings`] chooses. The clock can be stopped, set and put forward.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use integration_sandbox::geosite::{Change, Drift, Edge, Endpoint, Feature, Network, Twist};
//! use integration_sandbox::{Fault, Sandbox};
//! use serde_json::json;
//!
//! let sandbox = Sandbox::start().await?;
//! let geosite = sandbox.geosite();
//! println!("GEOSITE_BASE_URL={}", geosite.base_url());
//! println!("GEOSITE_USERNAME={} GEOSITE_PASSWORD={}", geosite.username(), geosite.password());
//!
//! geosite.generate(Network::new(2_000).seed(7));
//! let fid = geosite.insert(Feature::Cto, json!({ "nome": "CTO da praça", "latitude": -22.7 }))?;
//! geosite.edit(Feature::Cto, fid, json!({ "nome": "CTO da igreja" }))?;
//!
//! // The second page of terminal boxes meets an expired token, and then a row goes from under the reader.
//! geosite.inject((Endpoint::List, Feature::Cto), Fault::RevokeCredential);
//! geosite.drift(Drift::new(Feature::Cto, 1, Change::Delete(Edge::Front)));
//! geosite.twist(Endpoint::Get, Twist::WrongFid);
//! // … run the program under test, then compare its register with the plant:
//! assert_eq!(geosite.inventory()[2].count, geosite.fids(Feature::Cto).len());
//! # Ok(()) }
//! ```
//!
//! The control API does the same over HTTP, below `/_sandbox/geosite/`.

mod auth;
mod cell;
mod drawing;
mod drift;
mod feasibility;
mod feature;
mod filter;
mod names;
mod network;
mod office;
mod plant;
mod query;
mod records;
mod route;
mod save;
mod schema;
mod service;
mod settings;
mod shelf;
mod times;
mod twist;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{Context, SHA256};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::blob;
use crate::clock::{Moment, Timeline};
use crate::error::Error;
use crate::fault::{Fault, Plan, When};
use crate::kept::{self, Kept, Placing};
use crate::server::{Bound, Door, Running};

pub use auth::{Login, LoginKind};
pub(crate) use drawing::{Drawing, Drawn, Ports};
pub use drift::{Change, Drift, Edge};
pub use feature::Feature;
pub use network::Network;
pub use plant::Refused;
pub(crate) use records::Customer;
pub use records::{Churned, Inventory, Request, Save};
pub(crate) use route::parameters;
pub use schema::{Column, Source};
pub use settings::{
    Absent, BoxesShape, DescShape, Endpoint, FacilitiesShape, NotFound, Numbers, PortFigures, RecordShape,
    Settings, Spot, Success, UnknownAddress, UnknownSpot,
};
pub use twist::Twist;

use names::Dice;
use office::{Office, seconds};
use plant::Plant;

const USERNAME: &str = "hubsoft";
const PASSWORD: &str = "senha-do-sandbox";
/// How many elements there are from the start.
const FIRST_ELEMENTS: usize = 500;

/// Handle of the simulated GeoSite; clones drive the same one.
///
/// It works as long as the [`Sandbox`](crate::Sandbox) it came from is alive.
#[derive(Debug, Clone)]
pub struct GeoSite(Arc<Shared>);

/// What the handle and the service share.
#[derive(Debug)]
struct Shared {
    base_url: String,
    door: Door,
    state: Mutex<State>,
    /// Counts releases of held answers.
    releases: watch::Sender<u64>,
    /// How many requests have been read since the last reset.
    received: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    office: Office,
    timeline: Timeline,
    requests: Vec<Request>,
    faults: Plan<Spot>,
    twists: Plan<Spot, Twist>,
    /// Connections accepted, reset ones included.
    connections: usize,
    /// Counts resets: a request that was read before one must not write into the log after it.
    epoch: u64,
}

impl State {
    fn new() -> Self {
        let mut desk = auth::Desk::default();
        desk.add_account(USERNAME, PASSWORD);
        let office = Office {
            plant: Plant::new(Network::new(FIRST_ELEMENTS)),
            desk,
            settings: Settings::default(),
            drifts: drift::Drifts::default(),
            addresses: BTreeMap::new(),
            saves: Vec::new(),
        };
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

    fn now(&self) -> u32 {
        seconds(self.timeline.now())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the simulator down with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GeoSite {
    /// Serves GeoSite on a bound port until the guard is dropped.
    pub(crate) fn serve(bound: Bound) -> (Self, Running) {
        let shared = Arc::new(Shared {
            base_url: format!("{}{}", bound.url(), route::ROOT),
            door: bound.door(),
            state: Mutex::new(State::new()),
            releases: watch::Sender::new(0),
            received: watch::Sender::new(0),
        });
        (Self(Arc::clone(&shared)), bound.serve(shared))
    }

    /// `api_url`, such as `http://127.0.0.1:7805/geosite-telecom-api`, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// User name of the account that is there from the start.
    #[must_use]
    pub fn username(&self) -> &str {
        USERNAME
    }

    /// Password of the account that is there from the start.
    #[must_use]
    pub fn password(&self) -> &str {
        PASSWORD
    }

    /// Adds an account, or changes the password of one.
    pub fn add_account(&self, username: &str, password: &str) {
        self.0.state().office.desk.add_account(username, password);
    }

    /// Every token ends now; refresh tokens stay good.
    pub fn revoke_tokens(&self) {
        self.0.state().office.desk.revoke_tokens();
    }

    /// Every refresh token ends now.
    pub fn revoke_refresh_tokens(&self) {
        self.0.state().office.desk.revoke_refresh_tokens();
    }

    /// Puts a generated network in the place of everything mapped, columns as section 3.9 has them. A million
    /// elements take about a second in an optimised build.
    pub fn generate(&self, network: Network) {
        let plant = Plant::new(network);
        self.0.state().office.plant = plant;
    }

    /// Adds an element with these values, an object by column name, and returns its `fid`. Values that are not
    /// given are made up, except places, parents and ports. `fid` may be given; the others count up.
    ///
    /// Values that a column cannot mean (text where a number is expected) are kept and sent as they are.
    ///
    /// # Errors
    ///
    /// [`Refused`] for an unknown column or a `fid` that is taken.
    pub fn insert(&self, feature: Feature, values: Value) -> Result<u32, Refused> {
        let mut state = self.0.state();
        let (now, times) = (state.now(), state.office.times());
        state.office.plant.insert(feature, object(values), now, &times)
    }

    /// Changes values of an element, and its change column to the present moment unless that is one of them.
    ///
    /// # Errors
    ///
    /// [`Refused`] if there is no such element or column.
    pub fn edit(&self, feature: Feature, fid: u32, values: Value) -> Result<(), Refused> {
        let mut state = self.0.state();
        let (now, times) = (state.now(), state.office.times());
        state.office.plant.edit(feature, fid, object(values), Some(now), &times)
    }

    /// Changes values of an element and leaves its change column alone, which no incremental read can see.
    ///
    /// # Errors
    ///
    /// As [`edit`](Self::edit).
    pub fn edit_quietly(&self, feature: Feature, fid: u32, values: Value) -> Result<(), Refused> {
        let mut state = self.0.state();
        let times = state.office.times();
        state.office.plant.edit(feature, fid, object(values), None, &times)
    }

    /// Takes an element away; its children stay. Tells whether there was one.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn delete(&self, feature: Feature, fid: u32) -> bool {
        self.0.state().office.plant.delete(feature, fid)
    }

    /// Inserts or deletes at the end, in the order of `fid`, until there are this many.
    pub fn set_count(&self, feature: Feature, count: usize) {
        let fids = self.fids(feature);
        fids.iter().skip(count).for_each(|fid| {
            self.delete(feature, *fid);
        });
        for _ in fids.len()..count {
            // Without values there is nothing to refuse.
            let _ = self.insert(feature, json!({}));
        }
    }

    /// Seeded changes of one feature: so many insertions, then edits of other elements, then deletions of others
    /// again. Fewer if there are not enough.
    #[expect(clippy::must_use_candidate, reason = "the effect may be all that is wanted")]
    pub fn churn(
        &self,
        feature: Feature,
        seed: u64,
        inserts: usize,
        edits: usize,
        deletes: usize,
    ) -> Churned {
        let mut fids = self.fids(feature);
        let mut dice = Dice::new(seed);
        let mut draw = || {
            let place = dice.below(u32::try_from(fids.len()).unwrap_or(u32::MAX)) as usize;
            (place < fids.len()).then(|| fids.swap_remove(place))
        };
        let edited: Vec<u32> = (0..edits).filter_map(|_| draw()).collect();
        let deleted: Vec<u32> = (0..deletes).filter_map(|_| draw()).collect();
        let renamed =
            |fid: &&u32| self.edit(feature, **fid, json!({ "nome": format!("Renomeado {seed}") })).is_ok();
        Churned {
            inserted: (0..inserts).filter_map(|_| self.insert(feature, json!({})).ok()).collect(),
            edited: edited.iter().filter(renamed).copied().collect(),
            deleted: deleted.into_iter().filter(|fid| self.delete(feature, *fid)).collect(),
        }
    }

    /// Every `fid` of a feature in ascending order.
    #[must_use]
    pub fn fids(&self, feature: Feature) -> Vec<u32> {
        self.0.state().office.plant.table(feature).rows.iter().map(|row| row.fid).collect()
    }

    /// How many elements a feature has.
    #[must_use]
    pub fn count(&self, feature: Feature) -> usize {
        self.0.state().office.plant.table(feature).rows.len()
    }

    /// Every value of an element by column name, as F2 would answer it.
    #[must_use]
    pub fn element(&self, feature: Feature, fid: u32) -> Option<Value> {
        self.0.state().office.element(feature, fid)
    }

    /// Counts and digests of all ten features, in the contract's order.
    #[must_use]
    pub fn inventory(&self) -> Vec<Inventory> {
        let state = self.0.state();
        Feature::ALL.into_iter().map(|feature| inventory(&state.office.plant, feature)).collect()
    }

    /// Gives a column another name; values stay. Tells whether there was one.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn rename_column(&self, feature: Feature, name: &str, to: &str) -> bool {
        self.0.state().office.plant.schema_mut(feature).rename(name, to)
    }

    /// Takes a column away. Tells whether there was one.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn drop_column(&self, feature: Feature, name: &str) -> bool {
        self.0.state().office.plant.schema_mut(feature).drop(name)
    }

    /// Adds a column; one of a name that is there already is allowed, as some installations have it.
    pub fn add_column(&self, feature: Feature, column: Column) {
        self.0.state().office.plant.schema_mut(feature).add(column);
    }

    /// Names of a feature's columns, in order.
    #[must_use]
    pub fn columns(&self, feature: Feature) -> Vec<String> {
        let state = self.0.state();
        state.office.plant.table(feature).schema.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Where V1 and V2 find an address: a free text, compared without case, or a CEP, by its digits.
    pub fn set_address(&self, text: &str, latitude: f64, longitude: f64) {
        self.0.state().office.addresses.insert(office::address_key(text), (latitude, longitude));
    }

    /// Plays changes between pages.
    pub fn drift(&self, drift: Drift) {
        self.0.state().office.drifts.add(drift);
    }

    /// Every write that was accepted, in order.
    #[must_use]
    pub fn saves(&self) -> Vec<Save> {
        self.0.state().office.saves.clone()
    }

    /// Every attempt to get a token.
    #[must_use]
    pub fn logins(&self) -> Vec<Login> {
        self.0.state().office.desk.logins.clone()
    }

    /// Every request that was read, in order. Connections reset on accept carry none.
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

    /// Lets every answer go that [`Fault::ActThenHold`] holds back.
    pub fn release_held(&self) {
        self.0.releases.send_modify(|count| *count += 1);
    }

    /// Plays a fault once, at an [`Endpoint`] or at `(Endpoint, Feature)`.
    pub fn inject(&self, spot: impl Into<Spot>, fault: Fault) {
        self.inject_times(spot, fault, 1);
    }

    /// Plays a fault for the next `times` requests.
    pub fn inject_times(&self, spot: impl Into<Spot>, fault: Fault, times: u32) {
        self.plan(spot.into(), fault, When::Times(times));
    }

    /// Plays a fault until [`clear_faults`](Self::clear_faults).
    pub fn inject_always(&self, spot: impl Into<Spot>, fault: Fault) {
        self.plan(spot.into(), fault, When::Always);
    }

    /// Plays a fault with this probability (0 to 1); the same seed gives the same run of hits.
    pub fn inject_random(&self, spot: impl Into<Spot>, fault: Fault, probability: f64, seed: u64) {
        self.plan(spot.into(), fault, When::Random { probability, seed });
    }

    pub(crate) fn plan(&self, spot: Spot, fault: Fault, when: When) {
        self.0.state().faults.add(spot, fault, when);
    }

    /// Twists the answer of the next request.
    pub fn twist(&self, spot: impl Into<Spot>, twist: Twist) {
        self.twist_times(spot, twist, 1);
    }

    /// Twists the answers of the next `times` requests.
    pub fn twist_times(&self, spot: impl Into<Spot>, twist: Twist, times: u32) {
        self.plan_twist(spot.into(), twist, When::Times(times));
    }

    /// Twists answers until [`clear_faults`](Self::clear_faults).
    pub fn twist_always(&self, spot: impl Into<Spot>, twist: Twist) {
        self.plan_twist(spot.into(), twist, When::Always);
    }

    pub(crate) fn plan_twist(&self, spot: Spot, twist: Twist, when: When) {
        self.0.state().twists.add(spot, twist, when);
    }

    /// Forgets every fault, twist and drift, and releases held answers.
    ///
    /// A port that refuses connections stays so until [`accept_connections`](Self::accept_connections).
    pub fn clear_faults(&self) {
        let mut state = self.0.state();
        state.faults.clear();
        state.twists.clear();
        state.office.drifts.clear();
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

    /// The simulator's time, seconds since the epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.0.state().timeline.now().epoch()
    }

    /// Stops the clock at this many seconds since the epoch, before or after where it was.
    pub fn set_clock(&self, seconds: i64) {
        self.0.state().timeline.set(Moment::at(seconds));
    }

    /// Puts the clock forward, whether it runs or is stopped.
    pub fn advance_clock(&self, by: Duration) {
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

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.state().office.settings.clone()
    }

    /// Changes settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.state().office.settings);
    }

    /// Back to the beginning: the first network, default settings and columns, a running clock, and no requests,
    /// saves, logins, tokens, faults or addresses. A port that refuses connections stays so.
    pub fn reset(&self) {
        let fresh = State::new();
        let mut state = self.0.state();
        let epoch = state.epoch.wrapping_add(1);
        *state = State { epoch, ..fresh };
        self.0.received.send_replace(0);
        drop(state);
        self.release_held();
    }

    /// Customers from the n-th on, in the order of their `fid`, for whoever else keeps them.
    pub(crate) fn customers(&self, first: usize, count: usize) -> Vec<Customer> {
        let state = self.0.state();
        let rows = state.office.plant.table(Feature::Cliente).rows.from(first).take(count);
        rows.map(|row| state.office.plant.customer(row)).collect()
    }

    /// What a map shows, as much of it as this many boxes and all that hangs on them.
    pub(crate) fn drawing(&self, boxes: usize) -> Drawing {
        self.0.state().office.plant.drawing(boxes)
    }

    /// The feature of an element.
    pub(crate) fn feature_of(&self, fid: u32) -> Option<Feature> {
        self.0.state().office.plant.find(fid).map(|(feature, _)| feature)
    }

    /// Number, code and name of every terminal box.
    pub(crate) fn terminals(&self) -> Vec<(u32, String, String)> {
        let state = self.0.state();
        let plant = &state.office.plant;
        let text = |row, source| plant.text(Feature::Cto, row, source);
        let rows = plant.table(Feature::Cto).rows.iter();
        rows.map(|row| (row.fid, text(row, Source::Code), text(row, Source::Name))).collect()
    }

    /// A time as this installation writes it by default.
    pub(crate) fn local_time(&self, seconds: u32) -> String {
        times::Times::new(&Settings::default()).text(seconds)
    }

    /// Everything that can be read back in short, as JSON for the control API.
    pub(crate) fn snapshot(&self) -> Value {
        let inventory = self.inventory();
        let state = self.0.state();
        let office = &state.office;
        json!({
            "base_url": self.0.base_url,
            "username": USERNAME,
            "password": PASSWORD,
            "now": state.timeline.now().iso_micros(),
            "inventory": inventory,
            "addresses": office.addresses,
            "logins": office.desk.logins,
            "saves": office.saves,
            "requests": state.requests,
            "connections": state.connections,
            "faults": state.faults,
            "twists": state.twists,
            "drifts": office.drifts,
            "settings": office.settings,
        })
    }
}

/// What is no object has no values.
fn object(values: Value) -> Map<String, Value> {
    match values {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn inventory(plant: &Plant, feature: Feature) -> Inventory {
    let rows = &plant.table(feature).rows;
    let mut digest = Context::new(&SHA256);
    rows.iter().for_each(|row| digest.update(format!("{}\n", row.fid).as_bytes()));
    Inventory { feature, count: rows.len(), sha256: blob::hex(digest.finish().as_ref()) }
}

impl Kept for GeoSite {
    fn export(&self) -> Result<Value, String> {
        let state = self.0.state();
        Ok(json!({
            "office": kept::part(&state.office)?,
            "timeline": kept::part(&state.timeline)?,
            "faults": kept::part(&state.faults)?,
            "twists": kept::part(&state.twists)?,
        }))
    }

    fn import(&self, mut state: Value) -> Result<Placing<'_>, String> {
        let (office, timeline) = (kept::take(&mut state, "office")?, kept::take(&mut state, "timeline")?);
        let (faults, twists) = (kept::take(&mut state, "faults")?, kept::take(&mut state, "twists")?);
        Ok(Box::new(move || {
            self.reset();
            let mut state = self.0.state();
            (state.office, state.timeline) = (office, timeline);
            (state.faults, state.twists) = (faults, twists);
        }))
    }
}

impl crate::fault::Troubled for GeoSite {
    fn plans(&self, show: &mut dyn FnMut(&'static str, &mut dyn crate::fault::Listed)) {
        let mut state = self.0.state();
        show("faults", &mut state.faults);
        show("twists", &mut state.twists);
    }

    fn is_open(&self) -> bool {
        self.0.door.is_open()
    }
}
