//! The fault matrix of issue 8: a fault server at socket level, each client, each column, each fault, and what each must end in.
//!
//! The ordinary run takes every cell once under a recorded seed. The whole of it, which also writes `docs/fault-matrix.md`:
//!
//! ```sh
//! cargo test -p integration-tests --test main -- --ignored fault_matrix::all --nocapture
//! ```

mod clock;
mod durable;
mod expect;
mod fault;
mod fleet;
mod kept;
mod memory;
mod proven;
mod register;
mod report;
mod run;
mod server;
mod subject;
mod subjects;
mod tls;

use std::sync::Arc;

use clock::Virtual;
use expect::{Expected, expect};
use fault::{Fault, faults};
use kept::Told;
use run::{Observed, applies, complaints, observe};
use server::Elsewhere;
use subject::{Column, Op, Subject};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Cells that are under way at once: most of their time goes into letting the other side have its turn.
const AT_ONCE: usize = 24;

/// A cell, before it is run.
#[derive(Clone)]
struct Cell {
    number: usize,
    subject: &'static dyn Subject,
    op: Op,
    /// Its place in the list of faults.
    fault: usize,
}

/// A cell that was run.
struct Ran {
    cell: Cell,
    fault: Fault,
    seed: u64,
    seen: Observed,
    complaints: Vec<String>,
}

impl Ran {
    fn title(&self) -> String {
        let Cell { subject, op, .. } = &self.cell;
        format!("{} / {} / {} (seed {})", subject.name(), op.name, self.fault.title(), self.seed)
    }

    fn expected(&self) -> Expected {
        expect(&self.cell.op, &self.fault)
    }
}

/// Every cell that there is, and those that are left out with the reason.
fn cells() -> (Vec<Cell>, Vec<(String, String, &'static str)>) {
    let nowhere = ([127, 0, 0, 1], 1).into();
    let (mut cells, mut left_out) = (Vec::new(), Vec::new());
    for subject in subjects::all() {
        for op in subject.operations() {
            for (at, fault) in faults(nowhere).iter().enumerate() {
                match applies(&op, fault) {
                    Ok(()) => cells.push(Cell { number: cells.len(), subject, op: op.clone(), fault: at }),
                    Err(reason) => {
                        left_out.push((format!("{} / {}", subject.name(), op.name), fault.title(), reason))
                    }
                }
            }
        }
    }
    (cells, left_out)
}

async fn run_one(cell: Cell, seed: u64) -> Ran {
    let elsewhere = Elsewhere::start().await;
    let fault = faults(elsewhere.address).swap_remove(cell.fault);
    let seen = observe(cell.subject, &cell.op, &fault, &elsewhere, Virtual::seeded(seed), None).await;
    let complaints = complaints(&cell.op, &fault, &seen);
    Ran { cell, fault, seed, seen, complaints }
}

/// Each cell under each seed, in the order of the cells.
async fn run_all(cells: Vec<Cell>, seeds: impl Fn(&Cell) -> Vec<u64>) -> Vec<Ran> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for cell in cells {
        for seed in seeds(&cell) {
            let (places, cell) = (places.clone(), cell.clone());
            running.spawn(async move {
                let _place = places.acquire_owned().await;
                run_one(cell, seed).await
            });
        }
    }
    let mut ran = running.join_all().await;
    ran.sort_by_key(|ran| (ran.cell.number, ran.seed));
    ran
}

fn judged(ran: &[Ran]) -> Vec<String> {
    let line =
        |ran: &Ran| ran.complaints.iter().map(|complaint| format!("{}: {complaint}", ran.title())).collect();
    ran.iter().flat_map::<Vec<_>, _>(line).collect()
}

const SEED: u64 = 20_261_122;

/// So many of the cells are taken by an ordinary run; by their number, so that every operation meets faults of every kind.
const SHARE: usize = 5;

