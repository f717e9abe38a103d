//! Deals, in the Spanish interface "Asuntos" (contract 3.1 and 3.2).
//!
//! The rules enforced here: `price` goes out as an exact number, not as text (contract 3.9); a new deal names a client, or brings what one
//! is made from, or has none, but never two of these.

use http::Method;
use integration_core::body::page::Pages;
use integration_core::body::wire::number_token;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Fault, Faults, Secret};
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::clients::ClientFields;
use super::found::{Linkable, keyed, linked};
use super::query::ListQuery;
use crate::bitfactura::Keyed;
use crate::client::Client;
use crate::desk::Ask;
use crate::value::{AppKey, Day, ExternalIds, Linked, Moment, Patch, Tokens};
use crate::wire::{Change, Record, change, changed, record, token};

const LIST: Operation = Operation::get("list deals", "/deals.json");
const FIND: Operation = Operation::get("find a deal", "/deals.json");
const READ: Operation = Operation::get("read a deal", "/deals/{id}.json");
const CREATE: Operation = Operation::post("create a deal", "/deals.json", Idempotency::Once);
const UPDATE: Operation = Operation::new("update a deal", Method::PUT, "/deals/{id}.json", Idempotency::Once);
const DELETE: Operation =
    Operation::new("delete a deal", Method::DELETE, "/deals/{id}.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 6] = [LIST, FIND, READ, CREATE, UPDATE, DELETE];

record! {
    /// A deal as the service shows it.
    #[doc(alias("asunto", "oportunidad"))]
    Deal in "deal" of "deals" {
        name: Option<String>,
        description: Option<String>,
        client_id: Option<u64>,
        /// gross, exactly as it was written.
        price: Option<Decimal>,
        /// its ids in other systems, by the key of each.
        external_ids: ExternalIds,
        /// the link to its invoice (observed, as are all below). Whoever has it sees the invoice: printed nowhere.
        url: Option<Secret>,
        status_id: Option<u64>,
        date: Option<Day>,
        paid: Option<bool>,
        invoice_no: Option<String>,
        kind: Option<String>,
        status: Option<String>,
        currency: Option<String>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
    }
}

change! {
    /// What may be set of a deal; what is left alone is not sent.
    ///
    /// ```
    /// use sugester::crm::DealFields;
    /// use sugester::value::Patch;
    ///
    /// // A deal without a client:
    /// let change = DealFields { client_id: Patch::Clear, ..DealFields::default() };
    /// ```
    DealFields {
        name: String,
        description: String,
        client_id: u64,
        /// sent as a number.
        price: Decimal,
        /// all of them: whether the service keeps those that are not sent is unknown, so start from those that the record has.
        external_ids: ExternalIds,
        /// the link to its invoice: printed nowhere.
        url: Secret,
        status_id: u64,
        date: Day,
        paid: bool,
        invoice_no: String,
        kind: String,
        status: String,
        currency: String,
        /// asks the service not to fire webhooks for this write.
        skip_webhooks: bool,
    }
}

impl DealFields {
    /// Contract 3.9: `price` is the one amount that is a number.
    fn sent(&self) -> Tokens {
        let mut tokens = self.tokens();
        let number = self.price.value().and_then(|price| RawValue::from_string(number_token(*price)).ok());
        number.into_iter().for_each(|number| drop(tokens.insert("price".to_owned(), number)));
        tokens
    }
}

impl Linkable for Deal {
    const LINKED: Linked = Linked::Invoice;

    fn external_ids(&self) -> &ExternalIds {
        &self.external_ids
    }
}

/// A deal to be created.
///
/// ```
/// use sugester::crm::{ClientFields, DealFields, NewDeal};
///
/// let known = NewDeal::new("Consulting").for_client(17);
/// // The service makes the client along with the deal:
/// let client = ClientFields { name: "Acme SpA".into(), email: "ana@example.com".into(), ..ClientFields::default() };
/// let unknown = NewDeal::new("Consulting").with_client(client);
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias("asunto", "oportunidad"))]
pub struct NewDeal {
    name: String,
    fields: DealFields,
    nested: Option<Box<ClientFields>>,
}

impl NewDeal {
    /// A deal of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), fields: DealFields::default(), nested: None }
    }

    /// Everything but the name.
    pub fn fields(mut self, fields: DealFields) -> Self {
        // The client may have been named before.
        let client_id = std::mem::take(&mut self.fields.client_id);
        self.fields = fields;
        if self.fields.client_id.is_keep() {
            self.fields.client_id = client_id;
        }
        self
    }

    /// For the client with this id.
    pub fn for_client(mut self, id: u64) -> Self {
        self.fields.client_id = Patch::Set(id);
        self
    }

    /// For a client that is sent within the deal; the service finds or makes it.
    pub fn with_client(mut self, client: ClientFields) -> Self {
        self.nested = Some(Box::new(client));
        self
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        let nested = self.nested.as_ref().map(|client| client.tokens());
        self.check(nested.as_ref())?;
        let mut tokens = self.fields.sent();
        tokens.insert("name".to_owned(), token(&self.name));
        nested.into_iter().for_each(|client| drop(tokens.insert("client".to_owned(), token(&client))));
        Ok(tokens)
    }

    fn check(&self, nested: Option<&Tokens>) -> Result<(), Error> {
        let mut faults = Faults::new();
        if self.name.trim().is_empty() {
            faults.push(Fault::error("REQUIRED", "deal.name").with_expected("a text that is not blank"));
        }
        if nested.is_some_and(Tokens::is_empty) {
            faults.push(Fault::error("CLIENT", "deal.client").with_expected("at least one field"));
        }
        if nested.is_some() && self.fields.client_id.value().is_some() {
            let fault = Fault::error("CLIENT", "deal.client").with_expected("none beside deal.client_id");
            faults.push(fault.with_hint("name a client or send one, not both"));
        }
        faults.into_result(CREATE.name).map(drop)
    }

    fn linked_to(&self, app: &AppKey, id: u64) -> Self {
        let known = self.fields.external_ids.value().cloned().unwrap_or_default();
        let mut linked = self.clone();
        linked.fields.external_ids = Patch::Set(known.with_text(app, Linked::Invoice, id));
        linked
    }
}

