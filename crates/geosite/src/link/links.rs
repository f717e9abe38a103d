//! The register of who is on which port: propose, confirm, cancel, detach, block (contract 4.5).
//!
//! The rule enforced here: nothing of this sends anything. A confirmation leaves a write-back that is due, in the same commit.

use std::sync::Arc;

use integration_core::clock::Clock;
use integration_store::Store;
use jiff::SignedDuration;

use super::courier::Courier;
use super::customer::Subscriber;
use super::error::LinkError;
use super::ledger::{Contract, Ledger, Seen, Task, Writes};
use super::plant::{Plant, SplitterFacts, Use};
use super::port::{DetachPolicy, Link, Orphaned, Port, PortState, RESERVATION_TTL, Reservation};
use super::write_back::Told;
use crate::{Assumptions, CustomerKey, WriteBack};

/// A port on which a sync saw somebody else than the register holds. Nothing was changed; a person decides.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Conflict {
    /// The port.
    pub port: Port,
    /// Whom the register holds on it; `None` if it is blocked.
    pub register: Option<CustomerKey>,
    /// Whom the plant shows on it.
    pub plant: CustomerKey,
}

/// A link and how it stands.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Linked {
    /// The link.
    pub link: Link,
    /// Whom a sync saw in its place.
    pub conflict: Option<CustomerKey>,
    /// Why its port is gone.
    pub orphaned: Option<Orphaned>,
}

/// The links of one integration. Any number of machines may share them through one store.
///
/// Times are this machine's clock: set several machines' clocks alike, for a reservation ends by the clock of whoever looks.
#[derive(Debug, Clone)]
#[doc(alias("porta", "reserva"))]
pub struct Links {
    ledger: Ledger,
    plant: Arc<dyn Plant>,
    clock: Arc<dyn Clock>,
    courier: Courier,
    ttl: SignedDuration,
    write_back: bool,
}

impl Links {
    /// The links of `integration`, with write-back off (contract 2.5).
    #[must_use]
    pub fn new(store: &Store, integration: &str, plant: Arc<dyn Plant>, clock: Arc<dyn Clock>) -> Self {
        let ledger = Ledger::new(store, integration);
        let courier = Courier::new(store, integration);
        Self { ledger, plant, clock, courier, ttl: RESERVATION_TTL, write_back: false }
    }

    /// Lets confirmed links be written back to GeoSite. Links that were confirmed before are not.
    #[must_use]
    pub fn with_write_back(mut self) -> Self {
        self.write_back = true;
        self
    }

    /// As the assumptions of a client say: write-back is on with [`WriteBack::Http`], and off with [`WriteBack::Disabled`], the
    /// default.
    #[must_use]
    pub fn assuming(mut self, assumptions: &Assumptions) -> Self {
        self.write_back = assumptions.write_back == WriteBack::Http;
        self
    }

    /// Another life for reservations; 72 hours unless set.
    #[must_use]
    pub fn with_reservation_ttl(mut self, ttl: SignedDuration) -> Self {
        self.ttl = ttl;
        self
    }

    /// What takes the write-backs to GeoSite.
    #[must_use]
    pub fn courier(&self) -> &Courier {
        &self.courier
    }

    /// How a port stands now.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, port) = (house.links, house.port);
    /// println!("{:?}", links.port(port).await?);
    /// # Ok(()) });
    /// ```
    pub async fn port(&self, port: Port) -> Result<PortState, LinkError> {
        Ok(self.ledger.open().await?.port(port).await?.at(self.clock.wall()))
    }

    /// Keeps a free port for a customer. The same customer gets the reservation that stands, with its time as it was.
    ///
    /// Idempotency: no call to the service; the same customer again gets the same reservation (contract 4.5).
    ///
    /// # Errors
    ///
    /// [`PortTaken`](LinkError::PortTaken) and [`PortBlocked`](LinkError::PortBlocked); what is wrong with the splitter, the port or the
    /// customer; the store's and the register's own.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, port) = (house.links, house.port);
    /// use geosite::CustomerKey;
    /// use geosite::link::{LinkError, Subscriber};
    ///
    /// let ana = Subscriber::new(CustomerKey::new("529.982.247-25", 900_001)?, "Ana Souza");
    /// match links.propose(port, ana).await {
    ///     Ok(kept) => println!("kept until {}", kept.until),
    ///     Err(LinkError::PortTaken { .. }) => println!("somebody else has it"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "reservar")]
    pub async fn propose(&self, port: Port, customer: Subscriber) -> Result<Reservation, LinkError> {
        check(&customer)?;
        self.check_plant(port, &customer.key).await?;
        let until = self.clock.wall().saturating_add(self.ttl).unwrap_or(jiff::Timestamp::MAX);
        let decide = |seen: Seen, writes: &mut Writes| {
            known_as(seen.contract.as_ref(), &customer.key)?;
            let before = seen.port.at(self.clock.wall());
            let wanted = Reservation { id: seen.serial, port, customer: customer.clone(), until };
            let (after, kept) = before.propose(wanted)?;
            if after != before {
                writes.port(port, &after)?;
            }
            Ok(kept)
        };
        self.ledger.change((Some(port), Some(customer.key.contract)), decide).await
    }

