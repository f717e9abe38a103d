//! Exact decimal arithmetic for amounts on fiscal documents.
//!
//! The rule enforced here (contract `fiscal-printer` 6.1, promise 4 of the design): an amount is computed on exact
//! decimals, rounded once, half-up, where the contract says so, and nowhere else. `rust_decimal` is the type that
//! travels, but its operators panic on overflow and round silently once a result needs more than 28 decimals; so the
//! arithmetic goes through [`Exact`], whose operations answer `None` instead.
#![deny(clippy::arithmetic_side_effects)]

use std::cmp::Ordering;
use std::fmt;

use rust_decimal::Decimal;

use super::excerpt;

/// Decimals of an amount of money in every currency the clients handle (VES, USD, EUR, CLP, PLN, BRL).
const CENTS: u32 = 2;

/// Most significant digits [`parse_decimal`] accepts: every number of 28 digits fits a `Decimal`, not every one of 29.
const MAX_DIGITS: u32 = 28;

/// Most decimals a `Decimal` can hold.
const MAX_SCALE: u32 = 28;

/// 10^0 to 10^38, all powers that an `i128` holds: they are looked up so often that computing them shows.
const POWERS: [i128; 39] = powers();

/// 10^0 to 10^19, all powers that 64 bits hold.
const SMALL_POWERS: [u64; 20] = small_powers();

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
const fn small_powers() -> [u64; 20] {
    let mut powers = [1; 20];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
}

/// Most digits of which any number fits an `i64`.
const SMALL_DIGITS: usize = 18;

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
const fn powers() -> [i128; 39] {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
}

/// 10^`places`, if an `i128` holds it.
#[inline]
fn power(places: u32) -> Option<i128> {
    POWERS.get(usize::try_from(places).ok()?).copied()
}

/// An exact decimal: an integer of up to 38 digits and the number of its decimals.
///
/// It stands between [`Decimal`]s while an identity is computed: a product of two amounts of 19 digits is held
/// whole, and what does not fit is `None`, never a rounded value. Comparison is by value: `1.50` equals `1.5`.
///
/// ```
/// use integration_core::tax::money::Exact;
/// use rust_decimal::Decimal;
///
/// let price = Exact::from(Decimal::new(1_005, 3)); // 1.005
/// let quantity = Exact::from(Decimal::new(3, 0));
/// let amount = price.checked_mul(quantity).and_then(|exact| exact.round_half_up(2));
/// assert_eq!(amount, Some(Decimal::new(302, 2))); // 3.015 rounds to 3.02
/// ```
#[derive(Clone, Copy)]
pub struct Exact {
    mantissa: i128,
    scale: u32,
}

