//! Creating a document: the file goes out in base64 while it is read (contract 3.3, 4.12).

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use integration_core::body::base64::Sha256;
use integration_core::call::{Body, BodyStream, Idempotency, Operation, TransportError};
use integration_core::{BoxFuture, Error, Fault, Faults, Secret};
use serde_json::{Map, Value};

use super::Document;
use super::source::{Prepared, Source};
use crate::client::{Ask, Client};
use crate::id::DocumentId;
use crate::page::Listed;

pub(crate) const CREATE: Operation =
    Operation::post("create a document", "/document/create", Idempotency::Once);

/// Counted as Unicode scalars (documented).
const DESCRIPTION_LIMIT: usize = 1023;

/// A document to be created.
///
/// ```
/// use legale::{Source, Upload};
///
/// let upload = Upload::new("Contrato_ClienteX_2025.pdf", "Contrato de arriendo", Source::bytes("%PDF-1.7 ..."))
///     .subject("Arriendo")
///     .folder("Contratos/ClienteX")
///     .callback_url("https://hooks.example.com/legale/4f1c9c0e5a9f4b0b8f7d2f6a3c1e9b57")
///     .attach("Anexo_ClienteX_2025.pdf", Source::bytes("%PDF-1.7 ..."));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Upload {
    pub(crate) file_name: String,
    pub(crate) description: String,
    pub(crate) source: Source,
    pub(crate) callback_url: Option<Secret>,
    callback_key: Option<Secret>,
    subject: Option<String>,
    folder: Option<String>,
    document_type: Option<String>,
    note: Option<String>,
    date: Option<String>,
    replacing: Option<DocumentId>,
    attachments: Vec<(String, Source)>,
}

impl Upload {
    /// `file_name` (name to save as, with extension), `description` (at most 1023 characters) and the file.
    pub fn new(file_name: impl Into<String>, description: impl Into<String>, source: Source) -> Self {
        Self {
            file_name: file_name.into(),
            description: description.into(),
            source,
            callback_url: None,
            callback_key: None,
            subject: None,
            folder: None,
            document_type: None,
            note: None,
            date: None,
            replacing: None,
            attachments: Vec::new(),
        }
    }

    /// A file on disk, saved under its own name.
    pub fn path(path: impl AsRef<Path>, description: impl Into<String>) -> Self {
        let path = path.as_ref();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::new(name, description, Source::path(path))
    }

    pub(crate) fn file_name(&self) -> &str {
        &self.file_name
    }

    pub(crate) fn folder_path(&self) -> Option<&str> {
        self.folder.as_deref()
    }

    pub(crate) fn replaced(&self) -> Option<&DocumentId> {
        self.replacing.as_ref()
    }

    /// `subject`: what the public signing portal shows.
    pub fn subject(mut self, text: impl Into<String>) -> Self {
        self.subject = Some(text.into());
        self
    }

    /// `folder`, such as `Contract/Company1`; missing folders are created by the service.
    pub fn folder(mut self, path: impl Into<String>) -> Self {
        self.folder = Some(path.into());
        self
    }

    /// `callback_url`: where the final result is posted. Give each document one of its own with a long secret in it: that is how
    /// a callback is believed, and how a lost document is found again.
    #[doc(alias = "retrollamada")]
    pub fn callback_url(mut self, url: impl Into<Secret>) -> Self {
        self.callback_url = Some(url.into());
        self
    }

    /// `callback_key` (not in the vendor's field table; assumed).
    pub fn callback_key(mut self, key: impl Into<Secret>) -> Self {
        self.callback_key = Some(key.into());
        self
    }

    /// `document_type`: free text, repeated in the callback.
    pub fn document_type(mut self, text: impl Into<String>) -> Self {
        self.document_type = Some(text.into());
        self
    }

