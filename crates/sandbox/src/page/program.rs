//! Calls that the page makes to a simulator over its own port, as a program would: they stand in the list of
//! requests, and faults strike them.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Method, Uri};
use serde_json::Value;

use crate::answer::JSON;
use crate::clock;
use crate::payload::{Payload, Streamed};
use crate::post;

/// How long the page waits for an answer that a fault may keep back for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// A service as this program sees it.
pub(super) struct Program<'a> {
    pub(super) base_url: &'a str,
    /// Sent with every call.
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Program<'_> {
    /// Sends JSON and reads what is answered, if it succeeded. What went wrong stands in the list of requests.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        more: &[(&'static str, String)],
        body: &Value,
    ) -> Option<Value> {
        let body = Payload::from(body.to_string().into_bytes());
        let answered = self.send(method, path, more, JSON, body).await?;
        serde_json::from_str(&answered).ok()
    }

    /// Sends any bytes.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        more: &[(&'static str, String)],
        media_type: &str,
        body: Payload,
    ) -> Option<String> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in self.headers.iter().chain(more) {
            request = request.header(*name, value);
        }
        let request = request.header(CONTENT_TYPE, media_type).header(USER_AGENT, "sandbox-page");
        let sending = exchange(self.base_url, request, body);
        let mut answer = None;
        clock::within(PATIENCE, async { answer = Some(sending.await) }).await;
        match answer? {
            Ok((status, text)) => (200..300).contains(&status).then_some(text),
            Err(error) => {
                tracing::debug!(%error, path, "a call of the page got no answer");
                None
            }
        }
    }
}

async fn exchange(
    base_url: &str,
    request: http::request::Builder,
    body: Payload,
) -> Result<(u16, String), String> {
    let uri: Uri = base_url.parse().map_err(post::text)?;
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    let request = request.header(HOST, host).body(Streamed::from(body)).map_err(post::text)?;
    post::exchange(post::connect(&uri).await?, request).await
}
