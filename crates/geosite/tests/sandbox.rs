//! Whole features read from the simulator, which reads the contract on its own: paging, drift, faults (contract 4.8, G1 to G6).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::time::Duration;

use geosite::{
    Assumptions, Checkpoint, Client, Drift, Environment, Error, ErrorExt, ErrorKind, Feature, Filter, Paging,
    Place, Position, Problem, Read, ReadAll, Summary,
};
use integration_sandbox::geosite::{
    Change, Column, Drift as Moving, Edge, Endpoint, Feature as There, GeoSite, Network, Numbers, Twist,
};
use integration_sandbox::{Fault, Sandbox};
use serde_json::json;

/// Rows of the feature that most tests read.
const BOXES: usize = 23;

struct Plant {
    _sandbox: Sandbox,
    site: GeoSite,
    client: Client,
}

async fn plant() -> Plant {
    plant_with(|assumptions| assumptions.page_size = 5).await
}

async fn plant_with(change: impl FnOnce(&mut Assumptions)) -> Plant {
    let sandbox = Sandbox::start().await.unwrap();
    let site = sandbox.geosite().clone();
    site.generate(Network::new(600).seed(7));
    site.set_count(There::Cto, BOXES);
    let mut assumptions = Assumptions::default();
    assumptions.change_column = Some("dataAlteracao".into());
    change(&mut assumptions);
    let client = Client::builder()
        .environment(Environment::at(site.base_url()).unwrap())
        .credentials(site.username(), site.password())
        .assumptions(assumptions)
        .stall_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    Plant { _sandbox: sandbox, site, client }
}

/// What was read since the last restart, and how it ended.
#[derive(Debug, Default)]
struct Seen {
    fids: Vec<u64>,
    failed: usize,
    pages: Vec<Checkpoint>,
    drifts: Vec<Drift>,
}

async fn read(mut reading: ReadAll) -> (Seen, Result<Summary, Error>) {
    let mut seen = Seen::default();
    while let Some(item) = reading.next().await {
        match item {
            Ok(Read::Row(record)) => seen.fids.push(record.fid.0),
            Ok(Read::Failed(_)) => seen.failed += 1,
            Ok(Read::Page(checkpoint)) => seen.pages.push(checkpoint),
            Ok(Read::Restarted { drift, .. }) => {
                seen.drifts.push(drift);
                (seen.fids, seen.pages, seen.failed) = (Vec::new(), Vec::new(), 0);
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert!(reading.next().await.is_none() && reading.summary().is_none());
                return (seen, Err(error));
            }
        }
    }
    let summary = reading.summary().unwrap().clone();
    (seen, Ok(summary))
}

fn fids(site: &GeoSite, feature: There) -> Vec<u64> {
    site.fids(feature).into_iter().map(u64::from).collect()
}

#[tokio::test]
async fn every_feature_is_read_whole_with_what_its_elements_have() {
    let plant = plant_with(|_| ()).await;
    for (ours, theirs) in Feature::ALL.into_iter().zip(There::ALL) {
        let (seen, summary) = read(plant.client.read_all(ours)).await;
        let summary = summary.unwrap();
        assert!(summary.complete && summary.missing.is_empty(), "{ours}: {summary:?}");
        assert_eq!(seen.fids, fids(&plant.site, theirs), "{ours}");
        assert_eq!((seen.failed, summary.checkpoint.total), (0, Some(seen.fids.len() as u64)));
        assert!(summary.checkpoint.date.is_some());
    }
    let fid = plant.site.fids(There::Splitter)[0];
    let there = plant.site.element(There::Splitter, fid).unwrap();
    let here = plant.client.get(Feature::Splitter, fid).await.unwrap().unwrap();
    let splitter = here.splitter().unwrap();
    assert_eq!(splitter.parent.map(|fid| fid.0), there["fidCaixaEmenda"].as_u64());
    assert_eq!(splitter.ports.map(u64::from), there["qtdPortas"].as_u64());
    assert_eq!(here.name.as_deref(), there["nome"].as_str());
    assert!(here.changed.unwrap().timestamp().is_some());
}

