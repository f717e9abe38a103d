//! The store as users meet it: opened from one URL, cheap to clone, and the same whatever backend is behind it.

use std::sync::Arc;

use crate::backend::Backend;
use crate::backend::memory::Memory;
use crate::checkpoint::Checkpoints;
use crate::error::{StoreError, StoreErrorKind};
use crate::inbox::Inbox;
use crate::outbox::Outbox;

/// The environment variable that [`Store::from_env`] reads.
pub const URL_VARIABLE: &str = "INTEGRATION_STORE_URL";

/// Where [`Store::from_env`] writes if nothing else is said.
pub const DEFAULT_URL: &str = "sqlite:integration-store.db";

/// A durable memory. Clones share one backend.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = integration_store::Store::open("memory:").await?;
/// assert!(store.inbox("callbacks").remember("event-1", std::time::Duration::from_secs(3600)).await?);
/// # Ok::<(), integration_store::StoreError>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    url: Arc<str>,
}

impl Store {
    /// Opens the store that a URL names, creating or migrating it if need be.
    ///
    /// | URL | backend |
    /// |---|---|
    /// | `memory:` | this process's memory, for tests |
    /// | `sqlite:FILE`, `sqlite:///absolute/file` | a file (feature `sqlite`, on by default) |
    /// | `postgres://user:password@host/database` | PostgreSQL (feature `postgres`) |
    ///
    /// # Errors
    ///
    /// [`Configuration`](StoreErrorKind::Configuration) if the URL is none of these or its feature is off,
    /// [`Schema`](StoreErrorKind::Schema) if the store is newer than this crate or not one of ours,
    /// [`NotWritable`](StoreErrorKind::NotWritable), [`Corrupt`](StoreErrorKind::Corrupt) or
    /// [`Unavailable`](StoreErrorKind::Unavailable) as the words say. Nothing was touched then.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("memory") => Ok(Self::from_backend(Memory::new())),
            Some("sqlite") => open_sqlite(url).await,
            Some("postgres" | "postgresql") => open_postgres(url).await,
            _ => Err(unknown_url()),
        }
    }

    /// Opens the store of `INTEGRATION_STORE_URL`, or `integration-store.db` in the working folder if that is not set.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub async fn from_env() -> Result<Self, StoreError> {
        match std::env::var(URL_VARIABLE) {
            Ok(url) if !url.trim().is_empty() => Self::open(url.trim()).await,
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(configuration(format!("{URL_VARIABLE} is not readable text")))
            }
            _ => Self::open(DEFAULT_URL).await,
        }
    }

    /// A store on a backend that you made or configured yourself.
    #[must_use]
    pub fn from_backend(backend: impl Backend) -> Self {
        let url = backend.url().into();
        Self { backend: Arc::new(backend), url }
    }

    /// Where it is, without a password: to be shown to whoever runs the program.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it stands on.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// An outbox of this name; outboxes of different names know nothing of each other.
    #[must_use]
    pub fn outbox(&self, name: impl Into<String>) -> Outbox {
        Outbox::new(Arc::clone(&self.backend), name.into())
    }

    /// An inbox of this name.
    #[must_use]
    pub fn inbox(&self, name: impl Into<String>) -> Inbox {
        Inbox::new(Arc::clone(&self.backend), name.into())
    }

    /// The checkpoint of this name, with its records.
    #[must_use]
    pub fn checkpoints(&self, name: impl Into<String>) -> Checkpoints {
        Checkpoints::new(Arc::clone(&self.backend), name.into())
    }
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(url: &str) -> Result<Store, StoreError> {
    Ok(Store::from_backend(crate::Sqlite::open(url).await?))
}

#[cfg(not(feature = "sqlite"))]
#[allow(clippy::unused_async)]
async fn open_sqlite(_url: &str) -> Result<Store, StoreError> {
    Err(feature_is_off("SQLite", "sqlite"))
}

#[cfg(feature = "postgres")]
async fn open_postgres(url: &str) -> Result<Store, StoreError> {
    Ok(Store::from_backend(crate::Postgres::open(url).await?))
}

#[cfg(not(feature = "postgres"))]
#[allow(clippy::unused_async)]
async fn open_postgres(_url: &str) -> Result<Store, StoreError> {
    Err(feature_is_off("PostgreSQL", "postgres"))
}

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
fn feature_is_off(engine: &str, feature: &str) -> StoreError {
    configuration(format!(
        "this program was built without {engine}: turn on the feature `{feature}` of integration-store"
    ))
}

/// The URL itself is not repeated: it may hold a password.
fn unknown_url() -> StoreError {
    configuration("the store's URL must start with memory:, sqlite: or postgres://")
}

pub(crate) fn configuration(message: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs open stores inside spawned tasks.
    #[test]
    fn opening_may_be_spawned() {
        fn spawnable<T: Send>(_: T) {}
        spawnable(Store::open("memory:"));
        spawnable(Store::from_env());
    }

    #[tokio::test]
    async fn a_url_that_names_nothing_is_not_repeated() {
        let error = Store::open("mysql://user:hunter2@host/db").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration);
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[cfg(not(feature = "postgres"))]
    #[tokio::test]
    async fn a_missing_feature_is_named() {
        let error = Store::open("postgres://user:hunter2@host/db").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration);
        assert!(error.to_string().contains("feature `postgres`"), "{error}");
    }

    #[cfg(not(feature = "sqlite"))]
    #[tokio::test]
    async fn a_missing_default_is_named() {
        let error = Store::open("sqlite:file").await.unwrap_err();
        assert!(error.to_string().contains("feature `sqlite`"), "{error}");
    }
}
