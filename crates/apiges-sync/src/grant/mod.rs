//! Who may see what: grants, administrator pairs and the audit of every change (contract 4.2).

mod pair;

pub use pair::{EmptyPair, PairTag, UnionKey};
