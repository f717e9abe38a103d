//! Flows on the simulator, whose state is read back: what really happened there.

use integration_sandbox::sugester::{
    DeleteAnswer, Endpoint, ErrorBody, ListShape, PageSize, ReceiverAnswer, RecordShape, Table,
};
use integration_sandbox::{Fault, Sandbox};
use rust_decimal::Decimal;
use serde_json::json;
use sugester::crm::{
    ClientFields, ContactFields, DealFields, ExternalUpdate, ListQuery, NewClient, NewContact, NewDeal,
    NewPartnerAccount, NewPost, NewStatus, PostFields,
};
use sugester::kinds::{StatusKind, TaskKind};
use sugester::value::{AppKey, Patch};
use sugester::{BaseUrl, Client, ErrorExt, ErrorKind, ManualClock};

fn client(sandbox: &Sandbox) -> Client {
    let service = sandbox.sugester();
    Client::builder()
        .base_url(BaseUrl::parse(service.base_url()).unwrap())
        .token(service.token().parse().unwrap())
        .clock(ManualClock::new())
        .build()
        .unwrap()
}

#[tokio::test]
async fn records_live_from_creation_to_deletion_in_every_shape_of_answer() {
    let sandbox = Sandbox::start().await.unwrap();
    let (client, service) = (client(&sandbox), sandbox.sugester());
    for (record, list, delete, text) in [
        (RecordShape::Bare, ListShape::Bare, DeleteAnswer::Ok, false),
        (RecordShape::Wrapped, ListShape::Plural, DeleteAnswer::Empty, true),
        (RecordShape::Bare, ListShape::Data, DeleteAnswer::Null, true),
        (RecordShape::Wrapped, ListShape::Results, DeleteAnswer::Record, false),
    ] {
        service.configure(|settings| {
            let wire = &mut settings.wire;
            (wire.record_shape, wire.list_shape, wire.delete_answer) = (record, list, delete);
            (wire.scalars_as_text, wire.omits_nulls) = (text, text);
        });
        let fields =
            ClientFields { fax: "1".into(), tax_no: "76.123.456-0".into(), ..ClientFields::default() };
        let fields = fields.with_custom("decimal3".parse().unwrap(), Decimal::new(1990, 2)).unwrap();
        let made = client.create_client(&NewClient::company("Acme SpA").fields(fields)).await.unwrap();
        let change = ClientFields { phone: "2".into(), fax: Patch::Clear, ..ClientFields::default() };
        let changed = client.update_client(made.id, &change).await.unwrap();
        assert_eq!((changed.phone.as_deref(), changed.fax, changed.company), (Some("2"), None, Some(true)));
        assert_eq!(changed.tax_no.as_deref(), Some("76.123.456-0"));
        let custom = changed.extra.scalar("decimal3").unwrap().decimal();
        assert_eq!(custom, Some(Decimal::new(1990, 2)));

        let contact = NewContact::new("Ana Rojas")
            .fields(ContactFields { client_id: made.id.into(), ..ContactFields::default() });
        let contact = client.create_contact(&contact).await.unwrap();
        assert_eq!(client.contact(contact.id).await.unwrap().client_id, Some(made.id));
        let deal = NewDeal::new("Offer").for_client(made.id);
        let deal =
            deal.fields(DealFields { price: Decimal::new(119_000, 2).into(), ..DealFields::default() });
        let deal = client.create_deal(&deal).await.unwrap();
        assert_eq!((deal.client_id, deal.price), (Some(made.id), Some(Decimal::new(119_000, 2))));
        let listed = client.deals(&ListQuery::new()).unwrap().all().await.unwrap();
        assert_eq!(listed.iter().map(|deal| deal.id).collect::<Vec<_>>(), [deal.id]);

        client.delete_deal(deal.id).await.unwrap();
        client.delete_contact(contact.id).await.unwrap();
        client.delete_client(made.id).await.unwrap();
        assert!(client.client(made.id).await.unwrap_err().is_not_found());
        assert!(service.records(Table::Clients).is_empty() && service.records(Table::Deals).is_empty());
    }
}

