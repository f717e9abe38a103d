// What the examples of the crate's operations stand on, hidden in their pages: the embedded sandbox with a small network.

use std::sync::Arc;

use geosite::sync::{MemoryRegister, PlantSync, Project, Register, Selection, Settings};
use geosite::{Assumptions, Client, Environment, WriteBack};
use integration_sandbox::geosite::{Feature, Network};
use integration_sandbox::Sandbox;

pub type Failure = Box<dyn std::error::Error>;

pub struct Kit {
    pub sandbox: Sandbox,
    pub client: Client,
}

impl Kit {
    /// The number of a terminal box.
    pub fn cto(&self) -> u32 {
        self.sandbox.geosite().fids(Feature::Cto)[0]
    }

    #[cfg(feature = "hubsoft")]
    pub fn hub(&self) -> geosite::hubsoft::HubSoft {
        let there = self.sandbox.hubsoft();
        let account = geosite::hubsoft::Account {
            client_id: there.client_id().into(),
            client_secret: there.client_secret().into(),
            username: there.username().into(),
            password: there.password().into(),
        };
        let base = geosite::BaseUrl::parse(there.base_url()).unwrap();
        geosite::hubsoft::HubSoft::builder(base, account).build().unwrap()
    }

    pub fn register(&self) -> Arc<dyn Register> {
        Arc::new(MemoryRegister::new())
    }

    pub async fn sync(&self) -> PlantSync {
        self.sync_into(self.register()).await
    }

    pub async fn sync_into(&self, register: Arc<dyn Register>) -> PlantSync {
        let settings = Settings::new("provider-1", "worker-1").assuming(self.client.assumptions());
        let builder = PlantSync::builder(Arc::new(self.client.clone()), register, settings);
        builder.open(&Project::create("Fibre network"), &Selection::everything()).await.unwrap()
    }
}

#[cfg(feature = "store")]
pub use with_store::House;

#[cfg(feature = "store")]
mod with_store {
    use geosite::link::{Link, Links, Plant, Port, SplitterFacts, Subscriber};
    use geosite::{BoxFuture, CustomerKey, Error, SystemClock};

    use super::*;

    /// A service splitter with eight ports on which nobody was seen, and the links on it.
    pub struct House {
        pub links: Links,
        pub port: Port,
        pub ana: Subscriber,
    }

    impl House {
        pub async fn linked(&self) -> Link {
            let kept = self.links.propose(self.port, self.ana.clone()).await.unwrap();
            self.links.confirm(&kept).await.unwrap()
        }
    }

    #[derive(Debug)]
    struct Empty;

    impl Plant for Empty {
        fn splitter(&self, _: u64) -> BoxFuture<'_, Result<Option<SplitterFacts>, Error>> {
            Box::pin(std::future::ready(Ok(Some(SplitterFacts::service(Some(8))))))
        }

        fn customers_on(&self, _: Port) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }

        fn customers_of(&self, _: u64) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }
    }

    impl Kit {
        pub async fn house(&self) -> House {
            let values = serde_json::json!({ "nome": "S-1", "tipo": "Atendimento", "qtdPortas": 8 });
            let splitter = self.sandbox.geosite().insert(Feature::Splitter, values).unwrap();
            let store = integration_store::Store::open("memory:").await.unwrap();
            let clock = Arc::new(SystemClock::new());
            let links = Links::new(&store, "provider-1", Arc::new(Empty), clock).with_write_back();
            let ana = Subscriber::new(CustomerKey::new("529.982.247-25", 900_001).unwrap(), "Ana Souza");
            House { links, port: Port::new(splitter.into(), 3), ana }
        }
    }
}

pub fn run(example: impl AsyncFnOnce(Kit) -> Result<(), Failure>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::start().await.unwrap();
        let service = sandbox.geosite();
        service.generate(Network::new(120));
        let mut assumptions = Assumptions::default();
        assumptions.change_column = Some("dataAlteracao".into());
        assumptions.write_back = WriteBack::Http;
        let client = Client::builder()
            .environment(Environment::at(service.base_url()).unwrap())
            .credentials(service.username(), service.password())
            .assumptions(assumptions)
            .build()
            .unwrap();
        example(Kit { sandbox, client }).await.unwrap();
    });
}
