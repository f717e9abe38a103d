//! Links that stand on a register which full runs keep, over HTTP against the simulated GeoSite (contract 4.5, Y7, section 7
//! "links"): what a run finds out is noted beside a link, which is kept as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![cfg(feature = "store")]

use std::sync::Arc;

use geosite::link::{LinkError, LinkNotices, Links, Orphaned, Port, RegisterPlant, Subscriber};
use geosite::sync::{
    Examine, Kind, Links as Told, MemoryRegister, Notice, PlantSync, Project, Register, Request, Selection,
    Settings, SyncError,
};
use geosite::{Assumptions, BoxFuture, Client, CustomerKey, Environment, ManualClock, WriteBack};
use integration_sandbox::Sandbox;
use integration_sandbox::geosite::{Feature, GeoSite, Network};
use integration_store::Store;
use serde_json::json;

const NAME: &str = "norte";

struct House {
    _sandbox: Sandbox,
    geosite: GeoSite,
    sync: PlantSync,
    links: Links,
    plant: RegisterPlant,
    /// A box, its splitter, and port 3 of it.
    parent: u32,
    splitter: u32,
    port: Port,
}

/// Lets nothing through, as if every run were killed between storing and telling.
struct Deaf(LinkNotices);

impl Told for Deaf {
    fn linked<'a>(&'a self, splitters: &'a [i64]) -> BoxFuture<'a, Result<Vec<i64>, SyncError>> {
        self.0.linked(splitters)
    }

    fn told<'a>(&'a self, _: &'a [Notice]) -> BoxFuture<'a, Result<(), SyncError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn begun(&self, examine: Examine) -> BoxFuture<'_, Result<(), SyncError>> {
        self.0.begun(examine)
    }
}

async fn house(hearing: bool) -> House {
    let sandbox = Sandbox::start().await.unwrap();
    let geosite = sandbox.geosite().clone();
    geosite.generate(Network::new(0));
    let parent = geosite.insert(Feature::Cto, json!({ "nome": "CTO-1" })).unwrap();
    let splitter = geosite.insert(Feature::Splitter, splitter_of(parent, "S-1")).unwrap();
    // Neighbours, so that one that goes is not all that there was.
    for nth in 2..8 {
        let parent = geosite.insert(Feature::Cto, json!({ "nome": format!("CTO-{nth}") })).unwrap();
        geosite.insert(Feature::Splitter, splitter_of(parent, &format!("S-{nth}"))).unwrap();
    }
    let client = Client::builder()
        .environment(Environment::at(geosite.base_url()).unwrap())
        .credentials(geosite.username(), geosite.password())
        .build()
        .unwrap();
    let register: Arc<dyn Register> = Arc::new(MemoryRegister::new());
    let plant = RegisterPlant::new(Arc::clone(&register), NAME);
    let store = Store::open("memory:").await.unwrap();
    let links = Links::new(&store, NAME, Arc::new(plant.clone()), Arc::new(ManualClock::new()));
    let bridge = plant.telling(links.clone());
    let told: Arc<dyn Told> = if hearing { Arc::new(bridge) } else { Arc::new(Deaf(bridge)) };
    let selection = Selection::of([Kind::Cto, Kind::Cliente]).unwrap();
    let builder = PlantSync::builder(Arc::new(client), register, Settings::new(NAME, "worker-1")).links(told);
    let sync = builder.open(&Project::create("Rede"), &selection).await.unwrap();
    let port = Port::new(splitter.into(), 3);
    let house = House { _sandbox: sandbox, geosite, sync, links, plant, parent, splitter, port };
    house.run().await;
    house
}

fn splitter_of(parent: u32, name: &str) -> serde_json::Value {
    json!({ "nome": name, "tipo": "Atendimento", "qtdPortas": 8, "fidCaixaEmenda": parent })
}

fn ann() -> Subscriber {
    Subscriber::new(CustomerKey::new("12.ABC.345/01DE-35", 42).unwrap(), "Ana")
}

fn rui() -> CustomerKey {
    CustomerKey::new("529.982.247-25", 9).unwrap()
}

impl House {
    async fn run(&self) {
        self.sync.run(Request::full()).await.unwrap();
    }

    async fn link(&self) {
        let kept = self.links.propose(self.port, ann()).await.unwrap();
        self.links.confirm(&kept).await.unwrap();
    }

    fn seat_rui(&self) -> u32 {
        let customer = json!({ "nome": "Rui", "documento": "52998224725", "contrato": 9,
            "fidSplitter": self.splitter, "porta": 3 });
        self.geosite.insert(Feature::Cliente, customer).unwrap()
    }

    /// Why the link is orphaned and whom the plant shows in its place. The link itself stands whatever happens.
    async fn noted(&self) -> (Option<Orphaned>, Option<CustomerKey>) {
        let state = self.links.port(self.port).await.unwrap();
        assert_eq!(state.holder(), Some(&ann().key));
        (state.orphaned, state.conflict)
    }
}

