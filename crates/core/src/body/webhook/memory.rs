//! The guard's memory for one process.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::guard::{Claim, ClaimTicket, Duplicates};
use crate::{BoxFuture, Error};

/// Keys in memory, the oldest given up for new ones beyond a limit. They are lost when the process ends; so is no callback, but
/// one that comes again is then handled again.
#[derive(Debug)]
pub struct MemoryDuplicates {
    limit: usize,
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    claimed: HashMap<String, i64>,
    tokens: i64,
    handled: HashSet<String>,
    by_age: VecDeque<String>,
}

impl MemoryDuplicates {
    /// Up to `limit` keys of handled callbacks, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), keys: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn claim(&mut self, key: &str) -> Claim {
        if self.handled.contains(key) {
            return Claim::Handled;
        }
        if self.claimed.contains_key(key) {
            return Claim::InProgress;
        }
        self.tokens = self.tokens.wrapping_add(1);
        self.claimed.insert(key.to_owned(), self.tokens);
        Claim::New(ClaimTicket::new(key, self.tokens))
    }

    fn done(&mut self, key: &str, limit: usize) {
        self.claimed.remove(key);
        if !self.handled.insert(key.to_owned()) {
            return;
        }
        self.by_age.push_back(key.to_owned());
        while self.by_age.len() > limit {
            if let Some(oldest) = self.by_age.pop_front() {
                self.handled.remove(&oldest);
            }
        }
    }

    fn release(&mut self, ticket: &ClaimTicket) {
        if self.claimed.get(&ticket.key) == Some(&ticket.token) {
            self.claimed.remove(&ticket.key);
        }
    }
}

impl Default for MemoryDuplicates {
    /// 100 000 keys, some 15 MiB when full.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Duplicates for MemoryDuplicates {
    fn claim<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Claim, Error>> {
        let claim = self.lock().claim(key);
        Box::pin(std::future::ready(Ok(claim)))
    }

    fn done<'a>(&'a self, ticket: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
        self.lock().done(&ticket.key, self.limit);
        Box::pin(std::future::ready(Ok(())))
    }

    fn release<'a>(&'a self, ticket: &'a ClaimTicket) -> BoxFuture<'a, Result<(), Error>> {
        self.lock().release(ticket);
        Box::pin(std::future::ready(Ok(())))
    }

    fn abandon(&self, ticket: &ClaimTicket) -> bool {
        self.lock().release(ticket);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn claimed(duplicates: &MemoryDuplicates, key: &str) -> ClaimTicket {
        match duplicates.claim(key).await.unwrap() {
            Claim::New(ticket) => ticket,
            other => panic!("{key} came to {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_key_is_new_once_unless_released() {
        let duplicates = MemoryDuplicates::default();
        let first = claimed(&duplicates, "a").await;
        assert_eq!(duplicates.claim("a").await.unwrap(), Claim::InProgress);
        duplicates.release(&first).await.unwrap();
        let second = claimed(&duplicates, "a").await;
        duplicates.release(&first).await.unwrap();
        assert_eq!(duplicates.claim("a").await.unwrap(), Claim::InProgress, "the first frees no successor");
        duplicates.done(&second).await.unwrap();
        assert!(duplicates.abandon(&second));
        assert_eq!(duplicates.claim("a").await.unwrap(), Claim::Handled);
        claimed(&duplicates, "b").await;
    }

    #[tokio::test]
    async fn memory_is_bounded_and_gives_up_the_oldest() {
        let duplicates = MemoryDuplicates::new(2);
        for key in ["a", "b", "c", "c"] {
            duplicates.done(&ClaimTicket::new(key, 0)).await.unwrap();
        }
        assert_eq!(duplicates.claim("b").await.unwrap(), Claim::Handled);
        assert_eq!(duplicates.claim("c").await.unwrap(), Claim::Handled);
        claimed(&duplicates, "a").await;
    }
}
