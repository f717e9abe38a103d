//! Contacts: people at a client (contract 3.1 and 3.2). The path of their list is assumed.

use http::Method;
use integration_core::Error;
use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};

use super::clients::required;
use super::query::ListQuery;
use crate::client::Client;
use crate::desk::Ask;
use crate::value::{Moment, Tokens};
use crate::wire::{Change, Record, change, changed, record, token};

const LIST: Operation = Operation::get("list contacts", "/contacts.json");
const READ: Operation = Operation::get("read a contact", "/contacts/{id}.json");
const CREATE: Operation = Operation::post("create a contact", "/contacts.json", Idempotency::Once);
const UPDATE: Operation =
    Operation::new("update a contact", Method::PUT, "/contacts/{id}.json", Idempotency::Once);
const DELETE: Operation =
    Operation::new("delete a contact", Method::DELETE, "/contacts/{id}.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 5] = [LIST, READ, CREATE, UPDATE, DELETE];

record! {
    /// A contact as the service shows it.
    #[doc(alias = "contacto")]
    Contact in "contact" of "contacts" {
        name: Option<String>,
        description: Option<String>,
        first_name: Option<String>,
        last_name: Option<String>,
        responsible_id: Option<u64>,
        email: Option<String>,
        phone: Option<String>,
        note: Option<String>,
        client_id: Option<u64>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
    }
}

change! {
    /// What may be set of a contact; what is left alone is not sent.
    ContactFields {
        name: String,
        description: String,
        first_name: String,
        last_name: String,
        responsible_id: u64,
        email: String,
        phone: String,
        note: String,
        client_id: u64,
    }
}

/// A contact to be created.
///
/// ```
/// use sugester::crm::{ContactFields, NewContact};
///
/// let ana = NewContact::new("Ana Rojas")
///     .fields(ContactFields { client_id: 17.into(), email: "ana@example.com".into(), ..ContactFields::default() });
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias = "contacto")]
pub struct NewContact {
    name: String,
    fields: ContactFields,
}

impl NewContact {
    /// A contact of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), fields: ContactFields::default() }
    }

    /// Everything but the name.
    pub fn fields(mut self, fields: ContactFields) -> Self {
        self.fields = fields;
        self
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        required(CREATE.name, Contact::WRAPPER, "name", &self.name)?;
        let mut tokens = self.fields.tokens();
        tokens.insert("name".to_owned(), token(&self.name));
        Ok(tokens)
    }
}

impl Client {
    /// Lists contacts, page by page (its path is assumed).
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
    /// let mut pages = crm.contacts(&ListQuery::new())?;
    /// while let Some(page) = pages.next_page().await? {
    ///     println!("{} contacts", page.items.len());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "contactos")]
    pub fn contacts(&self, query: &ListQuery) -> Result<Pages<Contact>, Error> {
        query.pages(&self.desk, LIST.name, Ask::new(LIST))
    }

    /// Reads one contact.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// # let id = crm.create_contact(&sugester::crm::NewContact::new("Ana Rojas")).await?.id;
    /// println!("{:?}", crm.contact(id).await?.name);
    /// # Ok(()) });
    /// ```
    pub async fn contact(&self, id: u64) -> Result<Contact, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// Creates a contact. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error without a name; a refusal; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.acme().await, kit.crm);
    /// use sugester::crm::{ContactFields, NewContact};
    ///
    /// let fields = ContactFields { client_id: id.into(), ..ContactFields::default() };
    /// let contact = crm.create_contact(&NewContact::new("Ana Rojas").fields(fields)).await?;
    /// println!("{}", contact.id);
    /// # Ok(()) });
    /// ```
    pub async fn create_contact(&self, contact: &NewContact) -> Result<Contact, Error> {
        self.desk.record(Ask::new(CREATE).wrapped(Contact::WRAPPER, &contact.tokens()?)).await
    }

    /// Changes the given fields of a contact and leaves the others. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error if nothing is changed; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// # let id = crm.create_contact(&sugester::crm::NewContact::new("Ana Rojas")).await?.id;
    /// use sugester::crm::ContactFields;
    ///
    /// crm.update_contact(id, &ContactFields { phone: "+56 45 223 4567".into(), ..ContactFields::default() }).await?;
    /// # Ok(()) });
    /// ```
    pub async fn update_contact(&self, id: u64, change: &ContactFields) -> Result<Contact, Error> {
        let tokens = changed(change.tokens(), UPDATE.name)?;
        self.desk.record(Ask::new(UPDATE).id(id).wrapped(Contact::WRAPPER, &tokens)).await
    }

    /// Deletes a contact. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// # let id = crm.create_contact(&sugester::crm::NewContact::new("Ana Rojas")).await?.id;
    /// crm.delete_contact(id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_contact(&self, id: u64) -> Result<(), Error> {
        self.desk.act(Ask::new(DELETE).id(id)).await
    }
}
