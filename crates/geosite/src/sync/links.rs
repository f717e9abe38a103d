//! What the synchronisation asks of, and tells to, whoever keeps the links of customers to ports (contract 4.4, 4.5, Y7).

use integration_core::BoxFuture;

use super::error::SyncError;
use super::kind::{Kind, Shelf};

/// A change that may matter to links. Told after it was stored; told again if a run is killed in between, or never, so whoever
/// keeps links also looks at the register itself when a run [begins](Links::begun) and asks for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// An element was deleted: links below it are orphaned.
    Removed {
        /// Where it stood.
        shelf: Shelf,
        /// Its number.
        fid: i64,
    },
    /// A deleted element is here again: its links are to be looked at anew.
    Restored {
        /// What it is.
        kind: Kind,
        /// Its number.
        fid: i64,
    },
    /// A splitter's content is another: its role or its number of ports may be.
    SplitterChanged {
        /// What it is now.
        kind: Kind,
        /// Its number.
        fid: i64,
    },
    /// A customer's element came or changed: it may sit on another port than the link says.
    CustomerChanged {
        /// Its number.
        fid: i64,
    },
    /// A customer's element sits there no more.
    SeatLeft {
        /// The splitter.
        splitter: i64,
        /// The port.
        port: i64,
    },
}

/// What is to be looked at when a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Examine {
    /// Every link: a notice may have been lost, or the run reads everything anyway.
    Everything,
    /// Nothing but what will be [told](Links::told): an incremental run after one that came to its end. It costs what has changed.
    WhatIsTold,
}

/// Whoever keeps links.
#[doc(alias("porta", "reserva"))]
pub trait Links: Send + Sync + 'static {
    /// Which of these splitters customers are linked to.
    fn linked<'a>(&'a self, splitters: &'a [i64]) -> BoxFuture<'a, Result<Vec<i64>, SyncError>>;

    /// What was stored just now.
    fn told<'a>(&'a self, notices: &'a [Notice]) -> BoxFuture<'a, Result<(), SyncError>>;

    /// A run begins, or goes on after a kill; deselected kinds are deleted already. Whatever was stored and could not be told
    /// before is in the register now.
    fn begun(&self, examine: Examine) -> BoxFuture<'_, Result<(), SyncError>> {
        let _ = examine;
        Box::pin(async { Ok(()) })
    }
}

/// No links are kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLinks;

impl Links for NoLinks {
    fn linked<'a>(&'a self, _: &'a [i64]) -> BoxFuture<'a, Result<Vec<i64>, SyncError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn told<'a>(&'a self, _: &'a [Notice]) -> BoxFuture<'a, Result<(), SyncError>> {
        Box::pin(async { Ok(()) })
    }
}
