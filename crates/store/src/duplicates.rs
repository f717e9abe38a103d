//! An inbox as the guard of a receiver of webhooks: claims and handled callbacks outlive the process, and several receivers on
//! several machines can share them.

use std::sync::Arc;
use std::time::Duration;

use integration_core::body::webhook::{self, Duplicates};
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};

use crate::entry::DEFAULT_LEASE;
use crate::error::StoreError;
use crate::inbox::{Claim, Inbox, Ticket};
use crate::worker::worker_name;

/// Keys of callbacks in an [`Inbox`].
///
/// A receiver that is killed while it handles a callback leaves its claim behind: the callback is handled when it comes again, at
/// once if the receiver ran on this machine and has provably ended ([`worker_is_gone`](crate::worker_is_gone)), else when the
/// lease of two minutes is over; until then the sender is told to try again. One that had finished is never handled again as
/// long as it is kept, 30 days.
///
/// ```
/// use std::sync::Arc;
/// use integration_core::body::webhook::{Entered, Guard};
/// use integration_store::{Store, StoredDuplicates};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let store = Store::open("memory:").await?; // in earnest `sqlite:…` or `postgres://…`
/// let guard = Guard::new(Arc::new(StoredDuplicates::new(store.inbox("callbacks"))));
/// if let Entered::New(handling) = guard.enter("event-17").await? {
///     handling.during(async { /* handle it */ }).await;
///     handling.done().await?;
/// }
/// assert!(matches!(guard.enter("event-17").await?, Entered::Handled));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct StoredDuplicates {
    inbox: Inbox,
    holder: Arc<str>,
    lease: Duration,
    keep: Duration,
}

impl StoredDuplicates {
    /// Claims of this process, for two minutes unless they are renewed; what was handled is kept for 30 days.
    #[must_use]
    pub fn new(inbox: Inbox) -> Self {
        let holder = worker_name(inbox.name()).into();
        Self { inbox, holder, lease: DEFAULT_LEASE, keep: Duration::from_secs(30 * 86_400) }
    }

    /// Another name for whoever claims, best made by [`worker_name`].
    #[must_use]
    pub fn holder(self, holder: impl Into<String>) -> Self {
        Self { holder: holder.into().into(), ..self }
    }

    /// Another lease. It is renewed at each third of it while a callback is being handled.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Keeps what was handled for another time.
    #[must_use]
    pub fn keep_for(self, keep: Duration) -> Self {
        Self { keep, ..self }
    }

    fn ticket(&self, ticket: &webhook::ClaimTicket) -> Ticket {
        Ticket::known(self.inbox.name(), &*ticket.key, &*self.holder, ticket.token)
    }
}

impl Duplicates for StoredDuplicates {
    fn claim<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<webhook::Claim, Error>> {
        Box::pin(async move {
            let claim = self.inbox.claim(key, &self.holder, self.lease).await;
            Ok(match claim.map_err(|error| failed("claim a callback", error))? {
                Claim::New(ticket) => webhook::Claim::New(webhook::ClaimTicket::new(key, ticket.token)),
                Claim::InProgress { .. } => webhook::Claim::InProgress,
                Claim::Handled => webhook::Claim::Handled,
            })
        })
    }

    fn done<'a>(&'a self, ticket: &'a webhook::ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let held = self.inbox.done(&self.ticket(ticket), self.keep).await;
            if !held.map_err(|error| failed("mark a callback as handled", error))? {
                tracing::warn!(
                    inbox = self.inbox.name(),
                    "a callback outlasted its claim: it may be handled twice"
                );
            }
            Ok(())
        })
    }

    fn release<'a>(&'a self, ticket: &'a webhook::ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let released = self.inbox.release(&self.ticket(ticket)).await;
            released.map_err(|error| failed("give a callback back", error))
        })
    }

    fn renew<'a>(&'a self, ticket: &'a webhook::ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let renewed = self.inbox.renew(&self.ticket(ticket), self.lease).await;
            renewed.map(drop).map_err(|error| failed("renew the claim of a callback", error))
        })
    }

    fn renew_every(&self) -> Option<Duration> {
        Some(self.lease / 3)
    }
}

fn failed(operation: &'static str, error: StoreError) -> Error {
    Error::new(ErrorKind::Store, operation)
        .with_outcome(Outcome::NotSent)
        .with_hint("see the store; the callback is handled when it comes again, or found by polling")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use integration_core::body::webhook::{Entered, Guard};
    use integration_core::clock::ManualClock;

    use super::*;
    use crate::{Memory, Store};

    fn guards(clock: &ManualClock) -> [Guard; 2] {
        let store = Store::from_backend(Memory::with_clock(Arc::new(clock.clone())));
        // Names that nobody can tell to have ended, as on two machines.
        ["one", "other"].map(|holder| {
            let duplicates = StoredDuplicates::new(store.inbox("i")).holder(holder);
            Guard::new(Arc::new(duplicates)).clock(Arc::new(clock.clone()))
        })
    }

    #[tokio::test]
    async fn what_one_receiver_claims_is_in_progress_for_the_other_until_it_is_done() {
        let [one, other] = guards(&ManualClock::new());
        let Entered::New(handling) = one.enter("k").await.unwrap() else { panic!("not new") };
        assert!(matches!(other.enter("k").await.unwrap(), Entered::InProgress));
        handling.release().await.unwrap();
        let Entered::New(handling) = other.enter("k").await.unwrap() else { panic!("not new") };
        handling.done().await.unwrap();
        for guard in [one, other] {
            assert!(matches!(guard.enter("k").await.unwrap(), Entered::Handled));
        }
    }

    #[tokio::test]
    async fn what_a_killed_receiver_leaves_is_new_after_the_lease_and_no_sooner() {
        let clock = ManualClock::new();
        let [one, other] = guards(&clock);
        // Killed: nothing of it runs any more, not even its drop.
        std::mem::forget(one.enter("k").await.unwrap());
        clock.advance(DEFAULT_LEASE - Duration::from_secs(1));
        assert!(matches!(other.enter("k").await.unwrap(), Entered::InProgress));
        clock.advance(Duration::from_secs(1));
        assert!(matches!(other.enter("k").await.unwrap(), Entered::New(_)));
    }

    #[tokio::test]
    async fn a_claim_lasts_as_long_as_the_work() {
        let clock = ManualClock::new();
        let [one, other] = guards(&clock);
        let Entered::New(handling) = one.enter("k").await.unwrap() else { panic!("not new") };
        let work = async {
            for _ in 0..20 {
                clock.advance(DEFAULT_LEASE / 3);
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                assert!(matches!(other.enter("k").await.unwrap(), Entered::InProgress));
            }
        };
        handling.during(work).await;
        handling.done().await.unwrap();
        clock.advance(Duration::from_secs(29 * 86_400));
        assert!(matches!(other.enter("k").await.unwrap(), Entered::Handled));
        clock.advance(Duration::from_secs(86_400));
        assert!(matches!(other.enter("k").await.unwrap(), Entered::New(_)));
    }
}
