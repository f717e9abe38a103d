//! The amounts of the header: computed from lines and payments, or brought by the caller and verified (contract 6.1).
//!
//! One rule for both: an amount that was brought is compared with what it must be, given the others as they must be and as they
//! were brought (see [`settled`]). So each slip is reported once, with the right value, and none hides another.

use integration_core::tax::money::{percent_of, sum};
use integration_core::{Fault, Faults};
use rust_decimal::Decimal;

use super::builder::Draft;
use super::header::{HeaderAmount, HeaderAmount as H};
use super::resolve::{ResolvedLine, ResolvedPayment, taken_from_server};
use super::server::{self, Group, RoundingPolicy};
use super::settled::{self, Claim, Path, Settled, equal, is_too_large, number, too_large, zero};
use crate::rates::Rates;

/// A rate in percent, the base it applies to and the tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("alicuota", "alícuota"))]
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
#[doc(alias = "totales")]
pub struct Totals {
    /// `subtotal`: before taxes.
    pub subtotal: Decimal,
    /// `exento`: untaxed.
    #[doc(alias = "exento")]
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

    /// One of them by name; `None` for the luxury group where the document has none.
    #[must_use]
    pub fn get(&self, name: HeaderAmount) -> Option<Decimal> {
        let amount = match name {
            H::Subtotal => self.subtotal,
            H::Exempt => self.exempt,
            H::GeneralRate => self.general.rate,
            H::GeneralBase => self.general.base,
            H::GeneralTax => self.general.tax,
            H::ReducedRate => self.reduced.rate,
            H::ReducedBase => self.reduced.base,
            H::ReducedTax => self.reduced.tax,
            H::LuxuryRate => self.luxury?.rate,
            H::LuxuryBase => self.luxury?.base,
            H::LuxuryTax => self.luxury?.tax,
            H::IgtfRate => self.igtf.rate,
            H::IgtfBase => self.igtf.base,
            H::IgtfTax => self.igtf.tax,
            H::Total => self.total,
        };
        Some(amount)
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

/// The rates that the document goes by: those brought, else those in force; `None` where one cannot be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EffectiveRates {
    pub(crate) general: Option<Decimal>,
    pub(crate) reduced: Option<Decimal>,
    /// Also there where the document does not allow it, to recognise a line that takes it.
    pub(crate) luxury: Option<Decimal>,
    pub(crate) igtf: Option<Decimal>,
}

pub(crate) fn effective_rates(draft: &Draft, in_force: Option<Rates>, faults: &mut Faults) -> EffectiveRates {
    let mut rate = |name: H, of: fn(Rates) -> Decimal| effective_rate(draft, name, in_force.map(of), faults);
    EffectiveRates {
        general: rate(H::GeneralRate, |rates| rates.general),
        reduced: rate(H::ReducedRate, |rates| rates.reduced),
        luxury: if draft.luxury {
            rate(H::LuxuryRate, |rates| rates.luxury)
        } else {
            in_force.map(|rates| rates.luxury)
        },
        igtf: rate(H::IgtfRate, |rates| rates.igtf),
    }
}

fn effective_rate(draft: &Draft, name: H, in_force: Option<Decimal>, faults: &mut Faults) -> Option<Decimal> {
    let path = name.wire_name();
    let claim = draft.claims.get(&name);
    if claim.is_none() {
        missing(draft, name, faults);
    }
    let rate = match claim {
        Some(given) => number(name.row(), path, given, faults)?,
        None => in_force?,
    };
    if !is_percentage(rate) {
        let fault =
            Fault::error(name.row(), path).with_expected("a percentage, like 16, not a fraction like 0.16");
        faults.push(
            fault
                .with_actual(rate.to_string())
                .with_hint("write percent: 16 for 16 %, 0 where there is no tax"),
        );
        return None;
    }
    if let Some(other) = in_force.filter(|in_force| *in_force != rate && draft.rates.is_none()) {
        let fault = Fault::warning(name.row(), path).with_expected(other.normalize().to_string());
        faults.push(
            fault
                .with_actual(rate.to_string())
                .with_hint("the rate in force by the built-in table is another"),
        );
    }
    Some(rate)
}

fn is_percentage(rate: Decimal) -> bool {
    rate.is_zero() || (Decimal::ONE..=Decimal::ONE_HUNDRED).contains(&rate)
}

/// In verify-only mode an amount that the manual requires must be there.
fn missing(draft: &Draft, name: H, faults: &mut Faults) {
    if draft.all_claims_required && (draft.luxury || !name.is_luxury()) {
        faults.push(not_brought(name.row(), name.wire_name()));
    }
}

pub(crate) fn not_brought(rule: &'static str, path: impl Path) -> Fault {
    let hint = "in verify-only mode every amount that the manual requires must be brought";
    Fault::error(rule, path).with_expected("an amount").with_hint(hint)
}

/// In the order of [`HeaderAmount::ALL`], which is that of the names themselves.
type Claims = [Claim; H::ALL.len()];

/// Reads every amount of the header that was brought, so that one that cannot be read hides no other.
fn claims(draft: &Draft, faults: &mut Faults) -> Claims {
    let mut claims = [Claim::Absent; H::ALL.len()];
    for (name, value) in &draft.claims {
        if name.is_luxury() && !draft.luxury {
            let fault = Fault::error("LUXURY", name.wire_name()).with_expected("nothing");
            faults.push(fault.with_hint(
                "the documented service has no luxury group; if yours does, allow it with `luxury_rate`",
            ));
        } else if !name.is_rate() {
            let read = Claim::read(name.row(), name.wire_name(), Some(value), faults);
            claims.get_mut(*name as usize).into_iter().for_each(|claim| *claim = read);
        }
    }
    claims
}

/// Settles every amount of the header. `None` for lines or payments means that some of them cannot be read.
pub(crate) fn settle(
    draft: &Draft,
    rates: &EffectiveRates,
    lines: Option<&[ResolvedLine]>,
    payments: Option<&[ResolvedPayment]>,
    faults: &mut Faults,
) -> Option<Totals> {
    let claims = claims(draft, faults);
    let lines = lines.map(|lines| LineSums::of(lines, rates));
    let mut ledger = Ledger { draft, rates, lines, claims, faults };
    let general = ledger.vat_group([H::GeneralBase, H::GeneralTax], rates.general, |lines| lines.general);
    let reduced = ledger.vat_group([H::ReducedBase, H::ReducedTax], rates.reduced, |lines| lines.reduced);
    let luxury = draft
        .luxury
        .then(|| ledger.vat_group([H::LuxuryBase, H::LuxuryTax], rates.luxury, |lines| lines.luxury));
    let exempt = ledger.exempt();
    let vat: Vec<OpenGroup> = [Some(general), Some(reduced), luxury].into_iter().flatten().collect();
    let bases = Settled::sum(vat.iter().map(|group| group.base).chain([exempt]));
    let subtotal = ledger.settled(H::Subtotal, "I11", bases, SUBTOTAL_HINT);
    ledger.positive(subtotal);
    let taxed = Settled::sum(vat.iter().map(|group| group.tax).chain([subtotal]));
    let igtf = ledger.igtf(taxed, payments);
    let total = ledger.settled(H::Total, "I12", Settled::sum([taxed, igtf.tax]), TOTAL_HINT);
    ledger.paid(total, payments);
    let luxury = match luxury {
        Some(group) => Some(group.closed()?),
        None => None,
    };
    Some(Totals {
        subtotal: subtotal?.given,
        exempt: exempt?.given,
        general: general.closed()?,
        reduced: reduced.closed()?,
        luxury,
        igtf: igtf.closed()?,
        total: total?.given,
    })
}

const BASE_HINT: &str = "the base is the sum of monto of the lines at this rate";
const TAX_HINT: &str = "the tax is base x rate / 100, rounded half-up to cents once, on the base";
const EXEMPT_HINT: &str = "exento is the sum of monto of the exempt lines";
const IGTF_HINT: &str = "the IGTF is its base x tasaigtf / 100, rounded half-up to cents";
const SUBTOTAL_HINT: &str =
    "subtotal is baseg + baser (+ basea) + exento, before taxes; the IGTF base is no part of it";
const TOTAL_HINT: &str = "total is subtotal + impuestog + impuestor (+ impuestoa) + impuestoigtf";

/// A group whose amounts may not all be known.
#[derive(Debug, Clone, Copy)]
struct OpenGroup {
    rate: Option<Decimal>,
    base: Option<Settled>,
    tax: Option<Settled>,
}

impl OpenGroup {
    fn closed(self) -> Option<TaxGroup> {
        Some(TaxGroup { rate: self.rate?, base: self.base?.given, tax: self.tax?.given })
    }
}

/// What the lines of a group add up to, in cents: amounts as they go out and as they must be, and taxes. Every amount of a line has
/// two decimals and is at most [`LARGEST`](settled::LARGEST), so far more lines than a document may have cannot overflow.
#[derive(Debug, Clone, Copy, Default)]
struct LineSum {
    given: i128,
    right: i128,
    taxes: i128,
}

impl LineSum {
    fn add(&mut self, line: &ResolvedLine) {
        self.given = self.given.saturating_add(line.amount.given.mantissa());
        self.right = self.right.saturating_add(line.amount.right.mantissa());
        self.taxes = self.taxes.saturating_add(line.tax.right.mantissa());
    }

