//! What the firm's side remembers of the portal: grants, versions, who may hold which file, loads (contract O2, O5, 4.6, N8).
//!
//! The rules enforced here: a version is issued once and a sequence too, in the commit that notes what they are for; whoever **may** hold a
//! file is in its row before anything is sent; of a view only its digest is kept. One gate for one process, an optimistic version for many.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use integration_core::{Error, ErrorKind, Outcome};
use integration_store::{Checkpoints, Commit, Record, Store, StoreError, StoreErrorKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::grant::AuditEntry;
use crate::visible::Grants;
use crate::web::{
    Cause, ClosedCases, ContactRef, Grant, GrantState, IdempotencyKey, Instant, LoadId, Reason, Scope, Sha256,
};

const GRANTS: &str = "grant";
const CASES: &str = "case";
const AUDIT: &str = "audit";
const LOADS: &str = "load";
const SCANNED: &str = "scan";

/// What moves with every commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    /// The tenant's sequence (O2).
    pub(crate) sequence: u64,
    /// How many audit entries there are.
    pub(crate) audited: u64,
    /// The change cursor of a reader (Y2); what running loads and single pushes never touch (Y6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scanned: Option<Instant>,
}

/// A contact's grant and what is under way with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GrantRow {
    /// As the portal has it.
    pub(crate) grant: Option<Grant>,
    /// The highest version known of it, beyond its revocation: a key is made of it once.
    pub(crate) floor: u64,
    /// What is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<GrantTask>,
    /// What has been done, and of which the files that it concerns are still to be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) spread: Vec<Spread>,
    /// By which version of the grant everything that it opens was sent and committed last.
    #[serde(default)]
    pub(crate) loaded: u64,
}

impl GrantRow {
    /// A change is no more to be sent: what was judged by it meanwhile has to be judged again.
    pub(crate) fn drop_task(&mut self) {
        let Some(task) = self.task.take() else { return };
        let before = match task.want {
            Want::Put(wanted) => Some(*wanted),
            _ => self.grant.as_ref().map(suspended),
        };
        self.spread.push(Spread { before, after: self.grant.clone() });
    }
}

/// A change of which the consequences are to be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) before: Option<Grant>,
    pub(crate) after: Option<Grant>,
}

/// A change of a grant, durable before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GrantTask {
    pub(crate) by: String,
    pub(crate) at: Instant,
    pub(crate) want: Want,
    /// Whether it, or what it took the place of, may have left already.
    pub(crate) doubt: bool,
}

impl GrantTask {
    /// Whether it is the very change, however far it has come.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.by, self.at, &self.want) == (&other.by, other.at, &other.want)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Want {
    Put(Box<Grant>),
    Suspend,
    Resume,
    Revoke,
    Rename(String),
}

/// One grant has a file, or may have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hold {
    pub(crate) holder: ContactRef,
    #[serde(rename = "holderId")]
    pub(crate) holder_id: u64,
    pub(crate) version: u64,
    pub(crate) sequence: u64,
    pub(crate) view: Sha256,
    /// Whether the portal confirmed exactly this; otherwise it may have this, or something else, or nothing.
    pub(crate) sure: bool,
}

/// A push that was sent or is about to be: what is needed to send the very same again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenPush {
    pub(crate) version: u64,
    pub(crate) sequence: u64,
    #[serde(rename = "savedAt")]
    pub(crate) saved_at: Instant,
    pub(crate) cause: Cause,
    /// Of the whole push in canonical form.
    pub(crate) content: Sha256,
    /// Why each of those that lose it does.
    pub(crate) reasons: Vec<(ContactRef, Reason)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CaseRow {
    /// The last version that was issued.
    pub(crate) version: u64,
    /// The highest sequence under which anything was sent of it.
    #[serde(default)]
    pub(crate) latest: u64,
    /// Who has it or may have it.
    #[serde(with = "holds")]
    pub(crate) holds: BTreeMap<ContactRef, Hold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<OpenPush>,
    /// The graphic that the portal has (O9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) graphic: Option<Sha256>,
}

