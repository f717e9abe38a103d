//! What linking asks of the register that a sync keeps.
//!
//! The rule enforced here (contract 4.5): only a port of a synchronised service splitter can be linked, and what a sync saw on it
//! counts.

use integration_core::{BoxFuture, Error};

use super::port::{Orphaned, Port};
use crate::CustomerKey;

/// What a splitter is for (contract 4.4).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Use {
    /// Customers.
    Service,
    /// Anything else, as the register names it: such a splitter never offers ports.
    Other(String),
}

/// A splitter as the register holds it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SplitterFacts {
    /// What it is for.
    pub used_for: Use,
    /// How many ports it has, if that is known.
    pub ports: Option<u32>,
}

impl SplitterFacts {
    /// A splitter for customers.
    #[must_use]
    pub const fn service(ports: Option<u32>) -> Self {
        Self { used_for: Use::Service, ports }
    }

    /// Any other, with the role as the register names it.
    #[must_use]
    pub fn other(role: impl Into<String>, ports: Option<u32>) -> Self {
        Self { used_for: Use::Other(role.into()), ports }
    }

    pub(super) fn orphans(facts: Option<&Self>, port: Port) -> Option<Orphaned> {
        let Some(facts) = facts else { return Some(Orphaned::SplitterGone) };
        match (&facts.used_for, facts.ports) {
            (Use::Other(_), _) => Some(Orphaned::NotService),
            (Use::Service, Some(ports)) if (1..=ports).contains(&port.index) => None,
            (Use::Service, _) => Some(Orphaned::NoSuchPort),
        }
    }
}

/// The register, as a sync keeps it: asked, never changed.
pub trait Plant: std::fmt::Debug + Send + Sync {
    /// A splitter; `None` if the register does not hold it, or only its tombstone.
    fn splitter(&self, fid: u64) -> BoxFuture<'_, Result<Option<SplitterFacts>, Error>>;

    /// The customers whom the last sync saw on a port; usually one or none.
    fn customers_on(&self, port: Port) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>>;

    /// The customers whom the last sync saw with a contract, whatever their documents.
    fn customers_of(&self, contrato: u64) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>>;
}
