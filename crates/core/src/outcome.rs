//! Did it happen? The one question every failed call must answer.
//!
//! A reset, a timeout or a 5xx does not tell whether the service acted. This type keeps "refused" and "never left" apart
//! from "nobody knows", because only the last one may not be repeated blindly (DESIGN section 3, promise 1).

/// Whether a failed call took effect at the service.
///
/// ```
/// use integration_core::Outcome;
///
/// assert!(Outcome::NotSent.is_safe_to_repeat());
/// assert!(!Outcome::Unknown.is_safe_to_repeat());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Not one byte of the request left this machine, or it was stopped before sending. Nothing happened.
    NotSent,
    /// The service answered that it did not act.
    Refused,
    /// The request may have been applied. Find out before repeating it.
    Unknown,
    /// The call only reads: there was nothing to apply.
    ReadOnly,
}

impl Outcome {
    /// Whether sending the same request again cannot apply it twice.
    #[must_use]
    pub const fn is_safe_to_repeat(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// The sentence that error texts use.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::NotSent => "nothing was sent",
            Self::Refused => "not applied",
            Self::Unknown => "OUTCOME UNKNOWN: it may have been applied",
            Self::ReadOnly => "nothing to apply",
        }
    }
}
