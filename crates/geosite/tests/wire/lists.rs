//! Contract 3.2, 3.7; traps 2, 3, 4, 7, 10, 11.

use std::time::Duration;

use geosite::{ClientBuilder, ErrorExt, ErrorKind, Feature, Filter, Problem, Total};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{House, bare, house, parameter};

/// What became of a list that is answered like this.
async fn listed(body: &str, content_type: &str) -> Result<geosite::Page, geosite::Error> {
    let house = house().await;
    house.raw("/cto/list", 200, body, content_type).await;
    house.client.list(Feature::Cto).columns(["fid", "nome"]).all().await
}

fn name(error: &geosite::Error) -> &'static str {
    match error.problem() {
        Some(Problem::UnexpectedShape { .. }) => "shape",
        Some(Problem::UnexpectedContentType { .. }) => "content type",
        Some(Problem::ApiRefused { .. }) => "refused",
        Some(Problem::AmbiguousColumn { .. }) => "ambiguous",
        Some(Problem::RowUnreadable { .. }) => "row",
        Some(Problem::WrongRecord { .. }) => "wrong",
        Some(Problem::Http { .. }) => "http",
        Some(Problem::ColumnUnknown { .. }) => "column",
        Some(Problem::FilterInvalid { .. }) => "filter",
        other => panic!("{other:?} {error}"),
    }
}

#[tokio::test]
async fn a_page_asks_for_columns_as_desc_spells_them() {
    let house = house().await;
    let page = ResponseTemplate::new(200)
        .set_body_json(json!({"total": "2", "records": [{"fid": 1, "Nome": "a"}, {"fid": "2", "cor": 3}]}))
        .insert_header("date", "Sun, 22 Nov 2026 07:00:00 GMT");
    house.respond("GET", "/cto/list", page).await;
    let list = house.client.list(Feature::Cto).columns(["FID", "nome"]).sorter(["FID"]).limit(10).start(5);
    let page = list.filter(Filter::eq("nome", "D'Ávila' OR '1'='1")).all().await.unwrap();
    assert_eq!((page.records.len(), page.failed.len(), page.total), (2, 0, Total::Of(2)));
    assert_eq!(page.records[1].extra["cor"], 3);
    assert_eq!(page.date.unwrap().to_string(), "2026-11-22T07:00:00Z");
    let asked = &house.requests("/cto/list").await[0];
    let told = ["columns", "sorter", "limit", "start", "filter"].map(|name| parameter(asked, name).unwrap());
    assert_eq!(told, ["fid,Nome", "fid", "10", "5", "Nome = 'D''Ávila'' OR ''1''=''1'"]);
}

#[tokio::test]
async fn the_number_is_always_asked_for() {
    let house = house().await;
    house.get("/cto/list", 200, json!({"total": 1, "records": [{"fid": 1, "Nome": "a"}]})).await;
    let page = house.client.list(Feature::Cto).columns(["nome"]).all().await.unwrap();
    assert_eq!((page.records.len(), page.failed.len()), (1, 0));
    assert_eq!(parameter(&house.requests("/cto/list").await[0], "columns").as_deref(), Some("Nome,fid"));
}

#[tokio::test]
async fn nothing_is_sent_without_columns_or_with_unknown_ones() {
    let house = house().await;
    let list = house.client.list(Feature::Cto);
    let long = list.clone().columns(["fid"]).filter(Filter::eq("nome", "é".repeat(1100)));
    for (list, expected) in [
        (list.clone(), "column"),
        (list.clone().columns(["bairro"]), "column"),
        (list.clone().columns(["fid"]).sorter(["bairro"]), "column"),
        (list.clone().columns(["fid"]).filter(Filter::eq("bairro", 1)), "column"),
        (list.clone().columns(["obs"]), "ambiguous"),
        (list.clone().columns(["fid"]).filter(Filter::raw_filter("a)")), "filter"),
        (long, "filter"),
    ] {
        let error = list.all().await.unwrap_err();
        assert_eq!(name(&error), expected, "{error}");
        assert!(error.to_string().contains("GET /cto/list") || expected == "filter", "{error}");
    }
    assert!(house.requests("/cto/list").await.is_empty());
}

