//! The Brazilian number of legal entities (*Cadastro Nacional da Pessoa Jurídica*), numeric and alphanumeric.
//!
//! The rule enforced here is that of the contract `geosite`, sections 5.2 and D1-D3, after Instrução Normativa RFB
//! 2.229/2024 (letters in new registrations from July 2026): twelve of 0-9 A-Z, then two check digits that are always
//! digits. A character counts its ASCII code less 48, so one routine serves both kinds. Some letters and digits can be
//! swapped without the check digits noticing (D3): a valid form is no proof, and no letter is ever "repaired".
use std::fmt;

use super::cpf::normalised;
use super::text::{CheckDigit, Text, brazilian_pair, require_check};
use super::{IdError, IdKind, IdRule, identifier};

/// Weights of the second check digit; the first uses them from the second on.
const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];

/// A Brazilian number of a legal entity, printed `12.ABC.345/01DE-35`, sent `12ABC34501DE35`.
///
/// Reading strips `.`, `/`, `-`, spaces and tabs wherever they stand and turns a-z into A-Z (rule D1); letters of other
/// scripts are errors. Always keep it as text. No heap.
///
/// ```
/// use integration_core::tax::id::Cnpj;
///
/// let cnpj: Cnpj = "12abc34501de35".parse()?;
/// assert_eq!(cnpj.to_string(), "12.ABC.345/01DE-35");
/// assert_eq!((cnpj.root(), cnpj.order()), ("12ABC345", "01DE"));
/// # Ok::<(), integration_core::tax::id::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cnpj(Text<14>);

identifier!(Cnpj, IdKind::Cnpj);

impl Cnpj {
    /// The CNPJ with these twelve characters (separators are stripped); the check digits are computed.
    ///
    /// # Errors
    ///
    /// [`IdError`] if there are not exactly twelve of 0-9 A-Z or all of them are zeros.
    ///
    /// ```
    /// use integration_core::tax::id::Cnpj;
    ///
    /// assert_eq!(Cnpj::from_body("112223330001")?.to_string(), "11.222.333/0001-81");
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    pub fn from_body(body: &str) -> Result<Self, IdError> {
        let body: Text<12> = Text::collect(IdKind::Cnpj, normalised(body), |c| c.is_ascii_alphanumeric())?;
        let body = body.at_least(12, IdKind::Cnpj)?;
        let check = brazilian_pair(body.as_str(), &WEIGHTS);
        format!("{}{check}", body.as_str()).parse()
    }

