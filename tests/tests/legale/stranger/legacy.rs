//! The older API over HTTP (contract 3.7): all three families, against the second service and against the sandbox.

use std::sync::Arc;

use integration_sandbox::Sandbox;
use legale::legacy::{Family, LegacyClient, LegacyDocument};
use legale::status::Status;
use legale::{DocumentId, ErrorKind, Outcome, Source};
use serde_json::json;

use super::FILE;
use super::service::{LEGACY_TOKEN, Stranger};
use super::tongue::{Spoken, Tongue};

const FAMILIES: [Family; 3] = [Family::Inbox, Family::EmailPin, Family::OneShot];

/// With everything that its family requires.
fn document(family: Family) -> LegacyDocument {
    let common = LegacyDocument::new(family, Source::bytes(FILE))
        .text("subject", "Arriendo")
        .text("description", "Contrato de arriendo")
        .text("ID", "12345678-5");
    if family == Family::Inbox {
        return common
            .text("user", "ana@example.com")
            .text("FileName", "Contrato.pdf")
            .flag("skipNotification", true);
    }
    let signed = common
        .text("signerID", "12345678-5")
        .text("signerEmail", "ana@example.com")
        .text("signerFirstname", "Ana")
        .text("signerLastname1", "Rojas")
        .text("signerLastname2", "Soto");
    match family {
        Family::OneShot => {
            signed.text("signerPhone", "+56912345678").text("signerCountry", "CL").number("pageNo", 1)
        }
        _ => signed.flag("skipEmail", true),
    }
}

fn set_state(stranger: &Stranger, at: usize, state: &str) {
    stranger.house().legacy[at].insert("state".into(), json!(state));
}

#[tokio::test]
async fn every_family_is_sent_and_read_in_every_tongue() {
    let spoken = Arc::new(Spoken::default());
    for seed in 0..32 {
        println!("seed {seed}");
        let stranger = Stranger::start(Tongue::new(seed, &spoken)).await;
        let client = LegacyClient::new(&stranger.root, LEGACY_TOKEN).unwrap();
        for (at, family) in FAMILIES.into_iter().enumerate() {
            let sent = client.send(&document(family)).await.unwrap();
            assert_eq!(sent.guid.as_str(), stranger.tongue.guid(at + 1));
            assert_eq!(sent.extra["signURL"], "https://firma.legale.cl/s/1");
            let read = client.status(family, &sent.guid).await.unwrap();
            assert_eq!((read.status, read.signed_file), (Status::InProgress, None), "not signed");
            for (state, expected) in [
                ("Singing", Status::InProgress),
                ("Signing", Status::InProgress),
                ("Deleted", Status::Deleted),
                ("Rejected", Status::Rejected { comment: Some("aGVsbG8=".into()) }),
                ("Nuevo", Status::Other("Nuevo".into())),
            ] {
                set_state(&stranger, at, state);
                let read = client.status(family, &sent.guid).await.unwrap();
                assert_eq!((read.status, read.signed_file), (expected, None), "{state}");
            }
            set_state(&stranger, at, "Signed");
            let read = client.status(family, &sent.guid).await.unwrap();
            assert_eq!((read.status, read.signed_file.as_deref()), (Status::Signed, Some(FILE)));
            let missing: DocumentId = "no-such-guid".parse().unwrap();
            let error = client.status(family, &missing).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(!error.is_outcome_unknown());
        }
        let house = stranger.house();
        assert_eq!((house.legacy.len(), &house.wrongs), (3, &Vec::new()));
        assert_eq!(house.legacy[2]["signerCountry"], "CL");
    }
    assert_eq!(spoken.unspoken(), Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_token_is_an_authentication_error_and_a_document_is_sent_once() {
    let stranger = Stranger::start(Tongue::new(1, &Arc::default())).await;
    let client = LegacyClient::new(&stranger.root, "another-token").unwrap();
    let error = client.send(&document(Family::Inbox)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Authentication, Outcome::Refused), "{error}");
    assert_eq!(stranger.house().log.len(), 1);
}

#[tokio::test]
async fn the_sandbox_speaks_it_too() {
    let sandbox = Sandbox::start().await.unwrap();
    let legale = sandbox.legale();
    let client = LegacyClient::new(legale.base_url(), legale.legacy_token()).unwrap();
    for family in FAMILIES {
        let sent = client.send(&document(family)).await.unwrap();
        let read = client.status(family, &sent.guid).await.unwrap();
        assert_eq!((read.status, read.signed_file), (Status::InProgress, None), "{family:?}");
        legale.sign(sent.guid.as_str(), 1).unwrap();
        let read = client.status(family, &sent.guid).await.unwrap();
        let there = legale.signed_file(sent.guid.as_str()).unwrap();
        assert!(read.status == Status::Signed && read.signed_file.as_deref() == Some(&there), "{family:?}");
        let sent = client.send(&document(family)).await.unwrap();
        legale.reject(sent.guid.as_str(), 1, "aGVsbG8=").unwrap();
        let read = client.status(family, &sent.guid).await.unwrap();
        let comment = Some("aGVsbG8=".to_owned());
        assert_eq!((read.status, read.signed_file), (Status::Rejected { comment }, None), "{family:?}");
        let missing: DocumentId = "no-such-guid".parse().unwrap();
        assert_eq!(client.status(family, &missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
