//! The two ports over the clients of both services.
//!
//! The rules enforced here: content goes out token for token as it stands in the journal; all lists are whole, those of BitFactura by
//! their time of change, and invoices of all times (trap 1); a token without prefix, or with another account's, is refused before
//! anything is sent (contract 2.2).

use http::Method;
use integration_core::Error;
use integration_core::call::{Idempotency, Operation};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::ports::{
    Asked, Billing, ClientRecord, Content, Crm, DealRecord, InvoiceRecord, Listed, NewDeal, Receiver,
    WebhookRow, tokens_of,
};
use crate::bitfactura::{self, NewWebhook};
use crate::desk::{Ask, Desk, only_an_empty_page_ends, short_page_ends};
use crate::kinds::WebhookKind;
use crate::token::LinkTokenError;
use crate::value::{Fields, Unreadable};
use crate::wire::{Part, Record};

const LIST_CLIENTS: Operation = Operation::get("list clients to synchronise", "/clients.json");
const READ_CLIENT: Operation = Operation::get("read a client to synchronise", "/clients/{id}.json");
const CREATE_CLIENT: Operation =
    Operation::post("create a client that the other side has", "/clients.json", Idempotency::Once);
const UPDATE_CLIENT: Operation = Operation::new(
    "update a client as the other side says",
    Method::PUT,
    "/clients/{id}.json",
    Idempotency::Once,
);
const LIST_DEALS: Operation = Operation::get("list deals to synchronise", "/deals.json");
const READ_DEAL: Operation = Operation::get("read a deal to synchronise", "/deals/{id}.json");
const CREATE_DEAL: Operation =
    Operation::post("create the deal of an invoice", "/deals.json", Idempotency::Once);
const UPDATE_DEAL: Operation =
    Operation::new("update the deal of an invoice", Method::PUT, "/deals/{id}.json", Idempotency::Once);
const LIST_INVOICES: Operation = Operation::get("list invoices to synchronise", "/invoices.json");
const READ_INVOICE: Operation = Operation::get("read an invoice to synchronise", "/invoices/{id}.json");

pub(crate) fn operations() -> [Operation; 10] {
    [
        LIST_CLIENTS,
        READ_CLIENT,
        CREATE_CLIENT,
        UPDATE_CLIENT,
        LIST_DEALS,
        READ_DEAL,
        CREATE_DEAL,
        UPDATE_DEAL,
        LIST_INVOICES,
        READ_INVOICE,
    ]
}

/// The two facts of a deal that was made.
struct MadeDeal(NewDeal);

impl Part for MadeDeal {
    fn read(mut fields: Fields) -> Result<Self, Unreadable> {
        let id = fields.id("id").ok_or_else(|| Unreadable::new("id", "the id of a record"))?;
        Ok(Self(NewDeal { id, client_id: fields.id("client_id") }))
    }
}

impl Record for MadeDeal {
    const WRAPPER: &'static str = "deal";
    const PLURAL: &'static str = "deals";

    fn id(&self) -> u64 {
        self.0.id
    }
}

/// The id of what was created.
struct Made(u64);

impl Part for Made {
    fn read(mut fields: Fields) -> Result<Self, Unreadable> {
        fields.id("id").map(Self).ok_or_else(|| Unreadable::new("id", "the id of a record"))
    }
}

impl Record for Made {
    const WRAPPER: &'static str = "client";
    const PLURAL: &'static str = "clients";

    fn id(&self) -> u64 {
        self.0
    }
}

