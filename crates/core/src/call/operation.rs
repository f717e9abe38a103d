//! A call as a value: what it is named, where it goes, and whether it may be repeated.
//!
//! The last is a fact of the operation and stands next to it, in a constant that a table test can read; it is never
//! derived from the HTTP method or from whether a body happens to be cloneable.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::auth::Authorization;
use super::body::Body;
use super::retry::RetryPolicy;
use super::settings::{BaseUrl, Timeouts};
use crate::{Fault, Secret};

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
///
/// What writes says whether it may be repeated, or it does not compile:
///
/// ```compile_fail,E0061
/// use integration_core::call::Operation;
///
/// const ISSUE: Operation = Operation::post("issue", "/facturacion");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The name in errors, spans and documentation.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, starting with a slash; `{name}` stands for a parameter. Spans show it as it is.
    pub path: &'static str,
    /// Whether it may be repeated.
    pub idempotency: Idempotency,
}

impl Operation {
    /// An operation of any method.
    ///
    /// ```
    /// use http::Method;
    /// use integration_core::call::{Idempotency, Operation};
    ///
    /// const RENAME: Operation =
    ///     Operation::new("rename", Method::PUT, "/clients/{id}.json", Idempotency::Keyed);
    /// ```
    #[must_use]
    pub const fn new(
        name: &'static str,
        method: Method,
        path: &'static str,
        idempotency: Idempotency,
    ) -> Self {
        Self { name, method, path, idempotency }
    }

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

/// A queue that calls wait in, so that at most so many of them are under way at once, and none starts too soon after another; clones
/// are the same lane.
///
/// ```
/// use integration_core::call::{Call, Idempotency, Lane, Operation};
///
/// const ISSUE: Operation = Operation::post("issue", "/facturacion", Idempotency::Once);
/// let one_at_a_time = Lane::new(1);
/// let call = Call::new(ISSUE).json("{}").in_lane(&one_at_a_time);
/// ```
#[derive(Debug, Clone)]
pub struct Lane {
    pub(crate) places: Arc<Semaphore>,
    pace: Option<Arc<Pace>>,
}

/// When the next call of a lane may start.
#[derive(Debug)]
struct Pace {
    gap: Duration,
    next: Mutex<Duration>,
}

impl Pace {
    /// How long to wait, having taken the next free moment; nothing, and none taken, if it comes too late. Moments that are taken and
    /// not used would add up until nobody gets one in time.
    fn wait(&self, now: Duration, most: Duration) -> Option<Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = now.max(*next);
        let wait = start.saturating_sub(now);
        if wait >= most {
            return None;
        }
        *next = start.saturating_add(self.gap);
        Some(wait)
    }
}

impl Lane {
    /// A lane for at most `calls` at once, at least one: without a place every call would wait until its deadline.
    #[must_use]
    pub fn new(calls: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS))), pace: None }
    }

    /// The same with at least so much time between the starts of two calls. The attempts of one call have the pauses of its retry
    /// policy.
    #[must_use]
    pub fn with_gap(self, gap: Duration) -> Self {
        let pace = Pace { gap, next: Mutex::new(Duration::ZERO) };
        Self { pace: (!gap.is_zero()).then(|| Arc::new(pace)), ..self }
    }

    /// How long a call that has its place waits before it starts; it must then start. Nothing if that takes `most` or longer.
    pub(crate) fn wait(&self, now: Duration, most: Duration) -> Option<Duration> {
        match &self.pace {
            Some(pace) => pace.wait(now, most),
            None => Some(Duration::ZERO),
        }
    }

    /// Waits for a place and keeps it until the result is dropped: for work beside calls that must not overtake them.
    pub async fn enter(&self) -> Place {
        // The semaphore is never closed, so there is always a permit to wait for.
        Place(self.places.clone().acquire_owned().await.ok())
    }

    /// How many more calls could start at once.
    #[must_use]
    pub fn free(&self) -> usize {
        self.places.available_permits()
    }
}

/// A place in a [`Lane`], given back when dropped.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Place(#[allow(dead_code)] Option<OwnedSemaphorePermit>);

/// What a call sets for itself, in place of what its caller was set up with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    pub(crate) timeouts: Option<Timeouts>,
    pub(crate) total: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) body: Option<usize>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) redirects: u32,
}

