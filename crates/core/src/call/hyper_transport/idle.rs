//! Connections that wait for the next request to the same host.
//!
//! The rule enforced here: a connection that nobody used for some seconds, fewer than common servers keep theirs, is closed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::Uri;
use tokio::runtime::Handle;

use super::super::connections::IDLE;
use super::Conn;
use crate::clock::{Clock, SystemClock};

/// The connections put aside, the oldest first.
pub(super) struct Idle {
    /// How long a connection is kept that nobody uses.
    limit: Duration,
    clock: SystemClock,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    // Taken out and put back by address: a connection is large.
    #[allow(clippy::vec_box)]
    connections: Vec<Box<Conn>>,
    /// Whether a task closes what has waited too long.
    is_watched: bool,
}

impl Default for Idle {
    fn default() -> Self {
        Self::keeping(IDLE)
    }
}

impl Idle {
    pub(super) fn keeping(limit: Duration) -> Self {
        Self { limit, clock: SystemClock::new(), waiting: Mutex::default() }
    }

    fn is_expired(&self, conn: &Conn, now: Duration) -> bool {
        now.saturating_sub(conn.since) >= self.limit
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to that host that was used last: the likeliest to stand still.
    pub(super) fn take(&self, uri: &Uri) -> Option<Box<Conn>> {
        let now = self.clock.elapsed();
        let mut waiting = self.lock();
        let place = waiting.connections.iter().rposition(|conn| conn.origin.is_of(uri))?;
        let conn = waiting.connections.remove(place);
        drop(waiting);
        (!self.is_expired(&conn, now)).then_some(conn)
    }

    pub(super) fn put(self: &Arc<Self>, mut conn: Box<Conn>) {
        conn.since = self.clock.elapsed();
        let mut waiting = self.lock();
        waiting.connections.push(conn);
        if !waiting.is_watched
            && let Ok(runtime) = Handle::try_current()
        {
            waiting.is_watched = true;
            runtime.spawn(watch(Arc::downgrade(self), self.limit));
        }
    }

    /// Closes what has waited too long; `false` if nothing is left to watch.
    pub(super) fn close_expired(&self) -> bool {
        let now = self.clock.elapsed();
        let mut waiting = self.lock();
        let connections = &mut waiting.connections;
        let first_kept = connections.iter().position(|conn| !self.is_expired(conn, now));
        let expired: Vec<_> = connections.drain(..first_kept.unwrap_or(connections.len())).collect();
        waiting.is_watched = !waiting.connections.is_empty();
        let goes_on = waiting.is_watched;
        drop(waiting);
        drop(expired);
        goes_on
    }
}

/// A server closes what it has waited for, and whoever makes no further call would keep the other end for ever.
async fn watch(idle: Weak<Idle>, limit: Duration) {
    let clock = SystemClock::new();
    loop {
        clock.sleep(limit).await;
        match idle.upgrade() {
            Some(idle) if idle.close_expired() => {}
            _ => return,
        }
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("connections", &self.lock().connections.len()).finish_non_exhaustive()
    }
}
