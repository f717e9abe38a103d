//! Sugester: sections 3.1 to 3.3, 2.2 and 4.4 of the contract.

use integration_sandbox::sugester::{
    DeleteAnswer, ErrorBody, ExternalIds, ListShape, PageSize, ReceiverAnswer, RecordShape, Table,
    TokenPlace, TryUpdateBy,
};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn records_are_created_unwrapped_listed_bare_changed_and_deleted() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    for (path, wrapper) in [("clients", "client"), ("contacts", "contact"), ("deals", "deal")] {
        let list = format!("/app/{path}.json");
        let made =
            crm(sugester, "POST", &list, json!({ wrapper: { "name": "Uno", "description": "d" } })).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let id = made.json()["id"].as_u64().unwrap();
        let one = format!("/app/{path}/{id}.json");
        let changed = crm(sugester, "PUT", &one, json!({ wrapper: { "name": "Dos" } })).await.json();
        assert_eq!((&changed["name"], &changed["description"]), (&json!("Dos"), &json!("d")));
        assert_eq!(crm(sugester, "GET", &one, Value::Null).await.json()["name"], "Dos");
        assert_eq!(ids(&crm(sugester, "GET", &list, Value::Null).await), [id]);
        assert_eq!(crm(sugester, "DELETE", &one, Value::Null).await.json(), "ok");
        assert_eq!(crm(sugester, "GET", &one, Value::Null).await.status, 404);
        assert_eq!(crm(sugester, "PUT", &one, json!({ wrapper: {} })).await.status, 404);
        assert!(ids(&crm(sugester, "GET", &list, Value::Null).await).is_empty());
        assert_eq!(crm(sugester, "POST", &list, json!({ "name": "no wrapper" })).await.status, 422);
    }
    assert_eq!(sugester.created(Table::Clients), 1);
}

#[tokio::test]
async fn tokens_are_checked_whole_and_in_their_place() {
    let sandbox = start().await;
    let (sugester, bitfactura) = (sandbox.sugester(), sandbox.bitfactura());
    let (secret, prefix) = sugester.token().rsplit_once('/').unwrap();
    assert_eq!(prefix, "acme");
    let get =
        async |token: &str| call(sugester.base_url(), token, "GET", "/app/clients.json", Value::Null).await;
    let wrong = get("wrong/acme").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("/app/clients.json?api_token=wrong%2Facme"), "{}", wrong.text());
    assert_eq!(get(secret).await.status, 401);
    assert_eq!(get(&format!("{secret}/other")).await.status, 401);
    assert_eq!(get(&format!("{secret}/acme")).await.status, 200);
    sugester.add_token("plain");
    assert_eq!(get("plain").await.status, 200);
    sugester.revoke_token("plain");
    assert_eq!(get("plain").await.status, 401);
    let rules: Vec<_> = sugester.requests().into_iter().map(|request| request.rule).collect();
    let rule = |text: &str| Some(text.to_owned());
    assert_eq!(rules[..4], [rule("token"), rule("token_prefix"), rule("token_prefix"), None]);

    let escaped = sugester.token().replace('/', "%2F");
    let path = format!("/app/clients.json?api_token={escaped}");
    let misplaced = send(sugester.base_url(), "POST", &path, JSON, b"{\"client\":{\"name\":\"x\"}}").await;
    assert_eq!(misplaced.status, 401);
    let last = sugester.requests().pop().unwrap();
    assert_eq!((last.rule, last.token_in), (rule("token_place"), Some(TokenPlace::Query)));
    assert!(!last.query.contains(secret) && !sugester.requests().iter().any(|one| one.body.contains(secret)));
    let not_json = format!("{{\"api_token\":\"{}\",\"client\":{{}}}}", sugester.token());
    let plain = send(sugester.base_url(), "POST", "/app/clients.json", "", not_json.as_bytes()).await;
    assert_eq!(plain.status, 401);

    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let header = bearer(sugester.token());
    assert_eq!(send(sugester.base_url(), "GET", "/app/clients.json", &header, b"").await.status, 401);
    let header = bearer(bitfactura.token());
    assert_eq!(send(bitfactura.base_url(), "GET", "/clients.json", &header, b"").await.status, 200);
}

