//! What the example programs share: a client, on the embedded sandbox unless the environment names another service.

use std::process::ExitCode;

use fiscal_printer::{Client, Document, Error};
use integration_sandbox::Sandbox;
use integration_store::{Store, StoreError};

/// A client and, if the program runs on it, the sandbox; the sandbox stops when this is dropped.
pub struct Service {
    /// The client to use.
    pub client: Client,
    /// The embedded sandbox, unless `FISCAL_PRINTER_BASE_URL` names another service.
    pub sandbox: Option<Sandbox>,
}

/// Connects to the service of `FISCAL_PRINTER_BASE_URL` and `FISCAL_PRINTER_TOKEN`, or to a sandbox started for this run.
pub async fn connect() -> Result<Service, Box<dyn std::error::Error>> {
    if std::env::var("FISCAL_PRINTER_BASE_URL").is_ok_and(|url| !url.trim().is_empty()) {
        return Ok(Service { client: Client::from_env()?, sandbox: None });
    }
    let sandbox = Sandbox::start().await?;
    let fiscal = sandbox.fiscal();
    eprintln!("no FISCAL_PRINTER_BASE_URL: using an embedded sandbox at {}", fiscal.base_url());
    let client = Client::from_lookup(|name| match name {
        "FISCAL_PRINTER_BASE_URL" => Some(fiscal.base_url().to_owned()),
        "FISCAL_PRINTER_TOKEN" => Some(fiscal.token().to_owned()),
        other => std::env::var(other).ok(),
    })?;
    Ok(Service { client, sandbox: Some(sandbox) })
}

/// Opens the store of `INTEGRATION_STORE_URL`, or a file in the working folder, and says where it is.
pub async fn open_store() -> Result<Store, StoreError> {
    let store = Store::from_env().await?;
    eprintln!("store: {}", store.url());
    Ok(store)
}

/// Reads and checks a document: the file given as argument, or `examples/data/<default>`.
pub fn document(argument: Option<String>, default: &str) -> Result<Document, Box<dyn std::error::Error>> {
    let path = argument.unwrap_or_else(|| data(default));
    let json = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Document::from_json(&json)?.build()?)
}

/// The path of a file beside the examples.
pub fn data(name: &str) -> String {
    format!("{}/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Prints every total that goes out, one a line.
pub fn print_totals(document: &Document) {
    let totals = document.totals();
    println!("subtotal        {}", totals.subtotal);
    println!("exempt          {}", totals.exempt);
    println!("general base    {} at {} %: {}", totals.general.base, totals.general.rate, totals.general.tax);
    println!("reduced base    {} at {} %: {}", totals.reduced.base, totals.reduced.rate, totals.reduced.tax);
    if let Some(luxury) = totals.luxury {
        println!("luxury base     {} at {} %: {}", luxury.base, luxury.rate, luxury.tax);
    }
    println!("IGTF base       {} at {} %: {}", totals.igtf.base, totals.igtf.rate, totals.igtf.tax);
    println!("total           {}", totals.total);
    for warning in document.warnings() {
        eprintln!("warning: {warning}");
    }
}

/// Success, or the failure with all it says: exit code 3 when it may have happened all the same, else 1.
pub fn finish(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    match error.downcast_ref::<Error>() {
        Some(error) => {
            eprintln!("error: {}", error.report());
            ExitCode::from(if error.is_outcome_unknown() { 3 } else { 1 })
        }
        None => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
