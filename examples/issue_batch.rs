//! Issues hundreds of documents from a CSV file, in order, with a progress bar and a summary.
//!
//! `cargo run --example issue_batch [FILE]` reads `examples/data/batch.csv` unless a file is given: one item a line, the items
//! of one document next to each other under the same number. Every line of the file is checked before the first document
//! goes out; the batch stops where an outcome is not certain.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use fiscal_printer::{Batch, Buyer, Decimal, Document, InternalNumber, Line};
use indicatif::{ProgressBar, ProgressStyle};
use integration_examples::{connect, data, finish};
use serde::Deserialize;

/// One line of the file: an item with its document.
#[derive(Debug, Clone, Deserialize)]
struct Row {
    number: String,
    name: String,
    identity: String,
    email: String,
    address: String,
    phone: String,
    code: String,
    description: String,
    price: String,
    quantity: String,
    tax_percent: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| data("batch.csv"));
    let rows: Vec<Row> = csv::Reader::from_path(&path)
        .and_then(|mut reader| reader.deserialize().collect())
        .map_err(|error| format!("{path}: {error}"))?;
    let documents = documents(&rows)?;
    let service = connect().await?;
    let summary = issue_all(service.client.issue_all(documents)).await;
    summary.print();
    match summary.stopped_by {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Checks the whole file: a mistake in its last line must not show after the first documents are issued.
fn documents(rows: &[Row]) -> Result<Vec<Document>, Box<dyn std::error::Error>> {
    let issuer = std::env::var("FISCAL_PRINTER_RIF").unwrap_or_else(|_| "J-12345678-4".to_owned());
    let groups = rows.chunk_by(|left, right| left.number == right.number);
    let (mut documents, mut mistakes) = (Vec::new(), 0);
    for group in groups {
        match document(&issuer, group) {
            Ok(document) => documents.push(document),
            Err(error) => {
                mistakes += 1;
                eprintln!("document {}: {error}", group[0].number);
            }
        }
    }
    if mistakes > 0 {
        return Err(format!("{mistakes} documents are not right; nothing was sent").into());
    }
    Ok(documents)
}

fn document(issuer: &str, items: &[Row]) -> Result<Document, Box<dyn std::error::Error>> {
    let first = &items[0];
    let number: InternalNumber = first.number.parse()?;
    let buyer = Buyer::new(&first.name, &first.identity)
        .email(&first.email)
        .address(&first.address)
        .phone(&first.phone);
    let lines = items.iter().map(|row| {
        let line = Line::new(&row.code, &row.description, row.price.as_str(), row.quantity.as_str());
        if row.tax_percent == "0" { line.exempt() } else { line.percent(row.tax_percent.as_str()) }
    });
    Ok(Document::invoice(issuer, number).buyer(buyer).lines(lines).build()?)
}

#[derive(Default)]
struct Summary {
    issued: usize,
    amounts: BTreeMap<&'static str, Decimal>,
    first: Option<String>,
    last: Option<String>,
    not_tried: usize,
    stopped_by: Option<fiscal_printer::Error>,
}

async fn issue_all(mut batch: Batch) -> Summary {
    let bar = ProgressBar::new(batch.remaining() as u64).with_style(style());
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut summary = Summary::default();
    while let Some(item) = batch.next().await {
        match item.result {
            Ok(issued) => {
                println!("{} issued {}", item.document.number(), issued.control_text());
                summary.count(&item.document, issued.control_text());
            }
            Err(error) => {
                let word = if error.is_outcome_unknown() { "UNKNOWN" } else { "not issued" };
                println!("{} {word} -", item.document.number());
                summary.stopped_by = Some(error);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    summary.not_tried = batch.remaining();
    summary
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} issued, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Summary {
    fn count(&mut self, document: &Document, control: &str) {
        self.issued += 1;
        self.first.get_or_insert_with(|| control.to_owned());
        self.last = Some(control.to_owned());
        let totals = document.totals();
        for (name, amount) in [("subtotal", totals.subtotal), ("VAT", totals.vat()), ("total", totals.total)]
        {
            *self.amounts.entry(name).or_default() += amount;
        }
    }

    fn print(&self) {
        println!("issued     {}", self.issued);
        println!("not tried  {}", self.not_tried);
        println!("first      {}", self.first.as_deref().unwrap_or("-"));
        println!("last       {}", self.last.as_deref().unwrap_or("-"));
        for (name, amount) in &self.amounts {
            println!("{name:10} {amount}");
        }
    }
}
