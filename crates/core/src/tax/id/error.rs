//! Why a text is not an identifier.
//!
//! The rule enforced here (D1 of the contract `geosite` 5; promise 6 of the design): an error tells which rule failed
//! and what to do, in one line, and carries nothing of the number but a character that does not belong there or its
//! check digits. The input itself is never kept, so it cannot be printed, however long or private it was.
use std::fmt;

use super::text::CheckDigit;

/// The kinds of identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdKind {
    /// Venezuelan taxpayer number.
    Rif,
    /// Venezuelan identity card number.
    Cedula,
    /// Passport number.
    Passport,
    /// Chilean taxpayer number.
    Rut,
    /// Brazilian number of a natural person.
    Cpf,
    /// Brazilian number of a legal entity.
    Cnpj,
    /// Either Brazilian number; its length was to decide.
    CpfOrCnpj,
}

impl IdKind {
    fn name(self) -> &'static str {
        match self {
            Self::Rif => "RIF",
            Self::Cedula => "cedula",
            Self::Passport => "passport number",
            Self::Rut => "RUT",
            Self::Cpf => "CPF",
            Self::Cnpj => "CNPJ",
            Self::CpfOrCnpj => "CPF or CNPJ",
        }
    }

    /// What to write instead; the examples are made up.
    fn shape(self) -> &'static str {
        match self {
            Self::Rif => "one of V E J P G C, 8 digits and a check digit, as J-12345678-4",
            Self::Cedula => "V or E and 5 to 9 digits, as V-12345678",
            Self::Passport => "5 to 12 of A-Z and 0-9 without separators",
            Self::Rut => "1 to 8 digits and a check character, as 12.345.678-5",
            Self::Cpf => "11 digits, as 123.456.789-09",
            Self::Cnpj => "12 of A-Z and 0-9 and 2 check digits, as 12.ABC.345/01DE-35",
            Self::CpfOrCnpj => "11 digits for a CPF, 14 characters for a CNPJ",
        }
    }
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rules an identifier can break. The first that fails, in reading order, is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdRule {
    /// Nothing is left after dropping blanks and separators.
    Empty,
    /// A character that has no place in such a number, or not where it stands.
    BadCharacter {
        /// The character as it was read.
        found: char,
    },
    /// The number begins with a digit where its letter should stand.
    MissingLetter,
    /// The first letter is none of those that exist.
    UnknownLetter {
        /// The letter, in upper case.
        found: char,
    },
    /// Too few digits or characters.
    TooFew {
        /// How many there must be at least.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Too many digits or characters.
    TooMany {
        /// How many there may be.
        allowed: usize,
    },
    /// The length fits neither a CPF nor a CNPJ (rule D2). Lost leading zeros are not guessed.
    WrongLength {
        /// How many characters there are.
        found: usize,
    },
    /// A hyphen that does not stand where the notation has one.
    MisplacedHyphen,
    /// A dot that does not part groups of three digits.
    MisplacedDot,
    /// A letter among the check digits of a CNPJ, which are always digits.
    LetterInCheckDigits {
        /// The letter, in upper case.
        found: char,
    },
    /// The check digit does not follow from the rest of the number.
    CheckDigit {
        /// What follows from the rest.
        expected: CheckDigit,
        /// What stands there.
        found: CheckDigit,
    },
    /// All digits are the same: such CPFs pass the arithmetic and are refused by rule.
    RepeatedDigits,
    /// All characters are zeros: such a CNPJ passes the arithmetic and is refused by rule.
    AllZeros,
    /// The number before the check character is zero.
    ZeroBody,
}

impl IdRule {
    fn explain(self, kind: IdKind, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckDigit { expected, found } => {
                write!(f, "check digit {found} should be {expected}; compare the number with its document")
            }
            Self::RepeatedDigits => f.write_str("all digits are the same; no such number is issued"),
            Self::AllZeros | Self::ZeroBody => f.write_str("it is zero; no such number is issued"),
            shape => {
                shape.explain_shape(f)?;
                write!(f, "; expected {}", kind.shape())
            }
        }
    }

    fn explain_shape(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCharacter { found } => write!(f, "`{}` does not belong there", found.escape_default()),
            Self::MissingLetter => f.write_str("its letter is missing"),
            Self::UnknownLetter { found } => write!(f, "no kind has the letter {}", found.escape_default()),
            Self::TooFew { needed, found } => {
                write!(f, "{found} digits or characters where {needed} are needed")
            }
            Self::TooMany { allowed } => write!(f, "more than {allowed} digits or characters"),
            Self::WrongLength { found } => write!(f, "{found} characters (leading zeros lost?)"),
            Self::MisplacedHyphen => f.write_str("a hyphen is misplaced"),
            Self::MisplacedDot => f.write_str("a dot does not part groups of three digits"),
            Self::LetterInCheckDigits { found } => {
                write!(f, "letter {} among the check digits", found.escape_default())
            }
            _ => f.write_str("it is empty"),
        }
    }
}

/// A text that is not an identifier: of which kind, and by which rule.
///
/// `Display` is one line of printable ASCII, at most 200 characters, and never shows the number.
///
/// ```
/// use integration_core::tax::id::{IdKind, IdRule, Rut};
///
/// let error = "11.222.333-4".parse::<Rut>().unwrap_err();
/// assert_eq!(error.kind(), IdKind::Rut);
/// assert!(matches!(error.rule(), IdRule::CheckDigit { expected, .. } if expected.as_str() == "9"));
/// assert_eq!(
///     error.to_string(),
///     "invalid RUT: check digit 4 should be 9; compare the number with its document"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError {
    kind: IdKind,
    rule: IdRule,
}

impl IdError {
    pub(super) fn new(kind: IdKind, rule: IdRule) -> Self {
        Self { kind, rule }
    }

    /// The kind of identifier the text was read as.
    #[must_use]
    pub fn kind(&self) -> IdKind {
        self.kind
    }

    /// The rule that the text breaks.
    #[must_use]
    pub fn rule(&self) -> IdRule {
        self.rule
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {}: ", self.kind)?;
        self.rule.explain(self.kind, f)
    }
}

impl std::error::Error for IdError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_line_stays_under_two_hundred_characters() {
        let rules = [
            IdRule::Empty,
            IdRule::BadCharacter { found: char::MAX },
            IdRule::MissingLetter,
            IdRule::UnknownLetter { found: char::MAX },
            IdRule::TooFew { needed: usize::MAX, found: usize::MAX },
            IdRule::TooMany { allowed: usize::MAX },
            IdRule::WrongLength { found: usize::MAX },
            IdRule::MisplacedHyphen,
            IdRule::MisplacedDot,
            IdRule::LetterInCheckDigits { found: char::MAX },
            IdRule::CheckDigit { expected: CheckDigit::one('K'), found: CheckDigit::one('0') },
            IdRule::RepeatedDigits,
            IdRule::AllZeros,
            IdRule::ZeroBody,
        ];
        for (rule, kind) in rules.iter().flat_map(|rule| [IdKind::Rif, IdKind::Cnpj].map(|kind| (rule, kind)))
        {
            let line = IdError::new(kind, *rule).to_string();
            assert!(line.len() <= 200 && line.is_ascii(), "{line}");
        }
    }
}
