//! One document with everything that the service tells of it (contract 3.4).
//!
//! The answer holds the file in base64. A small one is read whole; a large one is read again as it arrives, with its files left out.

use std::fmt;

use integration_core::body::base64::{FieldToWriter, decode};
use integration_core::call::Verdict;
use integration_core::{Answer, Error, ErrorKind, Outcome, Secret};
use serde_json::{Map, Value};

use super::{DETAIL, Document};
use crate::client::{Api, Ask, Client};
use crate::error::Judge;
use crate::flow::SignMethod;
use crate::id::DocumentId;
use crate::wire::{Fields, Unreadable};

/// What is kept of an answer beside its files.
const KEPT_LIMIT: usize = 1024 * 1024;

/// A file in base64 within an answer, as it came. Its `Debug` shows only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Inline(String);

impl Inline {
    /// The text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes. Blanks, missing padding and a `data:...;base64,` prefix are accepted.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedAnswer`] if it is no base64.
    pub fn decode(&self) -> Result<Vec<u8>, Error> {
        decode(&self.0).map_err(|cause| {
            Error::new(ErrorKind::UnexpectedAnswer, "decode a file")
                .with_outcome(Outcome::ReadOnly)
                .with_message(cause.to_string())
                .with_source(cause)
        })
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inline({} characters)", self.0.len())
    }
}

/// A document with its owner, signers and attachments.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Detail {
    /// What the list shows too.
    pub document: Document,
    /// `folder`, as the service writes it: it starts with `root/`, which is never sent.
    pub folder: Option<String>,
    /// `origin_document`: a path relative to the media base.
    pub origin_document: Option<String>,
    /// `subject`
    pub subject: Option<String>,
    /// `signature_key`
    pub signature_key: Option<Secret>,
    /// `base64`: the file, unless the answer was too large to be held.
    pub base64: Option<Inline>,
    /// The answer holds files that were not kept; fetch the document's with [`Client::download`].
    pub files_left_out: bool,
    /// `delete_after_callback`
    pub delete_after_callback: Option<bool>,
    /// `is_skip_notification`
    pub is_skip_notification: Option<bool>,
    /// `owner`
    pub owner: Option<DocumentOwner>,
    /// `sign_list`: who signs. There is no status per signer.
    pub sign_list: Vec<SignEntry>,
    /// `attached_file_list`, under whichever of its four names.
    #[doc(alias = "attached_file_list")]
    pub attachments: Vec<Attachment>,
    /// Fields that the contract does not know.
    pub extra: Map<String, Value>,
}

/// Who a document belongs to. `role`, `gender` and `id_type` are numbers without a documented meaning.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DocumentOwner {
    /// `email`
    pub email: Option<String>,
    /// `role`
    pub role: Option<i64>,
    /// `nickname`
    pub nickname: Option<String>,
    /// `firstname`
    pub firstname: Option<String>,
    /// `lastname1`
    pub lastname1: Option<String>,
    /// `lastname2`
    pub lastname2: Option<String>,
    /// `gender`
    pub gender: Option<i64>,
    /// `id_type`
    pub id_type: Option<i64>,
    /// `id_number`: not checked, since the vendor's samples hold wrong numbers.
    pub id_number: Option<String>,
    /// `avatar`, `user_video` and whatever else there is.
    pub extra: Map<String, Value>,
}

/// One signer of a document.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SignEntry {
    /// `id`
    pub id: Option<String>,
    /// `sign_method`; answers hold some that cannot be sent, such as `bit4id`.
    pub sign_method: Option<SignMethod>,
    /// `signer_info.id`
    #[doc(alias = "signer_info")]
    pub signer_id: Option<String>,
    /// `signer_info.email`
    #[doc(alias = "signer_info")]
    pub email: Option<String>,
    /// `signer_info.phone`
    #[doc(alias = "signer_info")]
    pub phone: Option<String>,
    /// `signer_info.firstname`
    #[doc(alias = "signer_info")]
    pub firstname: Option<String>,
    /// `signer_info.lastname1`
    #[doc(alias = "signer_info")]
    pub lastname1: Option<String>,
    /// `signer_info.lastname2`
    #[doc(alias = "signer_info")]
    pub lastname2: Option<String>,
    /// Fields that the contract does not know.
    pub extra: Map<String, Value>,
}

/// A file beside the document.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[doc(alias = "adjunto")]
pub struct Attachment {
    /// `file_name`
    pub file_name: Option<String>,
    /// `file` or `base64`: its content, unless the answer was too large to be held.
    #[doc(alias("file", "base64"))]
    pub content: Option<Inline>,
    /// Fields that the contract does not know.
    pub extra: Map<String, Value>,
}

