//! Contract 2.2, 2.3; traps 1, 5, 24.

use std::time::Duration;

use geosite::{ErrorExt, ErrorKind, Feature, Problem};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{PASSWORD, bare, house};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_header_is_exact_and_the_password_is_in_a_body_only() {
    let house = house().await;
    house.client.schema(Feature::Cto).await.unwrap();
    assert_eq!(house.authorizations("/cto/desc").await, ["Digicade-Rest-API:token-1"]);
    let login = &house.requests("/auth/generatetoken").await[0];
    let body: serde_json::Value = login.body_json().unwrap();
    assert_eq!(body, json!({"username": "ana", "password": PASSWORD}));
    assert!(login.url.query().is_none() && !login.headers.contains_key("authorization"));
    assert_eq!(login.headers["content-type"], "application/json");
    assert_eq!(login.headers["accept"], "application/json");
}

#[tokio::test]
async fn a_token_is_used_for_25_minutes_and_then_refreshed_with_the_refresh_token() {
    let house = house().await;
    house
        .respond(
            "POST",
            "/auth/refresh",
            ResponseTemplate::new(200).set_body_json(json!({"token": "token-2"})),
        )
        .await;
    house.client.read_schema(Feature::Cto).await.unwrap();
    house.clock.advance(25 * MINUTE - Duration::from_secs(1));
    house.client.read_schema(Feature::Cto).await.unwrap();
    assert!(house.requests("/auth/refresh").await.is_empty());
    house.clock.advance(Duration::from_secs(1));
    house.client.read_schema(Feature::Cto).await.unwrap();
    // The answer brought no new refresh token: the old one goes on.
    house.clock.advance(26 * MINUTE);
    house.client.read_schema(Feature::Cto).await.unwrap();
    assert_eq!(house.authorizations("/auth/refresh").await, ["Digicade-Rest-API:refresh-1"; 2]);
    assert!(house.requests("/auth/refresh").await.iter().all(|request| request.body.is_empty()));
    assert_eq!(house.requests("/auth/generatetoken").await.len(), 1);
    let used = house.authorizations("/cto/desc").await;
    assert_eq!(used[1..3], ["Digicade-Rest-API:token-1", "Digicade-Rest-API:token-2"]);
}

#[tokio::test]
async fn after_thirty_days_or_a_refused_refresh_there_is_a_full_login() {
    let house = house().await;
    house.client.log_in().await.unwrap();
    house.clock.advance(30 * 24 * 60 * MINUTE);
    house.client.log_in().await.unwrap();
    assert!(house.requests("/auth/refresh").await.is_empty());
    assert_eq!(house.requests("/auth/generatetoken").await.len(), 2);
    house.respond("POST", "/auth/refresh", ResponseTemplate::new(401)).await;
    house.clock.advance(26 * MINUTE);
    house.client.log_in().await.unwrap();
    assert_eq!(house.requests("/auth/refresh").await.len(), 1);
    assert_eq!(house.requests("/auth/generatetoken").await.len(), 3);
}