#[tokio::test]
async fn keyset_and_offset_bring_the_same_rows_whatever_the_size_of_pages() {
    let plant = plant().await;
    let all = fids(&plant.site, There::Cto);
    for paging in [Paging::Keyset, Paging::Offset] {
        for size in [1, 5, 7, 23, 100] {
            let (seen, summary) =
                read(plant.client.read_all(Feature::Cto).paging(paging).page_size(size)).await;
            assert!(summary.unwrap().complete);
            assert_eq!(seen.fids, all, "{paging:?} by {size}");
            assert_eq!(seen.pages.len(), BOXES.div_ceil(size as usize));
        }
    }
    plant.site.set_count(There::Cto, 0);
    let (seen, summary) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(summary.unwrap().complete && seen.fids.is_empty());
}

#[tokio::test]
async fn pages_follow_the_last_number_and_end_with_a_look_at_the_whole() {
    let plant = plant().await;
    plant.client.log_in().await.unwrap();
    let filter = Filter::is_not_null("nome").or(Filter::is_null("nome"));
    let (seen, summary) = read(plant.client.read_all(Feature::Cto).filter(filter)).await;
    assert!(summary.unwrap().complete);
    let lists: Vec<_> =
        plant.site.requests().into_iter().filter(|request| request.path.ends_with("/cto/list")).collect();
    let told = |place: usize, name: &str| lists[place].parameter(name);
    assert_eq!(lists.len(), 7);
    assert_eq!((told(0, "sorter").as_deref(), told(0, "limit").as_deref()), (Some("fid"), Some("5")));
    assert_eq!(told(0, "filter").as_deref(), Some("nome IS NOT NULL OR nome IS NULL"));
    let second = format!("(nome IS NOT NULL OR nome IS NULL) AND fid > {}", seen.fids[4]);
    assert_eq!(told(1, "filter"), Some(second));
    let beyond = format!("(nome IS NOT NULL OR nome IS NULL) AND fid > {}", seen.fids[22]);
    assert_eq!((told(5, "limit").as_deref(), told(5, "filter")), (Some("1"), Some(beyond)));
    assert_eq!((told(6, "limit").as_deref(), told(6, "filter")), (Some("1"), told(0, "filter")));
    assert!(lists.iter().all(|list| list.parameter("start").is_none()));
}

#[tokio::test]
async fn a_service_that_caps_pages_or_refuses_the_keyset_is_read_whole() {
    let plant = plant().await;
    let all = fids(&plant.site, There::Cto);
    plant.site.configure(|settings| settings.list_cap = Some(2));
    let (seen, summary) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(summary.unwrap().complete && seen.fids == all && seen.pages.len() == 12);
    plant.site.configure(|settings| {
        settings.refuses_keyset = true;
        settings.total = Numbers::Text;
    });
    let (seen, summary) = read(plant.client.read_all(Feature::Cto)).await;
    let summary = summary.unwrap();
    assert!(summary.complete && summary.checkpoint.by_offset && seen.fids == all);
    // Where `start` is not understood either, the same page comes again and again.
    plant.site.configure(|settings| settings.start_supported = false);
    let (_, ended) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(matches!(
        ended.unwrap_err().problem(),
        Some(Problem::PageDrift { drift: Drift::NotRising { .. }, .. })
    ));
}

#[tokio::test]
async fn rows_that_move_lead_to_a_restart_and_then_to_the_truth() {
    for paging in [Paging::Keyset, Paging::Offset] {
        for change in [
            Change::Insert(Edge::Back),
            Change::Delete(Edge::Front),
            Change::Delete(Edge::Back),
            Change::Reorder(1),
        ] {
            let plant = plant().await;
            plant.site.drift(Moving::new(There::Cto, 2, change));
            let (seen, summary) = read(plant.client.read_all(Feature::Cto).paging(paging)).await;
            let summary = summary.unwrap();
            assert!(summary.complete, "{paging:?} {change:?}");
            assert_eq!(seen.fids, fids(&plant.site, There::Cto), "{paging:?} {change:?}");
            assert_eq!(
                (seen.drifts.len(), summary.checkpoint.restarts),
                (1, 1),
                "{paging:?} {change:?}: {:?}",
                seen.drifts
            );
        }
    }
}

