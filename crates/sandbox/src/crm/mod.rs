//! What Sugester and BitFactura have in common: one family of servers, so one way of paging, naming, refusing.
//!
//! What is here is documented where it is used: [`sugester`](crate::sugester), [`bitfactura`](crate::bitfactura).

pub(crate) mod desk;
#[macro_use]
mod handle;
pub(crate) mod lists;
pub(crate) mod money;
pub(crate) mod people;
mod query;
mod records;
pub(crate) mod refusal;
pub(crate) mod rows;
mod service;
mod settings;
pub(crate) mod token;
pub(crate) mod write;

pub(crate) use handle::handle;
pub(crate) use query::Query;
pub use records::{Request, TokenPlace};
pub use settings::{
    DeleteAnswer, ErrorBody, ErrorInside, ListShape, Order, PageSize, RecordShape, UnknownFields, Wire,
};
