//! The Chilean taxpayer number (*Rol Único Tributario*), also the number of natural persons.
//!
//! The rule enforced here is that of the contract `legale`, section 5: one to eight digits and a check character
//! `0`-`9` or `K`. The last character always is the check character, so a number that lost it cannot be seen by its
//! length; where dots are written, their groups of three show it.
use std::fmt;

use super::text::{CheckDigit, Text, is_blank, require_check};
use super::{IdError, IdKind, IdRule, identifier};

/// Largest number before the check character.
const MAX_BODY: u32 = 99_999_999;

/// A Chilean taxpayer number, printed `12.345.678-5`, sent `12345678-5`.
///
/// Reading takes dots or none, a hyphen or none, `k` or `K`, outer blanks, and leading zeros (dropped). Where the
/// contract leaves room, this is strict:
///
/// * a hyphen may stand once, right before the check character;
/// * if there is a dot, dots must part the whole number in groups of three from the right: `12.345.678`, never
///   `12.345678`. So `12.345.678` alone is an error and not the number 1.234.567-8. Any number of zeros may lead,
///   grouped or not: `0012.345.678-5`;
/// * blanks inside are errors.
///
/// Order is by number, then check character. Size 8 bytes, no heap.
///
/// ```
/// use integration_core::tax::id::Rut;
///
/// let rut: Rut = "012667869k".parse()?;
/// assert_eq!(rut.to_string(), "12.667.869-K");
/// assert_eq!(rut.wire(), "12667869-K");
/// # Ok::<(), integration_core::tax::id::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rut {
    body: u32,
    check: char,
}

identifier!(Rut, IdKind::Rut);

impl Rut {
    /// The RUT with this number; the check character is computed.
    ///
    /// # Errors
    ///
    /// [`IdRule::ZeroBody`] for 0, [`IdRule::TooMany`] for more than eight digits.
    ///
    /// ```
    /// use integration_core::tax::id::Rut;
    ///
    /// assert_eq!(Rut::from_body(11_222_333)?.wire(), "11222333-9");
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    pub fn from_body(body: u32) -> Result<Self, IdError> {
        match body {
            0 => Err(refused(IdRule::ZeroBody)),
            1..=MAX_BODY => Ok(Self { body, check: expected_check(body) }),
            _ => Err(refused(IdRule::TooMany { allowed: 8 })),
        }
    }

    /// Reads the shape alone; the check character may be wrong, as in the vendor's samples `11.222.333-k`.
    ///
    /// # Errors
    ///
    /// [`IdError`] for anything outside the notations listed at [`Rut`], and for the number zero.
    ///
    /// ```
    /// use integration_core::tax::id::Rut;
    ///
    /// let sample = Rut::parse_lenient("11.222.333-k")?;
    /// assert_eq!(sample.expected_check_digit().as_str(), "9");
    /// # Ok::<(), integration_core::tax::id::IdError>(())
    /// ```
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        let mut chars = text.trim_matches(is_blank).chars();
        let check = read_check(chars.next_back())?;
        let head = chars.as_str();
        let body = read_body(head.strip_suffix('-').unwrap_or(head))?;
        Ok(Self { body, check })
    }

    /// Whether the check character follows from the number.
    ///
    /// # Errors
    ///
    /// [`IdRule::CheckDigit`] with both characters.
    pub fn verify(&self) -> Result<(), IdError> {
        require_check(IdKind::Rut, self.expected_check_digit(), self.check_digit())
    }

    /// The number before the check character, 1 to 99 999 999.
    #[must_use]
    pub fn body(&self) -> u32 {
        self.body
    }

    /// The check character as given, in upper case.
    #[must_use]
    pub fn check_digit(&self) -> CheckDigit {
        CheckDigit::one(self.check)
    }

    /// The check character that follows from the number.
    #[must_use]
    pub fn expected_check_digit(&self) -> CheckDigit {
        CheckDigit::one(expected_check(self.body))
    }

    /// Whether the check character is right; always true after the strict reading.
    #[must_use]
    pub fn has_valid_check_digit(&self) -> bool {
        self.verify().is_ok()
    }

    /// The text for services, without dots: `12345678-5`.
    #[must_use]
    pub fn wire(&self) -> String {
        format!("{}-{}", self.body, self.check)
    }
}

impl fmt::Display for Rut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (millions, thousands, ones) =
            (self.body / 1_000_000, self.body / 1_000 % 1_000, self.body % 1_000);
        match (millions, thousands) {
            (0, 0) => write!(f, "{ones}"),
            (0, _) => write!(f, "{thousands}.{ones:03}"),
            _ => write!(f, "{millions}.{thousands:03}.{ones:03}"),
        }?;
        write!(f, "-{}", self.check)
    }
}

fn refused(rule: IdRule) -> IdError {
    IdError::new(IdKind::Rut, rule)
}