    fn amounts(self) -> Option<Settled> {
        Some(Settled { given: server::cents(self.given)?, right: server::cents(self.right)? })
    }

    fn taxes(self) -> Option<Decimal> {
        server::cents(self.taxes)
    }
}

/// The lines by group, gone through once.
#[derive(Default)]
struct LineSums {
    are_none: bool,
    general: LineSum,
    reduced: LineSum,
    luxury: LineSum,
    exempt: LineSum,
}

impl LineSums {
    fn of(lines: &[ResolvedLine], rates: &EffectiveRates) -> Self {
        let mut sums = Self { are_none: lines.is_empty(), ..Self::default() };
        for line in lines {
            sums.group_of(line, rates).into_iter().for_each(|sum| sum.add(line));
        }
        sums
    }

    /// Were two groups to share a rate, its lines belong to the first of them only.
    fn group_of(&mut self, line: &ResolvedLine, rates: &EffectiveRates) -> Option<&mut LineSum> {
        let at = |rate: Option<Decimal>| rate.is_some_and(|rate| equal(line.rate, rate));
        if line.exempt {
            Some(&mut self.exempt)
        } else if at(rates.general) {
            Some(&mut self.general)
        } else if at(rates.reduced) {
            Some(&mut self.reduced)
        } else {
            at(rates.luxury).then_some(&mut self.luxury)
        }
    }
}

/// The header under way.
struct Ledger<'d> {
    draft: &'d Draft,
    rates: &'d EffectiveRates,
    lines: Option<LineSums>,
    claims: Claims,
    faults: &'d mut Faults,
}

