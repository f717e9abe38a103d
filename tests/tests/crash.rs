//! The crash test: programs issue documents through the journal while everything goes wrong and the parent kills them.
//!
//! Children are this very test binary, started again for the test `crash::child`. Afterwards the service's own state is compared
//! with the journal. `CRASH_DOCUMENTS`, `CRASH_KILLS` and `CRASH_SEED` choose the size and the dice of a run.
//!
//! Real processes take real time, so this is the one place of the tests that waits for the wall clock: for settling delays of
//! fractions of a second, within the children.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use fiscal_printer::journal::{
    DocumentState, Journal, NextNumberProbe, Resolution, Ruling, Search, Series, StatusProbe,
};
use fiscal_printer::{Client, DocumentType, Environment, Error, ErrorKind, InternalNumber, RetryPolicy};
use integration_sandbox::fiscal::{Endpoint, Fiscal};
use integration_sandbox::{Fault, Sandbox, Scripted};
use integration_store::Store;

use crate::support::{invoice, sandbox};

const CHILD: &str = "CRASH_CHILD";
const TIMEOUT: Duration = Duration::from_millis(150);
/// Total tries of a child at one document before it gives up.
const TRIES: u32 = 40;

/// What a run is made of.
struct Plan {
    store: String,
    documents: u32,
    kills: u32,
    workers: usize,
    probes: bool,
    seed: u64,
}

/// What a run counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    documents: usize,
    kills: u32,
    faults: usize,
    issued_twice: usize,
    lost: usize,
    unknown_open: usize,
    unknown_resolved: usize,
    by_person: u32,
}

