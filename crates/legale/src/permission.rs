//! Who may do what: deny by default, in front of every call (contract 4.9).
//!
//! The roles read, edit, sign and delete come from the user guide (documented); the rest is this crate's (assumed). The service's own
//! permission groups exist in its web application only and are not read.
//!
//! ```
//! use legale::permission::{Action, ApiCall, Gate, Grant, Target};
//!
//! let now: jiff::Timestamp = "2026-03-02T10:00:00Z".parse()?;
//! let mut gate = Gate::with_administrator("admin@example.com", now)?;
//! gate.add_user("admin@example.com", "ana@example.com", now).allowed()?;
//! gate.grant("admin@example.com", "ana@example.com", Grant::new(Action::Read).within("Legal".parse()?), now).allowed()?;
//!
//! let inside = Target::new("d41d8").in_folder("root/Legal/Contratos");
//! assert!(gate.decide("Ana@Example.com", Action::Read, &inside, now).is_allowed);
//! assert!(!gate.decide("ana@example.com", Action::Edit, &inside, now).is_allowed);
//! assert!(!gate.decide("ana@example.com", Action::Read, &Target::new("d41d8").in_folder("LegalOps"), now).is_allowed);
//! assert_eq!(ApiCall::Start { signs_itself: true }.actions(), [Action::Edit, Action::Sign]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use integration_core::{Error, ErrorKind, Fault, Outcome};
use jiff::{SignedDuration, Timestamp};

use crate::flow::is_email;
use crate::naming::Folder;

/// Days without a sign of life after which somebody counts as gone (the vendor advises a quarterly review).
const QUARTER_DAYS: i64 = 90;

/// What may be allowed. No action implies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Action {
    /// See documents, folders, contacts, templates.
    Read,
    /// Upload, change, start flows.
    Edit,
    /// Sign and approve as the account of the API.
    Sign,
    /// Delete.
    Delete,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Edit => "edit",
            Self::Sign => "sign",
            Self::Delete => "delete",
        }
    }
}

/// The calls of the client and what each takes (contract 3.1, column "Gate").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiCall {
    /// List documents (2).
    List,
    /// Detail (3).
    Detail,
    /// Upload (4).
    Create,
    /// Delete a document (5).
    Delete,
    /// Download (6).
    Download,
    /// Start a flow (7); `signs_itself` as [`Flow::signs_itself`](crate::flow::Flow::signs_itself) says.
    Start {
        /// Whether the account itself is among the signers.
        signs_itself: bool,
    },
    /// Status and signed file by their own paths (8).
    Status,
    /// Approve by a URL (9).
    Approve,
    /// List folders (10).
    Folders,
    /// Delete a folder (10).
    DeleteFolder,
    /// Start a batch from a template (11).
    StartBatch,
    /// Import a finished document (12).
    Migrate,
    /// List or read contacts (13, 15).
    Contacts,
    /// Create or update a contact (14).
    SaveContact,
    /// Delete a contact (15).
    DeleteContact,
    /// List smart documents (16).
    SmartDocuments,
    /// Start one flow from a smart document (16).
    StartWorkflow,
}

impl ApiCall {
    /// All that a user must be allowed for this call.
    #[must_use]
    pub const fn actions(self) -> &'static [Action] {
        match self {
            Self::List | Self::Detail | Self::Download | Self::Status => &[Action::Read],
            Self::Folders | Self::Contacts | Self::SmartDocuments => &[Action::Read],
            Self::Create | Self::StartBatch | Self::Migrate | Self::SaveContact | Self::StartWorkflow => {
                &[Action::Edit]
            }
            Self::Start { signs_itself: true } => &[Action::Edit, Action::Sign],
            Self::Start { signs_itself: false } => &[Action::Edit],
            Self::Approve => &[Action::Sign],
            Self::Delete | Self::DeleteFolder | Self::DeleteContact => &[Action::Delete],
        }
    }
}

/// A permission: an action, everywhere or in one folder and what lies in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    action: Action,
    within: Option<Folder>,
}

