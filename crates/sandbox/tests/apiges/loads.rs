//! Loads: W20 to W25, section 4.4.

use integration_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::*;

fn item(case: i64, version: u64, view: &Value) -> Value {
    json!({ "caseId": case, "version": version, "holder": contact("C/1"), "view": view })
}

/// The digest of section 4.6, by hand; views are `{}` or one text field, whose canonical form is what serde writes.
fn digest_of(items: &[Value]) -> String {
    let mut sorted: Vec<&Value> = items.iter().collect();
    sorted.sort_by_key(|item| item["caseId"].as_i64());
    let lines = sorted.iter().map(|item| {
        format!("{}:{}:{}\n", item["caseId"], item["version"], sha256(item["view"].to_string().as_bytes()))
    });
    sha256(lines.collect::<String>().as_bytes())
}

struct Load<'a> {
    web: &'a Web,
    id: &'a str,
}

impl Load<'_> {
    async fn batch(&self, number: u32, items: &[Value]) -> Answer {
        let path = format!("/loads/{}/contacts/C/1/batches/{number}", self.id);
        self.web.write("PUT", &path, &json!({ "items": items, "digest": digest_of(items) })).await
    }

    async fn commit(&self, batches: u32, items: &[Value], complete: bool, allowed: Option<u32>) -> Answer {
        let path = format!("/loads/{}/contacts/C/1/commit", self.id);
        let body = json!({
            "batches": batches, "count": items.len(), "digest": digest_of(items), "complete": complete,
            "allowWithdrawals": allowed,
        });
        self.web.write("POST", &path, &body).await
    }
}

async fn open<'a>(web: &'a Web, id: &'a str, base: u64) -> Load<'a> {
    let body = json!({ "loadId": id, "baseSequence": base });
    let opened = web.write("POST", "/contacts/C/1/loads", &body).await;
    assert_eq!(opened.status, 201);
    Load { web, id }
}

#[tokio::test]
async fn a_load_is_resumed_where_it_stopped_and_shows_at_its_commit() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    let load = open(&web, "l1", 10).await;
    let items: Vec<Value> = (1..=4).map(|case| item(case, 1, &json!({}))).collect();
    assert_eq!(load.batch(1, &items[..2]).await.data(), json!({ "accepted": 2 }));
    assert_eq!(load.batch(1, &items[..2]).await.data(), json!({ "accepted": 2 }), "repeated");
    assert_eq!(load.batch(1, &items[..1]).await.refusal(), (422, "digest".into()));
    assert_eq!(load.batch(3, &items[3..]).await.refusal(), (409, "batch-gap".into()));
    let wrong = json!({ "items": items[2..], "digest": sha256(b"x") });
    let path = "/loads/l1/contacts/C/1/batches/2";
    assert_eq!(web.write("PUT", path, &wrong).await.refusal(), (422, "digest".into()));
    let state = web.get("/loads/l1").await.data();
    assert_eq!(
        state["contacts"][0],
        json!({ "contact": contact("C/1"), "lastBatch": 1, "committed": false })
    );
    load.batch(2, &items[2..]).await.data();
    assert!(web.sees("C/1").await.is_empty());
    assert_eq!(load.commit(1, &items, true, None).await.refusal(), (409, "count".into()));
    let moved: Vec<Value> = (1..=4).map(|case| item(case, 2, &json!({}))).collect();
    assert_eq!(load.commit(2, &moved, true, None).await.refusal(), (409, "digest".into()));
    assert_eq!(web.write("POST", "/loads/l1/close", &json!({})).await.status, 409);
    let done = load.commit(2, &items, true, None).await.data();
    assert_eq!(done, json!({ "applied": 4, "unchanged": 0, "stale": 0, "withdrawn": 0 }));
    assert_eq!(load.commit(2, &items, true, None).await.data(), done);
    assert_eq!(web.sees("C/1").await, [1, 2, 3, 4]);
    assert_eq!(load.batch(3, &items[..1]).await.refusal(), (409, "load-closed".into()));
    assert_eq!(web.write("POST", "/loads/l1/close", &json!({})).await.data()["applied"], 4);
}

#[tokio::test]
async fn one_load_of_all_at_a_time_and_single_loads_beside_it() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    let all = |id: &str, contacts: &[&str]| {
        let contacts: Vec<Value> = contacts.iter().map(|name| contact(name)).collect();
        json!({ "loadId": id, "scope": "all", "contacts": contacts, "baseSequence": 1 })
    };
    assert_eq!(web.write("POST", "/loads", &all("a", &["C/9"])).await.status, 422);
    assert_eq!(web.write("POST", "/loads", &all("a", &["C/1"])).await.status, 201);
    let second = web.write("POST", "/loads", &all("b", &["C/1"])).await;
    assert_eq!(second.refusal(), (409, "load-open".into()));
    assert_eq!(second.json()["error"]["details"]["loadId"], "a");
    open(&web, "c", 1).await;
    let twice = web.write("POST", "/contacts/C/1/loads", &json!({ "loadId": "d", "baseSequence": 1 })).await;
    assert_eq!(twice.refusal(), (409, "load-open".into()));
    web.write("POST", "/loads/a/abort", &json!({})).await.data();
    assert_eq!(web.write("POST", "/loads", &all("b", &["C/1"])).await.status, 201);
    assert_eq!(web.get("/loads/x").await.status, 404);
}

