//! The transport that clients have unless they ask for another, over real sockets.
#![cfg(feature = "reqwest")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use integration_core::call::Connections;

#[path = "support/sockets.rs"]
mod suite;

fn connections(connect: Duration) -> Connections {
    Connections::new(connect)
}
