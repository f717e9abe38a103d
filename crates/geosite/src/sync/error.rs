//! Why a synchronisation could not do something (contract 3.8).

use std::fmt;

use super::kind::Kind;
use super::plant::PlantError;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What kind of failure it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncErrorKind {
    /// A setting is wrong.
    Config,
    /// The plant could not be asked.
    Plant,
    /// Too much would be deleted; nothing was.
    GuardBlocked,
    /// A selection or a project that the rules do not allow.
    SelectionInvalid(SelectionFault),
    /// Another worker is at it.
    RunInProgress {
        /// Its name.
        by: String,
    },
    /// Another worker has taken the run over meanwhile; nothing was written.
    LeaseLost,
    /// The register could not be read or written.
    Store,
    /// There is no such run, or nothing in it to decide.
    NotFound,
    /// The integration was deactivated; nothing was asked and nothing written.
    Inactive,
}

/// Which rule of selections or projects was broken (contract 4.1 and 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectionFault {
    /// The service splitter cannot be left out.
    Locked(Kind),
    /// No kind of the optical boxes is chosen.
    GroupEmpty(crate::feature::Group),
    /// Not a kind that can be chosen.
    NotSelectable(Kind),
    /// A selection is changed by a plan; this one does not fit what is stored any more.
    PlanOutdated,
    /// The integration belongs to another project.
    ProjectAttached(String),
    /// No project has exactly this name; these come nearest.
    ProjectUnknown(Vec<String>),
}

/// A failure of the synchronisation.
#[derive(thiserror::Error)]
#[error("{message}")]
pub struct SyncError {
    kind: SyncErrorKind,
    message: String,
    #[source]
    source: Option<Source>,
}

/// The text and its cause, since this is what a `main` that returns the error prints.
impl fmt::Debug for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, "\n  caused by: {source}"))
    }
}

impl SyncError {
    /// A failure with what to do about it, in one line without secrets.
    #[must_use]
    pub fn new(kind: SyncErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &SyncErrorKind {
        &self.kind
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            SyncErrorKind::Plant
                | SyncErrorKind::RunInProgress { .. }
                | SyncErrorKind::LeaseLost
                | SyncErrorKind::Store
        )
    }

    pub(crate) fn selection(fault: SelectionFault, message: impl Into<String>) -> Self {
        Self::new(SyncErrorKind::SelectionInvalid(fault), message)
    }

    pub(crate) fn lease_lost() -> Self {
        Self::new(
            SyncErrorKind::LeaseLost,
            "another worker has taken this run over; nothing more was written",
        )
    }
}

impl From<PlantError> for SyncError {
    fn from(error: PlantError) -> Self {
        Self::new(SyncErrorKind::Plant, format!("the plant could not be read: {error}")).with_source(error)
    }
}
