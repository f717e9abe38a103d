//! The engine's public face, and the loop that works off what is to be done (contract 4.5, 4.7).
//!
//! The rules enforced here: restrictions first (O7); one worker for a lane, so many lanes at once (O3); a failure of one entry holds up no
//! other (O6), nor does one that hangs: its turn ends; a failure of the store ends the loop, since what cannot be remembered must not be
//! sent.

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use integration_core::clock::within;
use integration_core::{BoxFuture, Error, ErrorKind, Fault, Faults, Outcome};
use integration_store::{State, Store, StoreError};

use super::helm::Helm;
use super::ledger::Ledger;
use super::numbers::{Counts, Numbers};
use super::passage::{Passage, Push};
use super::ports::{CaseSource, Groups, Observer, SyncEvent};
use super::queue::{DeadEntry, Job, Mark, Queue, Rank, Taken};
use super::settings::Settings;
use crate::grant::{AuditEntry, WebGrant};
use crate::web::{Cause, ContactRef, Instant, WebSyncTransport};
use crate::{Clock, SystemClock};

/// Keeps the portal in step with the firm. Clones share one engine.
///
/// ```
/// # use std::sync::Arc;
/// use apiges_sync::grant::WebGrant;
/// use apiges_sync::jiff::Timestamp;
/// use apiges_sync::sync::{CaseSource, SharedGroups, WebSync};
/// use apiges_sync::web::{ContactRef, FieldBox, WebSyncTransport};
///
/// # async fn run(
/// #     store: integration_store::Store,
/// #     portal: impl WebSyncTransport,
/// #     files: impl CaseSource,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let sync = WebSync::builder().store(&store).transport(portal).cases(files).groups(SharedGroups::default()).build()?;
///
/// let client = ContactRef::client("4879")?;
/// sync.open(&WebGrant::new(client, 7).show(FieldBox::Clave).activated()?, "ana").await?;
/// sync.saved(3992, Timestamp::UNIX_EPOCH).await?; // file 3992 was saved
/// let drained = sync.drain().await?; // or `run`, for good
/// println!("{} things done, {:?}", drained.done, sync.numbers().await?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[doc(alias("sincronizacion web", "sincronización web"))]
pub struct WebSync(pub(crate) Arc<Engine>);

/// Everything behind a [`WebSync`].
pub(crate) struct Engine {
    pub(crate) tenant: String,
    pub(crate) transport: Arc<dyn WebSyncTransport>,
    pub(crate) cases: Arc<dyn CaseSource>,
    pub(crate) groups: Arc<dyn Groups>,
    pub(crate) ledger: Ledger,
    pub(crate) queue: Queue,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counts: Counts,
    observer: Option<Arc<dyn Observer>>,
    /// No push that was judged by an older grant arrives after the change (O7).
    pub(crate) passage: Passage,
    /// Of all programs over the same store, which sends.
    pub(crate) helm: Helm,
    /// One load at a time.
    pub(crate) loading: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSync")
            .field("tenant", &self.tenant)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What [`WebSync::drain`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many lanes were worked off with success.
    pub done: usize,
    /// How many failed; they are tried again when their pause is over, or are dead.
    pub failed: usize,
}

/// Sets up a [`WebSync`].
#[derive(Debug, Default)]
#[must_use]
pub struct WebSyncBuilder {
    store: Option<Store>,
    transport: Option<Arc<dyn WebSyncTransport>>,
    cases: Option<Arc<dyn CaseSource>>,
    groups: Option<Arc<dyn Groups>>,
    settings: Settings,
    clock: Option<Arc<dyn Clock>>,
    observer: Option<Arc<dyn Observer>>,
}

impl WebSyncBuilder {
    /// Where everything is remembered.
    pub fn store(self, store: &Store) -> Self {
        Self { store: Some(store.clone()), ..self }
    }

    /// The portal; its tenant is the engine's.
    pub fn transport(self, transport: impl WebSyncTransport) -> Self {
        Self { transport: Some(Arc::new(transport)), ..self }
    }

    /// The firm's files.
    pub fn cases(self, cases: impl CaseSource) -> Self {
        Self { cases: Some(Arc::new(cases)), ..self }
    }

