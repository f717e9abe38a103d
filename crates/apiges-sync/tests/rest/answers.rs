//! Contract 3.5 on real exchanges, retries of 2.1, and traps 1, 5, 7, 25, 27 and 28.

use std::time::Duration;

use apiges_sync::{
    Assumptions, Completeness, Error, ErrorClass, ErrorExt, Modality, Outcome, Problem, Search,
};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{House, bare, failed, house, whole};

async fn read(status: u16, body: Value) -> Result<u64, Error> {
    let house = house().await;
    house.answer("GET", "/contactos/1", status, body).await;
    house.client.contact(1).await.map(|contact| contact.id)
}

async fn listed(body: Value) -> Result<usize, Error> {
    let house = house().await;
    house.answer("GET", "/contactos/1/titulares", 200, body).await;
    house.client.contact_holders(1).await.map(|rows| rows.len())
}

/// Trap 1, R1.
#[tokio::test]
async fn a_refusal_inside_200_is_an_error_with_the_services_text() {
    let error = read(200, failed(500, "Error interno: tabla bloqueada")).await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Api, Outcome::ReadOnly));
    assert_eq!(error.service_message(), Some("Error interno: tabla bloqueada"));
    assert!(error.to_string().contains("tabla bloqueada"), "{error}");
    let error =
        read(200, json!({"statusCode": 200, "message": "Sin datos", "data": null})).await.unwrap_err();
    assert_eq!((error.class(), error.service_message()), (ErrorClass::Api, Some("Sin datos")));
    assert!(matches!(error.problem(), Some(Problem::NoData(_))));
}

/// R2.
#[tokio::test]
async fn another_shape_is_never_an_empty_result() {
    assert_eq!(listed(whole(json!([]))).await.unwrap(), 0);
    for body in
        [json!([]), json!({"data": []}), whole(json!({})), whole(json!("")), whole(json!([1])), json!({})]
    {
        assert_eq!(listed(body.clone()).await.unwrap_err().class(), ErrorClass::UnexpectedShape, "{body}");
    }
    assert_eq!(listed(whole(json!(null))).await.unwrap_err().class(), ErrorClass::Api);
    for body in [whole(json!([{"id": 1}])), whole(json!({"codigo": "1"})), whole(json!(7))] {
        assert_eq!(read(200, body.clone()).await.unwrap_err().class(), ErrorClass::UnexpectedShape, "{body}");
    }
    let house = house().await;
    let page =
        ResponseTemplate::new(200).set_body_raw("<html><title>Login</title>", "text/html; charset=utf-8");
    house.respond("GET", "/contactos/1", page).await;
    let error = house.client.contact(1).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::UnexpectedContentType);
    assert!(error.to_string().contains("text/html"), "{error}");
}

/// R5: what a client's contact holds is in no error.
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_kept() {
    let contact =
        json!({"id": 1, "clave": "sentinel", "descuento": "sentinel", "banco": {"iban": "sentinel"}});
    for body in [whole(contact.clone()), whole(json!([contact])), contact] {
        let error = read(200, body).await.unwrap_err();
        let answer = error.answer().map(|answer| answer.text().into_owned());
        let shown = format!("{error} {error:?} {error:#?} {} {answer:?}", error.report());
        assert!(!shown.contains("sentinel"), "{shown}");
    }
}

/// R3.
#[tokio::test]
async fn http_decides_when_both_codes_fail_and_both_are_kept() {
    let error = read(500, failed(403, "x")).await.unwrap_err();
    let said = error.problem().unwrap().said().unwrap();
    assert_eq!((error.class(), said.status, said.inner), (ErrorClass::Api, 500, Some(403)));
    let error = read(403, failed(500, "x")).await.unwrap_err();
    assert_eq!((error.class(), error.status().unwrap().as_u16()), (ErrorClass::Forbidden, 403));
    assert!(read(404, failed(404, "No existe")).await.unwrap_err().is_not_found());
    assert!(read(200, failed(404, "No existe")).await.unwrap_err().is_not_found());
}

/// Trap 5.
#[tokio::test]
async fn a_contact_that_exists_is_answered_by_its_id() {
    for (data, id) in
        [(json!(4879), 4879), (json!("4879"), 4879), (json!({"id": 4879}), 4879), (json!({"id": "12"}), 12)]
    {
        let house = house().await;
        house.answer("POST", "/contactos", 200, whole(data)).await;
        assert_eq!(house.client.get_or_create_contact(&json!({"codigo": "4879"})).await.unwrap(), id);
    }
    for data in [json!("C/1"), json!([4879]), json!({"codigo": "4879"}), json!(-1)] {
        let house = house().await;
        house.answer("POST", "/contactos", 200, whole(data.clone())).await;
        let error = house.client.get_or_create_contact(&json!({"codigo": "4879"})).await.unwrap_err();
        assert_eq!(
            (error.class(), error.is_outcome_unknown()),
            (ErrorClass::UnexpectedShape, true),
            "{data}"
        );
    }
}

