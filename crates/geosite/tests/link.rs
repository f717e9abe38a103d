//! Links written back to the simulated GeoSite: L1 to L3 over HTTP (contract 3.6, 4.5, section 7 "links").
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![cfg(feature = "store")]

use std::sync::Arc;

use geosite::link::{
    DetachPolicy, HttpLinkReader, HttpLinkWriter, Links, Plant, Port, SplitterFacts, Step, Subscriber, Told,
};
use geosite::{Assumptions, BoxFuture, Client, CustomerKey, Environment, Error, ManualClock, WriteBack};
use integration_sandbox::geosite::{Endpoint, Feature, GeoSite, Network, Twist};
use integration_sandbox::{Fault, Sandbox, Scripted};
use integration_store::Store;
use jiff::SignedDuration;
use serde_json::json;

/// A register of service splitters with eight ports each, on which nobody was seen.
#[derive(Debug)]
struct Empty;

impl Plant for Empty {
    fn splitter(&self, _: u64) -> BoxFuture<'_, Result<Option<SplitterFacts>, Error>> {
        Box::pin(std::future::ready(Ok(Some(SplitterFacts::service(Some(8))))))
    }

    fn customers_on(&self, _: Port) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn customers_of(&self, _: u64) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

struct House {
    _sandbox: Sandbox,
    geosite: GeoSite,
    client: Client,
    links: Links,
    port: Port,
}

async fn house() -> House {
    let sandbox = Sandbox::start().await.unwrap();
    let geosite = sandbox.geosite().clone();
    geosite.generate(Network::new(0));
    let values = json!({ "nome": "S-1", "tipo": "Atendimento", "qtdPortas": 8 });
    let splitter = geosite.insert(Feature::Splitter, values).unwrap();
    let client = Client::builder()
        .environment(Environment::at(geosite.base_url()).unwrap())
        .credentials(geosite.username(), geosite.password())
        .assumptions(writing())
        .build()
        .unwrap();
    let store = Store::open("memory:").await.unwrap();
    let links = Links::new(&store, "p", Arc::new(Empty), Arc::new(ManualClock::new())).with_write_back();
    House { _sandbox: sandbox, geosite, client, links, port: Port::new(splitter.into(), 3) }
}

fn writing() -> Assumptions {
    let mut assumptions = Assumptions::default();
    assumptions.write_back = WriteBack::Http;
    assumptions
}

fn ann(contract: u64) -> Subscriber {
    Subscriber::new(CustomerKey::new("12.ABC.345/01DE-35", contract).unwrap(), "Ana d'Ávila")
}

impl House {
    async fn confirmed(&self, contract: u64) -> geosite::link::Link {
        let kept = self.links.propose(self.port, ann(contract)).await.unwrap();
        self.links.confirm(&kept).await.unwrap()
    }

