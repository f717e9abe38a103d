//! Folders (contract 3.1 row 10, observed). There is no call to create one: a document's `folder` creates what is missing.

use std::collections::HashSet;

use http::Method;
use integration_core::Error;
use integration_core::call::{Idempotency, Operation};
use serde_json::{Map, Value};

use crate::client::{Ask, Client};
use crate::id::FolderId;
use crate::wire::{Fields, Unreadable, When};

pub(crate) const LIST: Operation = Operation::get("list folders", "/folder");
pub(crate) const DELETE: Operation =
    Operation::new("delete a folder", Method::DELETE, "/folder/{id}", Idempotency::Once);

/// A folder (observed).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[doc(alias = "carpeta")]
pub struct Folder {
    /// `id`
    pub id: FolderId,
    /// `title`
    pub title: Option<String>,
    /// `parent`: the folder that it is in.
    pub parent: Option<FolderId>,
    /// `owned`: whether it is the account's own.
    pub owned: Option<bool>,
    /// `total_document_number`
    pub total_document_number: Option<i64>,
    /// `has_sftp`
    pub has_sftp: Option<bool>,
    /// `auto_sign`
    pub auto_sign: Option<bool>,
    /// `updated_at`
    pub updated_at: Option<When>,
    /// `owner`, and fields that the contract does not know.
    pub extra: Map<String, Value>,
}

impl Folder {
    fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "the folder")?;
        let id = |text: String| text.parse::<FolderId>().map_err(|_| Unreadable::new("id", "an id"));
        Ok(Self {
            id: id(fields.required("id")?)?,
            title: fields.text("title")?,
            parent: fields.text("parent")?.map(id).transpose()?,
            owned: fields.boolean("owned"),
            total_document_number: fields.integer("total_document_number"),
            has_sftp: fields.boolean("has_sftp"),
            auto_sign: fields.boolean("auto_sign"),
            updated_at: fields.time("updated_at")?,
            extra: fields.extra(),
        })
    }
}

/// Folders of one answer, and whether it says that there are more.
fn read_all(data: Value) -> Result<(Vec<Folder>, bool), Unreadable> {
    let has_next = data.get("next").is_some_and(|next| !next.is_null() && next.as_str() != Some(""));
    let items = match data {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        mut other => match other.get_mut("results").map(Value::take) {
            Some(Value::Array(items)) => items,
            Some(Value::Null) => Vec::new(),
            _ => return Err(Unreadable::new("the answer", "a list")),
        },
    };
    Ok((items.into_iter().map(Folder::read).collect::<Result<_, _>>()?, has_next))
}

impl Client {
    /// Lists the account's folders: as the call was seen, without paging (observed). Should the answer be a page that says that there
    /// is more, the next ones are asked for by number until one is the last or brings nothing new.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1 row 10).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// # client.create(&legale::Upload::new("a.pdf", "A", legale::Source::bytes("%PDF-1.7 ...")).folder("Contratos/2025")).await?;
    /// for folder in client.folders().await? {
    ///     println!("{} {:?}: {:?} documents", folder.id, folder.title, folder.total_document_number);
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "carpetas")]
    pub async fn folders(&self) -> Result<Vec<Folder>, Error> {
        let (mut folders, mut has_next) = self.ask(Ask::v1(LIST), read_all).await?;
        let mut seen: HashSet<FolderId> = folders.iter().map(|folder| folder.id.clone()).collect();
        let mut number = 1u32;
        while has_next {
            number = number.saturating_add(1);
            let (mut more, next) = self.ask(Ask::v1(LIST).query("page", number), read_all).await?;
            more.retain(|folder| seen.insert(folder.id.clone()));
            has_next = next && !more.is_empty();
            folders.append(&mut more);
        }
        Ok(folders)
    }

    /// Deletes a folder. Sent once; whether its documents go with it is not documented.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1 row 10).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// # client.create(&legale::Upload::new("a.pdf", "A", legale::Source::bytes("%PDF-1.7 ...")).folder("Contratos")).await?;
    /// # let id = client.folders().await?.remove(0).id;
    /// client.delete_folder(&id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_folder(&self, id: &FolderId) -> Result<(), Error> {
        self.ask(Ask::v1(DELETE).param("id", id).may_be_empty(), |_| Ok(())).await
    }
}
