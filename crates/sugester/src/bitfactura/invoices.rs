//! Calls about invoices (contract 3.5 and 4.9).
//!
//! The rules enforced here: who makes an invoice says whom it is for, since a service that is not told picks or makes a client (trap 15);
//! a creation whose answer is lost is looked up by its `oid`, compared exactly, and never repeated blindly.

use http::Method;
use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Fault, Faults};

use super::clients::only;
use super::keyed::Keyed;
use super::{Client, Invoice, InvoiceFields, InvoiceQuery, PositionFields};
use crate::desk::{Ask, short_page_ends};
use crate::error::ErrorExt;
use crate::kinds::InvoiceStatus;
use crate::value::{Patch, Tokens};
use crate::wire::{Change, Record, changed, done, token};

const LIST: Operation = Operation::get("list invoices", "/invoices.json");
const READ: Operation = Operation::get("read an invoice", "/invoices/{id}.json");
const CREATE: Operation = Operation::post("create an invoice", "/invoices.json", Idempotency::Once);
const UPDATE: Operation =
    Operation::new("update an invoice", Method::PUT, "/invoices/{id}.json", Idempotency::Once);
const DELETE: Operation =
    Operation::new("delete an invoice", Method::DELETE, "/invoices/{id}.json", Idempotency::Once);
const STATUS: Operation = Operation::post(
    "change the status of an invoice",
    "/invoices/{id}/change_status.json",
    Idempotency::Once,
);
const MAIL: Operation =
    Operation::post("mail an invoice", "/invoices/{id}/send_by_email.json", Idempotency::Once);
const CANCEL: Operation = Operation::post("cancel an invoice", "/invoices/cancel.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 8] = [LIST, READ, CREATE, UPDATE, DELETE, STATUS, MAIL, CANCEL];

/// How many addresses a mail may have (documented for sister brands).
const MOST_ADDRESSES: usize = 5;

/// Whom an invoice is for. There is no default: a service that is not told looks for a client by name, tax number or e-mail, and makes
/// one if it finds none (trap 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("comprador", "cliente"))]
pub enum Buyer {
    /// The client with this id.
    Existing(u64),
    /// A new client, made from the `buyer_` fields.
    New {
        /// A company or a person.
        company: bool,
    },
    /// Whomever the service finds by the `buyer_` fields, or a new client.
    Match {
        /// A company or a person, should it make one.
        company: bool,
    },
    /// That of the document which this one is made from: `copy_invoice_from`, `from_invoice_id` or `invoice_id`.
    OfSource,
}

/// An invoice to be created.
///
/// ```
/// use sugester::bitfactura::{Buyer, InvoiceFields, NewInvoice, PositionFields};
///
/// let invoice = NewInvoice::new(Buyer::New { company: true })
///     .fields(InvoiceFields { buyer_name: "Acme SpA".into(), payment_to_kind: "7".into(), ..InvoiceFields::default() })
///     .position(PositionFields { name: "Consulting".into(), tax: "19".into(), ..PositionFields::default() })
///     .oid("order-881");
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias = "factura")]
pub struct NewInvoice {
    buyer: Buyer,
    fields: InvoiceFields,
    positions: Vec<PositionFields>,
    oid: Option<String>,
}

impl NewInvoice {
    /// An invoice for somebody.
    pub fn new(buyer: Buyer) -> Self {
        Self { buyer, fields: InvoiceFields::default(), positions: Vec::new(), oid: None }
    }

    /// Everything but client, positions and key.
    pub fn fields(mut self, fields: InvoiceFields) -> Self {
        self.fields = fields;
        self
    }

    /// Adds a position.
    pub fn position(mut self, position: PositionFields) -> Self {
        self.positions.push(position);
        self
    }

    /// The caller's own key, sent with `oid_unique: "yes"`, so that the service refuses a second invoice with it (documented for sister
    /// brands). It is compared byte for byte.
    pub fn oid(mut self, oid: impl Into<String>) -> Self {
        self.oid = Some(oid.into());
        self
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        self.check()?;
        let mut tokens = self.fields.tokens();
        let mut put = |key: &str, value| _ = tokens.insert(key.to_owned(), value);
        match self.buyer {
            Buyer::Existing(id) => put("client_id", token(&id)),
            Buyer::New { company } => {
                put("client_id", token(&-1));
                put("buyer_company", token(&company));
            }
            Buyer::Match { company } => put("buyer_company", token(&company)),
            Buyer::OfSource => {}
        }
        if let Some(oid) = &self.oid {
            put("oid", token(oid));
            put("oid_unique", token("yes"));
        }
        if !self.positions.is_empty() {
            put("positions", token(&self.positions.iter().map(Change::tokens).collect::<Vec<_>>()));
        }
        Ok(tokens)
    }

    fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        self.check_buyer(&mut faults);
        for (at, position) in self.positions.iter().enumerate() {
            check_position(&format!("invoice.positions[{at}]"), position, &mut faults);
        }
        if self.oid.as_deref().is_some_and(|oid| oid.trim().is_empty()) {
            faults.push(Fault::error("OID", "invoice.oid").with_expected("a text that is not blank"));
        }
        if self.positions.is_empty() && !self.has_source() {
            let fault = Fault::error("REQUIRED", "invoice.positions").with_expected("at least one");
            faults.push(fault.with_hint("only a document made from another one may leave them out"));
        }
        faults.into_result(CREATE.name).map(drop)
    }

    fn has_source(&self) -> bool {
        let fields = &self.fields;
        [&fields.copy_invoice_from, &fields.from_invoice_id, &fields.invoice_id]
            .iter()
            .any(|source| source.value().is_some())
            || fields.invoice_ids.value().is_some()
    }

    fn check_buyer(&self, faults: &mut Faults) {
        let fields = &self.fields;
        let given = |patch: &Patch<String>| patch.value().is_some_and(|text| !text.trim().is_empty());
        let name = if matches!(self.buyer, Buyer::New { company: false }) {
            given(&fields.buyer_name) || given(&fields.buyer_last_name)
        } else {
            given(&fields.buyer_name)
        };
        let (path, expected, is_there) = match self.buyer {
            Buyer::Existing(id) => ("invoice.client_id", "the id of a client, above 0", id > 0),
            Buyer::New { .. } => ("invoice.buyer_name", "the name of the new client", name),
            Buyer::Match { .. } => {
                let others = [&fields.buyer_last_name, &fields.buyer_tax_no, &fields.buyer_email];
                let any = name || others.into_iter().any(given);
                ("invoice.buyer_name", "a name, tax number or e-mail to find the client by", any)
            }
            Buyer::OfSource => {
                ("invoice.from_invoice_id", "the document that it is made from", self.has_source())
            }
        };
        if !is_there {
            faults.push(Fault::error("BUYER", path).with_expected(expected));
        }
    }
}

fn check_position(path: &str, position: &PositionFields, faults: &mut Faults) {
    let is_named = position.name.value().is_some_and(|name| !name.trim().is_empty());
    if !is_named && position.product_id.value().is_none() {
        faults
            .push(Fault::error("REQUIRED", format!("{path}.name")).with_expected("a name, or a product_id"));
    }
}

/// What an update does to one position.
#[derive(Debug, Clone)]
#[non_exhaustive]
// There are a few per invoice; boxes would only make it awkward to write.
#[allow(clippy::large_enum_variant)]
pub enum PositionChange {
    /// Adds it after the others.
    Add(PositionFields),
    /// Changes the given fields of the one with this id.
    Edit(u64, PositionFields),
    /// Removes the one with this id.
    Remove(u64),
}

impl PositionChange {
    fn tokens(&self) -> Tokens {
        let with_id = |id: &u64, mut tokens: Tokens| {
            tokens.insert("id".to_owned(), token(id));
            tokens
        };
        match self {
            Self::Add(fields) => fields.tokens(),
            Self::Edit(id, fields) => with_id(id, fields.tokens()),
            Self::Remove(id) => with_id(id, Tokens::from([("_destroy".to_owned(), token(&1))])),
        }
    }
}

/// What an update does to an invoice: the fields that are set or cleared, and the positions that are named. The rest stays.
#[derive(Debug, Clone, Default)]
#[must_use]
#[doc(alias = "factura")]
pub struct InvoiceChange {
    fields: InvoiceFields,
    positions: Vec<PositionChange>,
    client_id: Option<u64>,
}

