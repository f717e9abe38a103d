//! What the portal holds, and the rules it keeps for grants and cases (rows W10 to W17, W30 to W41; O2, O5).
//!
//! A projection that is withdrawn loses its view at once; its version stays as a tombstone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::documents::{Blob, Document};
use super::evidence::Thread;
use super::loads::Load;
use super::refusal::Refusal;
use super::settings::Settings;
use super::wire::{
    Admin, BOXES, CasePush, ContactRef, Grant, PLAIN, Projection, Reason, Scope, canonical, digest_of,
    is_hex64, sha256,
};
use crate::chance;

/// An answer: status and `data`.
pub(super) type Done = Result<(u16, Value), Refusal>;

/// What one grant has of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) version: u64,
    pub(super) sequence: u64,
    pub(super) holder: ContactRef,
    pub(super) view: Map<String, Value>,
    /// SHA-256 of the canonical view.
    pub(super) digest: String,
    /// Why it went; the view is gone with it.
    pub(super) gone: Option<Reason>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Case {
    pub(super) version: u64,
    /// Version, sequence and content of the last push.
    pub(super) pushed: Option<(u64, u64, String)>,
    #[serde(with = "crate::kept::pairs")]
    pub(super) held: BTreeMap<ContactRef, Held>,
}

/// A withdrawal that took effect (W41).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Withdrawn {
    pub(super) case: i64,
    pub(super) version: u64,
    pub(super) grant: ContactRef,
    pub(super) reason: Reason,
    pub(super) at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Preview {
    pair_tag: String,
    joining: ContactRef,
    members: Vec<ContactRef>,
}

/// The portal of one tenant.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Portal {
    pub(super) tenant: String,
    pub(super) settings: Settings,
    #[serde(with = "crate::kept::pairs")]
    pub(super) grants: BTreeMap<ContactRef, Grant>,
    /// Last version of grants that were revoked: versions go on when one comes back.
    #[serde(with = "crate::kept::pairs")]
    revoked: BTreeMap<ContactRef, u64>,
    previews: HashMap<String, Preview>,
    pub(super) cases: BTreeMap<i64, Case>,
    /// Cases of which a grant has something, tombstones included.
    #[serde(with = "crate::kept::pairs")]
    pub(super) by_grant: BTreeMap<ContactRef, BTreeSet<i64>>,
    pub(super) withdrawals: Vec<Withdrawn>,
    pub(super) loads: BTreeMap<String, Load>,
    pub(super) blobs: BTreeMap<String, Blob>,
    #[serde(with = "crate::kept::pairs")]
    pub(super) documents: BTreeMap<(i64, String, String), Document>,
    /// Documents of which the firm says that they are hidden.
    pub(super) hidden: BTreeSet<(i64, String, String)>,
    pub(super) threads: BTreeMap<i64, Thread>,
    /// Case and place of a message.
    pub(super) messages: HashMap<String, (i64, usize)>,
    pub(super) events: Vec<Value>,
    /// Members of groups, for the comparison only.
    pub(super) groups: BTreeMap<String, BTreeSet<ContactRef>>,
    /// Pushes that carried more than their grant allowed when they came.
    pub(super) excesses: Vec<Value>,
}

impl Portal {
    pub(super) fn grant(&self, contact: &ContactRef) -> Result<&Grant, Refusal> {
        self.grants.get(contact).ok_or_else(Refusal::not_found)
    }

    /// W10
    pub(super) fn list_grants(&self, after: Option<&str>, limit: usize) -> Done {
        let after = after.and_then(ContactRef::named);
        let rest: Vec<&Grant> = self
            .grants
            .values()
            .filter(|grant| after.as_ref().is_none_or(|after| grant.contact > *after))
            .collect();
        let page: Vec<&&Grant> = rest.iter().take(limit).collect();
        let next = page.last().filter(|_| rest.len() > limit).map(|grant| grant.contact.to_string());
        Ok((200, json!({ "items": page, "next": next })))
    }

    /// W12; `expected` is none for `If-None-Match: *`.
    pub(super) fn put_grant(
        &mut self,
        contact: &ContactRef,
        mut grant: Grant,
        expected: Option<u64>,
    ) -> Done {
        let known = self.grants.get(contact).cloned();
        let current = known.as_ref().map(|known| known.version);
        if expected != current {
            return Err(Refusal::conflict("version-conflict", json!({ "version": current })));
        }
        checked(contact, &grant)?;
        let tag = known.as_ref().and_then(Grant::pair_tag);
        if let Some(admin) = grant.admin.as_ref().filter(|admin| Some(admin.pair_tag.as_str()) != tag) {
            self.use_preview(contact, admin)?;
        }
        let last = self.revoked.remove(contact).or(current).unwrap_or(0);
        grant.version = last + 1;
        self.grants.insert(contact.clone(), grant.clone());
        Ok((if known.is_some() { 200 } else { 201 }, json!(grant)))
    }

