//! Hints in memory, for programs that poll anyway and can bear to lose them.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use tokio::sync::Notify;

use super::hint::{Heard, Hint, Unknown};
use super::queue::{HintQueue, HintSink, Waiting};

/// Hints that last as long as the process: after a restart, polling has to find what they hinted at.
///
/// Beyond a limit nothing is taken any more: the sender gets 500, and is to try again.
#[derive(Debug)]
pub struct MemoryHints {
    limit: usize,
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Debug)]
struct Queue {
    last: u64,
    waiting: BTreeMap<u64, Heard>,
}

impl MemoryHints {
    /// Up to `limit` at once, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        // A guard that outlives this queue must not take a number of the next one for one that was dealt with.
        let last = RandomState::new().build_hasher().finish() >> 16;
        let queue = Mutex::new(Queue { last, waiting: BTreeMap::new() });
        Self { limit: limit.max(1), queue, arrived: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, heard: Heard) -> Result<(), Error> {
        let mut queue = self.lock();
        if queue.waiting.len() >= self.limit {
            return Err(full());
        }
        queue.last = queue.last.saturating_add(1);
        let number = queue.last;
        queue.waiting.insert(number, heard);
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }
}

fn full() -> Error {
    Error::new(ErrorKind::Store, "keep a hint")
        .with_outcome(Outcome::NotSent)
        .with_message("as many hints wait as there may")
        .with_hint("see whether the worker runs; what is refused is found by polling")
}

impl Default for MemoryHints {
    /// 100 000 at once.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl HintSink for MemoryHints {
    fn keep(&self, hint: Hint) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(self.put(Heard::Hint(hint))))
    }

    fn keep_unknown(&self, unknown: Unknown) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(self.put(Heard::Unknown(unknown))))
    }
}

impl HintQueue for MemoryHints {
    fn waiting(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Waiting>, Error>> {
        let queue = self.lock();
        let above = queue.waiting.range(after.saturating_add(1)..).take(limit);
        let found = above.map(|(number, heard)| Waiting::new(*number, heard.clone())).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn finish(&self, numbers: Vec<u64>) -> BoxFuture<'_, Result<(), Error>> {
        let mut queue = self.lock();
        for number in numbers {
            queue.waiting.remove(&number);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn arrival(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.arrived.notified())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::Subject;

    #[tokio::test]
    async fn hints_wait_in_order_until_they_are_finished() {
        let hints = MemoryHints::new(2);
        for id in [7, 5] {
            hints.keep(Hint::new(Subject::Client, id)).await.unwrap();
        }
        assert!(hints.keep(Hint::new(Subject::Client, 9)).await.is_err(), "two are the limit");
        hints.arrival().await;
        let first = hints.waiting(0, 1).await.unwrap().remove(0);
        assert_eq!(first.heard, Heard::Hint(Hint::new(Subject::Client, 7)));
        hints.finish(vec![first.number, 1]).await.unwrap();
        let rest = hints.waiting(first.number, 10).await.unwrap();
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].heard, Heard::Hint(Hint::new(Subject::Client, 5)));
        hints.keep(Hint::new(Subject::Client, 9)).await.unwrap();
    }
}