    /// Reads the shape alone: twelve of 0-9 A-Z and two digits. Check digits may be wrong, and all zeros pass.
    ///
    /// # Errors
    ///
    /// [`IdError`] for another length, another character, or a letter among the check digits.
    ///
    /// ```
    /// use integration_core::tax::id::Cnpj;
    ///
    /// let wrong = Cnpj::parse_lenient("12.ABC.345/01DE-45")?; // what the mapping A = 10 would give (rule D3)
    /// assert_eq!(wrong.expected_check_digit().as_str(), "35");
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        let number: Text<14> = Text::collect(IdKind::Cnpj, normalised(text), |c| c.is_ascii_alphanumeric())?;
        let number = number.at_least(14, IdKind::Cnpj)?;
        match number.part(12, 14).chars().find(char::is_ascii_alphabetic) {
            Some(found) => Err(IdError::new(IdKind::Cnpj, IdRule::LetterInCheckDigits { found })),
            None => Ok(Self(number)),
        }
    }

    /// What the strict reading says.
    ///
    /// # Errors
    ///
    /// [`IdRule::AllZeros`], or [`IdRule::CheckDigit`] with both pairs.
    pub fn verify(&self) -> Result<(), IdError> {
        if self.as_str().bytes().all(|byte| byte == b'0') {
            return Err(IdError::new(IdKind::Cnpj, IdRule::AllZeros));
        }
        require_check(IdKind::Cnpj, self.expected_check_digit(), self.check_digit())
    }

    /// The fourteen characters without mask.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The twelve characters before the check digits.
    #[must_use]
    pub fn body(&self) -> &str {
        self.0.part(0, 12)
    }

    /// The first eight characters: the entity.
    #[must_use]
    pub fn root(&self) -> &str {
        self.0.part(0, 8)
    }

    /// The four characters after the root: the establishment (`0001` usually is the head office).
    #[must_use]
    pub fn order(&self) -> &str {
        self.0.part(8, 12)
    }

    /// Whether it holds a letter, as numbers given from July 2026 on may.
    #[must_use]
    pub fn is_alphanumeric(&self) -> bool {
        self.as_str().bytes().any(|byte| byte.is_ascii_alphabetic())
    }

    /// The two check digits as given.
    #[must_use]
    pub fn check_digit(&self) -> CheckDigit {
        CheckDigit::of(self.0.part(12, 14).chars())
    }

    /// The two check digits that follow from the other twelve characters.
    #[must_use]
    pub fn expected_check_digit(&self) -> CheckDigit {
        brazilian_pair(self.body(), &WEIGHTS)
    }

    /// Whether the arithmetic is right; all zeros pass it, [`verify`](Self::verify) knows better.
    #[must_use]
    pub fn has_valid_check_digit(&self) -> bool {
        self.check_digit() == self.expected_check_digit()
    }

    /// The text for services: the bare fourteen characters.
    #[must_use]
    pub fn wire(&self) -> String {
        self.as_str().to_owned()
    }
}

