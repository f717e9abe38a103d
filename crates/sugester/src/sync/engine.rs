//! The synchroniser as users see it: what it joins, and its kinds of run (contract 4.2 to 4.5, 4.9).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use integration_core::clock::{Clock, SystemClock};
use integration_core::{Error, ErrorKind, Outcome};
use integration_store::{Store, worker_name};

use super::book::{Book, Link, pad};
use super::clients::KeptConflict;
use super::first::FirstMode;
use super::hints::Hints;
use super::journal::Journal;
use super::ports::{Billing, Crm};
use super::report::{Observer, RecordRef, Report};
use super::run::{CONFLICTS, LINKS, Run, Scope};
use super::settings::Settings;

pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) billing: Arc<dyn Billing>,
    pub(super) crm: Arc<dyn Crm>,
    pub(super) store: Store,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) clock: Arc<dyn Clock>,
    worker: String,
    /// Whether the run under way was asked to end.
    pub(super) stop: AtomicBool,
    /// One run at a time in this process; the lease of the lane says the same to others.
    turn: tokio::sync::Mutex<()>,
}

impl Parts {
    pub(super) async fn journal(&self) -> Result<Journal, Error> {
        let outbox = self.store.outbox(format!("sugester/{}", self.settings.name));
        Journal::open(outbox, &self.worker, self.settings.lease, Arc::clone(&self.clock)).await
    }

    pub(super) fn hints(&self) -> Hints {
        Hints(self.store.checkpoints(format!("sugester/{}/hints", self.settings.name)))
    }
}

/// Keeps the clients of BitFactura and Sugester in step, and makes each invoice a deal.
///
/// All that it knows stands in the store, so that a run may be dropped or killed at any moment: the next one finds out what became of
/// writes that were under way, and goes on. Clones are one synchroniser. One run at a time: another, in this process or elsewhere, is
/// refused with [`ErrorKind::Blocked`].
///
/// A field that is edited on the receiving side in the instant between its being read and written is written over: neither
/// service can be told to write only what nobody has changed.
#[derive(Clone)]
#[doc(alias("sincronizacion", "sincronización"))]
pub struct Synchroniser(Arc<Parts>);

impl fmt::Debug for Synchroniser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Synchroniser").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// A run that could not come to its end, with what it did until then. The next run goes on.
#[derive(Debug, thiserror::Error)]
#[error("the run ended early: {error}")]
pub struct Stopped {
    /// What was done.
    pub report: Box<Report>,
    /// Why no more was.
    #[source]
    pub error: Error,
}

/// What a run is for. A value and no async closure, whose future could not be sent to another thread.
#[derive(Debug, Clone, Copy)]
enum Work {
    Keep(Scope),
    First(FirstMode),
    Link { bitfactura: u64, sugester: u64 },
}

/// Sets up a [`Synchroniser`].
#[must_use]
pub struct SynchroniserBuilder {
    settings: Settings,
    billing: Arc<dyn Billing>,
    crm: Arc<dyn Crm>,
    store: Store,
    observer: Option<Arc<dyn Observer>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for SynchroniserBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SynchroniserBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl SynchroniserBuilder {
    /// Who hears what happens, while it happens.
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        Self { observer: Some(Arc::new(observer)), ..self }
    }

    /// The clock for leases and dry runs; the system's unless set. All other times are the store's.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The synchroniser. Nothing is sent.
    ///
    /// # Errors
    ///
    /// A configuration error, if Sugester's token has no prefix or that of another account (contract 2.2).
    pub fn build(self) -> Result<Synchroniser, Error> {
        self.crm.check()?;
        let Self { settings, billing, crm, store, observer, clock } = self;
        let worker = worker_name(&settings.name);
        let turn = tokio::sync::Mutex::new(());
        let stop = AtomicBool::new(false);
        Ok(Synchroniser(Arc::new(Parts {
            settings,
            billing,
            crm,
            store,
            observer,
            clock,
            worker,
            stop,
            turn,
        })))
    }
}

