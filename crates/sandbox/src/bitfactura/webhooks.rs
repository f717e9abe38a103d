//! Webhooks: rows, the bodies of events in the captured shapes, and what was posted (contract sections 3.6 and 4.6).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::invoices::{is_paid, public_url};
use super::office::{Office, is_true};
use super::settings::WebhookShape;
use crate::clock::Moment;
use crate::crm::rows::{Row, key, text};

/// A webhook and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Webhook {
    /// Its number, from 1.
    pub number: usize,
    /// The row that it is sent for.
    pub row: u64,
    /// Such as `client:update`; not part of what is sent.
    pub kind: String,
    /// Id of the client, invoice or product.
    pub record: u64,
    /// Where it goes.
    pub url: String,
    /// What is sent, without faults.
    pub body: Value,
    /// Name of the fault that spoils it.
    pub fault: Option<String>,
    /// Every posting.
    pub attempts: Vec<Attempt>,
    /// Nothing more will be tried.
    pub finished: bool,
}

impl Webhook {
    /// Whether a receiver answered 2xx.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.attempts.iter().any(Attempt::is_accepted)
    }
}

/// One posting of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// When.
    pub at: String,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub error: Option<String>,
}

impl Attempt {
    pub(super) fn new(at: Moment, answered: Result<(u16, String), String>) -> Self {
        let at = at.iso_micros();
        match answered {
            Ok((status, _)) => Self { at, status: Some(status), error: None },
            Err(error) => Self { at, status: None, error: Some(error) },
        }
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// One way to spoil a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WebhookFault {
    /// Never posted.
    Lost,
    /// Posted this many times more, whatever the receiver answers.
    Duplicate {
        /// How many times more.
        copies: u32,
    },
    /// Posted after this delay; others overtake it.
    Late {
        /// In JSON `delay_ms`, milliseconds.
        #[serde(rename = "delay_ms", with = "crate::fault::millis")]
        delay: Duration,
    },
    /// Posted when the test releases it: out of order without a clock.
    Hold,
    /// Posted right after the next one, or when the test releases it if none follows: out of order.
    Overtaken,
    /// The echoed `api_token` differs: a forgery.
    WrongToken,
    /// The body is not JSON.
    NotJson,
    /// The body is followed by spaces up to this length.
    Oversized {
        /// Bytes.
        bytes: u64,
    },
}

impl WebhookFault {
    /// One of each, for the control API's help.
    pub(crate) fn examples() -> Vec<Self> {
        vec![
            Self::Lost,
            Self::Duplicate { copies: 1 },
            Self::Late { delay: Duration::from_millis(500) },
            Self::Hold,
            Self::Overtaken,
            Self::WrongToken,
            Self::NotJson,
            Self::Oversized { bytes: 2_097_152 },
        ]
    }

    /// The name used by the control API, such as `overtaken`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicate { .. } => "duplicate",
            Self::Late { .. } => "late",
            Self::Hold => "hold",
            Self::Overtaken => "overtaken",
            Self::WrongToken => "wrong_token",
            Self::NotJson => "not_json",
            Self::Oversized { .. } => "oversized",
        }
    }
}

/// A webhook on its way.
#[derive(Debug)]
pub(crate) struct Letter {
    /// Its place in the log.
    pub(super) index: usize,
    pub(super) row: u64,
    pub(super) url: String,
    pub(super) body: Value,
    pub(super) fault: Option<WebhookFault>,
}

/// Fields of a client in its event.
const CLIENT_EVENT: &[&str] = &[
    "name",
    "tax_no",
    "post_code",
    "city",
    "street",
    "street_no",
    "first_name",
    "last_name",
    "country",
    "email",
    "phone",
    "mobile_phone",
    "www",
    "fax",
    "kind",
    "bank",
    "bank_account",
    "bank_account_id",
    "shortcut",
    "note",
    "discount",
    "payment_to_kind",
    "use_delivery_address",
    "delivery_address",
    "company",
    "register_number",
];

impl Office {
    /// Writes a letter to every active row of this kind.
    pub(super) fn fire(&mut self, kind: &str, record: u64, event: &Map<String, Value>) {
        let rows: Vec<u64> = self.webhooks.with(&key("kind", kind)).collect();
        for id in rows {
            if self.webhooks.get(id).is_some_and(|row| is_true(row.get("active"))) {
                self.write_letter(id, kind, record, event.clone());
            }
        }
    }

    fn write_letter(&mut self, id: u64, kind: &str, record: u64, event: Map<String, Value>) {
        let Some(row) = self.webhooks.get(id) else { return };
        let (url, secret) = (row.text("url"), row.get("api_token").clone());
        let body = self.envelope(secret, event);
        let faults = &mut self.webhook_faults;
        let fault = faults.next(&Some(kind.to_owned())).or_else(|| faults.next(&None));
        let index = self.sent.len();
        self.sent.push(Webhook {
            number: index.saturating_add(1),
            row: id,
            kind: kind.to_owned(),
            record,
            url: url.clone(),
            body: body.clone(),
            fault: fault.as_ref().map(|fault| fault.name().to_owned()),
            attempts: Vec::new(),
            finished: false,
        });
        self.letters.push(Letter { index, row: id, url, body, fault });
    }

