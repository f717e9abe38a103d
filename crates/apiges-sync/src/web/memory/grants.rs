//! Grants and unions (contract 4.2, W10 to W17).

use std::collections::BTreeSet;

use super::super::{
    AdminPair, ClosedCases, ContactRef, DigestLine, Expected, FieldBox, Grant, GrantDigest, GrantPage,
    GrantState, Instant, Part, PreviewId, Reason, RefusalCode, Rename, Scope, UnionPreview, UnionRequest,
    Withdrawn, digest,
};
use super::blobs::Document;
use super::denial::Denial;
use super::portal::{Content, Held, Portal, Shown};
use crate::grant::PairTag;

/// A union as it was shown.
#[derive(Debug)]
pub(super) struct Preview {
    pair_tag: PairTag,
    joining: ContactRef,
    members: Vec<ContactRef>,
}

impl Portal {
    pub(super) fn grant(&self, contact: &ContactRef) -> Result<&Grant, Denial> {
        self.grants.get(contact).ok_or_else(Denial::not_found)
    }

    pub(super) fn is_active(&self, contact: &ContactRef) -> bool {
        self.grants.get(contact).is_some_and(|grant| grant.state == GrantState::Active)
    }

    /// W10
    pub(super) fn list_grants(&self, part: &Part) -> Result<GrantPage, Denial> {
        // By the path, which is one text for one contact, unlike `kind/code`.
        let mut all: Vec<(String, Grant)> =
            self.grants.values().map(|grant| (grant.contact.path(), grant.clone())).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        let after = part.after.as_deref().unwrap_or_default();
        let (items, next) = self.page(part, all.into_iter().filter(|(path, _)| path.as_str() > after))?;
        Ok(GrantPage { items, next })
    }

    /// W12
    pub(super) fn put_grant(&mut self, grant: &Grant, expected: Expected) -> Result<Grant, Denial> {
        let contact = &grant.contact;
        let current = self.grants.get(contact).map(|known| known.version);
        let presumed = match expected {
            Expected::Absent => None,
            Expected::Version(version) => Some(version),
        };
        if presumed != current {
            return Err(Denial::version_conflict(current));
        }
        readable(grant)?;
        let used = self.preview_of(grant)?;
        used.into_iter().for_each(|id| drop(self.previews.remove(&id)));
        let last = self.revoked.remove(contact).or(current).unwrap_or(0);
        let stored = Grant { version: last + 1, ..grant.clone() };
        self.grants.insert(contact.clone(), stored.clone());
        Ok(stored)
    }

    /// N7: a pair that is new for the contact takes effect only with the members that were shown for it, each time anew.
    fn preview_of(&self, grant: &Grant) -> Result<Option<PreviewId>, Denial> {
        let Some(AdminPair { pair_tag, preview_id }) = &grant.admin else { return Ok(None) };
        let known = self.grants.get(&grant.contact).and_then(|known| known.admin.as_ref());
        if known.is_some_and(|known| known.pair_tag.matches(pair_tag)) {
            return Ok(None);
        }
        let shown = self.previews.get(preview_id).filter(|preview| {
            preview.pair_tag.matches(pair_tag)
                && preview.joining == grant.contact
                && preview.members == self.members_with(pair_tag, &grant.contact)
        });
        shown
            .map(|_| Some(preview_id.clone()))
            .ok_or_else(|| Denial::unprocessable(RefusalCode::PreviewMissing))
    }

    /// Who carries the tag.
    pub(super) fn members(&self, tag: &PairTag) -> impl Iterator<Item = &Grant> {
        let carries =
            move |grant: &&Grant| grant.admin.as_ref().is_some_and(|admin| admin.pair_tag.matches(tag));
        self.grants.values().filter(carries)
    }

    fn members_with(&self, tag: &PairTag, joining: &ContactRef) -> Vec<ContactRef> {
        let mut members: BTreeSet<ContactRef> =
            self.members(tag).map(|grant| grant.contact.clone()).collect();
        members.insert(joining.clone());
        members.into_iter().collect()
    }

    /// W16
    pub(super) fn preview(&mut self, request: &UnionRequest) -> UnionPreview {
        let UnionRequest { pair_tag, joining } = request.clone();
        let members = self.members_with(&pair_tag, &joining);
        let preview_id = PreviewId::new(self.issue());
        let preview = Preview { pair_tag, joining, members: members.clone() };
        self.previews.insert(preview_id.clone(), preview);
        UnionPreview { members, preview_id }
    }

