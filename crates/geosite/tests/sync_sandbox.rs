//! Runs over HTTP against the simulated service: rounds of changes and faults, after each of which a completed full run has made
//! the register equal to the plant. The plant is read back from the simulator, not through the client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use geosite::sync::{
    Kind, MemoryRegister, Outcome, PlantSync, Project, Register, Request, Run, Selection, Settings, Shelf,
};
use geosite::{Assumptions, Client, Environment};
use integration_sandbox::geosite::{Change, Drift, Edge, Endpoint, Feature, GeoSite, Network, Twist};
use integration_sandbox::{Fault, Sandbox};

const NAME: &str = "norte";
const FEATURES: [(Feature, Kind); 4] = [
    (Feature::Cto, Kind::Cto),
    (Feature::Hub, Kind::Hub),
    (Feature::Poste, Kind::Poste),
    (Feature::Cliente, Kind::Cliente),
];

struct House {
    _sandbox: Sandbox,
    geosite: GeoSite,
    register: Arc<dyn Register>,
    sync: PlantSync,
}

async fn house(register: Arc<dyn Register>, elements: usize) -> House {
    let sandbox = Sandbox::start().await.unwrap();
    let geosite = sandbox.geosite().clone();
    geosite.generate(Network::new(elements).seed(7));
    let mut assumptions = Assumptions::default();
    assumptions.change_column = Some("dataAlteracao".to_owned());
    assumptions.page_size = 40;
    let settings = Settings::new(NAME, "worker-1").assuming(&assumptions);
    let client = Client::builder()
        .environment(Environment::at(geosite.base_url()).unwrap())
        .credentials(geosite.username(), geosite.password().to_owned())
        .assumptions(assumptions)
        .build()
        .unwrap();
    let kinds = FEATURES.map(|(_, kind)| kind).into_iter().chain([Kind::SplitterDistribuicao]);
    let selection = Selection::of(kinds).unwrap();
    let builder = PlantSync::builder(Arc::new(client), Arc::clone(&register), settings);
    let sync = builder.open(&Project::create("Rede"), &selection).await.unwrap();
    House { _sandbox: sandbox, geosite, register, sync }
}

impl House {
    async fn names(&self, kind: Kind) -> Vec<(i64, Option<String>)> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|(fid, _)| *fid);
            let mut seen = after;
            let page = self.register.list(NAME, kind, after, 500).await.unwrap();
            for stored in &page {
                seen = Some(stored.element.fid);
                if stored.tombstone.is_none() {
                    all.push((stored.element.fid, stored.element.name.clone()));
                }
            }
            // A page of gravestones alone would not move `after`.
            if page.len() < 500 || seen == after {
                return all;
            }
        }
    }

    /// Numbers and names of every element, by the simulator's own account.
    fn truth(&self, feature: Feature) -> Vec<(i64, Option<String>)> {
        let name = |fid: u32| {
            let element = self.geosite.element(feature, fid).unwrap();
            element.get("nome").and_then(|name| name.as_str()).map(str::to_owned)
        };
        self.geosite.fids(feature).into_iter().map(|fid| (i64::from(fid), name(fid))).collect()
    }

    async fn assert_equal(&self) {
        for (feature, kind) in FEATURES {
            assert_eq!(self.names(kind).await, self.truth(feature), "{kind}");
        }
        let splitters: BTreeSet<i64> =
            self.geosite.fids(Feature::Splitter).into_iter().map(i64::from).collect();
        let mut stored = BTreeSet::new();
        for kind in [Kind::SplitterAtendimento, Kind::SplitterDistribuicao, Kind::SplitterUnknown] {
            stored.extend(self.names(kind).await.into_iter().map(|(fid, _)| fid));
        }
        assert_eq!(stored, splitters);
    }

    /// Full runs until one is whole; what the guard holds back is let through by its exact number.
    async fn make_equal(&self) -> Run {
        for _ in 0..20 {
            let run = self.sync.run(Request::full()).await;
            let Ok(run) = run else { continue };
            for kind in run.blocked() {
                self.sync.override_guard(run.run_id, kind, run.kinds[&kind].missing, true).await.unwrap();
            }
            if run.outcome == Some(Outcome::Ok) {
                return run;
            }
        }
        panic!("no run was whole");
    }
}

