//! A town's network of any size, the same for the same seed.
//!
//! Groups stand along parallel streets. A group is one splice box with its distribution splitter and the eight
//! terminal boxes that it feeds, each with one service splitter, a cable span, poles, and customers on its ports.

use serde::{Deserialize, Serialize};

use super::feature::{Each, Feature};
use super::names::Dice;
use super::shelf::{Role, Row};

/// Metres in a degree of latitude, on the sphere that distances are measured on.
pub(super) const DEGREE: f64 = 6_371_008.8 * std::f64::consts::PI / 180.0;
/// Generated elements were last changed in the three years before this, 2025-01-01T00:00:00Z.
const LATEST: u32 = 1_735_689_600;
const SPAN: u32 = 3 * 365 * 86_400;
/// About how many elements a group has.
const PER_GROUP: usize = 95;
const FIRST_FID: u32 = 1_000_000;
const FIRST_CONTRACT: u32 = 100_000;

/// What network is to be generated.
///
/// ```
/// use integration_sandbox::geosite::Network;
///
/// let network = Network::new(5_000).seed(7).at(-22.7253, -47.6492);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    pub(super) elements: usize,
    #[serde(default = "default_seed")]
    pub(super) seed: u64,
    #[serde(default = "default_latitude")]
    pub(super) latitude: f64,
    #[serde(default = "default_longitude")]
    pub(super) longitude: f64,
}

fn default_seed() -> u64 {
    1
}

fn default_latitude() -> f64 {
    -22.7253
}

fn default_longitude() -> f64 {
    -47.6492
}

impl Network {
    /// This many elements of all features together; from 11 on, every feature has one.
    #[must_use]
    pub fn new(elements: usize) -> Self {
        let (latitude, longitude) = (default_latitude(), default_longitude());
        Self { elements, seed: default_seed(), latitude, longitude }
    }

    /// The same seed and size give the same network.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where the town's first street begins, in degrees.
    #[must_use]
    pub fn at(mut self, latitude: f64, longitude: f64) -> Self {
        self.latitude = latitude;
        self.longitude = longitude;
        self
    }
}

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Generated {
    pub(super) rows: Each<Vec<Row>>,
    pub(super) next_fid: u32,
    pub(super) next_contract: u32,
}

pub(super) fn generate(network: Network) -> Generated {
    let mut builder = Builder::new(network);
    let mut group = 0;
    while builder.group(group).is_some() {
        group += 1;
    }
    builder.made
}

struct Builder {
    network: Network,
    dice: Dice,
    left: usize,
    /// Groups along one street.
    per_street: usize,
    made: Generated,
}

/// A place in the town: metres along the streets, and across them.
#[derive(Clone, Copy)]
struct Spot {
    along: f64,
    across: f64,
}

impl Spot {
    fn moved(self, along: f64, across: f64) -> Self {
        Self { along: self.along + along, across: self.across + across }
    }
}

impl Builder {
    fn new(network: Network) -> Self {
        let groups = network.elements / PER_GROUP + 1;
        // Streets are 80 m apart and a group is 320 m long: four times as many streets as groups on one.
        let per_street = ((groups as f64 / 4.0).sqrt().ceil() as usize).max(1);
        let made = Generated { next_fid: FIRST_FID, next_contract: FIRST_CONTRACT, ..Generated::default() };
        Self { network, dice: Dice::new(network.seed), left: network.elements, per_street, made }
    }