    /// The firm's groups.
    pub fn groups(self, groups: impl Groups) -> Self {
        Self { groups: Some(Arc::new(groups)), ..self }
    }

    /// Other numbers and rules than the contract's.
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// The clock; the system's unless set. Leases run by the store's own.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Who hears what happens.
    pub fn observer(self, observer: impl Observer) -> Self {
        Self { observer: Some(Arc::new(observer)), ..self }
    }

    /// The engine. Nothing is sent.
    ///
    /// # Errors
    /// A validation error with everything that is missing or cannot work.
    pub fn build(self) -> Result<WebSync, Error> {
        let Self { store, transport, cases, groups, settings, clock, observer } = self;
        let mut faults = Faults::new();
        if let Err(error) = settings.check() {
            faults.extend(error.faults().iter().cloned());
        }
        let missing = [
            ("store", store.is_none()),
            ("transport", transport.is_none()),
            ("cases", cases.is_none()),
            ("groups", groups.is_none()),
        ];
        for (path, _) in missing.into_iter().filter(|(_, missing)| *missing) {
            faults.push(Fault::error("4.5", path).with_hint("the synchronisation cannot do without it"));
        }
        faults.into_result("set up the synchronisation")?;
        let (Some(store), Some(transport), Some(cases), Some(groups)) = (store, transport, cases, groups)
        else {
            return Err(Error::configuration(
                "something is missing",
                "set store, transport, cases and groups",
            ));
        };
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let tenant = transport.tenant().to_owned();
        Ok(WebSync(Arc::new(Engine {
            ledger: Ledger::new(&store, &tenant),
            queue: Queue::new(&store, &tenant, Arc::clone(&clock)),
            counts: Counts::default(),
            passage: Passage::default(),
            helm: Helm::new(&store, &tenant, settings.lease, Arc::clone(&clock)),
            loading: tokio::sync::Mutex::new(()),
            tenant,
            transport,
            cases,
            groups,
            settings,
            clock,
            observer,
        })))
    }
}

impl WebSync {
    /// Sets one up.
    pub fn builder() -> WebSyncBuilder {
        WebSyncBuilder::default()
    }

    /// A file was saved, its graphic included. Durable when it returns; sent by [`run`](Self::run) or [`drain`](Self::drain). Of all
    /// sources of changes this is the only one that meets seconds.
    ///
    /// Idempotency: no call to the service; one entry for a file that is saved many times (contract 4.5).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// use apiges_sync::{Clock, SystemClock};
    ///
    /// sync.saved(case, SystemClock::new().wall()).await?;
    /// sync.drain().await?; // in earnest `run`, beside the program
    /// # Ok(()) });
    /// ```
    pub async fn saved(&self, case: u64, saved_at: impl Into<Instant>) -> Result<(), Error> {
        self.marked(case, Cause::Saved, saved_at.into()).await
    }

    /// A file's graphic was saved. As [`saved`](Self::saved).
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// use apiges_sync::{Clock, SystemClock};
    ///
    /// sync.graphic_saved(case, SystemClock::new().wall()).await?;
    /// sync.drain().await?;
    /// # Ok(()) });
    /// ```
    pub async fn graphic_saved(&self, case: u64, saved_at: impl Into<Instant>) -> Result<(), Error> {
        self.marked(case, Cause::Graphic, saved_at.into()).await
    }

    /// A file was removed: everybody loses it, if [`CaseSource::case`] finds it no more. As [`saved`](Self::saved).
    ///
    /// Idempotency: no call to the service (contract 4.6).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// sync.removed(case).await?;
    /// sync.drain().await?;
    /// # Ok(()) });
    /// ```
    pub async fn removed(&self, case: u64) -> Result<(), Error> {
        self.marked(case, Cause::Saved, self.0.now()).await
    }

    async fn marked(&self, case: u64, cause: Cause, saved_at: Instant) -> Result<(), Error> {
        self.0.queue.add([Mark { job: Job::Case(case), rank: Rank::Ordinary, cause, saved_at }]).await
    }

