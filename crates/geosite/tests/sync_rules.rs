//! The rules of sections 4 and 6, row by row, on every register there is: in memory, in SQLite, and in PostgreSQL where a server
//! is named. The expected values are the contract's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod fake;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use fake::{FakePlant, assert_known_is_stored, held, killed_after, truth};
use geosite::Feature;
use geosite::sync::{
    Cancel, Candidate, Claim, Conflict, Doubt, Element, Event, Examine, Finish, Kind, Links, MemoryRegister,
    Mode, Notice, Outcome, Page, PlantSync, Project, Reason, Register, Request, Run, RunRow, Selection,
    SelectionFault, Settings, Shelf, StampSource, SyncError, SyncErrorKind, Tally, Term, Ticket, Verdict,
};
use integration_core::BoxFuture;
use integration_core::clock::ManualClock;
use jiff::SignedDuration;

const NAME: &str = "norte";

struct House {
    plant: FakePlant,
    register: Arc<dyn Register>,
    sync: PlantSync,
    clock: ManualClock,
    events: Arc<Mutex<Vec<Event>>>,
    links: Arc<FakeLinks>,
    kinds: Vec<Kind>,
    _folder: Option<tempfile::TempDir>,
}

#[derive(Default)]
struct FakeLinks {
    linked: Mutex<BTreeSet<i64>>,
    told: Mutex<Vec<Notice>>,
    gate: Mutex<Option<Arc<Gate>>>,
    /// What each run was to look at when it began.
    examined: Mutex<Vec<Examine>>,
    /// Whether telling about customers or boxes fails.
    refuses: Mutex<Option<Shelf>>,
}

/// Where a run stands still when it begins, with nothing of the register in its hands.
#[derive(Default)]
struct Gate {
    reached: tokio::sync::Notify,
    opened: tokio::sync::Notify,
}

impl FakeLinks {
    fn shut(&self) -> Arc<Gate> {
        Arc::clone(self.gate.lock().unwrap().insert(Arc::default()))
    }
}

impl Links for FakeLinks {
    fn linked<'a>(&'a self, splitters: &'a [i64]) -> BoxFuture<'a, Result<Vec<i64>, SyncError>> {
        let linked = self.linked.lock().unwrap();
        let found = splitters.iter().copied().filter(|fid| linked.contains(fid)).collect();
        Box::pin(async { Ok(found) })
    }

    fn told<'a>(&'a self, notices: &'a [Notice]) -> BoxFuture<'a, Result<(), SyncError>> {
        let refused = *self.refuses.lock().unwrap();
        let of = |notice: &Notice| match notice {
            Notice::CustomerChanged { .. } => Some(Shelf::Cliente),
            Notice::Removed { shelf, .. } => Some(*shelf),
            _ => None,
        };
        if refused.is_some() && notices.iter().any(|notice| of(notice) == refused) {
            return Box::pin(async { Err(SyncError::new(SyncErrorKind::Store, "the links' store is gone")) });
        }
        self.told.lock().unwrap().extend(notices);
        Box::pin(async { Ok(()) })
    }

    fn begun(&self, examine: Examine) -> BoxFuture<'_, Result<(), SyncError>> {
        self.examined.lock().unwrap().push(examine);
        let gate = self.gate.lock().unwrap().take();
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.reached.notify_one();
                gate.opened.notified().await;
            }
            Ok(())
        })
    }
}

async fn registers() -> Vec<(Arc<dyn Register>, Option<tempfile::TempDir>)> {
    #[allow(unused_mut, reason = "features add to it")]
    let mut all: Vec<(Arc<dyn Register>, Option<tempfile::TempDir>)> =
        vec![(Arc::new(MemoryRegister::new()), None)];
    #[cfg(feature = "sqlite")]
    {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/register.db", folder.path().display());
        all.push((Arc::new(geosite::sync::SqliteRegister::open(&url).await.unwrap()), Some(folder)));
    }
    all
}

/// A house on each register, with these kinds chosen.
async fn houses(kinds: &[Kind]) -> Vec<House> {
    let mut houses = Vec::new();
    for (register, folder) in registers().await {
        let mut house = open(FakePlant::new(), register, kinds, "worker-1").await.unwrap();
        house._folder = folder;
        houses.push(house);
    }
    houses
}

async fn open(
    plant: FakePlant,
    register: Arc<dyn Register>,
    kinds: &[Kind],
    worker: &str,
) -> Result<House, SyncError> {
    open_with(plant, register, kinds, worker, |_| {}).await
}

async fn open_with(
    plant: FakePlant,
    register: Arc<dyn Register>,
    kinds: &[Kind],
    worker: &str,
    set: impl Fn(&mut Settings),
) -> Result<House, SyncError> {
    let selection = Selection::of(kinds.iter().copied()).unwrap();
    let mut settings = Settings::new(NAME, worker);
    settings.page_size = 9;
    set(&mut settings);
    let clock = ManualClock::new();
    let events = Arc::new(Mutex::new(Vec::new()));
    let links = Arc::new(FakeLinks::default());
    let heard = Arc::clone(&events);
    let builder = PlantSync::builder(Arc::new(plant.clone()), Arc::clone(&register), settings)
        .clock(Arc::new(clock.clone()))
        .links(links.clone())
        .observer(Arc::new(move |event: &Event| heard.lock().unwrap().push(event.clone())));
    let sync = builder.open(&Project::create("Rede Norte"), &selection).await?;
    let kinds = selection.kinds().collect();
    Ok(House { plant, register, sync, clock, events, links, kinds, _folder: None })
}

impl House {
    async fn full(&self) -> Run {
        self.sync.run(Request::full()).await.unwrap()
    }

    async fn incremental(&self) -> Run {
        self.sync.run(Request::incremental()).await.unwrap()
    }

    async fn live(&self, kind: Kind) -> u64 {
        self.register.counts(NAME).await.unwrap().get(&kind).map_or(0, |count| count.live)
    }

    async fn is_live(&self, kind: Kind, fid: i64) -> bool {
        let stored = self.register.get(NAME, kind.shelf(), fid).await.unwrap();
        stored.is_some_and(|stored| stored.tombstone.is_none())
    }

    async fn assert_equal(&self) {
        let (live, _) = held(&*self.register, NAME).await;
        let mut live = live;
        live.values_mut().for_each(|element| element.flag = None);
        assert_eq!(live, truth(&self.plant, &self.kinds));
    }
}

fn kind_of<T: std::fmt::Debug>(result: Result<T, SyncError>) -> SyncErrorKind {
    result.unwrap_err().kind().clone()
}

/// Section 7, removal: how many of how many, and what the guard says.
#[tokio::test]
async fn the_removal_table() {
    let rows = [
        (30, 1, Verdict::Passed),
        (2_000, 50, Verdict::Passed),
        (2_000, 51, Verdict::TooMany),
        (30, 2, Verdict::TooLargeAShare),
        (10, 3, Verdict::Passed),
        (10, 10, Verdict::NothingReceived),
    ];
    for (stored, removed, verdict) in rows {
        for house in houses(&[Kind::Cto]).await {
            house.plant.state().page = 500;
            let fids = house.plant.fill(Kind::Cto, stored);
            house.plant.fill(Kind::SplitterAtendimento, 1);
            assert_eq!(house.full().await.outcome, Some(Outcome::Ok));
            fids.iter().take(removed).for_each(|fid| house.plant.delete(Kind::Cto, *fid));
            let run = house.full().await;
            let report = &run.kinds[&Kind::Cto];
            assert_eq!((report.guard, report.missing), (verdict, removed as u64), "{removed} of {stored}");
            let blocked = verdict != Verdict::Passed;
            let left = if blocked { stored } else { stored - removed };
            assert_eq!(house.live(Kind::Cto).await, left as u64, "{removed} of {stored}");
            assert_eq!(run.outcome, Some(if blocked { Outcome::Blocked } else { Outcome::Ok }));
            assert_eq!(report.removed, if blocked { 0 } else { removed as u64 });
            let listed = house.sync.held_back(run.run_id, None, 10_000).await.unwrap();
            assert_eq!(listed.len(), if blocked { removed } else { 0 });
            let rest =
                house.sync.held_back(run.run_id, listed.first().map(|one| (Shelf::Box, one.fid)), 10_000);
            assert_eq!(rest.await.unwrap().len(), listed.len().saturating_sub(1));
        }
    }
}

