//! What every viewer may see, by section 4.3 alone: from the firm's files, the grants and the groups, and from nothing
//! that was pushed; and where the portal differs from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::portal::Portal;
use super::view::Viewer;
use super::wire::{BOXES, ClosedCases, ContactRef, Grant, Scope, sha256};
use crate::apiges::file::CaseFile;
use crate::apiges::firm::Firm;
use crate::apiges::{Lang, seen};

/// A place where the portal does not show what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Who looks: `C/4879`, or `pair:` and the tag of a union.
    pub viewer: String,
    /// The file.
    pub case: i64,
    /// The field of the view, `holder`, `documents/{annotation}/{document}`, or `case` if the file itself is what
    /// is missing or too much.
    pub field: String,
    /// What should be there; null for nothing.
    pub allowed: Value,
    /// What is there; null for nothing.
    pub shown: Value,
}

/// Files by field and contact, so that nobody has to look at all of them.
type Index<'a> = HashMap<(&'a str, i64), Vec<&'a CaseFile>>;

/// A file that a viewer may see: in which language, with which boxes, held by whom.
struct Allowed<'a> {
    file: &'a CaseFile,
    lang: Lang,
    boxes: BTreeSet<&'static str>,
    holders: BTreeSet<ContactRef>,
}

struct Judge<'a> {
    firm: &'a Firm,
    portal: &'a Portal,
    index: Index<'a>,
}

/// Every difference, by viewer and file.
pub(super) fn differences(firm: &Firm, portal: &Portal) -> Vec<Difference> {
    let judge = Judge::new(firm, portal);
    let own = portal.grants.keys().cloned().map(Viewer::Own);
    let tags: BTreeSet<&str> = portal.grants.values().filter_map(Grant::pair_tag).collect();
    let unions = tags.into_iter().map(|tag| Viewer::Union(tag.to_owned()));
    own.chain(unions).flat_map(|viewer| judge.compare(&viewer)).collect()
}

/// What one viewer may see.
pub(super) fn allowed(firm: &Firm, portal: &Portal, viewer: &Viewer) -> BTreeMap<i64, Value> {
    let judge = Judge::new(firm, portal);
    judge.allowed(viewer).into_iter().map(|(case, allowed)| (case, Value::Object(fields(&allowed)))).collect()
}

impl<'a> Judge<'a> {
    fn new(firm: &'a Firm, portal: &'a Portal) -> Self {
        let roles: BTreeSet<&str> = portal.settings.holder_fields.values().map(String::as_str).collect();
        let mut index = Index::new();
        for file in firm.files.values() {
            for role in &roles {
                if let Some(contact) = file.holder(role) {
                    index.entry((role, contact)).or_default().push(file);
                }
            }
        }
        Self { firm, portal, index }
    }

