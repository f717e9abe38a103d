//! The connections: a pool, and before it the few that were used last.
//!
//! The pool asks every connection that it gets back whether it still stands, a round trip for each operation. One on which
//! nothing went wrong is therefore kept at hand for the next operation, unless somebody waits at the pool.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use integration_core::clock::Clock;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool};

use super::{Database, failed};
use crate::error::StoreError;

const CONNECTIONS: u32 = 16;
/// How long a server may be away before an operation that needs a connection is `Unavailable`.
const CONNECT: Duration = Duration::from_secs(10);
/// A worker that hangs inside a transaction loses it, and one that waits for it is told.
const SESSION: &str = "SELECT set_config('lock_timeout', '30s', false),
    set_config('idle_in_transaction_session_timeout', '60s', false),
    CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END";

/// How long a connection may lie idle and be used again unasked.
const TRUSTED: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Connections {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    hand: Mutex<Hand>,
}

#[derive(Debug, Default)]
struct Hand {
    /// Each with the moment since which it lies idle.
    idle: Vec<(PoolConnection<Database>, Duration)>,
    /// How many wait at the pool.
    waiting: usize,
}

impl Connections {
    pub(super) fn of(options: PgConnectOptions, clock: Arc<dyn Clock>) -> Self {
        Self { pool: pool(options), clock, hand: Mutex::default() }
    }

    pub(super) async fn take(&self) -> Result<PoolConnection<Database>, StoreError> {
        let (kept, stale) = self.look();
        // To be asked by the pool, outside the lock.
        drop(stale);
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let _waiting = Waiting(self);
        self.pool.acquire().await.map_err(failed)
    }

    /// The connection to be used, or the ones that lay idle for too long: the last one kept is the freshest. With none, the
    /// caller counts as waiting from now on.
    #[allow(clippy::type_complexity, reason = "said above")]
    fn look(&self) -> (Option<PoolConnection<Database>>, Vec<(PoolConnection<Database>, Duration)>) {
        let now = self.clock.elapsed();
        let mut hand = self.hand();
        match hand.idle.pop() {
            Some((connection, since)) if now.saturating_sub(since) < TRUSTED => {
                (Some(connection), Vec::new())
            }
            stale => {
                hand.waiting = hand.waiting.saturating_add(1);
                let mut all = std::mem::take(&mut hand.idle);
                all.extend(stale);
                (None, all)
            }
        }
    }

    /// Keeps a connection on which nothing went wrong.
    pub(super) fn keep(&self, connection: PoolConnection<Database>) {
        let mut hand = self.hand();
        if hand.waiting == 0 {
            hand.idle.push((connection, self.clock.elapsed()));
        } else {
            drop(hand);
            drop(connection);
        }
    }

    fn hand(&self) -> MutexGuard<'_, Hand> {
        // A list and a number: whole at any moment.
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Waiting<'c>(&'c Connections);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut hand = self.0.hand();
        hand.waiting = hand.waiting.saturating_sub(1);
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        // The last handle may be dropped after its runtime, without which none can be given back to the pool.
        for (connection, _) in self.idle.drain(..) {
            drop(connection.detach());
        }
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT)
        // Only a connection that lay idle for a while is asked whether it still stands: a round trip saved on all others.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                Ok(meta.idle_for < TRUSTED || sqlx::Connection::ping(connection).await.is_ok())
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::query(SESSION).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options.disable_statement_logging())
}
