//! Messages, receipts, the feed and evidence (contract 4.9, group "messages" of section 7, traps 23 and 24), against a portal that is
//! played from memory; whole flows against the simulator stand in `documents_sandbox.rs`.
#![cfg(feature = "store")]
// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use apiges_sync::evidence::{Head, Integrity};
use apiges_sync::messages::{Aside, Done, Messages, Sent};
use apiges_sync::thread::Received;
use apiges_sync::web::*;
use apiges_sync::{Error, ErrorClass, ErrorExt, Fault, ManualClock, Outcome};
use integration_store::Store;
use serde_json::{Value, json};
use support::{Lost, Portal, dropped_after, key};

const CASE: u64 = 3992;
const H1: &str = "b52b5abf7d8d2f21f3a4901740793113e67ff322c6aacd232f16dc02121a3c13";
const H2: &str = "0b8afc951c3bc584370233f787b5ad827a0cc05c7b313481c6911bad85f1e8f3";

struct Firm {
    portal: Arc<Portal>,
    store: Store,
    clock: ManualClock,
}

impl Firm {
    async fn new() -> Self {
        let store = Store::open("memory:").await.unwrap();
        Self { portal: Portal::new(), store, clock: ManualClock::new() }
    }

    /// As a program that has just started.
    fn messages(&self) -> Messages {
        Messages::new(self.portal.clone(), &self.store, Arc::new(self.clock.clone()))
    }

    #[allow(clippy::needless_pass_by_value)] // Written at each use as a literal.
    fn happens(&self, kind: &str, case: u64, payload: Value) {
        let mut state = self.portal.state();
        let cursor = format!("c{}", state.events.len() + 1);
        let event = json!({"cursor": cursor, "type": kind, "caseId": case, "payload": payload});
        state.events.push(serde_json::from_value(event).unwrap());
    }

    async fn kept(&self) -> (usize, String) {
        let stored = self.store.checkpoints("apiges/demo/messages");
        let cursor = stored.get().await.unwrap().map_or_else(Default::default, |stands| stands.cursor);
        let log = stored.records("log/3992", None, 1000).await.unwrap();
        (log.len(), String::from_utf8(cursor.to_vec()).unwrap())
    }
}

fn message_json(id: &str, body: &str) -> Value {
    json!({"messageId": id, "author": {"role": "firm", "ref": "u1"}, "sentAt": "2026-03-02T10:15:04.120Z",
        "lang": "es", "body": body, "attachments": []})
}

fn message(id: &str, body: &str) -> Message {
    serde_json::from_value(message_json(id, body)).unwrap()
}

fn from_viewer(id: &str, body: &str) -> Value {
    let mut message = message_json(id, body);
    message["author"] = json!({"role": "viewer", "ref": "C/4879"});
    message
}

fn receipt(id: &str, of: &str, event: &str) -> Value {
    json!({"receiptId": id, "messageId": of, "event": event, "at": "2026-03-02T10:15:09.000Z", "actor": "viewer:C/4879"})
}

fn code(error: &Error) -> RefusalCode {
    Refusal::of(error).unwrap().code.clone()
}

#[tokio::test]
async fn a_message_is_posted_under_its_own_key_and_kept() {
    let firm = Firm::new().await;
    let stored = firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap();
    assert_eq!((stored.seq, stored.hash.to_string().as_str()), (1, H1));
    assert_eq!(firm.portal.state().keys, [key("message", "m-1", 0)]);
    // Known: answered from what was kept, without asking.
    assert_eq!(firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap(), stored);
    assert_eq!(firm.portal.calls(), ["W70"]);
    assert_eq!(firm.messages().messages(CASE).await.unwrap(), [message("m-1", "Hola")]);
    assert_eq!(firm.messages().head(CASE).await.unwrap(), Some(Head { seq: 1, hash: H1.parse().unwrap() }));
    let composed = firm.messages().compose("u1", "es", "Hola").unwrap();
    assert_eq!(
        (composed.author.to_string().as_str(), composed.sent_at.to_string().as_str()),
        ("firm:u1", "1970-01-01T00:00:00.000Z")
    );
}

