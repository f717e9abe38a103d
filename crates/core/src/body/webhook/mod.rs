//! What every receiver of webhooks needs, whichever service posts: who it is, how much is read, what is answered, and that nothing
//! is handled twice (contracts: `legale` 4.6, `sugester` 4.6).
//!
//! | part | rule |
//! |---|---|
//! | [`SharedSecret`], [`same_text`], [`same_digest`] | an empty secret cannot be configured; comparisons take the same time wherever two values differ |
//! | [`Limits`], [`Chunks`], [`read`] | a body is bounded in size and time; what is announced as too large is not read at all |
//! | [`Refusal`], [`accepted`] | 200, 400, 401, 413 or 500, and never a word to whoever tries |
//! | [`Observer`] | the owner of the receiver is told why, though the sender is not |
//! | [`Guard`] over [`Duplicates`] | a callback is claimed, handled, marked as done: once, also over restarts and several receivers |
//!
//! A receiver for a service that echoes a token and posts JSON:
//!
//! ```
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use integration_core::body::webhook::{self, Entered, Guard, Limits, MemoryDuplicates, Refusal, SharedSecret, Whole};
//! use integration_core::clock::SystemClock;
//!
//! struct Receiver { secret: SharedSecret, guard: Guard }
//!
//! impl Receiver {
//!     async fn receive(&self, parts: &http::request::Parts, body: Whole) -> Result<http::Response<Bytes>, Refusal> {
//!         let clock = SystemClock::new();
//!         let body = webhook::read(&parts.headers, body, Limits::new(1024 * 1024), &clock).await?;
//!         let event: serde_json::Value =
//!             serde_json::from_slice(&body).map_err(|_| Refusal::Malformed("the body is no JSON"))?;
//!         if !self.secret.is(event["api_token"].as_str().unwrap_or_default()) {
//!             return Err(Refusal::Unauthorized("api_token is missing or wrong"));
//!         }
//!         match self.guard.enter(&event["id"].to_string()).await.map_err(Refusal::Failed)? {
//!             Entered::New(handling) => handling.done().await.map_err(Refusal::Failed)?, // after the work
//!             Entered::InProgress => return Err(Refusal::InProgress),
//!             _ => {} // a duplicate
//!         }
//!         Ok(webhook::accepted())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let receiver = Receiver {
//!     secret: SharedSecret::new("typed into the service's form")?,
//!     guard: Guard::new(Arc::new(MemoryDuplicates::default())),
//! };
//! let (parts, ()) = http::Request::post("/client").body(()).unwrap().into_parts();
//! let body = Whole::new(r#"{"api_token": "a guess", "id": 7}"#);
//! let refusal = receiver.receive(&parts, body).await.unwrap_err();
//! assert_eq!(refusal.status(), 401);
//! # Ok::<(), integration_core::Error>(()) }).unwrap();
//! ```

mod answer;
mod guard;
mod intake;
mod memory;
mod secret;

pub use answer::{Observer, Refusal, Refused, accepted};
pub use guard::{Claim, ClaimTicket, Duplicates, Entered, Guard, Handling};
pub use intake::{Chunks, Limits, Whole, read};
pub use memory::MemoryDuplicates;
pub use secret::{SharedSecret, same_digest, same_text};
