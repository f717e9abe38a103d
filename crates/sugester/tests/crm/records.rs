//! Contract 3.1 to 3.3: each call of each resource, what it sends and what it makes of the answer.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use sugester::crm::{
    ClientFields, ContactFields, ContactListFields, CustomField, DealFields, ExternalUpdate, ListQuery,
    NewClient, NewContact, NewDeal, NewPartnerAccount, NewPost, NewStatus, PostFields,
};
use sugester::kinds::{ClientKind, PostKind, StatusKind, TaskKind};
use sugester::value::{AppKey, ExternalIds, Linked, Patch};
use sugester::{ErrorExt, ErrorKind, Outcome};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer};

use crate::rig::*;
use crate::support::{PLANTED, TOKEN, ok, requests, script};

/// Everything is answered: lists with one record, `DELETE` with `"ok"`, the rest with a record.
async fn obliging() -> MockServer {
    let server = MockServer::start().await;
    let list = Mock::given(method("GET")).and(path_regex(r"^/app(/[a-z_]+)?\.json$"));
    list.respond_with(ok(json!([{"id": 7}]))).mount(&server).await;
    let one = Mock::given(method("GET")).and(path_regex(r"^/app/[a-z_]+/\d+\.json$"));
    one.respond_with(ok(json!({"id": 7}))).mount(&server).await;
    for verb in ["POST", "PUT"] {
        Mock::given(method(verb)).respond_with(ok(json!({"id": 7}))).mount(&server).await;
    }
    Mock::given(method("DELETE")).respond_with(ok(json!("ok"))).mount(&server).await;
    server
}

#[tokio::test]
async fn every_row_of_the_table_has_its_method_path_and_place_of_the_token() {
    let server = obliging().await;
    let client = client(&server);
    let all = ListQuery::new();
    client.clients(&all).unwrap().all().await.unwrap();
    client.client(7).await.unwrap();
    client.create_client(&NewClient::company("A")).await.unwrap();
    client.update_client(7, &ClientFields { name: "B".into(), ..ClientFields::default() }).await.unwrap();
    client.delete_client(7).await.unwrap();
    client.contacts(&all).unwrap().all().await.unwrap();
    client.contact(7).await.unwrap();
    client.create_contact(&NewContact::new("A")).await.unwrap();
    client
        .update_contact(7, &ContactFields { note: Patch::Clear, ..ContactFields::default() })
        .await
        .unwrap();
    client.delete_contact(7).await.unwrap();
    client.deals(&all).unwrap().all().await.unwrap();
    client.deal(7).await.unwrap();
    client.create_deal(&NewDeal::new("A")).await.unwrap();
    client.update_deal(7, &DealFields { paid: true.into(), ..DealFields::default() }).await.unwrap();
    client.delete_deal(7).await.unwrap();
    client.helpdesk(&all).unwrap().all().await.unwrap();
    client.tasks(&all).unwrap().all().await.unwrap();
    client.post(7).await.unwrap();
    client.create_post(&NewPost::new(TaskKind::Task, "A")).await.unwrap();
    client.contact_list(7).await.unwrap();
    client.create_contact_list("A").await.unwrap();
    client
        .update_contact_list(7, &ContactListFields { name: "B".into(), ..ContactListFields::default() })
        .await
        .unwrap();
    client.statuses(&StatusKind::Deal, &all).unwrap().all().await.unwrap();
    client.status(7).await.unwrap();
    client.create_status(&NewStatus::of_deals("won", "Won")).await.unwrap();
    client
        .create_partner_account(&NewPartnerAccount::new("new".parse().unwrap(), "a", "a@b.c", "p"))
        .await
        .unwrap();
    client.external_update(&ExternalUpdate::new(17, ClientFields::default())).await.unwrap();
    client.check_connection().await.unwrap();
    // A list is over when a page brings nothing new, so each is asked for twice.
    let list = |name: &str| [1, 2].map(|page| format!("GET /app{name}.json page={page}&per_page=100"));
    let crud = |name: &str| {
        let rest = [
            format!("GET /app{name}/7.json"),
            format!("POST /app{name}.json"),
            format!("PUT /app{name}/7.json"),
            format!("DELETE /app{name}/7.json"),
        ];
        list(name).into_iter().chain(rest).collect::<Vec<_>>()
    };
    let mut expected = [crud("/clients"), crud("/contacts"), crud("/deals")].concat();
    expected.extend(list(""));
    expected.extend(list("/tasks"));
    expected.extend(["GET /app/posts/7.json", "POST /app/posts.json"].map(str::to_owned));
    expected.extend(
        ["GET /app/contact_lists/7.json", "POST /app/contact_lists.json", "PUT /app/contact_lists/7.json"]
            .map(str::to_owned),
    );
    expected.extend([1, 2].map(|page| format!("GET /app/statuses.json kind=deal&page={page}&per_page=100")));
    expected.extend(
        [
            "GET /app/statuses/7.json",
            "POST /app/statuses.json",
            "POST /app/account.json",
            "POST /app/clients/external_update.json",
            "GET /app/clients.json page=1&per_page=1",
        ]
        .map(str::to_owned),
    );
    assert_eq!(lines(&server).await, expected);
    for request in requests(&server).await {
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["accept"], "application/json");
        assert!(request.headers.get("authorization").is_none());
    }
}

