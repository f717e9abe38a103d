//! R5: no credential, key or client data in any error, whatever the server repeats of a request. Every operation of both layers is asked
//! with a sentinel in every field, by a server that answers with what it was sent, in every place of an answer and in several spellings.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

#[path = "privacy/layer_a.rs"]
mod layer_a;
#[path = "privacy/layer_b.rs"]
mod layer_b;

use std::error::Error as _;
use std::fmt::Write as _;

use apiges_sync::web::Refusal;
use apiges_sync::{Error, ErrorExt, RetryPolicy};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// What stands in a request: a name, the same with blanks and signs, a short key, words that are all short, a long text.
pub(crate) const NAME: &str = "Zurriaga";
pub(crate) const FIRM: &str = "Peñagrande & Hijos, S.A.";
pub(crate) const KEY: &str = "Q-7";
pub(crate) const SHORT: &str = "Eva y Ada de Oz";
pub(crate) const LONG: &str =
    "Le escribimos a usted, Zurriaga, por la oposición de Peñagrande a su solicitud.";
pub(crate) const MAIL: &str = "zurriaga@penagrande.example";
pub(crate) const DATE: &str = "17/03/2031";
pub(crate) const CODE: &str = "00/Zurriaga";
/// In every number of a record.
pub(crate) const NUMBER: u64 = 77_391_204;
pub(crate) const PAIR_TAG: &str = "7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c";

/// A part of each of them, in lower case.
const MARKS: [&str; 12] = [
    "zurri",
    "urriaga",
    "peñagr",
    "pe%c3%b1agr",
    "penagr",
    "q-7",
    "eva y ada",
    "eva%20y%20ada",
    "escribimos",
    "oposici",
    "77391",
    "7a6c3e7a",
];

/// How the answer is made of what was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Echo {
    status: u16,
    shape: Shape,
    spelling: Spelling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The envelope, with the echo as its message.
    Message,
    /// The same with the echo in data, and the portal's error object.
    Refusal,
    /// An object whose keys are the echo.
    Keys,
    /// A text.
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    AsSent,
    Decoded,
    Upper,
    /// From the middle, and not to the end.
    Cut,
}

impl Echo {
    pub(crate) fn all() -> Vec<Self> {
        let spellings = [Spelling::AsSent, Spelling::Decoded, Spelling::Upper, Spelling::Cut];
        let shapes = [Shape::Message, Shape::Refusal, Shape::Keys, Shape::Text];
        let each = shapes.into_iter().flat_map(|shape| spellings.map(|spelling| (shape, spelling)));
        let with = |status| each.clone().map(move |(shape, spelling)| Self { status, shape, spelling });
        [200, 401, 404, 422, 500].into_iter().flat_map(with).collect()
    }

    fn said(self, request: &Request) -> String {
        let sent = &request.url[url::Position::BeforePath..];
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let plain = percent_encoding::percent_decode_str(sent).decode_utf8_lossy().into_owned();
        match self.spelling {
            Spelling::AsSent => format!("no: {sent} {body}"),
            Spelling::Decoded => format!("no: {plain} {}", values(&body).join(" / ")),
            Spelling::Upper => format!("no: {plain} {}", values(&body).join(" ")).to_uppercase(),
            Spelling::Cut => {
                let text = format!("{plain} {}", values(&body).join(" "));
                let length = text.chars().count();
                text.chars().skip(length / 3).take(length / 2).collect()
            }
        }
    }
}

/// The texts and numbers of a body.
fn values(body: &str) -> Vec<String> {
    fn put(value: &serde_json::Value, all: &mut Vec<String>) {
        match value {
            serde_json::Value::Array(items) => items.iter().for_each(|item| put(item, all)),
            serde_json::Value::Object(fields) => fields.values().for_each(|item| put(item, all)),
            serde_json::Value::String(text) => all.push(text.clone()),
            other => all.push(other.to_string()),
        }
    }
    let mut all = Vec::new();
    put(&serde_json::from_str(body).unwrap_or_default(), &mut all);
    all
}

impl Respond for Echo {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if request.url.path() == "/login" {
            return ResponseTemplate::new(200)
                .set_body_json(json!({"statusCode": 200, "message": "OK", "data": "token-1"}));
        }
        let said = self.said(request);
        // One word of what was asked, where an answer has room for one.
        let last = request.url.path().rsplit('/').next().unwrap_or_default();
        let part: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
        let object = json!({"code": said, "details": {"reason": said, "grants": said}});
        let answer = ResponseTemplate::new(self.status)
            .insert_header("x-request-id", part.as_str())
            .insert_header("x-correlation-id", "id-1")
            .insert_header("location", "/Zurriaga?x=Zurriaga");
        match self.shape {
            Shape::Message => answer
                .set_body_json(json!({"statusCode": self.status.max(400), "message": said, "data": null})),
            Shape::Refusal => answer.set_body_json(
                json!({"statusCode": 422, "message": said, "data": {"items": said}, "error": object}),
            ),
            Shape::Keys => answer.set_body_json(json!({(said.clone()): 1, (part): 2, "x": {(said): 1}})),
            Shape::Text => answer.set_body_raw(said, &format!("text/{part}")),
        }
    }
}

pub(crate) async fn server(echo: Echo) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(echo).mount(&server).await;
    server
}

pub(crate) fn once() -> RetryPolicy {
    RetryPolicy::never()
}

/// Every way in which an error can be printed or asked.
fn shown(error: &Error) -> String {
    let mut all = format!("{error} {error:#} {error:?} {error:#?} {} {:?}", error.report(), error.report());
    let said = (error.message(), error.service_code(), error.request_id(), error.hint(), error.faults());
    let _ = write!(all, "{said:?} {:?} {:?}", error.problem(), error.service_message());
    let refusal = Refusal::of(error);
    let _ = write!(
        all,
        "{refusal:?} {:?}",
        refusal.map(|refusal| (refusal.code.clone(), refusal.unnamed_holders()))
    );
    if let Some(answer) = error.answer() {
        let _ = write!(all, "{answer:?} {} {:?} {:?}", answer.text(), answer.headers(), answer.request_id());
    }
    let mut cause = error.source();
    while let Some(current) = cause {
        let _ = write!(all, "{current} {current:?} {current:#?}");
        cause = current.source();
    }
    all
}

/// That a call failed, and that its error holds no sentinel.
#[track_caller]
pub(crate) fn tells_nothing<T>(what: &str, echo: Echo, result: Result<T, Error>) {
    let Err(error) = result else { panic!("{what} took an echo for an answer: {echo:?}") };
    let text = shown(&error);
    let lower = text.to_lowercase();
    if let Some(mark) = MARKS.iter().find(|mark| lower.contains(**mark)) {
        panic!("{what} after {echo:?} shows {mark}: {text}");
    }
}
