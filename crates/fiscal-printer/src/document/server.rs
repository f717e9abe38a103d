//! What the observed service computes, in IEEE doubles, as pure predicates (contract 6.2, steps S1-S5).
//!
//! This is the one place where floats meet amounts, because it imitates a service that uses them: nothing here is ever
//! sent unless the caller chose [`RoundingPolicy::ServerCompatible`]. Whether the deployed service still computes like
//! this is not known.

use integration_core::tax::money::Exact;
use rust_decimal::Decimal;

/// Which cent wins where the service's doubles and half-up rounding disagree (contract 6.2; always an exact tie, one cent
/// apart).
///
/// ```
/// use fiscal_printer::{Buyer, Document, Line, RoundingPolicy};
///
/// let draft = Document::invoice("J-12345678-4", 42)
///     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
///     .line(Line::new("A1", "Cinta, metro", "0.29", "0.5").exempt());
/// let total = |policy| draft.clone().rounding(policy).build().map(|document| document.totals().total.to_string());
/// assert_eq!(total(RoundingPolicy::Fiscal)?, "0.15");
/// assert_eq!(total(RoundingPolicy::ServerCompatible)?, "0.14");
/// # Ok::<(), fiscal_printer::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RoundingPolicy {
    /// Half-up on exact decimals. A refusal that the doubles predict is a warning with both values.
    #[default]
    Fiscal,
    /// The service's own value. Every cent that differs from half-up is reported as a warning.
    ServerCompatible,
}

/// The double nearest to a decimal, which is what the service reads from our number token.
#[must_use]
#[inline]
pub(crate) fn double(value: Decimal) -> f64 {
    exact_quotient(value).unwrap_or_else(|| {
        // Through text on purpose: parsing is correctly rounded, arithmetic conversions of longer numbers are not.
        value.to_string().parse().unwrap_or(f64::NAN)
    })
}

/// 10^0 to 10^22, all powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The quotient of two numbers that doubles hold exactly: IEEE 754 rounds it correctly, as parsing does.
#[inline]
fn exact_quotient(value: Decimal) -> Option<f64> {
    let parts = value.unpack();
    let divisor = EXACT_POWERS.get(usize::try_from(parts.scale).ok()?)?;
    let digits = i64::from(parts.mid) << 32 | i64::from(parts.lo);
    if parts.hi != 0 || !(0..=1 << 53).contains(&digits) {
        return None;
    }
    let digits = if parts.negative { -digits } else { digits };
    #[allow(clippy::cast_precision_loss)]
    let digits = digits as f64;
    Some(digits / divisor)
}

/// `fixed2`: the number of cents nearest to the exact binary value of `x`, ties upwards; `None` if it is not a number or
/// too large to have cents.
///
/// ```
/// use fiscal_printer::server::fixed2;
///
/// assert_eq!(fixed2(0.125), Some(13));
/// assert_eq!(fixed2(1.005), Some(100)); // the double is a little below
/// assert_eq!(fixed2(f64::NAN), None);
/// ```
#[must_use]
pub fn fixed2(x: f64) -> Option<i128> {
    if !x.is_finite() || x.abs() >= 1e21 {
        return None;
    }
    let bits = x.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).ok()?;
    let fraction = i128::from(bits & ((1 << 52) - 1));
    // x = mantissa * 2^power, exactly.
    let (mantissa, power) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    let hundredfold = mantissa.checked_mul(if x < 0.0 { -100 } else { 100 })?;
    round_shifted(hundredfold, power)
}

/// `value * 2^power` to the nearest integer, ties upwards.
fn round_shifted(value: i128, power: i32) -> Option<i128> {
    if power >= 0 {
        return value.checked_mul(1i128.checked_shl(power.unsigned_abs())?);
    }
    let shift = power.unsigned_abs();
    // Beyond 120 binary places the value is far below half a cent.
    if shift > 120 {
        return Some(0);
    }
    let half = 1i128 << (shift - 1);
    // The shift of a negative number rounds down, which is what "ties upwards" needs after adding a half.
    Some((value + half) >> shift)
}

/// The tax in cents that the service expects on `base` at `rate` percent (S1): the rate is divided first.
///
/// ```
/// use fiscal_printer::{Decimal, server};
///
/// let base = Decimal::new(50, 2);
/// assert_eq!(server::tax_cents(base, 3.into()), Some(1)); // half-up says 0.02
/// ```
#[must_use]
pub fn tax_cents(base: Decimal, rate: Decimal) -> Option<i128> {
    fixed2(double(base) * (double(rate) / 100.0))
}

