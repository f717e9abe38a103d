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
use sugester::sync::{AbsenceProof, FirstMode, RecordRef, Settings, SugesterWrites, Synchroniser};

async fn synchroniser(sandbox: &Sandbox, store: &Store) -> Synchroniser {
    synchroniser_with(sandbox, store, |settings| settings)
}

fn observed(
    sandbox: &Sandbox,
    store: &Store,
    observer: impl sugester::sync::Observer + 'static,
) -> Synchroniser {
    let (billing, crm) = clients(sandbox);
    let settings = Settings::new("sandbox").settling(Duration::ZERO);
    Synchroniser::builder(settings, billing, crm, store).observer(observer).build().unwrap()
}

fn clients(sandbox: &Sandbox) -> (sugester::bitfactura::Client, sugester::Client) {
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
    (billing, crm)
}

fn synchroniser_with(
    sandbox: &Sandbox,
    store: &Store,
    change: impl FnOnce(Settings) -> Settings,
) -> Synchroniser {
    let (billing, crm) = clients(sandbox);
    let settings = change(Settings::new("sandbox").settling(Duration::ZERO));
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

fn asked(sandbox: &Sandbox) -> usize {
    sandbox.bitfactura().requests().len() + sandbox.sugester().requests().len()
}

fn invoice_for(client: u64) -> serde_json::Value {
    json!({"client_id": client, "kind": "vat", "income": "1", "positions": [
        {"name": "Consulting", "quantity": "1", "tax": "19", "total_price_gross": "119.00"}]})
}

/// What a hint at one new invoice, one new client and the invoice of a new client cost with this many of each already there.
async fn cost_of_hints(records: u64, proof: AbsenceProof) -> [usize; 3] {
    let sandbox = Sandbox::start().await.unwrap();
    let bills = sandbox.bitfactura();
    bills.seed(records, records, 7);
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser_with(&sandbox, &store, |settings| settings.absence_proof(proof));
    let report = sync.run().await.unwrap();
    assert_eq!(
        (report.failed, sandbox.sugester().created(Table::Clients) as u64),
        (0, records),
        "{report:?}"
    );
    let add_client = |name: &str| bills.add(Bills::Clients, &json!({"name": name, "company": true})).unwrap();
    let known = bills.records(Bills::Clients)[0]["id"].as_u64().unwrap();
    let invoice = RecordRef::Invoice(bills.add(Bills::Invoices, &invoice_for(known)).unwrap());
    let client = RecordRef::BitFacturaClient(add_client("New"));
    let both = RecordRef::Invoice(bills.add(Bills::Invoices, &invoice_for(add_client("Newer"))).unwrap());
    let mut costs = [0; 3];
    for (cost, hint) in costs.iter_mut().zip([invoice, client, both]) {
        let before = asked(&sandbox);
        sync.hint(hint).await.unwrap();
        let report = sync.follow_hints().await.unwrap();
        assert_eq!((report.created, report.failed), (1, 0), "{hint}: {report:?}");
        *cost = asked(&sandbox) - before;
    }
    assert_eq!(sandbox.sugester().created(Table::Clients) as u64, records + 2);
    costs
}

#[tokio::test]
async fn a_hint_costs_the_same_however_many_records_there_are() {
    let (few, many) = (
        cost_of_hints(20, AbsenceProof::OwnJournal).await,
        cost_of_hints(420, AbsenceProof::OwnJournal).await,
    );
    assert_eq!(few, many);
    assert!(many.iter().all(|cost| *cost <= 6), "{many:?}");
    let proven = cost_of_hints(420, AbsenceProof::EveryRun).await;
    assert!(proven[0] > many[0] + 8, "two readings of five pages each: {proven:?}, {many:?}");
}

#[tokio::test]
async fn what_was_pushed_since_the_last_proof_is_not_created_again() {
    let sandbox = Sandbox::start().await.unwrap();
    let bills = sandbox.bitfactura();
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser(&sandbox, &store).await;
    bills.add(Bills::Clients, &json!({"name": "First", "company": true})).unwrap();
    sync.run().await.unwrap();
    let second = bills.add(Bills::Clients, &json!({"name": "Second", "company": true})).unwrap();
    sync.first_run(FirstMode::PushRecords).await.unwrap();
    sync.hint(RecordRef::BitFacturaClient(second)).await.unwrap();
    let report = sync.follow_hints().await.unwrap();
    assert_eq!((report.created, report.linked), (0, 1), "{report:?}");
    assert_eq!(sandbox.sugester().created(Table::Clients), 2);
}

#[tokio::test]
async fn equal_tax_numbers_link_only_where_that_is_switched_on_and_only_one_fits() {
    for (is_on, made) in [(false, [3, 3]), (true, [2, 2])] {
        let sandbox = Sandbox::start().await.unwrap();
        let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
        bills.add(Bills::Clients, &json!({"name": "Acme", "company": true, "tax_no": "76.543-K"})).unwrap();
        crm.add(Table::Clients, &json!({"name": "Acme", "company": true, "tax_no": " 76543k"})).unwrap();
        crm.add(Table::Clients, &json!({"name": "Other", "company": true, "tax_no": "1-9"})).unwrap();
        let store = Store::open("memory:").await.unwrap();
        let sync = synchroniser_with(&sandbox, &store, |settings| settings.match_tax_no(is_on));
        for _ in 0..2 {
            let report = sync.run().await.unwrap();
            assert_eq!(report.failed, 0, "{report:?}");
        }
        assert_eq!(
            [bills.created(Bills::Clients), crm.created(Table::Clients)],
            made,
            "switched on: {is_on}"
        );
        // Two with one number: nobody is linked, nobody is made.
        for name in ["Twin", "Twin again"] {
            crm.add(
                Table::Clients,
                &json!({"name": name, "company": true, "tax_no": "5-5",
                "external_ids": {"bitfactura": ""}}),
            )
            .unwrap();
        }
        let before = crm.created(Table::Clients);
        if is_on {
            bills.add(Bills::Clients, &json!({"name": "Twin", "company": true, "tax_no": "55"})).unwrap();
            let report = sync.run().await.unwrap();
            assert!(report.skipped_because.contains_key("several records may be the same"), "{report:?}");
            assert_eq!(crm.created(Table::Clients), before);
        }
    }
}

#[tokio::test]
async fn the_row_of_the_first_synchronisation_is_written_once_and_makes_every_client_come() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    bills.seed(12, 0, 3);
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser(&sandbox, &store).await;
    for created in [1, 0] {
        let report = sync.first_run(FirstMode::RegisterWebhook).await.unwrap();
        assert_eq!((report.created, report.failed), (created, 0), "{report:?}");
    }
    assert_eq!(bills.records(Bills::Webhooks).len(), 1);
    bills.wait_for_webhooks(12).await;
    let report = sync.run().await.unwrap();
    assert_eq!((report.created, report.failed, crm.created(Table::Clients)), (0, 0, 12), "{report:?}");
}

