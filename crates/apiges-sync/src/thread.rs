//! How far each message of a case is, whatever the order in which receipts arrive (contract X1 to X3).
//!
//! Pure: what is kept and when it is asked is the caller's. Receipts are for the firm only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::web::{Message, MessageId, Receipt, ReceiptEvent, ReceiptId, ThreadState};

/// How long a receipt waits for its message before it is reported.
pub const PARKED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Added {
    /// It is new.
    New,
    /// It was there in the same form.
    Known,
    /// Another message has its id: threads only grow, a correction is a new message that `replaces` it (X1).
    Refused,
}

/// What became of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// It raised the message to this state.
    Raised(ThreadState),
    /// It is kept, and the message stays in this state.
    Kept(ThreadState),
    /// It was there: a no-op.
    Known,
    /// It waits for its message.
    Parked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Posted {
    message: Message,
    state: ThreadState,
    receipts: Vec<Receipt>,
}

/// The messages and receipts of one case.
///
/// ```
/// use apiges_sync::thread::{Received, Thread};
/// use apiges_sync::web::{Message, MessageId, Receipt, ThreadState};
/// # use serde_json::json;
/// # let message: Message = serde_json::from_value(json!({"messageId": "m-1", "author": {"role": "firm", "ref": "u1"},
/// #     "sentAt": "2026-03-02T10:15:04.120Z", "lang": "es", "body": "Hola"}))?;
/// # let receipt = |id: &str, event: &str| serde_json::from_value::<Receipt>(json!({"receiptId": id, "messageId": "m-1",
/// #     "event": event, "at": "2026-03-02T10:15:09.000Z", "actor": "viewer:C/4879"}));
/// let now = "2026-03-02T10:16:00Z".parse()?;
/// let mut thread = Thread::new();
/// thread.add(&message);
/// assert_eq!(thread.receive(&receipt("r-1", "read")?, now), Received::Raised(ThreadState::Read));
/// assert_eq!(thread.receive(&receipt("r-2", "delivered")?, now), Received::Kept(ThreadState::Read));
/// assert_eq!(thread.receive(&receipt("r-2", "delivered")?, now), Received::Known);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    posted: BTreeMap<MessageId, Posted>,
    known: BTreeSet<ReceiptId>,
    parked: Vec<(Timestamp, Receipt)>,
}

impl Thread {
    /// A thread without messages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message, and the receipts that waited for it.
    pub fn add(&mut self, message: &Message) -> Added {
        if let Some(there) = self.posted.get(&message.message_id) {
            return if there.message == *message { Added::Known } else { Added::Refused };
        }
        let posted = Posted { message: message.clone(), state: ThreadState::Sent, receipts: Vec::new() };
        self.posted.insert(message.message_id.clone(), posted);
        self.unpark(&message.message_id);
        Added::New
    }

    fn unpark(&mut self, id: &MessageId) {
        let waiting = std::mem::take(&mut self.parked);
        let (due, waiting) = waiting.into_iter().partition(|(_, receipt)| receipt.message_id == *id);
        self.parked = waiting;
        let due: Vec<(Timestamp, Receipt)> = due;
        if let Some(posted) = self.posted.get_mut(id) {
            due.iter().for_each(|(_, receipt)| {
                posted.take(receipt);
            });
        }
    }

    /// Takes a receipt that arrived at `now`.
    pub fn receive(&mut self, receipt: &Receipt, now: Timestamp) -> Received {
        if !self.known.insert(receipt.receipt_id.clone()) {
            return Received::Known;
        }
        let Some(posted) = self.posted.get_mut(&receipt.message_id) else {
            self.parked.push((now, receipt.clone()));
            return Received::Parked;
        };
        posted.take(receipt)
    }

    /// How far a message is; nothing if there is none.
    #[must_use]
    pub fn state(&self, message: &MessageId) -> Option<&ThreadState> {
        self.posted.get(message).map(|posted| &posted.state)
    }

    /// Every receipt of a message, late ones too, by time.
    #[must_use]
    pub fn receipts(&self, message: &MessageId) -> &[Receipt] {
        self.posted.get(message).map_or(&[], |posted| &posted.receipts)
    }

    /// The receipts that have waited for [`PARKED_FOR`] or longer: to be reported, their message is missing.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> Vec<&Receipt> {
        let long = i128::try_from(PARKED_FOR.as_nanos()).unwrap_or(i128::MAX);
        let late = |since: &Timestamp| now.as_nanosecond() - since.as_nanosecond() >= long;
        self.parked.iter().filter(|(since, _)| late(since)).map(|(_, receipt)| receipt).collect()
    }
}

impl Posted {
    fn take(&mut self, receipt: &Receipt) -> Received {
        let place = self.receipts.partition_point(|there| order(there) < order(receipt));
        self.receipts.insert(place, receipt.clone());
        match raised_to(&receipt.event) {
            Some(state) if rank(&state) > rank(&self.state) => {
                self.state = state.clone();
                Received::Raised(state)
            }
            _ => Received::Kept(self.state.clone()),
        }
    }
}

fn order(receipt: &Receipt) -> (crate::web::Instant, &ReceiptId) {
    (receipt.at, &receipt.receipt_id)
}

