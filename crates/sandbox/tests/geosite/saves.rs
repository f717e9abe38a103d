//! Section 3.6: looking for a customer, attaching and detaching him.

use integration_sandbox::Fault;
use integration_sandbox::Sandbox;
use integration_sandbox::geosite::{Endpoint, Feature, Network, Twist};
use serde_json::{Value, json};

use crate::support::*;

/// A service splitter of eight ports and a distribution splitter.
async fn two_splitters() -> (Sandbox, u32, u32) {
    let sandbox = Sandbox::start().await.unwrap();
    let geosite = sandbox.geosite();
    geosite.generate(Network::new(0));
    let service =
        geosite.insert(Feature::Splitter, json!({ "tipo": "Atendimento", "qtdPortas": 8 })).unwrap();
    let other = geosite.insert(Feature::Splitter, json!({ "tipo": "Distribuição", "qtdPortas": 8 })).unwrap();
    (sandbox, service, other)
}

/// The alphanumeric CNPJ of section 5.2.
fn customer(contract: u32, splitter: u32, port: u32) -> Value {
    json!({ "documento": "12ABC34501DE35", "contrato": contract, "nome": "D'Ávila Ltda", "fidSplitter": splitter, "porta": port })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

async fn found(client: &Client, document: &str, contract: &str) -> Vec<u32> {
    let filter = format!("documento='{document}' AND contrato='{contract}'");
    client.list("cliente", &[("columns", "fid"), ("filter", &filter)]).await.fids()
}

#[tokio::test]
async fn a_customer_is_attached_moved_and_detached() {
    let (sandbox, service, _) = two_splitters().await;
    let client = Client::of(&sandbox).await;
    assert!(found(&client, "12ABC34501DE35", "4711").await.is_empty());
    let saved = client.post("/cliente/save", &customer(4711, service, 3)).await;
    let fid = u32::try_from(saved.json()["fid"].as_u64().unwrap()).unwrap();
    assert_eq!((saved.status, &saved.json()["success"]), (200, &json!("true")));
    assert_eq!(found(&client, "12ABC34501DE35", "4711").await, [fid]);
    assert!(found(&client, "52998224725", "4711").await.is_empty());

    let moved = with(customer(4711, service, 5), "fid", json!(fid));
    assert_eq!(client.post("/cliente/save", &moved).await.json()["fid"], fid);
    let row = client.get(&format!("/cliente/get?fid={fid}")).await.json();
    assert_eq!((&row["documento"], &row["porta"]), (&json!("12ABC34501DE35"), &json!(5)));

    let gone = json!({ "fid": fid, "documento": "12ABC34501DE35", "contrato": "4711", "nome": "D'Ávila Ltda",
        "fidSplitter": null, "porta": null });
    assert_eq!(client.post("/cliente/save", &gone).await.status, 200);
    let row = client.get(&format!("/cliente/get?fid={fid}")).await.json();
    assert_eq!(
        (&row["fidSplitter"], &row["porta"], &row["contrato"]),
        (&Value::Null, &Value::Null, &json!(4711))
    );
    let saves = client.geosite.saves();
    let seats: Vec<_> = saves.iter().map(|save| (save.created, save.seat)).collect();
    assert_eq!(seats, [(true, Some((service, 3))), (false, Some((service, 5))), (false, None)]);
}

#[tokio::test]
async fn a_port_has_one_holder() {
    let (sandbox, service, _) = two_splitters().await;
    let client = Client::of(&sandbox).await;
    assert_eq!(client.post("/cliente/save", &customer(4711, service, 3)).await.status, 200);
    let taken = client.post("/cliente/save", &customer(4712, service, 3)).await;
    assert_eq!(taken.status, 409);
    assert_eq!(taken.json(), json!({ "success": "false", "codigo": "PORTA_OCUPADA", "contrato": 4711 }));
    let fid = found(&client, "12ABC34501DE35", "4711").await[0];
    let same = with(customer(4711, service, 3), "fid", json!(fid));
    assert_eq!(client.post("/cliente/save", &same).await.status, 200, "by himself it is not taken");
    assert!(client.geosite.delete(Feature::Cliente, fid));
    assert_eq!(client.post("/cliente/save", &customer(4712, service, 3)).await.status, 200);
    assert_eq!(client.geosite.saves().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_saved_is_refused_with_422() {
    let (sandbox, service, distribution) = two_splitters().await;
    let client = Client::of(&sandbox).await;
    let good = customer(1, service, 1);
    for (key, value) in [
        ("documento", json!("12ABC34501DE45")),
        ("documento", json!("")),
        ("contrato", json!("x")),
        ("contrato", json!(0)),
        ("nome", Value::Null),
        ("porta", json!(9)),
        ("porta", json!(0)),
        ("porta", Value::Null),
        ("fidSplitter", json!(9)),
        ("fidSplitter", json!(distribution)),
        ("senha", json!("x")),
    ] {
        let refused = client.post("/cliente/save", &with(good.clone(), key, value)).await;
        assert_eq!((refused.status, &refused.json()["success"]), (422, &json!("false")), "{key}");
    }
    assert_eq!(client.post("/cliente/save", &with(good.clone(), "fid", json!(9))).await.status, 404);
    assert_eq!(client.post("/cliente/save", &json!([])).await.status, 400);
    assert_eq!((client.geosite.count(Feature::Cliente), client.geosite.saves().len()), (0, 0));
    client.geosite.configure(|settings| settings.checks_documents = false);
    let odd = with(good, "documento", json!("12ABC34501DE45"));
    assert_eq!(client.post("/cliente/save", &odd).await.status, 200);
}

/// Whoever repeats a lost save without looking makes a second customer, and the count shows it.
#[tokio::test]
async fn a_lost_answer_has_been_acted_upon() {
    let (sandbox, service, _) = two_splitters().await;
    let client = Client::of(&sandbox).await;
    client.geosite.inject(Endpoint::Save, Fault::ActThenReset);
    assert_eq!(client.post("/cliente/save", &customer(4711, service, 3)).await.status, 0);
    assert_eq!(client.geosite.saves().len(), 1);
    client.geosite.twist(Endpoint::Save, Twist::Null);
    let unseated = json!({ "documento": "52998224725", "contrato": 4711, "nome": "Ana" });
    assert_eq!(client.post("/cliente/save", &unseated).await.text(), "null");
    let again = client.post("/cliente/save", &unseated).await;
    assert_eq!(again.status, 200);
    assert_eq!(found(&client, "52998224725", "4711").await.len(), 2);
}
