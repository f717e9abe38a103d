//! A small raw client, sample bodies, and a receiver of callbacks.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration_sandbox::Sandbox;
use integration_sandbox::legale::Legale;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const PDF: &[u8] = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n";

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) reset: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn code(&self) -> Value {
        self.json()["code"].clone()
    }
}

pub(crate) async fn start() -> Sandbox {
    Sandbox::start().await.unwrap()
}

pub(crate) fn address(url: &str) -> &str {
    url.strip_prefix("http://").unwrap()
}

/// Sends one request with exactly these headers.
pub(crate) async fn send(url: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address(url)).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    // A server that resets before it has read everything makes the write fail; what it answered counts.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    read(stream).await
}

pub(crate) async fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let reset = stream.read_to_end(&mut bytes).await.is_err();
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let body = bytes.split_off(split);
    let head = String::from_utf8(bytes).unwrap();
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    Answer { status, head, body, reset }
}

pub(crate) fn key(legale: &Legale) -> String {
    format!("Legale-Api-Key: {}\r\n", legale.api_key())
}

/// Sends JSON (null is no body) with the API key.
pub(crate) async fn call(legale: &Legale, method: &str, path: &str, body: Value) -> Answer {
    let headers = format!("{}Content-Type: application/json\r\n", key(legale));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(legale.base_url(), method, path, &headers, body.as_bytes()).await
}

pub(crate) async fn get(legale: &Legale, path: &str) -> Answer {
    call(legale, "GET", path, Value::Null).await
}

pub(crate) async fn post(legale: &Legale, path: &str, body: Value) -> Answer {
    call(legale, "POST", path, body).await
}

pub(crate) fn new_document() -> Value {
    json!({ "file_name": "Contrato_ClienteX_2025.pdf", "description": "Contrato", "file": STANDARD.encode(PDF) })
}

pub(crate) fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("no object") };
    body.as_object_mut().unwrap().extend(more);
    body
}

/// Creates a document with these fields more; returns its GUID.
pub(crate) async fn create(legale: &Legale, more: Value) -> String {
    let answer = post(legale, "/api/document/create", with(new_document(), more)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    legale.documents().last().unwrap().guid.clone()
}

pub(crate) fn signer(email: &str) -> Value {
    json!({ "sign_flow": "other", "sign_method": "no_sms", "email": email, "skip_email": true })
}

/// Creates a document and starts a flow of two.
pub(crate) async fn started(legale: &Legale, document: Value, flow: Value) -> String {
    let guid = create(legale, document).await;
    let two = json!({ "signer_list": [signer("a@example.com"), signer("b@example.com")], "shared_list": [] });
    let answer = post(legale, &format!("/api/sign/start/{guid}"), with(two, flow)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    guid
}

/// A posted callback.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Posted {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let wanted = format!("{}: ", name.to_lowercase());
        self.head
            .lines()
            .find(|line| line.to_lowercase().starts_with(&wanted))
            .map(|line| line.get(wanted.len()..).unwrap().into())
    }
}

/// Answers callbacks with these statuses in turn, the last one for ever.
pub(crate) struct Receiver {
    pub(crate) url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Receiver {
    pub(crate) async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/secret0", listener.local_addr().unwrap());
        let posted = Arc::new(Mutex::new(Vec::new()));
        let (log, statuses) = (Arc::clone(&posted), statuses.to_vec());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let at = log.lock().unwrap().len();
                let status = statuses.get(at).or(statuses.last()).copied().unwrap();
                let one = receive(stream, status).await;
                log.lock().unwrap().push(one);
            }
        });
        Self { url, posted }
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }
}

async fn receive(mut stream: TcpStream, status: u16) -> Posted {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        if let Some(split) = split {
            let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
            let (_, rest) = head
                .to_lowercase()
                .split_once("content-length: ")
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .unwrap();
            let length: usize = rest.split("\r\n").next().unwrap().parse().unwrap();
            let mut body = bytes.split_off(split);
            while body.len() < length {
                match stream.read(&mut buffer).await.unwrap_or(0) {
                    0 => break,
                    read => body.extend_from_slice(&buffer[..read]),
                }
            }
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok");
            let _ = stream.write_all(answer.as_bytes()).await;
            return Posted { head, body };
        }
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "the head was cut");
        bytes.extend_from_slice(&buffer[..read]);
    }
}
