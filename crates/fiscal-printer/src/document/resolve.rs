//! From what a caller said to a checked document: fields, lines, amounts, and what the service would make of them.
//!
//! Every rule runs, whatever the others found; a value that cannot be read is reported once and what depends on it is left out,
//! so that one slip does not show up as ten faults.

use integration_core::tax::id::Rif;
use integration_core::tax::money::{decimals, line_amount, percent_of, with_scale};
use integration_core::{Error, Fault, Faults, Severity};
use rust_decimal::Decimal;

use super::builder::{Draft, Related};
use super::fields;
use super::kind::Currency;
use super::line::{Line, LineTax, Payment};
use super::numeric::Numeric;
use super::party::{self, Identity};
use super::server::{self, Disagreement, RoundingPolicy};
use super::totals::{self, Totals};
use super::{Document, write};
use crate::number::InternalNumber;
use crate::rates::Rates;

/// A draft with every value read and every amount settled.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) draft: Draft,
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
    pub(crate) amount: Decimal,
    pub(crate) tax: Decimal,
}

/// A payment with its value read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResolvedPayment {
    pub(crate) value: Decimal,
    pub(crate) foreign: bool,
}

/// Beyond this a double cannot tell cents apart any more: 2^53 cents (assumed limit; the service computes in doubles).
pub(crate) const LARGEST: i64 = 90_071_992_547_409;

pub(crate) fn document(draft: &Draft) -> Result<Document, Error> {
    let mut faults = draft.faults.clone();
    let resolved = resolve(draft, &mut faults);
    if let Some(resolved) = &resolved {
        predict(resolved, &mut faults);
    }
    let faults = raised(faults, &draft.raised);
    match resolved {
        Some(resolved) if !faults.has_errors() => Ok(Document { resolved, warnings: faults.into_vec() }),
        _ => Err(Error::validation("build", faults.into_vec())
            .with_hint("correct the fields named above; `report()` lists all of them")),
    }
}

fn raised(faults: Faults, rules: &[&'static str]) -> Faults {
    let mut result = Faults::new();
    result.extend(faults.into_vec().into_iter().map(|fault| {
        if rules.contains(&fault.rule()) { fault.with_severity(Severity::Error) } else { fault }
    }));
    result
}

fn resolve(draft: &Draft, faults: &mut Faults) -> Option<Resolved> {
    let issuer = issuer(draft, faults);
    let identity = party::identity(&draft.buyer, faults);
    let emails = header_texts(draft, faults);
    let phone = phone(&draft.buyer.phone, faults);
    relation(draft, faults);
    extras(draft, faults);
    let rates = draft.rates_in_force().map_err(|error| {
        let hint = "give the rates of the day with `rates`";
        faults.push(
            Fault::error("R16", "tasag").hint(format!("{}; {hint}", error.message().unwrap_or_default())),
        );
    });
    let exchange_rate = exchange_rate(draft, faults);
    let rates = totals::effective_rates(draft, rates.ok()?, faults);
    let lines =
        all(draft.lines.iter().enumerate().map(|(index, item)| line(draft, index, item, &rates, faults)));
    let payments = all(draft.payments.iter().enumerate().map(|(index, item)| payment(index, item, faults)));
    let totals = totals::settle(draft, &rates, lines.as_deref(), payments.as_deref(), faults);
    Some(Resolved {
        issuer: issuer?,
        number: draft.number.clone()?,
        identity: identity?,
        emails,
        phone,
        exchange_rate: exchange_rate?,
        lines: lines?,
        payments: payments?,
        totals: totals?,
        draft: draft.clone(),
    })
}

/// All or nothing, but every element is looked at, so that each reports its faults.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let seen: Vec<Option<T>> = items.collect();
    seen.into_iter().collect()
}

fn issuer(draft: &Draft, faults: &mut Faults) -> Option<Rif> {
    party::rif(&draft.issuer, "rif", "R1", faults)
}

