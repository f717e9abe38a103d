//! The duplicate guard: which callbacks were handled already, and which are being handled.
//!
//! A callback is claimed before it is handled and marked as done afterwards. Whoever dies in between leaves a claim behind, not a
//! false "handled": once the lease has run out, or the worker has provably ended, the next delivery may be handled.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::backend::Backend;
use crate::error::StoreError;
use crate::worker::worker_is_gone;

/// The right to handle one callback: whose it is, and a number by which one claim is told from every other of the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ticket {
    /// The inbox.
    pub inbox: String,
    /// The callback's key.
    pub key: String,
    /// Who handles it, best named by [`worker_name`](crate::worker_name): then others can tell that it has ended.
    pub holder: String,
    /// Chance, never 0.
    pub token: i64,
}

impl Ticket {
    /// A ticket that no claim was made with yet.
    #[must_use]
    pub fn new(inbox: impl Into<String>, key: impl Into<String>, holder: impl Into<String>) -> Self {
        let chance = RandomState::new().build_hasher().finish();
        Self::known(inbox, key, holder, chance.cast_signed())
    }

    /// A ticket that was claimed with, from its parts.
    #[must_use]
    pub fn known(
        inbox: impl Into<String>,
        key: impl Into<String>,
        holder: impl Into<String>,
        token: i64,
    ) -> Self {
        // 0 stands in the store where there is no claim.
        let token = if token == 0 { 1 } else { token };
        Self { inbox: inbox.into(), key: key.into(), holder: holder.into(), token }
    }
}

/// What a claim of a callback came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// It is yours to handle.
    New(Ticket),
    /// Somebody is handling it.
    InProgress {
        /// The other's ticket; its `holder` says who.
        by: Ticket,
        /// When the other's lease runs out, unless it is renewed.
        until: Timestamp,
    },
    /// It was handled.
    Handled,
}

/// One inbox of a [`Store`](crate::Store).
///
/// ```
/// # use std::time::Duration;
/// # use integration_store::{Claim, Store, worker_name};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let inbox = Store::open("memory:").await?.inbox("callbacks");
/// let (holder, lease, month) = (worker_name("billing"), Duration::from_secs(60), Duration::from_secs(30 * 86_400));
/// match inbox.claim("event-17", &holder, lease).await? {
///     Claim::New(ticket) => {
///         // Handle it; if that fails: inbox.release(&ticket).await?
///         inbox.done(&ticket, month).await?;
///     }
///     Claim::InProgress { .. } => {} // answer so that the sender tries again
///     _ => {}                        // a duplicate
/// }
/// assert_eq!(inbox.claim("event-17", &holder, lease).await?, Claim::Handled);
/// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
/// ```
///
/// Where a callback that is lost together with its process does no harm, [`remember`](Self::remember) does it in one step.
#[derive(Debug, Clone)]
pub struct Inbox {
    backend: Arc<dyn Backend>,
    name: Arc<str>,
}

impl Inbox {
    pub(crate) fn new(backend: Arc<dyn Backend>, name: String) -> Self {
        Self { backend, name: name.into() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Claims a callback for `lease`, also one whose lease has run out, and at once one whose holder has provably ended
    /// ([`worker_is_gone`](crate::worker_is_gone)). See [`Backend::claim_key`].
    ///
    /// One holder may not claim a callback twice at a time: two tasks of one program are two.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn claim(&self, key: &str, holder: &str, lease: Duration) -> Result<Claim, StoreError> {
        let ticket = Ticket::new(&*self.name, key, holder);
        let first = self.backend.claim_key(&ticket, lease).await?;
        let Claim::InProgress { by, .. } = &first else { return Ok(first) };
        if !worker_is_gone(&by.holder) {
            return Ok(first);
        }
        // Frees that very claim and no later one, so of any number who notice the end at once only one comes next.
        self.backend.release_key(by).await?;
        self.backend.claim_key(&ticket, lease).await
    }

    /// Makes a claim last `lease` from now; `false` if somebody else has taken the callback over, or it was handled.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn renew(&self, ticket: &Ticket, lease: Duration) -> Result<bool, StoreError> {
        Ok(matches!(self.backend.claim_key(ticket, lease).await?, Claim::New(_)))
    }

    /// Writes down that a callback was handled, and keeps that for `keep`. `false` if the claim was lost meanwhile: the callback
    /// counts as handled all the same, but somebody else may have begun to handle it, too. See [`Backend::done_key`].
    ///
    /// # Errors
    ///
    /// The store's own failures. The callback will be handled again then, unless this is repeated.
    pub async fn done(&self, ticket: &Ticket, keep: Duration) -> Result<bool, StoreError> {
        self.backend.done_key(ticket, keep).await
    }

    /// Gives a claim back, for a callback whose handling failed. Nothing happens if the claim was lost.
    ///
    /// # Errors
    ///
    /// The store's own failures. The callback can be claimed once the lease has run out.
    pub async fn release(&self, ticket: &Ticket) -> Result<(), StoreError> {
        self.backend.release_key(ticket).await
    }

    /// Remembers a key as handled for `ttl`; `true` only for whoever may handle it. See [`Backend::remember`].
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn remember(&self, key: &str, ttl: Duration) -> Result<bool, StoreError> {
        self.backend.remember(&self.name, key, ttl).await
    }

    /// Forgets a key, remembered, claimed or done.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn forget(&self, key: &str) -> Result<(), StoreError> {
        self.backend.forget(&self.name, key).await
    }

    /// Forgets every key whose time has run out, and tells how many.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn purge(&self) -> Result<u64, StoreError> {
        self.backend.purge(&self.name).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;
    #[cfg(target_os = "linux")]
    use crate::worker::name_of_one_that_ended;
    use crate::worker::worker_name;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn inbox() -> Inbox {
        Inbox::new(Arc::new(Memory::new()), "i".to_owned())
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn what_a_dead_worker_had_claimed_is_claimed_at_once_and_by_one() {
        let inbox = inbox();
        let gone = name_of_one_that_ended();
        let Claim::New(old) = inbox.claim("k", &gone, HOUR).await.unwrap() else { panic!("not claimed") };
        let Claim::New(ticket) = inbox.claim("k", &worker_name("w"), HOUR).await.unwrap() else {
            panic!("the dead keep it")
        };
        let third = inbox.claim("k", &worker_name("w"), HOUR).await.unwrap();
        assert!(matches!(third, Claim::InProgress { by, .. } if by == ticket));
        // What the dead one's last words would do.
        inbox.release(&old).await.unwrap();
        assert!(inbox.renew(&ticket, HOUR).await.unwrap());
        assert!(inbox.done(&ticket, HOUR).await.unwrap());
        assert_eq!(inbox.claim("k", "x", HOUR).await.unwrap(), Claim::Handled);
    }

    #[tokio::test]
    async fn a_living_worker_keeps_what_it_claimed() {
        let inbox = inbox();
        let me = worker_name("w");
        assert!(matches!(inbox.claim("k", &me, HOUR).await.unwrap(), Claim::New(_)));
        for holder in [me.as_str(), "another"] {
            let claim = inbox.claim("k", holder, HOUR).await.unwrap();
            assert!(matches!(&claim, Claim::InProgress { by, .. } if by.holder == me), "{claim:?}");
        }
    }

    #[test]
    fn tickets_differ_and_are_never_zero() {
        assert_ne!(Ticket::new("i", "k", "h"), Ticket::new("i", "k", "h"));
        assert_eq!(Ticket::known("i", "k", "h", 0).token, 1);
    }
}
