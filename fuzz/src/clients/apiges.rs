//! Apiges: the envelope with a status of its own, logins with a JWT, the answers W of the web mapping, and what a client reads of
//! dates, threads and evidence (contract 2.1, 2.2, P3, 3.8, section 5, X1 to X7).

use std::collections::{BTreeMap, BTreeSet};

use apiges_sync::evidence::{Chain, Evidence, Head};
use apiges_sync::thread::{Added, Thread};
use apiges_sync::web::{
    Blob, CasePush, ContactRef, DocumentPlace, HttpTransport, IdempotencyKey, Instant, LoadId, Message,
    MessageId, Part, Receipt, Sha256, Viewer, WebSyncTransport,
};
use apiges_sync::{CalendarDate, Catalogue, Client, Environment, ManualClock, RetryPolicy, Search};
use http::Request;
use integration_core::call::Body;
use serde_json::json;

use super::super::input::Input;
use super::super::scripted::{Due, Made, Reply, SENTINEL, Script, block_on, print};
use super::super::texts::packed;
use super::{Call, NONE, call, calls};

fn client(script: Script) -> Client {
    let builder = Client::builder().environment(Environment::at("https://apiges.example.com").unwrap());
    let builder = builder.credentials("ana", SENTINEL).transport(script).clock(ManualClock::new());
    builder.retry(RetryPolicy::never()).build().unwrap()
}

