//! What the engine needs of the firm: its case files, its groups, and somebody to tell what happens (contract 4.3, 4.4, N5).
//!
//! The rules enforced here: "there is no such file" is `None` and every other failure is an error; a list says whether it provably is
//! everything, and nothing is taken away because it is absent from one that does not (Y4).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use integration_core::{BoxFuture, Error};

use crate::grant::HolderRole;
use crate::language::Lang;
use crate::visible::{CaseFacts, Membership};
use crate::web::{Blob, ContactRef, Reason};

/// What every question to a port gives.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// The files that a contact holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseList {
    /// Their ids, each once, in any order.
    pub ids: Vec<u64>,
    /// Whether these provably are all; only then may anything be withdrawn for not being among them.
    pub complete: bool,
}

/// The firm's case files. [`RestCases`](super::RestCases) reads them through the vendor's API.
pub trait CaseSource: fmt::Debug + Send + Sync + 'static {
    /// A file as it is now, with descriptions in a language; nothing if there is none.
    fn case(&self, id: u64, lang: Lang) -> Asked<'_, Option<CaseFacts>>;

    /// The files that a contact holds in a role.
    fn held_by(&self, role: HolderRole, contact_id: u64) -> Asked<'_, CaseList>;

    /// The bytes of a file's graphic; nothing if it has none. Asked only when [`CaseFacts`] names a graphic that was not sent before.
    fn graphic(&self, id: u64) -> Asked<'_, Option<Blob>>;
}

/// Who is in which group now. The vendor's API, as far as known, does not say; the firm's program does.
pub trait Groups: fmt::Debug + Send + Sync + 'static {
    /// Everybody's groups. Asked for every push: keep it at hand.
    fn membership(&self) -> Asked<'_, Arc<Membership>>;
}

/// Groups kept in memory, to be changed by whoever holds a clone.
///
/// ```
/// use apiges_sync::sync::SharedGroups;
/// use apiges_sync::web::ContactRef;
///
/// let groups = SharedGroups::default();
/// let client = ContactRef::client("4879")?;
/// groups.change(|all| all.join(7, client, "G7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct SharedGroups(Arc<RwLock<Arc<Membership>>>);

impl SharedGroups {
    /// Changes who is in which group. Tell [`WebSync::membership_changed`](super::WebSync::membership_changed) afterwards.
    pub fn change(&self, change: impl FnOnce(&mut Membership)) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut all));
    }

    /// How they stand.
    #[must_use]
    pub fn now(&self) -> Arc<Membership> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Groups for SharedGroups {
    fn membership(&self) -> Asked<'_, Arc<Membership>> {
        Box::pin(async { Ok(self.now()) })
    }
}

/// What the engine tells while it works. Nothing of a file's content is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncEvent {
    /// A file was brought in step.
    Pushed {
        /// The file.
        case: u64,
        /// The version.
        version: u64,
    },
    /// A grant lost a file.
    Withdrawn {
        /// The file.
        case: u64,
        /// Whose grant.
        grant: ContactRef,
        /// Why.
        reason: Reason,
    },
    /// Something will be tried again later.
    PutOff {
        /// What: the name of its lane.
        what: String,
        /// How often it was tried.
        tries: u32,
    },
    /// Something was set aside; see [`WebSync::dead`](super::WebSync::dead).
    Dead {
        /// What: the name of its lane.
        what: String,
    },
    /// A batch of a load was accepted.
    Batch {
        /// Whose grant.
        contact: ContactRef,
        /// Which batch, from 1.
        number: u64,
        /// How many files so far.
        sent: u64,
        /// How many files of the contact were looked at so far.
        looked_at: u64,
        /// How many there are.
        of: u64,
    },
    /// A contact's load became visible.
    Committed {
        /// Whose grant.
        contact: ContactRef,
        /// Files that were sent.
        sent: u64,
        /// Files that were withdrawn by the commit.
        withdrawn: u64,
    },
    /// The portal does not hold what the ledger says; a single push follows.
    Mismatch {
        /// Whose grant.
        contact: ContactRef,
    },
}

/// Hears what happens, while it happens.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// It happened.
    fn heard(&self, event: &SyncEvent);
}
