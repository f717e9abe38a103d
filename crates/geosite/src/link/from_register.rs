//! The register that a synchronisation keeps, as linking asks it; and linking, as a synchronisation tells it (contract 4.5, Y7).
//!
//! The rule enforced here: a link stands on what a run has stored, tombstones count as gone, and what a run sees on a port is
//! noted beside the link and never put in its place.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use integration_core::{BoxFuture, Error, ErrorKind};

use super::links::Links;
use super::plant::{Plant, SplitterFacts};
use super::port::Port;
use super::reconcile::{Figures, Line, reconcile};
use crate::CustomerKey;
use crate::sync::{self, Element, Examine, Kind, Notice, Register, Shelf, Stored, SyncError, SyncErrorKind};

const ASK: &str = "ask the register";

/// A synchronised register as the [`Plant`] that links stand on, and the bridge that tells links what a run changed.
///
/// ```
/// # use std::sync::Arc;
/// use geosite::SystemClock;
/// use geosite::link::{Links, RegisterPlant};
/// use geosite::sync::MemoryRegister;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = integration_store::Store::open("memory:").await?;
/// let plant = RegisterPlant::new(Arc::new(MemoryRegister::new()), "provider-1");
/// let links = Links::new(&store, "provider-1", Arc::new(plant.clone()), Arc::new(SystemClock::new()));
/// let told = plant.telling(links.clone()); // for `PlantSyncBuilder::links`
/// # drop(told);
/// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct RegisterPlant {
    register: Arc<dyn Register>,
    integration: String,
}

impl fmt::Debug for RegisterPlant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterPlant").field("integration", &self.integration).finish_non_exhaustive()
    }
}

impl RegisterPlant {
    /// What the register holds of an integration.
    pub fn new(register: Arc<dyn Register>, integration: impl Into<String>) -> Self {
        Self { register, integration: integration.into() }
    }

    /// What a synchronisation tells about its changes: splitters that changed, went or came back, by themselves or with their box,
    /// are examined; customers whom it saw are noted on their ports. A run that reads everything, or before which a notice may have been lost, begins with
    /// [`Links::examine_all`]; an incremental one costs what has changed.
    #[must_use]
    pub fn telling(&self, links: Links) -> LinkNotices {
        LinkNotices { links, plant: self.clone() }
    }

    /// What the register says about a box: the ports of its service splitters, and who sits on them. A figure that cannot be told is
    /// `None`: all of them if the register holds no such box, ports and free ones if a splitter's number of ports is not known.
    ///
    /// Idempotency: no call to the service (contract 4.12).
    ///
    /// # Errors
    /// The register's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (cto, register) = (u64::from(kit.cto()), kit.register());
    /// # kit.sync_into(register.clone()).await.run(geosite::sync::Request::full()).await?;
    /// use geosite::link::RegisterPlant;
    ///
    /// let plant = RegisterPlant::new(register, "provider-1");
    /// println!("{:?}", plant.figures(cto).await?);
    /// # Ok(()) });
    /// ```
    pub async fn figures(&self, box_fid: u64) -> Result<Figures, Error> {
        self.summed(box_fid).await.map_err(unasked)
    }

    /// Plant and register side by side (contract 4.12): what a feasibility answer says about a box, and what was synchronised. Both
    /// values are shown, and neither wins.
    ///
    /// Idempotency: no call to the service.
    ///
    /// # Errors
    /// The register's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (client, register) = (kit.client.clone(), kit.register());
    /// use geosite::link::RegisterPlant;
    /// use geosite::{Feasibility, Place};
    ///
    /// let plant = RegisterPlant::new(register, "provider-1");
    /// if let Feasibility::Available { nearest, .. } = client.feasibility(&Place::Cep("13400-000".into()), 300).await? {
    ///     for line in plant.reconcile(&nearest).await? {
    ///         println!("{line:?}");
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn reconcile(&self, plant: &crate::NearBox) -> Result<[Line; 3], Error> {
        let register = match plant.fid {
            Some(fid) => self.figures(fid.0).await?,
            None => Figures::default(),
        };
        Ok(reconcile(plant.into(), register))
    }