impl Exact {
    /// Zero without decimals.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// The sum, with the larger of both scales; `None` if it needs more than 38 digits.
    ///
    /// ```
    /// use integration_core::tax::money::Exact;
    /// use rust_decimal::Decimal;
    ///
    /// let sum = Exact::from(Decimal::new(15, 1)).checked_add(Exact::from(Decimal::new(250, 2)));
    /// assert_eq!(sum.and_then(Exact::to_decimal).map(|d| d.to_string()).as_deref(), Some("4.00"));
    /// ```
    #[must_use]
    #[inline]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self { mantissa: left.checked_add(right)?, scale })
    }

    /// The difference, with the larger of both scales; `None` if it needs more than 38 digits.
    ///
    /// ```
    /// use integration_core::tax::money::Exact;
    /// use rust_decimal::Decimal;
    ///
    /// let left = Exact::from(Decimal::new(15, 1)).checked_sub(Exact::from(Decimal::new(25, 1)));
    /// assert_eq!(left.and_then(Exact::to_decimal), Some(Decimal::new(-10, 1)));
    /// ```
    #[must_use]
    #[inline]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self { mantissa: left.checked_sub(right)?, scale })
    }

    /// The product; `None` if its exact value needs more than 38 digits.
    ///
    /// ```
    /// use integration_core::tax::money::Exact;
    /// use rust_decimal::Decimal;
    ///
    /// let huge = Exact::from(Decimal::MAX);
    /// assert!(huge.checked_mul(huge).is_none());
    /// ```
    #[must_use]
    #[inline]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        // Zeros behind the last digit may be all that overflows: a `1` held with 28 decimals, twice.
        self.product(other).or_else(|| self.trimmed().product(other.trimmed()))
    }

    /// The value with exactly `scale` decimals, ties rounded **away from zero**: 0.125 is 0.13, -0.125 is -0.13.
    ///
    /// For the amounts of the contract, which are never negative, this is its "half-up" (`fiscal-printer` 6.1). Below
    /// zero the contract is silent; away from zero is chosen so that reversing a document reverses every amount
    /// (`r2(-x) = -r2(x)`), as commercial rounding does.
    ///
    /// `None` if `scale` is above 28 or the result does not fit a [`Decimal`].
    ///
    /// ```
    /// use integration_core::tax::money::Exact;
    /// use rust_decimal::Decimal;
    ///
    /// let rounded = Exact::from(Decimal::new(-125, 3)).round_half_up(2);
    /// assert_eq!(rounded, Some(Decimal::new(-13, 2)));
    /// ```
    #[must_use]
    #[inline]
    pub fn round_half_up(self, scale: u32) -> Option<Decimal> {
        let mantissa = match scale.checked_sub(self.scale) {
            Some(missing) => shifted(self.mantissa, missing)?,
            None => divided_half_up(self.mantissa, self.scale.checked_sub(scale)?)?,
        };
        decimal(mantissa, scale)
    }

    /// The same value as a [`Decimal`], scale kept; zeros at the end are dropped only where 28 decimals are exceeded.
    ///
    /// `None` if the value cannot be held without rounding.
    ///
    /// ```
    /// use integration_core::tax::money::Exact;
    /// use rust_decimal::Decimal;
    ///
    /// let kept = Exact::from(Decimal::new(10_010, 2)).to_decimal();
    /// assert_eq!(kept.map(|d| d.to_string()).as_deref(), Some("100.10"));
    /// ```
    #[must_use]
    #[inline]
    pub fn to_decimal(self) -> Option<Decimal> {
        decimal(self.mantissa, self.scale).or_else(|| {
            let trimmed = self.trimmed();
            decimal(trimmed.mantissa, trimmed.scale)
        })
    }

    /// Whether the value is zero, with whatever number of decimals.
    #[must_use]
    #[inline]
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    #[inline]
    fn product(self, other: Self) -> Option<Self> {
        Some(Self {
            mantissa: times(self.mantissa, other.mantissa)?,
            scale: self.scale.checked_add(other.scale)?,
        })
    }

    /// The value over a hundred: what turns a percentage into a factor without dividing.
    #[inline]
    fn hundredth(self) -> Option<Self> {
        Some(Self { mantissa: self.mantissa, scale: self.scale.checked_add(2)? })
    }

    #[inline]
    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        if self.scale == other.scale {
            return Some((self.mantissa, other.mantissa, self.scale));
        }
        let scale = self.scale.max(other.scale);
        Some((self.mantissa_at(scale)?, other.mantissa_at(scale)?, scale))
    }

    #[inline]
    fn mantissa_at(self, scale: u32) -> Option<i128> {
        shifted(self.mantissa, scale.checked_sub(self.scale)?)
    }

    /// Without zeros behind the last decimal.
    fn trimmed(self) -> Self {
        let Self { mut mantissa, mut scale } = self;
        while let (Some(shorter), Some(0), Some(less)) =
            (mantissa.checked_div(10), mantissa.checked_rem(10), scale.checked_sub(1))
        {
            (mantissa, scale) = (shorter, less);
        }
        Self { mantissa, scale }
    }

    /// Compares absolute values. A left side that overflows when brought to the right side's scale is larger than
    /// anything the right side can hold, so no wider integer is needed.
    fn cmp_magnitude(self, other: Self) -> Ordering {
        let Some(missing) = other.scale.checked_sub(self.scale) else {
            return other.cmp_magnitude(self).reverse();
        };
        let (left, right) = (self.mantissa.unsigned_abs(), other.mantissa.unsigned_abs());
        if left == 0 {
            return left.cmp(&right);
        }
        let raised = power(missing).and_then(|power| left.checked_mul(power.unsigned_abs()));
        raised.map_or(Ordering::Greater, |raised| raised.cmp(&right))
    }
}

impl From<Decimal> for Exact {
    #[inline]
    fn from(value: Decimal) -> Self {
        Self { mantissa: value.mantissa(), scale: value.scale() }
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        let signs = self.mantissa.signum().cmp(&other.mantissa.signum());
        let magnitudes = self.cmp_magnitude(*other);
        signs.then(if self.mantissa < 0 { magnitudes.reverse() } else { magnitudes })
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Exact {}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exact({} x 10^-{})", self.mantissa, self.scale)
    }
}

/// `mantissa` x 10^`places`, unless it overflows. Zero stays zero however far it is moved.
#[inline]
fn shifted(mantissa: i128, places: u32) -> Option<i128> {
    if mantissa == 0 || places == 0 {
        return Some(mantissa);
    }
    times(mantissa, power(places)?)
}

/// The product. That of two numbers of 64 bits always fits, and needs none of the care that 128 bits ask for.
#[inline]
fn times(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left).wrapping_mul(i128::from(right))),
        _ => left.checked_mul(right),
    }
}

/// `mantissa` / 10^`places`, ties away from zero.
#[inline]
fn divided_half_up(mantissa: i128, places: u32) -> Option<i128> {
    // 10^39 is more than five times the largest i128: such a quotient rounds to zero.
    let Some(divisor) = power(places) else { return Some(0) };
    if let (Ok(small), Ok(divisor)) = (i64::try_from(mantissa), i64::try_from(divisor)) {
        return small_divided_half_up(small, divisor).map(i128::from);
    }
    let quotient = mantissa.checked_div(divisor)?;
    let rest = mantissa.checked_rem(divisor)?.unsigned_abs();
    let to_next = divisor.unsigned_abs().checked_sub(rest)?;
    if rest >= to_next { quotient.checked_add(mantissa.signum()) } else { Some(quotient) }
}

/// The same in 64 bits, which is one instruction of the processor and not a routine.
#[inline]
fn small_divided_half_up(mantissa: i64, divisor: i64) -> Option<i64> {
    let quotient = mantissa.checked_div(divisor)?;
    let rest = mantissa.checked_rem(divisor)?.unsigned_abs();
    let to_next = divisor.unsigned_abs().checked_sub(rest)?;
    if rest >= to_next { quotient.checked_add(mantissa.signum()) } else { Some(quotient) }
}

#[inline]
fn decimal(mantissa: i128, scale: u32) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

