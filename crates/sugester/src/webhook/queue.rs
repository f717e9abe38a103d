//! Where hints go before a webhook is answered, and where they wait until they are dealt with (contract 4.6, "answered before the work
//! is done").
//!
//! The rule enforced here: what was answered with 200 was kept first; what is taken stays until it is finished, so a kill in between
//! loses nothing.

use std::fmt::Debug;

use integration_core::{BoxFuture, Error};

use super::hint::{Heard, Hint, Unknown};

/// Keeps hints. Whatever synchronises is one; so are [`MemoryHints`](super::MemoryHints) and `StoredHints`.
///
/// ```
/// use sugester::webhook::{Hint, HintSink};
/// use sugester::{BoxFuture, Error};
///
/// #[derive(Debug)]
/// struct Table; // of a database of your own
///
/// impl HintSink for Table {
///     fn keep(&self, hint: Hint) -> BoxFuture<'_, Result<(), Error>> {
///         Box::pin(async move {
///             println!("insert into hints values ({}, {})", hint.subject, hint.id); // and commit
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait HintSink: Debug + Send + Sync {
    /// Keeps a hint for good before it returns: then the sender gets 200 and forgets it. Keeping an equal one twice must do no harm;
    /// leaving one out because an equal one is already **being** dealt with would lose a change.
    ///
    /// # Errors
    /// Whatever kept it from being kept: the sender gets 500.
    fn keep(&self, hint: Hint) -> BoxFuture<'_, Result<(), Error>>;

    /// Keeps a body that does not fit its route. It is dropped unless this is overridden; [`Reply`](super::Reply) reports it anyway.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    fn keep_unknown(&self, unknown: Unknown) -> BoxFuture<'_, Result<(), Error>> {
        drop(unknown);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Something that was heard, in its place in the queue.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Waiting {
    /// Rises with the order of arrival; never given twice in one queue.
    pub number: u64,
    /// What was heard.
    pub heard: Heard,
}

impl Waiting {
    /// For queues of your own.
    #[must_use]
    pub const fn new(number: u64, heard: Heard) -> Self {
        Self { number, heard }
    }
}

/// Hints in the order of their arrival, for a [`Worker`](super::Worker).
pub trait HintQueue: HintSink {
    /// What waits with a number above `after`, at most `limit`, by rising number. It goes on waiting.
    ///
    /// # Errors
    /// The queue's own failures.
    fn waiting(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Waiting>, Error>>;

    /// Forgets what was dealt with; numbers that do not wait (any more) do no harm.
    ///
    /// # Errors
    /// The queue's own failures: these hints are dealt with again.
    fn finish(&self, numbers: Vec<u64>) -> BoxFuture<'_, Result<(), Error>>;

    /// Resolves once something was kept since the last time this resolved, as far as this process can tell.
    fn arrival(&self) -> BoxFuture<'_, ()>;
}
