//! An amount that a caller brought, beside what it must be.
//!
//! Both are carried on, because a slip must be reported once: an amount is a slip of its own only if it agrees neither with the
//! others as they must be nor with the others as they were brought. A total that was computed from a wrong line is wrong as a
//! consequence; a wrong base does not make the right tax below it look wrong. In a document without faults the two are equal.

use integration_core::tax::money::{sum, with_scale};
use integration_core::{Fault, Faults};
use rust_decimal::Decimal;

use super::numeric::{Numeric, Unreadable};

/// Beyond this a double cannot tell cents apart any more: 2^53 cents (assumed limit; the service computes in doubles).
pub(crate) const LARGEST: Decimal = Decimal::from_parts(2_233_382_993, 20_971, 0, false, 0);

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
    pub(crate) fn read(rule: &'static str, path: &str, value: Option<&Numeric>, faults: &mut Faults) -> Self {
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
        let given = if self.given == self.right { right } else { f(self.given)? };
        Some(Self { given, right })
    }

    /// The sums of both, with two decimals at least; `None` if a term is not known.
    pub(crate) fn sum(terms: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        let terms: Vec<Self> = terms.into_iter().collect::<Option<_>>()?;
        let total = |part: fn(&Self) -> Decimal| sum(terms.iter().map(part).chain([zero()]));
        Some(Self { given: total(|term| term.given)?, right: total(|term| term.right)? })
    }

    pub(crate) fn agrees_with(self, amount: Decimal) -> bool {
        amount == self.right || amount == self.given
    }
}

/// Compares what was brought with what is expected, and settles on both.
pub(crate) fn settle(
    rule: &'static str,
    path: &str,
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

pub(crate) fn too_large(path: &str) -> Fault {
    let hint = "the service computes in doubles, which hold no cents beyond 2^53 of them (assumed limit)";
    Fault::error("I18", path).with_expected(format!("at most {LARGEST}")).with_hint(hint)
}

/// Reads a number, or reports once why it cannot be read.
pub(crate) fn number(
    rule: &'static str,
    path: &str,
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
    path: &str,
    value: &Numeric,
    faults: &mut Faults,
) -> Option<Decimal> {
    match &value.0 {
        Ok(decimal) if decimal.abs() > LARGEST => {
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
    path: &str,
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
    path: &str,
    value: &Numeric,
    faults: &mut Faults,
) -> Option<Decimal> {
    let decimal = number(rule, path, value, faults)?;
    in_cents(path, decimal, faults)
}

/// I18.
pub(crate) fn in_cents(path: &str, decimal: Decimal, faults: &mut Faults) -> Option<Decimal> {
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
