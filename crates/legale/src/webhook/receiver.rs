//! Receives callbacks: proves them, reads them while they arrive, hands each on once (contract 4.6).
//!
//! The order of the steps is the point of this file: what can be refused without the body is refused before it is read; a body is
//! not parsed before its signature is right; a callback is claimed before it is handled, marked as done afterwards, and counts as
//! new again if handling fails or its process dies.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use http::request::Parts;
use integration_core::body::webhook::{
    Chunks, Entered, Handling, Refusal, Refused, Whole, accepted, same_text,
};
use integration_core::{BoxFuture, Error};
use ring::digest::{Context, SHA256};
use serde_json::{Map, Value};

use super::builder::{ReceiverBuilder, Setup};
use super::callback::{Callback, Route};
use super::files::{Incoming, ReceivedFile};
use super::secret::{Expected, RelayCheck};
use super::sieve::{Piece, Sieve, Slot, Unfit};
use crate::digest;
use crate::id::DocumentId;
use crate::seen::{Detail, Seen};
use crate::status::SignStatus;

/// A body that comes in one huge chunk is fed in slices, so that decoding never doubles it.
const SLICE: usize = 64 * 1024;

/// A callback that was proven, as a [`Handler`] gets it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// What it says. Where the service was asked, `sign_status` and `comment` are the service's own, not the body's; where the
    /// GUID was all that may be believed, nothing else is in it.
    pub callback: Callback,
    /// Whether every configured strategy has proven it; `false` where the service could not tell (the document is gone, or the
    /// callback names none) but secret, key or relay was right.
    pub is_confirmed: bool,
    /// It says that a flow has begun of which the service says that it has ended: reopen nothing.
    pub is_late: bool,
    /// What the service says of the document, if it was asked.
    pub detail: Option<Detail>,
    /// The reference of the callback URL, if URLs have secrets.
    pub reference: Option<String>,
    /// SHA-256 of the body, in lower case hexadecimal.
    pub body_sha256: String,
    /// The signed document, if it came along, may be believed, and a sink is there to take it.
    pub file: Option<ReceivedFile>,
    /// Attachments under the same conditions.
    pub attachments: Vec<ReceivedFile>,
}

impl Delivery {
    /// Whether the signed document has to be fetched from the service (contract 3.1, call 6): it is signed and no file came.
    #[must_use]
    pub fn needs_download(&self) -> bool {
        self.callback.sign_status == Some(SignStatus::Signed) && self.file.is_none()
    }
}

/// What the caller does with a proven callback.
pub trait Handler: Send + Sync {
    /// Handles one. Called once for each callback, unless it fails, is dropped half way or its process dies: then the callback
    /// counts as new when it comes again. One that is killed after its last effect is called again as well, since nobody has
    /// written down that it was done; where that matters, let the effect itself be keyed by
    /// [`Delivery::body_sha256`].
    ///
    /// # Errors
    /// Whatever kept it from being handled; the sender then gets 500.
    fn handle(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Error>>;

    /// The service does not (yet) say what a callback about this document says: look at it again later. Nothing else was done.
    fn poll_again(&self, document: DocumentId) -> BoxFuture<'_, ()> {
        drop(document);
        Box::pin(std::future::ready(()))
    }
}

/// What became of a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Disposition {
    /// Proven and handled.
    Handled,
    /// Handled before.
    Duplicate,
    /// The service does not say the same: not acted on, to be polled again.
    Unconfirmed(Option<DocumentId>),
    /// Not accepted; the callback counts as not seen.
    Refused(Refusal),
}

/// The answer to a request.
#[derive(Debug)]
pub struct Reply(Disposition);

impl Reply {
    /// 200 for what was accepted, known before or is to be polled; 401, 413, 400; 500 for an own failure, and where another
    /// receiver is still handling an equal one.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match &self.0 {
            Disposition::Handled | Disposition::Duplicate | Disposition::Unconfirmed(_) => StatusCode::OK,
            Disposition::Refused(refusal) => refusal.status(),
        }
    }

    /// Why.
    #[must_use]
    pub const fn disposition(&self) -> &Disposition {
        &self.0
    }

    /// The answer to send: a status and no body, so that nothing is told to whoever tries.
    #[must_use]
    pub fn into_response(self) -> http::Response<Bytes> {
        match &self.0 {
            Disposition::Refused(refusal) => refusal.to_response(),
            _ => accepted(),
        }
    }
}

type Stopped<T> = Result<T, Refusal>;

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::TooLarge => Self::TooLarge("more beside the files than there may be"),
            Unfit::Malformed(why) => Self::Malformed(why),
        }
    }
}

