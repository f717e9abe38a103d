//! The other built-in transport: hyper's own connections, driven by the call that uses them.
//!
//! The rule enforced here: **a request counts as left from the moment its first byte is handed to the socket, and not before.** Every
//! connection is a [`Wire`](wire::Wire) that notes that moment, for a request without a body too. A request that hyper gives back
//! while nothing had left goes out on the next connection, so that a kept one which the server closed costs nobody his call.
//!
//! No task of its own drives a connection: the future of the call does, and then whoever reads the answer. Dropping either hangs up. What is
//! switched off is the same as with reqwest: nothing is followed, repeated after it left, or decoded; HTTP/1.1 only.

mod arriving;
mod connect;
mod idle;
mod wire;

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Context;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use self::arriving::Arriving;
use self::connect::Way;
use self::idle::Idle;
use self::wire::{Gate, Wire};
use super::body::Body;
use super::connections::{Keeping, Prepared};
use super::outgoing::{Outgoing, Stopped, find};
use super::settings::BaseUrl;
use super::transport::{BodyStream, SendMark, Transport, TransportError, TransportErrorKind};
use super::trust::Trust;
use crate::clock::{SystemClock, within};
use crate::{BoxFuture, Error};

/// Two ways, since what is right for the far side of a proxy is wrong for this machine and its network.
#[derive(Debug)]
pub(crate) struct HyperTransport {
    connect: Duration,
    trust: Arc<Trust>,
    clock: SystemClock,
    /// For `https`: by way of the proxy that the machine names, if it names one.
    far: OnceLock<Way>,
    /// For this machine and for plain `http`: never by way of a proxy, which would read what it carries.
    near: OnceLock<Way>,
    /// Nothing where every request has a connection of its own.
    idle: Option<Arc<Idle>>,
}

impl HyperTransport {
    pub(crate) fn new(connect: Duration, keeping: Keeping, trust: Arc<Trust>) -> Self {
        let idle = (keeping == Keeping::Kept).then(Arc::default);
        let (far, near) = (OnceLock::new(), OnceLock::new());
        Self { connect, trust, clock: SystemClock::new(), far, near, idle }
    }

    fn way(&self, near: bool) -> Result<&Way, Error> {
        let cell = if near { &self.near } else { &self.far };
        if let Some(way) = cell.get() {
            return Ok(way);
        }
        let tls = Arc::new(self.trust.tls(near)?);
        let way = if near { Way::straight(tls, self.connect) } else { Way::by_proxy(tls, self.connect) };
        Ok(cell.get_or_init(|| way))
    }

    /// A connection made for this request.
    async fn made(&self, uri: &Uri) -> Result<Box<Conn>, TransportError> {
        let origin = Origin::of(uri).ok_or_else(no_address)?;
        let way = self.way(BaseUrl::is_near_uri(uri)).map_err(|cause| {
            TransportError::new(TransportErrorKind::Tls, "the HTTP client cannot be set up")
                .with_source(cause)
        })?;
        let connected = within(&self.clock, self.connect, way.connect(uri)).await;
        Conn::new(connected.unwrap_or_else(|| Err(late()))?, origin).await
    }

    async fn exchange(
        &self,
        uri: &Uri,
        mut request: Request<Outgoing>,
        mark: &SendMark,
    ) -> Result<Response<BodyStream>, TransportError> {
        loop {
            let kept = self.idle.as_ref().and_then(|idle| idle.take(uri));
            let reused = kept.is_some();
            let mut conn = match kept {
                Some(kept) => kept,
                None => self.made(uri).await?,
            };
            request.headers_mut().insert(header::HOST, conn.origin.host.clone());
            match conn.exchange(request, mark, reused).await {
                Ok(answer) => return Ok(Arriving::answer(answer, conn, self.idle.as_ref())),
                // A connection just made that takes no request is a fault worth telling.
                Err(Lost { request: Some(given_back), .. }) if reused && mark.nothing_left() => {
                    request = given_back;
                }
                Err(lost) => return Err(translate(lost.cause)),
            }
        }
    }
}

impl Prepared for HyperTransport {
    fn prepare(&self, near: bool) -> Result<(), Error> {
        self.way(near).map(drop)
    }
}

impl Transport for HyperTransport {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<BodyStream>, TransportError>> {
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let mark = body.mark();
            mark.tracks();
            let outgoing = Outgoing::of(&body).await?;
            let path = head.uri.path_and_query().cloned();
            let path = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
            let uri = std::mem::replace(&mut head.uri, path);
            self.exchange(&uri, Request::from_parts(head, outgoing), &mark).await
        })
    }
}

/// Whom a connection was made to.
struct Origin {
    secured: bool,
    authority: Authority,
    host: HeaderValue,
}

impl Origin {
    /// Nothing of an address that carries credentials: they would end up in a header that nobody keeps secret.
    fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let secured = is_secured(uri);
        let usual = if secured { 443 } else { 80 };
        let host = match authority.port_u16() {
            Some(port) if port != usual => authority.as_str(),
            _ => authority.host(),
        };
        let host = HeaderValue::from_str(host).ok()?;
        Some(Self { secured, authority: authority.clone(), host })
    }

    fn is_of(&self, uri: &Uri) -> bool {
        self.secured == is_secured(uri) && uri.authority() == Some(&self.authority)
    }
}

