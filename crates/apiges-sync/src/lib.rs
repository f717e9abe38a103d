//! Trademark and patent files of Apiges Pro, opened to chosen contacts on the web: never a field, a document or a file too many.
//!
//! The crate has two layers, and they are not equally well founded.
//!
//! * **Layer A** is a client of the vendor's documented REST API.
//! * **Layer B**, the web synchronisation, is **our own design**: the transport of the vendor's portal is not public. Its rules follow
//!   what the vendor's user guide says; its types ([`web`]) and their HTTP mapping are ours and are not the vendor's protocol.
//!
//! | to | start at |
//! |---|---|
//! | speak the language of the web mapping | [`web`] |
//! | say who may see what | [`grant`] |
//! | ask what a viewer sees of a file, and why not | [`visible::visible`], [`visible::explain`] |
//! | follow messages and receipts | [`thread`] |
//! | prove what was written | [`evidence`] |
//! | read and write calendar dates | [`CalendarDate`] |

mod date;
pub mod evidence;
pub mod grant;
mod language;
mod open;
pub mod thread;
pub mod visible;
pub mod web;

pub use date::{BadDate, CalendarDate};
pub use integration_core::clock::{Clock, ManualClock, SystemClock};
pub use integration_core::{Answer, BoxFuture, Error, ErrorKind, Fault, Faults, Outcome, Secret, Severity};
pub use jiff;
pub use jiff::Timestamp;
pub use language::{Lang, UnknownLanguage};
