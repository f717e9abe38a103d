//! The table of contract 4.2: each allowed pair starts at the service, each other one is refused before it leaves, by name.

use legale::flow::{Flow, SignFlow, SignMethod, Signer};
use legale::{ErrorKind, NewContact, Outcome};

use super::{Bench, upload};

const FLOWS: [&str; 6] = ["me", "other", "legale", "approve", "tablet", "signing_portal"];

const METHODS: [&str; 11] = [
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

pub(super) const ALLOWED: [(&str, &str); 15] = [
    ("me", "certification"),
    ("me", "local_certificate"),
    ("me", "sms"),
    ("me", "no_sms"),
    ("me", "fea"),
    ("other", "sms"),
    ("other", "no_sms"),
    ("other", "fea"),
    ("legale", "certification"),
    ("legale", "no_certification"),
    ("approve", "approve"),
    ("approve", "approve_legale"),
    ("approve", "approve_api"),
    ("tablet", "tablet_sign"),
    ("signing_portal", "signing_portal"),
];

/// Nothing is wrong with him but perhaps the pair.
pub(super) fn signer(flow: &str, method: &str, email: &str) -> Signer {
    let signer = Signer::new(SignFlow::from_wire(flow), SignMethod::from_wire(method), email)
        .name("Ana", "Rojas")
        .phone("+56 9 1234 5678")
        .rut("12.345.678-5");
    if method == "tablet_sign" {
        signer.device("tablet-1").fingerprint(true).identity_card(false)
    } else {
        signer
    }
}

#[tokio::test]
async fn the_fifteen_allowed_pairs_are_started() {
    let bench = Bench::new().await;
    let client = bench.client();
    let email = bench.legale().email().to_owned();
    let contact = NewContact::new(email.as_str(), "Ana", "Rojas").rut("12.345.678-5".parse().unwrap());
    client.ensure_contact(&contact).await.unwrap();
    for (flow, method) in ALLOWED {
        let built = Flow::sequential().signer(signer(flow, method, &email)).document_subject("Arriendo");
        let built = built.build().unwrap_or_else(|error| panic!("{flow} {method}: {error}"));
        let created = client.create(&upload().subject("Arriendo")).await.unwrap();
        let guid = created.document.guid;
        client.start(&guid, &built).await.unwrap_or_else(|error| panic!("{flow} {method}: {error}"));
        let there = bench.document(&guid);
        assert_eq!(there.starts, 1, "{flow} {method}");
        let signer = &there.signers[0];
        assert_eq!((signer.sign_flow.as_deref(), signer.sign_method.as_str()), (Some(flow), method));
    }
    assert_eq!(bench.done(), (15, 15));
}

#[tokio::test]
async fn the_fifty_one_other_pairs_are_refused_before_they_leave() {
    let bench = Bench::new().await;
    let mut refused = 0;
    for flow in FLOWS {
        for method in METHODS.into_iter().filter(|method| !ALLOWED.contains(&(flow, *method))) {
            let error =
                Flow::sequential().signer(signer(flow, method, "ana@example.com")).build().unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Validation, Outcome::NotSent));
            let fault = error.faults().iter().find(|fault| fault.rule() == "PAIR");
            let fault = fault.unwrap_or_else(|| panic!("{flow} {method}: {error}"));
            assert!(fault.path().starts_with("signer_list[0]"), "{}", fault.path());
            assert!(error.to_string().contains("PAIR"), "{error}");
            refused += 1;
        }
    }
    assert_eq!(refused, 51);
    assert_eq!(bench.legale().connections(), 0);
}

#[test]
fn an_unknown_flow_or_method_needs_to_be_forced() {
    for (flow, method) in [("other", "bit4id"), ("nobody", "no_sms")] {
        assert!(Flow::sequential().signer(signer(flow, method, "ana@example.com")).build().is_err());
    }
}
