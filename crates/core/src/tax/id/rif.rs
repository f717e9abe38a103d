//! The Venezuelan taxpayer number (*Registro Único de Información Fiscal*).
//!
//! The rule enforced here is that of the contract `fiscal-printer`, section 7: one letter, eight digits, one check
//! digit; canonical text `J-12345678-4`, which is what has to equal the token's claim byte for byte. No official
//! publication of the check digit was found; C = 3 fits every communal RIF the contract verified.
use std::fmt;

use super::text::{CheckDigit, Text, digit_or_zero, is_blank, require_check, weighted};
use super::{IdError, IdKind, IdRule, identifier};

/// Largest number before the check digit.
const MAX_BODY: u32 = 99_999_999;

/// What a RIF's letter says about the taxpayer. The order is that of the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RifKind {
    /// `C`, communal council.
    CommunalCouncil,
    /// `E`, natural person, foreign. The eight digits are the cédula.
    ForeignPerson,
    /// `G`, public body.
    PublicBody,
    /// `J`, company.
    Company,
    /// `P`, natural person known by passport.
    PassportHolder,
    /// `V`, natural person, national. The eight digits are the cédula.
    NationalPerson,
}

impl RifKind {
    /// The letter, in upper case.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::CommunalCouncil => 'C',
            Self::ForeignPerson => 'E',
            Self::PublicBody => 'G',
            Self::Company => 'J',
            Self::PassportHolder => 'P',
            Self::NationalPerson => 'V',
        }
    }

    /// The kind with this letter, in either case.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        match letter.to_ascii_uppercase() {
            'C' => Some(Self::CommunalCouncil),
            'E' => Some(Self::ForeignPerson),
            'G' => Some(Self::PublicBody),
            'J' => Some(Self::Company),
            'P' => Some(Self::PassportHolder),
            'V' => Some(Self::NationalPerson),
            _ => None,
        }
    }

    /// What the letter counts for in the sum.
    fn value(self) -> u32 {
        match self {
            Self::NationalPerson => 1,
            Self::ForeignPerson => 2,
            Self::Company | Self::CommunalCouncil => 3,
            Self::PassportHolder => 4,
            Self::PublicBody => 5,
        }
    }

    /// Whether the digits are a cédula, which may be shorter than eight digits.
    fn numbers_cedulas(self) -> bool {
        matches!(self, Self::NationalPerson | Self::ForeignPerson)
    }
}

/// A Venezuelan taxpayer number, `J-12345678-4`.
///
/// Reading drops spaces, tabs, dots and hyphens wherever they stand and takes the letter in either case. A cédula with
/// fewer than eight digits (`V`, `E`) is padded with zeros only if a hyphen sets the check digit apart, as in
/// `V-1234567-3`; otherwise nobody can tell whether the last digit is one. `J-00000000-0` passes: the contract has no
/// rule against it. Size 12 bytes, no heap.
///
/// ```
/// use integration_core::tax::id::{Rif, RifKind};
///
/// let rif: Rif = "j- 503757906".parse()?;
/// assert_eq!(rif.to_string(), "J-50375790-6");
/// assert_eq!((rif.kind(), rif.body()), (RifKind::Company, 50_375_790));
/// # Ok::<(), integration_core::tax::id::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rif {
    kind: RifKind,
    body: u32,
    check: char,
}

identifier!(Rif, IdKind::Rif);

impl Rif {
    /// The RIF with this letter and number; the check digit is computed.
    ///
    /// # Errors
    ///
    /// [`IdRule::TooMany`] if `body` has more than eight digits.
    ///
    /// ```
    /// use integration_core::tax::id::{Rif, RifKind};
    ///
    /// assert_eq!(Rif::from_parts(RifKind::Company, 124_134)?.to_string(), "J-00124134-5");
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    pub fn from_parts(kind: RifKind, body: u32) -> Result<Self, IdError> {
        if body > MAX_BODY {
            return Err(IdError::new(IdKind::Rif, IdRule::TooMany { allowed: 8 }));
        }
        Ok(Self { kind, body, check: expected_check(kind, body) })
    }

