//! The default HTTP form of write-back: L1 to L3 (contract 3.6), which is an assumption of the contract.
//!
//! The rules enforced here: who can only look has another type than who can write, and there is no writer unless the assumptions
//! say so; a save is made once per attempt and never repeated by itself, for the service makes a second customer of it; a customer
//! who comes back is the one who was asked for, or nothing is written.

use integration_core::call::{Idempotency, Operation};
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use serde::Serialize;
use serde_json::Value;

use super::customer::Subscriber;
use super::port::{DetachPolicy, Port};
use super::write_back::{Confirmed, Found, PortLinkReader, PortLinkWriter, Released, WriteBackError};
use crate::client::Ask;
use crate::error::{Problem, Route, keys_of};
use crate::record::{Customer, Record};
use crate::{Client, CustomerKey, Document, Feature, Filter, WriteBack, wire};

pub(crate) const SAVE: Operation = Operation::post("save a customer", "/cliente/save", Idempotency::Once);
const TAKEN: &str = "PORTA_OCUPADA";

/// Looks customers up at GeoSite (L1). It has no way to write.
#[derive(Debug, Clone)]
pub struct HttpLinkReader {
    client: Client,
}

/// Writes confirmed links to GeoSite (L2, L3).
#[derive(Debug, Clone)]
pub struct HttpLinkWriter {
    reader: HttpLinkReader,
}

impl HttpLinkReader {
    /// Looks through this client.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    async fn look(&self, key: &CustomerKey) -> Result<Option<Found>, WriteBackError> {
        let names = &self.client.assumptions().customer_columns;
        let columns = [&names.document, &names.contract, &names.name, &names.splitter, &names.port];
        let is_theirs = Filter::eq(names.document.as_str(), key.document.normalized())
            .and(Filter::eq(names.contract.as_str(), key.contract.to_string()));
        let columns = columns.into_iter().cloned().chain(["fid".to_owned()]);
        let list = self.client.list(Feature::Cliente).columns(columns).filter(is_theirs).limit(2);
        let page = list.hiding(key.document.spellings()).all().await?;
        if let Some(row) = page.failed.into_iter().next() {
            return Err(unreadable(row.to_string()).into());
        }
        if page.records.iter().any(|record| !is_of(record, key)) {
            return Err(unreadable("another customer came than the one who was asked for").into());
        }
        match page.records.as_slice() {
            [] if page.total.number().is_some_and(|total| total > 0) => {
                Err(unreadable("rows are counted and none came").into())
            }
            [] => Ok(None),
            [one] => Ok(Some(found(one))),
            more => Err(WriteBackError::IdentityConflict { found: more.len() }),
        }
    }
}

impl HttpLinkWriter {
    /// Writes through this client, whose assumptions have to allow it: the body of `cliente/save` is not public, and
    /// [`WriteBack::Disabled`] is the default.
    ///
    /// # Errors
    /// A configuration error unless [`Assumptions::write_back`](crate::Assumptions::write_back) is [`WriteBack::Http`].
    ///
    /// ```
    /// use geosite::link::HttpLinkWriter;
    /// use geosite::{Assumptions, Client, Environment, WriteBack};
    ///
    /// let builder = Client::builder().environment(Environment::Hosted).credentials("user", "password");
    /// assert!(HttpLinkWriter::new(&builder.clone().build()?).is_err());
    /// let mut assumptions = Assumptions::default();
    /// assumptions.write_back = WriteBack::Http; // once it was tried on a test installation
    /// let writer = HttpLinkWriter::new(&builder.assumptions(assumptions).build()?)?;
    /// # Ok::<(), geosite::Error>(())
    /// ```
    pub fn new(client: &Client) -> Result<Self, Error> {
        if client.assumptions().write_back != WriteBack::Http {
            let hint = "set `Assumptions::write_back` of this client to `WriteBack::Http`, once it was tried on a test installation";
            return Err(Error::configuration(
                "write-back is disabled: nothing may be written to GeoSite",
                hint,
            ));
        }
        Ok(Self { reader: HttpLinkReader::new(client) })
    }

