//! Writes the request body: fixed order, exact number tokens, the doubtful spellings by profile.

use integration_core::body::wire::number_token;
use rust_decimal::Decimal;

use super::builder::{Draft, Related};
use super::extras::Extras;
use super::line::{Line, Payment};
use super::resolve::{Resolved, ResolvedLine, ResolvedPayment, at_least_cents};
use super::totals::TaxGroup;
use crate::profile::{Spelling, WireProfile};

/// Every header key that this crate writes or reads; extras may not take them.
pub(crate) const HEADER_KEYS: [&str; 38] = [
    "rif",
    "trackingid",
    "nombrecliente",
    "rifcedulacliente",
    "idtipocedulacliente",
    "emailcliente",
    "direccioncliente",
    "telefonocliente",
    "idtipodocumento",
    "numerointerno",
    "relacionado",
    "regimenanterior",
    "tasadecambio",
    "tasacambio",
    "tipomoneda",
    "subtotal",
    "exento",
    "tasag",
    "baseg",
    "impuestog",
    "tasar",
    "baser",
    "impuestor",
    "tasaa",
    "basea",
    "impuestoa",
    "tasaigtf",
    "baseigft",
    "baseigtf",
    "impuestoigtf",
    "total",
    "sendmail",
    "sucursal",
    "direccionsucursal",
    "observacion",
    "fechavence",
    "cuerpofactura",
    "formasdepago",
];

/// The payments array, unless the profile renames it.
pub(crate) const PAYMENTS: &str = "formasdepago";

/// Every key of an item.
pub(crate) const LINE_KEYS: [&str; 10] = [
    "codigo",
    "descripcion",
    "comentario",
    "precio",
    "cantidad",
    "tasa",
    "impuesto",
    "descuento",
    "exento",
    "monto",
];

/// Every key of a payment; the last is ours and never sent.
pub(crate) const PAYMENT_KEYS: [&str; 3] = ["forma", "valor", "foreign_currency"];

/// A JSON object in the order in which it is written.
#[derive(Default)]
struct Object(String);

impl Object {
    fn raw(&mut self, key: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(json);
    }

    fn text(&mut self, key: &str, text: &str) {
        self.raw(key, &quoted(text));
    }

    fn optional(&mut self, key: &str, text: Option<&String>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn amount(&mut self, key: &str, value: Decimal) {
        self.raw(key, &number_token(value));
    }

    fn code(&mut self, key: &str, code: u8) {
        self.raw(key, &code.to_string());
    }

    fn extras(&mut self, extras: &Extras) {
        for (key, value) in extras.iter() {
            self.raw(key, value.get());
        }
    }

    fn finish(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

/// Writing text as JSON into memory cannot fail.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

pub(crate) fn request(resolved: &Resolved, profile: &WireProfile, rif: &str) -> String {
    let mut object = Object::default();
    object.text("rif", rif);
    parties(&mut object, resolved);
    relation(&mut object, resolved, profile);
    currency(&mut object, resolved, profile);
    totals(&mut object, resolved, profile);
    mail(&mut object, &resolved.draft, profile);
    let draft = &resolved.draft;
    object.optional("sucursal", draft.branch.as_ref());
    object.optional("direccionsucursal", draft.branch_address.as_ref());
    object.optional("observacion", draft.remark.as_ref());
    object.optional("fechavence", draft.due_date.as_ref());
    object.raw(
        "cuerpofactura",
        &array(draft.lines.iter().flatten().zip(&resolved.lines).map(|(text, line)| item(text, line))),
    );
    let payments = draft.payments.iter().flatten().zip(&resolved.payments);
    object.raw(&profile.payments_key, &array(payments.map(|(text, payment)| paid(text, payment))));
    object.extras(&draft.extras);
    object.finish()
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn parties(object: &mut Object, resolved: &Resolved) {
    let buyer = &resolved.draft.buyer;
    object.optional("trackingid", resolved.draft.tracking_id.as_ref());
    object.text("nombrecliente", &buyer.name);
    object.text("rifcedulacliente", &resolved.identity.text);
    object.code("idtipocedulacliente", resolved.identity.kind.code());
    object.text("emailcliente", &resolved.emails);
    object.text("direccioncliente", &buyer.address);
    object.text("telefonocliente", &resolved.phone);
    object.code("idtipodocumento", resolved.kind.code());
    object.text("numerointerno", resolved.number.as_str());
}

fn relation(object: &mut Object, resolved: &Resolved, profile: &WireProfile) {
    match &resolved.draft.related {
        Related::Invoice(number) => object.text("relacionado", number.as_received()),
        Related::PreviousRegime(text) => {
            object.text("relacionado", text);
            object.code("regimenanterior", 1);
        }
        Related::Nothing | Related::Reported if profile.empty_related => object.text("relacionado", ""),
        Related::Nothing | Related::Reported => {}
    }
}

fn currency(object: &mut Object, resolved: &Resolved, profile: &WireProfile) {
    pair(object, profile.spelling, "tasadecambio", "tasacambio", resolved.exchange_rate);
    object.code("tipomoneda", resolved.draft.currency.code());
}

fn pair(object: &mut Object, spelling: Spelling, documented: &str, observed: &str, value: Decimal) {
    if spelling != Spelling::Observed {
        object.amount(documented, value);
    }
    if spelling != Spelling::Documented {
        object.amount(observed, value);
    }
}

fn totals(object: &mut Object, resolved: &Resolved, profile: &WireProfile) {
    let totals = &resolved.totals;
    object.amount("subtotal", totals.subtotal);
    object.amount("exento", totals.exempt);
    group(object, ["tasag", "baseg", "impuestog"], totals.general);
    group(object, ["tasar", "baser", "impuestor"], totals.reduced);
    if let Some(luxury) = totals.luxury {
        group(object, ["tasaa", "basea", "impuestoa"], luxury);
    }
    object.amount("tasaigtf", at_least_cents(totals.igtf.rate));
    pair(object, profile.spelling, "baseigft", "baseigtf", totals.igtf.base);
    object.amount("impuestoigtf", totals.igtf.tax);
    object.amount("total", totals.total);
}

fn group(object: &mut Object, [rate, base, tax]: [&str; 3], group: TaxGroup) {
    object.amount(rate, at_least_cents(group.rate));
    object.amount(base, group.base);
    object.amount(tax, group.tax);
}

fn mail(object: &mut Object, draft: &Draft, profile: &WireProfile) {
    let flag = u8::from(draft.mail_at_issue);
    let digit = flag.to_string();
    object.raw("sendmail", &if profile.sendmail_as_text { quoted(&digit) } else { digit });
}

fn item(text: &Line, line: &ResolvedLine) -> String {
    let mut object = Object::default();
    object.text("codigo", &text.code);
    object.text("descripcion", &text.description);
    // Always there: the observed service reads its length after it has stored the document, and would crash then.
    object.text("comentario", &text.comment);
    object.amount("precio", at_least_cents(line.price));
    object.amount("cantidad", line.quantity);
    object.amount("tasa", line.rate);
    object.amount("impuesto", line.tax.given);
    object.amount("descuento", line.discount);
    object.raw("exento", if line.exempt { "true" } else { "false" });
    object.amount("monto", line.amount.given);
    object.extras(&text.extras);
    object.finish()
}

fn paid(text: &Payment, payment: &ResolvedPayment) -> String {
    let mut object = Object::default();
    object.text("forma", &text.form);
    object.amount("valor", payment.value);
    object.extras(&text.extras);
    object.finish()
}
