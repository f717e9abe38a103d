//! One cell: a fresh client and a fresh server, one call, and what both sides saw of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use integration_core::clock::{Clock, SystemClock};
use integration_core::{Error, ErrorKind, Outcome};

use super::clock::{Virtual, breathe};
use super::expect::{End, Expected, OWN_PAUSES, expect, most_executions};
use super::fault::{Effect, Fault, Times};
use super::memory;
use super::server::{Elsewhere, Plan, Server};
use super::subject::{Column, Op, Site, Subject};

/// A call may be over so much after its deadline.
const GRACE: Duration = Duration::from_millis(100);

/// No cell takes longer by the machine's clock; a whole hour of it takes less.
const GUARD: Duration = Duration::from_secs(60);

/// What a call is said to have ended in that did not end.
const HANGS: &str = "THE CALL HANGS";

#[derive(Debug, Clone)]
pub struct Observed {
    pub requests: usize,
    pub executed: usize,
    pub result: Result<String, (ErrorKind, Outcome)>,
    /// The error as it is printed.
    pub text: String,
    pub carries: Option<Duration>,
    pub slept: Vec<Duration>,
    pub elapsed: Duration,
    pub connections_elsewhere: usize,
    pub leaked: bool,
    /// Whether every body that was acted on is the same: a repeat that is not would be another request.
    pub same: bool,
    /// Whether a packed answer was asked for, which nobody would unpack.
    pub asks_for_packing: bool,
    /// By how many bytes the process grew; only of use where nothing else was under way.
    pub memory: Option<u64>,
}

pub fn applies(op: &Op, fault: &Fault) -> Result<(), &'static str> {
    match op.without.iter().find(|(name, _)| fault.name.starts_with(name)) {
        Some((_, reason)) => Err(reason),
        None => Ok(()),
    }
}

fn plan(op: &Op, fault: &Fault) -> Plan {
    Plan {
        meets: op.meets,
        after: op.after,
        times: if fault.times == Times::Once { 1 } else { usize::MAX },
        helpers: op.helpers,
        on_accept: fault.effect == Effect::ResetOnAccept,
        making: fault.deed(),
    }
}

/// What happens in this cell by this clock.
pub async fn observe(
    subject: &'static dyn Subject,
    op: &Op,
    fault: &Fault,
    elsewhere: &Elsewhere,
    clock: Virtual,
    limit: Option<Duration>,
) -> Observed {
    let answer = Arc::new(|seen: &super::server::Seen| subject.answer(seen));
    let mut server = Server::start(answer, clock.clone()).await;
    let site = Site { url: server.url(), clock: clock.clone(), limit };
    let doing = subject.ready(op.name, op.column, site).await;
    server.arm(plan(op, fault));
    if fault.effect == Effect::NobodyListens {
        server.stop().await;
    }
    let peak = memory::begin();
    let (before, slept) = (clock.elapsed(), clock.slept().len());
    let connected = elsewhere.connections.load(Ordering::SeqCst);
    let result = guarded(doing()).await;
    let elapsed = clock.elapsed().saturating_sub(before);
    let memory = peak.grown();
    if result.is_err() {
        // What may still be on its way to a server that acts on it.
        breathe().await;
    }
    let error = result.as_ref().err();
    Observed {
        requests: server.requests(),
        executed: server.executed(),
        text: error.map(|error| format!("{error}")).unwrap_or_default(),
        carries: error.and_then(Error::retry_after),
        result: result.map_err(|error| (error.kind(), error.outcome())),
        slept: clock.slept().split_off(slept),
        elapsed,
        connections_elsewhere: elsewhere.connections.load(Ordering::SeqCst) - connected,
        asks_for_packing: server.heads().iter().any(|head| head.to_lowercase().contains("accept-encoding")),
        leaked: leaked(subject, elsewhere),
        same: server.bodies().windows(2).all(|pair| op.healthy > 1 || pair[0] == pair[1]),
        memory,
    }
}

async fn guarded(work: impl Future<Output = Result<String, Error>>) -> Result<String, Error> {
    tokio::select! {
        done = work => done,
        () = SystemClock::new().timer(GUARD) => {
            Err(Error::new(ErrorKind::Blocked, "hang").with_message(HANGS))
        }
    }
}

