//! Who a customer is (contract 4.3 and 5): document and contract.
//!
//! The rules enforced here: a document is text, kept whole, compared normalised; what fails its check digits is kept on reading, with
//! a warning, and refused on writing; nothing is repaired, and nothing shows more than the last two characters.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use integration_core::tax::id::{CpfOrCnpj, IdError};
use integration_core::{Error, Fault};

use crate::error::Problem;

/// A CPF or CNPJ as the service gave it: read leniently. Equality, order and hash are those of the normalised text.
///
/// ```
/// use geosite::Document;
///
/// let document = Document::read("12.abc.345/01de-35");
/// assert_eq!(document.normalized(), "12ABC34501DE35");
/// assert!(document.problem().is_none());
/// assert!(Document::read("111.111.111-11").problem().is_some()); // kept, with a warning
/// assert!(Document::strict("111.111.111-11").is_err());
/// assert_eq!(format!("{document:?}"), "Document(..35)");
/// ```
#[derive(Clone)]
#[doc(alias("cpf", "cnpj"))]
pub struct Document {
    given: String,
    normalized: String,
}

impl Document {
    /// Reads any text; never fails.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self { given: text.to_owned(), normalized: normalized(text) }
    }

    /// Reads a text that has to be a valid CPF or CNPJ: for everything that is written.
    ///
    /// # Errors
    /// [`Problem::Document`] says which rule it breaks.
    pub fn strict(text: &str) -> Result<Self, Error> {
        text.parse::<CpfOrCnpj>().map_err(|cause| Problem::Document(cause).error("read a document"))?;
        Ok(Self::read(text))
    }

    /// The text as it came.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Without `.`, `/`, `-` and blanks, in upper case: what is compared and stored.
    #[must_use]
    pub fn normalized(&self) -> &str {
        &self.normalized
    }

    /// The number, if it is a valid one.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn verified(&self) -> Result<CpfOrCnpj, IdError> {
        self.given.parse()
    }

    /// Which rule it breaks, if any.
    #[must_use]
    pub fn problem(&self) -> Option<IdError> {
        self.verified().err()
    }

    /// Every form in which a service may repeat it, for errors to mask.
    #[cfg(feature = "store")]
    pub(crate) fn spellings(&self) -> Vec<integration_core::Secret> {
        let masked = self.verified().ok().map(|number| number.to_string());
        let forms = [Some(self.given.clone()), Some(self.normalized.clone()), masked];
        forms.into_iter().flatten().map(integration_core::Secret::new).collect()
    }

    /// The warning of rule C4.
    pub(crate) fn warning(&self, path: &str) -> Option<Fault> {
        let problem = self.problem()?;
        let hint = "it is kept as it came; it will be refused on writing";
        Some(
            Fault::warning("C4", path)
                .with_expected("a valid CPF or CNPJ")
                .with_actual(problem.to_string())
                .with_hint(hint),
        )
    }
}

/// D1.
fn normalized(text: &str) -> String {
    let kept = |c: &char| !matches!(c, '.' | '/' | '-' | ' ' | '\t');
    text.chars().filter(kept).map(|c| c.to_ascii_uppercase()).collect()
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.normalized.chars().count();
        // Of a short text two characters would be all of it.
        let tail: String =
            self.normalized.chars().skip(count.saturating_sub(2)).filter(|_| count > 6).collect();
        write!(f, "Document(..{tail})")
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.normalized == other.normalized
    }
}

impl Eq for Document {}

impl Hash for Document {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normalized.hash(state);
    }
}

impl PartialOrd for Document {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Document {
    fn cmp(&self, other: &Self) -> Ordering {
        self.normalized.cmp(&other.normalized)
    }
}

impl serde::Serialize for Document {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.given)
    }
}

impl<'de> serde::Deserialize<'de> for Document {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(&String::deserialize(deserializer)?))
    }
}

/// Document and contract: what makes a customer the same in both systems (documented, C1). `contrato` is HubSoft's
/// `id_cliente_servico`.
///
/// ```
/// use geosite::CustomerKey;
///
/// let key = CustomerKey::new("529.982.247-25", 100_001)?;
/// assert_eq!((key.document.normalized(), key.contract), ("52998224725", 100_001));
/// # Ok::<(), geosite::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[allow(clippy::exhaustive_structs)]
#[doc(alias("cliente", "contrato", "cpf", "cnpj"))]
pub struct CustomerKey {
    /// CPF or CNPJ.
    pub document: Document,
    /// `contrato`.
    #[doc(alias = "contrato")]
    pub contract: u64,
}

impl CustomerKey {
    /// A key for writing: the document has to be valid.
    ///
    /// # Errors
    /// [`Problem::Document`].
    pub fn new(document: &str, contract: u64) -> Result<Self, Error> {
        Ok(Self { document: Document::strict(document)?, contract })
    }

    /// A key that was read: the document may be anything.
    #[must_use]
    pub fn read(document: &str, contract: u64) -> Self {
        Self { document: Document::read(document), contract }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract 5.1 and 5.2, whole tables, with masks, bare and in lower case.
    #[test]
    fn valid_documents_of_the_contract() {
        for text in [
            "529.982.247-25",
            "123.456.789-09",
            "012.345.678-90",
            "100.000.002-80",
            "12.ABC.345/01DE-35",
            "00.000.000/0001-91",
            "11.222.333/0001-81",
            "AB.CDE.FGH/0001-95",
            "A1.B2C.3D4/0001-93",
            "A8.TES.T0X/0001-08",
        ] {
            let bare: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
            for form in [text.to_owned(), bare.clone(), text.to_lowercase(), format!(" {text} ")] {
                let document = Document::strict(&form).unwrap();
                assert_eq!(document.normalized(), bare, "{form}");
                assert_eq!(document, Document::read(text));
            }
        }
    }

    #[test]
    fn invalid_documents_are_kept_on_reading_and_refused_on_writing() {
        for text in [
            "111.111.111-11",
            "00.000.000/0000-00",
            "529.982.247-26",
            "12.ABC.345/01DE-45", // A is 10
            "12345678900012345",
            "2998224725",
            "",
            "não informado",
        ] {
            let document = Document::read(text);
            assert_eq!(document.given(), text);
            assert!(document.warning("documento").is_some(), "{text}");
            let error = CustomerKey::new(text, 1).unwrap_err();
            assert!(error.is_not_sent() && error.is_validation(), "{text}");
        }
    }

    #[test]
    fn at_most_two_characters_are_shown() {
        let long = Document::read("529.982.247-26");
        let shown =
            format!("{long:?} {:?} {:?}", CustomerKey::read("529.982.247-26", 1), long.warning("documento"));
        assert!(!shown.contains("982") && !shown.contains("247"), "{shown}");
        assert_eq!(format!("{:?}", Document::read("ab12")), "Document(..)");
        let error = CustomerKey::new("529.982.247-26", 1).unwrap_err();
        assert!(!format!("{error} {error:?} {}", error.report()).contains("982"));
    }
}
