//! Whole flows of `geosite` against the sandbox, which reads the same contract independently.
//!
//! Expected values come from the contract, and from the plant as the sandbox tells it. Nothing waits for real: the client's clock
//! is moved by its own pauses.

mod faults;
mod leaks;
mod shapes;

use std::sync::Arc;

use geosite::sync::{
    FeatureReport, Kind, MemoryRegister, PlantSync, Project, Register, Request, Run, Selection, Settings,
};
use geosite::{Assumptions, Client, ClientBuilder, Environment, ManualClock};
use integration_sandbox::Sandbox;
use integration_sandbox::geosite::{Feature, GeoSite, Network};

const NAME: &str = "provider-1";
/// Rows per page, so that every feature has several pages.
const PAGE: u32 = 20;

/// A sandbox with a network, clients of it, and a register.
struct Bench {
    sandbox: Sandbox,
    register: Arc<MemoryRegister>,
}

impl Bench {
    async fn new(elements: usize) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        sandbox.geosite().generate(Network::new(elements).seed(7));
        Self { sandbox, register: Arc::new(MemoryRegister::new()) }
    }

    fn plant(&self) -> &GeoSite {
        self.sandbox.geosite()
    }

    fn builder(&self) -> ClientBuilder {
        let mut assumptions = Assumptions::default();
        assumptions.change_column = Some("dataAlteracao".to_owned());
        assumptions.page_size = PAGE;
        assumptions.write_back = geosite::WriteBack::Http;
        Client::builder()
            .environment(Environment::at(self.plant().base_url()).unwrap())
            .credentials(self.plant().username(), self.plant().password())
            .assumptions(assumptions)
            .clock(ManualClock::new())
    }

    fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// Everything that is selected, by a client of its own, so that no retry budget runs out on the way.
    async fn sync(&self) -> PlantSync {
        let client = self.client();
        let settings = Settings::new(NAME, "worker-1").assuming(client.assumptions());
        let register: Arc<dyn Register> = self.register.clone();
        let builder = PlantSync::builder(Arc::new(client), register, settings);
        builder.open(&Project::create("Rede"), &Selection::everything()).await.unwrap()
    }

    async fn full(&self) -> Run {
        self.sync().await.run(Request::full()).await.unwrap()
    }

    /// Numbers of the terminal boxes that the register holds.
    async fn stored(&self) -> Vec<i64> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.register.list(NAME, Kind::Cto, after, 500).await.unwrap();
            let live = page.iter().filter(|stored| stored.tombstone.is_none());
            all.extend(live.map(|stored| stored.element.fid));
            after = page.last().map(|stored| stored.element.fid);
            if page.len() < 500 {
                return all;
            }
        }
    }

    /// The same, as the sandbox tells it.
    fn there(&self) -> Vec<i64> {
        self.plant().fids(Feature::Cto).into_iter().map(i64::from).collect()
    }
}

fn of(run: &Run, feature: geosite::Feature) -> &FeatureReport {
    run.features.iter().find(|report| report.feature == feature).unwrap()
}
