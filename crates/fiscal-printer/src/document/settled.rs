//! An amount that a caller brought, beside what it must be.
//!
//! Both are carried on, because a slip must be reported once: an amount is a slip of its own only if it agrees neither with the
//! others as they must be nor with the others as they were brought. A total that was computed from a wrong line is wrong as a
//! consequence; a wrong base does not make the right tax below it look wrong. In a document without faults the two are equal.

use std::fmt;

use integration_core::tax::money::{Exact, with_scale};
use integration_core::{Fault, Faults};
use rust_decimal::Decimal;

use super::numeric::{Numeric, Unreadable};

/// Beyond this a double cannot tell cents apart any more: 2^53 cents (assumed limit; the service computes in doubles).
pub(crate) const LARGEST: Decimal = Decimal::from_parts(2_233_382_993, 20_971, 0, false, 0);

/// [`LARGEST`] in whole units: what has no more units than this, whatever its decimals, is not larger.
const LARGEST_UNITS: u128 = 90_071_992_547_409;

/// A field's name in a fault, written out only where there is a fault: a document has hundreds of fields and hardly ever one.
pub(crate) trait Path: Copy + Into<String> {}

impl<T: Copy + Into<String>> Path for T {}

/// The header, or an element of one of its arrays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    array: &'static str,
    index: usize,
}

impl At {
    pub(crate) const HEADER: Self = Self { array: "", index: 0 };

    pub(crate) const fn item(index: usize) -> Self {
        Self { array: "cuerpofactura", index }
    }

    pub(crate) const fn payment(index: usize) -> Self {
        Self { array: "formasdepago", index }
    }

    pub(crate) const fn field(self, name: &'static str) -> Place {
        Place { at: self, name }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.array.is_empty() { Ok(()) } else { write!(f, "{}[{}].", self.array, self.index) }
    }
}

/// A field of the header or of an element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    at: At,
    name: &'static str,
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        format!("{}{}", place.at, place.name)
    }
}

/// A number with nothing unusual about it: not below zero, and as it stands far from [`LARGEST`]. For everything else there are
/// [`number`] and [`amount`], which know what to say of it.
#[inline(always)]
pub(crate) fn usual(value: &Numeric) -> Option<Decimal> {
    let number = *value.0.as_ref().ok()?;
    let parts = number.unpack();
    // 20,971 x 2^32 are somewhat fewer than LARGEST_UNITS.
    (!parts.negative && parts.hi == 0 && parts.mid < 20_971).then_some(number)
}

/// As [`usual`], with two decimals.
#[inline(always)]
pub(crate) fn usual_amount(value: &Numeric) -> Option<Decimal> {
    let number = usual(value)?;
    if number.scale() == 2 { Some(number) } else { with_scale(number, 2) }
}

/// Whether two decimals are equal in value. Of the same scale they are if their digits are, which is nearly always so here.
#[inline(always)]
pub(crate) fn equal(left: Decimal, right: Decimal) -> bool {
    let (one, other) = (left.unpack(), right.unpack());
    if one.scale == other.scale && one.negative == other.negative {
        return (one.hi, one.mid, one.lo) == (other.hi, other.mid, other.lo);
    }
    left == right
}

/// Whether it is above [`LARGEST`], without its sign.
pub(crate) fn is_too_large(value: Decimal) -> bool {
    value.mantissa().unsigned_abs() > LARGEST_UNITS && value.abs() > LARGEST
}

/// What a caller said about one amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing: it is computed.
    Absent,
    /// Something that cannot be read, which was reported.
    Unreadable,
    /// An amount, which is verified.
    Given(Decimal),
}

impl Claim {
    /// Reads an amount that was brought, if one was.
    pub(crate) fn read(
        rule: &'static str,
        path: impl Path,
        value: Option<&Numeric>,
        faults: &mut Faults,
    ) -> Self {
        match value.map(|value| amount(rule, path, value, faults)) {
            None => Self::Absent,
            Some(None) => Self::Unreadable,
            Some(Some(amount)) => Self::Given(amount),
        }
    }
}

/// An amount as it goes out and as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) given: Decimal,
    pub(crate) right: Decimal,
}

impl Settled {
    pub(crate) const fn same(amount: Decimal) -> Self {
        Self { given: amount, right: amount }
    }

    /// `f` of both.
    pub(crate) fn map(self, f: impl Fn(Decimal) -> Option<Decimal>) -> Option<Self> {
        let right = f(self.right)?;
        let given = if equal(self.given, self.right) { right } else { f(self.given)? };
        Some(Self { given, right })
    }

    /// The sums of both, with two decimals at least; `None` if a term is not known.
    pub(crate) fn sum(terms: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        let (mut given, mut right) = (Exact::from(zero()), Exact::from(zero()));
        for term in terms {
            let term = term?;
            given = given.checked_add(term.given.into())?;
            right = right.checked_add(term.right.into())?;
        }
        Some(Self { given: given.to_decimal()?, right: right.to_decimal()? })
    }

    pub(crate) fn agrees_with(self, amount: Decimal) -> bool {
        equal(amount, self.right) || equal(amount, self.given)
    }
}

