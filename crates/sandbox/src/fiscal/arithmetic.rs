//! The amounts as the observed backend checks them (contract 6.2, S1 to S4): IEEE doubles, left to right.
//!
//! The order of the operations is the rule: `base × (rate ÷ 100)` and `base × rate ÷ 100` differ by a cent
//! on half-cent ties, and users meet that difference as a rejection.

use crate::json::Json;

/// A double rounded to two decimals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fixed {
    /// Whole hundredths.
    Cents(i128),
    /// From 10^21 on, where the observed formatting gives up on decimals and the double itself is compared.
    Huge(f64),
    /// Equal to nothing, itself included.
    NotANumber,
}

impl Fixed {
    fn is(self, other: Self) -> bool {
        self != Self::NotANumber && self == other
    }
}

/// `fixed2`: the integer n for which n/100 is nearest to the exact binary value of `x`, ties to the larger n.
pub(super) fn fixed2(x: f64) -> Fixed {
    if x.is_nan() {
        return Fixed::NotANumber;
    }
    if x.abs() >= 1e21 {
        return Fixed::Huge(x);
    }
    let (mantissa, exponent) = parts(x);
    let hundredfold = i128::from(mantissa) * 100 * if x < 0.0 { -1 } else { 1 };
    Fixed::Cents(scaled(hundredfold, exponent))
}

/// The exact value of a finite double's magnitude: mantissa × 2^exponent.
fn parts(x: f64) -> (u64, i32) {
    let bits = x.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    // Eleven bits always fit.
    let biased = i32::try_from((bits >> 52) & 0x7FF).unwrap_or(0);
    match biased {
        0 => (fraction, -1074),
        _ => (fraction | (1 << 52), biased - 1075),
    }
}

/// `value` × 2^`exponent` to the nearest integer, ties to the larger: floor(v + 1/2) in whole numbers.
fn scaled(value: i128, exponent: i32) -> i128 {
    match exponent {
        // |x| < 10^21 keeps the shift under 18 places.
        0.. => value << exponent,
        // |value| < 2^60, so from here on the result is less than a half, and never exactly a half.
        ..=-62 => 0,
        _ => {
            let places = exponent.unsigned_abs();
            (value + (1 << (places - 1))) >> places
        }
    }
}

/// `round` of S4: the nearest integer, ties towards +∞.
fn round(x: f64) -> f64 {
    let floor = x.floor();
    if x - floor >= 0.5 { floor + 1.0 } else { floor }
}

/// A group of base, rate and tax of the header (S1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    General,
    Reduced,
    Luxury,
    Igtf,
}

impl Group {
    /// In the order in which they are checked and summed.
    const ALL: [Self; 4] = [Self::General, Self::Reduced, Self::Luxury, Self::Igtf];
}

/// What is wrong with the amounts of the header; the first fault wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AmountFault {
    Tax(Group),
    Subtotal,
    Total,
}

/// The header's amounts as doubles; absent ones are NaN.
#[derive(Debug)]
pub(super) struct Amounts {
    groups: [(f64, f64, f64); 4],
    exempt: f64,
    subtotal: f64,
    total: f64,
}

impl Amounts {
    /// Reads the header; the IGTF base is given, since its key depends on what is deployed.
    pub(super) fn read(body: &Json, igtf_base: f64) -> Self {
        let num = |key| body.get(key).num();
        Self {
            groups: [
                (num("baseg"), num("tasag"), num("impuestog")),
                (num("baser"), num("tasar"), num("impuestor")),
                (num("basea"), num("tasaa"), num("impuestoa")),
                (igtf_base, num("tasaigtf"), num("impuestoigtf")),
            ],
            exempt: num("exento"),
            subtotal: num("subtotal"),
            total: num("total"),
        }
    }

