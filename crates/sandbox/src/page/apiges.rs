//! The portal of Apiges: what each viewer sees now, beside what is kept from him and why.
//!
//! What is seen comes from the portal; what may be seen, and why not, from the sandbox's own reading of the contract
//! (section 4.3), which knows nothing of what was pushed. Where the two differ, the page says so.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::program::Program;
use super::{Frame, Shared, View, back_to, show};
use crate::apiges::Lang;
use crate::control::Control;
use crate::payload::Payload;
use crate::websync::{ContactRef, Difference, Explained};

pub(super) const VIEW: View = View { path: "/apiges", name: "Apiges", routes };

/// How many files of a viewer are shown.
const SHOWN: usize = 40;
/// Whom the examples open to: with one box and a modality left out, with all boxes, and with none.
const EXAMPLES: [(&str, &str, &[&str], bool); 3] = [
    ("C", "0001", &["referencia1"], true),
    ("C", "0002", &["referencia1", "referencia2", "referencia3", "clave"], false),
    ("I", "0001", &[], false),
];

fn routes() -> Router<Shared> {
    Router::new().route("/apiges", get(page)).route("/apiges/examples", post(examples))
}

/// Somebody who can look, and the link to what he sees.
struct Watcher {
    /// `C/0001`, or the number of a union.
    key: String,
    title: String,
    /// His grant in words.
    grants: Vec<String>,
    chosen: bool,
}

impl Watcher {
    fn new(key: String, members: &[ContactRef], grants: &[Value], chosen: &str) -> Self {
        let names: Vec<String> = members.iter().map(ToString::to_string).collect();
        let own =
            grants.iter().filter(|grant| members.iter().any(|one| json!(one) == *at(grant, "/contact")));
        Self {
            title: if key.starts_with("union-") {
                format!("Union of {}", names.join(", "))
            } else {
                key.clone()
            },
            grants: own.map(described).collect(),
            chosen: key == chosen,
            key,
        }
    }
}

/// What is there, or null.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// A grant in words.
fn described(grant: &Value) -> String {
    let list = |key: &str, none: &str| {
        let texts = at(grant, key).as_array().into_iter().flatten().filter_map(Value::as_str);
        let texts: Vec<&str> = texts.collect();
        if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
    };
    let scope = match at(grant, "/scope/group").as_str() {
        Some(group) => format!("group {group}"),
        None => "own files".to_owned(),
    };
    format!(
        "{}/{}, {}: {scope}; boxes ticked: {}; modalities left out: {}; closed files: {}",
        spelled(at(grant, "/contact/kind")),
        spelled(at(grant, "/contact/code")),
        spelled(at(grant, "/state")),
        list("/show", "none"),
        list("/excludedModalities", "none"),
        if at(grant, "/closedCases") == "keep" { "kept" } else { "withdrawn" },
    )
}

/// A file as a viewer has it.
struct Case {
    id: i64,
    title: String,
    /// Field and value; none if he sees nothing of it.
    seen: Option<Vec<(String, String)>>,
    documents: Vec<String>,
    barred: Vec<String>,
    /// Field, value and reason.
    hidden: Vec<(String, String, String)>,
    differences: Vec<String>,
}

impl Case {
    fn new(id: i64, own: Explained) -> Self {
        let fields = |view: Map<String, Value>| {
            let fields = view.into_iter().filter(|(_, value)| !value.is_null());
            fields.map(|(name, value)| (name, spelled(&value))).collect()
        };
        let hidden = own.hidden.into_iter();
        Self {
            id,
            title: own.title,
            // Of a file that is barred everything is hidden, and the reason says it once.
            hidden: hidden.map(|(name, value, why)| (name, spelled(&value), why.to_string())).collect(),
            seen: own.seen.map(fields),
            documents: own.documents.iter().map(document).collect(),
            barred: if own.allowed {
                Vec::new()
            } else {
                own.barred.iter().map(ToString::to_string).collect()
            },
            differences: own.differences.iter().map(difference).collect(),
        }
    }
}

