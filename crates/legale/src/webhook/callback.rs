//! What a callback says: classified by its keys and its route, since it names no event (contract 4.6, trap 15). First match wins.

use integration_core::Secret;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::id::DocumentId;
use crate::status::SignStatus;

use super::sieve::Unfit;

/// A GUID is an opaque text, but no longer than this many bytes.
const GUID_LIMIT: usize = 256;

/// Which URL the callback came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// The URL given to the document, or set in the web application.
    Document,
    /// The URL given to a signer, `sign_status_callback_url`.
    Signer,
}

impl Route {
    /// `document` or `signer`, as an [`Observer`](super::Observer) is told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Signer => "signer",
        }
    }
}

/// What a callback is about. The order is that in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallbackKind {
    /// A step of one signer; its body is not documented, so everything is in [`Callback::extra`].
    SignerStatus,
    /// A flow that an automation started has begun: it has a `sign_url`, and its keys in [`Callback::data_to_api`].
    DataToApiLaunch,
    /// A flow that an automation started has ended. It never carries the file (trap 16).
    DataToApiSign,
    /// A flow has ended: signed or rejected.
    Sign,
    /// A flow has begun.
    Launch,
    /// An event of the web application; the vendor's sample is illustrative only.
    AppEvent,
    /// None of these; everything is in [`Callback::extra`].
    Unknown,
}

impl CallbackKind {
    /// Whether it says that a flow has ended.
    #[must_use]
    pub const fn is_sign(self) -> bool {
        matches!(self, Self::Sign | Self::DataToApiSign)
    }

    /// Whether it says that a flow has begun.
    #[must_use]
    pub const fn is_launch(self) -> bool {
        matches!(self, Self::Launch | Self::DataToApiLaunch)
    }
}

/// Who sent the document out. Never the signer (trap 17).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sender {
    /// `email`.
    pub email: Option<String>,
    /// `firstname`.
    pub firstname: Option<String>,
    /// `lastname1`.
    pub lastname1: Option<String>,
    /// `lastname2`.
    pub lastname2: Option<String>,
    /// `company_name`.
    pub company_name: Option<String>,
}

/// `meta_data`: what the caller gave to the document when it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetaData {
    /// `date`.
    pub date: Option<String>,
    /// `document_type`.
    pub document_type: Option<String>,
    /// `note`; may hold packed [metadata](crate::naming::Metadata).
    pub note: Option<String>,
}

/// A callback, read and classified; that it is true is another matter, see [`Delivery`](super::Delivery).
///
/// Files are not in it. Keys that the contract does not name, and values of an unexpected shape, are kept in `extra`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Callback {
    /// What it is about.
    pub kind: CallbackKind,
    /// `GUID`; always there in launch and sign callbacks.
    #[doc(alias = "GUID")]
    pub document: Option<DocumentId>,
    /// `sign_status`: 1 signed, 2 rejected; always there in sign callbacks.
    pub sign_status: Option<SignStatus>,
    /// Why it was rejected.
    pub comment: Option<String>,
    /// `file_name`.
    pub file_name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `folder`, with the `root/` of answers.
    pub folder: Option<String>,
    /// The names of the launch callback: those of the **sender**.
    pub sender: Option<Sender>,
    /// `sign_url`: whoever has it can sign, so it is never printed.
    pub sign_url: Option<Secret>,
    /// `meta_data`.
    pub meta_data: MetaData,
    /// `data_to_api`: the automation's own keys, flat.
    pub data_to_api: Map<String, Value>,
    /// The names of the attachments, by index.
    pub attachments: Vec<Option<String>>,
    /// `signed_at` of an event of the web application.
    pub signed_at: Option<Timestamp>,
    /// Everything else.
    pub extra: Map<String, Value>,
}

