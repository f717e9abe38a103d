//! Sockets: listening on loopback, refusing, and ending connections in ways a web framework hides.
//!
//! Each connection is served by hyper until a handler asks for a [`Cut`]; then the bare socket is taken back,
//! the last bytes are written by hand and the connection is reset or closed. Only 127.0.0.1 is ever bound.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::answer::{Answer, Cut, End, Outcome};
use crate::clock;
use crate::error::Error;
use crate::payload::{Payload, Streamed};
use crate::tape::{self, Tape, Tapped, Watch};

/// A request whose body is still on the socket.
pub(crate) type Request = http::Request<Tapped>;

/// A simulated service, seen from the socket.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Whether the connection that was just accepted is to be reset at once.
    fn resets_connection(&self) -> bool {
        false
    }

    /// Answers one request.
    fn handle(self: Arc<Self>, request: Request) -> impl Future<Output = Outcome> + Send;
}

/// A bound port that nobody serves yet.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    door: Door,
    orders: mpsc::Receiver<Order>,
    watch: Option<Watch>,
}

/// Binds a port of 127.0.0.1; 0 takes any free one.
pub(crate) async fn bind(port: u16) -> Result<Bound, Error> {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let failed = |source| Error::Bind { address: wanted, source };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (sender, orders) = mpsc::channel(8);
    Ok(Bound { listener, address, door: Door { orders: sender, shut: Arc::default() }, orders, watch: None })
}

impl Bound {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn door(&self) -> Door {
        self.door.clone()
    }

    /// What is served here is written on this tape, under this name.
    pub(crate) fn watched(mut self, tape: &Arc<Tape>, service: &'static str) -> Self {
        self.watch = Some(Watch { tape: Arc::clone(tape), service });
        self
    }

    /// Serves until the returned guard is dropped.
    pub(crate) fn serve<H: Handler>(self, handler: Arc<H>) -> Running {
        let gate = Gate::Open(self.listener);
        let site = Site { handler, watch: self.watch };
        Running(tokio::spawn(accept_loop(gate, self.address, self.orders, Arc::new(site))))
    }
}

/// A served port; dropping it ends the listener and every connection.
#[derive(Debug)]
pub(crate) struct Running(JoinHandle<()>);

impl Running {
    /// Runs something else that belongs to a service, until the guard is dropped.
    pub(crate) fn beside(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens and closes a served port.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    orders: mpsc::Sender<Order>,
    shut: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Order {
    open: bool,
    done: oneshot::Sender<io::Result<()>>,
}

impl Door {
    /// Lets connections in (`true`) or has them refused; returns once it is so.
    pub(crate) async fn set_open(&self, open: bool) -> Result<(), Error> {
        let (done, outcome) = oneshot::channel();
        self.orders.send(Order { open, done }).await.map_err(|_| Error::Stopped)?;
        outcome.await.map_err(|_| Error::Stopped)?.map_err(Error::Socket)?;
        self.shut.store(!open, Ordering::SeqCst);
        Ok(())
    }

    /// Whether connections are let in, as it was ordered last.
    pub(crate) fn is_open(&self) -> bool {
        !self.shut.load(Ordering::SeqCst)
    }
}

/// The port while connections are let in, or while they are refused.
///
/// A refusing port stays bound without listening: the kernel answers connects with a reset, and no other
/// program, nor a client's own source port, can take it meanwhile.
enum Gate {
    Open(TcpListener),
    Shut(TcpSocket),
    /// Between the two, or after the system refused one: refuses as well.
    Gone,
}

impl Gate {
    async fn accept(&self) -> TcpStream {
        let Self::Open(listener) = self else { return std::future::pending().await };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return stream,
                // Out of file descriptors, or a client that left the queue: neither ends the service.
                Err(error) => tracing::warn!(%error, "accept"),
            }
            clock::sleep(Duration::from_millis(5)).await;
        }
    }

    fn set_open(&mut self, open: bool, address: SocketAddr) -> io::Result<()> {
        match (open, std::mem::replace(self, Self::Gone)) {
            (true, Self::Open(listener)) => *self = Self::Open(listener),
            (true, Self::Shut(socket)) => *self = Self::Open(listen(socket)?),
            (true, Self::Gone) => *self = Self::Open(listen(hold(address)?)?),
            (false, Self::Shut(socket)) => *self = Self::Shut(socket),
            (false, listening) => {
                drop(listening);
                *self = Self::Shut(hold(address)?);
            }
        }
        Ok(())
    }
}

/// Binds without listening.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of the previous listener may linger in TIME_WAIT on this port…
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // … but while it is held, nobody else who allows reuse may be given it as a free one.
    socket.set_reuseaddr(false)?;
    Ok(socket)
}

fn listen(held: TcpSocket) -> io::Result<TcpListener> {
    held.set_reuseaddr(true)?;
    held.listen(1024)
}

/// What is served on one port, and where that is written down.
struct Site<H> {
    handler: Arc<H>,
    watch: Option<Watch>,
}

/// Everything alive on one port.
struct Connections {
    tasks: JoinSet<()>,
    /// Counts the closings of the door; connections opened before one finish their request and end.
    closings: watch::Sender<u64>,
}

