//! Where a document stands: one open state, derived by a pure function from what is known (contract 4.7).
//!
//! The derivation of `Uploaded`, `InProgress`, `LinkExpired` and `Deleted` is assumed: the service's own `sign_status` knows
//! only three values.

use std::fmt;

use integration_core::open_enum;
use jiff::{SignedDuration, Timestamp};

/// `sign_status` as it stands on the wire: 0, 1, 2, or a number that the contract does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("sign_status", "estado"))]
pub enum SignStatus {
    /// 0: not signed (yet).
    NotSigned,
    /// 1: signed by all.
    #[doc(alias = "firmado")]
    Signed,
    /// 2: rejected by somebody.
    #[doc(alias = "rechazado")]
    Rejected,
    /// Any other number, kept.
    Other(i64),
}

impl SignStatus {
    /// The value of a wire number.
    #[must_use]
    pub const fn from_code(code: i64) -> Self {
        match code {
            0 => Self::NotSigned,
            1 => Self::Signed,
            2 => Self::Rejected,
            other => Self::Other(other),
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::NotSigned => 0,
            Self::Signed => 1,
            Self::Rejected => 2,
            Self::Other(code) => code,
        }
    }

    /// Whether the flow has ended: signed or rejected.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Signed | Self::Rejected)
    }
}

impl fmt::Display for SignStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}

open_enum! {
    /// A label that the web application shows (documented as labels only; no answer of the API is known to hold them).
    guarded WebLabel {
        /// Uploaded.
        Uploaded = "uploaded",
        /// Ready for a workflow.
        ReadyForWorkflow = "ready for workflow",
        /// Ready to sign.
        ReadyToSign = "ready to sign",
        /// In progress.
        InProgress = "in progress",
        /// Signed.
        Signed = "signed",
        /// Rejected.
        Rejected = "rejected",
        /// The flow is paused.
        FluxPaused = "flux paused",
        /// Waits for an approval.
        ApproveOrReject = "approve or reject",
        /// Will be deleted.
        PendingDeletion = "pending deletion",
        /// Ended for good.
        Terminated = "terminated",
        /// The link to sign has expired.
        SignLinkExpired = "sign link expired",
    }
}

/// Where a document stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "estado")]
pub enum Status {
    /// At the service, and no start of a flow is known.
    Uploaded,
    /// A flow was started and has not ended.
    InProgress,
    /// The links of the flow have run out; an administrator may extend them, so this is not final.
    LinkExpired,
    /// Signed by all. Final.
    Signed,
    /// Rejected by a signer or an approver. Final.
    Rejected {
        /// Why, in the words of who rejected.
        comment: Option<String>,
    },
    /// Was known and is gone. Final.
    Deleted,
    /// Ended in the web application, as the caller told. Final.
    Terminated,
    /// A state that the contract does not know: the number or the text as it came.
    Other(String),
}

impl Status {
    /// Whether it ends a flow. Only a fresh detail leads out of such a state again, see [`Status::advance`].
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Signed | Self::Rejected { .. } | Self::Deleted | Self::Terminated)
    }

    /// The state after `next` was observed: a final state is only left on the word of a fresh detail (assumed).
    ///
    /// ```
    /// use legale::status::Status;
    ///
    /// assert_eq!(Status::Signed.advance(Status::InProgress, false), Status::Signed);
    /// assert_eq!(Status::Signed.advance(Status::InProgress, true), Status::InProgress);
    /// ```
    #[must_use]
    pub fn advance(self, next: Self, is_fresh_detail: bool) -> Self {
        if self.is_final() && !is_fresh_detail { self } else { next }
    }

    /// The state behind a text of the older API: `Not Signed`, `Signed`, `Rejected`, `Deleted`, and `Singing`, which is the
    /// vendor's spelling of `Signing` (trap 19). Other texts are kept.
    ///
    /// ```
    /// use legale::status::Status;
    ///
    /// assert_eq!(Status::from_legacy("Singing", None), Status::InProgress);
    /// assert_eq!(Status::from_legacy("Lost", None), Status::Other("Lost".into()));
    /// ```
    #[must_use]
    pub fn from_legacy(text: &str, comment: Option<String>) -> Self {
        match text {
            "Not Signed" | "Singing" | "Signing" => Self::InProgress,
            "Signed" => Self::Signed,
            "Rejected" => Self::Rejected { comment },
            "Deleted" => Self::Deleted,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uploaded => "uploaded",
            Self::InProgress => "in progress",
            Self::LinkExpired => "sign link expired",
            Self::Signed => "signed",
            Self::Rejected { .. } => "rejected",
            Self::Deleted => "deleted",
            Self::Terminated => "terminated",
            Self::Other(text) => text,
        })
    }
}

/// Everything that is known about a document and decides its state.
///
/// ```
/// use legale::status::{Facts, SignStatus, Status};
///
/// let now: jiff::Timestamp = "2026-03-10T12:00:00Z".parse()?;
/// let facts = Facts::new(SignStatus::NotSigned).started("2026-03-01T12:00:00Z".parse()?).expires_after_days(9);
/// assert_eq!(facts.status(now), Status::LinkExpired);
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    sign_status: SignStatus,
    is_started: bool,
    started_at: Option<Timestamp>,
    expiration_days: Option<u32>,
    comment: Option<String>,
    is_found: bool,
    is_terminated: bool,
}

impl Facts {
    /// What an answer of the service says; nothing is known of a start.
    #[must_use]
    pub const fn new(sign_status: SignStatus) -> Self {
        Self {
            sign_status,
            is_started: false,
            started_at: None,
            expiration_days: None,
            comment: None,
            is_found: true,
            is_terminated: false,
        }
    }

