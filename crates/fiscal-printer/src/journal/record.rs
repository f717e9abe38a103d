//! What the journal remembers of a document, as JSON in the store.
//!
//! The token is in none of it: the stored request bytes carry no credentials, and answers are kept only as short, masked
//! texts. A record written by a newer version is refused, not half understood.

use std::collections::BTreeSet;

use integration_core::{Error, ErrorKind};
use integration_store::{Entry, State};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::judge::{AFTER_INSERT, Attempt, Before, Fate};
use crate::document::Document;
use crate::error::Refusal;
use crate::issue::Issued;
use crate::number::InternalNumber;

const VERSION: u32 = 1;
/// Characters that are kept of a service's text.
const EXCERPT: usize = 400;

/// The memory of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) version: u32,
    /// As it goes out, with its padding.
    pub(super) number: String,
    pub(super) total: String,
    /// SHA-256 of the request bytes.
    pub(super) hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) related: Option<String>,
    /// How often a request of this document may have left.
    #[serde(default)]
    pub(super) tries: u32,
    /// Whether the one identical resend of 9.3 step 3 has been used.
    #[serde(default)]
    pub(super) resent: bool,
    /// Hashes of texts that were once in doubt under this number.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) doubted: BTreeSet<String>,
    /// Whether a request with this number was refused with code 4 or 14.
    #[serde(default)]
    pub(super) insert_refused: bool,
    /// Whether the service's series was already at this number or past it when it refused (code 9).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) overtaken: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) issued: Option<Issuance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<Note>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) doubt: Option<Note>,
    /// The highest number that the service had when it turned out that an earlier one is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gap_after: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<Decision>,
}

/// How it is known that a document was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Evidence {
    /// The service's answer.
    Answer,
    /// Code 8 on a resend of the identical text, or of a text that was once in doubt (contract 9.4).
    AlreadyIssued,
    /// An [`OutcomeProbe`](super::OutcomeProbe) found it.
    Probe,
    /// A person said so.
    Person,
}

/// What is known of an issued document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Issuance {
    pub(super) evidence: Evidence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) registered: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pdf_url: Option<String>,
}

impl Issuance {
    pub(super) fn known_by(evidence: Evidence, control: Option<String>) -> Self {
        Self { evidence, control, registered: None, pdf_url: None }
    }
}

impl From<&Issued> for Issuance {
    fn from(issued: &Issued) -> Self {
        Self {
            evidence: Evidence::Answer,
            control: Some(issued.control_text().to_owned()),
            registered: issued.registered_text().map(str::to_owned),
            pdf_url: issued.pdf_url().map(str::to_owned),
        }
    }
}

/// What the service, the network or a probe said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    pub(super) text: String,
}

impl Note {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { status: None, code: None, text: text.into() }
    }

    pub(super) fn of(error: &Error) -> Self {
        let text = error.message().map_or_else(|| error.to_string(), str::to_owned);
        Self {
            status: error.status().map(|status| status.as_u16()),
            code: error.service_code().map(str::to_owned),
            text: text.chars().filter(|character| !character.is_control()).take(EXCERPT).collect(),
        }
    }
}

/// Who decided something, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// Who.
    pub who: String,
    /// When, by this machine's clock.
    pub when: Timestamp,
    /// Why.
    pub why: String,
}

/// What was learnt of a document beside its record: by a worker that had lost its lease, or too late to change a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "testimony", rename_all = "snake_case")]
pub(super) enum Testimony {
    /// The answer to a try came when the series had passed to another worker.
    Answer {
        attempt: u32,
        /// The text that was sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash: Option<String>,
        fate: Told,
    },
    /// The control number of a document whose issue was known without it.
    Control { control: String, decision: Decision },
    /// The document was issued on paper instead.
    Paper { number: String, decision: Decision },
}

/// What a late answer said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Issued(Issuance),
    Rejected(Note),
    NotSent(Note),
}

impl Record {
    pub(super) fn new(document: &Document, bytes: &[u8]) -> Self {
        Self {
            version: VERSION,
            number: document.number().as_str().to_owned(),
            total: document.totals().total.to_string(),
            hash: hash(bytes),
            related: document.related().map(|number| number.as_received().to_owned()),
            tries: 0,
            resent: false,
            doubted: BTreeSet::new(),
            insert_refused: false,
            overtaken: false,
            issued: None,
            refusal: None,
            doubt: None,
            gap_after: None,
            decision: None,
        }
    }

    /// Reads what the store has.
    pub(super) fn read(entry: &Entry) -> Result<Self, Error> {
        let record: Self = serde_json::from_slice(&entry.data).map_err(|cause| unreadable(entry, &cause))?;
        if record.version > VERSION { Err(newer(entry, record.version)) } else { Ok(record) }
    }