fn header_texts(draft: &Draft, faults: &mut Faults) -> String {
    let buyer = &draft.buyer;
    fields::NAME.required("", &buyer.name, faults);
    fields::ADDRESS.required("", &buyer.address, faults);
    let emails = fields::emails(&buyer.emails, "R6", "emailcliente", faults);
    fields::EMAIL.optional("", &emails, faults);
    if emails.is_empty() {
        faults.push(
            Fault::warning("R6", "emailcliente").hint("the manual asks for the buyer's e-mail address"),
        );
    }
    for (field, text) in [
        (fields::TRACKING, &draft.tracking_id),
        (fields::BRANCH, &draft.branch),
        (fields::BRANCH_ADDRESS, &draft.branch_address),
        (fields::REMARK, &draft.remark),
        (fields::DUE_DATE, &draft.due_date),
    ] {
        field.optional("", text.as_deref().unwrap_or_default(), faults);
    }
    emails
}

fn phone(given: &str, faults: &mut Faults) -> String {
    fields::PHONE.required("", given, faults);
    party::normalised_phone(given).unwrap_or_else(|| {
        if !given.trim().is_empty() {
            let fault =
                Fault::warning("R8", "telefonocliente").expected("58 and ten digits, like 584121234567");
            faults.push(fault.actual(given).hint("it is sent as it is; no text message will reach it"));
        }
        given.to_owned()
    })
}

fn relation(draft: &Draft, faults: &mut Faults) {
    let note = draft.kind.is_note();
    let no_remark = draft.remark.as_deref().unwrap_or_default().trim().is_empty();
    match &draft.related {
        // A draft read from JSON may lack the number; what was wrong with it is reported by its reader.
        Related::Nothing if note => faults.push(
            Fault::error("I17", "relacionado")
                .expected("the control number of the invoice, like 00-00000042")
                .hint("a note refers to an issued invoice by its control number, never by the internal one"),
        ),
        Related::Invoice(number) if !note => {
            let fault = Fault::error("I17", "relacionado")
                .expected("nothing: only notes (types 2 and 3) refer to an invoice");
            faults.push(fault.actual(number.as_received()));
        }
        Related::PreviousRegime(text) => {
            fields::RELATED.required("", text, faults);
            if no_remark {
                let hint = "with `regimenanterior` the service asks for a remark";
                faults
                    .push(Fault::error("I17", "observacion").expected("a text that is not empty").hint(hint));
            }
            if !note {
                faults.push(
                    Fault::error("I17", "regimenanterior").hint("only notes refer to an earlier invoice"),
                );
            }
        }
        Related::Nothing | Related::Invoice(_) => {}
    }
    if note && no_remark && !matches!(draft.related, Related::PreviousRegime(_)) {
        faults.push(
            Fault::warning("R30", "observacion")
                .hint("the law asks for the reason of a note (PA-00071 arts. 22-24)"),
        );
    }
}

fn extras(draft: &Draft, faults: &mut Faults) {
    draft.extras.check("", &write::HEADER_KEYS, faults);
    for (index, line) in draft.lines.iter().enumerate() {
        line.extras.check(&format!("cuerpofactura[{index}]."), &write::LINE_KEYS, faults);
    }
    for (index, payment) in draft.payments.iter().enumerate() {
        payment.extras.check(&format!("formasdepago[{index}]."), &write::PAYMENT_KEYS, faults);
    }
}

/// Reads a number, or reports once why it cannot be read.
pub(crate) fn number(
    rule: &'static str,
    path: &str,
    value: &Numeric,
    faults: &mut Faults,
) -> Option<Decimal> {
    let decimal = match &value.0 {
        Ok(decimal) => *decimal,
        Err(unreadable) => {
            let fault = Fault::error(rule, path).expected("an exact decimal number");
            let found = unreadable.found.trim_matches('"');
            faults.push(fault.actual(found).hint(unreadable.complaint.clone()));
            return None;
        }
    };
    if decimal.is_sign_negative() && !decimal.is_zero() {
        let hint = "amounts are never negative; a credit note carries its sense in its type";
        faults.push(Fault::error(rule, path).expected("0 or more").actual(decimal.to_string()).hint(hint));
        return None;
    }
    if decimal > Decimal::from(LARGEST) {
        let hint = "the service computes in doubles, which hold no cents beyond 2^53 of them (assumed limit)";
        let fault = Fault::error("I18", path).expected(format!("at most {LARGEST}"));
        faults.push(fault.actual(decimal.to_string()).hint(hint));
        return None;
    }
    Some(decimal)
}