#[tokio::test]
async fn a_description_is_kept_for_an_hour_and_read_again_for_an_unknown_column() {
    let house = house().await;
    house.get("/cto/list", 200, json!({"total": 0, "records": []})).await;
    let list = house.client.list(Feature::Cto);
    for _ in 0..3 {
        list.clone().columns(["fid"]).all().await.unwrap();
    }
    assert_eq!(house.requests("/cto/desc").await.len(), 1);
    house.clock.advance(Duration::from_secs(3600));
    list.clone().columns(["fid"]).all().await.unwrap();
    assert_eq!(house.requests("/cto/desc").await.len(), 2);
    assert!(list.clone().columns(["bairro"]).all().await.is_err());
    assert_eq!(house.requests("/cto/desc").await.len(), 3);
}

#[tokio::test]
async fn a_column_that_the_service_no_longer_has_is_named() {
    let house = bare(|builder| builder).await;
    house.log_in(json!({"token": "t"})).await;
    house
        .once(
            "GET",
            "/cto/desc",
            ResponseTemplate::new(200).set_body_json(json!({"columns": ["fid", "cor"]})),
        )
        .await;
    house.get("/cto/desc", 200, json!({"columns": ["fid"]})).await;
    house.get("/cto/list", 400, json!({"mensagem": "coluna"})).await;
    let error = house.client.list(Feature::Cto).columns(["fid", "cor"]).all().await.unwrap_err();
    assert!(
        matches!(error.problem(), Some(Problem::ColumnUnknown { columns, .. }) if columns == &["cor"]),
        "{error}"
    );
    let error = house.client.list(Feature::Cto).columns(["fid"]).all().await.unwrap_err();
    assert_eq!(name(&error), "refused", "{error}");
}

