//! What the printing house remembers of one issuer: its control numbers and its numbering.
//!
//! Kept as indexes beside the documents, so that a test can issue tens of thousands of them.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::Issuer;
use crate::json::Json;
use serde::{Deserialize, Serialize};

/// The natural key of a document within its issuer: type and internal number as exact text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) kind: u32,
    pub(super) internal: String,
}

impl Key {
    /// Reads the key of a body; none if its type is not an integer.
    pub(super) fn read(body: &Json) -> Option<Self> {
        let internal = body.get("numerointerno").spelled().to_owned();
        Self::type_of(body).map(|kind| Self { kind, internal })
    }

    /// The type as the column stores it: here a numeric string is as good as a number.
    pub(super) fn type_of(body: &Json) -> Option<u32> {
        let kind = body.get("idtipodocumento").num();
        (kind.fract() == 0.0 && (0.0..=9999.0).contains(&kind)).then_some(kind as u32)
    }

    /// The internal number as a number; none unless it is all digits.
    pub(super) fn number(&self) -> Option<u64> {
        self.internal.bytes().all(|byte| byte.is_ascii_digit()).then(|| self.internal.parse().ok()).flatten()
    }
}

/// Numbers of one issuer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) issuer: Issuer,
    /// Control numbers drawn so far, used or burnt.
    drawn: u64,
    /// Place of each document in the house's list, by control number.
    by_control: BTreeMap<String, usize>,
    used: BTreeSet<Key>,
    highest: BTreeMap<u32, u64>,
}

impl Ledger {
    pub(super) fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            drawn: 0,
            by_control: BTreeMap::new(),
            used: BTreeSet::new(),
            highest: BTreeMap::new(),
        }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.issuer.control_numbers_left == Some(0)
    }

    /// Draws the next control number.
    pub(super) fn draw(&mut self) -> String {
        self.drawn = self.drawn.saturating_add(1);
        self.issuer.control_numbers_left =
            self.issuer.control_numbers_left.map(|left| left.saturating_sub(1));
        format_control(self.drawn)
    }

    /// The control number that is drawn next.
    pub(super) fn next_control(&self) -> String {
        format_control(self.drawn.saturating_add(1))
    }

    /// Types with the internal number that follows their highest.
    pub(super) fn next_internals(&self) -> Vec<(u32, u64)> {
        self.highest.iter().map(|(kind, highest)| (*kind, highest.saturating_add(1))).collect()
    }

    /// Gives the number drawn last back.
    pub(super) fn undraw(&mut self) {
        self.drawn = self.drawn.saturating_sub(1);
        self.issuer.control_numbers_left =
            self.issuer.control_numbers_left.map(|left| left.saturating_add(1));
    }

    pub(super) fn has_control(&self, control_number: &str) -> bool {
        self.by_control.contains_key(control_number)
    }

    /// Place of a document in the house's list.
    pub(super) fn place_of(&self, control_number: &str) -> Option<usize> {
        self.by_control.get(control_number).copied()
    }

    pub(super) fn has_internal(&self, key: &Key) -> bool {
        self.used.contains(key)
    }

    /// The numerically largest internal number of a type.
    pub(super) fn highest_internal(&self, kind: u32) -> Option<u64> {
        self.highest.get(&kind).copied()
    }

    /// Remembers a document that now exists at `place`.
    pub(super) fn record(&mut self, control_number: String, key: Key, place: usize) {
        if let Some(number) = key.number() {
            let highest = self.highest.entry(key.kind).or_insert(number);
            *highest = number.max(*highest);
        }
        self.by_control.insert(control_number, place);
        self.used.insert(key);
    }
}

/// Two digits, a hyphen, eight digits; the prefix moves on when the eight are full.
fn format_control(number: u64) -> String {
    format!("{:02}-{:08}", number / 100_000_000, number % 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(internal: &str) -> Key {
        Key { kind: 1, internal: internal.into() }
    }

    #[test]
    fn control_numbers_count_up_and_can_be_given_back() {
        let mut ledger = Ledger::new(Issuer::new("J-12345678-4").control_numbers_left(2));
        assert_eq!(ledger.draw(), "00-00000001");
        ledger.undraw();
        assert_eq!(ledger.draw(), "00-00000001");
        assert!(!ledger.is_exhausted());
        assert_eq!(ledger.draw(), "00-00000002");
        assert!(ledger.is_exhausted());
        assert_eq!(format_control(100_000_007), "01-00000007");
    }

    #[test]
    fn the_highest_number_is_numeric_and_uniqueness_is_textual() {
        let mut ledger = Ledger::new(Issuer::new("J-12345678-4"));
        ledger.record("00-00000001".into(), key("00000042"), 0);
        ledger.record("00-00000002".into(), key("7"), 1);
        assert_eq!(ledger.highest_internal(1), Some(42));
        assert_eq!(ledger.highest_internal(2), None);
        assert!(ledger.has_internal(&key("00000042")));
        assert!(!ledger.has_internal(&key("42")));
    }

    #[test]
    fn a_number_is_all_digits() {
        assert_eq!(key("00000042").number(), Some(42));
        for odd in ["", "4.2", "+4", "A1", "99999999999999999999999"] {
            assert_eq!(key(odd).number(), None, "{odd}");
        }
    }
}
