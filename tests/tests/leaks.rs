//! Promise 5: no secret is printed. A sentinel is planted in every type that can hold a token, every error is provoked by a
//! service that repeats the token wherever it can, and whatever can be printed or is traced is searched for it.

pub mod echo;
mod files;
pub mod printed;
mod sentinels;
mod table;

use std::error::Error as _;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, OnceLock};

use fiscal_printer::{
    Answer, BoxFuture, Client, ControlNumber, Environment, Error, Mail, Secret, SwappableToken, TokenHint,
    TokenProvider,
};
use integration_core::call::{Authorization, Bearer, Credentials as _};
use integration_sandbox::fiscal::{Endpoint, Fiscal};
use integration_sandbox::{Fault, Scripted};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

use crate::support::{BUYER, base64url, builder, builder_for, client, invoice, sandbox};

/// Everything that was traced on this thread, as text.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// Captures every event and span, at every level, on this thread until the guard is dropped. The sandbox runs on the same
/// thread, so what it traces is captured too.
pub fn capture() -> (Log, DefaultGuard) {
    let log = Log::default();
    // With a single subscriber, a callsite that another thread meets first asks that thread's default, which is none, and stays
    // silent for good; with two, every subscriber is asked.
    static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| tracing::Dispatch::new(Recorder(Log::default())));
    let guard = tracing::subscriber::set_default(Recorder(log.clone()));
    (log, guard)
}

struct Recorder(Log);