    /// One more element, unless there are enough.
    fn add(&mut self, feature: Feature, spot: Spot, change: impl FnOnce(&mut Row)) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let mut row = Row::new(self.made.next_fid);
        self.made.next_fid = self.made.next_fid.saturating_add(1 + self.dice.below(3));
        row.changed = LATEST - self.dice.below(SPAN);
        (row.latitude, row.longitude) = self.degrees(spot);
        change(&mut row);
        let rows = self.made.rows.of_mut(feature);
        row.serial = u32::try_from(rows.len() + 1).unwrap_or(u32::MAX);
        rows.push(row);
        Some(row.fid)
    }

    /// The streets are turned a little against the compass, as in most towns.
    fn degrees(&mut self, spot: Spot) -> (i32, i32) {
        let (sin, cos) = (0.287, 0.958);
        let (east, north) = (spot.along * cos - spot.across * sin, spot.along * sin + spot.across * cos);
        let latitude = self.network.latitude + north / DEGREE;
        let longitude = self.network.longitude + east / (DEGREE * self.network.latitude.to_radians().cos());
        let jitter = |dice: &mut Dice| f64::from(dice.below(200)) - 100.0;
        let (up, right) = (jitter(&mut self.dice), jitter(&mut self.dice));
        // Float to integer casts saturate, so that an odd town gives odd places and no panic.
        ((latitude * 1e7 + up) as i32, (longitude * 1e7 + right) as i32)
    }

    fn group(&mut self, number: usize) -> Option<()> {
        let (street, place) = (number / self.per_street, number % self.per_street);
        let start = Spot { along: place as f64 * 320.0, across: street as f64 * 80.0 };
        if number.is_multiple_of(128) {
            self.add(Feature::Estacao, start, |_| ())?;
        }
        if number.is_multiple_of(64) {
            self.add(Feature::Hub, start.moved(5.0, 0.0), |row| row.capacity = 288)?;
        }
        if number.is_multiple_of(32) {
            self.add(Feature::Cah, start.moved(8.0, 0.0), |row| row.capacity = 144)?;
        }
        let splice = self.add(Feature::CaixaEmenda, start, |row| row.capacity = 48)?;
        self.splitter(splice, start, 8, Role::Distribution)?;
        if number.is_multiple_of(4) {
            self.add(Feature::TerminadorOptico, start.moved(3.0, 6.0), |row| row.capacity = 8)?;
        }
        (0..8).try_for_each(|step| self.terminal(start.moved(f64::from(step) * 40.0, 0.0)))
    }

    fn splitter(&mut self, parent: u32, spot: Spot, ports: u16, role: Role) -> Option<u32> {
        self.add(Feature::Splitter, spot, |row| {
            row.parent = parent;
            row.capacity = ports;
            row.role = role;
        })
    }

    /// A terminal box with what belongs to it.
    fn terminal(&mut self, spot: Spot) -> Option<()> {
        self.add(Feature::Poste, spot, |_| ())?;
        self.add(Feature::LanceCabo, spot.moved(-20.0, 0.0), |row| row.capacity = 12)?;
        let ports = if self.dice.below(3) == 0 { 16 } else { 8 };
        let terminal = self.add(Feature::Cto, spot, |row| row.capacity = ports)?;
        let splitter = self.splitter(terminal, spot, ports, Role::Service)?;
        // One box in ten is full.
        let full = self.dice.below(10) == 0;
        for port in 1..=ports {
            if full || self.dice.below(100) < 58 {
                self.customer(splitter, port, spot)?;
            }
        }
        self.add(Feature::Poste, spot.moved(20.0, 0.0), |_| ()).map(drop)
    }

    fn customer(&mut self, splitter: u32, port: u16, spot: Spot) -> Option<u32> {
        let along = f64::from(self.dice.below(40)) - 20.0;
        let across = if self.dice.below(2) == 0 { 12.0 } else { -12.0 };
        let contract = self.made.next_contract;
        self.made.next_contract = contract.saturating_add(1);
        self.add(Feature::Cliente, spot.moved(along, across), |row| {
            row.parent = splitter;
            row.port = port;
            row.contract = contract;
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_size_comes_out_exactly_and_whole() {
        for elements in [0, 1, 5, 11, 12, 500, 20_000] {
            let made = generate(Network::new(elements).seed(3));
            let count: usize = Feature::ALL.iter().map(|feature| made.rows.of(*feature).len()).sum();
            assert_eq!(count, elements);
            if elements >= 11 {
                assert!(Feature::ALL.iter().all(|feature| !made.rows.of(*feature).is_empty()), "{elements}");
            }
        }
    }

    #[test]
    fn children_have_parents_and_no_port_is_taken_twice() {
        let made = generate(Network::new(20_000).seed(9));
        let boxes: BTreeSet<u32> =
            Feature::BOXES.iter().flat_map(|feature| made.rows.of(*feature)).map(|row| row.fid).collect();
        let splitters: BTreeMap<u32, &Row> =
            made.rows.of(Feature::Splitter).iter().map(|row| (row.fid, row)).collect();
        assert!(splitters.values().all(|row| boxes.contains(&row.parent)));
        let mut seats = BTreeSet::new();
        for customer in made.rows.of(Feature::Cliente) {
            let splitter = splitters[&customer.parent];
            assert!(splitter.role == Role::Service && (1..=splitter.capacity).contains(&customer.port));
            assert!(seats.insert((customer.parent, customer.port)));
        }
        for feature in Feature::ALL {
            assert!(made.rows.of(feature).is_sorted_by(|one, next| one.fid < next.fid));
        }
    }

    #[test]
    fn a_seed_gives_the_same_network_again() {
        let rows = |seed| generate(Network::new(3_000).seed(seed)).rows.of(Feature::Cliente).clone();
        assert_eq!(rows(4), rows(4));
        assert_ne!(rows(4), rows(5));
    }
}
