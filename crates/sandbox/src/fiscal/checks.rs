//! The checks of `/facturacion` in the order of the observed backend (contract, section 5): first fault wins.
//!
//! The order is what clients must be able to rely on when they decide whether a rejected number is free again,
//! so it stands here as four lists, one for each stretch between two points of no return.

use super::arithmetic::{AmountFault, Amounts, Group, item_is_right};
use super::ledger::{Key, Ledger};
use super::reply::Reply;
use super::settings::Settings;
use crate::json::Json;

/// A document on its way through the checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) body: &'a Json,
    /// Whether the token enforces internal numbers.
    pub(super) enforced: bool,
    pub(super) ledger: &'a Ledger,
    pub(super) settings: &'a Settings,
}

type Verdict = Result<(), Reply>;
/// One check; a stretch is a list of them.
pub(super) type Check = fn(&Case<'_>) -> Verdict;

/// Codes 12 to 10; nothing has happened yet.
pub(super) const BEFORE_NUMBER: &[Check] = &[
    numbers_left,
    buyer_identity,
    buyer_name,
    address,
    phone,
    currency,
    exchange_rate,
    amounts,
    related_given,
    related_known,
    items_given,
];
/// Codes 7, 8 and 9; a control number has been drawn.
pub(super) const BEFORE_INSERT: &[Check] = &[internal_given, internal_unused, internal_next, storable];
/// Codes 4 and 14; the document has been inserted and is rolled back.
pub(super) const BEFORE_COMMIT: &[Check] = &[item_amounts, payment_forms];
/// Rendering; the document exists, whatever comes now.
pub(super) const AFTER_COMMIT: &[Check] = &[comments];

impl Case<'_> {
    /// Runs one stretch; the first fault wins.
    pub(super) fn pass(&self, checks: &[Check]) -> Verdict {
        checks.iter().try_for_each(|check| check(self))
    }

    /// `idtipodocumento` by strict comparison: a string is no note, and no invoice either.
    fn is_type(&self, types: &[f64]) -> bool {
        types.contains(&self.body.get("idtipodocumento").strict_num())
    }

    fn is_note(&self) -> bool {
        self.is_type(&[2.0, 3.0])
    }

    fn required(&self, key: &str, code: u32, message: &str) -> Verdict {
        unless(self.body.get(key).is_falsy(), code, message)
    }
}

fn unless(wrong: bool, code: u32, message: &str) -> Verdict {
    if wrong { Err(Reply::Rejected(code, message.to_owned())) } else { Ok(()) }
}

fn numbers_left(case: &Case<'_>) -> Verdict {
    unless(case.ledger.is_exhausted(), 12, "No tiene numeros de control disponibles")
}

fn buyer_identity(case: &Case<'_>) -> Verdict {
    case.required("rifcedulacliente", 2, "El rif o cedula del cliente es requerido")
}

fn buyer_name(case: &Case<'_>) -> Verdict {
    case.required("nombrecliente", 2, "El nombre del cliente es requerido")
}

fn address(case: &Case<'_>) -> Verdict {
    case.required("direccioncliente", 21, "La direccion del cliente es requerida")
}

fn phone(case: &Case<'_>) -> Verdict {
    case.required("telefonocliente", 22, "El telefono del cliente es requerido")
}

/// An absent currency, or a zero sent as a number, reads as bolívars; a zero sent as text does not.
fn currency_of(body: &Json) -> f64 {
    let sent = body.get("tipomoneda");
    if sent.is_falsy() { 1.0 } else { sent.num() }
}

fn currency(case: &Case<'_>) -> Verdict {
    let known = [1.0, 2.0, 3.0].contains(&currency_of(case.body));
    unless(!known, 24, "El tipo de moneda no es valido")
}

fn exchange_rate(case: &Case<'_>) -> Verdict {
    let given = case.settings.spelling.exchange_rate(case.body).num() > 0.0;
    unless(currency_of(case.body) > 1.0 && !given, 23, "La tasa de cambio no es valida")
}

fn amounts(case: &Case<'_>) -> Verdict {
    let igtf_base = case.settings.spelling.igtf_base(case.body).num();
    Amounts::read(case.body, igtf_base)
        .check()
        .map_err(|fault| Reply::Rejected(4, amount_message(fault).into()))
}