impl Grant {
    /// Everywhere.
    #[must_use]
    pub const fn new(action: Action) -> Self {
        Self { action, within: None }
    }

    /// Only in this folder, by whole segments.
    #[must_use]
    pub fn within(mut self, folder: Folder) -> Self {
        self.within = Some(folder);
        self
    }

    fn covers(&self, action: Action, target: &Target) -> bool {
        let is_inside = |folder: &Folder| target.folder.as_deref().is_some_and(|path| folder.covers(path));
        self.action == action && self.within.as_ref().is_none_or(is_inside)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.within {
            Some(folder) => write!(f, "{} in {folder}", self.action.name()),
            None => f.write_str(self.action.name()),
        }
    }
}

/// What is acted on. A grant for a folder covers only a target whose folder is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    name: String,
    folder: Option<String>,
}

impl Target {
    /// A document, contact or other thing by its name or id.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), folder: None }
    }

    /// It lies in this folder, as the caller or an answer writes it.
    #[must_use]
    pub fn in_folder(mut self, path: impl Into<String>) -> Self {
        self.folder = Some(path.into());
        self
    }
}

/// One line of the audit: a decision, or a change of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// Who asked, in the form in which users are compared.
    pub user: String,
    /// For what: `read`, `edit`, `sign`, `delete`, `grant …`, `revoke …`, `add user`, …
    pub action: String,
    /// On what: document, folder or user.
    pub target: String,
    /// Whether it was allowed.
    pub is_allowed: bool,
    /// Why.
    pub reason: &'static str,
}

impl AuditRecord {
    /// Nothing if it was allowed.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], not sent, if it was not.
    pub fn allowed(&self) -> Result<(), Error> {
        if self.is_allowed {
            return Ok(());
        }
        let message = format!("{} may not {}: {}", self.user, self.action, self.reason);
        Err(Error::new(ErrorKind::Forbidden, "ask the permission gate")
            .with_outcome(Outcome::NotSent)
            .with_message(message)
            .with_hint("an administrator of the gate can grant it; nothing was sent"))
    }
}

#[derive(Debug, Clone)]
struct User {
    is_administrator: bool,
    has_left: bool,
    last_seen: Timestamp,
    grants: BTreeSet<Grant>,
}

impl User {
    const fn new(now: Timestamp) -> Self {
        Self { is_administrator: false, has_left: false, last_seen: now, grants: BTreeSet::new() }
    }
}

/// Users and what they may do: pure rules, no clock, no memory outside.
#[derive(Debug, Clone)]
#[doc(alias = "permisos")]
pub struct Gate {
    users: BTreeMap<String, User>,
    inactive_after: SignedDuration,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// E-mails are compared trimmed and without case.
fn id(user: &str) -> String {
    user.trim().to_lowercase()
}

impl Gate {
    /// A gate that lets nobody through, for good: without an administrator nobody can be added.
    #[must_use]
    pub const fn new() -> Self {
        Self { users: BTreeMap::new(), inactive_after: SignedDuration::from_hours(QUARTER_DAYS * 24) }
    }

    /// A gate with its first administrator. He may grant, and nothing else until he grants it to himself.
    ///
    /// # Errors
    /// A validation error if that is no e-mail.
    pub fn with_administrator(user: &str, now: Timestamp) -> Result<Self, Error> {
        if !is_email(&id(user)) {
            let fault = Fault::error("EMAIL", "user").with_actual(user);
            return Err(Error::validation("set the permission gate up", vec![fault]));
        }
        let mut gate = Self::new();
        gate.users.insert(id(user), User { is_administrator: true, ..User::new(now) });
        Ok(gate)
    }

    /// After how many days of 24 hours without a sign of life somebody counts as gone; default 90.
    #[must_use]
    pub fn inactive_after_days(mut self, days: u32) -> Self {
        self.inactive_after = SignedDuration::from_hours(i64::from(days) * 24);
        self
    }

