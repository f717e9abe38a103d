//! From save to visible at a hundred changes a second, over HTTP to the sandbox and a SQLite file: what the engine adds to a bare W30 by
//! the same transport, measured in the same run; and a poisoned file beside it. A figure, so it is asked for:
//! `cargo test --release -p apiges-sync --features store --test sync_pace -- --ignored --nocapture`.
#![cfg(feature = "store")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::type_complexity
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiges_sync::grant::{HolderRole, WebGrant};
use apiges_sync::sync::*;
use apiges_sync::visible::CaseFacts;
use apiges_sync::web::*;
use apiges_sync::{Clock as _, Lang, SystemClock, Timestamp};
use integration_sandbox::Sandbox;
use integration_store::Store;

const CONTACTS: u64 = 500;
const FILES: u64 = 20_000;
const PER_SECOND: u32 = 100;
const CHANGES: u64 = 2_000;
/// Every push of it is refused: it is larger than the portal takes.
const POISONED: u64 = FILES;
/// Of it the firm's system never says anything.
const SILENT: u64 = FILES - 1;
/// What the floor pushes; no grant of the engine's concerns it.
const BARE: u64 = 1_000_000;

#[derive(Debug, Clone, Default)]
struct Made(Arc<Mutex<BTreeMap<u64, u64>>>);

impl Made {
    fn edited(&self, id: u64) {
        *self.0.lock().unwrap().entry(id).or_default() += 1;
    }
}

fn facts(id: u64, revision: u64) -> CaseFacts {
    let numero = if id == POISONED {
        "x".repeat(100_000 + usize::try_from(revision).unwrap())
    } else {
        format!("N{id}.{revision}")
    };
    let full = View {
        modalidad: Some(Labelled::new("M", "Marca Nacional")),
        numero: Some(numero),
        estado: Some(Labelled::new("A", "Alta")),
        denominacion: Some(format!("NAME {id}")),
        referencia: Some(format!("R-{id}")),
        clave: Some(format!("K-{id}")),
        ..View::default()
    };
    CaseFacts { case_id: id, client: Some(id % CONTACTS + 1), full, ..CaseFacts::default() }
}

impl CaseSource for Made {
    fn case(&self, id: u64, _: Lang) -> Asked<'_, Option<CaseFacts>> {
        let revision = self.0.lock().unwrap().get(&id).copied().unwrap_or(0);
        Box::pin(async move {
            if id == SILENT {
                std::future::pending::<()>().await;
            }
            Ok(Some(facts(id, revision)))
        })
    }

    /// Lists name nothing: the files come by their changes.
    fn held_by(&self, _: HolderRole, _: u64) -> Asked<'_, CaseList> {
        Box::pin(async { Ok(CaseList::default()) })
    }

    fn graphic(&self, _: u64) -> Asked<'_, Option<Blob>> {
        Box::pin(async { Ok(None) })
    }
}

/// When each file was saved and acknowledged, by one clock.
#[derive(Debug, Clone)]
struct Watch(Arc<SystemClock>, Arc<Mutex<(BTreeMap<u64, Duration>, Vec<f64>)>>);

impl Observer for Watch {
    fn heard(&self, event: &SyncEvent) {
        let SyncEvent::Pushed { case, .. } = event else { return };
        let mut state = self.1.lock().unwrap();
        if let Some(saved) = state.0.remove(case) {
            state.1.push((self.0.elapsed() - saved).as_secs_f64() * 1_000.0);
        }
    }
}

fn percentile(values: &mut [f64], of_hundred: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * of_hundred / 100).min(values.len() - 1)]
}

fn transport(sandbox: &Sandbox) -> HttpTransport {
    let portal = sandbox.websync();
    let builder = HttpTransport::builder().base_url(portal.base_url()).unwrap();
    builder.tenant(portal.tenant()).credential(portal.token()).build().unwrap()
}

fn own(id: u64) -> ContactRef {
    ContactRef::client(format!("{}", id % CONTACTS + 1)).unwrap()
}