impl CaseRow {
    /// A grant does not have it any more. Whether anybody else has the picture, which the portal keeps for a day only then, is not known.
    pub(crate) fn forget(&mut self, grant: &ContactRef) {
        self.holds.remove(grant);
        self.graphic = None;
    }
}

/// A load under way (4.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadRow {
    pub(crate) load: LoadId,
    pub(crate) base: u64,
    pub(crate) contacts: Vec<ContactRef>,
    /// Those whose reading was provably complete: their commit withdraws.
    pub(crate) complete: Vec<ContactRef>,
    /// Those that are committed.
    pub(crate) done: Vec<ContactRef>,
    /// How many files were sent for them.
    #[serde(default)]
    pub(crate) sent: u64,
    /// Whether nobody goes on with it, and the files of which it left doubt are written down to be pushed.
    #[serde(default)]
    pub(crate) left: bool,
    pub(crate) close_key: IdempotencyKey,
}

/// A file of a batch, without what is seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoadedCase {
    pub(crate) case: u64,
    pub(crate) version: u64,
    pub(crate) view: Sha256,
}

/// A batch of a load as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchRow {
    pub(crate) items: Vec<LoadedCase>,
    /// What decided who sees them.
    pub(crate) judged: Sha256,
}

mod holds {
    use super::{BTreeMap, ContactRef, Deserialize, Hold, Serialize};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        holds: &BTreeMap<ContactRef, Hold>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        holds.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<ContactRef, Hold>, D::Error> {
        Ok(Vec::<(ContactRef, Hold)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// The part of the ledger that a change looks at. What is changed in it is committed as one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) head: Head,
    pub(crate) grants: Arc<BTreeMap<ContactRef, GrantRow>>,
    pub(crate) cases: BTreeMap<u64, CaseRow>,
    /// Made when it is first asked for, and shared by all who look at the same grants.
    effective: Arc<OnceLock<Arc<Grants>>>,
    also: Vec<Record>,
}

impl Book {
    pub(crate) fn case(&mut self, id: u64) -> &mut CaseRow {
        self.cases.entry(id).or_default()
    }

    pub(crate) fn grant_row(&mut self, contact: &ContactRef) -> &mut GrantRow {
        self.effective = Arc::default();
        Arc::make_mut(&mut self.grants).entry(contact.clone()).or_default()
    }

    /// The next sequence of the tenant.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.head.sequence = self.head.sequence.saturating_add(1);
        self.head.sequence
    }

    /// Notes who changed a grant (N8).
    pub(crate) fn audit(&mut self, entry: &AuditEntry) -> Result<(), Error> {
        self.head.audited = self.head.audited.saturating_add(1);
        let key = pad(self.head.audited);
        self.put(AUDIT, key, Some(entry))
    }

    pub(crate) fn put_load(&mut self, key: &str, load: Option<&LoadRow>) -> Result<(), Error> {
        self.put(LOADS, key.to_owned(), load)
    }

    pub(crate) fn put_batch(
        &mut self,
        load: &LoadId,
        contact: &ContactRef,
        number: u64,
        batch: Option<&BatchRow>,
    ) -> Result<(), Error> {
        self.put(&batches(load, contact), pad(number), batch)
    }

    pub(crate) fn put_scanned(&mut self, case: u64, digest: Option<&Sha256>) -> Result<(), Error> {
        self.put(SCANNED, pad(case), digest)
    }

    fn put<T: Serialize>(&mut self, collection: &str, key: String, value: Option<&T>) -> Result<(), Error> {
        self.also.push(record(collection, key, value)?);
        Ok(())
    }

    /// The grants by which files are judged while changes are under way: **nobody sees more than both before and after** (O7).
    pub(crate) fn effective_grants(&self) -> Arc<Grants> {
        let made = || Arc::new(self.grants.values().filter_map(effective).collect());
        Arc::clone(self.effective.get_or_init(made))
    }

    /// Whether a change is on its way that takes a contact everything: until it has arrived, the portal shows what it had.
    pub(crate) fn is_being_shut(&self, contact: &ContactRef) -> bool {
        let task =
            self.grants.get(contact).filter(|row| row.grant.is_some()).and_then(|row| row.task.as_ref());
        task.is_some_and(|task| matches!(task.want, Want::Suspend | Want::Revoke | Want::Rename(_)))
    }

    /// What has to be written to come from `before` to here.
    fn records_since(&self, before: &Self) -> Result<Vec<Record>, Error> {
        let mut records = self.also.clone();
        if !Arc::ptr_eq(&self.grants, &before.grants) {
            self.grants_since(before, &mut records)?;
        }
        for (id, row) in &self.cases {
            let former = before.cases.get(id);
            if former != Some(row) && (former.is_some() || *row != CaseRow::default()) {
                records.push(record(CASES, pad(*id), Some(row))?);
                holds_since(*id, former, row, &mut records)?;
            }
        }
        Ok(records)
    }

    fn grants_since(&self, before: &Self, records: &mut Vec<Record>) -> Result<(), Error> {
        for (contact, row) in self.grants.iter() {
            if before.grants.get(contact) != Some(row) {
                records.push(record(GRANTS, key_of(contact), Some(row))?);
            }
        }
        let gone = before.grants.keys().filter(|contact| !self.grants.contains_key(contact));
        gone.for_each(|contact| records.push(deletion(GRANTS, key_of(contact))));
        Ok(())
    }
}

/// The index by grant moves with the rows.
fn holds_since(
    id: u64,
    former: Option<&CaseRow>,
    row: &CaseRow,
    records: &mut Vec<Record>,
) -> Result<(), Error> {
    let empty = BTreeMap::new();
    let former = former.map_or(&empty, |former| &former.holds);
    for (grant, hold) in &row.holds {
        if former.get(grant) != Some(hold) {
            records.push(record(&held(grant), pad(id), Some(hold))?);
        }
    }
    let gone = former.keys().filter(|grant| !row.holds.contains_key(grant));
    gone.for_each(|grant| records.push(deletion(&held(grant), pad(id))));
    Ok(())
}

fn effective(row: &GrantRow) -> Option<Grant> {
    match (&row.grant, row.task.as_ref().map(|task| &task.want)) {
        // It opens nothing yet, and restricts others already.
        (None, Some(Want::Put(wanted))) => Some(suspended(wanted)),
        (Some(grant), Some(Want::Put(wanted))) => Some(meet(grant, wanted)),
        (Some(grant), Some(Want::Suspend | Want::Revoke | Want::Rename(_))) => Some(suspended(grant)),
        (grant, _) => grant.clone(),
    }
}

fn suspended(grant: &Grant) -> Grant {
    Grant { state: GrantState::Suspended, ..grant.clone() }
}

/// What both grants open.
fn meet(one: &Grant, other: &Grant) -> Grant {
    let both = one.state == GrantState::Active && other.state == GrantState::Active;
    let keep = one.closed_cases == ClosedCases::Keep && other.closed_cases == ClosedCases::Keep;
    Grant {
        state: if both { GrantState::Active } else { GrantState::Suspended },
        scope: if one.scope == other.scope { one.scope.clone() } else { Scope::Own },
        show: one.show.intersection(&other.show).cloned().collect(),
        excluded_modalities: one.excluded_modalities.union(&other.excluded_modalities).cloned().collect(),
        closed_cases: if keep { ClosedCases::Keep } else { ClosedCases::Withdraw },
        ..one.clone()
    }
}

#[derive(Debug, Clone)]
struct Cached {
    version: i64,
    head: Head,
    grants: Arc<BTreeMap<ContactRef, GrantRow>>,
    effective: Arc<OnceLock<Arc<Grants>>>,
}

/// The ledger of a tenant.
#[derive(Debug)]
pub(crate) struct Ledger {
    rows: Checkpoints,
    gate: tokio::sync::Mutex<Option<Cached>>,
}

impl Ledger {
    pub(crate) fn new(store: &Store, tenant: &str) -> Self {
        Self { rows: store.checkpoints(format!("apiges/{tenant}")), gate: tokio::sync::Mutex::new(None) }
    }

