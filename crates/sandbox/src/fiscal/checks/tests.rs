//! The order of checks as a table: a body that is wrong in every way is repaired one fault at a time, and each
//! repair must bring the next code of the contract's list to light.

use serde_json::{Map, Value, json};

use super::*;
use crate::fiscal::settings::Issuer;

fn verdict(body: &Value, ledger: &Ledger, stretch: &[Check]) -> Option<(u32, String)> {
    let body = Json::parse(body.to_string().as_bytes()).unwrap();
    let case = Case { body: &body, enforced: true, ledger, settings: &Settings::default() };
    match case.pass(stretch) {
        Ok(()) => None,
        Err(Reply::Rejected(code, message)) => Some((code, message)),
        Err(other) => panic!("{other:?}"),
    }
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::new(Issuer::new("J-12345678-4"));
    ledger.record("00-00000001".into(), Key { kind: 2, internal: "5".into() }, 0);
    ledger
}

/// Everything that can be wrong at once, on a debit note.
fn all_wrong() -> Map<String, Value> {
    let wrong = json!({
        "idtipodocumento": 2, "tipomoneda": "0",
        "baseg": 10, "tasag": 16, "impuestog": 9,
        "baser": 10, "tasar": 8, "impuestor": 9,
        "basea": 10, "tasaa": 31, "impuestoa": 9,
        "baseigtf": 10, "tasaigtf": 3, "impuestoigtf": 9,
        "subtotal": 0, "total": 0, "cuerpofactura": [], "numerointerno": "",
    });
    wrong.as_object().unwrap().clone()
}

#[test]
fn every_repair_brings_the_next_fault_to_light() {
    let mut body = all_wrong();
    let repairs = [
        (json!({}), 2, "cedula"),
        (json!({ "rifcedulacliente": "V-12345678" }), 2, "nombre"),
        (json!({ "nombrecliente": "Ejemplo" }), 21, "direccion"),
        (json!({ "direccioncliente": "Calle 1" }), 22, "telefono"),
        (json!({ "telefonocliente": "584121234567" }), 24, "moneda"),
        (json!({ "tipomoneda": 2 }), 23, "tasa"),
        (json!({ "tasacambio": 36.5 }), 4, "general"),
        (json!({ "impuestog": 1.6 }), 4, "reducido"),
        (json!({ "impuestor": 0.8 }), 4, "lujo"),
        (json!({ "impuestoa": 3.1 }), 4, "IGTF"),
        (json!({ "impuestoigtf": 0.3 }), 4, "subtotal"),
        (json!({ "subtotal": 30 }), 4, "total"),
        (json!({ "total": 35.8 }), 5, "relacionado"),
        (json!({ "relacionado": "00-00000002" }), 11, "relacionado"),
        (json!({ "regimenanterior": 1 }), 20, "observacion"),
        (json!({ "idtipodocumento": 1 }), 10, "cuerpo"),
    ];
    for (repair, code, word) in repairs {
        body.extend(repair.as_object().unwrap().clone());
        let (found, message) = verdict(&json!(body), &ledger(), BEFORE_NUMBER).unwrap();
        assert!(found == code && message.contains(word), "{repair}: {found} {message}");
    }
    body.insert("cuerpofactura".into(), json!([{}]));
    assert_eq!(verdict(&json!(body), &ledger(), BEFORE_NUMBER), None);
}

#[test]
fn after_the_draw_come_7_8_and_9_and_after_the_insert_4_and_14() {
    let code = |body: Value, stretch| verdict(&body, &ledger(), stretch).map(|(code, _)| code);
    let numbered = |internal: &str| json!({ "idtipodocumento": 2, "numerointerno": internal });
    assert_eq!(code(numbered(""), BEFORE_INSERT), Some(7));
    assert_eq!(code(numbered("5"), BEFORE_INSERT), Some(8));
    assert_eq!(code(numbered("05"), BEFORE_INSERT), Some(9), "another text, but not the next number");
    assert_eq!(code(numbered("7"), BEFORE_INSERT), Some(9));
    assert_eq!(code(numbered("A6"), BEFORE_INSERT), Some(9));
    assert_eq!(code(numbered("6"), BEFORE_INSERT), None);
    let both = json!({ "cuerpofactura": [{}], "formasdepago": [{ "forma": "" }] });
    assert_eq!(code(both, BEFORE_COMMIT), Some(4));
    assert_eq!(code(json!({ "formasdepago": [{ "forma": "" }] }), BEFORE_COMMIT), Some(14));
    assert_eq!(code(json!({}), BEFORE_COMMIT), None, "no payment at all is accepted");
}

#[test]
fn an_exhausted_issuer_is_told_before_the_body_is_looked_at() {
    let exhausted = Ledger::new(Issuer::new("J-12345678-4").control_numbers_left(0));
    assert_eq!(verdict(&json!({}), &exhausted, BEFORE_NUMBER).unwrap().0, 12);
}

#[test]
fn currencies() {
    let code = |body: Value| verdict(&body, &ledger(), &[currency, exchange_rate]).map(|(code, _)| code);
    assert_eq!(code(json!({})), None, "absent is bolívar");
    assert_eq!(code(json!({ "tipomoneda": 0 })), None);
    assert_eq!(code(json!({ "tipomoneda": "0" })), Some(24));
    assert_eq!(code(json!({ "tipomoneda": 4 })), Some(24));
    assert_eq!(code(json!({ "tipomoneda": 3 })), Some(23));
    assert_eq!(code(json!({ "tipomoneda": 3, "tasadecambio": 36.5 })), Some(23), "the manual's spelling");
    assert_eq!(code(json!({ "tipomoneda": "3", "tasacambio": "36.5" })), None);
}

#[test]
fn the_manuals_spelling_of_the_igtf_base_alone_fails_the_total() {
    let body = json!({ "exento": 10, "subtotal": 10, "total": 10.3, "tasaigtf": 3, "impuestoigtf": 0.3,
        "baseigft": 10 });
    let (code, message) = verdict(&body, &ledger(), &[amounts]).unwrap();
    assert!(code == 4 && message.contains("total"));
}

#[test]
fn items_are_demanded_of_1_4_and_5_as_numbers_only() {
    let code = |kind: Value| {
        let body = json!({ "idtipodocumento": kind, "cuerpofactura": [] });
        verdict(&body, &ledger(), &[items_given]).map(|(code, _)| code)
    };
    for kind in [1, 4, 5] {
        assert_eq!(code(json!(kind)), Some(10));
    }
    for free in [json!(2), json!(3), json!("1")] {
        assert_eq!(code(free), None);
    }
}