impl Detail {
    pub(crate) fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "the document")?;
        let document = Document::from_fields(&mut fields)?;
        let mut left_out = false;
        let base64 = inline(&mut fields, &["base64"], &mut left_out)?;
        let owner = fields.take("owner").map(DocumentOwner::read).transpose()?;
        let entries = fields.list("sign_list")?.into_iter().map(SignEntry::read);
        let sign_list = entries.collect::<Result<_, _>>()?;
        let attachments = attachments(&mut fields, &mut left_out)?;
        Ok(Self {
            document,
            folder: fields.text("folder")?,
            origin_document: fields.text("origin_document")?,
            subject: fields.text("subject")?,
            signature_key: fields.text("signature_key")?.map(Secret::new),
            base64,
            files_left_out: left_out,
            delete_after_callback: fields.boolean("delete_after_callback"),
            is_skip_notification: fields.boolean("is_skip_notification"),
            owner,
            sign_list,
            attachments,
            extra: fields.extra(),
        })
    }
}

impl Detail {
    /// The detail of the document that was asked for: another one's would tell that a document is signed which is not.
    fn read_of(value: Value, asked: &DocumentId) -> Result<Self, Unreadable> {
        let detail = Self::read(value)?;
        if detail.document.guid.as_str().eq_ignore_ascii_case(asked.as_str()) {
            return Ok(detail);
        }
        Err(Unreadable::new("GUID", "that of the document that was asked for"))
    }
}

/// A file's text under the first of its names; `true` stands where the sieve left one out.
fn inline(fields: &mut Fields, names: &[&str], left_out: &mut bool) -> Result<Option<Inline>, Unreadable> {
    let mut found = None;
    for name in names {
        match fields.take(name) {
            None => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => found = found.or(Some(Inline(text))),
            Some(Value::Bool(true)) => *left_out = true,
            Some(_) => return Err(Unreadable::new(*name, "a file in base64")),
        }
    }
    Ok(found)
}

fn attachments(fields: &mut Fields, left_out: &mut bool) -> Result<Vec<Attachment>, Unreadable> {
    let mut all = Vec::new();
    for name in ["attached_file_list", "attached_files", "attached_file", "attach_file_list"] {
        for item in fields.list(name)? {
            all.push(Attachment::read(item, left_out)?);
        }
    }
    Ok(all)
}

impl Attachment {
    fn read(value: Value, left_out: &mut bool) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "attached_file_list[]")?;
        let content = inline(&mut fields, &["file", "base64"], left_out)?;
        Ok(Self { file_name: fields.text("file_name")?, content, extra: fields.extra() })
    }
}

impl DocumentOwner {
    fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "owner")?;
        Ok(Self {
            email: fields.text("email")?,
            role: fields.integer("role"),
            nickname: fields.text("nickname")?,
            firstname: fields.text("firstname")?,
            lastname1: fields.text("lastname1")?,
            lastname2: fields.text("lastname2")?,
            gender: fields.integer("gender"),
            id_type: fields.integer("id_type"),
            id_number: fields.text("id_number")?,
            extra: fields.extra(),
        })
    }
}

impl SignEntry {
    fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "sign_list[]")?;
        let empty = || Value::Object(Map::new());
        let mut info = Fields::of(fields.take("signer_info").unwrap_or_else(empty), "signer_info")?;
        Ok(Self {
            id: fields.text("id")?,
            sign_method: fields.text("sign_method")?.map(|text| SignMethod::from_wire(&text)),
            signer_id: info.text("id")?,
            email: info.text("email")?,
            phone: info.text("phone")?,
            firstname: info.text("firstname")?,
            lastname1: info.text("lastname1")?,
            lastname2: info.text("lastname2")?,
            extra: fields.extra().into_iter().chain(info.extra()).collect(),
        })
    }
}

impl Client {
    /// Reads a document (contract 3.1 row 3). The caller must own it, and it must have come in by the API.
    ///
    /// An answer that is too large for the client's limit, because of the file within, is asked for again and read without it.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`Error::is_not_found`](crate::Error::is_not_found); [`Code::NotOwner`](crate::Code::NotOwner) and
    /// [`Code::NotApiDocument`](crate::Code::NotApiDocument) for documents that only the list shows.
    ///
    /// ```no_run
    /// # async fn run(client: legale::Client) -> Result<(), legale::Error> {
    /// let detail = client.detail(&"d41d8cd98f".parse()?).await?;
    /// for entry in &detail.sign_list {
    ///     println!("{:?} by {:?}", entry.email, entry.sign_method);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "documento")]
    pub async fn detail(&self, guid: &DocumentId) -> Result<Detail, Error> {
        let ask = Ask::v1(DETAIL).param("GUID", guid).map(|call| call.body_limit(KEPT_LIMIT));
        match self.ask(ask.clone(), |value| Detail::read_of(value, guid)).await {
            Err(error) if error.kind() == ErrorKind::TooLarge => self.detail_sieved(ask, guid).await,
            result => result,
        }
    }

