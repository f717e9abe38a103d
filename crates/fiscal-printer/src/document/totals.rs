//! The amounts of the header: computed from lines and payments, or brought by the caller and verified (contract 6.1).
//!
//! One rule for both: an amount that was brought is compared with what it must be **given the others as they were brought**,
//! and kept for the next comparison. So each wrong amount is reported once, and none hides another.

use integration_core::tax::money::{percent_of, sum};
use integration_core::{Fault, Faults};
use rust_decimal::Decimal;

use super::builder::Draft;
use super::header::HeaderAmount as H;
use super::resolve::{LARGEST, ResolvedLine, ResolvedPayment, amount, number, taken_from_server, too_large};
use super::server::{self, Group, RoundingPolicy};
use crate::rates::Rates;

/// A rate in percent, the base it applies to and the tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaxGroup {
    /// Percent.
    pub rate: Decimal,
    /// Amount with two decimals, in the document's currency.
    pub base: Decimal,
    /// Amount with two decimals, in the document's currency.
    pub tax: Decimal,
}

/// All amounts of a document, in its currency, with two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// `subtotal`: before taxes.
    pub subtotal: Decimal,
    /// `exento`: untaxed.
    pub exempt: Decimal,
    /// General VAT.
    pub general: TaxGroup,
    /// Reduced VAT.
    pub reduced: TaxGroup,
    /// Luxury VAT, where the document allows it.
    pub luxury: Option<TaxGroup>,
    /// IGTF.
    pub igtf: TaxGroup,
    /// `total` of the operation, taxes included.
    pub total: Decimal,
}

impl Totals {
    /// VAT of all groups.
    #[must_use]
    pub fn vat(&self) -> Decimal {
        let luxury = self.luxury.map_or(Decimal::ZERO, |group| group.tax);
        sum([self.general.tax, self.reduced.tax, luxury]).unwrap_or_default()
    }

    /// The groups in the order in which the service checks them.
    pub(crate) fn server_groups(&self) -> Vec<Group> {
        let group = |tax_field, group: TaxGroup, in_subtotal| Group {
            tax_field,
            base: group.base,
            rate: group.rate,
            tax: group.tax,
            in_subtotal,
        };
        let mut groups = vec![group("impuestog", self.general, true), group("impuestor", self.reduced, true)];
        groups.extend(self.luxury.map(|luxury| group("impuestoa", luxury, true)));
        groups.push(group("impuestoigtf", self.igtf, false));
        groups
    }
}

/// The rates that the document goes by: those brought, else those in force.
pub(crate) fn effective_rates(draft: &Draft, in_force: Rates, faults: &mut Faults) -> Rates {
    let mut rate = |name: H, in_force: Decimal| claimed_rate(draft, name, in_force, faults);
    Rates {
        general: rate(H::GeneralRate, in_force.general),
        reduced: rate(H::ReducedRate, in_force.reduced),
        luxury: rate(H::LuxuryRate, in_force.luxury),
        igtf: rate(H::IgtfRate, in_force.igtf),
    }
}

fn claimed_rate(draft: &Draft, name: H, in_force: Decimal, faults: &mut Faults) -> Decimal {
    let path = name.wire_name();
    let Some(given) = draft.claims.get(&name) else {
        missing(draft, name, faults);
        return in_force;
    };
    let Some(rate) = number(name.row(), path, given, faults) else { return in_force };
    if rate > Decimal::ONE_HUNDRED || (rate > Decimal::ZERO && rate < Decimal::ONE) {
        let fault =
            Fault::error(name.row(), path).expected("a percentage, like 16, not a fraction like 0.16");
        faults.push(fault.actual(rate.to_string()));
    } else if rate != in_force && draft.rates.is_none() {
        let fault = Fault::warning(name.row(), path).expected(in_force.normalize().to_string());
        faults
            .push(fault.actual(rate.to_string()).hint("the rate in force by the built-in table is another"));
    }
    rate
}

