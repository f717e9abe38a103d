//! All calls, by what they expect for an answer.

use sugester::bitfactura::{
    self, AccountAction, Buyer, ClientQuery, InvoiceChange, InvoiceFields, InvoiceQuery, Login, Mail,
    NewAccount, NewInvoice, NewWebhook, PositionFields, Resource, WebhookFields,
};
use sugester::crm::{
    self, ContactFields, ContactListFields, DealFields, ExternalUpdate, ListQuery, NewContact, NewDeal,
    NewPartnerAccount, NewPost, NewStatus, PostFields,
};
use sugester::kinds::{InvoiceStatus, StatusKind, TaskKind, WebhookKind};
use sugester::value::{AppKey, Extra};
use sugester::{BaseUrl, BoxFuture, Client, Error, ManualClock};
use wiremock::MockServer;

use crate::support::TOKEN;

/// What a success answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    List,
    Record,
    /// An object that is no record: an account, a form, a login.
    Object,
    Nothing,
    /// Any 2xx that is no error.
    Anything,
    Pdf,
}

pub(crate) struct Rig {
    pub(crate) url: BaseUrl,
    pub(crate) crm: Client,
    pub(crate) billing: bitfactura::Client,
}

impl Rig {
    pub(crate) fn of(server: &MockServer) -> Self {
        let url = BaseUrl::parse(&server.uri()).unwrap();
        let token = || TOKEN.parse().unwrap();
        let crm = Client::builder().base_url(url.clone()).token(token()).clock(ManualClock::new());
        let billing =
            bitfactura::Client::builder().base_url(url.clone()).token(token()).clock(ManualClock::new());
        Self { url, crm: crm.build().unwrap(), billing: billing.build().unwrap() }
    }
}

type Done<'r> = BoxFuture<'r, Result<(), Error>>;
pub(crate) type Row = (&'static str, Due, bool, fn(&Rig) -> Done<'_>);

/// Name, what is due, whether it is a `GET`, and the call.
macro_rules! rows {
    ($($due:ident $get:literal $name:literal |$rig:ident| $call:expr;)+) => {
        pub(crate) const ROWS: &[Row] =
            &[$(($name, Due::$due, $get, |$rig| Box::pin(async move { $call.map(drop) }))),+];
    };
}

fn invoice() -> NewInvoice {
    let position = PositionFields { product_id: 5.into(), ..PositionFields::default() };
    NewInvoice::new(Buyer::Existing(17)).position(position)
}