    async fn summed(&self, box_fid: u64) -> Result<Figures, SyncError> {
        let Ok(parent) = i64::try_from(box_fid) else { return Ok(Figures::default()) };
        let known = self.stored(Shelf::Box, parent).await?;
        if known.is_none_or(|stored| stored.tombstone.is_some()) {
            return Ok(Figures::default());
        }
        let (mut ports, mut seated, mut customers) = (Some(0_u64), 0_u64, 0_u64);
        let splitters = self.register.children(&self.integration, Shelf::Splitter, parent).await?;
        for splitter in splitters.iter().map(|stored| &stored.element) {
            if splitter.kind != Kind::SplitterAtendimento {
                continue;
            }
            let here = self.register.children(&self.integration, Shelf::Cliente, splitter.fid).await?;
            let taken: BTreeSet<i64> = here.iter().filter_map(|customer| customer.element.port).collect();
            let of_this = splitter.ports.and_then(|ports| u64::try_from(ports).ok());
            ports = ports.zip(of_this).map(|(sum, more)| sum.saturating_add(more));
            seated = seated.saturating_add(taken.len() as u64);
            customers = customers.saturating_add(here.len() as u64);
        }
        let free = ports.map(|ports| ports.saturating_sub(seated));
        Ok(Figures { ports, free, customers: Some(customers) })
    }

    async fn stored(&self, shelf: Shelf, fid: i64) -> Result<Option<Stored>, SyncError> {
        self.register.get(&self.integration, shelf, fid).await
    }

    async fn facts(&self, fid: u64) -> Result<Option<SplitterFacts>, SyncError> {
        let Ok(fid) = i64::try_from(fid) else { return Ok(None) };
        let stored = self.stored(Shelf::Splitter, fid).await?;
        let Some(stored) = stored.filter(|stored| stored.tombstone.is_none()) else { return Ok(None) };
        let went = self.box_went(&stored.element).await?;
        Ok((!went).then(|| facts(&stored.element)))
    }

    /// A box that goes leaves its splitters in the register (contract 4.10). One that was never stored is only not selected.
    async fn box_went(&self, splitter: &Element) -> Result<bool, SyncError> {
        let Some(parent) = splitter.parent else { return Ok(false) };
        Ok(self.stored(Shelf::Box, parent).await?.is_some_and(|stored| stored.tombstone.is_some()))
    }

    async fn splitters_in(&self, parent: i64) -> Result<Vec<i64>, SyncError> {
        let splitters = self.register.children(&self.integration, Shelf::Splitter, parent).await?;
        Ok(splitters.iter().map(|stored| stored.element.fid).collect())
    }

    async fn seated(&self, port: Port) -> Result<Vec<CustomerKey>, SyncError> {
        let Ok(splitter) = i64::try_from(port.splitter) else { return Ok(Vec::new()) };
        let customers = self.register.children(&self.integration, Shelf::Cliente, splitter).await?;
        let here = |element: &Element| element.port == Some(i64::from(port.index));
        Ok(customers.iter().map(|stored| &stored.element).filter(|one| here(one)).filter_map(key).collect())
    }

    async fn holding(&self, contract: u64) -> Result<Vec<CustomerKey>, SyncError> {
        let holders = self.register.holders(&self.integration, &[contract.to_string()]).await?;
        let known = holders.iter().filter_map(|(_, document, _)| document.as_deref());
        Ok(known.map(|document| CustomerKey::read(document, contract)).collect())
    }
}

fn facts(splitter: &Element) -> SplitterFacts {
    let ports = splitter.ports.and_then(|ports| u32::try_from(ports).ok());
    match splitter.kind {
        Kind::SplitterAtendimento => SplitterFacts::service(ports),
        other => SplitterFacts::other(splitter.role.as_deref().unwrap_or(other.name()), ports),
    }
}

/// Nobody, if document or contract is missing: such a customer is listed by the run and matches nobody (C3).
fn key(customer: &Element) -> Option<CustomerKey> {
    let contract = customer.contract.as_deref()?.parse().ok()?;
    Some(CustomerKey::read(customer.document.as_deref()?, contract))
}