fn read_check(last: Option<char>) -> Result<char, IdError> {
    let last = last.ok_or(refused(IdRule::Empty))?;
    match last {
        '0'..='9' | 'k' | 'K' => Ok(last.to_ascii_uppercase()),
        _ => Err(refused(name_separator(last))),
    }
}

fn read_body(text: &str) -> Result<u32, IdError> {
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_digit() && *c != '.') {
        return Err(refused(name_separator(bad)));
    }
    if text.contains('.') && !is_grouped(text) && !is_grouped(text.trim_start_matches('0')) {
        return Err(refused(IdRule::MisplacedDot));
    }
    let significant = text.chars().filter(|c| *c != '.').skip_while(|c| *c == '0');
    let digits: Text<8> = Text::collect(IdKind::Rut, significant, |c| c.is_ascii_digit())?;
    match (text.is_empty(), digits.len()) {
        (true, _) => Err(refused(IdRule::TooFew { needed: 2, found: 1 })),
        (false, 0) => Err(refused(IdRule::ZeroBody)),
        _ => Ok(digits.as_str().chars().filter_map(|c| c.to_digit(10)).fold(0, |n, digit| n * 10 + digit)),
    }
}

/// One to three digits, then threes.
fn is_grouped(text: &str) -> bool {
    let mut groups = text.split('.');
    groups.next().is_some_and(|first| (1..=3).contains(&first.len())) && groups.all(|group| group.len() == 3)
}

fn name_separator(c: char) -> IdRule {
    match c {
        '-' => IdRule::MisplacedHyphen,
        '.' => IdRule::MisplacedDot,
        found => IdRule::BadCharacter { found },
    }
}