#[tokio::test]
async fn the_helpdesk_list_is_beside_app() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let post = async |fields: Value| {
        let made = crm(sugester, "POST", "/app/posts.json", json!({ "post": fields })).await;
        (made.status, made.json()["id"].as_u64().unwrap_or(0))
    };
    let (_, ticket) = post(json!({ "title": "t", "task_kind": "help" })).await;
    let (_, task) = post(json!({ "title": "t", "task_kind": "task" })).await;
    let (status, comment) = post(json!({ "content": "c", "task_kind": "comment", "post_id": ticket })).await;
    assert_eq!(status, 201);
    assert_eq!(post(json!({ "content": "c", "task_kind": "comment" })).await.0, 422);
    assert_eq!(post(json!({ "content": "c", "task_kind": "comment", "post_id": 1 })).await.0, 404);
    assert_eq!(ids(&crm(sugester, "GET", "/app.json", Value::Null).await), [comment, ticket]);
    assert_eq!(ids(&crm(sugester, "GET", "/app/tasks.json", Value::Null).await), [task]);
    assert_eq!(crm(sugester, "GET", "/app/app.json", Value::Null).await.status, 404);
    let shown = crm(sugester, "GET", &format!("/app/posts/{ticket}.json"), Value::Null).await.json();
    assert_eq!(shown["comments_cache"], 1);
}

#[tokio::test]
async fn lists_statuses_and_accounts() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let list =
        crm(sugester, "POST", "/app/contact_lists.json", json!({ "contact_list": { "name": "A" } })).await;
    let path = format!("/app/contact_lists/{}.json", list.json()["id"]);
    crm(sugester, "PUT", &path, json!({ "contact_list": { "name": "B" } })).await;
    assert_eq!(crm(sugester, "GET", &path, Value::Null).await.json()["name"], "B");

    let status = json!({ "status": { "code": "new", "name": "Nuevo", "kind": "deal" } });
    assert_eq!(crm(sugester, "POST", "/app/statuses.json", status.clone()).await.status, 201);
    let again = crm(sugester, "POST", "/app/statuses.json", status).await;
    assert_eq!(again.status, 422);
    assert_eq!(again.json(), json!({ "code": "error", "message": { "name": ["- has already been taken"] } }));
    let of = async |kind: &str| {
        ids(&crm(sugester, "GET", &format!("/app/statuses.json?kind={kind}"), Value::Null).await).len()
    };
    assert_eq!((of("deal").await, of("post").await), (1, 0));

    let wish =
        json!({ "account": { "prefix": "acme" }, "user": { "login": "l", "email": "e", "password": "p" } });
    let made = crm(sugester, "POST", "/app/account.json", wish).await.json();
    assert_ne!(made["prefix"], "acme");
    assert!(made["api_token"].as_str().unwrap().ends_with(made["prefix"].as_str().unwrap()));
}

#[tokio::test]
async fn a_taken_shortcut_gets_a_number_and_unknown_fields_are_told() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let make = async |fields: Value| {
        crm(sugester, "POST", "/app/clients.json", json!({ "client": fields })).await.json()
    };
    let first = make(json!({ "name": "ACME", "shortcut": "ACME" })).await;
    let second = make(json!({ "name": "Other", "shortcut": "ACME" })).await;
    let third = make(json!({ "name": "ACME", "colour": "red", "token": "mine", "string3": "s" })).await;
    assert_eq!(first["shortcut"], "ACME");
    assert_eq!(second["shortcut"], "ACME (1)");
    assert_eq!(third["shortcut"], "ACME (2)");
    assert_eq!((third.get("colour"), &third["string3"]), (None, &json!("s")));
    assert_ne!(third["token"], "mine");
    assert_eq!(sugester.requests().pop().unwrap().ignored, ["colour", "token"]);
}