    /// N7: a preview of exactly this pair, this contact and these members, each once.
    fn use_preview(&mut self, contact: &ContactRef, admin: &Admin) -> Result<(), Refusal> {
        let missing = || Refusal::unprocessable("preview-missing", json!({ "previewId": admin.preview_id }));
        let preview = self.previews.get(&admin.preview_id).ok_or_else(missing)?;
        let same = preview.pair_tag == admin.pair_tag && preview.joining == *contact;
        if !same || preview.members != self.members(&admin.pair_tag, contact) {
            return Err(missing());
        }
        self.previews.remove(&admin.preview_id);
        Ok(())
    }

    fn members(&self, pair_tag: &str, joining: &ContactRef) -> Vec<ContactRef> {
        let tagged = self.grants.values().filter(|grant| grant.pair_tag() == Some(pair_tag));
        let mut members: BTreeSet<ContactRef> = tagged.map(|grant| grant.contact.clone()).collect();
        members.insert(joining.clone());
        members.into_iter().collect()
    }

    /// W16
    pub(super) fn preview(&mut self, pair_tag: &str, joining: ContactRef) -> Done {
        if !is_hex64(pair_tag) {
            return Err(Refusal::invalid("pairTag"));
        }
        let members = self.members(pair_tag, &joining);
        let id = format!("pv-{}", chance::hex(12));
        let data = json!({ "members": members, "previewId": id });
        self.previews.insert(id, Preview { pair_tag: pair_tag.to_owned(), joining, members });
        Ok((200, data))
    }

    /// Checks the version of W13 and W14.
    fn grant_at(&mut self, contact: &ContactRef, version: u64) -> Result<&mut Grant, Refusal> {
        let grant = self.grants.get_mut(contact).ok_or_else(Refusal::not_found)?;
        if grant.version != version {
            return Err(Refusal::conflict("version-conflict", json!({ "version": grant.version })));
        }
        Ok(grant)
    }

    /// W13
    pub(super) fn set_state(
        &mut self,
        contact: &ContactRef,
        version: u64,
        state: super::wire::GrantState,
    ) -> Done {
        let grant = self.grant_at(contact, version)?;
        grant.state = state;
        grant.version += 1;
        Ok((200, json!(grant)))
    }

    /// W14
    pub(super) fn revoke(&mut self, contact: &ContactRef, version: u64, now: &str) -> Done {
        let version = self.grant_at(contact, version)?.version + 1;
        self.grants.remove(contact);
        self.revoked.insert(contact.clone(), version);
        let cases = self.by_grant.get(contact).cloned().unwrap_or_default();
        let gone = cases.iter().filter(|case| {
            let version = self.held(contact, **case).map_or(0, |held| held.version);
            self.withdraw(contact, **case, version, Reason::GrantRevoked, now)
        });
        Ok((200, json!({ "withdrawn": gone.count() })))
    }

    /// W15: the alias moves, everything else stays.
    pub(super) fn rename(&mut self, contact: &ContactRef, new_code: &str, contact_id: i64) -> Done {
        let renamed = ContactRef::new(&contact.kind, new_code);
        if self.grant(contact)?.contact_id != contact_id {
            return Err(Refusal::unprocessable("refused", json!({ "reason": "contactId" })));
        }
        if new_code.is_empty() {
            return Err(Refusal::invalid("newCode"));
        }
        if self.grants.contains_key(&renamed) {
            return Err(Refusal::conflict("code-taken", json!({ "contact": renamed })));
        }
        let mut grant = self.grants.remove(contact).ok_or_else(Refusal::not_found)?;
        grant.contact = renamed.clone();
        grant.version = grant.version.max(self.revoked.remove(&renamed).unwrap_or(0)) + 1;
        self.grants.insert(renamed.clone(), grant.clone());
        self.move_everything(contact, &renamed);
        Ok((200, json!(grant)))
    }

