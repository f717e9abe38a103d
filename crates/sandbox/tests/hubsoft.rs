//! The simulated HubSoft over HTTP: the password grant, look-ups, pages from 0 to an inclusive last one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may panic")]

use std::time::Duration;

use integration_sandbox::geosite::{Feature, Network};
use integration_sandbox::hubsoft::{Endpoint, HubSoft};
use integration_sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

#[path = "geosite/support.rs"]
#[allow(dead_code, reason = "shared with the tests of GeoSite")]
mod support;
use support::send;

const ROOT: &str = "/api/v1/integracao";

async fn start(elements: usize) -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.geosite().generate(Network::new(elements).seed(7));
    sandbox
}

async fn token(hubsoft: &HubSoft, password: &str) -> (u16, Value) {
    let body = json!({
        "grant_type": "password", "client_id": hubsoft.client_id(), "client_secret": hubsoft.client_secret(),
        "username": hubsoft.username(), "password": password,
    });
    let json = "Content-Type: application/json\r\n";
    let answer = send(hubsoft.base_url(), "POST", "/oauth/token", json, &body.to_string()).await;
    (answer.status, answer.json())
}

async fn header(hubsoft: &HubSoft) -> String {
    let (_, granted) = token(hubsoft, hubsoft.password()).await;
    format!("Authorization: Bearer {}\r\n", granted["access_token"].as_str().unwrap())
}

