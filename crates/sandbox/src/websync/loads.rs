//! Loads: batches, commits, the guard (rows W20 to W25, section 4.4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::portal::{Done, Held, Portal, checked_view, view_digest};
use super::refusal::Refusal;
use super::wire::{ContactRef, LoadItem, Reason, digest_of, is_hex64};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LoadScope {
    All,
    One(ContactRef),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum LoadState {
    Open,
    Closed,
    Aborted,
}

/// A load.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Load {
    scope: LoadScope,
    base: u64,
    state: LoadState,
    #[serde(with = "crate::kept::pairs")]
    contacts: BTreeMap<ContactRef, Part>,
}

/// One contact's part of a load.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Part {
    /// Digest and answer of each batch, from the first.
    batches: Vec<(String, Value)>,
    items: BTreeMap<i64, (LoadItem, String)>,
    committed: Option<Value>,
}

/// The body of W23.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Commit {
    batches: usize,
    count: usize,
    digest: String,
    complete: bool,
    #[serde(default)]
    allow_withdrawals: Option<usize>,
}

/// The body of W22.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    items: Vec<LoadItem>,
    digest: String,
}

/// The body of W20; that of W21 has two of its fields.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Opening {
    pub(super) load_id: String,
    #[serde(default)]
    pub(super) scope: Option<String>,
    #[serde(default)]
    pub(super) contacts: Option<Vec<ContactRef>>,
    pub(super) base_sequence: u64,
}

impl Load {
    pub(super) fn rename(&mut self, from: &ContactRef, to: &ContactRef) {
        if self.scope == LoadScope::One(from.clone()) {
            self.scope = LoadScope::One(to.clone());
        }
        if let Some(part) = self.contacts.remove(from) {
            self.contacts.insert(to.clone(), part);
        }
    }

    fn json(&self, id: &str) -> Value {
        let state = match self.state {
            LoadState::Open => "open",
            LoadState::Closed => "closed",
            LoadState::Aborted => "aborted",
        };
        let part = |(contact, part): (&ContactRef, &Part)| json!({ "contact": contact, "lastBatch": part.batches.len(), "committed": part.committed.is_some() });
        let contacts: Vec<Value> = self.contacts.iter().map(part).collect();
        json!({ "loadId": id, "state": state, "baseSequence": self.base, "contacts": contacts })
    }

    fn totals(&self) -> Value {
        let sum = |key: &str| -> u64 {
            let parts = self.contacts.values().filter_map(|part| part.committed.as_ref()?.get(key)?.as_u64());
            parts.sum()
        };
        let committed = self.contacts.values().filter(|part| part.committed.is_some()).count();
        json!({
            "contacts": committed,
            "applied": sum("applied"),
            "unchanged": sum("unchanged"),
            "stale": sum("stale"),
            "withdrawn": sum("withdrawn"),
        })
    }
}

/// What a commit does with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Applied,
    Unchanged,
    Stale,
}

impl Portal {
    /// W20 and W21.
    pub(super) fn open_load(&mut self, opening: Opening, scope: LoadScope) -> Done {
        if let Some(known) = self.loads.get(&opening.load_id) {
            let same = known.scope == scope && known.base == opening.base_sequence;
            let details = json!({ "loadId": opening.load_id });
            return if same && known.state == LoadState::Open {
                Ok((201, known.json(&opening.load_id)))
            } else {
                Err(Refusal::conflict("load-open", details))
            };
        }
        let open = self.loads.iter().find(|(_, load)| load.state == LoadState::Open && load.scope == scope);
        if let Some((id, _)) = open {
            return Err(Refusal::conflict("load-open", json!({ "loadId": id })));
        }
        let contacts = match &scope {
            LoadScope::One(contact) => vec![contact.clone()],
            LoadScope::All => opening.contacts.ok_or_else(|| Refusal::invalid("contacts"))?,
        };
        let unknown: Vec<&ContactRef> =
            contacts.iter().filter(|contact| !self.grants.contains_key(contact)).collect();
        if !unknown.is_empty() {
            let details = json!({ "reason": "grant-unknown", "grants": unknown });
            return Err(Refusal::unprocessable("refused", details));
        }
        let contacts = contacts.into_iter().map(|contact| (contact, Part::default())).collect();
        let load = Load { scope, base: opening.base_sequence, state: LoadState::Open, contacts };
        let data = load.json(&opening.load_id);
        self.loads.insert(opening.load_id, load);
        Ok((201, data))
    }

