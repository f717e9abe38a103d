//! Row 17: certificates that must not be believed, and a machine without roots. Clients take their roots from the machine, so a child
//! process has them set by the environment; the certificates stand in `tls/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use integration_core::{Error, ErrorKind, Outcome};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::SEED;
use super::clock::Virtual;
use super::kept::Told;
use super::server::{Deed, Plan, Seen, Server};
use super::subject::{Column, Op, Site, Subject};
use super::subjects;

const CHILD: &str = "FAULT_MATRIX_TLS";
/// Of a call that could not be made.
const LOGIN: &str = "a login comes before";
/// The first is the one to be believed.
pub const CERTIFICATES: [(&str, &[u8]); 5] = [
    ("a right certificate", include_bytes!("tls/good.der")),
    ("an expired certificate", include_bytes!("tls/expired.der")),
    ("a certificate of the future", include_bytes!("tls/early.der")),
    ("the certificate of another host", include_bytes!("tls/other_host.der")),
    ("the certificate of an unknown root", include_bytes!("tls/stranger.der")),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fault_matrix/tls")
}

/// How the child is told what its machine trusts.
fn run(roots: &Path) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["fault_matrix::tls::child", "--exact", "--nocapture"]);
    command.env(CHILD, "1").env("SSL_CERT_FILE", roots).env("SSL_CERT_DIR", "/nonexistent");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// One line of the child: client, operation, certificate, what the call ended in, requests that the service saw.
type Line = Vec<String>;

fn lines(text: &str) -> Vec<Line> {
    let lines = text.lines().filter_map(|line| line.split_once("tls|").map(|(_, line)| line));
    lines.map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// Each client, a read and what comes closest to a write, against each certificate; then with no roots at all.
pub async fn certificates() -> Vec<Told> {
    let both = tokio::task::spawn_blocking(|| {
        [("", run(&folder().join("ca.pem"))), (", no roots on the machine", run(Path::new("/nonexistent")))]
    });
    let mut told = Vec::new();
    for (roots, text) in both.await.unwrap() {
        let made = lines(&text).into_iter().filter(|line| line[3] != LOGIN);
        told.extend(made.map(|line| verdict(roots, &line)));
    }
    told
}

fn verdict(roots: &str, line: &[String]) -> Told {
    let [client, op, certificate, ended, requests] = line else { panic!("{line:?}") };
    let is_right = certificate == CERTIFICATES[0].0 && roots.is_empty();
    let expected = if is_right { ("well", "1") } else { ("Tls NotSent", "0") };
    let wrong = (expected != (ended.as_str(), requests.as_str()))
        .then(|| format!("instead of {expected:?}: {line:?}"));
    let subject = subjects::all().into_iter().find(|subject| subject.name() == client).unwrap();
    Told {
        subject: subject.name(),
        op: subject.operations().iter().find(|known| known.name == op).unwrap().name,
        row: 17,
        fault: format!("{certificate}{roots}"),
        figures: format!("ended {ended}, {requests} requests"),
        wrong: wrong.into_iter().collect(),
    }
}

// ----------------------------------------------------------------------------------------------------------------- the child

/// A read, and a write that may not be repeated or, without one, that is keyed.
fn chosen(subject: &dyn Subject) -> Vec<Op> {
    let all = subject.operations();
    let of = |column| {
        all.iter().find(|op| op.column == column && op.name != "log in" && op.healthy == 1 && op.helpers == 0)
    };
    [of(Column::Safe), of(Column::Once).or(of(Column::Keyed))].into_iter().flatten().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    if std::env::var(CHILD).is_err() {
        return;
    }
    for subject in subjects::all() {
        for op in chosen(subject) {
            for (at, (certificate, _)) in CERTIFICATES.iter().enumerate() {
                let (ended, requests) = call(subject, &op, at).await;
                println!("\ntls|{}|{}|{certificate}|{ended}|{requests}", subject.name(), op.name);
            }
        }
    }
}

/// What comes before the operation, such as a login, meets the right certificate; the operation itself the other one.
async fn call(subject: &'static dyn Subject, op: &Op, certificate: usize) -> (String, usize) {
    let clock = Virtual::seeded(SEED);
    let server = Server::start(Arc::new(|seen: &Seen| subject.answer(seen)), clock.clone()).await;
    let front = Front::start(server.address).await;
    let site = Site { url: front.url.clone(), clock, limit: None };
    let (name, column) = (op.name, op.column);
    let ready = tokio::spawn(async move { subject.ready(name, column, site).await });
    // On a machine without roots nothing can come before.
    let Ok(doing) = ready.await else { return (LOGIN.to_owned(), 0) };
    front.show(certificate);
    let making = Arc::new(|_: &super::server::Reply, _: &Virtual| Deed::ResetOnAccept);
    server.arm(Plan { meets: op.meets, after: 0, times: 0, helpers: 0, on_accept: false, making });
    let ended = match doing().await {
        Ok(brought) if brought == op.brings => "well".to_owned(),
        Ok(brought) => format!("well, with {brought}"),
        Err(error) => said(&error),
    };
    (ended, server.requests())
}

fn said(error: &Error) -> String {
    match (error.kind(), error.outcome()) {
        (ErrorKind::Tls, Outcome::NotSent) => "Tls NotSent".to_owned(),
        (kind, outcome) => format!("{kind:?} {outcome:?}: {error}"),
    }
}

/// What ends TLS before the fault server, with the certificate that is shown at the time.
struct Front {
    url: String,
    shown: watch::Sender<usize>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn acceptors() -> &'static [TlsAcceptor] {
    static ACCEPTORS: OnceLock<Vec<TlsAcceptor>> = OnceLock::new();
    ACCEPTORS.get_or_init(|| CERTIFICATES.iter().map(|(_, certificate)| acceptor(certificate)).collect())
}

fn acceptor(certificate: &'static [u8]) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(include_bytes!("tls/leaf.key.der").as_slice()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![CertificateDer::from(certificate)], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Front {
    async fn start(behind: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (shown, showing) = watch::channel(0);
        let accepting = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                open.spawn(pass_on(socket, behind, showing.clone()));
            }
        });
        Self { url, shown, accepting }
    }

    /// From now on this one; connections that were made with another one end.
    fn show(&self, certificate: usize) {
        self.shown.send(certificate).unwrap();
    }
}

async fn pass_on(socket: TcpStream, behind: std::net::SocketAddr, mut showing: watch::Receiver<usize>) {
    let certificate = *showing.borrow_and_update();
    let Ok(mut outer) = acceptors()[certificate].accept(socket).await else { return };
    let Ok(mut inner) = TcpStream::connect(behind).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut outer, &mut inner) => {}
        _ = showing.changed() => {}
    }
}
