//! A register in this process's memory, for tests and for a first look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::element::{Digest, Element};
use super::error::SyncError;
use super::kind::{Kind, Shelf};
use super::register::{
    Candidate, Claim, Count, Done, Finish, Known, Page, Reason, Register, RunRow, Stored, Term, Ticket,
    Tombstone,
};
use super::selection::Integration;
use crate::feature::Feature;

type Result<T> = std::result::Result<T, SyncError>;

/// A register that is gone with the process.
#[derive(Default)]
pub struct MemoryRegister(Mutex<BTreeMap<String, House>>);

impl fmt::Debug for MemoryRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryRegister")
    }
}

/// Everything of one integration.
#[derive(Default)]
struct House {
    integration: Option<(Integration, i64)>,
    lease: Option<(String, Timestamp)>,
    fence: i64,
    runs: BTreeMap<i64, RunRow>,
    checkpoints: BTreeMap<i64, BTreeMap<Shelf, String>>,
    candidates: BTreeMap<(i64, Shelf, i64), Candidate>,
    cursors: BTreeMap<Feature, Timestamp>,
    rows: BTreeMap<(Shelf, i64), Row>,
}

#[derive(Clone)]
struct Row {
    stored: Stored,
    digest: Digest,
}

impl Row {
    fn known(&self) -> Known {
        let element = &self.stored.element;
        let live = self.stored.tombstone.is_none();
        Known::new(element.fid, element.kind, self.digest, live, element.flag.is_some())
    }

    fn is_live(&self) -> bool {
        self.stored.tombstone.is_none()
    }
}

impl House {
    /// Refuses a worker whose lease was taken over, and prolongs it otherwise.
    fn admit(&mut self, ticket: &Ticket, term: Term) -> Result<()> {
        let Some(fence) = ticket.fence else { return Ok(()) };
        match &mut self.lease {
            Some((_, until)) if self.fence == fence => {
                *until = term.until;
                Ok(())
            }
            _ => Err(SyncError::lease_lost()),
        }
    }

    fn put(&mut self, run: i64, element: Element, digest: Digest) {
        let key = (element.kind.shelf(), element.fid);
        if self.rows.get(&key).is_none_or(|row| row.stored.run <= run) {
            self.rows.insert(key, Row { stored: Stored::new(element, run, None), digest });
        }
    }

    fn page(&mut self, run: i64, page: Page) {
        if page.begin {
            self.candidates.retain(|(of, shelf, _), _| (*of, *shelf) != (run, page.shelf));
        }
        for (element, digest) in page.upserts {
            self.put(run, element, digest);
        }
        for candidate in page.candidates {
            self.candidates.insert((run, page.shelf, candidate.fid), candidate);
        }
        self.checkpoints.entry(run).or_default().insert(page.shelf, page.checkpoint);
    }

    fn finish(&mut self, run: i64, now: Timestamp, finish: Finish) -> Vec<Candidate> {
        let shelf = finish.page.shelf;
        self.page(run, finish.page);
        self.cursors.extend(finish.cursors);
        let all: Vec<Candidate> = self.of_shelf(run, shelf).collect();
        self.candidates
            .retain(|(of, on, _), one| (*of, *on) != (run, shelf) || finish.keep.contains(&one.kind));
        let due = all.into_iter().filter(|one| finish.remove.contains(&one.kind));
        due.collect::<Vec<_>>().into_iter().filter(|one| self.bury(run, shelf, *one, now)).collect()
    }