    /// Puts the customer of a reservation on its port, for good. Only from here on GeoSite may be told, and only if write-back is on.
    /// Confirming once more gives the same link.
    ///
    /// Idempotency: no call to the service; confirming again gives the same link (contract 4.5).
    ///
    /// # Errors
    ///
    /// [`NotReserved`](LinkError::NotReserved) after its time; [`PortTaken`](LinkError::PortTaken) if somebody else has it;
    /// [`CustomerElsewhere`](LinkError::CustomerElsewhere), since GeoSite keeps one port per customer; otherwise as
    /// [`propose`](Links::propose).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, port, ana) = (house.links, house.port, house.ana);
    /// let kept = links.propose(port, ana).await?;
    /// let link = links.confirm(&kept).await?;
    /// assert_eq!(links.confirm(&kept).await?, link);
    /// # Ok(()) });
    /// ```
    #[doc(alias("confirmar", "ativar"))]
    pub async fn confirm(&self, reservation: &Reservation) -> Result<Link, LinkError> {
        let (port, key) = (reservation.port, &reservation.customer.key);
        self.check_plant(port, key).await?;
        let decide = |seen: Seen, writes: &mut Writes| {
            let before = seen.port.at(self.clock.wall());
            let (after, link) = before.confirm(reservation, self.clock.wall(), self.write_back)?;
            if after != before {
                known_as(seen.contract.as_ref(), key)?;
                nowhere_else(seen.contract.as_ref(), port)?;
                writes.port(port, &after)?;
                writes.contract(key.contract, Some(&Contract { key: key.clone(), on: Some(port) }))?;
                self.note_due(writes, seen.serial, &Task::Attach(link.clone()))?;
            }
            Ok(link)
        };
        self.ledger.change((Some(port), Some(key.contract)), decide).await
    }

    /// Gives a reservation up. Nothing is sent.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// [`PortTaken`](LinkError::PortTaken) if it was confirmed, or somebody else has the port now; the store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, port, ana) = (house.links, house.port, house.ana);
    /// let kept = links.propose(port, ana).await?;
    /// links.cancel(&kept).await?;
    /// # Ok(()) });
    /// ```
    pub async fn cancel(&self, reservation: &Reservation) -> Result<(), LinkError> {
        self.turn(reservation.port, |port| port.cancel(reservation)).await
    }

    /// Takes a customer off a port. GeoSite is told if it had been told of the link.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// [`NotLinked`](LinkError::NotLinked) if it was detached already, [`PortTaken`](LinkError::PortTaken) if somebody else is on the
    /// port now; the store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, link) = (house.links.clone(), house.linked().await);
    /// use geosite::link::DetachPolicy;
    ///
    /// links.detach(&link, DetachPolicy::KeepCustomer, "contract ended").await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias = "desvincular")]
    pub async fn detach(&self, link: &Link, policy: DetachPolicy, reason: &str) -> Result<(), LinkError> {
        let contrato = link.customer.key.contract;
        let decide = |seen: Seen, writes: &mut Writes| {
            let clearing = link.written_back.then_some(link.id);
            let after = seen.port.at(self.clock.wall()).detach(link, clearing)?;
            writes.port(link.port, &after)?;
            let kept = Contract { key: link.customer.key.clone(), on: None };
            writes.contract(contrato, (policy == DetachPolicy::KeepCustomer).then_some(&kept))?;
            if link.written_back {
                let reason = reason.to_owned();
                writes.due(seen.serial, Some(&Task::Detach { link: link.clone(), policy, reason }))?;
            }
            Ok(())
        };
        self.ledger.change((Some(link.port), None), decide).await
    }

    /// Takes a free port out of use.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// [`PortTaken`](LinkError::PortTaken) if somebody holds it; the store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, port) = (house.links, house.port);
    /// links.block(port, "broken adapter").await?;
    /// # Ok(()) });
    /// ```
    pub async fn block(&self, port: Port, reason: &str) -> Result<(), LinkError> {
        self.turn(port, |state| state.block(port, reason)).await
    }

    /// Puts a blocked port to use again. One that is not blocked stays as it is.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, port) = (house.links, house.port);
    /// links.unblock(port).await?;
    /// # Ok(()) });
    /// ```
    pub async fn unblock(&self, port: Port) -> Result<(), LinkError> {
        self.turn(port, |state| Ok(state.unblock())).await
    }

