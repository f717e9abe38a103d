//! Drafts that are no documents: bytes of all kinds end in a clear error, never in a panic, and nothing is sent.

use fiscal_printer::{Document, Error, ErrorKind, Outcome, Severity, WireProfile};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{check_text, client, sandbox};

const MEGABYTE: usize = 1024 * 1024;

fn read(json: &[u8]) -> Result<Document, Error> {
    Document::from_json(json)?.build()
}

/// A complete draft of a document, for changing.
fn draft() -> Value {
    json!({
        "rif": "J-12345678-4", "idtipodocumento": 1, "numerointerno": "00000001", "tipomoneda": 1,
        "nombrecliente": "Comercial Ejemplo", "rifcedulacliente": "V-12345678", "idtipocedulacliente": 1,
        "emailcliente": "compras@example.com", "direccioncliente": "Calle 1", "telefonocliente": "584121234567",
        "cuerpofactura": [
            {"codigo": "A2", "descripcion": "Dos", "comentario": "", "precio": "20.00", "cantidad": 1, "tasa": 16,
             "descuento": 0, "exento": false}
        ],
        "formasdepago": [{"forma": "Efectivo", "valor": "23.20"}]
    })
}

/// One validation error on one short line, with advice, that was not sent.
fn check(name: &str, error: &Error) {
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Validation, Outcome::NotSent), "{name}: {error}");
    check_text(error, error.operation(), None);
    assert!(error.to_string().len() < 3_000, "{name}: {} bytes of text", error.to_string().len());
    assert!(error.faults().iter().any(|fault| fault.severity() == Severity::Error), "{name}");
    for fault in error.faults() {
        assert!(!fault.path().is_empty() && fault.to_string().len() < 1_000, "{name}: {fault}");
        assert!(!fault.to_string().chars().any(char::is_control), "{name}: {fault:?}");
    }
}

fn with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut draft = draft();
    change(&mut draft);
    draft.to_string().into_bytes()
}

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let text = draft().to_string();
    let nested =
        |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat().into_bytes();
    let nested_field = |open: &str, close: &str| {
        let deep = [open.repeat(50_000), "1".into(), close.repeat(50_000)].concat();
        text.replacen("\"Calle 1\"", &deep, 1).into_bytes()
    };
    vec![
        ("nothing", Vec::new()),
        ("blanks", b" \n\t".to_vec()),
        ("a byte order mark alone", b"\xef\xbb\xbf".to_vec()),
        ("two byte order marks", [b"\xef\xbb\xbf\xef\xbb\xbf".as_slice(), text.as_bytes()].concat()),
        ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("no UTF-8", vec![0xff; 1000]),
        (
            "broken UTF-8 in a text",
            text.replace("Calle 1", "\u{0}")
                .replace('\u{0}', "?")
                .into_bytes()
                .iter()
                .map(|b| if *b == b'?' { 0xc3 } else { *b })
                .collect(),
        ),
        ("ten megabytes of text", vec![b'x'; 10 * MEGABYTE]),
        (
            "ten megabytes of blanks before a document",
            [vec![b' '; 10 * MEGABYTE], text.clone().into_bytes()].concat(),
        ),
        (
            "seven megabytes of one field",
            with(|draft| draft["nombrecliente"] = "n".repeat(7 * MEGABYTE).into()),
        ),
        (
            "seven megabytes of emoji",
            with(|draft| draft["nombrecliente"] = "🧾".repeat(7 * MEGABYTE / 4).into()),
        ),
        ("seven megabytes of digits", text.replace("\"20.00\"", &"9".repeat(7 * MEGABYTE)).into_bytes()),
        (
            "a key of a megabyte",
            with(|draft| draft["k".repeat(MEGABYTE)] = Value::Null).into_iter().chain(*b" ,").collect(),
        ),
        (
            "a hundred thousand keys",
            with(|draft| (0..20_000).for_each(|n| draft[format!("x\n{n}")] = json!({"a": 1})))
                .into_iter()
                .chain(*b"}")
                .collect(),
        ),
        ("emoji", "🧾🧾🧾".as_bytes().to_vec()),
        ("emoji as an identity", with(|draft| draft["rifcedulacliente"] = "🧾".into())),
        ("control characters", with(|draft| draft["nombrecliente"] = "a\u{1b}[31m\r\nb\u{202e}".into())),
        ("a bare null", b"null".to_vec()),
        ("a bare number", b"42".to_vec()),
        ("a text", b"\"document\"".to_vec()),
        ("a list", [b"[".as_slice(), text.as_bytes(), b"]"].concat()),
        ("two documents", [text.as_bytes(), text.as_bytes()].concat()),
        ("a trailing comma", text.replacen("}]", ",}]", 1).into_bytes()),
        ("a cut document", text.as_bytes()[..text.len() / 2].to_vec()),
        ("deep lists", nested("[", "]")),
        ("deep objects", nested("{\"a\":", "}")),
        ("deep lists in a field", nested_field("[", "]")),
        ("deep objects in a field", nested_field("{\"a\":", "}")),
        ("an unterminated deep list", vec![b'['; 1_000_000]),
        ("a key twice", text.replacen("{\"", "{\"rif\":\"J-12345678-4\",\"", 1).into_bytes()),
        (
            "a key twice, once escaped",
            text.replacen("{\"", "{\"\\u0072if\":\"J-12345678-4\",\"", 1).into_bytes(),
        ),
        ("a lonely surrogate", text.replace("Calle 1", "\\ud83e").into_bytes()),
        ("an empty object", b"{}".to_vec()),
        ("no items but a number", with(|draft| draft["cuerpofactura"] = json!(1))),
        ("null items", with(|draft| draft["cuerpofactura"] = json!([null, null]))),
        (
            "a hundred thousand empty items",
            with(|draft| draft["cuerpofactura"] = json!(vec![json!({}); 100_000])),
        ),
        ("comments", [b"/* c */".as_slice(), text.as_bytes()].concat()),
        ("single quotes", text.replace('"', "'").into_bytes()),
    ]
}

