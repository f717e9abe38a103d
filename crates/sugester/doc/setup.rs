// What the examples of the crate's operations stand on, hidden in their pages: the embedded sandbox and a client of each system.

use sugester::crm::{NewClient, NewDeal, NewPost};
use sugester::kinds::TaskKind;
use sugester::{BaseUrl, bitfactura};

pub type Failure = Box<dyn std::error::Error>;

pub struct Kit {
    pub sandbox: integration_sandbox::Sandbox,
    pub crm: sugester::Client,
    pub billing: bitfactura::Client,
}

impl Kit {
    /// A client in Sugester.
    pub async fn acme(&self) -> u64 {
        self.crm.create_client(&NewClient::company("Acme SpA")).await.unwrap().id
    }

    pub async fn deal(&self) -> u64 {
        self.crm.create_deal(&NewDeal::new("Consultoría")).await.unwrap().id
    }

    pub async fn post(&self) -> u64 {
        self.crm.create_post(&NewPost::new(TaskKind::Task, "Llamar a Ana")).await.unwrap().id
    }

    /// A client in BitFactura.
    pub async fn buyer(&self) -> u64 {
        self.billing.create_client(&bitfactura::NewClient::company("Acme SpA")).await.unwrap().id
    }

    pub async fn invoice(&self) -> u64 {
        self.billing.create_invoice(&self.order().await).await.unwrap().id
    }

    /// An invoice to be created.
    pub async fn order(&self) -> bitfactura::NewInvoice {
        let position = bitfactura::PositionFields {
            name: "Consultoría".into(),
            quantity: rust_decimal::Decimal::ONE.into(),
            price_net: rust_decimal::Decimal::from(500).into(),
            tax: "19".into(),
            ..bitfactura::PositionFields::default()
        };
        bitfactura::NewInvoice::new(bitfactura::Buyer::Existing(self.buyer().await)).position(position)
    }

    #[cfg(feature = "store")]
    pub async fn step(&self) -> sugester::sync::Synchroniser {
        use sugester::sync::{Settings, Synchroniser};
        let store = integration_store::Store::open("memory:").await.unwrap();
        let (billing, crm) = (self.billing.clone(), self.crm.clone());
        Synchroniser::builder(Settings::new("example"), billing, crm, &store).build().unwrap()
    }
}

pub fn run(example: impl AsyncFnOnce(Kit) -> Result<(), Failure>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = integration_sandbox::Sandbox::start().await.unwrap();
        let (crm, billing) = (sandbox.sugester(), sandbox.bitfactura());
        let crm = sugester::Client::builder()
            .base_url(BaseUrl::parse(crm.base_url()).unwrap())
            .account(crm.account().parse().unwrap())
            .token(crm.token().parse().unwrap())
            .build()
            .unwrap();
        let billing = bitfactura::Client::builder()
            .base_url(BaseUrl::parse(billing.base_url()).unwrap())
            .account(billing.account().parse().unwrap())
            .token(billing.token().parse().unwrap())
            .build()
            .unwrap();
        example(Kit { sandbox, crm, billing }).await.unwrap();
    });
}
