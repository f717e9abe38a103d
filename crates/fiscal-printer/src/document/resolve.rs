//! From what a caller said to a checked document: fields, lines, amounts, and what the service would make of them.
//!
//! Every rule runs, whatever the others found; a value that cannot be read is reported once and what depends on it is left out,
//! so that one slip does not show up as ten faults.

use integration_core::tax::id::Rif;
use integration_core::tax::money::{Exact, decimals, line_amount, percent_of, with_scale};
use integration_core::{Error, Fault, Faults, Severity};
use rust_decimal::Decimal;

use super::builder::{Draft, Findings, Related};
use super::fields;
use super::kind::{Currency, DocumentType};
use super::line::{Line, LineTax, Payment};
use super::numeric::Numeric;
use super::party::{self, Identity};
use super::server::{self, Disagreement, RoundingPolicy};
use super::settled::{
    At, Claim, Path, Settled, amount, equal, in_cents, is_too_large, not_negative, number, settle, signed,
    too_large, usual, usual_amount, zero,
};
use super::totals::{self, EffectiveRates, Totals, not_brought};
use super::{Document, write};
use crate::number::InternalNumber;
use crate::rates::Rates;

/// A draft with every value read and every amount settled.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) draft: Draft,
    pub(crate) kind: DocumentType,
    pub(crate) issuer: Rif,
    pub(crate) number: InternalNumber,
    pub(crate) identity: Identity,
    pub(crate) emails: String,
    pub(crate) phone: String,
    pub(crate) exchange_rate: Decimal,
    pub(crate) lines: Vec<ResolvedLine>,
    pub(crate) payments: Vec<ResolvedPayment>,
    pub(crate) totals: Totals,
}

/// A line with every value read; texts stay in the draft at the same index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResolvedLine {
    pub(crate) price: Decimal,
    pub(crate) quantity: Decimal,
    pub(crate) discount: Decimal,
    pub(crate) rate: Decimal,
    pub(crate) exempt: bool,
    pub(crate) amount: Settled,
    pub(crate) tax: Settled,
}

/// A payment with its value read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResolvedPayment {
    pub(crate) value: Decimal,
    pub(crate) foreign: bool,
}

pub(crate) fn document(mut draft: Draft) -> Result<Document, Error> {
    let found = std::mem::take(&mut draft.found);
    let raised = std::mem::take(&mut draft.raised);
    let mut faults = Faults::new();
    let resolved = resolve(draft, &mut faults);
    let mut faults = together(found, faults);
    // Of amounts that are wrong by our own rules, the service's opinion is no news.
    if let Some(resolved) = resolved.as_ref().filter(|_| !faults.has_errors()) {
        predict(resolved, &mut faults);
    }
    let faults: Vec<Fault> = faults
        .into_vec()
        .into_iter()
        .map(|fault| if raised.contains(fault.rule()) { fault.with_severity(Severity::Error) } else { fault })
        .collect();
    match resolved {
        Some(resolved) if faults.iter().all(|fault| fault.severity() == Severity::Warning) => {
            Ok(Document { resolved, warnings: faults })
        }
        _ => Err(Error::validation("build", faults).with_hint(
            "correct the fields named above, and what you compute from them; `report()` lists all of them",
        )),
    }
}

/// What the reader of a draft found and what the rules found. A field that could not be read is not reported again as missing.
fn together(found: Findings, faults: Faults) -> Faults {
    let mut all = found.faults;
    all.extend(faults.into_vec().into_iter().filter(|fault| !found.unreadable.contains(fault.path())));
    all
}