/// I1: the action "deactivate". What is stored stays, nothing is asked, and activation goes on where the cursors stand.
#[tokio::test]
async fn a_deactivated_integration_is_left_alone() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 30);
        let blocked = house.full().await.run_id;
        house.sync.deactivate().await.unwrap();
        house.sync.deactivate().await.unwrap();
        assert!(!house.sync.is_active().await.unwrap());
        house.plant.delete(Kind::Cto, fids[0]);
        let runs = house.sync.history(None, 10).await.unwrap().len();
        for request in [Request::incremental(), Request::full(), Request::full().dry()] {
            assert_eq!(kind_of(house.sync.run(request).await), SyncErrorKind::Inactive);
        }
        assert_eq!(kind_of(house.sync.refresh_box(fids[0]).await), SyncErrorKind::Inactive);
        let overridden = house.sync.override_guard(blocked, Kind::Cto, 1, false).await;
        assert!(overridden.is_err());
        assert_eq!(house.sync.history(None, 10).await.unwrap().len(), runs, "not even a run was begun");
        assert_eq!(house.live(Kind::Cto).await, 30);
        // Another process that opens it finds it deactivated too.
        let other =
            open(house.plant.clone(), Arc::clone(&house.register), &[Kind::Cto], "worker-2").await.unwrap();
        assert_eq!(kind_of(other.sync.run(Request::full()).await), SyncErrorKind::Inactive);
        house.sync.activate().await.unwrap();
        house.full().await;
        assert_eq!(house.live(Kind::Cto).await, 29);
    }
}

#[tokio::test]
async fn an_override_names_the_exact_number() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 100);
        house.full().await;
        fids.iter().take(60).for_each(|fid| house.plant.delete(Kind::Cto, *fid));
        let blocked = house.full().await.run_id;
        for wrong in [0, 59, 61] {
            let refused = house.sync.override_guard(blocked, Kind::Cto, wrong, true).await;
            assert_eq!(kind_of(refused), SyncErrorKind::GuardBlocked);
        }
        assert_eq!(
            kind_of(house.sync.override_guard(blocked, Kind::Hub, 60, true).await),
            SyncErrorKind::NotFound
        );
        assert_eq!(house.live(Kind::Cto).await, 100);
        // Meanwhile one more is gone: the number is not exact any more.
        house.plant.delete(Kind::Cto, fids[60]);
        let refused = house.sync.override_guard(blocked, Kind::Cto, 60, false).await;
        assert_eq!(kind_of(refused), SyncErrorKind::GuardBlocked);
        assert_eq!(house.live(Kind::Cto).await, 100);
        let blocked = house.full().await.run_id;
        let run = house.sync.override_guard(blocked, Kind::Cto, 61, false).await.unwrap();
        assert_eq!((run.kinds[&Kind::Cto].guard, run.kinds[&Kind::Cto].removed), (Verdict::Overridden, 61));
        assert_eq!(house.live(Kind::Cto).await, 39);
    }
}

#[tokio::test]
async fn an_empty_snapshot_needs_more_than_the_number() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 5);
        house.full().await;
        fids.iter().for_each(|fid| house.plant.delete(Kind::Cto, *fid));
        let blocked = house.full().await.run_id;
        let refused = house.sync.override_guard(blocked, Kind::Cto, 5, false).await;
        assert_eq!(kind_of(refused), SyncErrorKind::GuardBlocked);
        house.sync.override_guard(blocked, Kind::Cto, 5, true).await.unwrap();
        assert_eq!(house.live(Kind::Cto).await, 0);
    }
}

/// G2, G3, G5, R5: an incomplete snapshot deletes nothing and leaves its cursor.
#[tokio::test]
async fn only_a_whole_snapshot_deletes() {
    type Spoil = fn(&mut fake::State);
    let spoils: [(&str, Spoil); 4] = [
        ("no total", |state| state.no_total = true),
        ("a total that lies", |state| state.lie = 3),
        ("a row in error", |state| _ = state.bad_rows.insert(Feature::Cto)),
        ("a failure", |state| _ = state.broken.insert(Feature::Cto)),
    ];
    for (name, spoil) in spoils {
        for house in houses(&[Kind::Cto]).await {
            let fids = house.plant.fill(Kind::Cto, 30);
            house.full().await;
            let before = house.register.cursors(NAME).await.unwrap();
            house.plant.delete(Kind::Cto, fids[3]);
            house.plant.pass_time(3_600);
            spoil(&mut house.plant.state());
            let run = house.full().await;
            assert_eq!(house.live(Kind::Cto).await, 30, "{name}");
            let report = run.features.iter().find(|report| report.feature == Feature::Cto).unwrap();
            assert!(!report.complete, "{name}");
            let after = house.register.cursors(NAME).await.unwrap();
            assert_eq!(before[&Feature::Cto], after[&Feature::Cto], "{name}");
            assert_ne!(run.outcome, Some(Outcome::Ok), "{name}");
        }
    }
}

/// Y5: one cursor per feature.
#[tokio::test]
async fn one_feature_fails_and_the_others_go_on() {
    for house in houses(&[Kind::Cto, Kind::Hub]).await {
        house.plant.fill(Kind::Cto, 10);
        let hubs = house.plant.fill(Kind::Hub, 10);
        house.full().await;
        house.plant.pass_time(3_600);
        house.plant.delete(Kind::Hub, hubs[0]);
        house.plant.state().broken.insert(Feature::Cto);
        let run = house.full().await;
        assert_eq!(run.outcome, Some(Outcome::Partial));
        assert_eq!((house.live(Kind::Cto).await, house.live(Kind::Hub).await), (10, 9));
        let cursors = house.register.cursors(NAME).await.unwrap();
        assert!(cursors[&Feature::Hub] > cursors[&Feature::Cto]);
        assert!(run.warnings.iter().any(|warning| warning.contains("cto")));
    }
}

/// G4: three restarts, then `PageDrift`.
#[tokio::test]
async fn drift_begins_a_list_again_three_times() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 40);
        house.full().await;
        house.plant.delete(Kind::Cto, fids[39]);
        house.plant.state().on_page = Some(Box::new(|state| _ = state.insert(Kind::Cto)));
        let run = house.full().await;
        let report = run.features.iter().find(|report| report.feature == Feature::Cto).unwrap();
        assert_eq!((report.restarts, report.complete), (3, false));
        assert!(report.error.as_ref().unwrap().contains("PageDrift"));
        assert!(house.is_live(Kind::Cto, fids[39]).await);
        let restarted = house
            .events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| matches!(event, Event::Restarted { .. }))
            .count();
        assert!(restarted >= 3);
        house.plant.state().on_page = Some(Box::new(|_| {}));
        assert_eq!(house.full().await.outcome, Some(Outcome::Ok));
        house.assert_equal().await;
    }
}