    /// What stands around every event.
    fn envelope(&self, secret: Value, mut event: Map<String, Value>) -> Value {
        let help_page = self.settings.webhook_shape == WebhookShape::HelpPage;
        let app_name = if help_page { "BitFactura" } else { &self.settings.app_name };
        event.insert("app_name".into(), json!(app_name));
        event.insert("api_token".into(), secret);
        event.insert("locale".into(), json!(self.settings.locale));
        if help_page {
            let client = event.get("client").and_then(|client| client.get("id")).cloned();
            event.insert("client_id".into(), client.unwrap_or_default());
        }
        Value::Object(event)
    }

    /// `{APP: id}`, the id as a number.
    fn external(&self, id: u64) -> Value {
        let mut ids = Map::new();
        ids.insert(self.settings.app_key.clone(), json!(id));
        Value::Object(ids)
    }

    /// The body of a client event.
    pub(super) fn client_event(&self, row: &Row) -> Map<String, Value> {
        let mut client: Map<String, Value> =
            CLIENT_EVENT.iter().map(|name| ((*name).to_owned(), row.get(name).clone())).collect();
        client.insert("id".into(), json!(row.id));
        client.insert("deleted".into(), json!(is_true(row.get("deleted"))));
        client.insert("external_ids".into(), self.external(row.id));
        let payer = text(row.get("buyer_id")).parse().ok().and_then(|id| self.clients.get(id));
        let payer =
            payer.map(|payer| json!({ "name": payer.get("name"), "external_ids": self.external(payer.id) }));
        client.insert("buyer".into(), payer.unwrap_or_else(|| json!({})));
        client.insert("skip_webhooks".into(), json!(true));
        Map::from_iter([("client".to_owned(), Value::Object(client))])
    }

    /// The body of an invoice event, which carries a deal.
    pub(super) fn invoice_event(&self, row: &Row) -> Map<String, Value> {
        let first = row.get("positions").get(0).and_then(|position| position.get("name")).map(text);
        let name = first.filter(|name| !name.is_empty()).unwrap_or_else(|| row.text("number"));
        let mut deal = json!({
            "name": name, "description": row.get("description"), "price": row.get("price_gross"),
            "paid": is_paid(row), "date": row.get("issue_date"), "invoice_no": row.get("number"),
            "kind": row.get("kind"), "url": public_url(&self.base_url, &self.settings, row),
            "external_ids": self.external(row.id), "client": self.deal_client(row), "skip_webhooks": true,
        });
        let mut event = Map::new();
        if self.settings.webhook_shape == WebhookShape::Newer {
            event.insert("id".into(), json!(row.id));
            if let Some(deal) = deal.as_object_mut() {
                deal.insert("status".into(), row.get("status").clone());
                deal.insert("currency".into(), row.get("currency").clone());
            }
        }
        event.insert("deal".into(), deal);
        event
    }

    /// The client of an invoice event: no e-mail, no phone.
    fn deal_client(&self, invoice: &Row) -> Value {
        let id = invoice.get("client_id").as_u64().unwrap_or(0);
        let client = self.clients.get(id);
        let of = |name: &str| client.map(|client| client.get(name).clone()).unwrap_or_default();
        json!({
            "name": invoice.get("buyer_name"), "tax_no": invoice.get("buyer_tax_no"),
            "first_name": of("first_name"), "last_name": of("last_name"), "bank_account": of("bank_account"),
            "bank_account_id": Value::Null, "register_number": of("register_number"),
            "external_ids": self.external(id), "skip_webhooks": true,
        })
    }

    /// Writes a `client:sync` letter for every client, by rising id. Tells how many.
    pub(crate) fn fire_sync(&mut self, row: u64) -> usize {
        let events: Vec<_> =
            self.clients.iter().map(|client| (client.id, self.client_event(client))).collect();
        let count = events.len();
        for (id, event) in events {
            self.write_letter(row, "client:sync", id, event);
        }
        count
    }

    /// Closes a letter; a row that failed too often in a row is switched off.
    pub(super) fn finish_letter(&mut self, letter: &Letter, now: Moment) {
        let Some(sent) = self.sent.get_mut(letter.index) else { return };
        sent.finished = true;
        if sent.attempts.is_empty() {
            return;
        }
        if sent.accepted() {
            self.failures.remove(&letter.row);
            return;
        }
        let failures = self.failures.entry(letter.row).or_insert(0);
        *failures = failures.saturating_add(1);
        if self.settings.switches_off_after.is_some_and(|limit| *failures >= limit) {
            self.failures.remove(&letter.row);
            self.webhooks.change(letter.row, now, |row| drop(row.insert("active".into(), json!(false))));
        }
    }
}
