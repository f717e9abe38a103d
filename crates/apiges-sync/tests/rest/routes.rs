//! Every route of contract 3.2 and 3.3: method, path bytes, headers, body; each language.

use apiges_sync::{Catalogue, Client, Data, Error, ErrorKind, Lang, Record, Search};
use http::Method;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, ResponseTemplate};

use crate::support::{House, bare, header, house, whole};

/// Every path is answered with this, the login first.
async fn house_with(data: Value) -> House {
    let house = bare(|builder| builder).await;
    house.answer("GET", "/login", 200, whole(json!("token-1"))).await;
    let answer = ResponseTemplate::new(200).set_body_json(whole(data));
    Mock::given(any()).respond_with(answer).with_priority(9).mount(&house.server).await;
    house
}

/// Method, path as it stood on the wire, body; and that it carried what every call carries.
async fn sent(house: &House) -> (String, String, Value) {
    let request = house.last().await;
    assert_eq!(header(&request, "authorization"), Some("Bearer token-1"));
    assert_eq!(header(&request, "accept"), Some("application/json"));
    assert!(header(&request, "accept-language").is_none());
    let path = request.url[url::Position::BeforePath..].to_owned();
    let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let content_type = (!body.is_null()).then_some("application/json");
    assert_eq!(header(&request, "content-type"), content_type);
    (request.method.to_string(), path, body)
}

macro_rules! routes {
    ($house:expr, $client:ident, $($verb:literal $path:literal $body:expr => $call:expr;)+) => {
        $(
            let $client: &Client = &$house.client;
            $call.await.unwrap();
            assert_eq!(sent(&$house).await, ($verb.to_owned(), $path.to_owned(), $body.clone()));
        )+
    };
}

#[tokio::test]
async fn what_answers_one_object() {
    let none = Value::Null;
    let house = house_with(json!({"id": 1})).await;
    routes! { house, client,
        "GET" "/contactos/1" none => client.contact(1);
        "GET" "/expedientes/3992" none => client.case_file(3992);
        "GET" "/expedientes/3992/actos/7" none => client.case_file_act(3992, 7);
        "GET" "/expedientes/3992/tareas/8" none => client.case_file_task(3992, 8);
        "GET" "/expedientes/3992/especificos" none => client.case_file_specifics(3992);
        "GET" "/facturas/recibidas/5" none => client.received_invoice(5);
    }
}

#[tokio::test]
async fn what_answers_a_list() {
    let none = Value::Null;
    let house = house_with(json!([{"id": 1}])).await;
    routes! { house, client,
        "GET" "/contactos/1/acciones" none => client.contact_actions(1);
        "GET" "/contactos/1/domicilios" none => client.contact_addresses(1);
        "GET" "/contactos/1/titulares" none => client.contact_holders(1);
        "GET" "/expedientes/3992/actos" none => client.case_file_acts(3992);
        "GET" "/expedientes/3992/anotaciones" none => client.case_file_notes(3992);
        "GET" "/expedientes/3992/especificos" none => client.case_file_specifics(3992);
        "GET" "/expedientes/3992/graficos" none => client.case_file_graphics(3992);
        "GET" "/expedientes/3992/prioridades" none => client.case_file_priorities(3992);
        "GET" "/expedientes/3992/situaciones" none => client.case_file_situations(3992);
        "GET" "/expedientes/3992/tareas" none => client.case_file_tasks(3992);
        "GET" "/expedientes/3992/tareas/8/importes" none => client.task_amounts(3992, 8);
        "GET" "/expedientes/3992/titulares" none => client.case_file_holders(3992);
        "GET" "/facturas/recibidas/5/lineas" none => client.received_invoice_lines(5);
        "GET" "/facturas/recibidas/5/lineas/6/expedientes" none => client.invoice_line_case_files(5, 6);
    }
}

