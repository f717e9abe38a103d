//! Typed client for the SMART digital fiscal printing house (Venezuela): issue, annul and mail fiscal documents, with every
//! amount right and with a clear answer to "did it happen?".
//!
//! ```
//! use fiscal_printer::{Buyer, Client, Document, Environment, Line};
//! use integration_sandbox::Sandbox;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The embedded sandbox stands in for the service: no account, no network. In earnest `Client::from_env()?` takes
//! // FISCAL_PRINTER_BASE_URL and FISCAL_PRINTER_TOKEN.
//! let sandbox = Sandbox::start().await?;
//! let environment = Environment::custom(sandbox.fiscal().base_url())?;
//! let client = Client::builder().environment(environment).token(sandbox.fiscal().token()).build()?;
//!
//! let invoice = Document::invoice("J-12345678-4", 42)
//!     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
//!     .line(Line::new("A2", "Dos", "20.00", 1))
//!     .build()?;
//! match client.issue(&invoice).await {
//!     Ok(issued) => println!("issued {}", issued.control_text()),
//!     Err(error) if error.is_outcome_unknown() => println!("look it up, do not repeat: {error}"),
//!     Err(error) => println!("nothing was issued: {error}"),
//! }
//! assert_eq!(sandbox.fiscal().documents().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | set up a client | [`Client::builder`], [`Client::from_env`], [`Environment`] |
//! | put a document together | [`Document::invoice`] and its siblings, [`DocumentBuilder`] |
//! | read one from JSON, or verify totals you bring | [`Document::from_json`], [`DocumentBuilder::claim`] |
//! | issue one, or many in order | [`Client::issue`], [`Client::issue_all`] |
//! | see the JSON without sending it | [`Client::dry_run`], [`Document::to_json`] |
//! | annul and mail | [`Client::annul`], [`Client::mail`] |
//! | issue exactly once, over crashes and several machines | the module `journal` (feature `journal`) |
//! | understand a failure | [`Error::outcome`], [`Error::faults`], [`Refusal`] |
//! | follow the service's cents | [`RoundingPolicy`], [`server`] |
//! | find what the service calls something else | [`wire_names`] |
//!
//! Calls go over `reqwest`, the default feature. With `default-features = false` and the feature `hyper` they go over hyper alone: fewer
//! crates, less of the processor for each call, the same promises (`docs/performance.md`); of proxies it knows `http://` ones.
//!
//! # Rules
//!
//! Faults carry the id of the rule they break: `R1` to `R43` are the rows of the manual's field table (contract 3.1-3.3), `I1`
//! to `I19` the identities of amounts (6.1), `S1` to `S4` predictions of the observed service's arithmetic (6.2; never errors),
//! `CHECK-DIGIT` a wrong check digit (section 7), `T1` the token's RIF, `JSON` the form of a JSON draft, `EXTRA` a field that
//! is not the manual's, `LUXURY` the luxury group, `MAIL` an address to mail to, `SIZE` a large request, `ANSWER` a slip in the
//! service's answer, `ENV` an environment variable.
//!
//! One slip is one fault: a field that cannot be read is not also missing, and an amount that only follows from a wrong one is not
//! wrong again. Every fault names the right value where there is one; whoever corrects an amount corrects what was computed from it.
//!
//! # What is assumed
//!
//! The vendor documents neither statuses nor JSON keys of answers, no look-up and no idempotency key. Where the contract marks a
//! point *assumed* it is a setting: [`WireProfile`] (spellings, payments key), [`ClientBuilder::unlisted_codes_refuse`],
//! [`ClientBuilder::code_table`], [`ClientBuilder::body_limit`], [`Rates`]. The largest amount (2^53 cents), UTC-4 for dates,
//! lengths counted in characters, and no control characters in texts are assumptions without a setting.

mod auth;
mod batch;
mod client;
pub mod document;
mod error;
mod follow_up;
mod issue;
#[cfg(feature = "journal")]
pub mod journal;
mod number;
mod profile;
mod rates;
mod wire;

/// Where the names of the service and its manual are here: names on the wire, and the words of the trade in its language.
///
/// What is not in the list is called the same, in Rust's spelling. The search box above finds all of them, too.
///
#[doc = include_str!("../doc/wire-names.md")]
pub mod wire_names {}

pub use auth::{SwappableToken, TokenHint, TokenProvider};
pub use batch::{Batch, BatchItem};
pub use client::{Client, ClientBuilder, DryRun, Environment, IssueLanes, idempotency_table};
pub use document::{
    Buyer, Currency, Document, DocumentBuilder, DocumentType, ExtraValue, HeaderAmount, IdentityKind, Line,
    Numeric, Payment, TaxGroup, Totals, server, server::RoundingPolicy,
};
pub use error::{CodeTable, Endpoint, Meaning, Refusal};
pub use follow_up::{Mail, Receipt};
pub use integration_core::call::{
    BaseUrl, Body, BodyStream, CallObserver, Connections, Idempotency, Observation, RetryPolicy, SendMark,
    Transport, TransportError, TransportErrorKind,
};
pub use integration_core::clock::{Clock, ManualClock, SystemClock};
pub use integration_core::{Answer, BoxFuture, Error, ErrorKind, Fault, Outcome, Secret, Severity};
pub use issue::Issued;
pub use number::{ControlNumber, InternalNumber, NumberError};
pub use profile::{Spelling, WireProfile};
pub use rates::Rates;
pub use rust_decimal::Decimal;
