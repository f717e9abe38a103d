//! The synchronisation between the simulators of both services, which read the contract on their own.
#![cfg(feature = "store")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use integration_sandbox::bitfactura::Table as Bills;
use integration_sandbox::sugester::{Endpoint, Table};
use integration_sandbox::{Fault, Sandbox};
use integration_store::Store;
use serde_json::json;
use sugester::BaseUrl;
use sugester::sync::{FirstMode, Settings, Synchroniser};

async fn synchroniser(sandbox: &Sandbox, store: &Store) -> Synchroniser {
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let url = |text: &str| BaseUrl::parse(text).unwrap();
    let billing = sugester::bitfactura::Client::builder()
        .base_url(url(bills.base_url()))
        .token(bills.token().parse().unwrap())
        .build()
        .unwrap();
    let crm = sugester::Client::builder()
        .base_url(url(crm.base_url()))
        .token(crm.token().parse().unwrap())
        .build()
        .unwrap();
    let settings = Settings::new("sandbox").settling(Duration::ZERO);
    Synchroniser::builder(settings, billing, crm, store).build().unwrap()
}

#[tokio::test]
async fn a_client_and_its_invoice_appear_in_sugester_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser(&sandbox, &store).await;
    let client =
        bills.add(Bills::Clients, &json!({"name": "Acme SpA", "company": true, "email": "a@x.cl"})).unwrap();
    let invoice = json!({"client_id": client, "kind": "vat", "income": "1", "positions": [
        {"name": "Consulting", "quantity": "1", "tax": "19", "total_price_gross": "119.00"}]});
    bills.add(Bills::Invoices, &invoice).unwrap();
    crm.add(Table::Clients, &json!({"name": "Beta", "company": true})).unwrap();
    let report = sync.run().await.unwrap();
    assert_eq!((report.created, report.failed), (3, 0), "{report:?}");
    assert_eq!(
        (crm.created(Table::Clients), crm.created(Table::Deals), bills.created(Bills::Clients)),
        (2, 1, 2)
    );
    for _ in 0..2 {
        let report = sync.run().await.unwrap();
        assert_eq!((report.created, report.failed), (0, 0), "{report:?}");
    }
    assert_eq!(
        (crm.created(Table::Clients), crm.created(Table::Deals), bills.created(Bills::Clients)),
        (2, 1, 2)
    );
}

#[tokio::test]
async fn lost_answers_double_nothing() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser(&sandbox, &store).await;
    let client = bills.add(Bills::Clients, &json!({"name": "Acme SpA", "company": true})).unwrap();
    let invoice = json!({"client_id": client, "kind": "vat", "income": "1", "positions": [
        {"name": "Consulting", "quantity": "1", "tax": "19", "total_price_gross": "119.00"}]});
    bills.add(Bills::Invoices, &invoice).unwrap();
    crm.add(Table::Clients, &json!({"name": "Beta", "company": true})).unwrap();
    crm.inject(Endpoint::CreateClient, Fault::ActThenReset);
    crm.inject(Endpoint::CreateDeal, Fault::ActThenReset);
    bills.inject(integration_sandbox::bitfactura::Endpoint::CreateClient, Fault::ActThenReset);
    for _ in 0..4 {
        sync.run().await.unwrap();
    }
    assert_eq!(
        (crm.created(Table::Clients), crm.created(Table::Deals), bills.created(Bills::Clients)),
        (2, 1, 2)
    );
    assert_eq!(sync.links(None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_first_run_pushes_every_client_once_and_is_linked_after_it() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser(&sandbox, &store).await;
    for number in 0..130 {
        bills.add(Bills::Clients, &json!({"name": format!("Acme {number}"), "company": true})).unwrap();
    }
    let report = sync.first_run(FirstMode::PushRecords).await.unwrap();
    assert_eq!((report.created, report.failed), (130, 0), "{report:?}");
    sync.first_run(FirstMode::PushRecords).await.unwrap();
    let report = sync.run().await.unwrap();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_eq!(crm.records(Table::Clients).len(), 130);
    assert_eq!(sync.links(None).await.unwrap().len(), 130);
}
