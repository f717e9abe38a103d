//! A Brazilian customer's number, when nobody says whether it is a person or an entity.
//!
//! The rule enforced here is D2 of the contract `geosite`, section 5: after normalising, the length decides, 11 for a
//! CPF and 14 for a CNPJ; any other length is an error, because a lost leading zero is not guessed. A caller who knows
//! the kind reads [`Cpf`] or [`Cnpj`] instead.
use std::fmt;

use super::cpf::normalised;
use super::{CheckDigit, Cnpj, Cpf, IdError, IdKind, IdRule, identifier};

/// A CPF or a CNPJ; the length of the text decides.
///
/// ```
/// use integration_core::tax::id::CpfOrCnpj;
///
/// assert!(matches!("529.982.247-25".parse()?, CpfOrCnpj::Cpf(_)));
/// assert!(matches!("11.222.333/0001-81".parse()?, CpfOrCnpj::Cnpj(_)));
/// assert!("1234567890".parse::<CpfOrCnpj>().is_err());
/// # Ok::<(), integration_core::tax::id::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CpfOrCnpj {
    /// A natural person.
    Cpf(Cpf),
    /// A legal entity.
    Cnpj(Cnpj),
}

identifier!(CpfOrCnpj, IdKind::CpfOrCnpj);

impl CpfOrCnpj {
    /// Reads the shape alone, as [`Cpf::parse_lenient`] or [`Cnpj::parse_lenient`].
    ///
    /// # Errors
    ///
    /// [`IdRule::WrongLength`] if neither fits; otherwise the error of the kind that the length chose.
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        match normalised(text).count() {
            11 => Cpf::parse_lenient(text).map(Self::Cpf),
            14 => Cnpj::parse_lenient(text).map(Self::Cnpj),
            0 => Err(IdError::new(IdKind::CpfOrCnpj, IdRule::Empty)),
            found => Err(IdError::new(IdKind::CpfOrCnpj, IdRule::WrongLength { found })),
        }
    }

    /// What the strict reading of the kind says.
    ///
    /// # Errors
    ///
    /// Those of [`Cpf::verify`] or [`Cnpj::verify`].
    pub fn verify(&self) -> Result<(), IdError> {
        match self {
            Self::Cpf(cpf) => cpf.verify(),
            Self::Cnpj(cnpj) => cnpj.verify(),
        }
    }

    /// Whether the check digits are right.
    #[must_use]
    pub fn has_valid_check_digit(&self) -> bool {
        match self {
            Self::Cpf(cpf) => cpf.has_valid_check_digit(),
            Self::Cnpj(cnpj) => cnpj.has_valid_check_digit(),
        }
    }

    /// The two check digits that follow from the rest.
    #[must_use]
    pub fn expected_check_digit(&self) -> CheckDigit {
        match self {
            Self::Cpf(cpf) => cpf.expected_check_digit(),
            Self::Cnpj(cnpj) => cnpj.expected_check_digit(),
        }
    }

    /// The bare text of 11 or 14 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cpf(cpf) => cpf.as_str(),
            Self::Cnpj(cnpj) => cnpj.as_str(),
        }
    }

    /// The text for services: the bare text.
    #[must_use]
    pub fn wire(&self) -> String {
        self.as_str().to_owned()
    }
}

impl fmt::Display for CpfOrCnpj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpf(cpf) => cpf.fmt(f),
            Self::Cnpj(cnpj) => cnpj.fmt(f),
        }
    }
}

impl From<Cpf> for CpfOrCnpj {
    fn from(cpf: Cpf) -> Self {
        Self::Cpf(cpf)
    }
}

impl From<Cnpj> for CpfOrCnpj {
    fn from(cnpj: Cnpj) -> Self {
        Self::Cnpj(cnpj)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tax::id::testing;

    /// Either reading alone: no text can be both, so trying one after the other is the second opinion.
    fn agrees(text: &str) -> bool {
        let either =
            text.parse::<Cpf>().map(CpfOrCnpj::from).or_else(|_| text.parse::<Cnpj>().map(CpfOrCnpj::from));
        assert_eq!(text.parse::<CpfOrCnpj>().ok(), either.ok(), "{text:?}");
        text.parse::<CpfOrCnpj>().is_ok()
    }

    #[test]
    fn the_length_decides() {
        let rule = |text: &str| text.parse::<CpfOrCnpj>().unwrap_err().rule();
        assert_eq!(rule(" - "), IdRule::Empty);
        assert_eq!(rule("1234567890"), IdRule::WrongLength { found: 10 });
        assert_eq!(rule("222.333/0001-81"), IdRule::WrongLength { found: 12 });
        let letter = "5299822472A".parse::<CpfOrCnpj>().unwrap_err();
        assert_eq!((letter.kind(), letter.rule()), (IdKind::Cpf, IdRule::BadCharacter { found: 'A' }));
    }

    #[test]
    fn debug_shows_two_characters() {
        assert_eq!(format!("{:?}", "529.982.247-25".parse::<CpfOrCnpj>().unwrap()), "CpfOrCnpj(..25)");
    }

    #[test]
    fn many_texts_are_judged_as_by_their_kind() {
        testing::many(7, &["529.982.247-99", "99999999999", "12.ABC.345/01DE-99", "??????????9999"], agrees);
    }

    #[test]
    fn huge_texts_are_refused() {
        testing::huge(|text| text.parse::<CpfOrCnpj>().unwrap_err().to_string());
    }

    proptest! {
        #[test]
        fn any_text_is_judged_as_by_its_kind(text in any::<String>()) {
            agrees(&text);
        }
    }
}
