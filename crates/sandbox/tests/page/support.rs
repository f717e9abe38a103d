//! A small raw client for pages, forms and events, and a sample document.
#![allow(dead_code, reason = "two test programs share this file")]

use integration_sandbox::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split('/').next().unwrap()
}

/// The path that a service's address has, without its last slash.
fn path_of(url: &str) -> &str {
    url.strip_prefix("http://").unwrap().strip_prefix(host_of(url)).unwrap().trim_end_matches('/')
}

/// Sends exactly these headers, beside the length.
pub(crate) async fn ask(url: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(host_of(url)).await.unwrap();
    let length = body.len();
    let base = path_of(url);
    let head = format!(
        "{method} {base}{path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // Endless events are read as far as they come in answers to refused requests; a reset ends them too.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: whole(head, body) }
}

/// The body without the marks of chunked coding.
fn whole(head: &str, body: &str) -> String {
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut rest, mut whole) = (body.as_bytes(), Vec::new());
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap_or(0);
        if length == 0 {
            break;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    String::from_utf8(whole).unwrap()
}

fn own_host(url: &str) -> String {
    format!("Host: {}\r\n", host_of(url))
}

pub(crate) async fn get(url: &str, path: &str) -> Answer {
    ask(url, "GET", path, &own_host(url), "").await
}

pub(crate) async fn post(url: &str, path: &str, headers: &str, body: &str) -> Answer {
    let headers = format!("{}Content-Type: application/json\r\n{headers}", own_host(url));
    ask(url, "POST", path, &headers, body).await
}

pub(crate) async fn post_raw(url: &str, path: &str, headers: &str, body: &str) -> Answer {
    ask(url, "POST", path, &format!("{}{headers}", own_host(url)), body).await
}

/// Sends a form as a browser does that runs no script.
pub(crate) async fn submit(url: &str, path: &str, form: &str) -> Answer {
    let headers = format!(
        "{}Origin: {url}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        own_host(url)
    );
    ask(url, "POST", path, &headers, form).await
}

pub(crate) async fn issue(sandbox: &Sandbox, body: &str) -> Answer {
    let headers = format!("Authorization: Bearer {}\r\n", sandbox.fiscal().token());
    post(sandbox.fiscal().base_url(), "/facturacion", &headers, body).await
}

/// A document that passes every check of a fresh sandbox.
pub(crate) fn invoice(sandbox: &Sandbox, number: &str) -> String {
    serde_json::json!({
        "rif": sandbox.fiscal().rif(), "nombrecliente": "Comercial Ejemplo", "rifcedulacliente": "V-12345678",
        "idtipocedulacliente": 1, "emailcliente": "compras@example.com", "direccioncliente": "Calle 1",
        "telefonocliente": "584121234567", "idtipodocumento": 1, "numerointerno": number, "tasacambio": 0,
        "tipomoneda": 1, "subtotal": 20, "exento": 0, "tasag": 16, "baseg": 20, "impuestog": 3.2, "tasar": 8,
        "baser": 0, "impuestor": 0, "tasaigtf": 3, "baseigtf": 0, "impuestoigtf": 0, "total": 23.2, "sendmail": 0,
        "cuerpofactura": [{ "codigo": "A1", "descripcion": "Uno", "comentario": "", "precio": 20, "cantidad": 1,
            "tasa": 16, "impuesto": 3.2, "descuento": 0, "exento": false, "monto": 20 }],
        "formasdepago": [{ "forma": "Efectivo", "valor": 23.2 }],
    })
    .to_string()
}

/// An open stream of events.
pub(crate) struct Events {
    stream: TcpStream,
    read: String,
}

impl Events {
    pub(crate) async fn open(url: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(host_of(url)).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\n{}\r\n", own_host(url));
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream, read: String::new() }
    }

    /// Reads until a text has come; answers what came since the last one.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.read.find(text) {
                let rest = self.read.split_off(at + text.len());
                return std::mem::replace(&mut self.read, rest);
            }
            let mut piece = [0; 4096];
            let read = self.stream.read(&mut piece).await.unwrap();
            assert!(read > 0, "the stream ended before {text}: {}", self.read);
            self.read.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
    }
}

/// The events up to the one after this many rows.
pub(crate) async fn events(url: &str, path: &str, rows: usize) -> String {
    let mut stream = Events::open(url, path).await;
    let mut all = String::new();
    for _ in 0..rows {
        all.push_str(&stream.until("event: request").await);
    }
    all + &stream.until("event: changed").await
}
