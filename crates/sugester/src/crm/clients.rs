//! Clients (contract 3.1 and 3.2).
//!
//! The rules enforced here: `company` is always sent with a new client, since its default differs between brands (trap 14); an existing
//! client is updated in place of a new one only where that is asked for; an id of another system finds exactly one client, or is reported.

use http::Method;
use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Fault, Secret};

use super::found::{Linkable, keyed, linked};
use super::query::ListQuery;
use crate::bitfactura::Keyed;
use crate::client::Client;
use crate::desk::Ask;
use crate::kinds::ClientKind;
use crate::value::{AppKey, Day, ExternalIds, Linked, Moment, Patch, Tokens};
use crate::wire::{Change, Record, change, changed, record, token};

const LIST: Operation = Operation::get("list clients of Sugester", "/clients.json");
const FIND: Operation = Operation::get("find a client of Sugester", "/clients.json");
const READ: Operation = Operation::get("read a client of Sugester", "/clients/{id}.json");
const CREATE: Operation = Operation::post("create a client of Sugester", "/clients.json", Idempotency::Once);
const UPDATE: Operation =
    Operation::new("update a client of Sugester", Method::PUT, "/clients/{id}.json", Idempotency::Once);
const DELETE: Operation =
    Operation::new("delete a client of Sugester", Method::DELETE, "/clients/{id}.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 6] = [LIST, FIND, READ, CREATE, UPDATE, DELETE];

record! {
    /// A client as the service shows it; a company is a client with `company`.
    ///
    /// Names are documented, types are assumed (contract 3.2). Custom fields are read by [`custom`](Self::custom); pictures
    /// (`avatar_*`) and everything else stand in `extra`.
    #[doc(alias = "cliente")]
    ClientRecord in "client" of "clients" {
        /// the client's own code, one text: not the same as `external_ids`.
        external_id: Option<String>,
        /// its ids in other systems, by the key of each.
        external_ids: ExternalIds,
        kind: Option<ClientKind>,
        company: Option<bool>,
        name: Option<String>,
        /// the service makes it unique by adding " (1)" (trap 13).
        shortcut: Option<String>,
        first_name: Option<String>,
        last_name: Option<String>,
        description: Option<String>,
        note: Option<String>,
        /// of any country, never checked.
        tax_no: Option<String>,
        register_number: Option<String>,
        street: Option<String>,
        street_no: Option<String>,
        post_code: Option<String>,
        city: Option<String>,
        province: Option<String>,
        country: Option<String>,
        use_delivery_address: Option<bool>,
        delivery_address: Option<String>,
        /// may hold several addresses.
        email: Option<String>,
        phone: Option<String>,
        mobile_phone: Option<String>,
        fax: Option<String>,
        www: Option<String>,
        bank: Option<String>,
        bank_account: Option<String>,
        bank_account_id: Option<u64>,
        discount: Option<String>,
        payment_to_kind: Option<String>,
        project_id: Option<u64>,
        /// the main contact.
        contact_id: Option<u64>,
        status_id: Option<u64>,
        category_id: Option<u64>,
        department_id: Option<u64>,
        responsible_id: Option<u64>,
        creator_id: Option<u64>,
        updater_id: Option<u64>,
        sensitive_data: Option<bool>,
        appendixes_count: Option<i64>,
        posts_count: Option<i64>,
        contacts_count: Option<i64>,
        position: Option<i64>,
        paid_from: Option<Day>,
        paid_to: Option<Day>,
        /// the amount as it was written, digit for digit.
        paid_total: Option<String>,
        /// opens the client's public pages: printed nowhere.
        token: Option<Secret>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
        last_activity: Option<Moment>,
    }
}

change! {
    /// What may be set of a client; what is left alone is not sent. Custom fields by [`with_custom`](Self::with_custom).
    ///
    /// ```
    /// use sugester::crm::ClientFields;
    /// use sugester::value::Patch;
    ///
    /// let change = ClientFields { phone: "+56 2 2345 6789".into(), fax: Patch::Clear, ..ClientFields::default() };
    /// ```
    ClientFields {
        external_id: String,
        /// all of them: whether the service keeps those that are not sent is unknown, so start from those that the record has.
        external_ids: ExternalIds,
        kind: ClientKind,
        company: bool,
        name: String,
        shortcut: String,
        first_name: String,
        last_name: String,
        description: String,
        note: String,
        tax_no: String,
        register_number: String,
        street: String,
        street_no: String,
        post_code: String,
        city: String,
        province: String,
        country: String,
        use_delivery_address: bool,
        delivery_address: String,
        email: String,
        phone: String,
        mobile_phone: String,
        fax: String,
        www: String,
        bank: String,
        bank_account: String,
        bank_account_id: u64,
        discount: rust_decimal::Decimal,
        payment_to_kind: String,
        project_id: u64,
        contact_id: u64,
        status_id: u64,
        category_id: u64,
        department_id: u64,
        responsible_id: u64,
        sensitive_data: bool,
        /// asks the service not to fire webhooks for this write (assumed that Sugester obeys).
        skip_webhooks: bool,
    }
}

impl Linkable for ClientRecord {
    const LINKED: Linked = Linked::Client;

    fn external_ids(&self) -> &ExternalIds {
        &self.external_ids
    }
}

/// A client to be created: a company or a person, which is always said.
///
/// ```
/// use sugester::crm::{ClientFields, NewClient};
///
/// let acme = NewClient::company("Acme SpA").fields(ClientFields { city: "Temuco".into(), ..ClientFields::default() });
/// let ana = NewClient::person("Rojas").origin("web form");
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias = "cliente")]
pub struct NewClient {
    company: bool,
    name: String,
    fields: ClientFields,
    try_update: bool,
    origin: Option<String>,
    url: Option<String>,
}