fn leaked(subject: &dyn Subject, elsewhere: &Elsewhere) -> bool {
    let heard = String::from_utf8_lossy(&elsewhere.heard.lock().unwrap()).to_lowercase();
    let names = ["authorization", "legale-api-key", "api_token"];
    let secrets = subject.secrets().iter().map(|secret| secret.to_lowercase());
    secrets.chain(names.map(str::to_owned)).any(|secret| heard.contains(&secret))
}

/// Everything in which a cell is not as it must be.
pub fn complaints(op: &Op, fault: &Fault, seen: &Observed) -> Vec<String> {
    let expected = expect(op, fault);
    let mut found = counted(&expected, seen);
    found.extend(ended(op, &expected, seen));
    found.extend(waited(op, fault, &expected, seen));
    found.extend(invariants(op, seen));
    found
}

fn counted(expected: &Expected, seen: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    if !expected.requests.contains(&seen.requests) {
        found.push(format!("{} requests instead of {:?}", seen.requests, expected.requests));
    }
    if !expected.executed.contains(&seen.executed) {
        found.push(format!("executed {} times instead of {:?}", seen.executed, expected.executed));
    }
    match expected.attempts {
        Some(attempts) if attempts as usize != seen.slept.len() + 1 => {
            found.push(format!("{} pauses, so not {attempts} attempts", seen.slept.len()));
        }
        _ => {}
    }
    if !seen.same {
        found.push("a repeat was another request".to_owned());
    }
    found
}

fn ended(op: &Op, expected: &Expected, seen: &Observed) -> Option<String> {
    let is_right = match (&expected.end, &seen.result) {
        (End::Success | End::Either(_), Ok(brought)) => brought == op.brings,
        (End::Error(errors) | End::Either(errors), Err(error)) => errors.contains(error),
        _ => false,
    };
    (!is_right).then(|| format!("ended in {:?} instead of {:?}: {}", seen.result, expected.end, seen.text))
}

fn waited(op: &Op, fault: &Fault, expected: &Expected, seen: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    if let Some((least, most)) = expected.wait
        && !seen.slept.iter().all(|pause| (least..=most).contains(pause))
    {
        found.push(format!("waited {:?} instead of {least:?} to {most:?}", seen.slept));
    }
    let has_hint = matches!(fault.effect, Effect::Status(_, Some(super::fault::Hint::Wait(_))));
    if !has_hint && seen.slept.iter().zip(OWN_PAUSES.iter().cycle()).any(|(pause, most)| pause > most) {
        found.push(format!("waited {:?} by its own choice", seen.slept));
    }
    if seen.carries != expected.carries && seen.result.is_err() {
        found.push(format!("carries a wait of {:?} instead of {:?}", seen.carries, expected.carries));
    }
    let deadline = op.rules.deadline;
    if seen.elapsed > deadline + GRACE {
        found.push(format!("was over after {:?}, its deadline is {deadline:?}", seen.elapsed));
    }
    found
}

fn invariants(op: &Op, seen: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    if most_executions(op).is_some_and(|most| seen.executed > most) {
        found.push(format!("DONE TWICE: executed {} times", seen.executed));
    }
    if seen.connections_elsewhere > 0 {
        found.push(format!("{} connections to another host", seen.connections_elsewhere));
    }
    if seen.leaked {
        found.push("A CREDENTIAL WENT ELSEWHERE".to_owned());
    }
    if seen.asks_for_packing {
        found.push("asks for a packed answer".to_owned());
    }
    let text = &seen.text;
    if text.contains('\n') || (seen.result.is_err() && !text.contains("What to do: ")) {
        found.push(format!("an error that is not one line with advice: {text}"));
    }
    found
}

/// Bytes of memory that a cell may take: what an answer may be long, and one MiB; a body that is handed on is not kept. The fault
/// server stands in the same process, with a connection's buffers and the answer that it writes: half a MiB for it.
pub fn memory_cap(op: &Op) -> u64 {
    const MEBIBYTE: u64 = 1024 * 1024;
    let kept = if op.column == Column::Download { 0 } else { op.rules.cap as u64 };
    kept + MEBIBYTE + MEBIBYTE / 2
}

/// A deadline that is kept by the machine's clock as well.
pub fn over_in_time(seen: &Observed, limit: Duration) -> bool {
    seen.elapsed <= limit + GRACE
}
