//! Rounds of edits, deletions, drift, faults and kills: after each completed full run the register equals the plant,
//! and nothing was ever deleted that the plant still had (contract section 6). The checker reads the plant and the register
//! only.
//!
//! `GEOSITE_TEST_ROUNDS=200` runs so many in memory, and a fifth of them with each other seed and each other register.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

mod fake;

use std::collections::BTreeSet;
use std::sync::Arc;

use fake::{Dice, FakePlant, assert_known_is_stored, held, killed_after, truth};
use geosite::Feature;
use geosite::sync::{
    Kind, MemoryRegister, Outcome, PlantSync, Project, Register, Request, Run, Selection, Settings, Shelf,
    SyncErrorKind,
};
use integration_core::clock::ManualClock;

const NAME: &str = "norte";

struct House {
    plant: FakePlant,
    register: Arc<dyn Register>,
    sync: PlantSync,
    dice: Dice,
    kinds: Vec<Kind>,
    stones: BTreeSet<(Shelf, i64)>,
    kills: u64,
    resumed: u64,
    blocked: u64,
    restarts: u64,
}

impl House {
    async fn new(register: Arc<dyn Register>, seed: u64) -> Self {
        let plant = FakePlant::new();
        for (kind, count) in [
            (Kind::SplitterAtendimento, 60),
            (Kind::SplitterUnknown, 3),
            (Kind::Cto, 40),
            (Kind::CaixaEmenda, 30),
            (Kind::Hub, 5),
            (Kind::Cliente, 50),
        ] {
            plant.fill(kind, count);
        }
        let selection = Selection::of([Kind::Cto, Kind::CaixaEmenda, Kind::Hub, Kind::Cliente]).unwrap();
        let mut settings = Settings::new(NAME, "worker-1");
        settings.page_size = 9;
        let builder = PlantSync::builder(Arc::new(plant.clone()), Arc::clone(&register), settings);
        let builder = builder.clock(Arc::new(ManualClock::new()));
        let sync = builder.open(&Project::create("Rede Norte"), &selection).await.unwrap();
        let kinds = selection.kinds().collect();
        let stones = BTreeSet::new();
        Self {
            plant,
            register,
            sync,
            dice: Dice::new(seed),
            kinds,
            stones,
            kills: 0,
            resumed: 0,
            blocked: 0,
            restarts: 0,
        }
    }

    fn churn(&mut self) {
        const FEATURES: [Feature; 5] =
            [Feature::Splitter, Feature::Cto, Feature::CaixaEmenda, Feature::Hub, Feature::Cliente];
        let kind = |feature| Kind::ALL.iter().copied().find(|kind| kind.feature() == feature).unwrap();
        self.plant.pass_time(1 + self.dice.below(40_000) as i64);
        for _ in 0..self.dice.below(12) {
            let feature = FEATURES[self.dice.below(5) as usize];
            let mut state = self.plant.state();
            let fid = state.random_fid(feature);
            match (self.dice.below(10), fid) {
                (0..=2, _) => _ = state.insert(kind(feature)),
                (3..=4, Some(fid)) => state.delete(feature, fid),
                // The same box in the list of all boxes as well, and a type that changes.
                (5, Some(fid)) if feature == Feature::Cto => state.put(Kind::CaixaEmenda, fid),
                (6, Some(fid)) if feature == Feature::CaixaEmenda => state.put(Kind::Cto, fid),
                // Quietly: the change column does not move.
                (7, Some(fid)) => {
                    state.tables.get_mut(&feature).unwrap().get_mut(&fid).unwrap().code =
                        Some("quiet".to_owned());
                }
                (_, Some(fid)) => {
                    let now = state.now;
                    let salt = state.dice.below(1_000);
                    let element = state.tables.get_mut(&feature).unwrap().get_mut(&fid).unwrap();
                    element.name = Some(format!("edited {salt}"));
                    element.changed_at = Some(now);
                }
                _ => {}
            }
        }
        // Some come back, and whole lists shrink now and then: the guard must have something to do.
        let gone: Vec<_> =
            self.stones.iter().copied().filter(|(shelf, _)| *shelf == Shelf::Cliente).collect();
        if let Some((_, fid)) = gone.first().filter(|_| self.dice.in_hundred(30)) {
            self.plant.state().put(Kind::Cliente, *fid);
        }
        if self.dice.in_hundred(10) {
            for _ in 0..8 {
                let mut state = self.plant.state();
                if let Some(fid) = state.random_fid(Feature::Splitter) {
                    state.delete(Feature::Splitter, fid);
                }
            }
        }
    }

    fn weather(&self, drift: u64, failures: u64) {
        let mut state = self.plant.state();
        (state.drift, state.failures) = (drift, failures);
    }

