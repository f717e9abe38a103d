//! The engine of the web synchronisation: what a grant opens is at the portal seconds after it changed, and what it no longer opens is not
//! (contract 4.2 to 4.7, section 6; feature `store`). **All of it is our own design** and not the vendor's protocol.
//!
//! Everything that is promised stands in a [`Store`](integration_store::Store) before it is sent: versions, who may hold which file, what
//! is still to be done. The engine may be dropped at any moment; built again over the same store it goes on. Of what is seen of a file
//! only digests are kept.
//!
//! | to | use |
//! |---|---|
//! | set it up | [`WebSync::builder`], [`Settings`], [`CaseSource`], [`Groups`] |
//! | open, change, shut | [`WebSync::open`], [`WebSync::revise`], [`WebSync::suspend`], [`WebSync::resume`], [`WebSync::revoke`], [`WebSync::rename`] |
//! | report changes | [`WebSync::saved`], [`WebSync::removed`], [`WebSync::membership_changed`], [`WebSync::scan`] |
//! | work off what is to be done | [`WebSync::run`], [`WebSync::drain`] |
//! | send everything | [`WebSync::initial_load`], [`WebSync::push_contact`] |
//! | compare | [`WebSync::reconcile`] |
//! | look after it | [`WebSync::numbers`], [`WebSync::dead`], [`WebSync::replay`], [`WebSync::audit`], [`Observer`] |
//!
//! At least once and convergent, not exactly once (Y1): duplicates and reordering never change the end state.

mod engine;
mod grants;
mod helm;
mod ledger;
mod load;
mod numbers;
mod passage;
mod ports;
mod push;
mod queue;
mod reconcile;
mod rest;
mod settings;
mod source;
mod spread;

pub use engine::{Drained, WebSync, WebSyncBuilder};
pub use grants::GrantOutcome;
pub use load::{LoadOptions, LoadReport};
pub use numbers::Numbers;
pub use ports::{Asked, CaseList, CaseSource, Groups, Observer, SharedGroups, SyncEvent};
pub use queue::DeadEntry;
pub use reconcile::Reconciled;
pub use rest::{Reading, RestCases};
pub use settings::Settings;
pub use source::{ChangePage, ChangeSource, ReportedChange, Scanned};
