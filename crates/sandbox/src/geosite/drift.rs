//! Rows that move while somebody pages (contract sections 3.9 and 4.8).

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::feature::Feature;
use super::plant::Plant;
use super::times::Times;

/// Which end of the rows, in the order of their `fid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a row of numbers has two ends")]
pub enum Edge {
    /// The smallest `fid`, which a reader has passed.
    Front,
    /// The greatest, which lies before him.
    Back,
}

/// What happens to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// An element appears.
    Insert(Edge),
    /// An element goes.
    Delete(Edge),
    /// The rows of this many pages come from the other end, whatever `sorter` says.
    Reorder(u32),
}

/// A change between two pages.
///
/// ```
/// use integration_sandbox::geosite::{Change, Drift, Edge, Feature};
///
/// // After every second page of terminal boxes one of them goes, three times in all.
/// let drift = Drift::new(Feature::Cto, 2, Change::Delete(Edge::Back)).times(3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    pub(super) feature: Feature,
    pub(super) after_pages: u32,
    pub(super) change: Change,
    #[serde(default = "once")]
    pub(super) times: u32,
    #[serde(skip)]
    seen: u32,
}

fn once() -> u32 {
    1
}

impl Drift {
    /// Once this many pages of a feature were answered, counted from now, and before the next one is.
    #[must_use]
    pub fn new(feature: Feature, after_pages: u32, change: Change) -> Self {
        Self { feature, after_pages, change, times: once(), seen: 0 }
    }

    /// So many times, each time after as many pages again.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// The scripts in force.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Drifts {
    scripts: Vec<Drift>,
    /// Pages still to come from the other end.
    reordered: Vec<(Feature, u32)>,
}

impl Drifts {
    pub(super) fn add(&mut self, drift: Drift) {
        self.scripts.push(drift);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Plays what is due before a page of this feature; tells whether the page comes from the other end.
    pub(super) fn play(&mut self, feature: Feature, plant: &mut Plant, now: u32, times: &Times) -> bool {
        for script in self.scripts.iter_mut().filter(|script| script.feature == feature) {
            if script.seen >= script.after_pages && script.times > 0 {
                script.seen = 0;
                script.times -= 1;
                match script.change {
                    Change::Insert(edge) => insert(plant, feature, edge, now, times),
                    Change::Delete(edge) => delete(plant, feature, edge),
                    Change::Reorder(pages) => self.reordered.push((feature, pages)),
                }
            }
            script.seen += 1;
        }
        self.scripts.retain(|script| script.times > 0);
        self.takes_reordered(feature)
    }

    fn takes_reordered(&mut self, feature: Feature) -> bool {
        self.reordered.retain(|(_, pages)| *pages > 0);
        let due = self.reordered.iter_mut().find(|(one, _)| *one == feature);
        due.map(|(_, pages)| *pages -= 1).is_some()
    }
}

/// Before the first row or after the last one, with a `fid` that nothing has.
fn insert(plant: &mut Plant, feature: Feature, edge: Edge, now: u32, times: &Times) {
    let first = plant.table(feature).rows.iter().next().map_or(plant.next_fid, |row| row.fid);
    let free = |fid: &u32| plant.find(*fid).is_none();
    let fid = match edge {
        Edge::Front => (1..first).rev().find(free).unwrap_or(plant.next_fid),
        Edge::Back => plant.next_fid,
    };
    // The number is free, and there are no other values to be refused.
    let _ = plant.insert(feature, Map::from_iter([("fid".to_owned(), fid.into())]), now, times);
}

fn delete(plant: &mut Plant, feature: Feature, edge: Edge) {
    let rows = &plant.table(feature).rows;
    let position = match edge {
        Edge::Front => 0,
        Edge::Back => rows.len().saturating_sub(1),
    };
    let fid = rows.from(position).next().map(|row| row.fid);
    if let Some(fid) = fid {
        plant.delete(feature, fid);
    }
}
