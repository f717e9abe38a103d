//! Everything that has no types here, as JSON with the same errors, limits and secrecy (contract 3.6, feature 3).

use http::Method;
use integration_core::Error;
use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};

use super::Client;
use crate::desk::{Ask, short_page_ends};
use crate::value::{Extra, Tokens};
use crate::wire::{changed, done, read_record, record};

record! {
    /// A record without types: all but its id is in `extra`.
    RawRecord in "" of "" {
        name: Option<String>,
    }
}

/// A kind of record: its paths and the name that it is sent under.
///
/// ```
/// use sugester::bitfactura::Resource;
///
/// const PROJECTS: Resource = Resource::new("/projects.json", "/projects/{id}.json", "project");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resource {
    list: &'static str,
    item: &'static str,
    wrapper: &'static str,
    patched: bool,
}

impl Resource {
    /// `/products.json`
    pub const PRODUCTS: Self = Self::new("/products.json", "/products/{id}.json", "product");
    /// `/price_lists.json`
    pub const PRICE_LISTS: Self = Self::new("/price_lists.json", "/price_lists/{id}.json", "price_list");
    /// `/warehouse_documents.json`
    pub const WAREHOUSE_DOCUMENTS: Self =
        Self::new("/warehouse_documents.json", "/warehouse_documents/{id}.json", "warehouse_document");
    /// `/warehouses.json`
    pub const WAREHOUSES: Self = Self::new("/warehouses.json", "/warehouses/{id}.json", "warehouse");
    /// `/categories.json`
    pub const CATEGORIES: Self = Self::new("/categories.json", "/categories/{id}.json", "category");
    /// `/departments.json`
    pub const DEPARTMENTS: Self = Self::new("/departments.json", "/departments/{id}.json", "department");
    /// `/recurrings.json`
    pub const RECURRINGS: Self = Self::new("/recurrings.json", "/recurrings/{id}.json", "recurring");
    /// `/banking/payments.json`, updated by `PATCH`. The documented singular path is a live 404 (observed).
    pub const PAYMENTS: Self =
        Self::new("/banking/payments.json", "/banking/payments/{id}.json", "banking_payment").patched();

    /// Another one: the path of its list, the path of one record with `{id}`, and the name that it is sent under.
    #[must_use]
    pub const fn new(list: &'static str, item: &'static str, wrapper: &'static str) -> Self {
        Self { list, item, wrapper, patched: false }
    }

    /// The same, updated by `PATCH` instead of `PUT`.
    #[must_use]
    pub const fn patched(self) -> Self {
        Self { patched: true, ..self }
    }

    const fn list(self) -> Operation {
        Operation::get("list records", self.list)
    }

    const fn read(self) -> Operation {
        Operation::get("read a record", self.item)
    }

    const fn create(self) -> Operation {
        Operation::post("create a record", self.list, Idempotency::Once)
    }

    const fn update(self) -> Operation {
        let method = if self.patched { Method::PATCH } else { Method::PUT };
        Operation::new("update a record", method, self.item, Idempotency::Once)
    }

    const fn delete(self) -> Operation {
        Operation::new("delete a record", Method::DELETE, self.item, Idempotency::Once)
    }
}

const ANY: Resource = Resource::PRODUCTS;
pub(super) const OPERATIONS: [Operation; 5] =
    [ANY.list(), ANY.read(), ANY.create(), ANY.update(), ANY.delete()];

impl Client {
    /// Lists records of any kind, page by page, with these filters.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.6).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::Resource;
    ///
    /// let mut pages = billing.records(Resource::PRODUCTS, &[("page", "1")]);
    /// while let Some(page) = pages.next_page().await? {
    ///     println!("{} products", page.items.len());
    /// }
    /// # Ok(()) });
    /// ```
    pub fn records(&self, resource: Resource, filters: &[(&str, &str)]) -> Pages<RawRecord> {
        let ask = Ask::new(resource.list());
        let ask = filters.iter().fold(ask, |ask, (name, value)| ask.query(*name, value));
        self.desk.pages(ask, self.desk.per_page(), short_page_ends)
    }

    /// Reads a record of any kind.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.6).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::Resource;
    ///
    /// let product = billing.record(Resource::PRODUCTS, 7).await?;
    /// println!("{}", product.id);
    /// # Ok(()) });
    /// ```
    pub async fn record(&self, resource: Resource, id: u64) -> Result<RawRecord, Error> {
        self.raw(resource, Ask::new(resource.read()).id(id)).await
    }

    /// Creates a record of any kind. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.6).
    ///
    /// # Errors
    /// A validation error without fields; a refusal; and as every call.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (billing, fields) = (kit.billing, sugester::value::Extra::default());
    /// use sugester::bitfactura::Resource;
    ///
    /// let product = billing.create_record(Resource::PRODUCTS, &fields).await?;
    /// println!("{}", product.id);
    /// # Ok(()) });
    /// ```
    pub async fn create_record(&self, resource: Resource, fields: &Extra) -> Result<RawRecord, Error> {
        let tokens = changed(tokens(fields), resource.create().name)?;
        self.raw(resource, Ask::new(resource.create()).wrapped(resource.wrapper, &tokens)).await
    }

    /// Changes the given fields of a record of any kind. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.6).
    ///
    /// # Errors
    /// As [`create_record`](Self::create_record).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (billing, fields) = (kit.billing, sugester::value::Extra::default());
    /// use sugester::bitfactura::Resource;
    ///
    /// billing.update_record(Resource::PRODUCTS, 7, &fields).await?;
    /// # Ok(()) });
    /// ```
    pub async fn update_record(
        &self,
        resource: Resource,
        id: u64,
        fields: &Extra,
    ) -> Result<RawRecord, Error> {
        let tokens = changed(tokens(fields), resource.update().name)?;
        self.raw(resource, Ask::new(resource.update()).id(id).wrapped(resource.wrapper, &tokens)).await
    }

    /// Deletes a record of any kind. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.6).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::Resource;
    ///
    /// billing.delete_record(Resource::PRODUCTS, 7).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_record(&self, resource: Resource, id: u64) -> Result<(), Error> {
        self.desk.ask(Ask::new(resource.delete()).id(id).may_be_empty(), done).await
    }

    async fn raw(&self, resource: Resource, ask: Ask) -> Result<RawRecord, Error> {
        self.desk.ask(ask, |token| read_record(crate::wire::unwrapped(token, resource.wrapper)?)).await
    }
}

fn tokens(fields: &Extra) -> Tokens {
    fields.tokens().map(|(key, token)| (key.to_owned(), token.clone())).collect()
}
