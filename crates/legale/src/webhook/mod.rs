//! Callbacks: anybody can post to a URL, so nothing in one is believed that was not proven, and nothing is handled twice
//! (contract 4.6).
//!
//! The service signs nothing, sends no time stamp and no event id; whether it repeats a callback is not known. Four strategies
//! prove a callback; **every** one that is configured must be right, and a [`Receiver`] without any cannot be built:
//!
//! | | strategy | what it proves |
//! |---|---|---|
//! | a | a secret in the URL of each document: [`ReceiverBuilder::url_secrets`] | that whoever posts was given the URL |
//! | b | a key in a header or in the body: [`ReceiverBuilder::key`] | the same, once for all documents |
//! | c | asking the service about the GUID: [`ReceiverBuilder::refetch`] | that the document really is where the callback says |
//! | d | a relay of the caller's signs: [`ReceiverBuilder::relay`] | that the body came through the relay, within 5 minutes |
//!
//! The default is a with c. With c alone only GUID, status and comment are handed on, as the service tells them: links, names and
//! files of the body could be anybody's.
//!
//! | answer | when |
//! |---|---|
//! | 200 | handled, handled before, or not (yet) confirmed by the service |
//! | 400 | not whole within 300 s (a setting); no JSON object; no GUID or status where there must be one; a file that is no base64, or no PDF though signed |
//! | 401 | wrong or missing secret, key, signature, or a document that the URL was not made for |
//! | 413 | over the cap (160 MiB, a setting), or over 1 MiB beside the files (a setting) |
//! | 500 | the store, the sink, the service or the handler failed, or another receiver is still handling an equal one: not handled |
//!
//! The sender is told no more than that; why a callback was refused is told to [`ReceiverBuilder::observer`].
//!
//! A callback is claimed before it is handled and marked as done afterwards, so one whose handler failed, was dropped or died with
//! its process is handled when it comes again, and one that was handled is not. That holds within a process, and over restarts
//! and several receivers with `StoredDuplicates` (feature `store`).
//!
//! ```
//! use std::sync::Arc;
//! use legale::webhook::{CallbackToken, Delivery, Handler, MemorySecrets, Receiver, Route, SecretPlace};
//! use legale::{BoxFuture, Error};
//!
//! struct Print;
//! impl Handler for Print {
//!     fn handle(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Error>> {
//!         println!("{:?} {:?}", delivery.callback.document, delivery.callback.sign_status);
//!         Box::pin(std::future::ready(Ok(())))
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let secrets = Arc::new(MemorySecrets::new());
//! let token = CallbackToken::generate("contract-17")?;
//! secrets.insert(&token);
//! // This URL goes into the document's `callback_url`.
//! let url = token.put_into("https://me.example/legale/document".parse().unwrap(), &SecretPlace::Path);
//!
//! let receiver = Receiver::builder()
//!     .url_secrets(secrets, SecretPlace::Path) // in earnest also .refetch(Arc::new(client))
//!     .handler(Arc::new(Print))
//!     .build()?;
//! let (parts, ()) = http::Request::post(url.path()).body(()).unwrap().into_parts();
//! let body = r#"{"GUID": "d41d8", "sign_status": 2, "comment": "wrong price"}"#;
//! let reply = receiver.receive_bytes(Route::Document, &parts, body.into()).await;
//! assert_eq!(reply.status(), 200);
//! # Ok::<(), Error>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod callback;
mod decode;
mod files;
mod receiver;
#[cfg(feature = "axum")]
mod router;
mod secret;
mod sieve;

pub use crate::seen::{Detail, Refetch, Seen};
pub use builder::ReceiverBuilder;
pub use callback::{Callback, CallbackKind, MetaData, Route, Sender};
pub use files::{FileSink, FileWriter, FolderSink, ReceivedFile};
pub use integration_core::body::webhook::{
    Claim, ClaimTicket, Duplicates, MemoryDuplicates, Observer, Refusal, Refused, SharedSecret,
};
#[cfg(feature = "store")]
pub use integration_store::StoredDuplicates;
pub use receiver::{Delivery, Disposition, Handler, Receiver, Reply};
#[cfg(feature = "axum")]
pub use router::router;
pub use secret::{
    CallbackToken, DerivedSecrets, Expected, KeyPlace, MemorySecrets, Relay, SecretPlace, UrlSecrets,
};
pub use sieve::Slot;
