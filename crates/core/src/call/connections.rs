//! The connections of one client or of several, over whichever library was built in.
//!
//! The rule enforced here: a feature only adds. With `reqwest`, the default, calls go over reqwest, whatever else of the
//! program asks for `hyper`; who wants hyper beside it says [`Connections::hyper`].

use std::sync::Arc;
use std::time::Duration;

use super::settings::BaseUrl;
use super::transport::Transport;
use crate::Error;

/// Whether connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Every request on a connection of its own: a kept one may be closing just as the request goes out, and then
    /// nobody knows whether it arrived.
    Fresh,
    /// Kept below the keep-alive times of common servers.
    Kept,
}

/// How long a connection is kept that nobody uses.
#[cfg(any(feature = "reqwest", feature = "hyper"))]
pub(crate) const IDLE: Duration = Duration::from_secs(15);

/// A transport that can be made ready ahead of its first request.
pub(crate) trait Prepared: Transport {
    /// Sets up what requests to this machine and its network (`near`) or beyond need, so that what is wrong shows now.
    fn prepare(&self, near: bool) -> Result<(), Error>;
}

/// Connections that several clients share, of whatever services. Cheap to clone; all clones are the same connections.
///
/// Setting up what makes connections takes milliseconds, most of them for reading the machine's root certificates; clients that share
/// it pay for that once. A client that sends every request on a connection of its own goes on doing so. No connection is used
/// for another host than the one it was made to, and no credential is shared.
///
/// They go over `reqwest` if that feature is on, as it is by default, else over `hyper`. Both keep the same promises; the features
/// are those of every client crate too. Without either a client is built with a
/// [`transport`](super::CallerBuilder::transport) of one's own.
///
#[cfg_attr(any(feature = "reqwest", feature = "hyper"), doc = "```")]
#[cfg_attr(not(any(feature = "reqwest", feature = "hyper")), doc = "```no_run")]
/// use std::time::Duration;
/// use integration_core::call::{BaseUrl, Caller, Connections};
///
/// let connections = Connections::new(Duration::from_secs(10));
/// let one = Caller::builder(BaseUrl::parse("https://one.example.com")?).connections(&connections).build()?;
/// let two = Caller::builder(BaseUrl::parse("https://two.example.com")?).connections(&connections).build()?;
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Connections {
    kept: Arc<dyn Prepared>,
    fresh: Arc<dyn Prepared>,
}

impl Connections {
    /// Connections that are made within `connect`, TLS included, whatever the clients that share them say about it.
    #[must_use]
    pub fn new(connect: Duration) -> Self {
        #[cfg(feature = "reqwest")]
        return Self::reqwest(connect);
        #[cfg(all(feature = "hyper", not(feature = "reqwest")))]
        return Self::hyper(connect);
        #[cfg(not(any(feature = "reqwest", feature = "hyper")))]
        return Self::none(connect);
    }

    #[cfg(feature = "reqwest")]
    fn reqwest(connect: Duration) -> Self {
        let trust = Arc::default();
        Self::of(|keeping| {
            super::reqwest_transport::ReqwestTransport::new(connect, keeping, Arc::clone(&trust))
        })
    }

    /// Connections over hyper alone, made within `connect`: fewer crates and fewer instructions for every call (decision 0028).
    ///
    /// A connection to a host beyond this machine and its network goes by way of the `http://` proxy that `HTTPS_PROXY` or
    /// `ALL_PROXY` names, unless `NO_PROXY` names the host. A proxy of another kind (`https://`, `socks5://`) is a connect error:
    /// it is not passed by in silence. Those need reqwest, or a transport of one's own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use integration_core::call::{BaseUrl, Caller, Connections};
    ///
    /// let connections = Connections::hyper(Duration::from_secs(10));
    /// let caller = Caller::builder(BaseUrl::parse("https://one.example.com")?).connections(&connections).build()?;
    /// # Ok::<(), integration_core::Error>(())
    /// ```
    #[cfg(feature = "hyper")]
    #[must_use]
    pub fn hyper(connect: Duration) -> Self {
        let trust = Arc::default();
        Self::of(|keeping| super::hyper_transport::HyperTransport::new(connect, keeping, Arc::clone(&trust)))
    }

    #[cfg(not(any(feature = "reqwest", feature = "hyper")))]
    fn none(_: Duration) -> Self {
        Self::of(|_| none::NoTransport)
    }

    fn of<T: Prepared>(transport: impl Fn(Keeping) -> T) -> Self {
        Self { kept: Arc::new(transport(Keeping::Kept)), fresh: Arc::new(transport(Keeping::Fresh)) }
    }

