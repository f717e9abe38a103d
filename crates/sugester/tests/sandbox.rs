//! The client of BitFactura on the simulator, which reads the same contract on its own: a whole life of records, every shape of list and
//! answer, and calls whose answer is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use integration_sandbox::bitfactura::{
    BitFactura, DeleteAnswer, Endpoint, ErrorInside, Filter, ListShape, NotReady, PageSize, PdfAnswer,
    RecordShape, Table,
};
use integration_sandbox::{Fault, Sandbox};
use rust_decimal::Decimal;
use sugester::bitfactura::{
    Buyer, Client, ClientFields, ClientQuery, InvoiceChange, InvoiceFields, InvoiceQuery, Login, Mail,
    NewClient, NewInvoice, NewWebhook, Period, PositionChange, PositionFields, Resource, WebhookFields,
};
use sugester::kinds::{InvoiceStatus, WebhookKind};
use sugester::value::{Extra, Patch};
use sugester::{AuthMode, BaseUrl, ErrorExt, ManualClock};

fn client(service: &BitFactura) -> Client {
    with_mode(service, AuthMode::default())
}

fn with_mode(service: &BitFactura, mode: AuthMode) -> Client {
    let builder = Client::builder().base_url(BaseUrl::parse(service.base_url()).unwrap()).auth_mode(mode);
    builder.token(service.token().parse().unwrap()).clock(ManualClock::new()).build().unwrap()
}

fn position() -> PositionFields {
    let amount = |text: &str| text.parse::<Decimal>().unwrap();
    PositionFields {
        name: "Consulting".into(),
        tax: "19".into(),
        quantity: amount("2").into(),
        total_price_gross: amount("238.00").into(),
        ..PositionFields::default()
    }
}

fn invoice(client: u64, oid: &str) -> NewInvoice {
    let fields = InvoiceFields { payment_to_kind: "14".into(), ..InvoiceFields::default() };
    NewInvoice::new(Buyer::Existing(client)).fields(fields).position(position()).oid(oid)
}

