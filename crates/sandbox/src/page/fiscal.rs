//! The printing house: what it issued, each as a printable document, and the numbers that come next.
//!
//! Amounts are shown as the tokens that were sent (contract, section 3): nothing is computed here.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::{Frame, Shared, View, back_to, show, trouble, try_out};
use crate::fiscal::{Document, DocumentState, Series};
use crate::json::Json;

pub(super) const VIEW: View = View { path: "/fiscal", name: "Fiscal", routes };

fn routes() -> Router<Shared> {
    Router::new()
        .route("/fiscal", get(page))
        .route("/fiscal/documents/{rif}/{control_number}", get(document))
        .route("/fiscal/sample", post(sample))
}

/// A document in the list.
struct Line {
    rif: String,
    control_number: String,
    kind: String,
    internal_number: String,
    buyer: String,
    total: String,
    currency: &'static str,
    issued_at: String,
    annulled: bool,
}

impl Line {
    fn new(document: &Document) -> Self {
        let body = read(document);
        Self {
            rif: document.rif.clone(),
            control_number: document.control_number.clone(),
            kind: kind(document.document_type),
            internal_number: document.internal_number.clone(),
            buyer: body.get("nombrecliente").spelled().to_owned(),
            total: document.total.clone(),
            currency: currency(&body),
            issued_at: document.issued_at.clone(),
            annulled: document.state == DocumentState::Annulled,
        }
    }
}

fn read(document: &Document) -> Json {
    Json::parse(&document.body).unwrap_or(Json::Absent)
}

/// Names as the manual numbers them (section 3.1, row 9).
fn kind(number: u32) -> String {
    match number {
        1 => "Factura".to_owned(),
        2 => "Nota de débito".to_owned(),
        3 => "Nota de crédito".to_owned(),
        4 => "Guía de despacho".to_owned(),
        5 => "Nota de entrega".to_owned(),
        other => format!("Documento {other}"),
    }
}

fn currency(body: &Json) -> &'static str {
    match body.get("tipomoneda").spelled() {
        "2" => "USD",
        "3" => "EUR",
        _ => "Bs.",
    }
}

#[derive(Template)]
#[template(path = "fiscal.html")]
struct Page {
    frame: Frame,
    lines: Vec<Line>,
    series: Vec<SeriesLine>,
    mails: usize,
}

/// Next numbers of one issuer.
struct SeriesLine {
    rif: String,
    next_control: String,
    left: String,
    /// Kind of document with its next internal number.
    next_internal: Vec<(String, String)>,
}

impl SeriesLine {
    fn new(series: Series) -> Self {
        let next = series.next_internal.iter().map(|(number, next)| (kind(*number), format!("{next:08}")));
        Self {
            next_internal: next.collect(),
            rif: series.rif,
            next_control: series.next_control,
            left: series.left.map_or_else(|| "no end".to_owned(), |left| left.to_string()),
        }
    }
}

async fn page(State(control): State<Shared>) -> Response {
    let documents = control.fiscal.documents();
    show(&Page {
        frame: Frame::of(VIEW),
        lines: documents.iter().rev().map(Line::new).collect(),
        series: control.fiscal.series().into_iter().map(SeriesLine::new).collect(),
        mails: control.fiscal.mails().len(),
    })
}