async fn read<T: Record>(desk: &Desk, operation: Operation, id: u64) -> Result<Option<T>, Error> {
    match desk.record(Ask::new(operation).id(id)).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn create<T: Record>(desk: &Desk, operation: Operation, content: &RawValue) -> Result<T, Error> {
    desk.record(Ask::new(operation).wrapped(T::WRAPPER, &tokens_of(content))).await
}

/// The record is due in the answer: nothing or `null` says nothing of what happened (contract 3.9).
async fn update<T: Record>(
    desk: &Desk,
    operation: Operation,
    id: u64,
    content: &RawValue,
) -> Result<(), Error> {
    let ask = Ask::new(operation).id(id).wrapped(T::WRAPPER, &tokens_of(content));
    desk.record::<T>(ask).await.map(drop)
}

impl Crm for crate::Client {
    fn check(&self) -> Result<(), Error> {
        let checked = match self.account() {
            Some(account) => self.token().require_account(account),
            // An address that names no account, as in tests, leaves the prefix as the account's name.
            None if self.token().prefix().is_none() => Err(LinkTokenError::TokenWithoutPrefix),
            None => Ok(()),
        };
        checked.map_err(|error| Error::from(error).with_operation("synchronise"))
    }

    fn clients(&self) -> Listed<ClientRecord> {
        Box::new(self.desk.pages(Ask::new(LIST_CLIENTS), self.desk.per_page(), only_an_empty_page_ends))
    }

    fn client(&self, id: u64) -> Asked<'_, Option<ClientRecord>> {
        Box::pin(read(&self.desk, READ_CLIENT, id))
    }

    fn create_client(&self, client: Content) -> Asked<'_, u64> {
        Box::pin(async move { Ok(create::<Made>(&self.desk, CREATE_CLIENT, &client).await?.0) })
    }

    fn update_client(&self, id: u64, client: Content) -> Asked<'_, ()> {
        Box::pin(async move { update::<Made>(&self.desk, UPDATE_CLIENT, id, &client).await })
    }

    fn push_client(&self, envelope: Map<String, Value>) -> Asked<'_, ()> {
        let envelope = envelope.into_iter().map(|(name, value)| (name, crate::wire::token(&value))).collect();
        Box::pin(self.push(envelope))
    }

    fn receiver(&self) -> Receiver {
        Receiver { url: self.receiver_url(), token: self.token().secret().clone() }
    }

    fn deals(&self) -> Listed<DealRecord> {
        Box::new(self.desk.pages(Ask::new(LIST_DEALS), self.desk.per_page(), only_an_empty_page_ends))
    }

    fn deal(&self, id: u64) -> Asked<'_, Option<DealRecord>> {
        Box::pin(read(&self.desk, READ_DEAL, id))
    }

    fn create_deal(&self, deal: Content) -> Asked<'_, NewDeal> {
        Box::pin(async move { Ok(create::<MadeDeal>(&self.desk, CREATE_DEAL, &deal).await?.0) })
    }

    fn update_deal(&self, id: u64, deal: Content) -> Asked<'_, ()> {
        Box::pin(async move { update::<MadeDeal>(&self.desk, UPDATE_DEAL, id, &deal).await })
    }
}

impl Billing for bitfactura::Client {
    fn clients(&self) -> Listed<ClientRecord> {
        let ask = Ask::new(LIST_CLIENTS).query("order", "updated_at.desc");
        Box::new(self.desk.pages(ask, self.desk.per_page(), short_page_ends))
    }

    fn client(&self, id: u64) -> Asked<'_, Option<ClientRecord>> {
        Box::pin(read(&self.desk, READ_CLIENT, id))
    }

    fn create_client(&self, client: Content) -> Asked<'_, u64> {
        Box::pin(async move { Ok(create::<Made>(&self.desk, CREATE_CLIENT, &client).await?.0) })
    }

    fn update_client(&self, id: u64, client: Content) -> Asked<'_, ()> {
        Box::pin(async move { update::<Made>(&self.desk, UPDATE_CLIENT, id, &client).await })
    }

    fn invoices(&self) -> Listed<InvoiceRecord> {
        let ask = Ask::new(LIST_INVOICES)
            .query("period", "all")
            .query("include_positions", "true")
            .query("order", "updated_at.desc");
        Box::new(self.desk.pages(ask, self.desk.per_page(), short_page_ends))
    }

    fn invoice(&self, id: u64) -> Asked<'_, Option<InvoiceRecord>> {
        Box::pin(read(&self.desk, READ_INVOICE, id))
    }

    fn webhooks(&self) -> Asked<'_, Vec<WebhookRow>> {
        Box::pin(async move {
            let row = |row: bitfactura::Webhook| WebhookRow {
                id: row.id,
                kind: row.kind.map(|kind| kind.to_string()).unwrap_or_default(),
                url: row.url.map(|url| url.reveal().to_owned()).unwrap_or_default(),
                is_active: row.active != Some(false),
            };
            Ok(Self::webhooks(self).all().await?.into_iter().map(row).collect())
        })
    }

    fn create_webhook(&self, kind: &str, receiver: Receiver) -> Asked<'_, u64> {
        let webhook = NewWebhook::new(WebhookKind::from(kind), receiver.url, receiver.token);
        Box::pin(async move { Ok(Self::create_webhook(self, &webhook).await?.id) })
    }
}