/// Trap 23: here and at the portal.
#[tokio::test]
async fn what_is_written_stays_and_a_correction_replaces_it() {
    let firm = Firm::new().await;
    firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap();
    let error = firm.messages().post(CASE, &message("m-1", "Adiós canario")).await.unwrap_err();
    assert_eq!(
        (code(&error), error.class(), error.outcome()),
        (RefusalCode::MessageExists, ErrorClass::Conflict, Outcome::NotSent)
    );
    assert!(!format!("{error} {error:?}").contains("canario"));
    let stranger = Firm { store: Store::open("memory:").await.unwrap(), ..firm };
    let error = stranger.messages().post(CASE, &message("m-1", "Adiós")).await.unwrap_err();
    assert_eq!(
        (code(&error), error.class(), error.outcome()),
        (RefusalCode::MessageExists, ErrorClass::Conflict, Outcome::Refused)
    );
    assert!(error.hint().contains("replaces"));
    assert!(stranger.messages().resume().await.unwrap().is_empty(), "it is not tried again");
    let mut correction = message("m-2", "Adiós");
    correction.replaces = Some(MessageId::new("m-1"));
    assert_eq!(stranger.messages().post(CASE, &correction).await.unwrap().seq, 2);
    let posted = stranger.portal.state().messages["m-1"].1.clone();
    assert_eq!(posted, message("m-1", "Hola"));
}

