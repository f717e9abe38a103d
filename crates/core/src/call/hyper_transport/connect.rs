//! From an address to a socket: names, addresses in turn, a proxy if the machine names one, TLS.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::super::outgoing::find;
use super::super::transport::{TransportError, TransportErrorKind};
use super::is_secured;
use super::wire::{Socket, Wire};

/// How long a connection may say nothing before the machine asks whether the other side is still there, and how long what
/// was written may go unacknowledged: a half-open connection is noticed well within a minute.
const KEEPALIVE: Duration = Duration::from_secs(15);
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// One way out of this machine.
#[derive(Debug)]
pub(super) struct Way {
    tcp: HttpConnector<Names>,
    tls: TlsConfig,
    /// Nothing where no proxy is asked.
    proxies: Option<Matcher>,
}

/// Its `Debug` would print every cipher.
struct TlsConfig(Arc<ClientConfig>);

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConfig")
    }
}

impl Way {
    pub(super) fn straight(tls: Arc<ClientConfig>, connect: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Names(GaiResolver::new()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared out among the addresses of a name, so that one that is silent does not use up all of it.
        tcp.set_connect_timeout(Some(connect));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(3));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Self { tcp, tls: TlsConfig(tls), proxies: None }
    }

    pub(super) fn by_proxy(tls: Arc<ClientConfig>, connect: Duration) -> Self {
        Self { proxies: Some(Matcher::from_env()), ..Self::straight(tls, connect) }
    }

    pub(super) async fn connect(&self, uri: &Uri) -> Result<Wire, TransportError> {
        let tcp = self.tcp(uri).await?;
        if !is_secured(uri) {
            return Ok(Wire::new(Socket::Plain(tcp)));
        }
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(host).map_err(|cause| insecure(cause.into()))?.to_owned();
        let secured = TlsConnector::from(self.tls.0.clone()).connect(name, tcp).await;
        Ok(Wire::new(Socket::Secured(Box::new(secured.map_err(of_handshake)?))))
    }

    async fn tcp(&self, uri: &Uri) -> Result<TcpStream, TransportError> {
        let mut straight = self.tcp.clone();
        let Some(proxy) = self.proxies.as_ref().and_then(|proxies| proxies.intercept(uri)) else {
            return match straight.call(uri.clone()).await {
                Ok(io) => Ok(io.into_inner()),
                Err(cause) => Err(unconnected(cause.into())),
            };
        };
        let mut tunnel = tunnel(&proxy, straight)?;
        match tunnel.call(uri.clone()).await {
            Ok(io) => Ok(io.into_inner()),
            Err(cause) => Err(unconnected(cause.into())),
        }
    }
}

fn tunnel(
    proxy: &Intercept,
    straight: HttpConnector<Names>,
) -> Result<Tunnel<HttpConnector<Names>>, TransportError> {
    if proxy.uri().scheme_str() != Some("http") {
        let message = "the proxy that the environment names is of a kind that is not supported here";
        return Err(TransportError::new(TransportErrorKind::Connect, message));
    }
    let tunnel = Tunnel::new(proxy.uri().clone(), straight);
    Ok(match proxy.basic_auth() {
        Some(credentials) => tunnel.with_auth(credentials.clone()),
        None => tunnel,
    })
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

fn unconnected(cause: Cause) -> TransportError {
    let message = if find::<Unresolved>(&*cause).is_some() {
        "the host name cannot be resolved"
    } else {
        "the connection was refused or the host is unreachable"
    };
    TransportError::new(TransportErrorKind::Connect, message).with_source(cause)
}

fn of_handshake(cause: std::io::Error) -> TransportError {
    if find::<rustls::Error>(&cause).is_some() { insecure(cause.into()) } else { unconnected(cause.into()) }
}

fn insecure(cause: Cause) -> TransportError {
    TransportError::new(TransportErrorKind::Tls, "the TLS handshake failed").with_source(cause)
}

/// The machine's names, with errors that can be told from those of the connection.
#[derive(Debug, Clone)]
struct Names(GaiResolver);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unresolved(#[source] std::io::Error);

impl Service<Name> for Names {
    type Response = GaiAddrs;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<GaiAddrs, Unresolved>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context).map_err(Unresolved)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.0.call(name);
        Box::pin(async move { resolving.await.map_err(Unresolved) })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::super::trust::Trust;
    use super::*;

    fn by(proxy: &str) -> Way {
        let tls = Arc::new(Trust::default().tls(true).unwrap());
        let proxies = Some(Matcher::builder().https(proxy.to_owned()).no("b.example.com").build());
        Way { proxies, ..Way::straight(tls, Duration::from_secs(5)) }
    }

    async fn refused(way: &Way, uri: &'static str) -> TransportError {
        way.connect(&Uri::from_static(uri)).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel_and_what_it_refuses_is_not_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://ana:secret@{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut read = vec![0; 4096];
            let length = socket.read(&mut read).await.unwrap();
            socket.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&read[..length]).into_owned()
        });
        let error = refused(&by(&proxy), "https://a.example.com/x").await;
        assert!(error.is_before_sending() && error.kind() == TransportErrorKind::Connect);
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("CONNECT a.example.com:443 HTTP/1.1\r\n"), "{asked}");
        // RFC 7617 of `ana:secret`.
        assert!(
            asked.to_ascii_lowercase().contains("proxy-authorization: basic yw5honnly3jlda=="),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn a_proxy_of_another_kind_is_not_passed_by() {
        for proxy in ["socks5://127.0.0.1:1", "https://127.0.0.1:1"] {
            let error = refused(&by(proxy), "https://a.example.com/x").await;
            assert!(error.to_string().contains("proxy"), "{error}");
            assert!(error.is_before_sending());
        }
    }

    #[test]
    fn only_what_is_beyond_this_machine_goes_by_a_proxy() {
        let asked =
            |way: &Way, uri| way.proxies.as_ref().and_then(|all| all.intercept(&Uri::from_static(uri)));
        let way = by("http://127.0.0.1:1");
        assert!(asked(&way, "https://a.example.com/").is_some());
        assert!(asked(&way, "https://b.example.com/").is_none());
        assert!(Way::straight(way.tls.0.clone(), Duration::ZERO).proxies.is_none());
    }
}