/// Every rule is run before anything is given up, so that no fault hides another.
fn resolve(draft: Draft, faults: &mut Faults) -> Option<Resolved> {
    let issuer = party::rif(&draft.issuer, "rif", "R1", faults);
    let identity = party::identity(&draft.buyer, faults);
    let emails = header_texts(&draft, faults);
    let phone = phone(&draft.buyer.phone, faults);
    relation(&draft, faults);
    extras(&draft, faults);
    items(&draft, faults);
    let exchange_rate = exchange_rate(&draft, faults);
    let rates = totals::effective_rates(&draft, rates_in_force(&draft, faults), faults);
    let lines = draft.lines.iter().enumerate();
    let lines = all(lines.map(|(index, item)| {
        let item = item.as_ref()?;
        check_texts(item, At::item(index), faults);
        usual_line(&draft, item, &rates).or_else(|| line(&draft, index, item, &rates, faults))
    }));
    let payments = draft.payments.iter().enumerate();
    let payments = all(payments.map(|(index, item)| payment(index, item.as_ref()?, faults)));
    let totals = totals::settle(&draft, &rates, lines.as_deref(), payments.as_deref(), faults);
    Some(Resolved {
        kind: draft.kind?,
        issuer: issuer?,
        number: draft.number.clone()?,
        identity: identity?,
        emails,
        phone,
        exchange_rate: exchange_rate?,
        lines: lines?,
        payments: payments?,
        totals: totals?,
        draft,
    })
}

fn rates_in_force(draft: &Draft, faults: &mut Faults) -> Option<Rates> {
    let rates = draft.rates_in_force().map_err(|error| {
        let hint = "give the rates of the day with `rates`";
        let hint = format!("{}; {hint}", error.message().unwrap_or_default());
        faults.push(Fault::error("R16", "tasag").with_hint(hint));
    });
    rates.ok()
}

/// All or nothing, but every element is looked at, so that each reports its faults.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let mut complete = true;
    let mut seen = Vec::with_capacity(items.size_hint().0);
    for item in items {
        complete &= item.is_some();
        seen.extend(item);
    }
    complete.then_some(seen)
}

fn header_texts(draft: &Draft, faults: &mut Faults) -> String {
    let buyer = &draft.buyer;
    fields::NAME.required(At::HEADER, &buyer.name, faults);
    fields::ADDRESS.required(At::HEADER, &buyer.address, faults);
    let emails = fields::emails(&buyer.emails, fields::EMAIL, faults);
    fields::EMAIL.length(At::HEADER, &emails, faults);
    if emails.is_empty() {
        faults.push(
            Fault::warning("R6", "emailcliente").with_hint("the manual asks for the buyer's e-mail address"),
        );
    }
    for (field, text) in [
        (fields::TRACKING, &draft.tracking_id),
        (fields::BRANCH, &draft.branch),
        (fields::BRANCH_ADDRESS, &draft.branch_address),
        (fields::REMARK, &draft.remark),
        (fields::DUE_DATE, &draft.due_date),
    ] {
        field.optional(At::HEADER, text.as_deref().unwrap_or_default(), faults);
    }
    emails
}

fn phone(given: &str, faults: &mut Faults) -> String {
    fields::PHONE.required(At::HEADER, given, faults);
    party::normalised_phone(given).unwrap_or_else(|| {
        if !given.trim().is_empty() {
            let fault =
                Fault::warning("R8", "telefonocliente").with_expected("58 and ten digits, like 584121234567");
            faults.push(
                fault.with_actual(given).with_hint("it is sent as it is; no text message will reach it"),
            );
        }
        given.to_owned()
    })
}

/// I17, and the remark that notes need.
fn relation(draft: &Draft, faults: &mut Faults) {
    // Without a type nobody can tell what it may refer to.
    let Some(note) = draft.kind.map(DocumentType::is_note) else { return };
    let no_remark = draft.remark.as_deref().unwrap_or_default().trim().is_empty();
    match &draft.related {
        Related::PreviousRegime(text) => return previous_regime(text, note, no_remark, faults),
        Related::Nothing if note => faults.push(
            Fault::error("I17", "relacionado")
                .with_expected("the control number of the invoice, like 00-00000042")
                .with_hint(
                    "a note refers to an issued invoice by its control number, never by the internal one",
                ),
        ),
        Related::Invoice(number) if !note => {
            let fault =
                Fault::error("I17", "relacionado").with_expected("nothing").with_actual(number.as_received());
            faults.push(fault.with_hint("only notes (types 2 and 3) refer to an invoice: leave it out"));
        }
        Related::Nothing | Related::Invoice(_) | Related::Reported => {}
    }
    if note && no_remark {
        faults.push(
            Fault::warning("R30", "observacion")
                .with_hint("the law asks for the reason of a note (PA-00071 arts. 22-24)"),
        );
    }
}

