//! Changes of grants (contract 4.2, O7).
//!
//! The rules enforced here: a change is durable before it is sent; until the portal has it, files are judged by what is open both before and
//! after; it is sent while no push that it concerns is on its way; what follows from it is written down in the commit that notes the portal's answer, with
//! the audit entry (N8). After a lost answer the same key goes out again, and if that does not settle it, the portal is asked.

use integration_core::{Error, ErrorKind, Fault, Outcome};

use super::engine::{Engine, WebSync};
use super::ledger::{Book, GrantRow, GrantTask, Spread, Want};
use super::queue::{Job, Mark, Rank};
use crate::grant::{AuditEntry, PairTag, WebGrant};
use crate::web::{
    Cause, ContactRef, Expected, Grant, GrantState, IdempotencyKey, Refusal, RefusalCode, Rename,
    UnionPreview, UnionRequest,
};

const CHANGE: &str = "change a grant";

/// What became of a change of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantOutcome {
    /// The portal has it; see [`WebSync::grant`].
    Applied,
    /// It is written down, and goes out when the portal can be reached; what it shuts is shut for all pushes from now on.
    ///
    /// So too if another program over the same store is at work for this tenant: then that one sends it.
    Queued,
}

impl WebSync {
    /// Opens files to a contact; they are sent by [`run`](Self::run) or [`drain`](Self::drain). `by` is who did it, for the audit.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) (contract 4.2).
    ///
    /// # Errors
    /// A validation error with every fault of the grant; [`Conflict`](ErrorKind::Conflict) if the contact has one already; the portal's
    /// refusal. Nothing is changed then.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await;
    /// # let (contact, id, sync) = (office.contact.clone(), office.person, office.sync.clone());
    /// use apiges_sync::grant::WebGrant;
    /// use apiges_sync::web::FieldBox;
    ///
    /// // Deny by default: of the references only the first is shown.
    /// let grant = WebGrant::new(contact, id).show(FieldBox::Referencia1).activated()?;
    /// sync.open(&grant, "ana").await?;
    /// sync.drain().await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias("abrir", "autorizar"))]
    pub async fn open(&self, grant: &WebGrant, by: &str) -> Result<GrantOutcome, Error> {
        let wanted = grant.to_wire(&self.0.settings.rules)?;
        let contact = wanted.contact.clone();
        self.0
            .grant_changed(&contact, Some(wanted.contact_id), by, |row| match &row.grant {
                None => Ok(Want::Put(Box::new(wanted.clone()))),
                Some(_) => Err(conflict("the contact has a grant already", "change that one")),
            })
            .await
    }

    /// Changes what a contact's grant opens. Take it from [`grant`](Self::grant) first.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) (contract 4.2).
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Conflict`](ErrorKind::Conflict) if the contact has none, or if it changed meanwhile.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// let grant = sync.grant(&contact).await?.ok_or("no grant")?;
    /// sync.revise(&grant.exclude_modality("P"), "ana").await?;
    /// # Ok(()) });
    /// ```
    pub async fn revise(&self, grant: &WebGrant, by: &str) -> Result<GrantOutcome, Error> {
        let wanted = grant.to_wire(&self.0.settings.rules)?;
        let contact = wanted.contact.clone();
        self.0
            .grant_changed(&contact, Some(wanted.contact_id), by, |row| {
                let stands = stored(row)?;
                if stands.version != wanted.version || stands.contact_id != wanted.contact_id {
                    return Err(conflict("the grant changed meanwhile", "read the grant again, then decide"));
                }
                Ok(Want::Put(Box::new(wanted.clone())))
            })
            .await
    }

