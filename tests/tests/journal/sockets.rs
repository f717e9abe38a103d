//! Tries of which nothing has left (contract 9.2, second row), against real sockets: a port that nobody listens on, one that opens
//! between two tries, one that closes before a request can be sent.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fiscal_printer::{BoxFuture, Clock, Environment};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const ISSUED: &str = r#"{"success":true,"data":{"numerodocumento":"00-00000001"},"error":null}"#;

/// The pauses between tries: `PAUSES` of `journal/issue.rs`.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

type Hook = Box<dyn FnOnce() + Send>;

/// Stands still as the manual clock does, and does something at the end of the pauses.
#[derive(Clone)]
struct Pausing {
    clock: ManualClock,
    pauses: Arc<Mutex<Vec<Hook>>>,
}

impl std::fmt::Debug for Pausing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pausing")
    }
}

impl Pausing {
    /// The first of `hooks` is run in the first pause, and so on.
    fn new(mut hooks: Vec<Hook>) -> Self {
        hooks.reverse();
        Self { clock: ManualClock::new(), pauses: Arc::new(Mutex::new(hooks)) }
    }
}

impl Clock for Pausing {
    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let hook = self.pauses.lock().unwrap().pop();
        if let Some(hook) = hook {
            hook();
        }
        self.clock.sleep(duration)
    }

    fn timer(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.timer(duration)
    }

    fn random(&self) -> f64 {
        self.clock.random()
    }
}

/// A port of this machine that nobody listens on.
fn dead_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn journal_at(url: &str, clock: &Pausing) -> (Client, Journal) {
    let client = Client::builder().environment(Environment::custom(url).unwrap()).clock(clock.clone());
    let client = client.token("token").rif(RIF).build().unwrap();
    let store = Store::from_backend(Memory::with_clock(Arc::new(clock.clock.clone())));
    let journal = Journal::builder(client.clone(), &store).build().unwrap();
    (client, journal)
}

async fn entry_of(journal: &Journal) -> JournalEntry {
    let series = Series::new(journal.environment(), &RIF.parse().unwrap(), DocumentType::Invoice);
    journal.find(&series, &number(1)).await.unwrap().expect("it is written down")
}

/// Counts the connections that are made to `listener` and does `serve` with each.
fn serve<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F + Send + 'static) -> Arc<AtomicUsize>
where
    F: Future<Output = ()> + Send,
{
    let count = Arc::new(AtomicUsize::new(0));
    let connections = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            serve(socket).await;
        }
    });
    count
}

/// Reads one request to its end and answers that the document is issued.
async fn issues(mut socket: TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"}") {
        let mut piece = [0; 4096];
        let length = socket.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "the request is whole");
        read.extend_from_slice(&piece[..length]);
    }
    let length = ISSUED.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(format!("{head}{ISSUED}").as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_host_that_is_not_there_gets_the_clients_advice_and_the_journals() {
    let clock = Pausing::new(Vec::new());
    let (client, journal) = journal_at(&format!("http://127.0.0.1:{}", dead_port()), &clock);
    let plain = client.issue(&invoice(1)).await.unwrap_err();
    assert!(plain.hint().contains("check the base URL"), "{plain}");
    let before = clock.clock.slept().len();
    let error = journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent), "{error}");
    assert!(error.hint().starts_with(plain.hint()), "{error}");
    assert!(error.hint().contains("number 00000001 is written down as prepared"), "{error}");
    assert_eq!(clock.clock.slept()[before..], PAUSES, "tried three times");
    let entry = entry_of(&journal).await;
    assert_eq!(entry.state(), DocumentState::Prepared);
}

#[tokio::test]
async fn a_host_that_comes_back_between_two_tries_gets_the_document_once() {
    let port = dead_port();
    let connections = Arc::new(Mutex::new(None));
    let opened = Arc::clone(&connections);
    let open = move || {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is still free");
        listener.set_nonblocking(true).unwrap();
        *opened.lock().unwrap() = Some(serve(TcpListener::from_std(listener).unwrap(), issues));
    };
    let clock = Pausing::new(vec![Box::new(|| {}), Box::new(open)]);
    let (_, journal) = journal_at(&format!("http://127.0.0.1:{port}"), &clock);
    let entry = journal.issue(&invoice(1)).await.unwrap();
    assert_eq!((entry.state(), entry.control_text()), (DocumentState::Issued, Some("00-00000001")));
    assert_eq!(clock.clock.slept(), PAUSES);
    let connections = connections.lock().unwrap().take().expect("it was opened");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// Behind a handshake that never ends no request was sent, however often it is tried.
#[tokio::test]
async fn a_host_that_closes_before_the_request_was_sent_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let connections = serve(listener, |socket| async move { drop(socket) });
    let clock = Pausing::new(Vec::new());
    let (_, journal) = journal_at(&url, &clock);
    let error = journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, Outcome::NotSent), "{error}");
    assert_eq!((connections.load(Ordering::SeqCst), clock.clock.slept()), (3, PAUSES.to_vec()));
    assert_eq!(entry_of(&journal).await.state(), DocumentState::Prepared);
}

/// Once the request has left, nothing is tried again.
#[tokio::test]
async fn a_host_that_closes_after_the_request_was_sent_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = serve(listener, |mut socket| async move {
        let _ = socket.read(&mut [0; 1]).await;
    });
    let clock = Pausing::new(Vec::new());
    let (_, journal) = journal_at(&url, &clock);
    let error = journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!((connections.load(Ordering::SeqCst), clock.clock.slept()), (1, Vec::new()));
    assert_eq!(entry_of(&journal).await.state(), DocumentState::Unknown);
}
