//! Issues an invoice and annuls it, as is done with one that was not yet handed to the buyer.
//!
//! With a control number as argument it annuls that document instead: `cargo run --example annul 00-00000042 "the reason"`.

use std::process::ExitCode;

use fiscal_printer::ControlNumber;
use integration_examples::{Service, connect, document, finish};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let service = connect().await?;
    let number: ControlNumber = match arguments.next() {
        Some(number) => number.parse()?,
        None => issue(&service).await?,
    };
    let reason = arguments.next().unwrap_or_else(|| "Error en los datos del cliente".to_owned());
    let receipt = service.client.annul(&number, &reason).await?;
    println!("annulled        {number}");
    println!("message         {}", receipt.message().unwrap_or("none"));
    Ok(())
}

async fn issue(service: &Service) -> Result<ControlNumber, Box<dyn std::error::Error>> {
    let invoice = document(None, "invoice.json")?;
    let issued = service.client.issue(&invoice).await?;
    println!("issued          {}", issued.control_text());
    Ok(issued.control_number().ok_or("the control number has an unknown form")?)
}
