//! Grants, pushes, withdrawals, unions: sections 2.2, 3.7 (W01 to W17, W30 to W41), 4.2, 4.5.

use std::time::Duration;

use integration_sandbox::Sandbox;
use integration_sandbox::websync::ContactRef;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn the_door_asks_for_credential_protocol_and_tenant() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    let health = web.get("/health").await.data();
    assert_eq!((&health["protocol"], &health["tenant"]), (&json!(1), &json!("demo")));
    assert_eq!(health["limits"]["blobBytes"], 50 * 1024 * 1024);
    assert_eq!(health["limits"]["batchItems"], 100);
    let base = web.portal.base_url();
    let good = format!("Authorization: Bearer {}\r\n", web.portal.token());
    let protocol = "X-Websync-Protocol: 1\r\n";
    for (path, headers, wanted) in [
        ("/websync/v1/demo/health", protocol.to_owned(), 401),
        ("/websync/v1/demo/health", format!("Authorization: Bearer x\r\n{protocol}"), 401),
        ("/websync/v1/demo/health", good.clone(), 400),
        ("/websync/v1/other/health", format!("{good}{protocol}"), 404),
        ("/websync/v1/demo/nothing", format!("{good}{protocol}"), 404),
    ] {
        assert_eq!(send(base, "GET", path, &headers, b"").await.status, wanted, "{path} {headers}");
    }
    web.portal.configure(|settings| settings.forbidden = true);
    assert_eq!(web.get("/health").await.status, 403);
    assert!(!web.portal.recorded_contains(web.portal.token()));
}

#[tokio::test]
async fn a_grant_has_versions() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    assert_eq!(web.get("/grants/C/4879").await.refusal(), (404, "not-found".into()));
    let new = web.grant("C/4879", 1, &json!({ "show": ["clave"] })).await;
    assert_eq!((new.status, &new.data()["version"]), (201, &json!(1)));
    assert_eq!(web.grant("C/4879", 1, &json!({})).await.refusal(), (409, "version-conflict".into()));
    assert_eq!(web.regrant("C/4879", 1, 2, &json!({})).await.refusal(), (409, "version-conflict".into()));
    let changed = web.regrant("C/4879", 1, 1, &json!({})).await;
    assert_eq!((changed.status, &changed.data()["version"]), (200, &json!(2)));
    let suspended = web.write("POST", "/grants/C/4879/suspend", &json!({ "version": 2 })).await.data();
    assert_eq!((&suspended["state"], &suspended["version"]), (&json!("suspended"), &json!(3)));
    let stale = web.write("POST", "/grants/C/4879/resume", &json!({ "version": 2 })).await;
    assert_eq!(stale.refusal(), (409, "version-conflict".into()));
    assert_eq!(
        web.write("POST", "/grants/C/4879/resume", &json!({ "version": 3 })).await.data()["state"],
        "active"
    );
    for odd in [json!({ "show": ["referencia4"] }), json!({ "state": "draft" }), json!({ "key": "x" })] {
        assert_eq!(web.regrant("C/4879", 1, 4, &odd).await.status, 400, "{odd}");
    }
    for code in ["0001", "0002", "0003"] {
        web.grant(&format!("I/{code}"), 5, &json!({})).await.data();
    }
    let page = web.get("/grants?limit=3").await.data();
    let (items, next) = (page["items"].as_array().unwrap(), page["next"].as_str().unwrap());
    assert_eq!(items.len(), 3);
    let rest = web.get(&format!("/grants?limit=3&after={next}")).await.data();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
}

#[tokio::test]
async fn versions_decide_between_applied_duplicate_stale_and_reuse() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    let outcome = async |version: u64, numero: &str| {
        let answer = web.push(&push(7, version, &[("C/1", json!({ "numero": numero }))], &[])).await;
        if answer.status == 200 { answer.data()["outcome"].clone() } else { json!(answer.refusal().1) }
    };
    assert_eq!(outcome(42, "a").await, "applied");
    assert_eq!(outcome(42, "a").await, "duplicate");
    assert_eq!(outcome(42, "b").await, "version-reuse");
    assert_eq!(outcome(41, "b").await, "stale");
    assert_eq!(outcome(43, "b").await, "applied");
    assert_eq!(outcome(0, "b").await, "invalid");
    // A tombstone keeps older pushes away (trap 19).
    let gone = web.push(&push(7, 44, &[], &[("C/1", "case-closed")])).await.data();
    assert_eq!((&gone["outcome"], web.sees("C/1").await), (&json!("applied"), vec![]));
    assert_eq!(outcome(43, "b").await, "stale");
    assert_eq!(outcome(45, "c").await, "applied");
    assert_eq!(web.sees("C/1").await, [7]);
    let case = web.get("/cases/7").await.data();
    assert_eq!((&case["version"], &case["grants"]), (&json!(45), &json!([contact("C/1")])));
    assert_eq!(web.get("/cases/8").await.status, 404);
}

