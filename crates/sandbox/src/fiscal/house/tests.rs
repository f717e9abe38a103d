//! The endpoints against the contract: what is answered, and what is left behind.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;

const RIF: &str = "J-12345678-4";

fn house() -> House {
    let mut house = House::default();
    house.add_issuer(Issuer::new(RIF));
    house.add_issuer(Issuer::new("V-12345678-1").validar_interno(0));
    house
}

fn bearer(rif: &str, validar_interno: u32) -> String {
    format!("Bearer {}", token::sign(&Issuer::new(rif).validar_interno(validar_interno), 1))
}

fn send_with(house: &mut House, endpoint: Endpoint, header: Option<&str>, body: &Value) -> Done {
    let body = Bytes::from(body.to_string());
    let json = Json::parse(&body).unwrap();
    house.act(&Call {
        endpoint,
        authorization: header,
        json,
        body: &body,
        base_url: "http://host",
        moment: Moment::from_epoch(1_736_902_805),
    })
}

fn send(house: &mut House, endpoint: Endpoint, body: &Value) -> Done {
    let rif = body["rif"].as_str().unwrap();
    let header = bearer(rif, u32::from(rif == RIF));
    send_with(house, endpoint, Some(&header), body)
}

fn invoice(internal: &str) -> Value {
    json!({
        "rif": RIF, "nombrecliente": "Comercial Ejemplo", "rifcedulacliente": "V-12345678",
        "direccioncliente": "Calle 1", "telefonocliente": "584121234567", "emailcliente": "a@example.com",
        "idtipodocumento": 1, "numerointerno": internal, "tipomoneda": 1,
        "exento": 10, "subtotal": 10, "total": 10.00, "sendmail": 0, "observacion": "gracias",
        "cuerpofactura": [{ "comentario": "", "precio": 5, "cantidad": 2, "descuento": 0, "monto": 10 }],
        "formasdepago": [{ "forma": "Efectivo", "valor": 10 }],
    })
}

fn with(mut body: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::String(gone) if gone == "<absent>" => body.as_object_mut().unwrap().remove(key),
            _ => body.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    body
}

fn issue(house: &mut House, body: &Value) -> Done {
    send(house, Endpoint::Issue, body)
}