    /// How far GeoSite has been told of a link.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, link) = (house.links.clone(), house.linked().await);
    /// println!("{:?}", links.write_back(&link).await?);
    /// # Ok(()) });
    /// ```
    pub async fn write_back(&self, link: &Link) -> Result<Told, LinkError> {
        if !link.written_back {
            return Ok(Told::NotDue);
        }
        self.courier.standing(link).await
    }

    /// Notes whom a sync saw on a port, and gives the conflict if it is somebody else than the register holds. Nobody's port
    /// changes hands by it.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, port) = (house.links.clone(), house.port);
    /// # house.linked().await;
    /// use geosite::CustomerKey;
    ///
    /// let seen = CustomerKey::new("12.ABC.345/01DE-35", 900_002)?;
    /// if let Some(conflict) = links.observe(port, Some(seen)).await? {
    ///     println!("{conflict:?}"); // a person decides
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn observe(
        &self,
        port: Port,
        seen: Option<CustomerKey>,
    ) -> Result<Option<Conflict>, LinkError> {
        let state = self.turned(port, |state| Ok(state.seen(seen.as_ref()))).await?;
        let register = state.holder().cloned();
        Ok(state.conflict.map(|plant| Conflict { port, register, plant }))
    }

    /// Looks again at every link of a splitter that a sync has changed, removed or brought back, and gives those that are orphaned.
    /// They are kept, flagged (Y7, 4.4).
    ///
    /// Idempotency: no call to the service (contract 4.4, 4.5).
    ///
    /// # Errors
    ///
    /// The store's and the register's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # let (links, splitter) = (house.links, house.port.splitter);
    /// assert!(links.examine(splitter).await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub async fn examine(&self, splitter: u64) -> Result<Vec<Linked>, LinkError> {
        let facts = self.plant.splitter(splitter).await.map_err(LinkError::Plant)?;
        for linked in self.links_of(splitter).await? {
            let port = linked.link.port;
            let orphaned = SplitterFacts::orphans(facts.as_ref(), port);
            self.turn(port, |state| Ok(state.examined(orphaned))).await?;
        }
        let mut links = self.links_of(splitter).await?;
        links.retain(|linked| linked.orphaned.is_some());
        Ok(links)
    }

    /// Looks again at every port of which something is known: what went under it, and whom the last sync saw on it. This finds what
    /// a notice that was lost in a kill would have told, and conflicts that are over because the other customer has moved.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// The store's and the register's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let links = kit.house().await.links;
    /// links.examine_all().await?;
    /// # Ok(()) });
    /// ```
    pub async fn examine_all(&self) -> Result<(), LinkError> {
        let (mut after, mut last) = (None, None);
        loop {
            let page = self.ports_after(after).await?;
            let Some((end, _)) = page.last() else { return Ok(()) };
            after = Some(*end);
            for (port, state) in page {
                let facts = match last.take() {
                    Some((splitter, facts)) if splitter == port.splitter => facts,
                    _ => self.plant.splitter(port.splitter).await.map_err(LinkError::Plant)?,
                };
                self.review(port, &state, facts.as_ref()).await?;
                last = Some((port.splitter, facts));
            }
        }
    }

    async fn review(
        &self,
        port: Port,
        state: &PortState,
        facts: Option<&SplitterFacts>,
    ) -> Result<(), LinkError> {
        let orphaned = SplitterFacts::orphans(facts, port);
        let stranger = self.stranger(port, state).await?;
        let reviewed = |state: &PortState| state.examined(orphaned).seen(stranger.as_ref());
        if reviewed(state) == *state {
            return Ok(());
        }
        self.turn(port, |state| Ok(reviewed(state))).await
    }

    /// Notes whom the plant shows on a port now.
    pub(super) async fn look(&self, port: Port) -> Result<Option<Conflict>, LinkError> {
        let state = self.port(port).await?;
        let stranger = self.stranger(port, &state).await?;
        self.observe(port, stranger).await
    }

    /// Whom the plant shows on a port beside its holder, or in its holder's place.
    async fn stranger(&self, port: Port, state: &PortState) -> Result<Option<CustomerKey>, LinkError> {
        let seen = self.plant.customers_on(port).await.map_err(LinkError::Plant)?;
        Ok(seen.into_iter().find(|seen| state.holder() != Some(seen)))
    }

    /// The links on a splitter.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let house = kit.house().await;
    /// # house.linked().await;
    /// # let (links, splitter) = (house.links, house.port.splitter);
    /// assert_eq!(links.links_of(splitter).await?.len(), 1);
    /// # Ok(()) });
    /// ```
    pub async fn links_of(&self, splitter: u64) -> Result<Vec<Linked>, LinkError> {
        let mut links = Vec::new();
        let mut after = Some(Port::new(splitter, 0));
        while let Some(from) = after {
            let page = self.ledger.ports(Some(from)).await?;
            after = page.last().map(|(port, _)| *port).filter(|port| port.splitter == splitter);
            let here = page.into_iter().filter(|(port, _)| port.splitter == splitter);
            links.extend(here.filter_map(|(_, state)| linked(state)));
        }
        Ok(links)
    }

    /// One page of all ports of which something is known, after a port; empty after the last.
    ///
    /// Idempotency: no call to the service (contract 4.5).
    ///
    /// # Errors
    ///
    /// The store's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let links = kit.house().await.links;
    /// let mut after = None;
    /// loop {
    ///     let page = links.ports_after(after).await?;
    ///     let Some((last, _)) = page.last() else { break };
    ///     after = Some(*last);
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn ports_after(&self, after: Option<Port>) -> Result<Vec<(Port, PortState)>, LinkError> {
        let now = self.clock.wall();
        Ok(self.ledger.ports(after).await?.into_iter().map(|(port, state)| (port, state.at(now))).collect())
    }

    async fn turn(
        &self,
        port: Port,
        turn: impl Fn(&PortState) -> Result<PortState, LinkError>,
    ) -> Result<(), LinkError> {
        self.turned(port, turn).await.map(drop)
    }

    async fn turned(
        &self,
        port: Port,
        turn: impl Fn(&PortState) -> Result<PortState, LinkError>,
    ) -> Result<PortState, LinkError> {
        let decide = |seen: Seen, writes: &mut Writes| {
            let before = seen.port.at(self.clock.wall());
            let after = turn(&before)?;
            if after != before {
                writes.port(port, &after)?;
            }
            Ok(after)
        };
        self.ledger.change((Some(port), None), decide).await
    }

    fn note_due(&self, writes: &mut Writes, serial: i64, task: &Task) -> Result<(), LinkError> {
        if self.write_back { writes.due(serial, Some(task)) } else { Ok(()) }
    }

    /// What the last sync says against it.
    async fn check_plant(&self, port: Port, key: &CustomerKey) -> Result<(), LinkError> {
        let facts = self.plant.splitter(port.splitter).await.map_err(LinkError::Plant)?;
        linkable(facts, port)?;
        let seen = self.plant.customers_on(port).await.map_err(LinkError::Plant)?;
        if let Some(by) = seen.into_iter().find(|seen| seen != key) {
            return Err(LinkError::PortTaken { port, by });
        }
        let namesakes = self.plant.customers_of(key.contract).await.map_err(LinkError::Plant)?;
        match namesakes.into_iter().find(|known| known != key) {
            Some(known) => Err(LinkError::IdentityConflict { given: key.clone(), known }),
            None => Ok(()),
        }
    }
}