    fn allowed(&self, viewer: &Viewer) -> BTreeMap<i64, Allowed<'a>> {
        let mut allowed: BTreeMap<i64, Allowed<'a>> = BTreeMap::new();
        // Step 1.
        for grant in self.portal.grants_of(viewer) {
            for (holder, file) in self.reached(grant) {
                let Some(boxes) = self.boxes(grant, &holder, file) else { continue };
                match allowed.get_mut(&file.id) {
                    // Step 6.
                    Some(own) => {
                        own.boxes.retain(|field| boxes.contains(field));
                        own.holders.insert(holder);
                    }
                    None => {
                        let holders = BTreeSet::from([holder]);
                        allowed.insert(file.id, Allowed { file, lang: grant.lang, boxes, holders });
                    }
                }
            }
        }
        allowed
    }

    /// Step 2: files of the grant's contact, or of everybody who is in its group with him now.
    fn reached(&self, grant: &Grant) -> Vec<(ContactRef, &'a CaseFile)> {
        let Some(role) = self.portal.settings.holder_fields.get(&grant.contact.kind) else {
            return Vec::new();
        };
        let mut holders = BTreeMap::from([(grant.contact_id, grant.contact.clone())]);
        if let Scope::Group { group } = &grant.scope
            && let Some(members) =
                self.portal.groups.get(group).filter(|members| members.contains(&grant.contact))
        {
            let contacts = members.iter().filter_map(|member| {
                let contact = self.firm.contact(&member.kind, &member.code)?;
                Some((contact.id, member.clone()))
            });
            holders.extend(contacts);
        }
        let files = holders.into_iter().flat_map(|(id, contact)| {
            let held = self.index.get(&(role.as_str(), id)).into_iter().flatten();
            held.map(move |file| (contact.clone(), *file))
        });
        files.collect()
    }

    /// Steps 3 to 5: the fields behind boxes that a grant shows of a file; nothing if it does not show the file.
    fn boxes(&self, grant: &Grant, holder: &ContactRef, file: &CaseFile) -> Option<BTreeSet<&'static str>> {
        let closed = file.code("estado") == "B";
        if closed && grant.closed_cases == ClosedCases::Withdraw {
            return None;
        }
        let other = if *holder == grant.contact { None } else { self.portal.grants.get(holder) };
        let both = || [Some(grant), other].into_iter().flatten();
        let excluded =
            |own: &Grant| own.excluded_modalities.iter().any(|code| code == file.code("modalidad"));
        if both().any(excluded) {
            return None;
        }
        let shown = |name: &str| both().all(|own| own.show.iter().any(|shown| shown == name));
        Some(BOXES.iter().filter(|(name, _)| shown(name)).map(|(_, field)| *field).collect())
    }

    fn compare(&self, viewer: &Viewer) -> Vec<Difference> {
        let (allowed, shown) = (self.allowed(viewer), self.portal.seen(viewer));
        let name = match viewer {
            Viewer::Own(contact) => contact.to_string(),
            Viewer::Union(tag) => format!("pair:{tag}"),
        };
        let mut found = Vec::new();
        let mut differs = |case: i64, field: &str, allowed: Value, shown: Value| {
            found.push(Difference { viewer: name.clone(), case, field: field.to_owned(), allowed, shown });
        };
        for case in allowed.keys().chain(shown.keys()).collect::<BTreeSet<_>>() {
            match (allowed.get(case), shown.get(case)) {
                (Some(_), None) => differs(*case, "case", json!("visible"), Value::Null),
                (None, Some(seen)) => differs(*case, "case", Value::Null, json!(seen.grants)),
                (Some(allowed), Some(seen)) => {
                    self.compare_case(allowed, seen, &mut |field, allowed, shown| {
                        differs(*case, field, allowed, shown);
                    });
                }
                (None, None) => {}
            }
        }
        found
    }

    fn compare_case(
        &self,
        allowed: &Allowed<'_>,
        seen: &super::view::Seen<'_>,
        differs: &mut dyn FnMut(&str, Value, Value),
    ) {
        let wanted = fields(allowed);
        for field in wanted.keys().chain(seen.view.keys()).collect::<BTreeSet<_>>() {
            let (wanted, shown) = (present(wanted.get(field)), present(seen.view.get(field)));
            let same = match (&wanted, &shown) {
                (Some(wanted), Some(shown)) => same_field(field, wanted, shown),
                (None, None) => true,
                _ => false,
            };
            if !same {
                differs(field, json!(wanted), json!(shown));
            }
        }
        if !allowed.holders.contains(&seen.held.holder) {
            differs("holder", json!(allowed.holders), json!(seen.held.holder));
        }
        for document in self.portal.documents_seen(allowed.file.id, &seen.grants) {
            self.compare_document(allowed.file, &document, differs);
        }
    }

    /// A document may be shown if the firm has it and does not hide it; a missing flag hides (B2).
    fn compare_document(
        &self,
        file: &CaseFile,
        document: &Value,
        differs: &mut dyn FnMut(&str, Value, Value),
    ) {
        let number = |key: &str| {
            let id = document.get(key).and_then(Value::as_u64);
            id.and_then(|id| u32::try_from(id).ok())
        };
        let (annotation, id) = (number("annotationId"), number("documentId"));
        let filed = annotation.zip(id).and_then(|(annotation, id)| file.document(annotation, id));
        let open = filed.is_some_and(|filed| {
            filed.hidden == Some(false) || (filed.external && self.portal.settings.external_documents)
        });
        if !open {
            let part = |id: Option<u32>| id.map_or_else(|| "?".to_owned(), |id| id.to_string());
            differs(&format!("documents/{}/{}", part(annotation), part(id)), Value::Null, document.clone());
        }
    }
}

/// The fields of a view.
fn fields(allowed: &Allowed<'_>) -> Map<String, Value> {
    let mut fields = seen(allowed.file, allowed.lang);
    fields.retain(|name, value| {
        let boxed = BOXES.iter().any(|(_, field)| field == name);
        present(Some(value)).is_some() && (!boxed || allowed.boxes.contains(name.as_str()))
    });
    if let Some(picture) = allowed.file.graphics.first() {
        let value = json!({
            "sha256": sha256(&picture.bytes),
            "mediaType": picture.media_type,
            "bytes": picture.bytes.len(),
        });
        fields.insert("grafico".to_owned(), value);
    }
    fields
}

/// What is null or empty is as good as not there.
fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    })
}

/// Section 3.6 does not say how a pair or a list stands in a view: a code, a description and a pair are one value.
fn same_field(field: &str, wanted: &Value, shown: &Value) -> bool {
    match (field, wanted, shown) {
        ("descripciones", Value::Array(wanted), Value::Array(shown)) => {
            wanted.len() == shown.len()
                && wanted.iter().zip(shown).all(|(wanted, shown)| same_text(wanted, shown))
        }
        ("clases" | "situacion", Value::Array(wanted), Value::String(shown)) => {
            let codes: Vec<&str> = wanted.iter().filter_map(|pair| pair.get("codigo")?.as_str()).collect();
            shown.split([',', ' ', ';']).filter(|part| !part.is_empty()).eq(codes)
        }
        _ => same(wanted, shown),
    }
}

/// The text of a description, whatever the names around it.
fn same_text(wanted: &Value, shown: &Value) -> bool {
    let text = wanted.get("descripcion");
    let inside = |fields: &Map<String, Value>| fields.values().any(|value| Some(value) == text);
    Some(shown) == text || shown.as_object().is_some_and(inside)
}

fn same(wanted: &Value, shown: &Value) -> bool {
    match (wanted, shown) {
        (Value::Array(wanted), Value::Array(shown)) => {
            wanted.len() == shown.len() && wanted.iter().zip(shown).all(|(wanted, shown)| same(wanted, shown))
        }
        (Value::Object(pair), Value::String(_) | Value::Number(_)) if pair.contains_key("codigo") => {
            pair.values().any(|own| plain(own) == plain(shown))
        }
        (Value::Object(wanted), Value::Object(shown)) => {
            shown.iter().all(|(key, value)| wanted.get(key).is_some_and(|own| plain(own) == plain(value)))
                && ["codigo", "sha256"]
                    .iter()
                    .all(|key| wanted.contains_key(*key) == shown.contains_key(*key))
        }
        _ => plain(wanted) == plain(shown),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
