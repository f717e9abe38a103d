//! Follows changes: a file is saved in the firm's program, and seconds later the portal shows it.
//!
//! `follow_changes [CHANGES [PER_SECOND]]`: how many files are edited in the embedded sandbox, 60 unless it is said, and how fast, 20 a
//! second. Of each it prints the delay from the save to the portal's answer, and at the end how large half of them, and 99 of 100, were at
//! most. On another service it looks every minute for what has changed, which is what remains where nobody reports a save, until it is
//! stopped with Ctrl-C.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiges_sync::grant::WebGrant;
use apiges_sync::sync::{Observer, SyncEvent, WebSync};
use apiges_sync::web::{ContactKind, ContactRef, FieldBox};
use apiges_sync::{Clock as _, SystemClock, Timestamp};
use integration_examples::{WebOffice, connect_apiges, finish, settle};
use integration_sandbox::Sandbox;
use serde_json::json;
use tokio::sync::oneshot;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u32>());
    let changes = numbers.next().transpose()?.unwrap_or(60);
    let pause = Duration::from_secs(1) / numbers.next().transpose()?.unwrap_or(20).max(1);
    let office = connect_apiges(20, 400).await?;
    let (watch, clock) = (Watch::default(), SystemClock::new());
    let Some(sandbox) = &office.sandbox else {
        return look_on(&office.engine().observer(watch).build()?).await;
    };
    let reach = open_all(&office, sandbox).await?;
    println!("opened          {} files", reach.len());

    let sync = office.engine().observer(watch.clone()).build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = tokio::spawn({
        let sync = sync.clone();
        async move { sync.run(async { drop(stopped.await) }).await }
    });
    for (case, number) in reach.iter().cycle().zip(1..=changes) {
        let text = format!("R-{number}");
        sandbox.apiges().edit_file(i64::try_from(*case)?, &json!({ "referencia": text }))?;
        let now = clock.wall();
        watch.saved(*case, now);
        sync.saved(*case, now).await?;
        clock.sleep(pause).await;
    }
    while sync.numbers().await?.pending > 0 {
        clock.sleep(Duration::from_millis(20)).await;
    }
    drop(stop);
    worker.await??;
    office.compare()?;
    report(&sync, changes.min(u32::try_from(reach.len())?)).await
}

/// Opens every client, and gives the files that somebody sees.
async fn open_all(office: &WebOffice, sandbox: &Sandbox) -> Result<Vec<u64>, Failure> {
    let sync = office.engine().build()?;
    let mut reach = BTreeMap::new();
    for (id, kind, code) in sandbox.apiges().contacts().into_iter().filter(|(_, kind, _)| kind == "C") {
        let contact = ContactRef::new(ContactKind::from(kind.as_str()), code)?;
        let grant = WebGrant::new(contact.clone(), u64::try_from(id)?).show(FieldBox::Referencia1);
        sync.open(&grant.activated()?, "ana").await?;
        // Everything that it opens is brought there.
        settle(&sync).await?;
        reach.extend(office.seen(&contact).await?.into_iter().map(|file| (file.case_id, ())));
    }
    Ok(reach.into_keys().collect())
}

/// Nobody reports saves here: what changed is found by comparing.
async fn look_on(sync: &WebSync) -> Result<(), Failure> {
    let mut end = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let scanned = sync.scan().await?;
        println!("looked at       {} files, {} changed", scanned.looked_at, scanned.changed);
        let minute = SystemClock::new().timer(Duration::from_secs(60));
        tokio::select! {
            worked = sync.run(minute) => worked?,
            stopped = &mut end => return Ok(stopped?),
        }
    }
}

async fn report(sync: &WebSync, changes: u32) -> Result<(), Failure> {
    let numbers = sync.numbers().await?;
    println!("pushed          {} times, {} set aside", numbers.pushed, numbers.dead);
    let (Some(p50), Some(p99)) = (numbers.p50, numbers.p99) else {
        return Err("nothing was measured".into());
    };
    println!("p50             {:.1} ms from save to visible", p50.as_secs_f64() * 1e3);
    println!("p99             {:.1} ms", p99.as_secs_f64() * 1e3);
    if numbers.pushed < u64::from(changes) || p99 > Duration::from_secs(5) {
        return Err(format!("{} pushes for {changes} files, p99 {p99:?}", numbers.pushed).into());
    }
    Ok(())
}

/// Prints each file that arrived, with its delay where the save is known.
#[derive(Debug, Clone, Default)]
struct Watch(Arc<Mutex<BTreeMap<u64, Timestamp>>>);

impl Watch {
    fn saved(&self, case: u64, now: Timestamp) {
        // Saved again before it left: the delay counts from the first save.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(case).or_insert(now);
    }
}

impl Observer for Watch {
    fn heard(&self, event: &SyncEvent) {
        match event {
            SyncEvent::Pushed { case, version } => {
                let saved = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(case);
                let delay = saved.map_or_else(String::new, |at| {
                    let delay = SystemClock::new().wall().duration_since(at);
                    format!(" {:.1} ms after the save", delay.as_secs_f64() * 1e3)
                });
                println!("visible         file {case}, version {version}{delay}");
            }
            SyncEvent::Withdrawn { case, grant, reason } => {
                println!("withdrawn       file {case} from {grant}: {reason}")
            }
            SyncEvent::PutOff { what, tries } => eprintln!("{what}: again later, tried {tries} times"),
            SyncEvent::Dead { what } => eprintln!("{what}: set aside"),
            _ => {}
        }
    }
}
