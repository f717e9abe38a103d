//! What the parent tells its child, one line each; whoever is told twice comes to the same end.

use std::collections::BTreeSet;
use std::path::PathBuf;

use apiges_sync::web::ContactRef;
use serde::{Deserialize, Serialize};

pub(crate) const CHILD: &str = "APIGES_CRASH_CHILD";

/// Where everything is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Address, user, password.
    pub(crate) firm: [String; 3],
    /// Address, tenant, credential.
    pub(crate) portal: [String; 3],
    pub(crate) store: String,
    pub(crate) folder: PathBuf,
}

impl Place {
    /// Who is in which group: id, kind, code, group.
    pub(crate) fn groups(&self) -> PathBuf {
        self.folder.join("groups.json")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    pub(crate) kind: String,
    pub(crate) code: String,
}

impl Contact {
    pub(crate) fn name(&self) -> ContactRef {
        ContactRef::new(apiges_sync::web::ContactKind::from_wire(&self.kind), &self.code).unwrap()
    }
}

/// A grant as the firm wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) active: bool,
    pub(crate) group: Option<String>,
    pub(crate) show: BTreeSet<String>,
    pub(crate) excluded: BTreeSet<String>,
    pub(crate) keep: bool,
    pub(crate) english: bool,
    pub(crate) tag: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Order {
    Saved(u64),
    Graphic(u64),
    Removed(u64),
    /// `None`: revoke it.
    Grant(Contact, Option<Wanted>),
    Member(Contact),
    Load,
    Push(Contact),
    Scan,
    Rest,
}

/// What the child says of its rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) dead: Vec<String>,
    pub(crate) mismatches: Vec<String>,
    pub(crate) numbers: String,
    pub(crate) implicit: u64,
}