fn document(link: &Value) -> String {
    let title = [at(link, "/title"), at(link, "/fileName")].into_iter().find_map(Value::as_str);
    format!("document {}", title.unwrap_or_default())
}

fn difference(difference: &Difference) -> String {
    let (field, nothing) = (&difference.field, Value::Null);
    match (&difference.allowed, &difference.shown) {
        (_, shown) if field == "case" && *shown == nothing => {
            "he may see this file, and it is not on the portal".to_owned()
        }
        (allowed, _) if field == "case" && *allowed == nothing => "he sees this file and must not".to_owned(),
        (allowed, _) if *allowed == nothing => format!("{field} is shown and must not be"),
        (_, shown) if *shown == nothing => format!("{field} may be seen and is not there"),
        (allowed, shown) => format!("{field} is {}, and should be {}", spelled(shown), spelled(allowed)),
    }
}

/// A value for people: a pair as its description and code, a picture as its kind and size.
fn spelled(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(spelled).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let of = |key: &str| fields.get(key).map(spelled).unwrap_or_default();
            if fields.contains_key("codigo") {
                format!("{} {}", of("codigo"), of("descripcion")).trim().to_owned()
            } else if fields.contains_key("descripcion") {
                of("descripcion")
            } else if fields.contains_key("sha256") {
                format!("{}, {} bytes", of("mediaType"), of("bytes"))
            } else {
                fields.values().map(spelled).collect::<Vec<_>>().join(" ")
            }
        }
        other => other.to_string(),
    }
}

#[derive(Template)]
#[template(path = "apiges.html")]
struct Page {
    frame: Frame,
    watchers: Vec<Watcher>,
    cases: Vec<Case>,
    /// Files that a grant of the viewer reaches, or that he sees.
    all: usize,
    visible: usize,
    differ: usize,
    files: usize,
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    viewer: String,
}

async fn page(State(control): State<Shared>, Query(wish): Query<Wish>) -> Response {
    let viewers = control.websync.viewers();
    let known = viewers.iter().any(|(key, _)| *key == wish.viewer);
    let first = viewers.first().map(|(key, _)| key.clone()).unwrap_or_default();
    let chosen = if known { wish.viewer } else { first };
    let explained = control.websync.explained(&control.apiges, &chosen).unwrap_or_default();
    let cases: Vec<Case> = explained.into_iter().map(|(id, own)| Case::new(id, own)).collect();
    let grants = control.websync.grants();
    show(&Page {
        frame: Frame::of(VIEW),
        all: cases.len(),
        visible: cases.iter().filter(|case| case.seen.is_some()).count(),
        differ: cases.iter().filter(|case| !case.differences.is_empty()).count(),
        files: control.apiges.file_ids().len(),
        cases: cases.into_iter().take(SHOWN).collect(),
        watchers: viewers
            .into_iter()
            .map(|(key, members)| Watcher::new(key, &members, &grants, &chosen))
            .collect(),
    })
}

/// Opens files to three contacts over HTTP, as a synchronisation would: grants, pictures, then every file.
async fn examples(State(control): State<Shared>) -> Response {
    for (kind, code, boxes, narrow) in EXAMPLES {
        let contact = ContactRef::new(kind, code);
        let left_out = if narrow { first_modality(&control, &contact) } else { None };
        open_to(&control, &contact, boxes, left_out).await;
    }
    push_all(&control).await;
    back_to("/apiges")
}

/// The modality of the first file that a contact holds.
fn first_modality(control: &Control, contact: &ContactRef) -> Option<String> {
    let id = control.apiges.contact_id(&contact.kind, &contact.code)?;
    let files = control.apiges.file_ids().into_iter();
    let mut files = files.filter_map(|file| control.apiges.file(file, Lang::Es));
    let file = files.find(|file| *at(file, "/idCliente") == id)?;
    at(&file, "/modalidad/codigo").as_str().map(str::to_owned)
}

