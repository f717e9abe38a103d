//! Contract 3.4, 4.12; traps 6, 13, 14, 25.

use geosite::{ErrorExt, Feasibility, Feature, FreePorts, Place, Position, Problem, PublicView};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{house, parameter};

fn here() -> Place {
    Place::At(Position::new(-22.73, -47.65).unwrap())
}

async fn asked(body: Value) -> Result<Feasibility, geosite::Error> {
    let house = house().await;
    house.get("/viabilidade/caixas", 200, body).await;
    house.client.feasibility(&here(), 300).await
}

fn fids(boxes: &[geosite::NearBox]) -> Vec<u64> {
    boxes.iter().map(|near| near.fid.unwrap().0).collect()
}

#[tokio::test]
async fn places_are_asked_for_as_the_contract_says() {
    let house = house().await;
    house.get("/viabilidade/caixas", 200, json!([])).await;
    for place in [here(), Place::Address(" Rua A, 10 ".into()), Place::Cep("13.400-123".into())] {
        house.client.feasibility(&place, 300).await.unwrap();
    }
    let requests = house.requests("/viabilidade/caixas").await;
    let told = |place: usize, name: &str| parameter(&requests[place], name);
    assert_eq!(told(0, "raio").as_deref(), Some("300"));
    assert_eq!((told(0, "latitude"), told(0, "longitude")), (Some("-22.73".into()), Some("-47.65".into())));
    assert_eq!(told(1, "endereco").as_deref(), Some("Rua A, 10"));
    assert_eq!((told(2, "endereco").as_deref(), told(2, "latitude")), (Some("13400123"), None));
    for bad in [Place::Address(" ".into()), Place::Cep("1340".into()), Place::Cep("13400-12x3".into())] {
        assert!(house.client.feasibility(&bad, 300).await.unwrap_err().is_not_sent());
    }
    assert_eq!(house.requests("/viabilidade/caixas").await.len(), 3);
}

#[tokio::test]
async fn the_nearest_box_with_a_free_port_is_available() {
    let answer = asked(json!({"success": "true", "caixas": [
        {"fid": 3, "distancia": "120.5", "qtdDisponivel": 4, "tipoCodigo": "CTO: CTO-3"},
        {"fid": "1", "distancia": 10, "qtdDisponivel": "0", "cor": "azul"},
        {"fid": 2, "distancia": 50, "qtdDisponivel": "2", "tipoCodigo": "CTO: CTO-2", "fidTipoCaixaEmenda": 2,
         "geometryCaixaEmenda": "POINT (-47.65 -22.73)"},
        {"fid": 4, "distancia": 500, "fidTipoCaixaEmenda": "77"},
    ]}))
    .await
    .unwrap();
    let Feasibility::Available { nearest, others, failed } = answer else { panic!("{answer:?}") };
    assert_eq!((nearest.fid.unwrap().0, nearest.code.as_deref()), (2, Some("CTO-2")));
    assert_eq!(nearest.type_code.as_deref(), Some("CTO: CTO-2"));
    assert_eq!(nearest.position, Some(Position::new(-22.73, -47.65).unwrap()));
    assert_eq!((fids(&others), failed.len()), (vec![1, 3, 4], 0));
    assert_eq!((nearest.kind, nearest.box_type), (Some(geosite::ElementKind::Cto), Some(2)));
    assert_eq!((others[2].kind, others[2].box_type), (None, Some(77)), "a type that nobody knows is kept");
    assert_eq!(others[0].extra["cor"], "azul");
    assert!(others[0].position.is_none());
}

#[tokio::test]
async fn full_unknown_and_no_network_are_told_apart() {
    let full = json!([{"fid": 2, "distancia": 9, "qtdDisponivel": 0}, {"fid": 1, "distancia": 3, "qtdDisponivel": 0}]);
    let answer = asked(full).await.unwrap();
    assert_eq!(answer.public_view(), PublicView::NoFreePorts);
    let Feasibility::AllFull { boxes } = answer else { panic!() };
    assert_eq!(fids(&boxes), [1, 2]);
    for unknown in
        [json!([{"fid": 1}]), json!([{"fid": 1, "qtdDisponivel": ""}, {"fid": 2, "qtdDisponivel": 0}])]
    {
        let answer = asked(unknown).await.unwrap();
        assert!(matches!(&answer, Feasibility::PortsUnknown { .. }), "{answer:?}");
        assert_eq!(answer.public_view(), PublicView::ToBeChecked);
    }
    for none in [json!([]), json!({"success": "true", "caixas": []}), json!({"caixas": []})] {
        let answer = asked(none).await.unwrap();
        assert_eq!(
            (&answer, answer.public_view()),
            (&Feasibility::NoNetwork { radius: 300 }, PublicView::NotFound)
        );
    }
}

/// Trap 6: whatever goes wrong, it is no answer.
#[tokio::test]
async fn could_not_ask_is_an_error() {
    for body in [
        json!(null),
        json!({}),
        json!({"success": "false", "caixas": []}),
        json!({"boxes": []}),
        json!({"caixas": null}),
        json!({"caixas": [1]}),
        json!({"caixas": [{"fid": 1, "qtdDisponivel": "várias"}]}),
        json!({"caixas": [{"fid": "um"}]}),
        json!({"erro": "x", "caixas": []}),
    ] {
        let error = asked(body.clone()).await.unwrap_err();
        assert!(error.problem().is_some(), "{body}");
    }
    let house = house().await;
    house.raw("/viabilidade/caixas", 200, "<html>", "text/html").await;
    let error = house.client.feasibility(&here(), 300).await.unwrap_err();
    assert!(matches!(error.problem(), Some(Problem::UnexpectedContentType { .. })));
    house.server.reset().await;
    assert!(house.client.feasibility(&here(), 300).await.is_err());
}

