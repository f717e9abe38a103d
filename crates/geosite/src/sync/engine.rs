//! The synchronisation as users meet it (contract 4.1, 4.2, 4.7–4.11 and section 6).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use integration_core::clock::{Clock, SystemClock};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, mpsc};

use super::abreast::abreast;
use super::cursor::{earlier, stamp};
use super::error::{SelectionFault, SyncError, SyncErrorKind};
use super::guard::Authority;
use super::kind::{Kind, Shelf, shelf_of};
use super::links::{Examine, Links, NoLinks};
use super::pass::{self, Context, End};
use super::plant::Plant;
use super::register::{Candidate, Claim, Register, RunRow, Term, Ticket};
use super::report::{Event, Health, KindReport, Mode, Observer, Outcome, Run, Trigger};
use super::run::{Plan, Progress, from_json, to_json};
use super::selection::{Integration, PlannedKind, Project, Selection, SelectionPlan};
use super::settings::{Cancel, Request, Settings};
use super::sink::Sink;
use super::watch::{Running, WAITING};
use crate::feature::Feature;

/// Keeps one integration's register equal to its plant.
#[derive(Clone)]
#[doc(alias("sincronizacao", "sincronização"))]
pub struct PlantSync(Arc<Shared>);

#[derive(Clone)]
struct Shared {
    plant: Arc<dyn Plant>,
    register: Arc<dyn Register>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    links: Arc<dyn Links>,
    observer: Option<Arc<dyn Observer>>,
    /// Whoever watches this one run.
    watcher: Option<mpsc::Sender<Event>>,
}

impl fmt::Debug for PlantSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlantSync").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// Parts of a [`PlantSync`] that have a default.
pub struct PlantSyncBuilder(Shared);

impl fmt::Debug for PlantSyncBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlantSyncBuilder").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl PlantSyncBuilder {
    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.0.clock = clock;
        self
    }

    /// Whoever keeps links of customers to ports.
    #[must_use]
    pub fn links(mut self, links: Arc<dyn Links>) -> Self {
        self.0.links = links;
        self
    }

    /// Whoever is told what happens.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.0.observer = Some(observer);
        self
    }

    /// Opens the integration: a new one is kept with this project and selection, one that is there must have the same.
    ///
    /// Idempotency: no call to the service; opening again is the same integration (contract 4.1).
    ///
    /// # Errors
    ///
    /// [`SelectionInvalid`](SyncErrorKind::SelectionInvalid) if the integration belongs to another project (an integration has
    /// exactly one) or has another selection (which is changed by [`PlantSync::plan_selection`]), and the register's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use std::sync::Arc;
    ///
    /// use geosite::sync::{MemoryRegister, PlantSync, Project, Selection, Settings};
    ///
    /// let settings = Settings::new("provider-1", "worker-1").assuming(client.assumptions());
    /// let builder = PlantSync::builder(Arc::new(client), Arc::new(MemoryRegister::new()), settings);
    /// let sync = builder.open(&Project::create("Fibre network"), &Selection::everything()).await?;
    /// println!("{}", sync.settings().integration);
    /// # Ok(()) });
    /// ```
    pub async fn open(self, project: &Project, selection: &Selection) -> Result<PlantSync, SyncError> {
        if self.0.settings.page_size == 0 {
            return Err(SyncError::new(
                SyncErrorKind::Config,
                "page_size: at least one row must fit into a page",
            ));
        }
        let sync = PlantSync(Arc::new(self.0));
        let new = Integration {
            project: project.name().to_owned(),
            selection: selection.clone(),
            to_delete: BTreeMap::new(),
            active: true,
        };
        // Of two that open a new one at once, the second finds what the first has kept.
        let kept = match sync.register().integration(sync.name()).await? {
            Some((kept, _)) => kept,
            None if sync.register().keep_integration(sync.name(), &new, 0, &[]).await?.is_some() => {
                new.clone()
            }
            None => sync.integration().await?.0,
        };
        sync.check(&kept, &new)?;
        Ok(sync)
    }

    /// Opens an integration that is there already, as it is.
    ///
    /// Idempotency: no call to the service (contract 4.1).
    ///
    /// # Errors
    ///
    /// [`NotFound`](SyncErrorKind::NotFound) if it is not, and the register's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (client, register) = (kit.client.clone(), kit.register());
    /// # kit.sync_into(register.clone()).await;
    /// use std::sync::Arc;
    ///
    /// use geosite::sync::{PlantSync, Settings};
    ///
    /// let settings = Settings::new("provider-1", "worker-1").assuming(client.assumptions());
    /// let sync = PlantSync::builder(Arc::new(client), register, settings).reopen().await?;
    /// println!("{}", sync.settings().integration);
    /// # Ok(()) });
    /// ```
    pub async fn reopen(self) -> Result<PlantSync, SyncError> {
        let sync = PlantSync(Arc::new(self.0));
        sync.integration().await?;
        Ok(sync)
    }
}

