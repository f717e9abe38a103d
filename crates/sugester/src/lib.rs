//! Sugester CRM, its sister BitFactura invoicing, and the synchronisation between the two.
//!
//! | to | start at |
//! |---|---|
//! | list, create and change clients, contacts, deals, posts and statuses of Sugester | [`Client`], [`crm`] |
//! | list, create and change clients and invoices, fetch PDFs, manage webhooks of BitFactura | [`bitfactura`] |
//! | see whether both systems can be kept in step, and what to do if not | [`connection`] |
//! | see what an error means | [`ErrorExt`], [`Reason`] |
//! | read a token, and know whether it may link both systems | [`ApiToken`], [`AccountName`] |
//! | read and write what the services write | [`value`], [`kinds`], [`tax`] |
//! | find a refusal in an answer, and keep secrets out of it | [`refusal`] |
//! | decide what keeps both systems in step | [`sync`] |
//! | receive webhooks, and deal with each change once | [`webhook`] |
//! | link both systems by hand, step by step | [`setup`], [`check_multipass`] |

pub mod bitfactura;
mod client;
pub mod connection;
pub mod crm;
mod desk;
mod error;
mod idempotency;
pub mod kinds;
mod multipass;
pub mod refusal;
pub mod setup;
pub mod sync;
pub mod tax;
pub mod token;
pub mod value;
pub mod webhook;
mod wire;

pub use client::{Client, ClientBuilder};
pub use desk::AuthMode;
pub use error::{ErrorExt, Reason, Refused};
pub use idempotency::idempotency_table;
pub use integration_core::body::page::{Page, Pages};
pub use integration_core::call::{BaseUrl, Idempotency, Link, RetryPolicy, Timeouts, UnexpectedRedirect};
pub use integration_core::clock::{Clock, ManualClock, SystemClock};
pub use integration_core::{BoxFuture, Error, ErrorKind, Fault, Outcome, Secret, Severity};
pub use multipass::{Multipass, check_multipass};
pub use token::{AccountName, ApiToken, LinkTokenError};
