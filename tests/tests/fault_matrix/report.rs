//! The whole run, and the page that it writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock::{Dice, Virtual};
use super::expect::{End, Expected};
use super::fault::{Effect, faults};
use super::fleet::{CALLS, fleet, fullest, read_of};
use super::run::{Observed, memory_cap, observe, over_in_time};
use super::server::Elsewhere;
use super::{
    Cell, Ran, SEED, Told, cells, durable, judged, many_calls, memory, proven, run_all, run_one, subjects,
    tls, wrong_of,
};

/// How often a cell is run again, unless `FAULT_MATRIX_RUNS` says otherwise; one that keeps silent or floods, a tenth of that.
const RUNS: usize = 10;
/// Calls in each test of kept connections.
const CALLS_KEPT: usize = 100;
/// Pauses of so many fleets are put together: some 10,000, of which a bin of 10 ms out of 25 holds 4 % by chance, give or take 0.2.
const FLEETS: u64 = 100;
/// Of a call that is measured in real time.
const LIMIT: Duration = Duration::from_millis(300);

#[derive(Default)]
pub struct Whole {
    /// One at a time, in the order of the cells.
    alone: Vec<Ran>,
    again: Vec<Ran>,
    told: Vec<Told>,
    /// Operation, fault, how long after the call began it was over.
    hung: Vec<(String, Observed)>,
    fleets: Vec<Fleets>,
}

struct Fleets {
    subject: &'static str,
    op: &'static str,
    most_refused: usize,
    most_down: usize,
    fullest: f64,
    pauses: usize,
}

impl Whole {
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = judged(&self.alone);
        wrong.extend(judged(&self.again));
        wrong.extend(wrong_of(&self.told));
        wrong.extend(self.alone.iter().filter_map(large));
        wrong.extend(
            self.hung
                .iter()
                .filter(|(_, seen)| !over_in_time(seen, LIMIT))
                .map(|(title, seen)| format!("{title}: over after {:?} instead of {LIMIT:?}", seen.elapsed)),
        );
        for fleets in &self.fleets {
            if fleets.most_refused.max(fleets.most_down) > CALLS + CALLS / 5 || fleets.fullest > 0.05 {
                wrong.push(format!("{}: a fleet of {CALLS} calls tramples", fleets.subject));
            }
        }
        wrong
    }
}

/// A cell that took more memory than it may.
fn large(ran: &Ran) -> Option<String> {
    let (memory, cap) = (ran.seen.memory?, memory_cap(&ran.cell.op));
    (memory > cap).then(|| format!("{}: {memory} bytes of memory instead of {cap}", ran.title()))
}

/// Each cell by itself, twice: the first time warms up what is made once.
pub async fn alone() -> Whole {
    println!("one at a time");
    let mut whole = Whole::default();
    super::fault::bomb();
    // What a process needs once is nobody's cell.
    for cell in cells().0.into_iter().take(1) {
        run_one(cell, SEED).await;
    }
    for cell in cells().0 {
        if is_heavy(&cell) {
            run_one(cell.clone(), SEED).await;
        }
        memory::MEASURED.store(true, Ordering::SeqCst);
        whole.alone.push(run_one(cell, SEED).await);
        memory::MEASURED.store(false, Ordering::SeqCst);
    }
    println!("silence, by the machine's clock");
    whole.hung = hung().await;
    whole
}

fn effect(cell: &Cell) -> Effect {
    faults(([127, 0, 0, 1], 1).into())[cell.fault].effect
}

fn is_heavy(cell: &Cell) -> bool {
    matches!(effect(cell), Effect::TooLarge | Effect::Unreadable)
}

