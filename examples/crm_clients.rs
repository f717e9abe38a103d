//! The CRM by itself: a client that is there once, a change of single fields, a contact, a deal, a task with a comment, a list.
//!
//! `crm_clients [NUMBER]`: `NUMBER` is the client's number in a program of your own, here a shop (17 unless given). It may be run again:
//! client and deal are found by that number, and not made twice. On the embedded sandbox the answer to the first creation gets lost.

use std::process::ExitCode;

use indicatif::ProgressBar;
use integration_examples::{connect_crm, finish};
use integration_sandbox::sugester::{Endpoint, Table};
use integration_sandbox::{Fault, Sandbox};
use rust_decimal::Decimal;
use sugester::bitfactura::Keyed;
use sugester::crm::{
    ClientFields, ContactFields, DealFields, ListQuery, NewClient, NewContact, NewDeal, NewPost, PostFields,
};
use sugester::kinds::TaskKind;
use sugester::value::{AppKey, Patch};
use sugester::{Client, Error};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let (client, sandbox) = connect_crm().await?;
    let number: u64 = std::env::args().nth(1).map_or(Ok(17), |number| number.parse())?;
    client.check_connection().await?;
    if let Some(sandbox) = &sandbox {
        sandbox.sugester().seed(230, 7);
        sandbox.sugester().inject(Endpoint::CreateClient, Fault::ActThenReset);
    }

    // Under this key the shop's numbers stand in `external_ids`.
    let shop: AppKey = "shop".parse()?;
    let id = make_client(&client, &shop, number).await?;
    change(&client, id).await?;
    make_contact(&client, id).await?;
    make_deal(&client, &shop, number, id).await?;
    make_task(&client, id).await?;
    list(&client).await?;
    sandbox.map_or(Ok(()), |sandbox| count(&sandbox))
}

async fn make_client(client: &Client, shop: &AppKey, number: u64) -> Result<u64, Error> {
    let fields = ClientFields {
        tax_no: "76.123.456-0".into(),
        email: "compras@example.com".into(),
        city: "Temuco".into(),
        fax: "45 211 0000".into(),
        ..ClientFields::default()
    };
    let wanted = NewClient::company("Comercial Ejemplo SpA").fields(fields);
    let made = client.create_client_keyed(shop, number, &wanted).await?;
    println!("client          {}", how(&made));
    Ok(made.into_inner().id)
}

/// What was found was made before, or by this call, whose answer was lost.
fn how<T>(made: &Keyed<T>) -> &'static str {
    if made.was_found() { "found by the shop's number" } else { "created" }
}

/// Left alone, set, cleared: three things. Only the last two are sent.
async fn change(client: &Client, id: u64) -> Result<(), Error> {
    let change =
        ClientFields { phone: "+56 45 223 4567".into(), fax: Patch::Clear, ..ClientFields::default() };
    let now = client.update_client(id, &change).await?;
    println!("client {id:<9}phone {:?}, fax {:?}, city {:?}", now.phone, now.fax, now.city);
    Ok(())
}

/// A contact has no key of its own, so it is looked for first.
async fn make_contact(client: &Client, id: u64) -> Result<(), Error> {
    let mut pages = client.contacts(&ListQuery::new())?;
    while let Some(page) = pages.next_page().await? {
        if let Some(known) = page.items.iter().find(|contact| contact.client_id == Some(id)) {
            println!("contact {:<8}found", known.id);
            return Ok(());
        }
    }
    let fields = ContactFields { client_id: id.into(), ..ContactFields::default() };
    let made = client.create_contact(&NewContact::new("Ana Rojas").fields(fields)).await?;
    println!("contact {:<8}created", made.id);
    Ok(())
}

async fn make_deal(client: &Client, shop: &AppKey, number: u64, id: u64) -> Result<(), Error> {
    let fields = DealFields { price: Decimal::new(119_000, 2).into(), ..DealFields::default() };
    let wanted = NewDeal::new("Consultoría").for_client(id).fields(fields);
    let made = client.create_deal_keyed(shop, number, &wanted).await?;
    let how = how(&made);
    let deal = made.into_inner();
    println!("deal {:<11}{how}, price {:?}", deal.id, deal.price);
    Ok(())
}

async fn make_task(client: &Client, id: u64) -> Result<(), Error> {
    let fields = PostFields { client_id: id.into(), ..PostFields::default() };
    let task = client.create_post(&NewPost::new(TaskKind::Task, "Llamar el lunes").fields(fields)).await?;
    let comment = PostFields { content: "Prefiere por la tarde".into(), ..PostFields::default() };
    let comment = client.create_comment(task.id, &comment).await?;
    println!("task {:<11}created, comment {}", task.id, comment.id);
    Ok(())
}

/// Page by page: memory does not grow with the list.
async fn list(client: &Client) -> Result<(), Error> {
    let bar = ProgressBar::new_spinner().with_message("clients");
    let (mut all, mut companies) = (0, 0);
    let mut pages = client.clients(&ListQuery::new())?;
    while let Some(page) = pages.next_page().await? {
        all += page.items.len();
        companies += page.items.iter().filter(|record| record.company == Some(true)).count();
        bar.set_position(all as u64);
    }
    bar.finish_and_clear();
    println!("clients         {all}, companies {companies}");
    Ok(())
}

/// What really happened there: one client and one deal, however the answers went.
fn count(sandbox: &Sandbox) -> Result<(), Failure> {
    let made = (sandbox.sugester().created(Table::Clients), sandbox.sugester().created(Table::Deals));
    if made != (231, 1) {
        return Err(format!("230 clients were there, and now there are (clients, deals) {made:?}").into());
    }
    Ok(())
}
