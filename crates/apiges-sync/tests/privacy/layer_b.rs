//! Layer B: every row of contract 3.7.

use apiges_sync::grant::PairTag;
use apiges_sync::web::*;
use serde_json::{Value, json};

use crate::{CODE, DATE, Echo, FIRM, KEY, LONG, NAME, NUMBER, PAIR_TAG, SHORT, once, server, tells_nothing};

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn contact() -> ContactRef {
    ContactRef::client(CODE).unwrap()
}

fn view() -> Value {
    json!({"numero": "M-77391204", "denominacion": FIRM, "referencia": CODE, "referencia2": SHORT, "clave": KEY,
        "fechaVencimiento": DATE, "descripciones": [{"descripcion": LONG}], "estado": {"codigo": "A", "descripcion": NAME}})
}

fn grant() -> Grant {
    read(json!({"contact": contact(), "contactId": NUMBER, "state": "active", "version": NUMBER,
        "scope": {"type": "group", "group": SHORT}, "show": ["clave"], "excludedModalities": [NAME],
        "admin": {"pairTag": PAIR_TAG, "previewId": "Zurriaga-preview"}, "closedCases": "withdraw", "lang": "es"}))
}

fn portal(url: &str) -> HttpTransport {
    let builder = HttpTransport::builder().base_url(url).unwrap().tenant("Zurriaga-firm").retry(once());
    builder.credential("Zurriaga-credential").build().unwrap()
}

#[tokio::test]
async fn no_row_shows_what_was_asked() {
    for echo in Echo::all() {
        let server = server(echo).await;
        let (portal, n) = (portal(&server.uri()), NUMBER);
        let (contact, key) = (contact(), IdempotencyKey::stored("Zurriaga-key"));
        let (load, message_id) = (LoadId::new("Zurriaga-load"), MessageId::new("Zurriaga-message"));
        let (part, tag) = (|| Part::after("Zurriaga").limit(7), PairTag::from_hex(PAIR_TAG).unwrap());
        let rename = Rename { new_code: FIRM.into(), contact_id: n };
        let union = UnionRequest { pair_tag: tag.clone(), joining: contact.clone() };
        let opened: OpenLoad =
            read(json!({"loadId": load, "scope": "all", "contacts": [contact], "baseSequence": n}));
        let single = OpenSingleLoad { load_id: load.clone(), base_sequence: n };
        let batch: Batch = read(json!({"digest": PAIR_TAG,
            "items": [{"caseId": n, "version": n, "holder": contact, "view": view()}]}));
        let commit: Commit = read(json!({"batches": n, "count": n, "digest": PAIR_TAG, "complete": true,
            "allowWithdrawals": n}));
        let push: CasePush = read(json!({"caseId": n, "version": n, "sequence": n,
            "savedAt": "2026-03-02T10:15:04.120Z", "cause": "saved",
            "projections": [{"grant": contact, "holder": contact, "view": view()}],
            "withdrawals": [{"grant": {"kind": "C", "code": FIRM}, "reason": "case-moved"}]}));
        let pushes = CaseBatch { items: vec![push.clone()] };
        let away: WithdrawalBatch = read(json!({"batchId": "Zurriaga-batch",
            "items": [{"caseId": n, "version": n, "grant": contact, "reason": "case-closed"}]}));
        let place = DocumentPlace { case: n, annotation: "Zurriaga 5".into(), document: SHORT.into() };
        let link: DocumentLink =
            read(json!({"version": n, "sha256": PAIR_TAG, "bytes": n, "mediaType": "application/pdf",
            "fileName": "Zurriaga.pdf", "title": LONG, "date": DATE, "grants": [contact]}));
        let message: Message = read(json!({"messageId": message_id, "author": {"role": "firm", "ref": NAME},
            "sentAt": "2026-03-02T10:15:04.120Z", "lang": "es", "body": LONG, "attachments": [SHORT], "replaces": KEY}));
        let receipt: Receipt =
            read(json!({"receiptId": "Zurriaga-receipt", "messageId": message_id, "event": "read",
            "at": "2026-03-02T10:15:09.000Z", "actor": "viewer:C/Zurriaga"}));
        let blob = Blob::bytes("image/png", LONG);
        let (grant, own, union_viewer) = (grant(), Viewer::Contact(contact.clone()), Viewer::Union(tag));
        let hidden = Reason::from_wire("Zurriaga");
        macro_rules! rows {
            ($($call:ident($($argument:expr),*);)+) => {$(
                tells_nothing(stringify!($call), echo, portal.$call($($argument),*).await);
            )+};
        }
        rows! {
            health(); grants(part()); grant(&contact); put_grant(&grant, Expected::Version(n), &key);
            suspend(&contact, n, &key); resume(&contact, n, &key); revoke(&contact, n, &key);
            rename(&contact, &rename, &key); preview_union(&union, &key); digest(&contact);
            open_load(&opened, &key); open_single_load(&contact, &single, &key);
            put_batch(&load, &contact, n, &batch, &key); commit(&load, &contact, &commit, &key); load(&load);
            close_load(&load, &key); abort_load(&load, &key); push(&push, &key); push_batch(&pushes, &key); case(n);
            view(&own); view(&union_viewer); withdraw(&away, &key); withdrawals(part()); put_blob(&blob);
            link(&place, &link, &key); links(n, "Zurriaga 5"); unlink(&place, n, &hidden, &key);
            post_message(n, &message, &key); messages(n, part()); post_receipt(&receipt, &key); receipts(&message_id);
            events(part()); evidence(n);
        }
        if let Err(error) = portal.has_blob(Sha256::of(b"Hola")).await {
            tells_nothing("has_blob", echo, Err::<(), _>(error));
        }
    }
}

/// What cannot stand in a header is not repeated.
#[tokio::test]
async fn a_key_that_cannot_be_sent_is_not_shown() {
    let portal = portal("http://127.0.0.1:1");
    let key = IdempotencyKey::stored("Zurriaga\nPeñagrande");
    tells_nothing("suspend", Echo::all()[0], portal.suspend(&contact(), 1, &key).await);
    let nobody = IdempotencyKey::stored("Zurriaga");
    tells_nothing("suspend", Echo::all()[0], portal.suspend(&contact(), 1, &nobody).await);
}