/// Y2, Y3: the row exactly on the bound comes, the overlap changes nothing twice, and the cost is that of the changes.
#[tokio::test]
async fn an_incremental_run_reads_what_changed() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 500);
        let first = house.full().await;
        let start = house.plant.state().now;
        assert_eq!((first.stamp, first.stamp_source), (start, StampSource::Server));
        // Exactly on the bound: 15 minutes before the cursor.
        house.plant.pass_time(3_600);
        let bound = start.checked_sub(SignedDuration::from_mins(15)).unwrap();
        let table = |state: &mut fake::State, fid: i64, seconds: i64| {
            let element = state.tables.get_mut(&Feature::Cto).unwrap().get_mut(&fid).unwrap();
            element.name = Some("late".to_owned());
            element.changed_at = bound.checked_add(SignedDuration::from_secs(seconds)).ok();
        };
        {
            let mut state = house.plant.state();
            state.tables.get_mut(&Feature::Cto).unwrap().values_mut().for_each(|element| {
                element.changed_at = bound.checked_sub(SignedDuration::from_hours(9)).ok();
            });
            table(&mut state, fids[0], 0);
            table(&mut state, fids[1], -1);
            state.rows_sent = 0;
            state.asked.clear();
        }
        let run = house.incremental().await;
        assert_eq!(house.plant.state().rows_sent, 1);
        assert_eq!(run.kinds[&Kind::Cto].changed, 1);
        assert!(house.plant.state().asked.iter().all(|(_, since, _)| *since == Some(bound)));
        // The cursor is the run's start, not moved by the overlap; the same row comes again and is no second change.
        assert_eq!(house.register.cursors(NAME).await.unwrap()[&Feature::Cto], run.stamp);
        house.plant.edit(Kind::Cto, fids[0], |_| {});
        let now = house.plant.state().now;
        let again = house.incremental().await;
        assert_eq!((again.kinds[&Kind::Cto].changed, again.stamp), (1, now));
        let third = house.incremental().await;
        assert_eq!((third.kinds[&Kind::Cto].changed, third.kinds[&Kind::Cto].overlap_hits), (0, 1));
        assert_eq!(house.sync.health().await.unwrap().overlap_hits, 1);
        // What the incremental runs cannot see, the full one finds, and counts as drift.
        let full = house.full().await;
        assert!(full.kinds[&Kind::Cto].drift >= 498);
        assert_eq!(house.sync.health().await.unwrap().drift, full.kinds[&Kind::Cto].drift);
        house.assert_equal().await;
    }
}

#[tokio::test]
async fn an_incremental_run_deletes_nothing() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 10);
        house.full().await;
        house.plant.delete(Kind::Cto, fids[0]);
        house.incremental().await;
        assert!(house.is_live(Kind::Cto, fids[0]).await);
    }
}

/// A first run, a column that is not known, a lost cursor: whole.
#[tokio::test]
async fn without_a_cursor_everything_is_read() {
    for house in houses(&[Kind::Cto]).await {
        house.plant.fill(Kind::Cto, 10);
        assert!(house.incremental().await.features.iter().all(|report| report.whole));
        assert!(house.incremental().await.features.iter().all(|report| !report.whole));
        house.plant.state().tells_changes = false;
        assert!(house.incremental().await.features.iter().all(|report| report.whole));
    }
}

#[tokio::test]
async fn a_clock_that_went_back_moves_no_cursor() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 10);
        house.full().await;
        let before = house.register.cursors(NAME).await.unwrap();
        house.plant.edit(Kind::Cto, fids[0], |element| element.code = Some("new".to_owned()));
        house.plant.state().date = Some(SignedDuration::from_hours(-5));
        let run = house.incremental().await;
        assert_eq!(run.kinds[&Kind::Cto].changed, 1);
        assert_eq!(house.register.cursors(NAME).await.unwrap(), before);
        assert!(run.warnings.iter().any(|warning| warning.contains("ClockWentBack")));
        // A server without a clock: ours, less the allowance.
        house.plant.state().date = None;
        let run = house.full().await;
        assert_eq!(run.stamp_source, StampSource::OwnClock);
        assert_eq!(run.started_at.duration_since(run.stamp), SignedDuration::from_mins(2));
    }
}

/// Y7, and 180 days.
#[tokio::test]
async fn what_returns_is_restored_and_gravestones_do_not_last() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 100);
        house.full().await;
        house.plant.delete(Kind::Cto, fids[0]);
        house.plant.delete(Kind::Cto, fids[1]);
        house.full().await;
        let stored = house.register.get(NAME, Shelf::Box, fids[0]).await.unwrap().unwrap();
        assert_eq!(stored.tombstone.unwrap().reason, Reason::Missing);
        assert!(
            house.links.told.lock().unwrap().contains(&Notice::Removed { shelf: Shelf::Box, fid: fids[0] })
        );
        house.plant.state().put(Kind::Cto, fids[0]);
        let run = house.full().await;
        assert_eq!((run.kinds[&Kind::Cto].restored, run.kinds[&Kind::Cto].added), (1, 0));
        assert!(
            house.links.told.lock().unwrap().contains(&Notice::Restored { kind: Kind::Cto, fid: fids[0] })
        );
        let day = std::time::Duration::from_secs(24 * 3600);
        house.clock.advance(day * 180);
        house.full().await;
        assert!(house.register.get(NAME, Shelf::Box, fids[1]).await.unwrap().is_some());
        house.clock.advance(day);
        house.full().await;
        assert!(house.register.get(NAME, Shelf::Box, fids[1]).await.unwrap().is_none());
    }
}

/// Contract 3.1: one `fid` under two features is one element, and the more specific kind wins.
#[tokio::test]
async fn a_box_in_two_lists_is_one_box() {
    for house in houses(&[Kind::Cto, Kind::CaixaEmenda]).await {
        let fids = house.plant.fill(Kind::Cto, 20);
        for fid in &fids {
            house.plant.state().put(Kind::CaixaEmenda, *fid);
        }
        house.full().await;
        assert_eq!((house.live(Kind::Cto).await, house.live(Kind::CaixaEmenda).await), (20, 0));
        // An incremental run that meets only the general list changes nothing.
        for _ in 0..2 {
            // Beyond the overlap, which would bring the other list's row as well.
            house.plant.pass_time(36_000);
            house.incremental().await;
        }
        house.plant.edit(Kind::CaixaEmenda, fids[4], |element| element.code = Some("x".to_owned()));
        house.incremental().await;
        assert!(
            house.register.get(NAME, Shelf::Box, fids[4]).await.unwrap().unwrap().element.kind == Kind::Cto
        );
        // Gone from its own list, it is still a box.
        house.plant.delete(Kind::Cto, fids[4]);
        let run = house.full().await;
        assert_eq!(run.sum(|report| report.removed), 0);
        assert_eq!((house.live(Kind::Cto).await, house.live(Kind::CaixaEmenda).await), (19, 1));
        // While the general list cannot be read, nothing of the others is provably gone.
        house.plant.delete(Kind::Cto, fids[5]);
        house.plant.state().broken.insert(Feature::CaixaEmenda);
        house.full().await;
        assert!(house.is_live(Kind::Cto, fids[5]).await);
        house.plant.state().broken.clear();
        house.full().await;
        house.assert_equal().await;
    }
}

fn splitter(house: &House, kind: Kind, fid: i64, parent: i64) {
    let mut state = house.plant.state();
    state.put(kind, fid);
    let element = state.tables.get_mut(&Feature::Splitter).unwrap().get_mut(&fid).unwrap();
    element.parent = Some(parent);
    element.ports = Some(8);
}

