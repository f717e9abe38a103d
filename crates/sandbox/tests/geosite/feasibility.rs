//! Section 3.4: boxes near a place in both shapes, figures about ports, addresses, cable.

use integration_sandbox::Sandbox;
use integration_sandbox::geosite::{
    BoxesShape, FacilitiesShape, Feature, Network, Numbers, PortFigures, Success, UnknownAddress,
};
use serde_json::{Value, json};

use crate::support::*;

/// Two terminal boxes north of a place: at a thousandth of a degree one with 2 of 8 ports taken, at two thousandths
/// one that is full. A degree is 111,195.08 m long on the sphere.
async fn street() -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    let geosite = sandbox.geosite();
    geosite.generate(Network::new(0));
    for (name, latitude, ports, taken) in [("perto", -22.999, 8, 2), ("cheia", -22.998, 2, 2)] {
        let place = json!({ "nome": name, "codigo": name, "latitude": latitude, "longitude": -47.0, "capacidade": ports });
        let cto = geosite.insert(Feature::Cto, place).unwrap();
        let splitter = json!({ "tipo": "Atendimento", "fidCaixaEmenda": cto, "qtdPortas": ports });
        let splitter = geosite.insert(Feature::Splitter, splitter).unwrap();
        for port in 1..=taken {
            geosite.insert(Feature::Cliente, json!({ "fidSplitter": splitter, "porta": port })).unwrap();
        }
    }
    geosite.insert(Feature::Cto, json!({ "nome": "sem lugar" })).unwrap();
    sandbox
}

const HERE: &str = "latitude=-23.0&longitude=-47.0";

async fn boxes(client: &Client, query: &str) -> Value {
    client.get(&format!("/viabilidade/caixas?{query}")).await.json()
}

