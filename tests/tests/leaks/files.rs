//! What is kept on disk, read as bytes: links, cursors and snapshots of the synchronisations, and the register of a plant. The journal of
//! fiscal documents has its own test (`journal::secrets`).

use std::path::Path;
use std::sync::Arc;

use integration_sandbox::Sandbox;
use integration_store::Store;

use super::printed::none_of;
use super::sentinels::{ACCOUNT_TOKEN, CREDENTIALS};

fn bytes(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        all.push_str(&String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()));
    }
    all
}

#[tokio::test]
async fn what_the_invoices_synchronisation_keeps_holds_no_token() {
    use sugester::sync::{FirstMode, Settings, Synchroniser};
    use sugester::{BaseUrl, Client, ManualClock, bitfactura};

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite:{}", folder.path().join("store.db").display())).await.unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.sugester().add_token(ACCOUNT_TOKEN);
    sandbox.bitfactura().add_token(ACCOUNT_TOKEN);
    let clock = ManualClock::new();
    let crm = Client::builder()
        .base_url(BaseUrl::parse(sandbox.sugester().base_url()).unwrap())
        .token(ACCOUNT_TOKEN.parse().unwrap())
        .clock(clock.clone())
        .build()
        .unwrap();
    let billing = bitfactura::Client::builder()
        .base_url(BaseUrl::parse(sandbox.bitfactura().base_url()).unwrap())
        .token(ACCOUNT_TOKEN.parse().unwrap())
        .clock(clock)
        .build()
        .unwrap();
    crm.create_client(&sugester::crm::NewClient::company("Kept Ejemplo")).await.unwrap();
    let step = Synchroniser::builder(Settings::new("kept"), billing, crm, &store).build().unwrap();
    step.first_run(FirstMode::PushRecords).await.unwrap();
    step.run().await.unwrap();
    drop(store);
    let kept = bytes(folder.path());
    assert!(kept.contains("kept"), "the files are the store's: {} bytes", kept.len());
    none_of("the store", &kept, &CREDENTIALS);
}

#[tokio::test]
async fn the_register_of_a_plant_holds_neither_password_nor_token() {
    use geosite::sync::{PlantSync, Project, Register, Request, Selection, Settings, SqliteRegister};
    use geosite::{Client, Environment, ManualClock};

    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("register.db").display());
    let register: Arc<dyn Register> = Arc::new(SqliteRegister::open(&url).await.unwrap());
    let sandbox = Sandbox::start().await.unwrap();
    let plant = sandbox.geosite();
    plant.generate(integration_sandbox::geosite::Network::new(60).seed(7));
    let client = Client::builder()
        .environment(Environment::at(plant.base_url()).unwrap())
        .credentials(plant.username(), plant.password())
        .clock(ManualClock::new())
        .build()
        .unwrap();
    let settings = Settings::new("kept", "worker-1").assuming(client.assumptions());
    let builder = PlantSync::builder(Arc::new(client), register, settings);
    let sync = builder.open(&Project::create("Rede"), &Selection::everything()).await.unwrap();
    sync.run(Request::full()).await.unwrap();
    let kept = bytes(folder.path());
    assert!(
        kept.contains("kept") && kept.len() > 10_000,
        "the files are the register's: {} bytes",
        kept.len()
    );
    // The sandbox's tokens are JWTs.
    none_of("the register", &kept, &[plant.password(), "eyJ"]);
}