/// Receives callbacks. Clones are the same receiver.
#[derive(Clone)]
#[doc(alias("callback_url", "retrollamada"))]
pub struct Receiver {
    setup: Arc<Setup>,
}

impl Receiver {
    /// Starts setting one up.
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder::new()
    }

    pub(super) fn new(setup: Setup) -> Self {
        Self { setup: Arc::new(setup) }
    }

    /// Receives one request: its head, and its body as a stream of chunks. Never panics, whatever is in it.
    ///
    /// Dropping the future before it is done leaves no file behind and the callback counts as not seen.
    ///
    /// Idempotency: no call to the service; a callback that comes again is handled once more only if its handling failed (contract 4.6).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # struct Log;
    /// # impl legale::webhook::Handler for Log {
    /// #     fn handle(&self, _: legale::webhook::Delivery) -> legale::BoxFuture<'_, Result<(), legale::Error>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # let handler = std::sync::Arc::new(Log);
    /// use std::sync::Arc;
    ///
    /// use legale::webhook::{MemorySecrets, Receiver, Route, SecretPlace};
    ///
    /// let receiver = Receiver::builder()
    ///     .url_secrets(Arc::new(MemorySecrets::new()), SecretPlace::Path)
    ///     .refetch(Arc::new(kit.client))
    ///     .handler(handler) // your `Handler`
    ///     .build()?;
    /// let request = http::Request::post("/legale/document/no-such-token").body(())?;
    /// # struct Nothing;
    /// # impl futures_core::Stream for Nothing {
    /// #     type Item = Result<bytes::Bytes, std::io::Error>;
    /// #     fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> { std::task::Poll::Ready(None) }
    /// # }
    /// # let body = Nothing;
    /// let (parts, ()) = request.into_parts(); // as your HTTP server gives them, with the body as a stream of chunks
    /// let reply = receiver.receive(Route::Document, &parts, body).await;
    /// assert_eq!(reply.status(), 401); // nobody gave this token out, so nothing was read
    /// # Ok(()) });
    /// ```
    pub async fn receive<S, E>(&self, route: Route, parts: &Parts, body: S) -> Reply
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Send,
    {
        let mut reference = None;
        let disposition = self.accept(route, parts, body, &mut reference).await.unwrap_or_else(|refusal| {
            if let Some(observer) = &self.setup.observer {
                observer.refused(&Refused::new(route.name(), reference.as_deref(), &refusal));
            }
            Disposition::Refused(refusal)
        });
        Reply(disposition)
    }

    /// The same for a body that is in memory anyway.
    ///
    /// Idempotency: no call to the service; a callback that comes again is handled once more only if its handling failed (contract 4.6).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # struct Log;
    /// # impl legale::webhook::Handler for Log {
    /// #     fn handle(&self, _: legale::webhook::Delivery) -> legale::BoxFuture<'_, Result<(), legale::Error>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # let handler = std::sync::Arc::new(Log);
    /// use std::sync::Arc;
    ///
    /// use legale::webhook::{MemorySecrets, Receiver, Route, SecretPlace};
    ///
    /// let receiver = Receiver::builder()
    ///     .url_secrets(Arc::new(MemorySecrets::new()), SecretPlace::Path)
    ///     .refetch(Arc::new(kit.client))
    ///     .handler(handler) // your `Handler`
    ///     .build()?;
    /// let (parts, ()) = http::Request::post("/legale/document/no-such-token").body(())?.into_parts();
    /// let reply = receiver.receive_bytes(Route::Document, &parts, bytes::Bytes::from("{}")).await;
    /// assert_eq!(reply.status(), 401); // nobody gave this token out
    /// # Ok(()) });
    /// ```
    pub async fn receive_bytes(&self, route: Route, parts: &Parts, body: Bytes) -> Reply {
        self.receive(route, parts, Whole::new(body)).await
    }

    async fn accept<S, E>(
        &self,
        route: Route,
        parts: &Parts,
        body: S,
        reference: &mut Option<String>,
    ) -> Stopped<Disposition>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
    {
        let mut proof = self.judge_url(parts).await?;
        reference.clone_from(&proof.reference);
        self.judge_head(parts, &mut proof)?;
        let read = self.read(parts, body, proof.relay.take()).await?;
        let mut fields = read.fields;
        self.judge_key(&mut fields, &mut proof)?;
        let callback = Callback::read(route, fields)?;
        bound(&proof, &callback)?;
        check_file(&callback, &read.files)?;
        let arrived = Arrived { proof, callback, files: read.files, sha256: read.sha256 };
        self.deliver_once(arrived).await
    }

    async fn judge_url(&self, parts: &Parts) -> Stopped<Proof> {
        let Some((secrets, place)) = &self.setup.url_secrets else { return Ok(Proof::default()) };
        let (reference, given) = place.find(parts).ok_or(Refusal::Unauthorized("the URL has no secret"))?;
        let url = secrets.expected(&reference).await.map_err(Refusal::Failed)?;
        // An unknown reference is compared, too, and takes as long.
        let expected = url.as_ref().map_or("", |expected| expected.secret.reveal());
        if !same_text(expected, given.reveal()) || url.is_none() {
            return Err(Refusal::Unauthorized("the secret of the URL is wrong, or the URL is unknown"));
        }
        Ok(Proof { is_secret: true, reference: Some(reference), url, ..Proof::default() })
    }

    /// What else can be judged without the body.
    fn judge_head(&self, parts: &Parts, proof: &mut Proof) -> Stopped<()> {
        if let Some(is_right) = self.setup.key.as_ref().and_then(|key| key.in_header(parts)) {
            proof.accept_key(is_right, "the callback key is missing in the header, or wrong")?;
        }
        if let Some(relay) = &self.setup.relay {
            let why = "the relay's time stamp or signature is missing, unreadable or too old";
            let check = relay.begin(parts, self.setup.clock.wall()).ok_or(Refusal::Unauthorized(why))?;
            proof.relay = Some(check);
            proof.is_relayed = true;
        }
        Ok(())
    }

    fn judge_key(&self, fields: &mut Map<String, Value>, proof: &mut Proof) -> Stopped<()> {
        match self.setup.key.as_ref().and_then(|key| key.in_body(fields)) {
            Some(is_right) => proof.accept_key(is_right, "the callback key is missing in the body, or wrong"),
            None => Ok(()),
        }
    }

    /// Reads the body to its end, sending files to the sink and checking the relay's signature before anything is parsed.
    async fn read<S, E>(&self, parts: &Parts, body: S, relay: Option<RelayCheck>) -> Stopped<Read>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
    {
        let mut chunks = Chunks::new(&parts.headers, body, self.setup.limits, self.setup.clock.as_ref())?;
        let mut intake = Intake::new(&self.setup, relay);
        while let Some(chunk) = chunks.next().await? {
            intake.take(&chunk).await?;
        }
        intake.finish()
    }

    /// Handles what was not handled before. While one delivery is being handled here, an equal one waits for its end; while
    /// another receiver handles it, the sender is told to come again.
    async fn deliver_once(&self, arrived: Arrived) -> Stopped<Disposition> {
        let handling = match self.setup.guard.enter(&arrived.key()).await.map_err(Refusal::Failed)? {
            Entered::New(handling) => handling,
            Entered::Handled => return Ok(Disposition::Duplicate),
            _ => return Err(Refusal::InProgress),
        };
        match handling.during(self.deliver(arrived)).await {
            Ok(Disposition::Handled) => {
                self.mark(handling).await;
                Ok(Disposition::Handled)
            }
            Ok(other) => {
                handling.release().await.map_err(Refusal::Failed)?;
                Ok(other)
            }
            Err(refusal) => {
                // Why it was not handled says more than that the claim has to run out.
                let _ = handling.release().await;
                Err(refusal)
            }
        }
    }

    /// It was handled, whatever the store says: an answer of 500 would only make it come again.
    async fn mark(&self, handling: Handling) {
        let key = handling.key().to_owned();
        if let (Err(error), Some(observer)) = (handling.done().await, &self.setup.observer) {
            observer.unrecorded(&key, &error);
        }
    }

    async fn deliver(&self, arrived: Arrived) -> Stopped<Disposition> {
        let document = arrived.callback.document.clone();
        let Some(judged) = self.confirm(&arrived).await? else {
            if let Some(document) = &document {
                self.setup.handler.poll_again(document.clone()).await;
            }
            return Ok(Disposition::Unconfirmed(document));
        };
        let (delivery, kept) = self.assemble(arrived, judged).await?;
        match self.setup.handler.handle(delivery).await {
            Ok(()) => {
                kept.for_good();
                Ok(Disposition::Handled)
            }
            Err(error) => {
                kept.remove().await;
                Err(Refusal::Failed(error))
            }
        }
    }

    /// Strategy c. Nothing if the service does not say the same.
    async fn confirm(&self, arrived: &Arrived) -> Stopped<Option<Judged>> {
        let Some(refetch) = &self.setup.refetch else { return Ok(Some(Judged::confirmed(None))) };
        let is_authentic = arrived.proof.is_authentic();
        let Some(document) = &arrived.callback.document else {
            return Ok(is_authentic.then_some(Judged::unconfirmed()));
        };
        let seen = refetch.look(document).await.map_err(Refusal::Failed)?;
        Ok(match seen {
            Seen::Found(detail) if agrees(&arrived.callback, &detail, is_authentic) => {
                Some(Judged::confirmed(Some(detail)))
            }
            Seen::NotFound if arrived.may_be_gone() => Some(Judged::unconfirmed()),
            Seen::Found(_) | Seen::NotFound | Seen::Denied { .. } => None,
        })
    }

    async fn assemble(&self, arrived: Arrived, judged: Judged) -> Stopped<(Delivery, Kept)> {
        let is_authentic = arrived.proof.is_authentic();
        let mut callback = arrived.callback;
        let is_late = callback.kind.is_launch()
            && judged.detail.as_ref().is_some_and(|detail| detail.sign_status.is_final());
        let mut kept = Kept { setup: Arc::clone(&self.setup), files: Vec::new() };
        // The GUID alone was proven: a file in the body may be anybody's.
        for file in arrived.files.into_iter().filter(|file| is_authentic && !file.is_empty()) {
            let name = name_of(&callback, file.slot);
            kept.files.extend(file.keep(callback.document.as_ref(), name).await.map_err(Refusal::Failed)?);
        }
        if !is_authentic {
            callback = callback.only_document();
        }
        if let Some(detail) = judged.detail.as_ref() {
            trust(&mut callback, detail);
        }
        let (file, attachments) = kept.split();
        let delivery = Delivery {
            callback,
            is_confirmed: judged.is_confirmed,
            is_late,
            detail: judged.detail,
            reference: arrived.proof.reference,
            body_sha256: digest::hex(&arrived.sha256),
            file,
            attachments,
        };
        Ok((delivery, kept))
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// What the head of a request has proven.
#[derive(Default)]
struct Proof {
    is_secret: bool,
    is_key: bool,
    is_relayed: bool,
    reference: Option<String>,
    url: Option<Expected>,
    relay: Option<RelayCheck>,
}

impl Proof {
    fn accept_key(&mut self, is_right: bool, otherwise: &'static str) -> Stopped<()> {
        self.is_key = is_right;
        if is_right { Ok(()) } else { Err(Refusal::Unauthorized(otherwise)) }
    }

    /// The body comes from whom we gave a secret to. Every configured strategy was right by now, or there would be no proof.
    const fn is_authentic(&self) -> bool {
        self.is_secret || self.is_key || self.is_relayed
    }
}

/// A callback URL that was made for one document says nothing about another.
fn bound(proof: &Proof, callback: &Callback) -> Stopped<()> {
    let made_for = proof.url.as_ref().and_then(|expected| expected.document.as_ref());
    match (made_for, &callback.document) {
        (Some(right), Some(given)) if right != given => {
            Err(Refusal::Unauthorized("the URL was made for another document"))
        }
        _ => Ok(()),
    }
}

/// With `sign_status` 1 a document that came along is a PDF.
fn check_file(callback: &Callback, files: &[Incoming]) -> Stopped<()> {
    let is_bad = |file: &Incoming| file.slot == Slot::Document && !file.is_empty() && !file.is_pdf();
    if callback.sign_status == Some(SignStatus::Signed) && files.iter().any(is_bad) {
        return Err(Refusal::Malformed("the signed document is no PDF"));
    }
    Ok(())
}

/// Whether the service says what the callback says. That a flow has begun is only believed on the GUID alone if there are signers.
fn agrees(callback: &Callback, detail: &Detail, is_authentic: bool) -> bool {
    match callback.sign_status {
        Some(claimed) => claimed == detail.sign_status,
        None if callback.kind.is_launch() => is_authentic || detail.has_signers,
        None => is_authentic,
    }
}

/// The service's word replaces the body's.
fn trust(callback: &mut Callback, detail: &Detail) {
    if callback.sign_status.is_some() {
        callback.sign_status = Some(detail.sign_status);
        callback.comment.clone_from(&detail.comment);
    }
}

fn name_of(callback: &Callback, slot: Slot) -> Option<String> {
    match slot {
        Slot::Document => callback.file_name.clone(),
        Slot::Attachment(index) => callback.attachments.get(index).cloned().flatten(),
    }
}

struct Judged {
    is_confirmed: bool,
    detail: Option<Detail>,
}

impl Judged {
    const fn confirmed(detail: Option<Detail>) -> Self {
        Self { is_confirmed: true, detail }
    }

    const fn unconfirmed() -> Self {
        Self { is_confirmed: false, detail: None }
    }
}

/// A callback whose body was read and whose secrets were right.
struct Arrived {
    proof: Proof,
    callback: Callback,
    files: Vec<Incoming>,
    sha256: [u8; 32],
}

impl Arrived {
    fn key(&self) -> String {
        let status = self.callback.sign_status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let document = self.callback.document.as_ref().map_or("", DocumentId::as_str);
        format!("{}:{status}:{document}", digest::hex(&self.sha256))
    }

    /// The service deletes the document after the callback, and secret or key was right.
    fn may_be_gone(&self) -> bool {
        let is_deleted = self.proof.url.as_ref().is_some_and(|expected| expected.deleted_after_callback);
        is_deleted && self.callback.kind.is_sign() && (self.proof.is_secret || self.proof.is_key)
    }
}

struct Read {
    fields: Map<String, Value>,
    files: Vec<Incoming>,
    sha256: [u8; 32],
}

/// Takes a body in.
struct Intake<'s> {
    setup: &'s Setup,
    sieve: Sieve,
    hash: Context,
    relay: Option<RelayCheck>,
    files: Vec<Incoming>,
}

