//! What the engine needs of the two systems: two small ports, so that it runs against services and against memory alike.
//!
//! The rules enforced here: there is no call that deletes (contract 4.2); "not there" is `None`, every other failure is an error; what
//! is written goes out exactly as it stands in the journal, so content is JSON text.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use integration_core::body::fields::Unreadable;
use integration_core::body::page::Pages;
use integration_core::{BoxFuture, Error, Secret};
use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::deal::{BuyerFacts, InvoiceFacts};
use crate::value::{ExternalIds, Fields, Tokens, external_ids, moment};
use crate::wire::{Part, Record, read_record};

/// What every question to a system returns.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// The content of a wrapper such as `client`, as it is sent.
pub type Content = Box<RawValue>;

/// A client of either system. Printing it shows the names of its fields alone, since tokens are among them.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
#[doc(alias = "cliente")]
pub struct ClientRecord {
    /// Its id.
    pub id: u64,
    /// `created_at`, if it names an instant.
    pub created_at: Option<Timestamp>,
    /// `updated_at`, if it names an instant.
    pub updated_at: Option<Timestamp>,
    /// Whether it says of itself that it was deleted.
    pub is_deleted: bool,
    /// `external_ids`; empty in BitFactura.
    pub external_ids: ExternalIds,
    /// All fields by their wire names.
    pub fields: Map<String, Value>,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InvoiceRecord {
    /// `updated_at`, if it names an instant.
    pub updated_at: Option<Timestamp>,
    /// `client_id`, if it names one.
    pub client_id: Option<u64>,
    /// What it says of its buyer.
    pub buyer: BuyerFacts,
    /// What goes into the deal.
    pub facts: InvoiceFacts,
}

/// A deal. Printing it shows the names of its fields alone, since the link to a public view is among them.
#[derive(Clone)]
#[non_exhaustive]
pub struct DealRecord {
    /// Its id.
    pub id: u64,
    /// `external_ids`
    pub external_ids: ExternalIds,
    /// All fields by their wire names, token for token.
    pub fields: BTreeMap<String, Box<RawValue>>,
}

/// What creating a deal answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias("asunto", "oportunidad"))]
pub struct NewDeal {
    /// Its id.
    pub id: u64,
    /// Its client, if the answer says so.
    pub client_id: Option<u64>,
}

/// A row of BitFactura's webhooks. Printing it shows no address, since secrets may stand in it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id.
    pub id: u64,
    /// `kind`
    pub kind: String,
    /// `url`
    pub url: String,
    /// `active`
    #[doc(alias = "active")]
    pub is_active: bool,
}

/// Where Sugester takes clients in the first synchronisation, and with what token.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// The whole address.
    pub url: String,
    /// The token of Sugester.
    pub token: Secret,
}

impl fmt::Debug for ClientRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientRecord");
        shown
            .field("id", &self.id)
            .field("updated_at", &self.updated_at)
            .field("is_deleted", &self.is_deleted);
        shown.field("fields", &self.fields.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl fmt::Debug for DealRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.keys().collect();
        f.debug_struct("DealRecord").field("id", &self.id).field("fields", &names).finish_non_exhaustive()
    }
}

impl fmt::Debug for WebhookRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WebhookRow");
        shown.field("id", &self.id).field("kind", &self.kind).field("is_active", &self.is_active);
        shown.finish_non_exhaustive()
    }
}

/// A list, page by page, each record once.
pub trait Listing<T>: Send {
    /// The next page; `None` after the last.
    fn next_page(&mut self) -> Asked<'_, Option<Vec<T>>>;
}

impl<T: Send + 'static> Listing<T> for Pages<T> {
    fn next_page(&mut self) -> Asked<'_, Option<Vec<T>>> {
        Box::pin(async move { Ok(Pages::next_page(self).await?.map(|page| page.items)) })
    }
}

/// A list that is asked for as it is read.
pub type Listed<T> = Box<dyn Listing<T>>;

/// Sugester, as far as the engine needs it.
pub trait Crm: Debug + Send + Sync {
    /// Whether its token may link both systems; nothing is sent (contract 2.2).
    ///
    /// # Errors
    ///
    /// A configuration error, if the token has no prefix, or another than the account.
    fn check(&self) -> Result<(), Error>;
    /// All clients.
    fn clients(&self) -> Listed<ClientRecord>;
    /// One client.
    fn client(&self, id: u64) -> Asked<'_, Option<ClientRecord>>;
    /// Adds a client and gives its id.
    fn create_client(&self, client: Content) -> Asked<'_, u64>;
    /// Changes fields of a client.
    fn update_client(&self, id: u64, client: Content) -> Asked<'_, ()>;
    /// Posts a client to the receiver of `client:sync` (contract 4.4); what is not wrapped stands beside the token.
    fn push_client(&self, envelope: Map<String, Value>) -> Asked<'_, ()>;
    /// That receiver.
    fn receiver(&self) -> Receiver;
    /// All deals.
    fn deals(&self) -> Listed<DealRecord>;
    /// One deal.
    fn deal(&self, id: u64) -> Asked<'_, Option<DealRecord>>;
    /// Adds a deal.
    fn create_deal(&self, deal: Content) -> Asked<'_, NewDeal>;
    /// Changes fields of a deal.
    fn update_deal(&self, id: u64, deal: Content) -> Asked<'_, ()>;
}

