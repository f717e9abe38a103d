//! Sets a [`Caller`] up. Service clients hold a builder inside their own and give it a face with
//! [`caller_setters`](crate::caller_setters).

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::auth::Credentials;
use super::client::{Caller, Shared};
use super::connections::{Connections, Keeping};
use super::observer::CallObserver;
use super::retry::{RetryBudget, RetryPolicy};
use super::settings::{BaseUrl, Settings, Timeouts};
use super::transport::Transport;
use crate::Error;
use crate::clock::{Clock, SystemClock};

const MIB: usize = 1024 * 1024;

/// Sets a [`Caller`] up.
#[derive(Debug, Clone)]
#[must_use]
pub struct CallerBuilder {
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    base: Option<BaseUrl>,
    credentials: Option<Arc<dyn Credentials>>,
    timeouts: Timeouts,
    retry: RetryPolicy,
    body_limit: usize,
    connections: Option<Connections>,
    keeping: Keeping,
    user_agent: &'static str,
    observer: Option<Arc<dyn CallObserver>>,
}

impl Default for CallerBuilder {
    fn default() -> Self {
        Self {
            transport: None,
            clock: Arc::new(SystemClock::new()),
            base: None,
            credentials: None,
            timeouts: Timeouts::new(Duration::from_secs(10), Duration::from_secs(60)),
            retry: RetryPolicy::new(),
            body_limit: MIB,
            connections: None,
            keeping: Keeping::Kept,
            user_agent: concat!("integration-sdk/", env!("CARGO_PKG_VERSION")),
            observer: None,
        }
    }
}

impl CallerBuilder {
    /// Says where the service is; needed before [`build`](Self::build).
    pub fn base(mut self, base: BaseUrl) -> Self {
        self.base = Some(base);
        self
    }

    /// Uses another transport than the built-in one.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Uses another source of time and chance.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Authorises every attempt.
    pub fn credentials(mut self, credentials: Arc<dyn Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the time limits.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Limits a whole call.
    pub fn total_timeout(mut self, total: Duration) -> Self {
        self.timeouts = self.timeouts.with_total(total);
        self
    }

    /// Limits making a connection.
    pub fn connect_timeout(mut self, connect: Duration) -> Self {
        self.timeouts = self.timeouts.with_connect(connect);
        self
    }

    /// Takes over what the environment says: the time limits, and the base URL if it names one.
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.timeouts = settings.timeouts(self.timeouts);
        self.base = settings.base_url.clone().or(self.base);
        self
    }

    /// Sets how often and how long to try.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Reads at most this many bytes of an answer; 1 MiB unless set.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Shares these connections with other clients; without it a client has its own. Another
    /// [`transport`](Self::transport) takes their place.
    pub fn connections(mut self, connections: &Connections) -> Self {
        self.connections = Some(connections.clone());
        self
    }

    /// Makes a new connection for every request, for services where a lost request costs more than a handshake. Without it only
    /// operations that may not be repeated have one each.
    pub fn fresh_connections(mut self) -> Self {
        self.keeping = Keeping::Fresh;
        self
    }

    /// Names the program to the service.
    pub fn user_agent(mut self, name: &'static str) -> Self {
        self.user_agent = name;
        self
    }

    /// Tells this observer what became of each call.
    pub fn observer(mut self, observer: Arc<dyn CallObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Builds the caller.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) without a base URL, if the built-in transport cannot
    /// be set up on this machine (or is not built in, where neither the feature `reqwest` nor `hyper` is on), or if the user agent cannot stand in a header.
    pub fn build(self) -> Result<Caller, Error> {
        let Some(base) = self.base else {
            return Err(Error::configuration("the client has no base URL", "say where the service is"));
        };
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                let own = || Connections::new(self.timeouts.connect());
                self.connections.unwrap_or_else(own).transport(&base, self.keeping)?
            }
        };
        let user_agent = HeaderValue::from_str(self.user_agent).map_err(|cause| {
            Error::configuration("the user agent cannot stand in a header", "use visible ASCII")
                .with_source(cause)
        })?;
        let shared = Arc::new(Shared {
            transport,
            clock: self.clock,
            timeouts: self.timeouts,
            retry: self.retry,
            budget: RetryBudget::default(),
            body_limit: self.body_limit,
            user_agent,
            observer: self.observer,
        });
        Ok(Caller { shared, base, credentials: self.credentials })
    }
}

/// The setters that every client's builder has, over its field of type [`CallerBuilder`](crate::call::CallerBuilder).
///
/// ```
/// use integration_core::call::{BaseUrl, CallerBuilder};
///
/// #[derive(Default)]
/// pub struct ClientBuilder {
///     caller: CallerBuilder,
/// }
///
/// impl ClientBuilder {
///     integration_core::caller_setters!(caller);
/// }
///
/// let builder = ClientBuilder::default().timeout(std::time::Duration::from_secs(90)).body_limit(4096);
/// assert!(builder.caller.base(BaseUrl::parse("https://service.example.com")?).build().is_ok());
/// # Ok::<(), integration_core::Error>(())
/// ```
#[macro_export]
macro_rules! caller_setters {
    ($field:ident) => {
        /// Limits a whole call: waiting for its turn, all attempts and the pauses between them.
        #[must_use]
        pub fn timeout(mut self, total: ::std::time::Duration) -> Self {
            self.$field = self.$field.total_timeout(total);
            self
        }

        /// Limits making a connection.
        #[must_use]
        pub fn connect_timeout(mut self, connect: ::std::time::Duration) -> Self {
            self.$field = self.$field.connect_timeout(connect);
            self
        }

        /// Sets how often and how long to try what may be tried again. What may have been applied and would be done twice
        /// never is.
        #[must_use]
        pub fn retry(mut self, policy: $crate::call::RetryPolicy) -> Self {
            self.$field = self.$field.retry(policy);
            self
        }

        /// Reads at most this many bytes of an answer; 1 MiB unless set or said otherwise by the client.
        #[must_use]
        pub fn body_limit(mut self, bytes: usize) -> Self {
            self.$field = self.$field.body_limit(bytes);
            self
        }

        /// Uses another transport than the built-in one, for tests and special networks.
        #[must_use]
        pub fn transport(mut self, transport: impl $crate::call::Transport) -> Self {
            self.$field = self.$field.transport(::std::sync::Arc::new(transport));
            self
        }

        /// Shares these connections with other clients, of whatever services; without it the client has its own. They have their
        /// own limit for making one.
        #[must_use]
        pub fn connections(mut self, connections: &$crate::call::Connections) -> Self {
            self.$field = self.$field.connections(connections);
            self
        }

        /// Tells this observer what became of each call, for metrics; an `Arc` of one serves several clients.
        #[must_use]
        pub fn observer(mut self, observer: impl $crate::call::CallObserver) -> Self {
            self.$field = self.$field.observer(::std::sync::Arc::new(observer));
            self
        }

        /// Uses another source of time and chance, for tests.
        #[must_use]
        pub fn clock(mut self, clock: impl $crate::clock::Clock) -> Self {
            self.$field = self.$field.clock(::std::sync::Arc::new(clock));
            self
        }
    };
}