impl Ledger<'_> {
    fn claim(&self, name: H) -> Claim {
        self.claims.get(name as usize).copied().unwrap_or(Claim::Absent)
    }

    /// The amount that was brought, compared with `expected`; or `expected`.
    fn settled(
        &mut self,
        name: H,
        rule: &'static str,
        expected: Option<Settled>,
        hint: &'static str,
    ) -> Option<Settled> {
        let (path, claim) = (name.wire_name(), self.claim(name));
        if claim == Claim::Absent {
            missing(self.draft, name, self.faults);
        }
        if expected.is_some_and(|expected| is_too_large(expected.right)) {
            self.faults.push(too_large(path));
            return None;
        }
        settled::settle(rule, path, claim, expected, hint, self.faults)
    }

    /// Sum of the amounts of a group's lines; without lines, whatever was brought.
    fn line_sum(&self, name: H, sums: fn(&LineSums) -> LineSum) -> Option<Settled> {
        let lines = self.lines.as_ref()?;
        if lines.are_none && self.claim(name) != Claim::Absent {
            return None;
        }
        sums(lines).amounts()
    }

    fn vat_group(
        &mut self,
        [base_name, tax_name]: [H; 2],
        rate: Option<Decimal>,
        sums: fn(&LineSums) -> LineSum,
    ) -> OpenGroup {
        let expected = rate.and_then(|_| self.line_sum(base_name, sums));
        let base = self.settled(base_name, "I6", expected, BASE_HINT);
        let computed = self.tax(tax_name, base, rate);
        let rule = if is_zero(base) { "I19" } else { "I8" };
        let tax = self.settled(tax_name, rule, computed, TAX_HINT);
        self.drift(tax_name, tax, sums);
        OpenGroup { rate, base, tax }
    }

    /// The tax by the document's rounding policy.
    fn tax(&mut self, name: H, base: Option<Settled>, rate: Option<Decimal>) -> Option<Settled> {
        let (base, rate) = (base?, rate?);
        let policy = self.draft.rounding;
        let Some(tax) = base.map(|base| tax_by(policy, base, rate)) else {
            let hint = "the rate has more digits than a tax can be computed with";
            self.faults.push(Fault::error("I18", name.wire_name()).with_hint(hint));
            return None;
        };
        if let Some(half_up) = percent_of(base.right, rate).filter(|half_up| *half_up != tax.right) {
            self.faults.push(taken_from_server("S1", name.wire_name(), half_up, tax.right));
        }
        Some(tax)
    }

    /// The taxes of the lines, each rounded on its own, need not add up to the tax of the base; the latter wins.
    fn drift(&mut self, name: H, tax: Option<Settled>, sums: fn(&LineSums) -> LineSum) {
        let Some(lines) = self.lines.as_ref().filter(|lines| !lines.are_none) else { return };
        let (Some(tax), Some(of_lines)) = (tax, sums(lines).taxes()) else { return };
        if of_lines != tax.right {
            let fault = Fault::warning("I8", name.wire_name()).with_expected(tax.right.to_string());
            let fault = fault.with_actual(format!("{of_lines} as the sum of the lines"));
            self.faults
                .push(fault.with_hint("the tax on the base is the right one; lines are rounded one by one"));
        }
    }

    fn exempt(&mut self) -> Option<Settled> {
        let expected = self.line_sum(H::Exempt, |lines| lines.exempt);
        self.settled(H::Exempt, "I7", expected, EXEMPT_HINT)
    }

    /// I13, which the service asks of every type though guides carry no amounts by law.
    fn positive(&mut self, subtotal: Option<Settled>) {
        use super::kind::DocumentType::{CreditNote, DebitNote, Invoice};
        let Some(subtotal) = subtotal.filter(|subtotal| subtotal.given.is_zero() && subtotal.right.is_zero())
        else {
            return;
        };
        let fault = match self.draft.kind {
            Some(Invoice | DebitNote | CreditNote) => Fault::error("I13", "subtotal"),
            _ => Fault::warning("I13", "subtotal"),
        };
        let hint = "the observed service refuses every document without amounts (code 4)";
        self.faults
            .push(fault.with_expected("above 0").with_actual(subtotal.given.to_string()).with_hint(hint));
    }

    fn igtf(&mut self, taxed: Option<Settled>, payments: Option<&[ResolvedPayment]>) -> OpenGroup {
        let (rate, policy) = (self.rates.igtf, self.draft.rounding);
        let derived = payments.zip(taxed).zip(rate).and_then(|((payments, taxed), rate)| {
            foreign_base(payments, taxed.right, |base| tax_by(policy, base, rate))
        });
        let base = match self.claim(H::IgtfBase) {
            Claim::Given(base) => Some(base),
            Claim::Unreadable => None,
            Claim::Absent => {
                missing(self.draft, H::IgtfBase, self.faults);
                let marked = payments.map(|payments| payments.iter().any(|payment| payment.foreign));
                if marked == Some(false) { Some(zero()) } else { derived }
            }
        };
        self.igtf_base(base, taxed, derived);
        let base = base.map(Settled::same);
        let computed = self.tax(H::IgtfTax, base, rate);
        let rule = if is_zero(base) { "I19" } else { "I9" };
        let tax = self.settled(H::IgtfTax, rule, computed, IGTF_HINT);
        OpenGroup { rate, base, tax }
    }

    /// I10 and I15.
    fn igtf_base(&mut self, base: Option<Decimal>, taxed: Option<Settled>, derived: Option<Decimal>) {
        let Some(base) = base else { return };
        if let Some(taxed) = taxed.filter(|taxed| base > taxed.right && base > taxed.given) {
            let fault = Fault::error("I10", "baseigft").with_expected(format!("at most {}", taxed.right));
            let fault = fault.with_actual(base.to_string());
            self.faults.push(fault.with_hint("the IGTF is levied on what was paid, at most subtotal + VAT"));
        }
        if let Some(derived) = derived.filter(|derived| *derived != base) {
            let fault = Fault::warning("I15", "baseigft")
                .with_expected(derived.to_string())
                .with_actual(base.to_string());
            self.faults.push(fault.with_hint(
                "payments marked as foreign currency, the IGTF itself left out, give another base",
            ));
        }
    }

    /// I14.
    fn paid(&mut self, total: Option<Settled>, payments: Option<&[ResolvedPayment]>) {
        let paid =
            payments.and_then(|payments| sum(payments.iter().map(|payment| payment.value).chain([zero()])));
        let (Some(paid), Some(total)) = (paid, total) else { return };
        if !total.agrees_with(paid) {
            let fault = Fault::warning("I14", "formasdepago")
                .with_expected(total.right.to_string())
                .with_actual(paid.to_string());
            self.faults.push(
                fault.with_hint(
                    "payments need not cover a sale on credit; otherwise they add up to the total",
                ),
            );
        }
    }
}

