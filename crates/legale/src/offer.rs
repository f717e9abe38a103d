//! What exists in the web application and has no call (contract 3.1 row 17): said by a type and not by an error of the network.

use std::fmt;

use integration_core::{Error, ErrorKind, Outcome};

/// Something that the service offers in its web application only; no call of its API was found.
///
/// ```
/// use legale::NotOffered;
///
/// let error: legale::Error = NotOffered::Resend.into();
/// assert!(error.is_not_sent() && error.hint().contains("reminder"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotOffered {
    /// Ending a flow that is under way.
    Cancel,
    /// Pausing a flow.
    Pause,
    /// Sending a signer his link again.
    Resend,
    /// Lengthening the life of links.
    Extend,
    /// Managing users.
    Users,
    /// Managing devices.
    Devices,
    /// The audit report of a document.
    AuditReport,
}

impl NotOffered {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Cancel,
        Self::Pause,
        Self::Resend,
        Self::Extend,
        Self::Users,
        Self::Devices,
        Self::AuditReport,
    ];

    /// What to do instead.
    #[must_use]
    pub const fn instead(self) -> &'static str {
        match self {
            Self::Cancel => "delete the document, or terminate the flow in the web application",
            Self::Pause => "pause the flow in the web application",
            Self::Resend => "send your own reminder with the sign address, or resend in the web application",
            Self::Extend => "an administrator extends the links in the web application",
            Self::Users => "an administrator manages users in the web application",
            Self::Devices => "manage devices in the web application",
            Self::AuditReport => "fetch the report in the web application; keep an evidence log of your own",
        }
    }
}

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service's API offers no such call ({self:?})")
    }
}

impl std::error::Error for NotOffered {}

impl From<NotOffered> for Error {
    fn from(what: NotOffered) -> Self {
        Self::new(ErrorKind::Refused, "ask for what is not offered")
            .with_outcome(Outcome::NotSent)
            .with_message(what.to_string())
            .with_hint(what.instead())
            .with_source(what)
    }
}