impl InvoiceChange {
    /// Fields that are set or cleared.
    pub fn new(fields: InvoiceFields) -> Self {
        Self { fields, ..Self::default() }
    }

    /// Adds, edits or removes a position.
    pub fn position(mut self, change: PositionChange) -> Self {
        self.positions.push(change);
        self
    }

    /// Gives it to another client.
    pub fn client(mut self, id: u64) -> Self {
        self.client_id = Some(id);
        self
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        self.check()?;
        let mut tokens = self.fields.tokens();
        if let Some(id) = &self.client_id {
            tokens.insert("client_id".to_owned(), token(id));
        }
        if !self.positions.is_empty() {
            let positions: Vec<_> = self.positions.iter().map(PositionChange::tokens).collect();
            tokens.insert("positions".to_owned(), token(&positions));
        }
        changed(tokens, UPDATE.name)
    }

    fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        if self.client_id == Some(0) {
            faults.push(nobody("invoice.client_id"));
        }
        for (at, change) in self.positions.iter().enumerate() {
            let path = format!("invoice.positions[{at}]");
            match change {
                PositionChange::Add(position) => check_position(&path, position, &mut faults),
                PositionChange::Edit(0, _) | PositionChange::Remove(0) => {
                    faults.push(nobody(format!("{path}.id")));
                }
                _ => {}
            }
        }
        faults.into_result(UPDATE.name).map(drop)
    }
}

fn nobody(path: impl Into<String>) -> Fault {
    Fault::error("ID", path).with_expected("the id of a record, above 0").with_actual("0")
}

/// How an invoice is mailed (documented for sister brands). Without addresses it goes to the buyer's.
///
/// ```
/// use sugester::bitfactura::Mail;
///
/// let mail = Mail::new().to("ana@example.com").copy("billing@example.com").with_pdf();
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
#[doc(alias = "correo")]
pub struct Mail {
    to: Vec<String>,
    copies: Vec<String>,
    pdf: bool,
    update_buyer: bool,
}

impl Mail {
    /// To the buyer.
    pub fn new() -> Self {
        Self::default()
    }

    /// `email_to`: adds an address; at most five.
    #[doc(alias = "email_to")]
    pub fn to(mut self, address: impl Into<String>) -> Self {
        self.to.push(address.into());
        self
    }

    /// `email_cc`: adds an address.
    #[doc(alias = "email_cc")]
    pub fn copy(mut self, address: impl Into<String>) -> Self {
        self.copies.push(address.into());
        self
    }

    /// `email_pdf`: attaches the PDF.
    #[doc(alias = "email_pdf")]
    pub fn with_pdf(mut self) -> Self {
        self.pdf = true;
        self
    }

    /// `update_buyer_email`: keeps the first address as the buyer's.
    #[doc(alias = "update_buyer_email")]
    pub fn updating_buyer(mut self) -> Self {
        self.update_buyer = true;
        self
    }

    fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        if self.to.len() > MOST_ADDRESSES {
            let fault = Fault::error("MAIL", "email_to").with_expected("at most 5 addresses");
            faults.push(fault.with_actual(self.to.len().to_string()));
        }
        for (field, addresses) in [("email_to", &self.to), ("email_cc", &self.copies)] {
            for (at, address) in addresses.iter().enumerate().filter(|(_, address)| !is_address(address)) {
                let fault = Fault::error("MAIL", format!("{field}[{at}]")).with_actual(address);
                faults.push(fault.with_expected("one @ between two parts, no blanks, no commas"));
            }
        }
        faults.into_result(MAIL.name).map(drop)
    }

    fn ask(&self, ask: Ask) -> Ask {
        let addresses = [("email_to", &self.to), ("email_cc", &self.copies)];
        let given = addresses.into_iter().filter(|(_, addresses)| !addresses.is_empty());
        let ask = given.fold(ask, |ask, (name, addresses)| ask.query(name, addresses.join(",")));
        let ask = if self.pdf { ask.query("email_pdf", true) } else { ask };
        if self.update_buyer { ask.query("update_buyer_email", true) } else { ask }
    }
}

fn is_address(text: &str) -> bool {
    let sides = text.split_once('@');
    sides.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
}

