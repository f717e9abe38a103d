//! Why the store could not do something.

use std::fmt;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The URL or an option is wrong.
    Configuration,
    /// The lease was taken by another worker; nothing was written.
    LeaseLost,
    /// The change was decided on an older version, or is not allowed; nothing was written.
    Conflict,
    /// There is no such entry.
    NotFound,
    /// The store was written by a newer version of this crate, or is not one of ours; nothing was touched.
    Schema,
    /// What is stored is damaged.
    Corrupt,
    /// The store cannot write: disk full, read-only, no permission. Nothing was written.
    NotWritable,
    /// The store cannot be reached or broke off; whether the operation was applied is open.
    Unavailable,
}

/// A failure of the store.
#[derive(thiserror::Error)]
#[error("{}: {message}", .kind.phrase())]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The text and its causes, since this is what a `main` that returns the error prints.
impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match &self.source {
            Some(source) => write!(f, "\n  caused by: {source}"),
            None => Ok(()),
        }
    }
}

impl StoreError {
    /// A failure with what was being done and what to do about it, on one line and without secrets.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the cause; it must not contain a password.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same failure for another caller; the cause stays with the first.
    #[cfg(feature = "sqlite")]
    pub(crate) fn again(&self) -> Self {
        Self::new(self.kind, self.message.clone())
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl StoreErrorKind {
    const fn phrase(self) -> &'static str {
        match self {
            Self::Configuration => "the store is set up wrongly",
            Self::LeaseLost => "the lease was lost to another worker",
            Self::Conflict => "the change does not fit what is stored",
            Self::NotFound => "there is no such entry",
            Self::Schema => "the store's schema is not one that this version knows",
            Self::Corrupt => "what is stored is damaged",
            Self::NotWritable => "the store cannot be written",
            Self::Unavailable => "the store cannot be reached",
        }
    }
}
