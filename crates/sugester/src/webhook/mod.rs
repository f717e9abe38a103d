//! Receives BitFactura's webhooks (contract 4.6): anybody can post to a URL, the body names no event, and it may come late, twice, out
//! of order or never. So a body is proven by the secret that it repeats, taken as no more than a hint, and the record is read again.
//!
//! | to | take |
//! |---|---|
//! | accept webhooks and keep what they hint at, before they are answered | [`Receiver`] over a [`HintSink`] |
//! | keep the hints in memory, or over restarts | [`MemoryHints`]; `StoredHints` (feature `store`) |
//! | have each change read again and handled once, without the synchronisation | [`Worker`] over the same hints |
//! | serve it with axum | `router` (feature `axum`) |
//!
//! The kind of event is known from the path alone (trap 4): register one row of webhooks for each, `…/client`, `…/invoice`,
//! `…/product`, `…/open`, see [`Route`]. An invoice event carries a deal and no invoice (trap 3), see [`DealSaid`]. `skip_webhooks`, which
//! every captured body carries, is never read (trap 2).
//!
//! | answer | when |
//! |---|---|
//! | 200 | what it hints at is kept, a duplicate too; or it does not fit its route, and is reported as [`Unknown`] |
//! | 400 | no JSON object, or not whole within 30 s (a setting) |
//! | 401 | `api_token`, or the secret in the path, is missing or wrong; or nobody has given the route a secret |
//! | 413 | more than 1 MiB (a setting) |
//! | 500 | the hint could not be kept |
//!
//! A sender that is refused may switch its row off (trap 25): look at
//! [`inactive_webhooks`](crate::bitfactura::Client::inactive_webhooks) from time to time, and poll, since webhooks get lost.
//! The sender is told no more than a status; why is told to [`ReceiverBuilder::observer`]. Routes, answers, secrets and limits are
//! assumptions of the contract.
//!
//! ```
//! use std::sync::Arc;
//! use sugester::webhook::{Confirmed, Event, Handler, MemoryHints, Receiver, Reread, Route, Worker};
//! use sugester::{BoxFuture, Error};
//! # use sugester::bitfactura::{ClientRecord, Invoice};
//!
//! struct Print;
//! impl Handler for Print {
//!     fn handle(&self, confirmed: Confirmed) -> BoxFuture<'_, Result<(), Error>> {
//!         match &confirmed.event {
//!             Event::Client(client) => println!("client {} is now {:?}", client.id, client.name),
//!             Event::Invoice(invoice) => println!("invoice {} is now {:?}", invoice.id, invoice.number),
//!             Event::Gone(subject, id) => println!("{subject} {id} is gone"),
//!             _ => println!("something else"),
//!         }
//!         Box::pin(std::future::ready(Ok(())))
//!     }
//! }
//!
//! # #[derive(Debug)] struct Service;
//! # impl Reread for Service {
//! #     fn client(&self, _: u64) -> BoxFuture<'_, Result<Option<ClientRecord>, Error>> { Box::pin(async { Ok(None) }) }
//! #     fn invoice(&self, _: u64) -> BoxFuture<'_, Result<Option<Invoice>, Error>> { Box::pin(async { Ok(None) }) }
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let hints = Arc::new(MemoryHints::default()); // in earnest StoredHints
//! let receiver = Receiver::builder().route(Route::Client, "typed into the row").sink(hints.clone()).build()?;
//!
//! let (parts, ()) = http::Request::post("/client").body(()).unwrap().into_parts();
//! let body = r#"{"app_name": "bitfactura", "api_token": "typed into the row", "client": {"id": 17, "name": "Acme"}}"#;
//! let reply = receiver.receive_bytes(Route::Client, &parts, body.into()).await;
//! assert_eq!(reply.status(), 200);
//!
//! // Elsewhere, for ever: worker.run(stop). In earnest `client` is a bitfactura::Client.
//! # let client = Service;
//! let worker = Worker::new(hints, Arc::new(client), Arc::new(Print));
//! assert_eq!(worker.round().await?.handled, 1);
//! # Ok::<(), Error>(()) }).unwrap();
//! ```

mod builder;
mod hint;
mod memory;
mod queue;
mod receiver;
mod reread;
mod route;
#[cfg(feature = "axum")]
mod router;
mod said;
#[cfg(feature = "store")]
mod stored;
mod worker;

pub use builder::ReceiverBuilder;
pub use hint::{Heard, Hint, Subject, Unknown};
pub use integration_core::body::webhook::{
    Claim, ClaimTicket, Duplicates, MemoryDuplicates, Observer, Refusal, Refused, SharedSecret,
};
#[cfg(feature = "store")]
pub use integration_store::StoredDuplicates;
pub use memory::MemoryHints;
pub use queue::{HintQueue, HintSink, Waiting};
pub use receiver::{Disposition, Receiver, Reply};
pub use reread::Reread;
pub use route::Route;
#[cfg(feature = "axum")]
pub use router::router;
pub use said::{ClientSaid, DealClientSaid, DealSaid, Envelope, Notice, Said};
#[cfg(feature = "store")]
pub use stored::StoredHints;
pub use worker::{Confirmed, Event, Handler, Round, Worker};