fn linked(state: PortState) -> Option<Linked> {
    let link = state.link()?.clone();
    Some(Linked { link, conflict: state.conflict, orphaned: state.orphaned })
}

fn check(customer: &Subscriber) -> Result<(), LinkError> {
    customer.key.document.verified().map_err(LinkError::Document)?;
    if customer.name.trim().is_empty() { Err(LinkError::NameMissing) } else { Ok(()) }
}

fn linkable(facts: Option<SplitterFacts>, port: Port) -> Result<(), LinkError> {
    let splitter = port.splitter;
    let Some(facts) = facts else { return Err(LinkError::NotSynchronised { splitter }) };
    match (facts.used_for, facts.ports) {
        (Use::Other(role), _) => Err(LinkError::NotServiceSplitter { splitter, role }),
        (Use::Service, None) => Err(LinkError::PortsUnknown { splitter }),
        (Use::Service, Some(ports)) if !(1..=ports).contains(&port.index) => {
            Err(LinkError::NoSuchPort { port, ports })
        }
        (Use::Service, Some(_)) => Ok(()),
    }
}

fn known_as(contract: Option<&Contract>, given: &CustomerKey) -> Result<(), LinkError> {
    match contract.filter(|contract| contract.key != *given) {
        Some(other) => Err(LinkError::IdentityConflict { given: given.clone(), known: other.key.clone() }),
        None => Ok(()),
    }
}

fn nowhere_else(contract: Option<&Contract>, port: Port) -> Result<(), LinkError> {
    let elsewhere = contract.and_then(|contract| Some((contract.key.clone(), contract.on?)));
    match elsewhere.filter(|(_, on)| *on != port) {
        Some((customer, on)) => Err(LinkError::CustomerElsewhere { customer, on }),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests;
