//! Sentinels in every secret that `sugester` holds: in nothing that is printed, and in nothing that is traced (contract 2.2, traps 7
//! and 21).

use std::fmt::Write as _;
use std::sync::Arc;

use integration_sandbox::bitfactura::Endpoint as Billing;
use integration_sandbox::sugester::Endpoint as Crm;
use integration_sandbox::{Fault, Scripted};
use serde_json::json;
use sugester::bitfactura::{
    self, Buyer, InvoiceQuery, Login, Mail, NewAccount, NewInvoice, NewWebhook, PositionFields, WebhookFields,
};
use sugester::connection::ConnectionCheck;
use sugester::crm::{ClientFields, ExternalUpdate, ListQuery, NewClient, NewPartnerAccount};
use sugester::kinds::{InvoiceStatus, WebhookKind};
use sugester::sync::ports;
use sugester::webhook::{MemoryHints, Receiver, Refused, Route};
use sugester::{ApiToken, BaseUrl, Client, Secret};

use super::Bench;
use crate::leaks::capture;
use crate::leaks::printed::Printed;

const MARK: &str = "S3NT1NEL";
const CRM_TOKEN: &str = "S3NT1NEL-crm/with-slash-0123456789/sandbox";
const BILLING_TOKEN: &str = "S3NT1NEL-billing-0123456789/sandbox";
const PASSWORD: &str = "S3NT1NEL-password-0123456789";
const INTEGRATION: &str = "S3NT1NEL-integration-0123456789";
const ROW: &str = "S3NT1NEL-typed-into-the-row-0123456789";
const IN_PATH: &str = "S3NT1NEL-in-the-path-0123456789";
const VIEW: &str = "S3NT1NEL-view-0123456789";

/// Clients whose tokens are the sentinels, which the sandbox takes.
fn clients(bench: &Bench) -> (Client, bitfactura::Client) {
    let (crm, billing) = (bench.sandbox.sugester(), bench.sandbox.bitfactura());
    crm.add_token(CRM_TOKEN);
    billing.add_token(BILLING_TOKEN);
    let client = Client::builder()
        .base_url(BaseUrl::parse(crm.base_url()).unwrap())
        .token(CRM_TOKEN.parse().unwrap())
        .clock(bench.clock.clone());
    let other = bitfactura::Client::builder()
        .base_url(BaseUrl::parse(billing.base_url()).unwrap())
        .token(BILLING_TOKEN.parse().unwrap())
        .clock(bench.clock.clone());
    (client.build().unwrap(), other.build().unwrap())
}