    /// A contact joined or left a group: all files of that member are looked at again (N5). Call it when [`Groups`] says so already.
    ///
    /// Idempotency: no call to the service (contract 4.2, 4.5).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// # let member = office.person;
    /// sync.membership_changed(&contact, member).await?; // its groups say so already
    /// sync.drain().await?;
    /// # Ok(()) });
    /// ```
    pub async fn membership_changed(&self, contact: &ContactRef, contact_id: u64) -> Result<(), Error> {
        let job = Job::Member(contact.clone(), contact_id);
        let mark = Mark { job, rank: Rank::Grant, cause: Cause::Grant, saved_at: self.0.now() };
        self.0.queue.add([mark]).await
    }

    /// Works off everything that is due now, and comes back when nothing is. What failed waits for its pause.
    ///
    /// May be dropped at any moment.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by version and key of each entry (contract 4.5).
    ///
    /// # Errors
    /// [`Blocked`](ErrorKind::Blocked) if another program is at work for this tenant: only one sends at a time. The store's own failures;
    /// those of single entries are in [`dead`](Self::dead) and [`numbers`](Self::numbers).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// let drained = sync.drain().await?;
    /// println!("{drained:?}");
    /// # Ok(()) });
    /// ```
    pub async fn drain(&self) -> Result<Drained, Error> {
        let mut never = pin!(std::future::pending::<()>());
        self.0.helm.kept(Box::pin(self.0.work_off(&mut never))).await.map(|(drained, _)| drained)
    }

    /// Works until `until` is over: entries of this and of other programs over the same store. What is under way then is ended properly.
    ///
    /// Of all programs that run over one store, one sends at a time, and the others stand by: when it ends, one of them goes on, and when
    /// it is killed too, at once if it ran on the same machine, else after [`Settings::lease`].
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by version and key of each entry (contract 4.5).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// let stop = std::future::ready(()); // in earnest a signal
    /// sync.run(stop).await?;
    /// # Ok(()) });
    /// ```
    pub async fn run(&self, until: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let mut until = pin!(until);
        loop {
            match self.0.helm.kept(Box::pin(self.0.worked(&mut until))).await {
                // Another program has the helm: it works, and we stand by.
                Err(error) if error.kind() == ErrorKind::Blocked => {}
                ended => return ended,
            }
            if self.0.idle(&mut until).await {
                return Ok(());
            }
        }
    }

    /// What was set aside (O6).
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// for entry in sync.dead().await? {
    ///     println!("{entry:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn dead(&self) -> Result<Vec<DeadEntry>, Error> {
        self.0.queue.dead().await
    }

    /// Tries something that was set aside again. `false` if there is no such entry, or if its lane is under way.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// for entry in sync.dead().await? {
    ///     sync.replay(entry.id).await?;
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn replay(&self, id: i64) -> Result<bool, Error> {
        self.0.queue.replay(id, &self.0.settings).await
    }

    /// The engine in numbers (O8, Y9).
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// println!("{} waiting", sync.numbers().await?.pending);
    /// # Ok(()) });
    /// ```
    pub async fn numbers(&self) -> Result<Numbers, Error> {
        let pending = self.0.queue.count(&[State::Prepared, State::InFlight, State::Unknown]).await?;
        let dead = self.0.queue.count(&[State::Dead]).await?;
        let alarm = pending > self.0.settings.alarm;
        Ok(Numbers { pending, dead, alarm, ..self.0.counts.numbers() })
    }

    /// A contact's grant as the portal has it, to be changed and handed to [`revise`](Self::revise).
    ///
    /// Idempotency: no call to the service (contract 4.2).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// match sync.grant(&contact).await? {
    ///     Some(_) => println!("{contact} sees something"),
    ///     None => println!("{contact} sees nothing"),
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn grant(&self, contact: &ContactRef) -> Result<Option<WebGrant>, Error> {
        let book = self.0.ledger.look(&[]).await?;
        Ok(book.grants.get(contact).and_then(|row| row.grant.clone()).map(WebGrant::stored))
    }

    /// Every grant.
    ///
    /// Idempotency: no call to the service (contract 4.2).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// assert_eq!(sync.grants().await?.len(), 1);
    /// # Ok(()) });
    /// ```
    pub async fn grants(&self) -> Result<Vec<crate::web::Grant>, Error> {
        let book = self.0.ledger.look(&[]).await?;
        Ok(book.grants.values().filter_map(|row| row.grant.clone()).collect())
    }

