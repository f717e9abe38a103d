//! The default transport, the only file that knows reqwest.
//!
//! What it switches off is the point of it: no redirect is followed (credentials would travel), nothing is repeated
//! (the library cannot know what may be), no content encoding is decoded even if another crate of the program switches the
//! feature on (a bomb would unpack past the size limit), HTTP/1.1 only (one exchange per connection, so that "did it
//! leave" has an answer).

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Frame, SizeHint};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;
use url::Url;

use super::body::Body;
use super::settings::BaseUrl;
use super::transport::{BodyStream, OwnConnection, SendMark, Transport, TransportError, TransportErrorKind};
use crate::{BoxFuture, Error};

/// Whether connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Every request on a connection of its own: a kept one may be closing just as the request goes out, and then
    /// nobody knows whether it arrived.
    Fresh,
    /// Kept below the keep-alive times of common servers.
    Kept,
}

const IDLE: Duration = Duration::from_secs(15);

/// Connections that several clients share, of whatever services. Cheap to clone; all clones are the same connections.
///
/// Setting up what makes connections takes milliseconds, most of them for reading the machine's root certificates; clients that share
/// it pay for that once. What must have a connection of its own ([`OwnConnection`](super::transport::OwnConnection)) still gets
/// it. No connection is used for another host than the one it was made to, and no credential is shared.
///
/// ```
/// use std::time::Duration;
/// use integration_core::call::{BaseUrl, Caller, Connections};
///
/// let connections = Connections::new(Duration::from_secs(10));
/// let one = Caller::builder(BaseUrl::parse("https://one.example.com")?).connections(&connections).build()?;
/// let two = Caller::builder(BaseUrl::parse("https://two.example.com")?).connections(&connections).build()?;
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Connections(Arc<[ReqwestTransport; 2]>);

impl Connections {
    /// Connections that are made within `connect`, TLS included, whatever the clients that share them say about it.
    #[must_use]
    pub fn new(connect: Duration) -> Self {
        let trust = Arc::default();
        let transport = |keeping| ReqwestTransport::new(connect, keeping, Arc::clone(&trust));
        Self(Arc::new([transport(Keeping::Kept), transport(Keeping::Fresh)]))
    }

    /// The client that `base` needs is set up at once, so that what is wrong with this machine shows now.
    pub(crate) fn transport(&self, base: &BaseUrl, keeping: Keeping) -> Result<Arc<dyn Transport>, Error> {
        let shared = Shared { connections: self.clone(), keeping };
        shared.transport(keeping).client(base.is_near())?;
        Ok(Arc::new(shared))
    }
}

/// One way of using shared connections.
#[derive(Debug)]
struct Shared {
    connections: Connections,
    keeping: Keeping,
}

impl Shared {
    fn transport(&self, keeping: Keeping) -> &ReqwestTransport {
        let [kept, fresh] = &*self.connections.0;
        match keeping {
            Keeping::Kept => kept,
            Keeping::Fresh => fresh,
        }
    }

    fn keeping_of(&self, request: &http::Request<Body>) -> Keeping {
        if request.extensions().get::<OwnConnection>().is_some() { Keeping::Fresh } else { self.keeping }
    }
}

impl Transport for Shared {
    fn send(
        &self,
        request: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>> {
        self.transport(self.keeping_of(&request)).send(request)
    }
}

/// What certificates are checked by, once it was needed: far and near.
type Trust = [OnceLock<ClientConfig>; 2];

/// Two clients, since what is right for the far side of a proxy is wrong for this machine and its network.
#[derive(Debug)]
struct ReqwestTransport {
    connect: Duration,
    keeping: Keeping,
    trust: Arc<Trust>,
    /// For `https`: by way of the proxy that the machine names, if it names one.
    far: OnceLock<reqwest::Client>,
    /// For this machine and for plain `http`: never by way of a proxy, which would read what it carries.
    near: OnceLock<reqwest::Client>,
}

impl ReqwestTransport {
    fn new(connect: Duration, keeping: Keeping, trust: Arc<Trust>) -> Self {
        let (far, near) = (OnceLock::new(), OnceLock::new());
        Self { connect, keeping, trust, far, near }
    }

    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, TransportError> {
        self.client(BaseUrl::is_near_url(url)).map_err(|cause| {
            TransportError::new(TransportErrorKind::Tls, "the HTTP client cannot be set up")
                .with_source(cause)
        })
    }

    fn client(&self, near: bool) -> Result<&reqwest::Client, Error> {
        let cell = if near { &self.near } else { &self.far };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = self.set_up(near)?;
        Ok(cell.get_or_init(|| client))
    }

