//! Rows 19 and 22 to 25 for what has a memory: the fiscal journal on SQLite, against the simulated service, which counts what it
//! printed; and the store beneath it, on a disk that fails.

pub mod disk;

use std::io::BufRead as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fiscal_printer::journal::{DocumentState, Journal, Resolution, StatusProbe};
use fiscal_printer::{Client, DocumentType, InternalNumber, ManualClock, Outcome};
use integration_sandbox::fiscal::{Endpoint, Fiscal};
use integration_sandbox::{Fault, Sandbox};
use integration_store::{Sqlite, Store};

use super::clock::{Dice, breathe};
use super::kept::{Told, dropped_at};
use crate::journal::faulty::Faulty;
use crate::support::{self, RIF, invoice, requests};
use disk::Folder;

const JOURNAL: &str = "the fiscal journal on SQLite";
/// Longer than the settling delay and than a lease.
const LATER: Duration = Duration::from_secs(3_600);

fn told(row: u8, op: &'static str, fault: &str, figures: String, wrong: Vec<String>) -> Told {
    Told { subject: JOURNAL, op, row, fault: fault.to_owned(), figures, wrong }
}

fn client(url: &str, token: &str, clock: &ManualClock) -> Client {
    let environment = fiscal_printer::Environment::custom(url).unwrap();
    Client::builder().environment(environment).token(token).rif(RIF).clock(clock.clone()).build().unwrap()
}

async fn sqlite(folder: &Folder, clock: &ManualClock) -> Sqlite {
    Sqlite::open_with_clock(&folder.url(), Arc::new(clock.clone())).await.unwrap()
}

fn journal(fiscal: &Fiscal, store: &Store, clock: &ManualClock) -> Journal {
    let client = client(fiscal.base_url(), fiscal.token(), clock);
    Journal::builder(client, store).probe(StatusProbe).build().unwrap()
}

async fn service() -> Sandbox {
    let sandbox = support::sandbox().await;
    sandbox.fiscal().enable_probes(true);
    sandbox
}

fn padded(number: u32) -> String {
    format!("{number:08}")
}

/// How often the service was asked to issue something.
fn issues(fiscal: &Fiscal) -> usize {
    requests(fiscal, "/facturacion").len()
}

// ---------------------------------------------------------------------------------------------------- row 22: the lost answer

/// Faults after which nobody can tell, and whether the service had acted.
fn ambiguous() -> Vec<(Fault, bool)> {
    vec![
        (Fault::ActThenReset, true),
        (Fault::ActThenClose, true),
        (Fault::ActThenCutBody, true),
        (Fault::ActThenCutChunked, true),
        (Fault::act_then_status(500), true),
        (Fault::act_then_html(502), true),
        (Fault::ActThenEmpty, true),
        (Fault::ActThenErrorText, true),
        (Fault::ActThenTruncated, true),
        (Fault::ResetBeforeActing, false),
        (Fault::CloseBeforeActing, false),
    ]
}

/// Each document's answer is lost; each is in doubt, is asked for before anything is sent again, and is printed once.
pub async fn lost_answers(documents: u32) -> Told {
    let (sandbox, folder, clock) = (service().await, Folder::new(), ManualClock::new());
    let fiscal = sandbox.fiscal();
    let store = Store::from_backend(sqlite(&folder, &clock).await);
    let journal = journal(fiscal, &store, &clock);
    let series = journal.own_series(DocumentType::Invoice).await.unwrap();
    let (faults, mut wrong, mut sent, mut acted) = (ambiguous(), Vec::new(), 0, 0);
    for number in 1..=documents {
        let (fault, acts) = faults[number as usize % faults.len()].clone();
        let name = format!("{number}, {fault:?}");
        fiscal.inject(Endpoint::Issue, fault);
        match journal.issue(&invoice(number)).await {
            Err(error) if error.outcome() == Outcome::Unknown => {}
            ended => wrong.push(format!("{name}: ended in {ended:?}")),
        }
        let key = InternalNumber::from(number);
        let state = journal.find(&series, &key).await.unwrap().map(|entry| entry.state());
        if state != Some(DocumentState::Unknown) {
            wrong.push(format!("{name}: stands as {state:?}"));
        }
        match journal.resolve(&series, &key).await {
            Ok(Resolution::Settled(entry)) if entry.state() == DocumentState::Issued => {}
            ended => wrong.push(format!("{name}: resolved as {ended:?}")),
        }
        // What was printed is never sent again; what was not, once.
        sent += if acts { 1 } else { 2 };
        acted += usize::from(acts);
        if (fiscal.count(&padded(number)), issues(fiscal)) != (1, sent) {
            wrong.push(format!("{name}: printed {} times", fiscal.count(&padded(number))));
            sent = issues(fiscal);
        }
    }
    if let Err(error) = journal.verify().await {
        wrong.push(error.to_string());
    }
    let figures = format!(
        "{documents} answers lost, {acted} after printing; {} printed, {} sent blind, each in doubt and then asked for",
        fiscal.documents().len(),
        issues(fiscal) - sent
    );
    told(22, "issue, then resolve", "the answer is lost", figures, wrong)
}

