//! The engine over HTTP on both sides and a real store, killed with SIGKILL at random while the firm edits, closes, moves and removes files
//! and changes grants, groups and unions, and while answers are lost on both sides. Children are this very test binary, started again for
//! the test `child`; the firm and the portal live in the parent. At every rest the sandbox's own evaluation of contract 4.3 is asked.
//!
//! `APIGES_CONTACTS`, `APIGES_FILES`, `APIGES_KILLS`, `APIGES_KILL_MS` (the mean time between kills), `APIGES_RESTS` and `APIGES_SEED`
//! choose the size and the dice. Real processes take real time, so this test waits for the wall clock.
#![cfg(feature = "store")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::needless_pass_by_value
)]

#[path = "crash/child.rs"]
mod child_process;
#[path = "crash/firm.rs"]
mod firm;
#[path = "crash/judge.rs"]
mod judge;
#[path = "crash/orders.rs"]
mod orders;
#[path = "crash/worker.rs"]
mod worker;

use std::path::Path;
use std::time::Duration;

use apiges_sync::{Clock as _, SystemClock};
use integration_sandbox::apiges::Endpoint;
use integration_sandbox::websync::Row;
use integration_sandbox::{Fault, Sandbox};

use firm::World;
use judge::{Rested, judge, no_canary_in};
use orders::{CHILD, Order, Place};
use worker::Worker;

struct Plan {
    contacts: usize,
    files: usize,
    kills: u64,
    kill_ms: u64,
    rests: u64,
    seed: u64,
}

fn setting(name: &str, ordinary: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(ordinary)
}

fn plan() -> Plan {
    let count = |name, ordinary| usize::try_from(setting(name, ordinary)).unwrap();
    let kills = setting("APIGES_KILLS", 5);
    Plan {
        contacts: count("APIGES_CONTACTS", 20),
        files: count("APIGES_FILES", 200),
        kills,
        kill_ms: setting("APIGES_KILL_MS", 400),
        rests: setting("APIGES_RESTS", 3).min(kills.max(1)),
        seed: setting("APIGES_SEED", 1),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_rest_the_portal_shows_what_is_allowed_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("sync.db").display());
    run("SQLite", &store, folder.path(), &plan()).await;
}

/// Run by `.ci/with-postgres cargo test -p apiges-sync --all-features --test portal_crash -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL, named by INTEGRATION_TEST_POSTGRES_URL"]
async fn at_every_rest_the_portal_shows_what_is_allowed_on_postgresql() {
    let url = std::env::var("INTEGRATION_TEST_POSTGRES_URL")
        .expect("INTEGRATION_TEST_POSTGRES_URL names a PostgreSQL");
    let folder = tempfile::tempdir().unwrap();
    run("PostgreSQL", &url, folder.path(), &plan()).await;
}

async fn run(what: &str, store: &str, folder: &Path, plan: &Plan) {
    let clock = SystemClock::new();
    let sandbox = Sandbox::start().await.unwrap();
    let mut world = World::new(&sandbox, folder, plan.contacts, plan.files, plan.seed);
    let place = place(&sandbox, store, folder);
    let mut worker = Worker::start(&place);
    world.open_all(&mut worker);
    let (mut kills, mut rested) = (0, Rested::default());
    for round in 0..plan.rests {
        misbehave(&sandbox, plan.seed.wrapping_add(round));
        let due = plan.kills * (round + 1) / plan.rests;
        while kills < due {
            disturb(&mut world, &mut worker, plan).await;
            kills += u64::from(worker.killed_and_started(&place));
        }
        disturb(&mut world, &mut worker, plan).await;
        rested.faults += struck(&sandbox);
        clear_faults(&sandbox);
        let last = round + 1 == plan.rests;
        if last {
            world.resume_all(&mut worker);
        }
        rest(&sandbox, &world, &mut worker, &mut rested, last).await;
        eprintln!(
            "{:>4} s: rest {} of {}, {kills} kills, {rested:?}",
            clock.elapsed().as_secs(),
            round + 1,
            plan.rests
        );
    }
    drop(worker);
    no_canary_in(folder, &rested);
    println!(
        "{what}, seed {}: contacts {}, files {}, kills {kills}, edits {:?}, {rested:?}; {} s",
        plan.seed,
        plan.contacts,
        plan.files,
        world.done,
        clock.elapsed().as_secs(),
    );
    assert!(kills >= plan.kills && rested.faults > 0 && rested.withdrawals > 0, "the run was too kind");
}