    /// The portal refuses the contact; the data stays (N2).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) (contract 4.2).
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) unless the grant is active; the portal's refusal.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// sync.suspend(&contact, "ana").await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias = "suspender")]
    pub async fn suspend(&self, contact: &ContactRef, by: &str) -> Result<GrantOutcome, Error> {
        let moved =
            |row: &GrantRow| WebGrant::stored(stored(row)?.clone()).suspended().map(|_| Want::Suspend);
        self.0.grant_changed(contact, None, by, moved).await
    }

    /// Opens it again; a single push follows (N2).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) (contract 4.2).
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) unless the grant is suspended; the portal's refusal.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// sync.suspend(&contact, "ana").await?;
    /// sync.resume(&contact, "ana").await?;
    /// sync.drain().await?;
    /// # Ok(()) });
    /// ```
    pub async fn resume(&self, contact: &ContactRef, by: &str) -> Result<GrantOutcome, Error> {
        let moved = |row: &GrantRow| WebGrant::stored(stored(row)?.clone()).resumed().map(|_| Want::Resume);
        self.0.grant_changed(contact, None, by, moved).await
    }

    /// Takes the grant and everything it opened away (N2).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) (contract 4.2).
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if there is none; the portal's refusal.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// sync.revoke(&contact, "ana").await?;
    /// assert!(sync.grant(&contact).await?.is_none());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "revocar")]
    pub async fn revoke(&self, contact: &ContactRef, by: &str) -> Result<GrantOutcome, Error> {
        self.0.grant_changed(contact, None, by, |row| stored(row).map(|_| Want::Revoke)).await
    }

    /// The contact's code is another from now on; its data stays (W15).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) (contract 3.7, 4.2).
    ///
    /// # Errors
    /// A validation error for a code that names nobody; [`Conflict`](ErrorKind::Conflict) if there is no grant or the code is taken.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// sync.rename(&contact, "0099", "ana").await?;
    /// # Ok(()) });
    /// ```
    pub async fn rename(
        &self,
        contact: &ContactRef,
        new_code: &str,
        by: &str,
    ) -> Result<GrantOutcome, Error> {
        ContactRef::new(contact.kind().clone(), new_code).map_err(|bad| {
            let fault = Fault::error("W15", "newCode").with_hint(bad.to_string());
            Error::validation(CHANGE, vec![fault])
        })?;
        self.0
            .grant_changed(contact, None, by, |row| stored(row).map(|_| Want::Rename(new_code.to_owned())))
            .await
    }

    /// Who would be in a union if `joining` had this pair (N7). Show the members to a person; their consent is the preview's id, given to
    /// [`WebGrant::confirmed`].
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.2).
    ///
    /// # Errors
    /// The portal's refusal, and what the call met.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// # let tag: apiges_sync::grant::PairTag = unreachable!();
    /// let preview = sync.preview_union(&tag, &contact).await?;
    /// println!("{preview:?}"); // a person consents to it
    /// # Ok(()) });
    /// ```
    pub async fn preview_union(
        &self,
        pair_tag: &PairTag,
        joining: &ContactRef,
    ) -> Result<UnionPreview, Error> {
        let request = UnionRequest { pair_tag: pair_tag.clone(), joining: joining.clone() };
        self.0.transport.preview_union(&request, &IdempotencyKey::generate()?).await
    }
}

impl Engine {
    /// Writes a change down and sends it, if the portal can be reached.
    async fn grant_changed(
        &self,
        contact: &ContactRef,
        wanted: Option<u64>,
        by: &str,
        want: impl Fn(&GrantRow) -> Result<Want, Error>,
    ) -> Result<GrantOutcome, Error> {
        if by.trim().is_empty() {
            let fault = Fault::error("N8", "by").with_hint("who changes it, for the audit");
            return Err(Error::validation(CHANGE, vec![fault]));
        }
        let contact_id = match wanted {
            Some(id) => id,
            None => self.id_of(contact).await?,
        };
        let change = self.passage.change(contact_id).await;
        let at = self.now();
        let note = |book: &mut Book| {
            let row = book.grants.get(contact).cloned().unwrap_or_default();
            let doubt = may_be_replaced(&row)?;
            let task = GrantTask { by: by.to_owned(), at, want: want(&row)?, doubt };
            let row = book.grant_row(contact);
            row.drop_task();
            row.task = Some(task);
            Ok(())
        };
        self.ledger.change(&[], note).await?;
        self.queue.add([self.grant_mark(contact)]).await?;
        // Pushes that were judged before are over when this is had.
        change.alone().await;
        match self.helm.kept(Box::pin(self.grant_sent(contact))).await {
            Ok(outcome) => Ok(outcome),
            Err(error) if is_passing(&error) => Ok(GrantOutcome::Queued),
            Err(error) => Err(error),
        }
    }