#[test]
fn the_draft_itself_is_right_and_a_byte_order_mark_does_no_harm() {
    let text = draft().to_string();
    let plain = read(text.as_bytes()).unwrap();
    let marked = read(&[b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat()).unwrap();
    let profile = WireProfile::default();
    assert_eq!(plain.to_json(&profile), marked.to_json(&profile));
    assert_eq!(plain.totals().total.to_string(), "23.20");
}

/// Every value of the draft, replaced by `null` alone and all together: each is named by its path.
#[test]
fn nulls_are_named_wherever_they_stand() {
    let pointers = |value: &Value| {
        let mut found = Vec::new();
        walk(value, "", "", &mut found);
        found
    };
    let all = pointers(&draft());
    for (pointer, path) in &all {
        let bytes = with(|draft| *draft.pointer_mut(pointer).unwrap() = Value::Null);
        let error = read(&bytes).expect_err(path);
        check(path, &error);
        assert!(error.faults().iter().any(|fault| fault.path() == path), "{path}: {error}");
    }
    let bytes = with(|draft| {
        for (pointer, _) in all.iter().rev().filter(|(pointer, _)| !pointer.ends_with(['0', 's', 'o', 'a'])) {
            *draft.pointer_mut(pointer).unwrap() = Value::Null;
        }
    });
    check("nulls everywhere", &read(&bytes).unwrap_err());
}

fn walk(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    if !path.is_empty() {
        found.push((pointer.to_owned(), path.to_owned()));
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                walk(value, &format!("{pointer}/{key}"), &format!("{path}{dot}{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{pointer}/{index}"), &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// Warnings do not hide the one error from the one line.
#[test]
fn the_line_names_errors_before_warnings() {
    let bytes = with(|draft| {
        for name in ["uno", "dos", "tres", "cuatro", "cinco", "seis"] {
            draft[name] = json!(1);
        }
        draft["total"] = json!("23.21");
    });
    let error = read(&bytes).unwrap_err();
    assert!(error.to_string().contains("total [I12]: expected 23.20, got 23.21"), "{error}");
}

/// Computed or brought, an amount has the same limit: 2^53 cents.
#[test]
fn amounts_too_large_for_cents_are_refused_computed_or_brought() {
    let line = |price: &str, rate: u8| {
        json!({"codigo": "A", "descripcion": "Uno", "comentario": "", "precio": price, "cantidad": 1, "tasa": rate,
               "descuento": 0, "exento": rate == 0})
    };
    let largest = "90071992547409.00";
    let fits = with(|draft| draft["cuerpofactura"] = json!([line(largest, 0)]));
    assert_eq!(read(&fits).unwrap().totals().total.to_string(), largest);
    let computed = with(|draft| draft["cuerpofactura"] = json!([line(largest, 0), line("1.00", 16)]));
    let error = read(&computed).expect_err("the subtotal is too large");
    check("computed", &error);
    let brought = with(|draft| {
        draft["cuerpofactura"] = json!([line(largest, 0), line("1.00", 16)]);
        draft["subtotal"] = json!("90071992547410.00");
    });
    for error in [error, read(&brought).unwrap_err()] {
        assert!(
            error.faults().iter().any(|fault| (fault.rule(), fault.path()) == ("I18", "subtotal")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_is_no_document_ends_in_a_clear_error_and_reaches_nobody() {
    let sandbox = sandbox().await;
    let client = client(sandbox.fiscal());
    for (name, bytes) in hostile() {
        match read(&bytes) {
            Err(error) => check(name, &error),
            Ok(document) => panic!("{name} became a document, and then {:?}", client.issue(&document).await),
        }
    }
    assert_eq!(sandbox.fiscal().connections(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Err(error) = read(&bytes) {
            check("bytes", &error);
        }
    }

    #[test]
    fn no_change_of_bytes_panics(at in 0usize..600, byte in any::<u8>(), cut in 0usize..4) {
        let mut bytes = draft().to_string().into_bytes();
        let at = at % bytes.len();
        bytes.splice(at..(at + cut).min(bytes.len()), [byte]);
        match read(&bytes) {
            Ok(document) => prop_assert!(serde_json::from_str::<Value>(&document.to_json(&WireProfile::default())).is_ok()),
            Err(error) => check("changed", &error),
        }
    }
}
