//! Several workers share one journal: each takes the next free number, no number is used twice, and no gap is left.
//!
//! `cargo run --example issue_many_workers -- [WORKERS] [DOCUMENTS]` uses the store of `INTEGRATION_STORE_URL`, which should be
//! PostgreSQL where the workers are to run on several machines: `INTEGRATION_STORE_URL=postgres://user:password@host/database`.
//! Here they are tasks of one program, each with its own connection and its own name in the journal.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fiscal_printer::journal::{DocumentState, Journal, NextNumberProbe, Search, StatusProbe};
use fiscal_printer::{Buyer, Client, Document, DocumentType, Error, InternalNumber, Line};
use integration_examples::{connect, finish, open_store};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let workers: u32 = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let documents: u32 = arguments.next().map_or(Ok(40), |text| text.parse())?;
    let service = connect().await?;
    let left = Arc::new(AtomicU32::new(documents));
    let mut running = tokio::task::JoinSet::new();
    for worker in 1..=workers {
        let journal = journal(service.client.clone(), worker).await?;
        running.spawn(work(journal, worker, Arc::clone(&left)));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    check(&journal(service.client.clone(), 0).await?, documents).await
}

async fn journal(client: Client, worker: u32) -> Result<Journal, Box<dyn std::error::Error>> {
    let builder = Journal::builder(client, &open_store().await?).settings_from_env()?;
    Ok(builder.worker(format!("worker-{worker}")).probe(StatusProbe).probe(NextNumberProbe).build()?)
}

async fn work(journal: Journal, worker: u32, left: Arc<AtomicU32>) -> Result<(), Error> {
    let series = journal.own_series(DocumentType::Invoice).await?;
    while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        let build = |number: InternalNumber| {
            let buyer =
                Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567");
            Document::invoice(series.issuer(), number)
                .buyer(buyer)
                .line(Line::new("A2", "Dos", "20.00", 1))
                .build()
        };
        let entry = journal.issue_next(DocumentType::Invoice, build).await?;
        println!(
            "{} {} {} by worker {worker}",
            entry.number(),
            entry.state().name(),
            entry.control_text().unwrap_or("-")
        );
    }
    Ok(())
}

/// Counts what is in the journal: as many as were asked for, without a gap.
async fn check(journal: &Journal, documents: u32) -> Result<(), Box<dyn std::error::Error>> {
    let series = journal.own_series(DocumentType::Invoice).await?;
    let issued = journal.search(Search::new().series(&series).state(DocumentState::Issued)).all().await?;
    let mut numbers: Vec<u64> =
        issued.iter().filter_map(|entry| Some(entry.internal_number()?.value())).collect();
    numbers.sort_unstable();
    let gaps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    println!("{} in the journal, {gaps} gaps, {documents} of this run", issued.len());
    if gaps == 0 && issued.len() >= documents as usize {
        Ok(())
    } else {
        Err("the series is not whole".into())
    }
}
