//! `fiscal-printer`, by contract 2 and 9.2: issuing is repeated from NotSent only, annulling from NotSent and Unknown, mailing as
//! issuing; 429, 400 and 5xx prove nothing; a probe without an envelope is unavailable and nothing follows from it.

use fiscal_printer::journal::{Finding, OutcomeProbe, Question, Series, StatusProbe};
use fiscal_printer::{Client, ClientBuilder, DocumentType, Environment, Mail, idempotency_table};
use integration_core::call::Idempotency;
use integration_core::{BoxFuture, ErrorKind, Outcome};

use super::super::server::{Reply, Seen};
use super::super::subject::{Column, Doing, Exception, Op, Rules, Site, Subject, doing};
use crate::support::{RIF, invoice};

pub struct FiscalPrinter;

const TOKEN: &str = "planted-fiscal-token";

/// 9.2: what may have been done may have been done, whatever the status.
fn issue() -> Rules {
    Rules { connects: 3, too_many: Outcome::Unknown, passing: &[], ..Rules::never() }
}

fn annul() -> Rules {
    Rules { class: Idempotency::Keyed, tries: 3, passing: &[400, 408, 429, 500, 502, 503, 504], ..issue() }
}

/// 9.3, last paragraph: 404 or no envelope is "probe unavailable", so only what never was answered is asked again.
fn probe() -> Rules {
    Rules { passing: &[], ..Rules::read() }
}

const UNAVAILABLE: &str = "contract 9.3: an answer without an envelope is \"probe unavailable\"";
const PROBE: &[Exception] = &[
    unavailable("5"),
    unavailable("429"),
    unavailable("401"),
    unavailable("30"),
    unavailable("malformed"),
    unavailable("cut JSON"),
    unavailable("empty"),
    unavailable("HTML"),
    unavailable("another type"),
    unavailable("gzip"),
    unavailable("encoding"),
    unavailable("512 MiB"),
];

const fn unavailable(fault: &'static str) -> Exception {
    Exception { fault, kind: ErrorKind::UnexpectedAnswer, outcome: Outcome::Refused, because: UNAVAILABLE }
}

impl Subject for FiscalPrinter {
    fn name(&self) -> &'static str {
        "fiscal-printer"
    }

    fn operations(&self) -> Vec<Op> {
        vec![
            Op::new(Column::Safe, "status probe", probe(), |seen| seen.path() == "/facturacion/status")
                .brings("00-00000001")
                .except(PROBE),
            Op::new(Column::Keyed, "annul", annul(), |seen| seen.path() == "/anulacion").brings("hecho 1"),
            Op::new(Column::Once, "issue", issue(), |seen| seen.path() == "/facturacion")
                .brings("00-00000001"),
            Op::new(Column::Once, "mail", issue(), |seen| seen.path() == "/email").brings("hecho 1"),
        ]
    }

    fn table(&self) -> &'static [(&'static str, Idempotency)] {
        idempotency_table()
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[TOKEN]
    }

    fn answer(&self, seen: &Seen) -> Reply {
        Reply::json(match seen.path() {
            "/facturacion" => r#"{"success":true,"data":{"numerodocumento":"00-00000001"},"error":null}"#,
            "/facturacion/status" => {
                r#"{"success":true,"data":[{"numerodocumento":"00-00000001","numerointerno":"00000001"}],"error":null}"#
            }
            _ => r#"{"success":true,"data":{"mensaje":"hecho 1"},"error":null}"#,
        })
    }

    fn ready(&self, operation: &'static str, _: Column, site: Site) -> BoxFuture<'_, Doing> {
        let environment = Environment::custom(&site.url).unwrap();
        let client = Client::builder().environment(environment).clock(site.clock).token(TOKEN).rif(RIF);
        let client = site.limit.into_iter().fold(client, ClientBuilder::timeout).build().unwrap();
        Box::pin(async move {
            doing(move || {
                let client = client.clone();
                async move { act(&client, operation).await }
            })
        })
    }
}

async fn act(client: &Client, operation: &str) -> Result<String, integration_core::Error> {
    let number = || "00-00000001".parse().unwrap();
    Ok(match operation {
        "issue" => client.issue(&invoice(1)).await?.control_number().unwrap().to_string(),
        "annul" => client.annul(&number(), "Error").await?.message().unwrap_or_default().to_owned(),
        "mail" => {
            let mail = Mail::new(number(), "compras@example.com");
            client.mail(&mail).await?.message().unwrap_or_default().to_owned()
        }
        _ => {
            let series = Series::new("test", &RIF.parse().unwrap(), DocumentType::Invoice);
            match StatusProbe.ask(client, &Question::new(series, 1_u32.into())).await? {
                Finding::Issued(number) => number.map(|number| number.to_string()).unwrap_or_default(),
                other => format!("{other:?}"),
            }
        }
    })
}
