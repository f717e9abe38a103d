// What the examples of the crate's operations stand on, hidden in their pages: the embedded sandbox and a client of it.

use fiscal_printer::{Buyer, Client, Document, Environment, Line};

pub type Failure = Box<dyn std::error::Error>;

pub struct Kit {
    pub sandbox: integration_sandbox::Sandbox,
    pub client: Client,
}

impl Kit {
    pub fn invoice(&self, number: u32) -> Document {
        Document::invoice("J-12345678-4", number)
            .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
            .line(Line::new("A2", "Dos", "20.00", 1))
            .build()
            .unwrap()
    }

    #[cfg(feature = "journal")]
    pub async fn journal(&self) -> fiscal_printer::journal::Journal {
        let store = integration_store::Store::open("memory:").await.unwrap();
        fiscal_printer::journal::Journal::builder(self.client.clone(), &store).build().unwrap()
    }
}

pub fn run(example: impl AsyncFnOnce(Kit) -> Result<(), Failure>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = integration_sandbox::Sandbox::start().await.unwrap();
        let service = sandbox.fiscal();
        let client = Client::builder()
            .environment(Environment::custom(service.base_url()).unwrap())
            .token(service.token())
            .rif("J-12345678-4")
            .build()
            .unwrap();
        example(Kit { sandbox, client }).await.unwrap();
    });
}
