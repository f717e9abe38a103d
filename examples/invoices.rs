//! Invoices, each once: made under a key of its own, its lost answer found out about, its PDF fetched, mailed, its status set, listed.
//!
//! `invoices [OID [EMAIL]]`: `OID` is the number of the order (`order-2026-0042` unless given); the invoice is mailed if an address is
//! given. Run it again with the same `OID`: it finds the invoice. On the embedded sandbox the answer to the creation gets lost and the
//! PDF is not ready at once; there no mail goes out.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use integration_examples::{connect_billing, finish};
use integration_sandbox::bitfactura::{Endpoint, Table};
use integration_sandbox::{Fault, Sandbox};
use rust_decimal::Decimal;
use sugester::bitfactura::{
    Buyer, Client, ClientFields, Income, Invoice, InvoiceFields, InvoiceOrder, InvoiceQuery, Mail, NewClient,
    NewInvoice, Period, PositionFields,
};
use sugester::kinds::InvoiceStatus;
use sugester::{Error, ErrorExt};

type Failure = Box<dyn std::error::Error>;

/// The client's number in the program that sells: BitFactura keeps it as `external_id`.
const SHOP_NUMBER: &str = "shop-17";

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let (client, sandbox) = connect_billing().await?;
    let mut arguments = std::env::args().skip(1);
    let oid = arguments.next().unwrap_or_else(|| "order-2026-0042".to_owned());
    let stand_in = sandbox.as_ref().map(|_| "compras@example.com".to_owned());
    let email = arguments.next().or(stand_in);

    let buyer = buyer(&client).await?;
    if let Some(sandbox) = &sandbox {
        let service = sandbox.bitfactura();
        service.inject(Endpoint::CreateInvoice, Fault::ActThenReset); // it is made, and nobody hears of it
        service.configure(|settings| settings.pdf_not_ready_times = 1);
    }
    let wanted = NewInvoice::new(Buyer::Existing(buyer))
        .position(position("Consultoría", "2", "500.00"))
        .position(position("Desplazamiento", "1", "85.50"))
        .fields(InvoiceFields { payment_to_kind: "14".into(), ..InvoiceFields::default() })
        .oid(&oid);
    let invoice = make(&client, &wanted).await?;
    // Once more, as after a crash: the service refuses the key, and the invoice is found.
    let again = make(&client, &wanted).await?;
    if again.id != invoice.id {
        return Err(format!("{oid} is two invoices: {} and {}", invoice.id, again.id).into());
    }

    fetch_pdf(&client, invoice.id).await?;
    if let Some(email) = &email {
        client.mail_invoice(invoice.id, &Mail::new().to(email).with_pdf()).await?;
        println!("mailed          to {email}");
    }
    client.change_invoice_status(invoice.id, &InvoiceStatus::Paid).await?;
    let now = client.invoice(invoice.id).await?;
    println!("status          {}", now.status.map_or_else(String::new, |status| status.to_string()));
    list(&client).await?;
    sandbox.map_or(Ok(()), |sandbox| count(&sandbox))
}

/// The client of the shop's number. Looked for first; if the answer to the creation were lost, the next run would find it.
async fn buyer(client: &Client) -> Result<u64, Error> {
    if let Some(known) = client.client_by_external_id(SHOP_NUMBER).await? {
        println!("client          {} found", known.id);
        return Ok(known.id);
    }
    let fields = ClientFields {
        tax_no: "76.123.456-0".into(),
        external_id: SHOP_NUMBER.into(),
        ..ClientFields::default()
    };
    let made = client.create_client(&NewClient::company("Comercial Ejemplo SpA").fields(fields)).await?;
    println!("client          {} created", made.id);
    Ok(made.id)
}

fn position(name: &str, quantity: &str, net: &str) -> PositionFields {
    let exact = |text: &str| text.parse::<Decimal>().unwrap_or_default();
    PositionFields {
        name: name.into(),
        quantity: exact(quantity).into(),
        price_net: exact(net).into(),
        tax: "19".into(),
        ..PositionFields::default()
    }
}

async fn make(client: &Client, wanted: &NewInvoice) -> Result<Invoice, Error> {
    let made = client.create_invoice_keyed(wanted).await?;
    let how = if made.was_found() { "found by its oid" } else { "created" };
    // What a creation answers may have fewer fields than what is read.
    let invoice = client.invoice(made.into_inner().id).await?;
    let (number, gross) = (invoice.number.clone().unwrap_or_default(), invoice.price_gross);
    println!("invoice {:<8}{how}: {number}, gross {}", invoice.id, gross.unwrap_or_default());
    Ok(invoice)
}

/// Just after the creation a PDF may still be being made.
async fn fetch_pdf(client: &Client, id: u64) -> Result<(), Error> {
    let path = std::env::temp_dir().join(format!("invoice-{id}-{}.pdf", std::process::id()));
    let mut tries = 0;
    let fetched = loop {
        tries += 1;
        match client.invoice_pdf(id).save_to(&path).await {
            Err(error) if error.is_not_ready() && tries < 10 => {
                eprintln!("the PDF is being made");
                client.clock().timer(Duration::from_secs(1)).await;
            }
            fetched => break fetched?,
        }
    };
    println!("pdf             {} bytes at {}", fetched.length, path.display());
    Ok(())
}

/// Without a period the service shows the last 12 months alone, and says nothing of it. Here a period is always sent: all, unless chosen.
async fn list(client: &Client) -> Result<(), Error> {
    let query = InvoiceQuery::new().period(Period::ThisYear).income(Income::Sale);
    let mut pages = client.invoices(&query.descending(InvoiceOrder::IssueDate))?;
    let bar = ProgressBar::new_spinner().with_message("invoices");
    let (mut count, mut gross) = (0, Decimal::ZERO);
    while let Some(page) = pages.next_page().await? {
        count += page.items.len();
        gross += page.items.iter().filter_map(|invoice| invoice.price_gross).sum::<Decimal>();
        bar.set_position(count as u64);
    }
    bar.finish_and_clear();
    println!("this year       {count} invoices, gross {gross}");
    Ok(())
}

fn count(sandbox: &Sandbox) -> Result<(), Failure> {
    let service = sandbox.bitfactura();
    let made = (service.created(Table::Invoices), service.mails().len());
    if made != (1, 1) {
        return Err(format!("(invoices, mails) {made:?} and not one of each").into());
    }
    Ok(())
}
