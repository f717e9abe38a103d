//! The links' checkpoint: what is kept in it, and how it is read and changed.
//!
//! The rule enforced here: a change is computed from records that were read at one version and is committed on that version only,
//! so of two who decide on the same records exactly one is heard.

use bytes::Bytes;
use integration_store::{Checkpoints, Commit, Record, Store, StoreError, StoreErrorKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::LinkError;
use super::port::{DetachPolicy, Link, Port, PortState};
use crate::CustomerKey;

const PORTS: &str = "port";
const CONTRACTS: &str = "contract";
const DUE: &str = "due";
const PAGE: usize = 500;
/// Each lost comparison means that somebody else got on, so so many in a row are a sign of something wrong.
const TRIES: u32 = 256;

/// Whose a contract is, and where it is linked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Contract {
    pub(super) key: CustomerKey,
    pub(super) on: Option<Port>,
}

/// A write-back as it waits and goes out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Task {
    Attach(Link),
    Detach { link: Link, policy: DetachPolicy, reason: String },
}

impl Task {
    pub(super) fn link(&self) -> &Link {
        match self {
            Self::Attach(link) | Self::Detach { link, .. } => link,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Ledger {
    checkpoints: Checkpoints,
}

/// The ledger as it stood at one version.
#[derive(Debug)]
pub(super) struct Page<'l> {
    ledger: &'l Ledger,
    version: i64,
}

/// What a change is decided on.
#[derive(Debug)]
pub(super) struct Seen {
    /// A number that no change before this one had.
    pub(super) serial: i64,
    pub(super) port: PortState,
    pub(super) contract: Option<Contract>,
}

/// What a change writes.
#[derive(Debug, Default)]
pub(super) struct Writes(Vec<Record>);

impl Ledger {
    pub(super) fn new(store: &Store, integration: &str) -> Self {
        Self { checkpoints: store.checkpoints(format!("geosite/links/{integration}")) }
    }

    pub(super) async fn open(&self) -> Result<Page<'_>, LinkError> {
        let version = self.checkpoints.get().await?.map_or(0, |checkpoint| checkpoint.version);
        Ok(Page { ledger: self, version })
    }

    /// Reads, decides and commits, again and again until nobody came between.
    pub(super) async fn change<T>(
        &self,
        (port, contract): (Option<Port>, Option<u64>),
        decide: impl Fn(Seen, &mut Writes) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        for _ in 0..TRIES {
            let page = self.open().await?;
            let mut writes = Writes::default();
            let decided = decide(page.seen(port, contract).await?, &mut writes)?;
            if page.commit(writes).await? {
                return Ok(decided);
            }
        }
        Err(LinkError::Contended { tries: TRIES })
    }

    /// The record of a key; keys are of one width, so it is the first one after the key before it.
    async fn one<T: DeserializeOwned>(
        &self,
        collection: &str,
        (before, key): (String, String),
    ) -> Result<Option<T>, LinkError> {
        let found = self.checkpoints.records(collection, Some(&before), 1).await?;
        match found.into_iter().find(|(found, _)| *found == key) {
            Some((_, value)) => Ok(Some(read(&value)?)),
            None => Ok(None),
        }
    }

    /// Ports of which something is known, in order, after one of them.
    pub(super) async fn ports(&self, after: Option<Port>) -> Result<Vec<(Port, PortState)>, LinkError> {
        let after = after.map(port_key);
        let found = self.checkpoints.records(PORTS, after.as_deref(), PAGE).await?;
        found.iter().map(|(key, value)| Ok((read_port(key)?, read(value)?))).collect()
    }

    /// Write-backs that are due and not in the outbox yet, oldest first.
    pub(super) async fn due(&self) -> Result<Vec<(i64, Task)>, LinkError> {
        let found = self.checkpoints.records(DUE, None, PAGE).await?;
        found.iter().map(|(key, value)| Ok((key.parse().map_err(|_| damaged(key))?, read(value)?))).collect()
    }
}

impl Page<'_> {
    async fn seen(&self, port: Option<Port>, contract: Option<u64>) -> Result<Seen, LinkError> {
        let port = match port {
            Some(port) => self.port(port).await?,
            None => PortState::default(),
        };
        let contract = match contract {
            Some(number) => self.contract(number).await?,
            None => None,
        };
        Ok(Seen { serial: self.version.saturating_add(1), port, contract })
    }

    pub(super) async fn port(&self, port: Port) -> Result<PortState, LinkError> {
        let before = Port::new(port.splitter, port.index.saturating_sub(1));
        Ok(self.ledger.one(PORTS, (port_key(before), port_key(port))).await?.unwrap_or_default())
    }

    async fn contract(&self, contrato: u64) -> Result<Option<Contract>, LinkError> {
        let number = contrato;
        self.ledger.one(CONTRACTS, (wide(number.saturating_sub(1)), wide(number))).await
    }

    async fn commit(&self, writes: Writes) -> Result<bool, LinkError> {
        if writes.0.is_empty() {
            return Ok(true);
        }
        let commit = Commit { version: self.version, cursor: Bytes::new(), records: writes.0 };
        match self.ledger.checkpoints.commit(commit).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == StoreErrorKind::Conflict => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Writes {
    pub(super) fn port(&mut self, port: Port, state: &PortState) -> Result<(), LinkError> {
        self.put(PORTS, port_key(port), Some(state))
    }

    pub(super) fn contract(&mut self, contrato: u64, value: Option<&Contract>) -> Result<(), LinkError> {
        self.put(CONTRACTS, wide(contrato), value)
    }

    pub(super) fn due(&mut self, serial: i64, task: Option<&Task>) -> Result<(), LinkError> {
        self.put(DUE, format!("{serial:020}"), task)
    }

    fn put<T: Serialize>(
        &mut self,
        collection: &str,
        key: String,
        value: Option<&T>,
    ) -> Result<(), LinkError> {
        let value = value.map(serde_json::to_vec).transpose().map_err(|cause| corrupt(&key, &cause))?;
        self.0.push(Record { collection: collection.to_owned(), key, value: value.map(Bytes::from) });
        Ok(())
    }
}

fn wide(number: u64) -> String {
    format!("{number:020}")
}

fn port_key(port: Port) -> String {
    format!("{:020}/{:010}", port.splitter, port.index)
}

fn read_port(key: &str) -> Result<Port, LinkError> {
    let parts =
        key.split_once('/').and_then(|(splitter, index)| Some((splitter.parse().ok()?, index.parse().ok()?)));
    parts.map(|(splitter, index)| Port::new(splitter, index)).ok_or_else(|| damaged(key))
}

fn read<T: DeserializeOwned>(value: &Bytes) -> Result<T, LinkError> {
    serde_json::from_slice(value).map_err(|cause| corrupt("a record", &cause))
}

fn damaged(key: &str) -> LinkError {
    StoreError::new(StoreErrorKind::Corrupt, format!("the links' key {key:?} cannot be read")).into()
}

/// The cause of a failed reading may quote what it read.
fn corrupt(what: &str, cause: &serde_json::Error) -> LinkError {
    let place = format!("line {}, column {}", cause.line(), cause.column());
    StoreError::new(StoreErrorKind::Corrupt, format!("{what} of the links cannot be read at {place}")).into()
}