fn extra() -> Extra {
    Extra::parse(r#"{"name":"x"}"#).unwrap()
}

rows! {
    List true "bf clients" |r| r.billing.clients(&ClientQuery::new())?.all().await;
    Record true "bf client" |r| r.billing.client(7).await;
    List true "bf by external id" |r| r.billing.client_by_external_id("x").await;
    Record false "bf new client" |r| r.billing.create_client(&bitfactura::NewClient::company("A")).await;
    Record false "bf update client" |r| {
        let change = bitfactura::ClientFields { phone: "1".into(), ..bitfactura::ClientFields::default() };
        r.billing.update_client(7, &change).await
    };
    Nothing false "bf delete client" |r| r.billing.delete_client(7).await;
    List true "bf invoices" |r| r.billing.invoices(&InvoiceQuery::new())?.all().await;
    List true "bf by oid" |r| r.billing.invoices_by_oid("o-1").await;
    Record true "bf invoice" |r| r.billing.invoice(7).await;
    Record false "bf new invoice" |r| r.billing.create_invoice(&invoice()).await;
    Record false "bf update invoice" |r| {
        let change = InvoiceFields { place: "x".into(), ..InvoiceFields::default() };
        r.billing.update_invoice(7, &InvoiceChange::new(change)).await
    };
    Nothing false "bf delete invoice" |r| r.billing.delete_invoice(7).await;
    Nothing false "bf status" |r| r.billing.change_invoice_status(7, &InvoiceStatus::Paid).await;
    Nothing false "bf mail" |r| r.billing.mail_invoice(7, &Mail::new().to("a@x.cl")).await;
    Nothing false "bf cancel" |r| r.billing.cancel_invoice(7, None).await;
    Pdf true "bf pdf" |r| r.billing.invoice_pdf(7).write_to(&mut Vec::new()).await;
    Object true "bf attach" |r| r.billing.attach_to_invoice(7, "a.txt", b"x").await;
    List true "bf webhooks" |r| r.billing.webhooks().all().await;
    List true "bf inactive webhooks" |r| r.billing.inactive_webhooks().await;
    Record true "bf webhook" |r| r.billing.webhook(7).await;
    Record false "bf new webhook" |r| {
        r.billing.create_webhook(&NewWebhook::new(WebhookKind::ClientCreate, "https://x.cl/", "pl4nted-hook")).await
    };
    Record false "bf update webhook" |r| {
        let change = WebhookFields { active: true.into(), ..WebhookFields::default() };
        r.billing.update_webhook(7, &change).await
    };
    Nothing false "bf delete webhook" |r| r.billing.delete_webhook(7).await;
    List true "bf records" |r| r.billing.records(Resource::PRODUCTS, &[]).all().await;
    Record true "bf record" |r| r.billing.record(Resource::PRODUCTS, 7).await;
    Record false "bf new record" |r| r.billing.create_record(Resource::PRODUCTS, &extra()).await;
    Record false "bf update record" |r| r.billing.update_record(Resource::PAYMENTS, 7, &extra()).await;
    Nothing false "bf delete record" |r| r.billing.delete_record(Resource::PRODUCTS, 7).await;
    Object false "bf new account" |r| {
        let account = NewAccount::new("acme".parse()?, "ana", "a@x.cl", "pl4nted-password", "pl4nted-partner");
        r.billing.create_account(&account).await
    };
    Nothing false "bf unlink" |r| r.billing.change_account(AccountAction::Unlink, &extra()).await;
    Object false "bf login" |r| {
        let login = Login::new("ana", "pl4nted-password").integration_token("pl4nted-partner");
        login.host(r.url.clone()).clock(ManualClock::new()).send().await
    };
    List true "sg clients" |r| r.crm.clients(&ListQuery::new())?.all().await;
    List true "sg by id" |r| r.crm.client_by_external_id(&AppKey::default(), 17).await;
    Record true "sg client" |r| r.crm.client(7).await;
    Record false "sg new client" |r| r.crm.create_client(&crm::NewClient::company("A")).await;
    Record false "sg update client" |r| {
        let change = crm::ClientFields { phone: "1".into(), ..crm::ClientFields::default() };
        r.crm.update_client(7, &change).await
    };
    Nothing false "sg delete client" |r| r.crm.delete_client(7).await;
    List true "sg contacts" |r| r.crm.contacts(&ListQuery::new())?.all().await;
    Record true "sg contact" |r| r.crm.contact(7).await;
    Record false "sg new contact" |r| r.crm.create_contact(&NewContact::new("A")).await;
    Record false "sg update contact" |r| {
        r.crm.update_contact(7, &ContactFields { phone: "1".into(), ..ContactFields::default() }).await
    };
    Nothing false "sg delete contact" |r| r.crm.delete_contact(7).await;
    List true "sg deals" |r| r.crm.deals(&ListQuery::new())?.all().await;
    Record true "sg deal" |r| r.crm.deal(7).await;
    Record false "sg new deal" |r| r.crm.create_deal(&NewDeal::new("A")).await;
    Record false "sg update deal" |r| {
        r.crm.update_deal(7, &DealFields { kind: "x".into(), ..DealFields::default() }).await
    };
    Nothing false "sg delete deal" |r| r.crm.delete_deal(7).await;
    List true "sg helpdesk" |r| r.crm.helpdesk(&ListQuery::new())?.all().await;
    List true "sg tasks" |r| r.crm.tasks(&ListQuery::new())?.all().await;
    Record true "sg post" |r| r.crm.post(7).await;
    Record false "sg new post" |r| r.crm.create_post(&NewPost::new(TaskKind::Task, "x")).await;
    Record false "sg comment" |r| {
        r.crm.create_comment(7, &PostFields { content: "x".into(), ..PostFields::default() }).await
    };
    Record true "sg contact list" |r| r.crm.contact_list(7).await;
    Record false "sg new contact list" |r| r.crm.create_contact_list("x").await;
    Record false "sg update contact list" |r| {
        r.crm.update_contact_list(7, &ContactListFields { name: "x".into(), ..ContactListFields::default() }).await
    };
    List true "sg statuses" |r| r.crm.statuses(&StatusKind::Deal, &ListQuery::new())?.all().await;
    Record true "sg status" |r| r.crm.status(7).await;
    Record false "sg new status" |r| r.crm.create_status(&NewStatus::of_deals("x", "X")).await;
    Object false "sg new account" |r| {
        let account = NewPartnerAccount::new("acme".parse()?, "ana", "a@x.cl", "pl4nted-password");
        r.crm.create_partner_account(&account).await
    };
    Anything false "sg push" |r| r.crm.external_update(&ExternalUpdate::new(17, crm::ClientFields::default())).await;
}