    /// `note`: free text, repeated in the callback and in no answer.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = Some(text.into());
        self
    }

    /// `date`: free text, repeated in the callback.
    pub fn date(mut self, text: impl Into<String>) -> Self {
        self.date = Some(text.into());
        self
    }

    /// `GUID`: replaces that document. Refused unless [`ClientBuilder::allow_replacing`](crate::ClientBuilder::allow_replacing) is on.
    #[doc(alias = "GUID")]
    pub fn replacing(mut self, guid: DocumentId) -> Self {
        self.replacing = Some(guid);
        self
    }

    /// Adds a file beside the document; `file_name` with extension.
    #[doc(alias("attached_file", "attach_file_list", "adjunto"))]
    pub fn attach(mut self, file_name: impl Into<String>, source: Source) -> Self {
        self.attachments.push((file_name.into(), source));
        self
    }

    #[cfg(feature = "store")]
    pub(crate) fn is_repeatable(&self) -> bool {
        !self.source.is_once() && !self.attachments.iter().any(|(_, source)| source.is_once())
    }

    /// What a journal's key stands for beside the files: all that is sent, but for what may be made anew each time.
    #[cfg(feature = "store")]
    pub(crate) fn lasting_fields(&self) -> Map<String, Value> {
        let mut fields = self.fields();
        fields.retain(|name, _| !matches!(name.as_str(), "callback_url" | "callback_key"));
        fields
    }

    #[cfg(feature = "store")]
    pub(crate) fn attachments(&self) -> &[(String, Source)] {
        &self.attachments
    }

    fn fields(&self) -> Map<String, Value> {
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
        let optional = [
            ("subject", self.subject.clone()),
            ("folder", self.folder.clone()),
            ("callback_url", secret(&self.callback_url)),
            ("callback_key", secret(&self.callback_key)),
            ("document_type", self.document_type.clone()),
            ("note", self.note.clone()),
            ("date", self.date.clone()),
            ("GUID", self.replacing.as_ref().map(ToString::to_string)),
        ];
        let required = [("file_name", &self.file_name), ("description", &self.description)];
        let required = required.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value.as_str())));
        let optional =
            optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
        required.chain(optional).collect()
    }

    fn check(&self, replaces: bool, faults: &mut Faults) {
        check_text("file_name", &self.file_name, None, faults);
        check_text("description", &self.description, Some(DESCRIPTION_LIMIT), faults);
        if self.replacing.is_some() && !replaces {
            let hint = "the vendor reserves it for one product; switch on `ClientBuilder::allow_replacing` if you use that";
            faults.push(Fault::error("REPLACE", "GUID").with_hint(hint));
        }
        for (at, (name, _)) in self.attachments.iter().enumerate() {
            if !name.contains('.') || name.trim().is_empty() {
                let fault = Fault::error("ATTACHMENT", format!("attached_file[{at}].file_name"));
                faults.push(fault.with_expected("a name with its extension").with_actual(name));
            }
        }
    }
}

/// A text that must be there and may be only so long, counted in Unicode scalars.
pub(crate) fn check_text(field: &str, text: &str, limit: Option<usize>, faults: &mut Faults) {
    if text.trim().is_empty() {
        faults.push(Fault::error("REQUIRED", field).with_expected("a text that is not empty"));
    }
    let length = text.chars().count();
    if limit.is_some_and(|limit| length > limit) {
        let fault = Fault::error("LENGTH", field);
        let expected = format!("at most {} characters", limit.unwrap_or_default());
        faults.push(fault.with_expected(expected).with_actual(length.to_string()));
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("file_name", &self.file_name)
            .field("source", &self.source)
            .field("attachments", &self.attachments.len())
            .finish_non_exhaustive()
    }
}

/// A created document.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Created {
    /// The document as the service answered it.
    pub document: Document,
    /// SHA-256 of the file's bytes as they were sent, in lower-case hexadecimal.
    pub sha256: String,
    /// The file's length in bytes.
    pub length: u64,
    /// What is worth knowing: an undocumented type, a missing extension.
    pub warnings: Vec<Fault>,
}

/// Bodies one after another as one.
pub(crate) fn joined(bodies: Vec<Body>) -> Body {
    let length = bodies.iter().try_fold(0u64, |sum, body| Some(sum.saturating_add(body.length()?)));
    let bodies: Arc<[Body]> = bodies.into();
    Body::stream(length, move || {
        let bodies = bodies.clone();
        std::future::ready(Ok::<_, TransportError>(Joined { bodies, next: 0, opening: None, open: None }))
    })
}