impl Callback {
    /// Reads and classifies a body from which the files were taken.
    pub(super) fn read(route: Route, object: Map<String, Value>) -> Result<Self, Unfit> {
        let mut fields = object;
        let kind = classify(route, &fields);
        let document = guid(&mut fields)?;
        let sign_status = sign_status(&mut fields, kind)?;
        if document.is_none() && (kind.is_sign() || kind.is_launch()) {
            return Err(Unfit::Malformed("no GUID"));
        }
        Ok(Self {
            kind,
            document,
            sign_status,
            comment: text(&mut fields, "comment"),
            file_name: text(&mut fields, "file_name"),
            description: text(&mut fields, "description"),
            folder: text(&mut fields, "folder"),
            sender: (kind == CallbackKind::Launch).then(|| sender(&mut fields)),
            sign_url: text(&mut fields, "sign_url").map(Secret::new),
            meta_data: meta_data(&mut fields),
            data_to_api: object_of(&mut fields, "data_to_api"),
            attachments: attachments(&mut fields),
            signed_at: time(&mut fields, "signed_at"),
            extra: without_file(fields),
        })
    }

    /// What is left when nothing but the GUID may be believed (strategy c alone).
    pub(super) fn only_document(self) -> Self {
        Self {
            comment: None,
            file_name: None,
            description: None,
            folder: None,
            sender: None,
            sign_url: None,
            meta_data: MetaData::default(),
            data_to_api: Map::new(),
            attachments: Vec::new(),
            signed_at: None,
            extra: Map::new(),
            ..self
        }
    }
}

fn classify(route: Route, fields: &Map<String, Value>) -> CallbackKind {
    // A null says as much as a key that is not there.
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    match () {
        () if route == Route::Signer => CallbackKind::SignerStatus,
        () if has("data_to_api") && has("sign_status") => CallbackKind::DataToApiSign,
        () if has("data_to_api") => CallbackKind::DataToApiLaunch,
        () if has("sign_status") => CallbackKind::Sign,
        () if has("sign_url") => CallbackKind::Launch,
        () if has("event") => CallbackKind::AppEvent,
        () => CallbackKind::Unknown,
    }
}

/// `GUID`, or `guid`, which is the same field (contract 3.9).
fn guid(fields: &mut Map<String, Value>) -> Result<Option<DocumentId>, Unfit> {
    let Some(text) = text(fields, "GUID").or_else(|| text(fields, "guid")) else { return Ok(None) };
    let id = text.parse::<DocumentId>().ok().filter(|id| id.as_str().len() <= GUID_LIMIT);
    id.map(Some).ok_or(Unfit::Malformed("the GUID is empty or no plain text"))
}

fn sign_status(fields: &mut Map<String, Value>, kind: CallbackKind) -> Result<Option<SignStatus>, Unfit> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
    let found = fields.get("sign_status").and_then(number);
    if found.is_some() {
        fields.remove("sign_status");
    }
    match found.map(SignStatus::from_code) {
        None if kind.is_sign() => Err(Unfit::Malformed("sign_status is no number")),
        status => Ok(status),
    }
}

/// A text, or a number as text; takes the key away if it can be read, or says nothing.
fn text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    let text = match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => None,
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    fields.remove(name);
    text
}

/// An ISO-8601 instant; one that cannot be read stays where it is.
fn time(fields: &mut Map<String, Value>, name: &str) -> Option<Timestamp> {
    let time = fields.get(name)?.as_str()?.parse().ok()?;
    fields.remove(name);
    Some(time)
}

fn object_of(fields: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match fields.remove(name) {
        Some(Value::Object(object)) => object,
        None | Some(Value::Null) => Map::new(),
        Some(other) => {
            fields.insert(name.to_owned(), other);
            Map::new()
        }
    }
}

fn sender(fields: &mut Map<String, Value>) -> Sender {
    Sender {
        email: text(fields, "email"),
        firstname: text(fields, "firstname"),
        lastname1: text(fields, "lastname1"),
        lastname2: text(fields, "lastname2"),
        company_name: text(fields, "company_name"),
    }
}

fn meta_data(fields: &mut Map<String, Value>) -> MetaData {
    let mut inner = object_of(fields, "meta_data");
    let read = MetaData {
        date: text(&mut inner, "date"),
        document_type: text(&mut inner, "document_type"),
        note: text(&mut inner, "note"),
    };
    if !inner.is_empty() {
        fields.insert("meta_data".to_owned(), Value::Object(inner));
    }
    read
}

