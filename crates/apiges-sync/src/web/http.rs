//! The default transport: our HTTP mapping of the web synchronisation (contract 2.2, 3.7, 3.8; all of it assumed).
//!
//! The rules enforced here: https except to this machine; the credential goes into a header and never into an address; every write but
//! W51 has its `Idempotency-Key`; what may pass is repeated under the same key.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method, header};
use integration_core::call::{
    BaseUrl, Bearer, Call, Caller, CallerBuilder, Env, Idempotency, Operation, RetryPolicy, Timeouts,
};
use integration_core::{Error, Fault, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::refusal::{judge, judge_envelope, judge_option, judge_status};
use super::transport::{Blob, DocumentPlace, Expected, Part, Pending, Viewer, WebSyncTransport};
use super::{
    Batch, BatchAccepted, CaseBatch, CaseBatchAnswer, CasePush, Commit, CommitTotals, ContactRef,
    DocumentLink, EventPage, Grant, GrantDigest, GrantPage, GrantVersion, Health, IdempotencyKey, LinkAnswer,
    LinkedDocuments, Load, LoadId, Message, MessageId, MessagePage, MessageStored, OpenLoad, OpenSingleLoad,
    PushAnswer, Reason, Receipt, ReceiptStored, Receipts, Rename, Sha256, StoredCase, UnionPreview,
    UnionRequest, UnlinkAnswer, ViewerFiles, WithdrawalBatch, WithdrawalBatchAnswer, WithdrawalPage,
    Withdrawn,
};
use crate::evidence::Chain;
use crate::grant::PairTag;

/// The version of the mapping.
const PROTOCOL: &str = "1";
const PROTOCOL_HEADER: HeaderName = HeaderName::from_static("x-websync-protocol");
const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const TIMEOUTS: Timeouts = Timeouts::new(Duration::from_secs(10), Duration::from_secs(60));
/// How long a document may take on its way up (assumed).
const UPLOAD: Duration = Duration::from_secs(600);
const BODY_LIMIT: usize = 16 << 20;

macro_rules! operations {
    ($($name:ident = $method:ident $idempotency:ident $path:literal $say:literal,)+) => {
        $(const $name: Operation =
            Operation::new($say, Method::$method, concat!("/websync/v1/{tenant}", $path), Idempotency::$idempotency);)+

        /// Whether each of them may be repeated after it may have been applied.
        pub(crate) const IDEMPOTENCY: &[(&str, Idempotency)] = &[$(($say, Idempotency::$idempotency)),+];
    };
}

operations! {
    HEALTH = GET Safe "/health" "ask the portal for its health",
    GRANTS = GET Safe "/grants" "list grants",
    GRANT = GET Safe "/grants/{kind}/{code}" "read a grant",
    PUT_GRANT = PUT Keyed "/grants/{kind}/{code}" "change a grant",
    SUSPEND = POST Keyed "/grants/{kind}/{code}/suspend" "suspend a grant",
    RESUME = POST Keyed "/grants/{kind}/{code}/resume" "resume a grant",
    REVOKE = DELETE Keyed "/grants/{kind}/{code}" "revoke a grant",
    RENAME = POST Keyed "/grants/{kind}/{code}/rename" "rename a contact's grant",
    PREVIEW_UNION = POST Keyed "/unions/preview" "preview a union",
    DIGEST = GET Safe "/grants/{kind}/{code}/digest" "ask for a grant's digest",
    OPEN_LOAD = POST Keyed "/loads" "open a load",
    OPEN_SINGLE_LOAD = POST Keyed "/contacts/{kind}/{code}/loads" "open a load of one contact",
    PUT_BATCH = PUT Keyed "/loads/{load}/contacts/{kind}/{code}/batches/{n}" "send a batch of a load",
    COMMIT = POST Keyed "/loads/{load}/contacts/{kind}/{code}/commit" "commit a contact's load",
    LOAD = GET Safe "/loads/{load}" "read a load",
    CLOSE_LOAD = POST Keyed "/loads/{load}/close" "close a load",
    ABORT_LOAD = POST Keyed "/loads/{load}/abort" "abort a load",
    PUSH = PUT Keyed "/cases/{case}" "push a case file",
    PUSH_BATCH = POST Keyed "/cases/batch" "push case files",
    CASE = GET Safe "/cases/{case}" "read how a case file stands",
    VIEW = GET Safe "/view" "read what a viewer sees",
    WITHDRAW = POST Keyed "/withdrawals" "withdraw case files",
    WITHDRAWALS = GET Safe "/withdrawals" "list withdrawals",
    HAS_BLOB = HEAD Safe "/blobs/{sha256}" "ask whether a blob is stored",
    PUT_BLOB = PUT Keyed "/blobs/{sha256}" "store a blob",
    LINK = PUT Keyed "/cases/{case}/annotations/{annotation}/documents/{document}" "link a document",
    LINKS = GET Safe "/cases/{case}/annotations/{annotation}/documents" "list documents",
    UNLINK = DELETE Keyed "/cases/{case}/annotations/{annotation}/documents/{document}" "withdraw a document",
    POST_MESSAGE = POST Keyed "/cases/{case}/messages" "post a message",
    MESSAGES = GET Safe "/cases/{case}/messages" "list messages",
    POST_RECEIPT = POST Keyed "/messages/{message}/receipts" "post a receipt",
    RECEIPTS = GET Safe "/messages/{message}/receipts" "list receipts",
    EVENTS = GET Safe "/events" "follow events",
    EVIDENCE = GET Safe "/cases/{case}/evidence" "export evidence",
}

/// The portal over our HTTP mapping; cheap to clone.
///
/// ```
/// use apiges_sync::web::HttpTransport;
///
/// let portal = HttpTransport::builder()
///     .base_url("https://portal.example")?
///     .tenant("demo")
///     .credential("the credential of the synchronisation")
///     .build()?;
/// # let _ = portal;
/// assert!(HttpTransport::builder().base_url("http://portal.example").is_err()); // plain http to this machine only
/// # Ok::<(), apiges_sync::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HttpTransport {
    caller: Caller,
    tenant: Arc<str>,
    upload: Duration,
}

