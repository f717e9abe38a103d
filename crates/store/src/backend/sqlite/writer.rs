//! Group commit: one task owns the one connection that writes, and what waits together is synced together.
//!
//! A commit costs a sync of the disk whatever it holds, so all operations that queued up during the last one share the next.
//! Each runs in a savepoint of its own: one that fails takes nothing of the others with it, and none is answered before the
//! commit that holds it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use integration_core::BoxFuture;
use integration_core::clock::Clock;
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::error::failed;
use crate::error::{StoreError, StoreErrorKind};

/// How many operations may wait; more callers wait to be let in.
const QUEUE: usize = 1_024;
/// How many operations share a commit at most: keeps other processes' wait for the lock short.
const BATCH: usize = 256;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The way to the task.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    pub(super) fn start(
        connection: SqliteConnection,
        clock: Arc<dyn Clock>,
        commits: Arc<AtomicU64>,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(Task { connection, clock, commits, stopped: false }.serve(queue));
        Self { jobs }
    }

    pub(super) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection, i64) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Operation { work: Some(work), outcome: None, reply });
        self.jobs.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// An operation that waits for its turn, and then for the commit.
trait Job: Send {
    /// Whether somebody still waits for the answer. What nobody waits for is not begun.
    fn is_wanted(&self) -> bool;
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection, now: i64) -> BoxFuture<'c, Result<()>>;
    fn answer(self: Box<Self>, batch: Result<()>);
}

struct Operation<T, F> {
    work: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Operation<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection, i64) -> BoxFuture<'c, Result<T>> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection, now: i64) -> BoxFuture<'c, Result<()>> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return Ok(()) };
            let outcome = work(connection, now).await;
            let ended = outcome.as_ref().map(drop).map_err(copy);
            self.outcome = Some(outcome);
            ended
        })
    }

    fn answer(self: Box<Self>, batch: Result<()>) {
        // An operation's own failure stands: it changed nothing, whatever became of the batch.
        let answer = match (self.outcome, batch) {
            (Some(Ok(_)) | None, Err(error)) => Err(error),
            (Some(outcome), _) => outcome,
            (None, Ok(())) => Err(gone()),
        };
        // Nobody waits any more: the operation stands all the same, as after any lost answer.
        drop(self.reply.send(answer));
    }
}

struct Task {
    connection: SqliteConnection,
    clock: Arc<dyn Clock>,
    commits: Arc<AtomicU64>,
    /// After a failed sync nobody knows what is on the disk, and a second sync may claim success for pages that were lost:
    /// the task writes nothing any more.
    stopped: bool,
}

impl Task {
    async fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            let mut jobs: Vec<_> = batch.drain(..).filter(|job| job.is_wanted()).collect();
            let ended = if jobs.is_empty() { Ok(()) } else { self.commit(&mut jobs).await };
            for job in jobs {
                job.answer(ended.as_ref().map(drop).map_err(copy));
            }
        }
    }

    async fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        if self.stopped {
            return Err(stopped());
        }
        self.execute("BEGIN IMMEDIATE").await?;
        let ran = self.run(jobs).await;
        if ran.is_err() {
            self.roll_back().await;
            return ran;
        }
        let committed = self.execute("COMMIT").await;
        if let Err(error) = &committed {
            self.stopped = error.kind() == StoreErrorKind::Unavailable;
            self.roll_back().await;
            return committed;
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Runs the operations one after another. `Err` if the whole transaction is lost: SQLite ends it by itself when the disk
    /// is full or fails.
    async fn run(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        let now = self.clock.wall().as_microsecond();
        if let [alone] = jobs {
            // Nobody else's work hangs on it: the transaction is its savepoint.
            return alone.run(&mut self.connection, now).await;
        }
        self.execute("SAVEPOINT operation").await?;
        for job in jobs {
            match job.run(&mut self.connection, now).await {
                // In one message to the driver's thread; the last savepoint ends with the transaction.
                Ok(()) => self.execute("RELEASE operation; SAVEPOINT operation").await?,
                Err(error) => self.execute("ROLLBACK TO operation").await.map_err(|_| error)?,
            }
        }
        Ok(())
    }

    async fn roll_back(&mut self) {
        // Fails when SQLite has rolled back already, which is what is wanted.
        let _ = self.execute("ROLLBACK").await;
    }

    async fn execute(&mut self, sql: &str) -> Result<()> {
        sqlx::query(sql).execute(&mut self.connection).await.map_err(failed)?;
        Ok(())
    }
}

/// The same failure for everybody in the batch; the cause goes with the first.
fn copy(error: &StoreError) -> StoreError {
    error.again()
}

fn gone() -> StoreError {
    let message =
        "the task that writes has ended with its runtime; open the store in the runtime that uses it";
    StoreError::new(StoreErrorKind::Unavailable, message)
}

fn stopped() -> StoreError {
    let message = "the disk failed while a commit was synced, so nothing more is written; check the disk, then start again";
    StoreError::new(StoreErrorKind::Unavailable, message)
}
