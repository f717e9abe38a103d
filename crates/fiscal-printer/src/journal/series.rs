//! Which documents follow each other: the series, and the natural key of a document in it (contract section 9).

use std::fmt;

use integration_core::tax::id::Rif;

use crate::document::{Document, DocumentType};
use crate::number::InternalNumber;

/// Separates the parts of lanes and keys; it stands in no host name, RIF or number.
const SEPARATOR: char = '|';

/// Digits of a number in a key, so that keys sort as numbers do.
const KEY_DIGITS: usize = 10;

/// The documents of one issuer and type at one service: their internal numbers are consecutive, and one of them at a time is
/// under way.
///
/// ```
/// use fiscal_printer::{DocumentType, journal::Series};
///
/// let series = Series::new("https://bck.example.com", &"J-12345678-4".parse()?, DocumentType::Invoice);
/// assert_eq!(series.to_string(), "J-12345678-4, type 1, at https://bck.example.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Series {
    environment: String,
    issuer: String,
    kind: u8,
}

impl Series {
    /// The series of an issuer's documents of one type at a service; `environment` is the name that the journal gives the
    /// service, its base URL unless [`JournalBuilder::environment`](super::JournalBuilder::environment) says otherwise.
    #[must_use]
    pub fn new(environment: impl Into<String>, issuer: &Rif, kind: DocumentType) -> Self {
        Self { environment: environment.into(), issuer: issuer.to_string(), kind: kind.code() }
    }

    pub(super) fn of(environment: &str, document: &Document) -> Self {
        Self::new(environment, document.issuer(), document.kind())
    }

    /// The service, as the journal names it.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The issuer's RIF.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The type of the documents; `None` if this version does not know it.
    #[must_use]
    pub fn kind(&self) -> Option<DocumentType> {
        DocumentType::from_code(self.kind)
    }

    pub(super) fn kind_code(&self) -> u8 {
        self.kind
    }

    /// The outbox lane of the series.
    pub(super) fn lane(&self) -> String {
        let Self { environment, issuer, kind } = self;
        format!("{environment}{SEPARATOR}{issuer}{SEPARATOR}{kind:02}")
    }

    /// What every lane of a service (and issuer, if known) begins with.
    pub(super) fn lane_prefix(environment: &str, issuer: Option<&str>) -> String {
        match issuer {
            Some(issuer) => format!("{environment}{SEPARATOR}{issuer}{SEPARATOR}"),
            None => format!("{environment}{SEPARATOR}"),
        }
    }

    /// Reads a lane back.
    pub(super) fn from_lane(lane: &str) -> Option<Self> {
        let mut parts = lane.rsplitn(3, SEPARATOR);
        let kind = parts.next()?.parse().ok()?;
        let issuer = parts.next()?.to_owned();
        Some(Self { environment: parts.next()?.to_owned(), issuer, kind })
    }

    /// The natural key. By value: two spellings of one number are one document.
    pub(super) fn key(&self, number: &InternalNumber) -> String {
        self.key_of(number.value())
    }

    pub(super) fn key_of(&self, value: u64) -> String {
        format!("{}{SEPARATOR}{value:0KEY_DIGITS$}", self.lane())
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, type {}, at {}", self.issuer, self.kind, self.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Series {
        Series::new(
            "https://example.com:8443/smart",
            &"J-12345678-4".parse().unwrap(),
            DocumentType::CreditNote,
        )
    }

    #[test]
    fn lanes_read_back() {
        assert_eq!(Series::from_lane(&series().lane()), Some(series()));
        assert_eq!(Series::from_lane("x|y"), None);
    }

    #[test]
    fn keys_sort_as_numbers_and_ignore_padding() {
        let key = |text: &str| series().key(&text.parse().unwrap());
        assert!(key("9") < key("10"));
        assert_eq!(key("42"), key("00000042"));
        assert!(key("42").starts_with(&series().lane()));
    }
}
