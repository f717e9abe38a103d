//! The default transport, the only file that knows reqwest.
//!
//! What it switches off is the point of it: no redirect is followed (credentials would travel), nothing is repeated
//! (the library cannot know what may be), no content encoding is decoded even if another crate of the program switches the
//! feature on (a bomb would unpack past the size limit), HTTP/1.1 only (one exchange per connection, so that "did it
//! leave" has an answer).

use std::fmt::Write as _;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use url::Url;

use super::body::Body;
use super::connections::{IDLE, Keeping, Prepared};
use super::outgoing::{Outgoing, Stopped, find};
use super::settings::BaseUrl;
use super::transport::{BodyStream, Transport, TransportError, TransportErrorKind};
use super::trust::Trust;
use crate::{BoxFuture, Error};

/// Two clients, since what is right for the far side of a proxy is wrong for this machine and its network.
#[derive(Debug)]
pub(crate) struct ReqwestTransport {
    connect: Duration,
    keeping: Keeping,
    trust: Arc<Trust>,
    /// For `https`: by way of the proxy that the machine names, if it names one.
    far: OnceLock<reqwest::Client>,
    /// For this machine and for plain `http`: never by way of a proxy, which would read what it carries.
    near: OnceLock<reqwest::Client>,
}

impl ReqwestTransport {
    pub(crate) fn new(connect: Duration, keeping: Keeping, trust: Arc<Trust>) -> Self {
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

    fn set_up(&self, near: bool) -> Result<reqwest::Client, Error> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.trust.tls(near)?)
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

impl Prepared for ReqwestTransport {
    fn prepare(&self, near: bool) -> Result<(), Error> {
        self.client(near).map(drop)
    }
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
    let mark = body.mark();
    mark.tracks();
    let outgoing = Outgoing::of(body).await?;
    if body.length() == Some(0) {
        // Nobody polls an empty body, so its head must count as sent from the start.
        mark.left();
        return Ok(None);
    }
    Ok(Some(reqwest::Body::wrap(outgoing.noting(mark))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_of_a_kind_is_set_up_when_it_is_needed() {
        let trust = Arc::<Trust>::default();
        let of = |keeping| ReqwestTransport::new(Duration::from_secs(5), keeping, Arc::clone(&trust));
        let both = [of(Keeping::Kept), of(Keeping::Fresh)];
        for one in &both {
            one.prepare(true).unwrap();
            assert!(one.near.get().is_some() && one.far.get().is_none());
            assert!(std::ptr::eq(one.client(true).unwrap(), one.client(true).unwrap()));
        }
    }
}
