//! What every viewer may see, by section 4.3 alone: from the firm's files, the grants and the groups, and from nothing
//! that was pushed; and where the portal differs from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::portal::Portal;
use super::view::Viewer;
use super::wire::{BOXES, ClosedCases, ContactRef, Grant, Scope, sha256};
use crate::apiges::file::{CaseFile, Filed};
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

/// Why something of a file is not shown (section 4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Step 1: the grant is suspended.
    Suspended(ContactRef),
    /// Step 3: the file is closed, and the grant withdraws closed ones.
    Closed,
    /// Step 4.
    Excluded { modality: String, by: ContactRef },
    /// Steps 5 and 6: a box that this contact's grant does not tick.
    NotTicked(ContactRef),
    /// B2: the firm hides the document, or does not say that it does not.
    Document { flag: Option<bool> },
}

impl std::fmt::Display for Why {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Suspended(grant) => write!(out, "the grant of {grant} is suspended"),
            Self::Closed => out.write_str("the file is closed (estado B)"),
            Self::Excluded { modality, by } => write!(out, "{by} excludes modality {modality}"),
            Self::NotTicked(by) => write!(out, "the box is not ticked for {by}"),
            Self::Document { flag: Some(_) } => out.write_str("the firm hides the document"),
            Self::Document { flag: None } => out.write_str("the document has no flag, which hides it"),
        }
    }
}

/// A file that a grant of a viewer reaches: what he sees of it, what he may see, and what is kept from him.
#[derive(Debug, Clone, Default)]
pub(crate) struct Explained {
    /// Number and name in the firm's program.
    pub(crate) title: String,
    /// What the portal shows; none if it shows nothing of the file.
    pub(crate) seen: Option<Map<String, Value>>,
    /// Whether section 4.3 lets him see the file.
    pub(crate) allowed: bool,
    /// Why not, by each grant that reaches it.
    pub(crate) barred: Vec<Why>,
    /// Field or document, the firm's value, and why it is not shown.
    pub(crate) hidden: Vec<(String, Value, Why)>,
    /// Documents on the portal.
    pub(crate) documents: Vec<Value>,
    /// Where what is shown is not what is allowed.
    pub(crate) differences: Vec<Difference>,
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

/// Every file that a viewer's grants reach, suspended ones too, and every other that he sees.
pub(super) fn explained(firm: &Firm, portal: &Portal, viewer: &Viewer) -> BTreeMap<i64, Explained> {
    let judge = Judge::new(firm, portal);
    let allowed = judge.allowed(viewer);
    let mut files: BTreeMap<i64, Explained> = BTreeMap::new();
    for grant in portal.grants.values().filter(|grant| viewer.has(grant)) {
        for (holder, file) in judge.reached(grant) {
            judge.explain(grant, &holder, file, files.entry(file.id).or_default());
        }
    }
    for (case, seen) in portal.seen(viewer) {
        let own = files.entry(case).or_default();
        own.documents = portal.documents_seen(case, &seen.grants);
        own.seen = Some(seen.view);
    }
    for difference in judge.compare(viewer) {
        files.entry(difference.case).or_default().differences.push(difference);
    }
    for (case, own) in &mut files {
        own.allowed = allowed.contains_key(case);
        if let Some(file) = firm.files.get(case) {
            let values = seen(file, Lang::Es);
            let parts = ["numero", "denominacion"].map(|name| values.get(name).and_then(Value::as_str));
            own.title = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        }
    }
    files
}

impl<'a> Judge<'a> {
    /// What one grant keeps from its viewer of a file that it reaches.
    fn explain(&self, grant: &Grant, holder: &ContactRef, file: &CaseFile, own: &mut Explained) {
        let suspended = (!grant.is_active()).then(|| Why::Suspended(grant.contact.clone()));
        if let Some(why) = suspended.or_else(|| self.barred(grant, holder, file)) {
            own.barred.push(why);
            return;
        }
        let values = seen(file, grant.lang);
        for (field, by) in self.shut(grant, holder) {
            let known = own.hidden.iter().any(|(name, _, _)| name == field);
            let value = values.get(field).filter(|value| !known && present(Some(value)).is_some());
            own.hidden.extend(value.map(|value| (field.to_owned(), value.clone(), Why::NotTicked(by))));
        }
        for (annotation, filed) in
            file.annotations.iter().flat_map(|note| note.documents.iter().map(move |filed| (note.id, filed)))
        {
            let name = format!("documents/{annotation}/{}", filed.id);
            let known = own.hidden.iter().any(|(other, _, _)| *other == name);
            if !known && !self.is_open(filed) {
                own.hidden.push((name, json!(filed.name), Why::Document { flag: filed.hidden }));
            }
        }
    }

    /// A document may be shown if the firm does not hide it; a missing flag hides (B2).
    fn is_open(&self, filed: &Filed) -> bool {
        filed.hidden == Some(false) || (filed.external && self.portal.settings.external_documents)
    }

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

    /// The holder's own grant, if he is not the grant's contact and has one.
    fn other(&self, grant: &Grant, holder: &ContactRef) -> Option<&'a Grant> {
        if *holder == grant.contact { None } else { self.portal.grants.get(holder) }
    }

    /// Steps 3 to 5: the fields behind boxes that a grant shows of a file; nothing if it does not show the file.
    fn boxes(&self, grant: &Grant, holder: &ContactRef, file: &CaseFile) -> Option<BTreeSet<&'static str>> {
        if self.barred(grant, holder, file).is_some() {
            return None;
        }
        let shut = self.shut(grant, holder);
        Some(BOXES.iter().map(|(_, field)| *field).filter(|field| !shut.contains_key(field)).collect())
    }

    /// Steps 3 and 4: why a grant does not show a file that it reaches.
    fn barred(&self, grant: &Grant, holder: &ContactRef, file: &CaseFile) -> Option<Why> {
        let closed = file.code("estado") == "B";
        if closed && grant.closed_cases == ClosedCases::Withdraw {
            return Some(Why::Closed);
        }
        let modality = file.code("modalidad");
        let both = [Some(grant), self.other(grant, holder)].into_iter().flatten();
        let mut excluding = both.filter(|own| own.excluded_modalities.iter().any(|code| code == modality));
        excluding.next().map(|own| Why::Excluded { modality: modality.to_owned(), by: own.contact.clone() })
    }

    /// Step 5: the fields behind boxes that are not ticked, with whose grant does not tick them.
    fn shut(&self, grant: &Grant, holder: &ContactRef) -> BTreeMap<&'static str, ContactRef> {
        let mut shut = BTreeMap::new();
        for own in [Some(grant), self.other(grant, holder)].into_iter().flatten() {
            for (name, field) in BOXES {
                if !own.show.iter().any(|shown| shown == name) {
                    shut.entry(field).or_insert_with(|| own.contact.clone());
                }
            }
        }
        shut
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

    /// A document may be shown if the firm has it and does not hide it.
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
        if !filed.is_some_and(|filed| self.is_open(filed)) {
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
