//! Contract 2.1: how the login travels, where its token sits, when it is renewed; traps 2 and 3.

use std::time::Duration;

use apiges_sync::{Assumptions, ErrorClass, ErrorExt, ErrorKind, LoginStyle, Search};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{House, PASSWORD, USER, bare, failed, header, house, whole};

fn styled(login_style: LoginStyle) -> Assumptions {
    let mut assumptions = Assumptions::default();
    assumptions.login_style = login_style;
    assumptions
}

async fn house_of(login_style: LoginStyle) -> House {
    let house = bare(|builder| builder.assumptions(styled(login_style))).await;
    house.answer("GET", "/login", 200, whole(json!("token-1"))).await;
    house
}

#[tokio::test]
async fn by_default_the_login_is_a_basic_header() {
    let house = house().await;
    house.client.log_in().await.unwrap();
    let [login] = house.requests("/login").await.try_into().unwrap();
    assert_eq!((login.method.as_str(), login.url.query(), login.body.len()), ("GET", None, 0));
    // base64 of `web-user:sentinel-contraseña` in UTF-8, computed with coreutils.
    assert_eq!(header(&login, "authorization"), Some("Basic d2ViLXVzZXI6c2VudGluZWwtY29udHJhc2XDsWE="));
}

#[tokio::test]
async fn headers_of_any_name_carry_the_login() {
    let style = LoginStyle::Headers { user: "Usuario".into(), password: "X-Clave".into() };
    let house = bare(|builder| builder.assumptions(styled(style)).credentials(USER, "sentinel-ascii")).await;
    house.answer("GET", "/login", 200, whole(json!("token-1"))).await;
    house.client.log_in().await.unwrap();
    let [login] = house.requests("/login").await.try_into().unwrap();
    assert_eq!(header(&login, "usuario"), Some(USER));
    assert_eq!(header(&login, "x-clave"), Some("sentinel-ascii"));
    assert!(header(&login, "authorization").is_none() && login.url.query().is_none());
}

/// Trap 3.
#[tokio::test]
async fn a_login_in_the_address_is_opt_in_and_shown_nowhere() {
    let house = house_of(LoginStyle::Query { user: "user".into(), password: "password".into() }).await;
    house.client.log_in().await.unwrap();
    let [login] = house.requests("/login").await.try_into().unwrap();
    let pairs: Vec<_> = login.url.query_pairs().into_owned().collect();
    assert_eq!(pairs, [("user".into(), USER.into()), ("password".into(), PASSWORD.to_owned())]);
    let house = bare(|builder| {
        builder.assumptions(styled(LoginStyle::Query { user: "user".into(), password: "password".into() }))
    })
    .await;
    let echo = format!("no route /login?user={USER}&password=sentinel-contrase%C3%B1a and {PASSWORD}");
    house.answer("GET", "/login", 404, failed(404, &echo)).await;
    let error = house.client.log_in().await.unwrap_err();
    let answer = error.answer().map(|answer| answer.text().into_owned());
    let shown = format!("{error} {error:?} {error:#?} {} {answer:?} {:?}", error.report(), house.client);
    assert!(!shown.contains("sentinel"), "{shown}");
}

#[tokio::test]
async fn the_token_is_found_where_the_contract_expects_it() {
    for (data, token) in [
        (json!("t-1"), "t-1"),
        (json!("Bearer t-2"), "t-2"),
        (json!({"token": "t-3", "x": 1}), "t-3"),
        (json!({"accessToken": "bearer t-4"}), "t-4"),
        (json!({"access_token": "t-5"}), "t-5"),
    ] {
        let house = bare(|builder| builder).await;
        house.answer("GET", "/login", 200, whole(data)).await;
        house.answer("GET", "/contactos/1", 200, whole(json!({"id": 1}))).await;
        house.client.contact(1).await.unwrap();
        assert_eq!(header(&house.last().await, "authorization"), Some(format!("Bearer {token}").as_str()));
    }
}