impl<'s> Intake<'s> {
    fn new(setup: &'s Setup, relay: Option<RelayCheck>) -> Self {
        let sieve = Sieve::new(setup.rest_limit);
        Self { setup, sieve, hash: Context::new(&SHA256), relay, files: Vec::new() }
    }

    async fn take(&mut self, chunk: &Bytes) -> Stopped<()> {
        for slice in chunk.chunks(SLICE) {
            self.hash.update(slice);
            if let Some(relay) = &mut self.relay {
                relay.update(slice);
            }
            let mut pieces = Vec::new();
            self.sieve.feed(slice, &mut pieces)?;
            self.place(pieces).await?;
        }
        Ok(())
    }

    async fn place(&mut self, pieces: Vec<Piece>) -> Stopped<()> {
        for piece in pieces {
            match piece {
                Piece::Open(slot) => {
                    let file = self.open(slot).await?;
                    self.files.push(file);
                }
                Piece::Bytes(bytes) => {
                    if let Some(file) = self.files.last_mut() {
                        file.write(bytes).await.map_err(Refusal::Failed)?;
                    }
                }
                Piece::Close => {}
            }
        }
        Ok(())
    }

    async fn open(&self, slot: Slot) -> Stopped<Incoming> {
        if self.files.len() >= self.setup.file_limit {
            return Err(Refusal::Malformed("too many files"));
        }
        let writer = match &self.setup.sink {
            Some(sink) => Some(sink.begin(slot).await.map_err(Refusal::Failed)?),
            None => None,
        };
        Ok(Incoming::new(slot, writer))
    }

