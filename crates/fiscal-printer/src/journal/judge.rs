//! What one try means for the journal: the tables 9.3 (step 3) and 9.4, as one pure function.
//!
//! The client's own classification (9.2) says whether a request was not sent, refused or lost. What that means for the
//! **document** depends on what the journal knows of earlier tries.

use integration_core::{Error, Outcome};

use crate::error::Refusal;

/// What the journal knew before a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    /// The document's internal number.
    pub(super) number: u64,
    /// A request of this very text was once in doubt.
    pub(super) doubted: bool,
    /// An earlier request with this number was refused after the service had inserted it (codes 4 and 14).
    pub(super) insert_refused: bool,
    pub(super) attempt: Attempt,
}

/// Why the document was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It was not in doubt.
    Plain,
    /// Identical bytes, while nobody knew what had become of the try before.
    Resend,
    /// Identical bytes, after a probe had found that the try before issued nothing.
    AfterAbsence,
}

impl Attempt {
    pub(super) fn is_plain(self) -> bool {
        self == Self::Plain
    }
}

/// What became of the document, when the client returned an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing left: as before the try.
    NotSent,
    /// Not issued.
    Rejected,
    /// Not issued, and an earlier number is missing at the service, whose highest is this: the series stops.
    Gap(u64),
    /// The service has this very text: it was issued by the try that was in doubt.
    AlreadyIssued,
    /// Nobody knows.
    Unknown,
}

const NUMBER_TAKEN: i64 = 8;
const NOT_NEXT: i64 = 9;

/// Codes that the service raises after the insert; the rollback may leak (section 9, opening).
pub(super) const AFTER_INSERT: [i64; 2] = [4, 14];

/// Codes that depend on the body alone: the lost try met them too (9.3 step 3).
const BY_BODY_ALONE: [i64; 11] = [2, 4, 5, 7, 10, 14, 20, 21, 22, 23, 24];

pub(super) fn fate(before: Before, error: &Error) -> Fate {
    match error.outcome() {
        Outcome::NotSent if before.attempt == Attempt::Plain => Fate::NotSent,
        Outcome::Refused => refused(before, Refusal::of(error)),
        // Of a resend nothing left, so nothing is known that was not known before it (9.1).
        _ => Fate::Unknown,
    }
}

fn refused(before: Before, refusal: Option<&Refusal>) -> Fate {
    match refusal.and_then(Refusal::code) {
        Some(NUMBER_TAKEN) => number_taken(before),
        Some(NOT_NEXT) => not_next(before, refusal.and_then(Refusal::current_maximum)),
        code => otherwise(before, code),
    }
}

/// Code 8 (9.4, rows 1 to 3). Where rows 1 and 2 both apply, row 2 does: what is there may be what an earlier refusal's
/// rollback left behind, perhaps with another text, and this one would be called issued wrongly.
fn number_taken(before: Before) -> Fate {
    if before.insert_refused {
        Fate::Unknown
    } else if before.doubted || !before.attempt.is_plain() {
        Fate::AlreadyIssued
    } else {
        Fate::Rejected
    }
}

/// Code 9 (9.4, rows 4 to 7).
fn not_next(before: Before, maximum: Option<u64>) -> Fate {
    if before.attempt.is_plain() {
        return Fate::Rejected;
    }
    match maximum {
        Some(maximum) if maximum.saturating_add(1) < before.number => Fate::Gap(maximum),
        _ => Fate::Unknown,
    }
}

fn otherwise(before: Before, code: Option<i64>) -> Fate {
    match before.attempt {
        // Absent before, refused now: not issued either way.
        Attempt::Plain | Attempt::AfterAbsence => Fate::Rejected,
        Attempt::Resend if code.is_some_and(|code| BY_BODY_ALONE.contains(&code)) => Fate::Rejected,
        Attempt::Resend => Fate::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::testing::refusal;

    const PLAIN: Before =
        Before { number: 42, doubted: false, insert_refused: false, attempt: Attempt::Plain };
    const RESEND: Before = Before { attempt: Attempt::Resend, doubted: true, ..PLAIN };
    const AFTER_ABSENCE: Before = Before { attempt: Attempt::AfterAbsence, doubted: true, ..PLAIN };

    fn of_code(before: Before, code: &str, message: &str) -> Fate {
        fate(before, &refusal(code, message))
    }

    /// Table 9.4, row by row.
    #[test]
    fn codes_8_and_9_follow_the_table() {
        let doubted = Before { doubted: true, ..PLAIN };
        let inserted = Before { insert_refused: true, ..PLAIN };
        for (before, code, message, expected) in [
            (RESEND, "8", "", Fate::AlreadyIssued),
            (doubted, "8", "", Fate::AlreadyIssued),
            (inserted, "8", "", Fate::Unknown),
            (Before { insert_refused: true, ..doubted }, "8", "", Fate::Unknown),
            (Before { insert_refused: true, ..RESEND }, "8", "", Fate::Unknown),
            (PLAIN, "8", "", Fate::Rejected),
            (PLAIN, "9", "ultimo 7", Fate::Rejected),
            (RESEND, "9", "ultimo 42", Fate::Unknown),
            (RESEND, "9", "ultimo 43", Fate::Unknown),
            (RESEND, "9", "ultimo 40", Fate::Gap(40)),
            (RESEND, "9", "ultimo 41", Fate::Unknown),
            (RESEND, "9", "", Fate::Unknown),
            (AFTER_ABSENCE, "9", "ultimo 7", Fate::Gap(7)),
        ] {
            assert_eq!(of_code(before, code, message), expected, "{before:?} {code} {message}");
        }
    }

    /// Step 3 of 9.3: which codes let a resend decide.
    #[test]
    fn a_resend_is_decided_by_the_body_alone() {
        for code in [2, 4, 5, 7, 10, 14, 20, 21, 22, 23, 24] {
            assert_eq!(of_code(RESEND, &code.to_string(), ""), Fate::Rejected, "{code}");
        }
        for code in [1, 3, 11, 12, 13, 99] {
            assert_eq!(of_code(RESEND, &code.to_string(), ""), Fate::Unknown, "{code}");
            assert_eq!(of_code(PLAIN, &code.to_string(), ""), Fate::Rejected, "{code}");
            assert_eq!(of_code(AFTER_ABSENCE, &code.to_string(), ""), Fate::Rejected, "{code}");
        }
    }

    #[test]
    fn a_refusal_without_a_code_decides_no_resend() {
        let unauthorized =
            Error::new(integration_core::ErrorKind::Authentication, "issue").with_outcome(Outcome::Refused);
        assert_eq!(fate(PLAIN, &unauthorized), Fate::Rejected);
        assert_eq!(fate(RESEND, &unauthorized), Fate::Unknown);
    }

    #[test]
    fn a_resend_that_was_not_sent_leaves_the_doubt() {
        let unsent = Error::new(integration_core::ErrorKind::Connect, "issue").with_outcome(Outcome::NotSent);
        assert_eq!(fate(PLAIN, &unsent), Fate::NotSent);
        assert_eq!(fate(RESEND, &unsent), Fate::Unknown);
        assert_eq!(fate(AFTER_ABSENCE, &unsent), Fate::Unknown);
    }

    #[test]
    fn what_was_lost_is_unknown_whatever_came_before() {
        let lost = Error::new(integration_core::ErrorKind::Timeout, "issue").with_outcome(Outcome::Unknown);
        for before in [PLAIN, RESEND, AFTER_ABSENCE] {
            assert_eq!(fate(before, &lost), Fate::Unknown);
        }
    }
}