/// Trap 13.
#[tokio::test]
async fn figures_have_other_names_and_may_be_missing() {
    async fn free(fields: Value) -> (FreePorts, usize) {
        let mut row = json!({"fid": 1, "distancia": 1});
        row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let near = match asked(json!([row])).await.unwrap() {
            Feasibility::Available { nearest, .. } => nearest,
            Feasibility::AllFull { mut boxes } | Feasibility::PortsUnknown { mut boxes } => boxes.remove(0),
            other => panic!("{other:?}"),
        };
        (near.free, near.warnings.len())
    }
    assert_eq!(free(json!({"qtdDisponivel": 3, "qtdTotalDisponivel": 3})).await, (FreePorts::Known(3), 0));
    assert_eq!(free(json!({"qtdDisponivel": 3, "qtdTotalDisponivel": 4})).await, (FreePorts::Known(3), 1));
    assert_eq!(free(json!({"qtdTotalDisponivel": "5"})).await, (FreePorts::Known(5), 0));
    assert_eq!(
        free(json!({"qtdPortasSplitter": 8, "qtdPortasSplitterOcup": 6})).await,
        (FreePorts::Known(2), 0)
    );
    let all = json!({"qtdPortasSplitter": 8, "qtdPortasSplitterOcup": 6, "qtdPortasSplitterDisp": 1});
    assert_eq!(free(all).await, (FreePorts::Known(1), 0));
    assert_eq!(free(json!({"qtdPortasSplitter": 8})).await, (FreePorts::Unknown, 0));
    assert_eq!(free(json!({"qtdDisponivel": -2})).await, (FreePorts::Known(0), 1));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_hide_a_free_port() {
    let rows = json!([{"fid": 1, "distancia": "perto"}, {"fid": 2, "distancia": 5, "qtdDisponivel": 1}]);
    let Feasibility::Available { nearest, failed, .. } = asked(rows).await.unwrap() else { panic!() };
    assert_eq!((nearest.fid.unwrap().0, failed.len()), (2, 1));
}

/// Trap 25.
#[tokio::test]
async fn what_customers_may_see_holds_no_plant() {
    let answer =
        asked(json!([{"fid": 987_654, "distancia": 123.75, "qtdDisponivel": 5, "tipoCodigo": "CTO: X-99"}]));
    let shown = serde_json::to_string(&answer.await.unwrap().public_view()).unwrap();
    assert_eq!(shown, r#""available""#);
}

#[tokio::test]
async fn facilities_come_bare_or_in_three_wrappers() {
    let rows = json!([{"fid": 2, "distancia": "30"}, {"fid": 1, "distancia": 4.5, "nome": "Poste 1"}]);
    for body in [
        rows.clone(),
        json!({"facilidades": rows}),
        json!({"records": rows, "success": "true"}),
        json!({"caixas": rows}),
    ] {
        let house = house().await;
        house.get("/viabilidade/facilidade", 200, body).await;
        let found = house.client.facilities(&here(), 50, [Feature::Poste, Feature::LanceCabo]).await.unwrap();
        assert_eq!(found.iter().map(|near| near.fid.unwrap().0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(found[0].fields["nome"], "Poste 1");
        let asked = &house.requests("/viabilidade/facilidade").await[0];
        assert_eq!(
            (parameter(asked, "poste"), parameter(asked, "lanceCabo")),
            (Some("1".into()), Some("1".into()))
        );
    }
    let house = house().await;
    house.get("/viabilidade/facilidade", 200, json!({"lista": []})).await;
    assert!(house.client.facilities(&here(), 50, [Feature::Poste]).await.is_err());
}

#[tokio::test]
async fn a_cable_is_asked_for_by_post_and_asked_again_when_that_may_help() {
    let house = house().await;
    let place = Position::new(-22.73, -47.65).unwrap();
    house.once("POST", "/rede/existe-lance-cabo", ResponseTemplate::new(503)).await;
    let found =
        ResponseTemplate::new(200).set_body_json(json!({"success": "true", "existe_lance_cabo": true}));
    house.respond("POST", "/rede/existe-lance-cabo", found).await;
    assert!(house.client.has_cable(place, 40).await.unwrap());
    let requests = house.requests("/rede/existe-lance-cabo").await;
    assert_eq!(requests.len(), 2);
    let body: Value = requests[1].body_json().unwrap();
    assert_eq!(body, json!({"latitude": -22.73, "longitude": -47.65, "raio_metros": 40}));
    house.server.reset().await;
    house.log_in(json!({"token": "t"})).await;
    let other = ResponseTemplate::new(200).set_body_json(json!({"success": "true"}));
    house.respond("POST", "/rede/existe-lance-cabo", other).await;
    assert!(matches!(
        house.client.has_cable(place, 40).await.unwrap_err().problem(),
        Some(Problem::UnexpectedShape { .. })
    ));
}