fn is_zero(amount: Option<Settled>) -> bool {
    amount.is_some_and(|amount| amount.given.is_zero())
}

/// The tax on a base by a rounding policy.
fn tax_by(policy: RoundingPolicy, base: Decimal, rate: Decimal) -> Option<Decimal> {
    let half_up = percent_of(base, rate)?;
    let served = match policy {
        RoundingPolicy::Fiscal => None,
        RoundingPolicy::ServerCompatible => server::tax_cents(base, rate).and_then(server::cents),
    };
    Some(served.unwrap_or(half_up))
}

/// The IGTF base that the payments tell: what was paid in foreign currency, without the IGTF itself (I15). `None` if no
/// payment is marked.
///
/// Whether the IGTF was paid in foreign currency too is told by the sums: if all payments add up with everything foreign as
/// base, it was not; if they add up with the IGTF taken out of the foreign part, it was.
fn foreign_base(
    payments: &[ResolvedPayment],
    taxed: Decimal,
    tax: impl Fn(Decimal) -> Option<Decimal>,
) -> Option<Decimal> {
    let foreign = sum(payments.iter().filter(|payment| payment.foreign).map(|payment| payment.value))?;
    if !payments.iter().any(|payment| payment.foreign) {
        return None;
    }
    let whole = foreign.min(taxed);
    let paid = sum(payments.iter().map(|payment| payment.value))?;
    let igtf_paid = paid.checked_sub(taxed)?;
    if tax(whole) == Some(igtf_paid) {
        return Some(whole);
    }
    let without = foreign.checked_sub(igtf_paid)?;
    let consistent = igtf_paid > Decimal::ZERO && tax(without) == Some(igtf_paid);
    Some(if consistent { without } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pay(value: i64, foreign: bool) -> ResolvedPayment {
        ResolvedPayment { value: Decimal::new(value, 2), foreign }
    }

    #[test]
    fn every_name_has_its_place() {
        assert!(H::ALL.into_iter().enumerate().all(|(place, name)| place == name as usize));
    }

    #[test]
    fn the_igtf_itself_is_left_out_of_its_base() {
        let three = Decimal::from(3);
        let taxed = Decimal::new(4400, 2);
        let base = |payments: &[ResolvedPayment]| {
            foreign_base(payments, taxed, |base| percent_of(base, three)).map(|base| base.to_string())
        };
        assert_eq!(base(&[pay(4400, true), pay(132, false)]).as_deref(), Some("44.00"));
        assert_eq!(base(&[pay(4532, true)]).as_deref(), Some("44.00"));
        assert_eq!(base(&[pay(2000, true), pay(2460, false)]).as_deref(), Some("20.00"));
        assert_eq!(base(&[pay(2060, true), pay(2400, false)]).as_deref(), Some("20.00"));
        assert_eq!(base(&[pay(4400, false)]), None);
    }
}