#[tokio::test]
async fn anything_else_is_no_login() {
    for body in [
        whole(json!(null)),
        whole(json!("")),
        whole(json!("Bearer ")),
        whole(json!("two words")),
        whole(json!(17)),
        whole(json!({"jwt": "sentinel-token"})),
        whole(json!({"token": {"value": "sentinel-token"}})),
        whole(json!(["sentinel-token"])),
        json!({"token": "sentinel-token"}),
        json!("sentinel-token"),
    ] {
        let house = bare(|builder| builder).await;
        house.answer("GET", "/login", 200, body.clone()).await;
        let error = house.client.contact(1).await.unwrap_err();
        let expected = if body["data"].is_null() && body["statusCode"] == 200 {
            ErrorClass::Api
        } else {
            ErrorClass::AuthShape
        };
        assert_eq!((error.class(), error.is_not_sent()), (expected, true), "{body}");
        let answer = error.answer().map(|answer| answer.text().into_owned());
        let shown = format!("{error} {error:?} {error:#?} {answer:?}");
        assert!(!shown.contains("sentinel"), "{shown}");
        assert_eq!(house.all().await.len(), 1);
    }
}

#[tokio::test]
async fn a_page_instead_of_a_login_says_so() {
    let house = bare(|builder| builder).await;
    house.respond("GET", "/login", ResponseTemplate::new(200).set_body_raw("<html>", "text/html")).await;
    let error = house.client.log_in().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::UnexpectedContentType);
}

/// What a refused login ends in, and that the next one waits.
#[tokio::test]
async fn a_refused_login_is_rejected_and_not_hammered() {
    for (status, body) in [(401, failed(401, "Usuario")), (200, failed(401, "Usuario"))] {
        let house = bare(|builder| builder).await;
        house.answer("GET", "/login", status, body).await;
        for _ in 0..3 {
            let error = house.client.contact(1).await.unwrap_err();
            assert_eq!((error.class(), error.is_not_sent()), (ErrorClass::AuthRejected, true));
        }
        assert_eq!(house.all().await.len(), 1);
        house.clock.advance(Duration::from_secs(30));
        assert!(house.client.contact(1).await.is_err());
        assert_eq!(house.logins().await, 2);
    }
}

#[tokio::test]
async fn a_token_without_an_end_is_renewed_after_23_hours() {
    let house = house().await;
    house.answer("GET", "/contactos/1", 200, whole(json!({"id": 1}))).await;
    house.client.contact(1).await.unwrap();
    house.clock.advance(Duration::from_secs(23 * 3600 - 1));
    house.client.contact(1).await.unwrap();
    assert_eq!(house.logins().await, 1);
    house.clock.advance(Duration::from_secs(1));
    house.client.contact(1).await.unwrap();
    assert_eq!(house.logins().await, 2);
}

/// `{"alg":"HS256"}`, `{"exp":7200}` and a signature that nobody checks; the clock starts at 0, encoded with coreutils.
const TWO_HOURS: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjcyMDB9.c2ln";

#[tokio::test]
async fn a_token_with_an_end_is_renewed_5_minutes_before_it() {
    let house = bare(|builder| builder).await;
    house.once("GET", "/login", ResponseTemplate::new(200).set_body_json(whole(json!(TWO_HOURS)))).await;
    house.answer("GET", "/login", 200, whole(json!("token-2"))).await;
    house.answer("GET", "/contactos/1", 200, whole(json!({"id": 1}))).await;
    house.client.contact(1).await.unwrap();
    house.clock.advance(Duration::from_secs(7200 - 300 - 1));
    house.client.contact(1).await.unwrap();
    assert_eq!(house.logins().await, 1);
    house.clock.advance(Duration::from_secs(1));
    house.client.contact(1).await.unwrap();
    assert_eq!(house.logins().await, 2);
    assert_eq!(header(&house.last().await, "authorization"), Some("Bearer token-2"));
}

/// A clock that is wrong by hours: the token is over by it, and is used all the same.
#[tokio::test]
async fn a_token_that_seems_over_is_used_and_does_not_log_in_for_every_call() {
    let house = bare(|builder| builder).await;
    house.clock.advance(Duration::from_secs(100_000));
    house.answer("GET", "/login", 200, whole(json!(TWO_HOURS))).await;
    house.answer("GET", "/contactos/1", 200, whole(json!({"id": 1}))).await;
    for _ in 0..3 {
        house.client.contact(1).await.unwrap();
    }
    assert_eq!(house.logins().await, 1);
}