    async fn detail_sieved(&self, ask: Ask, guid: &DocumentId) -> Result<Detail, Error> {
        let opened = self.open(ask.carries_document(), u64::MAX).await?;
        let taken = file_field().skip(&opened.head, opened.body).await?;
        self.judged(&taken.rest, guid).map_err(|error| taken.without_secrets(error))
    }

    /// What is left of a detail once its files are out, judged as any other answer.
    pub(super) fn judged(&self, kept: &Answer, guid: &DocumentId) -> Result<Detail, Error> {
        let clock = self.caller(Api::V1).clock().clone();
        let judge = Judge { operation: &DETAIL, clock: &*clock, may_be_empty: false };
        match judge.whole(kept, |value| Detail::read_of(value, guid)) {
            Verdict::Accept(detail) => Ok(detail),
            Verdict::Refuse(error) => Err(error.with_outcome(Outcome::ReadOnly).with_answer(kept.clone())),
            Verdict::Doubt { error, .. } => Err(error.with_outcome(Outcome::ReadOnly)),
            _ => Err(too_large(DETAIL.name)),
        }
    }
}

/// Where a detail holds its files: its own at the top or within `data`, those of attachments under either name.
pub(super) fn file_field() -> FieldToWriter {
    FieldToWriter::new("base64").below("data").leaving_out("file").keeping(KEPT_LIMIT)
}

fn too_large(operation: &'static str) -> Error {
    Error::new(ErrorKind::TooLarge, operation)
        .with_outcome(Outcome::ReadOnly)
        .with_message("the answer is larger than the client's limit, even without its files")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attachments_are_read_under_all_their_names() {
        for name in ["attached_file_list", "attached_files", "attached_file", "attach_file_list"] {
            for content in ["file", "base64"] {
                let value =
                    json!({"GUID": "a", "sign_status": 0, name: [{"file_name": "x.pdf", content: "QUJD"}]});
                let detail = Detail::read(value).unwrap();
                assert_eq!(detail.attachments[0].content.as_ref().unwrap().decode().unwrap(), b"ABC");
                assert!(detail.extra.is_empty());
            }
        }
    }

    #[test]
    fn secrets_and_contents_are_not_printed() {
        let value = json!({"GUID": "a", "sign_status": 0, "base64": "c2VudGluZWw", "callback_key": "sentinel",
            "callback_url": "https://h/sentinel", "signature_key": "sentinel"});
        let shown = format!("{:?}", Detail::read(value).unwrap());
        assert!(!shown.contains("sentinel") && !shown.contains("c2Vud"), "{shown}");
    }

    #[test]
    fn a_detail_is_of_the_document_that_was_asked_for() {
        let asked = "3f2504e0-4f89".parse().unwrap();
        for good in ["3f2504e0-4f89", "3F2504E0-4F89"] {
            assert!(Detail::read_of(json!({"GUID": good, "sign_status": 1}), &asked).is_ok());
        }
        for bad in [
            json!({"GUID": "3f2504e0-4f88", "sign_status": 1}),
            json!({"GUID": "3f2504e0-4f89", "sign_status": "signed"}),
        ] {
            assert!(Detail::read_of(bad.clone(), &asked).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_fields_and_methods_are_kept() {
        let value = json!({"guid": "a", "new": 1, "sign_status": "7",
            "sign_list": [{"id": 1, "sign_method": "bit4id", "signer_info": {"id": "2", "email": "a@b", "z": 1}}],
            "owner": {"role": "3", "id_number": "11.222.333-k", "avatar": null, "user_video": "v"}});
        let detail = Detail::read(value).unwrap();
        assert_eq!(detail.document.sign_status.code(), 7);
        assert_eq!(Value::from(detail.extra), json!({"new": 1}));
        assert_eq!(detail.sign_list[0].sign_method.as_ref().unwrap().as_str(), "bit4id");
        assert_eq!(detail.owner.unwrap().id_number.as_deref(), Some("11.222.333-k"));
    }
}