/// Reads an amount: as a number, and with two decimals at most (I18).
pub(crate) fn amount(
    rule: &'static str,
    path: &str,
    value: &Numeric,
    faults: &mut Faults,
) -> Option<Decimal> {
    let decimal = number(rule, path, value, faults)?;
    let cents = with_scale(decimal, 2);
    if cents.is_none() {
        let fault = Fault::error("I18", path).expected("at most 2 decimals").actual(decimal.to_string());
        faults.push(fault.hint("round it half-up to cents; only precio and cantidad may have more decimals"));
    }
    cents
}

fn exchange_rate(draft: &Draft, faults: &mut Faults) -> Option<Decimal> {
    let path = "tasadecambio";
    let rate = match &draft.exchange_rate {
        Some(given) => number("R12", path, given, faults)?,
        None => Decimal::ZERO,
    };
    if draft.currency != Currency::Bolivar && rate.is_zero() {
        let fault =
            Fault::error("I16", path).expected("the BCV rate of the day, above 0").actual(rate.to_string());
        faults
            .push(fault.hint("a document in dollars or euros (tipomoneda 2, 3) shows its rate in bolívars"));
        return None;
    }
    let four = with_scale(rate, 4);
    if four.is_none() {
        let fault = Fault::error("I16", path).expected("at most 4 decimals").actual(rate.to_string());
        faults.push(fault.hint("round the rate half-up to 4 decimals once, and store that"));
    }
    four
}

fn line(
    draft: &Draft,
    index: usize,
    line: &Line,
    rates: &Rates,
    faults: &mut Faults,
) -> Option<ResolvedLine> {
    let at = |name: &str| format!("cuerpofactura[{index}].{name}");
    let prefix = at("");
    fields::CODE.required(&prefix, &line.code, faults);
    fields::DESCRIPTION.required(&prefix, &line.description, faults);
    fields::COMMENT.optional(&prefix, &line.comment, faults);
    let price = number("R35", &at("precio"), &line.price, faults);
    let quantity = number("R36", &at("cantidad"), &line.quantity, faults);
    let discount = match &line.discount {
        Some(given) => amount("R39", &at("descuento"), given, faults),
        None => Some(Decimal::new(0, 2)),
    };
    let rate = line_rate(draft, line, rates, &at, faults);
    if draft.all_claims_required {
        not_brought(line, &at, faults);
    }
    let (price, quantity, discount) = (price?, quantity?, discount?);
    let computed = line_total(draft.rounding, price, quantity, discount, &at, faults)?;
    let amount = claimed("I1", &at("monto"), line.claimed_amount.as_ref(), computed, AMOUNT_HINT, faults)?;
    let (rate, exempt) = rate?;
    let Some(expected) = percent_of(amount, rate) else {
        faults.push(too_large(&at("impuesto")));
        return None;
    };
    // Of an exempt line I2 speaks, of a taxed one I3.
    let rule = if exempt { "I2" } else { "I3" };
    let tax = claimed(rule, &at("impuesto"), line.claimed_tax.as_ref(), expected, TAX_HINT, faults)?;
    Some(ResolvedLine { price, quantity, discount, rate, exempt, amount, tax })
}

