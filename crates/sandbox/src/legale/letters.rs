//! Callbacks as they are written: bodies by kind (contract, section 4.6), and what a forger would write.
//!
//! A letter is written when its event happens and never looked at again: what happens to the document later
//! does not change it.

use serde_json::{Map, Value, json};

use super::flow::is_automated;
use super::papers::Paper;
use super::records::{CallbackKind, FlowState, SignerState};
use super::settings::{KeyPlace, Settings};
use crate::blob::Content;
use crate::payload::{Inline, Payload};

/// What a callback reports.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Launch,
    DataToApiLaunch,
    /// Number of the signer.
    SignerStatus(usize),
    End,
    AppReport,
}

/// A callback that waits to be posted.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) kind: CallbackKind,
    pub(super) guid: String,
    pub(super) url: String,
    pub(super) key: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    value: Value,
    inline: Inline,
}

impl Letter {
    /// The letter of an event; none if nobody is to be told.
    pub(super) fn write(event: Event, paper: &Paper, settings: &Settings) -> Option<Self> {
        let mut inline = Inline::new();
        let automated = is_automated(paper) && settings.data_to_api_url.is_some();
        let record = &paper.record;
        let (kind, url, value) = match event {
            Event::Launch => {
                (CallbackKind::Launch, settings.launch_callback_url.clone(), launch(paper, settings))
            }
            Event::DataToApiLaunch if automated => {
                (CallbackKind::DataToApiLaunch, settings.data_to_api_url.clone(), data_to_api(paper, None))
            }
            Event::DataToApiLaunch => return None,
            Event::End if automated => {
                let attached = attached(paper, &mut inline);
                let value = data_to_api(paper, Some(attached));
                (CallbackKind::DataToApiSign, settings.data_to_api_url.clone(), value)
            }
            Event::End => {
                (CallbackKind::Sign, record.callback_url.clone(), sign(paper, settings, &mut inline))
            }
            Event::SignerStatus(number) => {
                let signer = record.signers.get(number.checked_sub(1)?)?;
                (CallbackKind::SignerStatus, signer.status_callback_url.clone(), signer_status(paper, number))
            }
            Event::AppReport => (CallbackKind::AppEvent, settings.app_event_url.clone(), app_event(paper)),
        };
        let (guid, key) = (record.guid.clone(), record.callback_key.clone());
        Some(Self { kind, guid, url: url?, key, headers: Vec::new(), value, inline })
    }

    /// A letter that the test wrote.
    pub(super) fn custom(guid: &str, url: &str, headers: Vec<(String, String)>, value: Value) -> Self {
        Self {
            kind: CallbackKind::Custom,
            guid: guid.to_owned(),
            url: url.to_owned(),
            key: None,
            headers,
            value,
            inline: Inline::new(),
        }
    }

    /// The body, with this key where the settings put it.
    pub(super) fn body(&self, key: Option<&str>, settings: &Settings) -> Payload {
        let mut value = self.value.clone();
        if let (KeyPlace::Body(name), Some(key), Value::Object(fields)) =
            (&settings.callback_key_place, key, &mut value)
        {
            fields.insert(name.clone(), key.into());
        }
        self.inline.clone().render(&value)
    }

    /// What a forger writes who knows the URL: the opposite result, with a file of his own.
    pub(super) fn forged(&self) -> Payload {
        let mut value = self.value.clone();
        if let Value::Object(fields) = &mut value {
            let signed = fields.get("sign_status") == Some(&json!(1));
            fields.insert("sign_status".into(), json!(if signed { 2 } else { 1 }));
            fields.insert("comment".into(), json!("forged"));
            let mut inline = Inline::new();
            let file = inline.mark(&Content::from_bytes("%PDF-1.4\n% forged\n%%EOF\n"));
            fields.insert("base64".into(), file);
            fields.remove("attached_files");
            return inline.render(&value);
        }
        value.to_string().into()
    }

    /// The body for the read-back.
    pub(super) fn shown(&self) -> String {
        self.inline.shown(&self.value)
    }
}

/// Free text that only callbacks echo.
fn meta_data(paper: &Paper) -> Value {
    let record = &paper.record;
    json!({ "date": record.date, "document_type": record.document_type, "note": record.note })
}

fn attached(paper: &Paper, inline: &mut Inline) -> Value {
    let files = paper.record.attachments.iter().zip(&paper.attachments);
    files
        .map(|(record, content)| json!({ "file_name": record.file_name, "base64": inline.mark(content) }))
        .collect()
}

fn sign(paper: &Paper, settings: &Settings, inline: &mut Inline) -> Value {
    let record = &paper.record;
    let mut value = json!({
        "GUID": record.guid, "sign_status": record.sign_status,
        "comment": record.comment.clone().unwrap_or_default(), "file_name": record.file_name,
        "description": record.description, "folder": record.folder, "meta_data": meta_data(paper),
        "attached_files": attached(paper, inline),
    });
    let file = paper.signed.as_ref().filter(|_| settings.inline_files);
    if let (Some(file), Value::Object(fields)) = (file, &mut value) {
        fields.insert("base64".into(), inline.mark(file));
    }
    value
}

fn first_link(paper: &Paper) -> Option<String> {
    paper.record.signers.iter().find_map(|signer| signer.link.clone())
}

/// The names are the sender's, never the signer's.
fn launch(paper: &Paper, settings: &Settings) -> Value {
    json!({
        "GUID": paper.record.guid, "email": paper.record.owner, "firstname": "Ana", "lastname1": "Prueba",
        "lastname2": "", "company_name": settings.company_name,
        "sign_url": first_link(paper).unwrap_or_default(), "folder": paper.record.folder,
    })
}

/// Never with the file itself: it has to be downloaded.
fn data_to_api(paper: &Paper, attached: Option<Value>) -> Value {
    let record = &paper.record;
    let mut value = json!({
        "GUID": record.guid, "file_name": record.file_name, "folder": record.folder,
        "meta_data": meta_data(paper), "data_to_api": paper.variables.clone().unwrap_or_else(|| Map::new().into()),
    });
    if let Value::Object(fields) = &mut value {
        match attached {
            Some(attached) => {
                fields.insert("sign_status".into(), record.sign_status.into());
                fields.insert("attached_files".into(), attached);
            }
            None => {
                fields.insert("sign_url".into(), first_link(paper).unwrap_or_default().into());
            }
        }
    }
    value
}

/// The real body is not known; this one says what a receiver could need.
fn signer_status(paper: &Paper, number: usize) -> Value {
    let signer = number.checked_sub(1).and_then(|at| paper.record.signers.get(at));
    let status = match signer.map(|signer| signer.state) {
        Some(SignerState::Opened) => "opened",
        Some(SignerState::Signed) => "signed",
        Some(SignerState::Rejected) => "rejected",
        Some(SignerState::Pending) | None => "pending",
    };
    json!({ "GUID": paper.record.guid, "email": signer.map(|signer| &signer.email), "status": status })
}

/// As the help centre illustrates it.
fn app_event(paper: &Paper) -> Value {
    let record = &paper.record;
    let signed = paper.state(paper.updated) == FlowState::Signed;
    json!({
        "workflow_id": record.doc_id, "event": if signed { "document_signed" } else { "document_rejected" },
        "document_name": record.file_name, "signed_at": record.finished_at,
        "signed_by": record.signers.iter().map(|signer| &signer.email).collect::<Vec<_>>(),
        "download_url": Value::Null,
    })
}
