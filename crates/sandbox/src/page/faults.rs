//! Faults of every service: what is planned, switched on and off one by one, or all at once.
//!
//! A form here does what a call of the control API does, so whatever that understands can be planned.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Frame, Shared, View, back_to, show, trouble};
use crate::control::Control;
use crate::fault::Planned;

pub(super) const VIEW: View = View { path: "/faults", name: "Faults", routes };

fn routes() -> Router<Shared> {
    Router::new()
        .route("/faults", get(page))
        .route("/faults/clear", post(clear))
        .route("/faults/{service}", post(switch_on))
        .route("/faults/{service}/{plan}/{id}/off", post(switch_off))
        .route("/faults/{service}/open", post(open))
}

/// A planned fault, and where it is switched off.
struct Line {
    service: &'static str,
    plan: &'static str,
    id: u64,
    spot: String,
    name: String,
    parameters: String,
    when: String,
}

impl Line {
    fn new(service: &'static str, plan: &'static str, planned: Planned) -> Self {
        let (name, parameters) = split(&planned.fault);
        Self { service, plan, id: planned.id, spot: planned.spot, name, parameters, when: planned.when }
    }
}

/// Name and parameters of a fault or a twist.
fn split(fault: &Value) -> (String, String) {
    let mut fields = fault.as_object().cloned().unwrap_or_default();
    let name = ["fault", "twist"].iter().find_map(|key| fields.remove(*key));
    let name = name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    let parameters = if fields.is_empty() { String::new() } else { Value::Object(fields).to_string() };
    (name, parameters)
}

fn planned(control: &Control) -> Vec<Line> {
    let mut lines = Vec::new();
    for (service, troubled) in control.troubled() {
        troubled.plans(&mut |plan, listed| {
            lines.extend(listed.listed().into_iter().map(|one| Line::new(service, plan, one)));
        });
    }
    lines
}

/// What can be planned by one form.
struct Choice {
    /// `faults`, or the name of another route of the control API.
    plan: &'static str,
    title: &'static str,
    /// What [`spots`](Self::spots) are called in the control API.
    key: &'static str,
    spots: Vec<String>,
    /// Names with example parameters.
    faults: Vec<(String, String)>,
}

