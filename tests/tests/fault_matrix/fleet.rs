//! Row 9, seen by the service: a thousand concurrent calls against one that is down.

use std::sync::Arc;
use std::time::Duration;

use integration_core::call::Idempotency;

use super::clock::Virtual;
use super::server::{Deed, Plan, Seen, Server, Then};
use super::subject::{Column, Op, Site, Subject};

pub const CALLS: usize = 1_000;

pub struct Fleet {
    pub requests: usize,
    pub pauses: Vec<Duration>,
}

/// The read of a subject, which is what may be repeated.
pub fn read_of(subject: &dyn Subject) -> Op {
    let is_read = |op: &Op| op.column == Column::Safe && op.rules.class == Idempotency::Safe;
    subject.operations().into_iter().find(is_read).expect("every client reads something")
}

/// Against one that answers 503, or, if it does not, one that nobody runs any more.
pub async fn fleet(subject: &'static dyn Subject, answers: bool, seed: u64) -> Fleet {
    let op = read_of(subject);
    let clock = Virtual::seeded(seed);
    let mut server = Server::start(Arc::new(|seen: &Seen| subject.answer(seen)), clock.clone()).await;
    let site = Site { url: server.url(), clock: clock.clone(), limit: None };
    let doing = subject.ready(op.name, op.column, site).await;
    let making = Arc::new(|_: &super::server::Reply, _: &Virtual| Deed::Read {
        acts: false,
        says: b"HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n".to_vec(),
        then: Then::Keep,
    });
    server.arm(Plan { meets: op.meets, after: 0, times: usize::MAX, helpers: 0, on_accept: false, making });
    if !answers {
        server.stop().await;
    }
    let before = clock.slept().len();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        calls.spawn(doing());
    }
    let failed = calls.join_all().await.iter().filter(|result| result.is_err()).count();
    assert_eq!(failed, CALLS, "{}: it is down", subject.name());
    let pauses = clock.slept().split_off(before);
    let requests = if answers { server.requests() } else { CALLS + pauses.len() };
    Fleet { requests, pauses }
}

/// The fullest bin of 10 ms as a share of all.
pub fn fullest(pauses: &[Duration]) -> f64 {
    let mut bins = std::collections::BTreeMap::<u128, usize>::new();
    pauses.iter().for_each(|pause| *bins.entry(pause.as_millis() / 10).or_default() += 1);
    bins.values().max().map_or(0.0, |most| *most as f64 / pauses.len() as f64)
}
