//! Why a link could not be made or undone (contract 3.8, 4.5).

use integration_core::tax::id::IdError;
use integration_store::{StoreError, StoreErrorKind};

use super::port::Port;
use crate::CustomerKey;

/// Why a link could not be made or undone. Nothing was changed, and nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Somebody else holds the port, here or in the plant. There is no forcing it.
    #[error("{port} is taken by {by:?}")]
    PortTaken {
        /// The port.
        port: Port,
        /// Who holds it.
        by: CustomerKey,
    },
    /// The port is blocked.
    #[error("{port} is blocked: {reason}")]
    PortBlocked {
        /// The port.
        port: Port,
        /// Why.
        reason: String,
    },
    /// The reservation was cancelled, or its time is over.
    #[error("{port} is not reserved any more; propose it again")]
    NotReserved {
        /// The port.
        port: Port,
    },
    /// No customer is linked to the port.
    #[error("nobody is linked to {port}")]
    NotLinked {
        /// The port.
        port: Port,
    },
    /// The register holds no such splitter: only ports of synchronised elements can be linked.
    #[error("splitter {splitter} is not in the register; synchronise its box first")]
    NotSynchronised {
        /// The splitter.
        splitter: u64,
    },
    /// Only service splitters have ports for customers.
    #[error("splitter {splitter} is not a service splitter but {role:?}")]
    NotServiceSplitter {
        /// The splitter.
        splitter: u64,
        /// What it is.
        role: String,
    },
    /// Nobody knows how many ports the splitter has.
    #[error("the number of ports of splitter {splitter} is not known")]
    PortsUnknown {
        /// The splitter.
        splitter: u64,
    },
    /// The splitter has no such port.
    #[error("splitter {} has the ports 1 to {ports}, not {}", .port.splitter, .port.index)]
    NoSuchPort {
        /// The port.
        port: Port,
        /// How many there are.
        ports: u32,
    },
    /// The contract belongs to another document.
    #[error("contract {} belongs to {known:?}, not to {given:?}", .given.contract)]
    IdentityConflict {
        /// As it was given.
        given: CustomerKey,
        /// As it is known.
        known: CustomerKey,
    },
    /// The customer is linked elsewhere; GeoSite keeps one port per customer.
    #[error("{customer:?} is on {on}; detach it there first")]
    CustomerElsewhere {
        /// The customer.
        customer: CustomerKey,
        /// Where it is linked.
        on: Port,
    },
    /// The document may not be written.
    #[error("the customer's document may not be written: {0}")]
    Document(#[source] IdError),
    /// The customer has no name, and GeoSite takes none without.
    #[error("the customer's name is empty")]
    NameMissing,
    /// Others changed the register all the time.
    #[error("the register was changed by others {tries} times meanwhile; try again")]
    Contended {
        /// How often it was tried.
        tries: u32,
    },
    /// The plant's register could not be asked.
    #[error("the register could not be asked: {0}")]
    Plant(#[source] integration_core::Error),
    /// The links' store failed.
    #[error("the links' store failed: {0}")]
    Store(#[from] StoreError),
}

impl LinkError {
    /// Whether the same call may succeed later as it is.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Contended { .. } | Self::Plant(_) => true,
            Self::Store(error) => error.kind() == StoreErrorKind::Unavailable,
            _ => false,
        }
    }
}