    /// Who a contact is, as far as the ledger knows.
    async fn id_of(&self, contact: &ContactRef) -> Result<u64, Error> {
        let book = self.ledger.look(&[]).await?;
        let row = book.grants.get(contact);
        let wanted = row.and_then(|row| match row.task.as_ref().map(|task| &task.want) {
            Some(Want::Put(wanted)) => Some(wanted.contact_id),
            _ => None,
        });
        Ok(row.and_then(|row| row.grant.as_ref()).map(|grant| grant.contact_id).or(wanted).unwrap_or(0))
    }

    pub(crate) fn grant_mark(&self, contact: &ContactRef) -> Mark {
        Mark {
            job: Job::Grant(contact.clone()),
            rank: Rank::Grant,
            cause: Cause::Grant,
            saved_at: self.now(),
        }
    }

    /// Marks for changes that a killed program left without one.
    pub(crate) async fn taken_up(&self) -> Result<(), Error> {
        let book = self.ledger.look(&[]).await?;
        for (contact, _) in book.grants.iter().filter(|(_, row)| row.task.is_some() || !row.spread.is_empty())
        {
            let mark = self.grant_mark(contact);
            if !self.queue.has_open(&mark.job).await? {
                self.queue.add([mark]).await?;
            }
        }
        self.loads_left().await
    }

    /// A grant's mark: what is to be sent is sent, then its consequences are drawn.
    pub(crate) async fn grant_worked(&self, contact: &ContactRef) -> Result<(), Error> {
        {
            let change = self.passage.change(self.id_of(contact).await?).await;
            change.alone().await;
            self.grant_sent(contact).await?;
        }
        self.spread(contact).await
    }

    /// Sends what is to be sent. The caller keeps pushes away meanwhile.
    async fn grant_sent(&self, contact: &ContactRef) -> Result<GrantOutcome, Error> {
        for _ in 0..3 {
            let book = self.ledger.look(&[]).await?;
            let row = book.grants.get(contact).cloned().unwrap_or_default();
            let Some(task) = row.task.clone() else { return Ok(GrantOutcome::Applied) };
            self.may_have_left(contact).await?;
            self.helm.is_held()?;
            match self.grant_call(contact, &row, &task.want).await {
                Ok(after) => {
                    return self.grant_taken(contact, &task, after).await.map(|()| GrantOutcome::Applied);
                }
                Err(error) if is_passing(&error) => return Err(error),
                Err(error) => {
                    if let Some(outcome) = self.grant_resolved(contact, &row, &task, error).await? {
                        return Ok(outcome);
                    }
                }
            }
        }
        Err(conflict("the grant keeps changing at the portal", "read the grant again, then decide"))
    }

    async fn may_have_left(&self, contact: &ContactRef) -> Result<(), Error> {
        let note = |book: &mut Book| {
            if let Some(task) = &mut book.grant_row(contact).task {
                task.doubt = true;
            }
            Ok(())
        };
        self.ledger.change(&[], note).await
    }

    async fn grant_call(
        &self,
        contact: &ContactRef,
        row: &GrantRow,
        want: &Want,
    ) -> Result<Option<Grant>, Error> {
        let key = IdempotencyKey::grant(&self.tenant, contact, row.floor.saturating_add(1));
        let stands = row.grant.as_ref();
        let version = stands.map_or(0, |grant| grant.version);
        match want {
            Want::Put(wanted) => {
                let expected = stands.map_or(Expected::Absent, |grant| Expected::Version(grant.version));
                self.transport.put_grant(wanted, expected, &key).await.map(Some)
            }
            Want::Suspend => self.transport.suspend(contact, version, &key).await.map(Some),
            Want::Resume => self.transport.resume(contact, version, &key).await.map(Some),
            Want::Revoke => self.transport.revoke(contact, version, &key).await.map(|_| None),
            Want::Rename(code) => {
                let contact_id = stands.map_or(0, |grant| grant.contact_id);
                let rename = Rename { new_code: code.clone(), contact_id };
                self.transport.rename(contact, &rename, &key).await.map(Some)
            }
        }
    }

