//! BitFactura invoicing: its simulator, and the handle through which a test drives it.
//!
//! Clients, invoices with positions and totals, PDF, mails, attachments, webhook rows, account and the other resources
//! (contract sections 3.4 to 3.7). Webhooks are really posted in the captured shapes (4.6), and can come late, twice,
//! out of order or not at all. What the contract leaves open is chosen in [`Settings`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use integration_sandbox::bitfactura::{Endpoint, Table, WebhookFault};
//! use integration_sandbox::{Fault, Sandbox};
//! use serde_json::json;
//!
//! let sandbox = Sandbox::start().await?;
//! let bitfactura = sandbox.bitfactura();
//! println!("BITFACTURA_BASE_URL={}", bitfactura.base_url());
//! println!("BITFACTURA_API_TOKEN={}", bitfactura.token());
//!
//! // 20 clients and 50 invoices; then somebody edits one in the web page, and its webhook is lost.
//! bitfactura.seed(20, 50, 7);
//! let id = bitfactura.records(Table::Clients)[0]["id"].as_u64().unwrap();
//! bitfactura.inject_webhook(Some("client:update"), WebhookFault::Lost);
//! bitfactura.edit(Table::Clients, id, &json!({ "city": "Sevilla" }))?;
//! bitfactura.inject(Endpoint::CreateInvoice, Fault::ActThenReset);
//! // … run the program under test, then count what really happened:
//! assert_eq!(bitfactura.created(Table::Invoices), 50);
//! # Ok(()) }
//! ```
//!
//! The control API does the same over HTTP, below `/_sandbox/bitfactura/`.

mod fields;
mod files;
mod invoices;
mod office;
mod period;
mod positions;
mod postman;
mod route;
mod settings;
mod webhooks;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::crm::desk::Desk;
use crate::crm::handle;
pub use crate::crm::{
    DeleteAnswer, ErrorBody, ErrorInside, ListShape, Order, PageSize, RecordShape, Request, TokenPlace,
    UnknownFields, Wire,
};
use crate::fault::When;
use crate::server::{Bound, Running};
pub(crate) use office::Office;
pub use settings::{Deleted, Endpoint, Filter, NotReady, PdfAnswer, Settings, Table, ViewUrl, WebhookShape};
pub use webhooks::{Attempt, Webhook, WebhookFault};

/// The one user's login and e-mail address.
const LOGIN: &str = "ana@example.com";
const PASSWORD: &str = "sandbox-password";
/// Most addresses of one mail.
const MAX_ADDRESSES: usize = 5;

/// An invoice that was sent by e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mail {
    /// Id of the invoice.
    pub invoice: u64,
    /// Addresses.
    pub to: Vec<String>,
}

handle!(
    /// Handle of the simulated BitFactura; clones drive the same one.
    ///
    /// It works as long as the [`Sandbox`](crate::Sandbox) it came from is alive.
    BitFactura,
    Office
);

impl BitFactura {
    /// Serves BitFactura on a bound port until the guards are dropped.
    pub(crate) fn serve(bound: Bound) -> (Self, [Running; 2]) {
        let (desk, running, inbox) = Desk::serve(bound);
        let postman = Running::beside(postman::run(Arc::clone(&desk), inbox));
        (Self(desk), [running, postman])
    }

    /// Login and e-mail address of the one user, for `login.json`.
    #[must_use]
    pub fn login(&self) -> &'static str {
        LOGIN
    }

    /// Password of the one user.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Adds clients, and invoices of the last three years for them, out of a seed. Fires no webhooks; the times of
    /// change lie in the past. Without clients, the invoices are for those that are there.
    pub fn seed(&self, clients: u64, invoices: u64, seed: u64) {
        self.0.by_hand(|office, now| office.seed(clients, invoices, seed, now));
    }

    /// Every webhook, with what its receiver answered.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.0.state().system.sent.clone()
    }

    /// Waits until nothing more will be tried for this many webhooks since the last reset.
    pub async fn wait_for_webhooks(&self, count: usize) {
        self.0.wait_for_letters(count).await;
    }

    /// Spoils the next webhook of this kind, or of any.
    pub fn inject_webhook(&self, kind: Option<&str>, fault: WebhookFault) {
        self.plan_webhook(kind, fault, When::Times(1));
    }

    /// Spoils webhooks of this kind, or of any, with this probability (0 to 1); the same seed gives the same run of
    /// hits.
    pub fn inject_webhook_random(
        &self,
        kind: Option<&str>,
        fault: WebhookFault,
        probability: f64,
        seed: u64,
    ) {
        self.plan_webhook(kind, fault, When::Random { probability, seed });
    }

    pub(crate) fn plan_webhook(&self, kind: Option<&str>, fault: WebhookFault, when: When) {
        self.0.state().system.webhook_faults.add(kind.map(ToOwned::to_owned), fault, when);
    }

    /// Posts every client to this webhook row, as `client:sync` does. Tells how many.
    #[expect(clippy::must_use_candidate, reason = "the effect is what counts")]
    pub fn fire_sync(&self, row: u64) -> usize {
        self.0.by_hand(|office, _| office.fire_sync(row))
    }

    /// Every invoice that was sent by e-mail.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.0.state().system.mails.clone()
    }

    /// A file that was attached to an invoice.
    #[must_use]
    pub fn attachment(&self, invoice: u64, file_name: &str) -> Option<Vec<u8>> {
        let state = self.0.state();
        let files = state.system.attachments.get(&invoice)?;
        files.iter().find(|(name, _)| name == file_name).map(|(_, content)| content.to_vec())
    }
}