#[tokio::test]
async fn a_splitter_that_a_full_run_removes_orphans_its_link() {
    let house = house(true).await;
    house.link().await;
    house.geosite.delete(Feature::Splitter, house.splitter);
    assert_eq!(house.noted().await, (None, None));
    house.run().await;
    assert_eq!(house.noted().await, (Some(Orphaned::SplitterGone), None));
}

#[tokio::test]
async fn a_box_that_goes_orphans_the_links_on_its_splitters() {
    let house = house(true).await;
    house.link().await;
    house.geosite.delete(Feature::Cto, house.parent);
    house.run().await;
    assert_eq!(house.noted().await, (Some(Orphaned::SplitterGone), None));
    let other = Subscriber::new(rui(), "Rui");
    let proposed = house.links.propose(Port::new(house.splitter.into(), 4), other).await;
    assert!(matches!(proposed, Err(LinkError::NotSynchronised { .. })), "{proposed:?}");
}

#[tokio::test]
async fn another_customer_on_the_port_is_a_conflict_until_he_goes() {
    let house = house(true).await;
    house.link().await;
    let rui_at = house.seat_rui();
    for nth in 2_u32..8 {
        let contrato = json!({ "nome": "N", "documento": "52998224725", "contrato": 100 + nth,
            "fidSplitter": house.splitter, "porta": 8 });
        house.geosite.insert(Feature::Cliente, contrato).unwrap();
    }
    house.run().await;
    assert_eq!(house.noted().await, (None, Some(rui())));
    house.geosite.edit(Feature::Cliente, rui_at, json!({ "porta": 5 })).unwrap();
    // The run tells that he has left.
    house.run().await;
    assert_eq!(house.noted().await, (None, None));
    house.geosite.edit(Feature::Cliente, rui_at, json!({ "porta": 3 })).unwrap();
    house.run().await;
    assert_eq!(house.noted().await, (None, Some(rui())));
    house.geosite.delete(Feature::Cliente, rui_at);
    house.run().await;
    assert_eq!(house.noted().await, (None, None));
}

#[tokio::test]
async fn a_notice_that_was_lost_is_made_good_when_the_next_run_begins() {
    let house = house(false).await;
    house.link().await;
    house.seat_rui();
    house.geosite.delete(Feature::Splitter, house.splitter);
    house.run().await;
    assert_eq!(house.noted().await, (None, None), "the notice is lost");
    house.run().await;
    assert_eq!(house.noted().await, (Some(Orphaned::SplitterGone), Some(rui())));
}

#[tokio::test]
async fn write_back_is_on_if_the_assumptions_say_so() {
    for (write_back, due) in [(WriteBack::Disabled, 0), (WriteBack::Http, 1)] {
        let house = house(true).await;
        let mut assumptions = Assumptions::default();
        assumptions.write_back = write_back;
        let links = house.links.clone().assuming(&assumptions);
        let kept = links.propose(house.port, ann()).await.unwrap();
        links.confirm(&kept).await.unwrap();
        let reader = geosite::link::HttpLinkReader::new(&reading(&house.geosite));
        assert_eq!(links.courier().plan(&reader).await.unwrap().len(), due, "{write_back:?}");
    }
}

/// Contract 4.12: both values, no winner, and what one side lacks cannot be compared.
#[tokio::test]
async fn plant_and_register_stand_side_by_side() {
    let house = house(true).await;
    house.geosite.edit(Feature::Cto, house.parent, json!({ "latitude": -22.7, "longitude": -47.6 })).unwrap();
    house.run().await;
    house.seat_rui();
    let place = geosite::Position::new(-22.7, -47.6).unwrap();
    let near = async || match reading(&house.geosite).feasibility(&place.into(), 50).await.unwrap() {
        geosite::Feasibility::Available { nearest, .. } => nearest,
        other => panic!("{other:?}"),
    };
    let told = async |near: &geosite::NearBox| {
        house.plant.reconcile(near).await.unwrap().map(|line| line.to_string())
    };
    let seen = near().await;
    assert_eq!(
        told(&seen).await,
        [
            "Ports: plant 8, register 8",
            "Free: plant 7, register 8, difference -1",
            "Customers: plant 1, register 0, difference +1"
        ]
    );
    house.run().await;
    assert_eq!(told(&seen).await[1..], ["Free: plant 7, register 7", "Customers: plant 1, register 1"]);
    house.geosite.edit(Feature::Splitter, house.splitter, json!({ "qtdPortas": null })).unwrap();
    house.run().await;
    assert_eq!(
        told(&seen).await[..2],
        [
            "Ports: plant 8, register not known, cannot compare",
            "Free: plant 7, register not known, cannot compare"
        ]
    );
    house.geosite.delete(Feature::Cto, house.parent);
    house.run().await;
    assert!(told(&seen).await.iter().all(|line| line.ends_with("register not known, cannot compare")));
}

fn reading(geosite: &GeoSite) -> Client {
    let environment = Environment::at(geosite.base_url()).unwrap();
    let builder = Client::builder().environment(environment);
    builder.credentials(geosite.username(), geosite.password()).build().unwrap()
}