#[tokio::test]
async fn twenty_callers_share_one_login() {
    let house = house().await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let client = house.client.clone();
            tokio::spawn(async move { client.read_schema(Feature::Hub).await.map(|_| ()) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(house.requests("/auth/generatetoken").await.len(), 1);
    assert_eq!(house.requests("/hub/desc").await.len(), 20);
}

#[tokio::test]
async fn a_401_renews_once_and_a_second_one_is_an_error() {
    let house = house().await;
    house
        .respond(
            "POST",
            "/auth/refresh",
            ResponseTemplate::new(200).set_body_json(json!({"token": "token-2"})),
        )
        .await;
    house.once("GET", "/cto/get", ResponseTemplate::new(401)).await;
    house.get("/cto/get", 200, json!({"fid": 7})).await;
    assert!(house.client.get(Feature::Cto, 7_u32).await.unwrap().is_some());
    assert_eq!(
        house.authorizations("/cto/get").await,
        ["Digicade-Rest-API:token-1", "Digicade-Rest-API:token-2"]
    );
    house.respond("GET", "/hub/get", ResponseTemplate::new(401)).await;
    let error = house.client.get(Feature::Hub, 7_u32).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(house.requests("/hub/get").await.len(), 2);
}

#[tokio::test]
async fn a_refused_login_is_not_repeated_and_blocks_others_for_thirty_seconds() {
    for (status, body, kind) in [
        (401, "{}", ErrorKind::Authentication),
        (403, "", ErrorKind::Forbidden),
        (200, r#"{"success":"true"}"#, ErrorKind::Authentication),
        (200, r#"{"token":""}"#, ErrorKind::Authentication),
        (200, "<html>entrar</html>", ErrorKind::Authentication),
        (200, "null", ErrorKind::Authentication),
    ] {
        let house = bare(|builder| builder).await;
        let answer = ResponseTemplate::new(status).set_body_raw(body, "application/json");
        house.respond("POST", "/auth/generatetoken", answer).await;
        let error = house.client.log_in().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert_eq!(status == 200, error.problem() == Some(&Problem::LoginShape), "{status} {body}");
        let word = if status == 200 { "address" } else { "password" };
        assert!(error.hint().contains(word), "{status} {body}: {}", error.hint());
        house.clock.advance(Duration::from_secs(29));
        assert!(house.client.log_in().await.is_err());
        assert_eq!(house.requests("/auth/generatetoken").await.len(), 1, "{status} {body}");
        house.clock.advance(Duration::from_secs(1));
        assert!(house.client.log_in().await.is_err());
        assert_eq!(house.requests("/auth/generatetoken").await.len(), 2, "{status} {body}");
    }
}

#[tokio::test]
async fn a_login_that_passes_is_tried_again_and_one_that_got_no_answer_blocks_nothing() {
    let house = bare(|builder| builder).await;
    for status in [503, 429] {
        house.once("POST", "/auth/generatetoken", ResponseTemplate::new(status)).await;
    }
    house.log_in(json!({"token": "token-1"})).await;
    house.client.log_in().await.unwrap();
    assert_eq!(house.requests("/auth/generatetoken").await.len(), 3);
}

#[tokio::test]
async fn the_older_dialect_is_off_unless_asked_for_and_shows_no_password() {
    let house = bare(|builder| builder.legacy_auth(true)).await;
    let refused = ResponseTemplate::new(401).set_body_string(format!("no: {PASSWORD}"));
    house.once("POST", "/auth/token", refused).await;
    let error = house.client.log_in().await.unwrap_err();
    let shown =
        format!("{error} {error:?} {} {:?}", error.report(), error.answer().map(|a| a.text().into_owned()));
    assert!(!shown.contains("sentinel"), "{shown}");
    house.clock.advance(Duration::from_secs(30));
    house
        .respond("POST", "/auth/token", ResponseTemplate::new(200).set_body_json(json!({"token": "old"})))
        .await;
    house.get("/cto/desc", 200, json!({"columns": ["fid"]})).await;
    house.client.schema(Feature::Cto).await.unwrap();
    assert_eq!(house.authorizations("/cto/desc").await, ["Bearer old"]);
    let query = house.requests("/auth/token").await[1].url.query().unwrap().to_owned();
    assert_eq!(query, format!("username=ana&password={PASSWORD}"));
}

#[tokio::test]
async fn what_may_pass_is_asked_for_three_times_and_the_rest_once() {
    for (status, times) in
        [(429, 3), (502, 3), (503, 3), (504, 3), (500, 1), (408, 1), (400, 1), (403, 1), (404, 1)]
    {
        let house = house().await;
        house.respond("GET", "/cto/list", ResponseTemplate::new(status)).await;
        let error = house.client.list(Feature::Cto).columns(["fid"]).all().await.unwrap_err();
        assert_eq!(house.requests("/cto/list").await.len(), times, "{status}: {error}");
        assert!(
            matches!(error.problem(), Some(Problem::Http { status: told, .. }) if *told == status),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_hint_to_wait_is_obeyed() {
    let house = house().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "7");
    house.once("GET", "/cto/get", busy).await;
    house.get("/cto/get", 200, json!({"fid": 7})).await;
    house.client.get(Feature::Cto, 7_u32).await.unwrap();
    let slept = house.clock.slept();
    assert!(slept.len() == 1 && slept[0] >= Duration::from_secs(7), "{slept:?}");
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let house = house().await;
    house.client.log_in().await.unwrap();
    let shown = format!("{:?} {:#?}", house.client, house.client);
    for secret in ["sentinel", "token-1", "refresh-1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
