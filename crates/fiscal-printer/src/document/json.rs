//! Reads a document from JSON in wire names, exactly and tolerantly: every slip becomes one fault, none stops the others.
//!
//! The text is taken apart into raw tokens instead of `serde_json::Value`, which would read amounts as doubles.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use integration_core::fault::excerpt;
use integration_core::{Error, Fault};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::builder::{DocumentBuilder, Draft, Findings, Related};
use super::extras::{ExtraValue, Extras, is_never_sent};
use super::header::HeaderAmount;
use super::kind::{Currency, DocumentType};
use super::line::{Line, LineTax, Payment};
use super::numeric::Numeric;
use super::party::{Buyer, IdentityKind};
use super::settled::At;
use super::write::LINE_KEYS;
use crate::number::{ControlNumber, InternalNumber};

const LIMIT: usize = 8 * 1024 * 1024;
/// Elements of an array that are read; a request near it is far beyond what the service is known to take (assumed).
const MOST_ELEMENTS: usize = 10_000;
const OPERATION: &str = "read document";

/// The arrays of the header, whose elements are objects.
const ITEMS: &str = "cuerpofactura";
const PAYMENTS: &str = "formasdepago";

/// A value as it stands in the text; or, where an array holds nothing but objects, these, so that its text is gone through once.
enum Token<'j> {
    Raw(&'j RawValue),
    Objects(Vec<RawObject<'j>>),
}

/// A key and its value; nothing in the place of a value that was taken.
type Pair<'j> = (Cow<'j, str>, Option<Token<'j>>);

/// An object's keys and values in order, doubles included.
struct RawObject<'j>(Vec<Pair<'j>>);

/// The first elements of an array, one more than are allowed at most.
struct RawArray<'j>(Vec<&'j RawValue>);

impl<'de> Deserialize<'de> for RawArray<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements)
    }
}

/// A key that is borrowed from the text unless something in it is escaped.
struct Key<'j>(Cow<'j, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Name).map(Self)
    }
}

struct Name;

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Reads an object; with `arrays`, the arrays of the header as objects, which fails if an element is none.
#[derive(Clone, Copy)]
struct Pairs {
    arrays: bool,
}

impl Pairs {
    fn read(self, text: &str) -> serde_json::Result<RawObject<'_>> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let object = self.deserialize(&mut reader)?;
        reader.end().map(|()| object)
    }
}

impl<'de> DeserializeSeed<'de> for Pairs {
    type Value = RawObject<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pairs {
    type Value = RawObject<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject<'de>, A::Error> {
        let mut pairs = Vec::with_capacity(LINE_KEYS.len());
        while let Some(Key(key)) = map.next_key()? {
            let value = match &*key {
                ITEMS | PAYMENTS if self.arrays => Token::Objects(map.next_value_seed(Objects)?),
                _ => Token::Raw(map.next_value()?),
            };
            pairs.push((key, Some(value)));
        }
        Ok(RawObject(pairs))
    }
}

/// Reads an array of nothing but objects, and of no more than are allowed.
struct Objects;

impl<'de> DeserializeSeed<'de> for Objects {
    type Value = Vec<RawObject<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects {
    type Value = Vec<RawObject<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(object) = elements.next_element_seed(Pairs { arrays: false })? {
            if objects.len() == MOST_ELEMENTS {
                return Err(A::Error::custom("too many elements"));
            }
            objects.push(object);
        }
        Ok(objects)
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = RawArray<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<RawArray<'de>, A::Error> {
        let mut items = Vec::new();
        while items.len() <= MOST_ELEMENTS {
            match elements.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(RawArray(items)),
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RawArray(items))
    }
}

