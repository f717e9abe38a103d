//! Receives webhooks: proves them, reads which record they hint at, keeps that, answers (contract 4.6).
//!
//! The order of the steps is the point of this file: what can be refused without the body is refused before it is read; nothing of
//! the body is used before its secret is right; 200 is answered after the hint was kept and before any work on it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use http::request::Parts;
use integration_core::body::webhook::{self, Refusal, Refused, SharedSecret, Whole, accepted};

use super::builder::{ReceiverBuilder, Setup};
use super::hint::Unknown;
use super::route::Route;
use super::said::{self, Notice, Read};
use crate::value::Fields;

/// What became of a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Disposition {
    /// What it hints at is kept, once more if it came before.
    Accepted(Box<Notice>),
    /// It comes from whoever knows the secret, but does not fit its route.
    Unknown(Unknown),
    /// Nothing was kept.
    Refused(Refusal),
}

/// The answer to a request.
#[derive(Debug)]
pub struct Reply(Disposition);

impl Reply {
    /// 200 for what was kept or does not fit its route; 400, 401, 413; 500 if it could not be kept.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match &self.0 {
            Disposition::Accepted(_) | Disposition::Unknown(_) => StatusCode::OK,
            Disposition::Refused(refusal) => refusal.status(),
        }
    }

    /// Why.
    #[must_use]
    pub const fn disposition(&self) -> &Disposition {
        &self.0
    }

    /// The answer to send: a status and no body, so that nothing is told to whoever tries.
    #[must_use]
    pub fn into_response(self) -> http::Response<Bytes> {
        match &self.0 {
            Disposition::Refused(refusal) => refusal.to_response(),
            _ => accepted(),
        }
    }
}

/// Receives webhooks. Clones are the same receiver.
#[derive(Clone)]
pub struct Receiver {
    setup: Arc<Setup>,
}

impl Receiver {
    /// Starts setting one up.
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder::new()
    }

    pub(super) fn new(setup: Setup) -> Self {
        Self { setup: Arc::new(setup) }
    }

    /// Receives one request: its head, and its body as a stream of chunks. Never panics, whatever is in it.
    ///
    /// Idempotency: no call to the service; what comes twice is one hint (contract 4.6).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # struct Body(Option<bytes::Bytes>);
    /// # impl futures_core::Stream for Body {
    /// #     type Item = Result<bytes::Bytes, std::io::Error>;
    /// #     fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> { std::task::Poll::Ready(self.0.take().map(Ok)) }
    /// # }
    /// # let body = Body(Some("{}".into()));
    /// use std::sync::Arc;
    ///
    /// use sugester::webhook::{MemoryHints, Receiver, Route};
    ///
    /// let hints = Arc::new(MemoryHints::default());
    /// let receiver = Receiver::builder().route(Route::Client, "the secret").sink(hints).build()?;
    /// let (parts, ()) = http::Request::post("/client").body(())?.into_parts(); // as your HTTP server gives them
    /// let reply = receiver.receive(Route::Client, &parts, body).await;
    /// assert_eq!(reply.status(), 401); // the body repeats no secret
    /// # Ok(()) });
    /// ```
    pub async fn receive<S, E>(&self, route: Route, parts: &Parts, body: S) -> Reply
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Send,
    {
        Reply(self.accept(route, parts, body).await.unwrap_or_else(|refusal| {
            if let Some(observer) = &self.setup.observer {
                observer.refused(&Refused::new(route.name(), None, &refusal));
            }
            Disposition::Refused(refusal)
        }))
    }

    /// The same for a body that is in memory anyway.
    ///
    /// Idempotency: no call to the service; what comes twice is one hint (contract 4.6).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// use std::sync::Arc;
    ///
    /// use sugester::webhook::{MemoryHints, Receiver, Route};
    ///
    /// let hints = Arc::new(MemoryHints::default());
    /// let receiver = Receiver::builder().route(Route::Client, "the secret").sink(hints).build()?;
    /// let (parts, ()) = http::Request::post("/client").body(())?.into_parts();
    /// let reply = receiver.receive_bytes(Route::Client, &parts, bytes::Bytes::from("{}")).await;
    /// assert_eq!(reply.status(), 401); // the body repeats no secret
    /// # Ok(()) });
    /// ```
    pub async fn receive_bytes(&self, route: Route, parts: &Parts, body: Bytes) -> Reply {
        self.receive(route, parts, Whole::new(body)).await
    }

    async fn accept<S, E>(&self, route: Route, parts: &Parts, body: S) -> Result<Disposition, Refusal>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
    {
        let Setup { limits, clock, .. } = &*self.setup;
        let secrets = self.judge_head(route, parts)?;
        let body = webhook::read(&parts.headers, body, *limits, clock.as_ref()).await?;
        let mut fields = Fields::parse(&body).ok_or(Refusal::Malformed("the body is no JSON object"))?;
        judge_token(secrets, &mut fields)?;
        self.keep(said::read(route, &self.setup.app, fields)).await
    }

    /// What can be judged without the body.
    fn judge_head(&self, route: Route, parts: &Parts) -> Result<&[SharedSecret], Refusal> {
        if let Some(secret) = &self.setup.in_path {
            let given = parts.uri.path().rsplit('/').next().unwrap_or_default();
            if !secret.is(given) {
                return Err(Refusal::Unauthorized("the secret of the path is missing or wrong"));
            }
        }
        let secrets = self.setup.secrets.get(&route).map(Vec::as_slice);
        secrets.ok_or(Refusal::Unauthorized("the route has no secret: it is not served"))
    }

    async fn keep(&self, read: Read) -> Result<Disposition, Refusal> {
        match read {
            Read::Notice(notice) => {
                self.setup.sink.keep(notice.hint.clone()).await.map_err(Refusal::Failed)?;
                Ok(Disposition::Accepted(notice))
            }
            Read::Unknown(unknown) => {
                self.setup.sink.keep_unknown(unknown.clone()).await.map_err(Refusal::Failed)?;
                Ok(Disposition::Unknown(unknown))
            }
        }
    }
}

/// Every secret is compared, whichever is right: the time tells nothing.
fn judge_token(secrets: &[SharedSecret], fields: &mut Fields) -> Result<(), Refusal> {
    let given = fields.text("api_token").ok().flatten().unwrap_or_default();
    let is_right = secrets.iter().fold(false, |is_right, secret| secret.is(&given) | is_right);
    if is_right { Ok(()) } else { Err(Refusal::Unauthorized("api_token is missing or wrong")) }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("setup", &self.setup).finish_non_exhaustive()
    }
}