    async fn post(&self, body: &Body<'_>, document: &Document) -> Result<u64, WriteBackError> {
        let json = serde_json::to_vec(body).map_err(|cause| unreadable(cause.to_string()))?;
        let ask = Ask::new(SAVE).json(json).hiding(document.spellings());
        let saved = self.reader.client.ask(ask, |value, route| saved_fid(&value, route)).await;
        saved.map_err(refused)
    }
}

impl PortLinkReader for HttpLinkReader {
    fn find<'a>(&'a self, key: &'a CustomerKey) -> BoxFuture<'a, Result<Option<Found>, WriteBackError>> {
        Box::pin(self.look(key))
    }
}

impl PortLinkReader for HttpLinkWriter {
    fn find<'a>(&'a self, key: &'a CustomerKey) -> BoxFuture<'a, Result<Option<Found>, WriteBackError>> {
        self.reader.find(key)
    }
}

impl PortLinkWriter for HttpLinkWriter {
    fn save<'a>(&'a self, link: &'a Confirmed) -> BoxFuture<'a, Result<u64, WriteBackError>> {
        Box::pin(async move { self.post(&Body::attaching(link), &link.customer().key.document).await })
    }

    /// Both policies take the customer off the port and leave the customer: `delete` is never called (contract F5).
    fn remove<'a>(
        &'a self,
        link: &'a Released,
        _policy: DetachPolicy,
    ) -> BoxFuture<'a, Result<(), WriteBackError>> {
        Box::pin(async move { self.post(&Body::detaching(link), &link.key().document).await.map(drop) })
    }
}

/// The only fields that go out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'b> {
    #[serde(skip_serializing_if = "Option::is_none")]
    fid: Option<u64>,
    documento: &'b str,
    contrato: u64,
    nome: &'b str,
    fid_splitter: Option<u64>,
    porta: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
}

impl<'b> Body<'b> {
    fn attaching(link: &'b Confirmed) -> Self {
        let Subscriber { key, name, position } = link.customer();
        let Port { splitter, index } = link.port();
        let place = position.map(|place| (place.latitude.degrees(), place.longitude.degrees()));
        Self {
            fid: link.fid(),
            documento: key.document.normalized(),
            contrato: key.contract,
            nome: name,
            fid_splitter: Some(splitter),
            porta: Some(index),
            latitude: place.map(|(latitude, _)| latitude),
            longitude: place.map(|(_, longitude)| longitude),
        }
    }

    fn detaching(link: &'b Released) -> Self {
        Self {
            fid: Some(link.fid()),
            documento: link.key().document.normalized(),
            contrato: link.key().contract,
            nome: link.name(),
            fid_splitter: None,
            porta: None,
            latitude: None,
            longitude: None,
        }
    }
}

/// A service that ignores the filter shows strangers, whom nobody may write over.
fn is_of(record: &Record, key: &CustomerKey) -> bool {
    record.customer().and_then(Customer::key).as_ref() == Some(key)
}

fn found(record: &Record) -> Found {
    let seat = record.customer().and_then(|customer| Some(Port::new(customer.splitter?.0, customer.port?)));
    Found::new(record.fid.0, record.name.clone(), seat)
}

fn saved_fid(value: &Value, route: &Route) -> Result<u64, Problem> {
    let fid = value.get("fid").and_then(|fid| wire::integer(fid).ok().flatten());
    let fid = fid.and_then(|fid| u64::try_from(fid).ok());
    fid.ok_or_else(|| route.shape(keys_of(value), "there is no `fid`"))
}

/// 409 `PORTA_OCUPADA` has an answer of its own.
fn refused(error: Error) -> WriteBackError {
    if error.service_code() != Some(TAKEN) {
        return WriteBackError::Call(error);
    }
    let said = error.answer().and_then(|answer| answer.json::<Value>().ok());
    let by = said.as_ref().and_then(|said| wire::integer(said.get("contrato")?).ok().flatten());
    WriteBackError::PortTaken { by: by.and_then(|by| u64::try_from(by).ok()) }
}

fn unreadable(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::UnexpectedAnswer, "look a customer up")
        .with_outcome(Outcome::ReadOnly)
        .with_message(reason)
        .with_hint("compare with the contract; nothing was taken for empty, and nothing was written")
}
