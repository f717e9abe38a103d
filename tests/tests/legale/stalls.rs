//! Servers that hang: silent from the start, in the middle of an answer, or in the middle of reading (fault matrix, rows 6 and 7). Each
//! call ends at its limit; what may have been done says so, what only reads does not.
//!
//! Nothing waits: the clock stands still until the server has met all the calls of a test, and then every limit is over.

#![allow(clippy::disallowed_methods, reason = "the clock of these calls is the one that stands still")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use legale::flow::{Flow, SignMethod};
use legale::legacy::{Family, LegacyClient};
use legale::{
    BoxFuture, Client, Clock, ContactPatch, Credential, DocumentId, Environment, Error, ErrorKind, Migration,
    NewContact, Outcome, Sending, Source, TemplateItem, TemplateSigner, Timestamp, Upload, Workflow,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{ANA, FILE, outsider, upload};

const LIMIT: Duration = Duration::from_secs(60);

/// A call that hears no limit fails its test after this.
const SOON: Duration = Duration::from_secs(30);

/// Stands still until `met` is `expected`; then the limit has passed.
#[derive(Debug, Clone)]
struct Gate {
    met: Arc<AtomicUsize>,
    expected: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> Self {
        Self { met: Arc::default(), expected: Arc::new(AtomicUsize::new(1)) }
    }

    fn is_open(&self) -> bool {
        self.met.load(Ordering::SeqCst) >= self.expected.load(Ordering::SeqCst)
    }
}

impl Clock for Gate {
    fn elapsed(&self) -> Duration {
        if self.is_open() { LIMIT * 2 } else { Duration::ZERO }
    }

    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.timer(duration)
    }

    fn timer(&self, _: Duration) -> BoxFuture<'static, ()> {
        let gate = self.clone();
        Box::pin(async move {
            while !gate.is_open() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    }

    fn random(&self) -> f64 {
        0.5
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hang {
    /// Accepts and reads nothing.
    Deaf,
    /// Reads the request and is silent.
    Silent,
    /// Half a head.
    InHead,
    /// A whole head and half a body.
    InBody,
}

const HANGS: [Hang; 4] = [Hang::Deaf, Hang::Silent, Hang::InHead, Hang::InBody];

/// Hangs at the paths that begin so, and answers others as told.
struct Hanging {
    root: String,
    gate: Gate,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Hanging {
    async fn new(hang: Hang, at: &'static str, answers: &'static [(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let gate = Gate::new();
        let counter = gate.met.clone();
        let server = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                open.spawn(serve(socket, hang, at, answers, counter.clone()));
            }
        });
        Self { root, gate, server }
    }

    fn met(&self) -> usize {
        self.gate.met.load(Ordering::SeqCst)
    }

    /// The limits pass once so many calls hang.
    fn expects(&self, calls: usize) {
        self.gate.expected.store(calls, Ordering::SeqCst);
    }

    fn client(&self) -> Client {
        self.client_with(Credential::api_key("key"))
    }

    fn client_with(&self, credential: Credential) -> Client {
        Client::builder()
            .environment(Environment::root(&self.root).unwrap())
            .credential(credential)
            .timeout(LIMIT)
            .clock(self.gate.clone())
            .allow_contact_by_id(true)
            .build()
            .unwrap()
    }
}

async fn head(socket: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(read).ok()
}

async fn body(socket: &mut TcpStream, head: &str) -> Option<()> {
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    socket.read_exact(&mut body).await.ok().map(drop)
}

async fn serve(
    mut socket: TcpStream,
    hang: Hang,
    at: &'static str,
    answers: &'static [(&'static str, &'static str)],
    met: Arc<AtomicUsize>,
) -> Option<()> {
    loop {
        let head = head(&mut socket).await?;
        let path = head.split(' ').nth(1)?.to_owned();
        if path.starts_with(at) {
            met.fetch_add(1, Ordering::SeqCst);
            hung(&mut socket, &head, hang).await?;
            // Held open until the other side has had enough.
            return std::future::pending().await;
        }
        body(&mut socket, &head).await?;
        let (_, answer) = answers.iter().find(|(known, _)| path.starts_with(known))?;
        let length = answer.len();
        let text = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
        );
        socket.write_all(text.as_bytes()).await.ok()?;
    }
}

async fn hung(socket: &mut TcpStream, head: &str, hang: Hang) -> Option<()> {
    if hang == Hang::Deaf {
        return Some(());
    }
    body(socket, head).await?;
    let text: &[u8] = match hang {
        Hang::Deaf | Hang::Silent => b"",
        Hang::InHead => b"HTTP/1.1 200 OK\r\ncontent-ty",
        Hang::InBody => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n%PDF-1.7 {\"data\":",
    };
    socket.write_all(text).await.ok()
}

fn guid() -> DocumentId {
    "g-1".parse().unwrap()
}

type Named<'c> = (&'static str, BoxFuture<'c, Result<(), Error>>);

macro_rules! call {
    ($name:literal, $client:ident, |$inner:ident| $work:expr) => {{
        let $inner = $client.clone();
        ($name, Box::pin(async move { $work.await.map(drop) }) as BoxFuture<'static, Result<(), Error>>)
    }};
}

fn writes(client: &Client) -> Vec<Named<'static>> {
    let signer = || TemplateSigner::new(SignMethod::NoSms, ANA).name("Ana", "Rojas").anchor("F");
    let flow = || Flow::sequential().signer(outsider(ANA)).build().unwrap();
    vec![
        call!("create", client, |c| c.create(&upload())),
        call!("start", client, |c| c.start(&guid(), &flow())),
        call!("delete", client, |c| c.delete(&guid())),
        call!("delete a folder", client, |c| c.delete_folder(&1.into())),
        call!("new contact", client, |c| c.create_contact(&NewContact::new(ANA, "A", "R"))),
        call!("changed contact", client, |c| c.update_contact(&1.into(), &ContactPatch::default())),
        call!("delete a contact", client, |c| c.delete_contact(&1.into())),
        call!("batch", client, |c| c.start_batch(&1.into(), &[TemplateItem::new().signer(signer())])),
        call!("workflow", client, |c| c.start_workflow(&1.into(), &Workflow::new().signer(signer()))),
        call!("migrate", client, |c| c.migrate(&Migration::new("a_b_2025.pdf", "d", Source::bytes(FILE)))),
    ]
}

fn reads(client: &Client) -> Vec<Named<'static>> {
    vec![
        call!("check", client, |c| c.check_credentials()),
        call!("list", client, |c| c.documents().all()),
        call!("detail", client, |c| c.detail(&guid())),
        call!("status", client, |c| c.sign_status(&guid())),
        call!("folders", client, |c| c.folders()),
        call!("contacts", client, |c| c.contacts().all()),
        call!("contact", client, |c| c.contact(&1.into())),
        call!("smart documents", client, |c| c.smart_documents().all()),
    ]
}

/// All four at once: a test waits no longer than for one.
async fn each<F: Future<Output = ()>>(case: impl Fn(Hang) -> F) {
    tokio::join!(case(HANGS[0]), case(HANGS[1]), case(HANGS[2]), case(HANGS[3]));
}

/// All at once, so that all of them take as long as one.
async fn outcomes(calls: Vec<Named<'static>>) -> Vec<(&'static str, Error)> {
    let tasks: Vec<_> = calls.into_iter().map(|(name, call)| (name, tokio::spawn(call))).collect();
    let mut found = Vec::new();
    for (name, task) in tasks {
        let done = tokio::time::timeout(SOON, task).await;
        let done = done.unwrap_or_else(|_| panic!("{name} hangs still"));
        found.push((name, done.unwrap().unwrap_err()));
    }
    found
}

#[tokio::test]
async fn what_writes_and_hangs_is_unknown_and_was_sent_once() {
    each(|hang| async move {
        let server = Hanging::new(hang, "/api/", &[]).await;
        let calls = writes(&server.client());
        let count = calls.len();
        server.expects(count);
        for (name, error) in outcomes(calls).await {
            assert_eq!(
                (error.kind(), error.outcome()),
                (ErrorKind::Timeout, Outcome::Unknown),
                "{hang:?} {name}: {error}"
            );
        }
        assert_eq!(server.met(), count, "{hang:?}");
    })
    .await;
}

#[tokio::test]
async fn what_reads_and_hangs_is_a_timeout_and_nothing_more() {
    each(|hang| async move {
        let server = Hanging::new(hang, "/api/", &[]).await;
        let calls = reads(&server.client());
        server.expects(calls.len());
        for (name, error) in outcomes(calls).await {
            assert_eq!(
                (error.kind(), error.is_outcome_unknown()),
                (ErrorKind::Timeout, false),
                "{hang:?} {name}: {error}"
            );
        }
    })
    .await;
}

/// The approval goes to an address of its own.
#[tokio::test]
async fn an_approval_that_hangs_is_unknown() {
    each(|hang| async move {
        let server = Hanging::new(hang, "/approve/", &[]).await;
        let (client, url) = (server.client(), format!("{}/approve/1/?k=v", server.root));
        let calls = vec![call!("approve", client, |c| c.approve(&url))];
        let (_, error) = outcomes(calls).await.remove(0);
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Timeout, Outcome::Unknown),
            "{hang:?}: {error}"
        );
        assert_eq!(server.met(), 1);
    })
    .await;
}

