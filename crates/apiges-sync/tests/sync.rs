//! The engine between a firm and a portal that both live in memory (contract 4.2 to 4.7, section 7: load, outbox, withdraw, privacy).
#![cfg(feature = "store")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

#[path = "sync/doubts.rs"]
mod doubts;
#[path = "sync/fuse.rs"]
mod fuse;
#[path = "sync/model.rs"]
mod model;
#[path = "sync/portal.rs"]
mod portal;
#[path = "sync/rules.rs"]
mod rules;
#[path = "sync/sandbox.rs"]
mod sandbox;
#[path = "sync/slice.rs"]
mod slice;
#[path = "sync/two.rs"]
mod two;
#[path = "sync/world.rs"]
mod world;
