//! Reads a document from JSON in wire names, exactly and tolerantly: every slip becomes one fault, none stops the others.
//!
//! The text is taken apart into raw tokens instead of `serde_json::Value`, which would read amounts as doubles.

use std::fmt;

use integration_core::fault::excerpt;
use integration_core::{Error, Fault, Faults};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::{DocumentBuilder, Draft, Related};
use super::extras::{ExtraValue, Extras};
use super::header::HeaderAmount;
use super::kind::{Currency, DocumentType};
use super::line::{Line, LineTax, Payment};
use super::numeric::Numeric;
use super::party::{Buyer, IdentityKind};
use super::write::{HEADER_KEYS, LINE_KEYS, PAYMENT_KEYS};
use crate::number::{ControlNumber, InternalNumber};

const LIMIT: usize = 8 * 1024 * 1024;
const OPERATION: &str = "read document";

/// An object's keys and raw values in order, doubles included.
struct RawObject(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(RawObject(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

pub(crate) fn read(json: &[u8]) -> Result<DocumentBuilder, Error> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    if json.len() > LIMIT {
        let found = format!("{} bytes", json.len());
        return Err(unreadable(
            Fault::error("JSON", "$").expected(format!("at most {LIMIT} bytes")).actual(found),
        ));
    }
    let object: RawObject = serde_json::from_slice(json).map_err(|error| {
        let fault = Fault::error("JSON", "$").expected("one JSON object").hint(error.to_string());
        unreadable(fault.actual(String::from_utf8_lossy(json.get(..240).unwrap_or(json))))
    })?;
    let mut faults = Faults::new();
    let mut draft = header(&mut Fields::new(object, String::new(), &mut faults));
    draft.faults = faults;
    Ok(DocumentBuilder(draft))
}

fn unreadable(fault: Fault) -> Error {
    Error::validation(OPERATION, vec![fault])
        .with_hint("give one JSON object in the wire names of the contract's section 3")
}

/// The fields of one object; what is read is taken out, what is left over is unknown.
struct Fields<'f> {
    pairs: Vec<(String, Box<RawValue>)>,
    prefix: String,
    faults: &'f mut Faults,
}

impl<'f> Fields<'f> {
    fn new(object: RawObject, prefix: String, faults: &'f mut Faults) -> Self {
        let mut fields = Self { pairs: Vec::new(), prefix, faults };
        for (key, value) in object.0 {
            fields.add(key, value);
        }
        fields
    }

    fn add(&mut self, key: String, value: Box<RawValue>) {
        if self.pairs.iter().any(|(earlier, _)| *earlier == key) {
            let path = self.path(excerpt(&key).trim_matches('"'));
            self.faults.push(Fault::error("JSON", path).hint("the key stands twice in one object"));
        } else {
            self.pairs.push((key, value));
        }
    }

    fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Takes a field out. `null` is reported: it is neither a value nor its absence.
    fn take(&mut self, key: &str) -> Option<Box<RawValue>> {
        let index = self.pairs.iter().position(|(name, _)| name == key)?;
        let (_, value) = self.pairs.remove(index);
        if value.get() == "null" {
            let fault = Fault::error("JSON", self.path(key)).expected("a value").actual("null");
            self.faults.push(fault.hint("leave the field out if there is none"));
            return None;
        }
        Some(value)
    }

    fn wrong_type(&mut self, key: &str, expected: &'static str, value: &RawValue) {
        self.faults.push(Fault::error("JSON", self.path(key)).expected(expected).actual(value.get()));
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        let text = serde_json::from_str(value.get()).ok();
        if text.is_none() {
            self.wrong_type(key, "a text in quotes", &value);
        }
        text
    }

    fn numeric(&mut self, key: &str) -> Option<Numeric> {
        self.take(key).map(|value| Numeric::from_json(value.get()))
    }

    /// A small whole number, or one in quotes.
    fn code(&mut self, key: &str) -> Option<u8> {
        let value = self.take(key)?;
        let code = value.get().trim_matches('"').parse().ok();
        if code.is_none() {
            self.wrong_type(key, "a whole number", &value);
        }
        code
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        let flag = serde_json::from_str(value.get()).ok();
        if flag.is_none() {
            self.wrong_type(key, "true or false", &value);
        }
        flag
    }

    /// The objects of an array; each element that is none is reported.
    fn objects(&mut self, key: &str) -> Vec<Option<RawObject>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Ok(items) = serde_json::from_str::<Vec<Box<RawValue>>>(value.get()) else {
            self.wrong_type(key, "an array", &value);
            return Vec::new();
        };
        let objects = items.iter().enumerate().map(|(index, item)| {
            let object = serde_json::from_str(item.get()).ok();
            if object.is_none() {
                self.wrong_type(&format!("{key}[{index}]"), "an object", item);
            }
            object
        });
        objects.collect()
    }

    /// What nobody asked for: sent as it is, and mentioned, since it may be a misspelt name.
    fn leftovers(&mut self, typed: &[&str]) -> Extras {
        let mut extras = Extras::default();
        for (key, value) in std::mem::take(&mut self.pairs) {
            let path = self.path(excerpt(&key).trim_matches('"'));
            let warning = Fault::warning("EXTRA", path)
                .hint("not a field of the manual: sent as it is; is it misspelt?");
            if !typed.contains(&key.as_str()) {
                self.faults.push(warning);
            }
            extras.push(key, ExtraValue::from(value));
        }
        extras
    }
}

