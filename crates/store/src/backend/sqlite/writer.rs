//! Group commit: one task holds the one connection that writes, and what waits together is synced together.
//!
//! A commit costs a sync of the disk whatever it holds, so all operations that queued up during the last one share the next.
//! Each runs in a savepoint of its own: one that fails takes nothing of the others with it, and none is answered before the
//! commit that holds it.
//!
//! While nobody is at the connection, an operation that is a single statement goes there itself: it saves two hops between tasks.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use integration_core::BoxFuture;
use integration_core::clock::Clock;
use sqlx::SqliteConnection;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

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
    pen: Arc<Mutex<Pen>>,
    runtime: Handle,
}

/// Work that has begun and is to end, whoever still waits for it.
struct ToItsEnd<'w, T: Send + 'static> {
    work: Option<BoxFuture<'static, T>>,
    runtime: &'w Handle,
}

impl<T: Send + 'static> Future for ToItsEnd<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for ToItsEnd<'_, T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            drop(self.runtime.spawn(work));
        }
    }
}

/// What writes.
pub(super) struct Pen {
    pub(super) connection: SqliteConnection,
    /// After a failed sync nobody knows what is on the disk, and a second sync may claim success for pages that were lost:
    /// nothing is written any more.
    stopped: bool,
}

impl Pen {
    pub(super) fn check(&self) -> Result<()> {
        if self.stopped { Err(stopped()) } else { Ok(()) }
    }

    /// To be told of the failure of a statement that is its own transaction: it cannot say whether the sync failed.
    pub(super) fn failed(&mut self, error: &StoreError, is_about_the_disk: bool) {
        self.stopped |= is_about_the_disk && error.kind() == StoreErrorKind::Unavailable;
    }
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
        let pen = Arc::new(Mutex::new(Pen { connection, stopped: false }));
        tokio::spawn(Task { pen: Arc::clone(&pen), clock, commits }.serve(queue));
        Self { jobs, pen, runtime: Handle::current() }
    }

    /// Runs what holds the pen. Dropped on the way it goes on in the background: how a sync ended must be seen.
    pub(super) fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        ToItsEnd { work: Some(Box::pin(work)), runtime: &self.runtime }
    }

    /// The pen, if nobody has it or waits for it.
    pub(super) fn if_idle(&self) -> Option<OwnedMutexGuard<Pen>> {
        Arc::clone(&self.pen).try_lock_owned().ok()
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
    pen: Arc<Mutex<Pen>>,
    clock: Arc<dyn Clock>,
    commits: Arc<AtomicU64>,
}

impl Task {
    async fn serve(self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            let mut pen = self.pen.lock().await;
            // What came while the pen was away shares the commit.
            while batch.len() < BATCH
                && let Ok(job) = queue.try_recv()
            {
                batch.push(job);
            }
            let mut jobs: Vec<_> = batch.drain(..).filter(|job| job.is_wanted()).collect();
            let ended = if jobs.is_empty() { Ok(()) } else { self.commit(&mut pen, &mut jobs).await };
            drop(pen);
            for job in jobs {
                job.answer(ended.as_ref().map(drop).map_err(copy));
            }
        }
    }

    async fn commit(&self, pen: &mut Pen, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        pen.check()?;
        pen.execute("BEGIN IMMEDIATE").await?;
        let ran = self.run(pen, jobs).await;
        if ran.is_err() {
            pen.roll_back().await;
            return ran;
        }
        let committed = pen.execute("COMMIT").await;
        if let Err(error) = &committed {
            pen.stopped = error.kind() == StoreErrorKind::Unavailable;
            pen.roll_back().await;
            return committed;
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Runs the operations one after another. `Err` if the whole transaction is lost: SQLite ends it by itself when the disk
    /// is full or fails.
    async fn run(&self, pen: &mut Pen, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        let now = self.clock.wall().as_microsecond();
        if let [alone] = jobs {
            // Nobody else's work hangs on it: the transaction is its savepoint.
            return alone.run(&mut pen.connection, now).await;
        }
        pen.execute("SAVEPOINT operation").await?;
        for job in jobs {
            match job.run(&mut pen.connection, now).await {
                // In one message to the driver's thread; the last savepoint ends with the transaction.
                Ok(()) => pen.execute("RELEASE operation; SAVEPOINT operation").await?,
                Err(error) => pen.execute("ROLLBACK TO operation").await.map_err(|_| error)?,
            }
        }
        Ok(())
    }
}

impl Pen {
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