/// One use of an [`Operation`]: its parameters, headers, body and limits, and the lane it waits in.
///
/// Its `Debug` shows neither body nor values, since they hold passwords and customers' data, and of another address scheme, host
/// and port, since links are as often as not what lets whoever has them in.
///
/// ```
/// use integration_core::call::{Call, Operation};
///
/// const INVOICE: Operation = Operation::get("read an invoice", "/invoices/{id}.json");
/// let call = Call::new(INVOICE).param("id", 17).query("lang", "es");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Call {
    pub(crate) operation: Operation,
    pub(crate) params: Vec<(&'static str, String)>,
    pub(crate) queries: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) lane: Option<Lane>,
    pub(crate) authorization: Option<Authorization>,
    pub(crate) base: Option<BaseUrl>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) secret_answer: bool,
    pub(crate) private: bool,
    pub(crate) masked_success: bool,
    pub(crate) limits: Limits,
    /// What is wrong with what was given; the call is not made then.
    pub(crate) faults: Vec<Fault>,
}

impl Call {
    /// A call without a body.
    pub fn new(operation: Operation) -> Self {
        Self {
            operation,
            params: Vec::new(),
            queries: Vec::new(),
            headers: HeaderMap::new(),
            body: Body::default(),
            lane: None,
            authorization: None,
            base: None,
            secrets: Vec::new(),
            secret_answer: false,
            private: false,
            masked_success: false,
            limits: Limits::default(),
            faults: Vec::new(),
        }
    }