impl NewClient {
    /// A company of this name.
    pub fn company(name: impl Into<String>) -> Self {
        Self::new(true, name.into())
    }

    /// A person of this last name.
    pub fn person(last_name: impl Into<String>) -> Self {
        Self::new(false, last_name.into())
    }

    fn new(company: bool, name: String) -> Self {
        Self { company, name, fields: ClientFields::default(), try_update: false, origin: None, url: None }
    }

    /// Everything else. Name, last name and `company` stay as they were given, unless a person is given a name too.
    pub fn fields(mut self, fields: ClientFields) -> Self {
        self.fields = fields;
        self
    }

    /// `try_update`: updates an existing client in place of adding one. By what the service finds it is unknown, so it may be
    /// another one than was meant; [`Client::create_client_keyed`] is exact.
    pub fn try_update(mut self) -> Self {
        self.try_update = true;
        self
    }

    /// `origin` (observed).
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// `url` (observed).
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        let key = if self.company { "name" } else { "last_name" };
        required(CREATE.name, "client", key, &self.name)?;
        let mut tokens = self.fields.tokens();
        tokens.insert(key.to_owned(), token(&self.name));
        tokens.insert("company".to_owned(), token(&self.company));
        if self.try_update {
            tokens.insert("try_update".to_owned(), token(&true));
        }
        for (key, text) in [("origin", &self.origin), ("url", &self.url)] {
            text.iter().for_each(|text| drop(tokens.insert(key.to_owned(), token(text))));
        }
        Ok(tokens)
    }

    fn linked_to(&self, app: &AppKey, id: u64) -> Self {
        let known = self.fields.external_ids.value().cloned().unwrap_or_default();
        let mut linked = self.clone();
        linked.fields.external_ids = Patch::Set(known.with_text(app, Linked::Client, id));
        linked
    }
}

/// A text that has to be there.
pub(super) fn required(operation: &'static str, wrapper: &str, key: &str, text: &str) -> Result<(), Error> {
    if !text.trim().is_empty() {
        return Ok(());
    }
    let fault =
        Fault::error("REQUIRED", format!("{wrapper}.{key}")).with_expected("a text that is not blank");
    Err(Error::validation(operation, vec![fault]))
}