    fn move_everything(&mut self, from: &ContactRef, to: &ContactRef) {
        // Tombstones that an earlier owner of the code left are dropped: it is another contact now.
        for case in self.by_grant.remove(to).unwrap_or_default() {
            self.cases.get_mut(&case).and_then(|case| case.held.remove(to));
        }
        let cases = self.by_grant.remove(from).unwrap_or_default();
        for case in &cases {
            if let Some(case) = self.cases.get_mut(case)
                && let Some(held) = case.held.remove(from)
            {
                case.held.insert(to.clone(), held);
            }
        }
        self.by_grant.insert(to.clone(), cases);
        let holders =
            self.cases.values_mut().flat_map(|case| case.held.values_mut().map(|held| &mut held.holder));
        let linked =
            self.documents.values_mut().flat_map(|document| document.link.grants.iter_mut().flatten());
        let grouped = holders.chain(linked).filter(|contact| *contact == from);
        grouped.for_each(|contact| to.clone_into(contact));
        for members in self.groups.values_mut() {
            if members.remove(from) {
                members.insert(to.clone());
            }
        }
        self.loads.values_mut().for_each(|load| load.rename(from, to));
    }

    /// W17
    pub(super) fn digest(&self, contact: &ContactRef) -> Done {
        self.grant(contact)?;
        let held = self.visible_cases(contact);
        let count = held.len();
        let digest =
            digest_of(held.into_iter().map(|(case, held)| (case, held.version, held.digest.as_str())));
        Ok((200, json!({ "count": count, "digest": digest })))
    }

    /// What a grant has and has not lost, by case.
    pub(super) fn visible_cases(&self, contact: &ContactRef) -> Vec<(i64, &Held)> {
        let cases = self.by_grant.get(contact).into_iter().flatten();
        let held = cases.filter_map(|case| Some((*case, self.held(contact, *case)?)));
        held.filter(|(_, held)| held.gone.is_none()).collect()
    }

    pub(super) fn held(&self, contact: &ContactRef, case: i64) -> Option<&Held> {
        self.cases.get(&case)?.held.get(contact)
    }

    pub(super) fn hold(&mut self, contact: &ContactRef, case: i64, held: Held) {
        self.by_grant.entry(contact.clone()).or_default().insert(case);
        let own = self.cases.entry(case).or_default();
        own.version = own.version.max(held.version);
        own.held.insert(contact.clone(), held);
    }

    /// Leaves a tombstone of this version; tells whether something was taken away.
    pub(super) fn withdraw(
        &mut self,
        contact: &ContactRef,
        case: i64,
        version: u64,
        reason: Reason,
        now: &str,
    ) -> bool {
        let before = self.held(contact, case);
        let was_visible = before.is_some_and(|held| held.gone.is_none());
        let sequence = before.map_or(0, |held| held.sequence);
        let gone = before.and_then(|held| held.gone).or(Some(reason));
        let holder = before.map_or_else(|| contact.clone(), |held| held.holder.clone());
        let tomb = Held { version, sequence, holder, view: Map::new(), digest: String::new(), gone };
        self.hold(contact, case, tomb);
        if was_visible {
            let (grant, at) = (contact.clone(), now.to_owned());
            self.withdrawals.push(Withdrawn { case, version, grant, reason, at });
        }
        was_visible
    }

    /// W30
    pub(super) fn push(&mut self, push: &CasePush, now: &str) -> Done {
        well_formed(push)?;
        let stored = self.cases.get(&push.case_id).map_or(0, |case| case.version);
        let outcome =
            |outcome: &str, version: u64| Ok((200, json!({ "outcome": outcome, "storedVersion": version })));
        let content = content(push)?;
        match push.version.cmp(&stored) {
            std::cmp::Ordering::Less => outcome("stale", stored),
            std::cmp::Ordering::Equal if self.is_same(push, &content) => outcome("duplicate", stored),
            std::cmp::Ordering::Equal => {
                Err(Refusal::conflict("version-reuse", json!({ "storedVersion": stored })))
            }
            std::cmp::Ordering::Greater => {
                self.push_is_complete(push)?;
                self.apply(push, content, now);
                outcome("applied", push.version)
            }
        }
    }