    fn tls(&self, near: bool) -> Result<ClientConfig, Error> {
        let [far_trust, near_trust] = &*self.trust;
        let cell = if near { near_trust } else { far_trust };
        if let Some(config) = cell.get() {
            return Ok(config.clone());
        }
        let config = tls(near)?;
        Ok(cell.get_or_init(|| config).clone())
    }

    fn set_up(&self, near: bool) -> Result<reqwest::Client, Error> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls(near)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_only()
            .connect_timeout(self.connect)
            .pool_idle_timeout(IDLE);
        if self.keeping == Keeping::Fresh {
            builder = builder.pool_max_idle_per_host(0);
        }
        if near {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|cause| {
            Error::configuration("the HTTP client cannot be set up", "see the cause")
                .with_source(cause.without_url())
        })
    }
}

/// The crypto provider is named here, so that a program that links two of them, or none, does not panic.
fn tls(near: bool) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| tls_setup("no usable TLS versions", cause))?;
    if near {
        // A machine without root certificates must still reach its own sandbox.
        let platform = builder.clone().with_platform_verifier();
        return Ok(match platform {
            Ok(verified) => verified.with_no_client_auth(),
            Err(_) => builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
        });
    }
    let verified = builder
        .with_platform_verifier()
        .map_err(|cause| tls_setup("the machine's root certificates cannot be read", cause))?;
    Ok(verified.with_no_client_auth())
}

fn tls_setup(message: &'static str, cause: rustls::Error) -> Error {
    Error::configuration(message, "install the system's root certificates (package ca-certificates)")
        .with_source(cause)
}

impl Transport for ReqwestTransport {
    fn send(
        &self,
        request: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>> {
        Box::pin(async move {
            let url = url(request.uri())?;
            let client = self.client_for(&url)?;
            let (head, body) = request.into_parts();
            let mut request = reqwest::Request::new(head.method, url);
            *request.headers_mut() = head.headers;
            *request.body_mut() = marked(&body).await?;
            client.execute(request).await.map(answer).map_err(translate)
        })
    }
}

/// The library wants its own form of an address.
fn url(uri: &http::Uri) -> Result<Url, TransportError> {
    let longest = uri.path().len() + uri.query().map_or(0, str::len) + 300;
    let mut text = String::with_capacity(longest);
    // Writing to a text does not fail.
    let _ = write!(text, "{uri}");
    // The text stays out of the error, since it could show what must not be shown; the reader's own message does not show it.
    Url::parse(&text).map_err(|cause| {
        TransportError::new(TransportErrorKind::Connect, "the request cannot be built").with_source(cause)
    })
}

/// Taken apart by hand, since the library's own conversion boxes the body once more.
fn answer(mut response: reqwest::Response) -> http::Response<BodyStream> {
    let (status, version) = (response.status(), response.version());
    let headers = std::mem::take(response.headers_mut());
    let mut answer = http::Response::new(Box::pin(Chunks(response)) as BodyStream);
    (*answer.status_mut(), *answer.version_mut(), *answer.headers_mut()) = (status, version, headers);
    answer
}

/// The body as the library takes it, nothing if it is empty.
async fn marked(body: &Body) -> Result<Option<reqwest::Body>, TransportError> {
    let (mark, left) = (body.mark(), body.length());
    mark.tracks();
    let content = match body.as_bytes() {
        Some(bytes) => Content::Bytes(bytes.clone()),
        None => Content::Stream(Mutex::new(body.open().await?)),
    };
    if left == Some(0) {
        // Nobody polls an empty body, so its head must count as sent from the start.
        mark.left();
        return Ok(None);
    }
    Ok(Some(reqwest::Body::wrap(MarkedBody { content, left, mark })))
}

/// What makes hyper drop the connection in the middle of a request, be its head still in the queue or gone.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("the call was given up before anything was sent")]
    GivenUp,
    #[error("{0}")]
    Body(#[source] Arc<TransportError>),
}

/// A body that notes when it is first asked for: hyper asks after queueing the head and before writing any of it.
struct MarkedBody {
    content: Content,
    /// How many bytes are still to come, if that is known.
    left: Option<u64>,
    mark: SendMark,
}

enum Content {
    /// Empty once it has been handed on.
    Bytes(Bytes),
    /// Never locked: it only makes the stream fit for a library that asks for `Sync`.
    Stream(Mutex<BodyStream>),
}

impl Content {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        match self {
            Self::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Self::Stream(stream) => {
                stream.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(context)
            }
        }
    }
}

