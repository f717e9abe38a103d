//! What came back: status, headers and a bounded body, whatever the service meant by it.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::Secret;

/// The names under which gateways and services give a request its id, in order of preference.
const REQUEST_ID_HEADERS: [&str; 4] = ["x-request-id", "request-id", "x-correlation-id", "cf-ray"];

/// A raw answer. Its `Debug` shows no body, since bodies hold customers' data.
///
/// ```
/// use integration_core::Answer;
///
/// let answer = Answer::new(http::StatusCode::OK, http::HeaderMap::new(), "{}");
/// assert_eq!(answer.text(), "{}");
/// assert_eq!(format!("{answer:?}"), "Answer { status: 200, content_type: None, bytes: 2, complete: true }");
/// ```
#[derive(Clone)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    complete: bool,
}

impl Answer {
    /// An answer that was read to its end.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self { status, headers, body: body.into(), complete: true }
    }

    /// Marks that the body went on beyond the client's limit.
    #[must_use]
    pub fn cut_at_limit(mut self) -> Self {
        self.complete = false;
        self
    }

    /// The same answer with `secret` masked in its body and headers.
    pub(crate) fn masked(mut self, secret: &Secret) -> Self {
        if let Cow::Owned(masked) = secret.redact(&String::from_utf8_lossy(&self.body)) {
            self.body = masked.into();
        }
        if !self.complete {
            // The limit may have cut an echoed secret in two; its beginning tells as much as the whole.
            self.body.truncate(self.body.len().saturating_sub(secret.begun_at_end_of(&self.body)));
        }
        for value in self.headers.values_mut() {
            // Lossy, since a header may hold the secret next to bytes that are no ASCII.
            let masked = match secret.redact(&String::from_utf8_lossy(value.as_bytes())) {
                Cow::Owned(masked) => HeaderValue::from_bytes(masked.as_bytes()).ok(),
                Cow::Borrowed(_) => None,
            };
            if let Some(masked) = masked {
                *value = masked;
            }
        }
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body, up to the client's limit, with the credentials of the call masked.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Whether the body is whole, not cut at the client's limit.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The declared content type.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(header::CONTENT_TYPE)?.to_str().ok()
    }

    /// The id of the request at the service or its gateway.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        REQUEST_ID_HEADERS.iter().find_map(|name| self.headers.get(*name)?.to_str().ok())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status.as_u16())
            .field("content_type", &self.content_type())
            .field("bytes", &self.body.len())
            .field("complete", &self.complete)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_a_secret_beside_bytes_that_are_no_ascii() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(b"t\xf6ken sentinel-value").unwrap();
        headers.insert(header::WWW_AUTHENTICATE, value);
        let secret = Secret::new("sentinel-value");
        let answer = Answer::new(StatusCode::OK, headers, b"\xff sentinel-value".to_vec()).masked(&secret);
        assert!(!format!("{:?}{}", answer.headers(), answer.text()).contains("sentinel"));
    }

    #[test]
    fn finds_the_request_id_by_preference() {
        let mut headers = HeaderMap::new();
        headers.insert("cf-ray", "ray".parse().unwrap());
        headers.insert("x-request-id", "id".parse().unwrap());
        let answer = Answer::new(StatusCode::OK, headers, "");
        assert_eq!(answer.request_id(), Some("id"));
    }
}