    /// Whether a push of the stored version says what is stored. After a load or a withdrawal of that version there
    /// is no push to compare with; then what is held decides.
    fn is_same(&self, push: &CasePush, content: &str) -> bool {
        let Some(case) = self.cases.get(&push.case_id) else { return false };
        if let Some((version, _, own)) = &case.pushed
            && *version == push.version
        {
            return own == content;
        }
        let held = |projection: &Projection| {
            let view = view_digest(&projection.view).unwrap_or_default();
            case.held.get(&projection.grant).is_some_and(|held| {
                held.gone.is_none()
                    && held.version == push.version
                    && held.digest == view
                    && held.holder == projection.holder
            })
        };
        push.projections.iter().all(held)
            && push.withdrawals.iter().all(|one| {
                case.held
                    .get(&one.grant)
                    .is_some_and(|held| held.gone == Some(one.reason) && held.version == push.version)
            })
    }

    /// Every grant is known (422), and none that has the case is forgotten (O2).
    fn push_is_complete(&self, push: &CasePush) -> Result<(), Refusal> {
        let named = |grant: &ContactRef| {
            push.projections.iter().any(|one| one.grant == *grant)
                || push.withdrawals.iter().any(|one| one.grant == *grant)
        };
        let unknown: Vec<&ContactRef> = push
            .projections
            .iter()
            .map(|one| &one.grant)
            .filter(|grant| !self.grants.contains_key(grant))
            .collect();
        if !unknown.is_empty() {
            let details = json!({ "reason": "grant-unknown", "grants": unknown });
            return Err(Refusal::unprocessable("refused", details));
        }
        let held = self.cases.get(&push.case_id).into_iter().flat_map(|case| &case.held);
        let forgotten = held.filter(|(grant, held)| {
            let exempt = self.grants.get(grant).is_none_or(|grant| !grant.is_active());
            held.gone.is_none() && !exempt && !named(grant)
        });
        let grants: Vec<&ContactRef> = forgotten.map(|(grant, _)| grant).collect();
        if grants.is_empty() {
            Ok(())
        } else {
            Err(Refusal::conflict("implicit-withdrawal", json!({ "grants": grants })))
        }
    }

    fn apply(&mut self, push: &CasePush, content: String, now: &str) {
        for Projection { grant, holder, view } in &push.projections {
            self.note_excess(grant, push.case_id, view);
            let digest = view_digest(view).unwrap_or_default();
            let (holder, view) = (holder.clone(), view.clone());
            let held =
                Held { version: push.version, sequence: push.sequence, holder, view, digest, gone: None };
            self.hold(grant, push.case_id, held);
        }
        for one in &push.withdrawals {
            self.withdraw(&one.grant, push.case_id, push.version, one.reason, now);
            // As late as its push: no load that began earlier brings the case back (4.4).
            let case = self.cases.get_mut(&push.case_id);
            if let Some(held) = case.and_then(|case| case.held.get_mut(&one.grant)) {
                held.sequence = held.sequence.max(push.sequence);
            }
        }
        let case = self.cases.entry(push.case_id).or_default();
        case.version = push.version;
        case.pushed = Some((push.version, push.sequence, content));
    }

    /// Notes a view that shows more than its grant does now. It is taken all the same: what the portal shows is
    /// what it was given, so that a slip of the giver can be seen.
    pub(super) fn note_excess(&mut self, contact: &ContactRef, case: i64, view: &Map<String, Value>) {
        let Some(grant) = self.grants.get(contact) else { return };
        let closed = BOXES.iter().filter(|(name, field)| {
            view.contains_key(*field) && !grant.show.iter().any(|shown| shown == name)
        });
        let mut fields: Vec<&str> = closed.map(|(_, field)| *field).collect();
        let modality = view.get("modalidad").map(|value| value.get("codigo").unwrap_or(value));
        if modality
            .and_then(Value::as_str)
            .is_some_and(|code| grant.excluded_modalities.iter().any(|own| own == code))
        {
            fields.push("modalidad");
        }
        if !fields.is_empty() {
            self.excesses.push(json!({ "grant": contact, "caseId": case, "fields": fields }));
        }
    }

    /// W32
    pub(super) fn case(&self, id: i64) -> Done {
        let case = self.cases.get(&id).ok_or_else(Refusal::not_found)?;
        let visible = case.held.iter().filter(|(_, held)| held.gone.is_none());
        let grants: Vec<&ContactRef> = visible.map(|(grant, _)| grant).collect();
        let withdrawn: Vec<Value> = case
            .held
            .iter()
            .filter_map(|(grant, held)| {
                Some(json!({ "grant": grant, "version": held.version, "reason": held.gone? }))
            })
            .collect();
        Ok((200, json!({ "caseId": id, "version": case.version, "grants": grants, "withdrawn": withdrawn })))
    }

