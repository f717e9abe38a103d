//! Whether the portal holds what the ledger says, and what follows if not (contract 4.6).
//!
//! The rules enforced here: both sides are compared by a digest, while nothing is on its way; a mismatch is counted and starts a single
//! push, by which the portal gets everything under new versions; what the portal shows and the ledger does not know is judged file by file.

use integration_core::Error;

use super::engine::{Engine, WebSync};
use super::ledger::Book;
use super::ports::SyncEvent;
use crate::web::{ContactRef, DigestLine, Grant, GrantState, Viewer, digest};

/// What [`WebSync::reconcile`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconciled {
    /// How many grants were compared.
    pub compared: u64,
    /// Whose files the portal holds otherwise. Each is being mended: work off what is due.
    pub mismatches: Vec<ContactRef>,
}

impl WebSync {
    /// Compares every active grant at the portal with the ledger (W17);
    /// a suspended one gets everything anew when it is resumed. What differs is written down for a single push, which
    /// [`run`](Self::run) or [`drain`](Self::drain) does.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at the portal (contract 4.6).
    ///
    /// # Errors
    /// [`Blocked`](integration_core::ErrorKind::Blocked) if another program is at work for this tenant; what the calls met, and the store's
    /// own failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// let found = sync.reconcile().await?;
    /// println!("{found:?}");
    /// sync.drain().await?; // mends what differs
    /// # Ok(()) });
    /// ```
    pub async fn reconcile(&self) -> Result<Reconciled, Error> {
        let _no_load = self.0.loading.lock().await;
        self.0.helm.kept(Box::pin(self.0.reconciled())).await
    }
}

impl Engine {
    async fn reconciled(&self) -> Result<Reconciled, Error> {
        let book = self.ledger.look(&[]).await?;
        let rows = book.grants.values().filter(|row| row.task.is_none() && row.spread.is_empty());
        let mut found = Reconciled::default();
        let active = |grant: &&Grant| grant.state == GrantState::Active;
        for grant in rows.filter_map(|row| row.grant.as_ref()).filter(active) {
            found.compared += 1;
            if !self.agrees(grant).await? {
                found.mismatches.push(grant.contact.clone());
                self.mend(&grant.contact).await?;
            }
        }
        Ok(found)
    }

    async fn agrees(&self, grant: &Grant) -> Result<bool, Error> {
        let nothing = self.passage.change(grant.contact_id).await;
        nothing.alone().await;
        let held = self.ledger.held(&grant.contact).await?;
        let theirs = match self.transport.digest(&grant.contact).await {
            Err(error) if error.is_not_found() => return Ok(false),
            answer => answer?,
        };
        let lines = held.iter().map(|(id, hold)| DigestLine::known(*id, hold.version, hold.view));
        let ours = digest(lines);
        Ok(held.iter().all(|(_, hold)| hold.sure)
            && theirs.count == held.len() as u64
            && theirs.digest == ours)
    }

    async fn mend(&self, contact: &ContactRef) -> Result<(), Error> {
        self.counts.change(|counts| counts.mismatches += 1);
        self.tell(&SyncEvent::Mismatch { contact: contact.clone() });
        if self.transport.grant(contact).await?.is_none() {
            return self.grant_lost(contact).await;
        }
        let shown = self.transport.view(&Viewer::Contact(contact.clone())).await?;
        for file in &shown.items {
            self.remembered(file.case_id, std::slice::from_ref(contact)).await?;
        }
        let held: Vec<u64> = self.ledger.held(contact).await?.into_iter().map(|(id, _)| id).collect();
        for ids in held.chunks(DOUBTED_AT_ONCE) {
            let doubt = |book: &mut Book| {
                let holds = book.cases.values_mut().filter_map(|row| row.holds.get_mut(contact));
                holds.for_each(|hold| hold.sure = false);
                Ok(())
            };
            self.ledger.change(ids, doubt).await?;
        }
        self.restricted(held).await?;
        self.queue.add([self.load_mark(contact)]).await
    }
}

const DOUBTED_AT_ONCE: usize = 500;
