//! Elements of one feature in the order of their `fid`, compact enough for millions.
//!
//! The rule: a page costs what the page holds. Rows stand in chunks, so that finding a `fid`, finding the n-th row
//! and counting the rows behind one touch a few chunks, never all rows, and an insertion moves one chunk at most.

use serde::{Deserialize, Serialize};

/// Rows per chunk when a shelf is filled.
const CHUNK: usize = 1024;

/// Stands for a coordinate that is not there.
pub(super) const NOWHERE: i32 = i32::MIN;

/// One element. Texts are not stored: they follow from the serial number unless somebody edited them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) fid: u32,
    /// Of a splitter its box, of a customer his splitter; 0 is none.
    pub(super) parent: u32,
    /// Of a customer; 0 is none.
    pub(super) contract: u32,
    /// Counts the elements of a feature, from 1.
    pub(super) serial: u32,
    /// Last change, seconds since the epoch.
    pub(super) changed: u32,
    /// Ten-millionths of a degree, or [`NOWHERE`].
    pub(super) latitude: i32,
    pub(super) longitude: i32,
    /// Fibres or ports; 0 is unknown.
    pub(super) capacity: u16,
    /// Of a customer, from 1; 0 is none.
    pub(super) port: u16,
    pub(super) role: Role,
}

/// What a splitter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Role {
    #[default]
    None,
    Service,
    Distribution,
}

impl Row {
    pub(super) fn new(fid: u32) -> Self {
        Self {
            fid,
            parent: 0,
            contract: 0,
            serial: 0,
            changed: 0,
            latitude: NOWHERE,
            longitude: NOWHERE,
            capacity: 0,
            port: 0,
            role: Role::None,
        }
    }

    /// Degrees, if both are there.
    pub(super) fn place(&self) -> Option<(f64, f64)> {
        let known = self.latitude != NOWHERE && self.longitude != NOWHERE;
        known.then(|| (f64::from(self.latitude) / 1e7, f64::from(self.longitude) / 1e7))
    }
}

/// Rows in the order of their `fid`, none twice. No chunk is empty.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Shelf {
    chunks: Vec<Vec<Row>>,
    len: usize,
}

impl Shelf {
    /// Takes rows that are in order already.
    pub(super) fn filled(rows: &[Row]) -> Self {
        Self { chunks: rows.chunks(CHUNK).map(<[Row]>::to_vec).collect(), len: rows.len() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The chunk that holds this `fid` or would.
    fn chunk_of(&self, fid: u32) -> usize {
        let begun = |chunk: &Vec<Row>| chunk.first().is_some_and(|row| row.fid <= fid);
        self.chunks.partition_point(begun).saturating_sub(1)
    }

    /// Chunk and place, or where it would be.
    fn find(&self, fid: u32) -> (usize, Result<usize, usize>) {
        let at = self.chunk_of(fid);
        let rows = self.chunks.get(at).map(Vec::as_slice).unwrap_or_default();
        (at, rows.binary_search_by_key(&fid, |row| row.fid))
    }

    pub(super) fn get(&self, fid: u32) -> Option<&Row> {
        let (chunk, place) = self.find(fid);
        self.chunks.get(chunk)?.get(place.ok()?)
    }

    pub(super) fn get_mut(&mut self, fid: u32) -> Option<&mut Row> {
        let (chunk, place) = self.find(fid);
        self.chunks.get_mut(chunk)?.get_mut(place.ok()?)
    }

    /// How many rows have a `fid` up to and with this one.
    pub(super) fn rank(&self, fid: u32) -> usize {
        let (chunk, place) = self.find(fid);
        let before: usize = self.chunks.iter().take(chunk).map(Vec::len).sum();
        before + place.map_or_else(|gap| gap, |found| found + 1)
    }

    /// Puts a row in its place; `false` if its `fid` is taken.
    pub(super) fn insert(&mut self, row: Row) -> bool {
        let (chunk, Err(gap)) = self.find(row.fid) else { return false };
        match self.chunks.get_mut(chunk) {
            Some(rows) => {
                rows.insert(gap, row);
                let half = if rows.len() > 2 * CHUNK { rows.split_off(CHUNK) } else { Vec::new() };
                if !half.is_empty() {
                    self.chunks.insert(chunk + 1, half);
                }
            }
            None => self.chunks.push(vec![row]),
        }
        self.len += 1;
        true
    }

    pub(super) fn remove(&mut self, fid: u32) -> Option<Row> {
        let (chunk, place) = self.find(fid);
        let rows = self.chunks.get_mut(chunk)?;
        let row = rows.remove(place.ok()?);
        if rows.is_empty() {
            self.chunks.remove(chunk);
        }
        self.len -= 1;
        Some(row)
    }

    /// Rows from the n-th on, counted from 0.
    pub(super) fn from(&self, position: usize) -> impl Iterator<Item = &Row> {
        let mut left = position;
        let mut chunk = 0;
        while let Some(rows) = self.chunks.get(chunk).filter(|rows| rows.len() <= left) {
            left -= rows.len();
            chunk += 1;
        }
        self.chunks.iter().skip(chunk).enumerate().flat_map(move |(number, rows)| {
            rows.get(if number == 0 { left } else { 0 }..).unwrap_or_default()
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.chunks.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Row, Shelf};
    use crate::geosite::names::Dice;

    /// A map is the plain way to keep the same rows.
    #[test]
    fn a_shelf_is_an_ordered_map() {
        let rows: Vec<Row> = (1..=5000).map(|number| Row::new(number * 3)).collect();
        let mut shelf = Shelf::filled(&rows);
        let mut map: BTreeMap<u32, Row> = rows.iter().map(|row| (row.fid, *row)).collect();
        let mut dice = Dice::new(7);
        for _ in 0..20_000 {
            let fid = dice.below(16_000);
            if dice.below(2) == 0 {
                let fresh = map.insert(fid, Row::new(fid)).is_none();
                assert_eq!(shelf.insert(Row::new(fid)), fresh);
            } else {
                assert_eq!(shelf.remove(fid), map.remove(&fid));
            }
        }
        assert_eq!(shelf.len(), map.len());
        assert!(shelf.iter().eq(map.values()));
        for fid in (0..16_001).step_by(97) {
            assert_eq!(shelf.get(fid), map.get(&fid));
            assert_eq!(shelf.rank(fid), map.range(..=fid).count());
            let position = shelf.rank(fid);
            assert!(shelf.from(position).take(5).eq(map.range(fid + 1..).map(|(_, row)| row).take(5)));
        }
        map.keys().for_each(|fid| assert!(shelf.remove(*fid).is_some()));
        assert!(shelf.len() == 0 && shelf.iter().next().is_none() && shelf.rank(9) == 0);
        assert!(shelf.insert(Row::new(4)) && shelf.get(4).is_some());
    }
}