impl fmt::Display for Cnpj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |from, to| self.0.part(from, to);
        write!(f, "{}.{}.{}/{}-{}", part(0, 2), part(2, 5), part(5, 8), part(8, 12), part(12, 14))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tax::id::testing;

    /// Values by a table of their own: place in the row of ASCII from `0` to `Z`, signs between 9 and A included.
    const ROW: &str = "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    fn sum(values: &[u32], weights: &[u32]) -> u32 {
        (0..weights.len()).fold(0, |sum, i| sum + values[i] * weights[i])
    }

    fn digit(sum: u32) -> u32 {
        if sum % 11 < 2 { 0 } else { 11 - sum % 11 }
    }

    fn values(text: &str) -> Option<Vec<u32>> {
        let kept = text.chars().filter(|c| !" \t./-".contains(*c));
        let upper = kept.map(|c| if c.is_ascii_lowercase() { c.to_uppercase().next().unwrap() } else { c });
        upper.map(|c| ROW.find(c).filter(|v| *v < 10 || *v > 16).map(|v| v as u32)).collect()
    }

    fn sums(values: &[u32]) -> (u32, u32) {
        let first = sum(values, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
        let mut with_first = values[..12].to_vec();
        with_first.push(digit(first));
        (first, sum(&with_first, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]))
    }

    fn by_the_book(text: &str, strict: bool) -> Option<String> {
        let values = values(text)?;
        if values.len() != 14 || values[12] > 9 || values[13] > 9 {
            return None;
        }
        let (first, second) = sums(&values);
        let right =
            (digit(first), digit(second)) == (values[12], values[13]) && values.iter().sum::<u32>() > 0;
        (!strict || right).then(|| values.iter().map(|v| ROW.chars().nth(*v as usize).unwrap()).collect())
    }

    fn agrees(text: &str) -> bool {
        assert_eq!(text.parse::<Cnpj>().ok().map(|cnpj| cnpj.wire()), by_the_book(text, true), "{text:?}");
        assert_eq!(
            Cnpj::parse_lenient(text).ok().map(|cnpj| cnpj.wire()),
            by_the_book(text, false),
            "{text:?}"
        );
        text.parse::<Cnpj>().is_ok()
    }

    fn rule(text: &str) -> IdRule {
        text.parse::<Cnpj>().unwrap_err().rule()
    }

    #[test]
    fn the_vectors_of_the_contract_are_valid_with_their_sums() {
        for (text, first, second) in [
            ("12.ABC.345/01DE-35", 459, 424),
            ("00.000.000/0001-91", 2, 21),
            ("11.222.333/0001-81", 102, 120),
            ("AB.CDE.FGH/0001-95", 926, 941),
            ("A1.B2C.3D4/0001-93", 508, 459),
            ("A8.TES.T0X/0001-08", 1112, 1026),
        ] {
            let cnpj: Cnpj = text.parse().unwrap();
            assert_eq!(cnpj.to_string(), text);
            assert_eq!(sums(&values(text).unwrap()), (first, second));
            assert_eq!(Cnpj::from_body(cnpj.body()), Ok(cnpj));
            assert_eq!(text.to_lowercase().parse(), Ok(cnpj));
            agrees(text);
        }
        assert!("12.ABC.345/01DE-45".parse::<Cnpj>().is_err()); // the mapping A = 10
    }

    #[test]
    fn swaps_the_check_digits_cannot_see_stay_different_numbers() {
        let written: Cnpj = "12.ABC.345/01DE-35".parse().unwrap();
        let swapped: Cnpj = "12.LBC.345/01DE-35".parse().unwrap(); // A and L differ by 11
        assert_ne!(written, swapped);
    }

    #[test]
    fn each_refusal_names_its_rule() {
        assert_eq!([rule(""), rule("./-")], [IdRule::Empty; 2]);
        assert_eq!(rule("00000000000000"), IdRule::AllZeros);
        assert!(Cnpj::parse_lenient("00000000000000").unwrap().has_valid_check_digit());
        assert_eq!(Cnpj::from_body("000000000000").unwrap_err().rule(), IdRule::AllZeros);
        assert_eq!(rule("12ABC34501DE3"), IdRule::TooFew { needed: 14, found: 13 });
        assert_eq!(rule("12ABC34501DE350"), IdRule::TooMany { allowed: 14 });
        assert_eq!(rule("12ABC34501DE3a"), IdRule::LetterInCheckDigits { found: 'A' });
        for c in ['\u{17f}', '\u{212a}', '\u{131}', '\u{ff21}', '\u{df}', ':', '@', '\n', '\u{a0}'] {
            assert_eq!(rule(&format!("12{c}BC34501DE35")), IdRule::BadCharacter { found: c });
        }
    }

    #[test]
    fn debug_shows_two_characters() {
        assert_eq!(format!("{:?}", "12ABC34501DE35".parse::<Cnpj>().unwrap()), "Cnpj(..35)");
    }

    #[test]
    fn many_texts_are_judged_as_by_the_book() {
        let templates = [
            "??.???.???/????-99",
            "99999999000199",
            "????????????99",
            "00.000.000/0001-99",
            "00000000000000",
        ];
        testing::many(6, &templates, agrees);
    }

    #[test]
    fn huge_texts_are_refused() {
        testing::huge(|text| text.parse::<Cnpj>().unwrap_err().to_string());
    }

    proptest! {
        #[test]
        fn exactly_one_pair_is_valid(body in "[0-9A-Z]{12}") {
            let valid = (0..100).filter(|pair| format!("{body}{pair:02}").parse::<Cnpj>().is_ok());
            prop_assert_eq!(valid.count(), 1);
        }

        #[test]
        fn display_is_read_back_and_order_is_that_of_the_text(a in "[0-9A-Z]{12}[0-9]{2}", b in "[0-9A-Z]{12}[0-9]{2}") {
            let (left, right) = (Cnpj::parse_lenient(&a).unwrap(), Cnpj::parse_lenient(&b).unwrap());
            prop_assert_eq!(Cnpj::parse_lenient(&left.to_string()), Ok(left));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        }

        #[test]
        fn any_text_is_judged_as_by_the_book(text in any::<String>()) {
            agrees(&text);
        }
    }
}
