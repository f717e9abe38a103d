//! The Venezuelan identity card number (*cédula de identidad*).
//!
//! The rule enforced here is that of the contract `fiscal-printer`, section 7, kind 1: V or E and five to nine digits;
//! the manual's form is `V-12345678`. There is no check digit, and so a RIF in its usual notation must not pass for a
//! cédula of one digit more: a hyphen may stand after the letter only.
use std::fmt;

use super::text::{Text, is_blank};
use super::{IdError, IdKind, IdRule, Rif, RifKind, identifier};

/// What a cédula's letter says about its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CedulaKind {
    /// `E`, a foreign resident.
    Foreign,
    /// `V`, a Venezuelan.
    Venezuelan,
}

impl CedulaKind {
    /// The letter, in upper case.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Foreign => 'E',
            Self::Venezuelan => 'V',
        }
    }
}

/// A Venezuelan identity card number, `V-12345678`.
///
/// Reading drops spaces, tabs and dots, takes the letter in either case and one hyphen between letter and digits. A
/// hyphen elsewhere is an error: `V-12345678-1` is a RIF. The letter is required, although a public sample omits it.
/// Leading zeros are kept as given: they are part of the text the service stores. No heap.
///
/// ```
/// use integration_core::tax::id::Cedula;
///
/// let cedula: Cedula = "v12.345.678".parse()?;
/// assert_eq!(cedula.to_string(), "V-12345678");
/// assert!("V-12345678-1".parse::<Cedula>().is_err());
/// # Ok::<(), integration_core::tax::id::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cedula {
    kind: CedulaKind,
    digits: Text<9>,
}

identifier!(Cedula, IdKind::Cedula);

impl Cedula {
    /// The same as the strict reading, since there is no check digit.
    ///
    /// # Errors
    ///
    /// [`IdError`] if the letter is missing or unknown, for fewer than five or more than nine digits, for a misplaced
    /// hyphen or any other character.
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        let mut chars = text.chars().filter(|c| !is_blank(*c) && *c != '.').peekable();
        let kind = read_letter(chars.next())?;
        let _ = chars.next_if_eq(&'-');
        let digits = Text::collect(IdKind::Cedula, chars, |c| c.is_ascii_digit()).map_err(name_hyphen)?;
        match digits.len() {
            found @ 0..5 => Err(IdError::new(IdKind::Cedula, IdRule::TooFew { needed: 5, found })),
            _ => Ok(Self { kind, digits }),
        }
    }

    /// Always `Ok`: a cédula has no check digit, its shape was judged when it was read.
    ///
    /// # Errors
    ///
    /// None.
    pub fn verify(&self) -> Result<(), IdError> {
        Ok(())
    }

    /// What the letter says about the holder.
    #[must_use]
    pub fn kind(&self) -> CedulaKind {
        self.kind
    }

    /// The digits as given, five to nine of them.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.digits.as_str()
    }

    /// The RIF of the holder: letter, the digits padded to eight, and the computed check digit. `None` if the number
    /// has nine digits.
    ///
    /// ```
    /// use integration_core::tax::id::Cedula;
    ///
    /// let cedula: Cedula = "V-12345678".parse()?;
    /// assert_eq!(cedula.to_rif().map(|rif| rif.to_string()).as_deref(), Some("V-12345678-1"));
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    #[must_use]
    pub fn to_rif(&self) -> Option<Rif> {
        let kind = match self.kind {
            CedulaKind::Foreign => RifKind::ForeignPerson,
            CedulaKind::Venezuelan => RifKind::NationalPerson,
        };
        Rif::from_parts(kind, self.digits().parse().ok()?).ok()
    }

    /// The text for services, the same as `Display`.
    #[must_use]
    pub fn wire(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Cedula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind.letter(), self.digits())
    }
}

fn read_letter(first: Option<char>) -> Result<CedulaKind, IdError> {
    let rule = match first.map(|c| c.to_ascii_uppercase()) {
        Some('V') => return Ok(CedulaKind::Venezuelan),
        Some('E') => return Ok(CedulaKind::Foreign),
        None => IdRule::Empty,
        Some('0'..='9') => IdRule::MissingLetter,
        Some('-') => IdRule::MisplacedHyphen,
        Some(found @ 'A'..='Z') => IdRule::UnknownLetter { found },
        Some(found) => IdRule::BadCharacter { found },
    };
    Err(IdError::new(IdKind::Cedula, rule))
}