/// `value` with `scale` decimals, ties away from zero (see [`Exact::round_half_up`]).
///
/// A value with fewer decimals is padded (`3.2` becomes `3.20`); where the zeros do not fit a [`Decimal`] the value
/// is returned as it is, since nothing had to be rounded.
///
/// ```
/// use integration_core::tax::money::round_half_up;
/// use rust_decimal::Decimal;
///
/// assert_eq!(round_half_up(Decimal::new(15, 3), 2).to_string(), "0.02");
/// assert_eq!(round_half_up(Decimal::new(32, 1), 2).to_string(), "3.20");
/// ```
#[must_use]
pub fn round_half_up(value: Decimal, scale: u32) -> Decimal {
    // Dropping decimals always fits, so `None` can only mean that padding did not.
    Exact::from(value).round_half_up(scale).unwrap_or(value)
}

/// The exact sum, with the largest scale among the terms; zero without decimals for no terms.
///
/// `None` if the sum does not fit a [`Decimal`] at that scale.
///
/// ```
/// use integration_core::tax::money::sum;
/// use rust_decimal::Decimal;
///
/// let total = sum([Decimal::new(1_000, 2), Decimal::new(5, 0)]);
/// assert_eq!(total.map(|t| t.to_string()).as_deref(), Some("15.00"));
/// ```
#[must_use]
pub fn sum<I: IntoIterator<Item = Decimal>>(terms: I) -> Option<Decimal> {
    let total = terms.into_iter().try_fold(Exact::ZERO, |total, term| total.checked_add(term.into()))?;
    decimal(total.mantissa, total.scale)
}

/// `percent` per cent of `base`, rounded half-up to 2 decimals: the tax identities I3, I8 and I9 of the contract
/// `fiscal-printer` 6.1. `percent` is a percentage (16), not a fraction (0.16).
///
/// `None` if the amount does not fit.
///
/// ```
/// use integration_core::tax::money::percent_of;
/// use rust_decimal::Decimal;
///
/// let igtf = percent_of(Decimal::new(50, 2), Decimal::new(3, 0));
/// assert_eq!(igtf, Some(Decimal::new(2, 2))); // 0.015 is an exact tie: 0.02, where doubles give 0.01
/// ```
#[must_use]
#[inline]
pub fn percent_of(base: Decimal, percent: Decimal) -> Option<Decimal> {
    let small = small_product(base, percent);
    if let Some(amount) = small.and_then(|(units, scale)| small_cents(units, scale.checked_add(2)?)) {
        return Some(amount);
    }
    let exact = Exact::from(base).checked_mul(Exact::from(percent))?;
    exact.hundredth()?.round_half_up(CENTS)
}

/// `price` x `quantity` - `discount`, rounded half-up to 2 decimals: identity I1 of the contract `fiscal-printer`
/// 6.1. `discount` is an amount, not a percentage.
///
/// `None` if the amount does not fit. Signs are not judged here.
///
/// ```
/// use integration_core::tax::money::line_amount;
/// use rust_decimal::Decimal;
///
/// let amount = line_amount(Decimal::new(29, 2), Decimal::new(5, 1), Decimal::ZERO);
/// assert_eq!(amount, Some(Decimal::new(15, 2)));
/// ```
#[must_use]
#[inline]
pub fn line_amount(price: Decimal, quantity: Decimal, discount: Decimal) -> Option<Decimal> {
    if let Some(amount) = small_line_amount(price, quantity, discount) {
        return Some(amount);
    }
    let gross = Exact::from(price).checked_mul(Exact::from(quantity))?;
    gross.checked_sub(Exact::from(discount))?.round_half_up(CENTS)
}

// The same sums in 64 bits, for the numbers of nearly every line: not below zero, of 32 bits each. `None` is no answer; then the exact
// way is gone. A property test holds each against it.

/// The digits of a number that is not below zero, if 32 bits hold them.
#[inline]
fn small(value: Decimal) -> Option<u64> {
    let parts = value.unpack();
    (!parts.negative && parts.hi == 0 && parts.mid == 0).then_some(u64::from(parts.lo))
}

/// The digits of the product and its scale.
#[inline]
fn small_product(left: Decimal, right: Decimal) -> Option<(u64, u32)> {
    // Two numbers of 32 bits have a product of 64.
    Some((small(left)?.wrapping_mul(small(right)?), left.scale().checked_add(right.scale())?))
}

/// `units` x 10^-`scale`, ties up, with two decimals.
#[inline]
fn small_cents(units: u64, scale: u32) -> Option<Decimal> {
    let divisor = *SMALL_POWERS.get(usize::try_from(scale.checked_sub(CENTS)?).ok()?)?;
    let (quotient, rest) = (units.checked_div(divisor)?, units.checked_rem(divisor)?);
    let cents = quotient.checked_add(u64::from(rest >= divisor.checked_sub(rest)?))?;
    let [low, high] = [cents & u64::from(u32::MAX), cents >> 32].map(u32::try_from);
    Some(Decimal::from_parts(low.ok()?, high.ok()?, 0, false, CENTS))
}

#[inline]
fn small_line_amount(price: Decimal, quantity: Decimal, discount: Decimal) -> Option<Decimal> {
    let (gross, scale) = small_product(price, quantity)?;
    let finer = SMALL_POWERS.get(usize::try_from(scale.checked_sub(discount.scale())?).ok()?)?;
    small_cents(gross.checked_sub(small(discount)?.checked_mul(*finer)?)?, scale)
}

