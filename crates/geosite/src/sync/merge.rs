//! The lists of one shelf as one, in ascending order of `fid`.
//!
//! The rules enforced here: a `fid` met under two features is one element, and the more specific kind wins (contract 3.1);
//! rows that do not rise are drift (G3); a list that fails ends incomplete while the others go on (contract 4.10).

use std::future::poll_fn;

use super::doubt::{NAMED_ROWS, UnreadRow};
use super::element::Element;
use super::plant::{From, Piece, Plant, PlantError, PlantErrorKind, Rows};
use super::run::Pass;
use crate::feature::Feature;

/// Several lists as one.
pub(super) struct Merged<'p> {
    lists: Vec<List<'p>>,
}

/// One of them: what it has shown and nobody has taken yet, and how far it has come.
struct List<'p> {
    feature: Feature,
    rows: Option<Rows<'p>>,
    head: Option<Box<Element>>,
    last: Option<i64>,
    progress: Progress,
}

/// How far a list has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) total: Option<u64>,
    pub(super) pages: u64,
    pub(super) failed: u64,
    /// The first of those that could not be read.
    pub(super) unread: Vec<UnreadRow>,
    /// Those between the last row that was dealt with and the next: a reading that goes on after the former meets them again.
    ahead: Vec<UnreadRow>,
    more_ahead: u64,
    /// Where the last one stood.
    last_unread: u64,
    pub(super) complete: bool,
    pub(super) error: Option<String>,
}

impl Progress {
    /// Rows without a number at the end of a page come again with the next one, at the same place.
    fn unread(&mut self, row: UnreadRow) {
        if row.position > 0 && row.position <= self.last_unread {
            return;
        }
        self.last_unread = row.position;
        if self.ahead.len() < NAMED_ROWS {
            self.ahead.push(row);
        } else {
            self.more_ahead += 1;
        }
    }

    /// The next row is dealt with, or there is none.
    fn pass(&mut self) {
        if self.ahead.is_empty() {
            return;
        }
        self.failed += self.ahead.len() as u64 + std::mem::take(&mut self.more_ahead);
        let room = NAMED_ROWS.saturating_sub(self.unread.len());
        self.unread.extend(self.ahead.drain(..).take(room));
    }

    /// Whether every row so far could be read, those before the next one too.
    pub(super) fn is_clean(&self) -> bool {
        self.error.is_none() && self.failed == 0 && self.ahead.is_empty()
    }
}

/// What the lists bring together.
pub(super) enum Step {
    /// An element, and in which lists it was met: by their places in the pass.
    Row(Box<Element>, Vec<usize>),
    /// A list changed under the reader.
    Drift(usize, String),
    /// All have ended.
    End,
}

impl<'p> Merged<'p> {
    /// Opens the lists of a pass. `from` says for each where it goes on, or nothing if it has failed already.
    pub(super) fn open(plant: &'p dyn Plant, pass: &Pass, from: &[Option<From>]) -> Self {
        let open = |source: &super::run::Source, from: &Option<From>| {
            let rows = from.map(|from| match source.since.filter(|_| !pass.whole) {
                Some(since) => plant.changed(source.feature, since, from),
                None => plant.whole(source.feature, from),
            });
            let last = from.and_then(|from| from.after);
            let progress = Progress { total: from.and_then(|from| from.total), ..Progress::default() };
            List { feature: source.feature, rows, head: None, last, progress }
        };
        Self { lists: pass.sources.iter().zip(from).map(|(source, from)| open(source, from)).collect() }
    }

    /// How far each list has come since it was opened.
    pub(super) fn progress(&self) -> impl Iterator<Item = &Progress> {
        self.lists.iter().map(|list| &list.progress)
    }

    pub(super) async fn next(&mut self) -> Step {
        for (place, list) in self.lists.iter_mut().enumerate() {
            if let Err(error) = list.fill().await {
                if error.kind() == PlantErrorKind::Drift {
                    return Step::Drift(place, error.to_string());
                }
                list.fail(error.to_string());
            }
        }
        self.take_lowest()
    }

    /// A row of these lists is dealt with: what stood before it will not come again.
    pub(super) fn pass(&mut self, met: &[usize]) {
        for place in met {
            if let Some(list) = self.lists.get_mut(*place) {
                list.progress.pass();
            }
        }
    }

    /// Whether a row without a number stands between what was dealt with and what comes next: nobody knows on which side of a
    /// stored number it belongs, so a reading could not go on from one.
    pub(super) fn has_unread_ahead(&self) -> bool {
        self.lists.iter().any(|list| !list.progress.ahead.is_empty())
    }

    /// Everything is dealt with.
    pub(super) fn pass_all(&mut self) {
        self.lists.iter_mut().for_each(|list| list.progress.pass());
    }

    /// Goes on without a list, whose rows were not all read.
    pub(super) fn give_up(&mut self, place: usize, why: String) {
        if let Some(list) = self.lists.get_mut(place) {
            list.fail(why);
        }
    }

    fn take_lowest(&mut self) -> Step {
        let lowest = self.lists.iter().filter_map(|list| list.head.as_ref()).map(|head| head.fid).min();
        let Some(fid) = lowest else { return Step::End };
        let mut met = Vec::with_capacity(1);
        let mut best: Option<Box<Element>> = None;
        for (place, list) in self.lists.iter_mut().enumerate() {
            if let Some(element) = list.head.take_if(|head| head.fid == fid) {
                met.push(place);
                if best.as_ref().is_none_or(|best| element.kind.rank() > best.kind.rank()) {
                    best = Some(element);
                }
            }
        }
        best.map_or(Step::End, |element| Step::Row(element, met))
    }
}

impl List<'_> {
    fn fail(&mut self, why: String) {
        self.progress.pass();
        self.rows = None;
        self.head = None;
        self.progress.error.get_or_insert(why);
        self.progress.complete = false;
    }

    /// Reads on until there is a row, or no more.
    async fn fill(&mut self) -> Result<(), PlantError> {
        while self.head.is_none() {
            let Some(rows) = &mut self.rows else { return Ok(()) };
            match poll_fn(|context| rows.as_mut().poll_next(context)).await.transpose()? {
                Some(Piece::Row(element)) => self.take(element)?,
                Some(Piece::Page) => self.progress.pages += 1,
                Some(Piece::Total(total)) => self.progress.total = Some(total),
                Some(Piece::Bad(row)) => self.progress.unread(*row),
                Some(Piece::End { complete }) => {
                    self.rows = None;
                    self.progress.complete = complete && self.progress.is_clean();
                }
                None => self.fail("the list broke off before its end".to_owned()),
            }
        }
        Ok(())
    }

    fn take(&mut self, element: Box<Element>) -> Result<(), PlantError> {
        if self.last.is_some_and(|last| element.fid <= last) {
            let message = format!("the rows of {} do not rise: fid {} came again", self.feature, element.fid);
            return Err(PlantError::new(PlantErrorKind::Drift, message));
        }
        self.last = Some(element.fid);
        self.head = Some(element);
        Ok(())
    }
}
