//! The states of one port, and what each event makes of them (contract 4.5): no I/O, no clock.
//!
//! The rule enforced here: one port, one holder. Every change is computed from the record as it was read, and whoever stores it
//! compares that record's version.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::customer::Subscriber;
use super::error::LinkError;
use crate::CustomerKey;

/// How long a reservation holds unless another time is set.
pub const RESERVATION_TTL: SignedDuration = SignedDuration::from_hours(72);

/// A port of a splitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[doc(alias = "porta")]
pub struct Port {
    /// The splitter.
    pub splitter: u64,
    /// Its port, from 1.
    pub index: u32,
}

impl Port {
    /// Port `index`, from 1, of the splitter with this `fid`.
    #[must_use]
    pub const fn new(splitter: u64, index: u32) -> Self {
        Self { splitter, index }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} of splitter {}", self.index, self.splitter)
    }
}

/// A port that is being kept for a customer; the right to [`confirm`](super::Links::confirm) it or to give it up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reservation {
    pub(super) id: i64,
    /// Where.
    pub port: Port,
    /// For whom.
    pub customer: Subscriber,
    /// Until when.
    pub until: Timestamp,
}

/// A customer on a port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Link {
    pub(super) id: i64,
    /// Where.
    pub port: Port,
    /// Who.
    pub customer: Subscriber,
    /// When it was confirmed.
    pub confirmed_at: Timestamp,
    /// Whether GeoSite is to be told.
    pub(super) written_back: bool,
    /// The link before it, whose write-back has to clear the port at GeoSite first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<i64>,
}

impl Link {
    /// Its number, unique in the integration.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }
}

/// Who holds a port.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Holding {
    /// Nobody.
    #[default]
    Free,
    /// Kept for a customer, until a moment.
    Reserved(Reservation),
    /// A confirmed link.
    Occupied(Link),
    /// Not to be used.
    Blocked {
        /// Why.
        reason: String,
    },
}

/// Why a link has no port under it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Orphaned {
    /// The splitter, or its box, was removed.
    SplitterGone,
    /// It is not a service splitter any more (4.4).
    NotService,
    /// It has fewer ports now, or nobody knows how many.
    NoSuchPort,
}

/// A port as it stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PortState {
    /// Who holds it.
    pub holding: Holding,
    /// Somebody else, whom a sync saw on it: `Conflict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<CustomerKey>,
    /// Set on a link whose port is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned: Option<Orphaned>,
    /// The last link, if GeoSite is to be told that it is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cleared_by: Option<i64>,
}

/// Whether the customer goes with the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DetachPolicy {
    /// The register still knows whose contract it is.
    KeepCustomer,
    /// The register forgets the contract.
    RemoveCustomer,
}

impl PortState {
    /// As it stands at a moment: a reservation whose time is over is none.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if matches!(&self.holding, Holding::Reserved(reservation) if reservation.until <= now) {
            self.holding = Holding::Free;
        }
        self
    }

    /// Who holds it, if a customer does.
    #[must_use]
    pub fn holder(&self) -> Option<&CustomerKey> {
        match &self.holding {
            Holding::Reserved(Reservation { customer, .. }) | Holding::Occupied(Link { customer, .. }) => {
                Some(&customer.key)
            }
            Holding::Free | Holding::Blocked { .. } => None,
        }
    }

    /// The link, if it is occupied.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        match &self.holding {
            Holding::Occupied(link) => Some(link),
            _ => None,
        }
    }

    fn taken(&self, port: Port) -> LinkError {
        match (&self.holding, self.holder()) {
            (Holding::Blocked { reason }, _) => LinkError::PortBlocked { port, reason: reason.clone() },
            (_, Some(by)) => LinkError::PortTaken { port, by: by.clone() },
            (_, None) => LinkError::NotReserved { port },
        }
    }

    /// Free → Reserved. Whoever has it reserved already gets that reservation again.
    pub(super) fn propose(&self, wanted: Reservation) -> Result<(Self, Reservation), LinkError> {
        match &self.holding {
            Holding::Free => {
                let holding = Holding::Reserved(wanted.clone());
                Ok((Self { holding, ..self.clone() }, wanted))
            }
            Holding::Reserved(kept) if kept.customer.key == wanted.customer.key => {
                Ok((self.clone(), kept.clone()))
            }
            _ => Err(self.taken(wanted.port)),
        }
    }

    /// Reserved → Occupied, for that very reservation. A link that was made of it already is given again.
    pub(super) fn confirm(
        &self,
        reservation: &Reservation,
        now: Timestamp,
        write_back: bool,
    ) -> Result<(Self, Link), LinkError> {
        match &self.holding {
            Holding::Reserved(kept) if kept.id == reservation.id => {
                let link = Link {
                    id: kept.id,
                    port: kept.port,
                    customer: kept.customer.clone(),
                    confirmed_at: now,
                    written_back: write_back,
                    after: self.cleared_by,
                };
                Ok((Self { holding: Holding::Occupied(link.clone()), ..self.clone() }, link))
            }
            Holding::Occupied(link) if link.id == reservation.id => Ok((self.clone(), link.clone())),
            _ => Err(self.taken(reservation.port)),
        }
    }

    /// Reserved → Free, for that very reservation. One that is over already is no error.
    pub(super) fn cancel(&self, reservation: &Reservation) -> Result<Self, LinkError> {
        match &self.holding {
            Holding::Free => Ok(self.clone()),
            Holding::Reserved(kept) if kept.id == reservation.id => Ok(self.vacated()),
            _ => Err(self.taken(reservation.port)),
        }
    }

    /// Occupied → Free, for that very link. `clearing` is its number, if GeoSite is to be told.
    pub(super) fn detach(&self, link: &Link, clearing: Option<i64>) -> Result<Self, LinkError> {
        match &self.holding {
            Holding::Occupied(held) if held.id == link.id => {
                Ok(Self { cleared_by: clearing.or(self.cleared_by), ..self.vacated() })
            }
            Holding::Free => Err(LinkError::NotLinked { port: link.port }),
            _ => Err(self.taken(link.port)),
        }
    }

    pub(super) fn block(&self, port: Port, reason: &str) -> Result<Self, LinkError> {
        match &self.holding {
            Holding::Free | Holding::Blocked { .. } => {
                Ok(Self { holding: Holding::Blocked { reason: reason.to_owned() }, ..self.clone() })
            }
            _ => Err(self.taken(port)),
        }
    }

    /// Blocked → Free. One that is not blocked is left as it is.
    pub(super) fn unblock(&self) -> Self {
        match self.holding {
            Holding::Blocked { .. } => Self { holding: Holding::Free, ..self.clone() },
            _ => self.clone(),
        }
    }

    /// Whom a sync sees on it: never a change of who holds it.
    pub(super) fn seen(&self, seen: Option<&CustomerKey>) -> Self {
        let other = seen.filter(|seen| self.holder() != Some(*seen) && self.is_claimed()).cloned();
        Self { conflict: other, ..self.clone() }
    }

    /// Whether the register says something of it that a customer in the plant can contradict.
    fn is_claimed(&self) -> bool {
        !matches!(self.holding, Holding::Free)
    }

    pub(super) fn examined(&self, orphaned: Option<Orphaned>) -> Self {
        let linked = matches!(self.holding, Holding::Occupied(_));
        Self { orphaned: orphaned.filter(|_| linked), ..self.clone() }
    }

    fn vacated(&self) -> Self {
        Self { holding: Holding::Free, conflict: None, orphaned: None, cleared_by: self.cleared_by }
    }
}