#[tokio::test]
async fn a_nested_client_is_found_or_made() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let deal = |name: &str| {
        json!({ "deal": { "name": name, "price": 12.5, "external_ids": { "bitfactura": "21" },
            "client": { "name": "C", "email": "c@example.com", "external_ids": { "bitfactura": "17" } } } })
    };
    let one = crm(sugester, "POST", "/app/deals.json", deal("a")).await.json();
    let two = crm(sugester, "POST", "/app/deals.json", deal("b")).await.json();
    assert_eq!((&one["client_id"], &one["price"]), (&two["client_id"], &json!(12.5)));
    assert!(one["client_id"].is_u64());
    assert_eq!((sugester.created(Table::Clients), sugester.created(Table::Deals)), (1, 2));
    let bad = json!({ "deal": { "name": "x", "client_id": 1 } });
    assert_eq!(crm(sugester, "POST", "/app/deals.json", bad).await.status, 422);
    let filtered = format!("/app/deals.json?client_id={}", 1);
    assert_eq!(ids(&crm(sugester, "GET", &filtered, Value::Null).await).len(), 2, "filters are ignored");
    sugester.configure(|settings| settings.filters = true);
    assert!(ids(&crm(sugester, "GET", &filtered, Value::Null).await).is_empty());
}

#[tokio::test]
async fn the_sync_receiver_updates_or_makes_by_external_ids() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let id = sugester
        .add(Table::Clients, &json!({ "name": "Old", "external_ids": { "other": 5, "bitfactura": 17 } }))
        .unwrap();
    let push = async |client: Value| {
        let body = json!({ "app_name": "bitfactura", "locale": "es", "client_id": 17, "client": client });
        crm(sugester, "POST", "/app/clients/external_update.json", body).await
    };
    let same =
        json!({ "id": 17, "name": "New", "external_ids": { "Bitfactura": "17" }, "skip_webhooks": true });
    let answer = push(same).await;
    assert_eq!((answer.status, answer.json()["id"].as_u64()), (200, Some(id)));
    let record = sugester.record(Table::Clients, id).unwrap();
    assert_eq!((&record["name"], &record["external_ids"]["other"]), (&json!("New"), &json!(5)));
    let other = push(json!({ "id": 18, "name": "B", "external_ids": { "bitfactura": 18 } })).await.json();
    assert_ne!(other["id"], 18);
    assert_eq!(sugester.created(Table::Clients), 2);
    assert_eq!(push(json!({ "name": "nobody" })).await.status, 422);
    sugester.configure(|settings| settings.receiver_answer = ReceiverAnswer::Empty);
    let empty = push(json!({ "name": "B", "external_ids": { "bitfactura": 18 } })).await;
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    sugester.configure(|settings| settings.no_receiver = true);
    assert_eq!(push(json!({})).await.status, 404);
}

#[tokio::test]
async fn external_ids_are_replaced_unless_merging_is_set() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let id = sugester.add(Table::Clients, &json!({ "name": "A", "external_ids": { "a": 1 } })).unwrap();
    let path = format!("/app/clients/{id}.json");
    let put = async |key: &str| {
        let body = json!({ "client": { "external_ids": { key: 2 } } });
        crm(sugester, "PUT", &path, body).await.json()["external_ids"].clone()
    };
    assert_eq!(put("b").await, json!({ "b": 2 }));
    sugester.configure(|settings| settings.external_ids = ExternalIds::Merged);
    assert_eq!(put("c").await, json!({ "b": 2, "c": 2 }));
}