pub(crate) fn read(json: &[u8]) -> Result<DocumentBuilder, Error> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    if json.len() > LIMIT {
        let found = format!("{} bytes", json.len());
        return Err(unreadable(
            Fault::error("JSON", "$").with_expected(format!("at most {LIMIT} bytes")).with_actual(found),
        ));
    }
    let object = object(json)?;
    let mut found = Findings::default();
    let mut draft = header(&mut Fields::new(object, At::HEADER, &mut found));
    draft.found = found;
    Ok(DocumentBuilder(draft))
}

/// One object. What is unusual in an array does not keep it from being read: then it is gone through once more, element by element.
fn object(json: &[u8]) -> Result<RawObject<'_>, Error> {
    let text = std::str::from_utf8(json).map_err(|error| no_object(json, &error))?;
    let read = Pairs { arrays: true }.read(text).or_else(|_| Pairs { arrays: false }.read(text));
    read.map_err(|error| no_object(json, &error))
}

fn no_object(json: &[u8], error: &dyn fmt::Display) -> Error {
    let hint = format!("{error}; JSON writes true and false in lower case and knows no NaN");
    let fault = Fault::error("JSON", "$").with_expected("one JSON object").with_hint(hint);
    unreadable(fault.with_actual(String::from_utf8_lossy(json.get(..240).unwrap_or(json))))
}

/// The text that a token in quotes stands for; nothing if it is no such token.
#[inline]
pub(super) fn text_of(token: &str) -> Option<String> {
    let quoted = token.strip_prefix('"')?.strip_suffix('"')?;
    // It was gone through as JSON before: where nothing is escaped, it is what stands between its quotes.
    if quoted.contains('\\') { serde_json::from_str(token).ok() } else { Some(quoted.to_owned()) }
}

fn unreadable(fault: Fault) -> Error {
    Error::validation(OPERATION, vec![fault])
        .with_hint("give one JSON object in the wire names of the contract's section 3")
}

/// The fields of one object; what is read is taken out, what is left over is unknown.
struct Fields<'j, 'f> {
    pairs: Vec<Pair<'j>>,
    /// Behind the field taken last: they mostly stand in the order in which they are asked for.
    next: usize,
    at: At,
    found: &'f mut Findings,
}

impl<'j, 'f> Fields<'j, 'f> {
    fn new(object: RawObject<'j>, at: At, found: &'f mut Findings) -> Self {
        Self { pairs: object.0, next: 0, at, found }
    }

    fn path(&self, key: &str) -> String {
        format!("{}{key}", self.at)
    }

    /// Where a field stands that was not taken yet.
    #[inline]
    fn position(&self, key: &str) -> Option<usize> {
        let asked = |(name, value): &Pair<'j>| value.is_some() && name == key;
        if self.pairs.get(self.next).is_some_and(asked) {
            return Some(self.next);
        }
        let ahead = self.pairs.iter().skip(self.next).position(asked);
        ahead.map(|steps| self.next + steps).or_else(|| self.pairs.iter().position(asked))
    }

    /// Reports a field that cannot be read, so that nothing more is said of it.
    fn report(&mut self, rule: &'static str, key: &str, describe: impl FnOnce(Fault) -> Fault) {
        let path = self.path(key);
        self.found.unreadable.insert(path.clone());
        self.found.faults.push(describe(Fault::error(rule, path)));
    }