pub(crate) const NOT_BROUGHT: &str =
    "in verify-only mode every amount that the manual requires must be brought";

/// In verify-only mode an amount that the manual requires must be there.
fn missing(draft: &Draft, name: H, faults: &mut Faults) {
    if draft.all_claims_required && (draft.luxury || !name.is_luxury()) {
        faults.push(Fault::error(name.row(), name.wire_name()).expected("an amount").hint(NOT_BROUGHT));
    }
}

/// Settles every amount of the header. `None` for lines or payments means that some of them cannot be read.
pub(crate) fn settle(
    draft: &Draft,
    rates: &Rates,
    lines: Option<&[ResolvedLine]>,
    payments: Option<&[ResolvedPayment]>,
    faults: &mut Faults,
) -> Option<Totals> {
    let mut ledger = Ledger { draft, rates, lines, faults };
    let general = ledger.vat_group(H::GeneralRate, H::GeneralBase, H::GeneralTax, rates.general);
    let reduced = ledger.vat_group(H::ReducedRate, H::ReducedBase, H::ReducedTax, rates.reduced);
    let luxury =
        draft.luxury.then(|| ledger.vat_group(H::LuxuryRate, H::LuxuryBase, H::LuxuryTax, rates.luxury));
    let exempt = ledger.exempt();
    let luxury = match luxury {
        Some(group) => Some(group?),
        None => None,
    };
    let (general, reduced, exempt) = (general?, reduced?, exempt?);
    let groups = [Some(general), Some(reduced), luxury];
    let bases = sum(groups.iter().flatten().map(|group| group.base).chain([exempt]));
    let subtotal = ledger.settled(
        H::Subtotal,
        "I11",
        bases,
        "subtotal is baseg + baser (+ basea) + exento; the IGTF base is no part of it",
    )?;
    ledger.positive(subtotal);
    let vat = sum(groups.iter().flatten().map(|group| group.tax));
    let taxed = vat.and_then(|vat| sum([subtotal, vat]))?;
    let igtf = ledger.igtf(taxed, payments)?;
    let total = sum([taxed, igtf.tax]);
    let total = ledger.settled(H::Total, "I12", total, "total is subtotal + all VAT + impuestoigtf")?;
    ledger.paid(total, payments);
    Some(Totals { subtotal, exempt, general, reduced, luxury, igtf, total })
}

/// The header under way.
struct Ledger<'d> {
    draft: &'d Draft,
    rates: &'d Rates,
    lines: Option<&'d [ResolvedLine]>,
    faults: &'d mut Faults,
}