fn place(sandbox: &Sandbox, store: &str, folder: &Path) -> Place {
    let (firm, portal) = (sandbox.apiges(), sandbox.websync());
    Place {
        firm: [firm.base_url(), firm.username(), firm.password()].map(str::to_owned),
        portal: [portal.base_url(), portal.tenant(), portal.token()].map(str::to_owned),
        store: store.to_owned(),
        folder: folder.to_owned(),
    }
}

/// Acts for a while, as fast as the child keeps up.
async fn disturb(world: &mut World, worker: &mut Worker, plan: &Plan) {
    let clock = SystemClock::new();
    let span = Duration::from_millis(plan.kill_ms / 4 + world.dice.roll(plan.kill_ms * 3 / 2));
    while clock.elapsed() < span {
        worker.listen();
        if worker.waiting() < 30 {
            world.act(worker);
        }
        pause(Duration::from_millis(1 + world.dice.roll(6))).await;
    }
}

async fn rest(sandbox: &Sandbox, world: &World, worker: &mut Worker, rested: &mut Rested, last: bool) {
    // Saves that nobody reported are found by looking at everything.
    worker.send(Order::Scan);
    worker.send(Order::Rest);
    while worker.waiting() > 0 {
        worker.listen();
        assert!(worker.is_alive(), "the child ended by itself: see its words in {}", world.words().display());
        pause(Duration::from_millis(5)).await;
    }
    judge(sandbox, world, &worker.last, rested, last);
}

const FAULTS: [fn() -> Fault; 8] = [
    || Fault::ActThenReset,
    || Fault::ActThenClose,
    || Fault::ActThenCutBody,
    || Fault::ActThenEmpty,
    || Fault::act_then_status(500),
    || Fault::ResetBeforeActing,
    || Fault::unavailable("0"),
    || Fault::Html,
];

/// Faults before and after acting of every write, and of reads.
fn misbehave(sandbox: &Sandbox, seed: u64) {
    let (firm, portal) = (sandbox.apiges(), sandbox.websync());
    let rows = [
        Row::W11,
        Row::W12,
        Row::W13,
        Row::W14,
        Row::W16,
        Row::W20,
        Row::W21,
        Row::W22,
        Row::W23,
        Row::W24,
        Row::W25,
        Row::W30,
        Row::W32,
        Row::W40,
        Row::W50,
        Row::W51,
    ];
    for (index, fault) in (0_u64..).zip(FAULTS) {
        let seed = seed.wrapping_mul(31).wrapping_add(index);
        // An empty or foreign 200 to a HEAD says that the blob is there: nobody can tell it from the portal's own.
        let is_lie = |row: Row| row == Row::W50 && matches!(fault(), Fault::Html | Fault::ActThenEmpty);
        let rows = rows.into_iter().filter(|row| !is_lie(*row));
        rows.for_each(|row| portal.inject_random(row, fault(), 0.02, seed));
    }
    for (index, fault) in (0_u64..).zip([Fault::ResetBeforeActing, Fault::Html, Fault::RevokeCredential]) {
        let seed = seed.wrapping_mul(37).wrapping_add(index);
        for endpoint in [Endpoint::File, Endpoint::FilePart, Endpoint::Graphics, Endpoint::SearchFiles] {
            firm.inject_random(endpoint, fault.clone(), 0.002, seed);
        }
    }
}

fn clear_faults(sandbox: &Sandbox) {
    sandbox.apiges().clear_faults();
    sandbox.websync().clear_faults();
}

fn struck(sandbox: &Sandbox) -> usize {
    let asked = sandbox.apiges().requests().into_iter().chain(sandbox.websync().requests());
    let struck = asked.filter(|request| request.fault.is_some()).count();
    // Those of the firm are many, and are not looked at again.
    sandbox.apiges().forget_requests();
    struck
}

/// The program that is killed. As a test of its own it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    if let Ok(place) = std::env::var(CHILD) {
        child_process::work(&serde_json::from_str(&place).unwrap()).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "processes that are killed at random moments run in real time")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
