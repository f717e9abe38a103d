//! What travels: how values are written to a service and read back from it.
//!
//! The rule of this wing: what goes over the wire is exactly what the caller meant. See [`wire`] for money,
//! [`fields`] for what services vary, [`open`] for values that
//! no contract lists yet, [`base64`] for files in JSON, [`page`] and [`stream`] for long lists, [`webhook`] for what a
//! service posts to us.

pub mod base64;
pub mod beside;
pub mod fields;
pub mod open;
pub mod page;
pub mod stream;
pub mod webhook;
pub mod wire;

pub(crate) mod hashing;

mod scan;
