//! What the synchronisation needs of a plant: the port that the client implements, and that tests imitate.
//!
//! The rule enforced here: a list says itself, at its end, whether it was provably whole (contract 4.8); a stream that merely
//! stops was not. A not-found is an answer of its own, apart from every failure (contract 4.7).

use std::fmt;
use std::pin::Pin;

use futures_core::Stream;
use integration_core::BoxFuture;
use jiff::Timestamp;

use super::doubt::UnreadRow;
use super::element::Element;
use crate::feature::Feature;

/// Where to read on: after a crash, or 0 for the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct From {
    /// Only what is above this `fid`.
    pub after: Option<i64>,
    /// How many rows of this list were read up to there.
    pub read: u64,
    /// The total that the list had when it was begun. With what is left it must still come to this, or the list has drifted.
    pub total: Option<u64>,
}

impl From {
    /// A reading that goes on where another stopped.
    #[must_use]
    pub fn new(after: Option<i64>, read: u64, total: Option<u64>) -> Self {
        Self { after, read, total }
    }
}

/// One thing that a list brings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Piece {
    /// How many rows the whole list has, told before its first row; not told by a server that gives no usable total.
    Total(u64),
    /// A page begins.
    Page,
    /// An element; they come in strictly ascending order of `fid`.
    Row(Box<Element>),
    /// A row that could not be read (contract 3.7, R5 and R6): it makes the list incomplete. One that comes again, at a place that
    /// was told already, is not counted twice.
    Bad(Box<UnreadRow>),
    /// The last piece: whether the list was provably whole.
    End {
        /// Everything was collected, and the total was the same afterwards.
        complete: bool,
    },
}

/// A list as it comes.
pub type Rows<'a> = Pin<Box<dyn Stream<Item = Result<Piece, PlantError>> + Send + 'a>>;

/// What became of asking for one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Here it is.
    Found(Box<Element>),
    /// The plant says that there is none.
    NotFound,
}

/// Whether a failed reading may be begun again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlantErrorKind {
    /// The list changed under the reader: begin it again (contract G4).
    Drift,
    /// The reader is set up wrongly, such as for a column that does not exist.
    Setup,
    /// It could not be asked, or the answer was not understood.
    Failed,
}

/// A list or an element that could not be read.
#[derive(thiserror::Error)]
#[error("{message}")]
pub struct PlantError {
    kind: PlantErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PlantError {
    /// A failure, in one line without secrets.
    #[must_use]
    pub fn new(kind: PlantErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> PlantErrorKind {
        self.kind
    }
}

impl fmt::Debug for PlantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, "\n  caused by: {source}"))
    }
}

/// A plant that can be read. Nothing here writes.
pub trait Plant: Send + Sync + 'static {
    /// The whole list of a feature, ascending by `fid`.
    fn whole(&self, feature: Feature, from: From) -> Rows<'_>;

    /// What has changed at or after a moment, ascending by `fid`.
    fn changed(&self, feature: Feature, since: Timestamp, from: From) -> Rows<'_>;

    /// Whether [`changed`](Self::changed) can be asked: whether the change column is known.
    fn tells_changes(&self, feature: Feature) -> bool;

    /// Columns that the plant's reader was told of and that the feature does not have: a run warns of them. None unless the plant
    /// can tell.
    fn lacking(&self, feature: Feature) -> BoxFuture<'_, Result<Vec<String>, PlantError>> {
        let _ = feature;
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// One element. [`Lookup::NotFound`] only if the plant said so itself.
    fn one(&self, feature: Feature, fid: i64) -> BoxFuture<'_, Result<Lookup, PlantError>>;

    /// The splitters below a box, all of them.
    fn splitters_of(&self, parent: i64) -> BoxFuture<'_, Result<Vec<Element>, PlantError>>;

    /// The server's clock, if it shows one.
    fn server_time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, PlantError>>;
}
