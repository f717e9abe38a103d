//! The Brazilian number of natural persons (*Cadastro de Pessoas Físicas*).
//!
//! The rule enforced here is that of the contract `geosite`, sections 5.1 and D1: eleven digits kept as text, the last
//! two computed from the others; the ten numbers of one repeated digit pass the arithmetic and are refused.
use std::fmt;

use super::text::{CheckDigit, Text, brazilian_pair, is_blank, require_check};
use super::{IdError, IdKind, IdRule, identifier};

/// Weights of the second check digit; the first uses them from the second on.
const WEIGHTS: [u32; 10] = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];

/// What rule D1 strips from a CPF or CNPJ, and ASCII upper case.
pub(super) fn normalised(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !is_blank(*c) && !matches!(c, '.' | '/' | '-')).map(|c| c.to_ascii_uppercase())
}

/// A Brazilian number of a natural person, printed `529.982.247-25`, sent `52998224725`.
///
/// Reading strips `.`, `/`, `-`, spaces and tabs wherever they stand (rule D1). Lost leading zeros are not guessed. No
/// heap.
///
/// ```
/// use integration_core::tax::id::Cpf;
///
/// let cpf: Cpf = "012.345.678-90".parse()?;
/// assert_eq!(cpf.digits(), "01234567890");
/// assert_eq!(cpf.to_string(), "012.345.678-90");
/// assert_eq!(format!("{cpf:?}"), "Cpf(..90)");
/// # Ok::<(), integration_core::tax::id::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpf(Text<11>);

identifier!(Cpf, IdKind::Cpf);

impl Cpf {
    /// The CPF with these nine digits (separators are stripped); the check digits are computed.
    ///
    /// # Errors
    ///
    /// [`IdError`] if there are not exactly nine digits or all of them are the same.
    ///
    /// ```
    /// use integration_core::tax::id::Cpf;
    ///
    /// assert_eq!(Cpf::from_body("529982247")?.digits(), "52998224725");
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    pub fn from_body(body: &str) -> Result<Self, IdError> {
        let body: Text<9> = Text::collect(IdKind::Cpf, normalised(body), |c| c.is_ascii_digit())?;
        let body = body.at_least(9, IdKind::Cpf)?;
        let check = brazilian_pair(body.as_str(), &WEIGHTS);
        format!("{}{check}", body.as_str()).parse()
    }

    /// Reads the shape alone: eleven digits. Check digits may be wrong, and repeated digits pass.
    ///
    /// # Errors
    ///
    /// [`IdError`] if anything but eleven digits is left after stripping.
    ///
    /// ```
    /// use integration_core::tax::id::Cpf;
    ///
    /// let placeholder = Cpf::parse_lenient("111.111.111-11")?;
    /// assert!(placeholder.has_valid_check_digit() && placeholder.verify().is_err());
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        let digits: Text<11> = Text::collect(IdKind::Cpf, normalised(text), |c| c.is_ascii_digit())?;
        digits.at_least(11, IdKind::Cpf).map(Self)
    }

    /// What the strict reading says.
    ///
    /// # Errors
    ///
    /// [`IdRule::RepeatedDigits`], or [`IdRule::CheckDigit`] with both pairs.
    pub fn verify(&self) -> Result<(), IdError> {
        if is_repeated(self.digits()) {
            return Err(IdError::new(IdKind::Cpf, IdRule::RepeatedDigits));
        }
        require_check(IdKind::Cpf, self.expected_check_digit(), self.check_digit())
    }

    /// The eleven digits without mask.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.as_str()
    }

    /// The same as [`digits`](Self::digits).
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.digits()
    }

    /// The nine digits before the check digits.
    #[must_use]
    pub fn body(&self) -> &str {
        self.0.part(0, 9)
    }

    /// The two check digits as given.
    #[must_use]
    pub fn check_digit(&self) -> CheckDigit {
        CheckDigit::of(self.0.part(9, 11).chars())
    }

    /// The two check digits that follow from the other nine.
    #[must_use]
    pub fn expected_check_digit(&self) -> CheckDigit {
        brazilian_pair(self.body(), &WEIGHTS)
    }

    /// Whether the arithmetic is right; repeated digits pass it, [`verify`](Self::verify) knows better.
    #[must_use]
    pub fn has_valid_check_digit(&self) -> bool {
        self.check_digit() == self.expected_check_digit()
    }

    /// The text for services: the bare digits.
    #[must_use]
    pub fn wire(&self) -> String {
        self.digits().to_owned()
    }
}

impl fmt::Display for Cpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |from, to| self.0.part(from, to);
        write!(f, "{}.{}.{}-{}", part(0, 3), part(3, 6), part(6, 9), part(9, 11))
    }
}

