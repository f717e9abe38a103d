//! What a look at the service says of one document: the proof behind a callback and the food of the tracker.

use std::fmt::Debug;

use integration_core::{BoxFuture, Error};
use jiff::Timestamp;

use crate::id::DocumentId;
use crate::status::SignStatus;

/// What detail says of a document, as far as callbacks and tracking need it (contract 3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detail {
    /// Whether it is signed.
    pub sign_status: SignStatus,
    /// Why it was rejected.
    pub comment: Option<String>,
    /// When it was uploaded.
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// Whether the service deletes it once the callback went out.
    pub delete_after_callback: bool,
    /// Whether there are signers, which means that a flow was started.
    pub has_signers: bool,
}

impl Detail {
    /// A document in this state of which nothing else is known.
    #[must_use]
    pub const fn new(sign_status: SignStatus) -> Self {
        Self {
            sign_status,
            comment: None,
            created_at: None,
            updated_at: None,
            delete_after_callback: false,
            has_signers: false,
        }
    }

    /// Says why it was rejected.
    #[must_use]
    pub fn with_comment(mut self, comment: Option<String>) -> Self {
        self.comment = comment;
        self
    }

    /// Says when it was uploaded and last changed.
    #[must_use]
    pub const fn with_times(mut self, created: Option<Timestamp>, updated: Option<Timestamp>) -> Self {
        self.created_at = created;
        self.updated_at = updated;
        self
    }

    /// Says that a flow was started.
    #[must_use]
    pub const fn with_signers(mut self, has_signers: bool) -> Self {
        self.has_signers = has_signers;
        self
    }

    /// Says that the service deletes it after the callback.
    #[must_use]
    pub const fn deleted_after_callback(mut self, is_deleted: bool) -> Self {
        self.delete_after_callback = is_deleted;
        self
    }
}

/// The answer to a look at one document. "Could not ask" is an error and none of these.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// There it is.
    Found(Detail),
    /// `DOCUMENT_NOT_FOUND`, or 404.
    #[doc(alias = "DOCUMENT_NOT_FOUND")]
    NotFound,
    /// It exists but its detail is refused: `NOT_OWNER`, `NOT_API_DOCUMENT` (trap 5).
    Denied {
        /// The service's code.
        code: String,
    },
}

/// Looks at a document; the client does it by GET `/document/get/{GUID}`.
pub trait Refetch: Debug + Send + Sync {
    /// What the service says of `document` now.
    ///
    /// # Errors
    /// Any failure to ask; a document that is missing or refused is no failure.
    fn look<'a>(&'a self, document: &'a DocumentId) -> BoxFuture<'a, Result<Seen, Error>>;
}