/// In verify-only mode the amounts of an item must be there too: the service reads an absent one as no number (S4).
fn not_brought(line: &Line, at: &impl Fn(&str) -> String, faults: &mut Faults) {
    let amounts = [
        ("R38", "impuesto", &line.claimed_tax),
        ("R39", "descuento", &line.discount),
        ("R41", "monto", &line.claimed_amount),
    ];
    for (rule, name, _) in amounts.into_iter().filter(|(_, _, given)| given.is_none()) {
        faults.push(Fault::error(rule, at(name)).expected("an amount").hint(totals::NOT_BROUGHT));
    }
}

const AMOUNT_HINT: &str = "monto is precio x cantidad - descuento, rounded half-up to cents, VAT excluded";
const TAX_HINT: &str = "impuesto is monto x tasa / 100, rounded half-up to cents";

/// A value that a caller brought, compared with what it must be; or the latter.
fn claimed(
    rule: &'static str,
    path: &str,
    given: Option<&Numeric>,
    expected: Decimal,
    hint: &'static str,
    faults: &mut Faults,
) -> Option<Decimal> {
    let Some(given) = given else { return Some(expected) };
    let given = amount(rule, path, given, faults)?;
    if given != expected {
        let fault = Fault::error(rule, path).expected(expected.to_string()).actual(given.to_string());
        faults.push(fault.hint(hint));
    }
    Some(given)
}

pub(crate) fn too_large(path: &str) -> Fault {
    Fault::error("I18", path).hint("the result has more digits than an amount can hold")
}

/// I4 and the amount of I1.
fn line_total(
    rounding: RoundingPolicy,
    price: Decimal,
    quantity: Decimal,
    discount: Decimal,
    at: &impl Fn(&str) -> String,
    faults: &mut Faults,
) -> Option<Decimal> {
    if quantity.is_zero() {
        faults.push(Fault::error("I4", at("cantidad")).expected("above 0").actual(quantity.to_string()));
    }
    let Some(exact) = line_amount(price, quantity, discount) else {
        faults.push(too_large(&at("monto")));
        return None;
    };
    if discount_exceeds(price, quantity, discount) {
        let hint = "descuento is an amount, at most precio x cantidad; it is not a percentage";
        faults.push(Fault::error("I4", at("descuento")).actual(discount.to_string()).hint(hint));
        return None;
    }
    if exact > Decimal::from(LARGEST) {
        faults.push(too_large(&at("monto")));
        return None;
    }
    let served = server::line_cents(price, quantity, discount).and_then(server::cents);
    match (rounding, served) {
        (RoundingPolicy::ServerCompatible, Some(served)) if served != exact => {
            faults.push(taken_from_server("S4", &at("monto"), exact, served));
            Some(served)
        }
        _ => Some(exact),
    }
}

fn discount_exceeds(price: Decimal, quantity: Decimal, discount: Decimal) -> bool {
    use integration_core::tax::money::Exact;
    let gross = Exact::from(price).checked_mul(Exact::from(quantity));
    gross.is_none_or(|gross| gross < Exact::from(discount))
}

/// Tells of a cent that follows the service instead of half-up rounding.
pub(crate) fn taken_from_server(step: &'static str, path: &str, half_up: Decimal, served: Decimal) -> Fault {
    Fault::warning(step, path)
        .expected(half_up.to_string())
        .actual(served.to_string())
        .hint("the service's own value is sent; half-up rounding differs by this cent")
}

/// The percentage of a line and whether it is exempt (I2, I5).
fn line_rate(
    draft: &Draft,
    line: &Line,
    rates: &Rates,
    at: &impl Fn(&str) -> String,
    faults: &mut Faults,
) -> Option<(Decimal, bool)> {
    let rate = match &line.tax {
        LineTax::General => rates.general,
        LineTax::Reduced => rates.reduced,
        LineTax::Luxury => rates.luxury,
        LineTax::Exempt => Decimal::ZERO,
        LineTax::Percent(given) => number("R37", &at("tasa"), given, faults)?,
    };
    let exempt = line.exempt.unwrap_or(rate.is_zero());
    if exempt != rate.is_zero() {
        let expected = if exempt { "tasa 0 on an exempt line" } else { "exento true where tasa is 0" };
        let fault = Fault::error("I2", at("exento"))
            .expected(expected)
            .actual(format!("exento {exempt}, tasa {rate}"));
        faults
            .push(fault.hint("an exempt line has tasa 0 and impuesto 0; 0 % exports go out as exempt lines"));
    }
    if !known_rate(draft, rates, rate) {
        let fault =
            Fault::error("I5", at("tasa")).expected(known_rates(draft, rates)).actual(rate.to_string());
        faults.push(fault.hint(rate_hint(draft, rates, rate)));
    }
    Some((rate, exempt))
}