fn previous_regime(text: &str, note: bool, no_remark: bool, faults: &mut Faults) {
    fields::RELATED.required(At::HEADER, text, faults);
    if no_remark {
        let fault = Fault::error("I17", "observacion").with_expected("a text that is not empty");
        faults.push(fault.with_hint("with `regimenanterior` the service asks for a remark (code 20)"));
    }
    if !note {
        let fault = Fault::error("I17", "regimenanterior").with_expected("nothing");
        faults.push(fault.with_hint("only notes (types 2 and 3) refer to an earlier invoice: leave it out"));
    }
}

/// The rule of row 31.
fn items(draft: &Draft, faults: &mut Faults) {
    if draft.lines.is_empty() && !draft.kind.is_none_or(DocumentType::is_note) {
        let hint = "the observed service refuses documents without items (code 10)";
        faults
            .push(Fault::warning("R31", "cuerpofactura").with_expected("at least one item").with_hint(hint));
    }
}

fn extras(draft: &Draft, faults: &mut Faults) {
    draft.extras.check(At::HEADER, &write::HEADER_KEYS, faults);
    for (index, line) in draft.lines.iter().enumerate().filter_map(present) {
        line.extras.check(At::item(index), &write::LINE_KEYS, faults);
    }
    for (index, payment) in draft.payments.iter().enumerate().filter_map(present) {
        payment.extras.check(At::payment(index), &write::PAYMENT_KEYS, faults);
    }
}

fn present<T>((index, item): (usize, &Option<T>)) -> Option<(usize, &T)> {
    Some((index, item.as_ref()?))
}

fn exchange_rate(draft: &Draft, faults: &mut Faults) -> Option<Decimal> {
    let path = "tasadecambio";
    let rate = match &draft.exchange_rate {
        Some(given) => number("R12", path, given, faults)?,
        None => Decimal::ZERO,
    };
    if draft.currency != Currency::Bolivar && rate.is_zero() {
        let fault = Fault::error("I16", path)
            .with_expected("the BCV rate of the day, above 0")
            .with_actual(rate.to_string());
        faults.push(
            fault.with_hint("a document in dollars or euros (tipomoneda 2, 3) shows its rate in bolívars"),
        );
        return None;
    }
    let four = with_scale(rate, 4);
    if four.is_none() {
        let fault =
            Fault::error("I16", path).with_expected("at most 4 decimals").with_actual(rate.to_string());
        faults.push(fault.with_hint("round the rate half-up to 4 decimals once, and store that"));
    }
    four
}

fn check_texts(line: &Line, at: At, faults: &mut Faults) {
    fields::CODE.required(at, &line.code, faults);
    fields::DESCRIPTION.required(at, &line.description, faults);
    fields::COMMENT.optional(at, &line.comment, faults);
}

/// A line whose numbers are in order, which nearly all are: the same rules as [`line`]'s without a word about any of them. Of what is
/// not in order it says nothing, and `line` finds out what it is.
fn usual_line(draft: &Draft, line: &Line, rates: &EffectiveRates) -> Option<ResolvedLine> {
    let (price, quantity) = (usual(&line.price)?, usual(&line.quantity)?);
    let discount = line.discount.as_ref().map_or(Some(zero()), usual_amount)?;
    let missing = line.discount.is_none() || line.claimed_amount.is_none() || line.claimed_tax.is_none();
    let gross = || Exact::from(price).checked_mul(Exact::from(quantity));
    let discounted = discount.is_zero() || gross()? >= Exact::from(discount);
    if (missing && draft.all_claims_required) || quantity.is_zero() || !discounted {
        return None;
    }
    let amount = line_amount(price, quantity, discount).filter(|amount| !is_too_large(*amount))?;
    let rate = match &line.tax {
        LineTax::General => rates.general?,
        LineTax::Reduced => rates.reduced?,
        LineTax::Luxury => rates.luxury?,
        LineTax::Exempt => Decimal::ZERO,
        LineTax::Percent(given) => usual(given)?,
    };
    let exempt = line.exempt.unwrap_or(rate.is_zero());
    let is_rate = |known: Option<Decimal>| known.is_some_and(|known| equal(known, rate));
    let luxury = || draft.luxury && is_rate(rates.luxury);
    let known = rate.is_zero() || is_rate(rates.general) || is_rate(rates.reduced) || luxury();
    let tax = percent_of(amount, rate)?;
    let agrees = |claim: &Option<Numeric>, computed| {
        claim.as_ref().is_none_or(|given| usual_amount(given).is_some_and(|given| equal(given, computed)))
    };
    let right = agrees(&line.claimed_amount, amount) && agrees(&line.claimed_tax, tax);
    let in_order = right && known && exempt == rate.is_zero() && draft.rounding == RoundingPolicy::Fiscal;
    let (amount, tax) = (Settled::same(amount), Settled::same(tax));
    in_order.then_some(ResolvedLine { price, quantity, discount, rate, exempt, amount, tax })
}