fn unasked(error: SyncError) -> Error {
    Error::new(ErrorKind::Store, ASK).with_message(error.to_string()).with_source(error)
}

impl Plant for RegisterPlant {
    fn splitter(&self, fid: u64) -> BoxFuture<'_, Result<Option<SplitterFacts>, Error>> {
        Box::pin(async move { self.facts(fid).await.map_err(unasked) })
    }

    fn customers_on(&self, port: Port) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        Box::pin(async move { self.seated(port).await.map_err(unasked) })
    }

    fn customers_of(&self, contrato: u64) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        Box::pin(async move { self.holding(contrato).await.map_err(unasked) })
    }
}

/// Links, as a synchronisation tells them what it changed. Made by [`RegisterPlant::telling`].
#[derive(Debug, Clone)]
pub struct LinkNotices {
    links: Links,
    plant: RegisterPlant,
}

impl LinkNotices {
    async fn heed(&self, notice: &Notice) -> Result<(), SyncError> {
        match *notice {
            Notice::Removed { shelf, fid } => self.look_at(shelf, fid).await,
            Notice::Restored { kind, fid } => self.look_at(kind.shelf(), fid).await,
            Notice::SplitterChanged { fid, .. } => self.examine(fid).await,
            Notice::CustomerChanged { fid } => self.observe(fid).await,
            Notice::SeatLeft { splitter, port } => self.look(seat_of(Some(splitter), Some(port))).await,
        }
    }

    async fn look_at(&self, shelf: Shelf, fid: i64) -> Result<(), SyncError> {
        match shelf {
            Shelf::Splitter => self.examine(fid).await,
            Shelf::Cliente => self.observe(fid).await,
            Shelf::Box => {
                for splitter in self.plant.splitters_in(fid).await? {
                    self.examine(splitter).await?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn examine(&self, fid: i64) -> Result<(), SyncError> {
        let Ok(splitter) = u64::try_from(fid) else { return Ok(()) };
        self.links.examine(splitter).await.map(drop).map_err(untold)
    }

    /// Where a customer sits, or sat before it was deleted.
    async fn observe(&self, fid: i64) -> Result<(), SyncError> {
        let customer = self.plant.stored(Shelf::Cliente, fid).await?;
        self.look(customer.and_then(|stored| seat_of(stored.element.parent, stored.element.port))).await
    }

    async fn look(&self, port: Option<Port>) -> Result<(), SyncError> {
        let Some(port) = port else { return Ok(()) };
        self.links.look(port).await.map(drop).map_err(untold)
    }

    async fn any(&self, splitter: i64) -> Result<bool, SyncError> {
        let Ok(splitter) = u64::try_from(splitter) else { return Ok(false) };
        Ok(!self.links.links_of(splitter).await.map_err(untold)?.is_empty())
    }
}

fn seat_of(splitter: Option<i64>, port: Option<i64>) -> Option<Port> {
    let splitter = splitter.and_then(|fid| u64::try_from(fid).ok())?;
    let index = port.and_then(|port| u32::try_from(port).ok())?;
    Some(Port::new(splitter, index))
}

fn untold(error: super::LinkError) -> SyncError {
    SyncError::new(SyncErrorKind::Store, error.to_string()).with_source(error)
}

impl sync::Links for LinkNotices {
    fn linked<'a>(&'a self, splitters: &'a [i64]) -> BoxFuture<'a, Result<Vec<i64>, SyncError>> {
        Box::pin(async move {
            let mut linked = Vec::new();
            for splitter in splitters {
                linked.extend(self.any(*splitter).await?.then_some(*splitter));
            }
            Ok(linked)
        })
    }

    fn told<'a>(&'a self, notices: &'a [Notice]) -> BoxFuture<'a, Result<(), SyncError>> {
        Box::pin(async move {
            for notice in notices {
                self.heed(notice).await?;
            }
            Ok(())
        })
    }

    fn begun(&self, examine: Examine) -> BoxFuture<'_, Result<(), SyncError>> {
        Box::pin(async move {
            match examine {
                Examine::WhatIsTold => Ok(()),
                Examine::Everything => self.links.examine_all().await.map_err(untold),
            }
        })
    }
}
