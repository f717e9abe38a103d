//! Trademark and patent files of Apiges Pro, opened to chosen contacts on the web: never a field, a document or a file too many.
//!
//! The crate has two layers, and they are not equally well founded.
//!
//! * **Layer A** is a client of the vendor's documented REST API.
//! * **Layer B**, the web synchronisation, is **our own design**: the transport of the vendor's portal is not public. Its rules follow
//!   what the vendor's user guide says; its types ([`web`]) and their HTTP mapping are ours and are not the vendor's protocol.
//!
//! ```
//! use apiges_sync::{Client, Environment, Search};
//! use integration_sandbox::{Sandbox, apiges::Seed};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The embedded sandbox stands in for the firm's program: no installation, no network. In earnest `Client::from_env()?`
//! // takes APIGES_BASE_URL, APIGES_USERNAME and APIGES_PASSWORD.
//! let sandbox = Sandbox::start().await?;
//! let service = sandbox.apiges();
//! service.seed(Seed::new(3, 9));
//! let environment = Environment::at(service.base_url())?;
//! let client =
//!     Client::builder().environment(environment).credentials(service.username(), service.password()).build()?;
//!
//! let found = client.search_case_files(&Search::all()).await?;
//! for file in &found.rows {
//!     println!("{} expires {:?}", file.id, file.expires);
//! }
//! println!("{} rows could not be read", found.unreadable.len());
//! # assert_eq!(found.rows.len(), 9);
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
//! | show instants in the firm's own zone | [`BusinessZone`] |
//! | check the tax numbers of Brazilian contacts and holders | [`Cpf`], [`Cnpj`], [`CpfOrCnpj`] |
//! | find what the service calls something else | [`wire_names`] |
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
mod scrub;
mod search;
#[cfg(feature = "store")]
mod shelf;
#[cfg(feature = "store")]
pub mod sync;
pub mod thread;
pub mod visible;
pub mod web;
mod wire;
mod zone;

/// Where the names of the service and its manual are here: names on the wire, and the words of the trade in its language.
///
/// What is not in the list is called the same, in Rust's spelling. The search box above finds all of them, too.
///
#[doc = include_str!("../doc/wire-names.md")]
pub mod wire_names {}

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
pub use integration_core::tax::id::{Cnpj, Cpf, CpfOrCnpj, IdError};
pub use integration_core::{Answer, BoxFuture, Error, ErrorKind, Fault, Faults, Outcome, Secret, Severity};
pub use jiff;
pub use jiff::Timestamp;
pub use language::{Lang, UnknownLanguage};
pub use pair::{Comparison, Modality, Pair, State};
pub use record::{Data, FieldError, Record};
pub use search::{Completeness, Found, RowError, Search, Term};
pub use zone::BusinessZone;