/// What keeps silent, by the machine's clock and with a short limit, one call at a time.
async fn hung() -> Vec<(String, Observed)> {
    let mut hung = Vec::new();
    for cell in cells().0 {
        if !matches!(effect(&cell), Effect::Silence { .. } | Effect::Drip) {
            continue;
        }
        let elsewhere = Elsewhere::start().await;
        let fault = faults(elsewhere.address).swap_remove(cell.fault);
        let clock = Virtual::real(SEED);
        let seen = observe(cell.subject, &cell.op, &fault, &elsewhere, clock, Some(LIMIT)).await;
        hung.push((format!("{} / {} / {}", cell.subject.name(), cell.op.name, fault.title()), seen));
    }
    hung
}

pub async fn rest(mut whole: Whole) -> Whole {
    println!("again under other seeds");
    let runs = std::env::var("FAULT_MATRIX_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    whole.again = run_all(cells().0, |cell| {
        let runs = match effect(cell) {
            Effect::Silence { .. } | Effect::Drip | Effect::TooLarge => runs / 10,
            _ => runs,
        };
        let mut dice = Dice(SEED + cell.number as u64);
        (0..runs).map(|_| dice.next() >> 32).collect()
    })
    .await;
    println!("several calls of one client, and fleets");
    whole.told = many_calls(CALLS_KEPT, SEED).await;
    println!("certificates");
    whole.told.extend(tls::certificates().await);
    println!("what has a memory");
    whole.told.extend(durable::all(1, SEED).await);
    for subject in subjects::all() {
        whole.fleets.push(fleets(subject).await);
    }
    whole
}

async fn fleets(subject: &'static dyn super::Subject) -> Fleets {
    let (mut pauses, mut most_refused) = (Vec::new(), 0);
    for seed in 0..FLEETS {
        let refused = fleet(subject, false, SEED + seed).await;
        most_refused = most_refused.max(refused.requests);
        pauses.extend(refused.pauses);
    }
    let most_down = fleet(subject, true, SEED).await.requests;
    let (op, fullest) = (read_of(subject).name, fullest(&pauses));
    Fleets { subject: subject.name(), op, most_refused, most_down, fullest, pauses: pauses.len() }
}

// ---------------------------------------------------------------------------------------------------------------- the page

const HEAD: &str = "# The fault matrix, as it was run

Written by `cargo test -p integration-tests --test main -- --ignored fault_matrix::all --nocapture`; not by hand.

A fault server at socket level (`tests/tests/fault_matrix/server.rs`, plain TCP) against each client. *Executed* is counted at the server: a request
whose whole body arrived and which was acted on. *Waited* are the pauses between attempts and *over after* is the time of the call, both by the client's
clock, which the test moves: a pause passes at once, a limit strikes when the server has nothing more to say, so that the limits are the clients' own and
the figures exact. *Memory* is by how much the process grew, fault server included, one cell at a time. What is expected stands in
`tests/tests/fault_matrix/expect.rs` and comes from the matrix of goals read together with the retry rules of each contract, which win; a cell whose
contract says something else names it beneath the table. Requests and executions of a pull count its healthy pages too.

Row 1 has no DNS failure: it needs a network. Row 16 is a server that falls silent on a kept connection, which is what a client sees of dropped packets.
Row 24 is played on a record of every write and sync of the store's files (`durable/shim.c`): a power cut is a prefix of it, with what was not synced
lost in whole or in part. What other tests prove of rows 17 to 25 is listed by name in the last table.

";

pub fn write(whole: &Whole) {
    let mut page = HEAD.to_owned();
    summary(&mut page, whole).unwrap();
    for subject in subjects::all() {
        writeln!(page, "\n## {}", subject.name()).unwrap();
        for op in subject.operations() {
            table(&mut page, whole, subject.name(), &op).unwrap();
        }
        for (column, reason) in subject.lacks() {
            writeln!(page, "\nNo {}: {reason}.", column.title()).unwrap();
        }
    }
    several(&mut page, whole).unwrap();
    trampled(&mut page, whole).unwrap();
    elsewhere(&mut page).unwrap();
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fault-matrix.md"), page).unwrap();
}

