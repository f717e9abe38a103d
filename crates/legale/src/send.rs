//! From a file to a running flow in one call, and what is done when an answer is lost on the way (contract 4.5, assumed).
//!
//! The rule enforced here: nothing is repeated before the service was asked what became of it. A lost create is looked for in the
//! list, by the document's own `callback_url` or by ` [ref:TOKEN]` at the end of its description; a lost start by the document's
//! signers. Since a request can still be under way when its answer is lost, "not there" is asked three times with pauses.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use integration_core::{BoxFuture, Error, ErrorKind, Fault, Outcome, Secret};

use crate::client::{Api, Client};
use crate::document::{Created, Document, Upload};
use crate::flow::Flow;
use crate::id::DocumentId;
use crate::sign::Started;

/// Pauses before the second and third look.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8)];

pub(crate) const CONCURRENCY: usize = 4;

/// How a document is found again whose creation was lost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reference {
    /// Its `callback_url`, compared exactly; of use only if each document has one of its own.
    CallbackUrl(Secret),
    /// A token at the end of its description, as ` [ref:TOKEN]`.
    Token(String),
}

impl Reference {
    fn matches(&self, document: &Document) -> bool {
        match self {
            Self::CallbackUrl(url) => {
                document.callback_url.as_ref().is_some_and(|found| found.matches(url.reveal()))
            }
            Self::Token(token) => {
                document.description.as_deref().is_some_and(|text| text.trim_end().ends_with(&suffix(token)))
            }
        }
    }
}

fn suffix(token: &str) -> String {
    format!(" [ref:{token}]")
}

/// A file and the flow that is to be started for it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Sending {
    pub(crate) upload: Upload,
    pub(crate) flow: Flow,
    token: Option<String>,
}

impl Sending {
    /// What to send and how it is to be signed. Give the upload a `callback_url` of its own, or a [`reference`](Self::reference);
    /// without either a token is made up and added to the description.
    pub fn new(upload: Upload, flow: Flow) -> Self {
        Self { upload, flow, token: None }
    }

    /// A token of your own (8 to 64 letters, digits, `-` or `_`), such as an order number, unique among your documents.
    pub fn reference(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    pub(crate) fn upload(&self) -> &Upload {
        &self.upload
    }

    pub(crate) fn flow(&self) -> &Flow {
        &self.flow
    }

    /// The upload as it goes out, and how it will be found.
    pub(crate) fn referenced(&self, client: &Client) -> Result<(Upload, Reference), Error> {
        let mut upload = self.upload.clone();
        let token = match (&self.token, &upload.callback_url) {
            (None, Some(url)) => return Ok((upload.clone(), Reference::CallbackUrl(url.clone()))),
            (Some(token), _) => checked(token)?,
            (None, None) => made_up(client),
        };
        upload.description.push_str(&suffix(&token));
        Ok((upload, Reference::Token(token)))
    }

    /// The upload as it went out with `reference`, which was written down.
    #[cfg(feature = "store")]
    pub(crate) fn with_reference(&self, reference: &Reference) -> Upload {
        let mut upload = self.upload.clone();
        match reference {
            Reference::Token(token) => upload.description.push_str(&suffix(token)),
            Reference::CallbackUrl(url) => upload.callback_url = Some(url.clone()),
        }
        upload
    }

    /// Whether its files can be read more than once.
    #[cfg(feature = "store")]
    pub(crate) fn is_repeatable(&self) -> bool {
        self.upload.is_repeatable()
    }

    /// The e-mail addresses of the flow's signers.
    pub(crate) fn signers(&self) -> Vec<String> {
        let body = self.flow.to_body();
        let list = body.get("signer_list").and_then(serde_json::Value::as_array);
        let emails =
            list.into_iter().flatten().filter_map(|signer| signer.get("email")?.as_str().map(str::to_owned));
        emails.collect()
    }
}

fn checked(token: &str) -> Result<String, Error> {
    let usable = (8..=64).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if usable {
        return Ok(token.to_owned());
    }
    let fault = Fault::error("REFERENCE", "reference").with_expected("8 to 64 letters, digits, - or _");
    Err(Error::validation("send", vec![fault.with_actual(token)]))
}

fn made_up(client: &Client) -> String {
    let clock = client.caller(Api::V1).clock();
    let (now, chance) =
        (clock.wall().as_nanosecond(), clock.random().to_bits() ^ clock.random().to_bits().rotate_left(32));
    format!("{now:x}-{chance:016x}")
}

/// How far a sending has come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Everything local is in order; nothing was sent yet.
    Checked,
    /// The document is at the service. Write its GUID down.
    Created(DocumentId),
    /// Nobody knows whether the document was created; it is being looked for.
    CreateLost,
    /// It was created after all.
    CreateFound(DocumentId),
    /// The flow runs.
    Started(DocumentId),
    /// Nobody knows whether the flow was started; the document is being looked at.
    StartLost(DocumentId),
    /// It was started after all. Its addresses are lost with the answer.
    StartFound(DocumentId),
}