/// BitFactura, as far as the engine needs it.
pub trait Billing: Debug + Send + Sync {
    /// All clients, those that were edited last first.
    fn clients(&self) -> Listed<ClientRecord>;
    /// One client.
    fn client(&self, id: u64) -> Asked<'_, Option<ClientRecord>>;
    /// Adds a client and gives its id.
    fn create_client(&self, client: Content) -> Asked<'_, u64>;
    /// Changes fields of a client.
    fn update_client(&self, id: u64, client: Content) -> Asked<'_, ()>;
    /// All invoices of all times with their positions, those that were edited last first.
    fn invoices(&self) -> Listed<InvoiceRecord>;
    /// One invoice with its positions.
    fn invoice(&self, id: u64) -> Asked<'_, Option<InvoiceRecord>>;
    /// The rows of webhooks.
    fn webhooks(&self) -> Asked<'_, Vec<WebhookRow>>;
    /// Adds a row of webhooks and gives its id.
    fn create_webhook(&self, kind: &str, receiver: Receiver) -> Asked<'_, u64>;
}

impl ClientRecord {
    /// Reads a record as it came.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], if it has no id, or `external_ids` is no map.
    pub fn read(token: Box<RawValue>) -> Result<Self, Unreadable> {
        read_record(token)
    }
}

impl DealRecord {
    /// Reads a record as it came.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], if it has no id, or `external_ids` is no map.
    pub fn read(token: Box<RawValue>) -> Result<Self, Unreadable> {
        read_record(token)
    }
}

impl InvoiceRecord {
    /// Reads a record as it came.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], if it has no id, or an amount is none.
    pub fn read(token: Box<RawValue>) -> Result<Self, Unreadable> {
        read_record(token)
    }
}

impl Part for ClientRecord {
    fn read(mut fields: Fields) -> Result<Self, Unreadable> {
        let all = fields.clone().rest();
        Ok(Self {
            id: id(&mut fields)?,
            created_at: moment(&mut fields, "created_at")?.and_then(|at| at.timestamp()),
            updated_at: moment(&mut fields, "updated_at")?.and_then(|at| at.timestamp()),
            is_deleted: fields.boolean("deleted") == Some(true),
            external_ids: external_ids(&mut fields, "external_ids")?,
            fields: values(&all)?,
        })
    }
}

impl Part for DealRecord {
    fn read(mut fields: Fields) -> Result<Self, Unreadable> {
        let all = fields.clone().rest();
        Ok(Self {
            id: id(&mut fields)?,
            external_ids: external_ids(&mut fields, "external_ids")?,
            fields: all,
        })
    }
}

impl Part for InvoiceRecord {
    fn read(mut fields: Fields) -> Result<Self, Unreadable> {
        let client_id = fields.id("client_id");
        Ok(Self {
            updated_at: moment(&mut fields, "updated_at")?.and_then(|at| at.timestamp()),
            client_id,
            buyer: buyer(&mut fields, client_id)?,
            facts: facts(&mut fields)?,
        })
    }
}

impl Record for ClientRecord {
    const WRAPPER: &'static str = "client";
    const PLURAL: &'static str = "clients";

    fn id(&self) -> u64 {
        self.id
    }
}

impl Record for DealRecord {
    const WRAPPER: &'static str = "deal";
    const PLURAL: &'static str = "deals";

    fn id(&self) -> u64 {
        self.id
    }
}

impl Record for InvoiceRecord {
    const WRAPPER: &'static str = "invoice";
    const PLURAL: &'static str = "invoices";

    fn id(&self) -> u64 {
        self.facts.id
    }
}

fn id(fields: &mut Fields) -> Result<u64, Unreadable> {
    fields.id("id").ok_or_else(|| Unreadable::new("id", "the id of a record"))
}

#[allow(clippy::borrowed_box)]
fn values(fields: &Tokens) -> Result<Map<String, Value>, Unreadable> {
    let value = |(name, token): (&String, &Box<RawValue>)| {
        let value = serde_json::from_str(token.get()).map_err(|_| Unreadable::new(name, "a value"))?;
        Ok((name.clone(), value))
    };
    fields.iter().map(value).collect()
}

fn buyer(fields: &mut Fields, id: Option<u64>) -> Result<BuyerFacts, Unreadable> {
    Ok(BuyerFacts {
        id,
        name: fields.text("buyer_name")?,
        tax_no: fields.text("buyer_tax_no")?,
        first_name: fields.text("buyer_first_name")?,
        last_name: fields.text("buyer_last_name")?,
        email: fields.text("buyer_email")?,
    })
}

fn facts(fields: &mut Fields) -> Result<InvoiceFacts, Unreadable> {
    Ok(InvoiceFacts {
        id: id(fields)?,
        number: fields.text("number")?,
        kind: fields.text("kind")?.map(Into::into),
        status: fields.text("status")?.map(Into::into),
        income: fields.boolean("income"),
        test: fields.boolean("test"),
        cancelled: fields.boolean("cancelled"),
        deleted: fields.boolean("deleted"),
        issue_date: fields.text("issue_date")?,
        currency: fields.text("currency")?,
        description: fields.text("description")?,
        price_gross: fields.decimal("price_gross")?,
        paid: fields.decimal("paid")?,
        view_url: fields.text("view_url")?,
        token: fields.text("token")?,
        first_position: first_position(fields)?,
    })
}

fn first_position(fields: &mut Fields) -> Result<Option<String>, Unreadable> {
    match fields.list("positions")?.into_iter().next() {
        None => Ok(None),
        Some(position) => Fields::of(position, "positions[0]")?.text("name"),
    }
}

/// Content from fields.
pub(super) fn content(fields: &Map<String, Value>) -> Content {
    crate::wire::token(fields)
}

/// The fields of content, token for token.
pub(crate) fn tokens_of(content: &RawValue) -> Tokens {
    serde_json::from_str(content.get()).unwrap_or_default()
}
