//! The webhooks of an account (contract 3.6).
//!
//! The token that a row carries is the text that the service repeats to the receiver, not the account's; neither is printed, nor is the
//! receiver's address, in whose path a secret may stand.

use http::Method;
use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Secret};

use super::Client;
use crate::desk::{Ask, short_page_ends};
use crate::kinds::WebhookKind;
use crate::value::{Moment, Patch};
use crate::wire::{Change, Record, change, changed, record};

const LIST: Operation = Operation::get("list webhooks", "/webhooks.json");
const READ: Operation = Operation::get("read a webhook", "/webhooks/{id}.json");
const CREATE: Operation = Operation::post("create a webhook", "/webhooks.json", Idempotency::Once);
const UPDATE: Operation =
    Operation::new("update a webhook", Method::PUT, "/webhooks/{id}.json", Idempotency::Once);
const DELETE: Operation =
    Operation::new("delete a webhook", Method::DELETE, "/webhooks/{id}.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 5] = [LIST, READ, CREATE, UPDATE, DELETE];

record! {
    /// A row: what is told to whom.
    #[doc(alias = "webhooks")]
    Webhook in "webhook" of "webhooks" {
        kind: Option<WebhookKind>,
        account_id: Option<u64>,
        /// where it is posted to; printed nowhere, since the receiver's secret may stand in its path.
        url: Option<Secret>,
        /// the text that the receiver is sent.
        api_token: Option<Secret>,
        /// the service switches rows off after failures.
        active: Option<bool>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
    }
}

change! {
    /// What may be set of a webhook.
    WebhookFields {
        kind: WebhookKind,
        /// where it is posted to; printed nowhere, since the receiver's secret may stand in its path.
        url: Secret,
        /// the text that the receiver is sent.
        api_token: Secret,
        active: bool,
    }
}

/// A webhook to be created.
///
/// ```
/// use sugester::bitfactura::NewWebhook;
/// use sugester::kinds::WebhookKind;
///
/// let webhook = NewWebhook::new(WebhookKind::ClientUpdate, "https://hooks.example.com/clients", "the receiver's secret");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct NewWebhook(WebhookFields);

impl NewWebhook {
    /// What, to whom, and the text by which the receiver knows the sender. It is active.
    pub fn new(kind: WebhookKind, url: impl Into<Secret>, echoed: impl Into<Secret>) -> Self {
        Self(WebhookFields {
            kind: kind.into(),
            url: url.into().into(),
            api_token: echoed.into().into(),
            active: true.into(),
            ..WebhookFields::default()
        })
    }

    /// Not yet active.
    pub fn inactive(mut self) -> Self {
        self.0.active = false.into();
        self
    }
}

impl Client {
    /// Lists the webhooks, page by page.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.6).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// let mut pages = billing.webhooks();
    /// while let Some(page) = pages.next_page().await? {
    ///     for webhook in page.items {
    ///         println!("{} {:?}", webhook.id, webhook.kind);
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub fn webhooks(&self) -> Pages<Webhook> {
        self.desk.pages(Ask::new(LIST), self.desk.per_page(), short_page_ends)
    }

    /// The webhooks that do not tell anything any more: switched off, by hand or by the service after failures (trap 25).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.6).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// for webhook in billing.inactive_webhooks().await? {
    ///     println!("{} tells nothing any more: switch it on again", webhook.id);
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn inactive_webhooks(&self) -> Result<Vec<Webhook>, Error> {
        let mut all = self.webhooks().all().await?;
        all.retain(|webhook| webhook.active == Some(false));
        Ok(all)
    }

    /// Reads one webhook.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.6).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// # let new = sugester::bitfactura::NewWebhook::new(sugester::kinds::WebhookKind::ClientUpdate, "http://127.0.0.1:1/", "secret");
    /// # let id = billing.create_webhook(&new).await?.id;
    /// println!("{:?}", billing.webhook(id).await?.active);
    /// # Ok(()) });
    /// ```
    pub async fn webhook(&self, id: u64) -> Result<Webhook, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// Creates a webhook. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.6).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::NewWebhook;
    /// use sugester::kinds::WebhookKind;
    ///
    /// let wanted = NewWebhook::new(WebhookKind::ClientUpdate, "http://127.0.0.1:9/clients", "the receiver's secret");
    /// println!("{}", billing.create_webhook(&wanted).await?.id);
    /// # Ok(()) });
    /// ```
    pub async fn create_webhook(&self, webhook: &NewWebhook) -> Result<Webhook, Error> {
        let ask = hiding(Ask::new(CREATE), &webhook.0);
        self.desk.record(ask.wrapped(Webhook::WRAPPER, &webhook.0.tokens())).await
    }

    /// Changes the given fields of a webhook: above all, switches it on again. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.6).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// # let new = sugester::bitfactura::NewWebhook::new(sugester::kinds::WebhookKind::ClientUpdate, "http://127.0.0.1:1/", "secret");
    /// # let id = billing.create_webhook(&new.inactive()).await?.id;
    /// use sugester::bitfactura::WebhookFields;
    ///
    /// billing.update_webhook(id, &WebhookFields { active: true.into(), ..WebhookFields::default() }).await?;
    /// # Ok(()) });
    /// ```
    pub async fn update_webhook(&self, id: u64, change: &WebhookFields) -> Result<Webhook, Error> {
        let tokens = changed(change.tokens(), UPDATE.name)?;
        self.desk.record(hiding(Ask::new(UPDATE).id(id), change).wrapped(Webhook::WRAPPER, &tokens)).await
    }

    /// Deletes a webhook. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.6).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// # let new = sugester::bitfactura::NewWebhook::new(sugester::kinds::WebhookKind::ClientUpdate, "http://127.0.0.1:1/", "secret");
    /// # let id = billing.create_webhook(&new).await?.id;
    /// billing.delete_webhook(id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_webhook(&self, id: u64) -> Result<(), Error> {
        self.desk.act(Ask::new(DELETE).id(id)).await
    }
}

fn hiding(ask: Ask, fields: &WebhookFields) -> Ask {
    [&fields.api_token, &fields.url].into_iter().filter_map(Patch::value).fold(ask, Ask::secret)
}
