//! Sections 2.1 and 3.1 to 3.4: logging in, envelope, contacts, case files, searches, catalogues, invoices.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use integration_sandbox::Sandbox;
use integration_sandbox::apiges::{Document, Lang, LoginStyle, Role, Seed, TokenPlace};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn credentials_travel_in_three_styles_and_leave_no_trace_in_the_log() {
    let sandbox = Sandbox::start().await.unwrap();
    let apiges = sandbox.apiges();
    let (user, password) = (apiges.username(), apiges.password());
    let in_headers = format!("user: {user}\r\npassword: {password}\r\n");
    let in_query = format!("/login?user={user}&password={password}");
    for (style, path, headers) in [
        (LoginStyle::BasicHeader, "/login", basic(user, password)),
        (LoginStyle::Headers, "/login", in_headers),
        (LoginStyle::Query, in_query.as_str(), String::new()),
    ] {
        apiges.configure(|settings| settings.login_style = style);
        assert_eq!(send(apiges.base_url(), "GET", path, &headers, b"").await.status, 200, "{style:?}");
        assert_eq!(send(apiges.base_url(), "GET", "/login", &basic(user, "x"), b"").await.status, 401);
    }
    assert_eq!(apiges.logins(), (3, 3));
    assert!(!apiges.recorded_contains(password));
    assert_eq!(apiges.requests().len(), 6);
}

#[tokio::test]
async fn the_token_is_where_the_setting_says_and_ends_when_it_says() {
    let sandbox = Sandbox::start().await.unwrap();
    let apiges = sandbox.apiges();
    let login = async || {
        let credentials = basic(apiges.username(), apiges.password());
        send(apiges.base_url(), "GET", "/login", &credentials, b"").await.data()
    };
    for (place, pointer) in [
        (TokenPlace::Token, "/token"),
        (TokenPlace::Data, ""),
        (TokenPlace::AccessToken, "/accessToken"),
        (TokenPlace::AccessTokenSnake, "/access_token"),
        (TokenPlace::BearerToken, "/token"),
        (TokenPlace::Elsewhere, "/jwt"),
    ] {
        apiges.configure(|settings| settings.token_place = place);
        let data = login().await;
        let token = data.pointer(pointer).unwrap().as_str().unwrap();
        assert_eq!(token.starts_with("Bearer "), place == TokenPlace::BearerToken);
        assert_eq!(token.split('.').count(), 3);
    }
    apiges.configure(|settings| settings.token_place = TokenPlace::Token);
    apiges.set_clock(1_700_000_000);
    let firm = Firm::of(&sandbox).await;
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(firm.token.split('.').nth(1).unwrap()).unwrap())
            .unwrap();
    assert_eq!(claims["exp"], 1_700_000_000 + 24 * 60 * 60);
    apiges.advance_clock(Duration::from_secs(24 * 60 * 60 - 1));
    assert_eq!(firm.get("/modalidades").await.status, 200);
    apiges.advance_clock(Duration::from_secs(1));
    let refused = firm.get("/modalidades").await;
    assert_eq!((refused.status, refused.json()["data"].is_null()), (401, true));
    apiges.configure(|settings| settings.token_says_end = false);
    let other = Firm::of(&sandbox).await;
    let claims = URL_SAFE_NO_PAD.decode(other.token.split('.').nth(1).unwrap()).unwrap();
    assert!(serde_json::from_slice::<Value>(&claims).unwrap().get("exp").is_none());
}

