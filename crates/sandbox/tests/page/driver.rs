//! A browser, driven over plain WebDriver: Chromium by its ChromeDriver, both from Debian's packages.

use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long a condition is waited for, in milliseconds.
const PATIENCE: u64 = 15_000;
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser window with an empty profile. It ends when this is dropped.
pub(crate) struct Browser {
    address: String,
    session: String,
    _driver: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver: run this by .ci/with-browser");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver ended");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break format!("127.0.0.1:{}", port.trim_end_matches('.'));
            }
        };
        // Its pipe must not fill up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let profile = tempfile::tempdir().unwrap();
        let session = call(&address, "POST", "/session", &wanted(profile.path())).await;
        let session = session["sessionId"].as_str().unwrap().to_owned();
        let browser = Self { address, session, _driver: driver, _profile: profile };
        browser.order("timeouts", json!({ "script": PATIENCE, "pageLoad": PATIENCE })).await;
        browser
    }

    async fn order(&self, what: &str, body: Value) -> Value {
        call(&self.address, "POST", &format!("/session/{}/{what}", self.session), &body).await
    }

    /// Ends the browser; without it the driver is killed and its children may linger.
    pub(crate) async fn quit(self) {
        call(&self.address, "DELETE", &format!("/session/{}", self.session), &Value::Null).await;
    }

    pub(crate) async fn open(&self, url: &str) {
        self.order("url", json!({ "url": url })).await;
    }

    /// How people see it: width and height of the window, light or dark.
    pub(crate) async fn look(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.order("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
    }

    /// The value of an expression in the page.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.order("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression is true; the page polls, nobody sleeps.
    pub(crate) async fn wait(&self, condition: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1], end = Date.now() + {PATIENCE} - 2000; \
             const look = () => {{ let seen = false; try {{ seen = !!({condition}); }} catch {{}} \
             if (seen) done(true); else if (Date.now() > end) done(false); else setTimeout(look, 25); }}; look();"
        );
        let seen = self.order("execute/async", json!({ "script": script, "args": [] })).await;
        assert_eq!(
            seen,
            json!(true),
            "never came: {condition}\n{}",
            self.value("document.body.innerText").await
        );
    }

    async fn find(&self, selector: &str) -> String {
        let found = self.order("element", json!({ "using": "css selector", "value": selector })).await;
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("{selector}: {found}")).to_owned()
    }

    /// Clicks as a hand does: what is covered or out of reach cannot be clicked.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.order(&format!("element/{element}/click"), json!({})).await;
    }

    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.order(&format!("element/{element}/value"), json!({ "text": text })).await;
    }

    /// Chooses an option by its value.
    pub(crate) async fn choose(&self, selector: &str, value: &str) {
        self.click(&format!("{selector} option[value=\"{value}\"]")).await;
    }

    /// What the console said since it was last asked.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.order("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// The visible part as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let path = format!("/session/{}/screenshot", self.session);
        let picture = call(&self.address, "GET", &path, &Value::Null).await;
        STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }
}

fn wanted(profile: &std::path::Path) -> Value {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        &format!("--user-data-dir={}", profile.display()),
    ]
    .map(str::to_owned);
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": { "args": arguments },
    } } })
}

/// One call of WebDriver; a refusal ends the test with its words.
async fn call(address: &str, method: &str, path: &str, body: &Value) -> Value {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", address)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(text)))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status();
    let answer = answer.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    let mut answer: Value = serde_json::from_slice(&answer).unwrap();
    let value = answer["value"].take();
    assert!(status.is_success(), "{method} {path}: {value}");
    value
}