#[tokio::test]
async fn nobody_is_forgotten_except_who_is_suspended() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    for code in ["C/1", "C/2"] {
        web.grant(code, 1, &json!({})).await.data();
    }
    let view = json!({ "numero": "1" });
    web.push(&push(7, 1, &[("C/1", view.clone()), ("C/2", view.clone())], &[])).await.data();
    let forgetful = push(7, 2, &[("C/1", view.clone())], &[]);
    let refused = web.push(&forgetful).await;
    assert_eq!(refused.refusal(), (409, "implicit-withdrawal".into()));
    assert_eq!(refused.json()["error"]["details"]["grants"], json!([contact("C/2")]));
    web.write("POST", "/grants/C/2/suspend", &json!({ "version": 1 })).await.data();
    assert_eq!(web.push(&forgetful).await.data()["outcome"], "applied");
    assert_eq!(web.sees("C/2").await, Vec::<i64>::new());
    web.write("POST", "/grants/C/2/resume", &json!({ "version": 2 })).await.data();
    assert_eq!(web.sees("C/2").await, [7], "the older projection is still there");
    let unknown = web.push(&push(8, 1, &[("C/9", view)], &[])).await;
    assert_eq!(unknown.refusal(), (422, "refused".into()));
}

#[tokio::test]
async fn a_view_holds_what_the_contract_names_and_no_null_behind_a_box() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({ "show": ["referencia1"] })).await.data();
    for odd in [
        json!({ "referencia4": "x" }),
        json!({ "observacion": "x" }),
        json!({ "clave": null }),
        json!({ "numero": 1.5 }),
        json!({ "grafico": { "sha256": "x" } }),
    ] {
        assert_eq!(web.push(&push(7, 1, &[("C/1", odd.clone())], &[])).await.refusal().0, 400, "{odd}");
    }
    let mut extra = push(7, 1, &[], &[]);
    extra["observacion"] = json!("x");
    assert_eq!(web.push(&extra).await.status, 400);
    assert!(web.portal.excesses().is_empty());
    web.push(&push(7, 1, &[("C/1", json!({ "referencia": "R", "clave": "K-1" }))], &[])).await.data();
    assert_eq!(web.portal.excesses()[0]["fields"], json!(["clave"]));
    assert!(web.portal.holds("K-1") && web.portal.recorded_contains("K-1"));
    web.push(&push(7, 2, &[], &[("C/1", "case-closed")])).await.data();
    assert!(!web.portal.holds("K-1"), "withdrawn data is gone");
}

#[tokio::test]
async fn a_key_does_its_work_once_and_is_forgotten_after_a_day() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.portal.stop_clock();
    web.grant("C/1", 1, &json!({})).await.data();
    let body = push(7, 1, &[("C/1", json!({ "numero": "1" }))], &[]);
    let put = async |body: &Value| web.call("PUT", "/cases/7", &key("abc"), body).await;
    assert_eq!(web.call("PUT", "/cases/7", "", &body).await.refusal(), (400, "invalid".into()));
    let first = put(&body).await;
    let again = put(&body).await;
    assert_eq!(
        (first.header("idempotent-replay"), again.header("idempotent-replay").as_deref()),
        (None, Some("true"))
    );
    assert_eq!(first.json(), again.json(), "the first answer, not duplicate");
    let other = push(7, 2, &[("C/1", json!({}))], &[]);
    assert_eq!(put(&other).await.refusal(), (409, "idempotency-mismatch".into()));
    assert_eq!((web.portal.executions()["abc"], web.portal.replays()), (1, 1));
    let requests = web.portal.requests();
    let acted: Vec<bool> = requests.iter().rev().take(3).rev().map(|request| request.acted).collect();
    assert_eq!(acted, [true, false, false]);
    web.portal.advance_clock(Duration::from_secs(24 * 60 * 60 - 1));
    assert_eq!(put(&body).await.header("idempotent-replay").as_deref(), Some("true"));
    web.portal.advance_clock(Duration::from_secs(1));
    assert_eq!(put(&body).await.data()["outcome"], "duplicate");
    // Refusals are not remembered.
    let bad = push(7, 1, &[("C/1", json!({ "numero": "2" }))], &[]);
    assert_eq!(web.call("PUT", "/cases/7", &key("def"), &bad).await.refusal().1, "version-reuse");
    assert_eq!(web.call("PUT", "/cases/7", &key("def"), &other).await.data()["outcome"], "applied");
}

