//! Rows that take more than one call of the same client: 14 (an answer that nobody asked for), 15 (a kept connection that the server
//! closes), 16 (a connection on which nothing comes any more), 19 (calls that nobody waits for any more), and the healthy slow
//! download of row 7.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use integration_core::clock::{Clock, SystemClock};

use super::clock::{Dice, Virtual, breathe};
use super::server::{Deed, Plan, Seen, Server, Then};
use super::subject::{Column, Doing, Op, Site, Subject};

/// What is told of a test with many calls.
pub struct Told {
    pub subject: &'static str,
    pub op: &'static str,
    pub row: u8,
    pub fault: String,
    pub figures: String,
    pub wrong: Vec<String>,
}

struct Bench {
    server: Server,
    doing: Doing,
    clock: Virtual,
}

async fn bench(subject: &'static dyn Subject, op: &Op, seed: u64) -> Bench {
    let clock = Virtual::seeded(seed);
    let server = Server::start(Arc::new(|seen: &Seen| subject.answer(seen)), clock.clone()).await;
    let site = Site { url: server.url(), clock: clock.clone(), limit: None };
    Bench { doing: subject.ready(op.name, op.column, site).await, server, clock }
}

fn plan(op: &Op, after: usize, times: usize, making: super::server::Making) -> Plan {
    Plan { meets: op.meets, after, times, helpers: 0, on_accept: false, making }
}

/// Operations of one request each that the same client can do again and again.
pub fn is_repeatable(op: &Op) -> bool {
    matches!(op.column, Column::Safe | Column::Keyed | Column::Once)
        && op.name != "log in"
        && op.name != "save a customer"
}

fn told(subject: &dyn Subject, op: &Op, row: u8, fault: &str, figures: String, wrong: Vec<String>) -> Told {
    Told { subject: subject.name(), op: op.name, row, fault: fault.to_owned(), figures, wrong }
}