impl Synchroniser {
    /// Joins two systems; what is remembered stands in `store`.
    pub fn builder(
        settings: Settings,
        billing: impl Billing + 'static,
        crm: impl Crm + 'static,
        store: &Store,
    ) -> SynchroniserBuilder {
        SynchroniserBuilder {
            settings,
            billing: Arc::new(billing),
            crm: Arc::new(crm),
            store: store.clone(),
            observer: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Brings both systems in step: what changed since the last run, all hints, and what was left over. The first one looks at
    /// everything.
    ///
    /// May be dropped at any moment.
    ///
    /// Idempotency: each call that it makes by its own class; it may be run again after anything (contract 4.2 to 4.5).
    ///
    /// # Errors
    ///
    /// [`Stopped`], if the store fails, another run is under way, a token is refused, or too many calls in a row fail. Failures of single
    /// records are in the report.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let step = kit.step().await;
    /// let report = step.run().await?;
    /// println!("{} created, {} updated", report.created, report.updated);
    /// # Ok(()) });
    /// ```
    pub async fn run(&self) -> Result<Report, Stopped> {
        self.with(false, Work::Keep(Scope::Lists)).await
    }

    /// What [`run`](Self::run) would do: the same events and the same report, and neither system nor link is written. What depends on
    /// something that a real run would have made before is told as far as it can be seen.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.2).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let step = kit.step().await;
    /// let report = step.dry_run().await?;
    /// println!("{} would be created", report.created);
    /// # Ok(()) });
    /// ```
    pub async fn dry_run(&self) -> Result<Report, Stopped> {
        self.with(true, Work::Keep(Scope::Lists)).await
    }

    /// Deals with hints and with what was left over, without reading the lists for changes. Lists are read only where it hangs on them
    /// whether an unlinked record exists on the other side. For quick steps between runs.
    ///
    /// Idempotency: each call that it makes by its own class; it may be run again after anything (contract 4.2, 4.6).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let step = kit.step().await;
    /// use sugester::sync::RecordRef;
    ///
    /// step.hint(RecordRef::BitFacturaClient(17)).await?;
    /// step.follow_hints().await?;
    /// # Ok(()) });
    /// ```
    pub async fn follow_hints(&self) -> Result<Report, Stopped> {
        self.with(false, Work::Keep(Scope::Hints)).await
    }

    /// The first full `client:sync` of contract 4.4: every client of BitFactura to Sugester, and nothing the other way. Killed, it goes
    /// on after the last finished client. Follow it by [`run`](Self::run), which links what was pushed.
    ///
    /// Idempotency: each call that it makes by its own class; it may be run again after anything.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and after five failures in a row of whatever kind, or a 403.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let step = kit.step().await;
    /// use sugester::sync::FirstMode;
    ///
    /// step.first_run(FirstMode::PushRecords).await?;
    /// step.run().await?;
    /// # Ok(()) });
    /// ```
    pub async fn first_run(&self, mode: FirstMode) -> Result<Report, Stopped> {
        self.with(false, Work::First(mode)).await
    }

    /// Links two clients because a person says that they are one, such as those that a run reported as ambiguous; a creation in
    /// BitFactura whose answer was lost is settled by it. The next run brings both in step: where they differ it is a conflict.
    ///
    /// Idempotency: each call that it makes by its own class; both clients are read, and the link is written down (contract 4.2).
    ///
    /// # Errors
    ///
    /// A validation error, if either is not there or is linked to another; [`Stopped`] otherwise as [`run`](Self::run).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (billing, crm, step) = (kit.buyer().await, kit.acme().await, kit.step().await);
    /// step.link(billing, crm).await?; // the ids in BitFactura and in Sugester
    /// assert_eq!(step.links(None).await?.len(), 1);
    /// # Ok(()) });
    /// ```
    pub async fn link(&self, bitfactura: u64, sugester: u64) -> Result<(), Stopped> {
        self.with(false, Work::Link { bitfactura, sugester }).await.map(drop)
    }

    /// Asks the run under way to end after the call at hand, be it in this task or in another: it returns its report with
    /// [`Report::was_stopped`], and the next one goes on. Nothing happens if none is under way. To end a run at once, drop it.
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Notes that a record may have changed, as a webhook says. Durable when it returns; may be called while a run is under way.
    ///
    /// Idempotency: no call to the service; the same hint twice is one (contract 4.6).
    ///
    /// # Errors
    ///
    /// The store's own failures: then the webhook should not be acknowledged.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let step = kit.step().await;
    /// use sugester::sync::RecordRef;
    ///
    /// step.hint(RecordRef::Invoice(4711)).await?;
    /// # Ok(()) });
    /// ```
    pub async fn hint(&self, record: RecordRef) -> Result<(), Error> {
        self.0.hints().add(record).await
    }

    /// Links in ascending order of the id in BitFactura, after one, some hundreds at a time.
    ///
    /// Idempotency: no call to the service (contract 4.2).
    ///
    /// # Errors
    ///
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let step = kit.step().await;
    /// for link in step.links(None).await? {
    ///     println!("{link:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn links(&self, after: Option<u64>) -> Result<Vec<Link>, Error> {
        let page = self.links_book().await?.page(LINKS, after.map(pad).as_deref()).await?;
        Ok(page.into_iter().map(|(_, link)| link).collect())
    }

    /// Every conflict there ever was, each once, with a key to go on after, some hundreds at a time.
    ///
    /// Idempotency: no call to the service (contract 4.3).
    ///
    /// # Errors
    ///
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let step = kit.step().await;
    /// for (key, conflict) in step.conflicts(None).await? {
    ///     println!("{key}: {conflict:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn conflicts(&self, after: Option<&str>) -> Result<Vec<(String, KeptConflict)>, Error> {
        self.links_book().await?.page(CONFLICTS, after).await
    }

    async fn links_book(&self) -> Result<Book, Error> {
        Book::open(&self.0.store, format!("sugester/{}/links", self.0.settings.name)).await
    }

    async fn with(&self, is_dry: bool, work: Work) -> Result<Report, Stopped> {
        let Ok(_turn) = self.0.turn.try_lock() else { return Err(stopped(Report::default(), busy())) };
        self.0.stop.store(false, Ordering::Relaxed);
        let mut run = match Run::open(&self.0, is_dry).await {
            Ok(run) => run,
            Err(error) => return Err(stopped(Report::default(), error)),
        };
        let ended = match work {
            Work::Keep(scope) => run.go(scope).await,
            Work::First(mode) => run.first(mode).await,
            Work::Link { bitfactura, sugester } => run.link_by_hand(bitfactura, sugester).await,
        };
        let Run { report, journal, .. } = run;
        if let Some(journal) = journal {
            journal.close().await;
        }
        match ended {
            Ok(()) => Ok(report),
            Err(_) if report.was_stopped => Ok(report),
            Err(error) => Err(stopped(report, error)),
        }
    }
}

fn busy() -> Error {
    Error::new(ErrorKind::Blocked, "synchronise")
        .with_outcome(Outcome::NotSent)
        .with_message("another run of this synchroniser is under way")
        .with_hint("one run at a time: wait for its end")
}

fn stopped(report: Report, error: Error) -> Stopped {
    Stopped { report: Box::new(report), error }
}
