//! Sections 3.2, 3.3 and 3.9: columns, filters, order, pages of both kinds, change filter, per-installation columns.

use integration_sandbox::geosite::{Change, Column, Drift, Edge, Feature, Network, Source};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn every_feature_has_the_columns_of_the_contract() {
    let sandbox = start(300).await;
    let client = Client::of(&sandbox).await;
    let all = ["fid", "codigo", "nome", "latitude", "longitude", "dataAlteracao"];
    for feature in Feature::ALL {
        let more: &[&str] = match feature {
            Feature::Splitter => &["tipo", "fidCaixaEmenda", "qtdPortas"],
            Feature::Cliente => &["documento", "contrato", "fidSplitter", "porta"],
            Feature::CaixaEmenda | Feature::Cto | Feature::Cah | Feature::Hub | Feature::TerminadorOptico => {
                &["fidTipoCaixaEmenda", "capacidade", "geometry"]
            }
            _ => &[],
        };
        let described = client.get(&format!("/{}/desc", feature.segment())).await.json();
        let names: Vec<&str> = described["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, [&all, more].concat());
        assert!(described["columns"][0]["alias"].is_string());
        let answer = client.list(feature.segment(), &[("columns", &names.join(",")), ("limit", "1")]).await;
        let row = &answer.records()[0];
        assert!(names.iter().all(|name| row.get(name).is_some()), "{row}");
        assert_eq!(answer.total(), client.geosite.count(feature) as u64);
        let got = client.get(&format!("/{}/get?fid={}", feature.segment(), row["fid"])).await.json();
        assert_eq!(&got, row);
    }
    let box_row = client.list("cto", &[("columns", "latitude,longitude,geometry,fidTipoCaixaEmenda")]).await;
    let row = &box_row.records()[0];
    let point = format!("POINT ({} {})", row["longitude"], row["latitude"]);
    let digits = |text: &str| text.replace(['0', ' '], "");
    assert_eq!(digits(row["geometry"].as_str().unwrap()), digits(&point));
    assert_eq!(row["fidTipoCaixaEmenda"], 2);
}

#[tokio::test]
async fn columns_are_required_known_and_matched_without_case() {
    let sandbox = start(200).await;
    let client = Client::of(&sandbox).await;
    assert_eq!(client.get("/cto/list").await.status, 400);
    assert_eq!(client.get("/cto/list?columns=").await.status, 400);
    let unknown = client.list("cto", &[("columns", "fid,documento")]).await;
    assert_eq!((unknown.status, unknown.json()["coluna"].clone()), (400, json!("documento")));
    let row = client.list("cto", &[("columns", "FID,Nome"), ("limit", "1")]).await.records();
    assert_eq!(row[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["fid", "nome"]);
    for (key, value) in [
        ("filter", "documento='1'"),
        ("sorter", "documento"),
        ("filter", "fid >"),
        ("limit", "x"),
        ("limit", "-1"),
        ("start", "x"),
    ] {
        let answer = client.list("cto", &[("columns", "fid"), (key, value)]).await;
        assert_eq!((answer.status, &answer.json()["success"]), (400, &json!("false")), "{key}={value}");
    }
    let long = format!("fid IN ({}1)", "1,".repeat(3_000));
    assert_eq!(client.list("cto", &[("columns", "fid"), ("filter", &long)]).await.status, 414);
}

/// Pages by keyset, by offset and at once are the same rows, whatever the server's cap.
#[tokio::test]
async fn keyset_and_offset_give_the_same_set() {
    let sandbox = start(2_000).await;
    let client = Client::of(&sandbox).await;
    let geosite = &client.geosite;
    let wanted = geosite.fids(Feature::Cliente);
    assert!(wanted.len() > 500);
    geosite.configure(|settings| settings.list_cap = Some(100));
    let (mut keyset, mut offset) = (Vec::new(), Vec::new());
    loop {
        let filter = format!("fid > {}", keyset.last().copied().unwrap_or(0));
        let page = [("columns", "fid"), ("sorter", "fid"), ("limit", "500"), ("filter", filter.as_str())];
        let answer = client.list("cliente", &page).await;
        assert_eq!(answer.total() as usize + keyset.len(), wanted.len());
        if answer.fids().is_empty() {
            break;
        }
        assert!(answer.fids().len() <= 100);
        keyset.extend(answer.fids());
    }
    while offset.len() < wanted.len() {
        let start = offset.len().to_string();
        let page = [("columns", "fid"), ("sorter", "fid"), ("limit", "500"), ("start", start.as_str())];
        let answer = client.list("cliente", &page).await;
        assert_eq!(answer.total() as usize, wanted.len());
        offset.extend(answer.fids());
    }
    assert_eq!(keyset, wanted);
    assert_eq!(offset, wanted);
    geosite.configure(|settings| settings.refuses_keyset = true);
    let refused = client.list("cliente", &[("columns", "fid"), ("filter", "fid > 1")]).await;
    assert_eq!(refused.status, 400);
}

/// The bound is closed, and the reader's own filter is combined with its place.
#[tokio::test]
async fn the_change_filter_sees_what_changed() {
    let sandbox = start(3_000).await;
    let geosite = sandbox.geosite();
    geosite.set_clock(1_700_452_800); // 2023-11-20 01:00:00 local
    let changed = geosite.churn(Feature::Splitter, 3, 2, 5, 1);
    assert_eq!((changed.inserted.len(), changed.edited.len(), changed.deleted.len()), (2, 5, 1));
    let mut wanted = [changed.inserted, changed.edited.clone()].concat();
    wanted.sort_unstable();
    // Generated elements were changed before 2025: a bound of 2023 would find some of them too.
    geosite.set_clock(1_900_000_000); // 2030-03-17 14:46:40 local
    let client = Client::of(&sandbox).await;
    let since = async |bound: &str, after: u32| {
        let filter = format!("(dataAlteracao {bound}) AND fid > {after}");
        let page = [("columns", "fid,dataAlteracao"), ("sorter", "fid"), ("filter", filter.as_str())];
        client.list("splitter", &page).await
    };
    let again: Vec<u32> = geosite.churn(Feature::Splitter, 4, 0, 7, 0).edited;
    let mut now = again.clone();
    now.sort_unstable();
    assert_eq!(since(">= '2030-03-17 14:46:40'", 0).await.fids(), now);
    assert!(since("> '2030-03-17 14:46:40'", 0).await.fids().is_empty());
    assert_eq!(since(">= '2030-03-17 14:46:40'", now[2]).await.fids(), now[3..]);
    assert_eq!(since(">= '2030-03-17 14:46:40'", now[2]).await.total(), 4);
    let row = since("= '2023-11-20 01:00:00'", 0).await;
    let left: Vec<u32> = wanted.iter().filter(|fid| !again.contains(fid)).copied().collect();
    assert_eq!(row.fids(), left);
    assert_eq!(row.records()[0]["dataAlteracao"], "2023-11-20 01:00:00");

    geosite.edit_quietly(Feature::Splitter, left[0], json!({ "nome": "calado" })).unwrap();
    assert_eq!(since(">= '2030-03-17 14:46:40'", 0).await.fids(), now);
    geosite.edit(Feature::Splitter, left[0], json!({ "dataAlteracao": "2031-01-01 00:00:00" })).unwrap();
    assert_eq!(since(">= '2030-12-31 23:59:59'", 0).await.fids(), [left[0]]);
}

#[tokio::test]
async fn filters_and_orders_are_served_whatever_they_ask() {
    let sandbox = start(100).await;
    let client = Client::of(&sandbox).await;
    let geosite = &client.geosite;
    geosite.set_count(Feature::Poste, 0);
    let add = |nome: &str, latitude: f64| {
        geosite.insert(Feature::Poste, json!({ "nome": nome, "latitude": latitude })).unwrap()
    };
    let (c, a, b) = (add("c", -22.0), add("a", -23.0), add("b d'água", -22.5));
    let list = async |filter: &str, sorter: &str| {
        client.list("poste", &[("columns", "fid"), ("filter", filter), ("sorter", sorter)]).await.fids()
    };
    assert_eq!(list("", "nome").await, [a, b, c]);
    assert_eq!(list("", "latitude,fid").await, [a, b, c]);
    assert_eq!(list("", "longitude").await, [c, a, b], "nothing to sort by leaves the order of fid");
    assert_eq!(list("nome = 'b d''água'", "").await, [b]);
    assert_eq!(list("nome = 'a' OR latitude > -22.1", "").await, [c, a]);
    assert_eq!(list(&format!("nome IN ('a','c') AND fid > {c}"), "fid").await, [a]);
    assert_eq!(list(&format!("fid > {c}"), "nome").await, [a, b]);
    assert_eq!(list("longitude IS NULL", "").await.len(), 3);
    assert!(list("longitude IS NOT NULL", "").await.is_empty());
    geosite.edit(Feature::Poste, a, json!({ "nome": "z" })).unwrap();
    assert_eq!(list("", "nome").await, [b, c, a], "a change is seen");
    assert!(geosite.delete(Feature::Poste, b));
    assert_eq!(list("", "nome").await, [c, a]);
}

#[tokio::test]
async fn an_installation_has_columns_of_its_own() {
    let sandbox = start(300).await;
    let client = Client::of(&sandbox).await;
    let geosite = &client.geosite;
    let fid = geosite.fids(Feature::Cto)[0];
    assert!(geosite.rename_column(Feature::Cto, "NOME", "DESCRICAO"));
    assert!(geosite.drop_column(Feature::Cto, "dataAlteracao"));
    assert!(!geosite.drop_column(Feature::Cto, "dataAlteracao"));
    geosite.add_column(Feature::Cto, Column::new("status").value("Implantado"));
    geosite.add_column(Feature::Cto, Column::new("x").source(Source::Longitude));
    assert_eq!(client.list("cto", &[("columns", "nome")]).await.status, 400);
    geosite.edit(Feature::Cto, fid, json!({ "nome": "antiga", "status": "Projetado" })).unwrap();
    let row =
        client.list("cto", &[("columns", "descricao,status,x,longitude"), ("limit", "1")]).await.records();
    assert_eq!((&row[0]["DESCRICAO"], &row[0]["status"]), (&json!("antiga"), &json!("Projetado")));
    assert_eq!(row[0]["x"], row[0]["longitude"]);
    let designed = client.list("cto", &[("columns", "fid"), ("filter", "status <> 'Implantado'")]).await;
    assert_eq!(designed.fids(), [fid]);
    assert!(client.list("cah", &[("columns", "nome")]).await.status == 200, "only this feature");
}

#[tokio::test]
async fn splice_boxes_may_hold_every_box() {
    let sandbox = start(2_000).await;
    let client = Client::of(&sandbox).await;
    let geosite = &client.geosite;
    let every: usize = Feature::BOXES.iter().map(|feature| geosite.count(*feature)).sum();
    geosite.configure(|settings| settings.every_box_in_splice = true);
    let answer =
        client.list("caixaEmenda", &[("columns", "fid,fidTipoCaixaEmenda"), ("sorter", "fid")]).await;
    assert_eq!((answer.total() as usize, answer.records().len()), (every, every));
    assert!(answer.fids().is_sorted());
    let terminals =
        client.list("caixaEmenda", &[("columns", "fid"), ("filter", "fidTipoCaixaEmenda = 2")]).await;
    assert_eq!(terminals.fids(), geosite.fids(Feature::Cto));
    let fid = geosite.fids(Feature::Hub)[0];
    assert_eq!(client.get(&format!("/caixaEmenda/get?fid={fid}")).await.json()["fidTipoCaixaEmenda"], 5);
}

#[tokio::test]
async fn rows_move_between_pages_as_scripted() {
    let sandbox = start(2_000).await;
    let client = Client::of(&sandbox).await;
    let geosite = &client.geosite;
    let before = geosite.count(Feature::Cliente);
    let page = async |after: u32| {
        let filter = format!("fid > {after}");
        let page = [("columns", "fid"), ("sorter", "fid"), ("limit", "10"), ("filter", filter.as_str())];
        client.list("cliente", &page).await
    };
    geosite.drift(Drift::new(Feature::Cliente, 2, Change::Delete(Edge::Front)));
    geosite.drift(Drift::new(Feature::Cliente, 3, Change::Insert(Edge::Back)).times(2));
    let mut last = 0;
    let mut counts = Vec::new();
    for _ in 0..7 {
        let answer = page(last).await;
        last = *answer.fids().last().unwrap();
        counts.push(geosite.count(Feature::Cliente));
    }
    assert_eq!(counts, [0, 0, -1, 0, 0, 0, 1].map(|change| before.wrapping_add_signed(change)));

    geosite.drift(Drift::new(Feature::Cliente, 0, Change::Reorder(1)));
    let all = geosite.fids(Feature::Cliente);
    let backwards: Vec<u32> = all.iter().rev().take(10).copied().collect();
    assert_eq!(page(0).await.fids(), backwards);
    assert_eq!(page(0).await.fids(), all[..10]);

    let first = all[0];
    geosite.drift(Drift::new(Feature::Cliente, 0, Change::Insert(Edge::Front)));
    assert!(page(0).await.fids()[0] < first);
}

/// A test compares its register with these.
#[tokio::test]
async fn the_inventory_is_a_digest_of_every_fid() {
    let sandbox = start(11).await;
    let geosite = sandbox.geosite();
    geosite.set_count(Feature::Hub, 0);
    geosite.insert(Feature::Hub, json!({ "fid": 3 })).unwrap();
    geosite.insert(Feature::Hub, json!({ "fid": 20 })).unwrap();
    let hub = geosite.inventory().into_iter().find(|one| one.feature == Feature::Hub).unwrap();
    // printf '3\n20\n' | sha256sum
    assert_eq!(hub.sha256, "76407761987066c162426ab96accb2a05830e00c7d7f656db366fe6a045fe424");
    assert_eq!(hub.count, 2);
    assert!(geosite.insert(Feature::Cto, json!({ "fid": 3 })).is_err(), "taken by a hub");
    geosite.generate(Network::new(11));
    assert_eq!(geosite.inventory().iter().map(|one| one.count).sum::<usize>(), 11);
}
