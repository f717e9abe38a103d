//! Which callbacks were handled already (contract 4.6): a store that can be exchanged, and the one in memory.

use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use integration_core::{BoxFuture, Error};

/// Remembers the keys of callbacks. A key is `SHA-256 of the body`, `sign_status` and `GUID` in one text.
pub trait Duplicates: Debug + Send + Sync {
    /// Remembers a key; `true` only for whoever may handle the callback.
    ///
    /// # Errors
    /// A failure to remember: the callback is then not handled, and answered with 500.
    fn remember<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>>;

    /// Forgets a key whose callback was not handled after all.
    ///
    /// # Errors
    /// A failure to forget.
    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Error>>;
}

/// Keys in memory, the oldest given up for new ones beyond a limit. They are lost when the process ends; so is no callback, but
/// one that comes again is then handled again.
#[derive(Debug)]
pub struct MemoryDuplicates {
    limit: usize,
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    known: HashSet<String>,
    by_age: VecDeque<String>,
}

impl MemoryDuplicates {
    /// Up to `limit` keys, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), keys: Mutex::default() }
    }

    fn add(&self, key: &str) -> bool {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.known.insert(key.to_owned()) {
            return false;
        }
        keys.by_age.push_back(key.to_owned());
        while keys.by_age.len() > self.limit {
            if let Some(oldest) = keys.by_age.pop_front() {
                keys.known.remove(&oldest);
            }
        }
        true
    }

    fn remove(&self, key: &str) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.known.remove(key);
        keys.by_age.retain(|known| known != key);
    }
}

impl Default for MemoryDuplicates {
    /// 100 000 keys, some 15 MiB when full.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Duplicates for MemoryDuplicates {
    fn remember<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        let is_new = self.add(key);
        Box::pin(std::future::ready(Ok(is_new)))
    }

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        self.remove(key);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Keys in an inbox of `integration-store`: they outlive the process, and several receivers can share them.
///
/// A process that is killed between remembering a key and the end of its handling leaves the key behind: should the callback come
/// again, it counts as handled. Poll beside it (contract 4.6): what the callback would have told is found that way.
#[cfg(feature = "store")]
#[derive(Debug, Clone)]
pub struct StoredDuplicates {
    inbox: integration_store::Inbox,
    keep: std::time::Duration,
}

#[cfg(feature = "store")]
impl StoredDuplicates {
    /// Keys are kept for 30 days.
    #[must_use]
    pub const fn new(inbox: integration_store::Inbox) -> Self {
        Self { inbox, keep: std::time::Duration::from_secs(30 * 86_400) }
    }

    /// Keeps keys for another time.
    #[must_use]
    pub const fn keep_for(mut self, keep: std::time::Duration) -> Self {
        self.keep = keep;
        self
    }
}

#[cfg(feature = "store")]
fn store_failed(error: integration_store::StoreError) -> Error {
    Error::new(integration_core::ErrorKind::Store, "guard against duplicates")
        .with_outcome(integration_core::Outcome::NotSent)
        .with_hint("see the store; the callback will be handled when it comes again, or found by polling")
        .with_source(error)
}

#[cfg(feature = "store")]
impl Duplicates for StoredDuplicates {
    fn remember<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async { self.inbox.remember(key, self.keep).await.map_err(store_failed) })
    }

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { self.inbox.forget(key).await.map_err(store_failed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn behaves(duplicates: &dyn Duplicates) {
        assert!(duplicates.remember("a").await.unwrap());
        assert!(!duplicates.remember("a").await.unwrap());
        assert!(duplicates.remember("b").await.unwrap());
        duplicates.forget("a").await.unwrap();
        assert!(duplicates.remember("a").await.unwrap());
        duplicates.forget("never seen").await.unwrap();
    }

    #[tokio::test]
    async fn a_key_is_new_once_unless_forgotten() {
        behaves(&MemoryDuplicates::default()).await;
    }

    #[cfg(feature = "store")]
    #[tokio::test]
    async fn a_key_in_the_store_is_new_once_unless_forgotten() {
        let store = integration_store::Store::open("memory:").await.unwrap();
        behaves(&StoredDuplicates::new(store.inbox("legale"))).await;
    }

    #[tokio::test]
    async fn memory_is_bounded_and_gives_up_the_oldest() {
        let duplicates = MemoryDuplicates::new(2);
        for key in ["a", "b", "c"] {
            assert!(duplicates.remember(key).await.unwrap());
        }
        assert!(!duplicates.remember("b").await.unwrap() && !duplicates.remember("c").await.unwrap());
        assert!(duplicates.remember("a").await.unwrap());
    }
}