impl Ledger<'_> {
    /// The amount that was brought, compared with `expected`; or `expected`.
    fn settled(
        &mut self,
        name: H,
        rule: &'static str,
        expected: Option<Decimal>,
        hint: &'static str,
    ) -> Option<Decimal> {
        let path = name.wire_name();
        let Some(given) = self.draft.claims.get(&name) else {
            missing(self.draft, name, self.faults);
            let fits = expected.filter(|expected| *expected <= Decimal::from(LARGEST));
            if fits.is_none() && self.lines.is_some() {
                self.faults.push(too_large(path));
            }
            return fits;
        };
        let given = amount(name.row(), path, given, self.faults)?;
        if let Some(expected) = expected.filter(|expected| *expected != given) {
            let fault = Fault::error(rule, path).expected(expected.to_string()).actual(given.to_string());
            self.faults.push(fault.hint(hint));
        }
        Some(given)
    }

    /// Sum of the amounts of the lines that `belongs` picks; without lines, whatever was brought.
    fn line_sum(&self, name: H, belongs: impl Fn(&ResolvedLine) -> bool) -> Option<Decimal> {
        let lines = self.lines?;
        if lines.is_empty() {
            return if self.draft.claims.contains_key(&name) { None } else { Some(zero()) };
        }
        sum(lines.iter().filter(|line| belongs(line)).map(|line| line.amount).chain([zero()]))
    }

    fn vat_group(&mut self, rate_name: H, base_name: H, tax_name: H, rate: Decimal) -> Option<TaxGroup> {
        // Were two groups to share a rate, its lines belong to the first of them only.
        let first = self.first_group_of(rate) == rate_name;
        let belongs = |line: &ResolvedLine| first && !line.exempt && line.rate == rate;
        let expected = self.line_sum(base_name, belongs);
        let base = self.settled(
            base_name,
            "I6",
            expected,
            "the base is the sum of monto of the lines at this rate",
        )?;
        let tax = self.tax(tax_name, base, rate)?;
        let rule = if base.is_zero() { "I19" } else { "I8" };
        let tax = self.settled(
            tax_name,
            rule,
            Some(tax),
            "the tax is base x rate / 100, rounded half-up to cents once, on the base",
        )?;
        self.drift(tax_name, tax, belongs);
        Some(TaxGroup { rate, base, tax })
    }

    fn first_group_of(&self, rate: Decimal) -> H {
        if rate == self.rates.general {
            H::GeneralRate
        } else if rate == self.rates.reduced {
            H::ReducedRate
        } else {
            H::LuxuryRate
        }
    }

    /// The tax by the document's rounding policy.
    fn tax(&mut self, name: H, base: Decimal, rate: Decimal) -> Option<Decimal> {
        let Some(half_up) = percent_of(base, rate) else {
            self.faults.push(too_large(name.wire_name()));
            return None;
        };
        let served = server::tax_cents(base, rate).and_then(server::cents);
        match (self.draft.rounding, served) {
            (RoundingPolicy::ServerCompatible, Some(served)) if served != half_up => {
                self.faults.push(taken_from_server("S1", name.wire_name(), half_up, served));
                Some(served)
            }
            _ => Some(half_up),
        }
    }

    /// The taxes of the lines, each rounded on its own, need not add up to the tax of the base; the latter wins.
    fn drift(&mut self, name: H, tax: Decimal, belongs: impl Fn(&ResolvedLine) -> bool) {
        let lines = self.lines.unwrap_or_default();
        let of_lines = sum(lines.iter().filter(|line| belongs(line)).map(|line| line.tax));
        if let Some(of_lines) = of_lines.filter(|of_lines| !lines.is_empty() && *of_lines != tax) {
            let fault = Fault::warning("I8", name.wire_name()).expected(tax.to_string());
            let fault = fault.actual(format!("{of_lines} as the sum of the lines"));
            self.faults
                .push(fault.hint("the tax on the base is the right one; lines are rounded one by one"));
        }
    }

    fn exempt(&mut self) -> Option<Decimal> {
        let expected = self.line_sum(H::Exempt, |line| line.exempt);
        self.settled(H::Exempt, "I7", expected, "exento is the sum of monto of the exempt lines")
    }

    /// I13, which the service asks of every type though guides carry no amounts by law.
    fn positive(&mut self, subtotal: Decimal) {
        if subtotal > Decimal::ZERO {
            return;
        }
        use super::kind::DocumentType::{CreditNote, DebitNote, Invoice};
        let fault = match self.draft.kind {
            Invoice | DebitNote | CreditNote => Fault::error("I13", "subtotal"),
            _ => Fault::warning("I13", "subtotal"),
        };
        let hint = "the observed service refuses every document without amounts (code 4)";
        self.faults.push(fault.expected("above 0").actual(subtotal.to_string()).hint(hint));
    }

    fn igtf(&mut self, taxed: Decimal, payments: Option<&[ResolvedPayment]>) -> Option<TaxGroup> {
        let rate = self.rates.igtf;
        let derived = payments.and_then(|payments| foreign_base(payments, taxed, rate));
        let base = match self.draft.claims.get(&H::IgtfBase) {
            Some(given) => amount("R23", "baseigft", given, self.faults)?,
            None => {
                missing(self.draft, H::IgtfBase, self.faults);
                derived.unwrap_or_else(zero)
            }
        };
        self.igtf_base(base, taxed, derived);
        let tax = self.tax(H::IgtfTax, base, rate)?;
        let rule = if base.is_zero() { "I19" } else { "I9" };
        let tax = self.settled(
            H::IgtfTax,
            rule,
            Some(tax),
            "the IGTF is its base x tasaigtf / 100, rounded half-up to cents",
        )?;
        Some(TaxGroup { rate, base, tax })
    }

    /// I10 and I15.
    fn igtf_base(&mut self, base: Decimal, taxed: Decimal, derived: Option<Decimal>) {
        if base > taxed {
            let fault =
                Fault::error("I10", "baseigft").expected(format!("at most {taxed}")).actual(base.to_string());
            self.faults.push(fault.hint("the IGTF is levied on what was paid, at most subtotal + VAT"));
        }
        if let Some(derived) = derived.filter(|derived| *derived != base) {
            let fault =
                Fault::warning("I15", "baseigft").expected(derived.to_string()).actual(base.to_string());
            self.faults
                .push(fault.hint(
                    "payments marked as foreign currency, the IGTF itself left out, give another base",
                ));
        }
    }

    /// I14 and the rule of row 31.
    fn paid(&mut self, total: Decimal, payments: Option<&[ResolvedPayment]>) {
        let paid =
            payments.and_then(|payments| sum(payments.iter().map(|payment| payment.value).chain([zero()])));
        if let Some(paid) = paid.filter(|paid| *paid != total) {
            let fault =
                Fault::warning("I14", "formasdepago").expected(total.to_string()).actual(paid.to_string());
            self.faults.push(
                fault.hint("payments need not cover a sale on credit; otherwise they add up to the total"),
            );
        }
        if self.draft.lines.is_empty() && !self.draft.kind.is_note() {
            let hint = "the observed service refuses documents without items (code 10)";
            self.faults.push(Fault::warning("R31", "cuerpofactura").expected("at least one item").hint(hint));
        }
    }
}