#[tokio::test]
async fn try_update_and_duplicate_tax_numbers() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let make =
        async |fields: Value| crm(sugester, "POST", "/app/clients.json", json!({ "client": fields })).await;
    let first = make(json!({ "name": "A", "tax_no": "12.345.678-5" })).await.json();
    let update = json!({ "name": "B", "tax_no": "123456785", "try_update": true });
    assert_ne!(make(update.clone()).await.json()["id"], first["id"], "keyed by external_ids");
    sugester.configure(|settings| settings.try_update_by = TryUpdateBy::TaxNo);
    assert_eq!(make(update).await.json()["id"], first["id"]);
    assert_eq!(sugester.created(Table::Clients), 2);
    sugester.configure(|settings| settings.wire.refuses_duplicate_tax_no = true);
    let refused = make(json!({ "name": "C", "tax_no": "12 345 678 5" })).await;
    assert_eq!((refused.status, refused.json()["message"]["tax_no"].is_array()), (422, true));
}

#[tokio::test]
async fn pages_end_and_quirks_are_played() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    sugester.seed(130, 3);
    let page = async |query: &str| {
        ids(&crm(sugester, "GET", &format!("/app/clients.json?{query}"), Value::Null).await)
    };
    assert_eq!(page("").await.len(), 25);
    assert_eq!(page("per_page=500").await.len(), 100);
    let (one, two, three) = (
        page("per_page=100&page=1").await,
        page("per_page=100&page=2").await,
        page("per_page=100&page=3").await,
    );
    assert_eq!((one.len(), two.len(), three.len()), (100, 30, 0));
    assert!(one.iter().all(|id| !two.contains(id)));
    for (size, count) in
        [(PageSize::Fixed25, 25), (PageSize::Fixed50, 50), (PageSize::Fixed100, 100), (PageSize::All, 130)]
    {
        sugester.configure(|settings| settings.wire.page_size = size);
        assert_eq!(page("per_page=7&page=1").await.len(), count);
    }
    sugester.configure(|settings| {
        (settings.wire.ignores_page, settings.wire.page_size) = (true, PageSize::Honoured);
    });
    assert_eq!(page("page=2").await, page("page=1").await);
}

#[tokio::test]
async fn shapes_are_chosen() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let list = async || crm(sugester, "GET", "/app/clients.json", Value::Null).await.json();
    sugester.configure(|settings| settings.wire.list_shape = ListShape::NullWhenEmpty);
    assert_eq!(list().await, Value::Null);
    let id = sugester.add(Table::Clients, &json!({ "name": "A", "company": true })).unwrap();
    sugester.configure(|settings| {
        settings.wire.list_shape = ListShape::Plural;
        settings.wire.record_shape = RecordShape::Wrapped;
        settings.wire.scalars_as_text = true;
        settings.wire.delete_answer = DeleteAnswer::Empty;
        settings.wire.error_body = ErrorBody::Null;
    });
    assert_eq!(list().await["clients"][0]["company"], "true");
    let path = format!("/app/clients/{id}.json");
    assert_eq!(crm(sugester, "GET", &path, Value::Null).await.json()["client"]["id"], id.to_string());
    assert_eq!(crm(sugester, "DELETE", &path, Value::Null).await.text(), "");
    assert_eq!(crm(sugester, "GET", &path, Value::Null).await.json(), Value::Null);
}

#[tokio::test]
async fn a_change_moves_the_time_even_while_the_clock_stands() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    sugester.stop_clock();
    let id = sugester.add(Table::Clients, &json!({ "name": "A" })).unwrap();
    let changed = || sugester.record(Table::Clients, id).unwrap()["updated_at"].clone();
    let before = changed();
    sugester.edit(Table::Clients, id, &json!({ "city": "Lima" })).unwrap();
    let after = changed();
    assert!(after.as_str() > before.as_str());
    assert!(after.as_str().unwrap().ends_with("+01:00"));
    assert!(sugester.edit(Table::Clients, 1, &json!({})).is_err());
}
