//! Sentinels in every secret that `geosite` holds, and a customer's document: in nothing that is printed, and in nothing that is
//! traced. Of a document at most the last two characters are shown (contract D1).

use std::fmt::Write as _;
use std::sync::Arc;

use geosite::hubsoft::{Account, By, HubSoft};
use geosite::link::{HttpLinkReader, HttpLinkWriter, Links, Port, RegisterPlant, Subscriber};
use geosite::sync::{Kind, Register, Request, Shelf, SqliteRegister};
use geosite::{BaseUrl, CustomerKey, Document, Environment, Feature, ManualClock, Place, Position, Secret};
use integration_sandbox::geosite::{Endpoint, Feature as At};
use integration_sandbox::hubsoft::Endpoint as Hub;
use integration_sandbox::{Fault, Scripted};
use integration_store::Store;
use serde_json::json;

use super::{Bench, NAME};
use crate::leaks::capture;
use crate::leaks::printed::Printed;

const MARK: &str = "S3NT1NEL";
const PASSWORD: &str = "S3NT1NEL-password-0123456789abcd";
const TOKEN: &str = "S3NT1NEL.token.0123456789abcdefgh";
const REFRESH: &str = "S3NT1NEL.refresh.0123456789abcdef";
const SECRET: &str = "S3NT1NEL-client-secret-0123456789";
const CNPJ: &str = "12ABC34501DE35";
const CPF: &str = "52998224725";
/// Masked forms are as much as the number itself.
const DOCUMENTS: [&str; 5] = [CNPJ, CPF, "529.982.247-25", "12.ABC.345/01DE-35", "2ABC34501DE"];

