//! What a run is to read, how far it has come, and how both survive a kill (contract 4.7, 4.9).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cursor::bound;
use super::doubt::{Doubtful, NAMED_ROWS};
use super::error::{SyncError, SyncErrorKind};
use super::guard::Authority;
use super::kind::{Kind, Shelf, shelf_of};
use super::plant::Plant;
use super::report::{Conflict, FeatureReport, KindReport, Mode, NAMED};
use super::selection::Selection;
use super::settings::Settings;
use crate::feature::Feature;

/// A feature that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) feature: Feature,
    pub(super) cursor: Option<Timestamp>,
    /// The closed lower bound of an incremental query.
    pub(super) since: Option<Timestamp>,
}

/// The features of one shelf, read together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pass {
    pub(super) shelf: Shelf,
    pub(super) whole: bool,
    pub(super) sources: Vec<Source>,
}

/// What a run is to read: fixed when it begins, so that one that was killed goes on with the same bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) selection: Selection,
    pub(super) passes: Vec<Pass>,
    pub(super) authority: Option<Authority>,
}

impl Plan {
    pub(super) fn new(
        plant: &dyn Plant,
        settings: &Settings,
        selection: Selection,
        cursors: &BTreeMap<Feature, Timestamp>,
        mode: Mode,
    ) -> Self {
        let mut shelves: BTreeMap<Shelf, Vec<Source>> = BTreeMap::new();
        for feature in selection.features() {
            let cursor = cursors.get(&feature).copied();
            let since =
                cursor.filter(|_| plant.tells_changes(feature)).map(|cursor| bound(cursor, settings.overlap));
            shelves.entry(shelf_of(feature)).or_default().push(Source { feature, cursor, since });
        }
        let whole =
            |sources: &[Source]| mode == Mode::Full || sources.iter().any(|source| source.since.is_none());
        let pass = |(shelf, sources): (Shelf, Vec<Source>)| Pass { shelf, whole: whole(&sources), sources };
        Self { selection, passes: shelves.into_iter().map(pass).collect(), authority: None }
    }

    /// Only what is read for one kind.
    pub(super) fn only(mut self, kind: Kind) -> Self {
        self.passes.retain(|pass| pass.shelf == kind.shelf());
        self
    }
}

/// How far a pass has come: what is stored with each page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Everything up to this `fid` was dealt with.
    pub(super) after: Option<i64>,
    pub(super) totals: Vec<Option<u64>>,
    pub(super) features: Vec<FeatureReport>,
    pub(super) kinds: BTreeMap<Kind, KindReport>,
    pub(super) conflicts: Vec<Conflict>,
    #[serde(default)]
    pub(super) doubts: Vec<Doubtful>,
    pub(super) done: bool,
}

impl Progress {
    pub(super) fn new(pass: &Pass) -> Self {
        let feature = |source: &Source| FeatureReport {
            feature: source.feature,
            whole: pass.whole,
            read: 0,
            pages: 0,
            restarts: 0,
            failed: 0,
            unread: Vec::new(),
            complete: false,
            error: None,
            cursor_before: source.cursor,
            cursor_after: source.cursor,
        };
        Self {
            after: None,
            totals: vec![None; pass.sources.len()],
            features: pass.sources.iter().map(feature).collect(),
            kinds: BTreeMap::new(),
            conflicts: Vec::new(),
            doubts: Vec::new(),
            done: false,
        }
    }

    /// The lists are begun again, because one of them changed under the reader. What was written stays written, and counted.
    pub(super) fn begin_again(&mut self, written: bool) {
        self.after = None;
        self.totals.fill(None);
        self.conflicts.clear();
        self.doubts.clear();
        for feature in &mut self.features {
            (feature.read, feature.failed, feature.complete, feature.error) = (0, 0, false, None);
            feature.unread.clear();
        }
        for report in self.kinds.values_mut() {
            let kept = if written { report.clone() } else { KindReport::default() };
            let KindReport { added, changed, restored, drift, .. } = kept;
            *report = KindReport { added, changed, restored, drift, ..KindReport::default() };
        }
    }

    /// Whether the total of a list that is still good was not told yet.
    pub(super) fn is_unproved(&self) -> bool {
        self.features
            .iter()
            .zip(&self.totals)
            .any(|(report, total)| report.error.is_none() && total.is_none())
    }

    pub(super) fn kind(&mut self, kind: Kind) -> &mut KindReport {
        self.kinds.entry(kind).or_default()
    }

    pub(super) fn conflict(&mut self, conflict: Conflict) {
        if self.conflicts.len() < NAMED {
            self.conflicts.push(conflict);
        }
    }

    pub(super) fn doubt(&mut self, doubt: Doubtful) {
        self.kind(doubt.kind).doubtful += 1;
        if self.doubts.len() < NAMED_ROWS {
            self.doubts.push(doubt);
        }
    }

    pub(super) fn read(&self) -> u64 {
        self.features.iter().map(|feature| feature.read).sum()
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.totals.iter().copied().sum()
    }
}

/// Writes what is to survive a kill.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, SyncError> {
    serde_json::to_string(value).map_err(|error| damaged("could not be written", error))
}

/// Reads it again.
pub(super) fn from_json<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, SyncError> {
    serde_json::from_str(text).map_err(|error| damaged("is not what was written", error))
}

fn damaged(what: &str, error: serde_json::Error) -> SyncError {
    SyncError::new(SyncErrorKind::Store, format!("a stored report or checkpoint {what}")).with_source(error)
}