#[tokio::test]
async fn a_row_that_goes_while_the_last_look_is_taken_is_noticed() {
    let plant = plant().await;
    plant.site.drift(Moving::new(There::Cto, 5, Change::Delete(Edge::Front)));
    let (seen, summary) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(summary.unwrap().complete);
    assert_eq!(seen.drifts, [Drift::Total { expected: 23, found: 22 }]);
    assert_eq!(seen.fids, fids(&plant.site, There::Cto));
}

#[tokio::test]
async fn three_restarts_and_no_more() {
    let plant = plant().await;
    plant.site.drift(Moving::new(There::Cto, 2, Change::Delete(Edge::Back)).times(40));
    let (seen, ended) = read(plant.client.read_all(Feature::Cto)).await;
    let error = ended.unwrap_err();
    assert!(matches!(error.problem(), Some(Problem::PageDrift { restarts: 3, .. })), "{error}");
    assert!(error.retry_may_help() && error.to_string().contains("GET /cto/list"));
    assert_eq!(seen.drifts.len(), 3);
}

#[tokio::test]
async fn a_total_that_lies_is_an_error_that_names_it() {
    let plant = plant().await;
    for by in [-3, 4] {
        plant.site.twist_always((Endpoint::List, There::Cto), Twist::Total { by });
        let (_, ended) = read(plant.client.read_all(Feature::Cto)).await;
        let error = ended.unwrap_err();
        let named = matches!(error.problem(), Some(Problem::PageDrift { .. } | Problem::Incomplete { .. }));
        assert!(named, "{by}: {error}");
        plant.site.clear_faults();
    }
    plant.site.twist_always((Endpoint::List, There::Cto), Twist::EmptyPage);
    let (seen, ended) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(seen.fids.is_empty());
    assert!(matches!(
        ended.unwrap_err().problem(),
        Some(Problem::Incomplete { collected: 0, total: 23, .. })
    ));
}

#[tokio::test]
async fn without_a_usable_total_rows_come_and_nothing_is_complete() {
    let plant = plant().await;
    let all = fids(&plant.site, There::Cto);
    for twist in [Twist::NoTotal, Twist::TotalText { text: "muitos".into() }] {
        plant.site.twist_always((Endpoint::List, There::Cto), twist);
        let (seen, summary) = read(plant.client.read_all(Feature::Cto)).await;
        let summary = summary.unwrap();
        assert!(!summary.complete && summary.checkpoint.without_total);
        assert_eq!(seen.fids, all);
        plant.site.clear_faults();
    }
    // One page without it is enough.
    plant.site.twist((Endpoint::List, There::Cto), Twist::NoTotal);
    let (seen, summary) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(!summary.unwrap().complete && seen.fids == all);
}

#[tokio::test]
async fn rows_in_error_are_counted_and_make_it_incomplete() {
    let plant = plant().await;
    let fid = plant.site.fids(There::Cto)[7];
    plant.site.edit(There::Cto, fid, json!({"capacidade": "muita"})).unwrap();
    let (seen, summary) = read(plant.client.read_all(Feature::Cto)).await;
    let summary = summary.unwrap();
    assert_eq!((summary.complete, summary.checkpoint.failed, seen.failed), (false, 1, 1));
    assert_eq!(seen.fids.len(), BOXES - 1);
    // Rows without a number cannot be paged past.
    plant.site.twist_always((Endpoint::List, There::Cto), Twist::NoFid);
    let (seen, ended) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(matches!(ended.unwrap_err().problem(), Some(Problem::Incomplete { .. })));
    assert_eq!((seen.failed, seen.fids.len()), (5, 0));
}

