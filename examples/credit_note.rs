//! Issues an invoice and then a credit note for one of its lines.
//!
//! The note is built from the control number that came back, so it cannot refer to anything else.

use std::process::ExitCode;

use fiscal_printer::{Buyer, Document, Line};
use integration_examples::{connect, document, finish, print_totals};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let invoice = document(std::env::args().nth(1), "invoice.json")?;
    let service = connect().await?;
    let issued = service.client.issue(&invoice).await?;
    println!("invoice         {}", issued.control_text());
    let number =
        issued.control_number().ok_or("the control number has an unknown form: a note cannot refer to it")?;

    let note = Document::credit_note(invoice.issuer().to_string(), 1, number)
        .buyer(
            Buyer::new("Comercial Ejemplo, C.A.", "J-12345678-4")
                .email("compras@example.com")
                .address("Av. Principal, Edif. Ejemplo, piso 2, Caracas")
                .phone("0412-1234567"),
        )
        .remark("Devolución de mercancía")
        .line(Line::new("A2", "Tornillos M4 x 20, caja de 100", "20.00", 1))
        .build()?;
    print_totals(&note);
    let issued = service.client.issue(&note).await?;
    println!("credit note     {}", issued.control_text());
    Ok(())
}