fn header(fields: &mut Fields<'_>) -> Draft {
    let kind = document_type(fields);
    let number = number(fields);
    let issuer = fields.text("rif").unwrap_or_default();
    let related = related(fields);
    let mut draft = Draft::new(kind, issuer, number, related);
    draft.buyer = buyer(fields);
    currency(fields, &mut draft);
    claims(fields, &mut draft);
    draft.mail_at_issue = fields.code("sendmail").unwrap_or_default() != 0;
    draft.tracking_id = fields.text("trackingid");
    draft.branch = fields.text("sucursal");
    draft.branch_address = fields.text("direccionsucursal");
    draft.remark = fields.text("observacion");
    draft.due_date = fields.text("fechavence");
    draft.lines = elements(fields, "cuerpofactura", line);
    draft.payments = elements(fields, "formasdepago", payment);
    draft.extras = fields.leftovers(&HEADER_KEYS);
    draft
}

fn document_type(fields: &mut Fields<'_>) -> DocumentType {
    let code = fields.code("idtipodocumento");
    let kind = code.and_then(DocumentType::from_code);
    if kind.is_none() {
        let found = code.map_or_else(|| "nothing".to_owned(), |code| code.to_string());
        let expected = "1 invoice, 2 debit note, 3 credit note, 4 dispatch guide or 5 delivery note";
        fields.faults.push(Fault::error("R9", "idtipodocumento").expected(expected).actual(found));
    }
    kind.unwrap_or(DocumentType::Invoice)
}

fn number(fields: &mut Fields<'_>) -> Option<InternalNumber> {
    let text = fields.text("numerointerno").unwrap_or_default();
    let parsed = text.parse();
    if parsed.is_err() {
        let fault =
            Fault::error("R10", "numerointerno").expected("one to ten digits in quotes, like \"00000042\"");
        fields.faults.push(fault.actual(&text));
    }
    parsed.ok()
}

fn related(fields: &mut Fields<'_>) -> Related {
    let text = fields.text("relacionado").unwrap_or_default();
    if fields.code("regimenanterior").unwrap_or_default() != 0 {
        return Related::PreviousRegime(text);
    }
    if text.is_empty() {
        return Related::Nothing;
    }
    match text.parse::<ControlNumber>() {
        Ok(number) => Related::Invoice(number),
        Err(error) => {
            let fault = Fault::error("I17", "relacionado").expected("a control number like 00-00000042");
            fields.faults.push(fault.actual(&text).hint(error.to_string()));
            Related::Nothing
        }
    }
}

fn buyer(fields: &mut Fields<'_>) -> Buyer {
    let mut buyer = Buyer::new(
        fields.text("nombrecliente").unwrap_or_default(),
        fields.text("rifcedulacliente").unwrap_or_default(),
    );
    if let Some(code) = fields.code("idtipocedulacliente") {
        buyer.kind = IdentityKind::from_code(code);
        if buyer.kind.is_none() {
            let fault = Fault::error("R5", "idtipocedulacliente").expected("1 cédula, 2 passport or 3 RIF");
            fields.faults.push(fault.actual(code.to_string()));
        }
    }
    let emails = fields.text("emailcliente").unwrap_or_default();
    buyer.emails = emails.split('|').filter(|address| !address.is_empty()).map(str::to_owned).collect();
    buyer.address = fields.text("direccioncliente").unwrap_or_default();
    buyer.phone = fields.text("telefonocliente").unwrap_or_default();
    buyer
}