#[tokio::test]
async fn tickets_are_commented_on_and_the_helpdesk_is_beside_app() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox);
    let ticket = client.create_post(&NewPost::new(TaskKind::Help, "It does not start")).await.unwrap();
    let task = client.create_post(&NewPost::new(TaskKind::Task, "Call back")).await.unwrap();
    let answer = PostFields { content: "Plug it in".into(), ..PostFields::default() };
    let comment = client.create_comment(ticket.id, &answer).await.unwrap();
    assert_eq!((comment.post_id, comment.task_kind), (Some(ticket.id), Some(TaskKind::Comment)));
    assert_eq!(client.post(ticket.id).await.unwrap().comments_cache, Some(1));
    let ids = |posts: Vec<sugester::crm::Post>| posts.iter().map(|post| post.id).collect::<Vec<_>>();
    assert_eq!(
        ids(client.helpdesk(&ListQuery::new()).unwrap().all().await.unwrap()),
        [comment.id, ticket.id]
    );
    assert_eq!(ids(client.tasks(&ListQuery::new()).unwrap().all().await.unwrap()), [task.id]);
}

#[tokio::test]
async fn statuses_are_unique_and_a_partner_gets_another_name_where_one_is_taken() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox);
    let won = client.create_status(&NewStatus::of_deals("won", "Won")).await.unwrap();
    let again = client.create_status(&NewStatus::of_deals("won2", "Won")).await.unwrap_err();
    assert_eq!(again.field_errors()[0].field, "name");
    let all = client.statuses(&StatusKind::Deal, &ListQuery::new()).unwrap().all().await.unwrap();
    assert_eq!((all.len(), client.status(won.id).await.unwrap().name.as_deref()), (1, Some("Won")));
    let wish = NewPartnerAccount::new("acme".parse().unwrap(), "ana", "ana@example.com", "a password");
    let made = client.create_partner_account(&wish).await.unwrap();
    assert_eq!(made.prefix.as_deref(), Some("acme1"));
    assert_eq!(made.api_token.unwrap().prefix().unwrap().as_str(), "acme1");
}

#[tokio::test]
async fn every_client_is_listed_once_whatever_the_service_makes_of_page_and_size() {
    let sandbox = Sandbox::start().await.unwrap();
    let (client, service) = (client(&sandbox), sandbox.sugester());
    service.seed(230, 7);
    for (size, ignores_page, expected) in [
        (PageSize::Honoured, false, 230),
        (PageSize::Fixed25, false, 230),
        (PageSize::Fixed50, false, 230),
        (PageSize::All, true, 230),
        // Nothing can be done about a service that shows but its first page; it must end.
        (PageSize::Fixed25, true, 25),
    ] {
        service.configure(|settings| {
            (settings.wire.page_size, settings.wire.ignores_page) = (size, ignores_page);
        });
        let all = client.clients(&ListQuery::new()).unwrap().all().await.unwrap();
        assert_eq!(all.len(), expected, "{size:?}");
    }
    // Somebody adds clients between two pages.
    service.configure(|settings| settings.wire.page_size = PageSize::Honoured);
    service.configure(|settings| settings.wire.ignores_page = false);
    let mut pages = client.clients(&ListQuery::new()).unwrap();
    let mut ids = Vec::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        ids.extend(page.items.iter().map(|client| client.id));
        service.add(Table::Clients, &json!({"name": "late"})).unwrap();
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() == all && all >= 230);
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_nothing_is_doubled() {
    let app = AppKey::default();
    for fault in [
        Fault::ActThenReset,
        Fault::ActThenClose,
        Fault::ActThenEmpty,
        Fault::ActThenCutBody,
        Fault::ActThenTruncated,
    ] {
        let sandbox = Sandbox::start().await.unwrap();
        let (client, service) = (client(&sandbox), sandbox.sugester());
        service.inject(Endpoint::CreateClient, fault.clone());
        service.inject(Endpoint::CreateDeal, fault);
        let acme = NewClient::company("Acme SpA");
        let made = client.create_client_keyed(&app, 17, &acme).await.unwrap();
        assert!(made.was_found());
        let deal = NewDeal::new("Invoice 1").for_client(made.into_inner().id);
        let first = client.create_deal_keyed(&app, 21, &deal).await.unwrap().into_inner();
        let second = client.create_deal_keyed(&app, 21, &deal).await.unwrap();
        assert!(second.was_found() && second.into_inner().id == first.id);
        assert!(client.create_client_keyed(&app, 17, &acme).await.unwrap().was_found());
        assert_eq!((service.created(Table::Clients), service.created(Table::Deals)), (1, 1));
        let stored = service.record(Table::Deals, first.id).unwrap();
        assert_eq!(stored["external_ids"], json!({"bitfactura": "21"}));
    }
}