    async fn deliver(&self) {
        let courier = self.links.courier().clone().with_settling(SignedDuration::ZERO);
        courier.deliver(&HttpLinkWriter::new(&self.client).unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_confirmed_link_arrives_once_and_is_taken_back() {
    let house = house().await;
    house.links.propose(house.port, ann(42)).await.unwrap();
    house.deliver().await;
    assert!(house.geosite.requests().is_empty(), "nothing is sent before confirm");
    let link = house.confirmed(42).await;
    let plan = house.links.courier().plan(&HttpLinkReader::new(&house.client)).await.unwrap();
    assert_eq!(plan[0].step, Step::Create);
    assert!(house.geosite.saves().is_empty(), "a plan sends nothing");
    house.deliver().await;
    house.deliver().await;
    let saves = house.geosite.saves();
    assert_eq!(saves.len(), 1);
    assert_eq!(
        (saves[0].document.as_str(), saves[0].contract, saves[0].created),
        ("12ABC34501DE35", 42, true)
    );
    assert_eq!(
        saves[0].seat.map(|(fid, port)| (u64::from(fid), u32::from(port))),
        Some((house.port.splitter, 3))
    );
    let told = house.links.write_back(&link).await.unwrap();
    assert_eq!(told, Told::Acknowledged { fid: Some(saves[0].fid.into()) });
    house.links.detach(&link, DetachPolicy::KeepCustomer, "moved away").await.unwrap();
    house.deliver().await;
    let saves = house.geosite.saves();
    assert_eq!((saves.len(), saves[1].created, saves[1].seat), (2, false, None));
}

#[tokio::test]
async fn a_lost_answer_creates_no_second_customer() {
    for fault in [Fault::ResetBeforeActing, Fault::ActThenReset] {
        let house = house().await;
        house.geosite.inject(Endpoint::Save, fault.clone());
        let link = house.confirmed(7).await;
        for _ in 0..3 {
            house.deliver().await;
        }
        assert_eq!(house.geosite.fids(Feature::Cliente).len(), 1, "{fault:?}");
        assert!(
            matches!(house.links.write_back(&link).await.unwrap(), Told::Acknowledged { .. }),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn an_occupied_port_is_rejected_with_its_holder_and_the_link_stands() {
    let house = house().await;
    let other = json!({ "nome": "B", "documento": "52998224725", "contrato": 9,
        "fidSplitter": house.port.splitter, "porta": 3 });
    house.geosite.insert(Feature::Cliente, other).unwrap();
    let link = house.confirmed(7).await;
    house.deliver().await;
    let told = house.links.write_back(&link).await.unwrap();
    assert!(matches!(&told, Told::Rejected { reason } if reason.contains("contract 9")), "{told:?}");
    assert_eq!(house.links.port(house.port).await.unwrap().link(), Some(&link));
}

/// Contract 2.5: `write_back` is `Disabled` unless somebody says otherwise.
#[tokio::test]
async fn without_the_setting_there_is_no_writer() {
    let house = house().await;
    let environment = Environment::at(house.geosite.base_url()).unwrap();
    let reading = Client::builder().environment(environment).credentials("u", "p").build().unwrap();
    let error = HttpLinkWriter::new(&reading).unwrap_err();
    assert!(error.is_not_sent() && error.hint().contains("WriteBack::Http"), "{error:?}");
    assert!(HttpLinkWriter::new(&house.client).is_ok() && house.geosite.requests().is_empty());
}

/// A service that ignores the filter shows whoever is there: nobody is written over.
#[tokio::test]
async fn a_stranger_is_not_taken_for_the_customer() {
    let house = house().await;
    let link = house.confirmed(7).await;
    let stranger = json!({"fid": 1, "documento": "52998224725", "contrato": 9, "nome": "B", "fidSplitter": 1, "porta": 1});
    let twist = Twist::Body { body: json!({"total": 1, "records": [stranger]}) };
    house.geosite.twist_always(Endpoint::List, twist);
    house.deliver().await;
    let told = house.links.write_back(&link).await.unwrap();
    assert!(house.geosite.saves().is_empty() && matches!(told, Told::Queued), "{told:?}");
    house.geosite.clear_faults();
    house.deliver().await;
    assert_eq!(house.geosite.saves().len(), 1);
}

/// Contract 3.8 and D1: a service that repeats the document in its refusal does not put it into our errors.
#[tokio::test]
async fn a_refusal_that_repeats_the_document_shows_it_nowhere() {
    let said = "o documento 12ABC34501DE35 (12.ABC.345/01DE-35) não serve";
    for (endpoint, status) in [(Endpoint::Save, 422), (Endpoint::List, 400), (Endpoint::List, 422)] {
        let house = house().await;
        let link = house.confirmed(7).await;
        let body = json!({"success": "false", "mensagem": said}).to_string();
        house.geosite.inject_always(endpoint, Fault::Answer(Scripted::new(status).body(body)));
        let courier = house.links.courier().clone();
        let delivered = courier.deliver(&HttpLinkWriter::new(&house.client).unwrap()).await.unwrap();
        let plan = courier.plan(&HttpLinkReader::new(&house.client)).await.unwrap();
        let shown = format!("{delivered:?} {plan:?} {:?}", house.links.write_back(&link).await.unwrap());
        assert!(shown.contains("não serve"), "{endpoint:?}: {shown}");
        assert!(!shown.contains("12ABC345") && !shown.contains("ABC.345"), "{endpoint:?}: {shown}");
    }
}
