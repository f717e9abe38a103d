//! A small raw client, and the bodies of section 3.6.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration_sandbox::Sandbox;
use integration_sandbox::apiges::Apiges;
use integration_sandbox::websync::WebSync;
use ring::digest::{SHA256, digest};
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
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `data` of a success.
    pub(crate) fn data(&self) -> Value {
        let json = self.json();
        assert!((200..300).contains(&self.status), "{} {json}", self.status);
        assert_eq!(json["statusCode"], self.status);
        json["data"].clone()
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert!(json["data"].is_null() && json["statusCode"] == self.status, "{json}");
        (self.status, json["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let wanted = format!("{}: ", name.to_lowercase());
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&wanted));
        line.and_then(|line| line.get(wanted.len()..)).map(str::to_owned)
    }
}

pub(crate) async fn connect(url: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
    stream
}

pub(crate) async fn send(url: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = connect(url, method, path, headers, body).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let body = bytes.split_off(split);
    let head = String::from_utf8(bytes).unwrap();
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    Answer { status, head, body }
}

/// Layer A, logged in.
pub(crate) struct Firm {
    pub(crate) apiges: Apiges,
    pub(crate) token: String,
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

impl Firm {
    pub(crate) async fn of(sandbox: &Sandbox) -> Self {
        let apiges = sandbox.apiges().clone();
        let credentials = basic(apiges.username(), apiges.password());
        let answer = send(apiges.base_url(), "GET", "/login", &credentials, b"").await;
        let token = answer.data()["token"].as_str().unwrap().to_owned();
        Self { apiges, token }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, more: &str, body: &Value) -> Answer {
        let headers = format!("Authorization: Bearer {}\r\n{more}", self.token);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(self.apiges.base_url(), method, path, &headers, body.as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", &Value::Null).await
    }
}

/// Layer B with its credential; every write has a key of its own unless one is given.
pub(crate) struct Web {
    pub(crate) portal: WebSync,
}

static KEYS: AtomicU64 = AtomicU64::new(1);

impl Web {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        Self { portal: sandbox.websync().clone() }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, more: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.bytes(method, path, more, body.as_bytes()).await
    }

    pub(crate) async fn bytes(&self, method: &str, path: &str, more: &str, body: &[u8]) -> Answer {
        let token = self.portal.token();
        let headers = format!("Authorization: Bearer {token}\r\nX-Websync-Protocol: 1\r\n{more}");
        let path = format!("/websync/v1/{}{path}", self.portal.tenant());
        send(self.portal.base_url(), method, &path, &headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", &Value::Null).await
    }

    pub(crate) async fn write(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.call(method, path, &fresh_key(), body).await
    }

    /// A new grant, with these fields in the place of the usual ones.
    pub(crate) async fn grant(&self, contact: &str, contact_id: i64, change: &Value) -> Answer {
        let body = grant(contact, contact_id, change);
        let headers = format!("If-None-Match: *\r\n{}", fresh_key());
        self.call("PUT", &format!("/grants/{contact}"), &headers, &body).await
    }

    /// A grant changed, from this version.
    pub(crate) async fn regrant(&self, contact: &str, id: i64, version: u64, change: &Value) -> Answer {
        let headers = format!("If-Match: \"{version}\"\r\n{}", fresh_key());
        self.call("PUT", &format!("/grants/{contact}"), &headers, &grant(contact, id, change)).await
    }

    pub(crate) async fn push(&self, body: &Value) -> Answer {
        self.write("PUT", &format!("/cases/{}", body["caseId"]), body).await
    }

    /// Cases that a contact sees.
    pub(crate) async fn sees(&self, contact: &str) -> Vec<i64> {
        let view = self.get(&format!("/view?grant={contact}")).await.data();
        view["cases"].as_array().unwrap().iter().map(|case| case["caseId"].as_i64().unwrap()).collect()
    }
}

pub(crate) fn fresh_key() -> String {
    format!("Idempotency-Key: k{}\r\n", KEYS.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn key(key: &str) -> String {
    format!("Idempotency-Key: {key}\r\n")
}

pub(crate) fn contact(text: &str) -> Value {
    let (kind, code) = text.split_once('/').unwrap();
    json!({ "kind": kind, "code": code })
}

pub(crate) fn grant(of: &str, contact_id: i64, change: &Value) -> Value {
    let mut grant = json!({
        "contact": contact(of), "contactId": contact_id, "state": "active", "version": 0,
        "scope": { "type": "own" }, "show": [], "excludedModalities": [], "admin": null,
        "closedCases": "withdraw", "lang": "es",
    });
    grant.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    grant
}

/// A push; projections are grant and view, withdrawals grant and reason.
pub(crate) fn push(case: i64, version: u64, shown: &[(&str, Value)], withdrawn: &[(&str, &str)]) -> Value {
    let projections: Vec<Value> = shown
        .iter()
        .map(|(grant, view)| json!({ "grant": contact(grant), "holder": contact(grant), "view": view }))
        .collect();
    let withdrawals: Vec<Value> = withdrawn
        .iter()
        .map(|(grant, reason)| json!({ "grant": contact(grant), "reason": reason }))
        .collect();
    json!({
        "caseId": case, "version": version, "sequence": version, "savedAt": "2026-03-02T10:15:04.120Z",
        "cause": "saved", "projections": projections, "withdrawals": withdrawals,
    })
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
