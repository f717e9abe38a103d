//! The initial load: everything of every contact that was opened, in one go, interrupted and resumed.
//!
//! `initial_load [CONTACTS FILES]`: how large the firm of the embedded sandbox is, 50 contacts and 2000 files unless it is said. There
//! every contact is opened first, and the load is dropped once in the middle, as a kill would. On another service it sends what the grants
//! in the store of `INTEGRATION_STORE_URL` open, and goes on where it was if it was killed.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use apiges_sync::grant::WebGrant;
use apiges_sync::sync::{LoadOptions, LoadReport, Observer, Settings, SyncEvent, WebSync};
use apiges_sync::web::{ContactKind, ContactRef, FieldBox};
use apiges_sync::{Clock as _, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};
use integration_examples::{WebOffice, connect_apiges, finish};
use integration_sandbox::Sandbox;
use tokio::sync::Notify;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let mut sizes = std::env::args().skip(1).map(|size| size.parse::<u32>());
    let contacts = sizes.next().transpose()?.unwrap_or(50);
    let files = sizes.next().transpose()?.unwrap_or(2_000);
    let office = connect_apiges(contacts, files).await?;
    let progress = Progress::new();
    let Some(sandbox) = &office.sandbox else {
        let sync = engine(&office, &progress)?;
        let opened = sync.grants().await?.len();
        if opened == 0 {
            return Err("no contact is opened in this store: see open_to_client".into());
        }
        progress.begin(u64::try_from(opened)?);
        return print(&progress, &sync.initial_load(&LoadOptions::new()).await?);
    };

    let opened = open_all(sandbox, &engine(&office, &progress)?).await?;
    println!("opened          {opened} contacts of {contacts}");
    progress.begin(opened);
    let started = SystemClock::new().wall();
    // Half of the way there the program is killed: the load is dropped wherever it stands.
    let (sync, options) = (engine(&office, &progress)?, LoadOptions::new());
    tokio::select! {
        report = sync.initial_load(&options) => return Err(format!("not interrupted: {:?}", report?).into()),
        () = progress.0.half.notified() => drop(sync),
    }
    println!(
        "interrupted     in the middle, after {} contacts with {} views of files",
        progress.contacts(),
        progress.files()
    );

    let report = engine(&office, &progress)?.initial_load(&options).await?;
    print(&progress, &report)?;
    eprintln!("{:.1} s", SystemClock::new().wall().duration_since(started).as_secs_f64());
    office.compare()?;
    count(sandbox, opened, progress.contacts())
}

/// Small batches, so that there is a middle.
fn engine(office: &WebOffice, progress: &Progress) -> Result<WebSync, Failure> {
    let settings = Settings { batch_items: 25, ..Settings::default() };
    Ok(office.engine().settings(settings).observer(progress.clone()).build()?)
}

/// Everybody sees Referencia 1; who has an even number sees Clave as well.
async fn open_all(sandbox: &Sandbox, sync: &WebSync) -> Result<u64, Failure> {
    let mut opened = 0;
    for (id, kind, code) in sandbox.apiges().contacts() {
        let contact = ContactRef::new(ContactKind::from(kind.as_str()), code)?;
        let grant = WebGrant::new(contact, u64::try_from(id)?).show(FieldBox::Referencia1);
        let grant = if id % 2 == 0 { grant.show(FieldBox::Clave) } else { grant };
        sync.open(&grant.activated()?, "ana").await?;
        opened += 1;
    }
    Ok(opened)
}

fn print(progress: &Progress, report: &LoadReport) -> Result<(), Failure> {
    progress.0.bar.finish_and_clear();
    println!("loaded          {} contacts in this run, with {} views of files", report.contacts, report.sent);
    println!(
        "the portal      applied {}, unchanged {}, stale {}, withdrew {}",
        report.totals.applied, report.totals.unchanged, report.totals.stale, report.totals.withdrawn
    );
    println!("in all          {} contacts, {} views of files", progress.contacts(), progress.files());
    Ok(())
}

/// Counted at the portal and not by the report.
fn count(sandbox: &Sandbox, opened: u64, committed: u64) -> Result<(), Failure> {
    let portal = sandbox.websync();
    let twice = portal.executions().values().filter(|times| **times > 1).count();
    println!(
        "twice           {twice} of {} writes; {} answered again",
        portal.executions().len(),
        portal.replays()
    );
    if (twice, committed) == (0, opened) {
        return Ok(());
    }
    Err(format!("{committed} of {opened} contacts committed, {twice} writes twice").into())
}

/// A bar on standard error over contacts, with the files that have become visible beside it.
#[derive(Debug, Clone)]
struct Progress(Arc<State>);

#[derive(Debug)]
struct State {
    bar: ProgressBar,
    contacts: AtomicU64,
    files: AtomicU64,
    half: Notify,
}

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} contacts {eta} {msg}") {
            bar.set_style(style);
        }
        let (contacts, files) = Default::default();
        Self(Arc::new(State { bar, contacts, files, half: Notify::new() }))
    }

    fn begin(&self, contacts: u64) {
        self.0.bar.set_length(contacts);
    }

    fn contacts(&self) -> u64 {
        self.0.contacts.load(Relaxed)
    }

    fn files(&self) -> u64 {
        self.0.files.load(Relaxed)
    }
}

impl Observer for Progress {
    fn heard(&self, event: &SyncEvent) {
        match event {
            SyncEvent::Batch { contact, looked_at, of, .. } => {
                self.0.bar.set_message(format!("{contact}: {looked_at} of {of}"));
                // In the middle of a contact, behind its first batch.
                if looked_at < of && self.contacts() * 2 >= self.0.bar.length().unwrap_or(0) {
                    self.0.half.notify_one();
                }
            }
            SyncEvent::Committed { sent, .. } => {
                self.0.contacts.fetch_add(1, Relaxed);
                self.0.files.fetch_add(*sent, Relaxed);
                self.0.bar.inc(1);
            }
            _ => {}
        }
    }
}