fn summary(page: &mut String, whole: &Whole) -> std::fmt::Result {
    let all = || whole.alone.iter().chain(&whole.again);
    let wrong = all().filter(|ran| !ran.complaints.is_empty()).count();
    let once = all().filter(|ran| super::expect::most_executions(&ran.cell.op).is_some());
    let twice = once.clone().filter(|ran| ran.seen.executed > ran.cell.op.healthy).count();
    let leaks = all().filter(|ran| ran.seen.leaked || ran.seen.connections_elsewhere > 0).count();
    let late =
        whole.hung.iter().map(|(_, seen)| seen.elapsed.saturating_sub(LIMIT)).max().unwrap_or_default();
    let largest = whole.alone.iter().filter_map(|ran| Some((ran.seen.memory?, memory_cap(&ran.cell.op))));
    let share = largest.map(|(memory, cap)| memory * 100 / cap).max().unwrap_or_default();
    writeln!(page, "| | |\n|---|---|")?;
    writeln!(page, "| cells | {} |", whole.alone.len())?;
    writeln!(page, "| calls | {} |", all().count())?;
    writeln!(page, "| calls that did not end as expected | {wrong} |")?;
    writeln!(page, "| calls of `Once` operations; executed more than once | {}; {twice} |", once.count())?;
    writeln!(page, "| calls that spoke to another host | {leaks} |")?;
    writeln!(
        page,
        "| latest after its deadline, of {} silent calls by the machine's clock | {late:?} |",
        whole.hung.len()
    )?;
    writeln!(page, "| largest share of its memory cap that a cell took | {share} % |")?;
    writeln!(page, "| seeds | {SEED} first, then drawn from it and the number of the cell |")
}

fn table(page: &mut String, whole: &Whole, subject: &str, op: &super::Op) -> std::fmt::Result {
    let is_it = |ran: &&Ran| ran.cell.subject.name() == subject && ran.cell.op.name == op.name;
    writeln!(page, "\n### {}: {} ({:?})\n", op.column.title(), op.name, op.rules.class)?;
    writeln!(
        page,
        "| row | fault | requests | executed | ended in | waited | over after | memory | expected |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|---|---|---|")?;
    let mut again = BTreeMap::<usize, Vec<&Observed>>::new();
    for ran in whole.again.iter().filter(is_it) {
        again.entry(ran.cell.number).or_default().push(&ran.seen);
    }
    for ran in whole.alone.iter().filter(is_it) {
        let mut seen = vec![&ran.seen];
        seen.extend(again.get(&ran.cell.number).into_iter().flatten());
        line(page, ran, &seen)?;
    }
    notes(page, op)
}

fn line(page: &mut String, ran: &Ran, seen: &[&Observed]) -> std::fmt::Result {
    let expected = ran.expected();
    let longest = seen.iter().flat_map(|seen| seen.slept.iter()).max();
    let ends: std::collections::BTreeSet<_> = seen.iter().map(|seen| end(seen)).collect();
    writeln!(
        page,
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        ran.fault.row,
        ran.fault.title(),
        range(seen.iter().map(|seen| seen.requests)),
        range(seen.iter().map(|seen| seen.executed)),
        ends.into_iter().collect::<Vec<_>>().join(" or "),
        longest.map_or("-".to_owned(), |pause| format!("{:.2} s", pause.as_secs_f64())),
        seen.iter()
            .map(|seen| seen.elapsed)
            .max()
            .map_or("-".to_owned(), |time| format!("{:.1} s", time.as_secs_f64())),
        ran.seen.memory.map_or("-".to_owned(), |bytes| format!(
            "{} KiB of {}",
            bytes / 1024,
            memory_cap(&ran.cell.op) / 1024
        )),
        expectation(&expected),
    )
}

fn end(seen: &Observed) -> String {
    match &seen.result {
        Ok(_) => "success".to_owned(),
        Err((kind, outcome)) => format!("{kind:?}, {outcome:?}"),
    }
}

fn range(figures: impl Iterator<Item = usize> + Clone) -> String {
    span(figures.clone().min().unwrap_or_default(), figures.max().unwrap_or_default())
}

fn span(least: usize, most: usize) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

