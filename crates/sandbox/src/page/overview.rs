//! Every service with its address and credentials, and the requests as they come.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::requests::Row;
use super::{Frame, Shared, View, back_to, show};
use crate::control::Control;

pub(super) const VIEW: View = View { path: "/", name: "Overview", routes };

/// How many requests the page shows; the script keeps to it.
const SHOWN: usize = 100;

fn routes() -> Router<Shared> {
    Router::new().route("/", get(page)).route("/requests/forget", post(forget))
}

/// A service and what a program needs to use it.
struct Service {
    /// As the list of requests names it.
    name: &'static str,
    title: &'static str,
    about: &'static str,
    /// Variable and value.
    settings: Vec<(&'static str, String)>,
}

impl Service {
    fn new(name: &'static str, title: &'static str, about: &'static str) -> Self {
        Self { name, title, about, settings: Vec::new() }
    }

    fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.settings.push((variable, value.to_owned()));
        self
    }

    /// Lines for a shell.
    fn exports(&self) -> String {
        let line = |(variable, value): &(&str, String)| format!("export {variable}='{value}'");
        self.settings.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn services(control: &Control) -> Vec<Service> {
    let Control { fiscal, legale, sugester, bitfactura, geosite, hubsoft, apiges, websync, .. } = control;
    vec![
        Service::new("fiscal", "Fiscal printer", "SMART digital printing house, Venezuela")
            .with("FISCAL_PRINTER_BASE_URL", fiscal.base_url())
            .with("FISCAL_PRINTER_TOKEN", fiscal.token()),
        Service::new("legale", "Legale", "Certified e-signature, Chile")
            .with("LEGALE_BASE_URL", legale.base_url())
            .with("LEGALE_API_KEY", legale.api_key())
            .with("LEGALE_EMAIL", legale.email())
            .with("LEGALE_PASSWORD", legale.password()),
        Service::new("sugester", "Sugester", "CRM; routes below /app")
            .with("SUGESTER_BASE_URL", sugester.base_url())
            .with("SUGESTER_API_TOKEN", sugester.token()),
        Service::new("bitfactura", "BitFactura", "Invoicing beside Sugester")
            .with("BITFACTURA_BASE_URL", bitfactura.base_url())
            .with("BITFACTURA_API_TOKEN", bitfactura.token()),
        Service::new("geosite", "GeoSite Telecom", "FTTH maps, Brazil")
            .with("GEOSITE_BASE_URL", geosite.base_url())
            .with("GEOSITE_USERNAME", geosite.username())
            .with("GEOSITE_PASSWORD", geosite.password()),
        Service::new("hubsoft", "HubSoft", "Public API over the same customers")
            .with("HUBSOFT_BASE_URL", hubsoft.base_url())
            .with("HUBSOFT_CLIENT_ID", hubsoft.client_id())
            .with("HUBSOFT_CLIENT_SECRET", hubsoft.client_secret())
            .with("HUBSOFT_USERNAME", hubsoft.username())
            .with("HUBSOFT_PASSWORD", hubsoft.password()),
        Service::new("apiges", "Apiges", "Trademark and patent files, Spain")
            .with("APIGES_BASE_URL", apiges.base_url())
            .with("APIGES_USERNAME", apiges.username())
            .with("APIGES_PASSWORD", apiges.password()),
        Service::new("websync", "Apiges portal", "What contacts see; this project's own protocol")
            .with("APIGES_WEB_BASE_URL", websync.base_url())
            .with("APIGES_WEB_TENANT", websync.tenant())
            .with("APIGES_WEB_TOKEN", websync.token()),
    ]
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    services: Vec<Service>,
    only: String,
    rows: Vec<Row>,
    revision: u64,
    shown: usize,
}

#[derive(Deserialize)]
struct Wish {
    /// Shows the requests to one service only.
    #[serde(default)]
    service: String,
}

async fn page(State(control): State<Shared>, Query(wish): Query<Wish>) -> Response {
    let only = Some(wish.service.as_str()).filter(|name| !name.is_empty());
    let (newest, revision) = control.tape.newest(only);
    let rows =
        control.veiled(|veil| newest.iter().take(SHOWN).map(|one| Row::new(one, veil)).collect::<Vec<_>>());
    show(&Page {
        frame: Frame::of(VIEW),
        services: services(&control),
        only: wish.service,
        rows,
        revision,
        shown: SHOWN,
    })
}

async fn forget(State(control): State<Shared>) -> Response {
    control.tape.forget();
    back_to("/")
}