/// A hyphen among the digits has a rule of its own: it is how RIFs are taken for cédulas.
fn name_hyphen(error: IdError) -> IdError {
    match error.rule() {
        IdRule::BadCharacter { found: '-' } => IdError::new(IdKind::Cedula, IdRule::MisplacedHyphen),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tax::id::testing;

    fn by_the_book(text: &str) -> Option<String> {
        let kept: String = text.chars().filter(|c| ![' ', '\t', '.'].contains(c)).collect();
        let digits =
            ["V-", "E-", "v-", "e-", "V", "E", "v", "e"].iter().find_map(|start| kept.strip_prefix(start))?;
        let letter = kept.chars().next()?.to_uppercase();
        let fits = (5..=9).contains(&digits.len()) && digits.bytes().all(|b| b"0123456789".contains(&b));
        fits.then(|| format!("{letter}-{digits}"))
    }

    fn agrees(text: &str) -> bool {
        let read = text.parse::<Cedula>().ok().map(|cedula| cedula.to_string());
        assert_eq!(read, by_the_book(text), "{text:?}");
        assert_eq!(text.parse::<Cedula>(), Cedula::parse_lenient(text));
        text.parse::<Cedula>().is_ok()
    }

    fn rule(text: &str) -> IdRule {
        text.parse::<Cedula>().unwrap_err().rule()
    }

    #[test]
    fn the_usual_notations_are_one_number() {
        for text in ["V-12345678", "v12345678", " V 12.345.678 ", "V-12.345.678"] {
            assert_eq!(text.parse::<Cedula>().unwrap().wire(), "V-12345678", "{text}");
        }
        assert_ne!("V-012345".parse::<Cedula>(), "V-12345".parse::<Cedula>());
    }

    #[test]
    fn each_refusal_names_its_rule() {
        assert_eq!([rule(""), rule(" . ")], [IdRule::Empty; 2]);
        assert_eq!(rule("12345678"), IdRule::MissingLetter);
        assert_eq!(rule("J-12345678"), IdRule::UnknownLetter { found: 'J' });
        assert_eq!([rule("V-12345678-1"), rule("V--12345"), rule("-V12345")], [IdRule::MisplacedHyphen; 3]);
        assert_eq!([rule("V-1234"), rule("E")], [4, 0].map(|found| IdRule::TooFew { needed: 5, found }));
        assert_eq!(rule("V-1234567890"), IdRule::TooMany { allowed: 9 });
        assert_eq!(rule("V-1234\u{665}"), IdRule::BadCharacter { found: '\u{665}' });
    }

    #[test]
    fn nine_digits_have_no_rif() {
        assert_eq!("V-123456789".parse::<Cedula>().unwrap().to_rif(), None);
        let rif = "E-00012345".parse::<Cedula>().unwrap().to_rif().unwrap();
        assert_eq!((rif.body(), rif.has_valid_check_digit()), (12_345, true));
    }

    #[test]
    fn debug_shows_two_characters() {
        assert_eq!(format!("{:?}", "V-12345678".parse::<Cedula>().unwrap()), "Cedula(..78)");
    }

    #[test]
    fn many_texts_are_judged_as_by_the_book() {
        testing::many(2, &["V-99999999", "e99999", "E-999.999.999", "v 9.999.999"], agrees);
    }

    #[test]
    fn huge_texts_are_refused() {
        testing::huge(|text| text.parse::<Cedula>().unwrap_err().to_string());
    }

    proptest! {
        #[test]
        fn display_is_read_back(text in "[VE]-[0-9]{5,9}") {
            prop_assert_eq!(text.parse::<Cedula>().unwrap().to_string(), text);
        }

        #[test]
        fn any_text_is_judged_as_by_the_book(text in any::<String>()) {
            agrees(&text);
        }
    }
}
