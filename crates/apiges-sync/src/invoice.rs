//! Received invoices (contract 3.3). Issued invoices are named there without routes: [`Client::raw`] reaches them.
//!
//! The rules enforced here: fields are the caller's, amounts stay exact; nothing that changes an invoice is repeated by itself.

use http::Method;
use integration_core::Error;
use integration_core::call::{Idempotency, Operation};
use serde::Serialize;

use crate::client::{Ask, Client};
use crate::record::{Data, Record};
use crate::wire::Received;

const READ: Operation = Operation::get("read a received invoice", "/facturas/recibidas/{id}");
const LINES: Operation =
    Operation::get("list the lines of a received invoice", "/facturas/recibidas/{id}/lineas");
const LINE_CASE_FILES: Operation = Operation::get(
    "list the case files of an invoice line",
    "/facturas/recibidas/{id}/lineas/{idLinea}/expedientes",
);
const CREATE: Operation =
    Operation::post("create a received invoice", "/facturas/recibidas", Idempotency::Once);
const ADD_LINE_CASE_FILE: Operation = Operation::post(
    "add a case file to an invoice line",
    "/facturas/recibidas/{id}/lineas/{idLinea}/expedientes",
    Idempotency::Once,
);
const CHANGE: Operation =
    Operation::new("change a received invoice", Method::PUT, "/facturas/recibidas/{id}", Idempotency::Once);
const DELETE_LINE: Operation = Operation::new(
    "delete an invoice line",
    Method::DELETE,
    "/facturas/recibidas/{id}/lineas/{idLinea}",
    Idempotency::Once,
);
const DELETE_LINE_EXPENSES: Operation = Operation::new(
    "delete the issued expenses of an invoice line",
    Method::DELETE,
    "/facturas/recibidas/{id}/lineas/{idLinea}/gastosEmitidos",
    Idempotency::Once,
);

pub(crate) const OPERATIONS: [Operation; 8] =
    [READ, LINES, LINE_CASE_FILES, CREATE, ADD_LINE_CASE_FILE, CHANGE, DELETE_LINE, DELETE_LINE_EXPENSES];

impl Client {
    /// `GET /facturas/recibidas/{id}` (contract 3.3): one received invoice; [`Record::decimal`] reads its amounts exactly. May be
    /// repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; anything but an object is [`Problem::UnexpectedShape`](crate::Problem::UnexpectedShape).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// let invoice = client.received_invoice(7).await?;
    /// println!("{:?}", invoice.decimal("total")?);
    /// # Ok(()) });
    /// ```
    #[doc(alias("facturas recibidas", "factura recibida"))]
    pub async fn received_invoice(&self, id: u64) -> Result<Record, Error> {
        self.ask(Ask::new(READ).id("id", id), Received::record).await
    }

    /// `GET /facturas/recibidas/{id}/lineas` (contract 3.3): its lines. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; a list of anything but objects is [`Problem::UnexpectedShape`](crate::Problem::UnexpectedShape).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// for line in client.received_invoice_lines(7).await? {
    ///     println!("{:?}", line.decimal("importe")?);
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias("lineas", "líneas"))]
    pub async fn received_invoice_lines(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(LINES).id("id", id), Received::records).await
    }

    /// `GET /facturas/recibidas/{id}/lineas/{idLinea}/expedientes` (contract 3.3): the case files that a line is about. May be
    /// repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`received_invoice_lines`](Self::received_invoice_lines).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// for file in client.invoice_line_case_files(7, 1).await? {
    ///     println!("{:?}", file.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn invoice_line_case_files(&self, id: u64, line: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(LINE_CASE_FILES).id("id", id).id("idLinea", line), Received::records).await
    }

    /// `POST /facturas/recibidas` (contract 3.3): creates a received invoice; answers what the service says, which may be nothing.
    /// Amounts go out exactly if the body writes them so (`serde_json::Value` holds fractions as doubles). Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error if the body is no JSON object; what the call met, where [`Error::is_outcome_unknown`] tells that it may
    /// have been created.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use serde_json::json;
    ///
    /// let answer = client.create_received_invoice(&json!({ "numero": "F-2026-17", "total": "121.00" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "factura recibida")]
    pub async fn create_received_invoice(&self, body: &(impl Serialize + ?Sized)) -> Result<Data, Error> {
        self.write(Ask::new(CREATE), body).await
    }

    /// `POST /facturas/recibidas/{id}/lineas/{idLinea}/expedientes` (contract 3.3): adds a case file to a line. Never repeated by
    /// itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_received_invoice`](Self::create_received_invoice).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use serde_json::json;
    ///
    /// let answer = client.add_invoice_line_case_file(7, 1, &json!({ "idExpediente": 3992 })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    pub async fn add_invoice_line_case_file(
        &self,
        id: u64,
        line: u64,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Data, Error> {
        self.write(Ask::new(ADD_LINE_CASE_FILE).id("id", id).id("idLinea", line), body).await
    }

    /// `PUT /facturas/recibidas/{id}` (contract 3.3): changes a received invoice. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_received_invoice`](Self::create_received_invoice).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use serde_json::json;
    ///
    /// let answer = client.change_received_invoice(7, &json!({ "observaciones": "Revisada" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "factura recibida")]
    pub async fn change_received_invoice(
        &self,
        id: u64,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Data, Error> {
        self.write(Ask::new(CHANGE).id("id", id), body).await
    }

    /// `DELETE /facturas/recibidas/{id}/lineas/{idLinea}` (contract 3.3): deletes a line. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// What the call met, where [`Error::is_outcome_unknown`] tells that it may have been deleted.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// client.delete_invoice_line(7, 1).await?;
    /// # Ok(()) });
    /// ```
    pub async fn delete_invoice_line(&self, id: u64, line: u64) -> Result<Data, Error> {
        self.ask(Ask::new(DELETE_LINE).id("id", id).id("idLinea", line), |received| Ok(received.data())).await
    }

    /// `DELETE /facturas/recibidas/{id}/lineas/{idLinea}/gastosEmitidos` (contract 3.3): deletes the issued expenses of a line. Never
    /// repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`delete_invoice_line`](Self::delete_invoice_line).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// client.delete_invoice_line_expenses(7, 1).await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias = "gastosEmitidos")]
    pub async fn delete_invoice_line_expenses(&self, id: u64, line: u64) -> Result<Data, Error> {
        let ask = Ask::new(DELETE_LINE_EXPENSES).id("id", id).id("idLinea", line);
        self.ask(ask, |received| Ok(received.data())).await
    }
}
