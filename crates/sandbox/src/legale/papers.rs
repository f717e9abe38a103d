//! Documents: created, listed, shown, deleted, migrated, downloaded (contract, sections 3.3, 3.4 and 3.6).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::office::{Call, Done, Office, Outcome, acted, object, read, required};
use super::records::{Document, FileRecord, FlowState, Origin, Signer, SignerState};
use super::refusal::{Reason, Refusal, invalid};
use super::reply::{self, Reply, time};
use super::rules::optional;
use super::settings::{DocumentUrl, GuidStyle};
use crate::blob::Content;
use crate::chance;
use crate::clock::Moment;
use crate::json::Json;
use crate::payload::Inline;

/// Most characters of a description.
const DESCRIPTION_LIMIT: usize = 1023;

/// A document with its files.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Paper {
    pub(super) record: Document,
    pub(super) original: Content,
    pub(super) signed: Option<Content>,
    pub(super) attachments: Vec<Content>,
    /// Name of its file URLs; not the GUID, which does not give away the file.
    media: String,
    pub(super) created: Moment,
    pub(super) updated: Moment,
    pub(super) started: Option<Moment>,
    pub(super) paused: bool,
    pub(super) terminated: bool,
    pub(super) deleted: bool,
    /// Secrets of the signers' URLs, in their order.
    pub(super) secrets: Vec<String>,
    /// Variables of a template flow.
    pub(super) variables: Option<Value>,
    pub(super) share_with_signers: bool,
    pub(super) skip_notification: bool,
}

/// What a new document is made of.
#[derive(Debug)]
pub(super) struct NewPaper {
    pub(super) origin: Origin,
    pub(super) owner: String,
    pub(super) file_name: String,
    pub(super) description: String,
    pub(super) subject: Option<String>,
    pub(super) folder: Option<String>,
    pub(super) callback_url: Option<String>,
    pub(super) callback_key: Option<String>,
    pub(super) document_type: Option<String>,
    pub(super) note: Option<String>,
    pub(super) date: Option<String>,
    pub(super) file: Content,
    pub(super) attachments: Vec<(String, Content)>,
}

impl NewPaper {
    pub(super) fn plain(
        origin: Origin,
        owner: &str,
        file_name: &str,
        description: &str,
        file: Content,
    ) -> Self {
        Self {
            origin,
            owner: owner.to_owned(),
            file_name: file_name.to_owned(),
            description: description.to_owned(),
            subject: None,
            folder: None,
            callback_url: None,
            callback_key: None,
            document_type: None,
            note: None,
            date: None,
            file,
            attachments: Vec::new(),
        }
    }
}

pub(super) fn file_record(file_name: &str, content: &Content) -> FileRecord {
    FileRecord { file_name: file_name.to_owned(), bytes: content.len(), sha256: content.sha256() }
}

impl Paper {
    /// Where its flow is.
    pub(super) fn state(&self, now: Moment) -> FlowState {
        let expired = || self.deadline().is_some_and(|deadline| now >= deadline);
        match (self.record.sign_status, self.started) {
            _ if self.deleted => FlowState::Deleted,
            _ if self.terminated => FlowState::Terminated,
            (1, _) => FlowState::Signed,
            (2, _) => FlowState::Rejected,
            (_, None) => FlowState::Uploaded,
            _ if expired() => FlowState::LinkExpired,
            _ if self.paused => FlowState::Paused,
            _ => FlowState::InProgress,
        }
    }

    /// Start plus `expiration` times 24 hours.
    fn deadline(&self) -> Option<Moment> {
        let days = self.record.expiration_days?;
        Some(self.started?.plus(Duration::from_secs(days.saturating_mul(24 * 60 * 60))))
    }

    /// The record as it is now.
    pub(super) fn shown(&self, now: Moment) -> Document {
        Document { state: self.state(now), ..self.record.clone() }
    }

    /// The signed file, or the original.
    pub(super) fn current(&self) -> &Content {
        self.signed.as_ref().unwrap_or(&self.original)
    }

    fn origin_path(&self) -> String {
        let extension = self.record.file_name.rsplit_once('.').map_or("bin", |(_, extension)| extension);
        let plain = extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
        format!("documents/{}.{}", self.media, if plain { extension } else { "bin" })
    }

    fn signed_path(&self) -> Option<String> {
        self.signed.as_ref().map(|_| format!("signed/{}.pdf", self.media))
    }

    fn owns_media(&self, name: &str) -> bool {
        self.origin_path() == name || self.signed_path().as_deref() == Some(name) || self.record.guid == name
    }

    fn media_content(&self, name: &str) -> &Content {
        if self.origin_path() == name { &self.original } else { self.current() }
    }

