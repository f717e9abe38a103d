//! Who may see what: grants, administrator pairs and the audit of every change (contract 4.2).
//!
//! | to | start at |
//! |---|---|
//! | open files to a contact | [`WebGrant`] |
//! | unite several clients under one administrator | [`UnionKey::tag`], [`WebGrant::administrator`], [`WebGrant::confirmed`] |
//! | say which box shows which field, and who holds a file | [`Rules`] (**assumed**) |
//! | record who changed what | [`AuditEntry`] |

mod audit;
mod pair;
mod rules;
mod web_grant;

pub use audit::{AuditEntry, GrantChange};
pub use pair::{EmptyPair, PairTag, UnionKey};
pub use rules::{CaseField, HolderRole, Rules};
pub use web_grant::{Stage, WebGrant};