#[tokio::test]
async fn the_first_synchronisation_by_rest_looks_each_client_up() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let known =
        bills.add(Bills::Clients, &json!({"name": "Known", "company": true, "city": "Lima"})).unwrap();
    bills.add(Bills::Clients, &json!({"name": "New", "company": true})).unwrap();
    let there = json!({"name": "Known", "company": true, "external_ids": {"BitFactura_client_id": known}});
    let there = crm.add(Table::Clients, &there).unwrap();
    crm.add(Table::Clients, &json!({"name": "Only there", "company": true})).unwrap();
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser(&sandbox, &store).await;
    for _ in 0..2 {
        let report = sync.first_run(FirstMode::RestUpsert).await.unwrap();
        assert_eq!(report.failed, 0, "{report:?}");
    }
    assert_eq!((crm.created(Table::Clients), bills.created(Bills::Clients)), (3, 2));
    assert_eq!(crm.record(Table::Clients, there).unwrap()["city"], "Lima");
}

#[tokio::test]
async fn a_record_that_is_written_too_often_is_paused_and_reported() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let client = bills.add(Bills::Clients, &json!({"name": "Acme", "company": true})).unwrap();
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser(&sandbox, &store).await;
    sync.run().await.unwrap();
    let mut ends = Vec::new();
    for turn in 0..7 {
        bills.edit(Bills::Clients, client, &json!({"city": format!("City {turn}")})).unwrap();
        let report = sync.run().await.unwrap();
        ends.push((report.updated, report.paused));
    }
    // Contract 4.3: five writes in ten minutes, and no sixth.
    assert_eq!(ends, [(1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (0, 1), (0, 1)]);
    assert_eq!(crm.records(Table::Clients)[0]["city"], "City 4");
}

#[tokio::test]
async fn what_was_deleted_on_one_side_stays_on_the_other_and_does_not_come_back() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser_with(&sandbox, &store, |settings| settings.full_scan_every(Duration::ZERO));
    let ids = ["One", "Two"]
        .map(|name| bills.add(Bills::Clients, &json!({"name": name, "company": true})).unwrap());
    sync.run().await.unwrap();
    let there = crm.records(Table::Clients)[1]["id"].as_u64().unwrap();
    let gone_here = ids[0];
    bills.remove(Bills::Clients, gone_here).unwrap();
    crm.remove(Table::Clients, there).unwrap();
    let report = sync.run().await.unwrap();
    assert_eq!((report.tombstones, report.failed), (2, 0), "{report:?}");
    bills.edit(Bills::Clients, ids[1], &json!({"city": "Lima"})).unwrap();
    for _ in 0..2 {
        let report = sync.run().await.unwrap();
        assert_eq!((report.created, report.updated, report.failed), (0, 0, 0), "{report:?}");
    }
    assert_eq!((bills.created(Bills::Clients), crm.created(Table::Clients)), (2, 2));
    assert_eq!((bills.records(Bills::Clients).len(), crm.records(Table::Clients).len()), (1, 1));
}