#[tokio::test]
async fn bad_shapes_end_reading_with_their_names() {
    let plant = plant().await;
    for (twist, expected) in [
        (Twist::Null, "shape"),
        (Twist::BareArray, "shape"),
        (Twist::Wrapper { key: "rows".into() }, "shape"),
        (Twist::RowNotObject, "shape"),
        (Twist::Refusal, "refused"),
        (Twist::DoubledColumn, "ambiguous"),
    ] {
        plant.site.twist((Endpoint::List, There::Cto), twist.clone());
        let (_, ended) = read(plant.client.read_all(Feature::Cto)).await;
        let named = match ended.unwrap_err().problem() {
            Some(Problem::UnexpectedShape { .. }) => "shape",
            Some(Problem::ApiRefused { .. }) => "refused",
            Some(Problem::AmbiguousColumn { .. }) => "ambiguous",
            other => panic!("{twist:?}: {other:?}"),
        };
        assert_eq!(named, expected, "{twist:?}");
    }
    plant.site.inject((Endpoint::List, There::Cto), Fault::act_then_html(200));
    let (_, ended) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(matches!(ended.unwrap_err().problem(), Some(Problem::UnexpectedContentType { .. })));
}

/// G6.
#[tokio::test]
async fn a_token_that_ends_in_the_middle_repeats_the_page_and_nothing_else() {
    let plant = plant().await;
    let mut reading = plant.client.read_all(Feature::Cto);
    let mut fids_read = Vec::new();
    while let Some(item) = reading.next().await {
        match item.unwrap() {
            Read::Row(record) => fids_read.push(record.fid.0),
            Read::Page(_) => plant.site.revoke_tokens(),
            _ => panic!("no drift"),
        }
    }
    assert_eq!(fids_read, fids(&plant.site, There::Cto));
    assert!(reading.summary().unwrap().complete);
}

#[tokio::test]
async fn a_page_that_breaks_off_is_taken_up_after_its_last_row() {
    for paging in [Paging::Keyset, Paging::Offset] {
        let plant = plant().await;
        plant.client.schema(Feature::Cto).await.unwrap();
        plant.site.inject_times((Endpoint::List, There::Cto), Fault::ActThenCutChunked, 2);
        let (seen, summary) = read(plant.client.read_all(Feature::Cto).paging(paging)).await;
        assert!(summary.unwrap().complete, "{paging:?}");
        assert_eq!(seen.fids, fids(&plant.site, There::Cto), "{paging:?}");
        assert!(seen.drifts.is_empty());
        plant.site.inject_always((Endpoint::List, There::Cto), Fault::ActThenCutBody);
        let (_, ended) = read(plant.client.read_all(Feature::Cto).paging(paging)).await;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Interrupted);
    }
}

#[tokio::test]
async fn a_stalled_service_is_noticed() {
    let plant = plant().await;
    plant.site.twist_always((Endpoint::List, There::Cto), Twist::Stall);
    let (_, ended) = read(plant.client.read_all(Feature::Cto)).await;
    let error = ended.unwrap_err();
    assert!(error.is_timeout() && error.message().unwrap().contains("nothing came"), "{error}");
}

#[tokio::test]
async fn reading_goes_on_at_a_checkpoint() {
    let plant = plant().await;
    let (seen, _) = read(plant.client.read_all(Feature::Cto)).await;
    let stored = serde_json::to_string(&seen.pages[1]).unwrap();
    let checkpoint: Checkpoint = serde_json::from_str(&stored).unwrap();
    assert_eq!((checkpoint.pages, checkpoint.collected), (2, 10));
    let (rest, summary) = read(plant.client.read_all(Feature::Cto).resume(checkpoint.clone())).await;
    assert!(summary.unwrap().complete);
    assert_eq!(rest.fids, seen.fids[10..]);
    // What happened in between is not missed.
    plant.site.delete(There::Cto, u32::try_from(seen.fids[20]).unwrap());
    let (again, summary) = read(plant.client.read_all(Feature::Cto).resume(checkpoint)).await;
    assert!(summary.unwrap().complete);
    assert_eq!((again.drifts.len(), again.fids), (1, fids(&plant.site, There::Cto)));
}