/// Contract 4.7, single box.
#[tokio::test]
async fn one_box_with_its_splitters() {
    for house in houses(&[Kind::Cto, Kind::Hub]).await {
        let boxes = house.plant.fill(Kind::Cto, 3);
        for (fid, parent) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
            splitter(&house, Kind::SplitterAtendimento, fid, boxes[parent]);
        }
        house.full().await;
        let cursors = house.register.cursors(NAME).await.unwrap();
        house.plant.pass_time(600);
        // One changes, one goes, one moves to another box, one is new.
        house.plant.edit(Kind::SplitterAtendimento, 1, |element| element.ports = Some(16));
        house.plant.delete(Kind::SplitterAtendimento, 2);
        house.plant.edit(Kind::SplitterAtendimento, 3, |element| element.parent = Some(boxes[2]));
        splitter(&house, Kind::SplitterAtendimento, 5, boxes[0]);
        house.plant.state().looked_up.clear();
        let run = house.sync.refresh_box(boxes[0]).await.unwrap();
        let report = &run.kinds[&Kind::SplitterAtendimento];
        assert_eq!((report.added, report.changed, report.removed), (1, 2, 1));
        house.assert_equal().await;
        // Only what was absent was asked for by itself.
        let looked_up: BTreeSet<_> = house.plant.state().looked_up.drain(..).collect();
        assert_eq!(
            looked_up,
            [(Feature::Cto, boxes[0]), (Feature::Splitter, 2), (Feature::Splitter, 3)].into()
        );
        assert_eq!(house.register.cursors(NAME).await.unwrap(), cursors, "no cursor moves");
        assert_eq!(house.sync.history(None, 1).await.unwrap()[0].mode, Mode::Single);
        let stone = house.register.get(NAME, Shelf::Splitter, 2).await.unwrap().unwrap().tombstone.unwrap();
        assert_eq!(stone.reason, Reason::NotFound);
    }
}

#[tokio::test]
async fn a_box_is_gone_only_if_every_list_says_so() {
    for house in houses(&[Kind::Cto, Kind::Hub]).await {
        let boxes = house.plant.fill(Kind::Cto, 3);
        house.full().await;
        house.plant.state().unclear = true;
        assert_eq!(kind_of(house.sync.refresh_box(boxes[0]).await), SyncErrorKind::Plant);
        house.plant.state().unclear = false;
        house.plant.delete(Kind::Cto, boxes[0]);
        house.plant.state().broken.insert(Feature::Hub);
        assert_eq!(kind_of(house.sync.refresh_box(boxes[0]).await), SyncErrorKind::Plant);
        assert!(house.is_live(Kind::Cto, boxes[0]).await);
        house.plant.state().broken.clear();
        let run = house.sync.refresh_box(boxes[0]).await.unwrap();
        assert_eq!(run.kinds[&Kind::Cto].removed, 1);
        assert!(!house.is_live(Kind::Cto, boxes[0]).await);
        // A box that nobody knows.
        let run = house.sync.refresh_box(77).await.unwrap();
        assert_eq!(run.sum(|report| report.removed + report.added), 0);
        assert_eq!(run.warnings.len(), 1);
    }
}

/// 4.9: a row refreshed by a single-box read after the run began is never deleted by that run.
#[tokio::test]
async fn what_was_refreshed_meanwhile_survives() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 30);
        house.full().await;
        house.plant.delete(Kind::Cto, fids[0]);
        // The run has read the page that lacks it, and is killed there; then it is back, and refreshed.
        let mut running = house.sync.watch(Request::full());
        while !matches!(running.next().await, Some(Event::Page { shelf: Shelf::Box, .. })) {}
        drop(running);
        let run = house.sync.history(None, 1).await.unwrap()[0].run_id;
        assert_eq!(house.register.candidates(NAME, run, None, 9).await.unwrap().len(), 1);
        house.plant.state().put(Kind::Cto, fids[0]);
        let unfinished = house.sync.history(None, 1).await.unwrap().remove(0);
        house.sync.refresh_box(fids[0]).await.unwrap();
        // The total must still fit, or the list would be begun again: one goes that was read already.
        house.plant.delete(Kind::Cto, fids[1]);
        let run = house.full().await;
        assert_eq!((run.run_id, run.outcome), (unfinished.run_id, Some(Outcome::Ok)));
        assert!(run.features.iter().all(|report| report.restarts == 0), "it was not begun again");
        assert!(house.is_live(Kind::Cto, fids[0]).await);
        house.full().await;
        house.assert_equal().await;
    }
}

/// What the run would write over a newer row is not written, and the next comparison is told of the newer row.
#[tokio::test]
async fn what_was_refreshed_meanwhile_is_not_overwritten() {
    for house in houses(&[Kind::Cto]).await {
        let fid = house.plant.fill(Kind::Cto, 30)[29];
        house.full().await;
        let mut polls = 1;
        while house.sync.history(None, 1).await.unwrap()[0].finished_at.is_some() {
            assert!(killed_after(polls, house.sync.run(Request::full())).await.is_none());
            polls += 1;
        }
        let unfinished = house.sync.history(None, 1).await.unwrap()[0].run_id;
        house.plant.edit(Kind::Cto, fid, |element| element.name = Some("refreshed".to_owned()));
        house.sync.refresh_box(fid).await.unwrap();
        house.plant.edit(Kind::Cto, fid, |element| element.name = Some("later".to_owned()));
        assert_eq!(house.full().await.run_id, unfinished);
        let stored = house.register.get(NAME, Shelf::Box, fid).await.unwrap().unwrap();
        assert_eq!(stored.element.name.as_deref(), Some("refreshed"));
        assert_known_is_stored(&*house.register, NAME, 50).await;
        house.full().await;
        house.assert_equal().await;
    }
}

/// Y4, Y10: a killed run goes on at its last page, with the same stamp and bound.
#[tokio::test]
async fn a_killed_run_goes_on_where_it_was() {
    for house in houses(&[Kind::Cto]).await {
        house.plant.fill(Kind::Cto, 100);
        let mut polls = 4;
        // However far it comes; a register on disk needs more polls for the same page.
        while house.live(Kind::Cto).await < 30 {
            polls += 4;
            assert!(killed_after(polls, house.sync.run(Request::full())).await.is_none());
        }
        let stored = house.live(Kind::Cto).await;
        let killed = house.sync.history(None, 1).await.unwrap().remove(0);
        assert_eq!(killed.outcome, None);
        house.plant.pass_time(60);
        house.plant.state().asked.clear();
        let run = house.incremental().await;
        assert!(run.resumed);
        assert_eq!((run.run_id, run.stamp, run.mode), (killed.run_id, killed.stamp, Mode::Full));
        let (_, _, from) =
            house.plant.state().asked.iter().copied().find(|(feature, ..)| *feature == Feature::Cto).unwrap();
        assert_eq!((from.read, from.total), (stored, Some(100)));
        assert_eq!(run.kinds[&Kind::Cto].added, 100);
        house.assert_equal().await;
    }
}

#[tokio::test]
async fn a_killed_run_that_is_too_old_or_too_little_is_given_up() {
    for house in houses(&[Kind::Cto]).await {
        house.plant.fill(Kind::Cto, 100);
        house.full().await;
        house.plant.pass_time(60);
        let incremental = Request::incremental();
        assert!(
            killed_after(3, house.sync.run(incremental)).await.is_none()
                || !house.register.cursors(NAME).await.unwrap().is_empty()
        );
        let run = house.full().await;
        assert!(!run.resumed && run.mode == Mode::Full);
        while killed_after(6, house.sync.run(Request::full())).await.is_some() {}
        house.clock.advance(std::time::Duration::from_secs(25 * 3600));
        let run = house.full().await;
        assert!(!run.resumed);
    }
}