    /// S1, S2 and S3.
    pub(super) fn check(&self) -> Result<(), AmountFault> {
        let (mut bases, mut taxes) = (0.0, 0.0);
        for (group, (base, rate, tax)) in Group::ALL.into_iter().zip(self.groups) {
            if base > 0.0 && rate > 0.0 {
                tax_is_right(base, rate, tax).then_some(()).ok_or(AmountFault::Tax(group))?;
                taxes += tax;
                bases += if group == Group::Igtf { 0.0 } else { base };
            }
        }
        if self.exempt > 0.0 {
            bases += self.exempt;
        }
        self.sums_are_right(bases, taxes)
    }

    fn sums_are_right(&self, bases: f64, taxes: f64) -> Result<(), AmountFault> {
        let positive = self.subtotal > 0.0;
        if !(positive && fixed2(bases).is(fixed2(self.subtotal))) {
            return Err(AmountFault::Subtotal);
        }
        let total = fixed2(self.subtotal + taxes);
        total.is(fixed2(self.total)).then_some(()).ok_or(AmountFault::Total)
    }
}

fn tax_is_right(base: f64, rate: f64, tax: f64) -> bool {
    fixed2(base * (rate / 100.0)).is(fixed2(tax))
}

/// S4 for one item; an absent operand makes the comparison false.
pub(super) fn item_is_right(item: &Json) -> bool {
    let num = |key| item.get(key).num();
    line_amount(num("precio"), num("cantidad"), num("descuento")) == round(num("monto") * 100.0) / 100.0
}