    pub(super) fn write(&self) -> bytes::Bytes {
        // Strings, numbers and maps with string keys: this cannot fail, and an empty record would be refused on reading.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// The record of a corrected document under the same number: what earlier texts went through stays known.
    pub(super) fn succeeds(mut self, earlier: &Self) -> Self {
        self.tries = earlier.tries;
        self.doubted = earlier.doubted.clone();
        self.insert_refused = earlier.insert_refused;
        self.resent = earlier.resent && earlier.hash == self.hash;
        self
    }

    /// Whether a late answer was to this text; one that does not say which was written when there was one only.
    pub(super) fn is_of(&self, hash: Option<&str>) -> bool {
        hash.is_none_or(|hash| hash == self.hash)
    }

    pub(super) fn number(&self) -> Option<InternalNumber> {
        self.number.parse().ok()
    }

    pub(super) fn before(&self, attempt: Attempt) -> Before {
        Before {
            number: self.number().map_or(0, |number| number.value()),
            doubted: self.doubted.contains(&self.hash),
            insert_refused: self.insert_refused,
            attempt,
        }
    }

    /// Marked before a request may leave, so that no later reader can forget that this text was in doubt.
    pub(super) fn sent(mut self, attempt: Attempt) -> Self {
        self.tries = self.tries.saturating_add(1);
        if !attempt.is_plain() {
            self.doubted.insert(self.hash.clone());
            self.resent |= attempt == Attempt::Resend;
        }
        self
    }

    pub(super) fn issued(mut self, issuance: Issuance) -> Self {
        self.issued = Some(issuance);
        self
    }

    /// The state and the record after a try that ended in an error.
    pub(super) fn after(mut self, attempt: Attempt, fate: Fate, error: &Error) -> (State, Self) {
        let note = Note::of(error);
        match fate {
            Fate::NotSent => {
                self.tries = self.tries.saturating_sub(1);
                (State::Prepared, self)
            }
            Fate::Rejected => (State::Refused, self.refused(error, note)),
            Fate::Gap(maximum) => {
                self.gap_after = Some(maximum);
                (State::Refused, self.refused(error, note))
            }
            Fate::AlreadyIssued => {
                (State::Done, self.issued(Issuance::known_by(Evidence::AlreadyIssued, None)))
            }
            Fate::Unknown => {
                self.doubted.insert(self.hash.clone());
                // A resend of which nothing left has not been used.
                if attempt == Attempt::Resend && error.is_not_sent() {
                    self.resent = false;
                    self.tries = self.tries.saturating_sub(1);
                }
                self.doubt = Some(note);
                (State::Unknown, self)
            }
        }
    }

    fn refused(mut self, error: &Error, note: Note) -> Self {
        let maximum = Refusal::of(error).and_then(Refusal::current_maximum);
        let ours = self.number().map(|number| number.value());
        self.overtaken = maximum.zip(ours).is_some_and(|(maximum, ours)| maximum >= ours);
        self.refused_with(note)
    }

    /// Not issued, as this note tells.
    pub(super) fn refused_with(mut self, note: Note) -> Self {
        let code = note.code.as_deref().and_then(|code| code.trim().parse().ok());
        self.insert_refused |= code.is_some_and(|code| AFTER_INSERT.contains(&code));
        self.refusal = Some(note);
        self
    }

    /// Whether another document may be issued under this number after a refusal: not if somebody else has it, or the service
    /// has passed it.
    pub(super) fn releases_number(&self) -> bool {
        !self.overtaken && self.refusal.as_ref().and_then(|note| note.code.as_deref()) != Some("8")
    }
}

impl Testimony {
    pub(super) fn write(&self) -> bytes::Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where it cannot be read, and nothing of what is there: whoever changed it may have written anything.
pub(super) fn place(cause: &serde_json::Error) -> String {
    format!("line {}, column {}", cause.line(), cause.column())
}

fn unreadable(entry: &Entry, cause: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Store, "read journal")
        .with_message(format!("what is stored of {} cannot be read ({})", entry.key, place(cause)))
        .with_hint("the journal was changed by something else; restore it from a copy, or ask for help with the line named")
}

fn newer(entry: &Entry, version: u32) -> Error {
    Error::new(ErrorKind::Store, "read journal")
        .with_message(format!("{} was written in form {version}, this program knows {VERSION}", entry.key))
        .with_hint("run the newer version of this program on this journal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_record_of_a_newer_form_is_refused() {
        let new = integration_store::NewEntry::new(
            "l",
            "k",
            "",
            r#"{"version":2,"number":"1","total":"1","hash":""}"#,
        );
        let entry = Entry::prepared(1, new, Timestamp::UNIX_EPOCH);
        let error = Record::read(&entry).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains("newer version"), "{error}");
    }
}
