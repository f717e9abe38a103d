//! The fault server: plain TCP, no HTTP library, so that every byte and every reset is ours. It counts what it was asked and what it
//! did: **executed** is a request whose whole body arrived and which was acted on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_core::clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::clock::{Virtual, breathe};

/// Of a body, so much is kept.
const KEPT: usize = 64 * 1024;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub head: String,
    /// The beginning of the body.
    pub body: Vec<u8>,
    pub length: u64,
    pub connection: usize,
}

impl Seen {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.replace('+', " ").replace("%20", " ").replace("%3E", ">"))
    }
}

/// The healthy answer to a request.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(body: impl Into<String>) -> Self {
        Self { status: 200, content_type: "application/json", body: body.into().into_bytes() }
    }

    pub fn file(body: &[u8]) -> Self {
        Self { status: 200, content_type: "application/pdf", body: body.to_vec() }
    }

    /// As it goes over the wire, with more headers.
    pub fn bytes(&self, headers: &str) -> Vec<u8> {
        let Self { status, content_type, body } = self;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: {content_type}\r\n{headers}content-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }
}

/// What becomes of a connection after something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Keep,
    Close,
    Reset,
    /// Nothing more, for ever.
    Hang,
    /// One byte a second, for ever.
    Drip,
    /// As much as the client takes, up to 512 MiB, in chunks.
    Flood,
    /// So many MiB, one each second.
    Slowly(u64),
    /// The same few bytes, for ever.
    Again,
    /// These as well, and then as before.
    More(&'static [u8]),
    /// Kept, and closed by the server after so long without a request.
    Idle(Duration),
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Closes with RST before a byte was read; it is done to a connection, not to a request.
    ResetOnAccept,
    /// Reads the head and resets.
    ResetAfterHead,
    /// Reads all of it.
    Read { acts: bool, says: Vec<u8>, then: Then },
}

pub type Making = Arc<dyn Fn(&Reply, &Virtual) -> Deed + Send + Sync>;

/// What is to be done to which requests.
#[derive(Clone)]
pub struct Plan {
    /// The requests that the fault is for.
    pub meets: fn(&Seen) -> bool,
    /// So many of them are answered before.
    pub after: usize,
    pub times: usize,
    /// So many other requests come before the fault of an accept.
    pub helpers: usize,
    pub on_accept: bool,
    pub making: Making,
}

/// What happened at the server since the plan was made.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
    executed: AtomicUsize,
    helpers: AtomicUsize,
    faults: AtomicUsize,
    flooded: AtomicU64,
}

type Answering = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

struct Shared {
    answer: Answering,
    clock: Virtual,
    plan: Mutex<Option<Plan>>,
    counts: Mutex<Arc<Counts>>,
    /// The bodies that were acted on.
    bodies: Mutex<Vec<Vec<u8>>>,
    heads: Mutex<Vec<String>>,
}

pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    /// Keeps the port from being given to somebody else when nobody listens.
    held: Option<TcpSocket>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    pub async fn start(answer: Answering, clock: Virtual) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer,
            clock,
            plan: Mutex::default(),
            counts: Mutex::default(),
            bodies: Mutex::default(),
            heads: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared, accepting, held: None }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on this is done, and counting begins anew.
    pub fn arm(&self, plan: Plan) {
        *self.shared.plan.lock().unwrap() = Some(plan);
        *self.shared.counts.lock().unwrap() = Arc::default();
        self.shared.bodies.lock().unwrap().clear();
        self.shared.heads.lock().unwrap().clear();
    }

    /// Nobody listens any more.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        while !self.accepting.is_finished() {
            breathe().await;
        }
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        self.held = Some(socket);
    }

    fn count(&self) -> Arc<Counts> {
        self.shared.counts.lock().unwrap().clone()
    }

    /// Requests that the fault is for whose head was read.
    pub fn requests(&self) -> usize {
        self.count().requests.load(Ordering::SeqCst)
    }

    pub fn executed(&self) -> usize {
        self.count().executed.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.count().connections.load(Ordering::SeqCst)
    }

    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.shared.bodies.lock().unwrap().clone()
    }

    /// The heads of the requests that the fault is for.
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let counts = shared.counts.lock().unwrap().clone();
        let number = counts.connections.fetch_add(1, Ordering::SeqCst);
        if resets(&shared, &counts) {
            _ = socket.set_zero_linger();
            continue;
        }
        open.spawn(serve(shared.clone(), socket, number));
    }
}