/// A service that repeats whatever it was told, in every place of an answer.
fn echoes(secret: &str) -> Vec<Fault> {
    let said = format!(r#"{{"success":"false","codigo":"{secret}","mensagem":"{secret}","{secret}":1}}"#);
    let rows = format!(r#"{{"total":"{secret}","records":[{{"fid":"{secret}","nome":1}}]}}"#);
    let mut faults = Vec::new();
    for status in [200, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503] {
        for body in [secret.to_owned(), said.clone(), rows.clone(), format!("<html>{secret}</html>")] {
            let answer = Scripted::new(status)
                .header("content-type", "application/json")
                .header("x-request-id", secret)
                .header("retry-after", "0")
                .header("location", format!("http://127.0.0.1:1/{secret}?t={secret}"))
                .body(body);
            faults.push(Fault::Answer(answer));
        }
    }
    faults
}

fn tokens() -> Fault {
    let body = json!({ "token": TOKEN, "refreshToken": REFRESH }).to_string();
    Fault::Answer(Scripted::new(200).header("content-type", "application/json").body(body))
}

#[tokio::test]
async fn a_service_that_repeats_password_or_token_does_not_get_it_printed() {
    let (log, _guard) = capture();
    let bench = Bench::new(50).await;
    let place = Position::new(-22.7253, -47.6492).unwrap();
    let reads = [
        Endpoint::Desc,
        Endpoint::List,
        Endpoint::Get,
        Endpoint::Boxes,
        Endpoint::Facilities,
        Endpoint::Cable,
    ];
    let mut asked = 0;
    for (index, echo) in echoes(TOKEN).into_iter().enumerate() {
        bench.plant().inject_always(Endpoint::Login, tokens());
        bench.plant().inject_always(Endpoint::Refresh, tokens());
        for endpoint in reads {
            bench.plant().inject_always(endpoint, echo.clone());
        }
        let client = bench.builder().credentials("user", PASSWORD).build().unwrap();
        let mut printed = Printed::default();
        printed.value(&client);
        printed.result(client.log_in().await);
        printed.result(client.schema(Feature::Cto).await);
        printed.result(client.get(Feature::Cto, 7_u64).await);
        printed.result(client.feasibility(&Place::Address("Rua 1".into()), 300).await);
        printed.result(client.facilities(&place.into(), 300, [Feature::Cto]).await);
        printed.result(client.has_cable(place, 300).await);
        printed.value(&client.check([Feature::Cto]).await);
        printed.value(&client);
        asked += bench.plant().requests().len();
        bench.plant().reset();
        printed.holds_none_of(&format!("answer {index}: {echo:?}"), &[MARK]);
    }
    for (index, echo) in echoes(PASSWORD).into_iter().enumerate() {
        for legacy in [false, true] {
            let endpoint = if legacy { Endpoint::LegacyLogin } else { Endpoint::Login };
            bench.plant().inject_always(endpoint, echo.clone());
            let builder = bench.builder().credentials("user", PASSWORD).legacy_auth(legacy);
            let mut printed = Printed::default();
            printed.value(&builder);
            let client = builder.build().unwrap();
            printed.result(client.log_in().await);
            printed.value(&client);
            bench.plant().reset();
            printed.holds_none_of(&format!("login {index}, legacy {legacy}: {echo:?}"), &[MARK]);
        }
    }
    assert!(asked > 100, "everything was asked: {asked}");
    let log = log.text();
    assert!(log.lines().count() > 100, "something was captured");
    assert!(!log.contains(MARK), "the log shows a secret");
}

/// A token that is there, in logins that cannot be read.
#[tokio::test]
async fn a_token_in_a_login_that_cannot_be_read_is_not_shown() {
    let bench = Bench::new(50).await;
    for body in [
        format!(r#"{{"token":"{TOKEN}""#),
        format!(r#"{{"token":["{TOKEN}"]}}"#),
        format!(r#"{{"token":{{"access":"{TOKEN}"}}}}"#),
        format!(r#"{{"success":false,"token":"{TOKEN}","refreshToken":"{REFRESH}"}}"#),
        format!(r#"{{"access_token":"{TOKEN}"}}"#),
        format!("token={TOKEN}"),
    ] {
        let answer = Scripted::new(200).header("content-type", "application/json").body(body.as_str());
        bench.plant().inject_always(Endpoint::Login, Fault::Answer(answer));
        let mut printed = Printed::default();
        printed.result(bench.client().log_in().await);
        bench.plant().clear_faults();
        printed.holds_none_of(&body, &[MARK]);
    }
}

fn account() -> Account {
    Account {
        client_id: "12".into(),
        client_secret: SECRET.into(),
        username: "api@provedor.example".into(),
        password: PASSWORD.into(),
    }
}

#[tokio::test]
async fn the_client_secret_of_hubsoft_is_not_printed() {
    let (log, _guard) = capture();
    let bench = Bench::new(50).await;
    let sandbox = bench.sandbox.hubsoft();
    let builder =
        || HubSoft::builder(BaseUrl::parse(sandbox.base_url()).unwrap(), account()).clock(ManualClock::new());
    let mut printed = Printed::default();
    printed.value(&(account(), builder(), builder().build().unwrap()));
    for secret in [SECRET, PASSWORD] {
        for echo in echoes(secret) {
            sandbox.inject_times(Hub::Token, echo, 3);
            printed.result(builder().build().unwrap().search(By::CpfCnpj, "529.982.247-25").await);
            sandbox.clear_faults();
        }
    }
    for echo in echoes(TOKEN) {
        let body = json!({ "access_token": TOKEN, "refresh_token": REFRESH, "token_type": "Bearer", "expires_in": 2_592_000 });
        let login = Scripted::new(200).header("content-type", "application/json").body(body.to_string());
        sandbox.inject_times(Hub::Token, Fault::Answer(login), 3);
        sandbox.inject_times(Hub::Customer, echo.clone(), 6);
        sandbox.inject_times(Hub::Boxes, echo, 6);
        let hub = builder().build().unwrap();
        printed.result(hub.search(By::CpfCnpj, "529.982.247-25").await);
        printed.result(hub.optical_boxes().await);
        printed.value(&hub);
        sandbox.clear_faults();
    }
    printed.holds_none_of("HubSoft", &[MARK]);
    assert!(!log.text().contains(MARK), "the log shows a secret");
}

#[tokio::test]
async fn no_type_or_address_that_holds_a_secret_prints_it() {
    let bench = Bench::new(50).await;
    let mut printed = Printed::default();
    printed.value(&bench.builder().credentials("user", Secret::new(PASSWORD)));
    for url in [
        format!("https://{PASSWORD}@h.example"),
        format!("https://u:{PASSWORD}@h.example/api"),
        format!("https://h.example/api?password={PASSWORD}"),
        format!("https://h.example/api#{PASSWORD}"),
        format!("sqlite:/nowhere/{PASSWORD}"),
    ] {
        printed.result(Environment::at(&url));
    }
    let opened = SqliteRegister::open(&format!("mysql://u:{PASSWORD}@h.example/db")).await;
    printed.value(&opened.map(drop));
    printed.holds_none_of("types", &[MARK]);
}

/// A customer goes all the way: from the plant into the register, onto a port, and back to the plant.
#[tokio::test]
async fn a_customers_document_is_shown_by_nothing() {
    let (log, _guard) = capture();
    let bench = Bench::new(400).await;
    let plant = bench.plant();
    let splitter =
        plant.insert(At::Splitter, json!({ "nome": "S", "tipo": "Atendimento", "qtdPortas": 8 })).unwrap();
    let seat = |document: &str, contract: u32, port: u32| json!({ "nome": "Ana Segredo", "documento": document, "contrato": contract, "fidSplitter": splitter, "porta": port });
    let fid = plant.insert(At::Cliente, seat(CPF, 900_001, 1)).unwrap();
    // The same contract with another document: a conflict of the report.
    plant.insert(At::Cliente, seat(CNPJ, 900_001, 2)).unwrap();
    let mut printed = Printed::default();
    let client = bench.client();
    printed.result(client.get(Feature::Cliente, fid).await);
    printed
        .result(client.list(Feature::Cliente).columns(["fid", "documento", "contrato", "nome"]).all().await);
    printed.value(&bench.full().await);
    let sync = bench.sync().await;
    printed.value(&sync);
    printed.value(&sync.run(Request::incremental()).await);
    let fid = i64::from(fid);
    let stored = bench.register.get(NAME, Shelf::Cliente, fid).await.unwrap().unwrap();
    assert_eq!(stored.element.document.as_deref(), Some(CPF), "it was there to be found");
    printed.value(&stored);
    printed.value(&bench.register.list(NAME, Kind::Cliente, None, 500).await);

    let store = Store::open("memory:").await.unwrap();
    let register = RegisterPlant::new(bench.register.clone(), NAME);
    let links = Links::new(&store, NAME, Arc::new(register), Arc::new(ManualClock::new())).with_write_back();
    let customer = |document: &str, contract| {
        Subscriber::new(CustomerKey::new(document, contract).unwrap(), "Ana Segredo")
    };
    let port = |index| Port::new(splitter.into(), index);
    let kept = links.propose(port(3), customer(CNPJ, 900_007)).await.unwrap();
    let refused = [
        links.propose(port(1), customer(CNPJ, 900_008)).await.unwrap_err(),
        links.propose(port(3), customer(CPF, 900_009)).await.unwrap_err(),
    ];
    let link = links.confirm(&kept).await.unwrap();
    let other = links.propose(port(4), customer(CPF, 900_007)).await.unwrap_err();
    for error in refused.iter().chain([&other]) {
        printed.value(error);
        let _ = writeln!(printed.values, "{error}");
    }
    printed.value(&(&kept, &link, &links));
    printed.value(&links.courier().plan(&HttpLinkReader::new(&client)).await);
    plant.inject(Endpoint::Save, Fault::ActThenReset);
    for _ in 0..2 {
        printed.value(&links.courier().deliver(&HttpLinkWriter::new(&client).unwrap()).await);
        printed.value(&links.write_back(&link).await);
    }
    printed.value(&links.port(port(3)).await);
    printed.value(&Document::read("529.982.247-25"));
    for wrong in ["529.982.247-26", "12.ABC.345/01DE-45"] {
        printed.result(CustomerKey::new(wrong, 1));
    }
    printed.holds_none_of("a customer's way", &DOCUMENTS);
    printed.holds_none_of("a customer's way", &["529982247", "12.ABC.345", "529.982", "Segredo"]);
    assert!(printed.values.contains("..25"), "the last two characters are shown");
    let log = log.text();
    assert!(!DOCUMENTS.iter().any(|document| log.contains(document)), "the log shows a document");
}
