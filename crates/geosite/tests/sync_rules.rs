//! The rules of sections 4 and 6, row by row, on every register there is: in memory, in SQLite, and in PostgreSQL where a server
//! is named. The expected values are the contract's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod fake;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use fake::{FakePlant, assert_known_is_stored, held, killed_after, truth};
use geosite::Feature;
use geosite::sync::{
    Cancel, Conflict, Element, Event, Kind, Links, MemoryRegister, Mode, Notice, Outcome, PlantSync, Project,
    Reason, Register, Request, Run, Selection, SelectionFault, Settings, Shelf, StampSource, SyncError,
    SyncErrorKind, Verdict,
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
        self.told.lock().unwrap().extend(notices);
        Box::pin(async { Ok(()) })
    }

    fn begun(&self) -> BoxFuture<'_, Result<(), SyncError>> {
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
    let selection = Selection::of(kinds.iter().copied()).unwrap();
    let mut settings = Settings::new(NAME, worker);
    settings.page_size = 9;
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
        house.plant.pass_time(36_000);
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
        let mut polls = 3;
        loop {
            assert!(killed_after(polls, house.sync.run(Request::full())).await.is_none());
            let run = house.sync.history(None, 1).await.unwrap()[0].run_id;
            if house.register.candidates(NAME, run, None, 9).await.unwrap().len() == 1 {
                break;
            }
            polls += 2;
        }
        house.plant.state().put(Kind::Cto, fids[0]);
        let unfinished = house.sync.history(None, 1).await.unwrap().remove(0);
        house.sync.refresh_box(fids[0]).await.unwrap();
        // The total must still fit, or the list would be begun again.
        house.plant.delete(Kind::Cto, fids[29]);
        let run = house.full().await;
        assert_eq!((run.run_id, run.outcome), (unfinished.run_id, Some(Outcome::Ok)));
        assert!(house.is_live(Kind::Cto, fids[0]).await);
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