    /// Takes a field out, whatever stands in it.
    #[inline]
    fn take_token(&mut self, key: &str) -> Option<Token<'j>> {
        let index = self.position(key)?;
        self.next = index + 1;
        self.pairs.get_mut(index)?.1.take()
    }

    /// Takes a field out. `null` is reported: it is neither a value nor its absence.
    #[inline]
    fn take(&mut self, key: &str) -> Option<&'j RawValue> {
        match self.take_token(key)? {
            Token::Raw(value) => self.unless_null(key, value),
            // Only asked for by `objects`.
            Token::Objects(_) => None,
        }
    }

    #[inline]
    fn unless_null(&mut self, key: &str, value: &'j RawValue) -> Option<&'j RawValue> {
        // Of all values only this one begins so.
        if !value.get().starts_with('n') {
            return Some(value);
        }
        let hint = "leave the field out if there is none";
        self.report("JSON", key, |fault| fault.with_expected("a value").with_actual("null").with_hint(hint));
        None
    }

    fn wrong_type(&mut self, key: &str, expected: &'static str, value: &RawValue) {
        self.report("JSON", key, |fault| fault.with_expected(expected).with_actual(value.get()));
    }

    fn has(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    #[inline]
    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        let text = text_of(value.get());
        if text.is_none() {
            self.wrong_type(key, "a text in quotes", value);
        }
        text
    }

    /// A number; one that is `null` stays unknown, it does not become absent.
    #[inline]
    fn numeric(&mut self, key: &str) -> Option<Numeric> {
        let Token::Raw(value) = self.take_token(key)? else { return None };
        let value = self.unless_null(key, value);
        Some(value.map_or_else(Numeric::reported, |value| Numeric::from_json(value.get())))
    }

    #[inline]
    fn required(&mut self, rule: &'static str, key: &str) -> Numeric {
        self.numeric(key).unwrap_or_else(|| {
            self.report(rule, key, |fault| {
                fault.with_expected("a number").with_hint("the manual requires this field")
            });
            Numeric::reported()
        })
    }

    /// A small whole number, or one in quotes, that `meaning` knows.
    fn code<T>(
        &mut self,
        rule: &'static str,
        key: &str,
        expected: &'static str,
        meaning: impl Fn(u8) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(key)?;
        let text = text_of(value.get());
        let code = text.as_deref().unwrap_or(value.get()).parse().ok().and_then(meaning);
        if code.is_none() {
            self.report(rule, key, |fault| fault.with_expected(expected).with_actual(value.get()));
        }
        code
    }

    /// 1 or 0, as the service writes switches.
    fn switch(&mut self, rule: &'static str, key: &str) -> bool {
        let on = |code| [false, true].get(usize::from(code)).copied();
        self.code(rule, key, "1 or 0", on).unwrap_or_default()
    }

    #[inline]
    fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        let flag = value.get().parse().ok();
        if flag.is_none() {
            self.wrong_type(key, "true or false", value);
        }
        flag
    }

    /// The objects of an array; each element that is none is reported, and `None`.
    fn objects(&mut self, key: &str) -> Vec<Option<RawObject<'j>>> {
        let value = match self.take_token(key) {
            None => return Vec::new(),
            Some(Token::Objects(objects)) => return objects.into_iter().map(Some).collect(),
            Some(Token::Raw(value)) => value,
        };
        // An array that cannot be read is not an empty one.
        self.elements_of(key, value).unwrap_or_else(|| vec![None])
    }

    fn elements_of(&mut self, key: &str, value: &'j RawValue) -> Option<Vec<Option<RawObject<'j>>>> {
        let value = self.unless_null(key, value)?;
        let Ok(RawArray(items)) = serde_json::from_str(value.get()) else {
            self.wrong_type(key, "an array", value);
            return None;
        };
        if items.len() > MOST_ELEMENTS {
            self.report("JSON", key, |fault| {
                fault.with_expected(format!("at most {MOST_ELEMENTS} elements"))
            });
            return None;
        }
        let objects = items.iter().enumerate().map(|(index, item)| {
            let object = Pairs { arrays: false }.read(item.get()).ok();
            if object.is_none() {
                self.wrong_type(&format!("{key}[{index}]"), "an object", item);
            }
            object
        });
        Some(objects.collect())
    }

    /// What nobody asked for: sent as it is, and mentioned, since it may be a misspelt name. A key that stands twice is reported.
    fn leftovers(&mut self) -> Extras {
        let mut extras = Extras::default();
        if self.pairs.iter().all(|(_, value)| value.is_none()) {
            return extras;
        }
        let mut seen = BTreeSet::new();
        for (key, value) in std::mem::take(&mut self.pairs) {
            let again = !seen.insert(key.clone());
            match value {
                Some(_) if again => self.told_twice(&key),
                Some(Token::Raw(value)) => self.unknown(&key, value, &mut extras),
                Some(Token::Objects(_)) | None => {}
            }
        }
        extras
    }

    fn told_twice(&mut self, key: &str) {
        let path = self.path(&shown(key));
        let hint = "the key stands twice in one object: leave one of them out";
        self.found.faults.push(Fault::error("JSON", path).with_hint(hint));
    }

    fn unknown(&mut self, key: &str, value: &RawValue, extras: &mut Extras) {
        if !is_never_sent(key) {
            let warning = Fault::warning("EXTRA", self.path(&shown(key)));
            let hint = "not a field of the manual: sent as it is; is it misspelt?";
            self.found.faults.push(warning.with_hint(hint));
        }
        extras.push(key, ExtraValue::from(value.to_owned()));
    }
}