/// Compares what was brought with what is expected, and settles on both.
pub(crate) fn settle(
    rule: &'static str,
    path: impl Path,
    claim: Claim,
    expected: Option<Settled>,
    hint: &'static str,
    faults: &mut Faults,
) -> Option<Settled> {
    let Claim::Given(given) = claim else {
        // What cannot be read does not keep the amounts that follow from it from being checked.
        return expected.map(|expected| match claim {
            Claim::Unreadable => Settled::same(expected.right),
            _ => expected,
        });
    };
    let Some(expected) = expected else { return Some(Settled::same(given)) };
    if !expected.agrees_with(given) {
        let fault = Fault::error(rule, path).with_expected(expected.right.to_string());
        faults.push(fault.with_actual(given.to_string()).with_hint(hint));
    }
    Some(Settled { given, right: expected.right })
}

pub(crate) fn zero() -> Decimal {
    Decimal::new(0, 2)
}

pub(crate) fn too_large(path: impl Path) -> Fault {
    let hint = "the service computes in doubles, which hold no cents beyond 2^53 of them (assumed limit)";
    Fault::error("I18", path).with_expected(format!("at most {LARGEST}")).with_hint(hint)
}

/// Reads a number, or reports once why it cannot be read.
pub(crate) fn number(
    rule: &'static str,
    path: impl Path,
    value: &Numeric,
    faults: &mut Faults,
) -> Option<Decimal> {
    let hint = "amounts are never negative; a credit note carries its sense in its type";
    let number = signed(rule, path, value, faults)?;
    not_negative(rule, path, number, hint, faults)
}

/// As [`number`], below zero too.
pub(crate) fn signed(
    rule: &'static str,
    path: impl Path,
    value: &Numeric,
    faults: &mut Faults,
) -> Option<Decimal> {
    match &value.0 {
        Ok(decimal) if is_too_large(*decimal) => {
            faults.push(too_large(path).with_actual(decimal.to_string()));
            None
        }
        Ok(decimal) => Some(*decimal),
        Err(Unreadable::Reported) => None,
        Err(Unreadable::Text { found, complaint }) => {
            let fault = Fault::error(rule, path).with_expected("an exact decimal number");
            faults.push(fault.with_actual(found).with_hint(complaint.clone()));
            None
        }
    }
}

pub(crate) fn not_negative(
    rule: &'static str,
    path: impl Path,
    number: Decimal,
    hint: &'static str,
    faults: &mut Faults,
) -> Option<Decimal> {
    if number.is_sign_negative() && !number.is_zero() {
        let fault = Fault::error(rule, path).with_expected("0 or more").with_actual(number.to_string());
        faults.push(fault.with_hint(hint));
        return None;
    }
    Some(number)
}

/// Reads an amount: as a number, and with two decimals at most (I18).
pub(crate) fn amount(
    rule: &'static str,
    path: impl Path,
    value: &Numeric,
    faults: &mut Faults,
) -> Option<Decimal> {
    let decimal = number(rule, path, value, faults)?;
    in_cents(path, decimal, faults)
}

/// I18.
pub(crate) fn in_cents(path: impl Path, decimal: Decimal, faults: &mut Faults) -> Option<Decimal> {
    let cents = with_scale(decimal, 2);
    if cents.is_none() {
        let fault =
            Fault::error("I18", path).with_expected("at most 2 decimals").with_actual(decimal.to_string());
        faults.push(
            fault.with_hint("round it half-up to cents; only precio and cantidad may have more decimals"),
        );
    }
    cents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(value: i64) -> Decimal {
        Decimal::new(value, 2)
    }

    fn settled(claim: Claim, expected: Settled) -> (Option<Settled>, usize) {
        let mut faults = Faults::new();
        let settled = settle("I11", "subtotal", claim, Some(expected), "", &mut faults);
        (settled, faults.as_slice().len())
    }

    #[test]
    fn the_limit_is_two_to_the_53_cents() {
        assert_eq!(LARGEST, Decimal::from(90_071_992_547_409_i64));
        assert_eq!(LARGEST_UNITS, 90_071_992_547_409);
        let one_more = Decimal::new(9_007_199_254_740_901, 2);
        assert_eq!(
            [LARGEST, cents(9_007_199_254_740_900), one_more, -one_more].map(is_too_large),
            [false, false, true, true]
        );
    }

    #[test]
    fn a_consequence_of_a_slip_is_no_slip() {
        let after_slip = Settled { given: cents(4100), right: cents(4000) };
        assert_eq!(settled(Claim::Given(cents(4100)), after_slip), (Some(after_slip), 0));
        assert_eq!(settled(Claim::Given(cents(4000)), after_slip).1, 0);
        assert_eq!(settled(Claim::Given(cents(4200)), after_slip).1, 1);
        assert_eq!(settled(Claim::Absent, after_slip), (Some(after_slip), 0));
        assert_eq!(settled(Claim::Unreadable, after_slip), (Some(Settled::same(cents(4000))), 0));
    }
}