fn is_repeated(digits: &str) -> bool {
    digits.bytes().zip(digits.bytes().skip(1)).all(|(one, next)| one == next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tax::id::testing;

    fn digit(digits: &[u32]) -> u32 {
        let weights = (2..=digits.len() as u32 + 1).rev();
        let r = digits.iter().zip(weights).map(|(d, w)| d * w).sum::<u32>() % 11;
        if r < 2 { 0 } else { 11 - r }
    }

    fn by_the_book(text: &str, strict: bool) -> Option<String> {
        let mut digits: Vec<u32> = Vec::new();
        for c in text.chars().filter(|c| ![' ', '\t', '.', '/', '-'].contains(c)) {
            digits.push("0123456789".find(c)? as u32);
        }
        let right =
            digits.len() == 11 && digit(&digits[..9]) == digits[9] && digit(&digits[..10]) == digits[10];
        let all_equal = digits.iter().all(|d| *d == digits[0]);
        let accept = if strict { right && !all_equal } else { digits.len() == 11 };
        accept.then(|| digits.iter().map(ToString::to_string).collect())
    }

    fn agrees(text: &str) -> bool {
        assert_eq!(text.parse::<Cpf>().ok().map(|cpf| cpf.wire()), by_the_book(text, true), "{text:?}");
        assert_eq!(Cpf::parse_lenient(text).ok().map(|cpf| cpf.wire()), by_the_book(text, false), "{text:?}");
        text.parse::<Cpf>().is_ok()
    }

    fn rule(text: &str) -> IdRule {
        text.parse::<Cpf>().unwrap_err().rule()
    }

    #[test]
    fn the_vectors_of_the_contract_are_valid() {
        for text in ["529.982.247-25", "123.456.789-09", "012.345.678-90", "100.000.002-80"] {
            let cpf: Cpf = text.parse().unwrap();
            assert_eq!(cpf.to_string(), text);
            assert_eq!(cpf.digits(), text.replace(['.', '-'], ""));
            assert_eq!(Cpf::from_body(cpf.body()), Ok(cpf));
            agrees(text);
        }
    }

    #[test]
    fn repeated_digits_are_refused() {
        for digit in "0123456789".chars() {
            let text = digit.to_string().repeat(11);
            assert_eq!(rule(&text), IdRule::RepeatedDigits);
            assert!(Cpf::parse_lenient(&text).unwrap().has_valid_check_digit());
            assert_eq!(
                Cpf::from_body(&digit.to_string().repeat(9)).unwrap_err().rule(),
                IdRule::RepeatedDigits
            );
        }
    }

    #[test]
    fn each_refusal_names_its_rule() {
        assert_eq!([rule(""), rule(" ./-")], [IdRule::Empty; 2]);
        assert_eq!(rule("5299822472"), IdRule::TooFew { needed: 11, found: 10 });
        assert_eq!(rule("529982247255"), IdRule::TooMany { allowed: 11 });
        assert_eq!(rule("5299822472A"), IdRule::BadCharacter { found: 'A' });
        assert_eq!(rule("529982247\u{ff12}5"), IdRule::BadCharacter { found: '\u{ff12}' });
        assert_eq!(rule("529_982_247_25"), IdRule::BadCharacter { found: '_' });
        let wrong = Cpf::parse_lenient("529.982.247-52").unwrap();
        assert_eq!((wrong.check_digit().as_str(), wrong.expected_check_digit().as_str()), ("52", "25"));
        assert_eq!(Cpf::from_body("1234567890").unwrap_err().rule(), IdRule::TooMany { allowed: 9 });
    }

    #[test]
    fn many_texts_are_judged_as_by_the_book() {
        testing::many(
            5,
            &["999.999.999-99", "99999999999", "529.982.247-99", "11111111199", "00000000999"],
            agrees,
        );
    }

    #[test]
    fn huge_texts_are_refused() {
        testing::huge(|text| text.parse::<Cpf>().unwrap_err().to_string());
    }

    proptest! {
        #[test]
        fn exactly_one_pair_is_valid(body in 0_u32..=999_999_999) {
            let text = format!("{body:09}");
            let valid = (0..100).filter(|pair| format!("{text}{pair:02}").parse::<Cpf>().is_ok());
            prop_assert_eq!(valid.count(), usize::from(!is_repeated(&text)));
        }

        #[test]
        fn display_is_read_back_and_order_is_that_of_the_text(a in "[0-9]{11}", b in "[0-9]{11}") {
            let (left, right) = (Cpf::parse_lenient(&a).unwrap(), Cpf::parse_lenient(&b).unwrap());
            prop_assert_eq!(Cpf::parse_lenient(&left.to_string()), Ok(left));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        }

        #[test]
        fn any_text_is_judged_as_by_the_book(text in any::<String>()) {
            agrees(&text);
        }
    }
}
