//! Legale: documents with their signers in order, who can be played, and the callbacks that were sent.
//!
//! Whether a signer may act is judged by the simulator alone (contract, section 4.7): every button is offered as long
//! as the flow goes on, and a refusal is shown beside the signer.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::program::Program;
use super::{Frame, Shared, View, back_to, show, trouble};
use crate::control::Control;
use crate::legale::{Callback, Document, FlowState, Signer, SignerState, Step, StepRefused, small_pdf};
use crate::veil::{HIDDEN, Veil};

pub(super) const VIEW: View = View { path: "/legale", name: "Legale", routes };

/// How many documents and callbacks are shown, the newest first.
const SHOWN: usize = 50;

fn routes() -> Router<Shared> {
    Router::new()
        .route("/legale", get(page))
        .route("/legale/examples", post(examples))
        .route("/legale/receiver", post(receiver))
        .route("/legale/documents/{guid}/{number}/{step}", post(step))
}

/// A document and its signers.
struct Sheet {
    guid: String,
    title: String,
    file_name: String,
    folder: String,
    state: &'static str,
    tone: &'static str,
    /// How its signers follow each other, in words.
    order: String,
    created_at: String,
    ended: String,
    comment: String,
    signed_file: String,
    signers: Vec<Person>,
}

/// A signer.
struct Person {
    number: usize,
    email: String,
    name: String,
    how: String,
    state: &'static str,
    tone: &'static str,
    acted_at: String,
    /// Whether he can still act.
    open: bool,
    refusal: Option<String>,
}

impl Sheet {
    fn new(document: Document, wish: &Wish) -> Self {
        let (state, tone) = flow_state(document.state);
        let open =
            matches!(document.state, FlowState::InProgress | FlowState::Paused | FlowState::LinkExpired);
        let asked = wish.document == document.guid;
        let person = |signer| Person::new(signer, open, wish.refusal().filter(|_| asked), wish.signer);
        Self {
            title: if document.description.is_empty() {
                document.file_name.clone()
            } else {
                document.description
            },
            file_name: document.file_name,
            folder: document.folder,
            state,
            tone,
            order: order(document.flow_type.as_deref()),
            created_at: short(&document.created_at),
            ended: document.finished_at.as_deref().map(short).unwrap_or_default(),
            comment: document.comment.unwrap_or_default(),
            signed_file: document.signed_file.map(|file| file.file_name).unwrap_or_default(),
            signers: document.signers.into_iter().map(person).collect(),
            guid: document.guid,
        }
    }
}

impl Person {
    fn new(signer: Signer, open: bool, refusal: Option<String>, refused: usize) -> Self {
        let (state, tone) = signer_state(signer.state);
        let names = [signer.firstname, signer.lastname1, signer.lastname2];
        let flow = signer.sign_flow.map(|flow| format!("{flow}, ")).unwrap_or_default();
        Self {
            number: signer.number,
            email: signer.email,
            name: names.join(" ").split_whitespace().collect::<Vec<_>>().join(" "),
            how: format!("{flow}{}", signer.sign_method),
            state,
            tone,
            acted_at: signer.acted_at.as_deref().map(short).unwrap_or_default(),
            open: open && !matches!(signer.state, SignerState::Signed | SignerState::Rejected),
            refusal: refusal.filter(|_| refused == signer.number),
        }
    }
}

/// To the second; the wire's form has microseconds.
fn short(time: &str) -> String {
    time.split_once('.').map_or(time, |(seconds, _)| seconds).replace('T', " ")
}

fn order(flow_type: Option<&str>) -> String {
    match flow_type {
        Some("priority") => "one after the other".to_owned(),
        Some("simultaneously") => "all at once".to_owned(),
        Some(other) => other.to_owned(),
        None => String::new(),
    }
}

