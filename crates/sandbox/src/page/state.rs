//! The state of all services as one file: taken out, put back, or forgotten.

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use super::{Frame, Shared, View, back_to, show, trouble};
use crate::control::STATE_LIMIT;
use crate::geosite::Feature;
use crate::{bitfactura, sugester};

pub(super) const VIEW: View = View { path: "/state", name: "State", routes };

fn routes() -> Router<Shared> {
    let import = post(import).layer(DefaultBodyLimit::max(STATE_LIMIT));
    Router::new()
        .route("/state", get(page))
        .route("/state/export", get(export))
        .route("/state/import", import)
        .route("/state/reset", post(reset))
}

/// What a service has at present, in a few numbers.
struct Count {
    service: &'static str,
    has: String,
}

#[derive(Template)]
#[template(path = "state.html")]
struct Page {
    frame: Frame,
    counts: Vec<Count>,
    control_url: String,
}

async fn page(State(control): State<Shared>) -> Response {
    let (fiscal, legale) = (&control.fiscal, &control.legale);
    let (crm, invoicing) = (&control.sugester, &control.bitfactura);
    let invoices = invoicing.records(bitfactura::Table::Invoices).len();
    let elements: usize = Feature::ALL.iter().map(|feature| control.geosite.count(*feature)).sum();
    let count = |service, has| Count { service, has };
    let counts = vec![
        count("fiscal", format!("{} documents, {} mails", fiscal.documents().len(), fiscal.mails().len())),
        count(
            "legale",
            format!("{} documents, {} callbacks", legale.documents().len(), legale.callbacks().len()),
        ),
        count("sugester", format!("{} clients", crm.records(sugester::Table::Clients).len())),
        count("bitfactura", format!("{invoices} invoices")),
        count("geosite", format!("{elements} elements")),
        count("apiges", format!("{} case files", control.apiges.file_ids().len())),
    ];
    show(&Page { frame: Frame::of(VIEW), counts, control_url: control.url.clone() })
}

async fn export(State(control): State<Shared>) -> Response {
    match control.export() {
        Ok(state) => {
            let name = "attachment; filename=\"sandbox-state.json\"";
            ([(CONTENT_TYPE, "application/json"), (CONTENT_DISPOSITION, name)], state.to_string())
                .into_response()
        }
        Err(what) => (StatusCode::INTERNAL_SERVER_ERROR, trouble(VIEW, &what)).into_response(),
    }
}

async fn import(State(control): State<Shared>, form: Multipart) -> Response {
    let file = match read_file(form).await {
        Ok(file) => file,
        Err(what) => return trouble(VIEW, &what),
    };
    let state =
        serde_json::from_slice::<Value>(&file).map_err(|error| format!("The file is not JSON: {error}"));
    match state.and_then(|state| control.import(state)) {
        Ok(()) => back_to("/state"),
        Err(what) => trouble(VIEW, &what),
    }
}

/// The bytes of the form's one file.
async fn read_file(mut form: Multipart) -> Result<Vec<u8>, String> {
    while let Some(field) = form.next_field().await.map_err(|error| error.body_text())? {
        if field.name() == Some("file") {
            return field.bytes().await.map(Into::into).map_err(|error| error.body_text());
        }
    }
    Err("No file was chosen.".to_owned())
}

async fn reset(State(control): State<Shared>) -> Response {
    match control.order(&Method::POST, "/_sandbox/reset", &Value::Null).await {
        Ok(_) => back_to("/state"),
        Err(what) => trouble(VIEW, &what),
    }
}