#[tokio::test]
async fn searches() {
    let house = house_with(json!([{"id": 1}])).await;
    let search = &Search::all().equal("codigo", ["4879"]);
    // Contract 3.3.
    let body = json!({"filtros": [{"campo": "codigo", "filtro": "EQ", "valores": ["4879"]}]});
    routes! { house, client,
        "POST" "/contactos/search" body => client.search_contacts(search);
        "POST" "/expedientes/search" body => client.search_case_files(search);
        "POST" "/expedientes/actos/search" body => client.search_acts(search);
        "POST" "/expedientes/tareas/search" body => client.search_tasks(search);
    }
}

#[tokio::test]
async fn what_changes_something() {
    let house = house_with(json!({"id": 1})).await;
    let body = &json!({"campo": "ñ", "importe": 10});
    let (sent_body, none) = (body.clone(), Value::Null);
    routes! { house, client,
        "POST" "/contactos" sent_body => client.get_or_create_contact(body);
        "POST" "/contactos/1/titulares" sent_body => client.add_contact_holder(1, body);
        "POST" "/contactos/1/domicilios" sent_body => client.add_contact_address(1, body);
        "PUT" "/contactos/1/domicilios/2" sent_body => client.change_contact_address(1, 2, body);
        "POST" "/expedientes" sent_body => client.create_case_file(body);
        "POST" "/expedientes/3992/actos" sent_body => client.add_act(3992, body);
        "POST" "/expedientes/3992/tareas" sent_body => client.add_task(3992, body);
        "POST" "/expedientes/3992/tareas/8/importes" sent_body => client.add_task_amount(3992, 8, body);
        "POST" "/expedientes/3992/titulares" sent_body => client.add_case_file_holder(3992, body);
        "PUT" "/expedientes/3992" sent_body => client.change_case_file(3992, body);
        "PUT" "/expedientes/3992/tareas/8" sent_body => client.change_task(3992, 8, body);
        "PUT" "/expedientes/3992/tareas/8/importes/9" sent_body => client.change_task_amount(3992, 8, 9, body);
        "POST" "/facturas/recibidas" sent_body => client.create_received_invoice(body);
        "POST" "/facturas/recibidas/5/lineas/6/expedientes" sent_body => client.add_invoice_line_case_file(5, 6, body);
        "PUT" "/facturas/recibidas/5" sent_body => client.change_received_invoice(5, body);
        "DELETE" "/facturas/recibidas/5/lineas/6" none => client.delete_invoice_line(5, 6);
        "DELETE" "/facturas/recibidas/5/lineas/6/gastosEmitidos" none => client.delete_invoice_line_expenses(5, 6);
    }
}

/// Contract 3.3, copied from its table; trap 6.
const CATALOGUES: &str = "/acciones /cargos /clases /codigos/postales /companias /departamentos /empresas /estados \
    /estados/facturas /estados/tareas /filtros /formas/fiscales /formas/juridicas /formas/pago /idiomas/descripciones \
    /modalidades /monedas /nacionalidades /paises /secciones /situaciones/expedientes/prioridadesAntiguedades /tarifas \
    /tasas /tipos/anotaciones /tipos/clases /tipos/contactos /tipos/descripciones /tipos/domicilios \
    /tipos/estados/factura /tipos/expediente/PrioridadesAntiguedades /tipos/gastos /tipos/potenciales /tipos/riesgos";

#[tokio::test]
async fn every_catalogue_has_its_path() {
    let house = house_with(json!([{"codigo": "07", "descripcion": "Siete", "orden": 1}])).await;
    let paths: Vec<_> = CATALOGUES.split_whitespace().collect();
    assert_eq!(Catalogue::ALL.len(), paths.len());
    for (catalogue, path) in Catalogue::ALL.into_iter().zip(paths) {
        let [pair] = house.client.catalogue(catalogue).await.unwrap().try_into().unwrap();
        assert_eq!((pair.code.as_str(), pair.description.as_deref()), ("07", Some("Siete")));
        assert_eq!(sent(&house).await, ("GET".to_owned(), path.to_owned(), Value::Null));
    }
}