#[tokio::test]
async fn what_was_pushed_during_a_load_survives_its_commit() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    for code in ["C/1", "C/2"] {
        web.grant(code, 1, &json!({})).await.data();
    }
    let old = json!({ "numero": "old" });
    for case in [1, 2, 3] {
        web.push(&push(case, 5, &[("C/1", old.clone())], &[])).await.data();
    }
    let load = open(&web, "l", 10).await;
    let items = [item(1, 6, &old), item(2, 5, &old), item(5, 8, &old), item(6, 3, &old)];
    load.batch(1, &items).await.data();
    // Sequences 11 to 14 are later than the load's beginning.
    web.push(&push(1, 11, &[("C/1", json!({ "numero": "new" }))], &[])).await.data();
    web.push(&push(4, 12, &[("C/1", json!({ "numero": "new" }))], &[])).await.data();
    web.push(&push(5, 13, &[("C/2", json!({}))], &[])).await.data();
    let withdrawal =
        json!({ "caseId": 6, "version": 14, "grant": contact("C/1"), "reason": "modality-excluded" });
    web.write("POST", "/withdrawals", &json!({ "batchId": "b", "items": [withdrawal] })).await.data();
    let done = load.commit(1, &items, true, None).await.data();
    assert_eq!(done, json!({ "applied": 0, "unchanged": 1, "stale": 3, "withdrawn": 1 }));
    assert_eq!(web.sees("C/1").await, [1, 2, 4], "3 was absent; 5 was pushed to others, 6 was withdrawn");
    let view = web.get("/view?grant=C/1").await.data();
    assert_eq!(view["cases"][0]["view"]["numero"], "new");
    assert_eq!(web.portal.withdrawals().last().unwrap()["reason"], "absent-from-load");
}

#[tokio::test]
async fn an_incomplete_load_withdraws_nothing_and_many_withdrawals_need_their_number() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    for case in 1..=21 {
        web.push(&push(case, 1, &[("C/1", json!({}))], &[])).await.data();
    }
    let load = open(&web, "l1", 100).await;
    assert_eq!(load.commit(0, &[], false, None).await.data()["withdrawn"], 0);
    web.write("POST", "/loads/l1/close", &json!({})).await.data();
    let load = open(&web, "l2", 100).await;
    let refused = load.commit(0, &[], true, None).await;
    assert_eq!(refused.refusal(), (409, "guard".into()));
    assert_eq!(refused.json()["error"]["details"]["wouldWithdraw"], 21);
    assert_eq!(load.commit(0, &[], true, Some(20)).await.status, 409);
    assert_eq!(load.commit(0, &[], true, Some(22)).await.status, 409);
    assert_eq!(load.commit(0, &[], true, Some(21)).await.data()["withdrawn"], 21);
}

#[tokio::test]
async fn the_guard_counts_a_tenth_from_twenty_cases_up() {
    for (held, absent, guarded) in
        [(19, 19, false), (20, 2, false), (20, 3, true), (300, 20, false), (300, 21, true)]
    {
        let sandbox = Sandbox::start().await.unwrap();
        let web = Web::of(&sandbox);
        web.grant("C/1", 1, &json!({})).await.data();
        let items: Vec<Value> = (1..=held).map(|case| item(case, 1, &json!({}))).collect();
        let load = open(&web, "l1", 1).await;
        load.batch(1, &items).await.data();
        load.commit(1, &items, true, None).await.data();
        web.write("POST", "/loads/l1/close", &json!({})).await.data();
        let load = open(&web, "l2", 1).await;
        let rest = &items[absent..];
        load.batch(1, rest).await.data();
        let status = load.commit(1, rest, true, None).await.status;
        assert_eq!(status == 409, guarded, "{absent} of {held}");
    }
}

#[tokio::test]
async fn a_version_says_one_thing_and_a_tombstone_needs_a_higher_one() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    web.push(&push(1, 5, &[("C/1", json!({ "numero": "a" }))], &[])).await.data();
    web.push(&push(2, 5, &[("C/1", json!({}))], &[])).await.data();
    web.push(&push(2, 6, &[], &[("C/1", "case-closed")])).await.data();
    let load = open(&web, "l", 10).await;
    let reused = load.batch(1, &[item(1, 5, &json!({ "numero": "b" }))]).await;
    assert_eq!(reused.refusal(), (409, "version-reuse".into()));
    let back = load.batch(1, &[item(2, 6, &json!({}))]).await;
    assert_eq!(back.refusal(), (409, "version-reuse".into()));
    let items = [item(1, 5, &json!({ "numero": "a" })), item(2, 5, &json!({})), item(3, 9, &json!({}))];
    load.batch(1, &items).await.data();
    let done = load.commit(1, &items, true, None).await.data();
    assert_eq!(done, json!({ "applied": 1, "unchanged": 1, "stale": 1, "withdrawn": 0 }));
    // W23 raises the case's version.
    assert_eq!(web.push(&push(3, 8, &[("C/1", json!({}))], &[])).await.data()["outcome"], "stale");
}