/// An event that this crate does not know is kept and raises nothing: nobody could say where it belongs.
fn raised_to(event: &ReceiptEvent) -> Option<ThreadState> {
    match event {
        ReceiptEvent::Delivered => Some(ThreadState::Delivered),
        ReceiptEvent::Read => Some(ThreadState::Read),
        ReceiptEvent::Acknowledged => Some(ThreadState::Acknowledged),
        ReceiptEvent::Other(_) => None,
    }
}

fn rank(state: &ThreadState) -> u8 {
    match state {
        ThreadState::Sent | ThreadState::Other(_) => 0,
        ThreadState::Delivered => 1,
        ThreadState::Read => 2,
        ThreadState::Acknowledged => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn message(id: &str, body: &str) -> Message {
        serde_json::from_value(json!({"messageId": id, "author": {"role": "firm", "ref": "u1"}, "lang": "es",
            "sentAt": "2026-03-02T10:15:04.120Z", "body": body}))
        .unwrap()
    }

    fn receipt(id: u32, message: &str, event: &str) -> Receipt {
        serde_json::from_value(json!({"receiptId": format!("r-{id}"), "messageId": message, "event": event,
            "at": format!("2026-03-02T10:15:{:02}.000Z", id % 60), "actor": "viewer:C/4879"}))
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_message_is_never_changed() {
        let mut thread = Thread::new();
        assert_eq!(thread.add(&message("m", "Hola")), Added::New);
        assert_eq!(thread.add(&message("m", "Hola")), Added::Known);
        assert_eq!(thread.add(&message("m", "Adiós")), Added::Refused);
        assert_eq!(thread.state(&MessageId::new("m")), Some(&ThreadState::Sent));
        assert_eq!(thread.state(&MessageId::new("n")), None);
    }

    #[test]
    fn a_late_lower_event_is_kept_and_lowers_nothing() {
        let (mut thread, now) = (Thread::new(), at("2026-03-02T12:00:00Z"));
        thread.add(&message("m", ""));
        assert_eq!(
            thread.receive(&receipt(3, "m", "acknowledged"), now),
            Received::Raised(ThreadState::Acknowledged)
        );
        assert_eq!(thread.receive(&receipt(2, "m", "read"), now), Received::Kept(ThreadState::Acknowledged));
        assert_eq!(thread.receive(&receipt(1, "m", "typed"), now), Received::Kept(ThreadState::Acknowledged));
        assert_eq!(thread.receive(&receipt(2, "m", "read"), now), Received::Known);
        let events: Vec<&str> =
            thread.receipts(&MessageId::new("m")).iter().map(|receipt| receipt.event.as_str()).collect();
        assert_eq!(events, ["typed", "read", "acknowledged"]);
    }

    #[test]
    fn a_receipt_before_its_message_waits_a_day() {
        let (mut thread, arrival) = (Thread::new(), at("2026-03-02T12:00:00Z"));
        assert_eq!(thread.receive(&receipt(1, "m", "read"), arrival), Received::Parked);
        assert_eq!(thread.receive(&receipt(1, "m", "read"), arrival), Received::Known);
        assert!(thread.overdue(at("2026-03-03T11:59:59.999Z")).is_empty());
        assert_eq!(thread.overdue(at("2026-03-03T12:00:00Z")).len(), 1);
        thread.add(&message("m", ""));
        assert!(thread.overdue(at("2027-01-01T00:00:00Z")).is_empty());
        assert_eq!(thread.state(&MessageId::new("m")), Some(&ThreadState::Read));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Message(&'static str),
        Receipt(Receipt),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let events = prop::sample::select(vec!["delivered", "read", "acknowledged", "novel"]);
        let receipts = prop::collection::vec((prop::sample::select(vec!["m", "n"]), events), 0..8);
        receipts.prop_map(|receipts| {
            let receipt = |(id, (of, event))| Step::Receipt(receipt(id, of, event));
            let mut steps: Vec<Step> = (0u32..).zip(receipts).map(receipt).collect();
            steps.extend(steps.clone());
            steps.extend([Step::Message("m"), Step::Message("n"), Step::Message("m")]);
            steps
        })
    }

    fn played(steps: &[Step]) -> Thread {
        let mut thread = Thread::new();
        for step in steps {
            match step {
                Step::Message(id) => drop(thread.add(&message(id, ""))),
                Step::Receipt(receipt) => drop(thread.receive(receipt, at("2026-03-02T12:00:00Z"))),
            }
        }
        thread
    }

    /// The highest event of a message, by looking for each.
    fn highest(steps: &[Step], id: &str) -> ThreadState {
        let happened = |event| {
            steps.iter().any(
                |step| matches!(step, Step::Receipt(r) if r.message_id.as_str() == id && r.event == event),
            )
        };
        if happened(ReceiptEvent::Acknowledged) {
            ThreadState::Acknowledged
        } else if happened(ReceiptEvent::Read) {
            ThreadState::Read
        } else if happened(ReceiptEvent::Delivered) {
            ThreadState::Delivered
        } else {
            ThreadState::Sent
        }
    }

    proptest! {
        #[test]
        fn every_order_gives_one_state(
            (sorted, shuffled) in steps().prop_flat_map(|steps| (Just(steps.clone()), Just(steps).prop_shuffle()))
        ) {
            let thread = played(&shuffled);
            prop_assert_eq!(&thread, &played(&sorted));
            for id in ["m", "n"] {
                prop_assert_eq!(thread.state(&MessageId::new(id)), Some(&highest(&sorted, id)));
            }
        }
    }
}