    /// Reads the shape alone; the check digit may be wrong, as in the manual's placeholder `J-12345678-9`.
    ///
    /// # Errors
    ///
    /// [`IdError`] if the letter is missing or unknown, if there are not exactly eight digits and a check digit (see
    /// [`Rif`] for padding), or for any other character.
    ///
    /// ```
    /// use integration_core::tax::id::Rif;
    ///
    /// let placeholder = Rif::parse_lenient("J-12345678-9")?;
    /// assert!(!placeholder.has_valid_check_digit());
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        let mut chars = text.chars().filter(|c| !is_blank(*c) && !matches!(c, '.' | '-'));
        let kind = read_letter(chars.next())?;
        let digits: Text<9> = Text::collect(IdKind::Rif, chars, |c| c.is_ascii_digit())?;
        let may_pad = kind.numbers_cedulas() && digits.len() >= 2 && check_is_apart(text);
        if digits.len() < 9 && !may_pad {
            return Err(IdError::new(IdKind::Rif, IdRule::TooFew { needed: 9, found: digits.len() }));
        }
        let mut body = digits.as_str().chars();
        let check = body.next_back().unwrap_or('0');
        Ok(Self { kind, body: body.filter_map(|c| c.to_digit(10)).fold(0, |n, digit| n * 10 + digit), check })
    }

    /// Whether the check digit follows from letter and number.
    ///
    /// # Errors
    ///
    /// [`IdRule::CheckDigit`] with both digits.
    pub fn verify(&self) -> Result<(), IdError> {
        require_check(IdKind::Rif, self.expected_check_digit(), self.check_digit())
    }

    /// What the letter says about the taxpayer.
    #[must_use]
    pub fn kind(&self) -> RifKind {
        self.kind
    }

    /// The number between letter and check digit, at most eight digits.
    #[must_use]
    pub fn body(&self) -> u32 {
        self.body
    }

    /// The check digit as given.
    #[must_use]
    pub fn check_digit(&self) -> CheckDigit {
        CheckDigit::one(self.check)
    }

    /// The check digit that follows from letter and number.
    #[must_use]
    pub fn expected_check_digit(&self) -> CheckDigit {
        CheckDigit::one(expected_check(self.kind, self.body))
    }

    /// Whether the check digit is right; always true after the strict reading.
    #[must_use]
    pub fn has_valid_check_digit(&self) -> bool {
        self.verify().is_ok()
    }

    /// The text for services: the canonical text, the same as `Display`.
    #[must_use]
    pub fn wire(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Rif {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08}-{}", self.kind.letter(), self.body, self.check)
    }
}

fn read_letter(first: Option<char>) -> Result<RifKind, IdError> {
    let first = first.ok_or(IdError::new(IdKind::Rif, IdRule::Empty))?;
    RifKind::from_letter(first).ok_or_else(|| {
        let rule = match first.to_ascii_uppercase() {
            '0'..='9' => IdRule::MissingLetter,
            found @ 'A'..='Z' => IdRule::UnknownLetter { found },
            found => IdRule::BadCharacter { found },
        };
        IdError::new(IdKind::Rif, rule)
    })
}

/// Whether exactly one digit follows the last hyphen.
fn check_is_apart(text: &str) -> bool {
    text.rsplit_once('-').is_some_and(|(_, tail)| tail.chars().filter(char::is_ascii_digit).count() == 1)
}