#[tokio::test]
async fn a_client_is_read_with_exact_amounts_custom_fields_and_what_is_unknown() {
    // Shapes of contract 3.2 and 3.9: numbers as text, custom fields, an unknown field, a secret, digests of a password.
    let body = r#"{"id":"7","company":"1","kind":"from_the_future","name":"Acme SpA","email":"a@b.c, d@e.f",
        "external_ids":{"BitFactura_client_id":17,"shop":"x-1"},"paid_total":1234567.10,"discount":"5,5",
        "string3":"Araucanía","decimal1":0.10,"decimal2":"59,00","checkbox1":"yes","date1":null,
        "avatar_file_name":"a.png","loyalty":1.230,"token":"public-view-secret","password_hash":"digest",
        "updated_at":"2024-11-08T10:00:00.123+01:00","last_activity":"","status_id":"3","posts_count":"4"}"#;
    for body in [body.to_owned(), format!("{{\"client\":{body}}}")] {
        let (_server, client) = served("GET", "/app/clients/7.json", text(200, &body)).await;
        let read = client.client(7).await.unwrap();
        assert_eq!(
            (read.id, read.company, read.status_id, read.posts_count),
            (7, Some(true), Some(3), Some(4))
        );
        assert_eq!(read.kind.as_ref().map(ClientKind::as_str), Some("from_the_future"));
        assert_eq!(read.paid_total.as_deref(), Some("1234567.10"));
        assert_eq!(read.external_ids.ids(&AppKey::default(), Linked::Client), ["17"]);
        let custom = |name: &str| read.custom(name.parse::<CustomField>().unwrap());
        assert_eq!(custom("string3").unwrap().text().as_deref(), Some("Araucanía"));
        assert_eq!(custom("decimal1").unwrap().decimal().unwrap().to_string(), "0.10");
        assert_eq!(custom("decimal2").unwrap().decimal().unwrap(), Decimal::new(5900, 2));
        assert_eq!(custom("checkbox1").unwrap().boolean(), Some(true));
        assert!(custom("date1").unwrap().is_blank() && custom("text10").is_none());
        assert_eq!(
            (read.extra.get("loyalty"), read.extra.get("avatar_file_name")),
            (Some("1.230"), Some("\"a.png\""))
        );
        assert_eq!(read.updated_at.unwrap().timestamp().unwrap().to_string(), "2024-11-08T09:00:00.123Z");
        assert!(read.last_activity.is_none());
        let again = client.client(7).await.unwrap();
        let (printed, written) = (format!("{again:?} {again:#?}"), serde_json::to_string(&again).unwrap());
        assert!(!printed.contains("public-view-secret") && !printed.contains("digest"));
        assert!(
            written.contains(r#""decimal1":0.10"#)
                && written.contains(r#""loyalty":1.230"#)
                && !written.contains("digest")
        );
    }
}

#[tokio::test]
async fn a_new_client_says_what_it_is_and_nothing_that_was_not_asked_for() {
    let server = obliging().await;
    let client = client(&server);
    client.create_client(&NewClient::company("Acme SpA")).await.unwrap();
    assert_eq!(sent(&server).await, json!({"client": {"name": "Acme SpA", "company": true}}));
    let fields = ClientFields {
        first_name: "Ana".into(),
        discount: Decimal::new(550, 2).into(),
        kind: ClientKind::Buyer.into(),
        external_ids: ExternalIds::of(&AppKey::default(), Linked::Client, 17).into(),
        skip_webhooks: true.into(),
        ..ClientFields::default()
    };
    let ana =
        NewClient::person("Rojas").fields(fields).try_update().origin("form").url("https://example.com");
    client.create_client(&ana).await.unwrap();
    let expected = json!({"client": {
        "last_name": "Rojas", "company": false, "first_name": "Ana", "discount": "5.50", "kind": "buyer",
        "external_ids": {"bitfactura": "17"}, "skip_webhooks": true, "try_update": true, "origin": "form", "url": "https://example.com",
    }});
    assert_eq!(sent(&server).await, expected);
}

#[tokio::test]
async fn an_update_sends_what_is_set_or_cleared_and_nothing_else() {
    let server = obliging().await;
    let client = client(&server);
    let change = ClientFields { phone: "1".into(), fax: Patch::Clear, ..ClientFields::default() };
    let change = change.with_custom("decimal2".parse().unwrap(), Decimal::new(100, 2)).unwrap();
    client.update_client(7, &change.without_custom("date1".parse().unwrap())).await.unwrap();
    assert_eq!(
        sent(&server).await,
        json!({"client": {"phone": "1", "fax": null, "decimal2": "1.00", "date1": null}})
    );
    client.update_deal(7, &DealFields { client_id: Patch::Clear, ..DealFields::default() }).await.unwrap();
    assert_eq!(sent(&server).await, json!({"deal": {"client_id": null}}));
    client
        .update_contact(7, &ContactFields { client_id: 9.into(), ..ContactFields::default() })
        .await
        .unwrap();
    assert_eq!(sent(&server).await, json!({"contact": {"client_id": 9}}));
    // What is unknown is sent back unchanged, if that is asked for.
    let (other, reader) =
        served("GET", "/app/clients/7.json", text(200, r#"{"id":7,"loyalty":1.230}"#)).await;
    let extra = reader.client(7).await.unwrap().extra;
    client.update_client(7, &ClientFields { extra, ..ClientFields::default() }).await.unwrap();
    assert!(sent_text(&server).await.contains(r#""client":{"loyalty":1.230}"#));
    drop(other);
}

#[tokio::test]
async fn the_price_of_a_deal_is_a_number_digit_for_digit_and_its_client_may_be_nested() {
    let server = obliging().await;
    let client = client(&server);
    let fields = DealFields {
        price: "100000000000.10".parse::<Decimal>().unwrap().into(),
        skip_webhooks: true.into(),
        ..DealFields::default()
    };
    client.create_deal(&NewDeal::new("A").for_client(17).fields(fields.clone())).await.unwrap();
    assert!(sent_text(&server).await.contains(r#""price":100000000000.10,"#));
    let body = sent(&server).await;
    assert_eq!((&body["deal"]["client_id"], &body["deal"]["skip_webhooks"]), (&json!(17), &json!(true)));
    client.update_deal(7, &fields).await.unwrap();
    assert!(sent_text(&server).await.contains(r#""price":100000000000.10,"#));
    let nested = ClientFields { name: "Acme".into(), email: "a@b.c".into(), ..ClientFields::default() };
    let deal = NewDeal::new("A").with_client(ClientFields {
        external_ids: ExternalIds::of(&"myapp".parse().unwrap(), Linked::Client, 17).into(),
        ..nested
    });
    client.create_deal(&deal).await.unwrap();
    let expected = json!({"name": "Acme", "email": "a@b.c", "external_ids": {"myapp": "17"}});
    assert_eq!(sent(&server).await, json!({"deal": {"name": "A", "client": expected}}));
}

#[tokio::test]
async fn a_deal_is_read_in_each_form_of_its_amount() {
    for (price, expected) in
        [("339.99", "339.99"), ("\"59,00\"", "59.00"), ("0.10", "0.10"), ("\"\"", "-"), ("null", "-")]
    {
        let body = format!(
            r#"{{"id":7,"price":{price},"client_id":null,"external_ids":null,"paid":0,"date":"2024-05-31"}}"#
        );
        let (_server, client) = served("GET", "/app/deals/7.json", text(200, &body)).await;
        let deal = client.deal(7).await.unwrap();
        assert_eq!(deal.price.map_or("-".to_owned(), |price| price.to_string()), expected);
        assert_eq!((deal.client_id, deal.paid, deal.external_ids.is_empty()), (None, Some(false), true));
        assert_eq!(deal.date.unwrap().date(), Some(jiff::civil::date(2024, 5, 31)));
    }
    let (_server, client) =
        served("GET", "/app/deals/7.json", text(200, r#"{"id":7,"price":"a lot"}"#)).await;
    let error = client.deal(7).await.unwrap_err();
    assert!(error.kind() == ErrorKind::UnexpectedAnswer && error.to_string().contains("price"), "{error}");
}

#[tokio::test]
async fn posts_and_comments_are_created_with_their_kinds() {
    let server = obliging().await;
    let client = client(&server);
    let fields = PostFields {
        kind: PostKind::Question.into(),
        client_id: Patch::Clear,
        tags: vec!["a".to_owned()].into(),
        ..PostFields::default()
    };
    client.create_post(&NewPost::new(TaskKind::Help, "Title").fields(fields)).await.unwrap();
    let expected =
        json!({"task_kind": "help", "title": "Title", "kind": "question", "client_id": null, "tags": ["a"]});
    assert_eq!(sent(&server).await, json!({"post": expected}));
    client.create_comment(7, &PostFields { content: "Yes".into(), ..PostFields::default() }).await.unwrap();
    assert_eq!(
        sent(&server).await,
        json!({"post": {"post_id": 7, "task_kind": "comment", "content": "Yes"}})
    );
    let body = json!({"id": 8, "post_id": 7, "task_kind": "comment", "tags": "a", "abstract": "short", "comments_cache": "2", "private": true});
    let (_server, client) = served("GET", "/app/posts/8.json", ok(body)).await;
    let post = client.post(8).await.unwrap();
    assert_eq!(
        (post.post_id, post.task_kind.as_ref(), post.comments_cache),
        (Some(7), Some(&TaskKind::Comment), Some(2))
    );
    assert_eq!((post.summary().as_deref(), post.tags), (Some("short"), Some(vec!["a".to_owned()])));
}

#[tokio::test]
async fn lists_statuses_and_accounts_send_their_wrappers() {
    let server = obliging().await;
    let client = client(&server);
    client.create_contact_list("News").await.unwrap();
    assert_eq!(sent(&server).await, json!({"contact_list": {"name": "News"}}));
    client.create_status(&NewStatus::of_deals("won", "Won")).await.unwrap();
    assert_eq!(sent(&server).await, json!({"status": {"code": "won", "name": "Won", "kind": "deal"}}));
    let answer = json!({"id": 3, "prefix": "new1", "api_token": "given-secret/new1", "url": "https://new1.sugester.pl", "plan": "free"});
    let (server, client) = served("POST", "/app/account.json", ok(answer)).await;
    let account = NewPartnerAccount::new("new".parse().unwrap(), "ana", "a@b.c", "planted-password")
        .initial_module("crm")
        .from_partner("p1");
    let made = client.create_partner_account(&account).await.unwrap();
    let expected = json!({
        "account": {"prefix": "new", "initial_module": "crm", "from_partner": "p1"},
        "user": {"login": "ana", "email": "a@b.c", "password": "planted-password"},
    });
    assert_eq!(sent(&server).await, expected);
    assert_eq!((made.prefix.as_deref(), made.extra.get("plan")), (Some("new1"), Some("\"free\"")));
    assert_eq!(made.api_token.as_ref().unwrap().secret().reveal(), "given-secret/new1");
    assert!(
        !format!("{made:?} {account:?}").contains("secret") && !format!("{account:?}").contains("planted")
    );
}

#[tokio::test]
async fn a_client_is_pushed_in_the_captured_form_to_a_path_that_can_be_set() {
    let server = obliging().await;
    let fields = ClientFields {
        name: "Acme".into(),
        company: true.into(),
        discount: Decimal::new(50, 1).into(),
        ..ClientFields::default()
    };
    client(&server).external_update(&ExternalUpdate::new(17, fields.clone())).await.unwrap();
    let inner = json!({"name": "Acme", "company": true, "discount": "5.0", "id": 17, "external_ids": {"bitfactura": 17}, "skip_webhooks": true});
    assert_eq!(
        sent(&server).await,
        json!({"app_name": "bitfactura", "locale": "es", "client_id": 17, "client": inner})
    );
    let other = builder(&server).receiver_path("/app/deals/elsewhere.json").build().unwrap();
    let update = ExternalUpdate::new(17, fields).app("myapp".parse().unwrap()).app_name("MyApp").locale("pl");
    other.external_update(&update).await.unwrap();
    assert_eq!(lines(&server).await[1], "POST /app/deals/elsewhere.json");
    let body = sent(&server).await;
    assert_eq!(
        (&body["app_name"], &body["locale"], &body["client"]["external_ids"]),
        (&json!("MyApp"), &json!("pl"), &json!({"myapp": 17}))
    );
    for (answer, good) in [
        (text(200, ""), true),
        (text(204, ""), true),
        (ok(json!("ok")), true),
        (ok(json!({"id": 5})), true),
        (ok(json!({"code": "success", "message": "ok"})), true),
        (ok(json!({"code": "error", "message": "no"})), false),
        (text(200, "<html>log in</html>"), false),
        (text(404, ""), false),
    ] {
        let (_server, client) = served("POST", "/app/clients/external_update.json", answer).await;
        let pushed = client.external_update(&ExternalUpdate::new(17, ClientFields::default())).await;
        assert_eq!(pushed.is_ok(), good, "{pushed:?}");
    }
}

#[tokio::test]
async fn a_delete_may_answer_anything_that_is_no_error() {
    for (answer, good) in [
        (ok(json!("ok")), true),
        (text(200, ""), true),
        (text(204, ""), true),
        (ok(Value::Null), true),
        (ok(json!({"id": 7, "status": "error"})), true),
        (ok(json!({"status": "error", "message": "no"})), false),
        (ok(json!("no")), false),
        (text(200, "<html>"), false),
        (text(404, "null"), false),
    ] {
        let (_server, client) = served("DELETE", "/app/deals/7.json", answer).await;
        let deleted = client.delete_deal(7).await;
        assert_eq!(deleted.is_ok(), good, "{deleted:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_locally_is_listed_at_once_and_nothing_is_sent() {
    let server = obliging().await;
    let client = client(&server);
    let nothing = |error: sugester::Error, paths: &[&str]| {
        let found: Vec<_> = error.faults().iter().map(sugester::Fault::path).collect();
        assert!(error.is_validation() && error.is_not_sent(), "{error}");
        assert_eq!(found, paths, "{error}");
    };
    nothing(client.create_client(&NewClient::company(" ")).await.unwrap_err(), &["client.name"]);
    nothing(client.create_client(&NewClient::person("")).await.unwrap_err(), &["client.last_name"]);
    nothing(client.update_client(7, &ClientFields::default()).await.unwrap_err(), &["*"]);
    nothing(client.create_contact(&NewContact::new("")).await.unwrap_err(), &["contact.name"]);
    let both = NewDeal::new("").for_client(1).with_client(ClientFields::default());
    nothing(client.create_deal(&both).await.unwrap_err(), &["deal.name", "deal.client", "deal.client"]);
    nothing(
        client.create_post(&NewPost::new(TaskKind::Comment, "")).await.unwrap_err(),
        &["post.title", "post.task_kind"],
    );
    nothing(
        client.create_comment(0, &PostFields::default()).await.unwrap_err(),
        &["post.post_id", "post.content"],
    );
    nothing(
        client.create_status(&NewStatus::of_deals("", " ")).await.unwrap_err(),
        &["status.code", "status.name"],
    );
    let account = NewPartnerAccount::new("a".parse().unwrap(), "", "", "");
    nothing(
        client.create_partner_account(&account).await.unwrap_err(),
        &["user.login", "user.email", "user.password"],
    );
    nothing(client.client(0).await.unwrap_err(), &["id"]);
    nothing(client.delete_deal(0).await.unwrap_err(), &["id"]);
    let bad = ListQuery::new().per_page(101).starting_at(0).filter("api_token", "x").filter("page", "3");
    nothing(client.clients(&bad).unwrap_err(), &["per_page", "page", "api_token", "page"]);
    assert!(requests(&server).await.is_empty());
}

// ---- 3.3 and 4.7: lists ------------------------------------------------------------------------------------------------

fn page(ids: impl IntoIterator<Item = u64>) -> Value {
    ids.into_iter().map(|id| json!({"id": id})).collect()
}

async fn listed(pages: Vec<Value>) -> (Result<Vec<u64>, sugester::Error>, usize) {
    let server = MockServer::start().await;
    script(&server, "GET", "/app/deals.json", pages.into_iter().map(ok).collect()).await;
    let all = client(&server).deals(&ListQuery::new()).unwrap().all().await;
    (all.map(|deals| deals.iter().map(|deal| deal.id).collect()), requests(&server).await.len())
}

#[tokio::test]
async fn a_short_page_does_not_end_a_list_but_an_empty_one_or_one_without_news_does() {
    // A service that gives 10 a page whatever is asked.
    let (all, asked) = listed(vec![page(1..=10), page(11..=20), page(21..=23), page([])]).await;
    assert_eq!((all.unwrap(), asked), ((1..=23).collect(), 4));
    // A service that ignores the page's number.
    let (all, asked) = listed(vec![page(1..=10), page(1..=10)]).await;
    assert_eq!((all.unwrap(), asked), ((1..=10).collect(), 2));
    // One that moves while it is read.
    let (all, asked) = listed(vec![page([3, 2]), page([2, 1]), page([1])]).await;
    assert_eq!((all.unwrap(), asked), (vec![3, 2, 1], 3));
    let (all, asked) = listed(vec![Value::Null]).await;
    assert_eq!((all.unwrap(), asked), (vec![], 1));
}

#[tokio::test]
async fn a_list_is_bare_or_under_one_of_three_names_and_nothing_else() {
    for wrapped in [
        json!({"data": [{"id": 1}]}),
        json!({"results": [{"id": 1}]}),
        json!({"deals": [{"deal": {"id": 1}}]}),
    ] {
        assert_eq!(listed(vec![wrapped]).await.0.unwrap(), [1]);
    }
    for bad in [json!({}), json!("ok"), json!({"id": 1}), json!([{"name": "no id"}]), json!({"clients": []})]
    {
        let error = listed(vec![bad.clone()]).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedAnswer, "{bad}");
    }
}

#[tokio::test]
async fn a_thousand_pages_are_the_most_and_what_was_read_is_kept() {
    struct Endless(std::sync::atomic::AtomicU64);
    impl wiremock::Respond for Endless {
        fn respond(&self, _: &wiremock::Request) -> wiremock::ResponseTemplate {
            ok(page([self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1]))
        }
    }
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(Endless(0.into())).mount(&server).await;
    let mut read = Vec::new();
    let error = client(&server).tasks(&ListQuery::new()).unwrap().read_into(&mut read).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), read.len()), (ErrorKind::TooLarge, Outcome::ReadOnly, 1000));
}

#[tokio::test]
async fn filters_and_sizes_go_into_the_query() {
    let server = obliging().await;
    let client = builder(&server).per_page(40).build().unwrap();
    client.deals(&ListQuery::new().filter("client_id", "17")).unwrap().next_page().await.unwrap();
    client.deals(&ListQuery::new().per_page(5).starting_at(3)).unwrap().next_page().await.unwrap();
    assert_eq!(
        lines(&server).await,
        ["GET /app/deals.json client_id=17&page=1&per_page=40", "GET /app/deals.json page=3&per_page=5"]
    );
}

// ---- 4.9, 5 and trap 12: finding by an id of another system ------------------------------------------------------------

#[tokio::test]
async fn an_id_of_another_system_finds_one_record_or_is_reported() {
    let app = AppKey::default();
    let linked = |id: u64, ids: Value| json!({"id": id, "external_ids": ids});
    for (records, expected) in [
        (
            json!([linked(1, json!({"bitfactura": "17"})), linked(2, json!({"bitfactura": "171"}))]),
            Ok(Some(1)),
        ),
        (json!([linked(1, json!({"BitFactura_client_id": 17}))]), Ok(Some(1))),
        (json!([linked(1, json!({"bitfactura_invoice_id": 17})), linked(2, json!({"other": 17}))]), Ok(None)),
        (json!([]), Ok(None)),
        (
            json!([linked(1, json!({"bitfactura": 17})), linked(2, json!({"bitfactura": "17"}))]),
            Err(["1", "2"]),
        ),
        (json!([linked(1, json!({"bitfactura": 17, "BITFACTURA": 18}))]), Err(["1", "beside"])),
    ] {
        let (_server, client) = served("GET", "/app/clients.json", ok(records.clone())).await;
        match (client.client_by_external_id(&app, 17).await, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.map(|client| client.id), expected, "{records}"),
            (Err(error), Err(words)) => {
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::ReadOnly));
                assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
            }
            (found, _) => panic!("{records}: {found:?}"),
        }
    }
    // What could not be read is never "not there".
    let server = MockServer::start().await;
    script(&server, "GET", "/app/clients.json", vec![ok(page([1])), text(500, "")]).await;
    assert_eq!(
        client(&server).client_by_external_id(&app, 17).await.unwrap_err().kind(),
        ErrorKind::UnexpectedStatus
    );
}

// ---- 3.3 and 3.7: errors -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_shape_of_refusal_is_found_and_no_error_shows_the_token() {
    // The service repeats the address with the token (trap 7), in both spellings, and its part.
    let echo = format!("/app/clients.json?api_token={ENCODED} {TOKEN} {PLANTED}");
    let table = [
        (
            422,
            json!({"code": "error", "message": {"tax_no": ["- has already been taken"], "x": [echo]}}),
            ErrorKind::Refused,
        ),
        (
            422,
            json!({"code": "error", "message": format!("No such account {echo}")}),
            ErrorKind::Configuration,
        ),
        (401, json!({"code": "error", "message": echo}), ErrorKind::Authentication),
        (403, json!({"error": echo}), ErrorKind::Forbidden),
        (404, json!({"code": "error", "message": "Not found", "path": echo}), ErrorKind::NotFound),
        (409, json!([echo]), ErrorKind::Conflict),
        (429, json!({"message": echo}), ErrorKind::RateLimited),
        (500, json!(echo), ErrorKind::UnexpectedStatus),
        (200, json!({"code": "error", "message": echo}), ErrorKind::Refused),
        (201, json!({"status": "error", "message": [echo]}), ErrorKind::Refused),
        (200, json!({"errors": {"name": echo}}), ErrorKind::Refused),
        (200, json!(null), ErrorKind::UnexpectedAnswer),
        (200, json!({"name": echo}), ErrorKind::UnexpectedAnswer),
        (200, json!([echo]), ErrorKind::UnexpectedAnswer),
    ];
    for (status, body, kind) in table {
        let answer = wiremock::ResponseTemplate::new(status).set_body_json(&body);
        let (server, client) = served("POST", "/app/clients.json", answer).await;
        let error = client.create_client(&NewClient::company("A")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
        shown(&error);
        assert_eq!(requests(&server).await.len(), 1, "{status} {body}");
        // Doubt about a write is said.
        assert_eq!(
            error.is_outcome_unknown(),
            status >= 500 || kind == ErrorKind::UnexpectedAnswer,
            "{error}"
        );
    }
    let html = format!("<html>{echo}</html>");
    for status in [200, 401, 422, 502] {
        let (_server, client) = served("GET", "/app/clients.json", text(status, &html)).await;
        shown(&client.check_connection().await.unwrap_err());
    }
}

#[tokio::test]
async fn a_refusal_of_fields_names_them() {
    let body = json!({"code": "error", "message": {"tax_no": ["- has already been taken"]}});
    let (_server, client) =
        served("POST", "/app/clients.json", wiremock::ResponseTemplate::new(422).set_body_json(body)).await;
    let error = client.create_client(&NewClient::company("A")).await.unwrap_err();
    assert_eq!(
        (error.field_errors()[0].field.as_str(), error.field_errors()[0].messages[0].as_str()),
        ("tax_no", "has already been taken")
    );
    assert!(error.is_refused() && !error.is_outcome_unknown());
}

#[tokio::test]
async fn the_connection_check_wants_a_list_and_nothing_else() {
    for (answer, good) in [
        (ok(json!([])), true),
        (ok(json!([{"id": 1}])), true),
        (ok(json!({"data": []})), false),
        (ok(json!({"id": 1})), false),
        (ok(Value::Null), false),
        (ok(json!("ok")), false),
        (text(200, ""), false),
        (text(200, "<html>"), false),
    ] {
        let (_server, client) = served("GET", "/app/clients.json", answer).await;
        assert_eq!(client.check_connection().await.is_ok(), good);
    }
}
