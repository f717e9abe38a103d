//! Who changed which grant, when, and what it was before and after; keys never (contract N8).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::language::Lang;
use crate::web::{
    AdminPair, ClosedCases, ContactRef, FieldBox, Grant, GrantState, Instant, PreviewId, Scope,
};

/// A grant as the audit keeps it: of a pair only which preview confirmed it, since a tag opens a union's view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    contact: ContactRef,
    contact_id: u64,
    state: GrantState,
    version: u64,
    scope: Scope,
    show: BTreeSet<FieldBox>,
    excluded_modalities: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    union_confirmed_by: Option<PreviewId>,
    closed_cases: ClosedCases,
    lang: Lang,
}

impl From<&Grant> for Snapshot {
    fn from(grant: &Grant) -> Self {
        Self {
            contact: grant.contact.clone(),
            contact_id: grant.contact_id,
            state: grant.state.clone(),
            version: grant.version,
            scope: grant.scope.clone(),
            show: grant.show.clone(),
            excluded_modalities: grant.excluded_modalities.clone(),
            union_confirmed_by: grant.admin.as_ref().map(|AdminPair { preview_id, .. }| preview_id.clone()),
            closed_cases: grant.closed_cases.clone(),
            lang: grant.lang,
        }
    }
}

/// What was done to a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GrantChange {
    /// It was made.
    Created,
    /// It opens something else now.
    Changed,
    /// It was switched off.
    Suspended,
    /// It was switched on again.
    Resumed,
    /// Its contact has another code.
    Renamed,
    /// It is no more.
    Revoked,
}

/// One change of a grant.
///
/// ```
/// # use apiges_sync::grant::{AuditEntry, GrantChange, Rules, WebGrant};
/// # use apiges_sync::web::{ContactRef, FieldBox};
/// # let draft = WebGrant::new(ContactRef::client("4879")?, 1).activated()?;
/// # let (before, after) = (draft.to_wire(&Rules::default())?, draft.show(FieldBox::Clave).to_wire(&Rules::default())?);
/// let entry = AuditEntry::new("2026-03-02T10:15:04.120Z".parse()?, "ana", Some(&before), Some(&after));
/// assert_eq!(entry.change(), GrantChange::Changed);
/// assert_eq!(entry.to_json()["after"]["show"][0], "clave");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    at: Instant,
    by: String,
    change: GrantChange,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pair_changed: bool,
    before: Option<Snapshot>,
    after: Option<Snapshot>,
}

impl AuditEntry {
    /// What `by` changed at `at`; nothing before is a new grant, nothing after a revoked one.
    pub fn new(at: Instant, by: impl Into<String>, before: Option<&Grant>, after: Option<&Grant>) -> Self {
        let tag = |grant: Option<&Grant>| {
            grant.and_then(|grant| grant.admin.as_ref()).map(|admin| admin.pair_tag.clone())
        };
        Self {
            at,
            by: by.into(),
            change: change(before, after),
            pair_changed: tag(before) != tag(after),
            before: before.map(Snapshot::from),
            after: after.map(Snapshot::from),
        }
    }

    /// When.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// Who.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// What was done.
    #[must_use]
    pub const fn change(&self) -> GrantChange {
        self.change
    }

    /// Whether it joined, left or changed a union.
    #[must_use]
    pub const fn pair_changed(&self) -> bool {
        self.pair_changed
    }

    /// Whose grant, after the change if there is one.
    #[must_use]
    pub fn contact(&self) -> Option<&ContactRef> {
        self.after.as_ref().or(self.before.as_ref()).map(|grant| &grant.contact)
    }

    /// The entry as JSON, for the firm's own records.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn change(before: Option<&Grant>, after: Option<&Grant>) -> GrantChange {
    let (Some(before), Some(after)) = (before, after) else {
        return if after.is_some() { GrantChange::Created } else { GrantChange::Revoked };
    };
    let was_active = before.state == GrantState::Active;
    let is_active = after.state == GrantState::Active;
    match (was_active, is_active) {
        (true, false) => GrantChange::Suspended,
        (false, true) => GrantChange::Resumed,
        _ if before.contact != after.contact => GrantChange::Renamed,
        _ => GrantChange::Changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use crate::grant::{Rules, UnionKey, WebGrant};

    fn grant() -> WebGrant {
        WebGrant::new(ContactRef::client("1").unwrap(), 1).activated().unwrap()
    }

    fn wire(grant: &WebGrant) -> Grant {
        grant.to_wire(&Rules::default()).unwrap()
    }

    fn entry(before: Option<&Grant>, after: Option<&Grant>) -> AuditEntry {
        AuditEntry::new("2026-03-02T10:15:04.120Z".parse().unwrap(), "ana", before, after)
    }

    #[test]
    fn every_change_has_its_name() {
        let active = wire(&grant());
        let suspended = wire(&grant().suspended().unwrap());
        let renamed = Grant { contact: ContactRef::client("2").unwrap(), ..active.clone() };
        let shown = wire(&grant().show(FieldBox::Clave));
        for (before, after, change) in [
            (None, Some(&active), GrantChange::Created),
            (Some(&active), None, GrantChange::Revoked),
            (Some(&active), Some(&suspended), GrantChange::Suspended),
            (Some(&suspended), Some(&active), GrantChange::Resumed),
            (Some(&active), Some(&renamed), GrantChange::Renamed),
            (Some(&active), Some(&shown), GrantChange::Changed),
        ] {
            assert_eq!(entry(before, after).change(), change);
        }
        let read: AuditEntry = serde_json::from_value(entry(Some(&active), Some(&shown)).to_json()).unwrap();
        assert_eq!((read.by(), read.contact().unwrap().code()), ("ana", "1"));
    }

    #[test]
    fn neither_key_nor_tag_is_in_it() {
        let key = UnionKey::from_hex(Secret::new("ab".repeat(32))).unwrap();
        let paired = |pair_key: &str| {
            let paired = grant().administrator(&key, "canary-code", &Secret::new(pair_key));
            wire(&paired.confirmed(PreviewId::new("p-1")))
        };
        let (one, two) = (paired("canary-key-1"), paired("canary-key-2"));
        let entry = entry(Some(&one), Some(&two));
        assert!(entry.pair_changed());
        let shown = format!("{entry:?}{}", entry.to_json());
        let tags = [&one, &two].map(|grant| grant.admin.as_ref().unwrap().pair_tag.to_hex());
        for secret in ["canary", &tags[0], &tags[1]] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("p-1"));
    }
}
