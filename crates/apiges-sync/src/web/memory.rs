//! A portal in memory, for tests of what is built on the synchronisation: no network, no server, a clock of one's own (contract 3.9).
//!
//! It keeps the rules of the mapping (2.2, 3.7, 3.8, 4.4, 4.5 O2 and O5, 4.6, 4.9) and passes the same suite as
//! [`HttpTransport`](super::HttpTransport) does. What the contract leaves open is listed at [`MemoryTransport`].

mod blobs;
mod cases;
mod denial;
mod grants;
mod loads;
mod portal;
mod remembered;
mod rows;
mod seen;
mod threads;
mod withdrawals;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use integration_core::clock::{Clock, SystemClock};
use integration_core::{Error, ErrorKind, Outcome};

use self::denial::Denial;
use self::portal::{Moment, Portal};
use super::{ContactRef, DocumentPlace, Limits, MessageId, ReceiptEvent, ReceiptId, RefusalCode};

/// The limits of a portal in memory unless others are set: 50 MiB, 100 items, 8 MiB.
const LIMITS: Limits = Limits { blob_bytes: 50 << 20, batch_items: 100, body_bytes: 8 << 20 };
const PAGE: u32 = 100;

type Hook = dyn Fn(&Called) -> Result<(), Error> + Send + Sync;

/// A call as the portal in memory saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Called {
    /// The row of the mapping, such as `W30`.
    pub row: &'static str,
    /// What it does, in words.
    pub operation: &'static str,
    /// What it is about, such as `C/4879` or a case's number.
    pub target: String,
    /// Whether it writes.
    pub writes: bool,
}

/// A portal in memory. Clones are the same portal.
///
/// Where the contract says nothing, it reads so: a revoked grant that comes back goes on with its versions; a preview is good once, and
/// while the union's members are those that it showed; a single load runs beside a load of all; a grant that is not there has no view (404), one
/// that is suspended and a union of nobody see nothing; a union sees the values of its first grant by kind and code; a projection and a load for a grant that is not there are refused (422); a thread needs a known case
/// (404); a load is opened, committed, closed or aborted again with the same answer; an unlinking that comes late is `stale`.
/// The portal shows what it was given: it does not mask by a grant's boxes, so that a test sees a field too many.
///
/// ```
/// use apiges_sync::web::{ContactRef, Expected, Grant, IdempotencyKey, MemoryTransport, WebSyncTransport};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let portal = MemoryTransport::new("demo");
/// let grant: Grant = serde_json::from_value(serde_json::json!({
///     "contact": {"kind": "C", "code": "4879"}, "contactId": 1, "state": "active", "version": 0, "scope": {"type": "own"},
///     "show": [], "excludedModalities": [], "admin": null, "closedCases": "withdraw", "lang": "es",
/// }))?;
/// let key = IdempotencyKey::grant("demo", &grant.contact, 1);
///
/// portal.lose_next_answer();
/// let lost = portal.put_grant(&grant, Expected::Absent, &key).await;
/// assert!(lost.is_err_and(|error| error.is_outcome_unknown()));
/// // Under the same key it is the first answer again.
/// assert_eq!(portal.put_grant(&grant, Expected::Absent, &key).await?.version, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MemoryTransport(Arc<Shared>);

struct Shared {
    tenant: String,
    clock: Arc<dyn Clock>,
    portal: Mutex<Portal>,
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    answers: usize,
    requests: usize,
    refusals: std::collections::VecDeque<Denial>,
    before: Option<Arc<Hook>>,
    calls: Vec<Called>,
}

/// Sets a [`MemoryTransport`] up.
#[derive(Debug, Clone)]
#[must_use]
pub struct MemoryTransportBuilder {
    tenant: String,
    limits: Limits,
    page: u32,
    clock: Arc<dyn Clock>,
}

impl MemoryTransportBuilder {
    /// What the portal takes in one go; 50 MiB for a blob, 100 items, 8 MiB for a body unless set.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How many items a page has when nothing is asked for; 100 unless set.
    pub fn page_items(self, items: u32) -> Self {
        Self { page: items.max(1), ..self }
    }

    /// The portal's clock; the machine's unless set.
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// An empty portal.
    #[must_use]
    pub fn build(self) -> MemoryTransport {
        let portal = Portal::new(&self.tenant, self.limits, self.page);
        MemoryTransport(Arc::new(Shared {
            tenant: self.tenant,
            clock: self.clock,
            portal: Mutex::new(portal),
            faults: Mutex::default(),
        }))
    }
}

impl MemoryTransport {
    /// An empty portal of a tenant, with the machine's clock.
    pub fn new(tenant: impl Into<String>) -> Self {
        Self::builder(tenant).build()
    }

    /// Starts setting one up.
    pub fn builder(tenant: impl Into<String>) -> MemoryTransportBuilder {
        let clock = Arc::new(SystemClock::new());
        MemoryTransportBuilder { tenant: tenant.into(), limits: LIMITS, page: PAGE, clock }
    }

    /// The next write takes effect, and its caller hears that the connection broke: outcome unknown. Adds up.
    pub fn lose_next_answer(&self) {
        self.faults().answers += 1;
    }

    /// The next write has no effect, and its caller hears that the connection broke: outcome unknown. Adds up.
    pub fn lose_next_request(&self) {
        self.faults().requests += 1;
    }

    /// The next call, whatever it is, is refused with this status and code, and has no effect. Adds up.
    pub fn refuse_next(&self, status: u16, code: RefusalCode) {
        self.faults().refusals.push_back(Denial::new(status, code));
    }