async fn get(hubsoft: &HubSoft, header: &str, path: &str) -> (u16, Value) {
    let answer = send(hubsoft.base_url(), "GET", &format!("{ROOT}{path}"), header, "").await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_token_lives_thirty_days_or_until_it_is_voided() {
    let sandbox = start(100).await;
    let (hubsoft, geosite) = (sandbox.hubsoft(), sandbox.geosite());
    geosite.set_clock(1_700_000_000);
    let (status, refused) = token(hubsoft, "x").await;
    assert_eq!(status, 401);
    assert!(["error", "error_description", "message"].iter().all(|key| refused[key].is_string()));
    let (_, granted) = token(hubsoft, hubsoft.password()).await;
    assert_eq!((&granted["expires_in"], &granted["token_type"]), (&json!(2_592_000), &json!("Bearer")));
    let header = header(hubsoft).await;
    let boxes = "/rede/caixa_optica";
    geosite.advance_clock(Duration::from_secs(2_592_000 - 1));
    assert_eq!(get(hubsoft, &header, boxes).await.0, 200);
    geosite.advance_clock(Duration::from_secs(1));
    assert_eq!(get(hubsoft, &header, boxes).await.0, 401);
    let header = self::header(hubsoft).await;
    hubsoft.revoke_tokens();
    assert_eq!(get(hubsoft, &header, boxes).await.0, 401);
    assert_eq!(hubsoft.logins(), 3);
}

#[tokio::test]
async fn pages_run_from_zero_to_an_inclusive_last_one() {
    let sandbox = start(1_000).await;
    let (hubsoft, geosite) = (sandbox.hubsoft(), sandbox.geosite());
    geosite.set_count(Feature::Cliente, 205);
    let header = header(hubsoft).await;
    let mut contracts = Vec::new();
    for page in 0..=2 {
        let path = format!("/cliente/todos?pagina={page}&itens_por_pagina=100&relacoes=porta_atendimento");
        let (_, answer) = get(hubsoft, &header, &path).await;
        assert_eq!(answer["status"], "success");
        let paging =
            json!({ "primeira_pagina": 0, "ultima_pagina": 2, "pagina_atual": page, "total_registros": 205 });
        assert_eq!(answer["paginacao"], paging);
        let rows = answer["clientes"].as_array().unwrap();
        assert_eq!(rows[0]["servicos"][0]["senha"], hubsoft.clear_text_password());
        assert!(rows[0]["servicos"][0].get("porta_atendimento").is_some());
        contracts.extend(rows.iter().map(|row| row["servicos"][0]["id_cliente_servico"].as_u64().unwrap()));
    }
    let wanted: Vec<u64> = geosite
        .fids(Feature::Cliente)
        .iter()
        .map(|fid| geosite.element(Feature::Cliente, *fid).unwrap()["contrato"].as_u64().unwrap())
        .collect();
    assert_eq!(contracts, wanted);
    for odd in ["", "?pagina=0", "?pagina=0&itens_por_pagina=501", "?pagina=x&itens_por_pagina=5"] {
        let (status, answer) = get(hubsoft, &header, &format!("/cliente/todos{odd}")).await;
        assert_eq!((status, &answer["status"]), (200, &json!("error")), "{odd}");
    }
}

#[tokio::test]
async fn a_customer_is_found_by_document_and_contract() {
    let sandbox = start(1_000).await;
    let (hubsoft, geosite) = (sandbox.hubsoft(), sandbox.geosite());
    let header = header(hubsoft).await;
    let splitter = geosite.fids(Feature::Splitter)[0];
    let values = json!({ "nome": "Ana D'Ávila", "documento": "12ABC34501DE35", "contrato": 4711,
        "fidSplitter": splitter, "porta": 3 });
    geosite.insert(Feature::Cliente, values).unwrap();
    let find = async |query: &str| {
        get(hubsoft, &header, &format!("/cliente?{query}")).await.1["clientes"].as_array().cloned()
    };
    let found = find("busca=cpf_cnpj&termo_busca=12.abc.345/01DE-35").await.unwrap();
    assert_eq!((found.len(), &found[0]["cpf_cnpj"]), (1, &json!("12ABC34501DE35")));
    let service = &found[0]["servicos"][0];
    assert_eq!(
        (&service["id_cliente_servico"], &service["status_prefixo"]),
        (&json!(4711), &json!("servico_habilitado"))
    );
    assert_eq!(service["porta_atendimento"]["numero"], 3);
    assert_eq!(find("busca=id_cliente_servico&termo_busca=4711").await.unwrap().len(), 1);
    assert_eq!(find("busca=nome_razaosocial&termo_busca=a").await.unwrap().len(), 5, "the default limit");
    assert_eq!(find("busca=telefone&termo_busca=1").await.unwrap().len(), 0);
    assert_eq!(find("busca=cor&termo_busca=1").await, None);
    assert_eq!(find("busca=cpf_cnpj&termo_busca=1&limit=101").await, None);
    hubsoft.set_status(4711, "cancelado");
    assert_eq!(find("busca=id_cliente_servico&termo_busca=4711").await.unwrap().len(), 0);
    assert_eq!(find("busca=id_cliente_servico&termo_busca=4711&cancelado=sim").await.unwrap().len(), 1);
}

#[tokio::test]
async fn boxes_faults_and_the_other_spelling() {
    let sandbox = start(500).await;
    let (hubsoft, geosite) = (sandbox.hubsoft(), sandbox.geosite());
    let header = header(hubsoft).await;
    hubsoft.configure(|settings| settings.success = "suscess".into());
    let (_, answer) = get(hubsoft, &header, "/rede/caixa_optica").await;
    assert_eq!(answer["status"], "suscess");
    let fids: Vec<u64> = geosite.fids(Feature::Cto).into_iter().map(u64::from).collect();
    let ids: Vec<u64> = answer["caixas_opticas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id_caixa_optica"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, fids);
    hubsoft.inject(Endpoint::Boxes, Fault::unavailable("1"));
    let answer = send(hubsoft.base_url(), "GET", &format!("{ROOT}/rede/caixa_optica"), &header, "").await;
    assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("1")));
    let log = hubsoft.requests();
    assert_eq!((log.len(), log[2].fault.as_deref(), log[2].status), (3, Some("retry_later"), Some(503)));

    let control = async |method: &str, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(sandbox.control_url(), method, &format!("/_sandbox/hubsoft/{path}"), "", &body).await
    };
    let fault = json!({ "endpoint": "boxes", "fault": "html" });
    assert_eq!(control("POST", "faults", fault).await.status, 200);
    assert_eq!(control("POST", "faults", json!({ "endpoint": "print", "fault": "html" })).await.status, 400);
    assert_eq!(control("POST", "statuses", json!({ "contrato": 7, "status": "inativo" })).await.status, 200);
    assert_eq!(control("POST", "statuses", json!({})).await.status, 400);
    assert_eq!(control("POST", "settings", json!({ "token_life": 60 })).await.status, 200);
    let state = control("GET", "state", Value::Null).await.json();
    assert_eq!((&state["statuses"]["7"], &state["settings"]["token_life"]), (&json!("inativo"), &json!(60)));
    assert_eq!(control("DELETE", "faults", Value::Null).await.status, 200);
    assert_eq!(control("GET", "", Value::Null).await.status, 200);
}