/// Every way in which a service may repeat a secret: bare, in a URL as the captured 401 has it, escaped, in JSON, in headers.
fn echoes(secret: &str) -> Vec<Fault> {
    let (escaped, json) = (secret.replace('/', "%2F"), secret.replace('/', "\\/"));
    let url = format!("https://sandbox.sugester.pl/app/clients.json?api_token={escaped}&page=1");
    let texts = [
        format!("no access to {url}"),
        secret.to_owned(),
        format!(r#"{{"code":"error","message":"{secret} {url}"}}"#),
        format!(r#"{{"code":"error","message":{{"{secret}":["- {secret}"],"name":["{url}"]}}}}"#),
        format!(r#"{{"status":"error","message":"{json}"}}"#),
        format!(r#"{{"errors":["{url}"],"api_token":"{secret}","password":"{secret}"}}"#),
        format!(r#"{{"error":"{url}","{secret}":1"#),
        format!("<html>{url} {secret}</html>"),
    ];
    let statuses = [200, 201, 302, 400, 401, 403, 404, 409, 422, 429, 500, 502];
    let each = |status: u16| texts.iter().map(move |text| (status, text.clone()));
    let answer = |(status, text): (u16, String)| {
        let answer = Scripted::new(status)
            .header("content-type", format!("application/json; token={secret}"))
            .header("x-request-id", secret)
            .header("retry-after", "0")
            .header("location", format!("http://127.0.0.1:1/{secret}?api_token={escaped}"))
            .header("set-cookie", format!("session={secret}"));
        Fault::Answer(answer.body(text))
    };
    statuses.into_iter().flat_map(each).map(answer).collect()
}

#[tokio::test]
async fn what_sugester_repeats_is_not_shown() {
    let (log, _guard) = capture();
    for fault in echoes(CRM_TOKEN) {
        let bench = Bench::new().await;
        let (client, _) = clients(&bench);
        for endpoint in [
            Crm::Clients,
            Crm::Client,
            Crm::CreateClient,
            Crm::UpdateClient,
            Crm::DeleteClient,
            Crm::ExternalUpdate,
            Crm::Helpdesk,
        ] {
            bench.sandbox.sugester().inject_always(endpoint, fault.clone());
        }
        let mut printed = Printed::default();
        let change = ClientFields { city: "Temuco".into(), ..ClientFields::default() };
        printed.result(client.check_connection().await);
        printed.result(client.clients(&ListQuery::new()).unwrap().all().await);
        printed.result(client.client(7).await);
        printed.result(client.create_client(&NewClient::company("Acme")).await);
        printed.result(client.update_client(7, &change).await);
        printed.result(client.delete_client(7).await);
        printed.result(client.external_update(&ExternalUpdate::new(7, change)).await);
        printed.result(client.helpdesk(&ListQuery::new()).unwrap().next_page().await);
        printed.holds_none_of(&format!("{fault:?}"), &[MARK]);
        assert!(bench.sandbox.sugester().requests().len() >= 8, "everything was asked");
    }
    // The password of a partner's account.
    for fault in echoes(PASSWORD) {
        let bench = Bench::new().await;
        bench.sandbox.sugester().inject_always(Crm::CreateAccount, fault.clone());
        let wish = NewPartnerAccount::new("acme".parse().unwrap(), "ana", "ana@example.com", PASSWORD);
        let mut printed = Printed::default();
        printed.result(bench.crm().create_partner_account(&wish).await);
        printed.holds_none_of(&format!("{fault:?}"), &[MARK]);
    }
    assert!(log.text().lines().count() > 100, "something was captured");
    assert!(!log.text().contains(MARK), "the log shows a secret");
}

#[tokio::test]
async fn what_bitfactura_repeats_is_not_shown() {
    let (log, _guard) = capture();
    let position = PositionFields { name: "Consulting".into(), ..PositionFields::default() };
    let invoice = NewInvoice::new(Buyer::Existing(7)).position(position).oid("o-1");
    for fault in echoes(BILLING_TOKEN) {
        let bench = Bench::new().await;
        let (_, client) = clients(&bench);
        for endpoint in [
            Billing::Clients,
            Billing::Client,
            Billing::Invoices,
            Billing::CreateInvoice,
            Billing::Pdf,
            Billing::ChangeStatus,
            Billing::SendByEmail,
            Billing::Webhooks,
            Billing::Account,
        ] {
            bench.sandbox.bitfactura().inject_always(endpoint, fault.clone());
        }
        let mut printed = Printed::default();
        printed.result(client.client(7).await);
        printed.result(client.client_by_external_id("x").await);
        printed.result(client.invoices(&InvoiceQuery::new()).unwrap().all().await);
        printed.result(client.create_invoice_keyed(&invoice).await);
        printed.result(client.invoice_pdf(7).write_to(&mut Vec::new()).await);
        printed.result(client.change_invoice_status(7, &InvoiceStatus::Paid).await);
        printed.result(client.mail_invoice(7, &Mail::new().to("ana@example.com")).await);
        printed.result(client.inactive_webhooks().await);
        printed.result(client.read_account().await);
        printed.holds_none_of(&format!("{fault:?}"), &[MARK]);
    }
    for (secret, endpoint) in
        [(ROW, Billing::CreateWebhook), (ROW, Billing::UpdateWebhook), (PASSWORD, Billing::CreateAccount)]
    {
        for fault in echoes(secret) {
            let bench = Bench::new().await;
            let client = bench.billing();
            bench.sandbox.bitfactura().inject_always(endpoint, fault.clone());
            let mut printed = Printed::default();
            let url = format!("https://hooks.example.com/client/{ROW}");
            let row = NewWebhook::new(WebhookKind::ClientUpdate, url, ROW);
            printed.value(&row);
            let change = WebhookFields { api_token: Secret::new(ROW).into(), ..WebhookFields::default() };
            let account = NewAccount::new("acme".parse().unwrap(), "a", "a@b.cl", PASSWORD, INTEGRATION);
            match endpoint {
                Billing::CreateWebhook => printed.result(client.create_webhook(&row).await),
                Billing::UpdateWebhook => printed.result(client.update_webhook(7, &change).await),
                _ => printed.result(client.create_account(&account).await),
            }
            printed.holds_none_of(&format!("{endpoint:?} {fault:?}"), &[MARK]);
        }
    }
    assert!(log.text().lines().count() > 100, "something was captured");
    assert!(!log.text().contains(MARK), "the log shows a secret");
}

#[tokio::test]
async fn a_login_shows_neither_password_nor_tokens() {
    let (log, _guard) = capture();
    for secret in [PASSWORD, INTEGRATION] {
        for fault in echoes(secret) {
            let bench = Bench::new().await;
            let service = bench.sandbox.bitfactura();
            service.inject_always(Billing::Login, fault.clone());
            let login = Login::new("ana@example.com", PASSWORD)
                .integration_token(INTEGRATION)
                .host(BaseUrl::parse(service.base_url()).unwrap())
                .clock(bench.clock.clone());
            let mut printed = Printed::default();
            printed.value(&login);
            printed.result(login.clone().send().await);
            let (crm, billing) = (bench.crm(), bench.billing());
            let check = ConnectionCheck::new(&crm, &billing).sugester_login("ana").log_in(login);
            printed.value(&check);
            let report = check.run().await;
            printed.value(&report);
            let _ = write!(printed.values, "{report}");
            for finding in report.findings() {
                let _ = write!(printed.values, "{finding} {}", finding.advice());
            }
            printed.holds_none_of(&format!("{fault:?}"), &[MARK]);
        }
    }
    // The account's token in answers that can be read, or half.
    for body in [
        format!(r#"{{"login":"ana","prefix":"sandbox","api_token":"{BILLING_TOKEN}"}}"#),
        format!(r#"{{"login":"ana","api_token":["{BILLING_TOKEN}"]}}"#),
        format!(r#"{{"api_token":"{BILLING_TOKEN}""#),
    ] {
        let bench = Bench::new().await;
        let service = bench.sandbox.bitfactura();
        let answer = Scripted::new(200).header("content-type", "application/json").body(body.as_str());
        service.inject(Billing::Login, Fault::Answer(answer));
        let login = Login::new("ana", "x").host(BaseUrl::parse(service.base_url()).unwrap());
        let mut printed = Printed::default();
        printed.result(login.send().await);
        printed.holds_none_of(&body, &[MARK]);
    }
    assert!(!log.text().contains(MARK), "the log shows a secret");
}

/// Calls that succeed: tokens are in the requests and nowhere else.
#[tokio::test]
async fn nothing_that_is_traced_or_configured_shows_a_token() {
    let (log, _guard) = capture();
    let bench = Bench::new().await;
    let (crm, billing) = clients(&bench);
    bench.sandbox.bitfactura().seed(3, 3, 7);
    let mut printed = Printed::default();
    printed.result(crm.create_client(&NewClient::company("Acme")).await);
    printed.result(crm.clients(&ListQuery::new()).unwrap().all().await);
    printed.result(billing.invoices(&InvoiceQuery::new()).unwrap().all().await);
    printed.value(&ConnectionCheck::new(&crm, &billing).run().await);
    printed.value(&(&crm, &billing, crm.token(), billing.token()));
    let builder = Client::builder().token(CRM_TOKEN.parse().unwrap()).account("acme".parse().unwrap());
    printed.value(&builder);
    printed.result(builder.build()); // The token of another account.
    let builder = bitfactura::Client::builder().token(BILLING_TOKEN.parse().unwrap());
    printed.value(&builder);
    printed.result(builder.build());
    for token in [" / ", "S3NT1NEL token/acme", "S3NT1NEL\n/acme", "/S3NT1NEL", "S3NT1NEL/", "S3NT1NEL/a.b"] {
        printed.result(ApiToken::parse(token));
        for prefix in ["SUGESTER", "BITFACTURA"] {
            let look = |name: &str| match name.strip_prefix(prefix) {
                Some("_BASE_URL") => Some("https://acme.example.com".to_owned()),
                Some("_API_TOKEN") => Some(token.to_owned()),
                _ => None,
            };
            match prefix {
                "SUGESTER" => printed.result(Client::from_lookup(look)),
                _ => printed.result(bitfactura::Client::from_lookup(look)),
            }
        }
    }
    for url in ["https://{}@acme.sugester.pl", "https://u:{}@acme.sugester.pl", "https://a.pl/?t={}", "{}"] {
        // As it stands in an address.
        printed.result(BaseUrl::parse(&url.replace("{}", &CRM_TOKEN.replace('/', "%2F"))));
        printed.result("acme".replace("acme", CRM_TOKEN).parse::<sugester::AccountName>());
    }
    printed.holds_none_of("types", &[MARK]);
    assert!(log.text().lines().count() > 10 && !log.text().contains(MARK), "{}", log.text());
    let sent = bench.sandbox.sugester().requests();
    assert!(sent.iter().all(|request| request.token_in.is_some()), "the token was there to be found");
}

/// A client's and an invoice's token open public pages; BitFactura answers digests of passwords, too (traps 19 and 21).
#[tokio::test]
async fn records_show_no_token_and_no_digest_of_a_password() {
    let bench = Bench::new().await;
    let (crm, billing) = clients(&bench);
    let record = json!({
        "id": 7, "name": "Acme", "token": VIEW, "panel_url": format!("https://x.example/p/{VIEW}"),
        "view_url": format!("https://x.example/f/1/{VIEW}"), "payment_url": format!("https://x.example/{VIEW}"),
        "url": format!("https://x.example/{VIEW}"), "password_hash": VIEW, "password_salt": VIEW,
        "api_token": VIEW, "external_ids": {"bitfactura": 21}, "positions": [],
    });
    let text = record.to_string();
    let answer =
        || Fault::Answer(Scripted::new(200).header("content-type", "application/json").body(text.as_str()));
    for endpoint in [Billing::Client, Billing::Invoice, Billing::Webhook, Billing::Resource] {
        bench.sandbox.bitfactura().inject_always(endpoint, answer());
    }
    for endpoint in [Crm::Client, Crm::Deal, Crm::Contact, Crm::Post] {
        bench.sandbox.sugester().inject_always(endpoint, answer());
    }
    let mut printed = Printed::default();
    let client = billing.client(7).await.unwrap();
    assert_eq!(client.token.as_ref().map(Secret::reveal), Some(VIEW), "it was there to be found");
    printed.value(&client);
    printed.value(&billing.invoice(7).await.unwrap());
    printed.value(&billing.webhook(7).await.unwrap());
    printed.value(&crm.client(7).await.unwrap());
    printed.value(&crm.deal(7).await.unwrap());
    printed.result(crm.contact(7).await);
    printed.result(crm.post(7).await);
    let raw = || serde_json::value::RawValue::from_string(text.clone()).unwrap();
    printed.value(&ports::ClientRecord::read(raw()).unwrap());
    printed.value(&ports::InvoiceRecord::read(raw()).unwrap());
    printed.value(&ports::DealRecord::read(raw()).unwrap());
    printed.value(&ports::Receiver { url: "https://x.example".into(), token: Secret::new(CRM_TOKEN) });
    printed.holds_none_of("records", &[MARK]);
}

#[tokio::test]
async fn a_receiver_shows_neither_its_secrets_nor_what_was_guessed() {
    let (log, _guard) = capture();
    let told = Arc::new(std::sync::Mutex::new(Printed::default()));
    let note = Arc::clone(&told);
    let hints = Arc::new(MemoryHints::default());
    let builder = Receiver::builder().every_route(ROW).path_secret(IN_PATH).sink(hints.clone()).observer(
        Arc::new(move |refused: &Refused<'_>| {
            let mut told = note.lock().unwrap();
            told.value(refused);
            let _ = write!(told.values, "{refused}");
        }),
    );
    let mut printed = Printed::default();
    printed.value(&builder);
    let receiver = builder.build().unwrap();
    let bodies = [
        json!({"api_token": ROW, "client": {"id": 17}}),
        json!({"api_token": ROW, "nothing": VIEW}),
        json!({"api_token": format!("{ROW}x"), "client": {"id": 17}}),
        json!([ROW]),
    ];
    for (route, body) in Route::ALL.iter().flat_map(|route| bodies.iter().map(move |body| (*route, body))) {
        for path in [format!("/{route}/{IN_PATH}"), format!("/{route}/{IN_PATH}x"), format!("/{route}")] {
            let (parts, ()) = http::Request::post(path).body(()).unwrap().into_parts();
            printed.value(&receiver.receive_bytes(route, &parts, body.to_string().into()).await);
        }
    }
    printed.value(&(&receiver, &hints));
    printed.holds_none_of("receiver", &[MARK]);
    let told = told.lock().unwrap();
    assert!(told.values.lines().count() > 10, "refusals were told");
    told.holds_none_of("observer", &[MARK]);
    assert!(!log.text().contains(MARK), "the log shows a secret");
}