impl Recorder {
    fn note(&self, metadata: Option<&Metadata<'_>>, fields: impl FnOnce(&mut Fields)) {
        let mut line = Fields(String::new());
        if let Some(metadata) = metadata {
            let _ = write!(line.0, "{} {} {}", metadata.level(), metadata.target(), metadata.name());
        }
        fields(&mut line);
        let mut log = self.0.0.lock().unwrap();
        log.push_str(&line.0);
        log.push('\n');
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(Some(span.metadata()), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note(None, |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(Some(event.metadata()), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A token of the form that the vendor's have, and the parts of it that must turn up nowhere.
struct Sentinel {
    token: String,
    parts: Vec<String>,
}

const SIGNATURE: &str = "S3NT1NELs1gnature-of_a_token_that_nobody_may_see";

impl Sentinel {
    fn new() -> Self {
        let claim = "S3NT1NELclaim";
        let payload = format!(
            r#"{{"user":{{"id":"{claim}","rif":"J-12345678-4","razonsocial":"{claim}","validarinterno":1}},"iat":1764000000}}"#
        );
        let payload = base64url(payload.as_bytes());
        let token = format!("{}.{payload}.{SIGNATURE}", base64url(br#"{"alg":"HS256","typ":"JWT"}"#));
        Self { parts: vec![token.clone(), payload, SIGNATURE.to_owned(), claim.to_owned()], token }
    }

    /// The sandbox's own token, which it accepts: for calls that succeed.
    fn of(fiscal: &Fiscal) -> Self {
        let token = fiscal.token().to_owned();
        let mut parts: Vec<String> = token.split('.').skip(1).map(str::to_owned).collect();
        parts.push(token.clone());
        Self { token, parts }
    }

    fn absent_from(&self, what: &str, text: &str) {
        for part in &self.parts {
            assert!(!text.contains(part.as_str()), "{what} shows {part}: {text}");
        }
    }

    /// In every way a value can be printed.
    fn absent_from_debug(&self, what: &str, value: &dyn Debug) {
        self.absent_from(what, &format!("{value:?}"));
        self.absent_from(what, &format!("{value:#?}"));
    }

    fn absent_from_answer(&self, what: &str, answer: &Answer) {
        self.absent_from_debug(what, answer);
        self.absent_from(what, &answer.text());
        self.absent_from_debug(what, answer.headers());
        self.absent_from_debug(what, answer.body());
        self.absent_from_debug(what, &(answer.content_type(), answer.request_id()));
    }

    fn absent_from_error(&self, what: &str, error: &Error) {
        self.absent_from(what, &format!("{error} {error:#}"));
        self.absent_from_debug(what, error);
        self.absent_from(what, &error.report().to_string());
        self.absent_from_debug(what, &error.report());
        self.absent_from_debug(
            what,
            &(error.message(), error.hint(), error.service_code(), error.request_id()),
        );
        self.absent_from_debug(what, &error.faults());
        if let Some(refusal) = fiscal_printer::Refusal::of(error) {
            self.absent_from(what, &refusal.to_string());
            self.absent_from_debug(what, refusal);
        }
        if let Some(answer) = error.answer() {
            self.absent_from_answer(what, answer);
        }
        let mut cause = error.source();
        while let Some(current) = cause {
            self.absent_from(what, &current.to_string());
            self.absent_from_debug(what, &current);
            cause = current.source();
        }
    }
}

#[derive(Debug)]
struct FromVault(Secret);

impl TokenProvider for FromVault {
    fn token(&self) -> BoxFuture<'_, Result<Secret, Error>> {
        let token = self.0.clone();
        Box::pin(async move { Ok(token) })
    }
}

#[tokio::test]
async fn no_type_that_holds_a_token_prints_it() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let sentinel = Sentinel::new();
    let secret = Secret::new(sentinel.token.as_str());
    let authorization = Authorization::bearer(secret.clone()).unwrap();
    let swappable = SwappableToken::new("first");
    swappable.swap(sentinel.token.as_str());
    let client: Client = builder_for(fiscal).token(sentinel.token.as_str()).build().unwrap();
    let vault = builder_for(fiscal).token_provider(FromVault(secret.clone()));
    let batch = client.issue_all([invoice(1), invoice(2)]);
    let mail = Mail::new("00-00000001".parse().unwrap(), "compras@example.com");
    let dry_run = client.dry_run(&invoice(1)).await.unwrap();
    let bearer = Bearer::new(secret.clone());
    let from_bearer = bearer.authorize().await.unwrap();
    let from_provider = swappable.token().await.unwrap();
    let hint = TokenHint::read(&secret).unwrap();
    let values: [(&str, &dyn Debug); 14] = [
        ("Secret", &secret),
        ("Option<Secret>", &Some(&secret)),
        ("Authorization", &authorization),
        ("Bearer", &bearer),
        ("Authorization of Bearer", &from_bearer),
        ("SwappableToken", &swappable),
        ("the token of SwappableToken", &from_provider),
        ("Client", &client),
        ("ClientBuilder", &builder_for(fiscal).token(sentinel.token.as_str())),
        ("ClientBuilder with a provider", &vault),
        ("Batch", &batch),
        ("Mail", &mail),
        ("DryRun", &dry_run),
        ("TokenHint", &hint),
    ];
    for (name, value) in values {
        sentinel.absent_from_debug(name, value);
    }
    sentinel.absent_from("the body", dry_run.json());
    assert_eq!(secret.reveal(), sentinel.token, "it was there to be found");
    assert_eq!(fiscal.connections(), 0);
}

/// A service that repeats the token wherever an answer has room for text.
fn echoes(token: &str) -> Vec<Scripted> {
    let text = format!("Error: Bearer {token} is no good ({token})");
    let quoted = format!("\"{text}\"");
    let refusal = |code: &str| {
        format!(
            r#"{{"success":false,"error":{{"code":{code},"message":"{text}"}},"mensaje":"{text}","{token}":1}}"#
        )
    };
    let success = |number: &str| {
        format!(
            r#"{{"success":true,"data":{{"numerodocumento":"{number}","corelativo":"{token}","correlativo":"x",
            "datatime":"{token}","piedepagina":"<p>{token}</p>","urlpdf":"https://x.example.com/?t={token}",
            "mensaje":"{text}","message":"{token}"}}}}"#
        )
    };
    let mut answers: Vec<Scripted> =
        [200, 202, 204, 301, 307, 400, 401, 403, 404, 408, 409, 413, 418, 429, 500, 502, 503, 504]
            .into_iter()
            .flat_map(|status| {
                [text.clone(), quoted.clone(), refusal("4"), refusal("1"), refusal("99"), success("")]
                    .map(|body| Scripted::new(status).body(body))
            })
            .collect();
    answers.push(Scripted::new(202).body(refusal(&format!("\"{token}\""))));
    answers.push(Scripted::new(200).body(success("00-00000001")));
    answers.push(Scripted::new(200).body(success(token)));
    answers.push(Scripted::new(500).body(success("00-00000001")));
    // Escaped as a service may escape it.
    answers.push(Scripted::new(500).body(format!("{text:?}")));
    let with_headers = answers.into_iter().map(|answer| {
        answer
            .header("x-request-id", format!("id {token}"))
            .header("content-type", format!("text/plain; token={token}"))
            .header("retry-after", token)
            .header("location", format!("https://elsewhere.example.com/{token}?token={token}"))
            .header("set-cookie", format!("session={token}"))
            .header("www-authenticate", format!("Bearer error=\"{token}\""))
    });
    with_headers.collect()
}

#[tokio::test]
async fn a_service_that_repeats_the_token_does_not_get_it_printed() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let sentinel = Sentinel::new();
    let (log, _guard) = capture();
    let number: ControlNumber = "00-00000001".parse().unwrap();
    let answers = echoes(&sentinel.token);
    let count = answers.len();
    for (index, answer) in answers.into_iter().enumerate() {
        // A client of its own, so that no retry budget runs out on the way.
        let client = builder_for(fiscal).token(sentinel.token.as_str()).build().unwrap();
        let what = format!("answer {index}: {answer:?}");
        for endpoint in [Endpoint::Issue, Endpoint::Annul, Endpoint::Email] {
            fiscal.inject_times(endpoint, Fault::Answer(answer.clone()), 3);
        }
        let mut batch = client.issue_all([invoice(1)]);
        let item = batch.next().await.unwrap();
        // No business data of this service looks like a token, so a success is masked as well: it is printed and stored.
        let masked = |answer: &Answer| sentinel.absent_from(&what, &answer.text());
        sentinel.absent_from_debug(&what, &item);
        match &item.result {
            Ok(issued) => masked(issued.answer()),
            Err(error) => sentinel.absent_from_error(&what, error),
        }
        let mail = Mail::new(number.clone(), "compras@example.com").repeatable();
        for result in [client.annul(&number, "Prueba").await, client.mail(&mail).await] {
            match result {
                Ok(receipt) => masked(receipt.answer()),
                Err(error) => sentinel.absent_from_error(&what, &error),
            }
        }
        fiscal.clear_faults();
    }
    assert!(fiscal.requests().len() >= 3 * count, "everything was asked");
    let log = log.text();
    assert!(log.lines().count() > 100, "something was captured");
    sentinel.absent_from("the log", &log);
}