/// A login that hangs: what was to be done was never sent.
#[tokio::test]
async fn a_login_that_hangs_has_done_nothing() {
    each(|hang| async move {
        let server = Hanging::new(hang, "/api/token", &[]).await;
        let client = server.client_with(Credential::password("a@example.com", "p"));
        for (name, error) in outcomes(writes(&client)).await {
            let in_time = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Credentials);
            assert!(in_time && error.is_not_sent(), "{hang:?} {name}: {error}");
        }
    })
    .await;
}

const DETAIL: &str = r#"{"GUID":"g-1","document":"/media/1.pdf","file_name":"a.pdf","sign_status":1}"#;

/// A download that hangs, whether before its first byte or after the last that came: nothing stays on the disk.
#[tokio::test]
async fn a_download_that_hangs_leaves_nothing() {
    each(|hang| async move {
        let server = Hanging::new(hang, "/media/", &[("/api/document/get/", DETAIL)]).await;
        let (client, folder) = (server.client(), tempfile::tempdir().unwrap());
        server.expects(2);
        let place = folder.path().to_owned();
        let calls = vec![
            call!("to a folder", client, |c| c.download(&guid()).to_folder(&place)),
            call!("to a writer", client, |c| c.download(&guid()).to_writer(&mut tokio::io::sink())),
        ];
        for (name, error) in outcomes(calls).await {
            assert_eq!(
                (error.kind(), error.outcome()),
                (ErrorKind::Timeout, Outcome::ReadOnly),
                "{hang:?} {name}: {error}"
            );
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{hang:?}");
    })
    .await;
}

/// A service that stops reading in the middle of an upload: more than sockets hold on the way.
#[tokio::test]
async fn an_upload_that_nobody_reads_is_unknown() {
    let server = Hanging::new(Hang::Deaf, "/api/", &[]).await;
    let client = server.client();
    let file = [FILE, &vec![b'x'; 24 << 20][..]].concat();
    let large = Upload::new("Contrato_X_2025.pdf", "Contrato", Source::bytes(file));
    let calls = vec![call!("create", client, |c| c.create(&large))];
    let (_, error) = outcomes(calls).await.remove(0);
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown), "{error}");
    assert_eq!(server.met(), 1);
}

