//! Issues the invoices 1 to N exactly once, however often it is started and killed.
//!
//! `cargo run --example issue_with_journal -- --count 20` writes to the store of `INTEGRATION_STORE_URL` (a file in the working
//! folder unless set), goes on where an earlier run stopped, and prints `NUMBER STATE CONTROL` for each document, then the open
//! questions. Exit code 0: all are issued; 3: some are open; 1: something else is wrong. Several of it may run on one store.
//!
//! Of the opt-in probes (contract 9.3) it uses both, since the journal is the only writer of its series here;
//! `FISCAL_PRINTER_PROBES=none` (or `status`, or `next-number`) chooses otherwise. A service without them answers 404, which the
//! journal takes for "no answer".

use std::process::ExitCode;
use std::time::Duration;

use fiscal_printer::journal::{
    DocumentState, Journal, JournalEntry, NextNumberProbe, Progress, Resolution, Search, Series, StatusProbe,
};
use fiscal_printer::{
    Buyer, Client, Document, DocumentType, Error, ErrorKind, InternalNumber, Line, Meaning, Refusal,
};
use integration_examples::{connect, finish, open_store};

/// How often a document that was not sent or refused is tried again: the documents are right, so it is the service's trouble.
const TRIES: u32 = 12;
const NUMBERING_TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(error) => finish(Err(error)),
    }
}

async fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let count = count(std::env::args().skip(1))?;
    let service = connect().await?;
    let journal = journal(service.client.clone()).await?;
    let series = journal.own_series(DocumentType::Invoice).await?;
    let resumed = journal.settle(tell).await?;
    eprintln!(
        "resumed: {} questions answered, {} prepared documents issued",
        resumed.settled.len(),
        resumed.issued.len()
    );
    let reached = issue_up_to(&journal, &series, count).await?;
    print_the_rest(&journal, &series, reached, count).await?;
    let open = journal.open_questions().await?;
    for question in &open {
        let why = question.entry.reason().unwrap_or("the program that sent it ended before the answer came");
        println!("open {} {:?}: {why}", question.entry.number(), question.because);
    }
    Ok(reached == count && open.is_empty())
}

fn count(mut arguments: impl Iterator<Item = String>) -> Result<u32, String> {
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(10),
        (Some("--count"), Some(count)) => count.parse().map_err(|error| format!("--count {count}: {error}")),
        _ => Err("usage: issue_with_journal [--count N]".to_owned()),
    }
}

async fn journal(client: Client) -> Result<Journal, Box<dyn std::error::Error>> {
    let mut builder = Journal::builder(client, &open_store().await?).settings_from_env()?;
    let probes = std::env::var("FISCAL_PRINTER_PROBES").unwrap_or_else(|_| "status,next-number".to_owned());
    for probe in probes.split(',').map(str::trim) {
        builder = match probe {
            "status" => builder.probe(StatusProbe),
            "next-number" => builder.probe(NextNumberProbe),
            "" | "none" => builder,
            other => return Err(format!("FISCAL_PRINTER_PROBES: {other} is no probe").into()),
        };
    }
    Ok(builder.build()?)
}

/// The same number always gives the same document, byte for byte.
fn document(series: &Series, number: u32) -> Result<Document, Error> {
    let buyer = Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567");
    Document::invoice(series.issuer(), number).buyer(buyer).line(Line::new("A2", "Dos", "20.00", 1)).build()
}

/// Issues in order; the number of the last one that is issued.
async fn issue_up_to(
    journal: &Journal,
    series: &Series,
    count: u32,
) -> Result<u32, Box<dyn std::error::Error>> {
    for number in 1..=count {
        match issue(journal, series, number).await? {
            Some(entry) => println!("{}", line(&entry)),
            None => return Ok(number - 1),
        }
    }
    Ok(count)
}

/// Issues one document, answering its own questions; `None` if it stays open or is refused for good.
async fn issue(
    journal: &Journal,
    series: &Series,
    number: u32,
) -> Result<Option<JournalEntry>, Box<dyn std::error::Error>> {
    let document = document(series, number)?;
    for attempt in 1..=TRIES {
        let error = match journal.issue(&document).await {
            Ok(entry) => return Ok(Some(entry)),
            Err(error) => error,
        };
        eprintln!("{number}: {error}");
        if error.kind() == ErrorKind::Validation || error.kind() == ErrorKind::Conflict {
            return Err(error.into());
        }
        if is_numbering_fault(&error) && attempt >= NUMBERING_TRIES {
            // Somebody else's document has the number, or the series stands elsewhere: trying on changes nothing.
            return Ok(None);
        }
        if error.is_outcome_unknown() {
            let resolution = journal.resolve(series, &InternalNumber::from(number)).await?;
            match resolution {
                Resolution::Settled(entry) if entry.state() == DocumentState::Issued => {
                    return Ok(Some(*entry));
                }
                Resolution::Open(_) => return Ok(None),
                _ => {}
            }
        } else if error.kind() == ErrorKind::Blocked {
            journal.settle(tell).await?;
        } else {
            pause(PAUSE * attempt.min(4)).await;
        }
    }
    Ok(None)
}

fn is_numbering_fault(error: &Error) -> bool {
    let meaning = Refusal::of(error).and_then(Refusal::meaning);
    error.is_refused() && matches!(meaning, Some(Meaning::NumberTaken | Meaning::NumberNotNext))
}

/// What stands in the journal beyond the last issued document, and what was not tried.
async fn print_the_rest(journal: &Journal, series: &Series, reached: u32, count: u32) -> Result<(), Error> {
    let rest = journal
        .search(Search::new().series(series).numbers(u64::from(reached) + 1..=u64::from(count)))
        .all()
        .await?;
    for number in reached + 1..=count {
        let text = InternalNumber::from(number);
        match rest.iter().find(|entry| entry.internal_number() == Some(text.clone())) {
            Some(entry) => println!("{}", line(entry)),
            None => println!("{text} not_tried -"),
        }
    }
    Ok(())
}

fn line(entry: &JournalEntry) -> String {
    format!("{} {} {}", entry.number(), entry.state().name(), entry.control_text().unwrap_or("-"))
}

fn tell(progress: Progress) {
    match progress {
        Progress::Settled(entry) => eprintln!("settled {}", line(&entry)),
        Progress::Issued(entry) => eprintln!("resumed {}", line(&entry)),
        Progress::Waiting(time) => eprintln!("waiting {:.1} s for the settling delay", time.as_secs_f64()),
        Progress::Busy(series) => eprintln!("another worker has {series}"),
        _ => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "a program's own pause, not a decision of the library")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
