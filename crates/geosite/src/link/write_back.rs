//! What is told to GeoSite, and by whom (contract 3.6).
//!
//! The rule enforced here: reader and writer are different traits, and what a writer takes cannot be made outside this module's
//! courier, which makes it of confirmed links alone (trap 22).

use std::fmt::Debug;

use integration_core::{BoxFuture, Error};

use super::customer::Subscriber;
use super::ledger::Task;
use super::port::{DetachPolicy, Link, Port};
use crate::CustomerKey;

/// How far GeoSite has been told of a link.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Told {
    /// It is not to be told: write-back was off when the link was confirmed.
    NotDue,
    /// It waits to be sent.
    Queued,
    /// It was sent, or may have been, and nobody knows yet what became of it; it is asked about before it is sent again.
    Sent,
    /// GeoSite has it.
    Acknowledged {
        /// The customer's `fid` there, if GeoSite named it.
        fid: Option<u64>,
    },
    /// It did not get through, and will be tried again.
    Failed {
        /// What went wrong last.
        reason: String,
    },
    /// GeoSite refused it, or it cannot be decided by a program: a person must look.
    Rejected {
        /// What GeoSite said.
        reason: String,
    },
    /// The link was undone before anything was sent.
    Dropped,
}

/// A customer as GeoSite holds it (L1).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// Its `fid`.
    pub fid: u64,
    /// `nome`, if it has one.
    #[doc(alias = "nome")]
    pub name: Option<String>,
    /// Its port, if it is on one.
    pub on: Option<Port>,
}

impl Found {
    /// A customer on a port, or on none.
    #[must_use]
    pub fn new(fid: u64, name: Option<String>, on: Option<Port>) -> Self {
        Self { fid, name, on }
    }
}

/// A confirmed link on its way to GeoSite. Only [`Courier::deliver`](super::Courier::deliver) makes one.
#[derive(Debug, Clone)]
pub struct Confirmed {
    link: Link,
    fid: Option<u64>,
}

impl Confirmed {
    pub(super) fn new(link: Link, fid: Option<u64>) -> Self {
        Self { link, fid }
    }

    /// The `fid` of the customer that is there already; without one a new customer is made.
    #[must_use]
    pub const fn fid(&self) -> Option<u64> {
        self.fid
    }

    /// The customer.
    #[must_use]
    pub const fn customer(&self) -> &Subscriber {
        &self.link.customer
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.link.port
    }
}

/// A link that was undone after GeoSite had it. Only [`Courier::deliver`](super::Courier::deliver) makes one.
#[derive(Debug, Clone)]
pub struct Released {
    link: Link,
    fid: u64,
    name: String,
}

impl Released {
    pub(super) fn new(link: Link, found: &Found) -> Self {
        let name = found.name.clone().unwrap_or_else(|| link.customer.name.clone());
        Self { fid: found.fid, name, link }
    }

    /// The `fid` of the customer at GeoSite.
    #[must_use]
    pub const fn fid(&self) -> u64 {
        self.fid
    }

    /// Who it is.
    #[must_use]
    pub const fn key(&self) -> &CustomerKey {
        &self.link.customer.key
    }

    /// The name, as GeoSite has it now: detaching does not change it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port it leaves.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.link.port
    }
}

/// Why GeoSite does not have it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WriteBackError {
    /// Another contract is on the port there: 409 `PORTA_OCUPADA`.
    #[error("the port is taken at GeoSite{}", .by.map(|by| format!(" by contract {by}")).unwrap_or_default())]
    PortTaken {
        /// Whose contract, if GeoSite said so.
        by: Option<u64>,
    },
    /// GeoSite holds the customer more than once.
    #[error("GeoSite holds the customer {found} times")]
    IdentityConflict {
        /// How often.
        found: usize,
    },
    /// The call failed; its outcome tells whether it may have been applied.
    #[error(transparent)]
    Call(#[from] Error),
}

/// Looks customers up. It cannot write.
pub trait PortLinkReader: Debug + Send + Sync {
    /// The customer of a key, if GeoSite holds one (L1).
    fn find<'a>(&'a self, key: &'a CustomerKey) -> BoxFuture<'a, Result<Option<Found>, WriteBackError>>;
}

/// Tells GeoSite about confirmed links. The default HTTP form (L2, L3) is assumed by the contract; another installation may need
/// another implementation.
pub trait PortLinkWriter: PortLinkReader {
    /// Puts a customer on its port (L2): the one with [`Confirmed::fid`], else a new one. Gives its `fid`. It is called once per
    /// attempt and must not repeat itself: the service makes a second customer of a repeated call.
    fn save<'a>(&'a self, link: &'a Confirmed) -> BoxFuture<'a, Result<u64, WriteBackError>>;

    /// Takes a customer off its port (L3). Nothing is ever deleted at GeoSite, whatever the policy; an implementation for an
    /// installation that has a way to remove a customer may use it.
    fn remove<'a>(
        &'a self,
        link: &'a Released,
        policy: DetachPolicy,
    ) -> BoxFuture<'a, Result<(), WriteBackError>>;
}

/// Whether nothing of what is wanted differs from what L1 shows; an installation that names nobody is not written to for that.
pub(super) fn has_arrived(link: &Link, found: &Found) -> bool {
    found.on == Some(link.port) && found.name.as_ref().is_none_or(|name| *name == link.customer.name)
}

pub(super) fn outbox_key(task: &Task) -> String {
    match task {
        Task::Attach(link) => attach_key(link.id),
        Task::Detach { link, .. } => detach_key(link.id),
    }
}

pub(super) fn attach_key(link: i64) -> String {
    format!("attach/{link:020}")
}

pub(super) fn detach_key(link: i64) -> String {
    format!("detach/{link:020}")
}
