//! The receiver of the synchronisation, which takes clients in the form of BitFactura's webhooks (contract 4.4).
//!
//! Its path is documented, known from one source, and a setting of the client; its body is assumed from captured webhooks.

use integration_core::Error;
use integration_core::call::{BaseUrl, Idempotency, Operation};

use super::clients::ClientFields;
use crate::client::Client;
use crate::desk::Ask;
use crate::value::{AppKey, Linked, Patch, Tokens};
use crate::wire::{Change, token};

pub(super) const PUSH: Operation =
    Operation::post("push a client to the receiver", "/{receiver}", Idempotency::Once);

/// A client of BitFactura, as it is pushed.
///
/// ```
/// use sugester::crm::{ClientFields, ExternalUpdate};
///
/// let fields = ClientFields { name: "Acme SpA".into(), company: true.into(), ..ClientFields::default() };
/// let update = ExternalUpdate::new(17, fields).locale("es");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ExternalUpdate {
    id: u64,
    fields: ClientFields,
    app: AppKey,
    app_name: Option<String>,
    locale: String,
}

impl ExternalUpdate {
    /// The client's id in BitFactura, and its fields. Its link in `external_ids` and `skip_webhooks` are added.
    pub fn new(id: u64, fields: ClientFields) -> Self {
        Self { id, fields, app: AppKey::default(), app_name: None, locale: "es".to_owned() }
    }

    /// The key of its link in `external_ids`; `bitfactura` unless set (assumed).
    pub fn app(mut self, app: AppKey) -> Self {
        self.app = app;
        self
    }

    /// `app_name`; the key unless set (assumed).
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into());
        self
    }

    /// `locale`; `es` unless set (assumed).
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = locale.into();
        self
    }

    /// Ids are numbers here, as captured, and texts in all other calls.
    fn envelope(&self) -> Tokens {
        let mut fields = self.fields.clone();
        let known = fields.external_ids.value().cloned().unwrap_or_default();
        fields.external_ids = Patch::Set(known.with_number(&self.app, Linked::Client, self.id));
        fields.skip_webhooks = Patch::Set(true);
        let mut client = fields.tokens();
        client.insert("id".to_owned(), token(&self.id));
        let name = self.app_name.as_deref().unwrap_or(self.app.as_str());
        [
            ("app_name", token(name)),
            ("locale", token(&self.locale)),
            ("client_id", token(&self.id)),
            ("client", token(&client)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

impl Client {
    /// Pushes a client to the receiver, which adds it or updates the one that is linked to it. Any answer that is no error is a success,
    /// an empty one too. Sent once; that sending it again changes nothing more is assumed.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 4.4).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::{ClientFields, ExternalUpdate};
    ///
    /// let fields = ClientFields { name: "Acme SpA".into(), ..ClientFields::default() };
    /// crm.external_update(&ExternalUpdate::new(17, fields)).await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias("client:sync", "sincronizacion", "sincronización"))]
    pub async fn external_update(&self, update: &ExternalUpdate) -> Result<(), Error> {
        self.push(update.envelope()).await
    }

    /// As [`external_update`](Self::external_update), with what stands beside the token.
    pub(crate) async fn push(&self, envelope: Tokens) -> Result<(), Error> {
        let (folder, file) = self.receiver_path().rsplit_once('/').unwrap_or_default();
        let base = BaseUrl::parse(self.desk.root().join(folder).as_str())?;
        let ask = Ask::new(PUSH).map(|call| call.to(base).param("receiver", file)).may_be_empty();
        let ask = envelope.into_iter().fold(ask, |ask, (key, value)| ask.field(&key, value));
        self.desk.ask(ask, |_| Ok(())).await
    }
}
