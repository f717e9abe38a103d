//! Each kind of failure, provoked at the embedded sandbox, and what a program does about it.
//!
//! It always runs on the sandbox, since no real service breaks on demand. Every step prints the error as the program
//! would log it, and the decision that follows from its outcome.

use std::process::ExitCode;
use std::time::Duration;

use fiscal_printer::{
    Buyer, Client, Document, DocumentBuilder, Environment, Error, Line, Meaning, Outcome, Refusal,
    RetryPolicy,
};
use integration_examples::finish;
use integration_sandbox::fiscal::Endpoint;
use integration_sandbox::{Fault, Sandbox};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start().await?;
    let fiscal = sandbox.fiscal();
    let client = client(&sandbox, fiscal.token())?;

    step("a wrong amount is found before anything is sent");
    let wrong = invoice(1).claim(fiscal_printer::HeaderAmount::Total, "23.21").build();
    decide(wrong.map(|_| ()));

    step("a token of another issuer is refused before anything is sent");
    let stranger = fiscal.add_issuer(integration_sandbox::fiscal::Issuer::new("V-12345678-1"));
    decide(self::client(&sandbox, &stranger)?.issue(&invoice(1).build()?).await.map(drop));

    step("a token that the service does not accept");
    decide(self::client(&sandbox, "not-a-token")?.issue(&invoice(1).build()?).await.map(drop));

    step("nobody listens: nothing left, so it was tried three times");
    fiscal.refuse_connections().await?;
    decide(client.issue(&invoice(1).build()?).await.map(drop));
    fiscal.accept_connections().await?;

    step("the service refuses: the number is used already");
    client.issue(&invoice(1).build()?).await?;
    decide(client.issue(&invoice(1).build()?).await.map(drop));

    step("the connection breaks after the service has issued the document");
    fiscal.inject(Endpoint::Issue, Fault::ActThenReset);
    decide(client.issue(&invoice(2).build()?).await.map(drop));
    println!("   at the service {} document(s) with number 2 exist", fiscal.count("00000002"));

    step("a login page instead of an answer");
    fiscal.inject(Endpoint::Issue, Fault::Html);
    decide(client.issue(&invoice(3).build()?).await.map(drop));

    step("the service is overloaded and asks to wait; it does not say that it did nothing");
    fiscal.inject(Endpoint::Issue, Fault::too_many_requests("30"));
    decide(client.issue(&invoice(3).build()?).await.map(drop));
    Ok(())
}

fn client(sandbox: &Sandbox, token: &str) -> Result<Client, Error> {
    Client::builder()
        .environment(Environment::custom(sandbox.fiscal().base_url())?)
        .token(token)
        .retry(RetryPolicy::new().with_base(Duration::from_millis(20)))
        .build()
}

fn invoice(number: u32) -> DocumentBuilder {
    Document::invoice("J-12345678-4", number)
        .buyer(
            Buyer::new("Comercial Ejemplo, C.A.", "J-12345678-4")
                .email("compras@example.com")
                .address("Av. Principal, Caracas")
                .phone("0412-1234567"),
        )
        .line(Line::new("A2", "Tornillos M4 x 20, caja de 100", "20.00", 1))
}

fn step(title: &str) {
    println!("\n-- {title}");
}

/// The whole art of handling these errors: look at the outcome first, then at the reason.
fn decide(result: Result<(), Error>) {
    let Err(error) = result else {
        println!("   issued");
        return;
    };
    println!("   {error}");
    let decision = match error.outcome() {
        Outcome::Unknown => "keep the number, look the document up in the portal, repeat nothing".to_owned(),
        Outcome::NotSent if error.is_validation() => {
            format!("show the {} fault(s) to whoever entered them", error.faults().len())
        }
        Outcome::NotSent => "repeat later with the same number: nothing left this machine".to_owned(),
        Outcome::Refused => match Refusal::of(&error).and_then(Refusal::meaning) {
            Some(Meaning::NumberTaken) => {
                "find out which document has the number, then take the next one".to_owned()
            }
            Some(meaning) => format!("correct and issue with the same number: {}", meaning.advice()),
            None => "correct the settings and issue with the same number".to_owned(),
        },
        _ => "nothing was to be applied".to_owned(),
    };
    println!("   => {decision}");
}
