//! Keeps Sugester and BitFactura in step until it is stopped: webhooks of BitFactura make it quick, polling makes it complete.
//!
//! `keep_in_step [ROUNDS [PUBLIC_URL PORT]]`: `ROUNDS` of polling (0, or nothing: until Ctrl-C). `PUBLIC_URL` is where BitFactura reaches
//! this machine's `PORT` on loopback: a reverse proxy, a tunnel; the text that its webhooks repeat is then taken from
//! `BITFACTURA_WEBHOOK_SECRET`. Without it there is polling alone. What is known stands in the store of `INTEGRATION_STORE_URL`, so it
//! may be killed at any moment. On the embedded sandbox six rounds are run while people edit on both sides, and webhooks get lost or
//! come twice.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use integration_examples::{BothSystems, connect_both, finish, open_store, print_report};
use integration_sandbox::Sandbox;
use integration_sandbox::bitfactura::{Table as Books, WebhookFault};
use integration_sandbox::sugester::Table;
use integration_store::Store;
use serde_json::json;
use sugester::bitfactura::{Client, NewWebhook, WebhookFields};
use sugester::kinds::WebhookKind;
use sugester::sync::{RecordRef, Settings, Stopped, Synchroniser};
use sugester::webhook::{Hint, HintSink, Receiver, Refused, Route, Subject, router};
use sugester::{BoxFuture, Clock, Error, ErrorKind};
use tokio::net::TcpListener;
use tokio::sync::Notify;

type Failure = Box<dyn std::error::Error>;

/// What is told by webhooks. Everything else is found by polling.
const KINDS: [WebhookKind; 6] = [
    WebhookKind::ClientCreate,
    WebhookKind::ClientUpdate,
    WebhookKind::ClientDestroy,
    WebhookKind::InvoiceCreate,
    WebhookKind::InvoiceUpdate,
    WebhookKind::InvoiceDestroy,
];

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let systems = connect_both().await?;
    let mut arguments = std::env::args().skip(1);
    let rounds =
        arguments.next().map(|rounds| rounds.parse::<u64>()).transpose()?.filter(|rounds| *rounds > 0);
    let public = arguments.next().zip(arguments.next());
    if let Some(sandbox) = &systems.sandbox {
        sandbox.bitfactura().seed(20, 40, 7);
    }

    let store = if systems.sandbox.is_some() { Store::open("memory:").await? } else { open_store().await? };
    let BothSystems { crm, billing, sandbox } = systems;
    let step = Synchroniser::builder(Settings::new("keep-in-step"), billing.clone(), crm, &store).build()?;
    let woken = Arc::new(Notify::new());
    listen(&step, &woken, &billing, public, sandbox.is_some()).await?;

    let (pause, rounds) = match &sandbox {
        Some(_) => (Duration::from_secs(1), rounds.or(Some(6))),
        None => (Duration::from_secs(300), rounds),
    };
    tokio::select! {
        kept = keep(&step, &woken, &**billing.clock(), pause, rounds, sandbox.as_ref()) => kept?,
        _ = tokio::signal::ctrl_c() => println!("stopped         the next start goes on from here"),
    }
    sandbox.map_or(Ok(()), |sandbox| compare(&sandbox))
}

/// Receives webhooks over a real listener, and sees that BitFactura has a row for each kind that leads to it.
async fn listen(
    step: &Synchroniser,
    woken: &Arc<Notify>,
    billing: &Client,
    public: Option<(String, String)>,
    on_sandbox: bool,
) -> Result<(), Failure> {
    let port = match &public {
        Some((_, port)) => port.parse()?,
        None if on_sandbox => 0,
        None => {
            println!("webhooks        none: no PUBLIC_URL and PORT; polling alone");
            return Ok(());
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let (origin, secret) = match public {
        Some((url, _)) => (url, std::env::var("BITFACTURA_WEBHOOK_SECRET")?),
        None => (format!("http://{}", listener.local_addr()?), "typed into the rows".to_owned()),
    };
    let receiver = Receiver::builder()
        .every_route(secret.as_str())
        .sink(Arc::new(Hints { step: step.clone(), woken: Arc::clone(woken) }))
        // The sender is told nothing; we are.
        .observer(Arc::new(|refused: &Refused<'_>| println!("refused         {refused}")))
        .build()?;
    let app = Router::new().nest("/bitfactura", router(receiver));
    tokio::spawn(async move { axum::serve(listener, app).await });
    register(billing, &format!("{}/bitfactura", origin.trim_end_matches('/')), &secret).await
}

/// Rows are made where there are none, and switched on again where the service has switched them off after failures.
async fn register(billing: &Client, root: &str, secret: &str) -> Result<(), Failure> {
    let rows = billing.webhooks().all().await?;
    for kind in KINDS {
        let url = format!("{root}/{}", Route::of(&kind));
        let known = rows.iter().find(|row| {
            row.kind == Some(kind.clone()) && row.url.as_ref().is_some_and(|told| told.reveal() == url)
        });
        match known {
            Some(row) if row.active == Some(false) => {
                let on = WebhookFields { active: true.into(), ..WebhookFields::default() };
                billing.update_webhook(row.id, &on).await?;
                println!("webhook {:<8}{kind} switched on again", row.id);
            }
            Some(row) => println!("webhook {:<8}{kind}", row.id),
            None => {
                let row = billing.create_webhook(&NewWebhook::new(kind.clone(), url, secret)).await?;
                println!("webhook {:<8}{kind} registered", row.id);
            }
        }
    }
    Ok(())
}

/// What a webhook says is no more than a hint: the record is read again.
#[derive(Debug)]
struct Hints {
    step: Synchroniser,
    woken: Arc<Notify>,
}

impl HintSink for Hints {
    fn keep(&self, hint: Hint) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let record = match hint.subject {
                Subject::Client => RecordRef::BitFacturaClient(hint.id),
                Subject::Invoice => RecordRef::Invoice(hint.id),
                _ => return Ok(()),
            };
            // Kept for good before the webhook is answered.
            self.step.hint(record).await?;
            self.woken.notify_one();
            Ok(())
        })
    }
}

async fn keep(
    step: &Synchroniser,
    woken: &Notify,
    clock: &dyn Clock,
    pause: Duration,
    rounds: Option<u64>,
    sandbox: Option<&Sandbox>,
) -> Result<(), Failure> {
    let mut round = 0;
    loop {
        round += 1;
        went("polled", step.run().await)?;
        if rounds.is_some_and(|rounds| round >= rounds) {
            return Ok(());
        }
        if let Some(sandbox) = sandbox {
            play(sandbox, round)?;
        }
        let mut over = clock.timer(pause);
        loop {
            tokio::select! {
                () = woken.notified() => went("told", step.follow_hints().await)?,
                () = &mut over => break,
            }
        }
    }
}

/// What passes is tried again in the next round; what a person has to mend ends it.
fn went(how: &str, run: Result<sugester::sync::Report, Stopped>) -> Result<(), Failure> {
    match run {
        Ok(report) => print_report(how, &report),
        Err(stopped) if is_for_a_person(stopped.error.kind()) => return Err(stopped.into()),
        Err(stopped) => {
            print_report(how, &stopped.report);
            println!("stopped early   {}", stopped.error);
        }
    }
    Ok(())
}

const fn is_for_a_person(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Authentication | ErrorKind::Forbidden | ErrorKind::Configuration | ErrorKind::Store
    )
}

