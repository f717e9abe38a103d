//! Shapes against the contract's section 3.9.

use super::*;
use crate::legale::route::{Route, route};

fn query(text: &str) -> Query {
    match route("GET", "/api/documents/", text, &Settings::default()) {
        Route::Known(target) => target.query,
        other => panic!("{other:?}"),
    }
}

fn shown(reply: Reply, settings: &Settings) -> Value {
    serde_json::from_slice(&reply.answer(settings).body.to_vec()).unwrap()
}

fn listed(asked: &str, settings: &Settings) -> Value {
    let reply = page(vec![1, 2, 3, 4, 5], Value::from, &query(asked), "http://h/l/", settings).unwrap();
    shown(reply, settings)
}

#[test]
fn pages_follow_each_other_and_without_a_page_everything_comes() {
    let honest = Settings::default();
    let first = listed("page=1&page_size=2", &honest);
    assert_eq!(first["results"], json!([1, 2]));
    assert_eq!((&first["count"], &first["next"]), (&json!(5), &json!("http://h/l/?page=2&page_size=2")));
    let last = listed("page=3&page_size=2", &honest);
    assert_eq!((&last["results"], &last["next"]), (&json!([5]), &Value::Null));
    assert_eq!(listed("page=4&page_size=2", &honest)["results"], json!([]));
    assert_eq!(listed("", &honest)["results"].as_array().unwrap().len(), 5);
    assert!(page(vec![1], Value::from, &query("page=0"), "", &honest).is_err());
}

#[test]
fn quirks_of_paging() {
    let with = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings
    };
    let past = "page=9&page_size=2";
    assert_eq!(listed(past, &with(|s| s.past_end = PastEnd::Repeat))["results"], json!([5]));
    let refused = page(vec![1], Value::from, &query(past), "", &with(|s| s.past_end = PastEnd::NotFound));
    assert!(refused.is_err());
    assert_eq!(listed(past, &with(|s| s.null_results = true))["results"], Value::Null);
    assert!(listed(past, &with(|s| s.next_link = NextLink::Endless))["next"].is_string());
    assert_eq!(listed("page=1&page_size=4", &with(|s| s.page_cap = 1))["results"], json!([1]));
    assert_eq!(listed("page=1", &with(|s| s.list_shape = ListShape::Array)), json!([1, 2, 3, 4, 5]));
    assert!(listed("page=1", &with(|s| s.envelope = Envelope::Wrapped))["data"]["results"].is_array());
}

#[test]
fn scalars_lists_and_keys_are_dressed() {
    let value = json!({ "GUID": "g", "n": 1, "yes": true, "list": [], "in": { "no": false } });
    let plain = Settings::default();
    assert_eq!(dressed(value.clone(), &plain), value);
    let odd = Settings {
        numbers: Numbers::Text,
        bools: Bools::Digits,
        null_lists: true,
        lower_case_guid: true,
        ..Settings::default()
    };
    let expected = json!({ "guid": "g", "n": "1", "yes": 1, "list": null, "in": { "no": 0 } });
    assert_eq!(dressed(value, &odd), expected);
    let extra = Settings { unknown_keys: true, ..Settings::default() };
    assert!(dressed(json!({ "a": {} }), &extra)["a"]["x_added_later"].is_object());
}

#[test]
fn links_in_every_shape() {
    let one = [Link { email: "a@example.com".into(), url: "http://h/s".into() }];
    let shapes: Vec<Value> = LinksShape::ALL
        .iter()
        .map(|shape| links(&one, &Settings { links_shape: *shape, ..Settings::default() }))
        .collect();
    assert_eq!(shapes[0], json!(["http://h/s"]));
    assert_eq!(shapes[1], json!([{ "email": "a@example.com", "url": "http://h/s" }]));
    assert_eq!(shapes[4], json!({ "a@example.com": "http://h/s" }));
    assert_eq!(shapes[5], Value::Null);
}

#[test]
fn times_in_every_form() {
    let at = Moment::from_epoch(1_736_902_805);
    let forms: Vec<String> =
        Times::ALL.iter().map(|times| time(at, &Settings { times: *times, ..Settings::default() })).collect();
    assert_eq!(forms[0], "2025-01-15T01:00:05.000000Z");
    assert_eq!(forms[2], "2025-01-15T01:00:05.000000000Z");
    assert_eq!(forms[3], "2025-01-15 01:00:05");
}
