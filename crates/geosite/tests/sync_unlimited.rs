//! A service that sends every row whatever limit it is asked for (contract 2.3: four calls in flight; 4.8 G2): a synchronisation takes
//! in so many rows at a time, and five lists that are merged do not wait for each other for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use geosite::sync::{
    Kind, MemoryRegister, Outcome, PlantSync, Project, Register, Request, Selection, Settings,
};
use geosite::{Client, Environment};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

const BOXES: [&str; 5] = ["caixaEmenda", "cto", "cah", "hub", "terminadorOptico"];
/// More than a list holds back.
const EACH: i64 = 9_000;

/// Rows of a feature above a number: the five lists' numbers lie between each other's.
fn rows(feature: &str, above: i64) -> Vec<i64> {
    let own = |place: i64| (1..=EACH).map(move |nth| nth * 10 + place).filter(move |fid| *fid > above);
    BOXES.iter().position(|one| *one == feature).map_or(Vec::new(), |place| own(place as i64).collect())
}

struct Unlimited;

impl Respond for Unlimited {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let mut path = request.url.path_segments().unwrap().rev();
        let (call, feature) = (path.next().unwrap(), path.next().unwrap());
        let body = match call {
            "generatetoken" => r#"{"token":"t","refreshToken":"r"}"#.to_owned(),
            "desc" => r#"{"columns":[{"alias":"FID","name":"fid"}]}"#.to_owned(),
            _ => {
                let filter = request.url.query_pairs().find(|(name, _)| name == "filter");
                let above = filter.map_or(0, |(_, text)| text.rsplit(' ').next().unwrap().parse().unwrap());
                let rows = rows(feature, above);
                let records: Vec<String> = rows.iter().map(|fid| format!(r#"{{"fid":{fid}}}"#)).collect();
                format!(r#"{{"total":{},"records":[{}]}}"#, rows.len(), records.join(","))
            }
        };
        ResponseTemplate::new(200).set_body_raw(body, "application/json")
    }
}

#[tokio::test]
async fn five_lists_that_know_no_limit_are_read_whole() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(Unlimited).mount(&server).await;
    let builder = Client::builder().environment(Environment::at(&server.uri()).unwrap());
    let client = builder.credentials("u", "p".to_owned()).build().unwrap();
    let register = Arc::new(MemoryRegister::new());
    let settings = Settings::new("norte", "worker-1").assuming(client.assumptions());
    let builder = PlantSync::builder(Arc::new(client), register.clone(), settings);
    let kinds = [Kind::CaixaEmenda, Kind::Cto, Kind::Cah, Kind::Hub, Kind::TerminadorOptico];
    let sync = builder.open(&Project::create("Rede"), &Selection::of(kinds).unwrap()).await.unwrap();
    let run = sync.run(Request::full()).await.unwrap();
    assert_eq!(run.outcome, Some(Outcome::Ok), "{:?}", run.warnings);
    for kind in kinds {
        assert_eq!(run.kinds[&kind].added, EACH as u64);
        assert_eq!(register.counts("norte").await.unwrap()[&kind].live, EACH as u64);
    }
}