    /// W22
    pub(super) fn take_batch(
        &mut self,
        load: &str,
        contact: &ContactRef,
        number: usize,
        batch: Batch,
    ) -> Done {
        let last = self.part(load, contact)?.batches.len();
        if let Some((digest, answer)) =
            number.checked_sub(1).and_then(|at| self.part(load, contact).ok()?.batches.get(at))
        {
            return if *digest == batch.digest {
                Ok((200, answer.clone()))
            } else {
                Err(Refusal::unprocessable("digest", json!({ "stored": digest })))
            };
        }
        let closed =
            self.load(load)?.state != LoadState::Open || self.part(load, contact)?.committed.is_some();
        if closed {
            return Err(Refusal::conflict("load-closed", Value::Null));
        }
        if number != last + 1 {
            return Err(Refusal::conflict("batch-gap", json!({ "lastBatch": last })));
        }
        let items = checked_items(batch.items)?;
        if digest_of_items(&items) != batch.digest {
            return Err(Refusal::unprocessable("digest", Value::Null));
        }
        self.no_version_is_reused(contact, &items)?;
        for (case, (item, _)) in &items {
            self.note_excess(contact, *case, &item.view);
        }
        let answer = json!({ "accepted": items.len() });
        let part = self.part_mut(load, contact)?;
        part.items.extend(items);
        part.batches.push((batch.digest, answer.clone()));
        Ok((200, answer))
    }

    fn load(&self, id: &str) -> Result<&Load, Refusal> {
        self.loads.get(id).ok_or_else(Refusal::not_found)
    }

    fn part(&self, load: &str, contact: &ContactRef) -> Result<&Part, Refusal> {
        self.load(load)?.contacts.get(contact).ok_or_else(Refusal::not_found)
    }

    fn part_mut(&mut self, load: &str, contact: &ContactRef) -> Result<&mut Part, Refusal> {
        let load = self.loads.get_mut(load).ok_or_else(Refusal::not_found)?;
        load.contacts.get_mut(contact).ok_or_else(Refusal::not_found)
    }

    /// O5: the same version of a case says the same to a grant; a tombstone's says that it is gone.
    fn no_version_is_reused(&self, contact: &ContactRef, items: &Items) -> Result<(), Refusal> {
        let reused = items.iter().filter(|(case, (item, digest))| {
            self.held(contact, **case).is_some_and(|held| {
                let same = held.gone.is_none() && held.digest == *digest && held.holder == item.holder;
                held.version == item.version && !same
            })
        });
        let cases: Vec<&i64> = reused.map(|(case, _)| case).collect();
        if cases.is_empty() {
            Ok(())
        } else {
            Err(Refusal::conflict("version-reuse", json!({ "cases": cases })))
        }
    }

    /// W23
    pub(super) fn commit(&mut self, load: &str, contact: &ContactRef, commit: &Commit, now: &str) -> Done {
        let part = self.part(load, contact)?;
        if let Some(answer) = &part.committed {
            return Ok((200, answer.clone()));
        }
        let base = self.load(load)?.base;
        if self.load(load)?.state != LoadState::Open {
            return Err(Refusal::conflict("load-closed", Value::Null));
        }
        if commit.batches != part.batches.len() || commit.count != part.items.len() {
            let details = json!({ "batches": part.batches.len(), "count": part.items.len() });
            return Err(Refusal::conflict("count", details));
        }
        if digest_of_items(&part.items) != commit.digest {
            return Err(Refusal::conflict("digest", Value::Null));
        }
        let absent = self.absent(contact, part, base, commit.complete);
        self.guard(contact, absent.len(), commit.allow_withdrawals)?;
        let items = std::mem::take(&mut self.part_mut(load, contact)?.items);
        let fates: Vec<Fate> = items.into_values().map(|item| self.settle(contact, base, item)).collect();
        for (case, version) in &absent {
            self.withdraw(contact, *case, *version, Reason::AbsentFromLoad, now);
        }
        let count = |fate: Fate| fates.iter().filter(|own| **own == fate).count();
        let answer = json!({
            "applied": count(Fate::Applied),
            "unchanged": count(Fate::Unchanged),
            "stale": count(Fate::Stale),
            "withdrawn": absent.len(),
        });
        self.part_mut(load, contact)?.committed = Some(answer.clone());
        Ok((200, answer))
    }