type Opening = BoxFuture<'static, Result<BodyStream, TransportError>>;

struct Joined {
    bodies: Arc<[Body]>,
    next: usize,
    opening: Option<Opening>,
    open: Option<BodyStream>,
}

impl Stream for Joined {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(open) = &mut self.open {
                match ready!(open.as_mut().poll_next(context)) {
                    None => self.open = None,
                    piece => return Poll::Ready(piece),
                }
            }
            if let Some(opening) = &mut self.opening {
                let opened = ready!(opening.as_mut().poll(context));
                self.opening = None;
                match opened {
                    Ok(stream) => self.open = Some(stream),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
                continue;
            }
            let Some(body) = self.bodies.get(self.next).cloned() else { return Poll::Ready(None) };
            self.next = self.next.saturating_add(1);
            self.opening = Some(Box::pin(async move { body.open().await }));
        }
    }
}

/// `{fields…,"file":"<base64>"` and the attachments after it.
fn body(upload: &Upload, key: &str, main: Prepared, attachments: Vec<(String, Prepared)>) -> Body {
    let fields = Value::from(upload.fields()).to_string();
    let open = fields.strip_suffix('}').unwrap_or(&fields);
    let mut bodies = Vec::new();
    let mut before = format!("{open},\"file\":\"");
    let mut file = main.file;
    for (at, (name, next)) in attachments.into_iter().enumerate() {
        let list = if at == 0 { format!(",{}:[", Value::from(key)) } else { ",".to_owned() };
        let after = if at == 0 { "\"" } else { "\"}" };
        bodies.push(file.into_body(before, format!("{after}{list}")));
        before = format!("{{\"file_name\":{},\"file\":\"", Value::from(name));
        file = next.file;
    }
    let end = if bodies.is_empty() { "\"}" } else { "\"}]}" };
    bodies.push(file.into_body(before, end));
    joined(bodies)
}

impl Client {
    /// Creates a document (contract 3.1 row 4). Sent **once**: a lost answer is an unknown outcome, settled by
    /// [`find_created`](Self::find_created) and never by a blind repeat.
    ///
    /// Before anything is sent: name and description, the size limit, the first bytes of every file against its extension. While it is
    /// sent the file is read in pieces and never held; a file that turns out longer or shorter than announced ends the request
    /// before its closing part, so that no half document is created. The time of the call begins with the first look at the files: one
    /// that does not come is [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), not sent.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error with every fault, [`ErrorKind::Store`](crate::ErrorKind::Store) if the file cannot be read, and as every call.
    ///
    /// ```
    /// use legale::{Client, Credential, Environment, Source, Upload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = integration_sandbox::Sandbox::start().await?;
    /// # let (url, key) = (sandbox.legale().base_url().to_owned(), sandbox.legale().api_key().to_owned());
    /// let client = Client::builder().environment(Environment::root(&url)?).credential(Credential::api_key(key)).build()?;
    /// let file = Source::bytes("%PDF-1.7 ...");
    /// let created = client.create(&Upload::new("Contrato_ClienteX_2025.pdf", "Contrato de arriendo", file)).await?;
    /// assert_eq!(created.length, 12);
    /// assert_eq!(sandbox.legale().count_of(&created.sha256), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("subir documento", "document/create"))]
    pub async fn create(&self, upload: &Upload) -> Result<Created, Error> {
        let ready = self.prepare_upload(upload).await?;
        self.create_prepared(ready).await
    }

