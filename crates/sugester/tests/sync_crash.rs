//! The synchronisation over HTTP and a real store, killed with SIGKILL at random while people edit both systems, webhooks get lost or
//! come twice, and answers are lost. Children are this very test binary, started again for the test `child`. At rest an independent
//! checker counts what the sandbox holds.
//!
//! `SYNC_CLIENTS`, `SYNC_INVOICES`, `SYNC_KILLS`, `SYNC_KILL_MS` (the mean time between kills) and `SYNC_SEED` choose the size and the
//! dice. Real processes take real time, so this test waits for the wall clock.
#![cfg(feature = "store")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "sync/checker.rs"]
mod checker;
#[path = "sync/editor.rs"]
mod editor;

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use checker::{Count, State, count};
use editor::{Editor, now};
use integration_sandbox::bitfactura::{Endpoint as BillsEndpoint, Table as Bills, WebhookFault};
use integration_sandbox::sugester::{Endpoint as CrmEndpoint, Table as Crm};
use integration_sandbox::{Fault, Sandbox};
use integration_store::Store;
use serde_json::{Value, json};
use sugester::sync::{LoopGuard, RecordRef, Settings, Synchroniser};
use sugester::{BaseUrl, RetryPolicy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CHILD: &str = "SYNC_CHILD";
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than a request can be under way between two processes of one machine.
const SETTLING: Duration = Duration::from_millis(2_500);

struct Plan {
    store: String,
    clients: u64,
    invoices: u64,
    kills: u64,
    kill_ms: u64,
    seed: u64,
}

fn setting(name: &str, ordinary: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(ordinary)
}

fn plan(store: String) -> Plan {
    Plan {
        store,
        clients: setting("SYNC_CLIENTS", 200),
        invoices: setting("SYNC_INVOICES", 500),
        kills: setting("SYNC_KILLS", 10),
        kill_ms: setting("SYNC_KILL_MS", 1_000),
        seed: setting("SYNC_SEED", 1),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_double_nothing_and_lose_nothing_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(format!("sqlite:{}", folder.path().join("sync.db").display()));
    run("SQLite", &plan).await;
}

/// Run by `.ci/with-postgres cargo test -p sugester --features store --test sync_crash -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL, named by INTEGRATION_TEST_POSTGRES_URL"]
async fn kills_double_nothing_and_lose_nothing_on_postgresql() {
    let url = std::env::var("INTEGRATION_TEST_POSTGRES_URL")
        .expect("INTEGRATION_TEST_POSTGRES_URL names a PostgreSQL");
    // A question to a server takes longer than one to a file.
    let plan = plan(url);
    let kill_ms = setting("SYNC_KILL_MS", 5 * plan.kill_ms);
    run("PostgreSQL", &Plan { kill_ms, ..plan }).await;
}

async fn run(what: &str, plan: &Plan) {
    let began = now();
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let mut editor = Editor::new(bills, crm, plan.seed);
    (0..plan.clients).for_each(|_| editor.add_client());
    (0..plan.invoices).for_each(|_| editor.add_invoice());
    let name = format!("crash-{}-{}", std::process::id(), plan.seed);
    let place = Place {
        bills: [bills.base_url(), bills.token()].map(str::to_owned),
        crm: [crm.base_url(), crm.token()].map(str::to_owned),
        store: plan.store.clone(),
        name,
    };
    let hook = receive_webhooks(&place).await;
    for kind in ["client:create", "client:update", "invoice:create", "invoice:update"] {
        let row = json!({"kind": kind, "url": hook, "api_token": "hook", "active": true});
        bills.add(Bills::Webhooks, &row).unwrap();
    }
    misbehave(&sandbox, plan.seed);
    let kills = disturb(&place, plan, &mut editor).await;
    let faults = struck(&sandbox);
    bills.clear_faults();
    crm.clear_faults();
    let disturbed = now();
    // What was under way comes to rest; then two whole runs.
    pause(SETTLING + Duration::from_millis(500)).await;
    let rested = Worker::start(&place, "rest").wait();
    let conflicts = conflicts(&place).await;
    let state = State {
        bills: bills.records(Bills::Clients),
        crm: crm.records(Crm::Clients),
        invoices: bills.records(Bills::Invoices),
        deals: crm.records(Crm::Deals),
        made: [bills.created(Bills::Clients), crm.created(Crm::Clients), crm.created(Crm::Deals)],
        asked_of_bills: bills.requests(),
        asked_of_crm: crm.requests(),
        conflicts,
    };
    let Count {
        clients,
        deals,
        edits,
        races,
        doubled_clients,
        doubled_deals,
        deletions,
        unequal,
        unreported,
        faults: found,
    } = count(&state, &editor);
    let seconds = |from, to: jiff::Timestamp| to.duration_since(from).as_secs();
    println!(
        "{what}, seed {}: clients {clients}, invoices {deals}, kills {kills}, faults {faults}, edits {edits}, removed by hand {}, \
         webhooks {}, conflicts reported {}, races {races}, doubled clients {doubled_clients}, doubled deals {doubled_deals}, \
         deletions {deletions}, unequal {unequal}, unreported {unreported}; requests {}+{}; {} s disturbed, {} s to rest",
        plan.seed,
        editor.removed.len(),
        bills.webhooks().len(),
        state.conflicts.len(),
        state.asked_of_bills.len(),
        state.asked_of_crm.len(),
        seconds(began, disturbed),
        seconds(disturbed, now()),
    );
    assert_eq!(rested, Some(0), "the last run left something over");
    assert!(found.is_empty(), "{} faults, the first: {:#?}", found.len(), &found[..found.len().min(20)]);
    assert_eq!((doubled_clients, doubled_deals, deletions, unequal, unreported), (0, 0, 0, 0, 0));
    assert!(
        kills == plan.kills && faults > 0 && edits > 0 && !state.conflicts.is_empty(),
        "the run was too kind"
    );
}

/// Kills children at random, and edits all the while; how many were killed.
async fn disturb(place: &Place, plan: &Plan, editor: &mut Editor) -> u64 {
    let mut kills = 0;
    let mut child = Worker::start(place, "work");
    while kills < plan.kills {
        let until = now() + Duration::from_millis(plan.kill_ms / 4 + editor.below(plan.kill_ms * 3 / 2));
        editor.look_around();
        while now() < until {
            editor.act();
            let span = 5 + editor.below(30);
            pause(Duration::from_millis(span)).await;
        }
        kills += u64::from(child.kill());
        child = Worker::start(place, "work");
    }
    drop(child);
    kills
}

/// Faults before and after acting, of every write, and of reads.
fn misbehave(sandbox: &Sandbox, seed: u64) {
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let faults = [
        Fault::ActThenReset,
        Fault::ActThenClose,
        Fault::ActThenCutBody,
        Fault::ActThenEmpty,
        Fault::act_then_status(500),
        Fault::act_then_html(502),
        Fault::ResetBeforeActing,
        Fault::unavailable("0"),
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        let seed = seed.wrapping_mul(31).wrapping_add(index as u64);
        for endpoint in [
            CrmEndpoint::CreateClient,
            CrmEndpoint::UpdateClient,
            CrmEndpoint::CreateDeal,
            CrmEndpoint::UpdateDeal,
        ] {
            crm.inject_random(endpoint, fault.clone(), 0.006, seed.wrapping_add(100));
        }
        for endpoint in [BillsEndpoint::CreateClient, BillsEndpoint::UpdateClient] {
            bills.inject_random(endpoint, fault.clone(), 0.006, seed.wrapping_add(200));
        }
    }
    for fault in [Fault::ResetBeforeActing, Fault::unavailable("0"), Fault::Html] {
        crm.inject_random(CrmEndpoint::Client, fault.clone(), 0.002, seed.wrapping_add(300));
        bills.inject_random(BillsEndpoint::Clients, fault, 0.002, seed.wrapping_add(400));
    }
    bills.configure(|settings| settings.switches_off_after = None);
    for (fault, chance) in [
        (WebhookFault::Lost, 0.3),
        (WebhookFault::Duplicate { copies: 1 }, 0.2),
        (WebhookFault::Overtaken, 0.1),
    ] {
        bills.inject_webhook_random(None, fault, chance, seed.wrapping_add(500));
    }
}

fn struck(sandbox: &Sandbox) -> usize {
    let asked = sandbox.bitfactura().requests().into_iter().chain(sandbox.sugester().requests());
    asked.filter(|request| request.fault.is_some()).count()
}

/// Where everything is.
struct Place {
    bills: [String; 2],
    crm: [String; 2],
    store: String,
    name: String,
}

impl Place {
    fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap();
        Self {
            bills: [variable("SYNC_BILLS"), variable("SYNC_BILLS_TOKEN")],
            crm: [variable("SYNC_CRM"), variable("SYNC_CRM_TOKEN")],
            store: variable("SYNC_STORE"),
            name: variable("SYNC_NAME"),
        }
    }

    async fn synchroniser(&self, full_scan_every: Duration) -> Synchroniser {
        let retry = || RetryPolicy::new().with_base(Duration::from_millis(1));
        let billing = sugester::bitfactura::Client::builder()
            .base_url(BaseUrl::parse(&self.bills[0]).unwrap())
            .token(self.bills[1].parse().unwrap())
            .timeout(TIMEOUT)
            .retry(retry())
            .build()
            .unwrap();
        let crm = sugester::Client::builder()
            .base_url(BaseUrl::parse(&self.crm[0]).unwrap())
            .token(self.crm[1].parse().unwrap())
            .timeout(TIMEOUT)
            .retry(retry())
            .build()
            .unwrap();
        let settings = Settings::new(&self.name)
            .settling(SETTLING)
            .overlap(Duration::from_secs(5))
            .full_scan_every(full_scan_every)
            .most_failures_in_a_row(100)
            .guard(LoopGuard::new(10_000, Duration::from_secs(1)));
        let store = Store::open(&self.store).await.unwrap();
        Synchroniser::builder(settings, billing, crm, &store).build().unwrap()
    }
}

/// Every conflict in the store.
async fn conflicts(place: &Place) -> BTreeSet<(u64, String)> {
    let sync = place.synchroniser(Duration::ZERO).await;
    let (mut all, mut after) = (BTreeSet::new(), None::<String>);
    loop {
        let page = sync.conflicts(after.as_deref()).await.unwrap();
        let Some((last, _)) = page.last() else { return all };
        after = Some(last.clone());
        all.extend(page.into_iter().map(|(_, kept)| (kept.bitfactura, kept.field)));
    }
}

/// A small receiver of webhooks in another process than the runs; each becomes a hint before it is answered.
async fn receive_webhooks(place: &Place) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let sync = place.synchroniser(Duration::ZERO).await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, sync.clone()));
        }
    });
    url
}