#[tokio::test]
async fn one_run_at_a_time() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 100);
        let other =
            open(house.plant.clone(), Arc::clone(&house.register), &[Kind::Cto], "worker-2").await.unwrap();
        let gate = house.links.shut();
        let first = house.sync.clone();
        let running = tokio::spawn(async move { first.run(Request::full()).await });
        gate.reached.notified().await;
        let by = "worker-1".to_owned();
        assert_eq!(kind_of(other.sync.run(Request::full()).await), SyncErrorKind::RunInProgress { by });
        // A dry run writes nothing, and may run beside it.
        other.sync.run(Request::full().dry()).await.unwrap();
        // Its lease runs out: the other takes it over, and the first writes nothing more.
        other.clock.advance(std::time::Duration::from_secs(301));
        let run = other.sync.run(Request::full()).await.unwrap();
        assert!(run.resumed);
        house.assert_equal().await;
        // What only the first could bring now.
        house.plant.edit(Kind::Cto, fids[0], |element| element.name = Some("later".to_owned()));
        gate.opened.notify_one();
        assert_eq!(kind_of(running.await.unwrap()), SyncErrorKind::LeaseLost);
        let stored = house.register.get(NAME, Shelf::Box, fids[0]).await.unwrap().unwrap();
        assert_ne!(stored.element.name.as_deref(), Some("later"));
    }
}

#[tokio::test]
async fn a_dry_run_reports_the_same_and_writes_nothing() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 100);
        house.full().await;
        house.plant.pass_time(60);
        fids.iter().take(2).for_each(|fid| house.plant.delete(Kind::Cto, *fid));
        house.plant.edit(Kind::Cto, fids[50], |element| element.code = Some("x".to_owned()));
        house.plant.fill(Kind::Cto, 1);
        let before = (held(&*house.register, NAME).await, house.register.cursors(NAME).await.unwrap());
        let runs = house.sync.history(None, 10).await.unwrap().len();
        let dry = house.sync.run(Request::full().dry()).await.unwrap();
        assert_eq!((held(&*house.register, NAME).await, house.register.cursors(NAME).await.unwrap()), before);
        assert_eq!(house.sync.history(None, 10).await.unwrap().len(), runs);
        let run = house.full().await;
        assert_eq!(dry.kinds, run.kinds);
        assert_eq!(run.kinds[&Kind::Cto].removed, 2);
    }
}

/// Each shelf by itself, though several are read at the same time.
#[tokio::test]
async fn a_dry_run_of_several_shelves_reports_each() {
    for house in houses(&FIVE).await {
        for kind in FIVE {
            house.plant.fill(kind, 40);
        }
        house.full().await;
        for (kind, gone) in FIVE.into_iter().zip([1, 2, 1, 2, 1]) {
            for _ in 0..gone {
                let fid = house.plant.state().random_fid(kind.feature()).unwrap();
                house.plant.delete(kind, fid);
            }
        }
        let dry = house.sync.run(Request::full().dry()).await.unwrap();
        let removed: Vec<u64> = FIVE.iter().map(|kind| dry.kinds[kind].removed).collect();
        assert_eq!(removed, [1, 2, 1, 2, 1]);
        assert_eq!(house.full().await.kinds, dry.kinds);
    }
}

#[tokio::test]
async fn a_cancelled_run_leaves_what_it_stored() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 100);
        house.full().await;
        house.plant.delete(Kind::Cto, fids[0]);
        let cancel = Cancel::new();
        cancel.stop();
        let run = house.sync.run(Request::full().stopped_by(&cancel)).await.unwrap();
        assert_eq!(run.outcome, Some(Outcome::Cancelled));
        assert_eq!(house.live(Kind::Cto).await, 100);
        assert!(!house.full().await.resumed);
        house.assert_equal().await;
    }
}

/// E4, E5, E6.
#[tokio::test]
async fn deselecting_shows_counts_first_and_deletes_at_the_next_run() {
    for mut house in houses(&[Kind::Cto, Kind::Hub]).await {
        let hubs = house.plant.fill(Kind::Hub, 60);
        house.plant.fill(Kind::Cto, 5);
        splitter(&house, Kind::SplitterAtendimento, 1, hubs[0]);
        house.full().await;
        let without = Selection::of([Kind::Cto]).unwrap();
        let plan = house.sync.plan_selection(without.clone()).await.unwrap();
        assert_eq!((plan.kinds[&Kind::Hub].stored, plan.kinds[&Kind::Hub].to_delete), (60, 60));
        assert_eq!(plan.kinds[&Kind::Cto].to_delete, 0);
        house.sync.apply_selection(&plan).await.unwrap();
        let outdated = SyncErrorKind::SelectionInvalid(SelectionFault::PlanOutdated);
        assert_eq!(kind_of(house.sync.apply_selection(&plan).await), outdated);
        assert_eq!(house.live(Kind::Hub).await, 60, "not before the next run");
        // An incremental run deletes them too, more than any guard would let through.
        let run = house.incremental().await;
        assert_eq!((run.kinds[&Kind::Hub].removed, house.live(Kind::Hub).await), (60, 0));
        let stored = house.register.get(NAME, Shelf::Box, hubs[0]).await.unwrap().unwrap();
        assert_eq!(stored.tombstone.unwrap().reason, Reason::Deselected);
        assert!(
            house.is_live(Kind::SplitterAtendimento, 1).await,
            "a deleted box does not delete its splitters"
        );
        assert!(!house.register.cursors(NAME).await.unwrap().contains_key(&Feature::Hub));
        house.kinds.retain(|kind| *kind != Kind::Hub);
        house.full().await;
        house.assert_equal().await;
        // Chosen again, it is read whole, and what was deleted is restored.
        let plan = house.sync.plan_selection(Selection::of([Kind::Cto, Kind::Hub]).unwrap()).await.unwrap();
        assert!(plan.kinds[&Kind::Hub].read_whole);
        house.sync.apply_selection(&plan).await.unwrap();
        let run = house.incremental().await;
        assert_eq!(run.kinds[&Kind::Hub].restored, 60);
        house.kinds.push(Kind::Hub);
        house.assert_equal().await;
    }
}

#[tokio::test]
async fn a_deselected_kind_that_has_grown_stops_the_run() {
    for house in houses(&[Kind::Cto, Kind::Hub]).await {
        house.plant.fill(Kind::Hub, 6);
        house.full().await;
        let plan = house.sync.plan_selection(Selection::of([Kind::Cto]).unwrap()).await.unwrap();
        house.plant.fill(Kind::Hub, 1);
        house.full().await;
        house.sync.apply_selection(&plan).await.unwrap();
        assert_eq!(kind_of(house.sync.run(Request::full()).await), SyncErrorKind::GuardBlocked);
        assert_eq!(house.live(Kind::Hub).await, 7);
        assert_eq!(house.sync.history(None, 1).await.unwrap()[0].outcome, Some(Outcome::Blocked));
        let plan = house.sync.plan_selection(Selection::of([Kind::Cto]).unwrap()).await.unwrap();
        house.sync.apply_selection(&plan).await.unwrap();
        house.full().await;
        assert_eq!(house.live(Kind::Hub).await, 0);
    }
}

/// I2, I3.
#[tokio::test]
async fn one_project_and_no_more() {
    for house in houses(&[Kind::Cto]).await {
        let settings = Settings::new(NAME, "worker-1");
        let plant = Arc::new(house.plant.clone());
        let builder = PlantSync::builder(plant, Arc::clone(&house.register), settings);
        let other = builder.open(&Project::create("Rede Sul"), &Selection::of([Kind::Cto]).unwrap()).await;
        let attached = SelectionFault::ProjectAttached("Rede Norte".to_owned());
        assert_eq!(kind_of(other), SyncErrorKind::SelectionInvalid(attached));
    }
}