/// Lists are read page by page, so a run that was asked to end between two pages or records has work left.
#[tokio::test]
async fn a_run_ends_when_it_is_asked_to_and_the_next_goes_on() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.bitfactura().seed(30, 0, 5);
    let store = Store::open("memory:").await.unwrap();
    let (told, hears) = std::sync::mpsc::channel::<Synchroniser>();
    let settled = std::sync::atomic::AtomicU32::new(0);
    let hears = std::sync::Mutex::new((hears, None::<Synchroniser>));
    let observer = move |event: &sugester::sync::Event| {
        let is_settled = matches!(event, sugester::sync::Event::Settled { .. });
        if is_settled && settled.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 6 {
            let (told, sync) = &mut *hears.lock().unwrap();
            sync.get_or_insert_with(|| told.recv().unwrap()).stop();
        }
    };
    let sync = observed(&sandbox, &store, observer);
    told.send(sync.clone()).unwrap();
    let report = sync.run().await.unwrap();
    assert_eq!((report.created, report.was_stopped), (7, true), "{report:?}");
    // Asked while nothing is under way: nothing happens.
    sync.stop();
    let report = sync.run().await.unwrap();
    assert_eq!((report.created, report.was_stopped), (23, false), "{report:?}");
}

#[tokio::test]
async fn after_a_dropped_run_the_next_starts_at_once_and_another_process_is_refused() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.bitfactura().seed(5, 0, 5);
    let store = Store::open("memory:").await.unwrap();
    let (sync, other) = (synchroniser(&sandbox, &store).await, synchroniser(&sandbox, &store).await);
    sandbox.sugester().inject(Endpoint::CreateClient, Fault::Hang);
    {
        let mut run = std::pin::pin!(sync.run());
        // Polled until the creation hangs, then dropped.
        let seen = sandbox.sugester().wait_for_requests(2);
        tokio::select! { _ = &mut run => panic!("it hangs"), () = seen => {} }
        let refused = other.run().await.unwrap_err();
        assert_eq!(refused.error.kind(), sugester::ErrorKind::Blocked);
        assert!(refused.to_string().contains("another run is under way"), "{refused}");
        assert_eq!(sync.run().await.unwrap_err().error.kind(), sugester::ErrorKind::Blocked);
    }
    let report = sync.run().await.unwrap();
    assert_eq!(report.failed, 0, "{report:?}");
    sync.run().await.unwrap();
    assert_eq!(sandbox.sugester().created(Table::Clients), 5);
}

#[tokio::test]
async fn a_person_can_link_two_clients_and_only_two_that_are_free() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let store = Store::open("memory:").await.unwrap();
    let sync = synchroniser(&sandbox, &store).await;
    let here = bills.add(Bills::Clients, &json!({"name": "Acme", "company": true, "city": "Lima"})).unwrap();
    let there = crm.add(Table::Clients, &json!({"name": "Acme", "company": true, "phone": "1"})).unwrap();
    let other = crm.add(Table::Clients, &json!({"name": "Other", "company": true})).unwrap();
    let refused = sync.link(here, there + 1_000).await.unwrap_err();
    assert!(refused.error.is_validation(), "{refused}");
    sync.link(here, there).await.unwrap();
    sync.link(here, there).await.unwrap();
    assert!(sync.link(here, other).await.unwrap_err().error.is_validation());
    for _ in 0..2 {
        let report = sync.run().await.unwrap();
        assert_eq!(report.failed, 0, "{report:?}");
    }
    assert_eq!((bills.created(Bills::Clients), crm.created(Table::Clients)), (2, 2));
    let (left, right) =
        (bills.record(Bills::Clients, here).unwrap(), crm.record(Table::Clients, there).unwrap());
    assert_eq!([&left["city"], &right["city"], &left["phone"], &right["phone"]], ["Lima", "Lima", "1", "1"]);
    assert_eq!(right["external_ids"]["bitfactura"], here.to_string());
}

#[tokio::test]
async fn sugester_can_be_written_by_its_receiver_alone() {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    let store = Store::open("memory:").await.unwrap();
    let sync =
        synchroniser_with(&sandbox, &store, |settings| settings.sugester_writes(SugesterWrites::Receiver));
    let client = bills.add(Bills::Clients, &json!({"name": "Acme", "company": true})).unwrap();
    bills.add(Bills::Invoices, &invoice_for(client)).unwrap();
    for _ in 0..3 {
        let report = sync.run().await.unwrap();
        assert_eq!(report.failed, 0, "{report:?}");
    }
    bills.edit(Bills::Clients, client, &json!({"city": "Lima"})).unwrap();
    let report = sync.run().await.unwrap();
    assert_eq!((report.updated, report.failed), (1, 0), "{report:?}");
    assert_eq!(sync.run().await.unwrap().updated, 0);
    assert_eq!((crm.created(Table::Clients), crm.created(Table::Deals)), (1, 1));
    assert_eq!(crm.records(Table::Clients)[0]["city"], "Lima");
    let written = |request: &&integration_sandbox::sugester::Request| {
        request.method != "GET" && request.path.contains("/clients")
    };
    let requests = crm.requests();
    assert!(requests.iter().filter(written).all(|request| request.path.ends_with("/external_update.json")));
    assert_eq!(requests.iter().filter(written).count(), 2);
}
