//! Messages, receipts, the feed of what was made on the portal, and the evidence of it all (contract 4.9, W70 to W75).

use serde_json::json;

use super::super::{
    Author, AuthorRole, ContactRef, Event, EventKind, EventPage, Instant, Message, MessageId, MessagePage,
    MessageStored, Part, Receipt, ReceiptEvent, ReceiptId, ReceiptStored, Receipts, RefusalCode, Sha256,
    StoredMessage, ThreadState,
};
use super::denial::Denial;
use super::portal::{Portal, place};
use crate::evidence::{Chain, Head};

/// The thread of a case. It only grows (X1).
#[derive(Debug)]
pub(super) struct CaseThread {
    chain: Chain,
    messages: Vec<(StoredMessage, Sha256)>,
    receipts: Vec<Receipt>,
}

/// Where a receipt stands in the evidence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    seq: u64,
    hash: Sha256,
}

impl From<Head> for Recorded {
    fn from(head: Head) -> Self {
        Self { seq: head.seq, hash: head.hash }
    }
}

impl CaseThread {
    /// As the highest event says; a late lower one does not lower it (X2).
    fn state(&self, message: &MessageId) -> ThreadState {
        let own = self.receipts.iter().filter(|receipt| receipt.message_id == *message);
        own.map(|receipt| raised_to(&receipt.event)).max().unwrap_or(ThreadState::Sent)
    }
}

fn raised_to(event: &ReceiptEvent) -> ThreadState {
    match event {
        ReceiptEvent::Delivered => ThreadState::Delivered,
        ReceiptEvent::Read => ThreadState::Read,
        ReceiptEvent::Acknowledged => ThreadState::Acknowledged,
        ReceiptEvent::Other(_) => ThreadState::Sent,
    }
}

impl Portal {
    fn thread(&mut self, case: u64) -> &mut CaseThread {
        let tenant = &self.tenant;
        self.threads.entry(case).or_insert_with(|| CaseThread {
            chain: Chain::new(tenant, case),
            messages: Vec::new(),
            receipts: Vec::new(),
        })
    }

    /// W70
    pub(super) fn post_message(&mut self, case: u64, message: &Message) -> Result<MessageStored, Denial> {
        if !AuthorRole::LISTED.contains(&message.author.role) {
            return Err(Denial::invalid("author"));
        }
        self.is_known(case)?;
        if let Some(known) = self.messages.get(&message.message_id) {
            return self.again(*known, case, message);
        }
        let replaced = message.replaces.as_ref().map(|replaced| self.messages.get(replaced));
        if replaced.is_some_and(|replaced| replaced != Some(&case)) {
            return Err(Denial::refused("replaces"));
        }
        let attached = self.attached(case, &message.attachments)?;
        self.add_message(case, message, &attached)
    }

    fn is_known(&self, case: u64) -> Result<(), Denial> {
        if self.cases.contains_key(&case) { Ok(()) } else { Err(Denial::not_found()) }
    }

    /// The answer of the first time, if the message is the same (X1).
    fn again(&self, known: u64, case: u64, message: &Message) -> Result<MessageStored, Denial> {
        let thread = self.threads.get(&case).filter(|_| known == case);
        let mut messages = thread.into_iter().flat_map(|thread| &thread.messages);
        let same = messages.find(|(stored, _)| stored.message == *message);
        same.map(|(stored, hash)| MessageStored { seq: stored.seq, hash: *hash })
            .ok_or_else(|| Denial::conflict(RefusalCode::MessageExists))
    }

    fn add_message(
        &mut self,
        case: u64,
        message: &Message,
        attached: &[Sha256],
    ) -> Result<MessageStored, Denial> {
        let thread = self.thread(case);
        let Head { seq, hash } =
            thread.chain.add_message(message, attached).map_err(|_| Denial::invalid("message"))?;
        thread.messages.push((StoredMessage { seq, message: message.clone() }, hash));
        self.messages.insert(message.message_id.clone(), case);
        Ok(MessageStored { seq, hash })
    }