fn line_amount(price: f64, quantity: f64, discount: f64) -> f64 {
    round((price * quantity - discount) * 100.0) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLION: u64 = 1_000_000;

    fn cents(x: f64) -> i128 {
        match fixed2(x) {
            Fixed::Cents(n) => n,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fixed2_rounds_the_exact_binary_value() {
        assert_eq!(cents(0.125), 13, "an exact tie goes to the larger");
        assert_eq!(cents(1.005), 100, "1.005 is stored as 1.00499…");
        assert_eq!(cents(8.345), 835, "8.345 is stored as 8.3450000000000006…");
        assert_eq!(cents(-0.125), -12);
        assert_eq!(cents(-1.5), -150);
        assert_eq!(cents(0.0), 0);
        assert_eq!(cents(f64::MIN_POSITIVE), 0);
        assert_eq!(cents(5e-324), 0);
        assert_eq!(cents(43.999_999_999_999_99), 4400);
        assert_eq!(cents(1.319_999_999_999_999_8), 132);
        assert_eq!(cents(9.999e20), 99_990_000_000_000_000_000_000);
    }

    #[test]
    fn small_magnitudes_round_to_zero_on_both_sides_of_the_shortcut() {
        for exponent in 1..90 {
            let x = 2_f64.powi(-exponent);
            let expected = (x * 100.0 + 0.5).floor() as i128;
            assert_eq!(cents(x), expected, "2^-{exponent}");
        }
    }

    #[test]
    fn not_a_number_equals_nothing() {
        assert!(!fixed2(f64::NAN).is(fixed2(f64::NAN)));
        assert!(fixed2(1e300).is(fixed2(1e300)));
        assert!(!fixed2(1e300).is(fixed2(f64::INFINITY)));
    }

    #[test]
    fn round_takes_ties_upwards() {
        assert_eq!(round(2.5), 3.0);
        assert_eq!(round(-2.5), -2.0);
        assert_eq!(round(0.499_999_999_999_999_94), 0.0);
        assert_eq!(round(-0.500_000_000_000_000_1), -1.0);
    }

    /// (disagreements with half-up, first of them in cents with both results).
    fn tax_disagreements(rate: u64) -> (usize, Option<(u64, i128, i128)>) {
        let differing = |base: u64| {
            let server = cents(base as f64 / 100.0 * (rate as f64 / 100.0));
            let half_up = i128::from((base * rate * 2 + 100) / 200);
            (server != half_up).then_some((base, server, half_up))
        };
        let mut all = (1..=MILLION).filter_map(differing);
        let first = all.next();
        (all.count() + usize::from(first.is_some()), first)
    }

    #[test]
    fn s1_disagrees_with_half_up_exactly_as_counted() {
        assert_eq!(tax_disagreements(16), (0, None));
        assert_eq!(tax_disagreements(8), (0, None));
        assert_eq!(tax_disagreements(3), (7_195, Some((50, 1, 2))));
        assert_eq!(tax_disagreements(31), (5_239, Some((50, 15, 16))));
        assert_eq!(tax_disagreements(15), (33_366, Some((10, 1, 2))));
    }

    #[test]
    fn s1_named_cases() {
        assert!(tax_is_right(100.5, 3.0, 3.01));
        assert!(tax_is_right(123.5, 3.0, 3.71));
        assert!(!tax_is_right(123.5, 3.0, 3.70));
    }

    /// Quantities in hundredths. (disagreements, first of them in cents).
    fn line_disagreements(quantity: u64) -> (usize, Option<u64>) {
        let differing = |price: &u64| {
            let server = line_amount(*price as f64 / 100.0, quantity as f64 / 100.0, 0.0);
            let half_up = (price * quantity * 2 + 100) / 200;
            server != half_up as f64 / 100.0
        };
        let mut all = (1..=MILLION).filter(differing);
        let first = all.next();
        (all.count() + usize::from(first.is_some()), first)
    }

    #[test]
    fn s4_disagrees_with_half_up_exactly_as_counted() {
        assert_eq!(line_disagreements(50), (32_813, Some(29)));
        assert_eq!(line_disagreements(150), (62_621, Some(15)));
        assert_eq!(line_disagreements(250), (70_146, Some(9)));
        assert_eq!(line_disagreements(25), (16_405, Some(58)));
        assert_eq!(line_disagreements(75), (31_311, Some(30)));
    }

    fn check(json: &str) -> Result<(), AmountFault> {
        let body = Json::parse(json.as_bytes()).unwrap();
        Amounts::read(&body, body.get("baseigtf").num()).check()
    }

    #[test]
    fn the_worked_samples_pass() {
        let vendor = r#"{"exento":10,"baseg":20,"tasag":16,"impuestog":3.2,"baser":10,"tasar":8,"impuestor":0.8,
            "baseigtf":43.99999999999999,"tasaigtf":3,"impuestoigtf":1.3199999999999998,"subtotal":40,"total":45.32}"#;
        assert_eq!(check(vendor), Ok(()));
        let public = r#"{"exento":6650.10,"baseg":328.40,"tasag":16,"impuestog":52.54,"baseigtf":123.15,"tasaigtf":3,
            "impuestoigtf":3.69,"subtotal":"6978.50","total":7034.73}"#;
        assert_eq!(check(public), Ok(()));
    }

    #[test]
    fn the_first_fault_wins() {
        let general = r#"{"baseg":20,"tasag":16,"impuestog":3.21,"baser":10,"tasar":8,"impuestor":9}"#;
        assert_eq!(check(general), Err(AmountFault::Tax(Group::General)));
        assert_eq!(check("{}"), Err(AmountFault::Subtotal));
        assert_eq!(check(r#"{"exento":5,"subtotal":5}"#), Err(AmountFault::Total));
        assert_eq!(check(r#"{"exento":5,"subtotal":5,"total":5}"#), Ok(()));
    }

    #[test]
    fn a_stray_tax_without_a_base_is_ignored_and_then_the_total_fails() {
        let stray = r#"{"exento":5,"baseg":0,"tasag":16,"impuestog":1,"subtotal":5,"total":6}"#;
        assert_eq!(check(stray), Err(AmountFault::Total));
    }

    #[test]
    fn an_item_with_an_absent_operand_fails() {
        let item = |json: &str| item_is_right(&Json::parse(json.as_bytes()).unwrap());
        assert!(item(r#"{"precio":5,"cantidad":2,"descuento":0,"monto":10}"#));
        assert!(!item(r#"{"precio":5,"cantidad":2,"monto":10}"#));
        assert!(!item(r#"{"precio":5,"cantidad":2,"descuento":0}"#));
    }
}
