//! Importing a finished document with its history; it starts nothing (contract 3.1 row 12, 3.6).

use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Faults};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::client::{Ask, Client};
use crate::document::{Source, check_text};
use crate::flow::SignMethod;
use crate::id::DocumentId;
use crate::status::SignStatus;
use crate::wire::{self, Fields, Unreadable};

pub(crate) const MIGRATE: Operation =
    Operation::post("migrate a document", "/migrate/document/", Idempotency::Once);

/// A finished document to be imported.
///
/// ```
/// use legale::flow::SignMethod;
/// use legale::status::SignStatus;
/// use legale::{MigratedSigner, Migration, Source};
///
/// let migration = Migration::new("Contrato_ClienteX_2019.pdf", "Contrato", Source::bytes("%PDF-1.7 ..."))
///     .sign_status(SignStatus::Signed)
///     .signer(MigratedSigner::new(SignMethod::NoSms, SignStatus::Signed, "ana@example.com").name("Ana", "Rojas"));
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias("migracion", "migración"))]
pub struct Migration {
    file_name: String,
    description: String,
    source: Source,
    sign_status: SignStatus,
    texts: Vec<(&'static str, String)>,
    flow_type: Option<String>,
    signers: Vec<MigratedSigner>,
}

/// Somebody who has signed a migrated document, or not.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
#[doc(alias = "firmante")]
pub struct MigratedSigner {
    method: SignMethod,
    status: SignStatus,
    texts: Vec<(&'static str, String)>,
    validations: [bool; 3],
}

impl MigratedSigner {
    /// How, whether, and who.
    pub fn new(method: SignMethod, status: SignStatus, email: impl Into<String>) -> Self {
        Self { method, status, texts: vec![("email", email.into())], validations: [false; 3] }
    }

    fn text(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.texts.push((key, value.into()));
        self
    }

    /// `signer`: its meaning is not documented.
    pub fn signer(self, text: impl Into<String>) -> Self {
        self.text("signer", text)
    }

    /// `firstname` and `lastname1`
    #[doc(alias("firstname", "lastname1"))]
    pub fn name(self, firstname: impl Into<String>, lastname1: impl Into<String>) -> Self {
        self.text("firstname", firstname).text("lastname1", lastname1)
    }

    /// `lastname2`
    pub fn lastname2(self, text: impl Into<String>) -> Self {
        self.text("lastname2", text)
    }

    /// `started_at`; sent as `YYYY-MM-DD HH:MM:SS` in UTC, decimals dropped.
    pub fn started_at(self, at: Timestamp) -> Self {
        self.text("started_at", spaced(at))
    }

    /// `signed_at`; sent as `YYYY-MM-DD HH:MM:SS` in UTC, decimals dropped.
    pub fn signed_at(self, at: Timestamp) -> Self {
        self.text("signed_at", spaced(at))
    }

    /// Which identity checks were made: video, selfie, identity document.
    pub fn validations(mut self, video: bool, selfie: bool, id: bool) -> Self {
        self.validations = [video, selfie, id];
        self
    }

