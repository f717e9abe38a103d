// What the examples of the crate's operations stand on, hidden in their pages: the embedded sandbox and a client of it.

use legale::flow::{Flow, SignMethod, Signer};
use legale::permission::{Action, Audit, AuditRecord, Gate, Grant, SharedGate};
use legale::{Client, Clock, Credential, DocumentId, Environment, GatedClient, Sending, Source, SystemClock, Upload};

pub type Failure = Box<dyn std::error::Error>;

pub struct Kit {
    pub sandbox: integration_sandbox::Sandbox,
    pub client: Client,
}

impl Kit {
    pub fn upload(&self) -> Upload {
        Upload::new("Contrato_ClienteX_2025.pdf", "Contrato de arriendo", Source::bytes("%PDF-1.7 ..."))
    }

    pub fn flow(&self) -> Flow {
        let ana = Signer::outsider(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas").skip_email();
        Flow::sequential().signer(ana).build().unwrap()
    }

    pub fn sending(&self) -> Sending {
        Sending::new(self.upload(), self.flow())
    }

    /// A document without a flow.
    pub async fn guid(&self) -> DocumentId {
        self.client.create(&self.upload()).await.unwrap().document.guid
    }

    /// The client in the hands of somebody who was granted everything.
    pub fn gated(&self) -> GatedClient {
        let (ada, now) = ("ada@example.com", SystemClock::new().wall());
        let mut gate = Gate::with_administrator(ada, now).unwrap();
        for action in ACTIONS {
            gate.grant(ada, ada, Grant::new(action), now);
        }
        GatedClient::new(self.client.clone(), std::sync::Arc::new(SharedGate::new(gate, Silent)), ada)
    }
}

const ACTIONS: [Action; 4] = [Action::Read, Action::Edit, Action::Sign, Action::Delete];

struct Silent;
impl Audit for Silent {
    fn record(&self, _: &AuditRecord) {}
}

pub fn run(example: impl AsyncFnOnce(Kit) -> Result<(), Failure>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = integration_sandbox::Sandbox::start().await.unwrap();
        let service = sandbox.legale();
        let builder = Client::builder()
            .environment(Environment::root(service.base_url()).unwrap())
            .credential(Credential::password(service.email(), service.password()))
            .allow_contact_by_id(true);
        let client = builder.build().unwrap();
        example(Kit { sandbox, client }).await.unwrap();
    });
}