/// The names of the attachments, under any of the names that the list goes by (trap 6).
fn attachments(fields: &mut Map<String, Value>) -> Vec<Option<String>> {
    let names = ["attached_files", "attached_file_list", "attached_file", "attach_file_list"];
    let lists = names.into_iter().filter_map(|name| match fields.remove(name) {
        Some(Value::Array(list)) => Some(list),
        _ => None,
    });
    let name = |item: Value| item.get("file_name").and_then(Value::as_str).map(str::to_owned);
    lists.flatten().map(name).collect()
}

/// The sieve has left an empty text in the place of the file.
fn without_file(fields: Map<String, Value>) -> Map<String, Value> {
    let mut fields = fields;
    fields.retain(|name, value| name != "base64" || !matches!(value, Value::Null | Value::String(_)));
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(route: Route, body: Value) -> Result<Callback, Unfit> {
        let Value::Object(object) = body else { panic!("an object") };
        Callback::read(route, object)
    }

    /// Contract 4.6, "Classification, first match".
    #[test]
    fn the_first_match_wins() {
        use CallbackKind::*;
        let all = json!({"GUID": "g", "data_to_api": {}, "sign_status": 1, "sign_url": "u", "event": "e"});
        let without = |names: &[&str]| {
            let mut body = all.clone();
            names.iter().for_each(|name| drop(body.as_object_mut().unwrap().remove(*name)));
            body
        };
        let table = [
            (Route::Signer, all.clone(), SignerStatus),
            (Route::Document, all.clone(), DataToApiSign),
            (Route::Document, without(&["sign_status"]), DataToApiLaunch),
            (Route::Document, without(&["data_to_api"]), Sign),
            (Route::Document, without(&["data_to_api", "sign_status"]), Launch),
            (Route::Document, without(&["data_to_api", "sign_status", "sign_url"]), AppEvent),
            (Route::Document, json!({}), Unknown),
            (
                Route::Document,
                json!({"sign_status": null, "data_to_api": null, "sign_url": "u", "GUID": 7}),
                Launch,
            ),
        ];
        for (route, body, kind) in table {
            assert_eq!(read(route, body).unwrap().kind, kind);
        }
    }

    #[test]
    fn a_sign_callback_is_read_in_every_field() {
        let body = json!({"GUID": "no-uuid", "base64": "", "sign_status": "2", "comment": "no", "file_name": "a.pdf",
            "description": "d", "folder": "root/Legal", "meta_data": {"date": "2026-01-01", "document_type": 7, "note": null, "new": 1},
            "attached_files": [{"file_name": "x.pdf", "base64": ""}, {}], "later": [1]});
        let callback = read(Route::Document, body).unwrap();
        assert_eq!(callback.document.as_ref().map(DocumentId::as_str), Some("no-uuid"));
        assert_eq!(callback.sign_status, Some(SignStatus::Rejected));
        assert_eq!(
            (callback.comment.as_deref(), callback.folder.as_deref()),
            (Some("no"), Some("root/Legal"))
        );
        assert_eq!(callback.meta_data.document_type.as_deref(), Some("7"));
        assert_eq!(callback.attachments, [Some("x.pdf".to_owned()), None]);
        assert_eq!(Value::Object(callback.extra), json!({"later": [1], "meta_data": {"new": 1}}));
    }

    #[test]
    fn the_names_of_a_launch_are_the_senders_and_its_link_is_not_printed() {
        let body = json!({"GUID": "g", "email": "boss@b", "firstname": "B", "sign_url": "https://sign.legale.io/session/sentinel"});
        let callback = read(Route::Document, body).unwrap();
        assert_eq!(callback.sender.as_ref().and_then(|sender| sender.email.as_deref()), Some("boss@b"));
        assert!(!format!("{callback:?}").contains("sentinel"));
    }

    #[test]
    fn what_lacks_its_guid_or_status_is_malformed() {
        for body in [
            json!({"sign_status": 1}),
            json!({"sign_url": "u"}),
            json!({"GUID": "", "sign_status": 1}),
            json!({"GUID": "g", "sign_status": "soon"}),
            json!({"GUID": {"a": 1}, "sign_status": 1}),
            json!({"GUID": "a\u{0}b", "sign_status": 1}),
            json!({"GUID": "g".repeat(257), "sign_status": 1}),
        ] {
            assert!(matches!(read(Route::Document, body.clone()), Err(Unfit::Malformed(_))), "{body}");
        }
    }
}