    /// Runs until one run comes to its end, killing some on the way.
    async fn run(&mut self, request: &Request) -> Run {
        loop {
            let polls = if self.dice.in_hundred(60) { 1 + self.dice.below(60) } else { u64::MAX };
            let ended = killed_after(polls, self.sync.run(request.clone())).await;
            match ended {
                None => self.kills += 1,
                Some(Ok(run)) => {
                    self.resumed += u64::from(run.resumed);
                    self.restarts += run.features.iter().map(|feature| feature.restarts).sum::<u64>();
                    return run;
                }
                Some(Err(error)) => panic!("{error:?}"),
            }
            self.check_stones().await;
        }
    }

    /// New gravestones only of what was gone from the plant at some time since the last look.
    async fn check_stones(&mut self) {
        let (_, stones) = held(&*self.register, NAME).await;
        let truth: BTreeSet<_> = truth(&self.plant, Kind::ALL).into_keys().collect();
        let state = self.plant.state();
        for stone in stones.difference(&self.stones) {
            assert!(
                state.deleted.contains(stone) || !truth.contains(stone),
                "deleted {stone:?}, which the plant has"
            );
        }
        drop(state);
        self.stones = stones;
    }

    /// A full run without drift: what it does not finish, or what the guard holds back, is done again.
    async fn make_equal(&mut self) {
        loop {
            let run = self.run(&Request::full()).await;
            self.check_stones().await;
            match run.outcome {
                Some(Outcome::Ok) => return,
                Some(Outcome::Blocked) => self.let_through(&run).await,
                _ => {}
            }
        }
    }

    async fn let_through(&mut self, run: &Run) {
        for kind in run.blocked() {
            self.blocked += 1;
            let missing = run.kinds[&kind].missing;
            let wrong = self.sync.override_guard(run.run_id, kind, missing + 1, true).await;
            assert_eq!(*wrong.unwrap_err().kind(), SyncErrorKind::GuardBlocked);
            self.sync.override_guard(run.run_id, kind, missing, true).await.unwrap();
            self.check_stones().await;
        }
    }

    async fn round(&mut self) {
        self.churn();
        self.plant.state().deleted.clear();
        let incremental = self.dice.in_hundred(50);
        let (drift, failures) = (self.dice.below(12), self.dice.below(12));
        self.weather(drift, failures);
        self.run(&if incremental { Request::incremental() } else { Request::full() }).await;
        self.check_stones().await;
        if self.dice.in_hundred(30) {
            let fid = self.plant.state().random_fid(Feature::Cto);
            if let Some(fid) = fid {
                self.sync.refresh_box(fid).await.unwrap();
            }
        }
        self.churn();
        let failures = self.dice.below(8);
        self.weather(0, failures);
        self.make_equal().await;
        assert_known_is_stored(&*self.register, NAME, 7).await;
        let (live, _) = held(&*self.register, NAME).await;
        let truth = truth(&self.plant, &self.kinds);
        let differ =
            live.iter().filter(|(key, element)| truth.get(key) != Some(element)).take(3).collect::<Vec<_>>();
        let lack = truth.keys().filter(|key| !live.contains_key(key)).take(3).collect::<Vec<_>>();
        assert!(differ.is_empty() && lack.is_empty(), "differ: {differ:?}\nlack: {lack:?}");
    }
}

/// How many in memory; enough for each kind of mishap unless more are asked for.
fn count() -> u64 {
    std::env::var("GEOSITE_TEST_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap())
}

async fn rounds(register: Arc<dyn Register>, seed: u64, count: u64) {
    let mut house = House::new(register, seed).await;
    for _ in 0..count {
        house.round().await;
    }
    println!(
        "{count} rounds, {} kills, {} resumed runs, {} restarts, {} overrides",
        house.kills, house.resumed, house.restarts, house.blocked
    );
    assert!(house.kills > count / 2 && house.resumed > count / 4 && house.restarts > 0 && house.blocked > 0);
}

#[tokio::test]
async fn rounds_in_memory() {
    rounds(Arc::new(MemoryRegister::new()), 7, count()).await;
}

#[tokio::test]
async fn other_seeds() {
    for seed in 20..26 {
        rounds(Arc::new(MemoryRegister::new()), seed, count() / 5).await;
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn rounds_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/register.db", folder.path().display());
    rounds(Arc::new(geosite::sync::SqliteRegister::open(&url).await.unwrap()), 7, count() / 5).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
#[ignore = "needs INTEGRATION_TEST_POSTGRES_URL: .ci/with-postgres cargo test -p geosite --all-features -- --ignored"]
async fn rounds_in_postgres() {
    let url = std::env::var("INTEGRATION_TEST_POSTGRES_URL").unwrap();
    rounds(Arc::new(geosite::sync::PostgresRegister::open(&url).await.unwrap()), 7, count() / 5).await;
}