/// Traps 7, 27 and 28: one bad row hides no other.
#[tokio::test]
async fn a_row_that_cannot_be_read_is_told_by_field_and_hides_no_other() {
    let house = house().await;
    let rows = json!([
        {"id": 1, "fechaVencimiento": "20/06/2025", "modalidad": {"codigo": "ZZ", "descripcion": "Nueva"}},
        {"id": 2, "fechaVencimiento": "31/02/2025"},
        {"id": 3, "fechaVencimiento": "1/2/2025"},
        {"id": "4", "fechaVencimiento": "2025-02-01"},
        {"id": 5, "fechaVencimiento": ""},
    ]);
    house.answer("POST", "/expedientes/search", 200, whole(rows)).await;
    let found = house.client.search_case_files(&Search::all()).await.unwrap();
    assert_eq!(found.rows.iter().map(|file| file.id).collect::<Vec<_>>(), [1, 5]);
    assert_eq!(found.rows[0].modality.as_ref().unwrap().code, Modality::from("ZZ"));
    let told: Vec<_> = found.unreadable.iter().map(|row| (row.place, row.id, row.error.field())).collect();
    let field = "fechaVencimiento";
    assert_eq!(told, [(1, Some(2), field), (2, Some(3), field), (3, Some(4), field)]);
    assert!(found.unreadable.iter().all(|row| row.error.is_date()));
    house
        .answer("GET", "/expedientes/2", 200, whole(json!({"id": 2, "fechaVencimiento": "31/02/2025"})))
        .await;
    let error = house.client.case_file(2).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Date);
    assert!(matches!(error.problem(), Some(Problem::Date { field, .. }) if field == "fechaVencimiento"));
    assert!(!error.to_string().contains("31/02"));
}

/// Trap 25.
#[tokio::test]
async fn a_search_is_complete_only_if_that_was_declared() {
    let mut assumptions = Assumptions::default();
    assumptions.searches_are_complete = true;
    let (plain, declared) = (house().await, bare(|builder| builder.assumptions(assumptions)).await);
    declared.answer("GET", "/login", 200, whole(json!("token-1"))).await;
    for (house, expected) in [(&plain, Completeness::Unknown), (&declared, Completeness::Complete)] {
        house.answer("POST", "/contactos/search", 200, whole(json!([]))).await;
        let found = house.client.search_contacts(&Search::all()).await.unwrap();
        assert_eq!(found.completeness(), expected);
    }
    declared.answer("POST", "/expedientes/search", 200, whole(json!([{"numero": "no id"}]))).await;
    let found = declared.client.search_case_files(&Search::all()).await.unwrap();
    assert_eq!((found.unreadable.len(), found.completeness()), (1, Completeness::Unknown));
}

#[tokio::test]
async fn the_body_of_a_search_may_have_other_names_or_be_anything() {
    let mut assumptions = Assumptions::default();
    assumptions.search_body.filters = "filters".into();
    assumptions.search_body.values = "values".into();
    let house = bare(|builder| builder.assumptions(assumptions)).await;
    house.answer("GET", "/login", 200, whole(json!("token-1"))).await;
    house.answer("POST", "/contactos/search", 200, whole(json!([]))).await;
    let body = async || serde_json::from_slice::<Value>(&house.last().await.body).unwrap();
    house.client.search_contacts(&Search::all().equal("codigo", ["0487"])).await.unwrap();
    assert_eq!(body().await, json!({"filters": [{"campo": "codigo", "filtro": "EQ", "values": ["0487"]}]}));
    house.client.search_contacts(&Search::raw(json!({"apellido": "Núñez"}))).await.unwrap();
    assert_eq!(body().await, json!({"apellido": "Núñez"}));
}

/// Contract 2.1: the answers of a call that fails `times` times.
async fn failing(verb: &str, at: &str, status: u16, times: usize) -> House {
    let house = house().await;
    for _ in 0..times {
        house.once(verb, at, ResponseTemplate::new(status)).await;
    }
    house.answer(verb, at, 200, whole(json!([]))).await;
    house
}