fn line(
    draft: &Draft,
    index: usize,
    line: &Line,
    rates: &EffectiveRates,
    faults: &mut Faults,
) -> Option<ResolvedLine> {
    let at = At::item(index);
    // All are read before the first is missed.
    let factors = Factors::read(line, at, faults);
    if line.discount.is_none() && draft.all_claims_required {
        faults.push(not_brought("R39", at.field("descuento")));
    }
    let claimed_amount = claim(draft, "R41", at.field("monto"), line.claimed_amount.as_ref(), faults);
    let claimed_tax = claim(draft, "R38", at.field("impuesto"), line.claimed_tax.as_ref(), faults);
    let rate = line_rate(draft, line, rates, at, faults);
    let computed = factors.and_then(|factors| factors.total(draft.rounding, at, faults));
    let amount =
        settle("I1", at.field("monto"), claimed_amount, computed.map(Settled::same), AMOUNT_HINT, faults);
    let tax = amount.zip(rate).and_then(|(amount, (rate, _))| line_tax(amount, rate, at, faults));
    // Of an exempt line I2 speaks, of a taxed one I3.
    let rule = if rate.is_some_and(|(_, exempt)| exempt) { "I2" } else { "I3" };
    let tax = settle(rule, at.field("impuesto"), claimed_tax, tax, TAX_HINT, faults);
    let (Factors { price, quantity, discount }, (rate, exempt)) = (factors?, rate?);
    Some(ResolvedLine { price, quantity, discount, rate, exempt, amount: amount?, tax: tax? })
}

const AMOUNT_HINT: &str = "monto is precio x cantidad - descuento, rounded half-up to cents, VAT excluded";
const TAX_HINT: &str = "impuesto is monto x tasa / 100, rounded half-up to cents; 0 on an exempt line";

fn claim(
    draft: &Draft,
    rule: &'static str,
    path: impl Path,
    given: Option<&Numeric>,
    faults: &mut Faults,
) -> Claim {
    if given.is_none() && draft.all_claims_required {
        faults.push(not_brought(rule, path));
    }
    Claim::read(rule, path, given, faults)
}

fn line_tax(amount: Settled, rate: Decimal, at: At, faults: &mut Faults) -> Option<Settled> {
    let tax = amount.map(|amount| percent_of(amount, rate));
    if tax.is_none() {
        faults.push(too_long(at.field("tasa")));
    }
    tax
}

fn too_long(path: impl Path) -> Fault {
    Fault::error("I18", path)
        .with_expected("fewer decimals")
        .with_hint("the exact result has more digits than can be held")
}

/// What the amount of a line is computed from.
#[derive(Debug, Clone, Copy)]
struct Factors {
    price: Decimal,
    quantity: Decimal,
    discount: Decimal,
}

