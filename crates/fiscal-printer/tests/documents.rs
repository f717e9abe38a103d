//! Documents against the contract, from outside: every row of the field tables (3.1-3.3), every identity (6.1), the
//! service's arithmetic (6.2), the worked samples (6.3), the wire form (1, 3), and what must hold of any document.
//!
//! Amounts are recomputed here in whole numbers, from the JSON text, without any arithmetic of the crate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use fiscal_printer::{
    Buyer, ControlNumber, Currency, Decimal, Document, DocumentBuilder, DocumentType, Error, Fault,
    HeaderAmount, IdentityKind, Line, Payment, Rates, RoundingPolicy, Severity, Spelling, WireProfile,
    server,
};
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

/// The example of contract 3.5, as it stands there.
const EXAMPLE: &str = r#"{"rif":"J-12345678-4","nombrecliente":"Comercial Ejemplo","rifcedulacliente":"V-12345678","idtipocedulacliente":1,"emailcliente":"compras@example.com",
 "direccioncliente":"Calle 1","telefonocliente":"584121234567","idtipodocumento":1,"numerointerno":"00000042","tasadecambio":0,"tasacambio":0,"tipomoneda":1,
 "subtotal":40.00,"exento":10.00,"tasag":16.00,"baseg":20.00,"impuestog":3.20,"tasar":8.00,"baser":10.00,"impuestor":0.80,
 "tasaigtf":3.00,"baseigft":44.00,"baseigtf":44.00,"impuestoigtf":1.32,"total":45.32,"sendmail":0,"cuerpofactura":[
  {"codigo":"A1","descripcion":"Uno","comentario":"","precio":10.00,"cantidad":1,"tasa":8,"impuesto":0.80,"descuento":0.00,"exento":false,"monto":10.00},
  {"codigo":"A2","descripcion":"Dos","comentario":"","precio":20.00,"cantidad":1,"tasa":16,"impuesto":3.20,"descuento":0.00,"exento":false,"monto":20.00},
  {"codigo":"A3","descripcion":"Tres","comentario":"","precio":5.00,"cantidad":2,"tasa":0,"impuesto":0.00,"descuento":0.00,"exento":true,"monto":10.00}],
 "formasdepago":[{"forma":"Efectivo USD","valor":44.00},{"forma":"Efectivo","valor":1.32}]}"#;

/// A request whose fields can be changed one by one, token by token.
#[derive(Debug, Clone)]
struct Draft {
    header: Vec<(String, String)>,
    items: Vec<Vec<(String, String)>>,
    payments: Vec<Vec<(String, String)>>,
}

fn pairs(object: &str) -> Vec<(String, String)> {
    // A map of raw values sorts its keys; the order does not matter to a reader.
    let map: std::collections::BTreeMap<String, Box<RawValue>> = serde_json::from_str(object).unwrap();
    map.into_iter().map(|(key, value)| (key, value.get().to_owned())).collect()
}

fn list(array: &str) -> Vec<Vec<(String, String)>> {
    let items: Vec<Box<RawValue>> = serde_json::from_str(array).unwrap();
    items.iter().map(|item| pairs(item.get())).collect()
}

