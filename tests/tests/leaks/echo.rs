//! A server that answers every request with the request: its address, headers and body, in every place of an answer.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    Quoted,
    Html,
    /// An object with the words under every name by which services tell what is wrong.
    Refusal,
    /// The envelope of the house that has one.
    Envelope,
    /// A list of such objects.
    List,
    /// The beginning of an object.
    Cut,
}

impl Shape {
    pub const ALL: [Self; 7] =
        [Self::Text, Self::Quoted, Self::Html, Self::Refusal, Self::Envelope, Self::List, Self::Cut];

    fn body(self, said: &str) -> String {
        let quoted = serde_json::Value::from(said).to_string();
        let object = format!(
            r#"{{"success":false,"error":{{"code":4,"message":{quoted}}},"message":{quoted},"mensaje":{quoted},"mensagem":{quoted},"detail":{quoted},"code":{quoted},"codigo":{quoted},"errors":{{"name":[{quoted}]}},{quoted}:1}}"#
        );
        match self {
            Self::Text => said.to_owned(),
            Self::Quoted => quoted,
            Self::Html => format!("<html><body>{said}</body></html>"),
            Self::Refusal => object,
            Self::Envelope => format!(
                r#"{{"statusCode":422,"message":{quoted},"data":{object},"error":{{"code":"invalid","details":{object}}}}}"#
            ),
            Self::List => format!("[{object},{object}]"),
            Self::Cut => object.chars().take(object.chars().count() / 2).collect(),
        }
    }
}

/// What comes instead of an echo: the answer to a request whose address ends so.
pub type Login = (&'static str, String);

/// The server, and all it was asked.
pub struct Echo {
    pub url: String,
    asked: Arc<Mutex<String>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Echo {
    pub async fn start(status: u16, shape: Shape, login: Option<Login>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(String::new()));
        let noted = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, login) = (Arc::clone(&noted), login.clone());
                tokio::spawn(async move { serve(stream, status, shape, login, &noted).await });
            }
        });
        Self { url, asked, task }
    }

    /// Everything that was sent here.
    pub fn asked(&self) -> String {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    status: u16,
    shape: Shape,
    login: Option<Login>,
    asked: &Mutex<String>,
) {
    let Some((head, body)) = request(&mut stream).await else { return };
    let said = format!("{head} {body}");
    asked.lock().unwrap().push_str(&said);
    let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let answer = match login.filter(|(end, _)| path.ends_with(end)) {
        Some((_, body)) => answer(200, "", &body),
        None => answer(status, &one_line(&said), &shape.body(&one_line(&said))),
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Head and body of one request; connections are not kept.
async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut read, mut chunk) = (Vec::new(), [0_u8; 4096]);
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head)
        {
            return Some((head.to_owned(), body.to_owned()));
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&chunk[..count]),
        }
    }
}

fn length(head: &str) -> usize {
    let lower = head.to_ascii_lowercase();
    let line = lower.lines().find_map(|line| line.strip_prefix("content-length:").map(str::to_owned));
    line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn answer(status: u16, said: &str, body: &str) -> String {
    // A header holds visible ASCII.
    let said: String = said.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).take(2000).collect();
    let headers = [
        ("content-type", format!("application/json; said={said}")),
        ("x-request-id", said.clone()),
        ("www-authenticate", format!("Bearer error=\"{said}\"")),
        ("location", format!("/elsewhere?said={}", said.replace(' ', "+"))),
        ("retry-after", "0".to_owned()),
    ];
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
