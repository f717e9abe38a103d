//! Keeping both systems in step: the decisions, as pure functions over values (contract 4.2, 4.3, 4.5).
//!
//! None of these asks, writes or remembers: what is known goes in, what should be done comes out. The rules enforced here: nothing
//! is ever deleted; an empty value clears the other side only where it is known to have held one; every conflict is reported with
//! both values; two records are never linked by guessing.
//!
//! | to decide | start at |
//! |---|---|
//! | which fields are carried, and how each is called on each side | [`Mapping`] |
//! | whether two records say the same | [`CarriedClient`], [`Digest`] |
//! | what to write for two linked clients | [`plan`], [`ConflictRule`] |
//! | which record of the other side is the same client | [`identify`] |
//! | the deal of an invoice | [`deal_of`] |
//! | whether a record is being written in circles | [`LoopGuard`] |
//!
//! With the feature `store` come the runs that follow these decisions: `Synchroniser`, over an `integration_store::Store`.

#[cfg(feature = "store")]
mod book;
mod carried;
#[cfg(feature = "store")]
mod clients;
#[cfg(feature = "store")]
mod collect;
mod conflict;
mod deal;
#[cfg(feature = "store")]
mod engine;
#[cfg(feature = "store")]
mod first;
#[cfg(feature = "store")]
mod hints;
#[cfg(feature = "store")]
mod http;
mod identity;
#[cfg(feature = "store")]
mod invoices;
#[cfg(feature = "store")]
mod journal;
mod loop_guard;
mod mapping;
mod plan;
#[cfg(feature = "store")]
pub mod ports;
#[cfg(feature = "store")]
mod report;
#[cfg(feature = "store")]
mod resolve;
#[cfg(feature = "store")]
mod run;
#[cfg(feature = "store")]
mod settings;

#[cfg(feature = "store")]
pub(crate) use http::operations;

pub use carried::{CarriedClient, Digest, Normalised};
pub use conflict::{Conflict, ConflictPolicy, ConflictRule, Dispute, Winner};
pub use deal::{BuyerFacts, Deal, DealLink, DealSettings, DealValue, InvoiceFacts, NotCarried, deal_of};
pub use identity::{Ambiguity, Candidate, Evidence, Findings, Identity, identify};
pub use loop_guard::{LoopGuard, Turn};
pub use mapping::{Direction, FieldRule, Form, Mapping, Side};
pub use plan::{Pair, PairPlan, Snapshot, Write, plan, plan_new};
#[cfg(feature = "store")]
pub use {
    book::{DealLinkRecord, Link},
    clients::KeptConflict,
    engine::{Stopped, Synchroniser, SynchroniserBuilder},
    first::FirstMode,
    report::{Done, Event, Observer, RecordRef, Report, Skip},
    settings::Settings,
};
