//! Messages, receipts and what was made on the portal (contract 3.6, 4.9, W70-W75).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{Instant, MessageId, ReceiptId, Sha256};
use super::number;
use integration_core::{Error, ErrorKind, Outcome, open_enum};

open_enum! {
    /// Which side wrote.
    AuthorRole {
        /// The firm.
        Firm = "firm",
        /// A viewer.
        Viewer = "viewer",
    }
}

open_enum! {
    /// What happened to a message.
    ReceiptEvent {
        /// It reached the viewer's portal.
        Delivered = "delivered",
        /// It was opened.
        Read = "read",
        /// It was acknowledged; that cannot be undone.
        Acknowledged = "acknowledged",
    }
}

open_enum! {
    /// How far a message is (X2).
    ThreadState {
        /// Sent.
        Sent = "sent",
        /// Delivered.
        Delivered = "delivered",
        /// Read.
        Read = "read",
        /// Acknowledged.
        Acknowledged = "acknowledged",
    }
}

open_enum! {
    /// What was made on the portal.
    EventKind {
        /// A [`Message`].
        Message = "message",
        /// A [`Receipt`].
        Receipt = "receipt",
    }
}

/// Who wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Author {
    /// Which side.
    pub role: AuthorRole,
    /// Who there: a user of the firm, or a contact as `C/4879`.
    #[serde(rename = "ref")]
    #[doc(alias = "ref")]
    pub reference: String,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.role, self.reference)
    }
}

/// Body of W70. A thread only grows: a correction is a new message that `replaces` another (X1). `Debug` does not show the body.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[doc(alias = "mensaje")]
pub struct Message {
    /// Names it, so that it can be sent again without being doubled.
    pub message_id: MessageId,
    /// Who wrote it.
    pub author: Author,
    /// When.
    pub sent_at: Instant,
    /// Its language, as the writer chose it.
    pub lang: String,
    /// What it says.
    pub body: String,
    /// Documents of the case that belong to it.
    #[serde(default)]
    pub attachments: Vec<String>,
    /// The message that it corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MessageId>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("message_id", &self.message_id)
            .field("author", &self.author)
            .field("sent_at", &self.sent_at)
            .field("attachments", &self.attachments.len())
            .field("replaces", &self.replaces)
            .finish_non_exhaustive()
    }
}

/// Answer of W70.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageStored {
    /// Its place in the case's evidence.
    #[serde(deserialize_with = "number::read")]
    pub seq: u64,
    /// The head of the chain with it.
    pub hash: Sha256,
}

/// Answer of W71.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePage {
    /// The messages in the order of `seq`.
    pub items: Vec<StoredMessage>,
    /// Where the next page begins; nothing at the end.
    #[serde(default, deserialize_with = "number::text_option")]
    pub next: Option<String>,
}

/// A message with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// Its place in the case's evidence.
    #[serde(deserialize_with = "number::read")]
    pub seq: u64,
    /// The message.
    #[serde(flatten)]
    pub message: Message,
}

/// Body of W72.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[doc(alias("acuse de recibo", "acuse"))]
pub struct Receipt {
    /// Names it: a known one is a no-op (X3).
    pub receipt_id: ReceiptId,
    /// Which message.
    pub message_id: MessageId,
    /// What happened.
    pub event: ReceiptEvent,
    /// When.
    pub at: Instant,
    /// To whom.
    pub actor: String,
}

/// Answer of W72.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptStored {
    /// How far the message is now.
    pub state: ThreadState,
    /// Its place in the case's evidence.
    #[serde(deserialize_with = "number::read")]
    pub seq: u64,
    /// The head of the chain with it.
    pub hash: Sha256,
}

/// Answer of W73.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipts {
    /// Every receipt, late ones too.
    pub items: Vec<Receipt>,
}

/// Answer of W74.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPage {
    /// What was made on the portal.
    pub items: Vec<Event>,
    /// Where the next page begins; nothing at the end.
    #[serde(default, deserialize_with = "number::text_option")]
    pub next: Option<String>,
}

/// Something that was made on the portal. `Debug` does not show the payload.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Where it stands in the feed; stored together with what it brought (X4).
    #[serde(deserialize_with = "number::text")]
    pub cursor: String,
    /// What it is.
    #[serde(rename = "type")]
    #[doc(alias = "type")]
    pub kind: EventKind,
    /// The file.
    #[serde(deserialize_with = "number::read")]
    pub case_id: u64,
    /// The message or receipt, as it came: [`Event::message`], [`Event::receipt`].
    pub payload: serde_json::Value,
}

impl Event {
    /// The message, if it is one.
    ///
    /// # Errors
    /// If it says that it is one and cannot be read as one.
    pub fn message(&self) -> Result<Option<Message>, Error> {
        self.payload_of(&EventKind::Message)
    }

    /// The receipt, if it is one.
    ///
    /// # Errors
    /// If it says that it is one and cannot be read as one.
    pub fn receipt(&self) -> Result<Option<Receipt>, Error> {
        self.payload_of(&EventKind::Receipt)
    }

    /// The cause of a failed reading may quote what it read, so it is not told.
    fn payload_of<T: serde::de::DeserializeOwned>(&self, kind: &EventKind) -> Result<Option<T>, Error> {
        if self.kind != *kind {
            return Ok(None);
        }
        T::deserialize(&self.payload).map(Some).map_err(|_| {
            Error::new(ErrorKind::UnexpectedAnswer, "read an event")
                .with_outcome(Outcome::ReadOnly)
                .with_message(format!("the payload is not a {kind}"))
                .with_hint("compare the portal's version with the mapping that this crate speaks")
        })
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("cursor", &self.cursor)
            .field("kind", &self.kind)
            .field("case_id", &self.case_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_has_the_contracts_form_and_prints_no_body() {
        let wire = json!({"messageId": "m-1", "author": {"role": "firm", "ref": "u1"},
            "sentAt": "2026-03-02T10:15:04.120Z", "lang": "es", "body": "Hola", "attachments": ["7"], "replaces": "m-0"});
        let message: Message = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&message).unwrap(), wire);
        assert_eq!(message.author.to_string(), "firm:u1");
        assert!(!format!("{message:?}").contains("Hola"));
    }

    #[test]
    fn an_event_gives_what_it_says_it_is() {
        let receipt = json!({"receiptId": "r-1", "messageId": "m-1", "event": "read", "at": "2026-03-02T10:15:09.000Z",
            "actor": "viewer:C/4879"});
        let event = |kind| json!({"cursor": 5, "type": kind, "caseId": 3992, "payload": receipt});
        let read: Event = serde_json::from_value(event("receipt")).unwrap();
        assert_eq!(read.cursor, "5");
        assert_eq!(serde_json::to_value(read.receipt().unwrap().unwrap()).unwrap(), receipt);
        assert_eq!(read.message().unwrap(), None);
        let wrong: Event = serde_json::from_value(event("message")).unwrap();
        let error = wrong.message().unwrap_err();
        assert!(
            error.to_string().contains("not a message") && !format!("{error:?}").contains("4879"),
            "{error}"
        );
        let new: Event = serde_json::from_value(event("typing")).unwrap();
        assert_eq!((new.kind.as_str(), new.receipt().unwrap()), ("typing", None));
    }
}