fn shown(key: &str) -> String {
    excerpt(key).trim_matches('"').to_owned()
}

fn header(fields: &mut Fields<'_, '_>) -> Draft {
    let kind = document_type(fields);
    let number = number(fields);
    let issuer = fields.text("rif").unwrap_or_default();
    let related = related(fields);
    let mut draft = Draft::new(kind, issuer, number, related);
    draft.buyer = buyer(fields);
    draft.exchange_rate = either(fields, "tasadecambio", "tasacambio");
    let currencies = "1 bolívar, 2 US dollar or 3 euro";
    draft.currency = fields.code("R13", "tipomoneda", currencies, Currency::from_code).unwrap_or_default();
    claims(fields, &mut draft);
    draft.mail_at_issue = fields.switch("R27", "sendmail");
    draft.tracking_id = fields.text("trackingid");
    draft.branch = fields.text("sucursal");
    draft.branch_address = fields.text("direccionsucursal");
    draft.remark = fields.text("observacion");
    draft.due_date = fields.text("fechavence");
    draft.lines = elements(fields, ITEMS, At::item, line);
    draft.payments = elements(fields, PAYMENTS, At::payment, payment);
    draft.extras = fields.leftovers();
    draft
}

const TYPES: &str = "1 invoice, 2 debit note, 3 credit note, 4 dispatch guide or 5 delivery note";

fn document_type(fields: &mut Fields<'_, '_>) -> Option<DocumentType> {
    if !fields.has("idtipodocumento") {
        fields.report("R9", "idtipodocumento", |fault| fault.with_expected(TYPES).with_actual("nothing"));
    }
    fields.code("R9", "idtipodocumento", TYPES, DocumentType::from_code)
}

fn number(fields: &mut Fields<'_, '_>) -> Option<InternalNumber> {
    let given = fields.has("numerointerno");
    let text = fields.text("numerointerno");
    if given && text.is_none() {
        return None;
    }
    let text = text.unwrap_or_default();
    let parsed = text.parse();
    if parsed.is_err() {
        fields.report("R10", "numerointerno", |fault| {
            let fault =
                fault.with_expected("one to ten digits in quotes, like \"00000042\"").with_actual(&text);
            fault.with_hint("it is your own number; keep its zero padding the same within a series")
        });
    }
    parsed.ok()
}

fn related(fields: &mut Fields<'_, '_>) -> Related {
    let given = fields.has("relacionado");
    let text = fields.text("relacionado");
    if fields.switch("I17", "regimenanterior") {
        return Related::PreviousRegime(text.unwrap_or_default());
    }
    let Some(text) = text else { return if given { Related::Reported } else { Related::Nothing } };
    if text.is_empty() {
        return Related::Nothing;
    }
    text.parse::<ControlNumber>().map(Related::Invoice).unwrap_or_else(|error| {
        fields.report("I17", "relacionado", |fault| {
            let fault =
                fault.with_expected("a control number like 00-00000042, or nothing on types 1, 4 and 5");
            fault.with_actual(&text).with_hint(error.to_string())
        });
        Related::Reported
    })
}

