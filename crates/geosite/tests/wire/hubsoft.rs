//! Contract 2.4, 3.5; traps 20, 21.

use geosite::hubsoft::{Account, By, HubSoft, Inactive, Listing, OrderBy, Search, ServiceStatus};
use geosite::{BaseUrl, ErrorExt, ManualClock, Problem};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const SENTINEL: &str = "sentinel-em-claro";

fn account() -> Account {
    Account {
        client_id: "12".into(),
        client_secret: "sentinel-secret".into(),
        username: "api@example.com".into(),
        password: "sentinel-password".into(),
    }
}

async fn hub() -> (MockServer, HubSoft) {
    let server = MockServer::start().await;
    let token = json!({"access_token": "bearer-1", "token_type": "Bearer", "expires_in": 2_592_000});
    let login = Mock::given(method("POST")).and(path("/oauth/token"));
    login.respond_with(ResponseTemplate::new(200).set_body_json(token)).mount(&server).await;
    let base = BaseUrl::parse(&server.uri()).unwrap();
    let hub = HubSoft::builder(base, account()).clock(ManualClock::new()).build().unwrap();
    (server, hub)
}

async fn answers(server: &MockServer, at: &str, body: Value) {
    let mock = Mock::given(method("GET")).and(path(format!("/api/v1/integracao{at}")));
    mock.respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(server).await;
}

fn customer(id: u64) -> Value {
    json!({
        "id_cliente": id, "cpf_cnpj": "12.ABC.345/01DE-35", "senha": SENTINEL,
        "servicos": [{
            "id_cliente_servico": id + 1000, "status_prefixo": "servico_habilitado", "senha": SENTINEL,
            "senhas": [{"senha": SENTINEL}], "porta_atendimento": {"numero": 3, "equipamento": "SPL-1"},
        }],
    })
}

#[tokio::test]
async fn customers_are_found_and_their_passwords_are_nowhere() {
    let (server, hub) = hub().await;
    answers(&server, "/cliente", json!({"status": "suscess", "msg": "ok", "clientes": [customer(7)]})).await;
    let found = hub.search(By::CpfCnpj, "12.ABC.345/01DE-35").await.unwrap();
    let [one] = found.as_slice() else { panic!() };
    assert_eq!((one.keys()[0].document.normalized(), one.keys()[0].contract), ("12ABC34501DE35", 1007));
    assert_eq!(one.services[0].status, Some(ServiceStatus::Enabled));
    assert_eq!(one.services[0].port.as_ref().unwrap().number, Some(3));
    assert!(!format!("{found:?}").contains(SENTINEL));
    let asked = &server.received_requests().await.unwrap()[1];
    assert_eq!(asked.headers["authorization"], "Bearer bearer-1");
    assert_eq!(asked.url.query(), Some("busca=cpf_cnpj&termo_busca=12.ABC.345%2F01DE-35&limit=100"));
    assert!(hub.search(By::Name, " ").await.unwrap_err().is_not_sent());
}

/// H2's optional parameters, each as the contract spells it.
#[tokio::test]
async fn a_search_is_narrowed_and_ordered() {
    let (server, hub) = hub().await;
    answers(&server, "/cliente", json!({"status": "success", "msg": "ok", "clientes": []})).await;
    let search = Search::new(By::Name, "Ana").limit(7).cancelled(false).inactive(Inactive::Also);
    let search = search.status(ServiceStatus::SuspendedForDebt).order(OrderBy::Closed, true);
    assert!(hub.find(&search).await.unwrap().is_empty());
    let asked = &server.received_requests().await.unwrap()[1];
    let expected = "busca=nome_razaosocial&termo_busca=Ana&limit=7&cancelado=nao&inativo=todos\
                    &servico_status=suspenso_debito&order_by=data_fechamento&order_type=desc";
    assert_eq!(asked.url.query(), Some(expected));
}

