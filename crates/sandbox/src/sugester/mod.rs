//! Sugester CRM: its simulator, and the handle through which a test drives it.
//!
//! Below `/app` are clients, contacts, deals, posts, recipient lists, statuses, the partner account and the sync
//! receiver `clients/external_update.json` (contract sections 3.1 to 3.3 and 4.4); the helpdesk list is `/app.json` at
//! the root. It has no webhooks out. What the contract leaves open is chosen in [`Settings`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use integration_sandbox::sugester::{Endpoint, Table};
//! use integration_sandbox::{Fault, Sandbox};
//! use serde_json::json;
//!
//! let sandbox = Sandbox::start().await?;
//! let sugester = sandbox.sugester();
//! println!("SUGESTER_BASE_URL={}", sugester.base_url());
//! println!("SUGESTER_API_TOKEN={}", sugester.token());
//!
//! // Somebody adds a client in the web page; the next deal is created, and nobody hears of it.
//! let id = sugester.add(Table::Clients, &json!({ "name": "Panadería Soto" }))?;
//! sugester.inject(Endpoint::CreateDeal, Fault::ActThenReset);
//! // … run the program under test, then count what really happened:
//! assert_eq!(sugester.record(Table::Clients, id).unwrap()["shortcut"], "Panadería Soto");
//! assert_eq!(sugester.created(Table::Deals), 0);
//! # Ok(()) }
//! ```
//!
//! The control API does the same over HTTP, below `/_sandbox/sugester/`.

mod fields;
mod office;
mod route;
mod settings;

use crate::crm::desk::Desk;
use crate::crm::handle;
pub use crate::crm::{
    DeleteAnswer, ErrorBody, ErrorInside, ListShape, Order, PageSize, RecordShape, Request, TokenPlace,
    UnknownFields, Wire,
};
use crate::server::{Bound, Running};
use office::Office;
pub use settings::{Endpoint, ExternalIds, ReceiverAnswer, Settings, Table, TryUpdateBy};

handle!(
    /// Handle of the simulated Sugester; clones drive the same one.
    ///
    /// It works as long as the [`Sandbox`](crate::Sandbox) it came from is alive.
    Sugester,
    Office
);

impl Sugester {
    /// Serves Sugester on a bound port until the guard is dropped.
    pub(crate) fn serve(bound: Bound) -> (Self, Running) {
        let (desk, running, _) = Desk::serve(bound);
        (Self(desk), running)
    }

    /// Adds this many clients out of a seed. [`BitFactura::seed`](crate::BitFactura::seed) makes the same ones of the
    /// same seed, so that both have them unlinked, with the same tax numbers. Their times of change lie in the past.
    pub fn seed(&self, clients: u64, seed: u64) {
        self.0.by_hand(|office, now| office.seed(clients, seed, now));
    }
}