fn buyer(fields: &mut Fields<'_, '_>) -> Buyer {
    let mut buyer = Buyer::new(
        fields.text("nombrecliente").unwrap_or_default(),
        fields.text("rifcedulacliente").unwrap_or_default(),
    );
    let kinds = "1 cédula, 2 passport or 3 RIF";
    buyer.kind = fields.code("R5", "idtipocedulacliente", kinds, IdentityKind::from_code);
    let emails = fields.text("emailcliente").unwrap_or_default();
    buyer.emails = emails.split('|').filter(|address| !address.is_empty()).map(str::to_owned).collect();
    buyer.address = fields.text("direccioncliente").unwrap_or_default();
    buyer.phone = fields.text("telefonocliente").unwrap_or_default();
    buyer
}

/// A value under either of two spellings; if both are there they must agree.
fn either(fields: &mut Fields<'_, '_>, documented: &str, observed: &str) -> Option<Numeric> {
    let (first, second) = (fields.numeric(documented), fields.numeric(observed));
    let (Some(first), Some(second)) = (&first, &second) else { return first.or(second) };
    if let (Ok(expected), Ok(found)) = (&first.0, &second.0)
        && expected != found
    {
        let (expected, found) = (expected.to_string(), found.to_string());
        let hint = format!("it differs from {documented}, another spelling of the same field");
        fields.report("JSON", observed, |fault| {
            fault.with_expected(expected).with_actual(found).with_hint(hint)
        });
    }
    // One that cannot be read is the one to be reported.
    Some(if second.0.is_err() { second.clone() } else { first.clone() })
}

fn claims(fields: &mut Fields<'_, '_>, draft: &mut Draft) {
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

fn elements<T>(
    fields: &mut Fields<'_, '_>,
    key: &str,
    at: fn(usize) -> At,
    read: impl Fn(&mut Fields<'_, '_>) -> T,
) -> Vec<Option<T>> {
    let objects = fields.objects(key);
    let each = objects.into_iter().enumerate().map(|(index, object)| {
        let mut element = Fields::new(object?, at(index), fields.found);
        Some(read(&mut element))
    });
    each.collect()
}

/// Asked for in the order in which they are written, which finds them soonest.
fn line(fields: &mut Fields<'_, '_>) -> Line {
    let code = fields.text("codigo").unwrap_or_default();
    let description = fields.text("descripcion").unwrap_or_default();
    let comment = fields.text("comentario").unwrap_or_default();
    let price = fields.required("R35", "precio");
    let quantity = fields.required("R36", "cantidad");
    let rate = fields.numeric("tasa");
    let claimed_tax = fields.numeric("impuesto");
    let discount = fields.numeric("descuento");
    let given = fields.has("exento");
    let exempt = fields.flag("exento");
    let tax = match (rate, exempt) {
        (Some(rate), _) => LineTax::Percent(rate),
        (None, Some(true)) => LineTax::Exempt,
        // Without `exento`, which was reported, nobody knows whether there should be a rate.
        (None, None) if given => LineTax::Percent(Numeric::reported()),
        (None, _) => {
            fields.report("R37", "tasa", |fault| {
                fault.with_expected("a percentage like 16, or exento true").with_hint("it is not guessed")
            });
            LineTax::Percent(Numeric::reported())
        }
    };
    let claimed_amount = fields.numeric("monto");
    let extras = fields.leftovers();
    Line {
        code,
        description,
        comment,
        price,
        quantity,
        discount,
        tax,
        exempt,
        claimed_tax,
        claimed_amount,
        extras,
    }
}

fn payment(fields: &mut Fields<'_, '_>) -> Payment {
    let form = fields.text("forma").unwrap_or_default();
    let mut payment = Payment::new(form, fields.required("R43", "valor"));
    payment.foreign = fields.flag("foreign_currency").unwrap_or_default();
    payment.extras = fields.leftovers();
    payment
}