    /// W40, one item: outcome, or the code of what is wrong with it.
    pub(super) fn withdraw_item(
        &mut self,
        contact: &ContactRef,
        case: i64,
        version: u64,
        reason: Reason,
        now: &str,
    ) -> Result<&'static str, &'static str> {
        let before = self.held(contact, case).map(|held| (held.version, held.gone.is_some()));
        match before {
            Some((stored, _)) if version < stored => Ok("stale"),
            Some((stored, false)) if version == stored => Err("version-reuse"),
            Some((_, false)) => {
                self.withdraw(contact, case, version, reason, now);
                Ok("withdrawn")
            }
            _ => {
                // The tombstone keeps an older push or load of the case away.
                self.withdraw(contact, case, version, reason, now);
                Ok("already")
            }
        }
    }

    /// W41
    pub(super) fn list_withdrawals(&self, after: usize, limit: usize) -> Done {
        let item = |(place, one): (usize, &Withdrawn)| {
            json!({
                "cursor": (place + 1).to_string(),
                "caseId": one.case,
                "version": one.version,
                "grant": one.grant,
                "reason": one.reason,
                "at": one.at,
            })
        };
        let items: Vec<Value> =
            self.withdrawals.iter().enumerate().skip(after).take(limit).map(item).collect();
        let end = after.saturating_add(items.len());
        let next = (end < self.withdrawals.len()).then(|| end.to_string());
        Ok((200, json!({ "items": items, "next": next })))
    }
}

/// SHA-256 of the canonical view; nothing if it has no canonical form.
pub(super) fn view_digest(view: &Map<String, Value>) -> Option<String> {
    Some(sha256(canonical(&Value::Object(view.clone()))?.as_bytes()))
}

/// What a push says, whatever the order of its lists: cause and times are no content.
fn content(push: &CasePush) -> Result<String, Refusal> {
    let mut projections: Vec<&Projection> = push.projections.iter().collect();
    projections.sort_by(|one, other| one.grant.cmp(&other.grant));
    let mut withdrawals: Vec<_> = push.withdrawals.iter().collect();
    withdrawals.sort_by(|one, other| one.grant.cmp(&other.grant));
    let text = canonical(&json!({ "projections": projections, "withdrawals": withdrawals }));
    Ok(sha256(text.ok_or_else(|| Refusal::invalid("view: not an integer"))?.as_bytes()))
}

fn well_formed(push: &CasePush) -> Result<(), Refusal> {
    if push.version == 0 {
        return Err(Refusal::invalid("version: the first is 1"));
    }
    let mut grants = BTreeSet::new();
    let named = push.projections.iter().map(|one| &one.grant);
    if !named.chain(push.withdrawals.iter().map(|one| &one.grant)).all(|grant| grants.insert(grant)) {
        return Err(Refusal::invalid("a grant is named twice"));
    }
    push.projections.iter().try_for_each(|one| checked_view(&one.view))
}

/// Only the fields of section 3.6; a masked one is absent, not null.
pub(super) fn checked_view(view: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in view {
        let boxed = BOXES.iter().any(|(_, field)| field == name);
        if !boxed && !PLAIN.contains(&name.as_str()) {
            return Err(Refusal::invalid(format!("view.{name}: no such field")));
        }
        if boxed && value.is_null() {
            return Err(Refusal::invalid(format!("view.{name}: absent, not null")));
        }
    }
    let picture = view.get("grafico").filter(|value| !value.is_null());
    let good =
        picture.is_none_or(|picture| picture.get("sha256").and_then(Value::as_str).is_some_and(is_hex64));
    if !good {
        return Err(Refusal::invalid("view.grafico.sha256"));
    }
    view_digest(view).map(|_| ()).ok_or_else(|| Refusal::invalid("view: not an integer"))
}

fn checked(contact: &ContactRef, grant: &Grant) -> Result<(), Refusal> {
    if grant.contact != *contact {
        return Err(Refusal::invalid("contact"));
    }
    if grant.show.iter().any(|name| !BOXES.iter().any(|(own, _)| own == name)) {
        return Err(Refusal::invalid("show"));
    }
    if matches!(&grant.scope, Scope::Group { group } if group.trim().is_empty()) {
        return Err(Refusal::invalid("scope"));
    }
    if grant.admin.as_ref().is_some_and(|admin| !is_hex64(&admin.pair_tag)) {
        return Err(Refusal::invalid("admin.pairTag"));
    }
    Ok(())
}
