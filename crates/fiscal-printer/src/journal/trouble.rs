//! The journal's own errors: a store that fails, a series that waits, a document that contradicts what is written down.

use integration_core::{Error, ErrorKind, Outcome};
use integration_store::{StoreError, StoreErrorKind};

use super::entry::JournalEntry;
use crate::issue::ISSUE;

/// A failure of the store while nothing of an issue was under way.
pub(super) fn before(error: StoreError) -> Error {
    before_of(ISSUE.name, error)
}

/// As [`before`], of another operation.
pub(super) fn before_of(operation: &'static str, error: StoreError) -> Error {
    of_store(operation, error).with_outcome(Outcome::NotSent)
}

/// A failure of the store after a request may have left (9.1): the caller cannot rely on the journal for this document until
/// the store is back, when it will stand there as unknown.
pub(super) fn after(error: StoreError, told: Option<&str>) -> Error {
    let error = of_store(ISSUE.name, error).with_outcome(Outcome::Unknown);
    let lead = match told {
        Some(control) => format!("the document was issued as {control}, which could not be written down"),
        None => "what became of the document could not be written down".to_owned(),
    };
    let message = format!("{lead}: {}", error.message().unwrap_or_default());
    error.with_message(message).with_hint(
        "mend the store, then call `resolve` or `resume`; note the control number if it is given here",
    )
}

/// As [`after`], of a mail or an annulment, which was accepted: only the journal does not know.
pub(super) fn after_follow_up(operation: &'static str, control: &str, error: StoreError) -> Error {
    let error = of_store(operation, error).with_outcome(Outcome::Unknown);
    let message = error.message().unwrap_or_default();
    let message =
        format!("the {operation} of {control} was accepted, which could not be written down: {message}");
    error.with_message(message).with_hint("mend the store; the service has it, so it need not be repeated")
}

fn of_store(operation: &'static str, error: StoreError) -> Error {
    Error::new(ErrorKind::Store, operation)
        .with_message(error.to_string())
        .with_hint(advice(error.kind()))
        .with_source(error)
}

fn advice(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::Configuration => "check the store's URL",
        StoreErrorKind::LeaseLost => "another worker has the series; look the document up again",
        StoreErrorKind::Conflict => "another worker changed the document; look it up again",
        StoreErrorKind::NotFound => "the document is not in this journal; check number, type and environment",
        StoreErrorKind::Schema => "run the newer version of this program on this journal",
        StoreErrorKind::Corrupt => "restore the journal from a copy; do not issue on a damaged one",
        StoreErrorKind::NotWritable => {
            "make room on the disk or give the program the right to write, then repeat"
        }
        _ => "bring the store back, then repeat",
    }
}

/// The series waits for an answer to another question.
pub(super) fn blocked(by: &JournalEntry) -> Error {
    let message =
        format!("number {} of this series is {}: the series waits for it", by.number(), by.state().name());
    Error::new(ErrorKind::Blocked, ISSUE.name).with_outcome(Outcome::NotSent).with_message(message).with_hint(
        "call `resume` or `resolve`; if it stays open, look it up in the portal and call `resolve_manually`",
    )
}

/// An earlier number is missing at the service.
pub(super) fn gap(by: &JournalEntry, highest: u64) -> Error {
    let missing = highest.saturating_add(1);
    Error::new(ErrorKind::Blocked, ISSUE.name)
        .with_outcome(Outcome::NotSent)
        .with_message(format!(
            "number {missing} is missing at the service, as number {} found out",
            by.number()
        ))
        .with_hint(
            "find out what became of the missing number and issue it first; the series goes on after it",
        )
}

/// Whoever asks for this document asks about an open question.
pub(super) fn open_question(entry: &JournalEntry) -> Error {
    let why = entry.reason().unwrap_or("the program that sent it ended before the answer came");
    Error::new(ErrorKind::Blocked, ISSUE.name)
        .with_outcome(Outcome::Unknown)
        .with_message(format!("number {} is an open question: {why}", entry.number()))
        .with_hint("call `resolve`; if it stays open, look it up in the portal and call `resolve_manually`")
}