/// Contract 4.4.
#[tokio::test]
async fn a_service_splitter_that_turns_into_something_else() {
    for house in houses(&[Kind::Cto]).await {
        let boxes = house.plant.fill(Kind::Cto, 1);
        for fid in 1..=100 {
            splitter(&house, Kind::SplitterAtendimento, fid, boxes[0]);
        }
        splitter(&house, Kind::SplitterDistribuicao, 200, boxes[0]);
        house.full().await;
        assert!(house.register.get(NAME, Shelf::Splitter, 200).await.unwrap().is_none(), "not chosen");
        house.links.linked.lock().unwrap().insert(1);
        house.plant.pass_time(3_600);
        for fid in [1, 2] {
            house.plant.edit(Kind::SplitterAtendimento, fid, |element| {
                element.kind = Kind::SplitterDistribuicao;
                element.role = Some("Rede".to_owned());
            });
        }
        let conflict = Conflict::RoleChanged { fid: 1, role: Some("Rede".to_owned()) };
        let run = house.incremental().await;
        assert_eq!(run.conflicts, [conflict]);
        let stored = house.register.get(NAME, Shelf::Splitter, 1).await.unwrap().unwrap();
        assert_eq!((stored.element.kind, stored.element.flag.is_some()), (Kind::SplitterDistribuicao, true));
        assert!(house.is_live(Kind::SplitterDistribuicao, 2).await, "an incremental run deletes nothing");
        let run = house.full().await;
        assert_eq!((run.conflicts.len(), run.outcome), (1, Some(Outcome::Ok)));
        assert!(
            house.is_live(Kind::SplitterDistribuicao, 1).await,
            "row and links stay, whatever the selection"
        );
        let stored = house.register.get(NAME, Shelf::Splitter, 2).await.unwrap().unwrap();
        assert_eq!(stored.tombstone.unwrap().reason, Reason::Deselected);
    }
}

/// Contract C3.
#[tokio::test]
async fn a_contract_with_another_document_is_no_overwrite() {
    for house in houses(&[Kind::Cto, Kind::Cliente]).await {
        let fids = house.plant.fill(Kind::Cliente, 3);
        for (fid, contract, document) in
            [(0, "10", "52998224725"), (1, "11", "52998224725"), (2, "12", "12345678909")]
        {
            house.plant.edit(Kind::Cliente, fids[fid], |element| {
                (element.contract, element.document) = (Some(contract.to_owned()), Some(document.to_owned()));
            });
        }
        let first = house.full().await;
        assert!(first.conflicts.is_empty(), "one document with several contracts is no conflict");
        house.plant.edit(Kind::Cliente, fids[0], |element| element.document = Some("01234567890".to_owned()));
        let run = house.incremental().await;
        let conflict = Conflict::Identity { fid: fids[0], contract: "10".to_owned(), held_by: fids[0] };
        assert_eq!(run.conflicts, [conflict]);
        let stored = house.register.get(NAME, Shelf::Cliente, fids[0]).await.unwrap().unwrap();
        assert_eq!(stored.element.document.as_deref(), Some("52998224725"));
        // Under another number it is kept beside, and reported.
        let fid = house.plant.fill(Kind::Cliente, 1)[0];
        house.plant.edit(Kind::Cliente, fid, |element: &mut Element| {
            (element.contract, element.document) = (Some("11".to_owned()), Some("01234567890".to_owned()));
        });
        let run = house.incremental().await;
        assert!(run.conflicts.contains(&Conflict::Identity {
            fid,
            contract: "11".to_owned(),
            held_by: fids[1]
        }));
    }
}

/// R5, R6: rows that could not be read are named, not only counted; at most a hundred, and each once, however often a run is killed.
#[tokio::test]
async fn rows_that_could_not_be_read_are_named() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 150);
        house.full().await;
        house.plant.state().nameless = fids.iter().copied().skip(20).take(120).collect();
        house.plant.delete(Kind::Cto, fids[0]);
        let mut polls = 14;
        let run = loop {
            match killed_after(polls, house.sync.run(Request::full())).await {
                Some(run) => break run.unwrap(),
                None => polls += 10,
            }
        };
        let report = run.features.iter().find(|report| report.feature == Feature::Cto).unwrap();
        assert!(run.resumed && run.outcome != Some(Outcome::Ok) && !report.complete);
        assert!(house.is_live(Kind::Cto, fids[0]).await, "nothing is deleted");
        assert_eq!((report.read, report.failed, report.unread.len()), (29, 120, 100));
        // The first hundred, in their order; rows 20 to 119 of what is left in the plant.
        let positions: Vec<u64> = report.unread.iter().map(|row| row.position).collect();
        assert_eq!(positions, (20..120).collect::<Vec<u64>>());
        let first = &report.unread[0];
        assert_eq!((first.feature, first.fid), (Feature::Cto, None));
        assert!(first.name.as_ref().unwrap().starts_with(&format!("cto {}", fids[20])));
        assert!(report.unread.windows(2).all(|pair| pair[0].page <= pair[1].page));
        // It is kept with the run, and told in one line without names.
        assert_eq!(house.sync.history(None, 1).await.unwrap()[0].features, run.features);
        assert!(
            run.warnings.iter().any(|line| line == "cto: 120 rows could not be read; `unread` names 100")
        );
        // Once they can be read, the run is whole, and names nobody.
        house.plant.state().nameless.clear();
        let run = house.full().await;
        assert_eq!(run.outcome, Some(Outcome::Ok));
        assert!(run.features.iter().all(|report| report.unread.is_empty()));
        house.assert_equal().await;
    }
}

/// R9, C3, C4, 3.3: what is doubtful is stored as it came, counted and named.
#[tokio::test]
async fn doubtful_elements_are_counted_and_named() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 130);
        for fid in &fids[..120] {
            house.plant.edit(Kind::Cto, *fid, |element| element.doubts = vec![Doubt::LooksSwapped]);
        }
        house.plant.edit(Kind::Cto, fids[129], |element| {
            (element.latitude_e7, element.longitude_e7) = (Some(-227_300_000), Some(-476_500_000));
        });
        let run = house.full().await;
        assert_eq!((run.outcome, run.doubts.len()), (Some(Outcome::Ok), 100));
        let report = &run.kinds[&Kind::Cto];
        assert_eq!((report.added, report.doubtful, report.without_place), (130, 120, 129));
        let first = run.doubts[0];
        assert_eq!((first.kind, first.fid, first.doubt), (Kind::Cto, fids[0], Doubt::LooksSwapped));
        assert!(run.warnings.iter().any(|line| line.starts_with("cto: 120 doubts")));
        assert_eq!(house.sync.history(None, 1).await.unwrap()[0].doubts, run.doubts);
        let stored = house.register.get(NAME, Shelf::Box, fids[0]).await.unwrap().unwrap();
        assert!(stored.element.doubts.is_empty(), "a doubt is no content");
    }
}

/// 2.5 `existing_only`: what is only designed is read, counted and not stored; what becomes a design goes as what is missing does.
#[tokio::test]
async fn what_is_only_designed_is_left_out() {
    let design = |house: &House, fids: &[i64]| {
        for fid in fids {
            house.plant.edit(Kind::Cto, *fid, |element| element.designed = true);
        }
    };
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 60);
        design(&house, &fids[..10]);
        house.plant.pass_time(3_600);
        let run = house.full().await;
        let report = &run.kinds[&Kind::Cto];
        assert_eq!(
            (run.outcome, report.designed, report.added, report.read),
            (Some(Outcome::Ok), 10, 50, 50)
        );
        assert!(run.warnings.iter().any(|line| line.contains("10 elements are only designed")));
        assert!(!house.is_live(Kind::Cto, fids[0]).await);
        // An incremental run deletes nothing, and neither does a look at the one box.
        house.plant.pass_time(3_600);
        design(&house, &fids[10..12]);
        let run = house.incremental().await;
        assert_eq!((run.kinds[&Kind::Cto].designed, house.live(Kind::Cto).await), (2, 50));
        let run = house.sync.refresh_box(fids[10]).await.unwrap();
        assert_eq!((run.kinds[&Kind::Cto].designed, house.live(Kind::Cto).await), (1, 50));
        house.sync.refresh_box(fids[0]).await.unwrap();
        assert!(!house.is_live(Kind::Cto, fids[0]).await, "a design does not come in by itself either");
        // Two of fifty are few enough.
        let run = house.full().await;
        assert_eq!((run.kinds[&Kind::Cto].removed, house.live(Kind::Cto).await), (2, 48));
        // A status column that is read wrongly looks like an empty network.
        design(&house, &fids);
        let run = house.full().await;
        assert_eq!(run.kinds[&Kind::Cto].guard, Verdict::NothingReceived);
        assert_eq!(house.live(Kind::Cto).await, 48);
    }
}

