//! A request as it was read, and the search over it.

use bytes::Bytes;
use http::HeaderMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::legale::decoded;

/// Headers that carry credentials, in any of the styles of logging in.
const CLOSED: [&str; 8] =
    ["authorization", "cookie", "user", "username", "password", "usuario", "clave", "contrasena"];
/// How many bytes of a body the control API shows.
const SHOWN: usize = 4096;

/// A request that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recorded {
    /// HTTP method.
    pub method: String,
    /// Path without the query, as it was sent.
    pub path: String,
    /// The query as it was sent; `…` for a login, whose query may hold a password.
    pub query: String,
    /// Name of the operation; none if there is no such route.
    pub spot: Option<String>,
    /// Headers in lower case, those excepted that carry credentials.
    pub headers: Vec<(String, String)>,
    /// The body; empty for logins and for what was turned away.
    #[serde(serialize_with = "shown")]
    pub body: Bytes,
    /// Status that was sent; none before the answer, and if none was sent.
    pub status: Option<u16>,
    /// Name of the fault that struck.
    pub fault: Option<String>,
    /// Name of the twist that struck.
    pub twist: Option<String>,
    /// Whether the service did what was asked. A replay of a remembered answer is none.
    pub acted: bool,
    /// When it was acted upon, seconds since the epoch of the simulator's clock.
    pub at: i64,
}

impl Recorded {
    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, if it is.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether a text is anywhere in this request.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        let plain = |here: &str| here.contains(text) || decoded(here).contains(text);
        plain(&self.path)
            || plain(&self.query)
            || self.headers.iter().any(|(_, value)| plain(value))
            || holds(&self.body, text.as_bytes())
            || self.json().is_some_and(|json| inside(&json, text))
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}

/// Whether a text is in a JSON value, keys included.
pub(crate) fn inside(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own.contains(text),
        Value::Array(items) => items.iter().any(|item| inside(item, text)),
        Value::Object(fields) => fields.iter().any(|(key, item)| key.contains(text) || inside(item, text)),
        other => other.to_string().contains(text),
    }
}

/// Every header whose value may be seen.
pub(super) fn open_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let open = headers.iter().filter(|(name, _)| !CLOSED.contains(&name.as_str()));
    open.map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    })
    .collect()
}

fn shown<S: Serializer>(body: &Bytes, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(query: &str, body: &str) -> Recorded {
        Recorded {
            method: "POST".into(),
            path: "/a/b%20c".into(),
            query: query.into(),
            spot: None,
            headers: vec![("x-note".into(), "seen".into())],
            body: body.to_owned().into(),
            status: None,
            fault: None,
            twist: None,
            acted: false,
            at: 0,
        }
    }

    #[test]
    fn a_text_is_found_wherever_and_however_it_is_written() {
        let request = recorded("q=Ana%20%C3%81vila", r#"{"a":["caf\u00e9"],"b":12345}"#);
        for text in ["b c", "Ana Ávila", "seen", "café", "2345"] {
            assert!(request.contains(text), "{text}");
        }
        assert!(!request.contains("cafe"));
    }

    #[test]
    fn credentials_are_no_part_of_the_record() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer x".parse().unwrap());
        headers.insert("password", "x".parse().unwrap());
        headers.insert("accept-language", "es".parse().unwrap());
        assert_eq!(open_headers(&headers), [("accept-language".to_owned(), "es".to_owned())]);
    }
}