/// Row 14: after the first answer comes another one, which is right in form and belongs to nobody.
pub async fn stray(subject: &'static dyn Subject, op: &Op, calls: usize, seed: u64) -> Told {
    let bench = bench(subject, op, seed).await;
    let brings = op.brings;
    bench.server.arm(plan(
        op,
        0,
        usize::MAX,
        Arc::new(move |reply, _| {
            let text = String::from_utf8_lossy(&reply.body).replace(brings, "00-00000999");
            let stray = super::server::Reply { body: text.into_bytes(), ..reply.clone() };
            Deed::Read { acts: true, says: [reply.bytes(""), stray.bytes("")].concat(), then: Then::Keep }
        }),
    ));
    let mut wrong = Vec::new();
    for _ in 0..calls {
        match (bench.doing)().await {
            Ok(brought) if brought == brings => {}
            Ok(brought) => wrong.push(format!("an answer of nobody was taken: {brought}")),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    wrong.extend(not_doubled(op, &bench.server, calls));
    let figures = format!("{calls} calls, {} requests", bench.server.requests());
    told(subject, op, 14, "an answer that nobody asked for, on a kept connection", figures, wrong)
}

fn not_doubled(op: &Op, server: &Server, calls: usize) -> Option<String> {
    let is_doubled = op.rules.tries == 1 && server.executed() > calls;
    is_doubled.then(|| format!("DONE TWICE: {} executions of {calls} calls", server.executed()))
}

/// Row 15, in real time: the server closes a kept connection after 4 to 12 ms, and calls come 4 to 12 ms apart.
pub async fn idle(subject: &'static dyn Subject, op: &Op, calls: usize, seed: u64) -> Told {
    let bench = bench(subject, op, seed).await;
    let random = |clock: &Virtual| Duration::from_micros(4_000 + (clock.random() * 8_000.0) as u64);
    bench.server.arm(plan(
        op,
        0,
        usize::MAX,
        Arc::new(move |reply, clock| Deed::Read {
            acts: true,
            says: reply.bytes(""),
            then: Then::Idle(random(clock)),
        }),
    ));
    let mut wrong = Vec::new();
    for _ in 0..calls {
        match (bench.doing)().await {
            Ok(brought) if brought == op.brings => {}
            Ok(brought) => wrong.push(format!("brought {brought}")),
            Err(error) => wrong.push(error.to_string()),
        }
        SystemClock::new().sleep(random(&bench.clock)).await;
    }
    wrong.extend(not_doubled(op, &bench.server, calls));
    let figures = format!(
        "{calls} calls, {} requests on {} connections",
        bench.server.requests(),
        bench.server.connections()
    );
    told(subject, op, 15, "a kept connection that the server closes after 4 to 12 ms", figures, wrong)
}

/// Row 16, as it looks from the client: a kept connection takes a request and is silent for ever; then all is well again.
pub async fn half_open(subject: &'static dyn Subject, op: &Op, seed: u64) -> Told {
    let bench = bench(subject, op, seed).await;
    let silence = |_: &super::server::Reply, _: &Virtual| Deed::Read {
        acts: false,
        says: Vec::new(),
        then: Then::Hang,
    };
    bench.server.arm(plan(op, 1, 1, Arc::new(silence)));
    let mut wrong = Vec::new();
    if (bench.doing)().await.is_err() {
        wrong.push("the first call met nothing and failed".to_owned());
    }
    let second = (bench.doing)().await;
    if second.is_ok()
        != (op.rules.after_silence && op.rules.tries > 1 && op.rules.attempt < op.rules.deadline)
    {
        wrong.push(format!("the call within the silence ended in {second:?}"));
    }
    let before = bench.clock.elapsed();
    let healed = (bench.doing)().await;
    let took = bench.clock.elapsed().saturating_sub(before);
    if healed.as_deref().ok() != Some(op.brings) || took > op.rules.attempt + Duration::from_secs(1) {
        wrong.push(format!("the first call after it ended in {healed:?} after {took:?}"));
    }
    let figures =
        format!("{} requests on {} connections", bench.server.requests(), bench.server.connections());
    told(subject, op, 16, "a kept connection that falls silent, then all is well", figures, wrong)
}

/// Polls until it had to wait so many times, and drops it then; what it ended in, if it ended before.
pub async fn dropped_at<T>(mut work: integration_core::BoxFuture<'static, T>, waits: usize) -> Option<T> {
    let mut waited = 0;
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if waited == waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

/// So many times a call waits at most in what is dropped here.
const WAITS: u64 = 12;

/// Row 19: calls are dropped wherever they wait. The client stays usable, nothing is done twice, and when it goes nothing of it stays.
pub async fn dropped(subject: &'static dyn Subject, op: &Op, calls: usize, seed: u64) -> Told {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let bench = bench(subject, op, seed).await;
    bench.server.arm(plan(op, 0, 0, Arc::new(|_, _| Deed::ResetOnAccept)));
    let (mut wrong, mut gone, mut dice) = (Vec::new(), 0, Dice(seed));
    for _ in 0..calls {
        let waits = usize::try_from(dice.next() % WAITS).unwrap();
        match dropped_at((bench.doing)(), waits).await {
            None => gone += 1,
            Some(ended) if ended.as_deref().ok() == Some(op.brings) => {}
            Some(ended) => wrong.push(format!("a call that was not dropped ended in {ended:?}")),
        }
        let next = (bench.doing)().await;
        if next.as_deref().ok() != Some(op.brings) {
            wrong.push(format!("the call after a dropped one ended in {next:?}"));
        }
    }
    breathe().await;
    let (requests, executed) = (bench.server.requests(), bench.server.executed());
    // Without a fault no call has a reason to repeat anything.
    if executed > 2 * calls * op.healthy || executed < (2 * calls - gone) * op.healthy {
        wrong.push(format!("{executed} executions of {calls} calls, {gone} dropped, and as many after them"));
    }
    if gone == 0 {
        wrong.push("none was dropped: the run was too kind".to_owned());
    }
    drop(bench);
    for _ in 0..100 {
        if alive() > before {
            breathe().await;
        }
    }
    if alive() > before {
        wrong.push(format!("{} tasks stay behind", alive() - before));
    }
    let figures = format!(
        "{gone} of {calls} dropped, as many calls after them, {requests} requests, {executed} executed"
    );
    told(subject, op, 19, "calls that are dropped wherever they wait", figures, wrong)
}

/// Row 7: 60 MiB at one MiB a second are no stall.
pub async fn healthy_slow(subject: &'static dyn Subject, op: &Op, seed: u64) -> Told {
    const MEBIBYTES: u64 = 60;
    let bench = bench(subject, op, seed).await;
    let length = 5 + MEBIBYTES * 1024 * 1024;
    bench.server.arm(plan(
        op,
        0,
        1,
        Arc::new(move |_, _| {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\ncontent-length: {length}\r\n\r\n%PDF-"
            );
            Deed::Read { acts: true, says: head.into_bytes(), then: Then::Slowly(MEBIBYTES) }
        }),
    ));
    let brought = (bench.doing)().await;
    let is_right = brought.as_deref().ok() == Some(&length.to_string());
    let wrong = (!is_right).then(|| format!("ended in {brought:?}")).into_iter().collect();
    let figures = format!("{length} bytes in {:?}", bench.clock.elapsed());
    told(subject, op, 7, "a healthy slow download, 1 MiB/s for 60 s", figures, wrong)
}