/// The same value with exactly `scale` decimals; `None` if a digit other than zero would be lost, if `scale` is above
/// 28 or if the zeros do not fit.
///
/// ```
/// use integration_core::tax::money::with_scale;
/// use rust_decimal::Decimal;
///
/// assert_eq!(with_scale(Decimal::new(5, 0), 2).map(|d| d.to_string()).as_deref(), Some("5.00"));
/// assert_eq!(with_scale(Decimal::new(5_005, 3), 2), None);
/// ```
#[must_use]
#[inline]
pub fn with_scale(value: Decimal, scale: u32) -> Option<Decimal> {
    if value.scale() == scale && !value.is_sign_negative() {
        return Some(value);
    }
    // Zeros behind the last digit change no value; digits taken away may.
    Exact::from(value).round_half_up(scale).filter(|scaled| value.scale() <= scale || *scaled == value)
}

/// How many decimals the value really has, zeros at the end not counted: what the limits on decimals (I16, I18 of the
/// contract `fiscal-printer` 6.1) are about.
///
/// ```
/// use integration_core::tax::money::decimals;
/// use rust_decimal::Decimal;
///
/// assert_eq!(decimals(Decimal::new(10_010, 2)), 1);
/// assert_eq!(decimals(Decimal::new(500, 2)), 0);
/// ```
#[must_use]
pub fn decimals(value: Decimal) -> u32 {
    Exact::from(value).trimmed().scale
}

/// Why a text is not an exact decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MoneyRule {
    /// There is no text.
    Empty,
    /// A plus sign stands first.
    PlusSign,
    /// A form with exponent, where only plain digits are accepted.
    Exponent,
    /// `NaN`, `inf` or `Infinity`.
    NotFinite,
    /// An underscore between digits.
    Underscore,
    /// A space or other blank, inside or around.
    Blank,
    /// A comma: neither thousands separators nor decimal commas are guessed.
    Comma,
    /// A second decimal point, as in `1.234.567`.
    SecondPoint,
    /// Another character that has no place in a number.
    BadCharacter(char),
    /// No digit before the decimal point, as in `.5` or `-`.
    NoWholeDigits,
    /// No digit after the decimal point, as in `5.`.
    NoFractionDigits,
    /// No digit in the exponent, as in `1e`.
    NoExponentDigits,
    /// A zero before other digits, as in `007`, where the grammar of JSON applies.
    LeadingZero,
    /// More significant digits than can be held exactly: 28, or 29 for JSON numbers small enough.
    TooManyDigits,
    /// More than 28 decimals.
    TooManyDecimals,
    /// Larger than a [`Decimal`] can hold.
    TooLarge,
    /// A JSON string where a JSON number is required.
    QuotedNumber,
    /// A JSON value that is neither number nor string.
    NotANumber,
}

impl MoneyRule {
    fn hint(self) -> &'static str {
        match self {
            Self::Empty => "it is empty",
            Self::PlusSign => "a plus sign is not accepted",
            Self::Exponent => "exponent notation is not accepted; write the digits out",
            Self::NotFinite => "it is not a finite number",
            Self::Underscore => "underscores are not accepted",
            Self::Blank => "blanks are not accepted",
            Self::Comma => {
                "commas are not accepted; write a point before the decimals and no thousands separator"
            }
            Self::SecondPoint => "there is a second decimal point; thousands separators are not accepted",
            Self::BadCharacter(_) => "it holds a character that is no digit",
            Self::NoWholeDigits => "a digit is missing before the decimals",
            Self::NoFractionDigits => "a digit is missing after the decimal point",
            Self::NoExponentDigits => "a digit is missing in the exponent",
            Self::LeadingZero => "a zero stands before other digits",
            Self::TooManyDigits => "it has more significant digits than can be held exactly (28)",
            Self::TooManyDecimals => "it has more than 28 decimals",
            Self::TooLarge => "it is too large to be held exactly",
            Self::QuotedNumber => "a JSON number is required, not a string",
            Self::NotANumber => "a JSON number is required",
        }
    }
}

/// A text that is not an exact decimal: which rule it breaks, and how it begins.
///
/// `Display` is one line of at most 200 characters, printable ASCII, whatever the text was.
///
/// ```
/// use integration_core::tax::money::{MoneyRule, parse_decimal};
///
/// let error = parse_decimal("1,50").unwrap_err();
/// assert_eq!(error.rule(), MoneyRule::Comma);
/// assert!(error.to_string().starts_with("not an exact decimal: `1,50`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyError {
    rule: MoneyRule,
    excerpt: String,
}

impl MoneyError {
    pub(crate) fn new(rule: MoneyRule, text: &str) -> Self {
        Self { rule, excerpt: excerpt(text) }
    }

    /// The rule that the text breaks.
    #[must_use]
    pub fn rule(&self) -> MoneyRule {
        self.rule
    }
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an exact decimal: `{}`: {}", self.excerpt, self.rule.hint())
    }
}

impl std::error::Error for MoneyError {}

/// Reads an amount as people and files write it: optional minus, digits, optional point and digits. The scale is kept
/// (`100.10` has two decimals); leading zeros are allowed; `-0` is read as zero.
///
/// # Errors
///
/// [`MoneyError`] for everything else: nothing, a plus sign, an exponent, `NaN` or infinity, underscores, blanks
/// (also around), commas in any role, digits that are not ASCII, more than 28 significant digits or decimals.
///
/// ```
/// use integration_core::tax::money::parse_decimal;
///
/// assert_eq!(parse_decimal("100.10")?.to_string(), "100.10");
/// assert!(parse_decimal("1e3").is_err());
/// # Ok::<(), integration_core::tax::money::MoneyError>(())
/// ```
pub fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    parse_with(text, Grammar::PLAIN)
}

