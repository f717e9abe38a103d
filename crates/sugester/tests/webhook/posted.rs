//! The sandbox's own webhooks, really posted: every shape, spoiled in every way, read again at the sandbox.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use integration_sandbox::bitfactura::{Deleted, Endpoint, Table, WebhookFault, WebhookShape};
use integration_sandbox::{Fault, Sandbox};
use serde_json::json;
use sugester::webhook::{HintQueue, MemoryHints, Worker};

use crate::support::{Kept, client, receiver, register, serve};

struct House {
    sandbox: Sandbox,
    hints: Arc<MemoryHints>,
    kept: Arc<Kept>,
    worker: Worker,
}

async fn house() -> House {
    let sandbox = Sandbox::start().await.unwrap();
    let (hints, kept) = (Arc::new(MemoryHints::default()), Arc::new(Kept::default()));
    let url = serve(receiver(hints.clone())).await;
    let client = client(&sandbox);
    register(&client, &url).await;
    let worker = Worker::new(hints.clone(), Arc::new(client), kept.clone());
    House { sandbox, hints, kept, worker }
}

impl House {
    fn add_client(&self, city: &str) -> u64 {
        let fields = json!({"name": "Acme", "company": true, "city": city});
        self.sandbox.bitfactura().add(Table::Clients, &fields).unwrap()
    }

    fn add_invoice(&self, client: u64) -> u64 {
        let fields = json!({"client_id": client, "payment_to_kind": "14", "positions": [
            {"name": "Chair", "quantity": 1, "price_net": "100", "tax": "19"}]});
        self.sandbox.bitfactura().add(Table::Invoices, &fields).unwrap()
    }

    fn edit(&self, id: u64, city: &str) {
        self.sandbox.bitfactura().edit(Table::Clients, id, &json!({"city": city})).unwrap();
    }

    async fn posted(&self, count: usize) {
        self.sandbox.bitfactura().wait_for_webhooks(count).await;
    }

    fn statuses(&self) -> Vec<Option<u16>> {
        let webhooks = self.sandbox.bitfactura().webhooks();
        webhooks.iter().flat_map(|webhook| &webhook.attempts).map(|attempt| attempt.status).collect()
    }
}

#[tokio::test]
async fn every_shape_is_understood() {
    for shape in [WebhookShape::Older, WebhookShape::Newer, WebhookShape::HelpPage] {
        for key in ["bitfactura", "BitFactura", "bitfactura_invoice_id"] {
            let house = house().await;
            house.sandbox.bitfactura().configure(|settings| {
                (settings.webhook_shape, settings.app_key) = (shape, key.to_owned());
            });
            let client = house.add_client("Lima");
            let invoice = house.add_invoice(client);
            house.sandbox.bitfactura().add(Table::Products, &json!({"name": "Chair"})).unwrap();
            house.posted(3).await;
            assert_eq!(house.statuses(), [Some(200); 3], "{shape:?} {key}");
            assert_eq!(house.worker.round().await.unwrap().handled, 3);
            let expected = [
                format!("client {client} Lima"),
                format!("invoice {invoice}"),
                "unknown for product".to_owned(),
            ];
            assert_eq!(house.kept.lines(), expected, "{shape:?} {key}");
        }
    }
}

#[tokio::test]
async fn late_doubled_and_overtaken_webhooks_end_in_what_is_true() {
    let house = house().await;
    let service = house.sandbox.bitfactura();
    let id = house.add_client("one");
    house.posted(1).await;
    house.worker.round().await.unwrap();
    // Held back until everything else is over; overtaken by the next; doubled; lost.
    for (fault, city) in [
        (Some(WebhookFault::Hold), "two"),
        (Some(WebhookFault::Overtaken), "three"),
        (Some(WebhookFault::Duplicate { copies: 3 }), "four"),
        (Some(WebhookFault::Lost), "five"),
        (None, "six"),
    ] {
        if let Some(fault) = fault {
            service.inject_webhook(None, fault);
        }
        house.edit(id, city);
    }
    house.posted(5).await;
    house.worker.round().await.unwrap();
    service.release_held();
    house.posted(6).await;
    let round = house.worker.round().await.unwrap();
    assert_eq!((round.handled, round.duplicates), (0, 1), "the late one tells nothing new");
    assert_eq!(house.kept.lines(), [format!("client {id} one"), format!("client {id} six")]);
    // 1 + held + overtaken + doubled (1 + 3) + none + the last.
    assert_eq!(house.statuses(), [Some(200); 8]);
}

#[tokio::test]
async fn spoiled_webhooks_leave_nothing_behind() {
    let house = house().await;
    for (fault, status) in [
        (WebhookFault::WrongToken, 401),
        (WebhookFault::NotJson, 400),
        (WebhookFault::Oversized { bytes: 1024 * 1024 + 1 }, 413),
    ] {
        house.sandbox.bitfactura().inject_webhook(None, fault);
        house.add_client("Lima");
        house.posted(house.sandbox.bitfactura().webhooks().len()).await;
        let last = house.sandbox.bitfactura().webhooks().pop().unwrap();
        assert_eq!(last.attempts[0].status, Some(status), "{:?}", last.attempts);
    }
    assert!(house.hints.waiting(0, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_deleted_is_gone_however_the_service_shows_it() {
    for shown in [Deleted::NotFound, Deleted::Marked] {
        let house = house().await;
        house.sandbox.bitfactura().configure(|settings| settings.deleted = shown);
        let client = house.add_client("Lima");
        let invoice = house.add_invoice(client);
        house.sandbox.bitfactura().remove(Table::Invoices, invoice).unwrap();
        house.sandbox.bitfactura().remove(Table::Clients, client).unwrap();
        house.posted(4).await;
        house.worker.round().await.unwrap();
        let expected = [format!("client {client} is gone"), format!("invoice {invoice} is gone")];
        assert_eq!(house.kept.lines(), expected, "{shown:?}");
    }
}

#[tokio::test]
async fn a_webhook_is_answered_while_the_work_is_still_going_on() {
    let house = house().await;
    house.kept.hangs.store(true, Ordering::SeqCst);
    let worker = house.worker.clone();
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    for _ in 0..3 {
        house.add_client("Lima");
    }
    house.posted(3).await;
    assert_eq!(house.statuses(), [Some(200); 3]);
    assert!(house.kept.lines().is_empty());
    running.abort();
}

#[tokio::test]
async fn a_service_that_cannot_be_asked_makes_nothing_gone() {
    let house = house().await;
    let id = house.add_client("Lima");
    house.posted(1).await;
    house.sandbox.bitfactura().inject(Endpoint::Client, Fault::act_then_status(503));
    assert_eq!(house.worker.round().await.unwrap().failed, 1);
    assert_eq!(house.worker.round().await.unwrap().handled, 1);
    assert_eq!(house.kept.lines(), [format!("client {id} Lima")]);
}
