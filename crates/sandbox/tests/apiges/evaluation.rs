//! The table of section 4.3, row by row: what the portal should show, computed from firm, grants and groups, against
//! what was pushed by hand.

use integration_sandbox::Sandbox;
use integration_sandbox::apiges::{Apiges, Document, Role};
use integration_sandbox::websync::{ContactRef, Difference};
use serde_json::{Value, json};

use crate::support::*;

struct Scene {
    apiges: Apiges,
    web: Web,
    file: i64,
    one: i64,
    two: i64,
}

/// Clients 1 and 2; a file of client 1 with everything in it.
async fn scene(sandbox: &Sandbox) -> Scene {
    let (apiges, web) = (sandbox.apiges().clone(), Web::of(sandbox));
    apiges.clear();
    let add = |code: &str| apiges.add_contact(&json!({ "tipo": "C", "codigo": code })).unwrap();
    let (one, two) = (add("1"), add("2"));
    let fields = json!({
        "idCliente": one, "numero": "300", "modalidad": "M", "pais": "ES", "denominacion": "SOL", "clases": ["9"],
        "situacion": ["C"], "fechaVencimiento": "20/06/2030", "referencia": "R1", "referencia2": "R2",
        "referencia4": "R4", "clave": "K", "observacion": "interna",
    });
    let file = apiges.add_file(&fields).unwrap();
    Scene { apiges, web, file, one, two }
}

/// The view of the scene's file without boxes; pairs as codes.
fn plain() -> Value {
    json!({
        "numero": "300", "modalidad": "M", "pais": "ES", "denominacion": "SOL", "clases": ["9"],
        "situacion": ["C"], "fechaVencimiento": "20/06/2030", "estado": "A",
        "descripciones": ["SOL", "Productos de las clases 9"],
    })
}

fn with(mut view: Value, more: &Value) -> Value {
    view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    view
}

impl Scene {
    fn differences(&self) -> Vec<Difference> {
        self.web.portal.differences(&self.apiges)
    }

    /// Viewer and field of every difference.
    fn named(&self) -> Vec<(String, String)> {
        self.differences().into_iter().map(|one| (one.viewer, one.field)).collect()
    }

    fn allowed(&self, code: &str) -> Vec<i64> {
        self.web.portal.allowed(&self.apiges, &ContactRef::new("C", code)).into_keys().collect()
    }

    async fn push(&self, version: u64, shown: &[(&str, Value)], withdrawn: &[(&str, &str)]) {
        self.web.push(&push(self.file, version, shown, withdrawn)).await.data();
    }
}

fn one(viewer: &str, field: &str) -> Vec<(String, String)> {
    vec![(viewer.to_owned(), field.to_owned())]
}

#[tokio::test]
async fn each_field_is_compared_and_boxes_decide() {
    let sandbox = Sandbox::start().await.unwrap();
    let scene = scene(&sandbox).await;
    assert_eq!(scene.differences(), [], "nobody may see anything");
    scene.web.grant("C/1", scene.one, &json!({ "show": ["referencia1"] })).await.data();
    assert_eq!(scene.named(), one("C/1", "case"), "not pushed yet");
    let boxed = with(plain(), &json!({ "referencia": "R1" }));
    scene.push(1, &[("C/1", boxed.clone())], &[]).await;
    assert_eq!(scene.differences(), []);
    scene.push(2, &[("C/1", with(boxed.clone(), &json!({ "clave": "K" })))], &[]).await;
    assert_eq!(scene.named(), one("C/1", "clave"), "one field more");
    scene.push(3, &[("C/1", plain())], &[]).await;
    assert_eq!(scene.named(), one("C/1", "referencia"), "one field less");
    scene.push(4, &[("C/1", with(boxed.clone(), &json!({ "numero": "301" })))], &[]).await;
    assert_eq!(scene.named(), one("C/1", "numero"));
    // Pairs may stand as pairs; then the description counts too.
    let pair =
        |text: &str| with(boxed.clone(), &json!({ "modalidad": { "codigo": "M", "descripcion": text } }));
    scene.push(5, &[("C/1", pair("Marca Nacional"))], &[]).await;
    assert_eq!(scene.differences(), []);
    scene.push(6, &[("C/1", pair("National trademark"))], &[]).await;
    assert_eq!(scene.named(), one("C/1", "modalidad"), "another language");
    scene.push(7, &[("C/1", boxed.clone())], &[]).await;
    scene.apiges.edit_file(scene.file, &json!({ "denominacion": "LUNA" })).unwrap();
    assert_eq!(scene.named().len(), 2, "name and description");
    scene.apiges.edit_file(scene.file, &json!({ "denominacion": "SOL" })).unwrap();
    scene.apiges.set_graphic(scene.file, "image/png", b"one").unwrap();
    assert_eq!(scene.named(), one("C/1", "grafico"));
    let picture = json!({ "grafico": { "sha256": sha256(b"one"), "mediaType": "image/png", "bytes": 3 } });
    scene.push(8, &[("C/1", with(boxed, &picture))], &[]).await;
    assert_eq!(scene.differences(), []);
}