/// Sets an [`HttpTransport`] up.
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpTransportBuilder {
    base: Option<BaseUrl>,
    tenant: String,
    credential: Option<Secret>,
    upload: Duration,
    caller: CallerBuilder,
}

impl HttpTransportBuilder {
    integration_core::caller_setters!(caller);

    /// Where the portal is (`sync_base_url`): https, or plain http to this machine. Needed.
    ///
    /// # Errors
    /// As [`BaseUrl::parse`].
    pub fn base_url(self, url: &str) -> Result<Self, Error> {
        Ok(Self { base: Some(BaseUrl::parse(url)?), ..self })
    }

    /// The firm, as the portal knows it; part of every key. Needed.
    pub fn tenant(self, tenant: impl Into<String>) -> Self {
        Self { tenant: tenant.into(), ..self }
    }

    /// The credential of the synchronisation, one per tenant. Needed.
    pub fn credential(self, credential: impl Into<Secret>) -> Self {
        Self { credential: Some(credential.into()), ..self }
    }

    /// How long a document or graphic may take on its way up; 10 minutes unless set (assumed).
    pub fn upload_timeout(self, limit: Duration) -> Self {
        Self { upload: limit, ..self }
    }

    /// Builds the transport; nothing is sent.
    ///
    /// # Errors
    /// A validation error with everything that is missing or cannot be used.
    pub fn build(self) -> Result<HttpTransport, Error> {
        let mut faults = Vec::new();
        let mut need = |there: bool, path: &'static str, what: &'static str| {
            if !there {
                faults.push(
                    Fault::error("CONFIG", path).with_expected(what).with_hint("set it on the builder"),
                );
            }
        };
        need(self.base.is_some(), "base_url", "the address of the portal, which has no default");
        need(is_segment(&self.tenant), "tenant", "the name of the tenant");
        need(self.credential.as_ref().is_some_and(|secret| !secret.is_empty()), "credential", "a credential");
        let (Some(base), Some(credential), true) = (self.base, self.credential, faults.is_empty()) else {
            return Err(
                Error::validation("configure", faults).with_hint("nothing was sent; set what is named")
            );
        };
        let caller = self.caller.base(base).credentials(Arc::new(Bearer::new(credential))).build()?;
        Ok(HttpTransport { caller, tenant: self.tenant.into(), upload: self.upload })
    }
}