    /// Cases that a complete load proves to be gone: absent, and not pushed since it began.
    fn absent(&self, contact: &ContactRef, part: &Part, base: u64, complete: bool) -> Vec<(i64, u64)> {
        let held = self.visible_cases(contact).into_iter();
        let absent = held.filter(|(case, held)| !part.items.contains_key(case) && held.sequence <= base);
        absent.filter(|_| complete).map(|(case, held)| (case, held.version)).collect()
    }

    /// More than 20, or more than a tenth of at least 20, needs the exact number.
    fn guard(&self, contact: &ContactRef, withdrawals: usize, allowed: Option<usize>) -> Result<(), Refusal> {
        let held = self.visible_cases(contact).len();
        let many = withdrawals > 20 || (held >= 20 && withdrawals * 10 > held);
        if many && allowed != Some(withdrawals) {
            return Err(Refusal::conflict("guard", json!({ "wouldWithdraw": withdrawals })));
        }
        Ok(())
    }

    /// Takes one item in, unless something later is known.
    fn settle(&mut self, contact: &ContactRef, base: u64, (item, digest): (LoadItem, String)) -> Fate {
        let pushed_later = |version: u64, sequence: u64| sequence > base || version > item.version;
        let known = self.held(contact, item.case_id);
        let case = self.cases.get(&item.case_id);
        let fate = match (known, case.and_then(|case| case.pushed.as_ref())) {
            // O5: the same version and content is there, whoever brought it.
            (Some(held), _)
                if held.version == item.version
                    && held.gone.is_none()
                    && held.digest == digest
                    && held.holder == item.holder =>
            {
                Fate::Unchanged
            }
            (Some(held), _) if held.version == item.version || pushed_later(held.version, held.sequence) => {
                Fate::Stale
            }
            // A later push, which is a full replacement, did not name this grant: it has no part in the case.
            (None, Some((version, sequence, _))) if *sequence > base && *version > item.version => {
                Fate::Stale
            }
            _ => Fate::Applied,
        };
        if fate == Fate::Applied {
            let LoadItem { case_id, version, holder, view } = item;
            self.hold(contact, case_id, Held { version, sequence: base, holder, view, digest, gone: None });
        }
        fate
    }

    /// W24
    pub(super) fn load_state(&self, id: &str) -> Done {
        Ok((200, self.load(id)?.json(id)))
    }

    /// W25
    pub(super) fn end_load(&mut self, id: &str, close: bool) -> Done {
        let load = self.loads.get_mut(id).ok_or_else(Refusal::not_found)?;
        let wanted = if close { LoadState::Closed } else { LoadState::Aborted };
        if load.state != LoadState::Open && load.state != wanted {
            return Err(Refusal::conflict("load-closed", Value::Null));
        }
        let open: Vec<&ContactRef> = load
            .contacts
            .iter()
            .filter(|(_, part)| part.committed.is_none())
            .map(|(contact, _)| contact)
            .collect();
        if close && !open.is_empty() {
            return Err(Refusal::conflict("uncommitted", json!({ "contacts": open })));
        }
        load.state = wanted;
        load.contacts.values_mut().for_each(|part| part.items.clear());
        Ok((200, load.totals()))
    }
}

type Items = BTreeMap<i64, (LoadItem, String)>;

fn checked_items(items: Vec<LoadItem>) -> Result<Items, Refusal> {
    let mut checked = Items::new();
    for item in items {
        checked_view(&item.view)?;
        if item.version == 0 {
            return Err(Refusal::invalid("version: the first is 1"));
        }
        let digest = view_digest(&item.view).unwrap_or_default();
        if checked.insert(item.case_id, (item, digest)).is_some() {
            return Err(Refusal::invalid("items: a case is named twice"));
        }
    }
    Ok(checked)
}

fn digest_of_items(items: &Items) -> String {
    digest_of(items.iter().map(|(case, (item, digest))| (*case, item.version, digest.as_str())))
}

/// Whether a text can be a digest.
pub(super) fn checked_digest(text: &str) -> Result<(), Refusal> {
    if is_hex64(text) { Ok(()) } else { Err(Refusal::invalid("digest")) }
}

impl Commit {
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        checked_digest(&self.digest).map(|()| self)
    }
}

impl Batch {
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        checked_digest(&self.digest).map(|()| self)
    }
}