#[tokio::test]
async fn states_modalities_and_holders_decide() {
    let sandbox = Sandbox::start().await.unwrap();
    let scene = scene(&sandbox).await;
    scene.web.grant("C/1", scene.one, &json!({})).await.data();
    scene.web.grant("C/2", scene.two, &json!({})).await.data();
    scene.push(1, &[("C/1", plain())], &[]).await;
    assert_eq!(
        (scene.differences(), scene.allowed("1"), scene.allowed("2")),
        (vec![], vec![scene.file], vec![])
    );
    // Step 1: suspended.
    scene.web.write("POST", "/grants/C/1/suspend", &json!({ "version": 1 })).await.data();
    assert_eq!((scene.differences(), scene.allowed("1")), (vec![], vec![]));
    scene.web.write("POST", "/grants/C/1/resume", &json!({ "version": 2 })).await.data();
    // Step 2: moved.
    scene.apiges.move_file(scene.file, Role::Client, Some(scene.two)).unwrap();
    assert_eq!(scene.named(), [one("C/1", "case"), one("C/2", "case")].concat());
    scene.apiges.move_file(scene.file, Role::Client, Some(scene.one)).unwrap();
    // Step 3: closed.
    scene.apiges.close_file(scene.file).unwrap();
    assert_eq!(scene.named(), one("C/1", "case"));
    scene.web.regrant("C/1", scene.one, 3, &json!({ "closedCases": "keep" })).await.data();
    assert_eq!(scene.named(), one("C/1", "estado"));
    scene.apiges.reopen_file(scene.file).unwrap();
    // Step 4: excluded.
    scene.web.regrant("C/1", scene.one, 4, &json!({ "excludedModalities": ["M"] })).await.data();
    assert_eq!(scene.named(), one("C/1", "case"));
    scene.web.regrant("C/1", scene.one, 5, &json!({ "excludedModalities": ["P"] })).await.data();
    assert_eq!(scene.differences(), []);
}

#[tokio::test]
async fn in_a_group_the_holders_own_grant_hides_too() {
    let sandbox = Sandbox::start().await.unwrap();
    let scene = scene(&sandbox).await;
    let group = json!({ "scope": { "type": "group", "group": "G7" }, "show": ["referencia1", "clave"] });
    scene.web.grant("C/2", scene.two, &group).await.data();
    let members = [ContactRef::new("C", "1"), ContactRef::new("C", "2")];
    assert!(scene.allowed("2").is_empty());
    scene.web.portal.set_group("G7", &members);
    assert_eq!(scene.allowed("2"), [scene.file]);
    let of_one = |view: Value| {
        let mut body = push(scene.file, 1, &[("C/2", view)], &[]);
        body["projections"][0]["holder"] = contact("C/1");
        body
    };
    scene.web.push(&of_one(with(plain(), &json!({ "referencia": "R1", "clave": "K" })))).await.data();
    assert_eq!(scene.differences(), [], "a holder without a grant hides nothing");
    scene.web.grant("C/1", scene.one, &json!({ "show": ["clave"] })).await.data();
    let found = scene.named();
    assert!(
        found.contains(&one("C/2", "referencia")[0])
            && found.contains(&one("C/1", "case")[0])
            && found.len() == 2
    );
    scene.web.regrant("C/1", scene.one, 1, &json!({ "excludedModalities": ["M"] })).await.data();
    assert_eq!(scene.named(), one("C/2", "case"));
    scene.web.regrant("C/1", scene.one, 2, &json!({ "show": ["referencia1", "clave"] })).await.data();
    scene.web.portal.set_group("G7", &members[1..]);
    assert_eq!(scene.named().len(), 2, "2 may no longer see it, 1 should");
}

