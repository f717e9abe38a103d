//! BitFactura and its sister brands: clients, invoices, webhooks and everything else of the invoicing API (contract 2 and 3.4 to 3.9).
//!
//! ```no_run
//! use rust_decimal::Decimal;
//! use sugester::bitfactura::{Buyer, Client, InvoiceFields, InvoiceQuery, NewInvoice, Period, PositionFields};
//!
//! # async fn run() -> Result<(), sugester::Error> {
//! let client = Client::from_env()?; // BITFACTURA_BASE_URL, BITFACTURA_API_TOKEN
//! let invoice = NewInvoice::new(Buyer::Existing(17))
//!     .position(PositionFields { product_id: 5.into(), quantity: Decimal::TWO.into(), ..PositionFields::default() })
//!     .fields(InvoiceFields { payment_to_kind: "14".into(), ..InvoiceFields::default() })
//!     .oid("order-2024-881");
//! let made = client.create_invoice_keyed(&invoice).await?;
//! println!("{:?}", made.into_inner().number);
//!
//! let mut pages = client.invoices(&InvoiceQuery::new().period(Period::ThisYear))?;
//! while let Some(page) = pages.next_page().await? {
//!     println!("{} invoices", page.items.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Records can be serialised, tokens and links of public views among their fields; printing them shows neither.

mod account;
mod attachments;
mod client;
mod clients;
mod file;
mod invoice;
mod invoices;
mod keyed;
mod login;
mod query;
mod resources;
mod webhooks;

pub use account::{AccountAction, AccountMade, NewAccount};
pub use client::{Client, ClientBuilder};
pub use clients::{ClientFields, ClientOrder, ClientQuery, ClientRecord, NewClient};
pub use file::{Fetched, File, PrintOption};
pub use invoice::{Income, Invoice, InvoiceFields, Position, PositionFields};
pub use invoices::{Buyer, InvoiceChange, Mail, NewInvoice, PositionChange};
pub use keyed::Keyed;
pub use login::{LoggedIn, Login};
pub use query::{InvoiceOrder, InvoiceQuery, Period, SearchDate};
pub use resources::{RawRecord, Resource};
pub use webhooks::{NewWebhook, Webhook, WebhookFields};

use integration_core::call::Operation;

pub(crate) fn operations() -> Vec<Operation> {
    let mut all = vec![login::LOG_IN];
    all.extend(clients::OPERATIONS);
    all.extend(invoices::OPERATIONS);
    all.extend(attachments::OPERATIONS);
    all.extend(webhooks::OPERATIONS);
    all.extend(account::OPERATIONS);
    all.extend(resources::OPERATIONS);
    all
}
