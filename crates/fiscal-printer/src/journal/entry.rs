//! A document as the journal knows it, for users.

use bytes::Bytes;
use integration_core::Error;
use integration_store::{Entry, Event, State};
use jiff::Timestamp;

use super::record::{Decision, Evidence, Issuance, Note, Record, Testimony, Told};
use super::series::Series;
use crate::document::{Document, DocumentBuilder, DocumentType};
use crate::number::{ControlNumber, InternalNumber};

/// Where a journalled document stands (contract 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DocumentState {
    /// Written down, not sent.
    Prepared,
    /// Being sent by some worker, or left behind by one that died: then it becomes `Unknown` when its lease ends.
    InFlight,
    /// Issued.
    Issued,
    /// Not issued; a corrected document may use the number.
    Rejected,
    /// Nobody knows. The series waits until it is resolved.
    Unknown,
    /// Set aside before it was ever sent.
    Discarded,
}

impl DocumentState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Prepared, Self::InFlight, Self::Issued, Self::Rejected, Self::Unknown, Self::Discarded];

    /// The word used in exports and by the examples.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::InFlight => "in_flight",
            Self::Issued => "issued",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Discarded => "discarded",
        }
    }

    pub(super) const fn stored(self) -> State {
        match self {
            Self::Prepared => State::Prepared,
            Self::InFlight => State::InFlight,
            Self::Issued => State::Done,
            Self::Rejected => State::Refused,
            Self::Unknown => State::Unknown,
            Self::Discarded => State::Dead,
        }
    }

    /// A state that this version does not know is treated as the one that stops everything.
    const fn read(state: State) -> Self {
        match state {
            State::Prepared => Self::Prepared,
            State::InFlight => Self::InFlight,
            State::Done => Self::Issued,
            State::Refused => Self::Rejected,
            State::Dead => Self::Discarded,
            _ => Self::Unknown,
        }
    }
}

/// One document of the journal, as it stood when it was read.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    pub(super) entry: Entry,
    pub(super) record: Record,
    series: Series,
    paper: Option<(String, Decision)>,
    annulled: bool,
}

impl JournalEntry {
    pub(super) fn read(entry: Entry) -> Result<Self, Error> {
        let record = Record::read(&entry)?;
        let series = Series::from_lane(&entry.lane).ok_or_else(|| foreign(&entry))?;
        Ok(Self { entry, record, series, paper: None, annulled: false })
    }

    /// Adds what only the history tells.
    pub(super) fn with_history(mut self, history: &[Event]) -> Self {
        for testimony in testimonies(history) {
            match testimony {
                Testimony::Control { control, decision } => self.learn_control(control, decision),
                Testimony::Paper { number, decision } => self.paper = Some((number, decision)),
                Testimony::Answer { fate: Told::Issued(issuance), hash, .. }
                    if self.record.is_of(hash.as_deref()) =>
                {
                    self.learn_answer(issuance);
                }
                Testimony::Answer { .. } => {}
            }
        }
        self
    }

    pub(super) fn with_annulment(mut self, annulled: bool) -> Self {
        self.annulled = annulled;
        self
    }

    fn learn_control(&mut self, control: String, decision: Decision) {
        if let Some(issued) = self.record.issued.as_mut().filter(|issued| issued.control.is_none()) {
            issued.control = Some(control);
            self.record.decision = Some(decision);
        }
    }

    /// A late answer adds to an issued document what it lacks; it changes no state.
    fn learn_answer(&mut self, told: Issuance) {
        if let Some(issued) = self.record.issued.as_mut().filter(|issued| issued.control.is_none()) {
            *issued = told;
        }
    }

    /// The series.
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The type of the document; `None` if this version does not know it.
    #[must_use]
    pub fn kind(&self) -> Option<DocumentType> {
        self.series.kind()
    }

