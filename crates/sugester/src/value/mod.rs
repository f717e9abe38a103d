//! Values as both services write them: lenient to read, exact to write (contract 3.9 and 5).
//!
//! The rule enforced here: what may vary is read in every permitted form; what does not fit is an error that names the field
//! or stays as it came, never an invented value. Amounts are read from the number token itself, never through a float.
//!
//! | type | for |
//! |---|---|
//! | [`Scalar`], [`Unreadable`] | one JSON scalar in any permitted spelling, and what is none |
//! | [`Day`], [`Moment`] | dates and times with the text they came as |
//! | [`Extra`] | the fields of a record that nobody asked for |
//! | [`ExternalIds`], [`AppKey`] | the map that links a record to those of other systems |
//! | [`Patch`] | a field of an update: left alone, cleared, or set |

mod day;
mod external_ids;
mod fields;
mod patch;

pub use day::{Day, Moment};
pub use external_ids::{AppKey, ExternalIds, Linked};
pub use fields::Extra;
pub(crate) use fields::{Fields, Tokens, day, external_ids, extra, moment};
pub use integration_core::body::fields::{Scalar, Unreadable};
pub use patch::Patch;
