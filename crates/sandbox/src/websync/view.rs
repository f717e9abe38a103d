//! What a viewer sees: what was pushed for his grants, and nothing that any of them does not show (W33, section 4.3
//! as far as the portal can judge).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::portal::{Done, Held, Portal};
use super::refusal::Refusal;
use super::wire::{ContactRef, Grant};

/// Who looks: with his own access, or as the administrator of a union.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Viewer {
    Own(ContactRef),
    Union(String),
}

impl Viewer {
    /// Whether he looks with this grant, as far as it is active.
    pub(super) fn has(&self, grant: &Grant) -> bool {
        match self {
            Self::Own(contact) => grant.contact == *contact,
            Self::Union(tag) => grant.pair_tag() == Some(tag),
        }
    }
}

/// A case as a viewer sees it, with the grants that show it to him.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) held: &'a Held,
    pub(super) view: Map<String, Value>,
    pub(super) grants: Vec<&'a ContactRef>,
}

impl Portal {
    /// The grants of a viewer that are active (step 1).
    pub(super) fn grants_of(&self, viewer: &Viewer) -> Vec<&Grant> {
        self.grants.values().filter(|grant| viewer.has(grant) && grant.is_active()).collect()
    }

    /// Everything a viewer sees, by case.
    pub(super) fn seen(&self, viewer: &Viewer) -> BTreeMap<i64, Seen<'_>> {
        let mut seen: BTreeMap<i64, Seen<'_>> = BTreeMap::new();
        for grant in self.grants_of(viewer) {
            for (case, held) in self.visible_cases(&grant.contact) {
                match seen.get_mut(&case) {
                    Some(own) => own.also(&grant.contact, held),
                    None => {
                        let first = Seen { held, view: held.view.clone(), grants: vec![&grant.contact] };
                        seen.insert(case, first);
                    }
                }
            }
        }
        seen
    }

    /// W33
    pub(super) fn view(&self, viewer: &Viewer) -> Done {
        if let Viewer::Own(contact) = viewer {
            self.grant(contact)?;
        }
        let grants: Vec<&ContactRef> =
            self.grants_of(viewer).into_iter().map(|grant| &grant.contact).collect();
        let cases: Vec<Value> = self
            .seen(viewer)
            .into_iter()
            .map(|(case, seen)| {
                json!({
                    "caseId": case,
                    "version": seen.held.version,
                    "holder": seen.held.holder,
                    "view": seen.view,
                    "grants": seen.grants,
                    "documents": self.documents_seen(case, &seen.grants),
                })
            })
            .collect();
        Ok((200, json!({ "grants": grants, "cases": cases })))
    }
}

impl<'a> Seen<'a> {
    /// Another grant of the same viewer reaches the case: only fields that all of them show (step 6).
    fn also(&mut self, grant: &'a ContactRef, held: &Held) {
        self.view.retain(|field, _| held.view.contains_key(field));
        self.grants.push(grant);
    }
}

/// Reads `?grant=` or `?pairTag=`.
pub(super) fn viewer(parameters: &[(String, String)]) -> Result<Viewer, Refusal> {
    match parameters {
        [(key, value)] if key == "grant" => {
            ContactRef::named(value).map(Viewer::Own).ok_or_else(|| Refusal::invalid("grant"))
        }
        [(key, value)] if key == "pairTag" && super::wire::is_hex64(value) => {
            Ok(Viewer::Union(value.clone()))
        }
        _ => Err(Refusal::invalid("either grant or pairTag")),
    }
}
