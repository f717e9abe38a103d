//! Passport numbers, as a Venezuelan fiscal document names its buyer by them.
//!
//! The rule enforced here is that of the contract `fiscal-printer`, section 7, kind 2 (assumed there): five to twelve
//! of A-Z and 0-9; longer does not fit the field. Countries number freely, so nothing inside is dropped.
use std::fmt;

use super::text::{Text, is_blank};
use super::{IdError, IdKind, identifier};

/// A passport number, `AB123456`.
///
/// Reading drops outer spaces and tabs and turns a-z into A-Z; separators inside are errors, since no rule says which
/// of them belong to the number. There is no check digit. No heap.
///
/// ```
/// use integration_core::tax::id::Passport;
///
/// let passport: Passport = " ab123456".parse()?;
/// assert_eq!(passport.as_str(), "AB123456");
/// # Ok::<(), integration_core::tax::id::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Passport(Text<12>);

identifier!(Passport, IdKind::Passport);

impl Passport {
    /// The same as the strict reading, since there is no check digit.
    ///
    /// # Errors
    ///
    /// [`IdError`] for fewer than five or more than twelve characters, or any outside A-Z and 0-9.
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        let chars = text.trim_matches(is_blank).chars().map(|c| c.to_ascii_uppercase());
        let number = Text::collect(IdKind::Passport, chars, |c| c.is_ascii_alphanumeric())?;
        number.at_least(5, IdKind::Passport).map(Self)
    }

    /// Always `Ok`: the shape was judged when it was read.
    ///
    /// # Errors
    ///
    /// None.
    pub fn verify(&self) -> Result<(), IdError> {
        Ok(())
    }

    /// The number in upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The text for services, the same as `Display`.
    #[must_use]
    pub fn wire(&self) -> String {
        self.as_str().to_owned()
    }
}

impl fmt::Display for Passport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tax::id::{IdRule, testing};

    fn by_the_book(text: &str) -> Option<String> {
        let bare = text.trim_matches([' ', '\t']);
        let known = |c| ('A'..='Z').chain('a'..='z').chain('0'..='9').any(|k| k == c);
        ((5..=12).contains(&bare.chars().count()) && bare.chars().all(known)).then(|| bare.to_uppercase())
    }

    fn agrees(text: &str) -> bool {
        assert_eq!(text.parse::<Passport>().ok().map(|p| p.to_string()), by_the_book(text), "{text:?}");
        text.parse::<Passport>().is_ok()
    }

    #[test]
    fn each_refusal_names_its_rule() {
        let rule = |text: &str| text.parse::<Passport>().unwrap_err().rule();
        assert_eq!([rule(""), rule(" \t")], [IdRule::Empty; 2]);
        assert_eq!(rule("AB12"), IdRule::TooFew { needed: 5, found: 4 });
        assert_eq!(rule("AB12345678901"), IdRule::TooMany { allowed: 12 });
        assert_eq!(rule("AB-12345"), IdRule::BadCharacter { found: '-' });
        assert_eq!(rule("\u{17f}12345"), IdRule::BadCharacter { found: '\u{17f}' });
    }

    #[test]
    fn debug_shows_two_characters() {
        assert_eq!(format!("{:?}", "AB123456".parse::<Passport>().unwrap()), "Passport(..56)");
    }

    #[test]
    fn many_texts_are_judged_as_by_the_book() {
        testing::many(3, &["?????", "????????????", " AB999999 ", "a99999999"], agrees);
    }

    #[test]
    fn huge_texts_are_refused() {
        testing::huge(|text| text.parse::<Passport>().unwrap_err().to_string());
    }

    proptest! {
        #[test]
        fn display_is_read_back(text in "[A-Z0-9]{5,12}") {
            prop_assert_eq!(text.parse::<Passport>().unwrap().to_string(), text);
        }

        #[test]
        fn any_text_is_judged_as_by_the_book(text in any::<String>()) {
            agrees(&text);
        }
    }
}