    /// Whether `user` may do this. Unknown, gone and inactive users, and actions that were not granted, are refused.
    #[must_use]
    pub fn decide(&self, user: &str, action: Action, target: &Target, now: Timestamp) -> AuditRecord {
        let reason = match self.active(user, now) {
            Err(reason) => Err(reason),
            Ok(known) if known.grants.iter().any(|grant| grant.covers(action, target)) => Ok("granted"),
            Ok(known) if known.grants.iter().any(|grant| grant.action == action) => {
                Err("not granted for this folder")
            }
            Ok(_) => Err("not granted"),
        };
        record(user, action.name().to_owned(), target.name.clone(), reason, now)
    }

    /// Whether `user` may make this call, which can take several actions; one record for each.
    #[must_use]
    pub fn decide_call(
        &self,
        user: &str,
        call: ApiCall,
        target: &Target,
        now: Timestamp,
    ) -> Vec<AuditRecord> {
        call.actions().iter().map(|action| self.decide(user, *action, target, now)).collect()
    }

    /// Adds a user, who may do nothing yet; who had left comes back without what he had. Only an administrator can.
    pub fn add_user(&mut self, by: &str, user: &str, now: Timestamp) -> AuditRecord {
        let reason = self
            .administrator(by, now)
            .and_then(|granted| if is_email(&id(user)) { Ok(granted) } else { Err("no e-mail") });
        if reason.is_ok() {
            let known = self.users.entry(id(user)).or_insert_with(|| User::new(now));
            if known.has_left {
                *known = User::new(now);
            }
        }
        record(by, "add user".to_owned(), id(user), reason, now)
    }

    /// Grants. Only an administrator can, and only to a user who was added and has not left.
    pub fn grant(&mut self, by: &str, user: &str, grant: Grant, now: Timestamp) -> AuditRecord {
        let action = format!("grant {grant}");
        let reason = self.administrator(by, now).and_then(|granted| {
            let known = self.users.get_mut(&id(user)).filter(|known| !known.has_left);
            known.ok_or("the user is not known, or has left")?.grants.insert(grant);
            Ok(granted)
        });
        record(by, action, id(user), reason, now)
    }

    /// Revokes this very grant. Only an administrator can.
    pub fn revoke(&mut self, by: &str, user: &str, grant: &Grant, now: Timestamp) -> AuditRecord {
        let action = format!("revoke {grant}");
        let reason = self.administrator(by, now).and_then(|granted| {
            let known = self.users.get_mut(&id(user)).ok_or("the user is not known")?;
            if known.grants.remove(grant) { Ok(granted) } else { Err("was not granted") }
        });
        record(by, action, id(user), reason, now)
    }

    /// Revokes an action wherever it was granted. Only an administrator can.
    pub fn withdraw(&mut self, by: &str, user: &str, action: Action, now: Timestamp) -> AuditRecord {
        let reason = self.administrator(by, now).and_then(|granted| {
            let known = self.users.get_mut(&id(user)).ok_or("the user is not known")?;
            known.grants.retain(|grant| grant.action != action);
            Ok(granted)
        });
        record(by, format!("revoke {} everywhere", action.name()), id(user), reason, now)
    }

    /// Makes a user an administrator, or an administrator a user. Only an administrator can; the last one stays.
    pub fn set_administrator(&mut self, by: &str, user: &str, is_one: bool, now: Timestamp) -> AuditRecord {
        let is_last = self.is_last_administrator(&id(user));
        let reason = self.administrator(by, now).and_then(|granted| {
            let known = self.users.get_mut(&id(user)).filter(|known| !known.has_left);
            let known = known.ok_or("the user is not known, or has left")?;
            if is_last && !is_one {
                return Err("the last administrator stays");
            }
            known.is_administrator = is_one;
            Ok(granted)
        });
        let action = if is_one { "make administrator" } else { "make plain user" };
        record(by, action.to_owned(), id(user), reason, now)
    }