/// What a reader accepts beyond optional minus, digits, optional point and digits.
#[derive(Clone, Copy)]
pub(crate) struct Grammar {
    exponent: bool,
    leading_zeros: bool,
    /// Most significant digits; above 28 the value itself decides whether it fits.
    digits: u32,
}

impl Grammar {
    /// Amounts written by people: plain digits.
    const PLAIN: Self = Self { exponent: false, leading_zeros: true, digits: MAX_DIGITS };
    /// The number of RFC 8259. One digit more than [`Self::PLAIN`], so that every `Decimal` can be read back.
    pub(crate) const JSON: Self = Self { exponent: true, leading_zeros: false, digits: 29 };
    /// Numbers that a service wrapped into a string: either of the two.
    pub(crate) const QUOTED: Self = Self { leading_zeros: true, ..Self::JSON };
}

#[inline]
pub(crate) fn parse_with(text: &str, grammar: Grammar) -> Result<Decimal, MoneyError> {
    if let Some(plain) = plain(text, grammar) {
        return Ok(plain);
    }
    scan(text, grammar).map_err(|rule| MoneyError::new(rule, text))
}

/// What nearly every amount is, read in one pass: digits, not too many of them, a point between them or none. Everything else is for
/// [`scan`], which knows what is wrong with it.
#[inline]
fn plain(text: &str, grammar: Grammar) -> Option<Decimal> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    // So many of them cannot overflow below.
    if digits.len() > SMALL_DIGITS {
        return None;
    }
    let (mut mantissa, mut point) = (0_i64, None);
    for (place, byte) in digits.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa.wrapping_mul(10).wrapping_add(digit_value(byte)),
            b'.' if point.is_none() => point = Some(place),
            _ => return None,
        }
    }
    let whole = point.unwrap_or(digits.len());
    let scale = digits.len().saturating_sub(whole).saturating_sub(usize::from(point.is_some()));
    let complete = whole > 0 && (scale > 0 || point.is_none());
    let needless_zero = !grammar.leading_zeros && whole > 1 && digits.starts_with('0');
    if !complete || needless_zero {
        return None;
    }
    let [low, high] = [mantissa & i64::from(u32::MAX), mantissa >> 32].map(u32::try_from);
    // There is no zero below zero.
    let negative = negative && mantissa != 0;
    Some(Decimal::from_parts(low.ok()?, high.ok()?, 0, negative, u32::try_from(scale).ok()?))
}

fn scan(text: &str, grammar: Grammar) -> Result<Decimal, MoneyRule> {
    let (negative, unsigned) = split_sign(text)?;
    let (number, exponent) = split_exponent(unsigned, grammar)?;
    let (whole, fraction) = split_fraction(number)?;
    if !grammar.leading_zeros && whole.len() > 1 && whole.starts_with('0') {
        return Err(MoneyRule::LeadingZero);
    }
    let magnitude = fold_digits(whole, fraction, grammar.digits)?;
    let mantissa = if negative { magnitude.saturating_neg() } else { magnitude };
    let decimals = i64::try_from(fraction.len()).map_err(|_| MoneyRule::TooManyDecimals)?;
    if exponent == 0 && decimals > i64::from(MAX_SCALE) {
        return Err(MoneyRule::TooManyDecimals); // even zeros: the scale could not be kept
    }
    placed(mantissa, decimals.saturating_sub(exponent))
}

fn split_sign(text: &str) -> Result<(bool, &str), MoneyRule> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if text.is_empty() {
        return Err(MoneyRule::Empty);
    }
    if rest.starts_with('+') {
        return Err(MoneyRule::PlusSign);
    }
    let is_word = |word: &&str| rest.eq_ignore_ascii_case(word);
    if ["nan", "inf", "infinity"].iter().any(is_word) {
        return Err(MoneyRule::NotFinite);
    }
    Ok((negative, rest))
}

fn split_exponent(text: &str, grammar: Grammar) -> Result<(&str, i64), MoneyRule> {
    let Some((number, exponent)) = text.split_once(['e', 'E']) else { return Ok((text, 0)) };
    require_number(number)?;
    if !grammar.exponent {
        return Err(MoneyRule::Exponent);
    }
    let (negative, digits) = match exponent.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    require_digits(digits, MoneyRule::NoExponentDigits)?;
    // Saturates: such a value is out of range anyway, unless its digits are all zero.
    let size =
        digits.bytes().fold(0_i64, |size, digit| size.saturating_mul(10).saturating_add(digit_value(digit)));
    Ok((number, if negative { size.saturating_neg() } else { size }))
}

fn split_fraction(text: &str) -> Result<(&str, &str), MoneyRule> {
    require_number(text)?;
    Ok(text.split_once('.').unwrap_or((text, "")))
}

/// Digits, and if there is a point, digits after it.
fn require_number(text: &str) -> Result<(), MoneyRule> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return require_digits(text, MoneyRule::NoWholeDigits);
    };
    require_digits(whole, MoneyRule::NoWholeDigits)?;
    require_digits(fraction, MoneyRule::NoFractionDigits)
}

fn require_digits(text: &str, when_none: MoneyRule) -> Result<(), MoneyRule> {
    if text.is_empty() {
        return Err(when_none);
    }
    text.chars().find(|c| !c.is_ascii_digit()).map_or(Ok(()), |c| Err(misplaced(c)))
}

fn misplaced(c: char) -> MoneyRule {
    match c {
        '_' => MoneyRule::Underscore,
        ',' => MoneyRule::Comma,
        '.' => MoneyRule::SecondPoint,
        c if c.is_whitespace() => MoneyRule::Blank,
        c => MoneyRule::BadCharacter(c),
    }
}

