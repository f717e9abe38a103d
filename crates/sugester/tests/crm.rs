//! What [`sugester::Client`] sends and makes of answers: the rows of contract 2 and 3.1 to 3.3 against a server that answers as told, and
//! flows on the simulator, which reads the same contract on its own. Expected values are the contract's. No test waits: pauses go by a
//! manual clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "crm/connection.rs"]
mod connection;
#[path = "crm/flows.rs"]
mod flows;
#[path = "crm/records.rs"]
mod records;
#[path = "crm/rig.rs"]
mod rig;
mod support;
#[path = "crm/transport.rs"]
mod transport;
