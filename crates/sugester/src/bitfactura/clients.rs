//! Clients (contract 3.4).
//!
//! The rules enforced here: `company` is always sent with a new client, since its default differs between brands (trap 14); what a
//! filter gives is compared again, since filters are unreliable (traps 12 and 23).

use http::Method;
use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, ErrorKind, Fault, Faults, Outcome, Secret};
use rust_decimal::Decimal;

use super::Client;
use crate::desk::{Ask, check_page_size, short_page_ends};
use crate::kinds::ClientKind;
use crate::value::{Moment, Patch, Tokens};
use crate::wire::{Change, Record, change, changed, record, token};

const LIST: Operation = Operation::get("list clients of BitFactura", "/clients.json");
const READ: Operation = Operation::get("read a client of BitFactura", "/clients/{id}.json");
const CREATE: Operation =
    Operation::post("create a client of BitFactura", "/clients.json", Idempotency::Once);
const UPDATE: Operation =
    Operation::new("update a client of BitFactura", Method::PUT, "/clients/{id}.json", Idempotency::Once);
const DELETE: Operation =
    Operation::new("delete a client of BitFactura", Method::DELETE, "/clients/{id}.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 5] = [LIST, READ, CREATE, UPDATE, DELETE];

record! {
    /// A client as the service shows it. What it knows of passwords is dropped (trap 21).
    #[doc(alias = "cliente")]
    ClientRecord in "client" of "clients" {
        name: Option<String>,
        shortcut: Option<String>,
        /// of any country, never checked.
        tax_no: Option<String>,
        tax_no_kind: Option<String>,
        register_number: Option<String>,
        first_name: Option<String>,
        last_name: Option<String>,
        company: Option<bool>,
        kind: Option<ClientKind>,
        person: Option<String>,
        title: Option<String>,
        street: Option<String>,
        street_no: Option<String>,
        post_code: Option<String>,
        city: Option<String>,
        /// as an ISO code.
        country: Option<String>,
        use_delivery_address: Option<bool>,
        delivery_address: Option<String>,
        email: Option<String>,
        email_for_reminders: Option<String>,
        phone: Option<String>,
        mobile_phone: Option<String>,
        fax: Option<String>,
        www: Option<String>,
        bank: Option<String>,
        bank_account: Option<String>,
        bank_account_id: Option<u64>,
        swift: Option<String>,
        mass_payment_code: Option<String>,
        note: Option<String>,
        tag_list: Option<Vec<String>>,
        discount: Option<String>,
        default_tax: Option<String>,
        default_payment_type: Option<String>,
        payment_to_kind: Option<String>,
        disable_auto_reminders: Option<bool>,
        category_id: Option<u64>,
        department_id: Option<u64>,
        price_list_id: Option<u64>,
        buyer_id: Option<u64>,
        /// the client's own code: not an id, and not the same as `external_ids`.
        external_id: Option<String>,
        accounting_id: Option<String>,
        accounting_id2: Option<String>,
        public_entity: Option<bool>,
        /// opens the client's own pages: printed nowhere.
        panel_url: Option<Secret>,
        deleted: Option<bool>,
        /// when one client is read, not in lists.
        balance: Option<Decimal>,
        attachments_count: Option<i64>,
        /// opens the client's public pages: printed nowhere.
        token: Option<Secret>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
    }
}

change! {
    /// What may be set of a client; what is left alone is not sent.
    ///
    /// ```
    /// use sugester::bitfactura::ClientFields;
    /// use sugester::value::Patch;
    ///
    /// let change = ClientFields { phone: "+56 2 2345 6789".into(), fax: Patch::Clear, ..ClientFields::default() };
    /// ```
    ClientFields {
        name: String,
        shortcut: String,
        tax_no: String,
        tax_no_kind: String,
        register_number: String,
        first_name: String,
        last_name: String,
        company: bool,
        kind: ClientKind,
        person: String,
        title: String,
        street: String,
        street_no: String,
        post_code: String,
        city: String,
        /// as an ISO code.
        country: String,
        use_delivery_address: bool,
        delivery_address: String,
        email: String,
        email_for_reminders: String,
        phone: String,
        mobile_phone: String,
        fax: String,
        www: String,
        bank: String,
        bank_account: String,
        swift: String,
        mass_payment_code: String,
        note: String,
        tag_list: Vec<String>,
        discount: Decimal,
        default_tax: String,
        default_payment_type: String,
        payment_to_kind: String,
        disable_auto_reminders: bool,
        category_id: u64,
        department_id: u64,
        price_list_id: u64,
        buyer_id: u64,
        external_id: String,
        accounting_id: String,
        accounting_id2: String,
        public_entity: bool,
        /// asks the service not to fire its webhooks for this write.
        skip_webhooks: bool,
    }
}

/// A client to be created: a company or a person, which is always said.
///
/// ```
/// use sugester::bitfactura::{ClientFields, NewClient};
///
/// let acme = NewClient::company("Acme SpA").fields(ClientFields { tax_no: "76.123.456-7".into(), ..ClientFields::default() });
/// let ana = NewClient::person("Rojas").fields(ClientFields { first_name: "Ana".into(), ..ClientFields::default() });
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias = "cliente")]
pub struct NewClient {
    company: bool,
    name: String,
    fields: ClientFields,
}

