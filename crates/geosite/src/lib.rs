//! Typed client for the GeoSite Telecom FTTH map, and the synchronisation of a register with it.

mod feature;
pub mod sync;

pub use feature::{ElementKind, Feature, Group, SplitterRole};
