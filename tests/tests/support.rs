//! Shared helpers: a sandbox, clients of it, documents, a raw socket, and checks of error texts.

use std::time::Duration;

use fiscal_printer::{
    Buyer, Client, ClientBuilder, Document, DocumentBuilder, Environment, Error, Line, Outcome, RetryPolicy,
};
use integration_sandbox::Sandbox;
use integration_sandbox::fiscal::{Fiscal, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Issuer of the sandbox's token.
pub const RIF: &str = "J-12345678-4";
pub const BUYER: &str = "Comercial Ejemplo";

pub async fn sandbox() -> Sandbox {
    Sandbox::start().await.expect("loopback has free ports")
}

/// Retries as usual, with pauses of a few milliseconds.
pub fn quick() -> RetryPolicy {
    RetryPolicy::new().with_base(Duration::from_millis(1))
}

pub fn builder_for(fiscal: &Fiscal) -> ClientBuilder {
    let environment = Environment::custom(fiscal.base_url()).expect("loopback is allowed");
    Client::builder().environment(environment).retry(quick())
}

pub fn builder(fiscal: &Fiscal) -> ClientBuilder {
    builder_for(fiscal).token(fiscal.token())
}

pub fn client(fiscal: &Fiscal) -> Client {
    builder(fiscal).build().expect("the client has all it needs")
}

pub fn client_with(fiscal: &Fiscal, token: &str) -> Client {
    builder_for(fiscal).token(token).build().expect("the client has all it needs")
}

pub fn buyer() -> Buyer {
    Buyer::new(BUYER, "V-12345678").email("compras@example.com").address("Calle 1").phone("584121234567")
}

/// A buyer and one line of 20.00 at the general rate: total 23.20.
pub fn filled(builder: DocumentBuilder) -> DocumentBuilder {
    builder.buyer(buyer()).line(Line::new("A2", "Dos", "20.00", 1))
}

pub fn invoice(number: u32) -> Document {
    invoice_of(RIF, number)
}

pub fn invoice_of(rif: &str, number: u32) -> Document {
    filled(Document::invoice(rif, number)).build().expect("the document is right")
}

/// The requests of one endpoint, in order.
pub fn requests(fiscal: &Fiscal, path: &str) -> Vec<Request> {
    fiscal.requests().into_iter().filter(|request| request.path == path).collect()
}

/// Sends bytes past the client; status and body of the answer, or 0 where the connection broke.
pub async fn raw_post(fiscal: &Fiscal, token: &str, path: &str, body: &str) -> (u16, String) {
    let address = fiscal.base_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("the sandbox listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the sandbox reads");
    let mut answer = Vec::new();
    // A reset is one of the sandbox's answers.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).expect("answers are text");
    let status = answer.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

/// Promise 6 of the design: one line that names operation and status, tells the outcome, and says what to do.
pub fn check_text(error: &Error, operation: &str, status: Option<u16>) {
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control), "one printable line: {text:?}");
    assert!(text.starts_with(&format!("{operation}: ")), "names the operation {operation}: {text}");
    if let Some(status) = status {
        assert!(text.contains(&format!("HTTP {status}")), "names the status {status}: {text}");
        assert_eq!(error.status().map(|found| found.as_u16()), Some(status), "{text}");
    }
    let word = match error.outcome() {
        Outcome::NotSent => "nothing was sent",
        Outcome::Refused => "not applied",
        Outcome::Unknown => "OUTCOME UNKNOWN",
        other => panic!("no outcome of a writing call: {other:?}"),
    };
    assert!(text.contains(word), "says {word}: {text}");
    assert!(text.contains("What to do: ") && error.hint().len() > 10, "says what to do: {text}");
}

/// Base64 for URLs without padding (RFC 4648 section 5), for tokens that tests make.
pub fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().enumerate().fold(0u32, |sum, (at, byte)| sum | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(group >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

#[test]
fn base64url_follows_the_vectors_of_the_rfc() {
    for (plain, coded) in
        [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("foobar", "Zm9vYmFy")]
    {
        assert_eq!(base64url(plain.as_bytes()), coded);
    }
}