fn amount_message(fault: AmountFault) -> &'static str {
    match fault {
        AmountFault::Tax(Group::General) => "El impuesto general esta mal calculado",
        AmountFault::Tax(Group::Reduced) => "El impuesto reducido esta mal calculado",
        AmountFault::Tax(Group::Luxury) => "El impuesto al lujo esta mal calculado",
        AmountFault::Tax(Group::Igtf) => "El IGTF esta mal calculado",
        AmountFault::Subtotal => "El subtotal esta mal calculado",
        AmountFault::Total => "El total esta mal calculado",
    }
}

fn related_given(case: &Case<'_>) -> Verdict {
    let missing = case.is_note() && case.body.get("relacionado").is_falsy();
    unless(missing, 5, "El numero de documento relacionado es requerido")
}

/// `regimenanterior` lifts the look-up, and asks for a remark instead.
fn related_known(case: &Case<'_>) -> Verdict {
    if !case.is_note() {
        return Ok(());
    }
    if case.body.get("regimenanterior").num() == 1.0 {
        return case.required("observacion", 20, "La observacion es requerida");
    }
    let known = case.ledger.has_control(case.body.get("relacionado").spelled());
    unless(!known, 11, "El documento relacionado no existe")
}

/// The length of `cuerpofactura` is read for every type, so its absence is an exception and not a rejection.
fn items_given(case: &Case<'_>) -> Verdict {
    let Json::Array(items) = case.body.get("cuerpofactura") else {
        return Err(Reply::Exception("cannot read the length of cuerpofactura"));
    };
    let missing = items.is_empty() && case.is_type(&[1.0, 4.0, 5.0]);
    unless(missing, 10, "El cuerpo de la factura es requerido")
}

fn internal_given(case: &Case<'_>) -> Verdict {
    let missing = case.enforced && case.body.get("numerointerno").is_falsy();
    unless(missing, 7, "El numero interno es requerido")
}

fn internal_unused(case: &Case<'_>) -> Verdict {
    let used = Key::read(case.body).is_some_and(|key| case.ledger.has_internal(&key));
    unless(case.enforced && used, 8, "El numero interno ya existe para este tipo de documento")
}

/// The first number of a type is free, every later one is the numerically largest plus one.
fn internal_next(case: &Case<'_>) -> Verdict {
    let highest = Key::type_of(case.body).and_then(|kind| case.ledger.highest_internal(kind));
    let Some(highest) = highest.filter(|_| case.enforced) else { return Ok(()) };
    let sent = Key::read(case.body).and_then(|key| key.number());
    let message = format!("El numero interno no es consecutivo, el ultimo es {highest}");
    unless(sent != highest.checked_add(1), 9, &message)
}

/// The columns that the insert writes must be numeric even when nothing enforces the sequence.
fn storable(case: &Case<'_>) -> Verdict {
    let key = Key::read(case.body).ok_or(Reply::Exception("idtipodocumento is not an integer"))?;
    key.number().map(drop).ok_or(Reply::Exception("numerointerno is not numeric"))
}

fn item_amounts(case: &Case<'_>) -> Verdict {
    case.body.get("cuerpofactura").items().iter().try_for_each(|item| {
        if item.is_missing() {
            return Err(Reply::Exception("cannot read the fields of an item"));
        }
        unless(!item_is_right(item), 4, "El monto de un item esta mal calculado")
    })
}

/// Having no payment at all is accepted: code 13 is disabled in the snapshot.
fn payment_forms(case: &Case<'_>) -> Verdict {
    case.body.get("formasdepago").items().iter().try_for_each(|payment| {
        let form = payment.get("forma");
        if form.is_missing() {
            return Err(Reply::Exception("cannot read the length of forma"));
        }
        unless(form.as_text() == Some(""), 14, "La forma de pago es requerida")
    })
}

fn comments(case: &Case<'_>) -> Verdict {
    let items = case.body.get("cuerpofactura").items();
    match items.iter().any(|item| item.get("comentario").is_missing()) {
        true => Err(Reply::Exception("cannot read the length of comentario")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