async fn answer(mut stream: TcpStream, sync: Synchroniser) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let record = match body["client"]["id"].as_u64() {
        Some(client) => Some(RecordRef::BitFacturaClient(client)),
        None => checker::named(&body["deal"]).parse().ok().map(RecordRef::Invoice),
    };
    let kept = match record {
        Some(record) => sync.hint(record).await.is_ok(),
        None => true,
    };
    let status = if kept { "200 OK" } else { "500 Internal Server Error" };
    let _ = stream
        .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
        .await;
}

/// A child process.
struct Worker(Child);

impl Worker {
    fn start(place: &Place, work: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, work)
            .env("SYNC_BILLS", &place.bills[0])
            .env("SYNC_BILLS_TOKEN", &place.bills[1])
            .env("SYNC_CRM", &place.crm[0])
            .env("SYNC_CRM_TOKEN", &place.crm[1])
            .env("SYNC_STORE", &place.store)
            .env("SYNC_NAME", &place.name)
            .stdout(Stdio::null())
            .stderr(if std::env::var_os("SYNC_TELL").is_some() { Stdio::inherit() } else { Stdio::null() })
            .spawn()
            .unwrap();
        Self(child)
    }

    /// SIGKILL; `false` if it had ended by itself.
    fn kill(&mut self) -> bool {
        let running = self.0.try_wait().unwrap().is_none();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        running
    }

    fn wait(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program that is killed. As a test of its own it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(work) = std::env::var(CHILD) else { return };
    let place = Place::from_env();
    if work == "rest" {
        let sync = place.synchroniser(Duration::ZERO).await;
        std::process::exit(i32::from(!rest(&sync).await));
    }
    let sync = place.synchroniser(Duration::from_secs(setting("SYNC_FULL_SECONDS", 20))).await;
    for turn in 0_u64.. {
        let ended = if turn % 3 == 1 { sync.follow_hints().await } else { sync.run().await };
        eprintln!("{} {ended:?}", now());
        pause(Duration::from_millis(20)).await;
    }
}

/// Two whole runs; whether the last had nothing left to do. Answers that were lost are settled by the first.
async fn rest(sync: &Synchroniser) -> bool {
    let mut last = None;
    for _ in 0..2 {
        last = Some(sync.run().await);
        eprintln!("at rest: {last:?}");
    }
    last.is_some_and(|ended| ended.is_ok_and(|report| report.failed == 0 && report.paused == 0))
}

#[expect(clippy::disallowed_methods, reason = "processes that are killed at random moments run in real time")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