fn currency(fields: &mut Fields<'_>, draft: &mut Draft) {
    draft.exchange_rate = either(fields, "tasadecambio", "tasacambio");
    let Some(code) = fields.code("tipomoneda") else { return };
    match Currency::from_code(code) {
        Some(currency) => draft.currency = currency,
        None => {
            let fault = Fault::error("R13", "tipomoneda").expected("1 bolívar, 2 US dollar or 3 euro");
            fields.faults.push(fault.actual(code.to_string()));
        }
    }
}

/// A value under either of two spellings; if both are there they must agree.
fn either(fields: &mut Fields<'_>, documented: &str, observed: &str) -> Option<Numeric> {
    let (first, second) = (fields.numeric(documented), fields.numeric(observed));
    if let (Some(Numeric(Ok(first))), Some(Numeric(Ok(second)))) = (&first, &second)
        && first != second
    {
        let fault = Fault::error("JSON", fields.path(observed)).expected(first.to_string());
        fields.faults.push(fault.actual(second.to_string()).hint(format!("it differs from {documented}")));
    }
    first.or(second)
}

fn claims(fields: &mut Fields<'_>, draft: &mut Draft) {
    for name in HeaderAmount::ALL {
        let value = match name {
            HeaderAmount::IgtfBase => either(fields, "baseigft", "baseigtf"),
            _ => fields.numeric(name.wire_name()),
        };
        if let Some(value) = value {
            // Whoever sends the luxury group has chosen it.
            draft.luxury |= name.is_luxury();
            draft.claims.insert(name, value);
        }
    }
}

fn elements<T>(fields: &mut Fields<'_>, key: &str, read: impl Fn(&mut Fields<'_>) -> T) -> Vec<T> {
    let objects = fields.objects(key);
    let each = objects.into_iter().enumerate().map(|(index, object)| {
        // An element that is no object was reported; an empty one keeps the places of the others.
        let object = object.unwrap_or(RawObject(Vec::new()));
        read(&mut Fields::new(object, format!("{key}[{index}]."), fields.faults))
    });
    each.collect()
}

fn required(fields: &mut Fields<'_>, rule: &'static str, key: &str) -> Numeric {
    fields.numeric(key).unwrap_or_else(|| {
        fields.faults.push(Fault::error(rule, fields.path(key)).expected("a number"));
        Numeric::from(0)
    })
}

fn line(fields: &mut Fields<'_>) -> Line {
    let code = fields.text("codigo").unwrap_or_default();
    let description = fields.text("descripcion").unwrap_or_default();
    let price = required(fields, "R35", "precio");
    let quantity = required(fields, "R36", "cantidad");
    let mut line = Line::new(code, description, price, quantity);
    line.comment = fields.text("comentario").unwrap_or_default();
    line.discount = fields.numeric("descuento");
    line.exempt = fields.flag("exento");
    line.tax = match (fields.numeric("tasa"), line.exempt) {
        (Some(rate), _) => LineTax::Percent(rate),
        (None, Some(true)) => LineTax::Exempt,
        (None, _) => {
            let fault = Fault::error("R37", fields.path("tasa")).expected("a percentage, or exento true");
            fields.faults.push(fault);
            LineTax::General
        }
    };
    line.claimed_tax = fields.numeric("impuesto");
    line.claimed_amount = fields.numeric("monto");
    line.extras = fields.leftovers(&LINE_KEYS);
    line
}

fn payment(fields: &mut Fields<'_>) -> Payment {
    let form = fields.text("forma").unwrap_or_default();
    let mut payment = Payment::new(form, required(fields, "R43", "valor"));
    payment.foreign = fields.flag("foreign_currency").unwrap_or_default();
    payment.extras = fields.leftovers(&PAYMENT_KEYS);
    payment
}