#[tokio::test]
async fn a_creation_that_may_not_have_happened_is_told_and_not_repeated() {
    let sandbox = Sandbox::start().await.unwrap();
    let (client, service) = (client(&sandbox), sandbox.sugester());
    service.inject(Endpoint::CreateClient, Fault::CloseBeforeActing);
    let error =
        client.create_client_keyed(&AppKey::default(), 17, &NewClient::company("A")).await.unwrap_err();
    assert!(error.is_outcome_unknown() && error.hint().contains("looks first"), "{error}");
    assert_eq!(service.created(Table::Clients), 0);
    let made = client.create_client_keyed(&AppKey::default(), 17, &NewClient::company("A")).await.unwrap();
    assert!(!made.was_found() && service.created(Table::Clients) == 1);
}

#[tokio::test]
async fn an_account_that_refuses_doubles_says_so_and_try_update_updates() {
    let sandbox = Sandbox::start().await.unwrap();
    let (client, service) = (client(&sandbox), sandbox.sugester());
    service.configure(|settings| settings.wire.refuses_duplicate_tax_no = true);
    let named = |name: &str| {
        let fields = ClientFields { tax_no: "76.123.456-0".into(), ..ClientFields::default() };
        NewClient::company(name).fields(fields)
    };
    let first = client.create_client(&named("A")).await.unwrap();
    let error = client.create_client(&named("B")).await.unwrap_err();
    assert_eq!((error.kind(), error.field_errors()[0].field.as_str()), (ErrorKind::Refused, "tax_no"));
    service.configure(|settings| settings.try_update_by = integration_sandbox::sugester::TryUpdateBy::TaxNo);
    let updated = client.create_client(&named("B").try_update()).await.unwrap();
    assert_eq!((updated.id, updated.name.as_deref()), (first.id, Some("B")));
    for body in [ErrorBody::Html, ErrorBody::Null] {
        service.configure(|settings| settings.wire.error_body = body);
        assert_eq!(client.create_client(&named("C")).await.unwrap_err().kind(), ErrorKind::Refused);
        assert!(client.client(1).await.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn the_receiver_makes_a_client_once_whatever_it_answers() {
    let sandbox = Sandbox::start().await.unwrap();
    let (client, service) = (client(&sandbox), sandbox.sugester());
    let update =
        |name: &str| ExternalUpdate::new(17, ClientFields { name: name.into(), ..ClientFields::default() });
    for answer in [ReceiverAnswer::Record, ReceiverAnswer::Empty, ReceiverAnswer::Ok, ReceiverAnswer::Success]
    {
        service.configure(|settings| settings.receiver_answer = answer);
        client.external_update(&update("Acme")).await.unwrap();
    }
    assert_eq!(service.created(Table::Clients), 1);
    let found = client.client_by_external_id(&AppKey::default(), 17).await.unwrap().unwrap();
    assert_eq!(found.name.as_deref(), Some("Acme"));
    service.configure(|settings| settings.no_receiver = true);
    assert!(client.external_update(&update("B")).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn two_calls_at_once_are_the_most() {
    let sandbox = Sandbox::start().await.unwrap();
    let (client, service) = (client(&sandbox), sandbox.sugester());
    let id = service.add(Table::Clients, &json!({"name": "A"})).unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.client(id).await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(service.peak_in_flight() <= 2, "{}", service.peak_in_flight());
}

#[tokio::test]
async fn a_revoked_token_is_final_and_shown_nowhere() {
    let sandbox = Sandbox::start().await.unwrap();
    let (client, service) = (client(&sandbox), sandbox.sugester());
    service.revoke_token(service.token());
    for error in [
        client.check_connection().await.unwrap_err(),
        client.create_client(&NewClient::company("A")).await.unwrap_err(),
        client.delete_client(7).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Authentication, 1));
        let secret = service.token().rsplit_once('/').unwrap().0;
        let shown = format!("{error} {error:?} {} {}", error.report(), error.support_summary());
        assert!(!shown.contains(secret), "{shown}");
    }
}
