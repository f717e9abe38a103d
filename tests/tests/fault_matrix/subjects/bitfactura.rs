//! `sugester::bitfactura`, by contract 2.4 and 3.5, as the CRM. A login and an upload are keyed by nature and yet sent once: "POST,
//! PUT, PATCH, DELETE never".

use std::time::Duration;

use integration_core::call::Idempotency;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use sugester::bitfactura::{
    Buyer, Client, ClientBuilder, InvoiceFields, InvoiceQuery, Login, NewInvoice, PositionFields,
};
use sugester::{BaseUrl, idempotency_table};

use super::super::server::{Reply, Seen};
use super::super::subject::{Column, Doing, Exception, Op, Rules, Site, Subject, doing};
use super::sugester::{ENCODED, TOKEN, page, read, write};

pub struct BitFactura;

const PASSWORD: &str = "planted-bitfactura-password";
const LARGEST: usize = 100 * 1024 * 1024;

fn keyed() -> Rules {
    Rules { class: Idempotency::Keyed, ..write() }
}

/// A store for files is no service of this contract: nothing is said of what it asks for.
fn store() -> Rules {
    Rules { longest_wait: (Duration::from_secs(120), false), ..keyed() }
}

/// Contract 3.7 and trap 18.
const NOT_READY: &[Exception] =
    &[said_not_ready("HTML"), said_not_ready("empty"), said_not_ready("cut JSON"), not_ready("30")];

/// Wider than the contract's words: whatever is neither the file nor JSON.
const fn said_not_ready(fault: &'static str) -> Exception {
    Exception { outcome: Outcome::Refused, ..not_ready(fault) }
}

const fn not_ready(fault: &'static str) -> Exception {
    let because = "contract 3.7: HTML or a redirect in place of a PDF is \"not ready\"";
    Exception { fault, kind: ErrorKind::Refused, outcome: Outcome::ReadOnly, because }
}

impl Subject for BitFactura {
    fn name(&self) -> &'static str {
        "sugester (BitFactura)"
    }

    fn operations(&self) -> Vec<Op> {
        let create = |seen: &Seen| seen.method == "POST" && seen.path() == "/invoices.json";
        let download = Rules { cap: LARGEST, ..read() };
        vec![
            Op::new(Column::Safe, "read an invoice", read(), |seen| seen.path() == "/invoices/7.json")
                .brings("7"),
            Op::new(Column::Keyed, "log in", keyed(), |seen| seen.path() == "/login.json").brings("ana"),
            Op::new(Column::Once, "create an invoice", write(), create).brings("7"),
            Op {
                helpers: 1,
                ..Op::new(Column::Upload, "upload an attachment", store(), |seen| seen.path() == "/bucket")
                    .brings("up")
                    .without(&[
                        ("nobody listens", "the call that prepares the upload meets it"),
                        ("malformed", "the store's answer has no body that is read"),
                        ("cut JSON", "the store's answer has no body that is read"),
                        ("empty", "the store's answer has no body that is read"),
                        ("HTML", "the store's answer has no body that is read"),
                        ("another type", "the store's answer has no body that is read"),
                        ("gzip", "the store's answer has no body that is read"),
                        ("encoding", "the store's answer has no body that is read"),
                    ])
            },
            Op::new(Column::Pull, "list invoices", read(), |seen| seen.path() == "/invoices.json")
                .paged(1, 3)
                .brings("1 2 3 4"),
            Op::new(Column::Download, "fetch the PDF of an invoice", download, |seen| {
                seen.path() == "/invoices/7.pdf"
            })
            .brings("14")
            .except(NOT_READY),
        ]
    }

    fn table(&self) -> &'static [(&'static str, Idempotency)] {
        idempotency_table()
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[TOKEN, ENCODED, PASSWORD]
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let host = seen.head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        Reply::json(match (seen.method.as_str(), seen.path()) {
            ("GET", "/invoices.json") => page(seen),
            ("GET", "/invoices/7.pdf") => return Reply::file(b"%PDF-1.7\n%%EOF"),
            (_, "/login.json") => {
                r#"{"login":"ana","prefix":"acme","api_token":"planted/crm-token/acme"}"#.to_owned()
            }
            (_, "/invoices/7/get_new_attachment_credentials.json") => {
                format!(r#"{{"url":"http://{host}/bucket","key":"k","policy":"p"}}"#)
            }
            (_, "/invoices/7/add_attachment.json") => r#"{"code":"success"}"#.to_owned(),
            _ => r#"{"id":7,"number":"1/2026"}"#.to_owned(),
        })
    }

    fn ready(&self, operation: &'static str, _: Column, site: Site) -> BoxFuture<'_, Doing> {
        let client = Client::builder()
            .base_url(BaseUrl::parse(&site.url).unwrap())
            .token(TOKEN.parse().unwrap())
            .per_page(2)
            .clock(site.clock.clone());
        let client = site.limit.into_iter().fold(client, ClientBuilder::timeout).build().unwrap();
        Box::pin(async move {
            doing(move || {
                let (client, site) = (client.clone(), site.clone());
                async move { act(&client, operation, &site).await }
            })
        })
    }
}

fn invoice() -> NewInvoice {
    let position = PositionFields {
        product_id: 5.into(),
        quantity: rust_decimal::Decimal::TWO.into(),
        ..PositionFields::default()
    };
    let fields = InvoiceFields { payment_to_kind: "14".into(), ..InvoiceFields::default() };
    NewInvoice::new(Buyer::Existing(17)).fields(fields).position(position)
}

async fn act(client: &Client, operation: &str, site: &Site) -> Result<String, Error> {
    Ok(match operation {
        "read an invoice" => client.invoice(7).await?.id.to_string(),
        "log in" => {
            let login = Login::new("ana", PASSWORD).host(BaseUrl::parse(&site.url).unwrap());
            let login = site.limit.into_iter().fold(login, Login::timeout);
            login.clock(site.clock.clone()).send().await?.login.unwrap_or_default()
        }
        "create an invoice" => client.create_invoice(&invoice()).await?.id.to_string(),
        "upload an attachment" => {
            client.attach_to_invoice(7, "a.txt", b"hello").await.map(|()| "up".to_owned())?
        }
        "list invoices" => {
            let all = client.invoices(&InvoiceQuery::new())?.all().await?;
            all.iter().map(|invoice| invoice.id.to_string()).collect::<Vec<_>>().join(" ")
        }
        _ => client.invoice_pdf(7).write_to(&mut tokio::io::sink()).await?.length.to_string(),
    })
}