fn data(done: Done) -> Value {
    match done.reply {
        Reply::Done(data) => data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_issued_document_is_kept_with_its_exact_bytes() {
    let mut house = house();
    let done = issue(&mut house, &invoice("00000042"));
    assert!(done.acted);
    assert_eq!(data(done)["numerodocumento"], "00-00000001");
    let document = &house.documents[0];
    assert_eq!(document.total, "10.0", "the token as serde_json wrote it");
    assert_eq!(document.body, invoice("00000042").to_string());
    assert_eq!(document.issued_at, "2025-01-14 21:00:05");
    assert_eq!(document.remark, "gracias");
}

#[test]
fn the_token_is_checked_before_everything_else() {
    let mut house = house();
    let mut reply =
        |header: Option<&str>, body: &Value| send_with(&mut house, Endpoint::Issue, header, body).reply;
    let good = bearer(RIF, 1);
    assert_eq!(reply(None, &json!({})), Reply::NoHeader);
    assert_eq!(reply(Some(""), &json!({})), Reply::NoHeader);
    assert_eq!(reply(Some("Bearer nonsense"), &json!({})).code(), Some(1));
    assert_eq!(reply(Some(&good), &json!({})).code(), Some(3), "an empty body");
    assert_eq!(reply(Some(&good), &json!({ "rif": "J123456784" })).code(), Some(3), "hyphens count");
    assert_eq!(reply(Some(&bearer("G-12345678-7", 1)), &json!({ "rif": "G-12345678-7" })).code(), Some(3));
}

/// Control numbers drawn so far, read from the next one.
fn next_control(house: &mut House, internal: &str) -> String {
    data(issue(house, &invoice(internal)))["corelativo"].as_str().unwrap().to_owned()
}

#[test]
fn rejections_after_the_draw_burn_a_number_by_default() {
    let mut house = house();
    issue(&mut house, &invoice("1"));
    for (changes, code) in [
        (json!({ "numerointerno": "" }), 7),
        (json!({ "numerointerno": "1" }), 8),
        (json!({ "numerointerno": "3" }), 9),
        (json!({ "numerointerno": "2", "cuerpofactura": [{ "comentario": "" }] }), 4),
        (json!({ "numerointerno": "2", "formasdepago": [{ "forma": "" }] }), 14),
    ] {
        let done = issue(&mut house, &with(invoice("2"), &changes));
        assert_eq!((done.reply.code(), done.acted), (Some(code), false), "{changes}");
    }
    assert_eq!(house.documents.len(), 1);
    assert_eq!(next_control(&mut house, "2"), "00000007");
}

#[test]
fn numbers_can_be_given_back_instead() {
    let mut house = house();
    house.settings.burn_numbers = false;
    issue(&mut house, &invoice("1"));
    issue(&mut house, &invoice("1"));
    issue(&mut house, &with(invoice("2"), &json!({ "formasdepago": [{ "forma": "" }] })));
    assert_eq!(next_control(&mut house, "2"), "00000002");
}

#[test]
fn a_leaky_rollback_leaves_the_document_behind() {
    let mut house = house();
    house.settings.leaky_rollback = true;
    let unpaid = with(invoice("1"), &json!({ "formasdepago": [{ "forma": "" }] }));
    let done = issue(&mut house, &unpaid);
    assert_eq!((done.reply.code(), done.acted), (Some(14), true));
    assert_eq!(issue(&mut house, &invoice("1")).reply.code(), Some(8));
}

#[test]
fn code_9_ends_with_the_current_maximum() {
    let mut house = house();
    issue(&mut house, &invoice("00000041"));
    match issue(&mut house, &invoice("00000043")).reply {
        Reply::Rejected(9, message) => assert!(message.ends_with(" 41"), "{message}"),
        other => panic!("{other:?}"),
    }
    let note = with(invoice("7"), &json!({ "idtipodocumento": 3, "relacionado": "00-00000001" }));
    assert!(issue(&mut house, &note).acted, "the first of another type is free");
}

#[test]
fn without_enforcement_the_same_number_is_issued_twice_but_must_be_numeric() {
    let mut house = house();
    let body = with(invoice("1"), &json!({ "rif": "V-12345678-1" }));
    assert!(issue(&mut house, &body).acted);
    assert!(issue(&mut house, &body).acted);
    assert_eq!(house.documents.len(), 2);
    for odd in ["A-1", ""] {
        let done = issue(&mut house, &with(body.clone(), &json!({ "numerointerno": odd })));
        assert!(matches!(done.reply, Reply::Exception(_)), "{odd:?}");
    }
}

#[test]
fn a_null_comment_fails_after_the_commit() {
    let mut house = house();
    let item = json!([{ "precio": 5, "cantidad": 2, "descuento": 0, "monto": 10, "comentario": null }]);
    let done = issue(&mut house, &with(invoice("1"), &json!({ "cuerpofactura": item, "sendmail": 1 })));
    assert!(matches!(done.reply, Reply::Exception(_)));
    assert!(done.acted);
    assert_eq!(house.documents.len(), 1);
    assert!(house.mails.is_empty());
}

#[test]
fn exceptions_before_the_commit_leave_nothing() {
    let mut house = house();
    for changes in [
        json!({ "cuerpofactura": null }),
        json!({ "cuerpofactura": "<absent>" }),
        json!({ "cuerpofactura": [null] }),
        json!({ "formasdepago": [{ "forma": null }] }),
        json!({ "idtipodocumento": "invoice" }),
    ] {
        let done = issue(&mut house, &with(invoice("1"), &changes));
        assert!(matches!(done.reply, Reply::Exception(_)), "{changes}");
        assert!(!done.acted);
    }
    assert!(house.documents.is_empty());
}

#[test]
fn notes_need_a_control_number_of_this_issuer() {
    let mut house = house();
    issue(&mut house, &invoice("1"));
    let note = |changes: Value| with(with(invoice("1"), &json!({ "idtipodocumento": 2 })), &changes);
    let mut code = |changes: Value| issue(&mut house, &note(changes)).reply.code();
    assert_eq!(code(json!({})), Some(5));
    assert_eq!(code(json!({ "relacionado": "00-1" })), Some(11), "by exact text");
    let old = json!({ "relacionado": "99-1", "regimenanterior": 1, "observacion": "" });
    assert_eq!(code(old), Some(20));
    assert_eq!(code(json!({ "relacionado": "99-1", "regimenanterior": 1 })), None);
    let slipped = json!({ "idtipodocumento": "2", "numerointerno": "2" });
    assert_eq!(code(slipped), None, "a string slips past the rules of notes");
    assert_eq!(house.documents[2].document_type, 2);
}

#[test]
fn mail_goes_out_only_if_asked_for_and_enabled() {
    let mut house = house();
    house.add_issuer(Issuer::new("V-12345678-1").validar_interno(0).mail(false));
    issue(&mut house, &with(invoice("1"), &json!({ "sendmail": "1", "emailcliente": "a@x.com|b@x.com" })));
    issue(&mut house, &with(invoice("1"), &json!({ "sendmail": 1, "rif": "V-12345678-1" })));
    assert_eq!(house.mails.len(), 1);
    assert_eq!(house.mails[0].recipients, ["a@x.com", "b@x.com"]);
    assert_eq!(house.mails[0].sent_by, Endpoint::Issue);
}

#[test]
fn annulment_is_idempotent_and_replaces_the_remark() {
    let mut house = house();
    issue(&mut house, &invoice("1"));
    let body = |changes: Value| {
        let plain = json!({ "rif": RIF, "numerodocumento": "00-00000001", "observacion": "error" });
        with(plain, &changes)
    };
    for _ in 0..2 {
        assert!(send(&mut house, Endpoint::Annul, &body(json!({}))).acted);
    }
    assert_eq!(house.documents[0].state, DocumentState::Annulled);
    assert_eq!(house.documents[0].remark, "error");
    let mut reply = |changes: Value| send(&mut house, Endpoint::Annul, &body(changes)).reply;
    assert_eq!(reply(json!({ "numerodocumento": "00-1" })).code(), Some(2));
    assert_eq!(reply(json!({ "numerodocumento": "00-00000099" })).code(), Some(3));
    assert!(matches!(reply(json!({ "numerodocumento": null })), Reply::Exception(_)));
    assert_eq!(issue(&mut house, &invoice("1")).reply.code(), Some(8), "an annulled number stays used");
}

#[test]
fn email_looks_at_no_token_and_crashes_on_an_unknown_number() {
    let mut house = house();
    issue(&mut house, &invoice("1"));
    let mut email = |number: &str, to: &str| {
        let body = json!({ "rif": RIF, "numerodocumento": number, "email": to });
        send_with(&mut house, Endpoint::Email, None, &body)
    };
    assert!(email("00-00000001", "a@x.com|b@x.com").acted);
    let nobody = email("00-00000001", "");
    assert!(matches!(nobody.reply, Reply::Done(_)) && !nobody.acted);
    assert_eq!(email("00-00000009", "a@x.com").reply, Reply::Crash);
    assert_eq!(house.mails.len(), 1);
}

#[test]
fn the_probes_tell_what_is_stored() {
    let mut house = house();
    let next = |house: &mut House| {
        data(send(house, Endpoint::NextNumber, &json!({ "rif": RIF, "idtipodocumento": 1 })))["numerointerno"]
            .clone()
    };
    assert_eq!(next(&mut house), "00000001");
    issue(&mut house, &invoice("00000042"));
    assert_eq!(next(&mut house), "00000043");
    let mut status = |internal: &str| {
        let body = json!({ "rif": RIF, "tipo": 1, "numerointerno": internal });
        data(send(&mut house, Endpoint::Status, &body))
    };
    assert_eq!(status("00000042")[0]["numerodocumento"], "00-00000001");
    assert_eq!(status("42"), json!([]));
}