    /// The portal said no for good. Was it, because an earlier sending of ours was taken? `None`: send again on what stands there.
    async fn grant_resolved(
        &self,
        contact: &ContactRef,
        row: &GrantRow,
        task: &GrantTask,
        error: Error,
    ) -> Result<Option<GrantOutcome>, Error> {
        let asked = match &task.want {
            Want::Rename(code) => {
                ContactRef::new(contact.kind().clone(), code.clone()).unwrap_or(contact.clone())
            }
            _ => contact.clone(),
        };
        let current = self.transport.grant(&asked).await?;
        let same_as_ours = current.as_ref().zip(row.grant.as_ref()).is_some_and(|(now, own)| now == own);
        if task.doubt && has_taken(row, &task.want, current.as_ref()) {
            return self.grant_taken(contact, task, current).await.map(|()| Some(GrantOutcome::Applied));
        }
        let is_stale = is_about_versions(&error) && !same_as_ours && !matches!(task.want, Want::Rename(_));
        if task.doubt && is_stale {
            return self.grant_learnt(contact, current, true).await.map(|()| None);
        }
        // Somebody else changed it at the portal: the ledger learns what stands there, and the caller decides anew.
        let current = if is_stale { current } else { row.grant.clone() };
        self.grant_learnt(contact, current, false).await?;
        Err(error)
    }

    /// The portal has no such grant any more: the ledger learns it, and forgets what it held.
    pub(crate) async fn grant_lost(&self, contact: &ContactRef) -> Result<(), Error> {
        self.grant_learnt(contact, None, false).await?;
        self.queue.add([self.grant_mark(contact)]).await
    }

    /// The ledger takes over how the portal has the grant, and keeps the change or drops it.
    async fn grant_learnt(
        &self,
        contact: &ContactRef,
        current: Option<Grant>,
        keep: bool,
    ) -> Result<(), Error> {
        let learn = |book: &mut Book| {
            let row = book.grant_row(contact);
            let before = std::mem::replace(&mut row.grant, current.clone());
            let version = current.as_ref().map_or(0, |grant| grant.version);
            // A key that the portal knows with another body is spent.
            row.floor = row.floor.saturating_add(u64::from(keep)).max(version);
            if before != current {
                row.spread.push(Spread { before, after: current.clone() });
            }
            if !keep {
                row.drop_task();
            }
            Ok(())
        };
        self.ledger.change(&[], learn).await
    }

    /// The portal has the change: ledger, audit and what follows, in one commit.
    async fn grant_taken(
        &self,
        contact: &ContactRef,
        sent: &GrantTask,
        after: Option<Grant>,
    ) -> Result<(), Error> {
        if let Some(renamed) = after.as_ref().filter(|after| after.contact != *contact) {
            return self.grant_renamed(contact, renamed).await;
        }
        let take = |book: &mut Book| {
            let row = book.grant_row(contact);
            let before = std::mem::replace(&mut row.grant, after.clone());
            row.floor = row.floor.saturating_add(1).max(after.as_ref().map_or(0, |grant| grant.version));
            // What another program wrote down meanwhile is still to be sent.
            row.task = row.task.take().filter(|task| !task.is_same(sent));
            let entry = AuditEntry::new(sent.at, sent.by.as_str(), before.as_ref(), after.as_ref());
            row.spread.push(Spread { before, after: after.clone() });
            book.audit(&entry)
        };
        self.ledger.change(&[], take).await
    }