#[tokio::test]
async fn descriptions_follow_accept_language() {
    let sandbox = Sandbox::start().await.unwrap();
    let firm = Firm::of(&sandbox).await;
    let file = firm.apiges.add_file(&json!({ "modalidad": "M", "clases": ["9", "35"] })).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for lang in Lang::ALL {
        let header = format!("accept-language: {}\r\n", lang.code());
        let data = firm.call("GET", &format!("/expedientes/{file}"), &header, &Value::Null).await.data();
        assert_eq!(data["modalidad"]["codigo"], "M");
        seen.insert(data["descripciones"][0]["descripcion"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 7);
    let plain = firm.get(&format!("/expedientes/{file}")).await.data();
    assert_eq!(plain["modalidad"]["descripcion"], "Marca Nacional");
    let odd = firm.call("GET", "/paises", "accept-language: ja\r\n", &Value::Null).await;
    assert_eq!(odd.status, 500);
}

#[tokio::test]
async fn a_contact_that_is_there_answers_its_own_id() {
    let sandbox = Sandbox::start().await.unwrap();
    let firm = Firm::of(&sandbox).await;
    firm.apiges.clear();
    let body = json!({ "tipo": { "codigo": "C" }, "codigo": "4879", "descuento": "2.50" });
    let id = firm.call("POST", "/contactos", "", &body).await.data().as_i64().unwrap();
    assert_eq!(firm.call("POST", "/contactos", "", &body).await.data(), json!(id));
    let twin = json!({ "tipo": "I", "codigo": "4879" });
    assert_ne!(firm.call("POST", "/contactos", "", &twin).await.data(), json!(id));
    let contact = firm.get(&format!("/contactos/{id}")).await.data();
    for key in ["tarifaFacturación", "numeroExpedientesAlta", "riesgo", "logo", "banco", "iva"] {
        assert!(contact.get(key).is_some(), "{key}");
    }
    assert_eq!((&contact["descuento"], &contact["tipo"]["descripcion"]), (&json!("2.50"), &json!("Cliente")));
    let search = json!({ "filtros": [{ "campo": "codigo", "filtro": "EQ", "valores": ["4879"] }] });
    assert_eq!(firm.call("POST", "/contactos/search", "", &search).await.data().as_array().unwrap().len(), 2);
    firm.apiges.rename_contact(id, "5000").unwrap();
    assert_eq!(firm.get(&format!("/contactos/{id}")).await.data()["codigo"], "5000");
    assert!(firm.apiges.rename_contact(id, "5000").is_err());

    let address = json!({ "poblacion": "Madrid" });
    assert_eq!(firm.call("POST", &format!("/contactos/{id}/domicilios"), "", &address).await.data(), 1);
    let moved = json!({ "poblacion": "Lugo" });
    firm.call("PUT", &format!("/contactos/{id}/domicilios/1"), "", &moved).await.data();
    let listed = firm.get(&format!("/contactos/{id}/domicilios")).await.data();
    assert_eq!(listed, json!([{ "id": 1, "poblacion": "Lugo" }]));
    assert_eq!(firm.get(&format!("/contactos/{id}/acciones")).await.data(), json!([]));
    assert_eq!(firm.get("/contactos/9999999").await.status, 404);
}

#[tokio::test]
async fn files_have_their_parts_and_searches_their_comparisons() {
    let sandbox = Sandbox::start().await.unwrap();
    let firm = Firm::of(&sandbox).await;
    firm.apiges.seed(Seed::new(20, 300).seed(7));
    let id = firm.apiges.file_ids()[0];
    let file = firm.get(&format!("/expedientes/{id}")).await.data();
    for key in "id idCliente idIntermediario idAgente empresa delegacion departamento division estado modalidad pais \
        clave bis referencia referencia2 referencia3 referencia4 observacion numero aplicacionExterna situacion \
        fechaVencimiento descripciones"
        .split_whitespace()
    {
        assert!(file.get(key).is_some(), "{key}");
    }
    for part in [
        "actos",
        "anotaciones",
        "especificos",
        "graficos",
        "prioridades",
        "situaciones",
        "tareas",
        "titulares",
    ] {
        firm.get(&format!("/expedientes/{id}/{part}")).await.data();
    }
    assert_eq!(firm.get(&format!("/expedientes/{id}/actos/1")).await.data()["codigo"], "SOL");
    let amount =
        firm.call("POST", &format!("/expedientes/{id}/tareas/1/importes"), "", &json!({ "importe": "1.00" }));
    assert_eq!(amount.await.data(), 1);
    let amounts = format!("/expedientes/{id}/tareas/1/importes");
    firm.call("PUT", &format!("{amounts}/1"), "", &json!({ "importe": "2.00" })).await.data();
    assert_eq!(firm.get(&amounts).await.data(), json!([{ "id": 1, "importe": "2.00" }]));

    let client = file["idCliente"].to_string();
    let body = json!({ "filtros": [
        { "campo": "idCliente", "filtro": "EQ", "valores": [client] },
        { "campo": "estado", "filtro": "EQ", "valores": ["A", "B"] },
    ] });
    let found = firm.call("POST", "/expedientes/search", "", &body).await.data();
    let wanted = firm
        .apiges
        .file_ids()
        .into_iter()
        .filter(|id| firm.apiges.file(*id, Lang::Es).unwrap()["idCliente"].to_string() == client);
    let ids: Vec<i64> = found.as_array().unwrap().iter().map(|file| file["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, wanted.collect::<Vec<_>>());
    let odd = json!({ "filtros": [{ "campo": "fechaModificacion", "filtro": "EQ", "valores": ["x"] }] });
    assert_eq!(firm.call("POST", "/expedientes/search", "", &odd).await.status, 500);
    firm.apiges.configure(|settings| settings.inner_errors = true);
    let inner = firm.call("POST", "/expedientes/search", "", &odd).await;
    assert_eq!((inner.status, inner.json()["statusCode"].clone()), (200, json!(500)));
}

#[tokio::test]
async fn people_change_things_in_the_program() {
    let sandbox = Sandbox::start().await.unwrap();
    let firm = Firm::of(&sandbox).await;
    let apiges = &firm.apiges;
    let client = apiges.add_contact(&json!({ "codigo": "A1" })).unwrap();
    let id = apiges.add_file(&json!({ "denominacion": "SOL" })).unwrap();
    let read = async || firm.get(&format!("/expedientes/{id}")).await.data();
    apiges.close_file(id).unwrap();
    assert_eq!(read().await["estado"], json!({ "codigo": "B", "descripcion": "Baja" }));
    apiges.reopen_file(id).unwrap();
    apiges.move_file(id, Role::Client, Some(client)).unwrap();
    assert_eq!(
        (read().await["estado"]["codigo"].clone(), read().await["idCliente"].clone()),
        (json!("A"), json!(client))
    );
    assert!(apiges.move_file(id, Role::Client, Some(-1)).is_err());
    apiges.set_graphic(id, "image/png", b"one").unwrap();
    let graphics = firm.get(&format!("/expedientes/{id}/graficos")).await.data();
    assert_eq!(STANDARD.decode(graphics[0]["contenido"].as_str().unwrap()).unwrap(), b"one");
    let note = apiges.add_annotation(id, "Carta").unwrap();
    let document = Document::new("a.pdf", "application/pdf", b"%PDF".to_vec());
    let open = apiges.add_document(id, note, document.clone()).unwrap();
    let missing = apiges.add_document(id, note, document.hidden(None)).unwrap();
    apiges.hide_document(id, note, open, Some(true)).unwrap();
    let notes = firm.get(&format!("/expedientes/{id}/anotaciones")).await.data();
    assert_eq!(notes[0]["documentos"][0]["oculto"], true);
    assert!(notes[0]["documentos"][1].get("oculto").is_none());
    apiges.remove_document(id, note, missing).unwrap();
    apiges.remove_annotation(id, note).unwrap();
    assert_eq!(firm.get(&format!("/expedientes/{id}/anotaciones")).await.data(), json!([]));
    firm.call("PUT", &format!("/expedientes/{id}"), "", &json!({ "referencia": "R-9" })).await.data();
    assert_eq!(read().await["referencia"], "R-9");
    assert_eq!(
        firm.call("PUT", &format!("/expedientes/{id}"), "", &json!({ "fechaVencimiento": "31/02/2025" }))
            .await
            .status,
        500
    );
    apiges.remove_file(id).unwrap();
    assert_eq!(firm.get(&format!("/expedientes/{id}")).await.status, 404);
}

#[tokio::test]
async fn received_invoices_have_the_only_deletions() {
    let sandbox = Sandbox::start().await.unwrap();
    let firm = Firm::of(&sandbox).await;
    let body = json!({ "numero": "F-1", "lineas": [{ "importe": "10.00", "gastosEmitidos": [1] }, {}] });
    let id = firm.call("POST", "/facturas/recibidas", "", &body).await.data();
    let root = format!("/facturas/recibidas/{id}");
    firm.call("PUT", &root, "", &json!({ "numero": "F-2" })).await.data();
    assert_eq!(firm.get(&root).await.data()["numero"], "F-2");
    firm.call("POST", &format!("{root}/lineas/1/expedientes"), "", &json!({ "idExpediente": 7 }))
        .await
        .data();
    assert_eq!(firm.get(&format!("{root}/lineas/1/expedientes")).await.data()[0]["idExpediente"], 7);
    firm.call("DELETE", &format!("{root}/lineas/1/gastosEmitidos"), "", &Value::Null).await.data();
    firm.call("DELETE", &format!("{root}/lineas/2"), "", &Value::Null).await.data();
    let lines = firm.get(&format!("{root}/lineas")).await.data();
    assert_eq!((lines.as_array().unwrap().len(), lines[0].get("gastosEmitidos")), (1, None));
    assert_eq!(firm.call("DELETE", &root, "", &Value::Null).await.status, 404);
}