#[tokio::test]
async fn each_bad_shape_is_an_error_that_names_it() {
    for (body, expected) in [
        ("", "shape"),
        ("null", "shape"),
        ("[]", "shape"),
        (r#"[{"fid":1}]"#, "shape"),
        ("{}", "shape"),
        (r#"{"rows":[{"fid":1}],"total":1}"#, "shape"),
        (r#"{"caixas":[],"total":0}"#, "shape"),
        (r#"{"records":{"fid":1}}"#, "shape"),
        (r#"{"records":null,"total":0}"#, "shape"),
        (r#"{"records":[1]}"#, "shape"),
        (r#"{"records":[{"fid":1},[]]}"#, "shape"),
        (r#"{"records":[{"fid":1}"#, "shape"),
        (r#"{"records":[{"fid":1}]} x"#, "shape"),
        (r#"{"records":[{"fid":1},{"fid""#, "shape"),
        ("<html><form>", "content type"),
        ("Sua sessão expirou", "content type"),
        (r#"{"success":"false","mensagem":"não"}"#, "refused"),
        (r#"{"records":[{"fid":1}],"success":"false"}"#, "refused"),
        (r#"{"success":0,"records":[]}"#, "refused"),
        (r#"{"records":[],"status":500}"#, "refused"),
        (r#"{"erro":"falhou","records":[]}"#, "refused"),
        (r#"{"records":[{"fid":1,"FID":2}]}"#, "ambiguous"),
        (r#"{"records":[{"fid":1,"fid":1}]}"#, "ambiguous"),
    ] {
        let error = listed(body, "application/json").await.unwrap_err();
        assert_eq!(name(&error), expected, "{body}: {error}");
        assert!(error.to_string().contains("GET /cto/list"), "{error}");
    }
    let html = listed("<html><form>", "text/html; charset=utf-8").await.unwrap_err();
    assert!(
        matches!(html.problem(), Some(Problem::UnexpectedContentType { content_type: Some(told), .. }) if told == "text/html")
    );
    let keys = listed(r#"{"rows":["sentinel"],"total":1}"#, "application/json").await.unwrap_err();
    assert!(
        matches!(keys.problem(), Some(Problem::UnexpectedShape { keys, .. }) if keys == &["rows", "total"])
    );
    assert!(!format!("{keys} {keys:?} {}", keys.report()).contains("sentinel"));
}

/// Row 11 of the fault matrix: a body that does not end is ended, and a large list that was asked for is not.
#[tokio::test]
async fn a_page_has_a_limit_and_a_large_list_that_is_meant_passes() {
    let house = bare(|builder| builder.page_limit(100_000)).await;
    house.log_in(json!({"token": "t"})).await;
    house.get("/cto/desc", 200, json!({"columns": ["fid", "nome"]})).await;
    let rows: Vec<Value> = (1..=3_000).map(|fid| json!({"fid": fid, "nome": "x".repeat(50)})).collect();
    house.get("/cto/list", 200, json!({"total": 3_000, "records": rows})).await;
    let list = house.client.list(Feature::Cto).columns(["fid", "nome"]);
    let error = list.all().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(error.hint().contains("page_limit"), "{error:?}");
    assert!(!error.retry_may_help());
    assert_eq!(list.clone().limit(3_000).all().await.unwrap().records.len(), 3_000);
    let blanks = format!("{}{{\"records\":[]}}", " ".repeat(200_000));
    house.raw("/cto/list", 200, &blanks, "application/json").await;
    assert_eq!(list.all().await.unwrap_err().kind(), ErrorKind::TooLarge);
}

/// R3: an error that says nothing is none, and one that is too long to be kept still is one.
#[tokio::test]
async fn an_empty_sign_of_failure_beside_the_rows_is_none() {
    for hollow in ["[]", "[ ]", "{}", "{\n}", "null", "\"\"", "false", "0", "\"0\""] {
        for name in ["error", "erro"] {
            let after = format!(r#"{{"records":[{{"fid":1}}],"total":1,"{name}":{hollow}}}"#);
            let before = format!(r#"{{"{name}":{hollow},"records":[{{"fid":1}}],"total":1}}"#);
            for body in [after, before] {
                let page = listed(&body, "application/json").await;
                assert!(page.is_ok_and(|page| page.records.len() == 1), "{body}");
            }
        }
    }
    let long = "x".repeat(20_000);
    for (filled, said) in [
        (r#"["falhou"]"#.to_owned(), "no reason given"),
        (r#"[ [] ]"#.to_owned(), "no reason given"),
        (r#"{"a":1}"#.to_owned(), "no reason given"),
        (format!(r#""{long}""#), "no reason given"),
    ] {
        let body = format!(r#"{{"records":[{{"fid":1}}],"total":1,"error":{filled}}}"#);
        let error = listed(&body, "application/json").await.unwrap_err();
        assert_eq!(name(&error), "refused", "{body}: {error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn totals_are_read_wherever_they_stand_and_however_they_are_written() {
    for (body, total) in [
        (r#"{"total":3,"records":[]}"#, Total::Of(3)),
        (r#"{"records":[],"total":"3"}"#, Total::Of(3)),
        (r#"{"records":[]}"#, Total::Missing),
        (r#"{"records":[],"total":null}"#, Total::Missing),
        (r#"{"records":[],"total":""}"#, Total::Missing),
        (r#"{"records":[],"total":"muitos"}"#, Total::Unreadable),
        (r#"{"records":[],"total":-1}"#, Total::Unreadable),
        (r#"{"records":[],"total":[1]}"#, Total::Unreadable),
    ] {
        assert_eq!(listed(body, "application/json").await.unwrap().total, total, "{body}");
    }
    // A service that calls its JSON something else is understood too.
    assert!(listed(r#"{"records":[]}"#, "text/plain").await.is_ok());
}

#[tokio::test]
async fn rows_in_error_are_told_and_the_others_read() {
    let body = r#"{"total":4,"records":[{"fid":1},{"nome":"x"},{"fid":3,"latitude":"norte"},{"fid":4}]}"#;
    let page = listed(body, "application/json").await.unwrap();
    assert_eq!(page.records.iter().map(|record| record.fid.0).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(page.failed.iter().map(|row| row.fid.map(|fid| fid.0)).collect::<Vec<_>>(), [None, Some(3)]);
}

/// R7.
#[tokio::test]
async fn a_single_element_is_read_in_three_shapes_and_no_other() {
    async fn got(house: &House, status: u16, body: Value) -> Result<Option<u64>, geosite::Error> {
        house.server.reset().await;
        house.log_in(json!({"token": "t"})).await;
        house.get("/cto/get", status, body).await;
        Ok(house.client.get(Feature::Cto, 7_u32).await?.map(|record| record.fid.0))
    }
    let house = house().await;
    for body in [
        json!({"fid": 7, "status": 900, "error": "a column", "success": "false"}),
        json!({"FID": "7"}),
        json!({"record": {"fid": 7}, "success": true}),
        json!({"records": [{"fid": 7}]}),
    ] {
        assert_eq!(got(&house, 200, body.clone()).await.unwrap(), Some(7), "{body}");
    }
    assert_eq!(got(&house, 404, json!({"success": "false"})).await.unwrap(), None);
    assert_eq!(got(&house, 200, json!({"success": "false"})).await.unwrap(), None);
    for (body, expected) in [
        (json!({"fid": 8}), "wrong"),
        (json!({"record": {"nome": "x"}}), "row"),
        (json!({"records": [{"fid": 7}, {"fid": 7}]}), "shape"),
        (json!({"records": []}), "shape"),
        (json!({"records": [1]}), "shape"),
        (json!({"record": null}), "shape"),
        (json!([{"fid": 7}]), "shape"),
        (json!({}), "shape"),
        (json!({"nome": "x"}), "shape"),
        (json!(null), "shape"),
        (json!({"erro": "falhou"}), "refused"),
        (json!({"success": "false", "record": {"fid": 7}}), "refused"),
        (json!({"fid": 7, "Fid": 7}), "ambiguous"),
        (json!({"fid": "sete"}), "row"),
    ] {
        let error = got(&house, 200, body.clone()).await.unwrap_err();
        assert_eq!(name(&error), expected, "{body}: {error}");
    }
    house.server.reset().await;
    house.log_in(json!({"token": "t"})).await;
    house.raw("/cto/get", 404, "<h1>Not Found</h1>", "text/html").await;
    let error = house.client.get(Feature::Cto, 7_u32).await.unwrap_err();
    assert_eq!((name(&error), error.kind()), ("http", ErrorKind::NotFound), "a wrong address is no proof");
}

#[tokio::test]
async fn a_description_of_another_shape_is_an_error() {
    for body in [json!({}), json!([]), json!({"columns": []}), json!({"records": ["fid"]})] {
        let house = bare(|builder| builder).await;
        house.log_in(json!({"token": "t"})).await;
        house.get("/cto/desc", 200, body.clone()).await;
        let error = house.client.schema(Feature::Cto).await.unwrap_err();
        assert_eq!(name(&error), "shape", "{body}");
    }
}

#[tokio::test]
async fn a_check_tells_everything_it_finds_and_writes_nothing() {
    use geosite::Finding;
    let house = bare(|builder| builder).await;
    house.log_in(json!({"token": "t"})).await;
    house.get("/splitter/desc", 200, json!({"columns": ["fid", "TIPO", "qtdPortas", "dataAlteracao"]})).await;
    house.get("/cto/desc", 200, json!({"columns": ["nome"]})).await;
    house.get("/hub/desc", 500, json!({})).await;
    let findings = house.client.check([Feature::Splitter, Feature::Cto, Feature::Hub]).await;
    let missing: Vec<_> = findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::ColumnMissing { feature, column, vital } => Some((*feature, column.as_str(), *vital)),
            _ => None,
        })
        .collect();
    assert_eq!(missing, [(Feature::Splitter, "fidCaixaEmenda", false), (Feature::Cto, "fid", true)]);
    assert!(matches!(&findings[0], Finding::LoggedIn));
    assert!(findings.iter().any(|finding| matches!(finding,
        Finding::ChangeColumnUnset { feature: Feature::Splitter, candidates } if candidates == &["dataAlteracao"])));
    assert!(matches!(findings.last(), Some(Finding::NotDescribed { feature: Feature::Hub, .. })));
    assert_eq!(findings.iter().filter(|finding| finding.is_fatal()).count(), 2);
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    for words in [
        "splitter: there is no column fidCaixaEmenda; set",
        "cto: there is no column fid, without",
        "it may be dataAlteracao",
    ] {
        assert!(told.iter().any(|line| line.contains(words)), "{told:#?}");
    }
    let lost = bare(|builder| builder).await;
    lost.respond("POST", "/auth/generatetoken", ResponseTemplate::new(401)).await;
    assert!(matches!(lost.client.check([Feature::Cto]).await.as_slice(), [Finding::LoginFailed(_)]));
}

/// Contract 2.3: a limiter, off unless asked for.
#[tokio::test]
async fn calls_start_evenly_spread_if_asked_for() {
    for (calls, expected) in [(None, vec![]), (Some(4), vec![Duration::from_millis(250)])] {
        let limited = |builder: ClientBuilder| match calls {
            Some(calls) => builder.rate_limit(calls, Duration::from_secs(1)),
            None => builder,
        };
        let house = bare(limited).await;
        house.log_in(json!({"token": "token-1"})).await;
        for feature in [Feature::Cto, Feature::Poste] {
            house.get(&format!("/{feature}/desc"), 200, json!({"columns": ["fid"]})).await;
            house.client.schema(feature).await.unwrap();
        }
        assert_eq!(house.clock.slept(), expected);
    }
}