/// Errors that arise before anything is sent, from a token that cannot be used as it is.
#[tokio::test]
async fn a_token_that_cannot_be_sent_is_not_shown_either() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let sentinel = Sentinel::new();
    let (log, _guard) = capture();
    for broken in [" {}", "{}\n", "{}\u{f1}", "Bearer {}", "\"{}\"\r"] {
        let token = broken.replace("{}", &sentinel.token);
        let client = builder_for(fiscal).token(token.as_str()).build().unwrap();
        sentinel.absent_from_debug("Client", &client);
        let error = client.issue(&invoice(1)).await.unwrap_err();
        sentinel.absent_from_error(broken, &error);
    }
    // A token that belongs into another place: an address.
    for url in
        ["https://{}@host.example.com", "https://u:{}@host.example.com", "https://h.example.com/?t={}", "{}"]
    {
        let error = Environment::custom(&url.replace("{}", &sentinel.token)).unwrap_err();
        sentinel.absent_from_error(url, &error);
    }
    sentinel.absent_from("the log", &log.text());
    assert_eq!(fiscal.connections(), 0);
}

/// Every fault of the socket, and calls that succeed: the token is in the requests and nowhere else.
#[tokio::test]
async fn nothing_that_is_traced_shows_token_or_customer() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let sentinel = Sentinel::of(fiscal);
    let (log, _guard) = capture();
    let caller = client(fiscal);
    let issued = caller.issue(&invoice(1)).await.unwrap();
    let number = issued.control_number().unwrap();
    caller.mail(&Mail::new(number.clone(), "compras@example.com")).await.unwrap();
    caller.annul(&number, "motivo secreto").await.unwrap();
    sentinel.absent_from_debug("Issued", &issued);
    let faults = [
        Fault::ResetBeforeBody,
        Fault::ActThenReset,
        Fault::ActThenCutBody,
        Fault::ActThenCutChunked,
        Fault::ActThenErrorText,
        Fault::ActThenEmpty,
        Fault::Html,
        Fault::too_many_requests("0"),
        Fault::unavailable("99999"),
        Fault::redirect("https://elsewhere.example.com/"),
        Fault::ActThenOversized { bytes: 2_000_000 },
    ];
    for fault in faults {
        fiscal.inject_always(Endpoint::Annul, fault.clone());
        let error = client(fiscal).annul(&number, "motivo secreto").await.unwrap_err();
        sentinel.absent_from_error(fault.name(), &error);
        fiscal.clear_faults();
        // A document with warnings and one with faults: their texts stay with the caller.
        let document = crate::support::filled(fiscal_printer::Document::invoice("J-12345678-4", 2));
        fiscal.inject(Endpoint::Issue, fault);
        let _ = client(fiscal).issue(&document.build().unwrap()).await;
        fiscal.reset();
        client(fiscal).issue(&invoice(1)).await.unwrap();
    }
    fiscal.refuse_connections().await.unwrap();
    let error = builder(fiscal).build().unwrap().issue(&invoice(2)).await.unwrap_err();
    sentinel.absent_from_error("refused", &error);

    let log = log.text();
    sentinel.absent_from("the log", &log);
    for private in
        [BUYER, "V-12345678", "compras@example.com", "584121234567", "Calle 1", "motivo secreto", "20.00"]
    {
        assert!(!log.contains(private), "bodies are never traced, but {private} was");
    }
    for public in ["issue", "annul", "/facturacion", "trying again"] {
        assert!(log.contains(public), "the log is worth reading: {public}");
    }
}

/// A body that ends at the client's limit may end in the middle of the token.
#[tokio::test]
async fn a_token_cut_at_the_limit_of_the_body_is_not_shown() {
    let sandbox = sandbox().await;
    let fiscal = sandbox.fiscal();
    let sentinel = Sentinel::new();
    let body = format!("Error: bad token {}", sentinel.token);
    for limit in [body.len() - 1, body.len() - SIGNATURE.len() / 2] {
        let client = builder_for(fiscal).token(sentinel.token.as_str()).body_limit(limit).build().unwrap();
        fiscal.inject(Endpoint::Issue, Fault::Answer(Scripted::new(500).body(body.as_str())));
        let error = client.issue(&invoice(1)).await.unwrap_err();
        sentinel.absent_from_error("cut", &error);
    }
}
