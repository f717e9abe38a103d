//! A small raw client.

use integration_sandbox::Sandbox;
use integration_sandbox::geosite::{GeoSite, Network};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let wanted = format!("{}: ", name.to_lowercase());
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&wanted));
        line.and_then(|line| line.get(wanted.len()..)).map(str::to_owned)
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        self.json()["records"].as_array().unwrap_or_else(|| panic!("{}", self.text())).clone()
    }

    pub(crate) fn fids(&self) -> Vec<u32> {
        self.records().iter().map(|row| u32::try_from(row["fid"].as_u64().unwrap()).unwrap()).collect()
    }

    pub(crate) fn total(&self) -> u64 {
        self.json()["total"].as_u64().unwrap()
    }
}

/// A sandbox with this many elements.
pub(crate) async fn start(elements: usize) -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.geosite().generate(Network::new(elements).seed(7));
    sandbox
}

/// Host and port, and the path below which everything is.
pub(crate) fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

pub(crate) async fn connect(url: &str, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let (host, root) = parts(url);
    let mut stream = TcpStream::connect(host).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {root}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    let _ = stream.write_all(request.as_bytes()).await;
    stream
}

/// Sends one request with exactly these headers.
pub(crate) async fn send(url: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = connect(url, method, path, headers, body).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let body = bytes.split_off(split);
    let head = String::from_utf8(bytes).unwrap();
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    Answer { status, head, body }
}

/// A1 with these credentials.
pub(crate) async fn log_in(geosite: &GeoSite, username: &str, password: &str) -> Answer {
    let body = json!({ "username": username, "password": password }).to_string();
    send(geosite.base_url(), "POST", "/auth/generatetoken", "Content-Type: application/json\r\n", &body).await
}

/// A logged-in client.
pub(crate) struct Client {
    pub(crate) geosite: GeoSite,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

impl Client {
    pub(crate) async fn of(sandbox: &Sandbox) -> Self {
        let geosite = sandbox.geosite().clone();
        let answer = log_in(&geosite, geosite.username(), geosite.password()).await.json();
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        Self { geosite, token: text("token"), refresh: text("refreshToken") }
    }

    pub(crate) fn header(&self) -> String {
        format!("Authorization: Digicade-Rest-API:{}\r\n", self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.geosite.base_url(), "GET", path, &self.header(), "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = format!("{}Content-Type: application/json\r\n", self.header());
        send(self.geosite.base_url(), "POST", path, &headers, &body.to_string()).await
    }

    /// `list` with these parameters, `columns` and `filter` among them.
    pub(crate) async fn list(&self, feature: &str, parameters: &[(&str, &str)]) -> Answer {
        let query: Vec<String> =
            parameters.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        self.get(&format!("/{feature}/list?{}", query.join("&"))).await
    }
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}