    /// W71
    pub(super) fn list_messages(&self, case: u64, part: &Part) -> Result<MessagePage, Denial> {
        self.is_known(case)?;
        let after = place(part)?;
        let all = self.threads.get(&case).into_iter().flat_map(|thread| &thread.messages);
        let rest = all.map(|(stored, _)| stored).filter(|stored| stored.seq > after);
        let (items, next) = self.page(part, rest.map(|stored| (stored.seq.to_string(), stored.clone())))?;
        Ok(MessagePage { items, next })
    }

    /// W72
    pub(super) fn post_receipt(&mut self, receipt: &Receipt) -> Result<ReceiptStored, Denial> {
        if !ReceiptEvent::LISTED.contains(&receipt.event) {
            return Err(Denial::invalid("event"));
        }
        let case = *self.messages.get(&receipt.message_id).ok_or_else(Denial::not_found)?;
        let known = self.receipts.get(&receipt.receipt_id).copied();
        let recorded = known.map_or_else(|| self.add_receipt(case, receipt), Ok)?;
        let Recorded { seq, hash } = recorded;
        Ok(ReceiptStored { state: self.thread(case).state(&receipt.message_id), seq, hash })
    }

    fn add_receipt(&mut self, case: u64, receipt: &Receipt) -> Result<Recorded, Denial> {
        let thread = self.thread(case);
        let head = thread.chain.add_receipt(receipt).map_err(|_| Denial::invalid("receipt"))?;
        thread.receipts.push(receipt.clone());
        self.receipts.insert(receipt.receipt_id.clone(), head.into());
        Ok(head.into())
    }

    /// W73
    pub(super) fn list_receipts(&self, message: &MessageId) -> Result<Receipts, Denial> {
        let case = self.messages.get(message).ok_or_else(Denial::not_found)?;
        let all = self.threads.get(case).into_iter().flat_map(|thread| &thread.receipts);
        Ok(Receipts { items: all.filter(|receipt| receipt.message_id == *message).cloned().collect() })
    }

    /// W74
    pub(super) fn list_events(&self, part: &Part) -> Result<EventPage, Denial> {
        let after = place(part)?;
        let all = (1u64..).zip(&self.events).filter(|(number, _)| *number > after);
        let (items, next) =
            self.page(part, all.map(|(number, event)| (number.to_string(), event.clone())))?;
        Ok(EventPage { items, next })
    }

    /// W75
    pub(super) fn evidence(&self, case: u64) -> Result<Chain, Denial> {
        self.is_known(case)?;
        let thread = self.threads.get(&case);
        Ok(thread.map_or_else(|| Chain::new(&self.tenant, case), |thread| thread.chain.clone()))
    }

    fn tell(&mut self, kind: EventKind, case_id: u64, payload: serde_json::Value) {
        let cursor = (self.events.len() + 1).to_string();
        self.events.push(Event { cursor, kind, case_id, payload });
    }

    /// A message that is made on the portal.
    pub(super) fn viewer_writes(
        &mut self,
        case: u64,
        viewer: &ContactRef,
        text: &str,
        now: Instant,
    ) -> Option<MessageId> {
        if !self.sees(viewer, case) {
            return None;
        }
        let lang = self.grants.get(viewer).map(|grant| json!(grant.lang))?;
        let message = Message {
            message_id: MessageId::new(self.issue()),
            author: Author { role: AuthorRole::Viewer, reference: viewer.to_string() },
            sent_at: now,
            lang: lang.as_str()?.to_owned(),
            body: text.to_owned(),
            attachments: Vec::new(),
            replaces: None,
        };
        self.add_message(case, &message, &[]).ok()?;
        self.tell(EventKind::Message, case, json!(message));
        Some(message.message_id)
    }

    /// A receipt that is made on the portal.
    pub(super) fn viewer_receives(
        &mut self,
        message: &MessageId,
        viewer: &ContactRef,
        event: ReceiptEvent,
        now: Instant,
    ) -> Option<ReceiptId> {
        let case = *self.messages.get(message)?;
        if !self.sees(viewer, case) {
            return None;
        }
        let receipt = Receipt {
            receipt_id: ReceiptId::new(self.issue()),
            message_id: message.clone(),
            event,
            at: now,
            actor: Author { role: AuthorRole::Viewer, reference: viewer.to_string() }.to_string(),
        };
        self.add_receipt(case, &receipt).ok()?;
        self.tell(EventKind::Receipt, case, json!(receipt));
        Some(receipt.receipt_id)
    }
}
