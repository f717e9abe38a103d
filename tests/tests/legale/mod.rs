//! Whole flows of `legale` against the sandbox, which reads the same contract independently.
//!
//! Expected values come from the contract. Nothing waits for real: the client's clock is moved by its own pauses, the sandbox's
//! by the tests.

mod callbacks;
mod deliveries;
mod faults;
mod gate;
mod leaks;
mod pairs;
mod ruts;
mod shapes;
mod stalls;
mod stranger;
mod tracking;
mod walks;

use integration_sandbox::Sandbox;
use integration_sandbox::legale::{Document, Legale};
use legale::flow::{Flow, FlowBuilder, SignMethod, Signer};
use legale::{
    Client, ClientBuilder, Credential, DocumentId, Environment, ManualClock, Sending, Source, Upload,
};

const ANA: &str = "ana@example.com";
const BEA: &str = "bea@example.com";
const FILE: &[u8] = b"%PDF-1.7 a document of the tests\n%%EOF\n";

/// A sandbox, and clients of it with a session that renews itself.
struct Bench {
    sandbox: Sandbox,
}

impl Bench {
    async fn new() -> Self {
        Self { sandbox: Sandbox::start().await.unwrap() }
    }

    fn legale(&self) -> &Legale {
        self.sandbox.legale()
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .environment(Environment::root(self.legale().base_url()).unwrap())
            .credential(Credential::password(self.legale().email(), self.legale().password()))
            .clock(ManualClock::new())
    }

    fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    fn document(&self, guid: &DocumentId) -> Document {
        self.legale().document(guid.as_str()).unwrap()
    }

    /// How many documents there are, and how often flows were started in all.
    fn done(&self) -> (usize, u32) {
        let documents = self.legale().documents();
        (documents.len(), documents.iter().map(|document| document.starts).sum())
    }
}

fn outsider(email: &str) -> Signer {
    Signer::outsider(SignMethod::NoSms, email).name("Ana", "Rojas").skip_email()
}

fn upload() -> Upload {
    Upload::new("Contrato_X_2025.pdf", "Contrato", Source::bytes(FILE)).folder("Contratos/X")
}

fn two(builder: FlowBuilder) -> Flow {
    builder.signer(outsider(ANA)).signer(outsider(BEA)).build().unwrap()
}

fn sending() -> Sending {
    Sending::new(upload(), two(Flow::sequential()))
}
