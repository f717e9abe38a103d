//! Which kinds are synchronised, and for which project (contract 4.1 and 4.2).
//!
//! The rules enforced here: the service splitter is always chosen; a box kind must be; exactly one project, whose name is never
//! guessed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::{SelectionFault, SyncError};
use super::kind::{Kind, Shelf};
use crate::feature::{Feature, Group};

/// The kinds that are synchronised.
///
/// ```
/// use geosite::sync::{Kind, Selection};
///
/// assert!(Selection::of([]).is_err()); // a box kind is missing, and none is chosen silently
/// let selection = Selection::of([Kind::Cto])?;
/// assert!(selection.has(Kind::SplitterAtendimento)); // mandatory and locked
/// # Ok::<(), geosite::sync::SyncError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection(BTreeSet<Kind>);

impl Selection {
    /// The service splitter, and these.
    ///
    /// # Errors
    ///
    /// [`SelectionInvalid`](super::SyncErrorKind::SelectionInvalid) if no box kind is among them (E2, E3), or one that cannot
    /// be chosen.
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Result<Self, SyncError> {
        let mut chosen: BTreeSet<Kind> = kinds.into_iter().collect();
        if chosen.contains(&Kind::SplitterUnknown) {
            let fault = SelectionFault::NotSelectable(Kind::SplitterUnknown);
            return Err(SyncError::selection(
                fault,
                "splitters of unknown role are always kept and cannot be chosen",
            ));
        }
        chosen.insert(Kind::SplitterAtendimento);
        if !chosen.iter().any(|kind| kind.shelf() == Shelf::Box) {
            let fault = SelectionFault::GroupEmpty(Group::CaixaOptica);
            return Err(SyncError::selection(fault, "choose at least one kind of the group Caixa Óptica"));
        }
        Ok(Self(chosen))
    }

    /// Every kind there is.
    #[must_use]
    pub fn everything() -> Self {
        Self(Kind::ALL.iter().copied().filter(|kind| *kind != Kind::SplitterUnknown).collect())
    }

    /// Whether a kind is chosen.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }

    /// The chosen kinds.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.0.iter().copied()
    }

    /// Whether elements of this kind are kept.
    pub(crate) fn keeps(&self, kind: Kind) -> bool {
        kind == Kind::SplitterUnknown || self.has(kind)
    }

    /// The features to be read for it, in the contract's order.
    pub(crate) fn features(&self) -> Vec<Feature> {
        let chosen: BTreeSet<Feature> = self.kinds().map(Kind::feature).collect();
        chosen.into_iter().collect()
    }

    /// Its kinds that the other lacks.
    pub(crate) fn without(&self, other: &Self) -> Vec<Kind> {
        self.0.difference(&other.0).copied().collect()
    }
}

/// The one project of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project(String);

impl Project {
    /// A new project of this name.
    #[must_use]
    pub fn create(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The existing project of exactly this name.
    ///
    /// # Errors
    ///
    /// [`ProjectUnknown`](SelectionFault::ProjectUnknown) with the nearest names; none is picked.
    pub fn existing(name: &str, known: &[String]) -> Result<Self, SyncError> {
        if known.iter().any(|one| one == name) {
            return Ok(Self(name.to_owned()));
        }
        let mut nearest: Vec<(usize, &String)> = known.iter().map(|one| (distance(name, one), one)).collect();
        nearest.sort();
        let nearest: Vec<String> = nearest.into_iter().take(3).map(|(_, one)| one.clone()).collect();
        let message = format!("there is no project {name:?}; nearest: {}", nearest.join(", "));
        Err(SyncError::selection(SelectionFault::ProjectUnknown(nearest), message))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Levenshtein's, without case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        let mut next = vec![before];
        for (to, above) in right.iter().zip(row.iter().skip(1)) {
            before = (diagonal + usize::from(from != *to)).min(above + 1).min(before + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// What leaving kinds out would delete, to be shown before it is applied (contract E5).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelectionPlan {
    /// The selection to be.
    pub selection: Selection,
    /// Per kind that is stored or chosen.
    pub kinds: BTreeMap<Kind, PlannedKind>,
    /// Stands in for the guard's thresholds when the deletion is made.
    pub(crate) token: i64,
}

/// What a change of the selection means for one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedKind {
    /// Items in the register.
    pub stored: u64,
    /// Items that the next synchronisation will delete.
    pub to_delete: u64,
    /// Customers below the items that will be deleted.
    pub customers: u64,
    /// Whether the kind will be read whole by the next synchronisation.
    pub read_whole: bool,
}

/// What a register keeps about an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Integration {
    /// Its one project.
    pub project: String,
    /// What is synchronised.
    pub selection: Selection,
    /// Kinds to be deleted by the next synchronisation, with the number that was planned.
    pub to_delete: BTreeMap<Kind, u64>,
    /// Whether it is synchronised at all. What was kept before this could be said is.
    #[serde(default = "active")]
    pub active: bool,
}

fn active() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::super::error::SyncErrorKind;
    use super::*;

    fn fault<T: std::fmt::Debug>(result: Result<T, SyncError>) -> SelectionFault {
        match result.unwrap_err().kind() {
            SyncErrorKind::SelectionInvalid(fault) => fault.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_service_splitter_is_locked_and_a_box_is_needed() {
        assert_eq!(fault(Selection::of([])), SelectionFault::GroupEmpty(Group::CaixaOptica));
        assert_eq!(fault(Selection::of([Kind::Poste])), SelectionFault::GroupEmpty(Group::CaixaOptica));
        let unknown = SelectionFault::NotSelectable(Kind::SplitterUnknown);
        assert_eq!(fault(Selection::of([Kind::SplitterUnknown, Kind::Cto])), unknown);
        let kinds: Vec<_> = Selection::of([Kind::Hub]).unwrap().kinds().collect();
        assert_eq!(kinds, [Kind::SplitterAtendimento, Kind::Hub]);
    }

    #[test]
    fn project_names_match_exactly_and_are_never_picked() {
        let known: Vec<String> = ["Rede Norte", "Rede Sul", "Outra"].map(str::to_owned).into();
        assert_eq!(Project::existing("Rede Sul", &known).unwrap().name(), "Rede Sul");
        let nearest = ["Rede Sul", "Rede Norte", "Outra"].map(str::to_owned).into();
        assert_eq!(fault(Project::existing("rede sul", &known)), SelectionFault::ProjectUnknown(nearest));
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (left, right, expected) in
            [("", "", 0), ("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("a", "A", 0)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
