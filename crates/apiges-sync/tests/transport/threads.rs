//! Messages, receipts, the feed and the evidence (contract 4.9, W70 to W75).

use apiges_sync::web::*;
use serde_json::json;

use crate::support::{Acts, PAGE, at, client, granted, key, push, read, refused, view};

const CASE: u64 = 3992;

fn message(id: &str, body: &str) -> Message {
    read(json!({
        "messageId": id, "author": {"role": "firm", "ref": "u1"}, "sentAt": "2026-03-02T10:15:04.120Z", "lang": "es",
        "body": body, "attachments": [],
    }))
}

fn receipt(id: &str, message: &str, event: ReceiptEvent) -> Receipt {
    Receipt {
        receipt_id: ReceiptId::new(id),
        message_id: MessageId::new(message),
        event,
        at: at(9),
        actor: "viewer:C/4879".to_owned(),
    }
}

/// The case is there, and this contact sees it.
async fn seen_by(portal: &dyn WebSyncTransport, code: &str) -> ContactRef {
    let [viewer] = granted(portal, [code]).await;
    push(CASE, 1).shows(&viewer, view("M1", None)).send(portal).await.unwrap();
    viewer
}

async fn post(portal: &dyn WebSyncTransport, id: &str, body: &str) -> MessageStored {
    portal.post_message(CASE, &message(id, body), &key()).await.unwrap()
}

async fn receive(portal: &dyn WebSyncTransport, id: &str, event: ReceiptEvent) -> ReceiptStored {
    portal.post_receipt(&receipt(id, "m-1", event), &key()).await.unwrap()
}

pub(crate) async fn a_case_that_is_not_there_has_no_thread(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let posted = portal.post_message(CASE, &message("m-1", "Hola"), &key()).await;
    assert_eq!(refused(posted), RefusalCode::NotFound);
    assert_eq!(refused(portal.messages(CASE, Part::default()).await), RefusalCode::NotFound);
    assert_eq!(refused(portal.evidence(CASE).await), RefusalCode::NotFound);
}

/// The vector of 4.9.
pub(crate) async fn the_evidence_is_the_contracts_vector(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    seen_by(portal, "4879").await;
    let beginning = portal.evidence(CASE).await.unwrap();
    let h0 = "fce0b75df40e20baa06d9118090359a2c432f59bf2ac4a0f0caa861fe4db1e14";
    assert_eq!((beginning.head.to_string().as_str(), beginning.records.len()), (h0, 0));
    let posted = post(portal, "m-1", "Hola").await;
    let h1 = "b52b5abf7d8d2f21f3a4901740793113e67ff322c6aacd232f16dc02121a3c13";
    assert_eq!((posted.seq, posted.hash.to_string().as_str()), (1, h1));
    let received = receive(portal, "r-1", ReceiptEvent::Read).await;
    let h2 = "0b8afc951c3bc584370233f787b5ad827a0cc05c7b313481c6911bad85f1e8f3";
    assert_eq!((received.seq, received.hash.to_string().as_str()), (2, h2));
    let chain = portal.evidence(CASE).await.unwrap();
    let head = chain.verify(portal.tenant(), CASE, Some(&beginning.end())).unwrap();
    assert_eq!((head.seq, head.hash.to_string().as_str(), chain.head), (2, h2, head.hash));
}

pub(crate) async fn a_message_is_never_changed(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    seen_by(portal, "4879").await;
    let first = post(portal, "m-1", "Hola").await;
    post(portal, "m-2", "Adiós").await;
    // The same again, under another key: the same place.
    assert_eq!(post(portal, "m-1", "Hola").await, first);
    let edited = portal.post_message(CASE, &message("m-1", "hola"), &key()).await;
    assert_eq!(refused(edited), RefusalCode::MessageExists);
    let correction = Message { replaces: Some(MessageId::new("m-1")), ..message("m-3", "Hola!") };
    assert_eq!(portal.post_message(CASE, &correction, &key()).await.unwrap().seq, 3);
    let listed = portal.messages(CASE, Part::default()).await.unwrap().items;
    let bodies: Vec<_> = listed.iter().map(|one| one.message.body.as_str()).collect();
    assert_eq!(bodies, ["Hola", "Adiós", "Hola!"]);
    assert_eq!(listed[2].message, correction);
    portal.evidence(CASE).await.unwrap().verify(portal.tenant(), CASE, None).unwrap();
}