/// A document with a running flow.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sent {
    /// The document.
    pub guid: DocumentId,
    /// What its creation brought; nothing if the answer was lost and the document was found.
    pub created: Option<Created>,
    /// What the start brought; nothing if the answer was lost and the flow was found running.
    pub started: Option<Started>,
}

/// A sending that failed, and the document it got to.
#[derive(Debug, Clone)]
pub struct SendError {
    document: Option<DocumentId>,
    error: Error,
}

impl SendError {
    pub(crate) fn new(document: Option<DocumentId>, error: Error) -> Self {
        Self { document, error }
    }

    /// The document, if it was created: it stays at the service, and its flow can be started alone.
    #[must_use]
    pub fn document(&self) -> Option<&DocumentId> {
        self.document.as_ref()
    }

    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }
}

/// Nothing was created.
impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self::new(None, error)
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.document {
            Some(guid) => write!(f, "document {guid}: {}", self.error),
            None => self.error.fmt(f),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<SendError> for Error {
    fn from(failed: SendError) -> Self {
        failed.error
    }
}

type Observer<'o> = &'o (dyn Fn(&Step) + Send + Sync);

impl Client {
    /// Creates a document and starts its flow (contract 4.5). A lost answer is looked into, never repeated blindly.
    ///
    /// Idempotency: each call that it makes by its own class, and a lost answer is looked into.
    ///
    /// # Errors
    /// [`SendError`], with the document if there is one: a refused start leaves it at the service.
    ///
    /// ```no_run
    /// use legale::{Sending, Upload};
    ///
    /// # async fn run(client: legale::Client, flow: legale::flow::Flow) -> Result<(), legale::Error> {
    /// let upload = Upload::path("Contrato_ClienteX_2025.pdf", "Contrato de arriendo");
    /// let sent = client.send(&Sending::new(upload, flow).reference("order-2025-0042")).await?;
    /// println!("{}", sent.guid);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("enviar a firmar", "firmar"))]
    pub async fn send(&self, send: &Sending) -> Result<Sent, SendError> {
        self.send_observed(send, |_| ()).await
    }

    /// As [`send`](Self::send), and tells `observe` every step as it is done.
    ///
    /// Idempotency: each call that it makes by its own class, and a lost answer is looked into (contract 4.5).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, client) = (kit.sending(), kit.client);
    /// let sent = client.send_observed(&sending, |step| println!("{step:?}")).await?;
    /// println!("{}", sent.guid);
    /// # Ok(()) });
    /// ```
    pub async fn send_observed(
        &self,
        send: &Sending,
        observe: impl Fn(&Step) + Send + Sync,
    ) -> Result<Sent, SendError> {
        let (upload, reference) = send.referenced(self).map_err(|error| SendError::new(None, error))?;
        let created = Box::pin(self.create_or_find(&upload, &reference, &observe)).await;
        let (guid, created) = created.map_err(|error| SendError::new(None, error))?;
        let started = Box::pin(self.start_or_find(&guid, send, &observe)).await;
        let started = started.map_err(|error| SendError::new(Some(guid.clone()), error))?;
        Ok(Sent { guid, created, started })
    }

    /// Sends many, at most four at once; the results are in the order of the items, and a failure stops nothing.
    ///
    /// Idempotency: each call that it makes by its own class, and a lost answer is looked into (contract 4.5).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, client) = (kit.sending(), kit.client);
    /// for result in client.send_all([sending]).await {
    ///     match result {
    ///         Ok(sent) => println!("{}", sent.guid),
    ///         Err(failed) => println!("{:?}: {}", failed.document(), failed.error()),
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn send_all(&self, items: impl IntoIterator<Item = Sending>) -> Vec<Result<Sent, SendError>> {
        self.send_all_at(CONCURRENCY, items).await
    }

    /// As [`send_all`](Self::send_all), with at most `concurrency` at once.
    ///
    /// Idempotency: each call that it makes by its own class, and a lost answer is looked into (contract 4.5).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, client) = (kit.sending(), kit.client);
    /// let results = client.send_all_at(2, [sending]).await;
    /// assert!(results.iter().all(Result::is_ok));
    /// # Ok(()) });
    /// ```
    pub async fn send_all_at(
        &self,
        concurrency: usize,
        items: impl IntoIterator<Item = Sending>,
    ) -> Vec<Result<Sent, SendError>> {
        let works = items.into_iter().map(|item| {
            let client = self.clone();
            Box::pin(async move { client.send(&item).await }) as BoxFuture<'static, _>
        });
        all(works.collect(), concurrency.max(1)).await
    }

    /// Looks for a document whose creation was lost, through all pages of the list (contract 4.5).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if more than one document fits; [`ErrorKind::UnexpectedAnswer`] if none of those shown fits and the list
    /// shows fewer than it announces; else as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (sending, client) = (kit.sending(), kit.client);
    /// use legale::Reference;
    ///
    /// client.send(&sending.reference("order-2025-0042")).await?;
    /// let found = client.find_created(&Reference::Token("order-2025-0042".into())).await?;
    /// assert!(found.is_some());
    /// # Ok(()) });
    /// ```
    pub async fn find_created(&self, reference: &Reference) -> Result<Option<DocumentId>, Error> {
        let (mut found, mut pages) = (Vec::new(), self.documents());
        let (mut seen, mut announced) = (0u64, 0u64);
        while let Some(page) = pages.next_page().await? {
            seen = seen.saturating_add(page.items.len() as u64);
            announced = announced.max(page.count.unwrap_or_default());
            found.extend(page.items.into_iter().filter(|item| reference.matches(item)).map(|item| item.guid));
        }
        if found.len() > 1 {
            return Err(Error::new(ErrorKind::Conflict, "look for a created document")
                .with_outcome(Outcome::ReadOnly)
                .with_message(format!("{} documents carry this reference", found.len()))
                .with_hint("give every document a callback URL or a reference of its own; look at these in the web application"));
        }
        match found.pop() {
            None if seen < announced => Err(incomplete(seen, announced)),
            found => Ok(found),
        }
    }

    /// Looks more than once before it believes that the document is not there.
    pub(crate) async fn look_for_created(&self, reference: &Reference) -> Result<Option<DocumentId>, Error> {
        for pause in LOOKS {
            self.wait(pause).await;
            if let Some(found) = self.find_created(reference).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub(crate) async fn look_for_started(&self, guid: &DocumentId, emails: &[&str]) -> Result<bool, Error> {
        for pause in LOOKS {
            self.wait(pause).await;
            if self.find_started(guid, emails).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn wait(&self, pause: Duration) {
        if !pause.is_zero() {
            self.caller(Api::V1).clock().sleep(pause).await;
        }
    }

    async fn create_or_find(
        &self,
        upload: &Upload,
        reference: &Reference,
        observe: Observer<'_>,
    ) -> Result<(DocumentId, Option<Created>), Error> {
        let mut lost = None;
        loop {
            let ready = match (self.prepare_upload(upload).await, lost.clone()) {
                (Ok(ready), _) => ready,
                // What can be read once cannot be sent again; that it may have been sent stays true.
                (Err(cause), Some(first)) => return Err(unresolved(&first, cause)),
                (Err(cause), None) => return Err(cause),
            };
            observe(&Step::Checked);
            let error = match self.create_prepared(ready).await {
                Ok(created) => {
                    observe(&Step::Created(created.document.guid.clone()));
                    return Ok((created.document.guid.clone(), Some(created)));
                }
                Err(error) if !error.is_outcome_unknown() => return Err(error),
                Err(error) => error,
            };
            observe(&Step::CreateLost);
            match self.look_for_created(reference).await {
                Ok(Some(guid)) => {
                    observe(&Step::CreateFound(guid.clone()));
                    return Ok((guid, None));
                }
                Ok(None) if lost.is_none() => lost = Some(error),
                Ok(None) => return Err(error),
                Err(cause) => return Err(unresolved(&error, cause)),
            }
        }
    }

    async fn start_or_find(
        &self,
        guid: &DocumentId,
        send: &Sending,
        observe: Observer<'_>,
    ) -> Result<Option<Started>, Error> {
        let emails = send.signers();
        let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
        let mut again = true;
        loop {
            let error = match self.start(guid, &send.flow).await {
                Ok(started) => {
                    observe(&Step::Started(guid.clone()));
                    return Ok(Some(started));
                }
                Err(error) if !error.is_outcome_unknown() => return Err(error),
                Err(error) => error,
            };
            observe(&Step::StartLost(guid.clone()));
            match self.look_for_started(guid, &emails).await {
                Ok(true) => {
                    observe(&Step::StartFound(guid.clone()));
                    return Ok(None);
                }
                Ok(false) if again => again = false,
                Ok(false) => return Err(error),
                Err(cause) => return Err(unresolved(&error, cause)),
            }
        }
    }
}

/// A document that a list of which part is missing does not show may be there all the same.
fn incomplete(seen: u64, announced: u64) -> Error {
    Error::new(ErrorKind::UnexpectedAnswer, "look for a created document")
        .with_outcome(Outcome::ReadOnly)
        .with_message(format!("the list announces {announced} documents and shows {seen}"))
        .with_hint("look again later; until then nobody knows whether the document is there")
}

/// The outcome stays unknown: asking about it failed too, or brought more than one answer.
pub(crate) fn unresolved(lost: &Error, cause: Error) -> Error {
    Error::new(cause.kind(), lost.operation().to_owned())
        .with_outcome(Outcome::Unknown)
        .with_message(format!(
            "the answer was lost ({}), and what became of it could not be found out: {}",
            lost.message().unwrap_or_default(),
            cause.message().unwrap_or_default()
        ))
        .with_hint("look for the document before sending it again")
        .with_source(cause)
}

/// Runs `works`, so many at once, and gives the results in their order.
pub(crate) async fn all<T>(works: Vec<BoxFuture<'static, T>>, at_once: usize) -> Vec<T> {
    let mut slots: Vec<(Option<BoxFuture<'static, T>>, Option<T>)> =
        works.into_iter().map(|work| (Some(work), None)).collect();
    poll_fn(|context| {
        let mut running = 0;
        for (work, result) in &mut slots {
            if running == at_once {
                return Poll::Pending;
            }
            let Some(future) = work else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(done) => (*work, *result) = (None, Some(done)),
                Poll::Pending => running += 1,
            }
        }
        if running == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    slots.into_iter().filter_map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_reference_is_matched_exactly() {
        let document = |description: &str, url: &str| {
            let value = serde_json::json!({"GUID": "a", "description": description, "callback_url": url});
            <Document as crate::page::Listed>::read(value).unwrap()
        };
        let token = Reference::Token("order-42".into());
        assert!(token.matches(&document("Contrato [ref:order-42]", "")));
        assert!(!token.matches(&document("Contrato [ref:order-421]", "")));
        assert!(!token.matches(&document("Contrato[ref:order-42]", "")));
        assert!(!token.matches(&document(" [ref:order-42] Contrato", "")));
        let url = Reference::CallbackUrl("https://h/abc".into());
        assert!(url.matches(&document("", "https://h/abc")) && !url.matches(&document("", "https://h/abcd")));
        assert!(checked("short").is_err() && checked("has blank").is_err() && checked("order-42").is_ok());
    }

    #[tokio::test]
    async fn so_many_at_once_and_results_in_order() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let works = (0..20usize).map(|number| {
            let (now, most) = (now.clone(), most.clone());
            Box::pin(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..number % 5 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                number
            }) as BoxFuture<'static, _>
        });
        assert_eq!(all(works.collect(), 4).await, (0..20usize).collect::<Vec<usize>>());
        assert_eq!(most.load(Ordering::SeqCst), 4);
    }
}
