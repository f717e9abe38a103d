//! Folders, contacts, smart documents, migration, and the older API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration_sandbox::legale::{Legale, Origin};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn folders_are_listed_and_deleted() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let guid = create(legale, json!({ "folder": "Legal/Contratos" })).await;
    create(legale, json!({ "folder": "LegalOps" })).await;
    let folders = get(legale, "/api/folder").await.data();
    assert_eq!(folders.as_array().unwrap().len(), 3);
    assert_eq!((&folders[0]["title"], &folders[0]["parent"]), (&json!("Legal"), &Value::Null));
    assert_eq!((&folders[1]["parent"], &folders[1]["total_document_number"]), (&folders[0]["id"], &json!(1)));
    let path = format!("/api/folder/{}", folders[0]["id"]);
    assert_eq!(call(legale, "DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(call(legale, "DELETE", &path, Value::Null).await.status, 404);
    assert_eq!(legale.folders(), ["LegalOps"]);
    assert_eq!(legale.document(&guid).unwrap().folder, "");
}

#[tokio::test]
async fn contacts_are_unique_and_viewers_need_a_licence() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let contact = |email: &str| json!({ "email": email, "firstname": "A", "lastname1": "B" });
    let wrong_rut = with(contact("a@example.com"), json!({ "rut": "11222333-4", "phone": "x" }));
    let answer = post(legale, "/api/v2/contacts/", wrong_rut).await;
    assert_eq!(
        (answer.status, &answer.json()["rut"]),
        (201, &json!("11222333-4")),
        "the service checks no RUT"
    );
    let id = answer.json()["id"].clone();
    let double = post(legale, "/api/v2/contacts/", contact("A@Example.com")).await;
    assert_eq!((double.status, double.code()), (400, json!("ERROR_CONTACT_DUPLICATED")));
    for missing in ["email", "firstname", "lastname1"] {
        let answer = post(legale, "/api/v2/contacts/", with(contact("b@b"), json!({ missing: "" }))).await;
        assert_eq!(answer.status, 400);
    }
    let path = format!("/api/v2/contact/{id}/");
    let changed = call(legale, "PUT", &path, json!({ "lastname2": "C", "rut": null })).await;
    assert_eq!((changed.status, &changed.json()["lastname2"]), (200, &json!("C")));
    assert_eq!(legale.contacts()[0].rut, None);
    assert_eq!(call(legale, "PUT", "/api/v2/contact/9/", json!({})).await.status, 404);
    post(legale, "/api/v2/contacts/", contact("b@example.com")).await;
    let taken = call(legale, "PUT", &path, json!({ "email": "B@example.com" })).await;
    assert_eq!(taken.code(), "ERROR_CONTACT_DUPLICATED");

    legale.configure(|settings| settings.viewer_licences = 1);
    let viewer = |email: &str| with(contact(email), json!({ "is_external": true }));
    assert_eq!(post(legale, "/api/v2/contacts/", viewer("v@example.com")).await.status, 201);
    let none = post(legale, "/api/v2/contacts/", viewer("w@example.com")).await;
    assert_eq!((none.status, none.code()), (400, json!("ERROR_NO_PRODUCT_NUMBER")));
    let page = get(legale, "/api/v2/contacts/?page=1&page_size=2").await.json();
    assert_eq!(page["count"], 3);
    assert!(page["next"].as_str().unwrap().contains("/api/v2/contacts/?page=2"));

    assert_eq!(get(legale, &path).await.status, 405, "known to PUT only");
    legale.configure(|settings| settings.contact_by_id = true);
    assert_eq!(get(legale, &path).await.json()["email"], "a@example.com");
    assert_eq!(call(legale, "DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(legale.contacts().len(), 2);
}

#[tokio::test]
async fn smart_documents_start_in_lists_and_alone() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let listed = get(legale, "/api/v2/smart-documents/?page=1&page_size=1").await.json();
    assert_eq!((&listed["count"], &listed["results"][0]["items"][0]["item_number"]), (&json!(2), &json!(1)));
    let id = legale.add_smart_document("Oferta", &["precio"]);
    let signer = json!({ "sign_method": "no_sms", "email": "a@example.com", "skip_email": true });
    let item = |name: &str| {
        json!({
            "variables": { "1": "100", "folder": "Ofertas", "file_name": name },
            "signers": [signer], "shared_list": [{ "email": "c@example.com" }], "callback_key": "k",
        })
    };
    let path = format!("/api/template/{id}");
    let answer = post(legale, &path, json!({ "data": [item("a.pdf"), item("b.pdf")] })).await;
    assert_eq!(answer.data().as_array().unwrap().len(), 2);
    let documents = legale.documents();
    assert_eq!((documents[1].file_name.as_str(), documents[1].origin), ("b.pdf", Origin::Template));
    assert_eq!((documents[1].starts, documents[1].folder.as_str()), (1, "Ofertas"));
    assert!(String::from_utf8_lossy(&legale.file(&documents[0].guid).unwrap()).contains("precio=100"));

    let bad = with(item("c.pdf"), json!({ "signers": [] }));
    let mixed = json!({ "data": [item("d.pdf"), bad] });
    assert_eq!(post(legale, &path, mixed.clone()).await.status, 400);
    assert_eq!(legale.documents().len(), 2, "all or nothing");
    legale.configure(|settings| settings.template_partial = true);
    let partial = post(legale, &path, mixed).await.data();
    assert!(partial[0]["GUID"].is_string() && partial[1]["code"] == "ERROR_INVALID_DATA");
    assert_eq!(post(legale, &path, json!({ "data": [] })).await.status, 400);
    assert_eq!(post(legale, "/api/template/77", json!({ "data": [] })).await.status, 404);

    let path = format!("/api/v2/smart-document/{id}/workflow/");
    let named = with(signer, json!({ "firstname": "A", "lastname1": "B", "anchor": "firma" }));
    let alone =
        json!({ "variables": { "1": "x", "callback_key": "k" }, "signers": [named], "shared_list": ["c@b"] });
    let answer = post(legale, &path, alone.clone()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()[0].as_str().unwrap().contains("/session/"));
    assert_eq!(legale.documents().pop().unwrap().callback_key.as_deref(), Some("k"));
    for bad in [json!({ "shared_list": [{ "email": "c@b" }] }), json!({ "data": [] , "signers": [] })] {
        assert_eq!(post(legale, &path, with(alone.clone(), bad)).await.status, 400);
    }
}

#[tokio::test]
async fn a_migrated_document_is_there_and_nothing_is_started() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let migrate = async |more: Value| {
        let document = with(new_document(), more);
        let workflow = json!({ "flow_type": "priority", "signers": [{
            "sign_method": "bit4id", "sign_status": 1, "signer": 1, "email": "a@example.com",
            "started_at": "2021-01-01 10:00:00", "signed_at": "2021-01-02 10:00:00" }] });
        post(legale, "/api/migrate/document/", json!({ "document": document, "workflow": workflow })).await
    };
    let answer = migrate(json!({ "sign_status": 1 })).await;
    let guid = answer.data()["GUID"].as_str().unwrap().to_owned();
    let detail = get(legale, &format!("/api/document/get/{guid}")).await.data();
    assert_eq!(
        (&detail["sign_status"], &detail["sign_list"][0]["sign_method"]),
        (&json!(1), &json!("bit4id"))
    );
    assert_eq!(legale.document(&guid).unwrap().starts, 0);
    assert_eq!(migrate(json!({ "sign_status": 3 })).await.status, 400);
    assert_eq!(migrate(json!({ "description": "x".repeat(1024) })).await.status, 400);
    assert_eq!(migrate(json!({})).await.status, 200);
    assert!(legale.callbacks().is_empty() && legale.mails().is_empty());
}

