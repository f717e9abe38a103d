//! Typed client for the GeoSite Telecom FTTH map.
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
mod pace;
pub mod picture;
mod read;
mod record;
pub mod schedule;
mod schema;
mod time;
mod wire;

pub use assumptions::{Assumptions, CustomerColumns, GuardLimits, NotFoundRule, Paging, WriteBack};
pub use check::Finding;
pub use client::{Client, ClientBuilder, Environment, idempotency_table};
pub use document::{CustomerKey, Document};
pub use error::{Drift, ErrorExt, Problem};
pub use feasibility::{Feasibility, FreePorts, NearBox, NearElement, Place, PublicView};
pub use feature::{ElementKind, Feature, Group, SplitterRole};
pub use filter::{Filter, Literal};
pub use geometry::{BadCoordinate, Doubt, Latitude, Longitude, Position};
pub use integration_core::body::fields::When;
pub use integration_core::call::{
    BaseUrl, Body, BodyStream, Idempotency, RetryPolicy, SendMark, Transport, TransportError,
    TransportErrorKind,
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