pub(crate) async fn messages_come_in_order_and_in_pages(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    seen_by(portal, "4879").await;
    post(portal, "m-1", "1").await;
    receive(portal, "r-1", ReceiptEvent::Delivered).await;
    for id in ["m-2", "m-3", "m-4", "m-5", "m-6"] {
        post(portal, id, id).await;
    }
    let first = portal.messages(CASE, Part::default()).await.unwrap();
    let seqs = |page: &MessagePage| page.items.iter().map(|one| one.seq).collect::<Vec<_>>();
    assert_eq!((first.items.len(), seqs(&first)), (PAGE, vec![1, 3, 4, 5]));
    let rest = portal.messages(CASE, Part::after(first.next.unwrap())).await.unwrap();
    assert_eq!((seqs(&rest), rest.next), (vec![6, 7], None));
    // `after` is a `seq`, a receipt's too.
    let middle = portal.messages(CASE, Part::after("2").limit(1)).await.unwrap();
    assert_eq!((seqs(&middle), middle.next.is_some()), (vec![3], true));
    assert_eq!(refused(portal.messages(CASE, Part::after("x")).await), RefusalCode::Invalid);
}

pub(crate) async fn a_message_carries_the_digests_of_its_documents(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    seen_by(portal, "4879").await;
    let blobs = ["uno", "dos"].map(|text| Blob::bytes("application/pdf", text));
    for (blob, document) in blobs.iter().zip(["1", "2"]) {
        portal.put_blob(blob).await.unwrap();
        let place = DocumentPlace { case: CASE, annotation: "5".to_owned(), document: document.to_owned() };
        let link: DocumentLink = read(json!({
            "version": 1, "sha256": blob.sha256, "bytes": blob.bytes, "mediaType": "application/pdf",
            "fileName": "a.pdf", "title": "A", "date": "02/03/2026",
        }));
        portal.link(&place, &link, &key()).await.unwrap();
    }
    let with = Message { attachments: vec!["1".to_owned(), "2".to_owned()], ..message("m-1", "Hola") };
    portal.post_message(CASE, &with, &key()).await.unwrap();
    let chain = portal.evidence(CASE).await.unwrap();
    let mut digests = blobs.map(|blob| blob.sha256.to_string());
    digests.sort();
    assert_eq!(chain.records[0].keys["attachments"], json!(digests));
    chain.verify(portal.tenant(), CASE, None).unwrap();
}

pub(crate) async fn a_receipt_needs_its_message(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    seen_by(portal, "4879").await;
    let early = receipt("r-1", "m-1", ReceiptEvent::Read);
    assert_eq!(refused(portal.post_receipt(&early, &key()).await), RefusalCode::NotFound);
    assert_eq!(refused(portal.receipts(&MessageId::new("m-1")).await), RefusalCode::NotFound);
    post(portal, "m-1", "Hola").await;
    assert_eq!(portal.receipts(&MessageId::new("m-1")).await.unwrap().items, []);
    portal.post_receipt(&early, &key()).await.unwrap();
    assert_eq!(portal.receipts(&MessageId::new("m-1")).await.unwrap().items, [early]);
}

pub(crate) async fn receipts_raise_a_message_and_never_lower_it(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    seen_by(portal, "4879").await;
    post(portal, "m-1", "Hola").await;
    let steps = [
        ("r-1", ReceiptEvent::Delivered, ThreadState::Delivered),
        ("r-2", ReceiptEvent::Acknowledged, ThreadState::Acknowledged),
        ("r-3", ReceiptEvent::Read, ThreadState::Acknowledged),
        ("r-4", ReceiptEvent::Delivered, ThreadState::Acknowledged),
    ];
    for (seq, (id, event, state)) in (2..).zip(steps) {
        let stored = receive(portal, id, event).await;
        assert_eq!((stored.state, stored.seq), (state, seq));
    }
    // Every one is kept.
    let kept = portal.receipts(&MessageId::new("m-1")).await.unwrap().items;
    assert_eq!(kept.len(), 4);
    // Another message has a state of its own.
    post(portal, "m-2", "Adiós").await;
    let other = portal.post_receipt(&receipt("r-5", "m-2", ReceiptEvent::Delivered), &key()).await.unwrap();
    assert_eq!(other.state, ThreadState::Delivered);
}