const FIVE: [Kind; 5] = [Kind::Cto, Kind::Estacao, Kind::Poste, Kind::LanceCabo, Kind::Cliente];

/// 2.3: so many lists at a time; what is stored and reported does not depend on it.
#[tokio::test]
async fn shelves_are_read_side_by_side() {
    let mut seen = Vec::new();
    for (at_once, most) in [(1, 1), (2, 2), (4, 4), (9, 6)] {
        for (register, _folder) in registers().await {
            let plant = FakePlant::new();
            let set = |settings: &mut Settings| settings.at_once = at_once;
            let house = open_with(plant, register, &FIVE, "worker-1", set).await.unwrap();
            for kind in FIVE.into_iter().chain([Kind::SplitterAtendimento]) {
                let fids = house.plant.fill(kind, 40);
                house.plant.edit(kind, fids[0], |element| element.doubts = vec![Doubt::OutsideBrazil]);
            }
            let run = house.full().await;
            assert_eq!((run.outcome, house.plant.state().most_open), (Some(Outcome::Ok), most), "{at_once}");
            let (live, _) = held(&*house.register, NAME).await;
            assert_eq!(live.len(), 240);
            seen.push((run.kinds, run.features, run.doubts, live.into_keys().collect::<Vec<_>>()));
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "the order of reading does not show");
}

/// What one shelf has stored stays when another fails, and the next run goes on there.
#[tokio::test]
async fn one_shelf_that_fails_does_not_lose_what_another_has_stored() {
    for (register, _folder) in registers().await {
        // All together, so that none has come to its end when one fails.
        let set = |settings: &mut Settings| settings.at_once = 6;
        let house = open_with(FakePlant::new(), register, &FIVE, "worker-1", set).await.unwrap();
        for kind in FIVE {
            house.plant.fill(kind, 100);
        }
        *house.links.refuses.lock().unwrap() = Some(Shelf::Cliente);
        assert_eq!(kind_of(house.sync.run(Request::full()).await), SyncErrorKind::Store);
        let posts = house.live(Kind::Poste).await;
        assert!((1..100).contains(&posts), "the others stored what they had, and stopped: {posts}");
        *house.links.refuses.lock().unwrap() = None;
        house.plant.state().asked.clear();
        let run = house.full().await;
        assert_eq!((run.resumed, run.outcome), (true, Some(Outcome::Ok)));
        let asked = house.plant.state().asked.clone();
        let of_posts = asked.iter().find(|(feature, ..)| *feature == Feature::Poste);
        assert!(of_posts.is_none_or(|(_, _, from)| from.read == posts), "read on, not again");
        assert!(FIVE.iter().all(|kind| run.kinds[kind].added == 100), "nothing is counted twice");
        house.assert_equal().await;
    }
}

/// 4.11: a run as a stream of its events.
#[tokio::test]
async fn a_run_is_a_stream_of_its_events() {
    for house in houses(&FIVE).await {
        for kind in FIVE {
            house.plant.fill(kind, 50);
        }
        let mut running = house.sync.watch(Request::full());
        let (mut tally, mut seen, mut read) = (Tally::default(), Vec::new(), 0);
        while let Some(event) = running.next().await {
            tally.heed(&event);
            assert!(tally.read() >= read, "nothing was begun again");
            read = tally.read();
            seen.push(event);
        }
        assert!(running.next().await.is_none());
        let run = running.finish().await.unwrap();
        assert_eq!((run.outcome, tally.read(), tally.total()), (Some(Outcome::Ok), 250, Some(250)));
        assert!(matches!(&seen[0], Event::Started { run: 1, shelves, .. } if shelves.len() == 6));
        assert_eq!(seen.last(), Some(&Event::Ended { outcome: Outcome::Ok }));
        let finished = seen.iter().filter(|event| matches!(event, Event::Finished { complete: true, .. }));
        assert_eq!(finished.count(), 6);
        // The observer beneath hears the same.
        assert_eq!(*house.events.lock().unwrap(), seen);
        house.assert_equal().await;
        // An error is told at the end, and ends the stream.
        house.plant.fill(Kind::Cliente, 1);
        *house.links.refuses.lock().unwrap() = Some(Shelf::Cliente);
        assert_eq!(kind_of(house.sync.watch(Request::full()).finish().await), SyncErrorKind::Store);
    }
}

/// The run waits for whoever takes its events, and is a killed one if that one goes away.
#[tokio::test]
async fn a_stream_that_is_dropped_leaves_a_run_to_go_on_with() {
    for house in houses(&[Kind::Cto]).await {
        house.plant.state().page = 1;
        house.plant.fill(Kind::Cto, 2_000);
        let mut running = house.sync.watch(Request::full());
        while !matches!(running.next().await, Some(Event::Page { shelf: Shelf::Box, .. })) {}
        let sent = house.plant.state().rows_sent;
        let stored = house.live(Kind::Cto).await;
        assert!((1..=700).contains(&stored) && sent <= stored + 18, "{sent} sent, {stored} stored");
        tokio::task::yield_now().await;
        assert_eq!(house.live(Kind::Cto).await, stored, "nobody polls, nothing goes on");
        drop(running);
        let run = house.full().await;
        assert_eq!((run.resumed, run.kinds[&Kind::Cto].added), (true, 2_000));
        house.assert_equal().await;
        // Stopped in good order, it ends.
        let cancel = Cancel::new();
        let mut running = house.sync.watch(Request::full().stopped_by(&cancel));
        running.next().await.unwrap();
        cancel.stop();
        assert_eq!(running.finish().await.unwrap().outcome, Some(Outcome::Cancelled));
    }
}

/// Cost in proportion to what changed: links are looked at one and all only if a notice may have been lost.
#[tokio::test]
async fn links_are_examined_one_and_all_only_when_a_notice_may_have_been_lost() {
    for house in houses(&[Kind::Cto, Kind::Hub]).await {
        let fids = house.plant.fill(Kind::Cto, 100);
        house.plant.fill(Kind::Hub, 1);
        let last = |house: &House| house.links.examined.lock().unwrap().last().copied();
        house.full().await;
        assert_eq!(last(&house), Some(Examine::Everything), "a full run reads everything anyway");
        for _ in 0..2 {
            house.incremental().await;
            assert_eq!(last(&house), Some(Examine::WhatIsTold));
        }
        house.sync.refresh_box(fids[0]).await.unwrap();
        house.incremental().await;
        assert_eq!(last(&house), Some(Examine::WhatIsTold), "a box that was told of");
        // A single box whose notice could not be told.
        *house.links.refuses.lock().unwrap() = Some(Shelf::Box);
        house.plant.delete(Kind::Cto, fids[1]);
        house.sync.refresh_box(fids[1]).await.unwrap_err();
        *house.links.refuses.lock().unwrap() = None;
        for expected in [Examine::Everything, Examine::Everything, Examine::WhatIsTold] {
            house.incremental().await;
            assert_eq!(last(&house), Some(expected), "until the run after the next: it may have been slow");
        }
        // A run that was killed once it had begun.
        house.plant.pass_time(3_600);
        fids[2..].iter().for_each(|fid| house.plant.edit(Kind::Cto, *fid, |_| {}));
        let mut polls = 3;
        let runs = || async { house.sync.history(None, 1).await.unwrap()[0].run_id };
        let before = runs().await;
        while runs().await == before {
            killed_after(polls, house.sync.run(Request::incremental())).await;
            polls += 1;
        }
        house.incremental().await;
        let killed = house.sync.history(None, 1).await.unwrap()[0].resumed;
        assert!(killed && last(&house) == Some(Examine::Everything), "it may have stored and not told");
        house.incremental().await;
        assert_eq!(last(&house), Some(Examine::WhatIsTold));
        // What is deselected goes without a word of its own.
        let plan = house.sync.plan_selection(Selection::of([Kind::Cto]).unwrap()).await.unwrap();
        house.sync.apply_selection(&plan).await.unwrap();
        house.incremental().await;
        assert_eq!(last(&house), Some(Examine::Everything));
    }
}

/// A customer who moves: whoever keeps links hears of the port that he left.
#[tokio::test]
async fn a_customer_who_moves_leaves_a_seat() {
    for house in houses(&[Kind::Cto, Kind::Cliente]).await {
        let fids = house.plant.fill(Kind::Cliente, 2);
        let seat = |fid: i64, port: i64| {
            house.plant.edit(Kind::Cliente, fid, |element| {
                (element.parent, element.port) = (Some(7), Some(port));
            });
        };
        seat(fids[0], 1);
        seat(fids[1], 2);
        house.full().await;
        house.links.told.lock().unwrap().clear();
        seat(fids[0], 3);
        house.plant.edit(Kind::Cliente, fids[1], |element| element.name = Some("other".to_owned()));
        house.incremental().await;
        let told = house.links.told.lock().unwrap().clone();
        let left: Vec<_> = told.iter().filter(|one| matches!(one, Notice::SeatLeft { .. })).collect();
        assert_eq!(left, [&Notice::SeatLeft { splitter: 7, port: 1 }]);
    }
}

/// Y2: the stamp is the start of the run. What is written while it reads, behind its back, comes with the next one.
#[tokio::test]
async fn what_is_written_while_a_run_reads_is_not_lost() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 60);
        house.full().await;
        house.plant.pass_time(36_000);
        let start = house.plant.state().now;
        let (mut pages, first) = (0, fids[0]);
        house.plant.state().on_page = Some(Box::new(move |state| {
            pages += 1;
            state.now = state.now.checked_add(SignedDuration::from_hours(1)).unwrap();
            if pages == 5 {
                let now = state.now;
                let element = state.tables.get_mut(&Feature::Cto).unwrap().get_mut(&first).unwrap();
                (element.code, element.changed_at) = (Some("meanwhile".to_owned()), Some(now));
            }
        }));
        let run = house.full().await;
        house.plant.state().on_page = Some(Box::new(|_| {}));
        assert_eq!((run.outcome, run.stamp), (Some(Outcome::Ok), start));
        assert!(house.plant.state().now > start.checked_add(SignedDuration::from_hours(8)).unwrap());
        assert_eq!(house.register.cursors(NAME).await.unwrap()[&Feature::Cto], start);
        house.incremental().await;
        house.assert_equal().await;
    }
}

