//! Who a customer is (contract 4.3, C1 to C4).
//!
//! The rule enforced here: the key is document and contract together. A document whose check digits are wrong is kept on reading,
//! with a warning, and refused on writing; nothing of it but its last two characters is ever printed.

use std::fmt;

use integration_core::tax::id::{CpfOrCnpj, IdError};
use integration_core::{Fault, Faults};
use serde::{Deserialize, Serialize};

/// A contract's number: HubSoft's `id_cliente_servico` (C1). Above zero; leading zeros are nothing (C2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Contrato(u64);

/// The text or number is no contract's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a contract is a whole number above zero")]
pub struct NotAContract;

impl Contrato {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Contrato {
    type Error = NotAContract;

    fn try_from(number: u64) -> Result<Self, NotAContract> {
        if number == 0 { Err(NotAContract) } else { Ok(Self(number)) }
    }
}

impl From<Contrato> for u64 {
    fn from(contrato: Contrato) -> Self {
        contrato.0
    }
}

impl std::str::FromStr for Contrato {
    type Err = NotAContract;

    fn from_str(text: &str) -> Result<Self, NotAContract> {
        let text = text.trim();
        // `parse` alone would take a plus sign.
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| digits).ok_or(NotAContract).and_then(Self::try_from)
    }
}

impl fmt::Display for Contrato {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A customer's key: document and contract. One document with several contracts is several customers (C3).
///
/// `Debug` and `Display` show the last two characters of the document. Serialised it is whole: keep what holds it as you keep
/// your customers' data.
///
/// ```
/// use geosite::link::CustomerKey;
///
/// let key = CustomerKey::new("529.982.247-25", "0042")?;
/// assert_eq!(key.to_string(), "..25, contract 42");
/// assert_eq!(key, CustomerKey::new("52998224725", "42")?);
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CustomerKey {
    #[serde(with = "integration_core::tax::id::lenient")]
    document: CpfOrCnpj,
    contrato: Contrato,
}

impl CustomerKey {
    /// The strict reading, for what is to be written.
    ///
    /// # Errors
    ///
    /// Validation, with the faults of both parts.
    pub fn new(document: &str, contrato: &str) -> Result<Self, integration_core::Error> {
        let mut faults = Faults::new();
        let document = noted(&mut faults, document.parse().map_err(|error: IdError| bad_document(&error)));
        let contrato = noted(&mut faults, contrato.parse().map_err(|_| bad_contract(contrato)));
        faults.into_result("customer key")?;
        document.zip(contrato).map(|(document, contrato)| Self { document, contrato }).ok_or_else(unreadable)
    }

    /// The lenient reading, for what somebody else holds: wrong check digits are a warning (C4). `Err` with the faults if there
    /// is no document of a possible shape or no contract; such a row is unmatched, and to be listed (C3).
    ///
    /// # Errors
    ///
    /// All faults of both parts.
    ///
    /// ```
    /// use geosite::link::CustomerKey;
    ///
    /// let (key, warnings) = CustomerKey::read("529.982.247-26", "42").unwrap();
    /// assert_eq!((warnings.len(), key.verify().is_err()), (1, true));
    /// assert_eq!(CustomerKey::read("1234", "").unwrap_err().len(), 2);
    /// ```
    pub fn read(document: &str, contrato: &str) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let mut faults = Faults::new();
        let document = noted(&mut faults, CpfOrCnpj::parse_lenient(document).map_err(|e| bad_document(&e)));
        let contrato = noted(&mut faults, contrato.parse().map_err(|_| bad_contract(contrato)));
        let Some((document, contrato)) = document.zip(contrato) else { return Err(faults.into_vec()) };
        let doubt = document.verify().err().map(|error| doubtful_document(&error));
        Ok((Self { document, contrato }, doubt.into_iter().collect()))
    }

    /// A key of parts that were read before.
    #[must_use]
    pub const fn from_parts(document: CpfOrCnpj, contrato: Contrato) -> Self {
        Self { document, contrato }
    }

    /// Whether it may be written.
    ///
    /// # Errors
    ///
    /// What is wrong with the document.
    pub fn verify(&self) -> Result<(), IdError> {
        self.document.verify()
    }

    /// The document. Its `Display` is the whole number.
    #[must_use]
    pub const fn document(&self) -> &CpfOrCnpj {
        &self.document
    }