/// The document's source hangs in mid-upload, and not the service.
#[tokio::test]
async fn a_source_that_hangs_ends_too() {
    let answers: &[(&str, &str)] = &[("/api/documents/", "[]")];
    let server = Hanging::new(Hang::Silent, "/api/document/create", answers).await;
    let (client, (reader, mut writer)) = (server.client(), tokio::io::duplex(1 << 20));
    writer.write_all(&[b'x'; 600_000]).await.unwrap();
    let large = Upload::new("Contrato_X_2025.csv", "Contrato", Source::reader(1_000_000, reader));
    let calls = vec![call!("create", client, |c| c.create(&large))];
    let (_, error) = outcomes(calls).await.remove(0);
    // Half of it had left.
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown), "{error}");
    assert_eq!(server.met(), 1);
}

/// From file to flow: the lost answer cannot be asked for, which is said, in the time of two calls.
#[tokio::test]
async fn a_sending_that_hangs_is_unknown_and_keeps_its_document() {
    const MADE: &str = r#"{"GUID":"g-1","sign_status":0}"#;
    let sending = || Sending::new(upload(), Flow::sequential().signer(outsider(ANA)).build().unwrap());
    let answers = &[("/api/document/create", MADE), ("/api/document/get", "{")];
    let (dumb, half) = (
        Hanging::new(Hang::Silent, "/api/", &[]).await,
        Hanging::new(Hang::InBody, "/api/sign/", answers).await,
    );
    let (first, second, clients) = (sending(), sending(), (dumb.client(), half.client()));
    let (first, second) = tokio::join!(clients.0.send(&first), clients.1.send(&second));
    let (first, second) = (first.unwrap_err(), second.unwrap_err());
    assert!(first.error().is_outcome_unknown() && first.document().is_none(), "{first}");
    assert!(second.error().is_outcome_unknown(), "{second}");
    assert_eq!(second.document(), Some(&guid()));
}

/// The older client has a limit of five minutes unless it is given another one.
#[tokio::test]
async fn the_older_client_ends_too() {
    let server = Hanging::new(Hang::Silent, "/api/", &[]).await;
    let settings = LegacyClient::settings().total_timeout(LIMIT).clock(Arc::new(server.gate.clone()));
    let client = LegacyClient::with(settings, &server.root, "token").unwrap();
    let limited = tokio::time::timeout(SOON, client.status(Family::Inbox, &guid())).await;
    let error = limited.unwrap_or_else(|_| panic!("its limit is not heard")).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::ReadOnly), "{error}");
}