pub(crate) async fn a_receipt_that_is_known_changes_nothing(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    seen_by(portal, "4879").await;
    post(portal, "m-1", "Hola").await;
    let first = receive(portal, "r-1", ReceiptEvent::Delivered).await;
    assert_eq!(receive(portal, "r-1", ReceiptEvent::Delivered).await, first);
    // A no-op even if it says more now.
    assert_eq!(receive(portal, "r-1", ReceiptEvent::Acknowledged).await.state, ThreadState::Delivered);
    assert_eq!(portal.receipts(&MessageId::new("m-1")).await.unwrap().items.len(), 1);
    assert_eq!(portal.evidence(CASE).await.unwrap().records.len(), 2);
}

pub(crate) async fn the_feed_tells_what_was_made_on_the_portal(
    portal: &dyn WebSyncTransport,
    acts: &dyn Acts,
) {
    let viewer = seen_by(portal, "4879").await;
    let nobody = portal.events(Part::default()).await.unwrap();
    assert_eq!((nobody.items.len(), nobody.next), (0, None));
    post(portal, "m-1", "Hola").await;
    assert_eq!(acts.viewer_writes(CASE, &client("9"), "no"), None);
    let answer = acts.viewer_writes(CASE, &viewer, "Gracias").unwrap();
    let read = acts.viewer_receives(&MessageId::new("m-1"), &viewer, ReceiptEvent::Read).unwrap();
    let feed = portal.events(Part::default()).await.unwrap().items;
    let kinds: Vec<_> = feed.iter().map(|event| (event.kind.clone(), event.case_id)).collect();
    assert_eq!(kinds, [(EventKind::Message, CASE), (EventKind::Receipt, CASE)]);
    let written = feed[0].message().unwrap().unwrap();
    assert_eq!((&written.message_id, written.body.as_str()), (&answer, "Gracias"));
    assert_eq!(written.author.to_string(), "viewer:C/4879");
    let received = feed[1].receipt().unwrap().unwrap();
    assert_eq!((&received.receipt_id, received.actor.as_str()), (&read, "viewer:C/4879"));
    // They are in the thread and in its evidence too.
    let listed = portal.messages(CASE, Part::default()).await.unwrap().items;
    assert_eq!((listed.len(), &listed[1].message), (2, &written));
    assert_eq!(portal.receipts(&MessageId::new("m-1")).await.unwrap().items, [received]);
    let chain = portal.evidence(CASE).await.unwrap();
    assert_eq!(chain.verify(portal.tenant(), CASE, None).unwrap().seq, 3);
    // A viewer who is shut out writes nothing.
    portal.suspend(&viewer, 1, &key()).await.unwrap();
    assert_eq!(acts.viewer_writes(CASE, &viewer, "no"), None);
}

pub(crate) async fn the_feed_goes_on_behind_its_cursor(portal: &dyn WebSyncTransport, acts: &dyn Acts) {
    let viewer = seen_by(portal, "4879").await;
    for text in ["1", "2", "3", "4", "5", "6"] {
        acts.viewer_writes(CASE, &viewer, text).unwrap();
    }
    let bodies = |page: &EventPage| -> Vec<String> {
        page.items.iter().map(|event| event.message().unwrap().unwrap().body).collect()
    };
    let first = portal.events(Part::default()).await.unwrap();
    assert_eq!(bodies(&first), ["1", "2", "3", "4"]);
    // The cursor of an event stands for everything up to it, at the end of a page or not (X4).
    let next = Part::after(first.items[2].cursor.clone()).limit(2);
    let second = portal.events(next).await.unwrap();
    assert_eq!((bodies(&second), second.next.is_some()), (vec!["4".to_owned(), "5".to_owned()], true));
    let last = portal.events(Part::after(second.next.unwrap())).await.unwrap();
    assert_eq!((bodies(&last), last.next), (vec!["6".to_owned()], None));
    // At the end the cursor of the last event stays good.
    let end = Part::after(last.items[0].cursor.clone());
    assert_eq!(portal.events(end.clone()).await.unwrap().items.len(), 0);
    acts.viewer_writes(CASE, &viewer, "7").unwrap();
    assert_eq!(bodies(&portal.events(end).await.unwrap()), ["7"]);
    assert_eq!(refused(portal.events(Part::after("x")).await), RefusalCode::Invalid);
}