    /// The grants and the rows of these cases.
    pub(crate) async fn look(&self, cases: &[u64]) -> Result<Book, Error> {
        let mut gate = self.gate.lock().await;
        Ok(self.book(&mut gate, cases).await?.1)
    }

    /// Changes the ledger in one commit. `decide` may be called again if another program was faster.
    pub(crate) async fn change<T>(
        &self,
        cases: &[u64],
        mut decide: impl FnMut(&mut Book) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut gate = self.gate.lock().await;
        loop {
            let (version, before) = self.book(&mut gate, cases).await?;
            let mut after = before.clone();
            let decided = decide(&mut after)?;
            let records = after.records_since(&before)?;
            if records.is_empty() && after.head == before.head {
                return Ok(decided);
            }
            // Whatever happens to this future, what is cached is read anew.
            *gate = None;
            let cursor = bytes_of(&after.head)?;
            match self.rows.commit(Commit { version, cursor, records }).await {
                Ok(checkpoint) => {
                    let Book { head, grants, effective, .. } = after;
                    *gate = Some(Cached { version: checkpoint.version, head, grants, effective });
                    return Ok(decided);
                }
                Err(error) if error.kind() == StoreErrorKind::Conflict => {}
                Err(error) => return Err(stored(error)),
            }
        }
    }

