//! Typed client for the Legale e-signature service: send documents to be signed, follow, remind, fetch the signed file.
//!
//! ```
//! use integration_sandbox::Sandbox;
//! use legale::flow::{Flow, SignMethod, Signer};
//! use legale::{Client, Credential, Environment, Sending, Source, Upload};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The embedded sandbox stands in for the service: no account, no network. In earnest `Client::from_env()?` takes
//! // LEGALE_BASE_URL, and LEGALE_API_KEY or LEGALE_EMAIL and LEGALE_PASSWORD.
//! let sandbox = Sandbox::start().await?;
//! let environment = Environment::root(sandbox.legale().base_url())?;
//! let credential = Credential::api_key(sandbox.legale().api_key());
//! let client = Client::builder().environment(environment).credential(credential).build()?;
//!
//! let ana = Signer::outsider(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas");
//! let file = Source::bytes("%PDF-1.7 ..."); // in earnest `Upload::path`
//! let upload = Upload::new("Contrato_ClienteX_2025.pdf", "Contrato de arriendo", file);
//! let sent = client.send(&Sending::new(upload, Flow::sequential().signer(ana).build()?)).await?;
//!
//! sandbox.legale().sign(sent.guid.as_str(), 1)?; // Ana signs
//! println!("{}", client.sign_status(&sent.guid).await?);
//! let mut signed = Vec::new();
//! client.download(&sent.guid).to_writer(&mut signed).await?;
//! assert!(signed.starts_with(b"%PDF"));
//! # Ok(())
//! # }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | set up a client | [`Client::builder`], [`Client::from_env`], [`Environment`], [`Credential`] |
//! | send a file and start its flow in one call | [`Client::send`], [`Client::send_all`] |
//! | create, list, read, delete documents | [`Client::create`], [`Client::documents`], [`Client::detail`], [`Client::delete`] |
//! | fetch the file | [`Client::download`] |
//! | find out about a lost answer | [`Client::find_created`], [`Client::find_started`] |
//! | start from a smart document | [`Client::start_batch`], [`Client::start_workflow`] |
//! | contacts, folders, migration | [`Client::ensure_contact`], [`Client::folders`], [`Client::migrate`] |
//! | understand a failure | [`Error::outcome`], [`ErrorExt`], [`Code`] |
//! | find what the service calls something else | [`wire_names`] |
//!
//! The layers on the client's side, each of them usable without the network:
//!
//! | to | start at |
//! |---|---|
//! | say who signs, how, in which order | [`flow::Flow`], [`flow::Signer`], [`flow::Groups`] |
//! | know where a document stands | [`status::Status`], [`status::Facts`] |
//! | receive callbacks | [`webhook::Receiver`] |
//! | follow documents, wait, keep evidence | [`tracking::Tracker`], [`tracking::wait_until_final`], [`tracking::EvidenceLog`] |
//! | remind who has not signed | [`reminder::plan`], [`reminder::Runner`] |
//! | let people do only what they may | [`permission::Gate`], [`permission::SharedGate`] |
//! | name files and folders, pack metadata | [`naming::FileName`], [`naming::Folder`], [`naming::Metadata`] |
//!
//! Calls go over `reqwest`, the default feature. With `default-features = false` and the feature `hyper` they go over hyper alone: fewer
//! crates, less of the processor for each call, the same promises (`docs/performance.md`); of proxies it knows `http://` ones.
//!
//! # What is assumed
//!
//! The vendor's pages leave much open. Where the contract marks a point *assumed* it is a setting: the margin and life of tokens
//! ([`ClientBuilder::renewal_margin`], [`ClientBuilder::token_life`]), the key of attachments ([`ClientBuilder::attachments_key`]), the
//! paths of status and signed file ([`ClientBuilder::sign_status_path`], [`ClientBuilder::sign_download_path`]), page size, size limit, time
//! limits, language, and the calls that exist by analogy ([`ClientBuilder::allow_contact_by_id`]). Assumed without a setting: a
//! `Retry-After` beyond 120 s counts as 120 s, a list has at most 10 000 pages, a `GET` follows three redirects within its host, the
//! shapes of envelopes and of the addresses that starting a flow brings.

mod auth;
mod client;
mod contact;
#[cfg(feature = "store")]
mod content;
mod digest;
mod document;
mod error;
mod folder;
mod gated;
mod id;
#[cfg(feature = "store")]
mod journal;
#[cfg(feature = "legacy")]
pub mod legacy;

mod look;
mod migrate;
mod offer;
mod page;
mod seen;
mod send;
mod sign;
mod template;
mod wire;

pub mod flow;
pub mod naming;
pub mod permission;
pub mod reminder;
pub mod status;
pub mod tracking;
pub mod webhook;

/// Where the names of the service and its manual are here: names on the wire, and the words of the trade in its language.
///
/// What is not in the list is called the same, in Rust's spelling. The search box above finds all of them, too.
///
#[doc = include_str!("../doc/wire-names.md")]
pub mod wire_names {}

pub use auth::Credential;
pub use client::{Client, ClientBuilder, Environment, Language, idempotency_table};
pub use contact::{Contact, ContactPatch, NewContact, Patch};
pub use document::{
    Attachment, Created, Detail, Document, DocumentOwner, Download, Fetched, FetchedFrom, Inline, SignEntry,
    Source, Upload,
};
pub use error::{Code, ErrorExt, Refusal};
pub use folder::Folder;
pub use gated::GatedClient;
pub use id::{ContactId, DocumentId, FolderId, TemplateId};
pub use integration_core::body::fields::When;
pub use integration_core::body::open::Unlisted;
pub use integration_core::body::page::{Page, Pages};
pub use integration_core::call::{
    BaseUrl, Body, BodyStream, CallObserver, Connections, Idempotency, Observation, RetryPolicy, SendMark,
    Transport, TransportError, TransportErrorKind, UnexpectedRedirect,
};
pub use integration_core::clock::{Clock, ManualClock, SystemClock};
pub use integration_core::tax::id::Rut;
pub use integration_core::{Answer, BoxFuture, Error, ErrorKind, Fault, Faults, Outcome, Secret, Severity};
pub use jiff;
pub use jiff::Timestamp;
#[cfg(feature = "store")]
pub use journal::Journal;
pub use migrate::{Migrated, MigratedSigner, Migration};
pub use offer::NotOffered;
pub use send::{Reference, SendError, Sending, Sent, Step};
pub use sign::{SignLink, Started};
pub use template::{
    BatchOutcome, BatchStarted, SmartDocument, SmartItem, TemplateItem, TemplateSigner, Workflow,
};

/// Every operation with its idempotency: what a table test and [`idempotency_table`] read.
pub(crate) const fn operations() -> [integration_core::call::Operation; 21] {
    [
        auth::LOG_IN,
        document::LIST,
        document::DETAIL,
        document::CREATE,
        document::DELETE,
        document::MEDIA,
        sign::START,
        sign::APPROVE,
        sign::STATUS,
        // Its path is a setting, as that of the status; `document/download.rs` makes it.
        integration_core::call::Operation::get("fetch a signed file", ""),
        folder::LIST,
        folder::DELETE,
        template::BATCH,
        template::LIST,
        template::WORKFLOW,
        migrate::MIGRATE,
        contact::LIST,
        contact::CREATE,
        contact::UPDATE,
        contact::READ,
        contact::DELETE,
    ]
}