/// Cells that were not as expected once, and are taken by every run.
const FOUND: [(&str, &str); 5] = [
    ("read a contact", "no answer ever, always"),
    ("read a client of Sugester", "no answer ever, always"),
    ("save a customer", "429, Retry-After: 2, once"),
    ("save a customer", "RST on accept, once"),
    ("list elements", "a byte a second, always"),
];

fn was_found(cell: &Cell) -> bool {
    let fault = faults(([127, 0, 0, 1], 1).into()).swap_remove(cell.fault).title();
    FOUND.contains(&(cell.op.name, fault.as_str()))
}

/// A failure names client, operation, fault and seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_the_cells_ends_as_it_must() {
    let is_taken = |cell: &Cell| cell.number.is_multiple_of(SHARE) || was_found(cell);
    let share = cells().0.into_iter().filter(is_taken).collect();
    let ran = run_all(share, |_| vec![SEED]).await;
    let wrong = judged(&ran);
    assert!(wrong.is_empty(), "{} complaints in {} cells:\n{}", wrong.len(), ran.len(), wrong.join("\n"));
}

/// What takes more than one call, for every operation that it can be done with.
async fn many_calls(calls: usize, seed: u64) -> Vec<Told> {
    let mut told = Vec::new();
    for subject in subjects::all() {
        for op in subject.operations() {
            if kept::is_repeatable(&op) {
                told.push(kept::stray(subject, &op, calls, seed).await);
                told.push(kept::idle(subject, &op, calls, seed).await);
                told.push(kept::half_open(subject, &op, seed).await);
            }
            // Who logs in again has a session already.
            if op.name != "save a customer" && op.name != "log in" {
                told.push(kept::dropped(subject, &op, calls, seed).await);
            }
            if op.column == Column::Download {
                told.push(kept::healthy_slow(subject, &op, seed).await);
            }
        }
    }
    told
}

fn wrong_of(told: &[Told]) -> Vec<String> {
    let line = |told: &Told| {
        let title = format!("{} / {} / {}", told.subject, told.op, told.fault);
        told.wrong.iter().map(|wrong| format!("{title}: {wrong}")).collect::<Vec<_>>()
    };
    told.iter().flat_map(line).collect()
}

#[tokio::test]
async fn kept_connections_mislead_nobody() {
    let told = many_calls(8, SEED).await;
    assert_eq!(wrong_of(&told), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_must_not_be_believed_are_not() {
    let told = tls::certificates().await;
    assert_eq!(wrong_of(&told), Vec::<String>::new());
    // Each of the seven has a read, and a write where it has one of one request.
    assert!(told.len() >= 7 * tls::CERTIFICATES.len(), "only {} cells", told.len());
}

/// A fiftieth of what the whole run does to the journal and to its file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_down_outlives_whatever_happens() {
    let told = durable::all(50, SEED).await;
    told.iter().for_each(|told| println!("{} / {}: {}", told.op, told.fault, told.figures));
    assert_eq!(wrong_of(&told), Vec::<String>::new());
}

#[tokio::test]
async fn a_thousand_calls_do_not_trample_a_service_that_is_down() {
    let fleet = fleet::fleet(subjects::all()[1], false, SEED).await;
    assert!((1_001..=1_200).contains(&fleet.requests), "{} requests of 1000 calls", fleet.requests);
}

/// The whole of it: each cell alone with its memory, then again and again under other seeds, then what hangs by the machine's clock,
/// then fleets; `docs/fault-matrix.md` is written anew.
#[test]
#[ignore = "takes minutes, and writes docs/fault-matrix.md"]
fn all() {
    let runtime = |threads| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads).enable_all().build().unwrap()
    };
    let whole = runtime(1).block_on(report::alone());
    let whole = runtime(2).block_on(report::rest(whole));
    report::write(&whole);
    let wrong = whole.wrong();
    assert!(wrong.is_empty(), "{} complaints:\n{}", wrong.len(), wrong.join("\n"));
}
