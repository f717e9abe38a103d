//! The main job: reads an invoice, computes its totals, issues it and mails it.
//!
//! `cargo run --example issue_invoice [FILE]` reads `examples/data/invoice.json` unless a file is given. Amounts that stand in
//! the file are verified, those that do not are computed.

use std::process::ExitCode;

use fiscal_printer::Mail;
use integration_examples::{connect, document, finish, print_totals};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let invoice = document(std::env::args().nth(1), "invoice.json")?;
    print_totals(&invoice);

    let service = connect().await?;
    let issued = service.client.issue(&invoice).await?;
    println!("control number  {}", issued.control_text());
    println!("registered      {}", issued.registered_text().unwrap_or("the service did not say"));

    let mut emails = invoice.emails();
    if let (Some(number), Some(first)) = (issued.control_number(), emails.next()) {
        let mail = emails.fold(Mail::new(number, first), Mail::and);
        let receipt = service.client.mail(&mail).await?;
        println!("mail            accepted: {}", receipt.message().unwrap_or("no message"));
    }
    Ok(())
}