    /// Who changed which grant, with numbers to go on after, some hundreds at a time (N8).
    ///
    /// Idempotency: no call to the service (contract 4.2).
    ///
    /// # Errors
    /// The store's own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// for (number, entry) in sync.audit(0).await? {
    ///     println!("{number} at {} by {}", entry.at(), entry.by());
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn audit(&self, after: u64) -> Result<Vec<(u64, AuditEntry)>, Error> {
        self.0.ledger.audit_page(after).await
    }
}

type Until<'u, U> = Pin<&'u mut U>;

/// One lane's work on its way.
type Running<'e> = (String, BoxFuture<'e, Result<Worked, Error>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worked {
    Done,
    Failed,
    /// Another worker has it.
    Elsewhere,
}

/// What came first.
enum Came {
    Worked(String, Result<Worked, Error>),
    Until,
    /// Something was written down by this engine.
    Added,
    /// Another program may have written something down, or left a lane.
    LookAgain,
}

impl Engine {
    pub(crate) fn now(&self) -> Instant {
        self.clock.wall().into()
    }

    pub(crate) fn tell(&self, event: &SyncEvent) {
        if let Some(observer) = &self.observer {
            observer.heard(event);
        }
    }

    /// The delay of a change that the portal has taken (O8).
    pub(crate) fn acknowledged(&self, saved_at: Instant) {
        let delay = self.clock.wall().duration_since(saved_at.timestamp());
        self.counts.delay(Duration::try_from(delay).unwrap_or_default());
    }

    /// Works until `until` is over.
    async fn worked<U: Future<Output = ()> + Send>(&self, until: &mut Until<'_, U>) -> Result<(), Error> {
        loop {
            let (_, stopped) = self.work_off(until).await?;
            if stopped || self.idle(until).await {
                return Ok(());
            }
        }
    }