impl Choice {
    /// Out of the help of the control API: where spots stand, and where examples.
    fn read(help: &Value, form: &(&'static str, &'static str, &'static str, &str, &str)) -> Option<Self> {
        let (plan, title, key, spots, examples) = *form;
        let faults: Vec<_> = help.get(examples)?.as_array()?.iter().map(split).collect();
        let texts = |list: &Value| list.as_array().map(|all| all.iter().filter_map(text).collect());
        // Where more is said about places, their names stand one step deeper.
        let listed = help.get(spots).map(|said| said.get(spots).unwrap_or(said));
        let spots = listed.and_then(texts).unwrap_or_else(|| vec!["any".to_owned()]);
        Some(Self { plan, title, key, spots, faults })
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Route, title, name of the place, and the keys of the help under which places and examples stand.
const FORMS: &[(&str, &str, &str, &str, &str)] = &[
    ("faults", "A fault of the wire", "endpoint", "endpoints", "faults"),
    ("twists", "A twist of the answer", "endpoint", "endpoints", "twists"),
    ("callback-faults", "A fault of callbacks", "kind", "callback_kinds", "callback_faults"),
    ("webhook-faults", "A fault of webhooks", "kind", "webhook_kinds", "webhook_faults"),
];

#[derive(Template)]
#[template(path = "faults.html")]
struct Page {
    frame: Frame,
    lines: Vec<Line>,
    /// Services that refuse connections.
    shut: Vec<&'static str>,
    /// Services with the number of faults planned there.
    services: Vec<(&'static str, usize)>,
    service: &'static str,
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    service: String,
}

async fn page(State(control): State<Shared>, Query(wish): Query<Wish>) -> Response {
    let troubled = control.troubled();
    let service = troubled.iter().find(|(name, _)| *name == wish.service).map_or("fiscal", |(name, _)| *name);
    let lines = planned(&control);
    let count = |name: &str| lines.iter().filter(|line| line.service == name).count();
    let services = troubled.iter().map(|(name, _)| (*name, count(name))).collect();
    let shut = troubled.iter().filter(|(_, one)| !one.is_open()).map(|(name, _)| *name).collect();
    let plans = plans_of(&control, service);
    let help = help(&control, service).await;
    let forms = FORMS.iter().filter(|form| plans.contains(&form.0));
    let choices = forms.filter_map(|form| Choice::read(&help, form)).collect();
    show(&Page { frame: Frame::of(VIEW), lines, shut, services, service, choices })
}

/// Names of the plans that a service has.
fn plans_of(control: &Control, service: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (_, troubled) in control.troubled().into_iter().filter(|(name, _)| *name == service) {
        troubled.plans(&mut |plan, _| names.push(plan));
    }
    names
}

async fn help(control: &Control, service: &str) -> Value {
    let path = format!("/_sandbox/{service}/");
    control.order(&Method::GET, &path, &Value::Null).await.unwrap_or_default()
}

/// What the form says.
#[derive(Deserialize)]
struct Switch {
    plan: String,
    spot: String,
    fault: String,
    #[serde(default)]
    parameters: String,
    #[serde(default)]
    when: String,
    #[serde(default)]
    times: String,
    #[serde(default)]
    probability: String,
}

async fn switch_on(
    State(control): State<Shared>,
    Path(service): Path<String>,
    Form(switch): Form<Switch>,
) -> Response {
    match plan(&control, &service, &switch).await {
        Ok(()) => back_to(&format!("/faults?service={service}")),
        Err(what) => trouble(VIEW, &what),
    }
}

async fn plan(control: &Control, service: &str, switch: &Switch) -> Result<(), String> {
    let known = control.troubled().iter().any(|(name, _)| *name == service);
    let form = FORMS.iter().find(|form| form.0 == switch.plan).filter(|_| known);
    let form = form.ok_or("There is no such service or plan.")?;
    let example = example(&help(control, service).await, form, &switch.fault);
    let mut order = example.ok_or("There is no such fault.")?;
    let spot = if switch.spot == "any" { Value::Null } else { json!(switch.spot) };
    order.insert(form.2.to_owned(), spot);
    order.extend(read_parameters(&switch.parameters)?);
    order.extend(switch.when()?);
    let path = format!("/_sandbox/{service}/{}", form.0);
    control.order(&Method::POST, &path, &Value::Object(order)).await.map(drop)
}

/// The example of a fault, to be changed.
fn example(help: &Value, form: &(&str, &str, &str, &str, &str), name: &str) -> Option<Map<String, Value>> {
    if form.0 == "faults" && name == REFUSE {
        return json!({ "fault": REFUSE }).as_object().cloned();
    }
    let examples = help.get(form.4)?.as_array()?;
    examples.iter().find(|one| split(one).0 == name)?.as_object().cloned()
}

/// The fault that belongs to a port, not to a request.
const REFUSE: &str = "refuse_connections";

fn read_parameters(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let hint = r#"parameters: a JSON object is needed, such as {"delay_ms": 500}"#;
    serde_json::from_str(text).map_err(|error| format!("{hint} ({error})"))
}

impl Switch {
    fn when(&self) -> Result<Map<String, Value>, String> {
        let when = match self.when.as_str() {
            "always" => json!({ "always": true }),
            "times" => json!({ "times": number::<u32>("times", &self.times)? }),
            "probability" => {
                json!({ "probability": number::<f64>("probability", &self.probability)?, "seed": 7 })
            }
            _ => json!({ "times": 1 }),
        };
        Ok(when.as_object().cloned().unwrap_or_default())
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("{name}: a number is needed, not “{text}”"))
}

async fn switch_off(
    State(control): State<Shared>,
    Path((service, plan, id)): Path<(String, String, u64)>,
) -> Response {
    for (_, troubled) in control.troubled().into_iter().filter(|(name, _)| *name == service) {
        troubled.plans(&mut |name, listed| {
            if name == plan {
                listed.remove(id);
            }
        });
    }
    back_to("/faults")
}

/// Lets connections in again; the control API does that by forgetting the service's faults.
async fn open(State(control): State<Shared>, Path(service): Path<String>) -> Response {
    let path = format!("/_sandbox/{service}/faults");
    match control.order(&Method::DELETE, &path, &Value::Null).await {
        Ok(_) => back_to("/faults"),
        Err(what) => trouble(VIEW, &what),
    }
}

async fn clear(State(control): State<Shared>) -> Response {
    match control.order(&Method::DELETE, "/_sandbox/faults", &Value::Null).await {
        Ok(_) => back_to("/faults"),
        Err(what) => trouble(VIEW, &what),
    }
}
