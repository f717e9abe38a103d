//! Trademark and patent files of Apiges Pro, opened to chosen contacts on the web: never a field, a document or a file too many.
//!
//! The crate has two layers, and they are not equally well founded.
//!
//! * **Layer A** is a client of the vendor's documented REST API.
//! * **Layer B**, the web synchronisation, is **our own design**: the transport of the vendor's portal is not public. Its rules follow
//!   what the vendor's user guide says; its types ([`web`]) and their HTTP mapping are ours and are not the vendor's protocol.
//!
//! ```no_run
//! use apiges_sync::{Client, Search};
//!
//! # async fn run() -> Result<(), apiges_sync::Error> {
//! let client = Client::from_env()?; // APIGES_BASE_URL, APIGES_USERNAME, APIGES_PASSWORD
//! let found = client.search_case_files(&Search::all().equal("idCliente", [4879])).await?;
//! for file in &found.rows {
//!     println!("{} expires {:?}", file.id, file.expires);
//! }
//! println!("{} rows could not be read", found.unreadable.len());
//! # Ok(())
//! # }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | set up a client of the REST API | [`Client::from_env`], [`Client::builder`], [`Environment`], [`Assumptions`] |
//! | test a connection | [`Client::check`], [`Finding`] |
//! | read contacts and case files | [`Client::contact`], [`Client::case_file`], [`Record`] |
//! | search | [`Search`], [`Found::completeness`] |
//! | read catalogues, in a language | [`Client::catalogue`], [`Catalogue`], [`Client::in_language`] |
//! | read and write received invoices | [`Client::received_invoice`] |
//! | reach a route that has no function | [`Client::raw`] |
//! | understand a failure | [`ErrorExt::class`], [`ErrorExt::problem`], [`Error::outcome`] |
//! | speak the language of the web mapping | [`web`] |
//! | say who may see what | [`grant`] |
//! | ask what a viewer sees of a file, and why not | [`visible::visible`], [`visible::explain`] |
//! | keep the portal in step (feature `store`) | `sync` |
//! | publish documents of case files (feature `store`) | `documents` |
//! | post and take in messages, export evidence (feature `store`) | `messages` |
//! | follow messages and receipts | [`thread`] |
//! | prove what was written | [`evidence`] |
//! | read and write calendar dates | [`CalendarDate`] |
//!
//! Calls go over `reqwest`, the default feature. With `default-features = false` and the feature `hyper` they go over hyper alone: fewer
//! crates, less of the processor for each call, the same promises (`docs/performance.md`); of proxies it knows `http://` ones.
//!
//! # What is assumed of layer A
//!
//! Paths, fields, envelope and the languages are documented. **What [`Assumptions`] holds is ours and not the vendor's**: how user and
//! password travel in the login, when a token is renewed, the body of searches, and that nobody knows whether a search is complete.
//! Assumed without a setting: where the token sits in the answer (`data` as text, or its `token`, `accessToken`, `access_token`), one
//! login and one repeat after a 401, at most four requests for a call that reads and one for every other, answers of at most 32 MiB, and
//! that `data` of what was created or changed may be anything, or nothing.
//!
//! Plain http: see [`Environment::private_network`]. No environment variable opens it, and no setting opens it to a public host.

mod assumptions;
mod auth;
mod case_file;
mod catalogue;
mod check;
mod client;
mod contact;
mod date;
#[cfg(feature = "store")]
pub mod documents;
mod error;
pub mod evidence;
pub mod grant;
mod invoice;
mod language;
#[cfg(feature = "store")]
pub mod messages;
mod pair;
mod record;
mod search;
#[cfg(feature = "store")]
mod shelf;
#[cfg(feature = "store")]
pub mod sync;
pub mod thread;
pub mod visible;
pub mod web;
mod wire;

pub use assumptions::{Assumptions, LoginStyle, SearchBody};
pub use case_file::{CaseFile, Description};
pub use catalogue::Catalogue;
pub use check::Finding;
pub use client::{Client, ClientBuilder, Environment, idempotency_table};
pub use contact::{Bank, Contact};
pub use date::{BadDate, CalendarDate};
pub use error::{AuthProblem, ErrorClass, ErrorExt, Problem, Said};
pub use integration_core::body::open::Unlisted;
pub use integration_core::call::{
    BaseUrl, Body, BodyStream, CallObserver, Connections, Idempotency, Observation, RetryPolicy, SendMark,
    Transport, TransportError, TransportErrorKind,
};
pub use integration_core::clock::{Clock, ManualClock, SystemClock};
pub use integration_core::{Answer, BoxFuture, Error, ErrorKind, Fault, Faults, Outcome, Secret, Severity};
pub use jiff;
pub use jiff::Timestamp;
pub use language::{Lang, UnknownLanguage};
pub use pair::{Comparison, Modality, Pair, State};
pub use record::{Data, FieldError, Record};
pub use search::{Completeness, Found, RowError, Search, Term};