/// The nearest integer, ties towards positive infinity, as the service's language rounds.
fn round(x: f64) -> f64 {
    let below = x.floor();
    if x - below >= 0.5 { below + 1.0 } else { below }
}

/// The line amount in cents that the service expects (S4).
///
/// ```
/// use fiscal_printer::{Decimal, server};
///
/// let cents = server::line_cents(Decimal::new(29, 2), Decimal::new(5, 1), Decimal::ZERO);
/// assert_eq!(cents, Some(14)); // half-up says 0.15
/// ```
#[must_use]
pub fn line_cents(price: Decimal, quantity: Decimal, discount: Decimal) -> Option<i128> {
    let cents = round((double(price) * double(quantity) - double(discount)) * 100.0);
    // Above 2^53 a double holds no cents any more.
    #[allow(clippy::cast_possible_truncation)]
    (cents.abs() < 9_007_199_254_740_992.0).then_some(cents as i128)
}

/// Whether the service accepts `tax` on `base` at `rate` percent (S1). It skips a group without base or rate.
///
/// ```
/// use fiscal_printer::{Decimal, server};
///
/// let raw = |text: &str| Decimal::from_str_exact(text).unwrap();
/// // The vendor's own sample carries raw doubles, and they pass.
/// assert!(server::accepts_tax(raw("43.99999999999999"), 3.into(), raw("1.3199999999999998")));
/// assert!(!server::accepts_tax(raw("0.50"), 3.into(), raw("0.02")));
/// ```
#[must_use]
pub fn accepts_tax(base: Decimal, rate: Decimal, tax: Decimal) -> bool {
    is_skipped(base, rate) || same_cents(tax_cents(base, rate), fixed2(double(tax)))
}

fn is_skipped(base: Decimal, rate: Decimal) -> bool {
    !(double(base) > 0.0 && double(rate) > 0.0)
}

/// What is no number equals nothing.
fn same_cents(left: Option<i128>, right: Option<i128>) -> bool {
    left.is_some() && left == right
}

/// Whether the service accepts `subtotal` as the sum of `bases` (S2, S3): those of the VAT groups in its order, then the exempt
/// amount. It accepts no subtotal that is not above zero.
///
/// ```
/// use fiscal_printer::{Decimal, server};
///
/// let cents = |count| Decimal::new(count, 2);
/// assert!(server::accepts_subtotal([cents(2000), cents(1000), cents(1000)], cents(4000)));
/// assert!(!server::accepts_subtotal([], Decimal::ZERO));
/// ```
#[must_use]
pub fn accepts_subtotal(bases: impl IntoIterator<Item = Decimal>, subtotal: Decimal) -> bool {
    let sum = bases.into_iter().fold(0.0, |sum, base| sum + double(base));
    double(subtotal) > 0.0 && same_cents(fixed2(sum), fixed2(double(subtotal)))
}

/// Whether the service accepts `total` as `subtotal` plus `taxes` (S3): VAT groups in its order, then the IGTF.
///
/// ```
/// use fiscal_printer::{Decimal, server};
///
/// let cents = |count| Decimal::new(count, 2);
/// assert!(server::accepts_total(cents(4000), [cents(320), cents(80), cents(132)], cents(4532)));
/// ```
#[must_use]
pub fn accepts_total(subtotal: Decimal, taxes: impl IntoIterator<Item = Decimal>, total: Decimal) -> bool {
    let sum = taxes.into_iter().fold(0.0, |sum, tax| sum + double(tax));
    same_cents(fixed2(double(subtotal) + sum), fixed2(double(total)))
}

/// Whether the service accepts `amount` for a line (S4).
///
/// ```
/// use fiscal_printer::{Decimal, server};
///
/// let (price, half) = (Decimal::new(29, 2), Decimal::new(5, 1));
/// assert!(server::accepts_line(price, half, Decimal::ZERO, Decimal::new(14, 2)));
/// assert!(!server::accepts_line(price, half, Decimal::ZERO, Decimal::new(15, 2)));
/// ```
#[must_use]
pub fn accepts_line(price: Decimal, quantity: Decimal, discount: Decimal, amount: Decimal) -> bool {
    let expected = round((double(price) * double(quantity) - double(discount)) * 100.0) / 100.0;
    // Both sides are results of the same rounding, so equality of doubles is the question itself.
    #[allow(clippy::float_cmp)]
    let equal = expected == round(double(amount) * 100.0) / 100.0;
    equal
}