#[tokio::test]
async fn every_fault_of_a_message_is_told_at_once_and_nothing_is_sent() {
    let firm = Firm::new().await;
    let mut bad = message(" ", " ");
    bad.author = Author { role: AuthorRole::Viewer, reference: String::new() };
    bad.lang = String::new();
    bad.attachments = vec![String::new(), String::new()];
    bad.replaces = Some(bad.message_id.clone());
    let error = firm.messages().post(CASE, &bad).await.unwrap_err();
    let paths: Vec<&str> = error.faults().iter().map(Fault::path).collect();
    assert_eq!(
        paths,
        ["messageId", "author.role", "author.ref", "lang", "body", "attachments", "attachments", "replaces"]
    );
    let bad: Receipt = serde_json::from_value(json!({"receiptId": "", "messageId": "", "event": "typed",
        "at": "2026-03-02T10:15:09.000Z", "actor": " "}))
    .unwrap();
    let error = firm.messages().report(CASE, &bad).await.unwrap_err();
    let paths: Vec<&str> = error.faults().iter().map(Fault::path).collect();
    assert_eq!(paths, ["receiptId", "messageId", "actor", "event"]);
    assert!(firm.portal.calls().is_empty() && firm.messages().resume().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_repeated_with_the_same_id_and_key() {
    for lost in [Lost::BeforeActing, Lost::AfterActing] {
        let firm = Firm::new().await;
        firm.portal.lose("W70", lost);
        let error = firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap_err();
        assert!(error.is_outcome_unknown());
        let resumed = firm.messages().resume().await.unwrap();
        assert_eq!(resumed[0].what, Sent::Message(MessageId::new("m-1")));
        assert_eq!(resumed[0].result.as_ref().unwrap().hash.to_string(), H1);
        assert_eq!(firm.portal.state().chains[&CASE].seq(), 1);
        assert!(firm.portal.state().keys.iter().all(|own| *own == key("message", "m-1", 0)));
        assert!(firm.messages().resume().await.unwrap().is_empty());
    }
}

/// Dropped at every point where it waits; the next program knows only the store.
#[tokio::test]
async fn a_crash_of_a_post_ends_in_one_message() {
    for points in 0.. {
        let firm = Firm::new().await;
        let finished = dropped_after(points, firm.messages().post(CASE, &message("m-1", "Hola")));
        let resumed = firm.messages().resume().await.unwrap();
        assert_eq!(
            resumed.len(),
            usize::from(points > 0 && finished.is_none()),
            "written down before it leaves"
        );
        assert_eq!(firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap().seq, 1);
        let told = firm.portal.state().chains[&CASE].seq();
        assert_eq!((told, firm.kept().await.0), (1, 1));
        if finished.is_some() {
            assert_eq!(points, 3);
            break;
        }
    }
}

#[tokio::test]
async fn what_may_still_arrive_stays_and_what_was_refused_does_not() {
    let firm = Firm::new().await;
    let receipt = firm.messages().receipt("u1", &MessageId::new("m-1"), ReceiptEvent::Read).unwrap();
    assert_eq!(receipt.actor, "firm:u1");
    let error = firm.messages().report(CASE, &receipt).await.unwrap_err();
    assert_eq!(code(&error), RefusalCode::NotFound);
    assert!(firm.messages().resume().await.unwrap().is_empty());
    firm.portal.lose("W70", Lost::BeforeActing);
    firm.portal.lose("W70", Lost::BeforeActing);
    firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap_err();
    assert!(firm.messages().resume().await.unwrap()[0].result.is_err());
    assert!(firm.messages().resume().await.unwrap()[0].result.is_ok());
    let stored = firm.messages().report(CASE, &receipt).await.unwrap();
    assert_eq!((stored.state, stored.seq), (ThreadState::Read, 2));
    assert_eq!(firm.portal.state().keys.last(), Some(&key("receipt", receipt.receipt_id.as_str(), 0)));
}

/// Trap 24, X2: every order of three receipts and a repeat.
#[tokio::test]
async fn receipts_in_every_order_give_one_state() {
    let events = ["delivered", "read", "acknowledged"];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let firm = Firm::new().await;
        firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap();
        for event in order.map(|at| events[at]) {
            firm.happens("receipt", CASE, receipt(event, "m-1", event));
            firm.happens("receipt", CASE, receipt(event, "m-1", event));
        }
        let taken = firm.messages().take_in(None).await.unwrap();
        assert_eq!((taken.new.len(), taken.known), (3, 3));
        let (messages, id) = (firm.messages(), MessageId::new("m-1"));
        assert_eq!(messages.state(CASE, &id).await.unwrap(), Some(ThreadState::Acknowledged), "{order:?}");
        assert_eq!(messages.thread(CASE).await.unwrap().receipts(&id).len(), 3);
    }
}

/// Trap 24, X3.
#[tokio::test]
async fn a_receipt_before_its_message_waits_a_day_and_is_reported() {
    let firm = Firm::new().await;
    firm.happens("receipt", CASE, receipt("r-1", "m-1", "read"));
    firm.happens("receipt", CASE, receipt("r-9", "m-9", "read"));
    let taken = firm.messages().take_in(None).await.unwrap();
    assert!(taken.new.iter().all(|(_, done)| matches!(done, Done::Received(_, Received::Parked))));
    firm.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert!(firm.messages().overdue().await.unwrap().is_empty());
    firm.clock.advance(Duration::from_secs(1));
    let overdue = firm.messages().overdue().await.unwrap();
    assert_eq!(overdue.iter().map(|one| one.message.as_str()).collect::<Vec<_>>(), ["m-1", "m-9"]);
    // One message comes by the feed, the other is posted.
    firm.happens("message", CASE, from_viewer("m-1", "Hola"));
    firm.messages().take_in(None).await.unwrap();
    assert_eq!(firm.messages().overdue().await.unwrap().len(), 1);
    firm.messages().post(CASE, &message("m-9", "Hola")).await.unwrap();
    assert!(firm.messages().overdue().await.unwrap().is_empty());
    for id in ["m-1", "m-9"] {
        let state = firm.messages().state(CASE, &MessageId::new(id)).await.unwrap();
        assert_eq!(state, Some(ThreadState::Read), "{id}");
    }
}

/// A receipt and its message in one page: nothing stays parked.
#[tokio::test]
async fn a_message_of_the_same_page_takes_its_receipt() {
    let firm = Firm::new().await;
    firm.happens("receipt", CASE, receipt("r-1", "m-1", "read"));
    firm.happens("message", CASE, from_viewer("m-1", "Hola"));
    firm.messages().take_in(None).await.unwrap();
    firm.clock.advance(Duration::from_secs(48 * 3600));
    assert!(firm.messages().overdue().await.unwrap().is_empty());
    assert_eq!(firm.messages().state(CASE, &MessageId::new("m-1")).await.unwrap(), Some(ThreadState::Read));
}

/// X4: dropped at every point; the cursor stands with what it brought.
#[tokio::test]
async fn the_cursor_and_its_events_are_one() {
    for points in 0.. {
        let firm = Firm::new().await;
        for n in 1..=4 {
            firm.happens("message", CASE, from_viewer(&format!("m-{n}"), "Hola"));
        }
        let finished = dropped_after(points, firm.messages().take_in(Some(2)));
        let expected = if finished.is_some() { (2, "c2".to_owned()) } else { (0, String::new()) };
        assert_eq!(firm.kept().await, expected, "{points}");
        let mut pages = 0;
        while firm.messages().take_in(Some(2)).await.unwrap().more {
            pages += 1;
            assert!(pages < 9, "the cursor does not move");
        }
        assert_eq!(
            (firm.kept().await, pages),
            ((4, "c4".to_owned()), if finished.is_some() { 0 } else { 1 })
        );
        let inbound = firm.messages().inbound(None, 100).await.unwrap();
        let ids: Vec<Value> = inbound.iter().map(|(_, event)| event.payload["messageId"].clone()).collect();
        assert_eq!(ids, ["m-1", "m-2", "m-3", "m-4"]);
        let rest = firm.messages().inbound(Some(&inbound[1].0), 100).await.unwrap();
        assert_eq!(rest.len(), 2);
        assert_eq!(firm.messages().take_in(None).await.unwrap(), Default::default());
        if finished.is_some() {
            assert_eq!(points, 3);
            break;
        }
    }
}

#[tokio::test]
async fn posting_does_not_move_the_cursor_and_taking_in_does_not_lose_a_post() {
    let firm = Firm::new().await;
    firm.happens("message", CASE, from_viewer("v-1", "Hola"));
    firm.messages().take_in(None).await.unwrap();
    firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap();
    assert_eq!(firm.kept().await, (2, "c1".to_owned()));
    // Two at once: each is decided anew until both are kept.
    firm.happens("message", CASE, from_viewer("v-2", "Hola"));
    let (messages, second) = (firm.messages(), message("m-2", "Hola"));
    let (taken, posted) = tokio::join!(messages.take_in(None), messages.post(CASE, &second));
    assert_eq!((taken.unwrap().new.len(), posted.unwrap().seq), (1, 2));
    assert_eq!(firm.kept().await, (4, "c2".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_taken_in_is_put_aside_whole_and_blocks_nothing() {
    let firm = Firm::new().await;
    firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap();
    firm.happens("message", CASE, json!({"messageId": "m-2", "body": "canario"}));
    firm.happens("receipt", CASE, json!("canario"));
    firm.happens("typing", CASE, json!({"who": "canario"}));
    firm.happens("message", CASE, from_viewer("m-1", "canario"));
    firm.happens("message", CASE, from_viewer("m-3", "canario"));
    let taken = firm.messages().take_in(None).await.unwrap();
    let aside: Vec<Aside> = taken.aside.iter().map(|(_, why)| *why).collect();
    assert_eq!(aside, [Aside::Unreadable, Aside::Unreadable, Aside::Unknown, Aside::Contradicts]);
    assert_eq!((taken.new.len(), firm.kept().await), (1, (2, "c5".to_owned())));
    let kept = firm.messages().aside(None, 10).await.unwrap();
    assert_eq!(kept[3].1.payload, from_viewer("m-1", "canario"));
    assert!(!format!("{taken:?} {kept:?} {:?}", firm.messages()).contains("canario"));
    assert_eq!(firm.messages().messages(CASE).await.unwrap()[0].body, "Hola");
}

#[tokio::test]
async fn a_feed_that_does_not_move_is_an_error() {
    let firm = Firm::new().await;
    firm.happens("message", CASE, from_viewer("m-1", "Hola"));
    firm.messages().take_in(None).await.unwrap();
    firm.happens("message", CASE, from_viewer("m-2", "Hola"));
    firm.portal.state().events[1].cursor = "c1".into();
    let error = firm.messages().take_in(None).await.unwrap_err();
    assert_eq!((error.class(), firm.kept().await), (ErrorClass::UnexpectedShape, (1, "c1".to_owned())));
}

/// The vectors of section 4.9, through the portal and back.
async fn exported() -> Firm {
    let firm = Firm::new().await;
    firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap();
    let read = serde_json::from_value(receipt("r-1", "m-1", "read")).unwrap();
    firm.portal.state().chains.get_mut(&CASE).unwrap().add_receipt(&read).unwrap();
    firm
}

#[tokio::test]
async fn an_export_holds_bodies_records_head_tenant_case_and_time() {
    let firm = exported().await;
    let evidence = firm.messages().export(CASE).await.unwrap();
    assert_eq!(
        (evidence.tenant.as_str(), evidence.case_id, evidence.bodies["m-1"].as_str()),
        ("demo", CASE, "Hola")
    );
    assert_eq!(
        (evidence.chain.head.to_string().as_str(), evidence.at.to_string().as_str()),
        (H2, "1970-01-01T00:00:00.000Z")
    );
    assert_eq!(firm.messages().head(CASE).await.unwrap(), Some(Head { seq: 2, hash: H2.parse().unwrap() }));
    assert!(!format!("{evidence:?}").contains("Hola"));
    // Seven messages are more than two pages, and all bodies are there.
    for n in 2..=7 {
        firm.messages().post(CASE, &message(&format!("m-{n}"), "Hola")).await.unwrap();
    }
    assert_eq!(firm.messages().export(CASE).await.unwrap().bodies.len(), 7);
}

/// X7: one changed byte, one missing record, a shortened export, a changed body, another past.
#[tokio::test]
async fn what_does_not_hold_is_an_integrity_error_that_names_it() {
    let firm = exported().await;
    firm.messages().export(CASE).await.unwrap();
    let good = serde_json::to_value(firm.portal.state().chains[&CASE].clone()).unwrap();
    let export = async |chain: Value| {
        firm.portal.state().evidence = Some(serde_json::from_value(chain).unwrap());
        let error = firm.messages().export(CASE).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Integrity);
        *error.find_source::<Integrity>().unwrap()
    };
    let mut changed = good.clone();
    changed["records"][0]["at"] = json!("2026-03-02T10:15:04.121Z");
    assert_eq!(export(changed).await, Integrity::Hash { seq: 1 });
    let mut missing = good.clone();
    missing["records"].as_array_mut().unwrap().remove(0);
    assert_eq!(export(missing).await, Integrity::Sequence { expected: 1 });
    let mut shortened = good.clone();
    shortened["records"].as_array_mut().unwrap().pop();
    shortened["head"] = json!(H1);
    assert_eq!(export(shortened).await, Integrity::NotAnExtension { seq: 2 });
    let other = apiges_sync::evidence::Chain::new("demo", CASE);
    assert_eq!(export(serde_json::to_value(other).unwrap()).await, Integrity::NotAnExtension { seq: 2 });
    assert_eq!(firm.messages().head(CASE).await.unwrap().unwrap().seq, 2, "the head that was kept stays");
    firm.portal.state().evidence = None;
    firm.messages().export(CASE).await.unwrap();
    firm.portal.state().messages.get_mut("m-1").unwrap().1.body = "hola".into();
    let error = firm.messages().export(CASE).await.unwrap_err();
    assert_eq!(error.find_source::<Integrity>(), Some(&Integrity::Body { seq: 1 }));
    assert!(!format!("{error} {error:?}").contains("hola"));
}

/// What was posted from here is a witness too: a portal that forgets it is found out at the first export.
#[tokio::test]
async fn the_first_export_must_hold_what_was_posted() {
    let firm = Firm::new().await;
    firm.messages().post(CASE, &message("m-1", "Hola")).await.unwrap();
    firm.portal.state().chains.clear();
    firm.portal.state().messages.clear();
    let error = firm.messages().export(CASE).await.unwrap_err();
    assert_eq!(error.find_source::<Integrity>(), Some(&Integrity::NotAnExtension { seq: 1 }));
}

/// A message that comes between the chain and the bodies belongs to the next export.
#[tokio::test]
async fn a_message_that_came_meanwhile_is_no_stray_body() {
    let firm = exported().await;
    let before = firm.portal.state().chains[&CASE].clone();
    firm.portal.state().posted_elsewhere(CASE, &message("m-2", "Adiós"));
    firm.portal.state().evidence = Some(before);
    assert_eq!(firm.messages().export(CASE).await.unwrap().bodies.len(), 1);
    firm.portal.state().evidence = None;
    assert_eq!(firm.messages().export(CASE).await.unwrap().bodies.len(), 2);
}