    fn finish(self) -> Stopped<Read> {
        if self.relay.is_some_and(|relay| !relay.verify()) {
            return Err(Refusal::Unauthorized("the relay's signature is wrong"));
        }
        let rest = self.sieve.finish()?;
        match serde_json::from_slice(&rest) {
            Ok(Value::Object(fields)) => {
                Ok(Read { fields, files: self.files, sha256: digest::array(&self.hash.finish()) })
            }
            Ok(_) => Err(Refusal::Malformed("the body is no JSON object")),
            Err(_) => Err(Refusal::Malformed("the body is no JSON")),
        }
    }
}

/// Files that were kept for a callback. Dropped before it was handled, they are removed.
struct Kept {
    setup: Arc<Setup>,
    files: Vec<ReceivedFile>,
}

impl Kept {
    fn split(&self) -> (Option<ReceivedFile>, Vec<ReceivedFile>) {
        let (mut documents, attachments): (Vec<_>, Vec<_>) =
            self.files.iter().cloned().partition(|file| file.slot == Slot::Document);
        (documents.pop(), attachments)
    }

    fn for_good(mut self) {
        self.files.clear();
    }

    async fn remove(mut self) {
        let files = std::mem::take(&mut self.files);
        remove(&self.setup, &files).await;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let files = std::mem::take(&mut self.files);
        if files.is_empty() {
            return;
        }
        let setup = Arc::clone(&self.setup);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { remove(&setup, &files).await });
        }
    }
}

async fn remove(setup: &Setup, files: &[ReceivedFile]) {
    for (sink, file) in files.iter().filter_map(|file| setup.sink.as_ref().map(|sink| (sink, file))) {
        sink.remove(file).await;
    }
}