    async fn book(&self, gate: &mut Option<Cached>, cases: &[u64]) -> Result<(i64, Book), Error> {
        let checkpoint = self.rows.get().await.map_err(stored)?;
        let version = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.version);
        if gate.as_ref().is_none_or(|cached| cached.version != version) {
            let head =
                checkpoint.map_or_else(|| Ok(Head::default()), |checkpoint| read(&checkpoint.cursor))?;
            let grants = Arc::new(self.all_grants().await?);
            *gate = Some(Cached { version, head, grants, effective: Arc::default() });
        }
        let Some(Cached { head, grants, effective, .. }) = gate.clone() else {
            return Err(damaged("no head"));
        };
        let mut book = Book { head, grants, effective, ..Book::default() };
        for id in cases {
            if let Some(row) = self.one(CASES, &pad_before(*id), &pad(*id)).await? {
                book.cases.insert(*id, row);
            }
        }
        Ok((version, book))
    }

    async fn all_grants(&self) -> Result<BTreeMap<ContactRef, GrantRow>, Error> {
        let mut grants = BTreeMap::new();
        for (key, row) in self.all::<GrantRow>(GRANTS).await? {
            grants.insert(contact_of(&key)?, row);
        }
        Ok(grants)
    }

    async fn one<T: DeserializeOwned>(
        &self,
        collection: &str,
        before: &Option<String>,
        key: &str,
    ) -> Result<Option<T>, Error> {
        let found = self.rows.records(collection, before.as_deref(), 1).await.map_err(stored)?;
        found.iter().find(|(own, _)| own == key).map(|(_, value)| read(value)).transpose()
    }

