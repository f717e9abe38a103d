//! What a run names beside its figures: rows that it could not read, and elements that are stored although something about them
//! is doubtful (contract 3.7 R5, R6 and R9, 4.3 C3 and C4, 4.11).
//!
//! The rules enforced here: a number alone helps nobody, so the first hundred of each list are named; nothing shows a customer's
//! name or document in its `Debug`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Kind, named};
use crate::feature::Feature;

/// So many rows of a list, and so many doubts of a shelf, are named; all are counted.
pub(crate) const NAMED_ROWS: usize = 100;

/// A row that could not be read: its list is not complete, and nothing of its kind is deleted.
///
/// [`name`](Self::name) and [`code`](Self::code) are there to find it in GeoSite; its `Debug` leaves them out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnreadRow {
    /// The list it stands in.
    pub feature: Feature,
    /// On which page, from 1; after a kill pages are counted on.
    pub page: u64,
    /// The how-many-th row of the list, from 1; 0 if the plant cannot tell.
    pub position: u64,
    /// Its number, if that could be read.
    pub fid: Option<i64>,
    /// `codigo`, if that could be read.
    #[doc(alias = "codigo")]
    pub code: Option<String>,
    /// `nome`, if that could be read.
    #[doc(alias = "nome")]
    pub name: Option<String>,
    /// What is wrong with it.
    pub why: String,
}

impl UnreadRow {
    /// For plants: a row of which nothing but its place is known.
    #[must_use]
    pub fn new(feature: Feature, page: u64, position: u64, why: impl Into<String>) -> Self {
        Self { feature, page, position, fid: None, code: None, name: None, why: why.into() }
    }
}

impl fmt::Debug for UnreadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { feature, page, position, fid, why, .. } = self;
        f.debug_struct("UnreadRow")
            .field("feature", feature)
            .field("page", page)
            .field("position", position)
            .field("fid", fid)
            .field("why", why)
            .finish_non_exhaustive()
    }
}

named! {
    /// What is doubtful about an element that is stored as it came.
    Doubt {
        /// Its place is outside a box around Brazil (R9).
        OutsideBrazil = "outside_brazil",
        /// It is, and with latitude and longitude swapped it would not be; nothing was swapped (R9).
        LooksSwapped = "looks_swapped",
        /// Only one half of a pair of coordinates is there.
        HalfAPlace = "half_a_place",
        /// The time of its last change cannot be read: see `change_literal_format`.
        TimeUnreadable = "time_unreadable",
        /// A customer's document breaks a rule; it will be refused on writing (C4).
        DocumentInvalid = "document_invalid",
        /// A customer without document or contract, whom no link can be matched with (C3).
        Unmatched = "unmatched",
    }
}

/// An element with a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Doubtful {
    /// What it is.
    pub kind: Kind,
    /// Its number.
    pub fid: i64,
    /// What is doubtful about it.
    pub doubt: Doubt,
}

impl Doubtful {
    pub(crate) fn new(kind: Kind, fid: i64, doubt: Doubt) -> Self {
        Self { kind, fid, doubt }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_could_not_be_read_shows_no_name() {
        let mut row = UnreadRow::new(Feature::Cliente, 2, 501, "`fid` is not there");
        (row.name, row.code) = (Some("Ana Souza".to_owned()), Some("C-9".to_owned()));
        let shown = format!("{row:?}");
        assert!(shown.contains("501") && !shown.contains("Ana") && !shown.contains("C-9"), "{shown}");
    }
}