    /// Marks a user as having left: from now on he is refused. Only an administrator can; the last one stays.
    pub fn mark_left(&mut self, by: &str, user: &str, now: Timestamp) -> AuditRecord {
        let is_last = self.is_last_administrator(&id(user));
        let reason = self.administrator(by, now).and_then(|granted| {
            let known = self.users.get_mut(&id(user)).ok_or("the user is not known")?;
            if is_last {
                return Err("the last administrator stays");
            }
            known.has_left = true;
            known.is_administrator = false;
            Ok(granted)
        });
        record(by, "mark as left".to_owned(), id(user), reason, now)
    }

    /// Notes a sign of life, such as a login. It does not bring back who has left or was inactive for too long.
    pub fn seen(&mut self, user: &str, now: Timestamp) {
        if self.active(user, now).is_ok()
            && let Some(known) = self.users.get_mut(&id(user))
        {
            known.last_seen = known.last_seen.max(now);
        }
    }

    /// Takes all permissions from everybody who has left or was not seen for too long, and tells whom. The last administrator
    /// keeps his.
    pub fn revoke_inactive(&mut self, now: Timestamp) -> Vec<AuditRecord> {
        let gone: Vec<String> =
            self.users.keys().filter(|user| self.active(user, now).is_err()).cloned().collect();
        let mut records = Vec::new();
        for user in gone {
            let Some(known) = self.users.get_mut(&user) else { continue };
            let had_any = known.is_administrator || !known.grants.is_empty();
            known.grants.clear();
            known.is_administrator = false;
            // What was inactive once needs an administrator to come back.
            known.has_left = true;
            if had_any {
                records.push(record("(review)", "revoke all".to_owned(), user, Ok("left or inactive"), now));
            }
        }
        records
    }

    fn is_last_administrator(&self, user: &str) -> bool {
        let mut others =
            self.users.iter().filter(|(other, known)| other.as_str() != user && known.is_administrator);
        self.users.get(user).is_some_and(|known| known.is_administrator) && others.next().is_none()
    }

    /// Of all administrators the one seen last (the first by name among equals): he is never inactive, or nobody could ever let
    /// anybody in again.
    fn keeps_the_keys(&self, user: &str) -> bool {
        let administrators = self.users.iter().filter(|(_, known)| known.is_administrator && !known.has_left);
        let last =
            administrators.max_by_key(|(name, known)| (known.last_seen, std::cmp::Reverse(name.as_str())));
        last.is_some_and(|(name, _)| name == user)
    }

    fn active(&self, user: &str, now: Timestamp) -> Result<&User, &'static str> {
        let user = id(user);
        let known = self.users.get(&user).ok_or("not a user of the gate")?;
        if known.has_left {
            return Err("has left");
        }
        let is_stale = now.duration_since(known.last_seen) > self.inactive_after;
        if is_stale && !self.keeps_the_keys(&user) {
            return Err("not seen for too long");
        }
        Ok(known)
    }

    fn administrator(&self, by: &str, now: Timestamp) -> Result<&'static str, &'static str> {
        match self.active(by, now)?.is_administrator {
            true => Ok("an administrator"),
            false => Err("not an administrator"),
        }
    }
}

fn record(
    user: &str,
    action: String,
    target: String,
    reason: Result<&'static str, &'static str>,
    at: Timestamp,
) -> AuditRecord {
    let (Ok(text) | Err(text)) = reason;
    AuditRecord { at, user: id(user), action, target, is_allowed: reason.is_ok(), reason: text }
}

/// Takes audit records: a file, a table, a log. The caller's.
pub trait Audit: Send + Sync {
    /// Takes one record. It cannot refuse: what was decided was decided.
    fn record(&self, record: &AuditRecord);
}

/// A gate that several tasks share, each decision of which goes to the audit: what a guarded client asks before each call.
pub struct SharedGate {
    gate: Mutex<Gate>,
    audit: Box<dyn Audit>,
}

impl SharedGate {
    /// Shares a gate.
    pub fn new(gate: Gate, audit: impl Audit + 'static) -> Self {
        Self { gate: Mutex::new(gate), audit: Box::new(audit) }
    }