fn text(pairs: &[(String, String)]) -> String {
    let fields: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn put(pairs: &mut Vec<(String, String)>, key: &str, value: &str) {
    pairs.retain(|(name, _)| name != key);
    if !value.is_empty() {
        pairs.push((key.to_owned(), value.to_owned()));
    }
}

impl Draft {
    fn read(json: &str) -> Self {
        let mut header = pairs(json);
        let mut array = |key: &str| {
            let index = header.iter().position(|(name, _)| name == key).unwrap();
            list(&header.remove(index).1)
        };
        let (items, payments) = (array("cuerpofactura"), array("formasdepago"));
        Self { header, items, payments }
    }

    fn example() -> Self {
        Self::read(EXAMPLE)
    }

    /// The example with lines, payments and no totals: everything is computed.
    fn bare() -> Self {
        let mut draft = Self::example();
        for name in HeaderAmount::ALL {
            draft = draft.set(name.wire_name(), "");
        }
        draft = draft.set("baseigtf", "");
        for item in &mut draft.items {
            item.retain(|(key, _)| key != "monto" && key != "impuesto");
        }
        draft
    }

    /// Puts a token in the place of a header field; nothing takes the field out.
    fn set(mut self, key: &str, value: &str) -> Self {
        put(&mut self.header, key, value);
        self
    }

    fn item(mut self, index: usize, key: &str, value: &str) -> Self {
        put(&mut self.items[index], key, value);
        self
    }

    fn payment(mut self, index: usize, key: &str, value: &str) -> Self {
        put(&mut self.payments[index], key, value);
        self
    }

    fn json(&self) -> String {
        let array = |items: &[Vec<(String, String)>]| {
            format!("[{}]", items.iter().map(|item| text(item)).collect::<Vec<_>>().join(","))
        };
        let mut header = self.header.clone();
        for (key, items) in [("cuerpofactura", &self.items), ("formasdepago", &self.payments)] {
            if !header.iter().any(|(name, _)| name == key) {
                header.push((key.to_owned(), array(items)));
            }
        }
        text(&header)
    }

    fn builder(&self) -> DocumentBuilder {
        Document::from_json(self.json().as_bytes()).unwrap()
    }

    fn build(&self) -> Result<Document, Error> {
        self.builder().build()
    }
}

type Found = (&'static str, String, String, String);

fn of_severity(faults: &[Fault], severity: Severity) -> Vec<Found> {
    let shown = |fault: &Fault| {
        let (expected, actual) = (fault.expected().to_owned(), fault.actual().to_owned());
        (fault.rule(), fault.path().to_owned(), expected, actual)
    };
    faults.iter().filter(|fault| fault.severity() == severity).map(shown).collect()
}

fn errors(built: &Result<Document, Error>) -> Vec<Found> {
    built.as_ref().err().map(|error| of_severity(error.faults(), Severity::Error)).unwrap_or_default()
}

fn warnings(built: &Result<Document, Error>) -> Vec<Found> {
    let faults = match built {
        Ok(document) => document.warnings(),
        Err(error) => error.faults(),
    };
    of_severity(faults, Severity::Warning)
}

fn found(rule: &'static str, path: &str, expected: &str, actual: &str) -> Found {
    (rule, path.to_owned(), expected.to_owned(), actual.to_owned())
}

/// One slip, one fault: exactly these errors.
#[track_caller]
fn refused(draft: &Draft, expected: &[(&'static str, &str, &str, &str)]) {
    let built = draft.build();
    let expected: Vec<Found> = expected.iter().map(|(r, p, e, a)| found(r, p, e, a)).collect();
    assert_eq!(errors(&built), expected, "{}", draft.json());
    let faults = built.unwrap_err();
    for fault in faults.faults().iter().filter(|fault| fault.severity() == Severity::Error) {
        assert!(!fault.hint().is_empty() || !fault.expected().is_empty(), "{fault}");
    }
}

#[track_caller]
fn accepted(draft: &Draft) -> Document {
    let built = draft.build();
    assert_eq!(errors(&built), [], "{}", draft.json());
    built.unwrap()
}

#[track_caller]
fn warned(draft: &Draft, rule: &str, path: &str) {
    let found = warnings(&Ok(accepted(draft)));
    assert!(found.iter().any(|(r, p, ..)| *r == rule && p == path), "{rule} {path}: {found:?}");
}

/// How a fault shows what it found: plain if it looks like a number, else in quotes.
fn actual(text: &str) -> String {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if plain && !text.is_empty() { text.to_owned() } else { format!("\"{text}\"") }
}

fn long(characters: usize) -> String {
    format!("\"{}\"", "x".repeat(characters))
}

fn shortened(characters: usize) -> String {
    match characters {
        0..=60 => long(characters),
        _ => format!("\"{}...\" ({characters} characters)", "x".repeat(60)),
    }
}

// ---- The example and the worked samples ----------------------------------------------------------------------------

/// Compares as exact texts of numbers, so that 44.00 equals 44 and no double is involved.
fn same_values(left: &str, right: &str) {
    let normal = |json: &str| {
        let mut draft = Draft::read(json);
        let all = std::iter::once(&mut draft.header).chain(&mut draft.items).chain(&mut draft.payments);
        for object in all {
            for (_, value) in object.iter_mut() {
                if let Ok(number) = Decimal::from_str_exact(value) {
                    *value = number.normalize().to_string();
                }
            }
            object.sort();
        }
        (draft.header, draft.items, draft.payments)
    };
    assert_eq!(normal(left), normal(right));
}

#[test]
fn the_example_is_read_and_written_back() {
    let document = accepted(&Draft::example());
    let json = document.to_json(&WireProfile::default());
    same_values(&json, EXAMPLE);
    let (ours, theirs): (Value, Value) =
        (serde_json::from_str(&json).unwrap(), serde_json::from_str(EXAMPLE).unwrap());
    for key in ["subtotal", "total", "baseigft", "rif", "numerointerno"] {
        assert!(ours[key] == theirs[key] || ours[key].as_f64() == theirs[key].as_f64(), "{key}");
    }
    assert!(document.server_disagreements().is_empty());
}

#[test]
fn the_vendors_sample_is_computed_to_the_cent() {
    let draft = Draft::bare().payment(0, "foreign_currency", "true");
    let document = accepted(&draft);
    let expected = Draft::example();
    for name in HeaderAmount::ALL {
        let Some(amount) = document.totals().get(name) else { continue };
        let (_, sample) = expected.header.iter().find(|(key, _)| key == name.wire_name()).unwrap();
        assert_eq!(amount, Decimal::from_str_exact(sample).unwrap(), "{name:?}");
    }
    assert_eq!(document.totals().vat().to_string(), "4.00");
    same_values(&document.to_json(&WireProfile::default()), EXAMPLE);
}

#[test]
fn the_public_form_is_computed_to_the_cent() {
    let document = invoice()
        .line(Line::new("A1", "Exento", "6650.10", 1).exempt())
        .line(Line::new("A2", "General", "328.40", 1))
        .igtf_base("123.15")
        .build()
        .unwrap();
    let totals = document.totals();
    let amounts = [totals.subtotal, totals.vat(), totals.igtf.tax, totals.total].map(|d| d.to_string());
    assert_eq!(amounts, ["6978.50", "52.54", "3.69", "7034.73"]);
    assert!(document.server_disagreements().is_empty());
}

#[test]
fn raw_doubles_pass_the_service_and_are_refused_here() {
    let draft = Draft::example()
        .set("baseigft", "43.99999999999999")
        .set("baseigtf", "43.99999999999999")
        .set("impuestoigtf", "1.3199999999999998");
    refused(
        &draft,
        &[
            ("I18", "baseigft", "at most 2 decimals", "43.99999999999999"),
            ("I18", "impuestoigtf", "at most 2 decimals", "1.3199999999999998"),
        ],
    );
    let raw = |text| Decimal::from_str_exact(text).unwrap();
    assert!(server::accepts_tax(raw("43.99999999999999"), 3.into(), raw("1.3199999999999998")));
}

// ---- Rows of the tables --------------------------------------------------------------------------------------------

#[test]
fn texts_of_the_header_have_their_limits() {
    for (key, rule, max, required) in [
        ("nombrecliente", "R3", 100, true),
        ("direccioncliente", "R7", 500, true),
        ("telefonocliente", "R8", 50, true),
        ("trackingid", "R2", 50, false),
        ("sucursal", "R28", 10, false),
        ("direccionsucursal", "R29", 500, false),
        ("observacion", "R30", 200, false),
    ] {
        accepted(&Draft::example().set(key, &long(max)));
        let limit = format!("at most {max} characters");
        refused(&Draft::example().set(key, &long(max + 1)), &[(rule, key, &limit, &shortened(max + 1))]);
        // Characters are counted, bytes warned about.
        let accents = "ñ".repeat(max);
        warned(&Draft::example().set(key, &format!("\"{accents}\"")), rule, key);
        refused(&Draft::example().set(key, "null"), &[("JSON", key, "a value", "\"null\"")]);
        refused(&Draft::example().set(key, "7"), &[("JSON", key, "a text in quotes", "7")]);
        if required {
            let empty = (rule, key, "a text that is not empty", "\"\"");
            refused(&Draft::example().set(key, "\"\""), &[empty]);
            refused(&Draft::example().set(key, ""), &[empty]);
            refused(&Draft::example().set(key, "\" \""), &[(rule, key, "a text that is not empty", "\" \"")]);
        } else {
            let written = accepted(&Draft::example().set(key, "")).to_json(&WireProfile::default());
            assert!(!written.contains(key), "{key} is omitted by default");
        }
    }
}

#[test]
fn texts_of_items_and_payments_have_their_limits() {
    for (key, rule, max, required) in
        [("codigo", "R32", 50, true), ("descripcion", "R33", 250, true), ("comentario", "R34", 150, false)]
    {
        let path = format!("cuerpofactura[1].{key}");
        accepted(&Draft::example().item(1, key, &long(max)));
        let limit = format!("at most {max} characters");
        refused(
            &Draft::example().item(1, key, &long(max + 1)),
            &[(rule, &path, &limit, &shortened(max + 1))],
        );
        refused(&Draft::example().item(1, key, "null"), &[("JSON", &path, "a value", "\"null\"")]);
        if required {
            refused(&Draft::example().item(1, key, ""), &[(rule, &path, "a text that is not empty", "\"\"")]);
        }
    }
    let path = "formasdepago[0].forma";
    accepted(&Draft::example().payment(0, "forma", &long(20)));
    refused(
        &Draft::example().payment(0, "forma", &long(21)),
        &[("R42", path, "at most 20 characters", &long(21))],
    );
    refused(
        &Draft::example().payment(0, "forma", "\"\""),
        &[("R42", path, "a text that is not empty", "\"\"")],
    );
    refused(&Draft::example().payment(0, "forma", "null"), &[("JSON", path, "a value", "\"null\"")]);
}

#[test]
fn the_comment_is_always_written() {
    let document = accepted(&Draft::example().item(0, "comentario", ""));
    assert_eq!(document.to_json(&WireProfile::default()).matches(r#""comentario":"""#).count(), 3);
}

#[test]
fn control_characters_are_refused_and_emoji_warned_about() {
    refused(
        &Draft::example().item(0, "comentario", r#""a\nb""#),
        &[("R34", "cuerpofactura[0].comentario", "", "\"a\\nb\"")],
    );
    warned(&Draft::example().item(0, "comentario", "\"🧾\""), "R34", "cuerpofactura[0].comentario");
}

/// Rows 1, 4, 5 and section 7.
#[test]
fn identities_are_read_by_kind_and_written_canonically() {
    let identity = |kind: &str, text: &str| {
        Draft::example().set("idtipocedulacliente", kind).set("rifcedulacliente", &format!("\"{text}\""))
    };
    for (kind, given, written) in [
        ("1", "V-12345678", "V-12345678"),
        ("1", "e12345", "E-12345"),
        ("1", "V123456789", "V-123456789"),
        ("2", "ab123", "AB123"),
        ("2", "ABCDEF123456", "ABCDEF123456"),
        ("3", "J- 503757906", "J-50375790-6"),
        ("3", "g.20009997.6", "G-20009997-6"),
        ("3", "V-1234567-3", "V-01234567-3"),
        ("\"3\"", "J-12345678-4", "J-12345678-4"),
        ("", "J-12345678-4", "J-12345678-4"),
        ("", "V-12345678", "V-12345678"),
    ] {
        let json = accepted(&identity(kind, given)).to_json(&WireProfile::default());
        assert!(json.contains(&format!(r#""rifcedulacliente":"{written}""#)), "{kind} {given}: {json}");
    }
    let row = "rifcedulacliente";
    let (cedula, passport, rif) = (
        "a cédula like V-12345678 (kind 1)",
        "a passport number of 5 to 12 letters A-Z and digits (kind 2)",
        "a RIF like J-12345678-4",
    );
    for (kind, given, expected) in [
        ("1", "J-12345678-4", cedula),
        ("1", "G123456789", cedula),
        ("1", "12345678", cedula),
        ("1", "V-1234", cedula),
        ("2", "AB12", passport),
        ("2", "ABCDEF1234567", passport),
        ("2", "AB-12345", passport),
        ("3", "V-12345678", rif),
        ("3", "X-12345678-4", rif),
        ("3", "J-1234567-4", rif),
    ] {
        refused(&identity(kind, given), &[("R4", row, expected, &actual(given))]);
    }
    refused(&identity("1", ""), &[("R4", row, "the buyer's RIF, cédula or passport", "\"\"")]);
    refused(
        &identity("4", "V-12345678"),
        &[("R5", "idtipocedulacliente", "1 cédula, 2 passport or 3 RIF", "4")],
    );
    refused(&identity("", "X1234567"), &[("R5", "idtipocedulacliente", "", "\"X1234567\"")]);
    refused(&Draft::example().set("rif", "\"J-1\""), &[("R1", "rif", rif, "\"J-1\"")]);
    refused(&Draft::example().set("rif", ""), &[("R1", "rif", rif, "\"\"")]);
    refused(&Draft::example().set("rif", "null"), &[("JSON", "rif", "a value", "\"null\"")]);
}

#[test]
fn nine_digits_may_be_two_things_and_that_is_said() {
    let draft = Draft::example().set("idtipocedulacliente", "").set("rifcedulacliente", "\"V123456781\"");
    warned(&draft, "R5", "idtipocedulacliente");
    let json = accepted(&draft).to_json(&WireProfile::default());
    assert!(json.contains(r#""rifcedulacliente":"V-12345678-1","idtipocedulacliente":3"#), "{json}");
    let with_hyphens = draft.set("rifcedulacliente", "\"V-12345678-1\"");
    assert!(!warnings(&with_hyphens.build()).iter().any(|(rule, ..)| *rule == "R5"));
}

#[test]
fn a_wrong_check_digit_is_a_warning_until_it_is_raised() {
    let draft = Draft::example().set("rif", "\"J-12345678-9\"");
    warned(&draft, "CHECK-DIGIT", "rif");
    let raised = draft.builder().check_digit(Severity::Error).build();
    assert_eq!(errors(&raised), [found("CHECK-DIGIT", "rif", "check digit 4", "9")]);
    let lowered = draft.builder().check_digit(Severity::Error).check_digit(Severity::Warning).build();
    assert!(lowered.is_ok());
}

#[test]
fn emails_are_joined_and_measured_as_one() {
    let written = |draft: &Draft| accepted(draft).to_json(&WireProfile::default());
    let two = Draft::example().set("emailcliente", "\"a@example.com|b@example.com\"");
    assert!(written(&two).contains(r#""emailcliente":"a@example.com|b@example.com""#));
    assert_eq!(accepted(&two).emails().collect::<Vec<_>>(), ["a@example.com", "b@example.com"]);
    warned(&Draft::example().set("emailcliente", "\"nobody\""), "R6", "emailcliente");
    warned(&Draft::example().set("emailcliente", ""), "R6", "emailcliente");
    let address = "x".repeat(44) + "@ex.co";
    let at_limit = format!("\"{address}|{}\"", "y".repeat(43) + "@ex.co");
    accepted(&Draft::example().set("emailcliente", &at_limit));
    let beyond = format!("\"{address}|{}\"", "y".repeat(44) + "@ex.co");
    let built = Draft::example().set("emailcliente", &beyond).build();
    assert_eq!(errors(&built)[0].0, "R6");
    let blank =
        invoice().buyer(buyer().email("a@example.com").email(" ")).line(general("1.00")).build().unwrap();
    assert!(blank.to_json(&WireProfile::default()).contains(r#""emailcliente":"a@example.com""#));
}

#[test]
fn phones_are_normalised_or_warned_about() {
    for (given, written) in [("0412-1234567", "584121234567"), ("+58 412 1234567", "584121234567")] {
        let document = accepted(&Draft::example().set("telefonocliente", &format!("\"{given}\"")));
        assert!(document.to_json(&WireProfile::default()).contains(written), "{given}");
    }
    let foreign = Draft::example().set("telefonocliente", "\"+1 212 5550100\"");
    warned(&foreign, "R8", "telefonocliente");
    assert!(accepted(&foreign).to_json(&WireProfile::default()).contains("+1 212 5550100"));
}

#[test]
fn codes_are_numbers_out_and_numbers_or_texts_in() {
    let types = "1 invoice, 2 debit note, 3 credit note, 4 dispatch guide or 5 delivery note";
    let json = accepted(&Draft::example().set("idtipodocumento", "\"1\"")).to_json(&WireProfile::default());
    assert!(json.contains(r#""idtipodocumento":1,"#));
    for (key, rule, expected, bad) in [
        ("idtipodocumento", "R9", types, ["6", "0", "300", "true", "\"x\"", "1.5"]),
        ("tipomoneda", "R13", "1 bolívar, 2 US dollar or 3 euro", ["4", "0", "300", "true", "\"x\"", "[]"]),
        ("sendmail", "R27", "1 or 0", ["2", "-1", "300", "true", "\"x\"", "{}"]),
    ] {
        for token in bad {
            refused(&Draft::example().set(key, token), &[(rule, key, expected, &actual(token))]);
        }
        refused(&Draft::example().set(key, "null"), &[("JSON", key, "a value", "\"null\"")]);
    }
    let absent = Draft::example().set("idtipodocumento", "");
    refused(&absent, &[("R9", "idtipodocumento", types, "\"nothing\"")]);
    accepted(&Draft::example().set("tipomoneda", ""));
    accepted(&Draft::example().set("sendmail", "\"1\""));
}

#[test]
fn internal_numbers_keep_their_text() {
    let expected = "one to ten digits in quotes, like \"00000042\"";
    for text in ["1", "0000000042", "9999999999"] {
        let document = accepted(&Draft::example().set("numerointerno", &format!("\"{text}\"")));
        assert_eq!(document.number().as_str(), text);
    }
    for (token, actual) in [("\"\"", "\"\""), ("\"A1\"", "\"A1\""), ("\"12345678901\"", "12345678901")] {
        let draft = Draft::example().set("numerointerno", token);
        refused(&draft, &[("R10", "numerointerno", expected, actual)]);
    }
    let number = Draft::example().set("numerointerno", "42");
    refused(&number, &[("JSON", "numerointerno", "a text in quotes", "42")]);
    refused(&Draft::example().set("numerointerno", ""), &[("R10", "numerointerno", expected, "\"\"")]);
}

/// Rows 14-25: every amount of the header is read for itself.
#[test]
fn every_amount_of_the_header_is_read_and_verified() {
    for name in HeaderAmount::ALL.into_iter().filter(|name| !name.wire_name().ends_with('a')) {
        let key = name.wire_name();
        let set = |token: &str| {
            let draft = Draft::example().set(key, token);
            if key == "baseigft" { draft.set("baseigtf", "") } else { draft }
        };
        for token in ["\"NaN\"", "\"1,5\"", "\"\"", "true", "[]"] {
            let built = set(token).build();
            let errors = errors(&built);
            assert_eq!(errors.len(), 1, "{key} {token}: {errors:?}");
            assert_eq!((errors[0].1.as_str(), errors[0].2.as_str()), (key, "an exact decimal number"));
        }
        refused(&set("null"), &[("JSON", key, "a value", "\"null\"")]);
        let negative = errors(&set("-1.00").build());
        assert_eq!(negative.len(), 1, "{key}: {negative:?}");
        assert_eq!((negative[0].2.as_str(), negative[0].3.as_str()), ("0 or more", "-1.00"));
        for huge in ["90071992547409.01", "79228162514264337593543950335", "1e27"] {
            let huge = errors(&set(huge).build());
            assert_eq!(huge.len(), 1, "{key}: {huge:?}");
            assert_eq!((huge[0].0, huge[0].2.as_str()), ("I18", "at most 90071992547409"));
        }
        let too_long = errors(&set("123456789012345678901234567890").build());
        assert_eq!(too_long.len(), 1, "{key}: {too_long:?}");
        if !name.is_rate() {
            refused(&set("0.001"), &[("I18", key, "at most 2 decimals", "0.001")]);
        }
    }
}

#[test]
fn rates_are_percentages() {
    let expected = "a percentage, like 16, not a fraction like 0.16";
    for (key, rule) in [("tasag", "R16"), ("tasar", "R19"), ("tasaigtf", "R22")] {
        refused(&Draft::example().set(key, "0.16"), &[(rule, key, expected, "0.16")]);
        refused(&Draft::example().set(key, "100.5"), &[(rule, key, expected, "100.5")]);
    }
    let rates = |general: Decimal| {
        let rates = Rates { general, ..Rates::in_force(jiff_date()).unwrap() };
        invoice().line(general_line()).rates(rates).build()
    };
    assert_eq!(errors(&rates(Decimal::new(16, 2))), [found("R16", "tasag", expected, "0.16")]);
    assert_eq!(errors(&rates(Decimal::new(-16, 0))), [found("R16", "tasag", expected, "-16")]);
    assert_eq!(errors(&rates(Decimal::MAX)).len(), 1);
    assert!(rates(Decimal::ZERO).unwrap().totals().general.tax.is_zero());
}

fn jiff_date() -> jiff::civil::Date {
    jiff::civil::date(2026, 11, 22)
}

fn general_line() -> Line {
    general("10.00")
}

/// Rows 35-41.
#[test]
fn every_number_of_an_item_is_read() {
    for (key, rule) in [
        ("precio", "R35"),
        ("cantidad", "R36"),
        ("tasa", "R37"),
        ("impuesto", "R38"),
        ("descuento", "R39"),
        ("monto", "R41"),
    ] {
        let path = format!("cuerpofactura[1].{key}");
        for (token, actual) in
            [("\"NaN\"", "\"NaN\""), ("\"1e3\"", "\"1e3\""), ("true", "\"true\""), ("\"1 000\"", "\"1 000\"")]
        {
            refused(
                &Draft::example().item(1, key, token),
                &[(rule, &path, "an exact decimal number", actual)],
            );
        }
        refused(&Draft::example().item(1, key, "null"), &[("JSON", &path, "a value", "\"null\"")]);
    }
    for (key, rule) in [("precio", "R35"), ("cantidad", "R36")] {
        let path = format!("cuerpofactura[1].{key}");
        refused(&Draft::example().item(1, key, ""), &[(rule, &path, "a number", "")]);
    }
    refused(
        &Draft::example().item(1, "tasa", ""),
        &[("R37", "cuerpofactura[1].tasa", "a percentage like 16, or exento true", "")],
    );
    for token in ["\"False\"", "0", "\"false\""] {
        refused(
            &Draft::example().item(1, "exento", token),
            &[("JSON", "cuerpofactura[1].exento", "true or false", &actual(token))],
        );
    }
    accepted(&Draft::example().item(1, "precio", "20.0000").item(1, "cantidad", "1.000"));
}

/// Row 43 and I14.
#[test]
fn payments_are_above_zero_and_cover_the_total() {
    let path = "formasdepago[1].valor";
    refused(&Draft::example().payment(1, "valor", "0"), &[("R43", path, "above 0", "0.00")]);
    refused(&Draft::example().payment(1, "valor", "-1.32"), &[("R43", path, "0 or more", "-1.32")]);
    refused(&Draft::example().payment(1, "valor", "1.325"), &[("I18", path, "at most 2 decimals", "1.325")]);
    refused(&Draft::example().payment(1, "valor", ""), &[("R43", path, "a number", "")]);
    let short = Draft::example().payment(1, "valor", "1.31");
    let found_14 = found("I14", "formasdepago", "45.32", "45.31");
    assert!(warnings(&short.build()).contains(&found_14));
    let raised = short.builder().raise("I14").build();
    assert_eq!(errors(&raised), [found_14]);
    assert!(!warnings(&Draft::example().build()).iter().any(|(rule, ..)| *rule == "I14"));
}

#[test]
fn arrays_are_arrays_of_objects() {
    for key in ["cuerpofactura", "formasdepago"] {
        refused(&Draft::example().set(key, "null"), &[("JSON", key, "a value", "\"null\"")]);
        refused(&Draft::example().set(key, "\"\""), &[("JSON", key, "an array", "\"\"\"\"")]);
        refused(&Draft::example().set(key, "[7]"), &[("JSON", &format!("{key}[0]"), "an object", "7")]);
        let many = format!("[{}]", vec!["{}"; 10_001].join(","));
        refused(&Draft::example().set(key, &many), &[("JSON", key, "at most 10000 elements", "")]);
    }
    // Without items the totals stand on their own; the service wants items, which is a warning.
    let bare = Draft::example().set("cuerpofactura", "[]");
    warned(&bare, "R31", "cuerpofactura");
    assert!(accepted(&bare).to_json(&WireProfile::default()).contains(r#""cuerpofactura":[]"#));
}

// ---- Identities ----------------------------------------------------------------------------------------------------

#[test]
fn i1_line_amount() {
    refused(
        &Draft::example().item(0, "monto", "10.01"),
        &[("I1", "cuerpofactura[0].monto", "10.00", "10.01")],
    );
    // What follows from the slip is not reported again.
    let everywhere = Draft::example()
        .item(0, "monto", "11.00")
        .item(0, "impuesto", "0.88")
        .set("baser", "11.00")
        .set("impuestor", "0.88")
        .set("subtotal", "41.00")
        .set("total", "46.40");
    refused(&everywhere, &[("I1", "cuerpofactura[0].monto", "10.00", "11.00")]);
}

#[test]
fn i2_exempt_means_no_rate_and_no_tax() {
    let path = "cuerpofactura[2].exento";
    let draft = Draft::example().item(2, "tasa", "16");
    refused(&draft, &[("I2", path, "tasa 0 on an exempt line", "\"exento true, tasa 16\"")]);
    let draft = Draft::example().item(2, "exento", "false");
    refused(&draft, &[("I2", path, "exento true where tasa is 0", "\"exento false, tasa 0\"")]);
    let draft = Draft::example().item(2, "impuesto", "0.01");
    refused(&draft, &[("I2", "cuerpofactura[2].impuesto", "0.00", "0.01")]);
    accepted(&Draft::example().item(2, "exento", ""));
    accepted(&Draft::example().item(2, "tasa", ""));
}

#[test]
fn i3_line_tax() {
    let path = "cuerpofactura[1].impuesto";
    refused(&Draft::example().item(1, "impuesto", "3.21"), &[("I3", path, "3.20", "3.21")]);
}

#[test]
fn i4_price_quantity_and_discount() {
    let at = |name: &str| format!("cuerpofactura[1].{name}");
    refused(&Draft::example().item(1, "precio", "-1"), &[("I4", &at("precio"), "0 or more", "-1")]);
    refused(&Draft::example().item(1, "cantidad", "-1"), &[("I4", &at("cantidad"), "0 or more", "-1")]);
    refused(&Draft::example().item(1, "cantidad", "0"), &[("I4", &at("cantidad"), "above 0", "0")]);
    refused(&Draft::example().item(1, "cantidad", "-0.0"), &[("I4", &at("cantidad"), "above 0", "0.0")]);
    refused(&Draft::example().item(1, "descuento", "-1"), &[("I4", &at("descuento"), "0 or more", "-1")]);
    refused(
        &Draft::example().item(1, "descuento", "20.01"),
        &[("I4", &at("descuento"), "at most 20.00", "20.01")],
    );
    refused(
        &Draft::example().item(1, "descuento", "0.001"),
        &[("I18", &at("descuento"), "at most 2 decimals", "0.001")],
    );
    // A discount equal to the gross leaves a line of 0.00, which is allowed.
    let free = invoice().line(general_line()).line(general("5.00").discount("5.00")).build().unwrap();
    assert_eq!(free.totals().subtotal.to_string(), "10.00");
    let nothing = invoice().line(general("0")).build();
    assert_eq!(errors(&nothing), [found("I13", "subtotal", "above 0", "0.00")]);
}

#[test]
fn i5_a_line_takes_a_rate_of_the_document() {
    let draft = Draft::example().item(1, "tasa", "15");
    refused(&draft, &[("I5", "cuerpofactura[1].tasa", "0 or 8 or 16", "15")]);
    let luxury = Draft::bare().item(1, "tasa", "31");
    refused(&luxury, &[("I5", "cuerpofactura[1].tasa", "0 or 8 or 16", "31")]);
    let hint = luxury.build().unwrap_err().faults().iter().map(Fault::hint).collect::<String>();
    assert!(hint.contains("cannot express the luxury rate"), "{hint}");
    let allowed = luxury.builder().luxury_rate().build().unwrap();
    assert_eq!(allowed.totals().luxury.unwrap().tax.to_string(), "6.20");
    assert!(
        allowed.to_json(&WireProfile::default()).contains(r#""tasaa":31.00,"basea":20.00,"impuestoa":6.20"#)
    );
    let unasked = invoice().line(general_line()).claim(HeaderAmount::LuxuryBase, "0").build();
    assert_eq!(errors(&unasked), [found("LUXURY", "basea", "nothing", "")]);
}

#[test]
fn i6_to_i9_bases_and_taxes() {
    for (key, rule, expected, actual) in [
        ("baseg", "I6", "20.00", "21.00"),
        ("baser", "I6", "10.00", "11.00"),
        ("exento", "I7", "10.00", "11.00"),
        ("impuestog", "I8", "3.20", "3.21"),
        ("impuestor", "I8", "0.80", "0.81"),
        ("impuestoigtf", "I9", "1.32", "1.33"),
        ("subtotal", "I11", "40.00", "40.01"),
        ("total", "I12", "45.32", "45.33"),
    ] {
        refused(&Draft::example().set(key, actual), &[(rule, key, expected, actual)]);
    }
    // Without items nothing tells the bases: the others are verified among themselves.
    let bare = Draft::example().set("cuerpofactura", "[]").set("baseg", "21.00");
    let built = bare.build();
    let rules: Vec<&str> = errors(&built).iter().map(|found| found.0).collect();
    assert_eq!(rules, ["I8", "I11"]);
}

#[test]
fn i10_and_i15_igtf_base() {
    let base = |text: &str| Draft::example().set("baseigft", text).set("baseigtf", text);
    let tax = |draft: Draft, tax: &str, total: &str| draft.set("impuestoigtf", tax).set("total", total);
    accepted(&tax(base("10.00"), "0.30", "44.30"));
    refused(&tax(base("44.01"), "1.32", "45.32"), &[("I10", "baseigft", "at most 44.00", "44.01")]);
    let marked = tax(base("10.00"), "0.30", "44.30").payment(0, "foreign_currency", "true");
    let found_15 = found("I15", "baseigft", "44.00", "10.00");
    assert!(warnings(&marked.build()).contains(&found_15));
    let unequal = Draft::example().set("baseigtf", "43.00");
    refused(&unequal, &[("JSON", "baseigtf", "44.00", "43.00")]);
    let one_bad = Draft::example().set("baseigtf", "\"x\"");
    assert_eq!(errors(&one_bad.build()).len(), 1);
}

#[test]
fn the_igtf_base_follows_from_the_payments() {
    let base = |payments: &[(&str, bool)], policy| {
        let lines = [general("100.50").exempt(), general("50.00").exempt()];
        let mut builder = invoice().lines(lines).rounding(policy);
        for (value, foreign) in payments {
            builder = builder.payment(if *foreign {
                Payment::in_foreign_currency("USD", *value)
            } else {
                Payment::new("Bs", *value)
            });
        }
        let document = builder.build().unwrap();
        let igtf = document.totals().igtf;
        (igtf.base.to_string(), igtf.tax.to_string())
    };
    let expect = |base: &str, tax: &str| (base.to_owned(), tax.to_owned());
    let fiscal = RoundingPolicy::Fiscal;
    assert_eq!(base(&[], fiscal), expect("0.00", "0.00"));
    assert_eq!(base(&[("150.50", false)], fiscal), expect("0.00", "0.00"));
    assert_eq!(base(&[("150.50", true), ("4.52", false)], fiscal), expect("150.50", "4.52"));
    assert_eq!(base(&[("155.02", true)], fiscal), expect("150.50", "4.52"));
    assert_eq!(base(&[("103.52", true), ("50.00", false)], fiscal), expect("100.50", "3.02"));
    // A sale on credit: what was paid so far.
    assert_eq!(base(&[("20.00", true)], fiscal), expect("20.00", "0.60"));
    let served = RoundingPolicy::ServerCompatible;
    assert_eq!(base(&[("103.51", true), ("50.00", false)], served), expect("100.50", "3.01"));
}

#[test]
fn i13_by_type() {
    for kind in DocumentType::ALL {
        let built = of_kind(kind).line(general("10.00").discount("10.00")).build();
        let expected = found("I13", "subtotal", "above 0", "0.00");
        if matches!(kind, DocumentType::DispatchGuide | DocumentType::DeliveryNote) {
            assert!(warnings(&built).contains(&expected), "{kind:?}");
            let document = built.unwrap();
            assert_eq!(document.server_disagreements()[0].step, "S3");
        } else {
            assert_eq!(errors(&built), [expected], "{kind:?}");
        }
    }
}

#[test]
fn i16_exchange_rate() {
    let rate = |currency: &str, rate: &str| {
        Draft::example().set("tipomoneda", currency).set("tasadecambio", rate).set("tasacambio", rate)
    };
    accepted(&rate("1", "0"));
    accepted(&rate("1", "236.1234"));
    let json = accepted(&rate("2", "236.12340")).to_json(&WireProfile::default());
    assert!(json.contains(r#""tasadecambio":236.1234,"tasacambio":236.1234"#));
    let above = "the BCV rate of the day, above 0";
    refused(&rate("2", "0"), &[("I16", "tasadecambio", above, "0")]);
    refused(&rate("3", ""), &[("I16", "tasadecambio", above, "0")]);
    refused(&rate("3", "236.12345"), &[("I16", "tasadecambio", "at most 4 decimals", "236.12345")]);
    refused(&rate("2", "-1"), &[("R12", "tasadecambio", "0 or more", "-1")]);
}

#[test]
fn i17_notes_refer_to_invoices_and_nothing_else_does() {
    let control = "the control number of the invoice, like 00-00000042";
    for kind in ["2", "3"] {
        let note = Draft::example().set("idtipodocumento", kind);
        refused(&note, &[("I17", "relacionado", control, "")]);
        refused(&note.clone().set("relacionado", "\"\""), &[("I17", "relacionado", control, "")]);
        let internal = note.clone().set("relacionado", "\"00000042\"");
        let expected = "a control number like 00-00000042, or nothing on types 1, 4 and 5";
        refused(&internal, &[("I17", "relacionado", expected, "00000042")]);
        let right = note.set("relacionado", "\"00-42\"");
        warned(&right, "R30", "observacion");
        assert!(accepted(&right).to_json(&WireProfile::default()).contains(r#""relacionado":"00-42""#));
    }
    for kind in ["1", "4", "5"] {
        let draft = Draft::example().set("idtipodocumento", kind);
        accepted(&draft.clone().set("relacionado", "\"\""));
        let related = draft.set("relacionado", "\"00-00000042\"");
        refused(&related, &[("I17", "relacionado", "nothing", "00-00000042")]);
    }
}

#[test]
fn i17_the_previous_regime_takes_free_text_and_a_remark() {
    let note = Draft::example().set("idtipodocumento", "3").set("regimenanterior", "1");
    let related = |text: &str| note.clone().set("relacionado", text).set("observacion", "\"Devolución\"");
    let json = accepted(&related("\"A-000123\"")).to_json(&WireProfile::default());
    assert!(json.contains(r#""relacionado":"A-000123","regimenanterior":1"#), "{json}");
    let no_remark = note.clone().set("relacionado", "\"A-000123\"");
    refused(&no_remark, &[("I17", "observacion", "a text that is not empty", "")]);
    refused(
        &related("\"1234567890123\""),
        &[("R11", "relacionado", "at most 12 characters", "1234567890123")],
    );
    refused(&related(""), &[("R11", "relacionado", "a text that is not empty", "\"\"")]);
    let invoice = related("\"A-000123\"").set("idtipodocumento", "1");
    refused(&invoice, &[("I17", "regimenanterior", "nothing", "")]);
    refused(&Draft::example().set("regimenanterior", "2"), &[("I17", "regimenanterior", "1 or 0", "2")]);
}

#[test]
fn i19_no_base_no_tax() {
    let built = invoice().line(general_line()).claim(HeaderAmount::ReducedTax, "0.01").build();
    assert_eq!(errors(&built), [found("I19", "impuestor", "0.00", "0.01")]);
    let igtf = invoice().line(general_line()).claim(HeaderAmount::IgtfTax, "0.01").build();
    assert_eq!(errors(&igtf), [found("I19", "impuestoigtf", "0.00", "0.01")]);
}

#[test]
fn line_drift_is_a_warning_and_the_base_wins() {
    let cent = || general("0.03");
    let document = invoice().lines([cent(), cent(), cent()]).build().unwrap();
    assert_eq!(document.totals().general.tax.to_string(), "0.01");
    let drift = found("I8", "impuestog", "0.01", "\"0.00 as the sum of the lines\"");
    assert!(of_severity(document.warnings(), Severity::Warning).contains(&drift));
}

#[test]
fn two_groups_at_one_rate_do_not_count_twice() {
    let rates = Rates { reduced: 16.into(), ..Rates::in_force(jiff_date()).unwrap() };
    let document =
        invoice().rates(rates).line(general_line()).line(general_line().reduced()).build().unwrap();
    let totals = document.totals();
    assert_eq!(
        (totals.general.base.to_string(), totals.reduced.base.to_string()),
        ("20.00".into(), "0.00".into())
    );
    assert_eq!(totals.total.to_string(), "23.20");
}

// ---- All faults at once --------------------------------------------------------------------------------------------

#[test]
fn everything_wrong_is_told_at_once() {
    let mut draft = Draft::example();
    for (key, token) in [
        ("rif", "\"J-1\""),
        ("trackingid", &long(51)),
        ("nombrecliente", "\"\""),
        ("rifcedulacliente", "\"V-1\""),
        ("emailcliente", &long(101)),
        ("direccioncliente", "null"),
        ("telefonocliente", "\"\""),
        ("numerointerno", "\"A1\""),
        ("relacionado", "\"00-00000042\""),
        ("tasadecambio", "\"x\""),
        ("tipomoneda", "9"),
        ("tasag", "0.16"),
        ("impuestog", "\"NaN\""),
        ("baseg", "\"NaN\""),
        ("baser", "-1"),
        ("tasaigtf", "300"),
        ("impuestoigtf", "1.333"),
        ("subtotal", "\"1,00\""),
        ("total", "99999999999999999"),
        ("sendmail", "2"),
        ("sucursal", &long(11)),
        ("observacion", &long(201)),
    ] {
        draft = draft.set(key, token);
    }
    draft = draft
        .item(0, "codigo", "\"\"")
        .item(0, "precio", "\"NaN\"")
        .item(0, "cantidad", "-1")
        .item(0, "monto", "\"x\"")
        .item(1, "exento", "\"True\"")
        .item(1, "monto", "20.01")
        .item(2, "tasa", "7")
        .payment(0, "forma", "\"\"")
        .payment(1, "valor", "0");
    let built = draft.build();
    let paths: Vec<String> = errors(&built).into_iter().map(|(_, path, ..)| path).collect();
    let expected = [
        "rif",
        "trackingid",
        "nombrecliente",
        "rifcedulacliente",
        "emailcliente",
        "direccioncliente",
        "telefonocliente",
        "numerointerno",
        "relacionado",
        "tasadecambio",
        "tipomoneda",
        "tasag",
        "impuestog",
        "baseg",
        "baser",
        "tasaigtf",
        "impuestoigtf",
        "subtotal",
        "total",
        "sendmail",
        "sucursal",
        "observacion",
        "cuerpofactura[0].codigo",
        "cuerpofactura[0].precio",
        "cuerpofactura[0].cantidad",
        "cuerpofactura[0].monto",
        "cuerpofactura[1].exento",
        "cuerpofactura[1].monto",
        "cuerpofactura[2].exento",
        "formasdepago[0].forma",
        "formasdepago[1].valor",
    ];
    for path in expected {
        assert_eq!(paths.iter().filter(|found| *found == path).count(), 1, "{path} in {paths:?}");
    }
    assert_eq!(paths.len(), expected.len(), "{paths:?}");
    let report = built.unwrap_err().report().to_string();
    assert!(expected.iter().all(|path| report.contains(path)));
}

#[test]
fn verify_only_asks_for_every_amount() {
    assert!(Draft::example().builder().verify_only().build().is_ok());
    let missing = |draft: Draft| -> Vec<(&'static str, String)> {
        let built = draft.builder().verify_only().build();
        errors(&built).into_iter().map(|(rule, path, ..)| (rule, path)).collect()
    };
    let expected: Vec<(&str, String)> = [
        ("R38", "cuerpofactura[0].impuesto"),
        ("R41", "cuerpofactura[0].monto"),
        ("R38", "cuerpofactura[1].impuesto"),
        ("R41", "cuerpofactura[1].monto"),
        ("R38", "cuerpofactura[2].impuesto"),
        ("R41", "cuerpofactura[2].monto"),
        ("R14", "subtotal"),
        ("R15", "exento"),
        ("R16", "tasag"),
        ("R17", "baseg"),
        ("R18", "impuestog"),
        ("R19", "tasar"),
        ("R20", "baser"),
        ("R21", "impuestor"),
        ("R22", "tasaigtf"),
        ("R23", "baseigft"),
        ("R24", "impuestoigtf"),
        ("R25", "total"),
    ]
    .map(|(rule, path)| (rule, path.to_owned()))
    .into();
    let mut found = missing(Draft::bare());
    found.sort_by(|left, right| left.1.cmp(&right.1));
    let mut sorted = expected;
    sorted.sort_by(|left, right| left.1.cmp(&right.1));
    assert_eq!(found, sorted);
    // Without lines too; a null is not also reported as missing.
    assert!(missing(Draft::example().set("cuerpofactura", "[]")).is_empty());
    assert_eq!(missing(Draft::example().set("baseg", "null")), [("JSON", "baseg".to_owned())]);
}

#[test]
fn a_json_text_that_is_no_object_says_where() {
    for text in ["", "[]", "null", "{", r#"{"exento":True}"#, r#"{"total":NaN}"#] {
        let error = Document::from_json(text.as_bytes()).unwrap_err();
        assert!(error.is_validation() && error.faults()[0].hint().contains("line"), "{text}: {error}");
    }
    assert!(Document::from_json(&[0xff; 16]).is_err());
    assert!(Document::from_json(&vec![b' '; 8 * 1024 * 1024 + 1]).is_err());
}

#[test]
fn keys_are_kept_reported_or_refused() {
    let json = accepted(&Draft::example().set("serial", "\"B\"").item(0, "intipounidad", "2"))
        .to_json(&WireProfile::default());
    assert!(
        json.ends_with(r#","serial":"B"}"#) && json.contains(r#""monto":10.00,"intipounidad":2}"#),
        "{json}"
    );
    warned(&Draft::example().set("serial", "\"B\""), "EXTRA", "serial");
    refused(&Draft::example().set("fecha_emision", "\"x\""), &[("EXTRA", "fecha_emision", "", "")]);
    let twice = EXAMPLE.replacen('{', r#"{"rif":"J-12345678-4","#, 1);
    let built = Document::from_json(twice.as_bytes()).unwrap().build();
    assert_eq!(errors(&built), [found("JSON", "rif", "", "")]);
    let shadowing = invoice()
        .line(general_line().extra("monto", 1))
        .payment(Payment::new("Bs", "11.60").extra("valor", 1))
        .extra("total", 1)
        .extra("nuevo", true)
        .extra("nuevo", false)
        .build();
    let paths: Vec<String> = errors(&shadowing).into_iter().map(|(_, path, ..)| path).collect();
    assert_eq!(paths, ["total", "nuevo", "cuerpofactura[0].monto", "formasdepago[0].valor"]);
}

#[test]
fn drafts_of_hostile_size_take_linear_work() {
    let keys: Vec<String> = (0..200_000).map(|index| format!("\"k{index}\":1")).collect();
    let built = Document::from_json(format!("{{{}}}", keys.join(",")).as_bytes()).unwrap().build();
    assert!(built.unwrap_err().faults().len() > 200_000);
    let bars = format!("\"{}\"", "a|".repeat(1_000_000));
    assert!(errors(&Draft::example().set("emailcliente", &bars).build()).len() == 1);
    let huge = "x".repeat(10_000_000);
    let error = invoice()
        .buyer(
            Buyer::new(huge.clone(), huge.clone())
                .address(huge.clone())
                .phone(huge.clone())
                .email(huge.clone()),
        )
        .line(Line::new(huge.clone(), huge.clone(), huge.clone(), 1).comment(huge.clone()))
        .remark(huge)
        .build()
        .unwrap_err();
    assert!(error.report().to_string().len() < 10_000);
}

// ---- The service's arithmetic and the wire form --------------------------------------------------------------------

#[test]
fn fiscal_and_server_compatible_differ_by_a_reported_cent() {
    let tie =
        |policy| invoice().line(general("0.50").exempt()).igtf_base("0.50").rounding(policy).build().unwrap();
    let fiscal = tie(RoundingPolicy::Fiscal);
    assert_eq!(fiscal.totals().igtf.tax.to_string(), "0.02");
    let predicted = found("S1", "impuestoigtf", "0.01 by the service's doubles", "0.02");
    assert!(of_severity(fiscal.warnings(), Severity::Warning).contains(&predicted));
    let served = tie(RoundingPolicy::ServerCompatible);
    assert_eq!(served.totals().igtf.tax.to_string(), "0.01");
    assert!(of_severity(served.warnings(), Severity::Warning).contains(&found(
        "S1",
        "impuestoigtf",
        "0.02",
        "0.01"
    )));
    assert!(served.server_disagreements().is_empty());

    let half =
        |policy| invoice().line(Line::new("A1", "Cinta", "0.29", "0.5")).rounding(policy).build().unwrap();
    let fiscal = half(RoundingPolicy::Fiscal);
    assert_eq!(fiscal.totals().subtotal.to_string(), "0.15");
    let found_4 = &fiscal.server_disagreements()[0];
    assert_eq!((found_4.step, found_4.path.as_str()), ("S4", "cuerpofactura[0].monto"));
    assert_eq!(found_4.server, Some(Decimal::new(14, 2)));
    let served = half(RoundingPolicy::ServerCompatible);
    assert_eq!(served.totals().subtotal.to_string(), "0.14");
    assert!(served.server_disagreements().is_empty());
}

#[test]
fn amounts_that_are_wrong_by_our_rules_are_not_predicted_too() {
    let built = Draft::example().set("total", "45.33").build();
    assert!(!warnings(&built).iter().any(|(rule, ..)| rule.starts_with('S')), "{:?}", warnings(&built));
}

#[test]
fn s5_stored_bolivars_are_rounded_one_by_one() {
    let document = invoice().line(general("20.00")).currency(Currency::Dollar, "236.1234").build().unwrap();
    let stored: Vec<String> = document
        .bolivar_columns()
        .into_iter()
        .filter(|(name, _)| matches!(name, HeaderAmount::Subtotal | HeaderAmount::Total))
        .map(|(_, amount)| amount.to_string())
        .collect();
    assert_eq!(stored, ["4722.4680", "5478.0629"]);
    assert!(invoice().line(general_line()).build().unwrap().bolivar_columns().is_empty());
    assert_eq!(server::bolivars(Decimal::MAX, Decimal::MAX), None);
}

#[test]
fn profiles_change_the_doubtful_keys_only() {
    let document = accepted(&Draft::example());
    let written = |profile: &WireProfile| Draft::read(&document.to_json(profile)).header;
    let keys = |profile: WireProfile| -> Vec<String> {
        written(&profile)
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| key.contains("cambio") || key.starts_with("baseig"))
            .collect()
    };
    let spelled = |spelling| keys(WireProfile::default().spelling(spelling));
    assert_eq!(spelled(Spelling::Both), ["baseigft", "baseigtf", "tasacambio", "tasadecambio"]);
    assert_eq!(spelled(Spelling::Documented), ["baseigft", "tasadecambio"]);
    assert_eq!(spelled(Spelling::Observed), ["baseigtf", "tasacambio"]);
    let json = document.to_json(&WireProfile::default());
    assert!(json.contains(r#""sendmail":0,"#) && !json.contains("relacionado"));
    let other = WireProfile::default().sendmail_as_text(true).empty_related(true).payments_key("pagos");
    let json = document.to_json(&other);
    assert!(json.contains(r#""sendmail":"0""#) && json.contains(r#""relacionado":"""#));
    assert!(json.contains(r#""pagos":[{"#) && !json.contains("formasdepago"));
}

#[test]
fn numbers_have_a_fixed_scale_and_no_exponent() {
    let document = invoice()
        .line(Line::new("A1", "Uno", "1e2".trim_end_matches("e2"), "0.00001").comment(""))
        .line(Line::new("A2", "Dos", "0.0000001", "10000000"))
        .currency(Currency::Euro, "36")
        .build()
        .unwrap();
    let json = document.to_json(&WireProfile::default());
    assert!(json.contains(r#""tasadecambio":36.0000,"tasacambio":36.0000"#), "{json}");
    assert!(json.contains(r#""precio":1.00,"cantidad":0.00001"#) && json.contains(r#""precio":0.0000001"#));
    assert!(
        json.contains(r#""tasag":16.00"#)
            && json.contains(r#""monto":0.00"#)
            && json.contains(r#""monto":1.00"#)
    );
    for (_, value) in Draft::read(&json).header {
        assert!(!value.starts_with(|c: char| c.is_ascii_digit()) || !value.contains(['e', 'E']), "{value}");
    }
}

#[test]
fn all_five_types_are_built() {
    for kind in DocumentType::ALL {
        let document = of_kind(kind).line(general_line()).build().unwrap();
        assert_eq!(document.kind(), kind);
        let json = document.to_json(&WireProfile::default());
        assert!(json.contains(&format!(r#""idtipodocumento":{},"#, kind.code())), "{json}");
        assert_eq!(json.contains("relacionado"), kind.is_note());
        let again = Document::from_json(json.as_bytes()).unwrap().build().unwrap();
        assert_eq!(again.to_json(&WireProfile::default()), json);
    }
}

// ---- What must hold of any document --------------------------------------------------------------------------------

fn buyer() -> Buyer {
    Buyer::new("Comercial Ejemplo", "J-12345678-4")
        .address("Calle 1")
        .phone("584121234567")
        .kind(IdentityKind::Rif)
}

fn invoice() -> DocumentBuilder {
    Document::invoice("J-12345678-4", 42).buyer(buyer()).dated(jiff_date())
}

fn general(price: &str) -> Line {
    Line::new("A1", "Uno", price, 1)
}

fn of_kind(kind: DocumentType) -> DocumentBuilder {
    let (rif, number) = ("J-12345678-4", 42);
    let related: ControlNumber = "00-00000041".parse().unwrap();
    let builder = match kind {
        DocumentType::Invoice => Document::invoice(rif, number),
        DocumentType::DebitNote => Document::debit_note(rif, number, related),
        DocumentType::CreditNote => Document::credit_note(rif, number, related),
        DocumentType::DispatchGuide => Document::dispatch_guide(rif, number),
        DocumentType::DeliveryNote => Document::delivery_note(rif, number),
        _ => unreachable!(),
    };
    builder.buyer(buyer()).dated(jiff_date()).remark("Motivo")
}

/// A number token as an integer with ten decimals: all that the generated documents need, in 128 bits.
const SCALE: u32 = 10;

fn scaled(token: &str) -> i128 {
    let (whole, fraction) = token.split_once('.').unwrap_or((token, ""));
    assert!(
        fraction.len() <= SCALE as usize && token.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit())
    );
    format!("{whole}{fraction:0<width$}", width = SCALE as usize).parse().unwrap()
}

/// Half-up to cents of `value` / 10^`decimals`.
fn cents(value: i128, decimals: u32) -> i128 {
    let unit = 10i128.pow(decimals - 2);
    (value + unit / 2).div_euclid(unit)
}

/// A token that must have two decimals, in cents.
fn money(token: &str) -> i128 {
    assert_eq!(token.split_once('.').map(|(_, fraction)| fraction.len()), Some(2), "{token}");
    token.replace('.', "").parse().unwrap()
}

struct Sent(Vec<(String, String)>);

impl Sent {
    fn get(&self, key: &str) -> &str {
        &self.0.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("no {key}")).1
    }

    fn money(&self, key: &str) -> i128 {
        money(self.get(key))
    }
}

/// I1 to I19 in whole cents, from the text that would be sent.
fn satisfies_the_identities(json: &str) {
    let draft = Draft::read(json);
    let header = Sent(draft.header);
    let rate = |key: &str| scaled(header.get(key));
    let percent = |base: i128, rate: i128| cents(base * rate, 2 + 2 + SCALE);
    let (mut general, mut reduced, mut exempt) = (0, 0, 0);
    for item in draft.items.into_iter().map(Sent) {
        let [price, quantity, discount] =
            ["precio", "cantidad", "descuento"].map(|key| scaled(item.get(key)));
        let (gross, discount) = (price * quantity, discount * 10i128.pow(SCALE));
        assert!(price >= 0 && quantity > 0 && (0..=gross).contains(&discount), "I4");
        assert_eq!(item.money("monto"), cents(gross - discount, 2 * SCALE), "I1");
        let tax = scaled(item.get("tasa"));
        let is_exempt = item.get("exento") == "true";
        assert_eq!(is_exempt, tax == 0, "I2");
        assert_eq!(item.money("impuesto"), percent(item.money("monto"), tax), "I3");
        let sum = if is_exempt {
            &mut exempt
        } else if tax == rate("tasag") {
            &mut general
        } else {
            assert_eq!(tax, rate("tasar"), "I5");
            &mut reduced
        };
        *sum += item.money("monto");
    }
    let amount = |key: &str| header.money(key);
    assert_eq!((amount("baseg"), amount("baser"), amount("exento")), (general, reduced, exempt), "I6, I7");
    assert_eq!(amount("impuestog"), percent(general, rate("tasag")), "I8");
    assert_eq!(amount("impuestor"), percent(reduced, rate("tasar")), "I8");
    assert_eq!(amount("impuestoigtf"), percent(amount("baseigft"), rate("tasaigtf")), "I9");
    assert_eq!(amount("baseigft"), amount("baseigtf"));
    let vat = amount("impuestog") + amount("impuestor");
    assert!((0..=amount("subtotal") + vat).contains(&amount("baseigft")), "I10");
    assert_eq!(amount("subtotal"), general + reduced + exempt, "I11");
    assert_eq!(amount("total"), amount("subtotal") + vat + amount("impuestoigtf"), "I12");
    assert!(amount("subtotal") > 0, "I13");
    let exchange = header.get("tasadecambio");
    assert_eq!(exchange.split_once('.').map(|(_, decimals)| decimals.len()), Some(4), "I16");
    assert!(header.get("tipomoneda") == "1" || scaled(exchange) > 0, "I16");
    let note = matches!(header.get("idtipodocumento"), "2" | "3");
    assert_eq!(note, header.0.iter().any(|(key, _)| key == "relacionado"), "I17");
    for (base, tax) in [("baseg", "impuestog"), ("baser", "impuestor"), ("baseigft", "impuestoigtf")] {
        assert!(amount(base) > 0 || amount(tax) == 0, "I19");
    }
    for payment in draft.payments.into_iter().map(Sent) {
        assert!(payment.money("valor") > 0, "row 43");
    }
}

fn any_line() -> impl Strategy<Value = Line> {
    let price = (0i64..1_000_000, 2u32..=5).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale));
    let quantity = (1i64..100_000, 0u32..=4).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale));
    (price, quantity, 0i64..=100, 0u8..3).prop_map(|(price, quantity, share, tax)| {
        let most = (price * quantity).trunc_with_scale(2);
        let discount = (most * Decimal::new(share, 2)).trunc_with_scale(2);
        let line = Line::new("A1", "Uno", price, quantity).discount(discount);
        match tax {
            0 => line,
            1 => line.reduced(),
            _ => line.exempt(),
        }
    })
}

fn any_document() -> impl Strategy<Value = DocumentBuilder> {
    let lines = proptest::collection::vec(any_line(), 1..8);
    let payments = proptest::collection::vec((1i64..10_000_000, any::<bool>()), 0..4);
    (lines, payments, 0usize..5, 0u8..3, 1i64..100_000_000).prop_map(
        |(lines, payments, kind, currency, rate)| {
            let mut builder = of_kind(DocumentType::ALL[kind]).lines(lines);
            for (value, foreign) in payments {
                let value = Decimal::new(value, 2);
                builder = builder.payment(if foreign {
                    Payment::in_foreign_currency("USD", value)
                } else {
                    Payment::new("Bs", value)
                });
            }
            match currency {
                0 => builder,
                1 => builder.currency(Currency::Dollar, Decimal::new(rate, 4)),
                _ => builder.currency(Currency::Euro, Decimal::new(rate, 4)),
            }
        },
    )
}

/// Tokens of every shape, right and wrong.
fn any_token() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][-+]?[0-9]{1,4})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "[-+]?[0-9.,eE]{0,12}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            inner.prop_map(|value| format!("{{\"codigo\":{value}}}")),
        ]
    })
}

fn every_place() -> Vec<(u8, String)> {
    let draft = Draft::example();
    let header = draft.header.iter().map(|(key, _)| (0, key.clone()));
    let more = [
        "relacionado",
        "regimenanterior",
        "trackingid",
        "tasaa",
        "basea",
        "impuestoa",
        "fechavence",
        "observacion",
    ];
    let arrays = ["cuerpofactura", "formasdepago"];
    let header = header.chain(more.iter().chain(&arrays).map(|key| (0, (*key).to_owned())));
    let items = draft.items[0].iter().map(|(key, _)| (1, key.clone()));
    let payments = draft.payments[0].iter().map(|(key, _)| (2, key.clone()));
    header.chain(items).chain(payments).chain([(2, "foreign_currency".to_owned())]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_document_satisfies_every_identity_and_reads_back_as_itself(builder in any_document()) {
        match builder.build() {
            Ok(document) if document.totals().subtotal.is_zero() => {}
            Ok(document) => {
                let json = document.to_json(&WireProfile::default());
                satisfies_the_identities(&json);
                let again = Document::from_json(json.as_bytes()).unwrap().dated(jiff_date());
                prop_assert_eq!(again.clone().build().unwrap().to_json(&WireProfile::default()), json.clone());
                prop_assert_eq!(again.verify_only().build().unwrap().to_json(&WireProfile::default()), json);
            }
            Err(error) => {
                let only_empty = error.faults().iter().filter(|f| f.severity() == Severity::Error).all(|f| f.rule() == "I13");
                prop_assert!(only_empty, "{}", error.report());
            }
        }
    }

    #[test]
    fn the_services_cents_are_never_predicted_to_fail(builder in any_document()) {
        if let Ok(document) = builder.rounding(RoundingPolicy::ServerCompatible).build() {
            let found = document.server_disagreements();
            prop_assert!(found.is_empty() || document.totals().subtotal.is_zero(), "{found:?}");
            let json = document.to_json(&WireProfile::default());
            let again = Document::from_json(json.as_bytes()).unwrap().rounding(RoundingPolicy::ServerCompatible);
            prop_assert_eq!(again.dated(jiff_date()).build().unwrap().to_json(&WireProfile::default()), json);
        }
    }

    #[test]
    fn any_value_in_any_field_is_a_fault_or_accepted(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any_token()), 1..4),
        verify in any::<bool>(),
    ) {
        let places = every_place();
        let mut draft = Draft::example();
        for (index, token) in &changes {
            let (level, key) = index.get(&places);
            draft = match level {
                0 => draft.set(key, token),
                1 => draft.item(0, key, token),
                _ => draft.payment(0, key, token),
            };
        }
        let builder = Document::from_json(draft.json().as_bytes()).unwrap();
        match (if verify { builder.verify_only() } else { builder }).build() {
            Ok(document) => prop_assert!(!document.to_json(&WireProfile::default()).is_empty()),
            Err(error) => {
                prop_assert!(!error.faults().is_empty());
                prop_assert!(error.to_string().len() < 4_000);
                // A field is reported once: one slip, one fault.
                let mut paths: Vec<&str> = error.faults().iter()
                    .filter(|fault| fault.severity() == Severity::Error).map(Fault::path).collect();
                let all = paths.len();
                paths.sort_unstable();
                paths.dedup();
                prop_assert!(all <= paths.len() + 1, "{}", error.report());
            }
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::from_json(text.as_bytes()).map(DocumentBuilder::build);
        let _ = Document::from_json(&bytes).map(DocumentBuilder::build);
        let _ = invoice().line(Line::new(&text, &text, text.as_str(), text.as_str()).discount(text.as_str())).build();
    }
}