impl Factors {
    fn read(line: &Line, at: At, faults: &mut Faults) -> Option<Self> {
        let mut factor = |rule, name: &'static str, value: &Numeric| {
            let number = signed(rule, at.field(name), value, faults)?;
            let hint = "amounts are never negative; a credit note carries its sense in its type";
            let number = not_negative("I4", at.field(name), number, hint, faults)?;
            if name == "descuento" { in_cents(at.field(name), number, faults) } else { Some(number) }
        };
        let price = factor("R35", "precio", &line.price);
        let quantity = factor("R36", "cantidad", &line.quantity);
        let discount = match &line.discount {
            Some(given) => factor("R39", "descuento", given),
            None => Some(Decimal::new(0, 2)),
        };
        Some(Self { price: price?, quantity: quantity?, discount: discount? })
    }

    /// I4 and the amount of I1.
    fn total(self, rounding: RoundingPolicy, at: At, faults: &mut Faults) -> Option<Decimal> {
        let Self { price, quantity, discount } = self;
        if quantity.is_zero() {
            let fault = Fault::error("I4", at.field("cantidad"))
                .with_expected("above 0")
                .with_actual(quantity.to_string());
            faults.push(fault.with_hint("leave the line out, or say how many"));
            return None;
        }
        let gross = Exact::from(price).checked_mul(Exact::from(quantity));
        let (Some(gross), Some(half_up)) = (gross, line_amount(price, quantity, discount)) else {
            faults.push(too_long(at.field("monto")));
            return None;
        };
        if gross < Exact::from(discount) {
            faults.push(discount_too_large(gross, discount, at.field("descuento")));
            return None;
        }
        if is_too_large(half_up) {
            faults.push(too_large(at.field("monto")).with_actual(half_up.to_string()));
            return None;
        }
        match rounding {
            RoundingPolicy::Fiscal => Some(half_up),
            RoundingPolicy::ServerCompatible => Some(self.served(half_up, at, faults)),
        }
    }

    /// The service's cent where it differs, which is told.
    fn served(self, half_up: Decimal, at: At, faults: &mut Faults) -> Decimal {
        let Self { price, quantity, discount } = self;
        let served = server::line_cents(price, quantity, discount).and_then(server::cents);
        let Some(served) = served.filter(|served| *served != half_up) else { return half_up };
        faults.push(taken_from_server("S4", at.field("monto"), half_up, served));
        served
    }
}

fn discount_too_large(gross: Exact, discount: Decimal, path: impl Path) -> Fault {
    let gross = gross.to_decimal().map_or_else(String::new, |gross| format!("at most {gross}"));
    Fault::error("I4", path)
        .with_expected(gross)
        .with_actual(discount.to_string())
        .with_hint("descuento is an amount, at most precio x cantidad; it is not a percentage")
}

/// Tells of a cent that follows the service instead of half-up rounding.
pub(crate) fn taken_from_server(
    step: &'static str,
    path: impl Path,
    half_up: Decimal,
    served: Decimal,
) -> Fault {
    Fault::warning(step, path)
        .with_expected(half_up.to_string())
        .with_actual(served.to_string())
        .with_hint("the service's own value is sent; half-up rounding differs by this cent")
}

/// The percentage of a line and whether it is exempt (I2, I5); `None` if they contradict the document or each other.
fn line_rate(
    draft: &Draft,
    line: &Line,
    rates: &EffectiveRates,
    at: At,
    faults: &mut Faults,
) -> Option<(Decimal, bool)> {
    let rate = match &line.tax {
        LineTax::General => rates.general?,
        LineTax::Reduced => rates.reduced?,
        LineTax::Luxury => rates.luxury?,
        LineTax::Exempt => Decimal::ZERO,
        LineTax::Percent(given) => number("R37", at.field("tasa"), given, faults)?,
    };
    let exempt = line.exempt.unwrap_or(rate.is_zero());
    if exempt != rate.is_zero() {
        let expected = if exempt { "tasa 0 on an exempt line" } else { "exento true where tasa is 0" };
        let fault = Fault::error("I2", at.field("exento"))
            .with_expected(expected)
            .with_actual(format!("exento {exempt}, tasa {rate}"));
        faults.push(
            fault.with_hint("an exempt line has tasa 0 and impuesto 0; 0 % exports go out as exempt lines"),
        );
        return None;
    }
    let mut known = known_rates(draft, rates);
    if rate.is_zero() || known.clone().flatten().any(|known| equal(known, rate)) {
        return Some((rate, exempt));
    }
    // Where a rate of the document cannot be read, this may be it.
    if known.all(|known| known.is_some()) {
        let expected = listed(known_rates(draft, rates).flatten());
        let fault =
            Fault::error("I5", at.field("tasa")).with_expected(expected).with_actual(rate.to_string());
        faults.push(fault.with_hint(rate_hint(draft, rates, rate)));
    }
    None
}

