//! Customers on ports (contract 4.3, 4.5, 3.6).
//!
//! A port is reserved, then confirmed; only then is GeoSite told, through the store's outbox. What stands where:
//!
//! | what | in the store | compared and set by |
//! |---|---|---|
//! | ports, contracts, write-backs that are due | one checkpoint per integration, `geosite/links/…` | its version |
//! | write-backs and what became of them | the outbox `geosite/write-back/…`, one lane per contract | the lane's lease |
//!
//! One version for all of an integration's links is what makes "one port, one holder" and "one contract, one port" one
//! comparison; who loses it reads again. A confirmed link and the write-back that is due for it are one commit, so neither can be
//! lost without the other.
//!
//! [`Links`] cannot send; a [`PortLinkReader`] can only look. What a [`PortLinkWriter`] takes ([`Confirmed`], [`Released`]) can be made by
//! [`Courier::deliver`] alone, out of what the outbox holds: nothing can be written before it was confirmed.

mod customer;

#[cfg(feature = "store")]
mod courier;
#[cfg(feature = "store")]
mod error;
#[cfg(feature = "store")]
mod from_register;
#[cfg(feature = "store")]
mod http;
#[cfg(feature = "store")]
mod ledger;
#[cfg(feature = "store")]
mod links;
#[cfg(feature = "store")]
mod plant;
#[cfg(feature = "store")]
mod port;
pub mod reconcile;
#[cfg(feature = "store")]
mod write_back;

pub use customer::Subscriber;

#[cfg(feature = "store")]
pub use courier::{Courier, Delivered, Planned, Step};
#[cfg(feature = "store")]
pub use error::LinkError;
#[cfg(feature = "store")]
pub use from_register::{LinkNotices, RegisterPlant};
#[cfg(feature = "store")]
pub(crate) use http::SAVE;
#[cfg(feature = "store")]
pub use http::{HttpLinkReader, HttpLinkWriter};
#[cfg(feature = "store")]
pub use links::{Conflict, Linked, Links};
#[cfg(feature = "store")]
pub use plant::{Plant, SplitterFacts, Use};
#[cfg(feature = "store")]
pub use port::{DetachPolicy, Holding, Link, Orphaned, Port, PortState, RESERVATION_TTL, Reservation};
#[cfg(feature = "store")]
pub use write_back::{Confirmed, Found, PortLinkReader, PortLinkWriter, Released, Told, WriteBackError};
