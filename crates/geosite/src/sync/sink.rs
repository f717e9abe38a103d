//! Where a run writes: the register, or nowhere in a dry run.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::SyncError;
use super::kind::{Kind, Shelf};
use super::register::{Candidate, Finish, Page, Register, Term, Ticket};
use crate::feature::Feature;

/// Where a run writes.
pub(super) enum Sink<'r> {
    Register(&'r dyn Register, Ticket),
    /// Remembers only what would be deleted.
    Nowhere(&'r dyn Register, String, Mutex<Remembered>),
}

/// By shelf, since several are read at the same time.
pub(super) type Remembered = BTreeMap<Shelf, Vec<Candidate>>;

impl Sink<'_> {
    pub(super) fn is_dry(&self) -> bool {
        matches!(self, Self::Nowhere(..))
    }

    pub(super) fn ticket(&self) -> Option<&Ticket> {
        match self {
            Self::Register(_, ticket) => Some(ticket),
            Self::Nowhere(..) => None,
        }
    }

    pub(super) async fn commit_page(&self, term: Term, page: Page) -> Result<(), SyncError> {
        match self {
            Self::Register(register, ticket) => register.commit_page(ticket, term, page).await,
            Self::Nowhere(_, _, candidates) => {
                remember(candidates, page);
                Ok(())
            }
        }
    }

    pub(super) async fn finish_kind(&self, term: Term, finish: Finish) -> Result<Vec<Candidate>, SyncError> {
        match self {
            Self::Register(register, ticket) => register.finish_kind(ticket, term, finish).await,
            Self::Nowhere(_, _, candidates) => {
                let shelf = finish.page.shelf;
                remember(candidates, finish.page);
                let all = locked(candidates).remove(&shelf).unwrap_or_default();
                Ok(all.into_iter().filter(|one| finish.remove.contains(&one.kind)).collect())
            }
        }
    }

    pub(super) async fn deselect(
        &self,
        term: Term,
        planned: &BTreeMap<Kind, u64>,
        forget: &[Feature],
    ) -> Result<Option<BTreeMap<Kind, u64>>, SyncError> {
        match self {
            Self::Register(register, ticket) => register.deselect(ticket, term, planned, forget).await,
            Self::Nowhere(register, integration, _) => {
                let counts = register.counts(integration).await?;
                let live = |kind: &Kind| counts.get(kind).map_or(0, |count| count.live);
                let fits = planned.iter().all(|(kind, most)| live(kind) <= *most);
                Ok(fits.then(|| planned.keys().map(|kind| (*kind, live(kind))).collect()))
            }
        }
    }
}

fn locked(candidates: &Mutex<Remembered>) -> MutexGuard<'_, Remembered> {
    // Whoever panicked did so outside a change.
    candidates.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remember(candidates: &Mutex<Remembered>, page: Page) {
    let mut all = locked(candidates);
    let of_shelf = all.entry(page.shelf).or_default();
    if page.begin {
        of_shelf.clear();
    }
    of_shelf.extend(page.candidates);
}
