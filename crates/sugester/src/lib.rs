//! Typed clients for Sugester CRM and its sister BitFactura invoicing (and the brands that run the same code), and what keeps both in
//! step: a client is the same in both, each invoice is one deal with its link, nothing is made twice, nothing is deleted.
//!
//! ```
//! use integration_sandbox::Sandbox;
//! use sugester::BaseUrl;
//! use sugester::bitfactura::{self, Buyer, NewInvoice, PositionFields};
//! use sugester::crm::NewClient;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The embedded sandbox stands in for both services: no account, no network. In earnest `Client::from_env()?` takes
//! // SUGESTER_BASE_URL (before /app) and SUGESTER_API_TOKEN, or BITFACTURA_BASE_URL and BITFACTURA_API_TOKEN.
//! let sandbox = Sandbox::start().await?;
//! let service = sandbox.sugester();
//! let crm = sugester::Client::builder()
//!     .base_url(BaseUrl::parse(service.base_url())?)
//!     .account(service.account().parse()?)
//!     .token(service.token().parse()?)
//!     .build()?;
//! let service = sandbox.bitfactura();
//! let billing = bitfactura::Client::builder()
//!     .base_url(BaseUrl::parse(service.base_url())?)
//!     .account(service.account().parse()?)
//!     .token(service.token().parse()?)
//!     .build()?;
//!
//! // Number 17 of a program of one's own is one client, however often this runs and whatever becomes of the answer.
//! let acme = crm.create_client_keyed(&"shop".parse()?, 17, &NewClient::company("Acme SpA")).await?;
//! println!("client {}", acme.into_inner().id);
//!
//! let buyer = billing.create_client(&bitfactura::NewClient::company("Acme SpA")).await?;
//! let position = PositionFields {
//!     name: "Consultoría".into(),
//!     quantity: rust_decimal::Decimal::ONE.into(),
//!     price_net: rust_decimal::Decimal::from(500).into(),
//!     tax: "19".into(),
//!     ..PositionFields::default()
//! };
//! let wanted = NewInvoice::new(Buyer::Existing(buyer.id)).position(position).oid("order-2026-0042");
//! let invoice = billing.create_invoice_keyed(&wanted).await?.into_inner();
//! let mut pdf = Vec::new();
//! billing.invoice_pdf(invoice.id).write_to(&mut pdf).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | list, create and change clients, contacts, deals, posts and statuses of Sugester | [`Client`], [`crm`] |
//! | list, create and change clients and invoices, fetch PDFs, manage webhooks of BitFactura | [`bitfactura`] |
//! | keep both in step | [`sync`]; with the feature `store` its `Synchroniser` |
//! | receive webhooks, and deal with each change once | [`webhook`] |
//! | see whether both systems can be kept in step, and what to do if not | [`connection`] |
//! | link both systems by hand, step by step | [`setup`], [`check_multipass`] |
//! | see what an error means | [`Error::outcome`], [`ErrorExt`], [`Reason`] |
//! | read a token, and know whether it may link both systems | [`ApiToken`], [`AccountName`] |
//! | read and write what the services write | [`value`], [`kinds`], [`tax`] |
//! | find a refusal in an answer, and keep secrets out of it | [`refusal`] |
//! | find what the service calls something else | [`wire_names`] |
//!
//! Features: `store` (the synchronisation, and hints over restarts), `axum` (a router for webhooks). The guide `docs/sugester.md` goes from
//! nothing to production.
//!
//! Calls go over `reqwest`, the default feature. With `default-features = false` and the feature `hyper` they go over hyper alone: fewer
//! crates, less of the processor for each call, the same promises (`docs/performance.md`); of proxies it knows `http://` ones.
//!
//! # What is assumed
//!
//! Nothing was checked against a live account. Where the contract marks a point *assumed* it is a setting: hosts
//! ([`ClientBuilder::domain`], [`ClientBuilder::base_url`]), where the token goes ([`ClientBuilder::auth_mode`]), time limits and repeats
//! ([`ClientBuilder::timeout`], [`ClientBuilder::retry`]), calls at once ([`ClientBuilder::calls_at_once`],
//! [`ClientBuilder::minimum_gap`]), pages ([`ClientBuilder::per_page`]), the receiver of `client:sync`
//! ([`ClientBuilder::receiver_path`], [`crm::ExternalUpdate`]), the key of `external_ids` ([`value::AppKey`]), routes, size and time of
//! webhooks ([`webhook::ReceiverBuilder`]), and everything that decides in a synchronisation (`sync::Settings`). Assumed without a setting: a
//! `Retry-After` beyond 120 s counts as 120 s, a list has at most 1000 pages, a 422 that names `oid` says that it is used, one whose text
//! says "account" that there is none.

pub mod bitfactura;
mod client;
pub mod connection;
pub mod crm;
mod desk;
mod error;
mod idempotency;
pub mod kinds;
mod multipass;
pub mod refusal;
pub mod setup;
pub mod sync;
pub mod tax;
pub mod token;
pub mod value;
pub mod webhook;
mod wire;

/// Where the names of the service and its manual are here: names on the wire, and the words of the trade in its language.
///
/// What is not in the list is called the same, in Rust's spelling. The search box above finds all of them, too.
///
#[doc = include_str!("../doc/wire-names.md")]
pub mod wire_names {}

pub use client::{Client, ClientBuilder};
pub use desk::AuthMode;
pub use error::{ErrorExt, Reason, Refused};
pub use idempotency::idempotency_table;
pub use integration_core::body::page::{Page, Pages};
pub use integration_core::call::{
    BaseUrl, CallObserver, Connections, Idempotency, Link, Observation, RetryPolicy, Timeouts,
    UnexpectedRedirect,
};
pub use integration_core::clock::{Clock, ManualClock, SystemClock};
pub use integration_core::{BoxFuture, Error, ErrorKind, Fault, Outcome, Secret, Severity};
pub use multipass::{Multipass, check_multipass};
pub use token::{AccountName, ApiToken, LinkTokenError};