fn zero() -> Decimal {
    Decimal::new(0, 2)
}

/// The IGTF base that the payments tell: what was paid in foreign currency, without the IGTF itself (I15). `None` if no
/// payment is marked.
///
/// Whether the IGTF was paid in foreign currency too is told by the sums: if all payments add up with everything foreign as
/// base, it was not; if they add up with the IGTF taken out of the foreign part, it was.
fn foreign_base(payments: &[ResolvedPayment], taxed: Decimal, rate: Decimal) -> Option<Decimal> {
    let foreign = sum(payments.iter().filter(|payment| payment.foreign).map(|payment| payment.value))?;
    if !payments.iter().any(|payment| payment.foreign) {
        return None;
    }
    let whole = foreign.min(taxed);
    let paid = sum(payments.iter().map(|payment| payment.value))?;
    let igtf_paid = paid.checked_sub(taxed)?;
    if percent_of(whole, rate) == Some(igtf_paid) {
        return Some(whole);
    }
    let without = foreign.checked_sub(igtf_paid)?;
    let consistent = igtf_paid > Decimal::ZERO && percent_of(without, rate) == Some(igtf_paid);
    Some(if consistent { without } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pay(value: i64, foreign: bool) -> ResolvedPayment {
        ResolvedPayment { value: Decimal::new(value, 2), foreign }
    }

    #[test]
    fn the_igtf_itself_is_left_out_of_its_base() {
        let three = Decimal::from(3);
        let taxed = Decimal::new(4400, 2);
        let base =
            |payments: &[ResolvedPayment]| foreign_base(payments, taxed, three).map(|base| base.to_string());
        assert_eq!(base(&[pay(4400, true), pay(132, false)]).as_deref(), Some("44.00"));
        assert_eq!(base(&[pay(4532, true)]).as_deref(), Some("44.00"));
        assert_eq!(base(&[pay(2000, true), pay(2460, false)]).as_deref(), Some("20.00"));
        assert_eq!(base(&[pay(2060, true), pay(2400, false)]).as_deref(), Some("20.00"));
        assert_eq!(base(&[pay(4400, false)]), None);
    }
}