#[tokio::test]
async fn each_language_is_asked_for_by_its_header() {
    let house = house_with(json!([])).await;
    for (language, code) in [
        (Lang::Es, "es"),
        (Lang::Fr, "fr"),
        (Lang::Pt, "pt"),
        (Lang::Ca, "ca"),
        (Lang::De, "de"),
        (Lang::En, "en"),
        (Lang::It, "it"),
    ] {
        house.client.in_language(language).catalogue(Catalogue::Countries).await.unwrap();
        assert_eq!(header(&house.last().await, "accept-language"), Some(code));
        house.client.in_language_code(code).unwrap().catalogue(Catalogue::Countries).await.unwrap();
        assert_eq!(header(&house.last().await, "accept-language"), Some(code));
    }
    assert_eq!(house.logins().await, 1);
    let asked = house.all().await.len();
    for unknown in ["pl", "ES", "es-ES", "", "es\r\nx: y"] {
        let error = house.client.in_language_code(unknown).unwrap_err();
        assert_eq!((error.kind(), error.is_not_sent()), (ErrorKind::Validation, true), "{unknown}");
    }
    assert_eq!(house.all().await.len(), asked);
    let spoken = bare(|builder| builder.language(Lang::De)).await;
    assert_eq!(spoken.client.language(), Some(Lang::De));
}

#[tokio::test]
async fn raw_reaches_any_route() {
    let house = house_with(json!({"id": "9"})).await;
    let raw = async |method: Method, path: &str, body: Option<&Value>| -> Result<Data, Error> {
        house.client.raw(method, path, body).await
    };
    let data = raw(Method::GET, "/modificaciones?desde=01/02/2026&x=a b", None).await.unwrap();
    assert_eq!((data.id(), data.record().unwrap().text("id").unwrap().as_deref()), (Some(9), Some("9")));
    let expected = "/modificaciones?desde=01%2F02%2F2026&x=a%20b";
    assert_eq!(sent(&house).await, ("GET".into(), expected.into(), Value::Null));
    let body = json!({"a": 1});
    raw(Method::POST, "/artículos/5/a b", Some(&body)).await.unwrap();
    assert_eq!(sent(&house).await, ("POST".into(), "/art%C3%ADculos/5/a%20b".into(), body));
    let asked = house.all().await.len();
    for bad in ["articulos", "/", "//x", "/a/../b", "/a/./b", "/a%2e", "/a/"] {
        assert!(raw(Method::GET, bad, None).await.unwrap_err().is_not_sent(), "{bad}");
    }
    assert!(raw(Method::POST, "/a", Some(&json!([1]))).await.unwrap_err().is_validation());
    assert_eq!(house.all().await.len(), asked);
}

/// The root may have a path of its own.
#[tokio::test]
async fn a_path_of_the_root_is_kept() {
    let root = house().await;
    let below = apiges_sync::Environment::at(&format!("{}/apiges/", root.server.uri())).unwrap();
    let client = Client::builder().environment(below).credentials("u", "password").build().unwrap();
    root.answer("GET", "/apiges/login", 200, whole(json!("token-1"))).await;
    root.answer("GET", "/apiges/contactos/1", 200, whole(json!({"id": 1}))).await;
    assert_eq!(client.contact(1).await.unwrap().id, 1);
}

/// Amounts of a body that writes them exactly arrive so.
#[tokio::test]
async fn an_amount_arrives_digit_for_digit() {
    let house = house_with(json!({"id": 1})).await;
    let body = Record::parse(r#"{"importe":1234567890123456.70}"#).unwrap();
    house.client.add_task_amount(1, 2, &body).await.unwrap();
    assert_eq!(house.last().await.body, br#"{"importe":1234567890123456.70}"#);
}

#[tokio::test]
async fn what_is_no_object_is_not_sent() {
    let house = house().await;
    for bad in [json!([]), json!("x"), json!(null)] {
        let error = house.client.create_case_file(&bad).await.unwrap_err();
        assert!(error.is_validation() && error.is_not_sent());
    }
    let search = Search::all().equal("", ["x"]).compared("id", "BT", ["1"]);
    let error = house.client.search_contacts(&search).await.unwrap_err();
    assert_eq!(error.faults().len(), 2);
    assert!(house.all().await.is_empty());
}