    fn grant_at(&mut self, contact: &ContactRef, version: u64) -> Result<&mut Grant, Denial> {
        let grant = self.grants.get_mut(contact).ok_or_else(Denial::not_found)?;
        if grant.version == version { Ok(grant) } else { Err(Denial::version_conflict(Some(grant.version))) }
    }

    /// W13
    pub(super) fn set_state(
        &mut self,
        contact: &ContactRef,
        version: u64,
        state: GrantState,
    ) -> Result<Grant, Denial> {
        let grant = self.grant_at(contact, version)?;
        grant.state = state;
        grant.version += 1;
        Ok(grant.clone())
    }

    /// W14: tombstones keep the version of what they took away.
    pub(super) fn revoke(
        &mut self,
        contact: &ContactRef,
        version: u64,
        at: Instant,
    ) -> Result<Withdrawn, Denial> {
        self.grant_at(contact, version)?;
        self.grants.remove(contact);
        self.revoked.insert(contact.clone(), version + 1);
        let held: Vec<(u64, u64)> = self.visible(contact).map(|(case, held)| (case, held.version)).collect();
        for (case, version) in &held {
            self.take_away(contact, *case, *version, &Reason::GrantRevoked, at);
        }
        Ok(Withdrawn { withdrawn: held.len() as u64 })
    }

    /// W15: the alias moves, the data stays.
    pub(super) fn rename(&mut self, contact: &ContactRef, rename: &Rename) -> Result<Grant, Denial> {
        let grant = self.grant(contact)?.clone();
        if grant.contact_id != rename.contact_id {
            return Err(Denial::refused("contactId"));
        }
        let renamed = ContactRef::new(contact.kind().clone(), rename.new_code.clone())
            .map_err(|_| Denial::invalid("newCode"))?;
        if self.grants.contains_key(&renamed) {
            return Err(Denial::conflict(RefusalCode::from_wire("code-taken")));
        }
        let version = grant.version.max(self.revoked.remove(&renamed).unwrap_or(0)) + 1;
        let grant = Grant { contact: renamed.clone(), version, ..grant };
        self.revoked.insert(contact.clone(), version);
        self.grants.remove(contact);
        self.grants.insert(renamed.clone(), grant.clone());
        self.move_data(contact, &renamed);
        Ok(grant)
    }

    fn move_data(&mut self, from: &ContactRef, to: &ContactRef) {
        for case in self.cases.values_mut() {
            // What an earlier owner of the code left is another contact's.
            case.held.remove(to);
            if let Some(held) = case.held.remove(from) {
                case.held.insert(to.clone(), held);
            }
            case.held.values_mut().for_each(|Held { shown, .. }| rename_holder(shown, from, to));
            if let Some((_, content)) = &mut case.pushed {
                rename_content(content, from, to);
            }
        }
        let listed = self.documents.values_mut().flat_map(Document::grants_mut);
        listed.filter(|grant| *grant == from).for_each(|grant| to.clone_into(grant));
        self.loads.values_mut().for_each(|load| load.rename(from, to));
    }

    /// W17
    pub(super) fn digest(&self, contact: &ContactRef) -> Result<GrantDigest, Denial> {
        self.grant(contact)?;
        let line = |(case, held): (u64, &Held)| DigestLine::new(case, held.version, held.view()?).ok();
        let lines: Vec<DigestLine> = self.visible(contact).filter_map(line).collect();
        Ok(GrantDigest { count: lines.len() as u64, digest: digest(lines) })
    }
}

fn rename_content(content: &mut Content, from: &ContactRef, to: &ContactRef) {
    if let Some(shown) = content.remove(from) {
        content.insert(to.clone(), shown);
    }
    content.values_mut().for_each(|shown| rename_holder(shown, from, to));
}

fn rename_holder(shown: &mut Shown, from: &ContactRef, to: &ContactRef) {
    if let Shown::Visible { holder, .. } = shown
        && holder == from
    {
        to.clone_into(holder);
    }
}

/// A portal opens nothing that it cannot judge: every word of the grant is one of the contract's.
fn readable(grant: &Grant) -> Result<(), Denial> {
    let whose = match &grant.scope {
        Scope::Own => true,
        Scope::Group { group } => !group.trim().is_empty(),
    };
    let words = [
        ("state", GrantState::LISTED.contains(&grant.state)),
        ("scope", whose),
        ("show", grant.show.iter().all(|one| FieldBox::LISTED.contains(one))),
        ("closedCases", ClosedCases::LISTED.contains(&grant.closed_cases)),
    ];
    words.iter().find(|(_, good)| !good).map_or(Ok(()), |(field, _)| Err(Denial::invalid(field)))
}