/// Whether this connection meets the fault of an accept.
fn resets(shared: &Shared, counts: &Counts) -> bool {
    let plan = shared.plan.lock().unwrap();
    let Some(plan) = plan.as_ref().filter(|plan| plan.on_accept) else { return false };
    let asked = counts.requests.load(Ordering::SeqCst) >= plan.after
        && counts.helpers.load(Ordering::SeqCst) >= plan.helpers;
    asked && counts.faults.fetch_add(1, Ordering::SeqCst) < plan.times
}

/// What a request meets.
fn deed(shared: &Shared, counts: &Counts) -> Option<Making> {
    let plan = shared.plan.lock().unwrap();
    let plan = plan.as_ref().filter(|plan| !plan.on_accept)?;
    if counts.requests.load(Ordering::SeqCst) <= plan.after {
        return None;
    }
    (counts.faults.fetch_add(1, Ordering::SeqCst) < plan.times).then(|| plan.making.clone())
}

/// Whether the next request has to come on a connection of its own to meet the fault.
fn waits_for_accept(shared: &Shared) -> bool {
    shared.plan.lock().unwrap().as_ref().is_some_and(|plan| plan.on_accept)
}

fn is_met(shared: &Shared, seen: &Seen) -> Option<bool> {
    shared.plan.lock().unwrap().as_ref().map(|plan| (plan.meets)(seen))
}

async fn serve(shared: Arc<Shared>, mut socket: TcpStream, connection: usize) -> Option<()> {
    let mut rest = Vec::new();
    loop {
        let mut seen = head(&mut socket, &mut rest).await?;
        seen.connection = connection;
        let counts = shared.counts.lock().unwrap().clone();
        let met = is_met(&shared, &seen) == Some(true);
        let mut making = None;
        if met {
            counts.requests.fetch_add(1, Ordering::SeqCst);
            shared.heads.lock().unwrap().push(seen.head.clone());
            making = deed(&shared, &counts);
        } else {
            counts.helpers.fetch_add(1, Ordering::SeqCst);
        }
        let done = making.map(|making| making(&(shared.answer)(&seen), &shared.clock));
        if let Some(Deed::ResetAfterHead) = done {
            return socket.set_zero_linger().ok();
        }
        body(&mut socket, &mut rest, &mut seen).await?;
        let reply = (shared.answer)(&seen);
        let (acts, says, then) = match done {
            Some(Deed::Read { acts, says, then }) => (acts, says, then),
            // So that the request which is to meet a fault comes on a connection of its own.
            _ if !met => (false, reply.bytes("connection: close\r\n"), Then::Close),
            _ if waits_for_accept(&shared) => (true, reply.bytes("connection: close\r\n"), Then::Close),
            _ => (true, reply.bytes(""), Then::Keep),
        };
        if acts {
            counts.executed.fetch_add(1, Ordering::SeqCst);
            shared.bodies.lock().unwrap().push(seen.body.clone());
        }
        socket.write_all(&says).await.ok()?;
        match then {
            Then::Keep => {}
            // Also what still waits to be read must not turn the end into a reset.
            Then::Close => return socket.shutdown().await.ok(),
            Then::Reset => {
                // What was said is to arrive before the reset does.
                breathe().await;
                return socket.set_zero_linger().ok();
            }
            Then::Hang => return hang(&shared.clock, socket).await,
            Then::Drip => return drip(&shared.clock, socket).await,
            Then::Flood => return flood(&counts, socket).await,
            Then::More(bytes) => socket.write_all(bytes).await.ok()?,
            Then::Idle(limit) => tokio::select! {
                _ = socket.readable() => {}
                () = SystemClock::new().sleep(limit) => return socket.shutdown().await.ok(),
            },
            Then::Slowly(mebibytes) => slowly(&shared.clock, &mut socket, mebibytes).await?,
            Then::Again => return again(&shared.clock, &counts, socket, &says).await,
        }
    }
}

async fn more(socket: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    (socket.read_buf(read).await.ok()? > 0).then_some(())
}

async fn head(socket: &mut TcpStream, rest: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        more(socket, rest).await?;
    };
    let head = String::from_utf8_lossy(&rest[..end]).into_owned();
    rest.drain(..end + 4);
    let mut words = head.lines().next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Seen { method, target, head, ..Seen::default() })
}

pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

async fn body(socket: &mut TcpStream, rest: &mut Vec<u8>, seen: &mut Seen) -> Option<()> {
    if header(&seen.head, "transfer-encoding").is_some() {
        return chunks(socket, rest, seen).await;
    }
    let length: u64 = header(&seen.head, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut left = length;
    loop {
        let take = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        keep(seen, &rest[..take]);
        rest.drain(..take);
        left -= take as u64;
        if left == 0 {
            return Some(());
        }
        more(socket, rest).await?;
    }
}

fn keep(seen: &mut Seen, piece: &[u8]) {
    seen.length += piece.len() as u64;
    let room = KEPT.saturating_sub(seen.body.len()).min(piece.len());
    seen.body.extend_from_slice(&piece[..room]);
}

async fn chunks(socket: &mut TcpStream, rest: &mut Vec<u8>, seen: &mut Seen) -> Option<()> {
    loop {
        let end = loop {
            if let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
                break end;
            }
            more(socket, rest).await?;
        };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.trim(), 16).ok()?;
        while rest.len() < end + 4 + size {
            more(socket, rest).await?;
        }
        let piece = rest[end + 2..end + 2 + size].to_vec();
        keep(seen, &piece);
        rest.drain(..end + 4 + size);
        if size == 0 {
            return Some(());
        }
    }
}

/// Whether the client is still there, asked without waiting.
fn is_there(socket: &TcpStream) -> bool {
    !matches!(socket.try_read(&mut [0; 64]), Ok(0)) && socket.take_error().is_ok_and(|error| error.is_none())
}

async fn hang(clock: &Virtual, socket: TcpStream) -> Option<()> {
    // What was said before arrives first.
    breathe().await;
    while is_there(&socket) {
        clock.strike();
        breathe().await;
    }
    None
}

async fn drip(clock: &Virtual, mut socket: TcpStream) -> Option<()> {
    while is_there(&socket) {
        socket.write_all(b" ").await.ok()?;
        breathe().await;
        clock.pass(Duration::from_secs(1)).await;
    }
    None
}

const MEBIBYTE: usize = 1024 * 1024;

async fn slowly(clock: &Virtual, socket: &mut TcpStream, mebibytes: u64) -> Option<()> {
    let piece = vec![b'x'; MEBIBYTE];
    for _ in 0..mebibytes {
        socket.write_all(&piece).await.ok()?;
        breathe().await;
        clock.pass(Duration::from_secs(1)).await;
    }
    Some(())
}

async fn flood(counts: &Counts, mut socket: TcpStream) -> Option<()> {
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    while counts.flooded.load(Ordering::SeqCst) < 512 * MEBIBYTE as u64 {
        socket.write_all(&chunk).await.ok()?;
        counts.flooded.fetch_add(chunk.len() as u64, Ordering::SeqCst);
    }
    None
}

async fn again(clock: &Virtual, counts: &Counts, mut socket: TcpStream, says: &[u8]) -> Option<()> {
    let many = says.repeat(64);
    while is_there(&socket) {
        // Without a reader the buffers are full at some time; then the limits strike.
        let written = tokio::select! {
            written = socket.write_all(&many) => written,
            () = SystemClock::new().sleep(Duration::from_millis(20)) => { clock.strike(); Ok(()) }
        };
        written.ok()?;
        counts.flooded.fetch_add(many.len() as u64, Ordering::SeqCst);
        clock.pass(Duration::from_millis(100)).await;
    }
    None
}

/// Another host, to which nothing may go: it answers well, and keeps everything that it hears.
pub struct Elsewhere {
    pub address: SocketAddr,
    pub heard: Arc<Mutex<Vec<u8>>>,
    pub connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Elsewhere {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, connections) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<AtomicUsize>::default());
        let (hearing, counting) = (heard.clone(), connections.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                counting.fetch_add(1, Ordering::SeqCst);
                let hearing = hearing.clone();
                tokio::spawn(async move {
                    let mut piece = [0; 4096];
                    while let Ok(length @ 1..) = socket.read(&mut piece).await {
                        hearing.lock().unwrap().extend_from_slice(&piece[..length]);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                        _ = socket.write_all(answer).await;
                    }
                });
            }
        });
        Self { address, heard, connections, accepting }
    }
}