    /// Waits for whoever changes a grant of somebody whom a push concerns; then it may leave.
    pub(crate) async fn passing(&self, whom: BTreeSet<u64>) -> Result<Push<'_>, Error> {
        let passing = self.passage.push(whom).await;
        self.helm.is_held().map(|()| passing)
    }

    /// Works off what is due; tells also whether `until` came.
    async fn work_off<U: Future<Output = ()> + Send>(
        &self,
        until: &mut Until<'_, U>,
    ) -> Result<(Drained, bool), Error> {
        self.taken_up().await?;
        let mut schedule = self.queue.schedule().await?;
        let (mut drained, mut stopped, mut crew) = (Drained::default(), false, Crew::default());
        let mut look_again = self.clock.timer(self.settings.look_again);
        loop {
            while !stopped && crew.running.len() < self.settings.parallel {
                let Some(lane) = schedule.next(self.clock.wall(), &crew.busy()) else { break };
                schedule.forget(&lane);
                crew.running.push((lane.clone(), Box::pin(self.work(lane))));
            }
            if crew.busy().is_empty() {
                return Ok((drained, stopped));
            }
            match self.first(&mut crew, until, &mut look_again, stopped).await {
                Came::Until => stopped = true,
                // What is under way may take long, or hang: what came meanwhile does not wait for it.
                Came::Added => crew.beside(self.queue.read_on(&mut schedule)).await?,
                Came::LookAgain => {
                    schedule = crew.beside(self.queue.schedule()).await?;
                    look_again = self.clock.timer(self.settings.look_again);
                }
                Came::Worked(lane, worked) => {
                    match worked? {
                        Worked::Elsewhere => continue,
                        Worked::Done => drained.done += 1,
                        Worked::Failed => drained.failed += 1,
                    }
                    crew.beside(self.queue.read_lane(&mut schedule, &lane)).await?;
                    crew.beside(self.queue.read_on(&mut schedule)).await?;
                }
            }
        }
    }

    async fn first<U: Future<Output = ()> + Send>(
        &self,
        crew: &mut Crew<'_>,
        until: &mut Until<'_, U>,
        look_again: &mut BoxFuture<'_, ()>,
        stopped: bool,
    ) -> Came {
        let mut added = pin!(self.queue.added.notified());
        poll_fn(|context| {
            if !stopped && until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Came::Until);
            }
            if let Some((lane, worked)) = crew.finished(context) {
                return Poll::Ready(Came::Worked(lane, worked));
            }
            if !stopped && added.as_mut().poll(context).is_ready() {
                return Poll::Ready(Came::Added);
            }
            if !stopped && look_again.as_mut().poll(context).is_ready() {
                return Poll::Ready(Came::LookAgain);
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for something to do; tells whether `until` came first.
    async fn idle<U: Future<Output = ()> + Send>(&self, until: &mut Until<'_, U>) -> bool {
        let mut timer = self.clock.timer(self.settings.look_again);
        let mut added = pin!(self.queue.added.notified());
        poll_fn(|context| {
            if until.as_mut().poll(context).is_ready() {
                return Poll::Ready(true);
            }
            let something =
                added.as_mut().poll(context).is_ready() || timer.as_mut().poll(context).is_ready();
            if something { Poll::Ready(false) } else { Poll::Pending }
        })
        .await
    }

    async fn work(&self, lane: String) -> Result<Worked, Error> {
        let Some(taken) = self.queue.take(&lane, &self.settings).await? else { return Ok(Worked::Elsewhere) };
        match self.turn(&taken).await {
            Ok(()) => self.queue.done(taken).await.map(|()| Worked::Done),
            Err(error) if is_own(&error) => Err(error),
            Err(error) => self.put_off(taken, &error).await.map(|()| Worked::Failed),
        }
    }

    async fn turn(&self, taken: &Taken) -> Result<(), Error> {
        match taken.job.clone() {
            Job::Case(id) => {
                let push = self.push_case(id, &taken.causes, taken.saved_at);
                within(&*self.clock, self.settings.turn, push).await.unwrap_or_else(|| Err(too_long(id)))
            }
            Job::Grant(contact) => self.grant_worked(&contact).await,
            Job::Member(contact, id) => self.member_worked(&contact, id).await,
            Job::Load(contact) => self.single_push(&contact).await,
        }
    }

    async fn put_off(&self, taken: Taken, error: &Error) -> Result<(), Error> {
        let (what, tries) = (taken.job.lane(), taken.tries.saturating_add(1));
        match self.queue.failed(taken, error, &self.settings).await? {
            Some(_) => {
                self.counts.change(|counts| counts.put_off += 1);
                self.tell(&SyncEvent::PutOff { what, tries });
            }
            None => self.tell(&SyncEvent::Dead { what }),
        }
        Ok(())
    }
}

fn too_long(id: u64) -> Error {
    Error::new(ErrorKind::Timeout, "push a case")
        .with_outcome(Outcome::Unknown)
        .with_message(format!("case {id} took longer than its turn"))
        .with_hint("it is tried again by itself")
}

/// Whether it is our own store that failed.
fn is_own(error: &Error) -> bool {
    error.kind() == ErrorKind::Store && error.find_source::<StoreError>().is_some()
}

/// The lanes that are being worked off.
#[derive(Default)]
struct Crew<'e> {
    running: Vec<Running<'e>>,
    ended: Vec<(String, Result<Worked, Error>)>,
}

impl Crew<'_> {
    fn busy(&self) -> Vec<&str> {
        let ended = self.ended.iter().map(|(lane, _)| lane.as_str());
        self.running.iter().map(|(lane, _)| lane.as_str()).chain(ended).collect()
    }

    /// Does something while the lanes go on: one of them may be next in turn for the very connection or lock that this waits for.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            while let Some(ended) = self.polled(context) {
                self.ended.push(ended);
            }
            work.as_mut().poll(context)
        })
        .await
    }

    fn finished(&mut self, context: &mut Context<'_>) -> Option<(String, Result<Worked, Error>)> {
        self.ended.pop().or_else(|| self.polled(context))
    }

    fn polled(&mut self, context: &mut Context<'_>) -> Option<(String, Result<Worked, Error>)> {
        let mut running = self.running.iter_mut().enumerate();
        let (place, worked) = running.find_map(|(place, (_, work))| match work.as_mut().poll(context) {
            Poll::Ready(worked) => Some((place, worked)),
            Poll::Pending => None,
        })?;
        let (lane, _) = self.running.swap_remove(place);
        Some((lane, worked))
    }
}
