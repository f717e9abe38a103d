//! Messages, receipts, the feed of what was made on the portal, and the export of evidence (rows W70 to W75).

use serde_json::{Value, json};

use super::evidence::{Posted, Thread};
use super::portal::{Done, Portal};
use super::refusal::Refusal;
use super::view::Viewer;
use super::wire::{Author, ContactRef, Message, Receipt, ReceiptEvent};
use crate::chance;

impl Portal {
    /// W70
    pub(super) fn post_message(&mut self, case: i64, message: Message) -> Done {
        if !self.cases.contains_key(&case) {
            return Err(Refusal::not_found());
        }
        if let Some((own_case, posted)) = self.posted(&message.message_id) {
            return if own_case == case && posted.message == message {
                Ok((200, json!({ "seq": posted.seq, "hash": posted.hash })))
            } else {
                Err(Refusal::conflict("message-exists", Value::Null))
            };
        }
        let refused = |reason: &str| Refusal::unprocessable("refused", json!({ "reason": reason }));
        let replaced = message.replaces.as_ref();
        if replaced.is_some_and(|id| self.messages.get(id).is_none_or(|(own, _)| *own != case)) {
            return Err(refused("replaces"));
        }
        let name = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let blobs: Option<Vec<String>> =
            message.attachments.iter().map(|id| self.document_digest(case, &name(id))).collect();
        let blobs = blobs.ok_or_else(|| refused("attachments"))?;
        let id = message.message_id.clone();
        let thread = self.threads.entry(case).or_insert_with(|| Thread::new(&self.tenant, case));
        let place = thread.posted.len();
        let (seq, hash) = thread.post(message, blobs);
        self.messages.insert(id, (case, place));
        Ok((200, json!({ "seq": seq, "hash": hash })))
    }

    fn posted(&self, message: &str) -> Option<(i64, &Posted)> {
        let (case, place) = self.messages.get(message)?;
        Some((*case, self.threads.get(case)?.posted.get(*place)?))
    }

    /// W71
    pub(super) fn list_messages(&self, case: i64, after: usize, limit: usize) -> Done {
        if !self.cases.contains_key(&case) {
            return Err(Refusal::not_found());
        }
        let posted = self.threads.get(&case).into_iter().flat_map(|thread| &thread.posted);
        let rest: Vec<&Posted> = posted.filter(|posted| posted.seq > after as u64).collect();
        let items: Vec<Value> = rest.iter().take(limit).map(|posted| message_json(posted)).collect();
        let last = rest.get(limit.saturating_sub(1)).filter(|_| rest.len() > limit);
        Ok((200, json!({ "items": items, "next": last.map(|posted| posted.seq.to_string()) })))
    }

    /// W72
    pub(super) fn receive(&mut self, message: &str, receipt: Receipt) -> Done {
        if receipt.message_id != message {
            return Err(Refusal::invalid("messageId"));
        }
        let (case, place) = *self.messages.get(message).ok_or_else(Refusal::not_found)?;
        let thread = self.threads.get_mut(&case).ok_or_else(Refusal::not_found)?;
        Ok((200, thread.receive(place, receipt).ok_or_else(Refusal::not_found)?))
    }

    /// W73
    pub(super) fn receipts(&self, message: &str) -> Done {
        let (_, posted) = self.posted(message).ok_or_else(Refusal::not_found)?;
        let items: Vec<&Receipt> = posted.receipts.iter().map(|(receipt, _)| receipt).collect();
        Ok((200, json!({ "items": items, "state": posted.state() })))
    }

    /// W74
    pub(super) fn list_events(&self, after: usize, limit: usize) -> Done {
        let items: Vec<&Value> = self.events.iter().skip(after).take(limit).collect();
        let end = after.saturating_add(items.len());
        let next = (end < self.events.len()).then(|| end.to_string());
        Ok((200, json!({ "items": items, "next": next })))
    }

    /// W75
    pub(super) fn evidence(&self, case: i64) -> Done {
        if !self.cases.contains_key(&case) {
            return Err(Refusal::not_found());
        }
        let empty = Thread::new(&self.tenant, case);
        let thread = self.threads.get(&case).unwrap_or(&empty);
        let data = json!({
            "tenant": self.tenant,
            "caseId": case,
            "records": thread.records,
            "head": thread.head(),
        });
        Ok((200, data))
    }

    fn happened(&mut self, kind: &str, case: i64, payload: &Value) {
        let cursor = (self.events.len() + 1).to_string();
        self.events.push(json!({ "cursor": cursor, "type": kind, "caseId": case, "payload": payload }));
    }

    /// A viewer writes on the portal; nothing if he does not see the case. Answers the message's id.
    pub(super) fn viewer_writes(
        &mut self,
        case: i64,
        viewer: &ContactRef,
        text: &str,
        now: &str,
    ) -> Option<String> {
        let lang = self.grants.get(viewer)?.lang;
        if !self.seen(&Viewer::Own(viewer.clone())).contains_key(&case) {
            return None;
        }
        let id = uuid();
        let message = Message {
            message_id: id.clone(),
            author: Author { role: "viewer".to_owned(), name: viewer.to_string() },
            sent_at: now.to_owned(),
            lang,
            body: text.to_owned(),
            attachments: Vec::new(),
            replaces: None,
        };
        let payload = json!(message);
        self.post_message(case, message).ok()?;
        self.happened("message", case, &payload);
        Some(id)
    }

    /// Something happens to a message on the portal; nothing if the viewer does not see its case.
    pub(super) fn viewer_receives(
        &mut self,
        message: &str,
        viewer: &ContactRef,
        event: ReceiptEvent,
        now: &str,
    ) -> Option<String> {
        let (case, _) = self.posted(message)?;
        if !self.seen(&Viewer::Own(viewer.clone())).contains_key(&case) {
            return None;
        }
        let id = uuid();
        let receipt = Receipt {
            receipt_id: id.clone(),
            message_id: message.to_owned(),
            event,
            at: now.to_owned(),
            actor: format!("viewer:{viewer}"),
        };
        let payload = json!(receipt);
        self.receive(message, receipt).ok()?;
        self.happened("receipt", case, &payload);
        Some(id)
    }

    /// State of a message, if there is such.
    pub(super) fn message_state(&self, message: &str) -> Option<&'static str> {
        self.posted(message).map(|(_, posted)| posted.state())
    }
}

fn message_json(posted: &Posted) -> Value {
    let mut message = json!(posted.message);
    if let Some(fields) = message.as_object_mut() {
        fields.insert("seq".to_owned(), json!(posted.seq));
        fields.insert("hash".to_owned(), json!(posted.hash));
    }
    message
}

fn uuid() -> String {
    let hex = chance::hex(16);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}