/// A document as a page that can be printed.
#[derive(Template)]
#[template(path = "document.html")]
struct Printed {
    frame: Frame,
    line: Line,
    remark: String,
    related: String,
    exchange_rate: String,
    buyer: Vec<(&'static str, String)>,
    items: Vec<Item>,
    sums: Vec<Sum>,
    payments: Vec<(String, String)>,
    mails: Vec<String>,
    raw: String,
}

struct Item {
    code: String,
    description: String,
    comment: String,
    price: String,
    quantity: String,
    discount: String,
    rate: String,
    amount: String,
}

impl Item {
    fn new(item: &Json) -> Self {
        let text = |key: &str| item.get(key).spelled().to_owned();
        let rate = format!("{} %", item.get("tasa").spelled());
        Self {
            code: text("codigo"),
            description: text("descripcion"),
            // Two slashes part rows, a bar parts columns (section 3.2, row 34).
            comment: text("comentario").replace("//", " · ").replace('|', " "),
            price: text("precio"),
            quantity: text("cantidad"),
            discount: text("descuento"),
            rate: if *item.get("exento") == Json::Bool(true) { "exento".to_owned() } else { rate },
            amount: text("monto"),
        }
    }
}

/// One rate with its base and its tax.
struct Sum {
    label: String,
    base: String,
    tax: String,
}

/// Totals by rate, those with a base only.
fn sums(body: &Json) -> Vec<Sum> {
    let groups = [
        ("IVA general", "tasag", "baseg", "impuestog"),
        ("IVA reducido", "tasar", "baser", "impuestor"),
        ("IVA adicional", "tasaa", "basea", "impuestoa"),
        ("IGTF", "tasaigtf", "baseigtf", "impuestoigtf"),
    ];
    let sum = |(name, rate, base, tax): (&str, &str, &str, &str)| {
        let text = |key: &str| body.get(key).spelled().to_owned();
        // The manual spells this key otherwise (section 1).
        let base = if base == "baseigtf" && body.get(base).is_missing() { "baseigft" } else { base };
        let taxed = !body.get(base).is_falsy() || !body.get(tax).is_falsy();
        taxed.then(|| Sum { label: format!("{name} {} %", text(rate)), base: text(base), tax: text(tax) })
    };
    groups.into_iter().filter_map(sum).collect()
}

impl Printed {
    fn new(document: &Document, mails: Vec<String>) -> Self {
        let body = read(document);
        let text = |key: &str| body.get(key).spelled().to_owned();
        let subtotal = Sum { label: "Subtotal".to_owned(), base: String::new(), tax: text("subtotal") };
        let exempt = Sum { label: "Exento".to_owned(), base: String::new(), tax: text("exento") };
        let rate = if body.get("tasacambio").is_falsy() { "tasadecambio" } else { "tasacambio" };
        Self {
            frame: Frame::below(VIEW, "Document"),
            line: Line::new(document),
            remark: document.remark.clone(),
            related: text("relacionado"),
            exchange_rate: if body.get(rate).is_falsy() { String::new() } else { text(rate) },
            buyer: vec![
                ("RIF / cédula", text("rifcedulacliente")),
                ("Dirección", text("direccioncliente")),
                ("Teléfono", text("telefonocliente")),
                ("Correo", text("emailcliente").replace('|', ", ")),
            ],
            items: body.get("cuerpofactura").items().iter().map(Item::new).collect(),
            sums: [subtotal, exempt].into_iter().chain(sums(&body)).collect(),
            payments: payments(&body),
            mails,
            raw: crate::veil::Veil::default().body(&String::from_utf8_lossy(&document.body)),
        }
    }
}

fn payments(body: &Json) -> Vec<(String, String)> {
    let payment = |one: &Json| (one.get("forma").spelled().to_owned(), one.get("valor").spelled().to_owned());
    body.get("formasdepago").items().iter().map(payment).collect()
}

async fn document(
    State(control): State<Shared>,
    Path((rif, control_number)): Path<(String, String)>,
) -> Response {
    let mut documents = control.fiscal.documents().into_iter();
    let Some(found) = documents.find(|one| one.rif == rif && one.control_number == control_number) else {
        return (StatusCode::NOT_FOUND, trouble(VIEW, "There is no such document.")).into_response();
    };
    let sent = control.fiscal.mails().into_iter();
    let mails = sent.filter(|mail| mail.rif == rif && mail.control_number == control_number);
    show(&Printed::new(&found, mails.map(|mail| mail.recipients.join(", ")).collect()))
}

/// Has a sample issued over HTTP, as a program would: it stands in the list of requests, and faults strike it.
async fn sample(State(control): State<Shared>) -> Response {
    let next = control.fiscal.series().into_iter().find(|series| series.rif == control.fiscal.rif());
    let number = next.and_then(|series| series.next_internal.first().map(|(_, next)| *next)).unwrap_or(1);
    let body = try_out::invoice(control.fiscal.rif(), number);
    try_out::post(control.fiscal.base_url(), "/facturacion", control.fiscal.token(), body).await;
    back_to("/fiscal")
}