    fn of_shelf(&self, run: i64, shelf: Shelf) -> impl Iterator<Item = Candidate> + '_ {
        self.candidates.range((run, shelf, i64::MIN)..=(run, shelf, i64::MAX)).map(|(_, one)| *one)
    }

    /// Not what somebody refreshed after the run began.
    fn bury(&mut self, run: i64, shelf: Shelf, candidate: Candidate, now: Timestamp) -> bool {
        match self.rows.get_mut(&(shelf, candidate.fid)) {
            Some(row) if row.is_live() && row.stored.run <= run => {
                row.stored.tombstone = Some(Tombstone::new(now, candidate.reason));
                row.stored.run = run;
                true
            }
            _ => false,
        }
    }

    fn shelf(&self, shelf: Shelf) -> impl Iterator<Item = &Row> {
        self.rows.range((shelf, i64::MIN)..=(shelf, i64::MAX)).map(|(_, row)| row)
    }

    fn after(&self, shelf: Shelf, after: Option<i64>) -> impl Iterator<Item = &Row> {
        let from = after.map_or(i64::MIN, |after| after.saturating_add(1));
        self.rows.range((shelf, from)..=(shelf, i64::MAX)).map(|(_, row)| row)
    }

    fn counts(&self) -> BTreeMap<Kind, Count> {
        let mut counts: BTreeMap<Kind, Count> = BTreeMap::new();
        for row in self.rows.values() {
            let count = counts.entry(row.stored.element.kind).or_default();
            *if row.is_live() { &mut count.live } else { &mut count.tombstones } += 1;
        }
        counts
    }

    fn deselect(
        &mut self,
        run: i64,
        now: Timestamp,
        planned: &BTreeMap<Kind, u64>,
    ) -> Option<BTreeMap<Kind, u64>> {
        let counts = self.counts();
        let live = |kind: &Kind| counts.get(kind).map_or(0, |count| count.live);
        if planned.iter().any(|(kind, most)| live(kind) > *most) {
            return None;
        }
        for row in self
            .rows
            .values_mut()
            .filter(|row| row.is_live() && planned.contains_key(&row.stored.element.kind))
        {
            row.stored.tombstone = Some(Tombstone::new(now, Reason::Deselected));
            row.stored.run = run;
        }
        if let Some((integration, version)) = &mut self.integration {
            integration.to_delete.clear();
            *version += 1;
        }
        Some(planned.keys().map(|kind| (*kind, live(kind))).collect())
    }

    fn customers_below(&self, kind: Kind) -> u64 {
        let live = |row: &&Row| row.is_live();
        let boxes: BTreeSet<i64> = self
            .shelf(Shelf::Box)
            .filter(live)
            .filter(|row| row.stored.element.kind == kind)
            .map(|row| row.stored.element.fid)
            .collect();
        let below = |element: &Element| {
            element.kind == kind || element.parent.is_some_and(|parent| boxes.contains(&parent))
        };
        let splitters: BTreeSet<i64> = self
            .shelf(Shelf::Splitter)
            .filter(live)
            .filter(|row| below(&row.stored.element))
            .map(|row| row.stored.element.fid)
            .collect();
        let customers = self.shelf(Shelf::Cliente).filter(live);
        customers
            .filter(|row| row.stored.element.parent.is_some_and(|parent| splitters.contains(&parent)))
            .count() as u64
    }
}

impl MemoryRegister {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn houses(&self) -> MutexGuard<'_, BTreeMap<String, House>> {
        // Whoever panicked did so outside a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send>(&self, integration: &str, work: impl FnOnce(&mut House) -> T) -> Done<'static, T>
    where
        T: 'static,
    {
        let done = work(self.houses().entry(integration.to_owned()).or_default());
        Box::pin(async { Ok(done) })
    }

    fn try_with<T: Send + 'static>(
        &self,
        integration: &str,
        work: impl FnOnce(&mut House) -> Result<T>,
    ) -> Done<'static, T> {
        let done = work(self.houses().entry(integration.to_owned()).or_default());
        Box::pin(async { done })
    }
}

impl Register for MemoryRegister {
    fn integration<'a>(&'a self, name: &'a str) -> Done<'a, Option<(Integration, i64)>> {
        self.with(name, |house| house.integration.clone())
    }