/// An amount of a document in dollars or euros as the observed service stores it in bolívars (S5): amount x rate, rounded
/// half-up to four decimals, each amount on its own, so that the bolívar columns need not add up to the cent. `None` if the
/// product is too large. See [`Document::bolivar_columns`](super::Document::bolivar_columns) for a whole document.
///
/// ```
/// use fiscal_printer::{Decimal, server};
///
/// let rate = Decimal::new(2_361_234, 4); // 236.1234
/// assert_eq!(server::bolivars(Decimal::new(4532, 2), rate), Some(Decimal::new(107_011_125, 4)));
/// ```
#[must_use]
pub fn bolivars(amount: Decimal, exchange_rate: Decimal) -> Option<Decimal> {
    Exact::from(amount).checked_mul(Exact::from(exchange_rate))?.round_half_up(4)
}

/// Cents as a decimal.
pub(crate) fn cents(value: i128) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(value, 2).ok()
}

/// One tax group as the service checks it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) tax_field: &'static str,
    pub(crate) base: Decimal,
    pub(crate) rate: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) in_subtotal: bool,
}

/// A refusal with code 4 that the doubles predict.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disagreement {
    /// The step of contract 6.2: `S1`, `S3` or `S4`.
    pub step: &'static str,
    /// The field, in wire names.
    pub path: String,
    /// What the service computes, if it computes a number at all.
    pub server: Option<Decimal>,
    /// What the document says.
    pub document: Decimal,
}

/// The header as the service checks it (S1-S3). It stops at the first group that fails, and so do the sums here.
pub(crate) fn check_header(
    groups: &[Group],
    exempt: Decimal,
    subtotal: Decimal,
    total: Decimal,
) -> Vec<Disagreement> {
    let passed: Vec<&Group> = groups.iter().filter(|group| !is_skipped(group.base, group.rate)).collect();
    let refused = passed.iter().filter(|group| !accepts_tax(group.base, group.rate, group.tax));
    let mut found: Vec<Disagreement> = refused
        .map(|group| disagreement("S1", group.tax_field, tax_cents(group.base, group.rate), group.tax))
        .collect();
    if !found.is_empty() {
        return found;
    }
    let bases = passed.iter().filter(|group| group.in_subtotal).map(|group| group.base);
    let bases: Vec<Decimal> = bases.chain((exempt > Decimal::ZERO).then_some(exempt)).collect();
    if !accepts_subtotal(bases.iter().copied(), subtotal) {
        let sum = bases.iter().fold(0.0, |sum, base| sum + double(*base));
        found.push(disagreement("S3", "subtotal", fixed2(sum), subtotal));
    }
    let taxes: Vec<Decimal> = passed.iter().map(|group| group.tax).collect();
    if !accepts_total(subtotal, taxes.iter().copied(), total) {
        let sum = taxes.iter().fold(0.0, |sum, tax| sum + double(*tax));
        found.push(disagreement("S3", "total", fixed2(double(subtotal) + sum), total));
    }
    found
}

fn disagreement(step: &'static str, path: &str, expected: Option<i128>, document: Decimal) -> Disagreement {
    Disagreement { step, path: path.to_owned(), server: expected.and_then(cents), document }
}

#[cfg(test)]
mod tests {
    use integration_core::tax::money::{line_amount, percent_of};
    use proptest::prelude::*;

    use super::*;

    fn in_cents(value: Option<Decimal>) -> i128 {
        (value.unwrap() * Decimal::ONE_HUNDRED).try_into().unwrap()
    }

    /// The double nearest to `count / 100`: division of exact operands is correctly rounded, as parsing is.
    #[allow(clippy::cast_precision_loss)]
    fn hundredths(count: i64) -> f64 {
        count as f64 / 100.0
    }

    /// All bases 0.01 ... 10 000.00 at one rate: ties, disagreements, the first base that disagrees, and whether all
    /// disagreements end in .50.
    fn count_taxes(rate: u32) -> (u32, u32, Option<i64>, bool) {
        let (mut ties, mut disagreements, mut first, mut halves) = (0, 0, None, true);
        for base in 1..=1_000_000i64 {
            let half_up = (base * i64::from(rate) + 50) / 100;
            ties += u32::from((base * i64::from(rate)) % 100 == 50);
            let product = hundredths(base) * (f64::from(rate) / 100.0);
            if fixed2(product) != Some(half_up.into()) {
                disagreements += 1;
                halves &= base % 100 == 50;
                first = first.or(Some(base));
            }
        }
        (ties, disagreements, first, halves)
    }

