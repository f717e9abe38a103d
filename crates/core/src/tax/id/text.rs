//! Small texts without a heap, and the modulo-11 arithmetic three countries share.
//!
//! The rule enforced here: only ASCII gets into an identifier. Characters are judged as they come, before any case
//! folding of Unicode could turn a look-alike into a letter (rule D1 of the contract `geosite` 5 upper-cases; `ſ` and
//! the Kelvin sign would become S and K).
use std::fmt;

use super::{IdError, IdKind, IdRule};

/// A blank is a space or a tab; line breaks and the blanks of Unicode are errors like any other character.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// Up to `N` ASCII characters. Unused bytes are zero, so the derived order is that of the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// Collects what `allowed` accepts; the first character it does not accept, or that is too many, is the error.
    pub(super) fn collect(
        kind: IdKind,
        chars: impl Iterator<Item = char>,
        allowed: fn(char) -> bool,
    ) -> Result<Self, IdError> {
        let mut text = Self::EMPTY;
        for c in chars {
            let byte = u8::try_from(c).ok().filter(|_| c.is_ascii() && allowed(c));
            let byte = byte.ok_or(IdError::new(kind, IdRule::BadCharacter { found: c }))?;
            if !text.push(byte) {
                return Err(IdError::new(kind, IdRule::TooMany { allowed: N }));
            }
        }
        Ok(text)
    }

    fn push(&mut self, byte: u8) -> bool {
        let Some(slot) = self.bytes.get_mut(self.len) else { return false };
        *slot = byte;
        self.len += 1;
        true
    }

    /// The text if it has at least `needed` characters; nothing at all is [`IdRule::Empty`].
    pub(super) fn at_least(self, needed: usize, kind: IdKind) -> Result<Self, IdError> {
        match self.len {
            0 => Err(IdError::new(kind, IdRule::Empty)),
            found if found < needed => Err(IdError::new(kind, IdRule::TooFew { needed, found })),
            _ => Ok(self),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_str(&self) -> &str {
        let used = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(used).unwrap_or_default() // never empty by surprise: only ASCII was pushed
    }

    /// The part between two positions, for the fixed layouts of masks; empty if out of range.
    pub(super) fn part(&self, from: usize, to: usize) -> &str {
        self.as_str().get(from..to).unwrap_or_default()
    }
}

/// The check digit of a RIF, the check character of a RUT (`0`-`9` or `K`) or the two check digits of a CPF or CNPJ.
///
/// ```
/// use integration_core::tax::id::Rut;
///
/// let rut = Rut::from_body(12_667_869)?;
/// assert_eq!(rut.check_digit().as_str(), "K");
/// # Ok::<(), integration_core::tax::id::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CheckDigit(Text<2>);

impl CheckDigit {
    pub(super) fn one(digit: char) -> Self {
        Self::of([digit])
    }

    pub(super) fn two(first: char, second: char) -> Self {
        Self::of([first, second])
    }

    /// The characters are ASCII wherever this is called.
    pub(super) fn of(chars: impl IntoIterator<Item = char>) -> Self {
        let mut text = Text::EMPTY;
        for byte in chars.into_iter().filter_map(|c| u8::try_from(c).ok()) {
            text.push(byte);
        }
        Self(text)
    }

    /// One or two characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for CheckDigit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CheckDigit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckDigit({self})")
    }
}

/// The error of a check digit that does not follow, or nothing.
pub(super) fn require_check(kind: IdKind, expected: CheckDigit, found: CheckDigit) -> Result<(), IdError> {
    if expected == found { Ok(()) } else { Err(IdError::new(kind, IdRule::CheckDigit { expected, found })) }
}

/// Sum of value x weight, where a character's value is its ASCII code less 48: digits are worth themselves, `A` 17.
pub(super) fn weighted(text: &str, weights: &[u32]) -> u32 {
    text.bytes().zip(weights).map(|(byte, weight)| u32::from(byte).saturating_sub(48) * weight).sum()
}

/// 11 - (sum mod 11), where 10 and 11 become 0: the rule of RIF, CPF and CNPJ.
pub(super) fn digit_or_zero(sum: u32) -> char {
    char::from_digit(11 - sum % 11, 10).unwrap_or('0')
}

/// The two check digits of a CPF or CNPJ. `weights` are those of the second digit; the first digit uses them without
/// their first, in both kinds.
pub(super) fn brazilian_pair(base: &str, weights: &[u32]) -> CheckDigit {
    let (last, weights_of_first) =
        (weights.last().copied().unwrap_or(0), weights.get(1..).unwrap_or_default());
    let first = digit_or_zero(weighted(base, weights_of_first));
    let second = digit_or_zero(weighted(base, weights) + last * first.to_digit(10).unwrap_or(0));
    CheckDigit::two(first, second)
}

/// `Name(..76)`: the type and the last two characters of the number, as rule D1 allows.
pub(super) fn redacted(f: &mut fmt::Formatter<'_>, name: &str, number: &str) -> fmt::Result {
    let mut shown: Vec<char> = number.chars().rev().filter(char::is_ascii_alphanumeric).take(2).collect();
    shown.reverse();
    write!(f, "{name}(..{})", String::from_iter(shown))
}