fn is_segment(text: &str) -> bool {
    !text.trim().is_empty() && !matches!(text, "." | "..") && !text.chars().any(char::is_control)
}

impl HttpTransport {
    /// Starts setting one up.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder {
            base: None,
            tenant: String::new(),
            credential: None,
            upload: UPLOAD,
            caller: CallerBuilder::default()
                .timeouts(TIMEOUTS)
                .retry(RetryPolicy::new())
                .body_limit(BODY_LIMIT)
                .user_agent(concat!("apiges-sync/", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// From the environment: `APIGES_WEB_BASE_URL`, `APIGES_WEB_TENANT`, `APIGES_WEB_TOKEN`, and optionally `APIGES_WEB_TIMEOUT` and
    /// `APIGES_WEB_CONNECT_TIMEOUT` (seconds).
    ///
    /// # Errors
    /// A validation error naming every variable that is missing or cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder_from_lookup(|name| std::env::var(name).ok())?.build()
    }

    /// As [`from_env`](Self::from_env), with the variables taken from `lookup`, and to be set up further.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn builder_from_lookup(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<HttpTransportBuilder, Error> {
        let mut env = Env::from_lookup(lookup);
        let settings = env.settings("APIGES_WEB");
        if settings.base_url.is_none() {
            env.required("APIGES_WEB_BASE_URL", "the address of the portal");
        }
        let tenant = env.required("APIGES_WEB_TENANT", "the name of the tenant");
        let credential = env.required_secret("APIGES_WEB_TOKEN", "the credential of the synchronisation");
        env.finish()?;
        let builder = Self::builder().tenant(tenant).credential(credential);
        Ok(HttpTransportBuilder {
            base: settings.base_url.clone(),
            caller: builder.caller.clone().settings(&settings),
            ..builder
        })
    }

    fn call(&self, operation: Operation) -> Call {
        let call = Call::new(operation).param("tenant", &self.tenant).header(PROTOCOL_HEADER, PROTOCOL);
        // Requests and answers hold clients' data, and errors hold none (R5).
        call.with_private_answer()
    }

    fn read<T: DeserializeOwned + Send + 'static>(&self, call: Call) -> Pending<'_, T> {
        Box::pin(async move { Ok(self.caller.call(&call, |answer| judge(&call, answer)).await?.value) })
    }

    fn find<T: DeserializeOwned + Send + 'static>(&self, call: Call) -> Pending<'_, Option<T>> {
        Box::pin(
            async move { Ok(self.caller.call(&call, |answer| judge_option(&call, answer)).await?.value) },
        )
    }

    fn write<T: DeserializeOwned + Send + 'static>(
        &self,
        call: Call,
        body: &impl Serialize,
        key: &IdempotencyKey,
    ) -> Pending<'_, T> {
        match serde_json::to_vec(body) {
            Ok(body) => self.read(call.json(body).header(KEY_HEADER, key.as_str())),
            Err(cause) => {
                let error =
                    Error::configuration("the request cannot be written as JSON", "report this as a defect");
                Box::pin(std::future::ready(Err(error.with_operation(call.name()).with_source(cause))))
            }
        }
    }
}

/// Adds what the path says about a contact.
fn at(call: Call, contact: &ContactRef) -> Call {
    call.param("kind", contact.kind()).param("code", contact.code())
}

fn of(call: Call, place: &DocumentPlace) -> Call {
    call.param("case", place.case).param("annotation", &place.annotation).param("document", &place.document)
}

fn part(call: Call, part: Part) -> Call {
    let call = part.after.into_iter().fold(call, |call, after| call.query("after", after));
    part.limit.into_iter().fold(call, |call, limit| call.query("limit", limit))
}

