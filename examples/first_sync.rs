//! The first full synchronisation: every client of BitFactura to Sugester, then every client and invoice in step, with a deal for each
//! invoice.
//!
//! `first_sync [--dry-run] [push|register|upsert]`: how the clients reach Sugester first; `push` unless given, see `FirstMode`. With
//! `--dry-run` it prints what would be done, and writes nothing. What it knows stands in the store of `INTEGRATION_STORE_URL`: killed, it
//! goes on where it was, and run again it changes nothing that is equal. The embedded sandbox has 120 clients and 360 invoices.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use integration_examples::{BothSystems, connect_both, finish, open_store, print_report};
use integration_sandbox::sugester::Table;
use integration_sandbox::{Sandbox, bitfactura};
use integration_store::Store;
use sugester::connection::ConnectionCheck;
use sugester::sync::{Event, FirstMode, Observer, Settings, Synchroniser};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_dry = arguments.iter().any(|argument| argument == "--dry-run");
    let mode = mode(arguments.iter().find(|argument| *argument != "--dry-run"))?;
    let systems = connect_both().await?;
    if let Some(sandbox) = &systems.sandbox {
        sandbox.bitfactura().seed(120, 360, 7);
        sandbox.sugester().add(Table::Clients, &serde_json::json!({ "name": "Known here alone" }))?;
    }
    let checked = ConnectionCheck::new(&systems.crm, &systems.billing).run().await;
    if !checked.can_synchronise() {
        return Err(checked.to_string().into());
    }

    let store = store(&systems).await?;
    let progress = Progress::new();
    let bar = progress.bar.clone();
    let step = Synchroniser::builder(Settings::new("first-sync"), systems.billing, systems.crm, &store)
        .observer(progress)
        .build()?;
    if is_dry {
        print_report("would be done", &step.dry_run().await?);
        bar.finish_and_clear();
        return Ok(());
    }
    // BitFactura to Sugester alone; then whatever else is not in step: clients of Sugester, links, deals.
    print_report("first", &step.first_run(mode).await?);
    let report = step.run().await?;
    bar.finish_and_clear();
    print_report("in step", &report);
    // Run again, nothing is left to do.
    let again = step.run().await?;
    print_report("once more", &again);
    if report.failed + again.failed > 0 {
        return Err("some records failed: run it again".into());
    }
    systems.sandbox.map_or(Ok(()), |sandbox| count(&sandbox, again.created + again.updated))
}

fn mode(named: Option<&String>) -> Result<FirstMode, Failure> {
    match named.map(String::as_str) {
        None | Some("push") => Ok(FirstMode::PushRecords),
        Some("register") => Ok(FirstMode::RegisterWebhook),
        Some("upsert") => Ok(FirstMode::RestUpsert),
        Some(other) => Err(format!("{other}: say push, register or upsert").into()),
    }
}

/// A sandbox forgets, so what is known of it is kept no longer.
async fn store(systems: &BothSystems) -> Result<Store, Failure> {
    match &systems.sandbox {
        Some(_) => Ok(Store::open("memory:").await?),
        None => Ok(open_store().await?),
    }
}

/// A bar on standard error: how many of the records that were listed are done.
struct Progress {
    bar: ProgressBar,
    listed: Mutex<BTreeMap<&'static str, u64>>,
}

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta} {msg}") {
            bar.set_style(style);
        }
        Self { bar, listed: Mutex::new(BTreeMap::new()) }
    }
}

impl Observer for Progress {
    fn hear(&self, event: &Event) {
        match event {
            Event::Listed { list, records, pass } => {
                self.bar.set_message(format!("{list}, pass {pass}"));
                if let Ok(mut listed) = self.listed.lock() {
                    listed.insert(list, *records);
                    self.bar.set_length(listed.values().sum());
                }
            }
            Event::Settled { .. } => self.bar.inc(1),
            _ => {}
        }
    }
}

/// Counted at the services and not by the report.
fn count(sandbox: &Sandbox, changed_again: u64) -> Result<(), Failure> {
    let (crm, billing) = (sandbox.sugester(), sandbox.bitfactura());
    let clients = (billing.records(bitfactura::Table::Clients).len(), crm.records(Table::Clients).len());
    let deals = (crm.created(Table::Deals), crm.records(Table::Deals).len());
    println!("clients         {} in BitFactura, {} in Sugester", clients.0, clients.1);
    println!(
        "deals           {} for {} invoices",
        deals.1,
        billing.records(bitfactura::Table::Invoices).len()
    );
    if clients != (121, 121) || deals.0 != deals.1 || deals.0 == 0 || changed_again != 0 {
        return Err(format!("clients {clients:?}, deals {deals:?}, changed again {changed_again}").into());
    }
    Ok(())
}
