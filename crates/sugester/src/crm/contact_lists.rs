//! Recipient lists (contract 3.1). They can be read, created and renamed; nothing lists them.

use http::Method;
use integration_core::Error;
use integration_core::call::{Idempotency, Operation};

use super::clients::required;
use crate::client::Client;
use crate::desk::Ask;
use crate::value::{Moment, Tokens};
use crate::wire::{Change, Record, change, changed, record, token};

const READ: Operation = Operation::get("read a recipient list", "/contact_lists/{id}.json");
const CREATE: Operation =
    Operation::post("create a recipient list", "/contact_lists.json", Idempotency::Once);
const UPDATE: Operation =
    Operation::new("update a recipient list", Method::PUT, "/contact_lists/{id}.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 3] = [READ, CREATE, UPDATE];

record! {
    /// A recipient list as the service shows it.
    ContactList in "contact_list" of "contact_lists" {
        name: Option<String>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
    }
}

change! {
    /// What may be set of a recipient list.
    ContactListFields {
        name: String,
    }
}

impl Client {
    /// Reads one recipient list.
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
    /// # let id = crm.create_contact_list("Boletín").await?.id;
    /// println!("{:?}", crm.contact_list(id).await?.name);
    /// # Ok(()) });
    /// ```
    pub async fn contact_list(&self, id: u64) -> Result<ContactList, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// Creates a recipient list of this name. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error for a blank name; a refusal; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// let list = crm.create_contact_list("Boletín").await?;
    /// println!("{}", list.id);
    /// # Ok(()) });
    /// ```
    pub async fn create_contact_list(&self, name: &str) -> Result<ContactList, Error> {
        required(CREATE.name, ContactList::WRAPPER, "name", name)?;
        let tokens = Tokens::from([("name".to_owned(), token(name))]);
        self.desk.record(Ask::new(CREATE).wrapped(ContactList::WRAPPER, &tokens)).await
    }

    /// Changes a recipient list. Sent once.
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
    /// # let id = crm.create_contact_list("Boletín").await?.id;
    /// use sugester::crm::ContactListFields;
    ///
    /// let change = ContactListFields { name: "Boletín mensual".into(), ..ContactListFields::default() };
    /// crm.update_contact_list(id, &change).await?;
    /// # Ok(()) });
    /// ```
    pub async fn update_contact_list(
        &self,
        id: u64,
        change: &ContactListFields,
    ) -> Result<ContactList, Error> {
        let tokens = changed(change.tokens(), UPDATE.name)?;
        self.desk.record(Ask::new(UPDATE).id(id).wrapped(ContactList::WRAPPER, &tokens)).await
    }
}
