//! The rules against the contract's tables.

use super::*;

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap()
}

fn judged(kind: Kind, signer: &str) -> Result<NewSigner, &'static str> {
    let body = json(&format!(r#"{{"list":[{signer}]}}"#));
    let ready = |email: &str, me: bool| me || email == "ready@example.com";
    signers(&body, "list", kind, &ready).map(|mut all| all.remove(0)).map_err(|refusal| refusal.rule())
}

/// A signer with everything that any method needs.
fn complete(flow: &str, method: &str) -> String {
    format!(
        r#"{{"sign_flow":"{flow}","sign_method":"{method}","email":"ready@example.com","phone":"+56 9 1234 5678",
        "device_id":"d","is_fingerprint":false,"is_NID":true}}"#
    )
}

#[test]
fn fifteen_pairs_of_sixty_six_pass() {
    let flows = ["me", "other", "legale", "approve", "tablet", "signing_portal"];
    let methods = [
        "certification",
        "local_certificate",
        "sms",
        "no_sms",
        "fea",
        "no_certification",
        "approve",
        "approve_legale",
        "approve_api",
        "tablet_sign",
        "signing_portal",
    ];
    let all = flows.iter().flat_map(|flow| methods.iter().map(move |method| (flow, method)));
    let judged: Vec<_> = all.map(|(flow, method)| judged(Kind::Start, &complete(flow, method))).collect();
    assert_eq!(judged.iter().filter(|outcome| outcome.is_ok()).count(), 15);
    assert!(judged.iter().all(|outcome| matches!(outcome, Ok(_) | Err("pair"))));
    assert_eq!(judged.len(), 66);
}

#[test]
fn each_missing_need_is_named() {
    for (signer, rule) in [
        (r#"{"sign_flow":"you","sign_method":"sms","email":"a@b"}"#, "flow"),
        (r#"{"sign_flow":"other","sign_method":"sms","email":"a@b"}"#, "phone"),
        (r#"{"sign_flow":"other","sign_method":"sms","email":"a@b","phone":"123"}"#, "phone"),
        (r#"{"sign_flow":"other","sign_method":"no_sms"}"#, "email"),
        (r#"{"sign_flow":"other","sign_method":"no_sms","email":"a@b@c"}"#, "email"),
        (r#"{"sign_flow":"other","sign_method":"no_sms","email":"a b@c"}"#, "email"),
        (r#"{"sign_flow":"tablet","sign_method":"tablet_sign","email":"a@b","is_NID":true}"#, "tablet"),
        (r#"{"sign_flow":"approve","sign_method":"approve","email":"a@b","id_validation":true}"#, "identity"),
        (r#"{"sign_flow":"other","sign_method":"no_sms","email":"a@b","x1":1}"#, "box"),
        (
            r#"{"sign_flow":"other","sign_method":"no_sms","email":"a@b","x1":9,"y1":1,"x2":2,"y2":3,"pageno":1}"#,
            "box",
        ),
        (
            r#"{"sign_flow":"other","sign_method":"no_sms","email":"a@b","x1":1,"y1":1,"x2":2,"y2":3,"pageno":0}"#,
            "box",
        ),
        (r#"{"sign_flow":"other","sign_method":"fea","email":"a@b"}"#, "fea"),
    ] {
        assert_eq!(judged(Kind::Start, signer), Err(rule), "{signer}");
    }
    let sample = r#"{"sign_flow":"other","sign_method":"no_sms","email":"a@b","anchor":"firma","device_id":"d",
        "id_validation":true,"x1":1,"y1":1,"x2":181,"y2":61,"pageno":1}"#;
    assert!(judged(Kind::Start, sample).is_ok(), "the vendor's own sample mixes them");
    assert!(judged(Kind::Start, r#"{"sign_flow":"me","sign_method":"fea","email":"a@b"}"#).is_ok());
}

#[test]
fn templates_need_a_method_and_workflows_names_and_an_anchor() {
    assert!(judged(Kind::Template, r#"{"sign_method":"no_sms","email":"a@b"}"#).is_ok());
    assert_eq!(judged(Kind::Template, r#"{"sign_method":"bit4id","email":"a@b"}"#), Err("method"));
    let workflow = |anchor: &str| {
        format!(
            r#"{{"sign_method":"no_sms","email":"a@b","firstname":"A","lastname1":"B","anchor":"{anchor}"}}"#
        )
    };
    assert!(judged(Kind::Workflow, &workflow(&"ñ".repeat(63))).is_ok());
    assert_eq!(judged(Kind::Workflow, &workflow(&"ñ".repeat(64))), Err("anchor"));
    assert_eq!(judged(Kind::Workflow, r#"{"sign_method":"no_sms","email":"a@b"}"#), Err("required"));
}

#[test]
fn the_flow_itself() {
    assert_eq!(flow_type(&json("{}")).unwrap(), "priority");
    assert!(flow_type(&json(r#"{"flow_type":"parallel"}"#)).is_err());
    assert_eq!(expiration(&json(r#"{"expiration":3}"#)).unwrap(), Some(3));
    for bad in ["0", "-1", "1.5", "\"3\""] {
        assert!(expiration(&json(&format!(r#"{{"expiration":{bad}}}"#))).is_err(), "{bad}");
    }
    let objects = json(r#"{"shared_list":[{"email":"a@b","name":"A"}]}"#);
    let texts = json(r#"{"shared_list":["a@b"]}"#);
    assert!(shared(&objects, Kind::Start).is_ok() && shared(&objects, Kind::Workflow).is_err());
    assert!(shared(&texts, Kind::Workflow).is_ok() && shared(&texts, Kind::Template).is_err());
    assert_eq!(signers(&json("{}"), "signer_list", Kind::Start, &|_, _| true).unwrap_err().rule(), "signers");
}