fn is_secured(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

type Connection = http1::Connection<TokioIo<Wire>, Outgoing>;

/// One connection: what hands hyper a request, and what moves its bytes.
struct Conn {
    sender: SendRequest<Outgoing>,
    /// Nothing once it is over.
    moving: Option<Connection>,
    gate: Arc<Gate>,
    origin: Origin,
    /// When it was put aside, of the pool's clock.
    since: Duration,
}

/// Why there is no answer, and the request if hyper did not begin it.
struct Lost {
    cause: hyper::Error,
    request: Option<Request<Outgoing>>,
}

impl Conn {
    async fn new(wire: Wire, origin: Origin) -> Result<Box<Self>, TransportError> {
        let gate = wire.gate();
        let (sender, moving) = http1::handshake(TokioIo::new(wire)).await.map_err(translate)?;
        Ok(Box::new(Self { sender, moving: Some(moving), gate, origin, since: Duration::ZERO }))
    }

    async fn exchange(
        &mut self,
        request: Request<Outgoing>,
        mark: &SendMark,
        reused: bool,
    ) -> Result<Response<Incoming>, Lost> {
        self.gate.expect(mark, reused);
        let mut answer = pin!(self.sender.try_send_request(request));
        let moving = &mut self.moving;
        let gate = &self.gate;
        let answered = poll_fn(|context| {
            drive(moving, gate, context);
            answer.as_mut().poll(context)
        });
        answered.await.map_err(|mut error| Lost { request: error.take_message(), cause: error.into_error() })
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.moving, &self.gate, context);
    }

    /// Whether it takes another request.
    fn is_free(&mut self, context: &mut Context<'_>) -> bool {
        if !self.sender.is_ready() {
            self.drive(context);
        }
        self.moving.is_some() && self.sender.is_ready()
    }
}

/// Moves what can be moved. A connection that is over is dropped at once: only then hyper gives back what it had not begun.
fn drive(moving: &mut Option<Connection>, gate: &Gate, context: &mut Context<'_>) {
    let Some(connection) = moving else { return };
    // Its error is that of the answer, or of the body, or nobody's.
    if Pin::new(connection).poll(context).is_ready() || gate.is_stale() {
        *moving = None;
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("to", &self.origin.authority).finish_non_exhaustive()
    }
}

fn no_address() -> TransportError {
    TransportError::new(TransportErrorKind::Connect, "the request cannot be built")
}

fn late() -> TransportError {
    TransportError::new(TransportErrorKind::Connect, "the connection was not established in time")
}

fn translate(cause: hyper::Error) -> TransportError {
    if let Some(Stopped::Body(error)) = find::<Stopped>(&cause) {
        return TransportError::new(TransportErrorKind::Body, error.to_string()).with_source(error.clone());
    }
    let message = "the connection broke before the answer was complete";
    TransportError::new(TransportErrorKind::Interrupted, message).with_source(cause)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers everything over kept connections, its address, and how many connections it saw.
    async fn server() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let connections = Arc::<AtomicUsize>::default();
        let seen = connections.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                seen.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while socket.read(&mut buffer).await.unwrap_or(0) > 0 {
                        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                    }
                });
            }
        });
        (url, connections)
    }

    async fn ask(transport: &HyperTransport, url: &str) {
        let request = Request::get(url).body(Body::default()).unwrap();
        let mut body = transport.send(request).await.unwrap().into_body();
        while let Some(piece) = poll_fn(|context| body.as_mut().poll_next(context)).await {
            assert_eq!(piece.unwrap(), "{}");
        }
    }

    fn transport(limit: Duration) -> HyperTransport {
        let transport = HyperTransport::new(Duration::from_secs(5), Keeping::Kept, Arc::default());
        HyperTransport { idle: Some(Arc::new(Idle::keeping(limit))), ..transport }
    }

    #[tokio::test]
    async fn a_connection_that_waited_too_long_is_not_used_again() {
        for (limit, expected) in [(Duration::from_secs(60), 1), (Duration::ZERO, 3)] {
            let (url, connections) = server().await;
            let transport = transport(limit);
            for _ in 0..3 {
                ask(&transport, &url).await;
            }
            assert_eq!(connections.load(Ordering::SeqCst), expected, "{limit:?}");
        }
    }

    #[tokio::test]
    async fn what_has_waited_too_long_is_closed_and_the_watch_ends() {
        let (url, _) = server().await;
        for (limit, goes_on) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
            let transport = transport(limit);
            ask(&transport, &url).await;
            assert_eq!(transport.idle.as_ref().unwrap().close_expired(), goes_on);
        }
    }

    #[test]
    fn the_host_is_named_with_its_port_unless_it_is_the_usual_one() {
        let host = |uri: &'static str| {
            Origin::of(&Uri::from_static(uri)).map(|origin| origin.host.to_str().unwrap().to_owned())
        };
        for (uri, expected) in [
            ("https://a.example.com/x", "a.example.com"),
            ("https://a.example.com:443/x", "a.example.com"),
            ("https://a.example.com:8443/x", "a.example.com:8443"),
            ("http://127.0.0.1:80/", "127.0.0.1"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(host(uri).as_deref(), Some(expected), "{uri}");
        }
        assert_eq!(host("https://user:pass@a.example.com/"), None);
        assert_eq!(host("/x"), None);
    }

    #[test]
    fn another_scheme_port_or_host_is_another_origin() {
        let origin = Origin::of(&Uri::from_static("https://a.example.com/x")).unwrap();
        for (uri, same) in [
            ("https://A.example.com/y?z=1", true),
            ("http://a.example.com/x", false),
            ("https://a.example.com:8443/x", false),
            ("https://b.example.com/x", false),
        ] {
            assert_eq!(origin.is_of(&Uri::from_static(uri)), same, "{uri}");
        }
    }
}