#[tokio::test]
async fn one_bad_item_of_a_batch_does_not_stop_the_others() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    let good = |case| push(case, 1, &[("C/1", json!({}))], &[]);
    let items = json!({ "items": [good(1), push(2, 1, &[("C/9", json!({}))], &[]), json!({ "caseId": 3 }), good(4)] });
    let data = web.write("POST", "/cases/batch", &items).await.data();
    let statuses: Vec<&Value> =
        data["items"].as_array().unwrap().iter().map(|item| &item["statusCode"]).collect();
    assert_eq!(json!(statuses), json!([200, 422, 400, 200]));
    assert_eq!(data["items"][1]["error"]["code"], "refused");
    assert_eq!(web.sees("C/1").await, [1, 4]);
    let many: Vec<Value> = (1..=101).map(good).collect();
    assert_eq!(web.write("POST", "/cases/batch", &json!({ "items": many })).await.refusal().0, 413);
}

#[tokio::test]
async fn revoking_denies_at_once_and_takes_everything_away() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    for case in 1..=3 {
        web.push(&push(case, 1, &[("C/1", json!({ "numero": "SECRET" }))], &[])).await.data();
    }
    let revoked = web.write("DELETE", "/grants/C/1?version=1", &Value::Null).await.data();
    assert_eq!(revoked, json!({ "withdrawn": 3 }));
    assert_eq!((web.get("/grants/C/1").await.status, web.get("/view?grant=C/1").await.status), (404, 404));
    assert!(!web.portal.holds("SECRET"));
    let page = web.get("/withdrawals?limit=2").await.data();
    assert_eq!(
        (page["items"][0]["reason"].clone(), page["next"].clone()),
        (json!("grant-revoked"), json!("2"))
    );
    assert_eq!(web.get("/withdrawals?after=2").await.data()["items"].as_array().unwrap().len(), 1);
    // Coming back, it has nothing, and its versions go on.
    assert_eq!(web.grant("C/1", 1, &json!({})).await.data()["version"], 3);
    assert_eq!(web.sees("C/1").await, Vec::<i64>::new());
}

#[tokio::test]
async fn withdrawals_say_what_became_of_each() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    web.push(&push(7, 5, &[("C/1", json!({}))], &[])).await.data();
    let withdraw = async |case: i64, version: u64| {
        let item = json!({ "caseId": case, "version": version, "grant": contact("C/1"), "reason": "modality-excluded" });
        let body = json!({ "batchId": "b", "items": [item] });
        web.write("POST", "/withdrawals", &body).await.data()["items"][0].clone()
    };
    assert_eq!(withdraw(7, 4).await["outcome"], "stale");
    assert_eq!(withdraw(7, 5).await["error"]["code"], "version-reuse");
    assert_eq!(withdraw(7, 6).await["outcome"], "withdrawn");
    assert_eq!(withdraw(7, 6).await["outcome"], "already");
    assert_eq!(web.get("/cases/7").await.data()["version"], 6);
    assert_eq!(withdraw(8, 3).await["outcome"], "already");
    let late = web.push(&push(8, 2, &[("C/1", json!({}))], &[])).await.data();
    assert_eq!((&late["outcome"], web.sees("C/1").await), (&json!("stale"), vec![]));
}

#[tokio::test]
async fn a_renamed_code_keeps_its_data() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 11, &json!({})).await.data();
    web.grant("C/2", 12, &json!({})).await.data();
    web.push(&push(7, 1, &[("C/1", json!({ "numero": "1" }))], &[])).await.data();
    let before = web.get("/grants/C/1/digest").await.data();
    let rename = async |code: &str, id: i64| {
        web.write("POST", "/grants/C/1/rename", &json!({ "newCode": code, "contactId": id })).await
    };
    assert_eq!(rename("2", 11).await.status, 409);
    assert_eq!(rename("3", 12).await.status, 422);
    assert_eq!(rename("3", 11).await.data()["contact"], contact("C/3"));
    assert_eq!((web.get("/grants/C/1").await.status, web.sees("C/3").await), (404, vec![7]));
    assert_eq!(web.get("/grants/C/3/digest").await.data(), before);
    let view = web.portal.view(&ContactRef::new("C", "3")).unwrap();
    assert_eq!(view["cases"][0]["holder"], contact("C/3"));
}

