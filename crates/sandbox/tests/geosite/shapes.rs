//! Section 3.7: the shapes that answers may have, by settings.

use integration_sandbox::geosite::{Absent, DescShape, Feature, NotFound, Numbers, RecordShape, Settings};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn totals_and_numbers_may_be_text() {
    let sandbox = start(300).await;
    let client = Client::of(&sandbox).await;
    let page = async || client.list("cto", &[("columns", "fid,latitude,nome"), ("limit", "1")]).await.json();
    let numbers = page().await;
    assert!(numbers["total"].is_u64() && numbers["records"][0]["latitude"].is_f64());
    client.geosite.configure(|settings| {
        settings.total = Numbers::Text;
        settings.numbers = Numbers::Text;
    });
    let texts = page().await;
    assert_eq!(texts["total"], numbers["total"].to_string());
    let (text, number) = (&texts["records"][0], &numbers["records"][0]);
    assert_eq!(text["fid"], number["fid"].to_string());
    assert_eq!(
        text["latitude"].as_str().unwrap().parse::<f64>().unwrap(),
        number["latitude"].as_f64().unwrap()
    );
    assert_eq!(text["nome"], number["nome"]);
}

#[tokio::test]
async fn what_is_not_there_is_null_or_empty_or_left_out() {
    let sandbox = start(100).await;
    let client = Client::of(&sandbox).await;
    let fid = client.geosite.insert(Feature::Cto, json!({})).unwrap();
    let latitude = async |absent: Absent| {
        client.geosite.configure(|settings| settings.absent = absent);
        client.get(&format!("/cto/get?fid={fid}")).await.json().get("latitude").cloned()
    };
    assert_eq!(latitude(Absent::Null).await, Some(Value::Null));
    assert_eq!(latitude(Absent::EmptyText).await, Some(json!("")));
    assert_eq!(latitude(Absent::LeftOut).await, None);
}

#[tokio::test]
async fn one_record_comes_in_three_shapes_and_an_absent_one_in_two() {
    let sandbox = start(100).await;
    let client = Client::of(&sandbox).await;
    let fid = client.geosite.fids(Feature::Cto)[0];
    let get = async |change: fn(&mut Settings), fid: u32| {
        client.geosite.configure(change);
        client.get(&format!("/cto/get?fid={fid}")).await
    };
    assert_eq!(get(|_| (), fid).await.json()["fid"], fid);
    assert_eq!(get(|all| all.record = RecordShape::Record, fid).await.json()["record"]["fid"], fid);
    assert_eq!(get(|all| all.record = RecordShape::Records, fid).await.json()["records"][0]["fid"], fid);
    let absent = get(|_| (), 9).await;
    assert_eq!((absent.status, absent.text().as_str()), (404, r#"{"success":"false"}"#));
    let absent = get(|all| all.not_found = NotFound::Success, 9).await;
    assert_eq!((absent.status, absent.text().as_str()), (200, r#"{"success":"false"}"#));
    assert_eq!(client.get("/cto/get").await.status, 400);
    assert_eq!(client.get("/cto/get?fid=x").await.status, 400);
}

#[tokio::test]
async fn columns_may_be_described_by_their_names_alone() {
    let sandbox = start(100).await;
    let client = Client::of(&sandbox).await;
    client.geosite.configure(|settings| settings.desc = DescShape::Texts);
    assert_eq!(client.get("/poste/desc").await.json()["columns"][0], "fid");
}

/// Values that no column could mean go out as a test set them (rules R5 and R6).
#[tokio::test]
async fn odd_values_are_sent_as_they_are() {
    let sandbox = start(100).await;
    let client = Client::of(&sandbox).await;
    let fid = client.geosite.fids(Feature::Splitter)[0];
    let odd =
        json!({ "qtdPortas": "oito", "tipo": "ATENDIMENTO ", "latitude": "-22,7", "dataAlteracao": "ontem" });
    client.geosite.edit(Feature::Splitter, fid, odd.clone()).unwrap();
    let row = client.get(&format!("/splitter/get?fid={fid}")).await.json();
    for (key, value) in odd.as_object().unwrap() {
        assert_eq!(&row[key], value);
    }
    assert_eq!(client.geosite.element(Feature::Splitter, fid), Some(row));
    client.geosite.edit(Feature::Splitter, fid, json!({ "tipo": "Atendimento", "qtdPortas": 16 })).unwrap();
    let row = client.get(&format!("/splitter/get?fid={fid}")).await.json();
    assert_eq!((&row["tipo"], &row["qtdPortas"]), (&json!("Atendimento"), &json!(16)));
}
