//! Of all programs over one store, which may send (contract O3, O7).
//!
//! The rules enforced here: what is sent for a tenant is sent by one program at a time, so that "one in flight per case" and "restrictions go
//! first" hold over all of them; whoever holds the helm renews it while it works, and sends nothing once it may have run out; a program that
//! was killed on this machine is succeeded at once, any other when its lease is over.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use integration_store::{Claim, Inbox, Store, StoreError, Ticket, worker_name};

use super::ledger::stored;
use crate::Clock;

#[derive(Debug)]
pub(crate) struct Helm {
    inbox: Inbox,
    worker: String,
    lease: Duration,
    clock: Arc<dyn Clock>,
    /// One claim at a time; the ticket stays the same, so that a claim that was left by a dropped call is ours still.
    ticket: tokio::sync::Mutex<Option<Ticket>>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    users: usize,
    /// By the clock's elapsed time.
    until: Duration,
}

/// The right to send, for as long as this lives and is renewed.
#[derive(Debug)]
pub(crate) struct AtHelm<'h>(&'h Helm);

impl Helm {
    pub(crate) fn new(store: &Store, tenant: &str, lease: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            inbox: store.inbox(format!("apiges/{tenant}")),
            worker: worker_name("apiges-sync"),
            lease,
            clock,
            ticket: tokio::sync::Mutex::new(None),
            held: Mutex::default(),
        }
    }

    /// Takes the helm, or joins those of this program who have it; nothing if another program has it.
    pub(crate) async fn taken(&self) -> Result<Option<AtHelm<'_>>, Error> {
        if self.joined() {
            return Ok(Some(AtHelm(self)));
        }
        Ok(self.claimed(1).await?.then(|| AtHelm(self)))
    }

    /// Whether somebody of this program has it for long enough, and keeps it.
    fn joined(&self) -> bool {
        let mut held = self.held();
        let joins = held.users > 0 && self.clock.elapsed().saturating_add(self.lease / 2) < held.until;
        held.users += usize::from(joins);
        joins
    }

    /// As [`taken`](Self::taken); an error if another program has it.
    pub(crate) async fn demanded(&self) -> Result<AtHelm<'_>, Error> {
        self.taken().await?.ok_or_else(elsewhere)
    }

    /// Does work under the helm, which is renewed meanwhile; if it is lost, the work ends where it is. Boxed, since it is large, and part of
    /// every caller's future otherwise.
    pub(crate) async fn kept<T>(&self, work: BoxFuture<'_, Result<T, Error>>) -> Result<T, Error> {
        let at_helm = self.demanded().await?;
        let done = self.renewed_beside(work).await;
        at_helm.left().await;
        done
    }

    async fn renewed_beside<T>(&self, mut work: BoxFuture<'_, Result<T, Error>>) -> Result<T, Error> {
        let mut renewal = self.renewal();
        std::future::poll_fn(|context| {
            while let Poll::Ready(renewed) = renewal.as_mut().poll(context) {
                match renewed {
                    Ok(true) => renewal = self.renewal(),
                    Ok(false) => return Poll::Ready(Err(elsewhere())),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            work.as_mut().poll(context)
        })
        .await
    }

    /// Whether it was had once more, a third of the lease later.
    fn renewal(&self) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(async {
            self.clock.timer(self.lease / 3).await;
            self.claimed(0).await
        })
    }

    /// Whether it was had, or had once more, and by so many more.
    async fn claimed(&self, users: usize) -> Result<bool, Error> {
        let mut ticket = self.ticket.lock().await;
        // Counted from before the question: the lease is no shorter.
        let until = self.clock.elapsed().saturating_add(self.lease);
        let claimed = match &*ticket {
            Some(own) => self.inbox.renew(own, self.lease).await.map_err(stored)?,
            None => {
                *ticket = self.ticket_had().await.map_err(stored)?;
                ticket.is_some()
            }
        };
        if claimed {
            // While the ticket is locked: whoever leaves counts this one.
            let mut held = self.held();
            held.until = until;
            held.users += users;
            if held.users > 0 {
                at_work().insert(self.worker.clone());
            }
        } else {
            *ticket = None;
        }
        Ok(claimed)
    }

    async fn ticket_had(&self) -> Result<Option<Ticket>, StoreError> {
        let claim = || self.inbox.claim(HELM, &self.worker, self.lease);
        let by = match claim().await? {
            Claim::New(own) => return Ok(Some(own)),
            Claim::InProgress { by, .. } => by,
            _ => return Ok(None),
        };
        if !is_abandoned(&self.worker, &by.holder) {
            return Ok(None);
        }
        // Frees that very claim and no later one.
        self.inbox.release(&by).await?;
        Ok(match claim().await? {
            Claim::New(own) => Some(own),
            _ => None,
        })
    }

    /// Asked right before something is sent.
    pub(crate) fn is_held(&self) -> Result<(), Error> {
        let held = self.held();
        if held.users > 0 && self.clock.elapsed() < held.until { Ok(()) } else { Err(elsewhere()) }
    }

    /// Whether only one is left who has it; then nobody joins any more.
    fn ends(&self) -> bool {
        let mut held = self.held();
        if held.users == 1 {
            held.until = Duration::ZERO;
        }
        held.users == 1
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AtHelm<'_> {
    /// Gives it back if nobody else of this program needs it. What fails here runs out by itself.
    async fn left(self) {
        let mut ticket = self.0.ticket.lock().await;
        if self.0.ends()
            && let Some(own) = ticket.take()
        {
            let released: Result<(), StoreError> = self.0.inbox.release(&own).await;
            drop(released);
        }
    }
}

impl Drop for AtHelm<'_> {
    fn drop(&mut self) {
        let mut held = self.0.held();
        held.users = held.users.saturating_sub(1);
        if held.users == 0 {
            at_work().remove(&self.0.worker);
        }
    }
}

/// Of this program's engines those that are at work. One that was dropped in the middle of it cannot give the helm back, and does not need
/// it any more.
static AT_WORK: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn at_work() -> MutexGuard<'static, BTreeSet<String>> {
    AT_WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a holder is an engine of this very program that works no more. Where a name does not tell the program, none is.
fn is_abandoned(own: &str, holder: &str) -> bool {
    let program = |worker: &str| worker.split_once('#').map(|(program, _)| program.to_owned());
    let told = program(own).filter(|program| !program.ends_with('@'));
    told.is_some() && told == program(holder) && !at_work().contains(holder)
}

const HELM: &str = "helm";

fn elsewhere() -> Error {
    Error::new(ErrorKind::Blocked, "synchronise")
        .with_outcome(Outcome::NotSent)
        .with_message("another program synchronises this tenant over the same store")
        .with_hint("changes and saves that are reported here are written down, and that program sends them")
}