// ------------------------------------------------------------------------------------------------------- row 19: dropped calls

/// Calls are dropped wherever they wait, each in a journal of its own; afterwards the document is there once.
pub async fn dropped(times: usize, seed: u64) -> Told {
    let (mut wrong, mut gone, mut dice) = (Vec::new(), 0, Dice(seed));
    for _ in 0..times {
        let waits = (dice.next() % 24) as usize;
        let (sandbox, folder, clock) = (service().await, Folder::new(), ManualClock::new());
        let store = Store::from_backend(sqlite(&folder, &clock).await);
        let journal = journal(sandbox.fiscal(), &store, &clock);
        let doing = journal.clone();
        let issue = Box::pin(async move { doing.issue(&invoice(1)).await.map(drop) });
        gone += usize::from(dropped_at(issue, waits).await.is_none());
        breathe().await;
        clock.advance(LATER);
        wrong.extend(is_whole(&journal, sandbox.fiscal(), &format!("dropped at wait {waits}")).await);
    }
    if gone == 0 {
        wrong.push("none was dropped: the run was too kind".to_owned());
    }
    let figures = format!("{gone} of {times} dropped, each printed once in the end");
    told(19, "issue", "calls that are dropped wherever they wait", figures, wrong)
}

/// What must be so whatever happened to number 1: it is issued once, nothing that was printed is sent again, the history verifies, and
/// the series goes on.
async fn is_whole(journal: &Journal, fiscal: &Fiscal, what: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let (printed, sent) = (fiscal.count(&padded(1)), issues(fiscal));
    if let Err(error) = journal.settle(|_| {}).await {
        wrong.push(format!("{what}: {error}"));
    }
    for number in [1, 2] {
        match journal.issue(&invoice(number)).await {
            Ok(entry) if entry.state() == DocumentState::Issued => {}
            ended => wrong.push(format!("{what}: number {number} ended in {ended:?}")),
        }
        if fiscal.count(&padded(number)) != 1 {
            wrong.push(format!("{what}: number {number} is printed {} times", fiscal.count(&padded(number))));
        }
    }
    // Number 2 once, and number 1 only if it was not printed.
    let again = issues(fiscal) - sent;
    if again != 2 - printed.min(1) {
        wrong.push(format!("{what}: {again} more requests, and it was printed {printed} times before"));
    }
    if let Err(error) = journal.verify().await {
        wrong.push(format!("{what}: {error}"));
    }
    wrong
}

// ------------------------------------------------------------------------------------------------------------- row 23: kill -9

const KILLED: &str = "FAULT_MATRIX_KILLED";

/// Not a test of its own: issues number 1, standing still where it is told to.
#[tokio::test]
async fn child() {
    let Ok(url) = std::env::var(KILLED) else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let clock = ManualClock::new();
    let backend = Sqlite::open_with_clock(&url, Arc::new(clock.clone())).await.unwrap();
    let half = variable("FAULT_MATRIX_HALF").parse().unwrap();
    let store = Store::from_backend(Faulty::halting(backend, clock.clone(), half));
    let client = client(&variable("FAULT_MATRIX_SERVICE"), &variable("FAULT_MATRIX_TOKEN"), &clock);
    let journal = Journal::builder(client, &store).probe(StatusProbe).build().unwrap();
    journal.issue(&invoice(1)).await.unwrap();
    println!("acknowledged");
}

/// Where a program is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Before or after an operation of the store.
    Half(usize),
    /// The service has read the request and not acted.
    Sent,
    /// The service has acted and not answered.
    Printed,
}

struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        // SIGKILL.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Child {
    fn start(fiscal: &Fiscal, folder: &Folder, half: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["fault_matrix::durable::child", "--exact", "--nocapture"]);
        command.env(KILLED, folder.url()).env("FAULT_MATRIX_HALF", half.to_string());
        command.env("FAULT_MATRIX_SERVICE", fiscal.base_url()).env("FAULT_MATRIX_TOKEN", fiscal.token());
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// What it says last: where it stands still, or that it is done.
    async fn says(&mut self) -> String {
        let out = self.0.stdout.take().unwrap();
        let read = move || {
            let lines = std::io::BufReader::new(out).lines().map_while(Result::ok);
            let said = |line: String| {
                let at = line.find("halted").or_else(|| line.find("acknowledged"))?;
                Some(line[at..].to_owned())
            };
            lines.filter_map(said).next().unwrap_or_default()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }
}

/// Kills one program at `step`; nothing if it never comes there. What it stood at, and what is wrong afterwards.
async fn kill_at(step: Step) -> Option<(String, Vec<String>)> {
    let (sandbox, folder) = (service().await, Folder::new());
    let fiscal = sandbox.fiscal();
    let half = if let Step::Half(half) = step { half } else { usize::MAX };
    match step {
        Step::Half(_) => {}
        Step::Sent => fiscal.inject(Endpoint::Issue, Fault::Hang),
        Step::Printed => fiscal.inject(Endpoint::Issue, Fault::ActThenHang),
    }
    let mut child = Child::start(fiscal, &folder, half);
    let stood = match step {
        Step::Half(_) => child.says().await,
        _ => {
            fiscal.wait_for_requests(1).await;
            while step == Step::Printed && fiscal.count(&padded(1)) == 0 {
                breathe().await;
            }
            format!("{step:?}")
        }
    };
    drop(child);
    if stood.is_empty() {
        return Some((stood, vec![format!("{step:?}: the child failed")]));
    }
    let is_over = stood == "acknowledged";
    let clock = ManualClock::new();
    clock.advance(LATER);
    let store = Store::from_backend(sqlite(&folder, &clock).await);
    let journal = journal(fiscal, &store, &clock);
    let mut wrong = Vec::new();
    if is_over {
        let series = journal.own_series(DocumentType::Invoice).await.unwrap();
        let entry = journal.find(&series, &InternalNumber::from(1)).await.unwrap();
        if entry.map(|entry| entry.state()) != Some(DocumentState::Issued) {
            wrong.push("LOST: acknowledged and not there".to_owned());
        }
    }
    wrong.extend(is_whole(&journal, fiscal, &stood).await);
    (!is_over || !wrong.is_empty()).then_some((stood, wrong))
}

/// Kills programs at each step of one journalled call, so many times each.
pub async fn kills(times: usize) -> Told {
    let (mut wrong, mut stood, mut killed) = (Vec::new(), Vec::new(), 0);
    for time in 0..times {
        let halves = (0..).map(Step::Half);
        for step in [Step::Sent, Step::Printed].into_iter().chain(halves) {
            let Some((at, found)) = kill_at(step).await else { break };
            wrong.extend(found);
            if at.is_empty() {
                break;
            }
            killed += 1;
            if time == 0 {
                stood.push(at.replace("halted ", ""));
            }
        }
    }
    // The contract's own: before and after what is written down first, the request, and what is written down last.
    if stood.len() < 9 {
        wrong.push(format!("only {} steps: {stood:?}", stood.len()));
    }
    let figures = format!(
        "{killed} kills at {} steps ({}), each printed once in the end",
        stood.len(),
        stood.join(", ")
    );
    told(23, "issue", "kill -9 at each step", figures, wrong)
}

// -------------------------------------------------------------------------------------------------- row 25: several processes

/// Two programs want to issue the same numbers in one journal.
pub async fn two_processes(documents: u32) -> Told {
    let count = crate::crash::two_programs(documents).await;
    let mut wrong = Vec::new();
    if (count.documents, count.twice, count.lost) != (documents as usize, 0, 0) {
        wrong.push(format!("{count:?}"));
    }
    let figures = format!(
        "{documents} numbers wanted by both, {} issued, {} twice, {} lost",
        count.documents, count.twice, count.lost
    );
    told(25, "issue", "two processes on one file", figures, wrong)
}

/// All of it; an ordinary run takes a share.
pub async fn all(share: usize, seed: u64) -> Vec<Told> {
    let mut told = vec![
        dropped(1_000 / share, seed).await,
        lost_answers(u32::try_from(1_100 / share).unwrap()).await,
        kills(20_usize.div_ceil(share)).await,
    ];
    told.extend(disk::all(1_000 / share, seed).await);
    told.push(two_processes(u32::try_from(1_000 / share).unwrap()).await);
    told
}
