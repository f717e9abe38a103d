//! Sugester and BitFactura: errors with 200, pages for people, wrappers that come and go (contract 3.7, 3.9).

use integration_core::clock::ManualClock;
use sugester::bitfactura::{
    self, AccountAction, Buyer, ClientQuery, InvoiceChange, InvoiceFields, InvoiceQuery, Login, Mail,
    NewAccount, NewInvoice, NewWebhook, PositionFields, Resource,
};
use sugester::crm::{
    self, ContactListFields, ExternalUpdate, ListQuery, NewContact, NewDeal, NewPartnerAccount, NewPost,
    NewStatus,
};
use sugester::kinds::{InvoiceStatus, StatusKind, TaskKind, WebhookKind};
use sugester::value::{AppKey, Extra};
use sugester::{ApiToken, BaseUrl, Client, RetryPolicy};

use super::super::scripted::{Due, Made, SENTINEL, Script, block_on};
use super::{Call, NONE, call, calls, gathered};

fn base() -> BaseUrl {
    BaseUrl::parse("https://acme.example.com").unwrap()
}

fn token() -> ApiToken {
    ApiToken::parse(&format!("{SENTINEL}/acme")).unwrap()
}

fn crm_client(script: Script) -> Client {
    let builder =
        Client::builder().base_url(base()).token(token()).transport(script).clock(ManualClock::new());
    builder.retry(RetryPolicy::never()).build().unwrap()
}

fn billing(script: Script) -> bitfactura::Client {
    let builder = bitfactura::Client::builder().base_url(base()).token(token()).transport(script);
    builder.clock(ManualClock::new()).retry(RetryPolicy::never()).build().unwrap()
}

fn invoice() -> NewInvoice {
    let position = PositionFields { product_id: 5.into(), ..PositionFields::default() };
    NewInvoice::new(Buyer::Existing(17)).position(position)
}

fn extra() -> Extra {
    Extra::parse(r#"{"name":"x"}"#).unwrap()
}

pub const LOGIN: Call = (Due::Object, |script| {
    let login = Login::new("ana", SENTINEL)
        .integration_token(SENTINEL)
        .host(base())
        .clock(ManualClock::new())
        .transport(script);
    block_on(async { Made::of(login.send().await, |_| 1) })
});

const BILLING: &[Call] = calls! {
    billing;
    List |client| gathered(client.clients(&ClientQuery::new())).await, Vec::len;
    Object |client| client.client(7).await, |_| 1;
    List |client| client.client_by_external_id("x").await, |found| usize::from(found.is_some());
    Object |client| client.create_client(&bitfactura::NewClient::company("A")).await, |_| 1;
    Nothing |client| client.delete_client(7).await, |()| 0;
    List |client| gathered(client.invoices(&InvoiceQuery::new())).await, Vec::len;
    List |client| client.invoices_by_oid("o-1").await, Vec::len;
    Object |client| client.invoice(7).await, |_| 1;
    Object |client| client.create_invoice(&invoice()).await, |_| 1;
    Object |client| client.create_invoice_keyed(&invoice().oid("o-1")).await.map(|keyed| keyed.into_inner()), |_| 1;
    Object |client| {
        let change = InvoiceFields { place: "x".into(), ..InvoiceFields::default() };
        client.update_invoice(7, &InvoiceChange::new(change)).await
    }, |_| 1;
    Nothing |client| client.change_invoice_status(7, &InvoiceStatus::Paid).await, |()| 0;
    Nothing |client| client.mail_invoice(7, &Mail::new().to("a@x.cl")).await, |()| 0;
    Nothing |client| client.invoice_pdf(7).write_to(&mut Vec::new()).await, |_| 1;
    Object |client| client.attach_to_invoice(7, "a.txt", b"x").await, |()| 1;
    List |client| gathered(Ok(client.webhooks())).await, Vec::len;
    List |client| client.inactive_webhooks().await, Vec::len;
    Object |client| {
        let webhook = NewWebhook::new(WebhookKind::ClientCreate, "https://x.cl/", SENTINEL);
        client.create_webhook(&webhook).await
    }, |_| 1;
    List |client| gathered(Ok(client.records(Resource::PRODUCTS, &[]))).await, Vec::len;
    Object |client| client.create_record(Resource::PRODUCTS, &extra()).await, |_| 1;
    Object |client| client.read_account().await, |_| 1;
    Object |client| {
        let account = NewAccount::new("acme".parse().unwrap(), "ana", "a@x.cl", SENTINEL, SENTINEL);
        client.create_account(&account).await
    }, |_| 1;
    Nothing |client| client.change_account(AccountAction::Unlink, &extra()).await, |()| 0;
};

const CRM: &[Call] = calls! {
    crm_client;
    List |client| gathered(client.clients(&ListQuery::new())).await, Vec::len;
    List |client| client.client_by_external_id(&AppKey::default(), 17).await, |found| usize::from(found.is_some());
    Object |client| client.client(7).await, |_| 1;
    Object |client| client.create_client(&crm::NewClient::company("A")).await, |_| 1;
    Object |client| client.create_client_keyed(&AppKey::default(), 17, &crm::NewClient::company("A")).await, |_| 1;
    Nothing |client| client.delete_client(7).await, |()| 0;
    List |client| gathered(client.contacts(&ListQuery::new())).await, Vec::len;
    Object |client| client.create_contact(&NewContact::new("A")).await, |_| 1;
    List |client| gathered(client.deals(&ListQuery::new())).await, Vec::len;
    Object |client| client.deal(7).await, |_| 1;
    Object |client| client.create_deal(&NewDeal::new("A")).await, |_| 1;
    List |client| gathered(client.helpdesk(&ListQuery::new())).await, Vec::len;
    List |client| gathered(client.tasks(&ListQuery::new())).await, Vec::len;
    Object |client| client.create_post(&NewPost::new(TaskKind::Task, "x")).await, |_| 1;
    Object |client| client.contact_list(7).await, |_| 1;
    Object |client| {
        let change = ContactListFields { name: "x".into(), ..ContactListFields::default() };
        client.update_contact_list(7, &change).await
    }, |_| 1;
    List |client| gathered(client.statuses(&StatusKind::Deal, &ListQuery::new())).await, Vec::len;
    Object |client| client.create_status(&NewStatus::of_deals("x", "X")).await, |_| 1;
    Object |client| {
        let account = NewPartnerAccount::new("acme".parse().unwrap(), "ana", "a@x.cl", SENTINEL);
        client.create_partner_account(&account).await
    }, |_| 1;
    Nothing |client| client.external_update(&ExternalUpdate::new(17, crm::ClientFields::default())).await, |()| 0;
    Nothing |client| client.check_connection().await, |()| 0;
};

pub fn bitfactura(data: &[u8]) {
    call(data, BILLING, NONE);
}

pub fn crm(data: &[u8]) {
    call(data, CRM, NONE);
}