async fn rounds(register: Arc<dyn Register>, count: u64) {
    let house = house(register, 1_500).await;
    assert_eq!(house.sync.run(Request::full()).await.unwrap().outcome, Some(Outcome::Ok));
    house.assert_equal().await;
    let (mut restarts, mut failed) = (0, 0);
    for round in 0..count {
        for (feature, _) in FEATURES {
            house.geosite.churn(feature, round, 3, 3, 2);
        }
        let (feature, _) = FEATURES[round as usize % FEATURES.len()];
        let at = (Endpoint::List, feature);
        match round % 5 {
            0 => house.geosite.inject(at, Fault::RevokeCredential),
            1 => house.geosite.drift(Drift::new(feature, 1, Change::Delete(Edge::Front))),
            2 => house.geosite.twist(at, Twist::Total { by: 3 }),
            3 => house.geosite.twist(at, Twist::Wrapper { key: "dados".to_owned() }),
            _ => house.geosite.drift(Drift::new(feature, 1, Change::Insert(Edge::Front))),
        }
        if let Ok(run) = house.sync.run(Request::full()).await {
            restarts += run.features.iter().map(|report| report.restarts).sum::<u64>();
            failed += u64::from(run.outcome != Some(Outcome::Ok));
        }
        house.make_equal().await;
        house.assert_equal().await;
    }
    println!("{count} rounds, {restarts} restarts, {failed} runs not whole");
    assert!(restarts > 0 && failed > 0);
}

#[tokio::test]
async fn rounds_in_memory() {
    rounds(Arc::new(MemoryRegister::new()), 15).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn rounds_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/register.db", folder.path().display());
    rounds(Arc::new(geosite::sync::SqliteRegister::open(&url).await.unwrap()), 6).await;
}

#[tokio::test]
async fn an_incremental_run_and_one_box_over_the_wire() {
    let house = house(Arc::new(MemoryRegister::new()), 1_500).await;
    house.sync.run(Request::full()).await.unwrap();
    let edited = house.geosite.churn(Feature::Cto, 3, 2, 4, 0);
    let run = house.sync.run(Request::incremental()).await.unwrap();
    let report = &run.kinds[&Kind::Cto];
    assert_eq!((report.added, report.changed), (2, edited.edited.len() as u64));
    house.assert_equal().await;
    let fid = house.geosite.fids(Feature::Cto)[0];
    house.geosite.delete(Feature::Cto, fid);
    let run = house.sync.refresh_box(i64::from(fid)).await.unwrap();
    assert_eq!(run.kinds[&Kind::Cto].removed, 1);
    assert!(house.register.get(NAME, Shelf::Box, i64::from(fid)).await.unwrap().unwrap().tombstone.is_some());
    house.assert_equal().await;
}

/// Requests, and rows received, of an incremental run with twenty edits in a network of a size.
async fn cost(elements: usize) -> (usize, u64) {
    let house = house(Arc::new(MemoryRegister::new()), elements).await;
    assert_eq!(house.sync.run(Request::full()).await.unwrap().outcome, Some(Outcome::Ok));
    let before = house.geosite.requests().len();
    assert_eq!(house.geosite.churn(Feature::Poste, 3, 0, 20, 0).edited.len(), 20);
    let run = house.sync.run(Request::incremental()).await.unwrap();
    assert_eq!(run.kinds[&Kind::Poste].changed, 20);
    let requests = house.geosite.requests().len() - before;
    (requests, run.features.iter().map(|feature| feature.read).sum())
}

#[tokio::test]
async fn an_incremental_run_asks_for_what_has_changed() {
    let (small, large) = (cost(1_500).await, cost(12_000).await);
    assert_eq!((small, large.1), (large, 20));
    // One look at the clock, and for each of five lists a page and a look at the whole; of the one with rows, one beyond its end.
    assert_eq!(large.0, 1 + 5 * 2 + 1);
}
