//! Threads of messages, receipts that only move forward, and the chain of evidence (X1 to X7).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::wire::{Message, Receipt, ReceiptEvent, canonical, sha256};
use crate::blob;
use ring::digest::{Context, SHA256};

/// A message with its place in the chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Posted {
    pub(super) seq: u64,
    pub(super) hash: String,
    pub(super) message: Message,
    /// Receipts with state, place and hash of the answer each got.
    pub(super) receipts: Vec<(Receipt, Value)>,
}

impl Posted {
    /// The highest event, whatever the order in which they came.
    pub(super) fn state(&self) -> &'static str {
        match self.receipts.iter().map(|(receipt, _)| receipt.event).max() {
            None => "sent",
            Some(ReceiptEvent::Delivered) => "delivered",
            Some(ReceiptEvent::Read) => "read",
            Some(ReceiptEvent::Acknowledged) => "acknowledged",
        }
    }
}

/// The thread of one case.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Thread {
    pub(super) posted: Vec<Posted>,
    /// Records with their hash.
    pub(super) records: Vec<Value>,
    head: Vec<u8>,
}

impl Thread {
    pub(super) fn new(tenant: &str, case: i64) -> Self {
        let mut first = Context::new(&SHA256);
        first.update(b"apiges-sync/evidence/v1\0");
        first.update(tenant.as_bytes());
        first.update(b"\0");
        first.update(case.to_string().as_bytes());
        Self { posted: Vec::new(), records: Vec::new(), head: first.finish().as_ref().to_vec() }
    }

    pub(super) fn head(&self) -> String {
        blob::hex(&self.head)
    }

    /// Appends a record, and answers its place and hash.
    fn append(&mut self, mut record: Value) -> (u64, String) {
        let seq = self.records.len() as u64 + 1;
        put(&mut record, "seq", json!(seq));
        let mut next = Context::new(&SHA256);
        next.update(&self.head);
        // Records hold texts and one integer, which always have a canonical form.
        next.update(canonical(&record).unwrap_or_default().as_bytes());
        self.head = next.finish().as_ref().to_vec();
        let hash = self.head();
        put(&mut record, "hash", json!(hash));
        self.records.push(record);
        (seq, hash)
    }

    /// Takes a message; `blobs` are the digests of its attachments.
    pub(super) fn post(&mut self, message: Message, mut blobs: Vec<String>) -> (u64, String) {
        let mut record = json!({
            "actor": format!("{}:{}", message.author.role, message.author.name),
            "at": message.sent_at,
            "bodySha256": sha256(message.body.as_bytes()),
            "id": message.message_id,
            "type": "message",
        });
        if !blobs.is_empty() {
            blobs.sort();
            put(&mut record, "attachments", json!(blobs));
        }
        if let Some(replaced) = &message.replaces {
            put(&mut record, "replaces", json!(replaced));
        }
        let (seq, hash) = self.append(record);
        self.posted.push(Posted { seq, hash: hash.clone(), message, receipts: Vec::new() });
        (seq, hash)
    }

    /// Takes a receipt of the message at this place; a known one changes nothing.
    pub(super) fn receive(&mut self, place: usize, receipt: Receipt) -> Option<Value> {
        let known =
            self.posted.get(place)?.receipts.iter().find(|(own, _)| own.receipt_id == receipt.receipt_id);
        if let Some((_, answer)) = known {
            return Some(answer.clone());
        }
        let (seq, hash) = self.append(json!({
            "actor": receipt.actor,
            "at": receipt.at,
            "event": receipt.event,
            "id": receipt.receipt_id,
            "messageId": receipt.message_id,
            "type": "receipt",
        }));
        let posted = self.posted.get_mut(place)?;
        posted.receipts.push((receipt, Value::Null));
        let answer = json!({ "state": posted.state(), "seq": seq, "hash": hash });
        if let Some((_, own)) = posted.receipts.last_mut() {
            own.clone_from(&answer);
        }
        Some(answer)
    }
}

fn put(record: &mut Value, key: &str, value: Value) {
    if let Some(fields) = record.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        serde_json::from_value(json!({
            "messageId": "m-1", "author": { "role": "firm", "ref": "u1" },
            "sentAt": "2026-03-02T10:15:04.120Z", "lang": "es", "body": "Hola", "attachments": [],
        }))
        .unwrap()
    }

    fn receipt(id: &str, event: &str) -> Receipt {
        serde_json::from_value(json!({
            "receiptId": id, "messageId": "m-1", "event": event,
            "at": "2026-03-02T10:15:09.000Z", "actor": "viewer:C/4879",
        }))
        .unwrap()
    }

    #[test]
    fn the_chain_of_the_contract() {
        let mut thread = Thread::new("demo", 3992);
        assert_eq!(thread.head(), "fce0b75df40e20baa06d9118090359a2c432f59bf2ac4a0f0caa861fe4db1e14");
        let (seq, hash) = thread.post(message(), Vec::new());
        assert_eq!(
            (seq, hash.as_str()),
            (1, "b52b5abf7d8d2f21f3a4901740793113e67ff322c6aacd232f16dc02121a3c13")
        );
        thread.receive(0, receipt("r-1", "read")).unwrap();
        assert_eq!(thread.head(), "0b8afc951c3bc584370233f787b5ad827a0cc05c7b313481c6911bad85f1e8f3");
    }

    #[test]
    fn receipts_in_every_order_give_one_state_and_twice_is_once() {
        let events = ["delivered", "read", "acknowledged"];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut thread = Thread::new("demo", 1);
            thread.post(message(), Vec::new());
            for at in order {
                thread.receive(0, receipt(events[at], events[at])).unwrap();
                let before = thread.head();
                thread.receive(0, receipt(events[at], events[at])).unwrap();
                assert_eq!(thread.head(), before);
            }
            assert_eq!((thread.posted[0].state(), thread.records.len()), ("acknowledged", 4));
        }
    }
}