    /// Lets a call through or not.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], not sent, for the first action that `user` is not allowed; all are audited.
    pub fn check(&self, user: &str, call: ApiCall, target: &Target, now: Timestamp) -> Result<(), Error> {
        let records = self.lock().decide_call(user, call, target, now);
        records.iter().for_each(|record| self.audit.record(record));
        records.iter().try_for_each(AuditRecord::allowed)
    }

    /// Changes the gate and audits the change.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] if the change was refused.
    pub fn change(&self, change: impl FnOnce(&mut Gate) -> AuditRecord) -> Result<(), Error> {
        let record = change(&mut self.lock());
        self.audit.record(&record);
        record.allowed()
    }

    /// Takes all permissions from the inactive, audited.
    pub fn revoke_inactive(&self, now: Timestamp) -> Vec<AuditRecord> {
        let records = self.lock().revoke_inactive(now);
        records.iter().for_each(|record| self.audit.record(record));
        records
    }

    /// Writes down that a call was refused for what the service said of its target, after the gate itself had nothing against it.
    pub(crate) fn refuse(
        &self,
        user: &str,
        call: ApiCall,
        target: &Target,
        reason: &'static str,
        now: Timestamp,
    ) {
        for action in call.actions() {
            let name = target.name.clone();
            self.audit.record(&record(user, action.name().to_owned(), name, Err(reason), now));
        }
    }

    /// Notes a sign of life.
    pub fn seen(&self, user: &str, now: Timestamp) {
        self.lock().seen(user, now);
    }

