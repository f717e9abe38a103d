//! Sets a receiver up. A route without a secret cannot be: anybody could post to it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use integration_core::body::webhook::{Limits, Observer, SharedSecret};
use integration_core::clock::{Clock, SystemClock};
use integration_core::{Error, Secret};

use super::queue::HintSink;
use super::receiver::Receiver;
use super::route::Route;
use crate::value::AppKey;

/// Contract 4.6.
const BODY_LIMIT: u64 = 1024 * 1024;
/// As long as a call (contract 2.4).
const BODY_TIME: Duration = Duration::from_secs(30);
/// 128 bits in base64.
const SHORTEST_IN_PATH: usize = 22;

/// How a receiver is set up.
pub(super) struct Setup {
    pub(super) secrets: BTreeMap<Route, Vec<SharedSecret>>,
    pub(super) in_path: Option<SharedSecret>,
    pub(super) sink: Arc<dyn HintSink>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) app: AppKey,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("secrets", &self.secrets)
            .field("in_path", &self.in_path)
            .field("sink", &self.sink)
            .field("app", &self.app)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Sets a [`Receiver`] up.
///
/// ```
/// use std::sync::Arc;
/// use sugester::webhook::{MemoryHints, Receiver, Route};
///
/// let receiver = Receiver::builder()
///     .route(Route::Client, "typed into the rows of clients")
///     .route(Route::Invoice, "typed into the rows of invoices")
///     .path_secret("k3Tq0vJx8Lw2Zr5NbYc7Ma") // https://hooks.example.com/client/k3Tq0vJx8Lw2Zr5NbYc7Ma
///     .sink(Arc::new(MemoryHints::default()))
///     .observer(Arc::new(|refused: &sugester::webhook::Refused<'_>| eprintln!("refused {refused}")))
///     .build()?;
/// assert!(Receiver::builder().route(Route::Client, " ").sink(Arc::new(MemoryHints::default())).build().is_err());
/// # Ok::<(), sugester::Error>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct ReceiverBuilder {
    secrets: Vec<(Route, Secret)>,
    in_path: Option<Secret>,
    sink: Option<Arc<dyn HintSink>>,
    observer: Option<Arc<dyn Observer>>,
    app: AppKey,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl ReceiverBuilder {
    pub(super) fn new() -> Self {
        Self {
            secrets: Vec::new(),
            in_path: None,
            sink: None,
            observer: None,
            app: AppKey::default(),
            clock: Arc::new(SystemClock::new()),
            limits: Limits::new(BODY_LIMIT).within(BODY_TIME),
        }
    }

    /// Serves a route: its rows repeat `secret` as `api_token`, which is compared in constant time. Named again for the same route, each
    /// secret is good, so that rows can be moved from one to the next. Routes that are not named answer 401.
    pub fn route(mut self, route: Route, secret: impl Into<Secret>) -> Self {
        self.secrets.push((route, secret.into()));
        self
    }

    /// The same secret for every route.
    pub fn every_route(self, secret: impl Into<Secret>) -> Self {
        let secret = secret.into();
        Route::ALL.into_iter().fold(self, |builder, route| builder.route(route, secret.clone()))
    }

    /// One more secret, in the last segment of the path, checked before the body is read.
    pub fn path_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.in_path = Some(secret.into());
        self
    }

    /// Where hints are kept; needed.
    pub fn sink(mut self, sink: Arc<dyn HintSink>) -> Self {
        self.sink = Some(sink);
        self
    }

    /// Who is told why a webhook was refused: the sender gets no more than a status. Closures will do.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The key of `external_ids` under which ids of BitFactura stand; `bitfactura` unless set.
    pub fn app_key(mut self, app: AppKey) -> Self {
        self.app = app;
        self
    }

    /// The clock by which the time for a body is measured.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The largest body in bytes; 1 MiB unless set.
    pub const fn body_limit(mut self, bytes: u64) -> Self {
        self.limits = Limits::new(bytes).within(self.limits.time());
        self
    }

    /// The longest time that a body may take to arrive; 30 seconds unless set.
    pub const fn body_time(mut self, time: Duration) -> Self {
        self.limits = self.limits.within(time);
        self
    }

    /// The receiver.
    ///
    /// # Errors
    /// A configuration error without a route or a sink, for an empty secret, or for one of the path that is shorter than 22 characters or
    /// has others than letters, digits, `-`, `_`, `.` and `~`.
    pub fn build(self) -> Result<Receiver, Error> {
        let mut secrets: BTreeMap<Route, Vec<SharedSecret>> = BTreeMap::new();
        for (route, secret) in self.secrets {
            secrets.entry(route).or_default().push(SharedSecret::new(secret)?);
        }
        if secrets.is_empty() {
            let hint = "name at least one route with the secret that its rows repeat";
            return Err(Error::configuration("the receiver of webhooks serves no route", hint));
        }
        let missing = || Error::configuration("what webhooks hint at would go nowhere", "name a sink");
        Ok(Receiver::new(Setup {
            secrets,
            in_path: self.in_path.map(fit_for_path).transpose()?,
            sink: self.sink.ok_or_else(missing)?,
            observer: self.observer,
            app: self.app,
            clock: self.clock,
            limits: self.limits,
        }))
    }
}

/// Compared as it stands in the path, so it must be the same there.
fn fit_for_path(secret: Secret) -> Result<SharedSecret, Error> {
    let secret = SharedSecret::at_least(SHORTEST_IN_PATH, secret)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if secret.reveal().bytes().all(is_plain) {
        return Ok(secret);
    }
    let hint = "take letters, digits, `-`, `_`, `.` and `~` alone";
    Err(Error::configuration("the secret of the path would be written differently in a URL", hint))
}

impl fmt::Debug for ReceiverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverBuilder").finish_non_exhaustive()
    }
}