#[tokio::test]
async fn reading_is_retried_three_times_and_no_more() {
    for status in [429, 502, 503, 504] {
        let house = failing("POST", "/contactos/search", status, 3).await;
        house.client.search_contacts(&Search::all()).await.unwrap();
        assert_eq!(house.requests("/contactos/search").await.len(), 4, "{status}");
        let house = failing("GET", "/contactos/1/titulares", status, 4).await;
        let error = house.client.contact_holders(1).await.unwrap_err();
        assert_eq!((error.attempts(), house.requests("/contactos/1/titulares").await.len()), (4, 4));
    }
    for status in [400, 404, 408, 500, 501] {
        let house = failing("GET", "/contactos/1/titulares", status, 1).await;
        assert!(house.client.contact_holders(1).await.is_err());
        assert_eq!(house.requests("/contactos/1/titulares").await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_obeyed() {
    let house = house().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "7");
    house.once("GET", "/contactos/1/titulares", busy).await;
    house.answer("GET", "/contactos/1/titulares", 200, whole(json!([]))).await;
    house.client.contact_holders(1).await.unwrap();
    let [slept] = house.clock.slept().try_into().unwrap();
    assert!((Duration::from_secs(7)..=Duration::from_secs(8)).contains(&slept), "{slept:?}");
}

/// Contract 2.1: other POST and PUT never by themselves, not even where nothing happened.
#[tokio::test]
async fn what_changes_something_is_never_repeated_by_itself() {
    for (status, outcome) in [(429, Outcome::Refused), (503, Outcome::Unknown), (500, Outcome::Unknown)] {
        let body = json!({"a": 1});
        let house = failing("POST", "/contactos", status, 1).await;
        let error = house.client.get_or_create_contact(&body).await.unwrap_err();
        assert_eq!((error.outcome(), house.requests("/contactos").await.len()), (outcome, 1), "{status}");
        let house = failing("PUT", "/expedientes/1", status, 1).await;
        let error = house.client.change_case_file(1, &body).await.unwrap_err();
        assert_eq!((error.outcome(), house.requests("/expedientes/1").await.len()), (outcome, 1), "{status}");
        let house = failing("DELETE", "/facturas/recibidas/1/lineas/2", status, 1).await;
        let error = house.client.delete_invoice_line(1, 2).await.unwrap_err();
        assert_eq!(error.outcome(), outcome, "{status}");
    }
    let house = house().await;
    house.answer("POST", "/expedientes", 200, failed(500, "x")).await;
    let error = house.client.create_case_file(&json!({"a": 1})).await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Api, Outcome::Unknown));
    house.answer("PUT", "/expedientes/1", 200, failed(400, "x")).await;
    let error = house.client.change_case_file(1, &json!({"a": 1})).await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Api, Outcome::Refused));
}

/// Transport failures: the one kind that has no answer.
#[tokio::test]
async fn a_connection_that_is_refused_is_transport() {
    let house = house().await;
    house.client.log_in().await.unwrap();
    let client =
        bare(|builder| builder.environment(apiges_sync::Environment::at("http://127.0.0.1:1").unwrap()))
            .await;
    let error = client.client.contact(1).await.unwrap_err();
    assert_eq!((error.class(), error.is_not_sent()), (ErrorClass::Transport, true));
}

#[tokio::test]
async fn what_a_write_brings_back_may_be_anything_or_nothing() {
    for data in [json!(null), json!(17), json!({"id": 17}), json!([]), json!("ok")] {
        let house = house().await;
        house
            .answer("POST", "/expedientes", 201, json!({"statusCode": 201, "message": "", "data": data}))
            .await;
        let back = house.client.create_case_file(&json!({"a": 1})).await.unwrap();
        assert_eq!(back.to_value().unwrap(), data);
    }
    let house = house().await;
    house.answer("PUT", "/expedientes/1", 200, json!({"statusCode": 200})).await;
    assert!(house.client.change_case_file(1, &json!({"a": 1})).await.unwrap().is_null());
}

/// 2.1: a body limit of its own, and R5 `TooLarge`.
#[tokio::test]
async fn an_answer_beyond_the_limit_is_too_large() {
    let house = bare(|builder| builder.body_limit(100)).await;
    house.answer("GET", "/login", 200, whole(json!("t"))).await;
    house.answer("GET", "/contactos/1", 200, whole(json!({"id": 1, "observacion": "x".repeat(100)}))).await;
    assert_eq!(house.client.contact(1).await.unwrap_err().class(), ErrorClass::TooLarge);
}