fn unauthorised() -> ResponseTemplate {
    ResponseTemplate::new(401).set_body_json(failed(401, "No autorizado"))
}

/// By HTTP and within 200 (R3).
#[tokio::test]
async fn a_401_mid_list_is_one_login_and_one_repeat() {
    for refusal in [unauthorised(), ResponseTemplate::new(200).set_body_json(failed(401, "No autorizado"))] {
        let house = bare(|builder| builder).await;
        house.once("GET", "/login", ResponseTemplate::new(200).set_body_json(whole(json!("token-1")))).await;
        house.answer("GET", "/login", 200, whole(json!("token-2"))).await;
        for page in ["/contactos/search", "/expedientes/search", "/expedientes/tareas/search"] {
            house.answer("POST", page, 200, whole(json!([]))).await;
        }
        house.once("POST", "/expedientes/search", refusal).await;
        let search = Search::all().equal("codigo", ["4879"]);
        house.client.search_contacts(&search).await.unwrap();
        house.client.search_case_files(&search).await.unwrap();
        house.client.search_tasks(&search).await.unwrap();
        let asked = house.requests("/expedientes/search").await;
        let tokens: Vec<_> = asked.iter().map(|request| header(request, "authorization").unwrap()).collect();
        assert_eq!(tokens, ["Bearer token-1", "Bearer token-2"]);
        assert_eq!(asked[0].body, asked[1].body);
        assert_eq!((house.logins().await, house.all().await.len()), (2, 6));
    }
}

/// A write too: the service said that it did not act.
#[tokio::test]
async fn a_second_401_is_rejected() {
    let house = house().await;
    house.respond("POST", "/expedientes", unauthorised()).await;
    let error = house.client.create_case_file(&json!({"numero": "1"})).await.unwrap_err();
    assert_eq!((error.class(), error.is_refused()), (ErrorClass::AuthRejected, true));
    assert_eq!(error.service_message(), Some("No autorizado"));
    assert_eq!((house.logins().await, house.requests("/expedientes").await.len()), (2, 2));
}

/// Trap 2.
#[tokio::test]
async fn a_403_is_forbidden_and_never_a_login() {
    for (status, body) in [(403, failed(403, "Sin permiso")), (200, failed(403, "Sin permiso"))] {
        let house = house().await;
        house.answer("GET", "/contactos/1", status, body).await;
        let error = house.client.contact(1).await.unwrap_err();
        assert_eq!((error.class(), error.kind()), (ErrorClass::Forbidden, ErrorKind::Forbidden));
        assert_eq!((house.logins().await, house.requests("/contactos/1").await.len()), (1, 1));
    }
    let house = bare(|builder| builder).await;
    house.answer("GET", "/login", 403, Value::Null).await;
    assert_eq!(house.client.log_in().await.unwrap_err().class(), ErrorClass::Forbidden);
    assert_eq!(house.logins().await, 1);
}

#[tokio::test]
async fn concurrent_calls_share_one_login() {
    let house = house().await;
    house.answer("GET", "/contactos/1", 200, whole(json!({"id": 1}))).await;
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let client = house.client.clone();
            tokio::spawn(async move { client.contact(1).await.unwrap().id })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 1);
    }
    assert_eq!((house.logins().await, house.requests("/contactos/1").await.len()), (1, 64));
}

#[tokio::test]
async fn concurrent_401s_share_one_login_too() {
    let house = bare(|builder| builder).await;
    house.once("GET", "/login", ResponseTemplate::new(200).set_body_json(whole(json!("old")))).await;
    house.answer("GET", "/login", 200, whole(json!("new"))).await;
    let given = |token: &'static str| wiremock::matchers::header("authorization", token);
    let mock = wiremock::Mock::given(given("Bearer old"));
    mock.respond_with(unauthorised()).mount(&house.server).await;
    let mock = wiremock::Mock::given(given("Bearer new"));
    mock.respond_with(ResponseTemplate::new(200).set_body_json(whole(json!({"id": 1}))))
        .mount(&house.server)
        .await;
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let client = house.client.clone();
            tokio::spawn(async move { client.contact(1).await.unwrap().id })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 1);
    }
    assert_eq!(house.logins().await, 2);
}