/// A tag opens the view of a union, so no error shows it.
fn hiding(call: Call, tag: Option<&PairTag>) -> Call {
    tag.into_iter().fold(call, |call, tag| call.with_secret(Secret::new(tag.to_hex())))
}

#[derive(Serialize)]
struct Nothing {}

impl WebSyncTransport for HttpTransport {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn health(&self) -> Pending<'_, Health> {
        self.read(self.call(HEALTH))
    }

    fn grants(&self, asked: Part) -> Pending<'_, GrantPage> {
        self.read(part(self.call(GRANTS), asked))
    }

    fn grant<'a>(&'a self, contact: &'a ContactRef) -> Pending<'a, Option<Grant>> {
        self.find(at(self.call(GRANT), contact))
    }

    fn put_grant<'a>(
        &'a self,
        grant: &'a Grant,
        expected: Expected,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        let call = at(self.call(PUT_GRANT), &grant.contact);
        let call = match expected {
            Expected::Absent => call.header(header::IF_NONE_MATCH, "*"),
            Expected::Version(version) => call.header(header::IF_MATCH, format!("\"{version}\"")),
        };
        let call = hiding(call, grant.admin.as_ref().map(|pair| &pair.pair_tag));
        self.write(call, grant, key)
    }

    fn suspend<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        self.write(at(self.call(SUSPEND), contact), &GrantVersion { version }, key)
    }

    fn resume<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        self.write(at(self.call(RESUME), contact), &GrantVersion { version }, key)
    }

    fn revoke<'a>(
        &'a self,
        contact: &'a ContactRef,
        version: u64,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Withdrawn> {
        let call = at(self.call(REVOKE), contact).query("version", version);
        self.read(call.header(KEY_HEADER, key.as_str()))
    }

    fn rename<'a>(
        &'a self,
        contact: &'a ContactRef,
        rename: &'a Rename,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Grant> {
        self.write(at(self.call(RENAME), contact), rename, key)
    }

    fn preview_union<'a>(
        &'a self,
        request: &'a UnionRequest,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, UnionPreview> {
        self.write(hiding(self.call(PREVIEW_UNION), Some(&request.pair_tag)), request, key)
    }

    fn digest<'a>(&'a self, contact: &'a ContactRef) -> Pending<'a, GrantDigest> {
        self.read(at(self.call(DIGEST), contact))
    }

    fn open_load<'a>(&'a self, load: &'a OpenLoad, key: &'a IdempotencyKey) -> Pending<'a, Load> {
        self.write(self.call(OPEN_LOAD), load, key)
    }

    fn open_single_load<'a>(
        &'a self,
        contact: &'a ContactRef,
        load: &'a OpenSingleLoad,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, Load> {
        self.write(at(self.call(OPEN_SINGLE_LOAD), contact), load, key)
    }

    fn put_batch<'a>(
        &'a self,
        load: &'a LoadId,
        contact: &'a ContactRef,
        n: u64,
        batch: &'a Batch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, BatchAccepted> {
        self.write(at(self.call(PUT_BATCH).param("load", load).param("n", n), contact), batch, key)
    }

    fn commit<'a>(
        &'a self,
        load: &'a LoadId,
        contact: &'a ContactRef,
        commit: &'a Commit,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, CommitTotals> {
        self.write(at(self.call(COMMIT).param("load", load), contact), commit, key)
    }

    fn load<'a>(&'a self, load: &'a LoadId) -> Pending<'a, Option<Load>> {
        self.find(self.call(LOAD).param("load", load))
    }

    fn close_load<'a>(&'a self, load: &'a LoadId, key: &'a IdempotencyKey) -> Pending<'a, CommitTotals> {
        self.write(self.call(CLOSE_LOAD).param("load", load), &Nothing {}, key)
    }

    fn abort_load<'a>(&'a self, load: &'a LoadId, key: &'a IdempotencyKey) -> Pending<'a, CommitTotals> {
        self.write(self.call(ABORT_LOAD).param("load", load), &Nothing {}, key)
    }

    fn push<'a>(&'a self, push: &'a CasePush, key: &'a IdempotencyKey) -> Pending<'a, PushAnswer> {
        self.write(self.call(PUSH).param("case", push.case_id), push, key)
    }

    fn push_batch<'a>(
        &'a self,
        batch: &'a CaseBatch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, CaseBatchAnswer> {
        self.write(self.call(PUSH_BATCH), batch, key)
    }

    fn case(&self, case: u64) -> Pending<'_, Option<StoredCase>> {
        self.find(self.call(CASE).param("case", case))
    }

    fn view<'a>(&'a self, viewer: &'a Viewer) -> Pending<'a, ViewerFiles> {
        let call = self.call(VIEW);
        self.read(match viewer {
            Viewer::Contact(contact) => call.query("grant", contact),
            Viewer::Union(tag) => hiding(call.query("pairTag", tag.to_hex()), Some(tag)),
        })
    }

    fn withdraw<'a>(
        &'a self,
        batch: &'a WithdrawalBatch,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, WithdrawalBatchAnswer> {
        self.write(self.call(WITHDRAW), batch, key)
    }

    fn withdrawals(&self, asked: Part) -> Pending<'_, WithdrawalPage> {
        self.read(part(self.call(WITHDRAWALS), asked))
    }

    fn has_blob(&self, sha256: Sha256) -> Pending<'_, bool> {
        let call = self.call(HAS_BLOB).param("sha256", sha256);
        Box::pin(async move {
            match self.caller.call(&call, |answer| judge_status(&call, answer)).await {
                Ok(_) => Ok(true),
                // An answer without a body: nothing tells this 404 from that of a wrong address, and to store again does no harm.
                Err(error) if error.is_not_found() => Ok(false),
                Err(error) => Err(error),
            }
        })
    }

    fn put_blob<'a>(&'a self, blob: &'a Blob) -> Pending<'a, ()> {
        let limit = self.caller.timeouts().total().max(self.upload);
        let call = self.call(PUT_BLOB).param("sha256", blob.sha256).total_timeout(limit);
        let call = call.body(&blob.media_type, blob.body.clone());
        Box::pin(
            async move { self.caller.call(&call, |answer| judge_envelope(&call, answer)).await.map(drop) },
        )
    }

    fn link<'a>(
        &'a self,
        place: &'a DocumentPlace,
        link: &'a DocumentLink,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, LinkAnswer> {
        self.write(of(self.call(LINK), place), link, key)
    }

    fn links<'a>(&'a self, case: u64, annotation: &'a str) -> Pending<'a, LinkedDocuments> {
        self.read(self.call(LINKS).param("case", case).param("annotation", annotation))
    }

    fn unlink<'a>(
        &'a self,
        place: &'a DocumentPlace,
        version: u64,
        reason: &'a Reason,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, UnlinkAnswer> {
        let call = of(self.call(UNLINK), place).query("version", version).query("reason", reason);
        self.read(call.header(KEY_HEADER, key.as_str()))
    }

    fn post_message<'a>(
        &'a self,
        case: u64,
        message: &'a Message,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, MessageStored> {
        self.write(self.call(POST_MESSAGE).param("case", case), message, key)
    }

    fn messages(&self, case: u64, asked: Part) -> Pending<'_, MessagePage> {
        self.read(part(self.call(MESSAGES).param("case", case), asked))
    }

    fn post_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
        key: &'a IdempotencyKey,
    ) -> Pending<'a, ReceiptStored> {
        self.write(self.call(POST_RECEIPT).param("message", &receipt.message_id), receipt, key)
    }

    fn receipts<'a>(&'a self, message: &'a MessageId) -> Pending<'a, Receipts> {
        self.read(self.call(RECEIPTS).param("message", message))
    }

    fn events(&self, asked: Part) -> Pending<'_, EventPage> {
        self.read(part(self.call(EVENTS), asked))
    }

    fn evidence(&self, case: u64) -> Pending<'_, Chain> {
        self.read(self.call(EVIDENCE).param("case", case))
    }
}