fn known_rates(draft: &Draft, rates: &EffectiveRates) -> impl Iterator<Item = Option<Decimal>> + Clone {
    let known = [rates.reduced, rates.general, rates.luxury];
    known.into_iter().take(if draft.luxury { 3 } else { 2 })
}

fn listed(rates: impl Iterator<Item = Decimal>) -> String {
    let texts = rates.map(|rate| rate.normalize().to_string());
    std::iter::once("0".to_owned()).chain(texts).collect::<Vec<_>>().join(" or ")
}

fn rate_hint(draft: &Draft, rates: &EffectiveRates, rate: Decimal) -> &'static str {
    if !draft.luxury && Some(rate) == rates.luxury {
        "the documented service cannot express the luxury rate; if yours does, allow it with `luxury_rate` (tasaa)"
    } else {
        "a line takes one of the document's rates: tasag, tasar, or 0 if it is exempt"
    }
}

fn payment(index: usize, payment: &Payment, faults: &mut Faults) -> Option<ResolvedPayment> {
    let at = At::payment(index);
    fields::PAYMENT_FORM.required(at, &payment.form, faults);
    let path = at.field("valor");
    let value = amount("R43", path, &payment.value, faults)?;
    if value.is_zero() {
        let fault = Fault::error("R43", path).with_expected("above 0").with_actual(value.to_string());
        faults.push(fault.with_hint("leave the payment out if nothing was paid"));
    }
    Some(ResolvedPayment { value, foreign: payment.foreign })
}

/// What the observed service would refuse with code 4, as warnings; never an error, since it may have changed.
fn predict(resolved: &Resolved, faults: &mut Faults) {
    // Of an empty subtotal I13 speaks.
    let found = server_disagreements(resolved).into_iter();
    for disagreement in found.filter(|found| !(found.path == "subtotal" && found.document.is_zero())) {
        let server = disagreement.server.map_or_else(|| "no number".to_owned(), |value| value.to_string());
        faults.push(
            Fault::warning(disagreement.step, disagreement.path)
                .with_expected(format!("{server} by the service's doubles"))
                .with_actual(disagreement.document.to_string())
                .with_hint("the observed service refuses this amount (code 4); RoundingPolicy::ServerCompatible sends its value"),
        );
    }
    if !resolved.kind.is_note() {
        faults.extend(unprinted_rate(&resolved.lines));
    }
}

fn unprinted_rate(lines: &[ResolvedLine]) -> Option<Fault> {
    let printed = [8, 16, 31].map(Decimal::from);
    let (index, line) = lines
        .iter()
        .enumerate()
        .find(|(_, line)| !line.exempt && !printed.iter().any(|rate| equal(*rate, line.rate)))?;
    let fault = Fault::warning("R37", At::item(index).field("tasa")).with_expected("16, 8, 31 or exempt");
    let hint = "the observed service leaves lines at other rates out of the totals that it prints";
    Some(fault.with_actual(line.rate.to_string()).with_hint(hint))
}

pub(crate) fn server_disagreements(resolved: &Resolved) -> Vec<Disagreement> {
    let totals = &resolved.totals;
    let mut found =
        server::check_header(&totals.server_groups(), totals.exempt, totals.subtotal, totals.total);
    for (index, line) in resolved.lines.iter().enumerate() {
        if !server::accepts_line(line.price, line.quantity, line.discount, line.amount.given) {
            let server = server::line_cents(line.price, line.quantity, line.discount).and_then(server::cents);
            let path = At::item(index).field("monto").into();
            found.push(Disagreement { step: "S4", path, server, document: line.amount.given });
        }
    }
    found
}

/// A price or quantity as it goes out: two decimals at least, all it has beyond.
pub(crate) fn at_least_cents(value: Decimal) -> Decimal {
    let scale = decimals(value).max(2);
    with_scale(value, scale).unwrap_or(value)
}