impl Connections {
    /// Ends idle connections, so that a pooled one cannot slip past a shut door; requests in flight go on.
    async fn close_idle(&mut self) {
        self.closings.send_modify(|count| *count += 1);
        let tasks = &mut self.tasks;
        let all = async { while tasks.join_next().await.is_some() {} };
        clock::within(Duration::from_millis(20), all).await;
    }
}

async fn accept_loop<H: Handler>(
    mut gate: Gate,
    address: SocketAddr,
    mut orders: mpsc::Receiver<Order>,
    site: Arc<Site<H>>,
) {
    let mut connections = Connections { tasks: JoinSet::new(), closings: watch::Sender::new(0) };
    loop {
        tokio::select! {
            Some(Order { open, done }) = orders.recv() => {
                let outcome = gate.set_open(open, address);
                if !open {
                    connections.close_idle().await;
                }
                // Nobody waits for the outcome any more if this fails.
                let _ = done.send(outcome);
            }
            stream = gate.accept() => admit(stream, &site, &mut connections),
            Some(_) = connections.tasks.join_next() => {}
        }
    }
}

fn admit<H: Handler>(stream: TcpStream, site: &Arc<Site<H>>, connections: &mut Connections) {
    if site.handler.resets_connection() {
        site.watch.iter().for_each(Watch::reset_on_accept);
        return reset(stream);
    }
    // Small answers must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let closings = connections.closings.subscribe();
    connections.tasks.spawn(converse(stream, Arc::clone(site), closings));
}

/// Serves one connection until it ends or a handler asks for a cut.
async fn converse<H: Handler>(stream: TcpStream, site: Arc<Site<H>>, mut closings: watch::Receiver<u64>) {
    let (sender, mut cuts) = mpsc::channel(1);
    let service = service_fn(move |request| boxed(respond(Arc::clone(&site), request, sender.clone())));
    let mut builder = http1::Builder::new();
    // A client may take all the time it wants: its timeouts are what is being tested.
    builder.header_read_timeout(None);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let cut = loop {
        tokio::select! {
            biased;
            Some(cut) = cuts.recv() => break cut,
            _ = &mut connection => return,
            Ok(()) = closings.changed() => Pin::new(&mut connection).graceful_shutdown(),
        }
    };
    finish(connection.into_parts().io.into_inner(), cut).await;
}

/// Boxed so that the connection can be moved, which is what gives the socket back.
fn boxed<F: Future + Send + 'static>(future: F) -> Pin<Box<dyn Future<Output = F::Output> + Send>> {
    Box::pin(future)
}

async fn respond<H: Handler>(
    site: Arc<Site<H>>,
    request: http::Request<Incoming>,
    cuts: mpsc::Sender<Cut>,
) -> Result<Response<Streamed>, Infallible> {
    let (head, body) = request.into_parts();
    let ticket = site.watch.as_ref().map(|watch| watch.begin(&head));
    let notes = ticket.as_ref().map(tape::Ticket::notes);
    let request = tape::tapped(http::Request::from_parts(head, body), notes);
    let outcome = Arc::clone(&site.handler).handle(request).await;
    ticket.into_iter().for_each(|ticket| ticket.end(&outcome));
    match outcome {
        Outcome::Answer(answer) => return Ok(response(answer)),
        Outcome::Live(response) => return Ok(response.map(Streamed::Live)),
        Outcome::Cut(cut) => {
            // The connection's own task is on the other side and outlives this future.
            let _ = cuts.send(cut).await;
        }
        Outcome::Silence => {}
    }
    std::future::pending().await
}

fn response(answer: Answer) -> Response<Streamed> {
    let mut response = Response::new(Streamed::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    for (name, text) in answer.headers {
        headers.extend(HeaderValue::try_from(text).ok().map(|value| (name, value)));
    }
    response
}

/// Writes the last bytes and ends the connection. The peer may be gone: there is nobody left to tell.
async fn finish(mut stream: TcpStream, cut: Cut) {
    let written = write_all(&mut stream, cut.bytes, cut.body, cut.padding).await;
    match cut.end {
        End::Reset => reset(stream),
        End::Close if written.is_ok() => {
            let _ = stream.shutdown().await;
        }
        End::Close => {}
        End::Hold => wait_for_end(stream).await,
    }
}

/// Keeps a silent connection open until the client gives up.
async fn wait_for_end(mut stream: TcpStream) {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}

async fn write_all(stream: &mut TcpStream, head: Vec<u8>, body: Payload, padding: u64) -> io::Result<()> {
    static SPACES: [u8; 65_536] = [b' '; 65_536];
    stream.write_all(&head).await?;
    for chunk in body.chunks() {
        stream.write_all(&chunk?).await?;
    }
    let mut left = padding;
    while left > 0 {
        let next = usize::try_from(left).unwrap_or(usize::MAX).min(SPACES.len());
        stream.write_all(SPACES.get(..next).unwrap_or_default()).await?;
        left = left.saturating_sub(next as u64);
    }
    Ok(())
}

/// With a linger time of zero, closing sends RST instead of FIN.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}
