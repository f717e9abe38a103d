//! Statuses of deals (observed, contract 3.1). `name` is unique in an account (contract 3.3).

use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Fault, Faults};

use super::query::ListQuery;
use crate::client::Client;
use crate::desk::Ask;
use crate::kinds::StatusKind;
use crate::value::Tokens;
use crate::wire::{Record, record, token};

const LIST: Operation = Operation::get("list statuses", "/statuses.json");
const READ: Operation = Operation::get("read a status", "/statuses/{id}.json");
const CREATE: Operation = Operation::post("create a status", "/statuses.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 3] = [LIST, READ, CREATE];

record! {
    /// A status as the service shows it.
    #[doc(alias = "estado")]
    Status in "status" of "statuses" {
        code: Option<String>,
        name: Option<String>,
        kind: Option<StatusKind>,
    }
}

/// A status to be created.
///
/// ```
/// let won = sugester::crm::NewStatus::of_deals("won", "Won");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct NewStatus {
    code: String,
    name: String,
    kind: StatusKind,
}

impl NewStatus {
    /// A status of deals: its code, and its name, which no other may have.
    pub fn of_deals(code: impl Into<String>, name: impl Into<String>) -> Self {
        Self { code: code.into(), name: name.into(), kind: StatusKind::Deal }
    }

    /// Of another kind than deals; none is known.
    pub fn kind(mut self, kind: StatusKind) -> Self {
        self.kind = kind;
        self
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        let mut faults = Faults::new();
        for (key, text) in [("code", &self.code), ("name", &self.name)] {
            if text.trim().is_empty() {
                let fault = Fault::error("REQUIRED", format!("status.{key}"));
                faults.push(fault.with_expected("a text that is not blank"));
            }
        }
        faults.into_result(CREATE.name)?;
        let texts = [("code", self.code.as_str()), ("name", &self.name), ("kind", self.kind.as_str())];
        Ok(texts.into_iter().map(|(key, text)| (key.to_owned(), token(text))).collect())
    }
}

impl Client {
    /// Lists the statuses of a kind, page by page.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// A validation error for a page size or filter that cannot be; nothing is sent before the first page is awaited.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::ListQuery;
    /// use sugester::kinds::StatusKind;
    ///
    /// let mut pages = crm.statuses(&StatusKind::Deal, &ListQuery::new())?;
    /// while let Some(page) = pages.next_page().await? {
    ///     println!("{} statuses", page.items.len());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "estados")]
    pub fn statuses(&self, kind: &StatusKind, query: &ListQuery) -> Result<Pages<Status>, Error> {
        query.pages(&self.desk, LIST.name, Ask::new(LIST).query("kind", kind))
    }

    /// Reads one status.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// # let id = crm.create_status(&sugester::crm::NewStatus::of_deals("won", "Ganado")).await?.id;
    /// println!("{:?}", crm.status(id).await?.name);
    /// # Ok(()) });
    /// ```
    pub async fn status(&self, id: u64) -> Result<Status, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// Creates a status. Sent once; after a lost answer, a second creation is refused if the first one came through, since names are
    /// unique.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error without code or name; a refusal; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::NewStatus;
    ///
    /// let won = crm.create_status(&NewStatus::of_deals("won", "Ganado")).await?;
    /// println!("{}", won.id);
    /// # Ok(()) });
    /// ```
    pub async fn create_status(&self, status: &NewStatus) -> Result<Status, Error> {
        self.desk.record(Ask::new(CREATE).wrapped(Status::WRAPPER, &status.tokens()?)).await
    }
}
