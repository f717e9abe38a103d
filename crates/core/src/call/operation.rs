//! A call as a value: what it is named, where it goes, and whether it may be repeated.
//!
//! The last is a fact of the operation and stands next to it, in a constant that a table test can read; it is never
//! derived from the HTTP method or from whether a body happens to be cloneable.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::auth::Authorization;

/// Whether a request that may have been applied may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Idempotency {
    /// It changes nothing.
    Safe,
    /// It carries a key, or has an effect that a repeat does not change.
    Keyed,
    /// A repeat would do it a second time. It is repeated only if it provably never left, or the service said that it
    /// did not act.
    Once,
}

/// One endpoint of a service, as a constant.
///
/// ```
/// use integration_core::call::{Idempotency, Operation};
///
/// const ISSUE: Operation = Operation::post("issue", "/facturacion", Idempotency::Once);
/// assert_eq!(ISSUE.idempotency, Idempotency::Once);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The name in errors, spans and documentation.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, starting with a slash.
    pub path: &'static str,
    /// Whether it may be repeated.
    pub idempotency: Idempotency,
}

impl Operation {
    /// A `GET` operation: reading, so [`Idempotency::Safe`].
    #[must_use]
    pub const fn get(name: &'static str, path: &'static str) -> Self {
        Self { name, method: Method::GET, path, idempotency: Idempotency::Safe }
    }

    /// A `POST` operation.
    #[must_use]
    pub const fn post(name: &'static str, path: &'static str, idempotency: Idempotency) -> Self {
        Self { name, method: Method::POST, path, idempotency }
    }
}

/// A queue that calls wait in, so that at most so many of them are under way at once; clones are the same lane.
///
/// ```
/// use integration_core::call::{Call, Idempotency, Lane, Operation};
///
/// const ISSUE: Operation = Operation::post("issue", "/facturacion", Idempotency::Once);
/// let one_at_a_time = Lane::new(1);
/// let call = Call::new(ISSUE).json("{}").in_lane(&one_at_a_time);
/// ```
#[derive(Debug, Clone)]
pub struct Lane(pub(crate) Arc<Semaphore>);

impl Lane {
    /// A lane for at most `calls` at once.
    #[must_use]
    pub fn new(calls: usize) -> Self {
        Self(Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for a place and keeps it until the result is dropped: for work beside calls that must not overtake them.
    pub async fn enter(&self) -> Place {
        // The semaphore is never closed, so there is always a permit to wait for.
        Place(self.0.clone().acquire_owned().await.ok())
    }

    /// How many more calls could start at once.
    #[must_use]
    pub fn free(&self) -> usize {
        self.0.available_permits()
    }
}

/// A place in a [`Lane`], given back when dropped.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Place(#[allow(dead_code)] Option<OwnedSemaphorePermit>);

/// One use of an [`Operation`]: its body, headers, and the lane it waits in.
///
/// Its `Debug` shows no body, since bodies hold passwords and customers' data.
#[derive(Clone)]
pub struct Call {
    pub(crate) operation: Operation,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) lane: Option<Lane>,
    pub(crate) authorization: Option<Authorization>,
}

impl Call {
    /// A call without a body.
    #[must_use]
    pub fn new(operation: Operation) -> Self {
        Self { operation, headers: HeaderMap::new(), body: Bytes::new(), lane: None, authorization: None }
    }

    /// The operation's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.operation.name
    }

    /// Sends these bytes as `application/json`. The same bytes go out on every attempt.
    #[must_use]
    pub fn json(mut self, body: impl Into<Bytes>) -> Self {
        let json = http::HeaderValue::from_static("application/json");
        self.headers.insert(http::header::CONTENT_TYPE, json);
        self.body = body.into();
        self
    }

    /// Waits for a permit of `lane` before sending, so that calls which must not overtake each other do not.
    #[must_use]
    pub fn in_lane(mut self, lane: &Lane) -> Self {
        self.lane = Some(lane.clone());
        self
    }

    /// Uses this authorization instead of asking the client's credentials.
    #[must_use]
    pub fn authorized(mut self, authorization: Authorization) -> Self {
        self.authorization = Some(authorization);
        self
    }

    /// Overrides the operation's idempotency for this call, where the caller knows more than the operation does.
    #[must_use]
    pub fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.operation.idempotency = idempotency;
        self
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("bytes", &self.body.len())
            .field("lane", &self.lane.is_some())
            .field("authorization", &self.authorization)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_body() {
        const LOG_IN: Operation = Operation::post("log in", "/login", Idempotency::Keyed);
        let shown = format!("{:?}", Call::new(LOG_IN).json(r#"{"password":"sentinel"}"#));
        assert!(shown.contains("log in") && !shown.contains("sentinel"), "{shown}");
    }
}