fn fold_digits(whole: &str, fraction: &str, limit: u32) -> Result<i128, MoneyRule> {
    let digits = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
    let mut mantissa = 0_i128;
    let mut count = 0_u32;
    for digit in digits {
        count = count.saturating_add(1);
        if count > limit {
            return Err(MoneyRule::TooManyDigits);
        }
        mantissa = mantissa.saturating_mul(10).saturating_add(i128::from(digit_value(digit)));
    }
    Ok(mantissa)
}

fn digit_value(digit: u8) -> i64 {
    i64::from(digit.saturating_sub(b'0'))
}

/// `mantissa` x 10^-`scale` as a `Decimal`, exact or refused.
fn placed(mantissa: i128, scale: i64) -> Result<Decimal, MoneyRule> {
    match u32::try_from(scale) {
        Ok(scale) if scale <= MAX_SCALE => decimal(mantissa, scale).ok_or(MoneyRule::TooLarge),
        Ok(scale) => shrunk(mantissa, scale),
        Err(_) if scale < 0 => enlarged(mantissa, scale.unsigned_abs()),
        Err(_) => shrunk(mantissa, u32::MAX),
    }
}

fn enlarged(mantissa: i128, zeros: u64) -> Result<Decimal, MoneyRule> {
    let zeros = u32::try_from(zeros).unwrap_or(u32::MAX);
    shifted(mantissa, zeros).and_then(|mantissa| decimal(mantissa, 0)).ok_or(MoneyRule::TooLarge)
}