/// On the sandbox: what people do between two rounds.
fn play(sandbox: &Sandbox, round: u64) -> Result<(), String> {
    let (crm, billing) = (sandbox.sugester(), sandbox.bitfactura());
    let ours = billing.records(Books::Clients);
    let client = usize::try_from(round).ok().and_then(|at| ours.get(at)?["id"].as_u64());
    let client = client.ok_or("there are too few clients")?;
    let theirs = crm.records(Table::Clients);
    let partner = theirs.iter().find(|other| is_partner(other, client));
    let partner = partner.and_then(|other| other["id"].as_u64()).ok_or("it has no partner in Sugester")?;
    match round {
        1 => {
            println!("somebody        edits client {client} in BitFactura, whose webhook comes twice");
            billing.inject_webhook(None, WebhookFault::Duplicate { copies: 1 });
            billing.edit(Books::Clients, client, &json!({ "city": "Temuco" }))
        }
        2 => {
            println!("somebody        edits client {partner} in Sugester, which has no webhooks");
            crm.edit(Table::Clients, partner, &json!({ "phone": "45 223 4567" }))
        }
        3 => {
            println!("somebody        edits client {client} in BitFactura, whose webhook gets lost");
            billing.inject_webhook(None, WebhookFault::Lost);
            billing.edit(Books::Clients, client, &json!({ "street": "Calle Nueva" }))
        }
        4 => {
            println!("two people      edit client {client} at the same time, each in one system");
            crm.edit(Table::Clients, partner, &json!({ "city": "Arica" }))?;
            billing.edit(Books::Clients, client, &json!({ "city": "Iquique" }))
        }
        5 => {
            println!("somebody        writes an invoice for client {client}");
            let position =
                json!({ "name": "Consultoría", "quantity": "1", "tax": "19", "total_price_gross": "119.00" });
            let invoice =
                json!({ "client_id": client, "kind": "vat", "income": "1", "positions": [position] });
            billing.add(Books::Invoices, &invoice).map(drop)
        }
        _ => Ok(()),
    }
}

/// Ids stand as text or as number, as whoever wrote them did.
fn is_partner(other: &serde_json::Value, id: u64) -> bool {
    let linked = &other["external_ids"]["bitfactura"];
    linked.as_u64() == Some(id) || linked.as_str() == Some(&id.to_string())
}

/// On the sandbox, counted at the services: every client is there once in both, and says the same.
fn compare(sandbox: &Sandbox) -> Result<(), Failure> {
    let (crm, billing) = (sandbox.sugester(), sandbox.bitfactura());
    let (theirs, ours) = (crm.records(Table::Clients), billing.records(Books::Clients));
    for client in &ours {
        let id = client["id"].as_u64().unwrap_or(0);
        let partners: Vec<_> = theirs.iter().filter(|other| is_partner(other, id)).collect();
        let [partner] = partners.as_slice() else {
            return Err(format!("client {id} is {} clients in Sugester", partners.len()).into());
        };
        for field in ["name", "tax_no", "city", "street", "phone", "email"] {
            if client[field] != partner[field] {
                return Err(
                    format!("{field} of client {id}: {} and {}", client[field], partner[field]).into()
                );
            }
        }
    }
    let deals = (crm.created(Table::Deals), crm.records(Table::Deals).len());
    println!("at rest         {} clients in both, {} deals", ours.len(), deals.1);
    if theirs.len() != ours.len() || deals.0 != deals.1 {
        return Err(format!("{} clients in Sugester, deals {deals:?}", theirs.len()).into());
    }
    Ok(())
}
