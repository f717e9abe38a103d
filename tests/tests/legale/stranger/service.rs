//! A second service, written from the contract alone and in one of its many tongues: small, strict about what it is sent (3.1 to 3.6,
//! 4.2), and as free as the contract lets it in how it answers.
//!
//! What a request does against the contract is noted and fails the test that made it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::base64;
use super::tongue::Tongue;

pub const EMAIL: &str = "cuenta@example.com";
pub const PASSWORD: &str = "a-password-of-the-account";
pub const LEGACY_TOKEN: &str = "a-token-of-the-older-api";

/// The pairs of 4.2.
const PAIRS: [(&str, &[&str]); 6] = [
    ("me", &["certification", "local_certificate", "sms", "no_sms", "fea"]),
    ("other", &["sms", "no_sms", "fea"]),
    ("legale", &["certification", "no_certification"]),
    ("approve", &["approve", "approve_legale", "approve_api"]),
    ("tablet", &["tablet_sign"]),
    ("signing_portal", &["signing_portal"]),
];

#[derive(Debug, Clone, Default)]
pub struct Paper {
    pub number: usize,
    pub guid: String,
    /// As it came in.
    pub sent: Map<String, Value>,
    pub file: Vec<u8>,
    pub attachments: Vec<(String, Vec<u8>)>,
    pub signers: Vec<Value>,
    pub flow_type: Option<String>,
    pub done: Vec<bool>,
    pub links: Vec<String>,
    pub status: i64,
    pub comment: Option<String>,
    pub starts: usize,
    pub is_of_web_app: bool,
}

impl Paper {
    pub fn signed_file(&self) -> Vec<u8> {
        [&self.file[..], b"signed\n%%EOF\n"].concat()
    }

    fn text(&self, key: &str) -> Option<Value> {
        self.sent.get(key).cloned()
    }
}

/// What befalls the next request of a path, after it was acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The answer is lost behind a gateway.
    Lost(u16),
    /// The session was ended before it came.
    Revoked,
}

#[derive(Debug, Default)]
pub struct House {
    pub papers: Vec<Paper>,
    pub contacts: Vec<Map<String, Value>>,
    pub folders: Vec<i64>,
    pub logins: usize,
    pub legacy: Vec<Map<String, Value>>,
    pub workflows: Vec<Value>,
    pub migrations: Vec<Value>,
    pub mishaps: BTreeMap<String, Mishap>,
    /// What was sent against the contract.
    pub wrongs: Vec<String>,
    /// Method, path, status.
    pub log: Vec<(String, String, u16)>,
    session: Option<String>,
}

#[derive(Debug)]
pub struct Stranger {
    pub tongue: Tongue,
    pub root: String,
    house: Mutex<House>,
    server: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        if let Some(server) = self.server.lock().unwrap().take() {
            server.abort();
        }
    }
}

struct Asked {
    method: String,
    path: String,
    segments: Vec<String>,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, Vec<String>>,
    body: Vec<u8>,
}

/// Status, body, type.
type Answer = (u16, Vec<u8>, &'static str);

fn html(status: u16) -> Answer {
    (status, b"<html><body>Algo</body></html>".to_vec(), "text/html; charset=utf-8")
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).unwrap()
}

/// 11 less the sum modulo 11, with the factors 2 to 7 from the right (contract 5).
fn rut_is_right(text: &str) -> bool {
    let Some((body, check)) = text.split_once('-') else { return false };
    let digits: Option<Vec<u32>> = body.chars().map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| !digits.is_empty() && digits[0] != 0) else { return false };
    let sum: u32 = digits.iter().rev().zip([2, 3, 4, 5, 6, 7].iter().cycle()).map(|(d, f)| d * f).sum();
    let expected = match 11 - sum % 11 {
        11 => "0".to_owned(),
        10 => "K".to_owned(),
        rest => rest.to_string(),
    };
    check == expected
}

fn has_text(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
}