    async fn all<T: DeserializeOwned>(&self, collection: &str) -> Result<Vec<(String, T)>, Error> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.page(collection, after.as_deref()).await?;
            let Some((last, _)) = page.last() else { return Ok(all) };
            after = Some(last.clone());
            all.extend(page);
        }
    }

    async fn page<T: DeserializeOwned>(
        &self,
        collection: &str,
        after: Option<&str>,
    ) -> Result<Vec<(String, T)>, Error> {
        let page = self.rows.records(collection, after, PAGE).await.map_err(stored)?;
        page.into_iter().map(|(key, value)| Ok((key, read(&value)?))).collect()
    }

    /// What a grant has or may have, some at a time, in rising order of case.
    pub(crate) async fn held_page(
        &self,
        grant: &ContactRef,
        after: Option<u64>,
    ) -> Result<Vec<(u64, Hold)>, Error> {
        let page = self.page::<Hold>(&held(grant), after.map(pad).as_deref()).await?;
        page.into_iter().map(|(key, hold)| Ok((id_of(&key)?, hold))).collect()
    }

    /// Everything that a grant has or may have.
    pub(crate) async fn held(&self, grant: &ContactRef) -> Result<Vec<(u64, Hold)>, Error> {
        let all = self.all::<Hold>(&held(grant)).await?;
        all.into_iter().map(|(key, hold)| Ok((id_of(&key)?, hold))).collect()
    }

    pub(crate) async fn audit_page(&self, after: u64) -> Result<Vec<(u64, AuditEntry)>, Error> {
        let page = self.page::<AuditEntry>(AUDIT, Some(&pad(after))).await?;
        page.into_iter().map(|(key, entry)| Ok((id_of(&key)?, entry))).collect()
    }

    /// Every load that was not ended.
    pub(crate) async fn loads(&self) -> Result<Vec<(String, LoadRow)>, Error> {
        self.all(LOADS).await
    }

    pub(crate) async fn load(&self, key: &str) -> Result<Option<LoadRow>, Error> {
        Ok(self.loads().await?.into_iter().find(|(own, _)| own == key).map(|(_, load)| load))
    }

    pub(crate) async fn batches(
        &self,
        load: &LoadId,
        contact: &ContactRef,
    ) -> Result<Vec<(u64, BatchRow)>, Error> {
        let all = self.all::<BatchRow>(&batches(load, contact)).await?;
        all.into_iter().map(|(key, batch)| Ok((id_of(&key)?, batch))).collect()
    }

    pub(crate) async fn scanned(&self) -> Result<BTreeMap<u64, Sha256>, Error> {
        let all = self.all::<Sha256>(SCANNED).await?;
        all.into_iter().map(|(key, digest)| Ok((id_of(&key)?, digest))).collect()
    }
}

const PAGE: usize = 500;

fn held(grant: &ContactRef) -> String {
    format!("held/{}", key_of(grant))
}

fn batches(load: &LoadId, contact: &ContactRef) -> String {
    format!("load/{load}/{}", key_of(contact))
}

/// A contact as part of a key.
pub(crate) fn key_of(contact: &ContactRef) -> String {
    contact.key()
}

/// Numbers in text order.
pub(crate) fn pad(id: u64) -> String {
    format!("{id:020}")
}

fn pad_before(id: u64) -> Option<String> {
    id.checked_sub(1).map(pad)
}

fn id_of(key: &str) -> Result<u64, Error> {
    key.parse().map_err(|_| damaged("a key that is no number"))
}

fn contact_of(key: &str) -> Result<ContactRef, Error> {
    let (kind, code) = key.split_once('/').ok_or_else(|| damaged("a key that is no contact"))?;
    let kind = kind.replace("%2F", "/").replace("%25", "%");
    ContactRef::new(crate::web::ContactKind::from_wire(&kind), code)
        .map_err(|_| damaged("a key that is no contact"))
}

fn record<T: Serialize>(collection: &str, key: String, value: Option<&T>) -> Result<Record, Error> {
    let value = value.map(bytes_of).transpose()?;
    Ok(Record { collection: collection.to_owned(), key, value })
}

fn deletion(collection: &str, key: String) -> Record {
    Record { collection: collection.to_owned(), key, value: None }
}

pub(crate) fn bytes_of<T: Serialize>(value: &T) -> Result<Bytes, Error> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|_| damaged("a row that cannot be written"))
}

pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|_| damaged("a row of another form"))
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Store, "read the ledger of the synchronisation")
        .with_outcome(Outcome::NotSent)
        .with_message(what)
        .with_hint("the store was written by another version, or is damaged; look at it before going on")
}

pub(crate) fn stored(error: StoreError) -> Error {
    Error::new(ErrorKind::Store, "keep the ledger of the synchronisation")
        .with_outcome(Outcome::NotSent)
        .with_message(error.to_string())
        .with_hint("mend the store; what was written down goes on by itself")
        .with_source(error)
}