/// From the right times 2 3 4 5 6 7 2 3; the sum reaches 288, more than eight bits hold.
fn expected_check(body: u32) -> char {
    let weights = [2, 3, 4, 5, 6, 7, 2, 3];
    let digits = std::iter::successors(Some(body), |rest| Some(rest / 10)).map(|rest| rest % 10);
    let sum: u32 = digits.zip(weights).map(|(digit, weight)| digit * weight).sum();
    match 11 - sum % 11 {
        11 => '0',
        digit => char::from_digit(digit, 10).unwrap_or('K'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tax::id::testing;

    /// The textual rule, read a second time. Dots: strip them and see whether writing them back gives the same text.
    fn by_the_book(text: &str, strict: bool) -> Option<String> {
        let bare = text.trim_matches([' ', '\t']).replace('k', "K");
        let cut = bare.char_indices().last()?.0;
        let (head, check) = bare.split_at(cut);
        let head = head.strip_suffix("-").unwrap_or(head);
        let plain = head.replace('.', "");
        // Leading zeros are written back with the rest, or put in front of it as they came.
        let written_back = |plain: &str| {
            let mut dotted: Vec<String> =
                plain.as_bytes().rchunks(3).map(|g| String::from_utf8_lossy(g).into()).collect();
            dotted.reverse();
            dotted.join(".")
        };
        let significant = plain.trim_start_matches('0');
        let zeros = plain.strip_suffix(significant)?;
        if ![plain.clone(), written_back(&plain), format!("{zeros}{}", written_back(significant))]
            .contains(&head.to_owned())
        {
            return None;
        }
        let mut digits: Vec<u32> = Vec::new();
        for c in plain.trim_start_matches('0').chars() {
            digits.push("0123456789".find(c)? as u32);
        }
        if digits.is_empty() || digits.len() > 8 || !"0123456789K".contains(check) {
            return None;
        }
        let sum: u32 = digits.iter().rev().enumerate().map(|(i, d)| d * (2 + i as u32 % 6)).sum();
        let right = ["0", "K", "9", "8", "7", "6", "5", "4", "3", "2", "1"][(sum % 11) as usize];
        let body: String = digits.iter().map(ToString::to_string).collect();
        (!strict || right == check).then(|| format!("{body}-{check}"))
    }

    fn agrees(text: &str) -> bool {
        assert_eq!(text.parse::<Rut>().ok().map(|rut| rut.wire()), by_the_book(text, true), "{text:?}");
        assert_eq!(Rut::parse_lenient(text).ok().map(|rut| rut.wire()), by_the_book(text, false), "{text:?}");
        text.parse::<Rut>().is_ok()
    }

    fn rule(text: &str) -> IdRule {
        text.parse::<Rut>().unwrap_err().rule()
    }

    #[test]
    fn the_vectors_of_the_contract_are_valid() {
        for text in
            ["12.345.678-5", "15.509.661-6", "12.678.579-8", "17.951.585-7", "12.667.869-K", "9.868.503-0"]
        {
            let rut: Rut = text.parse().unwrap();
            assert_eq!(rut.to_string(), text);
            assert_eq!(rut.wire(), text.replace('.', ""));
            assert_eq!(text.replace(['.', '-'], "").parse(), Ok(rut));
            assert_eq!(text.replace('.', "").parse(), Ok(rut));
            assert_eq!(Rut::from_body(rut.body()), Ok(rut));
            agrees(text);
        }
    }

    #[test]
    fn the_samples_with_wrong_digits_are_lenient_only() {
        for check in ["4", "5", "6", "k"] {
            let text = format!("11.222.333-{check}");
            assert!(matches!(rule(&text), IdRule::CheckDigit { expected, .. } if expected.as_str() == "9"));
            assert_eq!(
                Rut::parse_lenient(&text).unwrap().wire(),
                format!("11222333-{}", check.to_uppercase())
            );
        }
        assert!("11.222.333-9".parse::<Rut>().is_ok());
    }

    #[test]
    fn eight_nines_do_not_overflow() {
        assert_eq!(Rut::from_body(99_999_999).unwrap().check_digit().as_str(), "9"); // 288 mod 11 = 2
    }

    #[test]
    fn notations_of_one_number_are_equal() {
        let rut = Rut::from_body(12_345_678).unwrap();
        for text in [" 12.345.678-5\t", "123456785", "0012345678-5", "012.345.678-5", "12.345.6785"] {
            assert_eq!(text.parse(), Ok(rut), "{text}");
        }
    }

    /// Contract `legale` 5 accepts "leading zeros (dropped)" without regard to the dots behind them.
    #[test]
    fn leading_zeros_are_dropped_before_the_dots_are_judged() {
        for text in
            ["0012.345.678-5", "0000012.345.6785", "012.345.678-5", "0.012.345.678-5", " 0012.345.678-5 "]
        {
            assert_eq!(text.parse(), Rut::from_body(12_345_678), "{text}");
        }
        assert_eq!("0012.667.869-k".parse(), Rut::from_body(12_667_869));
        assert_eq!("0011.222.333-k".parse::<Rut>().unwrap_err(), "11.222.333-k".parse::<Rut>().unwrap_err());
        assert_eq!(
            [rule("0012.345.678"), rule("0012.345678-5"), rule("0.12.345.678-5"), rule("0000.345.678-5")],
            [IdRule::MisplacedDot; 4]
        );
        assert_eq!(rule("00123.456.789-2"), IdRule::TooMany { allowed: 8 });
    }

    #[test]
    fn each_refusal_names_its_rule() {
        assert_eq!([rule(""), rule("  ")], [IdRule::Empty; 2]);
        assert_eq!(
            [rule("12.345.678"), rule("12.345678-5"), rule("1.2-3"), rule(".123-4")],
            [IdRule::MisplacedDot; 4]
        );
        assert_eq!([rule("12345678."), rule("12.345.678.-5")], [IdRule::MisplacedDot; 2]);
        assert_eq!(
            [rule("12-345678-5"), rule("12345678--5"), rule("12345678-")],
            [IdRule::MisplacedHyphen; 3]
        );
        assert_eq!([rule("0-0"), rule("00"), rule("0.000.000-0")], [IdRule::ZeroBody; 3]);
        assert_eq!([rule("5"), rule("-5")], [IdRule::TooFew { needed: 2, found: 1 }; 2]);
        assert_eq!(rule("123456789-2"), IdRule::TooMany { allowed: 8 });
        assert_eq!(rule("12 345 678-5"), IdRule::BadCharacter { found: ' ' });
        assert_eq!(rule("1K345678-5"), IdRule::BadCharacter { found: 'K' });
        assert_eq!(rule("12667869-\u{212a}"), IdRule::BadCharacter { found: '\u{212a}' });
        assert_eq!(Rut::from_body(0).unwrap_err().rule(), IdRule::ZeroBody);
        assert!(Rut::from_body(100_000_000).is_err());
    }

    #[test]
    fn debug_shows_two_characters() {
        assert_eq!(format!("{:?}", "12.345.678-5".parse::<Rut>().unwrap()), "Rut(..85)");
    }

    #[test]
    fn many_texts_are_judged_as_by_the_book() {
        testing::many(
            4,
            &["99.999.999-9", "9.999.999-K", "999999999", "0999-9", "9.999-k", "0099.999-9"],
            agrees,
        );
    }

    #[test]
    fn huge_texts_are_refused() {
        testing::huge(|text| text.parse::<Rut>().unwrap_err().to_string());
    }

    proptest! {
        #[test]
        fn exactly_one_character_is_valid(body in 1_u32..=MAX_BODY) {
            let valid = "0123456789K".chars().filter(|c| format!("{body}-{c}").parse::<Rut>().is_ok());
            prop_assert_eq!(valid.count(), 1);
        }

        #[test]
        fn both_texts_are_read_back(body in prop_oneof![1_u32..=MAX_BODY, 1_u32..5_000]) {
            let rut = Rut::from_body(body).unwrap();
            prop_assert_eq!(rut.to_string().parse(), Ok(rut));
            prop_assert_eq!(rut.wire().parse(), Ok(rut));
        }

        #[test]
        fn any_text_is_judged_as_by_the_book(text in any::<String>()) {
            agrees(&text);
        }
    }
}