    fn to_body(&self) -> Value {
        let [video, selfie, id] = self.validations;
        let mut body = texts(&self.texts);
        body.insert("sign_method".into(), self.method.as_str().into());
        body.insert("sign_status".into(), self.status.code().into());
        body.insert("video_validation".into(), video.into());
        body.insert("selfie_validation".into(), selfie.into());
        body.insert("id_validation".into(), id.into());
        body.into()
    }
}

fn spaced(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn texts(pairs: &[(&'static str, String)]) -> Map<String, Value> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str()))).collect()
}

impl Migration {
    /// `file_name`, `description` (at most 1023 characters) and the file.
    #[doc(alias("file_name", "description"))]
    pub fn new(file_name: impl Into<String>, description: impl Into<String>, source: Source) -> Self {
        Self {
            file_name: file_name.into(),
            description: description.into(),
            source,
            sign_status: SignStatus::NotSigned,
            texts: Vec::new(),
            flow_type: None,
            signers: Vec::new(),
        }
    }

    fn text(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.texts.push((key, value.into()));
        self
    }

    /// `sign_status`; not signed unless set.
    pub fn sign_status(mut self, status: SignStatus) -> Self {
        self.sign_status = status;
        self
    }

    /// `subject`
    pub fn subject(self, text: impl Into<String>) -> Self {
        self.text("subject", text)
    }

    /// `folder`
    pub fn folder(self, path: impl Into<String>) -> Self {
        self.text("folder", path)
    }

    /// `document_type`
    pub fn document_type(self, text: impl Into<String>) -> Self {
        self.text("document_type", text)
    }

    /// `note`
    pub fn note(self, text: impl Into<String>) -> Self {
        self.text("note", text)
    }

    /// `date`
    pub fn date(self, text: impl Into<String>) -> Self {
        self.text("date", text)
    }

    /// `flow_type` of the workflow that was: `priority` or `simultaneously`.
    pub fn flow_type(mut self, text: impl Into<String>) -> Self {
        self.flow_type = Some(text.into());
        self
    }

    /// Adds a signer of the workflow that was.
    pub fn signer(mut self, signer: MigratedSigner) -> Self {
        self.signers.push(signer);
        self
    }

    /// What stands before the file: the file is the last field of the document.
    fn before_file(&self) -> String {
        let mut document = texts(&self.texts);
        document.insert("file_name".into(), self.file_name.as_str().into());
        document.insert("description".into(), self.description.as_str().into());
        document.insert("sign_status".into(), self.sign_status.code().into());
        let document = Value::from(document).to_string();
        let document = document.strip_suffix('}').unwrap_or(&document);
        format!("{{{}\"document\":{document},\"file\":\"", self.workflow())
    }

    fn workflow(&self) -> String {
        if self.signers.is_empty() && self.flow_type.is_none() {
            return String::new();
        }
        let signers: Vec<Value> = self.signers.iter().map(MigratedSigner::to_body).collect();
        let mut workflow = Map::new();
        workflow.insert("signers".into(), signers.into());
        if let Some(flow_type) = &self.flow_type {
            workflow.insert("flow_type".into(), json!(flow_type));
        }
        format!("\"workflow\":{},", Value::from(workflow))
    }
}

/// An imported document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// The new `GUID`.
    pub guid: DocumentId,
    /// SHA-256 of the file's bytes as they were sent, in lower-case hexadecimal.
    pub sha256: String,
    /// The file's length in bytes.
    pub length: u64,
}

fn guid(data: Value) -> Result<DocumentId, Unreadable> {
    match data {
        Value::String(text) => text.parse().map_err(|_| Unreadable::new("GUID", "a GUID")),
        other => wire::guid(&mut Fields::of(other, "the answer")?),
    }
}

impl Client {
    /// Imports a finished document (contract 3.1 row 12). Sent **once**, the file streamed as in [`create`](Self::create).
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create`](Self::create).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use legale::flow::SignMethod;
    /// use legale::status::SignStatus;
    /// use legale::{MigratedSigner, Migration, Source};
    ///
    /// let scan = Migration::new("Contrato_1998.pdf", "Contrato de 1998", Source::bytes("%PDF-1.4 ..."))
    ///     .sign_status(SignStatus::Signed)
    ///     .signer(MigratedSigner::new(SignMethod::NoSms, SignStatus::Signed, "ana@example.com").name("Ana", "Rojas"));
    /// let migrated = client.migrate(&scan).await?;
    /// assert_eq!(migrated.length, 12);
    /// # Ok(()) });
    /// ```
    #[doc(alias("migrar", "migracion", "migración"))]
    pub async fn migrate(&self, migration: &Migration) -> Result<Migrated, Error> {
        let mut faults = Faults::new();
        check_text("document.file_name", &migration.file_name, None, &mut faults);
        check_text("document.description", &migration.description, Some(1023), &mut faults);
        let named = ("document.file", migration.file_name.as_str());
        let bounds = self.bounds();
        let prepared = migration.source.prepare(named, bounds, &mut faults).await?;
        faults.into_result(MIGRATE.name)?;
        if prepared.is_once {
            self.check_credentials()
                .await
                .map_err(|error| error.with_outcome(integration_core::Outcome::NotSent))?;
        }
        let (length, digest) = (prepared.length, prepared.file.digest());
        let body = prepared.file.into_body(migration.before_file(), "\"}}");
        let ask = Ask::v1(MIGRATE).carries_document();
        let ask = ask.map(|call| call.body("application/json", body).total_timeout(bounds.remaining()));
        let guid = self.ask(ask, guid).await?;
        Ok(Migrated { guid, sha256: digest.hex().unwrap_or_default(), length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_json_with_and_without_a_workflow() {
        let bare = Migration::new("a.pdf", "d\"", Source::bytes("x"));
        let read = |migration: &Migration| -> Value {
            serde_json::from_str(&format!("{}QQ==\"}}}}", migration.before_file())).unwrap()
        };
        assert_eq!(
            read(&bare),
            json!({"document": {"file_name": "a.pdf", "description": "d\"", "sign_status": 0, "file": "QQ=="}})
        );
        let signer = MigratedSigner::new(SignMethod::NoSms, SignStatus::Signed, "a@b").name("A", "B");
        let signer = signer.signed_at("2021-10-19T16:05:44.9Z".parse().unwrap());
        let full = read(&bare.sign_status(SignStatus::Signed).flow_type("priority").signer(signer));
        assert_eq!(full["document"]["sign_status"], 1);
        assert_eq!(full["workflow"]["flow_type"], "priority");
        assert_eq!(full["workflow"]["signers"][0]["signed_at"], "2021-10-19 16:05:44");
    }
}