/// More than 28 decimals: exact only if an exponent put zeros at the end. Zero itself keeps all the decimals it can.
fn shrunk(mantissa: i128, scale: u32) -> Result<Decimal, MoneyRule> {
    let exact = Exact { mantissa, scale };
    if exact.is_zero() {
        return decimal(0, MAX_SCALE).ok_or(MoneyRule::TooManyDecimals);
    }
    exact.round_half_up(MAX_SCALE).filter(|d| Exact::from(*d) == exact).ok_or(MoneyRule::TooManyDecimals)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use proptest::prelude::*;

    use super::*;

    fn dec(text: &str) -> Decimal {
        parse_decimal(text).unwrap()
    }

    fn rule(text: &str) -> MoneyRule {
        parse_decimal(text).unwrap_err().rule()
    }

    /// An independent half-up to `keep` decimals on text: the first digit cut off decides.
    fn rounded_text(digits: &str, scale: usize, keep: usize) -> String {
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (kept, cut) = padded.split_at(padded.len() - scale + keep);
        let up = cut.bytes().next().is_some_and(|first| first >= b'5');
        let kept = format!("{:0>width$}", kept.parse::<u128>().unwrap() + u128::from(up), width = keep + 1);
        let (whole, fraction) = kept.split_at(kept.len() - keep);
        format!("{whole}.{fraction}")
    }

    #[test]
    fn the_worked_samples_of_the_contract_hold() {
        assert_eq!(percent_of(dec("20.00"), dec("16")), Some(dec("3.20")));
        assert_eq!(percent_of(dec("10.00"), dec("8")), Some(dec("0.80")));
        assert_eq!(percent_of(dec("44.00"), dec("3")), Some(dec("1.32")));
        assert_eq!(percent_of(dec("328.40"), dec("16")), Some(dec("52.54")));
        assert_eq!(percent_of(dec("123.15"), dec("3")), Some(dec("3.69")));
        let total = sum(["6978.50", "52.54", "3.69"].map(dec));
        assert_eq!(total.map(|t| t.to_string()).as_deref(), Some("7034.73"));
    }

    #[test]
    fn exact_ties_go_up_where_doubles_go_down() {
        let half_up = |base, percent| percent_of(dec(base), dec(percent)).unwrap().to_string();
        assert_eq!(half_up("0.50", "3"), "0.02");
        assert_eq!(half_up("100.50", "3"), "3.02");
        assert_eq!(half_up("123.50", "3"), "3.71");
        assert_eq!(half_up("0.50", "31"), "0.16");
        assert_eq!(half_up("0.10", "15"), "0.02");
        let amount = |price, quantity| line_amount(dec(price), dec(quantity), Decimal::ZERO).unwrap();
        assert_eq!(amount("0.29", "0.5"), dec("0.15"));
        assert_eq!(amount("0.09", "2.5"), dec("0.23"));
        assert_eq!(amount("0.30", "0.75"), dec("0.23"));
    }

    #[test]
    fn line_drift_is_not_hidden() {
        assert_eq!(percent_of(dec("0.03"), dec("16")), Some(dec("0.00")));
        assert_eq!(percent_of(dec("0.09"), dec("16")), Some(dec("0.01")));
    }

    #[test]
    fn ties_below_zero_go_away_from_zero() {
        assert_eq!(round_half_up(dec("-0.125"), 2), dec("-0.13"));
        assert_eq!(round_half_up(dec("-0.124"), 2), dec("-0.12"));
        assert_eq!(line_amount(dec("1"), dec("1"), dec("1.005")), Some(dec("-0.01")));
    }

    #[test]
    fn overflow_is_none_and_never_a_panic() {
        assert_eq!(percent_of(Decimal::MAX, dec("100.01")), None);
        assert_eq!(line_amount(Decimal::MAX, Decimal::MAX, Decimal::ZERO), None);
        assert_eq!(sum([Decimal::MAX, Decimal::MAX]), None);
        assert_eq!(sum([Decimal::MAX, dec("0.00")]), None);
        assert_eq!(with_scale(Decimal::MAX, 2), None);
        assert_eq!(with_scale(dec("1"), 29), None);
        assert_eq!(with_scale(dec("1"), u32::MAX), None);
        assert_eq!(round_half_up(Decimal::MAX, 2), Decimal::MAX);
        assert_eq!(round_half_up(dec("1.5"), u32::MAX), dec("1.5"));
        let tiny = Exact { mantissa: i128::MIN, scale: u32::MAX };
        assert!(tiny.checked_mul(tiny).is_none());
        assert_eq!(tiny.round_half_up(2), Some(dec("0.00")));
        assert_eq!(tiny.to_decimal(), None);
    }

    #[test]
    fn long_zeros_do_not_overflow_a_product() {
        let one = with_scale(Decimal::ONE, 28).unwrap();
        let product = Exact::from(one).checked_mul(Exact::from(one));
        assert_eq!(product, Some(Exact::from(Decimal::ONE)));
    }

    #[test]
    fn scale_is_shown_and_counted() {
        assert_eq!(sum([]).map(|t| t.to_string()).as_deref(), Some("0"));
        assert_eq!(with_scale(dec("12.500"), 1).unwrap().to_string(), "12.5");
        assert_eq!(with_scale(dec("12.505"), 2), None);
        assert_eq!([dec("0.000"), dec("1200"), dec("1.10")].map(decimals), [0, 0, 1]);
    }

    #[test]
    fn each_refusal_names_its_rule() {
        assert_eq!(rule(""), MoneyRule::Empty);
        assert_eq!(rule("+1"), MoneyRule::PlusSign);
        assert_eq!(rule("-+1"), MoneyRule::PlusSign);
        assert_eq!([rule("1e3"), rule("1.5E-2")], [MoneyRule::Exponent; 2]);
        assert_eq!([rule("NaN"), rule("inf"), rule("-Infinity")], [MoneyRule::NotFinite; 3]);
        assert_eq!(rule("1_000"), MoneyRule::Underscore);
        assert_eq!([rule(" 1"), rule("1 000"), rule("1\n"), rule("1\u{a0}0")], [MoneyRule::Blank; 4]);
        assert_eq!([rule("1,5"), rule("1,000.00")], [MoneyRule::Comma; 2]);
        assert_eq!(rule("1.000.00"), MoneyRule::SecondPoint);
        assert_eq!([rule(".5"), rule("-"), rule("-.5"), rule(".")], [MoneyRule::NoWholeDigits; 4]);
        assert_eq!(rule("5."), MoneyRule::NoFractionDigits);
        assert_eq!(rule("\u{0661}"), MoneyRule::BadCharacter('\u{0661}'));
        assert_eq!([rule("--1"), rule("0x10")], [MoneyRule::BadCharacter('-'), MoneyRule::BadCharacter('x')]);
        assert_eq!(rule("12345678901234567890123456789"), MoneyRule::TooManyDigits);
        assert_eq!(rule(&format!("0.{}", "0".repeat(29))), MoneyRule::TooManyDecimals);
    }

    #[test]
    fn plain_digits_keep_their_scale() {
        for text in ["0", "0.00", "100.10", "-19.99", "1234567890123456.78", "9999999999999999999999999999"] {
            assert_eq!(dec(text).to_string(), text);
        }
        assert_eq!(dec("007.50").to_string(), "7.50");
        assert_eq!(dec("-0.00").to_string(), "0.00");
    }

    #[test]
    fn huge_texts_are_refused_with_one_short_line() {
        for unit in ["9", "0.", "\u{1f600}", "\0", " ", "-", "e", "1e"] {
            let error = parse_decimal(&unit.repeat(10_000_000 / unit.len())).unwrap_err();
            let line = error.to_string();
            assert!(line.len() <= 200 && line.bytes().all(|b| (0x20..0x7f).contains(&b)), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse_decimal(&text);
            let _ = parse_with(&text, Grammar::QUOTED);
        }

        #[test]
        fn the_short_way_reads_what_the_long_way_reads(text in "-?0{0,2}[0-9]{0,20}\\.?[0-9]{0,20}[.eE x]?") {
            for grammar in [Grammar::PLAIN, Grammar::JSON, Grammar::QUOTED] {
                if let Some(read) = plain(&text, grammar) {
                    let long = scan(&text, grammar).unwrap();
                    prop_assert_eq!((read, read.scale(), read.is_sign_negative()), (long, long.scale(), long.is_sign_negative()));
                }
            }
        }

        #[test]
        fn the_short_ways_of_products_and_quotients_are_the_long_ones(a in any::<i64>(), b in any::<i64>(), places in 0_u32..19) {
            prop_assert_eq!(times(a.into(), b.into()), i128::from(a).checked_mul(b.into()));
            // Beyond 64 bits the long way is taken: the same value with 19 more zeros, divided by as many more.
            let long = i128::from(a).checked_mul(POWERS[19]).and_then(|long| divided_half_up(long, places + 19));
            prop_assert_eq!(divided_half_up(a.into(), places), long);
        }

        #[test]
        fn sums_in_64_bits_are_the_exact_ones(
            a in any::<u32>(), b in any::<u32>(), d in 0_u32..100_000, s in 0_u32..8, t in 0_u32..8, u in 0_u32..5,
        ) {
            let [left, right, discount] = [(a, s), (b, t), (d, u)].map(|(units, scale)| Decimal::new(units.into(), scale));
            let product = Exact::from(left).checked_mul(Exact::from(right)).unwrap();
            if let Some(tax) = small_product(left, right).and_then(|(units, scale)| small_cents(units, scale + 2)) {
                let exact = product.hundredth().unwrap().round_half_up(2).unwrap();
                prop_assert_eq!((tax, tax.scale()), (exact, 2));
            }
            if let Some(amount) = small_line_amount(left, right, discount) {
                let exact = product.checked_sub(Exact::from(discount)).unwrap().round_half_up(2).unwrap();
                prop_assert_eq!((amount, amount.scale()), (exact, 2));
            }
            prop_assert!(s + t < 2 || small_product(left, right).is_some_and(|(units, scale)| small_cents(units, scale).is_some()));
        }

        #[test]
        fn numeric_looking_text_is_read_as_rust_decimal_reads_it(text in "-?[0-9]{1,14}(\\.[0-9]{1,14})?") {
            let expected: Decimal = text.parse().unwrap();
            let read = parse_decimal(&text).unwrap();
            prop_assert_eq!(read, expected);
            prop_assert_eq!(read.scale(), expected.scale());
        }

        #[test]
        fn rounding_agrees_with_digits_on_paper(mantissa in 0_u64.., scale in 2_u32..=19, minus in any::<bool>()) {
            let text = rounded_text(&mantissa.to_string(), scale as usize, 2);
            let signed = i128::from(mantissa) * if minus { -1 } else { 1 };
            let rounded = round_half_up(Decimal::from_i128_with_scale(signed, scale), 2);
            prop_assert_eq!(rounded.abs().to_string(), text);
            prop_assert!(rounded.is_zero() || rounded.is_sign_negative() == minus);
        }

        #[test]
        fn sums_agree_with_integers(cents in prop::collection::vec(any::<i64>(), 0..50)) {
            let total: i128 = cents.iter().map(|c| i128::from(*c)).sum();
            let exact = sum(cents.iter().map(|c| Decimal::new(*c, 2))).unwrap();
            prop_assert_eq!(exact.mantissa(), total);
        }

        #[test]
        fn percentages_agree_with_integers(cents in 0_i64..=1_000_000_000_000, percent in 0_i64..=10_000) {
            // percent has two decimals: cents * percent / 10^4, plus a half, cut off.
            let expected = (i128::from(cents) * i128::from(percent) + 5_000) / 10_000;
            let tax = percent_of(Decimal::new(cents, 2), Decimal::new(percent, 2)).unwrap();
            prop_assert_eq!((tax.mantissa(), tax.scale()), (expected, 2));
        }

        #[test]
        fn line_amounts_agree_with_integers(
            price in 0_i64..=10_000_000_000, quantity in 0_i64..=1_000_000_000, discount in 0_i64..=1_000_000_000,
        ) {
            // price 4 decimals, quantity 3, discount 2: everything in 10^-7, then rounded by floor division.
            let units = i128::from(price) * i128::from(quantity) - i128::from(discount) * 100_000;
            let expected = (units.abs() + 50_000).div_euclid(100_000) * units.signum();
            let amount = line_amount(Decimal::new(price, 4), Decimal::new(quantity, 3), Decimal::new(discount, 2));
            prop_assert_eq!(amount.unwrap().mantissa(), expected);
        }

        #[test]
        fn comparison_agrees_with_aligned_integers(a in any::<i64>(), b in any::<i64>(), s in 0_u32..19, t in 0_u32..19) {
            let model = (i128::from(a) * 10_i128.pow(t)).cmp(&(i128::from(b) * 10_i128.pow(s)));
            let (left, right) = (Exact::from(Decimal::new(a, s)), Exact::from(Decimal::new(b, t)));
            prop_assert_eq!(left.cmp(&right), model);
            prop_assert_eq!(right.cmp(&left), model.reverse());
            prop_assert_eq!(left == right, model.is_eq());
        }

        #[test]
        fn add_and_sub_agree_with_aligned_integers(a in any::<i64>(), b in any::<i64>(), s in 0_u32..10, t in 0_u32..10) {
            let at = |m: i64, scale| i128::from(m) * 10_i128.pow(s.max(t) - scale);
            let (left, right) = (Exact::from(Decimal::new(a, s)), Exact::from(Decimal::new(b, t)));
            prop_assert_eq!(left.checked_add(right).unwrap().mantissa, at(a, s) + at(b, t));
            prop_assert_eq!(left.checked_sub(right).unwrap().mantissa, at(a, s) - at(b, t));
        }

        #[test]
        fn any_exact_may_meet_any_other(a in any::<i128>(), b in any::<i128>(), s in any::<u32>(), t in any::<u32>()) {
            let (left, right) = (Exact { mantissa: a, scale: s }, Exact { mantissa: b, scale: t });
            let _ = (left.checked_add(right), left.checked_sub(right), left.checked_mul(right));
            let _ = (left.round_half_up(t), left.to_decimal(), format!("{left:?}"));
            prop_assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
        }

        #[test]
        fn scales_are_set_without_loss_or_not_at_all(cents in any::<i64>(), scale in 0_u32..=28, wanted in 0_u32..=30) {
            let value = Decimal::from_i128_with_scale(i128::from(cents), scale);
            match with_scale(value, wanted) {
                Some(scaled) => prop_assert_eq!((scaled, scaled.scale()), (value, wanted)),
                None => prop_assert!(wanted > 28 || wanted < decimals(value) || wanted > scale),
            }
        }
    }
}