    fn keep_integration<'a>(
        &'a self,
        name: &'a str,
        integration: &'a Integration,
        version: i64,
        forget: &'a [Feature],
    ) -> Done<'a, Option<i64>> {
        self.with(name, |house| {
            if house.integration.as_ref().map_or(0, |(_, version)| *version) != version {
                return None;
            }
            house.integration = Some((integration.clone(), version + 1));
            house.cursors.retain(|feature, _| !forget.contains(feature));
            Some(version + 1)
        })
    }

    fn claim<'a>(&'a self, integration: &'a str, worker: &'a str, term: Term) -> Done<'a, Claim> {
        self.with(integration, |house| {
            match &house.lease {
                Some((by, until)) if by != worker && *until > term.now => {
                    return Claim::Held { by: by.clone() };
                }
                _ => {}
            }
            house.fence += 1;
            house.lease = Some((worker.to_owned(), term.until));
            let open = |run: &&RunRow| run.finished_at.is_none() && run.mode != "single";
            let unfinished = house.runs.values().rev().find(open).cloned().map(Box::new);
            Claim::Granted { fence: house.fence, unfinished }
        })
    }

    fn open_run<'a>(&'a self, integration: &'a str, fence: Option<i64>, mut run: RunRow) -> Done<'a, i64> {
        self.try_with(integration, |house| {
            if fence.is_some_and(|fence| fence != house.fence) {
                return Err(SyncError::lease_lost());
            }
            run.run = house.runs.last_key_value().map_or(0, |(last, _)| *last) + 1;
            let id = run.run;
            house.runs.insert(id, run);
            Ok(id)
        })
    }

    fn close_run<'a>(&'a self, ticket: &'a Ticket, run: RunRow) -> Done<'a, ()> {
        self.try_with(&ticket.integration, |house| {
            if ticket.fence.is_some_and(|fence| fence != house.fence) {
                return Err(SyncError::lease_lost());
            }
            house.checkpoints.remove(&ticket.run);
            if run.outcome.as_deref() != Some("blocked") {
                house.candidates.retain(|(of, _, _), _| *of != ticket.run);
            }
            house.runs.insert(ticket.run, run);
            if ticket.fence.is_some() {
                house.lease = None;
            }
            Ok(())
        })
    }

    fn release<'a>(&'a self, integration: &'a str, fence: i64) -> Done<'a, ()> {
        self.with(integration, |house| {
            if house.fence == fence {
                house.lease = None;
            }
        })
    }

    fn commit_page<'a>(&'a self, ticket: &'a Ticket, term: Term, page: Page) -> Done<'a, ()> {
        self.try_with(&ticket.integration, |house| {
            house.admit(ticket, term)?;
            house.page(ticket.run, page);
            Ok(())
        })
    }

    fn finish_kind<'a>(&'a self, ticket: &'a Ticket, term: Term, finish: Finish) -> Done<'a, Vec<Candidate>> {
        self.try_with(&ticket.integration, |house| {
            house.admit(ticket, term)?;
            Ok(house.finish(ticket.run, term.now, finish))
        })
    }

    fn deselect<'a>(
        &'a self,
        ticket: &'a Ticket,
        term: Term,
        planned: &'a BTreeMap<Kind, u64>,
        forget: &'a [Feature],
    ) -> Done<'a, Option<BTreeMap<Kind, u64>>> {
        self.try_with(&ticket.integration, |house| {
            house.admit(ticket, term)?;
            let deleted = house.deselect(ticket.run, term.now, planned);
            if deleted.is_some() {
                house.cursors.retain(|feature, _| !forget.contains(feature));
            }
            Ok(deleted)
        })
    }

    fn refresh<'a>(
        &'a self,
        ticket: &'a Ticket,
        now: Timestamp,
        elements: Vec<(Element, Digest)>,
        gone: Vec<(Shelf, i64)>,
    ) -> Done<'a, ()> {
        self.with(&ticket.integration, |house| {
            for (element, digest) in elements {
                house.put(ticket.run, element, digest);
            }
            for (shelf, fid) in gone {
                let candidate = Candidate::new(fid, Kind::Cliente, Reason::NotFound);
                house.bury(ticket.run, shelf, candidate, now);
            }
        })
    }

    fn checkpoints<'a>(&'a self, integration: &'a str, run: i64) -> Done<'a, BTreeMap<Shelf, String>> {
        self.with(integration, |house| house.checkpoints.get(&run).cloned().unwrap_or_default())
    }

    fn candidates<'a>(
        &'a self,
        integration: &'a str,
        run: i64,
        after: Option<(Shelf, i64)>,
        limit: usize,
    ) -> Done<'a, Vec<Candidate>> {
        self.with(integration, |house| {
            let of_run = house.candidates.iter().filter(|((of, _, _), _)| *of == run);
            let rest = of_run.filter(|((_, shelf, fid), _)| after.is_none_or(|after| (*shelf, *fid) > after));
            rest.map(|(_, candidate)| *candidate).take(limit).collect()
        })
    }

    fn known<'a>(
        &'a self,
        integration: &'a str,
        shelf: Shelf,
        after: Option<i64>,
        limit: usize,
    ) -> Done<'a, Vec<Known>> {
        self.with(integration, |house| house.after(shelf, after).take(limit).map(Row::known).collect())
    }

    fn known_of<'a>(&'a self, integration: &'a str, shelf: Shelf, fids: &'a [i64]) -> Done<'a, Vec<Known>> {
        self.with(integration, |house| {
            let fids: BTreeSet<i64> = fids.iter().copied().collect();
            fids.into_iter().filter_map(|fid| house.rows.get(&(shelf, fid))).map(Row::known).collect()
        })
    }

    fn holders<'a>(
        &'a self,
        integration: &'a str,
        contracts: &'a [String],
    ) -> Done<'a, Vec<(String, Option<String>, i64)>> {
        self.with(integration, |house| {
            let asked: BTreeSet<&String> = contracts.iter().collect();
            let customers =
                house.shelf(Shelf::Cliente).filter(|row| row.is_live()).map(|row| &row.stored.element);
            let held =
                customers.filter_map(|one| Some((one.contract.clone()?, one.document.clone(), one.fid)));
            held.filter(|(contract, _, _)| asked.contains(contract)).collect()
        })
    }

    fn get<'a>(&'a self, integration: &'a str, shelf: Shelf, fid: i64) -> Done<'a, Option<Stored>> {
        self.with(integration, |house| house.rows.get(&(shelf, fid)).map(|row| row.stored.clone()))
    }

    fn list<'a>(
        &'a self,
        integration: &'a str,
        kind: Kind,
        after: Option<i64>,
        limit: usize,
    ) -> Done<'a, Vec<Stored>> {
        self.with(integration, |house| {
            let rows = house.after(kind.shelf(), after).filter(|row| row.stored.element.kind == kind);
            rows.take(limit).map(|row| row.stored.clone()).collect()
        })
    }

    fn children<'a>(&'a self, integration: &'a str, shelf: Shelf, parent: i64) -> Done<'a, Vec<Stored>> {
        self.with(integration, |house| {
            let rows =
                house.shelf(shelf).filter(|row| row.is_live() && row.stored.element.parent == Some(parent));
            rows.map(|row| row.stored.clone()).collect()
        })
    }

    fn counts<'a>(&'a self, integration: &'a str) -> Done<'a, BTreeMap<Kind, Count>> {
        self.with(integration, |house| house.counts())
    }

    fn customers_below<'a>(&'a self, integration: &'a str, kind: Kind) -> Done<'a, u64> {
        self.with(integration, |house| house.customers_below(kind))
    }

    fn cursors<'a>(&'a self, integration: &'a str) -> Done<'a, BTreeMap<Feature, Timestamp>> {
        self.with(integration, |house| house.cursors.clone())
    }

    fn history<'a>(
        &'a self,
        integration: &'a str,
        before: Option<i64>,
        limit: usize,
    ) -> Done<'a, Vec<RunRow>> {
        self.with(integration, |house| {
            let runs = house.runs.values().rev().filter(|run| before.is_none_or(|before| run.run < before));
            runs.take(limit).cloned().collect()
        })
    }

    fn purge<'a>(&'a self, integration: &'a str, tombstones: Timestamp, history: Timestamp) -> Done<'a, ()> {
        self.with(integration, |house| {
            house.rows.retain(|_, row| row.stored.tombstone.is_none_or(|stone| stone.at >= tombstones));
            // The newest stays, since it gives the next one its number.
            let newest = house.runs.last_key_value().map(|(run, _)| *run);
            house
                .runs
                .retain(|run, row| Some(*run) == newest || row.finished_at.is_none_or(|at| at >= history));
            let runs = &house.runs;
            house.candidates.retain(|(run, _, _), _| runs.contains_key(run));
        })
    }
}