    /// The issuer's own number as it goes out.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.record.number
    }

    /// The same, as a number; `None` only if the journal was changed by something else.
    #[must_use]
    pub fn internal_number(&self) -> Option<InternalNumber> {
        self.record.number()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> DocumentState {
        DocumentState::read(self.entry.state)
    }

    /// The control number, if the document is issued and its control number is known and of the usual form.
    #[must_use]
    pub fn control_number(&self) -> Option<ControlNumber> {
        self.control_text()?.parse().ok()
    }

    /// The control number as the service or a person wrote it.
    #[must_use]
    pub fn control_text(&self) -> Option<&str> {
        self.issuance()?.control.as_deref()
    }

    /// How it is known that it was issued.
    #[must_use]
    pub fn evidence(&self) -> Option<Evidence> {
        Some(self.issuance()?.evidence)
    }

    /// When the service registered it, as the service wrote it.
    #[must_use]
    pub fn registered_text(&self) -> Option<&str> {
        self.issuance()?.registered.as_deref()
    }

    /// Where its PDF lies, as the service wrote it.
    #[must_use]
    pub fn pdf_url(&self) -> Option<&str> {
        self.issuance()?.pdf_url.as_deref()
    }

    fn issuance(&self) -> Option<&Issuance> {
        self.record.issued.as_ref().filter(|_| self.entry.state == State::Done)
    }

    /// Its total, as it goes out.
    #[must_use]
    pub fn total(&self) -> &str {
        &self.record.total
    }

    /// The control number of the document that a note relates to.
    #[must_use]
    pub fn related(&self) -> Option<&str> {
        self.record.related.as_deref()
    }

    /// Why it was rejected, or what stands in the way of knowing.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        Some(self.note()?.text.as_str())
    }

    /// The service's code with [`reason`](Self::reason), if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.note()?.code.as_deref()
    }

    fn note(&self) -> Option<&Note> {
        match self.state() {
            DocumentState::Rejected => self.record.refusal.as_ref(),
            DocumentState::Unknown => self.record.doubt.as_ref(),
            _ => None,
        }
    }

    /// How many requests with this number may have left this machine.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.record.tries
    }

    /// Who decided on it, if a person had to.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        self.record.decision.as_ref()
    }

    /// The paper document that covers it (contract 9.5, contingency), and who said so.
    #[must_use]
    pub fn paper(&self) -> Option<(&str, &Decision)> {
        self.paper.as_ref().map(|(number, decision)| (number.as_str(), decision))
    }

    /// Whether it was annulled through this journal.
    #[must_use]
    pub fn is_annulled(&self) -> bool {
        self.annulled
    }

    /// SHA-256 of the request bytes, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.record.hash
    }

    /// The request bytes exactly as they go out; the token is not among them.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.entry.body
    }

    /// When it was written down first.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.entry.created
    }

    /// When it changed last.
    #[must_use]
    pub fn changed(&self) -> Timestamp {
        self.entry.changed
    }

    /// Starts a credit note on this invoice, with its buyer, currency and control number filled in; add the lines that are credited.
    ///
    /// # Errors
    /// A validation error unless this is an issued invoice whose control number is known.
    pub fn credit_note(&self, number: impl Into<InternalNumber>) -> Result<DocumentBuilder, Error> {
        let (control, invoice) = self.invoice_for_note("credit note")?;
        Ok(Document::credit_note(self.series.issuer(), number, control).with_parties_of(invoice))
    }

    /// Starts a debit note on this invoice, as [`credit_note`](Self::credit_note) does.
    ///
    /// # Errors
    /// As [`credit_note`](Self::credit_note).
    pub fn debit_note(&self, number: impl Into<InternalNumber>) -> Result<DocumentBuilder, Error> {
        let (control, invoice) = self.invoice_for_note("debit note")?;
        Ok(Document::debit_note(self.series.issuer(), number, control).with_parties_of(invoice))
    }
}

mod notes {
    //! Building a note from a stored invoice (contract 9.5).

    use integration_core::{Error, Fault};

    use super::{DocumentBuilder, DocumentState, DocumentType, JournalEntry};
    use crate::document::Document;
    use crate::number::ControlNumber;

    impl JournalEntry {
        pub(super) fn invoice_for_note(
            &self,
            what: &'static str,
        ) -> Result<(ControlNumber, DocumentBuilder), Error> {
            if self.kind() != Some(DocumentType::Invoice) || self.state() != DocumentState::Issued {
                let actual = format!("{} of type {}", self.state().name(), self.series.kind_code());
                return Err(refuse(
                    what,
                    "state",
                    "an issued invoice",
                    actual,
                    "a note corrects an invoice that exists",
                ));
            }
            let Some(control) = self.control_number() else {
                let hint = "find the control number in the portal or on the PDF and give it to `Journal::add_control_number`";
                return Err(refuse(
                    what,
                    "relacionado",
                    "the invoice's control number",
                    "not known".to_owned(),
                    hint,
                ));
            };
            Ok((control, Document::from_json(&self.entry.body)?))
        }
    }

    fn refuse(what: &'static str, path: &str, expected: &str, actual: String, hint: &'static str) -> Error {
        let fault = Fault::error("JOURNAL", path)
            .with_expected(expected.to_owned())
            .with_actual(actual)
            .with_hint(hint);
        Error::validation(what, vec![fault]).with_hint(hint)
    }
}

/// What an entry's history tells beside its states.
pub(super) fn testimonies(history: &[Event]) -> impl Iterator<Item = Testimony> + '_ {
    history
        .iter()
        .filter(|event| event.testimony)
        .filter_map(|event| serde_json::from_slice(&event.data).ok())
}

fn foreign(entry: &Entry) -> Error {
    Error::new(integration_core::ErrorKind::Store, "read journal")
        .with_message(format!("{} is no lane of a fiscal journal", entry.lane))
        .with_hint("open the store that this journal was written to")
}