fn flow_state(state: FlowState) -> (&'static str, &'static str) {
    match state {
        FlowState::Uploaded => ("uploaded, no flow yet", ""),
        FlowState::InProgress => ("in progress", "busy"),
        FlowState::Paused => ("paused", "busy"),
        FlowState::LinkExpired => ("links expired", "bad"),
        FlowState::Signed => ("signed", "on"),
        FlowState::Rejected => ("rejected", "bad"),
        FlowState::Terminated => ("terminated", "bad"),
        FlowState::Deleted => ("deleted", ""),
    }
}

fn signer_state(state: SignerState) -> (&'static str, &'static str) {
    match state {
        SignerState::Pending => ("pending", ""),
        SignerState::Opened => ("opened", "busy"),
        SignerState::Signed => ("signed", "on"),
        SignerState::Rejected => ("rejected", "bad"),
    }
}

/// A callback with every time it was posted.
struct Letter {
    number: usize,
    kind: String,
    title: String,
    url: String,
    fault: String,
    body: String,
    postings: Vec<Posting>,
    /// What is to be said where nothing was posted.
    waiting: &'static str,
}

struct Posting {
    at: String,
    outcome: String,
    tone: &'static str,
    genuine: bool,
    answer: String,
}

impl Letter {
    fn new(callback: Callback, documents: &[Document], veil: &Veil) -> Self {
        let document = documents.iter().find(|document| document.guid == callback.guid);
        // The key that its sender chose is a secret between him and his receiver.
        let key = document.and_then(|document| document.callback_key.as_deref());
        let hidden = |text: String| match key.filter(|key| !key.is_empty()) {
            Some(key) => text.replace(key, HIDDEN),
            None => text,
        };
        let postings = callback.attempts.into_iter().map(|attempt| Posting {
            at: short(&attempt.at),
            tone: if attempt.status.is_some_and(|status| (200..300).contains(&status)) {
                "on"
            } else {
                "bad"
            },
            outcome: attempt.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string()),
            genuine: attempt.genuine,
            answer: hidden(veil.text(&attempt.error.unwrap_or(attempt.answer))),
        });
        Self {
            number: callback.number,
            kind: name_of(&callback.kind),
            title: document.map(|document| document.description.clone()).unwrap_or_default(),
            url: hidden(veil.text(&callback.url)),
            fault: callback.fault.unwrap_or_default(),
            body: hidden(veil.body(&callback.body)),
            postings: postings.collect(),
            waiting: if callback.finished { "never posted" } else { "not posted yet" },
        }
    }
}

/// The name by which the control API calls it.
fn name_of(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

#[derive(Template)]
#[template(path = "legale.html")]
struct Page {
    frame: Frame,
    sheets: Vec<Sheet>,
    documents: usize,
    letters: Vec<Letter>,
    callbacks: usize,
    mails: usize,
}

#[derive(Deserialize)]
struct Wish {
    /// The document on which a step was refused.
    #[serde(default)]
    document: String,
    #[serde(default)]
    signer: usize,
    /// The name of the refusal; its words are ours.
    #[serde(default)]
    refused: String,
}

/// Every refusal, since only its name travels.
const REFUSALS: [StepRefused; 8] = [
    StepRefused::NoDocument,
    StepRefused::NoSigner,
    StepRefused::NotStarted,
    StepRefused::NotHisTurn,
    StepRefused::AlreadyActed,
    StepRefused::Ended,
    StepRefused::Paused,
    StepRefused::Expired,
];

impl Wish {
    fn refusal(&self) -> Option<String> {
        let known = REFUSALS.iter().find(|refusal| name_of(*refusal) == self.refused);
        known.map(ToString::to_string)
    }
}

async fn page(State(control): State<Shared>, Query(wish): Query<Wish>) -> Response {
    let (documents, callbacks) = (control.legale.documents(), control.legale.callbacks());
    let (count, posted) = (documents.len(), callbacks.len());
    let letters = control.veiled(|veil| {
        let newest = callbacks.into_iter().rev().take(SHOWN);
        newest.map(|callback| Letter::new(callback, &documents, veil)).collect()
    });
    show(&Page {
        frame: Frame::of(VIEW),
        sheets: documents.into_iter().rev().take(SHOWN).map(|one| Sheet::new(one, &wish)).collect(),
        documents: count,
        letters,
        callbacks: posted,
        mails: control.legale.mails().len(),
    })
}

#[derive(Deserialize)]
struct Remark {
    #[serde(default)]
    comment: String,
}

/// A signer opens, signs or rejects.
async fn step(
    State(control): State<Shared>,
    Path((guid, number, step)): Path<(String, usize, String)>,
    Form(remark): Form<Remark>,
) -> Response {
    let step = match step.as_str() {
        "open" => Step::Open,
        "sign" => Step::Sign,
        "reject" => Step::Reject,
        _ => return trouble(VIEW, "A signer can open, sign and reject."),
    };
    let name = escaped(&guid);
    match control.legale.step(&guid, number, step, &remark.comment) {
        Ok(()) => back_to(&format!("/legale#d-{name}")),
        Err(refused @ (StepRefused::NoDocument | StepRefused::NoSigner)) => {
            trouble(VIEW, &format!("Refused: {refused}."))
        }
        Err(refused) => {
            let refused = name_of(&refused);
            back_to(&format!("/legale?document={name}&signer={number}&refused={refused}#d-{name}"))
        }
    }
}

/// For a query and a fragment: a GUID of a setting may hold more than letters.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

/// Takes the callbacks of the examples, as a program's receiver would.
async fn receiver() -> &'static str {
    "received by the sandbox's page"
}

