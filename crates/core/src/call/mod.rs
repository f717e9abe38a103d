//! How one request is made, authorised, repeated and judged.
//!
//! One call, step by step: a permit of its lane, then per attempt: rebuild, authorise, send with a time limit, read with
//! a size limit, judge once; after an authentication refusal renew and repeat once; otherwise ask [`retry::decide`].

pub mod answer;
pub mod auth;
pub mod client;
pub mod operation;
pub mod retry;
pub mod settings;
pub mod transport;

mod reqwest_transport;

pub use answer::Answer;
pub use auth::{Authorization, Bearer, Credentials};
pub use client::{Caller, CallerBuilder, Verdict};
pub use operation::{Call, Idempotency, Lane, Operation, Place};
pub use retry::RetryPolicy;
pub use settings::{BaseUrl, Settings, Timeouts};
pub use transport::{Transport, TransportError};