impl NewClient {
    /// A company of this name.
    pub fn company(name: impl Into<String>) -> Self {
        Self { company: true, name: name.into(), fields: ClientFields::default() }
    }

    /// A person of this last name.
    pub fn person(last_name: impl Into<String>) -> Self {
        Self { company: false, name: last_name.into(), fields: ClientFields::default() }
    }

    /// Everything else. Name, last name and `company` stay as they were given, unless a person is given a name too.
    pub fn fields(mut self, fields: ClientFields) -> Self {
        self.fields = fields;
        self
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        let key = if self.company { "name" } else { "last_name" };
        let mut faults = Faults::new();
        if self.name.trim().is_empty() {
            faults.push(Fault::error("REQUIRED", format!("client.{key}")).with_expected("a name"));
        }
        faults.into_result(CREATE.name)?;
        let mut tokens = self.fields.tokens();
        tokens.insert(key.to_owned(), token(&self.name));
        tokens.insert("company".to_owned(), token(&self.company));
        Ok(tokens)
    }
}

/// What a list of clients is ordered by (documented for sister brands).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientOrder {
    /// `updated_at`
    UpdatedAt,
    /// `updated_at.desc`: for polling, until older than the last look.
    #[doc(alias = "updated_at.desc")]
    UpdatedAtDescending,
}