#[tokio::test]
async fn columns_differ_between_installations() {
    let plant = plant().await;
    plant.site.rename_column(There::Cto, "nome", "NOME");
    plant.site.drop_column(There::Cto, "dataAlteracao");
    plant.site.add_column(There::Cto, Column::new("cor").value("azul"));
    let mut reading = plant.client.read_all(Feature::Cto).all_columns();
    let Some(Ok(Read::Row(first))) = reading.next().await else { panic!() };
    assert!(first.name.is_some() && first.extra["cor"] == "azul");
    let (_, summary) = read(plant.client.read_all(Feature::Cto)).await;
    assert_eq!(summary.unwrap().missing, ["dataAlteracao"]);
    let (_, summary) = read(plant.client.read_all(Feature::Cto).all_columns()).await;
    assert_eq!(
        summary.unwrap().missing,
        ["dataAlteracao"],
        "what is configured and missing is told whatever is read"
    );
    let (_, summary) = read(plant.client.read_all(Feature::Cto).columns(["nome", "bairro"])).await;
    assert_eq!(summary.unwrap().missing, ["bairro"]);
    // A column that goes after it was described is not asked for again.
    plant.site.drop_column(There::Cto, "codigo");
    let (seen, summary) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(summary.unwrap().complete && seen.fids.len() == BOXES);
    plant.site.add_column(There::Cto, Column::new("Fid"));
    plant.client.read_schema(Feature::Cto).await.unwrap();
    let (_, ended) = read(plant.client.read_all(Feature::Cto)).await;
    assert!(matches!(ended.unwrap_err().problem(), Some(Problem::AmbiguousColumn { .. })));
}

#[tokio::test]
async fn several_features_are_read_at_once_and_one_that_fails_ends_alone() {
    let plant = plant().await;
    plant.site.twist_always((Endpoint::List, There::Hub), Twist::Null);
    let features = [Feature::Splitter, Feature::Hub, Feature::Cto, Feature::Cliente];
    let mut reading = plant.client.read_many(features, 2);
    let (mut rows, mut failed) = (std::collections::BTreeMap::<Feature, usize>::new(), Vec::new());
    while let Some((feature, item)) = reading.next().await {
        match item {
            Ok(Read::Row(_)) => *rows.entry(feature).or_default() += 1,
            Ok(_) => {}
            Err(_) => failed.push(feature),
        }
    }
    assert_eq!(failed, [Feature::Hub]);
    let expected = [There::Splitter, There::Cto, There::Cliente].map(|feature| plant.site.count(feature));
    assert_eq!([Feature::Splitter, Feature::Cto, Feature::Cliente].map(|feature| rows[&feature]), expected);
    assert!(
        reading.summaries().len() == 3 && reading.summaries().iter().all(|(_, summary)| summary.complete)
    );
}

#[tokio::test]
async fn the_simulator_agrees_about_quotes_and_places() {
    let plant = plant().await;
    let name = "D'Ávila' OR '1'='1";
    let fid =
        plant.site.insert(There::Cto, json!({"nome": name, "latitude": -22.7, "longitude": -47.6})).unwrap();
    let list = plant.client.list(Feature::Cto).columns(["fid", "nome", "latitude", "longitude"]);
    let page = list.filter(Filter::eq("nome", name)).all().await.unwrap();
    assert_eq!(page.records.iter().map(|record| record.fid.0).collect::<Vec<_>>(), [u64::from(fid)]);
    let here = Position::new(-22.7, -47.6).unwrap();
    assert_eq!(page.records[0].position, Some(here));
    let near = plant.client.feasibility(&Place::At(here), 50).await.unwrap();
    assert_ne!(near.public_view(), geosite::PublicView::NotFound);
    assert!(plant.client.get(Feature::Cto, 999_999_999_u32).await.unwrap().is_none());
    plant.client.has_cable(here, 100).await.unwrap();
    assert!(plant.client.check(Feature::ALL).await.iter().all(|finding| !finding.is_fatal()));
}