#[tokio::test]
async fn what_is_wrong_with_a_search_is_told_at_once_and_not_sent() {
    let (server, hub) = hub().await;
    for limit in [0, 101] {
        let refused = hub.find(&Search::new(By::Phone, " ").limit(limit)).await.unwrap_err();
        let paths: Vec<&str> = refused.faults().iter().map(geosite::Fault::path).collect();
        assert_eq!(paths, ["termo_busca", "limit"]);
        assert!(refused.is_not_sent());
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn pages_run_from_0_to_the_last_inclusive() {
    let (server, hub) = hub().await;
    for page in 0..3 {
        let paging =
            json!({"primeira_pagina": 0, "ultima_pagina": 2, "pagina_atual": page, "total_registros": 3});
        let body = json!({"status": "success", "clientes": [customer(page)], "paginacao": paging});
        Mock::given(path("/api/v1/integracao/cliente/todos"))
            .and(query_param("pagina", page.to_string()))
            .and(query_param("itens_por_pagina", "500"))
            .and(query_param("relacoes", "porta_atendimento"))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .expect(1)
            .mount(&server)
            .await;
    }
    let mut listing = Listing::default();
    listing.ports = true;
    let all = hub.customers(listing, 9999).all().await.unwrap();
    assert_eq!(all.iter().map(|customer| customer.id).collect::<Vec<_>>(), [0, 1, 2]);
}

#[tokio::test]
async fn anything_but_success_is_an_error_that_repeats_nothing() {
    for body in [
        json!({"status": "error", "msg": "não", "clientes": [customer(1)]}),
        json!({"clientes": [customer(1)]}),
        json!({"status": "success", "customers": [customer(1)]}),
        json!({"status": "success", "clientes": [{"senha": SENTINEL}]}),
        json!({"status": "success", "clientes": [{"id_cliente": "x", "senha": SENTINEL}]}),
        json!([customer(1)]),
        json!(null),
    ] {
        let (server, hub) = hub().await;
        answers(&server, "/cliente", body.clone()).await;
        let error = hub.search(By::Code, "1").await.unwrap_err();
        assert!(
            matches!(error.problem(), Some(Problem::ApiRefused { .. } | Problem::UnexpectedShape { .. })),
            "{body}: {error}"
        );
        let answer = error.answer().map(|answer| answer.text().into_owned());
        let shown = format!("{error} {error:?} {} {answer:?}", error.report());
        assert!(!shown.contains("sentinel"), "{shown}");
    }
}

#[tokio::test]
async fn a_voided_token_means_one_new_login() {
    let (server, hub) = hub().await;
    Mock::given(path("/api/v1/integracao/rede/caixa_optica"))
        .respond_with(ResponseTemplate::new(401))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let boxes = json!([{"id_caixa_optica": 4, "nome": "CTO-4", "display": "CTO-4 - Praça"}]);
    answers(&server, "/rede/caixa_optica", json!({"status": "success", "caixas_opticas": boxes})).await;
    let boxes = hub.optical_boxes().await.unwrap();
    assert_eq!((boxes[0].id, boxes[0].name.as_deref()), (4, Some("CTO-4")));
    let logins = server.received_requests().await.unwrap();
    assert_eq!(logins.iter().filter(|request| request.url.path() == "/oauth/token").count(), 2);
}

#[tokio::test]
async fn the_account_is_checked_and_never_printed() {
    let base = BaseUrl::parse("https://hub.example").unwrap();
    let empty = Account { client_id: String::new(), password: "".into(), ..account() };
    let error = HubSoft::builder(base, empty).build().unwrap_err();
    assert_eq!(
        error.faults().iter().map(geosite::Fault::path).collect::<Vec<_>>(),
        ["client_id", "password"]
    );
    assert!(!format!("{:?}", account()).contains("sentinel"));
}

#[tokio::test]
async fn the_sandbox_agrees() {
    let sandbox = integration_sandbox::Sandbox::start().await.unwrap();
    let there = sandbox.hubsoft();
    let account = Account {
        client_id: there.client_id().into(),
        client_secret: there.client_secret().into(),
        username: there.username().into(),
        password: there.password().into(),
    };
    let hub = HubSoft::builder(BaseUrl::parse(there.base_url()).unwrap(), account).build().unwrap();
    let all = hub.customers(Listing::default(), 7).all().await.unwrap();
    let plant = sandbox.geosite();
    assert_eq!(all.len(), plant.count(integration_sandbox::geosite::Feature::Cliente));
    assert_eq!(
        hub.optical_boxes().await.unwrap().len(),
        plant.count(integration_sandbox::geosite::Feature::Cto)
    );
    assert!(!format!("{all:?}").contains(there.clear_text_password()));

    // One made inactive is found or not, as the search says.
    let one = all.first().and_then(|customer| customer.services.first()).unwrap().contract;
    there.set_status(u32::try_from(one).unwrap(), "inativo");
    let search = || Search::new(By::Contract, one.to_string());
    for (inactive, expected) in [(Inactive::Only, 1), (Inactive::Never, 0), (Inactive::Also, 1)] {
        assert_eq!(hub.find(&search().inactive(inactive)).await.unwrap().len(), expected, "{inactive:?}");
    }
}
