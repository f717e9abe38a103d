//! Crate and sandbox read the same contract independently; here they are made to disagree if they can.
//!
//! What the service accepts the crate must be able to express; what it refuses the crate must refuse first, naming the same
//! field. Documents come from seeds, so a failure names its document.

mod generator;
mod mutations;
mod wire;

use fiscal_printer::{Document, Error, Fault, RoundingPolicy, Severity, WireProfile};
use integration_sandbox::Sandbox;
use integration_sandbox::fiscal::{Fiscal, Issuer};

use crate::support::{client_with, filled, raw_post, sandbox};

/// Its numbers are not enforced, so that a document can be sent as often as it takes.
const ISSUER: &str = "G-12345678-7";

/// The service with one issuer and an invoice that notes can refer to.
struct Bench {
    sandbox: Sandbox,
    token: String,
    client: fiscal_printer::Client,
    related: String,
}

impl Bench {
    async fn new() -> Self {
        let sandbox = sandbox().await;
        let token = sandbox.fiscal().add_issuer(Issuer::new(ISSUER).validar_interno(0));
        let client = client_with(sandbox.fiscal(), &token);
        let first = filled(Document::invoice(ISSUER, 1)).build().unwrap();
        let related = client.issue(&first).await.unwrap().control_text().to_owned();
        Self { sandbox, token, client, related }
    }

    fn fiscal(&self) -> &Fiscal {
        self.sandbox.fiscal()
    }

    /// What the service says to these very bytes.
    async fn says(&self, json: &str) -> Said {
        let (status, body) = raw_post(self.fiscal(), &self.token, "/facturacion", json).await;
        Said::read(status, &body)
    }

    /// What it says to the crate's own bytes, sent by the client.
    async fn says_to(&self, document: &Document) -> Said {
        match self.client.issue(document).await {
            Ok(_) => Said::Issued,
            Err(error) => match error.service_code() {
                Some(code) => {
                    Said::Refused(code.parse().unwrap(), error.message().unwrap_or_default().to_owned())
                }
                None => Said::Failed(error.to_string()),
            },
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Said {
    Issued,
    Refused(u32, String),
    /// 400 with a text, or no answer at all.
    Failed(String),
}

impl Said {
    fn read(status: u16, body: &str) -> Self {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(body) else {
            return Self::Failed(format!("{status} {body}"));
        };
        match value["error"]["code"].as_u64() {
            Some(code) => {
                let message = value["error"]["message"].as_str().unwrap_or_default().to_owned();
                Self::Refused(u32::try_from(code).unwrap(), message)
            }
            None => Self::Issued,
        }
    }
}

/// The warnings that foretell a refusal on purpose: S1 to S4, I13 for guides, R31 without items.
fn foretold(document: &Document) -> Option<u32> {
    let of = |rules: &[&str]| document.warnings().iter().any(|warning| rules.contains(&warning.rule()));
    if of(&["S1", "S2", "S3", "S4", "I13"]) {
        Some(4)
    } else if of(&["R31"]) {
        Some(10)
    } else {
        None
    }
}

fn paths(error: &Error) -> Vec<&str> {
    let errors = error.faults().iter().filter(|fault| fault.severity() == Severity::Error);
    errors.map(Fault::path).collect()
}

fn read(json: &str) -> Result<Document, Error> {
    Document::from_json(json.as_bytes())?.build()
}

/// How many documents an ordinary run makes; a nightly one may ask for more.
fn count() -> u64 {
    std::env::var("DIFFERENTIAL_DOCUMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

#[tokio::test]
async fn right_documents_are_computed_verified_and_issued() {
    let bench = Bench::new().await;
    let profile = WireProfile::default();
    let (mut issued, mut foretold_refusals) = (0, 0);
    for seed in 1..=count() {
        let made = generator::make(seed, ISSUER, &bench.related);
        let json = made.json.to_string();
        let verified = read(&json).unwrap_or_else(|error| panic!("seed {seed}: {}\n{json}", error.report()));
        let stripped = generator::stripped(&made).to_string();
        let computed =
            read(&stripped).unwrap_or_else(|error| panic!("seed {seed}: {}\n{stripped}", error.report()));

        let body = computed.to_json(&profile);
        assert_eq!(verified.to_json(&profile), body, "seed {seed}: computing and verifying are one rule");
        for (key, cents) in &made.cents {
            let expected = format!("\"{key}\":{}.{:02},", cents / 100, cents % 100);
            assert!(body.contains(&expected), "seed {seed}: {expected} in {body}");
        }

        let raw = bench.says(&json).await;
        let own = bench.says_to(&verified).await;
        assert_eq!(raw, own, "seed {seed}: the crate's JSON means what it was read from\n{json}\n{body}");
        match foretold(&verified) {
            None => assert_eq!(own, Said::Issued, "seed {seed}\n{json}"),
            Some(code) => {
                assert!(
                    matches!(own, Said::Refused(found, _) if found == code),
                    "seed {seed}: {own:?}\n{json}"
                );
                let disagreements = verified.server_disagreements();
                let Said::Refused(_, message) = &own else { unreachable!() };
                assert!(
                    disagreements.iter().any(|found| mutations::means(code, message, &found.path)),
                    "seed {seed}: {message} is none of {disagreements:?}"
                );
                foretold_refusals += 1;
            }
        }
        issued += u64::from(own == Said::Issued);

        if own != Said::Issued {
            follows_the_service(&bench, seed, &made).await;
        }
    }
    println!("{issued} issued, {foretold_refusals} refused as foretold");
    assert!(issued > count() / 2 && foretold_refusals > 0, "{issued} issued, {foretold_refusals} foretold");
}

/// Whoever follows the service's cents is never refused.
async fn follows_the_service(bench: &Bench, seed: u64, made: &generator::Made) {
    let mut json = generator::stripped(made);
    // Every line may lose a cent, so the IGTF base, which is brought, keeps its distance from its upper limit (I10).
    let base = (made.cents_of("baseigtf") - 2 * made.lines as i128 - 2).max(0);
    for key in ["baseigft", "baseigtf"] {
        json.set(key, wire::Wire::raw(format!("{}.{:02}", base / 100, base % 100)));
    }
    let json = json.to_string();
    let document =
        Document::from_json(json.as_bytes()).unwrap().rounding(RoundingPolicy::ServerCompatible).build();
    let document = document.unwrap_or_else(|error| panic!("seed {seed}: {}\n{json}", error.report()));
    assert_eq!(bench.says_to(&document).await, Said::Issued, "seed {seed}\n{json}");
}
