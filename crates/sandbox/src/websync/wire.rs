//! The types of section 3.6 as the portal reads them, and canonical JSON (X5).
//!
//! Bodies are read strictly: a field that the contract does not name is refused, because nothing that was not
//! agreed upon may come here.

use std::collections::BTreeMap;
use std::fmt;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::apiges::Lang;
use crate::blob;

/// A contact: kind and code, shown as `C/4879`.
///
/// ```
/// use integration_sandbox::websync::ContactRef;
///
/// assert_eq!(ContactRef::new("C", "0042").to_string(), "C/0042");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactRef {
    /// The kind's code.
    #[serde(deserialize_with = "filled")]
    pub kind: String,
    /// The contact's code, leading zeros kept.
    #[serde(deserialize_with = "filled")]
    pub code: String,
}

/// A text that is not empty: an empty one could not be named in a path.
fn filled<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() { Err(serde::de::Error::custom("is empty")) } else { Ok(text) }
}

impl ContactRef {
    /// A contact of this kind and code.
    #[must_use]
    pub fn new(kind: &str, code: &str) -> Self {
        Self { kind: kind.to_owned(), code: code.to_owned() }
    }

    pub(crate) fn named(text: &str) -> Option<Self> {
        let (kind, code) = text.split_once('/')?;
        (!kind.is_empty() && !code.is_empty()).then(|| Self::new(kind, code))
    }
}

