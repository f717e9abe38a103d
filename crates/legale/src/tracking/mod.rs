//! Following documents: callbacks and polling feed one tracker, which turns them into one stream of events without doubles
//! (contract 4.11, assumed).
//!
//! ```
//! use legale::flow::Order;
//! use legale::status::{SignStatus, Status};
//! use legale::tracking::{EventKind, Observation, Source, Tracker};
//! use legale::webhook::{Detail, Seen};
//!
//! let id: legale::DocumentId = "d41d8".parse()?;
//! let tracker = Tracker::new();
//! let noon: jiff::Timestamp = "2026-03-02T12:00:00Z".parse()?;
//! tracker.observe(&id, noon, Source::Caller, Observation::started(Order::Parallel, Some(10), ["ana@example.com"]));
//! let signed = || Observation::Seen(Seen::Found(Detail::new(SignStatus::Signed)));
//! assert_eq!(tracker.observe(&id, noon, Source::Callback, signed())[0].kind, EventKind::Signed);
//! assert!(tracker.observe(&id, noon, Source::Poll, signed()).is_empty(), "told once");
//! assert_eq!(tracker.status(&id, noon), Some(Status::Signed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | part | does |
//! |---|---|
//! | [`Tracker`] | merges what is observed; timelines, subscriptions, the report of what is pending |
//! | [`poll`] | one look at the service: all pages, details of changed documents only |
//! | [`wait_until_final`] | waits for one document, within limits |
//! | [`EvidenceLog`] | an append-only file of JSON lines, each bound to the one before by SHA-256 |

mod evidence;
mod polling;
mod tracker;
mod wait;

use std::fmt;

use jiff::Timestamp;

use crate::flow::Order;
use crate::id::DocumentId;
use crate::seen::Seen;
use crate::status::SignStatus;
use crate::webhook::Delivery;

pub use evidence::{BrokenEvidence, Entry, EvidenceLog, Verified, verify};
pub use polling::{Documents, Listed, ListedPage, PollReport, poll};
pub use tracker::{EventSink, Events, Pending, Tracker};
pub use wait::{WaitLimits, wait_until_final};

/// Where a piece of news came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A proven callback.
    Callback,
    /// A look at the service.
    Poll,
    /// The program itself.
    Caller,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback => "callback",
            Self::Poll => "poll",
            Self::Caller => "caller",
        })
    }
}

/// What happened to a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// It was uploaded.
    Created,
    /// A flow was started.
    Started,
    /// The service has sent the flow out.
    Launched,
    /// A signer was reminded.
    Reminded,
    /// A signer is done.
    SignerDone,
    /// Signed by all.
    Signed,
    /// Rejected.
    Rejected {
        /// Why.
        comment: Option<String>,
    },
    /// The links ran out.
    Expired,
    /// It goes on: links were extended, or the service says that it has not ended after all.
    Reopened,
    /// The file was fetched.
    Downloaded {
        /// SHA-256 of its bytes, in hexadecimal.
        sha256: String,
    },
    /// It is gone.
    Deleted,
    /// Ended in the web application.
    Terminated,
    /// The service does not show its detail: from now on only the list tells of it.
    Denied {
        /// The service's code, such as `NOT_API_DOCUMENT`.
        code: String,
    },
    /// It is in a state that the contract does not know.
    Other(String),
}

impl EventKind {
    /// One word, as it stands in evidence.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Launched => "launched",
            Self::Reminded => "reminded",
            Self::SignerDone => "signer done",
            Self::Signed => "signed",
            Self::Rejected { .. } => "rejected",
            Self::Expired => "expired",
            Self::Reopened => "reopened",
            Self::Downloaded { .. } => "downloaded",
            Self::Deleted => "deleted",
            Self::Terminated => "terminated",
            Self::Denied { .. } => "denied",
            Self::Other(_) => "other",
        }
    }
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Which document.
    pub document: DocumentId,
    /// When it was noticed, or when it happened where that is known.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// From where it is known.
    pub source: Source,
    /// Who did it, where that is known: an e-mail.
    pub actor: Option<String>,
}

/// A piece of news for the tracker.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Observation {
    /// The program has uploaded it.
    Created,
    /// The program has started a flow.
    Started {
        /// In which order.
        order: Order,
        /// How many days of 24 hours the links live.
        expiration_days: Option<u32>,
        /// The e-mails of the signers in their order.
        signers: Vec<String>,
    },
    /// The service has sent the flow out; never reopens a flow that has ended.
    Launched,
    /// A signer was reminded: his e-mail.
    Reminded(String),
    /// A signer is done: his e-mail.
    SignerDone(String),
    /// A fresh look at the document. Only this leads out of a final state.
    Seen(Seen),
    /// What the list says of it.
    Listed(Listed),
    /// What a callback says that the service could not confirm (see [`Delivery::is_confirmed`]).
    Told {
        /// Its state.
        sign_status: SignStatus,
        /// Why it was rejected.
        comment: Option<String>,
    },
    /// The program has fetched the file.
    Downloaded {
        /// SHA-256 of its bytes, in hexadecimal.
        sha256: String,
    },
    /// The program says that the flow was terminated in the web application.
    Terminated,
    /// Nothing new: time has passed, links may have run out.
    Tick,
}

impl Observation {
    /// The program has started a flow.
    pub fn started<S: Into<String>>(
        order: Order,
        expiration_days: Option<u32>,
        signers: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::Started { order, expiration_days, signers: signers.into_iter().map(Into::into).collect() }
    }

    /// What a proven callback tells; nothing for kinds that say nothing of the document's state.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Option<Self> {
        match (&delivery.detail, delivery.callback.sign_status) {
            _ if delivery.callback.kind.is_launch() => Some(Self::Launched),
            (Some(detail), _) => Some(Self::Seen(Seen::Found(detail.clone()))),
            (None, Some(sign_status)) => {
                Some(Self::Told { sign_status, comment: delivery.callback.comment.clone() })
            }
            (None, None) => None,
        }
    }
}