fn expectation(expected: &Expected) -> String {
    let named = |errors: &[(integration_core::ErrorKind, integration_core::Outcome)]| {
        let names: Vec<_> = errors.iter().map(|(kind, outcome)| format!("{kind:?} {outcome:?}")).collect();
        names.join(" or ")
    };
    let end = match &expected.end {
        End::Success => "success".to_owned(),
        End::Error(errors) => named(errors),
        End::Either(errors) => format!("success or {}", named(errors)),
    };
    let (requests, executed) = (&expected.requests, &expected.executed);
    let counts = [requests, executed].map(|range| span(*range.start(), *range.end()));
    let wait =
        expected.wait.map(|(least, most)| format!(", waits {} to {} s", least.as_secs(), most.as_secs()));
    format!("{} / {}, {end}{}", counts[0], counts[1], wait.unwrap_or_default())
}

fn notes(page: &mut String, op: &super::Op) -> std::fmt::Result {
    let mut notes = BTreeMap::<&str, Vec<&str>>::new();
    op.exceptions
        .iter()
        .for_each(|exception| notes.entry(exception.because).or_default().push(exception.fault));
    for (because, faults) in notes {
        writeln!(page, "\nBy the contract otherwise ({}): {because}.", faults.join(", "))?;
    }
    let mut left = BTreeMap::<&str, Vec<&str>>::new();
    op.without.iter().for_each(|(fault, reason)| left.entry(reason).or_default().push(fault));
    for (reason, faults) in left {
        writeln!(page, "\nLeft out ({}): {reason}.", faults.join(", "))?;
    }
    Ok(())
}

/// Rows that are no single call: what was done with whom, and what came of it.
fn several(page: &mut String, whole: &Whole) -> std::fmt::Result {
    let is_of_memory =
        |told: &&Told| told.row > 19 || !subjects::all().iter().any(|one| one.name() == told.subject);
    let (memory, wire): (Vec<_>, Vec<_>) = whole.told.iter().partition(is_of_memory);
    let (certificates, wire): (Vec<_>, Vec<_>) = wire.into_iter().partition(|told| told.row == 17);
    tell(page, "Several calls of one client", &wire)?;
    tell(page, "Certificates that must not be believed (row 17)", &certificates)?;
    tell(page, "What has a memory (rows 19 and 22 to 25)", &memory)
}

fn tell(page: &mut String, title: &str, rows: &[&Told]) -> std::fmt::Result {
    writeln!(
        page,
        "\n## {title}\n\n| row | who | operation | fault | seen | as expected |\n|---|---|---|---|---|---|"
    )?;
    for told in rows {
        let verdict = if told.wrong.is_empty() { "yes" } else { "NO" };
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {verdict} |",
            told.row, told.subject, told.op, told.fault, told.figures
        )?;
    }
    Ok(())
}

fn elsewhere(page: &mut String) -> std::fmt::Result {
    writeln!(page, "\n## Proven by other tests\n\n| row | what | test | file |\n|---|---|---|---|")?;
    for (row, what, file, test) in proven::PROVEN {
        writeln!(page, "| {row} | {what} | `{test}` | `{file}` |")?;
    }
    Ok(())
}

fn trampled(page: &mut String, whole: &Whole) -> std::fmt::Result {
    writeln!(page, "\n## {CALLS} concurrent calls against a service that is down (row 9)\n")?;
    writeln!(
        page,
        "At most 1,200 requests; no bin of 10 ms holds more than 5 % of the pauses before a retry.\n"
    )?;
    writeln!(
        page,
        "| client | operation | most requests of {FLEETS} fleets, nobody listens | requests, 503 | fullest bin of 10 ms | pauses |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|")?;
    for fleets in &whole.fleets {
        let Fleets { subject, op, most_refused, most_down, fullest, pauses } = fleets;
        writeln!(
            page,
            "| {subject} | {op} | {most_refused} | {most_down} | {:.1} % | {pauses} |",
            fullest * 100.0
        )?;
    }
    Ok(())
}