impl PlantSync {
    /// A synchronisation of a plant with a register.
    pub fn builder(
        plant: Arc<dyn Plant>,
        register: Arc<dyn Register>,
        settings: Settings,
    ) -> PlantSyncBuilder {
        PlantSyncBuilder(Shared {
            plant,
            register,
            settings,
            clock: Arc::new(SystemClock::new()),
            links: Arc::new(NoLinks),
            observer: None,
            watcher: None,
        })
    }

    pub(super) fn plant(&self) -> &dyn Plant {
        &*self.0.plant
    }

    pub(super) fn links(&self) -> &dyn Links {
        &*self.0.links
    }

    /// The register, to be read.
    #[must_use]
    pub fn register(&self) -> &dyn Register {
        &*self.0.register
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn name(&self) -> &str {
        &self.0.settings.integration
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.wall()
    }

    pub(super) fn term(&self) -> Term {
        let now = self.now();
        let lease = SignedDuration::try_from(self.0.settings.lease).unwrap_or(SignedDuration::MAX);
        Term::new(now, now.checked_add(lease).unwrap_or(Timestamp::MAX))
    }

    pub(super) async fn tell(&self, event: Event) {
        if let Some(observer) = &self.0.observer {
            observer.notice(&event);
        }
        if let Some(watcher) = &self.0.watcher {
            // Whoever does not listen any more has dropped the run as well.
            let _ = watcher.send(event).await;
        }
    }

    pub(super) async fn integration(&self) -> Result<(Integration, i64), SyncError> {
        let found = self.register().integration(self.name()).await?;
        found.ok_or_else(|| {
            SyncError::new(SyncErrorKind::NotFound, format!("there is no integration {:?}", self.name()))
        })
    }

    /// The integration, if it may be synchronised.
    pub(super) async fn active(&self) -> Result<Integration, SyncError> {
        let (integration, _) = self.integration().await?;
        if integration.active {
            return Ok(integration);
        }
        let message = format!("{} was deactivated: nothing was asked; `activate` it first", self.name());
        Err(SyncError::new(SyncErrorKind::Inactive, message))
    }

    /// Deactivates the integration (contract 4.1 I1): from now on every run, dry ones too, and every refresh of a box is refused as
    /// [`Inactive`](SyncErrorKind::Inactive) before anything is asked. A run that is under way goes on to its end; what the register
    /// holds stays, and so do links. Deactivated twice is deactivated.
    ///
    /// What deactivation means beyond "no synchronisation" is not public: that the stored elements stay is assumed.
    ///
    /// Idempotency: no call to the service (contract 4.1).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use geosite::sync::{Kind, MemoryRegister, PlantSync, Project, Request, Selection, Settings, SyncErrorKind};
    /// # use geosite::sync::{Plant};
    /// # async fn run(plant: Arc<dyn Plant>) -> Result<(), geosite::sync::SyncError> {
    /// let register = Arc::new(MemoryRegister::new());
    /// let sync = PlantSync::builder(plant, register, Settings::new("rede norte", "worker-1"));
    /// let sync = sync.open(&Project::create("Rede Norte"), &Selection::of([Kind::Cto])?).await?;
    /// sync.deactivate().await?;
    /// let refused = sync.run(Request::incremental()).await.unwrap_err();
    /// assert_eq!(refused.kind(), &SyncErrorKind::Inactive);
    /// sync.activate().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](SyncErrorKind::NotFound) if there is no such integration, and the register's failures.
    pub async fn deactivate(&self) -> Result<(), SyncError> {
        self.set_active(false).await
    }

    /// Lets a deactivated integration be synchronised again, from where its cursors stand.
    ///
    /// Idempotency: no call to the service (contract 4.1).
    ///
    /// # Errors
    ///
    /// As [`deactivate`](Self::deactivate).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// sync.deactivate().await?;
    /// sync.activate().await?;
    /// # Ok(()) });
    /// ```
    pub async fn activate(&self) -> Result<(), SyncError> {
        self.set_active(true).await
    }

    /// Whether the integration is synchronised.
    ///
    /// Idempotency: no call to the service (contract 4.1).
    ///
    /// # Errors
    ///
    /// As [`deactivate`](Self::deactivate).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// assert!(sync.is_active().await?);
    /// # Ok(()) });
    /// ```
    pub async fn is_active(&self) -> Result<bool, SyncError> {
        Ok(self.integration().await?.0.active)
    }

    /// Somebody else may be changing the selection: then what they have kept is read again, and this is set in it.
    async fn set_active(&self, active: bool) -> Result<(), SyncError> {
        loop {
            let (mut integration, version) = self.integration().await?;
            if integration.active == active {
                return Ok(());
            }
            integration.active = active;
            let kept = self.register().keep_integration(self.name(), &integration, version, &[]).await?;
            if kept.is_some() {
                return Ok(());
            }
        }
    }

    fn check(&self, kept: &Integration, asked: &Integration) -> Result<(), SyncError> {
        if kept.project != asked.project {
            let fault = SelectionFault::ProjectAttached(kept.project.clone());
            let message =
                format!("{} belongs to the project {:?}, and to one only", self.name(), kept.project);
            return Err(SyncError::selection(fault, message));
        }
        if kept.selection != asked.selection {
            let message = "another selection is stored: change it by plan_selection and apply_selection";
            return Err(SyncError::selection(SelectionFault::PlanOutdated, message));
        }
        Ok(())
    }

    /// Brings the register up to date.
    ///
    /// A run that was killed is gone on with first, at its last stored page and with the same bounds; that is then the run which
    /// is returned. A full run is not satisfied by an incremental one: that is given up, and everything is read.
    ///
    /// What the guard holds back is no error: the run ends as [`Blocked`](Outcome::Blocked), and
    /// [`override_guard`](Self::override_guard) lets it through. So is a feature that could not be read: the run ends as
    /// [`Partial`](Outcome::Partial) or [`Failed`](Outcome::Failed), and its cursor stays.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at GeoSite, and of the register: a run that was killed is gone on with (contract
    /// 4.7 to 4.10).
    ///
    /// # Errors
    ///
    /// [`RunInProgress`](SyncErrorKind::RunInProgress); [`Plant`](SyncErrorKind::Plant) if not even the server's clock could be
    /// asked; [`GuardBlocked`](SyncErrorKind::GuardBlocked) if deselected kinds have grown since they were planned to be deleted;
    /// [`Inactive`](SyncErrorKind::Inactive) if it was deactivated; the register's failures, after which the next run goes on.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// use geosite::sync::Request;
    ///
    /// let run = sync.run(Request::full()).await?;
    /// for (kind, report) in &run.kinds {
    ///     println!("{}: {} added, {} removed", kind.name(), report.added, report.removed);
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn run(&self, request: Request) -> Result<Run, SyncError> {
        let integration = self.active().await?;
        let cursors = self.register().cursors(self.name()).await?;
        let plan = Plan::new(self.plant(), self.settings(), integration.selection, &cursors, request.mode);
        self.start(request, plan).await
    }

    /// The same as a stream of its events, which is the run: nothing happens until it is polled, it waits for whoever takes the
    /// events, and dropped before its end it leaves a run that the next one goes on with.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at GeoSite (contract 4.7 to 4.11).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// use geosite::sync::Request;
    ///
    /// let mut running = sync.watch(Request::full());
    /// while let Some(event) = running.next().await {
    ///     println!("{event:?}");
    /// }
    /// let run = running.finish().await?;
    /// println!("{:?}", run.outcome);
    /// # Ok(()) });
    /// ```
    pub fn watch(&self, request: Request) -> Running {
        let (watcher, events) = mpsc::channel(WAITING);
        let watched = Self(Arc::new(Shared { watcher: Some(watcher), ..Shared::clone(&self.0) }));
        Running::new(Box::pin(async move { watched.run(request).await }), events)
    }

    async fn start(&self, request: Request, plan: Plan) -> Result<Run, SyncError> {
        if request.dry_run {
            let run = self.begin(&request).await?;
            let sink = Sink::Nowhere(self.register(), self.name().to_owned(), Default::default());
            return self.carry_out(&sink, &request, run, plan, BTreeMap::new()).await;
        }
        loop {
            let (fence, unfinished) = self.claim().await?;
            let ran = match unfinished {
                Some(row) => self.go_on(fence, *row, &request, &plan).await,
                None => self.start_new(fence, &request, plan.clone()).await.map(Some),
            };
            match ran {
                Ok(Some(run)) => return Ok(run),
                // The killed run was given up, and the lease with it.
                Ok(None) => {}
                Err(error) => {
                    // The next worker need not wait; a register that cannot do this keeps the lease until it runs out.
                    let _ = self.register().release(self.name(), fence).await;
                    return Err(error);
                }
            }
        }
    }

    async fn claim(&self) -> Result<(i64, Option<Box<RunRow>>), SyncError> {
        match self.register().claim(self.name(), &self.settings().worker, self.term()).await? {
            Claim::Granted { fence, unfinished } => Ok((fence, unfinished)),
            Claim::Held { by } => {
                let message = format!("{by} is synchronising {} just now", self.name());
                Err(SyncError::new(SyncErrorKind::RunInProgress { by }, message))
            }
        }
    }

    /// Goes on with a run that was killed, or gives it up.
    async fn go_on(
        &self,
        fence: i64,
        row: RunRow,
        request: &Request,
        asked: &Plan,
    ) -> Result<Option<Run>, SyncError> {
        let ticket = self.ticket(row.run, Some(fence));
        let mut run = with_number(&row)?;
        let plan: Plan = from_json(&row.plan)?;
        let fresh = row.started_at >= earlier(self.now(), self.settings().resume_within);
        let enough = run.mode == Mode::Full || request.mode == Mode::Incremental;
        if !fresh || !enough || plan.selection != asked.selection || plan.authority != asked.authority {
            run.warn("given up: it was killed, and another run was wanted");
            self.end(&Sink::Register(self.register(), ticket), &mut run, Outcome::Failed).await?;
            return Ok(None);
        }
        run.resumed = true;
        let checkpoints = self.register().checkpoints(self.name(), row.run).await?;
        let progress = checkpoints.iter().map(|(shelf, text)| Ok((*shelf, from_json(text)?)));
        let progress = progress.collect::<Result<_, SyncError>>()?;
        let sink = Sink::Register(self.register(), ticket);
        self.carry_out(&sink, request, run, plan, progress).await.map(Some)
    }

    async fn start_new(&self, fence: i64, request: &Request, plan: Plan) -> Result<Run, SyncError> {
        let mut run = self.begin(request).await?;
        let mut row = row_of(&run)?;
        row.plan = to_json(&plan)?;
        run.run_id = self.register().open_run(self.name(), Some(fence), row).await?;
        let sink = Sink::Register(self.register(), self.ticket(run.run_id, Some(fence)));
        self.carry_out(&sink, request, run, plan, BTreeMap::new()).await
    }

    pub(super) fn ticket(&self, run: i64, fence: Option<i64>) -> Ticket {
        Ticket { integration: self.name().to_owned(), run, fence }
    }

    /// A run at its start, by the server's clock.
    async fn begin(&self, request: &Request) -> Result<Run, SyncError> {
        let server = self.plant().server_time().await?;
        let mut run = self.blank(request.mode, request.trigger);
        (run.stamp, run.stamp_source) = stamp(server, run.started_at, self.settings().clock_skew);
        run.dry_run = request.dry_run;
        Ok(run)
    }

    pub(super) fn blank(&self, mode: Mode, trigger: Trigger) -> Run {
        let started_at = self.now();
        let (stamp, stamp_source) = stamp(None, started_at, self.settings().clock_skew);
        Run {
            run_id: 0,
            trigger,
            mode,
            dry_run: false,
            started_at,
            finished_at: None,
            stamp,
            stamp_source,
            outcome: None,
            resumed: false,
            kinds: BTreeMap::new(),
            features: Vec::new(),
            conflicts: Vec::new(),
            doubts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    async fn carry_out(
        &self,
        sink: &Sink<'_>,
        request: &Request,
        mut run: Run,
        plan: Plan,
        mut progress: BTreeMap<Shelf, Progress>,
    ) -> Result<Run, SyncError> {
        let shelves = plan.passes.iter().map(|pass| pass.shelf).collect();
        let (number, mode, resumed) = (run.run_id, run.mode, run.resumed);
        self.tell(Event::Started { run: number, mode, resumed, shelves }).await;
        let deselected = self.delete_deselected(sink, &mut run).await?;
        if !run.dry_run {
            let examine = self.examine(&run, &plan, deselected).await?;
            self.links().begun(examine).await?;
        }
        self.warn_of_columns(&mut run, &plan).await;
        let (halt, telling) = (Cancel::new(), Mutex::new(()));
        let mut readings = Vec::new();
        for pass in &plan.passes {
            let context = Context {
                sync: self,
                sink,
                pass,
                selection: &plan.selection,
                authority: plan.authority,
                stamp: run.stamp,
                cancel: &request.cancel,
                halt: &halt,
                telling: &telling,
            };
            let resumed = progress.remove(&pass.shelf);
            readings.push(read(context, resumed.unwrap_or_else(|| Progress::new(pass))));
        }
        let ended = abreast(readings, self.settings().at_once).await;
        let mut cancelled = false;
        for (at, end) in ended {
            cancelled |= matches!(end?, End::Cancelled);
            add(&mut run, at);
        }
        let outcome = if cancelled { Outcome::Cancelled } else { outcome_of(&run) };
        self.end(sink, &mut run, outcome).await?;
        Ok(run)
    }

    /// Whether every link is to be looked at. An incremental run costs what has changed, so it looks only if a notice may have been
    /// lost: whoever tells writes to another store than the register, and may be killed between the two.
    async fn examine(&self, run: &Run, plan: &Plan, deselected: bool) -> Result<Examine, SyncError> {
        let whole = plan.passes.iter().any(|pass| pass.whole);
        let everything = whole || deselected || run.resumed || self.may_have_lost_notices(run).await?;
        Ok(if everything { Examine::Everything } else { Examine::WhatIsTold })
    }

    /// Looks back to the last run but one: a refreshed box may have begun before the last one, and been killed after it.
    async fn may_have_lost_notices(&self, run: &Run) -> Result<bool, SyncError> {
        let before = self.register().history(self.name(), Some(run.run_id), LOOK_BACK).await?;
        let mut runs = 0;
        for row in &before {
            let single = row.mode == Mode::Single.name();
            runs += u8::from(!single);
            let failed = row.finished_at.is_none() || row.outcome.as_deref() == Some(Outcome::Failed.name());
            if failed && (single || runs == 1) {
                return Ok(true);
            }
            if runs == 2 {
                return Ok(false);
            }
        }
        Ok(runs == 0 || before.len() == LOOK_BACK)
    }

    /// A column that is configured and not there is no reason to stop, and none to be silent.
    async fn warn_of_columns(&self, run: &mut Run, plan: &Plan) {
        for source in plan.passes.iter().flat_map(|pass| &pass.sources) {
            // A feature that cannot be described will not be listed either, and its report says why.
            for column in self.plant().lacking(source.feature).await.unwrap_or_default() {
                run.warn(format!("{}: the configured column `{column}` is not there", source.feature));
            }
        }
    }

    /// What was deselected goes, if it has not grown since somebody agreed to that (contract E4 and E5).
    async fn delete_deselected(&self, sink: &Sink<'_>, run: &mut Run) -> Result<bool, SyncError> {
        let (integration, _) = self.integration().await?;
        if integration.to_delete.is_empty() {
            return Ok(false);
        }
        let kept = integration.selection.features();
        let forget: Vec<Feature> = integration
            .to_delete
            .keys()
            .map(|kind| kind.feature())
            .filter(|feature| !kept.contains(feature))
            .collect();
        match sink.deselect(self.term(), &integration.to_delete, &forget).await? {
            Some(deleted) => {
                for (kind, count) in deleted {
                    run.kinds.entry(kind).or_default().removed += count;
                }
                Ok(true)
            }
            None => {
                let message = "deselected kinds have grown since it was planned to delete them: plan the selection anew";
                run.warn(message);
                self.end(sink, run, Outcome::Blocked).await?;
                Err(SyncError::new(SyncErrorKind::GuardBlocked, message))
            }
        }
    }

    pub(super) async fn end(
        &self,
        sink: &Sink<'_>,
        run: &mut Run,
        outcome: Outcome,
    ) -> Result<(), SyncError> {
        run.outcome = Some(outcome);
        run.finished_at = Some(self.now());
        if let Some(ticket) = sink.ticket() {
            self.register().close_run(ticket, row_of(run)?).await?;
            self.purge().await?;
        }
        self.tell(Event::Ended { outcome }).await;
        Ok(())
    }

    async fn purge(&self) -> Result<(), SyncError> {
        let now = self.now();
        let tombstones = earlier(now, self.settings().keep_tombstones);
        let history = earlier(now, self.settings().keep_history);
        self.register().purge(self.name(), tombstones, history).await
    }

    /// Lets deletions through that the guard held back in a run: reads the kind whole once more, and deletes what is missing if
    /// that is exactly as much as is said here.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at GeoSite (contract 4.10).
    ///
    /// # Errors
    ///
    /// [`NotFound`](SyncErrorKind::NotFound) if the run held nothing of the kind back;
    /// [`GuardBlocked`](SyncErrorKind::GuardBlocked) if the number is not exact, or nothing at all was received and
    /// `force_empty` is not given; and as [`run`](Self::run).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sync, run) = (kit.sync().await, 7);
    /// use geosite::sync::Kind;
    ///
    /// // A person has looked at `held_back` and says that these 412 boxes are gone.
    /// sync.override_guard(run, Kind::Cto, 412, false).await?;
    /// # Ok(()) });
    /// ```
    pub async fn override_guard(
        &self,
        run: i64,
        kind: Kind,
        exact_count: u64,
        force_empty: bool,
    ) -> Result<Run, SyncError> {
        let blocked = self.found(run).await?;
        let report = blocked.kinds.get(&kind).filter(|report| report.guard.is_blocked());
        let nothing =
            || SyncError::new(SyncErrorKind::NotFound, format!("run {run} held nothing of {kind} back"));
        let report = report.ok_or_else(nothing)?;
        let empty = report.guard == super::guard::Verdict::NothingReceived;
        if report.missing != exact_count || (empty && !force_empty) {
            return Err(refused(kind, report.missing, empty));
        }
        let integration = self.active().await?;
        let cursors = self.register().cursors(self.name()).await?;
        let plan = Plan::new(self.plant(), self.settings(), integration.selection, &cursors, Mode::Full);
        let mut plan = plan.only(kind);
        plan.authority = Some(Authority { kind, exact_count, force_empty });
        let ran = self.start(Request::full(), plan).await?;
        match ran.kinds.get(&kind).filter(|report| report.guard.is_blocked()) {
            Some(report) => Err(refused(kind, report.missing, report.read == 0)),
            None => Ok(ran),
        }
    }

    async fn found(&self, run: i64) -> Result<Run, SyncError> {
        let rows = self.register().history(self.name(), Some(run.saturating_add(1)), 1).await?;
        let row = rows.first().filter(|row| row.run == run);
        let row =
            row.ok_or_else(|| SyncError::new(SyncErrorKind::NotFound, format!("there is no run {run}")))?;
        from_json(&row.report)
    }

    /// What a blocked run would have deleted, ascending by shelf and `fid`, after one.
    ///
    /// Idempotency: no call to the service (contract 4.10).
    ///
    /// # Errors
    ///
    /// The register's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// # let run = sync.run(geosite::sync::Request::full()).await?;
    /// for candidate in sync.held_back(run.run_id, None, 100).await? {
    ///     println!("{candidate:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn held_back(
        &self,
        run: i64,
        after: Option<(Shelf, i64)>,
        limit: usize,
    ) -> Result<Vec<Candidate>, SyncError> {
        self.register().candidates(self.name(), run, after, limit).await
    }

    /// Runs, newest first, before one.
    ///
    /// Idempotency: no call to the service (contract 4.11).
    ///
    /// # Errors
    ///
    /// The register's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// for run in sync.history(None, 20).await? {
    ///     println!("{} {:?}", run.run_id, run.outcome);
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn history(&self, before: Option<i64>, limit: usize) -> Result<Vec<Run>, SyncError> {
        let rows = self.register().history(self.name(), before, limit).await?;
        rows.iter().map(with_number).collect()
    }

    /// How well the integration keeps up, from its cursors and its last hundred runs.
    ///
    /// Idempotency: no call to the service (contract 4.11).
    ///
    /// # Errors
    ///
    /// The register's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// println!("{:?}", sync.health().await?);
    /// # Ok(()) });
    /// ```
    pub async fn health(&self) -> Result<Health, SyncError> {
        let (integration, _) = self.integration().await?;
        let cursors = self.register().cursors(self.name()).await?;
        let now = self.now();
        let lag = |feature: Feature| cursors.get(&feature).map(|cursor| between(*cursor, now));
        let runs = self.history(None, 100).await?;
        let ended = |run: &&Run| run.finished_at.is_some() && run.mode != Mode::Single;
        let last = runs.iter().find(ended);
        let last_full = runs.iter().filter(ended).find(|run| run.mode == Mode::Full);
        Ok(Health {
            lag: integration
                .selection
                .features()
                .into_iter()
                .map(|feature| (feature, lag(feature)))
                .collect(),
            overlap_hits: last.map_or(0, |run| run.sum(|report| report.overlap_hits)),
            drift: last_full.map_or(0, |run| run.sum(|report| report.drift)),
            last_outcome: last.and_then(|run| run.outcome),
        })
    }

    /// Shows what another selection would delete, and changes nothing.
    ///
    /// Idempotency: no call to the service (contract 4.2).
    ///
    /// # Errors
    ///
    /// The register's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// use geosite::sync::Selection;
    ///
    /// let plan = sync.plan_selection(Selection::everything()).await?;
    /// println!("{plan:?}");
    /// # Ok(()) });
    /// ```
    pub async fn plan_selection(&self, selection: Selection) -> Result<SelectionPlan, SyncError> {
        let (integration, token) = self.integration().await?;
        let counts = self.register().counts(self.name()).await?;
        let mut kinds: BTreeMap<Kind, PlannedKind> = BTreeMap::new();
        for kind in Kind::ALL.iter().copied() {
            let stored = counts.get(&kind).map_or(0, |count| count.live);
            let goes = !selection.keeps(kind);
            if stored == 0 && !selection.has(kind) {
                continue;
            }
            let customers = if goes { self.register().customers_below(self.name(), kind).await? } else { 0 };
            let to_delete = if goes { stored } else { 0 };
            let read_whole = selection.has(kind) && !integration.selection.has(kind);
            kinds.insert(kind, PlannedKind { stored, to_delete, customers, read_whole });
        }
        Ok(SelectionPlan { selection, kinds, token })
    }

    /// Applies a plan: the next synchronisation deletes what it showed, and reads what it adds.
    ///
    /// Idempotency: no call to the service (contract 4.2).
    ///
    /// # Errors
    ///
    /// [`SelectionInvalid`](SyncErrorKind::SelectionInvalid) if the selection was changed since the plan was made, and the
    /// register's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// use geosite::sync::Selection;
    ///
    /// let plan = sync.plan_selection(Selection::everything()).await?;
    /// sync.apply_selection(&plan).await?;
    /// # Ok(()) });
    /// ```
    pub async fn apply_selection(&self, plan: &SelectionPlan) -> Result<(), SyncError> {
        let (mut integration, _) = self.integration().await?;
        let added = plan.selection.without(&integration.selection);
        let mut forget: Vec<Feature> = added.into_iter().map(Kind::feature).collect();
        forget.dedup();
        let goes = plan.kinds.iter().filter(|(_, planned)| planned.to_delete > 0);
        integration.to_delete = goes.map(|(kind, planned)| (*kind, planned.to_delete)).collect();
        integration.selection = plan.selection.clone();
        let kept = self.register().keep_integration(self.name(), &integration, plan.token, &forget).await?;
        kept.map(drop).ok_or_else(|| {
            let message = "the selection was changed since this plan was made: plan it anew";
            SyncError::selection(SelectionFault::PlanOutdated, message)
        })
    }
}

/// Single-box runs between two others, and more.
const LOOK_BACK: usize = 200;

/// Reads one shelf. If its register fails, the others stop at their next page, which they store.
async fn read(context: Context<'_>, mut at: Progress) -> (Progress, Result<End, SyncError>) {
    if at.done {
        return (at, Ok(End::Done));
    }
    if context.is_stopped() {
        return (at, Ok(End::Cancelled));
    }
    let end = pass::read(&context, &mut at, false).await;
    if end.is_err() {
        context.halt.stop();
    }
    (at, end)
}

fn refused(kind: Kind, missing: u64, empty: bool) -> SyncError {
    let force = if empty { ", and nothing at all was received: force_empty is needed" } else { "" };
    let message = format!("nothing of {kind} was deleted: exactly {missing} would be{force}");
    SyncError::new(SyncErrorKind::GuardBlocked, message)
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn row_of(run: &Run) -> Result<RunRow, SyncError> {
    let mut row = RunRow::new(run.started_at, run.trigger.name(), run.mode.name());
    row.run = run.run_id;
    row.finished_at = run.finished_at;
    row.outcome = run.outcome.map(|outcome| outcome.name().to_owned());
    row.report = to_json(run)?;
    Ok(row)
}

/// A run that was killed before its number was written into its report still has one.
fn with_number(row: &RunRow) -> Result<Run, SyncError> {
    let mut run: Run = from_json(&row.report)?;
    run.run_id = row.run;
    Ok(run)
}

fn add(run: &mut Run, progress: Progress) {
    for (kind, report) in progress.kinds {
        warn_of(run, kind, &report);
        let counted = run.kinds.entry(kind).or_default();
        // What the deletion of deselected kinds has counted already stays counted.
        *counted = KindReport { removed: counted.removed + report.removed, ..report };
    }
    for report in &progress.features {
        if let Some(error) = &report.error {
            run.warn(format!("{}: {error}", report.feature));
        }
        if report.failed > 0 {
            let named = report.unread.len();
            let failed = report.failed;
            run.warn(format!("{}: {failed} rows could not be read; `unread` names {named}", report.feature));
        }
        if !report.complete && report.error.is_none() && report.failed == 0 {
            let why = "its total is missing or no number, or the run ended before it did";
            run.warn(format!("{}: nothing proves that the list was read whole: {why}", report.feature));
        }
        if report.complete && report.cursor_before.is_some_and(|before| before > run.stamp) {
            run.warn(format!("{}: ClockWentBack: the cursor stays", report.feature));
        }
    }
    run.features.extend(progress.features);
    run.doubts.extend(progress.doubts);
    run.conflicts.extend(progress.conflicts);
    run.conflicts.truncate(super::report::NAMED);
}

fn warn_of(run: &mut Run, kind: Kind, report: &KindReport) {
    if report.designed > 0 {
        let designed = report.designed;
        run.warn(format!("{kind}: {designed} elements are only designed, and were left out (existing_only)"));
    }
    if report.doubtful > 0 {
        run.warn(format!("{kind}: {} doubts; `doubts` names the first", report.doubtful));
    }
}

fn outcome_of(run: &Run) -> Outcome {
    let complete = run.features.iter().filter(|report| report.complete).count();
    if !run.blocked().is_empty() {
        Outcome::Blocked
    } else if complete == run.features.len() {
        Outcome::Ok
    } else if complete == 0 {
        Outcome::Failed
    } else {
        Outcome::Partial
    }
}

/// The shelf of boxes, and the features that may list one, the one that may list any of them last.
pub(super) fn box_features(selection: &Selection) -> Vec<Feature> {
    let mut features: Vec<Feature> =
        selection.features().into_iter().filter(|feature| shelf_of(*feature) == Shelf::Box).collect();
    features.sort_by_key(|feature| *feature == Feature::CaixaEmenda);
    features
}