    /// A flow was started at this instant.
    #[must_use]
    pub const fn started(mut self, at: Timestamp) -> Self {
        self.is_started = true;
        self.started_at = Some(at);
        self
    }

    /// A flow was started, nobody knows when: detail shows signers.
    #[must_use]
    pub const fn started_some_time(mut self) -> Self {
        self.is_started = true;
        self
    }

    /// The life of the links in days of 24 hours from the start.
    #[must_use]
    pub const fn expires_after_days(mut self, days: u32) -> Self {
        self.expiration_days = Some(days);
        self
    }

    /// Why it was rejected.
    #[must_use]
    pub fn comment(mut self, comment: Option<String>) -> Self {
        self.comment = comment;
        self
    }

    /// The document was known before and is not found now.
    #[must_use]
    pub const fn gone(mut self) -> Self {
        self.is_found = false;
        self
    }

    /// The caller says that the flow was terminated in the web application.
    #[must_use]
    pub const fn terminated(mut self) -> Self {
        self.is_terminated = true;
        self
    }

    /// When the links run out, if start and life are known.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        deadline(self.started_at?, self.expiration_days?)
    }

    /// The state at `now`. What the service says of the end of a flow beats what the caller told; a missing document was
    /// deleted unless the caller terminated it.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        match self.sign_status {
            _ if !self.is_found && self.is_terminated => Status::Terminated,
            _ if !self.is_found => Status::Deleted,
            SignStatus::Signed => Status::Signed,
            SignStatus::Rejected => Status::Rejected { comment: self.comment.clone() },
            _ if self.is_terminated => Status::Terminated,
            SignStatus::Other(code) => Status::Other(code.to_string()),
            SignStatus::NotSigned if !self.is_started => Status::Uploaded,
            SignStatus::NotSigned if self.deadline().is_some_and(|deadline| now >= deadline) => {
                Status::LinkExpired
            }
            SignStatus::NotSigned => Status::InProgress,
        }
    }
}

/// `start` and so many days of 24 hours; nothing if that is beyond what a time stamp can say.
pub(crate) fn deadline(start: Timestamp, days: u32) -> Option<Timestamp> {
    start.checked_add(SignedDuration::from_hours(i64::from(days) * 24)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Contract 4.7, row by row.
    #[test]
    fn every_row_of_the_status_model() {
        let now = at("2026-03-10T12:00:00Z");
        let started = at("2026-03-09T12:00:00Z");
        let facts = |code| Facts::new(SignStatus::from_code(code));
        let why = || Some("wrong price".to_owned());
        let table = [
            (facts(0), Status::Uploaded),
            (facts(0).started(started), Status::InProgress),
            (facts(0).started_some_time(), Status::InProgress),
            (facts(0).started_some_time().expires_after_days(1), Status::InProgress),
            (facts(0).started(started).expires_after_days(2), Status::InProgress),
            (facts(0).started(started).expires_after_days(1), Status::LinkExpired),
            (facts(0).expires_after_days(1), Status::Uploaded),
            (facts(1), Status::Signed),
            (facts(1).started(started).expires_after_days(1), Status::Signed),
            (facts(2).comment(why()), Status::Rejected { comment: why() }),
            (facts(2), Status::Rejected { comment: None }),
            (facts(0).gone(), Status::Deleted),
            (facts(1).gone(), Status::Deleted),
            (facts(0).started(started).terminated(), Status::Terminated),
            (facts(0).terminated().gone(), Status::Terminated),
            (facts(1).terminated(), Status::Signed),
            (facts(7), Status::Other("7".into())),
            (facts(-1), Status::Other("-1".into())),
        ];
        for (facts, expected) in table {
            assert_eq!(facts.status(now), expected, "{facts:?}");
        }
    }

    #[test]
    fn links_live_to_the_very_instant() {
        let facts =
            Facts::new(SignStatus::NotSigned).started(at("2026-03-01T00:00:00Z")).expires_after_days(1);
        assert_eq!(facts.status(at("2026-03-01T23:59:59.999Z")), Status::InProgress);
        assert_eq!(facts.status(at("2026-03-02T00:00:00Z")), Status::LinkExpired);
        let ages = Facts::new(SignStatus::NotSigned).started(Timestamp::MAX).expires_after_days(u32::MAX);
        assert_eq!(ages.status(Timestamp::MAX), Status::InProgress);
    }

    #[test]
    fn only_four_states_are_final() {
        let rejected = Status::Rejected { comment: None };
        for status in [Status::Signed, rejected, Status::Deleted, Status::Terminated] {
            assert!(status.is_final());
            assert_eq!(status.clone().advance(Status::InProgress, false), status);
            assert_eq!(status.advance(Status::InProgress, true), Status::InProgress);
        }
        for status in [Status::Uploaded, Status::InProgress, Status::LinkExpired, Status::Other("9".into())] {
            assert!(!status.is_final());
            assert_eq!(status.advance(Status::Signed, false), Status::Signed);
        }
    }

    #[test]
    fn older_texts_and_numbers_are_read_and_unknown_ones_kept() {
        for text in ["Not Signed", "Singing", "Signing"] {
            assert_eq!(Status::from_legacy(text, None), Status::InProgress);
        }
        assert_eq!(Status::from_legacy("Signed", None), Status::Signed);
        assert_eq!(Status::from_legacy("Deleted", None), Status::Deleted);
        assert_eq!(Status::from_legacy("Rejected", None), Status::Rejected { comment: None });
        for code in [-5, 0, 1, 2, 3, i64::MAX] {
            assert_eq!(SignStatus::from_code(code).code(), code);
        }
        assert_eq!(WebLabel::from_wire("flux paused"), WebLabel::FluxPaused);
        assert_eq!(WebLabel::from_wire("strange").to_string(), "strange");
    }
}
