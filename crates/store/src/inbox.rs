//! The duplicate guard: which callbacks were handled already.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;
use crate::error::StoreError;

/// One inbox of a [`Store`](crate::Store).
///
/// ```
/// # use std::time::Duration;
/// # use integration_store::Store;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let inbox = Store::open("memory:").await?.inbox("callbacks");
/// let day = Duration::from_secs(86_400);
/// if inbox.remember("event-17", day).await? {
///     // handle it; if that fails: inbox.forget("event-17").await?
/// }
/// assert!(!inbox.remember("event-17", day).await?, "the second delivery is a duplicate");
/// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Inbox {
    backend: Arc<dyn Backend>,
    name: Arc<str>,
}

impl Inbox {
    pub(crate) fn new(backend: Arc<dyn Backend>, name: String) -> Self {
        Self { backend, name: name.into() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Remembers a key for `ttl`; `true` only for whoever may handle it. See [`Backend::remember`].
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn remember(&self, key: &str, ttl: Duration) -> Result<bool, StoreError> {
        self.backend.remember(&self.name, key, ttl).await
    }

    /// Forgets a key, for a callback whose handling failed.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn forget(&self, key: &str) -> Result<(), StoreError> {
        self.backend.forget(&self.name, key).await
    }

    /// Forgets every key whose time has run out, and tells how many.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    pub async fn purge(&self) -> Result<u64, StoreError> {
        self.backend.purge(&self.name).await
    }
}
