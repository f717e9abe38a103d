//! Stateful simulators of the services that the workspace's clients talk to, on loopback, without an account.
//!
//! A simulator enforces its service's rules, keeps what happened so that a test can count it, and misbehaves on
//! demand down to the socket: it can commit a document and reset the connection before anybody hears of it.
//! Everything is written from the services' contracts alone and shares no code with the clients, so that a slip
//! in the reading of a contract shows as a disagreement.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), integration_sandbox::Error> {
//! use integration_sandbox::fiscal::Endpoint;
//! use integration_sandbox::{Fault, Sandbox};
//!
//! let sandbox = Sandbox::start().await?;
//! let fiscal = sandbox.fiscal();
//! println!("FISCAL_PRINTER_BASE_URL={}", fiscal.base_url());
//! println!("FISCAL_PRINTER_TOKEN={}", fiscal.token());
//!
//! fiscal.inject(Endpoint::Issue, Fault::ActThenReset);
//! // … run the program under test, then count what really happened:
//! assert!(fiscal.documents().is_empty());
//! # Ok(()) }
//! ```
//!
//! | module or type | what it is for |
//! |---|---|
//! | [`Sandbox`] | start, ports, stop |
//! | [`Fault`], [`Scripted`] | ways to misbehave, the same for every service |
//! | [`apiges`] | the REST API of a case-management program for industrial property, Spain |
//! | [`websync`] | the portal that shows its case files to chosen contacts; the protocol is this project's own |
//! | [`fiscal`] | the SMART digital fiscal printing house, Venezuela |
//! | [`geosite`] | GeoSite Telecom FTTH maps, Brazil |
//! | [`hubsoft`] | HubSoft's public API over the same customers |
//! | [`legale`] | Legale.io certified e-signature, Chile |
//! | [`sugester`] | Sugester CRM |
//! | [`bitfactura`] | BitFactura invoicing, Sugester's sister |
//! | [`openapi`] | OpenAPI documents of all of them |
//!
//! The program `sandbox` serves the same on fixed ports, with a control API under `/_sandbox/`.

#[macro_use]
mod choices;

mod answer;
pub mod apiges;
pub mod bitfactura;
mod blob;
mod chance;
mod clock;
mod control;
mod crm;
mod error;
mod fault;
pub mod fiscal;
pub mod geosite;
pub mod hubsoft;
mod json;
mod kept;
pub mod legale;
pub mod openapi;
mod page;
mod payload;
mod post;
mod sandbox;
mod server;
mod sieve;
mod stage;
pub mod sugester;
mod tape;
mod veil;
pub mod websync;

pub use apiges::Apiges;
pub use bitfactura::BitFactura;
pub use error::Error;
pub use fault::{Fault, Scripted};
pub use fiscal::Fiscal;
pub use geosite::GeoSite;
pub use hubsoft::HubSoft;
pub use legale::Legale;
pub use sandbox::{Sandbox, SandboxBuilder};
pub use sugester::Sugester;
pub use websync::WebSync;