fn program(control: &Control) -> Program<'_> {
    let token = format!("Bearer {}", control.websync.token());
    let headers = vec![("authorization", token), ("x-websync-protocol", "1".to_owned())];
    Program { base_url: control.websync.base_url(), headers }
}

/// A key of its own for every write (O4).
fn once() -> (&'static str, String) {
    ("idempotency-key", crate::chance::hex(16))
}

fn below(control: &Control, path: &str) -> String {
    format!("/websync/v1/{}{path}", control.websync.tenant())
}

async fn open_to(control: &Control, contact: &ContactRef, boxes: &[&str], left_out: Option<String>) {
    let Some(id) = control.apiges.contact_id(&contact.kind, &contact.code) else { return };
    let grant = json!({
        "contact": contact, "contactId": id, "state": "active", "version": 0, "scope": { "type": "own" },
        "show": boxes, "excludedModalities": left_out.as_slice(), "admin": null,
        "closedCases": "withdraw", "lang": "es",
    });
    let path = below(control, &format!("/grants/{contact}"));
    let new = [("if-none-match", "*".to_owned()), once()];
    program(control).call(Method::PUT, &path, &new, &grant).await;
}

/// Pushes every file that somebody may see and has not got, in the words of section 4.3.
async fn push_all(control: &Control) {
    let program = program(control);
    let contacts = EXAMPLES.map(|(kind, code, _, _)| ContactRef::new(kind, code));
    let views = contacts.iter().flat_map(|contact| {
        let allowed = control.websync.allowed(&control.apiges, contact).into_iter();
        allowed.map(move |(case, view)| (case, contact, view))
    });
    let mut cases = std::collections::BTreeMap::<i64, Vec<(&ContactRef, Value)>>::new();
    views.for_each(|(case, contact, view)| cases.entry(case).or_default().push((contact, view)));
    for (case, views) in cases {
        store_picture(control, &program, case).await;
        let projections =
            views.iter().map(|(contact, view)| json!({ "grant": contact, "holder": contact, "view": view }));
        let push = json!({
            "caseId": case, "version": 1, "sequence": 1, "savedAt": "2026-01-02T10:15:04.120Z",
            "cause": "saved", "projections": projections.collect::<Vec<_>>(), "withdrawals": [],
        });
        program.call(Method::PUT, &below(control, &format!("/cases/{case}")), &[once()], &push).await;
    }
}

/// A picture goes before the view that names it (O9).
async fn store_picture(control: &Control, program: &Program<'_>, case: i64) {
    let Some((digest, media_type, bytes)) = control.apiges.picture(case) else { return };
    let path = below(control, &format!("/blobs/{digest}"));
    program.send(Method::PUT, &path, &[], &media_type, Payload::from(bytes)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_in_words() {
        assert_eq!(spelled(&json!({ "codigo": "P", "descripcion": "Patente" })), "P Patente");
        assert_eq!(spelled(&json!([{ "codigo": "9" }, { "codigo": "35" }])), "9, 35");
        assert_eq!(
            spelled(&json!({ "sha256": "ab", "mediaType": "image/png", "bytes": 12 })),
            "image/png, 12 bytes"
        );
        let described = json!({ "id": 1, "tipo": { "codigo": "D" }, "descripcion": "MARSOL" });
        assert_eq!(spelled(&described), "MARSOL");
        assert_eq!(spelled(&json!(null)), "");
    }

    #[test]
    fn a_grant_is_told_in_words() {
        let grant = json!({
            "contact": { "kind": "C", "code": "0042" }, "state": "suspended", "closedCases": "keep",
            "scope": { "type": "group", "group": "G7" }, "show": ["clave"], "excludedModalities": [],
        });
        assert_eq!(
            described(&grant),
            "C/0042, suspended: group G7; boxes ticked: clave; modalities left out: none; closed files: kept"
        );
    }
}
