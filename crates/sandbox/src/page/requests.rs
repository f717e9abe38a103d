//! One request: a row of the list, and its bodies.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Frame, Shared, overview, show};
use crate::tape::{Ended, Exchange, Seen};
use crate::veil::Veil;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/requests/{id}", get(page)).route("/requests/{id}/parts", get(parts))
}

/// A request in the list.
#[derive(Template)]
#[template(path = "row.html")]
pub(super) struct Row {
    pub(super) id: u64,
    service: &'static str,
    method: String,
    target: String,
    fault: Option<String>,
    status: String,
    tone: &'static str,
    took: String,
    at: String,
}

impl Row {
    pub(super) fn new(one: &Exchange, veil: &Veil) -> Self {
        Self {
            id: one.id,
            service: one.service,
            method: if one.method.is_empty() { "—".to_owned() } else { one.method.clone() },
            target: target(one, veil),
            fault: one.fault.clone().or_else(|| one.twist.clone()),
            status: status(one),
            tone: tone(one),
            took: one.took.map(|took| duration(took.as_micros())).unwrap_or_default(),
            at: one.at.utc("%H:%M:%S"),
        }
    }

    /// The row alone, for those who have the page already.
    pub(super) fn rendered(&self) -> Option<String> {
        self.render().ok()
    }
}

fn target(one: &Exchange, veil: &Veil) -> String {
    if one.path.is_empty() {
        return "(connection)".to_owned();
    }
    let query = if one.query.is_empty() { String::new() } else { format!("?{}", one.query) };
    veil.text(&format!("{}{query}", one.path))
}

fn status(one: &Exchange) -> String {
    match (one.ended, one.status) {
        (Ended::Answered, Some(status)) => status.to_string(),
        (ended, Some(status)) => format!("{status} {}", ending(ended)),
        (ended, None) => ending(ended).to_owned(),
    }
}

fn ending(ended: Ended) -> &'static str {
    match ended {
        Ended::Not => "pending",
        Ended::Answered => "answered",
        Ended::Reset => "reset",
        Ended::Closed => "closed",
        Ended::Silence => "silence",
        Ended::Left => "client left",
    }
}

/// How the row is marked; the words say the same.
fn tone(one: &Exchange) -> &'static str {
    match (one.ended, one.status) {
        (Ended::Not, _) => "pending",
        (Ended::Answered, Some(200..=399)) => "good",
        (Ended::Answered, Some(400..=499)) => "refused",
        _ => "broken",
    }
}

fn duration(micros: u128) -> String {
    match micros {
        0..1_000 => "<1 ms".to_owned(),
        1_000..10_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

/// A body as it may be seen.
struct Part {
    title: &'static str,
    text: String,
    total: u64,
    missing: u64,
}

impl Part {
    fn new(title: &'static str, seen: &Seen, veil: &Veil) -> Self {
        let text = if seen.bytes.contains(&0) { "(no text)".to_owned() } else { veil.body(&seen.text()) };
        Self { title, text, total: seen.total, missing: seen.missing() }
    }
}

/// Headers and bodies of a request, as a page or as a piece of one.
#[derive(Template)]
#[template(path = "parts.html")]
struct Parts {
    headers: Vec<(String, Option<String>)>,
    parts: [Part; 2],
}

impl Parts {
    fn new(one: &Exchange, veil: &Veil) -> Self {
        let headers = one
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_deref().map(|value| veil.text(value))));
        let parts = [Part::new("Request body", &one.sent, veil), Part::new("Answer", &one.answer, veil)];
        Self { headers: headers.collect(), parts }
    }

    fn rendered(&self) -> String {
        self.render().unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "request.html")]
struct Page {
    frame: Frame,
    row: Row,
    parts: Parts,
}

async fn page(State(control): State<Shared>, Path(id): Path<u64>) -> Response {
    let Some(one) = control.tape.find(id) else { return gone() };
    let frame = Frame::below(overview::VIEW, "Request");
    control.veiled(|veil| show(&Page { frame, row: Row::new(&one, veil), parts: Parts::new(&one, veil) }))
}

async fn parts(State(control): State<Shared>, Path(id): Path<u64>) -> Response {
    let Some(one) = control.tape.find(id) else { return gone() };
    control.veiled(|veil| show(&Parts::new(&one, veil)))
}

fn gone() -> Response {
    (StatusCode::NOT_FOUND, "no such request; only the newest are kept").into_response()
}
