//! Answers an open question by hand, after somebody looked the document up in the vendor's portal.
//!
//! * `resolve_unknown` lists the open questions of the store of `INTEGRATION_STORE_URL`;
//! * `resolve_unknown NUMBER issued CONTROL WHO WHY` (CONTROL may be `-` if it is not known);
//! * `resolve_unknown NUMBER not-issued WHO WHY`.
//!
//! Without `FISCAL_PRINTER_BASE_URL` it plays the whole story on an embedded sandbox: an answer is lost, the number is looked up,
//! the question is answered.

use std::process::ExitCode;

use fiscal_printer::journal::{Journal, JournalEntry, Ruling, Series};
use fiscal_printer::{Buyer, Document, DocumentType, InternalNumber, Line};
use integration_examples::{Service, connect, finish, open_store};
use integration_sandbox::{Fault, fiscal::Endpoint};
use integration_store::Store;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let service = connect().await?;
    if service.sandbox.is_some() && arguments.is_empty() {
        return story(&service).await;
    }
    let journal =
        Journal::builder(service.client.clone(), &open_store().await?).settings_from_env()?.build()?;
    let series = journal.own_series(DocumentType::Invoice).await?;
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [] => list(&journal).await,
        [number, "issued", control, who, why] => {
            let control = if *control == "-" { None } else { Some(control.parse()?) };
            rule(&journal, &series, number, Ruling::Issued(control), who, why).await
        }
        [number, "not-issued", who, why] => {
            rule(&journal, &series, number, Ruling::NotIssued, who, why).await
        }
        _ => Err("usage: resolve_unknown [NUMBER (issued CONTROL | not-issued) WHO WHY]".into()),
    }
}

async fn list(journal: &Journal) -> Result<(), Box<dyn std::error::Error>> {
    let open = journal.open_questions().await?;
    println!("{} open", open.len());
    for question in open {
        let entry = &question.entry;
        let why = entry.reason().unwrap_or("the program that sent it ended before the answer came");
        println!(
            "{} {} total {} sent {}: {:?}: {why}",
            entry.series(),
            entry.number(),
            entry.total(),
            entry.changed(),
            question.because
        );
    }
    Ok(())
}

async fn rule(
    journal: &Journal,
    series: &Series,
    number: &str,
    ruling: Ruling,
    who: &str,
    why: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let number: InternalNumber = number.parse()?;
    print(&journal.resolve_manually(series, &number, ruling, who, why).await?);
    Ok(())
}

fn print(entry: &JournalEntry) {
    println!("{} {} {}", entry.number(), entry.state().name(), entry.control_text().unwrap_or("-"));
    if let Some(decision) = entry.decision() {
        println!("decided by {} at {}: {}", decision.who, decision.when, decision.why);
    }
}

/// The service acts, its answer is lost, and a person finds the control number where the portal would show it.
async fn story(service: &Service) -> Result<(), Box<dyn std::error::Error>> {
    let Some(sandbox) = &service.sandbox else { return Ok(()) };
    let fiscal = sandbox.fiscal();
    let journal = Journal::builder(service.client.clone(), &Store::open("memory:").await?).build()?;
    let series = journal.own_series(DocumentType::Invoice).await?;
    let buyer = Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567");
    let invoice =
        Document::invoice(fiscal.rif(), 1).buyer(buyer).line(Line::new("A2", "Dos", "20.00", 1)).build()?;
    fiscal.inject(Endpoint::Issue, Fault::ActThenReset);
    if let Err(error) = journal.issue(&invoice).await {
        println!("{error}");
    }
    list(&journal).await?;
    let found = fiscal.documents().into_iter().find(|document| document.internal_number == "00000001");
    let control = found.map(|document| document.control_number.parse()).transpose()?;
    println!("looked up in the portal: {control:?}");
    rule(&journal, &series, "00000001", Ruling::Issued(control), "Ana Pérez", "seen in the portal").await
}