fn expected_check(kind: RifKind, body: u32) -> char {
    let digits = format!("{body:08}");
    digit_or_zero(kind.value() * 4 + weighted(&digits, &[3, 2, 7, 6, 5, 4, 3, 2]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tax::id::testing;

    /// The textual rule of the contract, read a second time: vectors, a table of remainders, no shared helper.
    fn by_the_book(text: &str, strict: bool) -> Option<String> {
        let kept: Vec<char> = text.chars().filter(|c| ![' ', '\t', '.', '-'].contains(c)).collect();
        let (letter, rest) = kept.split_first()?;
        let letter = letter.to_ascii_uppercase();
        let value = [('V', 1), ('E', 2), ('J', 3), ('P', 4), ('G', 5), ('C', 3)]
            .iter()
            .find(|(l, _)| *l == letter)?
            .1;
        let mut digits: Vec<u32> = Vec::new();
        for c in rest {
            digits.push("0123456789".find(*c)? as u32);
        }
        let apart =
            text.split('-').next_back().unwrap().chars().filter(|c| !" \t.".contains(*c)).count() == 1;
        if "VE".contains(letter) && apart && text.contains('-') && digits.len() > 1 {
            while digits.len() < 9 {
                digits.insert(0, 0);
            }
        }
        if digits.len() != 9 {
            return None;
        }
        let s = value * 4 + (0..8).map(|i| digits[i] * [3, 2, 7, 6, 5, 4, 3, 2][i]).sum::<u32>();
        let right = [0, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1][(s % 11) as usize];
        let body: String = digits[..8].iter().map(ToString::to_string).collect();
        (!strict || right == digits[8]).then(|| format!("{letter}-{body}-{}", digits[8]))
    }

    fn agrees(text: &str) -> bool {
        let strict = text.parse::<Rif>().ok().map(|rif| rif.to_string());
        assert_eq!(strict, by_the_book(text, true), "{text:?}");
        let lenient = Rif::parse_lenient(text).ok().map(|rif| rif.to_string());
        assert_eq!(lenient, by_the_book(text, false), "{text:?}");
        text.parse::<Rif>().is_ok()
    }

    fn rule(text: &str) -> IdRule {
        text.parse::<Rif>().unwrap_err().rule()
    }

    #[test]
    fn the_vectors_of_the_contract_are_valid() {
        for text in [
            "G-20009997-6",
            "J-00124134-5",
            "J-07013380-5",
            "J-00002961-0",
            "J-00343994-0",
            "J-50375790-6",
            "C-29995247-8",
            "C-50152188-3",
            "V-12345678-1",
            "E-12345678-8",
            "P-12345678-0",
            "G-12345678-7",
            "J-12345678-4",
            "C-12345678-4",
        ] {
            let rif: Rif = text.parse().unwrap();
            assert_eq!(rif.to_string(), text);
            assert_eq!(Rif::from_parts(rif.kind(), rif.body()), Ok(rif));
            agrees(text);
        }
    }

    #[test]
    fn communal_councils_do_not_count_six() {
        for text in ["C-29995247-7", "C-50152188-2"] {
            assert!(matches!(rule(text), IdRule::CheckDigit { .. }));
        }
    }

    #[test]
    fn the_placeholder_is_lenient_only() {
        let expected = IdRule::CheckDigit { expected: CheckDigit::one('4'), found: CheckDigit::one('9') };
        assert_eq!(rule("J-12345678-9"), expected);
        let lenient = Rif::parse_lenient("J-12345678-9").unwrap();
        assert_eq!((lenient.has_valid_check_digit(), lenient.to_string().as_str()), (false, "J-12345678-9"));
    }

    #[test]
    fn separators_are_dropped_and_put_back() {
        for text in [
            "J- 503757906",
            "j503757906",
            " J.50.375.790.6\t",
            "J-50375790-6",
            "J-503757906",
            "-J5-0375790 6-",
        ] {
            assert_eq!(text.parse::<Rif>().unwrap().to_string(), "J-50375790-6", "{text}");
        }
    }

    #[test]
    fn cedulas_are_padded_only_before_a_check_digit_set_apart() {
        let short = Rif::from_parts(RifKind::NationalPerson, 1_234_567).unwrap();
        let digit = short.check_digit();
        for text in
            [format!("V-1234567-{digit}"), format!("v1.234.567- {digit}"), format!("V01234567{digit}")]
        {
            assert_eq!(text.parse(), Ok(short), "{text}");
        }
        let too_few = |found| IdRule::TooFew { needed: 9, found };
        assert_eq!(rule(&format!("V-1234567{digit}")), too_few(8));
        assert_eq!(rule(&format!("V1234567{digit}-")), too_few(8));
        assert_eq!(rule("J-1234567-4"), too_few(8));
        assert_eq!(rule("V-8"), too_few(1));
    }

    #[test]
    fn each_refusal_names_its_rule() {
        assert_eq!([rule(""), rule(" -.")], [IdRule::Empty; 2]);
        assert_eq!(rule("12345678-9"), IdRule::MissingLetter);
        assert_eq!(rule("x-12345678-9"), IdRule::UnknownLetter { found: 'X' });
        assert_eq!(rule("\u{1f600}"), IdRule::BadCharacter { found: '\u{1f600}' });
        assert_eq!(rule("J-1234567\u{664}-4"), IdRule::BadCharacter { found: '\u{664}' });
        assert_eq!(rule("J-12345678-4\n"), IdRule::BadCharacter { found: '\n' });
        assert_eq!(rule("J\u{2010}12345678-4"), IdRule::BadCharacter { found: '\u{2010}' });
        assert_eq!(rule("J-123456789-4"), IdRule::TooMany { allowed: 9 });
        assert!(Rif::from_parts(RifKind::Company, 100_000_000).is_err());
    }

    #[test]
    fn debug_shows_two_characters() {
        assert_eq!(format!("{:?}", Rif::parse_lenient("J-12345678-4").unwrap()), "Rif(..84)");
    }

    #[test]
    fn many_texts_are_judged_as_by_the_book() {
        testing::many(
            1,
            &["J-99999999-9", "V-999999-9", "e9.999.999-9", "G999999999", "c 99999999 9"],
            agrees,
        );
    }

    #[test]
    fn huge_texts_are_refused() {
        testing::huge(|text| text.parse::<Rif>().unwrap_err().to_string());
    }

    proptest! {
        #[test]
        fn exactly_one_digit_is_valid(body in 0_u32..=MAX_BODY, letter in "[CEGJPV]") {
            let valid = (0..=9).filter(|d| format!("{letter}-{body:08}-{d}").parse::<Rif>().is_ok());
            prop_assert_eq!(valid.count(), 1);
        }

        #[test]
        fn display_is_read_back_and_order_is_that_of_the_text(a in 0_u32..=MAX_BODY, b in 0_u32..=MAX_BODY, k in "[CEGJPV]", l in "[CEGJPV]") {
            let rif = |k: &str, body| Rif::from_parts(RifKind::from_letter(k.chars().next().unwrap()).unwrap(), body).unwrap();
            let (left, right) = (rif(&k, a), rif(&l, b));
            prop_assert_eq!(left.to_string().parse(), Ok(left));
            prop_assert_eq!(left.cmp(&right), left.to_string().cmp(&right.to_string()));
        }

        #[test]
        fn any_text_is_judged_as_by_the_book(text in any::<String>()) {
            agrees(&text);
        }
    }
}
