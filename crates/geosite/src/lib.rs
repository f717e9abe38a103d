//! Typed client for the GeoSite Telecom FTTH map: read the plant whole and without mistakes, ask for coverage, recognise customers.
//!
//! ```
//! use geosite::{Client, Environment, Feature, Read};
//! use integration_sandbox::{Sandbox, geosite::Network};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The embedded sandbox stands in for the service, with a generated network: no account. In earnest `Client::from_env()?`
//! // takes GEOSITE_BASE_URL, GEOSITE_USERNAME and GEOSITE_PASSWORD.
//! let sandbox = Sandbox::start().await?;
//! let service = sandbox.geosite();
//! service.generate(Network::new(200));
//! let environment = Environment::at(service.base_url())?;
//! let client =
//!     Client::builder().environment(environment).credentials(service.username(), service.password()).build()?;
//!
//! let mut boxes = client.read_all(Feature::Cto);
//! while let Some(read) = boxes.next().await {
//!     if let Read::Row(record) = read? {
//!         println!("{} {:?} {:?}", record.fid, record.name, record.position);
//!     }
//! }
//! let whole = boxes.summary().is_some_and(|summary| summary.complete);
//! println!("{}", if whole { "that is all of them" } else { "there may be more: nothing may be deleted" });
//! # assert!(whole);
//! # Ok(())
//! # }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | set up a client | [`Client::from_env`], [`Client::builder`], [`Environment`], [`Assumptions`] |
//! | test a connection | [`Client::check`], [`Finding`] |
//! | see which columns an installation has | [`Client::schema`], [`Schema::select`] |
//! | read a whole feature, or several | [`Client::read_all`], [`Client::read_many`], [`Summary::complete`] |
//! | read one page, one element | [`Client::list`], [`Client::get`] |
//! | ask for some rows only | [`Filter`] |
//! | ask whether a place can be served | [`Client::feasibility`], [`Client::facilities`], [`Client::has_cable`] |
//! | recognise a customer | [`CustomerKey`], [`Document`] |
//! | keep a register equal to the plant | [`sync`], [`sync::PlantSync`] |
//! | run it every night, on one machine at a time | [`schedule`] |
//! | link customers to ports, and tell GeoSite afterwards | [`link`] |
//! | draw the register | [`picture`] |
//! | understand a failure | [`ErrorExt::problem`], [`Problem`], [`Error::outcome`] |
//! | find what the service calls something else | [`wire_names`] |
//!
//! | feature | brings |
//! |---|---|
//! | `sqlite`, `postgres` | `sync::SqliteRegister`, `sync::PostgresRegister`: the register as tables for the firm's own SQL |
//! | `store` | `schedule::Runner`, `link::Links`: what has to survive a restart |
//! | `hubsoft` | `hubsoft::HubSoft`: look-ups in HubSoft's public API |
//! | `reqwest` (the default), `hyper` | what calls go over |
//!
//! With `default-features = false` and the feature `hyper` calls go over hyper alone, without reqwest: fewer crates, less of the
//! processor for each call, the same promises (`docs/performance.md`); of proxies it knows `http://` ones.
//!
//! [`Client`] can only read: no call of it changes anything at the service. The one thing that writes is `link::HttpLinkWriter`, which
//! takes nothing but confirmed links, and cannot be made unless [`Assumptions::write_back`] says [`WriteBack::Http`].
//!
//! # What is promised
//!
//! * An answer of another shape is an error that names route and top-level keys, never an empty list ([`Problem::UnexpectedShape`]).
//! * A feature counts as complete only if every page added up, every row could be read, nothing was found beyond the last row, and a
//!   last look gave the same total.
//! * Rows are decoded as their bytes arrive; memory holds one row, whatever the size of the network.
//! * "Could not ask" is an [`Error`], [`Feasibility::AllFull`] is lack of ports, [`Feasibility::NoNetwork`] is neither.
//! * Columns that this crate does not know are kept ([`Record::extra`]); values that it does not know are kept as text.
//!
//! # What is assumed
//!
//! Little of this service is public. **What [`Assumptions`] holds is ours and not the vendor's**: the names of the columns for last
//! change, role, parent box, number of ports and customers; how date-times are written and in which zone; pages by last number and of
//! 500; what "not there" looks like; which elements exist. Assumed with a setting of [`ClientBuilder`]: four calls in flight, 15 s
//! without a byte, 64 MiB for a page. Assumed without a setting: the filter's grammar, a query of at most 6,000 bytes, the shapes that
//! are accepted (contract 3.7), `Estação`, `Lance de Cabo`, `Poste` and `Cliente` as groups of their own. Observed in public code and
//! not documented: the answer of `list`, `start`, and all of the feasibility routes.

mod assumptions;
mod auth;
mod check;
mod client;
mod document;
mod error;
mod feasibility;
mod feature;
mod filter;
mod geometry;
#[cfg(feature = "hubsoft")]
pub mod hubsoft;
pub mod link;
mod list;
pub mod picture;
mod read;
mod record;
pub mod schedule;
mod schema;
pub mod sync;
mod time;
mod wire;

/// Where the names of the service and its manual are here: names on the wire, and the words of the trade in its language.
///
/// What is not in the list is called the same, in Rust's spelling. The search box above finds all of them, too.
///
#[doc = include_str!("../doc/wire-names.md")]
pub mod wire_names {}

pub use assumptions::{Assumptions, CustomerColumns, GuardLimits, NotFoundRule, Paging, WriteBack};
pub use check::Finding;
pub use client::{Client, ClientBuilder, Environment, idempotency_table};
pub use document::{CustomerKey, Document};
pub use error::{Drift, ErrorExt, Problem};
pub use feasibility::{Feasibility, FreePorts, NearBox, NearElement, Place, PublicView};
pub use feature::{ElementKind, Feature, Group, SplitterRole};
pub use filter::{Filter, Literal};
pub use geometry::{BadCoordinate, Course, Doubt, Latitude, Longitude, Position};
pub use integration_core::body::fields::When;
pub use integration_core::call::{
    BaseUrl, Body, BodyStream, CallObserver, Connections, Idempotency, Observation, RetryPolicy, SendMark,
    Transport, TransportError, TransportErrorKind,
};
pub use integration_core::clock::{Clock, ManualClock, SystemClock};
pub use integration_core::tax::id::{Cnpj, Cpf, CpfOrCnpj, IdError};
pub use integration_core::{Answer, BoxFuture, Error, ErrorKind, Fault, Faults, Outcome, Secret, Severity};
pub use jiff;
pub use jiff::Timestamp;
pub use list::{List, Page, Rows, Total};
pub use read::{Checkpoint, Read, ReadAll, ReadMany, Summary};
pub use record::{Customer, Detail, Fid, PlacedBy, Record, RowError, Splitter};
pub use schema::{Column, Schema, Selection};
