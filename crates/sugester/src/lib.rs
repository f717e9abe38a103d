//! Sugester CRM, its sister BitFactura invoicing, and the synchronisation between the two.
//!
//! | to | start at |
//! |---|---|
//! | read a token, and know whether it may link both systems | [`ApiToken`], [`AccountName`] |
//! | read and write what the services write | [`value`] |

pub mod token;
pub mod value;

pub use integration_core::Error;
pub use token::{AccountName, ApiToken, LinkTokenError};