/// Has two documents sent over HTTP, as a program would: three sign one after the other, two at once.
async fn examples(State(control): State<Shared>) -> Response {
    for (description, flow_type, emails) in [
        ("Contrato de arriendo", "priority", &["ana@example.com", "luis@example.com", "eva@example.com"][..]),
        ("Acuerdo de confidencialidad", "simultaneously", &["eva@example.com", "leo@example.com"]),
    ] {
        example(&control, description, flow_type, emails).await;
    }
    back_to("/legale")
}

async fn example(control: &Control, description: &str, flow_type: &str, emails: &[&str]) {
    let legale = &control.legale;
    let headers = vec![("legale-api-key", legale.api_key().to_owned())];
    let program = Program { base_url: legale.base_url(), headers };
    let document = json!({
        "file_name": format!("{}.pdf", description.replace(' ', "_")),
        "description": description,
        "file": STANDARD.encode(small_pdf(description)),
        "folder": "Legal/Ejemplos",
        "callback_url": format!("{}/legale/receiver", control.url),
    });
    let before = legale.documents().len();
    program.call(Method::POST, "/api/document/create", &[], &document).await;
    // Read back where it is, since the answer's shape is a setting, and a fault may have eaten it.
    let documents = legale.documents();
    let Some(made) = documents.get(before..).and_then(<[Document]>::first) else { return };
    let flow = json!({
        "flow_type": flow_type,
        "signer_list": emails.iter().map(|email| signer(email, &control.url)).collect::<Vec<_>>(),
        "shared_list": [],
    });
    program.call(Method::POST, &format!("/api/sign/start/{}", escaped(&made.guid)), &[], &flow).await;
}

fn signer(email: &str, page: &str) -> Value {
    json!({
        "sign_flow": "other", "sign_method": "no_sms", "email": email, "skip_email": true,
        "sign_status_callback_url": format!("{page}/legale/receiver"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::legale::decoded;

    #[test]
    fn what_is_no_letter_is_escaped() {
        assert_eq!(escaped("a-B_9"), "a-B_9");
        assert_eq!(escaped("a b&c=ñ/#"), "a%20b%26c%3D%C3%B1%2F%23");
        assert_eq!(decoded(&escaped("a b&c=ñ/#")), "a b&c=ñ/#");
    }

    #[test]
    fn times_are_told_to_the_second() {
        assert_eq!(short("2021-10-19T16:05:44.158662Z"), "2021-10-19 16:05:44");
    }
}