/// A push of one projection, without the engine: milliseconds.
async fn bare(portal: &HttpTransport, number: u64) -> f64 {
    let facts = facts(number, number);
    let projection = Projection { grant: own(number), holder: own(number), view: facts.full };
    let push = CasePush {
        case_id: BARE + number,
        version: 1,
        sequence: number + 1,
        saved_at: Timestamp::now().into(),
        cause: Cause::Saved,
        projections: vec![projection],
        withdrawals: vec![],
    };
    let clock = SystemClock::new();
    portal.push(&push, &IdempotencyKey::case("demo", push.case_id, push.version)).await.unwrap();
    clock.elapsed().as_secs_f64() * 1_000.0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a figure"]
async fn from_save_to_visible() {
    measured("alone", false).await;
    measured("beside a poisoned and a silent file", true).await;
}

async fn measured(what: &str, poisoned: bool) {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.websync().configure(|settings| settings.body_bytes = 64 * 1024);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite:{}", folder.path().join("pace.db").display())).await.unwrap();
    let (made, clock) = (Made::default(), Arc::new(SystemClock::new()));
    let watch = Watch(Arc::clone(&clock), Arc::default());
    let builder = WebSync::builder().store(&store).transport(transport(&sandbox)).cases(made.clone());
    let sync = builder.groups(SharedGroups::default()).observer(watch.clone()).build().unwrap();
    for id in 0..CONTACTS {
        let grant = WebGrant::new(own(id), id + 1).show(FieldBox::Clave).activated().unwrap();
        sync.open(&grant, "ana").await.unwrap();
    }
    sync.drain().await.unwrap();
    let engine = sync.clone();
    let running = tokio::spawn(async move { engine.run(std::future::pending()).await });
    if poisoned {
        made.edited(POISONED);
        made.edited(SILENT);
        sync.saved(SILENT, Timestamp::now()).await.unwrap();
        sync.saved(POISONED, Timestamp::now()).await.unwrap();
    }
    let floor = tokio::spawn(floor(transport(&sandbox)));
    let began = clock.elapsed();
    for number in 0..CHANGES {
        pause(
            (began + Duration::from_secs(1) / PER_SECOND * u32::try_from(number).unwrap())
                .saturating_sub(clock.elapsed()),
        )
        .await;
        // Each file once: what is measured is not shortened by coalescing.
        let id = number * 7 % (FILES - 2);
        made.edited(id);
        watch.1.lock().unwrap().0.insert(id, clock.elapsed());
        sync.saved(id, Timestamp::now()).await.unwrap();
        if poisoned && number % 10 == 0 {
            made.edited(POISONED);
            sync.saved(POISONED, Timestamp::now()).await.unwrap();
        }
    }
    let took = clock.elapsed() - began;
    for _ in 0..3_000 {
        if watch.1.lock().unwrap().0.is_empty() {
            break;
        }
        pause(Duration::from_millis(10)).await;
    }
    let all = clock.elapsed() - began;
    let mut floor = {
        floor.abort();
        FLOOR.lock().unwrap().split_off(0)
    };
    let (late, mut delays) = {
        let state = watch.1.lock().unwrap();
        (state.0.len(), state.1.clone())
    };
    let (median, bare) = (percentile(&mut delays, 50), percentile(&mut floor, 50));
    println!(
        "{what}: {CHANGES} changes in {:.1} s, all acknowledged after {:.1} s, {late} never; saved to acknowledged p50 {median:.1} ms, \
         p99 {:.1} ms; a bare W30 p50 {bare:.1} ms, p99 {:.1} ms ({} of them); added at the median {:.1} ms; {:?}",
        took.as_secs_f64(),
        all.as_secs_f64(),
        percentile(&mut delays, 99),
        percentile(&mut floor, 99),
        floor.len(),
        median - bare,
        sync.numbers().await.unwrap(),
    );
    running.abort();
    assert_eq!(late, 0, "changes that never arrived");
    assert!(median - bare < 50.0, "{median} ms, where the transport alone takes {bare} ms");
    let refused = sandbox.websync().requests().iter().filter(|one| one.status == Some(413)).count();
    assert_eq!(refused > 0, poisoned, "the poisoned file");
}

static FLOOR: Mutex<Vec<f64>> = Mutex::new(Vec::new());

/// Ten bare pushes a second, as long as the run lasts.
async fn floor(portal: HttpTransport) {
    for number in 0.. {
        let took = bare(&portal, number).await;
        FLOOR.lock().unwrap().push(took);
        pause(Duration::from_millis(100)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a figure is measured in real time")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