    fn lock(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedGate").field("gate", &*self.lock()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Action; 4] = [Action::Read, Action::Edit, Action::Sign, Action::Delete];

    fn day(days: i64) -> Timestamp {
        Timestamp::from_second(1_772_000_000 + days * 86_400).unwrap()
    }

    fn gate() -> Gate {
        let mut gate = Gate::with_administrator("Admin@X", day(0)).unwrap();
        assert!(gate.add_user("admin@x", "ana@x", day(0)).is_allowed);
        gate
    }

    fn may(gate: &Gate, user: &str, action: Action) -> bool {
        gate.decide(user, action, &Target::new("d").in_folder("root/Legal/A"), day(1)).is_allowed
    }

    #[test]
    fn everything_is_denied_that_was_not_granted() {
        for action in ALL {
            assert!(!may(&Gate::new(), "ana@x", action));
            assert!(!may(&gate(), "ana@x", action) && !may(&gate(), "admin@x", action));
            let mut granted = gate();
            assert!(granted.grant("admin@x", " ANA@x ", Grant::new(action), day(0)).is_allowed);
            for other in ALL {
                assert_eq!(may(&granted, "Ana@X", other), other == action, "no action implies another");
            }
        }
        assert!(!Gate::new().add_user("a@x", "a@x", day(0)).is_allowed);
    }

    #[test]
    fn only_an_administrator_changes_anything() {
        let mut gate = gate();
        assert!(!gate.grant("ana@x", "ana@x", Grant::new(Action::Read), day(0)).is_allowed);
        assert!(!gate.add_user("ana@x", "b@x", day(0)).is_allowed);
        assert!(!gate.add_user("admin@x", "no mail", day(0)).is_allowed);
        assert!(!gate.set_administrator("ana@x", "ana@x", true, day(0)).is_allowed);
        assert!(!gate.mark_left("ana@x", "admin@x", day(0)).is_allowed);
        assert!(!gate.grant("admin@x", "nobody@x", Grant::new(Action::Read), day(0)).is_allowed);
        assert!(gate.set_administrator("admin@x", "ana@x", true, day(0)).is_allowed);
        assert!(gate.add_user("ana@x", "b@x", day(0)).is_allowed);
    }

    #[test]
    fn the_last_administrator_stays() {
        let mut gate = gate();
        assert!(!gate.mark_left("admin@x", "admin@x", day(0)).is_allowed);
        assert!(!gate.set_administrator("admin@x", "admin@x", false, day(0)).is_allowed);
        assert_eq!(gate.revoke_inactive(day(1000)), []);
        assert!(gate.add_user("admin@x", "new@x", day(1000)).is_allowed);
    }

    #[test]
    fn the_inactive_lose_everything_and_the_list_says_who() {
        let mut gate = gate();
        for user in ["b@x", "c@x"] {
            gate.add_user("admin@x", user, day(0));
            gate.grant("admin@x", user, Grant::new(Action::Read), day(0));
        }
        gate.mark_left("admin@x", "b@x", day(1));
        assert!(!may(&gate, "b@x", Action::Read), "at once, not at the next review");
        gate.seen("admin@x", day(90));
        assert!(gate.decide("c@x", Action::Read, &Target::default(), day(90)).is_allowed);
        assert!(!gate.decide("c@x", Action::Read, &Target::default(), day(91)).is_allowed);
        let revoked: Vec<_> = gate.revoke_inactive(day(91)).into_iter().map(|record| record.target).collect();
        assert_eq!(revoked, ["b@x", "c@x"]);
        gate.seen("c@x", day(92));
        assert!(!gate.decide("c@x", Action::Read, &Target::default(), day(92)).is_allowed);
    }

    #[test]
    fn every_decision_is_a_record_and_a_refusal_an_error_that_was_not_sent() {
        let record = gate().decide(" Ana@X", Action::Delete, &Target::new("g-1"), day(1));
        assert_eq!(
            (record.user.as_str(), record.action.as_str(), record.target.as_str()),
            ("ana@x", "delete", "g-1")
        );
        let error = record.allowed().unwrap_err();
        assert!(error.is_not_sent() && error.kind() == ErrorKind::Forbidden);
    }

    #[derive(Default)]
    struct Kept(std::sync::Arc<Mutex<Vec<AuditRecord>>>);

    impl Audit for Kept {
        fn record(&self, record: &AuditRecord) {
            self.0.lock().unwrap().push(record.clone());
        }
    }

    #[test]
    fn a_call_takes_all_of_its_actions_and_each_is_audited() {
        let kept = Kept::default();
        let list = kept.0.clone();
        let shared = SharedGate::new(gate(), kept);
        let start = ApiCall::Start { signs_itself: true };
        shared.change(|gate| gate.grant("admin@x", "ana@x", Grant::new(Action::Edit), day(0))).unwrap();
        assert!(shared.check("ana@x", start, &Target::default(), day(0)).is_err());
        assert!(
            shared.check("ana@x", ApiCall::Start { signs_itself: false }, &Target::default(), day(0)).is_ok()
        );
        shared.change(|gate| gate.grant("admin@x", "ana@x", Grant::new(Action::Sign), day(0))).unwrap();
        assert!(shared.check("ana@x", start, &Target::default(), day(0)).is_ok());
        assert_eq!(list.lock().unwrap().len(), 2 + 2 + 1 + 2);
    }

    proptest! {
        #[test]
        fn nothing_is_allowed_that_no_grant_covers_and_withdrawing_always_hides(
            grants in proptest::collection::vec((0usize..4, proptest::option::of("[AB](/[AB]){0,2}")), 0..6),
            action in 0usize..4, folder in proptest::option::of("(root/)?[AB](/[AB]){0,2}"),
        ) {
            let mut gate = gate();
            let action = ALL[action];
            let mut target = Target::new("d");
            target.folder = folder.clone();
            let path = folder.map(|folder| folder.strip_prefix("root/").unwrap_or(&folder).to_owned() + "/");
            let mut expected = false;
            for (index, within) in grants {
                let grant = Grant { action: ALL[index], within: within.clone().map(|path| Folder::new(path).unwrap()) };
                gate.grant("admin@x", "ana@x", grant, day(0));
                let covers = within.is_none_or(|within| path.as_ref().is_some_and(|path| path.starts_with(&(within + "/"))));
                expected |= ALL[index] == action && covers;
            }
            prop_assert_eq!(gate.decide("ana@x", action, &target, day(1)).is_allowed, expected);
            prop_assert!(gate.withdraw("admin@x", "ana@x", action, day(1)).is_allowed);
            prop_assert!(!gate.decide("ana@x", action, &target, day(1)).is_allowed);
        }
    }
}
