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
    Doubt, Kind, MemoryRegister, Outcome, PlantSync, Project, Register, Request, Run, Selection, Settings,
    Shelf,
};
use geosite::{Assumptions, Client, Environment};
use integration_sandbox::geosite::{Change, Column, Drift, Edge, Endpoint, Feature, GeoSite, Network, Twist};
use integration_sandbox::{Fault, Sandbox};
use serde_json::json;

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
    house_with(register, elements, |_, _| {}).await
}

async fn house_with(
    register: Arc<dyn Register>,
    elements: usize,
    set: impl FnOnce(&GeoSite, &mut Assumptions),
) -> House {
    let sandbox = Sandbox::start().await.unwrap();
    let geosite = sandbox.geosite().clone();
    geosite.generate(Network::new(elements).seed(7));
    let mut assumptions = Assumptions::default();
    assumptions.change_column = Some("dataAlteracao".to_owned());
    assumptions.page_size = 40;
    set(&geosite, &mut assumptions);
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

fn memory() -> Arc<dyn Register> {
    Arc::new(MemoryRegister::new())
}

/// R6: rows without their number are named by the column that people know them by.
#[tokio::test]
async fn rows_without_a_number_are_named() {
    let house = house(memory(), 1_500).await;
    house.sync.run(Request::full()).await.unwrap();
    let boxes = house.geosite.count(Feature::Cto);
    house.geosite.twist((Endpoint::List, Feature::Cto), Twist::NoFid);
    let gone = house.geosite.fids(Feature::Cto)[0];
    house.geosite.delete(Feature::Cto, gone);
    let run = house.sync.run(Request::full()).await.unwrap();
    assert_ne!(run.outcome, Some(Outcome::Ok));
    assert_eq!(house.names(Kind::Cto).await.len(), boxes, "nothing is deleted");
    let report = run.features.iter().find(|report| report.feature == geosite::Feature::Cto).unwrap();
    let first = house.truth(Feature::Cto).into_iter().take(40).map(|(_, name)| name).collect::<Vec<_>>();
    let named: Vec<_> = report.unread.iter().map(|row| row.name.clone()).collect();
    assert_eq!((named, report.failed), (first, 40));
    let places: Vec<_> = report.unread.iter().map(|row| (row.page, row.position)).collect();
    assert_eq!(places, (1..=40).map(|position| (1, position)).collect::<Vec<_>>());
    assert!(report.unread.iter().all(|row| row.fid.is_none() && row.why.contains("`fid` is not there")));
    house.make_equal().await;
    house.assert_equal().await;
}

/// R9, C3, C4, trap 10: what the client finds doubtful, and what the installation lacks, reaches the report.
#[tokio::test]
async fn doubts_and_missing_columns_reach_the_report() {
    let house = house_with(memory(), 0, |geosite, _| {
        geosite.drop_column(Feature::Splitter, "qtdPortas");
        let put = |feature, values| i64::from(geosite.insert(feature, values).unwrap());
        put(Feature::Cto, json!({ "nome": "A", "latitude": -22.7, "longitude": -47.6 }));
        put(Feature::Cto, json!({ "nome": "B", "latitude": -47.6, "longitude": -22.7 }));
        put(Feature::Cto, json!({ "nome": "C", "latitude": 48.8, "longitude": 2.3 }));
        put(Feature::Cliente, json!({ "nome": "D", "documento": "111.111.111-11", "contrato": 5 }));
        put(Feature::Cliente, json!({ "nome": "E", "documento": "529.982.247-25", "contrato": null }));
    })
    .await;
    let run = house.sync.run(Request::full()).await.unwrap();
    assert_eq!(run.outcome, Some(Outcome::Ok), "a doubt is no failure");
    let fids = |feature| house.geosite.fids(feature).into_iter().map(i64::from).collect::<Vec<_>>();
    let (boxes, customers) = (fids(Feature::Cto), fids(Feature::Cliente));
    let doubts: Vec<_> = run.doubts.iter().map(|one| (one.kind, one.fid, one.doubt)).collect();
    let expected = [
        (Kind::Cto, boxes[1], Doubt::LooksSwapped),
        (Kind::Cto, boxes[2], Doubt::OutsideBrazil),
        (Kind::Cliente, customers[0], Doubt::DocumentInvalid),
        (Kind::Cliente, customers[1], Doubt::Unmatched),
    ];
    assert_eq!(doubts, expected);
    assert_eq!((run.kinds[&Kind::Cto].without_place, run.kinds[&Kind::Cliente].without_place), (0, 2));
    let lacking = "splitter: the configured column `qtdPortas` is not there";
    assert!(run.warnings.iter().any(|line| line == lacking), "{:?}", run.warnings);
    assert!(!format!("{run:?}").contains("111.111"), "no document");
}

/// 2.5 `existing_only`, with the column that tells.
#[tokio::test]
async fn what_the_status_column_calls_a_design_is_left_out() {
    let house = house_with(memory(), 0, |geosite, assumptions| {
        geosite.add_column(Feature::Cto, Column::new("situacao"));
        for status in ["Existente", " EXISTENTE", "Projetado", ""] {
            geosite.insert(Feature::Cto, json!({ "nome": "A", "situacao": status })).unwrap();
        }
        assumptions.status_column = Some("situacao".to_owned());
        assumptions.status_existing_values = vec!["Existente".to_owned()];
    })
    .await;
    let run = house.sync.run(Request::full()).await.unwrap();
    let report = &run.kinds[&Kind::Cto];
    // What has no status is not taken for a design.
    assert_eq!((run.outcome, report.added, report.designed), (Some(Outcome::Ok), 3, 1));
    let design = i64::from(house.geosite.fids(Feature::Cto)[2]);
    house.sync.refresh_box(design).await.unwrap();
    assert!(house.register.get(NAME, Shelf::Box, design).await.unwrap().is_none());
}

/// What cannot work is said before anything is sent.
#[test]
fn existing_only_needs_to_know_what_exists() {
    let built = |status: Option<&str>, values: &[&str], only: Option<bool>| {
        let mut assumptions = Assumptions::default();
        assumptions.status_column = status.map(str::to_owned);
        assumptions.status_existing_values = values.iter().map(|value| (*value).to_owned()).collect();
        assumptions.existing_only = only;
        let builder = Client::builder().environment(Environment::at("http://127.0.0.1:9/").unwrap());
        builder.credentials("u", "p").assumptions(assumptions).build().map(drop)
    };
    assert!(built(None, &[], None).is_ok());
    assert!(built(Some("situacao"), &["Existente"], None).is_ok());
    assert!(built(Some("situacao"), &[], Some(false)).is_ok());
    assert!(format!("{:?}", built(Some("situacao"), &[], None)).contains("status_existing_values"));
    assert!(format!("{:?}", built(None, &["Existente"], Some(true))).contains("status_column"));
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
