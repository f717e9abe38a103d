//! The default transport, the only file that knows reqwest.
//!
//! What it switches off is the point of it: no redirect is followed (credentials would travel), nothing is repeated
//! (the library cannot know what may be), no content encoding is decoded even if another crate of the program switches the
//! feature on (a bomb would unpack past the size limit), HTTP/1.1 only (one exchange per connection, so that "did it
//! leave" has an answer).

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body as _, Frame, SizeHint};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;

use super::body::Body;
use super::settings::BaseUrl;
use super::transport::{BodyStream, SendMark, Transport, TransportError, TransportErrorKind};
use crate::{BoxFuture, Error};

/// How connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connections {
    /// Every request on a connection of its own: a kept one may be closing just as the request goes out, and then
    /// nobody knows whether it arrived.
    Fresh,
    /// Kept below the keep-alive times of common servers.
    Kept,
}

const IDLE: Duration = Duration::from_secs(15);

/// Two clients, since what is right for the far side of a proxy is wrong for this machine and its network.
#[derive(Debug)]
pub(crate) struct ReqwestTransport {
    connect: Duration,
    connections: Connections,
    /// For `https`: by way of the proxy that the machine names, if it names one.
    far: OnceLock<reqwest::Client>,
    /// For this machine and for plain `http`: never by way of a proxy, which would read what it carries.
    near: OnceLock<reqwest::Client>,
}

impl ReqwestTransport {
    /// The client that `base` needs is set up at once, so that what is wrong with this machine shows now.
    pub(crate) fn new(base: &BaseUrl, connect: Duration, connections: Connections) -> Result<Self, Error> {
        let (far, near) = (OnceLock::new(), OnceLock::new());
        let transport = Self { connect, connections, far, near };
        transport.client(base.is_near())?;
        Ok(transport)
    }

    fn client_for(&self, uri: &http::Uri) -> Result<&reqwest::Client, TransportError> {
        let near = BaseUrl::is_near_uri(uri);
        self.client(near).map_err(|cause| {
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

    fn set_up(&self, near: bool) -> Result<reqwest::Client, Error> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(near)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_only()
            .connect_timeout(self.connect)
            .pool_idle_timeout(IDLE);
        if self.connections == Connections::Fresh {
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
            let client = self.client_for(request.uri())?;
            let request = reqwest::Request::try_from(marked(request).await?).map_err(before_sending)?;
            let response = client.execute(request).await.map_err(translate)?;
            Ok(http::Response::from(response).map(|body| -> BodyStream { Box::pin(Chunks(body)) }))
        })
    }
}

async fn marked(request: http::Request<Body>) -> Result<http::Request<reqwest::Body>, TransportError> {
    let mark = request.extensions().get::<SendMark>().cloned().unwrap_or_default();
    mark.tracks();
    let left = request.body().length();
    let stream = request.body().open().await?;
    if left == Some(0) {
        // Nobody polls an empty body, so its head must count as sent from the start.
        mark.left();
    }
    Ok(request.map(|_| reqwest::Body::wrap(MarkedBody { stream: Mutex::new(stream), left, mark })))
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
    /// Never locked: it only makes the stream fit for a library that asks for `Sync`.
    stream: Mutex<BodyStream>,
    /// How many bytes are still to come, if that is known.
    left: Option<u64>,
    mark: SendMark,
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
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        match std::task::ready!(stream.as_mut().poll_next(context)) {
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
struct Chunks(reqwest::Body);

impl Stream for Chunks {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = std::task::ready!(Pin::new(&mut self.0).poll_frame(context));
            match frame {
                None => return Poll::Ready(None),
                Some(Err(cause)) => return Poll::Ready(Some(Err(translate(cause)))),
                Some(Ok(frame)) => {
                    // Trailers say nothing that these services use.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

fn before_sending(cause: reqwest::Error) -> TransportError {
    TransportError::new(TransportErrorKind::Connect, "the request cannot be built")
        .with_source(cause.without_url())
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

    fn transport(base: &str) -> ReqwestTransport {
        let base = BaseUrl::parse(base).unwrap();
        ReqwestTransport::new(&base, Duration::from_secs(5), Connections::Fresh).unwrap()
    }

    fn post(url: String, mark: &SendMark) -> http::Request<Body> {
        let request = http::Request::post(url).extension(mark.clone());
        request.body(Body::bytes("{}")).unwrap()
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