    fn content_type(&self, content: &Content) -> &'static str {
        if content.starts_with(b"%PDF-") { "application/pdf" } else { "application/octet-stream" }
    }
}

impl Office {
    /// Keeps a new document; returns its place.
    pub(super) fn add(&mut self, new: NewPaper, moment: Moment) -> usize {
        let folder = self.ensure_folder(new.folder.as_deref().unwrap_or(""), &new.owner, moment);
        let (guid, doc_id) = (self.new_guid(), self.next_id());
        let attached = new.attachments.iter().map(|(name, content)| file_record(name, content)).collect();
        let record = Document {
            guid: guid.clone(),
            doc_id,
            owner: new.owner,
            origin: new.origin,
            file: file_record(&new.file_name, &new.file),
            file_name: new.file_name,
            description: new.description,
            subject: new.subject,
            folder,
            callback_url: new.callback_url,
            callback_key: new.callback_key,
            document_type: new.document_type,
            note: new.note,
            date: new.date,
            comment: None,
            sign_status: 0,
            state: FlowState::Uploaded,
            flow_type: None,
            expiration_days: None,
            starts: 0,
            signers: Vec::new(),
            shared_with: Vec::new(),
            signed_file: None,
            attachments: attached,
            downloads: 0,
            replacements: 0,
            delete_after_callback: false,
            created_at: moment.iso_micros(),
            started_at: None,
            finished_at: None,
        };
        let place = self.papers.len();
        self.by_guid.insert(guid, place);
        self.papers.push(Paper {
            record,
            original: new.file,
            signed: None,
            attachments: new.attachments.into_iter().map(|(_, content)| content).collect(),
            media: chance::hex(16),
            created: moment,
            updated: moment,
            started: None,
            paused: false,
            terminated: false,
            deleted: false,
            secrets: Vec::new(),
            variables: None,
            share_with_signers: false,
            skip_notification: false,
        });
        place
    }