impl Stranger {
    pub async fn start(tongue: Tongue) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let house = House { folders: vec![1, 2, 3], ..House::default() };
        let stranger = Arc::new(Self { tongue, root, house: Mutex::new(house), server: Mutex::new(None) });
        let state = Arc::downgrade(&stranger);
        let app = Router::new().fallback(
            |State(state): State<std::sync::Weak<Self>>, request: Request| async move {
                match state.upgrade() {
                    Some(stranger) => stranger.answered(request).await,
                    None => Response::new(Body::empty()),
                }
            },
        );
        let server = tokio::spawn(async move { axum::serve(listener, app.with_state(state)).await.unwrap() });
        *stranger.server.lock().unwrap() = Some(server);
        stranger
    }

    pub fn house(&self) -> MutexGuard<'_, House> {
        self.house.lock().unwrap()
    }

    pub fn paper(&self, guid: &str) -> Paper {
        self.house().papers.iter().find(|paper| paper.guid == guid).unwrap().clone()
    }

    pub fn change(&self, guid: &str, change: impl FnOnce(&mut Paper)) {
        change(self.house().papers.iter_mut().find(|paper| paper.guid == guid).unwrap());
    }

    /// Signer `number`, from 0, does his part; in sequence only if it is his turn.
    pub fn sign(&self, guid: &str, number: usize) {
        self.change(guid, |paper| {
            let turn = paper.done.iter().position(|done| !done);
            assert!(paper.flow_type.as_deref() != Some("priority") || turn == Some(number), "not his turn");
            paper.done[number] = true;
            paper.status = i64::from(paper.done.iter().all(|done| *done));
        });
    }

    pub fn reject(&self, guid: &str, reason: &str) {
        self.change(guid, |paper| {
            paper.status = 2;
            paper.comment = Some(reason.to_owned());
        });
    }

    pub fn upload_in_web_app(&self) -> String {
        let mut house = self.house();
        let number = house.papers.len() + 1;
        let guid = self.tongue.guid(number);
        let paper = Paper { number, guid: guid.clone(), is_of_web_app: true, ..Paper::default() };
        house.papers.push(paper);
        guid
    }

    pub fn befalls(&self, path: &str, mishap: Mishap) {
        self.house().mishaps.insert(path.to_owned(), mishap);
    }

    pub fn end_session(&self) {
        self.house().session = None;
    }

    pub fn count(&self, method: &str, path: &str) -> usize {
        self.house().log.iter().filter(|(verb, at, _)| verb == method && at.starts_with(path)).count()
    }

    async fn answered(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &parts.headers {
            headers.entry(name.to_string()).or_default().push(value.to_str().unwrap_or_default().to_owned());
        }
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescaped(name), unescaped(&value.replace('+', " ")))
        };
        let query = parts.uri.query().unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let asked = Asked {
            method: parts.method.to_string(),
            segments: path.split('/').skip(1).map(unescaped).collect(),
            query: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
            path,
            headers,
            body,
        };
        let (status, body, kind) = self.act(&asked);
        self.house().log.push((asked.method, asked.path, status));
        let builder = Response::builder().status(status);
        let builder = if kind.is_empty() { builder } else { builder.header("content-type", kind) };
        builder.body(Body::from(body)).unwrap()
    }

    fn wrong(&self, asked: &Asked, what: &str) {
        self.house().wrongs.push(format!("{} {}: {what}", asked.method, asked.path));
    }

    fn json(&self, status: u16, value: &Value) -> Answer {
        let kind =
            ["application/json", "application/json; charset=utf-8"][self.tongue.pick("content type", 2)];
        (status, value.to_string().into_bytes(), kind)
    }

    fn data(&self, place: &str, status: u16, data: Value) -> Answer {
        self.json(status, &self.tongue.wrap(place, data))
    }

    fn refuse(&self, code: &str) -> Answer {
        let (status, value) = self.tongue.refusal(code);
        self.json(status, &value)
    }

    /// Empty, or anything but an error (3.9).
    fn nothing(&self, place: &str) -> Answer {
        match self.tongue.pick_at("empty success", place, 5) {
            0 => (204, Vec::new(), ""),
            1 => (200, Vec::new(), ""),
            2 => (202, b" \n".to_vec(), "application/json"),
            3 => self.json(200, &json!({"data": null, "code": null, "message": "listo"})),
            _ => self.data(place, 200, json!({"ok": true})),
        }
    }

    fn act(&self, asked: &Asked) -> Answer {
        let path = asked.path.as_str();
        if path == "/api/token" {
            return self.log_in(asked);
        }
        if path.starts_with("/media/") {
            return self.media(asked);
        }
        if path.starts_with("/api/legale/")
            || path.starts_with("/api/emailPin/")
            || path.starts_with("/api/oneshot/")
        {
            return self.older(asked);
        }
        self.check_head(asked);
        let mishap = self.house().mishaps.remove(path);
        if mishap == Some(Mishap::Revoked) {
            self.house().session = None;
        }
        if !self.is_logged_in(asked) {
            return match self.tongue.pick("401", 3) {
                0 => html(401),
                1 => (401, Vec::new(), ""),
                _ => self.json(401, &json!({"code": "TOKEN_EXPIRED", "detail": "vencido"})),
            };
        }
        let answer = self.route(asked);
        match mishap {
            Some(Mishap::Lost(status)) => html(status),
            _ => answer,
        }
    }

    /// 2.2: one of two headers, a language, a type on every body.
    fn check_head(&self, asked: &Asked) {
        let count = |name: &str| asked.headers.get(name).map_or(0, Vec::len);
        if count("authorization") + count("legale-api-key") != 1 {
            self.wrong(asked, "not exactly one credential");
        }
        let languages = asked.headers.get("accept-language");
        if languages.is_none_or(|found| !["en", "es", "pt"].contains(&found.concat().as_str())) {
            self.wrong(asked, "no language");
        }
        let kind = asked.headers.get("content-type").map(|found| found.concat());
        if !asked.body.is_empty() && kind.as_deref() != Some("application/json") {
            self.wrong(asked, "a body of another type");
        }
        if asked.method == "GET" && !asked.body.is_empty() {
            self.wrong(asked, "a GET with a body");
        }
    }

    fn is_logged_in(&self, asked: &Asked) -> bool {
        let given = asked.headers.get("authorization").map(|found| found.concat());
        let session = self.house().session.clone();
        session.is_some() && given == session.map(|token| format!("Bearer {token}"))
    }

    fn object(&self, asked: &Asked) -> Map<String, Value> {
        match serde_json::from_slice(&asked.body) {
            Ok(Value::Object(object)) => object,
            _ => {
                self.wrong(asked, "no JSON object");
                Map::new()
            }
        }
    }

    /// 3.2
    fn log_in(&self, asked: &Asked) -> Answer {
        let body = self.object(asked);
        let sent = ["email", "password"].map(|key| body.get(key).and_then(Value::as_str).unwrap_or_default());
        let mut house = self.house();
        house.logins += 1;
        if sent != [EMAIL, PASSWORD] {
            drop(house);
            return match self.tongue.pick("failed login", 5) {
                0 => self.json(400, &json!({"code": "ERROR_WRONG_PASSWORD", "message": "no"})),
                1 => self.json(400, &json!({"code": "ERROR_WRONG_PASSWORD", "message": "no", "token": ""})),
                2 => self.json(401, &json!({"detail": "no"})),
                3 => self.json(200, &json!({"token": "", "code": null, "message": ""})),
                _ => html(403),
            };
        }
        let token = format!("header.{}.signature", house.logins);
        house.session = Some(token.clone());
        drop(house);
        match self.tongue.pick("login", 3) {
            0 => self.json(200, &json!({"token": token})),
            1 => self.json(200, &json!({"token": token, "code": null, "message": ""})),
            _ => self.json(200, &json!({"token": token, "code": "", "message": null, "nuevo": 1})),
        }
    }

    fn route(&self, asked: &Asked) -> Answer {
        let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
        match (asked.method.as_str(), segments.as_slice()) {
            ("GET", ["api", "documents", ""]) => self.documents(asked),
            ("GET", ["api", "document", "get", guid]) => self.detail(guid),
            ("POST", ["api", "document", "create"]) => self.create(asked),
            ("DELETE", ["api", "document", "delete", guid]) => self.delete(guid),
            ("POST", ["api", "sign", "start", guid]) => self.start_flow(asked, guid),
            ("GET", ["api", "sign", "status", guid]) => self.status(guid),
            ("GET", ["api", "sign", "download", guid]) => self.signed(guid),
            ("POST", ["api", "approve", ..]) => self.approve(asked),
            ("GET", ["api", "folder"]) => self.folders(asked),
            ("DELETE", ["api", "folder", id]) => {
                let id: i64 = id.parse().unwrap_or_default();
                self.house().folders.retain(|folder| *folder != id);
                self.nothing("folder")
            }
            ("POST", ["api", "template", _]) => self.batch(asked),
            ("POST", ["api", "migrate", "document", ""]) => self.migrate(asked),
            ("GET", ["api", "v2", "contacts", ""]) => {
                let contacts: Vec<Value> =
                    self.house().contacts.iter().map(|one| self.contact(one)).collect();
                self.page("contacts", asked, contacts)
            }
            ("POST", ["api", "v2", "contacts", ""]) => self.new_contact(asked),
            ("PUT", ["api", "v2", "contact", id, ""]) => self.changed_contact(asked, id),
            ("GET", ["api", "v2", "contact", id, ""]) => {
                let found = self.house().contacts.iter().find(|one| one["id"] == **id).cloned();
                found.map_or_else(|| html(404), |one| self.data("contact", 200, self.contact(&one)))
            }
            ("DELETE", ["api", "v2", "contact", id, ""]) => {
                self.house().contacts.retain(|one| one["id"] != **id);
                self.nothing("contact")
            }
            ("GET", ["api", "v2", "smart-documents", ""]) => {
                self.page("smart documents", asked, (1..=5).map(|id| self.smart_document(id)).collect())
            }
            ("POST", ["api", "v2", "smart-document", _, "workflow", ""]) => self.workflow(asked),
            _ => {
                self.wrong(asked, "no such call");
                html(404)
            }
        }
    }

    /// 3.9: a page, or a bare list, which is everything.
    fn page(&self, place: &'static str, asked: &Asked, items: Vec<Value>) -> Answer {
        let asked_for = |key| asked.query.get(key).and_then(|text| text.parse::<usize>().ok());
        let (Some(number @ 1..), Some(size @ 1..)) = (asked_for("page"), asked_for("page_size")) else {
            self.wrong(asked, "a list without page and page_size");
            return html(400);
        };
        let tongue = &self.tongue;
        let shape = tongue.pick_at("page", place, 6);
        if shape == 0 {
            return self.data(place, 200, items.into());
        }
        // A service may give fewer than it was asked for.
        let size = if shape == 1 { 1 } else { size };
        let count = items.len();
        let from = (number - 1).saturating_mul(size);
        let mut some: Vec<Value> = items.iter().skip(from).take(size).cloned().collect();
        let mut has_next = from + size < count;
        match shape {
            // One page more than needed, which is empty.
            2 => has_next = from < count,
            // A list that never says that it has ended, and repeats itself.
            3 => {
                has_next = true;
                if some.is_empty() {
                    some = items.iter().take(size).cloned().collect();
                }
            }
            _ => {}
        }
        let next = match tongue.pick_at("next", place, 3) {
            0 => json!(format!("https://api.example.invalid/api/v9/x/?page={}", number + 1)),
            1 => json!(format!("?page={}", number + 1)),
            _ => json!(number + 1),
        };
        let mut page = Map::new();
        tongue.optional(&mut page, "next", has_next.then_some(next));
        tongue.optional(&mut page, "previous", (number > 1).then(|| json!("x")));
        match tongue.pick_at("count", place, 3) {
            0 => {}
            1 => _ = page.insert("count".into(), json!(count.to_string())),
            _ => _ = page.insert("count".into(), json!(count)),
        }
        let is_null = some.is_empty() && tongue.pick_at("empty page", place, 2) == 1;
        page.insert("results".into(), if is_null { Value::Null } else { some.into() });
        self.data(place, 200, page.into())
    }

    fn documents(&self, asked: &Asked) -> Answer {
        let items: Vec<Value> = self.house().papers.iter().map(|paper| self.listed(paper).into()).collect();
        self.page("documents", asked, items)
    }

    /// What list and detail have in common (3.4).
    fn listed(&self, paper: &Paper) -> Map<String, Value> {
        let tongue = &self.tongue;
        let mut object = Map::new();
        object.insert(tongue.guid_key(&paper.guid).into(), paper.guid.clone().into());
        object.insert("doc_id".into(), tongue.number("doc_id", 900 + paper.number as i64));
        tongue.optional(&mut object, "document", self.file_address(paper).map(Value::from));
        for key in ["file_name", "description", "callback_url", "callback_key"] {
            tongue.optional(&mut object, key, paper.text(key));
        }
        tongue.optional(&mut object, "comment", paper.comment.clone().map(Value::from));
        for key in ["created_at", "updated_at"] {
            object.insert(key.into(), tongue.time(&format!("{key} {}", paper.number), created()));
        }
        match paper.status {
            0 if tongue.pick_at("status 0", &paper.guid, 3) == 0 => {
                tongue.nothing(&mut object, "sign_status")
            }
            status => _ = object.insert("sign_status".into(), tongue.number("sign_status", status)),
        }
        tongue.extra(&mut object);
        object
    }

    /// 3.4: absolute, from the root, below the media base, or none at all.
    fn file_address(&self, paper: &Paper) -> Option<String> {
        let number = paper.number;
        match self.tongue.pick("file address", 6) {
            0 => Some(format!("{}/media/2021/10/{number}.pdf", self.root)),
            1 => Some(format!("{}/media/2021/10/{number}.pdf?firma=a%2Bb%20c%3D&x=1", self.root)),
            2 => Some(format!("/media/2021/10/{number}.pdf")),
            3 => Some(format!("2021/10/{number}.pdf")),
            // It is there and leads to nothing.
            4 => Some(format!("gone/{number}.pdf")),
            _ => None,
        }
    }

    fn media(&self, asked: &Asked) -> Answer {
        if let Some(signature) = asked.query.get("firma")
            && signature != "a+b c="
        {
            self.wrong(asked, "an address that was changed");
        }
        let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
        let house = self.house();
        let found = house.papers.iter().find(|paper| match segments.as_slice() {
            ["media", "2021", "10", name] => *name == format!("{}.pdf", paper.number),
            // The fallback of row 6, where there is no other address, and only where the service has it.
            ["media", guid] => *guid == paper.guid && self.tongue.pick("media by GUID", 2) == 0,
            _ => false,
        });
        match found {
            Some(paper) if paper.status == 1 => (200, paper.signed_file(), "application/pdf"),
            Some(paper) => (200, paper.file.clone(), "application/octet-stream"),
            None => html([404, 401, 403, 410][self.tongue.pick("no file", 4)]),
        }
    }

    fn found(&self, guid: &str) -> Result<Paper, Answer> {
        let found = self.house().papers.iter().find(|paper| paper.guid == guid).cloned();
        match found {
            None => Err(self.refuse("DOCUMENT_NOT_FOUND")),
            Some(paper) if paper.is_of_web_app => Err(self.refuse("NOT_API_DOCUMENT")),
            Some(paper) => Ok(paper),
        }
    }

    fn detail(&self, guid: &str) -> Answer {
        let paper = match self.found(guid) {
            Ok(paper) => paper,
            Err(answer) => return answer,
        };
        let tongue = &self.tongue;
        let mut object = self.listed(&paper);
        let folder = paper.sent.get("folder").and_then(Value::as_str).map(|path| format!("root/{path}"));
        tongue.optional(&mut object, "folder", folder.map(Value::from));
        tongue.optional(&mut object, "subject", paper.text("subject"));
        tongue.nothing(&mut object, "signature_key");
        tongue.nothing(&mut object, "origin_document");
        let file = if paper.status == 1 { paper.signed_file() } else { paper.file.clone() };
        object.insert("base64".into(), tongue.base64("detail", &file).into());
        object.insert("delete_after_callback".into(), tongue.boolean("delete_after_callback", false));
        object.insert("is_skip_notification".into(), tongue.boolean("is_skip_notification", true));
        let mut owner = Map::new();
        owner.insert("email".into(), EMAIL.into());
        owner.insert("role".into(), tongue.number("role", 3));
        owner.insert("gender".into(), tongue.number("gender", 1));
        // The vendor's own samples are wrong (5).
        owner.insert("id_number".into(), "11.222.333-k".into());
        for key in ["nickname", "firstname", "avatar", "id_type", "user_video"] {
            tongue.nothing(&mut owner, key);
        }
        tongue.extra(&mut owner);
        object.insert("owner".into(), owner.into());
        tongue.list(&mut object, "sign_list", paper.signers.iter().map(|one| self.entry(one)).collect());
        let name = ["attached_file_list", "attached_files", "attached_file", "attach_file_list"]
            [tongue.pick("attachments", 4)];
        let content = ["file", "base64"][tongue.pick("attachment", 2)];
        let files = paper.attachments.iter().map(
            |(file_name, bytes)| json!({"file_name": file_name, content: tongue.base64("attachment", bytes)}),
        );
        tongue.list(&mut object, name, files.collect());
        self.data("detail", 200, object.into())
    }

    fn entry(&self, signer: &Value) -> Value {
        let tongue = &self.tongue;
        let email = signer["email"].as_str().unwrap_or_default();
        let mut info = Map::new();
        info.insert("id".into(), tongue.number("signer id", 7));
        // Addresses are kept without case.
        let email =
            if tongue.pick("case of e-mail", 2) == 0 { email.to_uppercase() } else { email.to_owned() };
        info.insert("email".into(), email.into());
        tongue.optional(&mut info, "phone", signer.get("phone").cloned());
        tongue.optional(&mut info, "firstname", signer.get("firstname").cloned());
        tongue.nothing(&mut info, "lastname2");
        let method =
            if tongue.pick("bit4id", 3) == 0 { json!("bit4id") } else { signer["sign_method"].clone() };
        let mut entry = Map::new();
        entry.insert("id".into(), tongue.number("entry id", 8));
        entry.insert("sign_method".into(), method);
        entry.insert("signer_info".into(), info.into());
        tongue.extra(&mut entry);
        entry.into()
    }

    /// 3.3
    fn create(&self, asked: &Asked) -> Answer {
        let sent = self.object(asked);
        for key in ["file_name", "description", "file"] {
            if !has_text(&sent, key) {
                self.wrong(asked, &format!("no {key}"));
            }
        }
        if sent.values().any(Value::is_null) || sent.contains_key("GUID") {
            self.wrong(asked, "a null, or a GUID");
        }
        let description = sent.get("description").and_then(Value::as_str).unwrap_or_default();
        if description.chars().count() > 1023 {
            self.wrong(asked, "a long description");
        }
        let file = |value: Option<&Value>| {
            let bytes = value.and_then(Value::as_str).and_then(base64::decode);
            bytes.unwrap_or_else(|| {
                self.wrong(asked, "no strict base64");
                Vec::new()
            })
        };
        let list = sent.get("attached_file").and_then(Value::as_array).cloned().unwrap_or_default();
        let attached =
            |one: &Value| (one["file_name"].as_str().unwrap_or_default().to_owned(), file(one.get("file")));
        let mut paper = Paper {
            file: file(sent.get("file")),
            attachments: list.iter().map(attached).collect(),
            sent: sent.into_iter().filter(|(key, _)| key != "file" && key != "attached_file").collect(),
            ..Paper::default()
        };
        let mut house = self.house();
        paper.number = house.papers.len() + 1;
        paper.guid = self.tongue.guid(paper.number);
        let listed = self.listed(&paper);
        house.papers.push(paper);
        drop(house);
        self.data("create", [200, 201][self.tongue.pick("created", 2)], listed.into())
    }

    fn delete(&self, guid: &str) -> Answer {
        match self.found(guid) {
            Err(answer) => answer,
            Ok(_) => {
                self.house().papers.retain(|paper| paper.guid != guid);
                self.nothing("delete")
            }
        }
    }

    /// 3.5 and 4.2
    fn start_flow(&self, asked: &Asked, guid: &str) -> Answer {
        let paper = match self.found(guid) {
            Ok(paper) => paper,
            Err(answer) => return answer,
        };
        let body = self.object(asked);
        let flow_type = body.get("flow_type").and_then(Value::as_str).unwrap_or("priority").to_owned();
        if !["priority", "simultaneously"].contains(&flow_type.as_str()) {
            self.wrong(asked, "another flow_type");
        }
        if body.get("expiration").is_some_and(|days| days.as_i64().is_none_or(|days| days < 1)) {
            self.wrong(asked, "another expiration");
        }
        let shared = body.get("shared_list").and_then(Value::as_array);
        let is_right = |one: &Value| one["email"].is_string() && one["name"].is_string();
        if shared.is_none_or(|list| !list.iter().all(is_right)) {
            self.wrong(asked, "no shared_list of e-mail and name");
        }
        let signers = body.get("signer_list").and_then(Value::as_array).cloned().unwrap_or_default();
        if signers.is_empty() {
            self.wrong(asked, "no signer");
        }
        for signer in &signers {
            self.check_signer(asked, signer);
        }
        let links: Vec<String> = (0..signers.len()).map(|at| self.link(paper.number, at)).collect();
        let approves = |one: &Value| one["sign_method"] == "approve_api";
        let shown = signers.iter().zip(&links).filter(|(one, _)| one["skip_email"] == true || approves(one));
        let shown: Vec<(String, String)> = shown
            .map(|(one, url)| (one["email"].as_str().unwrap_or_default().to_owned(), url.clone()))
            .collect();
        self.change(guid, |paper| {
            paper.starts += 1;
            paper.done = vec![false; signers.len()];
            (paper.signers, paper.flow_type, paper.links) = (signers, Some(flow_type), links);
        });
        self.data("start", [200, 201][self.tongue.pick("started", 2)], self.links(&shown))
    }

    fn link(&self, paper: usize, signer: usize) -> String {
        let root = &self.root;
        match self.tongue.pick("approval address", 3) {
            0 => format!("{root}/api/approve/{paper}/{signer}"),
            1 => format!("{root}/api/approve/{paper}/{signer}/"),
            _ => format!("{root}/api/approve/{paper}/{signer}/?clave=a%20b%2Bc"),
        }
    }

    /// 3.5, answer: in `data` or bare a list of texts, of objects, a map, or nothing.
    fn links(&self, shown: &[(String, String)]) -> Value {
        let key = ["url", "sign_url", "link"][self.tongue.pick("link key", 3)];
        match self.tongue.pick("links", 6) {
            0 => shown.iter().map(|(_, url)| json!(url)).collect(),
            1 => shown.iter().map(|(_, url)| json!({key: url})).collect(),
            2 => shown.iter().map(|(email, url)| json!({"email": email, key: url, "nuevo": 1})).collect(),
            3 => Value::Object(shown.iter().map(|(email, url)| (email.clone(), json!(url))).collect()),
            4 => Value::Null,
            _ => json!([]),
        }
    }

    fn check_signer(&self, asked: &Asked, signer: &Value) {
        let Some(fields) = signer.as_object() else { return self.wrong(asked, "a signer that is no object") };
        let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
        let (flow, method) = (text("sign_flow"), text("sign_method"));
        if !PAIRS.iter().any(|(known, methods)| *known == flow && methods.contains(&method)) {
            self.wrong(asked, &format!("the pair {flow} {method}"));
        }
        if !has_text(fields, "email") || fields.values().any(Value::is_null) {
            self.wrong(asked, "a signer without e-mail, or with a null");
        }
        let known = [
            "sign_flow",
            "sign_method",
            "email",
            "firstname",
            "lastname1",
            "lastname2",
            "phone",
            "device_id",
            "is_fingerprint",
            "is_NID",
            "video_validation",
            "selfie_validation",
            "id_validation",
            "x1",
            "y1",
            "x2",
            "y2",
            "pageno",
            "anchor",
            "skip_email",
            "sign_status_callback_url",
        ];
        if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str())) {
            self.wrong(asked, &format!("an unknown field {key}"));
        }
        for check in ["video_validation", "selfie_validation", "id_validation"] {
            match fields.get(check) {
                Some(Value::Bool(true)) if method != "no_sms" && method != "sms" => self.wrong(asked, check),
                Some(Value::Bool(_)) => {}
                _ => self.wrong(asked, &format!("no {check}")),
            }
        }
        if method == "sms" && !has_text(fields, "phone") {
            self.wrong(asked, "sms without a phone");
        }
        let tablet = ["device_id", "is_fingerprint", "is_NID"].map(|key| fields.contains_key(key));
        if tablet != [method == "tablet_sign"; 3] {
            self.wrong(asked, "fields of a tablet");
        }
        let placed = ["x1", "y1", "x2", "y2", "pageno"].map(|key| fields.contains_key(key));
        if placed.contains(&true) && (placed.contains(&false) || fields.contains_key("anchor")) {
            self.wrong(asked, "half a box, or box and anchor");
        }
        if method == "fea" {
            let house = self.house();
            let is_known = |one: &&Map<String, Value>| one["email"].as_str() == Some(text("email"));
            let rut =
                house.contacts.iter().find(is_known).and_then(|one| one.get("rut")).and_then(Value::as_str);
            let is_right = rut.is_some_and(rut_is_right);
            drop(house);
            if !is_right {
                self.wrong(asked, "fea without a contact with a right RUT");
            }
        }
    }

    fn approve(&self, asked: &Asked) -> Answer {
        let number =
            |at: usize| asked.segments.get(at).and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
        let (paper, signer) = (number(2), number(3));
        let mut address = format!("{}{}", self.root, asked.path);
        if let Some(key) = asked.query.get("clave") {
            assert_eq!(key, "a b+c");
            address.push_str("?clave=a%20b%2Bc");
        }
        let found = self.house().papers.iter().find(|one| one.number == paper).cloned();
        let Some(found) = found.filter(|one| one.links.contains(&address)) else {
            self.wrong(asked, "an approval at another address");
            return html(404);
        };
        self.sign(&found.guid, signer);
        self.nothing("approve")
    }

    /// 3.1 row 8: the path may not be there at all.
    fn status(&self, guid: &str) -> Answer {
        let paper = match self.found(guid) {
            Ok(paper) => paper,
            Err(answer) => return answer,
        };
        let status = self.tongue.number("sign_status", paper.status);
        match self.tongue.pick("status", 5) {
            0 => html(404),
            1 => self.json(404, &json!({"detail": "Not found."})),
            2 => self.data("status", 200, json!({"sign_status": status, "GUID": guid})),
            3 => self.data("status", 200, json!({"status": status})),
            _ => self.data("status", 200, status),
        }
    }

    fn signed(&self, guid: &str) -> Answer {
        match self.found(guid) {
            Err(answer) => answer,
            Ok(_) if self.tongue.pick("signed file", 2) == 0 => html(404),
            Ok(paper) => (200, paper.signed_file(), "application/pdf"),
        }
    }

    fn folders(&self, asked: &Asked) -> Answer {
        let tongue = &self.tongue;
        let house = self.house();
        let folder = |id: &i64| {
            let mut object = Map::new();
            object.insert("id".into(), tongue.number("folder", *id));
            object.insert("title".into(), format!("Carpeta {id}").into());
            object.insert("owned".into(), tongue.boolean("owned", true));
            object.insert("total_document_number".into(), tongue.number("total", 4));
            object.insert("updated_at".into(), tongue.time("folder", created()));
            object.insert("owner".into(), json!({"email": EMAIL}));
            let parent = (*id > 1).then(|| tongue.number("parent", id - 1));
            tongue.optional(&mut object, "parent", parent);
            Value::Object(object)
        };
        let items: Vec<Value> = house.folders.iter().map(folder).collect();
        drop(house);
        let number = asked.query.get("page").map_or(1, |text| text.parse().unwrap());
        let count = items.len();
        match tongue.pick("folders", 4) {
            0 => self.data("folders", 200, items.into()),
            1 => {
                let page = json!({"count": count, "next": null, "previous": null, "results": items});
                self.data("folders", 200, page)
            }
            // Two at a time, though nobody asked for pages; the last answer says so, or only repeats itself.
            choice => {
                let rest: Vec<Value> = items.into_iter().skip(2 * (number - 1)).take(2).collect();
                let has_next = 2 * number < count || choice == 3 && !rest.is_empty();
                let next = has_next.then(|| format!("{}/api/folder?page={}", self.root, number + 1));
                self.data("folders", 200, json!({"count": count, "next": next, "results": rest}))
            }
        }
    }

    fn check_template_signers(&self, asked: &Asked, item: &Value, is_v2: bool) {
        for signer in item["signers"].as_array().into_iter().flatten() {
            let Some(fields) = signer.as_object() else {
                return self.wrong(asked, "a signer that is no object");
            };
            let required: &[&str] = if is_v2 {
                &["sign_method", "email", "firstname", "lastname1", "anchor"]
            } else {
                &["sign_method", "email"]
            };
            if required.iter().any(|key| !has_text(fields, key)) || fields.contains_key("sign_flow") {
                self.wrong(asked, "a signer of a template");
            }
            if fields.get("anchor").and_then(Value::as_str).is_some_and(|word| word.chars().count() > 63) {
                self.wrong(asked, "a long anchor");
            }
        }
        if item["signers"].as_array().is_none_or(Vec::is_empty) || !item["variables"].is_object() {
            self.wrong(asked, "no signers or no variables");
        }
        let shape = |one: &Value| if is_v2 { one.is_string() } else { one["email"].is_string() };
        if item["shared_list"].as_array().is_some_and(|list| !list.iter().all(shape)) {
            self.wrong(asked, "another shared_list");
        }
    }

    /// 3.6: the answer is not documented.
    fn batch(&self, asked: &Asked) -> Answer {
        let body = self.object(asked);
        let items = body.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        if body.len() != 1 || items.is_empty() {
            self.wrong(asked, "no data alone");
        }
        for item in &items {
            self.check_template_signers(asked, item, false);
        }
        self.house().workflows.extend(items.iter().cloned());
        let key = self.tongue.guid_key("batch");
        let list = (1..=items.len()).map(|at| json!({key: format!("b-{at}")}));
        match self.tongue.pick("batch", 3) {
            0 => self.data("batch", 200, list.collect()),
            1 => self.data("batch", 200, json!({"total": items.len()})),
            _ => self.data("batch", 201, Value::Null),
        }
    }

    fn workflow(&self, asked: &Asked) -> Answer {
        let body = Value::Object(self.object(asked));
        if body.get("data").is_some() {
            self.wrong(asked, "a list where one is taken");
        }
        self.check_template_signers(asked, &body, true);
        let signers = body["signers"].as_array().cloned().unwrap_or_default();
        self.house().workflows.push(body);
        let shown = signers.iter().enumerate().map(|(at, one)| {
            (
                one["email"].as_str().unwrap_or_default().to_owned(),
                format!("https://sign.legale.io/session/{at}"),
            )
        });
        self.data(
            "workflow",
            [200, 201][self.tongue.pick("workflow", 2)],
            self.links(&shown.collect::<Vec<_>>()),
        )
    }

    fn smart_document(&self, id: i64) -> Value {
        let tongue = &self.tongue;
        let mut item = Map::new();
        item.insert("id".into(), tongue.number("item", 5));
        item.insert("name".into(), "Nombre".into());
        item.insert("type".into(), "texto".into());
        item.insert("item_number".into(), tongue.number("item_number", 1));
        item.insert("is_required".into(), tongue.boolean("is_required", true));
        tongue.nothing(&mut item, "extra_data");
        let mut object = Map::new();
        object.insert("id".into(), tongue.number("smart document", id));
        object.insert("name".into(), format!("Plantilla {id}").into());
        tongue.list(&mut object, "items", if id == 1 { vec![item.into()] } else { Vec::new() });
        object.insert("created_at".into(), tongue.time("smart document", created()));
        for key in ["content", "preview", "callback_url", "updated_at", "owner"] {
            tongue.nothing(&mut object, key);
        }
        tongue.list(&mut object, "users", Vec::new());
        tongue.extra(&mut object);
        object.into()
    }

    /// 3.6, migrate.
    fn migrate(&self, asked: &Asked) -> Answer {
        let body = Value::Object(self.object(asked));
        let document = body["document"].as_object().cloned().unwrap_or_default();
        if ["file_name", "description", "file"].iter().any(|key| !has_text(&document, key)) {
            self.wrong(asked, "a document without its fields");
        }
        if document["file"].as_str().and_then(base64::decode).is_none() {
            self.wrong(asked, "no strict base64");
        }
        for signer in body["workflow"]["signers"].as_array().into_iter().flatten() {
            for key in ["started_at", "signed_at"] {
                let is_spaced = |text: &str| text.len() == 19 && text.as_bytes()[10] == b' ';
                if signer.get(key).is_some_and(|time| !time.as_str().is_some_and(is_spaced)) {
                    self.wrong(asked, "a time of another form");
                }
            }
        }
        self.house().migrations.push(body);
        let mut object = Map::new();
        object.insert(self.tongue.guid_key("migrate").into(), "m-1".into());
        self.tongue.extra(&mut object);
        self.data("migrate", [200, 201][self.tongue.pick("migrated", 2)], object.into())
    }

    fn contact(&self, contact: &Map<String, Value>) -> Value {
        let tongue = &self.tongue;
        let mut object = Map::new();
        let id: i64 = contact["id"].as_str().unwrap().parse().unwrap();
        object.insert("id".into(), tongue.number("contact", id));
        for key in
            ["email", "firstname", "lastname1", "lastname2", "company_email", "phone", "rut", "country_code"]
        {
            tongue.optional(&mut object, key, contact.get(key).filter(|value| !value.is_null()).cloned());
        }
        for key in ["is_user", "is_external"] {
            let truth = contact.get(key).and_then(Value::as_bool).unwrap_or(false);
            object.insert(key.into(), tongue.boolean(key, truth));
        }
        object.insert("created_at".into(), tongue.time("contact", created()));
        tongue.extra(&mut object);
        object.into()
    }

    fn check_contact(&self, asked: &Asked, body: &Map<String, Value>) {
        let known = [
            "email",
            "firstname",
            "lastname1",
            "lastname2",
            "company_email",
            "phone",
            "rut",
            "is_user",
            "is_external",
        ];
        if body.keys().any(|key| !known.contains(&key.as_str())) {
            self.wrong(asked, "an unknown field of a contact");
        }
        if body.get("rut").and_then(Value::as_str).is_some_and(|rut| !rut_is_right(rut)) {
            self.wrong(asked, "a wrong RUT");
        }
    }

    fn new_contact(&self, asked: &Asked) -> Answer {
        let mut body = self.object(asked);
        self.check_contact(asked, &body);
        if ["email", "firstname", "lastname1"].iter().any(|key| !has_text(&body, key)) {
            self.wrong(asked, "a contact without its fields");
        }
        let mut house = self.house();
        let lower = |one: &Map<String, Value>| one["email"].as_str().unwrap_or_default().to_lowercase();
        if house.contacts.iter().any(|one| lower(one) == lower(&body)) {
            drop(house);
            return self.refuse("ERROR_CONTACT_DUPLICATED");
        }
        body.insert("id".into(), (house.contacts.len() + 40).to_string().into());
        house.contacts.push(body.clone());
        drop(house);
        self.data("new contact", [201, 200][self.tongue.pick("new contact", 2)], self.contact(&body))
    }

    fn changed_contact(&self, asked: &Asked, id: &str) -> Answer {
        let body = self.object(asked);
        self.check_contact(asked, &body);
        let mut house = self.house();
        let Some(found) = house.contacts.iter_mut().find(|one| one["id"] == id) else {
            drop(house);
            return html(404);
        };
        found.extend(body);
        let found = found.clone();
        drop(house);
        self.data("changed contact", 200, self.contact(&found))
    }

    /// 3.7
    fn older(&self, asked: &Asked) -> Answer {
        let given = asked.headers.get("authorization").map(|found| found.concat());
        if given != Some(format!("Bearer {LEGACY_TOKEN}")) {
            return html(401);
        }
        let tongue = &self.tongue;
        let sends = ["/api/legale/legaleDocument", "/api/emailPin/sendDocument", "/api/oneshot/sendDocument"];
        let reads = ["/api/legale/legaleDocInfo/", "/api/emailPin/getDocument/", "/api/oneshot/getDocument/"];
        if asked.method == "POST" && sends.contains(&asked.path.as_str()) {
            let body = self.object(asked);
            if body["document"].as_str().and_then(base64::decode).is_none() {
                self.wrong(asked, "no strict base64");
            }
            let mut house = self.house();
            house.legacy.push(body);
            let guid = tongue.guid(house.legacy.len());
            drop(house);
            let mut answer = Map::new();
            answer.insert("success".into(), tongue.boolean("sent", true));
            answer.insert(tongue.guid_key("legacy").into(), guid.into());
            answer.insert("signURL".into(), "https://firma.legale.cl/s/1".into());
            tongue.extra(&mut answer);
            return self.json([200, 201][tongue.pick("legacy", 2)], &answer.into());
        }
        let family = reads.iter().position(|read| asked.path.starts_with(read));
        let (Some(family), "GET") = (family, asked.method.as_str()) else {
            self.wrong(asked, "no such call");
            return html(404);
        };
        let guid = unescaped(asked.path.trim_start_matches(reads[family]));
        let house = self.house();
        let at = (1..=house.legacy.len()).find(|at| tongue.guid(*at) == guid);
        let found = at.and_then(|at| house.legacy.get(at - 1)).cloned();
        drop(house);
        let Some(found) = found else {
            let failure = json!({"success": tongue.boolean("failure", false), "status": "", "document": "", "debug": "Invalid GUID"});
            return self.json([200, 400, 404][tongue.pick("invalid GUID", 3)], &failure);
        };
        let file = base64::decode(found["document"].as_str().unwrap()).unwrap();
        let state = found.get("state").and_then(Value::as_str).unwrap_or("Not Signed");
        let document = match state {
            "Signed" => json!(tongue.base64("legacy", &file)),
            // Valid base64, and no file (trap 18).
            "Rejected" => json!("aGVsbG8="),
            _ => [json!(""), Value::Null][tongue.pick("no document", 2)].clone(),
        };
        let debug = [json!(""), Value::Null][tongue.pick("debug", 2)].clone();
        let answer = json!({"success": tongue.boolean("read", true), "status": state, "document": document, "debug": debug});
        self.json(200, &answer)
    }
}

/// When everything here was made (3.4).
pub fn created() -> Timestamp {
    "2021-10-19T16:05:44Z".parse().unwrap()
}