/// The number is issued with another text.
pub(super) fn another_text(entry: &JournalEntry) -> Error {
    let control = entry.control_text().unwrap_or("a control number that is not known");
    Error::new(ErrorKind::Conflict, ISSUE.name)
        .with_outcome(Outcome::NotSent)
        .with_message(format!(
            "number {} is issued already, as {control}, with another content",
            entry.number()
        ))
        .with_hint("give the new document the next number; correct an issued one by a note")
}

/// This very text is on paper already.
pub(super) fn on_paper(entry: &JournalEntry, paper: &str) -> Error {
    Error::new(ErrorKind::Conflict, ISSUE.name)
        .with_outcome(Outcome::NotSent)
        .with_message(format!("number {} is covered by the paper document {paper}", entry.number()))
        .with_hint("do not issue the same sale twice; a document of another content may take the number")
}

/// Another worker kept the series for too long.
pub(super) fn busy(operation: &'static str, lane: &str, holder: &str) -> Error {
    Error::new(ErrorKind::Timeout, operation)
        .with_outcome(Outcome::NotSent)
        .with_message(format!("another worker ({holder}) is at {lane}"))
        .with_hint("repeat it later, or stop the other worker")
}

/// A person's step does not fit what is written down.
pub(super) fn wrong_state(operation: &'static str, entry: &JournalEntry, expected: &str) -> Error {
    Error::new(ErrorKind::Conflict, operation)
        .with_outcome(Outcome::NotSent)
        .with_message(format!("number {} is {}, not {expected}", entry.number(), entry.state().name()))
        .with_hint("look the document up again: somebody may have been faster")
}

pub(super) fn not_found(operation: &'static str, number: &str) -> Error {
    Error::new(ErrorKind::NotFound, operation)
        .with_outcome(Outcome::NotSent)
        .with_message(format!("number {number} is not in this journal"))
        .with_hint("check number, type and environment")
}

/// The answer came when the series had passed to another worker; it is kept beside the entry.
pub(super) fn beside(control: &str) -> Error {
    Error::new(ErrorKind::Store, ISSUE.name)
        .with_outcome(Outcome::Unknown)
        .with_message(format!(
            "the document was issued as {control}, but the series had passed to another worker"
        ))
        .with_hint("the answer is kept in the journal: call `resolve`, which reads it")
}

/// A reading of "not issued" comes too early.
pub(super) fn too_early(entry: &JournalEntry, remaining: std::time::Duration) -> Error {
    Error::new(ErrorKind::Blocked, "resolve")
        .with_outcome(Outcome::NotSent)
        .with_message(format!("the lost request of number {} may still act", entry.number()))
        .with_retry_after(Some(remaining))
        .with_hint(format!(
            "look again in {} s: only then \"not issued\" counts",
            remaining.as_secs().saturating_add(1)
        ))
}

/// Who and why are part of the record.
pub(super) fn unsigned(operation: &'static str, who: &str, why: &str) -> Option<Error> {
    let missing = [("who", who), ("why", why)].into_iter().filter(|(_, text)| text.trim().is_empty());
    let fault =
        |(path, _)| integration_core::Fault::error("JOURNAL", path).with_expected("a text that is not empty");
    let faults: Vec<_> = missing.map(fault).collect();
    (!faults.is_empty()).then(|| {
        Error::validation(operation, faults).with_hint("say who decides and why: it is written down")
    })
}

/// The bytes are not those that the hash was taken of: nothing is resent (9.3).
pub(super) fn altered(number: &str) -> Error {
    Error::new(ErrorKind::Store, "resolve")
        .with_outcome(Outcome::NotSent)
        .with_message(format!("the stored request of number {number} is not the one that was sent"))
        .with_hint("the journal was changed by something else: call `verify`, and settle this number by hand")
}