/// G4: what a list lacked before it was begun again is forgotten; it may be there now.
#[tokio::test]
async fn what_was_missing_before_a_list_was_begun_again_is_not_deleted() {
    for house in houses(&[Kind::Cto]).await {
        let fids = house.plant.fill(Kind::Cto, 60);
        house.full().await;
        house.plant.delete(Kind::Cto, fids[0]);
        let (mut pages, back) = (0, fids[0]);
        house.plant.state().on_page = Some(Box::new(move |state| {
            pages += 1;
            // After a page was stored, with the candidate.
            if pages == 6 {
                state.put(Kind::Cto, back);
            }
        }));
        let run = house.full().await;
        let report = run.features.iter().find(|report| report.feature == Feature::Cto).unwrap();
        assert_eq!((run.outcome, report.restarts), (Some(Outcome::Ok), 1));
        assert!(house.is_live(Kind::Cto, fids[0]).await);
        house.assert_equal().await;
    }
}

/// G3: the engine trusts no list that does not rise, and none that merely stops.
#[tokio::test]
async fn a_list_that_repeats_or_breaks_off_proves_nothing() {
    type Spoil = fn(&mut fake::State);
    let spoils: [(&str, Spoil); 2] = [
        ("do not rise", |state| _ = state.repeating.insert(Feature::Cto)),
        ("broke off", |state| _ = state.cut.insert(Feature::Cto)),
    ];
    for (why, spoil) in spoils {
        for house in houses(&[Kind::Cto]).await {
            let fids = house.plant.fill(Kind::Cto, 60);
            house.full().await;
            house.plant.delete(Kind::Cto, fids[3]);
            spoil(&mut house.plant.state());
            let run = house.full().await;
            let report = run.features.iter().find(|report| report.feature == Feature::Cto).unwrap();
            assert!(!report.complete && report.error.as_ref().unwrap().contains(why), "{report:?}");
            assert!(house.is_live(Kind::Cto, fids[3]).await && house.live(Kind::Cto).await == 60, "{why}");
        }
    }
}

/// A worker whose lease was taken over writes nothing more, even while the other is still at it.
#[tokio::test]
async fn a_worker_that_was_overtaken_writes_nothing() {
    for house in houses(&[Kind::Cto]).await {
        let register = &house.register;
        let now = house.plant.state().now;
        let at = |minutes: i64| now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
        let claim = |worker: &'static str, from: i64| {
            let term = Term::new(at(from), at(from + 5));
            async move {
                match register.claim(NAME, worker, term).await.unwrap() {
                    Claim::Granted { fence, .. } => Some(fence),
                    Claim::Held { .. } => None,
                }
            }
        };
        let fence = claim("slow", 0).await;
        let row = RunRow::new(at(0), "manual", "full");
        let run = register.open_run(NAME, fence, row.clone()).await.unwrap();
        let slow = Ticket::new(NAME, run, fence);
        let page = || {
            let mut page = Page::new(Shelf::Box);
            let element = Element::new(Kind::Cto, 5);
            page.upserts.push((element.clone(), element.digest()));
            page.candidates.push(Candidate::new(6, Kind::Cto, Reason::Missing));
            page.checkpoint = "{}".to_owned();
            page
        };
        assert_eq!(claim("quick", 4).await, None, "the lease is not over");
        let quick = claim("quick", 6).await;
        assert!(quick > fence);
        let term = Term::new(at(6), at(11));
        let lost = SyncErrorKind::LeaseLost;
        assert_eq!(kind_of(register.commit_page(&slow, term, page()).await), lost);
        let mut finish = Finish::new(page());
        finish.cursors.push((Feature::Cto, now));
        assert_eq!(kind_of(register.finish_kind(&slow, term, finish).await), lost);
        let planned = [(Kind::Cto, 9)].into();
        assert_eq!(kind_of(register.deselect(&slow, term, &planned, &[]).await), lost);
        assert_eq!(kind_of(register.open_run(NAME, fence, row.clone()).await), lost);
        assert_eq!(kind_of(register.close_run(&slow, row).await), lost);
        assert_eq!(house.live(Kind::Cto).await, 0);
        assert!(register.cursors(NAME).await.unwrap().is_empty());
        assert!(register.candidates(NAME, run, None, 9).await.unwrap().is_empty());
        assert!(register.checkpoints(NAME, run).await.unwrap().is_empty());
        // The other's lease was neither prolonged nor given back by all that.
        register.release(NAME, fence.unwrap()).await.unwrap();
        assert_eq!(claim("slow", 10).await, None);
        assert!(claim("slow", 12).await > quick);
    }
}