impl http_body::Body for MarkedBody {
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.mark.leave() {
            return Poll::Ready(Some(Err(Stopped::GivenUp)));
        }
        match std::task::ready!(self.content.poll_next(context)) {
            None => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(Stopped::Body(Arc::new(error))))),
            Some(Ok(bytes)) => {
                self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// An answer's body as a stream of its data.
struct Chunks(reqwest::Response);

impl Stream for Chunks {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Begun anew at every poll: what has arrived is kept in the response, not in this. Trailers, which it passes over, say
        // nothing that these services use.
        let chunk = std::task::ready!(pin!(self.0.chunk()).poll(context));
        Poll::Ready(chunk.map_err(translate).transpose())
    }
}

fn translate(cause: reqwest::Error) -> TransportError {
    if let Some(Stopped::Body(error)) = find::<Stopped>(&cause) {
        return TransportError::new(TransportErrorKind::Body, error.to_string()).with_source(error.clone());
    }
    let (kind, message) = if !cause.is_connect() {
        (TransportErrorKind::Interrupted, "the connection broke before the answer was complete")
    } else if find::<rustls::Error>(&cause).is_some() {
        (TransportErrorKind::Tls, "the TLS handshake failed")
    } else if cause.is_dns() {
        (TransportErrorKind::Connect, "the host name cannot be resolved")
    } else if cause.is_timeout() {
        (TransportErrorKind::Connect, "the connection was not established in time")
    } else {
        (TransportErrorKind::Connect, "the connection was refused or the host is unreachable")
    };
    // The URL of the library's error could carry a query; the operation's name says enough.
    TransportError::new(kind, message).with_source(cause.without_url())
}

/// The first cause of type `T` behind an error of the library.
fn find<'e, T: StdError + 'static>(cause: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(cause);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        next = inner(current);
    }
    None
}

/// What an error wraps. `source()` of an `io::Error` skips the error inside it, and connectors nest several of them.
fn inner<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    match error.downcast_ref::<std::io::Error>() {
        Some(wrapper) => wrapper.get_ref().map(|wrapped| wrapped as &(dyn StdError + 'static)),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn transport(base: &str) -> Arc<dyn Transport> {
        let base = BaseUrl::parse(base).unwrap();
        Connections::new(Duration::from_secs(5)).transport(&base, Keeping::Fresh).unwrap()
    }

    #[test]
    fn clients_that_share_connections_set_up_one_of_a_kind() {
        let connections = Connections::new(Duration::from_secs(5));
        for (host, keeping) in
            [("a", Keeping::Kept), ("b", Keeping::Kept), ("c", Keeping::Fresh), ("d", Keeping::Fresh)]
        {
            let base = BaseUrl::parse(&format!("http://localhost/{host}")).unwrap();
            connections.transport(&base, keeping).unwrap();
        }
        let [kept, fresh] = &*connections.0;
        assert!([kept, fresh].iter().all(|one| one.near.get().is_some() && one.far.get().is_none()));
        assert!(kept.keeping == Keeping::Kept && fresh.keeping == Keeping::Fresh);
        assert!(Arc::ptr_eq(&kept.trust, &fresh.trust));
    }

    fn post(url: String, mark: &SendMark) -> http::Request<Body> {
        http::Request::post(url).body(Body::bytes("{}").marked(mark)).unwrap()
    }

    async fn failure(url: String, mark: &SendMark) -> TransportError {
        match transport(&url).send(post(url.clone(), mark)).await {
            Err(error) => error,
            Ok(_) => panic!("expected a failure"),
        }
    }

    /// The instant between a call's timeout and the connection's own task, which no socket test can hit on purpose.
    #[tokio::test]
    async fn a_request_given_up_before_it_left_reaches_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut received = Vec::new();
            let _ = socket.read_to_end(&mut received).await;
            received
        });
        let mark = SendMark::default();
        mark.tracks();
        assert!(mark.bar());
        assert_eq!(failure(url, &mark).await.kind(), TransportErrorKind::Interrupted);
        assert!(mark.nothing_left());
        assert!(server.await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_refused_connection_proves_that_nothing_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let mark = SendMark::default();
        assert_eq!(failure(url, &mark).await.kind(), TransportErrorKind::Connect);
        assert!(mark.nothing_left());
    }

    #[tokio::test]
    async fn a_failed_handshake_is_a_tls_error_and_nothing_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(b"HTTP/1.1 400 this is not TLS\r\n\r\n").await.unwrap();
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
        });
        let mark = SendMark::default();
        assert_eq!(failure(url, &mark).await.kind(), TransportErrorKind::Tls);
        assert!(mark.nothing_left());
    }

    #[tokio::test]
    async fn a_close_after_the_request_is_an_interruption_that_may_have_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1024]).await;
        });
        let mark = SendMark::default();
        assert_eq!(failure(url, &mark).await.kind(), TransportErrorKind::Interrupted);
        assert!(!mark.nothing_left());
    }
}
