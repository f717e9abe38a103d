//! A call as a value: what it is named, where it goes, and whether it may be repeated.
//!
//! The last is a fact of the operation and stands next to it, in a constant that a table test can read; it is never
//! derived from the HTTP method or from whether a body happens to be cloneable.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::sync::Semaphore;

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

/// One use of an [`Operation`]: its body, headers, and the lane it waits in.
///
/// Its `Debug` shows no body, since bodies hold passwords and customers' data.
#[derive(Clone)]
pub struct Call {
    pub(crate) operation: Operation,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) lane: Option<Arc<Semaphore>>,
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
    pub fn in_lane(mut self, lane: Arc<Semaphore>) -> Self {
        self.lane = Some(lane);
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