    /// The transport that `base` needs is set up at once, so that what is wrong with this machine shows now.
    pub(crate) fn transport(&self, base: &BaseUrl, keeping: Keeping) -> Result<Arc<dyn Transport>, Error> {
        let transport = match keeping {
            Keeping::Kept => &self.kept,
            Keeping::Fresh => &self.fresh,
        };
        transport.prepare(base.is_near())?;
        Ok(transport.clone())
    }
}

/// What a build without a transport has in its place.
#[cfg(not(any(feature = "reqwest", feature = "hyper")))]
mod none {
    use super::super::body::Body;
    use super::super::transport::{BodyStream, Transport, TransportError, TransportErrorKind};
    use super::Prepared;
    use crate::{BoxFuture, Error};

    const MESSAGE: &str = "this program was built without a transport";

    #[derive(Debug)]
    pub(super) struct NoTransport;

    impl Prepared for NoTransport {
        fn prepare(&self, _: bool) -> Result<(), Error> {
            Err(Error::configuration(
                MESSAGE,
                "switch on the feature `reqwest` or `hyper`, or pass a transport of your own",
            ))
        }
    }

    impl Transport for NoTransport {
        fn send(
            &self,
            _: http::Request<Body>,
        ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>> {
            Box::pin(std::future::ready(Err(TransportError::new(TransportErrorKind::Connect, MESSAGE))))
        }
    }
}

#[cfg(test)]
#[cfg(any(feature = "reqwest", feature = "hyper"))]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::body::Body;
    use super::super::transport::{SendMark, TransportError, TransportErrorKind};
    use super::*;

    /// One of each library that is built in.
    fn all() -> Vec<Connections> {
        let limit = Duration::from_secs(5);
        vec![
            #[cfg(feature = "reqwest")]
            Connections::reqwest(limit),
            #[cfg(feature = "hyper")]
            Connections::hyper(limit),
        ]
    }

    #[test]
    fn clients_that_share_connections_have_one_transport_of_a_kind() {
        for connections in all() {
            let transport = |host: &str, keeping| {
                let base = BaseUrl::parse(&format!("http://localhost/{host}")).unwrap();
                connections.transport(&base, keeping).unwrap()
            };
            for keeping in [Keeping::Kept, Keeping::Fresh] {
                assert!(Arc::ptr_eq(&transport("a", keeping), &transport("b", keeping)));
            }
            assert!(!Arc::ptr_eq(&transport("a", Keeping::Kept), &transport("a", Keeping::Fresh)));
        }
    }

    fn post(url: String, mark: &SendMark) -> http::Request<Body> {
        http::Request::post(url).body(Body::bytes("{}").marked(mark)).unwrap()
    }

    async fn failure(connections: &Connections, url: String, mark: &SendMark) -> TransportError {
        let transport = connections.transport(&BaseUrl::parse(&url).unwrap(), Keeping::Fresh).unwrap();
        match transport.send(post(url, mark)).await {
            Err(error) => error,
            Ok(_) => panic!("expected a failure"),
        }
    }

    /// The instant between a call's timeout and the connection's own task, which no socket test can hit on purpose.
    #[tokio::test]
    async fn a_request_given_up_before_it_left_reaches_nobody() {
        for connections in all() {
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
            assert_eq!(failure(&connections, url, &mark).await.kind(), TransportErrorKind::Interrupted);
            assert!(mark.nothing_left());
            assert!(server.await.unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn a_refused_connection_proves_that_nothing_left() {
        for connections in all() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            drop(listener);
            let mark = SendMark::default();
            assert_eq!(failure(&connections, url, &mark).await.kind(), TransportErrorKind::Connect);
            assert!(mark.nothing_left());
        }
    }

    #[tokio::test]
    async fn a_failed_handshake_is_a_tls_error_and_nothing_left() {
        for connections in all() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://{}/", listener.local_addr().unwrap());
            tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                socket.write_all(b"HTTP/1.1 400 this is not TLS\r\n\r\n").await.unwrap();
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest).await;
            });
            let mark = SendMark::default();
            assert_eq!(failure(&connections, url, &mark).await.kind(), TransportErrorKind::Tls);
            assert!(mark.nothing_left());
        }
    }

    #[tokio::test]
    async fn a_close_after_the_request_is_an_interruption_that_may_have_left() {
        for connections in all() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                let _ = socket.read(&mut [0; 1024]).await;
            });
            let mark = SendMark::default();
            assert_eq!(failure(&connections, url, &mark).await.kind(), TransportErrorKind::Interrupted);
            assert!(!mark.nothing_left());
        }
    }
}