#[tokio::test]
async fn a_client_and_its_invoice_live_and_go() {
    let sandbox = Sandbox::start().await.unwrap();
    let service = sandbox.bitfactura();
    for mode in [AuthMode::QueryAndBody, AuthMode::Bearer] {
        let client = with_mode(service, mode);
        let acme = client.create_client(&NewClient::company("Acme SpA")).await.unwrap();
        let change =
            ClientFields { city: "Viña".into(), external_id: "A-1".into(), ..ClientFields::default() };
        client.update_client(acme.id, &change).await.unwrap();
        let read = client.client(acme.id).await.unwrap();
        assert_eq!(
            (read.name.as_deref(), read.city.as_deref(), read.company),
            (Some("Acme SpA"), Some("Viña"), Some(true))
        );
        assert_eq!(client.client_by_external_id("A-1").await.unwrap().map(|found| found.id), Some(acme.id));
        client
            .update_client(acme.id, &ClientFields { city: Patch::Clear, ..ClientFields::default() })
            .await
            .unwrap();
        assert_eq!(client.client(acme.id).await.unwrap().city.unwrap_or_default(), "");

        let made = client.create_invoice_keyed(&invoice(acme.id, "o-1")).await.unwrap();
        assert!(!made.was_found());
        let id = made.into_inner().id;
        let again = client.create_invoice_keyed(&invoice(acme.id, "o-1")).await.unwrap();
        assert!(again.was_found() && again.into_inner().id == id);
        let read = client.invoice(id).await.unwrap();
        assert_eq!((read.price_gross, read.positions.len()), (Some(Decimal::new(23800, 2)), 1));
        let first = read.positions[0].id.unwrap();
        let change =
            InvoiceChange::new(InvoiceFields { description: "x".into(), ..InvoiceFields::default() });
        let change = change.position(PositionChange::Add(position())).position(PositionChange::Remove(first));
        client.update_invoice(id, &change).await.unwrap();
        let read = client.invoice(id).await.unwrap();
        assert_eq!((read.description.as_deref(), read.positions.len()), (Some("x"), 1));
        assert_ne!(read.positions[0].id, Some(first));
        client.change_invoice_status(id, &InvoiceStatus::Paid).await.unwrap();
        assert_eq!(client.invoice(id).await.unwrap().status, Some(InvoiceStatus::Paid));
        client.mail_invoice(id, &Mail::new().to("ana@example.com").with_pdf()).await.unwrap();
        let mut pdf = Vec::new();
        client.invoice_pdf(id).write_to(&mut pdf).await.unwrap();
        assert!(pdf.starts_with(b"%PDF-"));
        client.attach_to_invoice(id, "note.txt", b"hello").await.unwrap();
        let mut zip = Vec::new();
        client.invoice_attachments(id).write_to(&mut zip).await.unwrap();
        assert!(zip.windows(5).any(|window| window == b"hello"));
        client.cancel_invoice(id, Some("twice")).await.unwrap();
        assert_eq!(client.invoice(id).await.unwrap().cancelled, Some(true));
        client.delete_invoice(id).await.unwrap();
        assert!(client.invoice(id).await.unwrap_err().is_not_found());
        client.delete_client(acme.id).await.unwrap();
        assert!(client.client(acme.id).await.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn every_shape_of_list_is_read_to_its_end_and_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let service = sandbox.bitfactura();
    service.seed(130, 260, 7);
    let client = client(service);
    for page_size in
        [PageSize::Honoured, PageSize::Fixed25, PageSize::Fixed50, PageSize::Fixed100, PageSize::All]
    {
        for shape in [
            ListShape::Bare,
            ListShape::Data,
            ListShape::Results,
            ListShape::Plural,
            ListShape::NullWhenEmpty,
        ] {
            service.configure(|settings| {
                settings.wire.page_size = page_size;
                settings.wire.list_shape = shape;
                settings.wire.scalars_as_text = shape == ListShape::Data;
            });
            let clients = client.clients(&ClientQuery::new()).unwrap().all().await.unwrap();
            assert_eq!(clients.len(), 130, "{page_size:?} {shape:?}");
            let invoices = client.invoices(&InvoiceQuery::new()).unwrap().all().await.unwrap();
            assert_eq!(invoices.len(), 260, "{page_size:?} {shape:?}");
        }
    }
    let year =
        client.invoices(&InvoiceQuery::new().period(Period::Last12Months)).unwrap().all().await.unwrap();
    assert!(year.len() < 260, "the seed is three years deep");
    service.configure(|settings| settings.wire.ignores_page = true);
    let first = client.clients(&ClientQuery::new()).unwrap().all().await.unwrap();
    assert!(first.len() <= 130, "a service that ignores the page keeps nobody busy");
}

#[tokio::test]
async fn every_shape_of_answer_is_read() {
    let sandbox = Sandbox::start().await.unwrap();
    let service = sandbox.bitfactura();
    let client = client(service);
    for shape in [RecordShape::Bare, RecordShape::Wrapped] {
        for deleted in [DeleteAnswer::Ok, DeleteAnswer::Empty, DeleteAnswer::Null, DeleteAnswer::Record] {
            service.configure(|settings| {
                settings.wire.record_shape = shape;
                settings.wire.delete_answer = deleted;
            });
            let made = client.create_client(&NewClient::person("Rojas")).await.unwrap();
            assert_eq!(client.client(made.id).await.unwrap().last_name.as_deref(), Some("Rojas"));
            client.delete_client(made.id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn whatever_is_done_and_not_answered_is_done_once() {
    let faults = [
        Fault::ActThenReset,
        Fault::ActThenClose,
        Fault::ActThenEmpty,
        Fault::ActThenCutBody,
        Fault::ActThenTruncated,
        Fault::ActThenStatus { status: 502, html: true },
        Fault::ActThenStatus { status: 200, html: true },
    ];
    for filter in [Filter::Exact, Filter::Prefix, Filter::Ignored] {
        let sandbox = Sandbox::start().await.unwrap();
        let service = sandbox.bitfactura();
        service.seed(1, 30, 7);
        service.configure(|settings| settings.oid_filter = filter);
        let buyer = service.records(Table::Clients)[0]["id"].as_u64().unwrap();
        let client = client(service);
        for (number, fault) in faults.iter().enumerate() {
            let before = service.created(Table::Invoices);
            service.inject(Endpoint::CreateInvoice, fault.clone());
            let made = client.create_invoice_keyed(&invoice(buyer, &format!("o-{number}"))).await.unwrap();
            assert!(made.was_found(), "{fault:?}");
            assert_eq!(service.created(Table::Invoices), before + 1, "{fault:?}");
            service.inject(Endpoint::CreateInvoice, fault.clone());
            let error = client.create_invoice(&invoice(buyer, &format!("p-{number}"))).await.unwrap_err();
            assert!(error.is_outcome_unknown(), "{fault:?} {error}");
            assert_eq!(service.created(Table::Invoices), before + 2, "{fault:?}");
        }
        for (number, fault) in [Fault::ResetBeforeActing, Fault::CloseBeforeActing].into_iter().enumerate() {
            let before = service.created(Table::Invoices);
            service.inject(Endpoint::CreateInvoice, fault);
            let error =
                client.create_invoice_keyed(&invoice(buyer, &format!("q-{number}"))).await.unwrap_err();
            assert!(error.is_outcome_unknown());
            assert_eq!(service.created(Table::Invoices), before);
            assert!(
                !client
                    .create_invoice_keyed(&invoice(buyer, &format!("q-{number}")))
                    .await
                    .unwrap()
                    .was_found()
            );
        }
    }
}

#[tokio::test]
async fn refusals_and_files_in_the_making_are_told_apart() {
    let sandbox = Sandbox::start().await.unwrap();
    let service = sandbox.bitfactura();
    service.seed(1, 1, 7);
    let buyer = service.records(Table::Clients)[0]["id"].as_u64().unwrap();
    let client = client(service);
    for not_ready in [NotReady::Unprocessable, NotReady::Html, NotReady::Redirect] {
        service.configure(|settings| {
            settings.pdf_not_ready_times = 1;
            settings.pdf_not_ready = not_ready;
            settings.pdf_answer = PdfAnswer::Redirect;
        });
        let made = client.create_invoice(&invoice(buyer, &format!("{not_ready:?}"))).await.unwrap();
        let error = client.invoice_pdf(made.id).write_to(&mut Vec::new()).await.unwrap_err();
        assert!(error.is_not_ready(), "{not_ready:?} {error}");
        assert!(client.invoice_pdf(made.id).write_to(&mut Vec::new()).await.unwrap().length > 0);
    }
    for inside in [ErrorInside::Code, ErrorInside::Status] {
        service.configure(|settings| settings.wire.error_inside = inside);
        service.inject(Endpoint::UpdateClient, Fault::ActThenErrorInside { code: "no".into() });
        let change = ClientFields { city: "x".into(), ..ClientFields::default() };
        assert!(client.update_client(buyer, &change).await.unwrap_err().is_refused(), "{inside:?}");
    }
    service.configure(|settings| settings.wire.no_account = true);
    assert_eq!(client.client(buyer).await.unwrap_err().reason(), Some(sugester::Reason::NoAccount));
}

#[tokio::test]
async fn logins_webhooks_and_other_records() {
    let sandbox = Sandbox::start().await.unwrap();
    let service = sandbox.bitfactura();
    let host = BaseUrl::parse(service.base_url()).unwrap();
    let account = Login::new(service.login(), service.password())
        .integration_token("partner")
        .host(host.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(account.prefix.as_deref(), Some(service.account()));
    assert!(
        Login::new(service.login(), "wrong").integration_token("partner").host(host).send().await.is_err()
    );
    let client = client(service);
    let made = client
        .create_webhook(&NewWebhook::new(WebhookKind::ClientCreate, "http://127.0.0.1:9/x", "echoed"))
        .await
        .unwrap();
    assert!(client.inactive_webhooks().await.unwrap().is_empty());
    client
        .update_webhook(made.id, &WebhookFields { active: false.into(), ..WebhookFields::default() })
        .await
        .unwrap();
    assert_eq!(client.inactive_webhooks().await.unwrap()[0].id, made.id);
    client.delete_webhook(made.id).await.unwrap();
    for resource in [Resource::PRODUCTS, Resource::PAYMENTS] {
        let fields =
            Extra::parse(r#"{"name":"a","price_gross":"1.50","price":"1.50","paid":"true"}"#).unwrap();
        let made = client.create_record(resource, &fields).await.unwrap();
        let change = Extra::parse(r#"{"name":"b"}"#).unwrap();
        client.update_record(resource, made.id, &change).await.unwrap();
        assert_eq!(client.record(resource, made.id).await.unwrap().name.as_deref(), Some("b"));
        assert_eq!(client.records(resource, &[]).all().await.unwrap().len(), 1);
        client.delete_record(resource, made.id).await.unwrap();
    }
}
