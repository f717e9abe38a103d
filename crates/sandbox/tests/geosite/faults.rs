//! Section 3.9: faults of the wire, twists of answers, the clock in `Date`, the log.

use std::time::Duration;

use integration_sandbox::geosite::{Endpoint, Feature, Twist};
use integration_sandbox::{Fault, Scripted};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::*;

const PAGE: &str = "/cto/list?columns=fid,nome&sorter=fid&limit=5";

#[tokio::test]
async fn faults_of_the_wire_strike_one_feature_or_any() {
    let sandbox = start(1_000).await;
    let client = Client::of(&sandbox).await;
    let geosite = &client.geosite;
    let cto = (Endpoint::List, Feature::Cto);
    geosite.inject(cto, Fault::too_many_requests("2"));
    assert_eq!(client.get("/poste/list?columns=fid&limit=1").await.status, 200);
    let refused = client.get(PAGE).await;
    assert_eq!((refused.status, refused.header("retry-after").as_deref()), (429, Some("2")));
    geosite.inject_times(Endpoint::List, Fault::act_then_status(503), 2);
    assert_eq!((client.get(PAGE).await.status, client.get(PAGE).await.status), (503, 503));
    assert_eq!(client.get(PAGE).await.status, 200);
    for (fault, status) in [
        (Fault::Answer(Scripted::new(401)), 401),
        (Fault::Html, 200),
        (Fault::Empty, 200),
        (Fault::ActThenReset, 0),
        (Fault::CloseBeforeActing, 0),
    ] {
        let html = fault == Fault::Html;
        geosite.inject(cto, fault);
        let answer = client.get(PAGE).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.text().contains("<html>"), html);
    }
    geosite.inject(cto, Fault::ActThenCutBody);
    let cut = client.get(PAGE).await;
    let announced: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert!(!cut.body.is_empty() && cut.body.len() < announced);
    geosite.inject(cto, Fault::act_then_late(Duration::from_millis(1)));
    assert_eq!(client.get(PAGE).await.fids().len(), 5);
}

#[tokio::test]
async fn twists_change_the_answer_and_nothing_else() {
    let sandbox = start(1_000).await;
    let client = Client::of(&sandbox).await;
    let geosite = &client.geosite;
    let total = geosite.count(Feature::Cto) as u64;
    let twisted = async |twist: Twist| {
        geosite.twist(Endpoint::List, twist);
        client.get(PAGE).await
    };
    let honest = client.get(PAGE).await;
    assert_eq!(twisted(Twist::Refusal).await.json()["success"], "false");
    assert_eq!(twisted(Twist::Null).await.text(), "null");
    let body = json!({ "status": 500 });
    assert_eq!(twisted(Twist::Body { body: body.clone() }).await.json(), body);
    let other = twisted(Twist::Wrapper { key: "data".into() }).await.json();
    assert_eq!((other["data"].clone(), other.get("records")), (honest.json()["records"].clone(), None));
    assert_eq!(twisted(Twist::BareArray).await.json(), honest.json()["records"]);
    assert_eq!(twisted(Twist::Cap { rows: 3 }).await.fids(), honest.fids()[..3]);
    let empty = twisted(Twist::EmptyPage).await;
    assert_eq!((empty.records().len(), empty.total()), (0, total));
    assert_eq!(twisted(Twist::RowNotObject).await.records()[0], 1);
    assert_eq!(twisted(Twist::ReversedRows).await.fids()[0], honest.fids()[4]);
    assert!(twisted(Twist::NoFid).await.records().iter().all(|row| row.get("fid").is_none()));
    let doubled = twisted(Twist::DoubledColumn).await.records();
    assert_eq!(
        (&doubled[0]["fid"], doubled[0].get("FID").is_some()),
        (&honest.json()["records"][0]["fid"], true)
    );
    assert!(twisted(Twist::NoTotal).await.json().get("total").is_none());
    assert_eq!(twisted(Twist::Total { by: -1 }).await.total(), total - 1);
    assert_eq!(twisted(Twist::TotalText { text: "muitos".into() }).await.json()["total"], "muitos");
    assert_eq!(client.get(PAGE).await.json(), honest.json(), "and then it is over");

    let fid = geosite.fids(Feature::Cto)[0];
    geosite.twist((Endpoint::Get, Feature::Cto), Twist::WrongFid);
    assert_eq!(client.get(&format!("/cto/get?fid={fid}")).await.json()["fid"], fid + 1);
    geosite.twist(Endpoint::Get, Twist::Null);
    assert_eq!(client.get("/cto/get?fid=9").await.status, 404, "a refusal stays what it is");
}

#[tokio::test]
async fn a_stalled_answer_has_its_headers_and_then_nothing() {
    let sandbox = start(200).await;
    let client = Client::of(&sandbox).await;
    client.geosite.twist(Endpoint::List, Twist::Stall);
    let mut stream = connect(client.geosite.base_url(), "GET", PAGE, &client.header(), "").await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(String::from_utf8(head).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    // Another request is answered meanwhile, and still nothing has come here.
    assert_eq!(client.get(PAGE).await.status, 200);
    let mut byte = [0];
    let nothing = stream.try_read(&mut byte).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn the_date_is_the_simulators_and_may_be_off() {
    let sandbox = start(200).await;
    let client = Client::of(&sandbox).await;
    client.geosite.set_clock(784_111_777); // RFC 9110's example
    let client = Client::of(&sandbox).await;
    assert_eq!(client.get(PAGE).await.header("date").unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
    client.geosite.configure(|settings| settings.date_offset = -37);
    assert_eq!(client.get(PAGE).await.header("date").unwrap(), "Sun, 06 Nov 1994 08:49:00 GMT");
}

#[tokio::test]
async fn every_request_is_in_the_log() {
    let sandbox = start(200).await;
    let client = Client::of(&sandbox).await;
    client.list("cto", &[("columns", "fid"), ("filter", "nome = 'a b'")]).await;
    client.get("/nowhere/at/all").await;
    client.geosite.inject(Endpoint::Desc, Fault::Html);
    client.get("/cto/desc").await;
    client.geosite.wait_for_requests(4).await;
    let log = client.geosite.requests();
    assert_eq!(log.len(), 4);
    assert_eq!(
        (log[0].body.as_str(), log[0].acted, log[0].content_type.as_deref()),
        ("", true, Some("application/json"))
    );
    assert_eq!(log[1].parameter("filter").as_deref(), Some("nome = 'a b'"));
    assert_eq!((log[1].spot.unwrap().to_string().as_str(), log[1].status), ("list/cto", Some(200)));
    assert_eq!((log[2].spot, log[2].status), (None, Some(404)));
    assert_eq!((log[3].fault.as_deref(), log[3].acted), (Some("html"), false));
}