    /// Runs `hook` before every call from now on, in place of an earlier one; its error fails the call, which then has no effect.
    /// It may use the portal itself, such as to write to a thread between two batches of a load.
    pub fn before(&self, hook: impl Fn(&Called) -> Result<(), Error> + Send + Sync + 'static) {
        self.faults().before = Some(Arc::new(hook));
    }

    /// Every call so far, those that failed too.
    #[must_use]
    pub fn calls(&self) -> Vec<Called> {
        self.faults().calls.clone()
    }

    /// A viewer writes a message on the portal; nothing if the viewer does not see the case.
    #[must_use]
    pub fn viewer_writes(&self, case: u64, viewer: &ContactRef, text: &str) -> Option<MessageId> {
        let now = self.moment().now;
        self.portal().viewer_writes(case, viewer, text, now)
    }

    /// A message reaches a viewer, is read or acknowledged; nothing if the viewer does not see its case.
    #[must_use]
    pub fn viewer_receives(
        &self,
        message: &MessageId,
        viewer: &ContactRef,
        event: ReceiptEvent,
    ) -> Option<ReceiptId> {
        let now = self.moment().now;
        self.portal().viewer_receives(message, viewer, event, now)
    }

    /// From now on the portal knows that this document is hidden, and refuses it (W60); or no longer.
    pub fn mark_hidden(&self, place: &DocumentPlace, hidden: bool) {
        let set = &mut self.portal().hidden;
        if hidden {
            set.insert(place.clone());
        } else {
            set.remove(place);
        }
    }

    fn moment(&self) -> Moment {
        Moment { elapsed: self.0.clock.elapsed(), now: self.0.clock.wall().into() }
    }

    fn portal(&self) -> MutexGuard<'_, Portal> {
        self.0.portal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to a call before the portal sees it.
    fn enter(&self, called: &Called) -> Result<(), Error> {
        self.faults().calls.push(called.clone());
        // Not held while the hook runs: it may call the portal.
        let hook = self.faults().before.clone();
        hook.map_or(Ok(()), |hook| hook(called))?;
        let mut faults = self.faults();
        if let Some(denial) = faults.refusals.pop_front() {
            return Err(denial.into_error(called));
        }
        if called.writes && take_one(&mut faults.requests) {
            return Err(broken(called));
        }
        Ok(())
    }

    /// What happens to an answer before the caller sees it.
    fn leave<T>(&self, called: &Called, done: Result<T, Denial>) -> Result<T, Error> {
        if called.writes && take_one(&mut self.faults().answers) {
            return Err(broken(called));
        }
        done.map_err(|denial| denial.into_error(called))
    }
}

fn take_one(count: &mut usize) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

fn broken(called: &Called) -> Error {
    Error::new(ErrorKind::Interrupted, called.operation)
        .with_outcome(Outcome::Unknown)
        .with_hint("repeat it under the same key: nothing is done twice")
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").field("tenant", &self.0.tenant).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::{Expected, Grant, IdempotencyKey, WebSyncTransport};
    use serde_json::json;

    fn grant() -> Grant {
        serde_json::from_value(json!({
            "contact": {"kind": "C", "code": "1"}, "contactId": 1, "state": "active", "version": 0,
            "scope": {"type": "own"}, "show": [], "excludedModalities": [], "admin": null,
            "closedCases": "withdraw", "lang": "es",
        }))
        .unwrap()
    }

    fn key() -> IdempotencyKey {
        IdempotencyKey::stored("key-1")
    }

    #[tokio::test]
    async fn a_lost_request_has_no_effect_and_nobody_can_tell() {
        let portal = MemoryTransport::new("demo");
        portal.lose_next_request();
        assert!(portal.health().await.is_ok(), "only writes are lost");
        let lost = portal.put_grant(&grant(), Expected::Absent, &key()).await.unwrap_err();
        assert!(lost.is_outcome_unknown());
        assert_eq!(portal.grant(&grant().contact).await.unwrap(), None);
        assert!(portal.put_grant(&grant(), Expected::Absent, &key()).await.is_ok());
    }

    #[tokio::test]
    async fn refusals_come_in_turn_and_say_whether_anything_was_done() {
        let portal = MemoryTransport::new("demo");
        portal.refuse_next(503, RefusalCode::Refused);
        portal.refuse_next(409, RefusalCode::VersionConflict);
        let put = async || portal.put_grant(&grant(), Expected::Absent, &key()).await;
        assert!(put().await.unwrap_err().is_outcome_unknown());
        let refused = put().await.unwrap_err();
        assert_eq!((refused.kind(), refused.outcome()), (ErrorKind::Conflict, Outcome::Refused));
        assert_eq!(put().await.unwrap().version, 1);
    }

    #[tokio::test]
    async fn a_hook_sees_every_call_and_may_use_the_portal() {
        let portal = MemoryTransport::new("demo");
        let inside = portal.clone();
        portal.before(move |called| {
            inside
                .mark_hidden(&DocumentPlace { case: 1, annotation: "1".into(), document: "1".into() }, true);
            match called.row {
                "W12" => Err(Error::new(ErrorKind::Timeout, called.operation)),
                _ => Ok(()),
            }
        });
        assert!(portal.put_grant(&grant(), Expected::Absent, &key()).await.is_err_and(|e| e.is_timeout()));
        assert_eq!(portal.grant(&grant().contact).await.unwrap(), None);
        let calls = portal.calls();
        let told: Vec<_> = calls.iter().map(|called| (called.row, called.target.as_str())).collect();
        assert_eq!(told, [("W12", "C/1"), ("W11", "C/1")]);
    }
}
