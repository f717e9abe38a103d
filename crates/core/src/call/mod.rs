//! How one request is made, authorised, repeated and judged.
//!
//! One call, step by step: a permit of its lane, then per attempt: rebuild, authorise, send with a time limit, read with
//! a size limit, judge once; after an authentication refusal renew and repeat once; otherwise ask [`retry::decide`].

pub mod answer;
pub mod auth;
pub mod body;
pub mod builder;
pub mod client;
pub mod intake;
pub mod observer;
pub mod operation;
pub mod part;
pub mod redirect;
pub mod retry;
pub mod session;
pub mod settings;
pub mod streamed;
pub mod transport;
pub mod verdict;

mod address;
mod connections;
#[cfg(feature = "hyper")]
mod hyper_transport;
#[cfg(any(feature = "reqwest", feature = "hyper"))]
mod outgoing;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod run;
#[cfg(any(feature = "reqwest", feature = "hyper"))]
mod trust;

pub use answer::Answer;
pub use auth::{Authorization, Bearer, Credentials};
pub use body::Body;
pub use builder::CallerBuilder;
pub use client::{Answered, Caller};
pub use connections::Connections;
pub use intake::{Intake, NotTaken};
pub use observer::{CallObserver, Observation};
pub use operation::{Call, Idempotency, Lane, Operation, Place};
pub use part::PartFile;
pub use redirect::{Link, UnexpectedRedirect};
pub use retry::RetryPolicy;
pub use session::{Login, Session, Ticket};
pub use settings::{BaseUrl, Env, Settings, Timeouts};
pub use streamed::{AnswerStream, Downloaded, Streamed};
pub use transport::{BodyStream, OwnConnection, SendMark, Transport, TransportError, TransportErrorKind};
pub use verdict::Verdict;