/// Which clients, in which order. Filters are the service's and may be inexact: compare again (trap 23).
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ClientQuery {
    per_page: Option<u32>,
    first: u32,
    rest: Vec<(&'static str, String)>,
}

impl ClientQuery {
    /// Everyone.
    pub fn new() -> Self {
        Self { first: 1, ..Self::default() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.rest.retain(|(known, _)| *known != name);
        self.rest.push((name, value.into()));
        self
    }

    /// `name`
    pub fn name(self, text: impl Into<String>) -> Self {
        self.with("name", text)
    }

    /// `email`
    pub fn email(self, text: impl Into<String>) -> Self {
        self.with("email", text)
    }

    /// `shortcut`
    pub fn shortcut(self, text: impl Into<String>) -> Self {
        self.with("shortcut", text)
    }

    /// `tax_no`; unreliable (trap 23).
    pub fn tax_no(self, text: impl Into<String>) -> Self {
        self.with("tax_no", text)
    }

    /// `external_id`
    pub fn external_id(self, text: impl Into<String>) -> Self {
        self.with("external_id", text)
    }

    /// `with_tags` (documented for sister brands).
    pub fn with_tags(self) -> Self {
        self.with("with_tags", "true")
    }

    /// `additional_fields[client]` (documented for sister brands).
    pub fn additional_fields(self, names: &[&str]) -> Self {
        self.with("additional_fields[client]", names.join(","))
    }

    /// `order`
    pub fn order(self, order: ClientOrder) -> Self {
        self.with(
            "order",
            match order {
                ClientOrder::UpdatedAt => "updated_at",
                ClientOrder::UpdatedAtDescending => "updated_at.desc",
            },
        )
    }

    /// `per_page`, 1 to 100; the client's unless set.
    pub fn per_page(mut self, clients: u32) -> Self {
        self.per_page = Some(clients);
        self
    }

    /// Starts at this page; 1 unless set.
    pub fn starting_at(mut self, page: u32) -> Self {
        self.first = page;
        self
    }
}

impl Client {
    /// Lists clients, page by page; at most 1000 pages, then an error (contract 4.7).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.4).
    ///
    /// # Errors
    /// A validation error for a page size that the service does not take; nothing is sent before the first page is awaited.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::ClientQuery;
    ///
    /// let mut pages = billing.clients(&ClientQuery::new())?;
    /// while let Some(page) = pages.next_page().await? {
    ///     for client in page.items {
    ///         println!("{} {:?}", client.id, client.name);
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "clientes")]
    pub fn clients(&self, query: &ClientQuery) -> Result<Pages<ClientRecord>, Error> {
        let per_page = query.per_page.unwrap_or(self.desk.per_page());
        check_page_size(per_page).map_err(|error| error.with_operation(LIST.name))?;
        let ask = query.rest.iter().fold(Ask::new(LIST), |ask, (name, value)| ask.query(*name, value));
        Ok(self.desk.pages(ask, per_page, short_page_ends).starting_at(query.first.max(1)))
    }

    /// Reads one client.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.4).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.buyer().await, kit.billing);
    /// let client = billing.client(id).await?;
    /// assert_eq!(client.name.as_deref(), Some("Acme SpA"));
    /// # Ok(()) });
    /// ```
    pub async fn client(&self, id: u64) -> Result<ClientRecord, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// The one client with this `external_id`, compared exactly where a record shows its own; nothing if there is none.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.4).
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if there are several, naming their ids; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// match billing.client_by_external_id("shop-17").await? {
    ///     Some(client) => println!("known as {}", client.id),
    ///     None => println!("not there: it may be created"),
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn client_by_external_id(&self, external_id: &str) -> Result<Option<ClientRecord>, Error> {
        let mut found = self.clients(&ClientQuery::new().external_id(external_id))?.all().await?;
        found.retain(|client| client.external_id.as_deref().is_none_or(|known| known == external_id));
        only(found, LIST.name, "external_id")
    }

    /// Creates a client. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.4).
    ///
    /// # Errors
    /// A validation error without a name; a refusal with its [`field_errors`](crate::ErrorExt::field_errors); and as every call. After a
    /// lost answer, look the client up before creating it again.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::{ClientFields, NewClient};
    ///
    /// let fields = ClientFields { tax_no: "76.123.456-0".into(), ..ClientFields::default() };
    /// let client = billing.create_client(&NewClient::company("Acme SpA").fields(fields)).await?;
    /// println!("{}", client.id);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "cliente")]
    pub async fn create_client(&self, client: &NewClient) -> Result<ClientRecord, Error> {
        self.desk.record(Ask::new(CREATE).wrapped(ClientRecord::WRAPPER, &client.tokens()?)).await
    }

    /// Changes the given fields of a client and leaves the others. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.4).
    ///
    /// # Errors
    /// As [`create_client`](Self::create_client).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.buyer().await, kit.billing);
    /// use sugester::bitfactura::ClientFields;
    ///
    /// let change = ClientFields { city: "Temuco".into(), ..ClientFields::default() };
    /// assert_eq!(billing.update_client(id, &change).await?.city.as_deref(), Some("Temuco"));
    /// # Ok(()) });
    /// ```
    pub async fn update_client(&self, id: u64, change: &ClientFields) -> Result<ClientRecord, Error> {
        let tokens = changed(change.tokens(), UPDATE.name)?;
        self.desk.record(Ask::new(UPDATE).id(id).wrapped(ClientRecord::WRAPPER, &tokens)).await
    }

    /// Deletes a client. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.4).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.buyer().await, kit.billing);
    /// billing.delete_client(id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_client(&self, id: u64) -> Result<(), Error> {
        self.desk.act(Ask::new(DELETE).id(id)).await
    }
}

/// The only one of what was found.
///
/// # Errors
/// [`ErrorKind::Conflict`] if there are several.
pub(super) fn only<T: Record>(
    mut found: Vec<T>,
    operation: &'static str,
    key: &str,
) -> Result<Option<T>, Error> {
    if found.len() < 2 {
        return Ok(found.pop());
    }
    let ids: Vec<_> = found.iter().take(10).map(|record| record.id().to_string()).collect();
    Err(Error::new(ErrorKind::Conflict, operation)
        .with_outcome(Outcome::ReadOnly)
        .with_message(format!("{} records have the same {key}: {}", found.len(), ids.join(", ")))
        .with_hint("decide which one is meant; nothing was chosen"))
}

impl From<&str> for Patch<ClientKind> {
    fn from(text: &str) -> Self {
        Self::Set(text.into())
    }
}