impl Client {
    /// Lists invoices, page by page; at most 1000 pages, then an error (contract 4.7). All of every time, unless the query says
    /// otherwise.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5).
    ///
    /// # Errors
    /// A validation error for a page size or a period that cannot be; nothing is sent before the first page is awaited.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::InvoiceQuery;
    ///
    /// let mut pages = billing.invoices(&InvoiceQuery::new())?;
    /// while let Some(page) = pages.next_page().await? {
    ///     for invoice in page.items {
    ///         println!("{} {:?}", invoice.id, invoice.number);
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "facturas")]
    pub fn invoices(&self, query: &InvoiceQuery) -> Result<Pages<Invoice>, Error> {
        query.check(LIST.name)?;
        let per_page = query.page_size(self.desk.per_page());
        let pages = self.desk.pages(query.ask(Ask::new(LIST)), per_page, short_page_ends);
        Ok(pages.starting_at(query.first()))
    }

    /// Reads one invoice with its positions.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](integration_core::ErrorKind::NotFound), and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// let invoice = billing.invoice(id).await?;
    /// println!("{:?}: {} positions", invoice.number, invoice.positions.len());
    /// # Ok(()) });
    /// ```
    pub async fn invoice(&self, id: u64) -> Result<Invoice, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// Every invoice with exactly this `oid`, of every time, cost or sale as the service lists them (contract 4.9).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As every call. An error never means that there is none.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// assert!(billing.invoices_by_oid("order-2026-0042").await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub async fn invoices_by_oid(&self, oid: &str) -> Result<Vec<Invoice>, Error> {
        let mut pages = self.invoices(&InvoiceQuery::new().oid(oid))?;
        let mut found = Vec::new();
        while let Some(page) = pages.next_page().await? {
            found.extend(page.items.into_iter().filter(|invoice| invoice.oid.as_deref() == Some(oid)));
        }
        Ok(found)
    }

    /// Creates an invoice. Sent once; after a lost answer the outcome is unknown.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.5).
    ///
    /// # Errors
    /// A validation error that lists everything that is missing; a refusal with its
    /// [`field_errors`](crate::ErrorExt::field_errors); [`is_duplicate_oid`](crate::ErrorExt::is_duplicate_oid); and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (buyer, billing) = (kit.buyer().await, kit.billing);
    /// use rust_decimal::Decimal;
    /// use sugester::bitfactura::{Buyer, NewInvoice, PositionFields};
    ///
    /// let position = PositionFields {
    ///     name: "Consultoría".into(),
    ///     quantity: Decimal::from(2).into(),
    ///     price_net: Decimal::from(500).into(),
    ///     tax: "19".into(),
    ///     ..PositionFields::default()
    /// };
    /// let invoice = billing.create_invoice(&NewInvoice::new(Buyer::Existing(buyer)).position(position)).await?;
    /// println!("{}", invoice.id);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "factura")]
    pub async fn create_invoice(&self, invoice: &NewInvoice) -> Result<Invoice, Error> {
        self.desk.record(Ask::new(CREATE).wrapped(Invoice::WRAPPER, &invoice.tokens()?)).await
    }

    /// Creates an invoice that has an [`oid`](NewInvoice::oid), and finds out what became of it where the answer does not tell: after
    /// a lost answer, or if the `oid` is used already, it looks for the `oid` in all invoices (contract 4.9). It sends the invoice once.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by its `oid`, as far as the service keeps `oid_unique`.
    ///
    /// # Errors
    /// As [`create_invoice`](Self::create_invoice). With an unknown outcome if the answer was lost and no invoice has the `oid`, or
    /// asking failed too: then calling it again is safe, as far as the service keeps `oid_unique`. [`ErrorKind::Conflict`](integration_core::ErrorKind::Conflict) if several
    /// invoices have it.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (order, billing) = (kit.order().await, kit.billing);
    /// let order = order.oid("order-2026-0042");
    /// let first = billing.create_invoice_keyed(&order).await?.into_inner();
    /// let again = billing.create_invoice_keyed(&order).await?; // as after a crash
    /// assert!(again.was_found());
    /// assert_eq!(again.into_inner().id, first.id);
    /// # Ok(()) });
    /// ```
    #[doc(alias("factura", "oid"))]
    pub async fn create_invoice_keyed(&self, invoice: &NewInvoice) -> Result<Keyed<Invoice>, Error> {
        let Some(oid) = invoice.oid.as_deref() else {
            let fault = Fault::error("OID", "invoice.oid").with_expected("the key to look it up by");
            return Err(Error::validation(CREATE.name, vec![fault]));
        };
        match self.create_invoice(invoice).await {
            Ok(made) => Ok(Keyed::Created(made)),
            Err(error) if error.is_outcome_unknown() || error.is_duplicate_oid() => {
                self.resolved(oid, error).await.map(Keyed::Found)
            }
            Err(error) => Err(error),
        }
    }

    async fn resolved(&self, oid: &str, error: Error) -> Result<Invoice, Error> {
        let outcome = error.outcome();
        let Ok(found) = self.invoices_by_oid(oid).await else {
            return Err(error.with_hint("looking for the oid failed too: call `create_invoice_keyed` again"));
        };
        match only(found, CREATE.name, "oid") {
            Ok(Some(invoice)) => Ok(invoice),
            Ok(None) if error.is_duplicate_oid() => {
                Err(error.with_hint("no invoice has this oid: a deleted one may still hold it; use another"))
            }
            Ok(None) => {
                Err(error
                    .with_hint("no invoice has this oid yet: it may be created again, with the same oid"))
            }
            Err(several) => Err(several.with_outcome(outcome)),
        }
    }

    /// Changes an invoice and leaves the rest of it. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.5).
    ///
    /// # Errors
    /// As [`create_invoice`](Self::create_invoice).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// use sugester::bitfactura::{InvoiceChange, InvoiceFields};
    ///
    /// let change = InvoiceChange::new(InvoiceFields { description: "Orden 42".into(), ..InvoiceFields::default() });
    /// billing.update_invoice(id, &change).await?;
    /// # Ok(()) });
    /// ```
    pub async fn update_invoice(&self, id: u64, change: &InvoiceChange) -> Result<Invoice, Error> {
        self.desk.record(Ask::new(UPDATE).id(id).wrapped(Invoice::WRAPPER, &change.tokens()?)).await
    }

    /// Deletes an invoice. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.5).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// billing.delete_invoice(id).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_invoice(&self, id: u64) -> Result<(), Error> {
        self.desk.act(Ask::new(DELETE).id(id)).await
    }

    /// Sets the status of an invoice. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.5).
    ///
    /// # Errors
    /// As every call; some services say no inside a 200, which is found.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// use sugester::kinds::InvoiceStatus;
    ///
    /// billing.change_invoice_status(id, &InvoiceStatus::Paid).await?;
    /// assert_eq!(billing.invoice(id).await?.status, Some(InvoiceStatus::Paid));
    /// # Ok(()) });
    /// ```
    #[doc(alias = "change_status")]
    pub async fn change_invoice_status(&self, id: u64, status: &InvoiceStatus) -> Result<(), Error> {
        self.desk.act(Ask::new(STATUS).id(id).query("status", status)).await
    }

    /// Mails an invoice. Sent once: after a lost answer it may have been mailed.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.5).
    ///
    /// # Errors
    /// A validation error for more than five addresses or what is none; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// use sugester::bitfactura::Mail;
    ///
    /// billing.mail_invoice(id, &Mail::new().to("compras@example.com").with_pdf()).await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias("send_by_email", "enviar factura"))]
    pub async fn mail_invoice(&self, id: u64, mail: &Mail) -> Result<(), Error> {
        mail.check()?;
        self.desk.act(mail.ask(Ask::new(MAIL).id(id))).await
    }

    /// Cancels an invoice (documented for sister brands). Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.5).
    ///
    /// # Errors
    /// A validation error for an id of 0; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// billing.cancel_invoice(id, Some("Precio equivocado")).await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias("anulacion", "anulación", "anular factura"))]
    pub async fn cancel_invoice(&self, id: u64, reason: Option<&str>) -> Result<(), Error> {
        if id == 0 {
            return Err(Error::validation(CANCEL.name, vec![nobody("cancel_invoice_id")]));
        }
        let ask = Ask::new(CANCEL).field("cancel_invoice_id", token(&id)).may_be_empty();
        let ask = reason.into_iter().fold(ask, |ask, reason| ask.field("cancel_reason", token(reason)));
        self.desk.ask(ask, done).await
    }
}