#[tokio::test]
async fn boxes_come_nearest_first_with_their_figures() {
    let sandbox = street().await;
    let client = Client::of(&sandbox).await;
    let answer = boxes(&client, &format!("{HERE}&raio=500")).await;
    assert_eq!(answer["success"], "true");
    let list = answer["caixas"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    let near = &list[0];
    assert_eq!((&near["tipoCodigo"], &near["fidTipoCaixaEmenda"]), (&json!("CTO: perto"), &json!(2)));
    assert_eq!(near["distancia"], 111.2);
    assert_eq!(list[1]["distancia"], 222.39);
    assert_eq!(near["geometryCaixaEmenda"], "POINT (-47.0000000 -22.9990000)");
    for (key, figure) in [
        ("qtdDisponivel", 6),
        ("qtdOcupada", 2),
        ("qtdClientes", 2),
        ("qtdSplitter", 1),
        ("capacidade", 8),
        ("qtdPortasSplitter", 8),
        ("qtdPortasSplitterOcup", 2),
        ("qtdPortasSplitterDisp", 6),
    ] {
        assert_eq!(near[key], figure, "{key}");
    }
    assert_eq!(list[1]["qtdDisponivel"], 0);
    assert_eq!(boxes(&client, &format!("{HERE}&raio=112")).await["caixas"].as_array().unwrap().len(), 1);
    assert_eq!(boxes(&client, &format!("{HERE}&raio=111")).await["caixas"], json!([]));
    for odd in [HERE, "raio=5", "raio=x&latitude=1&longitude=2", "raio=5&latitude=1"] {
        assert_eq!(client.get(&format!("/viabilidade/caixas?{odd}")).await.status, 400, "{odd}");
    }
}

#[tokio::test]
async fn shapes_texts_and_names_of_figures_can_be_chosen() {
    let sandbox = street().await;
    let client = Client::of(&sandbox).await;
    let geosite = &client.geosite;
    let query = format!("{HERE}&raio=500");
    geosite.configure(|settings| settings.success = Success::Bool);
    assert_eq!(boxes(&client, &query).await["success"], true);
    geosite.configure(|settings| settings.boxes = BoxesShape::Bare);
    geosite.configure(|settings| settings.numbers = Numbers::Text);
    let first = async |figures: PortFigures| {
        geosite.configure(|settings| settings.ports = figures);
        boxes(&client, &query).await[0].clone()
    };
    let all = first(PortFigures::All).await;
    assert_eq!((&all["distancia"], &all["qtdDisponivel"]), (&json!("111.2"), &json!("6")));
    let old = first(PortFigures::OldAlias).await;
    assert_eq!((old.get("qtdDisponivel"), &old["qtdTotalDisponivel"]), (None, &json!("6")));
    let different = first(PortFigures::BothDifferent).await;
    assert_eq!((&different["qtdDisponivel"], &different["qtdTotalDisponivel"]), (&json!("6"), &json!("7")));
    let little = first(PortFigures::SplitterTotalAndOccupied).await;
    assert_eq!((&little["qtdPortasSplitter"], &little["qtdPortasSplitterOcup"]), (&json!("8"), &json!("2")));
    for missing in ["qtdDisponivel", "qtdTotalDisponivel", "qtdPortasSplitterDisp"] {
        assert!(little.get(missing).is_none());
    }
    let unknown = first(PortFigures::Unknown).await;
    assert!(unknown.get("qtdPortasSplitter").is_none() && unknown.get("qtdDisponivel").is_none());
    assert!(first(PortFigures::Negative).await["qtdDisponivel"].as_str().unwrap().starts_with('-'));
}

#[tokio::test]
async fn addresses_are_those_of_the_table() {
    let sandbox = street().await;
    let client = Client::of(&sandbox).await;
    client.geosite.set_address("13400-000", -23.0, -47.0);
    client.geosite.set_address("Rua das Acácias, 10", -23.0, -47.0);
    for known in ["13400000", "13400-000", "RUA DAS ACÁCIAS, 10"] {
        let answer = boxes(&client, &format!("raio=500&endereco={}", encoded(known))).await;
        assert_eq!(answer["caixas"].as_array().unwrap().len(), 2, "{known}");
    }
    assert_eq!(boxes(&client, "raio=500&endereco=x").await, json!({ "success": "true", "caixas": [] }));
    client.geosite.configure(|settings| settings.unknown_address = UnknownAddress::Refused);
    let refused = client.get("/viabilidade/caixas?raio=500&endereco=x").await;
    assert_eq!((refused.status, &refused.json()["success"]), (200, &json!("false")));
}

#[tokio::test]
async fn facilities_and_cable_are_found_by_kind() {
    let sandbox = street().await;
    let client = Client::of(&sandbox).await;
    let path = format!("/viabilidade/facilidade?{HERE}&raio=500");
    assert_eq!(client.get(&path).await.json(), json!([]));
    let found = client.get(&format!("{path}&cto=1&poste=1&splitter=0")).await.json();
    assert_eq!((found[0]["nome"].clone(), found[0]["distancia"].clone()), (json!("perto"), json!(111.2)));
    assert_eq!(found.as_array().unwrap().len(), 2);
    for (shape, key) in [
        (FacilitiesShape::Facilidades, "facilidades"),
        (FacilitiesShape::Records, "records"),
        (FacilitiesShape::Caixas, "caixas"),
    ] {
        client.geosite.configure(|settings| settings.facilities = shape);
        assert_eq!(client.get(&format!("{path}&cto=1")).await.json()[key].as_array().unwrap().len(), 2);
    }
    let cable = async |radius: u32| {
        let body = json!({ "latitude": -23.0, "longitude": -47.0, "raio_metros": radius });
        client.post("/rede/existe-lance-cabo", &body).await.json()
    };
    client.geosite.insert(Feature::LanceCabo, json!({ "latitude": -23.0, "longitude": -47.001 })).unwrap();
    // A thousandth of a degree of longitude at 23° south: 111.195 m × cos 23° = 102.36 m.
    assert_eq!(cable(102).await, json!({ "success": "true", "existe_lance_cabo": false }));
    assert_eq!(cable(103).await["existe_lance_cabo"], true);
    assert_eq!(client.post("/rede/existe-lance-cabo", &json!({})).await.status, 400);
}