    /// Everything that can be found wrong before the network.
    pub(crate) async fn prepare_upload(&self, upload: &Upload) -> Result<ReadyUpload, Error> {
        let (mut faults, bounds) = (Faults::new(), self.bounds());
        upload.check(self.rules().replaces, &mut faults);
        let main = upload.source.prepare(("file", &upload.file_name), bounds, &mut faults).await?;
        let (length, sha256) = (main.length, main.file.digest());
        let mut is_once = main.is_once;
        let mut attachments = Vec::new();
        for (at, (name, source)) in upload.attachments.iter().enumerate() {
            let field = format!("attached_file[{at}].file");
            let prepared = source.prepare((&field, name), bounds, &mut faults).await?;
            is_once |= prepared.is_once;
            attachments.push((name.clone(), prepared));
        }
        let warnings = faults.into_result(CREATE.name)?;
        let body = body(upload, self.rules().attachments_key, main, attachments);
        let secrets = [&upload.callback_key, &upload.callback_url].into_iter().flatten().cloned().collect();
        let deadline = bounds.deadline();
        Ok(ReadyUpload { body, length, sha256, is_once, warnings, secrets, deadline })
    }

    pub(crate) async fn create_prepared(&self, ready: ReadyUpload) -> Result<Created, Error> {
        if ready.is_once {
            // What can be read once cannot be replayed after a 401.
            self.check_credentials()
                .await
                .map_err(|error| error.with_outcome(integration_core::Outcome::NotSent))?;
        }
        let secrets = ready.secrets;
        let remaining = ready.deadline.saturating_sub(self.clock().elapsed());
        let ask = Ask::v1(CREATE).carries_document().map(|call| {
            let call = call.body("application/json", ready.body).total_timeout(remaining);
            secrets.into_iter().fold(call, integration_core::call::Call::with_secret)
        });
        let document = self.ask(ask, Document::read).await?;
        let sha256 = ready.sha256.hex().unwrap_or_default();
        Ok(Created { document, sha256, length: ready.length, warnings: ready.warnings })
    }
}

/// An upload that passed every check.
#[derive(Debug)]
pub(crate) struct ReadyUpload {
    body: Body,
    length: u64,
    sha256: Sha256,
    is_once: bool,
    warnings: Vec<Fault>,
    secrets: Vec<Secret>,
    /// Of the whole call, of which looking at the files is a part.
    deadline: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::source::Bounds;

    async fn read(body: &Body) -> String {
        let (mut stream, mut bytes) = (body.open().await.unwrap(), Vec::new());
        while let Some(piece) = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(body.length(), Some(bytes.len() as u64));
        String::from_utf8(bytes).unwrap()
    }

    async fn prepared(bytes: &'static str) -> Prepared {
        let clock = integration_core::clock::ManualClock::new();
        let bounds = Bounds::new(100, &clock, Duration::from_secs(1));
        Source::bytes(bytes).prepare(("file", "a.csv"), bounds, &mut Faults::new()).await.unwrap()
    }

    #[tokio::test]
    async fn the_body_is_json_of_exact_length_with_any_number_of_attachments() {
        let upload = Upload::new("a\".csv", "d", Source::bytes("x")).subject("s").callback_key("k");
        for count in 0..4 {
            let mut attachments = Vec::new();
            for at in 0..count {
                attachments.push((format!("{at}.csv"), prepared("hello").await));
            }
            let body = body(&upload, "attached_file", prepared("hi").await, attachments);
            let value: Value = serde_json::from_str(&read(&body).await).unwrap();
            assert_eq!(value["file"], "aGk=");
            assert_eq!(
                (&value["file_name"], &value["subject"], &value["callback_key"]),
                (&"a\".csv".into(), &"s".into(), &"k".into())
            );
            let list = value["attached_file"].as_array().map_or(0, Vec::len);
            assert_eq!(list, count);
            for at in 0..count {
                assert_eq!(
                    value["attached_file"][at],
                    serde_json::json!({"file_name": format!("{at}.csv"), "file": "aGVsbG8="})
                );
            }
            assert!(value.get("note").is_none() && value.get("GUID").is_none());
        }
    }

    #[test]
    fn lengths_are_counted_in_scalars() {
        let faults = |length: usize| {
            let mut faults = Faults::new();
            check_text("description", &"ñ".repeat(length), Some(1023), &mut faults);
            faults.has_errors()
        };
        assert!(!faults(1023) && faults(1024) && faults(0));
    }
}