    fn new_guid(&self) -> String {
        let hex = chance::hex(16);
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        match self.settings.guid_style {
            GuidStyle::Uuid => [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"),
            GuidStyle::Short => part(0, 10).to_uppercase(),
            GuidStyle::Hostile => format!("doc {}/{}", part(0, 6), part(6, 12)),
        }
    }

    pub(super) fn paper(&self, guid: &str) -> Option<&Paper> {
        self.papers.get(*self.by_guid.get(guid)?)
    }

    /// Place of a document that the caller may touch: it exists, is his, and came in by API, in this order.
    pub(super) fn own(&self, guid: &str, caller: &str) -> Result<usize, Refusal> {
        let place = self.by_guid.get(guid).copied();
        let found = place.and_then(|place| self.papers.get(place).map(|paper| (place, paper)));
        match found.filter(|(_, paper)| !paper.deleted && paper.record.origin != Origin::Legacy) {
            None => Err(Reason::NoDocument.into()),
            Some((_, paper)) if paper.record.owner != caller => Err(Reason::NotOwner.into()),
            Some((_, paper)) if paper.record.origin == Origin::WebApp => Err(Reason::NotByApi.into()),
            Some((place, _)) => Ok(place),
        }
    }

    fn own_paper(&self, guid: &str, caller: &str) -> Result<&Paper, Refusal> {
        self.papers.get(self.own(guid, caller)?).ok_or_else(|| Reason::NoDocument.into())
    }

    pub(super) fn create(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let body = object(call)?;
        let new = self.read_new(call, &body, Origin::Api, caller)?;
        let replaced = optional(&body, "GUID").filter(|_| self.settings.guid_replaces);
        let place = match replaced {
            Some(guid) => self.replace(&guid, caller, new, call.moment)?,
            None => self.add(new, call.moment),
        };
        let item = self.papers.get(place).map(|paper| self.item(paper));
        acted(Reply::v1(item.unwrap_or_default()))
    }

    /// Reads the fields that creates and migrations share; the description's length comes first.
    fn read_new(
        &self,
        call: &Call<'_>,
        body: &Json,
        origin: Origin,
        caller: &str,
    ) -> Result<NewPaper, Refusal> {
        let description = body.get("description").spelled();
        let long = call.body.long(description).is_some() || description.chars().count() > DESCRIPTION_LIMIT;
        if long {
            return Err(invalid("description", "description", "has more than 1023 characters"));
        }
        let (file_name, description) = (required(body, "file_name")?, required(body, "description")?);
        let file = read_file(call, body, "file")?;
        let mut new = NewPaper::plain(origin, caller, &file_name, &description, file);
        new.subject = optional(body, "subject");
        new.folder = optional(body, "folder");
        new.callback_url = optional(body, "callback_url");
        new.callback_key = optional(body, "callback_key");
        new.document_type = optional(body, "document_type");
        new.note = optional(body, "note");
        new.date = optional(body, "date");
        new.attachments = self.read_attachments(call, body)?;
        Ok(new)
    }

    fn read_attachments(&self, call: &Call<'_>, body: &Json) -> Result<Vec<(String, Content)>, Refusal> {
        let items = body.get(&self.settings.attachments_key_in).items();
        items.iter().map(|item| Ok((required(item, "file_name")?, read_file(call, item, "file")?))).collect()
    }

    fn replace(&mut self, guid: &str, caller: &str, new: NewPaper, moment: Moment) -> Result<usize, Refusal> {
        let place = self.own(guid, caller)?;
        if let Some(paper) = self.papers.get_mut(place) {
            paper.record.file = file_record(&new.file_name, &new.file);
            paper.record.file_name = new.file_name;
            paper.record.description = new.description;
            paper.record.replacements = paper.record.replacements.saturating_add(1);
            paper.original = new.file;
            paper.updated = moment;
        }
        Ok(place)
    }

    /// Starts nothing, whatever its workflow says.
    pub(super) fn migrate(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let body = object(call)?;
        let document = body.get("document");
        let status = document.get("sign_status");
        let known = status.is_missing() || [0.0, 1.0, 2.0].contains(&status.strict_num());
        let new = self.read_new(call, document, Origin::Migration, caller)?;
        if !known {
            return Err(invalid("sign_status", "document.sign_status", "is 0, 1 or 2"));
        }
        let signers = migrated_signers(body.get("workflow"))?;
        let place = self.add(new, call.moment);
        let Some(paper) = self.papers.get_mut(place) else { return Err(Reason::NoDocument.into()) };
        // Missing reads as not a number, which casts to the default 0.
        paper.record.sign_status = status.strict_num() as u8;
        paper.record.flow_type = optional(body.get("workflow"), "flow_type");
        paper.record.signers = signers;
        acted(Reply::v1(json!({ "GUID": paper.record.guid })))
    }

    pub(super) fn list(&self, call: &Call<'_>) -> Outcome {
        let visible = |paper: &&Paper| !paper.deleted && paper.record.origin != Origin::Legacy;
        let mut papers: Vec<&Paper> = self.papers.iter().filter(visible).collect();
        reply::ordered(&mut papers, |paper| paper.record.guid.clone(), &self.settings);
        // The page is filed under V2, but its `next` is V1.
        let url = format!("{}/api/documents/", self.base_url);
        read(reply::page(papers, |paper| self.item(paper), &call.target.query, &url, &self.settings)?)
    }

    /// A list item.
    fn item(&self, paper: &Paper) -> Value {
        let record = &paper.record;
        json!({
            "GUID": record.guid, "doc_id": record.doc_id.to_string(), "document": self.document_url(paper),
            "file_name": record.file_name, "description": record.description, "comment": record.comment,
            "callback_url": record.callback_url, "callback_key": record.callback_key,
            "created_at": time(paper.created, &self.settings),
            "updated_at": time(paper.updated, &self.settings), "sign_status": record.sign_status,
        })
    }

    fn document_url(&self, paper: &Paper) -> String {
        let life = self.settings.media_life_seconds;
        // From now on, so that every look at the document gives a fresh URL.
        let until = (life > 0).then(|| paper.updated.epoch().max(self.latest).saturating_add_unsigned(life));
        let path = reply::media_path(&paper.signed_path().unwrap_or_else(|| paper.origin_path()), until);
        match self.settings.document_url {
            DocumentUrl::Absolute => format!("{}/media/{path}", self.base_url),
            DocumentUrl::Rooted => format!("/media/{path}"),
            DocumentUrl::Relative => path,
        }
    }

    pub(super) fn detail(&self, call: &Call<'_>, caller: &str) -> Outcome {
        let paper = self.own_paper(&call.target.name, caller)?;
        let mut inline = Inline::new();
        let mut value = self.item(paper);
        if let (Value::Object(fields), Value::Object(more)) = (&mut value, self.rest(paper, &mut inline)) {
            fields.extend(more);
        }
        Ok(Done { reply: Reply::Json { status: 200, value, inline, wrapped: true }, acted: false })
    }

    /// What the detail adds to the list item.
    fn rest(&self, paper: &Paper, inline: &mut Inline) -> Value {
        let record = &paper.record;
        let file = if self.settings.inline_files { inline.mark(paper.current()) } else { Value::Null };
        let mut value = json!({
            "folder": format!("root/{}", record.folder), "origin_document": paper.origin_path(),
            "subject": record.subject, "signature_key": null, "base64": file,
            "delete_after_callback": record.delete_after_callback,
            "is_skip_notification": paper.skip_notification,
            "owner": owner(&record.owner),
            "sign_list": record.signers.iter().map(|signer| self.sign_entry(record, signer)).collect::<Value>(),
        });
        if let Value::Object(fields) = &mut value {
            fields.insert(self.settings.attachments_key_out.clone(), self.attached(paper, inline));
        }
        value
    }

    fn attached(&self, paper: &Paper, inline: &mut Inline) -> Value {
        let files = paper.record.attachments.iter().zip(&paper.attachments);
        let key = self.settings.attachment_content_key.as_str();
        files
            .map(|(record, content)| json!({ "file_name": record.file_name, key: inline.mark(content) }))
            .collect()
    }

    /// Without a status: Legale tells none per signer.
    fn sign_entry(&self, record: &Document, signer: &Signer) -> Value {
        let certificate = matches!(signer.sign_method.as_str(), "certification" | "local_certificate");
        let method = if certificate && self.settings.bit4id { "bit4id" } else { signer.sign_method.as_str() };
        let id = record.doc_id.saturating_mul(100).saturating_add(signer.number as u64);
        json!({
            "id": id, "sign_method": method,
            "signer_info": {
                "id": id, "email": signer.email, "phone": signer.phone, "firstname": signer.firstname,
                "lastname1": signer.lastname1, "lastname2": signer.lastname2,
            },
        })
    }

    pub(super) fn delete(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let place = self.own(&call.target.name, caller)?;
        self.remove(place);
        acted(Reply::Done)
    }

    pub(super) fn remove(&mut self, place: usize) {
        if let Some(paper) = self.papers.get_mut(place) {
            paper.deleted = true;
        }
    }

    /// A file by its URL, or by the GUID.
    pub(super) fn media(&mut self, call: &Call<'_>) -> Outcome {
        let name = call.target.name.as_str();
        let until = call.target.query.get("expires").and_then(|until| until.parse::<i64>().ok());
        let expires = self.settings.media_life_seconds > 0;
        if expires && until.is_none_or(|until| call.moment.epoch() >= until) {
            return read(Reply::Html { status: 403, text: "<!doctype html><h1>Forbidden</h1>".into() });
        }
        let found = self.papers.iter_mut().find(|paper| !paper.deleted && paper.owns_media(name));
        let Some(paper) = found else { return Err(Reason::Absent.into()) };
        paper.record.downloads = paper.record.downloads.saturating_add(1);
        let content = paper.media_content(name).clone();
        let content_type = paper.content_type(&content);
        read(Reply::File { content, content_type })
    }

    pub(super) fn sign_status(&self, call: &Call<'_>, caller: &str) -> Outcome {
        let record = &self.own_paper(&call.target.name, caller)?.record;
        read(Reply::v1(json!({
            "GUID": record.guid, "sign_status": record.sign_status, "comment": record.comment,
        })))
    }

    pub(super) fn sign_download(&self, call: &Call<'_>, caller: &str) -> Outcome {
        let paper = self.own_paper(&call.target.name, caller)?;
        let Some(content) = paper.signed.clone() else { return Err(Reason::Absent.into()) };
        read(Reply::File { content_type: paper.content_type(&content), content })
    }
}

fn read_file(call: &Call<'_>, body: &Json, key: &'static str) -> Result<Content, Refusal> {
    let value = body.get(key);
    if value.is_falsy() {
        return Err(invalid("required", key, "is required"));
    }
    let what = "is not padded base64 in the standard alphabet without breaks or prefix";
    call.body.file(value).ok_or_else(|| invalid("base64", key, what))
}

fn owner(email: &str) -> Value {
    json!({
        "email": email, "role": 1, "nickname": email.split('@').next(), "firstname": "Ana",
        "lastname1": "Prueba", "lastname2": "", "avatar": null, "gender": 0, "id_type": 0,
        "id_number": "12345678-5", "user_video": null,
    })
}

/// The signers of a flow that ended elsewhere: kept as they come, with an open method.
fn migrated_signers(workflow: &Json) -> Result<Vec<Signer>, Refusal> {
    let signers = workflow.get("signers").items().iter().enumerate();
    signers
        .map(|(at, json)| {
            let text = |key: &str| json.get(key).spelled().to_owned();
            required(json, "email")?;
            Ok(Signer {
                number: at.saturating_add(1),
                state: match json.get("sign_status").num() {
                    1.0 => SignerState::Signed,
                    2.0 => SignerState::Rejected,
                    _ => SignerState::Pending,
                },
                email: text("email"),
                firstname: text("firstname"),
                lastname1: text("lastname1"),
                lastname2: text("lastname2"),
                phone: String::new(),
                sign_flow: None,
                sign_method: text("sign_method"),
                link: None,
                status_callback_url: None,
                skip_email: true,
                acted_at: optional(json, "signed_at"),
            })
        })
        .collect()
}
