//! Shared ground of the integration clients: calls that happen exactly once, errors that say what to do next,
//! exact money, and taxpayer identifiers.
//!
//! Users meet this crate through the clients built on it (`fiscal-printer` and its siblings), which re-export what
//! appears in their signatures. It is laid out as three wings on one ground floor:
//!
//! | wing | what it holds |
//! |---|---|
//! | ground: [`error`], [`fault`], [`outcome`], [`secret`], [`clock`] | what everything stands on |
//! | [`call`] | how one request is made, authorised, repeated and judged |
//! | [`body`] | what travels: exact money tokens, files in base64, long lists |
//! | [`tax`] | what is true about amounts and taxpayers |
//!
//! The one rule that shapes all of it: **whether a call took effect is part of every error.**
//!
//! ```
//! use integration_core::{Error, ErrorKind, Outcome};
//!
//! fn what_now(error: &Error) -> &'static str {
//!     match error.outcome() {
//!         Outcome::NotSent => "nothing left this machine: repeat freely",
//!         Outcome::Refused => "the service said no and did nothing: correct and repeat",
//!         Outcome::Unknown => "it may have been applied: ask the service before repeating",
//!         _ => "nothing to apply",
//!     }
//! }
//!
//! let error = Error::new(ErrorKind::Connect, "issue").with_outcome(Outcome::NotSent);
//! assert_eq!(what_now(&error), "nothing left this machine: repeat freely");
//! ```

pub mod body;
pub mod call;
pub mod clock;
pub mod error;
pub mod fault;
pub mod outcome;
pub mod secret;
pub mod tax;

pub use call::Answer;
pub use error::{Error, ErrorKind};
pub use fault::{Fault, Faults, Severity};
pub use outcome::Outcome;
pub use secret::Secret;

/// A boxed future, the form in which the traits of this crate are asynchronous while staying usable as `dyn`.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
