//! Documents: listed, read, created, deleted, fetched (contract 3.1 rows 2 to 6 and 8, 3.3, 3.4, 4.12).

mod detail;
mod download;
mod source;
mod upload;

use integration_core::body::page::{Page, Pages};
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Secret};
use serde_json::{Map, Value};

pub use detail::{Attachment, Detail, DocumentOwner, Inline, SignEntry};
pub use download::{Download, Fetched, FetchedFrom};
pub use source::Source;
pub use upload::{Created, Upload};

pub(crate) use download::MEDIA;
pub(crate) use source::Bounds;
#[cfg(feature = "store")]
pub(crate) use source::Prepared;
pub(crate) use upload::{CREATE, check_text};

use crate::client::{Ask, Client};
use crate::id::DocumentId;
use crate::page::{self, Listed, page};
use crate::status::SignStatus;
use crate::wire::{Fields, Unreadable, When, guid};

pub(crate) const LIST: Operation = Operation::get("list documents", "/documents/");
pub(crate) const DETAIL: Operation = Operation::get("read a document", "/document/get/{GUID}");
pub(crate) const DELETE: Operation =
    Operation::new("delete a document", http::Method::DELETE, "/document/delete/{GUID}", Idempotency::Once);

/// A document as the list shows it (contract 3.4).
///
/// The list also holds documents that were uploaded in the web application, and those of others; their detail is refused with
/// `NOT_API_DOCUMENT` or `NOT_OWNER`.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[doc(alias = "documento")]
pub struct Document {
    /// `GUID`
    pub guid: DocumentId,
    /// `doc_id`: digits as text.
    pub doc_id: Option<String>,
    /// `document`: the file's URL, absolute or relative.
    pub document: Option<String>,
    /// `file_name`
    pub file_name: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `comment`: why it was rejected.
    pub comment: Option<String>,
    /// `callback_url`: holds the secret of its receiver.
    pub callback_url: Option<Secret>,
    /// `callback_key`
    pub callback_key: Option<Secret>,
    /// `created_at`
    pub created_at: Option<When>,
    /// `updated_at`
    pub updated_at: Option<When>,
    /// `sign_status`; not signed where an answer has none.
    pub sign_status: SignStatus,
    /// Fields that the contract does not know.
    pub extra: Map<String, Value>,
}

impl Document {
    pub(crate) fn from_fields(fields: &mut Fields) -> Result<Self, Unreadable> {
        let status = match fields.take("sign_status") {
            None => 0,
            Some(value) => crate::wire::integer(&value)
                .ok_or_else(|| Unreadable::new("sign_status", "a whole number"))?,
        };
        Ok(Self {
            guid: guid(fields)?,
            doc_id: fields.text("doc_id")?,
            document: fields.text("document")?,
            file_name: fields.text("file_name")?,
            description: fields.text("description")?,
            comment: fields.text("comment")?,
            callback_url: fields.text("callback_url")?.map(Secret::new),
            callback_key: fields.text("callback_key")?.map(Secret::new),
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
            sign_status: SignStatus::from_code(status),
            extra: Map::new(),
        })
    }
}

impl Listed for Document {
    fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "the document")?;
        let document = Self::from_fields(&mut fields)?;
        Ok(Self { extra: fields.extra(), ..document })
    }

    fn identity(&self) -> Option<String> {
        Some(self.guid.as_str().to_owned())
    }
}

impl Client {
    /// One page of the list, from 1.
    pub(crate) async fn document_page(&self, number: u32) -> Result<Page<Document>, Error> {
        page(self, LIST, number).await
    }

    /// Lists all documents of the account, page by page (contract 3.1 row 2). The order is not documented.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// ```no_run
    /// # async fn run(client: legale::Client) -> Result<(), legale::Error> {
    /// let mut pages = client.documents();
    /// while let Some(page) = pages.next_page().await? {
    ///     for document in page.items {
    ///         println!("{} {}", document.guid, document.sign_status);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "documentos")]
    pub fn documents(&self) -> Pages<Document> {
        page::v1(self, LIST)
    }

    /// Asks for one document, to see whether the credentials are accepted (contract 2.2).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// [`ErrorKind::Authentication`](crate::ErrorKind::Authentication) if they are not.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// match client.check_credentials().await {
    ///     Ok(()) => println!("the credentials are good"),
    ///     Err(error) if error.kind() == legale::ErrorKind::Authentication => println!("ask for new ones: {error}"),
    ///     Err(error) => println!("could not ask: {error}"),
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn check_credentials(&self) -> Result<(), Error> {
        let ask = Ask::v1(LIST).query("page", 1).query("page_size", 1);
        self.ask(ask, |_| Ok(())).await
    }

    /// Deletes a document (contract 3.1 row 5, observed). Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As every call; an unknown outcome is settled by [`detail`](Self::detail), which is not found once it is gone.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, client) = (kit.guid().await, kit.client);
    /// client.delete(&guid).await?;
    /// assert!(client.detail(&guid).await.unwrap_err().is_not_found());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "eliminar")]
    pub async fn delete(&self, guid: &DocumentId) -> Result<(), Error> {
        let ask = Ask::v1(DELETE).param("GUID", guid).may_be_empty();
        self.ask(ask, |_| Ok(())).await
    }
}
