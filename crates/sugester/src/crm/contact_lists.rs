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
    /// # Errors
    /// As every call.
    pub async fn contact_list(&self, id: u64) -> Result<ContactList, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// Creates a recipient list of this name. Sent once.
    ///
    /// # Errors
    /// A validation error for a blank name; a refusal; and as every call.
    pub async fn create_contact_list(&self, name: &str) -> Result<ContactList, Error> {
        required(CREATE.name, ContactList::WRAPPER, "name", name)?;
        let tokens = Tokens::from([("name".to_owned(), token(name))]);
        self.desk.record(Ask::new(CREATE).wrapped(ContactList::WRAPPER, &tokens)).await
    }

    /// Changes a recipient list. Sent once.
    ///
    /// # Errors
    /// A validation error if nothing is changed; and as every call.
    pub async fn update_contact_list(
        &self,
        id: u64,
        change: &ContactListFields,
    ) -> Result<ContactList, Error> {
        let tokens = changed(change.tokens(), UPDATE.name)?;
        self.desk.record(Ask::new(UPDATE).id(id).wrapped(ContactList::WRAPPER, &tokens)).await
    }
}