impl Client {
    /// Lists deals, page by page; at most 1000 pages, then an error (contract 4.7). Whether the service knows a filter `client_id` is
    /// unproven.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// A validation error for a page size or filter that cannot be; nothing is sent before the first page is awaited.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::ListQuery;
    ///
    /// let mut pages = crm.deals(&ListQuery::new())?;
    /// while let Some(page) = pages.next_page().await? {
    ///     for deal in page.items {
    ///         println!("{} {:?} {:?}", deal.id, deal.name, deal.price);
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias("asuntos", "oportunidades"))]
    pub fn deals(&self, query: &ListQuery) -> Result<Pages<Deal>, Error> {
        query.pages(&self.desk, LIST.name, Ask::new(LIST))
    }

    /// Reads one deal.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.deal().await, kit.crm);
    /// println!("{:?}", crm.deal(id).await?.price);
    /// # Ok(()) });
    /// ```
    pub async fn deal(&self, id: u64) -> Result<Deal, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// The one deal whose `external_ids` hold this id of an invoice under the key (as `APP` or `APP_invoice_id`, without case). All
    /// deals are read for it: no filter is documented.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1, 4.9).
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if several deals claim the id, or one that claims others too; and as every
    /// call. An error never means that there is none.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// let found = crm.deal_by_external_id(&"shop".parse()?, 42).await?;
    /// println!("{}", if found.is_some() { "the invoice has its deal" } else { "no deal yet" });
    /// # Ok(()) });
    /// ```
    pub async fn deal_by_external_id(&self, app: &AppKey, id: u64) -> Result<Option<Deal>, Error> {
        let pages = ListQuery::new().pages(&self.desk, FIND.name, Ask::new(FIND))?;
        linked(pages, FIND.name, app, &id.to_string()).await
    }

    /// Creates a deal. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error without a name, or with two clients; a refusal; and as every call. After a lost answer, look the deal up
    /// before creating it again.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.acme().await, kit.crm);
    /// use rust_decimal::Decimal;
    /// use sugester::crm::{DealFields, NewDeal};
    ///
    /// let fields = DealFields { client_id: id.into(), price: Decimal::from(500).into(), ..DealFields::default() };
    /// let deal = crm.create_deal(&NewDeal::new("Consultoría").fields(fields)).await?;
    /// println!("{}", deal.id);
    /// # Ok(()) });
    /// ```
    #[doc(alias("asunto", "oportunidad"))]
    pub async fn create_deal(&self, deal: &NewDeal) -> Result<Deal, Error> {
        self.desk.record(Ask::new(CREATE).wrapped(Deal::WRAPPER, &deal.tokens()?)).await
    }

    /// Creates a deal for an invoice of another system, unless there is one: looks for the id, creates the deal with the id in its
    /// `external_ids`, and looks again if the answer is lost (contract 4.9). The creation is sent once. Two programs that do this at the
    /// same moment for the same id can still make two.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by the id in `external_ids`, within one program.
    ///
    /// # Errors
    /// As [`deal_by_external_id`](Self::deal_by_external_id) and [`create_deal`](Self::create_deal); with an unknown outcome if the
    /// answer was lost and no deal has the id.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::NewDeal;
    ///
    /// let (shop, wanted) = ("shop".parse()?, NewDeal::new("Factura 42"));
    /// crm.create_deal_keyed(&shop, 42, &wanted).await?;
    /// assert!(crm.create_deal_keyed(&shop, 42, &wanted).await?.was_found());
    /// # Ok(()) });
    /// ```
    pub async fn create_deal_keyed(
        &self,
        app: &AppKey,
        id: u64,
        deal: &NewDeal,
    ) -> Result<Keyed<Deal>, Error> {
        let deal = deal.linked_to(app, id);
        deal.tokens()?;
        keyed(|| self.deal_by_external_id(app, id), self.create_deal(&deal)).await
    }

    /// Changes the given fields of a deal and leaves the others. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error if nothing is changed; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.deal().await, kit.crm);
    /// use sugester::crm::DealFields;
    ///
    /// crm.update_deal(id, &DealFields { description: "Aceptado".into(), ..DealFields::default() }).await?;
    /// # Ok(()) });
    /// ```
    pub async fn update_deal(&self, id: u64, change: &DealFields) -> Result<Deal, Error> {
        let tokens = changed(change.sent(), UPDATE.name)?;
        self.desk.record(Ask::new(UPDATE).id(id).wrapped(Deal::WRAPPER, &tokens)).await
    }

    /// Deletes a deal. Sent once. The synchronisation never does this.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.deal().await, kit.crm);
    /// crm.delete_deal(id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_deal(&self, id: u64) -> Result<(), Error> {
        self.desk.act(Ask::new(DELETE).id(id)).await
    }
}