    /// The contract.
    #[must_use]
    pub const fn contrato(&self) -> Contrato {
        self.contrato
    }

    fn tail(&self) -> String {
        let text = self.document.as_str();
        text.chars().skip(text.chars().count().saturating_sub(2)).collect()
    }
}

impl fmt::Display for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "..{}, contract {}", self.tail(), self.contrato)
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomerKey({self})")
    }
}

fn noted<T>(faults: &mut Faults, read: Result<T, Fault>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

fn bad_document(error: &IdError) -> Fault {
    Fault::error("C2", "documento").with_expected(error.to_string()).with_hint("ask the customer for it")
}

fn doubtful_document(error: &IdError) -> Fault {
    Fault::warning("C4", "documento").with_expected(error.to_string()).with_hint("correct it at its source")
}

fn bad_contract(given: &str) -> Fault {
    Fault::error("C2", "contrato").with_expected(NotAContract.to_string()).with_actual(given)
}

fn unreadable() -> integration_core::Error {
    integration_core::Error::validation("customer key", Vec::new())
}

/// What goes out about a customer, and nothing else (contract 3.6).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Customer {
    /// Who.
    pub key: CustomerKey,
    /// `nome`.
    pub name: String,
    /// `latitude` and `longitude` as exact decimals, if they are to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<(String, String)>,
}

impl Customer {
    /// A customer without a position.
    #[must_use]
    pub fn new(key: CustomerKey, name: impl Into<String>) -> Self {
        Self { key, name: name.into(), position: None }
    }
}

/// Names are personal data.
impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANN: &str = "529.982.247-25";

    #[test]
    fn one_document_with_two_contracts_is_two_customers() {
        assert_ne!(CustomerKey::new(ANN, "1").unwrap(), CustomerKey::new(ANN, "2").unwrap());
    }

    #[test]
    fn a_letter_of_a_cnpj_is_kept_through_the_store() {
        let key = CustomerKey::new("12.abc.345/01de-35", "7").unwrap();
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(text, r#"{"document":"12ABC34501DE35","contrato":7}"#);
        assert_eq!(serde_json::from_str::<CustomerKey>(&text).unwrap(), key);
    }

    #[test]
    fn wrong_check_digits_are_read_with_a_warning_stored_and_not_written() {
        assert!(CustomerKey::new("12.ABC.345/01DE-45", "7").is_err()); // A taken for 10
        let (key, warnings) = CustomerKey::read("12.ABC.345/01DE-45", "7").unwrap();
        assert_eq!(warnings.iter().map(Fault::path).collect::<Vec<_>>(), ["documento"]);
        let again: CustomerKey = serde_json::from_str(&serde_json::to_string(&key).unwrap()).unwrap();
        assert_eq!(again, key);
        assert!(again.verify().is_err());
    }

    #[test]
    fn nothing_prints_more_than_two_characters() {
        let (key, warnings) = CustomerKey::read("529.982.247-26", "42").unwrap();
        let refused = CustomerKey::new("529.982.247-26", "-1").unwrap_err();
        let customer = Customer::new(key, "Ana Souza");
        let printed = format!("{key:?} {key} {customer:?} {warnings:?} {refused} {refused:?}");
        for secret in ["529982247", "529.982", "98224726", "Ana"] {
            assert!(!printed.contains(secret), "{secret} in {printed}");
        }
    }

    #[test]
    fn both_faults_are_told_at_once() {
        assert_eq!(CustomerKey::new("1", "x").unwrap_err().faults().len(), 2);
    }

    #[test]
    fn contracts() {
        for (text, number) in
            [("42", Some(42)), (" 0042 ", Some(42)), ("+42", None), ("0", None), ("", None), ("4.2", None)]
        {
            assert_eq!(text.parse::<Contrato>().ok().map(Contrato::get), number, "{text:?}");
        }
        assert!(serde_json::from_str::<Contrato>("0").is_err());
    }

    proptest! {
        #[test]
        fn any_two_texts_are_read_or_listed(document in any::<String>(), contrato in any::<String>()) {
            match CustomerKey::read(&document, &contrato) {
                Ok((key, warnings)) => prop_assert_eq!(warnings.is_empty(), key.verify().is_ok()),
                Err(faults) => prop_assert!(!faults.is_empty()),
            }
        }
    }
}