impl Client {
    /// Lists clients, page by page; at most 1000 pages, then an error (contract 4.7).
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
    /// let mut pages = crm.clients(&ListQuery::new())?;
    /// while let Some(page) = pages.next_page().await? {
    ///     for client in page.items {
    ///         println!("{} {:?}", client.id, client.name);
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "clientes")]
    pub fn clients(&self, query: &ListQuery) -> Result<Pages<ClientRecord>, Error> {
        query.pages(&self.desk, LIST.name, Ask::new(LIST))
    }

    /// Reads one client.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.acme().await, kit.crm);
    /// assert_eq!(crm.client(id).await?.name.as_deref(), Some("Acme SpA"));
    /// # Ok(()) });
    /// ```
    pub async fn client(&self, id: u64) -> Result<ClientRecord, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// The one client whose `external_ids` hold this id under the key (as `APP` or `APP_client_id`, without case; ids as text).
    /// All clients are read for it: no filter is documented.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1, 4.9).
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if several clients claim the id, or one that claims others too; and as every
    /// call. An error never means that there is none.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// match crm.client_by_external_id(&"shop".parse()?, 17).await? {
    ///     Some(client) => println!("known as {}", client.id),
    ///     None => println!("not there: it may be created"),
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn client_by_external_id(&self, app: &AppKey, id: u64) -> Result<Option<ClientRecord>, Error> {
        let pages = ListQuery::new().pages(&self.desk, FIND.name, Ask::new(FIND))?;
        linked(pages, FIND.name, app, &id.to_string()).await
    }

    /// Creates a client. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error without a name; a refusal with its [`field_errors`](crate::ErrorExt::field_errors): an account may refuse a
    /// second client with the same tax number, name, phone or e-mail; and as every call. After a lost answer, look the client up before
    /// creating it again.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::{ClientFields, NewClient};
    ///
    /// let fields = ClientFields { tax_no: "76.123.456-0".into(), ..ClientFields::default() };
    /// let client = crm.create_client(&NewClient::company("Acme SpA").fields(fields)).await?;
    /// println!("{}", client.id);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "cliente")]
    pub async fn create_client(&self, client: &NewClient) -> Result<ClientRecord, Error> {
        self.desk.record(Ask::new(CREATE).wrapped(ClientRecord::WRAPPER, &client.tokens()?)).await
    }

    /// Creates a client for a record of another system, unless there is one: looks for the id, creates the client with the id in its
    /// `external_ids`, and looks again if the answer is lost (contract 4.9). The creation is sent once. Two programs that do this at the
    /// same moment for the same id can still make two.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by the id in `external_ids`, within one program.
    ///
    /// # Errors
    /// As [`client_by_external_id`](Self::client_by_external_id) and [`create_client`](Self::create_client); with an unknown outcome if
    /// the answer was lost and no client has the id.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::NewClient;
    ///
    /// let (shop, wanted) = ("shop".parse()?, NewClient::company("Acme SpA"));
    /// let first = crm.create_client_keyed(&shop, 17, &wanted).await?.into_inner();
    /// let again = crm.create_client_keyed(&shop, 17, &wanted).await?;
    /// assert!(again.was_found());
    /// assert_eq!(again.into_inner().id, first.id);
    /// # Ok(()) });
    /// ```
    pub async fn create_client_keyed(
        &self,
        app: &AppKey,
        id: u64,
        client: &NewClient,
    ) -> Result<Keyed<ClientRecord>, Error> {
        let client = client.linked_to(app, id);
        client.tokens()?;
        keyed(|| self.client_by_external_id(app, id), self.create_client(&client)).await
    }

    /// Changes the given fields of a client and leaves the others. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error if nothing is changed; and as [`create_client`](Self::create_client).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.acme().await, kit.crm);
    /// use sugester::crm::ClientFields;
    /// use sugester::value::Patch;
    ///
    /// let change = ClientFields { city: "Temuco".into(), fax: Patch::Clear, ..ClientFields::default() };
    /// assert_eq!(crm.update_client(id, &change).await?.city.as_deref(), Some("Temuco"));
    /// # Ok(()) });
    /// ```
    pub async fn update_client(&self, id: u64, change: &ClientFields) -> Result<ClientRecord, Error> {
        let tokens = changed(change.tokens(), UPDATE.name)?;
        self.desk.record(Ask::new(UPDATE).id(id).wrapped(ClientRecord::WRAPPER, &tokens)).await
    }

    /// Deletes a client. Sent once. The synchronisation never does this.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.acme().await, kit.crm);
    /// crm.delete_client(id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_client(&self, id: u64) -> Result<(), Error> {
        self.desk.act(Ask::new(DELETE).id(id)).await
    }
}