#[tokio::test]
async fn a_union_shows_what_all_of_it_show() {
    let sandbox = Sandbox::start().await.unwrap();
    let scene = scene(&sandbox).await;
    let tag = sha256(b"pair");
    let admin = async |code: &str| {
        let body = json!({ "pairTag": tag, "joining": contact(code) });
        let preview = scene.web.write("POST", "/unions/preview", &body).await.data();
        json!({ "pairTag": tag, "previewId": preview["previewId"] })
    };
    let first = json!({ "show": ["referencia1", "clave"], "admin": admin("C/1").await });
    scene.web.grant("C/1", scene.one, &first).await.data();
    let group = json!({ "type": "group", "group": "G" });
    let second = json!({ "show": ["referencia1"], "admin": admin("C/2").await, "scope": group });
    scene.web.grant("C/2", scene.two, &second).await.data();
    scene.web.portal.set_group("G", &[ContactRef::new("C", "1"), ContactRef::new("C", "2")]);
    let mut body = push(
        scene.file,
        1,
        &[
            ("C/1", with(plain(), &json!({ "referencia": "R1", "clave": "K" }))),
            ("C/2", with(plain(), &json!({ "referencia": "R1" }))),
        ],
        &[],
    );
    body["projections"][1]["holder"] = contact("C/1");
    scene.web.push(&body).await.data();
    assert_eq!(scene.differences(), []);
    let view = scene.web.portal.view_of_union(&tag).unwrap();
    assert!(
        view["cases"][0]["view"].get("clave").is_none()
            && view["cases"][0]["view"].get("referencia").is_some()
    );
}

#[tokio::test]
async fn a_hidden_document_must_not_be_shown() {
    let sandbox = Sandbox::start().await.unwrap();
    let scene = scene(&sandbox).await;
    let (file, apiges) = (scene.file, &scene.apiges);
    scene.web.grant("C/1", scene.one, &json!({})).await.data();
    scene.push(1, &[("C/1", plain())], &[]).await;
    let note = apiges.add_annotation(file, "Carta").unwrap();
    let id =
        apiges.add_document(file, note, Document::new("a.pdf", "application/pdf", b"one".to_vec())).unwrap();
    scene
        .web
        .bytes("PUT", &format!("/blobs/{}", sha256(b"one")), "Content-Type: application/pdf\r\n", b"one")
        .await
        .data();
    let link = json!({
        "version": 1, "sha256": sha256(b"one"), "bytes": 3, "mediaType": "application/pdf", "fileName": "a.pdf",
        "title": "Carta", "date": "20/06/2025",
    });
    scene.web.write("PUT", &format!("/cases/{file}/annotations/{note}/documents/{id}"), &link).await.data();
    assert_eq!(scene.differences(), []);
    for flag in [Some(true), None] {
        apiges.hide_document(file, note, id, flag).unwrap();
        assert_eq!(scene.named(), one("C/1", &format!("documents/{note}/{id}")));
    }
    apiges.hide_document(file, note, id, Some(false)).unwrap();
    apiges.remove_annotation(file, note).unwrap();
    assert_eq!(scene.named().len(), 1);
}