async fn legacy(legale: &Legale, method: &str, path: &str, body: Value) -> Answer {
    let headers =
        format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", legale.legacy_token());
    send(legale.base_url(), method, path, &headers, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn the_older_api_from_sending_to_the_end() {
    let sandbox = start().await;
    let legale = sandbox.legale();
    let common =
        json!({ "subject": "s", "description": "d", "document": STANDARD.encode(PDF), "ID": "12345678-5" });
    let names = json!({ "signerID": "1", "signerEmail": "a@example.com", "signerFirstname": "A",
        "signerLastname1": "B", "signerLastname2": "C" });
    let pin = with(common.clone(), names);
    let phone = with(pin.clone(), json!({ "signerPhone": "56912345678", "signerCountry": "CL" }));
    let inbox = with(common, json!({ "user": "u@example.com", "FileName": "a.pdf" }));
    for (path, status, body, missing) in [
        ("/api/legale/legaleDocument", "/api/legale/legaleDocInfo", &inbox, "user"),
        ("/api/emailPin/sendDocument", "/api/emailPin/getDocument", &pin, "signerEmail"),
        ("/api/oneshot/sendDocument", "/api/oneshot/getDocument", &phone, "signerPhone"),
    ] {
        let bad = legacy(legale, "POST", path, with(body.clone(), json!({ missing: "" }))).await;
        assert_eq!((bad.status, &bad.json()["success"]), (200, &json!(false)), "{path}");
        let sent =
            legacy(legale, "POST", path, with(body.clone(), json!({ "skipEmail": true }))).await.json();
        let guid = sent["GUID"].as_str().unwrap().to_owned();
        let state = async || legacy(legale, "GET", &format!("{status}/{guid}"), json!({})).await.json();
        assert_eq!(
            (&state().await["status"], &state().await["document"]),
            (&json!("Not Signed"), &json!(""))
        );
        legale.open(&guid, 1).unwrap();
        assert_eq!(state().await["status"], "Singing");
        if path.contains("oneshot") {
            legale.reject(&guid, 1, "no es mio").unwrap();
            assert_eq!(
                (&state().await["status"], &state().await["document"]),
                (&json!("Rejected"), &json!("no es mio"))
            );
        } else {
            legale.sign(&guid, 1).unwrap();
            let signed = legale.signed_file(&guid).unwrap();
            assert_eq!(state().await["document"], STANDARD.encode(signed));
        }
        assert_eq!(sent.get("sign_url").is_some(), !path.contains("legaleDocument"));
        // The newer API does not see it.
        assert_eq!(get(legale, &format!("/api/document/get/{guid}")).await.code(), "DOCUMENT_NOT_FOUND");
        legale.delete(&guid);
        assert_eq!(state().await["status"], "Deleted");
    }
    let unknown = legacy(legale, "GET", "/api/emailPin/getDocument/x", json!({})).await;
    assert_eq!(
        unknown.json(),
        json!({ "success": false, "status": "", "document": "", "debug": "Invalid GUID" })
    );
    assert_eq!(get(legale, "/api/emailPin/getDocument/x").await.status, 401);
    let odd = with(phone, json!({ "signerCountry": "CHL" }));
    assert_eq!(legacy(legale, "POST", "/api/oneshot/sendDocument", odd).await.json()["success"], false);
    legale.configure(|settings| settings.legacy_failure_status = 400);
    assert_eq!(legacy(legale, "GET", "/api/oneshot/getDocument/x", json!({})).await.status, 400);
}