impl fmt::Display for ContactRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.kind, self.code)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum GrantState {
    Active,
    Suspended,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Scope {
    Own,
    Group { group: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Admin {
    pub(super) pair_tag: String,
    pub(super) preview_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClosedCases {
    Withdraw,
    Keep,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) contact: ContactRef,
    pub(super) contact_id: i64,
    pub(super) state: GrantState,
    #[serde(default)]
    pub(super) version: u64,
    pub(super) scope: Scope,
    pub(super) show: Vec<String>,
    pub(super) excluded_modalities: Vec<String>,
    #[serde(default)]
    pub(super) admin: Option<Admin>,
    pub(super) closed_cases: ClosedCases,
    pub(super) lang: Lang,
}

impl Grant {
    pub(super) fn is_active(&self) -> bool {
        self.state == GrantState::Active
    }

    pub(super) fn pair_tag(&self) -> Option<&str> {
        self.admin.as_ref().map(|admin| admin.pair_tag.as_str())
    }
}

/// Box and field it opens (N3).
pub(super) const BOXES: [(&str, &str); 4] = [
    ("referencia1", "referencia"),
    ("referencia2", "referencia2"),
    ("referencia3", "referencia3"),
    ("clave", "clave"),
];
/// Fields of a view that need no box.
pub(super) const PLAIN: [&str; 11] = [
    "modalidad",
    "numero",
    "bis",
    "pais",
    "denominacion",
    "clases",
    "fechaVencimiento",
    "estado",
    "situacion",
    "descripciones",
    "grafico",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    GrantRevoked,
    ScopeNarrowed,
    ModalityExcluded,
    CaseClosed,
    CaseMoved,
    CaseRemoved,
    DocumentHidden,
    DocumentRemoved,
    AbsentFromLoad,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cause {
    Saved,
    Graphic,
    Grant,
    Moved,
    Closed,
    Load,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Projection {
    pub(super) grant: ContactRef,
    pub(super) holder: ContactRef,
    pub(super) view: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Withdrawal {
    pub(super) grant: ContactRef,
    pub(super) reason: Reason,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CasePush {
    pub(super) case_id: i64,
    pub(super) version: u64,
    pub(super) sequence: u64,
    pub(super) saved_at: String,
    pub(super) cause: Cause,
    pub(super) projections: Vec<Projection>,
    pub(super) withdrawals: Vec<Withdrawal>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LoadItem {
    pub(super) case_id: i64,
    pub(super) version: u64,
    pub(super) holder: ContactRef,
    pub(super) view: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DocumentLink {
    pub(super) version: u64,
    pub(super) sha256: String,
    pub(super) bytes: u64,
    pub(super) media_type: String,
    pub(super) file_name: String,
    pub(super) title: String,
    pub(super) date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) grants: Option<Vec<ContactRef>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Author {
    pub(super) role: String,
    #[serde(rename = "ref")]
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Message {
    pub(super) message_id: String,
    pub(super) author: Author,
    pub(super) sent_at: String,
    pub(super) lang: Lang,
    pub(super) body: String,
    #[serde(default)]
    pub(super) attachments: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<String>,
}

/// A step of a message on its way to being acknowledged; a later one is higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptEvent {
    /// It reached the viewer's page.
    Delivered,
    /// The viewer opened it.
    Read,
    /// The viewer confirmed it; final.
    Acknowledged,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Receipt {
    pub(super) receipt_id: String,
    pub(super) message_id: String,
    pub(super) event: ReceiptEvent,
    pub(super) at: String,
    pub(super) actor: String,
}

/// Canonical JSON: keys by code point, no blanks, only needed escapes, integers only.
pub(super) fn canonical(value: &Value) -> Option<String> {
    let mut out = String::new();
    write(value, &mut out).then_some(out)
}

fn write(value: &Value, out: &mut String) -> bool {
    match value {
        Value::Array(items) => {
            out.push('[');
            let good = items.iter().enumerate().all(|(place, item)| {
                out.push_str(if place > 0 { "," } else { "" });
                write(item, out)
            });
            out.push(']');
            good
        }
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            out.push('{');
            let good = sorted.into_iter().enumerate().all(|(place, (key, item))| {
                out.push_str(if place > 0 { "," } else { "" });
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(item, out)
            });
            out.push('}');
            good
        }
        Value::Number(number) if number.is_f64() => false,
        plain => {
            out.push_str(&plain.to_string());
            true
        }
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    blob::hex(digest(&SHA256, bytes).as_ref())
}

/// The digest of section 4.6 over case, version and digest of the canonical view, in the order of the case.
pub(super) fn digest_of<'a>(lines: impl Iterator<Item = (i64, u64, &'a str)>) -> String {
    let mut text = String::new();
    for (case, version, view) in lines {
        text.push_str(&format!("{case}:{version}:{view}\n"));
    }
    sha256(text.as_bytes())
}

pub(super) fn is_hex64(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_digest_of_the_contract() {
        let empty = sha256(canonical(&json!({})).unwrap().as_bytes());
        let lines = [(17, 3, empty.as_str()), (3992, 42, empty.as_str())];
        assert_eq!(
            digest_of(lines.into_iter()),
            "62ebd2f3b39153aa92f85d182a1f0dc97fc8c878ee6ce6ddc7d1c07d80e73f04"
        );
    }

    #[test]
    fn canonical_json_has_one_spelling() {
        let value = json!({ "z": 1, "a": ["ñ\n\"", null, true], "B": { "é": "\u{1}", "e": "/" } });
        let text = canonical(&value).unwrap();
        assert_eq!(text, "{\"B\":{\"e\":\"/\",\"é\":\"\\u0001\"},\"a\":[\"ñ\\n\\\"\",null,true],\"z\":1}");
        assert_eq!(canonical(&json!({ "a": 1.5 })), None);
    }

    #[test]
    fn a_grant_reads_as_the_contract_writes_it() {
        let text = r#"{"contact":{"kind":"C","code":"4879"},"contactId":1,"state":"active","version":3,
            "scope":{"type":"group","group":"G7"},"show":["referencia1","clave"],"excludedModalities":["P"],
            "admin":null,"closedCases":"withdraw","lang":"es"}"#;
        let grant: Grant = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&grant).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert!(serde_json::from_str::<Grant>(&text.replace("\"lang\"", "\"key\":\"x\",\"lang\"")).is_err());
    }
}
