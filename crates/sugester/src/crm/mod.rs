//! What [`Client`](crate::Client) does with Sugester: clients, contacts, deals, posts and comments, recipient lists, statuses, accounts of
//! a partner, and the receiver of the synchronisation (contract 3.1 to 3.3 and 4.4).
//!
//! A company is a client with `company`. Projects, users, forms, time entries, invoices and webhooks have no public endpoint here.
//!
//! ```no_run
//! use sugester::Client;
//! use sugester::crm::{ClientFields, DealFields, NewClient, NewDeal};
//! use sugester::value::Patch;
//!
//! # async fn run() -> Result<(), sugester::Error> {
//! let client = Client::from_env()?;
//! let fields = ClientFields { tax_no: "76.123.456-0".into(), city: "Temuco".into(), ..ClientFields::default() };
//! let acme = client.create_client(&NewClient::company("Acme SpA").fields(fields)).await?;
//!
//! // Only what is set or cleared is sent:
//! let change = ClientFields { phone: "+56 45 223 4567".into(), fax: Patch::Clear, ..ClientFields::default() };
//! client.update_client(acme.id, &change).await?;
//!
//! let fields = DealFields { price: rust_decimal::Decimal::new(119_000, 2).into(), ..DealFields::default() };
//! client.create_deal(&NewDeal::new("Consulting").for_client(acme.id).fields(fields)).await?;
//! # Ok(())
//! # }
//! ```

mod account;
mod check;
mod clients;
mod contact_lists;
mod contacts;
mod custom;
mod deals;
mod found;
mod posts;
mod query;
mod receiver;
mod statuses;

pub use account::{NewPartnerAccount, PartnerAccount};
pub use clients::{ClientFields, ClientRecord, NewClient};
pub use contact_lists::{ContactList, ContactListFields};
pub use contacts::{Contact, ContactFields, NewContact};
pub use custom::{CustomField, CustomKind, CustomValue};
pub use deals::{Deal, DealFields, NewDeal};
pub use posts::{NewPost, Post, PostFields};
pub use query::ListQuery;
pub use receiver::ExternalUpdate;
pub use statuses::{NewStatus, Status};

use integration_core::call::Operation;

pub(crate) fn operations() -> Vec<Operation> {
    let mut all = vec![check::CHECK, account::CREATE, receiver::PUSH];
    all.extend(clients::OPERATIONS);
    all.extend(contacts::OPERATIONS);
    all.extend(deals::OPERATIONS);
    all.extend(posts::OPERATIONS);
    all.extend(contact_lists::OPERATIONS);
    all.extend(statuses::OPERATIONS);
    all
}