    #[test]
    fn the_counted_disagreements_of_the_contract_are_reproduced() {
        assert_eq!(count_taxes(16), (0, 0, None, true));
        assert_eq!(count_taxes(8), (0, 0, None, true));
        assert_eq!(count_taxes(3), (10_000, 7_195, Some(50), true));
        let (ties, disagreements, first, _) = count_taxes(31);
        assert_eq!((ties, disagreements, first), (10_000, 5_239, Some(50)));
        let (ties, disagreements, first, _) = count_taxes(15);
        assert_eq!((ties, disagreements, first), (50_000, 33_366, Some(10)));
    }

    #[test]
    fn the_first_cases_of_the_contract() {
        let cases =
            [(50, 3, 1, 2), (10_050, 3, 301, 302), (12_350, 3, 371, 371), (50, 31, 15, 16), (10, 15, 1, 2)];
        for (base, rate, server, half_up) in cases {
            let (base, rate) = (Decimal::new(base, 2), Decimal::from(rate));
            assert_eq!(tax_cents(base, rate), Some(server), "{base} at {rate}");
            assert_eq!(in_cents(percent_of(base, rate)), half_up, "{base} at {rate}");
        }
    }

    /// Ties and disagreements of S4 over a million prices; the quantity in hundredths.
    fn count_lines(quantity: i64) -> (u32, u32) {
        let factor = hundredths(quantity);
        let (mut ties, mut disagreements) = (0, 0);
        for price in 1..=1_000_000i64 {
            let product = price * quantity;
            ties += u32::from(product % 100 == 50);
            let served = round(hundredths(price) * factor * 100.0);
            #[allow(clippy::float_cmp, clippy::cast_precision_loss)]
            let differs = served != ((product + 50) / 100) as f64;
            disagreements += u32::from(differs);
        }
        (ties, disagreements)
    }

    #[test]
    fn the_counted_line_disagreements_of_the_contract_are_reproduced() {
        assert_eq!(count_lines(50), (500_000, 32_813));
        assert_eq!(count_lines(150), (500_000, 62_621));
        assert_eq!(count_lines(250), (500_000, 70_146));
        assert_eq!(count_lines(25), (250_000, 16_405));
        assert_eq!(count_lines(75), (250_000, 31_311));
    }

    #[test]
    fn whole_quantities_never_disagree() {
        for quantity in 1..=50i64 {
            for price in (1..=100_000i64).step_by(7) {
                let (p, q) = (Decimal::new(price, 2), Decimal::from(quantity));
                assert_eq!(line_cents(p, q, Decimal::ZERO), Some((price * quantity).into()));
            }
        }
    }

    #[test]
    fn the_first_line_cases_of_the_contract() {
        for (price, quantity, server, half_up) in
            [(29, 50, 14, 15), (15, 150, 22, 23), (9, 250, 22, 23), (58, 25, 14, 15), (30, 75, 22, 23)]
        {
            let (price, quantity) = (Decimal::new(price, 2), Decimal::new(quantity, 2));
            assert_eq!(line_cents(price, quantity, Decimal::ZERO), Some(server));
            assert_eq!(in_cents(line_amount(price, quantity, Decimal::ZERO)), half_up);
        }
    }

    proptest! {
        #[test]
        fn a_quotient_is_the_double_that_parsing_gives(digits in -(1_i64 << 54)..1 << 54, scale in 0_u32..=28) {
            let value = Decimal::from_i128_with_scale(digits.into(), scale);
            if let Some(quotient) = exact_quotient(value) {
                prop_assert_eq!(quotient.to_bits(), value.to_string().parse::<f64>().unwrap().to_bits());
            }
            prop_assert_eq!(exact_quotient(value).is_some(), digits.unsigned_abs() <= 1 << 53 && scale <= 22);
        }
    }

    #[test]
    fn cents_are_told_exactly_at_the_edges() {
        assert_eq!(fixed2(0.0), Some(0));
        assert_eq!(fixed2(-0.125), Some(-12));
        assert_eq!(fixed2(0.375), Some(38));
        assert_eq!(fixed2(f64::MIN_POSITIVE), Some(0));
        assert_eq!(fixed2(5e-324), Some(0));
        assert_eq!(fixed2(1e20), Some(10i128.pow(22)));
        assert_eq!(fixed2(1e21), None);
        assert_eq!(fixed2(f64::INFINITY), None);
        assert_eq!(fixed2(43.999_999_999_999_99), Some(4400));
    }
}
