//! The name of a document at the service: opaque text, since samples hold GUIDs that are no UUIDs (contract, trap 2).

use std::fmt;
use std::str::FromStr;

use integration_core::{Error, Fault};

/// The `GUID` of a document: opaque, never empty, without control characters or outer blanks.
///
/// ```
/// let id: legale::DocumentId = "d41d8cd98f".parse()?;
/// assert_eq!(id.to_string(), "d41d8cd98f");
/// assert!(" ".parse::<legale::DocumentId>().is_err());
/// # Ok::<(), legale::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(String);

impl DocumentId {
    /// The text as the service wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DocumentId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            let fault =
                Fault::error("GUID", "GUID").with_actual(text).with_hint("a GUID is a text, not empty");
            return Err(Error::validation("read a GUID", vec![fault]));
        }
        Ok(Self(text.to_owned()))
    }
}