    /// The alias moves in everything that is remembered; the identity stays.
    async fn grant_renamed(&self, old: &ContactRef, after: &Grant) -> Result<(), Error> {
        let new = &after.contact;
        let cases = self.cases_naming(old).await?;
        let take = |book: &mut Book| {
            let row = book.grant_row(old);
            let (before, task) = (row.grant.take(), row.task.take());
            row.floor = row.floor.saturating_add(1);
            for case in book.cases.values_mut() {
                let holds = std::mem::take(&mut case.holds);
                case.holds = holds
                    .into_iter()
                    .map(|(grant, mut hold)| {
                        if hold.holder == *old {
                            hold.holder = new.clone();
                        }
                        (if grant == *old { new.clone() } else { grant }, hold)
                    })
                    .collect();
                // It named the old code: it is not sent again as it was.
                if let Some(open) = &mut case.open {
                    open.content = crate::web::Sha256::from_bytes([0; 32]);
                }
            }
            let row = book.grant_row(new);
            row.floor = row.floor.saturating_add(1).max(after.version);
            row.grant = Some(after.clone());
            let Some(task) = task else { return Ok(()) };
            let entry = AuditEntry::new(task.at, task.by.as_str(), before.as_ref(), Some(after));
            row.spread.push(Spread { before: None, after: Some(after.clone()) });
            book.audit(&entry)
        };
        self.ledger.change(&cases, take).await?;
        self.queue.add([self.grant_mark(new)]).await
    }

    async fn cases_naming(&self, contact: &ContactRef) -> Result<Vec<u64>, Error> {
        let book = self.ledger.look(&[]).await?;
        let mut cases = std::collections::BTreeSet::new();
        for grant in book.grants.keys() {
            let held = self.ledger.held(grant).await?.into_iter();
            cases.extend(
                held.filter(|(_, hold)| grant == contact || hold.holder == *contact).map(|(id, _)| id),
            );
        }
        Ok(cases.into_iter().collect())
    }
}

fn stored(row: &GrantRow) -> Result<&Grant, Error> {
    row.grant.as_ref().ok_or_else(|| conflict("the contact has no grant", "open one"))
}

/// Whether a new change may take the place of what is under way, and whether that may have left already.
fn may_be_replaced(row: &GrantRow) -> Result<bool, Error> {
    match &row.task {
        None => Ok(false),
        Some(GrantTask { want: Want::Rename(_), .. }) => Err(Error::new(ErrorKind::Blocked, CHANGE)
            .with_outcome(Outcome::NotSent)
            .with_message("a change of the code is still on its way")
            .with_hint("work off what is due (run or drain), then change it")),
        Some(task) => Ok(task.doubt),
    }
}

fn has_taken(row: &GrantRow, want: &Want, current: Option<&Grant>) -> bool {
    let is = |state: GrantState| current.is_some_and(|current| current.state == state);
    match want {
        Want::Put(wanted) => current
            .is_some_and(|current| Grant { version: current.version, ..Grant::clone(wanted) } == *current),
        Want::Suspend => is(GrantState::Suspended),
        Want::Resume => is(GrantState::Active),
        Want::Revoke => current.is_none(),
        Want::Rename(_) => {
            let id = row.grant.as_ref().map(|grant| grant.contact_id);
            current.is_some_and(|current| Some(current.contact_id) == id)
        }
    }
}

fn is_about_versions(error: &Error) -> bool {
    let code = Refusal::of(error).map(|refusal| &refusal.code);
    let said = matches!(
        code,
        Some(RefusalCode::VersionConflict | RefusalCode::IdempotencyMismatch | RefusalCode::NotFound)
    );
    said || error.is_not_found()
}

/// Whether the same may succeed later by itself.
fn is_passing(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::Validation
            | ErrorKind::Configuration
            | ErrorKind::Refused
            | ErrorKind::NotFound
            | ErrorKind::TooLarge
            | ErrorKind::Conflict
            | ErrorKind::Store
    )
}

fn conflict(message: &str, hint: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, CHANGE)
        .with_outcome(Outcome::NotSent)
        .with_message(message)
        .with_hint(hint)
}
