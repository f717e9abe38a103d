//! Values as both services write them: lenient to read, exact to write (contract 3.9 and 5).
//!
//! The rule enforced here: what may vary is read in every permitted form; what does not fit is an error that names the field
//! or stays as it came, never an invented value. Amounts are read from the number token itself, never through a float.
//!
//! | type | for |
//! |---|---|
//! | [`Scalar`] | one JSON scalar in any permitted spelling |
//! | [`Day`], [`Moment`] | dates and times with the text they came as |
//! | [`Fields`], [`Extra`] | a record read field by field, and what nobody asked for |
//! | [`ExternalIds`], [`AppKey`] | the map that links a record to those of other systems |
//! | [`Patch`] | a field of an update: left alone, cleared, or set |

mod day;
mod external_ids;
mod fields;
mod patch;
mod scalar;

pub use day::{Day, Moment};
pub use external_ids::{AppKey, ExternalIds, Linked};
pub use fields::{Extra, Fields};
pub use patch::Patch;
pub use scalar::{Scalar, Unreadable};