fn known_rate(draft: &Draft, rates: &Rates, rate: Decimal) -> bool {
    rate.is_zero() || rate == rates.general || rate == rates.reduced || (draft.luxury && rate == rates.luxury)
}

fn known_rates(draft: &Draft, rates: &Rates) -> String {
    let luxury = if draft.luxury { format!(" or {}", rates.luxury.normalize()) } else { String::new() };
    format!("0, {} or {}{luxury}", rates.reduced.normalize(), rates.general.normalize())
}

fn rate_hint(draft: &Draft, rates: &Rates, rate: Decimal) -> &'static str {
    if !draft.luxury && rate == rates.luxury {
        "the documented service cannot express the luxury rate; if yours does, allow it with `luxury_rate` (tasaa)"
    } else {
        "a line takes one of the document's rates"
    }
}

fn payment(index: usize, payment: &Payment, faults: &mut Faults) -> Option<ResolvedPayment> {
    let prefix = format!("formasdepago[{index}].");
    fields::PAYMENT_FORM.required(&prefix, &payment.form, faults);
    let path = format!("{prefix}valor");
    let value = amount("R43", &path, &payment.value, faults)?;
    if value.is_zero() {
        faults.push(Fault::error("R43", path).expected("above 0").actual(value.to_string()));
    }
    Some(ResolvedPayment { value, foreign: payment.foreign })
}

/// What the observed service would refuse with code 4, as warnings; never an error, since it may have changed.
fn predict(resolved: &Resolved, faults: &mut Faults) {
    for disagreement in server_disagreements(resolved) {
        let server = disagreement.server.map_or_else(|| "no number".to_owned(), |value| value.to_string());
        faults.push(
            Fault::warning(disagreement.step, disagreement.path)
                .expected(format!("{server} by the service's doubles"))
                .actual(disagreement.document.to_string())
                .hint("the observed service refuses this amount (code 4); RoundingPolicy::ServerCompatible sends its value"),
        );
    }
    let printed = [0, 8, 16, 31].map(Decimal::from);
    let odd = |line: &ResolvedLine| !line.exempt && !printed.contains(&line.rate);
    if !resolved.draft.kind.is_note() && resolved.lines.iter().any(odd) {
        let hint = "the observed service prints totals of lines at 16, 8 and 31 percent or exempt only";
        faults.push(Fault::warning("R37", "cuerpofactura[].tasa").hint(hint));
    }
}

pub(crate) fn server_disagreements(resolved: &Resolved) -> Vec<Disagreement> {
    let totals = &resolved.totals;
    let mut found =
        server::check_header(&totals.server_groups(), totals.exempt, totals.subtotal, totals.total);
    for (index, line) in resolved.lines.iter().enumerate() {
        if !server::accepts_line(line.price, line.quantity, line.discount, line.amount) {
            let server = server::line_cents(line.price, line.quantity, line.discount).and_then(server::cents);
            let path = format!("cuerpofactura[{index}].monto");
            found.push(Disagreement { step: "S4", path, server, document: line.amount });
        }
    }
    found
}

/// A price or quantity as it goes out: two decimals at least, all it has beyond.
pub(crate) fn at_least_cents(value: Decimal) -> Decimal {
    let scale = decimals(value).max(2);
    with_scale(value, scale).unwrap_or(value)
}