    /// The operation's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.operation.name
    }

    /// Puts `value` where the path says `{name}`, percent-encoded, so that it stays one segment whatever it holds.
    ///
    /// A value that is empty, `.` or `..` would make it another path; the call then ends as not sent, with a fault that
    /// names the parameter. So it does if the path has no such parameter, or one that was not given.
    pub fn param(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// Adds a query parameter, percent-encoded. It shows in no span and no error; for a secret use
    /// [`Authorization::in_query`].
    pub fn query(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.queries.push((name.into(), value.to_string()));
        self
    }

    /// Sets a header. A value that cannot stand in one is a fault that names the header, and nothing is sent.
    pub fn header(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        match HeaderValue::from_str(value.as_ref()) {
            Ok(value) => _ = self.headers.insert(name, value),
            Err(_) => {
                let fault = Fault::error("HEADER", name.as_str()).with_expected("visible ASCII on one line");
                // The value itself may be a key or somebody's name.
                self.faults.push(fault);
            }
        }
        self
    }

    /// Sends these bytes as `application/json`. The same bytes go out on every attempt.
    pub fn json(self, body: impl Into<Bytes>) -> Self {
        self.body("application/json", Body::bytes(body))
    }

    /// Sends this body, opened anew on every attempt.
    pub fn body(mut self, content_type: &str, body: Body) -> Self {
        self.body = body;
        self.header(header::CONTENT_TYPE, content_type)
    }

    /// Waits for a permit of `lane` before sending, so that calls which must not overtake each other do not.
    pub fn in_lane(mut self, lane: &Lane) -> Self {
        self.lane = Some(lane.clone());
        self
    }

    /// Uses this authorization instead of asking the client's credentials.
    pub fn authorized(mut self, authorization: Authorization) -> Self {
        self.authorization = Some(authorization);
        self
    }

    /// Names a secret that the call carries in its body or a header, so that no error of the call shows it.
    pub fn with_secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Says that a success brings a secret, as a login does: if such an answer cannot be read, the error does not keep its
    /// body. The judge must not put it into the error either; [`Answer::json`](super::Answer::json) does not.
    pub fn with_secret_answer(mut self) -> Self {
        self.secret_answer = true;
        self
    }

    /// Says that request and answers hold data of people: no error of the call keeps an answer's body, and of its headers only type and
    /// request id, unless they repeat something of the request. What the judge puts into an error is its own affair:
    /// [`sent`](Self::sent) tells it what was sent.
    ///
    /// ```
    /// use integration_core::call::{Call, Operation};
    ///
    /// let call = Call::new(Operation::get("read a file", "/files/{id}")).param("id", "K-77").with_private_answer();
    /// assert_eq!(call.sent().collect::<Vec<_>>(), ["K-77"]);
    /// ```
    pub fn with_private_answer(mut self) -> Self {
        self.private = true;
        self
    }

    /// The operation that it is a call of.
    #[must_use]
    pub const fn operation(&self) -> &Operation {
        &self.operation
    }

    /// What the call sends outside its body, part by part: parameters of the path, of the query, and headers other than the body's type.
    pub fn sent(&self) -> impl Iterator<Item = &str> {
        let params = self.params.iter().map(|(_, value)| value.as_str());
        let queries = self.queries.iter().map(|(_, value)| value.as_str());
        let headers = self.headers.iter().filter(|(name, _)| *name != header::CONTENT_TYPE);
        params.chain(queries).chain(headers.filter_map(|(_, value)| value.to_str().ok()))
    }

    /// The body's bytes, unless it is a stream.
    #[must_use]
    pub fn body_bytes(&self) -> Option<&Bytes> {
        self.body.as_bytes()
    }

    /// Masks the call's secrets in a success as well, before it is judged: for answers that are printed and stored, and in which
    /// no business data can look like the secret. Elsewhere an accepted answer is passed on as it came.
    pub fn with_masked_success(mut self) -> Self {
        self.masked_success = true;
        self
    }

    /// Goes to another address. The caller's credentials go along only if scheme, host and port are the same; for another
    /// service say [`authorized`](Self::authorized).
    pub fn to(mut self, base: BaseUrl) -> Self {
        self.base = Some(base);
        self
    }

    /// Overrides the operation's idempotency for this call, where the caller knows more than the operation does.
    pub fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.operation.idempotency = idempotency;
        self
    }

    /// Limits this call by these times instead of the client's. The limit for connecting stays the client's.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.limits.timeouts = Some(timeouts);
        self
    }

    /// Limits the whole of this call; an attempt may take all of it unless a shorter limit for attempts was set.
    pub fn total_timeout(mut self, total: Duration) -> Self {
        self.limits.total = Some(total);
        self
    }

    /// How long a streamed answer may bring nothing before it counts as stalled; 30 s unless set.
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.limits.idle = Some(idle);
        self
    }

    /// Reads at most this many bytes of the answer.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limits.body = Some(bytes);
        self
    }

    /// Follows up to so many redirects in a row, if the call is a `GET`, within scheme, host and port; none unless set. The
    /// time limit of the whole call is one for all of them.
    pub fn follow_redirects(mut self, most: u32) -> Self {
        self.limits.redirects = most;
        self
    }

    /// Uses this retry policy for the call.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.limits.retry = Some(policy);
        self
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<_> = self.params.iter().map(|(name, _)| name).collect();
        // The names that came with a followed address are the service's words.
        let queries = self.queries.len();
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("params", &params)
            .field("queries", &queries)
            .field("body", &self.body)
            .field("lane", &self.lane.is_some())
            .field("authorization", &self.authorization)
            .field("to", &self.base.as_ref().map(BaseUrl::origin))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_of_a_lane_are_a_gap_apart() {
        let seconds = Duration::from_secs;
        let lane = Lane::new(9).with_gap(seconds(2));
        let wait = |now| lane.clone().wait(seconds(now), seconds(60)).unwrap().as_secs();
        assert_eq!([1, 1, 1, 4, 20, 20].map(wait), [0, 2, 4, 3, 0, 2]);
        let none = Some(Duration::ZERO);
        assert_eq!([0, 0].map(|now| Lane::new(1).wait(seconds(now), seconds(1))), [none; 2]);
    }

    #[test]
    fn who_gives_up_takes_no_moment_from_those_who_come_later() {
        let seconds = Duration::from_secs;
        let lane = Lane::new(9).with_gap(seconds(2));
        assert_eq!(lane.wait(seconds(0), seconds(1)), Some(seconds(0)));
        for _ in 0..100 {
            assert_eq!(lane.wait(seconds(0), seconds(2)), None);
        }
        assert_eq!(lane.wait(seconds(0), seconds(3)), Some(seconds(2)));
    }

    #[test]
    fn every_lane_has_a_place() {
        assert_eq!(Lane::new(0).free(), 1);
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        const LOG_IN: Operation = Operation::post("log in", "/login", Idempotency::Keyed);
        let call = Call::new(LOG_IN).json(r#"{"password":"sentinel"}"#);
        let call = call.query("api_token", "sentinel").param("id", "sentinel").with_secret("sentinel".into());
        let shown = format!("{call:?}");
        assert!(shown.contains("log in") && !shown.contains("sentinel"), "{shown}");
    }
}
