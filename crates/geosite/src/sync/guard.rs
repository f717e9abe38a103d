//! The guard before deletions (contract 4.10): what a complete snapshot lacks is deleted only if it is little, or if somebody
//! has named the exact number.

use serde::{Deserialize, Serialize};

use super::kind::Kind;

/// From when on a number of deletions is too many. Each kind is judged alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guard {
    /// More items than these are blocked; 50.
    pub items: u64,
    /// More than this percentage of what is stored is blocked; 5.
    pub percent: u64,
    /// The percentage counts only from this many stored items on; 20.
    pub percent_from: u64,
}

impl Default for Guard {
    fn default() -> Self {
        Self { items: 50, percent: 5, percent_from: 20 }
    }
}

/// What was found out about one kind by a complete snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) stored: u64,
    pub(crate) received: u64,
    pub(crate) missing: u64,
}

/// Somebody's word that exactly these may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authority {
    pub(crate) kind: Kind,
    pub(crate) exact_count: u64,
    pub(crate) force_empty: bool,
}

/// What the guard said of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing to delete.
    #[default]
    Nothing,
    /// Little enough.
    Passed,
    /// More than [`Guard::items`].
    TooMany,
    /// More than [`Guard::percent`].
    TooLargeAShare,
    /// Nothing was received while something is stored.
    NothingReceived,
    /// Let through by an exact number.
    Overridden,
}

impl Verdict {
    /// Whether the deletions were held back.
    #[must_use]
    pub const fn is_blocked(self) -> bool {
        matches!(self, Self::TooMany | Self::TooLargeAShare | Self::NothingReceived)
    }
}

impl Guard {
    pub(crate) fn judge(self, finding: Finding, authority: Option<Authority>) -> Verdict {
        let verdict = self.unaided(finding);
        let names_it = |given: Authority| {
            given.kind == finding.kind
                && given.exact_count == finding.missing
                && (given.force_empty || verdict != Verdict::NothingReceived)
        };
        if verdict.is_blocked() && authority.is_some_and(names_it) { Verdict::Overridden } else { verdict }
    }

    fn unaided(self, Finding { stored, received, missing, .. }: Finding) -> Verdict {
        let share = u128::from(missing) * 100 > u128::from(self.percent) * u128::from(stored);
        if missing == 0 {
            Verdict::Nothing
        } else if received == 0 {
            Verdict::NothingReceived
        } else if missing > self.items {
            Verdict::TooMany
        } else if stored >= self.percent_from && share {
            Verdict::TooLargeAShare
        } else {
            Verdict::Passed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(stored: u64, missing: u64, authority: Option<(u64, bool)>) -> Verdict {
        let finding = Finding { kind: Kind::Cto, stored, received: stored - missing, missing };
        let authority = authority.map(|(exact_count, force_empty)| Authority {
            kind: Kind::Cto,
            exact_count,
            force_empty,
        });
        Guard::default().judge(finding, authority)
    }

    /// Contract 4.10 and the removal row of section 7.
    #[test]
    fn the_guards_table() {
        let rows = [
            (2_000, 51, None, Verdict::TooMany),
            (2_000, 50, None, Verdict::Passed),
            (30, 2, None, Verdict::TooLargeAShare),
            (40, 2, None, Verdict::Passed),
            (20, 1, None, Verdict::Passed),
            (20, 2, None, Verdict::TooLargeAShare),
            (19, 2, None, Verdict::Passed),
            (10, 3, None, Verdict::Passed),
            (10, 0, None, Verdict::Nothing),
            (10, 10, None, Verdict::NothingReceived),
            (1, 1, None, Verdict::NothingReceived),
            (2_000, 51, Some((51, false)), Verdict::Overridden),
            (2_000, 51, Some((50, false)), Verdict::TooMany),
            (2_000, 51, Some((52, true)), Verdict::TooMany),
            (10, 10, Some((10, false)), Verdict::NothingReceived),
            (10, 10, Some((10, true)), Verdict::Overridden),
        ];
        for (stored, missing, authority, verdict) in rows {
            assert_eq!(judge(stored, missing, authority), verdict, "{missing} of {stored}, {authority:?}");
        }
    }

    #[test]
    fn a_word_for_another_kind_does_not_count() {
        let finding = Finding { kind: Kind::Cto, stored: 2_000, received: 1_900, missing: 100 };
        let other = Authority { kind: Kind::Hub, exact_count: 100, force_empty: true };
        assert_eq!(Guard::default().judge(finding, Some(other)), Verdict::TooMany);
    }
}