fn setting(name: &str, ordinary: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(ordinary)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_issued_twice_or_lost_on_sqlite() {
    let folder = std::env::temp_dir().join(format!("crash-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("journal.db");
    let plan = Plan {
        store: format!("sqlite:{}", file.display()),
        documents: u32::try_from(setting("CRASH_DOCUMENTS", 300)).unwrap(),
        kills: u32::try_from(setting("CRASH_KILLS", 30)).unwrap(),
        workers: 1,
        probes: true,
        seed: setting("CRASH_SEED", 1),
    };
    run("SQLite, 1 worker, probes", &plan).await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Without probes only the one resend or a person can answer; the parent looks into the service, as a person would into the
/// portal.
#[tokio::test(flavor = "multi_thread")]
async fn without_probes_a_person_answers_what_a_resend_cannot() {
    let folder = std::env::temp_dir().join(format!("crash-person-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let plan = Plan {
        store: format!("sqlite:{}", folder.join("journal.db").display()),
        documents: 60,
        kills: 6,
        workers: 2,
        probes: false,
        seed: setting("CRASH_SEED", 1),
    };
    run("SQLite, 2 workers, no probes", &plan).await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Run by `.ci/with-postgres cargo test -p integration-tests -- --ignored crash::`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL, named by INTEGRATION_TEST_POSTGRES_URL"]
async fn nothing_is_issued_twice_or_lost_on_postgresql_with_four_workers() {
    let url = std::env::var("INTEGRATION_TEST_POSTGRES_URL")
        .expect("INTEGRATION_TEST_POSTGRES_URL names a PostgreSQL");
    let plan = Plan {
        store: url,
        documents: u32::try_from(setting("CRASH_DOCUMENTS", 300)).unwrap(),
        kills: u32::try_from(setting("CRASH_KILLS", 30)).unwrap(),
        workers: 4,
        probes: true,
        seed: setting("CRASH_SEED", 1),
    };
    run("PostgreSQL, 4 workers, probes", &plan).await;
}

async fn run(what: &str, plan: &Plan) {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    fiscal.enable_probes(plan.probes);
    misbehave(fiscal, plan.seed);
    let mut dice = Dice(plan.seed);
    let mut count = Count::default();
    let mut children: Vec<Worker> = (0..plan.workers).map(|_| Worker::start(fiscal, plan)).collect();
    while count.kills < plan.kills {
        let after = fiscal.requests().len()
            + 1
            + dice.below(2 * u64::from(plan.documents / plan.kills).max(1)) as usize;
        wait_for(fiscal, after, &mut children).await;
        let victim = dice.below(children.len() as u64) as usize;
        short_pause(Duration::from_micros(dice.below(8_000))).await;
        if children[victim].kill() {
            count.kills += 1;
        } else {
            count.by_person += answer(&sandbox, plan).await;
        }
        children[victim] = Worker::start(fiscal, plan);
    }
    for child in &mut children {
        child.wait();
    }
    count.faults = fiscal.requests().iter().filter(|request| request.fault.is_some()).count();
    fiscal.clear_faults();
    finish(&sandbox, plan, &mut count).await;
    tally(fiscal, plan, &mut count).await;
    println!(
        "{what}, seed {}: documents {}, kills {}, faults {}, issued twice {}, lost {}, unknown open {}, unknown resolved {}, by a person {}",
        plan.seed,
        count.documents,
        count.kills,
        count.faults,
        count.issued_twice,
        count.lost,
        count.unknown_open,
        count.unknown_resolved,
        count.by_person
    );
    assert_eq!((count.issued_twice, count.lost, count.unknown_open), (0, 0, 0), "{count:?}");
    assert_eq!(count.documents, plan.documents as usize, "{count:?}");
    assert!(
        count.faults > 0 && count.unknown_resolved > 0,
        "the run was too kind to prove anything: {count:?}"
    );
}

/// What became of documents that two programs wanted to issue at once.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) documents: usize,
    pub(crate) twice: usize,
    pub(crate) lost: usize,
}

/// Two programs on one file, both to issue the numbers from 1 on; nothing else goes wrong.
pub(crate) async fn two_programs(documents: u32) -> Shared {
    let folder = std::env::temp_dir().join(format!("crash-two-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let sandbox = sandbox().await;
    sandbox.fiscal().enable_probes(true);
    let store = format!("sqlite:{}", folder.join("journal.db").display());
    let plan = Plan { store, documents, kills: 0, workers: 2, probes: true, seed: 0 };
    let mut children = [0, 1].map(|_| Worker::start(sandbox.fiscal(), &plan));
    while children.iter_mut().any(Worker::is_running) {
        short_pause(Duration::from_millis(5)).await;
    }
    let mut count = Count::default();
    finish(&sandbox, &plan, &mut count).await;
    tally(sandbox.fiscal(), &plan, &mut count).await;
    std::fs::remove_dir_all(&folder).unwrap();
    Shared { documents: count.documents, twice: count.issued_twice, lost: count.lost }
}

/// Every fault of the sandbox, each with a small probability.
fn misbehave(fiscal: &Fiscal, seed: u64) {
    let refusal = r#"{"success":false,"data":null,"error":{"code":12,"message":"Sin numeros de control"}}"#;
    let token = r#"{"success":false,"data":null,"error":{"code":1,"message":"El token no es valido"}}"#;
    let faults = [
        Fault::ResetOnAccept,
        Fault::ResetBeforeBody,
        Fault::ResetBeforeActing,
        Fault::CloseBeforeActing,
        Fault::Hang,
        Fault::ActThenReset,
        Fault::ActThenClose,
        Fault::ActThenHang,
        Fault::ActThenErrorText,
        Fault::act_then_status(500),
        Fault::act_then_html(502),
        Fault::ActThenCutBody,
        Fault::ActThenCutChunked,
        Fault::ActThenStall,
        Fault::act_then_late(Duration::from_millis(100)),
        Fault::act_then_late(Duration::from_millis(200)),
        Fault::ActThenOversized { bytes: 2_097_152 },
        Fault::ActThenEmpty,
        Fault::ActThenAnswer(Scripted::new(200).body("{}")),
        Fault::too_many_requests("1"),
        Fault::unavailable("soon"),
        Fault::Html,
        Fault::Empty,
        Fault::NoSuccess,
        Fault::redirect("http://127.0.0.1:1/elsewhere"),
        Fault::Answer(Scripted::new(401).body("no")),
        Fault::Answer(Scripted::new(404).body("Cannot POST")),
        Fault::Answer(Scripted::new(202).body(refusal)),
        Fault::Answer(Scripted::new(202).body(token)),
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        fiscal.inject_random(Endpoint::Issue, fault, 0.008, seed.wrapping_add(index as u64));
    }
    for (index, fault) in
        [Fault::Hang, Fault::ResetBeforeActing, Fault::Html, Fault::Empty, Fault::unavailable("1")]
            .into_iter()
            .enumerate()
    {
        let seed = seed.wrapping_add(1000 + index as u64);
        fiscal.inject_random(Endpoint::Status, fault.clone(), 0.05, seed);
        fiscal.inject_random(Endpoint::NextNumber, fault, 0.05, seed.wrapping_add(50));
    }
}

/// Waits until the service has read so many requests, or a child has ended by itself.
async fn wait_for(fiscal: &Fiscal, requests: usize, children: &mut [Worker]) {
    loop {
        tokio::select! {
            () = fiscal.wait_for_requests(requests) => return,
            () = short_pause(Duration::from_millis(20)) => {}
        }
        if !children.iter_mut().all(Worker::is_running) {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "processes that are killed at random moments run in real time")]
async fn short_pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// What is open when every child has given up is looked up in the service itself; the number of answers.
async fn answer(sandbox: &Sandbox, plan: &Plan) -> u32 {
    let journal = journal_of(sandbox.fiscal(), &plan.store, plan.probes).await;
    let mut answers = 0;
    for open in journal.open_questions().await.unwrap() {
        let found = sandbox
            .fiscal()
            .documents()
            .into_iter()
            .find(|document| document.internal_number == open.entry.number());
        let ruling = match found {
            Some(document) => Ruling::Issued(document.control_number.parse().ok()),
            None => Ruling::NotIssued,
        };
        let number = open.entry.internal_number().unwrap();
        // Another child may be at it, or the delay may not be over: the next round sees.
        let ruled = journal
            .resolve_manually(open.entry.series(), &number, ruling, "the parent", "looked it up")
            .await;
        answers += u32::from(ruled.is_ok());
    }
    answers
}

/// Runs children without faults and kills until all is issued.
async fn finish(sandbox: &Sandbox, plan: &Plan, count: &mut Count) {
    for _ in 0..30 {
        if Worker::start(sandbox.fiscal(), plan).wait() == Some(0) {
            return;
        }
        count.by_person += answer(sandbox, plan).await;
    }
    panic!("30 undisturbed runs did not finish: {count:?}");
}

/// Compares the service's state with the journal's.
async fn tally(fiscal: &Fiscal, plan: &Plan, count: &mut Count) {
    let mut at_service: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for document in fiscal.documents() {
        at_service.entry(document.internal_number).or_default().push(document.control_number);
    }
    let journal = journal_of(fiscal, &plan.store, plan.probes).await;
    let entries = journal.search(Search::new()).all().await.unwrap();
    count.documents = entries.iter().filter(|entry| entry.state() == DocumentState::Issued).count();
    count.issued_twice = at_service.values().filter(|numbers| numbers.len() > 1).count();
    count.unknown_open = journal.open_questions().await.unwrap().len();
    count.unknown_resolved =
        entries.iter().filter(|entry| entry.tries() > 1 || entry.decision().is_some()).count();
    for number in 1..=plan.documents {
        let text = InternalNumber::from(number).to_string();
        let entry = entries.iter().find(|entry| entry.number() == text);
        let known = entry.is_some_and(|entry| entry.state() == DocumentState::Issued);
        let numbers = at_service.get(&text).cloned().unwrap_or_default();
        let agrees = entry
            .and_then(|entry| entry.control_text())
            .is_none_or(|control| numbers.iter().any(|number| number == control));
        if known == numbers.is_empty() || !agrees {
            count.lost += 1;
            println!("{text}: journal {entry:?}, service {numbers:?}");
        }
    }
    let report = journal.verify().await.unwrap();
    assert!(report.lines >= 3 * u64::from(plan.documents), "prepared, in flight and issued each: {report:?}");
}

async fn journal_of(fiscal: &Fiscal, store: &str, probes: bool) -> Journal {
    journal(fiscal.base_url(), fiscal.token(), store, probes).await
}

async fn journal(base_url: &str, token: &str, store: &str, probes: bool) -> Journal {
    let client = Client::builder()
        .environment(Environment::custom(base_url).unwrap())
        .token(token)
        .timeout(TIMEOUT)
        .retry(RetryPolicy::new().with_base(Duration::from_millis(1)))
        .build()
        .unwrap();
    let store = Store::open(store).await.unwrap();
    // The sandbox has another port in each run; a database may be used for several.
    let builder = Journal::builder(client, &store).worker("child");
    let builder = if probes { builder.probe(StatusProbe).probe(NextNumberProbe) } else { builder };
    builder.build().unwrap()
}

/// A child process.
struct Worker(std::process::Child);

impl Worker {
    fn start(fiscal: &Fiscal, plan: &Plan) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--nocapture"])
            .env(CHILD, plan.documents.to_string())
            .env("CRASH_BASE_URL", fiscal.base_url())
            .env("CRASH_TOKEN", fiscal.token())
            .env("CRASH_STORE", &plan.store)
            .env("CRASH_PROBES", if plan.probes { "1" } else { "0" })
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// SIGKILL; `false` if it had ended by itself.
    fn kill(&mut self) -> bool {
        let running = self.is_running();
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

/// The program that is killed: issues the documents 1 to N, and ends with 0 when all are issued, else with 3. As a test of its own
/// it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(documents) = std::env::var(CHILD) else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let probes = variable("CRASH_PROBES") == "1";
    let journal =
        journal(&variable("CRASH_BASE_URL"), &variable("CRASH_TOKEN"), &variable("CRASH_STORE"), probes)
            .await;
    let all = issue_all(&journal, documents.parse().unwrap()).await.unwrap_or(false);
    std::process::exit(if all { 0 } else { 3 });
}

async fn issue_all(journal: &Journal, documents: u32) -> Result<bool, Error> {
    let series = journal.own_series(DocumentType::Invoice).await?;
    journal.settle(|_| {}).await?;
    for number in 1..=documents {
        if !issue(journal, &series, number).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn issue(journal: &Journal, series: &Series, number: u32) -> Result<bool, Error> {
    for _ in 0..TRIES {
        let error = match journal.issue(&invoice(number)).await {
            Ok(_) => return Ok(true),
            Err(error) => error,
        };
        if error.is_outcome_unknown() {
            let resolution = journal.resolve(series, &InternalNumber::from(number)).await?;
            if matches!(resolution, Resolution::Open(_)) {
                return Ok(false);
            }
        } else if error.kind() == ErrorKind::Blocked {
            journal.settle(|_| {}).await?;
        }
    }
    Ok(false)
}

/// SplitMix64: the same seed gives the same kills.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