/// A login that is as it should be, with a token that is a secret too.
fn logged_in(request: &Request<Body>) -> Option<Reply> {
    let body = format!(r#"{{"statusCode":200,"message":"OK","data":{{"token":"{SENTINEL}-t"}}}}"#);
    (request.uri().path() == "/login").then(|| Reply::json(body))
}

pub const LOGIN: Call = (Due::Object, |script| {
    let client = client(script);
    block_on(async { Made::of(client.log_in().await, |()| 1) })
});

const REST: &[Call] = calls! {
    client;
    Object |client| client.case_file(3992).await, |_| 1;
    Object |client| client.contact(4879).await, |_| 1;
    List |client| client.case_file_acts(3992).await, Vec::len;
    Object |client| client.case_file_task(3992, 7).await, |_| 1;
    Object |client| client.case_file_specifics(3992).await, |_| 1;
    List |client| client.search_case_files(&Search::all().equal("idCliente", [4879])).await,
        |found| found.rows.len() + found.unreadable.len();
    List |client| client.search_contacts(&Search::all()).await, |found| found.rows.len() + found.unreadable.len();
    List |client| client.search_tasks(&Search::all()).await, |found| found.rows.len() + found.unreadable.len();
    List |client| client.catalogue(Catalogue::Countries).await, Vec::len;
    Object |client| client.received_invoice(7).await, |_| 1;
    Nothing |client| client.create_case_file(&json!({"numero": "M1"})).await, |_| 1;
    Nothing |client| client.change_case_file(3992, &json!({"numero": "M1"})).await, |_| 1;
    Object |client| client.get_or_create_contact(&json!({"nombre": "x"})).await, |_| 1;
    Nothing |client| client.delete_invoice_line(7, 1).await, |_| 1;
    Nothing |client| client.raw(http::Method::GET, "/otra/cosa", None).await, |_| 1;
};

/// Answers of layer A.
pub fn answers(data: &[u8]) {
    call(data, REST, logged_in);
}

/// The bytes are the payload of the token that a login brings: whatever its `exp` says, one call is one login and one request.
pub fn jwt(data: &[u8]) {
    let token = format!("e30.{}.c2ln", packed(data));
    let login = Reply::json(format!(r#"{{"statusCode":200,"message":"OK","data":"{token}"}}"#));
    let item = Reply::json(r#"{"statusCode":200,"message":"OK","data":{"id":3992}}"#);
    let script = Script::new(vec![login, item.clone(), item], NONE);
    let client = client(script.clone());
    block_on(async {
        for _ in 0..2 {
            if let Err(error) = client.case_file(3992).await {
                panic!(
                    "a token that says {:?} is not used: {}",
                    String::from_utf8_lossy(data),
                    print(&error)
                );
            }
        }
    });
    assert_eq!(script.asked().len(), 3, "a login for every call: {:?}", String::from_utf8_lossy(data));
}

// ------------------------------------------------------------------------------------------------------------------- layer B

fn portal(script: Script) -> HttpTransport {
    let builder = HttpTransport::builder().base_url("https://portal.example.com").unwrap().tenant("demo");
    let builder = builder.credential(SENTINEL).transport(script).clock(ManualClock::new());
    builder.retry(RetryPolicy::never()).build().unwrap()
}

fn contact() -> ContactRef {
    ContactRef::client("4879").unwrap()
}

fn key() -> IdempotencyKey {
    IdempotencyKey::case("demo", 3992, 42)
}

fn push() -> CasePush {
    serde_json::from_value(json!({
        "caseId": 3992, "version": 42, "sequence": 90131, "savedAt": "2026-03-02T10:15:04.120Z",
        "cause": "saved", "projections": [], "withdrawals": [],
    }))
    .unwrap()
}

fn message(id: &str) -> Message {
    serde_json::from_value(json!({
        "messageId": id, "author": {"role": "firm", "ref": "u1"}, "sentAt": "2026-03-02T10:15:04.120Z",
        "lang": "es", "body": "Hola",
    }))
    .unwrap()
}

fn load() -> LoadId {
    serde_json::from_value(json!("load-1")).unwrap()
}

fn message_id() -> MessageId {
    serde_json::from_value(json!("m-1")).unwrap()
}

fn place() -> DocumentPlace {
    DocumentPlace { case: 3992, annotation: "12".to_owned(), document: "7".to_owned() }
}

const WEB: &[Call] = calls! {
    portal;
    Object |portal| portal.health().await, |_| 1;
    Object |portal| portal.grants(Part::default()).await, |_| 1;
    Object |portal| portal.grant(&contact()).await, |grant| usize::from(grant.is_some());
    Object |portal| portal.suspend(&contact(), 3, &key()).await, |_| 1;
    Object |portal| portal.revoke(&contact(), 3, &key()).await, |_| 1;
    Object |portal| portal.digest(&contact()).await, |_| 1;
    Object |portal| portal.load(&load()).await, |load| usize::from(load.is_some());
    Object |portal| portal.close_load(&load(), &key()).await, |_| 1;
    Object |portal| portal.push(&push(), &key()).await, |_| 1;
    Object |portal| portal.case(3992).await, |case| usize::from(case.is_some());
    Object |portal| portal.view(&Viewer::Contact(contact())).await, |_| 1;
    Object |portal| portal.withdrawals(Part::after("w-1").limit(3)).await, |_| 1;
    Nothing |portal| portal.has_blob(Sha256::of(b"x")).await, |there| usize::from(*there);
    Nothing |portal| portal.put_blob(&Blob::bytes("image/png", "x")).await, |()| 1;
    Object |portal| portal.links(3992, "12").await, |_| 1;
    Object |portal| portal.unlink(&place(), 1, &serde_json::from_value(json!("withdrawn")).unwrap(), &key()).await, |_| 1;
    Object |portal| portal.post_message(3992, &message("m-1"), &key()).await, |_| 1;
    Object |portal| portal.messages(3992, Part::default()).await, |_| 1;
    Object |portal| portal.receipts(&message_id()).await, |_| 1;
    Object |portal| portal.events(Part::default()).await, |_| 1;
    Object |portal| portal.evidence(3992).await, |_| 1;
};

/// Answers W.
pub fn web(data: &[u8]) {
    call(data, WEB, NONE);
}

/// What is written is what was read: dates, instants, digests, contacts, and whatever else stands in an answer as a text.
pub fn dates(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    if let Ok(date) = text.parse::<CalendarDate>() {
        assert_eq!(date.to_string(), text);
        let day = date.date();
        assert_eq!(format!("{:02}/{:02}/{:04}", day.day(), day.month(), day.year()), text);
        assert_eq!(CalendarDate::try_from(day).ok(), Some(date));
    }
    let json = serde_json::Value::from(text.as_str());
    if let Ok(date) = serde_json::from_value::<CalendarDate>(json.clone()) {
        assert_eq!(serde_json::to_value(date).unwrap(), json);
    }
    if let Ok(instant) = text.parse::<Instant>() {
        let written = instant.to_string();
        assert_eq!(written.parse::<Instant>().ok(), Some(instant), "{text:?} is written as {written}");
    }
    if let Ok(digest) = text.parse::<Sha256>() {
        assert_eq!(digest.to_string(), text.to_lowercase(), "{text:?}");
    }
    let read = |json| serde_json::from_value::<ContactRef>(json).ok();
    let named = ContactRef::client(text.as_str()).ok();
    for contact in [named, read(json!({"kind": text, "code": "1"})), read(json!({"kind": "C", "code": text}))]
        .into_iter()
        .flatten()
    {
        let written = serde_json::to_value(&contact).unwrap();
        assert_eq!(read(written.clone()).as_ref(), Some(&contact), "{text:?} is written as {written}");
        let path = contact.path();
        assert!(path.is_ascii() && !path.contains(['?', '#', ' ', '\\']) && !path.contains(".."), "{path:?}");
    }
}

/// Each line a message or a receipt. In whatever order they come and how often, the thread is the same; a message is never changed.
pub fn thread(data: &[u8]) {
    let (mut messages, mut receipts) = (Vec::<Message>::new(), Vec::<Receipt>::new());
    for line in data.split(|byte| *byte == b'\n') {
        match (serde_json::from_slice::<Message>(line), serde_json::from_slice::<Receipt>(line)) {
            (Ok(message), _) if !messages.iter().any(|known| known.message_id == message.message_id) => {
                let written = serde_json::to_value(&message).unwrap();
                assert_eq!(serde_json::from_value::<Message>(written).ok().as_ref(), Some(&message));
                messages.push(message);
            }
            (_, Ok(receipt)) if !receipts.iter().any(|known| known.receipt_id == receipt.receipt_id) => {
                let written = serde_json::to_value(&receipt).unwrap();
                assert_eq!(serde_json::from_value::<Receipt>(written).ok().as_ref(), Some(&receipt));
                receipts.push(receipt);
            }
            _ => {}
        }
    }
    let now = "2026-03-03T00:00:00Z".parse().unwrap();
    let mut straight = Thread::new();
    messages.iter().for_each(|message| assert_eq!(straight.add(message), Added::New));
    receipts.iter().for_each(|receipt| drop(straight.receive(receipt, now)));
    let mut backwards = Thread::new();
    for _ in 0..2 {
        receipts.iter().rev().for_each(|receipt| drop(backwards.receive(receipt, now)));
        messages.iter().rev().for_each(|message| assert!(backwards.add(message) != Added::Refused));
    }
    for message in &messages {
        let id = &message.message_id;
        assert_eq!(straight.state(id), backwards.state(id));
        assert_eq!(straight.receipts(id), backwards.receipts(id));
        assert!(straight.receipts(id).iter().all(|receipt| receipt.message_id == *id));
    }
    let posted: BTreeSet<_> = messages.iter().map(|message| &message.message_id).collect();
    let parked = receipts.iter().filter(|receipt| !posted.contains(&receipt.message_id)).count();
    let late = "2027-03-03T00:00:00Z".parse().unwrap();
    assert_eq!((straight.overdue(late).len(), straight.overdue(now).len()), (parked, 0));
}

/// What was exported, and an honest head kept from before.
fn exported() -> (Evidence, Vec<Head>) {
    let mut chain = Chain::new("demo", 3992);
    let mut heads = vec![chain.end()];
    let mut bodies = BTreeMap::new();
    for id in ["m-1", "m-2"] {
        heads.push(chain.add_message(&message(id), &[Sha256::of(b"file")]).unwrap());
        let receipt = json!({"receiptId": format!("r-{id}"), "messageId": id, "event": "read",
            "at": "2026-03-02T10:15:09.000Z", "actor": "viewer:C/4879"});
        heads.push(chain.add_receipt(&serde_json::from_value(receipt).unwrap()).unwrap());
        bodies.insert(id.to_owned(), "Hola".to_owned());
    }
    (Evidence::new("demo", 3992, "2026-03-03T00:00:00Z".parse().unwrap(), bodies, chain), heads)
}

/// `0`: an export as somebody else wrote it. `1`: changes to one that is right, three bytes each: where (two), and what is written
/// there. Whatever still verifies from the head that was kept says what was exported.
pub fn evidence(data: &[u8]) {
    let mut input = Input(data);
    let (honest, heads) = exported();
    let mut text = serde_json::to_vec(&honest).unwrap();
    if input.byte() % 2 == 0 {
        text = input.0.to_vec();
    } else {
        for change in input.0.chunks_exact(3).take(16) {
            let place = (usize::from(change[0]) << 8 | usize::from(change[1])) % text.len();
            text[place] = change[2];
        }
    }
    let Ok(read) = serde_json::from_slice::<Evidence>(&text) else { return };
    let written = serde_json::to_vec(&read).unwrap();
    assert_eq!(serde_json::from_slice::<Evidence>(&written).ok().as_ref(), Some(&read));
    let Ok(head) = read.verify(None) else {
        assert!(heads.iter().all(|kept| read.verify(Some(kept)).is_err()), "a kept head makes it right");
        return;
    };
    assert_eq!(head, read.chain.end());
    assert_eq!(read.verify(Some(&head)), Ok(head));
    // A record less is noticed by who kept the head.
    let mut cut = read.clone();
    if cut.chain.records.pop().is_some() {
        assert!(cut.verify(Some(&head)).is_err() && cut.verify(None).is_err());
    }
    if heads.last() == Some(&head) && read.verify(heads.last()).is_ok() {
        // The time of the export is no part of the chain.
        assert_eq!((&read.tenant, read.case_id), (&honest.tenant, honest.case_id));
        assert_eq!((&read.bodies, &read.chain), (&honest.bodies, &honest.chain), "a changed export verifies");
    }
}
