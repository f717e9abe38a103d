//! Sets a receiver up. Without a way to prove callbacks there is none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use integration_core::body::webhook::{Duplicates, Guard, Limits, MemoryDuplicates, Observer, SharedSecret};
use integration_core::clock::{Clock, SystemClock};
use integration_core::{Error, Secret};

use super::files::FileSink;
use super::receiver::{Handler, Receiver};
use super::secret::{Key, KeyPlace, Relay, SecretPlace, UrlSecrets};
use crate::seen::Refetch;

/// 100 MiB in base64, and room for the rest (assumed).
const BODY_LIMIT: u64 = 160 * 1024 * 1024;
/// As long as a call that carries a document (contract 2.3).
const BODY_TIME: Duration = Duration::from_secs(300);
const REST_LIMIT: usize = 1024 * 1024;
const FILE_LIMIT: usize = 100;

/// How a receiver is set up.
pub(super) struct Setup {
    pub(super) url_secrets: Option<(Arc<dyn UrlSecrets>, SecretPlace)>,
    pub(super) key: Option<Key>,
    pub(super) refetch: Option<Arc<dyn Refetch>>,
    pub(super) relay: Option<Relay>,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) guard: Guard,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) sink: Option<Arc<dyn FileSink>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) rest_limit: usize,
    pub(super) file_limit: usize,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("url_secrets", &self.url_secrets)
            .field("key", &self.key)
            .field("refetch", &self.refetch)
            .field("relay", &self.relay)
            .field("guard", &self.guard)
            .field("sink", &self.sink)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Sets a [`Receiver`] up. **Every** strategy that is named must be right for a callback to be handled; the recommended pair is
/// [`url_secrets`](Self::url_secrets) and [`refetch`](Self::refetch).
#[must_use = "a builder does nothing until `build` is called"]
pub struct ReceiverBuilder {
    url_secrets: Option<(Arc<dyn UrlSecrets>, SecretPlace)>,
    key: Option<(Secret, KeyPlace)>,
    refetch: Option<Arc<dyn Refetch>>,
    relay: Option<Relay>,
    handler: Option<Arc<dyn Handler>>,
    duplicates: Option<Arc<dyn Duplicates>>,
    observer: Option<Arc<dyn Observer>>,
    sink: Option<Arc<dyn FileSink>>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    rest_limit: usize,
}

impl ReceiverBuilder {
    pub(super) fn new() -> Self {
        Self {
            url_secrets: None,
            key: None,
            refetch: None,
            relay: None,
            handler: None,
            duplicates: None,
            observer: None,
            sink: None,
            clock: Arc::new(SystemClock::new()),
            limits: Limits::new(BODY_LIMIT).within(BODY_TIME),
            rest_limit: REST_LIMIT,
        }
    }

    /// Strategy a: the URL of each document holds a secret, checked before the body is read.
    pub fn url_secrets(mut self, secrets: Arc<dyn UrlSecrets>, place: SecretPlace) -> Self {
        self.url_secrets = Some((secrets, place));
        self
    }

    /// Strategy b: a key comes along, in a header or in the body. An empty key proves nothing and is refused by
    /// [`build`](Self::build).
    pub fn key(mut self, expected: impl Into<Secret>, place: KeyPlace) -> Self {
        self.key = Some((expected.into(), place));
        self
    }

    /// Strategy c: of a callback only the GUID is taken, and the service is asked.
    pub fn refetch(mut self, refetch: Arc<dyn Refetch>) -> Self {
        self.refetch = Some(refetch);
        self
    }

    /// Strategy d: a relay of the caller's signs each callback.
    pub fn relay(mut self, relay: Relay) -> Self {
        self.relay = Some(relay);
        self
    }

    /// What is done with a proven callback.
    pub fn handler(mut self, handler: Arc<dyn Handler>) -> Self {
        self.handler = Some(handler);
        self
    }

    /// Where it is remembered which callbacks are being handled and which were; default 100 000 of them in memory. With
    /// `StoredDuplicates` (feature `store`) it outlives the process, and several receivers can share it.
    pub fn duplicates(mut self, duplicates: Arc<dyn Duplicates>) -> Self {
        self.duplicates = Some(duplicates);
        self
    }

    /// Who is told why a callback was refused: the sender gets no more than a status. Closures will do.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Where files go; unless set they are checked and dropped, and [`Delivery::needs_download`](super::Delivery::needs_download)
    /// says that the signed one is to be fetched.
    pub fn sink(mut self, sink: Arc<dyn FileSink>) -> Self {
        self.sink = Some(sink);
        self
    }

    /// The clock by which the relay's window and the time for a body are measured, and claims are renewed.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The largest body in bytes; default 160 MiB.
    pub const fn body_limit(mut self, bytes: u64) -> Self {
        self.limits = Limits::new(bytes).within(self.limits.time());
        self
    }

    /// The longest time that a body may take to arrive; default 300 seconds.
    pub const fn body_time(mut self, time: Duration) -> Self {
        self.limits = self.limits.within(time);
        self
    }

    /// The most that a body may hold beside its files, which is what is kept in memory; default 1 MiB.
    pub const fn rest_limit(mut self, bytes: usize) -> Self {
        self.rest_limit = bytes;
        self
    }

    /// The receiver.
    ///
    /// # Errors
    /// A configuration error if no strategy was named, the key is empty, or there is no handler.
    pub fn build(self) -> Result<Receiver, Error> {
        let has_strategy = self.url_secrets.is_some()
            || self.key.is_some()
            || self.refetch.is_some()
            || self.relay.is_some();
        if !has_strategy {
            let hint =
                "name at least one of url_secrets, key, refetch, relay; url_secrets with refetch is advised";
            return Err(Error::configuration("anybody could post to this receiver", hint));
        }
        let key = match self.key {
            Some((expected, place)) => Some(Key { expected: SharedSecret::new(expected)?, place }),
            None => None,
        };
        let handler = self
            .handler
            .ok_or_else(|| Error::configuration("callbacks would go nowhere", "name a handler"))?;
        let duplicates = self.duplicates.unwrap_or_else(|| Arc::new(MemoryDuplicates::default()));
        Ok(Receiver::new(Setup {
            url_secrets: self.url_secrets,
            key,
            refetch: self.refetch,
            relay: self.relay,
            handler,
            guard: Guard::new(duplicates).clock(Arc::clone(&self.clock)),
            observer: self.observer,
            sink: self.sink,
            clock: self.clock,
            limits: self.limits,
            rest_limit: self.rest_limit,
            file_limit: FILE_LIMIT,
        }))
    }
}

impl fmt::Debug for ReceiverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverBuilder").finish_non_exhaustive()
    }
}
