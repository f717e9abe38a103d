//! The default transport, the only file that knows reqwest.
//!
//! What it switches off is the point of it: no redirect is followed (credentials would travel), nothing is repeated
//! (the library cannot know what may be), no content encoding is decoded even if another crate of the program switches the
//! feature on (a bomb would unpack past the size limit), HTTP/1.1 only (one exchange per connection, so that "did it
//! leave" has an answer).

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;

use super::settings::BaseUrl;
use super::transport::{BodyStream, SendMark, Transport, TransportError};
use crate::{BoxFuture, Error, ErrorKind};

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

#[derive(Debug)]
pub(crate) struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    pub(crate) fn new(base: &BaseUrl, connect: Duration, connections: Connections) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(base)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_only()
            .connect_timeout(connect)
            .pool_idle_timeout(IDLE);
        if connections == Connections::Fresh {
            builder = builder.pool_max_idle_per_host(0);
        }
        if base.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|cause| {
            Error::configuration("the HTTP client cannot be set up", "see the cause")
                .with_source(cause.without_url())
        })?;
        Ok(Self { client })
    }
}

/// The crypto provider is named here, so that a program that links two of them, or none, does not panic.
fn tls(base: &BaseUrl) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| tls_setup("no usable TLS versions", cause))?;
    if base.is_loopback() {
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
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>> {
        Box::pin(async move {
            let request = reqwest::Request::try_from(marked(request)).map_err(before_sending)?;
            let response = self.client.execute(request).await.map_err(translate)?;
            Ok(http::Response::from(response).map(|body| -> BodyStream { Box::pin(Chunks(body)) }))
        })
    }
}

fn marked(request: http::Request<Bytes>) -> http::Request<reqwest::Body> {
    let mark = request.extensions().get::<SendMark>().cloned().unwrap_or_default();
    mark.tracks();
    if request.body().is_empty() {
        // Nobody polls an empty body, so its head must count as sent from the start.
        mark.left();
    }
    request.map(|bytes| reqwest::Body::wrap(MarkedBody { bytes, mark }))
}

/// Makes hyper drop the connection, with the head still in its queue.
#[derive(Debug, thiserror::Error)]
#[error("the call was given up before anything was sent")]
struct GivenUp;

/// A body that notes when it is first asked for: hyper asks after queueing the head and before writing any of it.
struct MarkedBody {
    bytes: Bytes,
    mark: SendMark,
}

impl Body for MarkedBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.mark.leave() {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then_some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
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
    TransportError::new(ErrorKind::Connect, "the request cannot be built").with_source(cause.without_url())
}

fn translate(cause: reqwest::Error) -> TransportError {
    let (kind, message) = if !cause.is_connect() {
        (ErrorKind::Interrupted, "the connection broke before the answer was complete")
    } else if speaks_of_tls(&cause) {
        (ErrorKind::Tls, "the TLS handshake failed")
    } else if cause.is_dns() {
        (ErrorKind::Connect, "the host name cannot be resolved")
    } else if cause.is_timeout() {
        (ErrorKind::Connect, "the connection was not established in time")
    } else {
        (ErrorKind::Connect, "the connection was refused or the host is unreachable")
    };
    // The URL of the library's error could carry a query; the operation's name says enough.
    TransportError::new(kind, message).with_source(cause.without_url())
}

fn speaks_of_tls(cause: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(cause);
    while let Some(current) = next {
        if current.is::<rustls::Error>() {
            return true;
        }
        next = inner(current);
    }
    false
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

    fn post(url: String, mark: &SendMark) -> http::Request<Bytes> {
        let request = http::Request::post(url).extension(mark.clone());
        request.body(Bytes::from_static(b"{}")).unwrap()
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
        assert_eq!(failure(url, &mark).await.kind(), ErrorKind::Interrupted);
        assert!(mark.nothing_left());
        assert!(server.await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_refused_connection_proves_that_nothing_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let mark = SendMark::default();
        assert_eq!(failure(url, &mark).await.kind(), ErrorKind::Connect);
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
        assert_eq!(failure(url, &mark).await.kind(), ErrorKind::Tls);
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
        assert_eq!(failure(url, &mark).await.kind(), ErrorKind::Interrupted);
        assert!(!mark.nothing_left());
    }
}