#[tokio::test]
async fn the_digest_is_that_of_the_contract() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    web.grant("C/1", 1, &json!({})).await.data();
    web.push(&push(3992, 42, &[("C/1", json!({}))], &[])).await.data();
    web.push(&push(17, 3, &[("C/1", json!({}))], &[])).await.data();
    web.push(&push(18, 3, &[("C/1", json!({}))], &[])).await.data();
    web.push(&push(18, 4, &[], &[("C/1", "case-closed")])).await.data();
    let wanted = "62ebd2f3b39153aa92f85d182a1f0dc97fc8c878ee6ce6ddc7d1c07d80e73f04";
    assert_eq!(web.get("/grants/C/1/digest").await.data(), json!({ "count": 2, "digest": wanted }));
}

/// N6's vectors; the portal sees nothing but the tag.
const TAG: &str = "d1d222df28b35898a4e0a641e40aa83e24301221ffeab969c95df4f48fa88ec2";
const OTHER_TAG: &str = "cef9b0f153600de31bd934afa6d75d526c72adf4df3725b08a0d5861af7c11f0";

#[tokio::test]
async fn a_union_is_previewed_confirmed_and_shows_what_all_of_it_show() {
    let sandbox = Sandbox::start().await.unwrap();
    let web = Web::of(&sandbox);
    let preview = async |joining: &str, tag: &str| {
        web.write("POST", "/unions/preview", &json!({ "pairTag": tag, "joining": contact(joining) }))
            .await
            .data()
    };
    let admin = |preview: &Value| json!({ "admin": { "pairTag": TAG, "previewId": preview["previewId"] } });
    let made_up = json!({ "admin": { "pairTag": TAG, "previewId": "pv" } });
    assert_eq!(web.grant("C/1", 1, &made_up).await.refusal(), (422, "preview-missing".into()));
    let first = preview("C/1", TAG).await;
    assert_eq!(first["members"], json!([contact("C/1")]));
    let outdated = preview("C/2", TAG).await;
    let mut all = admin(&first);
    all["show"] = json!(["referencia1", "clave"]);
    web.grant("C/1", 1, &all).await.data();
    assert_eq!(web.grant("C/2", 2, &admin(&outdated)).await.status, 422, "the members are others now");
    assert_eq!(web.grant("C/2", 2, &admin(&preview("C/3", TAG).await)).await.status, 422);
    assert_eq!(web.grant("C/2", 2, &admin(&preview("C/2", OTHER_TAG).await)).await.status, 422);
    let second = preview("C/2", TAG).await;
    assert_eq!(second["members"], json!([contact("C/1"), contact("C/2")]));
    let mut some = admin(&second);
    some["show"] = json!(["clave"]);
    web.grant("C/2", 2, &some).await.data();
    // An unchanged pair needs no new preview.
    let mut same = made_up.clone();
    same["show"] = json!(["clave"]);
    web.regrant("C/2", 2, 1, &same).await.data();

    let full = json!({ "numero": "1", "referencia": "R", "clave": "K" });
    let part = json!({ "numero": "1", "clave": "K" });
    web.push(&push(7, 1, &[("C/1", full.clone()), ("C/2", part.clone())], &[])).await.data();
    web.push(&push(8, 1, &[("C/1", full.clone())], &[])).await.data();
    let view = web.get(&format!("/view?pairTag={TAG}")).await.data();
    assert_eq!((&view["cases"][0]["view"], &view["cases"][1]["view"]), (&part, &full));
    assert_eq!(web.get(&format!("/view?pairTag={OTHER_TAG}")).await.data()["cases"], json!([]));
    assert_eq!(web.get("/view?pairTag=").await.status, 400);
    // A changed pair leaves the union at once.
    web.regrant("C/1", 1, 1, &json!({})).await.data();
    assert_eq!(web.get(&format!("/view?pairTag={TAG}")).await.data()["cases"].as_array().unwrap().len(), 1);
}
